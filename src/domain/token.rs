//! JSON Web Tokens: what is expected of one, and what its claims say of whoever shows it.
//!
//! Signatures and keys are not known here (`access`). A claim that cannot be understood refuses the token; it is never
//! taken for one that is not there, which would show more than the issuer meant.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Number, Value};
use thiserror::Error;

use super::action::words;
use super::id::check_slug;
use super::key::KeyBudget;
use super::limits::{Limits, SubidLimit};
use super::scope::KeyScope;
use super::time::{Day, Instant};

/// How long a subject may be, in letters.
pub const MAX_SUBJECT: usize = 200;

words! {
    /// How tokens may be signed: by key pairs, so that who checks a token cannot make one.
    Algorithm {
        /// RSA, PKCS #1 v1.5, SHA-256.
        Rs256 = "RS256",
        /// RSA, PKCS #1 v1.5, SHA-384.
        Rs384 = "RS384",
        /// RSA, PKCS #1 v1.5, SHA-512.
        Rs512 = "RS512",
        /// RSA, PSS, SHA-256.
        Ps256 = "PS256",
        /// RSA, PSS, SHA-384.
        Ps384 = "PS384",
        /// RSA, PSS, SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256, SHA-256.
        Es256 = "ES256",
        /// ECDSA on P-384, SHA-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// Which claim says what; none where no claim says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimNames {
    /// The publisher's name on the command line.
    pub publisher: String,
    /// What the bearer may do.
    pub scopes: String,
    /// [`Limits::programs`].
    pub programs: Option<String>,
    /// [`Limits::ad_spaces`].
    pub ad_spaces: Option<String>,
    /// [`Limits::subids`].
    pub subids: Option<String>,
    /// [`Limits::not_before`], as a day.
    pub not_before: Option<String>,
    /// [`Limits::last_days`].
    pub last_days: Option<String>,
    /// [`Limits::hide_user_keys`].
    pub hide_user_keys: Option<String>,
    /// [`Limits::hide_reward`].
    pub hide_reward: Option<String>,
    /// What the bearer may spend.
    pub budget: Option<String>,
}

/// What a token must be, and what its claims mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// Its `iss`, exactly.
    pub issuer: String,
    /// One of its `aud`, exactly.
    pub audiences: Vec<String>,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock and ours may be apart.
    pub leeway: Duration,
    /// Which claim says what.
    pub claims: ClaimNames,
    /// Claims that must be there.
    pub required: Vec<String>,
    /// Whether a token is without a limit whose claim it does not have. Otherwise it is not taken.
    pub unlimited_without_claim: bool,
    /// What scopes of ours begin with.
    pub scope_prefix: String,
    /// Whether a token may carry the scope admin.
    pub allow_admin: bool,
}

impl TokenPolicy {
    /// The claims without which a token is not taken: those that are required, and unless the settings say otherwise
    /// those of limits. A budget is no limit on what is seen: without its claim there is the server's own.
    fn needed(&self) -> impl Iterator<Item = &str> {
        let names = &self.claims;
        let limits = [
            &names.programs,
            &names.ad_spaces,
            &names.subids,
            &names.not_before,
            &names.last_days,
            &names.hide_user_keys,
            &names.hide_reward,
        ];
        let limits = limits.into_iter().flatten();
        let limits = limits.filter(|_| !self.unlimited_without_claim);
        self.required.iter().chain(limits).map(String::as_str)
    }
}

/// Whether a token of a kind may open anything, by what its header says of it: tokens for access, and those that say
/// nothing more than that they are tokens.
#[must_use]
pub fn is_of_access(kind: Option<&str>) -> bool {
    let known = ["JWT", "at+jwt", "application/at+jwt"];
    kind.is_none_or(|kind| known.iter().any(|known| known.eq_ignore_ascii_case(kind)))
}

