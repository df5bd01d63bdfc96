//! Imports of files as the API tells of them while they run: from before the file is read to its end.
//!
//! Not here: uploads (`uploads`), and what imports print (`cli`).

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use crate::support::server::{Running, running};
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::Instant;
use actiongraph::ingest::format::input::Reading;
use actiongraph::ingest::pipeline::{Entrance, ImportOptions, Progress, begin_import, import_file};
use actiongraph::ingest::signs::beside;
use actiongraph::worker::upkeep::end_silent_runs;
use serde_json::{Value, json};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write as _;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

/// So many actions as upstream sends them.
fn page(count: u64) -> String {
    let actions: Vec<Value> = (1..=count)
        .map(|number| {
            json!({"action_id": number, "advcampaign_id": 6115, "status": "pending", "currency": "USD",
                "payment": "1.50", "action_date": "2024-03-05 13:30:00"})
        })
        .collect();
    json!({ "results": actions }).to_string()
}

/// How a file of that name is read.
fn options(name: &str) -> ImportOptions {
    ImportOptions {
        name: name.to_owned(),
        entrance: Entrance::File,
        as_of: None,
        offset_minutes: 0,
        reading: Reading::default(),
    }
}

/// What the only run of publisher `one` says of its failure.
async fn reason(server: &Running) -> Option<String> {
    let found = server.data(0, "{ imports { nodes { error } } }").await;
    let error = found["imports"]["nodes"][0]["error"].as_str();
    error.map(str::to_owned)
}

/// The only run that publisher `one` has: its state, the bytes read and all of them.
async fn only_run(server: &Running) -> (String, Option<u64>, Option<u64>) {
    let found = server
        .data(
            0,
            "{ imports { nodes { entrance state bytesRead bytesTotal } } }",
        )
        .await;
    let runs = found["imports"]["nodes"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{found}");
    assert_eq!(runs[0]["entrance"], "FILE");
    let bytes = |name: &str| runs[0][name].as_str().map(|text| text.parse().unwrap());
    let state = runs[0]["state"].as_str().unwrap().to_owned();
    (state, bytes("bytesRead"), bytes("bytesTotal"))
}

/// Whether a batch is in.
struct Told(Arc<AtomicBool>);

impl Progress for Told {
    fn advanced(&mut self, _: u64, records: u64, _: u64) {
        if records > 0 {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

/// It stands still while the API is asked, which it is before anything is in and behind the first batch.
#[tokio::test]
async fn a_file_is_seen_from_before_it_is_read_and_with_each_batch() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.json");
    std::fs::write(&path, page(9_000)).unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    let options = options("large.json");
    let present = server.now();
    let now = move || present;
    let is_in = Arc::new(AtomicBool::new(false));
    let mut told = Told(Arc::clone(&is_in));
    let scope = WriteScope::for_entrance(server.publishers[0].id);
    let import = import_file(&server.store, scope, &path, &options, &now, &mut told);
    let mut import = pin!(import);
    let polls = Cell::new(0_u32);
    // As far as the first batch; whoever looks meanwhile finds it running.
    let mut seen = Vec::new();
    while !is_in.load(Ordering::SeqCst) {
        let step = poll_fn(|context| {
            polls.set(polls.get() + 1);
            match import.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending if is_in.load(Ordering::SeqCst) || polls.get().is_multiple_of(8) => {
                    Poll::Ready(false)
                }
                Poll::Pending => Poll::Pending,
            }
        });
        let ended = step.await;
        assert!(!ended, "it has several batches");
        let found = server.data(0, "{ imports { totalCount } }").await;
        if found["imports"]["totalCount"] == 1 {
            seen.push(only_run(&server).await);
        }
    }
    let (state, read, total) = seen.last().expect("it was seen").clone();
    assert_eq!((state.as_str(), total), ("RUNNING", Some(size)));
    let read = read.unwrap();
    assert!(0 < read && read < size, "{read} of {size}");
    let before = seen.iter().all(|(state, read, total)| {
        state == "RUNNING" && *total == Some(size) && read.is_some_and(|read| read < size)
    });
    assert!(before, "{seen:?}");

    let report = import.await.unwrap();
    assert_eq!((report.read, report.inserted), (9_000, 9_000));
    let whole = ("SUCCEEDED".to_owned(), Some(size), Some(size));
    assert_eq!(only_run(&server).await, whole);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_seen_before_anything_comes_out_of_it() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("slow.json");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let slug = &server.publishers[0].slug;
    let child = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", slug, "--database-url", &server.url])
        .arg(&pipe)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is open as soon as somebody reads.
    let opened = tokio::task::spawn_blocking(move || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).open(pipe).unwrap()
    });
    let mut writer = opened.await.unwrap();
    let held = ("RUNNING".to_owned(), Some(0), None);
    assert_eq!(only_run(&server).await, held);
    let content = page(3);
    writer.write_all(content.as_bytes()).unwrap();
    drop(writer);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let size = u64::try_from(content.len()).unwrap();
    let whole = ("SUCCEEDED".to_owned(), Some(size), None);
    assert_eq!(only_run(&server).await, whole);
}

#[tokio::test]
async fn a_file_that_is_refused_leaves_its_run_with_the_reason() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torn.json");
    let whole = page(20);
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", &server.publishers[0].slug])
        .args(["--database-url", &server.url])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (state, read, _) = only_run(&server).await;
    assert_eq!((state.as_str(), read), ("FAILED", Some(0)));
    let reason = reason(&server).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !reason.is_empty() && told.contains(&reason),
        "{reason:?} in {told}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_that_cannot_be_kept_leaves_its_run_with_the_reason() {
    let server = running("").await;
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", &server.publishers[0].slug])
        .args(["--database-url", &server.url, "-"])
        .env("TMPDIR", folder.path().join("none"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(only_run(&server).await.0, "FAILED");
    let reason = reason(&server).await.unwrap();
    assert!(reason.contains("there was no room to keep it"), "{reason}");
}

/// Its input comes for an hour, of which ten minutes pass at a time; then nobody reads it any more.
#[tokio::test]
async fn a_run_that_is_read_for_long_is_not_taken_for_one_whose_process_is_gone() {
    let server = running("").await;
    let (store, scope) = (
        &server.store,
        WriteScope::for_entrance(server.publishers[0].id),
    );
    let minutes = |count: i64| count * 60_000_000;
    let clock = AtomicI64::new(server.now().micros());
    let present = || Instant::from_micros(clock.load(Ordering::SeqCst)).unwrap();
    let asked = AtomicU32::new(0);
    let now = || {
        asked.fetch_add(1, Ordering::SeqCst);
        present()
    };
    let begun = begin_import(store, scope, &options("slow.json"), None, &now).await;
    let run = begun.unwrap();
    let reading = async {
        for _ in 0..6 {
            clock.fetch_add(minutes(10), Ordering::SeqCst);
            // A sign that asks for the time behind another one finds that one noted.
            let before = asked.load(Ordering::SeqCst);
            while asked.load(Ordering::SeqCst) < before + 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            assert_eq!(end_silent_runs(store, present()).await.unwrap(), 0);
            assert_eq!(only_run(&server).await.0, "RUNNING");
        }
    };
    let every = Duration::from_millis(5);
    beside(store, scope, run, (&now, every), reading).await;
    clock.fetch_add(minutes(16), Ordering::SeqCst);
    assert_eq!(end_silent_runs(store, present()).await.unwrap(), 1);
    assert_eq!(only_run(&server).await.0, "FAILED");
}
