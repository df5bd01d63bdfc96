//! What carts and product feeds name: categories and products, brought up to date before the rows that hang on them.
//!
//! Each describing field is the newest state's that had one; equal stamps are settled by the value, so the order of
//! arrival does not matter. A product whose cart says a category by its name alone is in it as long as no other one says a
//! category by its id, also where the shipped tree has an id for that name: the name may stand for another category, which is
//! known by its id. A category that the shipped tree does not know hangs under the one "Unknown" node, whatever names it: its
//! place decides which totals it enters, so no feed moves it.

use super::super::publishers::category_id;
use super::super::sql::insert::{Conflict, insert};
use super::super::tx::WriteTx;
use super::dimensions::{describe, known};
use super::priority::arrived;
use crate::domain::action::SOURCE;
use crate::domain::catalog::{self, Catalog};
use crate::domain::draft::{ActionDraft, CategoryRef, DraftItem, ProductRef};
use crate::domain::id::{Kind, PublisherId, derive};
use crate::domain::text::fold;
use entity::{category, product};
use sea_orm::DbErr;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// The stamp of what any other stamp is newer than.
const NO_STAMP: i64 = 0;

/// The id of the category that something names.
pub(super) fn draft_category_id(publisher: PublisherId, reference: &CategoryRef) -> Uuid {
    category_id(
        publisher,
        Catalog::shipped().canonical(&reference.external_id),
    )
}

/// The id of the product that something names, if it names one.
pub(super) fn product_id(publisher: PublisherId, reference: &ProductRef) -> Option<Uuid> {
    let key = reference.natural_key()?;
    Some(derive(
        publisher,
        Kind::Product,
        &format!("{SOURCE}\0{key}"),
    ))
}

/// A category that is named, and the stamp of what names it.
pub(super) type SeenCategory<'a> = (&'a CategoryRef, i64);

/// A product that is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenProduct<'a> {
    /// As it is described.
    pub reference: &'a ProductRef,
    /// Its category.
    pub category: Option<&'a CategoryRef>,
    /// The stamp of what describes it, µs.
    pub at: i64,
    /// When it was ordered, or offered, µs.
    pub seen: i64,
}

/// The categories that carts name.
pub(super) fn categories_of(drafts: &[ActionDraft]) -> impl Iterator<Item = SeenCategory<'_>> {
    items(drafts).filter_map(|(draft, item)| {
        Some((item.category.as_ref()?, draft.stamp.changed_at.micros()))
    })
}

/// The products that carts name.
pub(super) fn products_of(drafts: &[ActionDraft]) -> impl Iterator<Item = SeenProduct<'_>> {
    items(drafts).filter_map(|(draft, item)| {
        Some(SeenProduct {
            reference: item.product.as_ref()?,
            category: item.category.as_ref(),
            at: draft.stamp.changed_at.micros(),
            seen: draft.standing.ordered_at.micros(),
        })
    })
}

fn items(drafts: &[ActionDraft]) -> impl Iterator<Item = (&ActionDraft, &DraftItem)> {
    drafts
        .iter()
        .flat_map(|draft| draft.items.iter().map(move |item| (draft, item)))
}

/// Brings categories that the shipped tree does not know: they hang under the one "Unknown" node. Tells whether a row
/// was written.
pub(super) async fn write_categories<'a>(
    tx: &WriteTx,
    publisher: PublisherId,
    named: impl IntoIterator<Item = SeenCategory<'a>>,
) -> Result<bool, DbErr> {
    let mut seen: BTreeMap<Uuid, Vec<SeenCategory<'a>>> = BTreeMap::new();
    for (reference, at) in named {
        if Catalog::shipped()
            .category(&reference.external_id)
            .is_none()
        {
            let id = draft_category_id(publisher, reference);
            seen.entry(id).or_default().push((reference, at));
        }
    }
    if seen.is_empty() {
        return Ok(false);
    }
    let above = category_id(publisher, catalog::UNKNOWN_CATEGORY);
    let stored =
        known::<category::Entity>(tx, publisher, "categories", seen.keys().copied()).await?;
    let mut rows: HashMap<Uuid, category::Model> =
        stored.into_iter().map(|row| (row.id, row)).collect();
    let mut changed = Vec::new();
    for (id, references) in seen {
        let mut dirty = !rows.contains_key(&id);
        let Some((first, _)) = references.first() else {
            continue;
        };
        let row = rows.entry(id).or_insert_with(|| category::Model {
            publisher_id: publisher.0,
            id,
            external_id: first.external_id.clone(),
            name: format!("Unknown category {}", first.external_id),
            name_folded: String::new(),
            parent_id: Some(above),
            level: 2,
            level1_id: above,
            level2_id: id,
            is_known: false,
            name_at_us: 0,
        });
        let mut held = Some(row.name.clone());
        for (reference, at) in references {
            dirty |= describe(&mut held, &mut row.name_at_us, reference.name.as_ref(), at);
        }
        if dirty {
            row.name = held.unwrap_or_default();
            row.name_folded = fold(&row.name);
            changed.push(row.clone());
        }
    }
    insert(tx, &changed, Conflict::Replace).await?;
    Ok(!changed.is_empty())
}

