//! What an input is, by its content and never by its name.

use super::delimited::{DELIMITERS, first_rows};
use super::heading::{Aliases, known_in, short};
use super::text::glimpse;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1251};

/// How much of an input is looked at.
pub(super) const SAMPLE: usize = 1 << 16;

/// What is taken.
const ACCEPTED: &str = "accepted are Admitad's JSON and JSON Lines, its XML export, CSV with headings, XLSX and XLS, each \
                        also packed with gzip";

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pages, lists or lines of JSON.
    Json,
    /// XML.
    Xml,
    /// CSV, by its delimiter.
    Delimited(u8),
    /// A ZIP archive, perhaps a workbook.
    Archive,
    /// A compound file, perhaps an old workbook.
    Compound,
}

/// What an input is, and how its text is encoded as far as its beginning tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detected {
    /// What it is.
    pub(super) kind: Kind,
    /// Its encoding; none where only the whole text tells.
    pub(super) encoding: Option<&'static Encoding>,
}

/// Beginnings of what is not taken, with what it is and what to do.
const FOREIGN: &[(&[u8], &str)] = &[
    (
        b"%PDF",
        "it is a PDF document; export the report as XLSX, XML or CSV",
    ),
    (b"\x1f\x8b", "it is packed with gzip twice; unpack it once"),
    (
        b"\xfd7zXZ\0",
        "it is packed with xz; unpack it, or pack it with gzip",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "it is packed with zstd; unpack it, or pack it with gzip",
    ),
    (
        b"BZh",
        "it is packed with bzip2; unpack it, or pack it with gzip",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "it is a 7z archive; unpack it and import the files in it",
    ),
    (
        b"Rar!",
        "it is a RAR archive; unpack it and import the files in it",
    ),
    (
        b"{\\rtf",
        "it is an RTF document; export the report as XLSX, XML or CSV",
    ),
    (
        b"SQLite format 3\0",
        "it is an SQLite database; exports are imported, not databases",
    ),
];

/// Looks at the beginning of an unpacked input.
///
/// # Errors
/// A sentence that says what it is, if that is known, and what is taken.
pub(super) fn detect(sample: &[u8], aliases: &Aliases) -> Result<Detected, String> {
    let of = |kind, encoding| Ok(Detected { kind, encoding });
    for (magic, sentence) in FOREIGN {
        if sample.starts_with(magic) {
            return Err((*sentence).to_owned());
        }
    }
    if sample.starts_with(b"PK\x03\x04") || sample.starts_with(b"PK\x05\x06") {
        return of(Kind::Archive, None);
    }
    if sample.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return of(Kind::Compound, None);
    }
    let marked = Encoding::for_bom(sample).map(|(encoding, _)| encoding);
    if marked.is_none_or(|encoding| encoding == UTF_8) && sample.contains(&0) {
        let halves = sample.chunks_exact(2).take(64);
        let (even, odd) = halves.fold((0, 0), |(even, odd), pair| {
            (
                even + u32::from(pair.first() == Some(&0)),
                odd + u32::from(pair.last() == Some(&0)),
            )
        });
        if even > 16 || odd > 16 {
            return Err(
                "it looks like text in UTF-16 without the mark at its beginning that says so; save it as UTF-8".to_owned(),
            );
        }
        // JSON says of such a record where it stands.
        if !matches!(sample.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return Err(format!("it is no text, and no workbook either; {ACCEPTED}"));
        }
    }
    let encoding = marked.unwrap_or(if is_utf8_so_far(sample) {
        UTF_8
    } else {
        WINDOWS_1251
    });
    let text = glimpse(sample, encoding);
    let beginning = text.trim_start_matches(|symbol: char| symbol.is_whitespace() || symbol == ',');
    if beginning.is_empty() || beginning.starts_with(['{', '[']) {
        return of(Kind::Json, marked.filter(|encoding| *encoding != UTF_8));
    }
    if beginning.starts_with('<') {
        return markup(beginning, marked);
    }
    match delimiter(&text, aliases) {
        Some(delimiter) => of(Kind::Delimited(delimiter), marked),
        // Something stands before JSON, whose reader says so and goes on.
        None if ["\"results\"", "\"action_id\"", "\"action_date\""]
            .iter()
            .any(|key| text.contains(key)) =>
        {
            of(Kind::Json, marked.filter(|encoding| *encoding != UTF_8))
        }
        None => Err(format!(
            "it is of no known format (it begins with `{}`); {ACCEPTED}",
            short(beginning)
        )),
    }
}

