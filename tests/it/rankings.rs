//! Rankings: the statements that they send, as files in `tests/golden/rankings`, and how many actions they may read.
//!
//! A run writes and compares the statements of its own database; Citus runs PostgreSQL's. `UPDATE_GOLDEN=1` writes them.

use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::drafts::{Shape, currency};
use crate::support::is_postgres;
use crate::support::report_requests::{first, orders};
use crate::support::statement::tables;
use crate::support::world::{World, block_on};
use actiongraph::analytics::{sources, top};
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::report::ReportLimits;
use actiongraph::domain::sales::{FactQuery, RankBy, SalesGroup, SalesQuery};
use actiongraph::domain::time::{DAY_US, Span};
use actiongraph::graphql::EngineOptions;
use actiongraph::store::{ReadTx, Recorder};
use serde_json::{Value as Json, json};
use std::path::Path;
use uuid::Uuid;

/// Rankings by name, each of which shows another way to an answer: over 90 or 30 local days, whose first and last UTC day
/// is ragged, or over UTC days.
fn rankings() -> Vec<(&'static str, SalesQuery)> {
    let quarter = (
        "2026-04-01T18:30:00Z",
        "2026-06-30T18:30:00Z",
        "Asia/Kolkata",
    );
    let month = (
        "2026-05-31T18:30:00Z",
        "2026-06-30T18:30:00Z",
        "Asia/Kolkata",
    );
    let utc = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", "UTC");
    let reward = RankBy::Reward(currency("USD"));
    let of = |range: (&str, &str, &str), group, by| SalesQuery {
        facts: FactQuery::counted(orders(range.0, range.1, range.2), Filter::default()),
        group,
        by,
        page: first(10),
        products: Filter::default(),
    };
    let mut filtered = of(month, SalesGroup::CategoryLevel1, RankBy::Actions);
    let country = ActionTest::Field(ActionField::Country, Op::Eq(Value::from("RU")));
    filtered.facts.filter = Filter::Test(country);
    vec![
        (
            "categories-by-local-days",
            of(quarter, SalesGroup::CategoryLevel1, RankBy::Units),
        ),
        (
            "categories-of-level-2-by-local-days",
            of(quarter, SalesGroup::CategoryLevel2, reward),
        ),
        (
            "categories-in-utc",
            of(utc, SalesGroup::CategoryOwn, RankBy::Units),
        ),
        ("categories-of-a-country", filtered),
        (
            "products-by-local-days",
            of(month, SalesGroup::Product, RankBy::Units),
        ),
        (
            "products-by-reward-and-local-days",
            of(month, SalesGroup::Product, reward),
        ),
    ]
}

/// What a ranking sends, by what it is asked for.
async fn sent(world: &World, query: &SalesQuery) -> Vec<(&'static str, Vec<String>)> {
    let recorder = Recorder::default();
    let tx = ReadTx::new(&world.store.recorded(&recorder));
    let (scope, facts, group) = (world.read(0), &query.facts, query.group);
    let mut all = Vec::new();
    top::ranked(&tx, scope, query).await.unwrap();
    all.push(("the page", recorder.take()));
    let span = facts.range.span;
    let before = Span::of_micros(span.from.micros() - span.micros(), span.from.micros());
    let mut keys = vec![Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2))];
    keys.extend((group != SalesGroup::Product).then_some(None));
    top::sums_of(&tx, scope, &facts.in_span(before), group, &keys)
        .await
        .unwrap();
    all.push(("its groups in the period before", recorder.take()));
    top::group_count(&tx, scope, query).await.unwrap();
    all.push(("how many groups there are", recorder.take()));
    top::totals(&tx, scope, facts).await.unwrap();
    all.push(("totals", recorder.take()));
    all
}

