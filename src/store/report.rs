//! What a report reads: a statement for each question of its plan, and its rows.

use super::columns;
use super::convert::inconsistent;
use super::listing::column;
use super::sql::report::{bounded_clicks, bounded_count, is_id, is_none, statement, user_column};
use super::sql::{MAX_BOUND, Sql};
use super::tx::ReadTx;
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::money::Currency;
use crate::domain::report::metric::Measure;
use crate::domain::report::plan::{Ask, Part, Plan, Source, What};
use crate::domain::report::{Dimension, KeyPart, MAX_ROWS};
use crate::domain::sales::DateAxis;
use crate::domain::scope::ReadScope;
use sea_orm::{DbBackend, QueryResult};
use uuid::Uuid;

/// The name of columns in memory in `info.sources`.
const COLUMNS: &str = "columns";

/// A row of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Part and name of the piece of time, where the question tells pieces.
    pub piece: (usize, i64),
    /// The UTC day, where the question is by day.
    pub day: Option<i32>,
    /// The currency, of sums.
    pub currency: Option<Currency>,
    /// The key of the group.
    pub key: Vec<KeyPart>,
    /// How many rows of the source it comes from.
    pub rows_read: i64,
    /// Of sums: actions, and the measures in their order. Users: their number. Quantiles: median and 90th percentile.
    pub values: Vec<i64>,
}

/// What a question was answered with, and from what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether columns in memory gave them.
    pub is_from_columns: bool,
}

impl Answer {
    /// The names of what was read, in `info.sources`: beside a total the facts, where its cells left some to them.
    #[must_use]
    pub fn sources(&self, ask: &Ask) -> Vec<&'static str> {
        if self.is_from_columns {
            return vec![COLUMNS];
        }
        let mut names = vec![ask.source.name()];
        let is_of_facts = |row: &Row| {
            // Where rows tell no piece, they are sums of cells and facts together.
            !ask.tells_pieces() || matches!(ask.parts.get(row.piece.0), Some(Part::Facts(_)))
        };
        if !ask.ends().is_empty() && self.rows.iter().any(is_of_facts) {
            names.push(Source::Facts.name());
        }
        names
    }
}

/// Asks columns in memory one question; nothing where they do not have the answer. Where there is no time to ask about,
/// that is one.
///
/// # Errors
/// When the answer is too long, or the database fails.
pub async fn from_columns(tx: &ReadTx, scope: ReadScope, ask: &Ask) -> Result<Option<Answer>> {
    if asks_nothing(ask) {
        return Ok(Some(Answer::default()));
    }
    let found = columns::report::answer(tx, scope, ask).await?;
    found.map(|rows| checked(rows, true)).transpose()
}

/// Asks the database one question: one statement; none where there is no time to ask about.
///
/// # Errors
/// When the answer is too long, or the database fails.
pub async fn from_tables(tx: &ReadTx, scope: ReadScope, ask: &Ask) -> Result<Answer> {
    if asks_nothing(ask) {
        return Ok(Answer::default());
    }
    checked(read(tx, scope, ask).await?, false)
}

fn asks_nothing(ask: &Ask) -> bool {
    ask.parts.is_empty() || ask.per_user.as_ref().is_some_and(Vec::is_empty)
}

fn checked(rows: Vec<Row>, is_from_columns: bool) -> Result<Answer> {
    if rows.len() > MAX_ROWS {
        return Err(Error::limit(
            "groupBy",
            PassedLimit::of("reportRows", MAX_ROWS, rows.len()),
            format!(
                "the report has more than {MAX_ROWS} groups, counted per currency and, where money is converted, per \
                 day; group by less, filter more or ask for a shorter range"
            ),
        ));
    }
    Ok(Answer {
        rows,
        is_from_columns,
    })
}

/// The rows of a question's statement, one more than are allowed where there are too many.
async fn read(tx: &ReadTx, scope: ReadScope, ask: &Ask) -> Result<Vec<Row>> {
    let sql = statement(ask, scope, tx.backend());
    if sql.bound() > MAX_BOUND {
        return Err(Error::limit(
            "filter",
            PassedLimit::of("statementValues", MAX_BOUND, sql.bound()),
            format!(
                "the filter's values and the stretches of time are {} together, {MAX_BOUND} are allowed; list fewer \
                 values or ask for longer stretches",
                sql.bound()
            ),
        ));
    }
    let rows = tx.rows(sql).await?;
    if let (What::Sums(measures), Some(currencies)) = (&ask.what, &ask.per_user) {
        let rows = rows
            .iter()
            .map(|row| of_users(ask, row, measures, currencies));
        return Ok(rows.collect::<Result<Vec<_>>>()?.concat());
    }
    let mut found: Vec<Row> = rows
        .iter()
        .map(|row| to_row(ask, row))
        .collect::<Result<_>>()?;
    if ask.top.is_some() {
        // Each row tells how many were read for all of them.
        let all = rows.first().map(|row| column(row, "all_read"));
        for row in &mut found {
            row.rows_read = 0;
        }
        if let Some(first) = found.first_mut() {
            first.rows_read = all.transpose()?.unwrap_or(0);
        }
    }
    Ok(found)
}

