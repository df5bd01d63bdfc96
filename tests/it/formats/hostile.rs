//! Files that are damaged, hostile or foreign: by the command line and sent to a server, each ends in its own clear error
//! with nothing written, and reading it takes little memory.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use actiongraph::domain::scope::KeyScope;
use actiongraph::domain::time::Instant;
use serde_json::{Value, json};

use super::{action, api, gzip, table};
use crate::support::books::{self, Cell};
use crate::support::client::client;
use crate::support::process::serve;
use crate::support::server::key_of;
use crate::support::usage::{Usage, Watch};
use crate::support::world::World;

/// The most memory that reading any of the files may take, in bytes: that of the process which reads it, and of the one which
/// that starts for a workbook, together; of a server, beside what it takes anyway.
const MEMORY: u64 = 256 << 20;

/// How long a file may be read.
const PATIENCE: Duration = Duration::from_secs(120);

/// A file whose table of sectors runs in circles: it may be read as one without rows.
const LOOPING: &str = "looping.xls";

mod heavy {
    use super::*;

    #[tokio::test]
    async fn hostile_damaged_and_foreign_files_end_in_their_own_errors_with_nothing_written() {
        let world = World::new(1).await;
        let before = world.dump(0).await;
        let folder = tempfile::tempdir().unwrap();
        let files = everything();
        let (mut wrong, mut most) = (Vec::new(), Most::default());
        for (name, bytes, words) in &files {
            let file = folder.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            let (code, said, memory) = import_within_limits(&world.url, &file);
            most.note(name, memory);
            let is_good = code == 1 && said.contains(words) && said.len() <= 4_000
                || name == LOOPING && said.contains("It holds no records");
            if !is_good {
                let said: String = said.chars().take(600).collect();
                wrong.push(format!(
                    "{name}: {words} expected, exit code {code}, said: {said}"
                ));
            }
            std::fs::remove_file(&file).unwrap();
            assert!(is_empty(folder.path()), "{name}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(world.dump(0).await, before);
        assert_failed(&world, files.len()).await;
        most.assert_little("by the command line");
    }

    #[tokio::test]
    async fn a_server_that_is_sent_hostile_files_says_so_writes_nothing_and_goes_on() {
        let world = World::new(1).await;
        let before = world.dump(0).await;
        let now = Instant::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let key = key_of(&world.store, &world.publishers[0], KeyScope::ALL, now).await;
        let (uploads, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let settings = [
            (
                "ACTIONGRAPH_IMPORT_DIRECTORY",
                uploads.path().to_str().unwrap(),
            ),
            ("TMPDIR", scratch.path().to_str().unwrap()),
        ];
        let server = serve(&world.url, &settings);
        let client = client().timeout(PATIENCE).build().unwrap();
        let at = |path: &str| format!("http://{}{path}", server.address);
        let is_well = async |path: &str| {
            let answer = client.get(at(path)).send().await.unwrap();
            answer.status().is_success()
        };
        assert!(is_well("/readyz").await);
        // What a server takes that does nothing is not the files'.
        let idle = Usage::of(server.id()).resident();
        let files = everything();
        let (mut wrong, mut most) = (Vec::new(), Most::default());
        for (name, bytes, words) in &files {
            let watch = Watch::on(server.id());
            let request = client
                .post(at("/import"))
                .query(&[("wait", "true"), ("name", name.as_str())])
                .bearer_auth(&key)
                .body(bytes.clone());
            let answer = request.send().await.unwrap();
            most.note(name, watch.end().saturating_sub(idle));
            let status = answer.status().as_u16();
            let told: Value = answer.json().await.unwrap();
            let (run, error) = (&told["run"], told["run"]["error"].as_str());
            let is_told = error.is_some_and(|error| error.contains(words) && error.len() <= 4_000);
            let is_good = status == 200 && run["state"] == "FAILED" && is_told;
            let is_looping = name == LOOPING && status == 200;
            if !(is_good || is_looping) {
                wrong.push(format!("{name}: {words} expected, {status}: {told}"));
            }
            assert!(is_well("/livez").await, "after {name}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(is_well("/readyz").await);
        emptied(uploads.path()).await;
        assert!(is_empty(scratch.path()));
        assert_eq!(world.dump(0).await, before);
        assert_failed(&world, files.len()).await;
        most.assert_little("by a server");
    }
}

/// All files, from everywhere.
fn everything() -> Vec<Hostile> {
    // A table of sectors that runs in circles; there is nothing else in it.
    let looping = books::compound(books::xls_stream(), |fat| fat[3] = 0);
    let looping = listed([(LOOPING, looping, "the workbook cannot be read")]);
    [corpus(), workbooks(), cut_off(), looping].concat()
}

/// The file that took the most memory.
#[derive(Default)]
struct Most {
    name: String,
    bytes: u64,
}

impl Most {
    fn note(&mut self, name: &str, bytes: u64) {
        if bytes > self.bytes {
            (self.name, self.bytes) = (name.to_owned(), bytes);
        }
    }

    /// Tells it, and asserts that it is not much.
    #[expect(
        clippy::print_stderr,
        reason = "a figure for people, which nextest shows on request"
    )]
    fn assert_little(&self, way: &str) {
        let (name, mib) = (&self.name, self.bytes >> 20);
        eprintln!("hostile files {way}: {name} took {mib} MiB, the most of all");
        assert!(self.bytes > 0, "nothing was measured");
        assert!(self.bytes <= MEMORY, "{name}: {} bytes", self.bytes);
    }
}

/// Asserts that each of so many files is a run that can be looked up, with its reason.
async fn assert_failed(world: &World, count: usize) {
    let runs = world.rows::<entity::import_run::Entity>(0).await;
    assert_eq!(runs.len(), count);
    for run in runs.into_iter().filter(|run| run.name != LOOPING) {
        assert_eq!(run.state, "FAILED", "{run:?}");
        assert!(run.error.is_some_and(|error| error.len() > 20));
    }
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

/// Waits until the files are gone, which they are soon after their runs have ended.
async fn emptied(folder: &Path) {
    let gone = async {
        while !is_empty(folder) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("files that are in are gone");
}

/// A run of the binary with no more address space than a sound import has use for, so that whoever takes gigabytes dies: its
/// exit code, all that it said, and how much memory it took.
fn import_within_limits(url: &str, file: &Path) -> (i32, String, u64) {
    let child = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 4000000 && exec \"$0\" import \"$1\" --publisher publisher-1",
        ])
        .arg(env!("CARGO_BIN_EXE_actiongraph"))
        .arg(file)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ACTIONGRAPH_DATABASE_URL", url)
        .env("TMPDIR", file.parent().unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let watch = Watch::on(child.id());
    let output = child.wait_with_output().unwrap();
    let memory = watch.end();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(said).unwrap(),
        memory,
    )
}

/// The files of the repository, each with words of its error. A file without words, and words without a file, fail.
fn corpus() -> Vec<Hostile> {
    let expected = [
        ("archive.zip", "it is a ZIP archive; unpack it"),
        ("binary.dat", "it is no text, and no workbook either"),
        ("cut-off.csv.gz", "the input cannot be read"),
        ("cut-off.xml", "the XML ends inside `<stat>` (behind row 2)"),
        ("entities.xml", "DOCTYPE"),
        ("external-entity.xml", "DOCTYPE"),
        ("failure.html", "HTML page"),
        ("feed.xml", "root is `<yml_catalog>`"),
        ("headings-endless.csv", "no column for `payment`"),
        ("headings-missing.csv", "no column for `payment`"),
        ("headings-twice.csv", "two headings mean `payment`"),
        ("letter.txt", "no known format"),
        ("no-headings.csv", "no row of headings"),
        ("packed-twice.gz", "gzip twice"),
        ("report.pdf", "PDF"),
        ("table.xls", "HTML page"),
        ("too-deep.xml", "32 deep"),
        ("too-many-attributes.xml", "64 attributes"),
        ("unknown-encoding.xml", "`klingon`"),
        ("unknown-entity.xml", "`&nbsp;`"),
        ("utf-16-half-a-character.csv", "not UTF-16LE"),
        ("utf-16-without-mark.csv", "UTF-16 without the mark"),
        ("workbook-2003.xml", "Excel 2003"),
        ("wrong-encoding.xml", "is not UTF-8"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), expected.len());
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    expected
        .map(|(name, words)| (name.to_owned(), read(name), words))
        .into()
}

/// A file's name, its bytes, and words of its error.
type Hostile = (String, Vec<u8>, &'static str);

fn listed<const N: usize>(files: [(&str, Vec<u8>, &'static str); N]) -> Vec<Hostile> {
    files
        .map(|(name, bytes, words)| (name.to_owned(), bytes, words))
        .into()
}

/// JSON that ends in the middle, however it ends: what stands before it is not written either.
fn cut_off() -> Vec<Hostile> {
    let all: Vec<Value> = (0..2_500).map(|number| api(&action(number))).collect();
    let page = json!({"results": all, "_meta": {"count": 2_500}}).to_string();
    let lines: String = all.iter().map(|action| format!("{action}\n")).collect();
    let packed = gzip(page.as_bytes());
    let whole_lines = gzip(lines.as_bytes());
    // What is packed two hundred times over, behind more actions than are written at once.
    let mut bomb = page.clone().into_bytes();
    bomb.resize(140 << 20, b' ');
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&bomb).unwrap();
    let bomb = packer.finish().unwrap();
    let but = |bytes: &[u8], last: usize| bytes[..bytes.len() - last].to_vec();
    let in_the_middle = "the JSON ends in the middle";
    listed([
        ("torn.json", but(page.as_bytes(), 3), in_the_middle),
        ("torn-record.json", but(page.as_bytes(), 200), in_the_middle),
        ("torn.jsonl", but(lines.as_bytes(), 40), in_the_middle),
        (
            "torn.json.gz",
            but(&packed, 9),
            "repeat the import with a whole file",
        ),
        (
            "torn.jsonl.gz",
            but(&whole_lines, 2_000),
            "repeat the import with a whole file",
        ),
        ("bomb.json.gz", bomb, "200 times its size"),
    ])
}

/// Workbooks that are hostile or damaged, made here because most are large before they are packed.
fn workbooks() -> Vec<Hostile> {
    [frames(), sheets(), old_books()].concat()
}

/// The archive is at fault.
fn frames() -> Vec<Hostile> {
    let sound = books::xlsx(&table());
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let mut lying = books::Zip::default();
    lying.add("[Content_Types].xml", b"<Types/>", None);
    lying.add("xl/workbook.xml", &vec![b' '; 20 << 20], Some(100));
    let mut claiming = books::Zip::default();
    claiming.add("[Content_Types].xml", b"<Types/>", None);
    for number in 0..300 {
        claiming.add(&format!("xl/{number}"), b"x", Some(1 << 20));
    }
    let mut letter = books::Zip::default();
    letter.add("[Content_Types].xml", b"<Types/>", None);
    letter.add("word/document.xml", b"<w/>", None);
    let bomb = books::worksheet(&" ".repeat(20 << 20));
    let bomb = books::xlsx_of(&bomb, &books::no_strings());
    listed([
        ("half.xlsx", half(&sound), "its directory is missing"),
        (
            "half.xlsx.gz",
            half(&gzip(&sound)),
            "incomplete deflate stream",
        ),
        ("bomb.xlsx.gz", gzip(&bomb), "more than 100 times its size"),
        ("bomb.xlsx", bomb, "more than 100 times its size"),
        ("lying.xlsx", lying.finish(), "the workbook cannot be read"),
        ("claiming.xlsx", claiming.finish(), "unpacks to 300 MiB"),
        ("letter.xlsx", letter.finish(), "it is a document"),
    ])
}

/// What stands in the archive is at fault.
fn sheets() -> Vec<Hostile> {
    let cell = |place: &str| format!("<c r=\"{place}\"><v>1</v></c>");
    let row = |number: u32, place: &str| format!("<row r=\"{number}\">{}</row>", cell(place));
    let corners = row(1, "A1") + &row(1_048_576, "XFD1048576");
    let backwards = row(9, "A9") + &row(2, "A2");
    let endless = format!("<sst>{}</sst>", "<si><t/></si>".repeat(2 << 20));
    let lost = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>4000000000</v></c></row>";
    // Of different numbers, so that it packs no better than sound ones.
    let filled = |row: u64| {
        let numbers = (row * 101..(row + 1) * 101).map(|at| at * 2_654_435_761 % 999_983);
        let cells = numbers.map(|number| format!("<c><v>{number}</v></c>"));
        format!("<row>{}</row>", cells.collect::<String>())
    };
    let many: String = (0..10_000).map(filled).collect();
    let of = |rows: &str| books::xlsx_of(&books::worksheet(rows), &books::no_strings());
    let lying = books::xlsx_lying(&books::worksheet(&corners), &endless);
    listed([
        ("corners.xlsx", of(&corners), "no row of headings"),
        ("strings.xlsx", lying, "larger than its declared"),
        ("lost-string.xlsx", of(lost), "the workbook cannot be read"),
        ("backwards.xlsx", of(&backwards), "out of order"),
        ("many-cells.xlsx", of(&many), "more than 1000000 cells"),
    ])
}

/// Old workbooks.
fn old_books() -> Vec<Hostile> {
    let sound = books::xls(&table());
    let mut far = books::xls_cell(0, 0, &Cell::Number(1.0));
    far.extend(books::xls_cell(65_535, 255, &Cell::Number(1.0)));
    // A sheet that says that it has four thousand million rows.
    let mut claims = vec![0x00, 0x02, 14, 0];
    for number in [0_u32, u32::MAX - 1] {
        claims.extend(number.to_le_bytes());
    }
    claims.extend([0, 0, 0xff, 0xff, 0, 0]);
    listed([
        (
            "half.xls",
            sound[..sound.len() / 2].to_vec(),
            "the workbook cannot be read",
        ),
        ("corners.xls", books::xls_of(&far), "512 MiB of memory"),
        ("claims.xls", books::xls_of(&claims), "512 MiB of memory"),
    ])
}
