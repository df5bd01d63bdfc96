//! What fields cost, as the schema says it: every list has a size, and what is published is what is charged.

use actiongraph::domain::report::ReportLimits;
use actiongraph::graphql::document::{DocumentLimits, Documents, Scan, UsualPeriod};
use actiongraph::graphql::sdl;
use serde_json::{Map, Value};

/// The first and the next whole number behind a word.
fn figures(text: &str) -> Vec<u64> {
    let digits = text.split(|letter: char| !letter.is_ascii_digit());
    digits.filter_map(|part| part.parse().ok()).collect()
}

/// Connections are sized by themselves; whoever adds one with pages of its own has to say so in `graphql::prices`.
#[test]
fn every_connection_has_a_size_and_the_one_that_its_arguments_tell() {
    let text = sdl();
    let mut told = None;
    let mut seen = 0;
    let mut before = "";
    for line in text.lines() {
        if line.trim() == "first: Int," {
            told = Some(figures(before));
        }
        let is_field = line.starts_with("  ") && !line.starts_with("    ");
        if is_field && line.contains("Connection") && !line.trim_start().starts_with('"') {
            seen += 1;
            let figures = told
                .take()
                .unwrap_or_else(|| panic!("no `first` before {line}"));
            let [maximum, default] = figures[..] else {
                panic!("`first` of {line} says {before:?}: \"at most N; M unless said otherwise\"");
            };
            // There are fewer segments of products than a page holds.
            let default = if line.contains("ProductSegmentResultConnection") {
                20
            } else {
                default
            };
            let size = format!(
                "@listSize(assumedSize: {default}, slicingArguments: [\"first\", \"last\"], sizedFields: [\"nodes\", \"edges\"], requireOneSlicingArgument: false)"
            );
            assert!(
                line.contains(&size),
                "graphql/prices.rs lacks the page of {line}, which is {default} of at most {maximum}"
            );
        }
        before = line;
    }
    assert!(seen > 20, "{seen}");
}

/// The directives stand on fields that are there: a price of a field that was renamed is lost.
#[test]
fn every_directive_is_defined_and_read() {
    let text = sdl();
    for name in ["cost", "listSize", "scanCost"] {
        assert!(text.contains(&format!("\ndirective @{name}(")), "{name}");
        assert!(text.contains(&format!(" @{name}(")), "{name}");
    }
    Documents::new(&text, DocumentLimits::default()).unwrap();
}

/// Fields that read no facts, or a bounded part of them by an index or from totals, each with the reason.
const FREE: &[(&str, &str)] = &[
    ("Query.node", "one thing by its id"),
    ("Query.nodes", "things by their ids"),
    ("Query.viewer", "no facts"),
    ("Query.limits", "no facts"),
    ("Query.freshness", "runs and accounts"),
    ("Query.action", "one action by its id"),
    (
        "Query.actions",
        "a page along an index; totals and counts are priced by themselves",
    ),
    (
        "Query.products",
        "a page of the table of products; its filters on facts are priced as inputs",
    ),
    ("Query.categories", "a table of some thousands"),
    ("Query.programs", "a table of some hundreds"),
    ("Query.adSpaces", "a table of some dozens"),
    (
        "Query.users",
        "a page of the table of users; its filters on facts are priced as inputs",
    ),
    ("Query.imports", "runs"),
    ("Query.segmentSettings", "one row"),
    ("Query.adjustments", "the ledger"),
    ("Query.earnings", "totals by day"),
    ("Query.balances", "the ledger"),
    ("Query.metricDefinitions", "no facts"),
    (
        "Query.segment",
        "a definition; size, members and trend are priced by themselves",
    ),
    ("Query.segments", "definitions"),
    ("Query.awaitedProducts", "a list that was given"),
    ("Query.apiKeys", "keys"),
    ("Query.auditTrail", "the trail"),
    ("Action.items", "the cart of one action"),
    ("Action.history", "the history of one action"),
    ("AdSpace.actions", "a page along an index"),
    ("Category.products", "a page of the table of products"),
    ("ImportRun.rejectedRecords", "a page along an index"),
    ("Product.actions", "a page along an index"),
    ("Program.actions", "a page along an index"),
    ("User.actions", "a page along an index"),
    ("UserMovementStep.users", "of what the movement has read"),
    ("UserSegmentMovement.steps", "of what the movement has read"),
];

