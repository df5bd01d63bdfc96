//! One publisher is told what it would be told if the other had never been: the same questions are asked before and
//! after every row of the other is gone. Both have rows of every kind that the schema can show.

use super::{EVERYTHING, HOLE, PROGRAMS, Plain, bring_clicks, ids, products_of, root_of};
use crate::support::api::Api;
use crate::support::asking::Asking;
use crate::support::furnish::{self, Papers};
use crate::support::statement::{of_anybody, tables};
use crate::support::world::{World, block_on};
use actiongraph::access::user_ids::UserIds;
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::scope::KeyScope;
use actiongraph::export::traffic::{Asked, DOCUMENT};
use actiongraph::graphql::id::{Kind, read};
use async_graphql::ID;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// In how many tests the questions are asked, side by side.
const PARTS: usize = 3;

/// What else is asked for, so that everything that can be shown is shown. OFTEN and LISTED are segments of users, SPACE is
/// an ad space.
const MORE: &[&str] = &[
    "{ report(range: {preset: THIS_YEAR}, currency: \"EUR\") { totals { reward { amount currency } } \
     info { missingRates { __typename from to } } } }",
    "{ apiKeys { nodes { label limits { adSpaces subids { __typename values } } } } }",
    "{ segmentOverlap(ids: [\"OFTEN\", \"LISTED\"]) { __typename segments { __typename size } pairs { __typename } } }",
    "{ segmentOverlap(ids: [\"OFTEN\"], builtInSegments: [{users: {kind: NEW}}]) { segments { builtIn { __typename name } } } }",
    "{ segments { nodes { name sentence members { nodes { reasons { __typename condition actual } } } \
     trend(range: {days: {from: \"2026-03-01\", to: \"2026-06-30\"}}, bucket: MONTH) { __typename size metrics { __typename actions } } } } }",
    "{ previewSegment(rule: {users: {segment: {in: [\"OFTEN\"]}}}) { size sample { user { value } } \
     cost { __typename actionsRead } } }",
    "{ products { nodes { affiliateLink(adSpace: \"SPACE\") { url explanation warnings { __typename message } } } } }",
    "{ trafficTargets(range: {preset: THIS_YEAR}, adSpace: \"SPACE\", country: \"RU\", minOrders: 1) { nodes { \
     affiliateLink { url kind } } } }",
    "{ userSegments(range: {preset: THIS_YEAR}, rules: {scoring: {thresholds: {recencyDays: [7, 30, 60, 90], \
     actions: [2, 3, 5, 10], amounts: [\"1\", \"2\", \"3\", \"4\"], currency: \"USD\"}}}) { nodes { size } \
     parameters { thresholds { __typename } } } }",
];

/// What is not in these worlds: a caller of theirs has a key.
const ELSEWHERE: &[&str] = &["ViewerToken"];

/// Ids of what a publisher has of its own, beside those of `EVERYTHING`.
const MADE: &str = "{ imports(first: 100) { nodes { id } } adjustments { nodes { id } } programs { nodes { id } } \
                    segments(state: [LIVE, FROZEN, ARCHIVED]) { nodes { id } } }";

/// Two publishers that have everything, under the same ids at Admitad; what the second has says HIDDEN.
struct Both {
    world: World,
    own: Papers,
    theirs: Papers,
    /// A caller who may do everything that the first publisher may.
    api: Api,
}

impl Both {
    async fn new() -> Self {
        let world = World::new(2).await;
        let all = Plain::all();
        let (one, two): (Vec<&Plain>, Vec<&Plain>) =
            all.iter().partition(|plain| plain.number / 3 % 2 == 0);
        let mut papers = Vec::new();
        for (place, of, mark) in [(0, one, "OWN"), (1, two, "HIDDEN")] {
            let drafts: Vec<ActionDraft> = of
                .iter()
                .flat_map(|plain| plain.drafts(place == 0))
                .collect();
            world.apply(place, &drafts).await;
            bring_clicks(&world, place, &of).await;
            let products = products_of(&world, place).await;
            let offered: Vec<(String, String)> = products
                .iter()
                .map(|id| (id.clone(), mark.to_owned()))
                .collect();
            furnish::offers(&world, place, mark, &offered, true).await;
            furnish::templates(&world, place, PROGRAMS, |_, _| Some(mark.to_owned())).await;
            furnish::settings(&world, place, &products[..3]).await;
            papers.push(furnish::papers(&world, place, mark).await);
        }
        let theirs = papers.pop().unwrap();
        Self {
            own: papers.pop().unwrap(),
            theirs,
            api: administrator(&world, 0),
            world,
        }
    }

