//! What `/metrics` tells of the entrances that are not fetched: files, uploads, postbacks, feeds. They are read from the
//! runs, so that what a command line brought in is there, too.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use crate::support::drafts::at;
use crate::support::is_postgres;
use crate::support::server::{Running, running};
use crate::support::world::World;
use actiongraph::domain::feed::FeedSource;
use actiongraph::domain::records::RunState;
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::Instant;
use actiongraph::ingest::feed::import_feed;
use actiongraph::ingest::pipeline::Progress;
use actiongraph::store::imports::{NewRun, begin, finish, freshness};
use actiongraph::store::tally::Tally;
use actiongraph::store::uploads::{Upload, enqueue};
use actiongraph::store::{ReadTx, Recorder};
use entity::import_run;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, EntityTrait as _, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;
use uuid::Uuid;

struct Unseen;

impl Progress for Unseen {
    fn advanced(&mut self, _: u64, _: u64, _: u64) {}
}

/// A moment so many seconds before the server's present.
fn ago(server: &Running, seconds: i64) -> Instant {
    Instant::from_micros(server.now().micros() - seconds * 1_000_000).unwrap()
}

async fn upload(server: &Running, place: usize, actions: &Value, as_of: Instant) {
    let query = [
        ("wait", "true".to_owned()),
        ("as_of", as_of.to_rfc3339()),
        ("name", "may.json".to_owned()),
    ];
    let request = server.client.post(server.at("/import")).query(&query);
    let request = request.bearer_auth(&server.keys[place]);
    let body = json!({ "results": actions }).to_string();
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.text().await);
}

/// A feed as the command line brings it in, in a process of its own.
async fn feed(server: &Running, observed_at: Instant) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"id,name,price,currencyId,url\n1,Cable,1.50,USD,https://aliexpress.ru/item/1.html\n2,Lamp,much,USD,https://aliexpress.ru/item/2.html\n")
        .unwrap();
    let source = FeedSource {
        name: "hot".to_owned(),
        is_hot: true,
        is_whole: true,
        observed_at,
    };
    let now = || server.now();
    let scope = WriteScope::for_entrance(server.publishers[0].id);
    let feed = ("hot.csv", &source);
    import_feed(&server.store, scope, file.path(), feed, &now, &mut Unseen)
        .await
        .unwrap();
}

async fn postback(server: &Running, id: &str, sum: &str) {
    let address = server.at(&format!("/postback/{}", server.secrets[0]));
    let query = [
        ("admitad_id", id),
        ("offer_id", "6115"),
        ("payment_sum", sum),
        ("payment_status", "new"),
        ("currency", "USD"),
        ("time", "1709634600"),
        ("type", "sale"),
    ];
    let answer = server.client.get(address).query(&query).send().await;
    assert_eq!(answer.unwrap().status().as_u16(), 200);
}

