//! What the columns of a flat row of actions are called and hold: the canonical names that every table of foreign
//! making (CSV, XML, a sheet) is translated into, and that users name in their own aliases.
//!
//! The names are those of upstream's API; columns of the cart item are told apart by a prefix.

/// What a column holds, which decides how its text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// An id: digits or a word.
    Id,
    /// Text.
    Text,
    /// Text that is kept as it is, blanks included.
    Verbatim,
    /// An amount.
    Money,
    /// A code of three letters.
    Currency,
    /// A date and a time.
    Time,
    /// A day.
    Day,
    /// A length of time.
    Seconds,
    /// A status in upstream's or the account's words.
    Status,
    /// `sale` or `lead`.
    ActionType,
    /// Yes or no.
    Flag,
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Its canonical name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// What the field is called in the cart item that it belongs to; none where it belongs to the action.
    pub item_field: Option<&'static str>,
}

const fn of_action(name: &'static str, kind: ColumnKind) -> Column {
    Column {
        name,
        kind,
        item_field: None,
    }
}

const fn of_item(name: &'static str, kind: ColumnKind, field: &'static str) -> Column {
    Column {
        name,
        kind,
        item_field: Some(field),
    }
}

/// Every column there is.
pub const COLUMNS: &[Column] = &[
    of_action("action_id", ColumnKind::Id),
    of_action("id", ColumnKind::Id),
    of_action("order_id", ColumnKind::Id),
    of_action("tariff_id", ColumnKind::Id),
    of_action("advcampaign_id", ColumnKind::Id),
    of_action("advcampaign_name", ColumnKind::Text),
    of_action("website_id", ColumnKind::Id),
    of_action("website_name", ColumnKind::Text),
    of_action("action", ColumnKind::Text),
    of_action("action_type", ColumnKind::ActionType),
    of_action("status", ColumnKind::Status),
    of_action("processed", ColumnKind::Flag),
    of_action("paid", ColumnKind::Flag),
    of_action("payment", ColumnKind::Money),
    of_action("cart", ColumnKind::Money),
    of_action("currency", ColumnKind::Currency),
    of_action("click_date", ColumnKind::Time),
    of_action("action_date", ColumnKind::Time),
    of_action("status_updated", ColumnKind::Time),
    of_action("closing_date", ColumnKind::Day),
    of_action("conversion_time", ColumnKind::Seconds),
    of_action("subid", ColumnKind::Verbatim),
    of_action("subid1", ColumnKind::Verbatim),
    of_action("subid2", ColumnKind::Verbatim),
    of_action("subid3", ColumnKind::Verbatim),
    of_action("subid4", ColumnKind::Verbatim),
    of_action("keyword", ColumnKind::Text),
    of_action("comment", ColumnKind::Text),
    of_action("promocode", ColumnKind::Text),
    of_action("click_country_code", ColumnKind::Text),
    of_item("position_id", ColumnKind::Id, "id"),
    of_item("product_id", ColumnKind::Id, "product_id"),
    of_item("product_name", ColumnKind::Text, "product_name"),
    of_item("product_url", ColumnKind::Text, "product_url"),
    of_item("product_image", ColumnKind::Text, "product_image"),
    of_item("product_category_id", ColumnKind::Id, "product_category_id"),
    of_item(
        "product_category_name",
        ColumnKind::Text,
        "product_category_name",
    ),
    of_item(
        "product_country_code",
        ColumnKind::Text,
        "product_country_code",
    ),
    of_item("product_amount", ColumnKind::Money, "amount"),
    of_item("product_payment", ColumnKind::Money, "payment"),
    of_item("product_quantity", ColumnKind::Id, "quantity"),
];

/// Where the column of a canonical name stands in [`COLUMNS`].
#[must_use]
pub fn column_named(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|column| column.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_at_its_place_and_stands_once() {
        for (place, column) in COLUMNS.iter().enumerate() {
            assert_eq!(column_named(column.name), Some(place), "{}", column.name);
        }
        assert_eq!(column_named("earnings"), None);
    }
}
