//! What must hold of any text that a reader of ours is given, one function for each kind of text.
//!
//! Two callers share this file: `tests/it/fuzz_inputs.rs`, which replays the corpus and changes it at random on every run of
//! the tests, and the crate in `fuzz/`, which lets the coverage of the code guide what is tried next. A function panics
//! where something does not hold.

use actiongraph::access::user_ids::UserIds;
use actiongraph::domain::draft::Place;
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
use actiongraph::ingest::normalize::NormalizeContext;
use actiongraph::ingest::postback::{Told, read};
use actiongraph::ingest::raw::RawRecord;
use async_graphql::{ID, InputType, Value};

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
