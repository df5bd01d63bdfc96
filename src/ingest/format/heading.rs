//! What headings mean: from the words of the account's pages and exports, English and Russian, of the API, and of the
//! user's own configuration, to the canonical columns. Case, blanks and punctuation don't count.

use crate::domain::column::{COLUMNS, column_named};
use crate::domain::text::fold;
use std::collections::HashMap;

/// How many headings an error or a report lists.
const LISTED: usize = 30;
/// How much of a heading an error or a report shows, in characters.
const SHOWN: usize = 60;
/// How many rows may stand above the headings: titles, empty rows.
pub(super) const ROWS_ABOVE: usize = 20;
/// How many headings must be known for a row to be one of headings.
const FEW: usize = 2;

/// The headings that are known beside the canonical names, by canonical name.
const SHIPPED: &[(&str, &[&str])] = &[
    ("action_id", &["Action ID", "ID действия", "Номер действия"]),
    ("id", &["ID"]),
    (
        "order_id",
        &["Order ID", "Order number", "ID заказа", "Номер заказа"],
    ),
    ("tariff_id", &["Tariff ID", "Rate ID", "ID тарифа"]),
    (
        "advcampaign_id",
        &["Program ID", "Campaign ID", "Offer ID", "ID программы"],
    ),
    (
        "advcampaign_name",
        &[
            "Program",
            "Program name",
            "Campaign",
            "Campaign name",
            "Программа",
            "Название программы",
        ],
    ),
    ("website_id", &["Ad space ID", "Site ID", "ID площадки"]),
    (
        "website_name",
        &[
            "Ad space",
            "Ad space name",
            "Website",
            "Площадка",
            "Рекламная площадка",
            "Название площадки",
        ],
    ),
    (
        "action",
        &[
            "Rate",
            "Action",
            "Action name",
            "Тариф",
            "Действие",
            "Название действия",
        ],
    ),
    (
        "action_type",
        &["Action type", "Type", "Тип действия", "Тип"],
    ),
    (
        "status",
        &["Status", "Action status", "Статус", "Статус действия"],
    ),
    ("processed", &["Processed", "Обработано"]),
    (
        "paid",
        &[
            "Paid",
            "Ready for withdrawal",
            "Готовы к снятию",
            "Выплачено",
        ],
    ),
    (
        "payment",
        &[
            "Earnings",
            "Reward",
            "Payment",
            "Payment sum",
            "Заработок",
            "Вознаграждение",
        ],
    ),
    (
        "cart",
        &["Order amount", "Order sum", "Cart", "Сумма заказа"],
    ),
    ("currency", &["Currency", "Валюта"]),
    (
        "click_date",
        &["Click time", "Click date", "Время клика", "Дата клика"],
    ),
    (
        "action_date",
        &[
            "Action time",
            "Action date",
            "Time of action",
            "Время действия",
            "Дата действия",
            "Дата",
        ],
    ),
    (
        "status_updated",
        &[
            "Processing date",
            "Status updated",
            "Дата обработки",
            "Дата изменения статуса",
        ],
    ),
    ("closing_date", &["Closing date", "Дата закрытия"]),
    ("conversion_time", &["Conversion time", "Время конверсии"]),
    ("subid", &["SubID", "SubID 0"]),
    ("subid1", &["SubID 1"]),
    ("subid2", &["SubID 2"]),
    ("subid3", &["SubID 3"]),
    ("subid4", &["SubID 4"]),
    ("keyword", &["Keyword", "Ключевое слово"]),
    ("comment", &["Comment", "Decline reason", "Комментарий"]),
    (
        "promocode",
        &[
            "Personal promo code",
            "Promo code",
            "Персональный промокод",
            "Промокод",
        ],
    ),
    (
        "click_country_code",
        &[
            "Click country code",
            "Click country",
            "Country",
            "Страна клика",
            "Страна",
            "Код страны клика",
        ],
    ),
    ("position_id", &["Position ID", "ID позиции"]),
    ("product_id", &["Product ID", "ID товара"]),
    (
        "product_name",
        &[
            "Product name",
            "Product",
            "Название товара",
            "Товар",
            "Наименование товара",
        ],
    ),
    (
        "product_url",
        &[
            "Product URL",
            "Product link",
            "Product page link",
            "Ссылка на товар",
            "Ссылка на страницу товара",
        ],
    ),
    (
        "product_image",
        &[
            "Product image",
            "Product image link",
            "Image link",
            "Изображение товара",
            "Ссылка на изображение товара",
        ],
    ),
    (
        "product_category_id",
        &[
            "Product category ID",
            "Category ID",
            "ID категории товара",
            "ID категории",
        ],
    ),
    (
        "product_category_name",
        &[
            "Product category name",
            "Product category",
            "Category name",
            "Category",
            "Название категории товара",
            "Категория товара",
            "Название категории",
        ],
    ),
    (
        "product_country_code",
        &[
            "Product country code",
            "Product country",
            "Country code",
            "Код страны товара",
            "Страна товара",
        ],
    ),
    (
        "product_amount",
        &[
            "Product amount",
            "Product price",
            "Сумма товара",
            "Цена товара",
        ],
    ),
    (
        "product_payment",
        &[
            "Product payment",
            "Product reward",
            "Вознаграждение за товар",
        ],
    ),
    (
        "product_quantity",
        &[
            "Product quantity",
            "Quantity",
            "Количество",
            "Количество товара",
        ],
    ),
];

