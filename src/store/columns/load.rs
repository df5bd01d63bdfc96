//! Reading facts into rows of columns: page by page in the order of time, or those that have changed.

use super::super::convert::inconsistent;
use super::super::error::from_db;
use super::super::sql::Sql;
use super::super::tx::ReadTx;
use super::chunk::{ActionRow, ItemRow, Place};
use super::names::Directory;
use super::snapshot::Mark;
use crate::domain::action::{ActionType, Status};
use crate::domain::error::Result;
use crate::domain::money::Currency;
use crate::domain::scope::ReadScope;
use sea_orm::{QueryResult, TryGetable};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How many actions one statement reads: they are decoded between two looks at what else there is to do.
pub(super) const PAGE: usize = 4_096;
/// How many changes one statement reads.
const CHANGES: usize = 10_000;

const ACTION: &str = "SELECT a.id, a.ordered_at_us, a.status, a.action_type, a.currency, a.program_id, a.ad_space_id, a.user_id, \
     a.country, a.device, a.paid, a.reward_e4, a.order_amount_e4 FROM actions a WHERE a.publisher_id = ";
const ITEM: &str = "SELECT i.action_id, i.product_id, i.category_id, i.units, i.amount_e4, i.reward_e4 FROM action_items i \
     WHERE i.publisher_id = ";

/// The value of a row by the number of its column.
fn get<T: TryGetable>(row: &QueryResult, column: usize) -> Result<T> {
    row.try_get_by_index(column)
        .map_err(|error| from_db(&error))
}

/// The next actions behind one, in the order of time, with their carts: two statements. Nothing where there are no
/// numbers for all of their names.
pub(super) async fn page(
    tx: &ReadTx,
    scope: ReadScope,
    names: &mut Directory,
    after: (i64, Uuid),
) -> Result<Option<Vec<ActionRow>>> {
    let mut sql = tx.sql();
    sql.push(ACTION).bind(scope.publisher().0);
    sql.push(" AND (a.ordered_at_us, a.id) > (")
        .bind(after.0)
        .push(", ")
        .bind(after.1);
    sql.push(") ORDER BY a.ordered_at_us, a.id LIMIT ")
        .bind(i64::try_from(PAGE).unwrap_or(i64::MAX));
    rows(tx, scope, names, sql).await
}

/// Those of the actions that are among the facts, up to [`PAGE`] of them, with their carts: two statements; nothing likewise.
pub(super) async fn by_id(
    tx: &ReadTx,
    scope: ReadScope,
    names: &mut Directory,
    ids: &[Uuid],
) -> Result<Option<Vec<ActionRow>>> {
    let mut sql = tx.sql();
    sql.push(ACTION).bind(scope.publisher().0);
    sql.push(" AND a.id IN ").bind_all(ids.iter().copied());
    rows(tx, scope, names, sql).await
}

async fn rows(
    tx: &ReadTx,
    scope: ReadScope,
    names: &mut Directory,
    sql: Sql,
) -> Result<Option<Vec<ActionRow>>> {
    let found = tx.rows(sql).await?;
    let mut rows = Vec::with_capacity(found.len());
    for row in &found {
        let Some(row) = action(row, names)? else {
            return Ok(None);
        };
        rows.push(row);
    }
    drop(found);
    if rows.is_empty() {
        return Ok(Some(rows));
    }
    let places: HashMap<Uuid, usize> = rows
        .iter()
        .enumerate()
        .map(|(place, row): (usize, &ActionRow)| (row.id, place))
        .collect();
    let mut sql = tx.sql();
    sql.push(ITEM).bind(scope.publisher().0);
    sql.push(" AND i.action_id IN ")
        .bind_all(rows.iter().map(|row| row.id));
    for row in &tx.rows(sql).await? {
        let id: Uuid = get(row, 0)?;
        let item = item(row, names)?;
        let place = places.get(&id).copied().unwrap_or(usize::MAX);
        if let Some(row) = rows.get_mut(place) {
            row.items.push(item);
        }
    }
    Ok(Some(rows))
}

