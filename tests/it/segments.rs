//! Segments of products and users have the members that their definitions name, computed here from the definitions
//! alone: one product, one user, one rule at a time.

use crate::support::check::{check, seed};
use crate::support::drafts::{Shape, currency};
use crate::support::naive::{self, Tally};
use crate::support::queries::{self, Pools};
use crate::support::world::{Facts, Reads, World, runtime};
use actiongraph::analytics::segments;
use actiongraph::domain::money::Currency;
use actiongraph::domain::sales::{AxisRange, DateAxis, FactQuery, RankBy, SalesRow, Sums};
use actiongraph::domain::segment::{
    Cuts, HighValue, MonetaryMetric, ProductRules, ProductSegment, Scoring, Thresholds, UserRules,
    UserSegment,
};
use actiongraph::domain::time::{Instant, Span, Zone};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::runtime::Runtime;
use uuid::Uuid;

const SHAPE: Shape = Shape {
    drafts: 280,
    actions: 240,
    wild: true,
};

type Action = entity::action::Model;

fn setting(reads: Reads) -> (Runtime, World, Facts, Pools) {
    let runtime = runtime();
    let (world, facts) = runtime.block_on(async {
        let world = World::rich(seed() + 6, SHAPE).await;
        let facts = world.facts(0).await;
        let hot: Vec<Uuid> = facts.products.keys().copied().step_by(3).collect();
        let mut priority: Vec<Uuid> = facts.products.keys().copied().step_by(4).collect();
        // A product of the priority list that nobody ever bought.
        priority.extend(facts.products.keys().copied().find(|id| {
            let carts = facts.actions.keys().flat_map(|action| facts.cart(*action));
            carts.into_iter().all(|item| item.product_id != Some(*id))
        }));
        world.mark_products(0, "is_hot", &hot).await;
        world.mark_products(0, "is_priority", &priority).await;
        for (place, device) in ["mobile", "desktop"].into_iter().enumerate() {
            let ids: Vec<Uuid> = facts
                .actions
                .keys()
                .copied()
                .skip(place)
                .step_by(4)
                .collect();
            world.mark_devices(0, device, &ids).await;
        }
        let facts = world.facts(0).await;
        let world = match reads {
            Reads::Database => world,
            Reads::Columns => world.in_columns().await,
        };
        (world, facts)
    });
    let pools = Pools::of(&facts);
    (runtime, world, facts, pools)
}

fn facts_query(pools: &Pools) -> BoxedStrategy<FactQuery> {
    let range = prop_oneof![5 => queries::wide_range(), 1 => queries::range()];
    let filter = weighted(0.25, queries::action_filter(pools));
    (range, filter)
        .prop_map(|(range, filter)| FactQuery::counted(range, filter.unwrap_or_default()))
        .boxed()
}

/// The default rules, and ones that small data gets more members from.
fn rules() -> BoxedStrategy<ProductRules> {
    let small = (
        1usize..6,
        10i64..90,
        1i64..12,
        1i64..6,
        20i64..90,
        (10i64..60, 60i64..99, 1i64..4, rankings()),
    );
    let small = small.prop_map(
        |(sellers, percent, units, processed, risky, (a, b, least, rank_by))| ProductRules {
            rank_by,
            best_sellers: sellers,
            minimum_units: least,
            change_percent: percent,
            change_units: units,
            risky_processed: processed,
            risky_percent: risky,
            abc_a_percent: a,
            abc_b_percent: b,
            ..ProductRules::default()
        },
    );
    prop_oneof![1 => Just(ProductRules::default()), 2 => small].boxed()
}

/// What products can be ranked by; nothing was sold in BRL.
fn rankings() -> BoxedStrategy<RankBy> {
    let code = || select(vec!["USD", "RUB", "BRL"]).prop_map(currency);
    prop_oneof![
        1 => Just(RankBy::Units),
        1 => code().prop_map(RankBy::OrderAmount),
        1 => code().prop_map(RankBy::Reward),
    ]
    .boxed()
}

