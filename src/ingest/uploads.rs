//! Where uploads lie between the door that receives them and the worker that reads them, and how the two tell each
//! other: names of files, and two bells. What is read, and when, is the business of `worker::imports`.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// The place of uploads of a server.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    max_bytes: u64,
    arrived: Notify,
    ended: watch::Sender<u64>,
}

impl Uploads {
    /// A place in a folder, which is made when the first upload comes, for uploads of so many bytes each.
    #[must_use]
    pub fn new(folder: PathBuf, max_bytes: u64) -> Self {
        Self {
            folder,
            max_bytes,
            arrived: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// How many bytes an upload may have.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// The file of an upload that is whole.
    #[must_use]
    pub fn file(&self, run: Uuid) -> PathBuf {
        self.folder.join(format!("{run}.upload"))
    }

    /// The file of an upload that is still being received.
    #[must_use]
    pub fn part(&self, run: Uuid) -> PathBuf {
        self.folder.join(format!("{run}.part"))
    }

    /// Makes the file of an upload that is being received. As long as it is open, [`Self::sweep`] leaves it alone; the
    /// system lets go of it when the process ends, however it ends.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn begin(&self, run: Uuid) -> io::Result<File> {
        std::fs::create_dir_all(&self.folder)?;
        let part = self.part(run);
        loop {
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create(true)
                .truncate(true)
                .open(&part)?;
            // Where files cannot be held, none is swept away either.
            let held = file.lock();
            // Another server may have swept it away between the two.
            if held.is_err() || part.exists() {
                return Ok(file);
            }
        }
    }

    /// Removes what uploads left behind that broke off with their process or their connection; gives how many files.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not be removed.
    pub fn sweep(&self) -> io::Result<usize> {
        let files = match self.folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            files => files?,
        };
        let mut removed = 0;
        for file in files {
            let path = file?.path();
            let is_part = path.extension().is_some_and(|end| end == "part");
            let run = path.file_stem().and_then(|stem| stem.to_str());
            if !is_part || run.is_none_or(|run| Uuid::try_parse(run).is_err()) {
                continue;
            }
            // What can be held is received by nobody; it is held until it is gone.
            let Ok(left) = File::open(&path) else {
                continue;
            };
            if left.try_lock().is_ok() {
                std::fs::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Tells the worker that an upload is queued.
    pub fn tell_arrived(&self) {
        self.arrived.notify_one();
    }

    /// Waits for an upload to be queued.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Tells whoever waits that an upload is in, or is not to be.
    pub fn tell_ended(&self) {
        self.ended
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hears of uploads that end from now on.
    #[must_use]
    pub fn ends(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }
}
