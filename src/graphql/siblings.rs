//! Values that were listed together, so that a field of one of them is read for all of them: one statement per level,
//! whatever the page size.
//!
//! A [`Member`] knows its siblings. The first member that is asked for a relation loads it for all; the others, and
//! the same field under another alias or in a fragment, take theirs from there. What is loaded becomes a group of
//! siblings itself, so the next level is one statement again.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::context::RequestContext;
use super::error::{Failure, Result};
use super::loaders::Entity;
use crate::domain::page::Page;

/// A value with its siblings. Cheap to clone.
pub struct Member<T> {
    value: Arc<T>,
    group: Arc<Group<T>>,
}

impl<T> Clone for Member<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            group: Arc::clone(&self.group),
        }
    }
}

impl<T> Deref for Member<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What was loaded for a whole group: of a type that only its relation knows.
type Batch = Result<Arc<dyn Any + Send + Sync>>;

/// What is loaded for a group, by relation and arguments.
type Batches = HashMap<(&'static str, String), Arc<OnceCell<Batch>>>;

/// Values that were listed together, and what was loaded for them, by relation and arguments.
pub struct Group<T> {
    all: Vec<Arc<T>>,
    batches: Mutex<Batches>,
}

impl<T> Group<T> {
    fn new(all: Vec<Arc<T>>) -> Arc<Self> {
        Arc::new(Self {
            all,
            batches: Mutex::default(),
        })
    }

    /// All values of the group.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.all.iter().map(AsRef::as_ref)
    }

    fn member(self: &Arc<Self>, value: Arc<T>) -> Member<T> {
        Member {
            value,
            group: Arc::clone(self),
        }
    }
}

/// Makes siblings of values, in their order.
pub fn siblings<T>(values: impl IntoIterator<Item = Arc<T>>) -> Vec<Member<T>> {
    let group = Group::new(values.into_iter().collect());
    group
        .all
        .iter()
        .map(|value| group.member(Arc::clone(value)))
        .collect()
}

/// A value that was not listed with others.
pub fn alone<T>(value: Arc<T>) -> Member<T> {
    let group = Group::new(vec![Arc::clone(&value)]);
    group.member(value)
}

/// Makes one group of siblings of the rows of several pages.
pub fn pages_of_siblings<K: Eq + Hash, T>(
    pages: HashMap<K, Page<T>>,
) -> HashMap<K, Page<Member<T>>> {
    let pages: Vec<(K, Page<Arc<T>>)> = pages
        .into_iter()
        .map(|(key, page)| (key, page.map(Arc::new)))
        .collect();
    let rows = pages
        .iter()
        .flat_map(|(_, page)| page.rows.iter().map(|(value, _)| Arc::clone(value)));
    let group = Group::new(rows.collect());
    pages
        .into_iter()
        .map(|(key, page)| (key, page.map(|value| group.member(value))))
        .collect()
}

/// Makes siblings of the rows of one page.
pub fn page_of_siblings<T>(page: Page<Arc<T>>) -> Page<Member<T>> {
    let group = Group::new(
        page.rows
            .iter()
            .map(|(value, _)| Arc::clone(value))
            .collect(),
    );
    page.map(|value| group.member(value))
}

/// Makes one group of siblings of the rows of several lists.
pub fn lists_of_siblings<K: Eq + Hash, T>(lists: HashMap<K, Vec<T>>) -> HashMap<K, Vec<Member<T>>> {
    let lists: Vec<(K, Vec<Arc<T>>)> = lists
        .into_iter()
        .map(|(key, list)| (key, list.into_iter().map(Arc::new).collect()))
        .collect();
    let group = Group::new(
        lists
            .iter()
            .flat_map(|(_, list)| list.iter().map(Arc::clone))
            .collect(),
    );
    let members = |list: Vec<Arc<T>>| list.into_iter().map(|value| group.member(value)).collect();
    lists
        .into_iter()
        .map(|(key, list)| (key, members(list)))
        .collect()
}

impl<T: Send + Sync + 'static> Member<T> {
    /// What `load` gives for the whole group: called by the first that asks with these arguments, once.
    ///
    /// # Errors
    /// What `load` failed with; all that ask get the same.
    pub async fn batch<R, L, F>(
        &self,
        relation: &'static str,
        arguments: &(impl Debug + Sync),
        load: L,
    ) -> Result<Arc<R>>
    where
        R: Send + Sync + 'static,
        L: FnOnce(Arc<Group<T>>) -> F + Send,
        F: Future<Output = Result<R>> + Send,
    {
        let cell = {
            let mut batches = self
                .group
                .batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                batches
                    .entry((relation, format!("{arguments:?}")))
                    .or_default(),
            )
        };
        let group = Arc::clone(&self.group);
        let load = || async move {
            load(group)
                .await
                .map(|loaded| Arc::new(loaded) as Arc<dyn Any + Send + Sync>)
        };
        let batch: Batch = cell.get_or_init(load).await.clone();
        batch?
            .downcast()
            .map_err(|_| Failure::internal("a relation is loaded in two types"))
    }

    /// The entity that `key` names, loaded for all siblings in one statement.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn related<E: Entity>(
        &self,
        request: &Arc<RequestContext>,
        relation: &'static str,
        key: fn(&T) -> Option<Uuid>,
    ) -> Result<Option<Member<E>>> {
        let Some(wanted) = key(self) else {
            return Ok(None);
        };
        let load = |group: Arc<Group<T>>| async move {
            let found = request
                .loaders
                .many::<E>(group.all().filter_map(key))
                .await?;
            Ok(by_key(found))
        };
        let loaded = self
            .batch::<HashMap<Uuid, Member<E>>, _, _>(relation, &(), load)
            .await?;
        Ok(loaded.get(&wanted).cloned())
    }
}

/// Siblings by their keys.
pub fn by_key<E: Entity>(entities: impl IntoIterator<Item = Arc<E>>) -> HashMap<Uuid, Member<E>> {
    siblings(entities)
        .into_iter()
        .map(|member| (member.key(), member))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn the_first_that_asks_loads_for_all() {
        let loads = AtomicU32::new(0);
        let members = siblings([1_i64, 2, 3].map(Arc::new));
        let double = async |member: &Member<i64>, factor: i64| {
            let loads = &loads;
            let load = move |group: Arc<Group<i64>>| async move {
                loads.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(group
                    .all()
                    .map(|value| (*value, value * factor))
                    .collect::<HashMap<_, _>>())
            };
            member
                .batch("double", &factor, load)
                .await
                .unwrap()
                .get(member)
                .copied()
        };
        let all = futures::future::join_all(members.iter().map(|member| double(member, 2))).await;
        assert_eq!(all, [Some(2), Some(4), Some(6)]);
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert_eq!(
            double(&members[1], 3).await,
            Some(6),
            "other arguments load on their own"
        );
        assert_eq!(loads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failed_load_fails_all_and_is_not_repeated() {
        let loads = AtomicU32::new(0);
        let members = siblings([1, 2].map(Arc::new));
        for member in &members {
            let load = |_: Arc<Group<i32>>| async {
                loads.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(Failure::internal("no"))
            };
            assert!(member.batch("broken", &(), load).await.is_err());
        }
        assert_eq!(loads.load(Ordering::Relaxed), 1);
    }
}
