//! Database errors into the product's: by SQLSTATE on PostgreSQL, by result code on SQLite. Their text goes to the log
//! only.

use super::sql::MAX_BOUND;
use super::sync::LEASE_LOST;
use crate::domain::error::{Code, Error, PassedLimit};
use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};
use std::time::Duration;

const TOO_LONG: &str = "The database took too long; ask for a shorter range or a narrower filter.";

/// The error of a read that was not waited for any longer.
pub(super) fn too_long() -> Error {
    Error::new(Code::Timeout, TOO_LONG)
}

/// The error of a statement that would bind more values than the databases take.
pub(super) fn statement_too_large(bound: usize) -> Error {
    let message = format!(
        "the segments' lists and periods are {bound} values together, {MAX_BOUND} are allowed: ask for fewer at once, or \
         list fewer values"
    );
    let passed = PassedLimit::of("statementValues", MAX_BOUND, bound);
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
    let code = match code_of(error).as_deref() {
        // SQLite: full, cannot write, cannot enlarge the shared memory beside the file.
        Some("13" | "778" | "4874" | "53100") => Code::StorageFull,
        Some(
            "5" | "6" | "261" | "262" | "517" | "53200" | "53300" | "55P03" | "25P03" | "40001"
            | "40P01",
        ) => Code::ServiceUnavailable,
        // SQLite: interrupted.
        Some("9" | "57014") => Code::Timeout,
        Some(code) if code.starts_with("57P") || code.starts_with("08") => Code::ServiceUnavailable,
        Some(_) => Code::Internal,
        None if is_connection(error) => Code::ServiceUnavailable,
        None => Code::Internal,
    };
    let message = match code {
        Code::StorageFull => "No room is left to store anything; free some and send it again.",
        Code::Timeout => TOO_LONG,
        Code::ServiceUnavailable => {
            "The database is busy or cannot be reached; try again in a moment."
        }
        _ => "The server made an error.",
    };
    Error::new(code, message).because(error.to_string())
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
        Some(code) => matches!(code.as_str(), "57P01" | "57P02" | "25P03"),
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
