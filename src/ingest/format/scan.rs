//! Where JSON values begin and end in a stretch of bytes. Pure; what is missing behind the stretch is said, not guessed.
//!
//! Sound input is measured by `serde_json` itself ([`value_end`]). Only what it refuses is measured loosely, by brackets
//! and quotes ([`loose_end`]), to find where to go on.

use crate::ingest::raw::RawAction;
use serde::de::IgnoredAny;

/// How deep the loose measure follows brackets: as deep as serde_json goes.
const DEPTH: usize = 127;
const TOO_DEEP: &str = "it nests too deep";

/// Where something ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Behind so many bytes.
    At(usize),
    /// Behind the bytes that are here.
    More,
    /// It is not what it should be; why.
    Broken(String),
}

/// The end of the JSON value that begins with the first byte.
pub(super) fn value_end(bytes: &[u8], complete: bool) -> End {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {
            let end = values.byte_offset();
            let delimited = matches!(bytes.first(), Some(b'{' | b'[' | b'"'));
            if end == bytes.len() && !delimited && !complete {
                End::More
            } else {
                End::At(end)
            }
        }
        Some(Err(error)) if error.is_eof() || is_cut(bytes, complete, &error) => End::More,
        Some(Err(error)) => End::Broken(error.to_string()),
        None => End::More,
    }
}

/// Whether the error stands at the very end, where a number such as `1.` may go on.
fn is_cut(bytes: &[u8], complete: bool, error: &serde_json::Error) -> bool {
    let in_number = matches!(
        bytes.last(),
        Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
    );
    let last_line = bytes
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count();
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    (in_number || !complete) && error.line() == lines && error.column() >= last_line
}

/// A `"key": value` pair of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pair<'a> {
    /// `"results": [`, which ends behind the bracket.
    List(usize),
    /// Any other pair.
    Other { key: &'a [u8], end: usize },
    /// It goes on behind the bytes that are here.
    More,
    /// It is no pair; why.
    Broken(String),
}

/// Reads the pair that begins with the first byte.
pub(super) fn pair(bytes: &[u8], complete: bool) -> Pair<'_> {
    if bytes.first().is_some_and(|byte| *byte != b'"') {
        return Pair::Broken("a key in double quotes is expected".to_owned());
    }
    let key_end = match value_end(bytes, complete) {
        End::At(end) => end,
        End::More => return Pair::More,
        End::Broken(why) => return Pair::Broken(why),
    };
    let key = &bytes[1..key_end - 1];
    let colon = past_space(bytes, key_end);
    match bytes.get(colon) {
        Some(b':') => {}
        Some(_) => return Pair::Broken("a colon is expected behind a key".to_owned()),
        None => return Pair::More,
    }
    let value = past_space(bytes, colon + 1);
    if key == b"results" && bytes.get(value) == Some(&b'[') {
        return Pair::List(value + 1);
    }
    match value_end(&bytes[value..], complete) {
        End::At(end) => Pair::Other {
            key,
            end: value + end,
        },
        End::More => Pair::More,
        End::Broken(why) => Pair::Broken(why),
    }
}

/// What an object is that stands where a page or a bare record may stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// A page, up to and with the bracket that opens its records.
    Page(usize),
    /// A record of so many bytes.
    Record(usize),
    /// An answer that says an error.
    Failure(usize),
    /// A page whose `results` is no list, or that has none.
    WithoutResults(usize),
    /// It goes on behind the bytes that are here.
    More,
    /// It is no object; why.
    Broken(String),
}

/// Reads the object that begins with the first byte, as far as needed to know what it is.
pub(super) fn object(bytes: &[u8], complete: bool) -> Object {
    let (mut failure, mut action, mut page) = (false, false, false);
    let mut at = past_space(bytes, 1);
    if bytes.get(at) == Some(&b'}') {
        return Object::WithoutResults(at + 1);
    }
    loop {
        match pair(&bytes[at..], complete) {
            Pair::List(after) => return Object::Page(at + after),
            Pair::More => return Object::More,
            Pair::Broken(why) => return Object::Broken(why),
            Pair::Other { key, end } => {
                match key {
                    b"results" | b"_meta" => page = true,
                    b"error" | b"error_code" | b"error_description" => failure = true,
                    b"id" | b"action_id" | b"action_date" => action = true,
                    _ => {}
                }
                at = past_space(bytes, at + end);
            }
        }
        match bytes.get(at) {
            Some(b',') => at = past_space(bytes, at + 1),
            Some(b'}') if failure && !action => return Object::Failure(at + 1),
            Some(b'}') if page && !action => return Object::WithoutResults(at + 1),
            Some(b'}') => return Object::Record(at + 1),
            Some(_) => {
                return Object::Broken("a comma or `}` is expected behind a value".to_owned());
            }
            None => return Object::More,
        }
    }
}

