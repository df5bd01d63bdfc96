//! The command line through the real binary: what it prints, what it exits with, what it leaves behind.
//!
//! Not here: what the formats allow (`ingest`) and what HTTP answers (`http`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what it can't do, it can't go on without"
)]

mod keys;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::fresh_url;

/// The binary, free of the settings of whoever runs the tests.
fn actiongraph(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_actiongraph"));
    for name in [
        "LISTEN",
        "DATABASE_URL",
        "CONFIG",
        "LOG",
        "LOG_FORMAT",
        "CORS_ORIGINS",
        "WORKERS",
    ] {
        command.env_remove(format!("ACTIONGRAPH_{name}"));
    }
    command
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("data"))
        .stdin(Stdio::null());
    command
}

/// A database of its own and a folder for files.
struct Place {
    folder: TempDir,
    url: String,
}

impl Place {
    async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            url: fresh_url().await,
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = actiongraph(self.folder.path());
        command
            .args(arguments)
            .env("ACTIONGRAPH_DATABASE_URL", &self.url);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    fn import(&self, files: &[&Path]) -> Run {
        let mut command = self.command(&["import", "--publisher", "my-blog"]);
        Run::of(command.args(files).output().unwrap())
    }
}

/// What a command did.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The number that the report has beside a word.
    #[track_caller]
    fn count(&self, word: &str) -> u64 {
        let line = self
            .out
            .lines()
            .find(|line| line.trim_start().starts_with(word));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number
            .unwrap_or_else(|| panic!("no {word} in {self:?}"))
            .replace(',', "")
            .parse()
            .unwrap()
    }
}

/// An action as upstream sends it.
fn action(id: u64) -> Value {
    json!({
        "id": id, "action_id": id, "order_id": format!("30190000{id}"), "tariff_id": 11,
        "advcampaign_id": 6115, "advcampaign_name": "AliExpress WW", "website_name": "My blog",
        "click_user_ip": null, "click_user_referer": "", "click_country_code": "PL",
        "conversion_time": 5400, "action": "Paid order", "action_type": "sale", "cart": 31.50,
        "status": "pending", "processed": 0, "subid": "tg", "subid1": "u-1007", "subid2": "",
        "subid3": null, "subid4": null, "payment": 1.89, "currency": "USD", "keyword": null,
        "comment": null,
        "positions": [{
            "id": id + 10_000_000, "tariff_id": 11, "datetime": "2024-03-05 13:30:00",
            "amount": "31.50", "payment": "1.89", "rate": "6.00", "rate_id": 70001,
            "percentage": true,
            "product_url": "https://www.aliexpress.com/item/1005000000000001.html",
            "product_id": "1005000000000001", "product_image": "", "product_name": "USB-C cable",
            "product_category_id": "44", "product_category_name": "Consumer Electronics"
        }],
        "paid": 0, "promocode": null, "click_date": "2024-03-05 12:00:00",
        "action_date": "2024-03-05 13:30:00", "closing_date": "2024-04-04", "status_updated": ""
    })
}

