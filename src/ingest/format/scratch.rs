//! Temporary files that nobody else may read and that are gone when dropped.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A temporary file.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new, empty file in the system's folder for such files, open for reading and writing.
    ///
    /// # Errors
    /// When it cannot be made; the message names the folder.
    pub fn new() -> io::Result<(Self, File)> {
        let folder = std::env::temp_dir();
        let mut random = [0_u8; 12];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("actiongraph-{name}.tmp"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| {
            let message = format!("a temporary file in {}: {error}", folder.display());
            io::Error::new(error.kind(), message)
        })?;
        Ok((Self { path }, file))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed here is the system's to clean: it lies in its folder for such files.
        let _ = std::fs::remove_file(&self.path);
    }
}
