//! The rules of segments as callers write them.

use async_graphql::{Enum, ID, InputObject, OneofObject};

use super::action_filter::{ActionFilter, ActionItemFilter, only_currency};
use super::built_in::{
    BuiltInProductSegment, BuiltInUserSegment, in_rule_of_products, in_rule_of_users, period,
};
use super::deep::Deep;
use super::filters::{ProductFilter, UserFilter, filter_input};
use super::operators::{CountryFilter, SegmentFilter};
use super::range::RangeInput;
use super::reader::{Conditions, ListedMember, MemberName, Operators as _, Reader};
use crate::domain::error::{Error, PassedLimit};
use crate::domain::filter::{Filter, ProductTest, UserTest};
use crate::domain::money::bound_in;
use crate::domain::rule::{
    Condition, Measure, Members, Metric, Rank, Rule, Subject, Take, Threshold, name_of,
};
use crate::graphql::error::Result;
use crate::graphql::id::{IdOf, Kind};
use crate::graphql::scalar::{CurrencyCode, Decimal};
use crate::ingest::format::list::read_list;

/// What is measured of each user or product, from actions by their order's instant. Declined actions do not count, unless
/// the filter names statuses or the metric is one of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Metric")]
pub enum SegmentMetric {
    /// Distinct actions; 0 without one.
    Actions,
    /// Units sold; 0 without an action.
    Units,
    /// Order amounts in one currency; 0 without an action.
    OrderAmount,
    /// Rewards in one currency; 0 without an action.
    Reward,
    /// Approved actions, stalled ones included; 0 without one.
    ApprovedActions,
    /// Declined actions; 0 without one.
    DeclinedActions,
    /// Approved of processed actions, from 0 to 1, cut to six decimals; none without a processed one, which no bound lets
    /// in.
    ApprovalRate,
    /// UTC days with an order; 0 without an action.
    ActiveDays,
    /// Whole days of 24 hours since the latest order of the period; none without one, which no bound lets in.
    DaysSinceLast,
    /// Whole days of 24 hours since the first order of the period; none without one, which no bound lets in.
    DaysSinceFirst,
    /// Distinct users: of products alone; 0 without one.
    Users,
}

/// A bound on something that is measured of each user or product.
#[derive(Debug, InputObject)]
pub struct SegmentMetricRule {
    /// What is measured.
    metric: SegmentMetric,
    /// The currency of an amount; needed for these unless the filter lets one through.
    currency: Option<CurrencyCode>,
    /// When, by the order's instant, in the publisher's time zone; all time unless given. It is kept as it is given and
    /// moves on with time.
    period: Option<RangeInput>,
    /// Which actions; all but declined ones unless given.
    actions: Option<Deep<ActionFilter>>,
    /// Which cart items: then amounts and units are those of the items, and actions count that have one.
    items: Option<Deep<ActionItemFilter>>,
    /// At least this: a number, an amount, or a rate (0.5 is one half).
    at_least: Option<Decimal>,
    /// At most this, likewise. Who has no action has 0 of what counts or adds up.
    at_most: Option<Decimal>,
}

/// The best, or the worst, by something that is measured. Only who has a value is ranked; equal values are ranked by id,
/// so that exactly as many are taken as it says.
#[derive(Debug, InputObject)]
pub struct SegmentRankRule {
    /// What is measured.
    metric: SegmentMetric,
    /// The currency of an amount; needed for these unless the filter lets one through.
    currency: Option<CurrencyCode>,
    /// When, by the order's instant, in the publisher's time zone; all time unless given. It is kept as it is given and
    /// moves on with time.
    period: Option<RangeInput>,
    /// Which actions; all but declined ones unless given.
    actions: Option<Deep<ActionFilter>>,
    /// Which cart items: then amounts and units are those of the items, and actions count that have one.
    items: Option<Deep<ActionItemFilter>>,
    /// How many are taken, from 1 to 1000000.
    count: Option<i32>,
    /// Instead of a number, how many percent of those that are ranked, rounded up; above 0, at most 100.
    percent: Option<Decimal>,
    /// Whether the smallest values are taken, not the largest.
    #[graphql(default)]
    smallest: bool,
}

