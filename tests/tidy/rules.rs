//! The rules that look at one file at a time: words, lengths, places, time and money.

use crate::Finding;
use crate::lexer::Token;
use crate::tree::{RustFile, Tree};

/// Lines of a file without its tests.
const MAX_LINES: usize = 600;
/// Lines of `main.rs`.
const MAX_MAIN_LINES: usize = 20;
/// Names that say nothing about what lives there.
const EMPTY_NAMES: &[&str] = &[
    "common", "core", "handler", "handlers", "helper", "helpers", "manager", "managers", "misc",
    "service", "services", "shared", "util", "utils",
];
/// Where amounts live: no floating point, which rounds.
const EXACT: &[&str] = &[
    "src/domain/money.rs",
    "src/domain/action.rs",
    "src/domain/rollup.rs",
    "src/ingest/normalize.rs",
    "src/store/",
];
/// Files among those that may hold ratios all the same, each with its reason.
const RATIOS: &[(&str, &str)] = &[];
/// Who knows the time by asking.
const CLOCKS: &[&str] = &["Utc", "Local", "SystemTime", "Instant"];
/// The only file that asks.
const CLOCK: &str = "src/clock.rs";
/// What the domain has nothing to do with.
const OUTSIDE: &[&str] = &["async", "await", "tokio", "futures"];
const OUTSIDE_STD: &[&str] = &["fs", "net", "env", "process", "thread"];
/// Words that say that something is not finished.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("HA", "CK"),
    concat!("TB", "D"),
];
/// Places of one machine.
const PLACES: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Use", "rs/"),
    concat!("/wo", "rk/"),
    concat!("C:\\Use", "rs"),
];
/// Registries are a matter of each machine's settings.
const REGISTRIES: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("npm.pkg.", "github.com"),
    concat!("static.cra", "tes.io"),
    concat!("index.cra", "tes.io"),
    concat!("cra", "tes.io-index"),
    concat!("deb.deb", "ian.org"),
    concat!("security.deb", "ian.org"),
    concat!("snapshot.deb", "ian.org"),
    concat!("apt.postgre", "sql.org"),
    concat!("py", "pi.org"),
];

/// Checks all files.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.rust() {
        let mut report = |line, rule, what| findings.push(finding(file.path(), line, rule, what));
        described(file, &mut report);
        named(file, &mut report);
        if file.is_shipped() {
            short(file, &mut report);
            timeless(file, &mut report);
            exact(file, &mut report);
            pure(file, &mut report);
        }
    }
    for (path, text) in tree.texts() {
        let mut report = |line, rule, what| findings.push(finding(path, line, rule, what));
        finished(text, &mut report);
        placeless(text, &mut report);
    }
}

fn finding(file: &str, line: usize, rule: &'static str, what: String) -> Finding {
    Finding {
        file: file.to_owned(),
        line,
        rule,
        what,
    }
}

