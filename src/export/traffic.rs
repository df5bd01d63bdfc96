//! `trafficTargets` as a file: its arguments as names and texts, its question, and its rows.

use super::csv::{BYTE_ORDER_MARK, Cell, push_line};
use crate::domain::deeplink::Subids;
use serde_json::{Map, Value, json};

/// The question, a page at a time.
pub const DOCUMENT: &str = "query TrafficTargets($range: RangeInput!, $country: CountryCode, $adSpace: ID, $program: ID, \
$currency: CurrencyCode, $filter: ActionFilter, $products: ProductFilter, $minOrders: Int! = 5, \
$onlyAvailable: Boolean! = true, $dateAxis: DateAxis, $timeZone: TimeZone, $weekStart: WeekStart, $subids: SubidsInput, \
$first: Int!, $after: String) { \
trafficTargets(range: $range, country: $country, adSpace: $adSpace, program: $program, currency: $currency, filter: $filter, \
products: $products, minOrders: $minOrders, onlyAvailable: $onlyAvailable, dateAxis: $dateAxis, timeZone: $timeZone, weekStart: $weekStart, \
first: $first, after: $after) { pageInfo { hasNextPage endCursor } nodes { rank product { externalId name url } \
expectedRewardPerOrder { amount currency } orders approvedOrders declinedOrders approvalRate units trend { previous ratio } \
orderAmount { amount } approvedReward { amount } pendingReward { amount } isHot isPriority availability commissionRate \
reasons { text } affiliateLink(subids: $subids) { url isHot program { name } adSpace { name } explanation \
warnings { message } } } } }";

/// The columns, where each is in a row of the answer, and whether it is a number or a yes or no.
const COLUMNS: &[(&str, &str, bool)] = &[
    ("rank", "/rank", true),
    ("product_id", "/product/externalId", false),
    ("product_name", "/product/name", false),
    ("product_url", "/product/url", false),
    (
        "expected_reward_per_order",
        "/expectedRewardPerOrder/amount",
        true,
    ),
    ("currency", "/expectedRewardPerOrder/currency", false),
    ("orders", "/orders", true),
    ("approved_orders", "/approvedOrders", true),
    ("declined_orders", "/declinedOrders", true),
    ("approval_rate", "/approvalRate", true),
    ("units", "/units", true),
    ("previous_units", "/trend/previous", true),
    ("units_change", "/trend/ratio", true),
    ("order_amount", "/orderAmount/amount", true),
    ("approved_reward", "/approvedReward/amount", true),
    ("pending_reward", "/pendingReward/amount", true),
    ("commission_percent", "/commissionRate", true),
    ("is_hot", "/isHot", true),
    ("is_priority", "/isPriority", true),
    ("availability", "/availability", false),
    ("reasons", "/reasons", false),
    ("affiliate_link", "/affiliateLink/url", false),
    ("link_is_hot", "/affiliateLink/isHot", true),
    ("link_program", "/affiliateLink/program/name", false),
    ("link_ad_space", "/affiliateLink/adSpace/name", false),
    ("link_explanation", "/affiliateLink/explanation", false),
    ("link_warnings", "/affiliateLink/warnings", false),
];

/// How many rows a page has.
const PAGE: u32 = 100;
/// How many rows a file has at most.
pub const MOST_ROWS: u32 = 100_000;
/// How many rows it has unless said otherwise.
const USUAL_ROWS: u32 = 10_000;

/// What a file is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The variables of [`DOCUMENT`] but the page.
    pub variables: Map<String, Value>,
    /// How many rows at most.
    pub rows: u32,
    /// Whether the file begins with a mark that it is UTF-8.
    pub has_mark: bool,
}

