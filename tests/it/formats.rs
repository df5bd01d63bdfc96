//! Imports of every format through the real binary: the same actions give the same rows, whatever file they come in, and
//! what is damaged, hostile or foreign ends in its own clear error with nothing written.

mod hostile;

use crate::support::books::{self, Cell};
use crate::support::world::World;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The columns of the sample: canonical name, heading in English and in Russian.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("action_id", "Action ID", "ID действия"),
    ("advcampaign_id", "Program ID", "ID программы"),
    ("advcampaign_name", "Program", "Программа"),
    ("website_name", "Ad space", "Площадка"),
    ("action", "Rate", "Тариф"),
    ("action_type", "Action type", "Тип действия"),
    ("status", "Status", "Статус"),
    ("processed", "Processed", "Обработано"),
    ("paid", "Paid", "Выплачено"),
    ("payment", "Earnings", "Заработок"),
    ("cart", "Order amount", "Сумма заказа"),
    ("currency", "Currency", "Валюта"),
    ("click_date", "Click time", "Время клика"),
    ("action_date", "Action time", "Время действия"),
    ("status_updated", "Processing date", "Дата обработки"),
    ("closing_date", "Closing date", "Дата закрытия"),
    ("conversion_time", "Conversion time", "Время конверсии"),
    ("subid", "SubID", "SubID"),
    ("subid1", "SubID 1", "SubID 1"),
    ("order_id", "Order ID", "ID заказа"),
    ("keyword", "Keyword", "Ключевое слово"),
    ("comment", "Comment", "Комментарий"),
    ("promocode", "Personal promo code", "Персональный промокод"),
    ("click_country_code", "Click country", "Страна клика"),
    ("product_id", "Product ID", "ID товара"),
    ("product_name", "Product name", "Название товара"),
    ("product_url", "Product link", "Ссылка на товар"),
    ("product_image", "Product image", "Изображение товара"),
    (
        "product_category_id",
        "Product category ID",
        "ID категории товара",
    ),
    (
        "product_category_name",
        "Product category name",
        "Название категории товара",
    ),
    (
        "product_country_code",
        "Product country code",
        "Код страны товара",
    ),
];

/// What the columns of an action say, as upstream writes it; empty for nothing.
fn action(number: u32) -> Vec<String> {
    let statuses = ["pending", "approved", "declined", "approved_but_stalled"];
    let status = statuses[usize::try_from(number % 4).unwrap()];
    let is_open = status == "pending";
    let (day, hour) = (1 + number % 28, number % 24);
    let cents = 1_000 + number * 1_237;
    let product = 1_005_000_000_000_000_u64 + u64::from(number % 17);
    let texts = [
        (900_000_000 + number).to_string(),
        if number.is_multiple_of(3) {
            "25179"
        } else {
            "6115"
        }
        .to_owned(),
        if number.is_multiple_of(3) {
            "AliExpress RU&CIS NEW"
        } else {
            "AliExpress WW"
        }
        .to_owned(),
        "Мой блог".to_owned(),
        "Paid order".to_owned(),
        "sale".to_owned(),
        status.to_owned(),
        u8::from(!is_open).to_string(),
        u8::from(status == "approved" && number % 8 == 1).to_string(),
        format!("{}.{:02}", cents / 2_000, cents / 20 % 100),
        format!("{}.{:02}", cents / 100, cents % 100),
        if number.is_multiple_of(3) {
            "RUB"
        } else {
            "USD"
        }
        .to_owned(),
        format!("2024-03-{day:02} {hour:02}:00:05"),
        format!("2024-03-{day:02} {hour:02}:30:06"),
        if is_open {
            String::new()
        } else {
            format!("2024-04-{day:02} 07:08:09")
        },
        if is_open {
            String::new()
        } else {
            format!("2024-05-{day:02}")
        },
        "1801".to_owned(),
        "tg".to_owned(),
        format!("u-{}", number % 40),
        format!("30190000{number:04}"),
        String::new(),
        if status == "declined" {
            "Отказ; \"возврат\", <товар>".to_owned()
        } else {
            String::new()
        },
        if number.is_multiple_of(10) {
            "SALE10".to_owned()
        } else {
            String::new()
        },
        "PL".to_owned(),
        product.to_string(),
        format!("Кабель USB-C {} & \"co\"", number % 17),
        format!("https://www.aliexpress.com/item/{product}.html"),
        format!("https://ae01.alicdn.com/kf/{product}.jpg"),
        "44".to_owned(),
        "Consumer Electronics".to_owned(),
        "CN".to_owned(),
    ];
    let mut texts: Vec<String> = texts.into();
    if number.is_multiple_of(5) {
        for text in texts.iter_mut().skip(24) {
            text.clear();
        }
    }
    texts
}

