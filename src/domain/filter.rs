//! One typed tree of conditions for lists, segments and exports.
//!
//! Filters are two-valued: a missing value fails every operator but `IsNull`, and `Not` is the complement. This file
//! says what a filter means, [`Filter::matches`] evaluates it in memory, and `store::sql::filter` says the same in SQL;
//! a property test holds the two together.
//!
//! A filter is also a part of what a segment is stored as, by the names of its variants: a variant that is renamed needs
//! a new version of the stored form (`rule`).

use super::rule::{BuiltIn, InSegments};
use super::text::fold;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How deep filters may nest.
pub const MAX_DEPTH: usize = 12;
/// How many conditions one filter may hold.
pub const MAX_TESTS: usize = 200;
/// How many values one `in` may list.
pub const MAX_VALUES: usize = 1_000;
/// How many values all lists of one filter may have together: a statement can hold the filter twice and each value
/// three times, and must stay below what the databases bind.
pub const MAX_ALL_VALUES: usize = 4_000;

/// A tree of conditions `T`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter<T> {
    /// All hold; of none: everything.
    All(Vec<Self>),
    /// One holds; of none: nothing.
    Any(Vec<Self>),
    /// Does not hold.
    Not(Box<Self>),
    /// A condition.
    Test(T),
}

impl<T> Default for Filter<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl<T> Filter<T> {
    /// Evaluates the tree, asking `test` for each condition.
    pub fn matches(&self, test: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(test)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(test)),
            Self::Not(part) => !part.matches(test),
            Self::Test(condition) => test(condition),
        }
    }

    /// Evaluates the tree where `test` does not know of each condition whether it holds: nothing where it depends on those.
    pub fn judged(&self, test: &impl Fn(&T) -> Option<bool>) -> Option<bool> {
        // One part that is `decisive` decides; without one all have to be known.
        let of = |parts: &[Self], decisive: bool| {
            let mut found = Some(!decisive);
            for part in parts {
                match part.judged(test) {
                    Some(is) if is == decisive => return Some(decisive),
                    Some(_) => {}
                    None => found = None,
                }
            }
            found
        };
        match self {
            Self::All(parts) => of(parts, false),
            Self::Any(parts) => of(parts, true),
            Self::Not(part) => part.judged(test).map(|is| !is),
            Self::Test(condition) => test(condition),
        }
    }

    /// Whether any condition of the tree satisfies `is`.
    pub fn mentions(&self, is: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(is)),
            Self::Not(part) => part.mentions(is),
            Self::Test(condition) => is(condition),
        }
    }

    /// The same tree of other conditions, if each of its own has one.
    pub fn mapped<U>(&self, of: &impl Fn(&T) -> Option<U>) -> Option<Filter<U>> {
        let all = |parts: &[Self]| -> Option<Vec<Filter<U>>> {
            parts.iter().map(|part| part.mapped(of)).collect()
        };
        Some(match self {
            Self::All(parts) => Filter::All(all(parts)?),
            Self::Any(parts) => Filter::Any(all(parts)?),
            Self::Not(part) => Filter::Not(Box::new(part.mapped(of)?)),
            Self::Test(condition) => Filter::Test(of(condition)?),
        })
    }

    /// Its conditions, in their order.
    pub fn tests(&self) -> impl Iterator<Item = &T> {
        let mut found = Vec::new();
        self.gather(&mut found);
        found.into_iter()
    }

    fn gather<'a>(&'a self, found: &mut Vec<&'a T>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.gather(found);
                }
            }
            Self::Not(part) => part.gather(found),
            Self::Test(condition) => found.push(condition),
        }
    }

    /// Both filters.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(parts), other) if parts.is_empty() => other,
            (this, Self::All(parts)) if parts.is_empty() => this,
            (this, other) => Self::All(vec![this, other]),
        }
    }
}

/// A value that a field has or is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    Null,
    /// A flag.
    Flag(bool),
    /// A whole number: counts, 1/10 000 of money, µs, days.
    Int(i64),
    /// A text; compared by bytes.
    Text(String),
    /// An id.
    Id(Uuid),
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<Uuid> for Value {
    fn from(value: Uuid) -> Self {
        Self::Id(value)
    }
}

/// An operator with what it compares to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Equal.
    Eq(Value),
    /// Present and not equal.
    Ne(Value),
    /// One of; of none: nothing.
    In(Vec<Value>),
    /// Present and none of.
    NotIn(Vec<Value>),
    /// Below.
    Lt(Value),
    /// At most.
    Lte(Value),
    /// Above.
    Gt(Value),
    /// At least.
    Gte(Value),
    /// Holds the text.
    Contains(String),
    /// Begins with the text.
    StartsWith(String),
    /// Missing (`true`) or present (`false`).
    IsNull(bool),
}

