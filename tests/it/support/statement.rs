//! What a statement says, read plainly.

/// The names that a statement gives to the tables it reads.
pub(crate) fn tables(statement: &str) -> Vec<&str> {
    const TABLES: &[&str] = &[
        "actions",
        "action_items",
        "action_states",
        "ad_spaces",
        "awaited_products",
        "categories",
        "click_stats",
        "commission_rates",
        "deeplinks",
        "feed_offers",
        "import_rejects",
        "import_runs",
        "products",
        "programs",
        "publisher_states",
        "segment_settings",
        "segment_members",
        "segment_uses",
        "segment_versions",
        "segments",
        "totals_audience",
        "totals_category",
        "totals_channel",
        "totals_product",
        "totals_time",
        "product_lifetimes",
        "user_lifetimes",
        "users",
    ];
    let words: Vec<&str> = statement.split_whitespace().collect();
    let named = words
        .windows(3)
        .filter(|words| matches!(words[0], "FROM" | "JOIN") && TABLES.contains(&words[1]));
    // A table without a name of its own is called as it is.
    named
        .map(|words| {
            if matches!(words[2], "WHERE" | "UNION") {
                words[1]
            } else {
                words[2].trim_end_matches(')')
            }
        })
        .collect()
}