/// A row of users by what they are, as a row for each currency; the first holds what has none.
fn of_users(
    ask: &Ask,
    row: &QueryResult,
    measures: &[Measure],
    currencies: &[Currency],
) -> Result<Vec<Row>> {
    let key = key(ask, row)?;
    let of_currency = |(number, currency): (usize, &Currency)| {
        let value =
            |place| user_column(number, place, measures).map_or(Ok(0), |name| column(row, &name));
        Ok(Row {
            piece: (0, 0),
            day: None,
            currency: Some(*currency),
            key: key.clone(),
            rows_read: value(0)?,
            values: (0..=measures.len()).map(value).collect::<Result<_>>()?,
        })
    };
    currencies.iter().enumerate().map(of_currency).collect()
}

/// The key of a row.
fn key(ask: &Ask, row: &QueryResult) -> Result<Vec<KeyPart>> {
    let dimensions = ask.dimensions.iter().enumerate();
    dimensions
        .map(|(place, dimension)| key_part(ask, row, place, *dimension))
        .collect()
}

fn to_row(ask: &Ask, row: &QueryResult) -> Result<Row> {
    let sums = match &ask.what {
        What::Sums(measures) => Some(measures.len() + 1),
        _ => None,
    };
    let piece = if ask.tells_pieces() {
        let part: i32 = column(row, "part")?;
        (usize::try_from(part).unwrap_or(0), column(row, "piece")?)
    } else {
        (0, 0)
    };
    let day = (sums.is_some() && ask.per_day)
        .then(|| column::<i64>(row, "utc_day"))
        .transpose()?;
    let currency = sums
        .map(|_| column::<String>(row, "currency"))
        .transpose()?;
    let values = match (&ask.what, sums) {
        (_, Some(count)) => count,
        (What::Users, _) => 1,
        _ => 2,
    };
    Ok(Row {
        piece,
        day: day.map(|day| i32::try_from(day).unwrap_or(i32::MAX)),
        currency: currency
            .map(|code| {
                Currency::parse(&code).map_err(|_| inconsistent("actions", code, "currency"))
            })
            .transpose()?,
        key: key(ask, row)?,
        rows_read: column(row, "rows_read")?,
        values: (0..values)
            .map(|place| column(row, &format!("s{place}")))
            .collect::<Result<_>>()?,
    })
}

fn key_part(ask: &Ask, row: &QueryResult, place: usize, dimension: Dimension) -> Result<KeyPart> {
    let name = format!("k{place}");
    let part = if is_id(dimension) {
        column::<Option<Uuid>>(row, &name)?.map_or(KeyPart::None, KeyPart::Id)
    } else {
        column::<Option<String>>(row, &name)?.map_or(KeyPart::None, KeyPart::Text)
    };
    // A total has words for none, because no part of its key can be missing.
    if ask.fills_keys() && is_none(&part) {
        return Ok(KeyPart::None);
    }
    Ok(part)
}

/// How many actions lie on an axis in stretches of its values that do not overlap, counted up to a limit: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count_facts(
    tx: &ReadTx,
    scope: ReadScope,
    axis: DateAxis,
    spans: &[(i64, i64)],
    limit: i64,
) -> Result<i64> {
    let sql = bounded_count((axis, spans), limit, scope, tx.backend());
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

/// How many counts of clicks by the SubID of a slot lie in a stretch of microseconds, give or take a day, counted up to a
/// limit: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count_clicks(
    tx: &ReadTx,
    scope: ReadScope,
    slot: u8,
    span: (i64, i64),
    limit: i64,
) -> Result<i64> {
    let sql = bounded_clicks(slot, span, limit, scope, tx.backend());
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| column(row, "n"))
}

/// The database that a plan is to be printed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL and Citus.
    Postgres,
}

impl Dialect {
    fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    /// The database that a transaction is on.
    #[must_use]
    pub fn of(tx: &ReadTx) -> Self {
        if tx.backend() == DbBackend::Postgres {
            Self::Postgres
        } else {
            Self::Sqlite
        }
    }
}

fn all(plan: &Plan, scope: ReadScope, dialect: Dialect) -> impl Iterator<Item = Sql> {
    plan.asks()
        .filter(|ask| !ask.parts.is_empty())
        .map(move |ask| statement(ask, scope, dialect.backend()))
}

/// The texts of a plan's statements as they are sent, with places for their values.
#[must_use]
pub fn statements(plan: &Plan, scope: ReadScope, dialect: Dialect) -> Vec<String> {
    all(plan, scope, dialect)
        .map(|sql| sql.text().to_owned())
        .collect()
}

/// The texts of a plan's statements with their values, for whoever wants to try them out.
#[must_use]
pub fn explained(plan: &Plan, scope: ReadScope, dialect: Dialect) -> Vec<String> {
    all(plan, scope, dialect)
        .map(|sql| sql.statement().to_string())
        .collect()
}