/// A list of users, at most 10000 by default. Who is not known yet is in the segment as soon as an action names them.
#[derive(Debug, InputObject)]
pub struct UserList {
    /// Global ids.
    ids: Option<Vec<ID>>,
    /// Values of the SubID that names users, in every user space.
    values: Option<Vec<String>>,
    /// Rows with such a value, their cells divided by commas, semicolons or tabs: in the column that a heading names (`subid`,
    /// `user_id`, `Пользователь` and the like), else in the first one.
    csv: Option<String>,
}

/// A list of products, at most 10000 by default. What is not known yet is in the segment as soon as it arrives.
#[derive(Debug, InputObject)]
pub struct ProductList {
    /// Global ids.
    ids: Option<Vec<ID>>,
    /// AliExpress product ids.
    external_ids: Option<Vec<String>>,
    /// Links to products.
    urls: Option<Vec<String>>,
    /// Rows with an AliExpress product id or a link, their cells divided by commas, semicolons or tabs: in the column that a
    /// heading names (`product_id`, `product_url`, `ID товара` and the like), else in the first one. What
    /// `/traffic-targets.csv` answers is such a list.
    csv: Option<String>,
}

/// What is measured, as it is given.
struct GivenMeasure<'a> {
    metric: SegmentMetric,
    currency: Option<CurrencyCode>,
    period: Option<RangeInput>,
    actions: Option<&'a ActionFilter>,
    items: Option<&'a ActionItemFilter>,
}

fn measure(given: &GivenMeasure<'_>, subject: Subject, reader: &mut Reader) -> Result<Measure> {
    let metric = Metric::from(given.metric);
    reader.test()?;
    if metric == Metric::Users && subject == Subject::Users {
        let refused = reader.field("metric", |reader| {
            let message = "USERS is measured of products; count ACTIONS of users instead";
            Err::<(), _>(reader.refuse(message).into())
        });
        reader.keep(refused)?;
    }
    let period = reader.field("period", |reader| {
        let given = given.period;
        given.map(|given| period(given, reader)).transpose()
    });
    let period = reader.keep(period)?.flatten();
    let actions = reader.field("actions", |reader| {
        given.actions.map_or(Ok(Filter::default()), |filter| {
            reader.nested(ActionFilter::KIND, |reader| filter.read(reader))
        })
    });
    let actions = reader.keep(actions)?.unwrap_or_default();
    let items = reader.field("items", |reader| {
        given
            .items
            .map(|filter| reader.nested(None, |reader| filter.read(reader)))
            .transpose()
    });
    let items = reader.keep(items)?.flatten();
    let currency = reader.field("currency", |reader| {
        let given = given.currency.map(|code| code.0);
        match (metric.is_of_money(), given.or_else(|| only_currency(&actions))) {
            (true, None) => {
                let message = "an amount needs one currency, because amounts of several cannot be compared: add it, such \
                               as currency: \"USD\"";
                Err(reader.refuse(message).into())
            }
            (true, currency) => Ok(currency),
            (false, _) if given.is_some() => {
                let message = "this metric is in no currency: leave currency out, or filter actions by it";
                Err(reader.refuse(message).into())
            }
            (false, _) => Ok(None),
        }
    });
    Ok(Measure {
        metric,
        currency: reader.keep(currency)?.flatten(),
        period,
        actions,
        items,
    })
}

/// A bound in the scale of a metric, rounded inwards.
fn bound(
    metric: Metric,
    given: Option<Decimal>,
    is_least: bool,
    reader: &Reader,
) -> Result<Option<i64>> {
    let Some(Decimal { e4, .. }) = given else {
        return Ok(None);
    };
    let scaled = bound_in(metric.scale(), e4, is_least);
    scaled
        .map(Some)
        .ok_or_else(|| reader.refuse("that is beyond any value").into())
}

