//! What is made of the rows that a report read: groups, their order, pages, totals. Pure.

use super::lacking::Lacking;
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::filter::Value;
use crate::domain::money::Currency;
use crate::domain::page::{Cursor, Direction, Page};
use crate::domain::report::measured::{Bases, FINE, Measured, MoneySums};
use crate::domain::report::metric::{Measure, Metric, MetricValue, Quantiles, Standing, Values};
use crate::domain::report::plan::{Ask, What};
use crate::domain::report::rates::Rates;
use crate::domain::report::{
    Dimension, Having, KeyPart, MissingRate, OrderKey, ReportOrder, ReportRequest, ReportRow,
    too_many_groups,
};
use crate::domain::time::Span;
use crate::store::report::Row;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// What a group is called: its stretch of time by place, and its key.
pub(super) type Name = (Option<usize>, Vec<KeyPart>);

/// Groups with what was measured of them.
pub(super) type Groups = HashMap<Name, Measured>;

/// Sums of money of one currency and, where it is to be converted, of one day, 1/10 000.
#[derive(Clone, Debug, Default)]
struct DaySums {
    actions: i64,
    amounted: i64,
    order_amount: [i64; 4],
    reward: [i64; 4],
    paid: i64,
}

/// Gathers rows into groups. A year of days has thousands of rows of a few keys, so keys are numbered; groups are as well,
/// and all their money lies in one table, so that none has one of its own.
#[derive(Default)]
pub(super) struct Gatherer {
    keys: HashMap<Vec<KeyPart>, usize>,
    /// The numbers of groups, by stretch of time and number of the key.
    groups: HashMap<(Option<usize>, usize), usize>,
    /// What was measured of each group but money.
    measured: Vec<Measured>,
    /// By number of the group, currency and, where it is to be converted, day.
    money: HashMap<(usize, Currency, Option<i32>), DaySums>,
    /// How decline reasons are written, by how keys have them folded: the first in the order of bytes.
    reasons: HashMap<String, String>,
}

impl Gatherer {
    /// Takes in the answer to a question; questions about sums come first.
    pub(super) fn take(&mut self, ask: &Ask, rows: Vec<Row>) {
        for mut row in rows {
            let key = std::mem::take(&mut row.key);
            self.take_reason(ask, &key, row.reason.take());
            let fresh = self.keys.len();
            let key = *self.keys.entry(key).or_insert(fresh);
            if !ask.tells_pieces() {
                self.add(ask, &row, (None, key), 1);
                continue;
            }
            let places = ask.places.get(&row.piece);
            for (slot, times) in places.into_iter().flatten() {
                self.add(ask, &row, (Some(*slot), key), *times);
            }
        }
    }

    fn take_reason(&mut self, ask: &Ask, key: &[KeyPart], reason: Option<String>) {
        let Some(reason) = reason else { return };
        let parts = ask.dimensions.iter().zip(key);
        for (_, part) in parts.filter(|(by, _)| **by == Dimension::DeclineReason) {
            let KeyPart::Text(folded) = part else {
                continue;
            };
            match self.reasons.get_mut(folded) {
                Some(held) if *held <= reason => {}
                Some(held) => held.clone_from(&reason),
                None => {
                    self.reasons.insert(folded.clone(), reason.clone());
                }
            }
        }
    }

    /// How decline reasons are written, by how keys have them folded.
    pub(super) fn take_reasons(&mut self) -> HashMap<String, String> {
        std::mem::take(&mut self.reasons)
    }

    /// How many groups rows have named, per currency and day: also such as pieces added to and took off again.
    pub(super) fn named(&self) -> usize {
        self.money.len()
    }

    /// Refuses more groups than are allowed, per currency and day.
    ///
    /// # Errors
    /// When these are too many.
    pub(super) fn check(&self, most: usize) -> Result<()> {
        if self.named() <= most {
            return Ok(());
        }
        let found = self.money.values().filter(|sums| sums.actions != 0).count();
        if found > most {
            return Err(too_many_groups(most, found));
        }
        Ok(())
    }

    /// The group of a name.
    fn group(&mut self, name: (Option<usize>, usize)) -> Option<(usize, &mut Measured)> {
        let fresh = self.measured.len();
        let number = *self.groups.entry(name).or_insert(fresh);
        if number == fresh {
            self.measured.push(Measured::default());
        }
        Some((number, self.measured.get_mut(number)?))
    }

