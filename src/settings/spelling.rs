//! What somebody may have meant by a name that is no setting.

use super::keys;

/// What to say about a name that is none of ours.
pub(super) fn hint(name: &str) -> String {
    let nearest = keys().min_by_key(|key| distance(name, key.name));
    match nearest {
        Some(key) if distance(name, key.name) <= key.name.len() / 2 => {
            format!("did you mean {}?", key.name)
        }
        _ => {
            let names: Vec<&str> = keys().map(|key| key.name).collect();
            format!("there are {}", names.join(", "))
        }
    }
}

/// How many letters must be changed, added or dropped to make one word of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut before = line;
        let mut last = line + 1;
        for (column, other) in right.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or(usize::MAX);
            let change = before + usize::from(letter != *other);
            if let Some(cell) = row.get_mut(column) {
                *cell = last;
            }
            last = change.min(above + 1).min(last + 1);
            before = above;
        }
        if let Some(cell) = row.last_mut() {
            *cell = last;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A value as messages repeat it.
pub(super) fn shown(value: &toml::Value) -> String {
    value.to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_far_apart_as_letters_differ() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
