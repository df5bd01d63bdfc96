//! Who asks, and within which limits.

use async_graphql::{Enum, Object, SimpleObject};

use crate::access::budget::Allowance;
use crate::domain::deeplink::LONGEST_SUBIDS;
use crate::domain::limits;
use crate::domain::scope;
use crate::domain::scope::Credential;
use crate::domain::time::Day;
use crate::graphql::EngineOptions;
use crate::graphql::connection::{ENTITIES, PageLimits, REPORT_GROUPS, SEGMENTS};
use crate::graphql::error::Result;
use crate::graphql::scalar::{BigInt, CurrencyCode, Date, DateTime, TimeZone, count};

/// How a caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum CredentialKind {
    /// With an API key.
    ApiKey,
    /// With a JSON Web Token.
    Token,
    /// From the same machine, in `actiongraph demo`.
    LoopbackDemo,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum KeyScope {
    /// Ask questions.
    Read,
    /// Bring data in, and mend what was rejected.
    Import,
    /// Define segments, and say how data are used: parameters of built-in segments, priority products, templates of links,
    /// the users of ad spaces.
    Segments,
    /// Make, change and revoke keys, and read how reports are answered.
    Admin,
}

impl From<scope::KeyScope> for KeyScope {
    fn from(scope: scope::KeyScope) -> Self {
        match scope {
            scope::KeyScope::Read => Self::Read,
            scope::KeyScope::Import => Self::Import,
            scope::KeyScope::Segments => Self::Segments,
            scope::KeyScope::Admin => Self::Admin,
        }
    }
}

impl From<KeyScope> for scope::KeyScope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::Read => Self::Read,
            KeyScope::Import => Self::Import,
            KeyScope::Segments => Self::Segments,
            KeyScope::Admin => Self::Admin,
        }
    }
}

/// The caller of the API.
pub struct Viewer(pub scope::Viewer);

/// The caller of the API.
#[Object]
impl Viewer {
    /// The publisher whose data the caller may read.
    async fn publisher(&self) -> Publisher {
        let publisher = &self.0.publisher;
        Publisher {
            slug: publisher.slug.clone(),
            name: publisher.name.clone(),
            time_zone: TimeZone(publisher.zone),
            currency: CurrencyCode(publisher.currency),
        }
    }

    /// How the caller came in.
    async fn credential(&self) -> CredentialKind {
        match self.0.credential {
            Credential::Key { .. } => CredentialKind::ApiKey,
            Credential::Token { .. } => CredentialKind::Token,
            Credential::LoopbackDemo => CredentialKind::LoopbackDemo,
        }
    }

    /// What the caller may do.
    async fn scopes(&self) -> Vec<KeyScope> {
        let scopes = self.0.scopes().iter();
        scopes.copied().map(KeyScope::from).collect()
    }

    /// What of the publisher's data the caller sees; null for a caller who sees all of it.
    async fn limits(&self) -> Option<KeyLimits> {
        let limits = &self.0.limits;
        (!limits.is_none()).then(|| KeyLimits::from(limits.as_ref()))
    }

    /// The API key; null for a caller without one.
    async fn key(&self) -> Option<ViewerKey> {
        match &self.0.credential {
            Credential::Key {
                prefix,
                label,
                expires_at,
                ..
            } => Some(ViewerKey {
                prefix: prefix.clone(),
                label: label.clone(),
                expires_at: expires_at.map(DateTime),
            }),
            Credential::Token { .. } | Credential::LoopbackDemo => None,
        }
    }

    /// The JSON Web Token; null for a caller without one.
    async fn token(&self) -> Option<ViewerToken> {
        match &self.0.credential {
            Credential::Token {
                issuer,
                subject,
                expires_at,
                ..
            } => Some(ViewerToken {
                issuer: issuer.clone(),
                subject: subject.clone(),
                expires_at: DateTime(*expires_at),
            }),
            Credential::Key { .. } | Credential::LoopbackDemo => None,
        }
    }
}