impl Op {
    /// Evaluates the operator on a field's value.
    #[must_use]
    pub fn holds(&self, value: &Value) -> bool {
        if let Self::IsNull(wanted) = self {
            return (*value == Value::Null) == *wanted;
        }
        if *value == Value::Null {
            return false;
        }
        match self {
            Self::Eq(other) => value == other,
            Self::Ne(other) => value != other,
            Self::In(others) => others.contains(value),
            Self::NotIn(others) => !others.contains(value),
            Self::Lt(other) => value < other,
            Self::Lte(other) => value <= other,
            Self::Gt(other) => value > other,
            Self::Gte(other) => value >= other,
            Self::Contains(part) => {
                matches!(value, Value::Text(text) if text.contains(part.as_str()))
            }
            Self::StartsWith(part) => {
                matches!(value, Value::Text(text) if text.starts_with(part.as_str()))
            }
            Self::IsNull(_) => false,
        }
    }

    /// The operator with its texts folded, for fields that are searched folded.
    #[must_use]
    pub fn folded(&self) -> Self {
        let one = |value: &Value| match value {
            Value::Text(text) => Value::Text(fold(text)),
            other => other.clone(),
        };
        let many = |values: &[Value]| values.iter().map(one).collect();
        match self {
            Self::Eq(value) => Self::Eq(one(value)),
            Self::Ne(value) => Self::Ne(one(value)),
            Self::In(values) => Self::In(many(values)),
            Self::NotIn(values) => Self::NotIn(many(values)),
            Self::Lt(value) => Self::Lt(one(value)),
            Self::Lte(value) => Self::Lte(one(value)),
            Self::Gt(value) => Self::Gt(one(value)),
            Self::Gte(value) => Self::Gte(one(value)),
            Self::Contains(part) => Self::Contains(fold(part)),
            Self::StartsWith(part) => Self::StartsWith(fold(part)),
            Self::IsNull(wanted) => Self::IsNull(*wanted),
        }
    }
}

macro_rules! fields {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// All fields.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}

fields! {
    /// Fields of an action.
    ActionField {
        /// Id.
        Id,
        /// Upstream's id (text).
        ExternalId,
        /// Order number (text).
        OrderId,
        /// Tariff (text).
        TariffId,
        /// Name of the rate (text).
        ActionName,
        /// Sale or lead (word).
        ActionType,
        /// Status (word).
        Status,
        /// Status in upstream's word (text).
        RawStatus,
        /// Reward released (flag).
        Paid,
        /// Processed (flag).
        Processed,
        /// Back on hold (flag).
        ReturnedToHold,
        /// Reward, 1/10 000.
        Reward,
        /// Order amount, 1/10 000.
        OrderAmount,
        /// Currency (code).
        Currency,
        /// Click, µs.
        ClickedAt,
        /// Order, µs.
        OrderedAt,
        /// Status change, µs.
        StatusUpdatedAt,
        /// Closing day, days.
        ClosingDay,
        /// Seconds from click to order.
        ConversionSeconds,
        /// Click country (code).
        Country,
        /// `subid` (text).
        Subid0,
        /// `subid1` (text).
        Subid1,
        /// `subid2` (text).
        Subid2,
        /// `subid3` (text).
        Subid3,
        /// `subid4` (text).
        Subid4,
        /// Keyword (text).
        Keyword,
        /// Comment (folded text).
        Comment,
        /// Promo code (text).
        PromoCode,
        /// Device class (text).
        Device,
        /// Number of cart items.
        ItemsCount,
        /// Expected eligibility (word), by program, click country and UTC day of the order.
        Eligibility,
        /// End of the hold, µs: the order and the program's hold time; none where that is not known.
        HoldEndsAt,
        /// The same, where it is compared with the moment of asking: a rule that is stored gets that moment each time it is
        /// evaluated.
        HoldEndedBy,
    }
}

fields! {
    /// Fields of a cart item.
    ItemField {
        /// Line amount, 1/10 000.
        Amount,
        /// Line reward, 1/10 000.
        Reward,
        /// Units.
        Units,
        /// Tariff (text).
        TariffId,
        /// Product country code (text).
        ProductCountry,
    }
}

fields! {
    /// Fields of a product.
    ProductField {
        /// Id.
        Id,
        /// AliExpress product id (text).
        ExternalId,
        /// Name (folded text).
        Name,
        /// Link (text).
        Url,
        /// Product country code (text).
        Country,
        /// Hot (flag).
        IsHot,
        /// On the priority list (flag).
        IsPriority,
        /// First seen, µs.
        FirstSeen,
    }
}

fields! {
    /// Fields of a category.
    CategoryField {
        /// Id.
        Id,
        /// AliExpress category id (text).
        ExternalId,
        /// Name (folded text).
        Name,
        /// Level.
        Level,
        /// Whether the shipped tree has it (flag).
        IsKnown,
        /// The category itself or one above it, by id: only `Eq`, `Ne`, `In`, `NotIn`.
        Within,
    }
}

fields! {
    /// Fields of a program.
    ProgramField {
        /// Id.
        Id,
        /// Upstream's id (text).
        ExternalId,
        /// Name (folded text).
        Name,
        /// Default currency (code).
        Currency,
    }
}

fields! {
    /// Fields of an ad space.
    AdSpaceField {
        /// Id.
        Id,
        /// Upstream's id (text).
        ExternalId,
        /// Name (folded text).
        Name,
    }
}

fields! {
    /// Fields of a user.
    UserField {
        /// Id.
        Id,
        /// SubID value (text).
        Value,
        /// User space (text).
        UserSpace,
        /// First seen, µs.
        FirstSeen,
    }
}

fields! {
    /// Fields of a segment.
    SegmentField {
        /// Id.
        Id,
        /// What it is a set of (word).
        Subject,
        /// Name (folded text).
        Name,
        /// When it was frozen, µs.
        FrozenAt,
        /// The segment that it was frozen from (id).
        FrozenFrom,
        /// When it was archived, µs.
        ArchivedAt,
    }
}

fields! {
    /// Fields of an import run.
    ImportField {
        /// Id.
        Id,
        /// State (word).
        State,
        /// Entrance (word).
        Entrance,
        /// File name (text).
        Name,
        /// Start, µs.
        StartedAt,
    }
}

fields! {
    /// Fields of an adjustment.
    AdjustmentField {
        /// Id.
        Id,
        /// Account (text).
        Account,
        /// Kind (word).
        Kind,
        /// Day, days.
        Day,
        /// What it did to the balance, 1/10 000.
        Amount,
        /// Currency (code).
        Currency,
        /// Comment (folded text).
        Comment,
        /// The source's reference (text).
        Reference,
    }
}

fields! {
    /// Fields of a balance.
    BalanceField {
        /// Account (text).
        Account,
        /// Currency (code).
        Currency,
    }
}

/// Which of an action's cart items a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantifier {
    /// At least one.
    Some,
    /// All; also of none.
    Every,
    /// None.
    None,
}

