//! Keyset pages: what is asked, what a cursor holds, what comes back.
//!
//! A cursor is opaque to clients: base64url of a version, the fingerprint of the order it belongs to, the row's sort
//! values and its id. Used with another order it is refused, never answered with a wrong page.

use super::error::{Error, Result};
use super::filter::Value;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Ascending or descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the smallest.
    Asc,
    /// From the largest.
    Desc,
}

/// Where rows without a value stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortKey<F> {
    /// What is ordered by.
    pub field: F,
    /// Direction.
    pub direction: Direction,
    /// Where missing values stand.
    pub nulls: Nulls,
}

/// How many keys an order may have.
pub const MAX_SORT_KEYS: usize = 5;

/// Where a page starts: the sort values and the id of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The sort values, in the order's sequence.
    pub values: Vec<Value>,
    /// What breaks ties.
    pub id: Uuid,
}

/// Which rows of an order are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many rows at most.
    pub size: u32,
    /// From the start (`first`) or from the end (`last`).
    pub forward: bool,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
    /// Only rows before this one.
    pub before: Option<Cursor>,
}

/// A page in the order's sequence, each row with its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<(T, Cursor)>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            has_next: false,
            has_previous: false,
        }
    }
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self
                .rows
                .into_iter()
                .map(|(row, cursor)| (f(row), cursor))
                .collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }

    /// Cuts a page from rows that were asked for with one more than `request.size`, in reading order of the request
    /// (reversed for a backward page).
    #[must_use]
    pub fn cut(mut rows: Vec<(T, Cursor)>, request: &PageRequest) -> Self {
        let size = usize::try_from(request.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        if request.forward {
            Self {
                rows,
                has_next: more,
                has_previous: request.after.is_some(),
            }
        } else {
            rows.reverse();
            Self {
                rows,
                has_next: request.before.is_some(),
                has_previous: more,
            }
        }
    }

    /// Pages through rows that are all in memory, in their order; `place` gives a row's cursor and `compare` orders
    /// two cursors as the rows are ordered.
    pub fn of_all(
        all: Vec<T>,
        request: &PageRequest,
        place: impl Fn(&T) -> Cursor,
        compare: impl Fn(&Cursor, &Cursor) -> std::cmp::Ordering,
    ) -> Self {
        let placed = all.into_iter().map(|row| {
            let cursor = place(&row);
            (row, cursor)
        });
        Self::of_placed(placed, request, compare)
    }

    /// Likewise, through rows that come with their cursors.
    pub fn of_placed(
        all: impl IntoIterator<Item = (T, Cursor)>,
        request: &PageRequest,
        compare: impl Fn(&Cursor, &Cursor) -> std::cmp::Ordering,
    ) -> Self {
        let mut rows: Vec<(T, Cursor)> = all
            .into_iter()
            .filter(|(_, cursor)| {
                request
                    .after
                    .as_ref()
                    .is_none_or(|after| compare(cursor, after).is_gt())
                    && request
                        .before
                        .as_ref()
                        .is_none_or(|before| compare(cursor, before).is_lt())
            })
            .collect();
        if !request.forward {
            rows.reverse();
        }
        Self::cut(rows, request)
    }
}

const VERSION: u8 = 1;

/// Bytes of the version and the fingerprint.
const HEAD: usize = 5;

impl Cursor {
    /// The same place with other ids, in its sort values as well.
    #[must_use]
    pub fn with_ids(mut self, of: impl Fn(Uuid) -> Uuid) -> Self {
        self.id = of(self.id);
        for value in &mut self.values {
            if let Value::Id(id) = value {
                *id = of(*id);
            }
        }
        self
    }

    /// Writes the cursor for the order with this fingerprint.
    #[must_use]
    pub fn encode(&self, order: u32) -> String {
        self.encode_sealed(order, |_| Vec::new())
    }

