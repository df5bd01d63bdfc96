//! What must not be missing after an outage, a refusal or an answer that is half unreadable, and what must not be asked
//! too often.

use super::{
    DAY, HOUR, MINUTE, Stage, asked, commissions, failures, rows, setup, stored,
    without_times_of_reading,
};
use crate::support::admitad::{Action, CLIENT_SECRET, Clicks, Request, Trouble};
use crate::support::api::Api;
use crate::support::drafts::{at, item_called, sale};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::scope::{Credential, ReadScope, Viewer};
use actiongraph::domain::sync::{AccountState, Condition, Feed, Freshness};
use actiongraph::domain::time::Instant;
use actiongraph::ingest::admitad::tick::{Outcome, Setup, Sync};
use actiongraph::store::ReadTx;
use actiongraph::store::report::known_days;
use actiongraph::store::sync;
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const BY_DAY: &str =
    "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats WHERE slot = -1";
const REFUSAL: &str =
    r#"{"error":"invalid_request","error_description":"No such thing","error_code":3}"#;

/// Clicks of a day in March of the first program and ad space, with a SubID.
fn clicks(day: u32, subid: &str, clicks: i64) -> Clicks {
    Clicks {
        day: NaiveDate::from_ymd_opt(2026, 3, day).unwrap(),
        program: 6115,
        ad_space: 2001,
        subids: [None, Some(subid.to_owned()), None, None, None],
        clicks,
        views: 100,
    }
}

fn told(stage: &Stage) -> i64 {
    stage
        .fake
        .world(|world| world.clicks.iter().map(|clicks| clicks.clicks).sum())
}

/// Whether a request is about a program and an ad space.
fn is_of(request: &Request, program: &str, ad_space: &str) -> bool {
    request.one("campaign") == Some(program) && request.one("website") == Some(ad_space)
}

/// An account that was read completely, clicks and all.
async fn complete(stage: &Stage) -> Sync {
    let mut sync = stage.sync();
    stage.complete(&mut sync).await;
    stage.drive(&mut sync).await;
    sync
}

/// The runs of clicks that are not whole: what they say.
async fn partial(stage: &Stage) -> Vec<(i64, Option<String>)> {
    let runs = stage.world.rows::<entity::import_run::Entity>(0).await;
    let partial = runs
        .into_iter()
        .filter(|run| run.name == "main: clicks" && run.state == "PARTIAL");
    partial.map(|run| (run.rejected_count, run.error)).collect()
}

#[tokio::test]
async fn an_outage_leaves_no_hole_in_clicks() {
    for interrupted in [false, true] {
        let stage = Stage::still(18, 60).await;
        stage
            .fake
            .world(|world| world.clicks.push(clicks(10, "u-1", 3)));
        let mut sync = complete(&stage).await;
        assert_eq!(rows(&stage, BY_DAY).await, told(&stage));
        if interrupted {
            // In the middle of a round.
            stage.pass(HOUR + MINUTE);
            let mut sets = 0;
            while sets < 12 {
                let outcome = sync.tick(stage.now()).await.unwrap();
                assert!(!matches!(outcome, Outcome::Wait(_)), "the round is over");
                if matches!(outcome, Outcome::Worked(work) if work.feed == Feed::Clicks) {
                    sets += 1;
                }
            }
        }
        drop(sync);
        // From the tenth to the fifteenth of March nobody reads.
        stage.fake.world(|world| {
            world.clicks.push(clicks(10, "u-1", 9));
            world
                .clicks
                .extend((11..=15).map(|day| clicks(day, "u-1", i64::from(day))));
        });
        stage.pass(5 * DAY);
        let mut sync = stage.sync();
        let outcomes = stage.drive(&mut sync).await;
        assert_eq!(failures(&outcomes), Vec::<&str>::new());
        assert_eq!(rows(&stage, BY_DAY).await, told(&stage), "{interrupted}");
        let by_subid = "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats \
                        WHERE slot = 1 AND subid = 'u-1'";
        assert_eq!(
            rows(&stage, by_subid).await,
            12 + (11..=15).sum::<i64>(),
            "{interrupted}"
        );
        let state = sync.state().await.unwrap().feed(Feed::Clicks);
        assert_eq!(state.condition, Condition::Waiting);
        assert!(state.next_run > Some(stage.now()));
        // From then on the last days alone.
        stage.fake.take_log();
        stage.pass(HOUR + MINUTE);
        stage.drive(&mut sync).await;
        assert_eq!(asked(&stage.fake, "/statistics/sub_ids/"), 9 * 2 * 5);
    }
}

