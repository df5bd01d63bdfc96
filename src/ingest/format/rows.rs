//! Flat rows become records: what the cells of a row say, and neighbouring rows of one action as one record with a cart.
//!
//! A row is an action with at most one cart item in its product columns. Neighbouring rows with the same id, status and
//! dates are one action, whatever else they differ in: rates and tariffs are those of the lines. Where reward and order
//! amount are equal on all of them, they are the action's; where they differ, they are the lines' and are summed, if all
//! name another position or product: else they may be one line at several times, and are refused. A row that says of money
//! and items what another one says is a repetition. A single row's item has its reward and order amount. Rows of one id
//! that differ in a status or a date are states of their own.
//!
//! Rows that would be one action if they stood together are refused (`super::survey`): taken one by one, the last would
//! replace what the others say. What is refused as a whole is kept so that it is not taken when it is tried again as it is.

use super::ReadError;
use super::survey::{Habits, Marks};
use super::value::{self, Cell, Manner};
use crate::domain::column::{COLUMNS, Column, ColumnKind, column_named};
use crate::domain::draft::{Place, RejectReason};
use crate::domain::money::{Excess, format_e4, parse_e4};
use crate::domain::time::{Instant, parse_upstream};
use crate::ingest::raw::RawRecord;
use crate::ingest::refusal::Refusal;
use serde_json::Value;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// The most rows of one action.
pub(super) const ROWS_LIMIT: usize = 1_000;
/// The longest field, in bytes.
pub(super) const FIELD_LIMIT: usize = 64 * 1024;
/// The columns that tell cart items apart, the surest first.
const ITEM_KEYS: [&str; 4] = [POSITION, PRODUCT, "product_url", "product_name"];
/// The column that tells even equal cart items apart.
const POSITION: &str = "position_id";
/// The column of the product's id.
const PRODUCT: &str = "product_id";
/// Why rows are refused of which some stand elsewhere.
const SCATTERED: &str = "other rows of this action, with the same status and dates, stand elsewhere in the file and say \
     something else; sort the file by ID, so that its lines stand together, or, if the file joins several exports, import \
     each by itself";
/// Why rows are refused that nothing but money tells apart.
const SAME_LINE: &str = "rows of this action differ in their money, but not in their position or product, so they may be \
     one line at several times, and are not added up; give each line its position, or, if the file joins several exports, \
     import each by itself";
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
    /// Columns whose cells could mean two things.
    unclear: Vec<usize>,
    /// Items whose product id could, and why: its link may say what it is.
    doubtful: Vec<(usize, String)>,
    /// How its cells are written.
    habits: Habits,
    /// Why it cannot be a record.
    refusal: Option<Fault>,
}

