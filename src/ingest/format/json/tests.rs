//! All shapes of input, all ways of being broken, and that no bytes upset the reader.

use super::*;
use crate::domain::draft::Reject;
use crate::ingest::format::decoded;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::{self, Write};

fn action(id: u32) -> String {
    format!(
        r#"{{"id":{id},"action_id":{id},"comment":"a]}},{{[\" ё","positions":[{{"id":7,"amount":"1.50"}}],"payment":1.5}}"#
    )
}

fn page(ids: &[u32]) -> String {
    let records: Vec<String> = ids.iter().map(|id| action(*id)).collect();
    format!(
        r#"{{"_meta":{{"count":{0},"limit":500,"offset":0}},"results":[{1}]}}"#,
        ids.len(),
        records.join(",")
    )
}

#[derive(Debug, Default)]
struct Outcome {
    ids: Vec<u32>,
    places: Vec<(u32, u32)>,
    rejects: Vec<Reject>,
    failure: Option<InputError>,
}

fn read(input: impl Read) -> Outcome {
    let mut all = Outcome::default();
    for item in JsonReader::new(decoded(input).unwrap()) {
        match item {
            Ok(record) => {
                all.places.push((record.place.page, record.place.index));
                let action = record.action().unwrap();
                all.ids
                    .push(action.id.text().unwrap().unwrap().parse().unwrap());
            }
            Err(ReadError::Reject(reject)) => all.rejects.push(reject),
            Err(ReadError::Input(error)) => all.failure = Some(error),
            Err(error) => panic!("{error}"),
        }
    }
    all
}

