//! Tests of the stage as a whole: limits, costs, errors. How prepared documents execute is in `execution`; verdicts against graphql-js are
//! in the integration test `documents`.

mod cost;
mod execution;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    BAD_USER_INPUT, DocumentLimits, Documents, Judge, Judges, LIMIT_EXCEEDED, OperationKind,
    PARSE_FAILED, Prepared, RequestError, VALIDATION_FAILED,
};

const SDL: &str = r#"
type Query {
  a: Int
  b(x: [[Int]], y: Any, z: Range, id: ID, ids: [ID!]): Query
  q: Query
  node: Node
  needs(x: Int!): Int
}
type Mutation { set(level: Level): Int }
type Subscription { tick: Int other: Int }
interface Node { id: ID! }
type Thing implements Node { id: ID! level: Level }
scalar Any
enum Level { LOW HIGH }
input Range @oneOf { days: Int preset: Level }
"#;

fn documents(limits: DocumentLimits) -> Documents {
    Documents::new(SDL, limits).unwrap()
}

fn prepare(text: &str) -> Result<Prepared, Vec<RequestError>> {
    documents(DocumentLimits::default()).prepare(text, None, &Map::new())
}

fn prepare_with(text: &str, variables: &Value) -> Result<Prepared, Vec<RequestError>> {
    let variables = variables.as_object().unwrap();
    documents(DocumentLimits::default()).prepare(text, None, variables)
}

/// The code and message of the only error.
#[track_caller]
fn refusal(result: Result<Prepared, Vec<RequestError>>) -> (&'static str, String) {
    let errors = result.expect_err("refused");
    assert_eq!(errors.len(), 1, "{errors:?}");
    (errors[0].code, errors[0].message.clone())
}

/// Texts that nest `levels` deep, in every way that the language has.
fn nestings(levels: usize) -> Vec<String> {
    let around = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(levels), close.repeat(levels))
    };
    vec![
        format!("{{b(x:{}){{a}}}}", around("[", "1", "]")),
        format!("{{b(y:{}){{a}}}}", around("{a:", "1", "}")),
        format!("{{b(y:{}){{a}}}}", around("[{a:", "1", "}]")),
        format!("query($v:Any={}){{b(y:$v){{a}}}}", around("[", "1", "]")),
        format!("query($v:Any={}){{b(y:$v){{a}}}}", around("{a:", "1", "}")),
        format!("query($v:{}){{b(y:$v){{a}}}}", around("[", "Int", "]")),
        around("{q", "{a}", "}"),
        around("{...on Query", "{a}", "}"),
        around("{...", "{a}", "}"),
        format!("{{a @skip(if:{})}}", around("[", "true", "]")),
        "(".repeat(levels),
        "{".repeat(levels),
        around("[", "", "}"),
    ]
}

#[test]
fn any_nesting_is_refused_without_the_stack() {
    for levels in [61, 1_000, 2_000, 5_000, 8_000, 15_000, 100_000] {
        for text in nestings(levels) {
            let (code, message) = refusal(prepare(&text));
            assert_eq!(code, LIMIT_EXCEEDED, "{levels} of {}", &text[..20]);
            assert!(
                message.contains("60") || message.contains("100000"),
                "{message}"
            );
        }
    }
}

#[test]
fn limits_set_too_high_do_not_cost_the_stack() {
    let open = DocumentLimits {
        bytes: usize::MAX,
        tokens: usize::MAX,
        nesting: usize::MAX,
        depth: usize::MAX,
        structured_scalars: true,
        ..DocumentLimits::default()
    };
    let documents = documents(open);
    for levels in [190, 1_000, 100_000] {
        for text in nestings(levels) {
            // Whatever the verdict: it is one.
            let _ = documents.prepare(&text, None, &Map::new());
        }
    }
    let deep = format!("{}{{a}}{}", "{q".repeat(190), "}".repeat(190));
    let prepared = documents.prepare(&deep, None, &Map::new()).unwrap();
    assert_eq!(prepared.cost.depth, 191);
}

