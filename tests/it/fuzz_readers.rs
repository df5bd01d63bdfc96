//! Files whose bytes were changed at random: each ends in records or in a sentence. Workbooks go through the process that
//! reads them, and the process that asked for it lives on; all others begin from the corpora in `tests/fixtures`, good ones
//! (`good`) and others, as they are there, joined to one another, in UTF-16 and packed.
//!
//! Random bytes and texts also stand beside the readers' code (`any_bytes_…`).

use crate::support::books::{self, Cell};
use crate::support::check::{seed, soak};
use crate::support::dice::Dice;
use actiongraph::domain::error::{Code, Error};
use actiongraph::domain::report::rates::parse_csv;
use actiongraph::ingest::feed::read_offers;
use actiongraph::ingest::format::input::{Input, Meter, Reading};
use actiongraph::ingest::ledger;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// How many workbooks `make test` has of each kind.
const FEW: usize = 12;
/// How many fewer `make soak` has than of inputs that need no process of their own.
const FEWER: usize = 10;

fn table() -> Vec<Vec<Cell>> {
    let headings = [
        "Action ID",
        "Program ID",
        "Status",
        "Earnings",
        "Currency",
        "Action time",
        "Comment",
    ];
    let text = |text: &str| Cell::Text(text.to_owned());
    let mut rows = vec![headings.map(text).to_vec()];
    for number in 0..12_u32 {
        rows.push(vec![
            Cell::Number(f64::from(900_000_000 + number)),
            Cell::Number(6_115.0),
            text("approved"),
            Cell::Number(f64::from(number) / 4.0),
            text("USD"),
            Cell::Date(45_356.5 + f64::from(number)),
            if number % 3 == 0 {
                text("Отказ & <возврат>")
            } else {
                Cell::Empty
            },
        ]);
    }
    rows
}

/// A good file.
fn good(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good");
    std::fs::read(folder.join(name)).unwrap()
}

/// Changes some bytes: turns bits, cuts, repeats and inserts, and writes the numbers that readers fear.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(8) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(24)).min(bytes.len());
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => {
                bytes.drain(at..end);
            }
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                let any: Vec<u8> = (0..dice.below(12))
                    .map(|_| u8::try_from(dice.below(256)).unwrap())
                    .collect();
                bytes.splice(at..at, any);
            }
            4 => {
                let extreme = *dice.pick(&[0x00, 0x7f, 0x80, 0xff]);
                let end = (at + (1 << dice.below(3))).min(bytes.len());
                bytes[at..end].fill(extreme);
            }
            _ => bytes.truncate(bytes.len() - dice.below(bytes.len() / 4 + 1)),
        }
    }
}

