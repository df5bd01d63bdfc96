//! Who imports whom: edges between the rooms of the server, and the homes of external crates.

use crate::Finding;
use crate::lexer::Token;
use crate::table::{PATH, Table};
use crate::tree::{RustFile, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Where an external crate may be named, by the beginning of its name and of the path.
/// No place at all means: in tests only.
const HOMES: &[(&str, &[&str])] = &[
    ("sea_orm", &["src/store/", "entity/src/", "migration/src/"]),
    (
        "sea_query",
        &["src/store/", "entity/src/", "migration/src/"],
    ),
    ("sqlx", &["src/store/"]),
    ("entity", &["src/store/"]),
    ("migration", &["src/store/"]),
    (
        "async_graphql",
        &["src/graphql/", "src/http/graphql.rs", "src/http/live.rs"],
    ),
    ("actix_", &["src/http/", "src/app.rs"]),
    ("clap", &["src/cli/"]),
    ("indicatif", &["src/cli/"]),
    (
        "reqwest",
        &["src/ingest/admitad/", "src/ingest/key_source.rs"],
    ),
    ("rustls", &["src/ingest/encryption.rs", "src/http/tls.rs"]),
    ("rustls_", &["src/ingest/encryption.rs"]),
    ("webpki_", &["src/ingest/encryption.rs"]),
    ("jsonwebtoken", &["src/access/token/"]),
    ("calamine", &["src/ingest/"]),
    ("csv", &["src/ingest/"]),
    ("encoding_rs", &["src/ingest/"]),
    ("quick_xml", &["src/ingest/"]),
    ("rlimit", &["src/ingest/format/sheet/"]),
    ("actiongraph", &["src/main.rs"]),
];

/// A path into the crate, from its root, with a name or a star at its end.
struct Reference {
    segments: Vec<String>,
    line: usize,
}

/// Checks every edge of the server's modules and every crate's home.
pub(crate) fn check(tree: &Tree, table: &Table, findings: &mut Vec<Finding>) {
    let mut graph: BTreeMap<String, BTreeMap<String, (String, usize)>> = BTreeMap::new();
    for file in tree.rust().filter(|file| file.is_shipped()) {
        homes(file, findings);
        let Some(room) = file.room() else { continue };
        if !table.contains_key(&room) {
            findings.push(Finding {
                file: file.path().to_owned(),
                line: 0,
                rule: "table",
                what: format!("`{room}` has no row in the rank table of {PATH}"),
            });
            continue;
        }
        for reference in references(file) {
            let target = match judge(&room, &reference, table) {
                Ok(None) => continue,
                Ok(Some(target)) => target,
                Err((rule, what)) => {
                    let (file, line) = (file.path().to_owned(), reference.line);
                    findings.push(Finding {
                        file,
                        line,
                        rule,
                        what,
                    });
                    continue;
                }
            };
            let edges = graph.entry(room.clone()).or_default();
            edges
                .entry(target)
                .or_insert_with(|| (file.path().to_owned(), reference.line));
        }
    }
    cycles(&graph, findings);
}

/// The room that a reference leads to, if it leaves its own; or the rule that it breaks.
fn judge(
    room: &str,
    reference: &Reference,
    table: &Table,
) -> Result<Option<String>, (&'static str, String)> {
    let target = match reference.segments.first().map(String::as_str) {
        None | Some("*") => {
            return Err((
                "room",
                "names the crate's root as a whole: name the room that is meant".to_owned(),
            ));
        }
        Some(target) if target == room => return Ok(None),
        Some(target) => target,
    };
    let Some(row) = table.get(target) else {
        let what =
            format!("`crate::{target}` is no room: it has no row in the rank table of {PATH}");
        return Err(("room", what));
    };
    let own = &table[room];
    if own.may.contains(target) {
        Ok(Some(target.to_owned()))
    } else if own.rank == row.rank {
        let what = format!(
            "`{room}` imports `{target}` of its own rank {}: the caller above is missing",
            row.rank
        );
        Err(("rank", what))
    } else {
        let what = format!(
            "`{room}` (rank {}) may not import `{target}` (rank {})",
            own.rank, row.rank
        );
        Err(("rank", what))
    }
}

/// All paths of a file that lead into its own crate.
fn references(file: &RustFile) -> Vec<Reference> {
    let tokens = &file.code.tokens;
    let is_main = file.path() == "src/main.rs";
    let mut module = file.module();
    let mut inline: Vec<usize> = Vec::new(); // the depths at which inline modules opened
    let mut depth = 0_usize;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            "mod" if word(tokens, at + 2) == "{" => {
                inline.push(depth);
                module.push(word(tokens, at + 1).to_owned());
            }
            "crate" | "super" | "self" | "actiongraph" if starts_path(tokens, at) => {
                let base = match token.text.as_str() {
                    "crate" => Some((Vec::new(), at + 1)),
                    "actiongraph" if is_main => Some((Vec::new(), at + 1)),
                    "super" | "self" => Some((module.clone(), at)),
                    _ => None,
                };
                let is_path = ["::", "as"].contains(&word(tokens, at + 1));
                if let Some((base, start)) = base.filter(|_| is_path) {
                    let start = start + usize::from(word(tokens, start) == "::");
                    at = paths(tokens, start, base, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one use tree or path and returns where it ends.
fn paths(tokens: &[Token], start: usize, base: Vec<String>, found: &mut Vec<Reference>) -> usize {
    let mut segments = base;
    let mut at = start;
    let line = tokens
        .get(start)
        .or(tokens.last())
        .map_or(0, |token| token.line);
    loop {
        match word(tokens, at) {
            "{" => {
                at += 1;
                while !["}", ""].contains(&word(tokens, at)) {
                    at = paths(tokens, at, segments.clone(), found);
                    while !["}", ",", ""].contains(&word(tokens, at)) {
                        at += 1; // `as name`
                    }
                    if word(tokens, at) == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "super" => {
                segments.pop();
            }
            "self" | "crate" => {}
            name => {
                if name == "*" || tokens.get(at).is_some_and(Token::is_name) && name != "as" {
                    segments.push(name.to_owned());
                } else {
                    break; // `::<T>`, `as name` after the root itself
                }
            }
        }
        at += 1;
        if word(tokens, at) != "::" {
            break;
        }
        at += 1;
    }
    found.push(Reference { segments, line });
    at.max(start + 1)
}

/// Does the name here begin a path, rather than continue one?
fn starts_path(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|place| tokens.get(place));
    match before(1) {
        Some(token) if token.text == "::" => {
            !before(2).is_some_and(|token| token.is_name() || token.text == ">")
        }
        Some(token) => token.text != ".",
        None => true,
    }
}

fn word(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// Reports each external crate that is named outside its home.
fn homes(file: &RustFile, findings: &mut Vec<Finding>) {
    let tokens = &file.code.tokens;
    for (at, token) in tokens.iter().enumerate() {
        let Some((name, places)) = HOMES.iter().find(|(name, _)| is_crate(&token.text, name))
        else {
            continue;
        };
        let imported = ["use", "crate"].contains(&word(tokens, at.wrapping_sub(1)));
        let used = word(tokens, at + 1) == "::"
            || (imported && [";", "as"].contains(&word(tokens, at + 1)));
        let here = places.iter().any(|place| file.path().starts_with(place));
        if used && starts_path(tokens, at) && !here {
            let home = if places.is_empty() {
                "tests only".to_owned()
            } else {
                places.join(", ")
            };
            findings.push(Finding {
                file: file.path().to_owned(),
                line: token.line,
                rule: "home",
                what: format!("`{name}` is named outside its home ({home})"),
            });
        }
    }
}

/// `sea_orm` and what is built on it by name; a name of a single word stands for itself.
fn is_crate(token: &str, name: &str) -> bool {
    if name.contains('_') {
        token.starts_with(name)
    } else {
        token == name
    }
}

/// Reports every circle among the rooms once, with the edge that closes it.
fn cycles(
    graph: &BTreeMap<String, BTreeMap<String, (String, usize)>>,
    findings: &mut Vec<Finding>,
) {
    let mut done = BTreeSet::new();
    for start in graph.keys() {
        let mut trail = vec![start.clone()];
        follow(graph, &mut trail, &mut done, findings);
    }
}

fn follow(
    graph: &BTreeMap<String, BTreeMap<String, (String, usize)>>,
    trail: &mut Vec<String>,
    done: &mut BTreeSet<String>,
    findings: &mut Vec<Finding>,
) {
    let Some(here) = trail.last().cloned() else {
        return;
    };
    if done.contains(&here) {
        return;
    }
    for (next, (file, line)) in graph.get(&here).into_iter().flatten() {
        if let Some(at) = trail.iter().position(|room| room == next) {
            findings.push(Finding {
                file: file.clone(),
                line: *line,
                rule: "circle",
                what: format!("closes a circle: {} → {next}", trail[at..].join(" → ")),
            });
        } else {
            trail.push(next.clone());
            follow(graph, trail, done, findings);
            trail.pop();
        }
    }
    done.insert(here);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{finds, with};

    fn leads_to(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of([(path, text)]);
        tree.rust()
            .flat_map(references)
            .map(|found| found.segments.join("::"))
            .collect()
    }

    #[test]
    fn paths_are_read_in_every_form() {
        let text = "use crate::{a::{self, B}, c as d, e::*};\nfn f(x: crate::g::H<crate::i::J>) { $crate::k!() }";
        assert_eq!(
            leads_to("src/x.rs", text),
            ["a", "a::B", "c", "e::*", "g::H", "i::J", "k"]
        );
        assert_eq!(
            leads_to(
                "src/x/y.rs",
                "use super::super::a; use super::b; use self::c;"
            ),
            ["a", "x::b", "x::y::c"]
        );
        assert_eq!(
            leads_to(
                "src/x.rs",
                "mod m { use super::super::a; use super::b; } use super::c;"
            ),
            ["a", "x::b", "c"]
        );
        assert_eq!(
            leads_to(
                "src/x.rs",
                "pub(crate) fn f() {} pub(super) fn g(self) {} pub(in crate::x) fn h() {}"
            ),
            ["x"]
        );
        assert_eq!(
            leads_to("src/main.rs", "fn main() { actiongraph::cli::run() }"),
            ["cli::run"]
        );
        assert_eq!(
            leads_to("src/x.rs", "self.a::<crate::b::C>(); crate::d::e::<F>()"),
            ["b::C", "d::e"]
        );
    }

    #[test]
    fn an_edge_upwards_is_found() {
        finds(
            &[("src/domain/mod.rs", "//! D.\nuse crate::store::Store;\n")],
            "src/domain/mod.rs:2: [rank] `domain` (rank 0) may not import `store` (rank 2)",
        );
        finds(
            &[(
                "src/store/sql.rs",
                "//! S.\nfn f() {\n  super::super::app::run() }\n",
            )],
            "src/store/sql.rs:3: [rank] `store` (rank 2) may not import `app` (rank 6)",
        );
    }

    #[test]
    fn an_edge_downwards_that_the_table_lacks_is_found() {
        finds(
            &[("src/store/a.rs", "//! S.\nuse crate::{\n  clock};\n")],
            "src/store/a.rs:3: [rank] `store` (rank 2) may not",
        );
    }

    #[test]
    fn an_edge_sideways_is_found() {
        finds(
            &[
                ("src/access.rs", "//! A.\nuse crate::analytics;\n"),
                ("src/analytics.rs", "//! A.\n"),
            ],
            "src/access.rs:2: [rank] `access` imports `analytics` of its own rank 3",
        );
    }

    #[test]
    fn the_root_as_a_whole_is_found() {
        finds(
            &[("src/app.rs", "//! A.\nuse crate::*;\n")],
            "src/app.rs:2: [room] names the crate's root",
        );
        finds(
            &[("src/app.rs", "//! A.\nuse super::*;\n")],
            "src/app.rs:2: [room] names the crate's root",
        );
        finds(
            &[("src/app.rs", "//! A.\nuse crate as c;\n")],
            "src/app.rs:2: [room] names the crate's root",
        );
        finds(
            &[("src/app.rs", "//! A.\nuse crate::Thing;\n")],
            "src/app.rs:2: [room] `crate::Thing` is no room",
        );
    }

    #[test]
    fn tests_may_import_anything() {
        assert_eq!(
            with(&[(
                "src/domain/a.rs",
                "//! D.\n#[cfg(test)]\nmod tests { use crate::app::App; }\n"
            )]),
            [""; 0]
        );
    }

    #[test]
    fn a_circle_is_found_even_where_a_table_allows_it() {
        let edge = |to: &str, line| (to.to_owned(), ("src/x.rs".to_owned(), line));
        let graph = BTreeMap::from([
            ("a".to_owned(), BTreeMap::from([edge("b", 1)])),
            ("b".to_owned(), BTreeMap::from([edge("c", 2), edge("d", 9)])),
            ("c".to_owned(), BTreeMap::from([edge("a", 3)])),
        ]);
        let mut findings = Vec::new();
        cycles(&graph, &mut findings);
        let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(
            found,
            ["src/x.rs:3: [circle] closes a circle: a → b → c → a"]
        );
    }

    #[test]
    fn a_crate_outside_its_home_is_found() {
        finds(
            &[("src/domain/a.rs", "//! D.\nuse sea_orm::Value;\n")],
            "src/domain/a.rs:2: [home] `sea_orm`",
        );
        finds(
            &[("src/store/a.rs", "//! S.\nuse actix_web as web;\n")],
            "src/store/a.rs:2: [home] `actix_`",
        );
        finds(
            &[(
                "src/app.rs",
                "//! A.\nfn f(x: ::async_graphql::Schema) {}\n",
            )],
            "src/app.rs:2: [home] `async_graphql`",
        );
        finds(
            &[("src/app.rs", "//! A.\nuse reqwest;\n")],
            "src/app.rs:2: [home] `reqwest` is named outside its home (src/ingest/admitad/",
        );
        finds(
            &[(
                "src/app.rs",
                "//! A.\nuse rustls_platform_verifier::Verifier;\n",
            )],
            "src/app.rs:2: [home] `rustls_`",
        );
        finds(
            &[("migration/src/lib.rs", "//! M.\nuse entity::action;\n")],
            "migration/src/lib.rs:2: [home] `entity`",
        );
        finds(
            &[("entity/src/lib.rs", "//! E.\nuse async_graphql::ID;\n")],
            "entity/src/lib.rs:2: [home] `async_graphql`",
        );
        finds(
            &[("src/app.rs", "//! A.\n#[derive(clap::Parser)] struct A;\n")],
            "src/app.rs:2: [home] `clap`",
        );
    }

    #[test]
    fn a_name_like_a_crate_is_no_crate() {
        assert_eq!(
            with(&[(
                "src/app.rs",
                "//! A.\nfn f(entity: u8, clap: u8) { entity; x::clap::y(); }\n"
            )]),
            [""; 0]
        );
    }
}
