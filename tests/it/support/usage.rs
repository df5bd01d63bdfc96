//! What a process uses, as Linux tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a process is looked at that is watched. A peak is told for as long as its process runs, and one that takes
/// hundreds of megabytes needs longer than this to touch them.
const EVERY: Duration = Duration::from_millis(5);

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage(u32);

impl Usage {
    pub(crate) fn of(process: u32) -> Self {
        Self(process)
    }

    /// That of the test itself.
    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// Its memory, in bytes.
    pub(crate) fn resident(self) -> u64 {
        self.memory("VmRSS:").expect("it runs")
    }

    /// The most memory that it ever had, in bytes; none when it has ended.
    fn peak(self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    /// By how much it grew at most while something was done, in bytes.
    pub(crate) fn peak_of(self, work: impl FnOnce()) -> u64 {
        std::fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
        let before = self.resident();
        work();
        self.peak().expect("it runs").saturating_sub(before)
    }

    /// How long it has kept processors busy, in hundredths of a second.
    pub(crate) fn computed(self) -> Duration {
        let stat = self.stat().expect("it runs");
        let ticks = stat[11..13].iter().map(|ticks| ticks.parse::<u64>());
        Duration::from_millis(10 * ticks.map(Result::unwrap).sum::<u64>())
    }

    fn memory(self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
        Some(kib << 10)
    }

    /// What is told of it behind its name, which may have blanks.
    fn stat(self) -> Option<Vec<String>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        Some(fields.split(' ').map(str::to_owned).collect())
    }

    /// The processes that it has started and not waited for.
    fn children(self) -> Vec<Self> {
        let parent = self.0.to_string();
        let all = std::fs::read_dir("/proc").unwrap();
        let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers
            .map(Self)
            .filter(|other| other.stat().is_some_and(|stat| stat[1] == parent))
            .collect()
    }
}

/// A look at a process now and then, until it is ended.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Watch {
    pub(crate) fn on(process: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let process = Usage::of(process);
            let (mut own, mut child) = (0, 0);
            loop {
                let is_last = told.load(Ordering::Relaxed);
                own = own.max(process.peak().unwrap_or(0));
                let children = process.children().into_iter().filter_map(Usage::peak);
                child = children.fold(child, u64::max);
                if is_last {
                    return own + child;
                }
                std::thread::park_timeout(EVERY);
            }
        });
        Self { is_over, thread }
    }

    /// The most memory that the process had, and the greatest of those that it started, together in bytes.
    pub(crate) fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap()
    }
}