    /// An ad space of the first publisher's that has templates of links.
    async fn space(&self) -> String {
        let templates = self.world.rows::<entity::deeplink::Entity>(0).await;
        Kind::AdSpace.id(templates[0].ad_space_id).to_string()
    }

    /// `MORE`, about what the first publisher has.
    async fn more(&self) -> Vec<String> {
        let space = self.space().await;
        let put = |query: &&str| {
            let query = query.replace("OFTEN", &self.own.segments[0]);
            let query = query.replace("LISTED", &self.own.segments[1]);
            query.replace("SPACE", &space)
        };
        MORE.iter().map(put).collect()
    }

    /// The schema, of each kind one id of what the other publisher has, and of some what the first has.
    async fn asking(&self) -> Asking {
        let mut asking = Asking::of(&self.api).await;
        asking.ids = of_each_kind(&self.world, 1).await.into_values().collect();
        // Users have ids of their own kind.
        assert_eq!(asking.ids.len(), Kind::ALL.len() + 1, "a kind is missing");
        let program = of_each_kind(&self.world, 0)
            .await
            .remove("Program")
            .unwrap();
        asking.ids.extend([self.space().await, program]);
        let others = administrator(&self.world, 1);
        let ends = others.data(EVERYTHING, &json!({})).await;
        let cursor = ends["actions"]["pageInfo"]["endCursor"].as_str().unwrap();
        asking.texts = ["user 3", "HIDDEN comment 1", cursor]
            .map(str::to_owned)
            .to_vec();
        asking
    }
}

fn administrator(world: &World, place: usize) -> Api {
    Api::of(world, place).allowed(KeyScope::ALL)
}

/// An id of each kind that a publisher has something of.
async fn of_each_kind(world: &World, place: usize) -> BTreeMap<&'static str, String> {
    let api = administrator(world, place);
    let mut all = BTreeSet::new();
    for query in [EVERYTHING, MADE] {
        ids(&api.data(query, &json!({})).await, &mut all);
    }
    let named = all.into_iter().map(|id| {
        let (kind, _) = read(&ID(id.clone()), &UserIds::as_stored()).unwrap();
        (kind.name(), id)
    });
    named.collect()
}

/// Root fields that look one thing up by its id.
const LOOKUPS: &[&str] = &["node", "nodes", "action", "segment"];

/// An answer with what it cost, and of those that look one thing up the statements that were sent for it. Of others
/// their number is left out: fields that are read side by side share a statement or not, as they come.
#[derive(Debug, PartialEq)]
struct Told {
    answer: Value,
    sent: Vec<String>,
}

/// That every statement says for each table whose rows it reads; how many tables that are. This key has no limits, so that
/// nothing else stands between the publishers.
fn name_the_publisher(sent: &[String], query: &str) -> usize {
    let read = sent.iter().map(|statement| {
        let open = of_anybody(statement);
        assert!(
            open.is_empty(),
            "{query}: nothing says whose rows {open:?} have:\n{statement}"
        );
        tables(statement).len()
    });
    read.sum()
}

async fn told(api: &Api, (query, variables): &(String, Value), read: &mut usize) -> Told {
    let _ = api.statements.take();
    let mut answer = api.answer(query, variables).await;
    let mut sent = api.statements.take();
    *read += name_the_publisher(&sent, query);
    sent.sort_unstable();
    if !LOOKUPS.contains(&root_of(query)) {
        sent.clear();
        if let Some(cost) = answer["extensions"]["cost"].as_object_mut() {
            cost.remove("statements");
        }
    }
    Told { answer, sent }
}

