//! The files of the repository in memory: read from disk, or made up by a test.

use crate::lexer::{self, Code};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Folders that hold nothing written by hand.
const SKIPPED: &[&str] = &["target", "node_modules", "dist", "out"];
/// Folders that begin with a dot and are ours all the same.
const DOTTED: &[&str] = &[".ci", ".config"];
/// What is read as text, by the end of the name; files without a dot are read where scripts live.
const READ: &[&str] = &[
    ".rs", ".toml", ".md", ".sh", ".ts", ".tsx", ".js", ".mjs", ".cjs", ".css", ".html", ".json",
    ".graphql", ".sql", ".yml", ".yaml", ".npmrc", "Makefile",
];
/// Larger files are data.
const MAX_BYTES: u64 = 4_000_000;

/// A Rust file.
pub(crate) struct RustFile {
    path: String,
    /// The text as it stands.
    pub(crate) text: String,
    /// Its tokens without tests.
    pub(crate) code: Code,
    /// Compiled for tests only.
    pub(crate) is_test: bool,
}

impl RustFile {
    /// Path from the root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The module path inside the crate: `src/store/sql/mod.rs` is `store`, `sql`.
    pub(crate) fn module(&self) -> Vec<String> {
        module_of(&self.path)
    }

    /// The room of the server that the file belongs to, or nothing for other crates and `lib.rs`.
    pub(crate) fn room(&self) -> Option<String> {
        let inside = self.path.strip_prefix("src/")?;
        match inside {
            "lib.rs" => None,
            "main.rs" => Some("main".to_owned()),
            _ => self.module().into_iter().next(),
        }
    }

    /// Is it part of what is shipped: the server, the entities, the migrations?
    pub(crate) fn is_shipped(&self) -> bool {
        !self.is_test
            && ["src/", "entity/src/", "migration/src/"]
                .iter()
                .any(|dir| self.path.starts_with(dir))
    }
}

/// All files, by path.
pub(crate) struct Tree {
    texts: BTreeMap<String, String>,
    rust: Vec<RustFile>,
}

impl Tree {
    /// Reads what lies under `root`.
    pub(crate) fn load(root: &Path) -> Self {
        let mut texts = BTreeMap::new();
        walk(root, "", &mut texts);
        Self::new(texts)
    }

    /// Makes a tree of given files.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = files
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self::new(owned.collect())
    }

    fn new(texts: BTreeMap<String, String>) -> Self {
        let mut rust: Vec<RustFile> = texts
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| RustFile {
                path: path.clone(),
                text: text.clone(),
                code: lexer::read(text),
                is_test: path.starts_with("tests/"),
            })
            .collect();
        let mut test_modules = BTreeSet::new();
        for file in &rust {
            for name in &file.code.test_modules {
                let (root, _) = split(&file.path);
                let mut module = file.module();
                module.push(name.clone());
                test_modules.insert(format!("{root}{}", module.join("/")));
            }
        }
        for file in &mut rust {
            let (root, _) = split(&file.path);
            let place = format!("{root}{}", file.module().join("/"));
            file.is_test |= file.code.all_test
                || test_modules.iter().any(|test| {
                    place
                        .strip_prefix(test.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                });
        }
        Self { texts, rust }
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// All text files: path and text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// All Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &RustFile> {
        self.rust.iter()
    }
}

/// Splits a path into its crate's source folder and the rest.
fn split(path: &str) -> (&str, &str) {
    let cut = path.find("src/").map_or(0, |at| at + "src/".len());
    path.split_at(cut)
}

fn module_of(path: &str) -> Vec<String> {
    let (_, inside) = split(path);
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| {
        last == "mod" || (parts.len() == 1 && (last == "lib" || last == "main"))
    }) {
        parts.pop();
    }
    parts
}

fn walk(dir: &Path, prefix: &str, texts: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            let hidden = name.starts_with('.') && !DOTTED.contains(&name.as_str());
            // Cargo and other tools mark what they can make again.
            let made = entry.path().join("CACHEDIR.TAG").exists();
            if !hidden && !made && !SKIPPED.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), texts);
            }
        } else if kind.is_file() && is_text(&path, &name) {
            let small = entry.metadata().is_ok_and(|meta| meta.len() <= MAX_BYTES);
            if let (true, Ok(text)) = (small, fs::read_to_string(entry.path())) {
                texts.insert(path, text);
            }
        }
    }
}

fn is_text(path: &str, name: &str) -> bool {
    READ.iter().any(|end| name.ends_with(end))
        || (!name.contains('.')
            && (path.starts_with("scripts/")
                || path.starts_with(".ci/")
                || path.starts_with("bench/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_know_their_module_and_room() {
        let tree = Tree::of([
            ("src/lib.rs", ""),
            ("src/main.rs", ""),
            ("src/app.rs", ""),
            ("src/store/mod.rs", ""),
            ("src/store/sql/keyset.rs", ""),
            ("entity/src/action.rs", ""),
        ]);
        let rooms: Vec<(String, Option<String>)> = tree
            .rust()
            .map(|file| (file.module().join("::"), file.room()))
            .collect();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            rooms,
            [
                ("action".to_owned(), None),
                ("app".to_owned(), some("app")),
                (String::new(), None),
                (String::new(), some("main")),
                ("store".to_owned(), some("store")),
                ("store::sql::keyset".to_owned(), some("store")),
            ]
        );
    }

    #[test]
    fn files_of_test_modules_are_tests() {
        let tree = Tree::of([
            ("src/store/mod.rs", "#[cfg(test)] mod tests; mod testsuite;"),
            ("src/store/tests.rs", ""),
            ("src/store/tests/more.rs", ""),
            ("src/store/testsuite.rs", ""),
            ("src/other/tests.rs", ""),
        ]);
        let tests: Vec<&str> = tree
            .rust()
            .filter(|file| file.is_test)
            .map(RustFile::path)
            .collect();
        assert_eq!(tests, ["src/store/tests.rs", "src/store/tests/more.rs"]);
    }
}
