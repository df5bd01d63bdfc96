//! Random bytes as answers of the network: every reader of them, through the real client, and the sync as a whole. Each
//! answer begins from a text of `tests/fuzz/corpus/answers.txt`, where what once failed belongs, and is changed byte by
//! byte; its status and content type are anything. `PROPERTY_CASES` and `PROPERTY_SEED` say how many and which.

use crate::support::admitad::{CLIENT_ID, CLIENT_SECRET, FakeAdmitad, Trouble};
use crate::support::check::{seed, soak};
use crate::support::dice::Dice;
use crate::support::drafts::at;
use crate::sync::{Stage, whole_carts};
use actiongraph::clock::Clock;
use actiongraph::domain::money::Currency;
use actiongraph::domain::secret::Secret;
use actiongraph::domain::sync::Freshness;
use actiongraph::domain::time::{Day, Instant};
use actiongraph::ingest::admitad::{
    ActionsBy, ActionsOrder, ActionsQuery, ClicksQuery, Client, Credentials, Fault, Page, PageAt,
};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many answers each reader gets in `make test`.
const FEW: usize = 250;
/// How many steps of a sync are tried in `make test`, for each kind of answer.
const STEPS: usize = 160;
/// The longest sentence about an answer, in characters: the answer may have megabytes.
const SENTENCE: usize = 1_500;

/// Statuses, the good one more often.
const STATUSES: [u16; 12] = [200, 200, 200, 200, 200, 201, 400, 401, 403, 404, 429, 503];

/// Content types, wrong ones and hostile ones among them.
const KINDS: [&str; 7] = [
    "application/json",
    "application/json; charset=utf-16",
    "text/html",
    "image/png",
    "",
    "application/json\r\nRetry-After: 18446744073709551615",
    "application/json\r\nContent-Encoding: gzip",
];

/// Pieces that readers have rules for.
const PIECES: [&str; 20] = [
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\0",
    "null",
    "true",
    "-",
    "1e999999999",
    "99999999999999999999999999999999999999",
    "0.00000000000000000001",
    "[",
    "{\"a\":",
    "\"",
    "\\",
    ",",
    "}",
    "<html>",
    "é",
    "{}",
    "[[]]",
];

