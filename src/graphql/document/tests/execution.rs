//! Prepared documents run as the specification says, on a schema of the executor's with everything that went wrong without this stage.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Enum, ID, InputObject, Interface, Object,
    OneofObject, Request, Schema, SimpleObject, Union, ValidationMode,
};
use serde_json::{Value, json};

use super::super::{DocumentLimits, Documents};

#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Low,
    High,
}

#[derive(InputObject, Debug)]
struct Filter {
    level: Option<Level>,
    #[graphql(default = 7)]
    number: i32,
    all: Option<Vec<Filter>>,
}

#[derive(OneofObject, Debug)]
enum Pick {
    Id(ID),
    Level(Level),
}

#[derive(Interface)]
#[graphql(field(name = "id", ty = "&ID"))]
enum Named {
    Cat(Cat),
    Dog(Dog),
}

#[derive(Union)]
enum Pet {
    Cat(Cat),
    Dog(Dog),
}

#[derive(Union)]
enum Canine {
    Dog(Dog),
}

#[derive(SimpleObject)]
struct Cat {
    id: ID,
    lives: i32,
}

#[derive(SimpleObject)]
struct Dog {
    id: ID,
    barks: bool,
}

struct Query;

/// How often the field `counted` was resolved.
#[derive(Default)]
struct Resolved(AtomicUsize);

#[Object]
impl Query {
    async fn number(&self, #[graphql(default = 20)] first: i32) -> i32 {
        first
    }

    async fn maybe(&self, first: Option<i32>) -> String {
        format!("{first:?}")
    }

    async fn told(&self, first: async_graphql::MaybeUndefined<i32>) -> String {
        format!("{first:?}")
    }

    async fn text(&self, id: Option<ID>, float: Option<f64>, levels: Option<Vec<Level>>) -> String {
        format!("{id:?} {float:?} {levels:?}")
    }

    async fn filter(&self, filter: Option<Filter>) -> String {
        format!("{filter:?}")
    }

    async fn pick(&self, pick: Option<Pick>) -> String {
        format!("{pick:?}")
    }

    async fn counted(&self, ctx: &Context<'_>) -> Query {
        ctx.data_unchecked::<std::sync::Arc<Resolved>>()
            .0
            .fetch_add(1, Ordering::SeqCst);
        Query
    }

    async fn pets(&self) -> Vec<Pet> {
        vec![
            Pet::Cat(Cat {
                id: "c".into(),
                lives: 9,
            }),
            Pet::Dog(Dog {
                id: "d".into(),
                barks: true,
            }),
        ]
    }

    async fn named(&self) -> Named {
        Named::Dog(Dog {
            id: "d".into(),
            barks: true,
        })
    }

    async fn cat(&self) -> Named {
        Named::Cat(Cat {
            id: "c".into(),
            lives: 9,
        })
    }

    async fn canine(&self) -> Option<Canine> {
        None
    }

    async fn inner(&self) -> Option<Query> {
        Some(Query)
    }

    async fn fails(&self) -> async_graphql::Result<i32> {
        Err("no".into())
    }

    async fn fails_locally(&self) -> Option<async_graphql::Result<i32>> {
        Some(Err("no".into()))
    }
}

/// What a request came to.
#[derive(PartialEq, Debug)]
struct Answer {
    json: Value,
    /// The same as it is sent, in its order.
    sent: String,
    /// How often `counted` was resolved.
    resolved: usize,
}