#[tokio::test]
async fn clicks_whose_record_is_refused_stay_as_they_were() {
    let stage = Stage::new().await;
    stage.fake.world(|world| {
        world.clicks = vec![
            clicks(8, "u-1", 4),
            clicks(9, "u-1", 5),
            clicks(10, "u-1", 6),
        ];
    });
    let mut sync = complete(&stage).await;
    assert_eq!(rows(&stage, BY_DAY).await, 15);
    assert_eq!(partial(&stage).await, []);
    // One day cannot be read, and of another there is nothing any more; neither can a SubID of today.
    stage.fake.world(|world| {
        world.before_each(|request, world| {
            if !is_of(request, "6115", "2001") {
                return;
            }
            if request.path == "/statistics/dates/" {
                let body = r#"{"results":[{"date":"2026-03-09","clicks":"n/a"},{"date":"2026-03-10","clicks":7}],"_meta":{"count":2}}"#;
                world.trouble("statistics/dates", Trouble::Status(200, body, None));
            }
            let of_subid = request.one("group_subids") == Some("subid1");
            if of_subid && request.one("date_start") == Some("10.03.2026") {
                let body = r#"{"results":[{"subid1":"u-1","clicks":"n/a"},{"subid1":"u-2","clicks":2}],"_meta":{"count":2}}"#;
                world.trouble("statistics/sub_ids", Trouble::Status(200, body, None));
            }
        });
    });
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(rows(&stage, BY_DAY).await, 5 + 7);
    let of_today = "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats \
                    WHERE slot = 1 AND subid IN ('u-1', 'u-2')";
    // Of the ninth it was read again, too.
    assert_eq!(rows(&stage, of_today).await, 5 + 6 + 2);
    assert_eq!(partial(&stage).await, [(2, None)]);
    let rejects = stage.world.rows::<entity::import_reject::Entity>(0).await;
    assert_eq!(rejects.len(), 2);
    assert!(rejects.iter().all(|row| row.raw.contains("n/a")));
}

#[tokio::test]
async fn a_program_whose_clicks_are_refused_keeps_nothing_from_the_others() {
    let stage = Stage::still(18, 60).await;
    // The first of all pairs.
    stage.fake.world(|world| {
        world
            .clicks
            .retain(|clicks| (clicks.program, clicks.ad_space) != (14_289, 2001));
        world.before_each(|request, world| {
            if request.path == "/statistics/dates/" && is_of(request, "14289", "2001") {
                world.trouble("statistics/dates", Trouble::Status(400, REFUSAL, None));
            }
        });
    });
    let mut sync = complete(&stage).await;
    assert!(told(&stage) > 0);
    assert_eq!(rows(&stage, BY_DAY).await, told(&stage));
    let state = sync.state().await.unwrap().feed(Feed::Clicks);
    assert_eq!(state.condition, Condition::Waiting);
    assert!(state.watermark.is_some());
    let error = state.last_error.unwrap();
    assert!(error.contains("program 14289 in ad space 2001"), "{error}");
    let runs = partial(&stage).await;
    assert!(!runs.is_empty());
    assert!(runs.iter().all(|(_, said)| said.is_some()), "{runs:?}");
    // The past is not read again within the day.
    stage.fake.take_log();
    stage.pass(HOUR + MINUTE);
    stage.drive(&mut sync).await;
    assert_eq!(asked(&stage.fake, "/statistics/dates/"), 9);
    // On the next it is asked once, for the last days of what was left out.
    stage.fake.take_log();
    stage.pass(DAY);
    stage.drive(&mut sync).await;
    assert_eq!(asked(&stage.fake, "/statistics/dates/"), 10);
    let state = sync.state().await.unwrap();
    let error = state.error().unwrap();
    assert!(error.contains("program 14289 in ad space 2001"), "{error}");
    // Answered again, all of the past comes in, and there is nothing to tell.
    stage.fake.world(|world| {
        world.before_each(|_, _| {});
        world
            .clicks
            .extend([(1, 40), (28, 50)].map(|(day, count)| Clicks {
                day: NaiveDate::from_ymd_opt(2026, 1, day).unwrap(),
                program: 14_289,
                ..clicks(day, "u-9", count)
            }));
    });
    stage.pass(DAY);
    stage.drive(&mut sync).await;
    assert_eq!(rows(&stage, BY_DAY).await, told(&stage));
    assert_eq!(gaps(&stage).await, [] as [String; 0]);
    let state = sync.state().await.unwrap();
    assert_eq!(state.error(), None);
}

