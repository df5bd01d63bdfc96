//! Standard input, or a pipe, as a file: an import reads its input more than once.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::telemetry;

/// A temporary file, gone when dropped.
pub(super) struct Spool(PathBuf);

impl Spool {
    /// Everything that `input` gives.
    pub(super) fn take(mut input: impl io::Read) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("actiongraph-{}.tmp", telemetry::reference()));
        let written = create(&path).and_then(|mut file| {
            let spool = Self(path.clone());
            io::copy(&mut input, &mut file).map(|_| spool)
        });
        written.map_err(|error| {
            let folder = path.parent().unwrap_or(&path).display().to_string();
            Failure::new(format!("cannot keep what is read in {folder}: {error}"))
                .hint("Make room there, or name another folder in TMPDIR.")
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What cannot be removed here is the system's to clean: it lies in its folder for such files.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A new file that nobody else may read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_there_until_it_is_dropped() {
        let spool = Spool::take(&b"{\"results\": []}"[..])
            .unwrap_or_else(|failure| panic!("{}", failure.message));
        let path = spool.path().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"results\": []}");
        drop(spool);
        assert!(!path.exists());
    }
}
