//! Questions made from the schema itself: every root field with everything below it, and every argument with values of
//! its type. A field that is added is asked for without anybody having to remember it.

use super::api::Api;
use super::dice::Dice;
use actiongraph::graphql::Hides;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// The schema, as introspection tells it, and what to put where it asks for an id or a text.
pub(crate) struct Asking {
    types: HashMap<String, Value>,
    root: String,
    mutations: String,
    /// Ids for arguments of the type ID.
    pub ids: Vec<String>,
    /// Texts for arguments of the type String.
    pub texts: Vec<String>,
    /// What is not asked for, because the caller would be refused.
    pub hides: Hides,
}

/// Fields that say how an answer was made and not what it is.
const ABOUT: &[&str] = &["dataVersion", "asOf", "rowsRead", "explain", "sources"];
/// Metrics of what upstream counts by one SubID at a time or by none: they are asked for by themselves.
const OF_CLICKS: &[&str] = &["clicks", "cr", "ecpc", "epc", "views", "ctr", "ecpm"];
/// Root fields that lead to one thing at a time, or to things that a list has as well: other ways go first.
const NARROW: &[&str] = &["node", "nodes", "action", "segment", "freshness"];
/// How many values an argument below the root is asked with.
const VALUES_BELOW: usize = 5;

impl Asking {
    /// Reads the schema.
    pub(crate) async fn of(api: &Api) -> Self {
        const TYPE: &str =
            "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
        let query = format!(
            "{{ __schema {{ queryType {{ name }} mutationType {{ name }} types {{ kind name isOneOf fields {{ name type {{ {TYPE} }} \
             args {{ name defaultValue type {{ {TYPE} }} }} }} inputFields {{ name defaultValue type {{ {TYPE} }} }} \
             enumValues {{ name }} possibleTypes {{ name }} }} }} }}"
        );
        let mut data = api.data(&query, &json!({})).await;
        let mut schema = data["__schema"].take();
        let types = schema["types"].as_array_mut().unwrap();
        let types = types
            .drain(..)
            .map(|ty| (ty["name"].as_str().unwrap().to_owned(), ty));
        Self {
            types: types.collect(),
            root: schema["queryType"]["name"].as_str().unwrap().to_owned(),
            mutations: schema["mutationType"]["name"].as_str().unwrap().to_owned(),
            ids: Vec::new(),
            texts: Vec::new(),
            hides: Hides::default(),
        }
    }

