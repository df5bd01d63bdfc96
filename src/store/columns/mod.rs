//! Facts as columns in memory: one more source of answers, kept by difference.
//!
//! The database is the only store of record. What is here is a copy of the facts' columns that questions sum up, in
//! chunks that are never changed, and it can be thrown away at any time: SQL answers then, the same to the cent.
//!
//! An answer is that of the request's own read transaction. The transaction says up to which number of the change log it
//! sees the facts; a snapshot of that number answers. From an older one a new one is made: the change log names the
//! actions that changed since, their rows are read through the transaction, and only the chunks that hold them are made
//! anew. Whoever changes a fact notes it in the change log (`store::apply`), so nothing else has to be watched.
//!
//! The first question about a publisher that is worth it asks for its columns and is answered by SQL, or refused for the
//! price of that; a worker reads them in meanwhile ([`Columns::build_next`]).

mod answers;
pub mod buyers;
mod chunk;
pub mod cohorts;
mod crowds;
pub mod deeds;
mod load;
mod marks;
mod matching;
mod names;
mod related;
pub mod report;
pub mod rules;
pub mod sales;
pub mod segments;
mod snapshot;
mod summing;

use super::connect::Store;
use super::state::state;
use super::tx::ReadTx;
use crate::domain::error::{Code, Result};
use crate::domain::id::PublisherId;
use crate::domain::scope::{ReadScope, WriteScope};
use snapshot::Built;
pub use snapshot::Snapshot;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many snapshots of a publisher are kept for transactions that began earlier.
const KEPT: usize = 3;
/// How many changes a request catches up with by itself; a worker does what is more.
const AT_ONCE: i64 = 5_000;
const OUT_OF_ROOM: &str = "the columns of a publisher need more memory than columns_max_mb allows: SQL answers its questions";
const CROWDED: &str = "the columns of a publisher have no room beside those of others that are in use: raise columns_max_mb; SQL answers its questions";
const TOO_MANY: &str = "a publisher has more than 255 currencies, or 65,535 programs, ad spaces, countries or kinds of devices: SQL answers its questions";

/// How large columns may become, and for whom they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnsOptions {
    /// How many bytes all columns may take together.
    pub max_bytes: usize,
    /// How many changes a publisher's log must have: what has less, SQL answers quickly enough.
    pub least_changes: i64,
    /// After how many questions about others a publisher's columns count as idle, so that others may take their room; and
    /// after how many those that found no room beside busy ones try again, twice as many each time.
    pub idle_after: u64,
    /// How many ids one statement finds for a condition that only the database can test: so many are held at a time.
    pub ids_at_once: usize,
}

impl Default for ColumnsOptions {
    fn default() -> Self {
        Self {
            max_bytes: 512 << 20,
            least_changes: 20_000,
            idle_after: 1_000,
            ids_at_once: 10_000,
        }
    }
}

/// What columns take and did, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnsStats {
    /// Bytes of all that is kept.
    pub bytes: usize,
    /// Actions in the newest snapshots.
    pub rows: usize,
    /// Snapshots read in as a whole.
    pub builds: u64,
    /// Snapshots made from earlier ones.
    pub catch_ups: u64,
    /// Questions that columns could have answered while they were not there.
    pub fallbacks: u64,
}

/// The columns of all publishers.
#[derive(Debug)]
pub struct Columns {
    options: ColumnsOptions,
    held: Mutex<BTreeMap<i64, Arc<Held>>>,
    wanted: Notify,
    uses: AtomicU64,
    builds: AtomicU64,
    catch_ups: AtomicU64,
    fallbacks: AtomicU64,
}

/// The columns of a publisher.
#[derive(Debug, Default)]
struct Held {
    kept: Mutex<Kept>,
    /// One catches up at a time; who waits finds what that one made.
    catching_up: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By their numbers, the newest last.
    snapshots: VecDeque<Arc<Snapshot>>,
    /// The question that asked for them first.
    wanted: Option<u64>,
    /// When they found no room, last.
    refused: Option<Refused>,
    last_use: u64,
}

/// That a publisher's columns found no room.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// The last number of the change log that was seen.
    seq: i64,
    /// How far reading in came.
    reached: Reached,
    /// When it is worth a try beside others; never where they had no room alone.
    again: Option<Again>,
}

/// How far reading in came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reached {
    /// How many actions.
    rows: usize,
    /// How many bytes they were to take.
    bytes: usize,
}

