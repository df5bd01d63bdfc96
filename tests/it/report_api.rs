//! Reports as a caller of the API meets them: keys, the filter of each row, what is computed, pages, refusals.

use crate::support::api::Api;
use crate::support::drafts::{Shape, at};
use crate::support::world::{World, block_on};
use actiongraph::domain::money::Currency;
use actiongraph::domain::report::rates::Rate;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::text::fold;
use actiongraph::domain::time::Day;
use actiongraph::store::rates;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SHAPE: Shape = Shape {
    drafts: 300,
    actions: 220,
    wild: false,
};

/// Four months that hold most of the world's actions, and an hour that ends ragged.
const MONTHS: &str = "range: {days: {from: \"2026-02-01\", to: \"2026-05-31\"}}";

async fn setting(seed: u64) -> (World, Api) {
    let world = World::rich(seed, SHAPE).await;
    let api = Api::of(&world, 0);
    (world, api)
}

async fn rows(api: &Api, query: &str) -> Vec<Value> {
    let data = api.data(query, &json!({})).await;
    data["report"]["nodes"].as_array().unwrap().clone()
}

fn number(value: &Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// Metrics that tell two groups apart.
const MEASURED: &str = "values { actions users reward { amount currency } }";

/// All that a key can hold.
const KEY: &str = "key { program { id } adSpace { id } country status actionType currency device subid0 subid1 subid2 subid3 \
     subid4 product { id } category { id } one: category(level: ONE) { id } two: category(level: TWO) { id } tariff promoCode \
     declineReason userAge userFrequency }";

/// What reports are divided by, and what else is asked of them.
const DIVISIONS: &[(&str, &str)] = &[
    ("groupBy: [PROGRAM]", ""),
    ("groupBy: [AD_SPACE, COUNTRY]", ""),
    (
        "groupBy: [STATUS, CURRENCY, ACTION_TYPE]",
        "filter: {status: {ne: UNKNOWN}, not: {country: {eq: \"RU\"}}}",
    ),
    (
        "groupBy: [DEVICE, SUBID0, SUBID2]",
        "filter: {or: [{paid: {eq: true}}, {currency: {in: [\"USD\", \"EUR\"]}}], and: []}",
    ),
    (
        "groupBy: [SUBID1, STATUS]",
        "filter: {subid1: {isNull: false}}",
    ),
    ("groupBy: [SUBID3, SUBID4]", ""),
    ("groupBy: [TARIFF, PROMO_CODE]", ""),
    ("groupBy: [DECLINE_REASON]", ""),
    ("groupBy: [DECLINE_REASON, STATUS]", ""),
    ("groupBy: [PRODUCT]", ""),
    (
        "groupBy: [CATEGORY_LEVEL_1]",
        "filter: {items: {some: {units: {gt: 1}}}}",
    ),
    ("groupBy: [CATEGORY_LEVEL_2]", ""),
    ("groupBy: [CATEGORY_OWN, AD_SPACE]", ""),
    (
        "groupBy: [CATEGORY_LEVEL_1, CATEGORY_LEVEL_2, CATEGORY_OWN]",
        "",
    ),
    ("groupBy: [PRODUCT, CATEGORY_LEVEL_2, STATUS]", ""),
    ("groupBy: [USER_AGE]", ""),
    ("groupBy: [USER_FREQUENCY, STATUS]", ""),
    (
        "bucket: DAY, groupBy: [COUNTRY]",
        "timeZone: \"Asia/Kathmandu\"",
    ),
    (
        "bucket: WEEK, fillGaps: true",
        "timeZone: \"America/St_Johns\", weekStart: SUNDAY",
    ),
    (
        "bucket: MONTH, groupBy: [CATEGORY_LEVEL_1]",
        "timeZone: \"Europe/Berlin\", dateAxis: CLICKED",
    ),
    (
        "bucket: DAY",
        "timeZone: \"Pacific/Chatham\", dateAxis: CLOSED",
    ),
];

/// A row's filter lists n actions; the report of these alone has the same group, with the same n actions. So the filter
/// lists the group's actions and no others.
#[test]
fn the_filter_of_a_row_lists_exactly_its_actions() {
    block_on(async {
        let (_world, api) = setting(21).await;
        let mut listed = 0;
        for (divided, how) in DIVISIONS {
            let query = format!(
                "{{ report({MONTHS}, {divided}, {how}, first: 10000) {{ nodes {{ filter range {MEASURED} {KEY} }} }} }}"
            );
            let rows = rows(&api, &query).await;
            assert!(!rows.is_empty(), "{divided} {how}");
            for row in rows {
                if row["filter"].is_null() {
                    let words = [&row["key"]["userAge"], &row["key"]["userFrequency"]];
                    let depends = |word: &&Value| word.is_string() && **word != "UNATTRIBUTED";
                    assert!(words.iter().any(depends), "{row:#}");
                    continue;
                }
                lists_its_actions(&api, divided, how, &row).await;
                listed += 1;
            }
        }
        assert!(listed > 300, "{listed}");
    });
}

async fn lists_its_actions(api: &Api, divided: &str, how: &str, row: &Value) {
    // The axis, the zone and the weeks of the report; its filter is in the row's.
    let kept = |part: &&str| {
        ["timeZone", "dateAxis", "weekStart"]
            .iter()
            .any(|name| part.starts_with(name))
    };
    let how: Vec<&str> = how.split(", ").filter(kept).collect();
    let how = how.join(", ");
    let query = format!(
        "query($filter: ActionFilter, $range: RangeInput!) {{ actions(filter: $filter, range: $range, {how}) {{ totalCount }} \
         report(filter: $filter, range: $range, {divided}, {how}, first: 10000) {{ nodes {{ {MEASURED} {KEY} }} }} }}"
    );
    let variables = json!({ "filter": row["filter"], "range": row["range"] });
    let data = api.data(&query, &variables).await;
    let listed = &data["actions"]["totalCount"];
    assert_eq!(listed, &row["values"]["actions"], "{divided}\n{row:#}");
    let again = data["report"]["nodes"].as_array().unwrap();
    let same = again.iter().find(|other| other["key"] == row["key"]);
    // A stretch that was filled has no group of its own.
    if *listed != json!(0) {
        let values = same.map(|same| &same["values"]);
        assert_eq!(values, Some(&row["values"]), "{divided}\n{row:#}");
    }
}

const BAD: &str = "BAD_USER_INPUT";
const LIMIT: &str = "LIMIT_EXCEEDED";

/// Arguments, fields, and the error: its code, the argument at fault, and a part of what it says.
const REFUSED: &[(&str, &str, &str, &str, &str)] = &[
    (
        "groupBy: [STATUS, COUNTRY, STATUS]",
        "totalCount",
        BAD,
        "groupBy",
        "STATUS twice",
    ),
    (
        "groupBy: [STATUS, COUNTRY, PROGRAM, DEVICE, SUBID1, TARIFF]",
        "totalCount",
        LIMIT,
        "groupBy",
        "the most is 5",
    ),
    (
        "fillGaps: true",
        "totalCount",
        BAD,
        "fillGaps",
        "bucket: DAY",
    ),
    (
        "orderBy: [{dimension: COUNTRY}]",
        "totalCount",
        BAD,
        "orderBy",
        "add it to groupBy",
    ),
    (
        "orderBy: [{time: true}]",
        "totalCount",
        BAD,
        "orderBy",
        "bucket: DAY",
    ),
    (
        "orderBy: [{direction: ASC}]",
        "totalCount",
        BAD,
        "orderBy",
        "exactly one of",
    ),
    (
        "groupBy: [STATUS], orderBy: [{dimension: STATUS, metric: USERS}]",
        "totalCount",
        BAD,
        "orderBy",
        "exactly one of",
    ),
    (
        "groupBy: [STATUS], orderBy: [{metric: USERS}, {metric: USERS, direction: ASC}]",
        "totalCount",
        BAD,
        "orderBy",
        "twice",
    ),
    (
        "groupBy: [STATUS], orderBy: [{metric: REWARD}]",
        "totalCount",
        BAD,
        "orderBy.currency",
        "currency: \"USD\"",
    ),
    (
        "groupBy: [STATUS], orderBy: [{metric: EFFECTIVE_RATE}]",
        "totalCount",
        BAD,
        "orderBy.currency",
        "currency: \"USD\"",
    ),
    (
        "groupBy: [STATUS], orderBy: [{metric: USERS, currency: \"USD\"}]",
        "totalCount",
        BAD,
        "orderBy.currency",
        "leave currency out",
    ),
    (
        "groupBy: [STATUS], orderBy: [{dimension: STATUS, currency: \"USD\"}]",
        "totalCount",
        BAD,
        "orderBy",
        "leave currency out",
    ),
    (
        "groupBy: [STATUS], currency: \"EUR\", orderBy: [{metric: REWARD, currency: \"USD\"}]",
        "totalCount",
        BAD,
        "orderBy.currency",
        "converted to EUR",
    ),
    (
        "groupBy: [STATUS], having: [{metric: REWARD, atLeast: 1}]",
        "totalCount",
        BAD,
        "having.currency",
        "currency: \"USD\"",
    ),
    (
        "groupBy: [STATUS], having: [{metric: USERS}]",
        "totalCount",
        BAD,
        "having",
        "atLeast or atMost",
    ),
    (
        "groupBy: [PRODUCT]",
        "nodes { values { conversionLag { median } } }",
        BAD,
        "groupBy",
        "conversionLag cannot be asked for by PRODUCT",
    ),
    (
        "groupBy: [CATEGORY_OWN], orderBy: [{metric: CART_COVERAGE}]",
        "totalCount",
        BAD,
        "groupBy",
        "cartCoverage",
    ),
    (
        "groupBy: [CATEGORY_LEVEL_1], having: [{metric: PAID_REWARD, currency: \"USD\", atLeast: 1}]",
        "totalCount",
        BAD,
        "groupBy",
        "paidReward",
    ),
    (
        "groupBy: [STATUS]",
        "nodes { share(of: REWARD) }",
        BAD,
        "share.currency",
        "currency: \"USD\"",
    ),
    (
        "groupBy: [STATUS]",
        "nodes { share(of: APPROVAL_RATE) }",
        BAD,
        "share.of",
        "APPROVAL_RATE is no part of a whole",
    ),
    (
        "groupBy: [STATUS]",
        "nodes { change(of: AVERAGE_REWARD) { ratio } }",
        BAD,
        "change.currency",
        "currency: \"USD\"",
    ),
    (
        "groupBy: [STATUS]",
        "nodes { change(of: UNITS, currency: \"USD\") { ratio } }",
        BAD,
        "change.currency",
        "leave currency out",
    ),
    (
        "groupBy: [STATUS]",
        "totalsChange(of: REWARD) { ratio }",
        BAD,
        "totalsChange.currency",
        "currency: \"USD\"",
    ),
    (
        "first: 3, last: 3",
        "totalCount",
        BAD,
        "last",
        "first with after",
    ),
    ("first: -1", "totalCount", BAD, "first", "0 to 10000"),
    ("first: 10001", "totalCount", LIMIT, "first", "10000"),
    ("after: \"x\"", "totalCount", BAD, "after", "not a cursor"),
    (
        "bucket: QUARTER_HOUR",
        "totalCount",
        LIMIT,
        "bucket",
        "10000",
    ),
];

/// The filter of a row is written out: it holds the values of variables, and nothing of those that were not given.
#[test]
fn a_filter_of_variables_comes_back_with_their_values() {
    block_on(async {
        let (_world, api) = setting(21).await;
        let fields = "nodes { filter }";
        let query = format!(
            "query($status: ActionStatus!, $none: CountryCode, $null: AdSpaceFilter, $all: ActionFilter) {{ \
             part: report({MONTHS}, groupBy: [STATUS], filter: {{status: {{eq: $status}}, country: {{ne: $none}}, adSpace: $null, \
             reward: {{gte: 1}}}}) {{ {fields} }} \
             all: report({MONTHS}, groupBy: [CURRENCY], filter: $all) {{ {fields} }} \
             none: report({MONTHS}, filter: $all) {{ {fields} }} }}"
        );
        let all = json!({ "or": [{ "status": { "in": ["APPROVED", "DECLINED"] } }], "not": null, "currency": { "in": ["USD"] } });
        let variables = json!({ "status": "APPROVED", "null": null, "all": all });
        let data = api.data(&query, &variables).await;
        let part = json!({ "status": { "eq": "APPROVED" }, "country": {}, "adSpace": null, "reward": { "gte": 1 } });
        assert_eq!(data["part"]["nodes"], json!([{ "filter": part }]));
        let mut both = all.clone();
        both["and"] = json!([{ "currency": { "eq": "USD" } }]);
        assert_eq!(data["all"]["nodes"], json!([{ "filter": both }]));
        assert_eq!(data["none"]["nodes"], json!([{ "filter": all }]));
    });
}

/// What is refused says which argument is at fault, and what would do.
#[test]
fn refusals_name_the_argument_and_the_remedy() {
    block_on(async {
        let (_world, api) = setting(22).await;
        for (arguments, fields, code, argument, said) in REFUSED {
            let months = MONTHS.replace("2026-02-01", "2025-02-01");
            let query = format!("{{ report({months}, {arguments}) {{ {fields} }} }}");
            let answer = api.answer(&query, &json!({})).await;
            let error = &answer["errors"][0];
            let told = (
                &error["extensions"]["code"],
                &error["extensions"]["argument"],
            );
            assert_eq!(
                told,
                (&json!(code), &json!(argument)),
                "{arguments} {fields}\n{answer:#}"
            );
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(said), "{arguments} {fields}\n{message}");
        }
        // A page larger than any is refused before execution.
        let query =
            format!("{{ report({MONTHS}, first: 10001) {{ nodes {{ values {{ actions }} }} }} }}");
        let answer = api.answer(&query, &json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED",
            "{answer:#}"
        );
    });
}

