//! Facts by what their users are: summed up by user first, and then users by what they are.
//!
//! Each currency has columns of its own, so that a user is one row and is counted once.

use super::Writer;
use super::columns::{Column, key_name, sums, write_user_frequency};
use crate::domain::action::Status;
use crate::domain::filter::{ActionField, ActionTest, Filter, Op, Value};
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

/// Whether no declined action satisfies a filter, as far as one sees.
fn excludes_declined(filter: &Filter<ActionTest>) -> bool {
    let holds = |op: &Op| op.holds(&Value::from(Status::Declined.as_str()));
    match filter {
        Filter::All(parts) => parts.iter().any(excludes_declined),
        Filter::Any(parts) => parts.iter().all(excludes_declined),
        Filter::Test(ActionTest::Field(ActionField::Status, op)) => !holds(op),
        Filter::Not(part) => match part.as_ref() {
            Filter::Test(ActionTest::Field(ActionField::Status, op)) => holds(op),
            _ => false,
        },
        Filter::Test(_) => false,
    }
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
    /// Appends what users are, in words, each followed by a comma.
    fn write_words(&self, sql: &mut Sql) {
        for (place, dimension) in self.ask.dimensions.iter().enumerate() {
            if *dimension == Dimension::UserAge {
                sql.push("CASE WHEN x.is_none THEN 'UNATTRIBUTED' WHEN x.is_known THEN 'RETURNING' ELSE 'NEW' END");
            } else {
                write_user_frequency("x.is_none", "x.frequency", sql);
            }
            sql.push(&format!(" AS {}, ", key_name(place)));
        }
    }

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
        let all_counted = excludes_declined(&self.ask.filter);
        sql.push("SELECT ");
        self.write_words(sql);
        for (number, (_, place, name)) in named().enumerate() {
            let sum = match columns.get(place) {
                _ if is_users(place) => "COUNT(x.user_id)".to_owned(),
                // A user's actions fit into 32 bits, whose sums need no wider numbers than 64.
                Some(Column::Sum(what)) if what == "1" => {
                    format!("CAST(SUM(CAST(x.{name} AS integer)) AS bigint)")
                }
                _ => format!("CAST(SUM(x.{name}) AS bigint)"),
            };
            let between = if number == 0 { "" } else { ", " };
            sql.push(&format!("{between}{sum} AS {name}"));
        }
        sql.push(" FROM (SELECT v.*, v.user_id IS NULL AS is_none");
        let by_age = self.ask.dimensions.contains(&Dimension::UserAge);
        if by_age && all_counted {
            sql.push(", l.user_id IS NULL AS is_known");
        } else if by_age {
            sql.push(", l.first_ordered_at_us < ")
                .bind(self.ask.range.span.from.micros())
                .push(" AS is_known");
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
            let counts = what == "1";
            match code {
                Some(code) if counts => sql
                    .push(", COUNT(CASE WHEN a.currency = ")
                    .bind(code.as_str())
                    .push(" THEN 1 END)"),
                Some(code) => sql
                    .push(", CAST(COALESCE(SUM(CASE WHEN a.currency = ")
                    .bind(code.as_str())
                    .push(&format!(" THEN {what} ELSE 0 END), 0) AS bigint)")),
                None if counts => sql.push(", COUNT(*)"),
                None => sql.push(&format!(", CAST(COALESCE(SUM({what}), 0) AS bigint)")),
            };
            sql.push(&format!(" AS {name}"));
        }
        for part in &self.ask.parts {
            self.write_plain_facts(part, sql);
        }
        sql.push(" GROUP BY a.user_id) v");
        if by_age {
            sql.push(" LEFT JOIN user_lifetimes l ON l.publisher_id = ")
                .bind(self.scope.publisher().0)
                .push(" AND l.user_id = v.user_id");
            if all_counted {
                // Each user has a lifetime then, and those that began before need not be looked at.
                sql.push(" AND l.first_ordered_at_us >= ")
                    .bind(self.ask.range.span.from.micros());
            }
        }
        // By what is counted, not by the words for it: of a truth value PostgreSQL knows that it makes two groups, of any
        // other expression it expects as many as there are users, and sorts them. Who reads the rows adds them up.
        sql.push(") x GROUP BY x.is_none");
        for dimension in &self.ask.dimensions {
            sql.push(match dimension {
                Dimension::UserAge => ", x.is_known",
                _ => ", x.frequency",
            });
        }
    }
}
