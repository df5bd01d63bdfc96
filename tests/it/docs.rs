//! The examples of the documentation do what the pages say: each is asked as it stands, on a world with data.

use crate::support::api::Api;
use crate::support::drafts::{Maker, Shape};
use crate::support::world::{World, block_on};
use actiongraph::domain::scope::KeyScope;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SHAPE: Shape = Shape {
    drafts: 200,
    actions: 160,
    wild: false,
};

/// All pages that may hold examples.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::fs::read_dir(root.join("docs")).unwrap();
    let mut pages: Vec<PathBuf> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// The GraphQL examples of a page with the lines that they begin in.
fn examples(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut is_inside = false;
    for (number, line) in text.lines().enumerate() {
        match line.trim() {
            "```graphql" => {
                is_inside = true;
                found.push((number + 2, String::new()));
            }
            "```" => is_inside = false,
            _ if is_inside => {
                let (_, example) = found.last_mut().unwrap();
                example.push_str(line);
                example.push('\n');
            }
            _ => {}
        }
    }
    found
}

/// Something of each type that an example names by a shortened id.
async fn known(api: &Api) -> BTreeMap<&'static str, String> {
    let query = "{ adSpaces { nodes { id } } programs { nodes { id } } }";
    let data = api.data(query, &json!({})).await;
    let id = |place: &str| data.pointer(place).unwrap().as_str().unwrap().to_owned();
    BTreeMap::from([
        ("\"QWRTcGFjZTo…\"", id("/adSpaces/nodes/0/id")),
        ("\"UHJvZ3JhbTo…\"", id("/programs/nodes/0/id")),
    ])
}

/// Values for the variables that examples declare.
async fn variables(api: &Api, example: &str) -> Value {
    let mut given = json!({});
    if example.contains("$range: RangeInput") {
        given["range"] = json!({ "last": { "count": 90, "unit": "DAY" } });
    }
    if example.contains("$ids: [ID!]!") {
        let mut ids = Vec::new();
        for least in 1..=2 {
            let create = "mutation($name: String!, $rule: SegmentRuleInput!) { createSegment(name: $name, rule: $rule) { \
                          segment { id } } }";
            let rule = json!({ "users": { "metric": { "metric": "ACTIONS", "atLeast": least } } });
            let made = api
                .data(
                    create,
                    &json!({ "name": format!("s{least}"), "rule": rule }),
                )
                .await;
            ids.push(made["createSegment"]["segment"]["id"].clone());
        }
        given["ids"] = Value::Array(ids);
    }
    given
}

/// What is wrong in an answer: its errors, those that are values, and fields at the root without an answer.
fn wrong(answer: &Value) -> Option<String> {
    fn refused(value: &Value) -> bool {
        match value {
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                let is_told = matches!(name.as_str(), "userErrors" | "problems");
                is_told && value.as_array().is_some_and(|errors| !errors.is_empty())
                    || refused(value)
            }),
            Value::Array(items) => items.iter().any(refused),
            _ => false,
        }
    }
    let data = answer["data"].as_object();
    let is_answered = data.is_some_and(|data| data.values().all(|value| !value.is_null()));
    let is_wrong = answer.get("errors").is_some() || !is_answered || refused(answer);
    is_wrong.then(|| format!("{answer:#}"))
}

#[test]
fn every_example_is_answered() {
    block_on(async {
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        let mut failed = Vec::new();
        for page in pages() {
            let text = std::fs::read_to_string(&page).unwrap();
            let name = page.file_name().unwrap().to_string_lossy().into_owned();
            let examples = examples(&text);
            if examples.is_empty() {
                continue;
            }
            let world = World::new(1).await;
            world.apply(0, &Maker::new(4, SHAPE).drafts()).await;
            let scopes = [KeyScope::Read, KeyScope::Segments];
            let api = Api::of(&world, 0).allowed(&scopes);
            let known = known(&api).await;
            for (line, mut example) in examples {
                for (short, id) in &known {
                    example = example.replace(short, &format!("{id:?}"));
                }
                let variables = variables(&api, &example).await;
                let answer = api.answer(&example, &variables).await;
                if let Some(why) = wrong(&answer) {
                    failed.push(format!("{name}:{line}\n{example}{why}"));
                }
                *asked.entry(name.clone()).or_default() += 1;
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n\n"));
        for page in ["SEGMENTS.md", "TRAFFIC.md", "REPORTS.md"] {
            assert!(
                asked.get(page).is_some_and(|count| *count > 1),
                "{page}: {asked:?}"
            );
        }
    });
}
