//! What is read from a connection, with a time and a size for heads, and a time for silence.

use std::io::{IoSlice, Result};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alarm::Alarm;
use super::line::{Line, Turn};
use super::{PIECE, Parting};
use crate::telemetry;

/// How many pieces of what nobody wants are thrown away before others get their turn.
const THROWN: usize = 16;

/// What was seen of a head: it ends at the first blank line behind anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// Nothing, or blank lines before it.
    #[default]
    Nothing,
    /// Some of a line.
    Line,
    /// The end of a line.
    LineEnd,
    /// And a carriage return behind it.
    Return,
    /// The blank line.
    Blank,
}

impl Seen {
    /// Looks at what comes next. Gives where in it the blank line ends.
    fn blank_in(&mut self, bytes: &[u8]) -> Option<usize> {
        for (place, byte) in bytes.iter().enumerate() {
            *self = match (*self, byte) {
                (Self::Nothing, b'\r' | b'\n') => Self::Nothing,
                (Self::LineEnd | Self::Return, b'\n') => Self::Blank,
                (_, b'\n') => Self::LineEnd,
                (Self::LineEnd, b'\r') => Self::Return,
                _ => Self::Line,
            };
            if *self == Self::Blank {
                return Some(place.saturating_add(1));
            }
        }
        None
    }
}

/// A connection as HTTP sees it, below which there may be TLS.
#[derive(Debug)]
pub(super) struct Heads<T> {
    stream: T,
    line: Rc<Line>,
    alarm: Alarm,
    /// What was read while a request was answered, or with its head. HTTP gets it when it looks for a head again, or as the
    /// body: it would make requests of it at once, whose number has no limit, say to nobody how much it has not looked at, and
    /// answer each as the last of them wishes.
    ahead: BytesMut,
    /// What of a head HTTP has got, or of pieces of a body.
    seen: Seen,
    has_ended: bool,
}

impl<T> Heads<T> {
    pub(super) fn new(stream: T, line: Line) -> Self {
        Self {
            stream,
            line: Rc::new(line),
            alarm: Alarm::default(),
            ahead: BytesMut::new(),
            seen: Seen::Nothing,
            has_ended: false,
        }
    }

    /// What happens on this connection.
    pub(super) fn line(&self) -> Rc<Line> {
        Rc::clone(&self.line)
    }
}

impl<T> Drop for Heads<T> {
    fn drop(&mut self) {
        self.line.hang_up();
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Heads<T> {
    /// Reads at most so many bytes, first those that were read ahead.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<Result<usize>> {
        let most = most.min(buffer.remaining());
        if !self.ahead.is_empty() {
            let bytes = most.min(self.ahead.len());
            buffer.put_slice(&self.ahead.split_to(bytes));
            if self.ahead.is_empty() {
                self.ahead = BytesMut::new();
            }
            return Poll::Ready(Ok(bytes));
        }
        let before = buffer.filled().len();
        if most == buffer.remaining() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            return Poll::Ready(Ok(buffer.filled().len().saturating_sub(before)));
        }
        if most > PIECE {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
            let bytes = part.filled().len();
            buffer.advance(bytes);
            return Poll::Ready(Ok(bytes));
        }
        // A part of `buffer` would have to be written over before it is read into, and stay in memory with the connection.
        let mut space = [MaybeUninit::<u8>::uninit(); PIECE];
        let mut part = ReadBuf::uninit(space.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(part.filled().len()))
    }

