//! Taking data in: foreign bytes become drafts for the one write path, or rejects with their reason.
//!
//! | stage | where |
//! |---|---|
//! | unpacking, finding records | [`mod@format`] |
//! | fields as they stand | [`raw`] |
//! | meaning | [`normalize`] |
//! | refusing | [`refusal`], [`personal`] |
//! | a file's own time | [`latest`] |
//! | the seeded source | [`demo`] |
//! | Admitad's API | [`admitad`] |
//! | a postback's parameters | [`postback`] |
//! | batches into the write path | [`pipeline`], [`retry`], and [`inbox`] for postbacks |
//! | signs of life of what is read for long | [`signs`] |
//! | where uploads wait | [`uploads`] |
//! | an issuer's keys, as they are published | [`key_source`] |
//!
//! All but the last four rows, the client of Admitad's API and the files of [`mod@format`] is pure: bytes in, values out, no
//! clock, no database.

pub mod adjustments;
pub mod admitad;
#[cfg(test)]
mod corpus;
pub mod demo;
mod encryption;
pub mod feed;
pub mod format;
pub mod inbox;
pub mod key_source;
pub mod latest;
pub mod ledger;
pub mod normalize;
pub mod personal;
pub mod pipeline;
pub mod postback;
pub mod raw;
pub mod refusal;
pub mod retry;
pub mod signs;
pub mod uploads;
