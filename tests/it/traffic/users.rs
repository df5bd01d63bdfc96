//! What names the users of an ad space is chosen anew: the end is what an import with that choice would have stored.

use crate::support::api::Api;
use crate::support::drafts::{Maker, Shape, at, instant};
use crate::support::server::running;
use crate::support::world::{World, block_on};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::draft::{ActionDraft, AdSpaceRef};
use actiongraph::domain::scope::WriteScope;
use actiongraph::domain::time::Instant;
use actiongraph::store::apply::users::{Chosen, Stepped, UserRule, choose, step, waiting};
use actiongraph::store::apply::{Described, ReadRecords, describe};
use actiongraph::store::imports::{self, NewRun};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

const RUN: Uuid = Uuid::from_u128(0x7100_0000_0000_0000_8000_0000_0000_0001);

fn now() -> Instant {
    at("2026-07-05T00:00:00Z")
}

/// Actions of one state each.
fn drafts(seed: u64) -> Vec<ActionDraft> {
    let shape = Shape {
        drafts: 260,
        actions: 180,
        wild: false,
    };
    let mut seen = BTreeSet::new();
    let mut drafts = Maker::new(seed, shape).drafts();
    drafts.retain(|draft| seen.insert(draft.external_id.clone()));
    drafts
}

/// A world whose ad spaces are known, and the one to choose for.
async fn world() -> (World, Uuid) {
    let world = World::new(2).await;
    let spaces = ["501", "502", "503"].map(|id| AdSpaceRef {
        external_id: Some(id.to_owned()),
        name: (id == "501").then(|| "My Blog".to_owned()),
    });
    let run = NewRun {
        id: Uuid::from_u128(0x7100_0000_0000_0000_8000_0000_0000_0099),
        entrance: "API",
        name: "spaces".to_owned(),
        started_at: at("2026-01-01T00:00:00Z"),
        as_of: at("2026-01-01T00:00:00Z"),
    };
    imports::begin(&world.store, world.write(0), &run)
        .await
        .unwrap();
    let described = Described {
        ad_spaces: &spaces,
        programs: &[],
        records: ReadRecords {
            run_id: run.id,
            read: 3,
            rejects: &[],
            rejected_before: 0,
        },
        sync: None,
        now: run.started_at,
    };
    describe(&world.store, world.write(0), described)
        .await
        .unwrap();
    let rows = world.rows::<entity::ad_space::Entity>(0).await;
    let blog = rows
        .iter()
        .find(|row| row.external_id.as_deref() == Some("501"));
    let id = blog.unwrap().id;
    (world, id)
}

fn rule(slot: i32, space: &str) -> UserRule {
    UserRule {
        slot,
        space: space.to_owned(),
    }
}

async fn chosen(world: &World, space: Uuid, rule: &UserRule, run: u128) -> Chosen {
    let run = NewRun {
        id: Uuid::from_u128(RUN.as_u128() + run),
        entrance: "USERS",
        name: "users".to_owned(),
        started_at: now(),
        as_of: now(),
    };
    let who = Administrator::command_line(world.publishers[0].id, now());
    let note = who.note().unwrap();
    choose(&world.store, world.write(0), space, (rule, &run), &note)
        .await
        .unwrap()
}

async fn finish(world: &World, space: Uuid, size: usize) -> usize {
    let mut steps = 1;
    while step(&world.store, world.write(0), space, size, now())
        .await
        .unwrap()
        == Stepped::On
    {
        steps += 1;
    }
    steps
}

/// What an import after the choice stores.
async fn fresh(drafts: &[ActionDraft], rule: &UserRule, deleted: &[&str]) -> String {
    let (world, space) = world().await;
    chosen(&world, space, rule, 0).await;
    finish(&world, space, 50).await;
    world.apply(0, drafts).await;
    world.delete(0, deleted, at("2026-08-01T00:00:00Z")).await;
    world.dump(0).await
}

