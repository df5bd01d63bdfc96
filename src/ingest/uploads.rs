//! Where uploads lie between the door that receives them and the worker that reads them, and how the two tell each
//! other: names of files, and two bells. What is read, and when, is the business of `worker::imports`.

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
