//! The migrated database is the one that the entities describe, and every table of it can be distributed.
//!
//! Not here: that the migration itself goes up and down on SQLite (`migration/src/lib.rs`), and what a real Citus says
//! (it runs this whole suite when a cluster is given).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test: what it can't do, it can't go on without; what it skips, it says"
)]

use std::collections::{BTreeMap, BTreeSet};

use migration::{Migrator, MigratorTrait};
use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, Database, DatabaseConnection, DbBackend, EntityName, EntityTrait,
    IdenStatic, Iterable, PrimaryKeyToColumn, QueryResult, Statement,
};

/// The key law of Citus over PostgreSQL's catalogue: an empty answer is a pass.
const LINT: &str = include_str!("../fixtures/citus_lint.sql");

/// A column as the one side or the other has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    /// In the words of [`plain_type`].
    kind: &'static str,
    nullable: bool,
}

/// A table: its columns by name, and the columns of its primary key in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TableShape {
    columns: BTreeMap<String, Column>,
    key: Vec<String>,
}

type Shapes = BTreeMap<String, TableShape>;

#[expect(
    clippy::disallowed_methods,
    reason = "a test of the tables stands below the room that opens connections"
)]
async fn connect(url: &str) -> DatabaseConnection {
    // The store makes an SQLite file where there is none; the driver does so only when it is told to.
    let made = if url.starts_with("sqlite:") {
        format!("{url}?mode=rwc")
    } else {
        url.to_owned()
    };
    Database::connect(made).await.unwrap()
}

async fn migrated() -> DatabaseConnection {
    let db = connect(&crate::support::fresh_url().await).await;
    Migrator::up(&db, None).await.unwrap();
    db
}

/// A PostgreSQL database, or a word that there is none.
async fn postgres() -> Option<DatabaseConnection> {
    let url = crate::support::fresh_url().await;
    if url.starts_with("postgres") {
        return Some(connect(&url).await);
    }
    eprintln!("skipped: this is about PostgreSQL's catalogue, and TEST_BACKEND chose SQLite");
    None
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(statement).await.unwrap()
}

fn cell<T: sea_orm::TryGetable>(row: &QueryResult, name: &str) -> T {
    row.try_get("", name).unwrap()
}

/// The kinds of columns that the schema knows. SQLite has one kind of whole number for both widths.
fn plain_type(backend: DbBackend, declared: &str) -> &'static str {
    match (backend, declared.to_ascii_lowercase().as_str()) {
        (DbBackend::Sqlite, "integer") => "whole",
        (_, "bigint") => "whole64",
        (_, "integer") => "whole32",
        (_, "text") => "text",
        (_, "boolean") => "flag",
        (_, "uuid" | "uuid_text") => "id",
        (_, other) => panic!("{other} is no type of ours"),
    }
}

fn entity_type(backend: DbBackend, kind: &ColumnType) -> &'static str {
    match (backend, kind) {
        (DbBackend::Sqlite, ColumnType::BigInteger | ColumnType::Integer) => "whole",
        (_, ColumnType::BigInteger) => "whole64",
        (_, ColumnType::Integer) => "whole32",
        (_, ColumnType::String(_) | ColumnType::Text) => "text",
        (_, ColumnType::Boolean) => "flag",
        (_, ColumnType::Uuid) => "id",
        (_, other) => panic!("{other:?} is no type of ours"),
    }
}

fn entity<E: EntityTrait + EntityName + Default>(backend: DbBackend, shapes: &mut Shapes) {
    let columns = E::Column::iter().map(|column| {
        let definition = column.def();
        let shape = Column {
            kind: entity_type(backend, definition.get_column_type()),
            nullable: definition.is_null(),
        };
        (column.as_str().to_owned(), shape)
    });
    let key = E::PrimaryKey::iter().map(|part| part.into_column().as_str().to_owned());
    let shape = TableShape {
        columns: columns.collect(),
        key: key.collect(),
    };
    let name = E::default().table_name().to_owned();
    assert!(
        shapes.insert(name.clone(), shape).is_none(),
        "two entities for {name}"
    );
}