/// An action without its cart; nothing where one of its names has a number that the columns cannot hold.
fn action(row: &QueryResult, names: &mut Directory) -> Result<Option<ActionRow>> {
    let id: Uuid = get(row, 0)?;
    let odd = |column: &str| inconsistent("actions", id, column);
    let (status, kind): (String, String) = (get(row, 2)?, get(row, 3)?);
    let code: String = get(row, 4)?;
    let currency = Currency::parse(&code).map_err(|_| odd("currency"))?;
    let program: Uuid = get(row, 5)?;
    let space: Option<Uuid> = get(row, 6)?;
    let user: Option<Uuid> = get(row, 7)?;
    let country: Option<String> = get(row, 8)?;
    let device: Option<String> = get(row, 9)?;
    let space = space.map_or(0, |id| names.spaces.place(&id));
    let country = country.map_or(0, |code| names.countries.place(&code));
    let device = device.map_or(0, |word| names.devices.place(&word));
    let currency = names.currencies.place(&currency);
    let program = names.programs.place(&program);
    let narrow = |place: Place| u16::try_from(place).ok();
    let numbers = || {
        let named = [program, space, country, device].map(narrow);
        let [Some(program), Some(space), Some(country), Some(device)] = named else {
            return None;
        };
        Some((
            u8::try_from(currency).ok()?,
            program,
            space,
            country,
            device,
        ))
    };
    let Some((currency, program, space, country, device)) = numbers() else {
        return Ok(None);
    };
    Ok(Some(ActionRow {
        id,
        at: get(row, 1)?,
        status: Status::parse(&status).ok_or_else(|| odd("status"))?,
        kind: ActionType::parse(&kind).ok_or_else(|| odd("action_type"))?,
        currency,
        program,
        space,
        user: user.map_or(0, |id| names.users.place(&id)),
        country,
        device,
        paid: get(row, 10)?,
        reward: get(row, 11)?,
        amount: get(row, 12)?,
        items: Vec::new(),
    }))
}

fn item(row: &QueryResult, names: &mut Directory) -> Result<ItemRow> {
    let (product, category): (Option<Uuid>, Option<Uuid>) = (get(row, 1)?, get(row, 2)?);
    Ok(ItemRow {
        product: product.map_or(0, |id| names.products.place(&id)),
        category: category.map_or(0, |id| names.categories.place(&id)),
        units: get(row, 3)?,
        amount: get(row, 4)?,
        reward: get(row, 5)?,
    })
}

/// What the change log says from a number on.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The change of that number.
    pub first: Mark,
    /// The actions that changed after it.
    pub actions: HashSet<Uuid>,
}

/// The changes from a number on up to another: a statement for up to [`CHANGES`] of them.
pub(super) async fn changes(tx: &ReadTx, scope: ReadScope, from: i64, to: i64) -> Result<Changes> {
    let mut changes = Changes::default();
    let mut next = from;
    while next <= to {
        let mut sql = tx.sql();
        sql.push(
            "SELECT c.seq, c.action_id, c.run_id FROM action_changes c WHERE c.publisher_id = ",
        )
        .bind(scope.publisher().0);
        sql.push(" AND c.seq >= ").bind(next);
        sql.push(" AND c.seq <= ").bind(to);
        sql.push(" ORDER BY c.seq LIMIT ")
            .bind(i64::try_from(CHANGES).unwrap_or(i64::MAX));
        let rows = tx.rows(sql).await?;
        for row in &rows {
            let seq: i64 = get(row, 0)?;
            let action: Uuid = get(row, 1)?;
            if seq == from {
                changes.first = Some((action, get(row, 2)?));
            } else {
                changes.actions.insert(action);
            }
            next = seq + 1;
        }
        if rows.len() < CHANGES {
            break;
        }
    }
    Ok(changes)
}

/// The change of a number: one statement.
pub(super) async fn mark(tx: &ReadTx, scope: ReadScope, seq: i64) -> Result<Mark> {
    Ok(changes(tx, scope, seq, seq).await?.first)
}