#[test]
fn the_end_is_a_fresh_import_with_the_choice() {
    block_on(async {
        for (seed, rule) in [
            (1, rule(2, "default")),
            (2, rule(4, "blog")),
            (3, rule(1, "blog")),
        ] {
            let drafts = drafts(seed);
            let gone = [
                drafts[3].external_id.as_str(),
                drafts[40].external_id.as_str(),
            ];
            let expected = fresh(&drafts, &rule, &gone).await;
            let (world, space) = world().await;
            world.apply(0, &drafts).await;
            world.delete(0, &gone, at("2026-08-01T00:00:00Z")).await;
            let before = world.dump(0).await;
            assert_ne!(before, expected, "the choice makes a difference");
            assert_eq!(chosen(&world, space, &rule, 0).await, Chosen::Queued(RUN));
            assert!(finish(&world, space, 37).await > 4, "it goes in steps");
            let after = world.dump(0).await;
            let differ = expected
                .lines()
                .zip(after.lines())
                .find(|(one, other)| one != other);
            assert_eq!(differ, None, "seed {seed}");
            assert_eq!(after.lines().count(), expected.lines().count());
            assert_eq!(world.drift(0).await, Vec::<String>::new());
            assert_eq!(waiting(&world.store).await.unwrap(), []);
            assert_eq!(chosen(&world, space, &rule, 1).await, Chosen::Same);
            // And back again.
            let usual = super::users::rule(1, "default");
            chosen(&world, space, &usual, 2).await;
            finish(&world, space, 2_000).await;
            assert_eq!(world.dump(0).await, before);
        }
    });
}

#[test]
fn imports_and_a_second_choice_in_the_middle_end_the_same() {
    block_on(async {
        let drafts = drafts(7);
        let rule = rule(2, "blog");
        let expected = fresh(&drafts, &rule, &[]).await;
        let (world, space) = world().await;
        let (first, second) = drafts.split_at(drafts.len() / 2);
        world.apply(0, first).await;
        chosen(&world, space, &super::users::rule(3, "elsewhere"), 5).await;
        step(&world.store, world.write(0), space, 20, now())
            .await
            .unwrap();
        // Its process is gone; another choice is made, another process goes on, and files come in meanwhile.
        chosen(&world, space, &rule, 0).await;
        step(&world.store, world.write(0), space, 20, now())
            .await
            .unwrap();
        world.apply(0, second).await;
        step(&world.store, world.write(0), space, 20, now())
            .await
            .unwrap();
        world.apply(0, first).await;
        finish(&world, space, 20).await;
        assert_eq!(world.dump(0).await, expected);
        assert_eq!(world.drift(0).await, Vec::<String>::new());
        let runs = world.rows::<entity::import_run::Entity>(0).await;
        let of = |number: u128| {
            let id = Uuid::from_u128(RUN.as_u128() + number);
            runs.iter().find(|run| run.id == id).unwrap()
        };
        assert_eq!(of(5).state, "FAILED");
        assert!(of(5).error.as_deref().unwrap().contains("another choice"));
        let done = of(0);
        assert_eq!(done.state, "SUCCEEDED");
        assert!(
            done.read_count > 0 && done.updated_count > 0 && done.updated_count <= done.read_count
        );
    });
}

/// Who is nobody any more is no member of a frozen segment either, however it is asked.
#[test]
fn a_frozen_segment_has_as_many_members_as_it_lists() {
    block_on(async {
        let mut drafts = drafts(13);
        let is_blog = |draft: &ActionDraft| {
            let space = draft.ad_space.as_ref();
            space.is_some_and(|space| space.external_id.as_deref() == Some("501"))
        };
        drafts.retain(is_blog);
        let (world, space) = world().await;
        world.apply(0, &drafts).await;
        let api = Api::of(&world, 0);
        let create = "mutation { made: createSegment(name: \"all\", rule: {users: {}}) { segment { id size } } }";
        let live = api.data(create, &json!({})).await["made"]["segment"].take();
        let before = live["size"].as_i64().unwrap();
        assert!(before > 1, "{live}");
        let freeze = "mutation($id: ID!) { made: freezeSegment(id: $id, name: \"then\") { segment { id } } }";
        let frozen = api.data(freeze, &json!({ "id": live["id"] })).await["made"]["segment"].take();
        chosen(&world, space, &rule(1, "blog"), 0).await;
        finish(&world, space, 37).await;
        let query = "query($live: ID!, $frozen: ID!) { segment(id: $frozen) { size members { totalCount } } \
                     users(filter: {segment: {in: [$frozen]}}) { totalCount } \
                     segmentOverlap(ids: [$live, $frozen]) { segments { size } intersection } }";
        let ids = json!({ "live": live["id"], "frozen": frozen["id"] });
        let data = api.data(query, &ids).await;
        let size = &data["segment"]["size"];
        assert!(size.as_i64().unwrap() < before, "{data:#}");
        assert_eq!(&data["segment"]["members"]["totalCount"], size);
        assert_eq!(&data["users"]["totalCount"], size);
        assert_eq!(&data["segmentOverlap"]["segments"][1]["size"], size);
        assert_eq!(&data["segmentOverlap"]["intersection"], size);
    });
}

