//! Filters, orders and ranges as callers write them: read from GraphQL values, as execution reads them.

use async_graphql::{InputType, Value as Given};
use uuid::Uuid;

use super::action_filter::{ActionFilter, only_currency};
use super::order::{ActionOrder, check_money};
use super::range::RangeInput;
use super::reader::{Conditions as _, Reader};
use super::rule::SegmentRuleInput;
use super::rules::{ProductRulesInput, UserRulesInput};
use crate::access::user_ids::UserIds;
use crate::domain::filter::{
    ActionField, ActionTest, CategoryField, CategoryTest, Filter, ItemTest, MAX_DEPTH, MAX_TESTS,
    MAX_VALUES, Op, ProductField, ProductTest, Quantifier, Value,
};
use crate::domain::money::Currency;
use crate::domain::page::{Direction, MAX_SORT_KEYS, Nulls};
use crate::domain::query_limits::QueryLimits;
use crate::domain::rule::{MAX_STORED_DEPTH, Rule};
use crate::domain::sales::RankBy;
use crate::domain::segment::{HighValue, ProductSettings, UserSettings};
use crate::domain::time::Instant;
use crate::graphql::id::Kind;
use crate::store::actions::ActionSort;

fn given(json: serde_json::Value) -> Given {
    Given::from_json(json).unwrap()
}

fn parsed<T: InputType>(json: serde_json::Value) -> T {
    T::parse(Some(given(json)))
        .map_err(|error| {
            error
                .into_server_error(async_graphql::Pos::default())
                .message
        })
        .unwrap()
}

fn read(json: serde_json::Value) -> Result<Filter<ActionTest>, String> {
    let given = parsed::<ActionFilter>(json);
    Reader::new(
        "filter",
        Instant::MIN,
        UserIds::as_stored(),
        QueryLimits::default(),
    )
    .nested(ActionFilter::KIND, |reader| given.read(reader))
    .map_err(|failure| failure.to_string())
}

fn field(field: ActionField, op: Op) -> Filter<ActionTest> {
    Filter::Test(ActionTest::Field(field, op))
}

#[test]
fn operators_become_conditions_that_all_must_hold() {
    let read = read(serde_json::json!({
        "status": {"in": ["APPROVED", "APPROVED_BUT_STALLED"]},
        "reward": {"gte": "1.5", "lt": 2},
        "orderedAt": {"gt": "1970-01-01T00:00:01Z"},
        "closingDate": {"isNull": true},
        "country": {"ne": "pl"},
    }));
    let expected = Filter::All(vec![
        field(
            ActionField::Status,
            Op::In(vec!["APPROVED".into(), "APPROVED_BUT_STALLED".into()]),
        ),
        field(ActionField::Reward, Op::Lt(20_000.into())),
        field(ActionField::Reward, Op::Gte(15_000.into())),
        field(ActionField::OrderedAt, Op::Gt(1_000_000.into())),
        field(ActionField::ClosingDay, Op::IsNull(true)),
        field(ActionField::Country, Op::Ne("PL".into())),
    ]);
    assert_eq!(read, Ok(expected));
}

#[test]
fn empty_filters_and_lists_mean_what_logic_says() {
    assert_eq!(read(serde_json::json!({})), Ok(Filter::All(vec![])));
    assert_eq!(
        read(serde_json::json!({"and": []})),
        Ok(Filter::All(vec![]))
    );
    assert_eq!(read(serde_json::json!({"or": []})), Ok(Filter::Any(vec![])));
    let nothing = Filter::Not(Box::new(Filter::All(vec![])));
    assert_eq!(read(serde_json::json!({"not": {}})), Ok(nothing));
    let none = read(serde_json::json!({"status": {"in": []}}));
    assert_eq!(none, Ok(field(ActionField::Status, Op::In(vec![]))));
}

#[test]
fn conditions_on_carts_reach_products_and_the_tree_of_categories() {
    let category = Kind::Category.id(Uuid::from_u128(7));
    let read = read(serde_json::json!({"items": {"some": {
        "product": {"isHot": {"eq": true}},
        "category": {"within": [category.as_str()]},
    }}}));
    let hot = ProductTest::Field(ProductField::IsHot, Op::Eq(true.into()));
    let within = CategoryTest(
        CategoryField::Within,
        Op::In(vec![Value::Id(Uuid::from_u128(7))]),
    );
    let item = Filter::All(vec![
        Filter::Test(ItemTest::Product(Filter::Test(hot))),
        Filter::Test(ItemTest::Category(Filter::Test(within))),
    ]);
    let items = Filter::Test(ActionTest::Items(Quantifier::Some, item));
    assert_eq!(read, Ok(Filter::All(vec![items])));
}

