//! Reports: which data answers one, by which statements, and what is made of their rows.
//!
//! A request becomes a [`plan`] without a database; each question of it is one statement; what comes back is shaped in
//! memory. For its groups a report sends one statement for all sums, one for users and one for each median that is asked
//! for and one for clicks, beside one for the days of which these are known; as many for what is asked for of the totals,
//! of the groups of a period that is compared with, and of its totals; and one each for the number of facts or counts of
//! clicks by SubID that would be read, for exchange rates and for what expectations rest on. Where much of a period lies
//! beside the cells of a total, its facts are counted as well: by totals, and by themselves where that is too many. For
//! whom no total is left, they are counted up to the limit before they are counted by currency. Where stretches of time
//! are read in so many pieces that there are more rows than groups may be, the pieces of each length are asked for by
//! themselves, and only their sums are kept.

mod check;
pub(super) mod fact_limit;
mod lacking;
mod pieces;
mod plan;
mod shape;
mod vanished;

pub use plan::plan;

use crate::domain::clicks::Knowledge;
use crate::domain::columns::can_answer;
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::money::Currency;
use crate::domain::report::measured::FINE;
use crate::domain::report::measured::{Base, Bases, Measured, round};
use crate::domain::report::metric::Standing;
use crate::domain::report::plan::{Ask, PeriodPlan, Plan, Source};
use crate::domain::report::rates::Rates;
use crate::domain::report::{
    LackingClicks, Reading, Report, ReportLimits, ReportRequest, too_many_groups,
};
use crate::domain::sales::AxisRange;
use crate::domain::scope::ReadScope;
use crate::domain::time::Instant;
use crate::domain::totals::Grain;
use crate::store::ReadTx;
use crate::store::columns::report::currencies;
use crate::store::rates::of_currency;
use crate::store::report::{
    Answer, Dialect, count_clicks, explained, from_columns, from_tables, known_days,
};
use fact_limit::FactLimit;
use lacking::Lacking;
use shape::{Exchange, Gatherer, Groups, Shaping};

/// Answers a report.
///
/// # Errors
/// When the request contradicts itself or is too large, or the database fails.
pub async fn run(
    tx: &ReadTx,
    scope: ReadScope,
    request: &ReportRequest,
    limits: ReportLimits,
) -> Result<Report> {
    let mut plan = plan(request, scope.narrowing(), limits)?;
    let mut reader = Reader {
        tx,
        scope,
        limit: FactLimit {
            tx,
            scope,
            limits,
            reader: "the report",
        },
        reading: Reading::default(),
        from_columns: 0,
        uncounted: Vec::new(),
        forced: plan.forced.join(", and "),
    };
    reader.prepare(&mut plan).await?;
    let mut current = reader.period(&plan.current).await?;
    let mut before = match &plan.compared {
        Some(period) => Some(reader.period(period).await?),
        None => None,
    };
    let bases = reader.bases(plan.base.as_ref()).await?;
    let known = reader.known_clicks(&plan, request.now).await?;
    let dimensions = &request.dimensions;
    let lacking = Lacking::of(Some(&plan.current), dimensions, known.as_ref());
    let lacking_before = Lacking::of(plan.compared.as_ref(), dimensions, known.as_ref());
    let mut exchange = reader.exchange(&plan, request.currency).await?;
    // The range's own way of writing a reason comes first.
    let reasons_before = before.as_mut().map(|period| period.groups.take_reasons());
    let mut reasons = reasons_before.unwrap_or_default();
    reasons.extend(current.groups.take_reasons());
    let mut groups = current.groups.finish(&mut exchange);
    let mut totals = totals_of(current.totals, &mut exchange);
    totals.lacks_clicks = lacking.at(None, &[]);
    let (compared, totals_before) = before
        .map(|period| {
            let mut all = totals_of(period.totals, &mut exchange);
            all.lacks_clicks = lacking_before.at(None, &[]);
            (period.groups.finish(&mut exchange), all)
        })
        .unzip();
    vanished::add(request, limits.rows, &mut groups, compared.as_ref())?;
    let shaping = Shaping {
        request,
        slots: &plan.current.slots,
        bases: &bases,
        lacking: &lacking,
        lacking_before: &lacking_before,
        reasons: &reasons,
        most: limits.rows,
    };
    let shaped = shaping.shape(groups, compared.as_ref())?;
    let over_items = request.dimensions.iter().any(|by| by.is_of_items());
    let wanted = &request.wanted;
    let mut rest = totals.clone();
    rest.add(&shaped.page_sums, -1);
    let others = rest.left(&wanted.others, over_items, &bases);
    let totals = totals.values(&wanted.totals, &bases);
    let compared_totals = totals_before.map(|all| all.values(&wanted.compared_totals, &bases));
    let explain = wanted.explain.then(|| reader.explain(&plan));
    Ok(Report {
        page: shaped.page,
        groups: wanted.groups.then_some(shaped.groups),
        totals,
        compared_totals,
        others,
        reading: reader.reading,
        missing_rates: exchange.missing(),
        lacking_clicks: known.and_then(|known| told([&lacking, &lacking_before], &known)),
        explain: explain.unwrap_or_default(),
    })
}