/// Every file begins by saying what lives in it.
fn described(file: &RustFile, report: &mut impl FnMut(usize, &'static str, String)) {
    let first = file
        .text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    if !first.is_some_and(|line| line.starts_with("//!") && line.len() > "//! ".len()) {
        report(
            1,
            "docs",
            "does not begin with `//!`: say what lives here and what does not".to_owned(),
        );
    }
}

/// No folder and no module has a name that could hold anything.
fn named(file: &RustFile, report: &mut impl FnMut(usize, &'static str, String)) {
    for part in file.path().split('/') {
        let name = part.strip_suffix(".rs").unwrap_or(part);
        if EMPTY_NAMES.contains(&name) {
            report(
                0,
                "name",
                format!("`{name}` says nothing: name the noun or the stage that lives here"),
            );
        }
    }
}

fn short(file: &RustFile, report: &mut impl FnMut(usize, &'static str, String)) {
    let lines = file
        .text
        .lines()
        .count()
        .saturating_sub(file.code.test_lines);
    let allowed = if file.path() == "src/main.rs" {
        MAX_MAIN_LINES
    } else {
        MAX_LINES
    };
    if lines > allowed {
        report(
            allowed + 1,
            "length",
            format!("{lines} lines without tests, {allowed} are allowed: split it by noun"),
        );
    }
}

/// Time is passed in; one file asks for it.
fn timeless(file: &RustFile, report: &mut impl FnMut(usize, &'static str, String)) {
    if file.path() == CLOCK {
        return;
    }
    for [who, colons, what] in windows(&file.code.tokens) {
        if CLOCKS.contains(&who.text.as_str()) && colons.text == "::" && what.text == "now" {
            report(
                who.line,
                "clock",
                format!(
                    "`{}::now` outside {CLOCK}: take the time as a value",
                    who.text
                ),
            );
        }
    }
}

fn exact(file: &RustFile, report: &mut impl FnMut(usize, &'static str, String)) {
    let exact = EXACT.iter().any(|place| file.path().starts_with(place));
    if !exact || RATIOS.iter().any(|(path, _)| *path == file.path()) {
        return;
    }
    let mut before = "";
    for token in &file.code.tokens {
        let text = token.text.as_str();
        let number = text.starts_with(|c: char| c.is_ascii_digit());
        let is_float = ["f32", "f64"].contains(&text)
            || number
                && !text.starts_with("0x")
                && (text.ends_with("f32") || text.ends_with("f64"))
            || number && text.contains('.') && before != ".";
        if is_float {
            report(
                token.line,
                "float",
                format!("`{text}`: amounts are whole numbers here"),
            );
        }
        before = text;
    }
}

/// The domain computes and does nothing else.
fn pure(file: &RustFile, report: &mut impl FnMut(usize, &'static str, String)) {
    if file.room().as_deref() != Some("domain") {
        return;
    }
    for token in &file.code.tokens {
        if OUTSIDE.contains(&token.text.as_str()) {
            report(
                token.line,
                "pure",
                format!("`{}` in the domain, which waits for nothing", token.text),
            );
        }
    }
    for [std, colons, part] in windows(&file.code.tokens) {
        if std.text == "std" && colons.text == "::" && OUTSIDE_STD.contains(&part.text.as_str()) {
            report(
                std.line,
                "pure",
                format!(
                    "`std::{}` in the domain, which reaches nothing outside",
                    part.text
                ),
            );
        }
    }
}

/// Nothing is left for later without an issue.
fn finished(text: &str, report: &mut impl FnMut(usize, &'static str, String)) {
    for (at, line) in text.lines().enumerate() {
        for word in line.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if UNFINISHED.contains(&word) {
                report(
                    at + 1,
                    "unfinished",
                    format!("`{word}`: finish it, or write an issue"),
                );
            }
        }
        for call in [concat!("to", "do!("), concat!("unimple", "mented!(")] {
            if line.contains(call) {
                report(at + 1, "unfinished", format!("`{call})`: finish it"));
            }
        }
    }
}

/// Nothing depends on one machine's folders, or on where it fetches packages from.
fn placeless(text: &str, report: &mut impl FnMut(usize, &'static str, String)) {
    for (at, line) in text.lines().enumerate() {
        for place in PLACES {
            let begins = |found: usize| {
                let before = line[..found].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "._-})>/*".contains(c))
            };
            if line.match_indices(place).any(|(found, _)| begins(found)) {
                report(
                    at + 1,
                    "place",
                    format!("`{place}…` is a place of one machine"),
                );
            }
        }
        for host in REGISTRIES {
            if line.contains(host) {
                report(
                    at + 1,
                    "place",
                    format!("`{host}` is a registry's host: leave it to the machine's settings"),
                );
            }
        }
    }
}

fn windows(tokens: &[Token]) -> impl Iterator<Item = &[Token; 3]> {
    tokens
        .windows(3)
        .filter_map(|window| window.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{finds, with};

    #[test]
    fn a_file_without_a_description_is_found() {
        finds(
            &[("src/domain/a.rs", "use std::fmt;\n")],
            "src/domain/a.rs:1: [docs]",
        );
        finds(
            &[("tests/it/a.rs", "//!\nuse std::fmt;\n")],
            "tests/it/a.rs:1: [docs]",
        );
        assert_eq!(
            with(&[("tests/it/a.rs", "#![expect(x)]\n\n//! A.\n")]),
            [""; 0]
        );
    }

    #[test]
    fn an_empty_name_is_found() {
        finds(
            &[("src/store/util/mod.rs", "//! U.\n")],
            "src/store/util/mod.rs:0: [name] `util`",
        );
        finds(
            &[("src/store/helpers.rs", "//! H.\n")],
            "src/store/helpers.rs:0: [name] `helpers`",
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let lines = |count: usize| format!("//! L.\n{}", "const A: u8 = 1;\n".repeat(count - 1));
        finds(
            &[("src/domain/a.rs", &lines(601))],
            "src/domain/a.rs:601: [length] 601 lines",
        );
        let tests = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            lines(600),
            "const B: u8 = 1;\n".repeat(99)
        );
        assert_eq!(with(&[("src/domain/a.rs", &tests)]), [""; 0]);
        finds(
            &[("src/main.rs", &lines(21))],
            "src/main.rs:21: [length] 21 lines",
        );
    }

    #[test]
    fn asking_the_time_is_found() {
        finds(
            &[("src/store/a.rs", "//! A.\nfn f() { chrono::Utc::now(); }\n")],
            "src/store/a.rs:2: [clock] `Utc::now`",
        );
        finds(
            &[(
                "src/app.rs",
                "//! A.\nfn f() { std::time::Instant::now(); }\n",
            )],
            "src/app.rs:2: [clock] `Instant::now`",
        );
        assert_eq!(
            with(&[(
                "src/app.rs",
                "//! A.\n// Utc::now()\nfn f() { \"Utc::now\"; }\n"
            )]),
            [""; 0]
        );
    }

    #[test]
    fn a_float_where_money_lives_is_found() {
        finds(
            &[("src/domain/money.rs", "//! M.\nfn f(x: f64) {}\n")],
            "src/domain/money.rs:2: [float] `f64`",
        );
        finds(
            &[("src/store/a.rs", "//! A.\n\nconst A: u8 = 1.5 as u8;\n")],
            "src/store/a.rs:3: [float] `1.5`",
        );
        finds(
            &[("src/ingest/normalize.rs", "//! N.\nlet x = 1f32;\n")],
            "src/ingest/normalize.rs:2: [float] `1f32`",
        );
        assert_eq!(
            with(&[("src/domain/ratio.rs", "//! R.\nfn f(x: f64) {}\n")]),
            [""; 0]
        );
        assert_eq!(
            with(&[("src/store/a.rs", "//! A.\nfn f() { x.0.1; 0..9; 0xf32; }\n")]),
            [""; 0]
        );
    }

    #[test]
    fn a_domain_that_waits_or_reaches_out_is_found() {
        finds(
            &[("src/domain/a.rs", "//! A.\nasync fn f() {}\n")],
            "src/domain/a.rs:2: [pure] `async`",
        );
        finds(
            &[("src/domain/a.rs", "//! A.\nuse std::fs;\n")],
            "src/domain/a.rs:2: [pure] `std::fs`",
        );
    }

    #[test]
    fn unfinished_work_is_found() {
        let marked = |word: &str| format!("//! A.\n// {word}: later\n");
        finds(
            &[("src/app.rs", &marked(UNFINISHED[0]))],
            "src/app.rs:2: [unfinished]",
        );
        finds(
            &[("docs/a.md", &format!("# A\n{}\n", UNFINISHED[1]))],
            "docs/a.md:2: [unfinished]",
        );
        finds(
            &[(
                "src/app.rs",
                &format!("//! A.\nfn f() {{ {}) }}\n", concat!("to", "do!(")),
            )],
            "src/app.rs:2: [unfinished]",
        );
        assert_eq!(
            with(&[("docs/a.md", "# Mastodon, todos, HACKS\n")]),
            [""; 0]
        );
    }

    #[test]
    fn a_place_of_one_machine_is_found() {
        finds(
            &[("Makefile", &format!("x:\n\tcp {}x y\n", PLACES[0]))],
            "Makefile:2: [place]",
        );
        finds(
            &[("docs/a.md", &format!("A\n`{}ann/x`\n", PLACES[1]))],
            "docs/a.md:2: [place]",
        );
        finds(
            &[(
                "web/package-lock.json",
                &format!("\"https://{}/a\"\n", REGISTRIES[0]),
            )],
            "web/package-lock.json:1: [place]",
        );
        assert_eq!(
            with(&[(
                "docs/a.md",
                &format!("https://shop.example{}x\n", PLACES[1])
            )]),
            [""; 0]
        );
    }
}
