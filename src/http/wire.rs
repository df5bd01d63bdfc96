//! Connections: what a socket may do before, between and after requests.
//!
//! The framework has a deadline for the first head of a connection and none for the next, waits for ever for who does not
//! read, and lets a head grow to 128 KiB (docs/adr/0038). So each accepted socket is wrapped twice: [`socket::Socket`]
//! lies next to the system and has a time for what is written, [`heads::Heads`] lies under HTTP and has times and sizes
//! for what is read. What happens on a connection stands in its [`line::Line`], which [`exchange`] tells when a request
//! begins and when its answer is out.

mod alarm;
mod exchange;
mod heads;
mod line;
mod seats;
mod serve;
mod socket;

use std::time::Duration;

use actix_web::ResponseError as _;
use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;

use super::error::Refusal;
use super::observe::{REQUEST_ID, protect};
use crate::clock::Clock;
use crate::domain::error::{Code, PassedLimit};

pub(super) use seats::owner_of;
pub use serve::{Serving, serve};

/// How long the rest of a refused body is swallowed, so that its sender can read why.
const LINGER: Duration = Duration::from_secs(2);

/// The slowest that an answer may be read, in bytes a second, beside the time that every answer has.
const SLOWEST: u64 = 16 * 1024;

/// How many bytes are read at a time, but for bodies, and given to who parses heads, who then looks at them before there are
/// more: of a piece that is full of requests each becomes many times as large. They are read beside the buffer of the connection,
/// so that one that says little touches little memory.
const PIECE: usize = 4096;

/// What connections are held to.
#[derive(Clone, Debug)]
struct Rules {
    /// How long a head may take, from its first byte to its end; a new connection has as long for that first byte.
    head: Duration,
    /// How long a connection is kept between two requests.
    keep_alive: Duration,
    /// How long an answer may wait for its reader without any of it being taken.
    send: Duration,
    /// The largest head, in bytes.
    max_head: usize,
    /// The answer to a head that came too slowly.
    too_slow: Parting,
    /// The answer to a head that is too large.
    too_large: Parting,
    /// Sockets wait in the machine's time, whatever the clock of the server says.
    stopwatch: Clock,
}

impl Rules {
    fn of(serving: &Serving) -> Self {
        let head = serving.head_deadline;
        let slow = format!(
            "The head of the request was not whole {} ms after its first byte: send it faster.",
            head.as_millis()
        );
        let slow = Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout, slow)
            .passing(PassedLimit::uncounted("headMilliseconds", head.as_millis()));
        let large = format!(
            "The head of the request is larger than {} bytes: send long queries by POST, and fewer cookies.",
            serving.max_head
        );
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let large = Refusal::new(status, Code::LimitExceeded, large).passing(PassedLimit::of(
            "headBytes",
            serving.max_head,
            serving.max_head.saturating_add(1),
        ));
        let https = serving.tls.is_some();
        Self {
            head,
            keep_alive: serving.keep_alive,
            send: serving.send_deadline,
            max_head: serving.max_head,
            too_slow: Parting::of(slow, https),
            too_large: Parting::of(large, https),
            stopwatch: Clock::system(),
        }
    }
}

/// An answer that ends its connection, to what is no request yet, with the headers of every answer.
#[derive(Clone, Debug)]
struct Parting {
    status: StatusCode,
    /// Its head but for the reference and the line that ends it.
    head: String,
    body: Bytes,
}

impl Parting {
    fn of(refusal: Refusal, https: bool) -> Self {
        let mut answer = refusal
            .with(header::CONNECTION, HeaderValue::from_static("close"))
            .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .error_response();
        protect(answer.headers_mut(), https);
        let status = answer.status();
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in answer.headers() {
            // They are all ours, and texts.
            let value = value.to_str().unwrap_or_default();
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = answer.into_body().try_into_bytes().unwrap_or_default();
        head.push_str(&format!("content-length: {}\r\n", body.len()));
        Self { status, head, body }
    }

    /// As it goes out, under a reference by which its line in the log is found.
    fn under(&self, reference: &str) -> Vec<u8> {
        let mut bytes = format!("{}{REQUEST_ID}: {reference}\r\n\r\n", self.head).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
