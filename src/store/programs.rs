//! Programs: lists and look-ups.

use super::convert::to_program;
use super::listing::{Listing, look_ups};
use super::tx::ReadTx;
use crate::domain::error::Result;
use crate::domain::filter::{Filter, ProgramTest, Value};
use crate::domain::page::{Page, PageRequest, SortKey};
use crate::domain::records::Program;
use crate::domain::scope::ReadScope;
use crate::domain::text::fold;
use entity::program;
use uuid::Uuid;

/// What programs can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramSort {
    /// Name, folded.
    Name,
    /// Admitad id, as text.
    ExternalId,
}

struct Programs;

impl Listing for Programs {
    type Entity = program::Entity;
    type Record = Program;
    type Test = ProgramTest;
    type Sort = ProgramSort;
    const TABLE: &'static str = "programs";

    fn column(sort: ProgramSort) -> (&'static str, bool) {
        match sort {
            ProgramSort::Name => ("name_folded", false),
            ProgramSort::ExternalId => ("external_id", true),
        }
    }

    fn value(record: &Program, sort: ProgramSort) -> Value {
        match sort {
            ProgramSort::Name => fold(&record.name).into(),
            ProgramSort::ExternalId => record.external_id.clone().into(),
        }
    }

    fn id(record: &Program) -> Uuid {
        record.id
    }

    fn record(model: program::Model) -> Result<Program> {
        to_program(model)
    }
}

look_ups!(Programs, Program, ProgramTest, ProgramSort);

/// All programs of a publisher, in the order of their names: one statement.
///
/// # Errors
/// When the database fails.
pub async fn all(tx: &ReadTx, scope: ReadScope) -> Result<Vec<Program>> {
    let mut sql = tx.sql();
    sql.push("SELECT t.* FROM programs t WHERE t.publisher_id = ")
        .bind(scope.publisher().0)
        .push(" ORDER BY t.name_folded, t.id");
    let rows = tx.models::<program::Entity>(sql).await?;
    rows.into_iter().map(to_program).collect()
}
