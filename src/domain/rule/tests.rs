//! Rules are stored and read back, bounded, and put into words.

use super::*;
use crate::domain::filter::{ProductField, UserField, Value};
use crate::domain::segment::{ProductSegment, UserSegment};
use crate::domain::time::Unit;
use proptest::collection::vec;
use proptest::prelude::*;

fn zone() -> Zone {
    Zone::UTC
}

fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

fn measure(metric: Metric) -> Measure {
    Measure {
        metric,
        currency: metric.is_of_money().then_some(Currency::USD),
        period: None,
        actions: Filter::default(),
        items: None,
    }
}

fn named(inside: bool, ids: &[u128]) -> UserTest {
    let segments = ids.iter().map(|id| Uuid::from_u128(*id).into()).collect();
    UserTest::Segment(InSegments { inside, segments })
}

fn users(test: UserTest) -> Rule {
    Rule::Users(Filter::Test(Condition::Own(Filter::Test(test))))
}

fn segment(id: u128, name: &str) -> Segment {
    Segment {
        id: Uuid::from_u128(id),
        subject: Subject::Users,
        name: name.to_owned(),
        description: String::new(),
        version: 1,
        created_at: Instant::MIN,
        updated_at: Instant::MIN,
        frozen_at: None,
        frozen_from: None,
        archived_at: None,
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Int),
        ".{0,6}".prop_map(Value::Text),
        any::<u128>().prop_map(|id| Value::Id(Uuid::from_u128(id))),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        value().prop_map(Op::Eq),
        vec(value(), 0..3).prop_map(Op::NotIn),
        ".{0,4}".prop_map(Op::Contains),
        any::<bool>().prop_map(Op::IsNull),
    ]
}

fn range() -> impl Strategy<Value = Option<Range>> {
    prop_oneof![
        Just(None),
        (1u32..400, any::<bool>()).prop_map(|(count, whole_units)| Some(Range::Last {
            count,
            unit: Unit::Day,
            whole_units
        })),
        (0i64..9_000_000_000_000_000, 0i64..9_000_000_000).prop_map(|(from, length)| {
            Some(Range::Between {
                from: Instant::nearest(from),
                to: Instant::nearest(from + length),
            })
        }),
    ]
}

fn any_measure() -> impl Strategy<Value = Measure> {
    (
        proptest::sample::select(Metric::ALL.to_vec()),
        range(),
        op(),
        any::<bool>(),
    )
        .prop_map(|(metric, period, by, of_items)| Measure {
            period,
            actions: Filter::Test(ActionTest::Field(ActionField::Status, by)),
            items: of_items.then(|| {
                Filter::Not(Box::new(Filter::Test(ItemTest::Product(Filter::Test(
                    ProductTest::Field(ProductField::IsHot, Op::Eq(Value::Flag(true))),
                )))))
            }),
            ..measure(metric)
        })
}

fn built_in() -> impl Strategy<Value = BuiltIn> {
    let kind = proptest::sample::select(UserSegment::ALL.to_vec());
    let origin = proptest::option::of(".{0,3}");
    (kind, origin, range(), any::<bool>()).prop_map(|(kind, origin, period, is_in_currency)| {
        BuiltIn {
            kind: BuiltInKind::Users { kind, origin },
            period,
            currency: is_in_currency.then_some(Currency::USD),
            members: None,
        }
    })
}

fn condition() -> impl Strategy<Value = Condition<UserTest>> {
    prop_oneof![
        op().prop_map(|by| Condition::Own(Filter::Test(UserTest::Field(UserField::Value, by)))),
        (any::<bool>(), vec(any::<u128>(), 0..3))
            .prop_map(|(inside, ids)| Condition::Own(Filter::Test(named(inside, &ids)))),
        op().prop_map(Condition::ClickCountry),
        (any_measure(), any::<Option<i64>>(), any::<Option<i64>>()).prop_map(
            |(measure, at_least, at_most)| Condition::Threshold(Threshold {
                measure,
                at_least,
                at_most
            })
        ),
        (any_measure(), any::<bool>(), any::<u32>()).prop_map(|(measure, is_largest, count)| {
            let take = if is_largest {
                Take::Count(count)
            } else {
                Take::PercentE4(count)
            };
            Condition::Rank(Rank {
                measure,
                is_largest,
                take,
            })
        }),
        built_in().prop_map(|one| Condition::Own(Filter::Test(UserTest::BuiltIn(Box::new(one))))),
        (vec(any::<u128>(), 0..3), vec(".{0,6}", 0..3)).prop_map(|(ids, names)| {
            let ids = ids.into_iter().map(Uuid::from_u128).collect();
            Condition::Members(Members { ids, names })
        }),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let leaf = condition().prop_map(Filter::Test);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Filter::All),
            vec(inner.clone(), 0..3).prop_map(Filter::Any),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
    .prop_map(Rule::Users)
}

