//! Columns in memory answer what SQL answers in the same transaction: after every write, for transactions that began
//! earlier, where they are thrown away, and where they have no room. That they answer right is what the property tests
//! of reports, segments and sales say, which ask both.

use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::drafts::{Maker, Shape, at};
use crate::support::report_requests::{first, orders, report_of};
use crate::support::server::running;
use crate::support::world::{World, block_on};
use actiongraph::analytics::cohorts::user_cohorts;
use actiongraph::analytics::{report, segments};
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::money::Currency;
use actiongraph::domain::report::metric::Metric;
use actiongraph::domain::report::{Bucket, Dimension, Report, ReportLimits, ReportRequest};
use actiongraph::domain::sales::{AxisRange, FactQuery, RankBy};
use actiongraph::domain::segment::{ProductRules, UserRules};
use actiongraph::domain::time::{Span, WeekStart};
use actiongraph::graphql::EngineOptions;
use actiongraph::store::columns::ColumnsOptions;
use actiongraph::store::{ReadTx, Recorder};
use actiongraph::worker;
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

const SHAPE: Shape = Shape {
    drafts: 120,
    actions: 80,
    wild: false,
};

fn all_time() -> AxisRange {
    orders("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "UTC")
}

/// A report that no total can answer, because none knows how many items an action has.
fn request(dimensions: &[Dimension], metrics: &[Metric], bucket: Option<Bucket>) -> ReportRequest {
    let any = Op::Gte(Value::Int(0));
    ReportRequest {
        filter: Filter::Test(ActionTest::Field(ActionField::ItemsCount, any)),
        dimensions: dimensions.to_vec(),
        bucket,
        metrics: metrics.to_vec(),
        page: first(10_000),
        ..report_of(all_time())
    }
}

/// Questions that look at every column there is.
fn requests() -> Vec<ReportRequest> {
    let whole = [
        Metric::Actions,
        Metric::Units,
        Metric::OrderAmount,
        Metric::ApprovedReward,
        Metric::PaidReward,
        Metric::AverageOrderAmount,
        Metric::CartCoverage,
    ];
    let of_items = [
        Metric::Actions,
        Metric::Units,
        Metric::OrderAmount,
        Metric::Reward,
    ];
    let users = [Metric::Users, Metric::Reward, Metric::Units];
    vec![
        request(
            &[
                Dimension::Program,
                Dimension::AdSpace,
                Dimension::Country,
                Dimension::Status,
                Dimension::ActionType,
                Dimension::Device,
            ],
            &whole,
            None,
        ),
        request(
            &[
                Dimension::Product,
                Dimension::CategoryOwn,
                Dimension::Status,
            ],
            &of_items,
            None,
        ),
        request(&[Dimension::CategoryLevel1], &of_items, Some(Bucket::Month)),
        request(
            &[Dimension::UserAge, Dimension::UserFrequency],
            &users,
            None,
        ),
        request(&[], &users, Some(Bucket::Day)),
    ]
}

/// What is said of a report, but for how it was read.
fn said(report: &Report) -> String {
    format!("{:?} {:?} {:?}", report.page, report.totals, report.groups)
}

/// What is asked in a transaction, as text.
async fn answers(tx: &ReadTx, world: &World, place: usize) -> (String, Vec<&'static str>) {
    let scope = world.read(place);
    let (mut text, mut sources) = (String::new(), Vec::new());
    for request in requests() {
        let report = report::run(tx, scope, &request, ReportLimits::default())
            .await
            .unwrap();
        text.push_str(&said(&report));
        sources.extend(&report.reading.sources);
    }
    let facts = FactQuery::counted(all_time(), Filter::default());
    let span = Span {
        from: at("2025-01-01T00:00:00Z"),
        to: at("2026-01-01T00:00:00Z"),
    };
    let rules = ProductRules::default();
    let products = segments::products(tx, scope, &facts, span, &rules).await;
    text.push_str(&format!("{:?}", products.unwrap().stats));
    let users = segments::users(tx, scope, &facts, &UserRules::of(Currency::USD))
        .await
        .unwrap();
    let all: Vec<usize> = (0..users.list.len()).collect();
    let (of, asked) = ((&users, all.as_slice()), (RankBy::Units, 3));
    let bought = segments::user_segment_products(tx, scope, &facts, of, asked).await;
    text.push_str(&format!("{users:?} {:?}", bought.unwrap()));
    let months = (Bucket::Month, WeekStart::Monday);
    let cohorts = user_cohorts(tx, scope, &facts, months).await;
    text.push_str(&format!("{:?}", cohorts.unwrap()));
    (text, sources)
}

/// That columns say what SQL says of the facts as they are, and that it was columns.
pub(crate) async fn assert_follow(world: &World, place: usize, what: &str) {
    if world.store.columns().is_none() {
        return;
    }
    let sql = ReadTx::new(&world.store.with_columns(ColumnsOptions {
        max_bytes: 0,
        least_changes: 0,
        ..ColumnsOptions::default()
    }));
    let (expected, _) = answers(&sql, world, place).await;
    let (found, sources) = answers(&world.tx(), world, place).await;
    assert_eq!(found, expected, "{what}");
    // Without facts there are no currencies to ask about, and nothing is asked.
    let is_empty = world.facts(place).await.actions.is_empty();
    assert!(
        is_empty || sources.iter().all(|source| *source == "columns"),
        "{what}: {sources:?}"
    );
}

#[test]
fn a_transaction_is_answered_as_of_its_beginning() {
    block_on(async {
        let world = World::rich(seed() + 31, SHAPE).await.in_columns().await;
        let without = world.store.with_columns(ColumnsOptions {
            max_bytes: 0,
            least_changes: 0,
            ..ColumnsOptions::default()
        });
        let mut begun = Vec::new();
        for round in 0..5 {
            if [0, 4].contains(&round) {
                let before = answers(&ReadTx::new(&without), &world, 0).await.0;
                // It begins, and asks later.
                let tx = world.tx();
                actiongraph::store::state(&tx, world.read(0)).await.unwrap();
                begun.push((tx, before));
            }
            let more = Maker::new(seed() + 100 + round, SHAPE).drafts();
            let applied = world.apply(0, &more[..20]).await;
            assert!(
                applied.inserted + applied.updated > 0,
                "there is something to follow"
            );
            assert_follow(&world, 0, "after a write").await;
        }
        // The one that saw a snapshot that is still kept is answered by it, the other by SQL: both by what they saw.
        for ((tx, expected), is_kept) in begun.into_iter().zip([false, true]) {
            let (found, sources) = answers(&tx, &world, 0).await;
            assert_eq!(found, expected);
            assert_eq!(sources.contains(&"columns"), is_kept);
        }
    });
}

#[test]
fn a_database_that_was_put_back_is_read_anew() {
    block_on(async {
        let world = World::rich(seed() + 32, SHAPE).await.in_columns().await;
        assert_follow(&world, 0, "at first").await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the database is put back behind the store's back"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        let id = world.publishers[0].id.0;
        // The same numbers mean other changes now, and other facts.
        for statement in [
            format!("UPDATE action_changes SET run_id = action_id WHERE publisher_id = {id}"),
            format!("UPDATE actions SET units = units + 1 WHERE publisher_id = {id}"),
        ] {
            db.execute_unprepared(&statement).await.unwrap();
        }
        let more = Maker::new(seed() + 132, SHAPE).drafts();
        world.apply(0, &more[..20]).await;
        let (_, sources) = answers(&world.tx(), &world, 0).await;
        assert!(!sources.contains(&"columns"), "{sources:?}");
        let builds = world.store.columns().unwrap().stats().builds;
        assert!(
            worker::columns::tick(&world.store).await.unwrap(),
            "it was asked for"
        );
        assert_eq!(world.store.columns().unwrap().stats().builds, builds + 1);
        let (_, sources) = answers(&world.tx(), &world, 0).await;
        assert!(sources.contains(&"columns"), "{sources:?}");
    });
}

#[test]
fn columns_without_room_leave_the_answers_to_sql() {
    block_on(async {
        let mut world = World::rich(seed() + 33, SHAPE).await;
        let expected = answers(&world.tx(), &world, 0).await.0;
        world.store = world.store.with_columns(ColumnsOptions {
            max_bytes: 4_096,
            least_changes: 0,
            ..ColumnsOptions::default()
        });
        world.read_columns_in().await;
        let (found, sources) = answers(&world.tx(), &world, 0).await;
        assert_eq!(found, expected);
        assert!(!sources.contains(&"columns"), "{sources:?}");
        let stats = world.store.columns().unwrap().stats();
        assert_eq!((stats.bytes, stats.rows, stats.builds), (0, 0, 0));
        assert!(stats.fallbacks > 0);
        // Nobody tries again and again.
        assert!(!worker::columns::tick(&world.store).await.unwrap());
    });
}

#[test]
fn publishers_that_do_not_fit_together_take_turns_seldom() {
    block_on(async {
        let mut world = World::rich(seed() + 34, SHAPE).await.in_columns().await;
        let both = world.store.columns().unwrap().stats().bytes;
        world.store = world.store.with_columns(ColumnsOptions {
            max_bytes: both - 1,
            least_changes: 0,
            idle_after: 20,
            ..ColumnsOptions::default()
        });
        let columns = world.store.columns().unwrap().clone();
        columns.want(world.publishers[1].id);
        assert!(worker::columns::tick(&world.store).await.unwrap());
        assert_eq!(columns.stats().builds, 1);
        let is_answered = async |place: usize| {
            let (_, sources) = answers(&world.tx(), &world, place).await;
            while worker::columns::tick(&world.store).await.unwrap() {}
            sources.contains(&"columns")
        };
        // Whoever is asked about keeps the room; the other is read in neither again and again nor in its place.
        for _ in 0..5 {
            assert!(!is_answered(0).await);
            assert!(is_answered(1).await);
            assert!(columns.stats().bytes < both);
        }
        assert_eq!(columns.stats().builds, 1);
        // Once nobody asks about it any more, it makes room.
        let mut asked = 0;
        while !is_answered(0).await {
            asked += 1;
            assert!(asked < 100, "the idle one never made room");
        }
        assert_eq!(columns.stats().builds, 2);
        assert!(columns.stats().bytes < both);
        assert!(!is_answered(1).await);
    });
}

/// Whoever has no room beside a busy one is not read in again and again, and no idle one gives way to it in vain.
#[test]
fn publishers_that_have_no_room_beside_busy_ones_leave_idle_ones_alone() {
    block_on(async {
        let mut world = World::new(3).await;
        let (large, busy, idle) = (0, 1, 2);
        for (place, drafts) in [(large, 240), (busy, 120), (idle, 60)] {
            let shape = Shape {
                drafts,
                actions: drafts * 2 / 3,
                ..SHAPE
            };
            let number = u64::try_from(place).unwrap();
            let made = Maker::new(seed() + 340 + number, shape).drafts();
            world.apply(place, &made).await;
        }
        let mut alone = Vec::new();
        for publisher in &world.publishers {
            let store = world.store.with_columns(ColumnsOptions {
                least_changes: 0,
                ..ColumnsOptions::default()
            });
            store.columns().unwrap().want(publisher.id);
            while worker::columns::tick(&store).await.unwrap() {}
            alone.push(store.columns().unwrap().stats().bytes);
        }
        let max_bytes = alone[large] + alone[busy] * 3 / 4;
        assert!(alone[busy] + alone[idle] <= max_bytes, "{alone:?}");
        assert!(max_bytes > alone[large] * 5 / 4, "{alone:?}");
        world.store = world.store.with_columns(ColumnsOptions {
            max_bytes,
            least_changes: 0,
            idle_after: 20,
            ..ColumnsOptions::default()
        });
        let columns = world.store.columns().unwrap().clone();
        for place in [idle, busy] {
            columns.want(world.publishers[place].id);
            assert!(worker::columns::tick(&world.store).await.unwrap());
        }
        let before = columns.stats();
        assert_eq!(before.builds, 2);
        let ask = async |place: usize| {
            let (_, sources) = answers(&world.tx(), &world, place).await;
            let mut tried = 0;
            while worker::columns::tick(&world.store).await.unwrap() {
                tried += 1;
            }
            (sources.contains(&"columns"), tried)
        };
        let mut tried = 0;
        for _ in 0..40 {
            let (is_answered, more) = ask(large).await;
            assert!(!is_answered);
            tried += more;
            assert_eq!(ask(busy).await, (true, 0));
        }
        assert_eq!(tried, 1, "there never was more room than it had reached");
        let stats = columns.stats();
        assert_eq!((stats.builds, stats.rows), (2, before.rows));
        // Once nobody asks about the busy one any more, it has room.
        let mut asked = 0;
        while !ask(large).await.0 {
            asked += 1;
            assert!(asked < 100, "there is room enough");
        }
        let stats = columns.stats();
        assert_eq!(stats.builds, 3);
        assert!(stats.bytes <= max_bytes);
    });
}

#[test]
fn more_currencies_than_columns_can_number_are_left_to_sql() {
    block_on(async {
        let world = World::rich(seed() + 38, SHAPE).await.in_columns().await;
        assert_follow(&world, 0, "at first").await;
        // A file with made-up codes.
        let shape = Shape {
            drafts: 300,
            ..SHAPE
        };
        let mut more = Maker::new(seed() + 138, shape).drafts();
        for (number, draft) in more.iter_mut().enumerate() {
            draft.external_id = format!("70{number}");
            let letter = |place: usize| char::from(b'A' + u8::try_from(place % 26).unwrap());
            let code: String = [letter(number / 26), letter(number), 'Q'].iter().collect();
            draft.standing.currency = Currency::parse(&code).unwrap();
        }
        world.apply(0, &more).await;
        let (_, sources) = answers(&world.tx(), &world, 0).await;
        assert!(!sources.contains(&"columns"), "{sources:?}");
        while worker::columns::tick(&world.store).await.unwrap() {}
        let (_, sources) = answers(&world.tx(), &world, 0).await;
        assert!(!sources.contains(&"columns"), "{sources:?}");
        // Nobody tries again and again.
        assert!(!worker::columns::tick(&world.store).await.unwrap());
    });
}

#[test]
fn a_question_of_columns_sends_one_statement_and_says_so() {
    block_on(async {
        let mut world = World::rich(seed() + 35, SHAPE).await.in_columns().await;
        let recorder = Recorder::default();
        world.store = world.store.recorded(&recorder);
        let mut asked = request(
            &[Dimension::UserAge],
            &[Metric::Users, Metric::Reward],
            None,
        );
        asked.wanted.explain = true;
        asked.wanted.totals.clone_from(&asked.metrics);
        let found = report::run(&world.tx(), world.read(0), &asked, ReportLimits::default())
            .await
            .unwrap();
        let sent = recorder.take();
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(sent[0].contains("publisher_states"), "{sent:?}");
        assert!(
            found.explain.contains(", or of columns in memory"),
            "{}",
            found.explain
        );
        assert!(
            found
                .explain
                .contains("read from columns in memory: 3 of these questions"),
            "{}",
            found.explain
        );
    });
}

#[test]
fn the_api_tells_what_columns_answered() {
    block_on(async {
        let world = World::rich(seed() + 36, SHAPE).await.in_columns().await;
        let api = Api::of(&world, 0);
        let range = "range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";
        let query = format!(
            "{{ users: userSegments({range}) {{ info {{ source }} nodes {{ size topProducts(first: 2) {{ nodes {{ units }} }} }} }} \
             products: productSegments({range}, filter: {{country: {{eq: \"RU\"}}}}) {{ info {{ source }} nodes {{ size }} }} \
             comments: productSegments({range}, filter: {{comment: {{isNull: true}}}}) {{ info {{ source }} }} \
             top: topSellingProducts({range}, first: 3) {{ info {{ source }} nodes {{ units }} }} \
             report({range}, groupBy: [USER_AGE]) {{ info {{ sources }} nodes {{ values {{ users }} }} }} }}"
        );
        let data = api.data(&query, &json!({})).await;
        for (name, source) in [
            ("users", "COLUMNS"),
            ("products", "COLUMNS"),
            ("comments", "FACTS"),
            ("top", "COLUMNS"),
        ] {
            assert_eq!(data[name]["info"]["source"], source, "{name}");
        }
        assert_eq!(data["report"]["info"]["sources"], json!(["columns"]));
    });
}

/// What an operation may cost, and what it did.
async fn costs(api: &Api, query: &str) -> (u64, u64) {
    let answer = api.answer(query, &json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    let cost = &answer["extensions"]["cost"];
    let points = |name: &str| cost[name].as_u64().unwrap();
    (points("requestedQueryCost"), points("actualQueryCost"))
}

#[test]
fn what_columns_answer_costs_what_columns_take() {
    block_on(async {
        let world = World::rich(seed() + 37, SHAPE).await;
        let of_tables = Api::of(&world, 0);
        let range = "range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";
        let by_country = "filter: {country: {eq: \"RU\"}}";
        let by_comment = "filter: {comment: {isNull: true}}";
        let query =
            |with: &str| format!("{{ userSegments({range}, {with}) {{ nodes {{ size }} }} }}");
        let (plain, filtered, hidden) = (query("first: 1"), query(by_country), query(by_comment));
        let mut before = Vec::new();
        for query in [&plain, &filtered, &hidden] {
            before.push(costs(&of_tables, query).await);
        }
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        let held = costs(&api, &plain).await;
        assert!(
            held.0 < before[0].0,
            "known beforehand: {held:?}, {before:?}"
        );
        assert!(held.1 < before[0].1, "{held:?}, {before:?}");
        let held = costs(&api, &filtered).await;
        assert!(
            held.0 < before[1].0 && held.1 < before[1].1,
            "a filter that is theirs to test: {held:?}, {before:?}"
        );
        assert_eq!(
            costs(&api, &hidden).await,
            before[2],
            "the database reads it"
        );
        let both = format!(
            "{{ a: {} b: {} }}",
            &plain[1..plain.len() - 1],
            &hidden[1..hidden.len() - 1]
        );
        let (_, used) = costs(&api, &both).await;
        assert!(
            used >= before[2].1,
            "what the database reads is paid: {used}, {before:?}"
        );
    });
}

/// Segments that a list has not, of those that it was asked for, take nothing of its trend; those that it has take little beside
/// the division that is made for all of them.
#[test]
fn a_trend_of_a_list_costs_what_dividing_once_takes() {
    block_on(async {
        let world = World::rich(seed() + 39, SHAPE).await.in_columns().await;
        let api = Api::of(&world, 0);
        let range = "range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";
        // Nobody is in UNATTRIBUTED, which is the last of its list and has no trend.
        let of_somebody = "segments: [NEW, RETURNING, CHAMPIONS, LOYAL_CUSTOMERS, POTENTIAL_LOYALISTS, NEW_CUSTOMERS, \
                           PROMISING, NEED_ATTENTION, ABOUT_TO_SLEEP, CANT_LOSE_THEM, AT_RISK, HIBERNATING, HIGH_VALUE, \
                           COUNTRY, DEVICE], ";
        for (list, which) in [("userSegments", of_somebody), ("productSegments", "")] {
            let query = |first: u32| {
                format!(
                    "{{ {list}({range}, {which}first: {first}) {{ nodes {{ size trend({range}, bucket: MONTH) {{ size }} }} }} }}"
                )
            };
            let (one, eight) = (costs(&api, &query(1)).await, costs(&api, &query(8)).await);
            assert!(one.1 <= one.0, "{list}: {one:?}");
            assert!(
                one.1 < eight.1 && eight.1 < 3 * one.1,
                "{list}: {one:?}, {eight:?}"
            );
            let all = costs(&api, &query(90)).await;
            assert!(all.1 < all.0, "{list}: {all:?}");
        }
    });
}

/// Cohorts have the price of columns beforehand, unless their filter or their axis is not theirs to answer.
#[test]
fn cohorts_cost_what_columns_take() {
    block_on(async {
        let world = World::rich(seed() + 40, SHAPE).await;
        let of_tables = Api::of(&world, 0);
        let query = |with: &str| {
            let range = "range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";
            format!("{{ userCohorts({range}, {with}) {{ cohorts {{ size }} }} }}")
        };
        let zoned = query("currency: \"USD\", timeZone: \"Europe/Berlin\", weekStart: SUNDAY");
        let country = query("filter: {country: {eq: \"RU\"}}");
        let comment = query("filter: {comment: {isNull: true}}");
        let closed = query("dateAxis: CLOSED");
        let asked = [
            (zoned, true),
            (country, true),
            (comment, false),
            (closed, false),
        ];
        let mut before = Vec::new();
        for (query, _) in &asked {
            before.push(costs(&of_tables, query).await);
        }
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        for ((query, is_theirs), left) in asked.iter().zip(before) {
            let held = costs(&api, query).await;
            if *is_theirs {
                assert!(
                    held.0 < left.0 && held.1 < left.1,
                    "{held:?}, {left:?}: {query}"
                );
            } else {
                assert_eq!(held, left, "{query}");
            }
        }
    });
}

/// A rule that columns tell has their price beforehand; one that lets in who has no action, and one that looks at what they do not
/// hold, have the database's.
#[test]
fn a_segment_costs_what_columns_take() {
    block_on(async {
        let world = World::rich(seed() + 38, SHAPE).await;
        let of_tables = Api::of(&world, 0);
        let preview = |metric: &str| {
            format!(
                "{{ previewSegment(rule: {{users: {{metric: {{metric: ACTIONS, {metric}}}}}}}) {{ size }} }}"
            )
        };
        let rules = [
            preview("atLeast: 2"),
            preview("atMost: 0"),
            preview("atLeast: 1, actions: {comment: {isNull: true}}"),
        ];
        let mut before = Vec::new();
        for query in &rules {
            let size = of_tables.data(query, &json!({})).await["previewSegment"]["size"].clone();
            before.push((size, costs(&of_tables, query).await));
        }
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        for (place, query) in rules.iter().enumerate() {
            let (size, left) = &before[place];
            let told = api.data(query, &json!({})).await;
            assert_eq!(told["previewSegment"]["size"], *size, "{query}");
            let held = costs(&api, query).await;
            if place == 0 {
                assert!(held.0 < left.0 && held.1 < left.1, "{held:?}, {left:?}");
            } else {
                assert_eq!(held, *left, "{query}");
            }
        }
    });
}

/// What a saved segment costs is a matter of its own rule: one that SQL has to answer is not cheap because others are.
#[test]
fn a_saved_segment_costs_what_its_rule_takes() {
    block_on(async {
        let world = World::rich(seed() + 39, SHAPE).await;
        let of_tables = Api::of(&world, 0);
        let made = |name: &str, metric: &str| {
            format!(
                "{name}: createSegment(name: \"{name}\", rule: {{users: {{metric: {{metric: ACTIONS, {metric}}}}}}}) {{ segment {{ id }} }}"
            )
        };
        let rules = [
            ("told", "atLeast: 2"),
            ("untold", "atMost: 0"),
            ("noted", "atLeast: 1, actions: {comment: {isNull: true}}"),
        ];
        let all: Vec<String> = rules
            .iter()
            .map(|(name, metric)| made(name, metric))
            .collect();
        let made = of_tables
            .data(&format!("mutation {{ {} }}", all.join(" ")), &json!({}))
            .await;
        let asked = |name: &str| {
            let id = &made[name]["segment"]["id"];
            [
                format!("{{ segment(id: {id}) {{ size }} }}"),
                format!("{{ users(filter: {{segment: {{in: [{id}]}}}}) {{ totalCount }} }}"),
            ]
        };
        let mut before = Vec::new();
        for (name, _) in rules {
            for query in asked(name) {
                before.push((name, costs(&of_tables, &query).await, query));
            }
        }
        let listed = "{ segments(first: 10) { nodes { size } } }";
        let all = costs(&of_tables, listed).await;
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        for (name, left, query) in before {
            let held = costs(&api, &query).await;
            if name == "told" {
                assert!(
                    held.0 < left.0 && held.1 < left.1,
                    "{held:?}, {left:?}: {query}"
                );
            } else {
                assert_eq!(held, left, "{query}");
            }
        }
        assert_eq!(costs(&api, listed).await, all, "two of three are SQL's");
    });
}

/// What members did, and what they bought, costs less where columns hold it: known beforehand, and in the end.
#[test]
fn what_members_did_costs_what_columns_take() {
    block_on(async {
        let world = World::rich(seed() + 40, SHAPE).await;
        let of_tables = Api::of(&world, 0);
        let made = "mutation { createSegment(name: \"told\", rule: {users: {metric: {metric: ACTIONS, atLeast: 2}}}) { \
                    segment { id } } }";
        let made = of_tables.data(made, &json!({})).await;
        let id = &made["createSegment"]["segment"]["id"];
        let range = "range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";
        let asked = [
            format!("trend({range}, bucket: MONTH) {{ size }}"),
            format!("trend({range}, bucket: MONTH) {{ size metrics {{ actions }} }}"),
            format!("metrics({range}) {{ actions reward {{ amount }} }}"),
            format!("topProducts({range}, first: 2, by: ACTIONS) {{ nodes {{ units }} }}"),
        ];
        let asked = asked.map(|field| format!("{{ segment(id: {id}) {{ {field} }} }}"));
        let mut before = Vec::new();
        for query in &asked {
            before.push(costs(&of_tables, query).await);
        }
        let world = world.in_columns().await;
        let api = Api::of(&world, 0);
        for (query, left) in asked.iter().zip(before) {
            let held = costs(&api, query).await;
            assert!(
                held.0 < left.0 && held.1 < left.1,
                "{held:?}, {left:?}: {query}"
            );
        }
    });
}

/// A caller whose operations may cost so many points.
fn at_most(world: &World, cost: u64) -> Api {
    let mut options = EngineOptions::default();
    options.documents.cost = cost;
    Api::with(world, 0, options)
}

/// That a question is refused for its price, and whether it is said that columns are being read in.
async fn is_refused_till_read_in(api: &Api, query: &str) -> bool {
    let answer = api.answer(query, &json!({})).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "COST_EXCEEDED", "{answer:#}");
    let message = error["message"].as_str().unwrap();
    message.contains("is being read into memory")
}

/// The same world with columns of which none is read in yet.
fn begun_anew(world: &mut World, max_bytes: usize, least_changes: i64) {
    world.store = world.store.with_columns(ColumnsOptions {
        max_bytes,
        least_changes,
        ..ColumnsOptions::default()
    });
}

const ROOM: usize = 512 << 20;

/// A world and trends of built-in and of saved segments in it, each with what it costs where columns hold the facts, which is
/// less than otherwise.
async fn trends_and_prices(seed: u64) -> (World, Vec<(String, u64)>) {
    let world = World::rich(seed, SHAPE).await;
    let of_tables = Api::of(&world, 0);
    let made = "mutation { createSegment(name: \"told\", rule: {users: {metric: {metric: ACTIONS, atLeast: 2}}}) { \
                segment { id } } }";
    let made = of_tables.data(made, &json!({})).await;
    let id = &made["createSegment"]["segment"]["id"];
    let range = "range: {days: {from: \"2026-02-01\", to: \"2026-06-30\"}}";
    let queries = [
        format!("{{ userSegments({range}, first: 1) {{ nodes {{ size }} }} }}"),
        format!("{{ segment(id: {id}) {{ trend({range}, bucket: MONTH) {{ size }} }} }}"),
    ];
    let mut before = Vec::new();
    for query in &queries {
        before.push(costs(&of_tables, query).await.0);
    }
    let world = world.in_columns().await;
    let api = Api::of(&world, 0);
    let mut priced = Vec::new();
    for (query, before) in queries.into_iter().zip(before) {
        let (held, _) = costs(&api, &query).await;
        assert!(held < before, "{held} of {before}: {query}");
        priced.push((query, held));
    }
    (world, priced)
}

/// What is refused for the database's price has the columns read in that answer it for less, and says so.
#[test]
fn what_is_refused_for_its_price_has_columns_read_in() {
    block_on(async {
        let (mut world, priced) = trends_and_prices(seed() + 41).await;
        for (query, held) in priced {
            begun_anew(&mut world, ROOM, 0);
            let api = at_most(&world, held);
            assert!(is_refused_till_read_in(&api, &query).await, "{query}");
            assert!(worker::columns::tick(&world.store).await.unwrap());
            api.data(&query, &json!({})).await;

            // More changed than a question catches up with. Another server's estimates know of it.
            #[expect(
                clippy::disallowed_methods,
                reason = "the log is made longer behind the store's back"
            )]
            let db = Database::connect(&world.url).await.unwrap();
            let id = world.publishers[0].id.0;
            db.execute_unprepared(&format!(
                "UPDATE publisher_states SET change_seq = change_seq + 5001 WHERE publisher_id = {id}"
            ))
            .await
            .unwrap();
            let api = at_most(&world, held);
            assert!(is_refused_till_read_in(&api, &query).await, "{query}");
            assert!(worker::columns::tick(&world.store).await.unwrap());
            api.data(&query, &json!({})).await;

            // A point less, and columns do not help.
            begun_anew(&mut world, ROOM, 0);
            let api = at_most(&world, held - 1);
            assert!(!is_refused_till_read_in(&api, &query).await, "{query}");
            assert!(!worker::columns::tick(&world.store).await.unwrap());
        }
    });
}