/// A question that looks through facts without saying what that costs is a free one.
#[test]
fn every_list_and_every_field_with_a_range_has_a_scan_price_or_a_reason() {
    let text = sdl();
    let mut free: Vec<&str> = Vec::new();
    let (mut owner, mut field, mut is_input) = ("", "", false);
    // What the arguments of the field that is open say.
    let (mut is_ranged, mut is_priced) = (false, false);
    let mut quoted = false;
    for line in text.lines() {
        let words = line.trim_start();
        if quoted || words.starts_with('"') {
            quoted = quoted != (line.matches("\"\"\"").count() % 2 == 1);
            continue;
        }
        if let Some(head) = line.strip_suffix(" {") {
            is_input = !head.starts_with("type ");
            owner = head.split(' ').nth(1).unwrap_or_default();
            continue;
        }
        if is_input || !line.starts_with("  ") {
            continue;
        }
        if line.starts_with("    ") {
            is_ranged |= words.starts_with("range: ");
            is_priced |= words.contains("@scanCost");
            continue;
        }
        if let Some(name) = words.strip_suffix('(') {
            (field, is_ranged, is_priced) = (name, false, false);
            continue;
        }
        let name = if words.starts_with("): ") {
            field
        } else {
            (is_ranged, is_priced) = (false, false);
            words.split([':', '(']).next().unwrap()
        };
        let is_asked = owner == "Query" || is_ranged || words.contains("Connection @listSize");
        let own = words.contains("@scanCost");
        // Beside a price of its own, a field can have one of an argument.
        if !is_asked || own || is_priced {
            continue;
        }
        let coordinate = format!("{owner}.{name}");
        let known = FREE.iter().find(|(known, _)| *known == coordinate);
        let (known, reason) = known.unwrap_or_else(|| {
            panic!(
                "graphql/prices.rs has no scan price of {coordinate}; or say here why it needs none"
            )
        });
        assert!(!reason.is_empty());
        free.push(known);
    }
    for (known, _) in FREE {
        assert!(
            free.contains(known),
            "{known} is there no longer, or has a price"
        );
    }
}

/// Points that an operation may cost where every scan looks through so many actions.
fn points(query: &str, variables: &Value, actions: u64) -> u64 {
    points_where(query, variables, actions, false)
}

/// Likewise, where columns in memory hold them, or the database.
fn points_where(query: &str, variables: &Value, actions: u64, is_held: bool) -> u64 {
    let documents = Documents::new(&sdl(), DocumentLimits::default()).unwrap();
    let none = Map::new();
    let variables = variables.as_object().unwrap_or(&none);
    let prepared = documents.prepare(query, None, variables).unwrap();
    let limit = ReportLimits::default().facts.unsigned_abs();
    let price = |scan: &Scan| scan.price((actions, limit), is_held);
    prepared.plan.requested(&price) / 1_000
}

