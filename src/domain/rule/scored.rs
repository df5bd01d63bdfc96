//! Built-in segments that a rule asks for in a currency of their own: the publisher's settings have to go with it.

use super::{Definitions, Named, Refers as _, Rule, Subject};
use crate::domain::money::Currency;
use crate::domain::segment::{Problem, UserSettings};
use std::collections::BTreeSet;

/// What of some settings does not go with a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The segment's name.
    pub segment: String,
    /// The currency that its rule asks for.
    pub currency: Currency,
    /// What of the settings does not go with it.
    pub problem: Problem,
}

impl Rule {
    /// The currencies that it asks for built-in segments of users in, those of the segments that it names left out.
    #[must_use]
    pub fn scored_in(&self) -> BTreeSet<Currency> {
        let mut found = BTreeSet::new();
        self.clone().each(&mut |named| {
            if let Named::BuiltIn(built_in) = named
                && built_in.kind.subject() == Subject::Users
            {
                found.extend(built_in.currency);
            }
        });
        found
    }

    /// What of settings does not go with the currencies that it asks for, where `main` is the publisher's.
    #[must_use]
    pub fn unfit_settings(
        &self,
        settings: &UserSettings,
        main: Currency,
    ) -> Vec<(Currency, Problem)> {
        let mut found = Vec::new();
        for currency in self.scored_in() {
            let problems = in_currency(settings, currency).rules(main).err();
            let problems = problems.into_iter().flatten();
            found.extend(problems.map(|problem| (currency, problem)));
        }
        found
    }
}

fn in_currency(settings: &UserSettings, currency: Currency) -> UserSettings {
    UserSettings {
        currency: Some(currency),
        ..*settings
    }
}

impl Definitions {
    /// What of new settings does not go with segments that went with those before, where `main` is the publisher's currency.
    #[must_use]
    pub fn unfit_settings(
        &self,
        (before, after): (&UserSettings, &UserSettings),
        main: Currency,
    ) -> Vec<Unfit> {
        let mut found = Vec::new();
        for (segment, rule) in self.each() {
            for (currency, problem) in rule.unfit_settings(after, main) {
                if in_currency(before, currency).rules(main).is_ok() {
                    found.push(Unfit {
                        segment: segment.name.clone(),
                        currency,
                        problem,
                    });
                }
            }
        }
        found
    }
}
