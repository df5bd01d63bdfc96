//! The totals of a batch: what its changes took out and put in, written in the transaction of the facts.

use super::super::sql::insert::{Conflict, added, delete_empty, insert};
use super::super::sql::statuses::is_counted;
use super::super::tx::WriteTx;
use crate::domain::contribution::{ActionSums, Deltas, ItemSums, Levels, Lifetime, TimeKey};
use crate::domain::id::PublisherId;
use crate::domain::time::Instant;
use crate::domain::totals::Total;
use entity::{
    product_lifetimes, totals_audience, totals_category, totals_channel, totals_product,
    totals_time, user_lifetimes,
};
use sea_orm::{DbErr, ModelTrait};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Stands for the first order where nothing came: later than every instant.
const NEVER: i64 = i64::MAX;

/// The levels of the categories that items name: a statement for up to [`IDS`](super::super::listing::IDS) of them.
pub(super) async fn levels(
    tx: &WriteTx,
    publisher: PublisherId,
    categories: &BTreeSet<Uuid>,
) -> Result<Levels, DbErr> {
    let mut levels = Levels::new();
    let categories: Vec<Uuid> = categories.iter().copied().collect();
    for ids in categories.chunks(super::super::listing::IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT id, level1_id, level2_id FROM categories WHERE publisher_id = ")
            .bind(publisher.0);
        sql.push(" AND ").among("id", ids);
        for row in tx.rows(sql).await? {
            let above = (row.try_get("", "level1_id")?, row.try_get("", "level2_id")?);
            levels.insert(row.try_get("", "id")?, above);
        }
    }
    Ok(levels)
}

/// Writes the differences. The facts are written already: a first order that went is looked up among them.
pub(super) async fn write(
    tx: &WriteTx,
    publisher: PublisherId,
    deltas: Deltas,
) -> Result<(), DbErr> {
    let deltas = deltas.folded();
    let rows: Vec<_> = deltas
        .time
        .iter()
        .map(|(key, sums)| time_row(publisher, key, sums))
        .collect();
    add(tx, &rows, Total::Time, |row| row.actions).await?;
    let rows: Vec<_> = deltas
        .channel
        .iter()
        .map(|((time, program, space), sums)| {
            let row = time_row(publisher, time, sums);
            channel_row(row, *program, *space)
        })
        .collect();
    add(tx, &rows, Total::Channel, |row| row.actions).await?;
    let rows: Vec<_> = deltas
        .audience
        .iter()
        .map(
            |(((time, program, space), country, device, action_type), sums)| {
                let row = channel_row(time_row(publisher, time, sums), *program, *space);
                audience_row(row, [country, device, action_type])
            },
        )
        .collect();
    add(tx, &rows, Total::Audience, |row| row.actions).await?;
    let rows: Vec<_> = deltas
        .category
        .iter()
        .map(|((tier, time, category), sums)| {
            let row = product_row(publisher, time, *category, sums);
            category_row(row, tier.number())
        })
        .collect();
    // The tier beyond level 1 takes off what is not there: its rows come to nothing from both sides.
    add(tx, &rows, Total::Category, |row| {
        if row.tier == 2 { -1 } else { row.actions }
    })
    .await?;
    let rows: Vec<_> = deltas
        .product
        .iter()
        .map(|((time, product), sums)| product_row(publisher, time, *product, sums))
        .collect();
    add(tx, &rows, Total::Product, |row| row.actions).await?;
    write_products(tx, publisher, &deltas.products).await?;
    write_users(tx, publisher, &deltas.users).await
}

/// Adds rows to a total, and removes those that came to nothing, which only a row of less can do.
async fn add<M: ModelTrait + Clone>(
    tx: &WriteTx,
    rows: &[M],
    total: Total,
    actions: impl Fn(&M) -> i64,
) -> Result<(), DbErr> {
    insert(tx, rows, Conflict::Add(total.sums(), None)).await?;
    let less: Vec<M> = rows
        .iter()
        .filter(|row| actions(row) < 0)
        .cloned()
        .collect();
    delete_empty(tx, &less, total.sums()).await.map(|_| ())
}

fn time_row(
    publisher: PublisherId,
    ((grain, cell), status, currency): &TimeKey,
    sums: &ActionSums,
) -> totals_time::Model {
    let [
        actions,
        units,
        order_amount_e4,
        amounted,
        reward_e4,
        paid_e4,
        items_amount_e4,
        items_reward_e4,
        carted,
    ] = *sums;
    totals_time::Model {
        publisher_id: publisher.0,
        grain: grain.number(),
        cell: *cell,
        status: status.as_str().to_owned(),
        currency: currency.as_str().to_owned(),
        actions,
        units,
        order_amount_e4,
        amounted,
        reward_e4,
        paid_e4,
        items_amount_e4,
        items_reward_e4,
        carted,
    }
}

