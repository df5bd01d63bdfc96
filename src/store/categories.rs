//! Categories: lists, look-ups, and the tree.

use super::convert::to_category;
use super::listing::{IDS, Listing, look_ups};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{CategoryTest, Filter, Value};
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::records::Category;
use crate::domain::scope::ReadScope;
use crate::domain::text::fold;
use entity::category;
use uuid::Uuid;

/// What categories can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CategorySort {
    /// Name, folded.
    Name,
    /// Level in the tree.
    Level,
    /// AliExpress category id, as text.
    ExternalId,
}

struct Categories;

impl Listing for Categories {
    type Entity = category::Entity;
    type Record = Category;
    type Test = CategoryTest;
    type Sort = CategorySort;
    const TABLE: &'static str = "categories";

    fn column(sort: CategorySort) -> (&'static str, bool) {
        match sort {
            CategorySort::Name => ("name_folded", false),
            CategorySort::Level => ("level", false),
            CategorySort::ExternalId => ("external_id", false),
        }
    }

    fn value(record: &Category, sort: CategorySort) -> Value {
        match sort {
            CategorySort::Name => fold(&record.name).into(),
            CategorySort::Level => i64::from(record.level).into(),
            CategorySort::ExternalId => record.external_id.clone().into(),
        }
    }

    fn id(record: &Category) -> Uuid {
        record.id
    }

    fn record(model: category::Model) -> Result<Category> {
        Ok(to_category(model))
    }
}

look_ups!(Categories, Category, CategoryTest, CategorySort);

/// The categories right below others, by name: one statement.
///
/// # Errors
/// When the database fails.
pub async fn children_of(tx: &ReadTx, scope: ReadScope, parents: &[Uuid]) -> Result<Vec<Category>> {
    let mut children = Vec::new();
    for ids in parents.chunks(IDS) {
        let mut sql = tx.sql();
        sql.push("SELECT t.* FROM categories t WHERE t.publisher_id = ")
            .bind(scope.publisher().0);
        sql.push(" AND t.parent_id IN ")
            .bind_all(ids.iter().copied())
            .push(" ORDER BY t.name_folded, t.id");
        children.extend(
            tx.models::<category::Entity>(sql)
                .await?
                .into_iter()
                .map(to_category),
        );
    }
    Ok(children)
}
