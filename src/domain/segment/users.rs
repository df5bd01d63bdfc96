//! Users: what is known of each, their scores, and the segments that follow from these.

use super::{Cuts, HighValue, Scoring, UserRules, UserSegment};
use crate::domain::sales::Sums;
use crate::domain::time::{DAY_US, Instant};
use std::cmp::Reverse;
use std::sync::Arc;
use uuid::Uuid;

/// What is known of a user for its segments: only users with a counted action in the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStats {
    /// The user.
    pub user_id: Uuid,
    /// Sums of the counted actions in the range.
    pub sums: Sums,
    /// First counted action ever.
    pub first_at: Instant,
    /// Last counted action in the range.
    pub last_at: Instant,
    /// Click country of that action.
    pub country: Option<Arc<str>>,
    /// Device class of that action.
    pub device: Option<Arc<str>>,
}

/// A user's RFM scores, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfm {
    /// Recency: 5 for the most recent.
    pub recency: u8,
    /// Frequency: 5 for the most actions.
    pub frequency: u8,
    /// Monetary: 5 for the largest order amount in the currency.
    pub monetary: u8,
}

impl Rfm {
    /// The segment of the scores; the ten cells cover every pair once.
    #[must_use]
    pub fn segment(self) -> UserSegment {
        match (self.recency, self.frequency) {
            (5.., 4..) => UserSegment::Champions,
            (5.., 2..) => UserSegment::PotentialLoyalists,
            (5.., _) => UserSegment::NewCustomers,
            (4, 4..) => UserSegment::LoyalCustomers,
            (4, 2..) => UserSegment::PotentialLoyalists,
            (4, _) => UserSegment::Promising,
            (3, 4..) => UserSegment::LoyalCustomers,
            (3, 3) => UserSegment::NeedAttention,
            (3, _) => UserSegment::AboutToSleep,
            (_, 5..) => UserSegment::CantLoseThem,
            (_, 3..) => UserSegment::AtRisk,
            _ => UserSegment::Hibernating,
        }
    }
}

/// What users are sorted by as members are listed: most actions first, then the latest, ties by id.
fn place_among_members(user: &UserStats) -> (Reverse<i64>, Reverse<Instant>, Uuid) {
    let actions = Reverse(user.sums.actions);
    (actions, Reverse(user.last_at), user.user_id)
}

/// Sorts as members are listed: most actions first, then the latest, ties by id.
pub fn sort_users(users: &mut [UserStats]) {
    // Keys are sorted apart from what they belong to, which is large.
    users.sort_by_cached_key(place_among_members);
}

/// Some users, named by their places, in the order of members.
#[must_use]
pub fn in_members_order(places: &[usize], users: &[UserStats]) -> Vec<usize> {
    let known = places.iter().filter_map(|place| {
        let user = users.get(*place)?;
        Some((place_among_members(user), *place))
    });
    let mut sorted: Vec<_> = known.collect();
    sorted.sort_unstable();
    sorted.into_iter().map(|(_, place)| place).collect()
}

/// The value that `percent` of all values (at least) are not above: the nearest-rank percentile. 0 without values. Values
/// come back in another order.
fn nearest_rank(values: &mut [i64], percent: i64) -> i64 {
    let percent = usize::try_from(percent).unwrap_or(0);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    if rank > values.len() {
        return 0;
    }
    // Sorting all of them would take ten times as long.
    *values.select_nth_unstable(rank - 1).1
}

/// Scores of values by their cuts: 1 plus the number of cuts that a value is above, so equal values get equal scores.
fn by_percentiles(values: &[i64], percents: Cuts) -> Vec<u8> {
    let mut moved = values.to_vec();
    let cuts = percents.map(|percent| nearest_rank(&mut moved, percent));
    let score = |value: &i64| cuts.iter().filter(|cut| value > cut).count();
    values.iter().map(|value| as_score(score(value))).collect()
}

/// A score from the number of steps above the lowest.
fn as_score(steps: usize) -> u8 {
    u8::try_from(steps + 1).unwrap_or(u8::MAX)
}

/// Whether there are enough users with the minimum of actions to compare them with each other.
#[must_use]
pub fn can_compare(users: &[UserStats], rules: &UserRules) -> bool {
    let scored = users
        .iter()
        .filter(|user| user.sums.actions >= rules.minimum_actions);
    i64::try_from(scored.count()).is_ok_and(|scored| scored >= rules.minimum_users)
}

