//! What an operation comes to: its answer, or why there is none.

use std::io::Write as _;

use serde::Serialize;

use super::bill::{Bill, Costs};
use super::document::{Passed, RequestError};
use super::error::Told;
use super::written::{Unwritten, json};
use crate::domain::error::{Code, PassedLimit};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused before execution; the answer has no `data`.
    RequestError {
        /// Why.
        code: Code,
    },
    /// It was a mutation by GET.
    MutationByGet,
    /// Everything that was asked for was answered.
    Complete,
    /// Some of it failed.
    Partial,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer as JSON.
    pub body: Vec<u8>,
    /// How the request ended.
    pub outcome: Outcome,
    /// The name of the operation, if it has one.
    pub operation_name: Option<String>,
    /// How many statements it took.
    pub statements: u32,
    /// What it could have cost at most, in points.
    pub cost: u64,
    /// Seconds after which it may be tried again.
    pub retry_after: Option<u64>,
    /// Whether a mutation ran, which may have changed something whatever the answer says.
    pub is_of_mutation: bool,
}

/// Says that an answer is longer than it may be. What a mutation did is done.
pub(super) fn too_long(most: u64) -> Told {
    let message = format!(
        "The answer is longer than {most} bytes: ask for smaller pages (first, last) or fewer fields. What a mutation has done stays done."
    );
    Told::request(Code::LimitExceeded.as_str(), &message, Vec::new())
        .beyond(Some(PassedLimit::uncounted("answerBytes", most)))
}

/// An answer that has no length that it may not pass.
pub(super) fn whole(written: Result<(), Unwritten>) -> serde_json::Result<()> {
    match written {
        Err(Unwritten::Fault(error)) => Err(error),
        Err(Unwritten::TooLong) | Ok(()) => Ok(()),
    }
}

/// The answer to a caller who asked for the estimate alone.
pub(super) fn estimate(bill: &Bill, operation_name: Option<String>, rows: u64) -> Reply {
    let cost = bill.costs(None, rows, 0);
    let extensions = Extensions { cost };
    let data = async_graphql::Value::Null;
    let body = bytes(|body| whole(answer(body, &[], &data, &extensions, usize::MAX)));
    Reply {
        body,
        outcome: Outcome::Complete,
        operation_name,
        statements: 0,
        cost: bill.requested,
        retry_after: None,
        is_of_mutation: false,
    }
}

/// What is said where columns that make an operation cheap enough are being read in.
const COMING: &str = " Or ask the same again later: what it looks through is being read into memory, which can take minutes, and it may be within the limit then.";

/// The remedy beside others for what costs too much, where columns are being read in.
pub(super) fn remedy(are_coming: bool) -> &'static str {
    if are_coming { COMING } else { "" }
}

/// The answer to an operation that costs too much whatever its caller has left.
pub(super) fn too_much(passed: &Passed, are_coming: bool, cost: Costs) -> Reply {
    let message = format!(
        "The operation costs up to {} points, the limit is {}. Ask for smaller pages (first, last), a shorter range, or fewer lists inside lists.{}",
        passed.value,
        passed.maximum,
        remedy(are_coming)
    );
    over(Code::CostExceeded, &message, passed, cost)
}

/// The answer to an operation that is refused for its cost, which it tells as answers do.
pub(super) fn over(code: Code, message: &str, passed: &Passed, cost: Costs) -> Reply {
    let told = Told::request(code.as_str(), message, Vec::new()).passing(Some(passed));
    unexecuted(vec![told], code, Some(Extensions { cost }))
}

pub(super) fn no_introspection() -> Reply {
    let message = "This caller may not ask for the schema by introspection; read it as text at /schema.graphql if that is open.";
    let told = Told::request(Code::Forbidden.as_str(), message, Vec::new());
    refusal(vec![told], Code::Forbidden)
}

/// Writes an answer to an execution; errors come first, so that whoever reads it by eye sees them.
pub(super) fn answer(
    body: &mut Vec<u8>,
    errors: &[Told],
    data: &async_graphql::Value,
    extensions: &Extensions,
    most: usize,
) -> Result<(), Unwritten> {
    body.push(b'{');
    if !errors.is_empty() {
        body.extend_from_slice(b"\"errors\":");
        serde_json::to_writer(&mut *body, errors)?;
        body.push(b',');
    }
    body.extend_from_slice(b"\"data\":");
    json(data, body, most)?;
    body.extend_from_slice(b",\"extensions\":");
    serde_json::to_writer(&mut *body, extensions)?;
    body.push(b'}');
    Ok(())
}

#[derive(Serialize)]
pub(super) struct Extensions {
    /// What it cost.
    pub(super) cost: Costs,
}

/// An answer to a request that was not executed: without `data`.
#[derive(Serialize)]
struct Refusal {
    errors: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Extensions>,
}

pub(super) fn refused(errors: &[RequestError]) -> Reply {
    let code = errors
        .first()
        .map_or(Code::ValidationFailed, |error| code_of(error.code));
    let told = errors.iter().map(|error| {
        Told::request(error.code, &error.message, error.locations.clone())
            .in_argument(error.coordinate.as_deref())
            .passing(error.passed.as_deref())
    });
    refusal(told.collect(), code)
}

pub(super) fn refusal(errors: Vec<Told>, code: Code) -> Reply {
    unexecuted(errors, code, None)
}

fn unexecuted(errors: Vec<Told>, code: Code, extensions: Option<Extensions>) -> Reply {
    let refusal = Refusal { errors, extensions };
    Reply {
        body: bytes(|body| serde_json::to_writer(body, &refusal)),
        outcome: Outcome::RequestError { code },
        operation_name: None,
        statements: 0,
        cost: 0,
        retry_after: None,
        is_of_mutation: false,
    }
}

pub(super) fn by_get(operation_name: Option<String>) -> Reply {
    let message = "GET is for queries only: send a mutation by POST";
    let errors = vec![Told::request(
        Code::BadUserInput.as_str(),
        message,
        Vec::new(),
    )];
    let refusal = Refusal {
        errors,
        extensions: None,
    };
    let body = bytes(|body| serde_json::to_writer(body, &refusal));
    Reply {
        body,
        outcome: Outcome::MutationByGet,
        operation_name,
        statements: 0,
        cost: 0,
        retry_after: None,
        is_of_mutation: false,
    }
}

pub(super) fn code_of(code: &str) -> Code {
    let known = [
        Code::ParseFailed,
        Code::ValidationFailed,
        Code::BadUserInput,
        Code::LimitExceeded,
        Code::CostExceeded,
        Code::Forbidden,
    ];
    known
        .into_iter()
        .find(|known| known.as_str() == code)
        .unwrap_or(Code::ValidationFailed)
}

pub(super) fn bytes(write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> Vec<u8> {
    let mut body = Vec::with_capacity(4096);
    if let Err(error) = write(&mut body) {
        // Names and values are texts and numbers, which always can be written; an answer must go out all the same.
        tracing::error!(%error, "an answer could not be written");
        body.clear();
        let fault = r#"{"errors":[{"message":"The server made an error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#;
        let _ = body.write_all(fault.as_bytes());
    }
    body
}
