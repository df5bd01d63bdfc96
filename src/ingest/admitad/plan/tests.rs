//! What is planned, from states that are made by hand.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn pace() -> Pace {
    Pace {
        every: Duration::from_secs(150),
        since: day("2026-01-10"),
        offset_minutes: 180,
        spread: 7,
    }
}

/// Noon on 10 March, 15:00 on the network's clock.
fn noon() -> Instant {
    at("2026-03-10T12:00:00Z")
}

/// An account whose feeds all wait but those that are given.
fn resting(given: &[(Feed, FeedState)]) -> AccountState {
    let later = FeedState {
        last_attempt: Some(noon()),
        last_success: Some(noon()),
        next_run: Some(after(noon(), DAILY * 5)),
        ..FeedState::default()
    };
    let mut feeds: std::collections::BTreeMap<Feed, FeedState> =
        Feed::ALL.map(|feed| (feed, later.clone())).into();
    feeds.extend(given.iter().cloned());
    AccountState {
        feeds,
        ..AccountState::default()
    }
}

fn window(step: &Step) -> Window {
    match step {
        Step::Actions(_, reading) => reading.window,
        other => panic!("{other:?}"),
    }
}

fn due(watermark: Option<Instant>) -> FeedState {
    FeedState {
        watermark,
        last_attempt: Some(noon()),
        next_run: Some(noon()),
        ..FeedState::default()
    }
}

#[test]
fn a_new_account_begins_with_what_everything_else_hangs_on() {
    let pace = pace();
    let mut state = AccountState::default();
    let done = FeedState {
        last_attempt: Some(noon()),
        next_run: Some(after(noon(), DAILY)),
        ..FeedState::default()
    };
    let mut order = Vec::new();
    loop {
        let feed = match plan(&pace, &state, noon()) {
            Step::List(feed, 0) | Step::Actions(feed, _) => feed,
            Step::Wait(until) => {
                assert_eq!(until, after(noon(), DAILY));
                break;
            }
            other => panic!("{other:?}"),
        };
        order.push(feed);
        state.feeds.insert(feed, done.clone());
    }
    // Rates and nights wait for the back-fill.
    assert_eq!(
        order,
        [
            Feed::AdSpaces,
            Feed::Status,
            Feed::Recent,
            Feed::Programs,
            Feed::Backfill
        ]
    );
}

#[test]
fn status_changes_overlap_and_are_known_up_to_a_minute_ago() {
    let known = at("2026-03-10T11:54:00Z");
    let wanted = Window::Changed {
        from: at("2026-03-10T10:54:00Z"),
        to: at("2026-03-10T11:59:00Z"),
    };
    // However often it was refused.
    for failures in [0, 1, 2, 9] {
        let state = FeedState {
            failures,
            ..due(Some(known))
        };
        let state = resting(&[(Feed::Status, state)]);
        assert_eq!(window(&plan(&pace(), &state, noon())), wanted);
    }
    // A clock that was set back.
    let state = resting(&[(Feed::Status, due(Some(at("2026-03-10T13:00:00Z"))))]);
    assert_eq!(
        window(&plan(&pace(), &state, noon())),
        Window::Changed {
            from: at("2026-03-10T10:59:00Z"),
            to: at("2026-03-10T11:59:00Z"),
        }
    );
}

#[test]
fn a_read_begins_before_the_last_is_five_minutes_old() {
    let begun = noon();
    for feed in [Feed::Status, Feed::Recent] {
        let Step::Actions(_, reading) = plan(&pace(), &resting(&[(feed, due(None))]), begun) else {
            panic!("it is due");
        };
        // It took a while.
        let ended = after(begun, Duration::from_secs(50));
        let done = finished(&pace(), feed, &due(None), &reading, ended);
        assert_eq!(done.next_run, Some(after(begun, Duration::from_secs(150))));
    }
}

#[test]
fn recent_orders_reach_back_over_an_outage() {
    let recent = |known: Option<&str>| {
        let state = resting(&[(Feed::Recent, due(known.map(at)))]);
        window(&plan(&pace(), &state, noon()))
    };
    let ordered = |from: &str| Window::Ordered {
        from: day(from),
        to: day("2026-03-10"),
    };
    assert_eq!(recent(None), ordered("2026-03-08"));
    assert_eq!(recent(Some("2026-03-10T11:55:00Z")), ordered("2026-03-08"));
    assert_eq!(recent(Some("2026-02-20T11:55:00Z")), ordered("2026-02-19"));
    // No further back than what is wanted at all.
    assert_eq!(recent(Some("2025-12-01T00:00:00Z")), ordered("2026-01-10"));
}

