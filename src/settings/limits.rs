//! The limits on requests: one line each, from which come the setting, its default, its words and its field.

use super::{Key, Kind, Raw, key};

macro_rules! limits {
    ($($name:ident: $least:literal..=$most:literal = $default:literal, $help:literal;)*) => {
        /// The limits on requests, each as its setting says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct LimitSettings {
            $(#[doc = $help] pub $name: u64,)*
        }

        /// The settings that are limits.
        pub(super) const KEYS: &[Key] = &[
            $(key(
                stringify!($name),
                Kind::Whole { least: $least, most: $most },
                stringify!($default),
                $help,
            ),)*
        ];

        pub(super) fn resolve(raw: &mut Raw) -> LimitSettings {
            LimitSettings {
                $($name: raw.whole(stringify!($name)).unwrap_or($default),)*
            }
        }
    };
}

limits! {
    max_body_bytes: 1_000..=100_000_000 = 1000000, "Bytes of a request's body at /graphql.";
    max_document_bytes: 100..=10_000_000 = 100000, "Bytes of a document.";
    max_document_tokens: 10..=1_000_000 = 5000, "Tokens of a document.";
    max_document_nesting: 5..=200 = 60, "Brackets, braces and parentheses open at once in a document.";
    max_document_depth: 2..=200 = 24, "Levels of fields in a document.";
    max_document_selections: 10..=1_000_000 = 5000, "Fields and fragments of a document, with fragments written out.";
    max_document_aliases: 0..=10_000 = 60, "Aliases in a document.";
    max_document_repeats: 1..=10_000 = 20, "Times that one field is written in one place of a document.";
    max_document_fields: 1..=10_000 = 200, "Fields in one place of a document.";
    max_document_directives: 0..=1_000 = 10, "Directives in one place of a document.";
    max_document_all_directives: 0..=100_000 = 100, "Directives in a document.";
    max_document_operations: 1..=1_000 = 20, "Operations in a document.";
    max_root_fields: 1..=1_000 = 30, "Fields at the root of an operation.";
    max_variables: 0..=10_000 = 100, "Variables of an operation.";
    max_variable_values: 1..=10_000_000 = 50000, "Scalars, lists and objects in the variables of a request.";
    max_variable_bytes: 1..=100_000_000 = 1000000, "Bytes of names and texts in the variables of a request.";
    max_written_bytes: 10_000..=1_000_000_000 = 4194304, "Bytes that fields and arguments take in memory, with fragments and variables written out.";
    max_page_rows: 1..=10_000 = 10000, "Rows of one page, whatever the list; lists have limits of their own below.";
    max_operation_rows: 1..=10_000_000 = 10000, "Rows that one operation may ask for, by its pages multiplied down the tree.";
    max_operation_values: 1_000..=100_000_000 = 300000, "Values of scalars and enums that one answer may hold, by its fields, pages and lists multiplied down the tree.";
    max_answer_bytes: 10_000..=1_000_000_000 = 10000000, "Bytes of one answer at /graphql.";
    max_operation_cost: 10..=1_000_000_000 = 500000, "Points that one operation may cost.";
    budget_capacity: 0..=1_000_000_000 = 1000000, "Points that a caller's budget holds, where the key has none of its own; 0 counts nothing.";
    budget_restore: 0..=1_000_000_000 = 20000, "Points that come back to it each second; 0 counts nothing.";
    max_errors: 1..=1_000 = 20, "Errors that one answer tells.";
    max_error_characters: 40..=10_000 = 300, "Characters of an error's message.";
    max_concurrent_operations: 1..=100_000 = 256, "Operations that run, or have answers on their way, at the same time; more are answered 503.";
    max_concurrent_operations_per_caller: 1..=100_000 = 64, "Operations of one caller that run, or have answers on their way, at the same time; more are answered 429.";
    max_concurrent_operations_per_address: 0..=100_000 = 16, "Those of one caller that come from one address (of IPv6, one /64 network); more are answered 429. 0 counts nothing: behind a proxy, which is one address.";
    max_connections: 1..=1_000_000 = 10000, "Connections that are open at the same time; more wait.";
    max_connections_per_address: 0..=1_000_000 = 1000, "Connections of one address (of IPv6, one /64 network) that are open at the same time; more are closed. 0 counts nothing: behind a proxy, which is one address.";
    max_head_bytes: 4_096..=65_536 = 32768, "Bytes of the head of a request: its address and its headers.";
    head_deadline_ms: 1_000..=600_000 = 5000, "How long the head of a request may take from its first byte to its end, and a new connection until that byte.";
    send_deadline_ms: 1_000..=600_000 = 30000, "How long an answer may wait without its reader taking any of it; beyond that it is read at 16 KiB a second at least.";
    max_unsent_bytes: 1_000_000..=1_000_000_000_000 = 256000000, "Bytes of all answers that wait for their readers, together; longer ones than 64 KiB are answered 503 beyond that, and beyond half of it for one caller.";
    statement_deadline_ms: 10..=600_000 = 5000, "How long one statement of a request may take at the database.";
    keep_alive_seconds: 1..=86_400 = 30, "How long a connection without a request is kept.";
}
