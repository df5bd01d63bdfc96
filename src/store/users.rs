//! Users, the publisher's customers: lists and look-ups.

use super::convert::to_user;
use super::listing::{self, Listing, Wanted};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{Filter, UserTest, Value};
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::records::User;
use crate::domain::scope::ReadScope;
use entity::user;
use uuid::Uuid;

/// What users can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserSort {
    /// SubID value.
    Value,
    /// First order.
    FirstSeenAt,
}

struct Users;

impl Listing for Users {
    type Entity = user::Entity;
    type Record = User;
    type Test = UserTest;
    type Sort = UserSort;
    const TABLE: &'static str = "users";

    fn column(sort: UserSort) -> (&'static str, bool) {
        match sort {
            UserSort::Value => ("value", false),
            UserSort::FirstSeenAt => ("first_seen_us", false),
        }
    }

    fn value(record: &User, sort: UserSort) -> Value {
        match sort {
            UserSort::Value => record.value.clone().into(),
            UserSort::FirstSeenAt => record.first_seen.micros().into(),
        }
    }

    fn id(record: &User) -> Uuid {
        record.id
    }

    fn record(model: user::Model) -> Result<User> {
        to_user(model)
    }
}

/// One page of users: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn list(
    tx: &ReadTx,
    scope: ReadScope,
    filter: &Filter<UserTest>,
    order: &[SortKey<UserSort>],
    page: &PageRequest,
) -> Result<Page<User>> {
    listing::list::<Users>(
        tx,
        scope,
        Wanted {
            filter,
            order,
            page,
            also: tx.sql(),
        },
    )
    .await
}

/// How many users a filter has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &ReadTx, scope: ReadScope, filter: &Filter<UserTest>) -> Result<i64> {
    listing::count::<Users>(tx, scope, filter, &tx.sql()).await
}

/// Users by id, in no order: one statement.
///
/// # Errors
/// When the database fails.
pub async fn by_ids(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<Vec<User>> {
    listing::by_ids::<Users>(tx, scope, ids).await
}
