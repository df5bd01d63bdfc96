//! What the users of several lists bought most, and which products of several lists were bought most, each list ranked by
//! itself, from columns.
//!
//! What a list's products are ranked by is summed list by list, in the room of one number for each product, which stays
//! in the processor's caches; all other sums are taken afterwards, of the few products that come first.

use super::super::tx::ReadTx;
use super::chunk::{Chunk, Place, index};
use super::crowds::{Crowd, Crowds, named};
use super::matching::Matching;
use super::names::{Directory, Names};
use super::sales::{Tally, place_of, rows};
use crate::domain::columns::can_count;
use crate::domain::error::{Error, Result};
use crate::domain::filter::Filter;
use crate::domain::rule::{SegmentSet, Subject};
use crate::domain::sales::{FactQuery, RankBy, SalesRow};
use crate::domain::scope::ReadScope;
use crate::domain::time::Span;
use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;
use uuid::Uuid;

/// How many numbers of products are noted before those of the same product are added up: 32 MiB.
const MOST_NOTED: usize = 2 << 20;
/// How many lists are looked at together at least, however many products they have.
const FEW_LISTS: usize = 4;
/// How many words what tells the lists of users or products takes at most: 8 MiB. 16 lists have room for it, however they
/// overlap.
const MOST_WORDS: usize = 1 << 20;
/// How many words a set of lists takes beside the lists themselves.
const OWN_WORDS: usize = 3;
/// What stands for no number at all: no sum of facts is as low.
const NOTHING: i64 = i64::MIN;

/// Who is asked about: users, and lists of them by their places.
#[derive(Clone, Debug)]
pub struct Buyers {
    /// The users.
    pub users: Vec<Uuid>,
    /// The lists.
    pub lists: Vec<List>,
}

/// Whether a list is that of the facts without a user, and else its users by their places.
pub type List = (bool, Arc<Vec<usize>>);

/// The first products of each list of users, ranked within it; nothing where there are no columns that can tell. As many
/// statements as the filter has conditions on related rows.
///
/// # Errors
/// When the database fails.
pub async fn products_of_users(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    buyers: impl FnOnce() -> Buyers,
    (by, first): (RankBy, usize),
) -> Result<Option<Vec<Vec<SalesRow>>>> {
    if !can_count(facts) {
        tx.note_left();
        return Ok(None);
    }
    let Some(matching) = Matching::of_query(tx, scope, facts).await? else {
        return Ok(None);
    };
    let (buyers, range) = (buyers(), facts.range.span);
    let ranked = tokio::task::spawn_blocking(move || {
        let names = matching.snapshot.names();
        let find = |user| names.users.find(user);
        let numbers: Vec<Option<usize>> = buyers.users.iter().map(find).collect();
        together(&buyers.lists, |lists| {
            let carts = Carts {
                matching: &matching,
                range: (range.from.micros(), range.to.micros()),
                on: OnLists::of_buyers(&numbers, lists, names.users.room())?,
                lists: lists.len(),
                subject: Subject::Users,
            };
            carts.first(names, (by, first))
        })
    });
    ranked.await.map_err(Error::internal).map(Some)
}

/// The first products of each set in a stretch of time, declined actions left out, ranked within it: of users what they bought,
/// of products these. Nothing of those that are left to SQL. As many statements as it takes to tell who is in them, none of
/// those whose members were looked up.
///
/// # Errors
/// When the database fails.
pub async fn products_of_sets(
    tx: &ReadTx,
    scope: ReadScope,
    (sets, span): (&[Arc<SegmentSet>], Span),
    (by, first): (RankBy, usize),
) -> Result<Vec<Option<Vec<SalesRow>>>> {
    let Some(matching) = Matching::of(tx, scope, &Filter::default(), true).await? else {
        return Ok(vec![None; sets.len()]);
    };
    let crowds = Crowds::of(tx, scope, &matching.snapshot, sets.iter().map(Arc::as_ref)).await?;
    let crowds = crowds.tell(sets, span).await?;
    let subjects: Vec<Subject> = sets.iter().map(|set| set.subject).collect();
    let ranked = tokio::task::spawn_blocking(move || {
        let mut all = vec![None; crowds.len()];
        for subject in [Subject::Users, Subject::Products] {
            let own = crowds.iter().zip(&subjects).enumerate();
            let own: Vec<(usize, &Crowd)> = own
                .filter(|(_, (_, of))| **of == subject)
                .filter_map(|(place, (crowd, _))| Some((place, crowd.as_ref()?)))
                .collect();
            for (place, rows) in first_of_crowds(&matching, span, (subject, &own), (by, first)) {
                if let Some(list) = all.get_mut(place) {
                    *list = Some(rows);
                }
            }
        }
        all
    });
    ranked.await.map_err(Error::internal)
}

