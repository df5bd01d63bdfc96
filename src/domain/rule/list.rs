//! Members as people list them: what an identifier or a link names.

use super::Subject;
use crate::domain::draft::{ProductRef, page_of};
use crate::domain::text::has_nul;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