/// Why a token is not taken: for the log. Whoever sent it is told only that it is over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Too long to be read.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// Not of the form of a token.
    #[error("it has not the form of a token")]
    Malformed,
    /// Signed in a way that is not allowed, or that does not fit its key.
    #[error("its algorithm is not allowed, or does not fit its key")]
    Algorithm,
    /// No key has its `kid`.
    #[error("no key of the issuer has its kid")]
    UnknownKey,
    /// The issuer's keys were never read, or too long ago.
    #[error("the issuer's keys are not known, or were last read too long ago")]
    Stale,
    /// The signature is none of that key.
    #[error("its signature is not of the key that it names")]
    Signature,
    /// Of another issuer.
    #[error("it is of another issuer")]
    Issuer,
    /// For somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Over.
    #[error("it has expired")]
    Expired,
    /// Of a time to come.
    #[error("it is not valid yet")]
    NotYet,
    /// A claim that is missing.
    #[error("it has no claim {0}")]
    Missing(String),
    /// Of a kind that opens nothing.
    #[error("its typ is neither JWT nor at+jwt")]
    Kind,
    /// A claim that cannot be understood.
    #[error("its claim {0} cannot be understood")]
    Claim(String),
    /// A limit that would show nothing, or that no key could have.
    #[error("a limit in it cannot hold: {0}")]
    Limit(String),
    /// A publisher that there is not.
    #[error("it names a publisher that there is not")]
    Publisher,
}

/// What a token says of whoever shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Who, as the issuer calls it.
    pub subject: String,
    /// The publisher's name on the command line.
    pub publisher: String,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// What it sees.
    pub limits: Limits,
    /// What it may spend.
    pub budget: Option<KeyBudget>,
    /// When the token ends, without the leeway.
    pub expires_at: Instant,
}

/// The claims of a token, none of which stands twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Claims;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claims = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    // Readers differ in which of two they take.
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim stands twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

impl Claims {
    /// Checks the claims at a moment, and reads what they say.
    ///
    /// # Errors
    /// Why the token is not taken.
    pub fn read(&self, policy: &TokenPolicy, now: Instant) -> Result<Bearer, Flaw> {
        if self.value("iss").and_then(Value::as_str) != Some(policy.issuer.as_str()) {
            return Err(Flaw::Issuer);
        }
        let audiences = self.texts("aud")?.unwrap_or_default();
        if !audiences.iter().any(|one| policy.audiences.contains(one)) {
            return Err(Flaw::Audience);
        }
        let expires = self.times(policy.leeway, now)?;
        let missing = policy.needed().find(|name| self.value(name).is_none());
        if let Some(name) = missing {
            return Err(Flaw::Missing(name.to_owned()));
        }
        let publisher = self.needed(&policy.claims.publisher)?;
        check_slug(publisher).map_err(|_| claim(&policy.claims.publisher))?;
        let limits = self.limits(&policy.claims)?;
        Ok(Bearer {
            subject: self.subject()?,
            publisher: publisher.to_owned(),
            scopes: self.scopes(policy, &limits)?,
            limits,
            budget: self.budget(policy.claims.budget.as_deref())?,
            expires_at: Instant::nearest(expires),
        })
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text that must be there.
    fn needed(&self, name: &str) -> Result<&str, Flaw> {
        let value = self
            .value(name)
            .ok_or_else(|| Flaw::Missing(name.to_owned()))?;
        value.as_str().ok_or_else(|| claim(name))
    }

    /// A list of texts; one that stands alone is a list of it, as some issuers write such.
    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Flaw> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = match self.value(name) {
            None => return Ok(None),
            Some(Value::Array(values)) => values.iter().map(text).collect(),
            Some(value) => text(value).map(|text| vec![text]),
        };
        list.map(Some).ok_or_else(|| claim(name))
    }