/// What the entities say.
fn entities(backend: DbBackend) -> Shapes {
    let mut shapes = Shapes::new();
    entity::<entity::account_action::Entity>(backend, &mut shapes);
    entity::<entity::action::Entity>(backend, &mut shapes);
    entity::<entity::action_change::Entity>(backend, &mut shapes);
    entity::<entity::action_item::Entity>(backend, &mut shapes);
    entity::<entity::action_state::Entity>(backend, &mut shapes);
    entity::<entity::ad_space::Entity>(backend, &mut shapes);
    entity::<entity::adjustment::Entity>(backend, &mut shapes);
    entity::<entity::api_key::Entity>(backend, &mut shapes);
    entity::<entity::audit_entry::Entity>(backend, &mut shapes);
    entity::<entity::awaited_product::Entity>(backend, &mut shapes);
    entity::<entity::balance::Entity>(backend, &mut shapes);
    entity::<entity::category::Entity>(backend, &mut shapes);
    entity::<entity::click_stat::Entity>(backend, &mut shapes);
    entity::<entity::commission_rate::Entity>(backend, &mut shapes);
    entity::<entity::deeplink::Entity>(backend, &mut shapes);
    entity::<entity::exchange_rate::Entity>(backend, &mut shapes);
    entity::<entity::feed::Entity>(backend, &mut shapes);
    entity::<entity::feed_offer::Entity>(backend, &mut shapes);
    entity::<entity::segment::Entity>(backend, &mut shapes);
    entity::<entity::segment_version::Entity>(backend, &mut shapes);
    entity::<entity::segment_member::Entity>(backend, &mut shapes);
    entity::<entity::segment_use::Entity>(backend, &mut shapes);
    entity::<entity::import_reject::Entity>(backend, &mut shapes);
    entity::<entity::import_run::Entity>(backend, &mut shapes);
    entity::<entity::postback_secret::Entity>(backend, &mut shapes);
    entity::<entity::product::Entity>(backend, &mut shapes);
    entity::<entity::program::Entity>(backend, &mut shapes);
    entity::<entity::publisher::Entity>(backend, &mut shapes);
    entity::<entity::publisher_state::Entity>(backend, &mut shapes);
    entity::<entity::product_lifetimes::Entity>(backend, &mut shapes);
    entity::<entity::segment_settings::Entity>(backend, &mut shapes);
    entity::<entity::sync_account::Entity>(backend, &mut shapes);
    entity::<entity::sync_state::Entity>(backend, &mut shapes);
    entity::<entity::tombstone::Entity>(backend, &mut shapes);
    entity::<entity::totals_audience::Entity>(backend, &mut shapes);
    entity::<entity::totals_category::Entity>(backend, &mut shapes);
    entity::<entity::totals_channel::Entity>(backend, &mut shapes);
    entity::<entity::totals_product::Entity>(backend, &mut shapes);
    entity::<entity::totals_task::Entity>(backend, &mut shapes);
    entity::<entity::totals_time::Entity>(backend, &mut shapes);
    entity::<entity::upload::Entity>(backend, &mut shapes);
    entity::<entity::user::Entity>(backend, &mut shapes);
    entity::<entity::user_lifetimes::Entity>(backend, &mut shapes);
    entity::<entity::user_task::Entity>(backend, &mut shapes);
    shapes
}

const SQLITE_COLUMNS: &str = "
    SELECT t.name AS table_name, c.name AS column_name, c.type AS kind, c.\"notnull\" = 0 AS nullable,
      CAST(c.pk AS integer) AS key_place
    FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND t.name <> 'seaql_migrations'";