#[test]
fn fragments_cannot_multiply() {
    let mut bomb = String::from("{...F0}");
    for level in 0..24 {
        bomb += &format!(" fragment F{level} on Query{{...F{0} ...F{0}}}", level + 1);
    }
    bomb += " fragment F24 on Query{__typename}";
    let (code, message) = refusal(prepare(&bomb));
    assert_eq!(code, LIMIT_EXCEEDED);
    assert!(message.contains("5000 selections"), "{message}");

    // Far beyond what 64 bits count.
    let mut bomb = String::from("{...F0}");
    for level in 0..50 {
        let spreads =
            format!("q{{...F{}}}", level + 1).repeat(1) + &format!("...F{} ", level + 1).repeat(20);
        bomb += &format!(" fragment F{level} on Query{{{spreads}}}");
    }
    bomb += " fragment F50 on Query{a}";
    assert_eq!(refusal(prepare(&bomb)).0, LIMIT_EXCEEDED);
}

#[test]
fn chains_and_cycles_of_fragments_are_refused() {
    let mut chain = String::from("{...F0}");
    for level in 0..500 {
        chain += &format!(" fragment F{level} on Query{{...F{}}}", level + 1);
    }
    chain += " fragment F500 on Query{a}";
    let (code, message) = refusal(prepare(&chain));
    assert_eq!(code, LIMIT_EXCEEDED);
    assert!(message.contains("60 levels"), "{message}");

    let (code, message) = refusal(prepare(
        "{...A} fragment A on Query{q{...B}} fragment B on Query{q{...A}}",
    ));
    assert_eq!(code, VALIDATION_FAILED);
    assert_eq!(message, "The fragment \"A\" contains itself.");
}

/// `count` items, told apart by their numbers.
fn list(count: usize, item: &dyn Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(" ")
}

