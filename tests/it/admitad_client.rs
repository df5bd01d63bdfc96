//! The client of Admitad's API against a fake one: what comes through, and what is said when something goes wrong.

use crate::support::admitad::{
    Action, CLIENT_ID, CLIENT_SECRET, Clicks, FakeAdmitad, Request, Story, Trouble, World,
};
use actiongraph::clock::Clock;
use actiongraph::domain::money::Currency;
use actiongraph::domain::secret::Secret;
use actiongraph::domain::time::{Day, Instant};
use actiongraph::ingest::admitad::{
    ActionsBy, ActionsOrder, ActionsQuery, ClicksQuery, Client, Credentials, Fault, Page, PageAt,
    RateBudget, Turn,
};
use actiongraph::ingest::raw::RawRecord;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const OFFSET: i32 = 180;

/// A fake, a client of it, and the clock of both.
struct Pair {
    fake: FakeAdmitad,
    client: Client,
    clock: Clock,
}

/// A second that both clocks begin at: Admitad's shows 2026-03-10 15:00:00 then.
fn pair() -> Pair {
    let start = DateTime::parse_from_rfc3339("2026-03-10T12:00:00Z").unwrap();
    let clock = Clock::fixed(start.to_utc());
    let fake = FakeAdmitad::start(clock.clone());
    let client = client(&fake, CLIENT_SECRET, Duration::from_secs(60));
    Pair {
        fake,
        client,
        clock,
    }
}

fn client(fake: &FakeAdmitad, secret: &str, timeout: Duration) -> Client {
    let credentials = Credentials {
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(secret),
    };
    Client::new(fake.base_url().parse().unwrap(), credentials, timeout).unwrap()
}

