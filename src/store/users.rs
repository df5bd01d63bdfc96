//! Users, the publisher's customers: lists and look-ups.

use super::convert::to_user;
use super::listing::{Listing, look_ups};
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

look_ups!(Users, User, UserTest, UserSort);
