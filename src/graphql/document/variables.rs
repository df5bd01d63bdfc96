//! Values by type: a request's variables, and literals with the variables filled in, as the specification's input coercion has them.
//! Whether a literal fits its type was settled in `values`.

use std::cell::Cell;
use std::collections::BTreeMap;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Name, Value as ConstValue};
use serde_json::{Map, Number, Value as Json};

use super::DocumentLimits;
use super::ast::{Argument, Node, Operation, Value};
use super::error::{BAD_USER_INPUT, Errors, LIMIT_EXCEEDED, Passed, RequestError, shown};
use super::schema::{BuiltIn, InputInfo, Schema, TypeForm};

/// Variables that fit their types. One that is absent has neither a value nor a default.
pub(super) type Values = BTreeMap<Name, ConstValue>;

/// Objects in a value, itself included.
fn objects(json: &Json) -> usize {
    match json {
        Json::Array(items) => items.iter().map(objects).sum(),
        Json::Object(fields) => 1 + fields.values().map(objects).sum::<usize>(),
        _ => 0,
    }
}

/// Brings a request's variables into the types that the operation declares. Variables that it does not declare are ignored.
///
/// # Errors
/// `BAD_USER_INPUT` for each value that is missing or does not fit, at most [`DocumentLimits::errors`]; values are not repeated.
/// `LIMIT_EXCEEDED` above [`DocumentLimits::variable_values`], [`DocumentLimits::variable_bytes`] or, in one of them,
/// [`DocumentLimits::input_objects`].
pub(super) fn coerce(
    schema: &Schema,
    operation: &Operation,
    given: &Map<String, Json>,
    limits: &DocumentLimits,
) -> Result<Values, Vec<RequestError>> {
    let declared = |name: &str| operation.variables.iter().any(|v| v.name.node == *name);
    let used = || given.iter().filter(|(name, _)| declared(name));
    let count: usize = used().map(|(_, json)| size(json)).sum();
    if count > limits.variable_values {
        let message = format!(
            "The variables hold {count} values, the limit is {}. Send shorter lists.",
            limits.variable_values
        );
        let error = RequestError::whole(LIMIT_EXCEEDED, message);
        let passed = Passed::of("variableValues", limits.variable_values, count);
        return Err(vec![error.passing(passed)]);
    }
    let bytes: usize = used()
        .map(|(name, json)| name.len() + text_bytes(json))
        .sum();
    if bytes > limits.variable_bytes {
        let message = format!(
            "The variables hold {bytes} bytes, the limit is {}. Send shorter values, or send them in several requests.",
            limits.variable_bytes
        );
        let error = RequestError::whole(LIMIT_EXCEEDED, message);
        let passed = Passed::of("variableBytes", limits.variable_bytes, bytes);
        return Err(vec![error.passing(passed)]);
    }
    // No argument may hold as many, and in their types they would take many times the room.
    let most = usize::try_from(limits.input_objects).unwrap_or(usize::MAX);
    if let Some((name, count)) = used()
        .map(|(name, json)| (name, objects(json)))
        .find(|(_, count)| *count > most)
    {
        let message = format!(
            "${name} holds {count} objects, the limit is {most}: leave some out, or name several values in one list."
        );
        let error = RequestError::whole(LIMIT_EXCEEDED, message);
        return Err(vec![error.passing(Passed::of("inputObjects", most, count))]);
    }
    let none = Values::new();
    let constants = Purse::new(&none, usize::MAX);
    let mut values = Values::new();
    let mut errors = Errors::new(limits.errors);
    for definition in &operation.variables {
        let name = &definition.name.node;
        let ty = &definition.ty.node;
        match (given.get(name.as_str()), &definition.default) {
            (Some(json), _) => {
                let mut coercion = Coercion {
                    schema,
                    limits,
                    path: vec![Step::Name(name)],
                    errors: &mut errors,
                    position: definition.name.pos,
                };
                if let Some(value) = coercion.value(json, ty) {
                    values.insert(name.clone(), value);
                }
            }
            (None, Some(default)) => {
                if let Some(value) = literal(schema, default, ty, &constants) {
                    values.insert(name.clone(), value);
                }
            }
            (None, None) if !ty.nullable => errors.push(RequestError::at(
                BAD_USER_INPUT,
                definition.name.pos,
                format!(
                    "The variable \"${}\" of type \"{ty}\" is required, but no value was given.",
                    shown(name)
                ),
            )),
            (None, None) => {}
        }
    }
    errors.into_result().map(|()| values)
}

