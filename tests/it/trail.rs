//! The trail of what was done: each change that it tells of stands in it once, with who made it, when, to what and in which
//! words; what was refused or changed nothing is not in it; it has no secret; and it is its publisher's alone.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::server::{Running, key_of, running, secret};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::scope::{KeyScope, WriteScope};
use actiongraph::store::apply::names::{Named, name};
use actiongraph::store::postback_secrets;

const BASE: &str = "https://ad.admitad.com/g/0123456789abcdef0123456789abcd/";

/// Two actions of an ad space, and one without a reward, which is rejected.
fn page() -> String {
    let action = |number: u64, payment: Value| {
        json!({
            "id": number, "action_id": number, "order_id": number.to_string(), "advcampaign_id": 6115,
            "advcampaign_name": "AliExpress WW", "website_id": 501, "website_name": "My blog", "status": "pending",
            "currency": "USD", "payment": payment, "subid1": "u1", "action_date": "2024-03-05 13:30:00",
        })
    };
    json!({ "results": [action(1, json!("1.50")), action(2, json!("2.50")), action(3, Value::Null)] }).to_string()
}

struct Ids {
    space: String,
    program: String,
    run: String,
}

async fn prepared(server: &Running) -> Ids {
    let request = server.client.post(server.at("/import?wait=true"));
    let request = request.bearer_auth(&server.keys[0]).body(page());
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["run"]["counts"]["rejected"], 1, "{answer}");
    let data = server
        .data(
            0,
            "{ adSpaces { nodes { id } } programs { nodes { id externalId } } }",
        )
        .await;
    let programs = data["programs"]["nodes"].as_array().unwrap();
    let program = programs
        .iter()
        .find(|program| program["externalId"] == "6115")
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Ids {
        space: text(&data["adSpaces"]["nodes"][0]["id"]),
        program: text(&program["id"]),
        run: text(&answer["run"]["id"]),
    }
}

/// The trail, the latest first.
async fn trail(server: &Running, place: usize) -> Vec<Value> {
    let query =
        "{ auditTrail(first: 100) { totalCount nodes { at actor address act subject detail } } }";
    let mut data = server.data(place, query).await;
    let nodes = data["auditTrail"]["nodes"].take();
    let nodes = nodes.as_array().unwrap().clone();
    assert_eq!(data["auditTrail"]["totalCount"], nodes.len(), "{nodes:#?}");
    nodes
}

/// What a change answers, which has no errors.
async fn done(server: &Running, change: &str) -> Value {
    let mut data = server
        .data(0, &format!("mutation {{ done: {change} }}"))
        .await;
    let done = data["done"].take();
    assert_eq!(done["userErrors"], json!([]), "{change}\n{done:#}");
    done
}

fn create(name: &str) -> String {
    format!(
        "createSegment(name: \"{name}\", rule: {{users: {{metric: {{metric: ACTIONS, atLeast: \"1\"}}}}}}) {SEGMENT}"
    )
}

const SEGMENT: &str = "{ segment { id version } userErrors { code message } }";

fn link(change: &str, ids: &Ids, more: &str) -> String {
    let (space, program) = (&ids.space, &ids.program);
    format!(
        "{change}(adSpace: {space:?}, program: {program:?}{more}) {{ userErrors {{ code message }} }}"
    )
}

fn users(ids: &Ids, slot: i64) -> String {
    format!(
        "updateAdSpaceUsers(adSpace: {:?}, userSubidSlot: {slot}) {{ userErrors {{ code message }} }}",
        ids.space
    )
}

fn settings(version: i64) -> String {
    format!(
        "updateSegmentSettings(version: \"{version}\", monetaryCurrency: \"EUR\") {{ userErrors {{ code message }} }}"
    )
}

fn retry(ids: &Ids, records: &str) -> String {
    format!(
        "retryRejectedRecords(run: {:?}, {records}) {{ userErrors {{ code message }} }}",
        ids.run
    )
}

