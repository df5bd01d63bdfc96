//! The errors of this stage and the bounded list that collects them. Their way to a client (status codes, `extensions`) is not here.

use std::fmt;

use async_graphql::Pos;

/// The text is not a GraphQL document.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The document does not fit the schema, or names no operation that can be run.
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The variables do not fit the operation.
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// The document is larger than what is read here, whatever it asks for.
pub const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";
/// The operation asks for what is hidden from the key.
pub const FORBIDDEN: &str = "FORBIDDEN";
/// The operation could return more rows than one request may.
pub const COST_EXCEEDED: &str = "COST_EXCEEDED";

/// Longest piece of a client's own text (a name, a token) that a message repeats, in characters.
const SHOWN_CHARS: usize = 60;

/// Why a request was refused before execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// What is wrong and, where there is one, the remedy; at most [`super::DocumentLimits::message_chars`] characters.
    pub message: String,
    /// Where in the document, lines and columns (in characters) from 1; empty when no place is to blame.
    pub locations: Vec<Pos>,
    /// One of `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`, `BAD_USER_INPUT`, `LIMIT_EXCEEDED`, `FORBIDDEN`, `COST_EXCEEDED`.
    pub code: &'static str,
    /// The limit that was passed, if it was one.
    pub passed: Option<Box<Passed>>,
    /// The argument of the schema that is to blame, such as `Query.actions(filter:)`, where it is one and no limit says so.
    pub coordinate: Option<Box<str>>,
}

/// A limit that a request passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Its name, as a field of `Limits`.
    pub limit: &'static str,
    /// How much is allowed.
    pub maximum: u64,
    /// How much there is; at least, where counting stopped at the limit.
    pub value: u64,
    /// The field or argument of the schema that is to blame, such as `Query.actions(first:)`; none where it is the document as a whole.
    pub coordinate: Option<String>,
}

impl Passed {
    /// A limit on the document as a whole.
    pub(super) fn of(limit: &'static str, maximum: usize, value: usize) -> Self {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Self {
            limit,
            maximum: wide(maximum),
            value: wide(value),
            coordinate: None,
        }
    }
}

impl RequestError {
    /// An error at one place of the document.
    pub(super) fn at(code: &'static str, pos: Pos, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            locations: vec![pos],
            code,
            passed: None,
            coordinate: None,
        }
    }

    /// A limit that is passed at one place of the document: how much it allows and how much there is, and what is to blame.
    pub(super) fn beyond(
        pos: Pos,
        message: String,
        limit: &'static str,
        (maximum, value): (u64, u64),
        coordinate: Option<String>,
    ) -> Self {
        let passed = Passed {
            limit,
            maximum,
            value,
            coordinate,
        };
        Self::at(LIMIT_EXCEEDED, pos, message).passing(passed)
    }

    /// The same error with the argument that is to blame.
    pub(super) fn in_argument(mut self, coordinate: String) -> Self {
        self.coordinate = Some(coordinate.into());
        self
    }

    /// The same error with the limit that was passed.
    pub(super) fn passing(mut self, passed: Passed) -> Self {
        self.passed = Some(Box::new(passed));
        self
    }

    /// An error of the request as a whole.
    pub(super) fn whole(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            locations: Vec::new(),
            code,
            passed: None,
            coordinate: None,
        }
    }

    /// Cuts the message to `chars` characters, the last of them `…` if anything was cut.
    pub(super) fn cut(mut self, chars: usize) -> Self {
        if self.message.chars().nth(chars).is_some() {
            self.message = self
                .message
                .chars()
                .take(chars.saturating_sub(1))
                .chain(['…'])
                .collect();
        }
        self
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for RequestError {}

/// A list of errors that stops growing at its limit, so that a hostile document cannot make a large answer.
#[derive(Debug)]
pub(super) struct Errors {
    list: Vec<RequestError>,
    most: usize,
}

impl Errors {
    /// An empty list for at most `most` errors (at least one).
    pub(super) fn new(most: usize) -> Self {
        Self {
            list: Vec::new(),
            most: most.max(1),
        }
    }

    /// Adds an error unless the list is full.
    pub(super) fn push(&mut self, error: RequestError) {
        if self.list.len() < self.most {
            self.list.push(error);
        }
    }

    /// Adds a validation error at `pos`.
    pub(super) fn invalid(&mut self, pos: Pos, message: impl Into<String>) {
        self.push(RequestError::at(VALIDATION_FAILED, pos, message));
    }

    /// Whether nothing more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= self.most
    }

    /// `Ok` if there is no error.
    pub(super) fn into_result(self) -> Result<(), Vec<RequestError>> {
        if self.list.is_empty() {
            Ok(())
        } else {
            Err(self.list)
        }
    }
}

/// A client's own text as a message may repeat it: one line, cut to 60 characters.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        out.push('…');
    }
    out
}
