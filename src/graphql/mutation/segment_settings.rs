//! The parameters of the built-in segments are set.

use std::sync::Arc;

use async_graphql::{Context, MaybeUndefined, Object, SimpleObject};

use super::{UserError, bounded};
use crate::domain::error::Code;
use crate::domain::rule::Unfit;
use crate::domain::scope::{KeyScope, WriteScope};
use crate::domain::segment::Problem;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::input::rules::{ProductRulesInput, UserRulesInput};
use crate::graphql::scalar::{BigInt, CurrencyCode};
use crate::graphql::types::segment_parameters::SegmentSettings;
use crate::store::ReadTx;
use crate::store::apply::settings::{SettingsChange, SettingsRefused, set_segment_settings};
use crate::store::segment_settings::{StoredSettings, segment_settings};

/// What became of a change of the parameters.
#[derive(Clone, Debug, SimpleObject)]
pub struct UpdateSegmentSettingsPayload {
    /// The settings as they are now; null where nothing was changed.
    settings: Option<SegmentSettings>,
    /// What is wrong with the arguments; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// What the built-in segments go by.
#[derive(Default)]
pub struct SegmentSettingsChange;

#[Object]
impl SegmentSettingsChange {
    /// Sets parameters of the built-in segments for all questions that do not say otherwise. What is left out stays as it
    /// is; null takes the default back. Needs the scope SEGMENTS.
    async fn update_segment_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The version that the change was made from, as `segmentSettings` said: another one by now is a conflict, and nothing is changed."
        )]
        version: BigInt,
        #[graphql(desc = "Parameters of the product segments.")] products: Option<
            ProductRulesInput,
        >,
        #[graphql(desc = "Parameters of the user segments.")] users: Option<UserRulesInput>,
        #[graphql(
            desc = "The one currency of the monetary score; the publisher's main one unless set."
        )]
        monetary_currency: MaybeUndefined<CurrencyCode>,
    ) -> Option<Result<UpdateSegmentSettingsPayload>> {
        let given = [
            ("products", products.is_some()),
            ("users", users.is_some()),
            ("monetaryCurrency", !monetary_currency.is_undefined()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        let change = Change {
            // A number that no version has is a conflict like any other.
            version: i32::try_from(version.0).unwrap_or(-1),
            products: products.unwrap_or_default(),
            users: users.unwrap_or_default(),
            currency: monetary_currency,
            given: given.map(|(name, _)| name).collect(),
        };
        let done = async { change.run(request(ctx)?).await };
        Some(done.await)
    }
}

struct Change {
    version: i32,
    products: ProductRulesInput,
    users: UserRulesInput,
    currency: MaybeUndefined<CurrencyCode>,
    /// Which of them were given.
    given: Vec<&'static str>,
}

impl Change {
    async fn run(self, request: &Arc<RequestContext>) -> Result<UpdateSegmentSettingsPayload> {
        request.viewer.check(KeyScope::Segments)?;
        let store = request.tx.store();
        let stored = segment_settings(&ReadTx::new(store), request.scope).await?;
        if stored.version != self.version {
            return Ok(self.conflict());
        }
        let mut settings = stored.settings;
        let mut user_errors = Vec::new();
        let mut wrong = |argument: &str, problems: Vec<Problem>| {
            user_errors.extend(problems.into_iter().map(|problem| {
                let field = std::iter::once(argument).chain(problem.place);
                UserError::at(field, Code::BadUserInput, problem.message)
            }));
        };
        let main = request.viewer.publisher.currency;
        let problems = self.products.onto(&mut settings.products);
        wrong("products", problems);
        if let Err(problems) = settings.products.rules(main) {
            wrong("products", problems);
        }
        let currency = self.currency.map_value(|code| code.0);
        currency.update_to(&mut settings.users.currency);
        let problems = self.users.onto(&mut settings.users);
        wrong("users", problems);
        if let Err(problems) = settings.users.rules(main) {
            wrong("users", problems);
        }
        if !user_errors.is_empty() {
            return Ok(refused(bounded(user_errors, "users")));
        }
        let scope = WriteScope::for_entrance(request.viewer.publisher.id);
        let now = request.now;
        let change = SettingsChange {
            before: stored,
            after: settings,
            main,
        };
        let told = (self.given.as_slice(), &request.note()?);
        match set_segment_settings(store, scope, change, told).await? {
            Ok(()) => {}
            Err(SettingsRefused::Moved) => return Ok(self.conflict()),
            Err(SettingsRefused::Unfit(all)) => {
                return Ok(refused(bounded(all.into_iter().map(unfit), "users")));
            }
        }
        request.renew().await;
        let stored = StoredSettings {
            settings,
            version: self.version.saturating_add(1),
            changed_at: Some(now),
        };
        Ok(UpdateSegmentSettingsPayload {
            settings: Some(SegmentSettings::new(&stored, main)?),
            user_errors: Vec::new(),
        })
    }

    fn conflict(&self) -> UpdateSegmentSettingsPayload {
        let message = format!(
            "the settings are no longer those of version {}: read `segmentSettings` again and repeat the change",
            self.version
        );
        refused(vec![UserError::new("version", Code::Conflict, message)])
    }
}

fn refused(user_errors: Vec<UserError>) -> UpdateSegmentSettingsPayload {
    UpdateSegmentSettingsPayload {
        settings: None,
        user_errors,
    }
}

/// What is wrong with settings for a segment that somebody made and that could be evaluated before: a condition on a
/// built-in segment in a currency that the new settings do not go with.
fn unfit(unfit: Unfit) -> UserError {
    let Unfit {
        segment,
        currency,
        problem,
    } = unfit;
    let field = std::iter::once("users").chain(problem.place);
    let message = format!(
        "the segment {segment:?} asks for a built-in segment in {currency}: {}; change or archive it first",
        problem.message
    );
    UserError::at(field, Code::Conflict, message)
}