/// Why something is refused: the reason, the field at fault, and a sentence.
type Fault = (RejectReason, Option<String>, String);

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

    /// Adds what a cell of a column says, in a table of such habits; and whether it is a spreadsheet's number.
    pub(super) fn add(&mut self, place: usize, cell: &str, habits: Habits, is_number: bool) {
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
        self.habits.note(column.kind, cell, is_number);
        let manner = Manner {
            has_decimal_commas: habits.has_decimal_commas,
            is_number,
            is_exact: habits.is_exact(),
        };
        match value::read(column.kind, cell, manner) {
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
                if name == PRODUCT {
                    let item = self.items.len().saturating_sub(1);
                    return self.doubtful.push((item, why));
                }
                self.refuse_unclear(place, name, &why);
            }
        }
    }

    fn refuse_unclear(&mut self, place: usize, name: &str, why: &str) {
        self.unclear.push(place);
        let message = format!("`{name}` {why}");
        self.refuse(RejectReason::BadValue, Some(name), message);
    }

    /// A product id that may have lost digits is sound where the product's link has the same number, and not needed beside
    /// another link.
    fn settle(&mut self, item: usize, why: &str) {
        let (Some(id), Some(link)) = (column_named(PRODUCT), column_named("product_url")) else {
            return;
        };
        let Some(cells) = self.items.get_mut(item) else {
            return;
        };
        let text = |place: usize| {
            let found = cells.iter().find(|(known, _)| *known == place);
            found.map(|(_, text)| text.as_str())
        };
        let has_number = |link: &str| {
            let mut numbers = link.split(|symbol: char| !symbol.is_ascii_digit());
            numbers.any(|number| Some(number) == text(id))
        };
        match text(link).map(has_number) {
            Some(true) => {}
            Some(false) => cells.retain(|(place, _)| *place != id),
            None => self.refuse_unclear(id, PRODUCT, why),
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
        for (item, why) in std::mem::take(&mut self.doubtful) {
            self.settle(item, &why);
        }
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
        // Sheets may have their columns in other orders.
        for item in &mut self.items {
            item.sort_unstable_by_key(|(place, _)| *place);
        }
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
        self.cell(name).map(|(_, text)| text)
    }

    /// What it says in a column of the action, and that column's place.
    fn cell(&self, name: &str) -> Option<(usize, &str)> {
        let place = column_named(name)?;
        let found = self.action.iter().find(|(known, _)| *known == place);
        found.map(|(_, text)| (place, text.as_str()))
    }

    fn id(&self) -> Option<&str> {
        self.get("action_id").or_else(|| self.get("id"))
    }

    /// How its cells are written.
    pub(super) fn habits(&self) -> Habits {
        self.habits
    }

    /// A number for the state of an action that it is a line of; none where it has no id.
    pub(super) fn state(&self) -> Option<u64> {
        let id = self.id()?;
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        for cell in self.standing() {
            cell.hash(&mut hasher);
        }
        Some(hasher.finish())
    }

    /// A number for what it says that could be added up: money, its currency and cart items.
    pub(super) fn content(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.money().hash(&mut hasher);
        let currency = self.get("currency").map(str::to_ascii_uppercase);
        currency.hash(&mut hasher);
        self.items.hash(&mut hasher);
        hasher.finish()
    }

    /// Reward and order amount, however their zeros are written; what is no amount by its text.
    fn money(&self) -> [Option<Result<i64, &str>>; 2] {
        ["payment", "cart"].map(|name| {
            let text = self.get(name)?;
            let amount = parse_e4(text, Excess::RoundHalfEven);
            Some(amount.map(|(e4, _)| e4).map_err(|_| text))
        })
    }

    /// The status and the dates: what tells states of one action apart.
    fn standing(&self) -> impl Iterator<Item = &(usize, String)> {
        self.action.iter().filter(|(place, _)| {
            let kind = COLUMNS.get(*place).map(|column| column.kind);
            matches!(
                kind,
                Some(ColumnKind::Status | ColumnKind::Flag | ColumnKind::Time | ColumnKind::Day)
            )
        })
    }

    /// Whether both rows are lines of one state of one action. One that is refused takes the others along: an action that
    /// lacks a line would be stored with less money than it has.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        self.page == other.page
            && self.id().is_some()
            && self.id() == other.id()
            && self.standing().eq(other.standing())
    }

    /// Whether the record that it begins takes in another row. What has lost its id is one by itself.
    fn takes_in(&self, other: &Self) -> bool {
        let has_lost_id = ["action_id", "id"]
            .into_iter()
            .filter_map(column_named)
            .any(|place| self.unclear.contains(&place));
        !has_lost_id && self.goes_with(other)
    }

    /// The text of a cell as it goes into the record. What could mean two things is put where no text may stand, so that
    /// it is not taken by itself when the rejected record is tried again.
    fn said(&self, place: usize, text: &str) -> Value {
        if self.unclear.contains(&place) {
            return vec![text].into();
        }
        text.into()
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
    marks: Marks,
    /// A row that begins the next record.
    next: Option<Row>,
    page: u32,
    index: u32,
}

impl<I> Records<I> {
    /// Records of rows whose table was not read through before.
    #[cfg(test)]
    pub(super) fn new(rows: I) -> Self {
        Self::marked(rows, &Marks::default())
    }

