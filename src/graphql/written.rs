//! Answers that are written at once: objects whose fields are there already become JSON without the framework's walk.
//!
//! async-graphql makes a future of each field and a map of each object. A report of a year of days by status is 1,095 rows of nine
//! fields, and that walk took four times as long as reading them. A [`Plain`] object writes the fields that need nothing further; a
//! value that holds such objects is answered as [`Ready`]. Where a field that was selected loads something, or ends in an error,
//! nothing of the attempt is kept, and the framework walks as ever: errors, their paths and what nulls take along are its business
//! alone.
//!
//! The stage before execution has merged fields, filled in variables, written fragments out and applied `@skip` and `@include`
//! (`document::convert`), so that the selection of an object is a list of fields. Written JSON travels through the executor as a value
//! of a form that no answer has ([`Value::Binary`], alone or under the empty name) and is copied into the answer by [`json`]. What
//! the operation cost is counted from objects in the answer, so they are counted where they are written ([`Tally`]).

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::EnumType;
use async_graphql::{
    ContextSelectionSet, Name, OutputType, Positioned, ScalarType, ServerResult, Value,
};
use serde::Serialize;

use super::options::Writing;

/// A field that the framework must answer: it loads something, or it ends in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow;

/// That a field is written. Only [`Slot`] makes one, so that none is forgotten.
#[derive(Debug)]
pub struct Done(());

/// What writing a field comes to.
pub type Written = Result<Done, Slow>;

/// An object, some fields of which are there already.
pub trait Plain: OutputType {
    /// Writes a field with the arguments that it has.
    ///
    /// # Errors
    /// For fields that the framework must answer.
    fn write(&self, field: Slot<'_, '_>) -> Written;
}

impl<T: Plain> Plain for &T {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        T::write(self, field)
    }
}

/// A plain object, or a list of them.
pub trait Whole: OutputType {
    /// Writes it where it is selected.
    ///
    /// # Errors
    /// Where one of its fields cannot be.
    fn write_whole(&self, field: Slot<'_, '_>) -> Written;
}

impl<T: Plain> Whole for T {
    fn write_whole(&self, field: Slot<'_, '_>) -> Written {
        field.object(self)
    }
}

impl<T: Plain> Whole for Vec<T> {
    fn write_whole(&self, field: Slot<'_, '_>) -> Written {
        field.list(self)
    }
}

/// A value that is written at once where everything that is selected of it is there.
#[derive(Clone, Copy, Debug)]
pub struct Ready<T>(pub T);

/// Rows that are written at once.
pub type Rows<T> = Ready<Vec<T>>;

impl<T> FromIterator<T> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

impl<T: Whole> OutputType for Ready<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let is_at_once = ctx.data_opt::<Writing>() == Some(&Writing::AtOnce);
        match is_at_once.then(|| written(&self.0, &field.node)) {
            Some(Ok(value)) => Ok(value),
            None | Some(Err(Slow)) => self.0.resolve(ctx, field).await,
        }
    }
}

/// A value as JSON that the executor carries along.
fn written(value: &impl Whole, field: &Field) -> Result<Value, Slow> {
    let mut part = Part::of(field)?;
    let mut json = Vec::new();
    let slot = Slot {
        part: &mut part,
        out: &mut json,
    };
    value.write_whole(slot)?;
    let json = Value::Binary(json.into());
    let holds_none = part.below.iter().all(|part| part.below.is_empty());
    if holds_none && part.entries == 1 {
        return Ok(json);
    }
    let mut marked = vec![json];
    marked.extend(part.tally());
    Ok(Value::Object(IndexMap::from_iter([(
        Name::new(MARK),
        Value::List(marked),
    )])))
}

/// The name of what is written, under which no field answers.
const MARK: &str = "";

/// A field that is selected, and how often it was written.
struct Part<'f> {
    field: &'f Field,
    below: Vec<Part<'f>>,
    entries: u64,
    met: u64,
    is_met: bool,
}

impl<'f> Part<'f> {
    fn of(field: &'f Field) -> Result<Self, Slow> {
        let items = field.selection_set.node.items.iter();
        let below = items.map(|item| match &item.node {
            Selection::Field(field) => Self::of(&field.node),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => Err(Slow),
        });
        Ok(Self {
            field,
            below: below.collect::<Result<_, _>>()?,
            entries: 0,
            met: 0,
            is_met: false,
        })
    }

