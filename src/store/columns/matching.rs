//! A filter as a test of rows: what `domain::filter` says, with the names that satisfy a condition looked up once.
//!
//! A condition on a related row (a product, a user ...) is asked of the database through the request's transaction, by
//! the same SQL as everywhere; what comes back are the ids that satisfy it.

use super::super::tx::ReadTx;
use super::answers::Look;
use super::chunk::Chunk;
use super::marks::Marks;
use super::related::{OfId, by, within};
use super::snapshot::{Snapshot, is_declined};
use crate::domain::action::{ActionType, Status};
use crate::domain::error::Result;
use crate::domain::filter::{
    ActionField, ActionTest, AdSpaceField, AdSpaceTest, CategoryField, CategoryTest, Filter,
    ItemField, ItemTest, Op, ProductField, ProductTest, ProgramField, ProgramTest, Quantifier,
    UserField, UserTest, Value,
};
use crate::domain::sales::FactQuery;
use crate::domain::scope::ReadScope;
use foldhash::fast::RandomState;
use futures::future::{BoxFuture, FutureExt as _};
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A column of numbers of names, or of the places of words.
#[derive(Clone, Copy, Debug)]
enum Named {
    Status,
    Kind,
    Currency,
    Program,
    Space,
    User,
    Country,
    Device,
}

impl Named {
    fn of(self, chunk: &Chunk, place: usize) -> usize {
        match self {
            Self::Status => chunk.status(place),
            Self::Kind => chunk.kind(place),
            Self::Currency => chunk.currency(place),
            Self::Program => chunk.program(place),
            Self::Space => chunk.space(place),
            Self::User => chunk.user(place),
            Self::Country => chunk.country(place),
            Self::Device => chunk.device(place),
        }
    }
}

/// A condition on an action.
#[derive(Clone, Debug)]
enum Test {
    /// The number of its name is one of these.
    Named(Named, Arc<Marks>),
    /// A value of its own.
    Value(ActionField, Op),
    /// A value of its own that is one of these, or is there and none of these.
    Listed(ActionField, Listed),
    /// Its cart.
    Items(Quantifier, Filter<Item>),
}

/// A condition on a cart item.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Product(Arc<Marks>),
    Category(Arc<Marks>),
    Value(ItemField, Op),
    Listed(ItemField, Listed),
}

/// Many values, told apart at once.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    values: HashSet<Value, RandomState>,
    is_among: bool,
}

impl Listed {
    /// Of an operator that lists values, if it does.
    fn of(op: &Op) -> Option<Self> {
        let (values, is_among) = match op {
            Op::In(values) => (values, true),
            Op::NotIn(values) => (values, false),
            _ => return None,
        };
        let values = values.iter().cloned().collect();
        Some(Self { values, is_among })
    }

    fn holds(&self, value: &Value) -> bool {
        *value != Value::Null && self.values.contains(value) == self.is_among
    }
}

impl Test {
    fn holds(&self, chunk: &Chunk, place: usize) -> bool {
        match self {
            Self::Named(column, set) => set.has(column.of(chunk, place)),
            Self::Value(field, op) => op.holds(&value(*field, chunk, place)),
            Self::Listed(field, listed) => listed.holds(&value(*field, chunk, place)),
            Self::Items(quantifier, filter) => {
                let passes = |item: usize| filter.matches(&|test: &Item| test.holds(chunk, item));
                let mut items = chunk.items(place);
                match quantifier {
                    Quantifier::Some => items.any(passes),
                    Quantifier::Every => items.all(passes),
                    Quantifier::None => !items.any(passes),
                }
            }
        }
    }
}

impl Item {
    fn holds(&self, chunk: &Chunk, item: usize) -> bool {
        match self {
            Self::Product(set) => set.has(chunk.product(item)),
            Self::Category(set) => set.has(chunk.category(item)),
            Self::Value(field, op) => op.holds(&value_of_item(*field, chunk, item)),
            Self::Listed(field, listed) => listed.holds(&value_of_item(*field, chunk, item)),
        }
    }
}

fn value_of_item(field: ItemField, chunk: &Chunk, item: usize) -> Value {
    match field {
        ItemField::Amount => Value::Int(chunk.item_amount(item)),
        ItemField::Reward => Value::Int(chunk.item_reward(item)),
        ItemField::Units => Value::Int(chunk.item_units(item)),
        ItemField::TariffId | ItemField::ProductCountry => Value::Null,
    }
}

fn value(field: ActionField, chunk: &Chunk, place: usize) -> Value {
    match field {
        ActionField::Id => Value::Id(chunk.id(place)),
        ActionField::Paid => Value::Flag(chunk.is_paid(place)),
        ActionField::Reward => Value::Int(chunk.reward(place)),
        ActionField::OrderAmount if chunk.is_amounted(place) => Value::Int(chunk.amount(place)),
        ActionField::OrderedAt => Value::Int(chunk.at(place)),
        ActionField::ItemsCount => {
            Value::Int(i64::try_from(chunk.items(place).len()).unwrap_or(i64::MAX))
        }
        _ => Value::Null,
    }
}

