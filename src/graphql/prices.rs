//! What fields cost: the one table of weights, printed into the schema as directives of the specification of GraphQL costs
//! (`@cost`, `@listSize`) and one of our own (`@scanCost`). The document stage reads them from there.
//!
//! A new field needs nothing here: an object costs one point, a connection has the pages of entities, a plain list counts
//! as ten. Whoever adds a list with other pages, or a field that reads many facts, adds a line; `tests/it/costs.rs` says
//! where one is missing. A point is about twenty microseconds of one core; `bench/cost` measures how far that holds.

use super::connection::{ENTITIES, REPORT_GROUPS, SEGMENTS};

/// Connections that are taken to have other pages than entities where nothing is asked for. There are about ten segments
/// of products, whatever their page would hold.
const PAGES: &[(&str, u32)] = &[
    ("ReportConnection", REPORT_GROUPS.default),
    ("ProductSegmentResultConnection", 20),
    ("UserSegmentResultConnection", SEGMENTS.default),
    ("UserMovementStepConnection", SEGMENTS.default),
];

/// What an object of a type costs, where that is not one point.
const TYPES: &[(&str, &str)] = &[
    ("Action", "2"),
    ("AggregateInfo", "0.5"),
    ("Money", "0.1"),
    ("PageInfo", "0"),
];

/// What a field costs for each of its objects, whatever its type says.
const FIELDS: &[(&str, &str)] = &[
    ("AwaitedProductConnection.listVersion", "20"),
    ("CategorySales.products", "200"),
    ("Product.sales", "4"),
    ("ProductSegmentResult.trend", "100"),
    ("Query.actions", "45"),
    ("Query.earnings", "200"),
    ("Query.freshness", "4"),
    ("Query.previewSegment", "500"),
    ("Query.productSegments", "600"),
    ("Query.products", "450"),
    ("Query.report", "200"),
    ("Query.topSellingCategories", "600"),
    ("Query.topSellingProducts", "400"),
    ("Query.trafficTargets", "700"),
    ("Query.userCohorts", "1500"),
    ("Query.userSegmentMovement", "1000"),
    ("Query.userSegments", "500"),
    ("Query.users", "1000"),
    ("Segment.members", "300"),
    ("Segment.metrics", "300"),
    ("Segment.size", "300"),
    ("Segment.topProducts", "300"),
    ("Segment.trend", "305"),
    ("SegmentSizeAt.metrics", "30"),
    ("UserSegmentResult.topProducts", "100"),
    ("UserSegmentResult.trend", "100"),
    ("UserSegmentResult.users", "100"),
];

/// What each thousand actions in a field's range costs, and the argument without which nothing is looked through. What is
/// evaluated for a page at once (`User.rfm`) is looked through once; a segment of the publisher's has the weight of one
/// condition of its rule, about a fifth of all built-in ones, over all actions, since nobody can narrow it.
const SCANS: &[(&str, (&str, Option<&str>))] = &[
    ("ActionConnection.totalCount", ("40", Some("filter"))),
    ("ActionConnection.totals", ("70", Some("filter"))),
    ("AggregateInfo.actions", ("15", Some("filter"))),
    ("AggregateInfo.cartCoverage", ("15", Some("filter"))),
    ("AggregateInfo.unprocessedShare", ("15", Some("filter"))),
    ("Category.sales", ("10", None)),
    ("CategorySales.products", ("550", None)),
    ("Product.sales", ("10", None)),
    ("ProductSegmentResult.products", ("200", None)),
    ("ProductSales.change", ("60", None)),
    ("ProductSales.share", ("20", None)),
    ("ProductSalesConnection.others", ("20", None)),
    ("ProductSalesConnection.totalCount", ("120", None)),
    ("ProductSalesConnection.totals", ("70", Some("filter"))),
    ("ProductSalesConnection.unattributed", ("20", None)),
    ("Query.previewSegment", ("150", None)),
    ("Query.productSegments", ("200", None)),
    ("Query.report", ("150", None)),
    ("Query.topSellingCategories", ("1", None)),
    ("Query.topSellingProducts", ("240", None)),
    ("Query.trafficTargets", ("240", None)),
    ("Query.userCohorts", ("760", None)),
    ("Query.userSegmentMovement", ("760", None)),
    ("Query.userSegments", ("760", None)),
    ("ReportValues.conversionLag", ("150", None)),
    ("ReportValues.validationLag", ("150", None)),
    ("Segment.members", ("150", None)),
    ("Segment.metrics", ("160", None)),
    ("Segment.size", ("150", None)),
    ("Segment.topProducts", ("380", None)),
    ("Segment.trend", ("1500", None)),
    ("SegmentSizeAt.metrics", ("1600", None)),
    ("User.rfm", ("760", None)),
    ("User.sales", ("10", None)),
    ("UserSegmentResult.topProducts", ("380", None)),
    ("UserSegmentResult.users", ("380", None)),
];

