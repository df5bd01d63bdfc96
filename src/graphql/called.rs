//! What the things are called that a rule names by their ids, or lists.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::context::RequestContext;
use super::error::Result;
use super::loaders::Entity;
use crate::domain::action::SOURCE;
use crate::domain::id::{Kind, derive};
use crate::domain::records::{Action, AdSpace, Category, Product, Program, User};
use crate::domain::rule::{Called, Name, Thing};

/// A record that a sentence can name.
trait Named: Entity {
    const THING: Thing;

    /// Its name; none where it has none, or the viewer is not shown it.
    fn name(&self) -> Option<&str>;
}

macro_rules! named {
    ($($record:ident: $name:expr),+ $(,)?) => {$(
        impl Named for $record {
            const THING: Thing = Thing::$record;

            fn name(&self) -> Option<&str> {
                let name: fn(&Self) -> Option<&str> = $name;
                name(self).filter(|name| !name.is_empty())
            }
        }
    )+};
}

named!(
    Action: |action| Some(&action.external_id),
    AdSpace: |space| Some(&space.name),
    Category: |category| Some(&category.name),
    Product: |product| product.name.as_deref().or(product.external_id.as_deref()),
    Program: |program| Some(&program.name),
    // The value is empty for keys that may not see it.
    User: |user| Some(&user.value),
);

impl RequestContext {
    /// How things are told in a sentence: one statement for each kind of them, none for those that the request knows. What
    /// the viewer does not see is not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn called(&self, things: BTreeSet<(Thing, Name)>) -> Result<Called> {
        let mut called = Called::new();
        self.add::<Action>(&things, &mut called).await?;
        self.add::<AdSpace>(&things, &mut called).await?;
        self.add::<Category>(&things, &mut called).await?;
        self.add::<Product>(&things, &mut called).await?;
        self.add::<Program>(&things, &mut called).await?;
        self.add::<User>(&things, &mut called).await?;
        if !self.tx.is_limited() {
            called.extend(things.into_iter().filter_map(told_as_listed));
        }
        Ok(called)
    }

    async fn add<E: Named>(
        &self,
        things: &BTreeSet<(Thing, Name)>,
        called: &mut Called,
    ) -> Result<()> {
        let mut named: HashMap<Uuid, Vec<Name>> = HashMap::new();
        for (_, name) in things.iter().filter(|(thing, _)| *thing == E::THING) {
            if let Some(id) = self.id_of(E::THING, name) {
                named.entry(id).or_default().push(name.clone());
            }
        }
        if named.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = named.keys().copied().collect();
        for entity in self.loaders.many::<E>(ids).await? {
            let told = entity.name().map(|told| format!("{told:?}"));
            let names = named.remove(&entity.key()).unwrap_or_default();
            let names = names.into_iter();
            called.extend(names.map(|name| ((E::THING, name), told.clone())));
        }
        Ok(())
    }

    /// The id that a name of a thing stands for, if it stands for one.
    fn id_of(&self, thing: Thing, name: &Name) -> Option<Uuid> {
        match (thing, name) {
            (_, Name::Id(id)) => Some(*id),
            (Thing::Product, Name::Listed(key)) => {
                let publisher = self.scope.publisher();
                let key = format!("{SOURCE}\0{key}");
                Some(derive(publisher, Kind::Product, &key))
            }
            (_, Name::Listed(_)) => None,
        }
    }
}

/// A listed value of users, which stands for itself to who sees all users and what they are known by. There need not be one.
fn told_as_listed((thing, name): (Thing, Name)) -> Option<((Thing, Name), Option<String>)> {
    match (thing, &name) {
        (Thing::User, Name::Listed(value)) => {
            let told = format!("{value:?}");
            Some(((thing, name), Some(told)))
        }
        _ => None,
    }
}
