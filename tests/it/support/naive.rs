//! What the answers should be, computed the plain way: loops over all rows, with no SQL and none of `store`.

use super::naive_segment::{in_built_in, in_segments};
use super::world::Facts;
use actiongraph::domain::catalog::Catalog;
use actiongraph::domain::filter::{
    ActionField, ActionTest, AdSpaceField, AdSpaceTest, CategoryField, CategoryTest, Filter,
    ItemField, ItemTest, Op, ProductField, ProductTest, ProgramField, ProgramTest, Quantifier,
    UserField, UserTest, Value,
};
use actiongraph::domain::money::Currency;
use actiongraph::domain::sales::{
    AxisRange, CurrencySums, DateAxis, FactQuery, RankBy, SalesGroup, SalesRow, Sums,
};
use actiongraph::domain::text::fold;
use actiongraph::domain::time::{Day, Instant, Zone, day_of};
use chrono::{DateTime, Datelike as _, NaiveDate};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr as _;
use std::sync::Mutex;
use uuid::Uuid;

type Action = entity::action::Model;
type Item = entity::action_item::Model;

/// The instant at which the calendar on a wall first shows a day or a later one, in steps of a quarter of an hour, which
/// is the finest offset that a zone of these tests has.
pub(crate) fn local_start(day: i32, zone: Zone) -> i64 {
    type Known = BTreeMap<(i32, &'static str), i64>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    if day == 0 {
        return 0;
    }
    let key = (day, zone.name());
    if let Some(start) = KNOWN.lock().unwrap().get(&key) {
        return *start;
    }
    let tz = chrono_tz::Tz::from_str(zone.name()).unwrap();
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)
        .unwrap()
        .num_days_from_ce();
    let midnight = i64::from(day) * 86_400;
    let start = (-64..=160i64)
        .map(|quarter| midnight + quarter * 900)
        .find(|second| {
            let local = DateTime::from_timestamp(*second, 0)
                .unwrap()
                .with_timezone(&tz);
            local.naive_local().date().num_days_from_ce() - epoch >= day
        })
        .unwrap();
    let start = start.max(0) * 1_000_000;
    KNOWN.lock().unwrap().insert(key, start);
    start
}

/// Where an action stands on an axis, in microseconds.
pub(crate) fn axis_value(action: &Action, axis: DateAxis, zone: Zone) -> Option<i64> {
    match axis {
        DateAxis::Ordered => Some(action.ordered_at_us),
        DateAxis::Clicked => action.clicked_at_us,
        DateAxis::StatusUpdated => action.status_updated_at_us,
        DateAxis::Closed => action.closing_day.map(|day| local_start(day, zone)),
    }
}

/// Whether an action is in a range.
pub(crate) fn in_range(action: &Action, range: &AxisRange) -> bool {
    axis_value(action, range.axis, range.zone)
        .is_some_and(|at| range.span.from.micros() <= at && at < range.span.to.micros())
}

/// Whether an action counts, whenever it was.
pub(crate) fn counts(facts: &Facts, action: &Action, query: &FactQuery) -> bool {
    !(query.without_declined && action.status == "DECLINED")
        && matches(facts, action, &query.filter)
}

/// The counted actions of a query.
pub(crate) fn counted<'a>(facts: &'a Facts, query: &FactQuery) -> Vec<&'a Action> {
    let all = facts.actions.values();
    all.filter(|action| in_range(action, &query.range) && counts(facts, action, query))
        .collect()
}

/// Whether an action satisfies a filter.
pub(crate) fn matches(facts: &Facts, action: &Action, filter: &Filter<ActionTest>) -> bool {
    filter.matches(&|test| match test {
        ActionTest::Field(ActionField::Comment, op) => folded(action.comment.as_deref(), op),
        ActionTest::Field(field, op) => op.holds(&action_value(facts, action, *field)),
        ActionTest::Program(filter) => {
            let program = &facts.programs[&action.program_id];
            filter.matches(&|test| program_test(program, test))
        }
        ActionTest::AdSpace(filter) => action.ad_space_id.is_some_and(|id| {
            let space = &facts.ad_spaces[&id];
            filter.matches(&|test| ad_space_test(space, test))
        }),
        ActionTest::User(filter) => action.user_id.is_some_and(|id| {
            let user = &facts.users[&id];
            filter.matches(&|test| user_test(facts, user, test))
        }),
        ActionTest::Items(quantifier, filter) => {
            let mut cart = facts.cart(action.id).iter();
            let holds = |item: &Item| filter.matches(&|test| item_test(facts, item, test));
            match quantifier {
                Quantifier::Some => cart.any(holds),
                Quantifier::Every => cart.all(holds),
                Quantifier::None => !cart.any(holds),
            }
        }
    })
}

