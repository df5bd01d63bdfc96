//! Reports as a caller of the API meets them: keys, the filter of each row, what is computed, pages, refusals.

use crate::support::api::Api;
use crate::support::drafts::Shape;
use crate::support::world::{World, block_on};
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

/// All that a key can hold, and metrics that add up.
const KEY: &str = "key { program { id } adSpace { id } country status actionType currency device subid0 subid1 subid2 subid3 \
     subid4 product { id } category { id } one: category(level: ONE) { id } two: category(level: TWO) { id } tariff promoCode \
     declineReason userAge userFrequency }";

/// A row's filter lists n actions; the report of these alone has the same group, with the same n actions. So the filter
/// lists the group's actions and no others.
#[test]
fn the_filter_of_a_row_lists_exactly_its_actions() {
    block_on(async {
        let (_world, api) = setting(21).await;
        let mut listed = 0;
        for (divided, how) in [
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
        ] {
            let of_rows = format!(
                "nodes {{ filter range {{ from to }} values {{ actions users reward {{ amount currency }} }} {KEY} }}"
            );
            let query =
                format!("{{ report({MONTHS}, {divided}, {how}, first: 10000) {{ {of_rows} }} }}");
            let rows = rows(&api, &query).await;
            assert!(!rows.is_empty(), "{divided} {how}");
            for row in rows {
                if row["filter"].is_null() {
                    let words = [&row["key"]["userAge"], &row["key"]["userFrequency"]];
                    assert!(
                        words
                            .iter()
                            .any(|word| word.is_string() && *word != "UNATTRIBUTED"),
                        "{row:#}"
                    );
                    continue;
                }
                listed += 1;
                // The axis and the zone of the report; its weeks and its filter are in the row's range and filter.
                let how: Vec<&str> = ["timeZone", "dateAxis"]
                    .into_iter()
                    .filter_map(|name| how.split(", ").find(|part| part.starts_with(name)))
                    .collect();
                let how = how.join(", ");
                let variables =
                    json!({ "filter": row["filter"], "range": { "between": row["range"] } });
                let query = format!(
                    "query($filter: ActionFilter, $range: RangeInput!) {{ actions(filter: $filter, range: $range, {how}) {{ totalCount }} \
                     report(filter: $filter, range: $range, {divided}, {how}, first: 10000) {{ nodes {{ values {{ actions users \
                     reward {{ amount currency }} }} {KEY} }} }} }}"
                );
                let data = api.data(&query, &variables).await;
                assert_eq!(
                    data["actions"]["totalCount"], row["values"]["actions"],
                    "{divided}\n{row:#}"
                );
                let again = data["report"]["nodes"].as_array().unwrap();
                let same = again.iter().find(|other| other["key"] == row["key"]);
                let values = same.map(|same| &same["values"]);
                if row["values"]["actions"] != json!(0) {
                    assert_eq!(values, Some(&row["values"]), "{divided}\n{row:#}");
                }
            }
        }
        assert!(listed > 300, "{listed}");
    });
}