/// What is known to be missing of clicks of all SubIDs together: program, ad space and days.
async fn gaps(stage: &Stage) -> Vec<String> {
    let known = known_days(&stage.world.tx(), stage.world.read(0), None).await;
    let (_, gaps) = known.unwrap();
    let words = gaps.into_iter().map(|gap| {
        let (first, last) = (gap.first.day, gap.last.day);
        format!("{} {} {first} {last}", gap.set.program, gap.set.ad_space)
    });
    let mut words: Vec<String> = words.collect();
    words.sort();
    words
}

/// The first and the last day of which clicks are known.
async fn known(stage: &Stage) -> Option<[String; 2]> {
    let known = known_days(&stage.world.tx(), stage.world.read(0), None).await;
    let (days, _) = known.unwrap();
    days.map(|days| [days.first, days.last].map(|day| day.day.to_string()))
}

/// Whether a round of clicks has ended and rests.
fn rests(state: &AccountState, now: Instant) -> bool {
    let of = state.feed(Feed::Clicks);
    of.condition == Condition::Waiting && of.next_run > Some(now)
}

/// Whose clicks by day are refused.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Refused {
    All,
    Past,
    /// Of the past, but for one program in one ad space.
    PastOfOthers,
}

#[tokio::test]
async fn clicks_that_are_refused_for_a_while_are_read_when_they_are_answered() {
    for refused in [Refused::All, Refused::Past, Refused::PastOfOthers] {
        let stage = Stage::still(18, 60).await;
        stage.fake.world(|world| {
            world.before_each(move |request, world| {
                let is_past = request.one("date_start") != Some("07.03.2026");
                let is_refused = match refused {
                    Refused::All => true,
                    Refused::Past => is_past,
                    Refused::PastOfOthers => is_past && !is_of(request, "6115", "2001"),
                };
                if request.path == "/statistics/dates/" && is_refused {
                    world.trouble("statistics/dates", Trouble::Html(403));
                }
            });
        });
        let mut sync = stage.sync();
        stage.until(&mut sync, rests).await;
        let state = sync.state().await.unwrap().feed(Feed::Clicks);
        let hour = i64::try_from(HOUR).unwrap() * 1_000_000;
        let rest = state.next_run.unwrap().micros() - state.last_attempt.unwrap().micros();
        assert_eq!(rest, hour, "{refused:?}");
        let error = state.last_error.unwrap();
        assert!(error.contains("were left out"), "{error}");
        assert!(told(&stage) > 0);
        let (since, left_out) = match refused {
            Refused::All => (None, 0),
            // Where not one set is answered, the past stops; else what is left out is kept.
            Refused::Past => (Some("2026-03-07"), 0),
            Refused::PastOfOthers => (Some("2025-12-15"), 8),
        };
        let days = known(&stage).await;
        let days = days.as_ref().map(|[first, _]| first.as_str());
        assert_eq!(days, since, "{refused:?}");
        let gaps_then = gaps(&stage).await;
        assert_eq!(gaps_then.len(), left_out, "{gaps_then:?}");
        let is_past = |gap: &String| gap.ends_with(" 2025-12-15 2026-03-06");
        assert!(gaps_then.iter().all(is_past), "{gaps_then:?}");
        stage.fake.world(|world| world.before_each(|_, _| {}));
        stage.pass(HOUR + MINUTE);
        stage.drive(&mut sync).await;
        if refused != Refused::All {
            // What was left out is asked for again on the next day, and so is a past that was refused.
            assert_eq!(gaps(&stage).await, gaps_then);
            assert_eq!(known(&stage).await.unwrap()[0], since.unwrap());
            stage.pass(DAY);
            stage.drive(&mut sync).await;
        }
        assert_eq!(rows(&stage, BY_DAY).await, told(&stage), "{refused:?}");
        assert_eq!(gaps(&stage).await, [] as [String; 0]);
        assert_eq!(known(&stage).await.unwrap()[0], "2025-12-15");
        let state = sync.state().await.unwrap();
        assert_eq!(state.error(), None);
    }
}