fn folded(text: Option<&str>, op: &Op) -> bool {
    op.folded().holds(&text.map(fold).into())
}

fn action_value(facts: &Facts, action: &Action, field: ActionField) -> Value {
    let text = |text: &Option<String>| Value::from(text.clone());
    match field {
        ActionField::Id => action.id.into(),
        ActionField::ExternalId => action.external_id.clone().into(),
        ActionField::OrderId => text(&action.order_id),
        ActionField::TariffId => text(&action.tariff_id),
        ActionField::ActionName => text(&action.action_name),
        ActionField::ActionType => action.action_type.clone().into(),
        ActionField::Status => action.status.clone().into(),
        ActionField::RawStatus => action.raw_status.clone().into(),
        ActionField::Paid => action.paid.into(),
        ActionField::Processed => action.processed.into(),
        ActionField::ReturnedToHold => action.returned_to_hold.into(),
        ActionField::Reward => action.reward_e4.into(),
        ActionField::OrderAmount => action.order_amount_e4.into(),
        ActionField::Currency => action.currency.clone().into(),
        ActionField::ClickedAt => action.clicked_at_us.into(),
        ActionField::OrderedAt => action.ordered_at_us.into(),
        ActionField::StatusUpdatedAt => action.status_updated_at_us.into(),
        ActionField::ClosingDay => action.closing_day.map(i64::from).into(),
        ActionField::ConversionSeconds => action.conversion_seconds.into(),
        ActionField::Country => text(&action.country),
        ActionField::Subid0 => text(&action.subid0),
        ActionField::Subid1 => text(&action.subid1),
        ActionField::Subid2 => text(&action.subid2),
        ActionField::Subid3 => text(&action.subid3),
        ActionField::Subid4 => text(&action.subid4),
        ActionField::Keyword => text(&action.keyword),
        ActionField::Comment => text(&action.comment),
        ActionField::PromoCode => text(&action.promo_code),
        ActionField::Device => text(&action.device),
        ActionField::ItemsCount => i64::try_from(facts.cart(action.id).len()).unwrap().into(),
        ActionField::HoldEndsAt | ActionField::HoldEndedBy => {
            let program = &facts.programs[&action.program_id];
            let shipped = program.catalog_key.as_deref().and_then(|key| match key {
                "aliexpress-ru-cis-new" => Some(30),
                "aliexpress-ru-cis" => Some(31),
                "aliexpress-tr" => Some(25),
                _ => None,
            });
            let days = program.max_hold_days.or(program.hold_days).or(shipped);
            days.map_or(Value::Null, |days| {
                (action.ordered_at_us + i64::from(days) * 86_400_000_000).into()
            })
        }
        ActionField::Eligibility => {
            let program = &facts.programs[&action.program_id];
            let on = day_of(
                Instant::from_micros(action.ordered_at_us).unwrap(),
                Zone::UTC,
            );
            let country = action.country.as_deref();
            let Some(key) = program.catalog_key.as_deref() else {
                return named_country(program, country).into();
            };
            Catalog::shipped()
                .eligibility(key, country, on)
                .as_str()
                .into()
        }
    }
}

/// What the countries that the network names for a program say of one.
fn named_country(program: &entity::program::Model, country: Option<&str>) -> &'static str {
    let Some(country) = country.filter(|code| actiongraph::domain::catalog::is_country(code))
    else {
        return "UNKNOWN";
    };
    if program.all_countries == Some(true) {
        return "FULL";
    }
    match &program.countries {
        None => "UNKNOWN",
        Some(codes) if codes.split(' ').any(|code| code == country) => "FULL",
        Some(_) => "NOT_PAID",
    }
}

pub(crate) fn item_test(facts: &Facts, item: &Item, test: &ItemTest) -> bool {
    match test {
        ItemTest::Field(field, op) => op.holds(&match field {
            ItemField::Amount => item.amount_e4.into(),
            ItemField::Reward => item.reward_e4.into(),
            ItemField::Units => i64::from(item.units).into(),
            ItemField::TariffId => item.tariff_id.clone().into(),
            ItemField::ProductCountry => item.product_country.clone().into(),
        }),
        ItemTest::Product(filter) => item.product_id.is_some_and(|id| {
            let product = &facts.products[&id];
            filter.matches(&|test| product_test(facts, product, test))
        }),
        ItemTest::Category(filter) => in_category(facts, item.category_id, filter),
    }
}