    /// When the token ends, in microseconds since 1970.
    fn times(&self, leeway: Duration, now: Instant) -> Result<i64, Flaw> {
        let leeway = i64::try_from(leeway.as_micros()).unwrap_or(i64::MAX);
        let now = now.micros();
        let end = self
            .time("exp")?
            .ok_or_else(|| Flaw::Missing("exp".to_owned()))?;
        if now >= end.saturating_add(leeway) {
            return Err(Flaw::Expired);
        }
        for name in ["nbf", "iat"] {
            if self
                .time(name)?
                .is_some_and(|begin| now.saturating_add(leeway) < begin)
            {
                return Err(Flaw::NotYet);
            }
        }
        Ok(end)
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Flaw> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Number(seconds)) => micros(seconds).map(Some).ok_or_else(|| claim(name)),
            Some(_) => Err(claim(name)),
        }
    }

    /// Who, in a form that can stand in a log and in the trail.
    fn subject(&self) -> Result<String, Flaw> {
        let subject = self.needed("sub")?;
        let fits = !subject.trim().is_empty()
            && subject.chars().count() <= MAX_SUBJECT
            && !subject.chars().any(char::is_control);
        if fits {
            Ok(subject.to_owned())
        } else {
            Err(claim("sub"))
        }
    }

    /// Scopes that are ours and known. Who sees some rows reads, and does nothing else, as with keys.
    fn scopes(&self, policy: &TokenPolicy, limits: &Limits) -> Result<Vec<KeyScope>, Flaw> {
        let texts = self.texts(&policy.claims.scopes)?.unwrap_or_default();
        let words = texts.iter().flat_map(|text| text.split_whitespace());
        let ours = words.filter_map(|word| word.strip_prefix(policy.scope_prefix.as_str()));
        let given: Vec<KeyScope> = ours.filter_map(KeyScope::parse).collect();
        let may = |scope: KeyScope| match scope {
            KeyScope::Read => true,
            KeyScope::Admin => policy.allow_admin && limits.is_none(),
            KeyScope::Import | KeyScope::Segments => limits.is_none(),
        };
        let all = KeyScope::ALL.iter().copied();
        Ok(all
            .filter(|scope| given.contains(scope) && may(*scope))
            .collect())
    }

    fn limits(&self, names: &ClaimNames) -> Result<Limits, Flaw> {
        let texts = |name: &Option<String>| match name {
            Some(name) => self.texts(name),
            None => Ok(None),
        };
        let limits = Limits {
            programs: texts(&names.programs)?,
            ad_spaces: texts(&names.ad_spaces)?,
            subids: self
                .of::<Vec<SubidLimit>>(names.subids.as_deref())?
                .unwrap_or_default(),
            not_before: self.day(names.not_before.as_deref())?,
            last_days: self.of(names.last_days.as_deref())?,
            hide_user_keys: self.of(names.hide_user_keys.as_deref())?.unwrap_or(false),
            hide_reward: self.of(names.hide_reward.as_deref())?.unwrap_or(false),
        };
        limits.check().map_err(Flaw::Limit)?;
        // An empty list of SubIDs is no limit, and so is not what whoever wrote it can have meant.
        if limits.subids.is_empty()
            && let Some(name) = &names.subids
            && self.value(name).is_some()
        {
            return Err(claim(name));
        }
        Ok(limits)
    }

    fn day(&self, name: Option<&str>) -> Result<Option<i32>, Flaw> {
        let Some(name) = name.filter(|name| self.value(name).is_some()) else {
            return Ok(None);
        };
        let day = Day::parse(self.needed(name)?).map_err(|_| claim(name))?;
        Ok(Some(day.days()))
    }

    fn budget(&self, name: Option<&str>) -> Result<Option<KeyBudget>, Flaw> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            capacity: i64,
            refill: i64,
        }
        let Some(Written { capacity, refill }) = self.of(name)? else {
            return Ok(None);
        };
        let budget = KeyBudget { capacity, refill };
        match (budget.check(), name) {
            (Err(_), Some(name)) => Err(claim(name)),
            _ => Ok(Some(budget)),
        }
    }

    /// A claim of a type of ours. `null` is a claim that cannot be understood.
    fn of<T: serde::de::DeserializeOwned>(&self, name: Option<&str>) -> Result<Option<T>, Flaw> {
        let named = name.and_then(|name| Some((name, self.value(name)?)));
        let Some((name, value)) = named else {
            return Ok(None);
        };
        serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| claim(name))
    }
}

fn claim(name: &str) -> Flaw {
    Flaw::Claim(name.to_owned())
}

/// Seconds since 1970, which may have decimals, as microseconds; none beyond what can be counted.
fn micros(seconds: &Number) -> Option<i64> {
    /// Some 30,000 years: no token means more.
    const MOST: f64 = 1e12;
    if let Some(whole) = seconds.as_i64() {
        return whole.checked_mul(1_000_000);
    }
    let seconds = seconds.as_f64().filter(|seconds| seconds.abs() < MOST)?;
    Some((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests;
