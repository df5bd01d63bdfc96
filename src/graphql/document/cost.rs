//! What an operation costs: before it runs by the sizes of its pages multiplied down the tree, after it by what it answered.
//!
//! Weights stand in the schema's SDL (`@cost`, `@listSize`, `@scanCost`), so that what is published is what is charged. They are kept
//! in thousandths of a point. Without a directive an object costs one point and a scalar nothing.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types as out;
use async_graphql::{Name, Pos, Positioned, Value as ConstValue};
use async_graphql_value::Value;

use super::DocumentLimits;
use super::ast::base_name;
use super::error::{COST_EXCEEDED, Passed, RequestError};

use super::plan::{Part, Plan, Scan, UsualPeriod};
use super::scans::{is_limited, is_selected, names_period, scan, stretches, times};
use super::schema::{FieldInfo, InputValue, Schema, TypeForm, TypeInfo};
use super::{inputs, introspection};

/// Parts of a point.
pub const MILLI: u64 = 1_000;

/// What each object costs whose type and field have no `@cost`.
const OBJECT: u64 = MILLI;

/// Entries of a list that `@listSize` says nothing of.
const SOME: u64 = 10;

/// How large an operation is, known before it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows that the operation can return at most: entries of connections and of lists that are asked for by a list of ids.
    pub nodes: u64,
    /// Fields to answer, counted once each however many rows they are answered for.
    pub fields: u64,
    /// Levels of fields.
    pub depth: u64,
    /// Values of scalars and enums that the answer can hold at most: each field times the rows that it is answered for, by the
    /// sizes of pages, and of lists as the schema assumes them.
    pub values: u64,
}

/// Reads a weight such as `1`, `0.25` or `12.5`, in thousandths.
pub(super) fn thousandths(text: &str) -> Option<u64> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(digits) || digits.len() > 3 {
        return None;
    }
    let fraction: u64 = format!("{digits:0<3}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(MILLI)?
        .checked_add(fraction)
}

/// Counts an operation that was written for the executor, so that merged fields count once and skipped ones not at all.
///
/// # Errors
/// `LIMIT_EXCEEDED` for a page above [`DocumentLimits::page`], `COST_EXCEEDED` above [`DocumentLimits::nodes`].
pub(super) fn count<'a>(
    schema: &'a Schema,
    document: &'a out::ExecutableDocument,
    limits: &'a DocumentLimits,
) -> Result<(Cost, Plan), RequestError> {
    let mut counter = Counter {
        schema,
        limits,
        cost: Cost::default(),
        large: None,
        introspection: 0,
        nothing: Arc::default(),
        read: Vec::new(),
    };
    let mut place = None;
    let mut plan = Plan::default();
    for (_, operation) in document.operations.iter() {
        place = Some(operation.pos);
        if let Some(root) = schema.root(operation.node.ty) {
            let from = From {
                rows: 1,
                objects: 1,
                page: None,
                depth: 1,
                range: Looked {
                    arguments: Arc::clone(&counter.nothing),
                    usual: None,
                },
            };
            let set = &operation.node.selection_set.node;
            counter.set(set, root, &from, &mut plan.parts);
        }
    }
    plan.number();
    if let Some(large) = counter.large {
        return Err(large);
    }
    let cost = counter.cost;
    let refused = |what: &str, limit: &'static str, (maximum, value): (u64, u64), less: &str| {
        let message = format!(
            "The operation could return {value} {what}, the limit is {maximum}. Ask for {less}."
        );
        let passed = Passed {
            limit,
            maximum,
            value,
            coordinate: None,
        };
        RequestError {
            message,
            locations: place.into_iter().collect(),
            code: COST_EXCEEDED,
            passed: Some(Box::new(passed)),
            coordinate: None,
        }
    };
    if cost.nodes > limits.nodes {
        let less = "smaller pages (first, last) or fewer lists inside lists";
        return Err(refused(
            "nodes",
            "operationRows",
            (limits.nodes, cost.nodes),
            less,
        ));
    }
    if cost.values > limits.values {
        let less = "smaller pages (first, last) or fewer fields of each row";
        return Err(refused(
            "values",
            "operationValues",
            (limits.values, cost.values),
            less,
        ));
    }
    Ok((cost, plan))
}

