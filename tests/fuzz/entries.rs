//! What must hold of any text that a reader of ours is given, one function for each kind of text; and of any bytes, where
//! files are read that need be no UTF-8.
//!
//! Two callers share this file: `tests/it/fuzz_inputs.rs`, which replays the corpus and changes it at random on every run of
//! the tests, and the crate in `fuzz/`, which lets the coverage of the code guide what is tried next. A function panics
//! where something does not hold.

use actiongraph::access::user_ids::UserIds;
use actiongraph::domain::draft::{Place, Reject};
use actiongraph::domain::error::Code;
use actiongraph::domain::filter::Value as FilterValue;
use actiongraph::domain::money::{Excess, format_e4, parse_e4};
use actiongraph::domain::page::Cursor;
use actiongraph::domain::query_limits::QueryLimits;
use actiongraph::domain::secret::Secret;
use actiongraph::domain::text::has_nul;
use actiongraph::domain::time::{
    Day, Instant, WeekStart, Zone, parse_offset, parse_upstream, parse_upstream_day,
};
use actiongraph::graphql::id;
use actiongraph::graphql::input::action_filter::ActionFilter;
use actiongraph::graphql::input::filters::{ProductFilter, UserFilter};
use actiongraph::graphql::input::range::RangeInput;
use actiongraph::graphql::input::reader::{Conditions as _, Reader};
use actiongraph::http::params;
use actiongraph::ingest::admitad::{Fault, Page, PageAt, page, wire};
use actiongraph::ingest::feed::read_offers;
use actiongraph::ingest::format::input::{Input, Meter, Reading};
use actiongraph::ingest::format::{ReadError, decoded};
use actiongraph::ingest::ledger;
use actiongraph::ingest::normalize::NormalizeContext;
use actiongraph::ingest::postback::{Told, read};
use actiongraph::ingest::raw::RawRecord;
use async_graphql::{ID, InputType, Value};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The moment at which texts are read.
fn now() -> Instant {
    Instant::from_micros(1_770_000_000_000_000).expect("a year that we keep")
}

/// What is read is written back as the same cursor; what is refused says so in a sentence about its argument.
pub(crate) fn cursor(text: &str) {
    match Cursor::decode(text, 7, "after") {
        Ok(cursor) => {
            let again = Cursor::decode(&cursor.encode(7), 7, "after").expect("what we wrote");
            assert_eq!(again, cursor);
            assert!(cursor.values.iter().all(|value| match value {
                FilterValue::Text(inner) => inner.len() < text.len(),
                _ => true,
            }));
        }
        Err(error) => assert!(error.message().starts_with("after "), "{error}"),
    }
}

/// A record of the network's is an action that can be stored, or is refused in a sentence and kept without what cannot be.
pub(crate) fn record(text: &str) {
    let record = RawRecord {
        place: Place::default(),
        text: text.to_owned(),
    };
    let context = NormalizeContext {
        offset_minutes: 180,
        observed_at: now(),
    };
    match record.draft(&context) {
        Ok(draft) => {
            assert!(!draft.external_id.is_empty() && !has_nul(&draft.external_id));
            assert!(draft.stamp.changed_at <= Instant::MAX && draft.items.len() <= 1_000);
        }
        Err(reject) => assert!(!reject.message.is_empty() && !has_nul(&reject.raw)),
    }
}

/// One row has one id: whatever is read is written back to the letter.
pub(crate) fn node_id(text: &str) {
    let given = ID(text.to_owned());
    let hidden = UserIds::hidden_by(&Secret::new("a secret"));
    for user_ids in [UserIds::as_stored(), hidden] {
        if let Some((of, key)) = id::read(&given, &user_ids) {
            assert_eq!(of.id(key, &user_ids), given);
            assert_eq!(of.key(&given, &user_ids), Some(key));
        }
    }
}

