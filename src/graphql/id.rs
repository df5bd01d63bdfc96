//! Global ids: opaque to clients, base64url of `Type:uuid`. An id that is malformed, or of a type that does not exist,
//! is nobody's.

use async_graphql::ID;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// The types that have ids.
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
    /// `User`.
    User,
    /// `ImportRun`.
    ImportRun,
    /// `Adjustment`.
    Adjustment,
    /// `Segment`.
    Segment,
}

impl Kind {
    /// All types.
    pub const ALL: [Self; 9] = [
        Self::Action,
        Self::Product,
        Self::Category,
        Self::Program,
        Self::AdSpace,
        Self::User,
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
            Self::User => "User",
            Self::ImportRun => "ImportRun",
            Self::Adjustment => "Adjustment",
            Self::Segment => "Segment",
        }
    }

    /// The global id of a row of this type.
    pub fn id(self, key: Uuid) -> ID {
        ID(URL_SAFE_NO_PAD.encode(format!("{}:{key}", self.name())))
    }

    /// The key in an id of this type; none for any other text.
    pub fn key(self, id: &ID) -> Option<Uuid> {
        read(id)
            .filter(|(kind, _)| *kind == self)
            .map(|(_, key)| key)
    }
}

/// The type and the key of an id; none if it is not exactly one that [`Kind::id`] makes.
pub fn read(id: &ID) -> Option<(Kind, Uuid)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id.as_str()).ok()?).ok()?;
    let (name, key) = text.split_once(':')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    let key = Uuid::try_parse(key).ok()?;
    // Other spellings of the same UUID would give one row several ids.
    (kind.id(key) == *id).then_some((kind, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_keep_their_type() {
        for kind in Kind::ALL {
            let key = Uuid::from_u128(0x1234_5678);
            let id = kind.id(key);
            assert_eq!(read(&id), Some((kind, key)));
            assert_eq!(kind.key(&id), Some(key));
        }
        assert_eq!(Kind::Product.key(&Kind::Action.id(Uuid::nil())), None);
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
            other("Action:{00000000-0000-0000-0000-000000000000}"),
        ] {
            assert_eq!(read(&id), None, "{id:?}");
        }
    }
}