/// What a report says of clicks that are not known of its periods; nothing where all are.
fn told(periods: [&Lacking; 2], known: &Knowledge) -> Option<LackingClicks> {
    let is_beyond = periods.iter().any(|lacking| lacking.is_beyond());
    let gaps = || periods.iter().flat_map(|lacking| lacking.gaps());
    let first = gaps().map(|gap| gap.first.day).min();
    let gap = first.zip(gaps().map(|gap| gap.last.day).max());
    (is_beyond || gap.is_some()).then_some(LackingClicks {
        known: known.days,
        is_beyond,
        gap,
    })
}

/// What came back for a period.
struct Gathered {
    groups: Gatherer,
    totals: Gatherer,
}

/// The one group of all facts.
fn totals_of(gathered: Gatherer, exchange: &mut Exchange) -> Measured {
    let groups: Groups = gathered.finish(exchange);
    groups.into_values().next().unwrap_or_default()
}

/// Asks questions, and notes what was read for them.
struct Reader<'a> {
    tx: &'a ReadTx,
    scope: ReadScope,
    /// What may be read.
    limit: FactLimit<'a>,
    reading: Reading,
    /// How many questions columns in memory have answered.
    from_columns: usize,
    /// Ranges whose facts were not counted, because columns are expected to answer.
    uncounted: Vec<AxisRange>,
    /// Why facts are read one by one, in words.
    forced: String,
}

