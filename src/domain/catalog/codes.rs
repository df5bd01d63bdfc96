//! The codes of countries (ISO 3166-1 alpha-2) and currencies (ISO 4217).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{CatalogError, sheet};

/// Code → name.
type Names = HashMap<String, String>;

static COUNTRIES: LazyLock<Names> =
    LazyLock::new(|| read(include_str!("../../../data/countries.csv")).unwrap_or_default());

static CURRENCIES: LazyLock<Names> =
    LazyLock::new(|| read(include_str!("../../../data/currencies.csv")).unwrap_or_default());

/// Whether two upper-case letters are an assigned country code, or `XK`.
#[must_use]
pub fn is_country(code: &str) -> bool {
    COUNTRIES.contains_key(code)
}

/// All assigned country codes and `XK`, in their order.
#[must_use]
pub fn country_codes() -> Vec<&'static str> {
    let mut codes: Vec<&str> = COUNTRIES.keys().map(String::as_str).collect();
    codes.sort_unstable();
    codes
}

/// The short English name of a country, by its upper-case code.
#[must_use]
pub fn country_name(code: &str) -> Option<&'static str> {
    COUNTRIES.get(code).map(String::as_str)
}

/// The English name of a currency, by its upper-case code.
#[must_use]
pub fn currency_name(code: &str) -> Option<&'static str> {
    CURRENCIES.get(code).map(String::as_str)
}

fn read(text: &str) -> Result<Names, CatalogError> {
    let mut names = Names::new();
    for (line, [code, name]) in sheet::rows(text, ["code", "name"])? {
        let shape = code.bytes().all(|byte| byte.is_ascii_uppercase());
        if !shape || name.is_empty() || names.insert(code.clone(), name).is_some() {
            return Err(CatalogError(format!(
                "line {line}: {code:?} is no new code with a name"
            )));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries() {
        let read = read(include_str!("../../../data/countries.csv")).unwrap();
        assert_eq!(read.len(), 249 + 1);
        assert!(read.keys().all(|code| code.len() == 2));
        for code in ["US", "XK", "RU", "TM"] {
            assert!(is_country(code), "{code}");
        }
        for code in ["", "us", "UK", "EU", "XX", "ZZ", "USA", "A1"] {
            assert!(!is_country(code), "{code}");
        }
        assert_eq!(country_name("KG"), Some("Kyrgyzstan"));
        assert_eq!(country_name("BQ"), Some("Bonaire, Sint Eustatius and Saba"));
        assert_eq!(country_name("ZZ"), None);
    }

    #[test]
    fn currencies() {
        let read = read(include_str!("../../../data/currencies.csv")).unwrap();
        assert!(read.len() > 150);
        assert!(read.keys().all(|code| code.len() == 3));
        assert_eq!(currency_name("USD"), Some("US Dollar"));
        assert_eq!(currency_name("RUB"), Some("Russian Ruble"));
        assert_eq!(currency_name("XAU"), None);
    }

    #[test]
    fn a_code_stands_once() {
        assert!(read("code,name\nUS,a\nUS,b\n").is_err());
        assert!(read("code,name\nus,a\n").is_err());
        assert!(read("code,name\nUS,\n").is_err());
    }
}