/// The period before, of equal length; empty at the beginning of time.
fn before(span: Span) -> Span {
    let length = span.to.micros() - span.from.micros();
    let from = Instant::from_micros((span.from.micros() - length).max(0)).unwrap();
    Span {
        from,
        to: span.from,
    }
}

/// All that the definitions look at of one product.
#[derive(Default)]
struct Seen {
    range: Tally,
    previous: Tally,
    ever: Tally,
    first: Option<i64>,
    processed: BTreeSet<Uuid>,
    approved: BTreeSet<Uuid>,
}

fn products_seen(facts: &Facts, query: &FactQuery, previous: Span) -> BTreeMap<Uuid, Seen> {
    let mut seen: BTreeMap<Uuid, Seen> = BTreeMap::new();
    let to_end = query.range.with_span(Span {
        from: Instant::MIN,
        to: query.range.span.to,
    });
    for action in facts.actions.values() {
        if !naive::in_range(action, &to_end) || !naive::matches(facts, action, &query.filter) {
            continue;
        }
        let counts = naive::counts(facts, action, query);
        let within = naive::in_range(action, &query.range);
        for item in facts.cart(action.id) {
            let Some(product) = item.product_id else {
                continue;
            };
            let seen = seen.entry(product).or_default();
            if within {
                let decided = ["APPROVED", "APPROVED_BUT_STALLED", "DECLINED"];
                if decided.contains(&action.status.as_str()) {
                    seen.processed.insert(action.id);
                }
                if decided[..2].contains(&action.status.as_str()) {
                    seen.approved.insert(action.id);
                }
            }
            if !counts {
                continue;
            }
            seen.ever.item(action, item);
            let at = naive::axis_value(action, query.range.axis, query.range.zone).unwrap();
            seen.first = Some(seen.first.map_or(at, |first| first.min(at)));
            if within {
                seen.range.item(action, item);
            }
            if naive::in_range(action, &query.range.with_span(previous)) {
                seen.previous.item(action, item);
            }
        }
    }
    for product in facts
        .products
        .values()
        .filter(|product| product.is_priority)
    {
        seen.entry(product.id).or_default();
    }
    // What was only ever declined, and not in the range, says nothing.
    seen.retain(|id, seen| {
        seen.first.is_some() || !seen.processed.is_empty() || facts.products[id].is_priority
    });
    seen
}

/// The members of a segment: most of what they are ranked by first, then most units, then most of the previous period,
/// ties by id.
fn product_members(
    facts: &Facts,
    seen: &BTreeMap<Uuid, Seen>,
    segment: ProductSegment,
    rules: &ProductRules,
    from: Instant,
) -> Vec<Uuid> {
    let worth = |seen: &Seen| seen.range.metric(rules.rank_by).unwrap_or(0);
    let mut all: Vec<(Uuid, &Seen)> = seen.iter().map(|(id, seen)| (*id, seen)).collect();
    all.sort_by_key(|(id, seen)| {
        let units = (Reverse(seen.range.units), Reverse(seen.previous.units));
        (Reverse(worth(seen)), units, *id)
    });
    // Corrections can make an amount negative: that takes nothing from the others.
    let total: i64 = all.iter().map(|(_, seen)| worth(seen).max(0)).sum();
    let sells = |seen: &Seen| seen.range.units >= rules.minimum_units && worth(seen) > 0;
    let sellers: Vec<Uuid> = all
        .iter()
        .filter(|(_, seen)| sells(seen))
        .map(|(id, _)| *id)
        .take(rules.best_sellers)
        .collect();
    let big = |seen: &Seen| seen.range.units.max(seen.previous.units) >= rules.change_units;
    let place_in_sales = |id: Uuid| {
        // The share of all that the products before this one made.
        let before = all.iter().take_while(|(other, _)| *other != id);
        before.map(|(_, seen)| worth(seen).max(0)).sum::<i64>() * 100
    };
    let is_member = |(id, seen): &(Uuid, &Seen)| {
        let product = &facts.products[id];
        let (now, then) = (seen.range.units, seen.previous.units);
        let (sold, counts) = (now > 0, worth(seen) > 0);
        let enough = now >= rules.minimum_units;
        let (a, b) = (total * rules.abc_a_percent, total * rules.abc_b_percent);
        match segment {
            ProductSegment::BestSellers => sellers.contains(id),
            ProductSegment::Rising => {
                then > 0 && big(seen) && now * 100 >= then * (100 + rules.change_percent)
            }
            ProductSegment::Falling => {
                then > 0 && big(seen) && now * 100 <= then * (100 - rules.change_percent)
            }
            ProductSegment::New => enough && seen.first.is_some_and(|at| at >= from.micros()),
            ProductSegment::Dormant => !sold && seen.ever.units >= rules.minimum_units,
            ProductSegment::Risky => {
                let (processed, approved) = (seen.processed.len(), seen.approved.len());
                let percent = usize::try_from(rules.risky_percent).unwrap();
                processed >= usize::try_from(rules.risky_processed).unwrap()
                    && approved * 100 < processed * percent
            }
            ProductSegment::Hot => enough && product.is_hot,
            ProductSegment::Priority => product.is_priority,
            ProductSegment::AbcA => counts && place_in_sales(*id) < a,
            ProductSegment::AbcB => counts && (a..b).contains(&place_in_sales(*id)),
            ProductSegment::AbcC => counts && place_in_sales(*id) >= b.max(a),
        }
    };
    all.iter()
        .filter(|member| is_member(member))
        .map(|(id, _)| *id)
        .collect()
}

