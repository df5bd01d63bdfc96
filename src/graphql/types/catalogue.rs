//! What the shipped catalogue says of a program.

use async_graphql::SimpleObject;

use super::words::Eligibility;
use crate::domain::catalog::{self, Countries};
use crate::graphql::scalar::{CountryCode, Date};

/// A term of a program.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProgramTerm {
    /// What it is about, such as "newBuyerBonus".
    code: String,
    /// What holds: "true", "false", a number or a word.
    value: String,
    /// First day on which it holds; null for "since ever".
    valid_from: Option<Date>,
    /// Last day on which it holds; null for "until further notice".
    valid_to: Option<Date>,
    /// To whom or how far it applies.
    note: Option<String>,
    /// Who says so.
    source: String,
}

impl From<&catalog::Term> for ProgramTerm {
    fn from(term: &catalog::Term) -> Self {
        Self {
            code: term.code.clone(),
            value: term.value.to_string(),
            valid_from: term.valid_from.map(Date),
            valid_to: term.valid_to.map(Date),
            note: term.note.clone(),
            source: term.source.clone(),
        }
    }
}

/// How a program pays by the country of the click.
#[derive(Clone, Debug, SimpleObject)]
pub struct CountryRule {
    /// The countries; empty where it is for all others.
    countries: Vec<CountryCode>,
    /// Whether it is for all countries that no other rule of the day names.
    all_others: bool,
    /// How it pays.
    eligibility: Eligibility,
    /// First day on which it holds; null for "since ever".
    valid_from: Option<Date>,
    /// Last day on which it holds; null for "until further notice".
    valid_to: Option<Date>,
    /// Who says so.
    source: String,
}

impl From<&catalog::CountryRule> for CountryRule {
    fn from(rule: &catalog::CountryRule) -> Self {
        let countries = match &rule.countries {
            Countries::These(codes) => codes.iter().cloned().map(CountryCode).collect(),
            Countries::AllOthers => Vec::new(),
        };
        Self {
            countries,
            all_others: rule.countries == Countries::AllOthers,
            eligibility: rule.eligibility.into(),
            valid_from: rule.valid_from.map(Date),
            valid_to: rule.valid_to.map(Date),
            source: rule.source.clone(),
        }
    }
}
