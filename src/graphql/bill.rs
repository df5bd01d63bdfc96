//! What an operation costs: what it may cost at most is paid before it runs, what it did not use comes back.

use async_graphql::{Response, ServerError};
use serde::Serialize;

use super::document::{Failed, MILLI, Passed, Plan, Scan};
use super::error::Failure;
use crate::access::budget::Allowance;
use crate::domain::error::Code;

/// What an operation costs at least: reading it takes time, too.
pub(super) const LEAST: u64 = 1;

/// Bytes that every operation may take, with fragments and variables written out, for the point that it costs at least.
const FREE_BYTES: usize = 16 << 10;

/// Points that writing so many bytes out takes: one for each further KiB.
pub(super) fn writing_out(bytes: usize) -> u64 {
    let kib = bytes.saturating_sub(FREE_BYTES).div_ceil(1 << 10);
    u64::try_from(kib).unwrap_or(u64::MAX)
}

/// The limit, if an operation costs more however little it looks through. Nothing has to be looked up to know that.
pub(super) fn too_much_unseen(plan: &Plan, (reading, maximum): (u64, u64)) -> Option<Passed> {
    let least = plan.requested(&|scan: &Scan| scan.price((0, 0), true));
    let least = points(least).max(LEAST).saturating_add(reading);
    (least > maximum).then(|| passed("cost", maximum, least))
}

/// Whole points of so many thousandths.
fn points(thousandths: u64) -> u64 {
    thousandths.div_ceil(MILLI)
}

/// What a scan looks through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanned {
    /// Actions.
    pub(super) actions: u64,
    /// How many of them the database reads at most, where a limit holds.
    pub(super) limit: u64,
    /// Whether columns in memory are expected to hold them.
    pub(super) is_held: bool,
}

/// What an operation costs, once its caller has paid for it.
pub(super) struct Bill {
    plan: Plan,
    /// What each scan looks through, by its number.
    scanned: Vec<Scanned>,
    /// Points that it may cost at most.
    pub(super) requested: u64,
    /// Those of them that reading the request took, which are never given back.
    reading: u64,
    maximum: u64,
    /// The bucket that paid.
    pub(super) allowance: Option<Allowance>,
}

impl Bill {
    /// What an operation costs, not paid yet: with the points that reading it took; and what it may cost at most.
    pub(super) fn new(plan: Plan, scanned: Vec<Scanned>, (reading, maximum): (u64, u64)) -> Self {
        let mut bill = Self {
            plan,
            scanned,
            requested: 0,
            reading,
            maximum,
            allowance: None,
        };
        bill.requested = bill.at_most(|scan| bill.price(scan, false));
        bill
    }

    /// Points that it may cost at most, where scans have these prices.
    fn at_most(&self, price: impl Fn(&Scan) -> u64) -> u64 {
        let requested = points(self.plan.requested(&price)).max(LEAST);
        requested.saturating_add(self.reading)
    }

    /// Points that it would cost at most, if columns in memory held what these scans look through.
    pub(super) fn in_memory(&self, is_held: impl Fn(&Scan) -> bool) -> u64 {
        self.at_most(|scan| self.price_where(scan, is_held(scan)))
    }

    /// All that it looks through.
    pub(super) fn scans(&self) -> Vec<&Scan> {
        self.plan.scans()
    }

    /// The limit, if the operation costs more whatever its caller has left.
    pub(super) fn too_much(&self) -> Option<Passed> {
        (self.requested > self.maximum).then(|| passed("cost", self.maximum, self.requested))
    }

    /// What a scan costs, in thousandths of a point: as expected, or where the database was spared.
    fn price(&self, scan: &Scan, was_spared: bool) -> u64 {
        self.price_where(scan, self.scanned(scan).is_held || was_spared)
    }

    /// What it costs where columns in memory hold the actions, or where they do not.
    fn price_where(&self, scan: &Scan, is_held: bool) -> u64 {
        let scanned = self.scanned(scan);
        scan.price((scanned.actions, scanned.limit), is_held)
    }

    fn scanned(&self, scan: &Scan) -> Scanned {
        self.scanned.get(scan.number).copied().unwrap_or_default()
    }

    /// Points that an answer was worth, and what it lost to errors; `was_spared` says that the database looked through no
    /// facts that columns in memory can hold.
    pub(super) fn used(&self, response: &Response, was_spared: bool) -> u64 {
        // Who found no reader has looked through nothing.
        let errors = response.errors.iter().filter(|error| has_read(error));
        let failed = Failed::of(errors.map(|error| error.path.as_slice()));
        let used = self.plan.used(&response.data, &failed, &|scan| {
            self.price(scan, was_spared)
        });
        let used = points(used).max(LEAST).saturating_add(self.reading);
        used.min(self.requested)
    }

    /// Gives back what was not used.
    pub(super) fn settle(&self, used: u64) {
        if let Some(allowance) = &self.allowance {
            allowance.give_back(self.requested.saturating_sub(used.max(LEAST)));
        }
    }

    /// What the answer says of it.
    pub(super) fn costs(&self, actual: Option<u64>, rows: u64, statements: u32) -> Costs {
        Costs {
            requested_query_cost: Some(self.requested),
            actual_query_cost: actual,
            maximum_query_cost: self.maximum,
            rows: Some(rows),
            scanned_actions: Some(
                self.scanned
                    .iter()
                    .fold(0, |sum: u64, scanned| sum.saturating_add(scanned.actions)),
            ),
            statements: Some(statements),
            throttle: self.allowance.as_ref().map(Throttle::of),
        }
    }
}

/// Whether a field that ended in an error may have read something before.
fn has_read(error: &ServerError) -> bool {
    let failure = error.source::<Failure>();
    failure.is_none_or(|failure| failure.error().code() != Code::ServiceUnavailable)
}

/// A limit that is passed.
pub(super) fn passed(limit: &'static str, maximum: u64, value: u64) -> Passed {
    Passed {
        limit,
        maximum,
        value,
        coordinate: None,
    }
}

/// What an answer says of its cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Costs {
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_query_cost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_query_cost: Option<u64>,
    maximum_query_cost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned_actions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statements: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<Throttle>,
}

impl Costs {
    /// What is known of an operation that was refused for its cost: its price where it was found out, and what the caller has
    /// left now.
    pub(super) fn of_refused(
        requested: Option<u64>,
        maximum: u64,
        allowance: Option<&Allowance>,
    ) -> Self {
        Self {
            requested_query_cost: requested,
            actual_query_cost: None,
            maximum_query_cost: maximum,
            rows: None,
            scanned_actions: None,
            statements: None,
            throttle: allowance.map(Throttle::of),
        }
    }
}

/// What the caller has left.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    available: u64,
    capacity: u64,
    restore_rate: u64,
}

impl Throttle {
    fn of(allowance: &Allowance) -> Self {
        let terms = allowance.terms();
        Self {
            available: allowance.available(),
            capacity: terms.capacity,
            restore_rate: terms.restore,
        }
    }
}