#[test]
fn product_segments_are_those_of_their_definitions() {
    compare_products(Reads::Database);
}

#[test]
fn product_segments_of_columns_are_those_of_their_definitions() {
    compare_products(Reads::Columns);
}

fn compare_products(reads: Reads) {
    let (runtime, world, facts, pools) = setting(reads);
    // As after every import: without it PostgreSQL guesses, and nested conditions take many seconds.
    runtime.block_on(world.store.analyze()).unwrap();
    let met = std::cell::RefCell::new(BTreeSet::new());
    check(150, &(facts_query(&pools), rules()), |(query, rules)| {
        let previous = before(query.range.span);
        let from = query.range.span.from;
        let found = runtime.block_on(async {
            let (tx, scope) = (world.tx(), world.read(0));
            segments::products(&tx, scope, &query, previous, &rules).await
        });
        let found = found.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let seen = products_seen(&facts, &query, previous);
        prop_assert_eq!(found.stats.len(), seen.len());
        for stats in &found.stats {
            let seen = &seen[&stats.product_id];
            prop_assert_eq!(&stats.sums, &seen.range.sums());
            prop_assert_eq!(stats.previous_units, seen.previous.units);
            prop_assert_eq!(stats.lifetime_units, seen.ever.units);
            prop_assert_eq!(stats.first_sold.map(Instant::micros), seen.first);
            let decided = (seen.processed.len(), seen.approved.len());
            let shown = (stats.processed, stats.approved);
            prop_assert_eq!(
                shown,
                (decided.0.try_into().unwrap(), decided.1.try_into().unwrap())
            );
        }
        for segment in ProductSegment::ALL {
            let expected = product_members(&facts, &seen, *segment, &rules, from);
            let places = found.members(*segment);
            let members: Vec<Uuid> = places
                .iter()
                .map(|place| found.stats[*place].product_id)
                .collect();
            prop_assert_eq!(&members, &expected, "{:?}", segment);
            let mut sums = Sums::default();
            for id in &expected {
                sums.add(&seen[id].range.sums());
            }
            prop_assert_eq!(found.sums(&places), sums, "{:?}", segment);
            if !expected.is_empty() {
                met.borrow_mut().insert(*segment);
            }
        }
        Ok(())
    });
    assert_eq!(
        met.borrow().len(),
        ProductSegment::ALL.len(),
        "all have had members: {met:?}"
    );
}

/// One user in a range.
struct Buyer {
    tally: Tally,
    actions: i64,
    first: i64,
    /// The latest action in the range: where on the axis, and which.
    last: (i64, Uuid),
    country: Option<String>,
    device: Option<String>,
    /// Whether an action of another country was as late.
    is_tied: bool,
}

