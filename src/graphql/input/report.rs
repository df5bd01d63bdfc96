//! What a report is asked for beside its range and filter: dimensions, conditions on metrics, order. Everything that can
//! be refused without looking at data is refused here, with the argument and the remedy.

use async_graphql::InputObject;

use crate::domain::error::{Error, PassedLimit};
use crate::domain::money::{Currency, SCALE, bound_in};
use crate::domain::page::Direction;
use crate::domain::report;
use crate::domain::report::metric::{Metric, Unit};
use crate::domain::report::{Dimension, OrderKey};
use crate::graphql::error::Result;
use crate::graphql::input::order::SortDirection;
use crate::graphql::report_selection::{Look, Relation};
use crate::graphql::scalar::{CurrencyCode, Decimal};
use crate::graphql::types::metric::field_name;
use crate::graphql::types::report_words::{ReportDimension, ReportMetric};

/// A condition on a metric of the groups of a report: groups that do not satisfy it are left out of the rows and their
/// number, not of the totals. A group without a value does not satisfy it, nor does one with money of the metric that has no
/// rate to the report's `currency`.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ReportHaving {
    /// The metric.
    metric: ReportMetric,
    /// The currency of a metric of money: needed for these unless the report has a `currency` or its filter lets one
    /// through; refused with the others.
    currency: Option<CurrencyCode>,
    /// At least this: a number, an amount, a ratio (0.5 is one half), or seconds (of the median).
    at_least: Option<Decimal>,
    /// At most this, likewise.
    at_most: Option<Decimal>,
}

/// One key of the order of a report's groups: exactly one of `metric`, `dimension` and `time`. Groups without a value
/// stand last, whatever the direction, and so do those with money of the metric that has no rate to the report's `currency`.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ReportOrder {
    /// By a metric.
    metric: Option<ReportMetric>,
    /// The currency of a metric of money: needed for these unless the report has a `currency` or its filter lets one
    /// through; refused with the others.
    currency: Option<CurrencyCode>,
    /// By a dimension of `groupBy`: words and texts as they are written, programs, ad spaces, products and categories by
    /// an order of their own that stays the same.
    dimension: Option<ReportDimension>,
    /// By time (true): by the beginning of the stretches of time of `bucket`.
    #[graphql(default)]
    time: bool,
    /// In which direction.
    #[graphql(default_with = "SortDirection::Desc")]
    direction: SortDirection,
}

/// The currencies that metrics of money can be looked at in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Currencies {
    /// That all money is converted to.
    pub converted: Option<Currency>,
    /// The only one that the filter lets through.
    pub only: Option<Currency>,
    /// The publisher's, for messages.
    pub main: Option<Currency>,
}

impl Currencies {
    /// The currency in which a metric is ordered by, compared or shared; none for a metric that is no money.
    ///
    /// # Errors
    /// When a metric of money has none, another one is converted to, or a metric that is no money has one.
    pub fn of(
        self,
        metric: Metric,
        given: Option<CurrencyCode>,
        argument: &str,
    ) -> Result<Option<Currency>> {
        let word = metric.as_str();
        let given = given.map(|code| code.0);
        let refused = |message: String| Err(Error::bad_input(argument, message).into());
        if !matches!(
            metric.definition().unit,
            Unit::Money | Unit::RatioPerCurrency
        ) {
            return match given {
                None => Ok(None),
                Some(_) => refused(format!("{word} is in no currency: leave currency out")),
            };
        }
        match (given, self.converted) {
            (Some(given), Some(converted)) if given != converted => refused(format!(
                "all money of this report is converted to {converted}: leave currency: \"{given}\" out"
            )),
            (given, converted) => match given.or(converted).or(self.only) {
                Some(currency) => Ok(Some(currency)),
                None => {
                    let main = self.main.unwrap_or(Currency::USD);
                    refused(format!(
                        "{word} needs one currency, because amounts of several cannot be compared: \
                         add currency, such as currency: \"{main}\""
                    ))
                }
            },
        }
    }
}

/// The dimensions of a report.
///
/// # Errors
/// When there are too many or one is named twice.
pub fn dimensions(given: Option<&[ReportDimension]>, most: usize) -> Result<Vec<Dimension>> {
    let given: Vec<Dimension> = given
        .unwrap_or_default()
        .iter()
        .map(|dimension| Dimension::from(*dimension))
        .collect();
    if given.len() > most {
        let message = format!(
            "groupBy has {} dimensions, the most is {most}: ask in several reports, or filter by one instead",
            given.len()
        );
        let passed = PassedLimit::of("reportDimensions", most, given.len());
        return Err(Error::limit("groupBy", passed, message).into());
    }
    for (place, dimension) in given.iter().enumerate() {
        if given.iter().take(place).any(|other| other == dimension) {
            let message = format!("groupBy names {} twice: name it once", dimension.as_str());
            return Err(Error::bad_input("groupBy", message).into());
        }
    }
    Ok(given)
}