fn threshold(
    given: &SegmentMetricRule,
    subject: Subject,
    reader: &mut Reader,
) -> Result<Threshold> {
    let measured = GivenMeasure {
        metric: given.metric,
        currency: given.currency,
        period: given.period,
        actions: given.actions.as_deref(),
        items: given.items.as_deref(),
    };
    let measure = measure(&measured, subject, reader)?;
    if given.at_least.is_none() && given.at_most.is_none() {
        let refused = reader.refuse("there is no bound: add atLeast or atMost");
        reader.keep::<()>(Err(refused.into()))?;
    }
    let metric = measure.metric;
    let least = reader.field("atLeast", |reader| {
        bound(metric, given.at_least, true, reader)
    });
    let most = reader.field("atMost", |reader| {
        bound(metric, given.at_most, false, reader)
    });
    let (at_least, at_most) = (reader.keep(least)?.flatten(), reader.keep(most)?.flatten());
    if let (Some(least), Some(most)) = (at_least, at_most)
        && least > most
    {
        let refused = reader.refuse("atLeast is above atMost, so nobody could be in between");
        reader.keep::<()>(Err(refused.into()))?;
    }
    Ok(Threshold {
        measure,
        at_least,
        at_most,
    })
}

fn rank(given: &SegmentRankRule, subject: Subject, reader: &mut Reader) -> Result<Rank> {
    let measured = GivenMeasure {
        metric: given.metric,
        currency: given.currency,
        period: given.period,
        actions: given.actions.as_deref(),
        items: given.items.as_deref(),
    };
    let measure = measure(&measured, subject, reader)?;
    let take = match (given.count, given.percent) {
        (Some(count), None) => u32::try_from(count)
            .ok()
            .filter(|count| (1..=1_000_000).contains(count))
            .map(Take::Count),
        (None, Some(percent)) => u32::try_from(percent.e4)
            .ok()
            .filter(|percent| (1..=1_000_000).contains(percent))
            .map(Take::PercentE4),
        _ => None,
    };
    let take = take.ok_or_else(|| {
        let message =
            "a rank takes either a count, from 1 to 1000000, or a percent, above 0 and at most 100";
        reader.refuse(message).into()
    });
    Ok(Rank {
        measure,
        is_largest: !given.smallest,
        take: reader.keep(take)?.unwrap_or(Take::Count(1)),
    })
}

/// Reads names of members, noting where they stand.
struct ListReader<'a> {
    subject: Subject,
    members: Members,
    reader: &'a mut Reader,
}

impl ListReader<'_> {
    fn ids(&mut self, given: Option<&[ID]>, of: IdOf) -> Result<()> {
        let members = &mut self.members;
        self.reader.field("ids", |reader| {
            for (number, id) in given.into_iter().flatten().enumerate() {
                let read = reader.item(number, |reader| {
                    let key = reader.key_of(of, id)?;
                    note(reader, id.to_string(), MemberName::Id(key));
                    Ok(key)
                });
                members.ids.extend(reader.keep(read)?);
            }
            Ok(())
        })
    }

    fn texts(&mut self, field: &'static str, given: Option<&[String]>) -> Result<()> {
        let (members, subject) = (&mut self.members, self.subject);
        self.reader.field(field, |reader| {
            for (number, text) in given.into_iter().flatten().enumerate() {
                let read = reader.item(number, |reader| {
                    let text = text.trim();
                    let name = name_of(subject, text).map_err(|why| reader.refuse(&why))?;
                    note(reader, text.to_owned(), MemberName::Text(name.clone()));
                    Ok(name)
                });
                members.names.extend(reader.keep(read)?);
            }
            Ok(())
        })
    }

    fn csv(&mut self, given: Option<&str>) -> Result<()> {
        let (members, subject) = (&mut self.members, self.subject);
        self.reader.field("csv", |reader| {
            for listed in given.into_iter().flat_map(|text| read_list(subject, text)) {
                let read = reader.item(listed.line, |reader| {
                    let name = listed
                        .name
                        .map_err(|why| reader.refuse(&format!("line {}: {why}", listed.line)))?;
                    note(reader, listed.written, MemberName::Text(name.clone()));
                    Ok(name)
                });
                members.names.extend(reader.keep(read)?);
            }
            Ok(())
        })
    }

    fn finish(self) -> Result<Members> {
        let Self {
            mut members,
            reader,
            ..
        } = self;
        let count = members.ids.len() + members.names.len();
        let most = reader.limits().rules.members;
        if count > most {
            let place = reader.place();
            let message =
                format!("{place} lists {count} members, the most is {most}: make several segments");
            let passed = PassedLimit::of("segmentMembers", most, count);
            return Err(Error::limit(place, passed, message).into());
        }
        members.ids.sort_unstable();
        members.ids.dedup();
        members.names.sort_unstable();
        members.names.dedup();
        Ok(members)
    }
}

