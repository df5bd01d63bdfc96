//! The schema itself: kept in `schema.graphql`, described to the last element, and free of types that lose digits.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use actiongraph::domain::id::PublisherId;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::{Credential, Publisher, Viewer};
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::graphql::{Call, Engine, GraphqlRequest, Introspection, Method, sdl};
use serde_json::Value;

use crate::support::fresh_store;

const INTROSPECTION: &str = "{ __schema { types { name kind description
    fields(includeDeprecated: true) { name description type { ...T }
        args(includeDeprecated: true) { name description type { ...T } } }
    inputFields(includeDeprecated: true) { name description type { ...T } }
    enumValues(includeDeprecated: true) { name description }
    specifiedByURL } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The types of the schema but those that introspection itself defines.
async fn types() -> Vec<Value> {
    let (store, _) = fresh_store().await;
    let engine = Engine::new(store).unwrap();
    let publisher = Publisher {
        id: PublisherId(1),
        slug: "nobody".to_owned(),
        name: "Nobody".to_owned(),
        zone: Zone::UTC,
        currency: Currency::USD,
    };
    let call = Call {
        viewer: Viewer {
            publisher,
            credential: Credential::LoopbackDemo,
            limits: std::sync::Arc::default(),
        },
        address: None,
        now: Instant::MIN,
        method: Method::Post,
        reference: "test".to_owned(),
        introspection: Introspection::Allowed,
    };
    let request = GraphqlRequest {
        query: INTROSPECTION.to_owned(),
        ..GraphqlRequest::default()
    };
    let reply = engine.execute(request, call).await;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answer.get("errors"), None, "{answer}");
    let all = answer["data"]["__schema"]["types"]
        .as_array()
        .unwrap()
        .clone();
    let own = |ty: &Value| !name(ty).starts_with("__");
    all.into_iter().filter(own).collect()
}

fn name(element: &Value) -> &str {
    element["name"].as_str().unwrap()
}

fn list<'a>(element: &'a Value, key: &str) -> &'a [Value] {
    element[key].as_array().map_or(&[], Vec::as_slice)
}

/// The name of a type without its list and non-null wrappers.
fn base(ty: &Value) -> &str {
    match ty["ofType"] {
        Value::Null => name(ty),
        ref inner => base(inner),
    }
}

/// Every field, argument, input field and enum value with its coordinate.
fn elements(types: &[Value]) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for ty in types {
        all.push((name(ty).to_owned(), ty));
        for key in ["fields", "inputFields", "enumValues"] {
            for element in list(ty, key) {
                let coordinate = format!("{}.{}", name(ty), name(element));
                for argument in list(element, "args") {
                    all.push((format!("{coordinate}({}:)", name(argument)), argument));
                }
                all.push((coordinate, element));
            }
        }
    }
    all
}

#[test]
fn the_file_is_what_the_server_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept == sdl(),
        "schema.graphql is not what the server prints: run `make schema` and look at the difference"
    );
}

#[tokio::test]
async fn every_element_is_described() {
    let types = types().await;
    let elements = elements(&types);
    assert!(
        elements.len() > 1_050,
        "only {} elements were seen",
        elements.len()
    );
    // `ID` is the specification's own, and the framework leaves it bare.
    let bare = |(coordinate, element): &&(String, &Value)| {
        coordinate != "ID"
            && element["description"]
                .as_str()
                .is_none_or(|text| text.trim().is_empty())
    };
    let bare: Vec<&str> = elements
        .iter()
        .filter(bare)
        .map(|(coordinate, _)| coordinate.as_str())
        .collect();
    assert_eq!(bare, Vec::<&str>::new());
}

#[tokio::test]
async fn only_ratios_are_floats() {
    let types = types().await;
    let floats: Vec<String> = elements(&types)
        .into_iter()
        .filter(|(_, element)| element.get("type").is_some_and(|ty| base(ty) == "Float"))
        .map(|(coordinate, _)| coordinate)
        .collect();
    assert!(floats.contains(&"Change.ratio".to_owned()), "{floats:?}");
    let is_ratio = |coordinate: &str| {
        // The last two are rates that everyone calls by these letters.
        ["ratio", "share", "Share", "Coverage", "Rate", ".ctr", ".cr"]
            .iter()
            .any(|end| coordinate.ends_with(end))
    };
    for float in floats {
        assert!(
            is_ratio(&float),
            "{float} is a Float and by its name no ratio"
        );
    }
}

