//! The schema: built from the types, and printed the way that is kept in `schema.graphql`.

use async_graphql::{EmptyMutation, EmptySubscription, SDLExportOptions, Schema, ValidationMode};

use super::query::Query;

/// The executable schema.
pub type ActionSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// Builds the schema. Limits on documents are `document`'s, which every request passes first.
pub fn build() -> ActionSchema {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(usize::from(u8::MAX))
        .disable_suggestions()
        .finish()
}

/// The schema as text: the same for every build, every element described.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new().include_specified_by();
    tidy(&build().sdl_with_options(options))
}

/// Takes out what the language itself defines (its directives), and ends with one line break.
fn tidy(printed: &str) -> String {
    let own = |line: &&str| !BUILT_IN.iter().any(|name| line.starts_with(&format!("directive @{name}")));
    let mut blocks = Vec::new();
    for block in printed.split("\n\n") {
        let lines: Vec<&str> = block.lines().map(str::trim_end).filter(own).collect();
        let text = lines.join("\n");
        blocks.push(text);
    }
    let mut text = blocks.join("\n\n").trim().to_owned();
    text.push('\n');
    text
}

/// Directives of the specification, which a schema need not define.
const BUILT_IN: &[&str] = &["deprecated", "include", "oneOf", "skip", "specifiedBy"];
