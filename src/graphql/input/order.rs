//! `orderBy` of each list: an ordered list of keys, each with direction and the place of missing values.

use std::collections::HashSet;
use std::hash::Hash;

use async_graphql::{Enum, InputObject};

use crate::domain::error::{Error, PassedLimit};
use crate::domain::filter::{ActionTest, AdjustmentField, AdjustmentTest, Filter};
use crate::domain::page::{Direction, Nulls, SortKey};
use crate::graphql::error::Result;
use crate::graphql::input::action_filter::{only_currency, only_currency_by};
use crate::store::actions::ActionSort;
use crate::store::ad_spaces::AdSpaceSort;
use crate::store::adjustments::AdjustmentSort;
use crate::store::categories::CategorySort;
use crate::store::definitions::SegmentSort;
use crate::store::imports::ImportSort;
use crate::store::products::ProductSort;
use crate::store::programs::ProgramSort;
use crate::store::users::UserSort;

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SortDirection {
    /// From the smallest to the largest, from the earliest to the latest, from A to Z.
    Asc,
    /// From the largest to the smallest, from the latest to the earliest, from Z to A.
    Desc,
}

/// Where rows without a value stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum NullsOrder {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
}

impl From<SortDirection> for Direction {
    fn from(direction: SortDirection) -> Self {
        match direction {
            SortDirection::Asc => Self::Asc,
            SortDirection::Desc => Self::Desc,
        }
    }
}

impl From<NullsOrder> for Nulls {
    fn from(nulls: NullsOrder) -> Self {
        match nulls {
            NullsOrder::First => Self::First,
            NullsOrder::Last => Self::Last,
        }
    }
}

