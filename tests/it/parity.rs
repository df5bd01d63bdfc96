//! The same corpus is stored and answered alike, byte for byte, on SQLite and PostgreSQL.
//!
//! Both are compared with `tests/golden/parity.txt`, which `UPDATE_GOLDEN=1` writes from SQLite. The corpus and the
//! questions depend on nothing but this file and `support/drafts.rs`.

use crate::support::drafts::{Maker, Shape, at, currency};
use crate::support::is_postgres;
use crate::support::world::{World, block_on};
use actiongraph::analytics::{segments, top};
use actiongraph::domain::filter::{
    ActionField, ActionTest, CategoryField, CategoryTest, Filter, ItemField, ItemTest, Op,
    ProductField, ProductTest, Quantifier, Value,
};
use actiongraph::domain::money::Currency;
use actiongraph::domain::page::{Direction, Nulls, PageRequest, SortKey, fingerprint};
use actiongraph::domain::sales::{
    AxisRange, DateAxis, FactQuery, RankBy, SalesGroup, SalesQuery, SalesRow, Sums,
};
use actiongraph::domain::segment::{ProductRules, ProductSegment, UserRules};
use actiongraph::domain::time::{Span, Zone};
use actiongraph::store::actions::{self, ActionList, ActionSort};
use actiongraph::store::products::{self, ProductSort};
use actiongraph::store::users::{self, UserSort};
use std::fmt::Write as _;
use std::path::Path;

const SHAPE: Shape = Shape {
    drafts: 64,
    actions: 44,
    wild: true,
};
const SORTS: [ActionSort; 10] = [
    ActionSort::OrderedAt,
    ActionSort::ClickedAt,
    ActionSort::StatusUpdatedAt,
    ActionSort::ClosingDate,
    ActionSort::Reward,
    ActionSort::OrderAmount,
    ActionSort::Status,
    ActionSort::Country,
    ActionSort::OrderId,
    ActionSort::ExternalId,
];

fn page(size: u32, forward: bool) -> PageRequest {
    PageRequest {
        size,
        forward,
        after: None,
        before: None,
    }
}

fn key<S>(field: S, direction: Direction, nulls: Nulls) -> SortKey<S> {
    SortKey {
        field,
        direction,
        nulls,
    }
}

fn range(axis: DateAxis, zone: &str) -> AxisRange {
    AxisRange {
        axis,
        span: Span {
            from: at("2026-03-08T05:00:00Z"),
            to: at("2026-04-20T00:00:00Z"),
        },
        zone: Zone::parse(zone).unwrap(),
    }
}

fn filters() -> Vec<Filter<ActionTest>> {
    let field = |field, op| Filter::Test(ActionTest::Field(field, op));
    let text = |text: &str| Value::from(text);
    let not = |filter| Filter::Not(Box::new(filter));
    let name = |part: &str| {
        let test = ProductTest::Field(ProductField::Name, Op::Contains(part.to_owned()));
        ItemTest::Product(Filter::Test(test))
    };
    let items = |quantifier, test| Filter::Test(ActionTest::Items(quantifier, Filter::Test(test)));
    vec![
        Filter::default(),
        Filter::Any(Vec::new()),
        field(ActionField::Comment, Op::Contains("ЁЛК".to_owned())),
        field(ActionField::Keyword, Op::StartsWith("a".to_owned())),
        field(ActionField::Keyword, Op::Gt(text("Z"))),
        not(field(ActionField::PromoCode, Op::Ne(text("100%")))),
        field(
            ActionField::Eligibility,
            Op::In(vec![text("FULL"), text("NOT_PAID")]),
        ),
        not(field(ActionField::Eligibility, Op::In(Vec::new()))),
        field(ActionField::ConversionSeconds, Op::Lt(Value::Int(0))),
        field(ActionField::Paid, Op::Eq(Value::Flag(true))),
        items(Quantifier::Some, name("ss")),
        items(
            Quantifier::Every,
            ItemTest::Field(ItemField::Units, Op::Gte(Value::Int(1))),
        ),
        items(
            Quantifier::None,
            ItemTest::Category(Filter::Test(CategoryTest(
                CategoryField::IsKnown,
                Op::Eq(Value::Flag(true)),
            ))),
        ),
    ]
}

