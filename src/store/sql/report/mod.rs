//! The statements of a report: one for each question, pure.
//!
//! A stretch of a total is a range of cells; where all stretches are one piece, they are alternatives of one scan, and
//! their rows are summed up together with those of the facts at the ends. Many short runs are a list that the total is
//! looked up by. Each part that tells its pieces is grouped by itself.

mod clicks;
mod columns;
mod top;
mod users;

use super::Sql;
use super::cells::{write_cells, write_nulled};
use super::filter::{write_filter, write_range};
use super::segment::write_set;
use super::statuses::is_processed;
use crate::domain::filter::{ActionField, ActionTest};
use crate::domain::report::Dimension;
use crate::domain::report::plan::{Ask, Part, Source, What};
use crate::domain::sales::DateAxis;
use crate::domain::scope::ReadScope;
use crate::domain::totals::{Cells, Tier, Total};
pub(in crate::store) use clicks::{bounded_clicks, known_clicks, reached_clicks};
use columns::{
    axis_column, cell_day, fact_day, key_name, sums, total_column, write_fact_key, write_reason,
    write_total_key,
};
pub(in crate::store) use columns::{is_id, is_none};
use sea_orm::DbBackend;
pub(in crate::store) use users::user_column;

/// The statement that answers a question with so many rows at most and one more, which tells that there are others.
pub(in crate::store) fn statement(
    ask: &Ask,
    most: usize,
    scope: ReadScope,
    backend: DbBackend,
) -> Sql {
    let writer = Writer { ask, scope };
    let mut sql = Sql::new(backend);
    writer.write_lists(&mut sql);
    match &ask.what {
        What::Sums(measures) => match (&ask.top, &ask.per_user) {
            (Some(top), _) => writer.write_top(top, &mut sql),
            (None, Some(currencies)) => writer.write_by_user(measures, currencies, &mut sql),
            (None, None) => writer.write_sums(&mut sql),
        },
        What::Users => writer.write_users(&mut sql),
        What::Clicks => writer.write_clicks(&mut sql),
        What::ConversionLag => writer.write_lag("a.conversion_seconds", None, &mut sql),
        What::ValidationLag => writer.write_lag(
            "(a.status_updated_at_us - a.ordered_at_us) / 1000000",
            Some(&is_processed("a")),
            &mut sql,
        ),
    }
    sql.push(" LIMIT ")
        .bind(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1));
    sql
}

/// How rows of a part are to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Summed up by group.
    Grouped,
    /// As they are where they are sums already, to be summed up with those of other parts.
    Plain,
}

/// A question being written.
struct Writer<'a> {
    ask: &'a Ask,
    scope: ReadScope,
}