fn buyers(facts: &Facts, query: &FactQuery) -> (BTreeMap<Uuid, Buyer>, Tally) {
    let value =
        |action: &Action| naive::axis_value(action, query.range.axis, query.range.zone).unwrap();
    let (mut buyers, mut nobody) = (BTreeMap::new(), Tally::default());
    for action in naive::counted(facts, query) {
        let Some(user) = action.user_id else {
            nobody.action(facts, action);
            continue;
        };
        let buyer = buyers.entry(user).or_insert_with(|| Buyer {
            tally: Tally::default(),
            actions: 0,
            first: value(action),
            last: (value(action), action.id),
            country: action.country.clone(),
            device: action.device.clone(),
            is_tied: false,
        });
        buyer.tally.action(facts, action);
        buyer.actions += 1;
        if value(action) == buyer.last.0 {
            buyer.is_tied |= action.country != buyer.country;
        } else if value(action) > buyer.last.0 {
            buyer.is_tied = false;
        }
        if (value(action), action.id) > buyer.last {
            buyer.last = (value(action), action.id);
            buyer.country.clone_from(&action.country);
            buyer.device.clone_from(&action.device);
        }
    }
    let to_end = query.range.with_span(Span {
        from: Instant::MIN,
        to: query.range.span.to,
    });
    for action in facts.actions.values() {
        if let Some(buyer) = action.user_id.and_then(|user| buyers.get_mut(&user))
            && naive::in_range(action, &to_end)
            && naive::counts(facts, action, query)
        {
            buyer.first = buyer.first.min(value(action));
        }
    }
    (buyers, nobody)
}

/// 1 to 5: one more than the number of the four cuts that the value is above. The cut at p percent is the smallest value
/// such that at least p percent of all values are not larger.
fn score(value: i64, all: &[i64], percents: Cuts) -> u8 {
    let is_above = |percent: i64| {
        let percent = usize::try_from(percent).unwrap();
        let reached = |cut: i64| {
            all.iter().filter(|other| **other <= cut).count() * 100 >= all.len() * percent
        };
        let cut = all
            .iter()
            .copied()
            .filter(|cut| reached(*cut))
            .min()
            .unwrap();
        value > cut
    };
    percents
        .into_iter()
        .fold(1, |score, percent| score + u8::from(is_above(percent)))
}

/// 1 to 5: one more than the number of thresholds that the value reaches.
fn reached(value: i64, least: Cuts) -> u8 {
    least
        .into_iter()
        .fold(1, |score, least| score + u8::from(value >= least))
}

fn amount(buyer: &Buyer, by: RankBy) -> i64 {
    buyer.tally.metric(by).unwrap_or(0)
}

/// The scores of the users that have any.
fn scores(
    buyers: &BTreeMap<Uuid, Buyer>,
    rules: &UserRules,
    to: Instant,
) -> BTreeMap<Uuid, (u8, u8, u8)> {
    let scored: Vec<(&Uuid, &Buyer)> = buyers
        .iter()
        .filter(|(_, buyer)| buyer.actions >= rules.minimum_actions)
        .collect();
    let few = scored.len() < usize::try_from(rules.minimum_users).unwrap();
    if few && matches!(rules.scoring, Scoring::Percentiles(_)) {
        return BTreeMap::new();
    }
    let of = |value: &dyn Fn(&Buyer) -> i64| -> Vec<i64> {
        scored.iter().map(|(_, buyer)| value(buyer)).collect()
    };
    let money = |buyer: &Buyer| amount(buyer, rules.metric());
    let all = (of(&|b| b.last.0), of(&|b| b.actions), of(&money));
    let each = scored.iter().map(|(id, buyer)| {
        let scores = match rules.scoring {
            Scoring::Percentiles(percents) => (
                score(buyer.last.0, &all.0, percents),
                score(buyer.actions, &all.1, percents),
                score(money(buyer), &all.2, percents),
            ),
            Scoring::Thresholds(fixed) => {
                let age = to.micros() - buyer.last.0;
                let recent = fixed.recency_days.into_iter();
                let recent = recent.filter(|days| age <= days * 86_400_000_000).count();
                (
                    u8::try_from(1 + recent).unwrap(),
                    reached(buyer.actions, fixed.actions),
                    reached(money(buyer), fixed.amounts_e4),
                )
            }
        };
        (**id, scores)
    });
    each.collect()
}