fn page(actions: &[Value]) -> Vec<u8> {
    let count = actions.len();
    let meta = json!({ "limit": 500, "offset": 0, "count": count });
    json!({ "_meta": meta, "results": actions })
        .to_string()
        .into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn an_import_says_what_became_of_every_record() {
    let place = Place::new().await;
    let file = place.file("may.json", &page(&[action(1), action(2), action(3)]));
    let first = place.import(&[&file]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.err.contains("New publisher my-blog"), "{first:?}");
    assert!(
        first.out.starts_with("may.json -> publisher my-blog ("),
        "{first:?}"
    );
    assert_eq!(
        (
            first.count("read"),
            first.count("new"),
            first.count("rejected")
        ),
        (3, 3, 0)
    );

    let again = place.import(&[&file]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(!again.err.contains("New publisher"), "{again:?}");
    assert_eq!((again.count("new"), again.count("unchanged")), (0, 3));
}

#[tokio::test]
async fn gzip_standard_input_and_several_files_are_imported_alike() {
    let place = Place::new().await;
    let packed = place.file("a.json.gz", &gzip(&page(&[action(1)])));
    let plain = place.file("b.json", &page(&[action(2)]));
    let both = place.import(&[&packed, &plain]);
    assert_eq!(both.code, 0, "{both:?}");
    assert_eq!(
        both.out.matches("-> publisher my-blog").count(),
        2,
        "{both:?}"
    );

    let mut child = place
        .command(&["import", "-", "--publisher", "my-blog"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(&gzip(&page(&[action(1), action(2), action(3)])))
        .unwrap();
    drop(input);
    let piped = Run::of(child.wait_with_output().unwrap());
    assert_eq!(piped.code, 0, "{piped:?}");
    assert!(piped.out.starts_with("standard input -> "), "{piped:?}");
    assert_eq!((piped.count("new"), piped.count("unchanged")), (1, 2));
}

/// `actiongraph import <(zcat a.json.gz)`: a pipe has a name, and can be read once only.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_that_is_named_as_a_file_is_read_as_one() {
    let place = Place::new().await;
    let pipe = place.folder.path().join("a.json");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let content = page(&[action(1), action(2)]);
    let path = pipe.clone();
    // It waits for the one who reads.
    let writing = std::thread::spawn(move || std::fs::write(path, content));
    let run = place.import(&[&pipe]);
    assert_eq!((run.code, run.count("new")), (0, 2), "{run:?}");
    assert!(run.out.starts_with("a.json -> "), "{run:?}");
    writing.join().unwrap().unwrap();
}

#[tokio::test]
async fn rejected_records_are_told_with_place_and_reason_while_the_rest_goes_in() {
    let place = Place::new().await;
    let mut broken = action(2);
    broken["id"] = Value::Null;
    broken["action_id"] = Value::Null;
    let file = place.file("may.json", &page(&[action(1), broken, action(3)]));
    let run = place.import(&[&file]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(
        (run.count("read"), run.count("new"), run.count("rejected")),
        (3, 2, 1)
    );
    assert!(
        run.out.contains("page 1, record 2, line 1, byte "),
        "{run:?}"
    );
    assert!(run.out.contains("MISSING_FIELD"), "{run:?}");
}

#[tokio::test]
async fn of_a_torn_file_nothing_is_stored_and_the_exit_code_is_1() {
    let place = Place::new().await;
    let actions: Vec<Value> = (1..=2_500).map(action).collect();
    let plain = page(&actions);
    let whole = gzip(&plain);
    for (name, bytes) in [
        ("torn.json.gz", &whole[..whole.len() - 100]),
        ("torn.json", &plain[..plain.len() - 100]),
    ] {
        for more in [&[][..], &["--as-of", "2026-06-01T00:00:00Z"]] {
            let torn = place.file(name, bytes);
            let mut arguments = vec!["import", torn.to_str().unwrap(), "--publisher", "my-blog"];
            arguments.extend(more);
            let run = place.run(&arguments);
            assert_eq!(run.code, 1, "{run:?}");
            assert!(run.err.contains(name), "{run:?}");
        }
    }
    let again = place.import(&[&place.file("whole.json.gz", &whole)]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.count("new"), 2_500, "{again:?}");
}

#[tokio::test]
async fn an_observation_of_the_future_is_refused_and_a_date_of_the_future_makes_none() {
    let place = Place::new().await;
    let good = place.file("good.json", &page(&[action(1)]));
    let run = place.run(&[
        "import",
        good.to_str().unwrap(),
        "--publisher",
        "my-blog",
        "--as-of",
        "2999-01-01T00:00:00Z",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("lies in the future"), "{run:?}");
    // Whoever imports a file with a date that was mistyped can still import what comes later.
    let with_date = |status: &str, status_updated: &str| {
        let mut action = action(2);
        action["status"] = json!(status);
        action["status_updated"] = json!(status_updated);
        action
    };
    let mut mistyped = action(1);
    mistyped["click_date"] = json!("2090-03-05 12:00:00");
    // The same goes for the action itself.
    let ordered = |at: &str| {
        let mut action = action(3);
        action["status"] = json!("approved");
        action["status_updated"] = json!("2024-03-06 10:00:00");
        action["action_date"] = json!(at);
        action
    };
    let first = [
        mistyped,
        with_date("approved", "2024-03-06 10:00:00"),
        ordered("2042-03-05 13:30:00"),
    ];
    let run = place.import(&[&place.file("first.json", &page(&first))]);
    assert_eq!((run.code, run.count("new")), (0, 3), "{run:?}");
    let second = place.file(
        "second.json",
        &page(&[
            with_date("declined", "2024-03-06 10:00:00"),
            ordered("2024-03-05 13:30:00"),
        ]),
    );
    #[expect(
        clippy::disallowed_methods,
        reason = "the program that is run reads the machine's clock"
    )]
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let run = place.run(&[
        "import",
        second.to_str().unwrap(),
        "--publisher",
        "my-blog",
        "--as-of",
        &now,
    ]);
    assert_eq!((run.code, run.count("updated")), (0, 2), "{run:?}");
}

#[tokio::test]
async fn headings_of_the_configuration_are_known_to_an_import() {
    let place = Place::new().await;
    let table = place.file(
        "mine.csv",
        b"Action ID,Program ID,Mein Lohn,Currency,Action time\n1,6115,2.25,USD,2024-03-05 13:30:00\n",
    );
    let run = place.import(&[&table]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("no column for `payment`"), "{run:?}");
    let config = place.file("a.toml", b"[aliases]\n\"Mein Lohn\" = \"payment\"\n");
    let mut command = place.command(&["import", "--publisher", "my-blog", "--config"]);
    let run = Run::of(command.arg(&config).arg(&table).output().unwrap());
    assert_eq!((run.code, run.count("new")), (0, 1), "{run:?}");
}

#[tokio::test]
async fn an_input_without_actions_is_told_apart_from_one_that_is_known_already() {
    let place = Place::new().await;
    for (name, content) in [("nothing.json", Vec::new()), ("empty.json", page(&[]))] {
        let run = place.import(&[&place.file(name, &content)]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.count("read"), 0);
        assert!(run.out.contains("holds no records"), "{run:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_imported_fails_and_the_other_files_go_in() {
    let place = Place::new().await;
    let good = place.file("good.json", &page(&[action(1)]));
    let missing = place.folder.path().join("missing.json");
    let run = place.import(&[&missing, &good]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.count("new"), 1);
    assert!(run.err.contains("missing.json"), "{run:?}");
}

#[tokio::test]
async fn wrong_usage_is_2_and_says_what_is_right() {
    let place = Place::new().await;
    for (arguments, words) in [
        (&["import"][..], "--publisher"),
        (
            &["import", "x.json", "--publisher", "My Blog"],
            "lower-case letters",
        ),
        (
            &["import", "x.json", "--publisher", "b", "--utc-offset", "3h"],
            "+03:00",
        ),
        (
            &["import", "x.json", "--publisher", "b", "--as-of", "May"],
            "May",
        ),
        (&["import", "-", "-", "--publisher", "b"], "once"),
        (&["serve", "--listen", "eighty"], "127.0.0.1:8080"),
        (&["demo", "--listen", "0.0.0.0:0"], "this machine only"),
        (&["demo", "--database-url", "mysql://x"], "sqlite://"),
        (&["nonsense"], "nonsense"),
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?} {run:?}");
        assert!(run.err.contains(words), "{words} in {run:?}");
        assert_eq!(run.out, "", "{run:?}");
    }
}

#[tokio::test]
async fn serve_lists_every_problem_of_its_settings_and_does_not_start() {
    let place = Place::new().await;
    let config = place.file("a.toml", b"lisen = \"x\"\nworkers = -1\n");
    let mut command = place.command(&["serve", "--listen", "eighty", "--config"]);
    let run = Run::of(command.arg(&config).output().unwrap());
    assert_eq!(run.code, 2, "{run:?}");
    for words in ["lisen", "did you mean listen?", "workers", "--listen"] {
        assert!(run.err.contains(words), "{words} in {run:?}");
    }
    let defaults = place.run(&["serve", "--print-defaults"]);
    assert_eq!(defaults.code, 0);
    assert!(
        defaults.out.contains("# listen = \"127.0.0.1:8080\""),
        "{defaults:?}"
    );
}

#[tokio::test]
async fn rates_are_stored_whole_files_at_a_time() {
    let place = Place::new().await;
    let good = place.file(
        "rates.csv",
        b"from,to,day,rate\nUSD,RUB,2026-01-01,92.5\nUSD,RUB,2026-01-02,93\n",
    );
    let bad = place.file(
        "bad.csv",
        b"from,to,day,rate\nEUR,USD,2026-01-01,1.1\nEUR,USD,yesterday,1.1\n",
    );
    let import = |file: &Path| place.run(&["rates", "import", &file.display().to_string()]);
    let early = import(&good);
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.err.contains("actiongraph migrate"), "{early:?}");
    assert_eq!(place.run(&["migrate"]).code, 0);
    for _ in 0..2 {
        let stored = import(&good);
        assert_eq!(
            (stored.code, stored.out.trim()),
            (0, "2 exchange rates are stored.")
        );
    }
    let refused = import(&bad);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.err.contains("line 3:") && refused.err.contains("Nothing was stored"),
        "{refused:?}"
    );
    let missing = import(Path::new("nowhere.csv"));
    assert!(
        missing.err.contains("cannot read nowhere.csv"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let place = Place::new().await;
    let unknown = {
        assert_eq!(place.run(&["migrate"]).code, 0);
        place.run(&["key", "create", "--publisher", "my-blog"])
    };
    assert_eq!(unknown.code, 1);
    assert!(
        unknown
            .err
            .contains("no such publisher: my-blog (known: none yet)"),
        "{unknown:?}"
    );
    assert!(unknown.err.contains("import"), "{unknown:?}");

    let file = place.file("may.json", &page(&[action(1)]));
    assert_eq!(place.import(&[&file]).code, 0);
    let made = place.run(&[
        "key",
        "create",
        "--publisher",
        "my-blog",
        "--label",
        "dash board",
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    // The key alone is on standard output, so that it can be piped.
    let secret = made.out.trim_end();
    assert_eq!(secret.len(), 55);
    assert!(secret.starts_with("ag_") && !secret.contains(char::is_whitespace));

    let prefix = &secret[3..11];
    let listed = place.run(&["key", "list"]);
    assert!(
        listed.out.contains(prefix) && listed.out.contains("dash board"),
        "{listed:?}"
    );
    assert!(
        !listed.out.contains(&secret[12..]),
        "a secret is shown once"
    );

    assert_eq!(place.run(&["key", "revoke", prefix]).code, 0);
    let again = place.run(&["key", "revoke", secret]);
    assert!(again.out.contains("was revoked before"), "{again:?}");
    assert!(!again.out.contains(&secret[12..]));
    assert_eq!(place.run(&["key", "revoke", "nonesuch"]).code, 1);
}

#[tokio::test]
async fn the_demo_throws_nobody_s_data_away() {
    let place = Place::new().await;
    let file = place.file("may.json", &page(&[action(1)]));
    assert_eq!(place.import(&[&file]).code, 0);
    for extra in [&[][..], &["--fresh"]] {
        let mut arguments = vec![
            "demo",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &place.url,
        ];
        arguments.extend(extra);
        let run = place.run(&arguments);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.err.contains("holds data of my-blog"), "{run:?}");
    }
    assert_eq!(place.import(&[&file]).count("unchanged"), 1);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the database is spoilt behind the store's back"
)]
async fn spoil(url: &str, sql: &str) {
    use sea_orm::ConnectionTrait as _;
    let db = sea_orm::Database::connect(url).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
}

#[tokio::test]
async fn totals_are_verified_and_rebuilt_from_the_command_line() {
    let place = Place::new().await;
    let actions: Vec<Value> = (1..=5).map(action).collect();
    let file = place.file("a.json", &page(&actions));
    assert_eq!(place.import(&[&file]).code, 0);

    let right = place.run(&["verify"]);
    assert_eq!(right.code, 0, "{right:?}");
    assert!(
        right.out.starts_with("my-blog: totals equal the facts ("),
        "{right:?}"
    );

    spoil(&place.url, "UPDATE totals_time SET units = units + 3").await;
    let wrong = place.run(&["verify", "--publisher", "my-blog"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.out.contains("totals_time"), "{wrong:?}");
    assert!(wrong.out.contains("units off by 3"), "{wrong:?}");
    assert!(
        wrong
            .err
            .contains("actiongraph rebuild --publisher my-blog"),
        "{wrong:?}"
    );
    let elsewhere = place.run(&["verify", "--to", "1999-12-31"]);
    assert_eq!(elsewhere.code, 0, "the fault lies later: {elsewhere:?}");
    assert!(elsewhere.out.contains("Lifetimes"), "{elsewhere:?}");
    assert!(!right.out.contains("Lifetimes"), "{right:?}");
    // What comes in later is right, and far enough away to lie in other slices.
    let mut late = action(9);
    for (field, day) in [
        ("click_date", "2025-03-05 12:00:00"),
        ("action_date", "2025-03-05 13:30:00"),
        ("closing_date", "2025-04-04"),
    ] {
        late[field] = json!(day);
    }
    late["positions"][0]["datetime"] = json!("2025-03-05 13:30:00");
    let file = place.file("late.json", &page(&[late]));
    assert_eq!(place.import(&[&file]).code, 0);
    for (from, to) in [
        ("2024-03-05", "2024-03-05"),
        ("2024-02-01", "2024-04-30"),
        ("2024-03-05", "2025-03-05"),
    ] {
        let around = place.run(&["verify", "--from", from, "--to", to]);
        assert_eq!(around.code, 1, "{from} {to}: {around:?}");
        assert!(around.out.contains("totals_time"), "{around:?}");
        assert!(around.out.contains("units off by 3"), "{around:?}");
    }
    for span in [
        &["--from", "2025-03-05", "--to", "2025-03-05"][..],
        &["--from", "2025-01-01"],
    ] {
        let beside = place.run(&[&["verify"][..], span].concat());
        assert_eq!(beside.code, 0, "the fault lies earlier: {beside:?}");
        assert!(beside.out.contains("totals equal the facts"), "{beside:?}");
        assert!(!beside.out.contains("(0 slices)"), "{beside:?}");
    }
    let help = place.run(&["verify", "--help"]);
    assert!(help.out.contains("lifetimes of products"), "{help:?}");

    let rebuilt = place.run(&["rebuild"]);
    assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
    assert!(
        rebuilt.out.starts_with("my-blog: totals rebuilt"),
        "{rebuilt:?}"
    );
    assert_eq!(place.run(&["verify"]).code, 0);

    let nobody = place.run(&["verify", "--publisher", "nobody"]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("known: my-blog"), "{nobody:?}");
    let turned = place.run(&["verify", "--from", "2026-02-01", "--to", "2026-01-01"]);
    assert_eq!(turned.code, 2, "{turned:?}");
}

/// Sums that are beyond 64 bits cannot be compared: that keeps no other slice from it, and hides nothing that was found.
#[tokio::test]
async fn what_differs_is_told_although_a_later_slice_cannot_be_compared() {
    let place = Place::new().await;
    let mut early = action(6);
    early["action_date"] = json!("2023-11-01 10:00:00");
    let actions: Vec<Value> = (1..=5).map(action).chain([early]).collect();
    let file = place.file("a.json", &page(&actions));
    assert_eq!(place.import(&[&file]).code, 0);
    let largest = "UPDATE actions SET reward_e4 = 9223372036854775807 WHERE external_id <> '6'";
    spoil(&place.url, largest).await;

    let uncompared = place.run(&["verify"]);
    assert_eq!(uncompared.code, 1, "{uncompared:?}");
    let equal = "my-blog: totals equal the facts where they could be compared (";
    assert!(uncompared.out.contains(equal), "{uncompared:?}");
    let told = "my-blog: the four weeks from 2024-0";
    assert!(uncompared.err.contains(told), "{uncompared:?}");
    let end = "1 slice could not be compared";
    assert!(uncompared.err.contains(end), "{uncompared:?}");

    spoil(&place.url, "UPDATE totals_time SET units = units + 3").await;
    spoil(
        &place.url,
        "UPDATE product_lifetimes SET actions = actions + 7",
    )
    .await;
    let wrong = place.run(&["verify"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let at = |words: &str| wrong.out.find(words).unwrap_or(usize::MAX);
    let before = at("my-blog: totals_time: ");
    let behind = at("my-blog: product_lifetimes: ");
    let summary = at("my-blog: totals differ from the facts (");
    assert!(before < behind && behind < summary, "{wrong:?}");
    assert!(summary < usize::MAX, "{wrong:?}");
    assert!(wrong.err.contains(told), "{wrong:?}");
    let end = "some totals are wrong, and 1 slice could not be compared";
    assert!(wrong.err.contains(end), "{wrong:?}");
}

#[tokio::test]
async fn a_database_of_an_older_layout_is_brought_up_before_it_is_served() {
    let place = Place::new().await;
    let file = place.file("a.json", &page(&[action(1), action(2)]));
    assert_eq!(place.import(&[&file]).code, 0);
    // As the version before left it: facts, and no totals.
    for table in [
        "totals_time",
        "totals_product",
        "product_lifetimes",
        "totals_tasks",
    ] {
        spoil(&place.url, &format!("DELETE FROM {table}")).await;
    }
    assert_eq!(place.run(&["verify"]).code, 1);
    if place.url.starts_with("postgres") {
        let served = place.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(served.code, 1, "{served:?}");
        assert!(served.err.contains("actiongraph migrate"), "{served:?}");
    }
    let migrated = place.run(&["migrate"]);
    assert_eq!(migrated.code, 0, "{migrated:?}");
    assert_eq!(place.run(&["verify"]).code, 0);
}

#[test]
fn the_schema_needs_no_database() {
    let home = tempfile::tempdir().unwrap();
    let printed = Run::of(actiongraph(home.path()).arg("schema").output().unwrap());
    assert_eq!(printed.code, 0);
    assert!(printed.out.contains("type Query"), "{printed:?}");
    let file = home.path().join("schema.graphql");
    let mut command = actiongraph(home.path());
    let written = Run::of(
        command
            .args(["schema", "--output"])
            .arg(&file)
            .output()
            .unwrap(),
    );
    assert_eq!((written.code, written.out.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(file).unwrap(), printed.out);
}

#[test]
fn without_a_database_url_there_is_a_file_in_the_data_directory() {
    let home = tempfile::tempdir().unwrap();
    let run = Run::of(actiongraph(home.path()).arg("migrate").output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
    let made = walk(home.path());
    assert!(
        made.iter().any(|path| path.ends_with("actiongraph.db")),
        "{made:?}"
    );
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A server that is killed if the test forgets it.
struct Running(Child);

impl Running {
    /// Tells it to stop, as a service manager does, and answers its exit code.
    #[cfg(unix)]
    fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill")
            .arg(self.0.id().to_string())
            .status()
            .unwrap();
        assert!(told.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn serve_answers_key_holders_until_it_is_told_to_stop() {
    let place = Place::new().await;
    let file = place.file("may.json", &page(&[action(1)]));
    assert_eq!(place.import(&[&file]).code, 0);
    let key = place
        .run(&["key", "create", "--publisher", "my-blog"])
        .out
        .trim_end()
        .to_owned();

    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .env("ACTIONGRAPH_LOG_FORMAT", "json")
        .stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let url = loop {
        let mut line = String::new();
        assert_ne!(
            log.read_line(&mut line).unwrap(),
            0,
            "it ended without listening"
        );
        let entry: Value = serde_json::from_str(&line).unwrap();
        if let Some((_, url)) = entry["message"]
            .as_str()
            .unwrap()
            .split_once("listening on ")
        {
            break url.to_owned();
        }
    };
    let client = crate::support::client::client().build().unwrap();
    let query = json!({ "query": "{ viewer { publisher { slug } } }" });
    let request = client.post(format!("{url}/graphql")).json(&query);
    let body: Value = request
        .bearer_auth(&key)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        body["data"]["viewer"]["publisher"]["slug"], "my-blog",
        "{body}"
    );
    let without = client
        .post(format!("{url}/graphql"))
        .json(&query)
        .send()
        .await
        .unwrap();
    assert_eq!(without.status().as_u16(), 401);

    drop(client);
    assert_eq!(server.stop(), Some(0));
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("\"reference\""),
        "requests are logged with their reference: {rest}"
    );
    assert!(!rest.contains(&key[12..]), "keys are never logged");
}

#[tokio::test]
async fn a_ledger_and_a_feed_come_in_and_say_what_became_of_them() {
    let place = Place::new().await;
    let ledger = place.file(
        "balance.csv",
        "Date;Amount;Currency;Reason\n05.03.2024;12,50;USD;Antispam deduction\n06.03.2024;5;USD;Weather\n".as_bytes(),
    );
    let import = |command: &str, file: &Path| {
        place.run(&[
            command,
            "import",
            file.to_str().unwrap(),
            "--publisher",
            "my-blog",
        ])
    };
    let run = import("adjustments", &ledger);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(
        (run.count("read"), run.count("new"), run.count("rejected")),
        (2, 1, 1)
    );
    assert!(
        run.out.contains("`Weather` is no kind of adjustment"),
        "{run:?}"
    );
    let again = import("adjustments", &ledger);
    assert_eq!(
        (again.count("new"), again.count("unchanged")),
        (0, 1),
        "{again:?}"
    );

    let feed = place.file(
        "hot.xml",
        b"<yml_catalog><shop><offers><offer id=\"7\"><name>Cable</name></offer></offers></shop></yml_catalog>",
    );
    let run = import("feed", &feed);
    assert_eq!((run.code, run.count("new")), (0, 1), "{run:?}");
    let broken = place.file("broken.xml", b"<yml_catalog><shop><offers><offer id=\"7\">");
    let run = import("feed", &broken);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("not whole"), "{run:?}");
    let run = place.run(&["feed", "import", "missing.xml", "--publisher", "my-blog"]);
    assert_eq!(run.code, 1, "{run:?}");
    for (command, file) in [("adjustments", &ledger), ("feed", &feed)] {
        let run = place.run(&[
            command,
            "import",
            file.to_str().unwrap(),
            "--publisher",
            "my-blog",
            "--as-of",
            "2999-01-01T00:00:00Z",
        ]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.err.contains("lies in the future"), "{run:?}");
    }
}

#[tokio::test]
async fn products_worth_traffic_are_a_table_and_a_file() {
    let place = Place::new().await;
    let actions: Vec<Value> = (1..=6)
        .map(|number| {
            let product = if number < 6 { "11" } else { "22" };
            json!({
                "id": number, "action_id": number, "advcampaign_id": 6115, "advcampaign_name": "AliExpress WW",
                "website_id": 501, "website_name": "My blog", "action_type": "sale", "cart": 100, "status": "approved",
                "payment": "6.00", "currency": "USD", "action_date": "2026-05-03 10:00:00",
                "positions": [{ "id": number, "amount": "100.00", "payment": "6.00", "product_id": product,
                    "product_name": "=cmd" }],
            })
        })
        .collect();
    let page = json!({ "results": actions, "_meta": { "count": 6, "limit": 500, "offset": 0 } });
    let file = place.file("actions.json", page.to_string().as_bytes());
    assert_eq!(place.import(&[&file]).code, 0);
    let config = place.file(
        "actiongraph.toml",
        b"[[deeplinks]]\npublisher = \"my-blog\"\nad_space = 501\nprogram = 6115\n\
          base = \"https://alitems.com/g/abcdefgh/\"\n",
    );
    let config = config.to_str().unwrap().to_owned();
    let days = [
        "--from",
        "2026-05-01",
        "--to",
        "2026-05-31",
        "--publisher",
        "my-blog",
    ];
    let ask = |more: &[&str]| place.run(&[&["traffic-targets"][..], &days, more].concat());
    let shown = ask(&[
        "--config",
        &config,
        "--ad-space",
        "my BLOG",
        "--country",
        "DE",
        "--subid1",
        "me",
    ]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let link = "https://alitems.com/g/abcdefgh/?ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F11.html&subid1=me";
    assert!(
        shown.out.contains("6.00") && shown.out.contains(link),
        "{shown:?}"
    );
    assert_eq!(
        shown.out.lines().count(),
        2,
        "one order is not enough: {shown:?}"
    );
    let bare = ask(&[]);
    assert!(bare.err.contains("[[deeplinks]]"), "{bare:?}");
    let out = place.folder.path().join("targets.csv");
    let written = ask(&["--min-orders", "1", "--csv", out.to_str().unwrap()]);
    assert_eq!(written.code, 0, "{written:?}");
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("\"'=cmd\""), "{text}");
    let same = ask(&["--min-orders", "1", "--csv", "-"]);
    assert_eq!(same.out, text);
    let products = ["--products", "{\"externalId\":{\"eq\":\"11\"}}"];
    let one = ask(&[&products[..], &["--min-orders", "1", "--csv", "-"]].concat());
    assert_eq!(one.out.lines().count(), 2, "{one:?}");
    assert!(one.out.contains("1,11,"), "{one:?}");
    for (more, part) in [
        (&["--ad-space", "nobody"][..], "known: My blog"),
        (&["--country", "Germany"], "ISO 3166"),
        (&["--min-orders", "some"], "whole number"),
        (&["--products", "{"], "not JSON"),
    ] {
        let failed = ask(more);
        assert_eq!(failed.code, 2, "{failed:?}");
        assert!(failed.err.contains(part), "{failed:?}");
    }
}