/// A report of what is known of clicks, from January on.
async fn report(api: &Api, arguments: &str) -> Value {
    report_of(api, ("2026-01-01", "2026-03-09"), arguments).await
}

/// Likewise, of some days.
async fn report_of(api: &Api, (from, to): (&str, &str), arguments: &str) -> Value {
    let query = format!(
        "{{ report(range: {{days: {{from: \"{from}\", to: \"{to}\"}}}}, {arguments}) {{ \
         nodes {{ key {{ program {{ externalId }} adSpace {{ externalId }} }} values {{ clicks cr }} }} \
         totals {{ cr }} info {{ warnings {{ code message }} }} }} }}"
    );
    let data = api.data(&query, &json!({})).await;
    data["report"].clone()
}

/// What it warns of clicks.
fn warning(report: &Value) -> Option<&str> {
    let warnings = report["info"]["warnings"].as_array().unwrap();
    let mut of_clicks = warnings
        .iter()
        .filter(|warning| warning["code"] == "CLICKS_INCOMPLETE");
    of_clicks.next()?["message"].as_str()
}

/// Its groups with clicks, and whether they have a rate.
fn rated(report: &Value, key: &str) -> BTreeMap<String, bool> {
    let rows = report["nodes"].as_array().unwrap().iter();
    let clicked = rows.filter(|row| row["values"]["clicks"] != 0);
    let named = clicked.map(|row| {
        let name = row["key"][key]["externalId"].as_str().unwrap_or_default();
        (name.to_owned(), !row["values"]["cr"].is_null())
    });
    named.collect()
}

/// A stage with clicks of two programs, of which those of one in one ad space are refused.
async fn refused_in_part() -> Stage {
    let stage = Stage::still(18, 60).await;
    stage.fake.world(|world| {
        let of_it = |id, ad_space| Action {
            program: 14_289,
            ad_space,
            ..Action::sale(id, "2026-02-10 10:00:00")
        };
        world.put([of_it(990_001, 2001), of_it(990_002, 2002)]);
        let of_day = |program, ad_space| Clicks {
            program,
            ad_space,
            ..clicks(5, "u-1", 50)
        };
        world.clicks.extend([
            of_day(6115, 2001),
            of_day(14_289, 2001),
            of_day(14_289, 2002),
        ]);
        world.before_each(|request, world| {
            if request.path == "/statistics/dates/" && is_of(request, "14289", "2001") {
                world.trouble("statistics/dates", Trouble::Html(404));
            }
        });
    });
    stage
}

