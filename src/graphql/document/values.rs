//! Literals against the types they stand for, and the variables found among them. Values of variables are in `variables`.

use async_graphql::parser::types::{BaseType, Type};

use super::ast::{Argument, Node, Value, base_name};
use super::check::{Check, Usage};
use super::error::shown;
use super::schema::{BuiltIn, InputInfo, InputValue, TypeForm, TypeInfo};

use async_graphql::Name;

/// What is known about the place of a literal.
#[derive(Clone, Copy)]
struct Place<'a, 'd> {
    ty: Option<&'a Type>,
    has_default: bool,
    one_of: Option<&'d Name>,
    /// Off inside a value that was judged as a whole (a custom scalar's list or object).
    judged: bool,
}

impl<'d> Check<'d> {
    /// Checks a literal where `ty` is expected (nothing is expected of it without one).
    pub(super) fn value(&mut self, node: &'d Node, ty: Option<&Type>) {
        let place = Place {
            ty,
            has_default: false,
            one_of: None,
            judged: true,
        };
        self.literal(node, place);
    }

    /// Checks a literal given for an argument, or for a field of an input object (`one_of` names it if it is `@oneOf`).
    pub(super) fn input(
        &mut self,
        node: &'d Node,
        known: &'d InputValue,
        one_of: Option<&'d Name>,
    ) {
        let place = Place {
            ty: Some(&known.ty),
            has_default: known.default.is_some(),
            one_of,
            judged: true,
        };
        self.literal(node, place);
    }

    fn literal(&mut self, node: &'d Node, place: Place<'_, 'd>) {
        if self.errors.is_full() {
            return;
        }
        match &node.value {
            Value::Variable(name) => self.uses.variables.push(Usage {
                name,
                pos: node.pos,
                ty: place.ty.cloned(),
                has_default: place.has_default,
                one_of: place.one_of,
            }),
            Value::Null => {
                if let Some(ty) = place.ty
                    && place.judged
                    && !ty.nullable
                {
                    self.mismatch(node, ty);
                }
            }
            Value::List(items) => self.list(node, items, place),
            Value::Object(fields) => self.object(node, fields, place),
            _ => self.leaf(node, place),
        }
    }

    fn mismatch(&mut self, node: &Node, ty: &Type) {
        let text = format!(
            "Expected a value of type \"{ty}\", found {}.",
            node.value.kind()
        );
        self.errors.invalid(node.pos, text);
    }

    fn list(&mut self, node: &'d Node, items: &'d [Node], place: Place<'_, 'd>) {
        let mut single = None;
        let mut judged = place.judged;
        let inner = place.ty.map(|ty| match &ty.base {
            BaseType::List(inner) => &**inner,
            BaseType::Named(_) => {
                judged = false;
                &*single.insert(Type {
                    base: ty.base.clone(),
                    nullable: true,
                })
            }
        });
        if place.judged && !judged {
            self.leaf(node, place);
        }
        for item in items {
            let place = Place {
                ty: inner,
                has_default: false,
                one_of: None,
                judged,
            };
            self.literal(item, place);
        }
    }

    fn object(&mut self, node: &'d Node, fields: &'d [Argument], place: Place<'_, 'd>) {
        self.unique("input field", fields.iter().map(|field| &field.name));
        let schema = self.schema;
        let info = place.ty.and_then(|ty| schema.ty(base_name(ty)));
        if let Some(TypeInfo {
            name,
            kind: TypeForm::Input(input),
            ..
        }) = info
        {
            self.input_object(node, fields, name, input);
            return;
        }
        if place.judged {
            self.leaf(node, place);
        }
        for field in fields {
            let place = Place {
                ty: None,
                has_default: false,
                one_of: None,
                judged: false,
            };
            self.literal(&field.value, place);
        }
    }

    fn input_object(
        &mut self,
        node: &'d Node,
        fields: &'d [Argument],
        name: &'d Name,
        input: &'d InputInfo,
    ) {
        for known in input.fields.iter().filter(|known| known.required()) {
            if !fields.iter().any(|field| field.name.node == known.name) {
                let text = format!(
                    "\"{name}\" needs the field \"{}\" of type \"{}\".",
                    known.name, known.ty
                );
                self.errors.invalid(node.pos, text);
            }
        }
        if input.one_of {
            match fields {
                [field] if matches!(field.value.value, Value::Null) => {
                    let text = format!(
                        "The field \"{}\" of \"{name}\" must not be null.",
                        shown(&field.name.node)
                    );
                    self.errors.invalid(field.value.pos, text);
                }
                [_] => {}
                _ => {
                    let text = format!("\"{name}\" takes exactly one of its fields.");
                    self.errors.invalid(node.pos, text);
                }
            }
        }
        for field in fields {
            match input.field(&field.name.node) {
                Some(known) => self.input(&field.value, known, input.one_of.then_some(name)),
                None => {
                    let text = format!("\"{name}\" has no field \"{}\".", shown(&field.name.node));
                    self.errors.invalid(field.name.pos, text);
                    self.value(&field.value, None);
                }
            }
        }
    }

    /// Judges a literal as one value of a scalar or enum.
    fn leaf(&mut self, node: &Node, place: Place<'_, 'd>) {
        let Some(ty) = place.ty.filter(|_| place.judged) else {
            return;
        };
        let Some(info) = self.schema.ty(base_name(ty)) else {
            return;
        };
        match (&info.kind, &node.value) {
            (TypeForm::BuiltIn(BuiltIn::Int), Value::Int(digits)) => {
                if digits.parse::<i32>().is_err() {
                    let text = "An Int must be between -2147483648 and 2147483647.";
                    self.errors.invalid(node.pos, text);
                }
            }
            (TypeForm::BuiltIn(BuiltIn::Float), Value::Int(digits) | Value::Float(digits)) => {
                if !digits.parse::<f64>().is_ok_and(f64::is_finite) {
                    let text = "A Float must be within the range of double precision.";
                    self.errors.invalid(node.pos, text);
                }
            }
            (TypeForm::BuiltIn(BuiltIn::String), Value::Text(_))
            | (TypeForm::BuiltIn(BuiltIn::Boolean), Value::Boolean(_))
            | (TypeForm::BuiltIn(BuiltIn::Id), Value::Text(_) | Value::Int(_)) => {}
            (TypeForm::Enum(values), Value::Enum(value)) => {
                if !values.contains(value) {
                    let text = format!("\"{}\" is not a value of \"{}\".", shown(value), info.name);
                    self.errors.invalid(node.pos, text);
                }
            }
            (TypeForm::Custom, Value::List(_) | Value::Object(_)) => {
                if !self.limits.structured_scalars {
                    self.mismatch(node, ty);
                }
            }
            (TypeForm::Custom, _) => {}
            _ => self.mismatch(node, ty),
        }
    }
}
