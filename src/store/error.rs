//! Database errors into the product's: by SQLSTATE on PostgreSQL, by result code on SQLite. Their text goes to the log
//! only.

use super::sync::LEASE_LOST;
use crate::domain::error::{Code, Error, PassedLimit};
use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};
use std::time::Duration;

const TOO_DEEP: &str = "The filters, with the rules of the segments that they name, nest deeper than the database takes; write them \
     flatter, or freeze a segment that another one names.";

const TOO_LONG: &str = "The database took too long; ask for a shorter range or a narrower filter.";

/// The error of a read that was not waited for any longer.
pub(super) fn too_long() -> Error {
    Error::new(Code::Timeout, TOO_LONG)
}

/// The error of a statement that would bind more values than one may.
pub(super) fn statement_too_large(bound: usize, most: usize) -> Error {
    let message = format!(
        "the segments' lists and periods are {bound} values together, {most} are allowed: ask for fewer at once, or \
         list fewer values"
    );
    let passed = PassedLimit::of("statementValues", most, bound);
    Error::limit("segment", passed, message)
}

/// The error of a write that the database did not answer in time: it is as good as away. The same is not tried at once
/// again, since whoever waits has waited long enough.
pub(super) fn silent(time: Duration) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("no answer within {time:?}")))
}

/// What a database error means to a caller.
pub(super) fn from_db(error: &DbErr) -> Error {
    if matches!(error, DbErr::Custom(text) if text == LEASE_LOST) {
        return Error::new(Code::Conflict, "Another server fetches this account now.");
    }
    let code = match code_of(error) {
        _ if is_too_deep(error) => Code::LimitExceeded,
        Some(code) => meaning(&code),
        None if is_connection(error) => Code::ServiceUnavailable,
        None => Code::Internal,
    };
    let message = match code {
        Code::StorageFull => "No room is left to store anything; free some and send it again.",
        Code::Timeout => TOO_LONG,
        Code::LimitExceeded => TOO_DEEP,
        Code::ServiceUnavailable => {
            "The database is busy or cannot be reached; try again in a moment."
        }
        _ => "The server made an error.",
    };
    Error::new(code, message).because(error.to_string())
}

/// What a code of a database means to a caller: five characters are an SQLSTATE of PostgreSQL's, fewer a number of SQLite's.
fn meaning(code: &str) -> Code {
    match code {
        // SQLite: full, cannot write, cannot enlarge the shared memory beside the file.
        "13" | "778" | "4874" | "53100" => Code::StorageFull,
        // SQLite: interrupted.
        "9" | "57014" => Code::Timeout,
        _ if is_away(code) => Code::ServiceUnavailable,
        _ => Code::Internal,
    }
}

/// Whether a code says that the database is busy, or cannot be had.
fn is_away(code: &str) -> bool {
    let is_busy = matches!(
        code,
        "5" | "6"
            | "261"
            | "262"
            | "517"
            | "53200"
            | "53300"
            | "55P03"
            | "25P03"
            | "40001"
            | "40P01"
    );
    // A replica that took over and may not be written yet, an account that is not let in just now, a limit of the
    // server's, a disk of its that fails.
    let is_out_of_order = matches!(code, "25006" | "28000" | "28P01" | "53400" | "58030");
    let is_ended = code.starts_with("57P") || code.starts_with("08");
    is_busy || is_out_of_order || is_ended || is_unreadable(code)
}

/// Whether SQLite cannot read or open its file, for whatever reason the extended code names.
fn is_unreadable(code: &str) -> bool {
    let number = code.parse::<u32>().ok().filter(|_| code.len() < 5);
    number.is_some_and(|number| matches!(number & 0xff, 10 | 14))
}

/// Whether the transaction was undone because another one was in its way: the same may succeed when it runs again, also
/// when it was the commit that said so.
///
/// A lock that was waited for in vain is none: who called has waited long enough.
pub(super) fn is_conflict(error: &DbErr) -> bool {
    matches!(
        code_of(error).as_deref(),
        Some("517" | "40001" | "40P01" | "23505")
    )
}

/// Whether the connection broke under the transaction. Before the commit was sent nothing of it can be stored; at the
/// commit nobody knows.
pub(super) fn is_lost(error: &DbErr) -> bool {
    match code_of(error) {
        Some(code) => {
            matches!(code.as_str(), "57P01" | "57P02" | "57P03" | "25P03") || code.starts_with("08")
        }
        None => matches!(
            sqlx_error(error),
            Some(SqlxError::Io(_) | SqlxError::WorkerCrashed)
        ),
    }
}

/// Whether a plain `SELECT` failed because its table is not there; SQLite has one code for all that is wrong with a text.
pub(super) fn is_missing_table(error: &DbErr) -> bool {
    matches!(code_of(error).as_deref(), Some("1" | "42P01"))
}

/// Whether the conditions of a statement nest deeper than the database reads: each limit on filters and segments allows less,
/// but the highest settings of several of them together do not. SQLite has one code for all that is wrong with a text.
fn is_too_deep(error: &DbErr) -> bool {
    let Some(error) = sqlx_error(error).and_then(SqlxError::as_database_error) else {
        return false;
    };
    match error.code().as_deref() {
        Some("1") => error.message().starts_with("Expression tree is too large"),
        code => code == Some("54001"),
    }
}

fn sqlx_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn code_of(error: &DbErr) -> Option<String> {
    sqlx_error(error)?
        .as_database_error()?
        .code()
        .map(std::borrow::Cow::into_owned)
}

fn is_connection(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_))
        || matches!(
            sqlx_error(error),
            Some(
                SqlxError::Io(_)
                    | SqlxError::PoolTimedOut
                    | SqlxError::PoolClosed
                    | SqlxError::WorkerCrashed
            )
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_cannot_be_had_is_no_fault_of_the_servers() {
        let unavailable = [
            // SQLite: busy, locked, and what comes of them.
            "5", "6", "261", "262", "517",
            // It cannot read, cannot sync, cannot open; the folder is gone, a part of the file in memory fails.
            "10", "266", "1034", "14", "270", "526", "8714",
            // PostgreSQL: connections, ends of them, starting up.
            "08000", "08001", "08003", "08004", "08006", "57P01", "57P02", "57P03", "57P04",
            "57P05",
            // Too many connections, no memory, a limit of its own, a lock that was not given, silence.
            "53200", "53300", "53400", "55P03", "25P03", "40001", "40P01",
            // After a failover: still read-only, not let in, disks that fail.
            "25006", "28000", "28P01", "58030",
        ];
        for code in unavailable {
            assert_eq!(meaning(code), Code::ServiceUnavailable, "{code}");
        }
        for code in ["13", "778", "4874", "53100"] {
            assert_eq!(meaning(code), Code::StorageFull, "{code}");
        }
        for code in ["9", "57014"] {
            assert_eq!(meaning(code), Code::Timeout, "{code}");
        }
        // A fault in what was asked; SQLSTATEs are no numbers of SQLite's.
        for code in [
            "1", "19", "2067", "11", "42601", "23505", "22003", "25P02", "00010", "XX000",
        ] {
            assert_eq!(meaning(code), Code::Internal, "{code}");
        }
    }

    #[test]
    fn a_write_that_was_not_answered_is_not_tried_at_once_again() {
        let error = silent(Duration::from_secs(7));
        assert_eq!(from_db(&error).code(), Code::ServiceUnavailable);
        assert!(!is_lost(&error) && !is_conflict(&error));
    }
}