    fn add(&mut self, ask: &Ask, row: &Row, name: (Option<usize>, usize), times: i8) {
        let value = |place: usize| row.values.get(place).copied().unwrap_or(0);
        let What::Sums(measures) = &ask.what else {
            // Facts of a group that has none of the counted ones would be a fault of a total.
            if ask.what == What::Clicks {
                // A day on which someone clicked and nobody ordered is a group, too.
                if let Some((_, measured)) = self.group(name) {
                    measured.clicks += value(0) * i64::from(times);
                    measured.views += value(1) * i64::from(times);
                }
                return;
            }
            let number = self.groups.get(&name).copied();
            let Some(measured) = number.and_then(|number| self.measured.get_mut(number)) else {
                return;
            };
            let lag = Some(Quantiles {
                median: value(0),
                p90: value(1),
            });
            match ask.what {
                What::Users => measured.users = value(0),
                What::ConversionLag => measured.conversion_lag = lag,
                What::ValidationLag => measured.validation_lag = lag,
                What::Sums(_) | What::Clicks => {}
            }
            return;
        };
        let Some(currency) = row.currency else { return };
        let Some((number, _)) = self.group(name) else {
            return;
        };
        let Some(measured) = self.measured.get_mut(number) else {
            return;
        };
        let money = self.money.entry((number, currency, row.day)).or_default();
        let actions = value(0) * i64::from(times);
        money.actions += actions;
        plus(&mut measured.actions, Standing::Any, actions);
        for (place, measure) in measures.iter().enumerate() {
            let value = value(place + 1) * i64::from(times);
            match measure {
                Measure::Actions(standing) => plus(&mut measured.actions, *standing, value),
                Measure::Units => measured.units += value,
                Measure::Carted => measured.carted += value,
                Measure::OrderAmount(standing) => plus(&mut money.order_amount, *standing, value),
                Measure::Reward(standing) => plus(&mut money.reward, *standing, value),
                Measure::PaidReward => money.paid += value,
                Measure::Amounted => money.amounted += value,
                // Only where each user is in one row.
                Measure::Users => measured.users += value,
                Measure::ActionsInCurrency
                | Measure::ConversionLag
                | Measure::ValidationLag
                | Measure::Clicks
                | Measure::Views => {}
            }
        }
    }

    /// The groups that have an action, a click or a view, with their money converted where it is to be and can be.
    pub(super) fn finish(mut self, exchange: &mut Exchange) -> Groups {
        let is_there = |measured: &Measured| {
            let actions = measured.actions.first().copied().unwrap_or(0);
            [actions, measured.clicks, measured.views] != [0; 3]
        };
        for ((number, currency, day), sums) in self.money {
            let group = self.measured.get_mut(number);
            // Cells that were added and taken off again leave a day without actions.
            let Some(measured) = group.filter(|group| sums.actions != 0 && is_there(group)) else {
                continue;
            };
            let (shown, sums) = exchange.convert(currency, day, &sums);
            measured.money.add((shown, currency), &sums, 1);
        }
        let mut keys = vec![Vec::new(); self.keys.len()];
        for (key, number) in self.keys {
            if let Some(held) = keys.get_mut(number) {
                *held = key;
            }
        }
        let mut groups = Groups::new();
        for ((slot, key), number) in self.groups {
            let measured = self.measured.get_mut(number).map(std::mem::take);
            if let Some(measured) = measured.filter(is_there) {
                let key = keys.get(key).cloned().unwrap_or_default();
                groups.insert((slot, key), measured);
            }
        }
        groups
    }
}

fn plus(sums: &mut [i64; 4], standing: Standing, value: i64) {
    if let Some(sum) = sums.get_mut(standing.place()) {
        *sum += value;
    }
}

/// Converts what is to be converted, and notes what cannot be.
#[derive(Default)]
pub(super) struct Exchange {
    /// The currency asked for.
    pub to: Option<Currency>,
    /// The rates.
    pub rates: Rates,
    /// The currencies without a rate, and the first day that needed it.
    pub missing: BTreeMap<Currency, i32>,
}

