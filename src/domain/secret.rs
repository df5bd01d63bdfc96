//! A secret: text that is used and never shown.
//!
//! What it opens (an account at Admitad, a door for postbacks) is not known here.

use serde::{Deserialize, Deserializer};
use std::fmt;
use subtle::ConstantTimeEq;

/// What stands wherever a secret would be printed.
const HIDDEN: &str = "***";

/// A text that neither `Debug` nor `Display` shows and that nothing can serialise.
///
/// It can be read from a configuration. Only [`Secret::expose`] gives it away, so that every such place can be searched
/// for by that word.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself: for handing it to whom it is meant for, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with the secret, wherever it stands in it, made unreadable, also where its slashes are written `\/` as
    /// they may be in JSON.
    ///
    /// Secrets of fewer than four characters are left: as text they are everywhere.
    #[must_use]
    pub fn hide_in(&self, text: &str) -> String {
        if self.0.len() < 4 {
            text.to_owned()
        } else {
            let text = text.replace(&*self.0, HIDDEN);
            text.replace(&self.0.replace('/', "\\/"), HIDDEN)
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        let secret = Secret::new("s3cr3t-value");
        for shown in [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{secret:#?}"),
            format!("{:?}", Some(&secret)),
            format!("{secret:>40}"),
        ] {
            assert!(shown.contains(HIDDEN), "{shown}");
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
        assert_eq!(secret.expose(), "s3cr3t-value");
    }

    #[test]
    fn it_is_read_and_compared() {
        #[derive(Debug, Deserialize)]
        struct Account {
            key: Secret,
        }
        let account: Account = serde_json::from_str(r#"{"key":"abc-def"}"#).unwrap();
        assert_eq!(account.key, Secret::new("abc-def"));
        assert_ne!(account.key, Secret::new("abc-deg"));
        assert!(!format!("{account:?}").contains("abc"));
    }

    #[test]
    fn it_is_hidden_in_text() {
        let secret = Secret::new("abcd");
        assert_eq!(secret.hide_in("key=abcd&abcd"), "key=***&***");
        assert_eq!(Secret::new("a").hide_in("banana"), "banana");
        let slashed = Secret::new("ab/cd");
        assert_eq!(slashed.hide_in(r"ab/cd ab\/cd"), "*** ***");
    }

    #[test]
    fn nothing_can_serialise_it() {
        // If a secret could be serialised, both rows would fit it, and this would not compile.
        trait IsPlain<Way> {
            fn holds() -> bool {
                true
            }
        }
        struct Serialisable;
        impl<T> IsPlain<()> for T {}
        impl<T: serde::Serialize> IsPlain<Serialisable> for T {}
        assert!(<Secret as IsPlain<_>>::holds());
    }
}
