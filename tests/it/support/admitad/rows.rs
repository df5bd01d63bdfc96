//! What the fake Admitad knows: actions, clicks, programs, ad spaces, and how each is written in an answer. Nothing of the
//! product is used here, so that the truth is not what the product makes of it.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// An action in its present state. Times are Admitad's local ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Action {
    pub id: i64,
    pub order_id: String,
    pub program: i64,
    pub ad_space: i64,
    pub kind: &'static str,
    pub status: &'static str,
    pub paid: bool,
    /// In 1/10 000.
    pub payment: i64,
    pub cart: Option<i64>,
    pub currency: &'static str,
    pub clicked: NaiveDateTime,
    pub ordered: NaiveDateTime,
    pub status_updated: Option<NaiveDateTime>,
    pub closing: Option<NaiveDate>,
    /// SubID, then SubID 1 to 4.
    pub subids: [Option<String>; 5],
    pub country: Option<&'static str>,
    pub comment: Option<String>,
    pub items: Vec<Item>,
}

/// A cart item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub id: i64,
    pub amount: i64,
    pub payment: i64,
    pub product: u64,
    pub category: Option<(&'static str, &'static str)>,
}

/// So many clicks and views of a day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clicks {
    pub day: NaiveDate,
    pub program: i64,
    pub ad_space: i64,
    pub subids: [Option<String>; 5],
    pub clicks: i64,
    pub views: i64,
}

/// A program: id, name, currency.
pub(crate) const PROGRAMS: [(i64, &str, &str); 3] = [
    (6115, "AliExpress WW", "USD"),
    (25179, "AliExpress RU&CIS NEW", "RUB"),
    (14289, "AliExpress TR", "USD"),
];

/// An ad space: id, name.
pub(crate) const AD_SPACES: [(i64, &str); 3] = [
    (2001, "My blog"),
    (2002, "Telegram \"deals\""),
    (2003, "Кэшбэк"),
];

/// The ad space of a second account.
pub(crate) const SECOND_SPACE: (i64, &str) = (2004, "Second blog");

/// What a program pays in.
pub(crate) fn currency_of(program: i64) -> &'static str {
    let known = PROGRAMS.iter().find(|(id, ..)| *id == program);
    known.map_or("USD", |(.., currency)| currency)
}

impl Action {
    /// A sale of the first program with one item, on hold; the rest is for a test to change.
    pub(crate) fn sale(id: i64, ordered: &str) -> Self {
        let ordered = time(ordered);
        Self {
            id,
            order_id: format!("3019{id:012}"),
            program: 6115,
            ad_space: 2001,
            kind: "sale",
            status: "pending",
            paid: false,
            payment: 18_900,
            cart: Some(315_000),
            currency: "USD",
            clicked: ordered - chrono::TimeDelta::seconds(5_400),
            ordered,
            status_updated: None,
            closing: None,
            subids: [Some("tg".to_owned()), None, None, None, None],
            country: Some("PL"),
            comment: None,
            items: vec![Item {
                id: id * 10,
                amount: 315_000,
                payment: 18_900,
                product: 1_005_000_000_000_000 + id.unsigned_abs(),
                category: Some(("44", "Consumer Electronics")),
            }],
        }
    }

    /// A status it has from some time on.
    pub(crate) fn becomes(mut self, status: &'static str, at: &str) -> Self {
        self.status = status;
        self.status_updated = Some(time(at));
        self
    }

    /// The record as the API gives it.
    pub(crate) fn record(&self) -> String {
        let name = |list: &[(i64, &str)], id| {
            let known = list.iter().find(|(known, _)| *known == id);
            known.map_or_else(String::new, |(_, name)| (*name).to_owned())
        };
        let programs = PROGRAMS.map(|(id, name, _)| (id, name));
        let spaces = [&AD_SPACES[..], &[SECOND_SPACE]].concat();
        let fields: Vec<(&str, String)> = vec![
            ("id", self.id.to_string()),
            ("action_id", self.id.to_string()),
            ("order_id", text(&self.order_id)),
            ("tariff_id", "11".to_owned()),
            ("advcampaign_id", self.program.to_string()),
            ("advcampaign_name", text(&name(&programs, self.program))),
            ("website_name", text(&name(&spaces, self.ad_space))),
            ("click_user_ip", text("203.0.113.9")),
            ("click_user_referer", text("https://blog.example/post-1")),
            ("click_country_code", json!(self.country).to_string()),
            (
                "conversion_time",
                (self.ordered - self.clicked).num_seconds().to_string(),
            ),
            ("action", text("Paid order")),
            ("action_type", text(self.kind)),
            ("cart", self.cart.map_or_else(|| "null".to_owned(), decimal)),
            ("status", text(self.status)),
            ("processed", u8::from(self.status != "pending").to_string()),
            ("paid", u8::from(self.paid).to_string()),
            ("subid", json!(self.subids[0]).to_string()),
            ("subid1", json!(self.subids[1]).to_string()),
            ("subid2", json!(self.subids[2]).to_string()),
            ("subid3", json!(self.subids[3]).to_string()),
            ("subid4", json!(self.subids[4]).to_string()),
            ("payment", decimal(self.payment)),
            ("currency", text(self.currency)),
            ("keyword", "null".to_owned()),
            ("comment", json!(self.comment).to_string()),
            ("promocode", "null".to_owned()),
            ("click_date", text(&written(self.clicked))),
            ("action_date", text(&written(self.ordered))),
            (
                "closing_date",
                text(&self.closing.map_or_else(String::new, |day| day.to_string())),
            ),
            (
                "status_updated",
                text(&self.status_updated.map_or_else(String::new, written)),
            ),
            ("positions", self.positions()),
        ];
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    fn positions(&self) -> String {
        let items: Vec<Value> = self
            .items
            .iter()
            .map(|item| {
                let (category, category_name) = item.category.unwrap_or_default();
                json!({
                    "id": item.id, "tariff_id": 11, "rate_id": 70001, "datetime": written(self.ordered),
                    "amount": decimal(item.amount), "payment": decimal(item.payment),
                    "rate": "6.00", "percentage": true,
                    "product_id": item.product.to_string(),
                    "product_name": format!("Product {}", item.product),
                    "product_url": format!("https://www.aliexpress.com/item/{}.html", item.product),
                    "product_image": "https://ae01.alicdn.com/kf/x.jpg",
                    "product_category_id": category, "product_category_name": category_name,
                })
            })
            .collect();
        Value::Array(items).to_string()
    }
}

/// Actions and clicks of one group, on the way to an aggregate row.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) clicks: i64,
    pub(super) views: i64,
    /// Currency → counts of leads and sales, and rewards by status (open, approved, declined).
    by_currency: std::collections::BTreeMap<&'static str, ([i64; 2], [i64; 3])>,
}