    /// Records of rows, by what was noted of the whole table.
    pub(super) fn marked(rows: I, marks: &Marks) -> Self {
        Self {
            rows,
            marks: marks.clone(),
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
                Ok(row) if lines.first().is_some_and(|first| first.takes_in(&row)) => {
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
        let shares = distinct(lines);
        let of_row = lines.iter().find_map(|line| line.refusal.clone());
        let of_all = self.fault(lines, &shares, excess);
        // What could mean two things is kept as no text already.
        let is_clear = lines.iter().all(|line| line.unclear.is_empty());
        let is_held = of_all.is_some() || (of_row.is_some() && is_clear);
        let text = rendered(lines, &shares, is_held);
        match of_row.or(of_all) {
            None => Ok(RawRecord { place, text }),
            Some((reason, field, message)) => {
                let refusal = Refusal::new(reason, field.as_deref(), message);
                Err(ReadError::Reject(refusal.at(place, text.as_bytes())))
            }
        }
    }

    /// Why rows that are sound by themselves are no record together.
    fn fault(&self, lines: &[Row], shares: &[&Row], excess: usize) -> Option<Fault> {
        if lines
            .first()
            .is_some_and(|first| self.marks.is_scattered(first))
        {
            return Some((RejectReason::Malformed, None, SCATTERED.to_owned()));
        }
        if let Some(message) = two_currencies(lines) {
            let field = Some("currency".to_owned());
            return Some((RejectReason::BadValue, field, message));
        }
        if excess > 0 {
            let message = format!(
                "the action has {} rows; at most {ROWS_LIMIT} cart items are taken",
                lines.len() + excess
            );
            return Some((RejectReason::TooLong, None, message));
        }
        let has_repetitions = shares.len() < lines.len();
        if !has_one_sum(shares) && !are_told_apart(shares, has_repetitions) {
            return Some((RejectReason::Malformed, None, SAME_LINE.to_owned()));
        }
        None
    }
}

/// The lines without repetitions.
fn distinct(lines: &[Row]) -> Vec<&Row> {
    let mut seen = HashSet::new();
    lines
        .iter()
        .filter(|line| seen.insert(line.content()))
        .collect()
}

/// Whether money is the action's, and not the lines'.
fn has_one_sum(shares: &[&Row]) -> bool {
    let first = shares.first().map(|first| first.money());
    shares.iter().all(|share| Some(share.money()) == first)
}

/// Whether lines name other positions or products than one another, by a column that all of them have. Equal lines may be
/// two units or one line twice, unless they have positions.
fn are_told_apart(shares: &[&Row], has_repetitions: bool) -> bool {
    let keys = ITEM_KEYS
        .into_iter()
        .take(if has_repetitions { 1 } else { ITEM_KEYS.len() });
    let text = |item: &[(usize, String)], key: usize| -> Option<String> {
        let found = item.iter().find(|(place, _)| *place == key);
        found.map(|(_, text)| text.clone())
    };
    for key in keys.filter_map(column_named) {
        let named: Option<Vec<HashSet<String>>> = shares
            .iter()
            .map(|share| share.items.iter().map(|item| text(item, key)).collect())
            .collect();
        let Some(named) = named.filter(|named| named.iter().all(|names| !names.is_empty())) else {
            continue;
        };
        let count: usize = named.iter().map(HashSet::len).sum();
        let all: HashSet<String> = named.into_iter().flatten().collect();
        return all.len() == count;
    }
    false
}

/// What is wrong with lines whose amounts are in several currencies: they cannot be added up.
fn two_currencies(lines: &[Row]) -> Option<String> {
    let mut all = lines.iter().filter_map(|line| line.get("currency"));
    let first = all.next()?;
    let other = all.find(|other| !other.eq_ignore_ascii_case(first))?;
    Some(format!(
        "`currency` is {} on one row of the action and {} on another; give its rows in one currency",
        super::heading::short(first),
        super::heading::short(other)
    ))
}

/// The record that rows of one action make, as upstream's API would write it; numbers stay text. What is held has lists in
/// the places of its money and its items, where none are taken: whoever mends it says what they are.
fn rendered(lines: &[Row], shares: &[&Row], is_held: bool) -> String {
    let Some(first) = shares.first() else {
        return "{}".to_owned();
    };
    let is_action_s = has_one_sum(shares);
    let mut fields = serde_json::Map::new();
    for line in lines {
        for (place, text) in &line.action {
            // The first line that says something of the action is believed; the first may be without it.
            if let Some(column) = COLUMNS.get(*place)
                && !fields.contains_key(column.name)
            {
                let said = if !is_line_money(*place) {
                    line.said(*place, text)
                } else if is_held {
                    let texts = shares.iter().filter_map(|share| share.get(column.name));
                    texts.collect()
                } else if is_action_s {
                    line.said(*place, text)
                } else {
                    sum(shares, *place, column.name)
                };
                fields.insert(column.name.to_owned(), said);
            }
        }
    }
    let is_single = shares.len() == 1 && first.items.len() == 1;
    let has_one_tariff = shares
        .iter()
        .all(|line| line.get("tariff_id") == first.get("tariff_id"));
    let mut items = Vec::new();
    for line in shares {
        let owns_money = is_single || (!is_action_s && line.items.len() == 1);
        for cells in &line.items {
            let mut item = serde_json::Map::new();
            let mut own = |from: &str, to: &str| {
                if let Some((place, text)) = line.cell(from) {
                    item.insert(to.to_owned(), line.said(place, text));
                }
            };
            if owns_money {
                own("cart", "amount");
                own("payment", "payment");
            }
            if !has_one_tariff {
                own("tariff_id", "tariff_id");
            }
            for (place, text) in cells {
                let field = COLUMNS.get(*place).and_then(|column| column.item_field);
                if let Some(field) = field {
                    item.insert(field.to_owned(), line.said(*place, text));
                }
            }
            items.push(Value::Object(item));
        }
    }
    if is_held && !items.is_empty() {
        items = vec![items.into()];
    }
    if !items.is_empty() {
        fields.insert("positions".to_owned(), items.into());
    }
    Value::Object(fields).to_string()
}

/// The sum of what the lines say; the first text that is no amount stays as it is, to be refused by name.
fn sum(shares: &[&Row], place: usize, name: &str) -> Value {
    let mut sum = 0_i64;
    for line in shares {
        let Some(text) = line.get(name) else { continue };
        match parse_e4(text, Excess::RoundHalfEven) {
            Ok((e4, _)) if !line.unclear.contains(&place) => sum = sum.saturating_add(e4),
            _ => return line.said(place, text),
        }
    }
    format_e4(sum, 2).into()
}

#[cfg(test)]
mod tests {
    use super::super::survey::Survey;
    use super::*;
    use serde_json::json;

    fn row(line: u64, cells: &[(&str, &str)]) -> Row {
        let mut row = Row::at(1, 0, line);
        for (name, cell) in cells {
            row.add(column_named(name).unwrap(), cell, Habits::default(), false);
        }
        row.finish();
        row
    }

    /// As [`records`], of rows that were read through before.
    fn surveyed(rows: &[Row]) -> Vec<Value> {
        let mut survey = Survey::new(180);
        for row in rows {
            survey.take(row.clone());
        }
        let (_, marks) = survey.finished();
        shown(Records::marked(rows.iter().cloned().map(Ok), &marks))
    }

    fn records(rows: Vec<Row>) -> Vec<Value> {
        shown(Records::new(rows.into_iter().map(Ok)))
    }

    fn shown(records: impl Iterator<Item = Result<RawRecord, ReadError>>) -> Vec<Value> {
        records
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

    /// A line of an order: id, status, money, tariff and product.
    fn line_of(id: &str, status: &str, payment: &str, tariff: &str, product: &str) -> Row {
        row(
            2,
            &[
                ("action_id", id),
                ("status", status),
                ("payment", payment),
                ("cart", payment),
                ("tariff_id", tariff),
                ("action", &format!("Rate {tariff}")),
                ("product_name", product),
            ],
        )
    }

    #[test]
    fn lines_may_differ_in_rates_and_tariffs() {
        let found = surveyed(&[
            line_of("7", "approved", "1.25", "11", "A"),
            line_of("7", "approved", "0.50", "12", "B"),
            line_of("8", "approved", "3.00", "11", "A"),
        ]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!(
            found[0],
            json!({"action_id": "7", "status": "approved", "payment": "1.75", "cart": "1.75", "tariff_id": "11",
            "action": "Rate 11", "positions": [
                {"product_name": "A", "amount": "1.25", "payment": "1.25", "tariff_id": "11"},
                {"product_name": "B", "amount": "0.50", "payment": "0.50", "tariff_id": "12"},
            ]})
        );
        let currencies = |currency: &str, payment: &str| {
            row(
                2,
                &[("id", "7"), ("currency", currency), ("payment", payment)],
            )
        };
        let found = records(vec![currencies("USD", "1"), currencies("RUB", "2")]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]["refused"]
                .as_str()
                .unwrap()
                .contains("RUB on another")
        );
    }

    #[test]
    fn lines_that_stand_apart_are_refused_and_repetitions_are_not() {
        let a = line_of("7", "approved", "1.25", "11", "A");
        let b = line_of("7", "approved", "0.50", "12", "B");
        let other = line_of("8", "approved", "3.00", "11", "A");
        let before = line_of("7", "pending", "1.00", "11", "A");
        for rows in [[&a, &other, &b], [&b, &other, &a]] {
            let found = surveyed(&rows.map(Row::clone));
            assert_eq!(found.len(), 3);
            for place in [0, 2] {
                let refused = found[place]["refused"].as_str().unwrap();
                assert!(refused.contains("sort the file by ID"), "{refused}");
            }
            assert_eq!(found[1]["action_id"], "8");
        }
        // On another sheet as well.
        let elsewhere = Row {
            page: 2,
            ..b.clone()
        };
        assert!(surveyed(&[a.clone(), elsewhere])[0]["refused"].is_string());
        // A state of its own, and what is said twice.
        let found = surveyed(&[a.clone(), before, a.clone(), other.clone(), a, other]);
        assert!(
            found.iter().all(|record| record["refused"].is_null()),
            "{found:#?}"
        );
    }

    #[test]
    fn a_row_that_says_nothing_new_is_a_repetition() {
        let a = line_of("7", "approved", "1.25", "11", "A");
        let b = line_of("7", "approved", "0.50", "12", "B");
        let other = line_of("8", "approved", "3.00", "11", "A");
        let mut named = a.clone();
        named
            .action
            .push((column_named("website_name").unwrap(), "My blog".to_owned()));
        named.finish();
        let nameless = Row {
            page: 2,
            ..a.clone()
        };
        for rows in [
            vec![named, other.clone(), nameless],
            vec![a.clone(), a.clone(), other.clone(), a.clone()],
            vec![a.clone(), b.clone(), other.clone(), b.clone(), a.clone()],
        ] {
            let found = surveyed(&rows);
            assert_eq!(found.len(), 3, "{found:#?}");
            let items = |at: usize| found[at]["positions"].as_array().unwrap().len();
            assert_eq!(items(0), items(2), "{found:#?}");
            assert_eq!(found[0]["payment"], found[2]["payment"]);
            assert_eq!(found[1]["action_id"], "8");
        }
        // Some of its lines are fewer than all.
        let found = surveyed(&[a.clone(), b, other, a.clone()]);
        assert!(found[0]["refused"].is_string() && found[2]["refused"].is_string());
        // However its zeros are written.
        let short = line_of("7", "approved", "1.250", "11", "A");
        let found = surveyed(&[a, short]);
        assert_eq!(found[0]["payment"], "1.25");
    }

    #[test]
    fn rows_that_only_money_tells_apart_are_not_added_up() {
        let line = |payment: &str, more: &[(&str, &str)]| {
            let mut cells = vec![("action_id", "7"), ("status", "approved")];
            cells.push(("payment", payment));
            cells.extend_from_slice(more);
            row(2, &cells)
        };
        let (a, b) = (("product_name", "A"), ("product_name", "B"));
        for rows in [
            vec![line("1", &[]), line("2", &[])],
            vec![line("1", &[a]), line("2", &[a])],
            vec![line("1", &[a]), line("2", &[])],
            vec![line("1", &[a]), line("2", &[b]), line("2", &[b])],
            vec![
                line("1", &[a, ("position_id", "5")]),
                line("2", &[a, ("position_id", "5")]),
            ],
            vec![
                line("1", &[a, ("product_id", "5")]),
                line("2", &[b, ("product_id", "5")]),
            ],
        ] {
            let found = records(rows);
            assert_eq!(found.len(), 1);
            let refused = found[0]["refused"].as_str().unwrap_or_default();
            assert!(refused.contains("import each by itself"), "{found:#?}");
        }
        let (first, second) = (("position_id", "5"), ("position_id", "6"));
        for (rows, sum) in [
            (
                vec![line("1", &[a, first]), line("2", &[a, second])],
                "3.00",
            ),
            (vec![line("2", &[a]), line("2", &[a])], "2"),
            (
                vec![
                    line("1", &[a, first]),
                    line("1", &[a, first]),
                    line("2", &[b, second]),
                ],
                "3.00",
            ),
        ] {
            assert_eq!(records(rows)[0]["payment"], sum);
        }
    }

    #[test]
    fn what_is_refused_as_a_whole_is_no_record_when_it_is_tried_again() {
        let a = line_of("7", "approved", "1.25", "11", "A");
        let b = line_of("7", "approved", "0.50", "12", "B");
        let lines = [a, b];
        let kept = rendered(&lines, &distinct(&lines), true);
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["payment"], json!(["1.25", "0.50"]));
        assert_eq!(kept["cart"], json!(["1.25", "0.50"]));
        assert_eq!(kept["positions"][0][1]["product_name"], "B");
    }

    #[test]
    fn a_line_that_is_refused_takes_its_action_along() {
        let found = records(vec![
            line_of("7", "approved", "1.25", "11", "A"),
            line_of("7", "approved", "1,234", "11", "B"),
            line_of("7", "approved", "2.00", "11", "C"),
            line_of("8", "approved", "3.00", "11", "A"),
        ]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0]["refused"].as_str().unwrap().contains("`1,234`"));
        // Tried again as it is kept, it is refused again.
        let lines = [
            line_of("7", "approved", "1.25", "11", "A"),
            line_of("7", "approved", "1,234", "11", "B"),
        ];
        let kept = rendered(&lines, &distinct(&lines), false);
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["payment"], json!(["1,234"]));
        assert_eq!(kept["positions"][1]["payment"], json!(["1,234"]));
    }