impl Pair {
    fn now(&self) -> Instant {
        Instant::from_utc(self.clock.now()).unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn actions(&self, by: ActionsBy, at: PageAt) -> Result<Page<RawRecord>, Fault> {
        let query = ActionsQuery {
            by,
            offset_minutes: OFFSET,
            order: ActionsOrder::Ascending,
        };
        self.client.actions(self.now(), &query, at).await
    }

    /// The first page of everything; with its texts.
    async fn first(&self) -> Result<Vec<String>, Fault> {
        let page = self.actions(EVER, PageAt::FIRST).await?;
        Ok(texts(&page))
    }

    /// The same, through a trouble.
    async fn through(&self, trouble: Trouble) -> Fault {
        self.fake
            .world(|world| world.trouble("statistics/actions", trouble));
        let fault = self.first().await.unwrap_err();
        silent(&fault);
        fault
    }

    /// How many of the logged requests went to a path.
    fn asked(&self, path: &str) -> usize {
        let log = self.fake.log();
        log.iter().filter(|request| request.path == path).count()
    }
}

fn texts(page: &Page<RawRecord>) -> Vec<String> {
    page.items
        .iter()
        .map(|record| record.text.clone())
        .collect()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// A fault's words hold nothing secret, be it shown or debugged.
fn silent(fault: &Fault) {
    let pair = format!("{CLIENT_ID}:{CLIENT_SECRET}");
    let head = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair);
    for shown in [fault.to_string(), format!("{fault:?}")] {
        for secret in [
            CLIENT_SECRET,
            &head[..12],
            "access-",
            "refresh-",
            "198.51.100.7",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

const EVER: ActionsBy = ActionsBy::Ordered {
    from: Day::MIN,
    to: Day::MAX,
};

fn three() -> [Action; 3] {
    [
        Action::sale(1, "2026-03-01 10:00:00"),
        Action::sale(2, "2026-03-02 10:00:00").becomes("approved", "2026-03-09 10:00:00"),
        Action::sale(3, "2026-03-03 10:00:00").becomes("declined", "2026-03-10 14:00:00"),
    ]
}

fn story_start() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().into()
}

#[tokio::test]
async fn every_record_of_all_pages_comes_untouched() {
    let pair = pair();
    let mut truth = pair.fake.world(|world| {
        world.follow(Story::new(1, 1_203, 60, story_start()));
        world.truth()
    });
    assert!(truth.len() > 1_100, "{}", truth.len());
    let (mut seen, mut next, mut pages) = (Vec::new(), Some(PageAt::FIRST), 0);
    while let Some(at) = next {
        let page = pair.actions(EVER, at).await.unwrap();
        pages += 1;
        for (index, record) in (0..).zip(&page.items) {
            assert_eq!((record.place.page, record.place.index), (pages, index));
            assert_eq!(record.place.line, u64::from(index) + 1);
        }
        assert_eq!(page.rejects, []);
        seen.extend(texts(&page));
        next = page.next(at);
    }
    assert_eq!(pages, 3);
    seen.sort();
    truth.sort();
    assert!(seen == truth, "what came is not what is there");
    assert_eq!(pair.asked("/token/"), 1, "one token is enough");
    assert_eq!(pair.client.requests(), 4);
    let log = pair.fake.log();
    assert!(log.iter().all(|request| request.status == 200));
    let version = concat!("actiongraph/", env!("CARGO_PKG_VERSION"));
    assert!(
        log.iter()
            .all(|request| request.header("user-agent") == version)
    );
    assert!(
        log.iter()
            .all(|request| request.header("accept-encoding").contains("gzip"))
    );
    let offsets: Vec<_> = log[1..]
        .iter()
        .map(|request| request.one("offset"))
        .collect();
    assert_eq!(offsets, [Some("0"), Some("500"), Some("1000")]);
}

#[tokio::test]
async fn actions_are_found_by_what_is_asked() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    let [one, two, three] = three().map(|action| action.record());
    let ask = async |by| texts(&pair.actions(by, PageAt::FIRST).await.unwrap());
    let ordered = |from, to| ActionsBy::Ordered {
        from: day(from),
        to: day(to),
    };
    assert_eq!(
        ask(ordered("2026-03-01", "2026-03-02")).await,
        [one, two.clone()]
    );
    assert_eq!(ask(ordered("2026-03-04", "2026-03-05")).await, [""; 0]);
    let since = |text| ActionsBy::StatusUpdated {
        from: Instant::parse_rfc3339(text).unwrap(),
        to: None,
    };
    // Admitad's clock is three hours ahead of UTC.
    assert_eq!(
        ask(since("2026-03-09T07:00:00Z")).await,
        [two.clone(), three.clone()]
    );
    assert_eq!(
        ask(since("2026-03-09T07:00:01Z")).await,
        std::slice::from_ref(&three)
    );
    let until = ActionsBy::StatusUpdated {
        from: Instant::MIN,
        to: Some(Instant::parse_rfc3339("2026-03-10T10:59:59Z").unwrap()),
    };
    assert_eq!(ask(until).await, std::slice::from_ref(&two));
    assert_eq!(ask(ActionsBy::Id(3)).await, [three]);
    let closing = ActionsBy::Closing {
        from: Day::MIN,
        to: Day::MAX,
    };
    assert_eq!(ask(closing).await, [""; 0]);
    // Newest first, and no more rows than Admitad gives.
    let query = ActionsQuery {
        by: EVER,
        offset_minutes: OFFSET,
        order: ActionsOrder::Descending,
    };
    let at = PageAt {
        limit: 100_000,
        offset: 1,
    };
    let page = pair.client.actions(pair.now(), &query, at).await.unwrap();
    assert_eq!(page.total, 3);
    assert_eq!(texts(&page)[0], two);
}

#[tokio::test]
async fn a_range_that_ends_in_admitads_future_is_refused_and_an_open_one_is_not() {
    let pair = pair();
    pair.fake.world(|world| {
        world.put(three());
        // Its clock is behind ours.
        world.skew = TimeDelta::seconds(-30);
    });
    let range = |to| ActionsBy::StatusUpdated {
        from: Instant::MIN,
        to,
    };
    let fault = pair
        .actions(range(Some(pair.now())), PageAt::FIRST)
        .await
        .unwrap_err();
    let Fault::Refused {
        status, message, ..
    } = &fault
    else {
        panic!("{fault:?}")
    };
    assert_eq!(*status, 400);
    assert!(
        message.contains("status_updated_end is in the future"),
        "{message}"
    );
    assert!(!fault.is_passing());
    let page = pair.actions(range(None), PageAt::FIRST).await.unwrap();
    assert_eq!(page.items.len(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    let grants = || -> Vec<String> {
        let log = pair.fake.take_log();
        let tokens = log.iter().filter(|request| request.path == "/token/");
        tokens.map(|request| field(request, "grant_type")).collect()
    };
    pair.first().await.unwrap();
    assert_eq!(grants(), ["client_credentials"]);
    pair.pass(7 * 86_400 - 301);
    pair.first().await.unwrap();
    assert_eq!(grants(), [""; 0]);
    pair.pass(2);
    pair.first().await.unwrap();
    assert_eq!(grants(), ["refresh_token"]);
    // Once more with the new pair, long after its end.
    pair.pass(30 * 86_400);
    pair.first().await.unwrap();
    assert_eq!(grants(), ["refresh_token"]);
    pair.fake.world(|world| {
        world.revoke_refresh();
        world.gives_refresh = false;
    });
    pair.pass(7 * 86_400);
    pair.first().await.unwrap();
    assert_eq!(grants(), ["refresh_token", "client_credentials"]);
    pair.pass(7 * 86_400);
    pair.first().await.unwrap();
    assert_eq!(grants(), ["client_credentials"]);
    let log = pair.fake.log();
    assert!(
        log.iter().all(|request| request.status == 200),
        "no 401 was needed"
    );
}

fn field(request: &Request, name: &str) -> String {
    let form = request.form();
    let known = form.into_iter().find(|(known, _)| known == name);
    known.map(|(_, value)| value).unwrap_or_default()
}

#[tokio::test]
async fn a_renewal_whose_answer_is_lost_costs_nothing_but_a_repetition() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    pair.first().await.unwrap();
    pair.pass(8 * 86_400);
    pair.fake
        .world(|world| world.trouble("token", Trouble::Lost));
    let fault = pair.first().await.unwrap_err();
    assert!(matches!(fault, Fault::Unavailable { .. }), "{fault:?}");
    silent(&fault);
    // Admitad has a new pair that we never saw, and the old one is dead.
    assert_eq!(pair.first().await.unwrap().len(), 3);
    assert_eq!(pair.asked("/token/"), 4);
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_used_while_renewing_fails() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    pair.first().await.unwrap();
    pair.pass(7 * 86_400 - 200);
    pair.fake
        .world(|world| world.trouble("token", Trouble::Html(502)));
    assert_eq!(pair.first().await.unwrap().len(), 3);
    pair.pass(200);
    pair.fake
        .world(|world| world.trouble("token", Trouble::Html(502)));
    assert!(matches!(pair.first().await, Err(Fault::Unavailable { .. })));
    assert_eq!(pair.first().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_replaced_once() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    pair.first().await.unwrap();
    pair.fake.world(World::revoke_tokens);
    pair.fake.take_log();
    assert_eq!(pair.first().await.unwrap().len(), 3);
    let statuses: Vec<_> = pair
        .fake
        .take_log()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [401, 200, 200]);
    // Admitad accepts no token at all, not even new ones.
    pair.fake.world(|world| {
        world.before_each(|request, world| {
            if request.path != "/token/" {
                world.revoke_tokens();
            }
        });
    });
    let fault = pair.first().await.unwrap_err();
    assert!(matches!(fault, Fault::Unauthorized { .. }), "{fault:?}");
    silent(&fault);
    assert_eq!(pair.asked("/statistics/actions/"), 2, "it is repeated once");
    // When that is over, it goes on.
    pair.fake.world(|world| world.before_each(|_, _| {}));
    assert_eq!(pair.first().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_wrong_key_is_said_in_words_that_help() {
    let pair = pair();
    let wrong = "wr0ng-secret-of-the-account";
    let client = client(&pair.fake, wrong, Duration::from_secs(60));
    let fault = client
        .ad_spaces(pair.now(), PageAt::FIRST)
        .await
        .unwrap_err();
    assert!(matches!(fault, Fault::Unauthorized { .. }), "{fault:?}");
    let words = fault.to_string();
    assert!(words.contains("client id and secret"), "{words}");
    let head = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("{CLIENT_ID}:{wrong}"),
    );
    assert!(
        !words.contains(wrong) && !words.contains(&head[..12]),
        "{words}"
    );
    assert!(words.contains("***"), "Admitad repeats the key: {words}");
    assert!(!fault.is_passing());
    assert_eq!(pair.asked("/websites/"), 0);
}

#[tokio::test]
async fn a_key_without_the_optional_rights_does_the_rest() {
    for names in [true, false] {
        let pair = pair();
        pair.fake.world(|world| {
            world.put(three());
            world
                .scopes
                .retain(|scope| *scope != "aliexpress_commission");
            world.names_refused_scopes = names;
        });
        assert_eq!(pair.first().await.unwrap().len(), 3);
        let urls = ["https://aliexpress.com/item/1.html".to_owned()];
        let lacks = async || {
            pair.client
                .commission_rates(pair.now(), &urls)
                .await
                .unwrap_err()
        };
        let scope = "aliexpress_commission".to_owned();
        assert_eq!(lacks().await, Fault::MissingScope { scope });
        assert_eq!(
            pair.asked("/aliexpress/commission_rates/"),
            0,
            "it is not even asked"
        );
        let balance = pair.client.balance(pair.now()).await;
        assert_eq!(
            balance.is_ok(),
            names,
            "what is not named is left out as a whole"
        );
        let missing = pair.client.missing_scopes().await;
        assert_eq!(missing.len(), if names { 1 } else { 3 });
        assert!(
            lacks()
                .await
                .to_string()
                .contains("scope aliexpress_commission")
        );
        // The user has ticked it: within an hour it works.
        pair.fake
            .world(|world| world.scopes.push("aliexpress_commission"));
        lacks().await;
        pair.pass(3_600);
        let rates = pair
            .client
            .commission_rates(pair.now(), &urls)
            .await
            .unwrap();
        assert_eq!(rates.items.len(), 1);
        assert_eq!(pair.client.missing_scopes().await.len(), 0);
    }
}

#[tokio::test]
async fn a_key_without_a_needed_right_says_which() {
    let pair = pair();
    pair.fake
        .world(|world| world.scopes.retain(|scope| *scope != "statistics"));
    let fault = pair.first().await.unwrap_err();
    let scope = "statistics".to_owned();
    assert_eq!(fault, Fault::MissingScope { scope });
    assert!(!fault.is_passing());
}

#[tokio::test]
async fn a_right_that_is_taken_away_later_is_missed_and_found_again() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    pair.first().await.unwrap();
    pair.fake
        .world(|world| world.scopes.retain(|scope| *scope != "statistics"));
    let scope = "statistics".to_owned();
    assert_eq!(pair.first().await, Err(Fault::MissingScope { scope }));
    assert!(
        pair.client
            .ad_spaces(pair.now(), PageAt::FIRST)
            .await
            .is_ok()
    );
    pair.fake.world(|world| world.scopes.push("statistics"));
    assert_eq!(pair.first().await.unwrap().len(), 3);
}

#[tokio::test]
async fn too_many_requests_are_told_from_a_server_that_fails() {
    let pair = pair();
    pair.fake.world(|world| {
        world.rate_limit = 3;
        world.retry_after = Some(40);
    });
    pair.first().await.unwrap();
    pair.first().await.unwrap();
    let fault = pair.first().await.unwrap_err();
    let retry_after = Some(Duration::from_secs(40));
    assert_eq!(fault, Fault::RateLimited { retry_after });
    assert!(fault.is_passing());
    pair.pass(60);
    pair.first().await.unwrap();
    pair.fake.world(|world| world.rate_limit = 600);
    let unavailable = pair.through(Trouble::Status(503, "", Some(7))).await;
    assert!(
        matches!(unavailable, Fault::Unavailable { .. }),
        "{unavailable:?}"
    );
    assert_eq!(unavailable.retry_after(), Some(Duration::from_secs(7)));
    let limited = pair.through(Trouble::Status(429, "{}", None)).await;
    assert_eq!(limited, Fault::RateLimited { retry_after: None });
}

#[tokio::test]
async fn a_caller_who_keeps_the_budget_is_never_refused() {
    let pair = pair();
    pair.fake
        .world(|world| world.token_life = TimeDelta::seconds(20));
    let mut budget = RateBudget::new();
    let (mut answered, mut sent) = (0, 0);
    let started = pair.clock.elapsed();
    while answered < 1_500 {
        match budget.take(pair.now()) {
            Turn::Wait(wait) => pair.clock.advance(wait),
            Turn::Go => {
                pair.client.balance(pair.now()).await.unwrap();
                answered += 1;
                let requests = pair.client.requests() - sent;
                sent += requests;
                budget.charge(pair.now(), u32::try_from(requests).unwrap() - 1);
            }
        }
    }
    assert!(pair.asked("/token/") > 5, "tokens count, too");
    let took = pair.clock.elapsed() - started;
    assert!(
        took < Duration::from_secs(190),
        "{took:?} for 1500 requests"
    );
}

#[tokio::test]
async fn pages_of_html_are_shown_by_their_beginning() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    let fault = pair.through(Trouble::Html(200)).await;
    let Fault::Unreadable { cause, excerpt } = &fault else {
        panic!("{fault:?}")
    };
    assert!(cause.contains("HTML"), "{cause}");
    assert!(excerpt.contains("Bad gateway"), "{excerpt}");
    assert!(
        excerpt.contains("Bearer ***"),
        "the token it repeats is hidden: {excerpt}"
    );
    assert!(fault.is_passing());
    let fault = pair.through(Trouble::Html(502)).await;
    assert!(matches!(fault, Fault::Unavailable { .. }), "{fault:?}");
    assert!(fault.to_string().contains("502"));
    let fault = pair.through(Trouble::Html(404)).await;
    assert!(
        matches!(fault, Fault::Refused { status: 404, .. }),
        "{fault:?}"
    );
    assert_eq!(pair.first().await.unwrap().len(), 3);
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    pair.first().await.unwrap();
    for gzip in [true, false] {
        pair.fake.world(|world| world.gzip = gzip);
        let fault = pair.through(Trouble::Cut).await;
        assert!(matches!(fault, Fault::Unavailable { .. }), "{fault:?}");
        let fault = pair.through(Trouble::HangUp).await;
        assert!(matches!(fault, Fault::Unavailable { .. }), "{fault:?}");
        let fault = pair.through(Trouble::Half).await;
        assert!(
            matches!(&fault, Fault::Unreadable { cause, .. } if cause.contains("in the middle")),
            "{fault:?}"
        );
        let fault = pair.through(Trouble::Status(200, "", None)).await;
        assert!(matches!(&fault, Fault::Unreadable { cause, .. } if cause.contains("empty")));
        let fault = pair
            .through(Trouble::Status(200, "{\"results\":7}", None))
            .await;
        assert!(matches!(&fault, Fault::Unreadable { cause, .. } if cause.contains("form")));
        assert_eq!(pair.first().await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn an_unreadable_token_is_not_shown() {
    let pair = pair();
    for trouble in [
        Trouble::Half,
        Trouble::Html(200),
        Trouble::Status(200, "{}", None),
    ] {
        pair.fake
            .world(|world| world.trouble("token", trouble.clone()));
        let fault = pair.first().await.unwrap_err();
        assert!(
            matches!(&fault, Fault::Unreadable { .. }),
            "{trouble:?}: {fault:?}"
        );
        silent(&fault);
    }
}

/// An error in a good status repeats what was sent: the token, the key, the token for renewing.
#[tokio::test]
async fn an_error_in_a_good_status_does_not_show_what_it_repeats() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    pair.first().await.unwrap();
    let token = pair.fake.world(|world| world.live_tokens().remove(0));
    // Cut before it is hidden, half of it would be left.
    let long = "x".repeat(150);
    for body in [
        format!(
            r#"{{"error":"bad","error_code":3,"error_description":"Token {token} and {CLIENT_SECRET}"}}"#
        ),
        format!(r#"{{"error":"bad","error_code":3,"details":"{long}{token}"}}"#),
    ] {
        let fault = pair
            .through(Trouble::Status(200, Box::leak(body.into_boxed_str()), None))
            .await;
        assert!(
            matches!(&fault, Fault::Refused { message, .. } if message.contains("***")),
            "{fault:?}"
        );
    }
    // Nor is a token shown that is refused.
    pair.fake.world(|world| {
        world.before_each(|request, world| {
            if request.path != "/token/" {
                let head = request.header("authorization");
                let token = head.trim_start_matches("Bearer ");
                let body = format!(
                    r#"{{"error":"invalid_token","error_code":1,"error_description":"Token {token} is unknown"}}"#
                );
                let body = Box::leak(body.into_boxed_str());
                world.trouble("statistics/actions", Trouble::Status(200, body, None));
            }
        });
    });
    let fault = pair.first().await.unwrap_err();
    silent(&fault);
    assert!(
        matches!(&fault, Fault::Unauthorized { said } if said.contains("Token *** is unknown")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn an_error_in_a_good_status_is_an_error() {
    let pair = pair();
    let body = r#"{"error":"bad_format","error_description":"Wrong date.","error_code":3}"#;
    let fault = pair.through(Trouble::Status(200, body, None)).await;
    let Fault::Refused {
        status: 200,
        message,
        ..
    } = &fault
    else {
        panic!("{fault:?}")
    };
    assert_eq!(message, "bad_format: Wrong date");
    let body = r#"{"error":"limit","error_description":"x","error_code":"4"}"#;
    let fault = pair.through(Trouble::Status(200, body, None)).await;
    assert_eq!(fault, Fault::RateLimited { retry_after: None });
    let body = r#"{"error":"x","error_description":"y","error_code":6}"#;
    let fault = pair.through(Trouble::Status(400, body, None)).await;
    assert!(fault.to_string().contains("too many tokens"), "{fault}");
}

#[tokio::test]
async fn what_is_not_the_page_that_was_asked_for_is_not_taken() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    let fault = pair.through(Trouble::WrongPage).await;
    assert!(matches!(fault, Fault::Unreadable { .. }), "{fault:?}");
    // Rows that stand twice are the caller's to fold.
    pair.fake
        .world(|world| world.trouble("statistics/actions", Trouble::Repeat));
    let page = pair.actions(EVER, PageAt::FIRST).await.unwrap();
    assert_eq!(page.items.len(), 4);
    assert_eq!(page.items[0].text, page.items[3].text);
    assert_eq!(page.next(PageAt::FIRST), None);
    // What is no record is refused by itself.
    let body = "{\"_meta\":{\"count\":\"2\"},\n\"results\":[ 7,\n\n {\"id\" : 1.50} ]}";
    pair.fake.world(|world| {
        world.trouble("statistics/actions", Trouble::Status(200, body, None));
    });
    let page = pair.actions(EVER, PageAt::FIRST).await.unwrap();
    assert_eq!(texts(&page), ["{\"id\" : 1.50}"]);
    let place = page.items[0].place;
    assert_eq!((place.page, place.index, place.line), (1, 1, 4));
    assert_eq!(
        usize::try_from(place.byte).unwrap(),
        body.find("{\"id").unwrap()
    );
    assert_eq!(page.rejects.len(), 1);
    assert_eq!((page.rows, page.total), (2, 2));
}

#[tokio::test]
async fn an_empty_page_ends_a_list_only_where_the_count_says_so() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    for (body, words) in [
        (
            r#"{"results":[],"_meta":{"count":3}}"#,
            "is empty, although there are 3 rows",
        ),
        (r#"{"results":[]}"#, "how many rows there are"),
        (r#"{"results":[],"_meta":{}}"#, "how many rows there are"),
        (
            r#"{"results":[{"id":1}],"_meta":{"count":"many"}}"#,
            "how many rows there are",
        ),
    ] {
        let fault = pair.through(Trouble::Status(200, body, None)).await;
        assert!(
            matches!(&fault, Fault::Unreadable { cause, .. } if cause.contains(words)),
            "{fault:?}"
        );
    }
    let body = r#"{"results":[],"_meta":{"count":0}}"#;
    pair.fake
        .world(|world| world.trouble("statistics/actions", Trouble::Status(200, body, None)));
    let page = pair.actions(EVER, PageAt::FIRST).await.unwrap();
    assert_eq!((page.rows, page.total), (0, 0));
    // Behind the last row there is none.
    let behind = PageAt {
        offset: 3,
        ..PageAt::FIRST
    };
    assert_eq!(pair.actions(EVER, behind).await.unwrap().rows, 0);
}

#[tokio::test]
async fn pages_that_shift_while_they_are_read_come_to_an_end() {
    let pair = pair();
    pair.fake.world(|world| {
        world.follow(Story::new(3, 1_000, 30, story_start()));
        let mut asked = 0;
        world.before_each(move |request, world| {
            asked += usize::from(request.path == "/statistics/actions/");
            if asked == 2 {
                // The oldest are gone: the second page begins behind rows that nobody has seen.
                let oldest: Vec<i64> = world.actions.keys().take(700).copied().collect();
                world.actions.retain(|id, _| !oldest.contains(id));
            }
        });
    });
    let first = pair.actions(EVER, PageAt::FIRST).await.unwrap();
    let at = first.next(PageAt::FIRST).unwrap();
    let second = pair.actions(EVER, at).await.unwrap();
    assert_eq!(second.items.len(), 0);
    assert_eq!(second.next(at), None);
}

#[tokio::test]
async fn a_slow_answer_is_given_up() {
    let pair = pair();
    pair.fake
        .world(|world| world.trouble("token", Trouble::Hold));
    let hasty = client(&pair.fake, CLIENT_SECRET, Duration::from_millis(50));
    let fault = hasty.balance(pair.now()).await.unwrap_err();
    let Fault::Unavailable { cause, .. } = &fault else {
        panic!("{fault:?}")
    };
    assert!(cause.contains("within 0.05 seconds"), "{cause}");
    // Nothing is left behind that would hinder the next.
    pair.fake.release();
    let patient = client(&pair.fake, CLIENT_SECRET, Duration::from_secs(60));
    patient.balance(pair.now()).await.unwrap();
    // What has to be current is waited for for less time.
    pair.fake
        .world(|world| world.trouble("statistics/actions", Trouble::Hold));
    let query = ActionsQuery {
        by: EVER,
        offset_minutes: OFFSET,
        order: ActionsOrder::Ascending,
    };
    let little = Some(Duration::from_millis(40));
    let read = patient.actions_within(pair.now(), &query, PageAt::FIRST, little);
    let fault = read.await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unavailable { cause, .. } if cause.contains("within 0.04 seconds")),
        "{fault:?}"
    );
    pair.fake.release();
}

#[test]
fn many_who_need_a_token_wait_for_one() {
    let pair = pair();
    pair.fake.world(|world| {
        world.put(three());
        world.trouble("token", Trouble::Hold);
    });
    let all = || futures::future::join_all((0..8).map(|_| pair.first()));
    let fake = &pair.fake;
    let runtime = crate::support::world::runtime();
    // Another thread waits for the token's answer to be held, while all requests are on their way here.
    let answers = std::thread::scope(|scope| {
        scope.spawn(|| {
            fake.wait_until_held(1);
            fake.release();
        });
        runtime.block_on(all())
    });
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().len() == 3)
    );
    assert_eq!(pair.asked("/token/"), 1);
    // All of them find it refused: it is replaced once.
    pair.fake.world(World::revoke_tokens);
    let answers = runtime.block_on(all());
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().len() == 3)
    );
    assert_eq!(pair.asked("/token/"), 2);
}

#[tokio::test]
async fn nobody_else_sees_the_key() {
    let (pair, other) = (pair(), pair());
    pair.first().await.unwrap();
    let fault = pair.through(Trouble::SendOn(other.fake.base_url())).await;
    assert!(
        matches!(fault, Fault::Refused { status: 302, .. }),
        "{fault:?}"
    );
    pair.fake.world(World::revoke_tokens);
    pair.fake
        .world(|world| world.trouble("token", Trouble::SendOn(other.fake.base_url())));
    pair.first().await.unwrap();
    assert_eq!(other.fake.log().len(), 0);
    // Within the host it is followed.
    let here = format!("{}statistics/actions/", pair.fake.base_url());
    pair.fake
        .world(|world| world.trouble("statistics/actions", Trouble::SendOn(here)));
    pair.first().await.unwrap();
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let pair = pair();
    pair.first().await.unwrap();
    let fault = pair.through(Trouble::Endless(65)).await;
    assert!(
        matches!(&fault, Fault::Unreadable { cause, .. } if cause.contains("64 MB")),
        "{fault:?}"
    );
    pair.first().await.unwrap();
}

#[tokio::test]
async fn nobody_at_home_is_said_so() {
    let pair = pair();
    let base = pair.fake.base_url();
    drop(pair.fake);
    let fault = pair.client.balance(Instant::MIN).await.unwrap_err();
    let Fault::Unavailable { cause, .. } = &fault else {
        panic!("{fault:?}")
    };
    assert!(cause.contains("no connection to 127.0.0.1"), "{cause}");
    assert!(!cause.contains(&base), "{cause}");
}

fn clicks_of(from: &str, to: &str) -> ClicksQuery {
    ClicksQuery {
        from: day(from),
        to: day(to),
        program: None,
        ad_space: None,
        slot: None,
    }
}

#[tokio::test]
async fn clicks_are_counted_once_whatever_the_currencies() {
    let pair = pair();
    let clicks = |day, program, subid: Option<&str>, clicks| Clicks {
        day: NaiveDate::from_ymd_opt(2026, 3, day).unwrap(),
        program,
        ad_space: 2001,
        subids: [None, subid.map(str::to_owned), None, None, None],
        clicks,
        views: clicks * 2,
    };
    pair.fake.world(|world| {
        world.clicks = vec![
            clicks(1, 6115, Some("u-1"), 5),
            clicks(1, 25179, Some("u-1"), 7),
            clicks(1, 25179, None, 1),
            clicks(2, 6115, Some("u-2"), 3),
        ];
        world.put(three());
    });
    let query = clicks_of("2026-03-01", "2026-03-02");
    let page = pair.client.clicks_by_day(pair.now(), &query, PageAt::FIRST);
    let page = page.await.unwrap();
    let seen: Vec<_> = page
        .items
        .iter()
        .map(|row| (row.day, row.clicks, row.views))
        .collect();
    let days = [day("2026-03-01"), day("2026-03-02")];
    assert_eq!(seen, [(days[0], 13, Some(26)), (days[1], 3, Some(6))]);
    assert_eq!(page.rows, 3, "upstream has a row for each currency");
    let only = ClicksQuery {
        program: Some("25179".to_owned()),
        ad_space: Some("2001".to_owned()),
        slot: Some(1),
        ..clicks_of("2026-03-01", "2026-03-01")
    };
    let page = pair.client.clicks_by_day(pair.now(), &only, PageAt::FIRST);
    let page = page.await.unwrap();
    assert_eq!(page.items[0].clicks, 8);
    let ask = async |query: &ClicksQuery| {
        let page = pair
            .client
            .clicks_by_subid(pair.now(), query, PageAt::FIRST)
            .await
            .unwrap();
        let row = page
            .items
            .into_iter()
            .map(|row| (row.subid, row.clicks, row.views));
        row.collect::<Vec<_>>()
    };
    let user = || Some("u-1".to_owned());
    assert_eq!(ask(&only).await, [(None, 1, None), (user(), 7, None)]);
    let all = ClicksQuery {
        program: None,
        ..only.clone()
    };
    assert_eq!(ask(&all).await, [(None, 1, None), (user(), 12, None)]);
    let elsewhere = ClicksQuery {
        ad_space: Some("2002".to_owned()),
        ..only
    };
    assert_eq!(ask(&elsewhere).await, []);
}

#[tokio::test]
async fn clicks_of_many_days_are_read_to_the_last_page() {
    let pair = pair();
    pair.fake.world(|world| {
        world.follow(Story::new(5, 50, 5, story_start()));
        let start = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
        let days = (0..700).map(|number| start + TimeDelta::days(number));
        world.clicks = days
            .map(|day| Clicks {
                day,
                program: 6115,
                ad_space: 2001,
                subids: [const { None }; 5],
                clicks: 1,
                views: 0,
            })
            .collect();
    });
    let query = clicks_of("2023-01-01", "2025-12-31");
    let (mut at, mut days) = (Some(PageAt::FIRST), Vec::new());
    while let Some(here) = at {
        let page = pair.client.clicks_by_day(pair.now(), &query, here).await;
        let page = page.unwrap();
        at = page.next(here);
        days.extend(page.items);
    }
    assert_eq!(days.len(), 700);
    assert_eq!(days.iter().map(|row| row.clicks).sum::<i64>(), 700);
}

#[tokio::test]
async fn programs_and_ad_spaces_are_understood() {
    let pair = pair();
    let (client, now) = (&pair.client, pair.now());
    let programs = client.programs(now, PageAt::FIRST).await.unwrap();
    assert_eq!((programs.items.len(), programs.rejects.len()), (3, 0));
    let ww = &programs.items[0];
    assert_eq!(
        (ww.external_id.as_str(), ww.name.as_str()),
        ("6115", "AliExpress WW")
    );
    assert_eq!(ww.currency, Some(Currency::USD));
    assert_eq!((ww.avg_hold_days, ww.max_hold_days), (Some(25), None));
    assert_eq!((ww.avg_payment_days, ww.cookie_days), (Some(26), Some(3)));
    assert_eq!(ww.countries, ["PL", "DE"]);
    assert_eq!(ww.regions, ["00", "PL"]);
    assert_eq!(ww.all_countries, Some(false));
    let feed = &ww.feeds[0];
    assert!(
        feed.xml_link
            .as_ref()
            .unwrap()
            .expose()
            .contains("code=f00d-6115")
    );
    assert!(
        !format!("{programs:?}").contains("f00d"),
        "links of feeds hold a code"
    );

    let spaces = client
        .ad_spaces(
            now,
            PageAt {
                limit: 2,
                offset: 1,
            },
        )
        .await
        .unwrap();
    let names: Vec<_> = spaces.items.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["Telegram \"deals\"", "Кэшбэк"]);
    assert_eq!(spaces.items[0].external_id, "2002");
}

#[tokio::test]
async fn rates_balances_and_commissions_are_understood() {
    let pair = pair();
    pair.fake.world(|world| world.put(three()));
    let (client, now) = (&pair.client, pair.now());
    let (rub, on) = (Currency::parse("RUB").unwrap(), day("2026-03-01"));
    let rate = client
        .rate(now, Currency::USD, rub, on)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((rate.rate_e9, rate.day), (91_594_500_000, on.days()));
    let rate = client
        .rate(now, rub, Currency::USD, on)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rate.rate_e9, 10_917_686);
    assert_eq!(client.rate(now, rub, rub, on).await.unwrap(), None);
    // Anything else than Admitad's own word that there is none is a fault.
    let refusal = r#"{"error":"invalid_request","error_description":"No","error_code":3}"#;
    for (trouble, wanted) in [
        (Trouble::Html(404), 404),
        (Trouble::Status(404, "", None), 404),
        (Trouble::Status(400, refusal, None), 400),
        (Trouble::SendOn("https://other.example/".to_owned()), 302),
    ] {
        pair.fake
            .world(|world| world.trouble("currencies/rate", trouble));
        let fault = client.rate(now, Currency::USD, rub, on).await.unwrap_err();
        assert!(
            matches!(fault, Fault::Refused { status, .. } if status == wanted),
            "{fault:?}"
        );
    }