/// When columns that found no room beside busy ones try again.
#[derive(Clone, Copy, Debug)]
struct Again {
    /// The question from which on.
    from: u64,
    /// How many questions that was later.
    wait: u64,
}

impl Refused {
    /// Whether columns may have room since: it was waited for, and there is clearly more beside those that are busy than was
    /// reached, or the facts changed by a tenth of what was read in. Also where a database was put back, and the numbers are
    /// smaller.
    fn is_over(&self, seq: i64, uses: u64, room: impl FnOnce() -> usize) -> bool {
        let changes = usize::try_from(seq.abs_diff(self.seq)).unwrap_or(usize::MAX);
        let is_due = self.again.is_some_and(|again| uses >= again.from);
        let least = self.reached.bytes.saturating_add(self.reached.bytes / 8);
        changes > self.reached.rows / 10 || is_due && room() > least
    }
}

/// What is at hand for a transaction.
enum AtHand {
    /// Its snapshot.
    Exact(Arc<Snapshot>),
    /// An older one.
    Older(Arc<Snapshot>),
    /// Nothing.
    Nothing,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Held {
    fn at_hand(&self, seq: i64) -> AtHand {
        let kept = lock(&self.kept);
        let older = kept.snapshots.iter().rev().find(|one| one.seq <= seq);
        match older {
            Some(one) if one.seq == seq => AtHand::Exact(Arc::clone(one)),
            Some(one) => AtHand::Older(Arc::clone(one)),
            None => AtHand::Nothing,
        }
    }

    /// Whether columns as of a number of the change log are worth being read in: nobody tries again and again.
    fn may_have_room(&self, seq: i64, uses: u64, room: impl FnOnce() -> usize) -> bool {
        let refused = lock(&self.kept).refused;
        refused.is_none_or(|refused| refused.is_over(seq, uses, room))
    }

    /// When those that found no room at a question try again: each time after twice as many.
    fn again(&self, uses: u64, idle_after: u64) -> Again {
        let before = lock(&self.kept).refused.and_then(|refused| refused.again);
        let wait = before.map_or(idle_after, |before| before.wait.saturating_mul(2));
        let from = uses.saturating_add(wait);
        Again { from, wait }
    }

    /// How many bytes the newest snapshot takes.
    fn newest_bytes(&self) -> usize {
        let kept = lock(&self.kept);
        let newest = kept.snapshots.back();
        newest.map_or(0, |one| one.bytes(&mut HashSet::new()))
    }
}

impl Columns {
    pub(super) fn new(options: ColumnsOptions) -> Self {
        Self {
            options,
            held: Mutex::default(),
            wanted: Notify::new(),
            uses: AtomicU64::new(0),
            builds: AtomicU64::new(0),
            catch_ups: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
        }
    }

    fn held(&self, publisher: PublisherId) -> Arc<Held> {
        Arc::clone(lock(&self.held).entry(publisher.0).or_default())
    }

    /// Whether a publisher's facts are held up to a number of the change log, or a question could catch up with it: a look,
    /// nothing is asked for. Whoever looks may know an earlier number than a transaction that begins now.
    #[must_use]
    pub fn are_held(&self, publisher: PublisherId, seq: i64) -> bool {
        let held = lock(&self.held).get(&publisher.0).cloned();
        let newest = held.and_then(|held| Some(lock(&held.kept).snapshots.back()?.seq));
        newest.is_some_and(|newest| seq - newest <= AT_ONCE)
    }

    /// Takes note of a question up to a number of the change log that they do not answer since they are not there, and asks
    /// for them; whether they are being read in: not for a publisher that is too small, or while there is no room.
    pub fn ask(&self, publisher: PublisherId, seq: i64) -> bool {
        if seq < self.options.least_changes {
            return false;
        }
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
        let uses = self.uses.fetch_add(1, Ordering::Relaxed);
        let room = || self.room_beside(&self.others(publisher));
        let may_have_room = self.held(publisher).may_have_room(seq, uses, room);
        if may_have_room {
            self.want(publisher);
        }
        may_have_room
    }