fn corpus() -> Vec<Vec<u8>> {
    let text = include_str!("../fuzz/corpus/answers.txt");
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// An answer that is none: a text of the corpus with some changes, or something else altogether.
fn damaged(dice: &mut Dice, texts: &[Vec<u8>]) -> Vec<u8> {
    match dice.below(20) {
        0 => {
            let length = dice.below(300);
            return (0..length).map(|_| dice.next().to_le_bytes()[0]).collect();
        }
        // Deeper than any stack.
        1 => return [&b"{\"results\":"[..], &b"[".repeat(20_000)].concat(),
        2 => return [&b"{\"results\":[{\"id\":"[..], &b"{\"a\":".repeat(20_000)].concat(),
        // One value of a great length, in the place of anything.
        3 => {
            let long = "x".repeat(100_000);
            return format!("{{\"results\":[{{\"id\":\"{long}\",\"date\":\"{long}\",\"subid1\":\"{long}\",\"clicks\":1}}]}}").into();
        }
        4 => return format!("\"{}\"", "y".repeat(100_000)).into(),
        _ => {}
    }
    let mut bytes = dice.pick(texts).clone();
    for _ in 0..dice.below(7) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + 1 + dice.below(24)).min(bytes.len());
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < end => {
                bytes.drain(at..end);
            }
            2 if at < end => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => bytes.insert(at, dice.next().to_le_bytes()[0]),
            4 => {
                bytes.splice(at..at, dice.pick(&PIECES).bytes());
            }
            5 => {
                let other = dice.pick(texts);
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ if dice.percent(30) => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

fn trouble(dice: &mut Dice, body: Vec<u8>) -> Trouble {
    Trouble::Answer {
        status: *dice.pick(&STATUSES),
        kind: dice.pick::<&str>(&KINDS),
        body,
    }
}

/// An upstream that answers one path with whatever it is given.
struct Liar {
    fake: FakeAdmitad,
    answer: Arc<Mutex<Option<Trouble>>>,
}

impl Liar {
    fn about(path: &'static str) -> Self {
        let clock = Clock::fixed(at("2026-03-10T12:00:00Z").to_utc());
        let fake = FakeAdmitad::start(clock);
        let answer: Arc<Mutex<Option<Trouble>>> = Arc::default();
        let given = Arc::clone(&answer);
        fake.world(|world| {
            world.gzip = false;
            world.rate_limit = usize::MAX;
            world.before_each(move |request, world| {
                if request.path.trim_matches('/') == path
                    && let Some(trouble) = given.lock().unwrap().clone()
                {
                    world.trouble(path, trouble);
                }
            });
        });
        Self { fake, answer }
    }

    fn client(&self) -> Client {
        let credentials = Credentials {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
        };
        let base = self.fake.base_url().parse().unwrap();
        Client::new(base, credentials, Duration::from_secs(20)).unwrap()
    }
}

/// What must hold of whatever became of an answer: each record is read or refused, each refusal and each fault is a
/// sentence of its own length, and no secret is in it.
fn judge<T: Debug>(outcome: Result<Page<T>, Fault>) -> Option<Fault> {
    match outcome {
        Ok(page) => {
            let told = page.items.len() + page.rejects.len();
            assert!(told <= usize::try_from(page.rows).unwrap(), "{page:?}");
            assert!(page.total >= page.rows, "{page:?}");
            for reject in &page.rejects {
                assert_sentence(&reject.message);
                assert!(reject.raw.len() <= 64 * 1024 && !reject.raw.contains('\0'));
            }
            None
        }
        Err(fault) => {
            let told = fault.to_string();
            assert_sentence(&told);
            assert!(told.ends_with('.'), "{told}");
            Some(fault)
        }
    }
}

fn assert_sentence(told: &str) {
    let length = told.chars().count();
    assert!((10..SENTENCE).contains(&length), "{length}: {told:.300}");
    assert!(!told.contains(CLIENT_SECRET), "{told}");
    assert!(!told.chars().any(char::is_control), "{told:?}");
}

/// One value as a page, so that all outcomes are judged alike.
fn paged<T>(value: Option<T>) -> Page<T> {
    let items: Vec<T> = value.into_iter().collect();
    let rows = u32::try_from(items.len()).unwrap();
    Page {
        items,
        rejects: Vec::new(),
        rows,
        total: rows,
    }
}

/// Gives a reader many damaged answers.
async fn each<T: Debug>(
    path: &'static str,
    ask: impl AsyncFn(&Client, Instant) -> Result<Page<T>, Fault>,
) {
    let liar = Liar::about(path);
    let texts = corpus();
    let mut dice = Dice::new(seed());
    let mut client = liar.client();
    let (mut read, mut refused, mut faults) = (0, 0, 0);
    let cases = soak("PROPERTY_CASES").unwrap_or(FEW) + texts.len();
    for case in 0..cases {
        // The corpus as it is, then changed.
        let answer = match texts.get(case) {
            Some(text) => Trouble::Answer {
                status: 200,
                kind: KINDS[0],
                body: text.clone(),
            },
            None => {
                let body = damaged(&mut dice, &texts);
                trouble(&mut dice, body)
            }
        };
        *liar.answer.lock().unwrap() = Some(answer.clone());
        // Each a day later, so that a token that was granted has mostly ended.
        let now =
            at("2026-03-10T12:00:00Z").micros() + i64::try_from(case).unwrap() * 86_400_000_000;
        let now = Instant::from_micros(now.min(Instant::MAX.micros())).unwrap();
        let outcome = ask(&client, now).await;
        match &outcome {
            Ok(page) => {
                read += page.items.len();
                refused += page.rejects.len();
            }
            Err(_) => faults += 1,
        }
        let fault = judge(outcome);
        // What a client has learnt of its key would keep it from asking.
        if matches!(
            fault,
            Some(Fault::MissingScope { .. } | Fault::Unauthorized { .. })
        ) {
            client = liar.client();
        }
    }
    // A tenth, so that the answers are neither all sound nor all refused unseen.
    assert!(
        faults > cases / 10,
        "{read} read, {refused} refused, {faults} faults"
    );
    assert!(
        path == "token" || read + refused > 0,
        "nothing got as far as a record"
    );
}

fn days() -> (Day, Day) {
    let day = |text| Day::parse(text).unwrap();
    (day("2024-03-01"), day("2024-03-31"))
}

fn clicks(slot: Option<u8>) -> ClicksQuery {
    ClicksQuery {
        from: days().0,
        to: days().1,
        program: Some("6115".to_owned()),
        ad_space: Some("2001".to_owned()),
        slot,
    }
}

#[tokio::test]
async fn tokens() {
    each("token", async |client, now| {
        client.ad_spaces(now, PageAt::FIRST).await
    })
    .await;
}

#[tokio::test]
async fn actions() {
    let query = ActionsQuery {
        by: ActionsBy::Ordered {
            from: days().0,
            to: days().1,
        },
        offset_minutes: 180,
        order: ActionsOrder::Ascending,
    };
    each("statistics/actions", async |client, now| {
        client.actions(now, &query, PageAt::FIRST).await
    })
    .await;
}

#[tokio::test]
async fn clicks_by_day() {
    each("statistics/dates", async |client, now| {
        client
            .clicks_by_day(now, &clicks(None), PageAt::FIRST)
            .await
    })
    .await;
}

#[tokio::test]
async fn clicks_by_subid() {
    each("statistics/sub_ids", async |client, now| {
        client
            .clicks_by_subid(now, &clicks(Some(1)), PageAt::FIRST)
            .await
    })
    .await;
}

#[tokio::test]
async fn programs() {
    each("advcampaigns", async |client, now| {
        client.programs(now, PageAt::FIRST).await
    })
    .await;
}

#[tokio::test]
async fn ad_spaces() {
    each("websites", async |client, now| {
        client.ad_spaces(now, PageAt::FIRST).await
    })
    .await;
}

#[tokio::test]
async fn links() {
    each("advcampaigns/website/2001", async |client, now| {
        client.links(now, 2001, PageAt::FIRST).await
    })
    .await;
}

#[tokio::test]
async fn rates() {
    let rub = Currency::parse("RUB").unwrap();
    each("currencies/rate", async |client, now| {
        client
            .rate(now, Currency::USD, rub, days().0)
            .await
            .map(paged)
    })
    .await;
}

#[tokio::test]
async fn balances() {
    each("me/balance/extended", async |client, now| {
        client.balance(now).await
    })
    .await;
}

#[tokio::test]
async fn commissions() {
    let urls = ["https://www.aliexpress.com/item/1.html".to_owned()];
    each("aliexpress/commission_rates", async |client, now| {
        client.commission_rates(now, &urls).await
    })
    .await;
}

/// Steps a sync whose upstream answers most requests with something that `is_wanted`; then lets it recover.
async fn storm(stage: &Stage, is_wanted: impl Fn(&[u8]) -> bool + Send + 'static) {
    let texts = corpus();
    let mut dice = Dice::new(seed() + 9);
    let mut other = Dice::new(seed() + 10);
    stage.fake.world(|world| {
        world.gzip = false;
        world.before_each(move |request, world| {
            if !dice.percent(60) {
                return;
            }
            let body = damaged(&mut dice, &texts);
            if is_wanted(&body) {
                let answer = trouble(&mut dice, body);
                world.trouble(&request.path, answer);
            }
        });
    });
    let mut sync = stage.sync();
    for step in 0..soak("PROPERTY_CASES").map_or(STEPS, |cases| cases / 20) {
        let outcome = sync.tick(stage.now()).await;
        // A fault of the network is an outcome; what ends the step is the database that took something it cannot.
        assert!(outcome.is_ok(), "seed {}, step {step}: {outcome:?}", seed());
        stage.pass(5 + u64::try_from(other.below(900)).unwrap());
        if step % 40 == 0 {
            whole_carts(&stage.world).await;
        }
        if let Some(error) = sync.state().await.unwrap().error() {
            assert_sentence(error);
        }
    }
    whole_carts(&stage.world).await;
    stage.fake.world(|world| world.before_each(|_, _| {}));
    // What was wrong with the key is asked for again after an hour.
    stage.pass(2 * 3_600);
    // And what was refused may have been because of a clock that is ahead: two hours of reads that go well say that it is not.
    let later = stage.now().micros() + 90 * 60_000_000;
    stage.until(&mut sync, |_, now| now.micros() > later).await;
    stage
        .until(&mut sync, |state, now| {
            state.freshness(now) == Freshness::Fresh
        })
        .await;
}

#[tokio::test]
async fn a_sync_that_is_answered_with_what_is_no_json_ends_complete_and_true() {
    let stage = Stage::still(31, 150).await;
    storm(&stage, |body| {
        let text = String::from_utf8_lossy(body);
        serde_json::from_str::<serde_json::Value>(text.trim_start_matches('\u{feff}')).is_err()
    })
    .await;
    stage.assert_true().await;
}

#[tokio::test]
async fn a_sync_that_is_answered_with_anything_keeps_whole_carts_and_true_totals() {
    let stage = Stage::still(32, 150).await;
    storm(&stage, |_| true).await;
    whole_carts(&stage.world).await;
}