/// Values in a JSON value, itself included.
fn size(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Json::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Bytes of names and texts in a JSON value; every other value counts as eight.
fn text_bytes(json: &Json) -> usize {
    match json {
        Json::Array(items) => items.iter().map(text_bytes).sum::<usize>(),
        Json::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + text_bytes(value))
            .sum::<usize>(),
        Json::String(text) => text.len(),
        _ => 8,
    }
}

/// A step from a variable into its value.
#[derive(Clone, Copy)]
enum Step<'j> {
    Name(&'j str),
    Index(usize),
}

struct Coercion<'a, 'j> {
    schema: &'a Schema,
    limits: &'a DocumentLimits,
    path: Vec<Step<'j>>,
    errors: &'a mut Errors,
    position: async_graphql::Pos,
}

impl<'j> Coercion<'_, 'j> {
    fn fail(&mut self, what: &str) -> Option<ConstValue> {
        if self.errors.is_full() {
            return None;
        }
        let mut path = String::from("$");
        for (index, step) in self.path.iter().enumerate() {
            match step {
                Step::Name(name) if index == 0 => path.push_str(&shown(name)),
                Step::Name(name) => {
                    path.push('.');
                    path.push_str(&shown(name));
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        self.errors.push(RequestError::at(
            BAD_USER_INPUT,
            self.position,
            format!("The variable \"{path}\" {what}"),
        ));
        None
    }

    fn value(&mut self, json: &'j Json, ty: &Type) -> Option<ConstValue> {
        if json.is_null() {
            if ty.nullable {
                return Some(ConstValue::Null);
            }
            return self.fail(&format!("of type \"{ty}\" must not be null."));
        }
        match (&ty.base, json) {
            (BaseType::List(inner), Json::Array(items)) => {
                let mut list = Vec::with_capacity(items.len());
                let mut whole = true;
                for (index, item) in items.iter().enumerate() {
                    if self.errors.is_full() {
                        return None;
                    }
                    self.path.push(Step::Index(index));
                    match self.value(item, inner) {
                        Some(value) => list.push(value),
                        None => whole = false,
                    }
                    self.path.pop();
                }
                whole.then_some(ConstValue::List(list))
            }
            // A list accepts a single value as a list of one.
            (BaseType::List(inner), _) => Some(ConstValue::List(vec![self.value(json, inner)?])),
            (BaseType::Named(name), _) => self.named(json, name),
        }
    }

    fn named(&mut self, json: &'j Json, name: &Name) -> Option<ConstValue> {
        let schema = self.schema;
        let form = schema.ty(name).map(|info| &info.kind);
        let value = match (form, json) {
            (Some(TypeForm::Input(input)), Json::Object(given)) => {
                return self.input_object(given, name, input);
            }
            (Some(TypeForm::Input(_)), _) => {
                return self.fail(&format!("must be an object for \"{name}\"."));
            }
            (Some(TypeForm::Enum(values)), Json::String(text)) => values
                .get(text.as_str())
                .map(|value| ConstValue::Enum(value.clone())),
            (Some(TypeForm::BuiltIn(built_in)), _) => built_in_value(*built_in, json),
            (Some(TypeForm::Custom), Json::Array(_) | Json::Object(_))
                if !self.limits.structured_scalars =>
            {
                None
            }
            (Some(TypeForm::Custom), _) => ConstValue::from_json(json.clone()).ok(),
            _ => None,
        };
        if value.is_none() {
            return match form {
                Some(TypeForm::Enum(_)) => {
                    self.fail(&format!("is not a value of the enum \"{name}\"."))
                }
                Some(TypeForm::BuiltIn(BuiltIn::Int)) => {
                    self.fail("must be a whole number between -2147483648 and 2147483647.")
                }
                _ => self.fail(&format!("must be a \"{name}\".")),
            };
        }
        value
    }

    fn input_object(
        &mut self,
        given: &'j Map<String, Json>,
        name: &Name,
        input: &InputInfo,
    ) -> Option<ConstValue> {
        let mut object = IndexMap::new();
        let mut whole = true;
        for (key, json) in given {
            if self.errors.is_full() {
                return None;
            }
            let Some(known) = input.field(key) else {
                self.fail(&format!(
                    "has a field \"{}\" that \"{name}\" does not have.",
                    shown(key)
                ));
                whole = false;
                continue;
            };
            self.path.push(Step::Name(key));
            match self.value(json, &known.ty) {
                Some(value) => {
                    object.insert(known.name.clone(), value);
                }
                None => whole = false,
            }
            self.path.pop();
        }
        for known in input.fields.iter().filter(|known| known.required()) {
            if !given.contains_key(known.name.as_str()) {
                let text = format!(
                    "needs the field \"{}\" of type \"{}\".",
                    known.name, known.ty
                );
                self.fail(&text);
                whole = false;
            }
        }
        if input.one_of && (given.len() != 1 || given.values().any(Json::is_null)) {
            self.fail(&format!(
                "must give exactly one field of \"{name}\", and not null."
            ));
            whole = false;
        }
        whole.then_some(ConstValue::Object(object))
    }
}

/// A JSON value as one of the five scalars; none if it does not fit.
fn built_in_value(built_in: BuiltIn, json: &Json) -> Option<ConstValue> {
    match (built_in, json) {
        (BuiltIn::Int, Json::Number(number)) => {
            let whole = whole(number)?;
            i32::try_from(whole).ok().map(ConstValue::from)
        }
        (BuiltIn::Float, Json::Number(number)) => {
            Number::from_f64(number.as_f64()?).map(ConstValue::Number)
        }
        (BuiltIn::String, Json::String(text)) | (BuiltIn::Id, Json::String(text)) => {
            Some(ConstValue::String(text.clone()))
        }
        (BuiltIn::Boolean, Json::Bool(value)) => Some(ConstValue::Boolean(*value)),
        (BuiltIn::Id, Json::Number(number)) => match whole(number) {
            Some(id) => Some(ConstValue::String(id.to_string())),
            // Any whole number is an id, as in JavaScript, even one that no id of ours has.
            None => number
                .as_f64()
                .filter(|id| id.fract() == 0.0)
                .map(|id| ConstValue::String(id.to_string())),
        },
        _ => None,
    }
}

/// The whole number that a JSON number is; `2.0` and `2e3` are whole numbers, as in JavaScript.
fn whole(number: &Number) -> Option<i128> {
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Some(whole.into());
    }
    let float = number.as_f64()?;
    // Above 2^63 a float stands for no particular whole number.
    (float.fract() == 0.0 && float.abs() < 9.3e18).then(|| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and in range, as just checked"
        )]
        let whole = float as i128;
        whole
    })
}

