//! A server whose database stands still: everybody is told in time, nothing hangs, and it goes on by itself.

use super::lost::{WAITING, signal};
use super::restarted::Cluster;
use super::{at, eventually, number, outside, run};
use crate::support::client::client;
use crate::support::is_postgres;
use crate::support::process::{Process, serve};
use crate::support::server::{key_of, secret};
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::Zone;
use actiongraph::store::{Store, publishers};
use reqwest::{Client, StatusCode};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// What is promised, eight seconds, and something for a slow machine.
const IN_TIME: Duration = Duration::from_secs(15);
/// The end of a server that is told to stop: twenty seconds, and likewise.
const SOON: Duration = Duration::from_secs(30);

/// All processes of a cluster of the test's own, which stand still until this is dropped.
struct Frozen {
    postmaster: i64,
    others: Vec<i64>,
}

/// The processes that another one started.
fn children(of: i64) -> Vec<i64> {
    let child = |entry: std::fs::DirEntry| {
        let process: i64 = entry.file_name().to_str()?.parse().ok()?;
        let told = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // Behind the name in parentheses: the state, and who started it.
        let (_, rest) = told.rsplit_once(") ")?;
        let parent: i64 = rest.split(' ').nth(1)?.parse().ok()?;
        (parent == of).then_some(process)
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(child).collect()
}

impl Frozen {
    /// The one that starts others first, so that there are no more of them afterwards.
    fn new(postmaster: i64) -> Self {
        signal("-STOP", postmaster);
        let frozen = Self {
            postmaster,
            others: children(postmaster),
        };
        frozen.tell("-STOP");
        frozen
    }

    /// One that has ended meanwhile is told nothing.
    fn tell(&self, name: &str) {
        for process in &self.others {
            let _ = Command::new("kill")
                .args([name, &process.to_string()])
                .status();
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.tell("-CONT");
        signal("-CONT", self.postmaster);
    }
}

/// A server with a publisher, on a cluster of its own.
struct Site {
    // Ends before its database does.
    server: Process,
    client: Client,
    key: String,
    secret: String,
    /// Holds what others wait for.
    holder: DatabaseConnection,
    /// Looks at who waits.
    admin: DatabaseConnection,
    postmaster: i64,
    _uploads: TempDir,
    _cluster: Cluster,
}

impl Site {
    async fn start() -> Self {
        let cluster = Cluster::start();
        let store = Store::open(&cluster.url).await.unwrap();
        store.migrate().await.unwrap();
        let publisher = publishers::create(&store, "one", "one", Zone::UTC, Currency::USD, at(0));
        let publisher = publisher.await.unwrap();
        let key = key_of(&store, &publisher, KeyScope::ALL, at(0)).await;
        let secret = secret(&store, &publisher, None, at(0)).await;
        store.close().await;
        let (holder, admin) = (outside(&cluster.url).await, outside(&cluster.url).await);
        let postmaster =
            "SELECT CAST(split_part(pg_read_file('postmaster.pid'), chr(10), 1) AS bigint)";
        let postmaster = number(&admin, postmaster).await;
        let uploads = tempfile::tempdir().unwrap();
        let folder = uploads.path().display().to_string();
        Self {
            server: serve(&cluster.url, &[("ACTIONGRAPH_IMPORT_DIRECTORY", &folder)]),
            client: client().build().unwrap(),
            key,
            secret,
            holder,
            admin,
            postmaster,
            _uploads: uploads,
            _cluster: cluster,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    async fn postback(&self, number: &str) -> StatusCode {
        let form = [
            ("admitad_id", number),
            ("offer_id", "6115"),
            ("payment_status", "approved"),
            ("payment_sum", "1.5"),
            ("currency", "USD"),
            ("time", "1709634600"),
        ];
        let sent = self
            .client
            .post(self.at(&format!("/postback/{}", self.secret)));
        sent.form(&form).send().await.unwrap().status()
    }

    async fn ask(&self, query: &str) -> Value {
        let request = self.client.post(self.at("/graphql")).bearer_auth(&self.key);
        let answer = request.json(&json!({ "query": query })).send().await;
        answer.unwrap().json().await.unwrap()
    }

    async fn upload(&self) -> StatusCode {
        let request = self.client.post(self.at("/import?name=a.json"));
        let sent = request.bearer_auth(&self.key).body("{\"results\": []}");
        sent.send().await.unwrap().status()
    }

    /// The process answers, soon.
    async fn is_alive(&self) {
        let asked = timeout(
            Duration::from_secs(5),
            self.client.get(self.at("/livez")).send(),
        );
        assert!(asked.await.unwrap().unwrap().status().is_success());
    }

    /// Waits until so many, or more, wait for a lock.
    async fn until_waiting(&self, count: i64) {
        eventually("they wait", async || {
            number(&self.admin, &format!("SELECT COUNT(*) {WAITING}")).await >= count
        })
        .await;
    }
}

/// The time of an answer is bounded by a clock of the server's: no limit of a database's is enforced by one that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_a_database_that_stands_still_are_told_in_time() {
    if !is_postgres() {
        return;
    }
    let site = Site::start().await;
    let create = "mutation { createSegment(name: \"all\", rule: {users: {}}) { segment { id } userErrors { message } } }";
    assert_eq!(site.postback("1").await, StatusCode::OK);
    // Both writes are in the middle of their transactions.
    run(
        &site.holder,
        "BEGIN; SELECT * FROM publisher_states FOR UPDATE",
    )
    .await;
    let early = async { timeout(IN_TIME, site.postback("2")).await.unwrap() };
    let mutation = async { timeout(IN_TIME, site.ask(create)).await.unwrap() };
    let meanwhile = async {
        site.until_waiting(2).await;
        let frozen = Frozen::new(site.postmaster);
        site.is_alive().await;
        let late = timeout(IN_TIME, site.postback("3"));
        let upload = timeout(IN_TIME, site.upload());
        let (late, upload) = tokio::join!(late, upload);
        site.is_alive().await;
        (late.unwrap(), upload.unwrap(), frozen)
    };
    let (early, mutation, (late, upload, frozen)) = tokio::join!(early, mutation, meanwhile);
    assert_eq!(
        mutation["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE",
        "{mutation:#}"
    );
    for status in [early, late, upload] {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    site.is_alive().await;

    // All is well as soon as it goes on, and what is sent again counts once.
    drop(frozen);
    run(&site.holder, "COMMIT").await;
    for again in ["2", "3"] {
        eventually("postbacks are stored", async || {
            site.postback(again).await == StatusCode::OK
        })
        .await;
    }
    assert_eq!(number(&site.admin, "SELECT COUNT(*) FROM actions").await, 3);
    eventually("segments are made", async || {
        let made = site.ask(create).await;
        made["data"]["createSegment"]["segment"]["id"].is_string()
    })
    .await;
    eventually("files are taken", async || {
        site.upload().await == StatusCode::ACCEPTED
    })
    .await;
}

/// The sender has gone when the commit is done that put its file into the queue: the file is there all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_commit_takes_long_is_told_in_time_and_goes_in_later() {
    if !is_postgres() {
        return;
    }
    let site = Site::start().await;
    run(
        &site.admin,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(9); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON uploads DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
         EXECUTE FUNCTION dawdle()",
    )
    .await;
    let told = timeout(IN_TIME, site.upload()).await.unwrap();
    assert_eq!(told, StatusCode::SERVICE_UNAVAILABLE);
    eventually("the file is in", async || {
        let ended = "SELECT COUNT(*) FROM import_runs WHERE state = 'SUCCEEDED'";
        number(&site.admin, ended).await == 1
    })
    .await;
    eventually("it waits no more", async || {
        number(&site.admin, "SELECT COUNT(*) FROM uploads").await == 0
    })
    .await;
}

/// Connections that do not come back are not waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_database_stands_still_stops_when_it_is_told_to() {
    if !is_postgres() {
        return;
    }
    let mut site = Site::start().await;
    run(
        &site.holder,
        "BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let question = "{ actions { nodes { id } } }";
    let asked = async { timeout(IN_TIME, site.ask(question)).await.unwrap() };
    let freeze = async {
        site.until_waiting(1).await;
        let frozen = Frozen::new(site.postmaster);
        site.server.terminate();
        frozen
    };
    let (answer, frozen) = tokio::join!(asked, freeze);
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "TIMEOUT",
        "{answer:#}"
    );
    assert!(site.server.end(SOON).await.success());
    drop(frozen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_runs_when_the_server_is_told_to_stop_is_answered() {
    if !is_postgres() {
        return;
    }
    let mut site = Site::start().await;
    assert_eq!(site.postback("1").await, StatusCode::OK);
    run(
        &site.holder,
        "BEGIN; LOCK TABLE actions IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let question = "{ actions { nodes { id } } }";
    let asked = async { timeout(IN_TIME, site.ask(question)).await.unwrap() };
    let stop = async {
        site.until_waiting(1).await;
        site.server.terminate();
        eventually("it has heard it and takes nobody new", async || {
            TcpStream::connect(&site.server.address).is_err()
        })
        .await;
        run(&site.holder, "COMMIT").await;
    };
    let (answer, ()) = tokio::join!(asked, stop);
    let nodes = answer["data"]["actions"]["nodes"].as_array();
    assert_eq!(nodes.map(Vec::len), Some(1), "{answer:#}");
    assert!(site.server.end(SOON).await.success());
}