/// Asks before and after the other publisher is gone.
async fn asks_twice(both: &Both, queries: &[(String, Value)]) {
    let (mut before, mut read) = (Vec::new(), 0);
    for query in queries {
        before.push(told(&both.api, query, &mut read).await);
    }
    assert!(read > queries.len() / 2, "{read} tables were read");
    both.world.erase(1).await;
    let api = administrator(&both.world, 0);
    let mut wrong = Vec::new();
    for (before, query) in before.iter().zip(queries) {
        let after = told(&api, query, &mut read).await;
        let asks_for_it = query.0.contains("HIDDEN") || query.1.to_string().contains("HIDDEN");
        let is_shown = !asks_for_it && before.answer.to_string().contains("HIDDEN");
        if is_shown || *before != after {
            let (says, should) = (&before.answer, &after.answer);
            let (sends, not) = (before.sent.join("\n  "), after.sent.join("\n  "));
            wrong.push(format!(
                "{}\nsays   {says}\nshould {should}\nsends\n  {sends}\nand not\n  {not}",
                query.0
            ));
        }
    }
    let count = wrong.len();
    wrong.truncate(4);
    assert_eq!(count, 0, "{}", wrong.join("\n\n"));
    let answered = before
        .iter()
        .filter(|told| told.answer.get("errors").is_none());
    let answered = answered.count();
    assert!(
        answered * 2 > queries.len(),
        "{answered} of {} were answered",
        queries.len()
    );
}

fn plain(queries: Vec<String>) -> Vec<(String, Value)> {
    queries
        .into_iter()
        .map(|query| (query, json!({})))
        .collect()
}

async fn of_root_fields(part: usize) {
    let both = Both::new().await;
    let asking = both.asking().await;
    let mut queries = Vec::new();
    for (place, field) in asking.root_fields().into_iter().enumerate() {
        if place % PARTS == part {
            queries.extend(asking.branches(&field));
            queries.extend(asking.arguments(&field));
        }
    }
    asks_twice(&both, &plain(queries)).await;
}

#[test]
fn one_publisher_is_told_nothing_of_the_other_by_the_first_root_fields() {
    block_on(of_root_fields(0));
}

#[test]
fn one_publisher_is_told_nothing_of_the_other_by_the_second_root_fields() {
    block_on(of_root_fields(1));
}

#[test]
fn one_publisher_is_told_nothing_of_the_other_by_the_third_root_fields() {
    block_on(of_root_fields(2));
}

#[test]
fn one_publisher_is_told_nothing_of_the_other_below_the_root_fields_or_in_files() {
    block_on(async {
        let both = Both::new().await;
        let asking = both.asking().await;
        let mut queries = plain(asking.below());
        queries.extend(plain(both.more().await));
        let ids = &asking.ids;
        for (name, id) in ["adSpace", "program"]
            .into_iter()
            .flat_map(|name| ids.iter().map(move |id| (name, id)))
        {
            let pairs = [
                ("from", "2026-01-01"),
                ("to", "2026-06-30"),
                ("minOrders", "1"),
                (name, id),
            ];
            let mut variables = Asked::read(pairs).unwrap().variables;
            variables.insert("first".to_owned(), json!(100));
            queries.push((DOCUMENT.to_owned(), Value::Object(variables)));
        }
        asks_twice(&both, &queries).await;
    });
}

/// The names of all types in an answer.
fn types(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| match field {
            Value::String(ty) if name == "__typename" => {
                into.insert(ty.clone());
            }
            _ => types(field, into),
        }),
        Value::Array(items) => items.iter().for_each(|item| types(item, into)),
        _ => {}
    }
}

