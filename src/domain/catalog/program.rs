//! Programs: their terms as of any day, and who is paid.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::{CatalogError, is_country, within};
use crate::domain::money::Currency;
use crate::domain::time::Day;

/// A program of the shipped catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Our key, which never changes, such as `aliexpress-ww`.
    pub key: String,
    /// Its name at Admitad.
    pub name: String,
    /// Other names that records may have.
    pub aliases: Vec<String>,
    /// Admitad's id, if it is known.
    pub external_id: Option<String>,
    /// What it pays in, unless an action says otherwise.
    pub currency: Currency,
    /// Days that an action usually waits for its processing, if known.
    pub hold_days: Option<i32>,
    /// Days between a click and an order that still count, if known.
    pub cookie_days: Option<i32>,
    /// What holds for it, of all times.
    pub terms: Vec<Term>,
    /// Who is paid, of all times.
    pub rules: Vec<CountryRule>,
}

/// A term of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What it is about, such as `newBuyerBonus`.
    pub code: String,
    /// What holds.
    pub value: TermValue,
    /// First day on which it holds; none for "since ever".
    pub valid_from: Option<Day>,
    /// Last day on which it holds; none for "until further notice".
    pub valid_to: Option<Day>,
    /// To whom or how far it applies.
    pub note: Option<String>,
    /// Who says so.
    pub source: String,
}

impl Term {
    /// Whether it holds on a day.
    #[must_use]
    pub fn holds_on(&self, on: Day) -> bool {
        within(on, self.valid_from, self.valid_to)
    }
}

/// What a term says; prints as `true`, `5` or `USD`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum TermValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A word.
    Word(String),
}

impl fmt::Display for TermValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// Whether a program pays for a click's country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Eligibility {
    /// At the full rate.
    Full,
    /// At a lower rate.
    Reduced,
    /// Not at all.
    NotPaid,
    /// Nobody says.
    Unknown,
}

impl Eligibility {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::Reduced, Self::NotPaid, Self::Unknown];

    /// Its word in the API: `FULL`, `REDUCED`, `NOT_PAID` or `UNKNOWN`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Reduced => "REDUCED",
            Self::NotPaid => "NOT_PAID",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// For which countries of the click a program pays how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryRule {
    /// The countries.
    pub countries: Countries,
    /// How it pays.
    pub eligibility: Eligibility,
    /// First day on which it holds; none for "since ever".
    pub valid_from: Option<Day>,
    /// Last day on which it holds; none for "until further notice".
    pub valid_to: Option<Day>,
    /// Who says so.
    pub source: String,
}

/// The countries of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    /// These, in the order of the file.
    These(Vec<String>),
    /// All that no other rule of the day names.
    AllOthers,
}

impl Countries {
    fn names(&self, country: &str) -> bool {
        match self {
            Self::These(codes) => codes.iter().any(|code| code == country),
            Self::AllOthers => false,
        }
    }
}

impl Program {
    /// How it pays for a country (an upper-case code) on a day.
    #[must_use]
    pub(super) fn eligibility(&self, country: &str, on: Day) -> Eligibility {
        let today = || {
            self.rules
                .iter()
                .filter(|rule| within(on, rule.valid_from, rule.valid_to))
        };
        let named = today().find(|rule| rule.countries.names(country));
        let rule = named.or_else(|| today().find(|rule| rule.countries == Countries::AllOthers));
        rule.map_or(Eligibility::Unknown, |rule| rule.eligibility)
    }

