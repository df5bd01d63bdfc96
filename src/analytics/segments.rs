//! The built-in segments of products and users, evaluated over the counted facts of a range.

use super::sources::lifetimes_answer;
use crate::domain::error::Result;
use crate::domain::sales::{FactQuery, RankBy, SalesRow, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::segment::{
    ProductRules, ProductSegment, ProductStats, Rfm, UserRules, UserSegment, UserStats, high_value,
    product_members, rfm_scores, sort_members, sort_users,
};
use crate::domain::time::{Instant, Span};
use crate::store::ReadTx;
use crate::store::columns::segments::{self as columns, Buyers};
use crate::store::lifetimes;
use crate::store::segments::{UserFacts, UserProduct, product_stats, user_products, user_stats};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The segments of products over one range.
#[derive(Clone, Debug)]
pub struct ProductSegments {
    /// All products that were sold before the range's end or are on the priority list, in members' order.
    pub stats: Vec<ProductStats>,
    /// The parameters that applied.
    pub rules: ProductRules,
    from: Instant,
}

impl ProductSegments {
    /// The members of a segment as places in [`Self::stats`], in members' order.
    #[must_use]
    pub fn members(&self, segment: ProductSegment) -> Vec<usize> {
        self.members_of(&[segment]).concat()
    }

    /// Likewise of each segment, in the order in which they are named.
    #[must_use]
    pub fn members_of(&self, segments: &[ProductSegment]) -> Vec<Vec<usize>> {
        product_members(segments, &self.stats, &self.rules, self.from)
    }

    /// The sums of members; an action with several of them counts once for each.
    #[must_use]
    pub fn sums(&self, members: &[usize]) -> Sums {
        let mut sums = Sums::default();
        for stats in members.iter().filter_map(|place| self.stats.get(*place)) {
            sums.add(&stats.sums);
        }
        sums
    }
}

/// The segments of products: two statements; one where columns in memory answer.
///
/// # Errors
/// When the database fails.
pub async fn products(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    previous: Span,
    rules: &ProductRules,
) -> Result<ProductSegments> {
    let mut stats = match columns::product_stats(tx, scope, facts, previous).await? {
        Some(stats) => stats,
        None if lifetimes_answer(scope, facts) => {
            lifetimes::product_stats(tx, scope, facts, previous).await?
        }
        None => product_stats(tx, scope, facts, previous).await?,
    };
    sort_members(&mut stats);
    Ok(ProductSegments {
        stats,
        rules: *rules,
        from: facts.range.span.from,
    })
}

/// One segment of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSegmentResult {
    /// Which.
    pub kind: UserSegment,
    /// The country of a segment by country, the class of a segment by device; none for users whose latest action names
    /// none, and for all other kinds.
    pub origin: Option<String>,
    /// Sums of the members' counted actions in the range.
    pub sums: Sums,
    /// Number of users.
    pub size: i64,
    /// The members as places in [`UserSegments::users`], in members' order.
    pub members: Vec<usize>,
}

/// The segments of users over one range.
#[derive(Clone, Debug)]
pub struct UserSegments {
    /// The segments: new, returning, the ten RFM segments, high value, countries by code, devices by class, unattributed.
    pub list: Vec<UserSegmentResult>,
    /// All users with a counted action in the range, in members' order: most actions first, then the latest, ties by id.
    pub users: Vec<UserStats>,
    /// Their scores; none for those with too few actions to be scored.
    pub scores: Vec<Option<Rfm>>,
    /// The parameters that applied.
    pub rules: UserRules,
}

impl UserSegments {
    /// The users of each segment of the list.
    fn buyers(&self) -> Buyers {
        let lists = self.list.iter().map(|segment| {
            let is_nobody = segment.kind == UserSegment::Unattributed;
            (is_nobody, segment.members.clone())
        });
        Buyers {
            users: self.users.iter().map(|user| user.user_id).collect(),
            lists: lists.collect(),
        }
    }
}

/// The segments of users: two statements.
///
/// # Errors
/// When the database fails.
pub async fn users(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    rules: &UserRules,
) -> Result<UserSegments> {
    let found = user_facts(tx, scope, facts).await?;
    Ok(divide(found, facts.range.span, rules))
}

/// What is known of users for their segments: two statements.
///
/// # Errors
/// When the database fails.
pub(super) async fn user_facts(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
) -> Result<UserFacts> {
    Ok(match columns::user_stats(tx, scope, facts).await? {
        Some(found) => found,
        None if lifetimes_answer(scope, facts) => lifetimes::user_stats(tx, scope, facts).await?,
        None => user_stats(tx, scope, facts).await?,
    })
}