/// Likewise with the letters of a text.
fn mutated(dice: &mut Dice, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    mutate(dice, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An archive with a hostile sheet or hostile strings inside a sound frame, or a damaged frame.
fn archive(dice: &mut Dice) -> Vec<u8> {
    if dice.percent(40) {
        let mut book = if dice.percent(50) {
            good("workbooks/actions.xlsx")
        } else {
            books::xlsx(&table())
        };
        mutate(dice, &mut book);
        return book;
    }
    let rows: String = (1..20)
        .map(|row| {
            format!("<row r=\"{row}\"><c r=\"A{row}\" t=\"s\"><v>{}</v></c><c r=\"B{row}\" s=\"1\"><v>4.5e4</v></c></row>", row % 4)
        })
        .collect();
    let sheet = books::worksheet(&rows);
    let strings = "<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" count=\"4\" uniqueCount=\"4\">\
                   <si><t>Action ID</t></si><si><r><t>a</t></r></si><si><t>Status</t></si><si/></sst>";
    books::xlsx_of(&mutated(dice, &sheet), &mutated(dice, strings))
}

/// An old workbook with hostile records, a hostile chain of sectors, or a damaged frame.
fn compound(dice: &mut Dice) -> Vec<u8> {
    let mut cells = books::xls_cells(&table());
    match dice.below(3) {
        0 => {
            let mut book = if dice.percent(50) {
                good("workbooks/actions.xls")
            } else {
                books::xls(&table())
            };
            mutate(dice, &mut book);
            book
        }
        1 => {
            mutate(dice, &mut cells);
            books::xls_of(&cells)
        }
        _ => {
            let (place, number) = (dice.next(), dice.next());
            books::compound(books::xls_stream(), |fat| {
                let place = usize::try_from(place % u64::try_from(fat.len()).unwrap()).unwrap();
                fat[place] = u32::try_from(number % 20).unwrap();
            })
        }
    }
}

/// What became of a workbook: how many records and rejects, or why it is refused.
fn read(path: &Path, reading: &Reading) -> Result<usize, Error> {
    let input = Input::open(path, reading, 180)?;
    let records = input.records(&Meter::default())?;
    Ok(records.count())
}

fn try_all(name: &str, make: impl Fn(&mut Dice) -> Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let reading = Reading {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_actiongraph"))),
        ..Reading::default()
    };
    let rounds = soak("PROPERTY_CASES").map_or(FEW, |cases| (cases / FEWER).max(FEW));
    let (mut sound, mut told) = (0, 0);
    for round in 0..rounds {
        // Each round can be had alone, by its number.
        let mut dice = Dice::new(seed().wrapping_add(u64::try_from(round).unwrap() << 20));
        std::fs::write(&path, make(&mut dice)).unwrap();
        match read(&path, &reading) {
            Ok(_) => sound += 1,
            Err(error) => {
                let said = error.message();
                // None of it is a fault of the machine's.
                assert!(
                    (10..4_000).contains(&said.len()) && error.code() == Code::BadUserInput,
                    "seed {}, round {round}: {said}: {:?}",
                    seed(),
                    error.cause()
                );
                told += 1;
            }
        }
    }
    assert!(told > 0, "{sound} of {rounds} were read, none was damaged");
}

#[test]
fn changed_xlsx_workbooks_end_in_records_or_a_sentence() {
    try_all("book.xlsx", archive);
}

#[test]
fn changed_xls_workbooks_end_in_records_or_a_sentence() {
    try_all("book.xls", compound);
}

/// The files of a folder of fixtures, whatever is in them.
fn fixtures(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let files: Vec<Vec<u8>> = files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    assert!(!files.is_empty());
    files
}

/// A fixture with some bytes changed, in another encoding or packed at times.
fn changed(dice: &mut Dice, files: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = dice.pick(files).clone();
    if dice.below(8) > 0 {
        mutate(dice, &mut bytes);
    }
    // The beginning of one with the end of another.
    if dice.below(5) == 0 {
        let other = dice.pick(files);
        let (at, from) = (dice.below(bytes.len() + 1), dice.below(other.len() + 1));
        bytes.truncate(at);
        bytes.extend_from_slice(&other[from..]);
    }
    if dice.below(6) == 0 {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let wide = std::iter::once(0xfeff).chain(text.encode_utf16());
        bytes = wide.flat_map(u16::to_le_bytes).collect();
    }
    if dice.below(4) == 0 {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&bytes).unwrap();
        bytes = packer.finish().unwrap();
        if dice.below(2) == 0 {
            mutate(dice, &mut bytes);
        }
    }
    bytes
}

/// Gives a reader such files, many of them good and many not.
fn try_files(folders: &[&str], read: impl Fn(&Path) -> Result<(), String>) {
    let files = fixtures(folders);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let rounds = soak("PROPERTY_CASES").unwrap_or(300);
    let (mut sound, mut told) = (0, 0);
    for round in 0..rounds {
        let mut dice = Dice::new(seed().wrapping_add(u64::try_from(round).unwrap() << 20));
        std::fs::write(&path, changed(&mut dice, &files)).unwrap();
        match read(&path) {
            Ok(()) => sound += 1,
            Err(said) => {
                let is_odd = |symbol: char| symbol.is_control() && symbol != '\n';
                let is_sentence = (10..4_000).contains(&said.len()) && !said.contains(is_odd);
                assert!(is_sentence, "seed {}, round {round}: {said:?}", seed());
                told += 1;
            }
        }
    }
    assert!(
        sound > 0 && told > 0,
        "{sound} were read, {told} were refused"
    );
}

#[test]
fn any_bytes_of_an_export_end_in_records_or_a_sentence() {
    let reading = Reading {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_actiongraph"))),
        ..Reading::default()
    };
    let folders = ["admitad", "feeds", "formats", "ledger"];
    try_files(&folders, |path| {
        let read = read(path, &reading).map(drop);
        read.map_err(|error| error.message().to_owned())
    });
}

/// Most of what damaged files are refused for comes late in a good one.
#[test]
fn any_bytes_of_a_good_export_end_in_records_or_a_sentence() {
    let reading = Reading {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_actiongraph"))),
        ..Reading::default()
    };
    try_files(&["good/tables"], |path| {
        let read = read(path, &reading).map(drop);
        read.map_err(|error| error.message().to_owned())
    });
}

#[test]
fn any_bytes_of_a_ledger_end_in_lines_or_a_sentence() {
    try_files(&["ledger", "formats", "good/ledgers"], |path| {
        ledger::read(path, 180).map(drop)
    });
}

#[test]
fn any_bytes_of_a_feed_end_in_offers_or_a_sentence() {
    try_files(&["feeds", "good/feeds"], |path| {
        read_offers(path, &mut |_| true)
    });
}

#[test]
fn good_feeds_and_ledgers_have_nothing_that_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good");
    for name in ["feed.yml", "feed.yml.gz", "feed.csv", "feed.csv.gz"] {
        let (mut offers, mut rejects) = (Vec::new(), Vec::new());
        let read = read_offers(&folder.join("feeds").join(name), &mut |offer| {
            match offer {
                Ok(draft) => offers.push(draft),
                Err(reject) => rejects.push(reject),
            }
            true
        });
        assert_eq!((read, rejects), (Ok(()), Vec::new()), "{name}");
        let ids: Vec<_> = offers
            .iter()
            .map(|offer| offer.product.external_id.as_deref())
            .collect();
        assert_eq!(ids, [Some("1005000000000001"), Some("77")], "{name}");
    }
    for name in ["ledger.csv", "ledger.csv.gz"] {
        let input = ledger::read(&folder.join("ledgers").join(name), 180).unwrap();
        assert_eq!(
            (input.adjustments.len(), input.rejected, input.passed_over),
            (3, 0, 0),
            "{name}"
        );
    }
}

#[test]
fn any_bytes_of_rates_end_in_rates_or_faults() {
    let good =
        "date,base,quote,rate\n2026-01-02,USD,EUR,0.85\n2026-01-03,USD,RUB,81.5\n".as_bytes();
    let rounds = soak("PROPERTY_CASES").unwrap_or(2_000);
    for round in 0..rounds {
        let mut dice = Dice::new(seed().wrapping_add(u64::try_from(round).unwrap() << 20));
        let mut bytes = good.to_vec();
        mutate(&mut dice, &mut bytes);
        if let Err(faults) = parse_csv(&String::from_utf8_lossy(&bytes)) {
            assert!(!faults.is_empty(), "seed {}, round {round}", seed());
        }
    }
}