    #[test]
    fn what_the_survey_notes_decides_how_cells_are_read() {
        let cells = |habits: Habits, payment: &str| {
            let mut row = Row::at(1, 0, 2);
            for (name, cell, is_number) in [
                ("action_id", "1005000000000000", true),
                ("payment", payment, false),
            ] {
                row.add(column_named(name).unwrap(), cell, habits, is_number);
            }
            row.finish();
            row
        };
        let none = Habits::default();
        assert!(
            cells(none, "1.234")
                .refusal
                .unwrap()
                .2
                .contains("last digits")
        );
        let mut exact = Row::at(1, 0, 2);
        // A number of any column shows how the whole was made.
        exact.add(
            column_named("order_id").unwrap(),
            "1005000000000001",
            none,
            true,
        );
        let mut survey = Survey::new(180);
        survey.take(exact);
        let (_, marks) = survey.finished();
        assert!(cells(marks.habits, "1.234").refusal.is_none());
        let mut survey = Survey::new(180);
        survey.take(cells(none, "1,89"));
        let (_, marks) = survey.finished();
        let refused = cells(marks.habits, "1.234");
        assert_eq!(refused.unclear.len(), 2, "{refused:?}");
    }

    #[test]
    fn a_link_says_what_a_product_s_number_may_have_lost() {
        let read = |number: &str, link: &str| {
            let mut row = Row::at(1, 0, 2);
            for (name, cell, is_number) in [
                ("action_id", "7", false),
                ("payment", "1", false),
                ("product_id", number, true),
                ("product_url", link, false),
            ] {
                row.add(
                    column_named(name).unwrap(),
                    cell,
                    Habits::default(),
                    is_number,
                );
            }
            row.finish();
            records(vec![row]).remove(0)
        };
        let link = "https://www.aliexpress.com/item/1005000000000000.html";
        let item = |found: &Value| found["positions"][0]["product_id"].clone();
        assert_eq!(item(&read("1005000000000000", link)), "1005000000000000");
        for number in ["1005000000000010", "1.005E+15"] {
            let found = read(number, link);
            assert_eq!(found["payment"], "1", "{found}");
            assert_eq!(item(&found), Value::Null, "{found}");
        }
        let refused = read("1005000000000000", "");
        let refused = refused["refused"].as_str().unwrap();
        assert!(refused.contains("`product_id` is") && refused.contains("may have"));
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
