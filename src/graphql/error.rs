//! How an error reaches a client: a stable code, the argument at fault, and a reference instead of anything internal.
//!
//! Resolvers fail with a [`Failure`]; async-graphql carries it along as the source of its own error, and [`tell`] reads
//! it from there. HTTP statuses are `http`'s business.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_graphql::{PathSegment, Pos, ServerError};
use serde::Serialize;

use super::document::Passed;
use crate::domain::error::{Code, Error, PassedLimit};
use crate::domain::time::TimeError;

/// How many errors a mutation tells of its arguments.
pub const MAX_ERRORS: usize = 20;

/// An error that several fields can share: those that asked for the same batch fail with the same one.
#[derive(Clone, Debug)]
pub struct Failure(Arc<Error>);

/// The result of a resolver.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A fault of ours that must not happen.
    pub fn internal(cause: &'static str) -> Self {
        Error::internal(cause).into()
    }

    /// The error.
    pub fn error(&self) -> &Error {
        &self.0
    }

    /// A time, day or zone that cannot be used, in the argument `field`.
    pub fn time(field: &str, error: &TimeError) -> Self {
        Error::bad_input(field, error.to_string()).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error as an answer has it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: Extensions,
}

/// How many errors an answer tells, and how long each may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Errors.
    pub(super) errors: usize,
    /// Characters of a message.
    pub(super) message_chars: usize,
}

#[derive(Debug, Serialize)]
struct Extensions {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

impl Told {
    /// An error of the request as a whole.
    pub(super) fn request(code: &'static str, message: &str, locations: Vec<Pos>) -> Self {
        let extensions = Extensions {
            code,
            argument: None,
            limit: None,
            maximum: None,
            value: None,
            coordinate: None,
            reference: None,
        };
        Self {
            message: message.to_owned(),
            locations,
            path: Vec::new(),
            extensions,
        }
    }

    /// What failed before anything was executed; its cause goes to the log under `reference`.
    pub(super) fn before(failure: &Error, bounds: Bounds, reference: &str) -> Self {
        log(failure, reference);
        told(ServerError::new("", None), failure, bounds, reference)
    }

    /// Names the limit that an error was about, if it was about one.
    pub(super) fn beyond(mut self, passed: Option<PassedLimit>) -> Self {
        self.extensions.limit = passed.map(|passed| passed.name);
        self.extensions.maximum = passed.map(|passed| passed.maximum);
        self.extensions.value = passed.and_then(|passed| passed.value);
        self
    }

    /// Names the limit that was passed before execution.
    pub(super) fn passing(mut self, passed: Option<&Passed>) -> Self {
        if let Some(passed) = passed {
            self.extensions.limit = Some(passed.limit);
            self.extensions.maximum = Some(passed.maximum);
            self.extensions.value = Some(passed.value);
            self = self.in_argument(passed.coordinate.as_deref());
        }
        self
    }

    /// Names the field or argument of the schema that is to blame.
    pub(super) fn in_argument(mut self, coordinate: Option<&str>) -> Self {
        if let Some(coordinate) = coordinate {
            let argument = coordinate.split_once('(');
            let argument = argument.and_then(|(_, argument)| argument.strip_suffix(":)"));
            self.extensions.argument = argument.map(str::to_owned);
            self.extensions.coordinate = Some(coordinate.to_owned());
        }
        self
    }

    /// Whether it is a limit that a field of the answer passed.
    pub(super) fn is_limit_of_field(&self) -> bool {
        self.extensions.limit.is_some() && !self.path.is_empty()
    }