proptest! {
    #[test]
    fn a_stored_rule_is_read_back_exactly(rule in rule()) {
        let text = rule.to_text().unwrap();
        let read = Rule::from_text(&text).unwrap();
        prop_assert_eq!(&read, &rule);
        prop_assert_eq!(read.to_text().unwrap(), text);
        prop_assert!(!rule.sentence(&Called::new()).is_empty());
    }
}

/// Likewise of built-in segments.
#[test]
fn the_stored_form_of_a_built_in_segment_is_this_text() {
    let one = BuiltIn {
        kind: BuiltInKind::Products(ProductSegment::AbcA),
        period: Some(Range::Last {
            count: 90,
            unit: Unit::Day,
            whole_units: false,
        }),
        currency: None,
        members: None,
    };
    let rule = Rule::Products(Filter::Test(Condition::Own(Filter::Test(
        ProductTest::BuiltIn(Box::new(one)),
    ))));
    assert_eq!(
        rule.to_text().unwrap(),
        r#"{"version":1,"rule":{"Products":{"Test":{"Own":{"Test":{"BuiltIn":{"kind":{"Products":"AbcA"},"period":{"Last":{"count":90,"unit":"Day","whole_units":false}},"currency":null}}}}}}}"#
    );
    assert_eq!(
        rule.sentence(&Called::new()),
        "Products: in the built-in segment ABC_A in the last 90 days"
    );
    let size = rule.size();
    assert_eq!(
        (size.tests, size.measures),
        (1, 1),
        "it is divided like something measured"
    );
}

#[test]
fn of_listed_members_the_first_that_have_a_name_are_called_by_it() {
    let id = Uuid::from_u128(1);
    let key = |number: u8| format!("id:{number}");
    let rule = |names: u8| {
        Rule::Products(Filter::Test(Condition::Members(Members {
            ids: vec![id],
            names: (1..=names).map(key).collect(),
        })))
    };
    let things: Vec<(Thing, Name)> = rule(9).things().into_iter().collect();
    let of = |name: Name| (Thing::Product, name);
    assert_eq!(
        things,
        [
            of(Name::Id(id)),
            of(Name::Listed(key(1))),
            of(Name::Listed(key(2)))
        ]
    );
    let mut called = Called::new();
    assert_eq!(rule(9).sentence(&called), "Products: one of 10 listed");
    // One that is there and has no name, and one that is not there.
    called.insert(of(Name::Id(id)), None);
    called.insert(of(Name::Listed(key(2))), Some("\"Lamp\"".to_owned()));
    assert_eq!(
        rule(9).sentence(&called),
        "Products: one of 10 listed: \"Lamp\" and 9 more"
    );
    called.insert(of(Name::Id(id)), Some("\"Chair\"".to_owned()));
    called.insert(of(Name::Listed(key(1))), Some("\"Desk\"".to_owned()));
    assert_eq!(
        rule(2).sentence(&called),
        "Products: one of 3 listed: \"Chair\", \"Desk\", \"Lamp\""
    );
}

/// What is stored stays readable: a variant that is renamed fails here.
#[test]
fn the_stored_form_is_this_text() {
    let rule = Rule::Users(Filter::All(vec![
        Filter::Test(Condition::ClickCountry(Op::Eq("PL".into()))),
        Filter::Test(Condition::Own(Filter::Test(named(false, &[7])))),
        Filter::Test(Condition::Threshold(Threshold {
            measure: Measure {
                period: Some(Range::Last {
                    count: 90,
                    unit: Unit::Day,
                    whole_units: false,
                }),
                ..measure(Metric::Reward)
            },
            at_least: Some(20_000),
            at_most: None,
        })),
    ]));
    let text = concat!(
        r#"{"version":1,"rule":{"Users":{"All":[{"Test":{"ClickCountry":{"Eq":{"Text":"PL"}}}},"#,
        r#"{"Test":{"Own":{"Test":{"Segment":{"inside":false,"segments":[{"id":"00000000-0000-0000-0000-000000000007"}]}}}}},"#,
        r#"{"Test":{"Threshold":{"measure":{"metric":"Reward","currency":"USD","period":{"Last":{"count":90,"unit":"Day","#,
        r#""whole_units":false}},"actions":{"All":[]},"items":null},"at_least":20000,"at_most":null}}}]}}}"#,
    );
    assert_eq!(rule.to_text().unwrap(), text);
    assert_eq!(
        rule.sentence(&Called::new()),
        "Users: (the click country of the latest action is \"PL\" and not in the segment another and reward in USD in the \
         last 90 days: at least 2.00 USD)"
    );
    assert!(Rule::from_text(&text.replace("\"version\":1", "\"version\":2")).is_err());
    assert!(Rule::from_text("{}").is_err());
}

