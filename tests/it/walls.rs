//! A key with limits sees exactly its rows: whatever it asks, the answer is the one that a world gives in which nothing
//! else ever happened. The questions are made from the schema itself.

mod hidden;
mod publishers;
mod users;

use crate::support::api::Api;
use crate::support::asking::Asking;
use crate::support::check::soak;
use crate::support::db::fresh_store;
use crate::support::drafts::{CATEGORIES, at, currency, instant};
use crate::support::furnish::{self, Papers};
use crate::support::world::{World, block_on};
use actiongraph::access::user_ids::UserIds;
use actiongraph::domain::action::{ActionType, Slot, SlotValue, Stamp, Standing, Status};
use actiongraph::domain::clicks::{ClickDay, Replaced};
use actiongraph::domain::draft::{
    ActionDraft, AdSpaceRef, CategoryRef, DraftItem, ProductRef, ProgramRef,
};
use actiongraph::domain::limits::{Limits, SubidLimit};
use actiongraph::domain::time::{DAY_US, Day};
use actiongraph::graphql::id::{Kind, read};
use actiongraph::store::tables_with_a_rule;
use async_graphql::ID;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Root fields that a key with limits on rows may not read.
const UNDIVIDED: &[&str] = &[
    "imports",
    "adjustments",
    "earnings",
    "balances",
    "apiKeys",
    "auditTrail",
];
/// Root fields that tell of the key, the server or the whole, and so differ.
const OF_THE_KEY: &[&str] = &["viewer", "freshness"];

/// A limit, whether an action is within it, and whether all questions are asked or the plainer ones.
struct Case {
    name: &'static str,
    limits: Limits,
    thorough: bool,
}

/// How many cases are thorough: 0, 3 and 5.
const THOROUGH: usize = 3;

fn cases() -> Vec<Case> {
    let prefix = || SubidLimit {
        slot: 2,
        values: vec!["q9-x".to_owned()],
        prefixes: vec!["p7-".to_owned()],
    };
    let case = |name, thorough, change: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Case {
            name,
            limits,
            thorough,
        }
    };
    vec![
        case("an ad space", true, &|limits| {
            limits.ad_spaces = Some(vec!["501".to_owned()]);
        }),
        case("an ad space without an id, by its name", false, &|limits| {
            limits.ad_spaces = Some(vec!["BLOG C".to_owned()]);
        }),
        case("a program", false, &|limits| {
            limits.programs = Some(vec!["25179".to_owned(), "unknown".to_owned()]);
        }),
        case("SubIDs", true, &|limits| limits.subids = vec![prefix()]),
        case("a day", false, &|limits| {
            limits.not_before = Some(Day::parse("2026-05-01").unwrap().days());
        }),
        case("all at once", true, &|limits| {
            limits.programs = Some(vec!["25179".to_owned()]);
            limits.ad_spaces = Some(vec!["501".to_owned(), "502".to_owned()]);
            limits.subids = vec![prefix()];
            limits.last_days = Some(100);
        }),
    ]
}

/// An action of the world, before it is known whether it is seen.
struct Plain {
    number: usize,
    program: &'static str,
    space: Option<(Option<&'static str>, &'static str)>,
    subid2: Option<&'static str>,
    day: Day,
}

impl Plain {
    fn all() -> Vec<Self> {
        (0..96)
            .map(|number| Self {
                number,
                program: ["25179", "6115"][number % 2],
                space: [
                    Some((Some("501"), "Blog A")),
                    Some((Some("502"), "Blog B")),
                    Some((None, "Blog C")),
                    None,
                ][number / 2 % 4],
                subid2: [
                    Some("p7-x"),
                    Some("p7-y"),
                    Some("q9-x"),
                    Some("q9-xx"),
                    None,
                ][number % 5],
                day: Day::parse("2026-03-01")
                    .unwrap()
                    .plus(i32::try_from(number * 37 % 115).unwrap())
                    .unwrap(),
            })
            .collect()
    }