    /// What columns take and did.
    #[must_use]
    pub fn stats(&self) -> ColumnsStats {
        let all: Vec<Arc<Held>> = lock(&self.held).values().cloned().collect();
        let newest = all
            .iter()
            .filter_map(|held| Some(lock(&held.kept).snapshots.back()?.rows()));
        ColumnsStats {
            rows: newest.sum(),
            bytes: taken(&all),
            builds: self.builds.load(Ordering::Relaxed),
            catch_ups: self.catch_ups.load(Ordering::Relaxed),
            fallbacks: self.fallbacks.load(Ordering::Relaxed),
        }
    }

    /// Waits until somebody asks for columns that are not there.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Asks for a publisher's columns.
    pub fn want(&self, publisher: PublisherId) {
        let held = self.held(publisher);
        let uses = self.uses.load(Ordering::Relaxed);
        lock(&held.kept).wanted.get_or_insert(uses);
        // Also where it was wanted before: whoever reads in may have failed since.
        self.wanted.notify_one();
    }

    /// Throws a publisher's columns away.
    pub fn forget(&self, publisher: PublisherId) {
        lock(&self.held).remove(&publisher.0);
    }

    /// Reads in, or brings up to date, the columns of one publisher that somebody asked for; whether there was one.
    ///
    /// # Errors
    /// When the database fails; the columns are asked for again by the next question.
    pub async fn build_next(&self, store: &Store) -> Result<bool> {
        let all: Vec<(i64, Arc<Held>)> = lock(&self.held)
            .iter()
            .map(|(id, held)| (*id, Arc::clone(held)))
            .collect();
        // Who has waited longest comes first.
        let wanted = all.into_iter().filter_map(|(id, held)| {
            let since = lock(&held.kept).wanted?;
            Some((since, id, held))
        });
        let Some((_, id, held)) = wanted.min_by_key(|(since, id, _)| (*since, *id)) else {
            return Ok(false);
        };
        let made = self.build(store, PublisherId(id), &held).await;
        lock(&held.kept).wanted = None;
        self.forget_if_odd(PublisherId(id), &made);
        made.map(|()| true)
    }

    async fn build(&self, store: &Store, publisher: PublisherId, held: &Held) -> Result<()> {
        let scope = WriteScope::for_entrance(publisher).read();
        // Millions of facts take longer than any question may.
        let tx = ReadTx::unhurried(store);
        let seq = state(&tx, scope).await?.change_seq;
        let _alone = held.catching_up.lock().await;
        let older = match held.at_hand(seq) {
            AtHand::Exact(_) => return Ok(()),
            // From a half on it is quicker to read all of them in their order.
            AtHand::Older(one)
                if usize::try_from(seq - one.seq).unwrap_or(usize::MAX) < one.rows() / 2 =>
            {
                Some(one)
            }
            _ => None,
        };
        if let Some(older) = older
            && let Some(made) = older.caught_up(&tx, scope, seq).await?
        {
            self.catch_ups.fetch_add(1, Ordering::Relaxed);
            self.keep(held, made);
            return Ok(());
        }
        // Theirs is the room that they had; who began before reads by SQL.
        lock(&held.kept).snapshots.clear();
        let is_alone_too_large = AtomicBool::new(false);
        let have_room = |bytes: usize| {
            is_alone_too_large.store(bytes > self.options.max_bytes, Ordering::Relaxed);
            self.make_room(publisher, bytes)
        };
        let uses = self.uses.load(Ordering::Relaxed);
        let (reached, again, why) = match Snapshot::build(&tx, scope, have_room).await? {
            Built::Whole(made) => {
                self.builds.fetch_add(1, Ordering::Relaxed);
                lock(&held.kept).refused = None;
                self.keep(held, *made);
                return Ok(());
            }
            Built::TooMany(reached) => (reached, None, TOO_MANY),
            Built::TooLarge(reached) if is_alone_too_large.load(Ordering::Relaxed) => {
                (reached, None, OUT_OF_ROOM)
            }
            Built::TooLarge(reached) => {
                let again = held.again(uses, self.options.idle_after);
                (reached, Some(again), CROWDED)
            }
        };
        let refused = Refused {
            seq,
            reached,
            again,
        };
        self.refuse(publisher.0, held, (refused, why));
        Ok(())
    }

    fn refuse(&self, publisher: i64, held: &Held, (refused, why): (Refused, &str)) {
        let mut kept = lock(&held.kept);
        kept.snapshots.clear();
        kept.refused = Some(refused);
        let megabytes = self.options.max_bytes >> 20;
        tracing::warn!(publisher, megabytes, "{why}");
    }