impl Exchange {
    fn convert(
        &mut self,
        own: Currency,
        day: Option<i32>,
        sums: &DaySums,
    ) -> (Currency, MoneySums) {
        let target = self.to.zip(day);
        let converted = target.and_then(|(to, day)| {
            let fine = |amount| self.rates.convert(amount, (own, to), day);
            Some((to, fine_sums(sums, fine)?))
        });
        if let Some(found) = converted {
            return found;
        }
        if let Some((_, day)) = target {
            let first = self.missing.entry(own).or_insert(day);
            *first = (*first).min(day);
        }
        let plain = fine_sums(sums, |amount| Some(i128::from(amount) * FINE));
        (own, plain.unwrap_or_default())
    }

    /// The rates that were missed.
    pub(super) fn missing(&self) -> Vec<MissingRate> {
        let Some(to) = self.to else { return Vec::new() };
        let missing = self.missing.iter();
        missing
            .map(|(from, day)| MissingRate {
                from: *from,
                to,
                day: *day,
            })
            .collect()
    }
}

fn fine_sums(sums: &DaySums, fine: impl Fn(i64) -> Option<i128>) -> Option<MoneySums> {
    let all = |amounts: [i64; 4]| -> Option<[i128; 4]> {
        let [any, pending, approved, declined] = amounts;
        Some([fine(any)?, fine(pending)?, fine(approved)?, fine(declined)?])
    };
    Some(MoneySums {
        actions: sums.actions,
        amounted: sums.amounted,
        order_amount: all(sums.order_amount)?,
        reward: all(sums.reward)?,
        paid: fine(sums.paid)?,
    })
}

/// A group in the report's list.
#[derive(Default)]
struct Line {
    slot: Option<usize>,
    key: Vec<KeyPart>,
    measured: Measured,
    place: Cursor,
}

/// A report while it is shaped.
pub(super) struct Shaping<'a> {
    /// What was asked.
    pub request: &'a ReportRequest,
    /// The stretches of time.
    pub slots: &'a [Span],
    /// What expectations rest on.
    pub bases: &'a Bases,
    /// Which groups lack clicks.
    pub lacking: &'a Lacking,
    /// Likewise of the period that is compared with.
    pub lacking_before: &'a Lacking,
    /// How decline reasons are written, by how keys have them folded.
    pub reasons: &'a HashMap<String, String>,
    /// How many groups there may be.
    pub most: usize,
}

/// The list of a report, cut to a page.
pub(super) struct Shaped {
    /// The page.
    pub page: Page<ReportRow>,
    /// How many groups there are.
    pub groups: i64,
    /// The sums of the page.
    pub page_sums: Measured,
}

