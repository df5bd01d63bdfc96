//! Judging an answer of Admitad's before its content is looked at: taken, or refused and why. Pure.

use super::fault::Fault;
use crate::ingest::personal::blank_personal_data;
use crate::ingest::raw::Literal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::Duration;

/// How much of an answer is shown, in characters.
const SHOWN: usize = 160;
/// Longer answers of good status are not looked through for an error.
const SHORT: usize = 16 * 1024;

/// An answer as it came.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: u16,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// Its body; what is not UTF-8 in it is replaced.
    pub(super) body: String,
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// The token is no longer, or was never, valid.
    Token {
        /// In upstream's words.
        said: String,
    },
    /// The token, or the key, lacks a right.
    Scope {
        /// In upstream's words.
        said: String,
    },
    /// Anything else.
    Other(Fault),
}

/// What upstream says of a failure.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    error: Literal<'a>,
    #[serde(borrow, default)]
    error_description: Literal<'a>,
    #[serde(borrow, default)]
    error_code: Literal<'a>,
    #[serde(borrow, default)]
    details: Literal<'a>,
    #[serde(default)]
    results: Option<IgnoredAny>,
}

impl Said<'_> {
    fn of(body: &str) -> Option<Said<'_>> {
        let start = body.trim_start();
        let is_short = body.len() <= SHORT && start.starts_with('{');
        let said: Said<'_> = serde_json::from_str(start).ok().filter(|_| is_short)?;
        let is_failure = word(said.error).is_some() || word(said.error_code).is_some();
        (is_failure && said.results.is_none()).then_some(said)
    }

    fn code(&self) -> Option<i64> {
        word(self.error_code)?.parse().ok()
    }

    fn error(&self) -> String {
        word(self.error).unwrap_or_default()
    }

    /// In one sentence without a full stop and without what `hide` takes out: secrets, which upstream likes to repeat.
    fn words(&self, hide: &dyn Fn(&str) -> String) -> String {
        let parts = [self.error, self.error_description, self.details];
        let parts: Vec<String> = parts.into_iter().filter_map(word).collect();
        // Before it is cut, lest half a secret be left.
        let text = hide(&parts.join(": "));
        excerpt(text.trim_end_matches('.'))
    }
}

fn word(literal: Literal<'_>) -> Option<String> {
    let text = literal.text().ok()??;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl Answer {
    /// Whether it is taken. Whatever its status is, `hide` takes secrets out of the words that are quoted from it.
    ///
    /// # Errors
    /// [`Objection`]
    pub(super) fn judge(&self, hide: &dyn Fn(&str) -> String) -> Result<(), Objection> {
        let said = Said::of(&self.body);
        let is_good = (200..300).contains(&self.status);
        if is_good && said.is_none() {
            return Ok(());
        }
        let words = || {
            said.as_ref()
                .map(|said| said.words(hide))
                .filter(|words| !words.is_empty())
                .unwrap_or_else(|| format!("status {} without a reason", self.status))
        };
        let error = said.as_ref().map(Said::error).unwrap_or_default();
        let code = said.as_ref().and_then(Said::code);
        let retry_after = self.retry_after;
        let objection = match (self.status, code, error.as_str()) {
            (429, ..) | (_, Some(4), _) => Objection::Other(Fault::RateLimited { retry_after }),
            (_, _, "insufficient_scope" | "invalid_scope") => Objection::Scope { said: words() },
            (408 | 500.., ..) => Objection::Other(Fault::Unavailable {
                cause: format!("its server answers with status {}", self.status),
                retry_after,
            }),
            (401, ..) | (_, Some(0 | 1), _) | (_, _, "invalid_token") => {
                Objection::Token { said: words() }
            }
            (403, Some(2), _) => Objection::Scope { said: words() },
            (300..=399, ..) => Objection::Other(self.refused(
                "it sends the request on to another address, which a key is not shown to".to_owned(),
            )),
            (404, ..) if said.is_none() => Objection::Other(
                self.refused("there is nothing at this address of `base_url`".to_owned()),
            ),
            (_, Some(6), _) => Objection::Other(self.refused(
                "too many tokens have been issued to this application; have the old ones revoked or wait until they \
                 expire"
                    .to_owned(),
            )),
            _ => Objection::Other(self.refused(words())),
        };
        Err(objection)
    }

    fn refused(&self, message: String) -> Fault {
        let is_object = self.body.trim_start().starts_with('{');
        Fault::Refused {
            status: self.status,
            message,
            in_json: is_object && serde_json::from_str::<IgnoredAny>(&self.body).is_ok(),
        }
    }
}

/// The beginning of a text in one line, without personal data and control characters.
pub(super) fn excerpt(text: &str) -> String {
    // Cut before it is searched through: a page may have megabytes.
    let start: String = text.chars().take(SHOWN * 8).collect();
    let blanked = blank_personal_data(&start);
    let words: Vec<&str> = blanked.split_whitespace().collect();
    let line = words.join(" ");
    let mut shown: String = line
        .chars()
        .filter(|char| !char.is_control())
        .take(SHOWN)
        .collect();
    if line.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