    /// Counts it once for the object or the list of objects that it is selected of, before its own objects are written.
    fn meet(&mut self) {
        if !self.is_met {
            self.is_met = true;
            self.met += 1;
        }
        for part in &mut self.below {
            part.is_met = false;
        }
    }

    /// What [`Tally::of`] reads.
    fn tally(&self) -> [Value; 3] {
        let objects = self.below.iter().filter(|part| part.met > 0);
        let below = objects.map(|part| {
            let key = part.field.response_key().node.clone();
            (key, Value::List(part.tally().into()))
        });
        [
            Value::from(self.entries),
            Value::from(self.met),
            Value::Object(below.collect()),
        ]
    }

    fn members<T: OutputType>(
        &mut self,
        out: &mut Vec<u8>,
        write: impl Fn(Slot<'_, 'f>) -> Written,
    ) -> Result<(), Slow> {
        let mut lead = b'{';
        for part in &mut self.below {
            // Names are letters, digits and underscores.
            out.extend_from_slice(&[lead, b'"']);
            out.extend_from_slice(part.field.response_key().node.as_bytes());
            out.extend_from_slice(b"\":");
            let slot = Slot {
                part,
                out: &mut *out,
            };
            if slot.name() == "__typename" {
                slot.text(&T::type_name())?;
            } else {
                write(slot)?;
            }
            lead = b',';
        }
        if lead == b'{' {
            out.push(lead);
        }
        out.push(b'}');
        Ok(())
    }
}

/// Where the value of a field is to be written, once.
pub struct Slot<'s, 'f> {
    part: &'s mut Part<'f>,
    out: &'s mut Vec<u8>,
}

impl<'f> Slot<'_, 'f> {
    /// The name of the field.
    pub fn name(&self) -> &'f str {
        self.part.field.name.node.as_str()
    }

    /// The field with its arguments.
    pub fn field(&self) -> &'f Field {
        self.part.field
    }

    /// Writes nothing.
    pub fn null(self) -> Written {
        self.raw(b"null")
    }

    /// Writes what there is, or nothing.
    pub fn maybe<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Written) -> Written {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// Writes a text.
    pub fn text(self, text: &str) -> Written {
        self.serialized(text)
    }

    /// Writes an `Int`.
    pub fn int(self, number: i32) -> Written {
        self.serialized(&number)
    }

    /// Writes a `Float`; what is no number is null.
    pub fn float(self, number: f64) -> Written {
        self.serialized(&number)
    }

    /// Writes a word of an enum.
    pub fn word<E: EnumType>(self, word: E) -> Written {
        let mut items = E::items().iter();
        let item = items.find(|item| item.value == word).ok_or(Slow)?;
        self.text(item.name)
    }

    /// Writes a scalar.
    pub fn scalar(self, value: &impl ScalarType) -> Written {
        json(&value.to_value(), self.out, usize::MAX).map_err(|_| Slow)?;
        Ok(Done(()))
    }

    /// Writes an object.
    pub fn object<T: Plain>(self, value: &T) -> Written {
        self.object_of::<T>(|field| value.write(field))
    }

    /// Writes an object of a type, each field as `write` does.
    pub fn object_of<T: OutputType>(self, write: impl Fn(Slot<'_, '_>) -> Written) -> Written {
        self.part.meet();
        self.part.entries += 1;
        self.part.members::<T>(self.out, write)?;
        Ok(Done(()))
    }

    /// Writes a list of objects.
    pub fn list<T: Plain>(self, values: impl IntoIterator<Item = T>) -> Written {
        self.part.meet();
        let mut lead = b'[';
        for value in values {
            self.out.push(lead);
            self.part.entries += 1;
            self.part
                .members::<T>(self.out, |field| value.write(field))?;
            lead = b',';
        }
        if lead == b'[' {
            self.out.push(lead);
        }
        self.out.push(b']');
        Ok(Done(()))
    }

    fn serialized<T: Serialize + ?Sized>(self, value: &T) -> Written {
        serde_json::to_writer(self.out, value).map_err(|_| Slow)?;
        Ok(Done(()))
    }

    fn raw(self, text: &[u8]) -> Written {
        self.out.extend_from_slice(text);
        Ok(Done(()))
    }
}