/// How a document of a size is written, the last size that passes, and what the refusal of the next names.
type Sized = (Box<dyn Fn(usize) -> String>, usize, &'static str);

fn sized() -> Vec<Sized> {
    vec![
        (
            Box::new(|n| format!("{{{}}}", list(n, &|i| format!("q{{a{i}:a}}")))),
            20,
            "fields \"q\"",
        ),
        (
            Box::new(|n| {
                let inner = |i: usize| format!("q{}: a", i % 20);
                let rows = |i: usize| {
                    format!(
                        "...on Query{{q{{{}}}}}",
                        list(if i < n / 20 { 20 } else { n % 20 }, &inner)
                    )
                };
                format!("{{a {}}}", list(n.div_ceil(20), &rows))
            }),
            60,
            "60 aliases",
        ),
        (
            Box::new(|n| {
                let mut text = String::from("{");
                for part in 0..n.div_ceil(10) {
                    let keys = list((n - part * 10).min(10), &|i| format!("k{part}{i}:a"));
                    text += &format!("...F{part} ");
                    text = format!("fragment F{part} on Query{{{keys}}} {text}");
                }
                text + "}"
            }),
            30,
            "30 root fields",
        ),
        (
            Box::new(|n| format!("{{a {}}}", list(n, &|_| "@skip(if:true)".to_owned()))),
            10,
            "10 directives",
        ),
        (
            Box::new(|n| list(n, &|i| format!("query Q{i}{{a}}"))),
            20,
            "20 operations",
        ),
        (
            Box::new(|n| {
                let definitions = list(n, &|i| format!("$v{i}:Int"));
                let uses = list(n, &|i| format!("$v{i}"));
                format!("query({definitions}){{b(x:[{uses}]){{a}}}}")
            }),
            100,
            "100 variables",
        ),
        (
            Box::new(|n| format!("{}a{}", "{q".repeat(n - 1) + "{", "}".repeat(n))),
            24,
            "24 levels",
        ),
        (
            Box::new(|n| format!("{{a{}}}", ",".repeat(n - 3))),
            100_000,
            "100000",
        ),
        (
            Box::new(|n| format!("{{b(x:[{}]){{a}}}}", "1 ".repeat(n - 12))),
            5_000,
            "5000 tokens",
        ),
    ]
}

#[test]
fn each_limit_of_shape_holds_at_its_figure() {
    for (write, last, named) in sized() {
        let limit = |result: Result<Prepared, Vec<RequestError>>| match result {
            Ok(_) => None,
            Err(errors) => errors
                .into_iter()
                .find(|error| error.code == LIMIT_EXCEEDED),
        };
        let passed = limit(prepare(&write(last)));
        assert!(passed.is_none(), "{named}: {passed:?}");
        let refused = limit(prepare(&write(last + 1))).unwrap_or_else(|| panic!("{named} passes"));
        assert!(refused.message.contains(named), "{}", refused.message);
    }
}

#[test]
fn values_cannot_multiply() {
    let mut text = String::from("query($v:Any,$l:[ID!]){...F0 b(ids:$l){a}}");
    for level in 0..12 {
        let next = level + 1;
        text += &format!(" fragment F{level} on Query{{k:q{{...F{next}}} q{{...F{next}}}}}");
    }
    text += " fragment F12 on Query{b(y:$v){__typename}}";
    let text = text.replace("k:q{...F12} q{...F12}", "q{...F12}");
    let run = |variables: Value| {
        let open = DocumentLimits {
            selections: 1_000_000,
            ..DocumentLimits::default()
        };
        documents(open).prepare(&text, None, variables.as_object().unwrap())
    };
    run(json!({"v": "x", "l": vec!["i"; 30_000]})).unwrap();
    let (code, message) = refusal(run(json!({"v": "x".repeat(900_000)})));
    assert_eq!(code, LIMIT_EXCEEDED);
    assert!(message.contains("4194304 bytes"), "{message}");
    // Many uses in one argument.
    let uses = format!("query($v:ID!){{b(ids:[{}]){{a}}}}", "$v ".repeat(2_000));
    let result = prepare_with(&uses, &json!({"v": "x".repeat(900_000)}));
    assert_eq!(refusal(result).0, LIMIT_EXCEEDED);
    prepare_with(&uses, &json!({"v": "x"})).unwrap();
    // Lists and objects weigh something whatever is in them.
    let empty = format!("{{b(x:[{}]){{a}}}}", "[] ".repeat(1_000));
    let documents = documents(DocumentLimits::default());
    let (result, weight) = documents.prepare_weighed(&empty, None, &Map::new());
    result.unwrap();
    assert!(weight > 40_000, "{weight} bytes");
    let (code, message) = refusal(run(json!({"l": vec!["i"; 60_000]})));
    assert_eq!(code, LIMIT_EXCEEDED);
    assert!(
        message.contains("60001 values, the limit is 50000"),
        "{message}"
    );
}

#[test]
fn repeated_fields_are_compared_on_a_budget() {
    let text = format!("{{{}}}", "...on Query{q{a b{a}}} ".repeat(20));
    let tight = DocumentLimits {
        comparisons: 50,
        ..DocumentLimits::default()
    };
    let (code, message) = refusal(documents(tight).prepare(&text, None, &Map::new()));
    assert_eq!(code, LIMIT_EXCEEDED);
    assert!(message.contains("50 comparisons"), "{message}");
    prepare(&text).unwrap();
}

#[test]
fn errors_are_few_and_short_and_repeat_little() {
    let unknown: Vec<String> = (0..1_000).map(|i| format!("nope{i}")).collect();
    let errors = prepare(&format!("{{{}}}", unknown.join(" "))).unwrap_err();
    // More than 30 root fields is one error; below the limits there are at most 20.
    assert_eq!(errors.len(), 1);
    let errors = prepare(&format!("{{{}}}", unknown[..30].join(" "))).unwrap_err();
    assert_eq!(errors.len(), 20);

    let long = "x".repeat(50_000);
    for text in [
        format!("{{{long}}}"),
        format!("{{a(v:\"{long}\")}}"),
        format!("{{a {long}"),
        format!("query({long}:Int){{a}}"),
        format!("query(${long}:{long}!){{a}}"),
        format!("{{...{long}}}"),
        format!("{{a @{long}}}"),
        format!("{{b(z:{{{long}:1}}){{a}}}}"),
        format!("{{b(x:{}){{a}}}}", "9".repeat(50_000)),
        format!("{long} {{a}}"),
    ] {
        for error in prepare(&text).unwrap_err() {
            assert!(error.message.chars().count() <= 300, "{error}");
            assert!(!error.message.contains(&"x".repeat(61)), "{error}");
        }
    }
    let short = DocumentLimits {
        message_chars: 40,
        ..DocumentLimits::default()
    };
    let (_, message) = refusal(documents(short).prepare("{needs}", None, &Map::new()));
    assert_eq!(message.chars().count(), 40);
    assert!(message.ends_with('…'));
}

#[test]
fn nothing_is_suggested() {
    let (code, message) = refusal(prepare("{aa}"));
    assert_eq!(code, VALIDATION_FAILED);
    assert_eq!(message, "The type \"Query\" has no field \"aa\".");
}

#[test]
fn errors_know_their_place() {
    let place = |text: &str| {
        let errors = prepare(text).unwrap_err();
        let pos = errors[0].locations[0];
        (pos.line, pos.column)
    };
    assert_eq!(place("{\n  a\n  nope\n}"), (3, 3));
    assert_eq!(place("{\r\n  a\r\n  nope\r\n}"), (3, 3));
    assert_eq!(place("{\r  a\r  nope\r}"), (3, 3));
    // Columns count characters, not bytes; a block string counts its lines.
    assert_eq!(place("{ b(y:\"é漢😀\"){ nope } }"), (1, 15));
    assert_eq!(place("{ b(y:\"\"\"é\n\n\"\"\"){ nope } }"), (3, 7));
    assert_eq!(place("\u{feff}{nope}"), (1, 3));
    assert_eq!(place("{a"), (1, 3));
    assert_eq!(place("# é\n{a ?}"), (2, 4));
}

#[test]
fn an_operation_is_chosen_by_name() {
    let documents = documents(DocumentLimits::default());
    let two = "query A{a} mutation B{set(level:LOW)}";
    let none = Map::new();
    let chosen = documents.prepare(two, Some("B"), &none).unwrap();
    assert_eq!(chosen.kind, OperationKind::Mutation);
    assert_eq!(chosen.operation_name.as_deref(), Some("B"));
    for name in [None, Some("C"), Some("")] {
        let (code, _) = refusal(documents.prepare(two, name, &none));
        assert_eq!(code, BAD_USER_INPUT, "{name:?}");
    }
    assert_eq!(
        refusal(documents.prepare("{a}", Some("A"), &none)).0,
        BAD_USER_INPUT
    );
    let listening = documents
        .prepare("subscription{tick}", None, &none)
        .unwrap();
    assert_eq!(listening.kind, OperationKind::Subscription);
    let reading = documents.prepare("{a}", None, &none).unwrap();
    assert_eq!(
        (reading.kind, reading.operation_name),
        (OperationKind::Query, None)
    );
}

#[test]
fn what_the_executor_lets_through_is_refused_here() {
    for (text, code) in [
        ("query($v:Int!){needs(x:$v)}", BAD_USER_INPUT),
        ("{needs(x:2147483648)}", VALIDATION_FAILED),
        ("query($v:Int){b(z:{days:$v}){a}}", VALIDATION_FAILED),
        ("query(){a}", PARSE_FAILED),
        ("{__typename @nope}", VALIDATION_FAILED),
        ("{__typename @include}", VALIDATION_FAILED),
        ("{__typename{a}}", VALIDATION_FAILED),
        ("{b(z:{days:1,days:2}){a}}", VALIDATION_FAILED),
        (
            "{a:needs(x:1) ...F} fragment F on Query{a}",
            VALIDATION_FAILED,
        ),
        ("{...on} fragment on on Query{a}", PARSE_FAILED),
        ("type T{a:Int}", VALIDATION_FAILED),
        ("", PARSE_FAILED),
    ] {
        let errors = prepare(text).unwrap_err();
        assert_eq!(errors[0].code, code, "{text}: {errors:?}");
    }
    for text in [
        "\"why\" query A(\"what\" $v:Int){b(x:[[$v]]){a}}",
        "\"\"\"why\"\"\" fragment F on Query{a} {...F}",
        "{b(y:\"\\u{1F600}\\uD83D\\uDE00\"){a}}",
    ] {
        prepare(text).unwrap();
    }
}

#[test]
fn introspection_is_not_endless() {
    let circle = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}";
    assert_eq!(refusal(prepare(circle)).0, LIMIT_EXCEEDED);
    prepare("{__schema{types{fields{type{fields{name}}}}}}").unwrap();
}

