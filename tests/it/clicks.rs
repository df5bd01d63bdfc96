//! Clicks: what is stored of them, whatever is repeated or corrected, and what reports answer with them.

use crate::support::api::Api;
use crate::support::drafts::{Maker, Shape, at, currency};
use crate::support::world::{World, block_on};
use actiongraph::domain::action::{ActionType, Slot, SlotValue, Stamp, Standing, Status};
use actiongraph::domain::clicks::{ClickDay, Replaced};
use actiongraph::domain::draft::{ActionDraft, AdSpaceRef, ProgramRef};
use actiongraph::domain::limits::Limits;
use actiongraph::domain::sync::{Feed, FeedState, SyncStep};
use actiongraph::domain::time::{Day, start_of_day_at};
use actiongraph::store::apply::Applied;
use actiongraph::store::report::count_clicks;
use actiongraph::store::sync::{self, Taker};
use actiongraph::store::{imports, state};
use entity::click_stat;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// The rows of all SubIDs together, of two days.
fn two_days() -> Replaced {
    Replaced {
        days: (day("2026-05-01"), day("2026-05-02")),
        program: None,
        ad_space: None,
        slot: None,
    }
}

fn of_slot(slot: u8) -> Replaced {
    Replaced {
        slot: Some(slot),
        ..two_days()
    }
}

fn clicks(on: &str, program: &str, ad_space: Option<&str>, clicks: i64, views: i64) -> ClickDay {
    ClickDay {
        day: day(on),
        program_external_id: program.to_owned(),
        ad_space_external_id: ad_space.map(str::to_owned),
        slot: None,
        subid: None,
        clicks,
        views: Some(views),
    }
}

fn by_subid(row: ClickDay, slot: u8, subid: &str) -> ClickDay {
    ClickDay {
        slot: Some(slot),
        subid: (!subid.is_empty()).then(|| subid.to_owned()),
        views: None,
        ..row
    }
}

fn applied(inserted: i64, updated: i64, unchanged: i64) -> Applied {
    Applied {
        inserted,
        updated,
        unchanged,
        ..Applied::default()
    }
}

/// What is stored of publisher `place`: slot, day, SubID, clicks.
async fn stored(world: &World, place: usize) -> Vec<(i32, i32, String, i64)> {
    let rows = world.rows::<click_stat::Entity>(place).await;
    rows.into_iter()
        .map(|row| {
            (
                row.slot,
                row.click_day - day("2026-05-01").days(),
                row.subid,
                row.clicks,
            )
        })
        .collect()
}

async fn version(world: &World) -> i64 {
    state(&world.tx(), world.read(0))
        .await
        .unwrap()
        .data_version
}

#[test]
fn repeating_changes_nothing_a_correction_replaces_and_what_is_gone_goes() {
    block_on(async {
        let world = World::new(1).await;
        let first = [
            clicks("2026-05-01", "6115", Some("77"), 10, 100),
            clicks("2026-05-01", "990077", Some("78"), 4, 40),
            clicks("2026-05-02", "6115", Some("77"), 20, 200),
        ];
        let before = version(&world).await;
        let (_, written) = world.clicks(0, "main", &two_days(), &first).await.unwrap();
        assert_eq!(written, applied(3, 0, 0));
        let after = version(&world).await;
        assert!(after > before);
        let dump = world.dump(0).await;

        let (again, written) = world.clicks(0, "main", &two_days(), &first).await.unwrap();
        assert_eq!(written, applied(0, 0, 3));
        assert_eq!(world.dump(0).await, dump);
        assert_eq!(version(&world).await, after, "nothing changed");
        let run = imports::by_ids(&world.tx(), world.read(0), &[again])
            .await
            .unwrap();
        let counts = run[0].counts;
        assert_eq!((counts.read, counts.unchanged, counts.inserted), (3, 3, 0));

        // Upstream corrects one count and has nothing any more of another.
        let corrected = [
            clicks("2026-05-01", "6115", Some("77"), 12, 100),
            clicks("2026-05-02", "6115", Some("77"), 20, 200),
        ];
        let (_, written) = world
            .clicks(0, "main", &two_days(), &corrected)
            .await
            .unwrap();
        assert_eq!(written, applied(0, 2, 1));
        let nothing = String::new;
        assert_eq!(
            stored(&world, 0).await,
            [(-1, 0, nothing(), 12), (-1, 1, nothing(), 20)]
        );
        assert!(version(&world).await > after);
        let (_, written) = world.clicks(0, "main", &two_days(), &[]).await.unwrap();
        assert_eq!(written, applied(0, 2, 0));
        assert_eq!(stored(&world, 0).await, []);
    });
}