/// What of a publisher's data a key sees. Rows count, and are there, only where all of these hold; users, products and
/// all sums are those of the rows that are seen.
#[derive(Clone, Debug, SimpleObject)]
pub struct KeyLimits {
    /// Only actions of these programs, by id at Admitad, or by name where a program has none; null for all.
    programs: Option<Vec<String>>,
    /// Only actions of these ad spaces, by id at Admitad, or by name where an ad space has none; null for all.
    ad_spaces: Option<Vec<String>>,
    /// Only actions with these SubIDs: each of the limits holds.
    subids: Vec<KeySubidLimit>,
    /// Only orders of this day or later, in the publisher's time zone; null for all.
    not_before: Option<Date>,
    /// Only orders of today and of the days before it, so many days in all, in the publisher's time zone; null for all.
    last_days: Option<i32>,
    /// Whether SubIDs and the values that users are known by are hidden.
    hides_user_keys: bool,
    /// Whether rewards and rates, and what is computed from them, are hidden.
    hides_reward: bool,
}

/// The values that a SubID of an action must have for a key to see the action.
#[derive(Clone, Debug, SimpleObject)]
pub struct KeySubidLimit {
    /// Which SubID: 0 is `subid`, 1 to 4 are `subid1` to `subid4`.
    slot: i32,
    /// One of these.
    values: Vec<String>,
    /// Or one that begins in one of these ways.
    prefixes: Vec<String>,
}

impl From<&limits::Limits> for KeyLimits {
    fn from(limits: &limits::Limits) -> Self {
        let subids = limits.subids.iter().map(|subid| KeySubidLimit {
            slot: i32::from(subid.slot),
            values: subid.values.clone(),
            prefixes: subid.prefixes.clone(),
        });
        let day = limits.not_before.and_then(|days| Day::from_days(days).ok());
        Self {
            programs: limits.programs.clone(),
            ad_spaces: limits.ad_spaces.clone(),
            subids: subids.collect(),
            not_before: day.map(Date),
            last_days: limits
                .last_days
                .map(|days| i32::try_from(days).unwrap_or(i32::MAX)),
            hides_user_keys: limits.hide_user_keys,
            hides_reward: limits.hide_reward,
        }
    }
}

/// A publisher: the account whose actions these are.
#[derive(Clone, Debug, SimpleObject)]
pub struct Publisher {
    /// Name on the command line.
    slug: String,
    /// Name for people.
    name: String,
    /// The time zone of ranges where a query names none.
    time_zone: TimeZone,
    /// The main currency: monetary scores of user segments are in it where a query names none.
    currency: CurrencyCode,
}

/// The API key that the caller came in with, without its secret.
#[derive(Clone, Debug, SimpleObject)]
pub struct ViewerKey {
    /// The public first part, by which the key is known.
    prefix: String,
    /// What the key is for.
    label: String,
    /// When it ends by itself; null for never.
    expires_at: Option<DateTime>,
}

/// The JSON Web Token that the caller came in with.
#[derive(Clone, Debug, SimpleObject)]
pub struct ViewerToken {
    /// Who made it.
    issuer: String,
    /// Whom it is for, as its issuer calls it.
    subject: String,
    /// When it ends.
    expires_at: DateTime,
}

