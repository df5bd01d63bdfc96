//! Lists of users or products as CSV: a cell of each row names one.
//!
//! Where a first row of headings says which column that is, it is that one, else the first. Cells are divided by commas,
//! semicolons or tabs; what stands in quotation marks may go over several lines.

use super::heading::{Aliases, folded};
use crate::domain::column::COLUMNS;
use crate::domain::rule::{Subject, name_of};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use std::io::Read as _;

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The line that it begins in, from 1 on.
    pub line: usize,
    /// What it names, as it was written.
    pub written: String,
    /// A user's SubID value, or a product's natural key; or why it is none.
    pub name: Result<String, String>,
}

/// What may divide the cells.
const DELIMITERS: &[u8] = b",;\t";
/// How many cells of a row can be headings.
const MOST_HEADINGS: usize = 1_000;
/// A row that is put behind a list: where a quotation mark was left open, it is part of the last cell.
const END: &str = "\n.";

/// How sure it is that a heading says who is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// An id, whatever else the row has.
    Id,
    /// A link, where there is no id.
    Link,
    /// A word that other columns may have as well: it counts where no other one does.
    Perhaps,
}

impl Says {
    /// What a heading says, in the words that imports know and in those of lists.
    fn of(subject: Subject, heading: &str, aliases: &Aliases) -> Option<Self> {
        let column = aliases.find(heading).and_then(|place| COLUMNS.get(place));
        let column = column.map_or("", |column| column.name);
        let heading = folded(heading);
        Some(match (subject, column, heading.as_str()) {
            (Subject::Users, "subid" | "subid1" | "subid2" | "subid3" | "subid4", _)
            | (Subject::Users, _, "userid" | "idпользователя" | "пользовательid")
            | (Subject::Products, "product_id", _)
            | (Subject::Products, _, "externalid" | "внешнийid") => Self::Id,
            (Subject::Products, "product_url", _) => Self::Link,
            (Subject::Users, _, "id" | "value" | "значение" | "user" | "пользователь")
            | (Subject::Products, _, "id" | "product" | "товар" | "url" | "link" | "ссылка") => {
                Self::Perhaps
            }
            _ => return None,
        })
    }
}

/// Reads a list. A row of headings, empty rows, and rows that leave the cell empty are passed over.
#[must_use]
pub fn read_list(subject: Subject, text: &str) -> Vec<Listed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let aliases = Aliases::default();
    let (delimiter, columns) = plan(subject, text, &aliases);
    let mut listed: Vec<Listed> = Vec::new();
    let (mut is_first, mut last) = (true, (1, 0));
    let is_whole = walk(text, delimiter, |line, rest, row| {
        last = (line, listed.len());
        let (written, is_heading) = match columns.as_slice() {
            [] => {
                let written = first_cell(rest);
                let is_heading = is_first && is_known(&written, &aliases);
                (Ok(written), is_heading)
            }
            columns => (named_cell(row, columns), is_first),
        };
        if written.as_ref().is_ok_and(String::is_empty) && !is_heading {
            return;
        }
        is_first = false;
        if !is_heading {
            listed.push(named(subject, line, written));
        }
    });
    if !is_whole {
        let (line, before) = last;
        listed.truncate(before);
        let why = "a quotation mark is left open from here on".to_owned();
        listed.push(named(subject, line, Err(why)));
    }
    listed
}

fn named(subject: Subject, line: usize, written: Result<String, String>) -> Listed {
    let name = match &written {
        Ok(written) if written.contains('\n') => {
            Err("it goes over several lines; is a quotation mark left open?".to_owned())
        }
        Ok(written) => name_of(subject, written),
        Err(why) => Err(why.clone()),
    };
    Listed {
        line,
        written: written.unwrap_or_default(),
        name,
    }
}

/// What divides the cells, and which columns name members, in the order in which they count; none where that is the first
/// one alone.
fn plan(subject: Subject, text: &str, aliases: &Aliases) -> (u8, Vec<usize>) {
    let plans = DELIMITERS.iter().map(|delimiter| {
        let (mut rows, mut columns) = (0_usize, Vec::new());
        let is_whole = walk(text, *delimiter, |_, rest, row| {
            if rows == 0 {
                columns = naming(subject, rest, row, aliases);
            }
            rows += 1;
        });
        // Quotation marks that hold lines together are seen by the delimiter before them.
        let rank = (columns.is_empty(), !is_whole, rows);
        (rank, *delimiter, columns)
    });
    let best = plans.min_by_key(|(rank, ..)| *rank);
    best.map_or((b',', Vec::new()), |(_, delimiter, columns)| {
        (delimiter, columns)
    })
}

