//! The settings that are neither limits nor about tokens: their names, defaults and words.

use super::{Key, Kind, columns, deeplinks, key};

/// The settings.
pub(super) const KEYS: &[Key] = &[
    key(
        "listen",
        Kind::Text,
        "\"127.0.0.1:8080\"",
        "Address and port to listen on; 0.0.0.0:8080 for every network, port 0 for any free port.",
    ),
    key(
        "database_url",
        Kind::Text,
        "",
        "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME. Default: actiongraph.db in the platform's data directory.",
    ),
    key(
        "cors_origins",
        Kind::List,
        "[]",
        "Web pages that may call the API from a browser, such as \"https://shop.example\".",
    ),
    key(
        "csrf",
        Kind::Text,
        "\"browsers\"",
        "Which GET requests need a header that pages of other sites cannot send: browsers (those of such pages) or always.",
    ),
    key(
        "introspection",
        Kind::Text,
        "\"everyone\"",
        "Who may read the schema: everyone, keys, or off.",
    ),
    key(
        "metrics",
        Kind::Text,
        "\"admin\"",
        "Who may read /metrics: admin (keys with that scope), local (callers on this machine as well: not behind a proxy on it), open, or off.",
    ),
    key(
        "trusted_documents",
        Kind::Text,
        "\"\"",
        "A file of documents that clients may ask for by their hash, as `actiongraph documents` writes it.",
    ),
    key(
        "trusted_documents_mode",
        Kind::Text,
        "\"off\"",
        "What becomes of documents that are not in that file: off runs them, log runs and logs them, enforce refuses them.",
    ),
    key(
        "tls_certificate",
        Kind::Text,
        "\"\"",
        "A file with the certificate chain (PEM) for https; without it, http. A change is seen within a minute.",
    ),
    key(
        "tls_key",
        Kind::Text,
        "\"\"",
        "The file with the certificate's private key (PEM).",
    ),
    key(
        "partial_status_294",
        Kind::Switch,
        "false",
        "Answer 294 instead of 200 when an answer of type application/graphql-response+json is partial.",
    ),
    key(
        "body_deadline_ms",
        Kind::Whole {
            least: 10,
            most: 600_000,
        },
        "10000",
        "How long a request's whole body may take to arrive.",
    ),
    key(
        "request_deadline_ms",
        Kind::Whole {
            least: 10,
            most: 600_000,
        },
        "10000",
        "How long an operation may take.",
    ),
    key(
        "shutdown_seconds",
        Kind::Whole {
            least: 0,
            most: 600,
        },
        "15",
        "How long requests may take to finish after the server was told to stop.",
    ),
    key(
        "verify_seconds",
        Kind::Whole {
            least: 0,
            most: 86_400,
        },
        "600",
        "Pause between two slices of totals that are compared with the facts in the background; 0 for never.",
    ),
    key(
        "sync_seconds",
        Kind::Whole {
            least: 0,
            most: 86_400,
        },
        "150",
        "Pause between two reads of what is new in the accounts of the network; 0 for never. Data are as old as this and a read.",
    ),
    key(
        "rejects_days",
        Kind::Whole {
            least: 0,
            most: 36_500,
        },
        "90",
        "How many days rejected records are kept after their run has ended; 0 for ever.",
    ),
    key(
        "import_max_bytes",
        Kind::Whole {
            least: 1_000,
            most: 1_099_511_627_776,
        },
        "1073741824",
        "How large a file sent to /import may be.",
    ),
    key(
        "import_max_waiting",
        Kind::Whole {
            least: 1,
            most: 100_000,
        },
        "100",
        "How many files sent to /import may wait for each publisher.",
    ),
    key(
        "import_max_waiting_bytes",
        Kind::Whole {
            least: 1_000,
            most: 1_099_511_627_776,
        },
        "10737418240",
        "How many bytes they may have together; the first is taken whatever it has.",
    ),
    key(
        "import_directory",
        Kind::Text,
        "\"\"",
        "Where files sent to /import lie until they are in. Default: uploads in the platform's data directory.",
    ),
    columns::MAX_MB,
    columns::MIN_CHANGES,
    columns::WARM_UP,
    deeplinks::HOSTS,
    key(
        "workers",
        Kind::Whole {
            least: 0,
            most: 1024,
        },
        "0",
        "Threads that answer requests; 0 for one per processor.",
    ),
    key(
        "log",
        Kind::Text,
        "\"info\"",
        "What is logged: error, warn, info, debug, trace, or a list such as \"warn,actiongraph=debug\".",
    ),
    key(
        "log_format",
        Kind::Text,
        "\"auto\"",
        "human, json, or auto: human on a terminal, json otherwise.",
    ),
];
