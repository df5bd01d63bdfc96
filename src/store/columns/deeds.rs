//! What the members of segments did in stretches of time, from columns: the same as `store::segment_metrics` sums up by SQL.

use super::super::segment_metrics::Done;
use super::super::tx::ReadTx;
use super::chunk::Chunk;
use super::crowds::{Crowd, Crowds, named};
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
    let matching = Arc::new(matching);
    let sets = asked.iter().map(|(set, _)| set.as_ref());
    let crowds = Crowds::of(tx, scope, &matching.snapshot, sets).await?;
    let mut by_span: BTreeMap<(i64, i64), (Span, Vec<usize>)> = BTreeMap::new();
    for (place, (_, span)) in asked.iter().enumerate() {
        let key = (span.from.micros(), span.to.micros());
        by_span
            .entry(key)
            .or_insert((*span, Vec::new()))
            .1
            .push(place);
    }
    let mut all: Vec<Option<Done>> = vec![None; asked.len()];
    // Each stretch of time by itself: who is in the sets then is forgotten before it is told of the next.
    for (span, places) in by_span.into_values() {
        let sets = places
            .iter()
            .filter_map(|place| Some(Arc::clone(&asked.get(*place)?.0)));
        let sets: Vec<Arc<SegmentSet>> = sets.collect();
        let told = crowds.tell(&sets, span).await?;
        let told = told.into_iter().zip(&sets).zip(places);
        let told: Vec<Asked> = told
            .filter_map(|((crowd, set), place)| {
                Some(Asked {
                    place,
                    crowd: crowd?,
                    subject: set.subject,
                })
            })
            .collect();
        if told.is_empty() {
            continue;
        }
        let matching = Arc::clone(&matching);
        let summed = tokio::task::spawn_blocking(move || sum(&matching, span, &told));
        for (place, done) in summed.await.map_err(Error::internal)? {
            if let Some(own) = all.get_mut(place) {
                *own = Some(done);
            }
        }
    }
    Ok(all)
}

/// Who is asked about.
struct Asked {
    /// The set's place among all.
    place: usize,
    crowd: Crowd,
    subject: Subject,
}

/// A set whose members are looked for among the actions of its stretch of time.
struct Watched {
    /// Its place among those of its stretch of time.
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

/// Sums up a stretch of time once, for all sets that are asked about in it, with their places: the stretches of a trend follow
/// each other, so that all of it is one pass over the facts.
fn sum(matching: &Matching, span: Span, asked: &[Asked]) -> Vec<(usize, Done)> {
    let names = matching.snapshot.names();
    let mut tally = Tally::new(asked.len(), names.currencies.room());
    let sets = asked.iter().enumerate().map(|(place, asked)| Watched {
        place,
        subject: asked.subject,
        members: asked.crowd.marks(named(asked.subject, names)),
        users: Marks::none(names.users.room()),
    });
    let mut watched: Vec<Watched> = sets.collect();
    matching.each_counted(span.from.micros(), span.to.micros(), |chunk, place| {
        for set in &mut watched {
            set.see(chunk, place, &mut tally);
        }
    });
    let currencies = names.currencies_in_order();
    let done = watched.iter().zip(asked).map(|(set, asked)| {
        let done = Done {
            users: i64::try_from(set.users.count()).unwrap_or(i64::MAX),
            sums: tally.sums(set.place, &currencies),
        };
        (asked.place, done)
    });
    done.collect()
}
