//! Templates of affiliate links are set and removed, and what names the users of an ad space is chosen.

#![expect(
    clippy::too_many_arguments,
    reason = "a field has the arguments that the schema gives it"
)]

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{UserError, bounded};
use crate::analytics::top::totals_of_list;
use crate::analytics::traffic::templates;
use crate::domain::deeplink::{Subids, Template};
use crate::domain::error::Code;
use crate::domain::filter::{ActionTest, AdSpaceField, AdSpaceTest, Filter, Op, Value};
use crate::domain::scope::{KeyScope, WriteScope};
use crate::domain::traffic::DeeplinkSource;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::id::Kind;
use crate::graphql::scalar::count;
use crate::graphql::siblings::alone;
use crate::graphql::types::ad_space::AdSpace;
use crate::graphql::types::affiliate_link::{Deeplink, deeplinks_of};
use crate::graphql::types::import::ImportRun;
use crate::ingest::pipeline::{Entrance, run_id};
use crate::store::apply::deeplinks;
use crate::store::apply::users::{self, Chosen, UserRule};
use crate::store::imports::NewRun;
use crate::store::{ReadTx, ad_spaces, apart, imports};

/// Affiliate links and the users of ad spaces.
#[derive(Default)]
pub struct TrafficChanges;

/// A parameter of every link.
#[derive(Clone, Debug, InputObject)]
pub struct DeeplinkParameterInput {
    /// Its name, such as `erid` or `i`.
    name: String,
    /// Its value, not encoded.
    value: String,
}

/// What became of a template.
#[derive(SimpleObject)]
pub struct SetDeeplinkPayload {
    /// The template as it is stored; null where nothing was done.
    deeplink: Option<Deeplink>,
    /// What is wrong with the arguments; then nothing was done.
    user_errors: Vec<UserError>,
}

/// What became of a template that was to go.
#[derive(SimpleObject)]
pub struct RemoveDeeplinkPayload {
    /// Whether there was one.
    removed: bool,
    /// What the ad space and program have now: null where no other source gives a template.
    deeplink: Option<Deeplink>,
    /// What is wrong with the arguments; then nothing was done.
    user_errors: Vec<UserError>,
}

/// What became of a choice of users.
#[derive(SimpleObject)]
pub struct UpdateAdSpaceUsersPayload {
    /// The ad space as it is now; null where nothing was done.
    ad_space: Option<AdSpace>,
    /// The run that gives the actions that are there their new users; it goes on behind this answer, and its counts tell how
    /// far it is. Null where the choice is what held before.
    run: Option<ImportRun>,
    /// How many actions of the ad space there are: as many as the run will have read.
    actions: i32,
    /// What is wrong with the arguments; then nothing was done.
    user_errors: Vec<UserError>,
}

