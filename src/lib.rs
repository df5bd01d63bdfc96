//! Actiongraph: a self-hosted GraphQL analytics server for publishers of the AliExpress programs in Admitad.
pub mod analytics;
pub mod domain;
pub mod graphql;
pub mod store;