#[test]
fn sets_leave_each_other_alone() {
    block_on(async {
        let world = World::new(2).await;
        let one = clicks("2026-05-01", "6115", None, 10, 100);
        let all = two_days();
        world
            .clicks(0, "main", &all, std::slice::from_ref(&one))
            .await
            .unwrap();
        world
            .clicks(0, "second", &all, std::slice::from_ref(&one))
            .await
            .unwrap();
        world
            .clicks(1, "main", &all, std::slice::from_ref(&one))
            .await
            .unwrap();
        let subids = [by_subid(one.clone(), 1, "u1"), by_subid(one.clone(), 1, "")];
        world.clicks(0, "main", &of_slot(1), &subids).await.unwrap();
        let dump = world.dump(1).await;

        // Another day, another program, another slot, another ad space: none of these has what is stored.
        let others = [
            Replaced {
                days: (day("2026-05-02"), day("2026-05-09")),
                ..all.clone()
            },
            Replaced {
                program: Some("25179".to_owned()),
                ..all.clone()
            },
            Replaced {
                ad_space: Some("77".to_owned()),
                ..all.clone()
            },
            of_slot(2),
        ];
        for set in &others {
            let (_, written) = world.clicks(0, "main", set, &[]).await.unwrap();
            assert_eq!(written, applied(0, 0, 0), "{set:?}");
        }
        assert_eq!(stored(&world, 0).await.len(), 4);

        world.clicks(0, "main", &all, &[]).await.unwrap();
        let left: Vec<i32> = stored(&world, 0).await.iter().map(|row| row.0).collect();
        assert_eq!(
            left,
            [-1, 1, 1],
            "the second account's and the SubIDs' are left"
        );
        assert_eq!(world.dump(1).await, dump);
    });
}

#[test]
fn rows_of_several_currencies_count_once_and_a_strange_row_stores_nothing() {
    block_on(async {
        let world = World::new(1).await;
        let rows = [
            clicks("2026-05-01", "6115", Some("77"), 10, 100),
            clicks("2026-05-01", "6115", Some("77"), 10, 100),
            clicks("2026-05-01", "6115", Some("77"), 9, 100),
        ];
        let (_, written) = world.clicks(0, "main", &two_days(), &rows).await.unwrap();
        assert_eq!(written, applied(1, 0, 0));
        assert_eq!(stored(&world, 0).await, [(-1, 0, String::new(), 10)]);

        let strange = [
            clicks("2026-05-01", "6115", Some("77"), 11, 100),
            clicks("2026-05-03", "6115", Some("77"), 11, 100),
        ];
        assert!(
            world
                .clicks(0, "main", &two_days(), &strange)
                .await
                .is_err()
        );
        assert_eq!(stored(&world, 0).await, [(-1, 0, String::new(), 10)]);
    });
}

#[test]
fn clicks_and_actions_know_the_same_programs_and_ad_spaces() {
    block_on(async {
        let shape = Shape {
            drafts: 40,
            actions: 30,
            wild: false,
        };
        let mut drafts = Maker::new(7, shape).drafts();
        for draft in &mut drafts {
            draft.program.external_id = Some("990077".to_owned());
            let space = draft.ad_space.as_mut();
            if let Some(space) = space {
                space.external_id = Some("78".to_owned());
            }
        }
        let world = World::new(2).await;
        let row = clicks("2026-05-01", "990077", Some("78"), 4, 40);
        let none = clicks("2026-05-01", "990077", None, 1, 40);
        // On one clicks come first, on the other actions: names and ids end alike.
        world
            .clicks(0, "main", &two_days(), &[row.clone(), none.clone()])
            .await
            .unwrap();
        world.apply(0, &drafts).await;
        world.apply(1, &drafts).await;
        world
            .clicks(1, "main", &two_days(), &[row, none])
            .await
            .unwrap();
        for place in [0, 1] {
            let facts = world.facts(place).await;
            let stored = world.rows::<click_stat::Entity>(place).await;
            let spaces: Vec<Uuid> = stored.iter().map(|row| row.ad_space_id).collect();
            assert!(spaces.contains(&Uuid::nil()));
            let named = spaces.iter().find(|id| !id.is_nil()).unwrap();
            let of_actions = facts.actions.values().find_map(|action| action.ad_space_id);
            assert_eq!(of_actions, Some(*named));
            assert!(
                facts
                    .actions
                    .values()
                    .all(|action| action.program_id == stored[0].program_id)
            );
            assert_eq!(facts.ad_spaces.len(), 1);
        }
        let names = |place| {
            let world = &world;
            async move {
                let facts = world.facts(place).await;
                let spaces = facts.ad_spaces.into_values().map(|row| row.name);
                let programs = facts.programs.into_values().map(|row| row.name);
                spaces
                    .chain(programs)
                    .collect::<std::collections::BTreeSet<String>>()
            }
        };
        assert_eq!(names(0).await, names(1).await);
    });
}