#[Object]
impl TrafficChanges {
    /// Stores how links of an ad space and a program are made, in place of what was stored by hand before. It goes before
    /// what the configuration file and Admitad say. It needs a key with the scope SEGMENTS.
    async fn set_deeplink(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ad space.")] ad_space: ID,
        #[graphql(desc = "The program.")] program: ID,
        #[graphql(
            desc = "The address that Admitad shows for both, such as https://ad.admitad.com/g/<code>/. Parameters in it become parameters of every link."
        )]
        base: String,
        #[graphql(desc = "The parameter that carries the target's address; \"ulp\" unless given.")]
        target_parameter: Option<String>,
        #[graphql(desc = "Further parameters of every link, such as `erid`, at most 16.")]
        parameters: Option<Vec<DeeplinkParameterInput>>,
    ) -> Option<Result<SetDeeplinkPayload>> {
        let done = async {
            let request = request(ctx)?;
            let known = key_of(request, &ad_space, &program).await?;
            let extra: Vec<(String, String)> = parameters
                .unwrap_or_default()
                .into_iter()
                .map(|parameter| (parameter.name, parameter.value))
                .collect();
            let hosts = &request.link_settings().hosts;
            let template = Template::checked(&base, target_parameter.as_deref(), &extra, hosts);
            let ((key, program), template) = match (known, template) {
                (Ok(key), Ok(template)) => (key, template),
                (known, template) => {
                    let mut errors = known.err().unwrap_or_default();
                    let unfit = template.err().unwrap_or_default();
                    errors.extend(unfit.iter().map(|error| UserError::of(error, "base")));
                    return Ok(not_set(bounded(errors, "parameters")));
                }
            };
            let scope = WriteScope::for_entrance(request.viewer.publisher.id);
            let (store, note) = (request.tx.store().clone(), request.note()?);
            let set = move || async move {
                deeplinks::set(&store, scope, key, &template, (&program, &note)).await
            };
            apart(set).await?;
            request.renew().await;
            Ok(SetDeeplinkPayload {
                deeplink: used(request, key).await?,
                user_errors: Vec::new(),
            })
        };
        Some(done.await)
    }

    /// Removes what was stored by hand for an ad space and a program. It needs a key with the scope SEGMENTS.
    async fn remove_deeplink(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ad space.")] ad_space: ID,
        #[graphql(desc = "The program.")] program: ID,
    ) -> Option<Result<RemoveDeeplinkPayload>> {
        let done = async {
            let request = request(ctx)?;
            let (key, program) = match key_of(request, &ad_space, &program).await? {
                Ok(key) => key,
                Err(user_errors) => {
                    return Ok(RemoveDeeplinkPayload {
                        removed: false,
                        deeplink: None,
                        user_errors,
                    });
                }
            };
            let scope = WriteScope::for_entrance(request.viewer.publisher.id);
            let (store, note) = (request.tx.store().clone(), request.note()?);
            let remove = move || async move {
                deeplinks::remove(&store, scope, key, (&program, &note)).await
            };
            let removed = apart(remove).await?;
            request.renew().await;
            Ok(RemoveDeeplinkPayload {
                removed,
                deeplink: used(request, key).await?,
                user_errors: Vec::new(),
            })
        };
        Some(done.await)
    }

    /// Chooses what names the users of an ad space. What arrives from now on follows the choice; the actions that are there
    /// get their new users in the background, batch by batch, and the totals with them. It needs a key with the scope
    /// SEGMENTS.
    async fn update_ad_space_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ad space.")] ad_space: ID,
        #[graphql(
            desc = "Which SubID names the user: 0 for `subid`, 1 to 4 for `subid1` to `subid4`; as it is unless given."
        )]
        user_subid_slot: Option<i32>,
        #[graphql(
            desc = "The user space: ad spaces of one space share their users; \"default\" is the one that all are in at first. As it is unless given."
        )]
        user_space: Option<String>,
    ) -> Option<Result<UpdateAdSpaceUsersPayload>> {
        let asked = UsersAsked {
            ad_space,
            user_subid_slot,
            user_space,
        };
        let done = async { asked.run(request(ctx)?).await };
        Some(done.await)
    }
}

struct UsersAsked {
    ad_space: ID,
    user_subid_slot: Option<i32>,
    user_space: Option<String>,
}

impl UsersAsked {
    /// What is wrong with the choice, whatever it is made of.
    fn unfit(&self) -> Vec<UserError> {
        let mut found = Vec::new();
        if let Some(slot) = self.user_subid_slot.filter(|slot| !(0..=4).contains(slot)) {
            let message = format!(
                "userSubidSlot is {slot}: it is 0 for subid, or 1 to 4 for subid1 to subid4"
            );
            found.push(UserError::new("userSubidSlot", Code::BadUserInput, message));
        }
        let is_name = |space: &str| {
            (1..=60).contains(&space.chars().count()) && !space.chars().any(char::is_control)
        };
        if let Some(space) = &self.user_space
            && !is_name(space.trim())
        {
            let message = "userSpace has 1 to 60 characters, none of them a control character";
            found.push(UserError::new("userSpace", Code::BadUserInput, message));
        }
        found
    }

