//! Random questions: filters with every field and operator, ranges, orders and pages.

use super::drafts::{CATEGORIES, COUNTRIES, CURRENCIES, TEXTS, USERS, ZONES, at, instant, moments};
use super::world::Facts;
use actiongraph::domain::action::{ActionType, Status};
use actiongraph::domain::filter::{
    ActionField, ActionTest, AdSpaceField, AdSpaceTest, CategoryField, CategoryTest, Filter,
    ItemField, ItemTest, Op, ProductField, ProductTest, ProgramField, ProgramTest, Quantifier,
    UserField, UserTest, Value,
};
use actiongraph::domain::money::Currency;
use actiongraph::domain::page::{Direction, Nulls, SortKey};
use actiongraph::domain::sales::{AxisRange, DateAxis, RankBy};
use actiongraph::domain::time::{Instant, Span, Zone};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt::Debug;
use uuid::Uuid;

/// What questions of a world can name.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    texts: Vec<Value>,
    numbers: Vec<Value>,
    actions: Vec<Value>,
    programs: Vec<Value>,
    ad_spaces: Vec<Value>,
    users: Vec<Value>,
    products: Vec<Value>,
    categories: Vec<Value>,
}

impl Pools {
    pub(crate) fn of(facts: &Facts) -> Self {
        fn ids<'a>(ids: impl Iterator<Item = &'a Uuid>) -> Vec<Value> {
            let foreign = [Uuid::nil(), Uuid::from_u128(7)];
            ids.copied().chain(foreign).map(Value::from).collect()
        }
        let own = |id: &&Uuid| {
            let category = &facts.categories[*id];
            !category.is_known || CATEGORIES.contains(&category.external_id.as_str())
        };
        let mut texts: Vec<Value> = [TEXTS, CATEGORIES, COUNTRIES, CURRENCIES, USERS]
            .concat()
            .into_iter()
            .map(Value::from)
            .collect();
        texts.extend(
            ["6115", "777", "501", "my blog", "default", "CN", "", "FULL"].map(Value::from),
        );
        texts.extend(
            facts
                .products
                .values()
                .take(9)
                .map(|row| row.external_id.clone().into()),
        );
        texts.retain(|text| *text != Value::Null);
        let mut numbers: Vec<i64> = vec![0, 1, 2, 3, 10, 10_000, 1_000_000, -5_000, -1, i64::MAX];
        numbers.extend(moments().iter().map(|moment| moment.micros()).step_by(5));
        for action in facts.actions.values().take(40) {
            numbers.push(action.ordered_at_us);
            numbers.extend(action.conversion_seconds);
            numbers.extend(action.closing_day.map(i64::from));
        }
        Self {
            texts,
            numbers: numbers.into_iter().map(Value::from).collect(),
            actions: ids(facts.actions.keys()),
            programs: ids(facts.programs.keys()),
            ad_spaces: ids(facts.ad_spaces.keys()),
            users: ids(facts.users.keys()),
            products: ids(facts.products.keys()),
            categories: ids(facts.categories.keys().filter(own)),
        }
    }
}

/// What may be asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Equality and order.
    Ordered,
    /// Those, and parts.
    Text,
    /// Membership alone.
    Member,
}

