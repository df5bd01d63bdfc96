//! Products: what is known of each, and the segments that follow from it.

use super::{ProductRules, ProductSegment};
use crate::domain::sales::{RankBy, Sums};
use crate::domain::time::Instant;
use uuid::Uuid;

/// What is known of a product for its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductStats {
    /// The product.
    pub product_id: Uuid,
    /// Sums in the range.
    pub sums: Sums,
    /// Units in the previous period.
    pub previous_units: i64,
    /// Counted units before the range's end, over all time.
    pub lifetime_units: i64,
    /// First counted sale ever (before the range's end).
    pub first_sold: Option<Instant>,
    /// Actions in the range that the advertiser has decided, whatever the decision.
    pub processed: i64,
    /// Those approved, stalled ones included.
    pub approved: i64,
    /// Hot product.
    pub is_hot: bool,
    /// On the priority list.
    pub is_priority: bool,
}

impl ProductStats {
    /// What products stand in order by, the least first: most of what they are ranked by, then most units, then most units
    /// of the previous period. Ties stand by id.
    #[must_use]
    pub fn order(&self, rank_by: RankBy) -> [i64; 3] {
        let ranked = self.sums.metric(rank_by);
        [-ranked, -self.sums.units, -self.previous_units]
    }
}

/// Sorts as members are listed: by [`ProductStats::order`], ties by id.
pub fn sort_members(stats: &mut Vec<ProductStats>, rank_by: RankBy) {
    // What is compared is small and lies together; the products themselves are moved once.
    let mut keys: Vec<_> = stats
        .iter()
        .zip(0_usize..)
        .map(|(stats, place)| (stats.order(rank_by), stats.product_id, place))
        .collect();
    keys.sort_unstable();
    let mut unsorted: Vec<Option<ProductStats>> = stats.drain(..).map(Some).collect();
    let sorted = keys
        .iter()
        .filter_map(|(.., place)| unsorted.get_mut(*place)?.take());
    stats.extend(sorted);
}

/// The members of each segment, in the order in which they are named, as places in `stats`, which [`sort_members`] has sorted
/// by what the rules rank by; `from` starts the range.
#[must_use]
pub fn product_members(
    segments: &[ProductSegment],
    stats: &[ProductStats],
    rules: &ProductRules,
    from: Instant,
) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); segments.len()];
    let mut abc = Abc::new(stats, rules);
    let mut sellers = 0;
    for (place, stats) in stats.iter().enumerate() {
        let class = abc.class(stats);
        let is_sold = stats.sums.units >= rules.minimum_units;
        let is_seller = is_sold && stats.sums.metric(rules.rank_by) > 0;
        sellers += usize::from(is_seller);
        for (segment, members) in segments.iter().zip(&mut members) {
            let is_member = match segment {
                ProductSegment::BestSellers => is_seller && sellers <= rules.best_sellers,
                ProductSegment::AbcA | ProductSegment::AbcB | ProductSegment::AbcC => {
                    class == Some(*segment)
                }
                _ => is_member(*segment, stats, rules, from),
            };
            if is_member {
                members.push(place);
            }
        }
    }
    members
}

/// What makes a product rise, fall or risky: the same for segments and for the reasons of targets.
impl ProductRules {
    /// Whether units that were sold are so many more than in the period before that the product rises.
    #[must_use]
    pub fn rises(&self, units: i64, previous: i64) -> bool {
        self.changes_by(units - previous, (units, previous))
    }

    /// Likewise so many less that it falls.
    #[must_use]
    pub fn falls(&self, units: i64, previous: i64) -> bool {
        self.changes_by(previous - units, (units, previous))
    }

    fn changes_by(&self, change: i64, (units, previous): (i64, i64)) -> bool {
        previous > 0
            && units.max(previous) >= self.change_units
            && change * 100 >= previous * self.change_percent
    }

