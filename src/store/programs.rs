//! Programs: lists and look-ups.

use super::convert::to_program;
use super::listing::{self, Listing, Wanted};
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

/// One page of programs: one statement.
///
/// # Errors
/// When a cursor does not fit, or the database fails.
pub async fn list(
    tx: &ReadTx,
    scope: ReadScope,
    filter: &Filter<ProgramTest>,
    order: &[SortKey<ProgramSort>],
    page: &PageRequest,
) -> Result<Page<Program>> {
    listing::list::<Programs>(
        tx,
        scope,
        Wanted {
            filter,
            order,
            page,
            also: tx.sql(),
        },
    )
    .await
}

/// How many programs a filter has: one statement.
///
/// # Errors
/// When the database fails.
pub async fn count(tx: &ReadTx, scope: ReadScope, filter: &Filter<ProgramTest>) -> Result<i64> {
    listing::count::<Programs>(tx, scope, filter, &tx.sql()).await
}

/// Programs by id, in no order: one statement.
///
/// # Errors
/// When the database fails.
pub async fn by_ids(tx: &ReadTx, scope: ReadScope, ids: &[Uuid]) -> Result<Vec<Program>> {
    listing::by_ids::<Programs>(tx, scope, ids).await
}

/// Programs that upstream calls so: one statement.
///
/// # Errors
/// When the database fails.
pub async fn by_external_id(
    tx: &ReadTx,
    scope: ReadScope,
    external_id: &str,
) -> Result<Vec<Program>> {
    listing::by_text::<Programs>(tx, scope, "external_id", external_id).await
}
