//! A world to ask questions about: a database, publishers, actions that came in through the one write path, and the
//! same rows read back plainly, for naive computations to start from.

use super::drafts::{Maker, Shape, at, instant};
use super::{fresh_store, is_postgres};
use actiongraph::domain::clicks::{ClickDay, Replaced};
use actiongraph::domain::draft::{ActionDraft, Deletion, Reject};
use actiongraph::domain::error::Error;
use actiongraph::domain::money::Currency;
use actiongraph::domain::records::RunState;
use actiongraph::domain::scope::{Publisher, ReadScope, WriteScope};
use actiongraph::domain::time::{Instant, Zone};
use actiongraph::store::apply::{Applied, Batch, apply};
use actiongraph::store::clicks::{self, ClicksBatch};
use actiongraph::store::columns::ColumnsOptions;
use actiongraph::store::tables_with_a_rule;
use actiongraph::store::totals::{self, Manner};
use actiongraph::store::{ReadTx, Store, imports, publishers};
use actiongraph::worker;
use sea_orm::{AccessMode, IsolationLevel, TransactionOptions, TransactionTrait as _};
use sea_orm::{ColumnTrait, ConnectionTrait, Database, DatabaseConnection, EntityTrait};
use sea_orm::{DatabaseTransaction, IdenStatic, IntoActiveModel, Iterable};
use sea_orm::{QueryFilter, QueryOrder};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

/// How many drafts a batch of a world holds, where nothing else is said: few, so that there are many batches.
pub(crate) const BATCH: usize = 41;

/// A database with publishers.
pub(crate) struct World {
    /// Open and migrated.
    pub store: Store,
    /// Where it is.
    pub url: String,
    /// The publishers, by number.
    pub publishers: Vec<Publisher>,
    db: DatabaseConnection,
    runs: AtomicU32,
}

/// What answers the questions about a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// SQL.
    Database,
    /// Columns in memory, as far as they can.
    Columns,
}

/// What a batch brings: drafts, what upstream no longer has, and what was refused.
type Arriving<'a> = (&'a [ActionDraft], &'a [Deletion], &'a [Reject]);

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// A runtime for worlds that several futures ask one after the other.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

