//! Where traffic goes: a publisher's templates of links, and the products worth sending traffic to.

use super::{sources, top};
use crate::domain::error::Result;
use crate::domain::money::Currency;
use crate::domain::page::{Page, PageRequest};
use crate::domain::records::Program;
use crate::domain::report::ReportLimits;
use crate::domain::sales::{FactQuery, SalesGroup};
use crate::domain::scope::{Publisher, ReadScope};
use crate::domain::time::{DAY_US, Instant, Span};
use crate::domain::totals::Source;
use crate::domain::traffic::target::{BaseRate, TargetPlan, TargetQuery, TargetRequest, TargetRow};
use crate::domain::traffic::{
    ConfiguredDeeplink, Deeplink, DeeplinkSource, LinkSettings, Templates,
};
use crate::store::sales::{self, Actions};
use crate::store::{ReadTx, ad_spaces, deeplinks, programs};
use std::collections::HashMap;
use uuid::Uuid;

/// How long before now the stretch ends that the base rate is of, in days; as in reports.
const BASE_ENDS: i64 = 30;
/// How long that stretch is, in days.
const BASE_LASTS: i64 = 360;

/// All templates of a publisher, stored and configured: three statements.
///
/// # Errors
/// When the database fails.
pub async fn templates(
    tx: &ReadTx,
    publisher: &Publisher,
    scope: ReadScope,
    settings: &LinkSettings,
) -> Result<Templates> {
    let mut all = deeplinks::stored(tx, scope).await?;
    let programs = programs::all(tx, scope).await?;
    let ad_spaces = ad_spaces::all(tx, scope).await?;
    let mut unmatched = Vec::new();
    for one in settings.of(&publisher.slug) {
        match one.place(&ad_spaces, &programs) {
            Ok(place) => all.push(configured(one, place)),
            Err(named) => unmatched.push(named),
        }
    }
    if tx.is_limited() {
        // What is named may be there, and not be seen.
        unmatched.clear();
    }
    all.sort_by_key(|one| (one.ad_space_id, one.program_id, one.source));
    Ok(Templates {
        hosts: settings.hosts.clone(),
        all,
        programs,
        ad_spaces,
        unmatched,
    })
}

/// A template of the configuration, where it belongs.
fn configured(one: &ConfiguredDeeplink, (ad_space_id, program_id): (Uuid, Uuid)) -> Deeplink {
    Deeplink {
        ad_space_id,
        program_id,
        source: DeeplinkSource::Configuration,
        template: one.template.clone(),
        changed_at: None,
    }
}

/// Which part of what is on hold is expected: of the processed reward in a currency the part that was approved, by the
/// facts' filter, over the 360 days that end 30 days before now. One statement.
///
/// # Errors
/// When the database fails.
pub async fn base_rate(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    currency: Currency,
    now: Instant,
) -> Result<BaseRate> {
    let range = facts.range.with_span(base_span(now));
    let source = sources::of_actions(scope, Some(&range), &facts.filter);
    let actions = Actions {
        range: Some(&range),
        filter: &facts.filter,
        without_declined: false,
        source: &source,
    };
    sales::base_rate(tx, scope, &actions, currency).await
}

fn base_span(now: Instant) -> Span {
    let end = now.micros() - BASE_ENDS * DAY_US;
    Span::of_micros(end - BASE_LASTS * DAY_US, end)
}

/// Refuses a list that would read too many facts one by one: of its range, or of the days that its base rate is of. Up to
/// four statements, none where totals have all but the ends of the ranges.
///
/// # Errors
/// When there are too many, or the database fails.
async fn check(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    now: Instant,
    limits: ReportLimits,
) -> Result<()> {
    top::check_groups(tx, scope, (facts, SalesGroup::Product), limits).await?;
    let remedy = format!(
        "leave that out: what is on hold is expected by {BASE_LASTS} days of orders, whatever the range"
    );
    let base = facts.in_span(base_span(now));
    let asked = (Some(&base.range), &base.filter);
    top::check_actions(tx, scope, asked, limits, (top::RANKING, &remedy)).await
}

/// How targets are found: the currency is the given one, else that of the program that traffic goes through, else the
/// publisher's main one. One statement, and those of the check before it.
///
/// # Errors
/// When too many facts would have to be read one by one, or the database fails.
pub async fn plan(
    tx: &ReadTx,
    (publisher, scope): (&Publisher, ReadScope),
    request: TargetRequest,
    program: Option<&Program>,
    (now, limits): (Instant, ReportLimits),
) -> Result<TargetPlan> {
    let own = program.and_then(|program| program.currency);
    let currency = request.currency.or(own).unwrap_or(publisher.currency);
    // Declined orders bring nothing, and count.
    let facts = FactQuery {
        range: request.range,
        filter: request.filter,
        without_declined: false,
    };
    check(tx, scope, &facts, now, limits).await?;
    let base = base_rate(tx, scope, &facts, currency, now).await?;
    Ok(TargetPlan {
        query: TargetQuery {
            facts,
            products: request.products,
            currency,
            base_millionths: base.millionths(),
            min_orders: request.min_orders,
            only_available: request.only_available,
        },
        previous: request.previous,
        base,
    })
}

/// Where targets are read from.
#[must_use]
pub fn source_of(scope: ReadScope, facts: &FactQuery) -> Source {
    sources::of_group(scope, facts, SalesGroup::Product)
}

/// One page of products worth sending traffic to: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn targets(
    tx: &ReadTx,
    scope: ReadScope,
    query: &TargetQuery,
    page: &PageRequest,
) -> Result<Page<TargetRow>> {
    sales::targets(tx, scope, query, &source_of(scope, &query.facts), page).await
}

/// How many there are: one statement.
///
/// # Errors
/// When the database fails.
pub async fn target_count(tx: &ReadTx, scope: ReadScope, query: &TargetQuery) -> Result<i64> {
    sales::target_count(tx, scope, query, &source_of(scope, &query.facts)).await
}

/// What was sold of products in another span: one statement, and those that see whether it may be read.
///
/// # Errors
/// When too many facts would have to be read one by one, or the database fails.
pub async fn units_in(
    tx: &ReadTx,
    scope: ReadScope,
    query: &TargetQuery,
    span: Span,
    (products, limits): (&[Uuid], ReportLimits),
) -> Result<HashMap<Uuid, i64>> {
    let query = TargetQuery {
        facts: query.facts.in_span(span),
        ..query.clone()
    };
    top::check_groups(tx, scope, (&query.facts, SalesGroup::Product), limits).await?;
    sales::target_units(tx, scope, &query, &source_of(scope, &query.facts), products).await
}