    /// Throws a publisher's columns away where they, or the database, hold what cannot be. What failed for want of time or
    /// of a connection says nothing against them.
    fn forget_if_odd<T>(&self, publisher: PublisherId, made: &Result<T>) {
        if made
            .as_ref()
            .is_err_and(|error| error.code() == Code::Internal)
        {
            self.forget(publisher);
        }
    }

    /// Keeps a snapshot, and makes room for it.
    fn keep(&self, held: &Held, made: Snapshot) -> Arc<Snapshot> {
        let made = Arc::new(made);
        {
            let mut kept = lock(&held.kept);
            let place = kept.snapshots.partition_point(|one| one.seq < made.seq);
            kept.snapshots.insert(place, Arc::clone(&made));
            while kept.snapshots.len() > KEPT {
                kept.snapshots.pop_front();
            }
            kept.last_use = self.uses.fetch_add(1, Ordering::Relaxed);
        }
        self.fit_in();
        made
    }

    /// What the others keep, with the ids of their publishers.
    fn others(&self, publisher: PublisherId) -> Vec<(i64, Arc<Held>)> {
        let held = lock(&self.held);
        let others = held.iter().filter(|(id, _)| **id != publisher.0);
        others.map(|(id, held)| (*id, Arc::clone(held))).collect()
    }

    /// Whether so long nobody asked about what is kept that it may give way.
    fn is_idle(&self, last_use: u64) -> bool {
        last_use + self.options.idle_after <= self.uses.load(Ordering::Relaxed)
    }

    /// How many bytes a publisher could have beside the newest snapshots of those that are busy.
    fn room_beside(&self, others: &[(i64, Arc<Held>)]) -> usize {
        let busy = others.iter().map(|(_, held)| held);
        let busy = busy.filter(|held| !self.is_idle(lock(&held.kept).last_use));
        let bytes: usize = busy.map(|held| held.newest_bytes()).sum();
        self.options.max_bytes.saturating_sub(bytes)
    }

    /// Makes room for so many bytes of a publisher beside what the others keep, of which the idle ones give way where that
    /// is enough; whether there is room now.
    fn make_room(&self, publisher: PublisherId, wanted: usize) -> bool {
        let others = self.others(publisher);
        let held: Vec<Arc<Held>> = others.iter().map(|(_, held)| Arc::clone(held)).collect();
        let has_room = || taken(&held) + wanted <= self.options.max_bytes;
        if has_room() {
            return true;
        }
        if wanted > self.room_beside(&others) {
            return false;
        }
        drop_older(&held);
        let mut idle: Vec<(u64, i64, &Held)> = by_use(&others);
        idle.retain(|(last_use, ..)| self.is_idle(*last_use));
        for (.., held) in idle {
            if has_room() {
                return true;
            }
            lock(&held.kept).snapshots.clear();
        }
        has_room()
    }

    /// Drops what is older and what was asked for longest ago, until all that is kept has room.
    fn fit_in(&self) {
        let all: Vec<(i64, Arc<Held>)> = lock(&self.held)
            .iter()
            .map(|(id, held)| (*id, Arc::clone(held)))
            .collect();
        let held: Vec<Arc<Held>> = all.iter().map(|(_, held)| Arc::clone(held)).collect();
        let is_over = || taken(&held) > self.options.max_bytes;
        if !is_over() {
            return;
        }
        drop_older(&held);
        let mut order = by_use(&all);
        while is_over() && !order.is_empty() {
            let (_, publisher, held) = order.remove(0);
            let dropped = std::mem::take(&mut lock(&held.kept).snapshots);
            if let Some(one) = dropped.back().filter(|_| order.is_empty()) {
                // It does not even have room alone.
                let reached = Reached {
                    rows: one.rows(),
                    bytes: one.bytes(&mut HashSet::new()),
                };
                let refused = Refused {
                    seq: one.seq,
                    reached,
                    again: None,
                };
                self.refuse(publisher, held, (refused, OUT_OF_ROOM));
            }
        }
    }

