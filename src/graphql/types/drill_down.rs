//! What lists the actions of a group: the report's own filter and what the group's key says, and the range, as values
//! that a client passes back.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::domain::report::{Dimension, KeyPart, UserAge, UserFrequency};
use crate::domain::rule::{SegmentSet, Subject};
use crate::domain::time::Span;
use crate::graphql::id::Kind;

/// A filter on actions, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionFilterValue(pub Map<String, Json>);

/// The value of an `ActionFilter`: an object such as {"country": {"eq": "PL"}, "status": {"eq": "APPROVED"}}, in the form
/// that a variable of type `ActionFilter` takes. It is answered, never taken.
#[Scalar(
    name = "ActionFilterValue",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-4"
)]
impl ScalarType for ActionFilterValue {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom(
            "a filter is asked for by an ActionFilter",
        ))
    }

    fn to_value(&self) -> Value {
        Value::from_json(Json::Object(self.0.clone())).unwrap_or_default()
    }
}

/// A range, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeValue(pub Span);

/// The value of a `RangeInput`: an object such as {"between": {"from": "2026-05-03T10:00:00Z", "to":
/// "2026-05-04T10:00:00Z"}}, in the form that a variable of type `RangeInput` takes. It is answered, never taken.
#[Scalar(
    name = "RangeValue",
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259#section-4"
)]
impl ScalarType for RangeValue {
    fn parse(_: Value) -> InputValueResult<Self> {
        Err(InputValueError::custom(
            "a range is asked for by a RangeInput",
        ))
    }

    fn to_value(&self) -> Value {
        let Span { from, to } = self.0;
        let range = json!({ "between": { "from": from.to_rfc3339(), "to": to.to_rfc3339() } });
        Value::from_json(range).unwrap_or_default()
    }
}

/// A filter that is being put together: conditions that must all hold.
#[derive(Clone, Debug, Default)]
struct Conditions(Map<String, Json>);

impl Conditions {
    /// Adds a condition: as a field of its own where it is free, else in `and`, so that a filter nests no deeper than it
    /// has to.
    fn add(&mut self, field: &str, condition: Json) {
        match self.0.get(field) {
            None | Some(Json::Null) => {
                self.0.insert(field.to_owned(), condition);
            }
            Some(said) if *said == condition => {}
            Some(_) => {
                let further = json!({ field: condition });
                match self.0.get_mut("and") {
                    Some(Json::Array(all)) => all.push(further),
                    _ => {
                        self.0.insert("and".to_owned(), json!([further]));
                    }
                }
            }
        }
    }
}

/// The built-in segments of a report by the ids of their sets, each as a filter takes it.
pub type BuiltInGiven = HashMap<Uuid, Json>;

/// What a category level's key needs to know of its category.
pub type LevelOf<'a> = &'a dyn Fn(Uuid) -> Option<i32>;

/// The filter of a group: `base` is the report's own filter as it was given. None where no filter says what the key
/// says: new and returning users and the frequency of users depend on all their actions.
pub fn filter_of(
    base: Option<&Map<String, Json>>,
    key: &[(Dimension, &KeyPart)],
    level_of: LevelOf<'_>,
    segments: &[Arc<SegmentSet>],
    built_in: &BuiltInGiven,
) -> Option<ActionFilterValue> {
    let mut filter = Conditions(base.cloned().unwrap_or_default());
    let mut item = Conditions::default();
    let mut of_items = false;
    for (dimension, part) in key {
        if let Some(subject) = dimension.segments_of() {
            let own = segments.iter().filter(|set| set.subject == subject);
            let all: Vec<Uuid> = own.map(|set| set.id).collect();
            if subject == Subject::Users {
                in_segment(&mut filter, "user", part, (&all, built_in));
            } else {
                of_items = true;
                in_segment(&mut item, "product", part, (&all, built_in));
            }
        } else if dimension.is_of_items() {
            of_items = true;
            of_item(&mut item, *dimension, part, level_of);
        } else {
            of_action(&mut filter, *dimension, part)?;
        }
    }
    if of_items {
        filter.add("items", json!({ "some": item.0 }));
    }
    Some(ActionFilterValue(filter.0))
}

