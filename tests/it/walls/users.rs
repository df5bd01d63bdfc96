//! A key that may not know by which values users are known is shown no id that is made of them: none of what is stored
//! stands in any of its answers, however it is written, and what it is shown works wherever an id does.

use super::{EVERYTHING, Plain, bring_clicks, said};
use crate::support::api::Api;
use crate::support::asking::Asking;
use crate::support::furnish;
use crate::support::world::{World, block_on};
use actiongraph::access::user_ids::UserIds;
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::id::{Kind, derive};
use actiongraph::domain::limits::Limits;
use actiongraph::graphql::Hides;
use actiongraph::graphql::id::{IdOf, read};
use actiongraph::store::Store;
use actiongraph::store::publishers::user_ids_secret;
use async_graphql::ID;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// All that happened, of every kind that a limited key can see.
async fn world() -> World {
    let world = World::new(2).await;
    let all = Plain::all();
    let drafts: Vec<ActionDraft> = all.iter().flat_map(|plain| plain.drafts(true)).collect();
    for place in 0..2 {
        world.apply(place, &drafts).await;
        bring_clicks(&world, place, &all.iter().collect::<Vec<_>>()).await;
        furnish::settings(&world, place, &[]).await;
    }
    world
}

/// Members of a segment, and users that went from one to another: further down than other questions go.
const MEMBERS: &str = "{ previewSegment(rule: {users: {metric: {metric: ACTIONS, atLeast: 1, period: {last: {count: 400, \
     unit: DAY}}}}}) { sample { user { id } reasons { actual } } } }";
const MOVED: &str = "{ userSegmentMovement { steps(first: 20) { nodes { users(first: 20) { edges { cursor node { user { id } } } \
     } } } } }";

fn limits() -> Limits {
    Limits {
        hide_user_keys: true,
        ..Limits::default()
    }
}

/// The ids of the publisher's users as they are stored.
async fn stored(world: &World, place: usize) -> BTreeSet<Uuid> {
    let users = world.rows::<entity::user::Entity>(place).await;
    users.into_iter().map(|row| row.id).collect()
}

/// The ids of all users that a caller is shown, in the order of the list.
async fn shown(api: &Api) -> Vec<String> {
    let data = api
        .data("{ users(first: 100) { nodes { id } } }", &json!({}))
        .await;
    texts_of(&data["users"]["nodes"], "id")
}

fn texts_of(rows: &Value, field: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row[field].as_str().unwrap().to_owned())
        .collect()
}

/// Every text of an answer, names of fields among them.
fn texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            into.push(name);
            texts(field, into);
        }),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::String(text) => into.push(text),
        _ => {}
    }
}

/// The ids that stand in some bytes: as bytes, or as text in one of the ways that UUIDs are written.
fn ids_in(bytes: &[u8], ids: &BTreeSet<Uuid>, found: &mut BTreeSet<Uuid>) {
    let windows = bytes.windows(16);
    let ids_of_bytes = windows.map(|window| Uuid::from_slice(window).unwrap());
    found.extend(ids_of_bytes.filter(|id| ids.contains(id)));
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let ids_of_text = digits
        .windows(32)
        .filter_map(|window| Uuid::try_parse_ascii(window).ok());
    found.extend(ids_of_text.filter(|id| ids.contains(id)));
}

/// Those of the ids that stand in an answer: in its texts, and in what these say in base64.
fn told(answer: &Value, ids: &BTreeSet<Uuid>) -> BTreeSet<Uuid> {
    let (mut all, mut found) = (Vec::new(), BTreeSet::new());
    texts(answer, &mut all);
    for text in all {
        ids_in(text.as_bytes(), ids, &mut found);
        for decoded in [URL_SAFE_NO_PAD.decode(text), STANDARD.decode(text)] {
            ids_in(&decoded.unwrap_or_default(), ids, &mut found);
        }
    }
    found
}

