//! Readers of foreign formats: bytes in, records out, one at a time and in constant memory.
//!
//! A reader finds where records begin and end; it knows nothing of what their fields mean (`super::normalize`). Records of
//! every format are JSON objects of upstream's field names: `json` finds them, `delimited`, `xml` and `sheet` find rows,
//! which `heading`, `value` and `rows` translate. [`input`] recognises a format and is what the pipeline reads from.

mod delimited;
mod detect;
pub mod headed;
pub mod heading;
pub mod input;
pub mod json;
pub mod list;
pub(super) mod machine;
pub mod offers;
mod packed;
mod recover;
mod rows;
mod scan;
pub mod scratch;
pub mod sheet;
mod survey;
mod text;
mod value;
mod window;
mod xml;
mod yml;

use crate::domain::draft::Reject;
use packed::{Gunzip, told};
use std::io::{self, Cursor, Read};

/// An input after [`decoded`]: plain, or unpacked while it is read.
pub enum Decoded<R> {
    /// As it came.
    Plain(io::Chain<Cursor<Vec<u8>>, R>),
    /// gzip, of one member or many, unless it is a bomb.
    Gzip(Box<Gunzip<io::Chain<Cursor<Vec<u8>>, R>>>),
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(into),
            Self::Gzip(input) => input.read(into),
        }
    }
}

/// Recognises gzip by its first bytes, whatever the file is called, and unpacks it on the way.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn decoded<R: Read>(mut input: R) -> io::Result<Decoded<R>> {
    let mut magic = [0; 2];
    let mut held = 0;
    while held < magic.len() {
        match input.read(&mut magic[held..]) {
            Ok(0) => break,
            Ok(count) => held += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let whole = Cursor::new(magic[..held].to_vec()).chain(input);
    Ok(if magic[..held] == [0x1f, 0x8b] {
        Decoded::Gzip(Box::new(Gunzip::new(whole)))
    } else {
        Decoded::Plain(whole)
    })
}

/// What a reader yields instead of a record.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// One record or page is refused; reading goes on behind it.
    #[error("{}", .0.message)]
    Reject(Reject),
    /// The input itself cannot be read any further.
    #[error(transparent)]
    Input(InputError),
    /// It is not what its format says, or too much of it: a sentence with the remedy.
    #[error("{0}")]
    Format(String),
}

/// Why an input could not be read to its end; all records before that place have been handed out.
#[derive(Debug, thiserror::Error)]
#[error(
    "the input cannot be read beyond byte {byte} (line {line}): {}",
    told(.source)
)]
pub struct InputError {
    /// How many bytes, unpacked, were read.
    pub byte: u64,
    /// The line of that byte, from 1.
    pub line: u64,
    /// What reading said.
    pub source: io::Error,
}