/// Of each group one column is needed; the words are headings that people know them by.
const NEEDED: &[(&[&str], &str)] = &[
    (&["action_id", "id"], "`ID`, `Action ID` or `action_id`"),
    (
        &["advcampaign_name", "advcampaign_id"],
        "`Program`, `Программа` or `advcampaign_name`",
    ),
    (
        &["action_date"],
        "`Action time`, `Время действия` or `action_date`",
    ),
    (&["payment"], "`Earnings`, `Заработок` or `payment`"),
];

/// Which heading stands for which column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aliases {
    by_heading: HashMap<String, usize>,
}

impl Default for Aliases {
    fn default() -> Self {
        Self::with(&[])
    }
}

impl Aliases {
    /// The headings that are shipped, and those of the user (heading, canonical name), which overrule them. A
    /// canonical name that there is none of has no effect: the settings refuse it.
    #[must_use]
    pub fn with(own: &[(String, &'static str)]) -> Self {
        let mut by_heading = HashMap::new();
        for (place, column) in COLUMNS.iter().enumerate() {
            by_heading.insert(folded(column.name), place);
        }
        for (name, headings) in SHIPPED {
            if let Some(place) = column_named(name) {
                by_heading.extend(headings.iter().map(|heading| (folded(heading), place)));
            }
        }
        for (heading, name) in own {
            if let Some(place) = column_named(name) {
                by_heading.insert(folded(heading), place);
            }
        }
        Self { by_heading }
    }

    /// The place in [`COLUMNS`] of the column that the heading stands for.
    pub(super) fn find(&self, heading: &str) -> Option<usize> {
        self.by_heading.get(&folded(heading)).copied()
    }

    fn known(&self, row: &[String]) -> usize {
        row.iter().filter(|cell| self.find(cell).is_some()).count()
    }
}

/// A heading without case, blanks and punctuation. Very long ones stand for nothing.
pub(super) fn folded(heading: &str) -> String {
    if heading.len() > 400 {
        return String::new();
    }
    fold(heading)
        .chars()
        .filter(|symbol| symbol.is_alphanumeric())
        .map(|symbol| if symbol == 'ё' { 'е' } else { symbol })
        .collect()
}

/// What each cell of a row stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Headings {
    /// For each cell its column in [`COLUMNS`].
    pub(super) columns: Vec<Option<usize>>,
    /// What is not known, in words.
    pub(super) ignored: Vec<String>,
}

/// How many headings of the best row are known, of the rows at the beginning of a table.
pub(super) fn known_in(rows: &[Vec<String>], aliases: &Aliases) -> usize {
    let known = rows.iter().map(|row| aliases.known(row));
    known.max().unwrap_or(0)
}

/// Why a table cannot be read, each with a sentence that says what is missing and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoHeadings {
    /// No row looks like one of headings.
    NoRow(String),
    /// A row does, but headings are missing or stand twice.
    Wrong(String),
}