/// How many objects were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally<'v> {
    /// Objects under the name.
    pub(super) entries: u64,
    /// Objects, or lists of objects, that have something under the name: as often it was asked what it has there.
    pub(super) met: u64,
    below: &'v IndexMap<Name, Value>,
}

impl<'v> Tally<'v> {
    /// What an object of an answer says of itself, if it is one that was written.
    pub(super) fn of(object: &'v IndexMap<Name, Value>) -> Option<Self> {
        let (_, tally) = marked(object)?;
        Self::read(tally)
    }

    /// Of the objects that are under a name in these.
    pub(super) fn below(&self, key: &Name) -> Option<Self> {
        match self.below.get(key)? {
            Value::List(tally) => Self::read(tally),
            _ => None,
        }
    }

    fn read(tally: &'v [Value]) -> Option<Self> {
        match tally {
            [
                Value::Number(entries),
                Value::Number(met),
                Value::Object(below),
            ] => Some(Self {
                entries: entries.as_u64()?,
                met: met.as_u64()?,
                below,
            }),
            _ => None,
        }
    }
}

/// The JSON of an object that was written, and its tally.
fn marked(object: &IndexMap<Name, Value>) -> Option<(&[u8], &[Value])> {
    let (name, value) = object.first()?;
    let Value::List(items) = value else {
        return None;
    };
    match items.split_first()? {
        (Value::Binary(json), tally) if name.as_str() == MARK => Some((json, tally)),
        _ => None,
    }
}

/// Why an answer is not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// It is longer than it may be.
    TooLong,
    /// A text or a number cannot be written, which all can.
    Fault(serde_json::Error),
}

impl From<serde_json::Error> for Unwritten {
    fn from(error: serde_json::Error) -> Self {
        Self::Fault(error)
    }
}

