//! The list of priority products is kept.

use std::sync::Arc;

use async_graphql::SimpleObject;

use super::segments::writing;
use super::{UserError, bounded};
use crate::domain::action::SOURCE;
use crate::domain::error::{Code, PassedLimit};
use crate::domain::id::{self, derive};
use crate::domain::rule::Subject;
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::input::reader::{MemberName, Reader};
use crate::graphql::input::rule::ProductList;
use crate::graphql::segment_reading::{unknown, user_error};
use crate::store::apply::priority::{ListChange, ListRefused, ListedProducts, change_priority};

/// What became of the list of priority products.
#[derive(Clone, Default, SimpleObject)]
pub struct PriorityProductsPayload {
    /// How many products entered or left the list, those included that are not known yet. Null where nothing was done.
    changed: Option<i32>,
    /// How many products of the list are not known yet: `awaitedProducts` lists them. Null where nothing was done.
    awaited: Option<i32>,
    /// The version of the list now, which the next change can name as `expectedVersion`. Null where nothing was done.
    version: Option<String>,
    /// What is wrong, all of it at once; then nothing was done.
    user_errors: Vec<UserError>,
    /// Products that are not known yet. Those listed by product id or link are on the list as soon as an action or a feed
    /// names them; an id that no product has changes nothing.
    warnings: Vec<UserError>,
}

/// Changes the list, if it is of the version that is expected, where one is.
///
/// # Errors
/// When the key may not, or the store fails.
pub(super) async fn prioritise(
    request: &Arc<RequestContext>,
    (change, expected): (ListChange, Option<&str>),
    products: &ProductList,
) -> Result<PriorityProductsPayload> {
    let (store, scope) = writing(request)?;
    let mut reader = Reader::of("products", request).noting_problems();
    let read = products.read(&mut reader);
    let members = reader.keep(read)?.unwrap_or_default();
    let listed = std::mem::take(&mut reader.listed);
    let user_errors: Vec<UserError> = reader.problems().iter().map(user_error).collect();
    if !user_errors.is_empty() {
        return Ok(wrong(bounded(user_errors, "products")));
    }
    let warnings = unknown(request, Subject::Products, &listed).await?;
    let publisher = scope.publisher();
    let named = listed.into_iter().filter_map(|listed| match listed.name {
        MemberName::Text(name) => {
            let id = derive(publisher, id::Kind::Product, &format!("{SOURCE}\0{name}"));
            Some((id, (name, listed.written)))
        }
        MemberName::Id(_) => None,
    });
    let products = ListedProducts {
        named: named.collect(),
        ids: members.ids,
    };
    // What is no version of any list is a conflict like any other.
    let expected = expected.map(|text| text.parse().unwrap_or_default());
    let change = (change, expected);
    let done = change_priority(store, scope, change, products, request.note()?).await?;
    let done = match done {
        Ok(done) => done,
        Err(refused) => {
            return Ok(wrong(vec![told(
                refused,
                request.limits.queries.awaited_products,
            )]));
        }
    };
    request.renew().await;
    Ok(PriorityProductsPayload {
        changed: Some(i32::try_from(done.changed).unwrap_or(i32::MAX)),
        awaited: i32::try_from(done.awaited).ok(),
        version: Some(done.version.simple().to_string()),
        user_errors,
        warnings,
    })
}

fn wrong(user_errors: Vec<UserError>) -> PriorityProductsPayload {
    PriorityProductsPayload {
        user_errors,
        ..PriorityProductsPayload::default()
    }
}

/// Why the list was left as it is.
fn told(refused: ListRefused, most: usize) -> UserError {
    match refused {
        ListRefused::TooManyAwaited(many) => {
            let message = format!(
                "the list would hold {many} products that are not known, at most {most} are allowed: list fewer, or \
                 take some of `awaitedProducts` off"
            );
            let passed = PassedLimit::of("awaitedProducts", most, many);
            UserError::new("products", Code::LimitExceeded, message).passing(Some(passed))
        }
        ListRefused::Moved => {
            let message = "the list is no longer of the version that the change was made from: read it and \
                           `awaitedProducts { listVersion }` again and repeat the change";
            UserError::new("expectedVersion", Code::Conflict, message)
        }
    }
}
