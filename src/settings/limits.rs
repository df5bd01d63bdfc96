//! The limits on requests: one line each, from which come the setting, its default, its words and its field.

use super::{Key, Kind, Raw, key};

macro_rules! limits {
    ($($name:ident: $least:literal..=$most:literal = $default:literal, $help:literal $(, because $why:literal)?;)*) => {
        /// The limits on requests, each as its setting says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct LimitSettings {
            $(#[doc = $help] pub $name: u64,)*
        }

        /// The settings that are limits.
        pub(super) const KEYS: &[Key] = &[
            $(Key {
                why: concat!($($why)?),
                ..key(
                    stringify!($name),
                    Kind::Whole { least: $least, most: $most },
                    stringify!($default),
                    $help,
                )
            },)*
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
    max_document_comparisons: 1..=100_000_000 = 100000, "Pairs of fields of one name that are compared to validate a document.";
    max_input_objects: 1..=1_000_000 = 5000, "Input objects that one argument may hold, at any depth.";
    max_introspection_lists: 1..=20 = 2, "Lists inside lists that introspection may ask for.";
    max_introspection_values: 1..=100_000_000 = 400000, "Values that one operation may ask for by introspection, about.";
    max_list_page_rows: 1..=10_000 = 100, "Rows of one page of a list of entities, and of what hangs below them.", because "the rows of a page are looked up together in one statement";
    max_segment_page_rows: 1..=10_000 = 250, "Rows of one page of built-in segments or of steps between them.", because "no page may be larger than max_page_rows allows";
    max_report_page_rows: 1..=10_000 = 10000, "Rows of one page of the groups of a report.", because "no page may be larger than max_page_rows allows";
    max_nodes: 1..=10_000 = 100, "Ids in one nodes.", because "their rows are looked up together in one statement";
    max_order_keys: 1..=20 = 5, "Keys in one orderBy.", because "a cursor holds a value of each, and the condition of the next page repeats them";
    max_filter_depth: 1..=24 = 12, "Levels that a filter may nest.", because "a rule is stored as JSON, up to four levels for each of its own, and JSON of 127 levels at most is read back";
    max_filter_conditions: 1..=400 = 200, "Conditions in one filter.", because "SQLite takes expressions of 1000 levels, of which each condition is one";
    max_filter_values: 1..=5_000 = 1000, "Values in one list of a filter.", because "a statement may hold each value six times, and SQLite takes 32766 in all";
    max_filter_all_values: 1..=5_000 = 4000, "Values in all lists of one filter together.", because "a statement may hold each value six times, and SQLite takes 32766 in all";
    max_filter_segments: 1..=100 = 20, "Segments in one list of a filter.", because "each is written out in the statement";
    max_filter_metrics: 1..=240 = 120, "Metrics that the segments which a filter names have together.", because "each is a query inside the statement, of which SQLite takes 500";
    max_statement_values: 1..=32_000 = 32000, "Values that one statement at the database takes: those of filters, of lists in segments, and of stretches of time.", because "SQLite takes 32766 and PostgreSQL 65535";
    max_report_dimensions: 1..=10 = 5, "Dimensions in one groupBy of a report.", because "the groups are the products of what each dimension has, and are kept in memory";
    max_report_conditions: 1..=1_000 = 10, "Conditions in one having of a report.";
    max_report_stretches: 1..=100_000 = 10000, "Stretches of time that a report is divided into.", because "they are kept in memory for each group";
    max_report_segments: 1..=100 = 20, "Segments that one report names.", because "each is written out in the statement";
    max_report_actions: 1..=2_000_000_000 = 2000000, "Actions that a report, a top list or trafficTargets reads one by one where no totals answer it; counts of clicks by SubID that a report reads.", because "the API tells it as an Int";
    max_report_rows: 1..=10_000_000 = 200000, "Groups that a report can have, counted per currency and, where money is converted, per UTC day.", because "all of them are kept in memory, a few hundred bytes each";
    max_segments: 1..=100_000 = 1000, "Segments that a publisher has, those apart that are archived.";
    max_segment_depth: 1..=10 = 5, "Levels that segments may name each other.", because "each level is a query inside a query, written by recursion";
    max_segment_conditions: 1..=500 = 300, "Conditions of a rule, with those of the segments that it names.", because "SQLite takes expressions of 1000 levels, of which each condition is one";
    max_segment_metrics: 1..=100 = 24, "Metrics of a rule, with those of the segments that it names.", because "each is a query inside the statement, which reads the facts by itself";
    max_segment_values: 1..=10_000 = 4000, "Values in the lists of a rule, with those of the segments that it names.", because "a statement may hold each value three times, and SQLite takes 32766 in all";
    max_segment_members: 1..=100_000 = 10000, "Members that a rule lists.", because "they are kept in the rule, which is read whenever the segment is";
    max_segment_trend_points: 1..=1_000 = 60, "Points of one trend of a segment.", because "each is the segment, evaluated as of then, and kept in memory";
    max_overlaid_segments: 2..=16 = 8, "Segments that are laid over each other at a time.", because "they divide into two to that power less one parts";
    max_built_in_periods: 1..=1_000 = 120, "Periods that one request divides into built-in segments.", because "each goes through all users or products by itself";
    max_built_in_members: 1..=100_000_000 = 5000000, "Members that the built-in segments of one request have together, at each moment by itself.", because "each takes 16 bytes of memory for as long as the request lasts";
    max_cohort_periods: 1..=500 = 120, "Periods that cohorts are made of.", because "there are half as many figures as its square";
    max_awaited_products: 1..=1_000_000 = 10000, "Products in the list of priority products that are not known yet.", because "the list is read whole whenever it is changed";
    max_retried_records: 1..=100_000 = 1000, "Rejected records that are tried again at a time.";
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::MAX_STORED_DEPTH;

    #[test]
    fn no_filter_may_nest_deeper_than_a_stored_rule_is_read_back() {
        let depth = KEYS.iter().find(|key| key.name == "max_filter_depth");
        let most = u64::try_from(MAX_STORED_DEPTH).unwrap();
        assert!(matches!(depth.unwrap().kind, Kind::Whole { most: is, .. } if is == most));
    }
}
