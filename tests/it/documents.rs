//! Which documents are accepted, compared with graphql-js (`tests/node/verdicts.mjs`): a corpus that covers every rule, and seeded
//! mutations of it, on a schema with one of everything and on the product's own. What is accepted must also mean the same once it is
//! written for the executor: graphql-js executes both forms.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use actiongraph::graphql::document::{DocumentLimits, Documents};
use async_graphql::parser::types::{Selection, SelectionSet};
use async_graphql_value::Value as InputValue;
use serde_json::{Map, Value, json};

/// Mutations of the corpus that are compared beside it.
const MUTATIONS: usize = 12_000;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Limits so high that only the rules of GraphQL decide.
fn no_limits() -> DocumentLimits {
    DocumentLimits {
        bytes: 1 << 20,
        tokens: 100_000,
        nesting: 200,
        depth: 200,
        selections: 1_000_000,
        aliases: 10_000,
        root_fields: 10_000,
        repeats: 10_000,
        fields: 10_000,
        directives: 1_000,
        all_directives: 100_000,
        operations: 1_000,
        variables: 1_000,
        comparisons: 10_000_000,
        nodes: u64::MAX,
        page: u64::MAX,
        cost: u64::MAX,
        structured_scalars: true,
        variable_values: usize::MAX,
        variable_bytes: usize::MAX,
        written_bytes: usize::MAX,
        cache_bytes: 0,
        ..DocumentLimits::default()
    }
}

/// What this server says about one case: "accept", or what refuses it.
fn verdict(documents: &Documents, case: &Value) -> (&'static str, String) {
    let empty = Map::new();
    let prepared = documents.prepare(
        case["text"].as_str().unwrap(),
        case["operationName"].as_str(),
        case["variables"].as_object().unwrap_or(&empty),
    );
    match prepared {
        Ok(_) => ("accept", String::new()),
        Err(errors) => {
            let first = errors.first().expect("a refusal has an error");
            // A limit of ours that is a rule of graphql-js as well.
            let passed = first.passed.as_ref().map(|passed| passed.limit);
            let stage = match first.code {
                "LIMIT_EXCEEDED" if passed == Some("introspectionLists") => "document",
                "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED" => "document",
                "BAD_USER_INPUT" => "request",
                other => other,
            };
            (stage, first.message.clone())
        }
    }
}

