//! What happens on one connection, as both who reads it and who answers see it. All of it stays on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use super::socket::Pace;
use super::{LINGER, PIECE, Rules};

/// How much of a body is read at a time, before its reader has taken all that there is of it.
const BODY: usize = 32 << 10;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client's: what comes is the head of a request.
    Head,
    /// The server's: a request is whole up to its body, and its answer is not out.
    Answer,
    /// Nobody's: the last answer is out, and what still comes is thrown away.
    Closing,
}

/// What a request has behind its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    None,
    /// Something that nobody is going to read.
    Unwanted,
    /// So many bytes.
    Sized(u64),
    /// Pieces, of which HTTP alone knows where they end.
    Pieces,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) rules: Rc<Rules>,
    /// How answers go out below.
    pace: Rc<Pace>,
    turn: Cell<Turn>,
    /// Whether no request has come yet.
    is_new: Cell<bool>,
    /// Since when the turn lasts, or the head that is coming comes.
    since: Cell<Duration>,
    /// Bytes of the head that is coming.
    read: Cell<usize>,
    /// Those of them that who parses heads has not looked at.
    unseen: Cell<usize>,
    /// Whether the body of the request is not read to its end.
    is_body_open: Cell<bool>,
    /// What it is.
    body: Cell<Body>,
    /// How much of it has not come.
    left_of_body: Cell<u64>,
    /// Whether something may have come with the body that is no part of it.
    is_followed: Cell<bool>,
    /// How much may be read of it, until its reader has taken what there is.
    room_of_body: Cell<usize>,
    /// Whether the answer is the last of the connection.
    is_last: Cell<bool>,
    /// Whether some of an answer is still on its way to the socket.
    is_unsent: Cell<bool>,
    /// Whether what there is to read was put off.
    is_put_off: Cell<bool>,
    /// When the reader's alarm rings.
    rings: Cell<Duration>,
    task: RefCell<Option<Waker>>,
}