fn sums(sums: &Sums) -> String {
    let mut text = format!("{} actions, {} units", sums.actions, sums.units);
    for money in &sums.money {
        let (amount, reward) = (money.order_amount_e4, money.reward_e4);
        write!(text, ", {} {amount} {reward}", money.currency).unwrap();
    }
    text
}

fn row(row: &SalesRow) -> String {
    let key = row
        .key
        .map_or_else(|| "none".to_owned(), |key| key.to_string());
    format!("{} {key} {} ({})", row.rank, row.metric, sums(&row.sums))
}

/// What is stored; the shipped categories as a number only.
async fn stored(world: &World) -> String {
    let mut text = String::new();
    for place in 0..2 {
        let dump = world.dump(place).await;
        let is_shipped =
            |line: &&str| line.starts_with("category ") && line.contains("is_known: true");
        let shipped: Vec<&str> = dump.lines().filter(is_shipped).collect();
        writeln!(
            text,
            "{} shipped categories: {}",
            shipped.len(),
            fingerprint(&shipped.concat())
        )
        .unwrap();
        for line in dump.lines().filter(|line| !is_shipped(line)) {
            writeln!(text, "{line}").unwrap();
        }
        for change in world.rows::<entity::action_change::Entity>(place).await {
            writeln!(
                text,
                "{} {} {} {}",
                change.seq, change.kind, change.status, change.action_id
            )
            .unwrap();
        }
    }
    text
}

async fn lists(world: &World) -> String {
    let (mut text, tx, scope) = (String::new(), world.tx(), world.read(0));
    for sort in SORTS {
        for (direction, nulls, forward) in [
            (Direction::Asc, Nulls::Last, true),
            (Direction::Desc, Nulls::First, true),
            (Direction::Desc, Nulls::Last, false),
        ] {
            let list = ActionList {
                range: None,
                filter: Filter::default(),
                order: vec![
                    key(sort, direction, nulls),
                    key(ActionSort::Reward, direction, nulls),
                ],
                page: page(25, forward),
            };
            let found = actions::list(&tx, scope, &list).await.unwrap();
            let ids: Vec<&str> = found
                .rows
                .iter()
                .map(|(action, _)| action.external_id.as_str())
                .collect();
            let cursor = found.rows[7].1.encode(1);
            writeln!(
                text,
                "{sort:?} {direction:?} {nulls:?} {forward}: {ids:?} {cursor}"
            )
            .unwrap();
        }
    }
    for (number, filter) in filters().into_iter().enumerate() {
        let list = ActionList {
            range: Some(range(DateAxis::Ordered, "UTC")),
            filter,
            order: vec![key(ActionSort::ExternalId, Direction::Asc, Nulls::Last)],
            page: page(100, true),
        };
        let found = actions::list(&tx, scope, &list).await.unwrap();
        let ids: Vec<&str> = found
            .rows
            .iter()
            .map(|(action, _)| action.external_id.as_str())
            .collect();
        let totals = top::totals_of_list(&tx, scope, None, &list.filter)
            .await
            .unwrap();
        writeln!(
            text,
            "filter {number}: {ids:?}; of all time {}",
            sums(&totals.facts)
        )
        .unwrap();
    }
    let order = [key(ProductSort::Name, Direction::Asc, Nulls::First)];
    let found = products::list(&tx, scope, &Filter::default(), &order, &page(100, true)).await;
    for (product, cursor) in found.unwrap().rows {
        writeln!(
            text,
            "product {:?} {:?} {}",
            product.name,
            product.external_id,
            cursor.encode(2)
        )
        .unwrap();
    }
    let order = [key(UserSort::Value, Direction::Desc, Nulls::Last)];
    let found = users::list(&tx, scope, &Filter::default(), &order, &page(100, true)).await;
    for (user, _) in found.unwrap().rows {
        writeln!(text, "user {} {}", user.value, user.first_seen).unwrap();
    }
    text
}

