//! Text: how it is folded for searching, and what is refused or cleaned at the edge.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;

/// Folds text for searching: compatibility normal form, case folded. `Ёлка` and `ёлка` fold alike on every database.
#[must_use]
pub fn fold(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let normal = nfkc.normalize(text);
    CaseMapper::new().fold_string(&normal).into_owned()
}

/// Whether the text holds U+0000, which PostgreSQL cannot store: refused at the edge on both databases.
#[must_use]
pub fn has_nul(text: &str) -> bool {
    text.bytes().any(|byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_beyond_ascii() {
        assert_eq!(fold("USB‑C Кабель ЁЛКА"), fold("usb‑c кабель ёлка"));
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("ﬁne"), "fine");
    }
}
