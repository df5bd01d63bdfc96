//! Sheets: XLSX and XLS, read in a child process of our own binary whose memory, computing and time are bounded, because
//! no reader of workbooks can be trusted with a hostile one (`docs/adr/0020`).
//!
//! | | |
//! |---|---|
//! | [`archive`] | what a ZIP holds and how much it claims to unpack to, before anything is unpacked |
//! | [`child`] | inside the child: the workbook's cells as lines of text |
//! | [`parent`] | outside: starting the child, waiting for it, saying how it ended |
//! | [`lines`] | what the two say to each other, and rows from it |

pub(super) mod archive;
pub mod child;
pub(super) mod lines;
pub(super) mod parent;
