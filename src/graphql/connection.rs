//! Connections: page arguments, and the types that lists are answered in.
//!
//! The types are our own, because every element of the schema is described. Their parts that depend on nothing are
//! here; a list that offers more (totals, what the page leaves out) adds its fields where [`connection!`] is used.

use std::sync::Arc;

use async_graphql::SimpleObject;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::error::Result;
use crate::access::user_ids::UserIds;
use crate::domain::error::{Error, PassedLimit};
use crate::domain::filter::Value;
use crate::domain::page::{Cursor, Page, PageRequest, fingerprint};
use crate::domain::query_limits::PageSizes;

/// How large the pages of a list are.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Their name in `limits`.
    pub name: &'static str,
    /// Where the caller says nothing; less where fewer are allowed.
    pub default: u32,
    /// At most, as it is configured.
    most: fn(&PageSizes) -> u32,
}

impl PageLimits {
    /// How many rows a page has at most.
    #[must_use]
    pub fn most(self, sizes: &PageSizes) -> u32 {
        (self.most)(sizes)
    }

    /// How many it has where the caller says nothing.
    #[must_use]
    pub fn usual(self, sizes: &PageSizes) -> u32 {
        self.default.min(self.most(sizes))
    }
}

/// Pages of entities and of what hangs below them.
pub const ENTITIES: PageLimits = PageLimits {
    name: "pages",
    default: 20,
    most: |sizes| sizes.entities,
};
/// Pages of segments.
pub const SEGMENTS: PageLimits = PageLimits {
    name: "segmentPages",
    default: 100,
    most: |sizes| sizes.segments,
};

/// Pages of the groups of a report.
pub const REPORT_GROUPS: PageLimits = PageLimits {
    name: "reportPages",
    default: 100,
    most: |sizes| sizes.report_groups,
};

/// The order of a list, how large its pages may be, and how its cursors are written for a caller. What a cursor's ids are of it does not say, so that
/// to whoever may not know users all of them are shown as other ids, which differ from order to order, and under a seal:
/// otherwise the list would compare what stands in it with any id that such a caller puts into a cursor.
#[derive(Clone, Debug)]
pub struct ListOrder {
    fingerprint: u32,
    ids: UserIds,
    sizes: PageSizes,
}

impl ListOrder {
    /// The order that is printed so, for a caller who is shown users so, in pages of these sizes.
    pub fn new(printed: &str, user_ids: &UserIds, sizes: PageSizes) -> Self {
        Self {
            fingerprint: fingerprint(printed),
            ids: user_ids.in_order(printed),
            sizes,
        }
    }

    fn write(&self, cursor: &Cursor) -> String {
        if self.ids.are_stored() {
            return cursor.encode(self.fingerprint);
        }
        let shown = cursor.clone().with_ids(|id| self.ids.shown(id));
        shown.encode_sealed(self.fingerprint, |bytes| self.ids.seal(bytes))
    }

    fn read(&self, text: &str, argument: &str) -> Result<Cursor> {
        let shown = Cursor::decode_sealed(text, self.fingerprint, argument, |bytes| {
            self.ids.open(bytes)
        })?;
        Ok(shown.with_ids(|id| self.ids.stored(id)))
    }
}

/// The page that a caller asks for.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    /// How many from the start.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// How many from the end.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl PageArgs {
    /// The page in an order.
    ///
    /// # Errors
    /// For a negative or too large size, for `first` with `last`, and for a cursor of another list or order.
    pub fn request(&self, limits: PageLimits, order: &ListOrder) -> Result<PageRequest> {
        if self.first.is_some() && self.last.is_some() {
            let message = "first and last ask for two pages at once: use first with after, or last with before";
            return Err(Error::bad_input("last", message).into());
        }
        let forward = self.last.is_none();
        let size = match (self.first, self.last) {
            (Some(first), _) => size("first", first, limits, &order.sizes)?,
            (None, Some(last)) => size("last", last, limits, &order.sizes)?,
            (None, None) => limits.usual(&order.sizes),
        };
        let cursor = |text: &Option<String>, name| -> Result<Option<Cursor>> {
            let text = text.as_deref();
            text.map(|text| order.read(text, name)).transpose()
        };
        Ok(PageRequest {
            size,
            forward,
            after: cursor(&self.after, "after")?,
            before: cursor(&self.before, "before")?,
        })
    }
}