impl Shaping<'_> {
    /// Orders, cuts and fills the groups.
    ///
    /// # Errors
    /// When there would be too many, or the cursor is not one of this list.
    pub(super) fn shape(&self, groups: Groups, compared: Option<&Groups>) -> Result<Shaped> {
        let order = self.order();
        let mut lines = self.lines(groups, &order)?;
        lines.sort_unstable_by(|one, other| compare(&one.place, &other.place, &order));
        let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        self.check_cursors(order.len())?;
        let places = lines.iter_mut().enumerate();
        let places = places.map(|(number, line)| (number, std::mem::take(&mut line.place)));
        let page = Page::of_placed(places, &self.request.page, |one, other| {
            compare(one, other, &order)
        });
        let numbers: Vec<usize> = page.rows.iter().map(|(number, _)| *number).collect();
        let mut page_sums = Measured::default();
        for line in numbers.iter().filter_map(|number| lines.get(*number)) {
            page_sums.add(&line.measured, 1);
        }
        let mut running = self.running(&lines, &numbers).into_iter();
        let page = page.map(|number| {
            let line = lines.get_mut(number).map(std::mem::take);
            self.row(line.unwrap_or_default(), compared, running.next())
        });
        Ok(Shaped {
            page,
            groups: count,
            page_sums,
        })
    }

    /// A row of the page.
    fn row(&self, line: Line, compared: Option<&Groups>, running: Option<Values>) -> ReportRow {
        // A stretch and the one that it is compared with have the same place.
        let name = (line.slot, line.key);
        let compared = compared.map(|groups| {
            let mut found = groups.get(&name).cloned().unwrap_or_default();
            found.lacks_clicks = self.lacking_before.at(name.0, &name.1);
            found.values(&self.request.wanted.compared, self.bases)
        });
        let (slot, mut key) = name;
        for (by, part) in self.request.dimensions.iter().zip(&mut key) {
            if let (Dimension::DeclineReason, KeyPart::Text(text)) = (by, part)
                && let Some(written) = self.reasons.get(text)
            {
                text.clone_from(written);
            }
        }
        ReportRow {
            time: slot.and_then(|slot| self.slots.get(slot)).copied(),
            key,
            values: line.measured.values(&self.request.metrics, self.bases),
            compared,
            running,
        }
    }

    fn over_items(&self) -> bool {
        self.request.dimensions.iter().any(|by| by.is_of_items())
    }

    /// The order asked for, or that of a report for which none is.
    fn order(&self) -> Vec<ReportOrder> {
        if !self.request.order.is_empty() {
            return self.request.order.clone();
        }
        default_order(self.request)
    }

    /// The groups that stay, with their places in the order.
    fn lines(&self, groups: Groups, order: &[ReportOrder]) -> Result<Vec<Line>> {
        let mut groups = groups;
        if self.request.fill_gaps && self.request.bucket.is_some() {
            self.fill(&mut groups)?;
        }
        let lines = groups
            .into_iter()
            .filter_map(|((slot, key), mut measured)| {
                measured.lacks_clicks = self.lacking.at(slot, &key);
                let stays = self.request.having.iter().all(|having| {
                    let value = measured.value(having.metric, self.bases);
                    is_within(having, self.order_of(&value, having.currency))
                });
                stays.then(|| {
                    let place = self.place((slot, &key), &measured, order);
                    Line {
                        slot,
                        key,
                        measured,
                        place,
                    }
                })
            });
        Ok(lines.collect())
    }

    /// Adds each key in each stretch of time.
    fn fill(&self, groups: &mut Groups) -> Result<()> {
        let mut keys: HashSet<Vec<KeyPart>> = groups.keys().map(|(_, key)| key.clone()).collect();
        if self.request.dimensions.is_empty() {
            keys.insert(Vec::new());
        }
        let filled = keys.len().saturating_mul(self.slots.len());
        if filled > self.most {
            return Err(Error::limit(
                "fillGaps",
                PassedLimit::of("reportRows", self.most, filled),
                format!(
                    "{} keys in {} stretches of time are more than {} groups; leave gaps or ask for longer \
                     stretches",
                    keys.len(),
                    self.slots.len(),
                    self.most
                ),
            ));
        }
        for key in keys {
            for slot in 0..self.slots.len() {
                groups.entry((Some(slot), key.clone())).or_default();
            }
        }
        Ok(())
    }

    /// A group's place: the values it is ordered by, then its time and its key.
    fn place(
        &self,
        (slot, key): (Option<usize>, &[KeyPart]),
        measured: &Measured,
        order: &[ReportOrder],
    ) -> Cursor {
        let time = slot
            .and_then(|slot| self.slots.get(slot))
            .map(|span| Value::Int(span.from.micros()));
        let mut values: Vec<Value> = order
            .iter()
            .map(|order| match order.key {
                OrderKey::Metric(metric, currency) => self
                    .order_of(&measured.value(metric, self.bases), currency)
                    .map_or(Value::Null, Value::Int),
                OrderKey::Time => time.clone().unwrap_or(Value::Null),
                OrderKey::Dimension(dimension) => {
                    let dimensions = &self.request.dimensions;
                    let place = dimensions.iter().position(|by| *by == dimension);
                    place
                        .and_then(|place| key.get(place))
                        .map_or(Value::Null, key_value)
                }
            })
            .collect();
        values.extend(time);
        values.extend(key.iter().map(key_value));
        Cursor {
            values,
            id: Uuid::nil(),
        }
    }

    /// What a value is ordered and compared by: nothing where part of its money has no rate to the report's currency, because
    /// the rest is not all of it.
    fn order_of(&self, value: &MetricValue, currency: Option<Currency>) -> Option<i64> {
        let converted = self.request.currency;
        if converted.is_some_and(|to| !value.is_all_in(to)) {
            return None;
        }
        value.order(currency)
    }

    fn check_cursors(&self, keys: usize) -> Result<()> {
        let length =
            keys + usize::from(self.request.bucket.is_some()) + self.request.dimensions.len();
        let page = &self.request.page;
        for (name, cursor) in [("after", &page.after), ("before", &page.before)] {
            if cursor
                .as_ref()
                .is_some_and(|cursor| cursor.values.len() != length)
            {
                return Err(Error::bad_input(
                    name,
                    "the cursor is not one of this report; pass one that it returned",
                ));
            }
        }
        Ok(())
    }

    /// The sums of each line of a page and all before it, whatever the page; none where they were not asked for.
    fn running(&self, lines: &[Line], page: &[usize]) -> Vec<Values> {
        if !self.request.wanted.running {
            return Vec::new();
        }
        let (mut sums, mut added) = (Measured::default(), 0);
        let up_to = |number: &usize| {
            for line in lines.iter().take(number + 1).skip(added) {
                sums.add(&line.measured, 1);
            }
            added = number + 1;
            sums.sums(&self.request.metrics, self.over_items())
        };
        page.iter().map(up_to).collect()
    }
}