#[test]
fn no_answer_holds_a_stored_id_of_a_user() {
    block_on(async {
        let world = world().await;
        let ids = stored(&world, 0).await;
        assert!(ids.len() > 5, "{} users", ids.len());
        let (whole, limited) = (Api::of(&world, 0), Api::limited(&world, 0, limits()));
        let mut asking = Asking::of(&whole).await;
        let some = "{ products(first: 1) { nodes { id } } users(first: 2) { nodes { id } } actions(first: 1) { nodes { id } } }";
        let mut found = BTreeSet::new();
        super::ids(&limited.data(some, &json!({})).await, &mut found);
        asking.ids = found.into_iter().collect();
        asking.texts = vec!["user 3".to_owned()];
        asking.hides = Hides {
            reward: false,
            user_keys: true,
        };
        // What the caller is shown in the place of these ids.
        let secret = user_ids_secret(&world.store, world.publishers[0].id).await;
        let user_ids = UserIds::hidden_by(&secret.unwrap().unwrap());
        let instead: BTreeSet<Uuid> = ids.iter().map(|id| user_ids.shown(*id)).collect();
        let mut asked: Vec<(String, String)> = Vec::new();
        for field in asking.root_fields() {
            let own = asking.branches(&field).into_iter();
            let own = own.chain(asking.arguments(&field));
            asked.extend(own.map(|query| (field.clone(), query)));
        }
        let further = asking.every_field().into_iter().chain(asking.below());
        asked.extend(further.map(|query| (super::root_of(&query).to_owned(), query)));
        let nodes = asking
            .ids
            .iter()
            .map(|id| format!("{{ node(id: \"{id}\") {{ id }} }}"));
        let more = nodes.chain([EVERYTHING, MEMBERS, MOVED].map(str::to_owned));
        asked.extend(more.map(|query| (super::root_of(&query).to_owned(), query)));
        let (mut wrong, mut shown) = (Vec::new(), BTreeMap::<String, usize>::new());
        for (field, query) in asked {
            let answer = said(limited.answer(&query, &json!({})).await);
            if !told(&answer, &ids).is_empty() {
                wrong.push(format!("{query}\nsays {answer}"));
            }
            *shown.entry(field).or_default() += usize::from(!told(&answer, &instead).is_empty());
        }
        let count = wrong.len();
        wrong.truncate(6);
        assert_eq!(count, 0, "{}", wrong.join("\n\n"));
        for field in asking.root_fields() {
            assert!(shown.contains_key(&field), "{field} was not asked for");
        }
        // The answers hold users, and the search finds them.
        for field in ["users", "actions", "userSegments", "previewSegment", "node"] {
            assert!(shown[field] > 0, "{field} shows no user: {shown:?}");
        }
        let answer = whole.answer(EVERYTHING, &json!({})).await;
        assert!(told(&answer, &ids).len() > 5, "{answer}");
        let cursors = "{ users(first: 5) { edges { cursor } } }";
        let answer = whole.answer(cursors, &json!({})).await;
        assert_eq!(told(&answer, &ids).len(), 5, "{answer}");
    });
}

#[test]
fn what_is_shown_works_wherever_an_id_does() {
    block_on(async {
        let world = world().await;
        let (whole, limited) = (Api::of(&world, 0), Api::limited(&world, 0, limits()));
        let ids = shown(&limited).await;
        let query = "query($id: ID!, $ids: [ID!]!) { node(id: $id) { __typename id } nodes(ids: $ids) { id } \
                     users(filter: {id: {in: $ids}}, first: 100) { totalCount nodes { id } } \
                     one: users(filter: {id: {eq: $id}}) { nodes { id } } \
                     others: users(filter: {id: {notIn: $ids}}) { totalCount } \
                     actions(filter: {user: {id: {eq: $id}}}) { totalCount nodes { user { id } } } \
                     previewSegment(rule: {users: {members: {ids: $ids}}}, sampleSize: 100) { size warnings { message } \
                     sample { user { id } } } }";
        for id in &ids {
            let data = limited.data(query, &json!({ "id": id, "ids": ids })).await;
            assert_eq!(data["node"], json!({ "__typename": "User", "id": id }));
            assert_eq!(texts_of(&data["nodes"], "id"), ids);
            assert_eq!(data["users"]["totalCount"], ids.len());
            assert_eq!(texts_of(&data["users"]["nodes"], "id"), ids);
            assert_eq!(data["one"]["nodes"], json!([{ "id": id }]));
            assert_eq!(data["others"]["totalCount"], 0);
            let actions = data["actions"]["nodes"].as_array().unwrap();
            assert!(!actions.is_empty());
            for action in actions {
                assert_eq!(action["user"]["id"], *id);
            }
            let preview = &data["previewSegment"];
            assert_eq!(
                (&preview["size"], &preview["warnings"]),
                (&json!(ids.len()), &json!([]))
            );
            let members = preview["sample"].as_array().unwrap().iter();
            let members: BTreeSet<&str> = members
                .map(|one| one["user"]["id"].as_str().unwrap())
                .collect();
            assert_eq!(members, ids.iter().map(String::as_str).collect());
        }
        // What is computed from a value, or was shown to somebody else, is nobody's.
        let value = &world.rows::<entity::user::Entity>(0).await[0];
        let natural_key = format!("{}\0{}", value.user_space, value.value);
        let computed = derive(world.publishers[0].id, Kind::User, &natural_key);
        assert_eq!(computed, value.id, "users' ids are made so");
        let computed = IdOf::User.id(computed, &UserIds::as_stored());
        let elsewhere = shown(&Api::limited(&world, 1, limits())).await;
        let foreign = [computed.as_str(), &elsewhere[0]];
        let query = "query($id: ID!) { node(id: $id) { id } users(filter: {id: {eq: $id}}) { totalCount } \
                     actions(filter: {user: {id: {eq: $id}}}) { totalCount } \
                     previewSegment(rule: {users: {members: {ids: [$id]}}}) { size } }";
        for id in foreign {
            let data = limited.data(query, &json!({ "id": id })).await;
            let nobody = json!({ "node": null, "users": { "totalCount": 0 }, "actions": { "totalCount": 0 },
                                 "previewSegment": { "size": 0 } });
            assert_eq!(data, nobody, "{id}");
        }
        let data = whole.data(query, &json!({ "id": foreign[0] })).await;
        assert_eq!(data["node"]["id"], foreign[0]);
        let data = whole.data(query, &json!({ "id": ids[0] })).await;
        assert_eq!(data["node"], Value::Null);
        // Nor may values be asked for.
        let query = "query($values: [String!]) { previewSegment(rule: {users: {members: {values: $values}}}) { size } }";
        let answer = limited
            .answer(query, &json!({ "values": [value.value] }))
            .await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    });
}

