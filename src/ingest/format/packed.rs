//! gzip, unpacked while it is read, and no further than a file of records has reason to.
//!
//! How many bytes may be sent is limited where they come in; a few megabytes of gzip can hold a gigabyte of rows, and
//! whoever has a key for imports could keep a server busy with them for hours. What is packed that well is no export.

use flate2::read::MultiGzDecoder;
use std::io::{self, Read};

/// How many times smaller than its content an input may be; exports are packed to a tenth or a twentieth.
const RATIO: u64 = 200;
/// Up to so many bytes an input may be packed as well as it likes: small ones repeat themselves and are soon read.
const FREE: u64 = 100 << 20;

/// An input that unpacks to far more than its size.
#[derive(Debug, thiserror::Error)]
#[error(
    "the gzip unpacks to more than {} MiB and more than {} times its size, as bombs do; unpack it and import it \
     without gzip, in parts if it is large",
    FREE >> 20,
    RATIO
)]
struct Bomb;

/// Why an input cannot be read, with the remedy.
pub(super) fn told(error: &io::Error) -> String {
    if matches!(error.get_ref(), Some(cause) if cause.is::<Bomb>()) {
        error.to_string()
    } else {
        format!("{error}; repeat the import with a whole file")
    }
}

/// Unpacks gzip of one member or many; [`Read`] fails where it turns out to be a bomb.
pub struct Gunzip<R> {
    input: MultiGzDecoder<Counted<R>>,
    unpacked: u64,
    free: u64,
}

impl<R: Read> Gunzip<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input: MultiGzDecoder::new(Counted { input, read: 0 }),
            unpacked: 0,
            free: FREE,
        }
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.unpacked = self.unpacked.saturating_add(size(count));
        let packed = self.input.get_ref().read;
        if self.unpacked > self.free && self.unpacked / packed.max(1) > RATIO {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Bomb));
        }
        Ok(count)
    }
}

/// Counts what was read.
struct Counted<R> {
    input: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.read = self.read.saturating_add(size(count));
        Ok(count)
    }
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn unpacked(packed: &[u8], free: u64) -> io::Result<u64> {
        let mut input = Gunzip {
            free,
            ..Gunzip::new(packed)
        };
        io::copy(&mut input, &mut io::sink())
    }

    #[test]
    fn a_bomb_is_refused_and_a_small_or_honest_input_is_not() {
        let blanks = packed(&vec![b' '; 4 << 20]);
        assert_eq!(unpacked(&blanks, FREE).unwrap(), 4 << 20);
        let error = unpacked(&blanks, 1 << 20).unwrap_err();
        assert!(error.to_string().contains("200 times its size"), "{error}");
        assert!(told(&error).ends_with("in parts if it is large"));
        let rows: Vec<u8> = (0..100_000_u32)
            .flat_map(|row| format!("{row};{};\n", row.wrapping_mul(2_654_435_761)).into_bytes())
            .collect();
        let read = unpacked(&packed(&rows), 1 << 10).unwrap();
        assert_eq!(read, size(rows.len()));
        let cut = unpacked(&blanks[..blanks.len() - 9], FREE).unwrap_err();
        assert!(told(&cut).ends_with("whole file"), "{cut}");
    }

    #[test]
    fn many_members_are_one_bomb() {
        let blanks = packed(&vec![b' '; 1 << 20]).repeat(3);
        assert!(unpacked(&blanks, 2 << 20).is_err());
    }
}
