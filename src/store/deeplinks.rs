//! Templates of affiliate links, read back.

use super::convert::{inconsistent, instant};
use super::tx::ReadTx;
use crate::domain::deeplink::Template;
use crate::domain::error::Result;
use crate::domain::scope::ReadScope;
use crate::domain::traffic::{Deeplink, DeeplinkSource};
use entity::deeplink;

/// All templates that are stored for a publisher, in the order of their ad spaces and programs: one statement.
///
/// # Errors
/// When the database fails.
pub async fn stored(tx: &ReadTx, scope: ReadScope) -> Result<Vec<Deeplink>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM deeplinks t WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.ad_space_id, t.program_id, t.source");
    let rows = tx.models::<deeplink::Entity>(sql).await?;
    rows.into_iter().map(to_deeplink).collect()
}

fn to_deeplink(row: deeplink::Model) -> Result<Deeplink> {
    const TABLE: &str = "deeplinks";
    let key = (row.ad_space_id, row.program_id);
    let source = DeeplinkSource::parse(&row.source);
    let extra = serde_json::from_str(&row.extra);
    Ok(Deeplink {
        ad_space_id: row.ad_space_id,
        program_id: row.program_id,
        source: source.ok_or_else(|| inconsistent(TABLE, key, "source"))?,
        template: Template::stored(
            row.base,
            row.target_parameter,
            extra.map_err(|_| inconsistent(TABLE, key, "extra"))?,
        ),
        changed_at: Some(instant(row.changed_at_us, TABLE, "changed_at_us")?),
    })
}