    let balance = client.balance(now).await.unwrap();
    let usd = &balance.items[0];
    assert_eq!(
        (usd.currency, usd.processing_e4, usd.balance_e4),
        (Currency::USD, 37_800, 0)
    );

    let urls: Vec<String> = ["a", "b"]
        .map(|name| format!("https://x.example/{name}?q=1&r=ё"))
        .into();
    let rates = client.commission_rates(now, &urls).await.unwrap().items;
    assert_eq!(
        (
            rates[0].percent_e4,
            rates[0].hot_percent_e4,
            rates[0].is_hot
        ),
        (Some(70_000), None, false)
    );
    assert_eq!(
        (
            rates[1].percent_e4,
            rates[1].hot_percent_e4,
            rates[1].is_hot
        ),
        (Some(35_000), Some(690_000), true)
    );
    assert_eq!([&rates[0].url, &rates[1].url], [&urls[0], &urls[1]]);
}

#[tokio::test]
async fn a_row_that_is_not_understood_is_refused_by_itself() {
    let pair = pair();
    let body = r#"{"results":[{"name":"nameless"},{"id":7},{"id":8,"currency":"dollars"},[]],"_meta":{"count":4}}"#;
    pair.fake
        .world(|world| world.trouble("advcampaigns", Trouble::Status(200, body, None)));
    let page = pair
        .client
        .programs(pair.now(), PageAt::FIRST)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].name, "7");
    let mut fields: Vec<_> = page
        .rejects
        .iter()
        .map(|reject| (reject.place.index, reject.field.as_deref()))
        .collect();
    fields.sort();
    assert_eq!(fields, [(0, Some("id")), (2, Some("currency")), (3, None)]);
    assert_eq!(page.rows, 4);
    let body = r#"{"results":[{"date":"2021-15-01","clicks":4},{"date":"2021-01-15","clicks":-4},{"date":"2021-01-15"}],"_meta":{"count":3}}"#;
    pair.fake
        .world(|world| world.trouble("statistics/dates", Trouble::Status(200, body, None)));
    let query = clicks_of("2021-01-01", "2021-12-31");
    let page = pair.client.clicks_by_day(pair.now(), &query, PageAt::FIRST);
    let page = page.await.unwrap();
    assert_eq!((page.items.len(), page.rejects.len()), (0, 3));
}