/// The first products of crowds of one subject, with the places of these.
fn first_of_crowds(
    matching: &Matching,
    span: Span,
    (subject, crowds): (Subject, &[(usize, &Crowd)]),
    asked: (RankBy, usize),
) -> Vec<(usize, Vec<SalesRow>)> {
    let names = matching.snapshot.names();
    let ranked = together(crowds, |crowds| {
        let carts = Carts {
            matching,
            range: (span.from.micros(), span.to.micros()),
            on: OnLists::of_crowds(crowds, named(subject, names))?,
            lists: crowds.len(),
            subject,
        };
        carts.first(names, asked)
    });
    let places = crowds.iter().map(|(place, _)| *place);
    places.zip(ranked).collect()
}

/// A product that comes early in a list: what it is ranked by, its id, and its number.
type Ranked = (i64, Uuid, usize);

/// The first products of a list, in their order, ties by the id.
fn first_of(noted: &[(usize, i64)], first: usize, products: &Names<Uuid>) -> Vec<Ranked> {
    // Ids are looked up for those alone that may be among the first.
    let mut metrics: Vec<i64> = noted.iter().map(|(_, metric)| *metric).collect();
    let least = match first.checked_sub(1) {
        Some(last) if last < metrics.len() => {
            *metrics
                .select_nth_unstable_by_key(last, |metric| Reverse(*metric))
                .1
        }
        Some(_) => i64::MIN,
        None => i64::MAX,
    };
    let early = noted.iter().filter(|(_, metric)| *metric >= least);
    let mut ranked: Vec<Ranked> = early
        .filter_map(|(product, metric)| Some((*metric, *products.name(*product)?, *product)))
        .collect();
    ranked.sort_unstable_by_key(|(metric, id, _)| (Reverse(*metric), *id));
    ranked.truncate(first);
    ranked
}

/// What is told of lists: of all of them at once, where what is noted of their products has room, and else of half as many at
/// a time, again and again. `first` tells nothing of lists that are too many.
fn together<L, T>(lists: &[L], first: impl Fn(&[L]) -> Option<Vec<T>>) -> Vec<T> {
    let mut all = Vec::with_capacity(lists.len());
    let (mut left, mut most) = (lists, lists.len());
    while let Some((now, behind)) = left
        .split_at_checked(most)
        .or(Some((left, [].as_slice())))
        .filter(|(now, _)| !now.is_empty())
    {
        if let Some(told) = first(now) {
            all.extend(told);
            left = behind;
        } else {
            most = now.len().div_ceil(2);
        }
    }
    all
}

/// The lists that each user or product is on, by the number; 0 is nobody. Who is on the same lists shares what tells them:
/// built-in segments have few such sets. Those of one's own may overlap in so many ways that there are too many.
struct OnLists {
    /// Of each number the place of its lists.
    of: Vec<Place>,
    /// The lists that somebody is on; none come first.
    lists: Vec<Vec<usize>>,
    /// How many words there is room for in further sets.
    left: usize,
}

impl OnLists {
    /// Nobody is on any list, of so many numbers.
    fn none(room: usize) -> Self {
        Self {
            of: vec![0; room],
            lists: vec![Vec::new()],
            left: MOST_WORDS,
        }
    }

