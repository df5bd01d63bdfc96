//! API keys as an administrator sees them: their terms and their times.

use super::limits::Limits;
use super::scope::KeyScope;
use super::text::has_nul;
use super::time::Instant;
use uuid::Uuid;

/// How long a label may be, in letters.
pub const MAX_LABEL: usize = 200;
/// The largest budget, in points.
pub const MAX_BUDGET: i64 = 1_000_000_000;

/// What a key may spend: a bucket of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBudget {
    /// How many points the bucket holds; at least 1.
    pub capacity: i64,
    /// How many come back in a second; at least 1.
    pub refill: i64,
}

impl KeyBudget {
    /// Checks a budget that someone has written.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn check(self) -> Result<(), String> {
        let fits = |points: i64| (1..=MAX_BUDGET).contains(&points);
        if fits(self.capacity) && fits(self.refill) {
            return Ok(());
        }
        Err(format!("capacity and refill are from 1 to {MAX_BUDGET}"))
    }
}

/// What an administrator decides about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTerms {
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// When it ends by itself; none for never.
    pub expires_at: Option<Instant>,
    /// What of the data it sees.
    pub limits: Limits,
    /// What it may spend; the server's default where none is given.
    pub budget: Option<KeyBudget>,
    /// Whether it may ask for the schema; as the server says where nothing is said.
    pub introspection: Option<bool>,
}

impl Default for KeyTerms {
    fn default() -> Self {
        Self {
            label: String::new(),
            scopes: vec![KeyScope::Read],
            expires_at: None,
            limits: Limits::default(),
            budget: None,
            introspection: None,
        }
    }
}

impl KeyTerms {
    /// Checks terms that someone has written, at a moment.
    ///
    /// # Errors
    /// The argument at fault and a sentence that says what would be right.
    pub fn check(&self, now: Instant) -> Result<(), (&'static str, String)> {
        if self.label.chars().count() > MAX_LABEL || has_nul(&self.label) {
            let message =
                format!("a label has at most {MAX_LABEL} letters, and none of them is U+0000");
            return Err(("label", message));
        }
        if self.scopes.is_empty() {
            let message = "a key without a scope can do nothing; name at least one";
            return Err(("scopes", message.to_owned()));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err((
                "expiresAt",
                "that has passed; name a time to come".to_owned(),
            ));
        }
        if let Some(budget) = self.budget {
            budget.check().map_err(|message| ("budget", message))?;
        }
        self.limits.check().map_err(|message| ("limits", message))?;
        if !self.limits.is_none() && self.scopes.iter().any(|scope| *scope != KeyScope::Read) {
            let message = "a key that is limited reads, and does nothing else: what it brought in or defined would reach \
                           beyond what it sees; leave read alone, or lift the limits";
            return Err(("scopes", message.to_owned()));
        }
        Ok(())
    }

    /// The terms in words, one line.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = vec![format!("scopes {}", KeyScope::print(&self.scopes))];
        if let Some(end) = self.expires_at {
            words.push(format!("until {}", end.to_rfc3339()));
        }
        words.extend(self.limits.words());
        if let Some(budget) = self.budget {
            words.push(format!(
                "budget {} points, {} a second",
                budget.capacity, budget.refill
            ));
        }
        match self.introspection {
            Some(true) => words.push("may ask for the schema".to_owned()),
            Some(false) => words.push("may not ask for the schema".to_owned()),
            None => {}
        }
        words.join("; ")
    }
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Id.
    pub id: Uuid,
    /// The public first part, by which the key is known.
    pub prefix: String,
    /// What was decided about it.
    pub terms: KeyTerms,
    /// When it was made.
    pub created_at: Instant,
    /// When it was last used, give or take some minutes.
    pub last_used_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
    /// Until when the secret before the last rotation is taken.
    pub previous_until: Option<Instant>,
}

impl ApiKey {
    /// Whether it opens anything at a moment.
    #[must_use]
    pub fn is_active(&self, now: Instant) -> bool {
        self.revoked_at.is_none() && self.terms.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it administers at a moment.
    #[must_use]
    pub fn is_admin(&self, now: Instant) -> bool {
        self.is_active(now) && self.terms.scopes.contains(&KeyScope::Admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_that_contradict_themselves_are_refused_by_name() {
        let now = Instant::parse_rfc3339("2026-07-01T00:00:00Z").unwrap();
        let wrong = |change: fn(&mut KeyTerms)| {
            let mut terms = KeyTerms::default();
            change(&mut terms);
            terms.check(now).unwrap_err().0
        };
        assert_eq!(wrong(|terms| terms.label = "x".repeat(201)), "label");
        assert_eq!(wrong(|terms| terms.scopes.clear()), "scopes");
        assert_eq!(
            wrong(|terms| terms.expires_at = Some(Instant::MIN)),
            "expiresAt"
        );
        assert_eq!(
            wrong(|terms| {
                terms.budget = Some(KeyBudget {
                    capacity: 0,
                    refill: 1,
                });
            }),
            "budget"
        );
        assert_eq!(wrong(|terms| terms.limits.last_days = Some(0)), "limits");
        assert_eq!(
            wrong(|terms| {
                terms.limits.hide_reward = true;
                terms.scopes.push(KeyScope::Import);
            }),
            "scopes"
        );
        KeyTerms::default().check(now).unwrap();
    }
}
