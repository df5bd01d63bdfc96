//! The rank table of `docs/ARCHITECTURE.md`, section "The dependency rule".

use crate::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// The page that holds the table.
pub(crate) const PATH: &str = "docs/ARCHITECTURE.md";
/// The heading that it stands under.
const HEADING: &str = "The dependency rule";
/// Short for all modules of lower ranks.
const EVERYTHING: &str = "everything above";

/// One module's row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Modules may import lower ranks only.
    pub(crate) rank: u32,
    /// Whom it may import.
    pub(crate) may: BTreeSet<String>,
}

/// Rows by module.
pub(crate) type Table = BTreeMap<String, Row>;

/// Reads the table and reports what is wrong with it.
pub(crate) fn parse(page: &str, findings: &mut Vec<Finding>) -> Table {
    let mut rows: BTreeMap<String, (u32, String, usize)> = BTreeMap::new();
    let mut inside = false;
    for (at, line) in page.lines().enumerate() {
        let line_number = at + 1;
        if let Some(heading) = line.strip_prefix('#') {
            inside = heading.contains(HEADING);
        }
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let (true, [rank, modules, may]) =
            (inside && line.trim().starts_with('|'), cells.as_slice())
        else {
            continue;
        };
        let Ok(rank) = rank.parse::<u32>() else {
            continue;
        }; // the head of the table
        for module in names_in_code(modules) {
            if rows
                .insert(module.clone(), (rank, (*may).to_owned(), line_number))
                .is_some()
            {
                findings.push(broken(
                    line_number,
                    format!("`{module}` stands in two rows"),
                ));
            }
        }
    }
    if rows.is_empty() {
        findings.push(broken(
            0,
            format!("no rank table was found under \"{HEADING}\""),
        ));
    }
    let mut table = Table::new();
    for (module, (rank, may, line)) in &rows {
        let may = named(may, *rank, &rows);
        for other in &may {
            match rows.get(other) {
                None => findings.push(broken(*line, format!("`{module}` may import `{other}`, which has no row"))),
                Some((lower, _, _)) if lower >= rank => findings.push(broken(
                    *line,
                    format!("`{module}` (rank {rank}) may not import `{other}` (rank {lower}): only lower ranks"),
                )),
                Some(_) => {}
            }
        }
        table.insert(module.clone(), Row { rank: *rank, may });
    }
    table
}

fn broken(line: usize, what: String) -> Finding {
    Finding {
        file: PATH.to_owned(),
        line,
        rule: "table",
        what,
    }
}

/// The words between back-ticks.
fn names_in_code(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The modules of a "may import" cell; what stands in brackets is for people.
fn named(cell: &str, rank: u32, rows: &BTreeMap<String, (u32, String, usize)>) -> BTreeSet<String> {
    let plain = cell.split('(').next().unwrap_or_default().trim();
    if plain == EVERYTHING {
        return rows
            .iter()
            .filter(|(_, row)| row.0 < rank)
            .map(|(module, _)| module.clone())
            .collect();
    }
    plain
        .split(',')
        .map(|name| name.trim().trim_matches('`'))
        .filter(|name| !name.is_empty() && !["-", "–", "—"].contains(name))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::finds;

    fn page(rows: &str) -> String {
        format!(
            "## 1. {HEADING}\n| rank | module | may import |\n|--:|--|--|\n{rows}\n## Next\n| 9 | `x` | – |\n"
        )
    }

    #[test]
    fn rows_are_read() {
        let mut findings = Vec::new();
        let table = parse(
            &page(
                "| 0 | `a`, `b` | – |\n| 1 | `c` · `d` | `a`, b (+ crate x) |\n| 2 | `e` | everything above |",
            ),
            &mut findings,
        );
        assert_eq!(findings, []);
        let seen: Vec<String> = table
            .iter()
            .map(|(module, row)| {
                let may: Vec<&str> = row.may.iter().map(String::as_str).collect();
                format!("{module} {} {}", row.rank, may.join(","))
            })
            .collect();
        assert_eq!(seen, ["a 0 ", "b 0 ", "c 1 a,b", "d 1 a,b", "e 2 a,b,c,d"]);
    }

    #[test]
    fn a_table_that_contradicts_itself_is_found() {
        let mut findings = Vec::new();
        parse(
            &page("| 1 | `a` | b |\n| 1 | `b` | – |\n| 2 | `c` | gone |\n| 3 | `c` | – |"),
            &mut findings,
        );
        let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(
            found,
            [
                "docs/ARCHITECTURE.md:7: [table] `c` stands in two rows",
                "docs/ARCHITECTURE.md:4: [table] `a` (rank 1) may not import `b` (rank 1): only lower ranks",
            ]
        );
        findings.clear();
        parse(&page("| 2 | `c` | gone |"), &mut findings);
        assert_eq!(
            findings[0].to_string(),
            "docs/ARCHITECTURE.md:4: [table] `c` may import `gone`, which has no row"
        );
    }

    #[test]
    fn a_page_without_a_table_is_found() {
        let mut findings = Vec::new();
        assert!(parse("# A page\n", &mut findings).is_empty());
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn a_module_without_a_row_is_found() {
        finds(
            &[("src/util2.rs", "//! New.\n")],
            "src/util2.rs:0: [table] `util2` has no row",
        );
    }
}