/// Compares all cases on one schema; lists every difference. Gives the counts of what was accepted, refused as a document, and refused
/// as a request.
fn compare(name: &str, sdl: &str, cases: &[Value]) -> [usize; 3] {
    let documents = Documents::new(sdl, no_limits()).unwrap();
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| with_written(&documents, case))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let schema_file = folder.path().join("schema.graphql");
    let cases_file = folder.path().join("cases.json");
    fs::write(&schema_file, sdl).unwrap();
    fs::write(&cases_file, serde_json::to_string(&cases).unwrap()).unwrap();
    let output = Command::new("node")
        .arg(file("tests/node/verdicts.mjs"))
        .args([&schema_file, &cases_file])
        .output()
        .expect("node runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "verdicts.mjs: {complaint}");
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), cases.len());

    let mut counts = [0; 3];
    let mut executed = 0;
    let mut differences = Vec::new();
    for (case, their) in cases.iter().zip(&theirs) {
        let wanted = match their["stage"].as_str().unwrap() {
            "accept" => "accept",
            "parse" | "validate" => "document",
            _ => "request",
        };
        let (ours, message) = verdict(&documents, case);
        counts[["accept", "document", "request"]
            .iter()
            .position(|s| *s == wanted)
            .unwrap()] += 1;
        if ours != wanted {
            differences.push(format!(
                "graphql-js: {their}\n  here: {ours} {message}\n  {case}"
            ));
        } else if let Some(answers) = their["answers"].as_array() {
            executed += 1;
            if answers[0] != answers[1] {
                differences.push(format!("answers: {answers:#?}\n  {case}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{name}: {} differences in {} cases\n{}",
        differences.len(),
        cases.len(),
        differences.join("\n")
    );
    assert!(
        executed * 8 > counts[0],
        "{name}: only {executed} executed of {counts:?}"
    );
    counts
}

/// A case with the operation as it is written for the executor.
fn with_written(documents: &Documents, case: &Value) -> Value {
    let mut case = case.clone();
    let empty = Map::new();
    let prepared = documents.prepare(
        case["text"].as_str().unwrap(),
        case["operationName"].as_str(),
        case["variables"].as_object().unwrap_or(&empty),
    );
    // Introspection is not made up; JavaScript rounds long numbers; an object's key "0" cannot be written as a literal.
    let written = case.to_string();
    let long = written
        .split(|c: char| !c.is_ascii_digit())
        .any(|digits| digits.len() > 15);
    let skipped = ["__schema", "__type(", "e+", "\"0\""];
    let comparable = !long && !skipped.iter().any(|word| written.contains(word));
    if let (Ok(prepared), true) = (prepared, comparable) {
        let mut text = String::new();
        for (_, operation) in prepared.document.operations.iter() {
            write!(text, "{} ", operation.node.ty).unwrap();
            print(&operation.node.selection_set.node, &mut text);
        }
        // An operation of which everything is skipped cannot be written.
        if !text.contains("{}") {
            case["written"] = json!(text);
        }
    }
    case
}

/// A value as GraphQL text (the library's own way loses form feeds).
fn literal(value: &InputValue) -> String {
    match value {
        InputValue::String(text) => json!(text).to_string(),
        InputValue::List(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(" "))
        }
        InputValue::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields.map(|(n, v)| format!("{n}:{}", literal(v))).collect();
            format!("{{{}}}", fields.join(" "))
        }
        other => other.to_string(),
    }
}

fn print(set: &SelectionSet, into: &mut String) {
    into.push('{');
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                if let Some(alias) = &field.node.alias {
                    write!(into, "{alias}:").unwrap();
                }
                write!(into, "{}", field.node.name).unwrap();
                let arguments = field.node.arguments.iter();
                let arguments: Vec<String> = arguments
                    .map(|(name, value)| format!("{name}:{}", literal(&value.node)))
                    .collect();
                if !arguments.is_empty() {
                    write!(into, "({})", arguments.join(" ")).unwrap();
                }
                if field.node.selection_set.pos != field.pos {
                    print(&field.node.selection_set.node, into);
                }
                into.push(' ');
            }
            Selection::InlineFragment(fragment) => {
                let on = &fragment.node.type_condition.as_ref().unwrap().node.on;
                write!(into, "...on {on}").unwrap();
                print(&fragment.node.selection_set.node, into);
            }
            Selection::FragmentSpread(_) => unreachable!("fragments are written out"),
        }
    }
    into.push('}');
}

fn cases(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(file("tests/fixtures/documents").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Numbers from a seed (xorshift64*), so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % end.max(1)
    }
}

/// The seed of the mutations: the same at every run, unless `DOCUMENTS_SEED` gives another for a longer campaign.
fn seed() -> u64 {
    let given = option_env!("DOCUMENTS_SEED").and_then(|seed| seed.parse().ok());
    given.unwrap_or(0x5EED_0001)
}

/// Roughly the tokens of a text: words, numbers, and single other characters.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.chars() {
        let word = c.is_ascii_alphanumeric() || c == '_';
        match pieces.last_mut() {
            Some(last) if word && in_word => last.push(c),
            _ => pieces.push(c.to_string()),
        }
        in_word = word;
    }
    pieces
}