/// All users of a list, page by page, forwards and backwards.
async fn both_ways(api: &Api, list: &str, at: &str) -> [Vec<String>; 2] {
    let mut ways = Vec::new();
    for (size, from, more, end) in [
        ("first", "after", "hasNextPage", "endCursor"),
        ("last", "before", "hasPreviousPage", "startCursor"),
    ] {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = format!("{size}: 2, {from}: $c");
            let query = format!("query($c: String) {}", list.replace("PAGE", &page));
            let data = api.data(&query, &json!({ "c": cursor })).await;
            let page = data.pointer(at).unwrap();
            let nodes = page["nodes"].as_array().unwrap().iter();
            let of = |node: &Value| {
                let user = node.get("user").unwrap_or(node);
                user["id"].as_str().unwrap().to_owned()
            };
            let mut ids: Vec<String> = nodes.map(of).collect();
            if size == "last" {
                ids.reverse();
            }
            all.extend(ids);
            if page["pageInfo"][more] != true {
                break;
            }
            cursor = page["pageInfo"][end].clone();
            assert!(all.len() < 200, "{list} does not end");
        }
        ways.push(all);
    }
    ways[1].reverse();
    ways.try_into().unwrap()
}

#[test]
fn pages_follow_each_other_by_cursors_without_ids() {
    const INFO: &str = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";
    block_on(async {
        let world = world().await;
        let limited = Api::limited(&world, 0, limits());
        let everybody: BTreeSet<String> = shown(&limited).await.into_iter().collect();
        let users =
            |arguments: &str| format!("{{ users({arguments} PAGE) {{ nodes {{ id }} {INFO} }} }}");
        let segments = format!(
            "{{ userSegments(range: {{preset: THIS_YEAR}}, segments: [NEW]) {{ nodes {{ users(PAGE) {{ nodes {{ user {{ id }} }} \
             {INFO} }} }} }} }}"
        );
        let lists = [
            (users(""), "/users"),
            (
                users("orderBy: [{field: FIRST_SEEN_AT, direction: ASC}],"),
                "/users",
            ),
            (segments, "/userSegments/nodes/0/users"),
        ];
        for (list, at) in lists {
            let [forwards, backwards] = both_ways(&limited, &list, at).await;
            assert_eq!(forwards, backwards, "{list}");
            let found: BTreeSet<String> = forwards.iter().cloned().collect();
            assert_eq!(found.len(), forwards.len(), "{list}");
            assert!(found.len() > 5 && found.is_subset(&everybody), "{list}");
        }
    });
}

/// Where the id stands in a cursor, behind its version and its order.
const PLACE: std::ops::Range<usize> = 5..21;

