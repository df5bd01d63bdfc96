//! Tokens: got for the account's key, renewed ahead of their end, one at a time. They live in memory only.

use super::answer::{Answer, Objection};
use super::fault::Fault;
use super::transport::Transport;
use crate::domain::secret::Secret;
use crate::domain::time::Instant;
use crate::ingest::raw::Literal;
use serde::Deserialize;
use std::collections::BTreeSet;
use tokio::sync::Mutex;

/// Where tokens are got.
const PATH: &str = "token/";
/// Scopes without which there is nothing to synchronise.
pub(super) const NEEDED: [&str; 1] = ["statistics"];
/// Scopes that add something; a key may lack them, and then lacks what they add alone.
pub(super) const OPTIONAL: [&str; 6] = [
    "advcampaigns",
    "websites",
    "public_data",
    "private_data_balance",
    "aliexpress_commission",
    "advcampaigns_for_website",
];
/// Those of them that few keys have and each of which one feed alone needs: where a refusal names none, these are left out
/// first, and a key without them is in order.
pub(super) const EXTRA: [&str; 3] = [
    "private_data_balance",
    "aliexpress_commission",
    "advcampaigns_for_website",
];
/// How long a token counts whose answer names no time, in seconds.
const DEFAULT_LIFE: i64 = 3_600;
/// How long before its end a token is renewed, in seconds; of short-lived ones a tenth of their life.
const RENEWED_BEFORE: i64 = 300;
/// How long it takes until a scope that was lacking is asked for again, in seconds.
const SCOPES_ASKED_AGAIN: i64 = 3_600;

/// An account's key at Admitad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Names the application.
    pub client_id: String,
    /// Proves that we are it.
    pub client_secret: Secret,
}

/// What the client holds of tokens.
pub(super) struct Tokens {
    credentials: Credentials,
    /// Held while a token is fetched, so that the others wait for it instead of fetching their own.
    held: Mutex<Option<Held>>,
}

struct Held {
    access: Secret,
    refresh: Option<Secret>,
    /// From then on it is renewed first.
    renew_at: Instant,
    /// Until then it can be used if renewing is not possible.
    ends_at: Instant,
    /// When its scopes were asked for.
    scoped_at: Instant,
    missing: BTreeSet<String>,
}

/// What the token endpoint gave, before it is known what it lacks.
#[derive(Deserialize)]
struct Granted<'a> {
    #[serde(borrow)]
    access_token: Literal<'a>,
    #[serde(borrow, default)]
    refresh_token: Literal<'a>,
    #[serde(borrow, default)]
    expires_in: Literal<'a>,
    #[serde(borrow, default)]
    scope: Literal<'a>,
}