#[test]
fn variables_are_named_by_their_path_and_not_repeated() {
    let text = "query($v:[[Int]],$r:Range,$l:Level,$i:[ID!]){b(x:$v,z:$r,ids:$i){a} node{...on Thing{level}} q{b(y:$l){a}}}";
    let text = text.replace("b(y:$l)", "b(y:1)").replace(",$l:Level", "");
    let errors = prepare_with(
        &text,
        &json!({"v": [[1, "secret"], 2.5], "r": {"days": 1, "preset": "LOW"}, "i": [null]}),
    )
    .unwrap_err();
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "The variable \"$v[0][1]\" must be a whole number between -2147483648 and 2147483647.",
            "The variable \"$v[1]\" must be a whole number between -2147483648 and 2147483647.",
            "The variable \"$r\" must give exactly one field of \"Range\", and not null.",
            "The variable \"$i[0]\" of type \"ID!\" must not be null.",
        ]
    );
    assert!(errors.iter().all(|error| error.code == BAD_USER_INPUT));
    let many = json!({"v": vec!["x"; 10_000]});
    assert_eq!(
        prepare_with("query($v:[[Int]]){b(x:$v){a}}", &many)
            .unwrap_err()
            .len(),
        20
    );
}

#[test]
fn a_scalar_of_our_own_is_no_list_and_no_object() {
    assert_eq!(refusal(prepare("{b(y:[1]){a}}")).0, VALIDATION_FAILED);
    assert_eq!(refusal(prepare("{b(y:{a:1}){a}}")).0, VALIDATION_FAILED);
    for value in [json!([1]), json!({"a": 1})] {
        let result = prepare_with("query($v:Any){b(y:$v){a}}", &json!({"v": value}));
        assert_eq!(refusal(result).0, BAD_USER_INPUT);
    }
    prepare_with("query($v:Any){b(y:$v){a}}", &json!({"v": "x"})).unwrap();
}