/// A type that these worlds have nothing of would be hidden from nobody, and no test would tell.
#[test]
fn every_type_of_the_schema_is_in_the_answers_to_its_owner() {
    block_on(async {
        let both = Both::new().await;
        let mut asking = Asking::of(&both.api).await;
        asking.ids = of_each_kind(&both.world, 0).await.into_values().collect();
        asking.texts = vec!["user 3".to_owned()];
        let mut queries = asking.every_field();
        queries.extend(both.more().await);
        let mut shown = BTreeSet::new();
        for query in queries {
            types(
                &both.api.answer(&query, &json!({})).await["data"],
                &mut shown,
            );
        }
        let reachable = asking.reachable();
        let missing: Vec<&String> = reachable
            .iter()
            .filter(|ty| !shown.contains(*ty) && !ELSEWHERE.contains(&ty.as_str()))
            .collect();
        assert!(
            missing.is_empty(),
            "bring some of these in `support::furnish`, or ask for them in MORE: {missing:?}"
        );
        assert!(reachable.len() > 100, "{reachable:?}");
    });
}

/// What mutations are given beside the id that is tried.
fn given(own: &BTreeMap<&str, String>, key: &str, mutation: &str, argument: &str) -> String {
    let text = |text: &str| json!(text).to_string();
    match argument {
        "adSpace" => text(&own["AdSpace"]),
        "program" => text(&own["Program"]),
        "run" => text(&own["ImportRun"]),
        "id" => text(&own["Segment"]),
        "key" => text(key),
        "name" => text("THENAME"),
        "base" => text("https://ad.admitad.com/g/0123456789abcdef/"),
        "expectedVersion" => "THEVERSION".to_owned(),
        "input" => "{label: \"another\"}".to_owned(),
        other => panic!("{mutation} needs {other}: say here what it is given"),
    }
}

#[test]
fn a_mutation_takes_another_publisher_s_id_for_one_that_does_not_exist() {
    block_on(async {
        let both = Both::new().await;
        let (world, api) = (&both.world, &both.api);
        let mut asking = Asking::of(api).await;
        asking.ids = vec![HOLE.to_owned()];
        asking.texts = vec!["user 3".to_owned()];
        let mut own = of_each_kind(world, 0).await;
        let segment = both.own.segments[0].clone();
        own.insert("Segment", segment.clone());
        let given =
            |mutation: &str, argument: &str| given(&own, &both.own.keys[0], mutation, argument);
        let queries = asking.mutations(HOLE, &given);
        let theirs = of_each_kind(world, 1).await;
        let before = world.dump(1).await + &world.dump_of_the_rest(1).await;
        let version = format!("{{ segment(id: \"{segment}\") {{ version }} }}");
        let (mut number, mut refused) = (0, BTreeSet::new());
        for query in queries {
            let is_of_keys = query.contains(&format!("key: \"{HOLE}\""));
            let pairs: Vec<(String, String)> = if is_of_keys {
                vec![(both.theirs.keys[0].clone(), "zzzzzzzz".to_owned())]
            } else {
                let kinds = Kind::ALL.into_iter();
                kinds
                    .map(|kind| {
                        let missing = kind.id(Uuid::from_u128(0x77)).to_string();
                        (theirs[kind.name()].clone(), missing)
                    })
                    .collect()
            };
            for (foreign, missing) in pairs {
                let mut both_told = Vec::new();
                // The first time it may change what the publisher has; from then on nothing.
                for id in [&missing, &foreign, &missing] {
                    number += 1;
                    let version =
                        api.data(&version, &json!({})).await["segment"]["version"].to_string();
                    let name = format!("probe {number:05}");
                    let asked = query
                        .replace(HOLE, id)
                        .replace("THENAME", &name)
                        .replace("THEVERSION", &version);
                    let _ = api.statements.take();
                    let mut answer = api.answer(&asked, &json!({})).await;
                    let cost = answer["extensions"].take();
                    let text = answer
                        .to_string()
                        .replace(id, HOLE)
                        .replace(&name, "THENAME");
                    let mut sent = api.statements.take();
                    sent.sort_unstable();
                    both_told.push((text, cost, sent));
                }
                assert_eq!(both_told[1], both_told[2], "{query} with {foreign}");
                if both_told[1].0.contains("NOT_FOUND") {
                    refused.insert(query.split('(').next().unwrap().to_owned());
                }
            }
        }
        let after = world.dump(1).await + &world.dump_of_the_rest(1).await;
        assert_eq!(before, after, "another publisher's rows were changed");
        assert!(refused.len() > 8, "{refused:?}");
    });
}
