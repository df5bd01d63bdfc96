//! Who is in built-in segments that conditions name: the divisions of `segments`, of which only the members are kept.

use super::segments::{ProductSegments, UserSegments, divided, products, user_facts};
use crate::domain::error::{Error, PassedLimit, Result};
use crate::domain::filter::Filter;
use crate::domain::money::Currency;
use crate::domain::rule::{Asked, AskedWhen, BuiltInKind, Found, MemberIds, Subject};
use crate::domain::sales::{AxisRange, DateAxis, FactQuery};
use crate::domain::scope::ReadScope;
use crate::domain::segment::{
    Problem, ProductRules, ProductSegment, SegmentSettings, UserRules, UserSegment,
};
use crate::domain::time::Span;
use crate::store::ReadTx;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The parameters that the publisher has set, and its main currency.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// What was set.
    pub settings: SegmentSettings,
    /// The currency of amounts where none was.
    pub main: Currency,
}

impl Parameters {
    /// The rules of user segments, with amounts in a currency where one is named.
    ///
    /// # Errors
    /// Where the settings do not go with that currency.
    pub fn of_users(&self, currency: Option<Currency>) -> Result<UserRules> {
        let mut settings = self.settings.users;
        settings.currency = currency.or(settings.currency);
        settings.rules(self.main).map_err(|all| refused(&all))
    }

    /// The rules of product segments.
    ///
    /// # Errors
    /// Where the settings do not go together.
    pub fn of_products(&self) -> Result<ProductRules> {
        let rules = self.settings.products.rules(self.main);
        rules.map_err(|all| refused(&all))
    }
}

/// That the publisher's settings do not go with what is asked.
fn refused(problems: &[Problem]) -> Error {
    let all: Vec<&str> = problems.iter().map(|one| one.message.as_str()).collect();
    Error::bad_input("builtInSegment.currency", all.join("; "))
}

/// The facts of a period: everything but declined actions.
fn facts(when: &AskedWhen) -> FactQuery {
    let range = AxisRange {
        axis: DateAxis::Ordered,
        span: when.facts,
        zone: when.zone,
    };
    FactQuery::counted(range, Filter::default())
}

/// Where recency is measured to: the end of the period, whenever the moment is.
fn scored(when: &AskedWhen) -> Span {
    Span {
        from: when.facts.from,
        to: when.end,
    }
}

/// How many ids of segments that were not asked for a request may keep.
const BESIDE: usize = 2_000_000;

/// How many ids a request may still keep.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Of segments that it asks for, before any was kept.
    most: usize,
    /// Of those, still.
    asked: usize,
    /// Of others of the same division.
    beside: usize,
}

impl Room {
    /// Room for so many ids of segments that are asked for.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self {
            most,
            asked: most,
            beside: BESIDE,
        }
    }

    /// Takes room for members of a segment that was asked for.
    fn take(&mut self, members: usize) -> Result<()> {
        let Some(left) = self.asked.checked_sub(members) else {
            let message = format!(
                "the built-in segments that the request asks for have more than {} members together, at each \
                 moment by itself: ask for fewer points of time or fewer segments, or in several requests",
                self.most
            );
            let passed = PassedLimit::of(
                "builtInMembers",
                self.most,
                (self.most - self.asked).saturating_add(members),
            );
            return Err(Error::limit("builtInSegment", passed, message));
        };
        self.asked = left;
        Ok(())
    }
}

/// Keeps members of what is asked for, and of all other segments of the same division as long as there is room: whoever asks
/// for them next needs no other.
fn keep(
    found: &mut Found,
    all: impl Iterator<Item = (Asked, Vec<Uuid>)>,
    asked: Vec<Asked>,
    room: &mut Room,
) -> Result<()> {
    let wanted: HashSet<Asked> = asked.into_iter().collect();
    for (one, members) in all {
        if wanted.contains(&one) {
            room.take(members.len())?;
        } else if let Some(left) = room.beside.checked_sub(members.len()) {
            room.beside = left;
        } else {
            continue;
        }
        found.insert(one, Arc::new(MemberIds::new(members)));
    }
    // Where nobody comes from, nobody is.
    for one in wanted {
        found.entry(one).or_default();
    }
    Ok(())
}

/// The members of what is asked for, all of one period together: two statements for each period of users, and for each
/// of products; less where columns in memory answer. `room` is how many ids may be kept.
///
/// # Errors
/// Where there are too many periods or members, the parameters do not go with a currency, or the database fails.
pub async fn find(
    tx: &ReadTx,
    scope: ReadScope,
    asked: HashSet<Asked>,
    parameters: &Parameters,
    room: &mut Room,
) -> Result<Found> {
    let mut found = Found::with_capacity(asked.len());
    let mut periods: HashMap<(Subject, AskedWhen), Vec<Asked>> = HashMap::new();
    for one in asked {
        let key = (one.kind.subject(), one.when);
        periods.entry(key).or_default().push(one);
    }
    check(periods.len(), tx.limits().built_in_periods)?;
    for ((subject, when), asked) in periods {
        match subject {
            Subject::Users => {
                let mut by_currency: BTreeMap<Option<Currency>, Vec<Asked>> = BTreeMap::new();
                for one in asked {
                    by_currency.entry(one.currency).or_default().push(one);
                }
                let mut known = user_facts(tx, scope, &facts(&when)).await?;
                while let Some((currency, asked)) = by_currency.pop_first() {
                    let rules = parameters.of_users(currency)?;
                    let own = if by_currency.is_empty() {
                        std::mem::take(&mut known)
                    } else {
                        known.clone()
                    };
                    let divided = divided(own, scored(&when), &rules).await?;
                    let all = user_members(&divided).map(|(kind, members)| {
                        let one = Asked {
                            kind,
                            currency,
                            when,
                        };
                        (one, members)
                    });
                    keep(&mut found, all, asked, room)?;
                }
            }
            Subject::Products => {
                let rules = parameters.of_products()?;
                let divided = products(tx, scope, &facts(&when), when.previous, &rules).await?;
                let all = product_members(&divided).map(|(kind, members)| {
                    let one = Asked {
                        kind,
                        currency: None,
                        when,
                    };
                    (one, members)
                });
                keep(&mut found, all, asked, room)?;
            }
        }
    }
    Ok(found)
}

