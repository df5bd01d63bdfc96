//! The five SubIDs: what a link tells the network to hand back with every action.

use crate::domain::error::{Error, PassedLimit, Result};

/// How many characters each SubID may have, by its slot: what the network's page takes, and 120 for the last one.
pub const LONGEST_SUBIDS: [usize; 5] = [50, 50, 50, 50, 120];

/// Checked SubIDs, by their slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subids([Option<String>; 5]);

impl Subids {
    /// Their names in links and in the API, by their slots.
    pub const NAMES: [&'static str; 5] = ["subid", "subid1", "subid2", "subid3", "subid4"];

    /// SubIDs that the network takes; an empty one is none.
    ///
    /// # Errors
    /// When one is too long, or has control characters or letters that are neither Latin nor Cyrillic; the error's field
    /// is `subids` and its name.
    pub fn new(values: [Option<String>; 5]) -> Result<Self> {
        let values = values.map(|value| value.filter(|value| !value.is_empty()));
        for ((name, longest), value) in Self::NAMES.iter().zip(LONGEST_SUBIDS).zip(&values) {
            if let Some(value) = value {
                check(name, longest, value)?;
            }
        }
        Ok(Self(values))
    }

    /// The values, by their slots.
    #[must_use]
    pub fn values(&self) -> &[Option<String>; 5] {
        &self.0
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Names and values of those that there are.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = Self::NAMES.iter().zip(&self.0);
        named.filter_map(|(name, value)| Some((*name, value.as_deref()?)))
    }
}

fn check(name: &str, longest: usize, value: &str) -> Result<()> {
    let field = format!("subids.{name}");
    let length = value.chars().count();
    if length > longest {
        let message = format!(
            "{name} has {length} characters, the network takes {longest}: shorten it{}",
            if longest < 120 {
                ", or give it as subid4, which takes 120"
            } else {
                ""
            }
        );
        let limit = if longest < LONGEST_SUBIDS[4] {
            "subidCharacters"
        } else {
            "subid4Characters"
        };
        let passed = PassedLimit::of(limit, longest, length);
        return Err(Error::limit(field, passed, message));
    }
    if let Some(wrong) = value.chars().find(|letter| letter.is_control()) {
        let message = format!(
            "{name} has the control character U+{:04X}, which the network refuses: leave it out",
            u32::from(wrong)
        );
        return Err(Error::bad_input(field, message));
    }
    if let Some(wrong) = value.chars().find(|letter| !is_taken(*letter)) {
        let message = format!(
            "{name} has the letter {wrong:?}; the network takes Latin and Cyrillic letters, digits, blanks and signs: write \
             it with these"
        );
        return Err(Error::bad_input(field, message));
    }
    Ok(())
}

/// Letters must be Latin or Cyrillic; signs may be any.
fn is_taken(letter: char) -> bool {
    !letter.is_alphabetic()
        || matches!(u32::from(letter),
            0x41..=0x24F | 0x1E00..=0x1EFF | 0x2C60..=0x2C7F | 0xA720..=0xA7FF
            | 0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F)
}
