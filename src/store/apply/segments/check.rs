//! Why a segment cannot be written: seen under the publisher's lock, so that nothing comes in beside it.

use super::Refused;
use crate::domain::error::{Error, Result};
use crate::domain::id::PublisherId;
use crate::domain::money::Currency;
use crate::domain::rule::{Definitions, Refers as _, Rule, RuleLimits, Segment};
use crate::domain::segment::SegmentSettings;
use crate::store::definitions::{name_key, to_definitions, write_definitions};
use crate::store::segment_settings::read as read_settings;
use crate::store::tx::WriteTx;
use sea_orm::DbErr;
use uuid::Uuid;

/// What was stored cannot be read.
pub(super) fn broken(error: &Error) -> DbErr {
    DbErr::Custom(error.to_string())
}

/// Whether another segment has the name.
pub(super) async fn check_name(
    tx: &WriteTx,
    publisher: PublisherId,
    segment: &Segment,
) -> Result<Option<Refused>, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT t.id FROM segments t WHERE t.publisher_id = ")
        .bind(publisher.0)
        .push(" AND t.name_key = ")
        .bind(name_key(segment))
        .push(" AND t.id <> ")
        .bind(segment.id);
    let is_taken = !tx.rows(sql).await?.is_empty();
    Ok(is_taken.then_some(Refused::NameTaken))
}

/// Segments and what they name, as they are under the lock.
pub(super) async fn definitions(
    tx: &WriteTx,
    (publisher, limits): (PublisherId, &RuleLimits),
    ids: &[Uuid],
) -> Result<Definitions, DbErr> {
    let mut sql = tx.sql();
    write_definitions(publisher, ids, &mut sql);
    let all = to_definitions(&tx.rows(sql).await?).map_err(|error| broken(&error))?;
    Ok(all.within(*limits))
}

/// Why a rule cannot be that of a segment, as all segments and the publisher's settings are under the lock.
pub(super) async fn check_rule(
    tx: &WriteTx,
    (publisher, limits): (PublisherId, &RuleLimits),
    id: Uuid,
    rule: &Rule,
) -> Result<Option<Refused>, DbErr> {
    let named: Vec<Uuid> = rule.clone().named().into_iter().collect();
    if named.is_empty() {
        return match rule.size().excess(limits) {
            Some(excess) => Ok(Some(too_large(&excess))),
            None => check_settings(tx, publisher, rule).await,
        };
    }
    let all = definitions(tx, (publisher, limits), &named).await?;
    let gone = named.iter().filter_map(|id| match all.segment(*id) {
        None => Some(id.to_string()),
        Some(segment) if segment.archived_at.is_some() => Some(segment.name.clone()),
        Some(_) => None,
    });
    let gone: Vec<String> = gone.collect();
    if !gone.is_empty() {
        return Ok(Some(Refused::NamesArchived(gone)));
    }
    if let Some(way) = all.cycle(id, rule) {
        return Ok(Some(Refused::Cycle(way)));
    }
    let excess = match all.size(rule) {
        Ok(size) => size.excess(limits),
        Err(error) => Some(error),
    };
    match excess {
        Some(excess) => Ok(Some(too_large(&excess))),
        None => check_settings(tx, publisher, rule).await,
    }
}

fn too_large(excess: &Error) -> Refused {
    Refused::TooLarge(excess.passed(), excess.message().to_owned())
}

/// Why a rule does not go with the publisher's settings as they are under the lock.
async fn check_settings(
    tx: &WriteTx,
    publisher: PublisherId,
    rule: &Rule,
) -> Result<Option<Refused>, DbErr> {
    if rule.scored_in().is_empty() {
        return Ok(None);
    }
    let mut sql = tx.sql();
    sql.push(
        "SELECT p.currency, t.parameters FROM publishers p LEFT JOIN segment_settings t ON t.publisher_id = ",
    )
    .bind(publisher.0)
    .push(" WHERE p.id = ")
    .bind(publisher.0);
    let rows = tx.rows(sql).await?;
    let row = rows
        .first()
        .ok_or_else(|| DbErr::RecordNotFound("publishers".into()))?;
    let main: String = row.try_get("", "currency")?;
    let main = Currency::parse(&main).map_err(|error| DbErr::Custom(error.to_string()))?;
    let set: Option<String> = row.try_get("", "parameters")?;
    let settings = match set {
        None => SegmentSettings::default(),
        Some(text) => read_settings(&text)
            .ok_or_else(|| DbErr::Custom("stored segment settings cannot be read".to_owned()))?,
    };
    let unfit = rule
        .unfit_settings(&settings.users, main)
        .into_iter()
        .next();
    Ok(unfit.map(|(currency, problem)| Refused::Unscored(currency, problem.message)))
}

/// Why a rule cannot be the new one of a segment: by itself, or for those that name the segment, at any distance.
pub(super) async fn check_change(
    tx: &WriteTx,
    (publisher, limits): (PublisherId, &RuleLimits),
    segment: &Segment,
    rule: &Rule,
) -> Result<Option<Refused>, DbErr> {
    if let Some(refused) = check_rule(tx, (publisher, limits), segment.id, rule).await? {
        return Ok(Some(refused));
    }
    let mut sql = tx.sql();
    sql.push("WITH RECURSIVE up(id) AS (SELECT u.segment_id FROM segment_uses u WHERE u.publisher_id = ")
        .bind(publisher.0)
        .push(" AND u.used_id = ")
        .bind(segment.id)
        .push(" UNION SELECT u.segment_id FROM up n JOIN segment_uses u ON u.used_id = n.id AND u.publisher_id = ")
        .bind(publisher.0)
        .push(") SELECT t.id FROM up n JOIN segments t ON t.id = n.id WHERE t.publisher_id = ")
        .bind(publisher.0)
        // One that is archived is checked when it is restored.
        .push(" AND t.archived_at_us IS NULL ORDER BY t.name_key");
    let rows = tx.rows(sql).await?;
    let above: Vec<Uuid> = rows
        .iter()
        .map(|row| row.try_get("", "id"))
        .collect::<Result<_, DbErr>>()?;
    if above.is_empty() {
        return Ok(None);
    }
    let named = rule.clone().named().into_iter();
    let ids: Vec<Uuid> = above.iter().copied().chain(named).collect();
    let mut all = definitions(tx, (publisher, limits), &ids).await?;
    all.extend(Definitions::new([(segment.clone(), rule.clone())]));
    let unfit = above.into_iter().find_map(|id| {
        let error = all.check_size(id).err()?;
        let name = all.segment(id)?.name.clone();
        let words = error.message().to_owned();
        Some(Refused::TooLargeFor(name, error.passed(), words))
    });
    Ok(unfit)
}