#[test]
fn what_would_silently_drop_a_condition_is_refused() {
    let null = read(serde_json::json!({"orderId": {"eq": null}})).unwrap_err();
    assert!(
        null.contains("filter.orderId.eq") && null.contains("isNull"),
        "{null}"
    );
    let foreign = Kind::Product.id(Uuid::nil());
    let foreign = read(serde_json::json!({"id": {"in": [foreign.as_str()]}})).unwrap_err();
    assert!(
        foreign.contains("filter.id.in") && foreign.contains("Action"),
        "{foreign}"
    );
    let nul = read(serde_json::json!({"program": {"name": {"contains": "a\u{0}"}}})).unwrap_err();
    assert!(
        nul.contains("filter.program.name.contains") && nul.contains("U+0000"),
        "{nul}"
    );
}

#[test]
fn limits_on_filters_are_named() {
    let nested = |levels: usize| {
        let inner = serde_json::json!({"paid": {"eq": true}});
        (1..levels).fold(inner, |inner, _| serde_json::json!({"not": inner}))
    };
    assert!(read(nested(MAX_DEPTH)).is_ok());
    assert!(read(nested(MAX_DEPTH + 1)).unwrap_err().contains("12"));
    let wide = |count: usize| {
        let one = serde_json::json!({"paid": {"eq": true}});
        serde_json::json!({ "and": vec![one; count] })
    };
    assert!(read(wide(MAX_TESTS)).is_ok());
    assert!(read(wide(MAX_TESTS + 1)).unwrap_err().contains("200"));
    let long = |count: usize| serde_json::json!({"orderId": {"in": vec!["x"; count]}});
    assert!(read(long(MAX_VALUES)).is_ok());
    assert!(read(long(MAX_VALUES + 1)).unwrap_err().contains("1001"));
}

