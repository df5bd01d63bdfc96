//! Clicks: what is stored of them, whatever is repeated or corrected, and what reports answer with them.

use crate::support::drafts::{Maker, Shape};
use crate::support::world::{World, block_on};
use actiongraph::domain::clicks::{ClickDay, Replaced};
use actiongraph::domain::time::Day;
use actiongraph::store::apply::Applied;
use actiongraph::store::{imports, state};
use entity::click_stat;
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
        stale: 0,
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
