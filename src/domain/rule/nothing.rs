//! What a rule asks of the facts, and what it says of who has none: columns of facts in memory do not know them.

use super::{Condition, Measure, Rule};
use crate::domain::filter::{Filter, Op};

/// What may be true of somebody without a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct May {
    hold: bool,
    fail: bool,
}

impl May {
    fn surely(holds: bool) -> Self {
        Self {
            hold: holds,
            fail: !holds,
        }
    }
}

fn of_condition<T>(condition: &Condition<T>) -> May {
    match condition {
        // Fields of its own, and lists, do not depend on facts.
        Condition::Own(_) | Condition::Members(_) => May {
            hold: true,
            fail: true,
        },
        Condition::ClickCountry(op) => May::surely(*op == Op::IsNull(true)),
        Condition::Threshold(threshold) => {
            let is_zero = threshold.measure.metric.is_zero_of_nothing();
            May::surely(is_zero && threshold.holds(0))
        }
        Condition::Rank(_) => May::surely(false),
    }
}

fn of_tree<T>(tree: &Filter<Condition<T>>) -> May {
    let all = |parts: &[Filter<Condition<T>>], start, add: fn(May, May) -> May| {
        parts.iter().map(of_tree).fold(May::surely(start), add)
    };
    match tree {
        Filter::All(parts) => all(parts, true, |one, other| May {
            hold: one.hold && other.hold,
            fail: one.fail || other.fail,
        }),
        Filter::Any(parts) => all(parts, false, |one, other| May {
            hold: one.hold || other.hold,
            fail: one.fail && other.fail,
        }),
        Filter::Not(part) => {
            let part = of_tree(part);
            May {
                hold: part.fail,
                fail: part.hold,
            }
        }
        Filter::Test(condition) => of_condition(condition),
    }
}

fn is_measured<T>(tree: &Filter<Condition<T>>) -> bool {
    tree.mentions(&|condition: &Condition<T>| {
        !matches!(condition, Condition::Own(_) | Condition::Members(_))
    })
}

impl<T> Condition<T> {
    /// What it measures, beside the click country of the latest action.
    #[must_use]
    pub fn measure(&self) -> Option<&Measure> {
        match self {
            Self::Own(_) | Self::ClickCountry(_) | Self::Members(_) => None,
            Self::Threshold(threshold) => Some(&threshold.measure),
            Self::Rank(rank) => Some(&rank.measure),
        }
    }
}

impl Rule {
    /// Whether it asks the facts itself, beside segments that it names.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        match self {
            Self::Users(tree) => is_measured(tree),
            Self::Products(tree) => is_measured(tree),
        }
    }

    /// Whether it may let in who has no fact before the moment: never said too seldom.
    #[must_use]
    pub fn may_hold_of_nothing(&self) -> bool {
        let may = match self {
            Self::Users(tree) => of_tree(tree),
            Self::Products(tree) => of_tree(tree),
        };
        may.hold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filter::UserTest;
    use crate::domain::rule::{Metric, Threshold};

    fn actions(at_least: Option<i64>, at_most: Option<i64>) -> Filter<Condition<UserTest>> {
        Filter::Test(Condition::Threshold(Threshold {
            measure: Measure {
                metric: Metric::Actions,
                currency: None,
                period: None,
                actions: Filter::default(),
                items: None,
            },
            at_least,
            at_most,
        }))
    }

    fn country(op: Op) -> Filter<Condition<UserTest>> {
        Filter::Test(Condition::ClickCountry(op))
    }

    #[test]
    fn who_has_no_fact_is_let_in_by_what_asks_for_none() {
        let own = || Filter::Test(Condition::Own(Filter::<UserTest>::default()));
        let poland = || country(Op::Eq("PL".into()));
        let (some, none) = (|| actions(Some(2), None), || actions(None, Some(0)));
        for (tree, may) in [
            (some(), false),
            (none(), true),
            (own(), true),
            (poland(), false),
            (country(Op::IsNull(true)), true),
            (country(Op::IsNull(false)), false),
            (Filter::Not(Box::new(some())), true),
            (Filter::Not(Box::new(own())), true),
            (Filter::Not(Box::new(none())), false),
            (Filter::All(vec![poland(), none()]), false),
            (Filter::All(vec![own(), none()]), true),
            (Filter::All(Vec::new()), true),
            (Filter::Any(vec![poland(), some()]), false),
            (Filter::Any(vec![poland(), none()]), true),
            (Filter::Any(Vec::new()), false),
        ] {
            let text = format!("{tree:?}");
            assert_eq!(Rule::Users(tree).may_hold_of_nothing(), may, "{text}");
        }
        assert!(!Rule::Users(own()).is_measured());
        assert!(Rule::Users(Filter::Any(vec![own(), poland()])).is_measured());
    }
}
