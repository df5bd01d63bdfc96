//! How a table is made: a few words for the columns, keys and indexes that the rules of the schema allow.
//!
//! The rules are those of SQLite, PostgreSQL and Citus at once: `publisher_id` is the first column of every key of a
//! publisher's table, foreign keys stand inside the table (SQLite can't add them later) and pair `publisher_id`, ids
//! are made by the application, and text sorts by its bytes.
//!
//! Old migrations are built from this too: what a word here means stays as it is. A new meaning gets a new word.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The column that every table of a publisher begins with.
const PUBLISHER_ID: &str = "publisher_id";

/// A table in the making, with its indexes.
pub(crate) struct NewTable {
    name: &'static str,
    backend: DbBackend,
    /// `publisher_id`, or nothing for a table that belongs to no publisher: what leads every key.
    lead: &'static [&'static str],
    table: TableCreateStatement,
    indexes: Vec<IndexCreateStatement>,
}

impl NewTable {
    /// A table that belongs to no publisher.
    pub(crate) fn shared(backend: DbBackend, name: &'static str) -> Self {
        Self {
            name,
            backend,
            lead: &[],
            table: Table::create().table(name).take(),
            indexes: Vec::new(),
        }
    }

    /// A table of a publisher's rows; its first column is `publisher_id`.
    pub(crate) fn of_publisher(backend: DbBackend, name: &'static str) -> Self {
        let mut new = Self::shared(backend, name);
        new.lead = &[PUBLISHER_ID];
        new.big(PUBLISHER_ID)
    }

