//! The newest time that a file names: when its state was observed at the earliest, unless the caller knows better.

use crate::domain::time::{Instant, parse_upstream};
use std::io::{ErrorKind, Read};

/// How much is read at once.
const CHUNK: usize = 1 << 18;
/// How long a key, the blanks around its colon and its time may be together.
const REACH: usize = 96;
/// The length of a time without a fraction and an offset: such times sort as text.
const PLAIN: usize = 19;
/// The fields that count, from their first `_` on.
const KEYS: &[(&[u8], &[u8])] = &[
    (b"\"status", b"_updated\""),
    (b"\"action", b"_date\""),
    (b"\"click", b"_date\""),
];

/// The newest of all `status_updated`, `action_date` and `click_date` in the unpacked text of an export; none if there
/// is none that is sound.
///
/// It looks for the fields alone and not at the records around them, so that a whole file is looked through about as
/// fast as it is read. An input that breaks off is looked through as far as it goes: whoever reads its records meets
/// the same end, and says so.
#[must_use]
pub fn latest_stamp(mut input: impl Read, offset_minutes: i32) -> Option<Instant> {
    let mut buffer = vec![0; CHUNK + REACH];
    let mut held = 0;
    let mut newest = Newest {
        offset_minutes,
        instant: None,
        text: Vec::new(),
    };
    loop {
        let read = match input.read(&mut buffer[held..]) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        let end = held + read;
        // What stands near the end may go on behind it: it is looked at with the next chunk.
        let until = if read == 0 {
            end
        } else {
            end.saturating_sub(REACH)
        };
        newest.look(&buffer[..end], until);
        if read == 0 {
            return newest.instant;
        }
        // Keys are found by their `_`, so what stands before it is kept as well.
        let keep = until.saturating_sub(16);
        buffer.copy_within(keep..end, 0);
        held = end - keep;
    }
}

struct Newest {
    offset_minutes: i32,
    instant: Option<Instant>,
    /// How upstream wrote it: plain times sort as text, so that most need not be read.
    text: Vec<u8>,
}

impl Newest {
    fn look(&mut self, bytes: &[u8], until: usize) {
        let mut at = 0;
        while let Some(found) = bytes
            .get(at..until)
            .and_then(|rest| rest.iter().position(|byte| *byte == b'_'))
        {
            at += found;
            let (before, after) = bytes.split_at(at);
            let key = KEYS
                .iter()
                .find(|(head, tail)| before.ends_with(head) && after.starts_with(tail));
            if let Some(text) = key.and_then(|(_, tail)| value(&after[tail.len()..])) {
                self.offer(text);
            }
            at += 1;
        }
    }

    fn offer(&mut self, text: &[u8]) {
        if text.len() == PLAIN && self.text.len() == PLAIN && text <= self.text.as_slice() {
            return;
        }
        let instant = std::str::from_utf8(text)
            .ok()
            .and_then(|text| parse_upstream(text, self.offset_minutes).ok());
        if instant > self.instant {
            self.instant = instant;
            self.text = text.to_vec();
        }
    }
}

/// The text behind a key: `: "…"`.
fn value(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let end = rest.iter().take(40).position(|byte| *byte == b'"')?;
    Some(rest[..end].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io;

    /// Reads so many bytes at once, to move the seams of the chunks.
    struct Bites<'a>(&'a [u8], usize);

    impl Read for Bites<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// An input that cannot be read.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("torn"))
        }
    }

    #[test]
    fn the_newest_of_three_fields_counts_and_no_other() {
        let text = r#"{"results":[{"action_date":"2024-03-05 13:30:00","click_date" : "2024-03-05 12:00:00","status_updated":"",
            "closing_date":"2025-01-01","positions":[{"datetime":"2026-01-01 00:00:00"}]},
            {"action_date":"2024-03-01 00:00:00","status_updated":"2024-03-06 03:00:00"},
            {"action_date":"2024-13-41 00:00:00","status_updated":"9999-99-99 99:99:99"}]}"#;
        let newest = latest_stamp(text.as_bytes(), 180);
        assert_eq!(
            newest.map(Instant::to_rfc3339).as_deref(),
            Some("2024-03-06T00:00:00Z")
        );
        assert_eq!(latest_stamp(&b"[]"[..], 180), None);
        let torn = text.as_bytes().chain(Broken);
        assert_eq!(
            latest_stamp(torn, 180),
            newest,
            "what comes before the break counts"
        );
    }

    proptest! {
        #[test]
        fn seams_hide_nothing(bite in 1usize..400, before in 0usize..600) {
            let text = format!("{}\"status_updated\":\"2024-03-06 03:00:00\"", " ".repeat(before));
            let newest = latest_stamp(Bites(text.as_bytes(), bite), 0);
            prop_assert_eq!(newest.map(Instant::to_rfc3339), Some("2024-03-06T03:00:00Z".to_owned()));
        }
    }
}