/// The variables of an operation and how many bytes may still be written with them.
pub(super) struct Purse<'v> {
    variables: &'v Values,
    /// How many there were.
    all: usize,
    /// None once more was asked for; then nothing more is written.
    left: Cell<Option<usize>>,
}

impl<'v> Purse<'v> {
    pub(super) fn new(variables: &'v Values, bytes: usize) -> Self {
        Self {
            variables,
            all: bytes,
            left: Cell::new(Some(bytes)),
        }
    }

    /// Bytes that may be written.
    pub(super) fn limit(&self) -> usize {
        self.all
    }

    /// Bytes that were written; as many as may be once more was asked for.
    pub(super) fn spent(&self) -> usize {
        self.all - self.left.get().unwrap_or(0)
    }

    /// Whether more was asked for than there was.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.left.get().is_none()
    }

    pub(super) fn variable(&self, name: &Name) -> Option<&'v ConstValue> {
        self.variables.get(name)
    }

    /// Takes bytes out; none if there are not as many.
    pub(super) fn spend(&self, bytes: usize) -> Option<()> {
        let left = self.left.get().and_then(|left| left.checked_sub(bytes));
        self.left.set(left);
        left.map(|_| ())
    }

    /// A copy of a variable's value; weighed first, since one value can be used in many places.
    fn copy(&self, name: &Name) -> Option<ConstValue> {
        let value = self.variable(name)?;
        self.spend(weight(value))?;
        Some(value.clone())
    }

    /// A value that was made from the document's text.
    fn pay(&self, value: ConstValue) -> Option<ConstValue> {
        let text = match &value {
            ConstValue::String(text) => text.len(),
            _ => 0,
        };
        self.spend(text + size_of::<ConstValue>())?;
        Some(value)
    }
}