async fn metrics(server: &Running) -> Vec<String> {
    let answer = server.client.get(server.at("/metrics")).send().await;
    let text = answer.unwrap().text().await.unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Brings something in through each entrance, good and bad; one file waits elsewhere, one is being read.
async fn bring(server: &Running) {
    let action = |id: u64, payment: Value| {
        json!({"action_id": id, "advcampaign_id": 6115, "status": "pending", "currency": "USD", "payment": payment,
            "action_date": "2024-03-05 13:30:00"})
    };
    let two = json!([action(1, json!("1.50")), action(2, Value::Null)]);
    upload(server, 0, &two, ago(server, 600)).await;
    upload(
        server,
        1,
        &json!([action(3, json!("1.50"))]),
        ago(server, 60),
    )
    .await;
    feed(server, ago(server, 7_200)).await;
    postback(server, "900000001", "1.89").await;
    postback(server, "900000002", "many").await;
    // One waits on a server that is not there.
    let scope = WriteScope::for_entrance(server.publishers[1].id);
    let waits = Upload {
        scope,
        run_id: Uuid::from_u128(6),
        name: "elsewhere.json".to_owned(),
        as_of: None,
        offset_minutes: 0,
        queued_at: ago(server, 90),
    };
    enqueue(&server.store, &waits, 10).await.unwrap();
    // And one goes on.
    let run = NewRun {
        id: Uuid::from_u128(7),
        entrance: "FILE",
        name: "june.json".to_owned(),
        started_at: server.now(),
        as_of: server.now(),
    };
    begin(&server.store, scope, &run).await.unwrap();
}

#[tokio::test]
async fn each_entrance_has_its_runs_records_last_success_and_lag() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "import_directory = {:?}\nmetrics = \"local\"\n",
        folder.path()
    );
    let server = running(&settings).await;
    let told = metrics(&server).await;
    assert!(
        !told
            .iter()
            .any(|line| line.starts_with("actiongraph_entrance_") && line.contains("publisher=")),
        "nothing has come in: {told:#?}"
    );
    bring(&server).await;

    let told = metrics(&server).await;
    let success = server.now().micros() / 1_000_000;
    let of = |name: &str, labels: &str, value: i64| {
        let line = format!("actiongraph_entrance_{name}{{{labels}}} {value}");
        assert!(told.contains(&line), "{line} in {told:#?}");
    };
    for (publisher, entrance, lag) in [
        ("one", "UPLOAD", 600),
        ("two", "UPLOAD", 60),
        ("one", "FEED", 7_200),
        ("one", "POSTBACK", 0),
    ] {
        let labels = format!("publisher=\"{publisher}\",entrance=\"{entrance}\"");
        of("last_success_seconds", &labels, success);
        of("lag_seconds", &labels, lag);
        let waiting = i64::from(publisher == "two") * 90;
        of("waiting_seconds", &labels, waiting);
        let ended = if publisher == "one" {
            "PARTIAL"
        } else {
            "SUCCEEDED"
        };
        of("runs", &format!("{labels},state=\"{ended}\""), 1);
        of("runs", &format!("{labels},state=\"FAILED\""), 0);
        of("records", &format!("{labels},outcome=\"inserted\""), 1);
        let rejected = i64::from(publisher == "one");
        of(
            "records",
            &format!("{labels},outcome=\"rejected\""),
            rejected,
        );
    }
    of(
        "runs",
        "publisher=\"two\",entrance=\"UPLOAD\",state=\"QUEUED\"",
        1,
    );
    let file = "publisher=\"two\",entrance=\"FILE\"";
    of("runs", &format!("{file},state=\"RUNNING\""), 1);
    of("last_success_seconds", file, 0);
    let lag = format!("actiongraph_entrance_lag_seconds{{{file}}}");
    assert!(
        !told.iter().any(|line| line.starts_with(&lag)),
        "a run that has brought nothing yet makes nothing fresh"
    );
}

#[tokio::test]
async fn an_empty_file_is_a_success_that_brings_nothing_newer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "import_directory = {:?}\nmetrics = \"local\"\n",
        folder.path()
    );
    let server = running(&settings).await;
    let first = json!([{"action_id": 1, "advcampaign_id": 6115, "status": "pending", "currency": "USD", "payment": "1.50",
        "action_date": "2024-03-05 13:30:00"}]);
    let known = ago(&server, 600);
    upload(&server, 0, &first, known).await;
    let brought = server.now();
    server.clock.advance(Duration::from_secs(3_600));
    upload(&server, 0, &json!([]), server.now()).await;

    let query = json!({"query": "{ freshness { entrance state lastSuccessAt newestDataAt lagSeconds lastError lastRun { state \
        counts { read rejected } } } }"});
    let request = server.client.post(server.at("/graphql")).json(&query);
    let answer = request.bearer_auth(&server.keys[0]).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let told = json!([{
        "entrance": "UPLOAD", "state": "ON_DEMAND", "lastSuccessAt": server.now().to_rfc3339(),
        "newestDataAt": known.to_rfc3339(), "lagSeconds": 4_200, "lastError": null,
        "lastRun": { "state": "SUCCEEDED", "counts": { "read": 0, "rejected": 0 } },
    }]);
    assert_eq!(answer["data"]["freshness"], told, "{answer:#}");
    assert!(brought < server.now());

    let told = metrics(&server).await;
    let labels = "publisher=\"one\",entrance=\"UPLOAD\"";
    for (name, value) in [
        ("last_success_seconds", server.now().micros() / 1_000_000),
        ("lag_seconds", 4_200),
    ] {
        let line = format!("actiongraph_entrance_{name}{{{labels}}} {value}");
        assert!(told.contains(&line), "{line} in {told:#?}");
    }
    // One whose records are all refused is none.
    server.clock.advance(Duration::from_secs(60));
    upload(&server, 0, &json!([{"action_id": 2}]), server.now()).await;
    let told = metrics(&server).await;
    let success = server.now().micros() / 1_000_000 - 60;
    for (name, value) in [("last_success_seconds", success), ("lag_seconds", 4_260)] {
        let line = format!("actiongraph_entrance_{name}{{{labels}}} {value}");
        assert!(told.contains(&line), "{line} in {told:#?}");
    }
}

/// The runs by publisher, entrance and state, as a look has them.
async fn look(
    world: &World,
    tally: &Tally,
    now: Instant,
) -> BTreeMap<(usize, String, &'static str), i64> {
    let sums = tally.look(&world.tx(), now).await.unwrap();
    let place = |of| {
        world
            .publishers
            .iter()
            .position(|one| one.id == of)
            .unwrap()
    };
    sums.into_iter()
        .map(|one| {
            (
                (place(one.publisher), one.entrance, one.state.as_str()),
                one.runs,
            )
        })
        .collect()
}