/// Whether a user is of high value: fewer than the top percent of the scored have more.
fn is_high_value(buyers: &BTreeMap<Uuid, Buyer>, id: &Uuid, rules: &UserRules) -> bool {
    let is_scored = |buyer: &&Buyer| buyer.actions >= rules.minimum_actions;
    let own = &buyers[id];
    if !is_scored(&own) {
        return false;
    }
    match rules.high_value {
        HighValue::TopPercent(percent) => {
            let by = rules.metric();
            let scored: Vec<&Buyer> = buyers.values().filter(is_scored).collect();
            let above = scored
                .iter()
                .filter(|other| amount(other, by) > amount(own, by));
            let seats = (scored.len() * usize::try_from(percent).unwrap()).div_ceil(100);
            let few = scored.len() < usize::try_from(rules.minimum_users).unwrap();
            !few && amount(own, by) > 0 && above.count() < seats
        }
        HighValue::Amount { e4, currency } => {
            let by = match rules.monetary {
                MonetaryMetric::OrderAmount => RankBy::OrderAmount(currency),
                MonetaryMetric::Reward => RankBy::Reward(currency),
            };
            amount(own, by) >= e4
        }
    }
}

/// The cell of facts.md 8.2.
fn cell(recency: u8, frequency: u8) -> UserSegment {
    let cells = [
        (UserSegment::Champions, 5..=5, 4..=5),
        (UserSegment::LoyalCustomers, 3..=4, 4..=5),
        (UserSegment::PotentialLoyalists, 4..=5, 2..=3),
        (UserSegment::NewCustomers, 5..=5, 1..=1),
        (UserSegment::Promising, 4..=4, 1..=1),
        (UserSegment::NeedAttention, 3..=3, 3..=3),
        (UserSegment::AboutToSleep, 3..=3, 1..=2),
        (UserSegment::CantLoseThem, 1..=2, 5..=5),
        (UserSegment::AtRisk, 1..=2, 3..=4),
        (UserSegment::Hibernating, 1..=2, 1..=2),
    ];
    let found: Vec<UserSegment> = cells
        .into_iter()
        .filter(|(_, r, f)| r.contains(&recency) && f.contains(&frequency))
        .map(|(segment, _, _)| segment)
        .collect();
    assert_eq!(found.len(), 1, "R {recency}, F {frequency}");
    found[0]
}

type SegmentKey = (UserSegment, Option<String>);

/// The segments of users with their members, those that always are there included.
fn user_segments(
    buyers: &BTreeMap<Uuid, Buyer>,
    rules: &UserRules,
    range: Span,
) -> BTreeMap<SegmentKey, Vec<Uuid>> {
    let scores = scores(buyers, rules, range.to);
    let mut order: Vec<(&Uuid, &Buyer)> = buyers.iter().collect();
    order.sort_by_key(|(id, buyer)| (Reverse(buyer.actions), Reverse(buyer.last.0), **id));
    let mut members: BTreeMap<SegmentKey, Vec<Uuid>> = UserSegment::ALL
        .iter()
        .filter(|kind| !matches!(kind, UserSegment::Country | UserSegment::Device))
        .map(|kind| ((*kind, None), Vec::new()))
        .collect();
    for (id, buyer) in order {
        let age = if buyer.first >= range.from.micros() {
            UserSegment::New
        } else {
            UserSegment::Returning
        };
        let mut keys = vec![
            (age, None),
            (UserSegment::Country, buyer.country.clone()),
            (UserSegment::Device, buyer.device.clone()),
        ];
        if let Some((recency, frequency, _)) = scores.get(id) {
            keys.push((cell(*recency, *frequency), None));
        }
        if is_high_value(buyers, id, rules) {
            keys.push((UserSegment::HighValue, None));
        }
        for key in keys {
            members.entry(key).or_default().push(*id);
        }
    }
    members
}

