//! What administrators do with keys: make, change, rotate and revoke them.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};

use super::context::{RequestContext, request};
use super::error::Result;
use super::mutation::UserError;
use super::scalar::{Date, DateTime};
use super::types::key::ApiKey;
use super::types::viewer::KeyScope;
use crate::access::keys::{Administrator, LONGEST_OVERLAP, WithSecret};
use crate::domain::error::Code;
use crate::domain::key::{self, KeyTerms};
use crate::domain::limits::{Limits, SubidLimit};
use crate::domain::scope;
use crate::store::keys::Changed;
use crate::store::{Store, apart};

/// How long the old secret is taken beside the new one where nothing is said, in hours.
const OVERLAP_HOURS: i32 = 24;

/// What is decided about a key. Of a key that is there, what is not given stays as it is, and null takes it away.
#[derive(Debug, InputObject)]
pub struct ApiKeyInput {
    /// What the key is for, at most 200 letters.
    label: MaybeUndefined<String>,
    /// What it may do; READ unless said otherwise.
    scopes: MaybeUndefined<Vec<KeyScope>>,
    /// When it ends by itself; never unless said otherwise.
    expires_at: MaybeUndefined<DateTime>,
    /// What of the publisher's data it sees; all of it unless said otherwise. A key with limits reads, and does nothing
    /// else.
    limits: MaybeUndefined<KeyLimitsInput>,
    /// What it may spend; what the server allows every key unless said otherwise.
    budget: MaybeUndefined<KeyBudgetInput>,
    /// Whether it may ask for the schema; what the server allows every key unless said otherwise.
    introspection: MaybeUndefined<bool>,
}

/// What of a publisher's data a key is to see. Rows count, and are there, only where all of these hold.
#[derive(Debug, InputObject)]
pub struct KeyLimitsInput {
    /// Only actions of these programs, by id at Admitad, or by name where a program has none.
    programs: Option<Vec<String>>,
    /// Only actions of these ad spaces, by id at Admitad, or by name where an ad space has none.
    ad_spaces: Option<Vec<String>>,
    /// Only actions with these SubIDs, each slot at most once.
    subids: Option<Vec<KeySubidLimitInput>>,
    /// Only orders of this day or later, in the publisher's time zone.
    not_before: Option<Date>,
    /// Only orders of today and of the days before it, so many days in all, in the publisher's time zone.
    last_days: Option<i32>,
    /// Whether to hide SubIDs and the values that users are known by.
    #[graphql(default = false)]
    hide_user_keys: bool,
    /// Whether to hide rewards and rates, and what is computed from them.
    #[graphql(default = false)]
    hide_reward: bool,
}

/// The values that a SubID of an action must have.
#[derive(Debug, InputObject)]
pub struct KeySubidLimitInput {
    /// Which SubID: 0 is `subid`, 1 to 4 are `subid1` to `subid4`.
    slot: i32,
    /// One of these.
    #[graphql(default)]
    values: Vec<String>,
    /// Or one that begins in one of these ways.
    #[graphql(default)]
    prefixes: Vec<String>,
}

/// What a key may spend: a bucket of points that fills up again.
#[derive(Debug, InputObject)]
pub struct KeyBudgetInput {
    /// How many points the bucket holds.
    capacity: i32,
    /// How many points come back in a second.
    refill: i32,
}

impl KeyLimitsInput {
    fn read(self) -> Limits {
        let subids = self.subids.unwrap_or_default().into_iter();
        let subids = subids.map(|limit| SubidLimit {
            // A slot that does not exist is refused with all the rest.
            slot: u8::try_from(limit.slot).unwrap_or(u8::MAX),
            values: limit.values,
            prefixes: limit.prefixes,
        });
        Limits {
            programs: self.programs,
            ad_spaces: self.ad_spaces,
            subids: subids.collect(),
            not_before: self.not_before.map(|day| day.0.days()),
            last_days: self.last_days.map(|days| u32::try_from(days).unwrap_or(0)),
            hide_user_keys: self.hide_user_keys,
            hide_reward: self.hide_reward,
        }
    }
}

/// What was given, or what there is without.
fn given<T, U>(value: MaybeUndefined<T>, before: U, none: U, read: impl FnOnce(T) -> U) -> U {
    match value {
        MaybeUndefined::Undefined => before,
        MaybeUndefined::Null => none,
        MaybeUndefined::Value(value) => read(value),
    }
}

