//! RFM scores of users over a range: recency, frequency, monetary.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::SimpleObject;
use uuid::Uuid;

use super::Member;
use super::sales::Money;
use super::words::UserSegmentKind;
use crate::analytics::segments::{self, UserSegments};
use crate::domain::money;
use crate::domain::records;
use crate::domain::sales::FactQuery;
use crate::domain::segment::{Rfm, UserRules, UserStats};
use crate::domain::time::{DAY_US, Instant};
use crate::graphql::context::RequestContext;
use crate::graphql::error::Result;
use crate::graphql::loaders::Entity as _;
use crate::graphql::scalar::{DateTime, count};
use crate::graphql::siblings::Group;

/// How recently, how often and for how much a user acted in a range, each with its score among all users of the range.
#[derive(Clone, Debug, SimpleObject)]
pub struct RfmScore {
    /// Score 1 to 5 by the latest action, 5 for the most recent; null where the user has too few actions to be scored, and where
    /// there are too few users to be compared.
    recency: Option<i32>,
    /// Score 1 to 5 by the number of actions, 5 for the most; null likewise.
    frequency: Option<i32>,
    /// Score 1 to 5 by the amount, 5 for the largest; null likewise.
    monetary: Option<i32>,
    /// The three scores as one word, such as "545"; null likewise.
    score: Option<String>,
    /// The RFM segment of the scores; null likewise.
    segment: Option<UserSegmentKind>,
    /// The latest counted action in the range.
    last_action_at: DateTime,
    /// Full days of 24 hours from that action to the end of the range.
    days_since_last_action: i32,
    /// Number of counted actions in the range.
    actions: i32,
    /// What they amount to in the one currency of the monetary score.
    amount: Money,
}

impl RfmScore {
    /// The scores of a user in a range that ends at `to`.
    ///
    /// # Errors
    /// When a count does not fit.
    pub fn new(
        stats: &UserStats,
        score: Option<Rfm>,
        rules: &UserRules,
        to: Instant,
    ) -> Result<Self> {
        let amount = money::Money {
            e4: stats.sums.metric(rules.metric()),
            currency: rules.currency,
        };
        let age = to.micros() - stats.last_at.micros();
        Ok(Self {
            recency: score.map(|score| i32::from(score.recency)),
            frequency: score.map(|score| i32::from(score.frequency)),
            monetary: score.map(|score| i32::from(score.monetary)),
            score: score.map(|score| {
                let Rfm {
                    recency,
                    frequency,
                    monetary,
                } = score;
                format!("{recency}{frequency}{monetary}")
            }),
            segment: score.map(|score| score.segment().into()),
            last_action_at: DateTime(stats.last_at),
            days_since_last_action: count(age / DAY_US)?,
            actions: count(stats.sums.actions)?,
            amount: amount.into(),
        })
    }
}

/// The users of a range by id, as far as somebody asks for them.
type Scores = HashMap<Uuid, (UserStats, Option<Rfm>)>;

/// The scores of a user among all users of a range, read for all its siblings; none without a counted action in it.
///
/// # Errors
/// When the store fails.
pub async fn rfm_of(
    user: &Member<records::User>,
    facts: &FactQuery,
    rules: &UserRules,
    request: &Arc<RequestContext>,
) -> Result<Option<RfmScore>> {
    let load = |group: Arc<Group<records::User>>| async move {
        let wanted: HashSet<Uuid> = group.all().map(records::User::key).collect();
        let all = segments::users_unsorted(&request.tx, request.scope, facts, rules).await?;
        let UserSegments { users, scores, .. } = all;
        let found = users.into_iter().zip(scores);
        let found = found.filter(|(stats, _)| wanted.contains(&stats.user_id));
        Ok(found
            .map(|(stats, score)| (stats.user_id, (stats, score)))
            .collect())
    };
    let scores: Arc<Scores> = user.batch("rfm", &(facts, rules), load).await?;
    let found = scores.get(&user.key());
    found
        .map(|(stats, score)| RfmScore::new(stats, *score, rules, facts.range.span.to))
        .transpose()
}