fn channel_row(
    row: totals_time::Model,
    program_id: Uuid,
    ad_space_id: Uuid,
) -> totals_channel::Model {
    totals_channel::Model {
        publisher_id: row.publisher_id,
        grain: row.grain,
        cell: row.cell,
        status: row.status,
        currency: row.currency,
        program_id,
        ad_space_id,
        actions: row.actions,
        units: row.units,
        order_amount_e4: row.order_amount_e4,
        amounted: row.amounted,
        reward_e4: row.reward_e4,
        paid_e4: row.paid_e4,
        items_amount_e4: row.items_amount_e4,
        items_reward_e4: row.items_reward_e4,
        carted: row.carted,
    }
}

fn audience_row(
    row: totals_channel::Model,
    [country, device, action_type]: [&str; 3],
) -> totals_audience::Model {
    totals_audience::Model {
        publisher_id: row.publisher_id,
        grain: row.grain,
        cell: row.cell,
        status: row.status,
        currency: row.currency,
        program_id: row.program_id,
        ad_space_id: row.ad_space_id,
        country: country.to_owned(),
        device: device.to_owned(),
        action_type: action_type.to_owned(),
        actions: row.actions,
        units: row.units,
        order_amount_e4: row.order_amount_e4,
        amounted: row.amounted,
        reward_e4: row.reward_e4,
        paid_e4: row.paid_e4,
        items_amount_e4: row.items_amount_e4,
        items_reward_e4: row.items_reward_e4,
        carted: row.carted,
    }
}

fn product_row(
    publisher: PublisherId,
    ((grain, cell), status, currency): &TimeKey,
    product_id: Uuid,
    [actions, units, order_amount_e4, reward_e4]: &ItemSums,
) -> totals_product::Model {
    totals_product::Model {
        publisher_id: publisher.0,
        grain: grain.number(),
        cell: *cell,
        status: status.as_str().to_owned(),
        currency: currency.as_str().to_owned(),
        product_id,
        actions: *actions,
        units: *units,
        order_amount_e4: *order_amount_e4,
        reward_e4: *reward_e4,
    }
}

fn category_row(row: totals_product::Model, tier: i32) -> totals_category::Model {
    totals_category::Model {
        publisher_id: row.publisher_id,
        tier,
        grain: row.grain,
        cell: row.cell,
        status: row.status,
        currency: row.currency,
        category_id: row.product_id,
        actions: row.actions,
        units: row.units,
        order_amount_e4: row.order_amount_e4,
        reward_e4: row.reward_e4,
    }
}

async fn write_products(
    tx: &WriteTx,
    publisher: PublisherId,
    lifetimes: &BTreeMap<Uuid, Lifetime>,
) -> Result<(), DbErr> {
    let row = |id: Uuid, actions: i64, units: i64, first: i64| product_lifetimes::Model {
        publisher_id: publisher.0,
        product_id: id,
        actions,
        units,
        first_ordered_at_us: first,
    };
    let rows: Vec<_> = lifetimes
        .iter()
        .map(|(id, life)| row(*id, life.actions, life.units, came(life)))
        .collect();
    let sums = &["actions", "units"];
    insert(tx, &rows, Conflict::Add(sums, Some("first_ordered_at_us"))).await?;
    let less: Vec<_> = rows.iter().filter(|row| row.actions < 0).cloned().collect();
    delete_empty(tx, &less, &["actions"]).await?;
    let again = began(
        tx,
        publisher,
        ("product_lifetimes", "product_id"),
        lifetimes,
    )
    .await?;
    let from =
        "action_items i JOIN actions a ON a.publisher_id = i.publisher_id AND a.id = i.action_id";
    let firsts = firsts(tx, publisher, ("i.product_id", from), &again).await?;
    let rows: Vec<_> = firsts
        .into_iter()
        .map(|(id, at)| row(id, 0, 0, at))
        .collect();
    insert(tx, &rows, Conflict::Set("first_ordered_at_us"))
        .await
        .map(|_| ())
}

