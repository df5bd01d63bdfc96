//! Clicks and views: counts of days, each of which stands at one instant.

use super::Writer;
use super::columns::{key_name, total_column};
use crate::domain::clicks::{NOON_AFTER_US, NOON_BEFORE_US, days_near};
use crate::domain::report::Dimension;
use crate::domain::report::plan::{Part, Source};
use crate::domain::scope::ReadScope;
use crate::domain::sync::Feed;
use crate::domain::time::DAY_US;
use crate::store::clicks::ALL_SUBIDS;
use crate::store::sql::Sql;
use crate::store::sql::filter::write_filter;
use sea_orm::DbBackend;
use uuid::Uuid;

impl Writer<'_> {
    /// Appends the statement of clicks and views; nothing comes where there are none.
    pub(super) fn write_clicks(&self, sql: &mut Sql) {
        let Source::Clicks(slot) = self.ask.source else {
            return;
        };
        for (number, part) in self.ask.parts.iter().enumerate() {
            let Part::Facts(spans) = part else { continue };
            sql.push(if number == 0 { "" } else { " UNION ALL " });
            sql.push("SELECT ");
            if self.ask.tells_pieces() {
                sql.push(&format!("{number} AS part, p.lo AS piece, "));
            }
            for (place, dimension) in self.ask.dimensions.iter().enumerate() {
                sql.push(&format!(
                    "t.{} AS {}, ",
                    column(*dimension),
                    key_name(place)
                ));
            }
            sql.push(
                "COUNT(*) AS rows_read, CAST(SUM(t.clicks) AS bigint) AS s0, \
                 CAST(COALESCE(SUM(t.views), 0) AS bigint) AS s1 FROM ",
            );
            if self.ask.tells_pieces() {
                sql.push(&format!("p{number} p CROSS JOIN "));
            }
            self.write_counts(slot, sql);
            sql.push(" WHERE ");
            self.write_days(spans, sql);
            sql.push(" AND ");
            write_filter(&self.ask.filter, "t", sql);
            let names = self.group_names();
            if !names.is_empty() {
                sql.push(&format!(" GROUP BY {}", names.join(", ")));
            }
            sql.push(" HAVING COUNT(*) > 0");
        }
    }

    /// Appends the counts of a slot, called `t`, with the columns that filters know of actions.
    fn write_counts(&self, slot: Option<u8>, sql: &mut Sql) {
        sql.push(
            "(SELECT x.publisher_id, x.click_day, x.noon_us, x.clicks, x.views, x.program_id, NULLIF(x.ad_space_id, ",
        )
        .bind(Uuid::nil())
        .push(") AS ad_space_id");
        if let Some(slot) = slot {
            sql.push(&format!(", NULLIF(x.subid, '') AS subid{slot}"));
        }
        sql.push(" FROM click_stats x WHERE x.publisher_id = ")
            .bind(self.scope.publisher().0)
            .push(" AND x.slot = ")
            .bind(slot.map_or(ALL_SUBIDS, i32::from))
            .push(") t");
    }

    /// Appends the condition that a day stands in one of the stretches. Days are limited as well, because they lead the
    /// key.
    fn write_days(&self, spans: &[(i64, i64)], sql: &mut Sql) {
        if self.ask.tells_pieces() {
            sql.push(&format!(
                "t.click_day >= (p.lo - {NOON_AFTER_US}) / {DAY_US} AND t.click_day <= (p.hi + {NOON_BEFORE_US}) / {DAY_US} \
                 AND t.noon_us >= p.lo AND t.noon_us < p.hi"
            ));
            return;
        }
        for (place, (lo, hi)) in spans.iter().enumerate() {
            let (first, last) = days_near(*lo, *hi);
            sql.push(if place == 0 { "" } else { " AND " });
            sql.push("t.click_day >= ").bind(first);
            sql.push(" AND t.click_day <= ").bind(last);
            sql.push(" AND t.noon_us >= ").bind(*lo);
            sql.push(" AND t.noon_us < ").bind(*hi);
        }
    }
}

/// How many counts of clicks by the SubID of a slot lie in a stretch of microseconds, give or take a day, up to a limit.
pub(in crate::store) fn bounded_clicks(
    slot: u8,
    (lo, hi): (i64, i64),
    limit: i64,
    scope: ReadScope,
    backend: DbBackend,
) -> Sql {
    let (first, last) = days_near(lo, hi);
    let mut sql = Sql::new(backend);
    sql.push(
        "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM click_stats x WHERE x.publisher_id = ",
    )
    .bind(scope.publisher().0)
    .push(" AND x.slot = ")
    .bind(i32::from(slot));
    sql.push(" AND x.click_day >= ").bind(first);
    sql.push(" AND x.click_day <= ").bind(last);
    sql.push(" LIMIT ").bind(limit).push(") f");
    sql
}

/// What is known of clicks: the first and the last day that has a count of a slot, and how far each account that is
/// fetched has come with its clicks. Who sees some rows only sees no account here, but in [`reached_clicks`]. Each row says
/// which of these it is.
pub(in crate::store) fn known_clicks(
    slot: Option<u8>,
    retired: &str,
    scope: ReadScope,
    backend: DbBackend,
) -> Sql {
    let mut sql = Sql::new(backend);
    for (origin, direction) in [("FIRST", ""), ("LAST", " DESC")] {
        sql.push(&format!(
            "SELECT '{origin}' AS origin, f.click_day, f.noon_us AS at_us, CAST(NULL AS text) AS reached FROM \
             (SELECT x.click_day, x.noon_us FROM click_stats x WHERE x.publisher_id = "
        ))
        .bind(scope.publisher().0)
        .push(" AND x.slot = ")
        .bind(slot.map_or(ALL_SUBIDS, i32::from))
        .push(&format!(
            " ORDER BY x.click_day{direction}, x.noon_us{direction} LIMIT 1) f"
        ));
        if direction.is_empty() {
            sql.push(" UNION ALL ");
        }
    }
    if scope.sees_all() {
        sql.push(" UNION ALL ");
        write_reached(retired, scope, &mut sql);
    }
    sql
}

/// How far each account that is fetched has come with its clicks: of all rows, whoever asks.
pub(in crate::store) fn reached_clicks(retired: &str, scope: ReadScope, backend: DbBackend) -> Sql {
    let mut sql = Sql::new(backend);
    write_reached(retired, scope, &mut sql);
    sql
}

fn write_reached(retired: &str, scope: ReadScope, sql: &mut Sql) {
    sql.push(
        "SELECT 'ACCOUNT' AS origin, CAST(NULL AS integer) AS click_day, s.watermark_us AS at_us, \
         s.cursor AS reached FROM sync_accounts a LEFT JOIN sync_states s ON s.publisher_id = a.publisher_id \
         AND s.account = a.account AND s.feed = ",
    )
    .bind(Feed::Clicks.as_str())
    .push(" WHERE a.publisher_id = ")
    .bind(scope.publisher().0)
    .push(" AND a.condition <> ")
    .bind(retired);
}

/// The column of the counts that holds a dimension; of a SubID that of its slot.
fn column(dimension: Dimension) -> String {
    dimension.subid_slot().map_or_else(
        || total_column(dimension).to_owned(),
        |slot| format!("subid{slot}"),
    )
}
