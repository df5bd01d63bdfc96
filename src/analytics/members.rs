//! The members of segments that people make, looked up before a question names them, where columns in memory tell them: then
//! SQL gets a list, columns ask it, and nobody reads the facts for the rule again.

use crate::domain::error::Result;
use crate::domain::rule::{Named, Refers, SegmentSet, SetOf};
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;
use crate::store::ReadTx;
use crate::store::columns::rules::{self, Answers};
use futures::future::{BoxFuture, FutureExt as _};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// How many members a request keeps: 32 MiB of ids. The rules of what goes beyond are left to SQL.
const ROOM: usize = 2_000_000;

/// What somebody wants to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// How many members it has: none of them is kept for it.
    Size,
    /// Who they are.
    Members,
}

impl Want {
    fn is_met_by(self, known: &SegmentSet) -> bool {
        self == Self::Size || known.members.is_some()
    }
}

/// Segments that a request looked up, by their ids and moments.
#[derive(Debug, Default)]
pub struct LookedUp {
    sets: HashMap<(Uuid, Instant), Arc<SegmentSet>>,
    members: usize,
    answers: Answers,
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
            *set = self.look_up(tx, scope, set, Want::Members).await?;
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

    /// A segment with its size or its members, and with the members of all that it names, as far as columns tell. As many
    /// statements as its rules have conditions that columns cannot test, whatever the number of moments; a rule that would
    /// need more at a further moment is left to SQL there.
    ///
    /// # Errors
    /// When the database fails.
    pub fn look_up<'a>(
        &'a mut self,
        tx: &'a ReadTx,
        scope: ReadScope,
        set: &'a Arc<SegmentSet>,
        want: Want,
    ) -> BoxFuture<'a, Result<Arc<SegmentSet>>> {
        async move {
            let SetOf::Rule { rule, at, zone } = &set.of else {
                return Ok(Arc::clone(set));
            };
            let key = (set.id, *at);
            let known = self.sets.get(&key).filter(|_| !set.id.is_nil()).cloned();
            let mut found = match known {
                Some(known) if known.size.is_none() || want.is_met_by(&known) => return Ok(known),
                Some(known) if !self.has_room_for(&known) => {
                    tx.note_left();
                    return Ok(known);
                }
                Some(known) => SegmentSet::clone(&known),
                None => {
                    let mut rule = rule.clone();
                    self.named(tx, scope, &mut rule).await?;
                    SegmentSet {
                        of: SetOf::Rule {
                            rule,
                            at: *at,
                            zone: *zone,
                        },
                        ..SegmentSet::clone(set)
                    }
                }
            };
            let room = self.room();
            let most = (want == Want::Members).then_some(room);
            let told = rules::tell(tx, scope, &found, most, &self.answers).await?;
            if let Some(told) = told {
                found.size = i64::try_from(told.size).ok();
                self.members += told.members.as_ref().map_or(0, |all| all.ids().len());
                found.members = told.members.map(Arc::new);
            }
            let found = Arc::new(found);
            self.sets.insert(key, Arc::clone(&found));
            Ok(found)
        }
        .boxed()
    }

    /// How many members there is room for.
    fn room(&self) -> usize {
        ROOM.saturating_sub(self.members)
    }

    /// Whether the members of a segment whose size is known can be kept.
    fn has_room_for(&self, known: &SegmentSet) -> bool {
        let size = known.size.and_then(|size| usize::try_from(size).ok());
        size.is_some_and(|size| size <= self.room())
    }
}
