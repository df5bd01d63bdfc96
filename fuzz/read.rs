//! Gives the bytes that libFuzzer makes to one of our readers. `ACTIONGRAPH_FUZZ` names it: one binary for all of them is
//! linked once.

#![no_main]

#[path = "../tests/fuzz/entries.rs"]
mod entries;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

/// The reader that is tried.
static ENTRY: LazyLock<fn(&str)> = LazyLock::new(|| {
    let name = std::env::var("ACTIONGRAPH_FUZZ").unwrap_or_default();
    match name.as_str() {
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
    }
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    // Whatever is not UTF-8 never reaches a reader: requests that hold it are refused before.
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            ENTRY(text);
            Corpus::Keep
        }
        Err(_) => Corpus::Reject,
    }
});