/// Checks how many periods a request divides.
///
/// # Errors
/// `LIMIT_EXCEEDED`.
pub fn check(periods: usize, most: usize) -> Result<()> {
    if periods <= most {
        return Ok(());
    }
    let message = format!(
        "the request asks for built-in segments of {periods} periods, as of each moment by itself; {most} \
         are allowed: ask for fewer points of time, or in several requests"
    );
    let passed = PassedLimit::of("builtInPeriods", most, periods);
    Err(Error::limit("builtInSegment", passed, message))
}

fn user_members(divided: &UserSegments) -> impl Iterator<Item = (BuiltInKind, Vec<Uuid>)> {
    divided.list.iter().map(|one| {
        let users = one.members.iter();
        let users = users.filter_map(|place| divided.users.get(*place));
        let kind = BuiltInKind::Users {
            kind: one.kind,
            origin: one.origin.clone(),
        };
        (kind, users.map(|user| user.user_id).collect())
    })
}

fn product_members(divided: &ProductSegments) -> impl Iterator<Item = (BuiltInKind, Vec<Uuid>)> {
    let all = divided.members_of(ProductSegment::ALL);
    ProductSegment::ALL.iter().zip(all).map(|(kind, places)| {
        let stats = places.into_iter();
        let stats = stats.filter_map(|place| divided.stats.get(place));
        let members = stats.map(|stats| stats.product_id).collect();
        (BuiltInKind::Products(*kind), members)
    })
}

/// What a built-in segment needs, and what is true of some users or products, in words. Who is not among them has
/// nothing that could be said. As many statements as one period in [`find`].
///
/// # Errors
/// Where the parameters do not go with a currency, or the database fails.
pub async fn explain(
    tx: &ReadTx,
    scope: ReadScope,
    asked: &Asked,
    parameters: &Parameters,
    ids: &HashSet<Uuid>,
) -> Result<(String, HashMap<Uuid, String>)> {
    let when = &asked.when;
    match &asked.kind {
        BuiltInKind::Users { kind, origin } => {
            let rules = parameters.of_users(asked.currency)?;
            let known = user_facts(tx, scope, &facts(when)).await?;
            let divided = divided(known, scored(when), &rules).await?;
            let told = users_told(&divided, *kind, ids);
            Ok((kind.needed(origin.as_deref(), &rules), told))
        }
        BuiltInKind::Products(kind) => {
            let rules = parameters.of_products()?;
            let divided = products(tx, scope, &facts(when), when.previous, &rules).await?;
            Ok((kind.needed(&rules), products_told(&divided, *kind, ids)))
        }
    }
}

fn users_told(
    divided: &UserSegments,
    kind: UserSegment,
    ids: &HashSet<Uuid>,
) -> HashMap<Uuid, String> {
    let all = divided.users.iter().zip(&divided.scores);
    all.filter(|(user, _)| ids.contains(&user.user_id))
        .map(|(user, score)| {
            let actual = kind.actual(user, *score, &divided.rules, divided.are_compared);
            (user.user_id, actual)
        })
        .collect()
}

fn products_told(
    divided: &ProductSegments,
    kind: ProductSegment,
    ids: &HashSet<Uuid>,
) -> HashMap<Uuid, String> {
    let all = (1..).zip(&divided.stats);
    all.filter(|(_, stats)| ids.contains(&stats.product_id))
        .map(|(place, stats)| (stats.product_id, kind.actual(stats, place, &divided.rules)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::Code;
    use crate::domain::time::Zone;

    fn one(kind: UserSegment) -> Asked {
        let span = Span::of_micros(0, 1);
        Asked {
            kind: BuiltInKind::Users { kind, origin: None },
            currency: None,
            when: AskedWhen {
                facts: span,
                end: span.to,
                previous: span,
                zone: Zone::UTC,
            },
        }
    }

    fn kept(room: &mut Room) -> Result<Found> {
        let sizes = [
            (UserSegment::New, 3),
            (UserSegment::Returning, 4),
            (UserSegment::Champions, 2),
        ];
        let all = sizes.map(|(kind, size)| (one(kind), vec![Uuid::nil(); size]));
        let mut found = Found::new();
        let asked = vec![one(UserSegment::New), one(UserSegment::HighValue)];
        keep(&mut found, all.into_iter(), asked, room).map(|()| found)
    }

    #[test]
    fn what_is_asked_for_is_kept_or_refused_and_others_have_what_room_is_left() {
        let mut room = Room {
            beside: 3,
            ..Room::of(3)
        };
        let found = kept(&mut room).unwrap();
        let has = |kind| found.contains_key(&one(kind));
        assert!(
            has(UserSegment::New) && has(UserSegment::HighValue) && has(UserSegment::Champions)
        );
        assert!(!has(UserSegment::Returning), "four are too many beside");
        assert_eq!((room.asked, room.beside), (0, 1));
        let error = kept(&mut room).unwrap_err();
        assert_eq!(error.code(), Code::LimitExceeded);
        assert!(error.to_string().contains("fewer points"), "{error}");
    }
}
