//! Ad spaces: lists and look-ups.

use super::convert::to_ad_space;
use super::listing::{Listing, look_ups};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{AdSpaceTest, Filter, Value};
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::records::AdSpace;
use crate::domain::scope::ReadScope;
use crate::domain::text::fold;
use entity::ad_space;
use uuid::Uuid;

/// What ad spaces can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdSpaceSort {
    /// Name, folded.
    Name,
    /// Upstream id, as text.
    ExternalId,
}

struct Adspaces;

impl Listing for Adspaces {
    type Entity = ad_space::Entity;
    type Record = AdSpace;
    type Test = AdSpaceTest;
    type Sort = AdSpaceSort;
    const TABLE: &'static str = "ad_spaces";

    fn column(sort: AdSpaceSort) -> (&'static str, bool) {
        match sort {
            AdSpaceSort::Name => ("name_folded", false),
            AdSpaceSort::ExternalId => ("external_id", true),
        }
    }

    fn value(record: &AdSpace, sort: AdSpaceSort) -> Value {
        match sort {
            AdSpaceSort::Name => fold(&record.name).into(),
            AdSpaceSort::ExternalId => record.external_id.clone().into(),
        }
    }

    fn id(record: &AdSpace) -> Uuid {
        record.id
    }

    fn record(model: ad_space::Model) -> Result<AdSpace> {
        Ok(to_ad_space(model))
    }
}

look_ups!(Adspaces, AdSpace, AdSpaceTest, AdSpaceSort);

/// All ad spaces of a publisher, in the order of their names: one statement.
///
/// # Errors
/// When the database fails.
pub async fn all(tx: &ReadTx, scope: ReadScope) -> Result<Vec<AdSpace>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM ad_spaces t WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.name_folded, t.id");
    let rows = tx.models::<ad_space::Entity>(sql).await?;
    Ok(rows.into_iter().map(to_ad_space).collect())
}
