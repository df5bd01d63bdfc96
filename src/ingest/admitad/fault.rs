//! What can go wrong with Admitad, sorted by what the caller should do about it, in words that a user understands.

use std::fmt;
use std::time::Duration;

/// Why Admitad gave no answer that can be used. Each prints as a sentence with the cause and the remedy, for the account's
/// user to read; none holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too many requests: wait, then the same again.
    RateLimited {
        /// How long Admitad wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It cannot be reached, is too slow or fails: wait, then the same again.
    Unavailable {
        /// What happened, without the full stop.
        cause: String,
        /// How long Admitad wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The account's key is not accepted: only its owner can help.
    Unauthorized {
        /// What Admitad says of it.
        said: String,
    },
    /// The key is accepted but lacks a right: what needs it has to be left out until its owner has asked for it.
    MissingScope {
        /// The scope; several are separated by blanks.
        scope: String,
    },
    /// The request is not accepted: the same again would not be either.
    Refused {
        /// The status of the answer.
        status: u16,
        /// What Admitad says of it.
        message: String,
        /// Whether Admitad itself says so, in JSON: a page of HTML comes from whatever stands in its place.
        in_json: bool,
    },
    /// The answer is none of Admitad's: a page of HTML, half a page, something else. Worth another try.
    Unreadable {
        /// What is wrong with it.
        cause: String,
        /// Its beginning, without secrets; empty where even that might hold one.
        excerpt: String,
    },
}

impl Fault {
    /// Whether the same request may succeed later without anybody's help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Unreadable { .. }
        )
    }

    /// How long Admitad wants to be left alone, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// One word for metrics and logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Unauthorized { .. } => "unauthorized",
            Self::MissingScope { .. } => "missing_scope",
            Self::Refused { .. } => "refused",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimited { .. } => out.write_str(
                "Admitad takes no more requests for now (it allows 600 a minute for one application). They are repeated \
                 by themselves; if this goes on, see whether another program uses the same client id.",
            ),
            Self::Unavailable { cause, .. } => write!(
                out,
                "Admitad cannot be asked: {cause}. The request is repeated by itself; if this goes on, check this \
                 server's way to the network and the address `base_url`."
            ),
            Self::Unauthorized { said } => write!(
                out,
                "Admitad does not accept this account's client id and secret ({said}). Copy both once more from the API \
                 page of the account's settings at Admitad into the configuration and restart."
            ),
            Self::MissingScope { scope } => write!(
                out,
                "The account's key lacks a right at Admitad: scope {scope}. Tick it for the application on the API page \
                 of the account's settings at Admitad; it is asked for again within an hour."
            ),
            Self::Refused {
                status, message, ..
            } => write!(
                out,
                "Admitad refused the request (status {status}): {message}. Check the account's settings, `base_url` \
                 above all; if they are right, report this as a fault of Actiongraph."
            ),
            Self::Unreadable { cause, excerpt } => {
                write!(out, "Admitad's answer cannot be read: {cause}")?;
                if !excerpt.is_empty() {
                    write!(out, " (it begins with {excerpt:?})")?;
                }
                out.write_str(
                    ". The request is repeated by itself; if this goes on, check `base_url` and whether a proxy answers \
                     in Admitad's place.",
                )
            }
        }
    }
}

impl std::error::Error for Fault {}
