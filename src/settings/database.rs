//! The connections to the database: how many there are, and how long they are waited for.

use super::{Key, Kind, Raw, key};
use std::time::Duration;

const WAIT: Kind = Kind::Whole {
    least: 10,
    most: 600_000,
};

const CONNECTIONS: Key = Key {
    why: "a PostgreSQL server gives each connection a process of its own",
    ..key(
        "database_connections",
        Kind::Whole {
            least: 1,
            most: 1_000,
        },
        "10",
        "Connections that each of the two PostgreSQL pools opens at most, one to read and one to write, beside the one that recognises callers.",
    )
};
const SQLITE_READERS: Key = Key {
    why: "each keeps up to 32 MiB of the file in memory",
    ..key(
        "sqlite_readers",
        Kind::Whole {
            least: 1,
            most: 256,
        },
        "4",
        "Connections that read an SQLite file, beside the one that writes and the one that recognises callers.",
    )
};
const CONNECTION: Key = key(
    "database_connection_ms",
    WAIT,
    "2000",
    "How long a request waits for a connection of a pool.",
);
const TURN: Key = key(
    "database_turn_ms",
    WAIT,
    "5000",
    "How long an operation waits until others of the same caller leave it a reader, of which one caller has half.",
);
const LOCK: Key = key(
    "database_lock_ms",
    WAIT,
    "5000",
    "How long a write waits for another's lock, such as another process's write to the same SQLite file.",
);
const WRITE: Key = key(
    "database_write_ms",
    WAIT,
    "7000",
    "How long each statement of a write is waited for, and its commit at a PostgreSQL server.",
);
const PATIENT_WRITE: Key = key(
    "database_patient_write_ms",
    Kind::Whole {
        least: 10,
        most: 3_600_000,
    },
    "60000",
    "Likewise in work that no caller waits for, such as an import.",
);

/// The settings.
pub(super) const KEYS: &[Key] = &[
    CONNECTIONS,
    SQLITE_READERS,
    CONNECTION,
    TURN,
    LOCK,
    WRITE,
    PATIENT_WRITE,
];

/// What is set of the connections to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// How many connections each of the two PostgreSQL pools opens at most.
    pub connections: u32,
    /// How many connections read an SQLite file.
    pub sqlite_readers: u32,
    /// How long a connection is waited for.
    pub connection: Duration,
    /// How long an operation waits for its turn at the readers.
    pub turn: Duration,
    /// How long a write waits for another's lock.
    pub lock: Duration,
    /// How long each statement of a write is waited for.
    pub write: Duration,
    /// Likewise in work that no caller waits for.
    pub patient_write: Duration,
}

pub(super) fn resolve(raw: &mut Raw) -> DatabaseSettings {
    let mut count = |key: &Key, default: u32| {
        let given = raw.whole(key.name);
        given
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(default)
    };
    let connections = count(&CONNECTIONS, 10);
    let sqlite_readers = count(&SQLITE_READERS, 4);
    let mut millis =
        |key: &Key, default| Duration::from_millis(raw.whole(key.name).unwrap_or(default));
    DatabaseSettings {
        connections,
        sqlite_readers,
        connection: millis(&CONNECTION, 2_000),
        turn: millis(&TURN, 5_000),
        lock: millis(&LOCK, 5_000),
        write: millis(&WRITE, 7_000),
        patient_write: millis(&PATIENT_WRITE, 60_000),
    }
}
