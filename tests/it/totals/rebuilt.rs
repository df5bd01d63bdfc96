//! A rebuild goes on beside reports and imports, and a rebuild that was killed goes on where it was.

use super::TAME;
use crate::support::check::seed;
use crate::support::drafts::{Maker, Shape, at};
use crate::support::report_requests::{first, orders, report_of};
use crate::support::world::{World, block_on};
use actiongraph::analytics::report;
use actiongraph::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
use actiongraph::domain::report::metric::Metric;
use actiongraph::domain::report::{Bucket, Dimension, ReportLimits, ReportRequest, ReportRow};
use actiongraph::store::ReadTx;
use actiongraph::store::totals::{self, Manner};
use sea_orm::{ConnectionTrait, Database};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Comparisons during which slices have to be rebuilt.
const MET: usize = 4;

/// Questions that each total answers one of, in a zone in which days are made of its smallest cells.
fn requests() -> Vec<ReportRequest> {
    let divisions = [
        (Dimension::Status, Some(Bucket::Day)),
        (Dimension::Program, Some(Bucket::Week)),
        (Dimension::Country, None),
        (Dimension::CategoryLevel1, None),
        (Dimension::Product, None),
    ];
    let request = |(dimension, bucket)| ReportRequest {
        dimensions: vec![dimension],
        bucket,
        metrics: vec![Metric::Actions, Metric::Units, Metric::Reward],
        page: first(10_000),
        ..report_of(orders(
            "2026-01-31T18:30:00Z",
            "2026-07-31T18:30:00Z",
            "Asia/Kolkata",
        ))
    };
    divisions.into_iter().map(request).collect()
}

/// The rows of a report and where they were read.
async fn answer(
    tx: &ReadTx,
    world: &World,
    request: &ReportRequest,
) -> (Vec<ReportRow>, Vec<&'static str>) {
    let found = report::run(tx, world.read(0), request, ReportLimits::default());
    let found = found.await.unwrap();
    let rows = found.page.rows.into_iter().map(|(row, _)| row).collect();
    (rows, found.reading.sources)
}

/// Compares reports of totals with the same of the facts, as of one moment.
async fn compare(world: &World) {
    let tx = world.tx();
    for request in requests() {
        let (rows, sources) = answer(&tx, world, &request).await;
        let is_total = |name: &&str| name.starts_with("totals_");
        assert!(sources.iter().any(is_total), "{sources:?}");
        // No total knows how many items an action has.
        let any = Op::Gte(Value::Int(0));
        let of_facts = ReportRequest {
            filter: Filter::Test(ActionTest::Field(ActionField::ItemsCount, any)),
            ..request
        };
        let (expected, sources) = answer(&tx, world, &of_facts).await;
        assert_eq!(sources, ["facts"]);
        assert!(!expected.is_empty());
        assert_eq!(rows, expected, "by {:?}", of_facts.dimensions);
    }
}

#[test]
fn reports_stay_right_while_totals_are_rebuilt_and_actions_come_in() {
    block_on(async {
        let world = World::rich(seed() + 15, TAME).await;
        let (is_over, slices) = (AtomicBool::new(false), AtomicUsize::new(0));
        let rebuild = async {
            let now = at("2026-07-02T00:00:00Z");
            // A slice in one transaction, and one of three actions at most, by turns.
            for step in [Manner::default().step, 3].into_iter().cycle() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let afresh = true;
                let manner = Manner { afresh, step };
                totals::rebuild(&world.store, world.write(0), now, manner, |_| {
                    slices.fetch_add(1, Ordering::SeqCst);
                })
                .await
                .unwrap();
            }
        };
        let import = async {
            for drafts in Maker::new(seed() + 16, TAME).drafts().chunks(4) {
                world.apply_in(0, drafts, drafts.len()).await;
            }
        };
        let read = async {
            let (mut between, mut rounds) = (0, 0);
            // The import can be through before; a rebuild is going on as long as there is reading, however slowly.
            while rounds < 12 || between < MET && rounds < 500 {
                let before = slices.load(Ordering::SeqCst);
                compare(&world).await;
                rounds += 1;
                between += usize::from(slices.load(Ordering::SeqCst) > before);
            }
            is_over.store(true, Ordering::SeqCst);
            between
        };
        let ((), (), between) = tokio::join!(rebuild, import, read);
        assert!(
            between >= MET,
            "slices were rebuilt during {between} comparisons"
        );
        assert_eq!(world.drift(0).await, Vec::<String>::new());
        compare(&world).await;
    });
}