#[test]
fn a_period_ends_where_the_moment_is() {
    let now = at("2026-05-03T10:00:00Z");
    let span = |period| {
        let measure = Measure {
            period,
            ..measure(Metric::Actions)
        };
        measure.span(now, zone())
    };
    let all = span(None);
    assert_eq!((all.from, all.to), (Instant::MIN, now));
    let year = span(Some(Range::Between {
        from: at("2026-01-01T00:00:00Z"),
        to: at("2027-01-01T00:00:00Z"),
    }));
    assert_eq!((year.from, year.to), (at("2026-01-01T00:00:00Z"), now));
    let later = span(Some(Range::Between {
        from: at("2026-06-01T00:00:00Z"),
        to: at("2027-01-01T00:00:00Z"),
    }));
    assert!(later.is_empty());
    let long = Range::Last {
        count: 50,
        unit: Unit::Year,
        whole_units: false,
    };
    let early = Measure {
        period: Some(long),
        ..measure(Metric::Actions)
    };
    let early = early.span(at("1980-01-01T00:00:00Z"), zone());
    assert_eq!(
        early.from,
        Instant::MIN,
        "what would begin before 1970 is all time"
    );
}

#[test]
fn what_leads_back_is_found_with_its_way() {
    let defined = Definitions::new([
        (segment(1, "one"), users(named(true, &[2]))),
        (segment(2, "two"), users(named(false, &[3]))),
        (segment(3, "three"), users(named(true, &[]))),
    ]);
    let one = Uuid::from_u128(1);
    let leads_back = users(named(true, &[1]));
    assert_eq!(
        defined.cycle(Uuid::from_u128(3), &leads_back),
        Some(["one", "two", "three"].map(str::to_owned).to_vec())
    );
    assert_eq!(defined.cycle(one, &users(named(true, &[2]))), None);
    assert_eq!(
        defined.cycle(one, &leads_back),
        Some(vec!["one".to_owned()])
    );
}

#[test]
fn what_is_named_counts_each_time_and_not_beyond_a_depth() {
    let chain = |length: u128| {
        Definitions::new((1..=length).map(|id| {
            let next: &[u128] = if id == length { &[] } else { &[id + 1] };
            (segment(id, &format!("s{id}")), users(named(true, next)))
        }))
    };
    let moment = Moment {
        publisher: PublisherId(1),
        at: Instant::MIN,
        zone: zone(),
    };
    let deep = u128::try_from(MAX_SEGMENT_DEPTH).unwrap() + 1;
    assert!(
        chain(deep)
            .set(Uuid::from_u128(1), moment, &Found::new())
            .is_ok()
    );
    let error = chain(deep + 1)
        .set(Uuid::from_u128(1), moment, &Found::new())
        .unwrap_err();
    assert!(error.message().contains("levels deep"), "{error}");
    let measured = Rule::Users(Filter::All(vec![
        Filter::Test(Condition::Threshold(
            Threshold {
                measure: measure(Metric::Actions),
                at_least: Some(1),
                at_most: None,
            }
        ));
        13
    ]));
    let twice = users(named(true, &[1, 1]));
    let defined = Definitions::new([(segment(1, "one"), measured), (segment(2, "two"), twice)]);
    assert!(
        defined
            .set(Uuid::from_u128(1), moment, &Found::new())
            .is_ok()
    );
    let error = defined
        .set(Uuid::from_u128(2), moment, &Found::new())
        .unwrap_err();
    assert!(error.message().contains("26 metrics"), "{error}");
}