/// A bucket that never holds the database's price is a limit like the other; being refused costs a point.
#[test]
fn what_no_bucket_holds_has_columns_read_in() {
    block_on(async {
        let (mut world, priced) = trends_and_prices(seed() + 42).await;
        for (query, held) in priced {
            begun_anew(&mut world, ROOM, 0);
            let api = Api::of(&world, 0).paying(held);
            assert!(is_refused_till_read_in(&api, &query).await, "{query}");
            assert_eq!(api.left(), held - 1);
            assert!(worker::columns::tick(&world.store).await.unwrap());
            api.paying(held).data(&query, &json!({})).await;
        }
    });
}

/// Nothing is promised, and nothing read in, where columns are off, the publisher is too small for them or they have no room,
/// nor for a key that they never answer.
#[test]
fn what_columns_will_not_answer_is_refused_without_a_promise() {
    block_on(async {
        let (mut world, priced) = trends_and_prices(seed() + 43).await;
        let (query, held) = &priced[0];
        for (max_bytes, least_changes) in [(0, 0), (ROOM, 1_000_000)] {
            begun_anew(&mut world, max_bytes, least_changes);
            let api = at_most(&world, *held);
            assert!(!is_refused_till_read_in(&api, query).await);
            assert!(!worker::columns::tick(&world.store).await.unwrap());
        }
        begun_anew(&mut world, 4_096, 0);
        let api = at_most(&world, *held);
        // How much room they need is known when they were read.
        assert!(is_refused_till_read_in(&api, query).await);
        assert!(worker::columns::tick(&world.store).await.unwrap());
        assert!(!is_refused_till_read_in(&api, query).await);
        assert!(!worker::columns::tick(&world.store).await.unwrap());

        begun_anew(&mut world, ROOM, 0);
        let limits = Limits {
            ad_spaces: Some(vec!["78".to_owned()]),
            ..Limits::default()
        };
        let api = at_most(&world, *held).narrowed(limits);
        assert!(!is_refused_till_read_in(&api, query).await);
        assert!(!worker::columns::tick(&world.store).await.unwrap());
    });
}

#[test]
fn a_server_shows_what_columns_take() {
    block_on(async {
        let server =
            running("columns_min_changes = 0\ncolumns_warm_up = true\nmetrics = \"local\"").await;
        let text = server
            .client
            .get(format!("http://{}/metrics", server.address))
            .send()
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        for name in [
            "bytes",
            "rows",
            "builds_total",
            "catch_ups_total",
            "fallbacks_total",
        ] {
            let name = format!("actiongraph_columns_{name} ");
            assert!(text.contains(&name), "{name} in {text}");
        }
    });
}