/// Inputs that are paid for without being given as well, where any of these fields is selected below: the period that a report
/// is compared with is read once, whatever asks for it.
const OR_SELECTED: &[(&str, &[&str])] = &[(
    "Query.report(includeVanished:)",
    &["change", "compared", "comparedTotals", "totalsChange"],
)];

/// Whose period stands in for a range that a field or an input of a built-in segment does not name: that of the publisher's
/// settings.
const USUAL: &[(&str, &str)] = &[
    ("BuiltInSegmentInput.products", "PRODUCTS"),
    ("BuiltInSegmentInput.users", "USERS"),
    ("ProductFilter.builtInSegment", "PRODUCTS"),
    ("ProductSegmentRule.builtInSegment", "PRODUCTS"),
    ("Query.productSegments", "PRODUCTS"),
    ("Query.userSegmentMovement", "USERS_TWICE"),
    ("Query.userSegments", "USERS"),
    ("User.rfm", "USERS"),
    ("UserFilter.builtInSegment", "USERS"),
    ("UserSegmentRule.builtInSegment", "USERS"),
];

/// Arguments and fields of inputs for which actions are looked through, each time that they are given to a question: what that
/// costs once, and for each thousand actions in the `period` that stands in them, else in the range of the question. Those that
/// name segments cost that for each of them. The members of built-in segments are looked up as the roots `userSegments` and
/// `productSegments` do, by a trend at each of its points; a filter or another axis takes top categories from totals to facts; a
/// choice of products looks at the list of them, or at each that was sold; no index helps to look into a comment.
const INPUTS: &[(&str, (&str, &str))] = &[
    ("ActionFilter.comment", ("0", "100")),
    ("BuiltInSegmentInput.products", ("600", "200")),
    ("BuiltInSegmentInput.users", ("500", "760")),
    ("ProductFilter.builtInSegment", ("600", "200")),
    ("ProductFilter.segment", ("100", "150")),
    ("ProductSegmentResult.trend(bucket:)", ("0", "0")),
    ("ProductSegmentResult.trend(range:)", ("600", "200")),
    ("ProductSegmentRule.builtInSegment", ("600", "200")),
    ("ProductSegmentRule.metric", ("50", "100")),
    ("ProductSegmentRule.rank", ("50", "100")),
    ("ProductSegmentRule.segment", ("100", "150")),
    ("Query.report(includeVanished:)", ("0", "150")),
    ("Query.report(segments:)", ("100", "150")),
    ("Segment.metrics(range:)", ("0", "150")),
    ("Segment.topProducts(range:)", ("0", "150")),
    ("Segment.trend(range:)", ("0", "150")),
    ("Query.segmentOverlap(ids:)", ("100", "150")),
    ("Query.topSellingCategories(dateAxis:)", ("100", "240")),
    ("Query.topSellingCategories(filter:)", ("100", "240")),
    ("Query.topSellingProducts(products:)", ("450", "100")),
    ("Query.trafficTargets(products:)", ("450", "100")),
    ("UserFilter.builtInSegment", ("500", "760")),
    ("UserFilter.segment", ("100", "150")),
    ("UserSegmentResult.trend(bucket:)", ("0", "0")),
    ("UserSegmentResult.trend(range:)", ("500", "760")),
    ("UserSegmentRule.builtInSegment", ("500", "760")),
    ("UserSegmentRule.metric", ("50", "100")),
    ("UserSegmentRule.rank", ("50", "100")),
    ("UserSegmentRule.segment", ("100", "150")),
];