    /// Whether so many actions were processed that their approval says something.
    #[must_use]
    pub fn is_enough(&self, processed: i64) -> bool {
        processed >= self.risky_processed
    }

    /// Whether of so many processed actions so few were approved that the product is risky.
    #[must_use]
    pub fn is_risky(&self, approved: i64, processed: i64) -> bool {
        self.is_enough(processed) && approved * 100 < processed * self.risky_percent
    }
}

/// Whether a product is in a segment that asks of no other product.
fn is_member(
    segment: ProductSegment,
    stats: &ProductStats,
    rules: &ProductRules,
    from: Instant,
) -> bool {
    let (units, previous) = (stats.sums.units, stats.previous_units);
    let is_sold = units >= rules.minimum_units;
    match segment {
        ProductSegment::Rising => rules.rises(units, previous),
        ProductSegment::Falling => rules.falls(units, previous),
        ProductSegment::New => is_sold && stats.first_sold.is_some_and(|first| first >= from),
        ProductSegment::Dormant => units == 0 && stats.lifetime_units >= rules.minimum_units,
        ProductSegment::Risky => rules.is_risky(stats.approved, stats.processed),
        ProductSegment::Hot => is_sold && stats.is_hot,
        ProductSegment::Priority => stats.is_priority,
        ProductSegment::BestSellers
        | ProductSegment::AbcA
        | ProductSegment::AbcB
        | ProductSegment::AbcC => false,
    }
}

/// ABC classes by units or an amount: a product belongs to A while the units of the products before it make less than 80 %
/// of all. Sums of amounts are wide: a hundred times them has to fit.
struct Abc {
    rank_by: RankBy,
    all: i128,
    before: i128,
    /// In percent, where A and B end.
    ends: (i64, i64),
}

impl Abc {
    fn new(stats: &[ProductStats], rules: &ProductRules) -> Self {
        Self {
            rank_by: rules.rank_by,
            all: stats.iter().map(|stats| share(stats, rules.rank_by)).sum(),
            before: 0,
            ends: (rules.abc_a_percent, rules.abc_b_percent),
        }
    }

    /// The class of the next product, the most first; none where nothing of it was sold.
    fn class(&mut self, stats: &ProductStats) -> Option<ProductSegment> {
        let share = share(stats, self.rank_by);
        if share == 0 {
            return None;
        }
        let is_before = |percent: i64| self.before * 100 < self.all * i128::from(percent);
        let class = if is_before(self.ends.0) {
            ProductSegment::AbcA
        } else if is_before(self.ends.1) {
            ProductSegment::AbcB
        } else {
            ProductSegment::AbcC
        };
        self.before += share;
        Some(class)
    }
}

