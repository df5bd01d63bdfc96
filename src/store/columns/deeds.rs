//! What the members of segments did in stretches of time, from columns: the same as `store::segment_metrics` sums up by SQL.

use super::super::segment_metrics::Done;
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::crowds::{Crowd, crowds, named};
use super::marks::Marks;
use super::matching::Matching;
use super::sales::Tally;
use crate::domain::error::{Error, Result};
use crate::domain::filter::Filter;
use crate::domain::rule::{SegmentSet, Subject};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the members of each set did in its stretch of time, declined actions left out; nothing of those that are left to
/// SQL. As many statements as it takes to tell who is in them, none of those whose members were looked up.
///
/// # Errors
/// When the database fails.
pub async fn done(
    tx: &ReadTx,
    scope: ReadScope,
    asked: &[(Arc<SegmentSet>, Span)],
) -> Result<Vec<Option<Done>>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let Some(matching) = Matching::of(tx, scope, &Filter::default(), true).await? else {
        return Ok(vec![None; asked.len()]);
    };
    let crowds = crowds(tx, scope, &matching.snapshot, asked).await?;
    let asked = asked.iter().zip(crowds);
    let asked: Vec<Option<Asked>> = asked
        .map(|((set, span), crowd)| {
            Some(Asked {
                crowd: crowd?,
                subject: set.subject,
                span: *span,
            })
        })
        .collect();
    let summed = tokio::task::spawn_blocking(move || sum(&matching, &asked));
    summed.await.map_err(Error::internal)
}

/// Who is asked about, and when.
struct Asked {
    crowd: Crowd,
    subject: Subject,
    span: Span,
}

/// A set whose members are looked for among the actions of its stretch of time.
struct Watched {
    /// Its place among all.
    place: usize,
    subject: Subject,
    members: Arc<Marks>,
    /// The users who did something.
    users: Marks,
}

impl Watched {
    fn see(&mut self, chunk: &Chunk, place: usize, tally: &mut Tally) {
        let user = chunk.user(place);
        // 0 is nobody, whatever the marks say of it.
        let is_member = |number: usize| number > 0 && self.members.has(number);
        let has_done = match self.subject {
            Subject::Users => {
                let is_one = is_member(user);
                if is_one {
                    tally.add_action(chunk, place, self.place);
                }
                is_one
            }
            Subject::Products => {
                let mut is_first = true;
                for item in chunk.items(place) {
                    if is_member(chunk.product(item)) {
                        tally.add_item(chunk, (place, item), self.place, is_first);
                        is_first = false;
                    }
                }
                !is_first
            }
        };
        if has_done && user > 0 {
            self.users.put(user);
        }
    }
}

/// Sums up each stretch of time once, for all sets that are asked about in it: those of a trend follow each other, so that all
/// of it is one pass over the facts.
fn sum(matching: &Matching, asked: &[Option<Asked>]) -> Vec<Option<Done>> {
    let (currencies, mut tally, users) = {
        let names = matching.snapshot.names();
        let tally = Tally::new(asked.len(), names.currencies.room());
        (names.currencies_in_order(), tally, names.users.room())
    };
    let mut by_span: BTreeMap<(i64, i64), Vec<(usize, &Asked)>> = BTreeMap::new();
    for (place, asked) in asked.iter().enumerate() {
        if let Some(asked) = asked {
            let span = (asked.span.from.micros(), asked.span.to.micros());
            by_span.entry(span).or_default().push((place, asked));
        }
    }
    let mut all: Vec<Option<Done>> = vec![None; asked.len()];
    for ((from, to), sets) in by_span {
        let mut watched: Vec<Watched> = {
            let names = matching.snapshot.names();
            let sets = sets.into_iter().map(|(place, asked)| Watched {
                place,
                subject: asked.subject,
                members: asked.crowd.marks(named(asked.subject, names)),
                users: Marks::none(users),
            });
            sets.collect()
        };
        matching.each_counted(from, to, |chunk, place| {
            for set in &mut watched {
                set.see(chunk, place, &mut tally);
            }
        });
        for set in watched {
            if let Some(done) = all.get_mut(set.place) {
                *done = Some(Done {
                    users: i64::try_from(set.users.count()).unwrap_or(i64::MAX),
                    sums: tally.sums(set.place, &currencies),
                });
            }
        }
    }
    all
}
