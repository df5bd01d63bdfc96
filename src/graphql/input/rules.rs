//! The parameters of the built-in segments.
//!
//! What a question leaves out is the publisher's setting, and null is the product's default; a change of the settings
//! reads the same inputs in the same way.

use async_graphql::{InputObject, MaybeUndefined, OneofObject};

use crate::domain::error::Error;
use crate::domain::money::Currency;
use crate::domain::segment::{
    self, CUTS, Cuts, HighValue, Problem, ProductRules, ProductSettings, Scoring, Thresholds,
    UserRules, UserSettings,
};
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::scalar::{CurrencyCode, Decimal};
use crate::graphql::types::words::{MonetaryMetric, ProductMetric};

/// The parameters of the product segments: what is left out is as the publisher set it, null is the default.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ProductRulesInput {
    /// What products are ranked by, for BEST_SELLERS and ABC_A to ABC_C: UNITS by default.
    rank_by: MaybeUndefined<ProductMetric>,
    /// The one currency of a ranking by ORDER_AMOUNT or REWARD, in which alone amounts count; the publisher's main one by
    /// default. Refused where UNITS rank, which count in every currency.
    currency: MaybeUndefined<CurrencyCode>,
    /// How many products are best sellers, by what they are ranked by; 1 to 10000, 100 by default.
    best_sellers: MaybeUndefined<i32>,
    /// Units below which a product is neither best seller nor new, hot or dormant; at least 1, which is the default.
    minimum_units: MaybeUndefined<i32>,
    /// Growth or fall of units against the previous period, in percent, from which a product is rising or falling; 1 to
    /// 10000, 50 by default.
    change_percent: MaybeUndefined<i32>,
    /// Units of the larger of both periods below which a product is neither rising nor falling; at least 0, 10 by
    /// default.
    change_units: MaybeUndefined<i32>,
    /// Processed actions below which a product is not called risky; at least 1, 10 by default.
    risky_processed: MaybeUndefined<i32>,
    /// Approval rate, in percent, below which a product is risky; 0 to 100, 50 by default.
    risky_percent: MaybeUndefined<i32>,
    /// Cumulative share, in percent of what products are ranked by, at which class A ends; 1 to 100, 80 by default.
    abc_a_percent: MaybeUndefined<i32>,
    /// Cumulative share, in percent of what products are ranked by, at which class B ends; not below class A, at most 100, 95 by default.
    abc_b_percent: MaybeUndefined<i32>,
    /// Local days up to now that a question without a range looks back over; 1 to 3660, 30 by default.
    period_days: MaybeUndefined<i32>,
}

impl ProductRulesInput {
    /// Lays them on settings; gives what does not go with these.
    pub fn onto(&self, settings: &mut ProductSettings) -> Vec<Problem> {
        let rank_by = self.rank_by.map_value(Into::into);
        rank_by.update_to(&mut settings.rank_by);
        let currency = self.currency.map_value(|code| code.0);
        currency.update_to(&mut settings.currency);
        let number = |given: &MaybeUndefined<i32>, set: &mut Option<i64>| {
            given.map_value(i64::from).update_to(set);
        };
        number(&self.best_sellers, &mut settings.best_sellers);
        number(&self.minimum_units, &mut settings.minimum_units);
        number(&self.change_percent, &mut settings.change_percent);
        number(&self.change_units, &mut settings.change_units);
        number(&self.risky_processed, &mut settings.risky_processed);
        number(&self.risky_percent, &mut settings.risky_percent);
        number(&self.abc_a_percent, &mut settings.abc_a_percent);
        number(&self.abc_b_percent, &mut settings.abc_b_percent);
        number(&self.period_days, &mut settings.period_days);
        let units = settings.metric() == segment::ProductMetric::Units;
        let refused = currency.value().filter(|_| units);
        let problem = refused.map(|given| Problem {
            place: vec!["currency"],
            message: format!(
                "products are ranked by UNITS, which count in every currency: leave currency out, or set rankBy to \
                 ORDER_AMOUNT or REWARD, which rank what was sold in {given}"
            ),
        });
        problem.into_iter().collect()
    }
}

/// Fixed values that part the scores 1 to 5, four ascending ones of each kind.
#[derive(Clone, Debug, InputObject)]
pub struct RfmThresholdsInput {
    /// Days of 24 hours from the last action to the end of the range: up to the first, recency is 5, up to the last 2,
    /// beyond it 1; 0 to 36500.
    recency_days: Vec<i32>,
    /// Numbers of actions: from the first on frequency is 2, from the last on 5; at least 1.
    actions: Vec<i32>,
    /// Amounts: from the first on monetary is 2, from the last on 5; at least 0.
    amounts: Vec<Decimal>,
    /// The currency of the amounts, and of the monetary score.
    currency: CurrencyCode,
}

/// How users are scored, in exactly one of two ways.
#[derive(Clone, Debug, OneofObject)]
pub enum RfmScoringInput {
    /// At nearest-rank percentiles of the users that are scored: four ascending numbers from 1 to 99; 20, 40, 60, 80 by
    /// default.
    Percentiles(Vec<i32>),
    /// At fixed values, whoever else there is.
    Thresholds(RfmThresholdsInput),
}

/// An amount in one currency.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct MoneyInput {
    /// The amount, in units of the currency (not cents).
    amount: Decimal,
    /// The currency.
    currency: CurrencyCode,
}

/// Who is of high value, in exactly one of two ways.
#[derive(Clone, Copy, Debug, OneofObject)]
pub enum HighValueInput {
    /// The top percent of the users that are scored, by amount, with all that equal the last of them; 1 to 100, 10 by
    /// default.
    TopPercent(i32),
    /// Who has at least this amount, which is more than 0.
    Amount(MoneyInput),
}

