//! The members of segments that people make, looked up before a question names them, where columns in memory tell them: then
//! SQL gets a list, columns ask it, and nobody reads the facts for the rule again.

use crate::domain::error::Result;
use crate::domain::rule::{Named, Refers, SegmentSet, SetOf};
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;
use crate::store::ReadTx;
use crate::store::columns::rules;
use futures::future::{BoxFuture, FutureExt as _};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// How many members a request may look up: 32 MiB of ids. The rules of what goes beyond are left to SQL.
const ROOM: usize = 2_000_000;

/// Segments whose members a request looked up, by their ids and moments.
#[derive(Debug, Default)]
pub struct LookedUp {
    sets: HashMap<(Uuid, Instant), Arc<SegmentSet>>,
    members: usize,
}

impl LookedUp {
    /// Puts the segments that are named, with their members, in the place of those that were there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn named(
        &mut self,
        tx: &ReadTx,
        scope: ReadScope,
        refers: &mut (dyn Refers + Send),
    ) -> Result<()> {
        let mut named: HashMap<Uuid, Arc<SegmentSet>> = HashMap::new();
        refers.each(&mut |one| {
            if let Named::Defined(reference, _) = one
                && let Some(set) = &reference.set
            {
                named.insert(reference.id, Arc::clone(set));
            }
        });
        for set in named.values_mut() {
            *set = self.look_up(tx, scope, set).await?;
        }
        refers.each(&mut |one| {
            if let Named::Defined(reference, _) = one
                && let Some(set) = named.get(&reference.id)
            {
                reference.set = Some(Arc::clone(set));
            }
        });
        Ok(())
    }

    /// A segment with its members, and those of all that it names, as far as columns tell: as many statements as its rules
    /// have conditions that columns cannot test.
    ///
    /// # Errors
    /// When the database fails.
    pub fn look_up<'a>(
        &'a mut self,
        tx: &'a ReadTx,
        scope: ReadScope,
        set: &'a Arc<SegmentSet>,
    ) -> BoxFuture<'a, Result<Arc<SegmentSet>>> {
        async move {
            let SetOf::Rule { rule, at, zone } = &set.of else {
                return Ok(Arc::clone(set));
            };
            let key = (set.id, *at);
            if let Some(known) = self.sets.get(&key).filter(|_| !set.id.is_nil()) {
                return Ok(Arc::clone(known));
            }
            let mut rule = rule.clone();
            self.named(tx, scope, &mut rule).await?;
            let mut found = SegmentSet {
                of: SetOf::Rule {
                    rule,
                    at: *at,
                    zone: *zone,
                },
                ..SegmentSet::clone(set)
            };
            let room = ROOM.saturating_sub(self.members);
            let members = rules::members(tx, scope, &found, room).await?;
            self.members += members.as_ref().map_or(0, |members| members.ids().len());
            found.members = members.map(Arc::new);
            let found = Arc::new(found);
            self.sets.insert(key, Arc::clone(&found));
            Ok(found)
        }
        .boxed()
    }
}
