//! Records as they arrived: text in named places, no meaning yet. What the fields mean is settled in `super::normalize`.
//!
//! Personal data that we never keep (`click_user_ip`, `click_user_referer`) has no place here and so goes no further.
//! Unknown fields are ignored; a key that stands twice in one object is noted, for nobody knows which of them is meant.

use super::normalize::{NormalizeContext, normalize};
use super::refusal::Refusal;
use crate::domain::draft::{ActionDraft, Place, Reject, RejectReason};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A record that a reader has found: sound JSON, not yet looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Where it stood.
    pub place: Place,
    /// Its text.
    pub text: String,
}

impl RawRecord {
    /// The named fields.
    ///
    /// # Errors
    /// When it is not an object, or names a field twice.
    pub fn action(&self) -> Result<RawAction<'_>, Refusal> {
        serde_json::from_str(&self.text)
            .map_err(|error| {
                Refusal::new(
                    RejectReason::Malformed,
                    None,
                    format!("the record is no action object: {error}"),
                )
            })
            .and_then(|action: RawAction<'_>| match action.twice {
                None => Ok(action),
                Some(name) => {
                    let message = format!("`{name}` stands twice in the record; leave one");
                    Err(Refusal::new(RejectReason::Malformed, Some(name), message))
                }
            })
    }

    /// What the record says, ready for the write path.
    ///
    /// # Errors
    /// The record as a reject, with its place and with personal data blanked.
    pub fn draft(&self, context: &NormalizeContext) -> Result<ActionDraft, Box<Reject>> {
        self.action()
            .and_then(|action| normalize(&action, context))
            .map_err(|refusal| Box::new(refusal.at(self.place, self.text.as_bytes())))
    }
}

/// A value as it stands in the JSON text: numbers keep their digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Literal<'a>(Option<&'a str>);

/// Why a value is not a text or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralError {
    /// An object or a list.
    Kind,
    /// It holds U+0000, which PostgreSQL cannot store.
    Nul,
    /// An escape that stands for no character.
    Escape,
}

impl<'a> Literal<'a> {
    /// The value of a JSON text.
    pub(super) fn of(json: &'a RawValue) -> Self {
        Self(Some(json.get()))
    }

    /// Whether the field is there at all, be it null.
    #[must_use]
    pub fn is_given(self) -> bool {
        self.0.is_some()
    }

    /// Whether it is null or an empty text.
    fn is_nothing(self) -> bool {
        matches!(self.0, None | Some("null" | "\"\""))
    }

    /// Takes the value of one of its names; the field's name if it has another value already.
    fn put(&mut self, value: Self, names: &[&'static str]) -> Option<&'static str> {
        let before = std::mem::replace(self, value);
        match names {
            [name] => before.is_given().then_some(*name),
            // Under another of its names it may be there as well.
            _ if value.is_nothing() => {
                *self = before;
                None
            }
            _ if before.is_nothing() || before == value => None,
            _ => names.first().copied(),
        }
    }

    /// The text, the digits of a number, `true` or `false`; none for null and for a field that is not there.
    ///
    /// # Errors
    /// [`LiteralError`]
    pub fn text(self) -> Result<Option<Cow<'a, str>>, LiteralError> {
        let Some(json) = self.0 else { return Ok(None) };
        match json.as_bytes().first() {
            None | Some(b'n') => Ok(None),
            Some(b'{' | b'[') => Err(LiteralError::Kind),
            Some(b'"') => {
                let inner = json.get(1..json.len() - 1).unwrap_or_default();
                if !inner.contains('\\') {
                    return Ok(Some(Cow::Borrowed(inner)));
                }
                let text: String = serde_json::from_str(json).map_err(|_| LiteralError::Escape)?;
                if text.contains('\0') {
                    Err(LiteralError::Nul)
                } else {
                    Ok(Some(Cow::Owned(text)))
                }
            }
            Some(_) => Ok(Some(Cow::Borrowed(json))),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Literal<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(from).map(Self::of)
    }
}

impl Literal<'_> {
    /// Whether it is neither a text nor a whole number: `true`, `12.5`, `1e3`. A whole number may have zeros behind
    /// its point.
    pub(super) fn is_no_id(self) -> bool {
        let Some(json) = self.0 else { return false };
        match json.as_bytes().first() {
            Some(b't' | b'f') => true,
            Some(b'-' | b'0'..=b'9') => {
                let (whole, zeros) = json.split_once('.').unwrap_or((json, "0"));
                let whole = whole.strip_prefix('-').unwrap_or(whole);
                !(whole.bytes().all(|byte| byte.is_ascii_digit())
                    && zeros.bytes().all(|byte| byte == b'0'))
            }
            _ => false,
        }
    }
}

macro_rules! record {
    ($(#[$meta:meta])* $name:ident, $key:ident {
        $($(#[$doc:meta])* $field:ident = $($text:literal)|+),+ $(,)?
    } $(lists $list:ident)?) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name<'a> {
            $($(#[$doc])* pub $field: Literal<'a>,)+
            $(/// Cart items.
            pub $list: Positions<'a>,)?
            /// A field that stands twice, if one does.
            pub twice: Option<&'static str>,
        }

        #[expect(non_camel_case_types, reason = "named after the fields")]
        enum $key { $($field,)+ $($list,)? Unknown }

        impl<'de> Deserialize<'de> for $key {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Name;
                impl Visitor<'_> for Name {
                    type Value = $key;
                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str("a field name")
                    }
                    fn visit_str<E>(self, name: &str) -> Result<$key, E> {
                        Ok(match name {
                            $($($text)|+ => $key::$field,)+
                            $(stringify!($list) => $key::$list,)?
                            _ => $key::Unknown,
                        })
                    }
                }
                from.deserialize_identifier(Name)
            }
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> Visitor<'de> for Fields {
                    type Value = $name<'de>;
                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str("an object")
                    }
                    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                        let mut record = $name::default();
                        $(let mut $list = false;)?
                        while let Some(key) = map.next_key::<$key>()? {
                            match key {
                                $($key::$field => {
                                    let twice = record.$field.put(map.next_value()?, &[$($text),+]);
                                    record.twice = record.twice.or(twice);
                                })+
                                $($key::$list => {
                                    let before = std::mem::replace(&mut $list, true);
                                    let twice = before.then_some(stringify!($list));
                                    record.twice = record.twice.or(twice);
                                    record.$list = map.next_value()?;
                                })?
                                $key::Unknown => {
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(record)
                    }
                }
                from.deserialize_map(Fields)
            }
        }
    };
}

