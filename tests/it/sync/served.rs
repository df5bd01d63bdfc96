//! The real program: `actiongraph serve` with an account fills itself; `actiongraph sync --once` does so by hand.

use super::{CLIENT_ID, CLIENT_SECRET, Story, assert_same, stored};
use crate::support::admitad::{Action, FakeAdmitad, Trouble};
use crate::support::world::World;
use actiongraph::clock::Clock;
use chrono::TimeDelta;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the program may take for all of it.
const PATIENCE: Duration = Duration::from_secs(120);

struct Program {
    child: Child,
    log: std::sync::mpsc::Receiver<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An upstream whose actions change no more: what happens to them ended ten days ago.
pub(super) fn upstream() -> FakeAdmitad {
    let fake = FakeAdmitad::start(Clock::system());
    let start = (Clock::system().now() - TimeDelta::days(100)).naive_utc();
    fake.world(|world| world.follow(Story::new(21, 900, 50, start)));
    fake
}

pub(super) fn command(world: &World, fake: &FakeAdmitad, folder: &Path, args: &[&str]) -> Command {
    let secret = folder.join("secret");
    std::fs::write(&secret, CLIENT_SECRET).unwrap();
    let config = folder.join("actiongraph.toml");
    let since = (Clock::system().now() - TimeDelta::days(130)).date_naive();
    let text = format!(
        "[[accounts]]\npublisher = \"publisher-1\"\nclient_id = \"{CLIENT_ID}\"\nclient_secret_file = {secret:?}\n\
         base_url = \"{}\"\nsince = \"{since}\"\n",
        fake.base_url()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_actiongraph"));
    command
        .args(args)
        .args(["--database-url", &world.url, "--config"])
        .arg(config)
        .env("HOME", folder)
        .env("ACTIONGRAPH_LOG", "actiongraph=debug")
        .env("ACTIONGRAPH_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (send, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, log }
    }

    /// Reads the log until a line holds the words.
    fn line_with(&self, words: &str, all: &mut Vec<String>) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| {
                panic!("no line with {words:?} in {all:#?}");
            });
            all.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }
}

/// A server of the program's, by its address, with its log so far.
struct Server {
    program: Program,
    address: String,
    log: Vec<String>,
}

impl Server {
    fn start(world: &World, fake: &FakeAdmitad, folder: &Path) -> Self {
        let args = ["serve", "--listen", "127.0.0.1:0"];
        let mut command = command(world, fake, folder, &args);
        command.env("ACTIONGRAPH_SYNC_SECONDS", "1");
        command.env("ACTIONGRAPH_METRICS", "local");
        let program = Program::start(command);
        let mut log = Vec::new();
        let line = program.line_with("listening on http://", &mut log);
        let address = line.split("listening on ").nth(1).unwrap();
        let address = address.chars().take_while(|symbol| *symbol != '"');
        Self {
            program,
            address: address.collect(),
            log,
        }
    }