/// What a product adds to the sum that ABC classes share; what is below nothing adds nothing.
fn share(stats: &ProductStats, rank_by: RankBy) -> i128 {
    i128::from(stats.sums.metric(rank_by).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;
    use crate::domain::sales::CurrencySums;

    fn product(id: u128, units: i64, previous_units: i64) -> ProductStats {
        ProductStats {
            product_id: Uuid::from_u128(id),
            sums: Sums {
                units,
                ..Sums::default()
            },
            previous_units,
            lifetime_units: units + previous_units,
            first_sold: None,
            processed: 0,
            approved: 0,
            is_hot: false,
            is_priority: false,
        }
    }

    #[test]
    fn abc_cuts_at_80_and_95_percent() {
        let mut stats = vec![
            product(1, 80, 0),
            product(2, 15, 0),
            product(3, 5, 0),
            product(4, 0, 3),
        ];
        let rules = ProductRules::default();
        sort_members(&mut stats, rules.rank_by);
        let of = |segment| product_members(&[segment], &stats, &rules, Instant::MIN).concat();
        assert_eq!(of(ProductSegment::AbcA), [0]);
        assert_eq!(of(ProductSegment::AbcB), [1]);
        assert_eq!(of(ProductSegment::AbcC), [2]);
        assert_eq!(of(ProductSegment::Dormant), [3]);
    }

    /// So many units that were worth so much each.
    fn priced(id: u128, units: i64, each_e4: i64, currency: Currency) -> ProductStats {
        let mut priced = product(id, units, 0);
        priced.sums.add_money(CurrencySums {
            currency,
            order_amount_e4: units * each_e4,
            reward_e4: units * 10,
        });
        priced
    }

    /// The ids of the members of a segment.
    fn ids(
        segment: ProductSegment,
        mut stats: Vec<ProductStats>,
        rules: &ProductRules,
    ) -> Vec<u128> {
        sort_members(&mut stats, rules.rank_by);
        let members = product_members(&[segment], &stats, rules, Instant::MIN).concat();
        members
            .iter()
            .map(|place| stats[*place].product_id.as_u128())
            .collect()
    }

    #[test]
    fn few_dear_phones_are_a_by_amount_and_many_cheap_cases_by_units() {
        let rub = Currency::parse("RUB").unwrap();
        let stats = [
            // 81 cases at 1 USD, 10 phones at 500 USD, and what was sold in another currency or for nothing.
            priced(1, 81, 10_000, Currency::USD),
            priced(2, 10, 5_000_000, Currency::USD),
            priced(3, 5, 90_000_000, rub),
            product(4, 4, 0),
        ];
        let rules = |rank_by| ProductRules {
            rank_by,
            best_sellers: 1,
            ..ProductRules::default()
        };
        let of = |segment, rank_by| ids(segment, stats.to_vec(), &rules(rank_by));
        let usd = RankBy::OrderAmount(Currency::USD);
        assert_eq!(of(ProductSegment::AbcA, RankBy::Units), [1]);
        assert_eq!(of(ProductSegment::AbcB, RankBy::Units), [2, 3]);
        assert_eq!(of(ProductSegment::AbcC, RankBy::Units), [4]);
        assert_eq!(of(ProductSegment::BestSellers, RankBy::Units), [1]);
        assert_eq!(of(ProductSegment::AbcA, usd), [2]);
        assert_eq!(of(ProductSegment::AbcB, usd), [0; 0]);
        assert_eq!(of(ProductSegment::AbcC, usd), [1]);
        assert_eq!(of(ProductSegment::BestSellers, usd), [2]);
        assert_eq!(of(ProductSegment::AbcA, RankBy::OrderAmount(rub)), [3]);
        let reward = RankBy::Reward(Currency::USD);
        assert_eq!(of(ProductSegment::AbcA, reward), [1]);
    }

    #[test]
    fn equal_amounts_stand_by_units_and_then_by_id() {
        let mut stats = vec![
            priced(3, 2, 50_000, Currency::USD),
            priced(2, 1, 100_000, Currency::USD),
            priced(1, 1, 100_000, Currency::USD),
        ];
        let rules = ProductRules {
            rank_by: RankBy::OrderAmount(Currency::USD),
            best_sellers: 2,
            ..ProductRules::default()
        };
        let of = |stats: &[ProductStats]| ids(ProductSegment::BestSellers, stats.to_vec(), &rules);
        assert_eq!(of(&stats), [3, 1]);
        // No sum of amounts is too large to be shared.
        for stats in &mut stats {
            stats.sums.money[0].order_amount_e4 = i64::MAX / 4;
        }
        assert_eq!(of(&stats), [3, 1]);
        assert_eq!(ids(ProductSegment::AbcA, stats, &rules), [3, 1, 2]);
    }

    #[test]
    fn rising_and_falling_need_half_and_ten_units() {
        let stats = [
            product(1, 15, 10),
            product(2, 14, 10),
            product(3, 9, 1),
            product(4, 5, 10),
            product(5, 20, 0),
        ];
        let of = |segment| ids(segment, stats.to_vec(), &ProductRules::default());
        assert_eq!(of(ProductSegment::Rising), [1]);
        assert_eq!(of(ProductSegment::Falling), [4]);
    }
}