    /// A column of 64-bit whole numbers.
    pub(crate) fn big(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).big_integer().not_null())
    }

    /// Likewise, or none.
    pub(crate) fn big_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).big_integer().null())
    }

    /// A column of 32-bit whole numbers.
    pub(crate) fn int(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).integer().not_null())
    }

    /// Likewise, or none.
    pub(crate) fn int_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).integer().null())
    }

    /// A column of yes and no.
    pub(crate) fn flag(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).boolean().not_null())
    }

    /// Likewise, or none.
    pub(crate) fn flag_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).boolean().null())
    }

    /// A column of ids.
    pub(crate) fn uuid(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).uuid().not_null())
    }

    /// Likewise, or none.
    pub(crate) fn uuid_or_null(self, name: &'static str) -> Self {
        self.column(ColumnDef::new(name).uuid().null())
    }

    /// A column of text that sorts and compares by its bytes.
    pub(crate) fn text(self, name: &'static str) -> Self {
        let mut column = self.bytewise(name);
        self.column(column.not_null())
    }

    /// Likewise, or none.
    pub(crate) fn text_or_null(self, name: &'static str) -> Self {
        let mut column = self.bytewise(name);
        self.column(column.null())
    }

    /// A column of words from a closed list.
    pub(crate) fn word(mut self, name: &'static str, words: &'static [&'static str]) -> Self {
        let rule = format!("ck_{}_{name}", self.name);
        let listed = Expr::col(name).is_in(words.iter().copied());
        self.table.check(Check::named(rule, listed));
        self.text(name)
    }

    /// A 32-bit column whose values lie between two bounds, both included.
    pub(crate) fn int_between(mut self, name: &'static str, from: i32, to: i32) -> Self {
        let rule = format!("ck_{}_{name}", self.name);
        let inside = Expr::col(name).between(from, to);
        self.table.check(Check::named(rule, inside));
        self.int(name)
    }

    /// The primary key: `publisher_id`, if there is one, and then the columns named.
    pub(crate) fn key(mut self, columns: &[&'static str]) -> Self {
        let mut key = Index::create()
            .name(format!("pk_{}", self.name))
            .primary()
            .take();
        for column in self.lead.iter().chain(columns) {
            key.col(*column);
        }
        self.table.primary_key(&mut key);
        self
    }

    /// On SQLite the rows lie in the order of the key and nowhere else: for narrow rows that are written and read by
    /// runs of their key. Elsewhere it means nothing.
    pub(crate) fn in_key_order(mut self) -> Self {
        if self.backend == DbBackend::Sqlite {
            self.table.extra("WITHOUT ROWID");
        }
        self
    }

    /// The rows belong to a publisher that exists; a publisher with data can't be removed by mistake.
    ///
    /// Only for tables without a [`parent`](Self::parent): the others hang on a publisher through it, and Citus has
    /// trouble with a table that refers to a reference table and to a distributed one.
    pub(crate) fn of_known_publisher(mut self) -> Self {
        let mut rule = ForeignKey::create()
            .name(format!("fk_{}_{PUBLISHER_ID}", self.name))
            .from(self.name, PUBLISHER_ID)
            .to("publishers", "id")
            .take();
        self.table.foreign_key(&mut rule);
        self
    }

    /// A column refers to the same publisher's row of another table, and keeps it from being removed.
    pub(crate) fn parent(self, column: &'static str, table: &'static str) -> Self {
        self.reference(column, table, ForeignKeyAction::NoAction)
    }

    /// A column names the row that this one is a part of, and goes away with.
    pub(crate) fn part_of(self, column: &'static str, table: &'static str) -> Self {
        self.reference(column, table, ForeignKeyAction::Cascade)
    }

    /// An index over `publisher_id` and then the columns named.
    pub(crate) fn index(self, columns: &[&'static str]) -> Self {
        let mut index = self.plain_index("ix", columns);
        for column in self.lead.iter().chain(columns) {
            index.col(*column);
        }
        self.with(index)
    }

    /// An index over the columns named alone, for a look-up that does not know the publisher yet.
    pub(crate) fn index_over_all(self, columns: &[&'static str]) -> Self {
        let mut index = self.plain_index("ix", columns);
        for column in columns {
            index.col(*column);
        }
        self.with(index)
    }

    /// An index over `publisher_id` and the columns named, of the rows alone that satisfy a condition.
    pub(crate) fn index_where(self, columns: &[&'static str], condition: Expr) -> Self {
        let mut index = self.plain_index("ix", columns);
        for column in self.lead.iter().chain(columns) {
            index.col(*column);
        }
        index.and_where(condition);
        self.with(index)
    }

    /// No two rows (of a publisher) are equal in the columns named; none of them may be NULL, or it means nothing.
    pub(crate) fn unique(self, columns: &[&'static str]) -> Self {
        let mut index = self.plain_index("uq", columns);
        for column in self.lead.iter().chain(columns) {
            index.col(*column);
        }
        index.unique();
        self.with(index)
    }

    /// Makes the table and its indexes.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        manager.create_table(self.table).await?;
        for index in self.indexes {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn column(mut self, column: &mut ColumnDef) -> Self {
        self.table.col(column.take());
        self
    }

    /// SQLite compares text by its bytes anyway; PostgreSQL does so by its collation `C`, whatever the database's own
    /// collation is.
    fn bytewise(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name).text().take();
        if self.backend == DbBackend::Postgres {
            column.extra(r#"COLLATE "C""#);
        }
        column
    }

    fn plain_index(&self, kind: &str, columns: &[&'static str]) -> IndexCreateStatement {
        Index::create()
            .name(format!("{kind}_{}_{}", self.name, columns.join("_")))
            .table(self.name)
            .take()
    }

    fn with(mut self, index: IndexCreateStatement) -> Self {
        self.indexes.push(index);
        self
    }

    fn reference(
        mut self,
        column: &'static str,
        table: &'static str,
        on_delete: ForeignKeyAction,
    ) -> Self {
        let mut rule = ForeignKey::create()
            .name(format!("fk_{}_{column}", self.name))
            .from(self.name, (PUBLISHER_ID, column))
            .to(table, (PUBLISHER_ID, "id"))
            .on_delete(on_delete)
            .take();
        self.table.foreign_key(&mut rule);
        self
    }
}

/// Adds a column of text, or none, to a table that is there.
///
/// # Errors
/// What the database answers.
pub(crate) async fn add_text_or_null(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
) -> Result<(), DbErr> {
    let words = NewTable::shared(manager.get_database_backend(), table);
    let mut column = words.bytewise(name);
    manager
        .alter_table(Table::alter().table(table).add_column(column.null()).take())
        .await
}

/// Takes a column away again.
///
/// # Errors
/// What the database answers.
pub(crate) async fn drop_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
) -> Result<(), DbErr> {
    manager
        .alter_table(Table::alter().table(table).drop_column(name).take())
        .await
}
