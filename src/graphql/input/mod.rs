//! What callers send: filters, orders, ranges. Text and numbers become the domain's types here, once; refusals name the
//! argument and the remedy.
//!
//! | file | holds |
//! | --- | --- |
//! | `reader` | the limits on a filter, and the way from an input to a tree of conditions |
//! | `operators` | what a field is compared with |
//! | `filters`, `action_filter` | one filter for each list |
//! | `built_in` | built-in segments as conditions |
//! | `deep` | what stands in itself |
//! | `order` | `orderBy` of each list |
//! | `range` | ranges with their axis, zone and weeks |
//! | `report` | dimensions, conditions and order of reports |
//! | `rule` | rules of segments that callers define |
//! | `rules` | the parameters of product segments |

pub mod action_filter;
pub mod built_in;
pub mod deep;
pub mod filters;
pub mod operators;
pub mod order;
pub mod range;
pub mod reader;
pub mod report;
pub mod rule;
pub mod rules;

#[cfg(test)]
mod tests;
