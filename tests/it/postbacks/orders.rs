//! Pages, tables and postbacks of the same actions in many orders: one content, whatever the order, and the totals of it.

use crate::support::dice::Dice;
use crate::support::fresh_store;
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::money::Currency;
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::ingest::normalize::NormalizeContext;
use actiongraph::ingest::postback::{Told, read};
use actiongraph::ingest::raw::RawRecord;
use actiongraph::store::apply::{Batch, apply};
use actiongraph::store::imports::{NewRun, begin};
use actiongraph::store::totals::verify_next;
use actiongraph::store::{ReadTx, Store, actions, publishers};
use serde_json::json;
use uuid::Uuid;

/// In how many orders the states arrive.
const ORDERS: usize = 8;

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(&format!("2024-03-05T{text}Z")).unwrap()
}

fn postback(action: &str, received: &str, status: &str, ready: &str) -> ActionDraft {
    let parameters = [
        ("admitad_id", action),
        ("offer_id", "6115"),
        ("website_id", "77"),
        ("website_name", "My blog"),
        ("subid1", "u-1"),
        ("payment_sum", "1.5"),
        ("payment_status", status),
        ("currency", "USD"),
        ("order_sum", "31.50"),
        ("time", "1709632800"),
        ("user_agent", "Mozilla/5.0 (iPhone) Mobile/15E148"),
        ("reward_ready", ready),
    ];
    match read(parameters, at(received), None) {
        Told::Action(draft) => *draft,
        other => unreachable!("{other:?}"),
    }
}

fn page(action: &str, asked: &str, status: &str, changed: &str, paid: u8) -> ActionDraft {
    let record = json!({"action_id": action, "advcampaign_id": 6115, "website_name": "My blog", "status": status,
        "status_updated": changed, "paid": paid, "payment": "1.60", "cart": "31.50", "currency": "USD",
        "action_type": "sale", "action_date": "2024-03-05 10:00:00", "subid1": "u-1", "comment": "from the API",
        "positions": [{"id": 1, "product_id": "4001", "amount": "31.50", "payment": "1.60"}]});
    let record = RawRecord {
        place: actiongraph::domain::draft::Place::default(),
        text: record.to_string(),
    };
    let context = NormalizeContext {
        offset_minutes: 0,
        observed_at: at(asked),
    };
    record.draft(&context).unwrap()
}

/// Three actions that end in three ways: as the API says, as a postback says that is newer, and by postbacks alone.
fn arrivals() -> Vec<ActionDraft> {
    vec![
        postback("1", "10:01:00", "new", "false"),
        page("1", "10:05:00", "pending", "", 0),
        postback("1", "11:00:02", "approved", "false"),
        page("1", "11:03:00", "pending", "", 0),
        page("1", "11:20:00", "approved", "2024-03-05 11:00:00", 0),
        postback("1", "12:00:00", "approved", "true"),
        page("1", "12:30:00", "approved", "2024-03-05 11:00:00", 1),
        page("2", "10:05:00", "approved", "2024-03-05 10:03:00", 0),
        postback("2", "10:03:01", "approved", "false"),
        postback("2", "13:00:00", "pending", "false"),
        postback("3", "10:01:00", "new", "false"),
        postback("3", "14:00:00", "declined", "false"),
        postback("3", "13:00:00", "approved", "false"),
    ]
}

async fn put(store: &Store, scope: WriteScope, run: Uuid, draft: &ActionDraft) {
    let batch = Batch {
        run_id: run,
        drafts: std::slice::from_ref(draft),
        deletions: &[],
        rejects: &[],
        rejected_before: 0,
        sync: None,
        bytes_read: None,
        now: at("23:00:00"),
    };
    apply(store, scope, batch).await.unwrap();
}

/// What an answer can show of the actions and their histories.
async fn content(store: &Store, scope: WriteScope) -> Vec<String> {
    let mut lines = Vec::new();
    for action in ["1", "2", "3"] {
        let tx = ReadTx::new(store);
        let found = actions::by_external_id(&tx, scope.read(), action)
            .await
            .unwrap();
        let ids: Vec<Uuid> = found.iter().map(|action| action.id).collect();
        let states = actions::states_of(&tx, scope.read(), &ids).await.unwrap();
        let items = actions::items_of(&tx, scope.read(), &ids).await.unwrap();
        lines.push(format!("{found:?}"));
        lines.push(format!("{items:?}"));
        lines.extend(states.iter().map(|state| format!("{state:?}")));
    }
    lines
}

