//! Ad spaces that are renamed, and several of one name: what is told by a name and what is told with an id end in one
//! content, whatever comes first, and totals, clicks, ledger and change log follow.

use crate::support::content::assert_verified;
use crate::support::drafts::{at, sale};
use crate::support::world::{World, block_on};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::action::{Slot, SlotValue};
use actiongraph::domain::clicks::{ClickDay, Replaced};
use actiongraph::domain::draft::{ActionDraft, AdSpaceRef, ProgramRef};
use actiongraph::domain::time::Day;
use actiongraph::ingest::adjustments::{LedgerOptions, import_ledger};
use actiongraph::store::apply::names::{Named, name};
use actiongraph::store::apply::{Described, ReadRecords, describe};
use entity::{action, action_change, ad_space, adjustment, click_stat, tombstone};
use std::collections::BTreeMap;
use std::io::Write as _;
use uuid::Uuid;

fn space(id: Option<&str>, name: Option<&str>) -> Option<AdSpaceRef> {
    Some(AdSpaceRef {
        external_id: id.map(str::to_owned),
        name: name.map(str::to_owned),
    })
}

fn by_name(name: &str) -> Option<AdSpaceRef> {
    space(None, Some(name))
}

/// An action of a day in May, changed and observed at an hour of it.
fn draft(id: &str, hour: &str, ad_space: Option<AdSpaceRef>) -> ActionDraft {
    let mut draft = sale(id, at("2026-05-01T08:00:00Z"));
    draft.ad_space = ad_space;
    draft.stamp.changed_at = at(&format!("2026-05-01T{hour}:00:00Z"));
    draft.stamp.observed_at = at(&format!("2026-05-01T{hour}:30:00Z"));
    let user = SlotValue::Text(format!("user of {id}"));
    draft.slots.insert(Slot::Subid1, user);
    draft
}

/// A list of ad spaces, as it was at an hour of that day.
async fn list(world: &World, hour: &str, spaces: &[(&str, &str)]) {
    let (run_id, _) = world.begin(0, "API", "list", 1_000_000).await;
    let ad_spaces: Vec<AdSpaceRef> = spaces
        .iter()
        .filter_map(|(id, name)| space(Some(id), Some(name)))
        .collect();
    let described = Described {
        ad_spaces: &ad_spaces,
        programs: &[],
        records: ReadRecords {
            run_id,
            read: ad_spaces.len(),
            rejects: &[],
            rejected_before: 0,
        },
        sync: None,
        now: at(&format!("2026-05-01T{hour}:00:00Z")),
    };
    describe(&world.store, world.write(0), described)
        .await
        .unwrap();
}

/// Clicks of an ad space, by its id.
async fn clicks(world: &World, ad_space: &str) {
    let day = Day::parse("2026-05-01").unwrap();
    let replaces = Replaced {
        days: (day, day),
        program: None,
        ad_space: None,
        slot: None,
    };
    let row = ClickDay {
        day,
        program_external_id: "6115".to_owned(),
        ad_space_external_id: Some(ad_space.to_owned()),
        slot: None,
        subid: None,
        clicks: 3,
        views: None,
    };
    world.clicks(0, "main", &replaces, &[row]).await.unwrap();
}

/// A fine of an ad space, by its name.
async fn fine(world: &World, ad_space: &str) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "date,kind,amount,currency,reference,comment,program,ad_space\n2026-05-02,Fine,2,USD,F-1,,,{ad_space}\n"
    );
    file.write_all(text.as_bytes()).unwrap();
    let options = LedgerOptions {
        name: "ledger.csv".to_owned(),
        account: "main".to_owned(),
        as_of: Some(at("2026-05-03T00:00:00Z")),
        offset_minutes: 180,
    };
    let now = || at("2026-06-30T00:00:00Z");
    let (store, scope) = (&world.store, world.write(0));
    let report = import_ledger(store, scope, file.path(), &options, &now).await;
    assert_eq!(report.unwrap().inserted, 1);
}

fn orders<T: Copy>(of: &[T]) -> Vec<Vec<T>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for place in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(place);
        all.extend(orders(&rest).into_iter().map(|mut order| {
            order.insert(0, first);
            order
        }));
    }
    all
}

/// All rows but the runs that the ledger's came with.
async fn content(world: &World) -> String {
    let mut runs: Vec<Uuid> = Vec::new();
    for row in world.rows::<adjustment::Entity>(0).await {
        runs.push(row.run_id);
    }
    let mut text = world.dump(0).await;
    for run in runs {
        text = text.replace(&run.to_string(), "run");
    }
    text
}

