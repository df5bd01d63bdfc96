//! Templates of links in the configuration, which name ad spaces and programs in words.

use crate::domain::catalog::Catalog;
use crate::domain::deeplink::{Hosts, Template};
use crate::domain::records::{AdSpace, Program};
use crate::domain::text::fold;
use std::fmt;
use uuid::Uuid;

/// A template of the configuration, which names what it belongs to in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredDeeplink {
    /// The publisher's slug.
    pub publisher: String,
    /// The ad space's id at the network, or its name.
    pub ad_space: String,
    /// The program's id at the network, or its name.
    pub program: String,
    /// The template.
    pub template: Template,
}

/// The ad space that words name: by its id at the network, else by its name without regard to case.
#[must_use]
pub fn named_ad_space<'a>(all: &'a [AdSpace], words: &str) -> Option<&'a AdSpace> {
    let by_id = |space: &&AdSpace| space.external_id.as_deref() == Some(words);
    let by_name = |space: &&AdSpace| fold(&space.name) == fold(words);
    let found = all.iter().find(by_id);
    found.or_else(|| all.iter().find(by_name))
}

/// The program that words name: by its id at the network, else as the shipped catalogue knows it (by that id, its key or
/// any of its names), else by its name without regard to case.
#[must_use]
pub fn named_program<'a>(all: &'a [Program], words: &str) -> Option<&'a Program> {
    let catalog = Catalog::shipped();
    let shipped = catalog
        .program_by_external_id(words)
        .or_else(|| catalog.program(words))
        .or_else(|| catalog.program_by_name(words));
    let by_id = |program: &&Program| program.external_id.as_deref() == Some(words);
    let by_key = |program: &&Program| {
        let key = program.catalog_key.as_deref();
        key.is_some() && key == shipped.map(|shipped| shipped.key.as_str())
    };
    let by_name = |program: &&Program| fold(&program.name) == fold(words);
    let found = all.iter().find(by_id);
    found
        .or_else(|| all.iter().find(by_key))
        .or_else(|| all.iter().find(by_name))
}

/// What the configuration says of links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// The hosts of the network's links.
    pub hosts: Hosts,
    /// Templates.
    pub deeplinks: Vec<ConfiguredDeeplink>,
}

impl LinkSettings {
    /// The templates of the publisher with a slug.
    pub fn of<'a>(&'a self, slug: &'a str) -> impl Iterator<Item = &'a ConfiguredDeeplink> {
        let all = self.deeplinks.iter();
        all.filter(move |one| one.publisher == slug)
    }
}

/// What a template of the configuration names that the publisher does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// The ad space, where there is no such one.
    pub ad_space: Option<String>,
    /// The program, likewise.
    pub program: Option<String>,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.ad_space, &self.program) {
            (Some(space), Some(program)) => {
                write!(f, "ad space {space:?} and program {program:?}")
            }
            (Some(space), None) => write!(f, "ad space {space:?}"),
            (None, program) => write!(f, "program {:?}", program.as_deref().unwrap_or_default()),
        }
    }
}

impl ConfiguredDeeplink {
    /// The ad space and the program that it belongs to.
    ///
    /// # Errors
    /// What it names that is not among those of its publisher.
    pub fn place(
        &self,
        ad_spaces: &[AdSpace],
        programs: &[Program],
    ) -> Result<(Uuid, Uuid), Unmatched> {
        let space = named_ad_space(ad_spaces, &self.ad_space);
        let program = named_program(programs, &self.program);
        match (space, program) {
            (Some(space), Some(program)) => Ok((space.id, program.id)),
            _ => Err(Unmatched {
                ad_space: space.is_none().then(|| self.ad_space.clone()),
                program: program.is_none().then(|| self.program.clone()),
            }),
        }
    }
}
