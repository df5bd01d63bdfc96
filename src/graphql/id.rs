//! Global ids: opaque to clients, base64url of `Type:uuid`. An id that is malformed, or of a type that does not exist,
//! is nobody's.
//!
//! Users have ids of their own kind ([`IdOf::User`]): there is no way to write or read one without saying how the caller
//! is shown users ([`UserIds`]).

use async_graphql::ID;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::access::user_ids::UserIds;

/// The types whose rows have the same ids for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `Action`.
    Action,
    /// `Product`.
    Product,
    /// `Category`.
    Category,
    /// `Program`.
    Program,
    /// `AdSpace`.
    AdSpace,
    /// `ImportRun`.
    ImportRun,
    /// `Adjustment`.
    Adjustment,
    /// `Segment`.
    Segment,
}

impl Kind {
    /// All types.
    pub const ALL: [Self; 8] = [
        Self::Action,
        Self::Product,
        Self::Category,
        Self::Program,
        Self::AdSpace,
        Self::ImportRun,
        Self::Adjustment,
        Self::Segment,
    ];

    /// The type's name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "Action",
            Self::Product => "Product",
            Self::Category => "Category",
            Self::Program => "Program",
            Self::AdSpace => "AdSpace",
            Self::ImportRun => "ImportRun",
            Self::Adjustment => "Adjustment",
            Self::Segment => "Segment",
        }
    }

    /// The global id of a row of this type.
    pub fn id(self, key: Uuid) -> ID {
        written(self.name(), key)
    }

    /// The key in an id of this type; none for any other text.
    pub fn key(self, id: &ID) -> Option<Uuid> {
        IdOf::Row(self).key(id, &UserIds::as_stored())
    }
}

/// What a global id can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdOf {
    /// A row whose id is the same for everybody.
    Row(Kind),
    /// A user, whose id is shown to a caller as it may know users.
    User,
}

impl IdOf {
    /// The type's name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row(kind) => kind.name(),
            Self::User => "User",
        }
    }

    /// The global id of a row of this type, as a caller is shown it.
    pub fn id(self, key: Uuid, user_ids: &UserIds) -> ID {
        match self {
            Self::Row(kind) => kind.id(key),
            Self::User => written(self.name(), user_ids.shown(key)),
        }
    }

    /// The key in an id of this type that a caller sent; none for any other text.
    pub fn key(self, id: &ID, user_ids: &UserIds) -> Option<Uuid> {
        read(id, user_ids)
            .filter(|(of, _)| *of == self)
            .map(|(_, key)| key)
    }
}

fn written(name: &str, key: Uuid) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("{name}:{key}")))
}

/// The type and the key of an id that a caller sent; none if it is not exactly one that [`IdOf::id`] makes.
pub fn read(id: &ID, user_ids: &UserIds) -> Option<(IdOf, Uuid)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id.as_str()).ok()?).ok()?;
    let (name, key) = text.split_once(':')?;
    let mut kinds = Kind::ALL.into_iter();
    let of = match kinds.find(|kind| kind.name() == name) {
        Some(kind) => IdOf::Row(kind),
        None => (name == IdOf::User.name()).then_some(IdOf::User)?,
    };
    let key = Uuid::try_parse(key).ok()?;
    // Other spellings of the same UUID would give one row several ids.
    if written(name, key) != *id {
        return None;
    }
    Some(match of {
        IdOf::Row(_) => (of, key),
        IdOf::User => (of, user_ids.stored(key)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn all() -> impl Iterator<Item = IdOf> {
        Kind::ALL.map(IdOf::Row).into_iter().chain([IdOf::User])
    }

    #[test]
    fn ids_come_back_and_keep_their_type() {
        let hidden = UserIds::hidden_by(&Secret::new("a secret"));
        for user_ids in [&UserIds::as_stored(), &hidden] {
            for of in all() {
                let key = Uuid::from_u128(0x1234_5678);
                let id = of.id(key, user_ids);
                assert_eq!(read(&id, user_ids), Some((of, key)));
                assert_eq!(of.key(&id, user_ids), Some(key));
            }
        }
        assert_eq!(Kind::Product.key(&Kind::Action.id(Uuid::nil())), None);
    }

    #[test]
    fn hidden_ids_are_others_and_only_those_of_users() {
        let (stored, hidden) = (
            UserIds::as_stored(),
            UserIds::hidden_by(&Secret::new("a secret")),
        );
        let key = Uuid::from_u128(7);
        for of in all() {
            let is_same = of.id(key, &hidden) == of.id(key, &stored);
            assert_eq!(is_same, of != IdOf::User, "{of:?}");
        }
        assert_ne!(
            IdOf::User.key(&IdOf::User.id(key, &stored), &hidden),
            Some(key)
        );
    }

    #[test]
    fn anything_else_is_nobody_s() {
        let other = |text: &str| ID(URL_SAFE_NO_PAD.encode(text));
        for id in [
            ID(String::new()),
            ID("!".to_owned()),
            ID("Action:1".to_owned()),
            other("Action"),
            other("Action:1"),
            other("Viewer:00000000-0000-0000-0000-000000000000"),
            other("Action:00000000000000000000000000000000"),
            other("User:{00000000-0000-0000-0000-000000000000}"),
        ] {
            assert_eq!(read(&id, &UserIds::as_stored()), None, "{id:?}");
        }
    }
}