#[test]
fn orders_have_directions_places_for_nulls_and_a_default() {
    let orders: Vec<ActionOrder> = parsed(serde_json::json!([
        {"field": "CLICKED_AT", "direction": "ASC", "nulls": "FIRST"},
        {"field": "COUNTRY"},
    ]));
    let keys = ActionOrder::keys(Some(&orders), MAX_SORT_KEYS).unwrap();
    let shown: Vec<_> = keys
        .iter()
        .map(|key| (key.field, key.direction, key.nulls))
        .collect();
    let clicked = (ActionSort::ClickedAt, Direction::Asc, Nulls::First);
    assert_eq!(
        shown,
        [clicked, (ActionSort::Country, Direction::Desc, Nulls::Last)]
    );
    let own = ActionOrder::keys(None, MAX_SORT_KEYS).unwrap();
    assert_eq!(
        (own[0].field, own[0].direction),
        (ActionSort::OrderedAt, Direction::Desc)
    );
    assert_eq!(ActionOrder::keys(Some(&[]), MAX_SORT_KEYS).unwrap(), own);

    let twice: Vec<ActionOrder> =
        parsed(serde_json::json!([{"field": "STATUS"}, {"field": "STATUS", "direction": "ASC"}]));
    assert!(
        ActionOrder::keys(Some(&twice), MAX_SORT_KEYS)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
    let fields = [
        "STATUS",
        "COUNTRY",
        "ORDER_ID",
        "EXTERNAL_ID",
        "CLICKED_AT",
        "ORDERED_AT",
    ];
    let many = fields.map(|field| serde_json::json!({ "field": field }));
    let many: Vec<ActionOrder> = parsed(serde_json::Value::from(many.to_vec()));
    assert!(
        ActionOrder::keys(Some(&many), MAX_SORT_KEYS)
            .unwrap_err()
            .to_string()
            .contains('6')
    );
}

#[test]
fn money_is_ordered_in_one_currency_only() {
    let orders: Vec<ActionOrder> = parsed(serde_json::json!([{"field": "REWARD"}]));
    let keys = ActionOrder::keys(Some(&orders), MAX_SORT_KEYS).unwrap();
    for certain in [
        serde_json::json!({"currency": {"eq": "USD"}}),
        serde_json::json!({"currency": {"in": ["usd"]}, "paid": {"eq": true}}),
        serde_json::json!({"and": [{"paid": {"eq": true}}, {"currency": {"eq": "USD"}}]}),
        serde_json::json!({"or": [{"currency": {"eq": "USD"}}]}),
    ] {
        let filter = read(certain.clone()).unwrap();
        assert_eq!(
            only_currency(&filter)
                .map(|code| code.to_string())
                .as_deref(),
            Some("USD"),
            "{certain}"
        );
        assert!(check_money(&keys, &filter).is_ok(), "{certain}");
    }
    for open in [
        serde_json::json!({}),
        serde_json::json!({"currency": {"in": ["USD", "RUB"]}}),
        serde_json::json!({"currency": {"ne": "USD"}}),
        serde_json::json!({"not": {"currency": {"eq": "USD"}}}),
        serde_json::json!({"or": [{"currency": {"eq": "USD"}}, {"paid": {"eq": true}}]}),
    ] {
        let filter = read(open.clone()).unwrap();
        let error = check_money(&keys, &filter).unwrap_err().to_string();
        assert!(error.contains("currency"), "{open}: {error}");
    }
}

#[test]
fn ranges_take_exactly_one_way() {
    let _: RangeInput = parsed(serde_json::json!({"last": {"count": 1, "unit": "DAY"}}));
    let _: RangeInput = parsed(serde_json::json!({"preset": "THIS_MONTH"}));
    let both = given(serde_json::json!({"preset": "TODAY", "last": {"count": 1, "unit": "DAY"}}));
    assert!(RangeInput::parse(Some(both)).is_err());
    assert!(RangeInput::parse(Some(given(serde_json::json!({})))).is_err());
    let half = given(serde_json::json!({"days": {"from": "2026-02-30", "to": "2026-03-01"}}));
    assert!(RangeInput::parse(Some(half)).is_err());
}

#[test]
fn rules_are_settings_with_what_was_given_on_top() {
    let set = ProductSettings {
        best_sellers: Some(7),
        risky_percent: Some(20),
        ..ProductSettings::default()
    };
    let rules = |given: serde_json::Value| {
        let mut settings = set;
        let problems = parsed::<ProductRulesInput>(given).onto(&mut settings);
        assert_eq!(problems, []);
        settings.rules(Currency::USD)
    };
    let kept = rules(serde_json::json!({})).unwrap();
    assert_eq!((kept.best_sellers, kept.risky_percent), (7, 20));
    let given = rules(serde_json::json!({"bestSellers": 9, "riskyPercent": null})).unwrap();
    assert_eq!((given.best_sellers, given.risky_percent), (9, 50));
    for (name, value) in [
        ("bestSellers", 0),
        ("riskyPercent", 101),
        ("abcBPercent", 79),
        ("changeUnits", -1),
    ] {
        let problems = rules(serde_json::json!({ name: value })).unwrap_err();
        let [problem] = &problems[..] else {
            panic!("{problems:?}");
        };
        assert_eq!(problem.place, [name]);
        assert!(problem.message.contains(&value.to_string()), "{problem:?}");
    }
}

#[test]
fn amounts_rank_products_in_one_currency_and_units_in_all() {
    let rub = Currency::parse("RUB").unwrap();
    let mut settings = ProductSettings::default();
    let mut lay = |given: serde_json::Value| {
        let problems = parsed::<ProductRulesInput>(given).onto(&mut settings);
        let places: Vec<Vec<&str>> = problems.into_iter().map(|problem| problem.place).collect();
        (places, settings.rules(Currency::USD).unwrap().rank_by)
    };
    let amount = lay(serde_json::json!({"rankBy": "ORDER_AMOUNT"}));
    assert_eq!(amount, (vec![], RankBy::OrderAmount(Currency::USD)));
    let reward = lay(serde_json::json!({"rankBy": "REWARD", "currency": "RUB"}));
    assert_eq!(reward, (vec![], RankBy::Reward(rub)));
    // Units take no notice of a currency that was set before, and refuse one beside them.
    let units = lay(serde_json::json!({"rankBy": null}));
    assert_eq!(units, (vec![], RankBy::Units));
    let refused = lay(serde_json::json!({"currency": "USD"}));
    assert_eq!(refused, (vec![vec!["currency"]], RankBy::Units));
    let actions = given(serde_json::json!({"rankBy": "ACTIONS"}));
    assert!(ProductRulesInput::parse(Some(actions)).is_err());
}

#[test]
fn scores_are_cut_at_four_values() {
    let mut settings = UserSettings::default();
    let input: UserRulesInput = parsed(serde_json::json!({
        "scoring": {"percentiles": [10, 20, 30]}, "highValue": {"topPercent": 5}
    }));
    let problems = input.onto(&mut settings);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].place, ["scoring", "percentiles"]);
    assert_eq!(settings.scoring, None);
    assert_eq!(settings.high_value, Some(HighValue::TopPercent(5)));
    let input: UserRulesInput = parsed(serde_json::json!({
        "scoring": {"thresholds": {"recencyDays": [7, 30, 60, 90], "actions": [2, 3, 5, 10],
            "amounts": ["10", "20.5", "50", "100"], "currency": "USD"}},
        "highValue": null
    }));
    assert_eq!(input.onto(&mut settings), []);
    let rules = settings.rules(Currency::parse("RUB").unwrap()).unwrap();
    assert_eq!(
        rules.currency,
        Currency::USD,
        "thresholds name the currency"
    );
    assert_eq!(rules.high_value, HighValue::default());
}

