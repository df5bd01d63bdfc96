//! Actions with their cart items, the states they went through, and the log of their changes.

use sea_orm_migration::sea_orm::DbBackend;

use crate::table::NewTable;

/// What an action is.
const TYPES: &[&str] = &["SALE", "LEAD", "UNKNOWN"];

/// How an action stands.
const STATUSES: &[&str] = &[
    "PENDING",
    "APPROVED",
    "APPROVED_BUT_STALLED",
    "DECLINED",
    "UNKNOWN",
];

/// Actions in their latest state.
pub(super) fn actions(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "actions")
        .uuid("id")
        .text("source")
        .text("external_id")
        .text_or_null("order_id")
        .uuid("program_id")
        .uuid_or_null("ad_space_id")
        .uuid_or_null("user_id")
        .text_or_null("tariff_id")
        .text_or_null("action_name")
        .word("action_type", TYPES)
        .word("status", STATUSES)
        .text("raw_status")
        .flag("paid")
        .flag("processed")
        .flag("returned_to_hold")
        .big("reward_e4")
        .big_or_null("order_amount_e4")
        .text("currency")
        .big_or_null("clicked_at_us")
        .big("ordered_at_us")
        .big_or_null("status_updated_at_us")
        .int_or_null("closing_day")
        .big_or_null("conversion_seconds")
        .text_or_null("country")
        .text_or_null("subid0")
        .text_or_null("subid1")
        .text_or_null("subid2")
        .text_or_null("subid3")
        .text_or_null("subid4")
        .text_or_null("keyword")
        .text_or_null("comment")
        .text_or_null("comment_folded")
        .text_or_null("promo_code")
        .text_or_null("device")
        .int("items_count")
        .big("units")
        .big("items_amount_e4")
        .big("items_reward_e4")
        .big("changed_at_us")
        .big("observed_at_us")
        .text("inherited")
        .key(&["id"])
        .parent("program_id", "programs")
        .parent("ad_space_id", "ad_spaces")
        // A page is walked by an instant and then by the id; one index for each date axis.
        .index(&["ordered_at_us", "id"])
        .index(&["status_updated_at_us", "id"])
        .index(&["clicked_at_us", "id"])
        .index(&["closing_day", "id"])
        .index(&["user_id", "ordered_at_us"])
        .index(&["program_id", "ordered_at_us"])
        .index(&["order_id"])
}

/// Cart items: parts of an action.
pub(super) fn action_items(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "action_items")
        .uuid("action_id")
        .int("ordinal")
        .text_or_null("external_id")
        .uuid_or_null("product_id")
        .uuid_or_null("category_id")
        .big("amount_e4")
        .big("reward_e4")
        .big_or_null("rate_e4")
        .flag_or_null("is_percentage")
        .text_or_null("tariff_id")
        .text_or_null("rate_id")
        .int("units")
        .big_or_null("ordered_at_us")
        .text_or_null("product_country")
        .key(&["action_id", "ordinal"])
        .part_of("action_id", "actions")
        .index(&["product_id"])
        .index(&["category_id"])
}

/// The states that an action went through: parts of it.
pub(super) fn action_states(backend: DbBackend) -> NewTable {
    NewTable::of_publisher(backend, "action_states")
        .uuid("action_id")
        .uuid("state_id")
        .word("status", STATUSES)
        .text("raw_status")
        .flag("paid")
        .big("reward_e4")
        .big_or_null("order_amount_e4")
        .text("currency")
        .big("changed_at_us")
        .big("observed_at_us")
        .key(&["action_id", "state_id"])
        .part_of("action_id", "actions")
}

/// The change log; it can say these kinds.
pub(crate) fn action_changes(backend: DbBackend, kinds: &'static [&'static str]) -> NewTable {
    NewTable::of_publisher(backend, "action_changes")
        .big("seq")
        .uuid("action_id")
        .word("kind", kinds)
        .word("status", STATUSES)
        .uuid("run_id")
        .big("committed_at_us")
        .key(&["seq"])
}
