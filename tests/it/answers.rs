//! The same corpus answers the same on every database, byte for byte: whole answers as files in
//! `tests/golden/answers`. `UPDATE_GOLDEN=1` writes them anew; then read the difference.

use crate::support::api::Api;
use crate::support::drafts::Shape;
use crate::support::world::{World, block_on};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The query that the product is judged by.
const MORNING: &str = include_str!("../fixtures/morning.graphql");

/// Scores of users, movement and cohorts.
const CUSTOMERS: &str = "query($range: RangeInput!) { segmentSettings { version users { percentiles highValuePercent } } \
             users(first: 8) { nodes { value rfm(range: $range) { score segment daysSinceLastAction actions amount { amount } } } } \
             userSegmentMovement(from: \"2026-04-01T00:00:00Z\", to: \"2026-06-01T00:00:00Z\", days: 60) { stayed moved entered left \
             steps { totalCount nodes { from to size users(first: 2) { totalCount nodes { user { value } before { score } \
             after { score } } } } } } \
             userCohorts(range: $range, timeZone: \"Asia/Kolkata\") { cohorts { period { from } size periods { age users share actions \
             reward { amount currency } cumulativeRewardPerUser { amount currency } } } } }";

/// Reports of each kind: by time, by place, by cart, by user.
const REPORTS: &str = "query($range: RangeInput!) { days: report(range: $range, timeZone: \"America/St_Johns\", bucket: WEEK, weekStart: SUNDAY, \
    groupBy: [STATUS], fillGaps: true, first: 12) { totalCount totals { users approvalRate } others { actions reward { amount currency } } \
    pageInfo { endCursor } nodes { time { from to } range filter key { status } values { actions users reward { amount currency } } \
    compared { actions } running { actions orderAmount { amount currency } } } } \
    places: report(range: $range, groupBy: [AD_SPACE, COUNTRY], compareWith: YEAR_BEFORE, orderBy: [{metric: REWARD, currency: \"RUB\"}, \
    {dimension: COUNTRY, direction: ASC}], having: [{metric: ACTIONS, atLeast: 2}], first: 8) { totalCount \
    nodes { key { adSpace { name } country } values { actions approvalRate averageReward { amount currency } effectiveRate { ratio currency } \
    cartCoverage conversionLag { median p90 } validationLag { median p90 } } share(of: REWARD, currency: \"RUB\") \
    change(of: ACTIONS) { previous absolute ratio } filter } } \
    carts: report(range: $range, groupBy: [CATEGORY_LEVEL_2, STATUS], last: 9) { totalCount totals { units orderAmount { amount currency } } \
    others { units actions } nodes { key { category { name level } status } values { units actions orderAmount { amount currency } } filter } } \
    users: report(range: $range, groupBy: [USER_AGE, USER_FREQUENCY]) { nodes { key { userAge userFrequency } values { users actions units } } } \
    metricDefinitions { field unit additivity } }";

