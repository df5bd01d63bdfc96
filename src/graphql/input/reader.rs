//! From a filter input to the domain's tree of conditions, within the limits on depth, conditions and values.

use std::cell::Cell;

use uuid::Uuid;

use crate::domain::error::Error;
use crate::domain::filter::{Filter, MAX_ALL_VALUES, MAX_DEPTH, MAX_TESTS, MAX_VALUES, Op};
use crate::domain::text::has_nul;
use crate::domain::time::Instant;
use crate::graphql::error::Result;
use crate::graphql::id::Kind;

/// Reads one filter: knows where it is and how much of the limits is left.
#[derive(Debug)]
pub struct Reader {
    path: Vec<&'static str>,
    depth: usize,
    tests: usize,
    values: Cell<usize>,
    kind: Option<Kind>,
    now: Instant,
}

impl Reader {
    /// A reader of the filter in the argument `argument` of a request that is answered at `now`.
    pub fn new(argument: &'static str, now: Instant) -> Self {
        Self {
            path: vec![argument],
            depth: 0,
            tests: 0,
            values: Cell::new(0),
            kind: None,
            now,
        }
    }

    /// The point in time at which the request is answered.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The argument and the place in it that is being read.
    pub fn place(&self) -> String {
        self.path.join(".")
    }

    /// An error about the place that is being read.
    pub fn refuse(&self, message: &str) -> Error {
        let place = self.place();
        Error::bad_input(place.clone(), format!("{place}: {message}"))
    }

    /// Reads what stands in a field.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn field<R>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        self.path.push(name);
        let result = read(self);
        self.path.pop();
        result
    }

    /// Reads a filter within a filter.
    ///
    /// # Errors
    /// Where filters nest too deeply, and what `read` fails with.
    pub fn nested<R>(
        &mut self,
        kind: Option<Kind>,
        read: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        if self.depth == MAX_DEPTH {
            let place = self.place();
            let message = format!(
                "{place} is deeper than the {MAX_DEPTH} levels that a filter may nest: write it flatter"
            );
            return Err(Error::limit(place, message).into());
        }
        let outer = std::mem::replace(&mut self.kind, kind);
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        self.kind = outer;
        result
    }

    /// Counts one more condition.
    ///
    /// # Errors
    /// Beyond the limit.
    pub fn test(&mut self) -> Result<()> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            let place = self.place();
            let message =
                format!("{place}: a filter may hold {MAX_TESTS} conditions, this one holds more");
            return Err(Error::limit(place, message).into());
        }
        Ok(())
    }

    /// Counts the values of one more list.
    ///
    /// # Errors
    /// Beyond the limit of one list, or of all lists of the filter.
    pub fn values(&self, count: usize) -> Result<()> {
        if count > MAX_VALUES {
            let place = self.place();
            let message = format!(
                "{place} lists {count} values, the most is {MAX_VALUES}: ask in several requests"
            );
            return Err(Error::limit(place, message).into());
        }
        self.values.set(self.values.get() + count);
        if self.values.get() > MAX_ALL_VALUES {
            let place = self.place();
            let message = format!(
                "{place}: the lists of a filter may have {MAX_ALL_VALUES} values together, these have more: ask in \
                 several requests"
            );
            return Err(Error::limit(place, message).into());
        }
        Ok(())
    }

    /// A text that both databases can hold.
    ///
    /// # Errors
    /// When it contains U+0000.
    pub fn text(&self, text: &str) -> Result<String> {
        if has_nul(text) {
            return Err(self
                .refuse("a text with the character U+0000 matches nothing and is refused")
                .into());
        }
        Ok(text.to_owned())
    }

    /// The key in a global id of the type that is being filtered.
    ///
    /// # Errors
    /// When it is no id of that type.
    pub fn key(&self, id: &async_graphql::ID) -> Result<Uuid> {
        let kind = self
            .kind
            .ok_or_else(|| self.refuse("there are no ids here"))?;
        let wanted = kind.name();
        kind.key(id).ok_or_else(|| {
            self.refuse(&format!(
                "that is no id of type {wanted}; pass one that the API returned"
            ))
            .into()
        })
    }
}

/// An operator input: the operators that were given, all of which must hold.
pub trait Operators {
    /// Reads them, in the order of the schema.
    ///
    /// # Errors
    /// When a value cannot be compared with, or a limit is passed.
    fn read(&self, reader: &mut Reader) -> Result<Vec<Op>>;
}

/// A filter input over conditions `T`.
pub trait Conditions<T> {
    /// The type whose ids it compares.
    const KIND: Option<Kind>;

    /// Reads it.
    ///
    /// # Errors
    /// When something in it cannot be compared with, or a limit is passed.
    fn read(&self, reader: &mut Reader) -> Result<Filter<T>>;
}

/// Reads the filter of an argument; without one everything passes.
///
/// # Errors
/// When something in it cannot be compared with, or a limit is passed.
pub fn filter<T, F: Conditions<T>>(
    argument: &'static str,
    given: Option<&F>,
    now: Instant,
) -> Result<Filter<T>> {
    match given {
        None => Ok(Filter::default()),
        Some(filter) => Reader::new(argument, now).nested(F::KIND, |reader| filter.read(reader)),
    }
}