/// What is read lies in the years that we keep, and is written back as itself.
pub(crate) fn time(text: &str) {
    if let Ok(instant) = Instant::parse_rfc3339(text) {
        assert_eq!(
            Instant::parse_rfc3339(&instant.to_rfc3339()),
            Ok(instant),
            "{text}"
        );
    }
    if let Ok(day) = Day::parse(text) {
        assert!((1970..=9999).contains(&day.year()), "{text}");
        assert_eq!(Day::parse(&day.to_string()), Ok(day), "{text}");
    }
    if let Ok(zone) = Zone::parse(text) {
        assert_eq!(Zone::parse(zone.name()), Ok(zone), "{text}");
    }
    if let Ok(minutes) = parse_offset(text) {
        assert!(minutes.abs() <= 24 * 60, "{text}");
        if let Ok(instant) = parse_upstream(text, minutes) {
            assert!((Instant::MIN..=Instant::MAX).contains(&instant), "{text}");
        }
    }
    for offset in [-720, 0, 180, 840] {
        if let Ok(instant) = parse_upstream(text, offset) {
            assert!((Instant::MIN..=Instant::MAX).contains(&instant), "{text}");
        }
    }
    if let Ok(day) = parse_upstream_day(text) {
        assert!((1970..=9999).contains(&day.year()), "{text}");
    }
    if let Ok((amount, _)) = parse_e4(text, Excess::Refuse) {
        let written = format_e4(amount, 2);
        let again = parse_e4(&written, Excess::Refuse).expect("what we wrote").0;
        assert_eq!(again, amount, "{text}");
    }
}

/// JSON as GraphQL's variables carry it; none where the text is no JSON.
fn value(text: &str) -> Option<Value> {
    let json = serde_json::from_str::<serde_json::Value>(text).ok()?;
    Value::from_json(json).ok()
}

/// A range, `{"range": …, "zone": "Europe/Berlin"}`, is refused with a sentence, or lies in the years that we keep and ends
/// when or after it begins, as does what it is compared with.
pub(crate) fn range(text: &str) {
    let Some(Value::Object(mut given)) = value(text) else {
        return;
    };
    let zone = match given.swap_remove("zone") {
        Some(Value::String(name)) => Zone::parse(&name).unwrap_or(Zone::UTC),
        _ => Zone::UTC,
    };
    let Ok(input) = RangeInput::parse(given.swap_remove("range")) else {
        return;
    };
    let Ok(range) = input.range() else { return };
    for now in [now(), Instant::MIN, Instant::MAX] {
        match range.resolve(now, zone, WeekStart::default()) {
            Ok(period) => {
                for span in [period.current, period.previous] {
                    assert!(span.from <= span.to, "{text}");
                    let _ = (span.local_days(zone), span.year_before(zone));
                }
            }
            Err(error) => assert!(!error.to_string().is_empty(), "{text}"),
        }
    }
}

/// A filter is taken or refused with a sentence, however it is nested and whatever it holds.
pub(crate) fn filter(text: &str) {
    let Some(value) = value(text) else { return };
    macro_rules! tried {
        ($($input:ty),*) => {$(
            if let Ok(filter) = <$input>::parse(Some(value.clone())) {
                let mut reader = Reader::new("filter", now(), UserIds::as_stored(), QueryLimits::default());
                let read = reader.nested(<$input>::KIND, |reader| filter.read(reader));
                if let Err(error) = read {
                    assert!(!error.to_string().is_empty());
                }
            }
        )*};
    }
    tried!(ActionFilter, ProductFilter, UserFilter);
}

/// The parameters of a postback, as an address carries them, become a state that can be stored, a reject that says why, or
/// nothing.
pub(crate) fn postback(text: &str) {
    let pairs: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
    let pairs = pairs.iter().map(|(name, value)| (name, value));
    match read(pairs, now(), Some("Blog")) {
        Told::Action(draft) => assert!(!has_nul(&format!("{:?}", draft.external_id))),
        Told::Refused(reject) => assert!(!reject.message.is_empty(), "{text}"),
        Told::Nothing => {}
    }
}

/// The address of a GraphQL request is taken or refused.
pub(crate) fn address(text: &str) {
    if let Ok(sent) = params::from_address(text) {
        assert!(
            sent.document_id.is_some() || text.contains("query"),
            "{text}"
        );
    }
}

/// Bytes as a file, for the length of a call: readers of files read them more than once.
struct File(PathBuf);

