//! What fields cost, as the schema says it: every list has a size, and what is published is what is charged.

use actiongraph::graphql::document::{DocumentLimits, Documents};
use actiongraph::graphql::sdl;

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
