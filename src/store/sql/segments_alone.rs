//! Filters of related rows that ask for nothing but segments: an id tells them, without the row.

use super::Sql;
use super::filter::write_tree;
use super::segment::{write_built_in, write_in};
use crate::domain::filter::{Filter, ProductTest, UserTest};
use crate::domain::rule::{BuiltIn, InSegments};

/// What a condition asks of an id.
pub(super) enum OfId<'a> {
    /// To be in segments that someone defined.
    Defined(&'a InSegments),
    /// To be in a built-in one.
    BuiltIn(&'a BuiltIn),
}

/// The segments that a condition names, if it is of nothing else.
pub(super) trait OfSegments {
    fn segments(&self) -> Option<OfId<'_>>;
}

impl OfSegments for UserTest {
    fn segments(&self) -> Option<OfId<'_>> {
        match self {
            Self::Segment(named) => Some(OfId::Defined(named)),
            Self::BuiltIn(built_in) => Some(OfId::BuiltIn(built_in)),
            Self::Field(..) => None,
        }
    }
}

impl OfSegments for ProductTest {
    fn segments(&self) -> Option<OfId<'_>> {
        match self {
            Self::Segment(named) => Some(OfId::Defined(named)),
            Self::BuiltIn(built_in) => Some(OfId::BuiltIn(built_in)),
            Self::Field(..) | Self::Category(_) => None,
        }
    }
}

/// Appends a filter of segments alone on the row that the column `id`, which may be missing, names: no row needs to be
/// looked up for it. Tells whether the filter is one.
pub(super) fn write_segments_alone<T: OfSegments>(
    filter: &Filter<T>,
    id: &str,
    sql: &mut Sql,
) -> bool {
    let is_alone =
        filter.tests().next().is_some() && filter.tests().all(|test| test.segments().is_some());
    if is_alone {
        sql.push(&format!("({id} IS NOT NULL AND "));
        write_tree(filter, sql, &|test, sql| match test.segments() {
            Some(OfId::Defined(named)) => write_in(named, id, sql),
            Some(OfId::BuiltIn(built_in)) => write_built_in(built_in, id, sql),
            None => {}
        });
        sql.push(")");
    }
    is_alone
}