/// Runs a request the way the server does, in both modes of the executor's own validation; the answers must be the same.
async fn run(text: &str, variables: Value) -> Answer {
    let mut answers = Vec::new();
    for mode in [ValidationMode::Fast, ValidationMode::Strict] {
        let resolved = std::sync::Arc::new(Resolved::default());
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
            .validation_mode(mode)
            .limit_recursive_depth(256)
            .data(std::sync::Arc::clone(&resolved))
            .finish();
        let documents = Documents::new(&schema.sdl(), DocumentLimits::default()).unwrap();
        let prepared = documents
            .prepare(text, None, variables.as_object().unwrap())
            .unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let mut request = Request::new("").variables(prepared.variables);
        if let Some(name) = prepared.operation_name {
            request = request.operation_name(name);
        }
        request.set_parsed_query(prepared.document);
        let response = schema.execute(request).await;
        let sent = serde_json::to_string(&response).unwrap();
        answers.push(Answer {
            json: serde_json::from_str(&sent).unwrap(),
            sent,
            resolved: resolved.0.load(Ordering::SeqCst),
        });
    }
    assert_eq!(answers[0], answers[1], "{text}");
    answers.remove(0)
}

async fn data(text: &str, variables: Value) -> Value {
    let answer = run(text, variables).await.json;
    assert_eq!(answer.get("errors"), None, "{text}: {answer}");
    answer["data"].clone()
}

#[tokio::test]
async fn a_variable_that_is_not_given_leaves_the_default() {
    let text = "query Q($n:Int=5,$m:Int!=6,$k:Int,$o:Int){a:number(first:$n) b:number(first:$m) c:maybe(first:$k) d:told(first:$k) e:told(first:$o)}";
    let text = text.replace("a:number(first:$n)", "a:maybe(first:$n)");
    assert_eq!(
        data(&text, json!({"o": null})).await,
        json!({"a": "Some(5)", "b": 6, "c": "None", "d": "Undefined", "e": "Null"})
    );
    assert_eq!(
        data(&text, json!({"n": null, "m": 1, "k": 2})).await,
        json!({"a": "None", "b": 1, "c": "Some(2)", "d": "Value(2)", "e": "Undefined"})
    );
    // Nullable, without a value, in a place with a default.
    assert_eq!(
        data("query($n:Int){number(first:$n)}", json!({})).await,
        json!({"number": 20})
    );
}

#[tokio::test]
async fn values_arrive_in_their_types() {
    let literal = "{text(id:123456789012345678901234567890,float:3,levels:LOW)}";
    let wanted =
        json!({"text": "Some(ID(\"123456789012345678901234567890\")) Some(3.0) Some([Low])"});
    assert_eq!(data(literal, json!({})).await, wanted);
    let text = "query($i:ID,$f:Float,$l:[Level!]){text(id:$i,float:$f,levels:$l)}";
    let given = json!({"i": 7, "f": 3, "l": "HIGH"});
    assert_eq!(
        data(text, given).await,
        json!({"text": "Some(ID(\"7\")) Some(3.0) Some([High])"})
    );
    let text = "query($f:Filter,$n:Int,$l:Level){a:filter(filter:$f) b:filter(filter:{number:$n,level:$l,all:{number:1}})}";
    let given = json!({"f": {"level": "LOW", "all": {"number": 2}}, "l": "HIGH"});
    assert_eq!(
        data(text, given).await,
        json!({
            "a": "Some(Filter { level: Some(Low), number: 7, all: Some([Filter { level: None, number: 2, all: None }]) })",
            "b": "Some(Filter { level: Some(High), number: 7, all: Some([Filter { level: None, number: 1, all: None }]) })",
        })
    );
    let text = "query($p:Pick,$i:ID!){a:pick(pick:$p) b:pick(pick:{id:$i}) c:pick}";
    assert_eq!(
        data(text, json!({"p": {"level": "LOW"}, "i": 4})).await,
        json!({"a": "Some(Level(Low))", "b": "Some(Id(ID(\"4\")))", "c": "None"})
    );
}

#[tokio::test]
async fn conditions_hold_on_fields_fragments_and_defaults() {
    let text = "query($no:Boolean=false,$yes:Boolean=true){
      a:number @include(if:$no) b:number @skip(if:$no) c:number @include(if:$yes) @skip(if:$yes)
      ...F @include(if:$no) ...G @skip(if:$no) ... @include(if:$yes){f:number} ... @skip(if:$yes){g:number}
    } fragment F on Query{d:number} fragment G on Query{e:number}";
    let (b, e, f) = (20, 20, 20);
    assert_eq!(data(text, json!({})).await, json!({"b": b, "e": e, "f": f}));
    assert_eq!(
        data(text, json!({"no": true, "yes": false})).await,
        json!({"a": 20, "d": 20, "g": 20})
    );
}