async fn run(
    world: &World,
    place: usize,
    number: u128,
    when: Instant,
    ended: Option<RunState>,
) -> Uuid {
    let run = NewRun {
        id: Uuid::from_u128(number),
        entrance: "FILE",
        name: "day.json".to_owned(),
        started_at: when,
        as_of: when,
    };
    let (store, scope) = (&world.store, world.write(place));
    begin(store, scope, &run).await.unwrap();
    if let Some(state) = ended {
        finish(store, scope, run.id, when, (state, None))
            .await
            .unwrap();
    }
    run.id
}

#[tokio::test]
async fn a_scrape_reads_the_runs_of_the_last_days_and_not_every_run() {
    let mut world = World::new(2).await;
    let day = |day: i64| {
        let first = at("2026-01-01T00:00:00Z").micros();
        Instant::from_micros(first + day * 86_400_000_000).unwrap()
    };
    let mut number = 0;
    for place in [0, 1] {
        for since in 0..40 {
            number += 1;
            run(&world, place, number, day(since), Some(RunState::Succeeded)).await;
        }
    }
    let (now, tally) = (day(40), Tally::default());
    let file = |place, state, runs| ((place, "FILE".to_owned(), state), runs);
    let all = BTreeMap::from([file(0, "SUCCEEDED", 40), file(1, "SUCCEEDED", 40)]);
    assert_eq!(look(&world, &tally, now).await, all);
    // What has settled is not read again, what has not is: they differ now behind the store's back.
    #[expect(
        clippy::disallowed_methods,
        reason = "what the store does not read is changed behind its back"
    )]
    let db = Database::connect(&world.url).await.unwrap();
    db.execute_unprepared("UPDATE import_runs SET state = 'FAILED'")
        .await
        .unwrap();
    let recorder = Recorder::default();
    let plain = world.store.clone();
    world.store = plain.recorded(&recorder);
    let told = BTreeMap::from([
        file(0, "SUCCEEDED", 38),
        file(0, "FAILED", 2),
        file(1, "SUCCEEDED", 38),
        file(1, "FAILED", 2),
    ]);
    assert_eq!(look(&world, &tally, now).await, told);
    let statements = recorder.take();
    assert_eq!(statements.len(), 2, "{statements:#?}");
    world.store = plain;
    if !is_postgres() {
        for text in statements {
            let explain = format!("EXPLAIN QUERY PLAN {text}");
            let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), explain));
            let rows = rows.await.unwrap();
            let plan: Vec<String> = rows
                .iter()
                .map(|row| row.try_get("", "detail").unwrap())
                .collect();
            let by_index = "SEARCH t USING INDEX ix_import_runs_started_at_us_id (publisher_id=? AND started_at_us>?)";
            assert!(plan.iter().any(|step| step == by_index), "{plan:#?}");
        }
    }
    // They settle as time goes on, each once.
    for since in 41..50 {
        assert_eq!(look(&world, &tally, day(since)).await, told);
    }
}

