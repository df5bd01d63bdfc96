//! Gives the bytes that libFuzzer makes to one of our readers. `ACTIONGRAPH_FUZZ` names it: one binary for all of them is
//! linked once.

#![no_main]

#[path = "../tests/fuzz/entries.rs"]
mod entries;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

/// A reader, by what it is given.
enum Entry {
    /// Text of a request or an answer, or of a file that is UTF-8.
    Text(fn(&str)),
    /// The bytes of a file, in whatever encoding, plain or packed.
    Bytes(fn(&[u8])),
}

/// The reader that is tried.
static ENTRY: LazyLock<Entry> = LazyLock::new(|| {
    let name = std::env::var("ACTIONGRAPH_FUZZ").unwrap_or_default();
    Entry::Text(match name.as_str() {
        "exports" => return Entry::Bytes(entries::export),
        "cursors" => entries::cursor,
        "ids" => entries::node_id,
        "times" => entries::time,
        "ranges" => entries::range,
        "filters" => entries::filter,
        "postbacks" => entries::postback,
        "addresses" => entries::address,
        "records" => entries::record,
        "tables" => entries::table,
        "xml" => entries::xml,
        "feeds" => entries::feed,
        "ledgers" => entries::ledger,
        "answers" => entries::answer,
        other => panic!("ACTIONGRAPH_FUZZ names no reader: {other:?}"),
    })
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    match &*ENTRY {
        Entry::Bytes(read) => read(bytes),
        // Requests that hold what is not UTF-8 are refused before a reader sees them. Files are decoded first: that is tried
        // as `exports`, and what is read of them then is text.
        Entry::Text(read) => match std::str::from_utf8(bytes) {
            Ok(text) => read(text),
            Err(_) => return Corpus::Reject,
        },
    }
    Corpus::Keep
});
