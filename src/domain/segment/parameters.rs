//! The parameters of the built-in segments: what a publisher or a query sets, what is wrong with it, and the rules that
//! follow.

use crate::domain::action::words;
use crate::domain::money::Currency;
use crate::domain::sales::RankBy;

/// Four values that part the scores 1 to 5.
pub type Cuts = [i64; CUTS];

/// How many values part five scores.
pub const CUTS: usize = 4;

/// Largest count or number of days that a parameter can be.
const LARGEST: i64 = 2_147_483_647;

/// The longest period, in days.
pub const MAX_PERIOD_DAYS: i64 = 3_660;

words! {
    /// What a user's amounts are.
    MonetaryMetric {
        /// What the orders were worth.
        OrderAmount = "ORDER_AMOUNT",
        /// What they brought the publisher.
        Reward = "REWARD",
    }
}

impl MonetaryMetric {
    /// The amount in a currency.
    #[must_use]
    pub fn rank(self, currency: Currency) -> RankBy {
        match self {
            Self::OrderAmount => RankBy::OrderAmount(currency),
            Self::Reward => RankBy::Reward(currency),
        }
    }
}

words! {
    /// What products are ranked by for best sellers and ABC classes.
    ProductMetric {
        /// Units sold.
        Units = "UNITS",
        /// What their items were worth.
        OrderAmount = "ORDER_AMOUNT",
        /// What they brought the publisher.
        Reward = "REWARD",
    }
}

impl ProductMetric {
    /// The metric, of amounts in a currency.
    #[must_use]
    pub fn rank(self, currency: Currency) -> RankBy {
        match self {
            Self::Units => RankBy::Units,
            Self::OrderAmount => RankBy::OrderAmount(currency),
            Self::Reward => RankBy::Reward(currency),
        }
    }
}

/// The parameters of the product segments; the defaults are the product's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductRules {
    /// What best sellers and ABC classes are ranked by: units or amounts in one currency, never actions.
    pub rank_by: RankBy,
    /// How many best sellers; ties on the last place are cut by units, then by id.
    pub best_sellers: usize,
    /// Units below which a product is neither best seller nor new, hot or dormant.
    pub minimum_units: i64,
    /// Growth or fall, in percent of the previous period's units, from which a product rises or falls.
    pub change_percent: i64,
    /// Units (of the larger period) below which a product neither rises nor falls.
    pub change_units: i64,
    /// Processed actions below which a product is not called risky.
    pub risky_processed: i64,
    /// Approval rate, in percent, below which it is.
    pub risky_percent: i64,
    /// Cumulative share, in percent of what products are ranked by, at which A ends.
    pub abc_a_percent: i64,
    /// Cumulative share at which B ends.
    pub abc_b_percent: i64,
    /// Local days that a question without a range looks back over.
    pub period_days: i64,
}

impl Default for ProductRules {
    fn default() -> Self {
        Self {
            rank_by: RankBy::Units,
            best_sellers: 100,
            minimum_units: 1,
            change_percent: 50,
            change_units: 10,
            risky_processed: 10,
            risky_percent: 50,
            abc_a_percent: 80,
            abc_b_percent: 95,
            period_days: 30,
        }
    }
}

/// Fixed values that part the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Days of 24 hours since the last action, ascending: up to the first R is 5, up to the last 2, beyond 1.
    pub recency_days: Cuts,
    /// Actions, ascending: from the first on F is 2, from the last on 5.
    pub actions: Cuts,
    /// Amounts in 1/10 000, ascending, likewise for M.
    pub amounts_e4: Cuts,
    /// Their currency.
    pub currency: Currency,
}

/// How users are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// At nearest-rank percentiles, ascending.
    Percentiles(Cuts),
    /// At fixed values.
    Thresholds(Thresholds),
}

impl Default for Scoring {
    fn default() -> Self {
        Self::Percentiles([20, 40, 60, 80])
    }
}

/// Who is of high value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HighValue {
    /// This many percent of the scored users, by amount.
    TopPercent(i64),
    /// Who has at least an amount.
    Amount {
        /// The amount, 1/10 000 of the currency unit.
        e4: i64,
        /// Its currency.
        currency: Currency,
    },
}