macro_rules! order_input {
    (
        $(#[$($doc:tt)*])* $name:ident,
        $(#[$($fdoc:tt)*])* $field:ident of $sort:ident, by default $default:ident $direction:ident;
        $($(#[$($vdoc:tt)*])* $variant:ident,)+
    ) => {
        $(#[$($fdoc)*])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
        pub enum $field {
            $($(#[$($vdoc)*])* $variant,)+
        }

        $(#[$($doc)*])*
        #[derive(Clone, Copy, Debug, InputObject)]
        pub struct $name {
            /// What to order by.
            field: $field,
            /// In which direction.
            #[graphql(default_with = "SortDirection::Desc")]
            direction: SortDirection,
            /// Where rows without a value stand, whatever the direction.
            #[graphql(default_with = "NullsOrder::Last")]
            nulls: NullsOrder,
        }

        impl $name {
            /// The order that a list asks for, of so many keys at most; its own one without.
            ///
            /// # Errors
            /// For too many keys and for one that is given twice.
            pub fn keys(given: Option<&[Self]>, most: usize) -> Result<Vec<SortKey<$sort>>> {
                let key = |order: &Self| SortKey {
                    field: match order.field { $($field::$variant => $sort::$variant,)+ },
                    direction: order.direction.into(),
                    nulls: order.nulls.into(),
                };
                let keys: Vec<_> = given.unwrap_or_default().iter().map(key).collect();
                check(&keys, most)?;
                if keys.is_empty() {
                    let (field, direction, nulls) = ($sort::$default, Direction::$direction, Nulls::Last);
                    return Ok(vec![SortKey { field, direction, nulls }]);
                }
                Ok(keys)
            }
        }
    };
}

fn check<S: Copy + Eq + Hash>(keys: &[SortKey<S>], most: usize) -> Result<()> {
    if keys.len() > most {
        let message = format!(
            "orderBy has {} keys, the most is {most}: leave the last ones out",
            keys.len()
        );
        let passed = PassedLimit::of("orderKeys", most, keys.len());
        return Err(Error::limit("orderBy", passed, message).into());
    }
    let fields: HashSet<S> = keys.iter().map(|key| key.field).collect();
    if fields.len() < keys.len() {
        let message = "orderBy names a field twice: only its first place can have an effect, remove the other";
        return Err(Error::bad_input("orderBy", message).into());
    }
    Ok(())
}

/// Amounts of several currencies have no common order.
///
/// # Errors
/// When actions are ordered by money and the filter lets through more than one currency.
pub fn check_money(keys: &[SortKey<ActionSort>], filter: &Filter<ActionTest>) -> Result<()> {
    let by_money = |key: &SortKey<ActionSort>| {
        matches!(key.field, ActionSort::Reward | ActionSort::OrderAmount)
    };
    if keys.iter().any(by_money) && only_currency(filter).is_none() {
        let message = "an order by REWARD or ORDER_AMOUNT needs one currency: \
                       add one to the filter, such as currency: {eq: \"USD\"}";
        return Err(Error::bad_input("orderBy", message).into());
    }
    Ok(())
}

/// Likewise for adjustments.
///
/// # Errors
/// When adjustments are ordered by amount and the filter lets through more than one currency.
pub fn check_amount(
    keys: &[SortKey<AdjustmentSort>],
    filter: &Filter<AdjustmentTest>,
) -> Result<()> {
    let one = only_currency_by(filter, &|test| match test {
        AdjustmentTest::Field(AdjustmentField::Currency, op) => Some(op),
        _ => None,
    });
    if keys.iter().any(|key| key.field == AdjustmentSort::Amount) && one.is_none() {
        let message = "an order by AMOUNT needs one currency: \
                       add one to the filter, such as currency: {eq: \"USD\"}";
        return Err(Error::bad_input("orderBy", message).into());
    }
    Ok(())
}

order_input! {
    /// One key of the order of actions.
    ActionOrder,
    /// What actions can be ordered by.
    ActionOrderField of ActionSort, by default OrderedAt Desc;
    /// The order.
    OrderedAt,
    /// The click.
    ClickedAt,
    /// The last change of status.
    StatusUpdatedAt,
    /// The closing day.
    ClosingDate,
    /// The reward; needs a filter on one currency.
    Reward,
    /// The order amount; needs a filter on one currency.
    OrderAmount,
    /// The status, by its name.
    Status,
    /// The country of the click.
    Country,
    /// The order number, as text.
    OrderId,
    /// Admitad's id, as text.
    ExternalId,
}

order_input! {
    /// One key of the order of products.
    ProductOrder,
    /// What products can be ordered by.
    ProductOrderField of ProductSort, by default FirstSeenAt Desc;
    /// The latest name, without regard to case.
    Name,
    /// The earliest order that carried it, or the earliest product feed.
    FirstSeenAt,
    /// The AliExpress product id, as text.
    ExternalId,
}

order_input! {
    /// One key of the order of categories.
    CategoryOrder,
    /// What categories can be ordered by.
    CategoryOrderField of CategorySort, by default Name Asc;
    /// The name, without regard to case.
    Name,
    /// The level in the tree, 1 at the top.
    Level,
    /// The AliExpress category id, as text.
    ExternalId,
}

order_input! {
    /// One key of the order of programs.
    ProgramOrder,
    /// What programs can be ordered by.
    ProgramOrderField of ProgramSort, by default Name Asc;
    /// The name, without regard to case.
    Name,
    /// Admitad's id, as text.
    ExternalId,
}

order_input! {
    /// One key of the order of ad spaces.
    AdSpaceOrder,
    /// What ad spaces can be ordered by.
    AdSpaceOrderField of AdSpaceSort, by default Name Asc;
    /// The name, without regard to case.
    Name,
    /// Admitad's id, as text.
    ExternalId,
}

order_input! {
    /// One key of the order of users.
    UserOrder,
    /// What users can be ordered by.
    UserOrderField of UserSort, by default FirstSeenAt Desc;
    /// The value of the SubID that names the user.
    Value,
    /// The earliest order, of any status.
    FirstSeenAt,
}

order_input! {
    /// One key of the order of adjustments.
    AdjustmentOrder,
    /// What adjustments can be ordered by.
    AdjustmentOrderField of AdjustmentSort, by default Date Desc;
    /// The day in the account's calendar.
    Date,
    /// What it did to the balance; needs a filter on one currency.
    Amount,
    /// What it is, by its name.
    Kind,
}

order_input! {
    /// One key of the order of segments.
    SegmentOrder,
    /// What segments can be ordered by.
    SegmentOrderField of SegmentSort, by default Name Asc;
    /// The name, without regard to case.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it was changed last.
    UpdatedAt,
}

order_input! {
    /// One key of the order of import runs.
    ImportOrder,
    /// What import runs can be ordered by.
    ImportOrderField of ImportSort, by default StartedAt Desc;
    /// When the run started.
    StartedAt,
}