    /// Likewise, with what `seal` makes of all of it behind.
    #[must_use]
    pub fn encode_sealed(&self, order: u32, seal: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&order.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        for value in &self.values {
            match value {
                Value::Null => bytes.push(0),
                Value::Flag(flag) => bytes.extend_from_slice(&[1, u8::from(*flag)]),
                Value::Int(number) => {
                    bytes.push(2);
                    bytes.extend_from_slice(&number.to_be_bytes());
                }
                Value::Text(text) => {
                    bytes.push(3);
                    bytes.extend_from_slice(
                        &u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes(),
                    );
                    bytes.extend_from_slice(text.as_bytes());
                }
                Value::Id(id) => {
                    bytes.push(4);
                    bytes.extend_from_slice(id.as_bytes());
                }
            }
        }
        bytes.extend(seal(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of the order with this fingerprint; `argument` names where it was given.
    ///
    /// # Errors
    /// When it is no cursor, or one of another order.
    pub fn decode(text: &str, order: u32, argument: &str) -> Result<Self> {
        Self::decode_sealed(text, order, argument, |bytes| bytes.get(..))
    }

    /// Likewise; `open` gives what lies under a seal, if that is a good one.
    ///
    /// # Errors
    /// When it is no cursor, one of another order, or the seal is not good.
    pub fn decode_sealed(
        text: &str,
        order: u32,
        argument: &str,
        open: impl FnOnce(&[u8]) -> Option<&[u8]>,
    ) -> Result<Self> {
        let malformed = || {
            Error::bad_input(
                argument,
                format!("{argument} is not a cursor of this list; pass one that it returned"),
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let mut rest = Reader(&bytes);
        if rest.take(1).ok_or_else(malformed)? != [VERSION] {
            return Err(malformed());
        }
        if rest.array::<4>().ok_or_else(malformed)? != order.to_be_bytes() {
            return Err(Error::bad_input(
                argument,
                format!(
                    "{argument} is a cursor of another order; start again without it, or use the same orderBy"
                ),
            ));
        }
        let under = open(&bytes).ok_or_else(malformed)?;
        let (_, under) = under.split_at_checked(HEAD).ok_or_else(malformed)?;
        let mut rest = Reader(under);
        let id = Uuid::from_bytes(rest.array().ok_or_else(malformed)?);
        let mut values = Vec::new();
        while !rest.0.is_empty() {
            values.push(rest.value().ok_or_else(malformed)?);
        }
        Ok(Self { values, id })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.take(1)? {
            [0] => Value::Null,
            [1] => Value::Flag(self.take(1)? == [1]),
            [2] => Value::Int(i64::from_be_bytes(self.array()?)),
            [3] => {
                let len = usize::try_from(u32::from_be_bytes(self.array()?)).ok()?;
                Value::Text(std::str::from_utf8(self.take(len)?).ok()?.to_owned())
            }
            [4] => Value::Id(Uuid::from_bytes(self.array()?)),
            _ => return None,
        })
    }
}

/// The fingerprint of an order: FNV-1a over its printed form, stable between runs and builds.
#[must_use]
pub fn fingerprint(order: &str) -> u32 {
    order.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Flag),
            any::<i64>().prop_map(Value::Int),
            ".{0,20}".prop_map(Value::Text),
            any::<u128>().prop_map(|bits| Value::Id(Uuid::from_u128(bits))),
        ]
    }

    proptest! {
        #[test]
        fn cursors_survive_the_way_out_and_back(values in proptest::collection::vec(value(), 0..5), id in any::<u128>()) {
            let cursor = Cursor { values, id: Uuid::from_u128(id) };
            prop_assert_eq!(Cursor::decode(&cursor.encode(7), 7, "after").unwrap(), cursor.clone());
            let error = Cursor::decode(&cursor.encode(7), 8, "after").unwrap_err();
            prop_assert!(error.message().contains("another order"));
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in ".{0,60}") {
            let _ = Cursor::decode(&text, 1, "after");
        }
    }
}