/// The facts of a question: a snapshot, when, and which.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    pub snapshot: Arc<Snapshot>,
    filter: Filter<Test>,
    /// Whether every action passes.
    is_all: bool,
    without_declined: bool,
    /// Which cart items are looked at; all without one.
    items: Option<Filter<Item>>,
}

impl Matching {
    /// The facts of a query, whenever they were, where there are columns for them: as many statements as the filter has
    /// conditions on related rows.
    pub(super) async fn of_query(
        tx: &ReadTx,
        scope: ReadScope,
        facts: &FactQuery,
    ) -> Result<Option<Self>> {
        Self::of(tx, scope, &facts.filter, facts.without_declined).await
    }

    pub(super) async fn of(
        tx: &ReadTx,
        scope: ReadScope,
        filter: &Filter<ActionTest>,
        without_declined: bool,
    ) -> Result<Option<Self>> {
        let Some(asking) = Asking::of(tx, scope, None).await? else {
            return Ok(None);
        };
        asking.matching(filter, without_declined).await.map(Some)
    }

    /// Looks at these cart items alone.
    pub(super) fn only_items(&mut self, items: Filter<Item>) {
        self.items = Some(items);
    }

    /// Whether a cart item is looked at.
    pub(super) fn item_passes(&self, chunk: &Chunk, item: usize) -> bool {
        self.items
            .as_ref()
            .is_none_or(|filter| filter.matches(&|test: &Item| test.holds(chunk, item)))
    }

    /// Whether every action that was not declined counts, and no other.
    pub(super) fn is_plain(&self) -> bool {
        self.is_all && self.without_declined
    }

    /// Whether an action satisfies the filter.
    pub(super) fn passes(&self, chunk: &Chunk, place: usize) -> bool {
        self.is_all || self.filter.matches(&|test: &Test| test.holds(chunk, place))
    }

    /// Whether an action of the filter counts.
    pub(super) fn counts(&self, chunk: &Chunk, place: usize) -> bool {
        !(self.without_declined && is_declined(chunk, place))
    }

    /// Shows the actions of the filter whose order lies from an instant up to but without another.
    pub(super) fn each<'s>(&'s self, from: i64, to: i64, mut see: impl FnMut(&'s Chunk, usize)) {
        let ControlFlow::Continue(()) = self.each_until(from, to, |chunk, place| {
            see(chunk, place);
            ControlFlow::<Infallible>::Continue(())
        });
    }