impl Asked {
    /// Reads arguments by their names in the API. The range is `range` (JSON), or `last` such as `30d`, or `from` and `to`
    /// (days), or `preset`; the last 30 days unless given. `filter` and `products` are JSON.
    ///
    /// # Errors
    /// What is wrong with a name or a value, and what would be right.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut asked = Self {
            variables: Map::new(),
            rows: USUAL_ROWS,
            has_mark: false,
        };
        let (mut subids, mut days, mut ranges) = (Map::new(), Map::new(), Vec::new());
        for (name, text) in pairs.into_iter().filter(|(_, text)| !text.is_empty()) {
            match name {
                "country" | "adSpace" | "program" | "currency" | "dateAxis" | "timeZone"
                | "weekStart" => asked.put(name, json!(text))?,
                "filter" | "products" => asked.put(name, parsed(name, text)?)?,
                "range" => ranges.push(parsed(name, text)?),
                "last" => ranges.push(last(text)?),
                "preset" => ranges.push(json!({ "preset": text })),
                "from" | "to" => put(&mut days, name, json!(text))?,
                "minOrders" => asked.put(name, whole(name, text)?)?,
                "onlyAvailable" => asked.put(name, json!(flag(name, text)?))?,
                "bom" => asked.has_mark = flag(name, text)?,
                "first" => asked.rows = rows(text)?,
                "subid" | "subid1" | "subid2" | "subid3" | "subid4" => {
                    put(&mut subids, name, json!(text))?;
                }
                other => return Err(unknown(other)),
            }
        }
        match (days.contains_key("from"), days.contains_key("to")) {
            (false, false) => {}
            (true, true) => ranges.push(json!({ "days": days })),
            _ => {
                return Err(
                    "`from` and `to` are given together, such as from=2026-05-01&to=2026-05-31."
                        .to_owned(),
                );
            }
        }
        let range = match ranges.len() {
            0 => json!({ "last": { "count": 30, "unit": "DAY" } }),
            1 => ranges.remove(0),
            _ => {
                return Err(
                    "Name one range: `range`, `last`, `preset`, or `from` with `to`.".to_owned(),
                );
            }
        };
        asked.put("range", range)?;
        check(&subids)?;
        if !subids.is_empty() {
            asked.put("subids", Value::Object(subids))?;
        }
        Ok(asked)
    }

    fn put(&mut self, name: &str, value: Value) -> Result<(), String> {
        put(&mut self.variables, name, value)
    }

    /// The variables of a page behind a cursor.
    fn page(&self, rows: u32, after: Option<&str>) -> Map<String, Value> {
        let mut variables = self.variables.clone();
        variables.insert("first".to_owned(), json!(rows));
        if let Some(after) = after {
            variables.insert("after".to_owned(), json!(after));
        }
        variables
    }
}

/// A page of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Page {
    /// Its rows, a cell for each column.
    rows: Vec<Vec<Cell>>,
    /// The cursor that the next page is behind; none on the last.
    next: Option<String>,
}

impl Page {
    /// Reads the data of an answer to [`DOCUMENT`].
    fn read(data: &Value) -> Self {
        let list = &data["trafficTargets"];
        let rows = list["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let cells = |row: &Value| COLUMNS.iter().map(|column| cell(row, column)).collect();
        let info = &list["pageInfo"];
        let more = info["hasNextPage"].as_bool().unwrap_or(false);
        Self {
            rows: rows.iter().map(cells).collect(),
            next: info["endCursor"]
                .as_str()
                .filter(|_| more)
                .map(str::to_owned),
        }
    }
}

/// The heading.
fn heading() -> Vec<Cell> {
    let names = COLUMNS.iter().map(|(name, ..)| (*name).to_owned());
    names.map(Cell::Text).collect()
}

/// Rows as lines of a file.
#[must_use]
pub fn lines(rows: &[Vec<Cell>]) -> String {
    let mut text = String::new();
    for row in rows {
        push_line(&mut text, row);
    }
    text
}

/// The pages of a file one after the other: what to ask next, and what became of it. Whoever asks does so as of one moment,
/// because ranks follow from it.
#[derive(Clone, Debug)]
pub struct Pages {
    asked: Asked,
    left: u32,
    place: Place,
}

/// Where a file is.
#[derive(Clone, Debug)]
enum Place {
    Begin,
    Behind(String),
    End,
}

impl Pages {
    /// The pages of what is asked for.
    #[must_use]
    pub fn new(asked: Asked) -> Self {
        Self {
            left: asked.rows,
            asked,
            place: Place::Begin,
        }
    }

