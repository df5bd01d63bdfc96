//! Products: lists, look-ups, and the products of categories.

use super::convert::to_product;
use super::listing::{self, Children, Listing, Wanted, look_ups};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{Filter, ProductTest, Value};
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::records::Product;
use crate::domain::scope::ReadScope;
use crate::domain::text::fold;
use entity::product;
use std::collections::HashMap;
use uuid::Uuid;

/// What products can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProductSort {
    /// Name, folded.
    Name,
    /// First order that carried it.
    FirstSeenAt,
    /// AliExpress product id, as text.
    ExternalId,
}

struct Products;

impl Listing for Products {
    type Entity = product::Entity;
    type Record = Product;
    type Test = ProductTest;
    type Sort = ProductSort;
    const TABLE: &'static str = "products";

    fn column(sort: ProductSort) -> (&'static str, bool) {
        match sort {
            ProductSort::Name => ("name_folded", true),
            ProductSort::FirstSeenAt => ("first_seen_us", false),
            ProductSort::ExternalId => ("external_id", true),
        }
    }

    fn value(record: &Product, sort: ProductSort) -> Value {
        match sort {
            ProductSort::Name => record.name.as_deref().map(fold).into(),
            ProductSort::FirstSeenAt => record.first_seen.micros().into(),
            ProductSort::ExternalId => record.external_id.clone().into(),
        }
    }

    fn id(record: &Product) -> Uuid {
        record.id
    }

    fn record(model: product::Model) -> Result<Product> {
        to_product(model)
    }
}

look_ups!(Products, Product, ProductTest, ProductSort);

/// A category's line upwards, itself included: at most three rows, each once.
const LINE_UPWARDS: &str = " JOIN (SELECT c.publisher_id, c.id, c.id AS above_id FROM categories c \
                UNION SELECT c.publisher_id, c.id, c.level2_id FROM categories c \
                UNION SELECT c.publisher_id, c.id, c.level1_id FROM categories c) line \
                ON line.publisher_id = t.publisher_id AND line.id = t.category_id";

/// A page of products for each category, those of the categories below it included: one statement for all of them.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn of_categories(
    tx: &ReadTx,
    scope: ReadScope,
    categories: &[Uuid],
    order: &[SortKey<ProductSort>],
    page: &PageRequest,
) -> Result<HashMap<Uuid, Page<Product>>> {
    let children = Children {
        parent: "line.above_id",
        join: LINE_UPWARDS,
        ids: categories,
    };
    let wanted = Wanted {
        filter: &Filter::default(),
        order,
        page,
        also: tx.sql(),
    };
    listing::of_parents::<Products>(tx, scope, &children, &wanted).await
}

/// How many products each category has, those of the categories below it included: one statement.
///
/// # Errors
/// When the database fails.
pub async fn counts_of_categories(
    tx: &ReadTx,
    scope: ReadScope,
    categories: &[Uuid],
) -> Result<HashMap<Uuid, i64>> {
    let children = Children {
        parent: "line.above_id",
        join: LINE_UPWARDS,
        ids: categories,
    };
    listing::counts_of_parents::<Products>(tx, scope, &children, &Filter::default(), &tx.sql())
        .await
}
