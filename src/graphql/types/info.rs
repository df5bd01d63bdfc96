//! How fresh and how complete an aggregate is, and what it was read from.

use std::sync::Arc;

use async_graphql::{Object, SimpleObject};
use tokio::sync::OnceCell;

use super::words::{AggregateSource, WarningCode};
use crate::analytics::sources::{self, columns_answer, lifetimes_answer};
use crate::analytics::{FactsInfo, facts_info, list_info, top};
use crate::domain::filter::{ActionTest, Filter};
use crate::domain::report::LackingClicks;
use crate::domain::sales::{AxisRange, FactQuery};
use crate::domain::scope::ReadScope;
use crate::graphql::context::RequestContext;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{BigInt, DateTime, count};
use crate::store::DataState;

/// From this share of unprocessed actions on, sums are called unfinished.
const MOSTLY: f64 = 0.5;
/// Below this share of actions with carts, rankings are called incomplete.
const COMPLETE: f64 = 0.9;

/// The facts that an aggregate is made of.
#[derive(Clone, Debug)]
enum InfoOf {
    /// Counted facts.
    Facts(FactQuery),
    /// The actions of a list.
    List(Option<AxisRange>, Filter<ActionTest>),
}

impl InfoOf {
    /// When the actions were, and which they are.
    fn actions(&self) -> (Option<&AxisRange>, &Filter<ActionTest>) {
        match self {
            Self::Facts(facts) => (Some(&facts.range), &facts.filter),
            Self::List(range, filter) => (range.as_ref(), filter),
        }
    }
}

/// How fresh and how complete an aggregate is, and what it was read from. Clones share what was read.
#[derive(Clone)]
pub struct AggregateInfo {
    request: Arc<RequestContext>,
    of: Arc<InfoOf>,
    /// What the sums come from; what those of a list come from is found where it is asked for.
    source: Option<AggregateSource>,
    facts: Arc<OnceCell<Result<FactsInfo>>>,
    /// Whether the facts may be read one by one, where no total has them.
    checked: Arc<OnceCell<Result<()>>>,
}

impl AggregateInfo {
    /// The info of these counted facts, whose sums come from `source`; read when it is asked for.
    pub fn new(request: &Arc<RequestContext>, facts: FactQuery, source: AggregateSource) -> Self {
        Self::read_later(request, InfoOf::Facts(facts), Some(source))
    }

    /// The info of the actions of a list, of all time without a range; read when it is asked for.
    pub fn of_list(
        request: &Arc<RequestContext>,
        range: Option<AxisRange>,
        filter: Filter<ActionTest>,
    ) -> Self {
        Self::read_later(request, InfoOf::List(range, filter), None)
    }

    fn read_later(
        request: &Arc<RequestContext>,
        of: InfoOf,
        source: Option<AggregateSource>,
    ) -> Self {
        Self {
            source,
            request: Arc::clone(request),
            of: Arc::new(of),
            facts: Arc::default(),
            checked: Arc::default(),
        }
    }

    /// Refuses to read too many facts for what `reader` names, as in "info"; looked at once for all that is asked of the same
    /// facts, in the words of who asked first.
    ///
    /// # Errors
    /// When no total has them and there are too many to be read one by one, whatever gave the rest of the answer; when the
    /// store fails.
    pub async fn check(&self, reader: &'static str) -> Result<()> {
        let check = || async {
            let (tx, scope) = (&self.request.tx, self.request.scope);
            let limits = self.request.limits.reports;
            let told = (reader, top::REMEDY);
            top::check_totals(tx, scope, self.of.actions(), limits, told).await?;
            Ok(())
        };
        self.checked.get_or_init(check).await.clone()
    }

    /// The version of the data.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn state(&self) -> Result<DataState> {
        self.request.state().await
    }

    /// How complete the facts are, read once.
    ///
    /// # Errors
    /// As of [`Self::check`].
    pub async fn facts(&self) -> Result<FactsInfo> {
        let read = || async {
            let (tx, scope) = (&self.request.tx, self.request.scope);
            self.check("info").await?;
            let read = match self.of.as_ref() {
                InfoOf::Facts(facts) => facts_info(tx, scope, facts).await,
                InfoOf::List(range, filter) => list_info(tx, scope, range.as_ref(), filter).await,
            };
            read.map_err(Failure::from)
        };
        self.facts.get_or_init(read).await.clone()
    }
}

