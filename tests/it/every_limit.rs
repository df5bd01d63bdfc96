//! Every limit that `limits` tells, met by a request: whatever passes one is refused in one form, with the limit's name,
//! how much it allows and how much there was. The list is the schema's, so that nobody has to remember a new limit here.
//! Each is a setting as well, and what is set is what holds.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::server::{Running, running};
use actiongraph::domain::report::ReportLimits;
use actiongraph::domain::scope::{Credential, Viewer, WriteScope};
use actiongraph::graphql::{Call, Engine, EngineOptions, GraphqlRequest, Introspection, Method};
use actiongraph::settings::keys;
use actiongraph::store::uploads::{Upload, enqueue};

/// Room for the longest variables, and nothing to pay: what is asked here would empty any budget.
const SETTINGS: &str = "max_body_bytes = 20000000\nbudget_capacity = 0";

/// How a limit is met.
enum How {
    /// By a document with variables that is refused, or a field of which is; and the field or argument at fault, where
    /// the limit is not one of the document as a whole.
    Asked(String, Value, Option<&'static str>),
    /// By a change, the field `done` of a mutation, which tells it among its user errors.
    Changed(String, Value),
    /// In another test, by its module and name: it takes a server of its own.
    Shown(&'static str, &'static str),
    /// By no request, and why.
    Never(&'static str),
}

use How::{Asked, Changed, Never, Shown};

/// A document that needs no variables.
fn text(document: impl Into<String>, coordinate: Option<&'static str>) -> How {
    Asked(document.into(), json!({}), coordinate)
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

fn list(count: usize) -> Vec<String> {
    numbers(0, count)
}

fn numbers(from: usize, count: usize) -> Vec<String> {
    (from..from + count)
        .map(|number| number.to_string())
        .collect()
}

const EXISTING: &str = "every_limit_can_be_set_and_refuses_by_its_name";

/// The limits of documents and variables.
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_documents() -> Vec<(&'static str, How)> {
    let aliases = |page: &str| {
        format!(
            "{page} {{ {} }} ",
            many(20, |n| format!("{page}{n}: default "))
        )
    };
    let repeated = |field: &str, more: &str| format!("{field}{more} ").repeat(20);
    let eleven = [
        "nodes",
        "orderKeys",
        "filterDepth",
        "filterValues",
        "documentBytes",
        "documentTokens",
        "documentDepth",
        "documentFields",
        "variables",
        "rootFields",
        "errors",
    ];
    let doubled = many(13, |n| {
        format!(" fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1)
    });
    let ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let long = "query($text: String) { products(filter: {name: {eq: $text}}) { totalCount } }";
    let written = format!(
        "query($text: String) {{ products(filter: {{or: [{}]}}) {{ totalCount }} }}",
        "{name: {eq: $text}} ".repeat(180)
    );
    vec![
        (
            "documentBytes",
            text(
                format!("{{ viewer {{ scopes }} }} # {}", "x".repeat(100_000)),
                None,
            ),
        ),
        (
            "documentTokens",
            text(
                format!("{{ viewer {{ {} }} }}", "scopes ".repeat(5_000)),
                None,
            ),
        ),
        (
            "documentNesting",
            text(format!("{}{}", "{a".repeat(61), "}".repeat(61)), None),
        ),
        (
            "documentDepth",
            text(
                format!(
                    "{{ __type(name: \"Query\") {{ {} name {} }} }}",
                    "ofType { ".repeat(23),
                    "}".repeat(23)
                ),
                None,
            ),
        ),
        (
            "documentSelections",
            text(
                format!("{{ ...F0 }}{doubled} fragment F13 on Query {{ viewer {{ scopes }} }}"),
                None,
            ),
        ),
        (
            "documentAliases",
            text(
                format!(
                    "{{ limits {{ {} {} {} one: nodes }} }}",
                    aliases("pages"),
                    aliases("segmentPages"),
                    aliases("reportPages")
                ),
                None,
            ),
        ),
        (
            "documentRepeats",
            text(format!("{{ viewer {{ {} }} }}", "scopes ".repeat(21)), None),
        ),
        (
            "documentFields",
            text(
                format!(
                    "{{ limits {{ {} }} }}",
                    eleven.map(|field| repeated(field, "")).concat()
                ),
                None,
            ),
        ),
        (
            "documentDirectives",
            text(
                format!(
                    "{{ viewer {} {{ scopes }} }}",
                    "@skip(if: false) ".repeat(11)
                ),
                None,
            ),
        ),
        (
            "documentAllDirectives",
            text(
                format!(
                    "{{ limits {{ {} }} }}",
                    [
                        "nodes",
                        "orderKeys",
                        "filterDepth",
                        "variables",
                        "errors",
                        "rootFields"
                    ]
                    .map(|field| repeated(field, " @skip(if: false)"))
                    .concat()
                ),
                None,
            ),
        ),
        (
            "documentComparisons",
            Never(
                "fields and repeats of a document end before; a unit test of the document stage sets it low",
            ),
        ),
        (
            "documentOperations",
            text(
                many(21, |n| format!("query A{n} {{ viewer {{ scopes }} }} ")),
                None,
            ),
        ),
        (
            "variables",
            text(
                format!(
                    "query({}) {{ viewer {{ scopes }} }}",
                    many(101, |n| format!("$v{n}: Int "))
                ),
                None,
            ),
        ),
        (
            "variableValues",
            Asked(ids.to_owned(), json!({ "ids": list(50_001) }), None),
        ),
        (
            "variableBytes",
            Asked(
                long.to_owned(),
                json!({ "text": "x".repeat(1_000_001) }),
                None,
            ),
        ),
        (
            "writtenBytes",
            Asked(written, json!({ "text": "x".repeat(100_000) }), None),
        ),
        (
            "inputObjects",
            Asked(
                "query($all: [ProductFilter!]) { products(filter: {or: $all}) { totalCount } }"
                    .to_owned(),
                json!({ "all": vec![json!({}); 5_000] }),
                Some("Query.products(filter:)"),
            ),
        ),
        (
            "rootFields",
            text(
                format!(
                    "{{ {} {} }}",
                    many(16, |n| format!("a{n}: viewer {{ scopes }} ")),
                    many(15, |n| format!("b{n}: limits {{ nodes }} "))
                ),
                None,
            ),
        ),
        (
            "introspectionLists",
            text(
                "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
                None,
            ),
        ),
        (
            "introspectionValues",
            text(
                format!(
                    "{{ __schema {{ types {{ {} }} }} }}",
                    many(20, |n| format!(
                        "a{n}: fields {{ type {{ fields {{ type {{ kind name ofType {{ kind name }} }} }} }} }} "
                    ))
                ),
                None,
            ),
        ),
        (
            "pageRows",
            text(
                "{ some: actions(first: 10001) { nodes { id } } }",
                Some("Query.actions(first:)"),
            ),
        ),
        (
            "operationRows",
            text(
                "{ users(first: 100) { nodes { actions(first: 100) { nodes { items(first: 100) { nodes { ordinal } } } } } } }",
                None,
            ),
        ),
        (
            "operationValues",
            text(
                format!(
                    "{{ users(first: 100) {{ nodes {{ actions(first: 99) {{ nodes {{ {} {} }} }} }} }} }}",
                    many(20, |n| format!("a{n}: status ")),
                    many(20, |n| format!("b{n}: orderedAt "))
                ),
                None,
            ),
        ),
        ("cost", Shown("limits", EXISTING)),
        (
            "errors",
            Never(
                "an answer tells so many and no more; `errors_are_as_many_and_as_long_as_the_settings_say`",
            ),
        ),
        (
            "errorCharacters",
            Never("messages are cut; `errors_are_as_many_and_as_long_as_the_settings_say`"),
        ),
    ]
}

/// The limits of the door and of time.
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_doors() -> Vec<(&'static str, How)> {
    let each = "so_many_operations_run_at_a_time_and_no_more";
    vec![
        (
            "budgetCapacity",
            Shown("every_limit", "a_budget_that_is_too_small_names_its_limit"),
        ),
        (
            "budgetRestoreRate",
            Never("it says how fast the budget fills; who has spent it passes `budgetCapacity`"),
        ),
        (
            "bodyBytes",
            Shown("limits", "a_body_is_as_large_as_the_settings_say"),
        ),
        (
            "answerBytes",
            Shown("limits", "an_answer_is_as_long_as_the_settings_say"),
        ),
        (
            "importBytes",
            Shown("every_limit", "a_file_that_is_too_large_names_its_limit"),
        ),
        (
            "waitingImports",
            Shown("every_limit", "a_queue_that_is_full_names_its_limits"),
        ),
        (
            "waitingImportBytes",
            Shown("every_limit", "a_queue_that_is_full_names_its_limits"),
        ),
        (
            "headMilliseconds",
            Shown(
                "wire",
                "a_head_that_does_not_end_is_refused_on_a_used_connection_too",
            ),
        ),
        (
            "headBytes",
            Shown("wire", "a_head_that_is_too_large_names_its_limit"),
        ),
        (
            "sendMilliseconds",
            Never(
                "who reads nothing is told nothing; `who_does_not_read_is_hung_up_on_and_only_then_others_come_in`",
            ),
        ),
        (
            "unsentBytes",
            Shown("wire", "answers_that_nobody_reads_are_bounded_together"),
        ),
        (
            "bodyMilliseconds",
            Shown("deadlines", "a_body_that_comes_too_slowly_names_its_limit"),
        ),
        (
            "operationMilliseconds",
            Shown(
                "deadlines",
                "an_operation_over_its_time_is_given_up_with_its_statement",
            ),
        ),
        (
            "statementMilliseconds",
            Shown(
                "deadlines",
                "a_statement_over_its_time_fails_its_field_alone",
            ),
        ),
        (
            "keepAliveSeconds",
            Never("a connection without a request is closed; nobody waits for an answer"),
        ),
        ("concurrentOperations", Shown("limits", each)),
        ("concurrentOperationsPerCaller", Shown("limits", each)),
        ("concurrentOperationsPerAddress", Shown("limits", each)),
        (
            "connections",
            Never(
                "who comes too much waits; `a_connection_beyond_the_limit_waits_until_another_ends`",
            ),
        ),
        (
            "connectionsPerAddress",
            Never("there is no request yet; `an_address_has_so_many_connections_and_no_more`"),
        ),
    ]
}

/// The limits of lists, filters and reports.
#[expect(clippy::too_many_lines, reason = "a table")]
fn of_fields(ids: &Ids) -> Vec<(&'static str, How)> {
    let range = "range: {days: {from: \"2024-01-01\", to: \"2024-12-31\"}}";
    let report = |arguments: &str, coordinate| {
        text(
            format!("{{ report({range}, {arguments}) {{ nodes {{ values {{ actions }} }} }} }}"),
            Some(coordinate),
        )
    };
    let products = "query($f: ProductFilter) { products(filter: $f) { totalCount } }";
    let filter = |filter: Value| {
        Asked(
            products.to_owned(),
            json!({ "f": filter }),
            Some("Query.products(filter:)"),
        )
    };
    let mut deep = json!({ "name": { "eq": "x" } });
    for _ in 0..12 {
        deep = json!({ "not": deep });
    }
    // Seventy a filter: one that names more is beyond `filterMetrics` before.
    let periods = |from: u32| -> Value {
        let one = |days| json!({ "builtInSegment": { "kind": "NEW", "period": { "last": { "count": days, "unit": "DAY" } } } });
        json!({ "or": (from..from + 70).map(one).collect::<Vec<_>>() })
    };
    let users = "query($f: UserFilter) { users(filter: $f) { totalCount } }";
    let of_users = |filter: Value| {
        Asked(
            users.to_owned(),
            json!({ "f": filter }),
            Some("Query.users(filter:)"),
        )
    };
    let link = |slot: &str, length: usize| {
        let document = "query($subids: SubidsInput) { products(first: 1) { nodes { affiliateLink(subids: $subids) { url } } } }".to_owned();
        Asked(
            document,
            json!({ "subids": { slot: "x".repeat(length) } }),
            Some("Product.affiliateLink(subids:)"),
        )
    };
    let quarters =
        "range: {days: {from: \"2024-01-01\", to: \"2024-04-13\"}}, bucket: QUARTER_HOUR";
    let by_segments = |segments: &[String], coordinate| {
        let document = format!(
            "query($ids: [ID!]) {{ report({range}, groupBy: [USER_SEGMENT], segments: $ids) {{ nodes {{ values {{ actions }} }} }} }}"
        );
        Asked(document, json!({ "ids": segments }), Some(coordinate))
    };
    vec![
        (
            "pages",
            text(
                "{ some: products(last: 101) { nodes { id } } }",
                Some("Query.products(last:)"),
            ),
        ),
        (
            "segmentPages",
            text(
                format!("{{ userSegments({range}, first: 251) {{ nodes {{ size }} }} }}"),
                Some("Query.userSegments(first:)"),
            ),
        ),
        (
            "reportPages",
            Never("`pageRows` allows no more, and is met before"),
        ),
        (
            "reportDimensions",
            report(
                "groupBy: [PROGRAM, AD_SPACE, COUNTRY, STATUS, ACTION_TYPE, CURRENCY]",
                "Query.report(groupBy:)",
            ),
        ),
        (
            "reportConditions",
            report(
                &format!(
                    "having: [{}]",
                    "{metric: ACTIONS, atLeast: \"1\"} ".repeat(11)
                ),
                "Query.report(having:)",
            ),
        ),
        (
            "reportStretches",
            text(
                "{ report(range: {days: {from: \"2020-01-01\", to: \"2024-12-31\"}}, bucket: HOUR) { nodes { values { actions } } } }",
                Some("Query.report(bucket:)"),
            ),
        ),
        (
            "reportSegments",
            by_segments(&ids.long, "Query.report(segments:)"),
        ),
        (
            "reportActions",
            Shown(
                "every_limit",
                "a_report_that_would_read_too_much_names_its_limit",
            ),
        ),
        (
            "reportRows",
            text(
                format!(
                    "{{ report({quarters}, groupBy: [SUBID1], fillGaps: true, first: 1) {{ nodes {{ values {{ actions }} }} }} }}"
                ),
                Some("Query.report(fillGaps:)"),
            ),
        ),
        (
            "nodes",
            Asked(
                "query($ids: [ID!]!) { nodes(ids: $ids) { id } }".to_owned(),
                json!({ "ids": list(101) }),
                Some("Query.nodes(ids:)"),
            ),
        ),
        (
            "orderKeys",
            text(
                format!(
                    "{{ products(orderBy: [{}]) {{ nodes {{ id }} }} }}",
                    "{field: NAME} ".repeat(6)
                ),
                Some("Query.products(orderBy:)"),
            ),
        ),
        ("filterDepth", filter(deep)),
        (
            "filterConditions",
            filter(json!({ "or": vec![json!({ "name": { "eq": "x" } }); 201] })),
        ),
        (
            "filterValues",
            filter(json!({ "name": { "in": list(1_001) } })),
        ),
        (
            "filterAllValues",
            filter(json!({ "or": vec![json!({ "name": { "in": list(1_000) } }); 5] })),
        ),
        (
            "filterSegments",
            filter(json!({ "segment": { "in": list(21) } })),
        ),
        (
            "filterMetrics",
            of_users(json!({ "segment": { "in": ids.metrics } })),
        ),
        (
            "statementValues",
            // The lists of all these segments stand in one statement.
            by_segments(&ids.long[..20], "Query.report(filter:)"),
        ),
        (
            "segmentTrendPoints",
            text(
                "{ segments(first: 1) { nodes { trend(range: {days: {from: \"2024-01-01\", to: \"2024-03-01\"}}, bucket: DAY) { size } } } }",
                Some("Segment.trend(bucket:)"),
            ),
        ),
        (
            "overlaidSegments",
            Asked(
                "query($ids: [ID!]!) { segmentOverlap(ids: $ids) { union } }".to_owned(),
                json!({ "ids": list(9) }),
                Some("Query.segmentOverlap(ids:)"),
            ),
        ),
        (
            "builtInPeriods",
            Asked(
                "query($a: UserFilter, $b: UserFilter) { first: users(filter: $a) { totalCount } all: users(filter: $b) { totalCount } }".to_owned(),
                json!({ "a": periods(1), "b": periods(71) }),
                Some("Query.users"),
            ),
        ),
        (
            "builtInMembers",
            Never("no test has five million members; `analytics::built_in` tests it with room for fewer"),
        ),
        (
            "cohortPeriods",
            text(
                "{ userCohorts(range: {days: {from: \"2021-01-01\", to: \"2024-12-31\"}}, bucket: WEEK) { info { source } } }",
                Some("Query.userCohorts(bucket:)"),
            ),
        ),
        ("subidCharacters", link("subid1", 51)),
        ("subid4Characters", link("subid4", 121)),
        ("counts", Never("no test has two billion actions")),
    ]
}

/// The limits of segments and lists that are written.
fn of_changes(ids: &Ids) -> Vec<(&'static str, How)> {
    let create = |rule: Value| {
        let mutation = "mutation($rule: SegmentRuleInput!) { done: createSegment(name: \"too large\", rule: $rule) { segment { id } ERRORS } }";
        Changed(mutation.to_owned(), json!({ "rule": rule }))
    };
    let many_times = |id: &str, times: usize| json!({ "users": { "and": vec![json!({ "segment": { "in": [id] } }); times] } });
    let metrics: Vec<Value> = (1..=25).map(metric).collect();
    let products = "mutation($products: ProductList!) { done: addPriorityProducts(products: $products) { changed ERRORS } }";
    let retry = format!(
        "mutation($records: [RetriedRecord!]) {{ done: retryRejectedRecords(run: {:?}, records: $records) {{ run {{ id }} ERRORS }} }}",
        ids.run
    );
    let records: Vec<Value> = (0..1_001)
        .map(|ordinal| json!({ "ordinal": ordinal }))
        .collect();
    let members = json!({ "users": { "members": { "csv": many(10_001, |n| format!("u{n}\n")) } } });
    vec![
        (
            "segmentDepth",
            create(json!({ "users": { "segment": { "in": [ids.deepest] } } })),
        ),
        ("segmentConditions", create(many_times(&ids.conditions, 2))),
        (
            "segmentMetrics",
            create(json!({ "users": { "or": metrics } })),
        ),
        ("segmentValues", create(many_times(&ids.values, 3))),
        ("segmentMembers", create(members)),
        (
            "awaitedProducts",
            Changed(
                products.to_owned(),
                json!({ "products": { "externalIds": numbers(100_000, 5_002) } }),
            ),
        ),
        (
            "retriedRecords",
            Changed(retry, json!({ "records": records })),
        ),
        // The last, because it fills the publisher.
        ("segments", create(json!({ "users": metric(1) }))),
    ]
}

fn metric(least: i64) -> Value {
    json!({ "metric": { "metric": "ACTIONS", "atLeast": least.to_string() } })
}

/// What has to be there for some limits to be met.
struct Ids {
    /// One more segment than a report names, with lists of which a statement takes fewer.
    long: Vec<String>,
    /// Segments with more metrics together than a filter may name.
    metrics: Vec<String>,
    /// A segment below which there are as many levels as there may be.
    deepest: String,
    /// A segment with more than half of the conditions that there may be.
    conditions: String,
    /// A segment with more than a third of the values that there may be.
    values: String,
    /// A run.
    run: String,
}

async fn asked(server: &Running, query: &str, variables: &Value) -> Value {
    let request = server.client.post(server.at("/graphql"));
    let request = request.bearer_auth(&server.keys[0]);
    let body = json!({ "query": query, "variables": variables });
    request
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

async fn made(server: &Running, name: &str, rule: Value) -> String {
    let mutation = "mutation($name: String!, $rule: SegmentRuleInput!) { made: createSegment(name: $name, rule: $rule) \
                    { segment { id } userErrors { message } } }";
    let answer = asked(server, mutation, &json!({ "name": name, "rule": rule })).await;
    let id = answer["data"]["made"]["segment"]["id"].as_str();
    id.unwrap_or_else(|| panic!("{name}: {answer:#}"))
        .to_owned()
}

/// Actions of so many SubIDs, each with an item, so that there are users and products.
fn page(count: u64) -> String {
    let actions: Vec<Value> = (1..=count)
        .map(|number| {
            json!({
                "id": number, "action_id": number, "order_id": number.to_string(), "advcampaign_id": 6115,
                "advcampaign_name": "AliExpress WW", "website_id": 501, "website_name": "My blog", "click_country_code": "DE",
                "action_type": "sale", "cart": 100, "status": "approved", "processed": 0, "subid1": format!("u{number}"),
                "payment": "6.00", "currency": "USD", "paid": 0, "action_date": "2024-03-05 13:30:00",
                "click_date": "2024-03-05 13:00:00", "status_updated": "2024-03-06 13:30:00",
                "positions": [{ "id": number, "amount": "100.00", "payment": "6.00", "rate": "6.00", "percentage": true,
                    "product_id": "11", "product_name": "Cable" }],
            })
        })
        .collect();
    json!({ "results": actions }).to_string()
}

async fn uploaded(server: &Running, body: String) -> Value {
    let request = server.client.post(server.at("/import?wait=true"));
    let request = request.bearer_auth(&server.keys[0]).body(body);
    request.send().await.unwrap().json().await.unwrap()
}

async fn prepared(server: &Running) -> Ids {
    let run = uploaded(server, page(25)).await;
    assert_eq!(run["run"]["counts"]["inserted"], 25, "{run}");
    let mut metrics = Vec::new();
    for number in 0..6_i64 {
        let all: Vec<Value> = (1..=24).map(|least| metric(least + number)).collect();
        metrics.push(
            made(
                server,
                &format!("metrics {number}"),
                json!({ "users": { "or": all } }),
            )
            .await,
        );
    }
    let mut deepest = made(server, "bottom", json!({ "users": metric(1) })).await;
    for level in 1..=5 {
        let rule = json!({ "users": { "segment": { "in": [deepest] } } });
        deepest = made(server, &format!("level {level}"), rule).await;
    }
    let tests = vec![json!({ "value": { "eq": "x" } }); 160];
    let rule = json!({ "users": { "user": { "or": tests } } });
    let conditions = made(server, "conditions", rule).await;
    let values = json!({ "user": { "value": { "in": list(900) } } });
    let values = made(
        server,
        "values",
        json!({ "users": { "or": [values, values] } }),
    )
    .await;
    let mut long = Vec::new();
    for number in 0..21 {
        let part = |part: usize| json!({ "user": { "value": { "in": numbers(number * 2_000 + part * 1_000, 900) } } });
        let rule = json!({ "users": { "or": [part(0), part(1)] } });
        long.push(made(server, &format!("long {number}"), rule).await);
    }
    let known = "mutation($products: ProductList!) { done: setPriorityProducts(products: $products) { changed } }";
    let known = asked(
        server,
        known,
        &json!({ "products": { "externalIds": numbers(1, 5_000) } }),
    )
    .await;
    assert_eq!(known["data"]["done"]["changed"], 5_000, "{known:#}");
    Ids {
        long,
        metrics,
        deepest,
        conditions,
        values,
        run: run["run"]["id"].as_str().unwrap().to_owned(),
    }
}

/// Segments until there are as many as there may be.
async fn filled(server: &Running, most: u64) {
    let mut number = 0;
    loop {
        let all = many(20, |place| {
            format!(
                "s{place}: createSegment(name: \"more {}\", rule: {{users: {{metric: {{metric: ACTIONS, atLeast: \"1\"}}}}}}) {{ userErrors {{ limit }} }} ",
                number + place
            )
        });
        let answer = asked(server, &format!("mutation {{ {all} }}"), &json!({})).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        if answer["data"]["s19"]["userErrors"][0]["limit"] == "segments" {
            return;
        }
        number += 20;
        assert!(
            u64::try_from(number).unwrap() <= most,
            "more than {most} segments"
        );
    }
}

/// The limits and how much each allows, as the schema lists and `limits` tells them.
async fn told(server: &Running) -> Vec<(String, Option<u64>)> {
    let listed = asked(
        server,
        "{ __type(name: \"Limits\") { fields { name type { kind ofType { kind } } } } }",
        &json!({}),
    )
    .await;
    let fields = listed["data"]["__type"]["fields"].as_array().unwrap();
    let is_object = |field: &Value| field["type"]["ofType"]["kind"] == "OBJECT";
    let name = |field: &Value| field["name"].as_str().unwrap().to_owned();
    let selection: String = fields
        .iter()
        .map(|field| {
            name(field)
                + if is_object(field) {
                    " { maximum } "
                } else {
                    " "
                }
        })
        .collect();
    let limits = asked(
        server,
        &format!("{{ limits {{ {selection} }} }}"),
        &json!({}),
    )
    .await;
    let limits = &limits["data"]["limits"];
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    fields
        .iter()
        .map(|field| {
            let value = &limits[name(field)];
            let maximum = if is_object(field) {
                &value["maximum"]
            } else {
                value
            };
            (name(field), number(maximum))
        })
        .collect()
}

/// That another test is there, and names the limit.
fn check_shown(limit: &str, module: &str, test: &str) {
    let path = format!("{}/tests/it/{module}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    let (_, body) = source
        .split_once(&format!("async fn {test}()"))
        .unwrap_or_else(|| panic!("{limit}: there is no test {module}::{test}"));
    let body = body.split("\n}\n").next().unwrap();
    let stem = limit.trim_end_matches("PerCaller");
    assert!(
        body.contains(stem),
        "{limit}: {module}::{test} says nothing of it"
    );
}

/// That an error names the limit, how much it allows, and how much there was, and says so in words; else what is wrong.
fn check_figures(limit: &str, maximum: u64, error: &Value, figures: &Value) -> Result<(), String> {
    let number = |name: &str| {
        let value = &figures[name];
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let codes = ["LIMIT_EXCEEDED", "COST_EXCEEDED"];
    let message = error["message"].as_str().unwrap_or_default();
    // What to do about it follows what is wrong.
    let parts = message.split([':', ';', '.', ',']);
    let parts = parts.filter(|part| part.trim().len() > 9).count();
    let holds = codes.contains(&figures["code"].as_str().unwrap_or_default())
        && figures["limit"] == limit
        && number("maximum") == Some(maximum)
        && number("value") > Some(maximum)
        && message.contains(&maximum.to_string())
        && parts > 1;
    holds
        .then_some(())
        .ok_or_else(|| format!("{limit}, {maximum}: {error:#}"))
}

async fn meet(server: &Running, limit: &str, maximum: u64, how: How) -> Result<(), String> {
    match how {
        Asked(document, variables, coordinate) => {
            let answer = asked(server, &document, &variables).await;
            let error = &answer["errors"][0];
            check_figures(limit, maximum, error, &error["extensions"])?;
            let at = error["extensions"]["coordinate"].as_str();
            let is_there = at == coordinate;
            is_there
                .then_some(())
                .ok_or_else(|| format!("{limit}: not {coordinate:?}: {error:#}"))
        }
        Changed(mutation, variables) => {
            if limit == "segments" {
                filled(server, maximum).await;
            }
            let errors = "userErrors { field code message limit maximum value }";
            let answer = asked(server, &mutation.replace("ERRORS", errors), &variables).await;
            let error = &answer["data"]["done"]["userErrors"][0];
            check_figures(limit, maximum, error, error)
        }
        Shown(module, test) => {
            check_shown(limit, module, test);
            Ok(())
        }
        Never(why) => (why.len() > 10)
            .then_some(())
            .ok_or_else(|| format!("{limit}: say why no request passes it")),
    }
}

#[tokio::test]
async fn every_limit_is_met_and_told_in_one_form() {
    let server = running(SETTINGS).await;
    let limits = told(&server).await;
    let ids = prepared(&server).await;
    let mut cases = of_documents();
    cases.extend(of_doors());
    cases.extend(of_fields(&ids));
    cases.extend(of_changes(&ids));
    let listed: BTreeSet<&str> = limits.iter().map(|(name, _)| name.as_str()).collect();
    let met: BTreeSet<&str> = cases.iter().map(|(name, _)| *name).collect();
    assert_eq!(met.len(), cases.len(), "each limit once");
    assert_eq!(
        met, listed,
        "the limits that are met here, and those of the schema"
    );
    let mut problems = Vec::new();
    for (limit, how) in cases {
        let maximum = limits.iter().find(|(name, _)| name == limit);
        let maximum = maximum
            .and_then(|(_, maximum)| *maximum)
            .unwrap_or_default();
        problems.extend(meet(&server, limit, maximum, how).await.err());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn a_budget_that_is_too_small_names_its_limit() {
    let server = running("budget_capacity = 10\nbudget_restore = 1").await;
    let answer = asked(
        &server,
        "{ actions(first: 100) { nodes { id } } }",
        &json!({}),
    )
    .await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "COST_EXCEEDED", "{answer:#}");
    assert_eq!(extensions["limit"], "budgetCapacity", "{answer:#}");
    assert_eq!(extensions["maximum"], 10, "{answer:#}");
    assert!(extensions["value"].as_u64() > Some(100), "{answer:#}");
}

#[tokio::test]
async fn a_file_that_is_too_large_names_its_limit() {
    let server = running("import_max_bytes = 1000").await;
    let answer = uploaded(&server, "x".repeat(1_001)).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["limit"], "importBytes", "{answer:#}");
    assert_eq!(extensions["maximum"], 1_000, "{answer:#}");
    assert_eq!(extensions["value"], 1_001, "{answer:#}");
    assert_eq!(extensions["code"], "LIMIT_EXCEEDED", "{answer:#}");
}

/// What waits here are rows without files, which nobody can read.
#[tokio::test]
async fn a_queue_that_is_full_names_its_limits() {
    let settings = "import_max_waiting = 2\nimport_max_waiting_bytes = 1000";
    let server = running(settings).await;
    let put = async |number: u128, bytes: u64| {
        let upload = Upload {
            scope: WriteScope::for_entrance(server.publishers[0].id),
            run_id: Uuid::from_u128(number),
            name: "one that waits".to_owned(),
            as_of: None,
            offset_minutes: 0,
            queued_at: server.now(),
        };
        enqueue(&server.store, &upload, bytes).await.unwrap();
    };
    let send = async |place: usize| {
        let request = server.client.post(server.at("/import"));
        let key = &server.keys[place];
        let request = request.bearer_auth(key).body("[]".repeat(50));
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let told: Value = answer.json().await.unwrap();
        (status, headers.contains_key("retry-after"), told)
    };
    let figures = |told: &Value, limit: &str, maximum: u64, value: u64| {
        let extensions = &told["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "RATE_LIMITED", "{told:#}");
        assert_eq!(extensions["limit"], limit, "{told:#}");
        assert_eq!(extensions["maximum"], maximum, "{told:#}");
        assert_eq!(extensions["value"], value, "{told:#}");
    };
    put(1, 950).await;
    let (status, retries, told) = send(0).await;
    assert_eq!((status, retries), (429, true), "{told:#}");
    figures(&told, "waitingImportBytes", 1_000, 1_050);
    put(2, 5).await;
    let (status, retries, told) = send(0).await;
    assert_eq!((status, retries), (429, true), "{told:#}");
    figures(&told, "waitingImports", 2, 3);
    // Those of another publisher are in nobody's way.
    let (status, _, told) = send(1).await;
    assert_eq!(status, 202, "{told:#}");
}

/// With a limit that a test can reach: the default is beyond any number of actions that one could have.
#[tokio::test]
async fn a_report_that_would_read_too_much_names_its_limit() {
    let server = running("").await;
    uploaded(&server, page(3)).await;
    let options = EngineOptions {
        reports: ReportLimits {
            facts: 2,
            ..ReportLimits::default()
        },
        ..EngineOptions::default()
    };
    let engine = Engine::with(server.store.clone(), options).unwrap();
    let query = "{ report(range: {days: {from: \"2024-01-01\", to: \"2024-12-31\"}}, groupBy: [SUBID1]) \
                 { nodes { values { actions } } } limits { reportActions } }";
    let request = GraphqlRequest {
        query: query.to_owned(),
        ..GraphqlRequest::default()
    };
    let call = Call {
        viewer: Viewer {
            publisher: server.publishers[0].clone(),
            credential: Credential::LoopbackDemo,
            limits: std::sync::Arc::default(),
        },
        address: None,
        now: server.now(),
        method: Method::Post,
        reference: "test".to_owned(),
        introspection: Introspection::Allowed,
    };
    let reply = engine.execute(request, call).await;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer["data"]["limits"]["reportActions"], 2, "{answer:#}");
    let error = &answer["errors"][0];
    check_figures("reportActions", 2, error, &error["extensions"]).unwrap();
    assert_eq!(
        error["extensions"]["coordinate"], "Query.report(range:)",
        "{answer:#}"
    );
}

/// The limits whose bounds are somebody else's, and whose.
const FIXED: &[(&str, &str)] = &[
    ("counts", "an `Int` of GraphQL has 32 bits"),
    ("subidCharacters", "Admitad takes no more in a link"),
    ("subid4Characters", "Admitad takes no more in a link"),
];

/// The setting of each other limit, and less than its default: so much that a question for all limits still passes.
const SET: &[(&str, &str, u64)] = &[
    ("pages", "max_list_page_rows", 7),
    ("segmentPages", "max_segment_page_rows", 8),
    ("reportPages", "max_report_page_rows", 9),
    ("reportDimensions", "max_report_dimensions", 4),
    ("reportConditions", "max_report_conditions", 3),
    ("reportStretches", "max_report_stretches", 11),
    ("reportSegments", "max_report_segments", 12),
    ("reportActions", "max_report_actions", 13),
    ("reportRows", "max_report_rows", 14),
    ("nodes", "max_nodes", 15),
    ("orderKeys", "max_order_keys", 2),
    ("filterDepth", "max_filter_depth", 6),
    ("filterConditions", "max_filter_conditions", 17),
    ("filterValues", "max_filter_values", 18),
    ("filterAllValues", "max_filter_all_values", 19),
    ("filterSegments", "max_filter_segments", 10),
    ("filterMetrics", "max_filter_metrics", 21),
    ("statementValues", "max_statement_values", 2_200),
    ("segments", "max_segments", 23),
    ("segmentDepth", "max_segment_depth", 3),
    ("segmentConditions", "max_segment_conditions", 24),
    ("segmentMetrics", "max_segment_metrics", 5),
    ("segmentValues", "max_segment_values", 26),
    ("segmentMembers", "max_segment_members", 27),
    ("segmentTrendPoints", "max_segment_trend_points", 28),
    ("overlaidSegments", "max_overlaid_segments", 4),
    ("builtInPeriods", "max_built_in_periods", 29),
    ("builtInMembers", "max_built_in_members", 30),
    ("cohortPeriods", "max_cohort_periods", 31),
    ("awaitedProducts", "max_awaited_products", 32),
    ("retriedRecords", "max_retried_records", 33),
    ("documentBytes", "max_document_bytes", 90_000),
    ("documentTokens", "max_document_tokens", 4_000),
    ("documentNesting", "max_document_nesting", 50),
    ("documentDepth", "max_document_depth", 20),
    ("documentSelections", "max_document_selections", 4_000),
    ("documentAliases", "max_document_aliases", 50),
    ("documentRepeats", "max_document_repeats", 19),
    ("documentFields", "max_document_fields", 190),
    ("documentDirectives", "max_document_directives", 9),
    ("documentAllDirectives", "max_document_all_directives", 90),
    ("documentComparisons", "max_document_comparisons", 90_001),
    ("documentOperations", "max_document_operations", 18),
    ("variables", "max_variables", 91),
    ("variableValues", "max_variable_values", 40_000),
    ("variableBytes", "max_variable_bytes", 900_000),
    ("writtenBytes", "max_written_bytes", 4_000_000),
    ("inputObjects", "max_input_objects", 4_001),
    ("rootFields", "max_root_fields", 25),
    ("introspectionLists", "max_introspection_lists", 1),
    ("introspectionValues", "max_introspection_values", 300_000),
    ("pageRows", "max_page_rows", 9_000),
    ("operationRows", "max_operation_rows", 9_001),
    ("operationValues", "max_operation_values", 200_000),
    ("cost", "max_operation_cost", 400_000),
    ("budgetCapacity", "budget_capacity", 900_001),
    ("budgetRestoreRate", "budget_restore", 10_000),
    ("errors", "max_errors", 16),
    ("errorCharacters", "max_error_characters", 200),
    ("bodyBytes", "max_body_bytes", 900_002),
    ("answerBytes", "max_answer_bytes", 9_000_000),
    ("importBytes", "import_max_bytes", 1_000_000),
    ("waitingImports", "import_max_waiting", 34),
    ("waitingImportBytes", "import_max_waiting_bytes", 2_000_000),
    ("headMilliseconds", "head_deadline_ms", 4_500),
    ("headBytes", "max_head_bytes", 30_000),
    ("sendMilliseconds", "send_deadline_ms", 29_000),
    ("unsentBytes", "max_unsent_bytes", 100_000_000),
    ("bodyMilliseconds", "body_deadline_ms", 9_900),
    ("operationMilliseconds", "request_deadline_ms", 9_800),
    ("statementMilliseconds", "statement_deadline_ms", 4_900),
    ("keepAliveSeconds", "keep_alive_seconds", 29),
    ("concurrentOperations", "max_concurrent_operations", 200),
    (
        "concurrentOperationsPerCaller",
        "max_concurrent_operations_per_caller",
        60,
    ),
    (
        "concurrentOperationsPerAddress",
        "max_concurrent_operations_per_address",
        14,
    ),
    ("connections", "max_connections", 5_000),
    ("connectionsPerAddress", "max_connections_per_address", 500),
];

#[tokio::test]
async fn every_limit_is_a_setting_and_told_as_it_is_set() {
    let settings: String = SET
        .iter()
        .map(|(_, setting, value)| format!("{setting} = {value}\n"))
        .collect();
    let defaults: std::collections::BTreeMap<&str, u64> = keys()
        .filter_map(|key| Some((key.name, key.default.parse().ok()?)))
        .collect();
    for (limit, setting, value) in SET {
        let default = defaults.get(setting);
        let default = default.unwrap_or_else(|| panic!("{limit}: there is no setting {setting}"));
        assert!(
            value < default,
            "{limit}: {value} is not less than {default}"
        );
    }
    let server = running(&settings).await;
    let told = told(&server).await;
    let listed: BTreeSet<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    let set = SET.iter().map(|(limit, ..)| *limit);
    let all: Vec<&str> = set.chain(FIXED.iter().map(|(limit, _)| *limit)).collect();
    let known: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(known.len(), all.len(), "each limit once");
    assert_eq!(
        known, listed,
        "the limits that are set here, and those of the schema"
    );
    for (limit, setting, value) in SET {
        let maximum = told.iter().find(|(name, _)| name == limit);
        let maximum = maximum.and_then(|(_, maximum)| *maximum);
        assert_eq!(maximum, Some(*value), "{limit}, as {setting} says");
    }
}

#[test]
fn every_setting_stands_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATING.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let row_of = |name: &str| {
        let name = format!("`{name}`");
        rows.iter().find(|row| {
            let names = row.trim_start_matches('|').split('|').next();
            names.is_some_and(|names| names.contains(&name))
        })
    };
    for key in keys() {
        assert!(row_of(key.name).is_some(), "{} has no row", key.name);
    }
    for (limit, setting, _) in SET {
        let default = keys().find(|key| key.name == *setting).unwrap().default;
        let row = row_of(setting).unwrap();
        assert!(
            row.contains(&format!("| {default} |")),
            "{limit}: the default {default} in {row}"
        );
    }
    for (limit, _) in FIXED {
        assert!(row_of(limit).is_some(), "{limit}: why it cannot be set");
    }
}

/// So low that a few rows are beyond; what each case needs beside its own limit has room.
const LOW: &str = "max_list_page_rows = 5\nmax_segment_page_rows = 6\nmax_report_page_rows = 4\nmax_report_dimensions = 1\n\
    max_report_conditions = 1\nmax_report_stretches = 3\nmax_report_segments = 1\nmax_report_rows = 2\nmax_nodes = 2\n\
    max_order_keys = 1\nmax_filter_depth = 6\nmax_filter_conditions = 8\nmax_filter_values = 4\nmax_filter_all_values = 10\n\
    max_filter_segments = 1\nmax_filter_metrics = 1\nmax_segments = 4\nmax_segment_depth = 1\nmax_segment_conditions = 2\n\
    max_segment_metrics = 1\nmax_segment_values = 5\nmax_segment_members = 3\nmax_segment_trend_points = 2\n\
    max_overlaid_segments = 2\nmax_built_in_periods = 1\nmax_built_in_members = 2\nmax_cohort_periods = 2\n\
    max_awaited_products = 2\nmax_retried_records = 1\nmax_document_comparisons = 2\nmax_input_objects = 40\n\
    max_introspection_lists = 1\nmax_introspection_values = 500\nbudget_capacity = 0";

/// Questions that are beyond [`LOW`].
#[expect(clippy::too_many_lines, reason = "a table")]
fn beyond_low(segments: &[String], run: &str) -> Vec<(&'static str, How)> {
    let range = "range: {days: {from: \"2024-01-01\", to: \"2024-12-31\"}}";
    let report = |arguments: &str, coordinate| {
        text(
            format!("{{ report({range}, {arguments}) {{ nodes {{ values {{ actions }} }} }} }}"),
            Some(coordinate),
        )
    };
    let filter = |filter: Value| {
        Asked(
            "query($f: ProductFilter) { products(filter: $f) { totalCount } }".to_owned(),
            json!({ "f": filter }),
            Some("Query.products(filter:)"),
        )
    };
    let create = |rule: Value| {
        let mutation = "mutation($rule: SegmentRuleInput!) { done: createSegment(name: \"too large\", rule: $rule) { segment { id } ERRORS } }";
        Changed(mutation.to_owned(), json!({ "rule": rule }))
    };
    let new_of = |days: u32| json!({ "builtInSegment": { "kind": "NEW", "period": { "last": { "count": days, "unit": "DAY" } } } });
    let users = "query($f: UserFilter) { users(filter: $f) { totalCount } }";
    let mut deep = json!({ "name": { "eq": "x" } });
    for _ in 0..6 {
        deep = json!({ "not": deep });
    }
    let values = |from: usize| json!({ "user": { "value": { "in": numbers(from, 4) } } });
    let named = json!({ "name": { "in": list(4) } });
    let awaited = "mutation($products: ProductList!) { done: addPriorityProducts(products: $products) { changed ERRORS } }";
    let retry = format!(
        "mutation {{ done: retryRejectedRecords(run: {run:?}, records: [{{ordinal: 0}}, {{ordinal: 1}}]) {{ run {{ id }} ERRORS }} }}"
    );
    vec![
        ("pages", text("{ products(first: 6) { nodes { id } } }", Some("Query.products(first:)"))),
        (
            "segmentPages",
            text(
                format!("{{ userSegments({range}, first: 7) {{ nodes {{ size }} }} }}"),
                Some("Query.userSegments(first:)"),
            ),
        ),
        ("reportPages", report("first: 5", "Query.report(first:)")),
        ("reportDimensions", report("groupBy: [PROGRAM, STATUS]", "Query.report(groupBy:)")),
        (
            "reportConditions",
            report(
                "having: [{metric: ACTIONS, atLeast: \"1\"}, {metric: ACTIONS, atMost: \"9\"}]",
                "Query.report(having:)",
            ),
        ),
        ("reportStretches", report("bucket: QUARTER", "Query.report(bucket:)")),
        (
            "reportSegments",
            Asked(
                format!(
                    "query($ids: [ID!]) {{ report({range}, groupBy: [USER_SEGMENT], segments: $ids) {{ nodes {{ values {{ actions }} }} }} }}"
                ),
                json!({ "ids": segments[..2] }),
                Some("Query.report(segments:)"),
            ),
        ),
        ("reportRows", report("groupBy: [SUBID1]", "Query.report(groupBy:)")),
        (
            "nodes",
            Asked(
                "query($ids: [ID!]!) { nodes(ids: $ids) { id } }".to_owned(),
                json!({ "ids": list(3) }),
                Some("Query.nodes(ids:)"),
            ),
        ),
        (
            "orderKeys",
            text(
                "{ products(orderBy: [{field: NAME}, {field: NAME}]) { nodes { id } } }",
                Some("Query.products(orderBy:)"),
            ),
        ),
        ("filterDepth", filter(deep)),
        ("filterConditions", filter(json!({ "or": vec![json!({ "name": { "eq": "x" } }); 9] }))),
        ("filterValues", filter(json!({ "name": { "in": list(5) } }))),
        ("filterAllValues", filter(json!({ "or": [named, named, named] }))),
        ("filterSegments", filter(json!({ "segment": { "in": list(2) } }))),
        (
            "filterMetrics",
            Asked(
                users.to_owned(),
                json!({ "f": { "or": [new_of(1), new_of(2)] } }),
                Some("Query.users(filter:)"),
            ),
        ),
        (
            "inputObjects",
            Asked(
                "query($all: [ProductFilter!]) { products(filter: {or: $all}) { totalCount } }".to_owned(),
                json!({ "all": vec![json!({}); 40] }),
                Some("Query.products(filter:)"),
            ),
        ),
        (
            "documentComparisons",
            text("{ viewer { scopes } viewer { scopes } viewer { scopes } }", None),
        ),
        ("introspectionLists", text("{ __type(name: \"Query\") { fields { type { fields { name } } } } }", None)),
        ("introspectionValues", text("{ __schema { types { fields { name } } } }", None)),
        (
            "segmentTrendPoints",
            text(
                format!("{{ segments(first: 1) {{ nodes {{ trend({range}, bucket: MONTH) {{ size }} }} }} }}"),
                Some("Segment.trend(bucket:)"),
            ),
        ),
        (
            "overlaidSegments",
            Asked(
                "query($ids: [ID!]!) { segmentOverlap(ids: $ids) { union } }".to_owned(),
                json!({ "ids": segments }),
                Some("Query.segmentOverlap(ids:)"),
            ),
        ),
        (
            "builtInPeriods",
            Asked(
                "query($a: UserFilter, $b: UserFilter) { first: users(filter: $a) { totalCount } all: users(filter: $b) { totalCount } }".to_owned(),
                json!({ "a": new_of(1), "b": new_of(2) }),
                Some("Query.users"),
            ),
        ),
        (
            "builtInMembers",
            Asked(users.to_owned(), json!({ "f": new_of(365) }), Some("Query.users")),
        ),
        (
            "cohortPeriods",
            text(
                format!("{{ userCohorts({range}, bucket: MONTH) {{ info {{ source }} }} }}"),
                Some("Query.userCohorts(bucket:)"),
            ),
        ),
        ("segmentDepth", create(json!({ "users": { "segment": { "in": [segments[2]] } } }))),
        (
            "segmentConditions",
            create(json!({ "users": { "user": { "or": vec![json!({ "value": { "eq": "x" } }); 3] } } })),
        ),
        ("segmentMetrics", create(json!({ "users": { "or": [metric(1), metric(2)] } }))),
        ("segmentValues", create(json!({ "users": { "or": [values(0), values(10)] } }))),
        (
            "segmentMembers",
            create(json!({ "users": { "members": { "csv": many(4, |n| format!("u{n}\n")) } } })),
        ),
        (
            "awaitedProducts",
            Changed(
                awaited.to_owned(),
                json!({ "products": { "externalIds": numbers(100_000, 3) } }),
            ),
        ),
        ("retriedRecords", Changed(retry, json!({}))),
        // The last, because it fills the publisher.
        ("segments", create(json!({ "users": metric(1) }))),
    ]
}

#[tokio::test]
async fn every_limit_of_questions_and_changes_refuses_beyond_what_is_set() {
    let server = running(LOW).await;
    let run = uploaded(&server, page(3)).await;
    let run = run["run"]["id"].as_str().unwrap().to_owned();
    let one = made(&server, "one", json!({ "users": metric(1) })).await;
    let two = made(&server, "two", json!({ "users": metric(2) })).await;
    let above = json!({ "users": { "segment": { "in": [one] } } });
    let above = made(&server, "above", above).await;
    let limits = told(&server).await;
    let mut problems = Vec::new();
    for (limit, how) in beyond_low(&[one, two, above], &run) {
        let (_, setting, _) = SET.iter().find(|(name, ..)| *name == limit).unwrap();
        let set = LOW
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{setting} = ")));
        let set: u64 = set
            .unwrap_or_else(|| panic!("{limit} is not low"))
            .parse()
            .unwrap();
        let maximum = limits.iter().find(|(name, _)| name == limit).unwrap().1;
        assert_eq!(maximum, Some(set), "{limit}");
        problems.extend(meet(&server, limit, set, how).await.err());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What counts actions, and what counts values, by themselves: the other questions need more of both.
#[tokio::test]
async fn what_statements_read_and_take_is_what_is_set() {
    for (limit, setting, arguments, coordinate) in [
        (
            "reportActions",
            "max_report_actions",
            "groupBy: [SUBID1]",
            "Query.report(range:)",
        ),
        (
            "statementValues",
            "max_statement_values",
            "groupBy: [SUBID1], filter: {user: {value: {in: [\"a\", \"b\", \"c\", \"d\"]}}}",
            "Query.report(filter:)",
        ),
    ] {
        let server = running(&format!("{setting} = 2")).await;
        uploaded(&server, page(3)).await;
        let query = format!(
            "{{ report(range: {{days: {{from: \"2024-01-01\", to: \"2024-12-31\"}}}}, {arguments}) {{ nodes {{ values {{ actions }} }} }} }}"
        );
        let how = text(query, Some(coordinate));
        assert_eq!(meet(&server, limit, 2, how).await, Ok(()));
    }
}