const POSTGRES_COLUMNS: &str = "
    SELECT c.table_name::text AS table_name, c.column_name::text AS column_name, c.data_type::text AS kind,
      c.is_nullable = 'YES' AS nullable, coalesce(k.ordinal_position, 0)::bigint AS key_place
    FROM information_schema.columns AS c
    LEFT JOIN information_schema.table_constraints AS p
      ON p.table_schema = c.table_schema AND p.table_name = c.table_name AND p.constraint_type = 'PRIMARY KEY'
    LEFT JOIN information_schema.key_column_usage AS k
      ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
      AND k.table_name = c.table_name AND k.column_name = c.column_name
    WHERE c.table_schema = current_schema() AND c.table_name <> 'seaql_migrations'";

/// What the database has.
async fn tables(db: &DatabaseConnection) -> Shapes {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Sqlite {
        SQLITE_COLUMNS
    } else {
        POSTGRES_COLUMNS
    };
    let mut shapes = Shapes::new();
    let mut keys: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    for row in rows(db, sql).await {
        let table: String = cell(&row, "table_name");
        let name: String = cell(&row, "column_name");
        let kind: String = cell(&row, "kind");
        let place: i64 = cell(&row, "key_place");
        if place > 0 {
            keys.entry(table.clone())
                .or_default()
                .insert(place, name.clone());
        }
        let column = Column {
            kind: plain_type(backend, &kind),
            nullable: cell(&row, "nullable"),
        };
        shapes
            .entry(table)
            .or_default()
            .columns
            .insert(name, column);
    }
    for (table, key) in keys {
        shapes.entry(table).or_default().key = key.into_values().collect();
    }
    shapes
}

/// Where the two differ, a line each.
fn drift(expected: &Shapes, found: &Shapes) -> Vec<String> {
    let none = TableShape::default();
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let mut faults = Vec::new();
    for table in names {
        let (entity, database) = (
            expected.get(table).unwrap_or(&none),
            found.get(table).unwrap_or(&none),
        );
        let columns: BTreeSet<&String> = entity
            .columns
            .keys()
            .chain(database.columns.keys())
            .collect();
        for column in columns {
            let (entity, database) = (entity.columns.get(column), database.columns.get(column));
            if entity != database {
                faults.push(format!(
                    "{table}.{column}: entity {entity:?}, database {database:?}"
                ));
            }
        }
        if entity.key != database.key {
            faults.push(format!(
                "{table}: entity's key {:?}, database's {:?}",
                entity.key, database.key
            ));
        }
    }
    faults
}

async fn lint(db: &DatabaseConnection) -> Vec<(String, String)> {
    let faults = rows(db, LINT).await;
    faults
        .iter()
        .map(|row| (cell(row, "fault"), cell(row, "object")))
        .collect()
}

#[tokio::test]
async fn the_database_is_what_the_entities_say() {
    let db = migrated().await;
    let expected = entities(db.get_database_backend());
    let found = tables(&db).await;
    assert_eq!(drift(&expected, &found), Vec::<String>::new());
    assert!(found.len() >= 25, "{:?}", found.keys());
    for (table, shape) in &found {
        let leader = match table.as_str() {
            "publishers" => "id",
            "exchange_rates" => "from_currency",
            _ => "publisher_id",
        };
        assert_eq!(
            shape.key.first().map(String::as_str),
            Some(leader),
            "the key of {table}"
        );
    }
}