fn actions() -> Vec<Vec<String>> {
    (0..200).map(action).collect()
}

fn named<'a>(texts: &'a [String], name: &str) -> &'a str {
    let at = COLUMNS.iter().position(|column| column.0 == name).unwrap();
    &texts[at]
}

/// The action as upstream's API sends it.
fn api(texts: &[String]) -> Value {
    let (mut fields, mut item) = (Map::new(), Map::new());
    for ((name, ..), text) in COLUMNS.iter().zip(texts) {
        let value = match *name {
            _ if text.is_empty() => Value::Null,
            "payment" | "cart" => json!(text.parse::<f64>().unwrap()),
            "action_id" | "processed" | "paid" | "conversion_time" => {
                json!(text.parse::<u64>().unwrap())
            }
            _ => json!(text),
        };
        let target = if name.starts_with("product_") {
            &mut item
        } else {
            &mut fields
        };
        target.insert((*name).to_owned(), value);
    }
    if item.values().any(|value| !value.is_null()) {
        item.insert("amount".to_owned(), json!(named(texts, "cart")));
        item.insert("payment".to_owned(), json!(named(texts, "payment")));
        fields.insert("positions".to_owned(), json!([item]));
    }
    Value::Object(fields)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// CSV with the account's English headings.
fn english_csv() -> Vec<u8> {
    let mut out = COLUMNS
        .iter()
        .map(|column| column.1)
        .collect::<Vec<_>>()
        .join(",");
    for texts in actions() {
        out.push_str("\r\n");
        out.push_str(
            &texts
                .iter()
                .map(|text| quoted(text))
                .collect::<Vec<_>>()
                .join(","),
        );
    }
    out.into_bytes()
}

/// The same as a Russian account and a Russian spreadsheet write it: words, decimal commas, days first, windows-1251.
fn russian_csv() -> Vec<u8> {
    let mut out = String::from("Отчет по действиям\n\n");
    out.push_str(
        &COLUMNS
            .iter()
            .map(|column| column.2.to_uppercase())
            .collect::<Vec<_>>()
            .join(";"),
    );
    for texts in actions() {
        let cells = COLUMNS.iter().zip(&texts).map(|((name, ..), text)| {
            let day = |text: &str| format!("{}.{}.{}", &text[8..10], &text[5..7], &text[..4]);
            let written = match *name {
                _ if text.is_empty() => "-".to_owned(),
                "payment" | "cart" => {
                    let (whole, rest) = text.split_once('.').unwrap();
                    let thousands = whole.len().saturating_sub(3);
                    format!(
                        "{}\u{a0}{},{rest} {}",
                        &whole[..thousands],
                        &whole[thousands..],
                        named(&texts, "currency")
                    )
                }
                "status" => match text.as_str() {
                    "pending" => "Ожидает",
                    "approved" => "Подтвержден",
                    "declined" => "Отклонён",
                    _ => "Подтвержден, ожидает оплаты рекламодателем",
                }
                .to_owned(),
                "processed" | "paid" => if text == "1" { "да" } else { "нет" }.to_owned(),
                "conversion_time" => "0:30:01".to_owned(),
                "closing_date" => day(text),
                _ if name.ends_with("_date") || *name == "status_updated" => {
                    format!("{} {}", day(text), &text[11..])
                }
                _ => text.clone(),
            };
            quoted(&written)
        });
        out.push('\n');
        out.push_str(&cells.collect::<Vec<_>>().join(";"));
    }
    let (bytes, _, lost) = encoding_rs::WINDOWS_1251.encode(&out);
    assert!(!lost);
    bytes.into_owned()
}

fn xml() -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"windows-1251\"?>\n<stats>");
    for texts in actions() {
        out.push_str("\n<stat>");
        for ((name, ..), text) in COLUMNS.iter().zip(&texts) {
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            out.push_str(&format!(
                "<{name}>{}</{name}>",
                if text.is_empty() { "-" } else { text.as_str() }
            ));
        }
        out.push_str("</stat>");
    }
    out.push_str("</stats>\n");
    encoding_rs::WINDOWS_1251.encode(&out).0.into_owned()
}

