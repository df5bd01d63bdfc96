//! Who asks: the viewer, and the scopes that every function of the store takes first.
//!
//! A statement without a publisher cannot be written, because the store takes the publisher from the scope, and a
//! scope is made where the caller is known (`access`, `cli`).

use super::action::words;
use super::error::{Code, Error, Result};
use super::id::PublisherId;
use super::key::KeyBudget;
use super::limits::{Limits, Narrowing};
use super::money::Currency;
use super::time::{Instant, Zone};
use std::sync::Arc;
use uuid::Uuid;

/// A publisher, as far as every request needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    /// Its number.
    pub id: PublisherId,
    /// Its name on the command line.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The zone used where a query names none.
    pub zone: Zone,
    /// The main currency.
    pub currency: Currency,
}

/// The caller of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Whose data the caller may see.
    pub publisher: Publisher,
    /// How the caller came in.
    pub credential: Credential,
    /// What of these data it sees.
    pub limits: Arc<Limits>,
}

words! {
    /// What a key may do.
    KeyScope {
        /// Ask questions.
        Read = "read",
        /// Bring data in, and mend what was rejected.
        Import = "import",
        /// Define segments, and say how data are used: parameters of built-in segments, priority products, templates of links,
        /// the users of ad spaces.
        Segments = "segments",
        /// Make, change and revoke keys, and read how reports are answered.
        Admin = "admin",
    }
}

impl KeyScope {
    /// Scopes as one text, in their order.
    #[must_use]
    pub fn print(scopes: &[Self]) -> String {
        let of_all = Self::ALL.iter().filter(|scope| scopes.contains(scope));
        let words: Vec<&str> = of_all.map(|scope| scope.as_str()).collect();
        words.join(",")
    }

    /// Reads what [`Self::print`] wrote. Words that this version does not know open nothing.
    #[must_use]
    pub fn read_all(text: &str) -> Vec<Self> {
        text.split(',').filter_map(Self::parse).collect()
    }
}

impl Viewer {
    /// What the caller may do. A caller of the demo asks questions and defines segments.
    #[must_use]
    pub fn scopes(&self) -> &[KeyScope] {
        match &self.credential {
            Credential::Key { scopes, .. } | Credential::Token { scopes, .. } => scopes,
            Credential::LoopbackDemo => &[KeyScope::Read, KeyScope::Segments],
        }
    }

    /// Checks that the caller may do something.
    ///
    /// # Errors
    /// `FORBIDDEN`, with the scope that is missing.
    pub fn check(&self, scope: KeyScope) -> Result<()> {
        if self.scopes().contains(&scope) {
            return Ok(());
        }
        let word = scope.as_str();
        let message = if matches!(self.credential, Credential::Token { .. }) {
            format!(
                "This token may not do that: it lacks the scope {word}, or may not carry it on this server."
            )
        } else {
            format!(
                "This key may not do that: it lacks the scope {word}. `actiongraph key create --scope {word}` makes one that has it."
            )
        };
        Err(Error::new(Code::Forbidden, message))
    }
}

impl Viewer {
    /// Checks that the caller may see how its questions are answered, which tells of tables and of all rows.
    ///
    /// # Errors
    /// `FORBIDDEN`, with the scope that is missing.
    pub fn check_explain(&self) -> Result<()> {
        match self.credential {
            Credential::LoopbackDemo if self.limits.is_none() => Ok(()),
            _ => self.check(KeyScope::Admin),
        }
    }

    /// What the caller may spend; none for what the server allows everybody.
    #[must_use]
    pub fn budget(&self) -> Option<KeyBudget> {
        match self.credential {
            Credential::Key { budget, .. } | Credential::Token { budget, .. } => budget,
            Credential::LoopbackDemo => None,
        }
    }

    /// Who the caller is to those who count what callers use: the key, the subject of a token, or all callers of the demo
    /// together.
    #[must_use]
    pub fn caller(&self) -> Uuid {
        match self.credential {
            Credential::Key { id, .. } => id,
            Credential::Token { caller, .. } => caller,
            Credential::LoopbackDemo => Uuid::nil(),
        }
    }

    /// Whether the caller may ask for the schema; none where that is as the server says.
    #[must_use]
    pub fn introspection(&self) -> Option<bool> {
        match self.credential {
            Credential::Key { introspection, .. } => introspection,
            Credential::Token { .. } | Credential::LoopbackDemo => None,
        }
    }
}

/// How a caller was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// By an API key.
    Key {
        /// The key's id.
        id: Uuid,
        /// The key's public prefix.
        prefix: String,
        /// What the key is for.
        label: String,
        /// What it may do.
        scopes: Vec<KeyScope>,
        /// When it ends by itself.
        expires_at: Option<Instant>,
        /// What it may spend; the server's default where none is given.
        budget: Option<KeyBudget>,
        /// Whether it may ask for the schema; as the server says where nothing is said.
        introspection: Option<bool>,
    },
    /// By a JSON Web Token.
    Token {
        /// Who made the token.
        issuer: String,
        /// Whom it is for, as its issuer calls it.
        subject: String,
        /// Who the caller is to those who count what callers use: made of issuer and subject.
        caller: Uuid,
        /// What it may do.
        scopes: Vec<KeyScope>,
        /// When it ends.
        expires_at: Instant,
        /// What it may spend; the server's default where none is given.
        budget: Option<KeyBudget>,
    },
    /// As a loopback caller of `actiongraph demo`.
    LoopbackDemo,
}

/// The right to read one publisher's rows, or some of them. Which these are is held by the transaction that they are
/// read through; the scope knows what the limits look at, for whoever chooses a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReadScope(PublisherId, Narrowing);

impl ReadScope {
    /// The right of `viewer`.
    #[must_use]
    pub fn of(viewer: &Viewer) -> Self {
        Self(viewer.publisher.id, viewer.limits.narrowing())
    }

    /// What limits on the rows look at.
    #[must_use]
    pub fn narrowing(self) -> Narrowing {
        self.1
    }

    /// The publisher whose rows may be read.
    #[must_use]
    pub fn publisher(self) -> PublisherId {
        self.0
    }

    /// Whether all rows of the publisher may be read: what is kept of all of them may only answer then.
    #[must_use]
    pub fn sees_all(self) -> bool {
        !self.1.is_some()
    }
}

/// The right to write one publisher's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteScope(PublisherId);

impl WriteScope {
    /// The right that an entrance (a command, a sync, a postback) has over the publisher it is configured for.
    #[must_use]
    pub fn for_entrance(publisher: PublisherId) -> Self {
        Self(publisher)
    }

    /// The publisher whose rows may be written.
    #[must_use]
    pub fn publisher(self) -> PublisherId {
        self.0
    }

    /// The right to read what may be written.
    #[must_use]
    pub fn read(self) -> ReadScope {
        ReadScope(self.0, Narrowing::default())
    }
}