impl Reader<'_> {
    async fn period(&mut self, period: &PeriodPlan) -> Result<Gathered> {
        Ok(Gathered {
            groups: self.gather(&period.groups).await?,
            totals: self.gather(&period.totals).await?,
        })
    }

    async fn gather(&mut self, asks: &[Ask]) -> Result<Gatherer> {
        let mut gatherer = Gatherer::default();
        for ask in asks {
            let answer = self.answer(ask).await?;
            let (rows, most) = (answer.rows.len(), self.limit.limits.rows);
            if rows <= most {
                self.take(ask, answer, &mut gatherer);
            } else if ask.is_piecemeal() {
                drop(answer);
                self.gather_by_parts(ask, &mut gatherer).await?;
            } else {
                return Err(too_many_groups(most, rows));
            }
            gatherer.check(most)?;
        }
        Ok(gatherer)
    }

    /// Asks about the pieces of each length by themselves, so that no more rows are held at a time than there are groups.
    async fn gather_by_parts(&mut self, ask: &Ask, gatherer: &mut Gatherer) -> Result<()> {
        let most = self.limit.limits.rows;
        let of_part = most.saturating_mul(ask.rows_of_part());
        let named = most.saturating_mul(ask.names_of_group());
        for part in ask.by_parts() {
            let answer = from_tables(self.tx, self.scope, &part, of_part).await?;
            let is_over = answer.rows.len() > of_part;
            if !is_over {
                self.take(&part, answer, gatherer);
            }
            if is_over || gatherer.named() > named {
                return Err(too_many_groups(most, most.saturating_add(1)));
            }
        }
        Ok(())
    }

    /// Takes in an answer, and notes what was read for it.
    fn take(&mut self, ask: &Ask, answer: Answer, gatherer: &mut Gatherer) {
        for name in answer.sources(ask) {
            if !self.reading.sources.contains(&name) {
                self.reading.sources.push(name);
            }
        }
        self.from_columns += usize::from(answer.is_from_columns);
        let rows = answer.rows;
        self.reading.rows_read += rows.iter().map(|row| row.rows_read).sum::<i64>();
        gatherer.take(ask, rows);
    }

    /// Answers a question: columns in memory where they have the answer, else one statement. Columns can turn out to have
    /// none where there could be more groups than can be numbered; then the facts are counted after all.
    async fn answer(&mut self, ask: &Ask) -> Result<Answer> {
        let most = self.limit.limits.rows;
        if let Some(answer) = from_columns(self.tx, self.scope, ask, most).await? {
            return Ok(answer);
        }
        let uncounted = self.uncounted.iter().position(|range| *range == ask.range);
        if let Some(place) = uncounted.filter(|_| ask.reads_facts()) {
            let (found, _) = self.limit.count(ask.range).await?;
            let remedy = "ask for a shorter range, or leave that out";
            self.limit.refuse(found, &self.forced, remedy)?;
            self.uncounted.swap_remove(place);
        }
        from_tables(self.tx, self.scope, ask, most).await
    }

    /// A plan with its statements, and whether they were sent.
    fn explain(&self, plan: &Plan) -> String {
        let texts = explained(plan, self.scope, Dialect::of(self.tx));
        let from_columns = match self.from_columns {
            0 => String::new(),
            count => format!("\nread from columns in memory: {count} of these questions"),
        };
        format!("{plan}{from_columns}\n\n{}", texts.join("\n\n"))
    }

    /// The rates into a currency, where a question needs them.
    async fn exchange(&mut self, plan: &Plan, to: Option<Currency>) -> Result<Exchange> {
        let Some(to) = to.filter(|_| plan.asks().any(|ask| ask.per_day)) else {
            return Ok(Exchange::default());
        };
        Ok(Exchange {
            to: Some(to),
            rates: Rates::new(of_currency(self.tx, to).await?),
            ..Exchange::default()
        })
    }

    async fn bases(&mut self, ask: Option<&Ask>) -> Result<Bases> {
        let mut bases = Bases::default();
        let Some(ask) = ask else { return Ok(bases) };
        let gatherer = self.gather(std::slice::from_ref(ask)).await?;
        let all = totals_of(gatherer, &mut Exchange::default());
        for ((_, own), sums) in all.money.iter() {
            let reward = |standing: Standing| {
                let fine = sums.reward.get(standing.place()).copied();
                round(fine.unwrap_or(0), FINE)
            };
            let base = Base {
                approved_e4: reward(Standing::Approved),
                declined_e4: reward(Standing::Declined),
            };
            let own: Currency = *own;
            bases.0.insert(own, base);
        }
        Ok(bases)
    }

    /// The days of which clicks are known, where a question is about them: one statement.
    async fn known_clicks(&self, plan: &Plan, now: Instant) -> Result<Option<Knowledge>> {
        let slot = plan.asks().find_map(|ask| match ask.source {
            Source::Clicks(slot) => Some(slot),
            _ => None,
        });
        let Some(slot) = slot else { return Ok(None) };
        let (days, gaps) = known_days(self.tx, self.scope, slot).await?;
        Ok(Some(Knowledge { days, gaps, now }))
    }

    /// Refuses a report that would read more facts than are allowed, and fills in what of the facts a plan must know.
    async fn prepare(&mut self, plan: &mut Plan) -> Result<()> {
        self.limit_clicks(plan).await?;
        let remedy = "ask for a shorter range, or leave that out";
        let periods = [Some(&mut plan.current), plan.compared.as_mut()];
        for period in periods.into_iter().flatten() {
            let asks: Vec<&Ask> = period.groups.iter().chain(&period.totals).collect();
            self.limit_ends(&asks).await?;
            let held = self.check(&asks, remedy).await?;
            period.fill(&held);
        }
        if let Some(base) = &plan.base {
            let remedy = "leave out expectedReward, which rests on 360 days whatever the range, or what no total is kept by";
            self.limit_ends(&[base]).await?;
            self.check(&[base], remedy).await?;
        }
        Ok(())
    }

    /// Refuses questions about one range that would read more of its facts than are allowed; gives the currencies of the
    /// facts, as far as they were looked for.
    async fn check(&mut self, asks: &[&Ask], remedy: &str) -> Result<Vec<Currency>> {
        let mut of_facts = asks.iter().filter(|ask| ask.reads_facts());
        let Some(range) = of_facts.clone().next().map(|ask| ask.range) else {
            return Ok(Vec::new());
        };
        let by_user = asks.iter().any(|ask| ask.per_user.is_some());
        let is_short = range.span.micros() <= Grain::Day.micros() && !by_user;
        if of_facts.all(|ask| can_answer(ask))
            && let Some(held) = currencies(self.tx, self.scope).await?
        {
            // Columns go through all facts within milliseconds.
            self.uncounted.extend((!is_short).then_some(range));
            return Ok(held);
        }
        if is_short {
            return Ok(Vec::new());
        }
        let (found, currencies) = self.limit.count(range).await?;
        self.limit.refuse(found, &self.forced, remedy)?;
        Ok(currencies)
    }

    /// Refuses questions that a total answers, where what its cells leave to the facts is more than is allowed: stretches
    /// of time that follow a local calendar can begin in the middle of each cell.
    async fn limit_ends(&self, asks: &[&Ask]) -> Result<()> {
        let length = |ends: &[(i64, i64)]| ends.iter().map(|(from, to)| to - from).sum::<i64>();
        let ends = asks.iter().map(|ask| (ask, ask.ends()));
        let Some((ask, ends)) = ends
            .max_by_key(|(_, ends)| length(ends))
            .filter(|(_, ends)| length(ends) > Grain::Day.micros())
        else {
            return Ok(());
        };
        if can_answer(ask) && currencies(self.tx, self.scope).await?.is_some() {
            return Ok(());
        }
        // That many are rarely in the whole range, which totals tell at once.
        let (found, _) = self.limit.count(ask.range).await?;
        if found <= self.limit.limits.facts {
            return Ok(());
        }
        let found = self.limit.count_in(ask.range.axis, &ends).await?;
        let why = format!(
            "stretches of time in {} begin or end inside the cells of {}",
            ask.range.zone.name(),
            ask.source.name()
        );
        let remedy =
            "ask for a shorter range, for longer stretches of time, or with timeZone: \"UTC\"";
        self.limit.refuse(found, &why, remedy)
    }

    /// Refuses a report that would read more counts of clicks by SubID than are allowed: there can be as many as users.
    async fn limit_clicks(&mut self, plan: &Plan) -> Result<()> {
        let periods = [Some(&plan.current), plan.compared.as_ref()];
        for period in periods.into_iter().flatten() {
            let mut asks = period.groups.iter().chain(&period.totals);
            let found = asks.find_map(|ask| match ask.source {
                Source::Clicks(Some(slot)) => Some((slot, ask.range.span)),
                _ => None,
            });
            let Some((slot, span)) = found else { continue };
            let stretch = (span.from.micros(), span.to.micros());
            let most = self.limit.limits.facts;
            if count_clicks(self.tx, self.scope, slot, stretch, most + 1).await? > most {
                return Err(Error::limit(
                    "range",
                    PassedLimit::of("reportActions", most, most + 1),
                    format!(
                        "the report would read more than {most} counts of clicks by SubID {slot}; ask for a shorter \
                         range, or leave that SubID out"
                    ),
                ));
            }
        }
        Ok(())
    }
}