    /// What limits mean, said plainly. The present is 1 July 2026, the zone UTC.
    fn is_seen(&self, limits: &Limits) -> bool {
        let named = |list: &[String], id: Option<&str>, name: &str| {
            list.iter().any(|one| match id {
                Some(id) => one == id,
                None => one.to_lowercase() == name.to_lowercase(),
            })
        };
        let programs = limits.programs.as_deref();
        let spaces = limits.ad_spaces.as_deref();
        let today = Day::parse("2026-07-01").unwrap().days();
        programs.is_none_or(|list| named(list, Some(self.program), ""))
            && spaces.is_none_or(|list| self.space.is_some_and(|(id, name)| named(list, id, name)))
            && limits.subids.iter().all(|limit| {
                self.subid2.is_some_and(|subid| {
                    limit.values.iter().any(|value| value == subid)
                        || limit
                            .prefixes
                            .iter()
                            .any(|prefix| subid.starts_with(prefix))
                })
            })
            && limits.not_before.is_none_or(|day| self.day.days() >= day)
            && limits
                .last_days
                .is_none_or(|days| self.day.days() > today - i32::try_from(days).unwrap())
    }

    #[expect(clippy::too_many_lines, reason = "one field after the other")]
    /// What upstream said of it: on hold first, then something else. What is not seen says HIDDEN wherever it can.
    fn drafts(&self, is_seen: bool) -> Vec<ActionDraft> {
        let number = self.number;
        let tell = |text: String| {
            if is_seen {
                text
            } else {
                format!("HIDDEN {text}")
            }
        };
        let ordered = instant(
            i64::from(self.day.days()) * DAY_US
                + i64::try_from(number % 24).unwrap() * 3_600_000_000,
        );
        let words = ["approved", "declined", "pending", "approved_but_stalled"];
        let states = [("pending", 0), (words[number % 4], 1)];
        let text = |text: String| SlotValue::Text(text);
        let mut slots = BTreeMap::from([
            (Slot::OrderId, text(tell(format!("order {}", number / 2)))),
            (Slot::Comment, text(tell(format!("comment {number}")))),
            (Slot::PromoCode, text(tell(format!("promo {}", number % 3)))),
            (Slot::Keyword, text(tell("keyword".to_owned()))),
            (
                Slot::Country,
                text(["RU", "US", "TR"][number % 3].to_owned()),
            ),
            (
                Slot::Device,
                text(["Desktop", "Mobile"][number % 2].to_owned()),
            ),
            (
                Slot::OrderAmount,
                SlotValue::Number(i64::try_from(number * 12_345).unwrap()),
            ),
            (
                Slot::ClickedAt,
                SlotValue::Number(ordered.micros() - 7_000_000),
            ),
            (Slot::ConversionSeconds, SlotValue::Number(7)),
            (
                Slot::ClosingDay,
                SlotValue::Number(i64::from(self.day.days() + 9)),
            ),
        ]);
        if !number.is_multiple_of(5) {
            let user = match number % 6 {
                1 if !is_seen => format!("HIDDEN user {number}"),
                _ => format!("user {}", number % 7),
            };
            slots.insert(Slot::Subid1, text(user));
        }
        if let Some(subid) = self.subid2 {
            slots.insert(Slot::Subid2, text(subid.to_owned()));
        }
        let items: Vec<DraftItem> = (0..number % 3)
            .map(|place| item(number * 5 + place, is_seen))
            .collect();
        let draft = |(word, hours): (&str, i64)| ActionDraft {
            external_id: format!("{}", 9_000 + number),
            program: ProgramRef {
                external_id: Some(self.program.to_owned()),
                name: None,
            },
            ad_space: self.space.map(|(id, name)| AdSpaceRef {
                external_id: id.map(str::to_owned),
                name: Some(name.to_owned()),
            }),
            standing: Standing {
                status: Status::from_upstream(word),
                raw_status: word.to_owned(),
                paid: number.is_multiple_of(8),
                processed: word != "pending",
                reward_e4: i64::try_from(number).unwrap() * 7_777 + 10_000,
                currency: currency(["USD", "RUB"][number % 2]),
                action_type: ActionType::ALL[0],
                ordered_at: ordered,
                status_updated_at: Some(instant(ordered.micros() + hours * 3_600_000_000)),
            },
            unsaid: BTreeSet::new(),
            stamp: Stamp {
                changed_at: instant(ordered.micros() + hours * 3_600_000_000),
                observed_at: at("2026-06-30T00:00:00Z"),
            },
            slots: slots.clone(),
            items: items.clone(),
            rounded: 0,
            receipt: None,
        };
        states.map(draft).to_vec()
    }
}

