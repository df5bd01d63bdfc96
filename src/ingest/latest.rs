//! The newest time that a file names: when its state was observed at the earliest, unless the caller knows better.

use crate::domain::time::{Instant, parse_upstream};

/// The length of a time without a fraction and an offset: such times sort as text.
const PLAIN: usize = 19;
/// The fields that count, from their first `_` on.
const KEYS: &[(&[u8], &[u8])] = &[
    (b"\"status", b"_updated\""),
    (b"\"action", b"_date\""),
    (b"\"click", b"_date\""),
];

/// The newest of all `status_updated`, `action_date` and `click_date` of the records that it is shown.
///
/// It looks for the fields alone and not at what they mean, so that a record is looked through about as fast as it is read.
pub(super) struct Newest {
    offset_minutes: i32,
    instant: Option<Instant>,
    /// How upstream wrote it: plain times sort as text, so that most need not be read.
    text: Vec<u8>,
}

impl Newest {
    /// None so far; `offset_minutes` is that of times without one.
    pub(super) fn new(offset_minutes: i32) -> Self {
        Self {
            offset_minutes,
            instant: None,
            text: Vec::new(),
        }
    }

    /// The newest time so far; none if there is none that is sound.
    pub(super) fn instant(&self) -> Option<Instant> {
        self.instant
    }

    /// Looks through the text of a record.
    pub(super) fn look(&mut self, record: &[u8]) {
        let mut at = 0;
        while let Some(found) = record
            .get(at..)
            .and_then(|rest| rest.iter().position(|byte| *byte == b'_'))
        {
            at += found;
            let (before, after) = record.split_at(at);
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

    fn newest(records: &[&str], offset_minutes: i32) -> Option<String> {
        let mut newest = Newest::new(offset_minutes);
        for record in records {
            newest.look(record.as_bytes());
        }
        newest.instant().map(Instant::to_rfc3339)
    }

    #[test]
    fn the_newest_of_three_fields_counts_and_no_other() {
        let records = [
            r#"{"action_date":"2024-03-05 13:30:00","click_date" : "2024-03-05 12:00:00","status_updated":"",
            "closing_date":"2025-01-01","positions":[{"datetime":"2026-01-01 00:00:00"}]}"#,
            r#"{"action_date":"2024-03-01 00:00:00","status_updated":"2024-03-06 03:00:00"}"#,
            r#"{"action_date":"2024-13-41 00:00:00","status_updated":"9999-99-99 99:99:99"}"#,
        ];
        assert_eq!(
            newest(&records, 180).as_deref(),
            Some("2024-03-06T00:00:00Z")
        );
        assert_eq!(newest(&["{}"], 180), None);
        assert_eq!(newest(&[], 180), None);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_through(text in ".{0,80}", cut in 0usize..60) {
            let mut newest = Newest::new(0);
            newest.look(text.as_bytes());
            let key = r#"{"action_date" : "2024-03-05 13:30:00","click_date":"#;
            newest.look(&key.as_bytes()[..cut.min(key.len())]);
            let record = format!(r#"{{"x":"{text}","status_updated":"2024-03-06 03:00:00"}}"#);
            newest.look(record.as_bytes());
            prop_assert_eq!(newest.instant().map(Instant::to_rfc3339), Some("2024-03-06T03:00:00Z".to_owned()));
        }
    }
}