fn note(reader: &mut Reader, written: String, name: MemberName) {
    let place = reader.place();
    reader.listed.push(ListedMember {
        place,
        written,
        name,
    });
}

impl UserList {
    /// Reads it.
    ///
    /// # Errors
    /// When something in it names no user, or it is too long.
    pub fn read(&self, reader: &mut Reader) -> Result<Members> {
        reader.test()?;
        let mut list = ListReader {
            subject: Subject::Users,
            members: Members::default(),
            reader,
        };
        list.ids(self.ids.as_deref(), IdOf::User)?;
        list.texts("values", self.values.as_deref())?;
        list.csv(self.csv.as_deref())?;
        list.finish()
    }
}

impl ProductList {
    /// Reads it.
    ///
    /// # Errors
    /// When something in it names no product, or it is too long.
    pub fn read(&self, reader: &mut Reader) -> Result<Members> {
        reader.test()?;
        let mut list = ListReader {
            subject: Subject::Products,
            members: Members::default(),
            reader,
        };
        list.ids(self.ids.as_deref(), IdOf::Row(Kind::Product))?;
        list.texts("externalIds", self.external_ids.as_deref())?;
        list.texts("urls", self.urls.as_deref())?;
        list.csv(self.csv.as_deref())?;
        list.finish()
    }
}

fn country<T>(given: &CountryFilter, reader: &mut Reader) -> Result<Filter<Condition<T>>> {
    let ops = given.read(reader)?.into_iter();
    Ok(Filter::All(
        ops.map(|op| Filter::Test(Condition::ClickCountry(op)))
            .collect(),
    ))
}

fn own<T, F: Conditions<T>>(given: &Deep<F>, reader: &mut Reader) -> Result<Filter<Condition<T>>> {
    let inner = reader.nested(F::KIND, |reader| given.read(reader))?;
    reader.test()?;
    Ok(Filter::Test(Condition::Own(inner)))
}

/// A function that reads a part of a rule of a subject.
macro_rules! of_subject {
    ($($name:ident: $given:ty = $test:ty, |$part:ident, $reader:ident| $read:expr;)+) => {$(
        fn $name($part: &$given, $reader: &mut Reader) -> Result<Filter<Condition<$test>>> {
            Ok(Filter::Test($read))
        }
    )+};
}

of_subject! {
    user_metric: SegmentMetricRule = UserTest, |part, reader|
        Condition::Threshold(threshold(part, Subject::Users, reader)?);
    product_metric: SegmentMetricRule = ProductTest, |part, reader|
        Condition::Threshold(threshold(part, Subject::Products, reader)?);
    user_rank: SegmentRankRule = UserTest, |part, reader|
        Condition::Rank(rank(part, Subject::Users, reader)?);
    product_rank: SegmentRankRule = ProductTest, |part, reader|
        Condition::Rank(rank(part, Subject::Products, reader)?);
    user_list: UserList = UserTest, |part, reader| Condition::Members(part.read(reader)?);
    product_list: ProductList = ProductTest, |part, reader| Condition::Members(part.read(reader)?);
}