#[test]
fn statements_of_rankings_are_those_of_the_files() {
    block_on(async {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rankings");
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever changes statements on purpose says so; the product's settings have nothing to do with it"
        )]
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        let world = World::new(1).await;
        let mut wrong = Vec::new();
        for (name, query) in rankings() {
            let source = sources::of_group(world.read(0), &query.facts, query.group);
            let mut text = String::new();
            for (what, statements) in sent(&world, &query).await {
                assert!(
                    !statements.is_empty(),
                    "{name}: nothing was sent for {what}"
                );
                for statement in &statements {
                    for alias in tables(statement) {
                        assert!(
                            statement.contains(&format!("{alias}.publisher_id")),
                            "{name}: nothing says whose rows {alias} has:\n{statement}"
                        );
                    }
                }
                text.push_str(&format!("-- {what}\n{}\n\n", statements.join("\n\n")));
            }
            let files: &[&str] = if is_postgres() {
                &["postgres.sql", "citus.sql"]
            } else {
                &["sqlite.sql"]
            };
            let plan = format!("{query:#?}\n{source:#?}\n");
            let statements = files
                .iter()
                .map(|file| (*file, text.trim_end().to_owned() + "\n"));
            for (file, text) in statements.chain([("plan.txt", plan)]) {
                let path = folder.join(name).join(file);
                if update {
                    std::fs::create_dir_all(folder.join(name)).unwrap();
                    std::fs::write(&path, &text).unwrap();
                }
                let golden = std::fs::read_to_string(&path).unwrap_or_default();
                if golden != text {
                    wrong.push(format!("{name}/{file}: is now\n{text}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

const SHAPE: Shape = Shape {
    drafts: 300,
    actions: 220,
    wild: false,
};

/// A caller whose questions may read so many actions.
fn reading(world: &World, facts: i64) -> Api {
    let options = EngineOptions {
        reports: ReportLimits {
            facts,
            ..ReportLimits::default()
        },
        ..EngineOptions::default()
    };
    Api::with(world, 0, options)
}

/// The message of the one refusal in an answer.
fn refusal(answer: &Json) -> String {
    let errors = answer["errors"].as_array();
    let errors = errors.unwrap_or_else(|| panic!("it was answered: {answer:#}"));
    assert_eq!(errors.len(), 1, "{answer:#}");
    assert_eq!(
        errors[0]["extensions"]["code"], "LIMIT_EXCEEDED",
        "{answer:#}"
    );
    errors[0]["message"].as_str().unwrap().to_owned()
}

const SPRING: &str = "range: {days: {from: \"2026-02-01\", to: \"2026-05-31\"}}";
const DAY: &str = "range: {days: {from: \"2026-04-01\", to: \"2026-04-01\"}}";
const RU: &str = "filter: {country: {eq: \"RU\"}}";

#[test]
fn a_ranking_that_would_read_too_many_actions_is_refused_with_a_remedy() {
    block_on(async {
        let world = World::rich(seed() + 41, SHAPE).await;
        let all = i64::try_from(world.facts(0).await.actions.len()).unwrap();
        let (few, many) = (reading(&world, 2), reading(&world, all));
        for (query, words) in [
            (
                format!("{{ topSellingCategories({SPRING}, {RU}) {{ nodes {{ rank }} }} }}"),
                ["the ranking would read", "shorter range"],
            ),
            (
                format!(
                    "{{ topSellingProducts({SPRING}, dateAxis: CLICKED) {{ nodes {{ rank }} }} }}"
                ),
                ["CLICKED", "shorter range"],
            ),
            (
                format!(
                    "{{ topSellingCategories({SPRING}) {{ nodes {{ products(first: 1) {{ nodes {{ units }} }} }} }} }}"
                ),
                ["category and product", "shorter range"],
            ),
            (
                format!(
                    "{{ trafficTargets({SPRING}, {RU}, minOrders: 1) {{ nodes {{ rank }} }} }}"
                ),
                ["the ranking would read", "shorter range"],
            ),
            // What is expected rests on 360 days, also where the range is one.
            (
                format!("{{ trafficTargets({DAY}, dateAxis: CLOSED) {{ nodes {{ rank }} }} }}"),
                ["CLOSED", "360 days"],
            ),
        ] {
            let message = match few.answer(&query, &json!({})).await {
                // Each category of the page says that its products cannot be read.
                answer if query.contains("products(") => {
                    let errors = answer["errors"].as_array().unwrap();
                    errors[0]["message"].as_str().unwrap().to_owned()
                }
                answer => refusal(&answer),
            };
            for word in words
                .into_iter()
                .chain(["more than 2 actions", "limits.reportActions"])
            {
                assert!(message.contains(word), "{word}: {message}");
            }
            many.data(&query, &json!({})).await;
        }
        let told = few.data("{ limits { reportActions } }", &json!({})).await;
        assert_eq!(told["limits"]["reportActions"], 2);
        // What totals answer is not limited, and a day is always read.
        for query in [
            format!(
                "{{ topSellingCategories({SPRING}) {{ totalCount totals {{ units }} nodes {{ share change {{ ratio }} }} }} }}"
            ),
            format!(
                "{{ topSellingProducts({SPRING}, filter: {{currency: {{eq: \"USD\"}}}}) {{ totalCount nodes {{ change {{ ratio }} }} }} }}"
            ),
            format!(
                "{{ trafficTargets({SPRING}, minOrders: 1) {{ totalCount nodes {{ trend {{ ratio }} }} }} }}"
            ),
            format!(
                "{{ topSellingCategories({DAY}, {RU}) {{ totalCount nodes {{ change {{ ratio }} }} }} }}"
            ),
        ] {
            few.data(&query, &json!({})).await;
        }
    });
}

/// What totals answer is priced by the actions that may be read one by one, not by all that there are.
#[test]
fn what_totals_answer_is_not_refused_for_its_price() {
    const REPORT: &str = "{ report(range: {days: {from: \"2025-01-01\", to: \"2026-06-30\"}}, groupBy: [STATUS], \
                          includeVanished: true, first: 3) { nodes { values { actions } } } }";
    block_on(async {
        let world = World::rich(seed() + 46, SHAPE).await;
        let all = i64::try_from(world.facts(0).await.actions.len()).unwrap();
        let price = async |api: &Api| {
            let answer = api.answer(REPORT, &json!({})).await;
            assert_eq!(answer.get("errors"), None, "{answer:#}");
            let cost = &answer["extensions"]["cost"];
            cost["requestedQueryCost"].as_u64().unwrap()
        };
        let limited = price(&reading(&world, 2)).await;
        let whole = price(&reading(&world, all)).await;
        assert!(limited < whole, "{limited} of {whole}");
        let paying = |facts| {
            let mut options = EngineOptions {
                reports: ReportLimits {
                    facts,
                    ..ReportLimits::default()
                },
                ..EngineOptions::default()
            };
            options.documents.cost = limited;
            Api::with(&world, 0, options)
        };
        paying(2).data(REPORT, &json!({})).await;
        let refused = paying(all).answer(REPORT, &json!({})).await;
        let extensions = &refused["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "COST_EXCEEDED", "{refused:#}");
    });
}

/// The period that a ranking is compared with counts by itself.
#[test]
fn the_period_before_is_limited_as_well() {
    block_on(async {
        let world = World::rich(seed() + 42, SHAPE).await;
        let facts = world.facts(0).await;
        let first = orders("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "UTC");
        let start = first.span.from.micros();
        let within = |from: i64, to: i64| {
            let at = facts.actions.values().map(|action| action.ordered_at_us);
            let found = at.filter(|at| (from..to).contains(at)).count();
            i64::try_from(found).unwrap()
        };
        let month = 30 * DAY_US;
        let (from, now) = (1..180)
            .map(|day| start + day * DAY_US)
            .map(|from| (from, within(from, from + month)))
            .find(|(from, now)| *now > 5 && within(from - month, *from) > *now)
            .unwrap();
        let span = Span::of_micros(from, from + month);
        let range = json!({ "range": { "between": {
            "from": span.from.to_string(), "to": span.to.to_string() } } });
        let api = reading(&world, now);
        let ask = async |fields: &str| {
            let query = format!(
                "query($range: RangeInput!) {{ topSellingCategories(range: $range, filter: {{country: {{isNull: false}}}}, first: 1) {{ nodes {{ {fields} }} }} }}"
            );
            api.answer(&query, &range).await
        };
        let answer = ask("rank share").await;
        assert_eq!(answer.get("errors"), None, "{answer:#}");
        let shown = answer["data"]["topSellingCategories"]["nodes"].as_array();
        assert_eq!(shown.unwrap().len(), 1);
        let message = refusal(&ask("rank change { ratio }").await);
        assert!(
            message.contains(&format!("more than {now} actions")),
            "{message}"
        );
    });
}

/// Columns in memory give a page without reading actions one by one; what they do not give is limited.
#[test]
fn a_page_of_columns_is_not_limited() {
    block_on(async {
        let world = World::rich(seed() + 43, SHAPE).await.in_columns().await;
        let api = reading(&world, 2);
        let filter = "filter: {items: {some: {units: {gte: 1}}}}";
        let ask = async |fields: &str| {
            let query = format!("{{ topSellingProducts({SPRING}, {filter}) {{ {fields} }} }}");
            api.answer(&query, &json!({})).await
        };
        let answer = ask("info { source } nodes { rank units }").await;
        assert_eq!(answer.get("errors"), None, "{answer:#}");
        assert_eq!(
            answer["data"]["topSellingProducts"]["info"]["source"],
            "COLUMNS"
        );
        let message = refusal(&ask("totalCount").await);
        assert!(message.contains("more than 2 actions"), "{message}");
        // They sum up all actions as well, and what a report says of itself.
        let facts = world.facts(0).await;
        let ids = facts.actions.keys();
        let sold = ids.filter(|id| facts.cart(**id).iter().any(|item| item.units >= 1));
        let sold = sold.count();
        for fields in ["totals { units }", "info { actions warnings { code } }"] {
            let answer = ask(fields).await;
            assert_eq!(answer.get("errors"), None, "{answer:#}");
        }
        let query =
            format!("{{ actions({filter}) {{ totals {{ count }} info {{ source actions }} }} }}");
        let list = api.data(&query, &json!({})).await["actions"].clone();
        let info = json!({"source": "COLUMNS", "actions": sold});
        assert_eq!(list, json!({"totals": {"count": sold}, "info": info}));
        let query = format!(
            "{{ report({SPRING}, {filter}) {{ totals {{ actions }} info {{ sources cartCoverage warnings {{ code }} }} }} }}"
        );
        let report = api.data(&query, &json!({})).await["report"].clone();
        assert_eq!(report["info"]["sources"], json!(["columns"]));
        assert!(report["info"]["cartCoverage"].is_number(), "{report:#}");
    });
}

/// Totals of a list, and how complete it is, would read the facts of all time where no total has them.
#[test]
fn totals_of_a_list_are_limited_as_well() {
    block_on(async {
        let world = World::rich(seed() + 44, SHAPE).await;
        let facts = world.facts(0).await;
        let all = i64::try_from(facts.actions.len()).unwrap();
        let (few, many) = (reading(&world, 2), reading(&world, all));
        let by_subid = "filter: {subid1: {isNull: false}}";
        for (query, words) in [
            (
                format!("{{ actions({by_subid}) {{ totals {{ count }} }} }}"),
                ["totals would read", "give a range"],
            ),
            (
                format!("{{ actions({by_subid}) {{ info {{ warnings {{ code }} }} }} }}"),
                ["info would read", "totals know status"],
            ),
            (
                format!("{{ actions({SPRING}, {by_subid}) {{ totals {{ count }} }} }}"),
                ["totals would read", "shorter range"],
            ),
            (
                format!("{{ earnings({SPRING}, dateAxis: CLICKED) {{ netReward {{ amount }} }} }}"),
                ["earnings would read", "CLICKED"],
            ),
        ] {
            let message = refusal(&few.answer(&query, &json!({})).await);
            let always = ["more than 2 actions", "limits.reportActions"];
            for word in words.into_iter().chain(always) {
                assert!(message.contains(word), "{word}: {message}");
            }
            many.data(&query, &json!({})).await;
        }
        // What totals have, the actions that are named, and those of a day are always read.
        let of_users = "filter: {user: {id: {isNull: false}}}";
        let query =
            format!("{{ actions(first: 5, {of_users}) {{ nodes {{ id user {{ id }} }} }} }}");
        let page = few.data(&query, &json!({})).await;
        let named = page["actions"]["nodes"].as_array().unwrap();
        let named: Vec<&Json> = named.iter().map(|node| &node["id"]).collect();
        let named = json!({ "filter": {"id": {"in": named}} });
        let list = "totals { count } info { actions }";
        let query =
            format!("query($filter: ActionFilter) {{ actions(filter: $filter) {{ {list} }} }}");
        let answer = few.data(&query, &named).await["actions"].clone();
        assert_eq!(
            answer,
            json!({"totals": {"count": 5}, "info": {"actions": 5}})
        );
        // So are those of users that are named, however many others have.
        let mut users = page["actions"]["nodes"].as_array().unwrap().iter();
        let user = users.find_map(|node| node["user"]["id"].as_str()).unwrap();
        let of_user = json!({ "filter": {"user": {"id": {"eq": user}}} });
        let counted = query.replace(list, &format!("totalCount {list}"));
        let answer = few.data(&counted, &of_user).await["actions"].clone();
        let count = &answer["totalCount"];
        assert!(count.as_i64().unwrap() > 0, "{answer:#}");
        assert_eq!(answer["totals"]["count"], *count);
        assert_eq!(answer["info"]["actions"], *count);
        for args in [
            "(filter: {status: {eq: APPROVED}})".to_owned(),
            format!("({DAY}, {by_subid})"),
            String::new(),
        ] {
            let query = format!("{{ actions{args} {{ {list} }} }}");
            few.data(&query, &json!({})).await;
        }
    });
}

/// What cannot be told of a list leaves its rows.
#[test]
fn a_list_keeps_its_rows_where_its_info_is_refused() {
    block_on(async {
        let world = World::rich(seed() + 45, SHAPE).await;
        let few = reading(&world, 2);
        let rows = "orderBy: [{field: ORDERED_AT, direction: ASC}], first: 5";
        let by_subid = "filter: {subid1: {isNull: false}}";
        let query = format!(
            "{{ actions({by_subid}, {rows}) {{ nodes {{ id }} info {{ warnings {{ code }} }} }} }}"
        );
        let answer = few.answer(&query, &json!({})).await;
        let message = refusal(&answer);
        assert!(message.contains("info would read more than 2"), "{message}");
        assert_eq!(answer["errors"][0]["path"][1], "info", "{answer:#}");
        let list = &answer["data"]["actions"];
        assert_eq!(list["info"], Json::Null);
        assert!(!list["nodes"].as_array().unwrap().is_empty(), "{answer:#}");
    });
}

/// A report counts them so as well, and then knows their currencies.
#[test]
fn a_report_of_a_limited_key_counts_facts_up_to_the_limit() {
    block_on(async {
        let world = World::rich(seed() + 47, SHAPE).await;
        let all = i64::try_from(world.facts(0).await.actions.len()).unwrap();
        // All rows, in a way that no total keeps apart.
        let limits = || Limits {
            not_before: Some(0),
            ..Limits::default()
        };
        let query = "{ report(range: {days: {from: \"2025-01-01\", to: \"2026-06-30\"}}, groupBy: [USER_FREQUENCY]) \
                     { nodes { values { actions users reward { amount currency } } } } }";
        let few = reading(&world, 2).narrowed(limits());
        let answer = few.answer(query, &json!({})).await;
        let message = refusal(&answer);
        assert!(message.contains("more than 2 actions"), "{message}");
        // The third action is counted, and none after it.
        assert_eq!(answer["errors"][0]["extensions"]["value"], 3, "{answer:#}");
        let sent = few.statements.take();
        let counts: Vec<&String> = sent.iter().filter(|sql| sql.contains("COUNT(")).collect();
        assert_eq!(counts.len(), 1, "{sent:#?}");
        assert!(counts[0].contains("LIMIT"), "{}", counts[0]);
        let enough = reading(&world, all).narrowed(limits());
        let seen = enough.data(query, &json!({})).await;
        assert!(!seen["report"]["nodes"].as_array().unwrap().is_empty());
        assert_eq!(seen, Api::of(&world, 0).data(query, &json!({})).await);
    });
}

/// Of whoever no total is left to, facts are counted no further than it takes to refuse them, and once for a list.
#[test]
fn facts_are_counted_once_and_up_to_the_limit() {
    block_on(async {
        let world = World::rich(seed() + 46, SHAPE).await;
        // All rows, in a way that no total keeps apart.
        let limits = Limits {
            not_before: Some(0),
            ..Limits::default()
        };
        let few = reading(&world, 2).narrowed(limits);
        let query = "{ actions(first: 5) { nodes { id } totals { count } info { actions } } }";
        let answer = few.answer(query, &json!({})).await;
        let list = &answer["data"]["actions"];
        assert_eq!(list["nodes"].as_array().unwrap().len(), 5, "{answer:#}");
        assert_eq!(list["totals"], Json::Null, "{answer:#}");
        assert_eq!(list["info"], Json::Null, "{answer:#}");
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2, "{answer:#}");
        for error in errors {
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("more than 2 actions"), "{message}");
        }
        let sent = few.statements.take();
        let counts: Vec<&String> = sent.iter().filter(|sql| sql.contains("COUNT(")).collect();
        assert_eq!(counts.len(), 1, "{sent:#?}");
        assert!(counts[0].contains("LIMIT"), "{}", counts[0]);
    });
}
