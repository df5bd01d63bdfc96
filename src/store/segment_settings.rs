//! The parameters of the built-in segments that a publisher set: one row of canonical JSON with a version.

use super::convert::{inconsistent, instant};
use super::listing::column;
use super::tx::ReadTx;
use crate::domain::error::{Error, Result};
use crate::domain::money::Currency;
use crate::domain::scope::ReadScope;
use crate::domain::segment::{
    Cuts, HighValue, MonetaryMetric, ProductMetric, ProductSettings, Scoring, SegmentSettings,
    Thresholds, UserSettings,
};
use crate::domain::time::Instant;
use serde::{Deserialize, Serialize};

/// The form of the JSON that this version writes, and the only one that it reads.
const FORM: u32 = 1;

/// What a publisher set, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredSettings {
    /// The parameters.
    pub settings: SegmentSettings,
    /// Raised by every change; 0 while nothing was ever set.
    pub version: i32,
    /// When it was last changed.
    pub changed_at: Option<Instant>,
}

/// What a publisher set: one statement.
///
/// # Errors
/// When the database fails, or a newer version of the server wrote what is stored.
pub async fn segment_settings(tx: &ReadTx, scope: ReadScope) -> Result<StoredSettings> {
    let mut sql = tx.sql();
    sql.push("SELECT t.version, t.parameters, t.changed_at_us FROM segment_settings t WHERE t.publisher_id = ")
        .bind(scope.publisher().0);
    let rows = tx.rows(sql).await?;
    let Some(row) = rows.first() else {
        return Ok(StoredSettings::default());
    };
    let text: String = column(row, "parameters")?;
    let changed_at = instant(
        column(row, "changed_at_us")?,
        "segment_settings",
        "changed_at_us",
    )?;
    Ok(StoredSettings {
        settings: read(&text)
            .ok_or_else(|| inconsistent("segment_settings", scope.publisher().0, "parameters"))?,
        version: column(row, "version")?,
        changed_at: Some(changed_at),
    })
}