/// A rule of users that nests so many filters by these combinations in turn, around one that has `last` as well.
fn nesting(levels: usize, by: &[&str], last: &serde_json::Value) -> serde_json::Value {
    let plain = serde_json::json!({"clickCountry": {"eq": "PL"}});
    let mut rule = plain.clone();
    for (name, value) in last.as_object().unwrap() {
        rule[name] = value.clone();
    }
    for name in by.iter().cycle().take(levels - 1) {
        let inner = match *name {
            "not" => rule,
            _ => serde_json::json!([rule, plain]),
        };
        rule = plain.clone();
        rule[*name] = inner;
    }
    serde_json::json!({ "users": rule })
}

/// How a rule is read where filters may nest as deep as any setting allows.
fn read_rule(json: serde_json::Value) -> Result<Rule, String> {
    let given = parsed::<SegmentRuleInput>(json);
    let mut limits = QueryLimits::default();
    limits.filters.depth = MAX_STORED_DEPTH;
    let now = Instant::parse_rfc3339("2026-07-01T00:00:00Z").unwrap();
    let mut reader = Reader::new("rule", now, UserIds::as_stored(), limits);
    let read = given.read(&mut reader).map_err(|error| error.to_string());
    read.map(Option::unwrap)
}

/// On the stack that a thread of a server has.
#[test]
fn a_rule_of_the_greatest_depth_is_read_back_as_it_was_stored() {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let tried = thread.spawn(rules_of_the_greatest_depth).unwrap();
    tried.join().unwrap();
}

fn rules_of_the_greatest_depth() {
    let period = serde_json::json!({"last": {"count": 90, "unit": "DAY"}});
    let built_in = |kind: &str| serde_json::json!({"kind": kind, "period": period});
    // The levels that each of them has itself, the one that holds it left out.
    let ends = [
        (0, serde_json::json!({"builtInSegment": built_in("NEW")})),
        (
            1,
            serde_json::json!({"user": {"value": {"in": ["u"]}, "builtInSegment": built_in("NEW")}}),
        ),
        (
            4,
            serde_json::json!({"metric": {"metric": "ACTIONS", "atLeast": 1, "period": period, "actions": {
                "country": {"in": ["PL", "DE"]},
                "items": {"some": {"units": {"gt": 1}, "product": {
                    "name": {"in": ["Lamp"]},
                    "category": {"name": {"in": ["Food", "Home"]}, "level": {"eq": 1}}
                }}}
            }}}),
        ),
    ];
    for (own, end) in &ends {
        for by in [&["or"][..], &["or", "and", "not"], &["not", "or"]] {
            let levels = MAX_STORED_DEPTH - own;
            let rule = read_rule(nesting(levels, by, end)).unwrap();
            let text = rule.to_text().unwrap();
            assert_eq!(Rule::from_text(&text).unwrap(), rule, "{text}");
            let refused = read_rule(nesting(levels + 1, by, end)).unwrap_err();
            assert!(
                refused.contains("levels that a filter may nest"),
                "{refused}"
            );
        }
    }
}
