//! Flat rows become records: what the cells of a row say, and neighbouring rows of one action as one record with a cart.
//!
//! A row is an action with at most one cart item in its product columns. Neighbouring rows with the same id, whose other
//! columns of the action are equal too, are one action. Where reward and order amount are equal on all of them, they are
//! the action's; where they differ, they are the lines' and are summed. A single row's item has its reward and order
//! amount. Rows of one id that differ in anything else (a status, a date) are states of their own.

use super::ReadError;
use super::value::{self, Cell};
use crate::domain::column::{COLUMNS, Column, column_named};
use crate::domain::draft::{Place, RejectReason};
use crate::domain::money::{Excess, format_e4, parse_e4};
use crate::domain::time::{Instant, parse_upstream};
use crate::ingest::raw::RawRecord;
use crate::ingest::refusal::Refusal;

/// The most rows of one action.
const ROWS_LIMIT: usize = 1_000;
/// The longest field, in bytes.
pub(super) const FIELD_LIMIT: usize = 64 * 1024;
/// The columns whose newest time is the file's own.
const STAMPS: [&str; 3] = ["status_updated", "action_date", "click_date"];

/// A row as it was read: what its cells say, by their columns' places in [`COLUMNS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Which sheet, from 1.
    pub(super) page: u32,
    /// Where its first byte stands in the unpacked text; 0 in sheets.
    pub(super) byte: u64,
    /// Its line, from 1; in sheets the number of its row.
    pub(super) line: u64,
    /// What it says of the action.
    action: Vec<(usize, String)>,
    /// What it says of cart items: one of CSV and sheets, as many of XML as it repeats its product's tags.
    items: Vec<Vec<(usize, String)>>,
    /// Why it cannot be a record.
    refusal: Option<(RejectReason, Option<String>, String)>,
}

impl Row {
    pub(super) fn at(page: u32, byte: u64, line: u64) -> Self {
        Self {
            page,
            byte,
            line,
            ..Self::default()
        }
    }

    /// Refuses the row, unless it is refused already.
    pub(super) fn refuse(&mut self, reason: RejectReason, field: Option<&str>, message: String) {
        if self.refusal.is_none() {
            self.refusal = Some((reason, field.map(str::to_owned), message));
        }
    }

    /// Adds what a cell of a column says.
    pub(super) fn add(&mut self, place: usize, cell: &str) {
        let Some(column) = COLUMNS.get(place) else {
            return;
        };
        let name = column.name;
        if cell.len() > FIELD_LIMIT {
            let message = format!(
                "`{name}` has {} bytes, at most {FIELD_LIMIT} are taken; shorten it",
                cell.len()
            );
            return self.refuse(RejectReason::TooLong, Some(name), message);
        }
        match value::read(column.kind, cell) {
            Cell::Nothing => {}
            Cell::Text(text) => self.put(place, column, text.into_owned()),
            Cell::Amount { amount, currency } => {
                self.put(place, column, amount);
                self.put_default("currency", &currency);
            }
            Cell::Released => {
                self.put(place, column, "approved".to_owned());
                self.put_default("paid", "1");
            }
            Cell::Unclear(why) => {
                self.put(place, column, cell.trim().to_owned());
                self.refuse(
                    RejectReason::BadValue,
                    Some(name),
                    format!("`{name}` {why}"),
                );
            }
        }
    }

    fn put(&mut self, place: usize, column: &Column, text: String) {
        if column.item_field.is_none() {
            if self.action.iter().any(|(known, _)| *known == place) {
                let name = column.name;
                let message = format!("`{name}` stands twice in the record; leave one");
                return self.refuse(RejectReason::Malformed, Some(name), message);
            }
            self.action.push((place, text));
            return;
        }
        match self.items.last_mut() {
            Some(item) if item.iter().all(|(known, _)| *known != place) => item.push((place, text)),
            _ => self.items.push(vec![(place, text)]),
        }
    }

    /// What another column implies, where its own says nothing. An own cell that comes later replaces it.
    fn put_default(&mut self, name: &str, text: &str) {
        let Some(place) = column_named(name) else {
            return;
        };
        // Own cells are added under their own places; implied ones wait behind all of them.
        self.action.push((COLUMNS.len() + place, text.to_owned()));
    }