    /// The snapshot that a transaction sees, if it is at hand or can be made quickly.
    async fn find(&self, tx: &ReadTx, scope: ReadScope) -> Result<Option<Arc<Snapshot>>> {
        let seq = state(tx, scope).await?.change_seq;
        if seq < self.options.least_changes {
            return Ok(None);
        }
        let publisher = scope.publisher();
        let held = self.held(publisher);
        let older = match held.at_hand(seq) {
            AtHand::Exact(one) => {
                lock(&held.kept).last_use = self.uses.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(one));
            }
            AtHand::Older(one) if seq - one.seq <= AT_ONCE => one,
            _ => {
                self.ask(publisher, seq);
                return Ok(None);
            }
        };
        let _alone = held.catching_up.lock().await;
        // Who was at it before may have made it.
        let older = match held.at_hand(seq) {
            AtHand::Exact(one) => return Ok(Some(one)),
            AtHand::Older(one) => one,
            AtHand::Nothing => older,
        };
        let made = older.caught_up(tx, scope, seq).await;
        self.forget_if_odd(publisher, &made);
        let Some(made) = made? else {
            self.forget(publisher);
            self.fallbacks.fetch_add(1, Ordering::Relaxed);
            self.want(publisher);
            return Ok(None);
        };
        self.catch_ups.fetch_add(1, Ordering::Relaxed);
        Ok(Some(self.keep(&held, made)))
    }
}

/// How many bytes the columns of publishers take.
fn taken(all: &[Arc<Held>]) -> usize {
    let bytes = |held: &Arc<Held>| {
        let mut seen = HashSet::new();
        let kept = lock(&held.kept);
        kept.snapshots
            .iter()
            .map(|one| one.bytes(&mut seen))
            .sum::<usize>()
    };
    all.iter().map(bytes).sum()
}

/// Drops all snapshots but the newest of each.
fn drop_older(all: &[Arc<Held>]) {
    for held in all {
        let mut kept = lock(&held.kept);
        let older = kept.snapshots.len().saturating_sub(1);
        kept.snapshots.drain(..older);
    }
}

/// Publishers' columns in the order of their last use.
fn by_use(all: &[(i64, Arc<Held>)]) -> Vec<(u64, i64, &Held)> {
    let mut order: Vec<(u64, i64, &Held)> = all
        .iter()
        .map(|(id, held)| (lock(&held.kept).last_use, *id, held.as_ref()))
        .collect();
    order.sort_unstable_by_key(|(last_use, id, _)| (*last_use, *id));
    order
}

/// The snapshot that a transaction sees, looked for once in a transaction: one statement, three more where it has to be
/// made from an older one. Nothing where there are no columns.
pub(super) async fn snapshot(tx: &ReadTx, scope: ReadScope) -> Result<Option<Arc<Snapshot>>> {
    // Columns hold every row: who sees some of them, or not all of each, is answered by SQL.
    let for_all = scope.sees_all() && !tx.is_limited();
    let Some(columns) = tx.store().columns().filter(|_| for_all) else {
        return Ok(None);
    };
    let mut held = tx.columns().lock().await;
    let (publisher, found) = match held.as_ref() {
        Some(known) => known,
        None => held.insert((scope.publisher(), columns.find(tx, scope).await?)),
    };
    // A transaction reads one publisher; should it read another, SQL does.
    Ok(found.clone().filter(|_| *publisher == scope.publisher()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(again: Option<Again>) -> Refused {
        Refused {
            seq: 1_000,
            reached: Reached {
                rows: 500,
                bytes: 8_000,
            },
            again,
        }
    }

    #[test]
    fn columns_without_room_try_again_where_there_is_clearly_more() {
        let crowded = refused(Some(Again { from: 90, wait: 20 }));
        assert!(!crowded.is_over(1_000, 89, || 100_000), "it waits");
        assert!(!crowded.is_over(1_000, 90, || 9_000), "no more than it had");
        assert!(crowded.is_over(1_000, 90, || 9_001));
        let too_large = refused(None);
        assert!(!too_large.is_over(1_000, 1 << 40, || 100_000));
        for (seq, is_over) in [(1_050, false), (1_051, true), (950, false), (949, true)] {
            assert_eq!(too_large.is_over(seq, 0, || 0), is_over, "{seq}");
        }
    }

    #[test]
    fn each_time_it_waits_twice_as_long() {
        let held = Held::default();
        for (uses, wait) in [(10, 20), (300, 40), (700, 80)] {
            let again = held.again(uses, 20);
            assert_eq!((again.from, again.wait), (uses + wait, wait));
            lock(&held.kept).refused = Some(refused(Some(again)));
        }
    }
}
