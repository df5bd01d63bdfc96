//! Import runs and the records that they could not understand.

use sea_orm_migration::sea_orm::DbBackend;

use crate::table::NewTable;

/// The runs of all entrances.
pub(super) fn import_runs(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "import_runs")
        .uuid("id")
        .text("entrance")
        .text("name")
        .word("state", &["RUNNING", "SUCCEEDED", "PARTIAL", "FAILED"])
        .big("started_at_us")
        .big_or_null("finished_at_us")
        .big("as_of_us")
        .big("read_count")
        .big("inserted_count")
        .big("updated_count")
        .big("unchanged_count")
        .big("stale_count")
        .big("rejected_count")
        .big("rounded_count")
        .text_or_null("error")
        .key(&["id"])
        .of_known_publisher()
        .index(&["started_at_us", "id"])
}

/// Records that could not be understood: a part of their run.
pub(super) fn import_rejects(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "import_rejects")
        .uuid("run_id")
        .int("ordinal")
        .int("page")
        .int("item")
        .big("byte_offset")
        .big("line")
        .text("reason")
        .text_or_null("field")
        .text("message")
        .text("raw")
        .key(&["run_id", "ordinal"])
        .part_of("run_id", "import_runs")
}