#[tokio::test]
async fn nothing_of_the_client_shows_its_secrets() {
    let pair = pair();
    pair.first().await.unwrap();
    let live = pair.fake.world(|world| world.live_tokens());
    assert_eq!(live.len(), 1);
    let credentials = Credentials {
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
    };
    for shown in [
        format!("{:?}", pair.client),
        format!("{:#?}", pair.client),
        format!("{credentials:?}"),
    ] {
        assert!(
            !shown.contains(CLIENT_SECRET) && !shown.contains(&live[0]),
            "{shown}"
        );
    }
}

/// The fake's own figures agree with its own actions: what is checked against it rests on that.
#[tokio::test]
async fn the_fakes_sums_are_those_of_its_actions() {
    let pair = pair();
    pair.fake
        .world(|world| world.follow(Story::new(11, 400, 20, story_start())));
    let records = pair.first().await.unwrap();
    assert!(
        records.len() > 350 && records.len() < 400,
        "some have vanished: {}",
        records.len()
    );
    let mut expected: BTreeMap<(String, String), i64> = BTreeMap::new();
    let cents = |value: &Value| {
        let text = value.to_string();
        let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}{rest:0<4}").parse::<i64>().unwrap()
    };
    let mut statuses = BTreeMap::new();
    for record in &records {
        let record: Value = serde_json::from_str(record).unwrap();
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        *statuses.entry(text("status")).or_insert(0) += 1;
        let key = (text("action_date")[..10].to_owned(), text("currency"));
        *expected.entry(key).or_default() += cents(&record["payment"]);
    }
    for status in ["pending", "approved", "declined"] {
        assert!(statuses[status] > 20, "{statuses:?}");
    }
    let url = format!(
        "{}statistics/dates/?date_start=01.01.2026&date_end=31.01.2026&limit=500",
        pair.fake.base_url()
    );
    let token = pair.fake.world(|world| world.live_tokens().remove(0));
    let answer = raw_get(&url, &token);
    let mut seen = BTreeMap::new();
    for row in answer["results"].as_array().unwrap() {
        let sums = [
            "payment_sum_open",
            "payment_sum_approved",
            "payment_sum_declined",
        ];
        let sum: i64 = sums.iter().map(|name| cents(&row[*name])).sum();
        let key = (
            row["date"].as_str().unwrap().to_owned(),
            row["currency"].as_str().unwrap().to_owned(),
        );
        seen.insert(key, sum);
    }
    seen.retain(|_, sum| *sum != 0);
    assert_eq!(seen, expected);
    // The same seed gives the same world, and it goes on as its clock does.
    let before = pair.fake.world(World::truth);
    let again = pair.fake.world(|world| {
        world.actions.clear();
        world.follow(Story::new(11, 400, 20, story_start()));
        world.truth()
    });
    assert_eq!(before, again);
}

/// A request as a stranger would send it: no product code.
fn raw_get(url: &str, token: &str) -> Value {
    use std::io::{Read, Write};
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut connection = std::net::TcpStream::connect(host).unwrap();
    let head = format!("GET /{path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}