    /// Likewise, until it is told to stop.
    pub(super) fn each_until<'s, B>(
        &'s self,
        from: i64,
        to: i64,
        mut see: impl FnMut(&'s Chunk, usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (chunk, is_inside) in self.snapshot.between(from, to) {
            for place in 0..chunk.len() {
                let is_in = is_inside || (from..to).contains(&chunk.at(place));
                if is_in && self.passes(chunk, place) {
                    see(chunk, place)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Likewise those that count.
    pub(super) fn each_counted<'s>(
        &'s self,
        from: i64,
        to: i64,
        mut see: impl FnMut(&'s Chunk, usize),
    ) {
        self.each(from, to, |chunk, place| {
            if self.counts(chunk, place) {
                see(chunk, place);
            }
        });
    }
}

/// Who looks up what a filter needs.
pub(super) struct Asking<'a> {
    pub tx: &'a ReadTx,
    pub scope: ReadScope,
    pub snapshot: Arc<Snapshot>,
    /// What was said before, of a rule.
    pub look: Option<&'a Look<'a>>,
}

impl<'a> Asking<'a> {
    /// For the facts that a transaction sees; nothing where there are no columns of them, which is noted.
    pub(super) async fn of(
        tx: &'a ReadTx,
        scope: ReadScope,
        look: Option<&'a Look<'a>>,
    ) -> Result<Option<Self>> {
        let snapshot = super::snapshot(tx, scope).await?;
        if snapshot.is_none() {
            tx.note_left();
        }
        Ok(snapshot.map(|snapshot| Self {
            tx,
            scope,
            snapshot,
            look,
        }))
    }

    /// The facts that pass a filter, whenever they were.
    pub(super) async fn matching(
        &self,
        filter: &Filter<ActionTest>,
        without_declined: bool,
    ) -> Result<Matching> {
        let filter = self.tree(filter, &|test| self.action(test)).await?;
        let is_all = matches!(&filter, Filter::All(parts) if parts.is_empty());
        Ok(Matching {
            filter,
            is_all,
            snapshot: Arc::clone(&self.snapshot),
            without_declined,
            items: None,
        })
    }

    /// The same tree of other tests.
    pub(super) fn tree<'f, T: Sync, U: Send>(
        &'f self,
        filter: &'f Filter<T>,
        test: &'f (impl Fn(&'f T) -> BoxFuture<'f, Result<U>> + Sync),
    ) -> BoxFuture<'f, Result<Filter<U>>> {
        async move {
            Ok(match filter {
                Filter::All(parts) => {
                    let mut made = Vec::with_capacity(parts.len());
                    for part in parts {
                        made.push(self.tree(part, test).await?);
                    }
                    Filter::All(made)
                }
                Filter::Any(parts) => {
                    let mut made = Vec::with_capacity(parts.len());
                    for part in parts {
                        made.push(self.tree(part, test).await?);
                    }
                    Filter::Any(made)
                }
                Filter::Not(part) => Filter::Not(Box::new(self.tree(part, test).await?)),
                Filter::Test(condition) => Filter::Test(test(condition).await?),
            })
        }
        .boxed()
    }

    fn action<'f>(&'f self, test: &'f ActionTest) -> BoxFuture<'f, Result<Test>> {
        async move {
            let (column, set) = match test {
                ActionTest::Field(field, op) => return Ok(self.field(*field, op)),
                ActionTest::Items(quantifier, filter) => {
                    let filter = self.items(filter).await?;
                    return Ok(Test::Items(*quantifier, filter));
                }
                ActionTest::Program(filter) => {
                    let of = |test: &ProgramTest| (test.0 == ProgramField::Id).then(|| by(&test.1));
                    (
                        Named::Program,
                        self.related("programs", filter, of, |names| &names.programs)
                            .await?,
                    )
                }
                ActionTest::AdSpace(filter) => {
                    let of = |test: &AdSpaceTest| (test.0 == AdSpaceField::Id).then(|| by(&test.1));
                    (
                        Named::Space,
                        self.related("ad_spaces", filter, of, |names| &names.spaces)
                            .await?,
                    )
                }
                ActionTest::User(filter) => (Named::User, self.users(filter).await?),
            };
            Ok(Test::Named(column, set))
        }
        .boxed()
    }

    /// The numbers of the users that pass a filter.
    pub(super) async fn users(&self, filter: &Filter<UserTest>) -> Result<Arc<Marks>> {
        let of = |test: &UserTest| match test {
            UserTest::Field(UserField::Id, op) => Some(by(op)),
            UserTest::BuiltIn(built_in) => built_in.members.clone().map(OfId::Listed),
            UserTest::Segment(named) => within(named),
            UserTest::Field(..) => None,
        };
        self.related("users", filter, of, |names| &names.users)
            .await
    }

    /// The numbers of the products that pass a filter.
    pub(super) async fn products(&self, filter: &Filter<ProductTest>) -> Result<Arc<Marks>> {
        let of = |test: &ProductTest| match test {
            ProductTest::Field(ProductField::Id, op) => Some(by(op)),
            ProductTest::BuiltIn(built_in) => built_in.members.clone().map(OfId::Listed),
            ProductTest::Segment(named) => within(named),
            ProductTest::Field(..) | ProductTest::Category(_) => None,
        };
        self.related("products", filter, of, |names| &names.products)
            .await
    }

    /// The same filter of cart items, with what it needs looked up.
    pub(super) async fn items(&self, filter: &Filter<ItemTest>) -> Result<Filter<Item>> {
        self.tree(filter, &|test| self.item(test)).await
    }

    fn item<'f>(&'f self, test: &'f ItemTest) -> BoxFuture<'f, Result<Item>> {
        async move {
            Ok(match test {
                ItemTest::Field(field, op) => Listed::of(op).map_or_else(
                    || Item::Value(*field, op.clone()),
                    |listed| Item::Listed(*field, listed),
                ),
                ItemTest::Product(filter) => Item::Product(self.products(filter).await?),
                ItemTest::Category(filter) => {
                    let of =
                        |test: &CategoryTest| (test.0 == CategoryField::Id).then(|| by(&test.1));
                    Item::Category(
                        self.related("categories", filter, of, |names| &names.categories)
                            .await?,
                    )
                }
            })
        }
        .boxed()
    }

    /// A condition on a field of the action itself.
    fn field(&self, field: ActionField, op: &Op) -> Test {
        let names = self.snapshot.names();
        let missing = op.holds(&Value::Null);
        let (column, set) = match field {
            ActionField::Status => {
                let words = Status::ALL
                    .iter()
                    .map(|word| op.holds(&word.as_str().into()));
                (Named::Status, words.collect::<Marks>())
            }
            ActionField::ActionType => {
                let words = ActionType::ALL
                    .iter()
                    .map(|word| op.holds(&word.as_str().into()));
                (Named::Kind, words.collect())
            }
            ActionField::Currency => {
                let is =
                    |currency: &crate::domain::money::Currency| op.holds(&currency.as_str().into());
                (Named::Currency, names.currencies.which(missing, is))
            }
            ActionField::Country => {
                let is = |code: &String| op.holds(&code.as_str().into());
                (Named::Country, names.countries.which(missing, is))
            }
            ActionField::Device => {
                let is = |word: &String| op.holds(&word.as_str().into());
                (Named::Device, names.devices.which(missing, is))
            }
            _ => {
                let listed = Listed::of(op).map(|listed| Test::Listed(field, listed));
                return listed.unwrap_or_else(|| Test::Value(field, op.clone()));
            }
        };
        Test::Named(column, Arc::new(set))
    }
}