/// The end of a broken value by its brackets and quotes alone: `Broken` where those do not match either.
pub(super) fn loose_end(bytes: &[u8], complete: bool) -> End {
    let mut open: Vec<u8> = Vec::with_capacity(16);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' if open.len() == DEPTH => return End::Broken(TOO_DEEP.to_owned()),
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' if open.is_empty() => return End::At(at),
            b'}' | b']' if open.pop() != Some(byte) => {
                return End::Broken("brackets do not match".to_owned());
            }
            b'}' | b']' if open.is_empty() => return End::At(at + 1),
            b',' | b'\n' if open.is_empty() => return End::At(at),
            b'"' => match string_end(bytes, at) {
                End::At(end) => at = end - 1,
                other => return other,
            },
            _ => {}
        }
        at += 1;
    }
    if complete && open.is_empty() {
        End::At(at)
    } else {
        End::More
    }
}

/// Whether the value that begins here nests deeper than anything sound, as far as these bytes show.
pub(super) fn is_too_deep(bytes: &[u8]) -> bool {
    loose_end(bytes, false) == End::Broken(TOO_DEEP.to_owned())
}

/// The end of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> End {
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return End::At(at + 1),
            b'\\' => at += 1,
            0..0x20 => return End::Broken("a control character stands in a text".to_owned()),
            _ => {}
        }
        at += 1;
    }
    End::More
}

/// Where reading can go on behind something broken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// A sound record begins here.
    Record(usize),
    /// A page begins here.
    Page(usize),
    /// Something begins here of which more must be seen.
    More(usize),
    /// Nowhere; so many bytes need not be looked at again.
    Nowhere(usize),
}

/// Looks for the next sound record or page at or behind `from`.
///
/// Quotes and brackets before it prove nothing, since something is broken. So an object counts if it begins as pages
/// do, or if it is sound JSON and names what only actions have: cart items, which also have an `id`, do not.
pub(super) fn restart(bytes: &[u8], from: usize, complete: bool) -> Restart {
    let mut at = from;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'{'))
    {
        at += found;
        let tail = &bytes[at..];
        let Some(key) = first_key(tail) else {
            if complete || tail.len() > 64 {
                at += 1;
                continue;
            }
            return Restart::More(at);
        };
        if is_page_key(key) {
            return Restart::Page(at);
        }
        match loose_end(tail, complete) {
            End::More if !complete => return Restart::More(at),
            End::More | End::Broken(_) => at += 1,
            End::At(end) => match serde_json::from_slice::<RawAction<'_>>(&tail[..end]) {
                Ok(action) if action.is_recognizable() => return Restart::Record(at),
                Ok(_) => at += end,
                Err(_) => at += 1,
            },
        }
    }
    Restart::Nowhere(bytes.len())
}

/// Whether the object begins as a page does.
pub(super) fn begins_page(bytes: &[u8]) -> bool {
    first_key(bytes).is_some_and(is_page_key)
}

fn is_page_key(key: &[u8]) -> bool {
    matches!(key, b"results" | b"_meta")
}

/// The first key of the object that begins with the first byte, if it stands within the bytes and is short.
fn first_key(bytes: &[u8]) -> Option<&[u8]> {
    let at = past_space(bytes, 1);
    let text = bytes.get(at..)?.strip_prefix(b"\"")?;
    let end = text.iter().take(40).position(|byte| *byte == b'"')?;
    let colon = past_space(text, end + 1);
    (text.get(colon) == Some(&b':')).then(|| &text[..end])
}

/// The first place at or behind `at` that is no JSON white space.
fn past_space(bytes: &[u8], at: usize) -> usize {
    let blank = |byte: &&u8| is_space(**byte);
    at + bytes
        .get(at..)
        .map_or(0, |rest| rest.iter().take_while(blank).count())
}

/// White space as JSON has it.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