/// Questions, and what each costs for a thousand actions.
const DEAR: &[(&str, u64)] = &[
    // Of the page, and of all groups.
    (
        "{ topSellingProducts(RANGE, first: 1) { totalCount } }",
        240 + 120,
    ),
    // Sums, and a median that only the database finds.
    (
        "{ report(RANGE) { totals { conversionLag { median } } } }",
        150 + 150,
    ),
    // The period that is compared with is as long, and read once for all that is asked of it.
    (
        "{ report(RANGE, includeVanished: false) { totals { actions } } }",
        150,
    ),
    (
        "{ report(RANGE) { totals { actions } comparedTotals { actions } } }",
        2 * 150,
    ),
    (
        "{ report(RANGE) { totalsChange(of: ACTIONS) { ratio } } }",
        2 * 150,
    ),
    (
        "{ report(RANGE, groupBy: [STATUS], includeVanished: true) { totalCount nodes { values { actions } } } }",
        2 * 150,
    ),
    (
        "{ report(RANGE, groupBy: [STATUS], compareWith: YEAR_BEFORE, includeVanished: true) { nodes { compared { actions } \
             a: change(of: ACTIONS) { ratio } b: change(of: UNITS) { ratio } } comparedTotals { actions } } }",
        2 * 150,
    ),
    (
        "{ report(RANGE, groupBy: [STATUS], includeVanished: false) { edges { node { ... on ReportRow { compared { actions } } } } } }",
        2 * 150,
    ),
    ("{ userSegments(RANGE) { nodes { size } } }", 760),
    ("{ userCohorts(RANGE) { cohorts { size } } }", 760),
    ("{ userSegmentMovement(days: 30) { moved } }", 760),
    (
        "{ users(first: 20) { nodes { rfm(RANGE) { recency } } } }",
        760,
    ),
    (
        "{ topSellingProducts(RANGE, first: 1) { nodes { rank } } }",
        240,
    ),
    (
        "{ topSellingProducts(RANGE, first: 1, products: {isHot: {eq: true}}) { nodes { rank } } }",
        240 + 100,
    ),
    // Of the page, of the choice, and of the members of a segment.
    (
        "{ topSellingProducts(RANGE, first: 1, products: {segment: {in: [\"a\"]}}) { nodes { rank } } }",
        240 + 100 + 150,
    ),
    (
        "{ trafficTargets(RANGE, first: 1) { nodes { rank } } }",
        240,
    ),
    (
        "{ topSellingCategories(RANGE, first: 1) { nodes { rank } } }",
        1,
    ),
    (
        "{ topSellingCategories(RANGE, first: 1, filter: {country: {eq: \"RU\"}}) { nodes { rank } } }",
        241,
    ),
    (
        "{ previewSegment(rule: {users: {clickCountry: {eq: \"RU\"}}}) { size } }",
        150,
    ),
    ("{ segments(first: 5) { nodes { size } } }", 150),
    (
        "{ segment(id: \"x\") { members(first: 1) { nodes { user { id } } } } }",
        150,
    ),
    // Points in the range, each of which is a segment of all actions.
    (
        "{ segment(id: \"x\") { trend(RANGE, bucket: MONTH) { size } } }",
        1_500 + 150,
    ),
    (
        "{ segment(id: \"x\") { trend(RANGE, bucket: MONTH) { size metrics { actions } } } }",
        3_100 + 150,
    ),
    // Of built-in ones a division for each of five points, whatever the number of segments, beside the list that they are of.
    (
        "{ userSegments(RANGE, first: 5) { nodes { trend(RANGE, bucket: MONTH) { size metrics { actions } } } } }",
        760 + 1_600 + 5 * 760,
    ),
    (
        "{ productSegments(RANGE, first: 5) { nodes { trend(RANGE, bucket: MONTH) { size } } } }",
        200 + 5 * 200,
    ),
    (
        "{ segments(first: 5) { nodes { metrics(RANGE) { actions } } } }",
        160 + 150,
    ),
    (
        "{ segment(id: \"x\") { topProducts(RANGE, first: 3) { nodes { units } } } }",
        380 + 150,
    ),
    (
        "{ segmentOverlap(ids: [\"a\", \"b\", \"c\"]) { union } }",
        450,
    ),
    (
        "{ segmentOverlap(ids: [\"a\"], builtInSegments: [{users: {kind: NEW, period: {last: {count: 9, unit: DAY}}}}]) { \
             union } }",
        910,
    ),
    (
        "{ report(RANGE, builtInSegments: [{users: {kind: NEW, period: {preset: LAST_MONTH}}}, \
             {products: {kind: RISING, period: {preset: LAST_MONTH}}}]) { nodes { values { actions } } } }",
        1_110,
    ),
    (
        "{ users(first: 1, filter: {segment: {in: [\"a\", \"b\"], notIn: [\"c\"]}}) { nodes { id } } }",
        450,
    ),
    (
        "{ users(first: 1, filter: {segment: {notIn: []}}) { nodes { id } } }",
        0,
    ),
    (
        "{ report(RANGE, segments: [\"a\", \"b\"]) { nodes { values { actions } } } }",
        450,
    ),
    (
        "{ actions(first: 1, filter: {comment: {contains: \"x\"}}) { nodes { id } } }",
        100,
    ),
    (
        "{ categories(first: 20) { nodes { sales(RANGE) { units } } } }",
        10,
    ),
    (
        "{ users(first: 20) { nodes { sales(RANGE) { units } } } }",
        10,
    ),
];

/// Who obeys the limit on actions that are read one by one is charged for no more of them, however long the range. Columns in
/// memory go through all of them, and the total of products has nearly as many rows.
#[test]
fn what_reads_no_more_than_a_limit_is_priced_by_the_limit() {
    const RANGE: &str = "range: {days: {from: \"2024-01-01\", to: \"2026-06-30\"}}";
    let limit = ReportLimits::default().facts.unsigned_abs();
    let cost = |query: &str, actions| {
        let query = query.replace("RANGE", RANGE);
        points(&query, &Value::Null, actions)
    };
    for (query, is_limited) in [
        (
            "{ report(RANGE, bucket: DAY, groupBy: [STATUS], first: 1) { nodes { values { actions } } } }",
            true,
        ),
        (
            "{ report(RANGE) { totals { conversionLag { median } validationLag { median } } } }",
            true,
        ),
        ("{ report(RANGE) { comparedTotals { actions } } }", true),
        (
            "{ report(RANGE, groupBy: [PRODUCT], first: 1) { nodes { values { units } } } }",
            false,
        ),
        (
            "{ report(RANGE, groupBy: PRODUCT, first: 1) { nodes { compared { units } } } }",
            false,
        ),
        (
            "{ report(RANGE, groupBy: [USER_SEGMENT], segments: [\"a\"], first: 1) { nodes { values { units } } } }",
            false,
        ),
        (
            "{ topSellingCategories(RANGE, first: 1) { nodes { rank products { hasMore } } } }",
            true,
        ),
        (
            "{ topSellingCategories(RANGE, dateAxis: CLICKED, filter: {country: {eq: \"RU\"}}, first: 1) { nodes { rank } } }",
            true,
        ),
        (
            "{ topSellingProducts(RANGE, first: 1) { nodes { rank } } }",
            false,
        ),
        (
            "{ trafficTargets(RANGE, first: 1) { nodes { rank } } }",
            false,
        ),
        (
            "{ actions(RANGE, first: 1, filter: {country: {eq: \"RU\"}}) { totals { count } } }",
            false,
        ),
        ("{ userCohorts(RANGE) { cohorts { size } } }", false),
    ] {
        let (below, at, above) = (
            cost(query, limit / 2),
            cost(query, limit),
            cost(query, 10 * limit),
        );
        assert!(below < at, "{query}: {below}, {at}");
        assert_eq!(at == above, is_limited, "{query}: {at}, {above}");
    }
    let report = "{ report(RANGE) { totals { actions } } }";
    assert!(cost(report, 10 * limit) < DocumentLimits::default().cost);
    let held = |actions| {
        let query = report.replace("RANGE", RANGE);
        points_where(&query, &Value::Null, actions, true)
    };
    assert!(held(10 * limit) > held(limit));
}

