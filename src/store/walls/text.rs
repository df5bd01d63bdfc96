//! What the text of a statement names.

/// The words of a statement: names and numbers, without what stands between them.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == '('))
        .flat_map(|word| word.split_inclusive('('))
        .filter(|word| !word.is_empty())
}

/// Whether a name that is read is an expression of the statement's own, or no name but a query or a function.
pub(super) fn is_own(words: &[&str], name: &str) -> bool {
    name.ends_with('(')
        || words
            .windows(2)
            .any(|pair| matches!(pair, [own, "AS"] if *own == name))
        || words
            .iter()
            .any(|word| word.strip_suffix('(') == Some(name))
}

/// A statement's text without the names of indexes, which expressions do not have.
pub(super) fn without_hints(text: &str) -> String {
    let mut words = text.split(" INDEXED BY ");
    let mut kept = words.next().unwrap_or_default().to_owned();
    for rest in words {
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        kept.push_str(end.and_then(|end| rest.get(end..)).unwrap_or_default());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_taken_out() {
        assert_eq!(
            without_hints("SELECT 1 FROM a INDEXED BY ix_a WHERE x"),
            "SELECT 1 FROM a WHERE x"
        );
        assert_eq!(without_hints("FROM a INDEXED BY ix_a"), "FROM a");
        assert_eq!(without_hints("FROM a"), "FROM a");
    }
}