    /// Puts the row in order once all its cells were added.
    pub(super) fn finish(&mut self) {
        let implied: Vec<(usize, String)> = self
            .action
            .extract_if(.., |(place, _)| *place >= COLUMNS.len())
            .collect();
        for (place, text) in implied {
            let place = place - COLUMNS.len();
            match self.action.iter().find(|(known, _)| *known == place) {
                None => self.action.push((place, text)),
                Some((_, given)) if is_currency(place) && !given.eq_ignore_ascii_case(&text) => {
                    let message = format!(
                        "`currency` is {}, but an amount of the record is in {text}; leave one of them",
                        super::heading::short(given)
                    );
                    self.refuse(RejectReason::BadValue, Some("currency"), message);
                }
                Some(_) => {}
            }
        }
        self.action.sort_unstable_by_key(|(place, _)| *place);
    }

    /// Whether nothing is said at all.
    pub(super) fn is_empty(&self) -> bool {
        self.action.is_empty() && self.items.is_empty() && self.refusal.is_none()
    }

    /// The newest of its times that is sound.
    pub(super) fn newest(&self, offset_minutes: i32) -> Option<Instant> {
        let times = self.action.iter().filter(|(place, _)| {
            COLUMNS
                .get(*place)
                .is_some_and(|column| STAMPS.contains(&column.name))
        });
        times
            .filter_map(|(_, text)| parse_upstream(text, offset_minutes).ok())
            .max()
    }

    fn get(&self, name: &str) -> Option<&str> {
        let place = column_named(name)?;
        let found = self.action.iter().find(|(known, _)| *known == place);
        found.map(|(_, text)| text.as_str())
    }

    fn id(&self) -> Option<&str> {
        self.get("action_id").or_else(|| self.get("id"))
    }

    /// Whether both rows are lines of one state of one action.
    fn goes_with(&self, other: &Self) -> bool {
        fn without_money(row: &Row) -> impl Iterator<Item = &(usize, String)> {
            row.action
                .iter()
                .filter(|(place, _)| !is_line_money(*place))
        }
        self.page == other.page
            && self.refusal.is_none()
            && other.refusal.is_none()
            && self.id().is_some()
            && self.id() == other.id()
            && without_money(self).eq(without_money(other))
    }

    fn has_same_money(&self, other: &Self) -> bool {
        ["payment", "cart"]
            .iter()
            .all(|name| self.get(name) == other.get(name))
    }
}

fn is_currency(place: usize) -> bool {
    COLUMNS
        .get(place)
        .is_some_and(|column| column.name == "currency")
}

fn is_line_money(place: usize) -> bool {
    COLUMNS
        .get(place)
        .is_some_and(|column| matches!(column.name, "payment" | "cart"))
}

/// Rows as records.
pub(super) struct Records<I> {
    rows: I,
    /// A row that begins the next record.
    next: Option<Row>,
    page: u32,
    index: u32,
}

impl<I> Records<I> {
    pub(super) fn new(rows: I) -> Self {
        Self {
            rows,
            next: None,
            page: 0,
            index: 0,
        }
    }
}

impl<I: Iterator<Item = Result<Row, ReadError>>> Iterator for Records<I> {
    type Item = Result<RawRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.next.take() {
            Some(row) => row,
            None => match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            },
        };
        let mut lines = vec![first];
        let mut error = None;
        let mut excess = 0_usize;
        for row in self.rows.by_ref() {
            match row {
                Ok(row) if lines.first().is_some_and(|first| first.goes_with(&row)) => {
                    if lines.len() < ROWS_LIMIT {
                        lines.push(row);
                    } else {
                        excess += 1;
                    }
                }
                Ok(row) => {
                    self.next = Some(row);
                    break;
                }
                Err(failure) => {
                    error = Some(failure);
                    break;
                }
            }
        }
        // An error ends the reading; what came before it is not handed out any more, for nothing of it is written.
        Some(match error {
            Some(error) => Err(error),
            None => self.record(&lines, excess),
        })
    }
}

