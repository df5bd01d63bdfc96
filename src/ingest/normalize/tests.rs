//! Every oddity of upstream's records, one small file each.

use super::*;
use crate::domain::draft::Reject;
use crate::ingest::format::ReadError;
use crate::ingest::format::json::JsonReader;
use proptest::prelude::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/admitad/", $name, ".json"))
    };
}

fn context() -> NormalizeContext {
    let observed_at = Instant::parse_rfc3339("2024-05-01T00:00:00Z").unwrap();
    NormalizeContext {
        offset_minutes: DEFAULT_OFFSET_MINUTES,
        observed_at,
    }
}

fn outcome(text: &str) -> Result<ActionDraft, Reject> {
    let mut items = JsonReader::new(text.as_bytes());
    let item = items.next().unwrap();
    assert!(items.next().is_none(), "one record to a file");
    match item {
        Ok(record) => record.draft(&context()).map_err(|reject| *reject),
        Err(ReadError::Reject(reject)) => Err(reject),
        Err(error) => panic!("{error}"),
    }
}

fn draft(text: &str) -> ActionDraft {
    outcome(text).unwrap_or_else(|reject| panic!("{}", reject.message))
}

fn text(draft: &ActionDraft, slot: Slot) -> Option<&str> {
    match draft.slots.get(&slot) {
        Some(SlotValue::Text(text)) => Some(text),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

fn number(draft: &ActionDraft, slot: Slot) -> Option<i64> {
    match draft.slots.get(&slot) {
        Some(SlotValue::Number(number)) => Some(*number),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

#[test]
fn a_whole_record() {
    let draft = draft(fixture!("whole"));
    assert_eq!(draft.external_id, "900000001");
    assert_eq!(draft.program.external_id.as_deref(), Some("6115"));
    assert_eq!(
        draft.ad_space,
        Some(AdSpaceRef {
            external_id: None,
            name: Some("My blog".to_owned())
        })
    );
    let standing = &draft.standing;
    assert_eq!(
        (standing.status, standing.raw_status.as_str()),
        (Status::Pending, "pending")
    );
    assert_eq!(
        (standing.paid, standing.processed, standing.reward_e4),
        (false, false, 18_900)
    );
    assert_eq!(
        (standing.currency, standing.action_type),
        (Currency::USD, ActionType::Sale)
    );
    assert_eq!(standing.ordered_at, at("2024-03-05T10:30:00Z"));
    assert_eq!(standing.status_updated_at, None);
    assert_eq!(
        draft.stamp,
        Stamp {
            changed_at: standing.ordered_at,
            observed_at: context().observed_at
        }
    );
}

#[test]
fn a_whole_record_s_slots_and_items() {
    let draft = draft(fixture!("whole"));
    let texts = [
        (Slot::OrderId, "3019000000000001"),
        (Slot::TariffId, "11"),
        (Slot::ActionName, "Paid order"),
        (Slot::Country, "PL"),
        (Slot::Subid0, "tg"),
        (Slot::Subid1, "u-1007"),
        (Slot::Subid2, "post-1"),
        (Slot::Subid4, "clk-77"),
    ];
    for (slot, value) in texts {
        assert_eq!(text(&draft, slot), Some(value), "{slot:?}");
    }
    let clicked = at("2024-03-05T09:00:00Z").micros();
    for (slot, value) in [
        (Slot::OrderAmount, 315_000),
        (Slot::ClickedAt, clicked),
        (Slot::ClosingDay, 19_817),
        (Slot::ConversionSeconds, 5_400),
    ] {
        assert_eq!(number(&draft, slot), Some(value), "{slot:?}");
    }
    assert_eq!(draft.slots.len(), 12, "nothing else: {:?}", draft.slots);
    let [item] = draft.items.as_slice() else {
        panic!("{:?}", draft.items)
    };
    assert_eq!(item.external_id.as_deref(), Some("910000001"));
    assert_eq!(
        (
            item.amount_e4,
            item.reward_e4,
            item.rate_e4,
            item.is_percentage
        ),
        (315_000, 18_900, Some(60_000), Some(true))
    );
    assert_eq!(
        (item.units, item.ordered_at),
        (1, Some(draft.standing.ordered_at))
    );
    assert_eq!(
        (item.tariff_id.as_deref(), item.rate_id.as_deref()),
        (Some("11"), Some("70001"))
    );
    let product = item.product.as_ref().unwrap();
    assert_eq!(
        product.natural_key().as_deref(),
        Some("id:1005000000000001")
    );
    assert_eq!(item.category.as_ref().unwrap().external_id, "44");
}

#[test]
fn a_category_without_an_id_is_kept_by_its_name() {
    let whole = fixture!("whole");
    let category = |id: &str, name: &str| {
        let said = "\"product_category_id\": \"44\",\n     \"product_category_name\": \"Consumer Electronics\"";
        let says = format!("\"product_category_id\": {id}, \"product_category_name\": {name}");
        assert!(whole.contains(said));
        draft(&whole.replace(said, &says)).items[0].category.clone()
    };
    // The shipped tree has it once.
    for id in ["\"\"", "null", "0", "\" \""] {
        let found = category(id, "\" consumer ELECTRONICS \"").unwrap();
        assert_eq!(found.external_id, "44", "{id}");
    }
    let own = category("\"\"", "\"Игрушки для ёлки\"").unwrap();
    assert!(own.is_by_name);
    assert_eq!(own.name.as_deref(), Some("Игрушки для ёлки"));
    let again = category("null", "\"ИГРУШКИ  для ёлки\"").unwrap();
    assert_eq!(again.external_id, own.external_id);
    assert_eq!(
        category("\"7\"", "\"Игрушки для ёлки\"")
            .unwrap()
            .external_id,
        "7"
    );
    assert_eq!(category("\"\"", "\" \""), None);
}

#[test]
fn the_same_facts_in_other_types_are_the_same_draft() {
    let whole = draft(fixture!("whole"));
    for (name, text) in [
        ("money as text", fixture!("money-as-text")),
        ("numbers as text", fixture!("numbers-as-text")),
        ("spreadsheet numbers", fixture!("spreadsheet-numbers")),
        ("id alone", fixture!("id-alone")),
        ("no currency", fixture!("no-currency")),
        ("lower-case country", fixture!("lower-case-country")),
        ("closing day with a time", fixture!("closing-day-with-time")),
        ("a leap second", fixture!("leap-second")),
        ("unknown fields", fixture!("unknown-fields")),
    ] {
        assert_eq!(draft(text), whole, "{name}");
    }
}

#[test]
fn what_upstream_leaves_out_is_left_out() {
    let empty = draft(fixture!("nothing-as-empty-text"));
    for slot in [
        Slot::OrderId,
        Slot::Country,
        Slot::Subid2,
        Slot::Comment,
        Slot::PromoCode,
    ] {
        assert_eq!(text(&empty, slot), None, "{slot:?}");
    }
    assert_eq!(
        (
            number(&empty, Slot::ClosingDay),
            number(&empty, Slot::ClickedAt)
        ),
        (None, None)
    );
    let item = &empty.items[0];
    assert_eq!(
        (
            &item.product,
            &item.category,
            item.rate_e4,
            &item.rate_id,
            item.ordered_at
        ),
        (&None, &None, None, &None, None)
    );
    assert_eq!(
        draft(fixture!("item-without-product")).items[0].product,
        None
    );
    for text in [fixture!("closing-day-dash"), fixture!("zero-dates")] {
        let draft = draft(text);
        assert_eq!(
            (
                number(&draft, Slot::ClosingDay),
                draft.standing.status_updated_at
            ),
            (None, None)
        );
    }
    assert_eq!(
        number(&draft(fixture!("zero-dates")), Slot::ClickedAt),
        None
    );
    assert_eq!(draft(fixture!("no-cart-items")).items, []);
    assert_eq!(
        text(&draft(fixture!("country-of-three-letters")), Slot::Country),
        None
    );
    let blanks = draft(fixture!("subid-of-blanks"));
    assert_eq!(
        (text(&blanks, Slot::Subid0), text(&blanks, Slot::Subid1)),
        (None, Some(" u-1007 "))
    );
    assert_eq!(
        text(&draft(fixture!("subid-as-number")), Slot::Subid1),
        Some("1007")
    );
}

#[test]
fn statuses() {
    for (text, status, raw, processed, paid) in [
        (
            fixture!("unknown-status"),
            Status::Unknown,
            "on_verification",
            false,
            false,
        ),
        (fixture!("no-status"), Status::Unknown, "", false, false),
        (
            fixture!("stalled"),
            Status::ApprovedButStalled,
            "approved_but_stalled",
            true,
            false,
        ),
        (fixture!("paid"), Status::Approved, "approved", true, true),
        (
            fixture!("old-response"),
            Status::Approved,
            "approved",
            true,
            false,
        ),
    ] {
        let standing = draft(text).standing;
        assert_eq!(
            (standing.status, standing.raw_status.as_str()),
            (status, raw)
        );
        assert_eq!(
            (standing.processed, standing.paid),
            (processed, paid),
            "{raw}"
        );
    }
    for (text, unsaid) in [
        (fixture!("paid"), vec![]),
        (fixture!("old-response"), vec![]),
        (fixture!("no-status"), vec![Slot::Status]),
    ] {
        assert_eq!(
            draft(text).unsaid.into_iter().collect::<Vec<_>>(),
            unsaid,
            "{text}"
        );
    }
    let bare = |status: &str| {
        draft(&format!(
            r#"{{"id":1,"advcampaign_id":6115,"action_date":"2024-03-05 13:30:00","payment":1{status}}}"#
        ))
        .unsaid
    };
    assert_eq!(bare("").into_iter().collect::<Vec<_>>(), Slot::STANDING);
    assert!(bare(r#","status":"approved""#).contains(&Slot::Paid));
    assert!(!bare(r#","status":"declined""#).contains(&Slot::Paid));
    let old = draft(fixture!("old-response"));
    assert_eq!(
        old.stamp.changed_at,
        at("2024-03-20T07:00:00Z"),
        "a status change is newer than the order"
    );
}

#[test]
fn a_day_without_a_clock_is_no_older_than_the_orders_of_that_day() {
    let state = |updated: &str| {
        draft(&format!(
            r#"{{"id":1,"advcampaign_id":6115,"status":"approved","action_date":"2024-03-05 13:30:00","payment":1,
                "status_updated":"{updated}"}}"#
        ))
    };
    for (updated, changed_at) in [
        ("", "2024-03-05T10:30:00Z"),
        ("2024-03-05 00:00:00", "2024-03-05T10:30:00Z"),
        ("2024-03-06 00:00:00", "2024-03-05T21:00:00Z"),
        // Not so where the times contradict each other: one of them is mistyped.
        ("2024-03-04 00:00:00", "2024-03-03T21:00:00Z"),
        ("2024-03-05 10:00:00", "2024-03-05T07:00:00Z"),
    ] {
        let draft = state(updated);
        assert_eq!(draft.stamp.changed_at, at(changed_at), "{updated}");
        // What upstream says of it is kept as it is.
        assert_eq!(
            draft.standing.status_updated_at.is_some(),
            !updated.is_empty()
        );
    }
}

#[test]
fn a_conversion_time_below_nothing_is_unsaid() {
    let told = draft(fixture!("negative-seconds"));
    assert_eq!(number(&told, Slot::ConversionSeconds), None);
    for (given, wanted) in [("\"-0:00:03\"", None), ("-3.0", None), ("0", Some(0))] {
        let told = draft(&format!(
            r#"{{"id":1,"advcampaign_id":6115,"action_date":"2024-03-05 13:30:00","payment":1,"conversion_time":{given}}}"#
        ));
        assert_eq!(number(&told, Slot::ConversionSeconds), wanted, "{given}");
    }
}

#[test]
fn programs_spaces_leads_fractions_and_items() {
    let by_name = draft(fixture!("program-by-name"));
    assert_eq!(
        (by_name.program.external_id, by_name.standing.currency),
        (None, Currency::USD)
    );
    let space = draft(fixture!("ad-space-with-id")).ad_space.unwrap();
    assert_eq!(space.external_id.as_deref(), Some("2101"));
    let lead = draft(fixture!("lead"));
    assert_eq!(
        (lead.standing.action_type, number(&lead, Slot::OrderAmount)),
        (ActionType::Lead, None)
    );
    let rounded = draft(fixture!("five-decimals"));
    assert_eq!(
        (
            rounded.standing.reward_e4,
            number(&rounded, Slot::OrderAmount),
            rounded.rounded
        ),
        (18_900, Some(315_000), 2)
    );
    assert_eq!(
        draft(fixture!("fractions")).standing.ordered_at,
        at("2024-03-05T10:30:00.123456Z")
    );
    let item = &draft(fixture!("item-with-country-and-quantity")).items[0];
    assert_eq!(
        (
            item.units,
            item.product.as_ref().unwrap().country.as_deref()
        ),
        (3, Some("CN"))
    );
}

#[test]
fn refused_records_name_their_field() {
    use RejectReason::{BadValue, Malformed, MissingField, OutOfRange, TooLong};
    for (text, reason, field) in [
        (fixture!("refused-no-payment"), MissingField, "payment"),
        (
            fixture!("refused-no-action-date"),
            MissingField,
            "action_date",
        ),
        (fixture!("refused-no-id"), MissingField, "action_id"),
        (
            fixture!("refused-no-program"),
            MissingField,
            "advcampaign_id",
        ),
        (fixture!("refused-no-currency"), MissingField, "currency"),
        (fixture!("refused-u0000"), BadValue, "comment"),
        (fixture!("refused-money"), BadValue, "payment"),
        (fixture!("refused-money-range"), OutOfRange, "cart"),
        (fixture!("refused-currency"), BadValue, "currency"),
        (fixture!("refused-date"), BadValue, "action_date"),
        (fixture!("refused-date-of-nowhere"), BadValue, "click_date"),
        (fixture!("refused-early-year"), OutOfRange, "action_date"),
        (fixture!("refused-object-as-text"), BadValue, "order_id"),
        (fixture!("refused-flag"), BadValue, "paid"),
        (
            fixture!("refused-long-seconds"),
            OutOfRange,
            "conversion_time",
        ),
        (fixture!("refused-positions"), BadValue, "positions"),
        (fixture!("refused-position"), BadValue, "positions[0]"),
        (
            fixture!("refused-item-money"),
            BadValue,
            "positions[0].amount",
        ),
        (fixture!("refused-long-subid"), TooLong, "subid3"),
        (
            fixture!("refused-long-name"),
            TooLong,
            "positions[0].product_name",
        ),
        (
            fixture!("refused-action-in-cart"),
            BadValue,
            "positions[1].action_date",
        ),
        (fixture!("answer-error"), Malformed, "error"),
    ] {
        let reject = outcome(text).unwrap_err();
        assert_eq!(
            (reject.reason, reject.field.as_deref()),
            (reason, Some(field)),
            "{}",
            reject.message
        );
        assert_eq!((reject.place.page, reject.place.index), (1, 0));
        assert!(
            !reject.raw.contains("blog.example/post-1"),
            "the referer is blanked"
        );
        assert!(!reject.raw.contains('\0'));
    }
    assert!(
        outcome(fixture!("refused-long-subid"))
            .unwrap_err()
            .message
            .contains("1001 characters, at most 1000")
    );
}

#[test]
fn flags_and_fractions_are_no_ids() {
    let whole = fixture!("whole");
    let with = |old: &str, new: &str| {
        assert!(whole.contains(old), "{old}");
        whole.replace(old, new)
    };
    for (key, field) in [
        (r#""action_id": 900000001"#, "action_id"),
        (r#""order_id": "3019000000000001""#, "order_id"),
        (r#""advcampaign_id": 6115"#, "advcampaign_id"),
        (r#""id": 910000001"#, "positions[0].id"),
        (
            r#""product_id": "1005000000000001""#,
            "positions[0].product_id",
        ),
        (
            r#""product_category_id": "44""#,
            "positions[0].product_category_id",
        ),
    ] {
        let (name, _) = key.split_once(':').unwrap();
        for value in ["true", "false", "12.5", "-0.5", "1e3", "1.0e3"] {
            let reject = outcome(&with(key, &format!("{name}: {value}"))).unwrap_err();
            assert_eq!(
                (reject.reason, reject.field.as_deref()),
                (RejectReason::BadValue, Some(field)),
                "{value}: {}",
                reject.message
            );
        }
    }
    // What is written as a text is taken as it stands, and a whole number may have come through a spreadsheet.
    for (value, id) in [
        (r#""12.5""#, "12.5"),
        (r#""true""#, "true"),
        ("12.00", "12"),
        ("-12", "-12"),
    ] {
        let text = with(
            r#""action_id": 900000001"#,
            &format!(r#""action_id": {value}"#),
        );
        assert_eq!(draft(&text).external_id, id);
    }
}

#[test]
fn a_key_that_stands_twice_refuses_its_record() {
    let whole = fixture!("whole");
    for (key, twice, field) in [
        (
            r#""status": "pending""#,
            r#""status": "pending", "status": "declined""#,
            "status",
        ),
        (r#""cart": 31.5"#, r#""cart": 31.5, "cart": null"#, "cart"),
        (
            r#""cart": 31.5"#,
            r#""cart": 31.5, "positions": []"#,
            "positions",
        ),
        (
            r#""rate": "6.00""#,
            r#""rate": "6.00", "rate": "7.00""#,
            "positions[0].rate",
        ),
        (
            r#""rate": "6.00""#,
            r#""rate": "6.00", "country_code": "CN", "product_country": "PL""#,
            "positions[0].product_country_code",
        ),
    ] {
        let text = whole.replace(key, twice);
        assert_ne!(text, whole);
        let reject = outcome(&text).unwrap_err();
        assert_eq!(reject.field.as_deref(), Some(field), "{twice}");
        assert!(
            reject.message.contains("stands twice"),
            "{}",
            reject.message
        );
    }
    // A field of several names may say the same under two of them, or nothing under one.
    for more in [
        r#""country_code": "CN", "product_country": "CN""#,
        r#""country_code": "CN", "product_country": null"#,
    ] {
        let text = whole.replace(r#""rate": "6.00""#, &format!(r#""rate": "6.00", {more}"#));
        let told = draft(&text);
        let product = told.items[0].product.as_ref().unwrap();
        assert_eq!(product.country.as_deref(), Some("CN"), "{more}");
    }
    // What is not read may stand as often as it likes.
    let unknown = whole.replace(r#""cart": 31.5"#, r#""cart": 31.5, "x": 1, "x": 2"#);
    assert_eq!(draft(&unknown).external_id, "900000001");
}

/// The record with its keys turned round and other blanks.
fn rewritten(text: &str, turn: usize, pretty: bool) -> String {
    let mut page: serde_json::Value = serde_json::from_str(text).unwrap();
    let record = page["results"][0].take();
    let mut fields: Vec<String> = record
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            if pretty {
                format!("\n\t\"{key}\" :  {value:#}\r\n")
            } else {
                format!("\"{key}\":{value}")
            }
        })
        .collect();
    let length = fields.len();
    fields.rotate_left(turn % length);
    format!("{{\"_meta\":{{}},\"results\":[{{{}}}]}}", fields.join(","))
}

proptest! {
    #[test]
    fn blanks_and_the_order_of_keys_mean_nothing(turn in 0usize..40, pretty in any::<bool>()) {
        for text in [fixture!("whole"), fixture!("lead"), fixture!("paid")] {
            prop_assert_eq!(draft(&rewritten(text, turn, pretty)), draft(text));
        }
    }

    #[test]
    fn any_value_in_any_field_is_a_draft_or_a_named_reject(field in 0usize..34, value in prop_oneof![
        Just("null".to_owned()), Just("\"\"".to_owned()), Just("-1".to_owned()), Just("1e400".to_owned()),
        Just("[]".to_owned()), Just("{}".to_owned()), Just("true".to_owned()), Just("\"\\ud800\"".to_owned()),
        Just("\"\\u0000\"".to_owned()), Just("\"9999-12-31 23:59:59\"".to_owned()), Just("0.000001".to_owned()),
        "\"[ -!#-\\[\\]-~]{0,20}\"", "[0-9]{1,30}",
    ]) {
        let page: serde_json::Value = serde_json::from_str(fixture!("whole")).unwrap();
        let record = page["results"][0].as_object().unwrap();
        let field = record.keys().nth(field % record.len()).unwrap();
        let fields: Vec<String> = record.iter().map(|(key, old)| format!("\"{key}\":{}", if key == field { value.clone() } else { old.to_string() })).collect();
        if let Err(reject) = outcome(&format!("{{{}}}", fields.join(","))) {
            prop_assert!(reject.reason == RejectReason::Malformed || reject.field.is_some(), "{}", reject.message);
        }
    }
}
