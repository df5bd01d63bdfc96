//! Whatever has a global id.

#![expect(
    missing_docs,
    reason = "the derived methods have no way to carry a comment"
)]

use std::collections::HashMap;

use async_graphql::{ID, Interface};
use uuid::Uuid;

use super::action::Action;
use super::ad_space::AdSpace;
use super::category::Category;
use super::import::ImportRun;
use super::ledger::Adjustment;
use super::product::Product;
use super::program::Program;
use super::segment::Segment;
use super::user::User;
use crate::domain::records;
use crate::domain::rule;
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::id::{IdOf, Kind, read};
use crate::graphql::siblings::by_key;

/// Whatever has a global id.
#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id."))]
pub enum Node {
    /// A target action.
    Action(Action),
    /// A product.
    Product(Product),
    /// A category.
    Category(Category),
    /// A program.
    Program(Program),
    /// An ad space.
    AdSpace(AdSpace),
    /// A user.
    User(User),
    /// An import run.
    ImportRun(ImportRun),
    /// An adjustment of the balance.
    Adjustment(Adjustment),
    /// A segment that someone defined.
    Segment(Segment),
}

/// What ids stand for, in their order; nothing for an id that is malformed, foreign or unknown. One statement for each
/// type among them.
///
/// # Errors
/// When the store fails.
pub async fn nodes(request: &RequestContext, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    let user_ids = &request.user_ids;
    let wanted: Vec<Option<(IdOf, Uuid)>> = ids.iter().map(|id| read(id, user_ids)).collect();
    let of = |of: IdOf| -> Vec<Uuid> {
        wanted
            .iter()
            .flatten()
            .filter(|(other, _)| *other == of)
            .map(|(_, key)| *key)
            .collect()
    };
    let loaders = &request.loaders;
    let mut found: HashMap<(IdOf, Uuid), Node> = HashMap::new();
    macro_rules! load {
        ($($kind:ident of $of:expr),+ $(,)?) => {$(
            let loaded = by_key(loaders.many::<records::$kind>(of($of)).await?);
            found.extend(loaded.into_iter().map(|(key, entity)| (($of, key), Node::$kind(entity))));
        )+};
    }
    load!(
        Action of IdOf::Row(Kind::Action),
        Product of IdOf::Row(Kind::Product),
        Category of IdOf::Row(Kind::Category),
        Program of IdOf::Row(Kind::Program),
        AdSpace of IdOf::Row(Kind::AdSpace),
        User of IdOf::User,
        ImportRun of IdOf::Row(Kind::ImportRun),
        Adjustment of IdOf::Row(Kind::Adjustment),
    );
    let of_segment = IdOf::Row(Kind::Segment);
    let segments = by_key(loaders.many::<rule::Segment>(of(of_segment)).await?);
    let segments = segments.into_iter();
    found.extend(segments.map(|(key, segment)| ((of_segment, key), Node::Segment(segment))));
    Ok(wanted
        .into_iter()
        .map(|wanted| wanted.and_then(|wanted| found.get(&wanted).cloned()))
        .collect())
}