/// Roughly the bytes that a field of an object takes beside its value.
const ENTRY: usize = 32;

/// Roughly the bytes that a value takes in memory.
fn weight(value: &ConstValue) -> usize {
    let inner: usize = match value {
        ConstValue::String(text) => text.len(),
        ConstValue::List(items) => items.iter().map(weight).sum(),
        ConstValue::Object(fields) => fields.values().map(|value| weight(value) + ENTRY).sum(),
        _ => 0,
    };
    inner + size_of::<ConstValue>()
}

/// A literal of type `ty`, checked before, with variables filled in; none if it is a variable without a value (or the purse is empty).
pub(super) fn literal(
    schema: &Schema,
    node: &Node,
    ty: &Type,
    purse: &Purse<'_>,
) -> Option<ConstValue> {
    if let Value::Variable(name) = &node.value {
        return purse.copy(name);
    }
    if matches!(node.value, Value::Null) {
        return purse.pay(ConstValue::Null);
    }
    let name = match &ty.base {
        BaseType::List(inner) => {
            purse.spend(size_of::<ConstValue>())?;
            let item = |node| literal(schema, node, inner, purse).unwrap_or(ConstValue::Null);
            return Some(ConstValue::List(match &node.value {
                Value::List(items) => items.iter().map(item).collect(),
                _ => vec![item(node)],
            }));
        }
        BaseType::Named(name) => name,
    };
    match (schema.ty(name).map(|info| &info.kind), &node.value) {
        (Some(TypeForm::Input(input)), Value::Object(fields)) => {
            purse.spend(size_of::<ConstValue>() + fields.len() * ENTRY)?;
            let mut object = IndexMap::new();
            for field in fields {
                if let Some(known) = input.field(&field.name.node)
                    && let Some(value) = literal(schema, &field.value, &known.ty, purse)
                {
                    object.insert(known.name.clone(), value);
                }
            }
            Some(ConstValue::Object(object))
        }
        (Some(TypeForm::BuiltIn(BuiltIn::Id)), Value::Int(digits)) => {
            purse.pay(ConstValue::String(digits.clone()))
        }
        (Some(TypeForm::BuiltIn(BuiltIn::Float)), Value::Int(digits)) => purse.pay(float(digits)),
        (_, value) => untyped(value, purse),
    }
}

/// A literal as it is written, for scalars that have no structure known here; none as for [`literal`].
pub(super) fn untyped(value: &Value, purse: &Purse<'_>) -> Option<ConstValue> {
    let value = match value {
        Value::Variable(name) => return purse.copy(name),
        Value::Int(digits) => whole_digits(digits),
        Value::Float(digits) => float(digits),
        Value::Text(text) => ConstValue::String(text.clone()),
        Value::Boolean(value) => ConstValue::Boolean(*value),
        Value::Null => ConstValue::Null,
        Value::Enum(name) => ConstValue::Enum(name.clone()),
        Value::List(items) => {
            purse.spend(size_of::<ConstValue>())?;
            let items = items.iter();
            let item = |item: &Node| untyped(&item.value, purse).unwrap_or_default();
            return Some(ConstValue::List(items.map(item).collect()));
        }
        Value::Object(fields) => {
            purse.spend(size_of::<ConstValue>() + fields.len() * ENTRY)?;
            let fields = fields.iter();
            let field = |field: &Argument| {
                Some((field.name.node.clone(), untyped(&field.value.value, purse)?))
            };
            return Some(ConstValue::Object(fields.filter_map(field).collect()));
        }
    };
    purse.pay(value)
}

/// A whole number; beyond 64 bits its digits as a string, which wide scalars accept, instead of a float that has lost some.
fn whole_digits(digits: &str) -> ConstValue {
    if let Ok(small) = digits.parse::<i64>() {
        return ConstValue::from(small);
    }
    match digits.parse::<u64>() {
        Ok(large) => ConstValue::from(large),
        Err(_) => ConstValue::String(digits.to_owned()),
    }
}

fn float(digits: &str) -> ConstValue {
    digits
        .parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map_or_else(|| ConstValue::String(digits.to_owned()), ConstValue::Number)
}