fn command(world: &World, command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_actiongraph"));
    program
        .args([command, "--publisher", "publisher-1"])
        .args(["--database-url", &world.url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.concat()
}

/// The slice with which the rebuild that is noted goes on.
async fn next_slice(world: &World) -> Option<i64> {
    let tasks = world.rows::<entity::totals_task::Entity>(0).await;
    let mut rebuilds = tasks.into_iter().filter(|row| row.task != "VERIFY");
    rebuilds.find_map(|row| row.next_slice)
}

/// Kills a rebuild that is under way; gives the slice that would have been next.
async fn killed(world: &World) -> i64 {
    // A rebuild can be through before it is noticed.
    for _ in 0..10 {
        let mut child = command(world, "rebuild").spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if next_slice(world).await.is_some() {
                child.kill().unwrap();
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.wait().unwrap();
        if let Some(next) = next_slice(world).await {
            return next;
        }
    }
    panic!("no rebuild was under way long enough");
}

#[test]
fn a_rebuild_that_was_killed_goes_on_where_it_was() {
    block_on(async {
        let shape = Shape {
            drafts: 400,
            ..TAME
        };
        let world = World::rich(seed() + 17, shape).await;
        let kept = world.dump(0).await;
        let id = world.publishers[0].id.0;
        #[expect(
            clippy::disallowed_methods,
            reason = "the database is spoilt behind the store's back"
        )]
        let db = Database::connect(&world.url).await.unwrap();
        let spoil = async |condition: &str| {
            let spoil = format!(
                "UPDATE totals_time SET reward_e4 = reward_e4 + 1 WHERE publisher_id = {id} AND grain = 5{condition}"
            );
            let spoilt = db.execute_unprepared(&spoil).await.unwrap();
            assert!(spoilt.rows_affected() > 0, "{condition}");
        };
        spoil("").await;
        assert!(!command(&world, "verify").output().unwrap().status.success());
        let next = killed(&world).await;
        // These totals are of this version's layout all the while: a server starts.
        assert!(totals::behind(&world.store).await.unwrap().is_empty());
        // What was rebuilt by then is spoilt again: whoever goes on leaves it so, whoever begins anew repairs it.
        spoil(&format!(" AND cell < {next}")).await;
        let hint = "rebuild --publisher publisher-1 --afresh";
        let wrong = command(&world, "verify").output().unwrap();
        assert!(said(&wrong).contains(hint), "{}", said(&wrong));
        // Verifying in the background had found some of it.
        for note in [
            format!("DELETE FROM totals_tasks WHERE publisher_id = {id} AND task = 'VERIFY'"),
            format!(
                "INSERT INTO totals_tasks (publisher_id, task, layout, next_slice, drift_rows, updated_at_us) \
                 VALUES ({id}, 'VERIFY', 1, NULL, 7, 0)"
            ),
        ] {
            db.execute_unprepared(&note).await.unwrap();
        }
        let noted = async || {
            let tasks = world.rows::<entity::totals_task::Entity>(0).await;
            let verified = tasks.into_iter().find(|row| row.task == "VERIFY");
            verified.unwrap().drift_rows
        };
        let resumed = command(&world, "rebuild").output().unwrap();
        assert!(resumed.status.success(), "{}", said(&resumed));
        assert!(
            said(&resumed).contains("went on at slice"),
            "{}",
            said(&resumed)
        );
        assert_eq!(next_slice(&world).await, None, "it went on to the end");
        assert_eq!(
            noted().await,
            7,
            "what was found may be in what it passed over"
        );
        let found = world.drift(0).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("totals_time: "), "{found:?}");
        let wrong = command(&world, "verify").output().unwrap();
        assert!(!said(&wrong).contains(hint), "nothing is half-way any more");
        let anew = command(&world, "rebuild").arg("--afresh").output().unwrap();
        assert!(anew.status.success(), "{}", said(&anew));
        assert!(!said(&anew).contains("went on"), "{}", said(&anew));
        assert_eq!(noted().await, 0, "all of it is mended");
        let verified = command(&world, "verify").output().unwrap();
        assert!(verified.status.success(), "{}", said(&verified));
        assert_eq!(world.dump(0).await, kept);
    });
}
