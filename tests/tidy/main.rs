//! The house rules, read from the sources alone: this target links none of the server's code.
//!
//! `docs/ARCHITECTURE.md` holds the rank table, `edges` the imports between rooms, `rules` the rest.
//! Each finding names a file, a line and the rule. Beside every rule stands a test with a planted
//! fault, so that a rule that cannot fail is noticed. What a compiler lint can hold is not here but in
//! `clippy.toml`.

mod edges;
mod lexer;
mod rules;
mod table;
mod tree;

use std::fmt;
use std::path::Path;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path from the root of the repository.
    pub(crate) file: String,
    /// Line, from 1; 0 means the file as a whole.
    pub(crate) line: usize,
    /// Short name of the rule.
    pub(crate) rule: &'static str,
    /// What is wrong, and what to do instead.
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            file,
            line,
            rule,
            what,
        } = self;
        write!(f, "{file}:{line}: [{rule}] {what}")
    }
}

/// All findings of a repository.
fn check(tree: &tree::Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    match tree.text(table::PATH) {
        None => findings.push(Finding {
            file: table::PATH.to_owned(),
            line: 0,
            rule: "table",
            what: "the page with the rank table is missing".to_owned(),
        }),
        Some(page) => {
            let table = table::parse(page, &mut findings);
            edges::check(tree, &table, &mut findings);
        }
    }
    rules::check(tree, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}

#[test]
fn the_house_is_tidy() {
    let tree = tree::Tree::load(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(
        tree.rust().any(|file| file.path() == "src/lib.rs") && tree.text("Makefile").is_some(),
        "the sources were not found, so nothing was checked"
    );
    let findings = check(&tree);
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} broken rules:\n{}\n",
        lines.len(),
        lines.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A house with nothing wrong, to plant faults in.
    pub(crate) const SOUND: &[(&str, &str)] = &[
        (
            "docs/ARCHITECTURE.md",
            "# A\n## The dependency rule\n\n| rank | module | may import |\n|---:|---|---|\n\
             | 0 | `domain`, `clock` | – |\n| 2 | `store` | domain (+ crates entity, migration) |\n\
             | 3 | `access` · `analytics` · `ingest` | domain, store |\n| 6 | `app` | everything above |\n\
             | 7 | `cli` | everything above |\n| 8 | `main` | cli |\n\n## Next\n",
        ),
        ("src/lib.rs", "//! Rooms.\npub mod domain;\n"),
        (
            "src/main.rs",
            "//! Start.\nfn main() { actiongraph::cli::run() }\n",
        ),
        ("src/domain/mod.rs", "//! Domain.\npub struct Money(i64);\n"),
        ("src/clock.rs", "//! Time.\nfn now() { Utc::now(); }\n"),
        (
            "src/store/mod.rs",
            "//! Store.\nuse crate::domain::Money;\nuse sea_orm::Value;\n",
        ),
        (
            "src/app.rs",
            "//! App.\nuse crate::{domain, store::{self, Store}};\n",
        ),
        ("src/cli/mod.rs", "//! Cli.\nuse crate::app::App;\n"),
    ];

    /// The findings of the sound house after these files were added or replaced.
    pub(crate) fn with(faults: &[(&str, &str)]) -> Vec<String> {
        let kept = SOUND
            .iter()
            .filter(|(path, _)| faults.iter().all(|(other, _)| other != path));
        let tree = tree::Tree::of(kept.chain(faults).copied());
        check(&tree).iter().map(Finding::to_string).collect()
    }

    /// Asserts that exactly one finding arises, and that it begins like this.
    #[track_caller]
    pub(crate) fn finds(faults: &[(&str, &str)], beginning: &str) {
        let found = with(faults);
        assert!(
            found.len() == 1 && found[0].starts_with(beginning),
            "expected one finding {beginning:?}, found {found:#?}"
        );
    }

    #[test]
    fn a_sound_house_has_no_findings() {
        assert_eq!(with(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_missing_page_is_found() {
        let tree = tree::Tree::of([("src/lib.rs", "//! Rooms.\n")]);
        assert_eq!(
            check(&tree)[0].to_string(),
            "docs/ARCHITECTURE.md:0: [table] the page with the rank table is missing"
        );
    }
}
