//! Where uploads lie between the door that receives them and the worker that reads them, and how the two tell each
//! other: names of files, and two bells. What is read, and when, is the business of `worker::imports`.

use crate::domain::id::PublisherId;
use crate::domain::sync::before;
use crate::domain::time::Instant;
use crate::store::uploads::Waiting;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// For how long a whole file may lie without being queued: the databases of a user may have one folder, and what one of them
/// has not queued may be queued in another one, whose server is away for some days.
const UNQUEUED: Duration = Duration::from_secs(7 * 86_400);

/// How much may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// Bytes of one file.
    pub bytes: u64,
    /// Files of a publisher that may be received or wait at the same time.
    pub waiting_files: u64,
    /// Bytes that they may have together. The first file is taken whatever it has.
    pub waiting_bytes: u64,
}

/// The place of uploads of a server.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    limits: UploadLimits,
    /// What is being received, by publisher.
    receiving: Mutex<HashMap<PublisherId, Waiting>>,
    arrived: Notify,
    ended: watch::Sender<u64>,
}

impl Uploads {
    /// A place in a folder, which is made when the first upload comes.
    #[must_use]
    pub fn new(folder: PathBuf, limits: UploadLimits) -> Self {
        Self {
            folder,
            limits,
            receiving: Mutex::default(),
            arrived: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// How much may be sent.
    #[must_use]
    pub fn limits(&self) -> UploadLimits {
        self.limits
    }

    /// Counts a file that is going to be received, until its [`Room`] is dropped. Whoever gets one asks afterwards what waits
    /// in the queue, so that no file is counted neither here nor there.
    #[must_use]
    pub fn enter(self: &Arc<Self>, publisher: PublisherId) -> Room {
        let mut receiving = self
            .receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of = receiving.entry(publisher).or_default();
        of.files += 1;
        Room {
            uploads: Arc::clone(self),
            publisher,
            others: of.files - 1,
            bytes: 0,
            waiting: Waiting::default(),
        }
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

    /// The whole files that have lain here for a week at `now`, by their runs. Those that are not queued either were left by
    /// a server that was killed between the two, or could not be removed when they were in.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn old(&self, now: Instant) -> io::Result<Vec<Uuid>> {
        let files = match self.folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        let until = before(now, UNQUEUED).micros();
        let mut old = Vec::new();
        for file in files {
            let file = file?;
            let path = file.path();
            let is_whole = path.extension().is_some_and(|end| end == "upload");
            let run = path.file_stem().and_then(|stem| stem.to_str());
            let run = run.and_then(|run| Uuid::try_parse(run).ok());
            let Some(run) = run.filter(|_| is_whole) else {
                continue;
            };
            // One that is gone meanwhile is not old.
            let modified = file.metadata().and_then(|data| data.modified());
            if modified.is_ok_and(|at| micros(at) < until) {
                old.push(run);
            }
        }
        Ok(old)
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

fn micros(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The place that a file takes while it is received.
#[derive(Debug)]
pub struct Room {
    uploads: Arc<Uploads>,
    publisher: PublisherId,
    /// How many files of the publisher were being received before it.
    others: u64,
    bytes: u64,
    /// What waited in the queue when it came.
    waiting: Waiting,
}

/// Why a file has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// So many files there would be.
    Files(u64),
    /// So many bytes there would be.
    Bytes(u64),
}

impl Room {
    /// Notes what waits in the queue.
    ///
    /// # Errors
    /// Where there is no room for one more file.
    pub fn behind(&mut self, waiting: Waiting) -> Result<(), Full> {
        self.waiting = waiting;
        let files = waiting.files.saturating_add(self.others).saturating_add(1);
        if files > self.uploads.limits.waiting_files {
            return Err(Full::Files(files));
        }
        Ok(())
    }

    /// Takes so many more bytes.
    ///
    /// # Errors
    /// Where there is no room for them.
    pub fn take(&mut self, bytes: u64) -> Result<(), Full> {
        let mut receiving = self
            .uploads
            .receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of = receiving.entry(self.publisher).or_default();
        of.bytes = of.bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        let all = of.bytes.saturating_add(self.waiting.bytes);
        if all > self.uploads.limits.waiting_bytes && all > self.bytes {
            return Err(Full::Bytes(all));
        }
        Ok(())
    }

    /// Looks once more, when the file is whole, whether it has room behind what waits by now: files that came at the same time
    /// may have been queued since.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn settle(&mut self, waiting: Waiting) -> Result<(), Full> {
        self.waiting = waiting;
        self.take(0)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut receiving = self
            .uploads
            .receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = receiving.get_mut(&self.publisher) {
            of.files = of.files.saturating_sub(1);
            of.bytes = of.bytes.saturating_sub(self.bytes);
            if of.files == 0 {
                receiving.remove(&self.publisher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(files: u64, bytes: u64) -> Arc<Uploads> {
        let limits = UploadLimits {
            bytes: 1_000,
            waiting_files: files,
            waiting_bytes: bytes,
        };
        Arc::new(Uploads::new(PathBuf::new(), limits))
    }

    #[test]
    fn files_that_come_and_files_that_wait_are_counted_together() {
        let place = place(3, 100);
        let (one, other) = (PublisherId(1), PublisherId(2));
        let mut first = place.enter(one);
        first.behind(Waiting::default()).unwrap();
        let queued = |files, bytes| Waiting { files, bytes };
        let mut second = place.enter(one);
        assert_eq!(second.behind(queued(2, 10)), Err(Full::Files(4)));
        second.behind(queued(1, 10)).unwrap();
        second.take(60).unwrap();
        // What it finds in the queue counts for it alone, what comes at the same time for all.
        first.take(40).unwrap();
        assert_eq!(second.take(1), Err(Full::Bytes(111)));
        let mut third = place.enter(other);
        third.behind(Waiting::default()).unwrap();
        // The only one is taken whatever it has.
        third.take(5_000).unwrap();
        drop((first, second));
        let mut again = place.enter(one);
        again.behind(queued(2, 0)).unwrap();
        drop((third, again));
        assert!(place.receiving.lock().unwrap().is_empty());
    }

    #[test]
    fn a_file_that_was_queued_while_another_came_leaves_it_no_more_room_than_there_is() {
        let place = place(3, 100);
        let (mut first, mut second) = (place.enter(PublisherId(1)), place.enter(PublisherId(1)));
        first.behind(Waiting::default()).unwrap();
        second.behind(Waiting::default()).unwrap();
        first.take(60).unwrap();
        first.settle(Waiting::default()).unwrap();
        drop(first);
        second.take(60).unwrap();
        let queued = Waiting {
            files: 1,
            bytes: 60,
        };
        assert_eq!(second.settle(queued), Err(Full::Bytes(120)));
        second.settle(Waiting::default()).unwrap();
    }
}
