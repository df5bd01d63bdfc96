//! Database errors into the product's: by SQLSTATE on PostgreSQL, by result code on SQLite. Their text goes to the log
//! only.

use crate::domain::error::{Code, Error};
use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// What a database error means to a caller.
pub(super) fn from_db(error: &DbErr) -> Error {
    let code = match code_of(error).as_deref() {
        Some("13" | "778" | "53100") => Code::StorageFull,
        Some("5" | "6" | "261" | "262" | "517" | "53300" | "55P03" | "40001" | "40P01") => {
            Code::ServiceUnavailable
        }
        Some("57014") => Code::Timeout,
        Some(code) if code.starts_with("57P") || code.starts_with("08") => Code::ServiceUnavailable,
        Some(_) => Code::Internal,
        None if is_connection(error) => Code::ServiceUnavailable,
        None => Code::Internal,
    };
    let message = match code {
        Code::StorageFull => "No room is left to store anything; free some and send it again.",
        Code::Timeout => {
            "The database took too long; ask for a shorter range or a narrower filter."
        }
        Code::ServiceUnavailable => {
            "The database is busy or cannot be reached; try again in a moment."
        }
        _ => "The server made an error.",
    };
    Error::new(code, message).because(error.to_string())
}

/// Whether the same transaction may succeed when it is run again.
pub(super) fn is_transient(error: &DbErr) -> bool {
    matches!(
        code_of(error).as_deref(),
        Some(
            "5" | "6"
                | "261"
                | "262"
                | "517"
                | "40001"
                | "40P01"
                | "57P01"
                | "23505"
                | "1555"
                | "2067"
        )
    ) || is_connection(error)
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