/// One case with its variables taken from another, or with one or two pieces deleted, doubled, swapped, or replaced by a piece of another
/// case of the same sort.
fn mutated(cases: &[Value], others: &[Value], dice: &mut Dice) -> Value {
    let mut case = cases[dice.below(cases.len())].clone();
    let other = &others[dice.below(others.len())];
    if dice.below(4) == 0 {
        case["variables"] = other["variables"].clone();
        return case;
    }
    let mut parts = pieces(case["text"].as_str().unwrap());
    let theirs = pieces(other["text"].as_str().unwrap());
    for _ in 0..=dice.below(4) / 3 {
        if parts.is_empty() || theirs.is_empty() {
            break;
        }
        let at = dice.below(parts.len());
        let to = dice.below(parts.len());
        match dice.below(8) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(to, parts[at].clone()),
            2 => parts.swap(at, to),
            3 => parts.insert(at, theirs[dice.below(theirs.len())].clone()),
            // A stretch of the other document.
            4 => {
                let from = dice.below(theirs.len());
                let until = (from + 1 + dice.below(12)).min(theirs.len());
                parts.splice(at..at, theirs[from..until].iter().cloned());
            }
            // A word for a word, a mark for a mark.
            _ => {
                let sort = |text: &str| text.chars().next().map(char::is_alphanumeric);
                let alike = |text: &&String| sort(text) == sort(&parts[at]);
                let alike: Vec<&String> = theirs.iter().filter(alike).collect();
                if !alike.is_empty() {
                    parts[at] = alike[dice.below(alike.len())].clone();
                }
            }
        }
    }
    case["text"] = json!(parts.concat());
    case
}

#[test]
fn the_corpus_gets_the_verdicts_of_graphql_js() {
    let sdl = fs::read_to_string(file("tests/fixtures/documents/schema.graphql")).unwrap();
    let counts = compare("corpus", &sdl, &cases("corpus.json"));
    assert!(
        counts.iter().all(|count| *count > 50),
        "one-sided: {counts:?}"
    );
}

#[test]
fn mutations_of_the_corpus_get_the_verdicts_of_graphql_js() {
    let sdl = fs::read_to_string(file("tests/fixtures/documents/schema.graphql")).unwrap();
    let cases = cases("corpus.json");
    let documents = Documents::new(&sdl, no_limits()).unwrap();
    let valid = |case: &Value| verdict(&documents, case).0 != "document";
    let valid: Vec<Value> = cases.iter().filter(|case| valid(case)).cloned().collect();
    let seed = seed();
    let mut dice = Dice(seed);
    let mutations: Vec<Value> = (0..MUTATIONS)
        .map(|number| match number % 3 {
            0 => mutated(&cases, &cases, &mut dice),
            1 => mutated(&valid, &cases, &mut dice),
            _ => mutated(&valid, &valid, &mut dice),
        })
        .collect();
    let counts = compare(&format!("seed {seed:#x}"), &sdl, &mutations);
    assert!(
        counts.iter().all(|count| *count > 100),
        "one-sided: {counts:?}"
    );
}

#[test]
fn the_products_documents_fit_its_limits_and_get_the_verdicts_of_graphql_js() {
    let sdl = fs::read_to_string(file("schema.graphql")).unwrap();
    let cases = cases("product.json");
    let limits = DocumentLimits::default();
    let nodes = limits.nodes;
    let documents = Documents::new(&sdl, limits).unwrap();
    // The judged query, and introspection as every tool asks it.
    for case in &cases {
        let empty = Map::new();
        let variables = case["variables"].as_object().unwrap_or(&empty);
        let text = case["text"].as_str().unwrap();
        let prepared = documents.prepare(text, case["operationName"].as_str(), variables);
        let cost = prepared
            .unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
            .cost;
        assert!(cost.nodes <= nodes / 2, "{cost:?} of {text}");
    }
    let seed = seed();
    let mut dice = Dice(seed);
    let mutations: Vec<Value> = (0..MUTATIONS / 8)
        .map(|_| mutated(&cases, &cases, &mut dice))
        .collect();
    let counts = compare(&format!("product, seed {seed:#x}"), &sdl, &mutations);
    assert!(counts[0] > 100 && counts[1] > 100, "one-sided: {counts:?}");
}
