//! Movement: which RFM segment each user was in at two dates.

use super::UserSegment;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A user at two dates, by the places in the lists of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mover {
    /// The user.
    pub user_id: Uuid,
    /// Its place among the users of the earlier date; none for who did nothing in that window.
    pub before: Option<usize>,
    /// Likewise of the later date.
    pub after: Option<usize>,
}

/// A segment at each of two dates; none for who was not scored then.
pub type Step = (Option<UserSegment>, Option<UserSegment>);

/// Who went where: all users that are scored at one of two dates at least, by their step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movement(pub BTreeMap<Step, Vec<Mover>>);

/// Compares two dates, each with its users and their segments in the order of members. Movers come in the order of the
/// later date, those that left behind them in the order of the earlier.
#[must_use]
pub fn movement(
    before: &[(Uuid, Option<UserSegment>)],
    after: &[(Uuid, Option<UserSegment>)],
) -> Movement {
    let mut earlier: HashMap<Uuid, usize> = HashMap::with_capacity(before.len());
    for (place, (user_id, _)) in before.iter().enumerate() {
        earlier.insert(*user_id, place);
    }
    let mut moved = Movement::default();
    for (place, (user_id, to)) in after.iter().enumerate() {
        let was = earlier.remove(user_id);
        let from = was
            .and_then(|was| before.get(was))
            .and_then(|(_, from)| *from);
        let mover = Mover {
            user_id: *user_id,
            before: was,
            after: Some(place),
        };
        moved.add((from, *to), mover);
    }
    for (place, (user_id, from)) in before.iter().enumerate() {
        if earlier.contains_key(user_id) {
            let mover = Mover {
                user_id: *user_id,
                before: Some(place),
                after: None,
            };
            moved.add((*from, None), mover);
        }
    }
    moved
}

impl Movement {
    fn add(&mut self, step: Step, mover: Mover) {
        if step != (None, None) {
            self.0.entry(step).or_default().push(mover);
        }
    }

    /// How many users took steps that `wanted` names.
    #[must_use]
    pub fn count(&self, wanted: impl Fn(Step) -> bool) -> i64 {
        let cells = self.0.iter().filter(|(step, _)| wanted(**step));
        let sizes = cells.map(|(_, movers)| i64::try_from(movers.len()).unwrap_or(i64::MAX));
        sizes.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_scored_at_one_date_takes_one_step() {
        let user = Uuid::from_u128;
        let champion = Some(UserSegment::Champions);
        let sleeper = Some(UserSegment::Hibernating);
        let before = [
            (user(1), champion),
            (user(2), sleeper),
            (user(3), None),
            (user(4), sleeper),
        ];
        let after = [
            (user(4), champion),
            (user(1), champion),
            (user(5), None),
            (user(3), sleeper),
        ];
        let moved = movement(&before, &after);
        let ids = |step: Step| -> Vec<u128> {
            let movers = moved.0.get(&step).into_iter().flatten();
            movers.map(|mover| mover.user_id.as_u128()).collect()
        };
        assert_eq!(ids((champion, champion)), [1]);
        assert_eq!(ids((sleeper, champion)), [4]);
        assert_eq!(ids((sleeper, None)), [2]);
        assert_eq!(ids((None, sleeper)), [3]);
        assert_eq!(moved.0.len(), 4, "who was never scored took no step");
        assert_eq!(moved.count(|(from, _)| from.is_none()), 1);
    }
}