    /// Names the field or argument of the schema, which `coordinate` knows by path and argument.
    pub(super) fn locate(
        &mut self,
        coordinate: impl Fn(&[PathSegment], Option<&str>) -> Option<String>,
    ) {
        self.extensions.coordinate = coordinate(&self.path, self.extensions.argument.as_deref());
    }
}

/// The errors of an execution as a client may see them, the first so many; causes go to the log under `reference`.
pub(super) fn tell(errors: Vec<ServerError>, bounds: Bounds, reference: &str) -> Vec<Told> {
    let mut logged = HashSet::new();
    errors
        .into_iter()
        .take(bounds.errors)
        .map(|error| {
            let failure = error.source::<Failure>().cloned();
            let failure = failure.unwrap_or_else(|| of_framework(&error));
            if logged.insert(Arc::as_ptr(&failure.0)) {
                log(&failure.0, reference);
            }
            told(error, &failure.0, bounds, reference)
        })
        .collect()
}

fn told(error: ServerError, failure: &Error, bounds: Bounds, reference: &str) -> Told {
    let internal = failure.code() == Code::Internal;
    let message = if internal {
        format!("The server made an error; reference {reference}")
    } else {
        cut(failure.message(), bounds.message_chars)
    };
    let told = Told {
        message,
        locations: error.locations,
        path: error.path,
        extensions: Extensions {
            code: failure.code().as_str(),
            argument: failure.field().map(str::to_owned),
            limit: None,
            maximum: None,
            value: None,
            coordinate: None,
            reference: internal.then(|| reference.to_owned()),
        },
    };
    told.beyond(failure.passed())
}

fn log(failure: &Error, reference: &str) {
    let cause = failure
        .cause()
        .map_or_else(String::new, ToString::to_string);
    match failure.code() {
        Code::Internal => tracing::error!(reference, cause, "an operation failed"),
        code if !cause.is_empty() => {
            tracing::warn!(
                reference,
                cause,
                code = code.as_str(),
                "an operation failed"
            );
        }
        _ => {}
    }
}

/// Whether the framework did not take a value. The stage before execution judges all of them, so that this is not seen.
fn is_of_argument(error: &ServerError) -> bool {
    error.source.is_none()
        && ["Failed to parse \"", "Expected input type \""]
            .iter()
            .any(|start| error.message.starts_with(start))
}

/// What the framework itself fails with during execution is a fault, but for arguments.
fn of_framework(error: &ServerError) -> Failure {
    if is_of_argument(error) {
        return Error::new(Code::BadUserInput, plain(&error.message)).into();
    }
    Error::internal(error.message.clone()).into()
}

/// The framework's sentence without its wrapping: `Failed to parse "Date": <sentence> (occurred while parsing "X")`.
pub(super) fn plain(message: &str) -> String {
    let sentence = message
        .strip_prefix("Failed to parse \"")
        .and_then(|rest| rest.split_once("\": "))
        .map_or(message, |(_, sentence)| sentence);
    let end = sentence.find(" (occurred while parsing \"");
    sentence
        .get(..end.unwrap_or(sentence.len()))
        .unwrap_or(sentence)
        .to_owned()
}

fn cut(message: &str, chars: usize) -> String {
    if message.chars().nth(chars).is_none() {
        return message.to_owned();
    }
    let kept = message.chars().take(chars.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        errors: 20,
        message_chars: 300,
    };

    fn json(error: ServerError) -> String {
        serde_json::to_string(&tell(vec![error], BOUNDS, "r-1")).unwrap()
    }

    #[test]
    fn internals_are_masked_behind_a_reference() {
        let failure = Failure::from(Error::internal("password of db is hunter2"));
        let error =
            async_graphql::Error::from(failure).into_server_error(Pos { line: 1, column: 2 });
        let text = json(error);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(
            text.contains(r#""message":"The server made an error; reference r-1""#),
            "{text}"
        );
        assert!(
            text.contains(r#""code":"INTERNAL_SERVER_ERROR","reference":"r-1""#),
            "{text}"
        );
    }

    #[test]
    fn what_fails_before_an_operation_is_masked_likewise_and_stands_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = std::fs::File::create(&path).unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Arc::new(file))
            .finish();
        let error = Error::internal("no such table: totals_time");
        let told =
            tracing::subscriber::with_default(subscriber, || Told::before(&error, BOUNDS, "r-1"));
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(
            text,
            r#"{"message":"The server made an error; reference r-1","extensions":{"code":"INTERNAL_SERVER_ERROR","reference":"r-1"}}"#
        );
        let log = std::fs::read_to_string(&path).unwrap();
        assert!(log.contains("r-1") && log.contains("totals_time"), "{log}");
        let busy = Error::new(Code::ServiceUnavailable, "The database is busy.");
        let told = Told::before(&busy, BOUNDS, "r-1");
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(
            text,
            r#"{"message":"The database is busy.","extensions":{"code":"SERVICE_UNAVAILABLE"}}"#
        );
    }

    #[test]
    fn an_unknown_error_of_the_framework_is_internal() {
        assert!(
            json(ServerError::new("Data `X` does not exist.", None))
                .contains("INTERNAL_SERVER_ERROR")
        );
    }

    #[test]
    fn a_refused_value_says_what_would_do() {
        let message =
            r#"Failed to parse "Date": `x` is not a day (occurred while parsing "RangeInput")"#;
        let text = json(ServerError::new(message, None));
        assert!(text.contains(r#""message":"`x` is not a day""#), "{text}");
        assert!(text.contains("BAD_USER_INPUT"), "{text}");
    }

    #[test]
    fn arguments_are_named_and_messages_cut() {
        let passed = PassedLimit::of("pages", 100_u32, 101_u32);
        let failure = Failure::from(Error::limit("first", passed, "x".repeat(900)));
        let text =
            json(async_graphql::Error::from(failure).into_server_error(Pos { line: 1, column: 2 }));
        assert!(
            text.contains(
                r#""code":"LIMIT_EXCEEDED","argument":"first","limit":"pages","maximum":100,"value":101"#
            ),
            "{text}"
        );
        assert!(text.chars().count() < 500, "{text}");
    }

    #[test]
    fn at_most_twenty_errors_are_told() {
        let errors = vec![ServerError::new("x", None); 25];
        assert_eq!(tell(errors, BOUNDS, "r").len(), 20);
    }
}
