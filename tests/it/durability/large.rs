//! Large numbers: money beyond what a float can hold, and more values than a statement can bind.

use super::{Desk, draft};
use crate::support::fresh_store;
use actiongraph::analytics::top;
use actiongraph::domain::action::{Slot, SlotValue};
use actiongraph::domain::draft::action_id;
use actiongraph::domain::filter::Filter;
use actiongraph::store::{ReadTx, actions};
use uuid::Uuid;

/// Beyond 2^53, and odd: a float would change it.
const MUCH: i64 = 12_345_678_901_234_567;

#[tokio::test]
async fn money_beyond_a_float_comes_back_as_it_went_in() {
    let (store, _) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    for (id, sign) in [("a", 1), ("b", 1), ("c", -1), ("d", 1)] {
        let mut rich = draft(id, 0);
        rich.standing.reward_e4 = sign * MUCH;
        rich.slots
            .insert(Slot::OrderAmount, SlotValue::Number(MUCH));
        rich.items[0].amount_e4 = sign * MUCH;
        desk.put(&[rich]).await.unwrap();
    }
    let tx = ReadTx::new(&store);
    let scope = desk.scope.read();
    let read = actions::by_external_id(&tx, scope, "c").await.unwrap();
    assert_eq!(read[0].reward_e4, -MUCH);
    assert_eq!(read[0].order_amount_e4, Some(MUCH));
    let items = actions::items_of(&tx, scope, &[read[0].id]).await.unwrap();
    assert_eq!(items[0].item.amount_e4, -MUCH);
    let all = Filter::All(Vec::new());
    let totals = top::totals_of_list(&tx, scope, None, &all).await.unwrap();
    let text = format!("{totals:?}");
    assert!(text.contains(&(2 * MUCH).to_string()), "rewards: {text}");
    assert!(
        text.contains(&(4 * MUCH).to_string()),
        "order amounts: {text}"
    );
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn more_rows_than_a_statement_can_bind_are_written_and_read() {
    let (store, _) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    // Some 45 columns each: more than 100,000 values, in one batch; and again, which reads them all first.
    let drafts = super::named("many", 3_000);
    assert_eq!(desk.put(&drafts).await.unwrap().inserted, 3_000);
    assert_eq!(desk.put(&drafts).await.unwrap().unchanged, 3_000);
    let publisher = desk.scope.publisher();
    let ids: Vec<Uuid> = (0..40_000)
        .map(|number| action_id(publisher, &format!("many/{number}")))
        .collect();
    let tx = ReadTx::new(&store);
    let found = actions::by_ids(&tx, desk.scope.read(), &ids).await.unwrap();
    assert_eq!(found.len(), 3_000);
    let items = actions::items_of(&tx, desk.scope.read(), &ids)
        .await
        .unwrap();
    assert_eq!(items.len(), 6_000);
    drop(tx);
    store.close().await;
}

/// As many actions, and as many products in their carts, as no statement could name at once.
#[tokio::test]
async fn a_batch_beyond_the_limit_of_variables_is_written() {
    let (store, _) = fresh_store().await;
    let desk = Desk::new(&store, "one").await;
    let mut drafts = super::named("huge", 70);
    for (number, large) in drafts.iter_mut().enumerate() {
        let item = large.items[0].clone();
        large.items = (0..1_000)
            .map(|place| {
                let mut item = item.clone();
                if let Some(product) = &mut item.product {
                    product.external_id = Some(format!("{}", number * 1_000 + place));
                }
                item
            })
            .collect();
    }
    assert_eq!(desk.put(&drafts).await.unwrap().inserted, 70);
    assert_eq!(desk.put(&drafts).await.unwrap().unchanged, 70);
    store.close().await;
}
