//! The same actions by all entrances, in any order: one content of the database.

use super::Stage;
use crate::support::admitad::Action;
use crate::support::books::{self, Cell};
use crate::support::check::seed;
use crate::support::dice::Dice;
use crate::support::drafts::at;
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::time::Instant;
use actiongraph::ingest::format::input::Reading;
use actiongraph::ingest::pipeline::{Entrance, ImportOptions, Progress, import_file, run_id};
use actiongraph::ingest::postback::{Told, read};
use actiongraph::ingest::uploads::{UploadLimits, Uploads};
use actiongraph::store::uploads::{Upload, enqueue};
use actiongraph::worker::imports::{Reader, Reads, SIGN};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

/// Where the actions come in.
const ENTRANCES: [&str; 9] = [
    "sync",
    "postbacks",
    "upload",
    "page.json",
    "lines.jsonl.gz",
    "report.csv",
    "report.xml",
    "report.xlsx",
    "report.xls",
];

/// The columns of the tables: what a report has beside names and links of products.
const COLUMNS: [&str; 17] = [
    "action_id",
    "order_id",
    "advcampaign_id",
    "website_name",
    "action_type",
    "status",
    "paid",
    "payment",
    "cart",
    "currency",
    "click_date",
    "action_date",
    "status_updated",
    "click_country_code",
    "subid",
    "subid1",
    "comment",
];

struct Silent;

impl Progress for Silent {
    fn advanced(&mut self, _: u64, _: u64, _: u64) {}
}

/// The action's fields by name, and one product of its cart.
fn row(action: &Action) -> BTreeMap<String, String> {
    let record: Value = serde_json::from_str(&action.record()).unwrap();
    let plain = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut row: BTreeMap<String, String> = COLUMNS
        .iter()
        .map(|name| ((*name).to_owned(), plain(&record[name])))
        .collect();
    for name in ["product_id", "product_name"] {
        row.insert(name.to_owned(), plain(&record["positions"][0][name]));
    }
    row
}

fn csv(rows: &[BTreeMap<String, String>]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = rows[0].keys().map(quoted).collect::<Vec<_>>().join(";");
    for row in rows {
        text.push('\n');
        text.push_str(&row.values().map(quoted).collect::<Vec<_>>().join(";"));
    }
    text
}

/// The rows as a table of a workbook.
fn table(rows: &[BTreeMap<String, String>]) -> Vec<Vec<Cell>> {
    let text = |text: &String| match text.as_str() {
        "" => Cell::Empty,
        text => Cell::Text(text.to_owned()),
    };
    let headings = rows[0].keys().map(text).collect();
    let rows = rows.iter().map(|row| row.values().map(text).collect());
    std::iter::once(headings).chain(rows).collect()
}

fn xml(rows: &[BTreeMap<String, String>]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><stats>");
    for row in rows {
        text.push_str("<stat>");
        for (name, value) in row {
            let value = value.replace('&', "&amp;").replace('<', "&lt;");
            text.push_str(&format!("<{name}>{value}</{name}>"));
        }
        text.push_str("</stat>");
    }
    text + "</stats>"
}

/// What Admitad has told of an action by postbacks, each received a few seconds after it happened.
fn postbacks(action: &Action) -> Vec<ActionDraft> {
    let seconds = |time: chrono::NaiveDateTime| time.and_utc().timestamp() - 3 * 3_600;
    let mut told = vec![("new", seconds(action.ordered), false)];
    if let Some(updated) = action.status_updated {
        let word = match action.status {
            "approved_but_stalled" => "approved",
            word => word,
        };
        told.push((word, seconds(updated), action.paid));
    }
    let cents = |e4: i64| format!("{}.{:04}", e4 / 10_000, e4 % 10_000);
    told.into_iter()
        .map(|(status, happened, paid)| {
            let mut given = vec![
                ("offer_id", action.program.to_string()),
                ("admitad_id", action.id.to_string()),
                ("website_id", action.ad_space.to_string()),
                ("payment_status", status.to_owned()),
                ("payment_sum", cents(action.payment)),
                ("currency", action.currency.to_owned()),
                ("order_id", action.order_id.clone()),
                ("type", action.kind.to_owned()),
                ("click_time", seconds(action.clicked).to_string()),
                ("time", seconds(action.ordered).to_string()),
                ("reward_ready", paid.to_string()),
                (
                    "user_agent",
                    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"
                        .to_owned(),
                ),
            ];
            given.extend(action.cart.map(|cart| ("order_sum", cents(cart))));
            given.extend(action.country.map(|code| ("country_code", code.to_owned())));
            given.extend(action.subids[1].clone().map(|value| ("subid1", value)));
            let received = Instant::from_micros((happened + 7) * 1_000_000).unwrap();
            match read(given, received, None) {
                Told::Action(draft) => *draft,
                other => panic!("{other:?}"),
            }
        })
        .collect()
}

/// A page of the API with all actions.
fn page(actions: &[Action]) -> String {
    let records: Vec<_> = actions.iter().map(Action::record).collect();
    format!("{{\"results\": [{}]}}", records.join(","))
}

/// Workbooks are read by the real program.
fn reading() -> Reading {
    Reading {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_actiongraph"))),
        ..Reading::default()
    }
}

