//! Publishers, what moves with every write to their data, and their API keys.

use sea_orm_migration::sea_orm::DbBackend;

use crate::table::NewTable;

/// The publishers: shared by all, a reference table on Citus.
pub(super) fn publishers(backend: DbBackend) -> NewTable {
    NewTable::shared(backend, "publishers")
        .big("id")
        .text("slug")
        .text("name")
        .text("time_zone")
        .text("currency")
        .big("created_at_us")
        .key(&["id"])
        .unique(&["slug"])
}

/// One row per publisher, locked by every writer of its data.
pub(super) fn publisher_states(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "publisher_states")
        .big("change_seq")
        .big("data_version")
        .big("changed_at_us")
        .key(&[])
        .of_known_publisher()
}

/// API keys, by their hash.
pub(super) fn api_keys(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "api_keys")
        .uuid("id")
        .text("prefix")
        .text("hash")
        .text("label")
        .big("created_at_us")
        .big_or_null("revoked_at_us")
        .key(&["id"])
        .of_known_publisher()
        // A key is what names the publisher, so `publisher_id` can't lead here; not unique, because on Citus nothing
        // is unique over all publishers. Whoever finds several compares the hash of each.
        .index_over_all(&["prefix"])
}