impl Sums {
    pub(super) fn add(&mut self, action: &Action) {
        let (counts, sums) = self.by_currency.entry(action.currency).or_default();
        counts[usize::from(action.kind == "sale")] += 1;
        sums[match action.status {
            "pending" => 0,
            "declined" => 2,
            _ => 1,
        }] += action.payment;
    }

    pub(super) fn click(&mut self, clicks: &Clicks) {
        self.clicks += clicks.clicks;
        self.views += clicks.views;
        self.by_currency
            .entry(currency_of(clicks.program))
            .or_default();
    }

    /// One row for each currency, each with the same clicks.
    pub(super) fn rows(&self, key: &str, value: &str, with_views: bool) -> Vec<String> {
        let row = |(currency, (counts, sums)): (&&str, &([i64; 2], [i64; 3]))| {
            let mut out = format!("{{{}:{}", text(key), text(value));
            if with_views {
                write!(out, ",\"views\":{},\"ctr\":0.1", self.views).unwrap();
            }
            write!(
                out,
                ",\"clicks\":{},\"cr\":0.1,\"ecpc\":0.5,\"leads_sum\":{},\"sales_sum\":{},\"payment_sum_open\":{},\
                 \"payment_sum_approved\":{},\"payment_sum_declined\":{},\"currency\":{}}}",
                self.clicks,
                counts[0],
                counts[1],
                decimal(sums[0]),
                decimal(sums[1]),
                decimal(sums[2]),
                text(currency),
            )
            .unwrap();
            out
        };
        self.by_currency.iter().map(row).collect()
    }
}

/// The programs, as `/advcampaigns/` has them.
pub(super) fn program_rows() -> Vec<String> {
    let row = |(id, name, currency): &(i64, &str, &str)| {
        json!({
            "id": id, "name": name, "status": "active", "connection_status": "active", "currency": currency,
            "cr": 1.03, "ecpc": 0.92, "epc": 92, "avg_hold_time": "25.4", "max_hold_time": null,
            "avg_money_transfer_time": 26, "goto_cookie_lifetime": 3, "allow_actions_all_countries": false,
            "action_countries": ["pl", "DE"], "regions": [{"region": "00"}, {"region": "PL"}, {"none": 1}],
            "site_url": "https://aliexpress.com/", "image": "https://cdn.example/logo.svg",
            "activation_date": "2015-01-01 00:00:00", "modified_date": "2026-01-02 10:00:00",
            "feeds_info": [{
                "name": "Hot Products",
                "xml_link": format!("http://export.admitad.com/feed?user=me&code=f00d-{id}&format=xml"),
                "csv_link": format!("http://export.admitad.com/feed?user=me&code=f00d-{id}&format=csv"),
                "admitad_last_update": "2026-01-02 09:00:00", "advertiser_last_update": null,
            }],
            "actions_detail": [],
        })
        .to_string()
    };
    PROGRAMS.iter().map(row).collect()
}

/// The programs of an ad space with their links, as `/advcampaigns/website/{id}/` has them.
pub(super) fn link_rows(ad_space: &str) -> Vec<String> {
    let row = |(id, name, currency): &(i64, &str, &str)| {
        json!({
            "id": id, "name": name, "status": "active", "connection_status": "active", "currency": currency,
            "gotolink": format!("https://ad.admitad.com/g/code{ad_space}of{id}/?i=4"), "allow_deeplink": true,
        })
        .to_string()
    };
    PROGRAMS.iter().map(row).collect()
}

/// Ad spaces, as `/websites/` has them.
pub(super) fn ad_space_rows(spaces: &[(i64, &str)]) -> Vec<String> {
    let row = |(id, name): &(i64, &str)| {
        json!({
            "id": id, "name": name, "status": "active", "kind": "website",
            "site_url": format!("https://{id}.example/"), "regions": [],
        })
        .to_string()
    };
    spaces.iter().map(row).collect()
}

/// A JSON text.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// 1/10 000 as upstream writes them: at least two decimals.
pub(crate) fn decimal(e4: i64) -> String {
    let sign = if e4 < 0 { "-" } else { "" };
    let (whole, rest) = (e4.abs() / 10_000, e4.abs() % 10_000);
    let rest = format!("{rest:04}");
    let rest = rest.strip_suffix("00").unwrap_or(&rest);
    format!("{sign}{whole}.{rest}")
}

/// Reads `2026-03-05 13:30:00`.
pub(crate) fn time(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
}

fn written(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}