impl<I> Records<I> {
    fn record(&mut self, lines: &[Row], excess: usize) -> Result<RawRecord, ReadError> {
        let empty = Row::default();
        let first = lines.first().unwrap_or(&empty);
        if first.page != self.page {
            self.page = first.page;
            self.index = 0;
        }
        let place = Place {
            page: self.page.max(1),
            index: self.index,
            byte: first.byte,
            line: first.line,
        };
        self.index = self.index.saturating_add(1);
        let text = rendered(lines);
        let refused = |reason, field: Option<&str>, message: String| {
            let refusal = Refusal::new(reason, field, message);
            Err(ReadError::Reject(refusal.at(place, text.as_bytes())))
        };
        if let Some((reason, field, message)) = &first.refusal {
            return refused(*reason, field.as_deref(), message.clone());
        }
        if excess > 0 {
            let message = format!(
                "the action has {} rows; at most {ROWS_LIMIT} cart items are taken",
                lines.len() + excess
            );
            return refused(RejectReason::TooLong, None, message);
        }
        Ok(RawRecord { place, text })
    }
}

/// The record that rows of one action make, as upstream's API would write it; numbers stay text.
fn rendered(lines: &[Row]) -> String {
    let Some(first) = lines.first() else {
        return "{}".to_owned();
    };
    let is_action_s = lines.iter().all(|line| line.has_same_money(first));
    let mut fields = serde_json::Map::new();
    for (place, text) in &first.action {
        let Some(column) = COLUMNS.get(*place) else {
            continue;
        };
        let text = if is_action_s || !is_line_money(*place) {
            text.clone()
        } else {
            sum(lines, column.name)
        };
        fields.insert(column.name.to_owned(), text.into());
    }
    if !is_action_s {
        // The first line may be without what others have.
        for name in ["payment", "cart"] {
            if !fields.contains_key(name) && lines.iter().any(|line| line.get(name).is_some()) {
                fields.insert(name.to_owned(), sum(lines, name).into());
            }
        }
    }
    let is_single = lines.len() == 1 && first.items.len() == 1;
    let mut items = Vec::new();
    for line in lines {
        let owns_money = is_single || (!is_action_s && line.items.len() == 1);
        for cells in &line.items {
            let mut item = serde_json::Map::new();
            if owns_money {
                for (from, to) in [("cart", "amount"), ("payment", "payment")] {
                    if let Some(text) = line.get(from) {
                        item.insert(to.to_owned(), text.into());
                    }
                }
            }
            for (place, text) in cells {
                let field = COLUMNS.get(*place).and_then(|column| column.item_field);
                if let Some(field) = field {
                    item.insert(field.to_owned(), text.as_str().into());
                }
            }
            items.push(serde_json::Value::Object(item));
        }
    }
    if !items.is_empty() {
        fields.insert("positions".to_owned(), items.into());
    }
    serde_json::Value::Object(fields).to_string()
}