impl Stage {
    async fn file(&self, name: &str, content: impl AsRef<[u8]>, as_of: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let options = ImportOptions {
            name: name.to_owned(),
            entrance: Entrance::File,
            as_of: Some(at(as_of)),
            offset_minutes: 180,
            reading: reading(),
        };
        let (now, mut silent) = (self.now(), Silent);
        let asked = move || now;
        let (store, scope) = (&self.world.store, self.world.write(0));
        let report = import_file(store, scope, &path, &options, &asked, &mut silent).await;
        let report = report.unwrap();
        assert_eq!(report.rejected, 0, "{name}: {:?}", report.first_rejects);
        assert!(report.read > 100, "{name}: {}", report.read);
    }

    /// A page that is sent to a server, and read by it.
    async fn upload(&self, page: &str, as_of: &str) {
        let folder = tempfile::tempdir().unwrap();
        let roomy = UploadLimits {
            bytes: 1 << 30,
            waiting_files: 10,
            waiting_bytes: 1 << 30,
        };
        let place = Uploads::new(folder.path().to_owned(), roomy);
        let (now, store) = (self.now(), &self.world.store);
        let upload = Upload {
            scope: self.world.write(0),
            run_id: run_id(now).unwrap(),
            name: "upload".to_owned(),
            as_of: Some(at(as_of)),
            offset_minutes: 180,
            queued_at: now,
        };
        std::fs::write(place.file(upload.run_id), page).unwrap();
        let bytes = u64::try_from(page.len()).unwrap();
        enqueue(store, &upload, bytes).await.unwrap();
        let reader = Reader {
            store,
            uploads: &place,
            reading: &reading(),
            holder: "reader".to_owned(),
            sign: SIGN,
        };
        let asked = move || now;
        let mut reads = Reads::new(&reader, &asked);
        reads.look().await.unwrap();
        assert!(reads.ended().await.unwrap().unwrap());
    }

    async fn bring(&self, entrance: &str, actions: &[Action], dice: &mut Dice) {
        let rows: Vec<_> = actions.iter().map(row).collect();
        match entrance {
            "sync" => {
                self.complete(&mut self.sync()).await;
            }
            "postbacks" => {
                let mut drafts: Vec<_> = actions.iter().flat_map(postbacks).collect();
                // Some are sent twice, and none waits for another.
                drafts.extend(drafts.iter().step_by(9).cloned().collect::<Vec<_>>());
                dice.shuffle(&mut drafts);
                self.world.apply_in(0, &drafts, 17).await;
            }
            "page.json" => {
                self.file(entrance, page(actions), "2026-03-09T00:00:00Z")
                    .await;
            }
            "upload" => {
                self.upload(&page(actions), "2026-03-09T12:00:00Z").await;
            }
            "lines.jsonl.gz" => {
                let lines = actions.iter().map(|action| action.record() + "\n");
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed
                    .write_all(lines.collect::<String>().as_bytes())
                    .unwrap();
                self.file(entrance, packed.finish().unwrap(), "2026-03-07T00:00:00Z")
                    .await;
            }
            "report.xlsx" => {
                self.file(entrance, books::xlsx(&table(&rows)), "2026-03-10T08:00:00Z")
                    .await;
            }
            "report.xls" => {
                self.file(entrance, books::xls(&table(&rows)), "2026-03-08T12:00:00Z")
                    .await;
            }
            "report.csv" => {
                self.file(entrance, csv(&rows), "2026-03-10T09:00:00Z")
                    .await;
            }
            "report.xml" => {
                self.file(entrance, xml(&rows), "2026-03-08T00:00:00Z")
                    .await;
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn the_same_actions_by_all_entrances_in_any_order_are_one_content() {
    let told = Stage::with_story(11, 240).await;
    let actions: Vec<Action> = told
        .fake
        .world(|world| {
            // The telling goes on until the present of the world's clock.
            world.truth();
            world.actions.clone()
        })
        .into_values()
        .collect();
    let decided = actions
        .iter()
        .filter(|action| action.status != "pending")
        .count();
    assert!(
        actions.len() > 200 && decided > 50,
        "{decided} of {}",
        actions.len()
    );
    let mut dice = Dice::new(seed() + 40);
    let mut first: Option<(Vec<&str>, String)> = None;
    for _ in 0..8 {
        let mut order = ENTRANCES.to_vec();
        dice.shuffle(&mut order);
        let stage = Stage::new().await;
        stage.fake.world(|world| world.put(actions.clone()));
        let start = stage.clock.now();
        for entrance in &order {
            // Each entrance at its own time, whatever came before it.
            assert!(*entrance != "sync" || stage.clock.now() == start);
            stage.bring(entrance, &actions, &mut dice).await;
        }
        let content = stage.world.dump(0).await;
        assert_eq!(stage.world.drift(0).await, Vec::<String>::new());
        match &first {
            None => first = Some((order, content)),
            Some((other, wanted)) => {
                for (row, wanted) in content.lines().zip(wanted.lines()) {
                    assert_eq!(row, wanted, "{order:?} and {other:?}");
                }
                assert_eq!(content.len(), wanted.len());
            }
        }
    }
    let (_, content) = first.unwrap();
    let count = |table: &str| {
        content
            .lines()
            .filter(|line| line.starts_with(table))
            .count()
    };
    assert_eq!(count("action Model"), actions.len(), "one action each");
    assert!(
        content.contains("device: Some("),
        "postbacks told of devices"
    );
}
