//! What postbacks and the API together make of an action, in any order.

use super::*;
use crate::domain::action::{ActionType, Merged, Record, Slot, SlotValue, merge};
use proptest::prelude::*;
use std::collections::BTreeMap;

const MINUTE: i64 = 60 * 1_000_000;

fn minutes(minutes: i64) -> Instant {
    Instant::from_micros(minutes * MINUTE).unwrap()
}

fn standing(status: Status, paid: bool, reward_e4: i64) -> Standing {
    Standing {
        status,
        raw_status: status.as_str().to_ascii_lowercase(),
        paid,
        processed: status.is_processed(),
        reward_e4,
        currency: Currency::USD,
        action_type: ActionType::Sale,
        ordered_at: minutes(0),
        status_updated_at: None,
    }
}

fn record(stamp: (i64, i64), standing: Standing, notice: Option<Notice>) -> Record {
    Record {
        standing,
        stamp: Stamp {
            changed_at: minutes(stamp.0),
            observed_at: minutes(stamp.1),
        },
        notice,
        beneath: None,
        slots: BTreeMap::from([(Slot::OrderAmount, SlotValue::Number(1))]),
        inherited: BTreeMap::new(),
    }
}

/// A state of the API: changed at, observed at.
fn api(changed: i64, observed: i64, status: Status, paid: bool) -> Record {
    let mut standing = standing(status, paid, 1);
    standing.status_updated_at = (changed > 0).then(|| minutes(changed));
    record((changed, observed), standing, None)
}

/// A postback, received at.
fn postback(received: i64, status: Status, paid: Option<bool>) -> Record {
    let standing = standing(status, paid.unwrap_or(false), 1);
    let receipt = Receipt {
        at: minutes(received),
        is_first: false,
        says_paid: paid.is_some(),
    };
    let notice = Notice::of(&standing, Some(receipt));
    record((0, received), standing, notice)
}

/// The postback of a new action: its state is dated by the order.
fn first() -> Record {
    record((0, 0), standing(Status::Pending, false, 1), None)
}

fn all(records: &[Record]) -> Record {
    let mut all = records.iter();
    let mut known = all.next().expect("at least one").clone();
    all.for_each(|record| {
        merge(&mut known, record);
    });
    known
}

fn shown(records: &[Record]) -> (Status, bool) {
    let known = all(records);
    (known.standing.status, known.standing.paid)
}

#[test]
fn a_postback_behind_the_page_is_newer_and_the_next_page_has_the_last_word() {
    use Status::{Approved, Declined, Pending};
    let page = api(10, 12, Approved, false);
    let told = postback(20, Declined, None);
    assert_eq!(shown(&[page.clone(), told.clone()]), (Declined, false));
    // Upstream knows the time of the change now: the state is upstream's.
    let next = api(20, 25, Declined, false);
    let known = all(&[page.clone(), told.clone(), next.clone()]);
    assert_eq!(known.standing, next.standing);
    assert_eq!(known.beneath, None);
    // Or upstream never heard of it: a page from long after the receipt is believed.
    let after = api(10, 20 + LAG_MICROS / MINUTE, Approved, false);
    assert_eq!(shown(&[page, told, after]), (Approved, false));
    assert_eq!(
        shown(&[
            api(0, 5, Pending, false),
            postback(7, Approved, Some(false))
        ]),
        (Approved, false)
    );
}

#[test]
fn a_page_that_lags_does_not_take_back_what_a_postback_told() {
    let told = postback(20, Status::Approved, None);
    let lagging = api(0, 23, Status::Pending, false);
    assert_eq!(shown(&[told.clone(), lagging]), (Status::Approved, false));
    let changed_since = api(21, 23, Status::Declined, false);
    assert_eq!(shown(&[told, changed_since]), (Status::Declined, false));
}

#[test]
fn payment_is_told_apart_from_status() {
    let page = api(10, 12, Status::Approved, false);
    let paid = postback(20, Status::Approved, Some(true));
    let known = all(&[page.clone(), paid]);
    assert!(known.standing.paid);
    assert_eq!(known.standing.status_updated_at, Some(minutes(10)));
    // One that says nothing of payment leaves it as it is.
    let page = api(10, 12, Status::Approved, true);
    let silent = postback(20, Status::Approved, None);
    assert_eq!(shown(&[page, silent]), (Status::Approved, true));
}

#[test]
fn a_stalled_approval_is_what_postbacks_call_approved() {
    let page = api(10, 12, Status::ApprovedButStalled, false);
    let told = postback(20, Status::Approved, None);
    assert_eq!(shown(&[page, told]), (Status::ApprovedButStalled, false));
}

