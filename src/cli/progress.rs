//! Progress of imports and of work in steps, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Output, thousands};
use crate::ingest::pipeline::Progress;

/// A line on standard error that shows how far an import is.
pub(super) struct Bar {
    bar: ProgressBar,
    records: u64,
    rejected: u64,
}

impl Bar {
    /// A bar that ends at `bytes`, or a line that only counts where the end is unknown.
    pub(super) fn new(output: &Output, name: &str, bytes: Option<u64>) -> Self {
        let bar = match (output.is_watched(), bytes) {
            (false, _) => ProgressBar::hidden(),
            (true, Some(bytes)) => ProgressBar::new(bytes),
            (true, None) => ProgressBar::new_spinner(),
        };
        let form = match bytes {
            Some(_) => "{prefix}  {bar:30} {bytes}/{total_bytes}  {msg}  {eta} left",
            None => "{spinner} {prefix}  {msg}  {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            records: 0,
            rejected: 0,
        }
    }
}

/// A line on standard error that shows how many steps of how many are done.
pub(super) struct Steps(ProgressBar);

impl Steps {
    /// A line that says what is done; it appears with the first step.
    pub(super) fn new(output: &Output, name: &str) -> Self {
        let bar = if output.is_watched() {
            ProgressBar::new(0)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) =
            ProgressStyle::with_template("{prefix}  {bar:30} {pos}/{len}  {eta} left")
        {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    /// Says what is done from now on.
    pub(super) fn named(&mut self, name: &str) {
        self.0.set_prefix(name.to_owned());
    }

    /// So many steps of so many are done.
    pub(super) fn advanced(&mut self, done: usize, of: usize) {
        self.0.set_length(u64::try_from(of).unwrap_or(u64::MAX));
        self.0.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }

    /// Makes room for what is printed meanwhile; the line is there again below it.
    pub(super) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line on standard error that says which page of what is read.
pub(super) struct Pages(ProgressBar);

impl Pages {
    /// A line that appears with the first page.
    pub(super) fn new(output: &Output) -> Self {
        let bar = if output.is_watched() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// This page of so many of something was read; so many actions came in or changed so far.
    pub(super) fn at(&mut self, what: &str, page: u32, pages: u32, actions: u64) {
        self.0.set_message(format!(
            "{what}  page {page} of {pages}  {} actions so far",
            thousands(actions)
        ));
        self.0.tick();
    }

    /// Makes room for other words.
    pub(super) fn clear(&mut self) {
        self.0.set_message("");
        self.0.tick();
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn advanced(&mut self, bytes: u64, records: u64, rejected: u64) {
        self.records += records;
        self.rejected += rejected;
        self.bar.inc(bytes);
        let mut words = format!("{} records", thousands(self.records));
        if self.rejected > 0 {
            words.push_str(&format!(", {} rejected", thousands(self.rejected)));
        }
        self.bar.set_message(words);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // The report that follows says it all.
        self.bar.finish_and_clear();
    }
}