/// The limits on requests. Whatever passes one is refused with the code LIMIT_EXCEEDED or COST_EXCEEDED, never cut.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct Limits {
    /// Pages of entities and of what hangs below them.
    pages: PageSize,
    /// Pages of segments.
    segment_pages: PageSize,
    /// Pages of the groups of a report.
    report_pages: PageSize,
    /// Dimensions in one `groupBy` of a report.
    report_dimensions: i32,
    /// Conditions in one `having` of a report.
    report_conditions: i32,
    /// Stretches of time that a report is divided into.
    report_stretches: i32,
    /// Segments that one report names.
    report_segments: i32,
    /// Actions that a report, a top list, `trafficTargets`, `earnings` or the totals and the info of a list read one by one where
    /// no totals answer; counts of clicks by SubID that a report reads.
    report_actions: i32,
    /// Groups that a report can have, `having` and page aside, counted per currency and, where money is converted, per UTC
    /// day.
    report_rows: i32,
    /// Ids in one `nodes`.
    nodes: i32,
    /// Keys in one `orderBy`.
    order_keys: i32,
    /// Levels that a filter may nest.
    filter_depth: i32,
    /// Conditions in one filter.
    filter_conditions: i32,
    /// Values in one list of a filter.
    filter_values: i32,
    /// Values in all lists of one filter together.
    filter_all_values: i32,
    /// Segments in one list of a filter.
    filter_segments: i32,
    /// Metrics that the segments which a filter names have together.
    filter_metrics: i32,
    /// Values that one statement at the database takes: those of filters, of lists in segments, and of stretches of time.
    statement_values: i32,
    /// Segments that a publisher has, those apart that are archived.
    segments: i32,
    /// Levels that segments may name each other.
    segment_depth: i32,
    /// Conditions of a rule, with those of the segments that it names.
    segment_conditions: i32,
    /// Metrics of a rule, with those of the segments that it names.
    segment_metrics: i32,
    /// Values in the lists of a rule, with those of the segments that it names.
    segment_values: i32,
    /// Members that a rule lists.
    segment_members: i32,
    /// Points of one trend of a segment.
    segment_trend_points: i32,
    /// Segments that are laid over each other at a time.
    overlaid_segments: i32,
    /// Periods that one request divides into built-in segments.
    built_in_periods: i32,
    /// Members that the built-in segments of one request have together, at each moment by itself.
    built_in_members: i32,
    /// Periods that cohorts are made of.
    cohort_periods: i32,
    /// Products in the list of priority products that are not known yet.
    awaited_products: i32,
    /// Rejected records that are tried again at a time.
    retried_records: i32,
    /// Characters of `subid`, `subid1`, `subid2` and `subid3` in an affiliate link.
    subid_characters: i32,
    /// Characters of `subid4` in an affiliate link.
    subid4_characters: i32,
    /// The largest count that an answer tells as an `Int`.
    counts: i32,
    /// Bytes of a document.
    document_bytes: i32,
    /// Tokens of a document.
    document_tokens: i32,
    /// Brackets, braces and parentheses open at once in a document.
    document_nesting: i32,
    /// Levels of fields in a document.
    document_depth: i32,
    /// Fields and fragments of a document, with fragments written out.
    document_selections: i32,
    /// Aliases in a document.
    document_aliases: i32,
    /// Times that one field is written in one place of a document, as by aliases.
    document_repeats: i32,
    /// Fields in one place of a document.
    document_fields: i32,
    /// Directives in one place of a document.
    document_directives: i32,
    /// Directives in a document.
    document_all_directives: i32,
    /// Pairs of fields of one name that are compared to validate a document.
    document_comparisons: i32,
    /// Operations in a document.
    document_operations: i32,
    /// Variables of an operation.
    variables: i32,
    /// Scalars, lists and objects in the variables of a request.
    variable_values: i32,
    /// Bytes of names and texts in the variables of a request.
    variable_bytes: i32,
    /// Bytes of an operation with its fragments and variables written out.
    written_bytes: i32,
    /// Input objects that one argument may hold, at any depth.
    input_objects: i32,
    /// Fields at the root of an operation.
    root_fields: i32,
    /// Lists inside lists that introspection may ask for: of fields, interfaces, input fields or possible types.
    introspection_lists: i32,
    /// Values that one operation may ask for by introspection, about.
    introspection_values: i32,
    /// Rows of one page, whatever the list.
    page_rows: i32,
    /// Rows that one operation may ask for, by the sizes of its pages multiplied down the tree.
    operation_rows: i32,
    /// Values of scalars and enums that one answer may hold, by its fields, pages and lists multiplied down the tree.
    operation_values: i32,
    /// Points that one operation may cost. The schema says what each field costs (`@cost`, `@listSize`, `@scanCost`).
    cost: i32,
    /// Points that the caller's budget holds; null where nothing is counted.
    budget_capacity: Option<i32>,
    /// Points that come back to it in a second; null where nothing is counted.
    budget_restore_rate: Option<i32>,
    /// Errors that one answer tells.
    errors: i32,
    /// Characters of an error's message.
    error_characters: i32,
    /// Bytes of a request's body at `/graphql`.
    body_bytes: i32,
    /// Bytes of one answer there.
    answer_bytes: i32,
    /// Bytes of a file that is sent to `/import`.
    import_bytes: BigInt,
    /// Files sent to `/import` that may wait for one publisher.
    waiting_imports: i32,
    /// Bytes that they may have together.
    waiting_import_bytes: BigInt,
    /// Milliseconds that the head of a request may take to arrive.
    head_milliseconds: i32,
    /// Bytes of the head of a request: its address and its headers.
    head_bytes: i32,
    /// Milliseconds that an answer may wait without its reader taking any of it.
    send_milliseconds: i32,
    /// Bytes of all answers of the server that wait for their readers, together; those of one caller may be half as many.
    unsent_bytes: BigInt,
    /// Milliseconds that the body of a request may take to arrive.
    body_milliseconds: i32,
    /// Milliseconds that an operation may take.
    operation_milliseconds: i32,
    /// Milliseconds that one statement at the database may take.
    statement_milliseconds: i32,
    /// Seconds for which a connection without a request is kept.
    keep_alive_seconds: i32,
    /// Operations that the server runs at the same time.
    concurrent_operations: i32,
    /// Operations of one caller that the server runs at the same time.
    concurrent_operations_per_caller: i32,
    /// Those of one caller that come from one address; null where they are not counted.
    concurrent_operations_per_address: Option<i32>,
    /// Connections that the server keeps open at the same time.
    connections: i32,
    /// Connections of one address that the server keeps open at the same time; null where they are not counted.
    connections_per_address: Option<i32>,
}

