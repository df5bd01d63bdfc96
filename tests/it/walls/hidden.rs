//! A key that is not told of rewards: whatever it asks, the answer is the one that it gets where all rewards are others. The
//! questions are made from the schema itself.

use serde_json::json;
use std::collections::BTreeSet;

use super::{Plain, bring_clicks, said};
use crate::support::api::Api;
use crate::support::asking::Asking;
use crate::support::furnish;
use crate::support::world::{World, block_on};
use actiongraph::domain::draft::ActionDraft;
use actiongraph::domain::limits::Limits;

/// A world in which the numbered action, and what is in its cart, brought a reward of the caller's.
async fn world_of(reward: impl Fn(i64) -> i64) -> World {
    let world = World::new(1).await;
    let all = Plain::all();
    let drafts = all.iter().flat_map(|plain| {
        let number = i64::try_from(plain.number).unwrap();
        let mut drafts = plain.drafts(true);
        for draft in &mut drafts {
            draft.standing.reward_e4 = reward(number);
            for item in &mut draft.items {
                item.reward_e4 = reward(item.amount_e4) / 7;
                item.rate_e4 = Some(reward(item.amount_e4));
            }
        }
        drafts
    });
    let drafts: Vec<ActionDraft> = drafts.collect();
    world.apply(0, &drafts).await;
    bring_clicks(&world, 0, &all.iter().collect::<Vec<_>>()).await;
    furnish::settings(&world, 0, &[]).await;
    world
}

#[test]
fn rewards_change_nothing_that_a_key_without_them_is_told() {
    block_on(async {
        let rising = world_of(|number| number * 7_777 + 10_000).await;
        let falling = world_of(|number| 90_000_000 - number * number * 333).await;
        let limits = Limits {
            hide_reward: true,
            ..Limits::default()
        };
        let [one, other] = [&rising, &falling].map(|world| Api::limited(world, 0, limits.clone()));
        let whole = Api::of(&rising, 0);
        let mut asking = Asking::of(&whole).await;
        let some = "{ products(first: 2) { nodes { id } } users(first: 2) { nodes { id } } actions(first: 2) { nodes { id } } }";
        let mut found = BTreeSet::new();
        super::ids(&whole.data(some, &json!({})).await, &mut found);
        asking.ids = found.into_iter().collect();
        asking.texts = vec!["user 3".to_owned()];
        let mut asked = asking.every_field();
        for field in asking.root_fields() {
            asked.extend(asking.branches(&field));
            asked.extend(asking.arguments(&field));
        }
        asked.extend(asking.below());
        let (mut told, mut refused, mut wrong) = (0, 0, Vec::new());
        for query in asked {
            let here = said(one.answer(&query, &json!({})).await);
            let there = said(other.answer(&query, &json!({})).await);
            match here["errors"][0]["extensions"]["code"].as_str() {
                None => told += 1,
                Some("FORBIDDEN") => refused += 1,
                Some(_) => {}
            }
            if here != there {
                wrong.push(format!("{query}\nsays {here}\nor   {there}"));
            }
        }
        assert!(
            told > 200 && refused > 50,
            "{told} were answered, {refused} refused"
        );
        let count = wrong.len();
        wrong.truncate(6);
        assert_eq!(count, 0, "{}", wrong.join("\n\n"));
    });
}