#[tokio::test]
async fn a_planted_drift_is_found() {
    let db = migrated().await;
    let expected = entities(db.get_database_backend());
    let mut plants = vec![
        (
            "ALTER TABLE users RENAME COLUMN value TO val",
            vec!["users.val: ", "users.value: "],
        ),
        ("ALTER TABLE users RENAME COLUMN val TO value", vec![]),
        (
            "ALTER TABLE actions ADD COLUMN planted text",
            vec!["actions.planted: "],
        ),
        ("ALTER TABLE actions DROP COLUMN planted", vec![]),
        (
            "ALTER TABLE products DROP COLUMN url",
            vec!["products.url: "],
        ),
        (
            "ALTER TABLE products ADD COLUMN url boolean NOT NULL DEFAULT TRUE",
            vec!["products.url: "],
        ),
        (
            "DROP TABLE action_changes",
            vec!["action_changes.", "action_changes: entity's key"],
        ),
        ("CREATE TABLE planted (id bigint)", vec!["planted.id: "]),
    ];
    if db.get_database_backend() == DbBackend::Postgres {
        // What SQLite can't alter, or can't tell apart.
        plants.extend([
            (
                "ALTER TABLE categories ALTER COLUMN level TYPE bigint",
                vec!["categories.level: "],
            ),
            (
                "ALTER TABLE programs ALTER COLUMN name DROP NOT NULL",
                vec!["programs.name: "],
            ),
        ]);
    } else {
        plants.retain(|(sql, _)| !sql.contains("id bigint"));
    }
    let mut before = BTreeSet::new();
    for (sql, wanted) in plants {
        db.execute_unprepared(sql).await.unwrap();
        let after: BTreeSet<String> = drift(&expected, &tables(&db).await).into_iter().collect();
        for start in &wanted {
            let new = after
                .difference(&before)
                .any(|fault| fault.starts_with(start));
            assert!(
                new,
                "{sql}: nothing new that starts with {start} in {after:#?}"
            );
        }
        if wanted.is_empty() {
            assert_eq!(after, BTreeSet::new(), "{sql}");
        }
        before = after;
    }
}

#[tokio::test]
async fn up_down_up_leaves_the_same_tables() {
    let db = migrated().await;
    let first = tables(&db).await;
    Migrator::down(&db, None).await.unwrap();
    assert_eq!(tables(&db).await, Shapes::new());
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(tables(&db).await, first);
}

#[tokio::test]
async fn every_table_can_be_distributed() {
    let Some(db) = postgres().await else { return };
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(lint(&db).await, []);
}

