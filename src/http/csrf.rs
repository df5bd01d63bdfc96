//! Requests that a page of another site makes a browser send. POST is safe by its type: browsers ask before they send
//! `application/json` across sites. A GET is not, so it has to carry a header that makes them ask.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName};

use super::error::Refusal;
use crate::domain::error::Code;

/// Headers that a browser sends across sites only after it has asked.
const ASKED_FOR: [&str; 3] = [
    "x-apollo-operation-name",
    "apollo-require-preflight",
    "x-actiongraph-preflight",
];

/// Checks a GET request: one that a page of another site may have made the browser send needs one of the headers;
/// with `always`, every one does.
///
/// # Errors
/// 403 without them.
pub fn check(headers: &HeaderMap, always: bool, origins: &[String]) -> Result<(), Refusal> {
    let asked = ASKED_FOR.iter().any(|name| {
        headers
            .get(HeaderName::from_static(name))
            .is_some_and(|value| !value.is_empty())
    });
    if asked || !(always || is_of_another_site(headers, origins)) {
        return Ok(());
    }
    let message = format!(
        "A page of another site could have sent this request: send it by POST as application/json, or with one of the headers {}.",
        ASKED_FOR.join(", ")
    );
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        Code::Forbidden,
        message,
    ))
}

/// Whether a browser says that a page of another site is behind a request.
fn is_of_another_site(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return !text(header::ORIGIN).is_some_and(|origin| origins.iter().any(|o| o == origin));
    }
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    let own = origin.split_once("://").map(|(_, host)| host);
    let is_own = own.is_some() && own == text(header::HOST);
    !is_own && !origins.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn pages_of_other_sites_have_to_ask() {
        let listed = ["https://shop.example".to_owned()];
        let passes = |always: bool, pairs: &[(&'static str, &'static str)]| {
            let request = pairs
                .iter()
                .fold(TestRequest::get(), |request, pair| {
                    request.insert_header(*pair)
                })
                .to_http_request();
            check(request.headers(), always, &listed).is_ok()
        };
        let host = ("host", "api.example");
        assert!(passes(false, &[host]), "no browser");
        assert!(!passes(true, &[host]));
        for header in ASKED_FOR {
            assert!(passes(true, &[(header, "x")]), "{header}");
            assert!(!passes(true, &[(header, "")]), "{header}");
        }
        assert!(passes(false, &[host, ("sec-fetch-site", "same-origin")]));
        assert!(passes(false, &[host, ("sec-fetch-site", "none")]));
        assert!(passes(false, &[host, ("origin", "https://api.example")]));
        assert!(passes(
            false,
            &[
                host,
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://shop.example")
            ]
        ));
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            assert!(!passes(false, &[host, (name, value)]), "{value}");
            let asked = ("apollo-require-preflight", "1");
            assert!(passes(false, &[host, (name, value), asked]), "{value}");
        }
    }
}