impl Default for HighValue {
    fn default() -> Self {
        Self::TopPercent(10)
    }
}

/// How few users can be compared with each other, where nothing was set: fewer cannot have five scores.
const FEWEST_USERS: i64 = 5;

/// Days that a question of user segments without a range looks back over, where nothing was set.
const USER_DAYS: i64 = 90;

/// The parameters of the user segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRules {
    /// The one currency of the monetary score.
    pub currency: Currency,
    /// What amounts are.
    pub monetary: MonetaryMetric,
    /// Counted actions below which a user is not scored.
    pub minimum_actions: i64,
    /// Users with so many actions below which nobody is compared with others: there are no scores at percentiles then, and
    /// nobody is in a top percent. Fixed values do not look at it.
    pub minimum_users: i64,
    /// How scores are cut.
    pub scoring: Scoring,
    /// Who is of high value.
    pub high_value: HighValue,
    /// Local days that a question without a range looks back over.
    pub period_days: i64,
}

impl UserRules {
    /// The product's defaults, with money in a currency.
    #[must_use]
    pub fn of(currency: Currency) -> Self {
        Self {
            currency,
            monetary: MonetaryMetric::OrderAmount,
            minimum_actions: 1,
            minimum_users: FEWEST_USERS,
            scoring: Scoring::default(),
            high_value: HighValue::default(),
            period_days: USER_DAYS,
        }
    }

    /// What the monetary score and the top percent are measured by.
    #[must_use]
    pub fn metric(&self) -> RankBy {
        self.monetary.rank(self.currency)
    }
}

/// What was set of the product segments' parameters; what was not has its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProductSettings {
    /// [`ProductRules::rank_by`], but for the currency.
    pub rank_by: Option<ProductMetric>,
    /// The currency of amounts that products are ranked by; the publisher's main one without. Units do not look at it.
    pub currency: Option<Currency>,
    /// [`ProductRules::best_sellers`].
    pub best_sellers: Option<i64>,
    /// [`ProductRules::minimum_units`].
    pub minimum_units: Option<i64>,
    /// [`ProductRules::change_percent`].
    pub change_percent: Option<i64>,
    /// [`ProductRules::change_units`].
    pub change_units: Option<i64>,
    /// [`ProductRules::risky_processed`].
    pub risky_processed: Option<i64>,
    /// [`ProductRules::risky_percent`].
    pub risky_percent: Option<i64>,
    /// [`ProductRules::abc_a_percent`].
    pub abc_a_percent: Option<i64>,
    /// [`ProductRules::abc_b_percent`].
    pub abc_b_percent: Option<i64>,
    /// [`ProductRules::period_days`].
    pub period_days: Option<i64>,
}

/// What was set of the user segments' parameters; what was not has its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserSettings {
    /// [`UserRules::currency`]; the publisher's main one without.
    pub currency: Option<Currency>,
    /// [`UserRules::monetary`].
    pub monetary: Option<MonetaryMetric>,
    /// [`UserRules::minimum_actions`].
    pub minimum_actions: Option<i64>,
    /// [`UserRules::minimum_users`].
    pub minimum_users: Option<i64>,
    /// [`UserRules::scoring`].
    pub scoring: Option<Scoring>,
    /// [`UserRules::high_value`].
    pub high_value: Option<HighValue>,
    /// [`UserRules::period_days`].
    pub period_days: Option<i64>,
}

/// What was set of all parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentSettings {
    /// Of the product segments.
    pub products: ProductSettings,
    /// Of the user segments.
    pub users: UserSettings,
}