    /// Whether a rule names a country (an upper-case code) on a day, rather than all others.
    #[must_use]
    pub(super) fn names_country(&self, country: &str, on: Day) -> bool {
        let holds = |rule: &&CountryRule| within(on, rule.valid_from, rule.valid_to);
        let mut rules = self.rules.iter().filter(holds);
        rules.any(|rule| rule.countries.names(country))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    program: Vec<RawProgram>,
    #[serde(default)]
    term: Vec<RawTerm>,
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProgram {
    key: String,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    external_id: Option<String>,
    currency: String,
    hold_days: Option<i32>,
    cookie_days: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTerm {
    programs: Vec<String>,
    code: String,
    value: TermValue,
    valid_from: Option<String>,
    valid_to: Option<String>,
    note: Option<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    programs: Vec<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default)]
    all_others: bool,
    eligibility: Eligibility,
    valid_from: Option<String>,
    valid_to: Option<String>,
    source: String,
}

/// Reads programs, terms and rules, and refuses what contradicts itself.
pub(super) fn parse(text: &str) -> Result<Vec<Program>, CatalogError> {
    let file: RawFile =
        toml::from_str(text).map_err(|error| CatalogError(format!("programs: {error}")))?;
    let mut programs = Vec::with_capacity(file.program.len());
    let mut keys = BTreeSet::new();
    for raw in file.program {
        if !keys.insert(raw.key.clone()) {
            return Err(CatalogError(format!("program {} twice", raw.key)));
        }
        programs.push(program(raw)?);
    }
    for raw in file.term {
        let term = Term {
            code: raw.code,
            value: raw.value,
            valid_from: day(raw.valid_from)?,
            valid_to: day(raw.valid_to)?,
            note: raw.note,
            source: raw.source,
        };
        for key in &raw.programs {
            add_term(find(&mut programs, key)?, term.clone())?;
        }
    }
    for raw in file.rule {
        let rule = CountryRule {
            countries: countries(raw.countries, raw.all_others)?,
            eligibility: raw.eligibility,
            valid_from: day(raw.valid_from)?,
            valid_to: day(raw.valid_to)?,
            source: raw.source,
        };
        for key in &raw.programs {
            add_rule(find(&mut programs, key)?, rule.clone())?;
        }
    }
    Ok(programs)
}

fn program(raw: RawProgram) -> Result<Program, CatalogError> {
    let currency = Currency::parse(&raw.currency)
        .map_err(|error| CatalogError(format!("program {}: {error}", raw.key)))?;
    Ok(Program {
        key: raw.key,
        name: raw.name,
        aliases: raw.aliases,
        external_id: raw.external_id,
        currency,
        hold_days: raw.hold_days,
        cookie_days: raw.cookie_days,
        terms: Vec::new(),
        rules: Vec::new(),
    })
}

fn day(text: Option<String>) -> Result<Option<Day>, CatalogError> {
    let read = |text: String| Day::parse(&text).map_err(|error| CatalogError(error.to_string()));
    text.map(read).transpose()
}

fn countries(codes: Vec<String>, all_others: bool) -> Result<Countries, CatalogError> {
    if let Some(code) = codes.iter().find(|code| !is_country(code)) {
        return Err(CatalogError(format!(
            "a rule names {code}, which is no country"
        )));
    }
    match (codes.is_empty(), all_others) {
        (true, true) => Ok(Countries::AllOthers),
        (false, false) => Ok(Countries::These(codes)),
        _ => Err(CatalogError(
            "a rule needs either countries or all_others = true".to_owned(),
        )),
    }
}

fn find<'a>(programs: &'a mut [Program], key: &str) -> Result<&'a mut Program, CatalogError> {
    let found = programs.iter_mut().find(|program| program.key == key);
    found.ok_or_else(|| CatalogError(format!("no program {key}")))
}

fn add_term(program: &mut Program, term: Term) -> Result<(), CatalogError> {
    let key = &program.key;
    check_span(key, term.valid_from, term.valid_to)?;
    let clashes = |other: &Term| {
        other.code == term.code
            && overlap(
                (other.valid_from, other.valid_to),
                (term.valid_from, term.valid_to),
            )
    };
    if program.terms.iter().any(clashes) {
        return Err(CatalogError(format!(
            "program {key}: two {} on one day",
            term.code
        )));
    }
    program.terms.push(term);
    Ok(())
}

fn add_rule(program: &mut Program, rule: CountryRule) -> Result<(), CatalogError> {
    let key = &program.key;
    check_span(key, rule.valid_from, rule.valid_to)?;
    let clashes = |other: &CountryRule| {
        let same = match (&other.countries, &rule.countries) {
            (Countries::AllOthers, Countries::AllOthers) => true,
            (Countries::These(codes), countries) => codes.iter().any(|code| countries.names(code)),
            (Countries::AllOthers, Countries::These(_)) => false,
        };
        same && overlap(
            (other.valid_from, other.valid_to),
            (rule.valid_from, rule.valid_to),
        )
    };
    if program.rules.iter().any(clashes) {
        return Err(CatalogError(format!(
            "program {key}: two rules for a country on one day"
        )));
    }
    program.rules.push(rule);
    Ok(())
}

fn check_span(key: &str, from: Option<Day>, to: Option<Day>) -> Result<(), CatalogError> {
    match (from, to) {
        (Some(from), Some(to)) if to < from => Err(CatalogError(format!(
            "program {key}: something ends on {to}, before {from}"
        ))),
        _ => Ok(()),
    }
}

fn overlap(one: (Option<Day>, Option<Day>), other: (Option<Day>, Option<Day>)) -> bool {
    let starts_in_time = |from: Option<Day>, to: Option<Day>| match (from, to) {
        (Some(from), Some(to)) => from <= to,
        _ => true,
    };
    starts_in_time(one.0, other.1) && starts_in_time(other.0, one.1)
}