/// The columns that a first row says to name members, unless that is the first one alone.
fn naming(subject: Subject, rest: &str, row: &ByteRecord, aliases: &Aliases) -> Vec<usize> {
    if subject == Subject::Products && name_of(subject, &first_cell(rest)).is_ok() {
        return Vec::new();
    }
    let cells = (0..row.len().min(MOST_HEADINGS)).map(|place| (place, cell(row, place)));
    let mut found: Vec<(Says, usize)> = cells
        .filter_map(|(place, cell)| Some((Says::of(subject, cell, aliases)?, place)))
        // Anything can be the value of a user, such a word in a row of values as well.
        .filter(|(says, place)| {
            subject == Subject::Products || *says != Says::Perhaps || *place == 0
        })
        .collect();
    found.sort_unstable();
    let is_sure = found
        .first()
        .is_some_and(|(says, _)| *says != Says::Perhaps);
    // Another id than the product's own names nothing where that one is missing.
    let most = match (subject, is_sure) {
        (Subject::Products, true) => found.len(),
        _ => 1,
    };
    let counted = found
        .into_iter()
        .filter(|(says, _)| !is_sure || *says != Says::Perhaps);
    let columns: Vec<usize> = counted.take(most).map(|(_, place)| place).collect();
    if columns == [0] { Vec::new() } else { columns }
}

/// Whether a cell is a heading of any list.
fn is_known(written: &str, aliases: &Aliases) -> bool {
    let subjects = [Subject::Users, Subject::Products];
    let mut said = subjects
        .map(|subject| Says::of(subject, written, aliases))
        .into_iter();
    said.any(|says| says.is_some())
}

/// Hands over the rows of a text that are not empty, each with its line, the text from there on, and its cells. False where
/// a quotation mark is left open, which the last row then holds.
fn walk(text: &str, delimiter: u8, mut each: impl FnMut(usize, &str, &ByteRecord)) -> bool {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(text.as_bytes().chain(END.as_bytes()));
    let mut row = ByteRecord::new();
    let (mut line, mut at) = (1, 0);
    while matches!(reader.read_byte_record(&mut row), Ok(true)) {
        let begin = row.position().map_or(0, csv::Position::byte);
        let rest = usize::try_from(begin)
            .ok()
            .and_then(|begin| text.get(begin..));
        // The reader takes empty lines for the beginning of the row behind them.
        let rest = rest.unwrap_or_default().trim_start_matches('\n');
        if rest.is_empty() {
            return true;
        }
        let begin = text.len() - rest.len();
        line += text
            .get(at..begin)
            .unwrap_or_default()
            .matches('\n')
            .count();
        at = begin;
        if (0..row.len()).any(|place| !cell(&row, place).is_empty()) {
            each(line, rest, &row);
        }
    }
    false
}

fn cell(row: &ByteRecord, place: usize) -> &str {
    let cell = row.get(place).unwrap_or_default();
    std::str::from_utf8(cell).unwrap_or_default().trim()
}

/// The first of these columns that a row fills; empty where it fills none.
fn named_cell(row: &ByteRecord, columns: &[usize]) -> Result<String, String> {
    if columns.iter().all(|column| *column >= row.len()) {
        let why = "the row ends before the column that names its member; is a delimiter missing?";
        return Err(why.to_owned());
    }
    let mut cells = columns.iter().map(|column| cell(row, *column));
    let filled = cells.find(|cell| !cell.is_empty());
    Ok(filled.unwrap_or_default().to_owned())
}

