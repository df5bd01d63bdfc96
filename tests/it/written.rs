//! Rows that are written at once are those that the framework writes field by field, to the byte: data, errors and costs.

use crate::support::api::Api;
use crate::support::asking::Asking;
use crate::support::check::{seed, soak};
use crate::support::dice::Dice;
use crate::support::drafts::Shape;
use crate::support::world::{World, block_on};
use actiongraph::graphql::{EngineOptions, Outcome, Writing};
use serde_json::{Value, json};

const SHAPE: Shape = Shape {
    drafts: 160,
    actions: 110,
    wild: true,
};
/// How many random questions `make test` asks.
const FEW: usize = 300;

/// One database, asked both ways.
struct Ways {
    _world: World,
    at_once: Api,
    by_field: Api,
    asking: Asking,
}

impl Ways {
    async fn of(seed: u64) -> Self {
        let world = World::rich(seed, SHAPE).await;
        let api = |writing| {
            let options = EngineOptions {
                writing,
                ..EngineOptions::default()
            };
            Api::with(&world, 0, options)
        };
        let (at_once, by_field) = (api(Writing::AtOnce), api(Writing::ByField));
        let mut asking = Asking::of(&by_field).await;
        let some = "{ actions(first: 3) { nodes { id } } products(first: 3) { nodes { id } } }";
        let data = by_field.data(some, &json!({})).await;
        let lists = ["actions", "products"].map(|list| data[list]["nodes"].as_array().unwrap());
        let ids = lists.into_iter().flatten().map(|node| &node["id"]);
        asking.ids = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        asking.texts = vec!["a".to_owned(), "m-1".to_owned()];
        Self {
            _world: world,
            at_once,
            by_field,
            asking,
        }
    }

    /// Asks both ways; gives the answer and whether it is whole.
    async fn ask(&self, query: &str, variables: &Value) -> (Value, bool) {
        let expected = self.by_field.reply(query, variables).await;
        let found = self.at_once.reply(query, variables).await;
        let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(text(&found.body), text(&expected.body), "{query}");
        assert_eq!(found.outcome, expected.outcome, "{query}");
        assert_eq!(found.statements, expected.statements, "{query}");
        let answer = serde_json::from_slice(&found.body).unwrap();
        (answer, found.outcome == Outcome::Complete)
    }
}

#[test]
fn every_field_is_answered_the_same_way() {
    block_on(async {
        let ways = Ways::of(31).await;
        let (mut asked, mut whole) = (0, 0);
        for query in ways.asking.every_field() {
            asked += 1;
            whole += usize::from(ways.ask(&query, &json!({})).await.1);
        }
        assert!(asked > 200 && whole * 10 > asked * 9, "{whole} of {asked}");
    });
}

/// How reports are divided, and what else is asked of them.
const REPORTS: &[&str] = &[
    "bucket: DAY, groupBy: [STATUS]",
    "bucket: MONTH, groupBy: [CURRENCY, ACTION_TYPE], fillGaps: true, compareWith: YEAR_BEFORE",
    "bucket: WEEK, fillGaps: true, timeZone: \"Asia/Kathmandu\", currency: \"USD\"",
    "groupBy: [PROGRAM, COUNTRY], currency: \"EUR\"",
    "groupBy: [SUBID0, DEVICE], filter: {currency: {eq: \"USD\"}}, last: 4",
    "groupBy: [AD_SPACE, DECLINE_REASON], filter: {status: {eq: DECLINED}}",
    "groupBy: [USER_AGE, USER_FREQUENCY]",
    "groupBy: [PRODUCT], having: [{metric: UNITS, atLeast: \"2\"}]",
    "groupBy: [CATEGORY_LEVEL_1, STATUS]",
    "groupBy: [CATEGORY_LEVEL_2]",
    "groupBy: [USER_SEGMENT], builtInSegments: [{users: {kind: CHAMPIONS}}]",
    "groupBy: [TARIFF, PROMO_CODE]",
    "",
];