    fn fields<'a>(&'a self, ty: &str) -> Vec<&'a Value> {
        let fields = self.types[ty]["fields"].as_array();
        fields
            .map(|fields| fields.iter().collect())
            .unwrap_or_default()
    }

    /// All root fields.
    pub(crate) fn root_fields(&self) -> Vec<String> {
        let names = self.fields(&self.root).into_iter();
        names.map(|field| name(field).to_owned()).collect()
    }

    fn root_field(&self, field: &str) -> &Value {
        let mut all = self.fields(&self.root).into_iter();
        all.find(|found| name(found) == field).unwrap()
    }

    /// Everything below a root field, three levels deep, in as many questions as there are branches.
    pub(crate) fn branches(&self, field: &str) -> Vec<String> {
        let root = self.root_field(field);
        let call = self.call(root, &[]);
        let ty = base(&root["type"]);
        if self.is_leaf(ty) {
            return vec![format!("{{ {call} }}")];
        }
        let mut asked = Vec::new();
        for leaf in self.leaves(ty, &[]) {
            asked.push(format!("{{ {call} {{ {leaf} }} }}"));
        }
        for one in self.composites(ty) {
            let (below, of) = (self.call(one, &[]), base(&one["type"]));
            for leaf in self.leaves(of, &[]) {
                asked.push(format!("{{ {call} {{ {below} {{ {leaf} }} }} }}"));
            }
            for two in self.composites(of) {
                let (deeper, of) = (self.call(two, &[]), base(&two["type"]));
                let more: Vec<String> = self
                    .composites(of)
                    .into_iter()
                    .filter_map(|three| {
                        let leaf = self.leaves(base(&three["type"]), &[]).into_iter().next()?;
                        Some(format!("{} {{ {leaf} }}", self.call(three, &[])))
                    })
                    .collect();
                for leaf in self.leaves(of, &[]) {
                    asked.push(format!(
                        "{{ {call} {{ {below} {{ {deeper} {{ {leaf} {} }} }} }} }}",
                        more.join(" ")
                    ));
                }
            }
        }
        asked
    }

    /// A root field with each of its arguments in turn, each with several values.
    pub(crate) fn arguments(&self, field: &str) -> Vec<String> {
        let root = self.root_field(field);
        let ty = base(&root["type"]);
        let below = if self.is_leaf(ty) {
            String::new()
        } else {
            format!("{{ {} }}", self.shallow(ty))
        };
        let mut asked = Vec::new();
        for argument in root["args"].as_array().unwrap() {
            for value in self.values(&argument["type"], 0) {
                let call = self.call(root, &[(name(argument), value)]);
                asked.push(format!("{{ {call} {below} }}"));
            }
        }
        asked
    }

    /// The shortest way to every type of object: the fields from the root on.
    fn ways(&self) -> Vec<(&str, Vec<&Value>)> {
        let (narrow, wide): (Vec<&Value>, Vec<&Value>) = self
            .composites(&self.root)
            .into_iter()
            .partition(|field| NARROW.contains(&name(field)));
        let (mut found, mut known) = (Vec::new(), BTreeSet::new());
        for roots in [wide, narrow] {
            let mut next: VecDeque<Vec<&Value>> = roots.into_iter().map(|one| vec![one]).collect();
            while let Some(way) = next.pop_front() {
                let ty = way
                    .last()
                    .map_or(self.root.as_str(), |field| base(&field["type"]));
                let is_object = self.types[ty]["kind"] == "OBJECT";
                if !is_object || !known.insert(ty) {
                    continue;
                }
                for field in self.composites(ty) {
                    let further = way.iter().copied().chain([field]);
                    next.push_back(further.collect());
                }
                found.push((ty, way));
            }
        }
        found
    }

    /// The types of object that a question can reach.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        let ways = self.ways().into_iter();
        ways.map(|(ty, _)| ty.to_owned()).collect()
    }

    /// The leaves of every type of object that can be reached, by the shortest way to it and by every field that leads to
    /// it from there.
    pub(crate) fn every_field(&self) -> Vec<String> {
        let mut asked = Vec::new();
        for (ty, way) in self.ways() {
            asked.push(self.along(&way, &self.own_leaves(ty, &[])));
            for field in self.composites(ty) {
                let leaves = self.leaves(base(&field["type"]), &[]);
                let calls = leaves
                    .iter()
                    .map(|leaf| format!("{} {{ {leaf} }}", self.call(field, &[])));
                asked.extend(calls.map(|call| self.along(&way, &call)));
            }
        }
        asked
    }

    /// Every field below the root that takes arguments, by the shortest way to it, with each of its arguments in turn,
    /// each with some values.
    pub(crate) fn below(&self) -> Vec<String> {
        let mut asked = Vec::new();
        for (ty, way) in self.ways() {
            for field in self.fields(ty) {
                let of = base(&field["type"]);
                let below = if self.is_leaf(of) {
                    String::new()
                } else {
                    format!("{{ {} }}", self.shallow(of))
                };
                for argument in field["args"].as_array().unwrap() {
                    let values = self.values(&argument["type"], 0);
                    // Of a long list others are taken at each place.
                    let step = values.len().div_ceil(VALUES_BELOW).max(1);
                    let values = values.into_iter().skip(asked.len() % step).step_by(step);
                    for value in values {
                        let call = self.call(field, &[(name(argument), value)]);
                        asked.push(self.along(&way, &format!("{call} {below}")));
                    }
                }
            }
        }
        asked
    }

    /// A question for something at the end of a way.
    fn along(&self, way: &[&Value], asked: &str) -> String {
        let inwards = way.iter().rev();
        let whole = inwards.fold(asked.to_owned(), |below, field| {
            format!("{} {{ {below} }}", self.call(field, &[]))
        });
        format!("{{ {whole} }}")
    }

    /// Every mutation that takes an id, with `hole` in each place that one can stand in, and of the arguments that are
    /// needed beside it what `given` says.
    pub(crate) fn mutations(
        &self,
        hole: &str,
        given: &dyn Fn(&str, &str) -> String,
    ) -> Vec<String> {
        let mut asked = Vec::new();
        for field in self.fields(&self.mutations) {
            let payload = base(&field["type"]);
            let below = self.composites(payload).into_iter().filter_map(|one| {
                let told = ["userErrors", "warnings"].contains(&name(one));
                told.then(|| format!("{} {{ field code message }}", name(one)))
            });
            let below: Vec<String> = below.collect();
            let arguments = field["args"].as_array().unwrap();
            for argument in arguments {
                let fits = self.values(&argument["type"], 0).into_iter();
                let mut fits: Vec<String> = fits.filter(|value| value.contains(hole)).collect();
                if name(argument) == "key" {
                    fits = vec![json!(hole).to_string()];
                }
                for value in fits {
                    let others = arguments.iter().filter(|other| {
                        name(other) != name(argument)
                            && other["type"]["kind"] == "NON_NULL"
                            && other["defaultValue"].is_null()
                    });
                    let mut call: Vec<String> = others
                        .map(|other| {
                            format!("{0}: {1}", name(other), given(name(field), name(other)))
                        })
                        .collect();
                    call.push(format!("{}: {value}", name(argument)));
                    asked.push(format!(
                        "mutation {{ {}({}) {{ __typename {} }} }}",
                        name(field),
                        call.join(", "),
                        below.join(" ")
                    ));
                }
            }
        }
        asked
    }

    /// A question at random for what `call`, a root field that answers objects of `ty`, is asked: any fields under any
    /// names, some of them twice, in fragments of both kinds, with and without conditions.
    pub(crate) fn drawn(&self, dice: &mut Dice, call: &str, ty: &str, depth: usize) -> String {
        let mut drawing = Drawing {
            asking: self,
            dice,
            fragments: Vec::new(),
            names: 0,
        };
        let set = drawing.set(ty, depth);
        format!(
            "query($yes: Boolean! = true, $no: Boolean!) {{ {call} {{ {set} }} __typename @include(if: $yes) @skip(if: $no) }} {}",
            drawing.fragments.join(" ")
        )
    }

    /// Leaves, and the leaves of everything one and two levels down, without clicks.
    fn shallow(&self, ty: &str) -> String {
        let mut text = self.leaves(ty, OF_CLICKS).swap_remove(0);
        for one in self.composites(ty) {
            if !matches!(name(one), "nodes" | "totals" | "pageInfo") {
                continue;
            }
            let of = base(&one["type"]);
            text += &format!(
                " {} {{ {}",
                self.call(one, &[]),
                self.leaves(of, OF_CLICKS).swap_remove(0)
            );
            for two in self.composites(of) {
                let leaf = self.leaves(base(&two["type"]), OF_CLICKS).swap_remove(0);
                text += &format!(" {} {{ {leaf} }}", self.call(two, &[]));
            }
            text += " }";
        }
        text
    }

    fn is_leaf(&self, ty: &str) -> bool {
        matches!(self.types[ty]["kind"].as_str(), Some("SCALAR" | "ENUM"))
    }

    /// The fields of a type that have fields of their own.
    fn composites<'a>(&'a self, ty: &str) -> Vec<&'a Value> {
        let fields = self.fields(ty).into_iter();
        fields
            .filter(|field| {
                !self.is_leaf(base(&field["type"])) && !self.hides.hides(ty, name(field))
            })
            .collect()
    }

    /// The fields of a type that have none; of a type that stands for several, those of each.
    fn leaves(&self, ty: &str, without: &[&str]) -> Vec<String> {
        if let Some(possible) = self.types[ty]["possibleTypes"].as_array() {
            return possible
                .iter()
                .map(|one| {
                    format!(
                        "... on {} {{ {} }}",
                        name(one),
                        self.own_leaves(name(one), without)
                    )
                })
                .collect();
        }
        vec![self.own_leaves(ty, without)]
    }

    fn own_leaves(&self, ty: &str, without: &[&str]) -> String {
        let told = |field: &str| {
            let is_source = ty.ends_with("Info") && field == "source";
            let is_of_views = matches!(field, "views" | "ctr" | "ecpm");
            let is_left = is_source || is_of_views || self.hides.hides(ty, field);
            !(is_left || ABOUT.contains(&field) || without.contains(&field))
        };
        let leaves: Vec<String> = self
            .fields(ty)
            .into_iter()
            .filter(|field| self.is_leaf(base(&field["type"])) && told(name(field)))
            .map(|field| self.call(field, &[]))
            .collect();
        format!("__typename {}", leaves.join(" "))
    }

    /// A field with what it needs, small pages, and other arguments.
    fn call(&self, field: &Value, others: &[(&str, String)]) -> String {
        let mut given = Vec::new();
        for argument in field["args"].as_array().unwrap() {
            let name = name(argument);
            if let Some((_, value)) = others.iter().find(|(other, _)| *other == name) {
                given.push(format!("{name}: {value}"));
                continue;
            }
            let pages = others
                .iter()
                .any(|(other, _)| matches!(*other, "first" | "last"));
            let needed =
                argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null();
            if needed {
                let value = self.values(&argument["type"], 0).swap_remove(0);
                given.push(format!("{name}: {value}"));
            } else if name == "first" && !pages {
                given.push("first: 4".to_owned());
            }
        }
        if given.is_empty() {
            name(field).to_owned()
        } else {
            format!("{}({})", name(field), given.join(", "))
        }
    }

    /// Values of an input type, the first of which is the plainest.
    fn values(&self, ty: &Value, depth: usize) -> Vec<String> {
        match ty["kind"].as_str().unwrap() {
            "NON_NULL" => return self.values(&ty["ofType"], depth),
            "LIST" => {
                let of = self.values(&ty["ofType"], depth);
                return of.into_iter().map(|one| format!("[{one}]")).collect();
            }
            _ => {}
        }
        let name = ty["name"].as_str().unwrap();
        let found = &self.types[name];
        match found["kind"].as_str().unwrap() {
            "ENUM" => named(&found["enumValues"]),
            "SCALAR" => self.scalars(name),
            _ if name == "RangeInput" => [
                r#"{days: {from: "2026-03-05", to: "2026-06-20"}}"#,
                r#"{between: {from: "2026-03-05T05:10:00Z", to: "2026-05-20T21:30:00Z"}}"#,
                "{last: {count: 60, unit: DAY}}",
                "{preset: LAST_MONTH}",
            ]
            .map(str::to_owned)
            .to_vec(),
            _ => self.objects(found, depth),
        }
    }

    fn objects(&self, ty: &Value, depth: usize) -> Vec<String> {
        // The deeper, the fewer: filters hold filters.
        let most = [usize::MAX, 14, 2].get(depth).copied().unwrap_or(0);
        if most == 0 {
            return Vec::new();
        }
        let fields = ty["inputFields"].as_array().unwrap();
        let is_one_of = ty["isOneOf"] == true;
        let needed: Vec<&Value> = fields
            .iter()
            .filter(|field| {
                !is_one_of && field["type"]["kind"] == "NON_NULL" && field["defaultValue"].is_null()
            })
            .collect();
        let mut objects = Vec::new();
        for field in fields {
            if objects.len() >= most {
                break;
            }
            for value in self.values(&field["type"], depth + 1) {
                let others = needed.iter().filter(|other| name(other) != name(field));
                let mut given: Vec<String> = others
                    .map(|other| {
                        let plain = self.values(&other["type"], depth + 1).into_iter().next();
                        format!(
                            "{}: {}",
                            name(other),
                            plain.unwrap_or_else(|| "null".to_owned())
                        )
                    })
                    .collect();
                given.push(format!("{}: {value}", name(field)));
                objects.push(format!("{{{}}}", given.join(", ")));
            }
        }
        objects.truncate(most);
        objects
    }

    fn scalars(&self, name: &str) -> Vec<String> {
        let quoted = |list: &[String]| list.iter().map(|text| json!(text).to_string()).collect();
        let values: &[&str] = match name {
            "Boolean" => &["true", "false"],
            "Int" => &["3", "1"],
            "Float" => &["1.5"],
            "ID" => return quoted(&self.ids),
            "String" => return quoted(&self.texts),
            "BigInt" => &["\"3\""],
            "Decimal" => &["\"2.5\""],
            "Date" => &["\"2026-05-01\""],
            "DateTime" => &["\"2026-05-01T00:00:00Z\""],
            "TimeZone" => &["\"Asia/Kolkata\""],
            "CountryCode" => &["\"RU\""],
            "CurrencyCode" => &["\"USD\"", "\"RUB\""],
            "URL" => &["\"https://example.org/1\""],
            other => panic!("say here what a value of the scalar {other} looks like"),
        };
        values.iter().map(|value| (*value).to_owned()).collect()
    }
}

