//! Columns of facts in memory: how large they may become, and for whom they are made.

use super::{Key, Kind, Raw, key};

pub(super) const MAX_MB: Key = key(
    "columns_max_mb",
    Kind::Whole {
        least: 0,
        most: 1_048_576,
    },
    "512",
    "How many megabytes the columns of facts in memory may take together, which answer segments and reports; 0 for none.",
);
pub(super) const MIN_CHANGES: Key = key(
    "columns_min_changes",
    Kind::Whole {
        least: 0,
        most: 1_000_000_000,
    },
    "20000",
    "How many changes of actions a publisher must have had for columns: SQL answers quickly for fewer.",
);
pub(super) const WARM_UP: Key = key(
    "columns_warm_up",
    Kind::Switch,
    "false",
    "Read columns in when the server starts, not only when a question asks for them.",
);

/// What is set of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnsSettings {
    /// How many bytes they may take together; 0 for none.
    pub max_bytes: usize,
    /// How many changes of actions a publisher must have had.
    pub min_changes: i64,
    /// Whether they are read in when the server starts.
    pub warm_up: bool,
}

pub(super) fn resolve(raw: &mut Raw) -> ColumnsSettings {
    let megabytes = raw.whole(MAX_MB.name).unwrap_or(512);
    let changes = raw.whole(MIN_CHANGES.name).unwrap_or(20_000);
    ColumnsSettings {
        max_bytes: usize::try_from(megabytes << 20).unwrap_or(usize::MAX),
        min_changes: i64::try_from(changes).unwrap_or(i64::MAX),
        warm_up: raw.switch(WARM_UP.name).unwrap_or(false),
    }
}
