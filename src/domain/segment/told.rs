//! Built-in segments in words: what they need of a member under the parameters that apply, and what is true of one.

use super::{
    HighValue, ProductRules, ProductSegment, ProductStats, Rfm, UserRules, UserSegment, UserStats,
};
use crate::domain::money::{Currency, format_e4};
use crate::domain::sales::{RankBy, Sums};
use crate::domain::time::Instant;

/// The scores from the smallest to the largest of a segment's cells.
fn from_to(scores: impl Iterator<Item = u8> + Clone) -> String {
    let least = scores.clone().min().unwrap_or_default();
    let most = scores.max().unwrap_or_default();
    if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    }
}

fn cells(kind: UserSegment) -> impl Iterator<Item = (u8, u8)> + Clone {
    let pairs = (1..=5u8).flat_map(|recency| (1..=5u8).map(move |frequency| (recency, frequency)));
    pairs.filter(move |(recency, frequency)| {
        let scores = Rfm {
            recency: *recency,
            frequency: *frequency,
            monetary: 1,
        };
        scores.segment() == kind
    })
}

fn money(sums: &Sums, metric: RankBy) -> String {
    let digits = metric.currency().map_or(2, Currency::minor_digits);
    let amount = format_e4(sums.metric(metric), digits);
    let code = metric.currency().map(|one| format!(" {one}"));
    format!("{amount}{}", code.unwrap_or_default())
}

/// What products are ranked by: who has the most of it, and all of it.
fn ranked_by(metric: RankBy) -> (String, String) {
    let amount = |name: &str, currency| {
        let name = format!("{name} in {currency}");
        (format!("the largest {name}"), format!("the {name}"))
    };
    match metric {
        RankBy::Units => ("the most units".to_owned(), "units".to_owned()),
        RankBy::Actions => ("the most actions".to_owned(), "actions".to_owned()),
        RankBy::OrderAmount(currency) => amount("order amount", currency),
        RankBy::Reward(currency) => amount("reward", currency),
    }
}

impl HighValue {
    /// What users are compared by.
    fn metric(self, rules: &UserRules) -> RankBy {
        match self {
            Self::TopPercent(_) => rules.metric(),
            Self::Amount { currency, .. } => rules.monetary.rank(currency),
        }
    }
}

impl UserSegment {
    /// What is needed of a member; `origin` is the country or the class of device of a segment by these.
    #[must_use]
    pub fn needed(self, origin: Option<&str>, rules: &UserRules) -> String {
        let unknown = origin.unwrap_or("unknown");
        match self {
            Self::New => "the first action ever in the period".to_owned(),
            Self::Returning => "an action in the period, the first one before it".to_owned(),
            Self::Country => format!("the latest action of the period from {unknown}"),
            Self::Device => format!("the latest action of the period on {unknown}"),
            Self::Unattributed => "actions without a user: nobody is in it".to_owned(),
            Self::HighValue => match rules.high_value {
                HighValue::TopPercent(percent) => format!(
                    "among the {percent} percent of the largest amounts in {}",
                    rules.currency
                ),
                HighValue::Amount { e4, currency } => format!(
                    "at least {} {currency}",
                    format_e4(e4, currency.minor_digits())
                ),
            },
            scored => format!(
                "recency {}, frequency {}",
                from_to(cells(scored).map(|(recency, _)| recency)),
                from_to(cells(scored).map(|(_, frequency)| frequency))
            ),
        }
    }

    /// What is true of a user with actions in the period, of whom enough are there to be compared or not.
    #[must_use]
    pub fn actual(
        self,
        user: &UserStats,
        score: Option<Rfm>,
        rules: &UserRules,
        are_compared: bool,
    ) -> String {
        let too_few = || format!("fewer than {} users to compare", rules.minimum_users);
        let at = |instant: Instant| instant.to_rfc3339();
        match self {
            Self::New | Self::Returning => format!("the first action {}", at(user.first_at)),
            Self::Country => user.country.as_deref().unwrap_or("unknown").to_owned(),
            Self::Device => user.device.as_deref().unwrap_or("unknown").to_owned(),
            Self::Unattributed => "a user".to_owned(),
            Self::HighValue => {
                let amount = money(&user.sums, rules.high_value.metric(rules));
                match rules.high_value {
                    HighValue::TopPercent(_) if !are_compared => format!("{}: {amount}", too_few()),
                    HighValue::TopPercent(_) | HighValue::Amount { .. } => amount,
                }
            }
            _ => {
                let facts = format!(
                    "{} actions, the latest {}, {}",
                    user.sums.actions,
                    at(user.last_at),
                    money(&user.sums, rules.metric())
                );
                match score {
                    Some(score) => format!(
                        "recency {}, frequency {}, monetary {}: {facts}",
                        score.recency, score.frequency, score.monetary
                    ),
                    None if user.sums.actions < rules.minimum_actions => {
                        format!("too few actions to be scored: {facts}")
                    }
                    None => format!("{}: {facts}", too_few()),
                }
            }
        }
    }
}