    /// Asks until the account is fresh; gives the answer that says so.
    async fn until_fresh(&self, key: &str) -> Value {
        let client = crate::support::client::client().build().unwrap();
        let query = "{ freshness { entrance account state lagSeconds nextRunAt lastError feeds { feed condition } \
                     lastRun { state } } }";
        let complete = async {
            loop {
                let request = client.post(format!("{}/graphql", self.address));
                let request = request.bearer_auth(key);
                let answer = request.json(&serde_json::json!({ "query": query })).send();
                let answer: Value = answer.await.unwrap().json().await.unwrap();
                if answer["data"]["freshness"][0]["state"] == "FRESH" {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, complete)
            .await
            .unwrap_or_else(|_| panic!("it does not get complete: {:#?}", self.log))
    }
}

/// A key of the publisher's.
fn key(world: &World, folder: &Path) -> String {
    let key = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["key", "create", "--publisher", "publisher-1"])
        .args(["--database-url", &world.url])
        .env("HOME", folder)
        .output()
        .unwrap();
    String::from_utf8(key.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_an_account_goes_from_empty_to_complete_by_itself() {
    let world = World::new(1).await;
    let fake = upstream();
    let folder = tempfile::tempdir().unwrap();
    let key = key(&world, folder.path());
    let mut server = Server::start(&world, &fake, folder.path());
    let answer = server.until_fresh(&key).await;
    let (address, mut log) = (server.address.clone(), std::mem::take(&mut server.log));
    let client = crate::support::client::client().build().unwrap();
    let mut server = server.program;
    let source = &answer["data"]["freshness"][0];
    assert_eq!(source["entrance"], "API", "{answer:#}");
    assert_eq!(source["account"], "admitad");
    assert!(source["lagSeconds"].as_i64().unwrap() < 300);
    assert!(source["nextRunAt"].is_string());
    assert!(source["lastError"].is_null());
    let told = fake.world(crate::support::admitad::World::truth);
    assert_same(&stored(&world, 0).await, &told);
    let state =
        "actiongraph_sync_state{publisher=\"publisher-1\",account=\"admitad\",state=\"FRESH\"} 1";
    let measured = async {
        loop {
            let metrics = client.get(format!("{address}/metrics")).send().await;
            if metrics.unwrap().text().await.unwrap().contains(state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, measured)
        .await
        .expect("it is measured");

    // Told to stop, it ends, and leaves the account to the next server.
    let id = server.child.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    assert!(server.child.wait().unwrap().success());
    log.extend(server.log.try_iter());
    let holders = world.rows::<entity::sync_account::Entity>(0).await;
    assert!(holders.iter().all(|row| row.lease_holder.is_none()));
    let all = log.join("\n");
    assert!(all.contains("synced"), "steps are logged");
    for secret in [CLIENT_SECRET, "access-", "refresh-", "Basic "] {
        assert!(!all.contains(secret), "{secret} in the log");
    }
}

#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_gets_complete_and_stays_so_through_ended_tokens_limits_and_restarts() {
    let world = World::new(1).await;
    let fake = upstream();
    let folder = tempfile::tempdir().unwrap();
    let limited = "{\"error\": \"rate_limit\", \"error_description\": \"Rate limit exceeded\", \"error_code\": 4}";
    let troubles = || {
        [
            Trouble::Status(503, limited, Some(1)),
            Trouble::HangUp,
            Trouble::Html(502),
            Trouble::Status(429, "{}", Some(1)),
        ]
    };
    fake.world(|upstream| {
        // Longer than an answer takes where the machine is busy: a token that ends on its way stops the account for long.
        upstream.token_life = TimeDelta::seconds(10);
        for trouble in troubles() {
            upstream.trouble("statistics/actions", trouble);
        }
    });
    let key = key(&world, folder.path());
    // Killed while it fills itself, and told to stop. The lease of the one that was killed runs out by itself.
    for is_killed in [true, false] {
        let mut server = Server::start(&world, &fake, folder.path());
        for _ in 0..3 {
            server.program.line_with("\"synced\"", &mut server.log);
        }
        if is_killed {
            server.program.child.kill().unwrap();
            server.program.child.wait().unwrap();
        } else {
            let id = server.program.child.id().to_string();
            Command::new("kill").args(["-TERM", &id]).status().unwrap();
            assert!(server.program.child.wait().unwrap().success());
        }
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    }
    let mut server = Server::start(&world, &fake, folder.path());
    let answer = server.until_fresh(&key).await;
    // It holds a token of its own before that is revoked below.
    server.program.line_with("\"synced\"", &mut server.log);
    assert!(
        answer["data"]["freshness"][0]["lagSeconds"]
            .as_i64()
            .unwrap()
            < 300
    );
    let told = fake.world(crate::support::admitad::World::truth);
    assert_same(&stored(&world, 0).await, &told);

    // What happens now, through the same troubles, is known a moment later.
    let now = (Clock::system().now() + TimeDelta::hours(3)).naive_utc();
    let now = now.format("%Y-%m-%d %H:%M:%S").to_string();
    fake.world(|upstream| {
        for trouble in troubles() {
            upstream.trouble("statistics/actions", trouble);
        }
        upstream.revoke_tokens();
        let open = upstream
            .actions
            .values()
            .find(|action| action.status == "pending");
        let decided = open.unwrap().clone().becomes("approved", &now);
        upstream.put([decided, Action::sale(990_000_001, &now)]);
    });
    let told = fake.world(crate::support::admitad::World::truth);
    let known = async {
        loop {
            let stored = stored(&world, 0).await;
            let decided = stored.values().filter(|line| line.starts_with("pending"));
            let wanted = told.iter().filter(|record| record.contains("\"pending\""));
            if stored.len() == told.len() && decided.count() == wanted.count() {
                return stored;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let stored = tokio::time::timeout(PATIENCE, known).await;
    let stored = stored.unwrap_or_else(|_| panic!("it does not stay current"));
    assert_same(&stored, &told);
    assert_eq!(world.drift(0).await, Vec::<String>::new());
    let log = fake.log();
    let answered = |path: &str, status: u16| {
        let found = log
            .iter()
            .filter(|request| request.path == path && request.status == status);
        found.count()
    };
    // A token for each of the program's three lives, and another for the one that was revoked; and every trouble came to pass.
    assert!(answered("/token/", 200) > 3, "tokens end");
    assert_eq!(answered("/statistics/actions/", 503), 2);
    assert_eq!(answered("/statistics/actions/", 429), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_once_reports_and_says_what_is_wrong() {
    let world = World::new(1).await;
    let fake = upstream();
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        command(&world, &fake, folder.path(), args)
            .output()
            .unwrap()
    };
    let done = run(&["sync", "--once"]);
    let (out, err) = (
        String::from_utf8(done.stdout).unwrap(),
        String::from_utf8(done.stderr).unwrap(),
    );
    assert_eq!(done.status.code(), Some(0), "{out}\n{err}");
    assert!(out.starts_with("publisher-1/admitad: "), "{out}");
    let told = fake.world(crate::support::admitad::World::truth);
    assert_same(&stored(&world, 0).await, &told);
    assert!(out.contains(&format!("{} new", told.len())), "{out}");

    let none = run(&["sync", "--once", "--account", "nobody"]);
    let err = String::from_utf8(none.stderr).unwrap();
    assert_eq!(none.status.code(), Some(2), "{err}");
    assert!(err.contains("publisher-1/admitad"), "{err}");

    // A key with the scopes that are needed alone is in order; what is left out is said.
    fake.world(|upstream| {
        let needed = ["statistics", "advcampaigns", "websites", "public_data"];
        upstream.scopes.retain(|scope| needed.contains(scope));
        upstream.revoke_tokens();
        upstream.revoke_refresh();
    });
    let poor = World::new(1).await;
    let done = command(&poor, &fake, folder.path(), &["sync", "--once"])
        .output()
        .unwrap();
    let err = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{err}");
    assert_same(&stored(&poor, 0).await, &told);
    // Nothing was sold lately, so that no commission rates are asked for.
    for scope in ["private_data_balance", "advcampaigns_for_website"] {
        assert!(err.contains(&format!("scope {scope}")), "{scope}: {err}");
    }

    // A wrong secret is told with what to do, and is nowhere itself.
    let other = World::new(1).await;
    let mut wrong = command(&other, &fake, folder.path(), &["sync", "--once"]);
    std::fs::write(folder.path().join("secret"), "another-word").unwrap();
    let wrong = wrong.output().unwrap();
    let err = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{err}");
    assert!(err.contains("client id and secret"), "{err}");
    assert!(!err.contains("another-word"), "{err}");
}