/// What the database takes beside the thousands that it looks through, and what each thousand costs instead where columns in
/// memory hold the actions: of fields and inputs whose questions they answer, whatever else the answer asks of the database. A
/// condition that only the database can test has its own price above. A pass over a thousand actions takes about a point. What
/// is told of saved segments takes one for each segment of a page, and each point of a trend; a point of built-in segments
/// divides all users or products anew, once for all that were listed together, whose members are then told apart.
const HELD: &[(&str, (&str, &str))] = &[
    ("BuiltInSegmentInput.products", ("6000", "3")),
    ("BuiltInSegmentInput.users", ("1000", "8")),
    ("ProductFilter.builtInSegment", ("6000", "3")),
    ("ProductFilter.segment", ("0", "5")),
    ("ProductSegmentResult.products", ("0", "1")),
    ("ProductSegmentResult.trend(bucket:)", ("0", "0.2")),
    ("ProductSegmentResult.trend(range:)", ("0", "6")),
    ("ProductSegmentRule.builtInSegment", ("6000", "3")),
    ("ProductSegmentRule.metric", ("0", "2")),
    ("ProductSegmentRule.rank", ("0", "2")),
    ("ProductSegmentRule.segment", ("0", "5")),
    ("Query.previewSegment", ("0", "3")),
    ("Query.productSegments", ("6000", "3")),
    ("Query.report", ("0", "14")),
    ("Query.report(includeVanished:)", ("0", "14")),
    ("Query.segmentOverlap(ids:)", ("0", "5")),
    ("Query.topSellingProducts", ("300", "2")),
    ("Query.topSellingProducts(products:)", ("0", "0")),
    ("Query.userCohorts", ("0", "4")),
    ("Query.userSegmentMovement", ("2000", "8")),
    ("Query.userSegments", ("1000", "8")),
    ("Segment.members", ("0", "1")),
    ("Segment.metrics", ("0", "0.5")),
    ("Segment.metrics(range:)", ("0", "1")),
    ("Segment.size", ("0", "1")),
    ("Segment.topProducts", ("0", "2")),
    ("Segment.topProducts(range:)", ("0", "1")),
    ("Segment.trend", ("0", "0")),
    ("Segment.trend(range:)", ("0", "1")),
    ("SegmentSizeAt.metrics", ("0", "0.5")),
    ("User.rfm", ("1000", "15")),
    ("UserFilter.builtInSegment", ("1000", "8")),
    ("UserFilter.segment", ("0", "5")),
    ("UserSegmentResult.topProducts", ("0", "12")),
    ("UserSegmentResult.trend(bucket:)", ("0", "0.5")),
    ("UserSegmentResult.trend(range:)", ("0", "9")),
    ("UserSegmentResult.users", ("0", "12")),
    ("UserSegmentRule.builtInSegment", ("1000", "8")),
    ("UserSegmentRule.metric", ("0", "2")),
    ("UserSegmentRule.rank", ("0", "2")),
    ("UserSegmentRule.segment", ("0", "5")),
];

/// Where saved segments are looked up, or built-in ones evaluated as these are.
const SAVED: &[&str] = &[
    "ProductFilter.segment",
    "ProductSegmentResult.trend(bucket:)",
    "ProductSegmentResult.trend(range:)",
    "ProductSegmentRule.segment",
    "Query.segmentOverlap(ids:)",
    "Segment.members",
    "Segment.metrics",
    "Segment.metrics(range:)",
    "Segment.size",
    "Segment.topProducts",
    "Segment.topProducts(range:)",
    "Segment.trend",
    "Segment.trend(range:)",
    "SegmentSizeAt.metrics",
    "UserFilter.segment",
    "UserSegmentResult.trend(bucket:)",
    "UserSegmentResult.trend(range:)",
    "UserSegmentRule.segment",
];

/// Of what columns in memory answer the first page alone: from the start, without a cursor.
const FIRST_PAGE: &[&str] = &["Query.topSellingProducts"];