    /// Likewise, and nothing behind a blank line: what follows it is kept.
    fn read_to_blank(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<Result<usize>> {
        let most = most.min(buffer.remaining());
        if !self.ahead.is_empty() {
            let most = most.min(self.ahead.len());
            let next = self.ahead.get(..most).unwrap_or_default();
            let end = self.seen.blank_in(next).unwrap_or(most);
            return self.read(cx, buffer, end);
        }
        let before = buffer.filled().len();
        let bytes = ready!(self.read(cx, buffer, most))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let Some(end) = self.seen.blank_in(read) else {
            return Poll::Ready(Ok(bytes));
        };
        self.ahead
            .extend_from_slice(read.get(end..).unwrap_or_default());
        buffer.set_filled(before.saturating_add(end));
        Poll::Ready(Ok(end))
    }

    /// Reads a head.
    fn read_head(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let room = self.line.room();
        let unseen = self.line.unseen();
        let is_whole = self.seen == Seen::Blank;
        if is_whole {
            self.seen = Seen::Nothing;
        }
        if unseen > 0 && (is_whole || room == 0 || unseen >= PIECE) {
            // What is there may be a whole head, which is looked at only when there is nothing more to read.
            self.line.leave();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if room == 0 {
            let rules = Rc::clone(&self.line.rules);
            self.refuse(cx, &rules.too_large);
            self.line.close();
            return self.throw_away(cx);
        }
        let most = room.min(PIECE.saturating_sub(unseen));
        if let Poll::Ready(read) = self.read_to_blank(cx, buffer, most) {
            self.line.count(read?);
            return Poll::Ready(Ok(()));
        }
        self.line.leave();
        if self.is_over(cx) {
            if self.line.has_begun() {
                let rules = Rc::clone(&self.line.rules);
                self.refuse(cx, &rules.too_slow);
            }
            return self.end();
        }
        Poll::Pending
    }

    /// Reads of the body of a request what its reader has room for.
    fn read_body(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let room = self.line.room_of_body();
        if room == 0 {
            self.line.put_off();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let bytes = ready!(self.read(cx, buffer, room))?;
        self.line.count_of_body(bytes);
        if !self.line.is_body_in_pieces() {
            return Poll::Ready(Ok(()));
        }
        // They end with a blank line, behind which HTTP finds the next request at once.
        let read = buffer.filled().get(before..).unwrap_or_default();
        let end = match self.seen {
            Seen::Blank => Some(0),
            _ => self.seen.blank_in(read),
        };
        if end.is_some_and(|end| end < bytes) {
            self.line.follow();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads while a request is answered: whether its sender is still there, and of what follows no more than a head, which is
    /// kept here.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let room = self.line.rules.max_head.saturating_sub(self.ahead.len());
            if !self.ahead.is_empty() {
                self.line.put_off();
            }
            if room == 0 {
                return Poll::Pending;
            }
            let mut space = [0; PIECE];
            let mut space = ReadBuf::new(&mut space);
            let mut space = space.take(room);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
            if space.filled().is_empty() {
                // Nobody is there any more.
                return Poll::Ready(Ok(()));
            }
            self.ahead.extend_from_slice(space.filled());
        }
    }

    /// Swallows what nobody wants, so that the sender gets to read the answer.
    fn throw_away(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.ahead = BytesMut::new();
        for _ in 0..THROWN {
            if self.is_over(cx) {
                return self.end();
            }
            let mut space = [0; PIECE];
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return self.end();
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the time for what is being waited for is over; otherwise the task is woken then.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(until) = self.line.until() else {
            return false;
        };
        let now = self.line.now();
        if now >= until {
            return true;
        }
        let rings = self.alarm.set(now, until, cx);
        self.line.rings(rings);
        false
    }

    /// Says why the connection ends, unless an answer is still on its way: two at once would be none.
    fn refuse(&mut self, cx: &mut Context<'_>, answer: &Parting) {
        if self.line.is_unsent() {
            return;
        }
        let reference = telemetry::reference();
        let status = answer.status.as_u16();
        tracing::info!(reference, status, "a head was refused");
        let answer = answer.under(&reference);
        // It is about a kilobyte. Who has no room for it does not get to read it.
        if let Poll::Ready(Ok(_)) = Pin::new(&mut self.stream).poll_write(cx, &answer) {
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
    }

    /// For who reads, the client has closed its side: the connection is shut down in an orderly way.
    fn end(&mut self) -> Poll<Result<()>> {
        self.has_ended = true;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Heads<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(Ok(()));
        }
        this.line.attend(cx.waker());
        match this.line.turn() {
            Turn::Head => this.read_head(cx, buffer),
            Turn::Answer if this.line.is_body_unwanted() => this.throw_away(cx),
            Turn::Answer if this.line.expects_body() => this.read_body(cx, buffer),
            Turn::Answer => this.read_ahead(cx),
            Turn::Closing => this.throw_away(cx),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Heads<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.line.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
