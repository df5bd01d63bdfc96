//! Imports of files as the API tells of them while they run: from before the file is read to its end.
//!
//! Not here: uploads (`uploads`), and what imports print (`cli`).

#![expect(
    clippy::unwrap_used,
    reason = "a test: what it can't do, it can't go on without"
)]

use crate::support::server::{Running, running};
use actiongraph::domain::scope::WriteScope;
use actiongraph::ingest::format::input::Reading;
use actiongraph::ingest::pipeline::{Entrance, ImportOptions, Progress, import_file};
use serde_json::{Value, json};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write as _;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

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
    let options = ImportOptions {
        name: "large.json".to_owned(),
        entrance: Entrance::File,
        as_of: None,
        offset_minutes: 0,
        reading: Reading::default(),
    };
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
}