async fn sales(world: &World) -> String {
    let (mut text, tx, scope) = (String::new(), world.tx(), world.read(0));
    for (axis, zone) in [
        (DateAxis::Ordered, "UTC"),
        (DateAxis::Clicked, "Asia/Kathmandu"),
        (DateAxis::Closed, "America/Santiago"),
    ] {
        let facts = FactQuery::counted(range(axis, zone), Filter::default());
        let totals = top::totals(&tx, scope, &facts).await.unwrap();
        let rest = sums(&totals.unattributed());
        writeln!(
            text,
            "{axis:?}: {}; unattributed {rest}",
            sums(&totals.facts)
        )
        .unwrap();
        for group in [
            SalesGroup::Product,
            SalesGroup::CategoryLevel1,
            SalesGroup::CategoryLevel2,
            SalesGroup::CategoryOwn,
            SalesGroup::User,
        ] {
            let (usd, rub) = (Currency::USD, currency("RUB"));
            for by in [RankBy::Units, RankBy::OrderAmount(usd), RankBy::Reward(rub)] {
                let query = SalesQuery {
                    facts: facts.clone(),
                    group,
                    by,
                    page: page(8, true),
                    products: Filter::default(),
                };
                let found = top::ranked(&tx, scope, &query).await.unwrap();
                writeln!(text, "{axis:?} {group:?} {by:?} more: {}", found.has_next).unwrap();
                for (found, cursor) in &found.rows {
                    writeln!(text, "  {} {}", row(found), cursor.encode(3)).unwrap();
                }
            }
        }
        let rules = ProductRules {
            change_units: 2,
            risky_processed: 1,
            ..ProductRules::default()
        };
        let previous = Span {
            from: at("2026-02-01T00:00:00Z"),
            to: facts.range.span.from,
        };
        let found = segments::products(&tx, scope, &facts, previous, &rules)
            .await
            .unwrap();
        for segment in ProductSegment::ALL {
            let members = found.members(*segment);
            let all = sums(&found.sums(&members));
            let ids: Vec<String> = members
                .iter()
                .map(|place| found.stats[*place].product_id.to_string())
                .collect();
            writeln!(text, "{axis:?} {segment:?} {all}: {ids:?}").unwrap();
        }
        let found = segments::users(&tx, scope, &facts, &UserRules::of(Currency::USD))
            .await
            .unwrap();
        let all: Vec<usize> = (0..found.list.len()).collect();
        let (of, asked) = ((&found, all.as_slice()), (RankBy::Units, 2));
        let tops = segments::user_segment_products(&tx, scope, &facts, of, asked);
        for (entry, tops) in found.list.iter().zip(tops.await.unwrap()) {
            let (kind, country, all) = (entry.kind, &entry.origin, sums(&entry.sums));
            let tops: Vec<String> = tops.iter().map(row).collect();
            writeln!(
                text,
                "{axis:?} {kind:?} {country:?} {} {all}: {tops:?}",
                entry.size
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_same_corpus_is_stored_and_answered_alike_on_both_databases() {
    let text = block_on(async {
        let world = World::new(2).await;
        world.apply(0, &Maker::new(7, SHAPE).drafts()).await;
        let few = Shape { drafts: 9, ..SHAPE };
        world.apply(1, &Maker::new(8, few).drafts()).await;
        [
            stored(&world).await,
            lists(&world).await,
            sales(&world).await,
        ]
        .concat()
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/parity.txt");
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever changes the corpus on purpose says so; the product's settings have nothing to do with it"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        assert!(!is_postgres(), "the file is written from SQLite");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(text.len(), golden.len(), "one is longer than the other");
}
