//! The largest groups alone: which they are is found by one sum, and only they are summed up in full.

use super::columns::key_name;
use super::{Shape, Writer};
use crate::domain::report::Dimension;
use crate::domain::report::metric::{Measure, Standing};
use crate::domain::report::plan::{Source, Top, What};
use crate::store::sql::Sql;

impl Writer<'_> {
    /// Appends the statement of the largest groups.
    pub(super) fn write_top(&self, top: &Top, sql: &mut Sql) {
        let shape = match self.ask.source {
            Source::Total(_) => Shape::Plain,
            Source::Facts | Source::Items | Source::Clicks(_) => Shape::Grouped,
        };
        sql.push("WITH u AS (");
        self.write_parts(&self.pieces(), shape, sql);
        let keys: Vec<String> = (0..self.ask.dimensions.len()).map(key_name).collect();
        let keys = keys.join(", ");
        sql.push(&format!("), z AS (SELECT {keys}, "));
        self.write_rank(top, sql);
        sql.push(&format!(" AS rank_value FROM u GROUP BY {keys}"));
        if self.ask.dimensions.contains(&Dimension::CategoryLevel2) {
            // What own categories and those beyond them make together can be nothing.
            sql.push(" HAVING SUM(s0) > 0");
        }
        sql.push(&format!(
            "), t AS (SELECT z.* FROM z ORDER BY CASE WHEN rank_value IS NULL THEN 1 ELSE 0 END, rank_value DESC, {keys} \
             LIMIT "
        ))
        .bind(i64::from(top.count));
        let names: Vec<String> = self
            .group_names()
            .iter()
            .map(|name| format!("u.{name}"))
            .collect();
        let links: Vec<String> = (0..self.ask.dimensions.len())
            .map(|place| format!("u.{0} = t.{0}", key_name(place)))
            .collect();
        sql.push(&format!(
            ") SELECT {0}, {1}, (SELECT CAST(SUM(u.rows_read) AS bigint) FROM u) AS all_read FROM t JOIN u ON {2} GROUP BY {0}",
            names.join(", "),
            self.outer_sums("u."),
            links.join(" AND ")
        ));
    }

    /// Appends what groups are ranked by; nothing for those that have none of the currency.
    fn write_rank(&self, top: &Top, sql: &mut Sql) {
        let place = match &self.ask.what {
            What::Sums(measures) => measures.iter().position(|measure| *measure == top.by),
            _ => None,
        };
        let place = match (top.by, place) {
            (Measure::Actions(Standing::Any), _) | (_, None) => 0,
            (_, Some(place)) => place + 1,
        };
        let Some(currency) = top.currency else {
            sql.push(&format!("SUM(s{place})"));
            return;
        };
        sql.push("CASE WHEN SUM(CASE WHEN currency = ")
            .bind(currency.as_str())
            .push(" THEN s0 ELSE 0 END) > 0 THEN SUM(CASE WHEN currency = ")
            .bind(currency.as_str())
            .push(&format!(" THEN s{place} ELSE 0 END) END"));
    }
}
