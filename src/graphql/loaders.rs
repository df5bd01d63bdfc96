//! Entities by id, each read once per request. The only file that knows which loader does it.
//!
//! Lists feed what they read, so that ids seen before cost nothing. The loader never waits for more keys: a field asks
//! for all its siblings at once (see `siblings`), so a batch is complete when it arrives. The cache lives and dies with
//! the request, which also keeps tenants apart; misses are remembered too.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use uuid::Uuid;

use super::error::{Failure, Result};
use crate::domain::error::Result as StoreResult;
use crate::domain::ledger::Adjustment;
use crate::domain::records::{Action, AdSpace, Category, ImportRun, Product, Program, User};
use crate::domain::rule::Segment;
use crate::domain::scope::ReadScope;
use crate::store::{self, ReadTx};

/// A record that has a global id.
pub trait Entity: Clone + Send + Sync + 'static {
    /// Its key.
    fn key(&self) -> Uuid;

    /// Records by key, in no order, without those that do not exist.
    fn by_ids(
        tx: &ReadTx,
        scope: ReadScope,
        ids: &[Uuid],
    ) -> impl Future<Output = StoreResult<Vec<Self>>> + Send;
}

macro_rules! entities {
    ($($record:ident: $module:ident),+ $(,)?) => { $(
        impl Entity for $record {
            fn key(&self) -> Uuid {
                self.id
            }

            fn by_ids(
                tx: &ReadTx,
                scope: ReadScope,
                ids: &[Uuid],
            ) -> impl Future<Output = StoreResult<Vec<Self>>> + Send {
                store::$module::by_ids(tx, scope, ids)
            }
        }
    )+

        impl Loaders {
            /// Forgets what was read, because something was written.
            pub fn forget(&self) {
                $(self.0.clear::<Key<$record>>();)+
            }
        }
    };
}

entities!(
    Action: actions,
    Product: products,
    Category: categories,
    Program: programs,
    AdSpace: ad_spaces,
    User: users,
    ImportRun: imports,
    Adjustment: adjustments,
    Segment: definitions,
);

struct Key<E>(Uuid, PhantomData<fn() -> E>);

impl<E> Key<E> {
    fn new(key: Uuid) -> Self {
        Self(key, PhantomData)
    }
}

impl<E> Clone for Key<E> {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl<E> PartialEq for Key<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<E> Eq for Key<E> {}

impl<E> Hash for Key<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

struct Entities {
    tx: ReadTx,
    scope: ReadScope,
}

impl<E: Entity> Loader<Key<E>> for Entities {
    type Value = Option<Arc<E>>;
    type Error = Failure;

    async fn load(&self, keys: &[Key<E>]) -> Result<HashMap<Key<E>, Self::Value>> {
        // Sorted, so that the same request sends the same statement.
        let ids: BTreeSet<Uuid> = keys.iter().map(|key| key.0).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let found = E::by_ids(&self.tx, self.scope, &ids).await?;
        let mut values: HashMap<_, _> = keys.iter().map(|key| (key.clone(), None)).collect();
        for entity in found {
            values.insert(Key::new(entity.key()), Some(Arc::new(entity)));
        }
        Ok(values)
    }
}

/// The loaders of one request.
pub struct Loaders(DataLoader<Entities, HashMapCache>);

impl Loaders {
    /// Loaders that read what `scope` may see through `tx`.
    pub fn new(tx: ReadTx, scope: ReadScope) -> Self {
        let entities = Entities { tx, scope };
        #[expect(
            clippy::disallowed_methods,
            reason = "the loader waits for each task's answer, in the same call"
        )]
        let loader = DataLoader::with_cache(entities, tokio::spawn, HashMapCache::default());
        // One key is a full batch: nothing waits for a timer.
        Self(loader.max_batch_size(1))
    }

    /// The entity with a key, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn one<E: Entity>(&self, key: Uuid) -> Result<Option<Arc<E>>> {
        let found = self.0.load_one(Key::<E>::new(key)).await?;
        Ok(found.flatten())
    }

    /// The entities with these keys, in no order, without those that do not exist: one statement at most.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn many<E: Entity>(
        &self,
        keys: impl IntoIterator<Item = Uuid>,
    ) -> Result<Vec<Arc<E>>> {
        let keys = keys.into_iter().map(Key::<E>::new);
        let found = self.0.load_many(keys).await?;
        Ok(found.into_values().flatten().collect())
    }

    /// Remembers entities that a list has read.
    pub async fn feed<E: Entity>(&self, entities: Vec<Arc<E>>) {
        let entries = entities
            .into_iter()
            .map(|entity| (Key::<E>::new(entity.key()), Some(entity)));
        self.0.feed_many(entries).await;
    }
}