fn list(change: &str, ids: &str) -> String {
    format!(
        "{change}PriorityProducts(products: {{externalIds: {ids}}}) {{ changed userErrors {{ code message }} }}"
    )
}

/// What the trail has to say of a change: the act, its subject, and a part of its words.
type Told = (&'static str, String, &'static str);

/// Every kind of change of a key.
async fn changes_of_keys(server: &Running) -> Vec<Told> {
    let mut told = Vec::new();
    let made = done(
        server,
        "createApiKey(input: {label: \"dash\"}) { apiKey { prefix } userErrors { message } }",
    )
    .await;
    let key = made["apiKey"]["prefix"].as_str().unwrap().to_owned();
    told.push(("KEY_CREATED", key.clone(), "scopes read"));
    for (act, change, words) in [
        (
            "KEY_UPDATED",
            "updateApiKey(key: KEY, input: {scopes: [READ, IMPORT]})",
            "import",
        ),
        (
            "KEY_ROTATED",
            "rotateApiKey(key: KEY)",
            "the old secret is taken until",
        ),
        ("KEY_REVOKED", "revokeApiKey(key: KEY)", ""),
    ] {
        let change = change.replace("KEY", &format!("{key:?}"));
        done(server, &format!("{change} {{ userErrors {{ message }} }}")).await;
        told.push((act, key.clone(), words));
    }
    told
}

/// Every other kind of change.
async fn changes(server: &Running, ids: &Ids) -> Vec<Told> {
    let mut told = changes_of_keys(server).await;
    let made = done(server, &create("Buyers")).await;
    let segment = made["segment"]["id"].as_str().unwrap().to_owned();
    told.push(("SEGMENT_CREATED", segment.clone(), "\"Buyers\", version 1"));
    done(server, &format!("updateSegment(id: {segment:?}, expectedVersion: 1, name: \"Users\", description: \"x\") {SEGMENT}")).await;
    told.push((
        "SEGMENT_UPDATED",
        segment.clone(),
        "\"Users\", version 2: name, description",
    ));
    let frozen = done(
        server,
        &format!("freezeSegment(id: {segment:?}, name: \"Then\") {SEGMENT}"),
    )
    .await;
    let frozen = frozen["segment"]["id"].as_str().unwrap().to_owned();
    told.push(("SEGMENT_FROZEN", frozen, "\"Then\""));
    for (act, change) in [
        ("SEGMENT_ARCHIVED", "archiveSegment"),
        ("SEGMENT_RESTORED", "restoreSegment"),
    ] {
        done(server, &format!("{change}(id: {segment:?}) {SEGMENT}")).await;
        told.push((act, segment.clone(), "\"Users\""));
    }
    done(server, &settings(0)).await;
    told.push((
        "SEGMENT_SETTINGS_UPDATED",
        "segmentSettings".to_owned(),
        "version 1: monetaryCurrency",
    ));
    done(
        server,
        &link("setDeeplink", ids, &format!(", base: {BASE:?}")),
    )
    .await;
    told.push(("DEEPLINK_SET", ids.space.clone(), BASE));
    done(server, &link("removeDeeplink", ids, "")).await;
    told.push((
        "DEEPLINK_REMOVED",
        ids.space.clone(),
        "program \"AliExpress WW\"",
    ));
    done(server, &users(ids, 2)).await;
    told.push((
        "AD_SPACE_USERS_UPDATED",
        ids.space.clone(),
        "\"My blog\": subid2, user space \"default\"",
    ));
    done(server, &list("set", "[\"1\", \"2\"]")).await;
    told.push((
        "PRIORITY_PRODUCTS_CHANGED",
        "priorityProducts".to_owned(),
        "set 2; 2 changed, 2 awaited",
    ));
    done(server, &retry(ids, "records: [{ordinal: 0, json: \"{}\"}]")).await;
    told.push(("RECORDS_RETRIED", ids.run.clone(), "1 of them corrected"));
    told
}

