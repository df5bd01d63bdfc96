//! The files that tests of readers are tried with.

use std::collections::BTreeMap;
use std::path::Path;

/// The files of a folder of `tests/fixtures`, in the order of their names.
pub(crate) fn corpus(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(folder);
    std::fs::read_dir(path)
        .unwrap()
        .map(Result::unwrap)
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        })
        .collect()
}