fn op(values: &[Value], kind: Kind) -> BoxedStrategy<Op> {
    let one = select(values.to_vec());
    let many = vec(one.clone(), 0..4);
    let member = prop_oneof![
        one.clone().prop_map(Op::Eq),
        one.clone().prop_map(Op::Ne),
        many.clone().prop_map(Op::In),
        many.prop_map(Op::NotIn),
    ];
    if kind == Kind::Member {
        return member.boxed();
    }
    let ordered = prop_oneof![
        one.clone().prop_map(Op::Lt),
        one.clone().prop_map(Op::Lte),
        one.clone().prop_map(Op::Gt),
        one.prop_map(Op::Gte),
        any::<bool>().prop_map(Op::IsNull),
    ];
    if kind == Kind::Ordered {
        return prop_oneof![member, ordered].boxed();
    }
    let parts = [
        "", "%", "_", "\\", "a", "A", "100", "ёл", "ЁЛ", "ss", "ß", "'", "$1", "🎄", " ", "1005",
        "x-",
    ];
    let part = select(parts.to_vec()).prop_map(str::to_owned);
    let whole = select(TEXTS.to_vec()).prop_map(str::to_owned);
    let part = prop_oneof![3 => part, 1 => whole];
    let parts = prop_oneof![
        part.clone().prop_map(Op::Contains),
        part.prop_map(Op::StartsWith),
    ];
    prop_oneof![1 => member, 1 => ordered, 1 => parts].boxed()
}

fn words<T: Copy>(all: &[T], text: impl Fn(T) -> &'static str) -> BoxedStrategy<Op> {
    let values: Vec<Value> = all.iter().map(|word| Value::from(text(*word))).collect();
    op(&values, Kind::Ordered)
}

fn flag() -> BoxedStrategy<Op> {
    op(&[Value::Flag(false), Value::Flag(true)], Kind::Ordered)
}