/// Which ad space each action has, by their ids at the network.
async fn places(world: &World) -> BTreeMap<String, String> {
    let spaces = world.rows::<ad_space::Entity>(0).await;
    let id = |id: Option<Uuid>| {
        let row = spaces.iter().find(|row| Some(row.id) == id).unwrap();
        row.external_id.clone().unwrap_or_else(|| row.name.clone())
    };
    let actions = world.rows::<action::Entity>(0).await;
    let places = actions
        .into_iter()
        .map(|row| (row.external_id, id(row.ad_space_id)));
    places.collect()
}

/// Brings what was told in an order of its own, and compares with what came of the others.
async fn in_all_orders(tell: impl AsyncFn(&World, usize), count: usize) -> World {
    let mut first: Option<String> = None;
    let world = World::new(1).await;
    for order in orders(&(0..count).collect::<Vec<_>>()) {
        world.empty(0).await;
        for told in &order {
            tell(&world, *told).await;
        }
        assert_eq!(world.drift(0).await, Vec::<String>::new(), "{order:?}");
        let found = content(&world).await;
        let wanted = first.get_or_insert_with(|| found.clone());
        for (found, wanted) in found.lines().zip(wanted.lines()) {
            assert_eq!(found, wanted, "{order:?}");
        }
        assert_eq!(found.len(), wanted.len(), "{order:?}");
    }
    assert_verified(&world.url, "the last order");
    world
}

fn expected(places: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    places.iter().map(owned).collect()
}

#[test]
fn a_renamed_ad_space_keeps_what_is_told_by_its_old_name_whatever_comes_first() {
    block_on(async {
        let tell = async |world: &World, told: usize| match told {
            0 => list(world, "10", &[("7", "Old")]).await,
            1 => list(world, "12", &[("7", "New")]).await,
            // A page, newer than the new name.
            2 => {
                let page = [
                    draft("a", "14", by_name("Old")),
                    draft("b", "14", by_name("Old")),
                    draft("c", "14", by_name("New")),
                ];
                world.apply(0, &page).await;
            }
            // A file from before it, in another spelling.
            3 => {
                let file = [
                    draft("a", "09", by_name("OLD")),
                    draft("d", "09", by_name("OLD")),
                ];
                world.apply(0, &file).await;
            }
            // A postback with the id alone, and clicks.
            _ => {
                world
                    .apply(0, &[draft("a", "11", space(Some("7"), None))])
                    .await;
                clicks(world, "7").await;
            }
        };
        let world = in_all_orders(&tell, 5).await;
        let wanted = [("a", "7"), ("b", "7"), ("c", "7"), ("d", "7")];
        assert_eq!(places(&world).await, expected(&wanted));
        let [row] = &world.rows::<ad_space::Entity>(0).await[..] else {
            panic!("one ad space")
        };
        assert_eq!(
            (row.name.as_str(), row.former_names.as_deref()),
            ("New", Some("[\"old\"]"))
        );
        let stats = world.rows::<click_stat::Entity>(0).await;
        assert!(stats.iter().all(|stat| stat.ad_space_id == row.id));
        // Read again, nothing moves and nothing is news.
        let before = (
            content(&world).await,
            world.rows::<action_change::Entity>(0).await,
        );
        tell(&world, 2).await;
        tell(&world, 3).await;
        let after = (
            content(&world).await,
            world.rows::<action_change::Entity>(0).await,
        );
        assert_eq!(before, after);
    });
}