/// An operation pays for the groups that it asks for.
#[test]
fn the_cost_of_a_report_is_its_page() {
    block_on(async {
        let (_world, api) = setting(22).await;
        for (arguments, fields, cost) in [
            ("", "nodes { values { actions } }", 100),
            (
                "first: 10000,",
                "nodes { values { actions } key { program { name } } }",
                10_000,
            ),
            ("last: 7,", "edges { cursor }", 7),
            ("first: 500,", "totals { actions } totalCount", 0),
        ] {
            let query =
                format!("{{ report({MONTHS}, {arguments} groupBy: [PROGRAM]) {{ {fields} }} }}");
            let answer = api.answer(&query, &json!({})).await;
            assert_eq!(answer.get("errors"), None, "{answer:#}");
            assert_eq!(answer["extensions"]["cost"]["rows"], cost, "{arguments}");
        }
        let told = api
            .data(
                "{ limits { operationRows reportDimensions reportStretches reportPages { default maximum } } }",
                &json!({}),
            )
            .await;
        assert_eq!(
            told["limits"],
            json!({
                "operationRows": 10_000, "reportDimensions": 5, "reportStretches": 10_000, "reportPages": { "default": 100, "maximum": 10_000 }
            })
        );
    });
}

/// What is not selected is not computed: neither under an alias, nor in a fragment, nor behind a directive.
#[test]
fn only_what_is_selected_is_computed() {
    block_on(async {
        let (_world, api) = setting(23).await;
        let written = async |head: &str, fields: &str, fragments: &str| {
            let query = format!(
                "{head} {{ report({MONTHS}, groupBy: [COUNTRY]) {{ {fields} }} }} {fragments}"
            );
            api.data(&query, &json!({})).await;
            api.statements.take()
        };
        let sent = async |fields: &str| written("query", fields, "").await;
        let text = |statements: &[String]| statements.join("\n");
        let counts = sent("nodes { values { actions } }").await;
        let is_silent = |statements: &[String], word: &str| {
            assert!(!text(statements).contains(word), "{}", text(statements));
        };
        is_silent(&counts, "user_id");
        is_silent(&counts, "reward");
        let directive = written(
            "query($yes: Boolean = true, $no: Boolean = false)",
            "nodes { values { ...Values } }",
            "fragment Values on ReportValues { many: actions @include(if: $yes) users @include(if: $no) reward @skip(if: $yes) { amount } }",
        )
        .await;
        assert_eq!(
            directive, counts,
            "what a directive leaves out costs nothing"
        );
        let key = sent("nodes { key { country } range filter }").await;
        assert_eq!(key, counts, "what comes with the group costs nothing");
        let running = sent("nodes { values { actions } running { actions } } totalCount").await;
        assert_eq!(running.len(), counts.len(), "nor is there one more for it");
        is_silent(&running, "user_id");
        let info =
            sent("nodes { values { actions } } info { explain sources rowsRead range { to } }");
        assert_eq!(info.await, counts, "nor what the report knows of itself");

        let users = sent("nodes { values { users } }").await;
        assert!(text(&users).contains("user_id"), "{}", text(&users));
        let hidden = written(
            "query",
            "edges { n: node { ...People } }",
            "fragment People on ReportRow { ... on ReportRow { v: values { people: users } } }",
        )
        .await;
        assert_eq!(hidden, users, "under an alias, in a fragment, in edges");

        let of_all = sent("nodes { values { actions } } all: totals { actions }").await;
        assert!(of_all.len() > counts.len(), "{}", text(&of_all));
        assert_eq!(sent("nodes { share(of: ACTIONS) }").await, of_all);
        is_silent(&sent("totals { actions }").await, "country");
        let compared = sent("nodes { values { actions } compared { actions } }").await;
        assert!(compared.len() > counts.len(), "{}", text(&compared));
        let change = sent("nodes { change(of: ACTIONS) { ratio } }").await;
        assert_eq!(change, compared);
        let both = sent("totals { actions } comparedTotals { actions }").await;
        assert_eq!(sent("totalsChange(of: ACTIONS) { ratio }").await, both);
        is_silent(&both, "country");
        let before = sent("comparedTotals { actions }").await;
        assert!(before.len() < both.len(), "{}", text(&before));

        // What one part of a report selects, no other part computes.
        let sorted = |parts: &[&[String]]| {
            let mut all = parts.concat();
            all.sort_unstable();
            all
        };
        let found = sent("nodes { values { actions } } totals { users }").await;
        let of_totals = sent("totals { users }").await;
        assert_eq!(sorted(&[&found]), sorted(&[&counts, &of_totals]));
        let found = sent("nodes { values { users } } totals { actions }").await;
        let of_totals = sent("totals { actions }").await;
        assert_eq!(sorted(&[&found]), sorted(&[&users, &of_totals]));
        let found = sent("nodes { values { users } compared { actions } }").await;
        assert_eq!(sorted(&[&found, &counts]), sorted(&[&users, &compared]));
        let found = sent("nodes { values { actions } running { users actions } } totalCount");
        assert_eq!(found.await, running, "users do not add up");
        let others = sent("nodes { values { actions } } others { users actions }").await;
        is_silent(&others, "user_id");
    });
}