/// Inputs for which all actions are looked through, whatever stands in them: a segment is evaluated over the periods of its own
/// rule, whenever its members did something.
const WHOLE: &[&str] = &[
    "ProductSegmentResult.trend(bucket:)",
    "ProductSegmentResult.trend(range:)",
    "Segment.metrics(range:)",
    "Segment.topProducts(range:)",
    "Segment.trend(range:)",
    "UserSegmentResult.trend(bucket:)",
    "UserSegmentResult.trend(range:)",
];

/// What looks through no more actions than `limits.reportActions` where the database answers, each period by itself: more are
/// counted beforehand and refused (`analytics::report::fact_limit`), unless totals have them. Not here are top products and what
/// they are compared with, nor products worth sending traffic to: the total that has them has nearly as many rows as there are
/// actions, and nobody counts these. Nor is what reads all actions that a filter names, however many (totals and info of a list).
const LIMITED: &[&str] = &[
    "CategorySales.products",
    "Query.report",
    "Query.report(includeVanished:)",
    "Query.topSellingCategories",
    "Query.topSellingCategories(dateAxis:)",
    "Query.topSellingCategories(filter:)",
    "ReportValues.conversionLag",
    "ReportValues.validationLag",
];

/// Inputs for which all entries of a list are told at once: what that costs comes for each point of a trend, whatever the page.
const TOGETHER: &[&str] = &[
    "ProductSegmentResult.trend(range:)",
    "UserSegmentResult.trend(range:)",
];

/// Entries that plain lists are taken to have, by the field or by what they list.
const SIZES: &[(&str, u32)] = &[
    ("AggregateWarning", 2),
    ("CurrencyRatio", 2),
    ("Money", 2),
    ("SegmentProduct.reasons", 1),
    ("SegmentUser.reasons", 1),
];

/// The definitions of the directives.
const DEFINITIONS: &str = r#""Cost of each object that a field answers, or of an input once, in points; an object costs 1 and a scalar 0 where nothing is said."
directive @cost(
  "The points, a decimal number."
  weight: String!
) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR

"How many entries a list has, for the cost of what is asked of them."
directive @listSize(
  "Entries where no argument says how many."
  assumedSize: Int
  "Arguments that say how many."
  slicingArguments: [String!]
  "Fields of a connection that are its list."
  sizedFields: [String!]
  "Whether exactly one of the arguments has to be given."
  requireOneSlicingArgument: Boolean = true
) on FIELD_DEFINITION

"Cost of looking through actions, in points for each thousand in the range of the field or of the nearest above it, or in the period of the input; for each entry of a list, and for each segment of a filter."
directive @scanCost(
  "The points, a decimal number."
  weight: String!
  "The argument of that field without which totals answer and nothing is looked through."
  ifGiven: String
  "Fields below the argument's own, any of which asks for the same where the argument does not."
  orSelected: [String!]
  "Points beside them, however few there are."
  once: String
  "The points for each thousand where columns in memory answer, with nothing beside them; as above where nothing is said."
  inMemory: String
  "Whether all actions are looked through, whatever the range."
  whole: Boolean
  "Whether saved segments are looked up: whether columns answer is a matter of their rules, and `inMemory` is for each of those that are asked for, in a trend for each of its points."
  saved: Boolean
  "Whether all entries of a list are told at once: what it costs comes for each point of a trend, whatever the page."
  together: Boolean
  "Whether columns answer the first page alone: with `after`, `last` or `before` a thousand actions cost `weight`."
  firstPage: Boolean
  "Whether the database looks through no more actions than `limits.reportActions`, or those of a day where these are more: a longer range costs no more than so many. Not where products are told apart (`groupBy: [PRODUCT]`): their totals have nearly as many rows as there are actions."
  limited: Boolean
  "Whose `periodDays` of `segmentSettings` stand in where no range and no period is given: PRODUCTS, USERS, or USERS_TWICE for two windows; all time where nothing is said."
  usual: String
) on ARGUMENT_DEFINITION | FIELD_DEFINITION | INPUT_FIELD_DEFINITION

"#;

fn of<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    let mut entries = table.iter();
    entries
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// Entries of a connection where nothing is asked for.
fn assumed(connection: &str) -> u32 {
    of(PAGES, connection).unwrap_or(ENTITIES.default)
}

