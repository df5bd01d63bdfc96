//! Members as people list them: identifiers, links, and CSV text with one of these in the first column of each line.

use super::Subject;
use crate::domain::draft::{ProductRef, page_of};
use crate::domain::text::has_nul;

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number, from 1 on.
    pub line: usize,
    /// What it names, as it was written.
    pub written: String,
    /// A user's SubID value, or a product's natural key; or why it is none.
    pub name: Result<String, String>,
}

/// What the first column of a list can be called; a first line that says so is no member.
const HEADS: &[&str] = &[
    "id",
    "product",
    "product id",
    "product_id",
    "productid",
    "external id",
    "external_id",
    "externalid",
    "url",
    "link",
    "product_url",
    "user",
    "user_id",
    "subid",
    "subid1",
    "value",
];

/// What a text names.
///
/// # Errors
/// Why it names nothing.
pub fn name_of(subject: Subject, text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if has_nul(text) {
        return Err("it holds the character U+0000".to_owned());
    }
    match subject {
        Subject::Users => Ok(text.to_owned()),
        Subject::Products => product(text),
    }
}

fn product(text: &str) -> Result<String, String> {
    let is_link = ["http://", "https://"].iter().any(|start| {
        text.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    });
    let is_id = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit());
    let reference = ProductRef {
        external_id: is_id.then(|| text.to_owned()),
        // An affiliate link names the product that it leads to, as in a feed.
        url: is_link.then(|| page_of(text).unwrap_or_else(|| text.to_owned())),
        name: None,
        image_url: None,
        country: None,
    };
    reference.natural_key().ok_or_else(|| {
        "it is no product: write an AliExpress product id, such as 1005000000000001, or a link"
            .to_owned()
    })
}

/// Reads a list: CSV with commas, semicolons or tabs, of which the first column counts; a heading and empty lines are
/// passed over.
#[must_use]
pub fn read_list(subject: Subject, text: &str) -> Vec<Listed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut listed = Vec::new();
    let mut is_first = true;
    for (number, line) in text.lines().enumerate() {
        let written = first_cell(line);
        if written.is_empty() {
            continue;
        }
        let is_head = is_first && HEADS.contains(&written.to_lowercase().as_str());
        is_first = false;
        if !is_head {
            listed.push(Listed {
                line: number + 1,
                name: name_of(subject, &written),
                written,
            });
        }
    }
    listed
}

/// The first cell of a line, without its quotes.
fn first_cell(line: &str) -> String {
    let line = line.trim();
    let Some(quoted) = line.strip_prefix('"') else {
        let end = line.find([',', ';', '\t']).unwrap_or(line.len());
        return line.get(..end).unwrap_or(line).trim().to_owned();
    };
    let mut cell = String::new();
    let mut letters = quoted.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' && letters.next_if_eq(&'"').is_none() {
            break;
        }
        cell.push(letter);
    }
    cell.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(subject: Subject, text: &str) -> Vec<(usize, Result<String, ()>)> {
        let listed = read_list(subject, text).into_iter();
        listed
            .map(|listed| (listed.line, listed.name.map_err(|_| ())))
            .collect()
    }

    #[test]
    fn products_are_named_by_id_or_link_with_their_lines() {
        let text = "\u{feff}Product_ID;name\n1005001;Kabel\n\n\"https://www.aliexpress.com/item/1005002.html?a=1,2\",x\n\
                    shoe\n  1005003\t\n";
        assert_eq!(
            names(Subject::Products, text),
            [
                (2, Ok("id:1005001".to_owned())),
                (4, Ok("id:1005002".to_owned())),
                (5, Err(())),
                (6, Ok("id:1005003".to_owned())),
            ]
        );
        let link = names(Subject::Products, "https://example.com/a");
        assert!(
            matches!(&link[..], [(1, Ok(key))] if key.starts_with("url:")),
            "{link:?}"
        );
    }

    #[test]
    fn an_affiliate_link_names_the_product_that_it_leads_to() {
        let wrapped = "https://ad.admitad.com/g/0123456789abcdef/?subid=x&ulp=https%3A%2F%2Fwww.aliexpress.com%2Fitem%2F1005.html";
        assert_eq!(
            name_of(Subject::Products, wrapped),
            Ok("id:1005".to_owned())
        );
        let page = "https%3A%2F%2Fshop.example%2Fa";
        let short = format!("https://fas.st/abc?ulp={page}");
        assert_eq!(
            name_of(Subject::Products, &short),
            name_of(Subject::Products, "https://shop.example/a")
        );
        // However often it is wrapped or encoded.
        for nested in [
            "https://ad.admitad.com/g/0123456789abcdef/?ulp=https%3A%2F%2Falitems.com%2Fg%2Fabcdefgh%2F%3Fulp%3Dhttps%253A%252F%252Faliexpress.com%252Fitem%252F1005.html",
            "https://go.example/g/0123456789abcdef/?ulp=https%3A%2F%2Fgo.example%2Fg%2Fabcdefgh%2F%3Fulp%3Dhttps%253A%252F%252Faliexpress.com%252Fitem%252F1005.html",
            "https://ad.admitad.com/g/0123456789abcdef/?ulp=https%253A%252F%252Faliexpress.com%252Fitem%252F1005.html",
        ] {
            let name = name_of(Subject::Products, nested);
            assert_eq!(name, Ok("id:1005".to_owned()), "{nested}");
        }
        // What is wrapped once is named by its page as it stands there, whatever parameters that has.
        let page = "https://shop.example:8443/a?ulp=https%3A%2F%2Fshop.example%2Fb#c";
        let once = "https://fas.st/abc?ulp=https%3A%2F%2Fshop.example%3A8443%2Fa%3Fulp%3Dhttps%253A%252F%252Fshop.example%252Fb%23c";
        assert_eq!(page_of(once).as_deref(), Some(page));
        // A short link inside that does not say where it leads is what is known.
        let blind = "https://ad.admitad.com/g/0123456789abcdef/?ulp=https%3A%2F%2Ffas.st%2FAbCd";
        assert_eq!(page_of(blind).as_deref(), Some("https://fas.st/AbCd"));
        // One that does not say where it leads stays what it is.
        let blind = name_of(Subject::Products, "https://fas.st/abc").unwrap();
        assert!(blind.starts_with("url:"), "{blind}");
    }

    #[test]
    fn users_are_named_by_anything_but_nothing() {
        assert_eq!(
            names(Subject::Users, "a,1\n\"say \"\"x\"\"\",2\nid\n"),
            [
                (1, Ok("a".to_owned())),
                (2, Ok("say \"x\"".to_owned())),
                (3, Ok("id".to_owned())),
            ]
        );
    }
}