/// A question that is being drawn.
struct Drawing<'a> {
    asking: &'a Asking,
    dice: &'a mut Dice,
    fragments: Vec<String>,
    names: usize,
}

impl Drawing<'_> {
    /// A name that was not given yet.
    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    fn set(&mut self, ty: &str, depth: usize) -> String {
        let items = (0..1 + self.dice.below(5)).map(|_| self.item(ty, depth));
        items.collect::<Vec<_>>().join(" ")
    }

    fn item(&mut self, ty: &str, depth: usize) -> String {
        const CONDITIONS: [&str; 7] = [
            "@include(if: true)",
            "@skip(if: false)",
            "@skip(if: true)",
            "@include(if: $yes)",
            "@include(if: $no)",
            "@skip(if: $no)",
            "@include(if: $yes) @skip(if: $no)",
        ];
        let condition = self.dice.maybe(20, &CONDITIONS).unwrap_or_default();
        match self.dice.below(if depth > 0 { 12 } else { 9 }) {
            0 => format!("__typename {condition}"),
            1 => format!("{}: __typename {condition}", self.name("t")),
            9 => format!("... {condition} {{ {} }}", self.set(ty, depth - 1)),
            10 => format!("... on {ty} {condition} {{ {} }}", self.set(ty, depth - 1)),
            11 => {
                let (name, set) = (self.name("F"), self.set(ty, depth - 1));
                self.fragments
                    .push(format!("fragment {name} on {ty} {{ {set} }}"));
                let further = self.dice.maybe(30, &[format!(" ...{name}")]);
                format!("...{name} {condition}{}", further.unwrap_or_default())
            }
            _ => self.field(ty, depth, condition),
        }
    }

    fn field(&mut self, ty: &str, depth: usize, condition: &str) -> String {
        let asking = self.asking;
        let fits = |field: &&Value| {
            let name = name(field);
            let is_leaf = asking.is_leaf(base(&field["type"]));
            (is_leaf || depth > 0) && name != "explain" && !OF_CLICKS.contains(&name)
        };
        let fields: Vec<&Value> = asking.fields(ty).into_iter().filter(fits).collect();
        if fields.is_empty() {
            return "__typename".to_owned();
        }
        let field = *self.dice.pick(&fields);
        let arguments = field["args"].as_array().unwrap();
        let mut given = Vec::new();
        for argument in arguments {
            let is_needed =
                argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null();
            if is_needed || (name(argument) != "last" && self.dice.percent(40)) {
                let values = asking.values(&argument["type"], 0);
                given.push((name(argument), self.dice.pick(&values).clone()));
            }
        }
        let call = asking.call(field, &given);
        // What has arguments, or has them elsewhere, is another field each time.
        let alias = if arguments.is_empty() && self.dice.percent(70) {
            String::new()
        } else {
            format!("{}: ", self.name("a"))
        };
        let of = base(&field["type"]);
        if asking.is_leaf(of) {
            return format!("{alias}{call} {condition}");
        }
        format!(
            "{alias}{call} {condition} {{ {} }}",
            self.set(of, depth - 1)
        )
    }
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

fn named(values: &Value) -> Vec<String> {
    let values = values.as_array().unwrap();
    values.iter().map(|value| name(value).to_owned()).collect()
}

/// The name of the type inside lists and marks.
fn base(ty: &Value) -> &str {
    let mut ty = ty;
    while !ty["ofType"].is_null() {
        ty = &ty["ofType"];
    }
    name(ty)
}