fn of_action(filter: &mut Conditions, dimension: Dimension, part: &KeyPart) -> Option<()> {
    match dimension {
        Dimension::Program => related(filter, "program", Kind::Program, part),
        Dimension::AdSpace => related(filter, "adSpace", Kind::AdSpace, part),
        Dimension::Country => own(filter, "country", part),
        Dimension::Status => own(filter, "status", part),
        Dimension::ActionType => own(filter, "actionType", part),
        Dimension::Currency => own(filter, "currency", part),
        Dimension::Device => own(filter, "device", part),
        Dimension::Subid0 => own(filter, "subid", part),
        Dimension::Subid1 => own(filter, "subid1", part),
        Dimension::Subid2 => own(filter, "subid2", part),
        Dimension::Subid3 => own(filter, "subid3", part),
        Dimension::Subid4 => own(filter, "subid4", part),
        Dimension::Tariff => own(filter, "tariffId", part),
        Dimension::PromoCode => own(filter, "promoCode", part),
        Dimension::DeclineReason => reason(filter, part),
        Dimension::UserAge => unattributed(filter, part, UserAge::Unattributed.as_str())?,
        Dimension::UserFrequency => {
            unattributed(filter, part, UserFrequency::Unattributed.as_str())?;
        }
        Dimension::UserSegment
        | Dimension::ProductSegment
        | Dimension::Product
        | Dimension::CategoryLevel1
        | Dimension::CategoryLevel2
        | Dimension::CategoryOwn => {}
    }
    Some(())
}

/// A condition on the segment that a user or a product is in; without it, that it is in none of all.
fn in_segment(
    filter: &mut Conditions,
    field: &str,
    part: &KeyPart,
    (all, built_in): (&[Uuid], &BuiltInGiven),
) {
    let named = |ids: &[Uuid]| {
        let defined = ids.iter().filter(|id| !built_in.contains_key(*id));
        let defined: Vec<String> = defined.map(|id| Kind::Segment.id(*id).0).collect();
        let given = ids.iter().filter_map(|id| built_in.get(id));
        let given = given.map(|given| json!({ "builtInSegment": given }));
        let defined = (!defined.is_empty()).then(|| json!({ "segment": { "in": defined } }));
        let mut either: Vec<Json> = defined.into_iter().chain(given).collect();
        match either.pop() {
            Some(only) if either.is_empty() => only,
            last => {
                either.extend(last);
                json!({ "or": either })
            }
        }
    };
    match part {
        KeyPart::Id(id) => filter.add(field, named(&[*id])),
        KeyPart::None | KeyPart::Text(_) => filter.add("not", json!({ field: named(all) })),
    }
}

/// A condition on a field of the action itself.
fn own(filter: &mut Conditions, field: &str, part: &KeyPart) {
    filter.add(
        field,
        match part {
            KeyPart::Text(text) => json!({ "eq": text }),
            KeyPart::None | KeyPart::Id(_) => json!({ "isNull": true }),
        },
    );
}

/// A condition on something that an action or an item hangs on; without it, that there is none.
fn related(filter: &mut Conditions, field: &str, kind: Kind, part: &KeyPart) {
    match part {
        KeyPart::Id(id) => filter.add(field, json!({ "id": { "eq": kind.id(*id).0 } })),
        KeyPart::None | KeyPart::Text(_) => filter.add("not", json!({ field: {} })),
    }
}

fn reason(filter: &mut Conditions, part: &KeyPart) {
    match part {
        KeyPart::Text(text) => {
            filter.add("status", json!({ "eq": "DECLINED" }));
            let comment = if text.is_empty() {
                json!({ "isNull": true })
            } else {
                json!({ "eq": text })
            };
            filter.add("comment", comment);
        }
        KeyPart::None | KeyPart::Id(_) => filter.add("status", json!({ "ne": "DECLINED" })),
    }
}

fn unattributed(filter: &mut Conditions, part: &KeyPart, word: &str) -> Option<()> {
    if *part != KeyPart::Text(word.to_owned()) {
        return None;
    }
    filter.add("not", json!({ "user": {} }));
    Some(())
}