#[tokio::test]
async fn scalars_are_the_agreed_ones_and_say_what_specifies_them() {
    let types = types().await;
    let scalars: Vec<&Value> = types.iter().filter(|ty| ty["kind"] == "SCALAR").collect();
    let names: Vec<&str> = scalars.iter().map(|ty| name(ty)).collect();
    let agreed = [
        "ActionFilterValue",
        "BigInt",
        "Boolean",
        "CountryCode",
        "CurrencyCode",
        "Date",
        "DateTime",
        "Decimal",
        "Float",
        "ID",
        "Int",
        "RangeValue",
        "SegmentRuleValue",
        "String",
        "TimeZone",
        "URL",
    ];
    assert_eq!(
        names, agreed,
        "a scalar more, such as JSON, is a type that says nothing"
    );
    for scalar in scalars {
        let built_in = ["Boolean", "Float", "ID", "Int", "String"].contains(&name(scalar));
        assert_eq!(
            scalar["specifiedByURL"].is_string(),
            !built_in,
            "{}",
            name(scalar)
        );
    }
}

/// `i64` becomes `Int` in async-graphql, which is 32 bits in every client; so amounts, ids and versions have their own
/// scalars, and what is `Int` is a count, a size or a place.
#[tokio::test]
async fn nothing_wide_is_an_int() {
    let types = types().await;
    for (coordinate, element) in elements(&types) {
        let Some(ty) = element.get("type").filter(|ty| base(ty) == "Int") else {
            continue;
        };
        let wide = [
            "Version", "version", "rowsRead", "byte", "line", "amount", "Amount", "reward",
            "Micros",
        ];
        // People change a segment: its versions are few.
        let is_of_segment = coordinate.contains("Segment") && coordinate.ends_with("ersion");
        assert!(
            is_of_segment || !wide.iter().any(|end| coordinate.ends_with(end)),
            "{coordinate} is {ty}"
        );
    }
}

#[tokio::test]
async fn what_depends_on_a_range_has_no_id() {
    let types = types().await;
    let fields = |ty: &str| -> Vec<String> {
        let ty = types
            .iter()
            .find(|other| name(other) == ty)
            .unwrap_or_else(|| panic!("no type {ty}"));
        list(ty, "fields")
            .iter()
            .map(|field| name(field).to_owned())
            .collect()
    };
    for value in [
        "CategorySales",
        "ProductSales",
        "RankedProduct",
        "ProductSegmentResult",
        "SegmentProduct",
        "UserSegmentResult",
        "SegmentUser",
        "RfmScore",
        "MovedUser",
        "UserCohort",
        "Sales",
        "ActionTotals",
        "AggregateInfo",
        "TrafficTarget",
        "ReportRow",
        "ReportKey",
        "ReportValues",
        "ReportInfo",
    ] {
        assert!(!fields(value).contains(&"id".to_owned()), "{value}");
    }
    for entity in [
        "Action",
        "Product",
        "Category",
        "Program",
        "AdSpace",
        "User",
        "ImportRun",
    ] {
        assert!(fields(entity).contains(&"id".to_owned()), "{entity}");
    }
    for (coordinate, field) in elements(&types) {
        let ranged = coordinate.ends_with(".sales") && !coordinate.starts_with("Query");
        let arguments: Vec<&str> = list(field, "args").iter().map(name).collect();
        assert!(
            !ranged || arguments.contains(&"range"),
            "{coordinate} depends on a range that it does not take"
        );
    }
}

#[tokio::test]
async fn roots_can_fail_alone() {
    let types = types().await;
    let query = types.iter().find(|ty| name(ty) == "Query").unwrap();
    let always: Vec<&str> = list(query, "fields")
        .iter()
        .filter(|field| field["type"]["kind"] == "NON_NULL")
        .map(name)
        .collect();
    assert_eq!(
        always,
        [
            "nodes",
            "viewer",
            "limits",
            "freshness",
            "metricDefinitions"
        ]
    );
}
