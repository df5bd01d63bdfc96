//! The table `[aliases]` of the configuration file: what a user's own headings mean.

use crate::domain::column::{COLUMNS, column_named};

/// A heading and the canonical name of the column that it stands for.
pub type Alias = (String, &'static str);

/// Reads the table: what is right, and what is wrong with the rest (the place in the file, and a sentence).
pub(super) fn read(value: &toml::Value) -> (Vec<Alias>, Vec<(String, String)>) {
    let Some(table) = value.as_table() else {
        let message = "must be a table of headings, such as \"My heading\" = \"product_name\"";
        return (Vec::new(), vec![("aliases".to_owned(), message.to_owned())]);
    };
    let (mut aliases, mut problems) = (Vec::new(), Vec::new());
    for (heading, name) in table {
        let mut problem = |message: String| problems.push((format!("aliases: {heading}"), message));
        if !heading.chars().any(char::is_alphanumeric) {
            problem("is no heading: it has neither letters nor digits".to_owned());
            continue;
        }
        let Some(name) = name.as_str() else {
            problem("must be the name of a column, in quotation marks".to_owned());
            continue;
        };
        match column_named(name).and_then(|place| COLUMNS.get(place)) {
            Some(column) => aliases.push((heading.clone(), column.name)),
            None => {
                let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
                problem(format!(
                    "there is no column {name:?}; there are {}",
                    names.join(", ")
                ));
            }
        }
    }
    (aliases, problems)
}