fn of_item(item: &mut Conditions, dimension: Dimension, part: &KeyPart, level_of: LevelOf<'_>) {
    let KeyPart::Id(id) = part else {
        let field = match dimension {
            Dimension::Product => "product",
            _ => "category",
        };
        item.add("not", json!({ field: {} }));
        return;
    };
    let category = Kind::Category.id(*id).0;
    match dimension {
        Dimension::Product => related(item, "product", Kind::Product, part),
        Dimension::CategoryLevel1 => item.add("category", json!({ "within": [category] })),
        // A group of the second level whose category is at the first holds the items that have it themselves.
        Dimension::CategoryLevel2 if level_of(*id).is_some_and(|level| level > 1) => {
            item.add("category", json!({ "within": [category] }));
        }
        _ => item.add("category", json!({ "id": { "eq": category } })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PublisherId;
    use crate::domain::rule::SetOf;

    fn text(text: &str) -> KeyPart {
        KeyPart::Text(text.to_owned())
    }

    fn filter(base: Option<Json>, key: &[(Dimension, KeyPart)]) -> Option<Json> {
        let base = base.map(|base| base.as_object().unwrap().clone());
        let key: Vec<_> = key
            .iter()
            .map(|(dimension, part)| (*dimension, part))
            .collect();
        let level = |id: Uuid| (id == Uuid::from_u128(1)).then_some(1).or(Some(2));
        let segments = [
            set(7, Subject::Users),
            set(8, Subject::Users),
            set(9, Subject::Products),
            set(10, Subject::Products),
        ];
        let rising = (Uuid::from_u128(10), json!({ "kind": "RISING" }));
        let built_in = BuiltInGiven::from([rising]);
        filter_of(base.as_ref(), &key, &level, &segments, &built_in)
            .map(|filter| Json::Object(filter.0))
    }

    fn set(id: u128, subject: Subject) -> Arc<SegmentSet> {
        Arc::new(SegmentSet {
            id: Uuid::from_u128(id),
            name: String::new(),
            publisher: PublisherId(1),
            subject,
            of: SetOf::Frozen,
            members: None,
            size: None,
        })
    }

    #[test]
    fn who_is_in_no_segment_is_in_none_of_all() {
        let id = |key| Kind::Segment.id(Uuid::from_u128(key)).0;
        let key = [
            (Dimension::UserSegment, KeyPart::Id(Uuid::from_u128(7))),
            (Dimension::ProductSegment, KeyPart::None),
        ];
        let expected = json!({
            "user": { "segment": { "in": [id(7)] } },
            "items": { "some": { "not": { "product": { "or": [
                { "segment": { "in": [id(9)] } }, { "builtInSegment": { "kind": "RISING" } },
            ] } } } },
        });
        assert_eq!(filter(None, &key), Some(expected));
        let rising = (Dimension::ProductSegment, KeyPart::Id(Uuid::from_u128(10)));
        let expected = json!({ "items": { "some": { "product": { "builtInSegment": { "kind": "RISING" } } } } });
        assert_eq!(filter(None, &[rising]), Some(expected));
        let none = filter(None, &[(Dimension::UserSegment, KeyPart::None)]);
        let expected = json!({ "not": { "user": { "segment": { "in": [id(7), id(8)] } } } });
        assert_eq!(none, Some(expected));
    }

    #[test]
    fn what_the_key_says_joins_the_reports_own_filter_without_nesting_deeper() {
        let base =
            json!({ "country": { "ne": "RU" }, "and": [{ "paid": { "eq": true } }], "not": null });
        let key = [
            (Dimension::Country, text("PL")),
            (Dimension::Status, text("APPROVED")),
            (Dimension::AdSpace, KeyPart::None),
        ];
        let expected = json!({
            "country": { "ne": "RU" },
            "and": [{ "paid": { "eq": true } }, { "country": { "eq": "PL" } }],
            "status": { "eq": "APPROVED" },
            "not": { "adSpace": {} },
        });
        assert_eq!(filter(Some(base), &key), Some(expected));
        assert_eq!(filter(None, &[]), Some(json!({})));
    }

    #[test]
    fn one_item_satisfies_all_that_the_key_says_of_items() {
        let (top, below) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = |key| Kind::Category.id(key).0;
        let key = [
            (Dimension::Product, KeyPart::None),
            (Dimension::CategoryLevel1, KeyPart::Id(top)),
            (Dimension::CategoryLevel2, KeyPart::Id(below)),
        ];
        let expected = json!({ "items": { "some": {
            "not": { "product": {} },
            "category": { "within": [id(top)] },
            "and": [{ "category": { "within": [id(below)] } }],
        } } });
        assert_eq!(filter(None, &key), Some(expected));
        let itself = filter(None, &[(Dimension::CategoryLevel2, KeyPart::Id(top))]);
        let expected = json!({ "items": { "some": { "category": { "id": { "eq": id(top) } } } } });
        assert_eq!(itself, Some(expected));
        let nothing = [
            (Dimension::Product, KeyPart::None),
            (Dimension::CategoryOwn, KeyPart::None),
        ];
        let expected = json!({ "items": { "some": {
            "not": { "product": {} }, "and": [{ "not": { "category": {} } }],
        } } });
        assert_eq!(filter(None, &nothing), Some(expected));
    }

    #[test]
    fn what_is_said_already_is_not_said_twice() {
        let key = [
            (Dimension::Status, text("DECLINED")),
            (Dimension::DeclineReason, text("")),
            (Dimension::UserAge, text("UNATTRIBUTED")),
            (Dimension::UserFrequency, text("UNATTRIBUTED")),
        ];
        let expected = json!({
            "status": { "eq": "DECLINED" }, "comment": { "isNull": true }, "not": { "user": {} },
        });
        assert_eq!(filter(None, &key), Some(expected));
    }

    #[test]
    fn what_no_filter_says_has_none() {
        for (dimension, word) in [
            (Dimension::UserAge, "NEW"),
            (Dimension::UserAge, "RETURNING"),
            (Dimension::UserFrequency, "LOYAL"),
        ] {
            assert_eq!(filter(None, &[(dimension, text(word))]), None, "{word}");
        }
        let nobody = filter(None, &[(Dimension::UserAge, text("UNATTRIBUTED"))]);
        assert_eq!(nobody, Some(json!({ "not": { "user": {} } })));
    }
}