    /// How the file begins: the mark, where one is asked for, and the heading.
    #[must_use]
    pub fn head(&self) -> String {
        let mut text = String::new();
        if self.asked.has_mark {
            text.push_str(BYTE_ORDER_MARK);
        }
        push_line(&mut text, &heading());
        text
    }

    /// The variables of [`DOCUMENT`] for the next page; none at the end.
    #[must_use]
    pub fn next(&self) -> Option<Map<String, Value>> {
        let rows = self.left.min(PAGE);
        match &self.place {
            Place::Begin => Some(self.asked.page(rows, None)),
            Place::Behind(cursor) => Some(self.asked.page(rows, Some(cursor))),
            Place::End => None,
        }
    }

    /// Takes the data of the answer; gives its rows.
    pub fn take(&mut self, data: &Value) -> Vec<Vec<Cell>> {
        let page = Page::read(data);
        let count = u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(count);
        let next = page.next.filter(|_| self.left > 0);
        self.place = next.map_or(Place::End, Place::Behind);
        page.rows
    }
}

/// The place of a column in a row; none for a name that there is not.
#[must_use]
pub fn column(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|(column, ..)| *column == name)
}

fn cell(row: &Value, (_, place, is_number): &(&str, &str, bool)) -> Cell {
    let text = match row.pointer(place) {
        None | Some(Value::Null) => return Cell::Empty,
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let words = parts
                .iter()
                .filter_map(|part| part["text"].as_str().or_else(|| part["message"].as_str()));
            words.collect::<Vec<_>>().join("; ")
        }
        Some(other) => other.to_string(),
    };
    if *is_number {
        Cell::Number(text)
    } else {
        Cell::Text(text)
    }
}

/// Refuses SubIDs that no link could have, before anything is asked.
fn check(subids: &Map<String, Value>) -> Result<(), String> {
    let text = |name: &str| subids.get(name).and_then(Value::as_str).map(str::to_owned);
    let checked = Subids::new(Subids::NAMES.map(text));
    checked
        .map(|_| ())
        .map_err(|error| error.message().to_owned())
}

fn put(into: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), String> {
    match into.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is given twice.")),
    }
}

fn parsed(name: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("`{name}` is not JSON: {error}."))
}

fn whole(name: &str, text: &str) -> Result<Value, String> {
    let number: i32 = text
        .parse()
        .map_err(|_| format!("`{name}` is a whole number, such as 5."))?;
    Ok(json!(number))
}

fn flag(name: &str, text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("`{name}` is true or false.")),
    }
}

fn rows(text: &str) -> Result<u32, String> {
    let number = text
        .parse()
        .ok()
        .filter(|rows| (1..=MOST_ROWS).contains(rows));
    number.ok_or_else(|| format!("`first` is how many rows, from 1 to {MOST_ROWS}."))
}

fn last(text: &str) -> Result<Value, String> {
    let end = text.len().saturating_sub(1);
    let unit = match text.get(end..) {
        Some("h") => "HOUR",
        Some("d") => "DAY",
        Some("w") => "WEEK",
        Some("m") => "MONTH",
        Some("q") => "QUARTER",
        Some("y") => "YEAR",
        _ => "",
    };
    let count: Option<u32> = text.get(..end).and_then(|count| count.parse().ok());
    match count.filter(|_| !unit.is_empty()) {
        Some(count) => Ok(json!({ "last": { "count": count, "unit": unit } })),
        None => Err("`last` is a number and a unit: h, d, w, m, q or y, such as 30d.".to_owned()),
    }
}