/// The kinds that are one segment each, members or not.
const SINGLE: fn(&UserSegment) -> bool = |kind| {
    !matches!(
        kind,
        UserSegment::Country | UserSegment::Device | UserSegment::Unattributed
    )
};

/// Divides users into segments: pure. Recency is measured from the end of `range`.
pub(super) fn divide(found: UserFacts, range: Span, rules: &UserRules) -> UserSegments {
    let mut users = found.users;
    sort_users(&mut users);
    let scores = rfm_scores(&users, rules, range.to);
    let valued = high_value(&users, rules);
    let single = UserSegment::ALL.iter().copied().filter(SINGLE);
    let mut members: BTreeMap<(UserSegment, Option<String>), Vec<usize>> =
        single.map(|kind| ((kind, None), Vec::new())).collect();
    for (place, ((user, score), valued)) in users.iter().zip(&scores).zip(valued).enumerate() {
        let age = if user.first_at >= range.from {
            UserSegment::New
        } else {
            UserSegment::Returning
        };
        let own = [
            Some((age, None)),
            score.map(|score| (score.segment(), None)),
            valued.then_some((UserSegment::HighValue, None)),
            Some((UserSegment::Country, user.country.clone())),
            Some((UserSegment::Device, user.device.clone())),
        ];
        for key in own.into_iter().flatten() {
            members.entry(key).or_default().push(place);
        }
    }
    let mut list: Vec<UserSegmentResult> = members
        .into_iter()
        .map(|((kind, origin), members)| {
            let mut sums = Sums::default();
            for user in members.iter().filter_map(|place| users.get(*place)) {
                sums.add(&user.sums);
            }
            UserSegmentResult {
                kind,
                origin,
                sums,
                size: i64::try_from(members.len()).unwrap_or(i64::MAX),
                members,
            }
        })
        .collect();
    list.push(UserSegmentResult {
        kind: UserSegment::Unattributed,
        origin: None,
        sums: found.unattributed,
        size: 0,
        members: Vec::new(),
    });
    UserSegments {
        list,
        users,
        scores,
        rules: *rules,
    }
}

/// The top products of each segment in `segments.list`, ranked within it: one statement.
///
/// # Errors
/// When the database fails.
pub async fn user_segment_products(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    segments: &UserSegments,
    by: RankBy,
    first: usize,
) -> Result<Vec<Vec<SalesRow>>> {
    let buyers = || segments.buyers();
    let asked = (by, first);
    if let Some(ranked) = columns::products_of_users(tx, scope, facts, buyers, asked).await? {
        return Ok(ranked);
    }
    let bought = user_products(tx, scope, facts).await?;
    Ok(rank_bought(&bought, segments, by, first))
}

fn rank_bought(
    bought: &[UserProduct],
    segments: &UserSegments,
    by: RankBy,
    first: usize,
) -> Vec<Vec<SalesRow>> {
    let mut of_user: HashMap<Option<Uuid>, Vec<usize>> = HashMap::new();
    for (entry, segment) in segments.list.iter().enumerate() {
        if segment.kind == UserSegment::Unattributed {
            of_user.entry(None).or_default().push(entry);
        }
        for user in segment
            .members
            .iter()
            .filter_map(|place| segments.users.get(*place))
        {
            of_user.entry(Some(user.user_id)).or_default().push(entry);
        }
    }
    let mut sums: Vec<HashMap<Uuid, Sums>> = vec![HashMap::new(); segments.list.len()];
    for row in bought {
        for entry in of_user.get(&row.user_id).into_iter().flatten() {
            let Some(sums) = sums.get_mut(*entry) else {
                continue;
            };
            let product = sums.entry(row.product_id).or_default();
            product.actions += row.actions;
            product.units += row.units;
            product.add_money(row.money);
        }
    }
    sums.into_iter().map(|sums| rank(sums, by, first)).collect()
}

/// The first products by a metric with their competition ranks, ties by id. Money ranks only products that have it.
fn rank(sums: HashMap<Uuid, Sums>, by: RankBy, first: usize) -> Vec<SalesRow> {
    let ranked = |sums: &Sums| {
        by.currency()
            .is_none_or(|currency| sums.money.iter().any(|money| money.currency == currency))
    };
    let mut rows: Vec<SalesRow> = sums
        .into_iter()
        .filter(|(_, sums)| ranked(sums))
        .map(|(product, sums)| SalesRow {
            key: Some(product),
            rank: 0,
            metric: sums.metric(by),
            sums,
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.metric), row.key));
    let mut rank = 0;
    let mut last = None;
    for (place, row) in (1i64..).zip(&mut rows) {
        if last != Some(row.metric) {
            rank = place;
            last = Some(row.metric);
        }
        row.rank = rank;
    }
    rows.truncate(first);
    rows
}
