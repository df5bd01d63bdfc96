//! Products: what is known of each, and the segments that follow from it.

use super::{ProductRules, ProductSegment};
use crate::domain::sales::Sums;
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

/// Sorts as members are listed: most units first, then most units of the previous period, ties by id.
pub fn sort_members(stats: &mut [ProductStats]) {
    stats.sort_by_key(|stats| {
        (
            std::cmp::Reverse(stats.sums.units),
            std::cmp::Reverse(stats.previous_units),
            stats.product_id,
        )
    });
}

/// The members of a segment as places in `stats`, which [`sort_members`] has sorted; `from` starts the range.
#[must_use]
pub fn product_members(
    segment: ProductSegment,
    stats: &[ProductStats],
    rules: &ProductRules,
    from: Instant,
) -> Vec<usize> {
    let pick = |keep: &dyn Fn(&ProductStats) -> bool| -> Vec<usize> {
        stats
            .iter()
            .enumerate()
            .filter(|(_, stats)| keep(stats))
            .map(|(place, _)| place)
            .collect()
    };
    let sold = |stats: &ProductStats| stats.sums.units >= rules.minimum_units;
    let enough =
        |stats: &ProductStats| stats.sums.units.max(stats.previous_units) >= rules.change_units;
    match segment {
        ProductSegment::BestSellers => pick(&sold).into_iter().take(rules.best_sellers).collect(),
        ProductSegment::Rising => pick(&|stats| {
            enough(stats)
                && stats.previous_units > 0
                && (stats.sums.units - stats.previous_units) * 100
                    >= stats.previous_units * rules.change_percent
        }),
        ProductSegment::Falling => pick(&|stats| {
            enough(stats)
                && stats.previous_units > 0
                && (stats.previous_units - stats.sums.units) * 100
                    >= stats.previous_units * rules.change_percent
        }),
        ProductSegment::New => {
            pick(&|stats| sold(stats) && stats.first_sold.is_some_and(|first| first >= from))
        }
        ProductSegment::Dormant => {
            pick(&|stats| stats.sums.units == 0 && stats.lifetime_units >= rules.minimum_units)
        }
        ProductSegment::Risky => pick(&|stats| {
            stats.processed >= rules.risky_processed
                && stats.approved * 100 < stats.processed * rules.risky_percent
        }),
        ProductSegment::Hot => pick(&|stats| sold(stats) && stats.is_hot),
        ProductSegment::Priority => pick(&|stats| stats.is_priority),
        ProductSegment::AbcA | ProductSegment::AbcB | ProductSegment::AbcC => {
            abc(segment, stats, rules)
        }
    }
}

/// ABC classes by units: a product belongs to A while the units of the products before it make less than 80 % of all.
fn abc(segment: ProductSegment, stats: &[ProductStats], rules: &ProductRules) -> Vec<usize> {
    let all: i64 = stats.iter().map(|stats| stats.sums.units).sum();
    let mut before = 0;
    let mut members = Vec::new();
    for (place, stats) in stats
        .iter()
        .enumerate()
        .filter(|(_, stats)| stats.sums.units > 0)
    {
        let class = if before * 100 < all * rules.abc_a_percent {
            ProductSegment::AbcA
        } else if before * 100 < all * rules.abc_b_percent {
            ProductSegment::AbcB
        } else {
            ProductSegment::AbcC
        };
        before += stats.sums.units;
        if class == segment {
            members.push(place);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

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
        sort_members(&mut stats);
        let rules = ProductRules::default();
        let of = |segment| product_members(segment, &stats, &rules, Instant::MIN);
        assert_eq!(of(ProductSegment::AbcA), [0]);
        assert_eq!(of(ProductSegment::AbcB), [1]);
        assert_eq!(of(ProductSegment::AbcC), [2]);
        assert_eq!(of(ProductSegment::Dormant), [3]);
    }

    #[test]
    fn rising_and_falling_need_half_and_ten_units() {
        let mut stats = vec![
            product(1, 15, 10),
            product(2, 14, 10),
            product(3, 9, 1),
            product(4, 5, 10),
            product(5, 20, 0),
        ];
        sort_members(&mut stats);
        let rules = ProductRules::default();
        let ids = |segment| -> Vec<u128> {
            let members = product_members(segment, &stats, &rules, Instant::MIN);
            members
                .iter()
                .map(|place| stats[*place].product_id.as_u128())
                .collect()
        };
        assert_eq!(ids(ProductSegment::Rising), [1]);
        assert_eq!(ids(ProductSegment::Falling), [4]);
    }
}