/// Refuses metrics that say nothing of cart items where groups are made of them.
///
/// # Errors
/// When one of the metrics cannot be asked for with one of the dimensions.
pub fn check_metrics(
    metrics: impl IntoIterator<Item = Metric>,
    dimensions: &[Dimension],
) -> Result<()> {
    // What clicks can be divided by depends on more than dimensions: the plan says it.
    let metrics = metrics.into_iter();
    for metric in metrics.filter(|metric| !metric.definition().of_clicks()) {
        let allowed: Vec<Dimension> = metric.definition().dimensions().collect();
        if let Some(dimension) = dimensions.iter().find(|one| !allowed.contains(one)) {
            let message = format!(
                "{} cannot be asked for by {}, because a cart item has none: leave the one or the other out \
                 (see metricDefinitions)",
                field_name(metric),
                dimension.as_str()
            );
            return Err(Error::bad_input("groupBy", message).into());
        }
    }
    Ok(())
}

/// Refuses, before anything is read, what no row could answer.
///
/// # Errors
/// When a share is asked of what is no part of a whole, or a metric of money without a currency.
pub fn check_looks(looks: &[Look], currencies: Currencies) -> Result<()> {
    for look in looks {
        let definition = look.metric.definition();
        let argument = match look.relation {
            Relation::Share => "share.currency",
            Relation::Change => "change.currency",
            Relation::TotalsChange => "totalsChange.currency",
        };
        currencies.of(look.metric, look.currency, argument)?;
        let is_part = matches!(definition.unit, Unit::Count | Unit::Money);
        if look.relation == Relation::Share && !is_part {
            let message = format!(
                "{} is no part of a whole: a share is of counts and amounts, such as REWARD",
                look.metric.as_str()
            );
            return Err(Error::bad_input("share.of", message).into());
        }
    }
    Ok(())
}

/// A bound in the scale of a metric, rounded inwards.
fn bound(
    metric: Metric,
    given: Option<Decimal>,
    is_least: bool,
    argument: &str,
) -> Result<Option<i64>> {
    let Some(Decimal { e4, .. }) = given else {
        return Ok(None);
    };
    let scale = match metric.definition().unit {
        Unit::Money => SCALE,
        Unit::Ratio | Unit::RatioPerCurrency => 1_000_000,
        Unit::Count | Unit::Seconds => 1,
    };
    bound_in(scale, e4, is_least).map(Some).ok_or_else(|| {
        let message = format!("{argument} is beyond any value of {}", metric.as_str());
        Error::bad_input(argument, message).into()
    })
}

/// The conditions on groups.
///
/// # Errors
/// When there are too many, one says nothing, or one of money has no currency.
pub fn having(
    given: Option<&[ReportHaving]>,
    currencies: Currencies,
    most: usize,
) -> Result<Vec<report::Having>> {
    let given = given.unwrap_or_default();
    if given.len() > most {
        let message = format!(
            "having has {} conditions, the most is {most}: leave some out",
            given.len()
        );
        let passed = PassedLimit::of("reportConditions", most, given.len());
        return Err(Error::limit("having", passed, message).into());
    }
    let read = |having: &ReportHaving| {
        let metric = Metric::from(having.metric);
        if having.at_least.is_none() && having.at_most.is_none() {
            let message = format!(
                "having says nothing of {}: add atLeast or atMost",
                metric.as_str()
            );
            return Err(Error::bad_input("having", message).into());
        }
        Ok(report::Having {
            metric,
            currency: currencies.of(metric, having.currency, "having.currency")?,
            at_least: bound(metric, having.at_least, true, "having.atLeast")?,
            at_most: bound(metric, having.at_most, false, "having.atMost")?,
        })
    };
    given.iter().map(read).collect()
}

/// What groups are divided by.
#[derive(Clone, Copy, Debug)]
pub struct Divided<'a> {
    /// By dimensions.
    pub dimensions: &'a [Dimension],
    /// By time.
    pub time: bool,
}

/// The order of groups. Without one: by time, then by the number of actions, the most first; so it does not depend on
/// what is selected.
///
/// # Errors
/// When it has too many keys, one of several meanings or of none, one that groups are not divided by, the same twice, or
/// one of money without a currency.
pub fn order(
    given: Option<&[ReportOrder]>,
    divided: Divided<'_>,
    currencies: Currencies,
    most: usize,
) -> Result<Vec<report::ReportOrder>> {
    let given = given.unwrap_or_default();
    if given.is_empty() {
        return Ok(usual(divided));
    }
    if given.len() > most {
        let message = format!(
            "orderBy has {} keys, the most is {most}: leave the last ones out",
            given.len()
        );
        let passed = PassedLimit::of("orderKeys", most, given.len());
        return Err(Error::limit("orderBy", passed, message).into());
    }
    let mut keys: Vec<report::ReportOrder> = Vec::new();
    for order in given {
        let key = key(order, divided, currencies)?;
        if keys.iter().any(|other| other.key == key) {
            let message = "orderBy names the same twice: only its first place can have an effect, remove the other";
            return Err(Error::bad_input("orderBy", message).into());
        }
        let direction = order.direction.into();
        keys.push(report::ReportOrder { key, direction });
    }
    Ok(keys)
}