fn in_category(facts: &Facts, id: Option<Uuid>, filter: &Filter<CategoryTest>) -> bool {
    id.is_some_and(|id| filter.matches(&|test| category_test(facts, &facts.categories[&id], test)))
}

pub(crate) fn product_test(
    facts: &Facts,
    product: &entity::product::Model,
    test: &ProductTest,
) -> bool {
    match test {
        ProductTest::Field(ProductField::Name, op) => folded(product.name.as_deref(), op),
        ProductTest::Field(field, op) => op.holds(&match field {
            ProductField::Id => product.id.into(),
            ProductField::ExternalId => product.external_id.clone().into(),
            ProductField::Name => product.name.clone().into(),
            ProductField::Url => product.url.clone().into(),
            ProductField::Country => product.country.clone().into(),
            ProductField::IsHot => product.is_hot.into(),
            ProductField::IsPriority => product.is_priority.into(),
            ProductField::FirstSeen => product.first_seen_us.into(),
        }),
        ProductTest::Category(filter) => in_category(facts, product.category_id, filter),
        ProductTest::Segment(named) => in_segments(facts, named, product.id),
        ProductTest::BuiltIn(built_in) => in_built_in(built_in, product.id),
    }
}

pub(crate) fn category_test(
    facts: &Facts,
    category: &entity::category::Model,
    CategoryTest(field, op): &CategoryTest,
) -> bool {
    match field {
        CategoryField::Name => folded(Some(&category.name), op),
        CategoryField::Within => {
            let line = line_up(facts, category.id);
            let within = |id: &Value| line.iter().any(|above| Value::from(*above) == *id);
            match op {
                Op::Eq(id) => within(id),
                Op::Ne(id) => !within(id),
                Op::In(ids) => ids.iter().any(within),
                Op::NotIn(ids) => !ids.iter().any(within),
                other => panic!("{other:?} is not asked of Within"),
            }
        }
        CategoryField::Id => op.holds(&category.id.into()),
        CategoryField::ExternalId => op.holds(&category.external_id.clone().into()),
        CategoryField::Level => op.holds(&i64::from(category.level).into()),
        CategoryField::IsKnown => op.holds(&category.is_known.into()),
    }
}

/// A category and all above it, by its parents alone.
pub(crate) fn line_up(facts: &Facts, category: Uuid) -> Vec<Uuid> {
    let mut line = vec![category];
    while let Some(above) = facts.categories[line.last().unwrap()].parent_id {
        line.push(above);
    }
    line
}

pub(crate) fn program_test(
    program: &entity::program::Model,
    ProgramTest(field, op): &ProgramTest,
) -> bool {
    match field {
        ProgramField::Name => folded(Some(&program.name), op),
        ProgramField::Id => op.holds(&program.id.into()),
        ProgramField::ExternalId => op.holds(&program.external_id.clone().into()),
        ProgramField::Currency => op.holds(&program.currency.clone().into()),
    }
}

pub(crate) fn ad_space_test(
    space: &entity::ad_space::Model,
    AdSpaceTest(field, op): &AdSpaceTest,
) -> bool {
    match field {
        AdSpaceField::Name => folded(Some(&space.name), op),
        AdSpaceField::Id => op.holds(&space.id.into()),
        AdSpaceField::ExternalId => op.holds(&space.external_id.clone().into()),
    }
}

pub(crate) fn user_test(facts: &Facts, user: &entity::user::Model, test: &UserTest) -> bool {
    let (field, op) = match test {
        UserTest::Field(field, op) => (field, op),
        UserTest::Segment(named) => return in_segments(facts, named, user.id),
        UserTest::BuiltIn(built_in) => return in_built_in(built_in, user.id),
    };
    match field {
        UserField::Id => op.holds(&user.id.into()),
        UserField::Value => op.holds(&user.value.clone().into()),
        UserField::UserSpace => op.holds(&user.user_space.clone().into()),
        UserField::FirstSeen => op.holds(&user.first_seen_us.into()),
    }
}

/// Sums in the making: actions are counted once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    seen: BTreeSet<Uuid>,
    pub units: i64,
    money: BTreeMap<String, (i64, i64)>,
}

impl Tally {
    /// Adds an item's line.
    pub(crate) fn item(&mut self, action: &Action, item: &Item) {
        self.seen.insert(action.id);
        self.units += i64::from(item.units);
        self.pay(action, item.amount_e4, item.reward_e4);
    }

