//! Built-in segments over time: whoever lists one is told of it what a segment of one's own tells that is nothing else.

use super::api::id_of;
use super::built_in::{WRITES, period, set_rules, world};
use super::over_time::TREND;
use crate::support::api::Api;
use crate::support::check::seed;
use crate::support::dice::Dice;
use crate::support::world::block_on;
use actiongraph::domain::limits::Limits;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Kinds that know no amounts.
const WITHOUT_AMOUNTS: [&str; 4] = ["NEW", "RETURNING", "COUNTRY", "DEVICE"];

/// All segments of users but UNATTRIBUTED, which nobody is in.
const OF_SOMEBODY: &str = "segments: [NEW, RETURNING, CHAMPIONS, LOYAL_CUSTOMERS, POTENTIAL_LOYALISTS, NEW_CUSTOMERS, \
                           PROMISING, NEED_ATTENTION, ABOUT_TO_SLEEP, CANT_LOSE_THEM, AT_RISK, HIBERNATING, HIGH_VALUE, \
                           COUNTRY, DEVICE], first: 90";

/// A built-in segment of a list.
struct Listed {
    /// What it is a set of, as rules call it.
    subject: &'static str,
    /// The condition on being in it.
    condition: Value,
    size: Value,
    trend: Value,
}

impl Listed {
    fn rule(&self) -> Value {
        let rule = Map::from_iter([(
            self.subject.to_owned(),
            json!({ "builtInSegment": self.condition }),
        )]);
        Value::Object(rule)
    }

    fn points(&self) -> &[Value] {
        self.trend.as_array().unwrap()
    }
}

/// All built-in segments that can have members over a period, with the months up to the present.
async fn listed(api: &Api, period: &Value, currency: Option<&str>) -> Vec<Listed> {
    let query = format!(
        "query($period: RangeInput!, $currency: CurrencyCode, $range: RangeInput!) {{ \
         users: userSegments(range: $period, currency: $currency, {OF_SOMEBODY}) {{ nodes {{ kind country device size \
         trend(range: $range, bucket: MONTH) {{ {TREND} }} }} }} \
         products: productSegments(range: $period) {{ nodes {{ kind size \
         trend(range: $range, bucket: MONTH) {{ {TREND} }} }} }} }}"
    );
    let range = json!({ "days": { "from": "2026-02-10", "to": "2026-06-30" } });
    let variables = json!({ "period": period, "currency": currency, "range": range });
    let data = api.data(&query, &variables).await;
    let mut all = Vec::new();
    for subject in ["users", "products"] {
        for node in data[subject]["nodes"].as_array().unwrap() {
            let kind = node["kind"].as_str().unwrap();
            let mut condition = json!({ "kind": kind, "period": period });
            match kind {
                "COUNTRY" => condition["country"] = node["country"].clone(),
                "DEVICE" => condition["device"] = node["device"].clone(),
                _ => {}
            }
            if subject == "users" && !WITHOUT_AMOUNTS.contains(&kind) && currency.is_some() {
                condition["currency"] = json!(currency);
            }
            all.push(Listed {
                subject,
                condition,
                size: node["size"].clone(),
                trend: node["trend"].clone(),
            });
        }
    }
    assert!(all.len() >= 25, "{data:#}");
    all
}

/// Compares all built-in segments that can have members over a period with segments of one's own made of them; the trends.
async fn compare(api: &Api, tag: &str, period: &Value, currency: Option<&str>) -> Vec<Listed> {
    let listed = listed(api, period, currency).await;
    let query = format!(
        "query($name: String!, $range: RangeInput!) {{ segments(nameContains: $name, first: 100) {{ nodes {{ id \
         trend(range: $range, bucket: MONTH) {{ {TREND} }} }} }} }}"
    );
    let mut ids = Vec::new();
    for (place, one) in listed.iter().enumerate() {
        ids.push(id_of(api, &format!("{tag}: {place}"), one.rule()).await);
    }
    let range = json!({ "days": { "from": "2026-02-10", "to": "2026-06-30" } });
    let variables = json!({ "name": format!("{tag}: "), "range": range });
    let data = api.data(&query, &variables).await;
    let nodes = data["segments"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), listed.len());
    for (one, id) in listed.iter().zip(&ids) {
        let own = nodes.iter().find(|node| node["id"] == id.as_str());
        let own = &own.unwrap()["trend"];
        assert_eq!(own, &one.trend, "{}", one.condition);
        let last = one.points().last().unwrap();
        assert_eq!(last["size"], one.size, "{}", one.condition);
        assert_eq!(last["at"], "2026-07-01T00:00:00Z");
    }
    listed
}