struct Counter<'a> {
    schema: &'a Schema,
    limits: &'a DocumentLimits,
    cost: Cost,
    /// The first page that is too large.
    large: Option<RequestError>,
    /// Values that introspection asks for.
    introspection: u64,
    /// No arguments.
    nothing: Arc<Given>,
    /// The arguments of fields that are about actions, as written and as kept.
    read: Vec<(&'a Arguments, Arc<Given>)>,
}

/// Arguments by their names.
pub(super) type Given = IndexMap<Name, ConstValue>;

/// The page of the connection that a set stands in.
#[derive(Clone, Copy)]
struct Page<'a> {
    size: u64,
    /// The fields that are its entries.
    fields: &'a [String],
}

impl Page<'_> {
    fn holds(self, name: &str) -> bool {
        if self.fields.is_empty() {
            matches!(name, "nodes" | "edges")
        } else {
            self.fields.iter().any(|field| field == name)
        }
    }
}

/// Where a selection set stands.
#[derive(Clone)]
struct From<'a> {
    /// How many objects of its parent there can be, by pages and lists of ids.
    rows: u64,
    /// Likewise with the entries of all other lists.
    objects: u64,
    /// The page, directly inside a connection.
    page: Option<Page<'a>>,
    depth: u64,
    /// What the nearest field with a range or a filter is about.
    range: Looked,
}

/// Which actions a field is about.
#[derive(Clone)]
pub(super) struct Looked {
    /// Its arguments, once for whatever is asked of it.
    pub(super) arguments: Arc<Given>,
    /// The period that stands in for a range that they do not hold.
    pub(super) usual: Option<UsualPeriod>,
}

/// Arguments of a field, as written.
pub(super) type Arguments = [(Positioned<Name>, Positioned<Value>)];

/// The argument that says how many days a field looks back, where it has no range.
pub const WINDOW: &str = "days";

/// Among how many of the latest scans one of the same facts is looked for, and among how many of the latest arguments equal ones:
/// a filter names few periods in turn, and whoever names thousands is not to make each be compared with all.
const SIMILAR: usize = 8;