/// As [`read`], for records whose fields may be damaged.
fn read_leniently(input: impl Read) -> Outcome {
    let mut all = Outcome::default();
    for item in JsonReader::new(input) {
        match item {
            Ok(_) => all.ids.push(0),
            Err(ReadError::Reject(reject)) => all.rejects.push(reject),
            Err(ReadError::Input(error)) => all.failure = Some(error),
            Err(error) => panic!("{error}"),
        }
    }
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_shape_gives_the_same_records() {
    let [a, b, c] = [action(1), action(2), action(3)];
    let [first, second] = [page(&[1, 2]), page(&[3])];
    let pretty: serde_json::Value = serde_json::from_str(&first).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    for (name, text) in [
        ("pages in a row", format!("{first}{second}")),
        ("pages with lines between", format!("{first}\r\n{second}\n")),
        ("pages with commas between", format!("{first},\n{second}")),
        ("a list of pages", format!("[{first}, {second}]")),
        ("a list of actions", format!("[{a},{b},{c}]")),
        ("a list of lists", format!("[[{a},{b}],[{c}]]")),
        ("JSON Lines", format!("{a}\n{b}\n{c}")),
        ("JSON Lines of pages", format!("{first}\n{second}\n")),
        (
            "a byte order mark",
            format!("\u{feff}{first}\u{feff}{second}"),
        ),
        (
            "results first",
            format!(r#"{{"results" : [{a},{b}] , "_meta":{{"count":2}}}}[{c}]"#),
        ),
        ("white space", format!("{pretty}\n\n  {second}")),
        (
            "an empty page between",
            format!("{first}{}{second}", page(&[])),
        ),
        (
            "other fields before",
            format!(r#"{{"x":[1,{{"results":[]}}],"n":12,"results":[{a},{b},{c}]}}"#),
        ),
    ] {
        let all = read(text.as_bytes());
        assert_eq!(
            (all.ids, all.rejects.len()),
            (vec![1, 2, 3], 0),
            "{name}: {:?}",
            all.rejects
        );
        let packed = [gzip(&text.as_bytes()[..10]), gzip(&text.as_bytes()[10..])].concat();
        assert_eq!(read(packed.as_slice()).ids, [1, 2, 3], "{name}, packed");
    }
    assert_eq!(read(&b""[..]).ids, [0_u32; 0]);
    assert_eq!(read(" \n ".as_bytes()).rejects, []);
}

#[test]
fn a_place_is_page_index_byte_and_line() {
    let text = format!(
        "{}\n{}\n  {}\n[{}]",
        page(&[1, 2]),
        page(&[3]),
        action(4),
        action(5)
    );
    let records: Vec<RawRecord> = JsonReader::new(text.as_bytes())
        .map(|item| item.unwrap())
        .collect();
    let places: Vec<(u32, u32, u64)> = records
        .iter()
        .map(|record| (record.place.page, record.place.index, record.place.line))
        .collect();
    assert_eq!(
        places,
        [(1, 0, 1), (1, 1, 1), (2, 0, 2), (3, 0, 3), (4, 0, 4)]
    );
    for record in &records {
        let at = usize::try_from(record.place.byte).unwrap();
        assert_eq!(&text[at..at + record.text.len()], record.text);
    }
}

#[test]
fn a_broken_record_costs_itself_alone() {
    let [a, c] = [action(1), action(3)];
    for (name, broken) in [
        ("bad word", r#"{"id":2,"payment":nul}"#),
        ("bad number", r#"{"id":2,"payment":1.}"#),
        ("NaN", r#"{"id":2,"payment":NaN}"#),
        ("comma too many", r#"{"id":2,,"payment":1}"#),
        ("no object", "17"),
        ("null", "null"),
        ("a text", r#""text, with ] and }""#),
        ("a list", "[1,2]"),
        ("garbage", "garbage"),
        ("missing bracket", r#"{"id":2,"action_id":2,"payment":1"#),
        (
            "missing bracket in the cart",
            r#"{"id":2,"positions":[{"id":7,"amount":"1"],"payment":1}"#,
        ),
        (
            "missing quote",
            r#"{"id":2,"action_id":2,"comment":"abc,"payment":1}"#,
        ),
        ("missing quote and bracket", r#"{"id":2,"comment":"abc"#),
        ("single quotes", "{'id':2}"),
        ("a line inside a text", "{\"id\":2,\"comment\":\"a\nb\"}"),
    ] {
        for (shape, text) in [
            (
                "page",
                format!(
                    r#"{{"results":[{a},{broken},{c}],"_meta":{{}}}}{}"#,
                    page(&[4])
                ),
            ),
            ("list", format!("[{a},{broken},{c}]\n{}", page(&[4]))),
        ] {
            // A list in a list may be a page.
            if (name, shape) == ("a list", "list") {
                continue;
            }
            let all = read(text.as_bytes());
            assert_eq!(
                all.ids,
                [1, 3, 4],
                "{name} in a {shape}: {:#?}",
                all.rejects
            );
            assert_eq!(
                all.rejects.len(),
                1,
                "{name} in a {shape}: {:#?}",
                all.rejects
            );
            let reject = &all.rejects[0];
            assert_eq!(
                (reject.place.page, reject.place.index),
                (1, 1),
                "{name} in a {shape}"
            );
            assert_eq!(
                reject.place.byte,
                text.find(broken).unwrap() as u64,
                "{name} in a {shape}"
            );
            assert_eq!(reject.reason, RejectReason::Malformed);
            assert!(
                reject.raw.starts_with(broken),
                "{name} in a {shape}: {}",
                reject.raw
            );
            assert_eq!(
                (reject.place.page, reject.place.index),
                (1, 1),
                "{name} in a {shape}"
            );
        }
    }
}

#[test]
fn a_broken_line_costs_itself_alone() {
    for broken in [
        r#"{"id":2,"payment":nul}"#,
        r#"{"id":2,"comment":"abc"#,
        "not JSON at all",
        r#"{"id":2"#,
        "]",
        "}}}",
    ] {
        let text = format!(
            "{}\n{broken}\n{}\n{broken}\n{}",
            action(1),
            action(3),
            action(4)
        );
        let all = read(text.as_bytes());
        assert_eq!(all.ids, [1, 3, 4], "{broken}: {:#?}", all.rejects);
        assert_eq!(all.rejects.len(), 2, "{broken}: {:#?}", all.rejects);
        assert_eq!(all.rejects[0].place.line, 2, "{broken}");
        assert_eq!(all.rejects[1].place.line, 4, "{broken}");
    }
}

#[test]
fn a_page_that_ends_early_is_told_and_the_next_one_read() {
    let whole = page(&[1, 2]);
    let known = whole.rfind(r#"{"id":2"#).unwrap();
    for cut in 40..whole.len() {
        if !whole.is_char_boundary(cut) {
            continue;
        }
        let alone = read(&whole.as_bytes()[..cut]);
        assert_eq!(alone.rejects.len(), 1, "cut at {cut}: {alone:#?}");
        assert!(
            alone.rejects[0].message.contains("ends"),
            "cut at {cut}: {}",
            alone.rejects[0].message
        );
        let followed = read(format!("{}{}", &whole[..cut], page(&[3, 4])).as_bytes());
        let begun: &[u32] = if cut < known { &[3, 4] } else { &[1, 3, 4] };
        assert!(
            followed.ids.ends_with(&[3, 4]),
            "cut at {cut}: {followed:#?}"
        );
        assert!(
            followed.ids.len() >= begun.len(),
            "cut at {cut}: {followed:#?}"
        );
        assert_eq!(followed.rejects.len(), 1, "cut at {cut}: {followed:#?}");
    }
}

/// Whether an input is found to be cut off.
fn is_cut_off(text: &str) -> bool {
    let mut reader = JsonReader::new(text.as_bytes());
    let count = reader.by_ref().count();
    assert!(count <= text.len() + 1);
    reader.cut_off().is_some()
}

#[test]
fn an_input_that_ends_in_the_middle_is_cut_off_and_a_broken_record_cuts_nothing_off() {
    let [a, b, c] = [action(1), action(2), action(3)];
    let whole = [
        page(&[1, 2]),
        format!("{}\n{}", page(&[1]), page(&[2, 3])),
        format!("[{a},{b}]"),
        format!("[{}]", page(&[1, 2])),
    ];
    for text in &whole {
        assert!(!is_cut_off(text), "{text}");
        for cut in (1..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            // Between two pages nothing is missing.
            let is_between = text[..cut].trim_end() == page(&[1]);
            assert_eq!(is_cut_off(&text[..cut]), !is_between, "{}", &text[..cut]);
        }
    }
    let lines = format!("{a}\n{b}");
    for cut in (a.len() + 2..lines.len()).filter(|cut| lines.is_char_boundary(*cut)) {
        assert!(is_cut_off(&lines[..cut]), "{}", &lines[..cut]);
    }
    assert!(!is_cut_off(&lines) && !is_cut_off(&lines[..=a.len()]));
    for broken in [
        r#"{"id":2,"payment":nul}"#,
        r#"{"id":2,"action_id":2,"payment":1"#,
        r#"{"id":2,"positions":[{"id":7,"amount":"1"],"payment":1}"#,
        r#"{"id":2,"action_id":2,"comment":"abc,"payment":1}"#,
        r#"{"id":2,"x":[[1}"#,
        r#"{"id":2}]"#,
        "garbage",
        "]",
        "}}",
    ] {
        for text in [
            format!(r#"{{"results":[{a},{broken},{c}],"_meta":{{}}}}"#),
            format!(r#"{{"results":[{a},{c},{broken}],"_meta":{{}}}}"#),
            format!("[{a},{broken},{c}]"),
            format!("{a}\n{broken}\n{c}\n"),
        ] {
            assert!(!is_cut_off(&text), "{text}");
        }
    }
    // Cut off behind a broken record.
    assert!(is_cut_off(&format!(r#"{{"results":[{a},{{"id":nul}},{c}"#)));
}

#[test]
fn where_a_record_begins_that_takes_in_the_others_is_told() {
    let [a, c] = [action(1), action(3)];
    let in_list = r#"{"id":2,"action_id":2,"positions":[{"id":7,"amount":"1"}"#;
    let in_page = r#"{"id":2,"action_id":2,"x":{"positions":[{"id":7,"amount":"1"}"#;
    for (text, open, line) in [
        (format!("[{a},{in_list},{c}]"), in_list, 1),
        (
            format!("{{\"results\":[{a},\n{in_page},\n{c}]}}"),
            in_page,
            2,
        ),
    ] {
        let mut reader = JsonReader::new(text.as_bytes());
        assert!(reader.by_ref().count() > 1);
        let byte = u64::try_from(text.find(open).unwrap()).unwrap();
        assert_eq!(reader.cut_off(), Some(Cut::Value { byte, line }));
    }
}

#[test]
fn what_is_no_page_is_named() {
    for (text, word, field) in [
        (
            "<!DOCTYPE html><html><body>{502} Bad Gateway</body></html>",
            "HTML",
            None,
        ),
        (
            r#"{"error":"invalid_token","error_description":"The access token expired","error_code":0}"#,
            "invalid_token, The access token expired, 0",
            Some("error"),
        ),
        (
            r#"{"results":null,"_meta":{}}"#,
            "without a list of `results`",
            Some("results"),
        ),
        ("{}", "without a list of `results`", Some("results")),
        ("\u{fffe}", "neither a page", None),
    ] {
        let all = read(format!("{}\n{text}\n{}", page(&[1]), page(&[2])).as_bytes());
        assert_eq!(all.ids, [1, 2], "{text}: {:#?}", all.rejects);
        assert_eq!(all.places, [(1, 0), (3, 0)], "{text}");
        assert_eq!(all.rejects.len(), 1, "{text}: {:#?}", all.rejects);
        assert!(
            all.rejects[0].message.contains(word),
            "{text}: {}",
            all.rejects[0].message
        );
        assert_eq!(all.rejects[0].field.as_deref(), field);
    }
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("[{}]".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    assert!(read(utf16.as_slice()).rejects[0].message.contains("UTF-16"));
}

#[test]
fn a_record_beyond_the_limit_is_too_long_and_only_that() {
    let long = format!(r#"{{"id":2,"comment":"{}"}}"#, "x".repeat(3 << 20));
    let items: Vec<String> = (0..60_000)
        .map(|id| format!(r#"{{"id":{id},"amount":"1.00"}}"#))
        .collect();
    let wide = format!(
        r#"{{"id":2,"action_id":2,"positions":[{}]}}"#,
        items.join(",")
    );
    for long in [long, wide] {
        for text in [
            format!(
                r#"{{"results":[{},{long},{}]}}{}"#,
                action(1),
                action(3),
                page(&[4])
            ),
            format!("{}\n{long}\n{}\n{}", action(1), action(3), action(4)),
        ] {
            let all = read(text.as_bytes());
            assert_eq!(all.ids, [1, 3, 4]);
            assert_eq!(
                all.rejects.len(),
                1,
                "{:?}",
                all.rejects.iter().map(|r| &r.message).collect::<Vec<_>>()
            );
            assert_eq!(all.rejects[0].reason, RejectReason::TooLong);
            assert!(all.rejects[0].raw.len() <= 64 * 1024);
        }
    }
}

#[test]
fn deep_nesting_overflows_nothing() {
    for open in ["[", "{\"a\":", "{\"id\":", "[{\"results\":["] {
        let deep = open.repeat(100_000);
        read(deep.as_bytes());
        read(format!(r#"{{"results":[{},{{"id":2,"x":{deep}"#, action(1)).as_bytes());
    }
    let nested = format!(
        r#"{{"id":2,"x":{}{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let all = read(format!("{}\n{nested}\n{}", action(1), action(3)).as_bytes());
    assert_eq!(all.ids, [1, 2, 3], "an unknown field may nest as it likes");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let mut bytes =
        format!(r#"[{},{{"id":2,"comment":"??"}},{}]"#, action(1), action(3)).into_bytes();
    let at = bytes.windows(2).position(|pair| pair == b"??").unwrap();
    bytes[at..at + 2].copy_from_slice(&[0xc3, 0x28]);
    let all = read(bytes.as_slice());
    assert_eq!(all.ids, [1, 3]);
    assert!(
        all.rejects[0].message.contains("not UTF-8"),
        "{}",
        all.rejects[0].message
    );
}

#[test]
fn personal_data_does_not_reach_a_reject() {
    let text = r#"[{"id":1,"click_user_ip":"203.0.113.7","click_user_referer":"https://secret.example/","x":nul}]"#;
    let all = read(text.as_bytes());
    assert!(!all.rejects[0].raw.contains("203.0.113.7"));
    assert!(!all.rejects[0].raw.contains("secret.example"));
    assert!(all.rejects[0].raw.contains("\"id\":1"));
}

#[test]
fn an_input_that_fails_says_where_after_all_that_was_read() {
    let packed = gzip(
        (0..2_000)
            .map(action)
            .collect::<Vec<_>>()
            .join("\n")
            .as_bytes(),
    );
    let all = read(&packed[..packed.len() - 20]);
    let failure = all.failure.unwrap();
    assert!(all.ids.len() > 1_000, "{}", all.ids.len());
    assert!(failure.byte > 100_000 && failure.line > 1_000, "{failure}");
    assert_eq!(all.rejects, []);

    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let text = format!("[{},", action(1));
    let items: Vec<_> = JsonReader::new(text.as_bytes().chain(Fails)).collect();
    assert_eq!(items.len(), 2);
    assert!(
        matches!(&items[1], Err(ReadError::Input(error)) if error.to_string().contains("unplugged"))
    );
}

/// Reads a few bytes at a time, so that every seam is tried.
struct Bites<'a>(&'a [u8], usize);

impl Read for Bites<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(into.len()).min(self.0.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_records_and_rejects(bytes in proptest::collection::vec(any::<u8>(), 0..300), bite in 1usize..50) {
        prop_assert!(JsonReader::new(Bites(&bytes, bite)).count() <= bytes.len() + 1);
    }

    #[test]
    fn any_json_like_text_ends_too(parts in proptest::collection::vec(
        prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just("\""), Just(":"), Just("\n"), Just("\\"),
            Just("\"results\":["), Just("{\"results\":["), Just("{\"id\":1,"), Just("\"action_id\":2"), Just("1"),
            Just("null"), Just("<html>"), Just("{\"action_id\":1}"), Just("\u{feff}"),
        ], 0..80), bite in 1usize..9) {
        let text = parts.concat();
        let seams = JsonReader::new(Bites(text.as_bytes(), bite));
        let whole = JsonReader::new(text.as_bytes());
        let told = |reader: Vec<Result<RawRecord, ReadError>>| reader.into_iter().map(|item| match item {
            Ok(record) => format!("{record:?}"),
            Err(error) => format!("{error:?}"),
        }).collect::<Vec<_>>();
        prop_assert_eq!(told(seams.collect()), told(whole.collect()));
    }

    #[test]
    fn how_records_are_split_into_pages_does_not_matter(sizes in proptest::collection::vec(0u32..6, 1..8), bite in 1usize..700) {
        let mut next = 0;
        let mut text = String::new();
        for size in &sizes {
            let ids: Vec<u32> = (next..next + size).collect();
            next += size;
            text.push_str(&page(&ids));
        }
        let all = read(Bites(text.as_bytes(), bite));
        prop_assert_eq!(all.ids, (0..next).collect::<Vec<_>>());
        prop_assert_eq!(all.rejects.len(), 0);
    }

    #[test]
    fn damage_spares_the_records_far_from_it(at in 0usize..2_000, junk in proptest::collection::vec(any::<u8>(), 0..4), cut in 0usize..4) {
        let ids: Vec<u32> = (0..20).collect();
        let mut bytes = page(&ids).into_bytes();
        let length = bytes.len();
        let at = at % length;
        bytes.splice(at..(at + cut).min(length), junk);
        let all = read_leniently(bytes.as_slice());
        // It can cost the record it stands in and blur one border; a lost bracket can make one record of many, which
        // is then told.
        let left = all.ids.len();
        prop_assert!(left >= 17 || !all.rejects.is_empty(), "{left} of 20 records are left, and nothing is said");
    }
}
