//! The schema: built from the types, and printed the way that is kept in `schema.graphql`.

use async_graphql::{EmptySubscription, SDLExportOptions, Schema, ValidationMode};

use super::mutation::Mutation;
use super::prices::priced;
use super::query::Query;

/// The executable schema.
pub(super) type ActionSchema = Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. Limits on documents are `document`'s, which every request passes first.
pub(super) fn build() -> ActionSchema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(usize::from(u8::MAX))
        .disable_suggestions()
        .finish()
}

/// The schema as text: the same for every build, every element described.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident();
    let printed = without_built_in(&build().sdl_with_options(options));
    let described = printed.replacen("\nschema {", &format!("\n\"{DESCRIPTION}\"\nschema {{"), 1);
    priced(&described)
}

/// What the schema is about. The framework knows no description of a schema: it prints none, and introspection answers
/// a sentence about schemas in general.
const DESCRIPTION: &str = "Actiongraph: what a publisher's target actions are, what they sold, to whom and through what. One key sees one \
     publisher's data, which comes in by other doors; here, rejected records are mended, segments are defined, keys are \
     made, and it is said how traffic is sent.";

/// Takes out what the language itself defines (its directives with their descriptions), and ends with one line break.
fn without_built_in(printed: &str) -> String {
    let mut text = String::with_capacity(printed.len());
    // A description belongs to the line behind it, so it is held back until that line is known.
    let mut held: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in printed.lines().map(str::trim_end) {
        let quotes = line.matches("\"\"\"").count();
        if inside || line.trim_start().starts_with('"') {
            held.push(line);
            inside = inside != (quotes % 2 == 1);
            continue;
        }
        if BUILT_IN
            .iter()
            .any(|name| line.starts_with(&format!("directive @{name}")))
        {
            held.clear();
            continue;
        }
        for line in held.drain(..).chain([line]) {
            // One blank line parts two definitions.
            if !(line.is_empty() && text.ends_with("\n\n")) {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Directives of the specification, which a schema need not define.
const BUILT_IN: &[&str] = &["deprecated", "include", "oneOf", "skip", "specifiedBy"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_directives_go_with_their_descriptions() {
        let printed = "\"\"\"A.\"\"\"\ntype A {\n  \"\"\"\n  x\n  \"\"\"\n  a: Int\n}\n\n\"\"\"\nSkips.\n\"\"\"\n\
                       directive @skip(if: Boolean!) on FIELD\n\"Includes.\"\ndirective @include on FIELD\n\"Own.\"\ndirective @own on FIELD\n";
        let kept = "\"\"\"A.\"\"\"\ntype A {\n  \"\"\"\n  x\n  \"\"\"\n  a: Int\n}\n\n\"Own.\"\ndirective @own on FIELD\n";
        assert_eq!(without_built_in(printed), kept);
    }

    #[test]
    fn printing_is_repeatable_and_the_document_stage_reads_it() {
        let text = sdl();
        assert_eq!(text, sdl());
        for built_in in BUILT_IN {
            assert!(!text.contains(&format!("directive @{built_in}")), "{text}");
        }
        let described =
            format!("\n\"{DESCRIPTION}\"\nschema {{\n  query: Query\n  mutation: Mutation\n}}\n");
        assert!(text.ends_with(&described), "{text}");
        let limits = crate::graphql::document::DocumentLimits::default();
        crate::graphql::document::Documents::new(&text, limits).unwrap();
    }
}