/// What the command line does: there is no other way to it.
async fn on_the_command_line(server: &Running, ids: &Ids) -> Vec<Told> {
    let one = &server.publishers[0];
    let made = secret(&server.store, one, Some("blog"), server.now()).await;
    let prefix = made[3..11].to_owned();
    let note = Administrator::command_line(one.id, server.now())
        .note()
        .unwrap();
    let scope = WriteScope::for_entrance(one.id);
    assert!(
        postback_secrets::revoke(&server.store, scope, &prefix, &note)
            .await
            .unwrap()
    );
    let note = Administrator::command_line(one.id, server.now())
        .note()
        .unwrap();
    let named = name(&server.store, scope, ("501", "Old blog"), &note).await;
    let leads_here = true;
    assert_eq!(
        named.unwrap(),
        Named::Added {
            moved: 0,
            leads_here
        }
    );
    vec![
        (
            "AD_SPACE_NAMED",
            ids.space.clone(),
            "\"My blog\": also \"Old blog\"",
        ),
        (
            "POSTBACK_SECRET_CREATED",
            prefix.clone(),
            "test; ad space \"blog\"",
        ),
        ("POSTBACK_SECRET_REVOKED", prefix, ""),
    ]
}

/// All acts that the schema has.
async fn acts(server: &Running) -> BTreeSet<String> {
    let listed = server
        .data(0, "{ __type(name: \"AuditAct\") { enumValues { name } } }")
        .await;
    let values = listed["__type"]["enumValues"].as_array().unwrap();
    values
        .iter()
        .map(|value| value["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn whatever_is_done_stands_in_the_trail_once_and_is_its_publishers_alone() {
    let server = running("budget_capacity = 0").await;
    let ids = prepared(&server).await;
    let before = [trail(&server, 0).await.len(), trail(&server, 1).await.len()];
    server.clock.advance(Duration::from_secs(60));
    let by_callers = changes(&server, &ids).await;
    server.clock.advance(Duration::from_secs(60));
    let told = [by_callers.clone(), on_the_command_line(&server, &ids).await].concat();

    let met: BTreeSet<String> = told.iter().map(|(act, ..)| (*act).to_owned()).collect();
    assert_eq!(
        met,
        acts(&server).await,
        "each act of the schema is met here"
    );
    let mut found = trail(&server, 0).await;
    found.truncate(found.len() - before[0]);
    assert_eq!(found.len(), told.len(), "{found:#?}");
    // Entries of one moment are in no order that anybody would rely on.
    for (act, subject, words) in &told {
        let own: Vec<&Value> = found.iter().filter(|entry| entry["act"] == *act).collect();
        let [entry] = own.as_slice() else {
            panic!("{act}: {own:#?}")
        };
        assert_eq!(entry["subject"], *subject, "{entry:#}");
        let detail = entry["detail"].as_str().unwrap();
        assert!(
            detail.contains(words) && detail.is_empty() == words.is_empty(),
            "{entry:#}"
        );
        let is_of_caller = by_callers.iter().any(|(other, ..)| other == act);
        if is_of_caller {
            assert_eq!(entry["at"], "2024-10-04T00:01:00Z", "{entry:#}");
            assert_eq!(
                entry["actor"],
                format!("key {} (test)", &server.keys[0][3..11])
            );
            assert_eq!(entry["address"], "127.0.0.1", "{entry:#}");
        } else {
            assert_eq!(entry["at"], "2024-10-04T00:02:00Z", "{entry:#}");
            assert_eq!(entry["actor"], "the command line");
            assert_eq!(entry["address"], Value::Null);
        }
    }
    let text = json!(found).to_string();
    for secret in server.keys.iter().chain(&server.secrets) {
        assert!(!text.contains(&secret[12..]), "a secret is told");
    }
    // What imports did is told by their runs, and nothing of all this to anybody else.
    assert_eq!(trail(&server, 1).await.len(), before[1]);
    let limited = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Read, KeyScope::Segments],
        server.now(),
    )
    .await;
    let refused = server
        .ask(&limited, "{ auditTrail { nodes { act } } }")
        .await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
}