/// A cart item. What is known of a product does not depend on who sold it.
fn item(number: usize, is_seen: bool) -> DraftItem {
    let hidden = !is_seen && number.is_multiple_of(4);
    let product = if hidden { 100 + number } else { number % 9 };
    let lead = if hidden { "HIDDEN " } else { "" };
    let category = if hidden {
        format!("88{product}")
    } else {
        CATEGORIES[product % CATEGORIES.len()].to_owned()
    };
    DraftItem {
        external_id: None,
        product: Some(ProductRef {
            external_id: Some(format!("10050{product}")),
            name: Some(format!("{lead}product {product}")),
            url: Some(format!("https://shop.example/{product}")),
            image_url: None,
            country: Some("CN".to_owned()),
        }),
        category: Some(CategoryRef::with_id(
            category.clone(),
            Some(format!("{lead}category {category}")),
        )),
        amount_e4: i64::try_from(number).unwrap() * 111,
        reward_e4: i64::try_from(number).unwrap() * 13,
        rate_e4: Some(50_000),
        is_percentage: Some(true),
        tariff_id: Some("1".to_owned()),
        rate_id: Some("2".to_owned()),
        units: i32::try_from(1 + number % 3).unwrap(),
        ordered_at: None,
    }
}

/// Clicks that belong to the actions: so many of each by SubID, and together as many as are seen.
async fn bring_clicks(world: &World, place: usize, seen: &[&Plain]) {
    for slot in [None, Some(2)] {
        let mut rows: BTreeMap<_, i64> = BTreeMap::new();
        for plain in seen {
            let Some((Some(space), _)) = plain.space else {
                continue;
            };
            let subid = slot.and(plain.subid2);
            let key = (plain.day, plain.program, space, subid);
            *rows.entry(key).or_default() += i64::try_from(3 + plain.number % 5).unwrap();
        }
        let rows: Vec<ClickDay> = rows
            .into_iter()
            .map(|((day, program, space, subid), clicks)| ClickDay {
                day,
                program_external_id: program.to_owned(),
                ad_space_external_id: Some(space.to_owned()),
                slot,
                subid: subid.map(str::to_owned),
                clicks,
                views: None,
            })
            .collect();
        let set = Replaced {
            days: (Day::MIN, Day::MAX),
            program: None,
            ad_space: None,
            slot,
        };
        world.clicks(place, "main", &set, &rows).await.unwrap();
    }
}

/// A world in which all happened, and one in which only that happened which is seen.
struct Worlds {
    full: World,
    part: World,
    /// What is in the full world and seen by none but the publisher.
    papers: Papers,
}

/// The programs of all actions.
const PROGRAMS: &[&str] = &["25179", "6115"];

async fn worlds(limits: &Limits) -> Worlds {
    let (full, part) = (World::new(2).await, World::new(2).await);
    let all = Plain::all();
    let seen: Vec<&Plain> = all.iter().filter(|plain| plain.is_seen(limits)).collect();
    assert!((6..80).contains(&seen.len()), "{} are seen", seen.len());
    let drafts: Vec<ActionDraft> = all
        .iter()
        .flat_map(|plain| plain.drafts(plain.is_seen(limits)))
        .collect();
    full.apply(0, &drafts).await;
    bring_clicks(&full, 0, &all.iter().collect::<Vec<_>>()).await;
    let drafts: Vec<ActionDraft> = seen.iter().flat_map(|plain| plain.drafts(true)).collect();
    part.apply(0, &drafts).await;
    bring_clicks(&part, 0, &seen).await;
    furnish_both(&full, &part, limits).await;
    let papers = furnish::papers(&full, 0, "HIDDEN").await;
    // What is in memory was read for those who see everything.
    let full = full.in_columns().await;
    Worlds { full, part, papers }
}

