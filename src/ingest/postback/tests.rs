//! Postbacks as they are documented, and as they are not.

use super::*;
use crate::domain::action::{ActionType, Slot, SlotValue, Status};
use proptest::prelude::*;

const FULL: &[(&str, &str)] = &[
    ("offer_id", "6115"),
    ("offer_name", "AliExpress WW"),
    ("admitad_id", "900000001"),
    ("website_id", "77"),
    ("website_name", "My blog"),
    ("subid", "tg"),
    ("subid1", "u-1007"),
    ("subid4", "[[[subid4]]]"),
    ("action", "Paid order"),
    ("action_id", "5"),
    ("payment_sum", "1.89"),
    ("payment_status", "new"),
    ("currency", "USD"),
    ("order_id", "3019000000000001"),
    ("order_sum", "31.50"),
    ("click_time", "1709629200"),
    ("time", "1709634600"),
    ("conversion_time", "5400"),
    ("type", "sale"),
    ("country_code", "pl"),
    (
        "user_agent",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36",
    ),
    ("user_referer", "https://blog.example/secret-page"),
    ("reward_ready", "false"),
];

fn received() -> Instant {
    Instant::parse_rfc3339("2024-03-05T10:31:00.25Z").unwrap()
}

fn with(changes: &[(&str, &str)]) -> Told {
    read(FULL.iter().chain(changes).copied(), received(), None)
}

fn action(told: Told) -> ActionDraft {
    match told {
        Told::Action(draft) => *draft,
        other => panic!("no action: {other:?}"),
    }
}