    async fn run(self, request: &Arc<RequestContext>) -> Result<UpdateAdSpaceUsersPayload> {
        request.viewer.check(KeyScope::Segments)?;
        let store = request.tx.store();
        let tx = ReadTx::new(store);
        let key = Kind::AdSpace.key(&self.ad_space);
        let found = match key {
            Some(key) => ad_spaces::by_ids(&tx, request.scope, &[key]).await?.pop(),
            None => None,
        };
        drop(tx);
        let mut user_errors = self.unfit();
        let Some(held) = found else {
            user_errors.insert(0, no_ad_space());
            return Ok(not_chosen(user_errors));
        };
        if !user_errors.is_empty() {
            return Ok(not_chosen(user_errors));
        }
        let rule = UserRule {
            slot: self.user_subid_slot.unwrap_or(held.user_subid_slot),
            space: self
                .user_space
                .map_or_else(|| held.user_space.clone(), |space| space.trim().to_owned()),
        };
        let run = NewRun {
            id: run_id(request.now)?,
            entrance: Entrance::Users.as_str(),
            name: format!("{}: {}", held.name, slot_name(rule.slot)),
            started_at: request.now,
            as_of: request.now,
        };
        let scope = WriteScope::for_entrance(request.viewer.publisher.id);
        let (store, id) = (store.clone(), held.id);
        let note = request.note()?;
        let choose =
            move || async move { users::choose(&store, scope, id, (&rule, &run), &note).await };
        let chosen = apart(choose).await?;
        request.renew().await;
        let run = match chosen {
            Chosen::NoAdSpace => {
                return Ok(not_chosen(vec![no_ad_space()]));
            }
            Chosen::Same => None,
            Chosen::Queued(id) => imports::by_ids(&request.tx, request.scope, &[id])
                .await?
                .pop(),
        };
        let space = ad_spaces::by_ids(&request.tx, request.scope, &[held.id]).await?;
        let is_it = AdSpaceTest(AdSpaceField::Id, Op::Eq(Value::Id(held.id)));
        let own = Filter::Test(ActionTest::AdSpace(Filter::Test(is_it)));
        let all = totals_of_list(&request.tx, request.scope, None, &own).await?;
        Ok(UpdateAdSpaceUsersPayload {
            ad_space: space.into_iter().next().map(|space| alone(Arc::new(space))),
            run: run.map(|run| alone(Arc::new(run))),
            actions: count(all.facts.actions)?,
            user_errors: Vec::new(),
        })
    }
}

fn no_ad_space() -> UserError {
    let message = "there is no such ad space; `adSpaces` lists them";
    UserError::new("adSpace", Code::NotFound, message)
}

fn slot_name(slot: i32) -> &'static str {
    let place = usize::try_from(slot).unwrap_or_default();
    Subids::NAMES.get(place).copied().unwrap_or_default()
}

fn not_chosen(user_errors: Vec<UserError>) -> UpdateAdSpaceUsersPayload {
    UpdateAdSpaceUsersPayload {
        ad_space: None,
        run: None,
        actions: 0,
        user_errors,
    }
}

fn not_set(user_errors: Vec<UserError>) -> SetDeeplinkPayload {
    SetDeeplinkPayload {
        deeplink: None,
        user_errors,
    }
}

/// What a template belongs to, with the program's name, if the caller may and both are the publisher's.
async fn key_of(
    request: &Arc<RequestContext>,
    ad_space: &ID,
    program: &ID,
) -> Result<std::result::Result<(deeplinks::DeeplinkKey, String), Vec<UserError>>> {
    request.viewer.check(KeyScope::Segments)?;
    // A transaction of its own: the answer's begins behind the writing.
    let tx = ReadTx::new(request.tx.store());
    let settings = request.link_settings();
    let known = templates(&tx, &request.viewer.publisher, request.scope, settings).await?;
    let space = Kind::AdSpace.key(ad_space);
    let space = space.filter(|id| known.ad_spaces.iter().any(|space| space.id == *id));
    let program = Kind::Program.key(program);
    let program = program.and_then(|id| known.program(id));
    let missing = |field: &str, list: &str| {
        let message = format!("there is no such {field}; `{list}` lists them");
        UserError::new(field, Code::NotFound, message)
    };
    Ok(match (space, program) {
        (None, None) => Err(vec![
            missing("adSpace", "adSpaces"),
            missing("program", "programs"),
        ]),
        (None, Some(_)) => Err(vec![missing("adSpace", "adSpaces")]),
        (Some(_), None) => Err(vec![missing("program", "programs")]),
        (Some(space), Some(program)) => Ok((
            (space, program.id, DeeplinkSource::ByHand),
            program.name.clone(),
        )),
    })
}

/// The template that an ad space and a program have now.
async fn used(
    request: &Arc<RequestContext>,
    (ad_space, program, _): (Uuid, Uuid, DeeplinkSource),
) -> Result<Option<Deeplink>> {
    let links = request.links().await?;
    let mut all = deeplinks_of(&links, ad_space).into_iter();
    Ok(all.find(|one| one.deeplink.program_id == program && links.is_used(&one.deeplink)))
}
