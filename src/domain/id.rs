//! Ids: how rows of imports get the same id in every database, and who a publisher is.

use uuid::Uuid;

/// The number of a publisher, our tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublisherId(pub i64);

/// The kinds of rows whose ids are derived from a natural key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A target action.
    Action,
    /// A state of an action.
    State,
    /// A program.
    Program,
    /// An ad space.
    AdSpace,
    /// A category.
    Category,
    /// A product.
    Product,
    /// A user.
    User,
    /// An adjustment of the balance.
    Adjustment,
    /// A balance as it was at one time.
    Balance,
    /// The import run of a day's postbacks.
    Run,
}

impl Kind {
    fn tag(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::State => "state",
            Self::Program => "program",
            Self::AdSpace => "ad-space",
            Self::Category => "category",
            Self::Product => "product",
            Self::User => "user",
            Self::Adjustment => "adjustment",
            Self::Balance => "balance",
            Self::Run => "run",
        }
    }
}

/// The namespace of all derived ids: random once, fixed for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_0c0e_52f1_4c7b_9a53_2b8e_61c4_a7d0);

/// The id of a row, derived from publisher, kind and natural key (UUIDv5), so that every database and every repeated
/// import gives the same one.
#[must_use]
pub fn derive(publisher: PublisherId, kind: Kind, natural_key: &str) -> Uuid {
    let mut name = Vec::with_capacity(16 + natural_key.len());
    name.extend_from_slice(&publisher.0.to_be_bytes());
    name.extend_from_slice(kind.tag().as_bytes());
    name.push(0);
    name.extend_from_slice(natural_key.as_bytes());
    Uuid::new_v5(&NAMESPACE, &name)
}

/// What tells one set of ids from another, whatever their order.
#[must_use]
pub fn of_set(ids: impl IntoIterator<Item = Uuid>) -> Uuid {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    let name: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
    Uuid::new_v5(&NAMESPACE, &name)
}

/// The id that a rule goes by where no segment has it: the same for the same text, and no segment's.
#[must_use]
pub fn of_rule(text: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

/// The id of whoever an issuer of tokens calls by a name.
#[must_use]
pub fn of_subject(issuer: &str, subject: &str) -> Uuid {
    // Two steps, so that no other issuer and subject can make the same name together.
    let issuer = Uuid::new_v5(&NAMESPACE, issuer.as_bytes());
    Uuid::new_v5(&issuer, subject.as_bytes())
}

/// Checks a publisher's slug: 1 to 63 lower-case letters, digits and inner `-`.
///
/// # Errors
/// A sentence that says what a slug looks like.
pub fn check_slug(slug: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = slug.as_bytes();
    let fits = (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| plain(*byte))
        && bytes.last().is_some_and(|byte| plain(*byte));
    if fits {
        return Ok(());
    }
    Err(format!(
        "{slug:?} is not a publisher name: use 1 to 63 lower-case letters, digits and '-', such as my-blog"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_fixed_for_ever() {
        let id = derive(PublisherId(1), Kind::Action, "admitad\u{0}900000001");
        assert_eq!(
            id,
            derive(PublisherId(1), Kind::Action, "admitad\u{0}900000001")
        );
        assert_ne!(
            id,
            derive(PublisherId(2), Kind::Action, "admitad\u{0}900000001")
        );
        assert_ne!(
            id,
            derive(PublisherId(1), Kind::Product, "admitad\u{0}900000001")
        );
        assert_eq!(id.get_version_num(), 5);
    }

    #[test]
    fn subjects_are_told_apart_by_their_issuer() {
        let id = of_subject("https://a.example/", "anna");
        assert_eq!(id, of_subject("https://a.example/", "anna"));
        assert_ne!(id, of_subject("https://a.example/a", "nna"));
        assert_ne!(id, of_subject("https://b.example/", "anna"));
    }

    #[test]
    fn sets_are_told_apart_by_what_is_in_them() {
        let set = |ids: &[u128]| of_set(ids.iter().copied().map(Uuid::from_u128));
        assert_eq!(set(&[1, 2, 3]), set(&[3, 1, 2, 1]));
        assert_ne!(set(&[1, 2]), set(&[1, 2, 3]));
        assert_ne!(set(&[]), set(&[0]));
    }

    #[test]
    fn slugs() {
        for good in ["a", "my-blog", "x2"] {
            assert!(check_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "My", "a b", "é", &"a".repeat(64)] {
            assert!(check_slug(bad).is_err(), "{bad}");
        }
    }
}
