//! Reading a request's body within bounds: its kind, its size, its time.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures::StreamExt as _;

use super::accept::{is_utf8, split_outside_quotes};
use super::error::Refusal;
use crate::domain::error::{Code, PassedLimit};

/// Checks that a body is JSON as it stands.
///
/// Browsers send this type across sites only after asking (a preflight request), so it also keeps other sites' forms out.
///
/// # Errors
/// 415 for anything else.
pub fn check_type(request: &HttpRequest) -> Result<(), Refusal> {
    let refused = |message: String| {
        Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::BadUserInput,
            message,
        )
        .with(
            HeaderName::from_static("accept-post"),
            HeaderValue::from_static("application/json"),
        )
    };
    let mut types = request.headers().get_all(header::CONTENT_TYPE);
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(refused(
            "Send the body as application/json, and say so in `Content-Type`.".to_owned(),
        ));
    };
    if !value.to_str().is_ok_and(is_json) {
        // As much of it as tells what was meant: a header can be very long.
        let shown: String = format!("{value:?}").chars().take(60).collect();
        return Err(refused(format!(
            "The body's type {shown} is not accepted: send application/json in UTF-8."
        )));
    }
    let coded = request
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .any(|coding| coding != "identity");
    if coded {
        return Err(refused(
            "Compressed bodies are not accepted: send the JSON as it is.".to_owned(),
        ));
    }
    Ok(())
}

fn is_json(value: &str) -> bool {
    let mut parts = split_outside_quotes(value, ';').map(str::trim);
    let is_type = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_type
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                is_utf8(charset.trim().trim_matches('"'))
            }
            _ => true,
        })
}

/// How large a body may be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// In bytes.
    pub most: usize,
    /// What `limits` calls it, where that tells it.
    pub name: Option<&'static str>,
}

/// Reads the whole body.
///
/// # Errors
/// 413 as soon as it is known to pass `size`, 408 when it is not whole after `deadline`, 400 when it breaks off.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    size: Size,
    deadline: Duration,
) -> Result<Bytes, Refusal> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if let Some(length) = announced.filter(|length| *length > size.most as u64) {
        return Err(too_large(size, length));
    }
    match tokio::time::timeout(deadline, collect(payload, size)).await {
        Ok(body) => body,
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            Code::Timeout,
            format!(
                "The body was not whole after {} ms: send it faster, or less of it.",
                deadline.as_millis()
            ),
        )
        .passing(PassedLimit::uncounted(
            "bodyMilliseconds",
            deadline.as_millis(),
        ))
        .with(header::CONNECTION, HeaderValue::from_static("close"))),
    }
}

async fn collect(mut payload: Payload, size: Size) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| Refusal::bad_request("The body broke off."))?;
        if body.len() + piece.len() > size.most {
            return Err(too_large(size, (body.len() + piece.len()) as u64));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

fn too_large(Size { most, name }: Size, length: u64) -> Refusal {
    let message =
        format!("The body is larger than {most} bytes: send long lists in several requests.");
    let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::LimitExceeded, message);
    match name {
        Some(name) => refusal.passing(PassedLimit::of(name, most, length)),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf8_is_json() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; odata=x",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/json; charset=latin1",
            "application/jsonx",
            "application/graphql",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