/// Brings products; tells whether a row was written. Their categories are there already.
pub(super) async fn write_products<'a>(
    tx: &WriteTx,
    publisher: PublisherId,
    named: impl IntoIterator<Item = SeenProduct<'a>>,
) -> Result<bool, DbErr> {
    let named: Vec<(Uuid, SeenProduct<'a>)> = named
        .into_iter()
        .filter_map(|seen| Some((product_id(publisher, seen.reference)?, seen)))
        .collect();
    if named.is_empty() {
        return Ok(false);
    }
    let ids: HashSet<Uuid> = named.iter().map(|(id, _)| *id).collect();
    let stored = known::<product::Entity>(tx, publisher, "products", ids).await?;
    let mut rows: HashMap<Uuid, product::Model> =
        stored.into_iter().map(|row| (row.id, row)).collect();
    let mut dirty: HashSet<Uuid> = HashSet::new();
    let mut fresh: Vec<Uuid> = Vec::new();
    for (id, seen) in named {
        let row = rows.entry(id).or_insert_with(|| {
            dirty.insert(id);
            fresh.push(id);
            fresh_product(publisher, id, seen)
        });
        if describe_product(publisher, row, seen) {
            dirty.insert(id);
        }
    }
    for id in arrived(tx, publisher, &fresh).await? {
        if let Some(row) = rows.get_mut(&id) {
            row.is_priority = true;
        }
    }
    let mut changed: Vec<product::Model> = rows
        .into_values()
        .filter(|row| dirty.contains(&row.id))
        .collect();
    changed.sort_by_key(|row| row.id);
    insert(tx, &changed, Conflict::Replace).await?;
    Ok(!changed.is_empty())
}

fn fresh_product(publisher: PublisherId, id: Uuid, seen: SeenProduct<'_>) -> product::Model {
    let reference = seen.reference;
    product::Model {
        publisher_id: publisher.0,
        id,
        source: SOURCE.to_owned(),
        natural_key: reference.natural_key().unwrap_or_default(),
        external_id: reference.product_id().map(str::to_owned),
        name: None,
        name_folded: None,
        url: None,
        image_url: None,
        category_id: None,
        country: None,
        is_hot: false,
        is_priority: false,
        first_seen_us: seen.seen,
        name_at_us: 0,
        url_at_us: 0,
        image_at_us: 0,
        category_at_us: 0,
    }
}

fn describe_product(
    publisher: PublisherId,
    row: &mut product::Model,
    seen: SeenProduct<'_>,
) -> bool {
    let (at, reference) = (seen.at, seen.reference);
    let category = seen.category.map(|category| {
        let stamp = if category.is_by_name { NO_STAMP } else { at };
        (draft_category_id(publisher, category), stamp)
    });
    let mut dirty = false;
    if describe(
        &mut row.name,
        &mut row.name_at_us,
        reference.name.as_ref(),
        at,
    ) {
        row.name_folded = row.name.as_deref().map(fold);
        dirty = true;
    }
    dirty |= describe(&mut row.url, &mut row.url_at_us, reference.url.as_ref(), at);
    dirty |= describe(
        &mut row.image_url,
        &mut row.image_at_us,
        reference.image_url.as_ref(),
        at,
    );
    if let Some((id, stamp)) = category {
        dirty |= describe(
            &mut row.category_id,
            &mut row.category_at_us,
            Some(&id),
            stamp,
        );
    }
    if let Some(country) = &reference.country
        && row.country.as_ref().is_none_or(|held| held < country)
    {
        row.country = Some(country.clone());
        dirty = true;
    }
    if seen.seen < row.first_seen_us {
        row.first_seen_us = seen.seen;
        dirty = true;
    }
    dirty
}
