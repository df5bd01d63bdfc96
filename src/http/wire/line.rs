//! What happens on one connection, as both who reads it and who answers see it. All of it stays on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use super::{LINGER, Rules};

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

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) rules: Rc<Rules>,
    turn: Cell<Turn>,
    /// Whether no request has come yet.
    is_new: Cell<bool>,
    /// Since when the turn lasts, or the head that is coming comes.
    since: Cell<Duration>,
    /// Bytes that were read and belong to no body: of the head that is coming, or ahead of their turn.
    read: Cell<usize>,
    /// Whether who parses heads was left alone with a head as large as they may be.
    was_left: Cell<bool>,
    /// Whether the body of the request is not read to its end.
    is_body_open: Cell<bool>,
    /// Whether some of an answer is still on its way to the socket.
    is_unsent: Cell<bool>,
    /// Whether reading was put off until the answer is out.
    is_put_off: Cell<bool>,
    /// When the reader's alarm rings.
    rings: Cell<Duration>,
    task: RefCell<Option<Waker>>,
}

impl Line {
    pub(super) fn new(rules: Rc<Rules>) -> Self {
        let now = rules.stopwatch.elapsed();
        Self {
            rules,
            turn: Cell::new(Turn::Head),
            is_new: Cell::new(true),
            since: Cell::new(now),
            read: Cell::new(0),
            was_left: Cell::new(false),
            is_body_open: Cell::new(false),
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
    pub(super) fn begin(&self, has_body: bool) {
        if self.turn() != Turn::Closing {
            self.turn.set(Turn::Answer);
        }
        self.is_new.set(false);
        self.read.set(0);
        self.was_left.set(false);
        self.is_body_open.set(has_body);
    }

    pub(super) fn is_body_open(&self) -> bool {
        self.is_body_open.get()
    }

    /// The body of the request was read to its end.
    pub(super) fn end_body(&self) {
        self.is_body_open.set(false);
    }

    /// All of an answer was handed over.
    pub(super) fn end(&self) {
        // What comes of a body that nobody read to its end cannot be told from a head.
        let is_last = self.is_body_open() || self.turn() == Turn::Closing;
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

    /// How many bytes that belong to no body may still be read.
    pub(super) fn room(&self) -> usize {
        self.rules.max_head.saturating_sub(self.read.get())
    }

    /// Bytes were read that belong to no body.
    pub(super) fn count(&self, bytes: usize) {
        let before = self.read.get();
        if before == 0 && bytes > 0 {
            self.since.set(self.now());
        }
        self.read.set(before.saturating_add(bytes));
    }

    /// Whether who parses heads has already been left alone with as much as there may be of one. The first time it has not.
    pub(super) fn leave(&self) -> bool {
        self.was_left.replace(true)
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

    /// Reading is put off until the answer is out.
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
        let is_watched = self.rings.get() > self.now() && !self.is_put_off.get();
        if is_watched {
            return;
        }
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