/// What segments and cohorts over counted facts are read from: columns in memory where there are some; with lifetimes the range
/// alone, else the whole history.
///
/// # Errors
/// When the store fails.
pub async fn segments_source(
    request: &RequestContext,
    facts: &FactQuery,
) -> Result<AggregateSource> {
    Ok(
        if columns_answer(&request.tx, request.scope, facts).await? {
            AggregateSource::Columns
        } else {
            history_source(request.scope, facts)
        },
    )
}

/// What history is read from where columns in memory are not asked: with lifetimes the range alone, else all of it.
fn history_source(scope: ReadScope, facts: &FactQuery) -> AggregateSource {
    if lifetimes_answer(scope, facts) {
        AggregateSource::TotalsAndFacts
    } else {
        AggregateSource::Facts
    }
}

/// How fresh and how complete an aggregate is, and what it was read from.
#[Object]
impl AggregateInfo {
    /// When the publisher's data last changed before this answer; null while there is none.
    async fn as_of(&self) -> Result<Option<DateTime>> {
        Ok(self.state().await?.changed_at.map(DateTime))
    }

    /// Version of the publisher's data: it grows with every change, and equal versions give equal answers.
    async fn data_version(&self) -> Result<BigInt> {
        Ok(BigInt(self.state().await?.data_version))
    }

    /// What it was read from.
    async fn source(&self) -> Result<AggregateSource> {
        if let Some(source) = self.source {
            return Ok(source);
        }
        let (tx, scope) = (&self.request.tx, self.request.scope);
        let (range, filter) = self.of.actions();
        if sources::columns_sum_up(tx, scope, range, filter).await? {
            return Ok(AggregateSource::Columns);
        }
        Ok((&sources::of_actions(scope, range, filter)).into())
    }

    /// Number of actions that it is made of, whatever it was read from.
    async fn actions(&self) -> Result<i32> {
        count(self.facts().await?.actions)
    }

    /// Share of these actions that the advertiser has not processed, from 0 to 1; null without actions.
    async fn unprocessed_share(&self) -> Result<Option<f64>> {
        Ok(self.facts().await?.unprocessed_share)
    }

    /// Share of these actions with at least one cart item that names a product, from 0 to 1; null without actions.
    async fn cart_coverage(&self) -> Result<Option<f64>> {
        Ok(self.facts().await?.cart_coverage)
    }

    /// What to keep in mind when reading it.
    async fn warnings(&self) -> Result<Vec<AggregateWarning>> {
        Ok(AggregateWarning::of(self.facts().await?))
    }
}

/// Something to keep in mind when reading an aggregate.
#[derive(Clone, Debug, SimpleObject)]
pub struct AggregateWarning {
    /// Which; stable.
    code: WarningCode,
    /// The same in a sentence.
    message: String,
}

impl AggregateWarning {
    /// What to keep in mind about facts that are this complete.
    pub fn of(facts: FactsInfo) -> Vec<Self> {
        let mut warnings = Vec::new();
        if facts.unprocessed_share.is_some_and(|share| share >= MOSTLY) {
            warnings.push(Self {
                code: WarningCode::MostlyUnprocessed,
                message: "At least half of these actions are not processed yet: sums and rates will change."
                    .to_owned(),
            });
        }
        if facts.cart_coverage.is_some_and(|share| share < COMPLETE) {
            warnings.push(Self {
                code: WarningCode::CartsIncomplete,
                message: "More than a tenth of these actions have no cart that names products: \
                          rankings of products and categories miss them."
                    .to_owned(),
            });
        }
        warnings
    }

    /// What to keep in mind about clicks that are not all known.
    pub fn of_clicks(lacking: LackingClicks) -> Self {
        let beyond = lacking.is_beyond.then(|| match lacking.known {
            Some(known) => format!(
                "Clicks are known from {} to {} only, and the report asks for other days too: ratios of clicks and views are \
                 null where there is such a day. Ask for a range within these days, divide it by time (bucket), or have the \
                 sync read further back (since).",
                known.first.day, known.last.day
            ),
            None => "Clicks are known of no day, where there are several accounts of no day that all of them have read: ratios \
                     of clicks and views are null. Have the sync read clicks, or wait until it has; or leave these metrics out."
                .to_owned(),
        });
        let gap = lacking.gap.map(|(first, last)| {
            format!(
                "Of some programs and ad spaces the network refuses clicks of days from {first} to {last}: ratios of clicks and \
                 views are null where these are included. They are asked for again every day; freshness {{ feeds {{ lastError }} }} \
                 names one. Filter by the others, or divide by program and ad space (groupBy) and by time (bucket)."
            )
        });
        let parts: Vec<String> = beyond.into_iter().chain(gap).collect();
        Self {
            code: WarningCode::ClicksIncomplete,
            message: parts.join(" "),
        }
    }
}