fn in_user_segments(
    given: &SegmentFilter,
    reader: &mut Reader,
) -> Result<Filter<Condition<UserTest>>> {
    let named = given.read(Subject::Users, reader)?.into_iter();
    let tests = named.map(|named| Filter::Test(UserTest::Segment(named)));
    Ok(Filter::All(
        tests
            .map(|test| Filter::Test(Condition::Own(test)))
            .collect(),
    ))
}

fn in_product_segments(
    given: &SegmentFilter,
    reader: &mut Reader,
) -> Result<Filter<Condition<ProductTest>>> {
    let named = given.read(Subject::Products, reader)?.into_iter();
    let tests = named.map(|named| Filter::Test(ProductTest::Segment(named)));
    Ok(Filter::All(
        tests
            .map(|test| Filter::Test(Condition::Own(test)))
            .collect(),
    ))
}

filter_input! {
    /// Who is in a segment of users: all conditions that are given must hold.
    UserSegmentRule of Condition<UserTest>, ids of Some(IdOf::User);
    fields {}
    related {}
    special {
        /// Its own fields.
        user: Deep<UserFilter> = "user" => own,
        /// Which other segments of users it is in.
        segment: SegmentFilter = "segment" => in_user_segments,
        /// Which built-in segment of users it is in.
        built_in: BuiltInUserSegment = "builtInSegment" => in_rule_of_users,
        /// The click country of its latest action that is not declined.
        click_country: CountryFilter = "clickCountry" => country,
        /// A bound on something that is measured of it.
        metric: Deep<SegmentMetricRule> = "metric" => user_metric,
        /// A place in a ranking of all users.
        rank: Deep<SegmentRankRule> = "rank" => user_rank,
        /// It is listed.
        members: UserList = "members" => user_list,
    }
}

filter_input! {
    /// Which products are in a segment: all conditions that are given must hold.
    ProductSegmentRule of Condition<ProductTest>, ids of Some(IdOf::Row(Kind::Product));
    fields {}
    related {}
    special {
        /// Its own fields.
        product: Deep<ProductFilter> = "product" => own,
        /// Which other segments of products it is in.
        segment: SegmentFilter = "segment" => in_product_segments,
        /// Which built-in segment of products it is in.
        built_in: BuiltInProductSegment = "builtInSegment" => in_rule_of_products,
        /// The click country of the latest action with it that is not declined.
        click_country: CountryFilter = "clickCountry" => country,
        /// A bound on something that is measured of it, from its cart items.
        metric: Deep<SegmentMetricRule> = "metric" => product_metric,
        /// A place in a ranking of all products, by their cart items.
        rank: Deep<SegmentRankRule> = "rank" => product_rank,
        /// It is listed.
        members: ProductList = "members" => product_list,
    }
}

/// Who is in a segment: of users, or of products.
#[derive(Debug, OneofObject)]
pub enum SegmentRuleInput {
    /// A segment of users.
    Users(Deep<UserSegmentRule>),
    /// A segment of products.
    Products(Deep<ProductSegmentRule>),
}

impl SegmentRuleInput {
    /// What it is a set of.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Users(_) => Subject::Users,
            Self::Products(_) => Subject::Products,
        }
    }

    /// Reads it with a reader that notes problems.
    ///
    /// # Errors
    /// None but where the reader does not note problems.
    pub fn read(&self, reader: &mut Reader) -> Result<Option<Rule>> {
        let rule = match self {
            Self::Users(given) => reader.field("users", |reader| {
                let read = reader.nested(UserSegmentRule::KIND, |reader| given.read(reader));
                Ok(Rule::Users(read?))
            }),
            Self::Products(given) => reader.field("products", |reader| {
                let read = reader.nested(ProductSegmentRule::KIND, |reader| given.read(reader));
                Ok(Rule::Products(read?))
            }),
        };
        reader.keep(rule)
    }
}