impl From<NoHeadings> for String {
    fn from(reason: NoHeadings) -> Self {
        match reason {
            NoHeadings::NoRow(sentence) | NoHeadings::Wrong(sentence) => sentence,
        }
    }
}

/// Finds the row of headings among the rows at the beginning of a table: its place and what it says.
///
/// # Errors
/// [`NoHeadings`]
pub(super) fn headings(
    rows: &[Vec<String>],
    aliases: &Aliases,
) -> Result<(usize, Headings), NoHeadings> {
    let mut best = None;
    for (place, row) in rows.iter().enumerate() {
        let known = aliases.known(row);
        if known >= FEW && best.is_none_or(|(most, _)| known > most) {
            best = Some((known, place));
        }
    }
    let Some((place, row)) = best.and_then(|(_, place)| Some((place, rows.get(place)?))) else {
        let first = rows.first().map(|row| row.join(" | ")).unwrap_or_default();
        return Err(NoHeadings::NoRow(format!(
            "there is no row of headings at the beginning (the first row is `{}`); put headings such as ID, Program, \
             Action time, Status, Earnings above the rows, or say what your own headings mean in the table [aliases] of \
             the configuration file",
            short(&first)
        )));
    };
    let meaning = meaning(row, aliases).map_err(NoHeadings::Wrong)?;
    Ok((place, meaning))
}

fn meaning(row: &[String], aliases: &Aliases) -> Result<Headings, String> {
    let columns: Vec<Option<usize>> = row.iter().map(|cell| aliases.find(cell)).collect();
    for (at, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        let first = columns.iter().position(|other| *other == Some(*column));
        if let Some(first) = first.filter(|first| *first < at) {
            return Err(format!(
                "two headings mean `{}`: `{}` (column {}) and `{}` (column {}); remove or rename one of them",
                COLUMNS.get(*column).map_or("", |column| column.name),
                short(row.get(first).map_or("", String::as_str)),
                first + 1,
                short(row.get(at).map_or("", String::as_str)),
                at + 1,
            ));
        }
    }
    let has = |name: &str| columns.contains(&column_named(name));
    for (names, words) in NEEDED {
        if !names.iter().any(|name| has(name)) {
            let name = names.first().copied().unwrap_or_default();
            return Err(format!(
                "there is no column for `{name}`; its heading may be {words}. The headings are: {}. Rename the column, \
                 or add `\"Your heading\" = \"{name}\"` to the table [aliases] of the configuration file",
                listed(row.iter().map(String::as_str))
            ));
        }
    }
    let unknown = row
        .iter()
        .zip(&columns)
        .filter(|(_, column)| column.is_none());
    let ignored = unknown
        .map(|(heading, _)| short(heading))
        .filter(|heading| !heading.is_empty())
        .take(LISTED)
        .collect();
    Ok(Headings { columns, ignored })
}