fn questions() -> Vec<(&'static str, &'static str, Value)> {
    let range = json!({ "days": { "from": "2026-03-01", "to": "2026-03-31" } });
    vec![
        ("morning", MORNING, json!({ "range": range })),
        (
            "actions_by_reward",
            "query($after: String) { actions(first: 30, after: $after, filter: {currency: {eq: \"USD\"}}, \
             orderBy: [{field: REWARD}, {field: COUNTRY, direction: ASC, nulls: FIRST}]) { totalCount \
             pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id externalId orderId \
             status rawStatus paid returnedToHold reward { amount currency } orderAmount { amount currency } eligibility \
             clickedAt orderedAt statusUpdatedAt closingDate country subid subid1 comment program { name } adSpace { name } \
             history { nodes { status changedAt observedAt reward { amount } } } } } } }",
            json!({}),
        ),
        (
            "filters",
            "{ folded: actions(filter: {comment: {contains: \"ёЛКА\"}}) { totalCount totals { units reward { amount currency } } } \
             carts: actions(filter: {items: {some: {product: {name: {startsWith: \"a\"}}}}, not: {status: {eq: DECLINED}}}) \
             { totalCount nodes { id } } \
             paid: actions(filter: {or: [{eligibility: {in: [NOT_PAID, REDUCED]}}, {country: {isNull: true}}]}) { totalCount } \
             wild: actions(filter: {keyword: {contains: \"%\"}}) { totalCount } }",
            json!({}),
        ),
        (
            "zones",
            "{ berlin: actions(range: {days: {from: \"2026-03-29\", to: \"2026-03-29\"}}, timeZone: \"Europe/Berlin\") { totalCount } \
             chatham: actions(range: {days: {from: \"2026-04-05\", to: \"2026-04-05\"}}, timeZone: \"Pacific/Chatham\") { totalCount } \
             kathmandu: actions(range: {days: {from: \"2026-03-01\", to: \"2026-03-07\"}}, timeZone: \"Asia/Kathmandu\", dateAxis: CLICKED) { totalCount } \
             closed: actions(range: {days: {from: \"2026-03-01\", to: \"2026-04-30\"}}, dateAxis: CLOSED) { totalCount } \
             last: actions(range: {last: {count: 3, unit: MONTH, wholeUnits: true}}, timeZone: \"America/St_Johns\") { totalCount } }",
            json!({}),
        ),
        (
            "top_categories",
            "query($range: RangeInput!) { one: topSellingCategories(range: $range, by: REWARD, currency: \"USD\") { totalCount \
             totals { units actions reward { amount currency } } others { units reward { amount currency } } \
             unattributed { reward { amount currency } orderAmount { amount currency } } \
             info { unprocessedShare cartCoverage actions source } nodes { rank units actions share \
             reward { amount currency } change { previous absolute ratio } category { name externalId level } \
             products(first: 4) { hasMore nodes { rank units product { id name } } } } } \
             own: topSellingCategories(range: $range, level: OWN, first: 5) { nodes { rank units category { name path { name } } } } }",
            json!({ "range": range }),
        ),
        (
            "top_products",
            "query($range: RangeInput!) { topSellingProducts(range: $range, by: ACTIONS, first: 15) { totalCount \
             pageInfo { endCursor } others { units } nodes { rank actions units share change { previous ratio } \
             product { name externalId firstSeenAt category { name } sales(range: $range) { units actions } } } } }",
            json!({ "range": range }),
        ),
        (
            "segments",
            "query($range: RangeInput!) { productSegments(range: $range, rules: {changeUnits: 1, riskyProcessed: 2}) { totalCount \
             nodes { kind name size units reward { amount currency } products(first: 6) { totalCount nodes { units previousUnits \
             lifetimeUnits processed approvalRate firstSoldAt product { name } } } } } \
             userSegments(range: $range, currency: \"USD\") { totalCount nodes { kind name country size actions \
             reward { amount currency } users(first: 4) { nodes { user { value } actions recencyScore frequencyScore \
             monetaryScore lastActionAt country } } topProducts(first: 2) { nodes { rank units product { name } } } } } }",
            json!({ "range": range }),
        ),
        ("customers", CUSTOMERS, json!({ "range": range })),
        ("reports", REPORTS, json!({ "range": range })),
        (
            "catalogue",
            "{ programs(orderBy: [{field: NAME, direction: ASC}]) { nodes { name externalId currency \
             before: terms(asOf: \"2022-05-30\") { code value validTo } now: terms(asOf: \"2026-05-01\") { code value } \
             countryRules(asOf: \"2026-05-01\") { allOthers countries eligibility } ru: eligibility(country: \"RU\") \
             de: eligibility(country: \"DE\", asOf: \"2024-01-01\") } } \
             categories(filter: {isKnown: {eq: false}}, orderBy: [{field: EXTERNAL_ID, direction: ASC}]) { nodes { name externalId \
             parent { name } path { name } } } adSpaces(orderBy: [{field: NAME, direction: ASC}]) { nodes { name externalId } } \
             users(last: 5, orderBy: [{field: FIRST_SEEN_AT, direction: ASC}]) { nodes { value firstSeenAt } } \
             imports { nodes { name state counts { read inserted updated unchanged stale rejected } } } \
             freshness { entrance newestDataAt lagSeconds } viewer { publisher { slug timeZone currency } } }",
            json!({}),
        ),
    ]
}

#[test]
fn whole_answers_are_the_same_on_every_database() {
    block_on(async {
        let world = World::rich(
            2026,
            Shape {
                drafts: 400,
                actions: 300,
                wild: false,
            },
        )
        .await;
        let api = Api::of(&world, 0);
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/answers");
        let mut wrong = Vec::new();
        for (name, query, variables) in questions() {
            let data = api.data(query, &variables).await;
            let text = format!("{data:#}\n");
            let path = folder.join(format!("{name}.json"));
            if update() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            if kept != text {
                let line = kept
                    .lines()
                    .zip(text.lines())
                    .position(|(a, b)| a != b)
                    .unwrap_or(0);
                let shown = |text: &str| {
                    text.lines()
                        .skip(line)
                        .take(3)
                        .collect::<Vec<_>>()
                        .join("\n")
                };
                wrong.push(format!(
                    "{name}, line {}:\n- {}\n+ {}",
                    line + 1,
                    shown(&kept),
                    shown(&text)
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever changes answers on purpose says so"
)]
fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}