/// Days in a spreadsheet's count.
fn serial(text: &str) -> f64 {
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
    25_569.0 + f64::from(u32::try_from(time.and_utc().timestamp()).unwrap()) / 86_400.0
}

fn table() -> Vec<Vec<Cell>> {
    let head = COLUMNS
        .iter()
        .map(|column| Cell::Text(column.1.to_owned()))
        .collect();
    let rows = actions().into_iter().map(|texts| {
        let cells = COLUMNS
            .iter()
            .zip(&texts)
            .map(|((name, ..), text)| match *name {
                _ if text.is_empty() => Cell::Empty,
                "payment" | "cart" | "action_id" | "product_id" => {
                    Cell::Number(text.parse().unwrap())
                }
                "closing_date" => Cell::Date(serial(&format!("{text} 00:00:00"))),
                _ if name.ends_with("_date") || *name == "status_updated" => {
                    Cell::Date(serial(text))
                }
                _ => Cell::Text(text.clone()),
            });
        cells.collect()
    });
    std::iter::once(head).chain(rows).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A run of the binary: its exit code, and all that it said.
fn import(url: &str, file: &Path, more: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["import", "--publisher", "publisher-1"])
        .arg(file)
        .args(more)
        .env_clear()
        .env("ACTIONGRAPH_DATABASE_URL", url)
        .env("TMPDIR", file.parent().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(said).unwrap(),
    )
}

/// What is stored after an import, without the runs.
async fn stored(folder: &Path, name: &str, bytes: &[u8], words: &str) -> String {
    let world = World::new(1).await;
    let file = folder.join(name);
    std::fs::write(&file, bytes).unwrap();
    let (code, said) = import(&world.url, &file, &[]);
    assert_eq!(code, 0, "{name}: {said}");
    assert!(
        said.contains(&format!("format    {words}")),
        "{name}: {said}"
    );
    assert_eq!(world.drift(0).await, Vec::<String>::new(), "{name}");
    // Nothing stays behind beside what was there.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "{name}");
    world.dump(0).await
}

mod heavy {
    use super::*;