impl Tokens {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            held: Mutex::new(None),
        }
    }

    /// A token for a request that needs a scope. `refused` is the one that was just not accepted.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::MissingScope`] without asking if the key is known to lack an optional scope.
    pub(super) async fn get(
        &self,
        transport: &Transport,
        now: Instant,
        scope: &str,
        refused: Option<&Secret>,
    ) -> Result<Secret, Fault> {
        let mut held = self.held.lock().await;
        let mut rescope = false;
        let mut spare = None;
        if let Some(known) = held.as_mut() {
            let lacks = known.missing.contains(scope);
            rescope = lacks && known.scoped_at.micros() <= seconds_before(now, SCOPES_ASKED_AGAIN);
            if lacks && !rescope && OPTIONAL.contains(&scope) {
                return Err(missing(scope));
            }
            if refused == Some(&known.access) {
                known.renew_at = Instant::MIN;
                known.ends_at = Instant::MIN;
            } else if !rescope && now < known.renew_at {
                return Ok(known.access.clone());
            }
            spare = (now < known.ends_at).then(|| known.access.clone());
        }
        match self.renewed(transport, now, held.as_ref(), rescope).await {
            Ok(new) => {
                let access = new.access.clone();
                *held = Some(new);
                Ok(access)
            }
            // What is about to end is still good.
            Err(fault) if fault.is_passing() => spare.ok_or(fault),
            Err(fault) => Err(fault),
        }
    }

    /// Remembers that a token turned out to lack a scope.
    pub(super) async fn note_missing(&self, access: &Secret, scope: &str) {
        let mut held = self.held.lock().await;
        if let Some(known) = held.as_mut().filter(|known| known.access == *access) {
            known.missing.insert(scope.to_owned());
        }
    }

    /// Forgets a token that is not accepted though it is new.
    pub(super) async fn forget(&self, access: &Secret) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|known| known.access == *access) {
            *held = None;
        }
    }

    /// The scopes that the present token is known to lack.
    pub(super) async fn missing(&self) -> BTreeSet<String> {
        let held = self.held.lock().await;
        held.as_ref()
            .map(|known| known.missing.clone())
            .unwrap_or_default()
    }

    /// A text without the account's secret and without a token, also as they stand in a request's head.
    pub(super) fn hide(&self, token: Option<&Secret>, text: &str) -> String {
        use base64::Engine;
        let Credentials {
            client_id,
            client_secret,
        } = &self.credentials;
        let pair = format!("{client_id}:{}", client_secret.expose());
        let head = Secret::new(base64::engine::general_purpose::STANDARD.encode(pair));
        let text = client_secret.hide_in(&head.hide_in(text));
        match token {
            Some(token) => token.hide_in(&text),
            None => text,
        }
    }

    async fn renewed(
        &self,
        transport: &Transport,
        now: Instant,
        old: Option<&Held>,
        rescope: bool,
    ) -> Result<Held, Fault> {
        if !rescope
            && let Some((old, refresh)) = old.and_then(|old| Some((old, old.refresh.as_ref()?)))
        {
            match self.refreshed(transport, now, old, refresh).await {
                Ok(new) => return Ok(new),
                Err(fault @ (Fault::RateLimited { .. } | Fault::Unavailable { .. })) => {
                    return Err(fault);
                }
                // The old pair is dead: the key itself is still there.
                Err(_) => {}
            }
        }
        self.issued(transport, now).await
    }

    async fn refreshed(
        &self,
        transport: &Transport,
        now: Instant,
        old: &Held,
        refresh: &Secret,
    ) -> Result<Held, Fault> {
        let Credentials {
            client_id,
            client_secret,
        } = &self.credentials;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose()),
            ("refresh_token", refresh.expose()),
        ];
        let answer = self.asked(transport, &form).await?;
        let mut new = answer.map_err(|objection| self.fault_of(objection))?;
        new = self.dated(new, now);
        new.scoped_at = old.scoped_at;
        new.missing.clone_from(&old.missing);
        Ok(new)
    }

    /// A token for the key: with all scopes that are wanted, or, where some are refused, without those that are not needed.
    async fn issued(&self, transport: &Transport, now: Instant) -> Result<Held, Fault> {
        let mut wanted: Vec<&str> = NEEDED.into_iter().chain(OPTIONAL).collect();
        loop {
            let scope = wanted.join(" ");
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", &self.credentials.client_id),
                ("scope", &scope),
            ];
            match self.asked(transport, &form).await? {
                Ok(new) => {
                    let mut new = self.dated(new, now);
                    let left = OPTIONAL.iter().filter(|scope| !wanted.contains(scope));
                    new.missing.extend(left.map(|scope| (*scope).to_owned()));
                    return Ok(new);
                }
                Err(Objection::Scope { said }) => {
                    let named = |scope: &&str| is_word_of(scope, &said);
                    if wanted.len() == NEEDED.len() {
                        let refused: Vec<&str> = NEEDED.into_iter().filter(named).collect();
                        let refused = if refused.is_empty() { wanted } else { refused };
                        return Err(missing(&refused.join(" ")));
                    }
                    let any = OPTIONAL
                        .iter()
                        .any(|scope| wanted.contains(scope) && named(scope));
                    let rare = wanted.iter().any(|scope| EXTRA.contains(scope));
                    wanted.retain(|scope| match (any, rare) {
                        _ if NEEDED.contains(scope) => true,
                        (true, _) => !named(scope),
                        (false, true) => !EXTRA.contains(scope),
                        (false, false) => false,
                    });
                }
                Err(objection) => return Err(self.fault_of(objection)),
            }
        }
    }

    /// Asks the token endpoint.
    async fn asked(
        &self,
        transport: &Transport,
        form: &[(&str, &str)],
    ) -> Result<Result<Held, Objection>, Fault> {
        let Credentials {
            client_id,
            client_secret,
        } = &self.credentials;
        let request = transport
            .post(PATH)
            .basic_auth(client_id, Some(client_secret.expose()))
            .form(form);
        let answer = transport.send(request).await?;
        let sent = form.iter().find(|(name, _)| *name == "refresh_token");
        let sent = sent.map(|(_, refresh)| Secret::new(*refresh));
        match answer.judge(&|words| self.hide(sent.as_ref(), words)) {
            Ok(()) => granted(&answer).map(Ok),
            Err(objection) => Ok(Err(objection)),
        }
    }

    /// With the times that count from now on: a token counts from before it was asked for.
    fn dated(&self, mut new: Held, now: Instant) -> Held {
        let life = new.ends_at.micros() / 1_000_000;
        let ahead = RENEWED_BEFORE.min(life / 10);
        new.renew_at = seconds_after(now, life - ahead);
        new.ends_at = seconds_after(now, life);
        new.scoped_at = now;
        new
    }

    /// What an objection of the token endpoint means: nearly always that the key is wrong.
    fn fault_of(&self, objection: Objection) -> Fault {
        match objection {
            Objection::Token { said } => Fault::Unauthorized { said },
            Objection::Scope { .. } => missing(&NEEDED.join(" ")),
            Objection::Other(Fault::Refused {
                status: 400 | 403,
                message,
                ..
            }) if KEY_IS_WRONG.iter().any(|word| is_word_of(word, &message)) => {
                Fault::Unauthorized { said: message }
            }
            Objection::Other(fault) => fault,
        }
    }
}