/// A condition on an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionTest {
    /// One of its own fields.
    Field(ActionField, Op),
    /// Its program.
    Program(Filter<ProgramTest>),
    /// Its ad space; fails without one.
    AdSpace(Filter<AdSpaceTest>),
    /// Its user; fails without one.
    User(Filter<UserTest>),
    /// Its cart.
    Items(Quantifier, Filter<ItemTest>),
}

/// A condition on a cart item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemTest {
    /// One of its own fields.
    Field(ItemField, Op),
    /// Its product; fails without one.
    Product(Filter<ProductTest>),
    /// Its own category; fails without one.
    Category(Filter<CategoryTest>),
}

/// A condition on a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductTest {
    /// One of its own fields.
    Field(ProductField, Op),
    /// Its latest category; fails without one.
    Category(Filter<CategoryTest>),
    /// Whether it is in segments.
    Segment(InSegments),
    /// Whether it is in a built-in segment of products.
    BuiltIn(Box<BuiltIn>),
}

/// A condition on a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryTest(pub CategoryField, pub Op);
/// A condition on a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramTest(pub ProgramField, pub Op);
/// A condition on an ad space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdSpaceTest(pub AdSpaceField, pub Op);
/// A condition on a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserTest {
    /// One of its own fields.
    Field(UserField, Op),
    /// Whether it is in segments.
    Segment(InSegments),
    /// Whether it is in a built-in segment of users.
    BuiltIn(Box<BuiltIn>),
}
/// A condition on a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentTest(pub SegmentField, pub Op);
/// A condition on an import run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportTest(pub ImportField, pub Op);
/// A condition on an adjustment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdjustmentTest {
    /// One of its own fields.
    Field(AdjustmentField, Op),
    /// Its program; fails without one.
    Program(Filter<ProgramTest>),
    /// Its ad space; fails without one.
    AdSpace(Filter<AdSpaceTest>),
}
/// A condition on a balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceTest(pub BalanceField, pub Op);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_fails_every_operator_but_is_null_and_not_is_the_complement() {
        let five = || Value::Int(5);
        for op in [
            Op::Eq(five()),
            Op::Ne(five()),
            Op::In(vec![five()]),
            Op::NotIn(vec![]),
            Op::Lt(five()),
            Op::Gte(five()),
            Op::Contains(String::new()),
            Op::IsNull(false),
        ] {
            assert!(!op.holds(&Value::Null), "{op:?}");
        }
        assert!(Op::IsNull(true).holds(&Value::Null));
        let not = Filter::Not(Box::new(Filter::Test(Op::Eq(five()))));
        assert!(not.matches(&|op| op.holds(&Value::Null)));
    }

    #[test]
    fn empty_lists() {
        assert!(Filter::<Op>::All(vec![]).matches(&|_| false));
        assert!(!Filter::<Op>::Any(vec![]).matches(&|_| true));
        assert!(!Op::In(vec![]).holds(&Value::Int(1)));
        assert!(Op::NotIn(vec![]).holds(&Value::Int(1)));
    }
}