    #[tokio::test]
    async fn the_same_actions_of_every_format_are_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let all: Vec<Value> = actions().iter().map(|texts| api(texts)).collect();
        let json = json!({"_meta": {"count": 200}, "results": all})
            .to_string()
            .into_bytes();
        let lines: String = all.iter().map(|action| format!("{action}\n")).collect();
        let expected = stored(folder, "actions.json", &json, "JSON").await;
        assert_eq!(
            expected
                .lines()
                .filter(|line| line.starts_with("action "))
                .count(),
            200
        );
        assert_eq!(
            expected
                .lines()
                .filter(|line| line.starts_with("action_item "))
                .count(),
            160
        );
        for (name, bytes, words) in [
            ("actions.jsonl", lines.into_bytes(), "JSON"),
            ("english.csv", english_csv(), "CSV (commas, UTF-8)"),
            (
                "russian.csv",
                russian_csv(),
                "CSV (semicolons, windows-1251, for it is not UTF-8)",
            ),
            ("actions.xml", xml(), "XML (windows-1251)"),
            ("actions.xlsx", books::xlsx(&table()), "XLSX"),
            ("actions.xls", books::xls(&table()), "XLS"),
        ] {
            for (name, bytes, words) in [
                (name.to_owned(), bytes.clone(), words.to_owned()),
                (format!("{name}.gz"), gzip(&bytes), format!("{words}, gzip")),
            ] {
                let found = stored(folder, &name, &bytes, &words).await;
                let different = expected
                    .lines()
                    .zip(found.lines())
                    .find(|(left, right)| left != right);
                assert_eq!(different, None, "{name}");
                assert_eq!(expected.lines().count(), found.lines().count(), "{name}");
            }
        }
    }

    /// The files are kept as they were made once: a reader that understands them differently one day is seen.
    #[tokio::test]
    async fn good_files_of_every_format_are_the_same_rows() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good");
        let mut files: Vec<PathBuf> = ["tables", "workbooks"]
            .iter()
            .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(files.len(), 16);
        let folder = tempfile::tempdir().unwrap();
        let mut expected: Option<String> = None;
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let words = match (
                name.contains("windows-1251"),
                name.split('.').nth(1).unwrap(),
            ) {
                (true, _) => "CSV (semicolons, windows-1251, for it is not UTF-8)",
                (_, "csv") if name.starts_with("russian") => "CSV (semicolons, UTF-8)",
                (_, "csv") => "CSV (commas, UTF-8)",
                (_, "xml") => "XML (UTF-8)",
                (_, "xlsx") => "XLSX",
                (_, "xls") => "XLS",
                _ => "JSON",
            };
            let bytes = std::fs::read(&file).unwrap();
            let found = stored(folder.path(), name, &bytes, words).await;
            let expected = expected.get_or_insert_with(|| found.clone());
            let different = expected
                .lines()
                .zip(found.lines())
                .find(|(left, right)| left != right);
            assert_eq!(different, None, "{name}");
            assert_eq!(expected.lines().count(), found.lines().count(), "{name}");
        }
        let expected = expected.unwrap();
        let count = |table: &str| {
            let lines = expected.lines();
            lines.filter(|line| line.starts_with(table)).count()
        };
        assert_eq!((count("action "), count("action_item ")), (8, 7));
        assert_eq!(expected.matches("Ёлочные игрушки").count(), 1);
    }
}

/// A table whose processing dates have no clock: what was decided on the day of the order is newer than the order, whichever
/// file comes first.
#[tokio::test]
async fn a_decision_is_newer_than_its_order_whichever_comes_first() {
    let head = "Action ID,Program ID,Status,Earnings,Action time,Processing date\n";
    let table = |status: &str, updated: &str| {
        format!("{head}1,6115,{status},1.50,2024-03-05 13:30:00,{updated}\n")
    };
    let files = [
        ("pending.csv", table("On hold", ""), "2024-03-05T20:00:00Z"),
        (
            "decided.csv",
            table("Declined", "05.03.2024"),
            "2024-03-07T20:00:00Z",
        ),
    ];
    for order in [[0, 1], [1, 0]] {
        let world = World::new(1).await;
        let folder = tempfile::tempdir().unwrap();
        for place in order {
            let (name, text, as_of) = &files[place];
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let (code, said) = import(&world.url, &file, &["--as-of", as_of]);
            assert_eq!(code, 0, "{said}");
        }
        let stored = world.rows::<entity::action::Entity>(0).await;
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].raw_status, "declined", "{order:?}");
    }
}

/// A process that cannot take from itself what it may not use says so, instead of that there is no room for its rows.
#[test]
fn a_child_that_cannot_be_limited_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("table.xlsx");
    std::fs::write(&book, books::xlsx(&table())).unwrap();
    // Less than the limit that it sets.
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 520000 && exec \"$0\" read-sheet \"$1\""])
        .arg(env!("CARGO_BIN_EXE_actiongraph"))
        .arg(&book)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("MIMALLOC_ARENA_RESERVE", "16384")
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    // Some may raise what others are held to, such as who runs everything in a container.
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("cannot be limited") || last.starts_with("{\"End\""),
        "{last}"
    );
}
