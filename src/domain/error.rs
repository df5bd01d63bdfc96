//! One error type, sorted by what the caller can do about it.
//!
//! The code table is the one that GraphQL, HTTP and imports share (`docs/ERRORS.md`). How an error travels is the
//! doors' business (`graphql::error`, `http`).

use std::error::Error as StdError;
use std::fmt;

/// The stable codes that clients may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The document is not GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// An argument or a variable is not acceptable.
    BadUserInput,
    /// No key, or not a valid one.
    Unauthenticated,
    /// The key may not do this.
    Forbidden,
    /// What must exist does not.
    NotFound,
    /// What was asked contradicts what is stored.
    Conflict,
    /// A limit other than cost or rate was passed.
    LimitExceeded,
    /// The operation costs more than allowed.
    CostExceeded,
    /// Too many requests.
    RateLimited,
    /// The operation took too long.
    Timeout,
    /// The database or another part cannot be reached for now.
    ServiceUnavailable,
    /// No room is left to store anything.
    StorageFull,
    /// A fault of the server; the reference finds it in the log.
    Internal,
}

impl Code {
    /// The code as clients see it in `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::CostExceeded => "COST_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
            Self::StorageFull => "STORAGE_FULL",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }
}

/// A limit that was passed, by its name in the root field `limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedLimit {
    /// Its name there.
    pub name: &'static str,
    /// How much is allowed.
    pub maximum: u64,
    /// How much there was; at least, where counting stopped at the limit. None where nobody counted, as of time.
    pub value: Option<u64>,
}

impl PassedLimit {
    /// A limit, how much it allows, and how much there was.
    #[must_use]
    pub fn of(name: &'static str, maximum: impl TryInto<u64>, value: impl TryInto<u64>) -> Self {
        Self {
            value: Some(wide(value)),
            ..Self::uncounted(name, maximum)
        }
    }

    /// A limit and how much it allows, where nobody knows how much there would have been.
    #[must_use]
    pub fn uncounted(name: &'static str, maximum: impl TryInto<u64>) -> Self {
        Self {
            name,
            maximum: wide(maximum),
            value: None,
        }
    }
}

fn wide(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

/// An error with a stable code, a sentence for the caller and, apart from it, a private cause for the log.
#[derive(Debug)]
pub struct Error {
    code: Code,
    message: String,
    field: Option<String>,
    passed: Option<Box<PassedLimit>>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of nearly everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says `message` to the caller.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            passed: None,
            cause: None,
        }
    }

    /// An argument that cannot be accepted: which one, and what would be.
    #[must_use]
    pub fn bad_input(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(Code::BadUserInput, message)
        }
    }

    /// A limit that was passed, by the argument `field`; the message says what is allowed, what there was, and the
    /// remedy.
    #[must_use]
    pub fn limit(
        field: impl Into<String>,
        passed: PassedLimit,
        message: impl Into<String>,
    ) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(Code::LimitExceeded, message).passing(passed)
        }
    }

    /// The same error with the limit that was passed.
    #[must_use]
    pub fn passing(mut self, passed: PassedLimit) -> Self {
        self.passed = Some(Box::new(passed));
        self
    }

    /// The same fault of the argument `field`, in other words; its private cause stays behind.
    #[must_use]
    pub fn reworded(&self, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            passed: self.passed.clone(),
            ..Self::new(self.code, message)
        }
    }

    /// A fault of ours; the caller sees a reference, the log sees `cause`.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(Code::Internal, "The server made an error.")
        }
    }

    /// The same error with its private cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for the caller; it never holds anything of the inside.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The argument or field at fault, if one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The limit that was passed, if one was.
    #[must_use]
    pub fn passed(&self) -> Option<PassedLimit> {
        self.passed.as_deref().copied()
    }

    /// The private cause, for the log only.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_keeps_its_figures_in_other_words() {
        let passed = PassedLimit::of("nodes", 100_usize, 101_i64);
        let error = Error::limit("ids", passed, "101 ids");
        let told = error.reworded("segment", "segment \"x\": 101 ids");
        assert_eq!(told.code(), Code::LimitExceeded);
        assert_eq!(told.field(), Some("segment"));
        assert_eq!(told.passed(), Some(passed));
        assert_eq!((passed.maximum, passed.value), (100, Some(101)));
    }

    #[test]
    fn what_the_caller_sees_never_holds_the_cause() {
        let error = Error::internal("connection to 10.0.0.7 refused");
        assert!(!error.to_string().contains("10.0.0.7"));
        assert_eq!(error.code().as_str(), "INTERNAL_SERVER_ERROR");
        assert!(
            error
                .cause()
                .is_some_and(|cause| cause.to_string().contains("10.0.0.7"))
        );
    }
}