impl ApiKeyInput {
    /// The terms that this makes of those before.
    fn read(self, before: KeyTerms) -> KeyTerms {
        let none = KeyTerms::default();
        let scopes = |list: Vec<KeyScope>| list.into_iter().map(scope::KeyScope::from).collect();
        KeyTerms {
            label: given(self.label, before.label, none.label, |text| text),
            scopes: given(self.scopes, before.scopes, none.scopes, scopes),
            expires_at: given(self.expires_at, before.expires_at, None, |end| Some(end.0)),
            limits: given(
                self.limits,
                before.limits,
                none.limits,
                KeyLimitsInput::read,
            ),
            budget: given(self.budget, before.budget, None, |budget| {
                Some(key::KeyBudget {
                    capacity: i64::from(budget.capacity),
                    refill: i64::from(budget.refill),
                })
            }),
            introspection: given(self.introspection, before.introspection, None, Some),
        }
    }
}

/// A key with its secret, which is shown this once.
#[derive(Clone, Default, SimpleObject)]
pub struct ApiKeySecretPayload {
    /// The key; null where nothing was done.
    api_key: Option<ApiKey>,
    /// The whole key, for its owner only: it is not kept anywhere, and nobody can show it again. Null where nothing was
    /// done.
    secret: Option<String>,
    /// What is wrong with the arguments; then nothing was done.
    user_errors: Vec<UserError>,
}

/// A key as it is since the change.
#[derive(Clone, Default, SimpleObject)]
pub struct ApiKeyPayload {
    /// The key; null where nothing was done.
    api_key: Option<ApiKey>,
    /// What is wrong with the arguments; then nothing was done.
    user_errors: Vec<UserError>,
}

impl ApiKeyPayload {
    fn wrong(field: &[&str], code: Code, message: &str) -> Self {
        Self {
            api_key: None,
            user_errors: vec![UserError::at(field.iter().copied(), code, message)],
        }
    }
}

impl ApiKeySecretPayload {
    fn wrong(field: &[&str], code: Code, message: &str) -> Self {
        Self {
            user_errors: vec![UserError::at(field.iter().copied(), code, message)],
            ..Self::default()
        }
    }

    fn of(made: WithSecret, request: &RequestContext) -> Self {
        Self {
            api_key: Some(ApiKey {
                key: made.key,
                now: request.now,
            }),
            secret: Some(made.secret),
            user_errors: Vec::new(),
        }
    }
}

const MISSING: &str = "there is no such key; `apiKeys` lists them by their public part, the eight letters after `ag_`";
const LAST_ADMIN: &str = "this is the last key that administers: without it, only the command line makes keys. Make another \
                          first, or say `force: true`";
const MEANWHILE: &str = "somebody changed the key since it was looked at; nothing was changed: look again and repeat it";
const REVOKED: &str = "the key was revoked, for good; make another";

/// Who administers, checked.
fn administrator(request: &Arc<RequestContext>) -> Result<(Administrator, Store)> {
    request.viewer.check(scope::KeyScope::Admin)?;
    let address = request.address.map(|address| address.to_string());
    let who = Administrator::caller(&request.viewer, address, request.now);
    Ok((who, request.tx.store().clone()))
}

/// What administrators do with keys.
#[derive(Default)]
pub struct KeyMutations;

