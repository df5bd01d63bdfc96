//! Which rows of other tables pass a filter: by their ids, where these alone say it, else by what the database finds.

use super::super::listing::column;
use super::super::sql::Sql;
use super::super::sql::filter::{Condition, write_filter};
use super::super::tx::ReadTx;
use super::marks::Marks;
use super::matching::Asking;
use super::names::{Directory, Names};
use crate::domain::error::{Error, Result};
use crate::domain::filter::{CategoryField, CategoryTest, Filter, Op, Value};
use crate::domain::rule::{InSegments, MemberIds, SegmentRef};
use std::sync::Arc;
use uuid::Uuid;

/// For a condition of which every page is as good as free once the one before it was read.
pub(super) const ALL_PAGES: usize = usize::MAX;
/// How many pages are read of a condition for which the database looks through facts, which it does for each page anew. Who
/// passes it is left to SQL where they are more.
pub(super) const FEW_PAGES: usize = 5;

/// A condition that an id alone satisfies or not.
pub(super) enum OfId {
    /// It compares so.
    Compared(Op),
    /// It is one of these.
    Listed(Arc<MemberIds>),
    /// Whether it is to be in one of these, else in none.
    Within(bool, Vec<Arc<MemberIds>>),
}

/// That it compares so.
pub(super) fn by(op: &Op) -> OfId {
    OfId::Compared(op.clone())
}

/// Membership in segments whose members were all looked up.
pub(super) fn within(named: &InSegments) -> Option<OfId> {
    let members = |one: &SegmentRef| one.set.as_ref()?.members.clone();
    let all: Option<Vec<_>> = named.segments.iter().map(members).collect();
    Some(OfId::Within(named.inside, all?))
}

impl OfId {
    /// The numbers that satisfy it. Those who are listed are looked up, whatever the number of names; a missing row is none.
    fn marks(&self, names: &Names<Uuid>) -> Marks {
        let of = |ids: &[Uuid], marks: &mut Marks| {
            ids.iter()
                .filter_map(|id| names.find(id))
                .for_each(|number| marks.put(number));
        };
        let ids = |values: &[Value]| -> Vec<Uuid> {
            let id = |value: &Value| match value {
                Value::Id(id) => Some(*id),
                _ => None,
            };
            values.iter().filter_map(id).collect()
        };
        let mut marks = Marks::none(names.room());
        let is_inside = match self {
            Self::Compared(Op::Eq(value)) => {
                of(&ids(std::slice::from_ref(value)), &mut marks);
                true
            }
            Self::Compared(Op::Ne(value)) => {
                of(&ids(std::slice::from_ref(value)), &mut marks);
                false
            }
            Self::Compared(Op::In(values)) => {
                of(&ids(values), &mut marks);
                true
            }
            Self::Compared(Op::NotIn(values)) => {
                of(&ids(values), &mut marks);
                false
            }
            Self::Compared(op) => return names.which(false, |id| op.holds(&Value::Id(*id))),
            Self::Listed(members) => {
                of(members.ids(), &mut marks);
                true
            }
            Self::Within(is_inside, all) => {
                all.iter().for_each(|members| of(members.ids(), &mut marks));
                *is_inside
            }
        };
        if !is_inside {
            marks.flip();
        }
        marks
    }
}