#[test]
fn a_choice_by_name_stays_when_the_id_arrives() {
    block_on(async {
        let (world, _) = world().await;
        let mut drafts = drafts(11);
        drafts.retain(|draft| {
            let space = draft.ad_space.as_ref();
            space.is_some_and(|space| {
                space.external_id.is_none() && space.name.as_deref() == Some("ТОЛЬКО имя")
            })
        });
        assert!(drafts.len() > 5);
        world.apply(0, &drafts).await;
        let rows = world.rows::<entity::ad_space::Entity>(0).await;
        let named = rows
            .iter()
            .find(|row| row.external_id.is_none())
            .unwrap()
            .id;
        chosen(&world, named, &rule(2, "own"), 0).await;
        // The id arrives before the actions are led through.
        let mut with_id = drafts[0].clone();
        with_id.external_id = "another".to_owned();
        with_id.ad_space = Some(AdSpaceRef {
            external_id: Some("900".to_owned()),
            name: Some("ТОЛЬКО имя".to_owned()),
        });
        world.apply(0, &[with_id]).await;
        let rows = world.rows::<entity::ad_space::Entity>(0).await;
        let new = rows
            .iter()
            .find(|row| row.external_id.as_deref() == Some("900"))
            .unwrap();
        assert_eq!((new.user_subid_slot, new.user_space.as_str()), (2, "own"));
        let [(_, waits)] = waiting(&world.store).await.unwrap()[..] else {
            panic!("one waits")
        };
        assert_eq!(waits, new.id);
        finish(&world, new.id, 100).await;
        let users = world.rows::<entity::user::Entity>(0).await;
        for action in world.rows::<entity::action::Entity>(0).await {
            let user = users.iter().find(|user| Some(user.id) == action.user_id);
            let named = user.map(|user| (user.user_space.as_str(), user.value.clone()));
            assert_eq!(named, action.subid2.map(|value| ("own", value)));
        }
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[test]
fn actions_whose_name_leads_elsewhere_have_the_users_of_that_ad_space() {
    block_on(async {
        let (world, blog) = world().await;
        let told = |id: &str, name: &str| {
            Some(AdSpaceRef {
                external_id: (!id.is_empty()).then(|| id.to_owned()),
                name: Some(name.to_owned()),
            })
        };
        let mut drafts = drafts(17);
        drafts.truncate(60);
        for (place, draft) in drafts.iter_mut().enumerate() {
            draft.ad_space = if place % 3 == 0 {
                told("900", "Shop")
            } else {
                told("", "Shop")
            };
        }
        world.apply(0, &drafts).await;
        chosen(&world, blog, &rule(2, "blog"), 0).await;
        finish(&world, blog, 100).await;
        // The ad space with the smaller id is called so, too, from now on: what the name alone told is its own.
        let mut renamed = drafts[0].clone();
        renamed.external_id = "another".to_owned();
        renamed.ad_space = told("501", "Shop");
        renamed.stamp.changed_at = at("2026-07-01T00:00:00Z");
        world.apply(0, &[renamed]).await;
        finish(&world, blog, 100).await;
        assert!(waiting(&world.store).await.unwrap().is_empty());
        let users = world.rows::<entity::user::Entity>(0).await;
        let actions = world.rows::<entity::action::Entity>(0).await;
        let moved = actions
            .iter()
            .filter(|action| action.ad_space_id == Some(blog));
        assert!(moved.count() > 30);
        for action in &actions {
            let user = users.iter().find(|user| Some(user.id) == action.user_id);
            let named = user.map(|user| (user.user_space.as_str(), user.value.clone()));
            let wanted = if action.ad_space_id == Some(blog) {
                action.subid2.clone().map(|value| ("blog", value))
            } else {
                action.subid1.clone().map(|value| ("default", value))
            };
            assert_eq!(named, wanted);
        }
        for user in &users {
            assert!(actions.iter().any(|action| action.user_id == Some(user.id)));
        }
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[tokio::test]
async fn the_choice_is_made_by_mutation_and_its_run_tells_how_far_it_is() {
    let server = running("").await;
    super::send(&server, 0, super::orders()).await;
    let (space, ..) = super::ids(&server, 0).await;
    let query = |arguments: &str| {
        format!(
            "mutation {{ updateAdSpaceUsers(adSpace: \"{space}\"{arguments}) {{ adSpace {{ userSubidSlot userSpace }} actions \
             run {{ id entrance name }} userErrors {{ field code message }} }} }}"
        )
    };
    for (arguments, field) in [
        (", userSubidSlot: 5", "userSubidSlot"),
        (", userSubidSlot: -1", "userSubidSlot"),
        (", userSpace: \" \"", "userSpace"),
    ] {
        let data = server.data(0, &query(arguments)).await;
        assert_eq!(
            data["updateAdSpaceUsers"]["userErrors"][0]["field"],
            json!([field]),
            "{data}"
        );
    }
    let foreign = server.data(1, &query(", userSubidSlot: 2")).await;
    assert_eq!(
        foreign["updateAdSpaceUsers"]["userErrors"][0]["code"],
        "NOT_FOUND"
    );
    let users = "{ users { totalCount } userSegments(range: {preset: THIS_YEAR}, segments: [NEW]) { nodes { size } } }";
    assert_eq!(server.data(0, users).await["users"]["totalCount"], 10);
    let same = server.data(0, &query("")).await;
    assert_eq!(same["updateAdSpaceUsers"]["run"], json!(null));
    let data = server
        .data(0, &query(", userSubidSlot: 2, userSpace: \"blog\""))
        .await;
    let done = &data["updateAdSpaceUsers"];
    assert_eq!(
        done["adSpace"],
        json!({ "userSubidSlot": 2, "userSpace": "blog" })
    );
    assert_eq!(
        (&done["actions"], &done["run"]["entrance"]),
        (&json!(10), &json!("USERS"))
    );
    // The server's worker and this may step at once.
    let scope = WriteScope::for_entrance(server.publishers[0].id);
    for (_, space) in waiting(&server.store).await.unwrap() {
        while step(&server.store, scope, space, 3, instant(epoch_micros()))
            .await
            .unwrap()
            == Stepped::On
        {}
    }
    let run = done["run"]["id"].as_str().unwrap();
    let told = server
        .data(0, &format!("{{ node(id: \"{run}\") {{ ... on ImportRun {{ state counts {{ read updated }} }} }} }}"))
        .await;
    assert_eq!(
        told["node"],
        json!({ "state": "SUCCEEDED", "counts": { "read": 10, "updated": 10 } })
    );
    let after = server
        .data(
            0,
            "{ users { totalCount nodes { value userSpace actions { totalCount } } } }",
        )
        .await;
    assert_eq!(
        after["users"],
        json!({ "totalCount": 1, "nodes": [{ "value": "post-1", "userSpace": "blog", "actions": { "totalCount": 10 } }] })
    );
    let fresh = server.data(0, "{ freshness { entrance } }").await;
    assert_eq!(
        fresh["freshness"].as_array().unwrap().len(),
        1,
        "it brings no data: {fresh}"
    );
}

fn epoch_micros() -> i64 {
    super::epoch().micros()
}
