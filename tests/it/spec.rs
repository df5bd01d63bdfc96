//! What the pinned version of the framework does with errors: the reason for pinning it (`docs/adr/0010`). A release
//! that fails here is not taken.

use actiongraph::graphql::document::{DocumentLimits, Documents};
use async_graphql::{
    EmptyMutation, EmptySubscription, Object, Request, Result, Schema, ValidationMode,
};
use serde_json::{Map, Value, json};

struct Query;
struct Inner;

#[Object]
impl Query {
    async fn ok(&self) -> i32 {
        1
    }
    async fn fails(&self) -> Result<i32> {
        Err("x".into())
    }
    async fn may_fail(&self) -> Option<Result<i32>> {
        Some(Err("x".into()))
    }
    async fn inner(&self) -> Inner {
        Inner
    }
    async fn maybe_inner(&self) -> Option<Inner> {
        Some(Inner)
    }
    async fn many(&self) -> Vec<Option<Inner>> {
        vec![Some(Inner), None]
    }
    async fn echo(&self, n: Option<i32>) -> Option<i32> {
        n
    }
}

#[Object]
impl Inner {
    async fn ok(&self) -> i32 {
        1
    }
    async fn fails(&self) -> Result<i32> {
        Err("x".into())
    }
}

/// The data of an operation and the paths of its errors, run as the engine runs it.
async fn run(query: &str) -> (Value, Vec<Value>) {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .finish();
    let documents = Documents::new(&schema.sdl(), DocumentLimits::default()).unwrap();
    let prepared = documents.prepare(query, None, &Map::new()).unwrap();
    let mut request = Request::new("").variables(prepared.variables);
    request.set_parsed_query(prepared.document);
    let response = schema.execute(request).await;
    let paths = response
        .errors
        .iter()
        .map(|error| serde_json::to_value(&error.path).unwrap());
    let paths = paths.collect();
    (response.data.into_json().unwrap(), paths)
}

#[tokio::test]
async fn a_failing_field_nulls_itself_or_its_nearest_nullable_parent() {
    for (query, data, path) in [
        ("{ ok fails }", json!(null), json!(["fails"])),
        (
            "{ ok mayFail }",
            json!({ "ok": 1, "mayFail": null }),
            json!(["mayFail"]),
        ),
        (
            "{ ok inner { ok fails } }",
            json!(null),
            json!(["inner", "fails"]),
        ),
        (
            "{ ok maybeInner { ok fails } }",
            json!({ "ok": 1, "maybeInner": null }),
            json!(["maybeInner", "fails"]),
        ),
        (
            "{ many { fails } }",
            json!({ "many": [null, null] }),
            json!(["many", 0, "fails"]),
        ),
        (
            "{ a: maybeInner { fails } b: maybeInner { ok } }",
            json!({ "a": null, "b": { "ok": 1 } }),
            json!(["a", "fails"]),
        ),
    ] {
        assert_eq!(run(query).await, (data, vec![path]), "{query}");
    }
}

#[tokio::test]
async fn what_has_no_error_is_all_there() {
    let (data, errors) = run("query($n: Int = 3) { ok echo(n: $n) maybeInner { ok } }").await;
    assert_eq!(
        data,
        json!({ "ok": 1, "echo": 3, "maybeInner": { "ok": 1 } })
    );
    assert!(errors.is_empty());
}