/// By time, then by the number of actions, the most first: it is known of each group, whatever is asked for.
pub(super) fn default_order(request: &ReportRequest) -> Vec<ReportOrder> {
    let time = request.bucket.map(|_| ReportOrder {
        key: OrderKey::Time,
        direction: Direction::Asc,
    });
    let actions = ReportOrder {
        key: OrderKey::Metric(Metric::Actions, None),
        direction: Direction::Desc,
    };
    time.into_iter().chain([actions]).collect()
}

fn key_value(part: &KeyPart) -> Value {
    match part {
        KeyPart::None => Value::Null,
        KeyPart::Id(id) => Value::Id(*id),
        KeyPart::Text(text) => Value::Text(text.clone()),
    }
}

/// Whether a value satisfies a condition; where there is none, no bound is kept.
fn is_within(having: &Having, value: Option<i64>) -> bool {
    let bounds = [having.at_least, having.at_most];
    let Some(value) = value else {
        return bounds == [None, None];
    };
    having.at_least.is_none_or(|least| value >= least)
        && having.at_most.is_none_or(|most| value <= most)
}

/// Two places in an order: values that are missing stand last in either direction.
fn compare(one: &Cursor, other: &Cursor, order: &[ReportOrder]) -> Ordering {
    let pairs = || one.values.iter().zip(&other.values);
    for ((one, other), order) in pairs().zip(order) {
        let by = match (one, other) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => Ordering::Greater,
            (_, Value::Null) => Ordering::Less,
            (one, other) if order.direction == Direction::Asc => one.cmp(other),
            (one, other) => other.cmp(one),
        };
        if by.is_ne() {
            return by;
        }
    }
    let ties = pairs().skip(order.len());
    ties.map(|(one, other)| one.cmp(other))
        .find(|by| by.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::report::plan::count;
    use crate::domain::limits::Narrowing;
    use crate::domain::sales::{AxisRange, DateAxis};
    use crate::domain::time::Zone;

    /// Of a group of one currency nothing lies beside its place in the table but its key.
    #[test]
    fn ten_thousand_groups_take_half_a_kilobyte_each() {
        let range = AxisRange {
            axis: DateAxis::Ordered,
            span: Span::of_micros(0, 1),
            zone: Zone::UTC,
        };
        let ask = Ask {
            what: What::Sums(vec![Measure::Reward(Standing::Any)]),
            dimensions: vec![Dimension::Subid0],
            ..count(range, Narrowing::default())
        };
        let row = |number: i64, currency| Row {
            currency: Some(currency),
            key: vec![KeyPart::Text(number.to_string())],
            values: vec![1, number],
            ..Row::default()
        };
        let mut gatherer = Gatherer::default();
        gatherer.take(&ask, (0..10_000).map(|n| row(n, Currency::USD)).collect());
        assert!(gatherer.check(10_000).is_ok());
        let error = gatherer.check(9_999).unwrap_err();
        assert!(error.message().contains("more than 9999 groups"), "{error}");
        let groups = gatherer.finish(&mut Exchange::default());
        assert_eq!(groups.len(), 10_000);
        for measured in groups.values() {
            let bytes = size_of::<(Name, Measured)>() + measured.money.bytes_beside();
            assert!(bytes <= 512, "{bytes} bytes");
        }
        // Where there are two currencies both are held, in the order of their codes.
        let other = Currency::parse("EUR").unwrap();
        let mut gatherer = Gatherer::default();
        gatherer.take(&ask, vec![row(7, Currency::USD), row(7, other)]);
        let groups = gatherer.finish(&mut Exchange::default());
        let held = groups.values().flat_map(|group| group.money.iter());
        let held: Vec<Currency> = held.map(|((shown, _), _)| *shown).collect();
        assert_eq!(held, [other, Currency::USD]);
    }
}