/// An action that was ordered at an instant and earns so many hundredths.
fn action(
    id: &str,
    ordered_at: &str,
    (program, ad_space, subid1): (&str, &str, &str),
    status: Status,
    (cents, code): (i64, &str),
) -> ActionDraft {
    let ordered_at = at(ordered_at);
    let subid = (Slot::Subid1, SlotValue::Text(subid1.to_owned()));
    ActionDraft {
        receipt: None,
        external_id: id.to_owned(),
        program: ProgramRef {
            external_id: Some(program.to_owned()),
            name: None,
        },
        ad_space: Some(AdSpaceRef {
            external_id: Some(ad_space.to_owned()),
            name: Some(format!("Space {ad_space}")),
        }),
        standing: Standing {
            status,
            raw_status: status.as_str().to_lowercase(),
            paid: false,
            processed: status.is_processed(),
            reward_e4: cents * 100,
            currency: currency(code),
            action_type: ActionType::Sale,
            ordered_at,
            status_updated_at: None,
        },
        unsaid: std::collections::BTreeSet::new(),
        stamp: Stamp {
            changed_at: ordered_at,
            observed_at: at("2026-05-20T00:00:00Z"),
        },
        slots: BTreeMap::from([subid]),
        items: Vec::new(),
        rounded: 0,
    }
}

/// Two days of two ad spaces; on one of them nobody ordered.
async fn small_world() -> World {
    let world = World::new(2).await;
    let blog = ("6115", "77", "u1");
    let actions = [
        action(
            "1",
            "2026-05-01T10:00:00Z",
            blog,
            Status::Pending,
            (100, "USD"),
        ),
        action(
            "2",
            "2026-05-01T11:00:00Z",
            blog,
            Status::Approved,
            (300, "USD"),
        ),
        action(
            "3",
            "2026-05-01T12:00:00Z",
            ("6115", "77", "u2"),
            Status::Declined,
            (5_000, "USD"),
        ),
        action(
            "4",
            "2026-05-02T10:00:00Z",
            ("25179", "77", "u1"),
            Status::Approved,
            (9_000, "RUB"),
        ),
    ];
    world.apply(0, &actions).await;
    let all = [
        clicks("2026-05-01", "6115", Some("77"), 100, 1_000),
        clicks("2026-05-01", "6115", Some("78"), 50, 0),
        clicks("2026-05-02", "25179", Some("77"), 40, 200),
    ];
    world.clicks(0, "main", &two_days(), &all).await.unwrap();
    let by_user = [
        by_subid(all[0].clone(), 1, "u1"),
        by_subid(clicks("2026-05-01", "6115", Some("77"), 7, 0), 1, "u3"),
        by_subid(clicks("2026-05-01", "6115", Some("77"), 3, 0), 1, ""),
        // Upstream had nothing of the second day, and said so.
        by_subid(clicks("2026-05-02", "6115", Some("77"), 0, 0), 1, "u1"),
    ];
    world
        .clicks(0, "main", &of_slot(1), &by_user)
        .await
        .unwrap();
    // Of nobody's concern here.
    world.clicks(1, "main", &two_days(), &all).await.unwrap();
    world
}

const BOTH_DAYS: &str = "range: {days: {from: \"2026-05-01\", to: \"2026-05-02\"}}";

const CLICK_VALUES: &str =
    "actions clicks views ctr cr ecpc { amount currency } epc { amount } ecpm { amount }";

