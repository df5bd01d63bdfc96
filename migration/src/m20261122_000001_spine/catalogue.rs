//! What actions refer to: programs, ad spaces, categories, users, products.

use sea_orm_migration::sea_orm::DbBackend;

use crate::table::NewTable;

/// Programs as a publisher knows them.
pub(super) fn programs(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "programs")
        .uuid("id")
        .text("source")
        .text("natural_key")
        .text_or_null("external_id")
        .text_or_null("catalog_key")
        .text("name")
        .text("name_folded")
        .text_or_null("currency")
        .big("name_at_us")
        .key(&["id"])
        .of_known_publisher()
        .unique(&["source", "natural_key"])
}

/// The publisher's ad spaces.
pub(super) fn ad_spaces(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "ad_spaces")
        .uuid("id")
        .text("source")
        .text("natural_key")
        .text_or_null("external_id")
        .text("name")
        .text("name_folded")
        .text("user_space")
        .int_between("user_subid_slot", 0, 4)
        .big("name_at_us")
        .key(&["id"])
        .of_known_publisher()
        .unique(&["source", "natural_key"])
}

/// The category tree.
pub(super) fn categories(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "categories")
        .uuid("id")
        .text("external_id")
        .text("name")
        .text("name_folded")
        .uuid_or_null("parent_id")
        .int("level")
        .uuid("level1_id")
        .uuid("level2_id")
        .flag("is_known")
        .big("name_at_us")
        .key(&["id"])
        .of_known_publisher()
        // The rows of one statement may come in any order: both databases check at its end.
        .parent("parent_id", "categories")
        .unique(&["external_id"])
}

/// The publisher's own customers.
pub(super) fn users(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "users")
        .uuid("id")
        .text("user_space")
        .text("value")
        .big("first_seen_us")
        .key(&["id"])
        .of_known_publisher()
}

/// Products seen in carts and feeds.
pub(super) fn products(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "products")
        .uuid("id")
        .text("source")
        .text("natural_key")
        .text_or_null("external_id")
        .text_or_null("name")
        .text_or_null("name_folded")
        .text_or_null("url")
        .text_or_null("image_url")
        .uuid_or_null("category_id")
        .text_or_null("country")
        .flag("is_hot")
        .flag("is_priority")
        .big("first_seen_us")
        .big("name_at_us")
        .big("url_at_us")
        .big("image_at_us")
        .big("category_at_us")
        .key(&["id"])
        .parent("category_id", "categories")
}
