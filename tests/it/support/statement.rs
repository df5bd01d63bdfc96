//! What a statement says, read plainly.

/// The tables whose rows each belong to a publisher.
const TABLES: &[&str] = &[
    "account_actions",
    "action_changes",
    "action_items",
    "action_states",
    "actions",
    "ad_spaces",
    "adjustments",
    "api_keys",
    "audit_entries",
    "awaited_products",
    "balances",
    "categories",
    "click_stats",
    "commission_rates",
    "deeplinks",
    "feed_offers",
    "feeds",
    "import_rejects",
    "import_runs",
    "product_lifetimes",
    "products",
    "programs",
    "publisher_states",
    "segment_members",
    "segment_settings",
    "segment_uses",
    "segment_versions",
    "segments",
    "sync_accounts",
    "sync_states",
    "tombstones",
    "totals_audience",
    "totals_category",
    "totals_channel",
    "totals_product",
    "totals_time",
    "user_lifetimes",
    "users",
];

/// The names that a statement gives to the tables it reads.
pub(crate) fn tables(statement: &str) -> Vec<&str> {
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
                words[2].trim_end_matches([')', ','])
            }
        })
        .collect()
}

/// The tables that a statement reads without saying whose rows, by the names that it gives them.
pub(crate) fn of_anybody(statement: &str) -> Vec<&str> {
    let mut read = tables(statement);
    read.retain(|name| {
        let says_whose = statement.contains(&format!("{name}.publisher_id"));
        // The columns of one without a name of its own can stand alone.
        let stands_alone = TABLES.contains(name) && statement.contains(" publisher_id = ");
        !says_whose && !stands_alone
    });
    read
}
