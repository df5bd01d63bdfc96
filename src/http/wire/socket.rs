//! A socket that gives up on who does not read.

use std::cell::Cell;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
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
    pace: Rc<Pace>,
    alarm: Alarm,
    _seat: Seat,
}

/// How an answer goes out: some of it has to be taken in a while, and all of it at a pace. An answer is handed over in many
/// pieces, and only the connection knows which is the last of it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Since when a piece waits, if one does.
    since: Cell<Option<Duration>>,
    /// How long the pieces before waited.
    waited: Cell<Duration>,
    /// How many bytes were taken since the first of them waited.
    taken: Cell<u64>,
}

impl Pace {
    /// Nothing can be written now. Gives when the answer is given up.
    fn wait(&self, now: Duration, send: Duration) -> Duration {
        let since = self.since.get().unwrap_or(now);
        self.since.set(Some(since));
        let at_pace = Duration::from_millis(self.taken.get().saturating_mul(1_000) / SLOWEST);
        let left = send
            .saturating_add(at_pace)
            .saturating_sub(self.waited.get());
        since.saturating_add(left.min(send))
    }

    /// So many bytes were taken.
    fn take(&self, bytes: u64, now: Duration) {
        if let Some(since) = self.since.take() {
            let waited = now.saturating_sub(since);
            self.waited.set(self.waited.get().saturating_add(waited));
        }
        if !self.waited.get().is_zero() {
            self.taken.set(self.taken.get().saturating_add(bytes));
        }
    }

    /// The answer is out.
    pub(super) fn reset(&self) {
        self.since.set(None);
        self.waited.set(Duration::ZERO);
        self.taken.set(0);
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, rules: Rc<Rules>, seat: Seat) -> Self {
        Self {
            stream,
            peer,
            rules,
            pace: Rc::default(),
            alarm: Alarm::default(),
            _seat: seat,
        }
    }

    /// Where it comes from.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How its answers go out.
    pub(super) fn pace(&self) -> Rc<Pace> {
        Rc::clone(&self.pace)
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
                self.pace.take(bytes as u64, now(&self.rules));
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending => {
                let now = now(&self.rules);
                let until = self.pace.wait(now, self.rules.send);
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
        Pin::new(&mut self.stream).poll_flush(cx)
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

    const SEND: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_reader_has_a_time_for_each_piece() {
        let pace = Pace::default();
        pace.take(1 << 30, seconds(90));
        assert_eq!(pace.wait(seconds(100), SEND), seconds(130));
        assert_eq!(pace.wait(seconds(120), SEND), seconds(130), "nothing taken");
        pace.take(1, seconds(129));
        let until = pace.wait(seconds(129), SEND);
        assert_eq!(until, seconds(130), "a byte, and much before any waited");
        pace.take(1 << 30, seconds(129));
        let until = pace.wait(seconds(140), SEND);
        assert_eq!(until, seconds(170), "much, then nothing");
    }

    /// For how long an answer of many pieces waits for who takes so many bytes a second.
    fn waits(bytes_a_second: u64, pieces: u64) -> Option<Duration> {
        const PIECE: u64 = 32 << 10;
        let (pace, mut now) = (Pace::default(), Duration::ZERO);
        for _ in 0..pieces {
            // The first of it is taken at once.
            let mut left = PIECE - 1_024;
            pace.take(1_024, now);
            while left > 0 {
                let until = pace.wait(now, SEND);
                now += seconds(1);
                if now >= until {
                    return Some(until);
                }
                let taken = left.min(bytes_a_second);
                pace.take(taken, now);
                left -= taken;
            }
        }
        None
    }

    #[test]
    fn an_answer_of_many_pieces_is_read_at_a_pace() {
        assert_eq!(waits(2 * SLOWEST, 1_000), None, "slow and steady");
        let until = waits(SLOWEST / 2, 1_000).unwrap();
        assert!((seconds(50)..seconds(75)).contains(&until), "{until:?}");
        let until = waits(1, 1_000).unwrap();
        assert!((seconds(30)..seconds(35)).contains(&until), "{until:?}");
    }

    #[test]
    fn each_answer_has_its_time() {
        let pace = Pace::default();
        pace.wait(seconds(0), SEND);
        pace.take(1, seconds(29));
        pace.reset();
        assert_eq!(pace.wait(seconds(29), SEND), seconds(59));
    }
}