#[test]
fn a_report_of_clicks_is_what_a_reader_adds_up() {
    block_on(async {
        let api = Api::of(&small_world().await, 0);
        let query = format!(
            "{{ report({BOTH_DAYS}, bucket: DAY, groupBy: [AD_SPACE], orderBy: [{{metric: CLICKS}}], first: 1) {{ totalCount \
             nodes {{ time {{ from }} key {{ adSpace {{ externalId }} }} values {{ {CLICK_VALUES} }} share(of: CLICKS) \
             running {{ clicks cr }} }} totals {{ {CLICK_VALUES} }} others {{ clicks views cr }} info {{ sources }} }} }}"
        );
        let data = api.data(&query, &json!({})).await;
        let report = &data["report"];
        assert_eq!(report["totalCount"], 3);
        // 3 actions of 100 clicks and 1000 views; 1.00 + 3.00 USD are not declined.
        assert_eq!(
            report["nodes"][0],
            json!({
                "time": { "from": "2026-05-01T00:00:00Z" },
                "key": { "adSpace": { "externalId": "77" } },
                "values": {
                    "actions": 3, "clicks": 100, "views": 1_000, "ctr": 0.1, "cr": 0.03,
                    "ecpc": [{ "amount": "0.04", "currency": "USD" }],
                    "epc": [{ "amount": "4.00" }],
                    "ecpm": [{ "amount": "4.00" }],
                },
                "share": 0.526316,
                "running": { "clicks": 100, "cr": null },
            })
        );
        // 4 actions of 190 clicks and 1200 views: 4.00 USD and 90.00 RUB, each by all clicks.
        assert_eq!(
            report["totals"],
            json!({
                "actions": 4, "clicks": 190, "views": 1_200, "ctr": 0.158333, "cr": 0.021053,
                "ecpc": [
                    { "amount": "0.4737", "currency": "RUB" },
                    { "amount": "0.0211", "currency": "USD" },
                ],
                "epc": [{ "amount": "47.3684" }, { "amount": "2.1053" }],
                "ecpm": [{ "amount": "75.00" }, { "amount": "3.3333" }],
            })
        );
        assert_eq!(
            report["others"],
            json!({ "clicks": 90, "views": 200, "cr": 0.011111 })
        );
        let sources = report["info"]["sources"].as_array().unwrap();
        assert!(sources.contains(&json!("click_stats")), "{sources:?}");
    });
}

async fn nodes(api: &Api, arguments: &str, values: &str) -> Vec<Value> {
    let query = format!("{{ report({arguments}) {{ nodes {{ {values} }} }} }}");
    let data = api.data(&query, &json!({})).await;
    data["report"]["nodes"].as_array().unwrap().clone()
}