#[test]
fn a_built_in_segment_is_over_time_what_a_segment_made_of_it_is() {
    block_on(async {
        let mut dice = Dice::new(seed() + 11);
        let (mut points, mut kinds) = (0, BTreeSet::new());
        for round in 0..2 {
            let mut world = world(seed() + 600 + round).await;
            if round == 1 {
                world = world.in_columns().await;
            }
            let api = Api::of(&world, 0).allowed(WRITES);
            // Fixed values are in one currency, and refused with another.
            let currency = (round == 0).then_some("RUB");
            if round == 1 {
                set_rules(&api, 0, &mut dice).await;
            }
            let near = json!({ "last": { "count": 40, "unit": "DAY" } });
            let any = period(&mut dice);
            let seen = [
                compare(&api, "near", &near, None).await,
                compare(&api, "any", &any, currency).await,
            ];
            for one in seen.iter().flatten() {
                let done = one.points().iter();
                let done = done
                    .filter(|point| point["metrics"]["actions"] != 0)
                    .count();
                points += done;
                if done > 0 {
                    kinds.insert(format!("{} {}", one.subject, one.condition["kind"]));
                }
            }
            // Somebody else is told of what is theirs.
            let other = Api::of(&world, 1).allowed(WRITES);
            let theirs = compare(&other, "near", &near, None).await;
            let trends = |all: &[Listed]| -> Vec<(Value, Value)> {
                let all = all.iter();
                all.map(|one| (one.condition.clone(), one.trend.clone()))
                    .collect()
            };
            assert_ne!(trends(&theirs), trends(&seen[0]));
        }
        assert!(points > 60, "the trends say little: {points}");
        assert!(kinds.len() > 8, "{kinds:?}");
    });
}

/// A limited key cannot make segments: what a rule would be says how many its members were.
#[test]
fn a_limited_key_is_told_of_what_it_sees_over_time() {
    block_on(async {
        let world = world(seed() + 610).await.in_columns().await;
        let limits = Limits {
            ad_spaces: Some(vec!["501".to_owned()]),
            ..Limits::default()
        };
        let limited = Api::rich(&world, 0).narrowed(limits);
        let whole = Api::of(&world, 0);
        let near = json!({ "last": { "count": 120, "unit": "DAY" } });
        let (seen, all) = (
            listed(&limited, &near, None).await,
            listed(&whole, &near, None).await,
        );
        let mut members = 0;
        for one in &seen {
            let asked = one.points().iter().enumerate();
            let asked = asked.map(|(place, point)| {
                format!(
                    "p{place}: previewSegment(rule: $rule, asOf: {}, sampleSize: 1) {{ size }}",
                    point["at"]
                )
            });
            let asked: Vec<String> = asked.collect();
            let query = format!("query($rule: SegmentRuleInput!) {{ {} }}", asked.join(" "));
            let data = limited.data(&query, &json!({ "rule": one.rule() })).await;
            for (place, point) in one.points().iter().enumerate() {
                let size = &data[format!("p{place}")]["size"];
                assert_eq!(&point["size"], size, "{} {point:#}", one.condition);
                members += size.as_u64().unwrap();
            }
            // Those who are in it now are those of the last point.
            let last = one.points().last().unwrap();
            assert_eq!(last["size"], one.size, "{}", one.condition);
            let theirs = match one.subject {
                "users" => json!({ "user": { "builtInSegment": one.condition } }),
                _ => {
                    json!({ "items": { "some": { "product": { "builtInSegment": one.condition } } } })
                }
            };
            let counted = json!({ "status": { "in": ["PENDING", "APPROVED", "APPROVED_BUT_STALLED", "UNKNOWN"] } });
            let query = "query($range: RangeInput!, $filter: ActionFilter!) { actions(range: $range, filter: $filter) { totalCount } }";
            let range = json!({ "between": { "from": last["from"], "to": last["at"] } });
            let filter = json!({ "and": [theirs, counted] });
            let variables = json!({ "range": range, "filter": filter });
            let data = limited.data(query, &variables).await;
            let count = &data["actions"]["totalCount"];
            assert_eq!(&last["metrics"]["actions"], count, "{}", one.condition);
        }
        assert!(members > 10, "{members}");
        let sizes = |all: &[Listed]| -> u64 {
            let points = all.iter().flat_map(Listed::points);
            points.map(|point| point["size"].as_u64().unwrap()).sum()
        };
        assert!(sizes(&seen) < sizes(&all), "the limits hide nothing");
    });
}

