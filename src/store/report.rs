//! What a report reads: a statement for each question of its plan, and its rows.

use super::ad_spaces;
use super::apply::clicks::program_called;
use super::columns;
use super::convert::{inconsistent, instant, some_instant};
use super::listing::column;
use super::sql::Sql;
use super::sql::report::{
    bounded_clicks, bounded_count, is_id, is_none, known_clicks, reached_clicks, statement,
    user_column,
};
use super::sync::RETIRED;
use super::tx::ReadTx;
use crate::domain::clicks::{Gap, KnownDays, LeftOut, LeftOutDays, StandingDay};
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::money::Currency;
use crate::domain::report::metric::Measure;
use crate::domain::report::plan::{Ask, Part, Plan, Source, What};
use crate::domain::report::{Dimension, KeyPart};
use crate::domain::sales::DateAxis;
use crate::domain::scope::ReadScope;
use crate::domain::time::Day;
use sea_orm::{DbBackend, QueryResult, TryGetable};
use std::collections::{BTreeMap, HashMap};
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
    /// A decline reason of the key as one of its actions writes it; the key has it folded.
    pub reason: Option<String>,
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
/// When there are more groups than `most`, or the database fails.
pub async fn from_columns(
    tx: &ReadTx,
    scope: ReadScope,
    ask: &Ask,
    most: usize,
) -> Result<Option<Answer>> {
    if asks_nothing(ask) {
        return Ok(Some(Answer::default()));
    }
    let found = columns::report::answer(tx, scope, ask, most).await?;
    Ok(found.map(|rows| Answer {
        rows,
        is_from_columns: true,
    }))
}

/// Asks the database one question: one statement; none where there is no time to ask about. Where there are more rows than
/// `most`, it answers with any of them, one more than that.
///
/// # Errors
/// When the database fails.
pub async fn from_tables(tx: &ReadTx, scope: ReadScope, ask: &Ask, most: usize) -> Result<Answer> {
    if asks_nothing(ask) {
        return Ok(Answer::default());
    }
    Ok(Answer {
        rows: read(tx, scope, ask, most).await?,
        is_from_columns: false,
    })
}

fn asks_nothing(ask: &Ask) -> bool {
    ask.parts.is_empty() || ask.per_user.as_ref().is_some_and(Vec::is_empty)
}

/// The rows of a question's statement, one more than are allowed where there are too many.
async fn read(tx: &ReadTx, scope: ReadScope, ask: &Ask, most: usize) -> Result<Vec<Row>> {
    let sql = statement(ask, most, scope, tx.backend());
    let bound = tx.limits().statement_values;
    if sql.bound() > bound {
        return Err(Error::limit(
            "filter",
            PassedLimit::of("statementValues", bound, sql.bound()),
            format!(
                "the filter's values and the stretches of time are {} together, {bound} are allowed; list fewer \
                 values or ask for longer stretches",
                sql.bound()
            ),
        ));
    }
    let rows = tx.rows(sql).await?;
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let names = Names::of(first);
    if let (What::Sums(measures), Some(currencies)) = (&ask.what, &ask.per_user) {
        let keys = names.keys(ask)?;
        let rows = rows
            .iter()
            .map(|row| of_users(ask, (row, &keys), measures, currencies));
        return Ok(rows.collect::<Result<Vec<_>>>()?.concat());
    }
    let columns = Columns::of(ask, &names)?;
    let mut found: Vec<Row> = rows
        .iter()
        .map(|row| columns.row(ask, row))
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
    (row, keys): (&QueryResult, &[usize]),
    measures: &[Measure],
    currencies: &[Currency],
) -> Result<Vec<Row>> {
    let key = key(ask, row, keys)?;
    let of_currency = |(number, currency): (usize, &Currency)| {
        let value =
            |place| user_column(number, place, measures).map_or(Ok(0), |name| column(row, &name));
        Ok(Row {
            currency: Some(*currency),
            key: key.clone(),
            rows_read: value(0)?,
            values: (0..=measures.len()).map(value).collect::<Result<_>>()?,
            ..Row::default()
        })
    };
    currencies.iter().enumerate().map(of_currency).collect()
}