#[Object]
impl KeyMutations {
    /// Makes an API key. Its secret is shown this once. For keys with the scope ADMIN.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is decided about it.")] input: ApiKeyInput,
    ) -> Option<Result<ApiKeySecretPayload>> {
        let done = async {
            let request = request(ctx)?;
            let (who, store) = administrator(request)?;
            let terms = input.read(KeyTerms::default());
            if let Err((field, message)) = terms.check(request.now) {
                let field = ["input", field];
                return Ok(ApiKeySecretPayload::wrong(
                    &field,
                    Code::BadUserInput,
                    &message,
                ));
            }
            Ok(ApiKeySecretPayload::of(
                apart(move || async move { who.create(&store, terms).await }).await?,
                request,
            ))
        };
        Some(done.await)
    }

    /// Changes what an API key may do or see; servers follow within five seconds. For keys with the scope ADMIN.
    async fn update_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its public part.")] key: String,
        #[graphql(desc = "What is changed: what is not given stays, null takes it away.")]
        input: ApiKeyInput,
        #[graphql(
            desc = "Whether the last key that administers may stop doing so.",
            default = false
        )]
        force: bool,
    ) -> Option<Result<ApiKeyPayload>> {
        let done = async {
            let request = request(ctx)?;
            let (who, store) = administrator(request)?;
            let Some(found) = who.find(&store, &key).await? else {
                return Ok(ApiKeyPayload::wrong(&["key"], Code::NotFound, MISSING));
            };
            let terms = input.read(found.terms.clone());
            if let Err((field, message)) = terms.check(request.now) {
                return Ok(ApiKeyPayload::wrong(
                    &["input", field],
                    Code::BadUserInput,
                    &message,
                ));
            }
            let (held, asked) = (found.clone(), terms.clone());
            let work = move || async move { who.update(&store, &held, &asked, force).await };
            let changed = apart(work).await?;
            Ok(answer(changed, key::ApiKey { terms, ..found }, request))
        };
        Some(done.await)
    }

    /// Gives an API key another secret, which is shown this once. The one before is taken for a while yet; one that is
    /// older ends at once. For keys with the scope ADMIN.
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its public part, which stays.")] key: String,
        #[graphql(
            desc = "For how many hours the old secret is taken beside the new one, 0 to 720.",
            default_with = "OVERLAP_HOURS"
        )]
        keep_hours: i32,
    ) -> Option<Result<ApiKeySecretPayload>> {
        let done = async {
            let request = request(ctx)?;
            let (who, store) = administrator(request)?;
            let hours = u64::try_from(keep_hours).unwrap_or(u64::MAX);
            let overlap = Duration::from_secs(hours.saturating_mul(3_600));
            if overlap > LONGEST_OVERLAP {
                let message = format!("{keep_hours} hours; the most is 720, the least 0");
                let field = ["keepHours"];
                return Ok(ApiKeySecretPayload::wrong(
                    &field,
                    Code::BadUserInput,
                    &message,
                ));
            }
            let Some(found) = who.find(&store, &key).await? else {
                return Ok(ApiKeySecretPayload::wrong(
                    &["key"],
                    Code::NotFound,
                    MISSING,
                ));
            };
            match apart(move || async move { who.rotate(&store, &found, overlap).await }).await? {
                Some(made) => Ok(ApiKeySecretPayload::of(made, request)),
                None => Ok(ApiKeySecretPayload::wrong(
                    &["key"],
                    Code::Conflict,
                    REVOKED,
                )),
            }
        };
        Some(done.await)
    }

    /// Revokes an API key for good; no server takes it five seconds later. For keys with the scope ADMIN.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its public part.")] key: String,
        #[graphql(
            desc = "Whether the last key that administers may be revoked.",
            default = false
        )]
        force: bool,
    ) -> Option<Result<ApiKeyPayload>> {
        let done = async {
            let request = request(ctx)?;
            let (who, store) = administrator(request)?;
            let Some(found) = who.find(&store, &key).await? else {
                return Ok(ApiKeyPayload::wrong(&["key"], Code::NotFound, MISSING));
            };
            let held = found.clone();
            let work = move || async move { who.revoke(&store, &held, force).await };
            let changed = apart(work).await?;
            let revoked = key::ApiKey {
                revoked_at: Some(request.now),
                ..found
            };
            Ok(answer(changed, revoked, request))
        };
        Some(done.await)
    }
}

/// What became of a change, and the key as it is then.
fn answer(changed: Changed, key: key::ApiKey, request: &RequestContext) -> ApiKeyPayload {
    match changed {
        Changed::Done => ApiKeyPayload {
            api_key: Some(ApiKey {
                key,
                now: request.now,
            }),
            user_errors: Vec::new(),
        },
        Changed::Already => ApiKeyPayload::wrong(&["key"], Code::Conflict, REVOKED),
        Changed::Missing => ApiKeyPayload::wrong(&["key"], Code::NotFound, MISSING),
        Changed::Meanwhile => ApiKeyPayload::wrong(&["key"], Code::Conflict, MEANWHILE),
        Changed::LastAdmin => ApiKeyPayload::wrong(&["force"], Code::Conflict, LAST_ADMIN),
    }
}