/// What OAuth calls a key that is not accepted.
const KEY_IS_WRONG: [&str; 4] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_grant",
    "access_denied",
];

/// Reads what was granted. Nothing of it is ever shown: it holds the token.
fn granted(answer: &Answer) -> Result<Held, Fault> {
    let wrong = |what: &str| Fault::Unreadable {
        cause: format!("the answer to the request for a token {what}"),
        excerpt: String::new(),
    };
    let granted: Granted<'_> = serde_json::from_str(&answer.body).map_err(|error| {
        let is_html = answer.body.trim_start().starts_with('<');
        wrong(match (is_html, error.is_eof()) {
            (true, _) => "is a page of HTML, as servers and proxies show on failure",
            (false, true) => "ends in the middle",
            (false, false) => "is not of the expected form",
        })
    })?;
    let access = word(granted.access_token).ok_or_else(|| wrong("holds none"))?;
    let life = word(granted.expires_in).and_then(|life| life.parse().ok());
    let life = i64::max(life.unwrap_or(DEFAULT_LIFE), 1);
    let scopes = word(granted.scope).unwrap_or_default();
    let lacks = |scope: &&&str| !scopes.is_empty() && !is_word_of(scope, &scopes);
    let missing = OPTIONAL
        .iter()
        .filter(lacks)
        .map(|scope| (*scope).to_owned());
    Ok(Held {
        access: Secret::new(access),
        refresh: word(granted.refresh_token).map(Secret::new),
        renew_at: Instant::MIN,
        ends_at: seconds_after(Instant::MIN, life),
        scoped_at: Instant::MIN,
        missing: missing.collect(),
    })
}

fn word(literal: Literal<'_>) -> Option<String> {
    let text = literal.text().ok()??;
    (!text.is_empty()).then(|| text.into_owned())
}

fn missing(scope: &str) -> Fault {
    Fault::MissingScope {
        scope: scope.to_owned(),
    }
}

/// Whether a word stands in a text by itself: `websites` does not stand in `manage_websites`.
fn is_word_of(word: &str, text: &str) -> bool {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
        .any(|part| part == word)
}

/// So many seconds later, or the last instant that there is.
fn seconds_after(now: Instant, seconds: i64) -> Instant {
    let micros = seconds
        .saturating_mul(1_000_000)
        .saturating_add(now.micros());
    Instant::from_micros(micros).unwrap_or(Instant::MAX)
}

fn seconds_before(now: Instant, seconds: i64) -> i64 {
    now.micros() - seconds * 1_000_000
}