fn of_id(change: &str, segment: &str, more: &str) -> String {
    format!("{change}(id: {segment:?}{more}) {SEGMENT}")
}

/// Changes that are refused, each for its own reason.
fn refusals(ids: &Ids, segment: &str) -> Vec<String> {
    let of_id = |change: &str, more: &str| of_id(change, segment, more);
    vec![
        create("BUYERS"),
        create(""),
        of_id("updateSegment", ", expectedVersion: 7, name: \"x\""),
        of_id("archiveSegment", ""),
        of_id("freezeSegment", ", name: \"Buyers\""),
        of_id("restoreSegment", ", expectedVersion: 7"),
        settings(3),
        link("setDeeplink", ids, ", base: \"http://evil.example/\""),
        users(ids, 7),
        list("set", "[\"\"]"),
        retry(ids, "records: [{ordinal: 9}]"),
        retry(
            &Ids {
                run: ids.space.clone(),
                space: String::new(),
                program: String::new(),
            },
            "all: true",
        ),
    ]
}

#[tokio::test]
async fn what_is_refused_or_changes_nothing_leaves_no_entry() {
    let server = running("budget_capacity = 0").await;
    let ids = prepared(&server).await;
    let made = done(&server, &create("Buyers")).await;
    let segment = made["segment"]["id"].as_str().unwrap();
    let naming = format!(
        "createSegment(name: \"naming\", rule: {{users: {{segment: {{in: [{segment:?}]}}}}}}) {SEGMENT}"
    );
    done(&server, &naming).await;
    done(
        &server,
        &link("setDeeplink", &ids, &format!(", base: {BASE:?}")),
    )
    .await;
    done(&server, &users(&ids, 3)).await;
    done(&server, &list("set", "[\"1\"]")).await;
    let before = trail(&server, 0).await;
    let of_id = |change: &str, more: &str| of_id(change, segment, more);
    let refused = refusals(&ids, segment);
    for change in &refused {
        let data = server
            .data(0, &format!("mutation {{ done: {change} }}"))
            .await;
        assert_ne!(data["done"]["userErrors"], json!([]), "{change}");
    }
    // As it was before: nothing is wrong, and nothing was done.
    for same in [
        of_id("restoreSegment", ""),
        link("setDeeplink", &ids, &format!(", base: {BASE:?}")),
        users(&ids, 3),
        list("add", "[\"1\"]"),
    ] {
        done(&server, &same).await;
    }
    // Who may not, and who is somebody else.
    let reader = key_of(
        &server.store,
        &server.publishers[0],
        &[KeyScope::Read],
        server.now(),
    )
    .await;
    let made = trail(&server, 0).await.len();
    for change in refused.iter().chain([
        &link("removeDeeplink", &ids, ""),
        &of_id("archiveSegment", ""),
    ]) {
        let answer = server
            .ask(&reader, &format!("mutation {{ done: {change} }}"))
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "FORBIDDEN",
            "{change}: {answer}"
        );
        let answer = server
            .ask(&server.keys[1], &format!("mutation {{ done: {change} }}"))
            .await;
        let is_own = change.contains("createSegment")
            || change.contains("PriorityProducts")
            || change.contains("Settings");
        assert!(
            is_own || answer["data"]["done"]["userErrors"][0]["code"] == "NOT_FOUND",
            "{change}: {answer}"
        );
    }
    let after = trail(&server, 0).await;
    assert_eq!(after.len(), made);
    // All that came to it is the key that the test made itself.
    let new: Vec<&Value> = after
        .iter()
        .filter(|entry| !before.contains(entry))
        .collect();
    assert_eq!(new.len(), 1, "{new:#?}");
    assert_eq!(new[0]["act"], "KEY_CREATED");
}