/// A cursor tells in which direction its row lies of any other: with an id that was put into it, the list would say how a stored
/// id compares with what such a caller knows.
#[test]
fn a_cursor_with_an_id_from_elsewhere_is_refused() {
    block_on(async {
        let world = world().await;
        let limited = Api::limited(&world, 0, limits());
        let pages = "{ users(first: 100) { edges { cursor node { id } } }
                       seen: users(first: 100, orderBy: [{field: FIRST_SEEN_AT, direction: ASC}]) { edges { cursor } }
                       actions(first: 2) { edges { cursor } } products(first: 2) { edges { cursor } } }";
        let data = limited.data(pages, &json!({})).await;
        let cursors = |list: &str| texts_of(&data[list]["edges"], "cursor");
        let bytes = |cursor: &String| URL_SAFE_NO_PAD.decode(cursor).unwrap();
        let ask = async |list: &str, cursor: &[u8]| {
            let query =
                format!("query($c: String) {{ {list}(first: 1, after: $c) {{ nodes {{ id }} }} }}");
            let cursor = URL_SAFE_NO_PAD.encode(cursor);
            limited.answer(&query, &json!({ "c": cursor })).await
        };
        let shown: Vec<Uuid> = data["users"]["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| key_of(edge["node"]["id"].as_str().unwrap()))
            .collect();
        let of_cursors = ["users", "seen"].map(|list| -> Vec<Uuid> {
            let ids = cursors(list)
                .iter()
                .map(|cursor| bytes(cursor)[PLACE].to_vec())
                .collect::<Vec<_>>();
            ids.iter().map(|id| Uuid::from_slice(id).unwrap()).collect()
        });
        // One user has an id for itself, and another one in each order.
        assert!(shown.len() > 5);
        let all: BTreeSet<&Uuid> = shown.iter().chain(of_cursors.iter().flatten()).collect();
        assert_eq!(all.len(), 3 * shown.len());
        for list in ["users", "actions", "products"] {
            let own = bytes(&cursors(list)[0]);
            let answer = ask(list, &own).await;
            assert_eq!(answer.get("errors"), None, "{answer}");
            for id in &all {
                let mut made = own.clone();
                made[PLACE].copy_from_slice(id.as_bytes());
                if made == own {
                    continue;
                }
                let answer = ask(list, &made).await;
                let error = &answer["errors"][0];
                assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
                let told = error["message"].as_str().unwrap();
                assert!(told.contains("not a cursor of this list"), "{told}");
            }
            // Nor is one taken whose end was cut off, or that another list gave.
            let (short, _) = own.split_at(own.len() - 16);
            for foreign in [short, bytes(&cursors("seen")[0]).as_slice()] {
                let answer = ask(list, foreign).await;
                assert_eq!(
                    answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
                    "{list}: {answer}"
                );
            }
        }
    });
}

#[test]
fn ids_are_the_same_at_all_servers_and_others_for_other_publishers() {
    block_on(async {
        let world = world().await;
        let publishers = [world.publishers[0].id, world.publishers[1].id];
        assert_eq!(
            user_ids_secret(&world.store, publishers[0]).await.unwrap(),
            None
        );
        // Both are the first to need the secret.
        let second = Store::open(&world.url).await.unwrap();
        let here = Api::limited(&world, 0, limits());
        let there = Api::limited(&world, 0, limits()).at(&second);
        let (one, other) = tokio::join!(shown(&here), shown(&there));
        assert_eq!(one, other);
        // A server that starts later, and a key that is limited in other ways, too.
        let later = Api::limited(&world, 0, limits()).at(&second);
        assert_eq!(shown(&later).await, one);
        let more = Limits {
            ad_spaces: Some(vec!["501".to_owned()]),
            ..limits()
        };
        let some = shown(&Api::limited(&world, 0, more.clone())).await;
        assert!(!some.is_empty() && some.iter().all(|id| one.contains(id)));
        // Whoever may know users is shown them as they are stored.
        let ids = stored(&world, 0).await;
        let rows = Limits {
            hide_user_keys: false,
            ..more
        };
        for api in [Api::of(&world, 0), Api::limited(&world, 0, rows)] {
            let shown = shown(&api).await.into_iter();
            let shown: BTreeSet<Uuid> = shown.map(|id| key_of(&id)).collect();
            assert!(!shown.is_empty() && shown.is_subset(&ids));
        }
        assert!(one.iter().all(|id| !ids.contains(&key_of(id))));
        // Each publisher has a secret of its own.
        let _ = shown(&Api::limited(&world, 1, limits())).await;
        let mut secrets = Vec::new();
        for publisher in publishers {
            secrets.push(user_ids_secret(&second, publisher).await.unwrap().unwrap());
        }
        assert_ne!(secrets[0], secrets[1]);
    });
}

/// The key that stands in an id.
fn key_of(id: &str) -> Uuid {
    let (of, key) = read(&ID(id.to_owned()), &UserIds::as_stored()).unwrap();
    assert_eq!(of, IdOf::User);
    key
}