/// A value that its scalar does not take is found before execution, wherever it stands, and with the argument that holds it.
#[test]
fn scalars_of_our_own_judge_their_values_before_execution() {
    let judge = |value: async_graphql::Value| match value {
        async_graphql::Value::String(text) if text == "bad" => Err("that is bad".to_owned()),
        _ => Ok(()),
    };
    let judges = Judges::from([("Any".to_owned(), judge as Judge)]);
    let documents = documents(DocumentLimits::default()).judging(judges);
    let prepare = |text: &str, variables: Value| {
        documents.prepare(text, None, variables.as_object().unwrap())
    };
    for (text, value) in [
        ("{b(y:\"bad\"){a}}", json!("")),
        ("query($v:Any){b(y:$v){a}}", json!("bad")),
        (
            "query($v:Any=\"bad\",$w:Any){b(y:$v){a} c:b(y:$w){a}}",
            json!("bad"),
        ),
        (
            "query($v:Any){...F} fragment F on Query{b(y:$v){a}}",
            json!("bad"),
        ),
    ] {
        let variables = if text.contains("$w") {
            json!({ "w": value })
        } else {
            json!({ "v": value })
        };
        let errors = prepare(text, variables).unwrap_err();
        for error in &errors {
            assert_eq!(error.code, BAD_USER_INPUT, "{text}");
            assert_eq!(error.message, "that is bad", "{text}");
            assert_eq!(error.coordinate.as_deref(), Some("Query.b(y:)"), "{text}");
            assert_eq!(error.locations.len(), 1, "{text}");
        }
    }
    // What does not run is judged by nobody, and nothing may stand where a value may be missing.
    prepare("{a b(y:\"bad\") @skip(if:true){a}}", json!({})).unwrap();
    prepare("query($v:Any){b(y:$v){a}}", json!({ "v": null })).unwrap();
    prepare("{b(y:\"good\"){a}}", json!({})).unwrap();
}