/// What products feeds offer, and how links of ad spaces are made: of those that are seen in both worlds, of the others
/// in the full one.
async fn furnish_both(full: &World, part: &World, limits: &Limits) {
    let seen = products_of(part, 0).await;
    let mut others = products_of(full, 0).await;
    others.retain(|id| !seen.contains(id));
    assert!(!others.is_empty(), "all products are seen");
    let marked = |ids: &[String], mark: &str| -> Vec<(String, String)> {
        let pairs = ids.iter().map(|id| (id.clone(), mark.to_owned()));
        pairs.collect()
    };
    // A ready link names the ad space that it is for.
    let names_no_space =
        limits.programs.is_none() && limits.ad_spaces.is_none() && limits.subids.is_empty();
    let offered = marked(&seen, "offered");
    furnish::offers(full, 0, "Offers", &offered, true).await;
    furnish::offers(part, 0, "Offers", &offered, names_no_space).await;
    furnish::offers(full, 0, "HIDDEN", &marked(&others, "HIDDEN"), true).await;
    let spaces = part.rows::<entity::ad_space::Entity>(0).await;
    let is_seen = |space: &entity::ad_space::Model, program: &str| {
        let named = |list: &Vec<String>| list.iter().any(|one| one == program);
        spaces.iter().any(|one| one.id == space.id) && limits.programs.as_ref().is_none_or(named)
    };
    let carried = |is_seen| (if is_seen { "carried" } else { "HIDDEN" }).to_owned();
    furnish::templates(full, 0, PROGRAMS, |space, program| {
        Some(carried(is_seen(space, program)))
    })
    .await;
    furnish::templates(part, 0, PROGRAMS, |space, program| {
        is_seen(space, program).then(|| carried(true))
    })
    .await;
    let priorities: Vec<String> = seen.into_iter().take(3).collect();
    for world in [full, part] {
        furnish::settings(world, 0, &priorities).await;
    }
}

/// The ids at AliExpress of all products of a publisher.
async fn products_of(world: &World, place: usize) -> Vec<String> {
    let products = world.rows::<entity::product::Entity>(place).await;
    let ids = products.into_iter().filter_map(|row| row.external_id);
    ids.collect()
}

fn ids(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| match field {
            Value::String(id) if name == "id" => {
                into.insert(id.clone());
            }
            _ => ids(field, into),
        }),
        Value::Array(items) => items.iter().for_each(|item| ids(item, into)),
        _ => {}
    }
}

/// What an answer says, without how much it took.
fn said(mut answer: Value) -> Value {
    answer.as_object_mut().unwrap().remove("extensions");
    answer
}

/// What an answer says that it cost, without how many statements it took.
fn cost(answer: &Value) -> Value {
    let mut cost = answer["extensions"]["cost"].clone();
    if let Some(fields) = cost.as_object_mut() {
        fields.remove("statements");
    }
    cost
}

/// What stands where an id is put in.
const HOLE: &str = "THEHOLE";

/// A rule that reads facts, with how many.
const MEASURED: &str = "{ previewSegment(rule: {users: {metric: {metric: ACTIONS, atLeast: 2, period: {last: {count: \
     400, unit: DAY}}}}}) { size cost { actionsRead } } }";

const EVERYTHING: &str = "{ actions(first: 100) { pageInfo { endCursor } nodes { id user { id } program { id } \
     adSpace { id } items { nodes { product { id } category { id } } } } } products(first: 100) { nodes { id } } \
     users(first: 100) { nodes { id } } adSpaces { nodes { id } } categories(first: 100, filter: {isKnown: {eq: false}}) { nodes { id } } }";

/// One of each kind of thing that is hidden, and one of each that is seen.
async fn chosen_ids(full: &Api, part: &Api, papers: &Papers) -> Vec<String> {
    let (mut all, mut seen) = (BTreeSet::new(), BTreeSet::new());
    ids(&full.data(EVERYTHING, &json!({})).await, &mut all);
    ids(&part.data(EVERYTHING, &json!({})).await, &mut seen);
    assert!(seen.is_subset(&all));
    let hidden: Vec<&String> = all.difference(&seen).collect();
    assert!(hidden.len() > 10, "{}", hidden.len());
    let some = |list: Vec<&String>| -> Vec<String> {
        let step = (list.len() / 8).max(1);
        list.into_iter().step_by(step).cloned().collect()
    };
    let mut chosen = some(hidden);
    chosen.extend(some(seen.iter().collect()));
    chosen.extend(papers.segments.iter().step_by(3).cloned());
    chosen
}