/// The schema with what its fields cost.
pub(super) fn priced(sdl: &str) -> String {
    let mut text = String::with_capacity(sdl.len() * 5 / 4);
    text.push_str(DEFINITIONS);
    let mut reader = Reader::default();
    for line in sdl.lines() {
        text.push_str(&reader.line(line));
        text.push('\n');
    }
    text
}

/// Where in the printed schema a line stands.
#[derive(Default)]
struct Reader {
    /// The object, interface or input type that is open.
    owner: Option<String>,
    /// Whether it is an input.
    is_input: bool,
    /// The field the arguments of which are open, and their names.
    field: Option<(String, Vec<String>)>,
    /// Inside a description of several lines.
    quoted: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> String {
        let marks = line.matches("\"\"\"").count();
        let words = line.trim_start();
        if self.quoted || words.starts_with('"') {
            self.quoted = self.quoted != (marks % 2 == 1);
            return line.to_owned();
        }
        if let Some(head) = line.strip_suffix(" {") {
            let name = ["type ", "interface ", "input "]
                .iter()
                .find_map(|word| head.strip_prefix(word))
                .and_then(|rest| rest.split(' ').next());
            self.owner = name.map(str::to_owned);
            self.is_input = head.starts_with("input ");
            let weight = name
                .filter(|_| head.starts_with("type "))
                .and_then(type_weight);
            return match weight {
                Some(weight) => format!("{head} @cost(weight: \"{weight}\") {{"),
                None => line.to_owned(),
            };
        }
        let Some(owner) = self.owner.clone() else {
            return line.to_owned();
        };
        if line == "}" {
            self.owner = None;
            return line.to_owned();
        }
        if self.is_input {
            let name = words.split(':').next().unwrap_or_default();
            return format!("{line}{}", price_of_input(&format!("{owner}.{name}")));
        }
        if let Some((field, arguments)) = &mut self.field
            && !words.starts_with("): ")
        {
            let name = words.split_once(':').map_or(words, |(name, _)| name);
            arguments.push(name.to_owned());
            let price = price_of_input(&format!("{owner}.{field}({name}:)"));
            return match line.strip_suffix(',') {
                Some(line) => format!("{line}{price},"),
                None => format!("{line}{price}"),
            };
        }
        let (name, arguments, ty) = match self.field.take() {
            Some((name, arguments)) => (name, arguments, words.trim_start_matches("): ")),
            None => {
                if let Some(name) = words.strip_suffix('(') {
                    self.field = Some((name.to_owned(), Vec::new()));
                    return line.to_owned();
                }
                let (name, arguments, ty) = parts(words);
                let arguments = arguments.split(", ").filter_map(|one| one.split_once(':'));
                let arguments = arguments.map(|(name, _)| name.to_owned()).collect();
                (name.to_owned(), arguments, ty)
            }
        };
        format!("{line}{}", directives(&owner, &name, &arguments, ty))
    }
}

/// The name of a field on one line, its arguments and its type.
fn parts(words: &str) -> (&str, &str, &str) {
    match words.split_once(['(', ':']) {
        Some((name, rest)) if words[name.len()..].starts_with('(') => {
            let (arguments, ty) = rest.split_once("): ").unwrap_or((rest, ""));
            (name, arguments, ty)
        }
        Some((name, rest)) => (name, "", rest.trim_start()),
        None => (words, "", ""),
    }
}

/// The directives of an argument or an input's field, each with a blank before it.
fn price_of_input(coordinate: &str) -> String {
    let price = of(INPUTS, coordinate);
    let price = price.map(|(once, each)| {
        let scan = scan_cost(coordinate, each, None);
        format!(" @cost(weight: \"{once}\"){scan}")
    });
    price.unwrap_or_default()
}