#[tokio::test]
async fn reports_have_no_rates_of_a_program_whose_clicks_are_refused_for_good() {
    let stage = refused_in_part().await;
    complete(&stage).await;
    assert_eq!(gaps(&stage).await, ["14289 2001 2025-12-15 2026-03-10"]);
    let api = Api::of(&stage.world, 0);
    let by_program = report(&api, "groupBy: [PROGRAM]").await;
    let of_programs = rated(&by_program, "program");
    assert_eq!(of_programs.get("14289"), Some(&false), "{by_program:#}");
    assert_eq!(of_programs.get("6115"), Some(&true), "{by_program:#}");
    assert!(by_program["totals"]["cr"].is_null(), "{by_program:#}");
    let told = warning(&by_program).unwrap();
    assert!(told.contains("from 2025-12-15 to 2026-03-10"), "{told}");
    assert!(!told.contains("other days"), "{told}");
    let by_space = report(&api, "groupBy: [AD_SPACE]").await;
    let of_spaces = rated(&by_space, "adSpace");
    assert_eq!(of_spaces.get("2001"), Some(&false), "{by_space:#}");
    assert_eq!(of_spaces.get("2002"), Some(&true), "{by_space:#}");
    // Without it, all is known.
    for filter in [
        "program: {externalId: {eq: \"6115\"}}",
        "adSpace: {externalId: {eq: \"2002\"}}",
        "not: {program: {externalId: {eq: \"14289\"}}}",
    ] {
        let found = report(&api, &format!("filter: {{{filter}}}")).await;
        assert!(found["totals"]["cr"].is_number(), "{filter}: {found:#}");
        assert_eq!(warning(&found), None, "{filter}");
    }
    let found = report(&api, "filter: {program: {externalId: {eq: \"14289\"}}}").await;
    assert!(found["totals"]["cr"].is_null(), "{found:#}");
    assert!(warning(&found).is_some());
    // By SubID it was answered; those counts begin later.
    let found = report(&api, "filter: {subid1: {eq: \"u-1\"}}").await;
    let told = warning(&found).unwrap();
    assert!(!told.contains("refuses"), "{told}");
}

#[tokio::test]
async fn a_key_is_told_what_of_its_own_clicks_is_not_known() {
    let stage = refused_in_part().await;
    complete(&stage).await;
    let of_programs = |id: &str| Limits {
        programs: Some(vec![id.to_owned()]),
        ..Limits::default()
    };
    let of_space = |id: &str| Limits {
        ad_spaces: Some(vec![id.to_owned()]),
        ..Limits::default()
    };
    // A day with clicks of all of them.
    let day = ("2026-03-05", "2026-03-05");
    for (limits, is_known) in [
        (of_programs("14289"), false),
        (of_programs("6115"), true),
        (of_space("2001"), false),
        (of_space("2002"), true),
    ] {
        let api = Api::limited(&stage.world, 0, limits.clone());
        let found = report_of(&api, day, "groupBy: [PROGRAM]").await;
        let has_rate = found["totals"]["cr"].is_number();
        assert_eq!(has_rate, is_known, "{limits:?}: {found:#}");
        assert_eq!(warning(&found).is_none(), is_known, "{limits:?}: {found:#}");
    }
    // Of what lies before the days that a key sees it is told nothing; the tenth of March is the last that is missing.
    for (not_before, first) in [(20_520, Some("2026-03-08")), (20_523, None)] {
        let late = Limits {
            not_before: Some(not_before),
            ..of_programs("14289")
        };
        let viewer = Viewer {
            publisher: stage.world.publishers[0].clone(),
            credential: Credential::LoopbackDemo,
            limits: Arc::new(late),
        };
        let tx = ReadTx::for_viewer(&stage.world.store, &viewer, stage.now());
        let known = known_days(&tx, ReadScope::of(&viewer), None).await;
        let (_, gaps) = known.unwrap();
        let found = gaps.first().map(|gap| gap.first.day.to_string());
        assert_eq!(found.as_deref(), first);
    }
}

