//! Random texts for what is read from callers' hands: cursors, ids, times, ranges, filters, postbacks, and for records and
//! answers of the network and for files of several lines. Each begins from a text of
//! `tests/fuzz/corpus`, or a file of `tests/fixtures`, where what once failed belongs, and is changed byte by byte;
//! `PROPERTY_CASES` and `PROPERTY_SEED` say how many and which. `make fuzz` tries the same with the coverage as its guide.

use std::path::Path;

use crate::entries;
use crate::support::check::{seed, soak};
use crate::support::dice::Dice;

/// How many texts each test tries in `make test`.
const CASES: usize = 20_000;
/// How many where each text is a file that is written and read.
const FILES: usize = 1_500;

/// Pieces that readers have rules for.
const PIECES: [&str; 16] = [
    "\0",
    "\u{feff}",
    "é",
    "%",
    "\\",
    "-",
    "+",
    ".",
    ":",
    "9999999999",
    "T",
    "null",
    "[",
    "{",
    "\"",
    "=",
];

fn corpus(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A text of the corpus with up to eight changes.
fn changed<T: AsRef<[u8]>>(texts: &[T], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(texts).as_ref().to_vec();
    for _ in 0..dice.below(9) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, dice.next().to_le_bytes()[0]),
            3 => {
                let piece = dice.pick(&PIECES).bytes();
                bytes.splice(at..at, piece);
            }
            4 => {
                let other = dice.pick(texts).as_ref();
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// The files of folders of fixtures whose names fit.
fn files(folders: &[&str], fits: impl Fn(&Path) -> bool) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| fits(path))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// The texts of folders of fixtures whose names end so; those that are no UTF-8 are tried as exports.
fn fixtures(folders: &[&str], end: &str) -> Vec<String> {
    let found = files(folders, |path| {
        path.extension().is_some_and(|found| found == end)
    });
    let texts: Vec<String> = found
        .into_iter()
        .filter_map(|file| String::from_utf8(file).ok())
        .collect();
    assert!(!texts.is_empty(), "{folders:?}, {end}");
    texts
}

/// Tries `test` on many texts that come from a file of the corpus.
fn each(name: &str, test: impl Fn(&str)) {
    each_of(name, &corpus(name), CASES, test);
}

/// Tries `test` on texts as they are, then on many that come from them.
fn each_of(name: &str, texts: &[String], cases: usize, test: impl Fn(&str)) {
    texts.iter().for_each(|text| test(text));
    let mut dice = Dice::new(seed());
    for _ in 0..soak("PROPERTY_CASES").unwrap_or(cases) {
        let text = String::from_utf8_lossy(&changed(texts, &mut dice)).into_owned();
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&text)));
        assert!(read.is_ok(), "{name}, seed {}: {text:?}", seed());
    }
}

/// A kind of text, the file of its corpus, and what must hold of it.
macro_rules! kinds {
    ($($name:ident: $file:literal, $entry:path;)*) => {
        $(
            #[test]
            fn $name() {
                each($file, $entry);
            }
        )*
    };
}

kinds! {
    cursors: "cursors.txt", entries::cursor;
    ids: "ids.txt", entries::node_id;
    times_and_amounts: "times.txt", entries::time;
    ranges: "ranges.txt", entries::range;
    filters: "filters.txt", entries::filter;
    postbacks: "postbacks.txt", entries::postback;
    addresses: "addresses.txt", entries::address;
    records: "records.txt", entries::record;
    answers: "answers.txt", entries::answer;
}

#[test]
fn tables() {
    let texts = fixtures(&["good/tables", "formats"], "csv");
    each_of("tables", &texts, FILES, entries::table);
}

#[test]
fn xml() {
    let texts = fixtures(&["good/tables", "formats"], "xml");
    each_of("xml", &texts, FILES, entries::xml);
}

#[test]
fn feeds() {
    let mut texts = fixtures(&["good/feeds", "feeds"], "yml");
    texts.extend(fixtures(&["good/feeds", "feeds"], "csv"));
    each_of("feeds", &texts, FILES, entries::feed);
}

#[test]
fn ledgers() {
    let texts = fixtures(&["good/ledgers", "ledger"], "csv");
    each_of("ledgers", &texts, FILES, entries::ledger);
}

/// Of any format and encoding, plain and packed, and no text at all.
#[test]
fn exports() {
    let files = files(&["good/tables", "formats", "admitad"], |_| true);
    assert!(files.len() > 12);
    files.iter().for_each(|file| entries::export(file));
    let mut dice = Dice::new(seed());
    for _ in 0..soak("PROPERTY_CASES").unwrap_or(FILES) {
        let bytes = changed(&files, &mut dice);
        let read = std::panic::catch_unwind(|| entries::export(&bytes));
        let shown = bytes.escape_ascii();
        assert!(read.is_ok(), "exports, seed {}: {shown}", seed());
    }
}