/// The sum of what the lines say; the first text that is no amount stays as it is, to be refused by name.
fn sum(lines: &[Row], name: &str) -> String {
    let mut sum = 0_i64;
    for text in lines.iter().filter_map(|line| line.get(name)) {
        let Ok((e4, _)) = parse_e4(text, Excess::RoundHalfEven) else {
            return text.to_owned();
        };
        sum = sum.saturating_add(e4);
    }
    format_e4(sum, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn row(line: u64, cells: &[(&str, &str)]) -> Row {
        let mut row = Row::at(1, 0, line);
        for (name, cell) in cells {
            row.add(column_named(name).unwrap(), cell);
        }
        row.finish();
        row
    }

    fn records(rows: Vec<Row>) -> Vec<Value> {
        let rows = rows.into_iter().map(Ok);
        Records::new(rows)
            .map(|record| match record {
                Ok(record) => serde_json::from_str(&record.text).unwrap(),
                Err(ReadError::Reject(reject)) => json!({"refused": reject.message}),
                Err(other) => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_single_row_is_an_action_with_one_item() {
        let found = records(vec![row(
            2,
            &[
                ("id", "1"),
                ("cart", "31,50"),
                ("payment", "$1.89"),
                ("status", "Готовы к снятию"),
                ("product_name", "Cable"),
                ("keyword", "-"),
            ],
        )]);
        assert_eq!(
            found,
            [json!({
                "id": "1", "cart": "31.50", "payment": "1.89", "status": "approved", "currency": "USD", "paid": "1",
                "positions": [{"amount": "31.50", "payment": "1.89", "product_name": "Cable"}],
            })]
        );
        let bare = records(vec![row(2, &[("id", "1"), ("payment", "1")])]);
        assert_eq!(
            bare,
            [json!({"id": "1", "payment": "1"})],
            "it says nothing of the cart"
        );
    }

    #[test]
    fn equal_money_is_the_action_s_and_different_money_the_lines() {
        let line = |payment: &str, cart: &str, name: &str| {
            row(
                2,
                &[
                    ("action_id", "7"),
                    ("payment", payment),
                    ("cart", cart),
                    ("product_name", name),
                ],
            )
        };
        let equal = records(vec![line("3", "50", "A"), line("3", "50", "B")]);
        assert_eq!(
            equal,
            [
                json!({"action_id": "7", "payment": "3", "cart": "50", "positions": [{"product_name": "A"}, {"product_name": "B"}]})
            ]
        );
        let different = records(vec![line("1.25", "20", "A"), line("0.5", "20", "B")]);
        assert_eq!(
            different,
            [
                json!({"action_id": "7", "payment": "1.75", "cart": "40.00", "positions": [
                    {"product_name": "A", "amount": "20", "payment": "1.25"}, {"product_name": "B", "amount": "20", "payment": "0.5"},
                ]})
            ]
        );
    }

    #[test]
    fn rows_that_differ_in_more_than_money_are_states_of_their_own() {
        let state = |status: &str, payment: &str| {
            row(2, &[("id", "7"), ("status", status), ("payment", payment)])
        };
        let found = records(vec![
            state("pending", "1"),
            state("approved", "2"),
            state("approved", "2"),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1]["payment"], "2");
        let others = records(vec![
            row(2, &[("payment", "1")]),
            row(3, &[("payment", "1")]),
        ]);
        assert_eq!(others.len(), 2, "rows without an id are never one action");
    }

    #[test]
    fn items_have_their_own_amounts_where_a_column_says_them() {
        let line = |name: &str, amount: &str| {
            row(
                2,
                &[
                    ("id", "7"),
                    ("payment", "3"),
                    ("cart", "50"),
                    ("product_name", name),
                    ("product_amount", amount),
                ],
            )
        };
        let found = records(vec![line("A", "20"), line("B", "30")]);
        assert_eq!(found[0]["cart"], "50");
        assert_eq!(
            found[0]["positions"][1],
            json!({"product_name": "B", "amount": "30"})
        );
        let single = records(vec![line("A", "20")]);
        assert_eq!(single[0]["positions"][0]["amount"], "20");
        assert_eq!(single[0]["positions"][0]["payment"], "3");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let found = records(vec![
            row(2, &[("id", "1"), ("payment", "5 EUR"), ("currency", "USD")]),
            row(3, &[("id", "2"), ("id", "3")]),
            row(4, &[("id", "4"), ("payment", "1,234")]),
            row(5, &[("id", "5"), ("comment", "x".repeat(70_000).as_str())]),
        ]);
        for (record, words) in found.iter().zip([
            "in EUR",
            "stands twice",
            "thousands or decimals",
            "70000 bytes",
        ]) {
            assert!(
                record["refused"].as_str().unwrap().contains(words),
                "{record}"
            );
        }
        let many = (0..1_005).map(|number| {
            row(
                number,
                &[("id", "1"), ("payment", "1"), ("product_name", "x")],
            )
        });
        let many = records(many.collect());
        assert_eq!(many.len(), 1);
        assert!(
            many[0]["refused"].as_str().unwrap().contains("1005 rows"),
            "{}",
            many[0]
        );
    }
}