impl<'a> Counter<'a> {
    /// Counts a set; says whether it selects the entries of the connection it stands in.
    fn set(
        &mut self,
        set: &'a out::SelectionSet,
        parent: &'a TypeInfo,
        from: &From<'a>,
        parts: &mut Vec<Part>,
    ) -> bool {
        self.cost.depth = self.cost.depth.max(from.depth);
        let mut entries = false;
        for item in &set.items {
            match &item.node {
                out::Selection::Field(field) => {
                    entries |= self.field(field, parent, from, parts);
                }
                out::Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let ty = on.and_then(|on| self.schema.ty(&on.node.on.node));
                    let inner = &inline.node.selection_set.node;
                    entries |= self.set(inner, ty.unwrap_or(parent), from, parts);
                }
                out::Selection::FragmentSpread(_) => {}
            }
        }
        entries
    }

    fn field(
        &mut self,
        placed: &'a Positioned<out::Field>,
        parent: &'a TypeInfo,
        from: &From<'a>,
        parts: &mut Vec<Part>,
    ) -> bool {
        self.cost.fields = self.cost.fields.saturating_add(1);
        let field = &placed.node;
        let name = field.name.node.as_str();
        let page = from.page.filter(|page| page.holds(name));
        let entries = page.is_some();
        if introspection::is_asked(placed) {
            self.introspection(placed, parts);
        }
        if name.starts_with("__") {
            return entries;
        }
        let Some(info) = self.schema.field(parent, name) else {
            return entries;
        };
        let ty = self
            .schema
            .ty(base_name(&info.ty))
            .filter(|ty| ty.is_composite());
        let default = ty.map_or(0, |ty| ty.weight.unwrap_or(OBJECT));
        let usual = info.scan.as_ref().and_then(|(cost, _)| cost.usual);
        let mut given = field.arguments.iter();
        let is_ranged = usual.is_some()
            || given.any(|(name, _)| ["range", "filter", "rule"].contains(&name.node.as_str()));
        let from = From {
            range: if is_ranged {
                Looked {
                    arguments: self.constants(&field.arguments),
                    usual: usual.filter(|_| !names_period(&field.arguments)),
                }
            } else {
                from.range.clone()
            },
            ..from.clone()
        };
        let mut part = Part {
            key: field.response_key().node.clone(),
            weight: info.weight.unwrap_or(default),
            size: 1,
            scans: scan(info, &from.range, from.rows).into_iter().collect(),
            parts: Vec::new(),
        };
        if let Some(error) = inputs::too_many(placed, parent, self.limits.input_objects) {
            self.large.get_or_insert(error);
        }
        // What a write is given is kept, not answered.
        if !self.is_of_writes(parent) {
            let points =
                stretches(&field.arguments, self.limits.trend_points).filter(|_| is_list(info));
            let evaluated = (from.rows, points.unwrap_or(1));
            for (name, value) in &field.arguments {
                let mut known = info.arguments.iter();
                if let Some(argument) = known.find(|known| known.name == name.node) {
                    let (value, range) = (&value.node, &from.range);
                    self.scans_of(value, argument, (range, evaluated), &mut part.scans);
                    self.scans_in(value, argument, range, &mut part.scans);
                }
            }
            let asked = info.arguments.iter();
            for argument in asked.filter(|argument| is_selected(field, argument)) {
                let asks = Value::Boolean(true);
                self.scans_of(&asks, argument, (&from.range, (1, 1)), &mut part.scans);
            }
        }
        if ty.is_none() {
            self.cost.values = self.cost.values.saturating_add(from.objects);
        }
        if let Some(ty) = ty {
            self.composite(placed, (parent, info, ty), (&from, page), &mut part);
        }
        if part.weight > 0 || !part.scans.is_empty() || !part.parts.is_empty() {
            parts.push(part);
        }
        entries
    }

    /// Arguments of a written operation. Those that equal some of the latest are the same ones: a fragment writes one filter out
    /// again and again, and what is found out about it is found out once.
    fn constants(&mut self, arguments: &'a Arguments) -> Arc<Given> {
        let mut latest = self.read.iter().rev().take(SIMILAR);
        if let Some((_, known)) = latest.find(|(written, _)| *written == arguments) {
            return Arc::clone(known);
        }
        let given = Arc::new(constants(arguments));
        self.read.push((arguments, Arc::clone(&given)));
        given
    }

    /// Counts a question about the schema itself.
    fn introspection(&mut self, placed: &Positioned<out::Field>, parts: &mut Vec<Part>) {
        let values = introspection::values(self.schema.sizes(), &placed.node);
        self.introspection = self.introspection.saturating_add(values);
        let most = self.limits.introspection_values;
        if self.introspection > most {
            let error = introspection::too_much(placed.pos, self.introspection, most);
            self.large.get_or_insert(error);
        }
        parts.push(Part {
            key: placed.node.response_key().node.clone(),
            weight: values.saturating_mul(introspection::VALUE),
            size: 1,
            scans: Vec::new(),
            parts: Vec::new(),
        });
    }

    fn is_of_writes(&self, parent: &TypeInfo) -> bool {
        let root = self.schema.root(out::OperationType::Mutation);
        root.is_some_and(|root| root.name == parent.name)
    }

    /// Adds what has to be looked through for a value: conditions that ask for it stand in inputs, at any depth.
    fn scans_in(&self, value: &Value, given: &InputValue, range: &Looked, into: &mut Vec<Scan>) {
        if let Value::List(items) = value {
            items
                .iter()
                .for_each(|item| self.scans_in(item, given, range, into));
            return;
        }
        let Value::Object(fields) = value else {
            return;
        };
        let Some(TypeForm::Input(info)) = self.schema.ty(base_name(&given.ty)).map(|ty| &ty.kind)
        else {
            return;
        };
        for (name, value) in fields {
            if let Some(field) = info.field(name) {
                self.scans_of(value, field, (range, (1, 1)), into);
                self.scans_in(value, field, range, into);
            }
        }
    }

    /// Adds what has to be looked through because of a value: in its own period, where it names one, else in the range of the
    /// field; once for each entry where it is a list or names segments, and once where it is not. `evaluated` are the objects of
    /// the field and the points in time for which columns evaluate each; what is told of all objects at once is due for each of
    /// the points, whoever evaluates it.
    fn scans_of(
        &self,
        value: &Value,
        given: &InputValue,
        (range, evaluated): (&Looked, (u64, u64)),
        into: &mut Vec<Scan>,
    ) {
        let is_priced = given.scan.is_some() || given.weight.is_some();
        let times = times(value, given);
        if !is_priced || times == 0 {
            return;
        }
        let period = match value {
            Value::Object(fields) => fields.get("period").cloned().and_then(Value::into_const),
            _ => None,
        };
        let period = period.filter(|period| *period != ConstValue::Null);
        let usual = given.scan.and_then(|scan| scan.usual);
        let nothing = || Arc::clone(&self.nothing);
        let (arguments, usual) = match (period, usual) {
            _ if given.scan.is_some_and(|scan| scan.is_whole) => (nothing(), None),
            (Some(period), _) => {
                let named = IndexMap::from_iter([(Name::new("range"), period)]);
                (Arc::new(named), None)
            }
            (None, Some(usual)) => (nothing(), Some(usual)),
            (None, None) => (Arc::clone(&range.arguments), range.usual),
        };
        let (objects, stretches) = evaluated;
        let (times, entries, points) = match given.scan {
            Some(scan) if scan.is_together => (times.saturating_mul(stretches), 1, 1),
            Some(scan) if scan.is_of_saved && scan.is_whole => (times, objects, stretches),
            _ => (times, 1, 1),
        };
        let scan = Scan {
            fixed: given.weight.unwrap_or_default().saturating_mul(times),
            once: given.scan.map_or(0, |scan| scan.once).saturating_mul(times),
            weight: given
                .scan
                .map_or(0, |scan| scan.weight)
                .saturating_mul(times),
            held: given
                .scan
                .and_then(|scan| Some(scan.held?.saturating_mul(times))),
            arguments,
            usual,
            is_of_saved: given.scan.is_some_and(|scan| scan.is_of_saved),
            is_limited: given
                .scan
                .is_some_and(|scan| is_limited(&scan, &range.arguments)),
            entries,
            points,
            number: 0,
        };
        if !into
            .iter_mut()
            .rev()
            .take(SIMILAR)
            .any(|known| known.takes(&scan))
        {
            into.push(scan);
        }
    }

    fn composite(
        &mut self,
        placed: &'a Positioned<out::Field>,
        (parent, info, ty): (&'a TypeInfo, &'a FieldInfo, &'a TypeInfo),
        (from, page): (&From<'a>, Option<Page<'a>>),
        part: &mut Part,
    ) {
        let field = &placed.node;
        let mut inner = From {
            rows: from.rows,
            objects: from.objects,
            page: None,
            depth: from.depth + 1,
            range: from.range.clone(),
        };
        let set = &field.selection_set.node;
        if let Some(page) = page {
            part.size = page.size;
            inner.rows = from.rows.saturating_mul(page.size);
            inner.objects = from.objects.saturating_mul(page.size);
        } else if self.is_connection(ty) {
            let (size, asked) = self.page(field, info);
            if let Some(argument) = asked.filter(|_| size > self.limits.page) {
                self.too_large(placed.pos, (parent, field, argument), size);
            }
            let fields = info.list.as_ref().map_or(&[][..], |list| &list.fields);
            inner.page = Some(Page { size, fields });
            if self.set(set, ty, &inner, &mut part.parts) {
                self.add(from.rows.saturating_mul(size));
            }
            return;
        } else if is_list(info) {
            if let Some(listed) = self.listed(field, info) {
                part.size = listed;
                inner.rows = from.rows.saturating_mul(listed);
                self.add(inner.rows);
            } else {
                let assumed = info.list.as_ref().and_then(|list| list.assumed);
                let known = stretches(&field.arguments, self.limits.trend_points).or(assumed);
                part.size = known.unwrap_or(SOME);
            }
            inner.objects = from.objects.saturating_mul(part.size);
        }
        self.set(set, ty, &inner, &mut part.parts);
    }

    fn too_large(
        &mut self,
        pos: Pos,
        (parent, field, argument): (&TypeInfo, &out::Field, &str),
        size: u64,
    ) {
        let maximum = self.limits.page;
        let coordinate = format!("{}.{}({argument}:)", parent.name, field.name.node);
        let message = format!(
            "{coordinate} is {size}, the most for one page is {maximum}: ask for {maximum} or fewer and follow the cursors."
        );
        let figures = (maximum, size);
        let error = RequestError::beyond(pos, message, "pageRows", figures, Some(coordinate));
        self.large.get_or_insert(error);
    }

    fn add(&mut self, nodes: u64) {
        self.cost.nodes = self.cost.nodes.saturating_add(nodes);
    }

    /// How long a plain list is that an argument slices, or that is asked for by a list.
    fn listed(&self, field: &out::Field, info: &'a FieldInfo) -> Option<u64> {
        let list = info.list.as_ref();
        if list.is_some_and(|list| !list.arguments.is_empty()) {
            return Some(self.page(field, info).0);
        }
        longest_list(&field.arguments)
    }

    /// Whether a type is a connection: its `nodes` or `edges` is a list. A number of nodes is none.
    fn is_connection(&self, ty: &TypeInfo) -> bool {
        ["nodes", "edges"]
            .into_iter()
            .any(|name| self.schema.field(ty, name).is_some_and(is_list))
    }

    /// The size of the page that a connection's field asks for, with the argument that says so; else the default of one of these
    /// arguments, what the schema assumes, or the general default.
    fn page(&self, field: &out::Field, info: &'a FieldInfo) -> (u64, Option<&'a str>) {
        let slicing: Vec<&str> = match &info.list {
            Some(list) => list.arguments.iter().map(String::as_str).collect(),
            None => vec!["first", "last"],
        };
        let given: HashMap<&str, &Value> = field
            .arguments
            .iter()
            .map(|(name, value)| (name.node.as_str(), &value.node))
            .collect();
        let asked = slicing.iter().filter_map(|name| match given.get(name) {
            Some(Value::Number(number)) => Some((number.as_u64().unwrap_or(0), Some(*name))),
            _ => None,
        });
        let default = || {
            slicing.iter().find_map(|name| {
                let argument = info.arguments.iter().find(|a| a.name == **name)?;
                match argument.default.as_ref()? {
                    ConstValue::Number(number) => number.as_u64(),
                    _ => None,
                }
            })
        };
        asked.max().unwrap_or_else(|| {
            let assumed = info.list.as_ref().and_then(|list| list.assumed);
            let size = default().or(assumed).unwrap_or(self.limits.default_page);
            (size, None)
        })
    }
}

fn is_list(info: &FieldInfo) -> bool {
    matches!(info.ty.base, out::BaseType::List(_))
}

/// Arguments of a written operation, which hold no variables.
fn constants(arguments: &Arguments) -> IndexMap<Name, ConstValue> {
    let arguments = arguments.iter();
    arguments
        .filter_map(|(name, value)| Some((name.node.clone(), value.node.clone().into_const()?)))
        .collect()
}

/// The length of the longest list among a field's arguments.
fn longest_list(arguments: &Arguments) -> Option<u64> {
    let lists = arguments.iter().filter_map(|(_, value)| match &value.node {
        Value::List(items) => u64::try_from(items.len()).ok(),
        _ => None,
    });
    lists.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_to_the_thousandth() {
        for (text, value) in [
            ("1", Some(1_000)),
            ("0.25", Some(250)),
            ("12.5", Some(12_500)),
            ("0.001", Some(1)),
            ("0", Some(0)),
            ("", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("0.0001", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(thousandths(text), value, "{text:?}");
        }
    }
}
