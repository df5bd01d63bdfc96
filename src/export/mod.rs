//! Answers as files: which question a file asks of the API, and how its rows are written.
//!
//! A file is what the API answers, page after page; nothing is computed here, so a file and a query cannot differ.

pub mod csv;
pub mod traffic;