/// Whether bytes are UTF-8, but for a character that is cut off at their end.
fn is_utf8_so_far(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

fn markup(text: &str, marked: Option<&'static Encoding>) -> Result<Detected, String> {
    let head: String = text.chars().take(2_000).collect::<String>().to_lowercase();
    let is_html = ["<!doctype html", "<html", "<head", "<body", "<table"]
        .iter()
        .any(|tag| head.starts_with(tag))
        || head.contains("<html");
    if is_html {
        return Err(
            "it is an HTML page, as servers show on failure and some programs save as .xls; download it again, or open it \
             and save it as XLSX or CSV"
                .to_owned(),
        );
    }
    let encoding = match (marked, declared(&head)) {
        // A text that was read so far as it is cannot be in UTF-16.
        (None, Some(label)) => match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
            Some(encoding) => encoding,
            None => {
                return Err(format!(
                    "the XML says that it is encoded as `{}`, which is not known; save it as UTF-8",
                    short(&label)
                ));
            }
        },
        (marked, _) => marked.unwrap_or(UTF_8),
    };
    Ok(Detected {
        kind: Kind::Xml,
        encoding: Some(encoding),
    })
}

/// The encoding that an XML declaration names.
fn declared(head: &str) -> Option<String> {
    let declaration = head.strip_prefix("<?xml")?.split_once("?>")?.0;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    Some(rest.get(1..)?.split(quote).next()?.to_owned())
}

/// What divides the cells: by which most headings are known, else by which the lines have equally many cells.
fn delimiter(text: &str, aliases: &Aliases) -> Option<u8> {
    let mut best = None;
    for (delimiter, _) in DELIMITERS {
        let rows = first_rows(text, *delimiter);
        let known = known_in(&rows, aliases);
        let width = rows.first().map_or(0, Vec::len);
        let is_even =
            rows.len() > 1 && width > 1 && rows.iter().take(5).all(|row| row.len() == width);
        let is_table = known > 1 || (known == 1 && width > 1) || is_even;
        let worth = (known, usize::from(is_even), width);
        if is_table && best.is_none_or(|(most, _)| worth > most) {
            best = Some((worth, *delimiter));
        }
    }
    best.map(|(_, delimiter)| delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind(sample: &[u8]) -> Result<Kind, String> {
        detect(sample, &Aliases::default()).map(|detected| detected.kind)
    }

    #[test]
    fn formats_are_known_by_their_content() {
        for (sample, expected) in [
            (&b""[..], Kind::Json),
            (b" \n", Kind::Json),
            (b"\xef\xbb\xbf{\"results\": []}", Kind::Json),
            (b"[{\"id\": 1}]", Kind::Json),
            (b"oops {\"results\": [", Kind::Json),
            (b"<?xml version='1.0'?><stats/>", Kind::Xml),
            (b"ID,Program\n1,x", Kind::Delimited(b',')),
            (b"ID;Program;Earnings, USD\n1;x;1,5", Kind::Delimited(b';')),
            (b"ID\tProgram\n1\tx", Kind::Delimited(b'\t')),
            (b"ID|Program\n1|x", Kind::Delimited(b'|')),
            (b"a,b,c\n1,2,3\n", Kind::Delimited(b',')),
            (b"PK\x03\x04", Kind::Archive),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Compound),
        ] {
            assert_eq!(
                kind(sample),
                Ok(expected),
                "{:?}",
                String::from_utf8_lossy(sample)
            );
        }
        let russian = WINDOWS_1251
            .encode("Программа;ID;Заработок\n")
            .0
            .into_owned();
        assert_eq!(kind(&russian), Ok(Kind::Delimited(b';')));
    }

    #[test]
    fn what_is_not_taken_is_named_with_a_remedy() {
        let utf16: Vec<u8> = "ID,Program\n1,x\n2,y\n3,z\n4,a\n5,b\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (sample, words) in [
            (&b"%PDF-1.7"[..], "PDF"),
            (b"<!DOCTYPE html><html>", "HTML page"),
            (b"\n<html><body>502", "HTML page"),
            (b"\x1f\x8b\x08", "gzip twice"),
            (b"Rar!\x1a", "RAR"),
            (b"\x7fELF\x00\x01", "no text"),
            (
                b"upstream connect error",
                "begins with `upstream connect error`",
            ),
            (&utf16, "UTF-16"),
            (
                b"<?xml version='1.0' encoding='klingon'?><stats/>",
                "`klingon`",
            ),
        ] {
            let error = kind(sample).expect_err(words);
            assert!(error.contains(words), "{words} in {error}");
        }
        assert!(kind(b"???").unwrap_err().contains("XLSX and XLS"));
    }

    #[test]
    fn the_encoding_is_the_mark_s_or_the_declared_one() {
        let encoding = |sample: &[u8]| detect(sample, &Aliases::default()).unwrap().encoding;
        assert_eq!(
            encoding(b"<?xml version=\"1.0\" encoding='Windows-1251' ?><a/>"),
            Some(WINDOWS_1251)
        );
        assert_eq!(
            encoding(b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>"),
            Some(UTF_8)
        );
        assert_eq!(encoding(b"<a/>"), Some(UTF_8));
        assert_eq!(encoding(b"ID,Program\n"), None);
        assert_eq!(encoding(b"\xef\xbb\xbfID,Program\n"), Some(UTF_8));
        let utf16: Vec<u8> = "\u{feff}ID,Program\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(encoding(&utf16), Some(UTF_16BE));
    }

    proptest! {
        #[test]
        fn any_beginning_is_something_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(sentence) = kind(&bytes) {
                prop_assert!(sentence.len() < 500);
            }
        }
    }
}
