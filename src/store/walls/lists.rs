//! Programs and ad spaces that a key is limited to by id or name, and what it is told of their clicks that are missing.

use super::super::sql::Sql;
use super::{Walls, base};
use crate::domain::clicks::LeftOutDays;
use crate::domain::text::fold;
use crate::domain::time::Day;

impl Walls {
    /// What a key is limited to by its id or name.
    fn named_lists(&self) -> [(&'static str, &'static str, Option<&Vec<String>>); 2] {
        [
            ("programs", "program_id", self.limits.programs.as_ref()),
            ("ad_spaces", "ad_space_id", self.limits.ad_spaces.as_ref()),
        ]
    }

    /// Appends the ids of the programs and ad spaces that the key is limited to. They stand before all walls, where the names
    /// of their tables mean the tables on PostgreSQL, too: behind the walls, whether one of a list is seen would decide
    /// what else is.
    pub(super) fn write_named_lists(&self, sql: &mut Sql) {
        for (table, _, list) in self.named_lists() {
            let Some(list) = list else { continue };
            let lead = if sql.text().is_empty() { "WITH " } else { ", " };
            sql.push(&format!(
                "{lead}limited_{table} AS NOT MATERIALIZED (SELECT n.id FROM {} n WHERE n.publisher_id = ",
                base(table, sql)
            ))
            .bind(self.publisher.0);
            sql.push(" AND ");
            write_named("n", list, sql);
            sql.push(")");
        }
    }

    /// Appends the limits on programs and ad spaces, which totals know as well.
    pub(super) fn write_channel(&self, row: &str, sql: &mut Sql) {
        for (table, column, list) in self.named_lists() {
            if list.is_some() {
                sql.push(&format!(
                    " AND {row}.{column} IN (SELECT n.id FROM limited_{table} n)"
                ));
            }
        }
    }

    /// What of clicks that were left out the key would see if they were there: those of its programs, ad spaces and days.
    /// Upstream is asked by its ids, so that names play no part.
    pub(in crate::store) fn seen_of(&self, left: LeftOutDays) -> Option<LeftOutDays> {
        let (mut set, (mut first, last)) = left;
        let of =
            |list: Option<&Vec<String>>, id: &String| list.is_none_or(|list| list.contains(id));
        let (programs, ad_spaces) = (
            self.limits.programs.as_ref(),
            self.limits.ad_spaces.as_ref(),
        );
        if !of(programs, &set.program) || !of(ad_spaces, &set.ad_space) {
            return None;
        }
        if let Some(day) = self.first_day.filter(|day| *day > set.from) {
            set.from = day;
            first = last.on_its_clock(Day::from_days(day).ok()?);
        }
        (set.from <= set.to).then_some((set, (first, last)))
    }
}

/// Appends the condition that a program or an ad space is one of those named: by upstream's id, or by its name where it
/// has none.
fn write_named(row: &str, list: &[String], sql: &mut Sql) {
    sql.push(&format!("({row}.external_id IN "))
        .bind_all(list.iter().cloned());
    sql.push(&format!(
        " OR {row}.external_id IS NULL AND {row}.name_folded IN "
    ))
    .bind_all(list.iter().map(|name| fold(name)));
    sql.push(")");
}