fn bought(
    facts: &Facts,
    query: &FactQuery,
    is_in: impl Fn(Option<Uuid>) -> bool,
) -> HashMap<Option<Uuid>, Tally> {
    let mut products: HashMap<Option<Uuid>, Tally> = HashMap::new();
    for action in naive::counted(facts, query) {
        for item in facts.cart(action.id) {
            if is_in(action.user_id) && item.product_id.is_some() {
                products
                    .entry(item.product_id)
                    .or_default()
                    .item(action, item);
            }
        }
    }
    products
}

/// The default rules, and any others.
fn user_rules() -> BoxedStrategy<UserRules> {
    let code = select(vec!["USD", "RUB", "BRL"]).prop_map(currency);
    let monetary = select(MonetaryMetric::ALL.to_vec());
    let cuts = |step: std::ops::Range<i64>| {
        proptest::array::uniform4(step).prop_map(|steps| {
            let mut cuts = [0; 4];
            let mut sum = 0;
            for (cut, step) in cuts.iter_mut().zip(steps) {
                sum += step;
                *cut = sum;
            }
            cuts
        })
    };
    let scoring = (
        0..3,
        cuts(1..25),
        cuts(1..40),
        cuts(1..4),
        cuts(1..4_000_000),
    );
    let high_value = (any::<bool>(), 1i64..101, 1i64..40_000_000, code.clone());
    let least = (1i64..4, select(vec![1i64, 4, 5, 5, 8]));
    (code, monetary, least, scoring, high_value)
        .prop_map(
            |(
                currency,
                monetary,
                (minimum_actions, minimum_users),
                (kind, percents, days, actions, amounts),
                high,
            )| {
                let thresholds = Thresholds {
                    recency_days: days,
                    actions,
                    amounts_e4: amounts,
                    currency,
                };
                let (is_percent, percent, e4, other) = high;
                UserRules {
                    currency,
                    monetary,
                    minimum_actions: if kind == 0 { 1 } else { minimum_actions },
                    minimum_users: if kind == 0 { 5 } else { minimum_users },
                    scoring: match kind {
                        0 => Scoring::default(),
                        1 => Scoring::Percentiles(percents),
                        _ => Scoring::Thresholds(thresholds),
                    },
                    high_value: if is_percent {
                        HighValue::TopPercent(percent)
                    } else {
                        HighValue::Amount {
                            e4,
                            currency: other,
                        }
                    },
                    ..UserRules::of(currency)
                }
            },
        )
        .boxed()
}

/// The users of a range with their sums, first and last actions, countries, devices and scores.
fn same_users(
    found: &segments::UserSegments,
    buyers: &BTreeMap<Uuid, Buyer>,
    rules: &UserRules,
    to: Instant,
) -> Result<(), TestCaseError> {
    let scores = scores(buyers, rules, to);
    prop_assert_eq!(found.users.len(), buyers.len());
    for (user, score_of) in found.users.iter().zip(&found.scores) {
        let buyer = &buyers[&user.user_id];
        prop_assert_eq!(&user.sums, &buyer.tally.sums());
        prop_assert_eq!(user.first_at.micros(), buyer.first);
        prop_assert_eq!(user.last_at.micros(), buyer.last.0);
        prop_assert_eq!(user.country.as_deref(), buyer.country.as_deref());
        prop_assert_eq!(user.device.as_deref(), buyer.device.as_deref());
        let shown = score_of.map(|rfm| (rfm.recency, rfm.frequency, rfm.monetary));
        prop_assert_eq!(shown, scores.get(&user.user_id).copied());
    }
    Ok(())
}

#[test]
fn user_segments_are_those_of_their_definitions() {
    compare_users(Reads::Database);
}

#[test]
fn user_segments_of_columns_are_those_of_their_definitions() {
    compare_users(Reads::Columns);
}

