//! A socket that gives up on who does not read.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alarm::Alarm;
use super::seats::Seat;
use super::{Rules, SLOWEST};

/// An accepted socket. It lies below TLS, which takes a while to notice that anything was taken.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    peer: SocketAddr,
    rules: Rc<Rules>,
    jam: Option<Jam>,
    alarm: Alarm,
    _seat: Seat,
}

/// What is written does not go out at once.
#[derive(Clone, Copy, Debug)]
struct Jam {
    /// Since when.
    since: Duration,
    /// When some of it went out last.
    moved: Duration,
    /// How many bytes did.
    taken: u64,
}

impl Jam {
    /// When it is given up: some of it has to go out in a while, and all of it at a pace.
    fn until(&self, send: Duration) -> Duration {
        let at_pace = Duration::from_secs(self.taken / SLOWEST);
        let all = self.since.saturating_add(send).saturating_add(at_pace);
        self.moved.saturating_add(send).min(all)
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, rules: Rc<Rules>, seat: Seat) -> Self {
        Self {
            stream,
            peer,
            rules,
            jam: None,
            alarm: Alarm::default(),
            _seat: seat,
        }
    }

    /// Where it comes from.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What a write came to; an error when its reader has had its time.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        let now = |rules: &Rules| rules.stopwatch.elapsed();
        match written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(jam) = &mut self.jam {
                    jam.moved = now(&self.rules);
                    jam.taken = jam.taken.saturating_add(bytes as u64);
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending => {
                let now = now(&self.rules);
                let jam = self.jam.get_or_insert(Jam {
                    since: now,
                    moved: now,
                    taken: 0,
                });
                let until = jam.until(self.rules.send);
                if now >= until {
                    tracing::debug!("a client that does not read its answer is hung up on");
                    return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
                }
                self.alarm.set(now, until, cx);
                Poll::Pending
            }
            failed => failed,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // Who flushes has handed everything over.
        self.jam = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl ActixStream for Socket {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_read_ready(&self.stream, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_write_ready(&self.stream, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_a_time_for_each_piece_and_a_pace_for_all() {
        let seconds = Duration::from_secs;
        let send = seconds(30);
        let jam = |since, moved, taken| Jam {
            since: seconds(since),
            moved: seconds(moved),
            taken,
        };
        assert_eq!(jam(100, 100, 0).until(send), seconds(130), "nothing taken");
        assert_eq!(
            jam(100, 129, 1).until(send),
            seconds(130),
            "a byte at a time"
        );
        assert_eq!(
            jam(100, 129, 40 * SLOWEST).until(send),
            seconds(159),
            "slow and steady"
        );
        assert_eq!(
            jam(100, 129, 1 << 30).until(send),
            seconds(159),
            "much, then nothing"
        );
    }
}
