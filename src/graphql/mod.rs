//! The API: what can be asked, how it is read, and how it is answered. HTTP is `http`'s business, statements are
//! `store`'s, and what numbers mean is `domain`'s and `analytics`'.
//!
//! | file | does |
//! | --- | --- |
//! | `document` | the one stage before execution: limits, validation, variables, cost |
//! | `engine` | runs a request |
//! | `reply` | writes its answer, or why there is none |
//! | `options` | how an engine is set |
//! | `bill` | what an operation pays and gets back |
//! | `estimate` | how many actions a question looks through |
//! | `prices` | what fields cost |
//! | `context` | what every resolver of a request can reach |
//! | `query`, `mutation` | the root fields |
//! | `types` | what is answered |
//! | `input` | what is asked with |
//! | `scalar`, `id`, `connection` | the parts that types are made of |
//! | `report_selection` | what an operation selects of a report |
//! | `segment_reading` | a rule of a segment, or all that is wrong with it |
//! | `called` | what the things are called that a rule names by their ids |
//! | `written` | rows of plain values as JSON, without the framework's walk |
//! | `siblings`, `loaders` | one statement per level, and entities by id |
//! | `links` | the templates of affiliate links, once per request |
//! | `error` | how an error reaches a client |
//! | `schema` | the schema as text |

mod bill;
mod called;
pub mod connection;
pub mod context;
pub mod document;
mod engine;
pub mod error;
mod estimate;
pub mod id;
pub mod input;
pub mod keys;
pub mod links;
pub mod loaders;
pub mod mutation;
mod options;
mod prices;
pub mod query;
mod reply;
pub mod report_selection;
pub mod scalar;
mod schema;
pub mod segment_reading;
pub mod siblings;
pub mod types;
pub mod written;

pub use document::Hides;
pub use engine::{Call, Engine, GraphqlRequest, Method};
pub use options::{DoorLimits, EngineOptions, Introspection, Spending, Writing};
pub use reply::{Outcome, Reply};
pub use schema::sdl;