impl ProductSegment {
    /// What is needed of a member.
    #[must_use]
    pub fn needed(self, rules: &ProductRules) -> String {
        let least = rules.minimum_units;
        let (most, all) = ranked_by(rules.rank_by);
        let change = |way: &str| {
            format!(
                "{} percent {way} units than in the period before, at least {} in the larger",
                rules.change_percent, rules.change_units
            )
        };
        match self {
            Self::BestSellers => format!(
                "among the {} of {most}, at least {least}{}",
                rules.best_sellers,
                rules.rank_by.currency().map_or("", |_| " units")
            ),
            Self::Rising => change("more"),
            Self::Falling => change("fewer"),
            Self::New => format!("the first sale ever in the period, at least {least} units"),
            Self::Dormant => format!("at least {least} units before the period, none in it"),
            Self::Risky => format!(
                "fewer than {} percent approved of at least {} decided actions",
                rules.risky_percent, rules.risky_processed
            ),
            Self::Hot => format!("a hot product, at least {least} units"),
            Self::Priority => "on the priority list".to_owned(),
            Self::AbcA => format!(
                "among those of the first {} percent of {all}",
                rules.abc_a_percent
            ),
            Self::AbcB => format!(
                "among those from {} to {} percent of {all}",
                rules.abc_a_percent, rules.abc_b_percent
            ),
            Self::AbcC => format!(
                "among those beyond {} percent of {all}",
                rules.abc_b_percent
            ),
        }
    }

    /// What is true of a product at a place, from 1 on, in the order of what products are ranked by.
    #[must_use]
    pub fn actual(self, stats: &ProductStats, place: usize, rules: &ProductRules) -> String {
        let units = stats.sums.units;
        match self {
            Self::BestSellers | Self::AbcA | Self::AbcB | Self::AbcC => {
                let amount = rules.rank_by.currency();
                let amount = amount.map(|_| format!("{}, ", money(&stats.sums, rules.rank_by)));
                let amount = amount.unwrap_or_default();
                format!("{amount}{units} units, at place {place}")
            }
            Self::Rising | Self::Falling => {
                format!(
                    "{units} units, {} in the period before",
                    stats.previous_units
                )
            }
            Self::New => {
                let first = stats.first_sold.map(Instant::to_rfc3339);
                let first = first.unwrap_or_else(|| "never".to_owned());
                format!("the first sale {first}, {units} units")
            }
            Self::Dormant => format!("{units} units, {} ever", stats.lifetime_units),
            Self::Risky => format!("{} approved of {}", stats.approved, stats.processed),
            Self::Hot => {
                let hot = if stats.is_hot { "hot" } else { "not hot" };
                format!("{hot}, {units} units")
            }
            Self::Priority if stats.is_priority => "on the list".to_owned(),
            Self::Priority => "not on the list".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scores_a_segment_needs_is_what_the_table_says() {
        let rules = UserRules::of(Currency::USD);
        let needed = |kind: UserSegment| kind.needed(None, &rules);
        assert_eq!(
            needed(UserSegment::Champions),
            "recency 5, frequency 4 to 5"
        );
        assert_eq!(
            needed(UserSegment::PotentialLoyalists),
            "recency 4 to 5, frequency 2 to 3"
        );
        assert_eq!(needed(UserSegment::NeedAttention), "recency 3, frequency 3");
        // Each is a rectangle of the table, so that both ends say all of it.
        for kind in UserSegment::ALL.iter().filter(|kind| kind.is_rfm()) {
            let (least, most) = (cells(*kind).min().unwrap(), cells(*kind).max().unwrap());
            let sides = (most.0 - least.0 + 1) * (most.1 - least.1 + 1);
            assert_eq!(cells(*kind).count(), usize::from(sides), "{kind:?}");
        }
    }
}
