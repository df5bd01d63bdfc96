//! The built-in segments of products and users, evaluated over the counted facts of a range.

use super::sources::lifetimes_answer;
use crate::domain::error::{Error, Result};
use crate::domain::rule::SegmentSet;
use crate::domain::sales::{FactQuery, RankBy, SalesRow, Sums};
use crate::domain::scope::ReadScope;
use crate::domain::segment::{
    ProductRules, ProductSegment, ProductStats, Rfm, UserRules, UserSegment, UserStats,
    can_compare, high_value, product_members, rfm_scores, sort_members, sort_users,
};
use crate::domain::time::{Instant, Span};
use crate::store::ReadTx;
use crate::store::columns::buyers::{Buyers, products_of_sets, products_of_users};
use crate::store::columns::segments as columns;
use crate::store::lifetimes;
use crate::store::segment_metrics::bought;
use crate::store::segments::{UserFacts, UserProduct, product_stats, user_products, user_stats};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;
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
    sort_members(&mut stats, rules.rank_by);
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
    /// The members as places in [`UserSegments::users`], ascending.
    pub members: Arc<Vec<usize>>,
}

/// The segments of users over one range.
#[derive(Clone, Debug)]
pub struct UserSegments {
    /// The segments: new, returning, the ten RFM segments, high value, countries by code, devices by class, unattributed.
    pub list: Vec<UserSegmentResult>,
    /// All users with a counted action in the range.
    pub users: Vec<UserStats>,
    /// Their scores; none for those with too few actions to be scored, and for all where they are too few to be compared.
    pub scores: Vec<Option<Rfm>>,
    /// Whether there are enough of them to be compared.
    pub are_compared: bool,
    /// The parameters that applied.
    pub rules: UserRules,
}

impl UserSegments {
    /// The users of some segments of the list, by their places there.
    fn buyers(&self, of: &[usize]) -> Buyers {
        let named = of.iter().filter_map(|place| self.list.get(*place));
        let lists = named.map(|segment| {
            let is_nobody = segment.kind == UserSegment::Unattributed;
            (is_nobody, Arc::clone(&segment.members))
        });
        Buyers {
            users: self.users.iter().map(|user| user.user_id).collect(),
            lists: lists.collect(),
        }
    }
}

/// The segments of users, who come in members' order ([`sort_users`]): two statements.
///
/// # Errors
/// When the database fails.
pub async fn users(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    rules: &UserRules,
) -> Result<UserSegments> {
    let mut found = user_facts(tx, scope, facts).await?;
    let sorted = tokio::task::spawn_blocking(move || {
        sort_users(&mut found.users);
        found
    });
    let found = sorted.await.map_err(Error::internal)?;
    divided(found, facts.range.span, rules).await
}

