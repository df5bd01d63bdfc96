//! A sliding window over an input of any length that knows which byte and line it stands at.

use super::InputError;
use std::io::{ErrorKind, Read};

/// The longest record, in bytes.
pub(super) const LIMIT: usize = 1 << 20;
/// How much is read at once.
const CHUNK: usize = 1 << 18;

/// The part of the input that is looked at. It holds at most a record of [`LIMIT`] and one chunk.
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the unread rest begins.
    start: usize,
    /// Where what was read ends.
    end: usize,
    /// Offset of `buffer[0]` in the input.
    base: u64,
    /// Line of `buffer[counted]`, from 1.
    line: u64,
    counted: usize,
    /// The last byte before `buffer[0]` that is no blank.
    before: u8,
    ended: bool,
    failure: Option<std::io::Error>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            base: 0,
            line: 1,
            counted: 0,
            before: b'\n',
            ended: false,
            failure: None,
        }
    }

    /// What is read and not yet skipped.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether nothing comes behind [`Self::rest`].
    pub(super) fn is_complete(&self) -> bool {
        self.ended
    }

    /// Makes the rest longer. False at the end of the input, and when the window is full.
    pub(super) fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.slide();
        if self.end == self.buffer.len() {
            let longer = (self.buffer.len() * 2).min(LIMIT + CHUNK);
            if longer == self.end {
                return false;
            }
            self.buffer.resize(longer, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
            }
            return !self.ended;
        }
    }

    /// Moves the rest to the front, so that there is room behind it.
    fn slide(&mut self) {
        if self.start == 0 {
            return;
        }
        self.count_lines();
        self.before = self.byte_before();
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        self.counted = 0;
    }

    fn count_lines(&mut self) {
        let passed = &self.buffer[self.counted..self.start];
        self.line += passed
            .iter()
            .map(|byte| u64::from(*byte == b'\n'))
            .sum::<u64>();
        self.counted = self.start;
    }

    /// Leaves bytes of the rest behind.
    pub(super) fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// The next byte that `passes` does not let pass; the others are left behind.
    pub(super) fn peek_past(&mut self, passes: impl Fn(u8) -> bool) -> Option<u8> {
        loop {
            match self.rest().iter().position(|byte| !passes(*byte)) {
                Some(at) => {
                    self.skip(at);
                    return self.rest().first().copied();
                }
                None => {
                    self.start = self.end;
                    if !self.more() {
                        return None;
                    }
                }
            }
        }
    }

    /// The last byte before the rest that is no blank; a line's end at the very start.
    pub(super) fn byte_before(&self) -> u8 {
        let before = self.buffer[..self.start].iter().rev();
        before
            .copied()
            .find(|byte| *byte != b' ' && *byte != b'\t')
            .unwrap_or(self.before)
    }

    /// Offset and line of the first byte of the rest.
    pub(super) fn place(&mut self) -> (u64, u64) {
        self.count_lines();
        (self.base + self.start as u64, self.line)
    }

    /// Whether the input ended because it could not be read.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Why the input ended early, once.
    pub(super) fn take_failure(&mut self) -> Option<InputError> {
        let source = self.failure.take()?;
        self.start = self.end;
        let (byte, line) = self.place();
        Some(InputError { byte, line, source })
    }
}