async fn write_users(
    tx: &WriteTx,
    publisher: PublisherId,
    lifetimes: &BTreeMap<Uuid, Lifetime>,
) -> Result<(), DbErr> {
    let row = |id: Uuid, actions: i64, first: i64| user_lifetimes::Model {
        publisher_id: publisher.0,
        user_id: id,
        actions,
        first_ordered_at_us: first,
    };
    let rows: Vec<_> = lifetimes
        .iter()
        .map(|(id, life)| row(*id, life.actions, came(life)))
        .collect();
    insert(
        tx,
        &rows,
        Conflict::Add(&["actions"], Some("first_ordered_at_us")),
    )
    .await?;
    let less: Vec<_> = rows.iter().filter(|row| row.actions < 0).cloned().collect();
    delete_empty(tx, &less, &["actions"]).await?;
    let again = began(tx, publisher, ("user_lifetimes", "user_id"), lifetimes).await?;
    let firsts = firsts(tx, publisher, ("a.user_id", "actions a"), &again).await?;
    let rows: Vec<_> = firsts.into_iter().map(|(id, at)| row(id, 0, at)).collect();
    insert(tx, &rows, Conflict::Set("first_ordered_at_us"))
        .await
        .map(|_| ())
}

fn came(life: &Lifetime) -> i64 {
    life.first_came.map_or(NEVER, Instant::micros)
}

/// The lifetimes that began with an order that went: their beginning is to be found anew.
async fn began(
    tx: &WriteTx,
    publisher: PublisherId,
    (table, key): (&str, &str),
    lifetimes: &BTreeMap<Uuid, Lifetime>,
) -> Result<Vec<Uuid>, DbErr> {
    let went: Vec<Uuid> = lifetimes
        .iter()
        .filter(|(_, life)| life.first_went.is_some())
        .map(|(id, _)| *id)
        .collect();
    let mut again = Vec::new();
    for ids in went.chunks(super::super::listing::IDS) {
        let mut sql = tx.sql();
        sql.push(&format!(
            "SELECT {key} AS id, first_ordered_at_us FROM {table} WHERE publisher_id = "
        ))
        .bind(publisher.0);
        sql.push(" AND ").among(key, ids);
        for row in tx.rows(sql).await? {
            let id: Uuid = row.try_get("", "id")?;
            let first: i64 = row.try_get("", "first_ordered_at_us")?;
            let went = lifetimes.get(&id).and_then(|life| life.first_went);
            if went.is_some_and(|went| went.micros() <= first) {
                again.push(id);
            }
        }
    }
    Ok(again)
}

/// The first counted orders, from the facts.
async fn firsts(
    tx: &WriteTx,
    publisher: PublisherId,
    (key, from): (&str, &str),
    ids: &[Uuid],
) -> Result<Vec<(Uuid, i64)>, DbErr> {
    let mut found = Vec::new();
    for ids in ids.chunks(super::super::listing::IDS) {
        let mut sql = tx.sql();
        sql.push(&format!(
            "SELECT {key} AS id, MIN(a.ordered_at_us) AS first_at FROM {from} WHERE a.publisher_id = "
        ))
        .bind(publisher.0);
        sql.push(" AND ")
            .push(&is_counted("a"))
            .push(" AND ")
            .among(key, ids)
            .push(&format!(" GROUP BY {key}"));
        for row in tx.rows(sql).await? {
            found.push((row.try_get("", "id")?, row.try_get("", "first_at")?));
        }
    }
    Ok(found)
}

/// An ad space turned out to be another one: its sums become that one's.
pub(super) async fn move_ad_space(
    tx: &WriteTx,
    publisher: PublisherId,
    old: Uuid,
    new: Uuid,
) -> Result<(), DbErr> {
    for total in [Total::Channel, Total::Audience] {
        let table = total.table();
        let keys: Vec<&str> = ["publisher_id", "grain", "cell"]
            .into_iter()
            .chain(total.keys().iter().copied())
            .collect();
        let columns: Vec<&str> = keys.iter().chain(total.sums()).copied().collect();
        let mut sql = tx.sql();
        sql.push(&format!(
            "INSERT INTO {table} ({}) SELECT ",
            columns.join(", ")
        ));
        for (place, column) in columns.iter().enumerate() {
            sql.push(if place == 0 { "" } else { ", " });
            if *column == "ad_space_id" {
                sql.bind(new);
            } else {
                sql.push(column);
            }
        }
        sql.push(&format!(" FROM {table} WHERE publisher_id = "))
            .bind(publisher.0);
        sql.push(" AND ad_space_id = ").bind(old);
        let sets: Vec<String> = total.sums().iter().map(|name| added(table, name)).collect();
        sql.push(&format!(
            " ON CONFLICT ({}) DO UPDATE SET {}",
            keys.join(", "),
            sets.join(", ")
        ));
        tx.execute(sql).await?;
        let mut sql = tx.sql();
        sql.push(&format!("DELETE FROM {table} WHERE publisher_id = "))
            .bind(publisher.0);
        sql.push(" AND ad_space_id = ").bind(old);
        tx.execute(sql).await?;
    }
    Ok(())
}
