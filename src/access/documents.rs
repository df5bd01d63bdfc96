//! Trusted documents: those that clients may ask for by the SHA-256 of their text, and, where the server says so, the
//! only ones that run.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Documents by the hash of their text, 64 hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedDocuments(HashMap<String, Arc<str>>);

/// The forms of a file of documents.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    /// As Apollo's tools write it.
    Operations { operations: Vec<Operation> },
    /// Hash and text, as `actiongraph documents` and Relay write it.
    Plain(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

impl TrustedDocuments {
    /// Reads a file of documents.
    ///
    /// # Errors
    /// A sentence when it is none, or a text has another hash than it says.
    pub fn read(text: &str) -> Result<Self, String> {
        let manifest: Manifest = serde_json::from_str(text)
            .map_err(|error| format!("is no file of documents: {error}"))?;
        let pairs: Vec<(String, String)> = match manifest {
            Manifest::Operations { operations } => {
                let operations = operations.into_iter();
                operations.map(|one| (one.id, one.body)).collect()
            }
            Manifest::Plain(plain) => plain.into_iter().collect(),
        };
        let mut documents = HashMap::new();
        for (id, text) in pairs {
            let hash = sha256(&text);
            if plain(&id) != Some(hash.as_str()) {
                return Err(format!(
                    "the document {id:?} has the hash {hash}: write the file anew with `actiongraph documents`"
                ));
            }
            documents.insert(hash, Arc::from(text));
        }
        Ok(Self(documents))
    }

    /// The text that an id stands for: `sha256:` and the hash, or the hash alone.
    #[must_use]
    pub fn text(&self, id: &str) -> Option<&Arc<str>> {
        self.0.get(plain(id)?)
    }

    /// Whether a text is one of them.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.0.contains_key(&sha256(text))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The hash in an id, if it has the form of one.
#[must_use]
pub fn plain(id: &str) -> Option<&str> {
    let hash = id.strip_prefix("sha256:").unwrap_or(id);
    let fits = hash.len() == 64
        && hash
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    fits.then_some(hash)
}

/// The SHA-256 of a text, in hexadecimal digits.
#[must_use]
pub fn sha256(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .fold(String::with_capacity(64), |mut digits, byte| {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_wrong_hashes_are_refused() {
        let text = "{ viewer { publisher { slug } } }";
        let hash = sha256(text);
        let both = [
            serde_json::json!({ hash.clone(): text }),
            serde_json::json!({ "format": "apollo-persisted-query-manifest", "version": 1,
                "operations": [{ "id": hash, "name": "A", "type": "query", "body": text }] }),
        ];
        for manifest in both {
            let documents = TrustedDocuments::read(&manifest.to_string()).unwrap();
            assert_eq!(documents.len(), 1);
            assert!(documents.contains(text));
            assert!(!documents.contains("{ viewer }"));
            let known = documents.text(&format!("sha256:{hash}")).unwrap();
            assert_eq!(known.as_ref(), text);
            assert_eq!(documents.text(&hash.to_uppercase()), None);
        }
        let wrong = serde_json::json!({ "0".repeat(64): text }).to_string();
        assert!(TrustedDocuments::read(&wrong).unwrap_err().contains(&hash));
        assert!(TrustedDocuments::read("[]").is_err());
        assert!(TrustedDocuments::read("").is_err());
    }
}
