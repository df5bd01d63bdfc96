//! The columns of a publisher as one read transaction sees the facts, and how they follow from earlier ones.

use super::super::state::state;
use super::super::tx::ReadTx;
use super::Reached;
use super::chunk::{ActionRow, Chunk, ROWS};
use super::load;
use super::names::Directory;
use crate::domain::error::{Error, Result};
use crate::domain::rule::Subject;
use crate::domain::scope::ReadScope;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// A change of the log, by its action and its run: the same number is another change where a database was put back.
pub(super) type Mark = Option<(Uuid, Uuid)>;

/// The facts of a publisher up to a number of its change log. Snapshots share the chunks in which they do not differ.
#[derive(Debug)]
pub struct Snapshot {
    /// The last number of the change log that is in it.
    pub(super) seq: i64,
    mark: Mark,
    pub(super) chunks: Vec<Arc<Chunk>>,
    names: Directory,
    firsts: OnceLock<Vec<i64>>,
    lives: OnceLock<Lives>,
    users: Seen,
    products: Seen,
}

/// What is known of users or of products over all time, as soon as somebody asks.
#[derive(Debug, Default)]
struct Seen {
    firsts: OnceLock<Vec<i64>>,
    countries: OnceLock<Vec<Option<u16>>>,
}

/// What came of reading in all facts.
pub(super) enum Built {
    /// All of them.
    Whole(Box<Snapshot>),
    /// They found no room.
    TooLarge(Reached),
    /// They have more currencies, programs, ad spaces, countries or kinds of devices than columns have numbers for.
    TooMany(Reached),
}

/// Into how many parts the facts are divided at most, so that what was sold up to an instant is found from what was sold up to
/// the part that it lies in.
const MOST_PARTS: usize = 16;
/// How many numbers all parts have together at most: 16 MiB, whatever the number of products.
const PART_NUMBERS: usize = 2 << 20;

/// What is known of products over all time, without declined actions, by their numbers.
#[derive(Debug)]
pub(super) struct Lives {
    /// The first order, µs; [`i64::MAX`] for none.
    pub firsts: Vec<i64>,
    /// The parts, one after the other.
    parts: Vec<Part>,
}

/// Chunks that stand together.
#[derive(Debug)]
struct Part {
    /// The first chunk that is not in it or in one before it.
    end: usize,
    /// The latest order in it and in those before it, µs.
    last: i64,
    /// Units by product, of it and of those before it.
    units: Vec<i64>,
}

impl Lives {
    /// Units by product up to a part that ends before an instant, the latest there is, and the first chunk behind it.
    pub(super) fn before(&self, to: i64) -> (&[i64], usize) {
        let part = self.parts.iter().rev().find(|part| part.last < to);
        part.map_or((&[], 0), |part| (&part.units, part.end))
    }
}

impl Snapshot {
    fn new(seq: i64, mark: Mark, chunks: Vec<Arc<Chunk>>, mut names: Directory) -> Self {
        names.settle();
        Self {
            seq,
            mark,
            chunks,
            names,
            firsts: OnceLock::new(),
            lives: OnceLock::new(),
            users: Seen::default(),
            products: Seen::default(),
        }
    }