    /// Puts numbers on a list on which nobody was yet; nothing where there is no room for what tells it.
    fn put(&mut self, numbers: impl Iterator<Item = usize>, list: usize) -> Option<()> {
        // By the lists that somebody was on before; 0 as long as nobody came from them.
        let mut with: Vec<Place> = vec![0; self.lists.len()];
        for number in numbers {
            let Some(of) = self.of.get_mut(number) else {
                continue;
            };
            // Who is on other lists than there were before is on this one.
            let Some(with) = with.get_mut(index(*of)) else {
                continue;
            };
            if *with == 0 {
                let before = self.lists.get(index(*of)).into_iter().flatten();
                let lists: Vec<usize> = before.copied().chain([list]).collect();
                self.left = self.left.checked_sub(lists.len() + OWN_WORDS)?;
                *with = Place::try_from(self.lists.len()).unwrap_or(Place::MAX);
                self.lists.push(lists);
            }
            *of = *with;
        }
        Some(())
    }

    /// Of users, with some of their lists.
    fn of_buyers(numbers: &[Option<usize>], lists: &[List], room: usize) -> Option<Self> {
        let mut on = Self::none(room);
        for (list, (is_nobody, members)) in lists.iter().enumerate() {
            let numbers = members
                .iter()
                .filter_map(|place| numbers.get(*place).copied()?);
            on.put(numbers.chain(is_nobody.then_some(0)), list)?;
        }
        Some(on)
    }

    /// Of some crowds, whose marks are made and dropped one after the other.
    fn of_crowds(crowds: &[(usize, &Crowd)], of: &Names<Uuid>) -> Option<Self> {
        let mut on = Self::none(of.room());
        for (list, (_, crowd)) in crowds.iter().enumerate() {
            let marks = crowd.marks(of);
            on.put(marks.numbers().filter(|number| *number > 0), list)?;
        }
        Some(on)
    }

    /// The lists of a number.
    fn of_number(&self, number: usize) -> &[usize] {
        let place = self.of.get(number).copied().unwrap_or_default();
        self.lists.get(index(place)).map_or(&[], Vec::as_slice)
    }
}

/// Adds up numbers of the same product, again and again in the same room.
struct Adding {
    sums: Vec<i64>,
    touched: Vec<usize>,
}

impl Adding {
    fn new(products: usize) -> Self {
        Self {
            sums: vec![NOTHING; products],
            touched: Vec::new(),
        }
    }

    /// Makes the numbers of each product one.
    fn up(&mut self, noted: &mut Vec<(usize, i64)>) {
        for (product, number) in noted.drain(..) {
            let Some(sum) = self.sums.get_mut(product) else {
                continue;
            };
            if *sum == NOTHING {
                self.touched.push(product);
                *sum = number;
            } else {
                *sum += number;
            }
        }
        for product in self.touched.drain(..) {
            if let Some(sum) = self.sums.get_mut(product) {
                noted.push((product, std::mem::replace(sum, NOTHING)));
            }
        }
    }
}

/// The carts of the users, or with the products, of all lists.
struct Carts<'a> {
    matching: &'a Matching,
    /// From, and up to but without, µs.
    range: (i64, i64),
    on: OnLists,
    lists: usize,
    /// What the lists are of.
    subject: Subject,
}

