//! Random texts for what is read from callers' hands: cursors, ids, times and filters. Each begins from a text of
//! `tests/fuzz/corpus`, where what once failed belongs, and is changed byte by byte; `PROPERTY_CASES` and `PROPERTY_SEED`
//! say how many and which.

use std::path::Path;

use actiongraph::domain::filter::Value as FilterValue;
use actiongraph::domain::money::{Excess, format_e4, parse_e4};
use actiongraph::domain::page::Cursor;
use actiongraph::domain::time::{Day, Instant, Zone, parse_offset};
use actiongraph::graphql::id;
use actiongraph::graphql::input::action_filter::ActionFilter;
use actiongraph::graphql::input::reader::{Conditions as _, Reader};
use async_graphql::{ID, InputType};

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

/// What is read is written back as the same cursor; what is refused says so in a sentence about its argument.
#[test]
fn cursors() {
    each("cursors.txt", |text| {
        match Cursor::decode(text, 7, "after") {
            Ok(cursor) => {
                let again = Cursor::decode(&cursor.encode(7), 7, "after").unwrap();
                assert_eq!(again, cursor);
                assert!(cursor.values.iter().all(|value| match value {
                    FilterValue::Text(inner) => inner.len() < text.len(),
                    _ => true,
                }));
            }
            Err(error) => assert!(error.message().starts_with("after "), "{error}"),
        }
    });
}

/// One row has one id: whatever is read is written back to the letter.
#[test]
fn ids() {
    each("ids.txt", |text| {
        if let Some((kind, key)) = id::read(&ID(text.to_owned())) {
            assert_eq!(kind.id(key).as_str(), text);
        }
    });
}

/// What is read lies in the years that we keep, and is written back as itself.
#[test]
fn times_and_amounts() {
    each("times.txt", |text| {
        if let Ok(instant) = Instant::parse_rfc3339(text) {
            assert_eq!(
                Instant::parse_rfc3339(&instant.to_rfc3339()),
                Ok(instant),
                "{text}"
            );
        }
        if let Ok(day) = Day::parse(text) {
            assert!((1970..=9999).contains(&day.year()), "{text}");
            assert_eq!(Day::parse(&day.to_string()), Ok(day), "{text}");
        }
        if let Ok(zone) = Zone::parse(text) {
            assert_eq!(Zone::parse(zone.name()), Ok(zone), "{text}");
        }
        if let Ok(minutes) = parse_offset(text) {
            assert!(minutes.abs() <= 24 * 60, "{text}");
        }
        if let Ok((amount, _)) = parse_e4(text, Excess::Refuse) {
            let written = format_e4(amount, 2);
            assert_eq!(
                parse_e4(&written, Excess::Refuse).unwrap().0,
                amount,
                "{text}"
            );
        }
    });
}

/// A filter is taken or refused with a sentence, however it is nested and whatever it holds.
#[test]
fn filters() {
    let now = Instant::from_micros(1_770_000_000_000_000).unwrap();
    each("filters.txt", |text| {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
            return;
        };
        let Ok(value) = async_graphql::Value::from_json(json) else {
            return;
        };
        let Ok(filter) = ActionFilter::parse(Some(value)) else {
            return;
        };
        let read =
            Reader::new("filter", now).nested(ActionFilter::KIND, |reader| filter.read(reader));
        if let Err(error) = read {
            assert!(!error.to_string().is_empty());
        }
    });
}