fn unknown(name: &str) -> String {
    let name: String = name.chars().take(60).collect();
    format!(
        "There is no parameter {name:?}; there are range, last, preset, from, to, country, adSpace, program, currency, filter, \
         products, minOrders, onlyAvailable, dateAxis, timeZone, weekStart, subid, subid1 to subid4, first and bom."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_variables() {
        let asked = Asked::read([
            ("last", "12w"),
            ("country", "DE"),
            ("minOrders", "3"),
            ("onlyAvailable", "false"),
            ("filter", "{\"country\":{\"eq\":\"DE\"}}"),
            ("products", "{\"isPriority\":{\"eq\":true}}"),
            ("subid1", "u1"),
            ("bom", "true"),
            ("first", "7"),
            ("currency", ""),
        ])
        .unwrap();
        assert_eq!((asked.rows, asked.has_mark), (7, true));
        assert_eq!(
            Value::Object(asked.page(2, Some("x"))),
            json!({
                "range": { "last": { "count": 12, "unit": "WEEK" } }, "country": "DE", "minOrders": 3,
                "onlyAvailable": false, "filter": { "country": { "eq": "DE" } },
                "products": { "isPriority": { "eq": true } }, "subids": { "subid1": "u1" },
                "first": 2, "after": "x"
            })
        );
        let plain = Asked::read([]).unwrap();
        assert_eq!(
            plain.variables["range"],
            json!({ "last": { "count": 30, "unit": "DAY" } })
        );
        let days = Asked::read([("from", "2026-05-01"), ("to", "2026-05-31")]).unwrap();
        assert_eq!(
            days.variables["range"],
            json!({ "days": { "from": "2026-05-01", "to": "2026-05-31" } })
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (pairs, part) in [
            (&[("colour", "red")][..], "There is no parameter \"colour\""),
            (&[("last", "30")], "such as 30d"),
            (&[("last", "ä")], "such as 30d"),
            (&[("from", "2026-05-01")], "given together"),
            (&[("last", "3d"), ("preset", "TODAY")], "Name one range"),
            (&[("filter", "{")], "not JSON"),
            (&[("products", "yes")], "not JSON"),
            (&[("minOrders", "many")], "whole number"),
            (&[("bom", "maybe")], "true or false"),
            (&[("first", "0")], "from 1 to"),
            (&[("subid1", "a\0")], "U+0000"),
            (&[("country", "DE"), ("country", "PL")], "given twice"),
        ] {
            let message = Asked::read(pairs.iter().copied()).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn rows_have_a_cell_for_each_column() {
        let data = json!({ "trafficTargets": {
            "pageInfo": { "hasNextPage": true, "endCursor": "c" },
            "nodes": [{ "rank": 1, "product": { "externalId": "7", "name": "=x" }, "approvalRate": 0.5, "isHot": false,
                "reasons": [{ "text": "a" }, { "text": "b" }], "affiliateLink": { "url": null } }]
        } });
        let page = Page::read(&data);
        assert_eq!(page.next.as_deref(), Some("c"));
        let row = &page.rows[0];
        assert_eq!(row.len(), heading().len());
        let at = |name: &str| row[column(name).unwrap()].clone();
        assert_eq!(at("rank"), Cell::Number("1".to_owned()));
        assert_eq!(at("product_name"), Cell::Text("=x".to_owned()));
        assert_eq!(at("approval_rate"), Cell::Number("0.5".to_owned()));
        assert_eq!(at("is_hot"), Cell::Number("false".to_owned()));
        assert_eq!(at("reasons"), Cell::Text("a; b".to_owned()));
        assert_eq!(at("affiliate_link"), Cell::Empty);
        assert_eq!(Page::read(&json!({})), Page::default());
    }

    #[test]
    fn pages_end_with_the_list_or_with_what_is_asked_for() {
        let answer = |count: usize, more: bool| {
            let nodes: Vec<Value> = (0..count).map(|rank| json!({ "rank": rank })).collect();
            json!({ "trafficTargets": {
                "pageInfo": { "hasNextPage": more, "endCursor": "c" }, "nodes": nodes
            } })
        };
        let mut pages = Pages::new(Asked::read([("first", "150"), ("bom", "true")]).unwrap());
        assert!(pages.head().starts_with(BYTE_ORDER_MARK));
        assert_eq!(pages.next().unwrap()["first"], 100);
        assert_eq!(pages.take(&answer(100, true)).len(), 100);
        let second = pages.next().unwrap();
        assert_eq!(
            (&second["first"], &second["after"]),
            (&json!(50), &json!("c"))
        );
        let rows = pages.take(&answer(50, true));
        assert_eq!(lines(&rows).lines().count(), 50);
        assert_eq!(pages.next(), None);
        let mut short = Pages::new(Asked::read([]).unwrap());
        short.take(&answer(3, false));
        assert_eq!(short.next(), None);
    }
}
