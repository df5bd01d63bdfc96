//! The catalogue that ships with the product: programs with their terms and country rules, the category tree, the codes
//! of countries and currencies. It is read from `data/` at build time and is the same for every publisher.
//!
//! Each fact stands in a data file, beside its source and the day from which it holds; the code here only looks it up.
//! Not here: what an import teaches a publisher (its own programs, names and unknown categories live in its tables).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::text::fold;
use super::time::Day;

mod category;
mod codes;
mod program;
mod sheet;

pub use category::{Category, Confidence, UNKNOWN_CATEGORY};
pub use codes::{country_codes, country_name, currency_name, is_country};
pub use program::{Countries, CountryRule, Eligibility, Program, Term, TermValue};

/// What is wrong with a data file: only a build can see it, and a unit test of this module does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CatalogError(String);

static SHIPPED: LazyLock<Catalog> = LazyLock::new(|| {
    // The files are a part of the program and a unit test reads them, so this never falls back.
    Catalog::parse(
        include_str!("../../data/programs.toml"),
        include_str!("../../data/categories.csv"),
        include_str!("../../data/category_aliases.csv"),
    )
    .unwrap_or_default()
});

/// Programs and categories, looked up by key, id or name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    programs: Vec<Program>,
    /// Upstream's id → place in `programs`.
    by_external_id: HashMap<String, usize>,
    /// [`name_key`] of names and aliases → place in `programs`.
    by_name: HashMap<String, usize>,
    categories: Vec<Category>,
    /// Category id → place in `categories`.
    by_category_id: HashMap<String, usize>,
    /// [`name_key`] of names that one category alone has → place in `categories`.
    by_category_name: HashMap<String, usize>,
    /// Category id of an older generation → id of the node that took its place.
    category_aliases: HashMap<String, String>,
}