/// Likewise, with users in no order: for whoever asks for few of them, if for any.
///
/// # Errors
/// When the database fails.
pub async fn users_unsorted(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    rules: &UserRules,
) -> Result<UserSegments> {
    let found = user_facts(tx, scope, facts).await?;
    divided(found, facts.range.span, rules).await
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

/// Divides users into segments, beside the threads that answer.
///
/// # Errors
/// When it is broken off.
pub(super) async fn divided(
    found: UserFacts,
    range: Span,
    rules: &UserRules,
) -> Result<UserSegments> {
    let rules = *rules;
    let divided = tokio::task::spawn_blocking(move || divide(found, range, &rules));
    divided.await.map_err(Error::internal)
}

/// A segment while users are divided.
#[derive(Default)]
struct Division {
    sums: Sums,
    members: Vec<usize>,
}

impl Division {
    fn add(&mut self, place: usize, user: &UserStats) {
        self.sums.add(&user.sums);
        self.members.push(place);
    }

    fn told(self, kind: UserSegment, origin: Option<&str>) -> UserSegmentResult {
        UserSegmentResult {
            kind,
            origin: origin.map(str::to_owned),
            sums: self.sums,
            size: i64::try_from(self.members.len()).unwrap_or(i64::MAX),
            members: Arc::new(self.members),
        }
    }
}

/// The segments by where users come from, in the making.
#[derive(Default)]
struct Origins<'a> {
    divisions: Vec<(Option<&'a str>, Division)>,
    places: HashMap<Option<&'a str>, usize, RandomState>,
}

impl<'a> Origins<'a> {
    fn add(&mut self, origin: Option<&'a str>, place: usize, user: &UserStats) {
        let division = *self.places.entry(origin).or_insert_with(|| {
            self.divisions.push((origin, Division::default()));
            self.divisions.len() - 1
        });
        if let Some((_, division)) = self.divisions.get_mut(division) {
            division.add(place, user);
        }
    }

    /// In the order of where the users come from, those of nowhere first.
    fn told(mut self, kind: UserSegment) -> impl Iterator<Item = UserSegmentResult> {
        self.divisions.sort_unstable_by_key(|(origin, _)| *origin);
        let told = self.divisions.into_iter();
        told.map(move |(origin, division)| division.told(kind, origin))
    }
}

/// Divides users into segments: pure. Recency is measured from the end of `range`.
fn divide(found: UserFacts, range: Span, rules: &UserRules) -> UserSegments {
    let users = found.users;
    let scores = rfm_scores(&users, rules, range.to);
    let valued = high_value(&users, rules);
    let are_compared = can_compare(&users, rules);
    // Those that are one segment each by their places in `UserSegment::ALL`, the others by where users come from.
    let mut single: Vec<Division> = UserSegment::ALL
        .iter()
        .map(|_| Division::default())
        .collect();
    let (mut countries, mut devices) = (Origins::default(), Origins::default());
    for (place, ((user, score), valued)) in users.iter().zip(&scores).zip(valued).enumerate() {
        let age = if user.first_at >= range.from {
            UserSegment::New
        } else {
            UserSegment::Returning
        };
        let kinds = [
            Some(age),
            score.map(Rfm::segment),
            valued.then_some(UserSegment::HighValue),
        ];
        for kind in kinds.into_iter().flatten() {
            if let Some(division) = single.get_mut(kind as usize) {
                division.add(place, user);
            }
        }
        countries.add(user.country.as_deref(), place, user);
        devices.add(user.device.as_deref(), place, user);
    }
    let mut list = Vec::new();
    for (kind, division) in UserSegment::ALL.iter().copied().zip(single) {
        match kind {
            UserSegment::Country => list.extend(std::mem::take(&mut countries).told(kind)),
            UserSegment::Device => list.extend(std::mem::take(&mut devices).told(kind)),
            UserSegment::Unattributed => list.push(UserSegmentResult {
                sums: found.unattributed.clone(),
                ..division.told(kind, None)
            }),
            _ => list.push(division.told(kind, None)),
        }
    }
    UserSegments {
        list,
        users,
        scores,
        are_compared,
        rules: *rules,
    }
}

/// The first products of some segments, named by their places in the list, each ranked within it: one statement.
///
/// # Errors
/// When the database fails.
pub async fn user_segment_products(
    tx: &ReadTx,
    scope: ReadScope,
    facts: &FactQuery,
    (segments, of): (&UserSegments, &[usize]),
    (by, first): (RankBy, usize),
) -> Result<Vec<Vec<SalesRow>>> {
    let buyers = || segments.buyers(of);
    if let Some(ranked) = products_of_users(tx, scope, facts, buyers, (by, first)).await? {
        return Ok(ranked);
    }
    let bought = user_products(tx, scope, facts).await?;
    Ok(rank_bought(&bought, &segments.buyers(of), by, first))
}

/// The first products of sets in a stretch of time, each ranked within it: of users what they bought, of products these. Declined
/// actions are left out. From columns in memory, where they can tell who the members are; one statement for up to 100 others.
///
/// # Errors
/// When one of the sets is too large for a statement, or the database fails.
pub async fn set_products(
    tx: &ReadTx,
    scope: ReadScope,
    (sets, span): (&[Arc<SegmentSet>], Span),
    (by, first): (RankBy, usize),
) -> Result<Vec<Vec<SalesRow>>> {
    let told = products_of_sets(tx, scope, (sets, span), (by, first)).await?;
    let left = sets.iter().zip(&told);
    let left = left.filter(|(_, told)| told.is_none());
    let left = left.map(|(set, _)| (Arc::clone(set), span));
    let bought = bought(tx, &left.collect::<Vec<_>>(), (by, first)).await?;
    let mut read = bought.into_iter().map(|sums| rank(sums, by, first));
    let told = told.into_iter();
    Ok(told
        .map(|told| told.unwrap_or_else(|| read.next().unwrap_or_default()))
        .collect())
}

fn rank_bought(
    bought: &[UserProduct],
    buyers: &Buyers,
    by: RankBy,
    first: usize,
) -> Vec<Vec<SalesRow>> {
    let mut on: HashMap<Option<Uuid>, Vec<usize>> = HashMap::new();
    for (list, (is_nobody, members)) in buyers.lists.iter().enumerate() {
        if *is_nobody {
            on.entry(None).or_default().push(list);
        }
        for user in members.iter().filter_map(|place| buyers.users.get(*place)) {
            on.entry(Some(*user)).or_default().push(list);
        }
    }
    let mut sums: Vec<HashMap<Uuid, Sums>> = vec![HashMap::new(); buyers.lists.len()];
    for row in bought {
        for list in on.get(&row.user_id).into_iter().flatten() {
            let Some(sums) = sums.get_mut(*list) else {
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