/// Faults, each with the statement that plants it and what the lint then says of which object.
const PLANTS: &[(&str, &str, &str)] = &[
    (
        "CREATE TABLE planted (id bigint PRIMARY KEY)",
        "a table without publisher_id that is not known",
        "planted",
    ),
    (
        "CREATE TABLE planted (publisher_id bigint NOT NULL)",
        "no primary key",
        "planted",
    ),
    (
        "CREATE TABLE planted (publisher_id integer NOT NULL, id bigint, PRIMARY KEY (publisher_id, id))",
        "publisher_id is not a bigint",
        "planted",
    ),
    (
        "CREATE TABLE planted (publisher_id bigint, id bigint PRIMARY KEY)",
        "publisher_id may be NULL",
        "planted",
    ),
    (
        "CREATE TABLE planted () INHERITS (users)",
        "inherits from another table",
        "planted",
    ),
    (
        "ALTER TABLE publishers ADD COLUMN publisher_id bigint",
        "a shared table with publisher_id",
        "publishers",
    ),
    (
        "CREATE UNIQUE INDEX planted ON actions (source, external_id)",
        "a unique, primary or exclusion key without publisher_id",
        "actions.planted",
    ),
    (
        "CREATE UNIQUE INDEX planted ON actions (external_id) INCLUDE (publisher_id)",
        "a unique, primary or exclusion key without publisher_id",
        "actions.planted",
    ),
    (
        "CREATE INDEX planted ON actions (order_id, publisher_id)",
        "an index that publisher_id does not lead",
        "actions.planted",
    ),
    (
        "ALTER TABLE publishers ADD COLUMN best uuid, ADD COLUMN of bigint, \
         ADD CONSTRAINT planted FOREIGN KEY (of, best) REFERENCES users (publisher_id, id)",
        "a foreign key from a shared table",
        "publishers.planted",
    ),
    (
        "ALTER TABLE actions ADD COLUMN other bigint, \
         ADD CONSTRAINT planted FOREIGN KEY (other, user_id) REFERENCES users (publisher_id, id)",
        "a foreign key that does not pair publisher_id",
        "actions.planted",
    ),
    (
        "ALTER TABLE actions ADD CONSTRAINT planted FOREIGN KEY (publisher_id, user_id) \
         REFERENCES users (publisher_id, id) ON DELETE SET NULL (user_id)",
        "SET NULL or SET DEFAULT over publisher_id",
        "actions.planted",
    ),
    (
        "ALTER TABLE actions ADD CONSTRAINT planted FOREIGN KEY (publisher_id) REFERENCES publishers (id)",
        "foreign keys both to a shared table and to a publisher's",
        "actions",
    ),
    (
        "ALTER TABLE actions ADD CONSTRAINT planted FOREIGN KEY (raw_status) REFERENCES seaql_migrations (version)",
        "a foreign key to a table that is not distributed at all",
        "actions.planted",
    ),
    (
        "CREATE TRIGGER planted BEFORE UPDATE ON users FOR EACH ROW \
         EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "a trigger",
        "users.planted",
    ),
    (
        "CREATE RULE planted AS ON DELETE TO users DO INSTEAD NOTHING",
        "a rule",
        "users.planted",
    ),
    (
        "ALTER TABLE action_items ALTER COLUMN units ADD GENERATED ALWAYS AS IDENTITY",
        "a number that the database gives out",
        "action_items.units",
    ),
    (
        "CREATE SEQUENCE planted; ALTER TABLE users ALTER COLUMN first_seen_us SET DEFAULT nextval('planted')",
        "a number that the database gives out",
        "users.first_seen_us",
    ),
    (
        "ALTER TABLE users ALTER COLUMN id SET DEFAULT gen_random_uuid()",
        "a default that is computed",
        "users.id",
    ),
    (
        "ALTER TABLE users ALTER COLUMN first_seen_us SET DEFAULT extract(epoch FROM CURRENT_TIMESTAMP)",
        "a default that is computed",
        "users.first_seen_us",
    ),
    (
        "ALTER TABLE users ADD COLUMN planted text COLLATE \"default\"",
        "text that does not sort by its bytes",
        "users.planted",
    ),
    (
        "ALTER TABLE users ADD COLUMN planted timestamptz",
        "a type that SQLite does not have",
        "users.planted",
    ),
];

#[tokio::test]
async fn a_planted_fault_is_found_by_the_lint() {
    let Some(db) = postgres().await else { return };
    for (sql, fault, object) in PLANTS {
        // Each fault alone, in tables that are made anew.
        db.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .await
            .unwrap();
        Migrator::up(&db, None).await.unwrap();
        assert_eq!(lint(&db).await, [], "before {sql}");
        db.execute_unprepared(sql).await.unwrap();
        let found = lint(&db).await;
        let named = found
            .iter()
            .any(|(said, which)| said.starts_with(fault) && which == object);
        assert!(named, "{sql}: no {fault:?} of {object} in {found:#?}");
    }
}

#[tokio::test]
async fn what_citus_takes_is_no_fault() {
    let Some(db) = postgres().await else { return };
    Migrator::up(&db, None).await.unwrap();
    db.execute_unprepared(
        "ALTER TABLE users ADD COLUMN visits integer NOT NULL DEFAULT -1 CHECK (visits < 100); \
         ALTER TABLE users ADD COLUMN note text COLLATE \"C\" NOT NULL DEFAULT 'none (yet)'; \
         CREATE INDEX extra ON users (publisher_id, note) WHERE visits > 0; \
         CREATE UNIQUE INDEX another ON users (publisher_id, visits) INCLUDE (note)",
    )
    .await
    .unwrap();
    assert_eq!(lint(&db).await, []);
}

