//! How large questions may be, beside what their documents and reports are limited to: pages, filters, segments and lists.
//!
//! The defaults are those that hold where nothing is configured. Whoever reads has them from the transaction that it reads
//! through, whoever writes from the store.

use super::filter;
use super::page::MAX_SORT_KEYS;
use super::rule::{MAX_BUILT_IN_MEMBERS, MAX_BUILT_IN_PERIODS, RuleLimits};
use super::segment::MAX_PERIODS;

/// How many values a statement may bind: what SQLite takes, with some room.
pub const MAX_BOUND: usize = 32_000;

/// How many rows the pages of lists may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSizes {
    /// Pages of entities and of what hangs below them.
    pub entities: u32,
    /// Pages of segments.
    pub segments: u32,
    /// Pages of the groups of a report.
    pub report_groups: u32,
}

impl Default for PageSizes {
    fn default() -> Self {
        Self {
            entities: 100,
            segments: 250,
            report_groups: 10_000,
        }
    }
}

/// What one filter may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterLimits {
    /// Levels that it nests.
    pub depth: usize,
    /// Conditions.
    pub conditions: usize,
    /// Values in one list.
    pub values: usize,
    /// Values in all lists together.
    pub all_values: usize,
    /// Segments in one list.
    pub segments: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self {
            depth: filter::MAX_DEPTH,
            conditions: filter::MAX_TESTS,
            values: filter::MAX_VALUES,
            all_values: filter::MAX_ALL_VALUES,
            segments: 20,
        }
    }
}

/// What a question or a change may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Rows of pages.
    pub pages: PageSizes,
    /// Filters.
    pub filters: FilterLimits,
    /// Segments and their rules.
    pub rules: RuleLimits,
    /// Ids in one `nodes`.
    pub nodes: usize,
    /// Keys in one `orderBy`.
    pub order_keys: usize,
    /// Values that one statement at the database takes.
    pub statement_values: usize,
    /// Points of one trend of a segment: each is the segment, evaluated as of then.
    pub trend_points: usize,
    /// Segments that are laid over each other: they divide into two to that power less one parts.
    pub overlaid_segments: usize,
    /// Periods that a request divides into built-in segments: each goes through all users or products by itself.
    pub built_in_periods: usize,
    /// Members that the built-in segments of a request have together, at each moment by itself.
    pub built_in_members: usize,
    /// Periods that cohorts are made of.
    pub cohort_periods: usize,
    /// Products in the list of priority products that are not known yet.
    pub awaited_products: usize,
    /// Rejected records that are tried again at a time.
    pub retried_records: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            pages: PageSizes::default(),
            filters: FilterLimits::default(),
            rules: RuleLimits::default(),
            nodes: 100,
            order_keys: MAX_SORT_KEYS,
            statement_values: MAX_BOUND,
            trend_points: 60,
            overlaid_segments: 8,
            built_in_periods: MAX_BUILT_IN_PERIODS,
            built_in_members: MAX_BUILT_IN_MEMBERS,
            cohort_periods: MAX_PERIODS,
            awaited_products: 10_000,
            retried_records: 1_000,
        }
    }
}