const USERS: &str = "query($period: RangeInput, $filter: ActionFilter, $rules: UserRulesInput, $axis: DateAxis, \
                     $zone: TimeZone, $weeks: WeekStart) { userSegments(range: $period, filter: $filter, rules: $rules, \
                     dateAxis: $axis, timeZone: $zone, weekStart: $weeks, segments: [NEW, CHAMPIONS], first: 2) { nodes { size \
                     trend(range: {last: {count: 3, unit: MONTH}}, bucket: MONTH) { size metrics { users } } } } }";
const PRODUCTS: &str = "query($period: RangeInput, $filter: ActionFilter, $rules: ProductRulesInput, $axis: DateAxis, \
                        $zone: TimeZone, $weeks: WeekStart) { productSegments(range: $period, filter: $filter, rules: $rules, \
                        dateAxis: $axis, timeZone: $zone, weekStart: $weeks, segments: [RISING, ABC_A]) { nodes { size \
                        trend(range: {last: {count: 3, unit: MONTH}}, bucket: MONTH) { size metrics { users } } } } }";

#[test]
fn what_a_condition_cannot_say_has_no_trend() {
    block_on(async {
        let world = world(seed() + 620).await;
        let api = Api::of(&world, 0);
        let days = json!({ "last": { "count": 40, "unit": "DAY" } });
        let weeks = json!({ "last": { "count": 6, "unit": "WEEK", "wholeUnits": true } });
        for (query, root, rules) in [
            (USERS, "userSegments", json!({ "minimumActions": 2 })),
            (PRODUCTS, "productSegments", json!({ "changeUnits": 1 })),
        ] {
            let of_list = |argument: &str| format!("{root}.{argument}");
            for (variables, argument) in [
                (
                    json!({ "period": days, "filter": { "country": { "eq": "RU" } } }),
                    "filter".to_owned(),
                ),
                (
                    json!({ "period": days, "rules": rules }),
                    "rules".to_owned(),
                ),
                (
                    json!({ "period": days, "axis": "CLICKED" }),
                    "dateAxis".to_owned(),
                ),
                (
                    json!({ "period": days, "zone": "Europe/Berlin" }),
                    of_list("timeZone"),
                ),
                (
                    json!({ "period": weeks, "weeks": "SUNDAY" }),
                    of_list("weekStart"),
                ),
            ] {
                let answer = api.answer(query, &variables).await;
                let errors = answer["errors"].as_array().unwrap();
                assert_eq!(errors.len(), 2, "{answer:#}");
                for error in errors {
                    let told = &error["extensions"];
                    assert_eq!(told["code"], "BAD_USER_INPUT", "{answer:#}");
                    assert_eq!(told["argument"], argument.as_str(), "{answer:#}");
                    let message = error["message"].as_str().unwrap();
                    assert!(message.contains(" out"), "the remedy: {message}");
                }
                // The rest of the answer is there.
                let node = &answer["data"][root]["nodes"][0];
                assert!(node["size"].is_number(), "{answer:#}");
                assert!(node["trend"].is_null(), "{answer:#}");
            }
        }
        nobody_has_no_trend(&api).await;
    });
}

/// Whoever asks what actions without a user were over time is told where, and finds them there.
async fn nobody_has_no_trend(api: &Api) {
    let period = json!({ "days": { "from": "2026-02-10", "to": "2026-06-30" } });
    let query = "query($period: RangeInput!, $filter: ActionFilter) { userSegments(range: $period, filter: $filter, \
                 segments: [NEW, UNATTRIBUTED]) { nodes { kind size actions trend(range: $period, bucket: MONTH) { \
                 metrics { actions } } } } }";
    let answer = api.answer(query, &json!({ "period": period })).await;
    let nodes = &answer["data"]["userSegments"]["nodes"];
    assert_eq!(nodes[0]["kind"], "NEW", "{answer:#}");
    assert!(nodes[0]["trend"].is_array(), "{answer:#}");
    let nobody = &nodes[1];
    assert_eq!(
        (&nobody["kind"], &nobody["size"], &nobody["trend"]),
        (&json!("UNATTRIBUTED"), &json!(0), &Value::Null),
        "{answer:#}"
    );
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer:#}");
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(error["extensions"]["argument"], "segments");
    let filter = "{not: {user: {}}, status: {ne: DECLINED}}";
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(filter), "the remedy: {message}");
    let report = format!(
        "query($period: RangeInput!) {{ report(range: $period, bucket: MONTH, filter: {filter}) {{ \
         nodes {{ values {{ actions }} }} }} }}"
    );
    let data = api.data(&report, &json!({ "period": period })).await;
    let months = data["report"]["nodes"].as_array().unwrap().iter();
    let months = months.map(|node| node["values"]["actions"].as_u64().unwrap());
    let actions = nobody["actions"].as_u64().unwrap();
    assert!(actions > 0, "{answer:#}");
    assert_eq!(months.sum::<u64>(), actions, "{data:#}");

    // What else is refused does not hide it: leaving that out would not help.
    let filtered = json!({ "period": period, "filter": { "country": { "eq": "RU" } } });
    let answer = api.answer(query, &filtered).await;
    let errors = answer["errors"].as_array().unwrap();
    let places = errors.iter().map(|error| &error["extensions"]["argument"]);
    let places: BTreeSet<&str> = places.map(|place| place.as_str().unwrap()).collect();
    assert_eq!(places, BTreeSet::from(["filter", "segments"]), "{answer:#}");
}

