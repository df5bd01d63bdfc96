//! How many rows an operation could return at most: the sizes of its pages, multiplied down the tree, before anything runs.

use std::collections::HashMap;

use async_graphql::parser::types as out;
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

use super::DocumentLimits;
use super::ast::base_name;
use super::error::{COST_EXCEEDED, RequestError};
use super::schema::{FieldInfo, Schema, TypeInfo};

/// What an operation may cost, known before it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows that the operation can return at most: entries of connections and of lists that are asked for by a list of ids.
    pub nodes: u64,
    /// Fields to answer, counted once each however many rows they are answered for.
    pub fields: u64,
    /// Levels of fields.
    pub depth: u64,
}

/// Counts an operation that was written for the executor, so that merged fields count once and skipped ones not at all.
///
/// # Errors
/// `COST_EXCEEDED` above [`DocumentLimits::nodes`].
pub(super) fn count(
    schema: &Schema,
    document: &out::ExecutableDocument,
    limits: &DocumentLimits,
) -> Result<Cost, RequestError> {
    let mut counter = Counter {
        schema,
        limits,
        cost: Cost::default(),
    };
    let mut place = None;
    for (_, operation) in document.operations.iter() {
        place = Some(operation.pos);
        if let Some(root) = schema.root(operation.node.ty) {
            let from = From {
                rows: 1,
                page: None,
                depth: 1,
            };
            counter.set(&operation.node.selection_set.node, root, from);
        }
    }
    let cost = counter.cost;
    if cost.nodes <= limits.nodes {
        return Ok(cost);
    }
    let message = format!(
        "The operation could return {} nodes, the limit is {}. Ask for smaller pages (first, last) or fewer lists inside lists.",
        cost.nodes, limits.nodes
    );
    Err(RequestError {
        message,
        locations: place.into_iter().collect(),
        code: COST_EXCEEDED,
    })
}

struct Counter<'a> {
    schema: &'a Schema,
    limits: &'a DocumentLimits,
    cost: Cost,
}

/// Where a selection set stands.
#[derive(Clone, Copy)]
struct From {
    /// How many objects of its parent there can be.
    rows: u64,
    /// The size of the page, directly inside a connection.
    page: Option<u64>,
    depth: u64,
}

impl Counter<'_> {
    /// Counts a set; says whether it selects the entries of the connection it stands in.
    fn set(&mut self, set: &out::SelectionSet, parent: &TypeInfo, from: From) -> bool {
        self.cost.depth = self.cost.depth.max(from.depth);
        let mut entries = false;
        for item in &set.items {
            match &item.node {
                out::Selection::Field(field) => {
                    entries |= self.field(&field.node, parent, from);
                }
                out::Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let ty = on.and_then(|on| self.schema.ty(&on.node.on.node));
                    let inner = &inline.node.selection_set.node;
                    entries |= self.set(inner, ty.unwrap_or(parent), from);
                }
                out::Selection::FragmentSpread(_) => {}
            }
        }
        entries
    }

    fn field(&mut self, field: &out::Field, parent: &TypeInfo, from: From) -> bool {
        self.cost.fields = self.cost.fields.saturating_add(1);
        let name = field.name.node.as_str();
        let entries = from.page.is_some() && matches!(name, "nodes" | "edges");
        if name.starts_with("__") {
            return entries;
        }
        let Some(info) = self.schema.field(parent, name) else {
            return entries;
        };
        let Some(ty) = self
            .schema
            .ty(base_name(&info.ty))
            .filter(|t| t.is_composite())
        else {
            return entries;
        };
        let mut inner = From {
            rows: from.rows,
            page: None,
            depth: from.depth + 1,
        };
        if entries {
            inner.rows = from.rows.saturating_mul(from.page.unwrap_or(1));
        } else if self.is_connection(ty) {
            let page = self.page(field, info);
            inner.page = Some(page);
            if self.set(&field.selection_set.node, ty, inner) {
                self.add(from.rows.saturating_mul(page));
            }
            return false;
        } else if let Some(listed) = longest_list(&field.arguments).filter(|_| is_list(info)) {
            inner.rows = from.rows.saturating_mul(listed);
            self.add(inner.rows);
        }
        self.set(&field.selection_set.node, ty, inner);
        entries
    }

    fn add(&mut self, nodes: u64) {
        self.cost.nodes = self.cost.nodes.saturating_add(nodes);
    }

    /// Whether a type is a connection: its `nodes` or `edges` is a list. A number of nodes is none.
    fn is_connection(&self, ty: &TypeInfo) -> bool {
        ["nodes", "edges"]
            .into_iter()
            .any(|name| self.schema.field(ty, name).is_some_and(is_list))
    }

    /// The size of the page that a connection's field asks for: `first`, `last`, else the default of either, else the general one.
    fn page(&self, field: &out::Field, info: &FieldInfo) -> u64 {
        let given: HashMap<&str, &Value> = field
            .arguments
            .iter()
            .map(|(name, value)| (name.node.as_str(), &value.node))
            .collect();
        let asked = ["first", "last"]
            .into_iter()
            .filter_map(|name| match given.get(name) {
                Some(Value::Number(number)) => Some(number.as_u64().unwrap_or(0)),
                _ => None,
            });
        let default = || {
            ["first", "last"].into_iter().find_map(|name| {
                let argument = info.arguments.iter().find(|a| a.name == *name)?;
                match argument.default.as_ref()? {
                    async_graphql::Value::Number(number) => number.as_u64(),
                    _ => None,
                }
            })
        };
        let usual = || {
            self.limits
                .default_pages
                .iter()
                .find(|(name, _)| *name == field.name.node.as_str())
        };
        asked
            .max()
            .or_else(default)
            .or_else(|| usual().map(|(_, size)| *size))
            .unwrap_or(self.limits.default_page)
    }
}

fn is_list(info: &FieldInfo) -> bool {
    matches!(info.ty.base, out::BaseType::List(_))
}

/// The length of the longest list among a field's arguments.
fn longest_list(arguments: &[(Positioned<Name>, Positioned<Value>)]) -> Option<u64> {
    let lists = arguments.iter().filter_map(|(_, value)| match &value.node {
        Value::List(items) => u64::try_from(items.len()).ok(),
        _ => None,
    });
    lists.max()
}