impl SegmentSettings {
    /// How many days questions of product and of user segments look back over that name no period.
    #[must_use]
    pub fn usual_days(&self) -> (i64, i64) {
        let products = self.products.period_days;
        (
            products.unwrap_or_else(|| ProductRules::default().period_days),
            self.users.period_days.unwrap_or(USER_DAYS),
        )
    }
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The parameter, from the outside in, as it is called in questions.
    pub place: Vec<&'static str>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Looks at parameters and notes what is wrong.
struct Checked(Vec<Problem>);

impl Checked {
    fn say(&mut self, place: &[&'static str], message: String) {
        self.0.push(Problem {
            place: place.to_vec(),
            message,
        });
    }

    fn within(&mut self, place: &'static str, value: i64, (from, to): (i64, i64)) {
        if !(from..=to).contains(&value) {
            self.say(
                &[place],
                format!("{place} is {value}: it must be from {from} to {to}"),
            );
        }
    }

    fn ascending(&mut self, place: &[&'static str], cuts: Cuts, (from, to): (i64, i64)) {
        let name = place.last().copied().unwrap_or_default();
        let is_ascending = cuts
            .iter()
            .zip(cuts.iter().skip(1))
            .all(|(one, next)| one < next);
        if !is_ascending || !cuts.iter().all(|cut| (from..=to).contains(cut)) {
            self.say(
                place,
                format!("{name} must be four ascending numbers from {from} to {to}"),
            );
        }
    }
}

impl ProductSettings {
    /// What products are ranked by.
    #[must_use]
    pub fn metric(&self) -> ProductMetric {
        self.rank_by.unwrap_or(ProductMetric::Units)
    }

    /// The rules, with defaults where nothing was set, and `main` where no currency was.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn rules(&self, main: Currency) -> Result<ProductRules, Vec<Problem>> {
        let default = ProductRules::default();
        let sellers = self.best_sellers.unwrap_or(100);
        let rules = ProductRules {
            rank_by: self.metric().rank(self.currency.unwrap_or(main)),
            best_sellers: usize::try_from(sellers).unwrap_or(0),
            minimum_units: self.minimum_units.unwrap_or(default.minimum_units),
            change_percent: self.change_percent.unwrap_or(default.change_percent),
            change_units: self.change_units.unwrap_or(default.change_units),
            risky_processed: self.risky_processed.unwrap_or(default.risky_processed),
            risky_percent: self.risky_percent.unwrap_or(default.risky_percent),
            abc_a_percent: self.abc_a_percent.unwrap_or(default.abc_a_percent),
            abc_b_percent: self.abc_b_percent.unwrap_or(default.abc_b_percent),
            period_days: self.period_days.unwrap_or(default.period_days),
        };
        let mut checked = Checked(Vec::new());
        checked.within("bestSellers", sellers, (1, 10_000));
        checked.within("minimumUnits", rules.minimum_units, (1, LARGEST));
        checked.within("changePercent", rules.change_percent, (1, 10_000));
        checked.within("changeUnits", rules.change_units, (0, LARGEST));
        checked.within("riskyProcessed", rules.risky_processed, (1, LARGEST));
        checked.within("riskyPercent", rules.risky_percent, (0, 100));
        checked.within("abcAPercent", rules.abc_a_percent, (1, 100));
        let from = rules.abc_a_percent.clamp(1, 100);
        checked.within("abcBPercent", rules.abc_b_percent, (from, 100));
        checked.within("periodDays", rules.period_days, (1, MAX_PERIOD_DAYS));
        if checked.0.is_empty() {
            Ok(rules)
        } else {
            Err(checked.0)
        }
    }
}

impl UserSettings {
    /// The rules, with defaults where nothing was set, and `main` where no currency was.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn rules(&self, main: Currency) -> Result<UserRules, Vec<Problem>> {
        let scoring = self.scoring.unwrap_or_default();
        let mut checked = Checked(Vec::new());
        let currency = match (scoring, self.currency) {
            (Scoring::Thresholds(fixed), None) => fixed.currency,
            (_, given) => given.unwrap_or(main),
        };
        let rules = UserRules {
            currency,
            monetary: self.monetary.unwrap_or(MonetaryMetric::OrderAmount),
            minimum_actions: self.minimum_actions.unwrap_or(1),
            minimum_users: self.minimum_users.unwrap_or(FEWEST_USERS),
            scoring,
            high_value: self.high_value.unwrap_or_default(),
            period_days: self.period_days.unwrap_or(USER_DAYS),
        };
        checked.within("minimumActions", rules.minimum_actions, (1, LARGEST));
        checked.within("minimumUsers", rules.minimum_users, (1, 10_000));
        match scoring {
            Scoring::Percentiles(percents) => {
                checked.ascending(&["scoring", "percentiles"], percents, (1, 99));
            }
            Scoring::Thresholds(fixed) => checked.thresholds(&fixed, currency),
        }
        match rules.high_value {
            HighValue::TopPercent(percent) if !(1..=100).contains(&percent) => checked.say(
                &["highValue", "topPercent"],
                format!("topPercent is {percent}: it must be from 1 to 100"),
            ),
            HighValue::Amount { e4, .. } if e4 < 1 => checked.say(
                &["highValue", "amount"],
                "the amount must be more than 0".to_owned(),
            ),
            HighValue::TopPercent(_) | HighValue::Amount { .. } => {}
        }
        checked.within("periodDays", rules.period_days, (1, MAX_PERIOD_DAYS));
        if checked.0.is_empty() {
            Ok(rules)
        } else {
            Err(checked.0)
        }
    }
}

impl Checked {
    fn thresholds(&mut self, fixed: &Thresholds, currency: Currency) {
        let at = |name| ["scoring", "thresholds", name];
        self.ascending(&at("recencyDays"), fixed.recency_days, (0, 36_500));
        self.ascending(&at("actions"), fixed.actions, (1, LARGEST));
        self.ascending(&at("amounts"), fixed.amounts_e4, (0, i64::MAX));
        if fixed.currency != currency {
            let message = format!(
                "the thresholds are amounts in {}, the monetary score is in {currency}: give thresholds in {currency}, \
                 or score by percentiles",
                fixed.currency
            );
            self.say(&at("currency"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(problems: Vec<Problem>) -> Vec<String> {
        problems
            .into_iter()
            .map(|problem| problem.place.join("."))
            .collect()
    }

    #[test]
    fn nothing_set_is_the_product_s_default() {
        let settings = SegmentSettings::default();
        assert_eq!(
            settings.products.rules(Currency::USD),
            Ok(ProductRules::default())
        );
        assert_eq!(
            settings.users.rules(Currency::USD),
            Ok(UserRules::of(Currency::USD))
        );
    }

    #[test]
    fn products_are_ranked_in_the_main_currency_unless_another_is_set() {
        let rub = Currency::parse("RUB").unwrap();
        let rank = |rank_by, currency| {
            let settings = ProductSettings {
                rank_by,
                currency,
                ..ProductSettings::default()
            };
            settings.rules(Currency::USD).unwrap().rank_by
        };
        let amount = Some(ProductMetric::OrderAmount);
        assert_eq!(rank(None, Some(rub)), RankBy::Units);
        assert_eq!(rank(amount, None), RankBy::OrderAmount(Currency::USD));
        assert_eq!(rank(amount, Some(rub)), RankBy::OrderAmount(rub));
        let reward = Some(ProductMetric::Reward);
        assert_eq!(rank(reward, Some(rub)), RankBy::Reward(rub));
    }

    #[test]
    fn every_problem_is_named_at_its_place() {
        let products = ProductSettings {
            best_sellers: Some(0),
            risky_percent: Some(101),
            abc_a_percent: Some(96),
            period_days: Some(0),
            ..ProductSettings::default()
        };
        assert_eq!(
            places(products.rules(Currency::USD).unwrap_err()),
            ["bestSellers", "riskyPercent", "abcBPercent", "periodDays"]
        );
        let users = UserSettings {
            currency: Some(Currency::USD),
            minimum_actions: Some(0),
            minimum_users: Some(10_001),
            scoring: Some(Scoring::Thresholds(Thresholds {
                recency_days: [30, 7, 60, 90],
                actions: [1, 2, 3, 4],
                amounts_e4: [1, 1, 2, 3],
                currency: Currency::parse("RUB").unwrap(),
            })),
            high_value: Some(HighValue::TopPercent(0)),
            period_days: Some(MAX_PERIOD_DAYS + 1),
            ..UserSettings::default()
        };
        assert_eq!(
            places(users.rules(Currency::USD).unwrap_err()),
            [
                "minimumActions",
                "minimumUsers",
                "scoring.thresholds.recencyDays",
                "scoring.thresholds.amounts",
                "scoring.thresholds.currency",
                "highValue.topPercent",
                "periodDays"
            ]
        );
    }
}
