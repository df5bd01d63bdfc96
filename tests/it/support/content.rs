//! All that a database says of its data, read from its own list of tables: a table that comes later is compared, too.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};

/// Tables that tell how the data came in, or what is still to be done with them, and nothing of the data themselves.
const NOT_CONTENT: [&str; 12] = [
    "seaql_migrations",
    "import_runs",
    "import_rejects",
    "uploads",
    "sync_accounts",
    "sync_states",
    "totals_tasks",
    "user_tasks",
    "api_keys",
    "audit_entries",
    "postback_secrets",
    "segment_uses",
];

/// Columns that name the run or the moment of a commit, which no two runs share.
const OF_THE_RUN: [&str; 6] = [
    "publishers.created_at_us",
    "publisher_states.data_version",
    "publisher_states.changed_at_us",
    "action_changes.run_id",
    "action_changes.committed_at_us",
    "adjustments.run_id",
];

fn is_postgres(db: &DatabaseConnection) -> bool {
    db.get_database_backend() == DbBackend::Postgres
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

async fn tables(db: &DatabaseConnection) -> Vec<String> {
    let sql = if is_postgres(db) {
        "SELECT CAST(table_name AS text) FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
    };
    texts(db, sql).await
}

async fn columns(db: &DatabaseConnection, table: &str) -> Vec<String> {
    let sql = if is_postgres(db) {
        format!(
            "SELECT CAST(column_name AS text) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY 1"
        )
    } else {
        format!("SELECT name FROM pragma_table_info('{table}') ORDER BY 1")
    };
    texts(db, &sql).await
}

/// Every row of every table that an answer can come from, a line each, in a fixed order: facts, history, change log,
/// totals, clicks, ledger, and what they hang on. `but` names tables, and columns as `table.column` or `*.column`, that
/// the test at hand cannot compare.
pub(crate) async fn content(db: &DatabaseConnection, but: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables(db).await {
        if NOT_CONTENT.contains(&table.as_str()) || but.contains(&table.as_str()) {
            continue;
        }
        let columns = columns(db, &table).await.into_iter().filter(|column| {
            let (one, any) = (format!("{table}.{column}"), format!("*.{column}"));
            !OF_THE_RUN.contains(&one.as_str())
                && !but.contains(&one.as_str())
                && !but.contains(&any.as_str())
        });
        let parts: Vec<String> = columns
            .map(|column| {
                let text = if is_postgres(db) {
                    format!("COALESCE(CAST(\"{column}\" AS text), '-')")
                } else {
                    format!("quote(\"{column}\")")
                };
                format!("'{column}=' || {text}")
            })
            .collect();
        let sql = format!(
            "SELECT {} AS line FROM {table} ORDER BY 1",
            parts.join(" || ' ' || ")
        );
        let rows = texts(db, &sql).await;
        all.push(format!("{table}: {} rows", rows.len()));
        all.extend(rows.into_iter().map(|row| format!("{table} {row}")));
    }
    all
}

/// Asserts that two contents are the same, and shows the first line that is not.
#[track_caller]
pub(crate) fn assert_same_content(got: &[String], wanted: &[String], when: &str) {
    for (got, wanted) in got.iter().zip(wanted) {
        assert_eq!(got, wanted, "{when}");
    }
    assert_eq!(got.len(), wanted.len(), "{when}");
}

/// Asserts that `actiongraph verify` finds every total of a database equal to the facts.
#[track_caller]
pub(crate) fn assert_verified(url: &str, when: &str) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["verify", "--database-url", url])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && told.contains("totals equal the facts"),
        "{when}: {told}{wrong}"
    );
}