/// The scores of each user, in their order; none for those below the minimum of actions, and at percentiles for nobody where
/// there are too few users to be compared. Recency is measured by the last
/// action (later is better) from `to`, the range's end; frequency by actions; monetary by the amount in the one currency.
#[must_use]
pub fn rfm_scores(users: &[UserStats], rules: &UserRules, to: Instant) -> Vec<Option<Rfm>> {
    if matches!(rules.scoring, Scoring::Percentiles(_)) && !can_compare(users, rules) {
        return vec![None; users.len()];
    }
    let is_scored = |user: &&UserStats| user.sums.actions >= rules.minimum_actions;
    let (mut last, mut actions, mut amounts) = (
        Vec::with_capacity(users.len()),
        Vec::with_capacity(users.len()),
        Vec::with_capacity(users.len()),
    );
    for user in users.iter().filter(is_scored) {
        last.push(user.last_at.micros());
        actions.push(user.sums.actions);
        amounts.push(user.sums.metric(rules.metric()));
    }
    let (recency, frequency, monetary) = match rules.scoring {
        Scoring::Percentiles(percents) => (
            by_percentiles(&last, percents),
            by_percentiles(&actions, percents),
            by_percentiles(&amounts, percents),
        ),
        Scoring::Thresholds(fixed) => {
            let reached = |values: &[i64], least: Cuts| -> Vec<u8> {
                let steps = |value: &i64| least.iter().filter(|least| value >= least).count();
                values.iter().map(|value| as_score(steps(value))).collect()
            };
            let since = |days: i64| to.micros().saturating_sub(days.saturating_mul(DAY_US));
            (
                reached(&last, fixed.recency_days.map(since)),
                reached(&actions, fixed.actions),
                reached(&amounts, fixed.amounts_e4),
            )
        }
    };
    let mut scores =
        recency
            .into_iter()
            .zip(frequency)
            .zip(monetary)
            .map(|((recency, frequency), monetary)| Rfm {
                recency,
                frequency,
                monetary,
            });
    users
        .iter()
        .map(|user| is_scored(&user).then(|| scores.next()).flatten())
        .collect()
}