fn usual(divided: Divided<'_>) -> Vec<report::ReportOrder> {
    let time = report::ReportOrder {
        key: OrderKey::Time,
        direction: Direction::Asc,
    };
    let actions = report::ReportOrder {
        key: OrderKey::Metric(Metric::Actions, None),
        direction: Direction::Desc,
    };
    let time = divided.time.then_some(time);
    let actions = (!divided.dimensions.is_empty()).then_some(actions);
    time.into_iter().chain(actions).collect()
}

fn key(order: &ReportOrder, divided: Divided<'_>, currencies: Currencies) -> Result<OrderKey> {
    let refused = |message: String| Err(Error::bad_input("orderBy", message).into());
    let no_money = |key| match order.currency {
        None => Ok(key),
        Some(_) => refused(
            "orderBy has a currency without a metric of money: leave currency out".to_owned(),
        ),
    };
    match (order.metric, order.dimension, order.time) {
        (Some(metric), None, false) => {
            let metric = Metric::from(metric);
            let currency = currencies.of(metric, order.currency, "orderBy.currency")?;
            Ok(OrderKey::Metric(metric, currency))
        }
        (None, Some(dimension), false) => {
            let dimension = Dimension::from(dimension);
            if !divided.dimensions.contains(&dimension) {
                let word = dimension.as_str();
                return refused(format!(
                    "orderBy names {word}, which groups are not divided by: add it to groupBy"
                ));
            }
            no_money(OrderKey::Dimension(dimension))
        }
        (None, None, true) if !divided.time => refused(
            "orderBy names time, which groups are not divided by: add bucket, such as bucket: DAY"
                .to_owned(),
        ),
        (None, None, true) => no_money(OrderKey::Time),
        _ => refused(
            "each key of orderBy is exactly one of metric, dimension and time, such as {metric: ACTIONS}"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_least(metric: ReportMetric, e4: i64) -> ReportHaving {
        ReportHaving {
            metric,
            currency: None,
            at_least: Some(Decimal::new(e4, 0)),
            at_most: Some(Decimal::new(e4, 0)),
        }
    }

    #[test]
    fn bounds_have_the_scale_of_their_metric_and_are_rounded_inwards() {
        let currencies = Currencies {
            only: Some(Currency::USD),
            ..Currencies::default()
        };
        for (metric, e4, least, most) in [
            (ReportMetric::Actions, 15_000, 2, 1),
            (ReportMetric::Actions, -15_000, -1, -2),
            (ReportMetric::Users, 20_000, 2, 2),
            (ReportMetric::Reward, 15_001, 15_001, 15_001),
            (ReportMetric::ApprovalRate, 5_000, 500_000, 500_000),
            (ReportMetric::ConversionLag, 600_000, 60, 60),
        ] {
            let read = having(Some(&[at_least(metric, e4)]), currencies, 1).unwrap();
            assert_eq!(read[0].at_least, Some(least), "{metric:?}");
            assert_eq!(read[0].at_most, Some(most), "{metric:?}");
        }
        assert!(
            having(
                Some(&[at_least(ReportMetric::ApprovalRate, i64::MAX)]),
                currencies,
                1
            )
            .is_err()
        );
    }

    #[test]
    fn money_takes_its_currency_from_the_key_the_report_or_the_filter() {
        let rub = Currency::parse("RUB").unwrap();
        let given = Some(CurrencyCode(rub));
        let none = Currencies::default();
        let only = Currencies {
            only: Some(Currency::USD),
            ..none
        };
        let converted = Currencies {
            converted: Some(rub),
            ..only
        };
        let of = |currencies: Currencies, given| currencies.of(Metric::Reward, given, "currency");
        assert_eq!(of(none, given).unwrap(), Some(rub));
        assert_eq!(of(only, None).unwrap(), Some(Currency::USD));
        assert_eq!(of(only, given).unwrap(), Some(rub));
        assert_eq!(of(converted, None).unwrap(), Some(rub));
        assert!(
            of(none, None)
                .unwrap_err()
                .to_string()
                .contains("currency: \"USD\"")
        );
        let other = Some(CurrencyCode(Currency::USD));
        assert!(
            of(converted, other)
                .unwrap_err()
                .to_string()
                .contains("RUB")
        );
        assert!(none.of(Metric::Units, given, "currency").is_err());
        assert_eq!(none.of(Metric::Units, None, "currency").unwrap(), None);
    }
}
