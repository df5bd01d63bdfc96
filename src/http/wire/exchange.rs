//! What lies around each request and tells its connection when it begins and when its answer is out.

use std::error::Error as StdError;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _};
use futures::Stream;

use super::line::Line;
use crate::http::turnstile::Pass;

/// How many bytes of an answer the framework gets at a time. It copies what it gets into a buffer of the connection: the whole
/// of a file, for each connection that never reads it, would be so many copies.
const PIECE: usize = 32 << 10;

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
        let piece = ready!(Pin::new(&mut self.body).poll_next(cx));
        if piece.is_none() {
            self.line.end_body();
        }
        Poll::Ready(piece)
    }
}

/// Wraps everything else. A pass that was left with the request is kept until its answer is out.
pub(super) async fn exchange<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Sent>, Error> {
    let line = request.conn_data::<Rc<Line>>().cloned();
    if let Some(line) = &line {
        let body = request.take_payload();
        let has_body = !matches!(body, Payload::None);
        line.begin(has_body);
        if has_body {
            let line = Rc::clone(line);
            let payload = Box::pin(Watched { body, line });
            request.set_payload(Payload::Stream { payload });
        }
    }
    let mut exchange = Exchange { line, pass: None };
    let mut answer = next.call(request).await?;
    exchange.pass = answer.request().extensions_mut().remove::<Pass>();
    if exchange
        .line
        .as_ref()
        .is_some_and(|line| line.is_body_open())
    {
        let head = answer.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(answer.map_body(|_, body| Sent {
        body: BoxBody::new(body),
        rest: Bytes::new(),
        _exchange: exchange,
    }))
}