#[test]
fn what_a_condition_says_in_other_words_has_a_trend() {
    block_on(async {
        let world = world(seed() + 630).await;
        let api = Api::of(&world, 0);
        let days = json!({ "last": { "count": 40, "unit": "DAY" } });
        for (query, rules) in [
            (USERS, json!({ "minimumActions": 1 })),
            (PRODUCTS, json!({ "changePercent": null })),
        ] {
            let plain = api.data(query, &json!({ "period": days })).await;
            for variables in [
                json!({ "rules": { "periodDays": 40 } }),
                json!({ "period": days, "rules": rules }),
                json!({ "period": days, "filter": {} }),
                json!({ "period": days, "axis": "ORDERED" }),
                json!({ "period": days, "zone": "UTC" }),
                json!({ "period": days, "weeks": "SUNDAY" }),
            ] {
                assert_eq!(api.data(query, &variables).await, plain, "{variables}");
            }
            let fixed = json!({ "between": { "from": "2026-05-22T00:00:00Z", "to": "2026-07-01T00:00:00Z" } });
            let there = api.data(query, &json!({ "period": fixed })).await;
            let elsewhere = json!({ "period": fixed, "zone": "Asia/Kolkata" });
            assert_eq!(api.data(query, &elsewhere).await, there);
            assert_ne!(there, plain, "what is fixed does not move");
        }
    });
}

/// Segments of one list are told of together, and those of two lists apart.
#[test]
fn the_trends_of_a_list_are_read_together() {
    block_on(async {
        let world = world(seed() + 640).await;
        let api = Api::of(&world, 0);
        let below = "nodes { size trend(range: {days: {from: \"2026-05-01\", to: \"2026-06-30\"}}, bucket: MONTH) { \
                     size metrics { actions } } }";
        let near = "range: {last: {count: 30, unit: DAY}}";
        let far = "range: {last: {count: 90, unit: DAY}}";
        let none = json!({});
        for (one, all) in [
            (
                format!("userSegments({near}, segments: [NEW], first: 1) {{ {below} }}"),
                format!("userSegments({near}, {OF_SOMEBODY}) {{ {below} }}"),
            ),
            (
                format!("productSegments({near}, segments: [RISING]) {{ {below} }}"),
                format!("productSegments({near}) {{ {below} }}"),
            ),
        ] {
            let (one, all) = (format!("{{ {one} }}"), format!("{{ {all} }}"));
            api.data(&one, &none).await;
            let _ = api.statements.take();
            api.data(&one, &none).await;
            let few = api.statements.take();
            api.data(&all, &none).await;
            let many = api.statements.take();
            assert_eq!(few.len(), many.len(), "{few:#?}\n{many:#?}");
        }
        let list = |range: &str| format!("userSegments({range}, {OF_SOMEBODY}) {{ {below} }}");
        let both = format!("{{ near: {} far: {} }}", list(near), list(far));
        let both = api.data(&both, &none).await;
        for (name, range) in [("near", near), ("far", far)] {
            let alone = format!("{{ it: {} }}", list(range));
            let alone = api.data(&alone, &none).await;
            assert_eq!(both[name], alone["it"], "{name}");
        }
        assert_ne!(both["near"], both["far"]);

        let days = "{ userSegments(first: 1) { nodes { trend(range: {last: {count: 61, unit: DAY, wholeUnits: true}}, \
                    bucket: DAY) { size } } } }";
        let answer = api.answer(days, &none).await;
        let told = &answer["errors"][0]["extensions"];
        assert_eq!(told["limit"], "segmentTrendPoints", "{answer:#}");
        assert_eq!(
            told["coordinate"], "UserSegmentResult.trend(bucket:)",
            "{answer:#}"
        );
    });
}