/// A tree of conditions, empty lists included.
pub(crate) fn tree<T: Debug + Clone + 'static>(
    leaf: BoxedStrategy<T>,
    depth: u32,
) -> BoxedStrategy<Filter<T>> {
    let leaf = prop_oneof![
        12 => leaf.prop_map(Filter::Test),
        1 => Just(Filter::All(Vec::new())),
        1 => Just(Filter::Any(Vec::new())),
    ];
    leaf.prop_recursive(depth, 10, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::All),
            vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

/// Filters on actions.
pub(crate) fn action_filter(pools: &Pools) -> BoxedStrategy<Filter<ActionTest>> {
    let own = {
        let pools = pools.clone();
        select(ActionField::ALL.to_vec()).prop_flat_map(move |field| {
            action_op(&pools, field).prop_map(move |op| ActionTest::Field(field, op))
        })
    };
    let quantifier = select(vec![Quantifier::Some, Quantifier::Every, Quantifier::None]);
    let leaf = prop_oneof![
        6 => own,
        1 => program_filter(pools, 1).prop_map(ActionTest::Program),
        1 => ad_space_filter(pools, 1).prop_map(ActionTest::AdSpace),
        1 => user_filter(pools, 1).prop_map(ActionTest::User),
        3 => (quantifier, tree(item_leaf(pools), 2))
            .prop_map(|(quantifier, filter)| ActionTest::Items(quantifier, filter)),
    ];
    tree(leaf.boxed(), 3)
}

fn action_op(pools: &Pools, field: ActionField) -> BoxedStrategy<Op> {
    match field {
        ActionField::Id => op(&pools.actions, Kind::Ordered),
        ActionField::ActionType => words(ActionType::ALL, ActionType::as_str),
        ActionField::Status => words(Status::ALL, Status::as_str),
        ActionField::RawStatus => words(&["approved", "mystery", "declined"], |word| word),
        ActionField::Eligibility => words(&["FULL", "REDUCED", "NOT_PAID", "UNKNOWN"], |word| word),
        ActionField::Currency => words(CURRENCIES, |code| code),
        ActionField::Paid | ActionField::Processed | ActionField::ReturnedToHold => flag(),
        ActionField::Reward
        | ActionField::OrderAmount
        | ActionField::ClickedAt
        | ActionField::OrderedAt
        | ActionField::StatusUpdatedAt
        | ActionField::ClosingDay
        | ActionField::HoldEndsAt
        | ActionField::HoldEndedBy
        | ActionField::ConversionSeconds
        | ActionField::ItemsCount => op(&pools.numbers, Kind::Ordered),
        _ => op(&pools.texts, Kind::Text),
    }
}

pub(crate) fn item_leaf(pools: &Pools) -> BoxedStrategy<ItemTest> {
    let own = {
        let pools = pools.clone();
        select(ItemField::ALL.to_vec()).prop_flat_map(move |field| {
            let op = match field {
                ItemField::TariffId | ItemField::ProductCountry => op(&pools.texts, Kind::Text),
                _ => op(&pools.numbers, Kind::Ordered),
            };
            op.prop_map(move |op| ItemTest::Field(field, op))
        })
    };
    prop_oneof![
        own,
        product_filter(pools, 1).prop_map(ItemTest::Product),
        category_filter(pools, 1).prop_map(ItemTest::Category),
    ]
    .boxed()
}

/// Comparisons with a country of a click.
pub(crate) fn country_op() -> BoxedStrategy<Op> {
    let countries: Vec<Value> = COUNTRIES.iter().map(|code| Value::from(*code)).collect();
    op(&countries, Kind::Ordered)
}

/// Ids of users, or of products.
pub(crate) fn ids(pools: &Pools, of_users: bool) -> BoxedStrategy<Vec<Uuid>> {
    let all = if of_users {
        &pools.users
    } else {
        &pools.products
    };
    let all: Vec<Uuid> = all
        .iter()
        .filter_map(|value| match value {
            Value::Id(id) => Some(*id),
            _ => None,
        })
        .collect();
    vec(select(all), 0..5).boxed()
}

/// Filters on products.
pub(crate) fn product_filter(pools: &Pools, depth: u32) -> BoxedStrategy<Filter<ProductTest>> {
    let own = {
        let pools = pools.clone();
        select(ProductField::ALL.to_vec()).prop_flat_map(move |field| {
            let op = match field {
                ProductField::Id => op(&pools.products, Kind::Ordered),
                ProductField::IsHot | ProductField::IsPriority => flag(),
                ProductField::FirstSeen => op(&pools.numbers, Kind::Ordered),
                _ => op(&pools.texts, Kind::Text),
            };
            op.prop_map(move |op| ProductTest::Field(field, op))
        })
    };
    let leaf =
        prop_oneof![3 => own, 1 => category_filter(pools, 1).prop_map(ProductTest::Category)];
    tree(leaf.boxed(), depth)
}

/// Filters on categories.
pub(crate) fn category_filter(pools: &Pools, depth: u32) -> BoxedStrategy<Filter<CategoryTest>> {
    let pools = pools.clone();
    let leaf = select(CategoryField::ALL.to_vec()).prop_flat_map(move |field| {
        let op = match field {
            CategoryField::Id => op(&pools.categories, Kind::Ordered),
            CategoryField::Within => op(&pools.categories, Kind::Member),
            CategoryField::IsKnown => flag(),
            CategoryField::Level => op(&[1i64, 2, 3, 4].map(Value::from), Kind::Ordered),
            CategoryField::ExternalId | CategoryField::Name => op(&pools.texts, Kind::Text),
        };
        op.prop_map(move |op| CategoryTest(field, op))
    });
    tree(leaf.boxed(), depth)
}

/// Filters on programs.
pub(crate) fn program_filter(pools: &Pools, depth: u32) -> BoxedStrategy<Filter<ProgramTest>> {
    let pools = pools.clone();
    let leaf = select(ProgramField::ALL.to_vec()).prop_flat_map(move |field| {
        let op = match field {
            ProgramField::Id => op(&pools.programs, Kind::Ordered),
            _ => op(&pools.texts, Kind::Text),
        };
        op.prop_map(move |op| ProgramTest(field, op))
    });
    tree(leaf.boxed(), depth)
}

/// Filters on ad spaces.
pub(crate) fn ad_space_filter(pools: &Pools, depth: u32) -> BoxedStrategy<Filter<AdSpaceTest>> {
    let pools = pools.clone();
    let leaf = select(AdSpaceField::ALL.to_vec()).prop_flat_map(move |field| {
        let op = match field {
            AdSpaceField::Id => op(&pools.ad_spaces, Kind::Ordered),
            _ => op(&pools.texts, Kind::Text),
        };
        op.prop_map(move |op| AdSpaceTest(field, op))
    });
    tree(leaf.boxed(), depth)
}

/// Filters on users.
pub(crate) fn user_filter(pools: &Pools, depth: u32) -> BoxedStrategy<Filter<UserTest>> {
    let pools = pools.clone();
    let leaf = select(UserField::ALL.to_vec()).prop_flat_map(move |field| {
        let op = match field {
            UserField::Id => op(&pools.users, Kind::Ordered),
            UserField::FirstSeen => op(&pools.numbers, Kind::Ordered),
            _ => op(&pools.texts, Kind::Text),
        };
        op.prop_map(move |op| UserTest::Field(field, op))
    });
    tree(leaf.boxed(), depth)
}

/// An instant near a change of a clock, on the hour, or at either end of time.
fn any_moment() -> BoxedStrategy<Instant> {
    let start = at("2026-02-01T00:00:00Z").micros();
    prop_oneof![
        3 => select(moments()),
        5 => (0i64..120 * 24).prop_map(move |hour| instant(start + hour * 3_600_000_000)),
        1 => select(vec![Instant::MIN, Instant::MAX]),
    ]
    .boxed()
}

/// A stretch of time, now and then an empty one.
pub(crate) fn span() -> BoxedStrategy<Span> {
    let any = (any_moment(), any_moment()).prop_map(|(a, b)| Span {
        from: a.min(b),
        to: a.max(b),
    });
    let empty = any_moment().prop_map(|at| Span { from: at, to: at });
    prop_oneof![14 => any, 1 => empty].boxed()
}

/// A range on any axis in any zone.
pub(crate) fn range() -> BoxedStrategy<AxisRange> {
    let zone = select(ZONES.to_vec()).prop_map(|name| Zone::parse(name).unwrap());
    (select(DateAxis::ALL.to_vec()), span(), zone)
        .prop_map(|(axis, span, zone)| AxisRange { axis, span, zone })
        .boxed()
}

/// A range that holds most of the data.
pub(crate) fn wide_range() -> BoxedStrategy<AxisRange> {
    let zone = select(ZONES.to_vec()).prop_map(|name| Zone::parse(name).unwrap());
    let start = at("2026-02-01T00:00:00Z").micros();
    (select(DateAxis::ALL.to_vec()), 0i64..70, 71i64..130, zone)
        .prop_map(move |(axis, from, to, zone)| {
            let day = |day: i64| instant(start + day * 86_400_000_000);
            AxisRange {
                axis,
                span: Span {
                    from: day(from),
                    to: day(to),
                },
                zone,
            }
        })
        .boxed()
}

/// What to rank by.
pub(crate) fn rank_by() -> BoxedStrategy<RankBy> {
    let code = select(vec!["USD", "RUB", "EUR", "BRL"]);
    let code = code.prop_map(|code| Currency::parse(code).unwrap());
    prop_oneof![
        Just(RankBy::Units),
        Just(RankBy::Actions),
        code.clone().prop_map(RankBy::OrderAmount),
        code.prop_map(RankBy::Reward),
    ]
    .boxed()
}

/// An order of up to five of these keys, the same key twice included.
pub(crate) fn order<S: Copy + Debug + 'static>(fields: &[S]) -> BoxedStrategy<Vec<SortKey<S>>> {
    let key = (
        select(fields.to_vec()),
        select(vec![Direction::Asc, Direction::Desc]),
        select(vec![Nulls::First, Nulls::Last]),
    );
    let key = key.prop_map(|(field, direction, nulls)| SortKey {
        field,
        direction,
        nulls,
    });
    vec(key, 1..6).boxed()
}
