//! How the JSON reader goes on behind something broken.

use super::ReadError;
use super::json::{JsonReader, State, Step};
use super::scan::{self, End, Restart};
use super::window::LIMIT;
use crate::ingest::refusal::Refusal;
use std::io::Read;

/// How much of what is skipped is kept for the reject.
const EXCERPT: usize = 64 * 1024;

impl<R: Read> JsonReader<R> {
    /// Refuses the broken thing that begins here, and skips to where reading can go on.
    pub(super) fn broken(&mut self, refusal: Refusal) -> Step {
        if let Some(end) = self.trusted_end() {
            return self.refuse(end, refusal);
        }
        self.abandon(refusal)
    }

    /// Refuses everything from here to where reading can go on.
    pub(super) fn abandon(&mut self, refusal: Refusal) -> Step {
        let place = self.place();
        self.count_record();
        let mut skipped = Vec::new();
        self.skip_to_restart(&mut skipped);
        Step::Yield(Err(ReadError::Reject(refusal.at(place, &skipped))))
    }

    /// Skips what follows something broken that has been refused already.
    pub(super) fn go_on(&mut self) -> Step {
        self.skip_to_restart(&mut Vec::new());
        Step::Onward
    }

    /// The end of the broken thing, if its brackets match and no sound record is inside: then nothing else is lost.
    fn trusted_end(&mut self) -> Option<usize> {
        loop {
            match scan::loose_end(self.window.rest(), self.window.is_complete()) {
                End::At(0) | End::Broken(_) => return None,
                End::At(end) => {
                    let inside = &self.window.rest()[..end];
                    return matches!(scan::restart(inside, 1, true), Restart::Nowhere(_))
                        .then_some(end);
                }
                End::More if self.window.rest().len() > LIMIT || !self.window.more() => {
                    return None;
                }
                End::More => {}
            }
        }
    }

    /// Leaves behind everything before the next sound record or page; the first of it goes to `skipped`.
    fn skip_to_restart(&mut self, skipped: &mut Vec<u8>) {
        self.recovering = true;
        self.is_suspicious = true;
        let mut from = 1;
        loop {
            let rest = self.window.rest();
            match scan::restart(rest, from, self.window.is_complete()) {
                Restart::Record(at) => {
                    self.leave(at, skipped);
                    if self.state == State::Tail {
                        self.state = State::Outer;
                    }
                    return;
                }
                Restart::Page(at) => {
                    self.leave(at, skipped);
                    self.state = State::Outer;
                    return;
                }
                Restart::More(at) => {
                    let is_full = rest.len() - at > LIMIT;
                    self.leave(at, skipped);
                    // What is longer than a record may be cannot be one: look behind its first byte.
                    from = usize::from(is_full);
                    if !is_full {
                        self.window.more();
                    }
                }
                Restart::Nowhere(at) => {
                    self.leave(at, skipped);
                    from = 0;
                    if !self.window.more() {
                        self.state = State::Outer;
                        self.lists = 0;
                        return;
                    }
                }
            }
        }
    }

    fn leave(&mut self, count: usize, skipped: &mut Vec<u8>) {
        let rest = self.window.rest();
        let room = EXCERPT.saturating_sub(skipped.len()).min(count);
        skipped.extend_from_slice(&rest[..room]);
        self.window.skip(count);
    }
}
