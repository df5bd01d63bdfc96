//! Random texts for what is read from callers' hands: cursors, ids, times, ranges, filters, postbacks, and for records of
//! the network. Each begins from a text of
//! `tests/fuzz/corpus`, where what once failed belongs, and is changed byte by byte; `PROPERTY_CASES` and `PROPERTY_SEED`
//! say how many and which. `make fuzz` tries the same with the coverage as its guide.

use std::path::Path;

use crate::entries;
use crate::support::check::{seed, soak};
use crate::support::dice::Dice;

/// How many texts each test tries in `make test`.
const CASES: usize = 20_000;

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
fn changed(texts: &[String], dice: &mut Dice) -> String {
    let mut bytes = dice.pick(texts).clone().into_bytes();
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
                let other = dice.pick(texts).as_bytes();
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.truncate(at),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Tries `test` on many texts that come from a file of the corpus.
fn each(name: &str, test: impl Fn(&str)) {
    let texts = corpus(name);
    texts.iter().for_each(|text| test(text));
    let mut dice = Dice::new(seed());
    for _ in 0..soak("PROPERTY_CASES").unwrap_or(CASES) {
        let text = changed(&texts, &mut dice);
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
}