#[test]
fn two_ad_spaces_of_one_name_get_what_their_ids_and_what_the_name_say_whatever_comes_first() {
    block_on(async {
        let tell = async |world: &World, told: usize| match told {
            0 => list(world, "10", &[("9", "Blog")]).await,
            1 => list(world, "10", &[("10", "BLOG")]).await,
            2 => {
                world
                    .apply(0, &[draft("a", "11", space(Some("10"), None))])
                    .await;
                clicks(world, "10").await;
            }
            // A newer page, one of whose actions upstream has no more.
            3 => {
                let page = ["a", "b", "gone"].map(|id| draft(id, "14", by_name("Blog")));
                world.apply(0, &page).await;
                world.delete(0, &["gone"], at("2026-05-02T00:00:00Z")).await;
            }
            _ => {
                let file = ["a", "c"].map(|id| draft(id, "09", by_name("blog")));
                world.apply(0, &file).await;
                fine(world, "blog").await;
            }
        };
        let world = in_all_orders(&tell, 5).await;
        let wanted = [("a", "10"), ("b", "9"), ("c", "9")];
        assert_eq!(places(&world).await, expected(&wanted));
        let spaces = world.rows::<ad_space::Entity>(0).await;
        let row = |id: &str| {
            let mut rows = spaces.iter();
            rows.find(|row| row.external_id.as_deref() == Some(id))
                .unwrap()
        };
        let (older, newer) = (row("9"), row("10"));
        assert_eq!((spaces.len(), newer.name.as_str()), (2, "BLOG"));
        let gone = world.rows::<tombstone::Entity>(0).await;
        assert_eq!(gone.len(), 1);
        assert!(gone.iter().all(|row| row.ad_space_id == Some(older.id)));
        let fines = world.rows::<adjustment::Entity>(0).await;
        assert!(fines.iter().all(|row| row.ad_space_id == Some(older.id)));
        let stats = world.rows::<click_stat::Entity>(0).await;
        assert!(stats.iter().all(|stat| stat.ad_space_id == newer.id));
        // What comes back from behind a tombstone is where its name leads.
        let back = draft("gone", "14", by_name("Blog"));
        let mut back = [back];
        back[0].stamp.observed_at = at("2026-05-03T00:00:00Z");
        world.apply(0, &back).await;
        assert_eq!(places(&world).await["gone"], "9");
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[test]
fn a_name_leads_to_who_has_it_now_before_who_had_it() {
    block_on(async {
        let tell = async |world: &World, told: usize| match told {
            0 => list(world, "10", &[("7", "Old")]).await,
            1 => list(world, "12", &[("7", "New"), ("8", "Old")]).await,
            2 => {
                world.apply(0, &[draft("a", "14", by_name("Old"))]).await;
            }
            _ => {
                let with_name = space(Some("7"), Some("Older"));
                let file = [
                    draft("b", "09", with_name),
                    draft("c", "09", by_name("Older")),
                ];
                world.apply(0, &file).await;
            }
        };
        let world = in_all_orders(&tell, 4).await;
        let wanted = [("a", "8"), ("b", "7"), ("c", "7")];
        assert_eq!(places(&world).await, expected(&wanted));
        let spaces = world.rows::<ad_space::Entity>(0).await;
        let names = spaces.iter().find_map(|row| row.former_names.as_deref());
        assert_eq!(names, Some("[\"old\",\"older\"]"));
    });
}

#[test]
fn a_name_that_is_told_again_is_as_new_as_the_last_time_whatever_comes_first() {
    block_on(async {
        let tell = async |world: &World, told: usize| match told {
            0 => list(world, "10", &[("7", "Blog")]).await,
            1 => list(world, "12", &[("7", "Blog")]).await,
            2 => {
                let with_name = space(Some("7"), Some("Shop"));
                world.apply(0, &[draft("a", "11", with_name)]).await;
            }
            _ => {
                world.apply(0, &[draft("b", "14", by_name("Shop"))]).await;
            }
        };
        let world = in_all_orders(&tell, 4).await;
        let [row] = &world.rows::<ad_space::Entity>(0).await[..] else {
            panic!("one ad space")
        };
        assert_eq!(
            (row.name.as_str(), row.former_names.as_deref()),
            ("Blog", Some("[\"shop\"]"))
        );
        assert_eq!(places(&world).await, expected(&[("a", "7"), ("b", "7")]));
    });
}

#[test]
fn the_change_log_names_what_moves_to_another_ad_space_and_nothing_else() {
    block_on(async {
        let world = World::new(1).await;
        list(&world, "10", &[("10", "Blog")]).await;
        let page = [
            draft("a", "14", by_name("Blog")),
            draft("b", "14", space(Some("10"), None)),
        ];
        world.apply(0, &page).await;
        let before = world.rows::<action_change::Entity>(0).await;
        // What is known by its name is the same to a reader when its id is told.
        let told = draft("a", "14", space(Some("10"), None));
        world.apply(0, &[told]).await;
        assert_eq!(world.rows::<action_change::Entity>(0).await, before);
        let more = [draft("c", "14", by_name("Blog"))];
        world.apply(0, &more).await;
        list(&world, "11", &[("9", "Blog")]).await;
        let wanted = [("a", "10"), ("b", "10"), ("c", "9")];
        assert_eq!(places(&world).await, expected(&wanted));
        let log = world.rows::<action_change::Entity>(0).await;
        let actions = world.rows::<action::Entity>(0).await;
        let moved = actions.iter().find(|row| row.external_id == "c").unwrap();
        let news: Vec<_> = log[before.len()..]
            .iter()
            .map(|row| (row.action_id, row.kind.as_str()))
            .collect();
        assert_eq!(news, [(moved.id, "INSERTED"), (moved.id, "UPDATED")]);
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[test]
fn more_actions_than_a_part_holds_move_with_a_line_of_the_log_each() {
    block_on(async {
        const COUNT: usize = 2_010;
        let world = World::new(1).await;
        list(&world, "10", &[("10", "Blog")]).await;
        let page: Vec<ActionDraft> = (0..COUNT)
            .map(|number| draft(&format!("a{number}"), "14", by_name("Blog")))
            .collect();
        world.apply(0, &page).await;
        // By a list, and by a batch that speaks of some of them.
        list(&world, "11", &[("9", "Blog")]).await;
        let told = space(Some("8"), Some("Blog"));
        world.apply(0, &[draft("a7", "15", told)]).await;
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for (_, id) in places(&world).await {
            *found.entry(id).or_default() += 1;
        }
        assert_eq!(found, BTreeMap::from([("8".to_owned(), COUNT)]));
        let log = world.rows::<action_change::Entity>(0).await;
        assert_eq!(log.len(), 3 * COUNT);
        for (place, row) in log.iter().enumerate() {
            assert_eq!(row.seq, i64::try_from(place).unwrap() + 1);
        }
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[test]
fn a_name_that_nothing_tells_with_the_id_is_added_by_hand() {
    block_on(async {
        let world = World::new(1).await;
        list(&world, "12", &[("7", "New")]).await;
        let page = ["a", "b"].map(|id| draft(id, "14", by_name("Old")));
        world.apply(0, &page).await;
        assert_eq!(
            places(&world).await,
            expected(&[("a", "Old"), ("b", "Old")])
        );
        let add = async |id: &str, words: &str| {
            let now = at("2026-07-02T00:00:00Z");
            let who = Administrator::command_line(world.publishers[0].id, now);
            let note = who.note().unwrap();
            name(&world.store, world.write(0), (id, words), &note)
                .await
                .unwrap()
        };
        assert_eq!(add("8", "Old").await, Named::NoAdSpace);
        assert_eq!(add("7", "NEW").await, Named::Same);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_actiongraph"))
            .args(["ad-space", "alias", "--publisher", "publisher-1"])
            .args(["--ad-space", "7", "OLD", "--database-url", &world.url])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && told.contains("2 actions moved to it"),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(places(&world).await, expected(&[("a", "7"), ("b", "7")]));
        assert_eq!(add("7", "Old").await, Named::Same);
        world.apply(0, &page).await;
        assert_eq!(world.rows::<ad_space::Entity>(0).await.len(), 1);
        // A name that another ad space has now leads to that one.
        list(&world, "13", &[("9", "Shop")]).await;
        let elsewhere = Named::Added {
            moved: 0,
            leads_here: false,
        };
        assert_eq!(add("7", "Shop").await, elsewhere);
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}

#[test]
fn an_action_whose_program_is_known_by_its_id_stays_with_it() {
    block_on(async {
        let tell = async |world: &World, told: usize| {
            let (id, name, hour) = match told {
                0 => (Some("777"), None, "10"),
                1 => (None, Some("Some shop"), "14"),
                _ => (None, Some("SOME shop"), "09"),
            };
            let mut draft = draft("a", hour, None);
            draft.program = ProgramRef {
                external_id: id.map(str::to_owned),
                name: name.map(str::to_owned),
            };
            world.apply(0, &[draft]).await;
        };
        let world = in_all_orders(&tell, 3).await;
        let [action] = &world.rows::<action::Entity>(0).await[..] else {
            panic!("one action")
        };
        let programs = world.rows::<entity::program::Entity>(0).await;
        let program = programs.iter().find(|row| row.id == action.program_id);
        assert_eq!(program.unwrap().external_id.as_deref(), Some("777"));
    });
}

#[test]
fn an_ad_space_keeps_two_hundred_names_that_it_was_told_by_and_those_given_by_hand() {
    block_on(async {
        let world = World::new(1).await;
        let file: Vec<ActionDraft> = (0..250)
            .map(|number| {
                let named = space(Some("7"), Some(&format!("Name {number:03}")));
                draft(&format!("a{number}"), "09", named)
            })
            .collect();
        world.apply(0, &file).await;
        let names = async || -> Vec<String> {
            let rows = world.rows::<ad_space::Entity>(0).await;
            serde_json::from_str(rows[0].former_names.as_deref().unwrap()).unwrap()
        };
        assert_eq!(names().await.len(), 200);
        let who = Administrator::command_line(world.publishers[0].id, at("2026-07-02T00:00:00Z"));
        let (scope, note) = (world.write(0), who.note().unwrap());
        let added = name(&world.store, scope, ("7", "By hand"), &note).await;
        assert!(matches!(
            added.unwrap(),
            Named::Added {
                leads_here: true,
                ..
            }
        ));
        assert_eq!(names().await.len(), 201);
        world
            .apply(0, &[draft("b", "10", by_name("by HAND"))])
            .await;
        assert_eq!(places(&world).await["b"], "7");
        assert_eq!(world.drift(0).await, Vec::<String>::new());
    });
}