fn compare_users(reads: Reads) {
    let (runtime, world, facts, pools) = setting(reads);
    let met = std::cell::RefCell::new(BTreeSet::new());
    let ties = std::cell::Cell::new(0);
    let asked = (
        facts_query(&pools),
        user_rules(),
        queries::rank_by(),
        1usize..8,
    );
    check(150, &asked, |(query, rules, by, first)| {
        let (found, products) = runtime.block_on(async {
            let (tx, scope) = (world.tx(), world.read(0));
            let found = segments::users(&tx, scope, &query, &rules).await.unwrap();
            let all: Vec<usize> = (0..found.list.len()).collect();
            let (of, asked) = ((&found, all.as_slice()), (by, first));
            let products = segments::user_segment_products(&tx, scope, &query, of, asked).await;
            (found, products.unwrap())
        });
        let (buyers, nobody) = buyers(&facts, &query);
        let expected = user_segments(&buyers, &rules, query.range.span);
        let tied = buyers.values().filter(|buyer| buyer.is_tied).count();
        ties.set(ties.get() + tied);
        same_users(&found, &buyers, &rules, query.range.span.to)?;
        let keys: Vec<SegmentKey> = found
            .list
            .iter()
            .map(|entry| (entry.kind, entry.origin.clone()))
            .collect();
        let wanted: Vec<SegmentKey> = expected.keys().cloned().collect();
        prop_assert_eq!(
            &keys,
            &wanted,
            "new, returning, ten cells, high value, countries, devices, unattributed"
        );
        for (entry, products) in found.list.iter().zip(&products) {
            let members: Vec<Uuid> = entry
                .members
                .iter()
                .map(|place| found.users[*place].user_id)
                .collect();
            let key = (entry.kind, entry.origin.clone());
            prop_assert_eq!(&members, &expected[&key], "{:?}", &key);
            prop_assert_eq!(entry.size, i64::try_from(members.len()).unwrap());
            let unattributed = entry.kind == UserSegment::Unattributed;
            let mut sums = if unattributed {
                nobody.sums()
            } else {
                Sums::default()
            };
            for id in &members {
                sums.add(&buyers[id].tally.sums());
            }
            prop_assert_eq!(&entry.sums, &sums, "{:?}", &key);
            let mut ranked: Vec<SalesRow> = naive::rank(
                &bought(&facts, &query, |user| match user {
                    None => unattributed,
                    Some(user) => members.contains(&user),
                }),
                by,
            );
            ranked.truncate(first);
            prop_assert_eq!(products, &ranked, "{:?}", &key);
            if !members.is_empty() {
                met.borrow_mut().insert(entry.kind);
            }
        }
        Ok(())
    });
    assert!(ties.get() > 20, "latest actions are tied: {}", ties.get());
    let met = met.borrow();
    let missing: Vec<&UserSegment> = UserSegment::ALL
        .iter()
        .filter(|kind| !met.contains(kind))
        .collect();
    assert_eq!(
        missing,
        [&UserSegment::Unattributed],
        "all others have had members"
    );
}

#[test]
fn a_range_without_facts_has_all_segments_and_no_members() {
    let (runtime, world, facts, _) = setting(Reads::Database);
    let at = |micros| Instant::from_micros(micros).unwrap();
    let range = AxisRange {
        axis: DateAxis::Clicked,
        span: Span {
            from: at(0),
            to: at(0),
        },
        zone: Zone::UTC,
    };
    let query = FactQuery::counted(range, actiongraph::domain::filter::Filter::default());
    let (products, users) = runtime.block_on(async {
        let (tx, scope) = (world.tx(), world.read(0));
        let rules = ProductRules::default();
        let products = segments::products(&tx, scope, &query, range.span, &rules)
            .await
            .unwrap();
        (
            products,
            segments::users(&tx, scope, &query, &UserRules::of(Currency::USD))
                .await
                .unwrap(),
        )
    });
    for segment in ProductSegment::ALL {
        let members = products.members(*segment);
        let listed = facts
            .products
            .values()
            .filter(|product| product.is_priority)
            .count();
        let expected = if *segment == ProductSegment::Priority {
            listed
        } else {
            0
        };
        assert_eq!(members.len(), expected, "{segment:?}");
        assert_eq!(products.sums(&members), Sums::default());
    }
    assert_eq!(
        users.list.len(),
        UserSegment::ALL.len() - 2,
        "all but countries and devices"
    );
    assert!(
        users
            .list
            .iter()
            .all(|entry| entry.size == 0 && entry.sums == Sums::default())
    );
}