/// The columns of an answer by their names.
struct Names(HashMap<String, usize>);

impl Names {
    fn of(row: &QueryResult) -> Self {
        Self(row.column_names().into_iter().zip(0..).collect())
    }

    fn place(&self, name: &str) -> Result<usize> {
        let place = self.0.get(name).copied();
        place.ok_or_else(|| Error::internal(format!("the rows of a report have no column {name}")))
    }

    /// The columns of the key's parts.
    fn keys(&self, ask: &Ask) -> Result<Vec<usize>> {
        let names = (0..ask.dimensions.len()).map(|place| format!("k{place}"));
        names.map(|name| self.place(&name)).collect()
    }
}

/// Where the columns of an answer stand: looked up once for all rows, of which a year of days has thousands.
struct Columns {
    /// Part and name of the piece.
    piece: Option<(usize, usize)>,
    day: Option<usize>,
    currency: Option<usize>,
    keys: Vec<usize>,
    reason: Option<usize>,
    rows_read: usize,
    values: Vec<usize>,
}

impl Columns {
    fn of(ask: &Ask, names: &Names) -> Result<Self> {
        let (values, is_of_sums) = match &ask.what {
            What::Sums(measures) => (measures.len() + 1, true),
            What::Users => (1, false),
            What::ConversionLag | What::ValidationLag | What::Clicks => (2, false),
        };
        let place = |is_there: bool, name| is_there.then(|| names.place(name)).transpose();
        let part = place(ask.tells_pieces(), "part")?;
        Ok(Self {
            piece: part.zip(place(ask.tells_pieces(), "piece")?),
            day: place(is_of_sums && ask.per_day, "utc_day")?,
            currency: place(is_of_sums, "currency")?,
            keys: names.keys(ask)?,
            reason: place(ask.tells_reasons(), "reason")?,
            rows_read: names.place("rows_read")?,
            values: (0..values)
                .map(|place| names.place(&format!("s{place}")))
                .collect::<Result<_>>()?,
        })
    }

    fn row(&self, ask: &Ask, row: &QueryResult) -> Result<Row> {
        let piece = match self.piece {
            Some((part, piece)) => {
                let part: i32 = at(row, part)?;
                (usize::try_from(part).unwrap_or(0), at(row, piece)?)
            }
            None => (0, 0),
        };
        let day = self.day.map(|place| at::<i64>(row, place)).transpose()?;
        let currency = self.currency.map(|place| at::<String>(row, place));
        Ok(Row {
            piece,
            day: day.map(|day| i32::try_from(day).unwrap_or(i32::MAX)),
            currency: currency
                .transpose()?
                .map(|code| {
                    Currency::parse(&code).map_err(|_| inconsistent("actions", code, "currency"))
                })
                .transpose()?,
            key: key(ask, row, &self.keys)?,
            reason: match self.reason {
                Some(place) => at(row, place)?,
                None => None,
            },
            rows_read: at(row, self.rows_read)?,
            values: self
                .values
                .iter()
                .map(|place| at(row, *place))
                .collect::<Result<_>>()?,
        })
    }
}

/// The value of a row at a place.
fn at<T: TryGetable>(row: &QueryResult, place: usize) -> Result<T> {
    row.try_get_by_index(place).map_err(Error::internal)
}

/// The key of a row, whose parts stand at these places.
fn key(ask: &Ask, row: &QueryResult, places: &[usize]) -> Result<Vec<KeyPart>> {
    let dimensions = ask.dimensions.iter().zip(places);
    dimensions
        .map(|(dimension, place)| key_part(ask, row, *place, *dimension))
        .collect()
}