    /// Reads all facts that a transaction sees, page by page, as long as so many bytes have room.
    pub(super) async fn build(
        tx: &ReadTx,
        scope: ReadScope,
        have_room: impl Fn(usize) -> bool,
    ) -> Result<Built> {
        let seq = state(tx, scope).await?.change_seq;
        let mark = load::mark(tx, scope, seq).await?;
        let mut names = Directory::default();
        let mut chunks: Vec<Arc<Chunk>> = Vec::new();
        let (mut rows, mut bytes): (Vec<ActionRow>, usize) = (Vec::new(), 0);
        let mut after = (i64::MIN, Uuid::nil());
        loop {
            let read = rows.len() + chunks.iter().map(|chunk| chunk.len()).sum::<usize>();
            let Some(page) = load::page(tx, scope, &mut names, after).await? else {
                // The page that could not be numbered was read as well.
                let rows = read + load::PAGE;
                return Ok(Built::TooMany(Reached { rows, bytes }));
            };
            let read = read + page.len();
            let is_last = page.len() < load::PAGE;
            if let Some(last) = page.last() {
                after = (last.at, last.id);
            }
            rows.extend(page);
            if rows.len() >= ROWS || is_last && !rows.is_empty() {
                let chunk = Chunk::of(&rows);
                rows.clear();
                bytes += chunk.bytes();
                chunks.push(Arc::new(chunk));
            }
            let named = names.bytes(&mut HashSet::new());
            let wanted = bytes + named + derived_bytes(&names);
            if !have_room(wanted) {
                return Ok(Built::TooLarge(Reached {
                    rows: read,
                    bytes: wanted,
                }));
            }
            if is_last {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(Built::Whole(Box::new(Self::new(seq, mark, chunks, names))))
    }

    /// The snapshot of a transaction that sees more than this one; nothing where the change log is another one, and where
    /// there are no numbers for new names.
    pub(super) async fn caught_up(
        self: &Arc<Self>,
        tx: &ReadTx,
        scope: ReadScope,
        seq: i64,
    ) -> Result<Option<Self>> {
        let changes = load::changes(tx, scope, self.seq, seq).await?;
        if changes.first != self.mark {
            return Ok(None);
        }
        let mark = load::mark(tx, scope, seq).await?;
        let mut names = self.names.clone();
        let mut rows = HashMap::new();
        let ids: Vec<Uuid> = changes.actions.iter().copied().collect();
        for ids in ids.chunks(load::PAGE) {
            let Some(found) = load::by_id(tx, scope, &mut names, ids).await? else {
                return Ok(None);
            };
            rows.extend(found.into_iter().map(|row| (row.id, row)));
        }
        let old = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || {
            let chunks = replaced(&old.chunks, &changes.actions, rows);
            Self::new(seq, mark, chunks, names)
        });
        made.await.map_err(Error::internal).map(Some)
    }

    /// The names that the rows hold by number.
    pub(super) fn names(&self) -> &Directory {
        &self.names
    }

    /// How many actions it holds.
    pub(super) fn rows(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// How many bytes it takes, with what is derived from it sooner or later, beside what is in `seen`, which is added to it.
    pub(super) fn bytes(&self, seen: &mut HashSet<usize>) -> usize {
        let own = self
            .chunks
            .iter()
            .filter(|chunk| seen.insert(Arc::as_ptr(chunk).addr()));
        let chunks: usize = own.map(|chunk| chunk.bytes()).sum();
        chunks + self.names.bytes(seen) + derived_bytes(&self.names)
    }

    /// The chunks with an order from an instant up to but without another, and whether all of their orders are.
    pub(super) fn between(&self, from: i64, to: i64) -> impl Iterator<Item = (&Chunk, bool)> {
        self.behind(0, from, to)
    }

    /// Whether an order lies from an instant up to but without another.
    pub(super) fn has_between(&self, from: i64, to: i64) -> bool {
        let is_in =
            |chunk: &Chunk| (0..chunk.len()).any(|place| (from..to).contains(&chunk.at(place)));
        self.between(from, to)
            .any(|(chunk, is_inside)| is_inside || is_in(chunk))
    }

    /// The chunks of [`Self::between`] from a place on.
    pub(super) fn behind(
        &self,
        start: usize,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = (&Chunk, bool)> {
        self.chunks.iter().skip(start).filter_map(move |chunk| {
            let (first, last) = chunk.span();
            let meets = first < to && last >= from;
            meets.then(|| (chunk.as_ref(), first >= from && last < to))
        })
    }

    /// The first order of each user that was not declined, by the user's number; [`i64::MAX`] for none.
    pub(super) fn firsts(&self) -> &[i64] {
        self.firsts.get_or_init(|| {
            let mut firsts = vec![i64::MAX; self.names.users.room()];
            for chunk in &self.chunks {
                for place in (0..chunk.len()).filter(|place| !is_declined(chunk, *place)) {
                    if let Some(first) = firsts.get_mut(chunk.user(place)) {
                        *first = (*first).min(chunk.at(place));
                    }
                }
            }
            firsts
        })
    }

    fn seen(&self, subject: Subject) -> (&Seen, usize) {
        match subject {
            Subject::Users => (&self.users, self.names.users.room()),
            Subject::Products => (&self.products, self.names.products.room()),
        }
    }

    /// The first order of each user or with each product, whatever its status, µs, by number; [`i64::MAX`] for none.
    pub(super) fn first_seen(&self, subject: Subject) -> &[i64] {
        let (seen, room) = self.seen(subject);
        seen.firsts.get_or_init(|| {
            let mut firsts = vec![i64::MAX; room];
            for chunk in &self.chunks {
                for place in 0..chunk.len() {
                    let at = chunk.at(place);
                    each_number(chunk, place, subject, |number| {
                        if let Some(first) = firsts.get_mut(number) {
                            *first = (*first).min(at);
                        }
                    });
                }
            }
            firsts
        })
    }

    /// The click country of the latest action of each user or with each product, declined ones left out, by the numbers of
    /// countries, 0 for an action without one; nothing for who has no action. Of two at one instant the one with the greater
    /// id is the later.
    pub(super) fn latest_countries(&self, subject: Subject) -> &[Option<u16>] {
        let (seen, room) = self.seen(subject);
        seen.countries
            .get_or_init(|| self.countries_before(i64::MAX, subject, room))
    }

    /// Likewise of the actions before an instant; whoever asks as of the present has it told once for all.
    pub(super) fn countries_before(
        &self,
        to: i64,
        subject: Subject,
        room: usize,
    ) -> Vec<Option<u16>> {
        let mut latest: Vec<(i64, Uuid, Option<u16>)> = vec![(i64::MIN, Uuid::nil(), None); room];
        for (chunk, is_inside) in self.between(i64::MIN, to) {
            for place in 0..chunk.len() {
                let at = chunk.at(place);
                if is_declined(chunk, place) || !is_inside && at >= to {
                    continue;
                }
                let country = u16::try_from(chunk.country(place)).unwrap_or(0);
                let own = (at, chunk.id(place), Some(country));
                each_number(chunk, place, subject, |number| {
                    if let Some(known) = latest.get_mut(number).filter(|known| **known < own) {
                        *known = own;
                    }
                });
            }
        }
        latest.into_iter().map(|(.., country)| country).collect()
    }

    /// What is known of the products.
    pub(super) fn lives(&self) -> &Lives {
        self.lives.get_or_init(|| {
            let room = self.names.products.room();
            let mut lives = Lives {
                firsts: vec![i64::MAX; room],
                parts: Vec::new(),
            };
            let (mut units, mut last) = (vec![0; room], i64::MIN);
            let parts = parts_of(room);
            let width = self.chunks.len().div_ceil(parts).max(1);
            let mut end = 0;
            for part in self.chunks.chunks(width) {
                for chunk in part {
                    last = last.max(chunk.span().1);
                    for place in (0..chunk.len()).filter(|place| !is_declined(chunk, *place)) {
                        let at = chunk.at(place);
                        for item in chunk.items(place) {
                            let product = chunk.product(item);
                            if let (Some(units), Some(first)) =
                                (units.get_mut(product), lives.firsts.get_mut(product))
                            {
                                *units += chunk.item_units(item);
                                *first = (*first).min(at);
                            }
                        }
                    }
                }
                end += part.len();
                let units = units.clone();
                lives.parts.push(Part { end, last, units });
            }
            lives
        })
    }
}

/// Into how many parts the facts of so many products are divided at most.
fn parts_of(room: usize) -> usize {
    (PART_NUMBERS / room).clamp(1, MOST_PARTS)
}

/// The numbers of an action: of its user, or of the products in its cart. 0 is nobody.
fn each_number(chunk: &Chunk, place: usize, subject: Subject, mut see: impl FnMut(usize)) {
    match subject {
        Subject::Users => Some(chunk.user(place))
            .filter(|number| *number > 0)
            .into_iter()
            .for_each(see),
        Subject::Products => chunk
            .items(place)
            .map(|item| chunk.product(item))
            .filter(|number| *number > 0)
            .for_each(&mut see),
    }
}

/// How many bytes what is derived takes: the first orders of users and of products with and without those that were declined,
/// their latest countries, and the lives of products.
fn derived_bytes(names: &Directory) -> usize {
    let (users, products) = (names.users.room(), names.products.room());
    (users * 2 + products * (2 + parts_of(products))) * 8 + (users + products) * 4
}

/// Whether an action was declined.
pub(super) fn is_declined(chunk: &Chunk, place: usize) -> bool {
    chunk.status(place) == crate::domain::action::Status::Declined as usize
}

/// The chunks in which `rows` stand for the actions that changed; those that are not among `rows` are gone.
fn replaced(
    chunks: &[Arc<Chunk>],
    changed: &HashSet<Uuid>,
    mut rows: HashMap<Uuid, ActionRow>,
) -> Vec<Arc<Chunk>> {
    // Ids are hashes: their first bits tell most of them apart without a look into the set.
    let start = |id: &Uuid| {
        let [first, second, ..] = id.as_bytes();
        usize::from(u16::from_be_bytes([*first, *second]))
    };
    let mut starts = vec![false; 1 << 16];
    for id in changed {
        if let Some(is) = starts.get_mut(start(id)) {
            *is = true;
        }
    }
    let is_changed =
        |id: &Uuid| starts.get(start(id)).copied().unwrap_or(true) && changed.contains(id);
    let mut made = Vec::with_capacity(chunks.len() + 1);
    for chunk in chunks {
        if !chunk.ids().iter().any(is_changed) {
            made.push(Arc::clone(chunk));
            continue;
        }
        let kept: Vec<ActionRow> = (0..chunk.len())
            .filter_map(|place| {
                let id = chunk.id(place);
                if is_changed(&id) {
                    rows.remove(&id)
                } else {
                    Some(chunk.row(place))
                }
            })
            .collect();
        if !kept.is_empty() {
            made.push(Arc::new(Chunk::of(&kept)));
        }
    }
    let mut new: Vec<ActionRow> = rows.into_values().collect();
    new.sort_unstable_by_key(|row| (row.at, row.id));
    // New actions are the latest ones as a rule: the last chunk is filled up first.
    if let Some(last) = made
        .last()
        .filter(|last| last.len() < ROWS && !new.is_empty())
    {
        let mut filled: Vec<ActionRow> = (0..last.len()).map(|place| last.row(place)).collect();
        filled.extend(new.drain(..new.len().min(ROWS - last.len())));
        made.pop();
        made.push(Arc::new(Chunk::of(&filled)));
    }
    made.extend(new.chunks(ROWS).map(|rows| Arc::new(Chunk::of(rows))));
    made
}