#[test]
fn a_new_action_that_is_told_again_is_the_same() {
    let told = postback(20, Status::Approved, None);
    let known = all(&[first(), told.clone(), first()]);
    assert_eq!(known.standing.status, Status::Approved);
    let mut again = known.clone();
    assert_eq!(merge(&mut again, &first()), Merged::Stale);
    assert_eq!(merge(&mut again, &told), Merged::Same);
    assert_eq!(again, known);
    let late = postback(30, Status::Approved, None);
    assert_eq!(merge(&mut again, &late), Merged::Observed);
    assert_eq!(again.standing, known.standing);
}

#[test]
fn history_shows_an_undated_state_until_a_dated_one_says_the_same() {
    let state = |changed: i64, observed: i64, status: Status| State {
        status,
        raw_status: status.as_str().to_ascii_lowercase(),
        paid: false,
        says_paid: true,
        reward_e4: 1,
        order_amount_e4: None,
        currency: Currency::USD,
        stamp: Stamp {
            changed_at: minutes(changed),
            observed_at: minutes(observed),
        },
        is_dated: changed > 0,
    };
    let told = state(0, 20, Status::Approved);
    let seen = history(vec![told.clone(), state(1, 2, Status::Pending)]);
    let moments: Vec<Instant> = seen.iter().map(|state| state.stamp.changed_at).collect();
    assert_eq!(moments, [minutes(1), minutes(20)]);
    let dated = state(19, 25, Status::Approved);
    let seen = history(vec![told, dated.clone(), state(1, 2, Status::Pending)]);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1], dated);
    // A table without payment, and one without a status, add nothing to what is known.
    let mut paid = dated.clone();
    paid.paid = true;
    let mut table = state(19, 30, Status::Approved);
    table.says_paid = false;
    let mut bare = state(22, 40, Status::Unknown);
    bare.raw_status = String::new();
    assert_eq!(
        history(vec![table.clone(), bare.clone(), paid.clone()]),
        [paid.clone()]
    );
    assert_eq!(history(vec![table.clone()]), [table.clone()]);
    assert_eq!(history(vec![bare.clone()]), [bare]);
    // When it was first seen is known from whoever saw it first.
    table.stamp.observed_at = minutes(21);
    let mut first = paid.clone();
    first.stamp.observed_at = minutes(21);
    assert_eq!(history(vec![paid, table]), [first]);
}

fn any_record() -> impl Strategy<Value = Record> {
    let status = prop_oneof![
        Just(Status::Pending),
        Just(Status::Approved),
        Just(Status::ApprovedButStalled),
        Just(Status::Declined),
    ];
    let slots = proptest::collection::btree_map(
        prop_oneof![Just(Slot::Comment), Just(Slot::Device)],
        "[ab]".prop_map(SlotValue::Text),
        0..2,
    );
    let parts = (0i64..4, 0i64..40, status, any::<bool>(), 1i64..3, slots);
    let kinds = prop_oneof![Just(0), Just(1), Just(1), Just(2), Just(3)];
    (kinds, parts).prop_map(|(kind, (changed, observed, status, paid, reward, slots))| {
        let mut record = match kind {
            0 => first(),
            1 => api(changed * 7, observed, status, paid),
            2 => postback(observed, status, Some(paid)),
            _ => postback(observed, status, None),
        };
        record.standing.reward_e4 = reward;
        if let Some(notice) = &mut record.notice {
            notice.reward_e4 = reward;
        }
        record.slots.extend(slots);
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_order_of_pages_and_postbacks_ends_in_one_content(
        records in proptest::collection::vec(any_record(), 1..8),
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut shuffled = records.clone();
        let len = shuffled.len();
        for place in 0..len {
            let other = usize::try_from(seed.rotate_left(u32::try_from(place * 7).unwrap()) % 1_000).unwrap();
            shuffled.swap(place, (other + order.index(len)) % len);
        }
        let content = all(&records);
        prop_assert_eq!(&content, &all(&shuffled));
        // And each of them again changes nothing.
        let mut again = content.clone();
        for record in &shuffled {
            merge(&mut again, record);
        }
        prop_assert_eq!(content, again);
    }

    #[test]
    fn a_page_from_long_after_all_receipts_decides_alone(
        records in proptest::collection::vec(any_record(), 0..6), status in 0usize..4,
    ) {
        let status = [Status::Pending, Status::Approved, Status::ApprovedButStalled, Status::Declined][status];
        let last = api(100, 1_000, status, false);
        let mut records = records;
        records.push(last.clone());
        prop_assert_eq!(all(&records).standing, last.standing);
    }
}
