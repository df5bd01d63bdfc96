//! Conditions of filters in words.

use super::{Call, Kind, OfSubject, Thing, Told, about, op, which, words};
use crate::domain::filter::{
    ActionField, ActionTest, AdSpaceField, AdSpaceTest, CategoryField, CategoryTest, ItemField,
    ItemTest, Op, ProductField, ProductTest, ProgramField, ProgramTest, Quantifier, UserField,
    UserTest,
};
use crate::domain::rule::BuiltIn;

/// What leads to a thing that it is, and to one that it is not.
const IS: (&str, &str) = ("is", "is there and not");
/// Likewise to one that it is, or is not, or lies below.
const WITHIN: (&str, &str) = ("within", "is there and not within");

impl OfSubject for UserTest {
    const THING: Thing = Thing::User;
}

impl OfSubject for ProductTest {
    const THING: Thing = Thing::Product;
}

impl Told for UserTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self {
            Self::Field(field, by) => {
                let kind = match field {
                    UserField::Id => Kind::Thing(Thing::User),
                    UserField::FirstSeen => Kind::Instant,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind, call)
            }
            Self::Segment(named) => named.tell(call),
            Self::BuiltIn(built_in) => built_in.tell(call),
        }
    }

    fn built_in(&self) -> Option<&BuiltIn> {
        match self {
            Self::BuiltIn(built_in) => Some(built_in.as_ref()),
            Self::Field(..) | Self::Segment(_) => None,
        }
    }
}

impl Told for ProductTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self {
            Self::Field(field, by) => {
                let kind = match field {
                    ProductField::Id => Kind::Thing(Thing::Product),
                    ProductField::FirstSeen => Kind::Instant,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind, call)
            }
            Self::Category(filter) => about("category", filter, call),
            Self::Segment(named) => named.tell(call),
            Self::BuiltIn(built_in) => built_in.tell(call),
        }
    }

    fn built_in(&self) -> Option<&BuiltIn> {
        match self {
            Self::BuiltIn(built_in) => Some(built_in.as_ref()),
            Self::Field(..) | Self::Category(_) | Self::Segment(_) => None,
        }
    }
}

impl Told for CategoryTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self.0 {
            CategoryField::Id => which(IS, &self.1, Thing::Category, call),
            CategoryField::Within => which(WITHIN, &self.1, Thing::Category, call),
            field => op(&words(field), &self.1, Kind::Plain, call),
        }
    }

    fn is_which(&self) -> bool {
        matches!(self.0, CategoryField::Id | CategoryField::Within)
    }
}

impl Told for ProgramTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self.0 {
            ProgramField::Id => which(IS, &self.1, Thing::Program, call),
            field => op(&words(field), &self.1, Kind::Plain, call),
        }
    }

    fn is_which(&self) -> bool {
        self.0 == ProgramField::Id
    }
}

impl Told for AdSpaceTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self.0 {
            AdSpaceField::Id => which(IS, &self.1, Thing::AdSpace, call),
            field => op(&words(field), &self.1, Kind::Plain, call),
        }
    }

    fn is_which(&self) -> bool {
        self.0 == AdSpaceField::Id
    }
}

impl Told for ItemTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self {
            Self::Field(field, by) => {
                let kind = match field {
                    ItemField::Amount | ItemField::Reward => Kind::Amount,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind, call)
            }
            Self::Product(filter) => about("product", filter, call),
            Self::Category(filter) => about("category", filter, call),
        }
    }
}

impl Told for ActionTest {
    fn tell(&self, call: Call<'_>) -> String {
        match self {
            // When it is asked is not part of the rule.
            Self::Field(ActionField::HoldEndedBy, Op::Lt(_)) => "the hold is over".to_owned(),
            Self::Field(field, by) => {
                let kind = match field {
                    ActionField::Id => Kind::Thing(Thing::Action),
                    ActionField::Reward | ActionField::OrderAmount => Kind::Amount,
                    ActionField::ClickedAt
                    | ActionField::OrderedAt
                    | ActionField::StatusUpdatedAt
                    | ActionField::HoldEndsAt
                    | ActionField::HoldEndedBy => Kind::Instant,
                    ActionField::ClosingDay => Kind::Day,
                    _ => Kind::Plain,
                };
                op(&words(field), by, kind, call)
            }
            Self::Program(filter) => about("program", filter, call),
            Self::AdSpace(filter) => about("ad space", filter, call),
            Self::User(filter) => about("user", filter, call),
            Self::Items(quantifier, filter) => {
                let which = match quantifier {
                    Quantifier::Some => "an item with",
                    Quantifier::Every => "only items with",
                    Quantifier::None => "no item with",
                };
                format!("{which} {}", filter.tell(call))
            }
        }
    }
}