record! {
    /// An action of `/statistics/actions/`.
    RawAction, ActionKey {
        /// Action id; absent in old responses, which have `action_id`.
        id = "id",
        /// Action id.
        action_id = "action_id",
        /// Order number.
        order_id = "order_id",
        /// Tariff id.
        tariff_id = "tariff_id",
        /// Program id.
        advcampaign_id = "advcampaign_id",
        /// Program name.
        advcampaign_name = "advcampaign_name",
        /// Ad space id; most responses have none.
        website_id = "website_id",
        /// Ad space name.
        website_name = "website_name",
        /// Name of the rate.
        action = "action",
        /// `sale` or `lead`.
        action_type = "action_type",
        /// Status in upstream's word.
        status = "status",
        /// Whether the advertiser has decided: 0 or 1.
        processed = "processed",
        /// Whether the reward is released: 0 or 1.
        paid = "paid",
        /// Reward.
        payment = "payment",
        /// Order amount; null for leads.
        cart = "cart",
        /// Currency of reward and order amount.
        currency = "currency",
        /// Click.
        click_date = "click_date",
        /// Order.
        action_date = "action_date",
        /// Last status change.
        status_updated = "status_updated",
        /// Closing day.
        closing_date = "closing_date",
        /// Seconds from click to order.
        conversion_time = "conversion_time",
        /// SubID.
        subid = "subid",
        /// SubID 1.
        subid1 = "subid1",
        /// SubID 2.
        subid2 = "subid2",
        /// SubID 3.
        subid3 = "subid3",
        /// SubID 4.
        subid4 = "subid4",
        /// Keyword.
        keyword = "keyword",
        /// Reason of a decline, or a remark.
        comment = "comment",
        /// Promo code.
        promocode = "promocode",
        /// Country of the click.
        click_country_code = "click_country_code",
        /// Class of the device; only postbacks have one.
        device = "device",
        /// When a postback was received; a record that has it says nothing of when its status changed.
        received_at = "received_at",
    } lists positions
}

record! {
    /// A cart item of an action.
    RawPosition, PositionKey {
        /// Position id.
        id = "id",
        /// Tariff id.
        tariff_id = "tariff_id",
        /// Rate id.
        rate_id = "rate_id",
        /// The position's own time.
        datetime = "datetime",
        /// Line amount.
        amount = "amount",
        /// Line reward.
        payment = "payment",
        /// Percent or fixed sum.
        rate = "rate",
        /// Whether the rate is a percentage.
        percentage = "percentage",
        /// Units; upstream's API has none, exports of others do.
        quantity = "quantity",
        /// Product id.
        product_id = "product_id",
        /// Product name.
        product_name = "product_name",
        /// Link to the product's page.
        product_url = "product_url",
        /// Link to an image.
        product_image = "product_image",
        /// Category id.
        product_category_id = "product_category_id",
        /// Category name.
        product_category_name = "product_category_name",
        /// What only actions have: given where a bracket is missing and actions fell into a cart.
        action_date = "action_date",
        /// Product country code.
        product_country = "product_country_code" | "product_country" | "country_code",
    }
}

impl RawAction<'_> {
    /// Whether it names what only actions have; a cart item has an `id`, too.
    pub(super) fn is_recognizable(&self) -> bool {
        [
            self.action_id,
            self.action_date,
            self.advcampaign_id,
            self.advcampaign_name,
        ]
        .iter()
        .any(|field| field.is_given())
    }
}

/// The cart of an action as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Positions<'a> {
    /// Not there, null or an empty text: the record says nothing of the cart.
    #[default]
    Absent,
    /// The items; none for one that is not an object.
    Listed(Vec<Option<RawPosition<'a>>>),
    /// Something that is no list.
    NoList,
}

impl<'de: 'a, 'a> Deserialize<'de> for Positions<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Positions<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                let mut positions = Vec::new();
                while let Some(Slot(position)) = list.next_element()? {
                    positions.push(position);
                }
                Ok(Positions::Listed(positions))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Positions::Absent)
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(if text.trim().is_empty() {
                    Positions::Absent
                } else {
                    Positions::NoList
                })
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Positions::NoList)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Positions::NoList)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Positions::NoList)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Positions::NoList)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Positions::NoList)
            }
        }
        from.deserialize_any(List)
    }
}

/// One place of the list: an item, or something that is none.
struct Slot<'a>(Option<RawPosition<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Slot<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = <&'de RawValue>::deserialize(from)?;
        if !json.get().starts_with('{') {
            return Ok(Self(None));
        }
        serde_json::from_str(json.get())
            .map(|position| Self(Some(position)))
            .map_err(serde::de::Error::custom)
    }
}
