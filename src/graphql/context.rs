//! What every resolver of one request can reach: who asks, when, through which transaction and loaders.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Context;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::connection::ListOrder;
use super::error::{Failure, Result};
use super::links::Links;
use super::loaders::{Entity, Loaders};
use super::options::EngineOptions;
use super::siblings::{Member, page_of_siblings};
use crate::access::budget::Allowance;
use crate::access::keys::Administrator;
use crate::access::user_ids::UserIds;
use crate::analytics::built_in::{self, Parameters};
use crate::analytics::members::{LookedUp, Want};
use crate::analytics::traffic;
use crate::domain::audit::Note;
use crate::domain::error::Code;
use crate::domain::page::Page;
use crate::domain::rule::{
    Asked, AskedWhen, BuiltIn, Definitions, Found, Moment, Refers, Rule, Segment, SegmentSet,
    Subject,
};
use crate::domain::scope::{ReadScope, Viewer};
use crate::domain::time::Instant;
use crate::domain::traffic::LinkSettings;
use crate::store::segment_settings::{StoredSettings, segment_settings};
use crate::store::{self, DataState, ReadTx};

/// What a request reads once, until it writes.
struct Once<T>(Mutex<Option<T>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Once<T> {
    async fn get(&self, read: impl Future<Output = T>) -> T {
        let mut held = self.0.lock().await;
        match held.as_ref() {
            Some(known) => known.clone(),
            None => held.insert(read.await).clone(),
        }
    }

    async fn forget(&self) {
        self.0.lock().await.take();
    }
}

/// One request. It is the same for all its fields, which therefore see one state of the data and one present.
pub struct RequestContext {
    /// Who asks.
    pub viewer: Viewer,
    /// What the viewer may read.
    pub scope: ReadScope,
    /// The address that the request came from, where one is known.
    pub address: Option<IpAddr>,
    /// The present.
    pub now: Instant,
    /// The transaction that everything is read through.
    pub tx: ReadTx,
    /// Entities by id.
    pub loaders: Loaders,
    /// The limits that hold, and what else is configured.
    pub limits: Arc<EngineOptions>,
    /// What the caller may spend; none where nothing is counted.
    pub allowance: Option<Allowance>,
    /// How the ids of users are shown to the viewer.
    pub user_ids: UserIds,
    links: Once<Result<Arc<Links>>>,
    state: Once<Result<DataState>>,
    /// Segments that were read, and which were looked for.
    definitions: Mutex<(Definitions, HashSet<Uuid>)>,
    looked_up: Mutex<LookedUp>,
    settings: Once<Result<StoredSettings>>,
    built_in: Mutex<BuiltInFound>,
}

/// Members of built-in segments that were looked up, and the periods that were divided for it.
struct BuiltInFound {
    found: Found,
    periods: HashSet<(Subject, AskedWhen)>,
    /// How many ids may still be kept.
    room: built_in::Room,
}

impl BuiltInFound {
    fn within(limits: &EngineOptions) -> Self {
        Self {
            found: Found::new(),
            periods: HashSet::new(),
            room: built_in::Room::of(limits.queries.built_in_members),
        }
    }
}

impl RequestContext {
    /// The context of a request that reads through `tx`.
    pub fn new(
        viewer: Viewer,
        (address, now): (Option<IpAddr>, Instant),
        tx: ReadTx,
        limits: Arc<EngineOptions>,
        allowance: Option<Allowance>,
        user_ids: UserIds,
    ) -> Arc<Self> {
        let scope = ReadScope::of(&viewer);
        let loaders = Loaders::new(tx.clone(), scope);
        let no_definitions = Definitions::default().within(limits.queries.rules);
        let built_in = Mutex::new(BuiltInFound::within(&limits));
        Arc::new(Self {
            viewer,
            scope,
            address,
            now,
            tx,
            loaders,
            links: Once::default(),
            limits,
            allowance,
            user_ids,
            state: Once::default(),
            definitions: Mutex::new((no_definitions, HashSet::new())),
            looked_up: Mutex::default(),
            settings: Once::default(),
            built_in,
        })
    }

    /// The order of a list as it is printed, with cursors as the viewer is shown them.
    pub fn order(&self, printed: &str) -> ListOrder {
        ListOrder::new(printed, &self.user_ids, self.limits.queries.pages)
    }

    /// The version of the publisher's data that this request sees: one statement for all that ask.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn state(&self) -> Result<DataState> {
        let read = async {
            store::state(&self.tx, self.scope)
                .await
                .map_err(Failure::from)
        };
        self.state.get(read).await
    }

    /// What the configuration says of links.
    pub fn link_settings(&self) -> &LinkSettings {
        &self.limits.links
    }

    /// The publisher's templates of links with what they belong to: three statements for all that ask.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn links(&self) -> Result<Arc<Links>> {
        let read = async {
            let publisher = &self.viewer.publisher;
            let read =
                traffic::templates(&self.tx, publisher, self.scope, &self.limits.links).await?;
            Ok(Arc::new(Links::new(read)))
        };
        self.links.get(read).await
    }

    /// When and where this request evaluates segments as of a point in time: periods follow the publisher's zone, so that a
    /// segment means the same in every query.
    pub fn moment(&self, at: Instant) -> Moment {
        Moment {
            publisher: self.scope.publisher(),
            at,
            zone: self.viewer.publisher.zone,
        }
    }

    /// Segments with all that they name: one statement, none for those that were read before. Those that there are not
    /// are not among them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn definitions(&self, ids: impl IntoIterator<Item = Uuid>) -> Result<Definitions> {
        let mut held = self.definitions.lock().await;
        let mut wanted: Vec<Uuid> = ids.into_iter().filter(|id| !held.1.contains(id)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if !wanted.is_empty() {
            let mut read = store::definitions::load(&self.tx, self.scope, &wanted).await?;
            for rule in read.rules_mut() {
                self.complete(rule).await?;
            }
            held.1.extend(wanted);
            held.0.extend(read);
        }
        Ok(held.0.clone())
    }

    /// To be called behind a write: what is read from now on is read behind it.
    pub async fn renew(&self) {
        self.tx.renew().await;
        self.loaders.forget();
        self.links.forget().await;
        self.state.forget().await;
        self.settings.forget().await;
        *self.definitions.lock().await = (self.no_definitions(), HashSet::new());
        *self.built_in.lock().await = BuiltInFound::within(&self.limits);
        *self.looked_up.lock().await = LookedUp::default();
    }

    /// No segment yet, within the limits on segments that hold.
    pub fn no_definitions(&self) -> Definitions {
        Definitions::default().within(self.limits.queries.rules)
    }

    /// The parameters of the built-in segments that conditions name: what the publisher set.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn segment_parameters(&self) -> Result<Parameters> {
        Ok(Parameters {
            settings: self.segment_settings().await?.settings,
            main: self.viewer.publisher.currency,
        })
    }

    /// The members of built-in segments: each period is divided once, whatever asks for it.
    ///
    /// # Errors
    /// When there are too many periods, the publisher's settings do not go with a currency, or the store fails.
    async fn found(&self, asked: HashSet<Asked>) -> Result<Found> {
        if asked.is_empty() {
            return Ok(Found::new());
        }
        let parameters = self.segment_parameters().await?;
        let mut held = self.built_in.lock().await;
        let missing: HashSet<Asked> = asked
            .iter()
            .filter(|one| !held.found.contains_key(one))
            .cloned()
            .collect();
        if !missing.is_empty() {
            let mut periods = held.periods.clone();
            periods.extend(missing.iter().map(|one| (one.kind.subject(), one.when)));
            // What is refused is not divided, and leaves room for less.
            built_in::check(periods.len(), self.limits.queries.built_in_periods)?;
            held.periods = periods;
            let mut room = held.room;
            let read =
                built_in::find(&self.tx, self.scope, missing, &parameters, &mut room).await?;
            held.room = room;
            held.found.extend(read);
        }
        let known = asked.into_iter();
        Ok(known
            .filter_map(|one| {
                let members = held.found.get(&one)?;
                Some((one, Arc::clone(members)))
            })
            .collect())
    }

    /// Gives built-in segments that are named without a period the one that the publisher has set.
    ///
    /// # Errors
    /// When the store fails.
    async fn complete(&self, refers: &mut (dyn Refers + Send)) -> Result<()> {
        if refers.is_incomplete() {
            refers.complete(&self.segment_settings().await?.settings);
        }
        Ok(())
    }

    /// Likewise built-in segments by themselves.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn complete_all(&self, mut all: Vec<BuiltIn>) -> Result<Vec<BuiltIn>> {
        if all.iter().any(|one| one.period.is_none()) {
            let settings = self.segment_settings().await?.settings;
            all.iter_mut().for_each(|one| one.complete(&settings));
        }
        Ok(all)
    }

    /// Puts the segments that a filter names in their places, as of now.
    ///
    /// # Errors
    /// When one is not there or too large, or the members of a built-in one cannot be looked up.
    pub async fn fill_in(&self, all: &Definitions, refers: &mut (dyn Refers + Send)) -> Result<()> {
        self.complete(refers).await?;
        let moment = self.moment(self.now);
        let asked = all.asked_by(refers, moment);
        let found = self.found(asked).await?;
        all.fill_in(refers, moment, &found)?;
        let mut looked_up = self.looked_up.lock().await;
        Ok(looked_up.named(&self.tx, self.scope, refers).await?)
    }

    /// A set with what is wanted of it, where columns in memory tell it.
    async fn looked_up(&self, set: Arc<SegmentSet>, want: Want) -> Result<Arc<SegmentSet>> {
        let mut looked_up = self.looked_up.lock().await;
        Ok(looked_up.look_up(&self.tx, self.scope, &set, want).await?)
    }

    /// Segments with their members as of moments, one after the other: each of them at all moments.
    ///
    /// # Errors
    /// When one is not there or too large, or the members of a built-in one cannot be looked up: that of the first.
    pub async fn sets(
        &self,
        all: &Definitions,
        ids: &[Uuid],
        moments: &[Moment],
    ) -> Result<Vec<Arc<SegmentSet>>> {
        let each = self.sets_of_each(all, ids, moments, Want::Members).await;
        let sets = each.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(sets.into_iter().flatten().collect())
    }

    /// Each of some segments as of moments with what is wanted of it, or what is wrong with it, by its name: one that cannot
    /// be evaluated takes none of the others along.
    pub async fn sets_of_each(
        &self,
        all: &Definitions,
        ids: &[Uuid],
        moments: &[Moment],
        want: Want,
    ) -> Vec<Result<Vec<Arc<SegmentSet>>>> {
        let asked = |id: Uuid| {
            let mut asked = HashSet::new();
            for moment in moments {
                asked.extend(all.asked(id, *moment)?);
            }
            Ok::<_, Failure>(asked)
        };
        let together = ids.iter().filter_map(|id| asked(*id).ok()).flatten();
        let together = self.found(together.collect()).await;
        let mut sets = Vec::with_capacity(ids.len());
        for id in ids {
            let own = async {
                let asked = asked(*id)?;
                let found = match &together {
                    Ok(found) => found.clone(),
                    Err(failure) if is_of_input(failure) => self.found(asked).await?,
                    Err(failure) => return Err(failure.clone()),
                };
                let mut own = Vec::with_capacity(moments.len());
                for moment in moments {
                    let set = all.set(*id, *moment, &found)?;
                    own.push(self.looked_up(set, want).await?);
                }
                Ok(own)
            };
            let own: Result<Vec<Arc<SegmentSet>>> = own.await;
            sets.push(own.map_err(|failure| of_segment(all.segment(*id), failure)));
        }
        sets
    }

    /// A rule that is not saved, as of a moment.
    ///
    /// # Errors
    /// Likewise.
    pub async fn set_of(
        &self,
        all: &Definitions,
        rule: &Rule,
        moment: Moment,
    ) -> Result<Arc<SegmentSet>> {
        let mut rule = rule.clone();
        self.complete(&mut rule).await?;
        let asked = all.asked_by(&mut rule.clone(), moment);
        let found = self.found(asked).await?;
        let set = all.set_of(&rule, moment, &found)?;
        self.looked_up(set, Want::Members).await
    }

    /// Built-in segments as of a moment, as sets beside those that someone defined: each has a name for messages and an id
    /// that is its own among them, and no segment's.
    ///
    /// # Errors
    /// When the members cannot be looked up.
    pub async fn built_in_sets(
        &self,
        given: &[(BuiltIn, String)],
        moment: Moment,
    ) -> Result<Vec<Arc<SegmentSet>>> {
        let asked = given
            .iter()
            .map(|(one, _)| one.asked(moment.at, moment.zone));
        let found = self.found(asked.collect()).await?;
        let none = self.no_definitions();
        let sets = (1_u128..).zip(given).map(|(number, (one, name))| {
            let rule = Rule::from(one.clone());
            let set = Arc::unwrap_or_clone(none.set_of(&rule, moment, &found)?);
            Ok(Arc::new(SegmentSet {
                // Ids of segments are of another form: these are too small to be one.
                id: Uuid::from_u128(number),
                name: name.clone(),
                ..set
            }))
        });
        sets.collect()
    }

    /// What the trail says of a change that this request makes: a note for each entry.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn note(&self) -> Result<Note> {
        let address = self.address.map(|address| address.to_string());
        Ok(Administrator::caller(&self.viewer, address, self.now).note()?)
    }

    /// What the publisher set of the built-in segments' parameters: one statement for all that ask.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn segment_settings(&self) -> Result<StoredSettings> {
        let read = async {
            segment_settings(&self.tx, self.scope)
                .await
                .map_err(Failure::from)
        };
        self.settings.get(read).await
    }

    /// Makes siblings of a page's rows and remembers them for look-ups by id.
    pub async fn known<E: Entity>(&self, page: Page<E>) -> Page<Member<E>> {
        let page = page.map(Arc::new);
        let rows: Vec<Arc<E>> = page.rows.iter().map(|(row, _)| Arc::clone(row)).collect();
        self.loaders.feed(rows).await;
        page_of_siblings(page)
    }
}

/// Whether it lies at what was asked for, so that something else can be answered all the same.
pub fn is_of_input(failure: &Failure) -> bool {
    matches!(
        failure.error().code(),
        Code::LimitExceeded | Code::BadUserInput
    )
}

/// What is wrong with the evaluation of a segment, with its name.
pub fn of_segment(segment: Option<&Segment>, failure: Failure) -> Failure {
    let error = failure.error();
    let Some(segment) = segment.filter(|_| is_of_input(&failure)) else {
        return failure;
    };
    let name = format!("segment {:?}: ", segment.name);
    let message = error.message();
    if message.starts_with(&name) {
        return failure;
    }
    let message = format!("{name}{message}");
    error.reworded("segment", message).into()
}

/// The request that a field belongs to.
///
/// # Errors
/// When the schema was executed without one, which only a mistake in `engine` can cause.
pub fn request<'a>(ctx: &Context<'a>) -> Result<&'a Arc<RequestContext>> {
    ctx.data::<Arc<RequestContext>>()
        .map_err(|_| Failure::internal("the operation has no request context"))
}