/// Names in quotes, as many as a person reads.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut more = 0_usize;
    for name in names.filter(|name| !name.trim().is_empty()) {
        if shown.len() < LISTED {
            shown.push(format!("`{}`", short(name)));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

/// A text on one line: what files say is shown on terminals, which do what control characters tell them.
pub(super) fn one_line(text: &str) -> String {
    let shown = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
    text.chars().map(shown).collect()
}

/// As much of a text as an error shows, on one line.
pub(super) fn short(text: &str) -> String {
    let text = text.trim();
    let shown: String = text.chars().take(SHOWN).collect();
    let line = one_line(&shown);
    if text.chars().nth(SHOWN).is_some() {
        format!("{}…", line.trim_end())
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    fn names(headings: &Headings) -> Vec<&'static str> {
        let found = headings.columns.iter().flatten();
        found.map(|place| COLUMNS[*place].name).collect()
    }

    #[test]
    fn no_shipped_heading_stands_for_two_columns() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (name, headings) in SHIPPED {
            assert!(column_named(name).is_some(), "{name}");
            for heading in *headings {
                let before = seen.insert(folded(heading), name);
                assert!(before.is_none_or(|before| before == *name), "{heading}");
            }
        }
        for column in COLUMNS {
            let other = seen.get(&folded(column.name));
            assert!(
                other.is_none_or(|other| *other == column.name),
                "{}",
                column.name
            );
        }
    }

    #[test]
    fn the_account_s_headings_are_understood_in_both_languages() {
        let english = row(&[
            "Program",
            "ID",
            "Ad space",
            "Click time",
            "Action time",
            "Conversion time",
            "Rate",
            "Order amount",
            "Status",
            "Earnings",
            "SubID",
            "Processing date",
            "Personal promo code",
            "Order ID",
            "Keyword",
            "Comment",
        ]);
        let russian = row(&[
            "ПРОГРАММА",
            "id",
            "площадка",
            "Время  клика",
            "Время_действия",
            "Время конверсии",
            "Тариф",
            "Сумма заказа:",
            "Статус",
            "Заработок",
            "Sub ID",
            "Дата обработки",
            "Персональный промокод",
            "ID заказа",
            "Ключевое слово",
            "Комментарий",
        ]);
        let (_, english) = headings(&[english], &Aliases::default()).unwrap();
        let (_, russian) = headings(&[russian], &Aliases::default()).unwrap();
        assert_eq!(english, russian);
        assert_eq!(names(&english).len(), 16);
        assert_eq!(english.ignored, Vec::<String>::new());
        assert!(names(&english).starts_with(&["advcampaign_name", "id", "website_name"]));
    }

    #[test]
    fn a_title_may_stand_above_and_own_headings_count() {
        let own = Aliases::with(&[("Мой доход".to_owned(), "payment")]);
        let rows = [
            row(&["Report on actions"]),
            row(&[]),
            row(&["ID", "Program", "Action time", "мой  доход", "Weather", ""]),
            row(&[
                "1",
                "AliExpress WW",
                "2024-03-05 13:30:00",
                "1.89",
                "fair",
                "",
            ]),
        ];
        let (place, found) = headings(&rows, &own).unwrap();
        assert_eq!(place, 2);
        assert_eq!(
            names(&found),
            ["id", "advcampaign_name", "action_date", "payment"]
        );
        assert_eq!(found.ignored, ["Weather"]);
        let error = String::from(headings(&rows, &Aliases::default()).unwrap_err());
        assert!(
            error.contains("no column for `payment`") && error.contains("[aliases]"),
            "{error}"
        );
        assert!(error.contains("`мой  доход`"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_headings_is_named() {
        let wrong = |cells: &[&str]| {
            String::from(headings(&[row(cells)], &Aliases::default()).unwrap_err())
        };
        let twice = wrong(&["ID", "Program", "Earnings", "Action time", "Заработок"]);
        assert!(
            twice.contains("`payment`: `Earnings` (column 3) and `Заработок` (column 5)"),
            "{twice}"
        );
        let none = wrong(&["900000001", "AliExpress WW", "pending"]);
        assert!(
            none.contains("no row of headings") && none.contains("900000001 | AliExpress"),
            "{none}"
        );
        let long = wrong(&["x".repeat(5_000).as_str(), "ID", "Program"]);
        assert!(long.len() < 1_000, "{long}");
    }
}
