//! A server on a port of its own, with two publishers, in this process.

use super::client::client;
use super::fresh_url;
use actiongraph::access::key;
use actiongraph::access::keys::Administrator;
use actiongraph::app::{App, Parts, listen};
use actiongraph::clock::Clock;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::{KeyScope, Publisher, WriteScope};
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::settings::{Raw, Settings};
use actiongraph::store::postback_secrets::{self, NewSecret};
use actiongraph::store::{Store, StoreOptions, publishers};
use actiongraph::telemetry::Metrics;
use reqwest::Client;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A running server with the publishers `one` and `two`, a key and a postback secret for each; it stops when it is
/// dropped.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// A client with a time-out.
    pub(crate) client: Client,
    /// The publishers.
    pub(crate) publishers: [Publisher; 2],
    /// A key of each.
    pub(crate) keys: [String; 2],
    /// A postback secret of each.
    pub(crate) secrets: [String; 2],
    /// The database.
    pub(crate) url: String,
    /// The test's own connections.
    pub(crate) store: Store,
    /// The server's clock, which stands still.
    pub(crate) clock: Clock,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts one with settings as a configuration file has them.
pub(crate) async fn running(settings: &str) -> Running {
    let clock = Clock::fixed(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000));
    let now = Instant::from_utc(clock.now()).unwrap();
    let url = fresh_url().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let (one, key_one) = publisher(&store, "one", now).await;
    let (two, key_two) = publisher(&store, "two", now).await;
    let secrets = [
        secret(&store, &one, None, now).await,
        secret(&store, &two, None, now).await,
    ];
    // Whether an answer is right does not depend on what else the machine does: tests of that time say how much there is.
    let is_timed = settings.contains("statement_deadline_ms");
    let mut raw = Raw::default();
    raw.add_file("test", settings);
    raw.add_flag("listen", Some("127.0.0.1:0"));
    let settings = Settings::resolve(raw).unwrap();
    let its_options = StoreOptions {
        read_timeout: if is_timed {
            Duration::from_millis(settings.limits.statement_deadline_ms)
        } else {
            Duration::from_secs(60)
        },
        write_timeout: Duration::from_secs(60),
        ..StoreOptions::default()
    };
    let stop = Arc::new(Notify::new());
    let (told, its_clock, its_url) = (Arc::clone(&stop), clock.clone(), url.clone());
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let parts = Parts {
                syncs: Vec::new(),
                store: Store::open_with(&its_url, its_options).await.unwrap(),
                clock: its_clock,
                metrics: Arc::new(Metrics::new()),
                demo: None,
            };
            let app = App::new(&settings, listen(settings.listen).unwrap(), parts).unwrap();
            send.send(app.address()).unwrap();
            let stop = || {
                let told = Arc::clone(&told);
                async move { told.notified().await }
            };
            app.run_until(stop).await.unwrap();
        });
    });
    Running {
        address: receive.recv().unwrap(),
        client: client().timeout(Duration::from_secs(60)).build().unwrap(),
        publishers: [one, two],
        keys: [key_one, key_two],
        secrets,
        url,
        store,
        clock,
        stop,
        thread: Some(thread),
    }
}

async fn publisher(store: &Store, slug: &str, now: Instant) -> (Publisher, String) {
    let publisher = publishers::create(store, slug, slug, Zone::UTC, Currency::USD, now)
        .await
        .unwrap();
    let key = key_of(store, &publisher, KeyScope::ALL, now).await;
    (publisher, key)
}

/// A new key of a publisher.
pub(crate) async fn key_of(
    store: &Store,
    publisher: &Publisher,
    scopes: &[KeyScope],
    now: Instant,
) -> String {
    let terms = KeyTerms {
        label: "test".to_owned(),
        scopes: scopes.to_vec(),
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(publisher.id, now);
    who.create(store, terms).await.unwrap().secret
}

/// A new postback secret of a publisher.
pub(crate) async fn secret(
    store: &Store,
    publisher: &Publisher,
    ad_space: Option<&str>,
    now: Instant,
) -> String {
    let made = key::make_postback().unwrap();
    let new = NewSecret {
        id: key::new_id(1).unwrap(),
        prefix: &made.prefix,
        hash: &made.hash,
        label: "test",
        ad_space,
    };
    let scope = WriteScope::for_entrance(publisher.id);
    let who = Administrator::command_line(publisher.id, now);
    postback_secrets::insert(store, scope, new, &who.note().unwrap())
        .await
        .unwrap();
    made.secret
}

impl Running {
    /// An address of the server.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The server's present.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_utc(self.clock.now()).unwrap()
    }

    /// The whole answer to an operation with a key.
    pub(crate) async fn ask(&self, key: &str, query: &str) -> Value {
        let request = self.client.post(self.at("/graphql")).bearer_auth(key);
        let answer = request.json(&json!({ "query": query })).send().await;
        answer.unwrap().json().await.unwrap()
    }

    /// The data of an operation with the key of publisher `place`.
    pub(crate) async fn data(&self, place: usize, query: &str) -> Value {
        let mut answer = self.ask(&self.keys[place], query).await;
        assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
        answer["data"].take()
    }
}