#[test]
fn the_back_fill_walks_back_by_months_and_ends_where_it_is_told() {
    let pace = pace();
    let mut state = FeedState::default();
    let mut read = Vec::new();
    for _ in 0..10 {
        let account = resting(&[(Feed::Backfill, state.clone())]);
        let Step::Actions(Feed::Backfill, reading) = plan(&pace, &account, noon()) else {
            break;
        };
        read.push(reading.window.words());
        state.last_attempt = Some(noon());
        state = finished(&pace, Feed::Backfill, &state, &reading, noon());
    }
    assert_eq!(
        read,
        [
            "2026-03-01 to 2026-03-10",
            "2026-02-01 to 2026-02-28",
            "2026-01-10 to 2026-01-31"
        ]
    );
    assert_eq!((state.condition, state.next_run), (Condition::Done, None));
    // Somebody wants more: it goes on from there.
    let more = Pace {
        since: day("2025-12-20"),
        ..pace
    };
    let account = resting(&[(Feed::Backfill, state)]);
    assert_eq!(
        window(&plan(&more, &account, noon())).words(),
        "2026-01-01 to 2026-01-09"
    );
}

#[test]
fn a_night_reads_ninety_days_once() {
    let pace = Pace {
        since: day("2020-01-01"),
        ..pace()
    };
    let done = FeedState {
        condition: Condition::Done,
        watermark: Some(start_of_day_at(pace.since, 180)),
        last_attempt: Some(noon()),
        last_success: Some(noon()),
        ..FeedState::default()
    };
    let state = resting(&[
        (Feed::Backfill, done.clone()),
        (Feed::Nightly, FeedState::default()),
    ]);
    let Step::Wait(night) = plan(&pace, &state, noon()) else {
        panic!("it is noon");
    };
    // Three o'clock on the network's clock, and this account's minutes.
    assert_eq!(night, at("2026-03-11T00:07:00Z"));
    let mut nightly = FeedState::default();
    let mut days = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let account = resting(&[
            (Feed::Backfill, done.clone()),
            (Feed::Nightly, nightly.clone()),
        ]);
        let Step::Actions(Feed::Nightly, reading) = plan(&pace, &account, night) else {
            break;
        };
        let Window::Ordered { from, to } = reading.window else {
            panic!("nights go by orders");
        };
        for number in from.days()..=to.days() {
            assert!(days.insert(number), "no day twice");
        }
        nightly.last_attempt = Some(night);
        nightly = finished(&pace, Feed::Nightly, &nightly, &reading, night);
    }
    assert!((90..=92).contains(&days.len()), "{}", days.len());
    assert_eq!(days.last(), Some(&day("2026-03-10").days()));
    assert_eq!(nightly.next_run, Some(at("2026-03-12T00:07:00Z")));
}

#[test]
fn a_pause_of_the_account_holds_for_all_of_it() {
    let until = after(noon(), Duration::from_secs(30));
    let state = AccountState {
        paused_until: Some(until),
        ..AccountState::default()
    };
    assert_eq!(plan(&pace(), &state, noon()), Step::Wait(until));
    assert!(matches!(plan(&pace(), &state, until), Step::List(..)));
}

proptest! {
    #[test]
    fn a_reading_survives_being_stored(
        from in 0i32..20_000, days in 0i32..400, offset in 0u32..1_000_000, changed: bool,
        tail in prop::collection::vec("[0-9]{1,12}|[а-яA-Z\"\\\\]{0,9}", 0..11),
    ) {
        let (from, to) = (Day::from_days(from).unwrap(), Day::from_days(from + days).unwrap());
        let window = if changed {
            Window::Changed { from: start_of_day_at(from, 0), to: start_of_day_at(to, 0) }
        } else {
            Window::Ordered { from, to }
        };
        let reading = Reading { window, offset, tail, begun: noon() };
        prop_assert_eq!(Reading::parse(&reading.to_text()), Some(reading));
    }

    #[test]
    fn what_is_no_reading_begins_anew(text in ".{0,60}") {
        prop_assert!(Reading::parse(&text).is_none() || text.contains("begun"));
    }
}
