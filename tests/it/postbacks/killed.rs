//! A server that is killed while postbacks come in: what it acknowledged is stored, and it is soon ready again.

use crate::support::client::client;
use crate::support::process::{Process, serve};
use crate::support::server::secret;
use crate::support::{fresh_url, is_postgres};
use actiongraph::clock::Clock;
use actiongraph::domain::filter::Filter;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::{Publisher, WriteScope};
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::store::totals::verify_next;
use actiongraph::store::{ReadTx, Store, actions, publishers};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many senders there are, each with a connection of its own.
const SENDERS: usize = 16;

/// How soon a server that was killed is ready again, once it is started: the soonest of some, because other tests may keep
/// the machine busy.
const READY: Duration = Duration::from_secs(10);

/// Starts a server and waits until it is ready. Gives how long that took.
async fn started(url: &str) -> (Process, Duration) {
    let stopwatch = Clock::system();
    let begun = stopwatch.elapsed();
    let server = serve(url, &[]);
    let target = format!("http://{}/readyz", server.address);
    let client = client().timeout(READY).build().unwrap();
    let ready = async {
        loop {
            match client.get(&target).send().await {
                Ok(answer) if answer.status().is_success() => return,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ready)
        .await
        .expect("it gets ready");
    let took = stopwatch.elapsed().saturating_sub(begun);
    (server, took)
}

/// Which numbers of actions are stored.
async fn stored(store: &Store, publisher: &Publisher, sent: u64) -> BTreeSet<u64> {
    let scope = WriteScope::for_entrance(publisher.id).read();
    let tx = ReadTx::new(store);
    let mut found = BTreeSet::new();
    for number in 0..sent {
        let one = actions::by_external_id(&tx, scope, &number.to_string()).await;
        if !one.unwrap().is_empty() {
            found.insert(number);
        }
    }
    let count = actions::count(&tx, scope, None, &Filter::All(Vec::new())).await;
    assert_eq!(count.unwrap(), i64::try_from(found.len()).unwrap());
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_stored_what_it_acknowledged() {
    let url = fresh_url().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let now = Instant::parse_rfc3339("2026-03-01T00:00:00Z").unwrap();
    let publisher = publishers::create(&store, "one", "one", Zone::UTC, Currency::USD, now)
        .await
        .unwrap();
    let secret = secret(&store, &publisher, None, now).await;
    let (next, acknowledged) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let rounds = if is_postgres() { 2 } else { 3 };
    let (mut server, _) = started(&url).await;
    let mut soonest = Duration::MAX;
    for round in 1..=rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (next, acknowledged) = (Arc::clone(&next), Arc::clone(&acknowledged));
                let (stop, address) = (Arc::clone(&stop), server.address.clone());
                let target = format!("http://{address}/postback/{secret}");
                async move {
                    let client = client().timeout(Duration::from_secs(20)).build().unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let text = number.to_string();
                        let form = [
                            ("admitad_id", text.as_str()),
                            ("offer_id", "6115"),
                            ("payment_status", "approved"),
                            ("payment_sum", "1.5"),
                            ("currency", "USD"),
                            ("time", "1709634600"),
                        ];
                        match client.post(&target).form(&form).send().await {
                            Ok(answer) if answer.status().is_success() => {
                                acknowledged.lock().unwrap().push(number);
                            }
                            _ => break,
                        }
                    }
                }
            })
            .collect();
        let enough = 150 * round;
        let kill = async {
            while acknowledged.lock().unwrap().len() < enough {
                tokio::task::yield_now().await;
            }
            server.kill();
            stop.store(true, Ordering::Relaxed);
        };
        let work = futures::future::join(futures::future::join_all(senders), kill);
        tokio::time::timeout(Duration::from_secs(120), work)
            .await
            .expect("the server takes postbacks");
        let again;
        (server, again) = started(&url).await;
        soonest = soonest.min(again);
        let sent = next.load(Ordering::Relaxed);
        let found = stored(&store, &publisher, sent).await;
        let acknowledged = acknowledged.lock().unwrap().clone();
        let lost: Vec<&u64> = acknowledged
            .iter()
            .filter(|number| !found.contains(number))
            .collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        assert!(acknowledged.len() >= enough);
    }
    server.kill();
    assert!(soonest <= READY, "ready after {soonest:?} at best");
    // And the totals are those of the facts.
    let checked = verify_next(&store, now).await.unwrap().unwrap();
    assert_eq!(checked.drift_rows, 0);
}
