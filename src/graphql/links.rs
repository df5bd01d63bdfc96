//! A publisher's templates of links, with programs and ad spaces as siblings, so that what hangs on them is read once.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use uuid::Uuid;

use super::siblings::{Member, by_key};
use crate::domain::records::{AdSpace, Program};
use crate::domain::traffic::Templates;

/// The templates of one request.
pub struct Links {
    templates: Templates,
    programs: HashMap<Uuid, Member<Program>>,
    ad_spaces: HashMap<Uuid, Member<AdSpace>>,
}

impl Links {
    /// Templates as they were read.
    pub fn new(templates: Templates) -> Self {
        Self {
            programs: by_key(templates.programs.iter().cloned().map(Arc::new)),
            ad_spaces: by_key(templates.ad_spaces.iter().cloned().map(Arc::new)),
            templates,
        }
    }

    /// A program of the publisher.
    pub fn program(&self, id: Uuid) -> Option<Member<Program>> {
        self.programs.get(&id).cloned()
    }

    /// An ad space of the publisher.
    pub fn ad_space(&self, id: Uuid) -> Option<Member<AdSpace>> {
        self.ad_spaces.get(&id).cloned()
    }
}

impl Deref for Links {
    type Target = Templates;

    fn deref(&self) -> &Templates {
        &self.templates
    }
}