impl Carts<'_> {
    /// The first products of each list; nothing where what is noted of so many lists has no room.
    fn first(&self, names: &Directory, (by, first): (RankBy, usize)) -> Option<Vec<Vec<SalesRow>>> {
        let mut adding = Adding::new(names.products.room());
        let mut firsts: Vec<Vec<Ranked>> = Vec::with_capacity(self.lists);
        for mut noted in self.noted(by, names, &mut adding)? {
            adding.up(&mut noted);
            firsts.push(first_of(&noted, first, &names.products));
        }
        Some(self.sums(&firsts, names))
    }

    /// Shows the items of wanted products in all carts, until it is told to stop: with the lists that their users, or they
    /// themselves, are on, and the number of the cart from 1.
    fn each(
        &self,
        is_wanted: impl Fn(usize) -> bool,
        mut see: impl FnMut(&Chunk, (usize, usize), &[usize], u64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut cart = 0;
        let (from, to) = self.range;
        self.matching.each_until(from, to, |chunk, place| {
            if !self.matching.counts(chunk, place) {
                return ControlFlow::Continue(());
            }
            cart += 1;
            for item in chunk.items(place) {
                let product = chunk.product(item);
                if product == 0 || !is_wanted(product) {
                    continue;
                }
                let on = self.on.of_number(match self.subject {
                    Subject::Users => chunk.user(place),
                    Subject::Products => product,
                });
                if !on.is_empty() {
                    see(chunk, (place, item), on, cart)?;
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// What the products of each list are ranked by: numbers to be added up by product. Nothing where those of so many lists
    /// have no room.
    fn noted(
        &self,
        by: RankBy,
        names: &Directory,
        adding: &mut Adding,
    ) -> Option<Vec<Vec<(usize, i64)>>> {
        let currency = place_of(by, &names.currencies_in_order());
        let mut seen = vec![0; names.products.room()];
        let mut noted: Vec<Vec<(usize, i64)>> = vec![Vec::new(); self.lists];
        let (mut count, mut most) = (0, MOST_NOTED);
        let every = |_| true;
        let all = self.each(every, |chunk, (place, item), on, cart| {
            let product = chunk.product(item);
            let in_currency = || Some(chunk.currency(place)) == currency;
            let number = match by {
                RankBy::Units => Some(chunk.item_units(item)),
                // A product counts once for an action, however often it is in the cart.
                RankBy::Actions => seen
                    .get_mut(product)
                    .map(|seen| i64::from(std::mem::replace(seen, cart) != cart)),
                RankBy::OrderAmount(_) => in_currency().then(|| chunk.item_amount(item)),
                RankBy::Reward(_) => in_currency().then(|| chunk.item_reward(item)),
            };
            let Some(number) = number else {
                return ControlFlow::Continue(());
            };
            for list in on {
                if let Some(noted) = noted.get_mut(*list) {
                    noted.push((product, number));
                    count += 1;
                }
            }
            if count >= most {
                noted.iter_mut().for_each(|noted| adding.up(noted));
                count = noted.iter().map(Vec::len).sum();
                if 2 * count > MOST_NOTED && self.lists > FEW_LISTS {
                    return ControlFlow::Break(());
                }
                most = MOST_NOTED.max(2 * count);
            }
            ControlFlow::Continue(())
        });
        all.is_continue().then_some(noted)
    }

    /// The lists with all sums of their products.
    fn sums(&self, firsts: &[Vec<Ranked>], names: &Directory) -> Vec<Vec<SalesRow>> {
        // Each product that is in one of the lists gets a line with a place for each list; 0 where it is not in it.
        let mut lines = vec![0usize; names.products.room()];
        let mut places: Vec<usize> = vec![0; self.lists];
        let mut count = 1;
        for (list, ranked) in firsts.iter().enumerate() {
            for (_, _, product) in ranked {
                let Some(line) = lines.get_mut(*product) else {
                    continue;
                };
                if *line == 0 {
                    *line = places.len();
                    places.resize(places.len() + self.lists, 0);
                }
                if let Some(place) = places.get_mut(*line + list) {
                    *place = count;
                    count += 1;
                }
            }
        }
        let of = |product: usize, list: usize| {
            let line = lines.get(product).copied().filter(|line| *line > 0)?;
            places.get(line + list).copied().filter(|place| *place > 0)
        };
        let mut tally = Tally::new(count, names.currencies.room());
        let mut seen = vec![0; count];
        let is_first = |product: usize| lines.get(product).is_some_and(|line| *line > 0);
        let _: ControlFlow<()> = self.each(is_first, |chunk, (place, item), on, cart| {
            let product = chunk.product(item);
            for list in on {
                let Some(sums) = of(product, *list) else {
                    continue;
                };
                let last = seen.get_mut(sums).map(|seen| std::mem::replace(seen, cart));
                tally.add_item(chunk, (place, item), sums, last != Some(cart));
            }
            ControlFlow::Continue(())
        });
        let currencies = names.currencies_in_order();
        let firsts = firsts.iter().enumerate();
        firsts
            .map(|(list, ranked)| {
                rows(ranked, |product| {
                    tally.sums(of(product, list).unwrap_or_default(), &currencies)
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::marks::Marks;
    use super::*;
    use std::collections::HashSet;

    /// Whoever is on many lists takes 4 bytes, and what tells these is there once for all who are on the same.
    #[test]
    fn those_on_the_same_lists_share_them() {
        let mut names: Names<Uuid> = Names::default();
        for number in 0..1_000 {
            names.place(&Uuid::from_u128(number));
        }
        let count = 100;
        let crowds: Vec<Crowd> = (0..count)
            .map(|list| {
                let is_on =
                    |number: usize| number == 0 || (number % 3).is_multiple_of(list % 2 + 1);
                let marks: Marks = (0..names.room()).map(is_on).collect();
                Crowd::Marked(Arc::new(marks))
            })
            .collect();
        let placed: Vec<(usize, &Crowd)> = crowds.iter().enumerate().collect();
        let on = OnLists::of_crowds(&placed, &names).unwrap();
        assert_eq!(on.of.len(), names.room());
        assert_eq!(on.of_number(0), [0usize; 0], "nobody is on no list");
        for number in 1..names.room() {
            let expected: Vec<usize> = (0..count)
                .filter(|list| (number % 3).is_multiple_of(list % 2 + 1))
                .collect();
            assert_eq!(on.of_number(number), expected);
        }
        assert_eq!(on.of_number(names.room()), [0usize; 0]);
        let ends: HashSet<Place> = on.of.iter().copied().collect();
        assert_eq!(
            ends.len(),
            3,
            "nobody, those on every list, those on every second"
        );
    }

    /// Lists that overlap in every way have too many sets of them, unless they are few.
    #[test]
    fn what_tells_lists_is_bounded_however_they_overlap() {
        let count = 60_000;
        let all: Vec<List> = (0..40)
            .map(|list| {
                // A hash of the number: half of them are on each list, whatever other lists they are on.
                let is_on = |number: &u64| {
                    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(list) & 1 == 1
                };
                let members = (1..count).filter(is_on);
                (
                    false,
                    Arc::new(members.map(|n| usize::try_from(n).unwrap()).collect()),
                )
            })
            .collect();
        let room = usize::try_from(count).unwrap();
        let numbers: Vec<Option<usize>> = (0..room).map(Some).collect();
        assert!(OnLists::of_buyers(&numbers, &all, room).is_none());
        for few in [FEW_LISTS, 8, 16] {
            let on = OnLists::of_buyers(&numbers, &all[..few], room).unwrap();
            let words: usize = on.lists.iter().map(|lists| lists.len() + OWN_WORDS).sum();
            assert!(words <= MOST_WORDS, "{few}: {words}");
            for (list, (_, members)) in all[..few].iter().enumerate() {
                let put = (1..room).filter(|number| on.of_number(*number).contains(&list));
                assert_eq!(put.collect::<Vec<_>>(), **members);
            }
        }
    }

    #[test]
    fn users_and_nobody_are_on_lists() {
        let list = |is_nobody, members: &[usize]| (is_nobody, Arc::new(members.to_vec()));
        let all = [
            list(false, &[0, 2, 0]),
            list(true, &[1]),
            list(true, &[2, 9]),
        ];
        let on = OnLists::of_buyers(&[Some(3), None, Some(1)], &all, 4).unwrap();
        let of = |number: usize| on.of_number(number).to_vec();
        assert_eq!([of(0), of(1)], [vec![1, 2], vec![0, 2]]);
        assert_eq!([of(2), of(3)], [vec![], vec![0]]);
    }

    #[test]
    fn lists_that_have_no_room_together_are_looked_at_in_parts() {
        let lists: Vec<usize> = (0..21).collect();
        for most in 1..30 {
            let parts = std::cell::RefCell::new(Vec::new());
            let told = together(&lists, |now| {
                (now.len() <= most).then(|| {
                    parts.borrow_mut().push(now.len());
                    now.to_vec()
                })
            });
            assert_eq!(told, lists);
            assert!(
                parts.borrow().len() <= 2 * 21_usize.div_ceil(most),
                "{parts:?}"
            );
        }
        assert_eq!(together(&[0; 0], |_| Some(vec![0; 0])), [0; 0]);
    }
}