/// The size of a page, or of a list of the first so many.
///
/// # Errors
/// When it is negative or beyond the limit.
pub fn size(
    argument: &'static str,
    asked: i32,
    limits: PageLimits,
    sizes: &PageSizes,
) -> Result<u32> {
    let most = limits.most(sizes);
    let Ok(size) = u32::try_from(asked) else {
        let message = format!("{argument} is {asked}: ask for 0 to {most} rows");
        return Err(Error::bad_input(argument, message).into());
    };
    if size > most {
        let message = format!(
            "{argument} is {asked}, the most for one page is {most}: ask for {most} or fewer and follow the cursors"
        );
        let passed = PassedLimit::of(limits.name, most, size);
        return Err(Error::limit(argument, passed, message).into());
    }
    Ok(size)
}

/// A page of rows that are all in memory, in the ascending order of `key`: numbers, ties broken by an id.
pub fn page_by<T>(
    all: Vec<T>,
    request: &PageRequest,
    key: impl Fn(&T) -> (Vec<i64>, Uuid),
) -> Page<T> {
    let place = |row: &T| {
        let (numbers, id) = key(row);
        Cursor {
            values: numbers.into_iter().map(Value::Int).collect(),
            id,
        }
    };
    let compare =
        |one: &Cursor, other: &Cursor| (&one.values, one.id).cmp(&(&other.values, other.id));
    let mut all = all;
    if request.forward && request.after.is_none() && request.before.is_none() {
        // The first page needs no more rows than it shows and one that tells of the rest.
        all.truncate(
            usize::try_from(request.size).map_or(usize::MAX, |size| size.saturating_add(1)),
        );
    }
    Page::of_all(all, request, place, compare)
}

/// Where a page stands in its list.
#[derive(Clone, Debug, SimpleObject)]
pub struct PageInfo {
    /// Whether rows follow this page.
    has_next_page: bool,
    /// Whether rows precede this page.
    has_previous_page: bool,
    /// Cursor of the page's first row, for `before`; null on an empty page.
    start_cursor: Option<String>,
    /// Cursor of the page's last row, for `after`; null on an empty page.
    end_cursor: Option<String>,
}

/// A page of rows of a list.
pub struct Slice<N> {
    rows: Vec<(N, Cursor)>,
    order: ListOrder,
    has_next: bool,
    has_previous: bool,
}

impl<N> Slice<N> {
    /// A page of a list in its order.
    pub fn new(page: Page<N>, order: ListOrder) -> Self {
        Self {
            rows: page.rows,
            order,
            has_next: page.has_next,
            has_previous: page.has_previous,
        }
    }

    /// The rows.
    pub fn nodes(&self) -> impl Iterator<Item = &N> {
        self.rows.iter().map(|(row, _)| row)
    }

    /// The rows with their cursors.
    pub fn edges(&self) -> impl Iterator<Item = (&N, String)> {
        let rows = self.rows.iter();
        rows.map(|(row, cursor)| (row, self.order.write(cursor)))
    }

    /// Where the page stands.
    pub fn info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.cursor(self.rows.first()),
            end_cursor: self.cursor(self.rows.last()),
        }
    }

    fn cursor(&self, row: Option<&(N, Cursor)>) -> Option<String> {
        row.map(|(_, cursor)| self.order.write(cursor))
    }
}

/// The number of rows of a whole list, counted when it is asked for.
#[derive(Clone)]
pub enum Count {
    /// Known anyway.
    Known(i64),
    /// To be counted, once.
    Ask(Arc<Counting>),
}

/// A count that is made when it is first asked for.
pub struct Counting {
    counting: Box<dyn Fn() -> BoxFuture<'static, Result<i64>> + Send + Sync>,
    counted: OnceCell<Result<i64>>,
}