impl Line {
    pub(super) fn new(rules: Rc<Rules>, pace: Rc<Pace>) -> Self {
        let now = rules.stopwatch.elapsed();
        Self {
            rules,
            pace,
            turn: Cell::new(Turn::Head),
            is_new: Cell::new(true),
            since: Cell::new(now),
            read: Cell::new(0),
            unseen: Cell::new(0),
            is_body_open: Cell::new(false),
            body: Cell::new(Body::None),
            left_of_body: Cell::new(0),
            is_followed: Cell::new(false),
            room_of_body: Cell::new(0),
            is_last: Cell::new(false),
            is_unsent: Cell::new(false),
            is_put_off: Cell::new(false),
            rings: Cell::new(Duration::ZERO),
            task: RefCell::new(None),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.rules.stopwatch.elapsed()
    }

    pub(super) fn turn(&self) -> Turn {
        self.turn.get()
    }

    /// A head was whole, and its request is handed to who answers it.
    pub(super) fn begin(&self, body: Body) {
        self.turn.set(Turn::Answer);
        self.is_new.set(false);
        // Who parses heads got nothing behind this one.
        self.read.set(0);
        self.unseen.set(0);
        self.is_body_open.set(body != Body::None);
        self.body.set(body);
        self.left_of_body.set(match body {
            Body::Sized(bytes) => bytes,
            Body::None | Body::Unwanted | Body::Pieces => u64::MAX,
        });
        self.is_followed.set(false);
        self.room_of_body.set(PIECE);
    }

    /// Whether the last answer is out: what still comes is no request, whatever it looks like.
    pub(super) fn is_closing(&self) -> bool {
        self.turn() == Turn::Closing
    }

    pub(super) fn is_body_open(&self) -> bool {
        self.is_body_open.get()
    }

    /// Whether there is a body that nobody is going to read.
    pub(super) fn is_body_unwanted(&self) -> bool {
        self.is_body_open() && self.body.get() == Body::Unwanted
    }

    /// Whether the body comes in pieces.
    pub(super) fn is_body_in_pieces(&self) -> bool {
        self.body.get() == Body::Pieces
    }

    /// Whether more of the body is to come.
    pub(super) fn expects_body(&self) -> bool {
        self.is_body_open() && self.left_of_body.get() > 0
    }

    /// The body of the request was read to its end.
    pub(super) fn end_body(&self) {
        self.is_body_open.set(false);
        // Nobody else would notice that its sender went away.
        if self.is_put_off.get() {
            self.wake();
        }
    }

    /// How much of the body may be read.
    pub(super) fn room_of_body(&self) -> usize {
        let left = usize::try_from(self.left_of_body.get()).unwrap_or(usize::MAX);
        self.room_of_body.get().min(left)
    }

    /// Bytes of the body were read.
    pub(super) fn count_of_body(&self, bytes: usize) {
        let room = self.room_of_body.get();
        self.room_of_body.set(room.saturating_sub(bytes));
        let left = self.left_of_body.get();
        self.left_of_body.set(left.saturating_sub(bytes as u64));
    }

    /// What came with the body may be the next request.
    pub(super) fn follow(&self) {
        self.is_followed.set(true);
    }

    /// Whether something may have come that is no part of the body.
    pub(super) fn is_followed(&self) -> bool {
        self.is_followed.get()
    }

    /// Who reads the body has taken all that there is of it.
    pub(super) fn wants_body(&self) {
        self.room_of_body.set(BODY);
        if self.is_put_off.get() {
            self.wake();
        }
    }

    /// The answer that is made is the last of the connection.
    pub(super) fn answers_last(&self) {
        self.is_last.set(true);
    }

    /// All of an answer was handed over.
    pub(super) fn end(&self) {
        // What comes of a body that nobody read to its end cannot be told from a head.
        let is_last = self.is_body_open() || self.is_last.get() || self.is_closing();
        self.turn
            .set(if is_last { Turn::Closing } else { Turn::Head });
        self.since.set(self.now());
        self.is_unsent.set(true);
        self.rouse();
    }

    /// Everything that was handed over has gone to the socket.
    pub(super) fn flushed(&self) {
        if !self.is_unsent.replace(false) {
            return;
        }
        self.pace.reset();
        if self.read.get() == 0 {
            self.since.set(self.now());
        }
        self.rouse();
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.is_unsent.get()
    }

    /// From now on nothing more is answered.
    pub(super) fn close(&self) {
        self.turn.set(Turn::Closing);
        self.since.set(self.now());
    }

    /// How many bytes the head that is coming may still have.
    pub(super) fn room(&self) -> usize {
        self.rules.max_head.saturating_sub(self.read.get())
    }

    /// Bytes of a head were read.
    pub(super) fn count(&self, bytes: usize) {
        let before = self.read.get();
        if before == 0 && bytes > 0 {
            self.since.set(self.now());
        }
        self.read.set(before.saturating_add(bytes));
        self.unseen.set(self.unseen().saturating_add(bytes));
    }

    /// Bytes of the head that who parses it has not looked at.
    pub(super) fn unseen(&self) -> usize {
        self.unseen.get()
    }

    /// Who parses heads is left alone with what there is.
    pub(super) fn leave(&self) {
        self.unseen.set(0);
    }

    /// Whether some of a head has come.
    pub(super) fn has_begun(&self) -> bool {
        self.read.get() > 0
    }

    /// Until when who reads waits; none while the socket keeps the time.
    pub(super) fn until(&self) -> Option<Duration> {
        let rules = &self.rules;
        let time = match self.turn() {
            Turn::Answer => return None,
            Turn::Head if self.has_begun() => rules.head,
            _ if self.is_unsent() => return None,
            Turn::Closing => LINGER,
            Turn::Head if self.is_new.get() => rules.head,
            Turn::Head => rules.keep_alive,
        };
        Some(self.since.get().saturating_add(time))
    }

    /// What there is to read is put off until the answer is out, or who reads a body wants more of it.
    pub(super) fn put_off(&self) {
        self.is_put_off.set(true);
    }

    /// The reader's alarm rings then.
    pub(super) fn rings(&self, then: Duration) {
        self.rings.set(then);
    }

    /// Notes the task of the connection.
    pub(super) fn attend(&self, task: &Waker) {
        self.is_put_off.set(false);
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }

    /// Wakes the task, unless an alarm does it in time: a deadline may have begun that nobody watches yet.
    fn rouse(&self) {
        let is_watched = self.rings.get() > self.now() && !self.is_closing();
        if !is_watched || self.is_put_off.get() {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(task) = self.task.borrow().as_ref() {
            task.wake_by_ref();
        }
    }

    /// The connection is gone.
    pub(super) fn hang_up(&self) {
        // The task holds this line, so that it must not hold the task.
        *self.task.borrow_mut() = None;
    }
}