#[test]
fn clicks_without_an_action_are_groups_too() {
    block_on(async {
        let world = small_world().await;
        let api = Api::of(&world, 0);
        let by_user = nodes(
            &api,
            &format!("{BOTH_DAYS}, groupBy: [SUBID1], orderBy: [{{metric: CLICKS}}]"),
            "key { subid1 } values { actions clicks cr ecpc { amount } }",
        )
        .await;
        let told: Vec<(Value, Value, Value)> = by_user
            .iter()
            .map(|row| {
                let values = &row["values"];
                let part = |name: &str| values[name].clone();
                (
                    row["key"]["subid1"].clone(),
                    part("actions"),
                    part("clicks"),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (json!("u1"), json!(3), json!(100)),
                (json!("u3"), json!(0), json!(7)),
                (json!(null), json!(0), json!(3)),
                (json!("u2"), json!(1), json!(0)),
            ]
        );
        assert_eq!(
            by_user[1]["values"],
            json!({ "actions": 0, "clicks": 7, "cr": 0.0, "ecpc": [] })
        );
        assert_eq!(by_user[3]["values"]["cr"], json!(null), "no click, no rate");

        // By program, of the ad space without an action alone; and nothing before the two days.
        let of_one = "filter: {adSpace: {externalId: {eq: \"78\"}}}";
        let values = "key { program { externalId } } values { actions clicks } compared { clicks }";
        assert_eq!(
            nodes(
                &api,
                &format!("{BOTH_DAYS}, groupBy: [PROGRAM], {of_one}"),
                values
            )
            .await,
            [json!({
                "key": { "program": { "externalId": "6115" } },
                "values": { "actions": 0, "clicks": 50 },
                "compared": { "clicks": 0 },
            })]
        );
        // Without a metric of clicks there is no such group.
        let plain = nodes(
            &api,
            &format!("{BOTH_DAYS}, groupBy: [PROGRAM], {of_one}"),
            "values { actions }",
        )
        .await;
        assert_eq!(plain, [] as [Value; 0]);

        // A correction upstream shows at once.
        let corrected = [clicks("2026-05-01", "6115", Some("78"), 60, 0)];
        let set = Replaced {
            ad_space: Some("78".to_owned()),
            ..two_days()
        };
        world.clicks(0, "main", &set, &corrected).await.unwrap();
        let after = nodes(&api, &format!("{BOTH_DAYS}, {of_one}"), "values { clicks }").await;
        assert_eq!(after, [json!({ "values": { "clicks": 60 } })]);
    });
}

#[test]
fn upstreams_days_are_local_days_from_nine_hours_west_to_fourteen_east() {
    block_on(async {
        let api = Api::of(&small_world().await, 0);
        for zone in [
            "America/Anchorage",
            "UTC",
            "Asia/Kolkata",
            "Pacific/Kiritimati",
        ] {
            let arguments =
                format!("{BOTH_DAYS}, timeZone: \"{zone}\", bucket: DAY, fillGaps: true");
            let days = nodes(&api, &arguments, "values { clicks }").await;
            let clicks: Vec<&Value> = days.iter().map(|row| &row["values"]["clicks"]).collect();
            assert_eq!(clicks, [&json!(150), &json!(40)], "{zone}");
        }
        // Noon at +03:00 is 09:00 UTC: the day is in the stretch that it lies in, or in none.
        for (from, to, expected) in [
            (
                "2026-05-01T09:00:00Z",
                "2026-05-01T09:00:01Z",
                json!([{ "values": { "clicks": 150 } }]),
            ),
            (
                "2026-05-01T09:00:01Z",
                "2026-05-02T09:00:00Z",
                json!([{ "values": { "clicks": 0 } }]),
            ),
        ] {
            let arguments = format!("range: {{between: {{from: \"{from}\", to: \"{to}\"}}}}");
            let found = nodes(&api, &arguments, "values { clicks }").await;
            if expected[0]["values"]["clicks"] == 0 {
                assert!(
                    found.iter().all(|row| row["values"]["clicks"] == 0),
                    "{found:?}"
                );
            } else {
                assert_eq!(json!(found), expected);
            }
        }
    });
}

#[test]
fn counts_by_subid_are_counted_up_to_a_limit_before_they_are_read() {
    block_on(async {
        let world = small_world().await;
        let may = ("2026-05-01T00:00:00Z", "2026-05-31T00:00:00Z");
        let june = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z");
        for (slot, (from, to), limit, expected) in [
            (1, may, 10, 4),
            (1, may, 2, 2),
            (1, june, 10, 0),
            (2, may, 10, 0),
        ] {
            let span = (at(from).micros(), at(to).micros());
            let found = count_clicks(&world.tx(), world.read(0), slot, span, limit).await;
            assert_eq!(found.unwrap(), expected, "{slot} from {from}");
        }
    });
}

/// Arguments, a field, and the error: the argument at fault, and a part of what it says.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("groupBy: [COUNTRY]", "clicks", "groupBy", "COUNTRY"),
    ("groupBy: [PRODUCT]", "clicks", "groupBy", "PRODUCT"),
    (
        "groupBy: [CURRENCY]",
        "ecpc { amount }",
        "groupBy",
        "program, ad space and one SubID",
    ),
    (
        "groupBy: [SUBID1, SUBID2]",
        "cr",
        "groupBy",
        "several SubIDs",
    ),
    (
        "groupBy: [SUBID1]",
        "views",
        "groupBy",
        "by day, program and ad space",
    ),
    ("bucket: HOUR", "clicks", "bucket", "HOUR"),
    (
        "filter: {country: {eq: \"RU\"}}",
        "clicks",
        "filter",
        "program, ad space and one SubID",
    ),
    (
        "filter: {subid1: {eq: \"u1\"}, subid2: {eq: \"x\"}}",
        "clicks",
        "filter",
        "several SubIDs",
    ),
    (
        "groupBy: [SUBID2], filter: {subid1: {eq: \"u1\"}}",
        "clicks",
        "filter",
        "several SubIDs",
    ),
    (
        "filter: {subid1: {eq: \"u1\"}}",
        "ecpm { amount }",
        "filter",
        "a SubID",
    ),
    ("dateAxis: CLOSED", "clicks", "dateAxis", "CLICKED"),
    (
        "groupBy: [STATUS], orderBy: [{metric: CLICKS}]",
        "actions",
        "groupBy",
        "STATUS",
    ),
    (
        "groupBy: [STATUS], having: [{metric: CLICKS, atLeast: 1}]",
        "actions",
        "groupBy",
        "STATUS",
    ),
];

