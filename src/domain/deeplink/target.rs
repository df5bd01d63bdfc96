//! What a link leads to: a public web page.

use super::text::shown;
use crate::domain::error::{Error, Result};
use url::{Host, Url};

/// The longest target, in bytes of its encoded form.
const LONGEST: usize = 2_000;

/// The address of a public web page, in the form that browsers send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// Reads an address. One that begins with `//` is meant by `https`; a fragment is left out, since no link carries it
    /// to its target.
    ///
    /// # Errors
    /// When it is no address of a public web page: another scheme, a user name, a port, a number or a private name in
    /// place of a host. The error's field is `target`.
    pub fn read(text: &str) -> Result<Self> {
        let mut url = parse(text).map_err(|why| {
            let message = format!("{:?} {why}", shown(text));
            Error::bad_input("target", message)
        })?;
        url.set_fragment(None);
        if url.as_str().len() > LONGEST {
            let message = format!("the address of the page is longer than {LONGEST} bytes");
            return Err(Error::bad_input("target", message));
        }
        Ok(Self(url.into()))
    }

    /// The page of an AliExpress product by its number; none where the text is no such number.
    #[must_use]
    pub fn of_product(external_id: &str, on_ru: bool) -> Option<Self> {
        let is_number = (1..=24).contains(&external_id.len())
            && external_id.bytes().all(|byte| byte.is_ascii_digit());
        let host = if on_ru {
            "aliexpress.ru"
        } else {
            "www.aliexpress.com"
        };
        is_number.then(|| Self(format!("https://{host}/item/{external_id}.html")))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads an address of a public web page; else what is wrong with it, to be put behind its name.
pub(super) fn parse(text: &str) -> Result<Url, &'static str> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err("has a line break or another control character in it");
    }
    if text.contains('\\') {
        // Browsers take it for a slash, others do not.
        return Err("has a backslash in it");
    }
    let whole = if text.starts_with("//") {
        format!("https:{text}")
    } else {
        text.to_owned()
    };
    let url = Url::parse(&whole).map_err(|_| "is no web address")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is no web address: it must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() || has_user(&whole) {
        return Err("has a user name before its host");
    }
    if url.port().is_some() {
        return Err("names a port");
    }
    match url.host() {
        Some(Host::Domain(name)) if is_public_name(name) => Ok(url),
        _ => Err("is not on a public host"),
    }
}

/// Whether something stands before an `@` in front of the host, be it empty.
fn has_user(text: &str) -> bool {
    let behind = text.split_once("://").map_or(text, |(_, behind)| behind);
    let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
    behind.get(..end).is_some_and(|host| host.contains('@'))
}

/// Whether a name in lower case is one of the public internet.
pub(super) fn is_public_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let mut labels = name.rsplit('.');
    let top = labels.next().unwrap_or_default();
    let is_top = label(top)
        && top.bytes().any(|byte| byte.is_ascii_lowercase())
        && !matches!(
            top,
            "local" | "localhost" | "internal" | "lan" | "invalid" | "onion"
        );
    let mut below = labels.peekable();
    name.len() <= 253 && is_top && below.peek().is_some() && below.all(label)
}