    /// Adds an action's own figures, and its items' units.
    pub(crate) fn action(&mut self, facts: &Facts, action: &Action) {
        self.seen.insert(action.id);
        self.units += facts
            .cart(action.id)
            .iter()
            .map(|item| i64::from(item.units))
            .sum::<i64>();
        self.pay(
            action,
            action.order_amount_e4.unwrap_or(0),
            action.reward_e4,
        );
    }

    fn pay(&mut self, action: &Action, amount: i64, reward: i64) {
        let money = self.money.entry(action.currency.clone()).or_default();
        money.0 += amount;
        money.1 += reward;
    }

    pub(crate) fn sums(&self) -> Sums {
        let money = self
            .money
            .iter()
            .map(|(code, (amount, reward))| CurrencySums {
                currency: Currency::parse(code).unwrap(),
                order_amount_e4: *amount,
                reward_e4: *reward,
            });
        Sums {
            actions: i64::try_from(self.seen.len()).unwrap(),
            units: self.units,
            money: money.collect(),
        }
    }

    /// The value that a ranking goes by; none where it ranks in a currency that this has nothing of.
    pub(crate) fn metric(&self, by: RankBy) -> Option<i64> {
        match by {
            RankBy::Units => Some(self.units),
            RankBy::Actions => Some(i64::try_from(self.seen.len()).unwrap()),
            RankBy::OrderAmount(currency) => Some(self.money.get(currency.as_str())?.0),
            RankBy::Reward(currency) => Some(self.money.get(currency.as_str())?.1),
        }
    }
}

/// The groups that an item or action is in: as many as it has, each with its key; `None` within is the group of none.
fn keys(facts: &Facts, action: &Action, item: &Item, group: SalesGroup) -> Option<Option<Uuid>> {
    let at_level = |level: i32| {
        item.category_id.map(|own| {
            let line = line_up(facts, own);
            let found = line.iter().find(|id| facts.categories[*id].level == level);
            *found.unwrap_or(&own)
        })
    };
    match group {
        SalesGroup::Product => item.product_id.map(Some),
        SalesGroup::CategoryLevel1 => Some(at_level(1)),
        SalesGroup::CategoryLevel2 => Some(at_level(2)),
        SalesGroup::CategoryOwn => Some(item.category_id),
        SalesGroup::User => Some(action.user_id),
    }
}

/// All groups of the counted facts.
pub(crate) fn groups(
    facts: &Facts,
    query: &FactQuery,
    group: SalesGroup,
) -> HashMap<Option<Uuid>, Tally> {
    let mut found: HashMap<Option<Uuid>, Tally> = HashMap::new();
    for action in counted(facts, query) {
        if group == SalesGroup::User {
            found
                .entry(action.user_id)
                .or_default()
                .action(facts, action);
            continue;
        }
        for item in facts.cart(action.id) {
            if let Some(key) = keys(facts, action, item, group) {
                found.entry(key).or_default().item(action, item);
            }
        }
    }
    found
}

/// The products of one parent group.
pub(crate) fn products_of(
    facts: &Facts,
    query: &FactQuery,
    parent: SalesGroup,
    key: Option<Uuid>,
) -> HashMap<Option<Uuid>, Tally> {
    let mut found: HashMap<Option<Uuid>, Tally> = HashMap::new();
    for action in counted(facts, query) {
        for item in facts.cart(action.id) {
            if keys(facts, action, item, parent) == Some(key) && item.product_id.is_some() {
                found.entry(item.product_id).or_default().item(action, item);
            }
        }
    }
    found
}

/// Groups in the order of their ranks: largest first, ties by id, the group of none before all ids. Each rank is one more
/// than the number of groups with a larger value.
pub(crate) fn rank(groups: &HashMap<Option<Uuid>, Tally>, by: RankBy) -> Vec<SalesRow> {
    let mut rows: Vec<(i64, Option<Uuid>, Sums)> = groups
        .iter()
        .filter_map(|(key, tally)| Some((tally.metric(by)?, *key, tally.sums())))
        .collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    rows.iter()
        .map(|(metric, key, sums)| SalesRow {
            key: *key,
            rank: 1 + i64::try_from(rows.iter().filter(|row| row.0 > *metric).count()).unwrap(),
            metric: *metric,
            sums: sums.clone(),
        })
        .collect()
}

/// A day of a column.
pub(crate) fn day(days: i32) -> Day {
    Day::from_days(days).unwrap()
}
