//! Facts by what their users are: summed up by user first, and then users by what they are.
//!
//! Each currency has columns of its own, so that a user is one row and is counted once.

use super::Writer;
use super::columns::{Column, key_name, sums, write_user_age, write_user_frequency};
use crate::domain::money::Currency;
use crate::domain::report::Dimension;
use crate::domain::report::metric::Measure;
use crate::store::sql::Sql;

/// Whether a measure is of money, and so of one currency.
fn is_of_money(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::OrderAmount(_) | Measure::Reward(_) | Measure::PaidReward | Measure::Amounted
    )
}

/// The column of a measure, by its place in the question, in the currency at a place; the first currency holds what has
/// none.
pub(in crate::store) fn user_column(
    currency: usize,
    place: usize,
    measures: &[Measure],
) -> Option<String> {
    let apart = place == 0
        || measures
            .get(place - 1)
            .is_some_and(|measure| is_of_money(*measure));
    (apart || currency == 0).then(|| format!("c{currency}s{place}"))
}

impl Writer<'_> {
    /// Appends the statement of users by what they are.
    pub(super) fn write_by_user(
        &self,
        measures: &[Measure],
        currencies: &[Currency],
        sql: &mut Sql,
    ) {
        let columns = sums(self.ask, measures, true);
        let named = || {
            (0..currencies.len())
                .flat_map(|currency| (0..columns.len()).map(move |place| (currency, place)))
                .filter_map(|(currency, place)| {
                    user_column(currency, place, measures).map(|name| (currency, place, name))
                })
        };
        let is_users = |place: usize| place > 0 && measures.get(place - 1) == Some(&Measure::Users);
        sql.push("SELECT ");
        for (place, dimension) in self.ask.dimensions.iter().enumerate() {
            match dimension {
                Dimension::UserAge => {
                    write_user_age("v.user_id", self.ask.range.span.from, sql);
                }
                _ => write_user_frequency("v.user_id", "v.frequency", sql),
            }
            sql.push(&format!(" AS {}, ", key_name(place)));
        }
        // A user's actions fit into 32 bits, whose sums need no wider numbers than 64.
        sql.push("CAST(SUM(CAST(v.frequency AS integer)) AS bigint) AS rows_read");
        for (_, place, name) in named() {
            let sum = match columns.get(place) {
                _ if is_users(place) => "COUNT(v.user_id)".to_owned(),
                Some(Column::Sum(what)) if what == "1" => {
                    format!("CAST(SUM(CAST(v.{name} AS integer)) AS bigint)")
                }
                _ => format!("CAST(SUM(v.{name}) AS bigint)"),
            };
            sql.push(&format!(", {sum} AS {name}"));
        }
        sql.push(" FROM (SELECT a.user_id, COUNT(*) AS frequency");
        for (currency, place, name) in named().filter(|(_, place, _)| !is_users(*place)) {
            let Some(Column::Sum(what)) = columns.get(place) else {
                continue;
            };
            let apart = measures
                .get(place.wrapping_sub(1))
                .is_none_or(|measure| is_of_money(*measure));
            let code = currencies
                .get(currency)
                .filter(|_| apart && currencies.len() > 1);
            if let Some(code) = code {
                sql.push(", COALESCE(SUM(CASE WHEN a.currency = ")
                    .bind(code.as_str())
                    .push(&format!(" THEN {what} ELSE 0 END), 0) AS {name}"));
            } else {
                sql.push(&format!(", COALESCE(SUM({what}), 0) AS {name}"));
            }
        }
        for part in &self.ask.parts {
            self.write_plain_facts(part, sql);
        }
        sql.push(" GROUP BY a.user_id) v");
        if self.ask.dimensions.contains(&Dimension::UserAge) {
            sql.push(" LEFT JOIN user_lifetimes l ON l.publisher_id = ")
                .bind(self.scope.publisher().0)
                .push(" AND l.user_id = v.user_id");
        }
        let keys: Vec<String> = (0..self.ask.dimensions.len()).map(key_name).collect();
        sql.push(&format!(" GROUP BY {}", keys.join(", ")));
    }
}
