//! Comma-separated values as RFC 4180 has them, safe to open in a spreadsheet.

/// The mark that tells old spreadsheets that a file is UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// What people or other programs wrote: it is kept from being taken for a formula.
    Text(String),
    /// A number, as it is.
    Number(String),
    /// Nothing.
    Empty,
}

/// Appends a line.
pub fn push_line<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a Cell>) {
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        match cell {
            Cell::Text(text) => push_text(out, text),
            Cell::Number(number) => out.push_str(number),
            Cell::Empty => {}
        }
    }
    out.push_str("\r\n");
}

fn push_text(out: &mut String, text: &str) {
    // A spreadsheet would compute what begins so, also behind blanks.
    let is_formula = text
        .trim_start_matches([' ', '\u{feff}', '\u{a0}'])
        .starts_with([
            '=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '＝', '＋', '－', '＠',
        ]);
    let needs_quotes = is_formula || text.contains(['"', ',', '\r', '\n', ';', '\t']);
    if !needs_quotes {
        out.push_str(text);
        return;
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    for letter in text.chars() {
        if letter == '"' {
            out.push('"');
        }
        out.push(letter);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(cells: &[Cell]) -> String {
        let mut out = String::new();
        push_line(&mut out, cells);
        out
    }

    #[test]
    fn cells_are_quoted_where_needed_and_formulas_are_defused() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let cells = [
            text("plain"),
            text("a,b"),
            text("say \"hi\"\nthere"),
            text("=HYPERLINK(\"http://x\")"),
            text(" +1"),
            text("@SUM(A1)"),
            text("-2"),
            Cell::Number("-2.50".to_owned()),
            Cell::Empty,
        ];
        assert_eq!(
            line(&cells),
            "plain,\"a,b\",\"say \"\"hi\"\"\nthere\",\"'=HYPERLINK(\"\"http://x\"\")\",\"' +1\",\"'@SUM(A1)\",\"'-2\",-2.50,\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_none_is_a_formula(texts in proptest::collection::vec(any::<String>(), 2..6)) {
            let cells: Vec<Cell> = texts.iter().cloned().map(Cell::Text).collect();
            let written = line(&cells);
            let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(record.len(), texts.len());
            for (read, text) in record.iter().zip(&texts) {
                prop_assert!(!read.starts_with(['=', '+', '-', '@']));
                prop_assert_eq!(read.strip_prefix('\'').filter(|rest| rest == text).unwrap_or(read), text);
            }
        }
    }
}