/// The parts of a filter that ids alone satisfy or not, and the others: both have to be satisfied.
fn parted<T: Clone>(
    filter: &Filter<T>,
    of: &impl Fn(&T) -> Option<OfId>,
) -> (Filter<OfId>, Option<Filter<T>>) {
    let parts = match filter {
        Filter::All(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let (mut ids, mut others) = (Vec::new(), Vec::new());
    for part in parts {
        match part.mapped(of) {
            Some(tree) => ids.push(tree),
            None => others.push(part.clone()),
        }
    }
    let others = (!others.is_empty()).then_some(Filter::All(others));
    (Filter::All(ids), others)
}

/// The first part of a filter that asks for certain categories alone, and the others: all have to be satisfied. Categories that
/// are told by what they are not can have most of the products: from there each page would look at all of them.
fn by_category<T: Condition + Clone>(
    filter: &Filter<T>,
) -> (Option<&Filter<CategoryTest>>, Filter<T>) {
    let parts = match filter {
        Filter::All(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let of = |part: &Filter<T>| match part {
        Filter::Test(test) => test.category().is_some_and(are_certain),
        Filter::All(parts) => {
            matches!(parts.as_slice(), [Filter::Test(test)] if test.category().is_some_and(are_certain))
        }
        _ => false,
    };
    let place = parts.iter().position(of);
    let category = place.and_then(|place| parts.get(place)?.tests().next()?.category());
    let others = parts.iter().enumerate();
    let others = others.filter(|(own, _)| Some(*own) != place);
    (
        category,
        Filter::All(others.map(|(_, part)| part.clone()).collect()),
    )
}

/// Whether only categories satisfy a filter that it names.
fn are_certain(filter: &Filter<CategoryTest>) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(are_certain),
        Filter::Test(CategoryTest(field, op)) => {
            let is_id = matches!(field, CategoryField::Id | CategoryField::ExternalId);
            is_id && matches!(op, Op::Eq(_) | Op::In(_))
        }
        Filter::Any(_) | Filter::Not(_) => false,
    }
}

impl Asking<'_> {
    /// The numbers of the rows of a table that pass a filter; none for a missing row, which fails every filter. Where it
    /// tests nothing but ids, the database is not asked, and of long lists of ids it is not told.
    pub(super) async fn related<T: Condition + Clone + Send + Sync>(
        &self,
        table: &str,
        filter: &Filter<T>,
        id_test: impl Fn(&T) -> Option<OfId> + Send,
        names: fn(&Directory) -> &Names<Uuid>,
    ) -> Result<Arc<Marks>> {
        let (tree, others) = parted(filter, &id_test);
        let found = match &others {
            Some(others) => {
                let (category, rest) = by_category(others);
                // From the few categories to their products: a database that starts with the products looks at all of them.
                let from = match category {
                    Some(_) => format!("categories fd CROSS JOIN {table} x"),
                    None => format!("{table} x"),
                };
                let write = |sql: &mut Sql| {
                    if let Some(category) = category {
                        sql.push("fd.publisher_id = x.publisher_id AND fd.id = x.category_id AND ");
                        write_filter(category, "fd", sql);
                        sql.push(" AND ");
                    }
                    write_filter(&rest, "x", sql);
                };
                Some(self.listed((&from, names), write, ALL_PAGES).await?)
            }
            None => None,
        };
        let is_all = matches!(&tree, Filter::All(parts) if parts.is_empty());
        if let Some(found) = found.as_ref().filter(|_| is_all) {
            return Ok(Arc::clone(found));
        }
        let snapshot = Arc::clone(&self.snapshot);
        // Segments may have millions of members.
        let marked = tokio::task::spawn_blocking(move || {
            let names = names(snapshot.names());
            let mut marks =
                Marks::of_tree(&tree, names.room(), &mut |test: &OfId| test.marks(names));
            marks.drop(0);
            if let Some(found) = found {
                marks.keep(&found);
            }
            marks
        });
        marked.await.map(Arc::new).map_err(Error::internal)
    }

    /// The numbers of the rows `x` of what stands behind FROM that satisfy what is written of them, unless they were asked for before: up to
    /// so many pages of them, with a statement for each. Nobody, where the database must not be asked any more, or where they
    /// are more, which is noted.
    pub(super) async fn listed(
        &self,
        (from, names): (&str, fn(&Directory) -> &Names<Uuid>),
        write: impl FnOnce(&mut Sql),
        most: usize,
    ) -> Result<Arc<Marks>> {
        let mut sql = self.tx.sql();
        sql.push(&format!("SELECT x.id FROM {from} WHERE x.publisher_id = "))
            .bind(self.scope.publisher().0);
        sql.push(" AND ");
        write(&mut sql);
        // Lists of ids are those of segments: others at every moment, and long.
        let kept = self.look.filter(|_| sql.ids() == 0);
        let kept = kept.map(|look| (look, sql.whole()));
        let known = kept.as_ref().and_then(|(look, whole)| look.find(whole));
        if let Some(known) = known {
            return Ok(known);
        }
        if self.look.is_some_and(|look| !look.may_ask()) {
            return Ok(Arc::default());
        }
        let names = names(self.snapshot.names());
        let mut marks = Marks::none(names.room());
        let see = |id| {
            if let Some(number) = names.find(&id) {
                marks.put(number);
            }
        };
        if !ids(self.tx, &sql, most, see).await? {
            if let Some(look) = self.look {
                look.miss();
            }
            return Ok(Arc::default());
        }
        let marks = Arc::new(marks);
        if let Some((look, whole)) = kept {
            look.keep(whole, &marks);
        }
        Ok(marks)
    }
}

/// Shows the ids that a query of rows `x` finds, in their order, up to so many pages of them: a statement for each page, of
/// which no more is held than that. Whether those are all.
async fn ids(
    tx: &ReadTx,
    query: &Sql,
    most: usize,
    mut see: impl FnMut(Uuid) + Send,
) -> Result<bool> {
    let page = page(tx);
    let mut after: Option<Uuid> = None;
    for _ in 0..most {
        let mut sql = query.clone();
        if let Some(after) = after {
            sql.push(" AND x.id > ").bind(after);
        }
        sql.push(" ORDER BY x.id LIMIT ")
            .bind(i64::try_from(page).unwrap_or(i64::MAX));
        let rows = tx.rows(sql).await?;
        for row in &rows {
            let id = column(row, "id")?;
            after = Some(id);
            see(id);
        }
        if rows.len() < page {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many ids one statement finds.
pub(super) fn page(tx: &ReadTx) -> usize {
    let columns = tx.store().columns();
    columns.map_or(1, |columns| columns.options.ids_at_once.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::{ProductField, ProductTest};

    #[test]
    fn what_ids_alone_say_is_parted_from_the_rest() {
        let of = |test: &u8| (*test < 10).then(|| by(&Op::Eq(Value::Int(i64::from(*test)))));
        let test = |number: u8| Filter::Test(number);
        let count = |tree: &Filter<OfId>| tree.tests().count();
        let (tree, others) = parted(&Filter::All(vec![test(1), test(20), test(2)]), &of);
        assert_eq!(count(&tree), 2);
        assert_eq!(others, Some(Filter::All(vec![test(20)])));
        let mixed = Filter::Any(vec![test(1), test(20)]);
        let (tree, others) = parted(&mixed, &of);
        assert_eq!(count(&tree), 0);
        assert_eq!(others, Some(Filter::All(vec![mixed])));
        let (tree, others) = parted(&Filter::Not(Box::new(test(3))), &of);
        assert_eq!((count(&tree), others), (1, None));
        let (tree, others) = parted(&Filter::default(), &of);
        assert_eq!((count(&tree), others), (0, None));
    }
    #[test]
    fn certain_categories_are_asked_for_first() {
        let category = |field, op| {
            Filter::Test(ProductTest::Category(Filter::All(vec![Filter::Test(
                CategoryTest(field, op),
            )])))
        };
        let id = || category(CategoryField::Id, Op::In(vec![Value::Int(1)]));
        let hot = || {
            let op = Op::Eq(Value::Flag(true));
            Filter::Test(ProductTest::Field(ProductField::IsHot, op))
        };
        let parts = |filter: Filter<ProductTest>| {
            let (category, others) = by_category(&filter);
            (category.is_some(), others.tests().count())
        };
        assert_eq!(parts(id()), (true, 0));
        assert_eq!(parts(Filter::All(vec![hot(), id(), id()])), (true, 2));
        let inside = Filter::All(vec![Filter::All(vec![id()]), hot()]);
        assert_eq!(parts(inside), (true, 1));
        assert_eq!(parts(Filter::Not(Box::new(id()))), (false, 1));
        assert_eq!(parts(Filter::Any(vec![id(), hot()])), (false, 2));
        let other = category(CategoryField::Id, Op::NotIn(vec![Value::Int(1)]));
        assert_eq!(parts(other), (false, 1));
        let known = category(CategoryField::IsKnown, Op::Eq(Value::Flag(true)));
        assert_eq!(parts(known), (false, 1));
    }
}
