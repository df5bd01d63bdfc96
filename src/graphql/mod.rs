//! The API: what can be asked, how it is read, and how it is answered. HTTP is `http`'s business, statements are
//! `store`'s, and what numbers mean is `domain`'s and `analytics`'.
//!
//! | file | does |
//! | --- | --- |
//! | `document` | the one stage before execution: limits, validation, variables, cost |
//! | `engine` | runs a request and writes its answer |
//! | `context` | what every resolver of a request can reach |
//! | `query`, `mutation` | the root fields |
//! | `types` | what is answered |
//! | `input` | what is asked with |
//! | `scalar`, `id`, `connection` | the parts that types are made of |
//! | `report_selection` | what an operation selects of a report |
//! | `siblings`, `loaders` | one statement per level, and entities by id |
//! | `error` | how an error reaches a client |
//! | `schema` | the schema as text |

pub mod connection;
pub mod context;
pub mod document;
mod engine;
pub mod error;
pub mod id;
pub mod input;
pub mod keys;
mod loaders;
pub mod mutation;
pub mod query;
pub mod report_selection;
pub mod scalar;
mod schema;
pub mod siblings;
pub mod types;

pub use document::Hides;
pub use engine::{Call, Engine, GraphqlRequest, Method, Outcome, Reply};
pub use schema::sdl;