/// How many rows a page has.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct PageSize {
    /// Where neither `first` nor `last` says otherwise.
    default: i32,
    /// At most.
    maximum: i32,
}

impl Limits {
    /// The limits that hold.
    ///
    /// # Errors
    /// When one is beyond what an `Int` holds.
    #[expect(clippy::too_many_lines, reason = "a line for each limit")]
    pub fn new(options: &EngineOptions, allowance: Option<&Allowance>) -> Result<Self> {
        let (documents, door) = (&options.documents, &options.door);
        let (reports, queries) = (&options.reports, &options.queries);
        let (filters, rules) = (&queries.filters, &queries.rules);
        let wide = |limit: u64| count(i64::try_from(limit).unwrap_or(i64::MAX));
        let terms = allowance.map(Allowance::terms);
        let size = |limit: usize| count(i64::try_from(limit).unwrap_or(i64::MAX));
        let page = |limits: PageLimits| -> Result<PageSize> {
            Ok(PageSize {
                default: count(i64::from(limits.usual(&queries.pages)))?,
                maximum: wide(u64::from(limits.most(&queries.pages)).min(documents.page))?,
            })
        };
        Ok(Self {
            pages: page(ENTITIES)?,
            segment_pages: page(SEGMENTS)?,
            report_pages: page(REPORT_GROUPS)?,
            report_dimensions: size(reports.dimensions)?,
            report_conditions: size(reports.conditions)?,
            report_stretches: size(reports.stretches)?,
            report_segments: size(reports.segments)?,
            report_actions: count(reports.facts)?,
            report_rows: size(reports.rows)?,
            nodes: size(queries.nodes)?,
            order_keys: size(queries.order_keys)?,
            filter_depth: size(filters.depth)?,
            filter_conditions: size(filters.conditions)?,
            filter_values: size(filters.values)?,
            filter_all_values: size(filters.all_values)?,
            filter_segments: size(filters.segments)?,
            filter_metrics: size(rules.filter_metrics)?,
            statement_values: size(queries.statement_values)?,
            segments: count(rules.segments)?,
            segment_depth: size(rules.depth)?,
            segment_conditions: size(rules.conditions)?,
            segment_metrics: size(rules.metrics)?,
            segment_values: size(rules.values)?,
            segment_members: size(rules.members)?,
            segment_trend_points: size(queries.trend_points)?,
            overlaid_segments: size(queries.overlaid_segments)?,
            built_in_periods: size(queries.built_in_periods)?,
            built_in_members: size(queries.built_in_members)?,
            cohort_periods: size(queries.cohort_periods)?,
            awaited_products: size(queries.awaited_products)?,
            retried_records: size(queries.retried_records)?,
            subid_characters: size(LONGEST_SUBIDS[0])?,
            subid4_characters: size(LONGEST_SUBIDS[4])?,
            counts: i32::MAX,
            document_bytes: size(documents.bytes)?,
            document_tokens: size(documents.tokens)?,
            document_nesting: size(documents.nesting)?,
            document_depth: size(documents.depth)?,
            document_selections: size(documents.selections)?,
            document_aliases: size(documents.aliases)?,
            document_repeats: size(documents.repeats)?,
            document_fields: size(documents.fields)?,
            document_directives: size(documents.directives)?,
            document_all_directives: size(documents.all_directives)?,
            document_comparisons: size(documents.comparisons)?,
            document_operations: size(documents.operations)?,
            variables: size(documents.variables)?,
            variable_values: size(documents.variable_values)?,
            variable_bytes: size(documents.variable_bytes)?,
            written_bytes: size(documents.written_bytes)?,
            input_objects: wide(documents.input_objects)?,
            root_fields: size(documents.root_fields)?,
            introspection_lists: size(documents.introspection_lists)?,
            introspection_values: wide(documents.introspection_values)?,
            page_rows: wide(documents.page)?,
            operation_rows: wide(documents.nodes)?,
            operation_values: wide(documents.values)?,
            cost: wide(documents.cost)?,
            budget_capacity: terms.map(|terms| wide(terms.capacity)).transpose()?,
            budget_restore_rate: terms.map(|terms| wide(terms.restore)).transpose()?,
            errors: size(documents.errors)?,
            error_characters: size(documents.message_chars)?,
            body_bytes: wide(door.body_bytes)?,
            answer_bytes: wide(door.answer_bytes)?,
            import_bytes: BigInt(i64::try_from(door.import_bytes).unwrap_or(i64::MAX)),
            waiting_imports: wide(door.waiting_imports)?,
            waiting_import_bytes: BigInt(
                i64::try_from(door.waiting_import_bytes).unwrap_or(i64::MAX),
            ),
            head_milliseconds: wide(door.head_ms)?,
            head_bytes: wide(door.head_bytes)?,
            send_milliseconds: wide(door.send_ms)?,
            unsent_bytes: BigInt(i64::try_from(door.unsent_bytes).unwrap_or(i64::MAX)),
            body_milliseconds: wide(door.body_ms)?,
            operation_milliseconds: wide(door.operation_ms)?,
            statement_milliseconds: wide(door.statement_ms)?,
            keep_alive_seconds: wide(door.keep_alive_seconds)?,
            concurrent_operations: wide(door.operations)?,
            concurrent_operations_per_caller: wide(door.operations_per_caller)?,
            concurrent_operations_per_address: Some(door.operations_per_address)
                .filter(|most| *most > 0)
                .map(wide)
                .transpose()?,
            connections: wide(door.connections)?,
            connections_per_address: Some(door.connections_per_address)
                .filter(|most| *most > 0)
                .map(wide)
                .transpose()?,
        })
    }
}