impl Writer<'_> {
    /// Appends the lists of pieces, each a table of its own.
    fn write_lists(&self, sql: &mut Sql) {
        let mut first = true;
        for (place, part) in self.ask.parts.iter().enumerate() {
            let list: &[(i64, i64)] = match part {
                Part::Runs { runs, .. } if part.beat().is_none() => runs,
                Part::Facts(spans) if self.ask.tells_pieces() => spans,
                _ => continue,
            };
            sql.push(if first { "WITH " } else { ", " });
            first = false;
            let begins: &[i64] = if self.ask.needs_begins() {
                &self.ask.begins
            } else {
                &[]
            };
            let also = if begins.is_empty() { "" } else { ", begins" };
            sql.push(&format!("p{place}(lo, hi{also}) AS (VALUES "));
            for (row, (lo, hi)) in list.iter().enumerate() {
                sql.push(if row == 0 { "" } else { ", " });
                sql.bind_all([*lo, *hi].into_iter().chain(begins.get(row).copied()));
            }
            sql.push(")");
        }
        if !first {
            sql.push(" ");
        }
    }

    /// The tiers that a part is read from; one nameless one where there are none.
    fn tiers(&self, part: &Part) -> &'static [Option<Tier>] {
        if matches!(part, Part::Facts(_)) || self.ask.source != Source::Total(Total::Category) {
            return &[None];
        }
        let has = |dimension| self.ask.dimensions.contains(&dimension);
        if has(Dimension::CategoryLevel1) {
            &[Some(Tier::Level1)]
        } else if has(Dimension::CategoryLevel2) {
            &[Some(Tier::Own), Some(Tier::Level2Beyond)]
        } else {
            &[Some(Tier::Own)]
        }
    }

    /// Each part with each of its tiers. Runs that are one piece stand for themselves once, with the first of them,
    /// unless each row has to tell its day, which is another number in cells of another length.
    fn pieces(&self) -> Vec<(usize, &Part, Option<Tier>)> {
        let is_run = |part: &Part| matches!(part, Part::Run(_));
        let first = self.ask.parts.iter().position(is_run);
        let parts = self.ask.parts.iter().enumerate();
        parts
            .filter(|(place, part)| !self.unites_runs() || !is_run(part) || Some(*place) == first)
            .flat_map(|(place, part)| {
                self.tiers(part)
                    .iter()
                    .map(move |tier| (place, part, *tier))
            })
            .collect()
    }

    /// Whether all runs of cells are alternatives of one scan.
    fn unites_runs(&self) -> bool {
        !self.ask.tells_pieces() && !self.ask.per_day
    }

    /// The runs of cells that a part stands for.
    fn runs(&self, part: &Part) -> Vec<Cells> {
        match part {
            Part::Runs { .. } | Part::Facts(_) => return Vec::new(),
            Part::Run(_) if self.unites_runs() => {}
            Part::Run(cells) | Part::Each(cells) => return vec![*cells],
        }
        let parts = self.ask.parts.iter();
        parts
            .filter_map(|part| match part {
                Part::Run(cells) => Some(*cells),
                _ => None,
            })
            .collect()
    }

    fn write_sums(&self, sql: &mut Sql) {
        let pieces = self.pieces();
        if self.ask.tells_pieces() || pieces.len() == 1 {
            self.write_parts(&pieces, Shape::Grouped, sql);
            return;
        }
        self.write_united(&pieces, sql);
    }

    /// Appends parts that are one piece, summed up together.
    fn write_united(&self, pieces: &[(usize, &Part, Option<Tier>)], sql: &mut Sql) {
        let names = self.group_names();
        sql.push(&format!(
            "SELECT {}, {} FROM (",
            names.join(", "),
            self.outer_sums("")
        ));
        self.write_parts(pieces, Shape::Plain, sql);
        sql.push(&format!(") u GROUP BY {}", names.join(", ")));
    }

    /// Whether the rows of a part are its groups already: each cell is a piece, and each key a group.
    fn is_grouped(&self, part: &Part) -> bool {
        let Source::Total(total) = self.ask.source else {
            return false;
        };
        let columns: Vec<&str> = self
            .ask
            .dimensions
            .iter()
            .map(|by| total_column(*by))
            .collect();
        let mut keys = total.keys().iter();
        let is_cell_by_cell = match part {
            Part::Each(_) => true,
            Part::Runs { runs, .. } => {
                part.beat().is_some() && runs.iter().all(|(from, to)| to - from == 1)
            }
            Part::Run(_) | Part::Facts(_) => false,
        };
        is_cell_by_cell
            && keys.all(|key| ["tier", "currency"].contains(key) || columns.contains(key))
    }

    /// The sums of sums, each column led by what tells its table.
    fn outer_sums(&self, table: &str) -> String {
        let count = match &self.ask.what {
            What::Sums(measures) => measures.len() + 1,
            _ => 1,
        };
        let names = std::iter::once("rows_read".to_owned())
            .chain((0..count).map(|place| format!("s{place}")));
        let sums: Vec<String> = names
            .map(|name| format!("CAST(SUM({table}{name}) AS bigint) AS {name}"))
            .collect();
        sums.join(", ")
    }

    fn write_parts(&self, pieces: &[(usize, &Part, Option<Tier>)], shape: Shape, sql: &mut Sql) {
        for (place, (number, part, tier)) in pieces.iter().enumerate() {
            sql.push(if place == 0 { "" } else { " UNION ALL " });
            self.write_part((*number, part), *tier, shape, sql);
        }
    }

    /// The columns that groups are told apart by.
    fn group_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.ask.tells_pieces() {
            names.push("piece".to_owned());
        }
        if self.ask.per_day {
            names.push("utc_day".to_owned());
        }
        if matches!(self.ask.what, What::Sums(_)) {
            names.push("currency".to_owned());
        }
        names.extend((0..self.ask.dimensions.len()).map(key_name));
        names
    }

    /// Appends one part: `SELECT … FROM … WHERE … GROUP BY …`.
    fn write_part(
        &self,
        (number, part): (usize, &Part),
        tier: Option<Tier>,
        shape: Shape,
        sql: &mut Sql,
    ) {
        let facts = matches!(part, Part::Facts(_));
        sql.push("SELECT ");
        if self.ask.tells_pieces() {
            let piece = match (part, part.beat()) {
                (Part::Each(_), _) => "t.cell".to_owned(),
                (Part::Run(_), _) => "0".to_owned(),
                (_, Some((a_day, first))) => format!("(t.cell / {a_day}) * {a_day} + {first}"),
                (Part::Runs { .. } | Part::Facts(_), None) => "p.lo".to_owned(),
            };
            sql.push(&format!("{number} AS part, {piece} AS piece, "));
        }
        if self.ask.per_day {
            let day = match part {
                Part::Run(cells) | Part::Each(cells) => cell_day(cells.grain),
                Part::Runs { grain, .. } => cell_day(*grain),
                Part::Facts(_) => fact_day(self.ask.range.axis),
            };
            sql.push(&format!("{day} AS utc_day, "));
        }
        let is_plain = !facts && (shape == Shape::Plain || self.is_grouped(part));
        if let What::Sums(measures) = &self.ask.what {
            sql.push(if facts {
                "a.currency AS currency, "
            } else {
                "t.currency AS currency, "
            });
            self.write_keys(facts, sql);
            if self.ask.tells_reasons() {
                write_reason(sql);
            }
            sql.push(match shape {
                // To be summed up: sums of 32 bits need no wider numbers than 64.
                Shape::Plain if is_plain => "1 AS rows_read",
                Shape::Grouped if is_plain => "CAST(1 AS bigint) AS rows_read",
                _ => "COUNT(*) AS rows_read",
            });
            for (place, column) in sums(self.ask, measures, facts).iter().enumerate() {
                let text = match (is_plain, column) {
                    (true, columns::Column::Sum(what)) => what.clone(),
                    (_, column) => column.aggregate(),
                };
                sql.push(&format!(", {text} AS s{place}"));
            }
        } else {
            self.write_keys(facts, sql);
            sql.push("COUNT(*) AS rows_read, COUNT(DISTINCT a.user_id) AS s0");
        }
        if facts {
            self.write_facts(number, part, sql);
        } else {
            self.write_cells(number, part, tier, sql);
        }
        let names = self.group_names();
        if !is_plain && !names.is_empty() {
            sql.push(&format!(" GROUP BY {}", names.join(", ")));
        }
    }

    fn write_keys(&self, facts: bool, sql: &mut Sql) {
        let filled = self.ask.fills_keys();
        let hidden = self.hides_none();
        for (place, dimension) in self.ask.dimensions.iter().enumerate() {
            if facts {
                write_fact_key(*dimension, self.ask, filled, sql);
            } else {
                write_total_key(*dimension, &hidden, sql);
            }
            sql.push(&format!(" AS {}, ", key_name(place)));
        }
    }

    /// Appends the rows of a total that a part has.
    fn write_cells(&self, number: usize, part: &Part, tier: Option<Tier>, sql: &mut Sql) {
        let Source::Total(total) = self.ask.source else {
            return;
        };
        sql.push(" FROM ");
        if matches!(part, Part::Runs { .. }) && part.beat().is_none() {
            // The list leads: SQLite takes the order of a CROSS JOIN as it is written.
            sql.push(&format!("p{number} p CROSS JOIN "));
        }
        write_nulled(total, self.scope.publisher(), &self.hides_none(), "t", sql);
        sql.push(" WHERE ");
        if let Part::Runs { grain, runs } = part {
            sql.push("t.publisher_id = ").bind(self.scope.publisher().0);
            if let Some(tier) = tier {
                sql.push(" AND t.tier = ").bind(tier.number());
            }
            sql.push(" AND t.grain = ").bind(grain.number());
            if part.beat().is_some() {
                let cells = runs.iter().flat_map(|(from, to)| *from..*to);
                sql.push(" AND ").among_numbers("t.cell", cells);
            } else {
                sql.push(" AND t.cell >= p.lo AND t.cell < p.hi");
            }
        } else {
            let tiers: Vec<Tier> = tier.into_iter().collect();
            write_cells(self.scope.publisher(), &tiers, &self.runs(part), "t", sql);
        }
        sql.push(" AND ");
        write_filter(&self.ask.filter, "t", sql);
    }

    /// The columns whose word for none a condition of the filter could take for a value.
    fn hides_none(&self) -> Vec<&'static str> {
        let asks = |is: &dyn Fn(&ActionTest) -> bool| self.ask.filter.mentions(&is);
        let mut hidden = Vec::new();
        if asks(&|test| matches!(test, ActionTest::AdSpace(_))) {
            hidden.push("ad_space_id");
        }
        if asks(&|test| matches!(test, ActionTest::Field(ActionField::Country, _))) {
            hidden.push("country");
        }
        if asks(&|test| matches!(test, ActionTest::Field(ActionField::Device, _))) {
            hidden.push("device");
        }
        hidden
    }

    /// Appends the facts of a part with what the keys of the dimensions need beside them.
    fn write_facts(&self, number: usize, part: &Part, sql: &mut Sql) {
        sql.push(" FROM ");
        if self.ask.tells_pieces() {
            sql.push(&format!("p{number} p CROSS JOIN "));
        }
        sql.push("actions a");
        self.write_joins(sql);
        self.write_where(part, sql);
    }

    /// Appends the facts of a part alone.
    fn write_plain_facts(&self, part: &Part, sql: &mut Sql) {
        sql.push(" FROM actions a");
        self.write_where(part, sql);
    }

    /// Appends the condition on the facts of a part.
    fn write_where(&self, part: &Part, sql: &mut Sql) {
        sql.push(" WHERE a.publisher_id = ")
            .bind(self.scope.publisher().0);
        let column = axis_column(self.ask.range.axis);
        if self.ask.tells_pieces() {
            sql.push(&format!(" AND a.{column} >= p.lo AND a.{column} < p.hi"));
        } else if let Part::Facts(spans) = part {
            for (lo, hi) in spans {
                sql.push(&format!(" AND a.{column} >= ")).bind(*lo);
                sql.push(&format!(" AND a.{column} < ")).bind(*hi);
            }
        }
        sql.push(" AND ");
        write_filter(&self.ask.filter, "a", sql);
    }

    /// Appends what the keys of the dimensions need beside the actions.
    fn write_joins(&self, sql: &mut Sql) {
        let has = |dimension| self.ask.dimensions.contains(&dimension);
        if self.ask.dimensions.iter().any(|by| by.is_of_items()) {
            sql.push(
                " JOIN action_items i ON i.publisher_id = a.publisher_id AND i.action_id = a.id",
            );
        }
        if has(Dimension::CategoryLevel1) || has(Dimension::CategoryLevel2) {
            sql.push(" LEFT JOIN categories c ON c.publisher_id = i.publisher_id AND c.id = i.category_id");
        }
        for (dimension, alias, id) in [
            (Dimension::UserSegment, "gu", "a.user_id"),
            (Dimension::ProductSegment, "gp", "i.product_id"),
        ] {
            if has(dimension) {
                sql.push(" LEFT JOIN (");
                self.write_segments(dimension, sql);
                sql.push(&format!(") {alias} ON {alias}.member_id = {id}"));
            }
        }
        if has(Dimension::UserAge) {
            sql.push(
                " LEFT JOIN user_lifetimes l ON l.publisher_id = a.publisher_id AND l.user_id = a.user_id",
            );
        }
        if has(Dimension::UserFrequency) {
            sql.push(
                " LEFT JOIN (SELECT b.user_id, COUNT(*) AS frequency FROM actions b WHERE b.publisher_id = ",
            )
            .bind(self.scope.publisher().0)
            .push(" AND b.user_id IS NOT NULL AND ");
            write_range(&self.ask.range, "b", sql);
            sql.push(" AND ");
            write_filter(&self.ask.filter, "b", sql);
            sql.push(" GROUP BY b.user_id) q ON q.user_id = a.user_id");
        }
    }

    /// Appends the members of the segments that a dimension divides by, each with its segment.
    fn write_segments(&self, dimension: Dimension, sql: &mut Sql) {
        let sets = self.ask.segments.iter();
        let sets = sets.filter(|set| dimension.segments_of() == Some(set.subject));
        for (place, set) in sets.enumerate() {
            sql.push(if place == 0 { "" } else { " UNION ALL " });
            sql.push("SELECT z.id AS member_id, ");
            if sql.backend() == DbBackend::Postgres {
                sql.push("CAST(").bind(set.id).push(" AS uuid)");
            } else {
                sql.bind(set.id);
            }
            sql.push(" AS segment_id FROM (");
            write_set(set, sql);
            sql.push(") z");
        }
        // Behind walls it takes many rows to tell that one row is there: PostgreSQL would ask it of each action anew.
        if sql.backend() == DbBackend::Postgres && self.scope.narrowing().is_some() {
            sql.push(" OFFSET 0");
        }
    }

    fn write_users(&self, sql: &mut Sql) {
        for (number, part) in self.ask.parts.iter().enumerate() {
            sql.push(if number == 0 { "" } else { " UNION ALL " });
            self.write_part((number, part), None, Shape::Grouped, sql);
        }
    }

    /// Appends nearest-rank quantiles of a value of the actions that have it.
    fn write_lag(&self, value: &str, also: Option<&str>, sql: &mut Sql) {
        let names = self.group_names();
        let list = |lead: &str| {
            if names.is_empty() {
                String::new()
            } else {
                format!("{lead}{}", names.join(", "))
            }
        };
        let columns = names.iter().map(|name| format!("r.{name}, "));
        let part = if self.ask.tells_pieces() {
            "0 AS part, "
        } else {
            ""
        };
        sql.push(&format!(
            "SELECT {part}{}CAST(MAX(r.many) AS bigint) AS rows_read, \
             CAST(MIN(CASE WHEN r.place * 100 >= r.many * 50 THEN r.value END) AS bigint) AS s0, \
             CAST(MIN(CASE WHEN r.place * 100 >= r.many * 90 THEN r.value END) AS bigint) AS s1 FROM (SELECT v.*, \
             row_number() OVER ({}{}ORDER BY v.value) AS place, COUNT(*) OVER ({}) AS many FROM (SELECT ",
            columns.collect::<String>(),
            list("PARTITION BY "),
            if names.is_empty() { "" } else { " " },
            list("PARTITION BY "),
        ));
        if self.ask.tells_pieces() {
            sql.push("p.lo AS piece, ");
        }
        self.write_keys(true, sql);
        sql.push(&format!("{value} AS value"));
        for (number, part) in self.ask.parts.iter().enumerate() {
            self.write_facts(number, part, sql);
        }
        if let Some(also) = also {
            sql.push(&format!(" AND {also}"));
        }
        sql.push(&format!(
            ") v WHERE v.value IS NOT NULL) r{} HAVING COUNT(*) > 0",
            list(" GROUP BY ")
        ));
    }
}

/// How many actions lie on an axis in stretches that do not overlap, up to a limit: where no total tells.
pub(in crate::store) fn bounded_count(
    (axis, spans): (DateAxis, &[(i64, i64)]),
    limit: i64,
    scope: ReadScope,
    backend: DbBackend,
) -> Sql {
    let column = axis_column(axis);
    let mut sql = Sql::new(backend);
    if let [(lo, hi)] = spans {
        sql.push(
            "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM actions a WHERE a.publisher_id = ",
        )
        .bind(scope.publisher().0);
        sql.push(&format!(" AND a.{column} >= ")).bind(*lo);
        sql.push(&format!(" AND a.{column} < ")).bind(*hi);
    } else {
        sql.push("WITH p(lo, hi) AS (VALUES ");
        for (place, (lo, hi)) in spans.iter().enumerate() {
            sql.push(if place == 0 { "" } else { ", " });
            sql.bind_all([*lo, *hi]);
        }
        sql.push(
            ") SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM p CROSS JOIN actions a WHERE a.publisher_id = ",
        )
        .bind(scope.publisher().0)
        .push(&format!(" AND a.{column} >= p.lo AND a.{column} < p.hi"));
    }
    sql.push(" LIMIT ").bind(limit).push(") f");
    sql
}