/// The parameters of the user segments: what is left out is as the publisher set it, null is the default.
#[derive(Clone, Debug, Default, InputObject)]
pub struct UserRulesInput {
    /// What amounts are: ORDER_AMOUNT by default.
    monetary: MaybeUndefined<MonetaryMetric>,
    /// Counted actions in the range below which a user is not scored: then it is in no RFM segment and not of high
    /// value; at least 1, which is the default.
    minimum_actions: MaybeUndefined<i32>,
    /// Users with so many actions below which they are not compared: then percentiles give nobody a score, and nobody is among
    /// the top percent. Fixed values do not look at it. 1 to 10000, 5 by default.
    minimum_users: MaybeUndefined<i32>,
    /// How users are scored.
    scoring: MaybeUndefined<RfmScoringInput>,
    /// Who is of high value.
    high_value: MaybeUndefined<HighValueInput>,
    /// Local days up to now that a question without a range looks back over, and the length of the windows of
    /// `userSegmentMovement`; 1 to 3660, 90 by default.
    period_days: MaybeUndefined<i32>,
}

impl UserRulesInput {
    /// Lays them on settings; gives what cannot be read.
    pub fn onto(&self, settings: &mut UserSettings) -> Vec<Problem> {
        let mut problems = Vec::new();
        let monetary = self.monetary.map_value(Into::into);
        monetary.update_to(&mut settings.monetary);
        let minimum = self.minimum_actions.map_value(i64::from);
        minimum.update_to(&mut settings.minimum_actions);
        let minimum = self.minimum_users.map_value(i64::from);
        minimum.update_to(&mut settings.minimum_users);
        match &self.scoring {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => settings.scoring = None,
            MaybeUndefined::Value(given) => match given.scoring() {
                Ok(scoring) => settings.scoring = Some(scoring),
                Err(found) => problems = found,
            },
        }
        let high_value = self.high_value.map_value(|given| match given {
            HighValueInput::TopPercent(percent) => HighValue::TopPercent(i64::from(percent)),
            HighValueInput::Amount(money) => HighValue::Amount {
                e4: money.amount.e4,
                currency: money.currency.0,
            },
        });
        high_value.update_to(&mut settings.high_value);
        let days = self.period_days.map_value(i64::from);
        days.update_to(&mut settings.period_days);
        problems
    }
}

impl RfmScoringInput {
    fn scoring(&self) -> std::result::Result<Scoring, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut four = |place: &[&'static str], numbers: Vec<i64>| -> Cuts {
            let count = numbers.len();
            Cuts::try_from(numbers).unwrap_or_else(|_| {
                let name = place.last().copied().unwrap_or_default();
                problems.push(Problem {
                    place: place.to_vec(),
                    message: format!(
                        "{name} has {count} numbers: five scores are parted by {CUTS}"
                    ),
                });
                Cuts::default()
            })
        };
        let wide = |numbers: &[i32]| numbers.iter().copied().map(i64::from).collect();
        let at = |name| ["scoring", "thresholds", name];
        let scoring = match self {
            Self::Percentiles(percents) => {
                Scoring::Percentiles(four(&["scoring", "percentiles"], wide(percents)))
            }
            Self::Thresholds(fixed) => Scoring::Thresholds(Thresholds {
                recency_days: four(&at("recencyDays"), wide(&fixed.recency_days)),
                actions: four(&at("actions"), wide(&fixed.actions)),
                amounts_e4: four(
                    &at("amounts"),
                    fixed.amounts.iter().map(|amount| amount.e4).collect(),
                ),
                currency: fixed.currency.0,
            }),
        };
        if problems.is_empty() {
            Ok(scoring)
        } else {
            Err(problems)
        }
    }
}

/// The rules of product segments in a question: its own, else the publisher's, else the defaults.
///
/// # Errors
/// When a parameter is outside what it can be, or the store fails.
pub async fn product_rules(
    given: Option<&ProductRulesInput>,
    request: &RequestContext,
) -> Result<ProductRules> {
    let mut settings = request.segment_settings().await?.settings.products;
    let problems = given.map_or_else(Vec::new, |given| given.onto(&mut settings));
    if !problems.is_empty() {
        return Err(refuse(&problems).into());
    }
    let main = request.viewer.publisher.currency;
    Ok(settings.rules(main).map_err(|problems| refuse(&problems))?)
}

/// The rules of user segments in a question, likewise; `currency` is the one that it names for the monetary score.
///
/// # Errors
/// When a parameter is outside what it can be, or the store fails.
pub async fn user_rules(
    given: Option<&UserRulesInput>,
    currency: Option<Currency>,
    request: &RequestContext,
) -> Result<UserRules> {
    let mut settings = request.segment_settings().await?.settings.users;
    settings.currency = currency.or(settings.currency);
    let problems = given.map_or_else(Vec::new, |given| given.onto(&mut settings));
    if !problems.is_empty() {
        return Err(refuse(&problems).into());
    }
    let main = request.viewer.publisher.currency;
    Ok(settings.rules(main).map_err(|problems| refuse(&problems))?)
}

/// All problems in one sentence each, at the place of the first.
fn refuse(problems: &[Problem]) -> Error {
    let place = |problem: &Problem| format!("rules.{}", problem.place.join("."));
    let first = problems.first().map(place).unwrap_or_default();
    let all: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", place(problem), problem.message))
        .collect();
    Error::bad_input(first, all.join("; "))
}