/// A year of cohorts of a publisher with 2,740 actions a day: more than an operation may cost where the database counts them.
#[test]
fn cohorts_of_a_year_of_a_million_actions_may_be_asked_of_columns() {
    let query = "{ userCohorts(range: {last: {count: 12, unit: MONTH}}, timeZone: \"Europe/Berlin\") { info { source } \
                 cohorts { period { from } size periods { age users share actions units orderAmount { amount currency } \
                 reward { amount currency } cumulativeReward { amount currency } cumulativeRewardPerUser { amount \
                 currency } } } } }";
    let limit = DocumentLimits::default().cost;
    let cost = |is_held| points_where(query, &Value::Null, 2_740 * 366, is_held);
    let (by_sql, held) = (cost(false), cost(true));
    assert!(by_sql > limit, "{by_sql} of {limit}");
    assert!(held < limit / 20, "{held} of {limit}");
}

/// Built-in segments of a list are divided together: a trend costs a division for each of its points, whatever the page, and little
/// for each segment. Saved segments are evaluated one by one, and cost so.
#[test]
fn a_trend_of_built_in_segments_is_paid_by_its_points() {
    const TREND: &str =
        "trend(range: {last: {count: MONTHS, unit: MONTH}}, bucket: MONTH) { size }";
    let cost = |list: &str, (first, months): (u64, u64), fields: &str, is_held: bool| {
        let fields = fields.replace("MONTHS", &months.to_string());
        let query = list.replace("FIRST", &format!("first: {first}"));
        let query = format!("{{ {query} {{ nodes {{ {fields} }} }} }}");
        points_where(&query, &Value::Null, 2_000_000, is_held)
    };
    let limit = DocumentLimits::default().cost;
    for list in ["productSegments", "userSegments"] {
        let list = format!("{list}(range: {{last: {{count: 90, unit: DAY}}}}, FIRST)");
        for is_held in [true, false] {
            let plain = cost(&list, (1, 5), "size", is_held);
            let one = cost(&list, (1, 5), TREND, is_held);
            let ten = cost(&list, (10, 5), TREND, is_held);
            assert!(one < ten && ten < 2 * one, "{list}: {one}, {ten}");
            // Six points, and twelve.
            let twice = cost(&list, (1, 11), TREND, is_held);
            assert_eq!(twice - plain, 2 * (one - plain), "{list}");
        }
        let year = cost(&list, (10, 11), TREND, true);
        assert!(year < limit, "a year of two million actions: {year}");
    }
    let saved = |first| cost("segments(FIRST)", (first, 5), TREND, true);
    assert!(saved(10) > 9 * saved(1), "{}, {}", saved(1), saved(10));
}

/// What reads most costs most: by the thousand actions, beside the sibling that was measured.
#[test]
fn the_dearest_reads_are_charged_for_what_they_look_through() {
    const RANGE: &str = "range: {last: {count: 90, unit: DAY}}";
    for (query, a_thousand) in DEAR {
        let query = query.replace("RANGE", RANGE);
        let none = Value::Null;
        let difference = points(&query, &none, 11_000) - points(&query, &none, 1_000);
        assert_eq!(difference, 10 * *a_thousand, "{query}");
    }
    // A movement divides two windows, and what names no period is as long as the publisher has set.
    let documents = Documents::new(&sdl(), DocumentLimits::default()).unwrap();
    let query = "{ userSegmentMovement { moved } }";
    let prepared = documents.prepare(query, None, &Map::new()).unwrap();
    let scans = prepared.plan.scans();
    assert_eq!(scans.len(), 1);
    assert_eq!(scans[0].usual, Some(UsualPeriod::UsersTwice));
}
