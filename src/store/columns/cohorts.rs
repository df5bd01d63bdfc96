//! What the users of each cohort did in each period, from columns: the same as `store::cohorts` reads by SQL.

use super::super::tx::ReadTx;
use super::marks::Marks;
use super::matching::Matching;
use super::sales::Tally;
use crate::domain::columns::can_count;
use crate::domain::error::{Error, Result};
use crate::domain::sales::FactQuery;
use crate::domain::scope::ReadScope;
use crate::domain::segment::CohortRow;
use crate::domain::time::Span;
use std::ops::Range;

/// What the users of each cohort did in each of the periods, which divide the range of `facts`; nothing where there are no
/// columns that can tell. As many statements as the filter has conditions on related rows.
///
/// # Errors
/// When the database fails.
pub async fn cohort_rows(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    periods: &[Span],
) -> Result<Option<Vec<CohortRow>>> {
    if !can_count(facts) {
        tx.note_left();
        return Ok(None);
    }
    let Some(matching) = Matching::of_query(tx, scope, facts).await? else {
        return Ok(None);
    };
    let periods = Periods::of(periods);
    let counted = tokio::task::spawn_blocking(move || rows(&matching, &periods));
    counted.await.map_err(Error::internal).map(Some)
}

/// The periods of a range, each of which begins where the one before it ends.
struct Periods {
    /// Where each begins, and where the last one ends, µs.
    edges: Vec<i64>,
}

impl Periods {
    fn of(spans: &[Span]) -> Self {
        let starts = spans.iter().map(|span| span.from.micros());
        let end = spans.last().map(|span| span.to.micros());
        Self {
            edges: starts.chain(end).collect(),
        }
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// From where up to but without where they reach; nowhere without any.
    fn bounds(&self) -> (i64, i64) {
        let edge = |edge: Option<&i64>| edge.copied().unwrap_or_default();
        (edge(self.edges.first()), edge(self.edges.last()))
    }

    /// The period that an instant lies in, if it lies in one.
    fn at(&self, instant: i64) -> Option<usize> {
        let begun = self.edges.partition_point(|edge| *edge <= instant);
        let period = begun.checked_sub(1)?;
        (period < self.count()).then_some(period)
    }

    /// From where up to but without where a period reaches.
    fn reach(&self, period: usize) -> Range<i64> {
        match self.edges.get(period..period + 2) {
            Some([from, to]) => *from..*to,
            _ => 0..0,
        }
    }
}

/// The cohort of each user, by the user's number: the period of the first counted action ever. None for users who began
/// before the periods or after them, and for nobody.
fn cohorts(matching: &Matching, periods: &Periods) -> Vec<Option<u16>> {
    let cohort = |first: &i64| u16::try_from(periods.at(*first)?).ok();
    let mut cohorts: Vec<Option<u16>> = if matching.is_plain() {
        matching.snapshot.firsts().iter().map(cohort).collect()
    } else {
        let mut firsts = vec![i64::MAX; matching.snapshot.names().users.room()];
        let (_, to) = periods.bounds();
        matching.each_counted(i64::MIN, to, |chunk, place| {
            if let Some(first) = firsts.get_mut(chunk.user(place)) {
                *first = (*first).min(chunk.at(place));
            }
        });
        firsts.iter().map(cohort).collect()
    };
    if let Some(nobody) = cohorts.first_mut() {
        *nobody = None;
    }
    cohorts
}

/// Where a cohort stands in a period, among those of all periods: each has a cohort more than the one before it.
fn cell(cohort: usize, period: usize) -> usize {
    period * (period + 1) / 2 + cohort
}

fn rows(matching: &Matching, periods: &Periods) -> Vec<CohortRow> {
    let cohorts = cohorts(matching, periods);
    let names = matching.snapshot.names();
    let (currencies, room) = (names.currencies_in_order(), names.currencies.room());
    let count = periods.count();
    let mut tally = Tally::new(cell(0, count), room);
    let mut users = vec![0i64; cell(0, count)];
    // Who was seen in which period: a bit for each user and period.
    let mut seen = Marks::none(cohorts.len() * count);
    let (from, to) = periods.bounds();
    // Most orders lie in the same period as the one before them.
    let (mut period, mut reach) = (0, periods.reach(0));
    matching.each_counted(from, to, |chunk, place| {
        let (number, at) = (chunk.user(place), chunk.at(place));
        let Some(cohort) = cohorts.get(number).copied().flatten() else {
            return;
        };
        if !reach.contains(&at) {
            let Some(other) = periods.at(at) else {
                return;
            };
            (period, reach) = (other, periods.reach(other));
        }
        let cell = cell(cohort.into(), period);
        tally.add_action(chunk, place, cell);
        let mark = number * count + period;
        if !seen.has(mark) {
            seen.put(mark);
            if let Some(users) = users.get_mut(cell) {
                *users += 1;
            }
        }
    });
    let all = (0..count).flat_map(|cohort| (cohort..count).map(move |period| (cohort, period)));
    let row = |(cohort, period)| {
        let cell = cell(cohort, period);
        let users = users.get(cell).copied().filter(|users| *users > 0)?;
        Some(CohortRow {
            cohort,
            period,
            users,
            sums: tally.sums(cell, &currencies),
        })
    };
    all.filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Instant;

    #[test]
    fn periods_begin_where_the_ones_before_them_end() {
        let span = |from, to| Span {
            from: Instant::from_micros(from).unwrap(),
            to: Instant::from_micros(to).unwrap(),
        };
        let periods = Periods::of(&[span(10, 20), span(20, 50), span(50, 51)]);
        let at = [9, 10, 19, 20, 49, 50, 51, i64::MAX].map(|at| periods.at(at));
        let expected = [
            None,
            Some(0),
            Some(0),
            Some(1),
            Some(1),
            Some(2),
            None,
            None,
        ];
        assert_eq!(at, expected);
        let reaches = [0, 1, 2, 3].map(|period| periods.reach(period));
        assert_eq!(reaches, [10..20, 20..50, 50..51, 0..0]);
        assert_eq!((periods.count(), periods.bounds()), (3, (10, 51)));
        let none = Periods::of(&[]);
        assert_eq!((none.count(), none.bounds(), none.at(0)), (0, (0, 0), None));
    }

    #[test]
    fn every_cohort_has_a_cell_of_its_own_in_every_period_since() {
        let count = 120;
        let all = (0..count).flat_map(|period| (0..=period).map(move |cohort| (cohort, period)));
        let cells: Vec<usize> = all.map(|(cohort, period)| cell(cohort, period)).collect();
        let expected: Vec<usize> = (0..cell(0, count)).collect();
        assert_eq!(cells, expected);
    }
}