/// Stand-ins for Citus in a plain PostgreSQL: a catalogue of extensions that lists it (found because `public` is searched
/// first), and the two functions, which write down what they are asked, with the settings of the moment, and refuse
/// what Citus would.
const STAND_INS: &str = r"
    CREATE TABLE public.pg_extension (extname name);
    INSERT INTO public.pg_extension VALUES ('citus');

    CREATE TABLE public.spread (
      place bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL, kind text NOT NULL, settings text NOT NULL
    );

    CREATE FUNCTION public.note_spread(what regclass, how text) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE missing text;
    BEGIN
      SELECT con.conname INTO missing
      FROM pg_catalog.pg_constraint AS con
      WHERE con.conrelid = what AND con.contype = 'f' AND con.confrelid <> what
        AND con.confrelid::regclass::text NOT IN (SELECT name FROM public.spread);
      IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% comes before the table that % refers to', what, missing;
      END IF;
      INSERT INTO public.spread (name, kind, settings) VALUES (
        what::text, how,
        current_setting('citus.enable_local_reference_table_foreign_keys') || ' '
          || current_setting('citus.multi_shard_modify_mode')
      );
    END $$;

    CREATE FUNCTION public.create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS
      $$ SELECT public.note_spread(table_name, 'reference') $$;
    CREATE FUNCTION public.create_distributed_table(table_name regclass, distribution_column text)
      RETURNS void LANGUAGE sql AS
      $$ SELECT public.note_spread(table_name, 'by ' || distribution_column) $$;
";

#[tokio::test]
async fn on_citus_parents_are_distributed_before_children() {
    let url = crate::support::fresh_url().await;
    if !url.starts_with("postgres") {
        eprintln!("skipped: Citus is an extension of PostgreSQL, and TEST_BACKEND chose SQLite");
        return;
    }
    let db = connect(&url).await;
    db.execute_unprepared(STAND_INS).await.unwrap();
    db.execute_unprepared(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
    )
    .await
    .unwrap();
    db.close().await.unwrap();
    let db = connect(&url).await;
    Migrator::up(&db, None).await.unwrap();

    let asked = rows(
        &db,
        "SELECT name, kind, settings FROM spread ORDER BY place",
    )
    .await;
    let asked: Vec<(String, String, String)> = asked
        .iter()
        .map(|row| (cell(row, "name"), cell(row, "kind"), cell(row, "settings")))
        .collect();
    for (name, kind, settings) in &asked {
        let wanted = if ["exchange_rates", "publishers"].contains(&name.as_str()) {
            "reference"
        } else {
            "by publisher_id"
        };
        assert_eq!(kind, wanted, "{name}");
        assert_eq!(settings, "off sequential", "{name}");
    }
    // The stand-in refuses a child before its parent, so the order is right if each table is here once.
    let names: BTreeSet<String> = asked.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(names.len(), asked.len(), "{asked:?}");
    assert_eq!(names, entities(DbBackend::Postgres).into_keys().collect());

    // The settings end with the transaction: nothing else on this connection runs under them.
    let setting = "SELECT current_setting('citus.multi_shard_modify_mode', true) AS value";
    let after: Option<String> = cell(&rows(&db, setting).await[0], "value");
    assert_ne!(after.as_deref(), Some("sequential"));
    Migrator::down(&db, None).await.unwrap();
}

#[tokio::test]
async fn without_citus_nothing_is_distributed() {
    let Some(db) = postgres().await else { return };
    // Functions of these names that nobody may call.
    db.execute_unprepared(
        "CREATE FUNCTION create_reference_table(regclass) RETURNS void LANGUAGE sql AS $$ SELECT 1 / 0 $$; \
         CREATE FUNCTION create_distributed_table(regclass, text) RETURNS void LANGUAGE sql AS $$ SELECT 1 / 0 $$",
    )
    .await
    .unwrap();
    Migrator::up(&db, None).await.unwrap();
}
