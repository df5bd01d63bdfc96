//! Inputs inside inputs, as deep as callers write them.

use std::borrow::Cow;
use std::ops::Deref;

use async_graphql::registry::Registry;
use async_graphql::{InputType, InputValueError, InputValueResult, Value};

use crate::domain::stack::with_room;

/// An input that stands in another one, perhaps of its own kind: read with room for the levels below it, and boxed, so that
/// the one that holds it stays small.
#[derive(Debug)]
pub struct Deep<T>(Box<T>);

/// Several of them: room is made once for all, not for one after the other.
pub type DeepList<T> = Deep<Vec<Deep<T>>>;

impl<T> Deref for Deep<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: InputType> InputType for Deep<T> {
    type RawValueType = T::RawValueType;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        with_room(|| T::parse(value).map(Box::new))
            .map(Self)
            .map_err(InputValueError::propagate)
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_raw_value()
    }
}