fn key_part(ask: &Ask, row: &QueryResult, place: usize, dimension: Dimension) -> Result<KeyPart> {
    let part = if is_id(dimension) {
        at::<Option<Uuid>>(row, place)?.map_or(KeyPart::None, KeyPart::Id)
    } else {
        at::<Option<String>>(row, place)?.map_or(KeyPart::None, KeyPart::Text)
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

/// The days of which clicks are known, of all SubIDs together or by the SubID of a slot, if any is, and what of them is not:
/// one statement, and one for ad spaces where something is not. What accounts have read is known, days without a click among
/// it; whoever sees some rows only knows the days from the first count to the last that it sees, and with one more statement
/// what of its rows accounts have left out.
///
/// # Errors
/// When the database fails.
pub async fn known_days(
    tx: &ReadTx,
    scope: ReadScope,
    slot: Option<u8>,
) -> Result<(Option<KnownDays>, Vec<Gap>)> {
    let (mut first, mut last, mut accounts) = (None, None, Vec::new());
    let (mut left_out, mut is_lost) = (Vec::new(), false);
    let sql = known_clicks(slot, RETIRED.as_str(), scope, tx.backend());
    let mut rows = tx.rows(sql).await?;
    if !scope.sees_all() {
        // How far accounts have come says nothing of any row; what they left out is looked through below.
        let sql = reached_clicks(RETIRED.as_str(), scope, tx.backend());
        rows.extend(tx.undivided().rows(sql).await?);
    }
    for row in &rows {
        let origin: String = column(row, "origin")?;
        match origin.as_str() {
            "FIRST" => first = Some(standing_day(row)?),
            "LAST" => last = Some(standing_day(row)?),
            _ => {
                let watermark = some_instant(column(row, "at_us")?, "sync_states", "watermark_us")?;
                let cursor: Option<String> = column(row, "reached")?;
                let of_feed = LeftOut::of_feed(watermark, cursor.as_deref(), slot);
                left_out.extend(of_feed.into_iter().filter_map(|left| tx.seen_of(left)));
                let days = KnownDays::of_feed(watermark, cursor.as_deref(), slot.is_some());
                is_lost |= watermark.is_some() && days.is_none();
                accounts.push(days);
            }
        }
    }
    let counted = first
        .zip(last)
        .map(|(first, last)| KnownDays { first, last });
    let days = if scope.sees_all() {
        KnownDays::of_all(counted, &accounts, slot.is_some())
    } else {
        // Where an account does not know what it has left out, nobody does.
        counted.filter(|_| !is_lost)
    };
    Ok((days, gaps(tx, scope, left_out).await?))
}

/// What was left out, with our ids of what it is about.
async fn gaps(tx: &ReadTx, scope: ReadScope, left_out: Vec<LeftOutDays>) -> Result<Vec<Gap>> {
    if left_out.is_empty() {
        return Ok(Vec::new());
    }
    let spaces = ad_spaces::all(tx, scope).await?;
    let ids: BTreeMap<&str, Uuid> = spaces
        .iter()
        .filter_map(|space| Some((space.external_id.as_deref()?, space.id)))
        .collect();
    let gap = |(set, (first, last)): LeftOutDays| Gap {
        program: program_called(scope.publisher(), &set.program),
        ad_space: ids.get(set.ad_space.as_str()).copied(),
        set,
        first,
        last,
    };
    Ok(left_out.into_iter().map(gap).collect())
}

fn standing_day(row: &QueryResult) -> Result<StandingDay> {
    const TABLE: &str = "click_stats";
    let days: i32 = column(row, "click_day")?;
    Ok(StandingDay {
        day: Day::from_days(days).map_err(|_| inconsistent(TABLE, days, "click_day"))?,
        noon: instant(column(row, "at_us")?, TABLE, "noon_us")?,
    })
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
        .map(move |ask| statement(ask, plan.most_rows, scope, dialect.backend()))
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