#[tokio::test]
async fn a_step_asks_for_one_page_of_clicks() {
    let stage = Stage::new().await;
    stage.fake.world(|world| {
        world.clicks = (0..1_700)
            .map(|number| clicks(10, &format!("u-{number}"), 1))
            .collect();
    });
    let mut sync = stage.sync();
    let mut steps = 0;
    loop {
        stage.fake.take_log();
        let outcome = sync.tick(stage.now()).await.unwrap();
        let requests = stage.fake.take_log();
        let requests = requests
            .iter()
            .filter(|request| request.path != "/token/")
            .count();
        assert!(requests <= 1, "{requests} in one step: {outcome:?}");
        match outcome {
            Outcome::Worked(_) => steps += 1,
            Outcome::Paced(until) => {
                let wait = u64::try_from(until.micros() - stage.now().micros()).unwrap();
                stage.clock.advance(std::time::Duration::from_micros(wait));
            }
            Outcome::Wait(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(steps > 100, "{steps}");
    let of_users = "SELECT COUNT(*) AS n FROM click_stats WHERE slot = 1 AND subid <> ''";
    assert_eq!(rows(&stage, of_users).await, 1_700);
}

/// Actions on several pages, and a day of clicks on two.
async fn of_many_pages() -> Stage {
    let stage = Stage::new().await;
    stage.fake.world(|world| {
        world.put((1..=1_200).map(|id| {
            let day = 1 + id % 28;
            Action::sale(id, &format!("2026-02-{day:02} 10:00:00"))
        }));
        world.clicks = (0..700)
            .map(|number| clicks(10, &format!("u-{number}"), 1))
            .collect();
    });
    stage
}

/// Reads everything, and a night later everything again, with each feed's first page (or all behind it) going wrong now
/// and then; gives the feeds that had to be asked again.
async fn disturbed(stage: &Stage, trouble: &Trouble, is_first: bool) -> BTreeSet<Feed> {
    let trouble = trouble.clone();
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    stage.fake.world(|world| {
        world.before_each(move |request, world| {
            let Some(offset) = request.one("offset") else {
                return;
            };
            let is_of_clicks = ["/statistics/dates/", "/statistics/sub_ids/"];
            let is_nothing =
                is_of_clicks.contains(&request.path.as_str()) && !is_of(request, "6115", "2001");
            if (offset == "0") != is_first || is_nothing {
                return;
            }
            let count = asked.entry(request.path.clone()).or_default();
            *count += 1;
            if *count % 3 == 1 {
                world.trouble(&request.path, trouble.clone());
            }
        });
    });
    let mut sync = stage.sync();
    let mut failed = BTreeSet::new();
    for _ in 0..2 {
        let is_read = |state: &AccountState, now: Instant| {
            let is_fresh = state.freshness(now) == Freshness::Fresh;
            let rests = |feed: Feed| {
                let of = state.feed(feed);
                of.condition == Condition::Waiting && of.next_run > Some(now)
            };
            let feeds = [Feed::AdSpaces, Feed::Programs, Feed::Clicks, Feed::Links];
            let is_night_over = state.feed(Feed::Nightly).condition != Condition::Failing;
            is_fresh && is_night_over && feeds.into_iter().all(rests)
        };
        for outcome in stage.until(&mut sync, is_read).await {
            if let Outcome::Failed { feed, message, .. } = outcome {
                assert!(message.contains("cannot be read"), "{message}");
                failed.insert(feed);
            }
        }
        stage.pass(DAY);
    }
    failed
}

#[tokio::test]
async fn a_page_that_is_empty_or_counts_nothing_ends_no_list() {
    let undisturbed = of_many_pages().await;
    let sync = &mut complete(&undisturbed).await;
    undisturbed.pass(DAY);
    undisturbed.drive(sync).await;
    let wanted = plain(&undisturbed).await;
    assert_eq!(rows(&undisturbed, BY_DAY).await, 700);
    for trouble in [Trouble::EmptyPage, Trouble::NoMeta] {
        for is_first in [true, false] {
            let stage = of_many_pages().await;
            let failed = disturbed(&stage, &trouble, is_first).await;
            let mut wrong = BTreeSet::from([Feed::Backfill, Feed::Clicks]);
            if is_first {
                wrong.extend([Feed::AdSpaces, Feed::Programs, Feed::Links]);
            }
            let missed: Vec<_> = wrong.difference(&failed).collect();
            assert!(missed.is_empty(), "{trouble:?}: {missed:?} of {failed:?}");
            stage.assert_true().await;
            let (got, what) = (plain(&stage).await, format!("{trouble:?} {is_first}"));
            assert_eq!(got.len(), wanted.len(), "{what}");
            for (got, wanted) in got.iter().zip(&wanted) {
                assert_eq!(got, wanted, "{what}");
            }
            let links = stage.world.rows::<entity::deeplink::Entity>(0).await;
            assert_eq!(links.len(), 9, "{what}");
        }
    }
}

/// What is stored, but for the times at which it was read.
async fn plain(stage: &Stage) -> Vec<String> {
    let dump = stage.world.dump(0).await;
    let mut lines: Vec<String> = dump.lines().map(without_times_of_reading).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn more_clicks_than_are_ever_read_are_told_of() {
    let stage = Stage::new().await;
    stage.fake.world(|world| {
        world.clicks = vec![clicks(9, "u-1", 4), clicks(10, "u-1", 6)];
        world.before_each(|request, world| {
            let is_today = request.one("date_start") == Some("10.03.2026");
            let of_subid = request.one("group_subids") == Some("subid1");
            if is_today && of_subid && is_of(request, "6115", "2001") {
                let body = r#"{"results":[{"subid1":"u-1","clicks":1}],"_meta":{"count":1000000}}"#;
                world.trouble("statistics/sub_ids", Trouble::Status(200, body, None));
            }
        });
    });
    let sync = complete(&stage).await;
    assert_eq!(rows(&stage, BY_DAY).await, 10);
    let by_subid =
        "SELECT CAST(COALESCE(SUM(clicks), 0) AS bigint) AS n FROM click_stats WHERE slot = 1";
    assert_eq!(rows(&stage, by_subid).await, 4, "half a set is none");
    let state = sync.state().await.unwrap();
    let error = state.error().unwrap();
    assert!(error.contains("2026-03-10 by subid1"), "{error}");
    assert!(error.contains("more than 20000 rows"), "{error}");
    let runs = partial(&stage).await;
    assert!(runs.iter().any(|(_, said)| said.as_deref() == Some(error)));
}

#[tokio::test]
async fn a_refused_request_for_status_changes_does_not_slow_them_for_ever() {
    let stage = Stage::still(9, 60).await;
    let mut sync = complete(&stage).await;
    let mut left = 2;
    stage.fake.world(|world| {
        world.before_each(move |request, world| {
            let of_changes = request.one("status_updated_start").is_some();
            if of_changes && left > 0 {
                left -= 1;
                world.trouble("statistics/actions", Trouble::Status(400, REFUSAL, None));
            }
        });
    });
    let mut longest = 0;
    for _ in 0..120 {
        stage.pass(10);
        stage.drive(&mut sync).await;
        let known = sync.state().await.unwrap().feed(Feed::Status).watermark;
        longest = longest.max(stage.now().micros() - known.unwrap().micros());
    }
    let refused = stage.fake.log();
    let refused = refused.iter().filter(|request| request.status == 400);
    assert_eq!(refused.count(), 2);
    // Five minutes, and the minute that is read again.
    assert!(longest <= 360_000_000, "{longest}");
    let state = sync.state().await.unwrap();
    assert_eq!(state.freshness(stage.now()), Freshness::Fresh);
}

/// Another account, whose key is the one that the network takes from now on.
fn another(stage: &Stage) -> Setup {
    stage.fake.world(|world| world.client_id = "app-7c20");
    Setup {
        name: "admitad".to_owned(),
        client_id: "app-7c20".to_owned(),
        ..setup(&stage.fake, CLIENT_SECRET)
    }
}

async fn shown(stage: &Stage) -> Vec<String> {
    let all = sync::accounts(&stage.world.tx(), stage.world.read(0)).await;
    all.unwrap().into_iter().map(|one| one.account).collect()
}

#[tokio::test]
async fn an_account_that_is_configured_no_more_does_not_count() {
    let stage = Stage::new().await;
    stage.fake.world(|world| {
        world.put((1..=30).map(|id| {
            let day = 1 + id % 28;
            Action::sale(id, &format!("2026-02-{day:02} 10:00:00"))
        }));
        world.put([Action::sale(40, "2026-02-05 11:00:00")]);
    });
    let mut sync = complete(&stage).await;
    let (store, scope) = (&stage.world.store, stage.world.write(0));
    let configured = [("admitad".to_owned(), "app-7c20".to_owned())];
    let retired = sync::retire(store, scope, &configured, stage.now()).await;
    assert_eq!(retired.unwrap(), 0, "another server fetches it");
    sync.release(stage.now()).await.unwrap();
    let retired = sync::retire(store, scope, &configured, stage.now()).await;
    assert_eq!(retired.unwrap(), 1);
    assert_eq!(shown(&stage).await, Vec::<String>::new());
    let mut other = stage.sync_of(0, &another(&stage));
    stage.fake.world(|world| world.actions.remove(&40));
    stage.complete(&mut other).await;
    assert_eq!(shown(&stage).await, ["admitad"]);
    // The network takes two back. What the account has never told of may be another account's.
    stage.fake.world(|world| {
        for id in [3, 17] {
            world.actions.remove(&id);
        }
    });
    stage.pass(DAY);
    stage.drive(&mut other).await;
    let left = stored(&stage.world, 0).await;
    let has = |id: &str| left.contains_key(id);
    assert!(!has("3") && !has("17"), "{:?}", left.keys());
    assert!(has("40"), "{:?}", left.keys());
    // Configured again, it counts and goes on where it was.
    let mut again = stage.sync();
    again.tick(stage.now()).await.unwrap();
    assert_eq!(shown(&stage).await, ["admitad", "main"]);
    let state = again.state().await.unwrap();
    assert_eq!(state.feed(Feed::Backfill).condition, Condition::Done);
    // An account long gone is forgotten: nothing of it lies within a night's reach.
    again.release(stage.now()).await.unwrap();
    let has_others = async |since| {
        let others = sync::has_others(store, scope, "admitad", since).await;
        others.unwrap()
    };
    assert!(has_others(stage.now()).await);
    let retired = sync::retire(store, scope, &configured, stage.now()).await;
    assert_eq!(retired.unwrap(), 1);
    let long_ago = at("2026-03-01T00:00:00Z");
    assert!(has_others(long_ago).await);
    stage.pass(DAY);
    assert!(!has_others(stage.now()).await);
}

#[tokio::test]
async fn a_rate_is_that_of_the_product_that_was_asked_for() {
    let stage = Stage::new().await;
    let mut draft = sale("a-1", at("2026-03-09T10:00:00Z"));
    // A link that does not tell the id, and one that two products have.
    draft.items = ["777001", "777002"]
        .map(|id| {
            let mut item = item_called(id, &format!("Product {id}"));
            if let Some(product) = &mut item.product {
                product.url = Some("https://s.click.example/e/_abc".to_owned());
            }
            item
        })
        .to_vec();
    stage.world.apply(0, &[draft]).await;
    complete(&stage).await;
    let products = stage.world.rows::<entity::product::Entity>(0).await;
    assert_eq!(products.len(), 2, "no product came up: {products:?}");
    let rates = commissions(&stage).await;
    assert_eq!(rates.len(), 2);
    for product in &products {
        let rate = rates.iter().find(|rate| rate.product_id == product.id);
        assert_eq!(rate.unwrap().rate_e4, Some(70_000), "{product:?}");
    }
}

#[tokio::test]
async fn who_lost_the_lease_while_asking_for_a_rate_stores_none() {
    let stage = Stage::still(13, 100).await;
    let (mut slow, mut other) = (stage.sync(), stage.sync());
    stage
        .fake
        .world(|world| world.trouble("currencies/rate", Trouble::Hold));
    let asking = async {
        for _ in 0..500 {
            let now = stage.now();
            match slow.tick(now).await.unwrap() {
                Outcome::Worked(_) => {}
                Outcome::Paced(until) => {
                    let wait = u64::try_from(until.micros() - now.micros()).unwrap();
                    stage.clock.advance(std::time::Duration::from_micros(wait));
                }
                outcome => return outcome,
            }
        }
        panic!("no rate is asked for");
    };
    let meanwhile = async {
        let fake = Arc::clone(&stage.fake);
        let held = tokio::task::spawn_blocking(move || fake.wait_until_held(1));
        held.await.unwrap();
        stage.pass(10 * MINUTE);
        let outcome = other.tick(stage.now()).await.unwrap();
        assert!(matches!(outcome, Outcome::Worked(_)), "{outcome:?}");
        stage.fake.release();
    };
    let (outcome, ()) = futures::join!(asking, meanwhile);
    assert!(matches!(outcome, Outcome::Elsewhere(_)), "{outcome:?}");
    assert_eq!(
        rows(&stage, "SELECT COUNT(*) AS n FROM exchange_rates").await,
        0
    );
    stage.complete(&mut other).await;
    let rates = rows(&stage, "SELECT COUNT(*) AS n FROM exchange_rates").await;
    assert!(rates > 0);
}