#[test]
fn what_a_filter_names_has_limits_together_and_frozen_segments_are_conditions() {
    let moment = Moment {
        publisher: PublisherId(1),
        at: Instant::MIN,
        zone: zone(),
    };
    let listed = |count: usize| {
        let values = vec![Value::Text("x".to_owned()); count];
        users(UserTest::Field(UserField::Value, Op::In(values)))
    };
    let measured = Filter::Test(Condition::Threshold(Threshold {
        measure: measure(Metric::Actions),
        at_least: Some(1),
        at_most: None,
    }));
    let measured = Rule::Users(Filter::All(vec![measured; MAX_MEASURES]));
    let frozen = Segment {
        frozen_at: Some(Instant::MIN),
        ..segment(4, "frozen")
    };
    let defined = Definitions::new([
        (segment(1, "half"), listed(MAX_RULE_VALUES / 2)),
        (segment(2, "more"), listed(MAX_RULE_VALUES / 2 + 1)),
        (segment(3, "measured"), measured),
        (frozen, listed(MAX_RULE_VALUES + 1)),
    ]);
    let fill = |ids: &[u128]| {
        let mut filter = Filter::Test(named(true, ids));
        let checked = defined.check_named("filter", &mut filter);
        let filled = checked.and_then(|()| defined.fill_in(&mut filter, moment, &Found::new()));
        filled.map_err(|error| {
            assert_eq!(error.code(), crate::domain::error::Code::LimitExceeded);
            assert_eq!(error.field(), Some("filter"));
            error.message().to_owned()
        })
    };
    assert_eq!(fill(&[1, 1, 4]), Ok(()));
    let error = fill(&[1, 2]).unwrap_err();
    assert_eq!(
        error,
        "filter: the segments that it names have 4001 values in lists; 4000 are allowed together: name fewer, or freeze one \
         of them"
    );
    assert_eq!(fill(&[3; 5]), Ok(()));
    let error = fill(&[3; 6]).unwrap_err();
    assert!(error.contains("144 metrics; 120 are allowed"), "{error}");
    assert_eq!(fill(&[4; MAX_RULE_TESTS]), Ok(()));
    let error = fill(&[4; MAX_RULE_TESTS + 1]).unwrap_err();
    assert!(error.contains("301 conditions"), "{error}");
}

#[test]
fn what_is_read_for_a_set_is_all_that_it_measures_at_any_depth() {
    let at = at("2026-05-03T10:00:00Z");
    let moment = Moment {
        publisher: PublisherId(1),
        at,
        zone: zone(),
    };
    let days = |count| Measure {
        period: Some(Range::Last {
            count,
            unit: Unit::Day,
            whole_units: false,
        }),
        ..measure(Metric::Actions)
    };
    let over = |measure| {
        Filter::Test(Condition::Threshold(Threshold {
            measure,
            at_least: Some(1),
            at_most: None,
        }))
    };
    let within = |test| Filter::Test(Condition::Own(Filter::Test(test)));
    let frozen = Segment {
        frozen_at: Some(Instant::MIN),
        ..segment(3, "frozen")
    };
    let measured_of_a_segment = Measure {
        actions: Filter::Test(ActionTest::User(Filter::Test(named(false, &[1])))),
        ..days(7)
    };
    let country = Filter::Test(Condition::ClickCountry(Op::Eq("PL".into())));
    let defined = Definitions::new([
        (segment(1, "named"), Rule::Users(over(days(30)))),
        (
            segment(2, "deep"),
            Rule::Users(Filter::Any(vec![country, within(named(true, &[1]))])),
        ),
        (frozen, Rule::Users(over(days(400)))),
    ]);
    let rule = Rule::Users(Filter::All(vec![
        over(measured_of_a_segment),
        within(named(true, &[2, 3])),
        within(UserTest::Field(UserField::Value, Op::IsNull(false))),
    ]));
    let lengths = |set: &SegmentSet| {
        let spans = set.reads().into_iter();
        let days = spans.map(|span| {
            assert_eq!(span.to, at);
            (span.from > Instant::MIN).then(|| span.micros() / crate::domain::time::DAY_US)
        });
        let mut days: Vec<Option<i64>> = days.collect();
        days.sort_unstable();
        days
    };
    let set = defined.set_of(&rule, moment, &Found::new()).unwrap();
    // The click country is looked for among all actions.
    assert_eq!(lengths(&set), [None, Some(7), Some(30), Some(30)]);
    let frozen = defined
        .set(Uuid::from_u128(3), moment, &Found::new())
        .unwrap();
    assert_eq!(lengths(&frozen), []);
}