/// Writes an answer as JSON, up to so many bytes; what is written already is copied.
///
/// # Errors
/// When it is longer.
pub(super) fn json(value: &Value, out: &mut Vec<u8>, most: usize) -> Result<(), Unwritten> {
    if out.len() > most {
        return Err(Unwritten::TooLong);
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Binary(written) => out.extend_from_slice(written),
        Value::List(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                json(item, out, most)?;
            }
            out.push(b']');
        }
        Value::Object(object) => {
            if let Some((written, _)) = marked(object) {
                out.extend_from_slice(written);
                return Ok(());
            }
            out.push(b'{');
            for (place, (name, item)) in object.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, name.as_str())?;
                out.push(b':');
                json(item, out, most)?;
            }
            out.push(b'}');
        }
        Value::Number(_) | Value::String(_) | Value::Boolean(_) | Value::Enum(_) => {
            serde_json::to_writer(out, value)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::error::{Failure, Result};
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema, SimpleObject};

    #[derive(Clone, Copy, SimpleObject)]
    #[graphql(name = "Coin")]
    struct Coin {
        size: i32,
    }

    impl Plain for Coin {
        fn write(&self, field: Slot<'_, '_>) -> Written {
            match field.name() {
                "size" => field.int(self.size),
                _ => Err(Slow),
            }
        }
    }

    /// A row whose fields fail in every third one, and one of whose fields must be loaded.
    #[derive(Clone, Copy)]
    struct Row(i32);

    impl Row {
        fn third(self) -> Result<i32> {
            if self.0 % 3 == 2 {
                return Err(Failure::internal("a third"));
            }
            Ok(self.0)
        }

        fn purse(self) -> Vec<Coin> {
            (0..self.0).map(|size| Coin { size }).collect()
        }
    }

    #[Object]
    impl Row {
        async fn number(&self) -> i32 {
            self.0
        }

        async fn text(&self) -> String {
            format!("\"{}\\\u{1}é", self.0)
        }

        async fn part(&self) -> Option<f64> {
            (self.0 > 0).then(|| 1.0 / f64::from(self.0 - 1))
        }

        async fn odd(&self) -> Option<Result<i32>> {
            Some((*self).third())
        }

        async fn needed(&self) -> Result<i32> {
            (*self).third()
        }

        async fn coins(&self) -> Ready<Vec<Coin>> {
            Ready((*self).purse())
        }

        async fn coin(&self) -> Option<Ready<Coin>> {
            (*self).purse().pop().map(Ready)
        }

        async fn loaded(&self) -> i32 {
            tokio::task::yield_now().await;
            self.0
        }
    }

    impl Plain for Row {
        fn write(&self, field: Slot<'_, '_>) -> Written {
            match field.name() {
                "number" => field.int(self.0),
                "text" => field.text(&format!("\"{}\\\u{1}é", self.0)),
                "part" => {
                    let part = (self.0 > 0).then(|| 1.0 / f64::from(self.0 - 1));
                    field.maybe(part, Slot::float)
                }
                "odd" | "needed" => field.int(self.third().map_err(|_| Slow)?),
                "coins" => field.list(self.purse()),
                "coin" => field.maybe(self.purse().pop(), |field, coin| field.object(&coin)),
                _ => Err(Slow),
            }
        }
    }

    struct Query;

    #[Object]
    impl Query {
        async fn rows(&self, count: i32) -> Option<Rows<Row>> {
            Some((0..count).map(Row).collect())
        }

        async fn coin(&self) -> Ready<Coin> {
            Ready(Coin { size: 1 })
        }
    }

    /// The answer and its data, written this way.
    async fn answer(query: &str, writing: Writing) -> (String, Value) {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let request = async_graphql::Request::new(query).data(writing);
        let response = schema.execute(request).await;
        let mut body = Vec::new();
        json(&response.data, &mut body, usize::MAX).unwrap();
        let text = String::from_utf8(body).unwrap();
        (format!("{text} {:?}", response.errors), response.data)
    }

    fn is_written(value: &Value) -> bool {
        match value {
            Value::Binary(_) => true,
            Value::Object(object) => marked(object).is_some() || object.values().any(is_written),
            Value::List(items) => items.iter().any(is_written),
            _ => false,
        }
    }

    #[tokio::test]
    async fn both_ways_answer_the_same() {
        for (query, at_once) in [
            ("{ rows(count: 2) { number text part odd needed } }", true),
            ("{ rows(count: 0) { number } }", true),
            (
                "{ a: rows(count: 2) { b: __typename c: number coins { size t: __typename } coin { size } } }",
                true,
            ),
            ("{ coin { size } }", true),
            ("{ coin { __typename } rows(count: 9) { number } }", true),
            // Below what is loaded, what can be is written at once all the same.
            (
                "{ rows(count: 3) { loaded coins { size } coin { size } } }",
                true,
            ),
            ("{ rows(count: 3) { loaded } }", false),
            // An error is told with its place, and takes along what it takes along.
            ("{ rows(count: 9) { number odd } }", false),
            ("{ rows(count: 9) { number needed } }", false),
            (
                "{ a: rows(count: 9) { needed coins { size } } b: rows(count: 2) { needed } }",
                true,
            ),
        ] {
            let (expected, plain) = answer(query, Writing::ByField).await;
            let (found, written) = answer(query, Writing::AtOnce).await;
            assert_eq!(found, expected, "{query}");
            assert!(!is_written(&plain), "{query}");
            assert_eq!(is_written(&written), at_once, "{query}");
            let asked: Value =
                serde_json::from_str(expected.split_once(" [").map_or("", |(data, _)| data))
                    .unwrap();
            assert_eq!(asked, plain, "{query}");
        }
    }

    #[tokio::test]
    async fn objects_are_counted_where_they_are_written() {
        let query = "{ rows(count: 4) { number coins { size } coin { size } } }";
        let (_, data) = answer(query, Writing::AtOnce).await;
        let Value::Object(root) = data else {
            panic!("{data:?}")
        };
        let Value::Object(rows) = &root["rows"] else {
            panic!("{root:?}")
        };
        let told = |tally: Tally<'_>| (tally.entries, tally.met);
        let rows = Tally::of(rows).unwrap();
        let below = |name| rows.below(&Name::new(name)).map(told);
        // The rows are one list, so whatever they have was met once; 0 + 1 + 2 + 3 coins.
        assert_eq!(rows.entries, 4);
        assert_eq!(below("coins"), Some((6, 1)));
        assert_eq!(below("coin"), Some((3, 1)));
        assert_eq!(below("number"), None);
        assert_eq!(below("other"), None);
    }
}