impl File {
    /// `kind` tells files of tests apart that run side by side.
    fn of(kind: &str, bytes: impl AsRef<[u8]>) -> Self {
        let name = format!("actiongraph-fuzz-{}-{kind}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).expect("room for a small file");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A sentence for people, of a length that can be read, without what cannot be stored.
fn assert_sentence(said: &str) {
    assert!(
        (10..4_000).contains(&said.len()) && !has_nul(said),
        "{said}"
    );
}

/// A record that is refused says why and is kept without what cannot be stored.
fn assert_reject(reject: &Reject) {
    assert!(!reject.message.is_empty() && !has_nul(&reject.raw));
}

/// Whether bytes, unpacked where they are gzip, begin as an archive or a compound file does.
fn is_workbook(bytes: &[u8]) -> bool {
    let mut beginning = [0; 4];
    let read = decoded(bytes).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && (beginning.starts_with(b"PK") || beginning == *b"\xd0\xcf\x11\xe0")
}

/// An export is refused in a sentence, or its records are actions and rejects. Workbooks are read in a process of its own,
/// and tried elsewhere.
fn read_export(kind: &str, bytes: &[u8]) {
    if is_workbook(bytes) {
        return;
    }
    let file = File::of(kind, bytes);
    let input = match Input::open(file.path(), &Reading::default(), 180) {
        Ok(input) => input,
        Err(error) => {
            assert_eq!(error.code(), Code::BadUserInput, "{error}");
            return assert_sentence(error.message());
        }
    };
    let meter = Meter::default();
    let records = input.records(&meter).expect("it was read a moment ago");
    let context = NormalizeContext {
        offset_minutes: 180,
        observed_at: now(),
    };
    for record in records {
        match record {
            Ok(raw) => match raw.draft(&context) {
                Ok(draft) => assert!(!draft.external_id.is_empty() && draft.items.len() <= 1_000),
                Err(reject) => assert_reject(&reject),
            },
            Err(ReadError::Reject(reject)) => assert_reject(&reject),
            Err(error) => return assert_sentence(&error.to_string()),
        }
    }
}

/// A table of delimited text.
pub(crate) fn table(text: &str) {
    read_export("table", text.as_bytes());
}

/// An export as XML.
pub(crate) fn xml(text: &str) {
    read_export("xml", text.as_bytes());
}

/// An export of any format and encoding, plain or packed.
pub(crate) fn export(bytes: &[u8]) {
    read_export("export", bytes);
}

/// A product feed is refused in a sentence, or its offers are read or refused; nothing is handed out before all of it was read.
pub(crate) fn feed(text: &str) {
    let file = File::of("feed", text);
    let mut seen = 0_u32;
    let read = read_offers(file.path(), &mut |offer| {
        seen += 1;
        match offer {
            Ok(draft) => assert!(draft.product.natural_key().is_some()),
            Err(reject) => assert_reject(&reject),
        }
        true
    });
    if let Err(said) = read {
        assert_sentence(&said);
        assert_eq!(seen, 0, "{said}");
    }
}

/// A ledger is refused in a sentence, or its lines are read, refused or passed over.
pub(crate) fn ledger(text: &str) {
    let file = File::of("ledger", text);
    match ledger::read(file.path(), 180) {
        Ok(input) => input.rejects.iter().for_each(assert_reject),
        Err(said) => assert_sentence(&said),
    }
}

/// What a page of rows is understood as: no row is lost, and none is made up.
fn assert_page<T>(page: &Page<T>) {
    let told = page.items.len() + page.rejects.len();
    assert!(u32::try_from(told).is_ok_and(|told| told <= page.rows));
    page.rejects.iter().for_each(assert_reject);
}

/// An answer of the network's is a page whose rows are read or refused, whatever they are taken for, or a fault that says so.
pub(crate) fn answer(text: &str) {
    let day = Day::parse("2026-02-02").expect("a day");
    let judge = |fault: &Fault| assert!(!fault.to_string().is_empty());
    for page in [
        page::records(text, PageAt::FIRST),
        page::list(text),
        page::named(text, "commission_rates"),
    ] {
        match page {
            Err(fault) => judge(&fault),
            Ok(page) => {
                assert_page(&page);
                assert_page(&page.clone().map(wire::clicks_of_day));
                let by_subid = |row: &str| wire::clicks_of_subid(row, day, "subid1");
                assert_page(&page.clone().map(by_subid));
                assert_page(&page.clone().map(wire::program));
                assert_page(&page.clone().map(wire::link));
                assert_page(&page.clone().map(wire::ad_space));
                assert_page(&page.clone().map(wire::balance));
                assert_page(&page.map(wire::commission));
            }
        }
    }
}