/// Brings the states in, in many orders; `check` looks at what they end in.
async fn in_any_order(arrivals: &[ActionDraft], check: impl Fn(&[String])) {
    let mut dice = Dice::new(20_261_122);
    let mut wanted: Option<Vec<String>> = None;
    for order in 0..ORDERS {
        let (store, _) = fresh_store().await;
        let now = at("00:00:00");
        let publisher = publishers::create(&store, "one", "one", Zone::UTC, Currency::USD, now)
            .await
            .unwrap();
        let scope = WriteScope::for_entrance(publisher.id);
        let run = NewRun {
            id: Uuid::from_u128(1),
            entrance: "FILE",
            name: "test".to_owned(),
            started_at: now,
            as_of: now,
        };
        begin(&store, scope, &run).await.unwrap();
        let mut arriving = arrivals.to_vec();
        if order > 0 {
            dice.shuffle(&mut arriving);
        }
        for draft in &arriving {
            put(&store, scope, run.id, draft).await;
        }
        let seen = content(&store, scope).await;
        for draft in &arriving {
            put(&store, scope, run.id, draft).await;
        }
        assert_eq!(content(&store, scope).await, seen, "again, order {order}");
        let checked = verify_next(&store, now).await.unwrap().unwrap();
        assert_eq!(checked.drift_rows, 0, "order {order}");
        match &wanted {
            None => {
                check(&seen);
                wanted = Some(seen);
            }
            Some(wanted) => assert_eq!(&seen, wanted, "order {order}"),
        }
        store.close().await;
    }
}

#[tokio::test]
async fn pages_and_postbacks_in_any_order_end_in_one_content() {
    in_any_order(&arrivals(), |seen| {
        assert!(seen[0].contains("status: Approved, raw_status: \"approved\", paid: true"));
        assert!(seen[0].contains("reward_e4: 16000"), "{}", seen[0]);
        assert!(seen[0].contains("device: Some(\"mobile\")"));
        assert!(seen.concat().contains("status: Pending, raw_status: \"pending\", paid: false, processed: false, returned_to_hold: true"));
        assert!(seen.concat().contains("status: Declined"));
    })
    .await;
}

/// A row of the account's own report, which has neither payment nor type, and its status only if that column was chosen.
fn table(action: &str, taken: &str, status: Option<&str>, changed: &str) -> ActionDraft {
    let record = json!({"action_id": action, "advcampaign_id": 6115, "status": status, "status_updated": changed,
        "payment": "1.60", "cart": "31.50", "currency": "USD", "action_date": "2024-03-05 10:00:00"});
    let record = RawRecord {
        place: actiongraph::domain::draft::Place::default(),
        text: record.to_string(),
    };
    let context = NormalizeContext {
        offset_minutes: 0,
        observed_at: at(taken),
    };
    record.draft(&context).unwrap()
}

#[tokio::test]
async fn a_table_without_payment_type_or_status_takes_nothing_away_in_any_order() {
    let approved = "2024-03-05 11:00:00";
    let arrivals = [
        page("1", "10:05:00", "pending", "", 0),
        page("1", "11:20:00", "approved", approved, 1),
        table("1", "12:00:00", Some("approved"), approved),
        table("1", "13:00:00", None, ""),
        page("2", "10:05:00", "pending", "", 0),
        table("2", "12:00:00", None, ""),
        table("3", "12:00:00", None, ""),
    ];
    in_any_order(&arrivals, |seen| {
        // An action, its cart and its states; the next one.
        let [one, _, pending, paid, two, _, held, three, _, bare] = seen else {
            panic!("{seen:#?}")
        };
        assert!(one.contains("action_type: Sale"), "{one}");
        assert!(
            one.contains("status: Approved, raw_status: \"approved\", paid: true"),
            "{one}"
        );
        assert!(pending.contains("status: Pending"), "{pending}");
        assert!(
            paid.contains("raw_status: \"approved\", paid: true"),
            "{paid}"
        );
        assert!(
            two.contains("status: Pending, raw_status: \"pending\", paid: false"),
            "{two}"
        );
        assert!(held.contains("status: Pending"), "{held}");
        // What nobody has said stays unknown.
        assert!(three.contains("action_type: Unknown"), "{three}");
        assert!(three.contains("status: Unknown"), "{three}");
        assert!(bare.contains("status: Unknown"), "{bare}");
    })
    .await;
}