#[test]
fn what_clicks_are_not_counted_by_is_refused_with_what_they_are() {
    block_on(async {
        let api = Api::of(&small_world().await, 0);
        for (arguments, field, argument, words) in REFUSED {
            let query = format!(
                "{{ report({BOTH_DAYS}, {arguments}) {{ nodes {{ values {{ {field} }} }} }} }}"
            );
            let answer = api.answer(&query, &json!({})).await;
            let error = &answer["errors"][0];
            assert_eq!(
                error["extensions"]["code"], "BAD_USER_INPUT",
                "{query}\n{answer:#}"
            );
            assert_eq!(
                error["extensions"]["argument"], *argument,
                "{query}\n{answer:#}"
            );
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(words), "{query}: {message}");
        }
        let on_clicks = nodes(
            &api,
            &format!("{BOTH_DAYS}, dateAxis: CLICKED"),
            "values { actions clicks }",
        )
        .await;
        assert_eq!(
            on_clicks,
            [json!({ "values": { "actions": 0, "clicks": 190 } })]
        );
    });
}

/// An approved order of 1.00 USD in each month from March to June, and one of another ad space in June.
async fn four_months() -> World {
    let world = World::new(2).await;
    let order = |id: &str, day: &str, space: &str| {
        let at = format!("{day}T10:00:00Z");
        let of = ("6115", space, "u1");
        action(id, &at, of, Status::Approved, (100, "USD"))
    };
    let orders = [
        order("1", "2026-03-10", "77"),
        order("2", "2026-04-10", "77"),
        order("3", "2026-05-10", "77"),
        order("4", "2026-06-10", "77"),
        order("5", "2026-06-11", "78"),
    ];
    world.apply(0, &orders).await;
    world
}

/// Counts of May and June, of the second ad space of two weeks in June; of another publisher those of March.
async fn two_months_of_clicks(world: &World) {
    let set = Replaced {
        days: (day("2026-05-01"), day("2026-06-30")),
        ..two_days()
    };
    let rows = [
        clicks("2026-05-01", "6115", Some("77"), 10, 100),
        clicks("2026-06-08", "6115", Some("78"), 5, 50),
        clicks("2026-06-21", "6115", Some("78"), 5, 50),
        clicks("2026-06-30", "6115", Some("77"), 10, 100),
    ];
    world.clicks(0, "main", &set, &rows).await.unwrap();
    let march = Replaced {
        days: (day("2026-03-01"), day("2026-03-31")),
        ..two_days()
    };
    let rows = [clicks("2026-03-01", "6115", Some("77"), 10, 100)];
    world.clicks(1, "main", &march, &rows).await.unwrap();
}

const ALL_MONTHS: &str = "range: {days: {from: \"2026-03-01\", to: \"2026-06-30\"}}";
const TWO_MONTHS: &str = "range: {days: {from: \"2026-05-01\", to: \"2026-06-30\"}}";
const RATIOS: &str = "ctr cr ecpc { amount } epc { amount } ecpm { amount }";

/// The totals of a report, and what it warns of clicks.
async fn totals_and_warning(api: &Api, arguments: &str, values: &str) -> (Value, Option<String>) {
    let query = format!(
        "{{ report({arguments}) {{ totals {{ {values} }} info {{ warnings {{ code message }} }} }} }}"
    );
    let data = api.data(&query, &json!({})).await;
    let report = &data["report"];
    (report["totals"].clone(), warning_of_clicks(report))
}

fn warning_of_clicks(report: &Value) -> Option<String> {
    let warnings = report["info"]["warnings"].as_array().unwrap();
    let mut of_clicks = warnings
        .iter()
        .filter(|warning| warning["code"] == "CLICKS_INCOMPLETE");
    let message = of_clicks.next()?["message"].as_str().unwrap();
    assert!(of_clicks.next().is_none(), "{warnings:?}");
    Some(message.to_owned())
}

fn nothing_said() -> Value {
    json!({ "ctr": null, "cr": null, "ecpc": null, "epc": null, "ecpm": null })
}

