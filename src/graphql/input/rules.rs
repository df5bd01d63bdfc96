//! The parameters of the product segments.

use async_graphql::InputObject;

use crate::domain::error::Error;
use crate::domain::segment::ProductRules;
use crate::graphql::error::Result;

/// The parameters of the product segments; what is left out has its default.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ProductRulesInput {
    /// How many products are best sellers, by units; 1 to 10000.
    #[graphql(default = 100)]
    best_sellers: i32,
    /// Growth or fall of units against the previous period, in percent, from which a product is rising or falling; 1 to
    /// 10000.
    #[graphql(default = 50)]
    change_percent: i32,
    /// Units of the larger of both periods below which a product is neither rising nor falling; at least 0.
    #[graphql(default = 10)]
    change_units: i32,
    /// Processed actions below which a product is not called risky; at least 1.
    #[graphql(default = 10)]
    risky_processed: i32,
    /// Approval rate, in percent, below which a product is risky; 0 to 100.
    #[graphql(default = 50)]
    risky_percent: i32,
    /// Cumulative share of units, in percent, at which class A ends; 1 to 100.
    #[graphql(default = 80)]
    abc_a_percent: i32,
    /// Cumulative share of units, in percent, at which class B ends; not below class A, at most 100.
    #[graphql(default = 95)]
    abc_b_percent: i32,
}

impl ProductRulesInput {
    /// The rules.
    ///
    /// # Errors
    /// When a parameter is outside what it can be.
    pub fn rules(&self) -> Result<ProductRules> {
        let within = |name: &str, value: i32, from: i32, to: i32| -> Result<i64> {
            if (from..=to).contains(&value) {
                return Ok(i64::from(value));
            }
            let message = format!("rules.{name} is {value}: it must be from {from} to {to}");
            Err(Error::bad_input(format!("rules.{name}"), message).into())
        };
        let best_sellers = within("bestSellers", self.best_sellers, 1, 10_000)?;
        let abc_a_percent = within("abcAPercent", self.abc_a_percent, 1, 100)?;
        Ok(ProductRules {
            best_sellers: usize::try_from(best_sellers).unwrap_or(usize::MAX),
            change_percent: within("changePercent", self.change_percent, 1, 10_000)?,
            change_units: within("changeUnits", self.change_units, 0, i32::MAX)?,
            risky_processed: within("riskyProcessed", self.risky_processed, 1, i32::MAX)?,
            risky_percent: within("riskyPercent", self.risky_percent, 0, 100)?,
            abc_a_percent,
            abc_b_percent: within("abcBPercent", self.abc_b_percent, self.abc_a_percent, 100)?,
        })
    }
}