#[test]
fn memory_of_documents_is_bounded_and_changes_nothing() {
    let documents = documents(DocumentLimits {
        cache_bytes: 60_000,
        ..DocumentLimits::default()
    });
    for round in 0..1_000 {
        let text = format!("query Q{round}($v:Int!){{needs(x:$v)}}");
        for value in [json!(1), json!("x"), json!(2)] {
            let variables = json!({ "v": value });
            let result = documents.prepare(&text, None, variables.as_object().unwrap());
            assert_eq!(result.is_ok(), value.is_number());
        }
        let known = documents.known();
        assert!(known.bytes <= 60_000);
        assert_eq!(known.documents.len(), known.order.len());
        assert!(known.documents.contains_key(text.as_str()));
    }
    assert!(documents.known().documents.len() > 5);
    assert!(documents.prepare("{nope}", None, &Map::new()).is_err());
    assert!(!documents.known().documents.contains_key("{nope}"));
}

#[test]
fn a_broken_schema_is_told() {
    let new = |sdl: &str| Documents::new(sdl, DocumentLimits::default()).map(|_| ());
    assert!(new("type Other { a: Int }").unwrap_err().contains("Query"));
    assert!(new("type Query {").unwrap_err().contains("SDL"));
    new("\"A schema\" schema { query: Q } type Q { a: Int }").unwrap();
}

#[test]
fn block_strings_lose_their_indentation() {
    for (written, meant) in [
        ("a", "a"),
        ("\n    a\n      b\n\n    c\n  ", "a\n  b\n\nc"),
        ("  first\n  second\n    third", "  first\nsecond\n  third"),
        ("\n\n  \n", ""),
        ("a\\\"\"\"b", "a\"\"\"b"),
        ("\n\ta\r\n\tb\r\tc", "a\nb\nc"),
        ("\n  é\n ☃", " é\n☃"),
        ("\n  a\n \n  b", "a\n\nb"),
    ] {
        let text = format!("{{b(y:\"\"\"{written}\"\"\"){{a}}}}");
        let document = prepare(&text).unwrap().document;
        let printed = format!("{document:?}");
        let wanted = format!("{:?}", async_graphql_value::Value::String(meant.to_owned()));
        assert!(printed.contains(&wanted), "{wanted} in {printed}");
    }
}

fn any_piece() -> impl Strategy<Value = String> {
    let word = |text: &'static str| Just(text.to_owned());
    prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "$",
            "!",
            ":",
            "=",
            "@",
            "...",
            "on",
            "query",
            "fragment",
            "F",
            "a",
            "q",
            "b",
            "x",
            "y",
            "z",
            "1",
            "-1.5e3",
            "\"s\"",
            "\"\"\"s\"\"\"",
            "Query",
            "Int",
            "Range",
            "null",
            "true",
            "skip",
            "if",
            "days",
            "#",
            "\n",
            "\\",
            "\"",
            "\u{feff}",
            "😀",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
        word("fragment F on Query{a}"),
        word("q{a}"),
        word("query($v:Int){needs(x:$v)}"),
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = prepare(&text);
        let _ = prepare(&format!("{{b(y:\"{text}\"){{a}}}}"));
        let _ = Documents::new(&text, DocumentLimits::default());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = prepare(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_sequence_of_tokens_panics(pieces in prop::collection::vec(any_piece(), 0..60)) {
        for glue in ["", " "] {
            if let Err(errors) = prepare(&pieces.join(glue)) {
                prop_assert!(!errors.is_empty() && errors.len() <= 20);
                for error in errors {
                    prop_assert!(error.message.chars().count() <= 300);
                    for pos in error.locations {
                        prop_assert!(pos.line > 0 && pos.column > 0);
                    }
                }
            }
        }
    }
}