/// The root field of a question.
fn root_of(query: &str) -> &str {
    let query = query.trim_start_matches("{ ");
    let end = query.find(|letter: char| !letter.is_ascii_alphanumeric());
    end.map_or(query, |end| &query[..end])
}

/// Each kind of limit in a test of its own, so that they run side by side.
macro_rules! told_as_without_the_rest {
    ($($test:ident: $number:literal)*) => {
        $(#[test]
        fn $test() {
            block_on(is_told_what_a_world_without_the_rest_tells($number));
        })*

        #[test]
        fn every_kind_of_limit_has_a_test() {
            let cases = cases();
            assert_eq!(cases.len(), [$($number),*].len());
            let thorough = (0..).zip(&cases).filter(|(_, case)| case.thorough);
            assert!(thorough.map(|(number, _): (usize, _)| number / 2).eq(0..THOROUGH));
        }
    };
}

told_as_without_the_rest! {
    a_key_of_an_ad_space_is_told_what_a_world_without_the_rest_tells: 0
    a_key_of_a_name_is_told_what_a_world_without_the_rest_tells: 1
    a_key_of_a_program_is_told_what_a_world_without_the_rest_tells: 2
    a_key_of_subids_is_told_what_a_world_without_the_rest_tells: 3
    a_key_of_a_horizon_is_told_what_a_world_without_the_rest_tells: 4
    a_key_of_all_limits_is_told_what_a_world_without_the_rest_tells: 5
}