#[test]
fn pages_give_each_group_once_and_the_others_are_the_rest() {
    block_on(async {
        let (_world, api) = setting(24).await;
        let report = "groupBy: [COUNTRY, STATUS, SUBID1], orderBy: [{metric: REWARD, currency: \"USD\"}, {dimension: STATUS, direction: ASC}]";
        let fields = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totals { actions units reward { amount currency } } \
             others { actions units users reward { amount currency } } \
             nodes { key { country status subid1 } values { actions units reward { amount currency } } running { actions users } }";
        let all = api
            .data(
                &format!("{{ report({MONTHS}, {report}, first: 10000) {{ {fields} }} }}"),
                &json!({}),
            )
            .await;
        let all = &all["report"];
        let nodes = all["nodes"].as_array().unwrap();
        assert!(nodes.len() > 40, "{}", nodes.len());
        assert_eq!(all["totalCount"], json!(nodes.len()));
        assert_eq!(all["others"]["actions"], 0);
        assert_eq!(all["others"]["users"], json!(null), "users do not add up");
        let mut sum = 0;
        for node in nodes {
            sum += number(&node["values"]["actions"]);
            assert_eq!(node["running"], json!({ "actions": sum, "users": null }));
        }
        assert_eq!(json!(sum), all["totals"]["actions"]);
        let forward = |cursor: Option<&str>| {
            (
                format!("first: 7, after: {}", json!(cursor)),
                "endCursor",
                "hasNextPage",
            )
        };
        let backward = |cursor: Option<&str>| {
            (
                format!("last: 7, before: {}", json!(cursor)),
                "startCursor",
                "hasPreviousPage",
            )
        };
        type Step<'a> = &'a dyn Fn(Option<&str>) -> (String, &'static str, &'static str);
        let ways: [(Step<'_>, bool); 2] = [(&forward, false), (&backward, true)];
        for (step, reversed) in ways {
            let mut walked: Vec<Value> = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let (page, end, more) = step(cursor.as_deref());
                let query = format!("{{ report({MONTHS}, {report}, {page}) {{ {fields} }} }}");
                let data = api.data(&query, &json!({})).await;
                let found = &data["report"];
                let nodes = found["nodes"].as_array().unwrap().clone();
                let shown: i64 = nodes
                    .iter()
                    .map(|node| number(&node["values"]["actions"]))
                    .sum();
                assert_eq!(number(&found["others"]["actions"]), sum - shown);
                assert_eq!(found["totals"], all["totals"]);
                let place = if reversed { 0 } else { walked.len() };
                walked.splice(place..place, nodes);
                if found["pageInfo"][more] == json!(false) {
                    break;
                }
                cursor = Some(found["pageInfo"][end].as_str().unwrap().to_owned());
            }
            assert_eq!(&walked, nodes, "reversed: {reversed}");
        }
        let end = all["pageInfo"]["endCursor"].clone();
        let other = format!(
            "{{ report({MONTHS}, groupBy: [COUNTRY, STATUS, SUBID1], after: {end}) {{ totalCount nodes {{ range }} }} }}"
        );
        let refused = api.answer(&other, &json!({})).await;
        assert_eq!(
            refused["errors"][0]["extensions"]["argument"], "after",
            "{refused:#}"
        );
        assert!(
            refused["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("another order")
        );
    });
}

/// Groups of a month in one currency, which is the filter's.
const MARCH: &str = "range: {days: {from: \"2026-03-01\", to: \"2026-03-31\"}}, groupBy: [COUNTRY], filter: {currency: {eq: \"USD\"}}";

/// What the values of a group can be put in relation to.
const RELATED: &str = "totalCount totals { actions reward { amount } } nodes { values { actions reward { amount } approvalRate } \
     compared { actions reward { amount } approvalRate } share(of: REWARD) many: share(of: ACTIONS) \
     money: change(of: REWARD) { previous absolute ratio } count: change(of: ACTIONS, currency: null) { previous absolute ratio } \
     rate: change(of: APPROVAL_RATE) { previous absolute ratio } }";

async fn march(api: &Api, having: &str) -> Value {
    let query = format!("{{ report({MARCH}, {having}) {{ {RELATED} }} }}");
    api.data(&query, &json!({})).await["report"].take()
}

/// The reward, 0 where there is none.
fn reward(values: &Value) -> f64 {
    let amount = values["reward"][0]["amount"].as_str();
    amount.map_or(0.0, |text| text.parse().unwrap())
}

#[track_caller]
fn near(told: &Value, expected: f64) {
    let text = told.as_str().map(|text| text.parse().unwrap());
    let told = told.as_f64().or(text).unwrap();
    assert!((told - expected).abs() < 0.000_051, "{told} {expected}");
}

/// Shares and changes are those of the values beside them.
#[test]
fn shares_and_changes_fit_the_values() {
    block_on(async {
        let (_world, api) = setting(25).await;
        let all = march(&api, "").await;
        let (mut rates, mut changes) = (0, 0);
        for node in all["nodes"].as_array().unwrap() {
            let (values, compared) = (&node["values"], &node["compared"]);
            near(&node["share"], reward(values) / reward(&all["totals"]));
            let actions = |values: &Value| values["actions"].as_f64().unwrap();
            near(&node["many"], actions(values) / actions(&all["totals"]));
            let (now, before) = (reward(values), reward(compared));
            near(&node["money"]["previous"], before);
            near(&node["money"]["absolute"], now - before);
            let (now, before) = (actions(values), actions(compared));
            near(&node["count"]["previous"], before);
            near(&node["count"]["absolute"], now - before);
            if before > 0.0 {
                changes += 1;
                near(&node["count"]["ratio"], (now - before) / before);
            } else {
                assert_eq!(node["count"]["ratio"], json!(null));
            }
            let rate = |values: &Value| values["approvalRate"].as_f64();
            if let (Some(now), Some(before)) = (rate(values), rate(compared)) {
                rates += 1;
                near(&node["rate"]["previous"], before);
                near(&node["rate"]["absolute"], now - before);
            } else {
                assert_eq!(node["rate"], json!(null));
            }
        }
        assert!(rates > 2 && changes > 3, "{rates} {changes}");
    });
}

#[test]
fn conditions_leave_groups_out_and_the_totals_alone() {
    block_on(async {
        let (_world, api) = setting(25).await;
        let all = march(&api, "").await;
        let nodes = all["nodes"].as_array().unwrap();
        // The middle one of the rewards parts the groups.
        let mut rewards: Vec<f64> = nodes.iter().map(|node| reward(&node["values"])).collect();
        rewards.sort_by(f64::total_cmp);
        let middle = rewards[rewards.len() / 2];
        let having = format!(
            "having: [{{metric: REWARD, atLeast: \"{middle}\"}}, {{metric: ACTIONS, atMost: 1000}}]"
        );
        let kept = march(&api, &having).await;
        let stays = |node: &&Value| reward(&node["values"]) >= middle;
        let expected: Vec<&Value> = nodes.iter().filter(stays).collect();
        let found: Vec<&Value> = kept["nodes"].as_array().unwrap().iter().collect();
        assert_eq!(found, expected);
        assert!(expected.len() < nodes.len() && !expected.is_empty());
        assert_eq!(kept["totalCount"], json!(expected.len()));
        assert_eq!(kept["totals"], all["totals"]);
    });
}

/// What has a rate is converted, what has none stays and is said; the order needs no further currency.
#[test]
fn money_is_converted_where_a_rate_is_known() {
    block_on(async {
        let (world, api) = setting(28).await;
        let of = |code: &str| Currency::parse(code).unwrap();
        let day = |text: &str| Day::parse(text).unwrap().days();
        // Two dollars are an euro until the end of March, four from then on.
        let rates =
            [("2026-01-01", 500_000_000), ("2026-04-01", 250_000_000)].map(|(from, rate_e9)| {
                Rate {
                    from: of("USD"),
                    to: of("EUR"),
                    day: day(from),
                    rate_e9,
                }
            });
        rates::save(&world.store, &rates).await.unwrap();
        let days = "range: {days: {from: \"2026-03-01\", to: \"2026-04-30\"}}";
        let query = format!(
            "{{ own: report({days}, bucket: MONTH, filter: {{currency: {{ne: \"RUB\"}}}}) {{ nodes {{ values {{ reward {{ amount currency }} }} }} }} \
             all: report({days}, bucket: MONTH, filter: {{currency: {{ne: \"RUB\"}}}}, currency: \"EUR\", orderBy: [{{time: true, direction: ASC}}]) {{ \
             nodes {{ values {{ reward {{ amount currency }} }} share(of: REWARD) }} totals {{ reward {{ amount currency }} }} info {{ missingRates {{ day }} explain }} }} \
             missing: report({days}, groupBy: [CURRENCY], currency: \"eur\", orderBy: [{{metric: REWARD}}]) {{ \
             nodes {{ key {{ currency }} values {{ reward {{ currency }} }} }} info {{ missingRates {{ from to day }} }} }} }}"
        );
        let data = api.data(&query, &json!({})).await;
        let amount = |values: &Value, code: &str| -> f64 {
            let money = values["reward"].as_array().unwrap().iter();
            let found = money.clone().find(|money| money["currency"] == code);
            found.map_or(0.0, |money| {
                money["amount"].as_str().unwrap().parse().unwrap()
            })
        };
        let total = amount(&data["all"]["totals"], "EUR");
        assert!(total.abs() > 1.0, "{data:#}");
        for (month, rate) in [(0, 0.5), (1, 0.25)] {
            let own = &data["own"]["nodes"][month]["values"];
            let row = &data["all"]["nodes"][month];
            let expected = amount(own, "EUR") + amount(own, "USD") * rate;
            assert!(amount(own, "USD").abs() > 1.0, "{own}");
            near(&row["values"]["reward"][0]["amount"], expected);
            assert_eq!(
                row["values"]["reward"].as_array().unwrap().len(),
                1,
                "{row}"
            );
            near(&row["share"], expected / total);
        }
        assert_eq!(data["all"]["info"]["missingRates"], json!([]));
        assert!(
            data["all"]["info"]["explain"]
                .as_str()
                .unwrap()
                .contains("SELECT")
        );

        let missing = &data["missing"]["info"]["missingRates"];
        assert_eq!(missing[0]["from"], "RUB", "{missing}");
        assert_eq!(missing[0]["to"], "EUR");
        assert!(
            missing[0]["day"].as_str().unwrap().starts_with("2026-03-"),
            "{missing}"
        );
        let nodes = data["missing"]["nodes"].as_array().unwrap();
        let shown: Vec<(&Value, &Value)> = nodes
            .iter()
            .map(|row| {
                (
                    &row["key"]["currency"],
                    &row["values"]["reward"][0]["currency"],
                )
            })
            .collect();
        let (eur, usd, rub) = (json!("EUR"), json!("USD"), json!("RUB"));
        assert!(
            shown.contains(&(&usd, &eur)) && shown.contains(&(&eur, &eur)),
            "{shown:?}"
        );
        assert_eq!(
            shown.last(),
            Some(&(&rub, &rub)),
            "without a value in euros it stands last"
        );
    });
}

/// A group with money that has no rate is neither large nor small: it stands last, and no bound holds of it.
#[test]
fn groups_without_a_rate_stand_last_and_satisfy_no_condition() {
    block_on(async {
        let (_world, api) = setting(28).await;
        let query = |more: &str| {
            format!(
                "{{ report({MONTHS}, groupBy: [PROGRAM, AD_SPACE, COUNTRY], currency: \"EUR\", first: 10000, {more}) {{ \
                 nodes {{ {KEY} values {{ actions reward {{ currency }} }} }} }} }}"
            )
        };
        for direction in ["ASC", "DESC"] {
            let order = format!("orderBy: [{{metric: REWARD, direction: {direction}}}]");
            let all = rows(&api, &query(&order)).await;
            let euros = json!([{ "currency": "EUR" }]);
            let is_whole = |row: &&Value| row["values"]["reward"] == euros;
            let whole: Vec<&Value> = all.iter().filter(is_whole).collect();
            assert!(!whole.is_empty() && whole.len() < all.len(), "{all:#?}");
            let first: Vec<&Value> = all.iter().take(whole.len()).collect();
            assert_eq!(first, whole, "{direction}");
            let is_mixed = |row: &Value| {
                let money = row["values"]["reward"].as_array().unwrap();
                money.len() > 1 && money.contains(&euros[0])
            };
            assert!(all.iter().any(is_mixed), "{all:#?}");
            let having = format!("{order}, having: [{{metric: REWARD, atLeast: \"-1000000\"}}]");
            let kept = rows(&api, &query(&having)).await;
            assert_eq!(kept.iter().collect::<Vec<_>>(), whole, "{direction}");
        }
    });
}

/// A decline reason is shown as it is written, and divides whatever its case.
#[test]
fn decline_reasons_are_shown_as_they_are_written() {
    block_on(async {
        let (world, api) = setting(30).await;
        let facts = world.facts(0).await;
        let year = at("2026-01-01T00:00:00Z").micros()..at("2027-01-01T00:00:00Z").micros();
        let declined = facts
            .actions
            .values()
            .filter(|action| action.status == "DECLINED" && year.contains(&action.ordered_at_us));
        let comments: BTreeSet<&str> = declined.filter_map(|a| a.comment.as_deref()).collect();
        let query = |more: &str| {
            format!(
                "{{ report(range: {{days: {{from: \"2026-01-01\", to: \"2026-12-31\"}}}}, groupBy: [DECLINE_REASON{more}], \
                 first: 10000) {{ nodes {{ key {{ declineReason }} }} }} }}"
            )
        };
        let mut shown = BTreeSet::new();
        for more in ["", ", STATUS, COUNTRY"] {
            let found = rows(&api, &query(more)).await;
            let reasons = found
                .iter()
                .filter_map(|row| row["key"]["declineReason"].as_str());
            let reasons: BTreeSet<String> = reasons.map(str::to_owned).collect();
            let written = reasons.iter().filter(|reason| !reason.is_empty());
            for reason in written {
                assert!(
                    comments.contains(reason.as_str()),
                    "{reason:?} of {comments:?}"
                );
                let alike = comments.iter().filter(|other| fold(other) == fold(reason));
                assert_eq!(alike.min(), Some(&reason.as_str()), "the first of them");
            }
            let folded: BTreeSet<String> = reasons.iter().map(|reason| fold(reason)).collect();
            assert_eq!(folded.len(), reasons.len(), "each once, whatever its case");
            shown.extend(reasons);
        }
        assert!(
            shown.iter().any(|reason| *reason != fold(reason)),
            "{shown:?}"
        );
    });
}

/// What could not be converted is no zero: neither a share of the rest nor a change from nothing.
#[test]
fn shares_and_changes_without_a_rate_are_null() {
    block_on(async {
        let (world, api) = setting(28).await;
        let of = |code: &str| Currency::parse(code).unwrap();
        let rate = Rate {
            from: of("USD"),
            to: of("EUR"),
            day: Day::parse("2026-04-01").unwrap().days(),
            rate_e9: 500_000_000,
        };
        rates::save(&world.store, &[rate]).await.unwrap();
        let report = |days: &str, more: &str, code: &str| {
            format!(
                "report(range: {{days: {days}}}, {more}, currency: \"EUR\", filter: {{currency: {{in: {code}}}}}) {{ \
                 nodes {{ values {{ actions reward {{ currency }} }} compared {{ reward {{ currency }} }} share(of: REWARD) many: share(of: ACTIONS) \
                 change(of: REWARD) {{ previous }} mean: change(of: AVERAGE_REWARD) {{ previous }} \
                 rate: change(of: EFFECTIVE_RATE) {{ previous }} count: change(of: ACTIONS) {{ previous }} }} }}"
            )
        };
        let (april, may) = (
            "{from: \"2026-04-01\", to: \"2026-04-30\"}",
            "{from: \"2026-05-01\", to: \"2026-05-30\"}",
        );
        let query = format!(
            "{{ first: {} second: {} mixed: {} euros: {} }}",
            report(april, "groupBy: []", "[\"USD\"]"),
            report(may, "groupBy: []", "[\"USD\"]"),
            report(april, "groupBy: [CURRENCY]", "[\"EUR\", \"RUB\"]"),
            report(april, "groupBy: [CURRENCY]", "[\"EUR\"]"),
        );
        let data = api.data(&query, &json!({})).await;
        let first = &data["first"]["nodes"][0];
        assert_eq!(first["values"]["reward"], json!([{ "currency": "EUR" }]));
        // March is before the first rate.
        assert_eq!(first["compared"]["reward"], json!([{ "currency": "USD" }]));
        for field in ["change", "mean", "rate"] {
            assert_eq!(first[field], json!(null), "{field}: {first:#}");
        }
        assert_ne!(first["count"], json!(null), "{first:#}");
        assert_eq!(first["share"], 1.0);
        let second = &data["second"]["nodes"][0];
        for field in ["change", "mean", "rate"] {
            assert_ne!(second[field], json!(null), "{field}: {second:#}");
        }
        let mixed = data["mixed"]["nodes"].as_array().unwrap();
        assert_eq!(mixed.len(), 2, "{mixed:#?}");
        for row in mixed {
            assert_eq!(row["share"], json!(null), "{row:#}");
            assert!(row["many"].is_f64(), "{row:#}");
        }
        assert_eq!(data["euros"]["nodes"][0]["share"], 1.0);
    });
}

/// Keys are entities, read once for the whole page.
#[test]
fn keys_are_objects_and_each_kind_is_one_statement() {
    block_on(async {
        let (world, api) = setting(26).await;
        let facts = world.facts(0).await;
        let query = |first: usize| {
            format!(
                "{{ report({MONTHS}, groupBy: [PROGRAM, AD_SPACE, PRODUCT, CATEGORY_LEVEL_1, CATEGORY_LEVEL_2], first: {first}) {{ nodes {{ filter key {{ \
                 program {{ name }} again: program {{ externalId }} adSpace {{ name }} product {{ name category {{ name }} }} \
                 one: category(level: ONE) {{ name level }} category {{ name level parent {{ name }} }} own: category(level: OWN) {{ id }} }} \
                 values {{ units }} }} }} }}"
            )
        };
        let mut statements = Vec::new();
        for first in [60, 5_000] {
            let rows = rows(&api, &query(first)).await;
            assert!(rows.len() >= 3);
            statements.push(api.statements.take());
            for row in rows {
                let key = &row["key"];
                let programs = facts.programs.values();
                let names: BTreeSet<&str> = programs.map(|program| program.name.as_str()).collect();
                assert!(
                    names.contains(key["program"]["name"].as_str().unwrap()),
                    "{row:#}"
                );
                assert_eq!(key["own"], json!(null), "not grouped by");
                if !key["one"].is_null() {
                    assert_eq!(key["one"]["level"], 1, "{row:#}");
                    let level = number(&key["category"]["level"]);
                    let above = if level == 1 {
                        &key["category"]["name"]
                    } else {
                        &key["category"]["parent"]["name"]
                    };
                    assert_eq!(above, &key["one"]["name"], "{row:#}");
                }
            }
        }
        let entities = |statements: &[String]| -> Vec<String> {
            let mut tables: Vec<String> = statements
                .iter()
                .flat_map(|sql| {
                    ["programs", "ad_spaces", "products", "categories"]
                        .into_iter()
                        .filter(|table| {
                            sql.contains(&format!("FROM {table} "))
                                || sql.contains(&format!("FROM \"{table}\""))
                        })
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                })
                .collect();
            tables.sort();
            tables
        };
        assert_eq!(statements[0].len(), statements[1].len(), "{statements:#?}");
        // Categories: of keys, of products, and the parents of both levels' keys that are not read yet.
        let read = entities(&statements[1]);
        for table in ["programs", "ad_spaces", "products"] {
            assert_eq!(
                read.iter().filter(|other| *other == table).count(),
                1,
                "{read:?}"
            );
        }
        assert!(
            read.iter().filter(|other| *other == "categories").count() <= 2,
            "{read:?}"
        );
    });
}

/// The definitions are the metrics: each has its field, and can be asked for with what it says and with nothing else.
#[test]
fn definitions_say_what_can_be_asked() {
    block_on(async {
        let (_world, api) = setting(27).await;
        let api = api.allowed(&[KeyScope::Read, KeyScope::Segments]);
        let made = "mutation { users: createSegment(name: \"all users\", rule: {users: {}}) { segment { id } } \
                    products: createSegment(name: \"all products\", rule: {products: {}}) { segment { id } } }";
        let segments = api.data(made, &json!({})).await;
        let data = api.data(
            "{ metricDefinitions { metric field description formula unit additivity dimensions shortestBucket } \
             __type(name: \"ReportValues\") { fields { name } } dimensions: __type(name: \"ReportDimension\") { enumValues { name } } }",
            &json!({}),
        ).await;
        let definitions = data["metricDefinitions"].as_array().unwrap();
        let fields: Vec<&Value> = data["__type"]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| &field["name"])
            .collect();
        let defined: Vec<&Value> = definitions.iter().map(|line| &line["field"]).collect();
        assert_eq!(fields, defined);
        let dimensions = data["dimensions"]["enumValues"].as_array().unwrap();
        for line in definitions {
            let (field, metric) = (
                line["field"].as_str().unwrap(),
                line["metric"].as_str().unwrap(),
            );
            let selection = match line["unit"].as_str().unwrap() {
                "COUNT" | "RATIO" => "",
                "MONEY" => "{ amount currency }",
                "RATIO_PER_CURRENCY" => "{ ratio currency }",
                "SECONDS" => "{ median p90 }",
                other => panic!("{other}"),
            };
            let allowed = line["dimensions"].as_array().unwrap();
            let of_clicks = line["shortestBucket"] == "DAY";
            assert!(allowed.len() > if of_clicks { 1 } else { 10 }, "{line}");
            let by_the_hour = format!(
                "{{ report(range: {{days: {{from: \"2026-04-01\", to: \"2026-04-02\"}}}}, bucket: HOUR) {{ nodes {{ values {{ {field} {selection} }} }} }} }}"
            );
            let answer = api.answer(&by_the_hour, &json!({})).await;
            assert_eq!(
                answer.get("errors").is_some(),
                of_clicks,
                "{metric}: {answer:#}"
            );
            for dimension in dimensions {
                let word = dimension["name"].as_str().unwrap();
                // The order needs no metric of its own then.
                let how = match word {
                    // Segments have to be named.
                    "USER_SEGMENT" => format!("segments: [{}]", segments["users"]["segment"]["id"]),
                    "PRODUCT_SEGMENT" => {
                        format!("segments: [{}]", segments["products"]["segment"]["id"])
                    }
                    _ => format!("orderBy: [{{dimension: {word}, direction: ASC}}]"),
                };
                let query = format!(
                    "{{ report({MONTHS}, groupBy: [{word}], first: 3, {how}) {{ nodes {{ values {{ {field} {selection} }} }} }} }}"
                );
                let answer = api.answer(&query, &json!({})).await;
                let is_allowed = allowed.contains(&dimension["name"]);
                assert_eq!(
                    answer.get("errors").is_none(),
                    is_allowed,
                    "{metric} by {word}: {answer:#}"
                );
            }
        }
    });
}