fn refused(told: Told) -> Reject {
    match told {
        Told::Refused(reject) => *reject,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn all_documented_parameters_have_their_place() {
    let draft = action(with(&[]));
    assert_eq!(draft.external_id, "900000001");
    assert_eq!(draft.program.external_id.as_deref(), Some("6115"));
    let ad_space = draft.ad_space.unwrap();
    assert_eq!(ad_space.external_id.as_deref(), Some("77"));
    assert_eq!(ad_space.name.as_deref(), Some("My blog"));
    assert_eq!(draft.standing.status, Status::Pending);
    assert_eq!(draft.standing.raw_status, "pending");
    assert_eq!(draft.standing.reward_e4, 18_900);
    assert_eq!(draft.standing.action_type, ActionType::Sale);
    assert_eq!(
        draft.standing.ordered_at.to_rfc3339(),
        "2024-03-05T10:30:00Z"
    );
    let text = |slot: Slot| match draft.slots.get(&slot) {
        Some(SlotValue::Text(text)) => text.as_str(),
        other => panic!("{slot:?}: {other:?}"),
    };
    assert_eq!(text(Slot::OrderId), "3019000000000001");
    assert_eq!(text(Slot::Subid1), "u-1007");
    assert_eq!(text(Slot::Country), "PL");
    assert_eq!(text(Slot::Device), "mobile");
    assert_eq!(
        draft.slots.get(&Slot::OrderAmount),
        Some(&SlotValue::Number(315_000))
    );
    assert_eq!(
        draft.slots.get(&Slot::Subid4),
        None,
        "a macro that was not replaced"
    );
    assert_eq!(
        draft.slots.get(&Slot::TariffId),
        None,
        "action_id is the id of the rate's target action"
    );
}

#[test]
fn a_new_action_is_dated_by_its_order_and_any_other_by_its_receipt() {
    let new = action(with(&[]));
    assert_eq!(new.stamp.observed_at, new.standing.ordered_at);
    for (word, status, raw) in [
        ("approved", Status::Approved, "approved"),
        ("declined", Status::Declined, "declined"),
        ("pending", Status::Pending, "pending"),
    ] {
        let draft = action(with(&[("payment_status", word)]));
        assert_eq!(draft.standing.status, status);
        assert_eq!(draft.standing.raw_status, raw);
        assert_eq!(draft.stamp.changed_at, draft.standing.ordered_at);
        assert_eq!(draft.stamp.observed_at, received());
        assert_eq!(draft.receipt.unwrap().at, received());
        assert!(!draft.receipt.unwrap().is_first);
    }
}

#[test]
fn the_last_value_counts_and_other_events_are_none() {
    let draft = action(with(&[
        ("payment_status", "approved"),
        ("reward_ready", "true"),
    ]));
    assert!(draft.standing.paid);
    let none: [(&str, &str); 0] = [];
    assert_eq!(read(none, received(), None), Told::Nothing);
    let program = [("offer_id", "6115"), ("offer_status", "dead")];
    assert_eq!(read(program, received(), None), Told::Nothing);
    let cooperation = [("website_id", "7"), ("partnership_status", "accepted")];
    assert_eq!(read(cooperation, received(), None), Told::Nothing);
}

#[test]
fn what_cannot_be_understood_names_the_parameter_and_keeps_no_personal_data() {
    for (changes, reason, field) in [
        (
            [("payment_status", "open")].as_slice(),
            RejectReason::BadValue,
            "status",
        ),
        (&[("time", "yesterday")], RejectReason::BadValue, "time"),
        (
            &[("time", "99999999999999")],
            RejectReason::BadValue,
            "time",
        ),
        (
            &[("click_time", "-5")],
            RejectReason::BadValue,
            "click_time",
        ),
        (
            &[("payment_sum", "much")],
            RejectReason::BadValue,
            "payment",
        ),
        (
            &[("currency", "dollar")],
            RejectReason::BadValue,
            "currency",
        ),
        (&[("subid1", "a\0b")], RejectReason::BadValue, "subid1"),
        (&[("reward_ready", "soon")], RejectReason::BadValue, "paid"),
    ] {
        let reject = refused(with(changes));
        assert_eq!(reject.reason, reason, "{changes:?}: {}", reject.message);
        assert_eq!(reject.field.as_deref(), Some(field), "{changes:?}");
        assert!(!reject.raw.contains("secret-page"), "{}", reject.raw);
        assert!(!reject.raw.contains("Mozilla"), "{}", reject.raw);
        assert!(!reject.raw.contains('\0'));
        assert!(reject.raw.contains("received_at"), "{}", reject.raw);
    }
    let long = "x".repeat(5_000);
    let reject = refused(with(&[("subid1", &long)]));
    assert_eq!(reject.reason, RejectReason::TooLong);
    let reject = refused(read([("payment_status", "new")], received(), None));
    assert_eq!(reject.field.as_deref(), Some("admitad_id"));
    let unknown = refused(read([("foo", "bar")], received(), None));
    assert_eq!(unknown.reason, RejectReason::MissingField);
}

#[test]
fn an_ad_space_of_the_address_is_for_those_that_name_none() {
    let named = action(read(FULL.iter().copied(), received(), Some("Other")));
    assert_eq!(named.ad_space.unwrap().name.as_deref(), Some("My blog"));
    let some = FULL
        .iter()
        .copied()
        .filter(|(name, _)| !name.starts_with("website"));
    let unnamed = action(read(some, received(), Some("Other")));
    assert_eq!(unnamed.ad_space.unwrap().name.as_deref(), Some("Other"));
}

#[test]
fn devices() {
    for (user_agent, class) in [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120 Safari/537.36",
            "desktop",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17 Safari/605.1.15",
            "desktop",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
            "desktop",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/120 Safari/537.36",
            "desktop",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17 Mobile/15E148 Safari/604.1",
            "mobile",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-S911B) AppleWebKit/537.36 Chrome/120 Mobile Safari/537.36",
            "mobile",
        ),
        (
            "Dalvik/2.1.0 (Linux; U; Android 12; Redmi Note 9) AliApp(AliExpress/8.1)",
            "mobile",
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; CUBOT X50) Chrome/120 Mobile Safari/537.36",
            "mobile",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) Version/16 Mobile/15E148 Safari/604.1",
            "tablet",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 Chrome/120 Safari/537.36",
            "tablet",
        ),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "other",
        ),
        (
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) Version/6.0 TV Safari/537.36",
            "other",
        ),
        ("curl/8.4.0", "other"),
        ("", "other"),
    ] {
        assert_eq!(device_class(user_agent), class, "{user_agent}");
    }
}

proptest! {
    #[test]
    fn any_parameters_give_an_answer(
        pairs in proptest::collection::vec((proptest::sample::select(DOCUMENTED), any::<String>()), 0..30),
    ) {
        if let Told::Refused(reject) = read(pairs, received(), None) {
            prop_assert!(!reject.raw.contains('\0'));
            prop_assert!(reject.raw.len() <= 64 * 1024);
        }
    }
}