/// The first cell of a row, without its quotation marks, whichever delimiter ends it.
fn first_cell(rest: &str) -> String {
    let row = if rest.starts_with('"') {
        rest
    } else {
        rest.lines().next().unwrap_or_default().trim()
    };
    let Some(quoted) = row.strip_prefix('"') else {
        let end = row.find([',', ';', '\t']).unwrap_or(row.len());
        return row.get(..end).unwrap_or(row).trim().to_owned();
    };
    let mut cell = String::new();
    let mut letters = quoted.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' && letters.next_if_eq(&'"').is_none() {
            break;
        }
        cell.push(letter);
    }
    cell.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(subject: Subject, text: &str) -> Vec<(usize, Result<String, ()>)> {
        let listed = read_list(subject, text).into_iter();
        listed
            .map(|listed| (listed.line, listed.name.map_err(|_| ())))
            .collect()
    }

    fn of(names: &[(usize, &str)]) -> Vec<(usize, Result<String, ()>)> {
        let names = names.iter();
        names
            .map(|(line, name)| (*line, Ok((*name).to_owned())))
            .collect()
    }

    #[test]
    fn products_are_named_by_id_or_link_with_their_lines() {
        let text = "\u{feff}Product_ID;name\n1005001;Kabel\n\n\"https://www.aliexpress.com/item/1005002.html?a=1,2\",x\n\
                    shoe\n  1005003\t\n";
        assert_eq!(
            names(Subject::Products, text),
            [
                (2, Ok("id:1005001".to_owned())),
                (4, Ok("id:1005002".to_owned())),
                (5, Err(())),
                (6, Ok("id:1005003".to_owned())),
            ]
        );
        let link = names(Subject::Products, "https://example.com/a");
        assert!(
            matches!(&link[..], [(1, Ok(key))] if key.starts_with("url:")),
            "{link:?}"
        );
    }

    #[test]
    fn users_are_named_by_anything_but_nothing() {
        assert_eq!(
            names(Subject::Users, "a,1\n\"say \"\"x\"\"\",2\nid\n"),
            of(&[(1, "a"), (2, "say \"x\""), (3, "id")])
        );
    }

    #[test]
    fn a_note_over_several_lines_names_nobody() {
        let text = "u1;\"note\nsecond line\"\r\nu2;x\r\n\r\n\"u3\",1\n";
        assert_eq!(
            names(Subject::Users, text),
            of(&[(1, "u1"), (3, "u2"), (5, "u3")])
        );
        let text = "name;subid1\n\"A;\nB\";u1\n\nC;u2";
        assert_eq!(names(Subject::Users, text), of(&[(2, "u1"), (5, "u2")]));
    }

    #[test]
    fn what_is_left_open_is_named_by_its_line() {
        let listed = read_list(Subject::Users, "name;subid\nA;u1\nB;\"u2\nC;u3\n");
        let told: Vec<_> = listed
            .iter()
            .map(|one| (one.line, one.name.is_ok()))
            .collect();
        assert_eq!(told, [(2, true), (3, false)]);
        let why = listed[1].name.clone().unwrap_err();
        assert!(why.contains("quotation mark"), "{why}");
        // A mark that nothing is lost by is none.
        assert_eq!(
            names(Subject::Users, "u1;\"open\nu2"),
            of(&[(1, "u1"), (2, "u2")])
        );
        assert_eq!(
            names(Subject::Users, "\"u1\nu2\";x\nu3"),
            [(1, Err(())), (3, Ok("u3".to_owned()))]
        );
    }

    #[test]
    fn headings_of_both_languages_say_which_column_it_is() {
        for text in [
            "ID товара\n1005001\n",
            "Название товара;ID товара\nКабель;1005001\n",
            "№\tСсылка на товар\n1\thttps://aliexpress.ru/item/1005001.html\n",
            "Orders,Product URL\n7,https://www.aliexpress.com/item/1005001.html\n",
            "name,ID\nx,1005001\n",
            "Product,product id\nKabel,1005001\n",
        ] {
            let expected = of(&[(2, "id:1005001")]);
            assert_eq!(names(Subject::Products, text), expected, "{text}");
        }
        for text in [
            "Пользователь\nu1\n",
            "Имя;ID пользователя\nАня;u1\n",
            "orders,SubID 2\n5,u1\n",
            "value\nu1",
        ] {
            assert_eq!(names(Subject::Users, text), of(&[(2, "u1")]), "{text}");
        }
        // A first row of values is one, whatever words are in it.
        assert_eq!(names(Subject::Users, "u1,value\n"), of(&[(1, "u1")]));
        let roles = of(&[(1, "u1"), (2, "u2")]);
        assert_eq!(names(Subject::Users, "u1;user\nu2;admin\n"), roles);
        assert_eq!(
            names(Subject::Products, "1005001,product_id\n"),
            of(&[(1, "id:1005001")])
        );
    }

    #[test]
    fn a_file_of_targets_is_a_list_of_products() {
        let text = "\u{feff}rank,product_id,product_name,product_url,reasons\r\n1,1005001,\"Kabel, 1 m\",,\"a; b\"\r\n\
                    2,,Shoe,https://www.aliexpress.com/item/1005002.html,\r\n3,,Bag,,\r\n4\r\n";
        let mut expected = of(&[(2, "id:1005001"), (3, "id:1005002")]);
        // A row that names nothing is passed over, one that is cut off is not.
        expected.push((5, Err(())));
        assert_eq!(names(Subject::Products, text), expected);
    }

    /// Lists as lines, each with its member in front.
    fn by_lines(text: &str) -> Vec<(usize, Result<String, ()>)> {
        let mut rows: Vec<(usize, String)> = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            let written = match line.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap(),
                None => line.split([',', ';', '\t']).next().unwrap(),
            };
            if !written.trim().is_empty() {
                rows.push((place + 1, written.trim().to_owned()));
            }
        }
        if rows
            .first()
            .is_some_and(|(_, first)| ["id", "Product_ID", "subid1"].contains(&first.as_str()))
        {
            rows.remove(0);
        }
        let rows = rows.into_iter();
        rows.map(|(line, written)| (line, Ok(written))).collect()
    }

    proptest! {
        #[test]
        fn a_list_of_lines_is_read_line_by_line(
            head in proptest::sample::select(vec!["", "\n \n", "id\n", "Product_ID;name\n", "subid1,x\r\n"]),
            lines in proptest::collection::vec("(\"[0-9xz,;]{1,6}\"| {0,2}[0-9xz./]{0,6})([,;\t][0-9xz ]{0,4}){0,3}\r?", 0..8),
        ) {
            let text = format!("{head}{}", lines.join("\n"));
            prop_assert_eq!(names(Subject::Users, &text), by_lines(&text), "{:?}", text);
        }

        #[test]
        fn no_text_panics(text in any::<String>(), csv in "[a,;\t\"\n\r ё]{0,30}") {
            for text in [&text, &csv] {
                for subject in [Subject::Users, Subject::Products] {
                    prop_assert!(read_list(subject, text).len() <= text.len());
                }
            }
        }
    }
}
