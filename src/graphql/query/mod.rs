//! The root fields: arguments in, one call, an answer out.
//!
//! Lists and analyses are nullable (`Option<Result<…>>`), so that one that fails leaves the others.

pub mod analyses;
pub mod customers;
pub mod keys;
pub mod ledger;
pub mod lists;
pub mod lookups;
pub mod reports;
pub mod segments;
pub mod traffic;

use async_graphql::MergedObject;

/// Everything that can be asked: one publisher's actions, what they sold, to whom and through what.
#[derive(Default, MergedObject)]
pub struct Query(
    lookups::Lookups,
    lists::Lists,
    analyses::Analyses,
    customers::Customers,
    ledger::Ledger,
    reports::Reports,
    traffic::Traffic,
    segments::Segments,
    keys::Keys,
);