impl World {
    /// A fresh database with so many publishers.
    pub(crate) async fn new(count: usize) -> Self {
        let (store, url) = fresh_store().await;
        #[expect(
            clippy::disallowed_methods,
            reason = "what is stored is read past the room that opens connections, which is under test"
        )]
        let db = Database::connect(&url).await.unwrap();
        let mut made = Vec::new();
        for number in 1..=count {
            let slug = format!("publisher-{number}");
            let now = at("2026-01-01T00:00:00Z");
            let publisher = publishers::create(&store, &slug, &slug, Zone::UTC, Currency::USD, now);
            made.push(publisher.await.unwrap());
        }
        Self {
            store,
            url,
            publishers: made,
            db,
            runs: AtomicU32::new(0),
        }
    }

    /// Two publishers with the same upstream ids and different data; the first is the one to ask about.
    pub(crate) async fn rich(seed: u64, shape: Shape) -> Self {
        let world = Self::new(2).await;
        world.apply(0, &Maker::new(seed, shape).drafts()).await;
        world.deepen(0).await;
        let others = Shape {
            drafts: shape.drafts / 2,
            ..shape
        };
        world.apply(1, &Maker::new(seed + 1, others).drafts()).await;
        world
    }

    /// The same world with columns of its facts in memory, read in.
    pub(crate) async fn in_columns(mut self) -> Self {
        self.store = self.store.with_columns(ColumnsOptions {
            least_changes: 0,
            ..ColumnsOptions::default()
        });
        self.read_columns_in().await;
        self
    }

    /// Reads in the columns of all publishers.
    pub(crate) async fn read_columns_in(&self) {
        let columns = self.store.columns().unwrap();
        for publisher in &self.publishers {
            columns.want(publisher.id);
        }
        while worker::columns::tick(&self.store).await.unwrap() {}
    }

    /// The right to read what publisher `place` owns.
    pub(crate) fn read(&self, place: usize) -> ReadScope {
        self.write(place).read()
    }

    /// The right to write it.
    pub(crate) fn write(&self, place: usize) -> WriteScope {
        WriteScope::for_entrance(self.publishers[place].id)
    }

    /// A read transaction.
    pub(crate) fn tx(&self) -> ReadTx {
        ReadTx::new(&self.store)
    }

    /// Brings drafts in as an import run in batches.
    pub(crate) async fn apply(&self, place: usize, drafts: &[ActionDraft]) -> Applied {
        self.apply_in(place, drafts, BATCH).await.1
    }

    /// Likewise, in batches of a size; gives the run and what became of the drafts.
    pub(crate) async fn apply_in(
        &self,
        place: usize,
        drafts: &[ActionDraft],
        size: usize,
    ) -> (Uuid, Applied) {
        let batches: Vec<(&[ActionDraft], &[Reject])> = drafts
            .chunks(size)
            .map(|drafts| (drafts, &[][..]))
            .collect();
        self.run(place, &batches).await
    }

    /// An import run of batches.
    pub(crate) async fn run(
        &self,
        place: usize,
        batches: &[(&[ActionDraft], &[Reject])],
    ) -> (Uuid, Applied) {
        let batches: Vec<Arriving<'_>> = batches
            .iter()
            .map(|(drafts, rejects)| (*drafts, &[][..], *rejects))
            .collect();
        self.run_all(place, &batches).await
    }

    /// What a re-read of upstream that begins at `observed_at` no longer has.
    pub(crate) async fn delete(
        &self,
        place: usize,
        actions: &[&str],
        observed_at: Instant,
    ) -> Applied {
        let deletions: Vec<Deletion> = actions
            .iter()
            .map(|external_id| Deletion {
                external_id: (*external_id).to_owned(),
                observed_at,
            })
            .collect();
        self.run_all(place, &[(&[], &deletions, &[])]).await.1
    }

    async fn run_all(&self, place: usize, batches: &[Arriving<'_>]) -> (Uuid, Applied) {
        let scope = self.write(place);
        let (run, now) = self.begin(place, "FILE", "file", 1_000_000).await;
        let mut all = Applied::default();
        let mut rejected_before = 0;
        for (drafts, deletions, rejects) in batches {
            let batch = Batch {
                run_id: run,
                drafts,
                deletions,
                rejects,
                rejected_before,
                sync: None,
                bytes_read: None,
                now,
            };
            let applied = apply(&self.store, scope, batch).await.unwrap();
            all.inserted += applied.inserted;
            all.updated += applied.updated;
            all.unchanged += applied.unchanged;
            all.stale += applied.stale;
            all.deleted += applied.deleted;
            rejected_before += i64::try_from(rejects.len()).unwrap();
        }
        let state = if rejected_before > 0 {
            RunState::Partial
        } else {
            RunState::Succeeded
        };
        imports::finish(&self.store, scope, run, now, (state, None))
            .await
            .unwrap();
        (run, all)
    }

    /// Begins a run whose number is the next one, so many microseconds later for each run before it; gives it, and when
    /// that is.
    pub(crate) async fn begin(
        &self,
        place: usize,
        entrance: &'static str,
        name: &str,
        apart_us: i64,
    ) -> (Uuid, Instant) {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let now = instant(at("2026-07-01T00:00:00Z").micros() + i64::from(number) * apart_us);
        let run = imports::NewRun {
            id: Uuid::from_u128(0x7000_0000_0000_0000_8000_0000_0000_0000 + u128::from(number)),
            entrance,
            name: format!("{name} {number}"),
            started_at: now,
            as_of: now,
        };
        let scope = self.write(place);
        imports::begin(&self.store, scope, &run).await.unwrap();
        (run.id, now)
    }

    /// Brings clicks in as a run of their own, an hour after the one before, from an account whose clock is three hours
    /// ahead of UTC; gives the run and what became of the rows.
    pub(crate) async fn clicks(
        &self,
        place: usize,
        account: &str,
        replaces: &Replaced,
        rows: &[ClickDay],
    ) -> Result<(Uuid, Applied), Error> {
        self.clicks_at(place, (account, 180), replaces, rows).await
    }

    /// Likewise, from an account whose clock is so many minutes ahead of UTC.
    pub(crate) async fn clicks_at(
        &self,
        place: usize,
        (account, offset_minutes): (&str, i32),
        replaces: &Replaced,
        rows: &[ClickDay],
    ) -> Result<(Uuid, Applied), Error> {
        let scope = self.write(place);
        let (run, now) = self.begin(place, "CLICKS", "clicks", 3_600_000_000).await;
        let batch = ClicksBatch {
            run_id: run,
            account,
            offset_minutes,
            rows,
            replaces,
            unread: &[],
            rejects: &[],
            rejected_before: 0,
            sync: None,
            now,
        };
        let applied = clicks::write(&self.store, scope, batch).await?;
        imports::finish(&self.store, scope, run, now, (RunState::Succeeded, None))
            .await
            .unwrap();
        Ok((run, applied))
    }

    /// The rows of a table that belong to publisher `place`, by key.
    pub(crate) async fn rows<E>(&self, place: usize) -> Vec<E::Model>
    where
        E: EntityTrait,
        E::Column: Iterable,
    {
        self.rows_of::<E>(&self.db, place).await
    }

    /// Likewise, as a connection or transaction sees them.
    async fn rows_of<E>(&self, db: &impl ConnectionTrait, place: usize) -> Vec<E::Model>
    where
        E: EntityTrait,
        E::Column: Iterable,
    {
        let owner = E::Column::iter()
            .find(|column| column.as_str() == "publisher_id")
            .unwrap();
        let mut query = E::find().filter(owner.eq(self.publishers[place].id.0));
        for key in E::PrimaryKey::iter() {
            query = query.order_by_asc(sea_orm::PrimaryKeyToColumn::into_column(key));
        }
        query.all(db).await.unwrap()
    }

    /// All rows that say something of publisher `place`'s data but runs and change log, a line each.
    pub(crate) async fn dump(&self, place: usize) -> String {
        let mut text = String::new();
        macro_rules! tables {
            ($($name:ident),+) => {$(
                for row in self.rows::<entity::$name::Entity>(place).await {
                    writeln!(text, "{} {row:?}", stringify!($name)).unwrap();
                }
            )+};
        }
        tables!(
            program,
            ad_space,
            category,
            product,
            user,
            action,
            action_item,
            action_state,
            tombstone,
            click_stat,
            adjustment,
            totals_time,
            totals_channel,
            totals_audience,
            totals_category,
            totals_product,
            product_lifetimes,
            user_lifetimes
        );
        text
    }

    /// All rows that publisher `place` has beside the facts, a line each.
    pub(crate) async fn dump_of_the_rest(&self, place: usize) -> String {
        let mut text = String::new();
        macro_rules! tables {
            ($($name:ident),+) => {$(
                for row in self.rows::<entity::$name::Entity>(place).await {
                    writeln!(text, "{} {row:?}", stringify!($name)).unwrap();
                }
            )+};
        }
        tables!(
            action_change,
            adjustment,
            api_key,
            audit_entry,
            awaited_product,
            balance,
            commission_rate,
            deeplink,
            feed_offer,
            import_reject,
            import_run,
            postback_secret,
            publisher_state,
            segment,
            segment_member,
            segment_settings,
            segment_use,
            segment_version,
            sync_account,
            sync_state
        );
        text
    }

    /// Removes every row of publisher `place` from the database, but the publisher itself: as if it had never done
    /// anything.
    pub(crate) async fn erase(&self, place: usize) {
        self.erase_but(place, &[]).await;
    }

    /// Removes what came in for publisher `place`; what it began with stays, but for the numbers of its changes.
    pub(crate) async fn empty(&self, place: usize) {
        let first = ["programs", "categories", "publisher_states"];
        self.erase_but(place, &first).await;
        let publisher = self.publishers[place].id.0;
        let learnt = format!(
            "DELETE FROM programs WHERE publisher_id = {publisher} AND catalog_key IS NULL"
        );
        self.db.execute_unprepared(&learnt).await.unwrap();
    }

    async fn erase_but(&self, place: usize, kept: &[&str]) {
        let shared = ["publishers", "exchange_rates"];
        let mut left: Vec<&str> = tables_with_a_rule()
            .filter(|table| !shared.contains(table) && !kept.contains(table))
            .collect();
        // Rows that others refer to go after those.
        for _ in 0..8 {
            let mut kept = Vec::new();
            for table in left {
                let publisher = self.publishers[place].id.0;
                let delete = format!("DELETE FROM {table} WHERE publisher_id = {publisher}");
                if self.db.execute_unprepared(&delete).await.is_err() {
                    kept.push(table);
                }
            }
            left = kept;
        }
        assert_eq!(left, [""; 0], "rows of these tables stay");
    }

    /// Marks products as hot or as a priority, which no entrance does yet.
    pub(crate) async fn mark_products(&self, place: usize, column: &str, ids: &[Uuid]) {
        use sea_orm::sea_query::Expr;
        let column = entity::product::Column::iter()
            .find(|found| found.as_str() == column)
            .unwrap();
        entity::product::Entity::update_many()
            .col_expr(column, Expr::value(true))
            .filter(entity::product::Column::PublisherId.eq(self.publishers[place].id.0))
            .filter(entity::product::Column::Id.is_in(ids.iter().copied()))
            .exec(&self.db)
            .await
            .unwrap();
    }

    /// Says of actions which class of device they came from, as postbacks do.
    pub(crate) async fn mark_devices(&self, place: usize, device: &str, ids: &[Uuid]) {
        use sea_orm::sea_query::Expr;
        entity::action::Entity::update_many()
            .col_expr(entity::action::Column::Device, Expr::value(device))
            .filter(entity::action::Column::PublisherId.eq(self.publishers[place].id.0))
            .filter(entity::action::Column::Id.is_in(ids.iter().copied()))
            .exec(&self.db)
            .await
            .unwrap();
    }

    /// Stores settings of the built-in segments past the checks of the write path, as an older server could have.
    pub(crate) async fn store_segment_settings(&self, place: usize, parameters: &str) {
        let row = entity::segment_settings::Model {
            publisher_id: self.publishers[place].id.0,
            version: 1,
            parameters: parameters.to_owned(),
            changed_at_us: 0,
        };
        entity::segment_settings::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.db)
            .await
            .unwrap();
    }

    /// Hangs the unknown category 990001 below a shipped one of level 2: the shipped tree has two levels, the tables and
    /// all that reads them know three.
    pub(crate) async fn deepen(&self, place: usize) {
        use entity::category::{Column, Entity};
        use sea_orm::sea_query::Expr;
        let all = self.rows::<Entity>(place).await;
        let above = all.iter().find(|row| row.external_id == "200001086");
        let above = above.unwrap();
        let hung = Entity::update_many()
            .col_expr(Column::ParentId, Expr::value(above.id))
            .col_expr(Column::Level, Expr::value(3))
            .col_expr(Column::Level1Id, Expr::value(above.level1_id))
            .col_expr(Column::Level2Id, Expr::value(above.id))
            .filter(Column::PublisherId.eq(self.publishers[place].id.0))
            .filter(Column::ExternalId.eq("990001"))
            .exec(&self.db)
            .await
            .unwrap();
        assert_eq!(hung.rows_affected, 1, "a cart names it");
        self.rebuild(place).await;
    }

    /// Makes the totals of publisher `place` anew.
    pub(crate) async fn rebuild(&self, place: usize) {
        self.rebuild_in_steps(place, Manner::default().step).await;
    }

    /// Likewise, of so many actions in a transaction.
    pub(crate) async fn rebuild_in_steps(&self, place: usize, step: i64) {
        let now = at("2026-07-02T00:00:00Z");
        let afresh = true;
        totals::rebuild(
            &self.store,
            self.write(place),
            now,
            Manner { afresh, step },
            |_| {},
        )
        .await
        .unwrap();
    }

    /// Where the totals of publisher `place` differ from the facts, in words.
    pub(crate) async fn drift(&self, place: usize) -> Vec<String> {
        let publisher = self.publishers[place].id;
        let tx = self.tx();
        let mut found = Vec::new();
        for slice in totals::slices(&tx, publisher, None).await.unwrap() {
            for drift in totals::verify(&tx, publisher, slice).await.unwrap() {
                found.push(format!(
                    "{}: {} {:?}",
                    drift.table, drift.rows, drift.examples
                ));
            }
        }
        found
    }

    /// A transaction that sees one moment, whoever writes meanwhile.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is stored is read past the store, which is under test"
    )]
    async fn moment(&self) -> DatabaseTransaction {
        let options = if is_postgres() {
            TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                sqlite_transaction_mode: None,
            }
        } else {
            TransactionOptions::default()
        };
        self.db.begin_with_options(options).await.unwrap()
    }

    /// What is stored of publisher `place` at one moment, for naive computations.
    pub(crate) async fn facts(&self, place: usize) -> Facts {
        fn by_id<M>(rows: Vec<M>, id: impl Fn(&M) -> Uuid) -> BTreeMap<Uuid, M> {
            rows.into_iter().map(|row| (id(&row), row)).collect()
        }
        let db = self.moment().await;
        macro_rules! rows {
            ($table:ident) => {
                self.rows_of::<entity::$table::Entity>(&db, place).await
            };
        }
        let mut items: HashMap<Uuid, Vec<entity::action_item::Model>> = HashMap::new();
        for item in rows!(action_item) {
            items.entry(item.action_id).or_default().push(item);
        }
        let facts = Facts {
            actions: by_id(rows!(action), |row| row.id),
            items,
            programs: by_id(rows!(program), |row| row.id),
            ad_spaces: by_id(rows!(ad_space), |row| row.id),
            categories: by_id(rows!(category), |row| row.id),
            products: by_id(rows!(product), |row| row.id),
            users: by_id(rows!(user), |row| row.id),
            clicks: rows!(click_stat),
        };
        db.commit().await.unwrap();
        facts
    }
}

/// All that is stored of a publisher, by id.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub actions: BTreeMap<Uuid, entity::action::Model>,
    /// Carts by action, in their order.
    pub items: HashMap<Uuid, Vec<entity::action_item::Model>>,
    pub programs: BTreeMap<Uuid, entity::program::Model>,
    pub ad_spaces: BTreeMap<Uuid, entity::ad_space::Model>,
    pub categories: BTreeMap<Uuid, entity::category::Model>,
    pub products: BTreeMap<Uuid, entity::product::Model>,
    pub users: BTreeMap<Uuid, entity::user::Model>,
    /// Counts of clicks.
    pub clicks: Vec<entity::click_stat::Model>,
}

impl Facts {
    /// An action's cart.
    pub(crate) fn cart(&self, action: Uuid) -> &[entity::action_item::Model] {
        self.items.get(&action).map_or(&[], Vec::as_slice)
    }
}
