//! A published purchase log comes in by the import and gives its published figures: customers, purchases, repeat
//! customers, sizes of cohorts.

use crate::support::api::Api;
use crate::support::drafts::at;
use crate::support::world::World;
use actiongraph::analytics::segments;
use actiongraph::domain::filter::Filter;
use actiongraph::domain::money::Currency;
use actiongraph::domain::sales::{AxisRange, DateAxis, FactQuery};
use actiongraph::domain::segment::{UserRules, UserSegment};
use actiongraph::domain::time::{Span, Zone};
use chrono::{Datelike as _, Days, NaiveDate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const SAMPLE: &str = include_str!("../fixtures/cdnow/sample.txt");

/// Customers by the number of further days, in the first 39 weeks, on which they bought: 0 to 6, 7 and more.
const PUBLISHED: [usize; 8] = [1411, 439, 214, 100, 62, 38, 29, 64];

#[derive(Clone, Copy)]
struct Purchase {
    customer: usize,
    date: NaiveDate,
    cents: i64,
}

/// The raw file, read by itself.
fn purchases() -> Vec<Purchase> {
    let start = NaiveDate::from_ymd_opt(1997, 1, 1).unwrap();
    let mut all = Vec::new();
    for (place, line) in SAMPLE.lines().enumerate() {
        for purchase in line.split(' ') {
            let mut parts = purchase.split(':').map(|part| part.parse::<i64>().unwrap());
            let days = u64::try_from(parts.next().unwrap()).unwrap();
            all.push(Purchase {
                customer: place + 1,
                date: start + Days::new(days),
                cents: parts.nth(1).unwrap(),
            });
        }
    }
    all
}

/// An export of these orders, as the account writes it.
fn export(orders: &[Purchase]) -> String {
    let mut text = "Action ID,Program,Ad space,Rate,Action type,Status,Earnings,Order amount,Currency,Action time,SubID 1,Order ID"
        .to_owned();
    for (place, order) in orders.iter().enumerate() {
        let Purchase {
            customer,
            date,
            cents,
        } = order;
        let (units, rest) = (cents / 100, cents % 100);
        write!(
            text,
            "\r\n{},Music,Site,Paid order,sale,approved,1.00,{units}.{rest:02},USD,{date} 12:00:00,{customer},o{place}",
            place + 1
        )
        .unwrap();
    }
    text
}

fn import(world: &World, publisher: &str, folder: &Path, text: &str) {
    let file = folder.join(format!("{publisher}.csv"));
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", publisher])
        .arg(&file)
        .env_clear()
        .env("ACTIONGRAPH_DATABASE_URL", &world.url)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

fn month(date: NaiveDate) -> (i32, u32) {
    (date.year(), date.month())
}

/// What the raw file says of each month's cohort: users in each month since.
fn cohorts(purchases: &[Purchase]) -> Vec<Vec<usize>> {
    let mut first: BTreeMap<usize, NaiveDate> = BTreeMap::new();
    for purchase in purchases {
        let first = first.entry(purchase.customer).or_insert(purchase.date);
        *first = purchase.date.min(*first);
    }
    let months: BTreeSet<(i32, u32)> = purchases.iter().map(|order| month(order.date)).collect();
    let users = |begun: (i32, u32), at: (i32, u32)| {
        let bought = purchases
            .iter()
            .filter(|order| month(order.date) == at && month(first[&order.customer]) == begun);
        bought
            .map(|order| order.customer)
            .collect::<BTreeSet<_>>()
            .len()
    };
    let list = months.iter().enumerate();
    list.map(|(place, begun)| {
        months
            .iter()
            .skip(place)
            .map(|at| users(*begun, *at))
            .collect()
    })
    .collect()
}

/// Who bought on a further day in the first 39 weeks, whether what was bought on a day is one order or several.
async fn assert_repeat_customers(world: &World) {
    let asked = "{ previewSegment(rule: {users: {metric: {metric: ACTIVE_DAYS, atLeast: 2, period: {days: {from: \"1997-01-01\", \
                 to: \"1997-09-30\"}}}}}) { size problems { message } } }";
    let again: usize = PUBLISHED[1..].iter().sum();
    assert_eq!(again, 2_357 - 1_411);
    for place in [0, 1] {
        let seen = Api::of(world, place).data(asked, &json!({})).await;
        let expected = json!({ "previewSegment": { "size": again, "problems": [] } });
        assert_eq!(seen, expected, "publisher {place}");
    }
}

mod heavy {
    use super::*;

    #[tokio::test]
    async fn the_cdnow_sample_gives_its_published_figures() {
        let world = World::new(2).await;
        let folder = tempfile::tempdir().unwrap();
        let all = purchases();
        // One publisher has every purchase; for the other, what a customer bought on a day is one order.
        import(&world, "publisher-1", folder.path(), &export(&all));
        let mut days: BTreeMap<(usize, NaiveDate), Purchase> = BTreeMap::new();
        for purchase in &all {
            let day = days.entry((purchase.customer, purchase.date));
            day.and_modify(|order| order.cents += purchase.cents)
                .or_insert(*purchase);
        }
        let days: Vec<Purchase> = days.into_values().collect();
        import(&world, "publisher-2", folder.path(), &export(&days));

        let asked = "{ actions { totalCount totals { orderAmount { amount } } } users { totalCount } \
                     userCohorts(range: {days: {from: \"1997-01-01\", to: \"1998-06-30\"}}) { cohorts { size periods { users \
                     actions } } } }";
        let data = Api::of(&world, 0).data(asked, &json!({})).await;
        assert_eq!(data["actions"]["totalCount"], 6_919);
        assert_eq!(data["users"]["totalCount"], 2_357);
        assert_eq!(
            data["actions"]["totals"]["orderAmount"][0]["amount"],
            "244091.94"
        );
        let shown: Vec<Vec<usize>> = data["userCohorts"]["cohorts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cohort| {
                let periods = cohort["periods"].as_array().unwrap().iter();
                let users =
                    |period: &Value| usize::try_from(period["users"].as_u64().unwrap()).unwrap();
                periods.map(users).collect()
            })
            .collect();
        assert_eq!(shown, cohorts(&all));
        let sizes: Vec<usize> = shown.iter().map(|cohort| cohort[0]).collect();
        assert_eq!(
            (&sizes[..3], sizes[3..].iter().sum::<usize>()),
            (&[781, 857, 719][..], 0)
        );

        let range = AxisRange {
            axis: DateAxis::Ordered,
            span: Span {
                from: at("1997-01-01T00:00:00Z"),
                to: at("1997-10-01T00:00:00Z"),
            },
            zone: Zone::UTC,
        };
        let query = FactQuery::counted(range, Filter::default());
        let rules = UserRules::of(Currency::USD);
        let (tx, scope) = (world.tx(), world.read(1));
        let found = segments::users(&tx, scope, &query, &rules).await.unwrap();
        let mut by_further_days = [0; 8];
        for user in &found.users {
            let further = usize::try_from(user.sums.actions - 1).unwrap();
            by_further_days[further.min(7)] += 1;
        }
        assert_eq!(by_further_days, PUBLISHED);
        let new = found
            .list
            .iter()
            .find(|entry| entry.kind == UserSegment::New)
            .unwrap();
        assert_eq!(new.size, 2_357, "all are new in 1997");
        assert_repeat_customers(&world).await;

        let world = world.in_columns().await;
        let again = Api::of(&world, 0).data(asked, &json!({})).await;
        assert_eq!(again, data, "columns in memory count the same");
        assert_repeat_customers(&world).await;
    }
}