async fn is_told_what_a_world_without_the_rest_tells(number: usize) {
    let case = cases().swap_remove(number);
    let Worlds { full, part, papers } = worlds(&case.limits).await;
    let limited = Api::rich(&full, 0).narrowed(case.limits.clone());
    let (whole, expected) = (Api::of(&full, 0), Api::rich(&part, 0));
    let mut asking = Asking::of(&whole).await;
    asking.ids = chosen_ids(&whole, &expected, &papers).await;
    asking.texts = [
        "user 3",
        "p7-x",
        "q9-xx",
        "HIDDEN comment 1",
        "502",
        "Blog B",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut wrong = Vec::new();
    // Of a field by field: how many questions were answered, and how many refused.
    let mut answered: BTreeMap<String, usize> = BTreeMap::new();
    let mut asked = questions(&case, number, &asking);
    asked.extend(links_of(&full).await);
    for query in asked {
        let field = root_of(&query);
        let told = said(limited.answer(&query, &json!({})).await);
        if UNDIVIDED.contains(&field) {
            let code = &told["errors"][0]["extensions"]["code"];
            let is_fit = code != "INTERNAL_SERVER_ERROR" && told["data"][field].is_null();
            *answered.entry(field.to_owned()).or_default() += usize::from(code == "FORBIDDEN");
            if !is_fit || told.to_string().contains("HIDDEN") {
                wrong.push(format!("{query}\n{told:#}"));
            }
            continue;
        }
        if OF_THE_KEY.contains(&field) {
            let is_clean = told.get("errors").is_none();
            *answered.entry(field.to_owned()).or_default() += usize::from(is_clean);
            if told.to_string().contains("HIDDEN") {
                wrong.push(format!("{query}\n{told:#}"));
            }
            continue;
        }
        let right = said(expected.answer(&query, &json!({})).await);
        let is_clean = right.get("errors").is_none();
        *answered.entry(field.to_owned()).or_default() += usize::from(is_clean);
        if told != right {
            wrong.push(format!("{query}\nsays   {told}\nshould {right}"));
        }
    }
    for field in asking.root_fields() {
        // None of them sees segments that people made, of which it could tell.
        assert!(
            answered.get(&field) > Some(&0) || field == "segmentOverlap",
            "{field}: no question about it was answered"
        );
    }
    let count = wrong.len();
    wrong.truncate(6);
    assert_eq!(count, 0, "{}: {}", case.name, wrong.join("\n\n"));
}

/// Links of products through each ad space that there is, seen or not, and through none.
async fn links_of(full: &World) -> Vec<String> {
    let spaces = full.rows::<entity::ad_space::Entity>(0).await.into_iter();
    let named = spaces.map(|row| format!("adSpace: \"{}\", ", Kind::AdSpace.id(row.id).as_str()));
    let below =
        "url explanation kind reason program { name } adSpace { name } warnings { message }";
    let through = named.chain([String::new()]).flat_map(|space| {
        ["DE", "RU"].map(|country| {
            format!(
                "{{ products(first: 30) {{ nodes {{ affiliateLink({space}country: \"{country}\") {{ {below} }} }} }} \
                 trafficTargets({space}country: \"{country}\", minOrders: 1, range: {{preset: THIS_YEAR}}) {{ \
                 totalCount nodes {{ product {{ id }} reasons {{ text }} affiliateLink {{ {below} }} }} }} }}"
            )
        })
    });
    through.collect()
}

/// What a case asks: everything below the root fields; the thorough ones each argument as well.
fn questions(case: &Case, number: usize, asking: &Asking) -> Vec<String> {
    let mut asked = Vec::new();
    // Each argument with one kind of limit here, and with each in `make soak`.
    let all = soak("PROPERTY_CASES").is_some();
    let taken = |queries: Vec<String>| {
        let queries = queries.into_iter().enumerate();
        let taken = queries.filter(|(place, _)| all || place % THOROUGH == number / 2);
        taken.map(|(_, query)| query).collect::<Vec<_>>()
    };
    for field in asking.root_fields() {
        asked.extend(asking.branches(&field));
        if case.thorough {
            asked.extend(taken(asking.arguments(&field)));
        }
    }
    if case.thorough {
        asked.extend(taken(asking.below()));
    }
    asked.push(MEASURED.to_owned());
    // Upstream counts views by no SubID, so that who sees some of its values is refused them.
    asked.retain(|query| {
        let query = query.replace("previewSegment", "").to_lowercase();
        let words = ["views", "ctr", "ecpm"];
        case.limits.subids.is_empty() || !words.iter().any(|word| query.contains(word))
    });
    asked
}

/// The publisher's volume cannot be read from the price of a question: it is the same with and without the rest.
#[test]
fn the_cost_tells_a_limited_key_nothing_of_the_rest() {
    block_on(async {
        let limits = cases().swap_remove(0).limits;
        let Worlds { full, part, papers } = worlds(&limits).await;
        let whole = Api::of(&full, 0);
        let mut asking = Asking::of(&whole).await;
        asking.ids = chosen_ids(&whole, &Api::of(&part, 0), &papers).await;
        asking.texts = vec!["user 3".to_owned()];
        let told = Api::limited(&full, 0, limits.clone());
        let expected = Api::limited(&part, 0, limits);
        let mut scanned = 0;
        for field in asking.root_fields() {
            if OF_THE_KEY.contains(&field.as_str()) || UNDIVIDED.contains(&field.as_str()) {
                continue;
            }
            for query in asking.branches(&field) {
                let found = cost(&told.answer(&query, &json!({})).await);
                let right = cost(&expected.answer(&query, &json!({})).await);
                assert_eq!(found, right, "{query}");
                scanned += usize::from(found["scannedActions"].as_u64() > Some(0));
            }
        }
        assert!(scanned > 20, "{scanned} questions look through actions");
    });
}

/// How often a question is asked whose statements differ: fields that are read side by side share a statement or not,
/// as they come. What is hidden would make a difference every time.
const ATTEMPTS: usize = 6;

/// What two callers are told, each with the statements that were sent, in their alphabetical order.
async fn both_told(one: &Api, other: &Api, query: &str) -> [(Value, Vec<String>); 2] {
    let mut told = Vec::new();
    for api in [one, other] {
        let answer = api.answer(query, &json!({})).await;
        let mut sent = api.statements.take();
        sent.sort_unstable();
        told.push((answer, sent));
    }
    told.try_into().unwrap()
}

#[test]
fn what_is_hidden_and_what_never_was_take_the_same_statements() {
    block_on(async {
        let limits = Limits {
            ad_spaces: Some(vec!["501".to_owned()]),
            ..Limits::default()
        };
        let Worlds { full, part, papers } = worlds(&limits).await;
        let whole = Api::of(&full, 0);
        let chosen = chosen_ids(&whole, &Api::of(&part, 0), &papers).await;
        // One of each kind, in turn hidden and seen.
        let mut hidden: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for id in chosen {
            let (kind, _) = read(&ID(id.clone()), &UserIds::as_stored()).unwrap();
            hidden.entry(kind.name()).or_default().push(id);
        }
        let hidden: Vec<&String> = hidden.values().flat_map(|ids| ids.iter().take(2)).collect();
        assert!(hidden.len() > 8, "{hidden:?}");
        let limited = Api::limited(&full, 0, limits.clone());
        let unlimited_elsewhere = Api::limited(&part, 0, limits);
        let mut asking = Asking::of(&whole).await;
        let _ = limited.statements.take();
        asking.ids = vec![HOLE.to_owned()];
        asking.texts = vec!["user 3".to_owned()];
        let mut queries = asking.below();
        for field in asking.root_fields() {
            queries.extend(asking.arguments(&field));
        }
        queries.retain(|query| query.contains(HOLE));
        let mut seen = 0;
        for (place, query) in queries.iter().enumerate() {
            // Those by which one thing is looked up with each, the others in turn.
            let is_short = ["node", "nodes", "action", "segment"].contains(&root_of(query));
            let ids = hidden.iter().enumerate();
            for (_, id) in ids.filter(|(number, _)| is_short || number % 5 == place % 5) {
                let query = query.replace(HOLE, id);
                let mut told = both_told(&limited, &unlimited_elsewhere, &query).await;
                for _ in 1..ATTEMPTS {
                    if told[0] != told[1] {
                        told = both_told(&limited, &unlimited_elsewhere, &query).await;
                    }
                }
                assert_eq!(told[0], told[1], "{query}");
                seen += told[0].1.len();
            }
        }
        assert!(seen > 100, "{seen}");
        // A place in the list of those who see all is a place like any other.
        let ends = whole.data(EVERYTHING, &json!({})).await;
        let cursor = &ends["actions"]["pageInfo"]["endCursor"];
        let query = "query($c: String) { actions(first: 5, before: null, after: $c) { nodes { id } pageInfo { hasPreviousPage } } }";
        let variables = json!({ "c": cursor });
        let here = limited.answer(query, &variables).await;
        assert_eq!(here, unlimited_elsewhere.answer(query, &variables).await);
    });
}

/// Names whose descriptions speak of rewards and that give nothing of them away.
const HARMLESS: &[&str] = &[
    "Action.currency",
    "Action.eligibility",
    "Action.paid",
    "ActionFilter.currency",
    "ActionFilter.paid",
    "ActionState.paid",
    "AdSpace.userSubidSlot",
    "AdjustmentKind.BONUS",
    "AffiliateLinkKind.EXISTING",
    "AffiliateLinkKind.HOT",
    "Earnings.info",
    "Limits.reportActions",
    "MetricDefinition.dimensions",
    "Mutation.retryRejectedRecords",
    "ProductRulesInput.currency",
    "ReportDimension.CURRENCY",
    "ReportFilter.currency",
    "ReportValues.clicks",
    "ReportValues.views",
    "TrafficTargetConnection.baseApprovalRate",
];

#[test]
fn a_key_without_rewards_is_told_of_none() {
    block_on(async {
        let full = World::new(2).await;
        let drafts: Vec<ActionDraft> = Plain::all()
            .iter()
            .flat_map(|plain| plain.drafts(true))
            .collect();
        full.apply(0, &drafts).await;
        let limits = Limits {
            hide_reward: true,
            hide_user_keys: true,
            ..Limits::default()
        };
        let api = Api::limited(&full, 0, limits);
        for query in [
            "{ actions { nodes { id orderAmount { amount } } } }",
            "{ users { nodes { id firstSeenAt } } }",
        ] {
            api.data(query, &json!({})).await;
        }
        for query in [
            "{ actions { nodes { reward { amount } } } }",
            "{ actions { ...A } } fragment A on ActionConnection { totals { reward { amount } } }",
            "{ actions { nodes { subid1 } } }",
            "{ actions(filter: {subid1: {eq: \"user 3\"}}) { totalCount } }",
            "{ users { nodes { value } } }",
            "{ actions(filter: {user: {value: {startsWith: \"u\"}}}) { totalCount } }",
            "{ previewSegment(rule: {users: {members: {values: [\"user 3\"]}}}) { size } }",
            "{ previewSegment(rule: {users: {members: {csv: \"user 3\"}}}) { size } }",
            "{ actions(filter: {reward: {gt: \"1\"}}) { totalCount } }",
            "{ topSellingProducts(range: {preset: THIS_YEAR}, by: REWARD, currency: \"USD\") { nodes { units } } }",
        ] {
            let answer = api.answer(query, &json!({})).await;
            let told = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(told, "FORBIDDEN", "{query}\n{answer:#}");
            assert!(answer.get("data").is_none());
        }
        // What accounts are paid tells of rewards; segments that people made are not there.
        let segment = Kind::Segment.id(Uuid::from_u128(1)).to_string();
        let of_segment =
            format!("{{ users(filter: {{segment: {{in: [\"{segment}\"]}}}}) {{ totalCount }} }}");
        for (query, code) in [
            ("{ adjustments { nodes { id } } }", "FORBIDDEN"),
            (&of_segment, "BAD_USER_INPUT"),
        ] {
            let answer = api.answer(query, &json!({})).await;
            assert_eq!(
                answer["errors"][0]["extensions"]["code"], code,
                "{answer:#}"
            );
        }
        // In variables: filters, and an order by a hidden key.
        let of_filter = "query($v: ActionFilter) { actions(filter: $v) { totalCount } }";
        let of_order = "query($v: [ActionOrder!]) { actions(orderBy: $v) { nodes { id } } }";
        for (query, value) in [
            (of_filter, json!({ "subid1": { "eq": "user 3" } })),
            (
                of_filter,
                json!({ "not": { "and": [{ "reward": { "gt": "1" } }] } }),
            ),
            (of_order, json!([{ "field": "REWARD" }])),
        ] {
            let answer = api.answer(query, &json!({ "v": value })).await;
            let code = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(code, "FORBIDDEN", "{value}");
        }
    });
}

#[test]
fn every_name_that_speaks_of_rewards_is_hidden_or_known_to_be_harmless() {
    use actiongraph::graphql::Hides;
    block_on(async {
        let world = World::new(1).await;
        let api = Api::of(&world, 0);
        let query = "{ __schema { types { name fields { name description } inputFields { name description } \
                     enumValues { name description } } } }";
        let data = api.data(query, &json!({})).await;
        let hides = Hides {
            reward: true,
            user_keys: true,
        };
        let mut open = Vec::new();
        for ty in data["__schema"]["types"].as_array().unwrap() {
            let owner = ty["name"].as_str().unwrap();
            if owner.starts_with("Key") {
                // What a key is limited to is no secret to its holder.
                continue;
            }
            for list in ["fields", "inputFields", "enumValues"] {
                for one in ty[list].as_array().into_iter().flatten() {
                    let name = one["name"].as_str().unwrap();
                    let text = one["description"]
                        .as_str()
                        .unwrap_or_default()
                        .to_lowercase();
                    let speaks = ["reward", "commission", "subid", "sub id"]
                        .iter()
                        .any(|word| text.contains(word));
                    let coordinate = format!("{owner}.{name}");
                    if speaks
                        && !hides.hides(owner, name)
                        && !HARMLESS.contains(&coordinate.as_str())
                    {
                        open.push(format!("{coordinate}: {text}"));
                    }
                }
            }
        }
        assert!(
            open.is_empty(),
            "hide these, or note that they are harmless:\n{}",
            open.join("\n")
        );
    });
}

#[test]
fn every_table_has_a_rule() {
    block_on(async {
        let (store, url) = fresh_store().await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the list of tables is read past the room that opens connections, which is under test"
        )]
        let db = Database::connect(&url).await.unwrap();
        let query = match db.get_database_backend() {
            DbBackend::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            }
            _ => {
                "SELECT CAST(table_name AS text) AS name FROM information_schema.tables WHERE table_schema = current_schema()"
            }
        };
        let rows = db
            .query_all_raw(Statement::from_string(db.get_database_backend(), query))
            .await
            .unwrap();
        let stored: BTreeSet<String> = rows
            .iter()
            .map(|row| row.try_get::<String>("", "name").unwrap())
            .filter(|name| name != "seaql_migrations")
            .collect();
        let ruled: BTreeSet<String> = tables_with_a_rule().map(str::to_owned).collect();
        assert_eq!(
            stored, ruled,
            "store::walls decides what a key with limits sees of each table"
        );
        store.close().await;
    });
}