#[test]
fn months_before_the_first_known_click_have_no_rates_and_the_report_says_so() {
    block_on(async {
        let world = four_months().await;
        two_months_of_clicks(&world).await;
        let api = Api::of(&world, 0);
        let query = format!(
            "{{ report({ALL_MONTHS}, bucket: MONTH) {{ nodes {{ values {{ actions clicks cr ecpc {{ amount }} }} }} \
             totals {{ actions clicks {RATIOS} }} info {{ warnings {{ code message }} }} }} }}"
        );
        let data = api.data(&query, &json!({})).await;
        let report = &data["report"];
        let before = json!({ "actions": 1, "clicks": 0, "cr": null, "ecpc": null });
        let may = json!({ "actions": 1, "clicks": 10, "cr": 0.1, "ecpc": [{ "amount": "0.10" }] });
        let june = json!({ "actions": 2, "clicks": 20, "cr": 0.1, "ecpc": [{ "amount": "0.10" }] });
        let rows: Vec<&Value> = report["nodes"].as_array().unwrap().iter().collect();
        let rows: Vec<&Value> = rows.iter().map(|row| &row["values"]).collect();
        assert_eq!(rows, [&before, &before, &may, &june]);
        let mut totals = nothing_said();
        totals["actions"] = json!(5);
        totals["clicks"] = json!(30);
        assert_eq!(report["totals"], totals);
        let message = warning_of_clicks(report).unwrap();
        let told = "from 2026-05-01 to 2026-06-30";
        assert!(message.contains(told), "{message}");
        // What is compared with nothing known has no change, not one from nothing.
        let query = format!(
            "{{ report({TWO_MONTHS}) {{ nodes {{ values {{ cr }} compared {{ actions cr epc {{ amount }} }} \
             change(of: EPC, currency: \"USD\") {{ ratio }} }} info {{ warnings {{ code message }} }} }} }}"
        );
        let data = api.data(&query, &json!({})).await;
        let report = &data["report"];
        assert_eq!(
            report["nodes"],
            json!([{
                "values": { "cr": 0.1 },
                "compared": { "actions": 2, "cr": null, "epc": null },
                "change": null,
            }])
        );
        assert!(warning_of_clicks(report).is_some());
        // Rows without a rate stand last, and are within no bounds of it.
        let by_rate = "bucket: MONTH, orderBy: [{metric: CR, direction: ASC}]";
        let found = nodes(&api, &format!("{ALL_MONTHS}, {by_rate}"), "values { cr }").await;
        let rates: Vec<&Value> = found.iter().map(|row| &row["values"]["cr"]).collect();
        assert_eq!(
            rates,
            [&json!(0.1), &json!(0.1), &json!(null), &json!(null)]
        );
        let bounded = "bucket: MONTH, having: [{metric: CR, atMost: 1}]";
        let found = nodes(&api, &format!("{ALL_MONTHS}, {bounded}"), "values { cr }").await;
        assert_eq!(found.len(), 2);
    });
}

#[test]
fn nothing_is_said_of_clicks_where_all_are_known_or_nobody_asks() {
    block_on(async {
        let world = four_months().await;
        two_months_of_clicks(&world).await;
        let api = Api::of(&world, 0);
        let (totals, warning) = totals_and_warning(&api, TWO_MONTHS, "cr ctr").await;
        assert_eq!(totals, json!({ "cr": 0.1, "ctr": 0.1 }));
        assert_eq!(warning, None);
        let of_days = |statements: &[String]| {
            let of_days = |text: &&String| text.contains("sync_accounts");
            statements.iter().filter(of_days).count()
        };
        assert_eq!(of_days(&api.statements.take()), 1);
        // Days to come are nobody's to know.
        let year = "range: {days: {from: \"2026-05-01\", to: \"2026-12-31\"}}";
        assert_eq!(totals_and_warning(&api, year, "cr").await.1, None);
        // A day more, and the noon of a day before.
        for from in ["2026-04-30T09:00:00Z", "2026-04-30T09:00:01Z"] {
            let range =
                format!("range: {{between: {{from: \"{from}\", to: \"2026-07-01T00:00:00Z\"}}}}");
            let (totals, warning) = totals_and_warning(&api, &range, "cr").await;
            let is_beyond = from == "2026-04-30T09:00:00Z";
            assert_eq!(warning.is_some(), is_beyond, "{from}");
            assert_eq!(totals["cr"].is_null(), is_beyond, "{from}");
        }
        drop(api.statements.take());
        let (_, warning) = totals_and_warning(&api, ALL_MONTHS, "actions reward { amount }").await;
        assert_eq!(warning, None);
        assert_eq!(of_days(&api.statements.take()), 0);
    });
}