impl Count {
    /// A count that is made when it is asked for.
    pub fn ask<F>(counting: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<i64>> + Send + 'static,
    {
        let counting =
            Box::new(move || -> BoxFuture<'static, Result<i64>> { Box::pin(counting()) });
        Self::Ask(Arc::new(Counting {
            counting,
            counted: OnceCell::new(),
        }))
    }

    /// The count.
    ///
    /// # Errors
    /// When counting fails.
    pub async fn get(&self) -> Result<i64> {
        match self {
            Self::Known(number) => Ok(*number),
            Self::Ask(ask) => ask.counted.get_or_init(|| (ask.counting)()).await.clone(),
        }
    }
}

/// Makes a connection's types: the connection with `edges`, `nodes`, `pageInfo`, `totalCount` and further fields, and
/// its edge. `with` is what the further fields need; they find it in `self.more`. `in` is what holds the rows: `Vec` unless
/// said otherwise, [`Rows`](super::written::Rows) where node and edge are written at once.
macro_rules! connection {
    ($(#[$($doc:tt)*])* $name:ident, $edge:ident of $node:ty, with $more:ty { $($fields:tt)* }) => {
        $crate::graphql::connection::connection! {
            $(#[$($doc)*])* $name, $edge of $node, in Vec, with $more { $($fields)* }
        }
    };
    ($(#[$($doc:tt)*])* $name:ident, $edge:ident of $node:ty, in $rows:ident, with $more:ty { $($fields:tt)* }) => {
        $crate::graphql::connection::connection! {
            @make [$(#[$($doc)*])*] $name, $edge, $node, $rows,
            [
                /// What further fields need.
                pub more: $more,
            ]
            [$($fields)*]
        }
    };
    ($(#[$($doc:tt)*])* $name:ident, $edge:ident of $node:ty) => {
        $crate::graphql::connection::connection! { @make [$(#[$($doc)*])*] $name, $edge, $node, Vec, [] [] }
    };
    (@make [$($doc:tt)*] $name:ident, $edge:ident, $node:ty, $rows:ident, [$($more:tt)*] [$($fields:tt)*]) => {
        $($doc)*
        pub struct $name {
            /// The page.
            pub slice: $crate::graphql::connection::Slice<$node>,
            /// How many rows there are.
            pub count: $crate::graphql::connection::Count,
            $($more)*
        }

        $($doc)*
        #[async_graphql::Object]
        impl $name {
            /// The rows of this page with their cursors.
            async fn edges(&self) -> $rows<$edge> {
                self.slice.edges().map(|(node, cursor)| $edge::new(node, cursor)).collect()
            }

            /// The rows of this page.
            async fn nodes(&self) -> $rows<$node> {
                self.slice.nodes().cloned().collect()
            }

            /// Where this page stands in the list.
            async fn page_info(&self) -> $crate::graphql::connection::PageInfo {
                self.slice.info()
            }

            /// Number of rows in the whole list, whatever the page; counted only when asked for.
            async fn total_count(&self) -> $crate::graphql::error::Result<i32> {
                $crate::graphql::scalar::count(self.count.get().await?)
            }

            $($fields)*
        }

        /// A row of a page with its cursor.
        pub struct $edge {
            node: $node,
            cursor: String,
        }

        impl $edge {
            /// A row with its cursor.
            pub fn new(node: &$node, cursor: String) -> Self {
                Self { node: node.clone(), cursor }
            }
        }

        /// A row of a page with its cursor.
        #[async_graphql::Object]
        impl $edge {
            /// The row.
            async fn node(&self) -> $node {
                self.node.clone()
            }

            /// The row's place in this order, for `after` and `before`.
            async fn cursor(&self) -> &str {
                &self.cursor
            }
        }
    };
}

pub(in crate::graphql) use connection;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn order(printed: &str) -> ListOrder {
        ListOrder::new(printed, &UserIds::as_stored(), PageSizes::default())
    }

    fn args(first: Option<i32>, last: Option<i32>) -> PageArgs {
        PageArgs {
            first,
            last,
            ..PageArgs::default()
        }
    }

    #[test]
    fn sizes_have_a_default_and_a_limit_that_is_named() {
        assert_eq!(
            args(None, None)
                .request(ENTITIES, &order("one"))
                .unwrap()
                .size,
            20
        );
        assert_eq!(
            args(Some(0), None)
                .request(ENTITIES, &order("one"))
                .unwrap()
                .size,
            0
        );
        let backward = args(None, Some(100))
            .request(ENTITIES, &order("one"))
            .unwrap();
        assert_eq!((backward.size, backward.forward), (100, false));
        let error = args(Some(101), None)
            .request(ENTITIES, &order("one"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("101") && error.contains("100"), "{error}");
        assert!(
            args(Some(-1), None)
                .request(ENTITIES, &order("one"))
                .unwrap_err()
                .to_string()
                .contains("-1")
        );
        assert!(
            args(Some(1), Some(1))
                .request(ENTITIES, &order("one"))
                .is_err()
        );
    }

    #[test]
    fn pages_in_memory_walk_both_ways() {
        let key = |number: &i64| {
            (
                vec![-(number / 2)],
                Uuid::from_u128(u128::try_from(*number).unwrap()),
            )
        };
        let all = vec![4, 5, 2, 3, 0, 1];
        let mut request = args(Some(4), None)
            .request(ENTITIES, &order("one"))
            .unwrap();
        let page = page_by(all.clone(), &request, key);
        assert_eq!(
            page.rows
                .iter()
                .map(|(number, _)| *number)
                .collect::<Vec<_>>(),
            [4, 5, 2, 3]
        );
        assert!(page.has_next && !page.has_previous);
        request.after = page.rows.last().map(|(_, cursor)| cursor.clone());
        let page = page_by(all.clone(), &request, key);
        assert_eq!(
            page.rows
                .iter()
                .map(|(number, _)| *number)
                .collect::<Vec<_>>(),
            [0, 1]
        );
        assert!(!page.has_next && page.has_previous);
        let back = args(None, Some(2))
            .request(ENTITIES, &order("one"))
            .unwrap();
        let page = page_by(all, &back, key);
        assert_eq!(
            page.rows
                .iter()
                .map(|(number, _)| *number)
                .collect::<Vec<_>>(),
            [0, 1]
        );
        assert!(!page.has_next && page.has_previous);
    }

    fn after(text: String) -> PageArgs {
        PageArgs {
            after: Some(text),
            ..PageArgs::default()
        }
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let cursor = Cursor {
            values: vec![Value::Int(1)],
            id: Uuid::nil(),
        };
        let after = after(order("one").write(&cursor));
        let read = after.request(ENTITIES, &order("one")).unwrap().after;
        assert_eq!(read, Some(cursor));
        let error = after.request(ENTITIES, &order("other")).unwrap_err();
        assert!(error.to_string().contains("another order"));
    }

    #[test]
    fn a_cursor_shows_no_stored_id_to_whoever_may_not_know_users() {
        let hides = UserIds::hidden_by(&Secret::new("a secret"));
        let hidden = ListOrder::new("one", &hides, PageSizes::default());
        let (id, other) = (Uuid::from_u128(1 << 100), Uuid::from_u128(7 << 100));
        let cursor = Cursor {
            values: vec![Value::Int(1), Value::Id(other), Value::Null],
            id,
        };
        let text = hidden.write(&cursor);
        let shown = |text: &str, order: &ListOrder| {
            Cursor::decode_sealed(text, order.fingerprint, "after", |bytes| {
                Some(bytes.split_at(bytes.len() - 16).0)
            })
            .unwrap()
        };
        let here = shown(&text, &hidden);
        assert_eq!(here.values[0], Value::Int(1));
        assert!(here.id != id && here.values[1] != Value::Id(other));
        assert_ne!(here.id, hides.shown(id), "nor as users are shown");
        let read = after(text).request(ENTITIES, &hidden).unwrap().after;
        assert_eq!(read, Some(cursor.clone()));
        let elsewhere = ListOrder::new("other", &hides, PageSizes::default());
        let there = shown(&elsewhere.write(&cursor), &elsewhere);
        assert_ne!(there.id, here.id, "each order has ids of its own");
    }

    #[test]
    fn a_cursor_that_was_put_together_is_refused() {
        let hides = UserIds::hidden_by(&Secret::new("a secret"));
        let hidden = ListOrder::new("one", &hides, PageSizes::default());
        let cursor = Cursor {
            values: vec![Value::Int(1)],
            id: Uuid::from_u128(1 << 100),
        };
        let foreign = ListOrder {
            fingerprint: hidden.fingerprint,
            ids: hides.in_order("other"),
            sizes: PageSizes::default(),
        };
        let anybody = order("one");
        for text in [
            anybody.write(&cursor),
            cursor.encode_sealed(hidden.fingerprint, |_| vec![0; 16]),
            foreign.write(&cursor),
        ] {
            let error = after(text).request(ENTITIES, &hidden).unwrap_err();
            assert!(error.to_string().contains("not a cursor of this list"));
        }
        let good = hidden.write(&cursor);
        for place in 7..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[place] = if bad[place] == b'A' { b'Q' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(after(bad).request(ENTITIES, &hidden).is_err(), "{place}");
        }
    }
}
