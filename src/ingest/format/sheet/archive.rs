//! What a ZIP holds, from its directory alone: nothing is unpacked here.

use std::io::{self, Read, Seek, SeekFrom};

/// The most entries of a workbook.
const ENTRIES: u64 = 4_096;
/// The most that a workbook may unpack to, in bytes.
pub(super) const UNPACKED: u64 = 256 << 20;
/// How many times smaller than its content an entry may be.
const RATIO: u64 = 100;
/// Entries up to this size may be packed as well as they like: forms repeat themselves.
const SMALL: u64 = 1 << 20;
/// The longest directory, in bytes.
const DIRECTORY: u64 = 4 << 20;
/// How far from its end an archive's last record begins at the most.
const TAIL: u64 = 22 + 65_535;

/// An entry as the directory has it.
struct Entry {
    name: String,
    packed: u64,
    unpacked: u64,
}

/// Whether the archive is an XLSX workbook that may be unpacked.
///
/// # Errors
/// A sentence with what it is instead, or what it claims too much of.
pub(crate) fn check(file: &mut (impl Read + Seek)) -> Result<(), String> {
    let size = file
        .seek(SeekFrom::End(0))
        .map_err(|error| error.to_string())?;
    let entries = directory(file, size)?;
    kind(&entries)?;
    let mut total = 0_u64;
    let mut packed = 0_u64;
    for entry in &entries {
        total = total.saturating_add(entry.unpacked);
        packed = packed.saturating_add(entry.packed);
        if entry.unpacked > SMALL && entry.unpacked / entry.packed.max(1) > RATIO {
            return Err(format!(
                "the workbook's `{}` unpacks to more than {RATIO} times its size, as bombs do; open it and save it as CSV",
                super::super::heading::short(&entry.name)
            ));
        }
    }
    if total > UNPACKED {
        return Err(format!(
            "the workbook unpacks to {} MiB, at most {} are taken; save it as CSV",
            total >> 20,
            UNPACKED >> 20
        ));
    }
    if packed > size {
        return Err(damaged("its entries overlap"));
    }
    Ok(())
}

fn damaged(what: &str) -> String {
    format!("the ZIP archive is damaged ({what}); save or download it again")
}

fn kind(entries: &[Entry]) -> Result<(), String> {
    let has = |name: &str| {
        entries
            .iter()
            .any(|entry| entry.name.eq_ignore_ascii_case(name))
    };
    let begins = |start: &str| entries.iter().any(|entry| entry.name.starts_with(start));
    let sentence = if has("xl/workbook.bin") {
        "it is an Excel binary workbook (XLSB); save it as XLSX or CSV"
    } else if has("[Content_Types].xml") && begins("xl/") {
        return Ok(());
    } else if has("content.xml") && has("mimetype") {
        "it is an OpenDocument file; save it as XLSX or CSV"
    } else if begins("word/") || begins("ppt/") {
        "it is a document, not a workbook; save its table as XLSX or CSV"
    } else {
        "it is a ZIP archive; unpack it and import the files in it (gzip can be imported as it is)"
    };
    Err(sentence.to_owned())
}

/// A little-endian number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let part = bytes.get(at..at + length)?;
    Some(
        part.iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
    )
}

fn read_at(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn directory(file: &mut (impl Read + Seek), size: u64) -> Result<Vec<Entry>, String> {
    let begin = size.saturating_sub(TAIL);
    let tail = read_at(file, begin, TAIL).map_err(|error| error.to_string())?;
    let end = tail
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .ok_or_else(|| damaged("its directory is missing, so it is not whole"))?;
    let field = |at: usize, length: usize| number(&tail, end + at, length);
    let (Some(count), Some(length), Some(offset)) = (field(10, 2), field(12, 4), field(16, 4))
    else {
        return Err(damaged("its end is cut off"));
    };
    if count == 0xffff || length == 0xffff_ffff || offset == 0xffff_ffff {
        return Err(
            "the workbook is of the 64-bit kind of ZIP, for more than 4 GiB; save it as CSV"
                .to_owned(),
        );
    }
    if count > ENTRIES || length > DIRECTORY {
        return Err(format!(
            "the archive has {count} entries; workbooks have at most {ENTRIES}"
        ));
    }
    let bytes = read_at(file, offset, length).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let field = |place: usize, length: usize| number(&bytes, at + place, length);
        let size_of = |place| field(place, 2).and_then(|size| usize::try_from(size).ok());
        let (Some(0x0201_4b50), Some(packed), Some(unpacked)) =
            (field(0, 4), field(20, 4), field(24, 4))
        else {
            return Err(damaged("its directory is not one"));
        };
        let (Some(name), Some(extra), Some(comment)) = (size_of(28), size_of(30), size_of(32))
        else {
            return Err(damaged("its directory is cut off"));
        };
        let name = bytes
            .get(at + 46..at + 46 + name)
            .ok_or_else(|| damaged("its directory is cut off"))?;
        entries.push(Entry {
            name: String::from_utf8_lossy(name).into_owned(),
            packed,
            unpacked,
        });
        at += 46 + name.len() + extra + comment;
    }
    Ok(entries)
}