impl Catalog {
    /// The one that ships with this version.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Reads a catalogue from the texts of its files; `data/` says in comments what they look like.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(programs: &str, categories: &str, aliases: &str) -> Result<Self, CatalogError> {
        let programs = program::parse(programs)?;
        let categories = category::parse(categories)?;
        let mut by_external_id = HashMap::new();
        let mut by_name = HashMap::new();
        for (place, program) in programs.iter().enumerate() {
            if let Some(id) = &program.external_id {
                claim(&mut by_external_id, id, place, "program id")?;
            }
            for name in std::iter::once(&program.name).chain(&program.aliases) {
                claim(&mut by_name, &name_key(name), place, "program name")?;
            }
        }
        let mut by_category_id = HashMap::new();
        for (place, category) in categories.iter().enumerate() {
            claim(
                &mut by_category_id,
                &category.external_id,
                place,
                "category id",
            )?;
        }
        let category_aliases = category::parse_aliases(aliases)?;
        for (old, node) in &category_aliases {
            if by_category_id.contains_key(old) || !by_category_id.contains_key(node) {
                return Err(CatalogError(format!(
                    "category {old} stands for {node}: the first must be no node and the second must be one"
                )));
            }
        }
        Ok(Self {
            by_category_name: by_only_name(&categories),
            programs,
            by_external_id,
            by_name,
            categories,
            by_category_id,
            category_aliases,
        })
    }

    /// All programs, in the order of the file.
    #[must_use]
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The program with our key, such as `aliexpress-ww`.
    #[must_use]
    pub fn program(&self, key: &str) -> Option<&Program> {
        self.programs.iter().find(|program| program.key == key)
    }

    /// The program with an Admitad id, such as `6115`.
    #[must_use]
    pub fn program_by_external_id(&self, id: &str) -> Option<&Program> {
        self.programs.get(*self.by_external_id.get(id)?)
    }

    /// The program with a name or one of its other names. Case and blanks do not matter.
    #[must_use]
    pub fn program_by_name(&self, name: &str) -> Option<&Program> {
        self.programs.get(*self.by_name.get(&name_key(name))?)
    }

    /// The terms of a program that hold on a day, in the order of the file; none for a program that is not ours.
    #[must_use]
    pub fn terms_on(&self, program_key: &str, on: Day) -> Vec<&Term> {
        let terms = self
            .program(program_key)
            .map_or(&[][..], |program| &program.terms);
        terms.iter().filter(|term| term.holds_on(on)).collect()
    }

    /// Whether a program pays for actions after a click from a country (ISO 3166 alpha-2, in any case) on a day.
    ///
    /// [`Eligibility::Unknown`] without a country, with a code that is no country's, for a program that is not ours,
    /// and where its rules are silent. It is what is expected: what was paid is the action's reward.
    #[must_use]
    pub fn eligibility(&self, program_key: &str, country: Option<&str>, on: Day) -> Eligibility {
        let Some(country) = country.map(|code| code.trim().to_ascii_uppercase()) else {
            return Eligibility::Unknown;
        };
        match self.program(program_key) {
            Some(program) if is_country(&country) => program.eligibility(&country, on),
            _ => Eligibility::Unknown,
        }
    }

    /// Whether a rule of a program names a country on a day, rather than all others.
    #[must_use]
    pub fn names_country(&self, program_key: &str, country: &str, on: Day) -> bool {
        let program = self.program(program_key);
        program.is_some_and(|program| program.names_country(country, on))
    }

    /// All categories, each after the one above it; the fixed node [`UNKNOWN_CATEGORY`] is the first.
    #[must_use]
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The category with an AliExpress id, of whichever generation; none where the tree does not know it.
    #[must_use]
    pub fn category(&self, external_id: &str) -> Option<&Category> {
        self.categories
            .get(*self.by_category_id.get(self.canonical(external_id))?)
    }

    /// The category that alone has a name. Case and blanks do not matter.
    #[must_use]
    pub fn category_by_name(&self, name: &str) -> Option<&Category> {
        self.categories
            .get(*self.by_category_name.get(&name_key(name))?)
    }

    /// The id under which a category is counted: the successor's for an id of an older generation, else the id itself.
    #[must_use]
    pub fn canonical<'a>(&'a self, external_id: &'a str) -> &'a str {
        self.category_aliases
            .get(external_id)
            .map_or(external_id, String::as_str)
    }

    /// The ids of older generations with the nodes that took their place, in the order of the old ids.
    #[must_use]
    pub fn category_aliases(&self) -> Vec<(&str, &str)> {
        let pairs = self.category_aliases.iter();
        let mut pairs: Vec<_> = pairs
            .map(|(old, node)| (old.as_str(), node.as_str()))
            .collect();
        pairs.sort_unstable();
        pairs
    }
}

/// The places of categories by their names; names that several have lead to none.
fn by_only_name(categories: &[Category]) -> HashMap<String, usize> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, category) in categories.iter().enumerate() {
        let key = name_key(&category.name);
        places.entry(key).or_default().push(place);
    }
    let only = places
        .into_iter()
        .filter_map(|(key, places)| match places.as_slice() {
            [only] => Some((key, *only)),
            _ => None,
        });
    only.collect()
}

/// By what names are compared: folded, and without blanks, so that `RU & CIS` is `RU&CIS`.
pub(super) fn name_key(name: &str) -> String {
    fold(name).split_whitespace().collect()
}

fn claim(
    places: &mut HashMap<String, usize>,
    key: &str,
    place: usize,
    what: &str,
) -> Result<(), CatalogError> {
    match places.insert(key.to_owned(), place) {
        Some(other) if other != place => Err(CatalogError(format!("{what} {key} twice"))),
        _ => Ok(()),
    }
}

/// Whether a day lies between two, both included; without one there is no bound on that side.
fn within(on: Day, from: Option<Day>, to: Option<Day>) -> bool {
    from.is_none_or(|from| from <= on) && to.is_none_or(|to| on <= to)
}

#[cfg(test)]
mod tests;