/// The directive of what is looked through, with a blank before it.
fn scan_cost(coordinate: &str, weight: &str, if_given: Option<&str>) -> String {
    let mut text = format!(" @scanCost(weight: \"{weight}\"");
    let (once, held) = of(HELD, coordinate).unzip();
    let once = once.filter(|once| *once != "0");
    for (name, value) in [
        ("once", once),
        ("ifGiven", if_given),
        ("inMemory", held),
        ("usual", of(USUAL, coordinate)),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(", {name}: \"{value}\""));
        }
    }
    if let Some(fields) = of(OR_SELECTED, coordinate) {
        text.push_str(&format!(", orSelected: [\"{}\"]", fields.join("\", \"")));
    }
    for (name, list) in [
        ("whole", WHOLE),
        ("saved", SAVED),
        ("together", TOGETHER),
        ("firstPage", FIRST_PAGE),
        ("limited", LIMITED),
    ] {
        if list.contains(&coordinate) {
            text.push_str(&format!(", {name}: true"));
        }
    }
    text.push(')');
    text
}

fn type_weight(name: &str) -> Option<&'static str> {
    let edge = name.ends_with("Edge").then_some("0");
    of(TYPES, name).or(edge)
}

/// The directives of a field, each with a blank before it.
fn directives(owner: &str, name: &str, arguments: &[String], ty: &str) -> String {
    let coordinate = format!("{owner}.{name}");
    let base: String = ty
        .chars()
        .take_while(|letter| *letter != ' ')
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let mut text = String::new();
    if base.ends_with("Connection") {
        let slicing: Vec<String> = ["first", "last"]
            .iter()
            .filter(|known| arguments.iter().any(|argument| argument == *known))
            .map(|known| format!("\"{known}\""))
            .collect();
        text.push_str(&format!(
            " @listSize(assumedSize: {}, slicingArguments: [{}], sizedFields: [\"nodes\", \"edges\"], requireOneSlicingArgument: false)",
            assumed(&base),
            slicing.join(", ")
        ));
    } else if ty.starts_with('[') && arguments.iter().any(|argument| argument == "first") {
        text.push_str(&format!(
            " @listSize(assumedSize: {}, slicingArguments: [\"first\"], requireOneSlicingArgument: false)",
            ENTITIES.default
        ));
    } else if ty.starts_with('[')
        && let Some(size) = of(SIZES, &coordinate).or_else(|| of(SIZES, &base))
    {
        text.push_str(&format!(" @listSize(assumedSize: {size})"));
    }
    if let Some(weight) = of(FIELDS, &coordinate) {
        text.push_str(&format!(" @cost(weight: \"{weight}\")"));
    }
    if let Some((weight, if_given)) = of(SCANS, &coordinate) {
        text.push_str(&scan_cost(&coordinate, weight, if_given));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_priced_line_by_line_and_its_words_are_left_alone() {
        let plain = "\"A row: with { marks.\"\ntype Row implements Node {\n  \"Some.\"\n  amounts(\n    \"\"\"\n    first: not an argument {\n    \"\"\"\n    first: Int,\n    \"x\"\n    after: String\n  ): RowConnection\n  money: [Money!]!\n  plain: Int! @deprecated(reason: \"no: more\")\n  few(last: Int): RowConnection!\n  latest(first: Int! = 20): [Row!]!\n}\n\ntype Money {\n  amount: Decimal!\n}\n\ntype RowEdge {\n  node: Row!\n}\n\ninput In {\n  first: Int\n}\n";
        let priced = priced(plain);
        for line in [
            "type Row implements Node {",
            "    first: not an argument {",
            "  ): RowConnection @listSize(assumedSize: 20, slicingArguments: [\"first\"], sizedFields: [\"nodes\", \"edges\"], requireOneSlicingArgument: false)",
            "  money: [Money!]! @listSize(assumedSize: 2)",
            "  plain: Int! @deprecated(reason: \"no: more\")",
            "  few(last: Int): RowConnection! @listSize(assumedSize: 20, slicingArguments: [\"last\"], sizedFields: [\"nodes\", \"edges\"], requireOneSlicingArgument: false)",
            "  latest(first: Int! = 20): [Row!]! @listSize(assumedSize: 20, slicingArguments: [\"first\"], requireOneSlicingArgument: false)",
            "type Money @cost(weight: \"0.1\") {",
            "type RowEdge @cost(weight: \"0\") {",
            "  first: Int",
        ] {
            assert!(
                priced.lines().any(|known| known == line),
                "{line}\n{priced}"
            );
        }
    }
}
