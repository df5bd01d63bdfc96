//! What the things are called that a rule names by their ids.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::context::RequestContext;
use super::error::Result;
use super::loaders::Entity;
use crate::domain::records::{Action, AdSpace, Category, Product, Program, User};
use crate::domain::rule::{Called, Thing};

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
    pub async fn called(&self, things: BTreeSet<(Thing, Uuid)>) -> Result<Called> {
        let mut called = Called::new();
        self.add::<Action>(&things, &mut called).await?;
        self.add::<AdSpace>(&things, &mut called).await?;
        self.add::<Category>(&things, &mut called).await?;
        self.add::<Product>(&things, &mut called).await?;
        self.add::<Program>(&things, &mut called).await?;
        self.add::<User>(&things, &mut called).await?;
        Ok(called)
    }

    async fn add<E: Named>(
        &self,
        things: &BTreeSet<(Thing, Uuid)>,
        called: &mut Called,
    ) -> Result<()> {
        let ids = things.iter().filter(|(thing, _)| *thing == E::THING);
        let ids: Vec<Uuid> = ids.map(|(_, id)| *id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for entity in self.loaders.many::<E>(ids).await? {
            let name = entity.name();
            let told = name.map_or_else(|| "a certain one".to_owned(), |name| format!("{name:?}"));
            called.insert((E::THING, entity.key()), told);
        }
        Ok(())
    }
}