#[tokio::test]
async fn a_run_that_goes_on_for_long_is_counted_once_and_as_it_ended() {
    let world = World::new(1).await;
    let now = at("2026-01-20T00:00:00Z");
    let tally = Tally::default();
    let slow = run(&world, 0, 1, at("2026-01-02T00:00:00Z"), None).await;
    run(
        &world,
        0,
        2,
        at("2026-01-03T00:00:00Z"),
        Some(RunState::Partial),
    )
    .await;
    let of = |states: &[(&'static str, i64)]| {
        let all = states
            .iter()
            .map(|(state, runs)| ((0, "FILE".to_owned(), *state), *runs));
        all.collect::<BTreeMap<_, _>>()
    };
    for _ in 0..2 {
        let told = look(&world, &tally, now).await;
        assert_eq!(told, of(&[("RUNNING", 1), ("PARTIAL", 1)]));
    }
    let (store, scope) = (&world.store, world.write(0));
    finish(store, scope, slow, now, (RunState::Succeeded, None))
        .await
        .unwrap();
    for _ in 0..2 {
        let told = look(&world, &tally, now).await;
        assert_eq!(told, of(&[("SUCCEEDED", 1), ("PARTIAL", 1)]));
    }
    // A clock that was put back loses nothing, and counts nothing twice.
    run(
        &world,
        0,
        3,
        at("2026-01-20T00:00:00Z"),
        Some(RunState::Failed),
    )
    .await;
    let all = of(&[("SUCCEEDED", 1), ("PARTIAL", 1), ("FAILED", 1)]);
    for now in [
        "2026-01-30T00:00:00Z",
        "2026-01-10T00:00:00Z",
        "2026-01-21T00:00:00Z",
    ] {
        assert_eq!(look(&world, &tally, at(now)).await, all);
    }
}

/// Runs of three entrances that ended in every way, in no order; and of one that brings no data.
fn runs_of_all_kinds(publisher: i64) -> Vec<import_run::Model> {
    let states = ["RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "QUEUED"];
    let one = |number: i64| {
        let spread = number * 7_919 % 400;
        let (read, rejected) =
            [(0, 0), (5, 5), (5, 2), (3, 0)][usize::try_from(number / 20 % 4).unwrap()];
        let state = states[usize::try_from(number * 31 % 5).unwrap()];
        let is_over = !matches!(state, "RUNNING" | "QUEUED");
        import_run::Model {
            publisher_id: publisher,
            id: Uuid::from_u128(u128::try_from(1 + number * 104_729 % 400).unwrap()),
            entrance: ["FILE", "UPLOAD", "API", "USERS"][usize::try_from(number % 4).unwrap()]
                .to_owned(),
            name: format!("run {number}"),
            state: state.to_owned(),
            // Several begin at one moment.
            started_at_us: spread / 3 * 1_000_000,
            finished_at_us: is_over.then_some(500_000_000 - spread * 1_000),
            as_of_us: number * 613 % 400,
            offset_minutes: None,
            read_count: read,
            rejected_count: rejected,
            inserted_count: 0,
            updated_count: 0,
            unchanged_count: 0,
            stale_count: 0,
            deleted_count: 0,
            rounded_count: 0,
            bytes_read: None,
            bytes_total: None,
            error: None,
            alive_at_us: None,
        }
    };
    (0..400).map(one).collect()
}

#[tokio::test]
async fn freshness_is_that_of_all_runs_and_looks_through_none() {
    let world = World::new(2).await;
    let mut runs = runs_of_all_kinds(world.publishers[0].id.0);
    // Those of another publisher are newer, and say nothing.
    let other = import_run::Model {
        publisher_id: world.publishers[1].id.0,
        started_at_us: 900_000_000,
        finished_at_us: Some(900_000_000),
        as_of_us: 900_000_000,
        read_count: 1,
        rejected_count: 0,
        state: "SUCCEEDED".to_owned(),
        ..runs[0].clone()
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "what took years is made behind the store's back"
    )]
    let db = Database::connect(&world.url).await.unwrap();
    let rows = runs.iter().cloned().chain([other]);
    let rows = rows.map(import_run::ActiveModel::from);
    import_run::Entity::insert_many(rows.collect::<Vec<_>>())
        .exec_without_returning(&db)
        .await
        .unwrap();

    let recorder = Recorder::default();
    let tx = ReadTx::new(&world.store.recorded(&recorder));
    let told = freshness(&tx, world.read(0)).await.unwrap();
    let statement = recorder.take().pop().unwrap();
    runs.sort_by_key(|run| (run.started_at_us, run.id));
    let names: Vec<&str> = told.iter().map(|one| one.entrance.as_str()).collect();
    assert_eq!(names, ["API", "FILE", "UPLOAD"]);
    for one in &told {
        let own: Vec<_> = runs
            .iter()
            .filter(|run| run.entrance == one.entrance)
            .collect();
        let takes_in = |run: &&import_run::Model| run.rejected_count < run.read_count;
        let good = own.iter().copied().filter(|run| match run.state.as_str() {
            "SUCCEEDED" => true,
            "PARTIAL" => takes_in(run),
            _ => false,
        });
        let last_success = good.clone().filter_map(|run| run.finished_at_us).max();
        let newest = good.filter(takes_in).map(|run| run.as_of_us).max();
        assert_eq!(one.last_run.as_ref().unwrap().id, own.last().unwrap().id);
        assert_eq!(one.last_success.map(Instant::micros), last_success);
        assert_eq!(one.newest_data.map(Instant::micros), newest);
    }
    if !is_postgres() {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = Statement::from_string(DbBackend::Sqlite, explain);
        let steps = db.query_all_raw(plan).await.unwrap();
        let steps: Vec<String> = steps
            .iter()
            .map(|step| step.try_get("", "detail").unwrap())
            .collect();
        let plan = steps.join("\n");
        for index in ["latest", "went_well", "brought"] {
            assert!(plan.contains(&format!("import_runs_{index}")), "{plan}");
        }
        for run in ["t", "s", "n", "l", "f"] {
            assert!(!plan.contains(&format!("SCAN {run} ")), "{plan}");
            assert!(!plan.ends_with(&format!("SCAN {run}")), "{plan}");
        }
    }
}
