//! Top sellers: ranked groups, their sums in any span, and the totals that shares are of.

pub use crate::store::sales::{group_count, products_in, ranked, sums_of, totals_of as totals};