/// Which users are of high value, in their order: of those with the minimum of actions, the top percent by amount, with
/// all that equal the last of them, or those with a fixed amount. Who has no amount is not, and in the top percent nobody is
/// where there are too few users to be compared.
#[must_use]
pub fn high_value(users: &[UserStats], rules: &UserRules) -> Vec<bool> {
    let is_scored = |user: &&UserStats| user.sums.actions >= rules.minimum_actions;
    let (metric, least) = match rules.high_value {
        HighValue::TopPercent(_) if !can_compare(users, rules) => return vec![false; users.len()],
        HighValue::TopPercent(percent) => {
            let metric = rules.metric();
            let scored = users.iter().filter(is_scored);
            let mut amounts: Vec<i64> = scored.map(|user| -user.sums.metric(metric)).collect();
            (metric, -nearest_rank(&mut amounts, percent))
        }
        HighValue::Amount { e4, currency } => (rules.monetary.rank(currency), e4),
    };
    users
        .iter()
        .map(|user| is_scored(&user) && user.sums.metric(metric) >= least.max(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Thresholds;
    use super::*;
    use crate::domain::money::Currency;
    use crate::domain::sales::CurrencySums;

    #[test]
    fn the_ten_cells_cover_every_pair_once() {
        let mut seen = std::collections::BTreeMap::new();
        for recency in 1..=5 {
            for frequency in 1..=5 {
                *seen
                    .entry(
                        Rfm {
                            recency,
                            frequency,
                            monetary: 1,
                        }
                        .segment(),
                    )
                    .or_insert(0) += 1;
            }
        }
        let cells: Vec<i32> = seen.values().copied().collect();
        assert_eq!(seen.len(), 10);
        // champions 2, loyal 4, potential 4, new 1, promising 1, attention 1, sleep 2, can't lose 2, at risk 4, rest 4
        assert_eq!(cells, [2, 4, 4, 1, 1, 1, 2, 2, 4, 4]);
    }

    #[test]
    fn equal_values_get_equal_scores() {
        let scores = by_percentiles(&[1, 2, 1, 1, 1, 9, 1, 1, 1, 3], [20, 40, 60, 80]);
        assert_eq!(scores, [1, 4, 1, 1, 1, 5, 1, 1, 1, 5]);
    }

    fn user(id: u128, actions: i64, last: i64, amount_e4: i64) -> UserStats {
        let mut sums = Sums {
            actions,
            ..Sums::default()
        };
        sums.add_money(CurrencySums {
            currency: Currency::USD,
            order_amount_e4: amount_e4,
            reward_e4: 1,
        });
        UserStats {
            user_id: Uuid::from_u128(id),
            sums,
            first_at: Instant::MIN,
            last_at: Instant::nearest(last),
            country: None,
            device: None,
        }
    }

    #[test]
    fn thresholds_include_their_ends() {
        let to = Instant::nearest(100 * DAY_US);
        let rules = UserRules {
            scoring: Scoring::Thresholds(Thresholds {
                recency_days: [7, 30, 60, 90],
                actions: [2, 3, 5, 10],
                amounts_e4: [10, 20, 30, 40],
                currency: Currency::USD,
            }),
            ..UserRules::of(Currency::USD)
        };
        let users = [
            user(1, 1, 93 * DAY_US, 9),
            user(2, 2, 93 * DAY_US - 1, 10),
            user(3, 9, 10 * DAY_US, 39),
            user(4, 10, 10 * DAY_US - 1, 40),
        ];
        let scores: Vec<(u8, u8, u8)> = rfm_scores(&users, &rules, to)
            .into_iter()
            .flatten()
            .map(|rfm| (rfm.recency, rfm.frequency, rfm.monetary))
            .collect();
        assert_eq!(scores, [(5, 1, 1), (4, 2, 2), (2, 4, 4), (1, 5, 5)]);
    }

    #[test]
    fn who_acts_too_little_has_no_score_and_moves_no_cut() {
        let rules = UserRules {
            minimum_actions: 2,
            minimum_users: 3,
            high_value: HighValue::TopPercent(50),
            ..UserRules::of(Currency::USD)
        };
        let users = [
            user(1, 1, 5, 100),
            user(2, 2, 1, 7),
            user(3, 3, 2, 7),
            user(4, 2, 3, 0),
        ];
        let scores = rfm_scores(&users, &rules, Instant::MAX);
        assert_eq!(scores.iter().flatten().count(), 3);
        assert_eq!(scores.first(), Some(&None));
        // The last of the top half has 7, and so has the other.
        assert_eq!(high_value(&users, &rules), [false, true, true, false]);
        let fixed = UserRules {
            high_value: HighValue::Amount {
                e4: 8,
                currency: Currency::USD,
            },
            ..UserRules::of(Currency::USD)
        };
        assert_eq!(high_value(&users, &fixed), [true, false, false, false]);
        // Those who act too little do not make enough of them.
        let four = UserRules {
            minimum_users: 4,
            ..rules
        };
        assert_eq!(rfm_scores(&users, &four, Instant::MAX), [None; 4]);
        assert_eq!(high_value(&users, &four), [false; 4]);
    }

    #[test]
    fn fewer_than_five_are_not_compared_but_reach_fixed_values() {
        let rules = UserRules::of(Currency::USD);
        let five: Vec<UserStats> = (1..=5)
            .map(|n| user(n.try_into().unwrap(), n, n, n))
            .collect();
        let scored = |users: &[UserStats], rules: &UserRules| {
            let scores = rfm_scores(users, rules, Instant::nearest(6));
            scores.iter().flatten().count()
        };
        for few in 0..5 {
            assert_eq!(scored(&five[..few], &rules), 0);
            assert_eq!(high_value(&five[..few], &rules), vec![false; few]);
            let any = UserRules {
                minimum_users: 1,
                ..rules
            };
            assert_eq!(scored(&five[..few], &any), few);
            let fixed = UserRules {
                scoring: Scoring::Thresholds(Thresholds {
                    recency_days: [7, 30, 60, 90],
                    actions: [2, 3, 5, 10],
                    amounts_e4: [10, 20, 30, 40],
                    currency: Currency::USD,
                }),
                ..rules
            };
            assert_eq!(scored(&five[..few], &fixed), few);
        }
        let scores = rfm_scores(&five, &rules, Instant::nearest(6));
        let recency: Vec<u8> = scores.iter().flatten().map(|score| score.recency).collect();
        assert_eq!(recency, [1, 2, 3, 4, 5]);
        assert_eq!(
            high_value(&five, &rules),
            [false, false, false, false, true]
        );
    }
}