#[test]
fn any_selection_of_a_report_is_answered_the_same_way() {
    block_on(async {
        let ways = Ways::of(32).await;
        let mut dice = Dice::new(seed());
        let (mut whole, mut rows) = (0, 0);
        let asked = soak("WRITTEN_ROUNDS").unwrap_or(FEW);
        for _ in 0..asked {
            let how = dice.pick(REPORTS);
            let range = "range: {days: {from: \"2026-02-01\", to: \"2026-05-31\"}}";
            let page = if how.contains("last") {
                ""
            } else {
                "first: 12"
            };
            let call = format!("report({range}, {how} {page})");
            // Rows under several names, so that what was written stands beside what was not.
            let query = ways.asking.drawn(&mut dice, &call, "ReportConnection", 4);
            let (answer, is_whole) = ways.ask(&query, &json!({ "no": false })).await;
            whole += usize::from(is_whole);
            let parts = answer["data"]["report"].as_object();
            let lists = parts
                .into_iter()
                .flatten()
                .filter_map(|(_, part)| part.as_array());
            rows += lists.map(Vec::len).sum::<usize>();
        }
        assert!(
            whole * 2 > asked && rows > asked,
            "{whole} of {asked} with {rows} rows"
        );
    });
}

/// The questions that are asked most, with what a row can be asked for.
#[test]
fn rows_of_all_shapes_are_answered_the_same_way() {
    const RANGE: &str = "range: {days: {from: \"2026-02-01\", to: \"2026-05-31\"}}";
    const MONEY: &str = "reward { amount currency } orderAmount { c: currency currency amount }";
    block_on(async {
        let ways = Ways::of(33).await;
        for (how, selected) in [
            (
                "bucket: DAY, groupBy: [STATUS]",
                "nodes { time { from } key { status } values { actions reward { amount currency } } }",
            ),
            (
                "bucket: DAY",
                "edges { cursor node { range filter time { from to } values { units conversionLag { median p90 } effectiveRate { currency ratio } } } } pageInfo { startCursor endCursor }",
            ),
            (
                "bucket: MONTH, currency: \"USD\"",
                "nodes { share(of: REWARD) s: share(of: ACTIONS) change(of: REWARD) { previous absolute ratio } compared { actions } running { reward { amount } users } } totals { actions approvalRate } others { units }",
            ),
            (
                "bucket: MONTH",
                "nodes { share(of: REWARD, currency: \"RUB\") c: change(of: USERS) { ratio } d: change(of: CONVERSION_LAG) { previous } }",
            ),
            (
                "groupBy: [CATEGORY_LEVEL_2]",
                "nodes { filter key { category { name } } values { units } }",
            ),
            (
                "groupBy: [USER_AGE, COUNTRY]",
                "nodes { filter key { userAge country status } }",
            ),
            (
                "groupBy: [PRODUCT]",
                "a: nodes { key { product { name sales { reward { amount } } } } values { units } } b: nodes { values { units } }",
            ),
            // Refused, as a whole or where it stands.
            ("bucket: MONTH", "nodes { share(of: REWARD) }"),
            (
                "bucket: MONTH",
                "nodes { share(of: ACTIONS, currency: \"USD\") }",
            ),
            (
                "groupBy: [PRODUCT]",
                "nodes { values { paidReward { amount } } }",
            ),
        ] {
            let query = format!("{{ report({RANGE}, {how}, first: 50) {{ {selected} }} }}");
            ways.ask(&query, &json!({})).await;
        }
        let lists = format!(
            "{{ actions(first: 20) {{ nodes {{ reward {{ amount }} r: reward {{ currency __typename }} orderAmount {{ amount currency }} }} \
             totals {{ count {MONEY} }} }} topSellingProducts({RANGE}, first: 9) {{ nodes {{ units {MONEY} }} others {{ {MONEY} }} }} }}"
        );
        let (answer, is_whole) = ways.ask(&lists, &json!({})).await;
        assert!(is_whole, "{answer:#}");
    });
}