#[test]
fn a_publisher_without_clicks_is_told_so() {
    block_on(async {
        let world = four_months().await;
        let api = Api::of(&world, 0);
        let (totals, warning) = totals_and_warning(&api, ALL_MONTHS, RATIOS).await;
        assert_eq!(totals, nothing_said());
        let message = warning.unwrap();
        assert!(message.contains("of no day"), "{message}");
        let (totals, warning) = totals_and_warning(&api, ALL_MONTHS, "clicks").await;
        assert_eq!(totals, json!({ "clicks": 0 }));
        assert!(warning.is_some(), "no clicks are known, not no clicks");
    });
}

#[test]
fn a_limited_key_knows_the_days_of_its_ad_spaces() {
    block_on(async {
        let world = four_months().await;
        two_months_of_clicks(&world).await;
        read_up_to(&world, "main", Some(("2026-03-01", "2026-06-30"))).await;
        let limits = Limits {
            ad_spaces: Some(vec!["78".to_owned()]),
            ..Limits::default()
        };
        let api = Api::limited(&world, 0, limits);
        let (totals, warning) = totals_and_warning(&api, TWO_MONTHS, "actions clicks cr").await;
        assert_eq!(totals, json!({ "actions": 1, "clicks": 10, "cr": null }));
        let message = warning.unwrap();
        let told = "from 2026-06-08 to 2026-06-21";
        assert!(message.contains(told), "{message}");
        let within = "range: {days: {from: \"2026-06-08\", to: \"2026-06-21\"}}";
        let (totals, warning) = totals_and_warning(&api, within, "cr").await;
        assert_eq!((totals, warning), (json!({ "cr": 0.1 }), None));
    });
}

/// Notes how far an account at +03:00 has come with its clicks: first and last day; nothing where it has read none.
async fn read_up_to(world: &World, account: &str, days: Option<(&str, &str)>) {
    let (store, scope, holder) = (&world.store, world.write(0), "server");
    let (now, until) = (at("2026-07-01T00:00:00Z"), at("2026-07-02T00:00:00Z"));
    let taker = Taker {
        account,
        client_id: account,
        holder,
    };
    sync::lease(store, scope, taker, now, until).await.unwrap();
    let Some((first, last)) = days else { return };
    let step = SyncStep {
        account: account.to_owned(),
        holder: holder.to_owned(),
        feed: Feed::Clicks,
        state: FeedState {
            watermark: Some(start_of_day_at(day(last), 180)),
            cursor: Some(format!("{{\"back\":{},\"pairs\":1}}", day(first).days())),
            last_attempt: Some(now),
            ..FeedState::default()
        },
        named: Vec::new(),
    };
    sync::step(store, scope, &step).await.unwrap();
}

#[test]
fn days_that_were_read_are_known_whatever_was_counted() {
    block_on(async {
        let world = four_months().await;
        two_months_of_clicks(&world).await;
        read_up_to(&world, "main", Some(("2026-03-01", "2026-06-30"))).await;
        let api = Api::of(&world, 0);
        // 5 orders of 30 clicks: there were none in March and April.
        let (totals, warning) = totals_and_warning(&api, ALL_MONTHS, "cr").await;
        assert_eq!((totals, warning), (json!({ "cr": 0.166_667 }), None));
        // By SubID nothing was counted.
        let by_subid = format!("{ALL_MONTHS}, filter: {{subid1: {{eq: \"u1\"}}}}");
        let (totals, warning) = totals_and_warning(&api, &by_subid, "cr").await;
        assert_eq!(totals, json!({ "cr": null }));
        assert!(warning.unwrap().contains("of no day"));
        // What one account has not read, nobody knows.
        read_up_to(&world, "second", Some(("2026-04-01", "2026-06-29"))).await;
        let (totals, warning) = totals_and_warning(&api, ALL_MONTHS, "cr").await;
        assert_eq!(totals, json!({ "cr": null }));
        assert!(warning.unwrap().contains("from 2026-04-01 to 2026-06-29"));
        read_up_to(&world, "third", None).await;
        let (totals, warning) = totals_and_warning(&api, TWO_MONTHS, "cr").await;
        assert_eq!(totals, json!({ "cr": null }));
        assert!(warning.unwrap().contains("of no day"));
    });
}
