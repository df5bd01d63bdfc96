//! Reads the catalogue's tables: lines of comma-separated fields with a heading, `"` around a field that has a comma,
//! `""` for a quote inside, `#` at the start of a comment. No field has a line break.

use super::CatalogError;

/// The rows below the heading, each with its line number; all have `N` fields.
pub(super) fn rows<'a, const N: usize>(
    text: &'a str,
    heading: [&str; N],
) -> Result<Vec<(usize, [String; N])>, CatalogError> {
    let is_row = |line: &&'a str| !line.is_empty() && !line.starts_with('#');
    let lines = text.lines().zip(1..).map(|(line, number)| (number, line));
    let mut rows = lines
        .filter(|(_, line)| is_row(line))
        .map(|(number, line)| {
            let found = fields(line);
            let count = found.len();
            let row: [String; N] = found.try_into().map_err(|_| {
                CatalogError(format!(
                    "line {number} has {count} fields instead of {N}: {line}"
                ))
            })?;
            Ok((number, row))
        });
    match rows.next().transpose()? {
        Some((_, first)) if first == heading => rows.collect(),
        other => Err(CatalogError(format!(
            "the heading is {other:?} instead of {heading:?}"
        ))),
    }
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => push(&mut fields, '"'),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => push(&mut fields, other),
        }
    }
    fields
}

fn push(fields: &mut [String], letter: char) {
    if let Some(last) = fields.last_mut() {
        last.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_comments() {
        let text = "# a comment\na,b\n1,two\n\n\"3, or \"\"III\"\"\",\n";
        let read = rows(text, ["a", "b"]).unwrap();
        let wanted = [(3, ["1", "two"]), (5, ["3, or \"III\"", ""])];
        assert_eq!(
            read,
            wanted.map(|(line, row)| (line, row.map(str::to_owned)))
        );
    }

    #[test]
    fn the_place_of_a_fault_is_named() {
        let error = rows("a,b\n1,2\n1,2,3\n", ["a", "b"]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("line 3 has 3 fields instead of 2"),
            "{error}"
        );
        assert!(rows("b,a\n1,2\n", ["a", "b"]).is_err());
        assert!(rows("", ["a", "b"]).is_err());
    }
}