#[tokio::test]
async fn fields_of_one_name_are_merged_and_resolved_once() {
    let text = "{counted{a:number(first:1)} ...F counted{inner{a:number(first:3)}} number}
      fragment F on Query{counted{b:number(first:2) inner{b:number(first:4)}}}";
    let answer = run(text, json!({})).await;
    let data = r#"{"data":{"counted":{"a":1,"b":2,"inner":{"b":4,"a":3}},"number":20}}"#;
    assert_eq!(answer.sent, data);
    assert_eq!(answer.resolved, 1);
    let twice = run("{a:counted{number} b:counted{number}}", json!({})).await;
    assert_eq!(twice.resolved, 2);
}

#[tokio::test]
async fn fragments_apply_by_type() {
    let text = "{pets{__typename ...on Cat{id lives} ...D} named{...on Named{id} ...N ...on Cat{lives}} cat{...N}}
      fragment D on Dog{barks ...on Named{id}} fragment N on Named{...D ...on Cat{lives}}";
    assert_eq!(
        data(text, json!({})).await,
        json!({
            "pets": [{"__typename": "Cat", "id": "c", "lives": 9}, {"__typename": "Dog", "id": "d", "barks": true}],
            "named": {"id": "d", "barks": true},
            "cat": {"lives": 9},
        })
    );
}

#[tokio::test]
async fn conditions_on_unions_and_impossible_ones_are_settled() {
    let text = "{named{...on Canine{...on Dog{barks}} ...on Dog{id ...N}} cat{...on Canine{__typename} ...on Dog{...N} ...on Cat{...N}}
      pets{...on Canine{__typename} ...on Named{id}} canine{__typename}} fragment N on Named{...on Cat{lives} ...on Dog{id}}";
    assert_eq!(
        data(text, json!({})).await,
        json!({
            "named": {"barks": true, "id": "d"},
            "cat": {"lives": 9},
            "pets": [{"id": "c"}, {"__typename": "Dog", "id": "d"}],
            "canine": null,
        })
    );
}

#[tokio::test]
async fn errors_keep_place_and_path_and_null_goes_up() {
    let text = "query {\n  inner {\n    ...F\n    number\n  }\n  other: number\n}\nfragment F on Query {\n  failsLocally\n}";
    let answer = run(text, json!({})).await.json;
    assert_eq!(
        answer["data"],
        json!({"inner": {"failsLocally": null, "number": 20}, "other": 20})
    );
    assert_eq!(
        answer["errors"][0]["locations"],
        json!([{"line": 9, "column": 3}])
    );
    assert_eq!(
        answer["errors"][0]["path"],
        json!(["inner", "failsLocally"])
    );
    let answer = run("{number inner{fails}}", json!({})).await.json;
    assert_eq!(answer["data"], json!({"number": 20, "inner": null}));
    let answer = run("{number fails}", json!({})).await.json;
    assert_eq!(answer["data"], Value::Null);
}

#[tokio::test]
async fn introspection_answers() {
    let text = "query I{__typename __type(name:\"Pick\"){isOneOf inputFields(includeDeprecated:true){name type{kind name ofType{name}}}} __schema{queryType{name}}}";
    assert_eq!(
        data(text, json!({})).await,
        json!({
            "__typename": "Query",
            "__type": {"isOneOf": true, "inputFields": [
                {"name": "id", "type": {"kind": "SCALAR", "name": "ID", "ofType": null}},
                {"name": "level", "type": {"kind": "ENUM", "name": "Level", "ofType": null}},
            ]},
            "__schema": {"queryType": {"name": "Query"}},
        })
    );
}
