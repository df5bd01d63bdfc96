//! What lies around each request and tells its connection when it begins and when its answer is out.

use std::error::Error as StdError;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _};
use futures::Stream;

use super::line::{Body, Line};
use crate::http::turnstile::Pass;

/// How many bytes of an answer the framework gets at a time. It copies what it gets into a buffer of the connection: the whole
/// of a file, for each connection that never reads it, would be so many copies.
const PIECE: usize = 16 << 10;

/// A request that is being answered.
struct Exchange {
    line: Option<Rc<Line>>,
    /// Its place among the operations. The framework asks a body for its end when all but a buffer of 32 KiB has gone to
    /// the socket.
    pass: Option<Pass>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        drop(self.pass.take());
        if let Some(line) = &self.line {
            line.end();
        }
    }
}

/// The body of an answer; when it is dropped, all of it was handed over, or nobody is there to take it.
pub(super) struct Sent {
    body: BoxBody,
    /// What the body has given and the framework has not got.
    rest: Bytes,
    _exchange: Exchange,
}

impl MessageBody for Sent {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(self.body.as_pin_mut().poll_next(cx)) {
                Some(Ok(given)) => self.rest = given,
                over => return Poll::Ready(over),
            }
        }
        let most = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(self.rest.split_to(most))))
    }
}

/// The body of a request, which says when it was read to its end.
struct Watched {
    body: Payload,
    line: Rc<Line>,
}

impl Stream for Watched {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = Pin::new(&mut self.body).poll_next(cx);
        match piece {
            Poll::Ready(None) => self.line.end_body(),
            Poll::Ready(Some(_)) => {}
            Poll::Pending => self.line.wants_body(),
        }
        piece
    }
}

/// Wraps everything else. A pass that was left with the request is kept until its answer is out.
pub(super) async fn exchange<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Sent>, Error> {
    let line = request.conn_data::<Rc<Line>>().cloned();
    if let Some(line) = &line {
        if line.is_closing() {
            // It came with others, behind one whose answer has ended the connection: its sender asks again on another. It is
            // given up with the connection.
            return pending().await;
        }
        let body = request.take_payload();
        let kind = kind_of(&request, &body);
        line.begin(kind);
        if kind != Body::None {
            let line = Rc::clone(line);
            let payload = Box::pin(Watched { body, line });
            request.set_payload(Payload::Stream { payload });
        }
    }
    let wish = Wish::of(&request);
    let mut exchange = Exchange { line, pass: None };
    let mut answer = next.call(request).await?;
    exchange.pass = answer.request().extensions_mut().remove::<Pass>();
    if let Some(line) = &exchange.line {
        let head = answer.response_mut().head_mut();
        if wish == Wish::Whole {
            head.no_chunking(true);
        }
        let is_last = line.is_body_open() || line.is_followed();
        if wish != Wish::More || !head.keep_alive() || is_last {
            // Of a request that came with the pieces of a body, the framework knows already what it wishes.
            head.set_connection_type(ConnectionType::Close);
            line.answers_last();
        }
    }
    Ok(answer.map_body(|_, body| Sent {
        body: BoxBody::new(body),
        rest: Bytes::new(),
        _exchange: exchange,
    }))
}

/// What a request has behind its head.
fn kind_of(request: &ServiceRequest, body: &Payload) -> Body {
    if matches!(body, Payload::None) {
        return Body::None;
    }
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return Body::Unwanted;
    }
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    match length {
        Some(bytes) if !headers.contains_key(header::TRANSFER_ENCODING) => Body::Sized(bytes),
        _ => Body::Pieces,
    }
}

/// What a request wishes to happen to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// More requests.
    More,
    /// Its end, or something else than HTTP, as `curl --http2` does. The answer is HTTP all the same, and said to be the last,
    /// as who wished for something else may go on in it.
    End,
    /// Its end, and until then an answer without pieces: HTTP/1.0 has none, and for what the framework takes for no HTTP any
    /// more it would write their beginnings alone.
    Whole,
}

impl Wish {
    fn of(request: &ServiceRequest) -> Self {
        let is_old = request.version() < Version::HTTP_11;
        let mut others = request.headers().get_all(header::UPGRADE);
        let is_socket = |value: &HeaderValue| {
            value
                .to_str()
                .is_ok_and(|name| name.trim().eq_ignore_ascii_case("websocket"))
        };
        if is_old || request.method() == Method::CONNECT || others.any(is_socket) {
            return Self::Whole;
        }
        match request.head().connection_type() {
            ConnectionType::Upgrade | ConnectionType::Close => Self::End,
            ConnectionType::KeepAlive => Self::More,
        }
    }
}