/// The JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    form: u32,
    products: ProductJson,
    users: UserJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    rank_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_sellers: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risky_processed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risky_percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abc_a_percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abc_b_percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_days: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monetary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_actions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_users: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scoring: Option<ScoringJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high_value: Option<HighValueJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_days: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ScoringJson {
    Percentiles(Cuts),
    Thresholds {
        recency_days: Cuts,
        actions: Cuts,
        amounts_e4: Cuts,
        currency: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum HighValueJson {
    TopPercent(i64),
    Amount { e4: i64, currency: String },
}

/// Settings as they are stored.
///
/// # Errors
/// When they cannot be written, which only a fault of the server can cause.
pub(super) fn write(settings: &SegmentSettings) -> Result<String> {
    let SegmentSettings { products, users } = settings;
    let word = |currency: Currency| currency.as_str().to_owned();
    let json = Json {
        form: FORM,
        products: ProductJson {
            rank_by: products.rank_by.map(|metric| metric.as_str().to_owned()),
            currency: products.currency.map(word),
            best_sellers: products.best_sellers,
            minimum_units: products.minimum_units,
            change_percent: products.change_percent,
            change_units: products.change_units,
            risky_processed: products.risky_processed,
            risky_percent: products.risky_percent,
            abc_a_percent: products.abc_a_percent,
            abc_b_percent: products.abc_b_percent,
            period_days: products.period_days,
        },
        users: UserJson {
            currency: users.currency.map(word),
            monetary: users.monetary.map(|metric| metric.as_str().to_owned()),
            minimum_actions: users.minimum_actions,
            minimum_users: users.minimum_users,
            scoring: users.scoring.map(|scoring| match scoring {
                Scoring::Percentiles(percents) => ScoringJson::Percentiles(percents),
                Scoring::Thresholds(fixed) => ScoringJson::Thresholds {
                    recency_days: fixed.recency_days,
                    actions: fixed.actions,
                    amounts_e4: fixed.amounts_e4,
                    currency: word(fixed.currency),
                },
            }),
            high_value: users.high_value.map(|high_value| match high_value {
                HighValue::TopPercent(percent) => HighValueJson::TopPercent(percent),
                HighValue::Amount { e4, currency } => HighValueJson::Amount {
                    e4,
                    currency: word(currency),
                },
            }),
            period_days: users.period_days,
        },
    };
    serde_json::to_string(&json).map_err(Error::internal)
}

/// Settings as they were stored; none for what another version of the server wrote.
pub(super) fn read(text: &str) -> Option<SegmentSettings> {
    let json: Json = serde_json::from_str(text).ok()?;
    if json.form != FORM {
        return None;
    }
    let (products, users) = (json.products, json.users);
    let scoring = match users.scoring {
        None => None,
        Some(ScoringJson::Percentiles(percents)) => Some(Scoring::Percentiles(percents)),
        Some(ScoringJson::Thresholds {
            recency_days,
            actions,
            amounts_e4,
            currency,
        }) => Some(Scoring::Thresholds(Thresholds {
            recency_days,
            actions,
            amounts_e4,
            currency: Currency::parse(&currency).ok()?,
        })),
    };
    let high_value = match users.high_value {
        None => None,
        Some(HighValueJson::TopPercent(percent)) => Some(HighValue::TopPercent(percent)),
        Some(HighValueJson::Amount { e4, currency }) => Some(HighValue::Amount {
            e4,
            currency: Currency::parse(&currency).ok()?,
        }),
    };
    let currency = |code: Option<&str>| code.map(Currency::parse).transpose().ok();
    let rank_by = match products.rank_by {
        None => None,
        Some(word) => Some(ProductMetric::parse(&word)?),
    };
    let monetary = match users.monetary {
        None => None,
        Some(word) => Some(MonetaryMetric::parse(&word)?),
    };
    Some(SegmentSettings {
        products: ProductSettings {
            rank_by,
            currency: currency(products.currency.as_deref())?,
            best_sellers: products.best_sellers,
            minimum_units: products.minimum_units,
            change_percent: products.change_percent,
            change_units: products.change_units,
            risky_processed: products.risky_processed,
            risky_percent: products.risky_percent,
            abc_a_percent: products.abc_a_percent,
            abc_b_percent: products.abc_b_percent,
            period_days: products.period_days,
        },
        users: UserSettings {
            currency: currency(users.currency.as_deref())?,
            monetary,
            minimum_actions: users.minimum_actions,
            minimum_users: users.minimum_users,
            scoring,
            high_value,
            period_days: users.period_days,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written() {
        let all = SegmentSettings {
            products: ProductSettings {
                rank_by: Some(ProductMetric::OrderAmount),
                currency: Some(Currency::USD),
                best_sellers: Some(7),
                abc_b_percent: Some(99),
                period_days: Some(14),
                ..ProductSettings::default()
            },
            users: UserSettings {
                currency: Some(Currency::USD),
                monetary: Some(MonetaryMetric::Reward),
                minimum_actions: Some(3),
                minimum_users: Some(20),
                scoring: Some(Scoring::Thresholds(Thresholds {
                    recency_days: [1, 2, 3, 4],
                    actions: [2, 3, 4, 5],
                    amounts_e4: [10, 20, 30, 40],
                    currency: Currency::USD,
                })),
                high_value: Some(HighValue::Amount {
                    e4: 5,
                    currency: Currency::USD,
                }),
                period_days: Some(365),
            },
        };
        let mut percents = all;
        percents.users.scoring = Some(Scoring::Percentiles([10, 30, 60, 90]));
        percents.users.high_value = Some(HighValue::TopPercent(5));
        for settings in [all, percents, SegmentSettings::default()] {
            let text = write(&settings).unwrap();
            assert_eq!(read(&text), Some(settings), "{text}");
        }
        assert_eq!(
            write(&SegmentSettings::default()).unwrap(),
            r#"{"form":1,"products":{},"users":{}}"#
        );
        let odd = r#"{"form":1,"products":{"rank_by":"ACTIONS"},"users":{}}"#;
        assert_eq!(read(odd), None);
        assert_eq!(read(r#"{"form":2,"products":{},"users":{}}"#), None);
    }
}
