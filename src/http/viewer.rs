//! Who asks: the `Authorization` header, or in the demo a caller on this machine. The only reader of identity.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

use super::error::Refusal;
use super::observe::reference_of;
use super::state::HttpState;
use crate::access::refusal;
use crate::access::token::looks_like_one;
use crate::domain::error::{Code, Error};
use crate::domain::scope::{Credential, Viewer};

/// How long a body may take without its sender being recognised once more. What is recognised is trusted for
/// [`REMEMBERED`](crate::access::REMEMBERED): with both, a revocation takes effect within five seconds.
pub(super) const MOMENT: Duration = Duration::from_secs(1);

/// The viewer of a request.
///
/// # Errors
/// `UNAUTHENTICATED` without a good key or token, in the same words whether a key is missing, malformed, unknown or
/// revoked; otherwise what the store says.
pub async fn viewer(request: &HttpRequest, state: &HttpState) -> Result<Arc<Viewer>, Refusal> {
    let reference = reference_of(request);
    let refuse = |error: Error| Refusal::of(&error, &reference);
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let Some(first) = headers.next() else {
        return loopback(request, state).ok_or_else(|| refuse(refusal()));
    };
    let secret = first.to_str().ok().and_then(bearer);
    let (Some(secret), None) = (secret, headers.next()) else {
        return Err(refuse(refusal()));
    };
    let (elapsed, now) = (state.clock.elapsed(), state.now());
    if let Some(issuer) = state.issuer.as_ref().filter(|_| looks_like_one(secret)) {
        let viewer = issuer.authenticate(secret, elapsed, now).await;
        return viewer.map_err(|error| of_token(&error, &reference));
    }
    let viewer = state.keyring.authenticate(secret, elapsed, now).await;
    viewer.map_err(refuse)
}

/// The address that a request comes from: of whoever is connected, since what headers say of others may be made up.
pub(super) fn address_of(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr();
    peer.map(|peer| peer.ip().to_canonical())
}

/// What a token that is not taken is answered; why is said in the log alone.
fn of_token(error: &Error, reference: &str) -> Refusal {
    let refusal = Refusal::of(error, reference);
    if error.code() != Code::Unauthenticated {
        return refusal;
    }
    let cause = error.cause().map(ToString::to_string);
    tracing::info!(reference, cause, "a token was refused");
    refusal.of_token()
}

/// In the demo, a caller on this machine reads the demo publisher without a key.
fn loopback(request: &HttpRequest, state: &HttpState) -> Option<Arc<Viewer>> {
    let publisher = state.demo.clone()?;
    address_of(request)?.is_loopback().then(|| {
        Arc::new(Viewer {
            publisher,
            credential: Credential::LoopbackDemo,
            limits: Arc::default(),
        })
    })
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Whether the demo may answer: the request names this machine, and no web page of another site sent it.
///
/// A page on the internet can make a browser call 127.0.0.1 under a name of its own (DNS rebinding) or as itself; both
/// show in these headers.
pub fn is_local(headers: &HeaderMap, allowed_origins: &[String]) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let by_name = headers.get_all(header::HOST).count() == 1
        && text(header::HOST).is_some_and(is_loopback_name);
    let origin_fits = match headers.get(header::ORIGIN) {
        None => text(header::HeaderName::from_static("sec-fetch-site"))
            .is_none_or(|site| site != "cross-site" || is_navigation(headers)),
        Some(_) => text(header::ORIGIN).is_some_and(|origin| {
            allowed_origins.iter().any(|allowed| allowed == origin)
                || origin
                    .split_once("://")
                    .is_some_and(|(_, host)| is_loopback_name(host))
        }),
    };
    by_name && origin_fits
}

/// A link on another site that leads here is fine; a picture or script that does is not.
fn is_navigation(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-mode")
        .is_some_and(|mode| mode == "navigate")
}

/// Whether a host, with or without a port, is a name of this machine.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
            _ => return false,
        },
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let number = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || number.is_ok_and(|number| number.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn names_of_this_machine() {
        for good in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8080",
        ] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:8080",
            "[::1",
            "[::1]x",
            "[::2]",
            "localhost@evil.example",
            "0.0.0.0",
        ] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_kept_out_of_the_demo() {
        let listed = ["https://shop.example".to_owned()];
        let check = |pairs: &[(&'static str, &'static str)]| {
            let request = pairs
                .iter()
                .fold(TestRequest::get(), |request, pair| {
                    request.insert_header(*pair)
                })
                .to_http_request();
            is_local(request.headers(), &listed)
        };
        let host = ("host", "127.0.0.1:8080");
        assert!(check(&[host]));
        assert!(check(&[host, ("origin", "http://localhost:5173")]));
        assert!(check(&[host, ("origin", "https://shop.example")]));
        assert!(check(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(check(&[
            host,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate")
        ]));
        assert!(!check(&[]));
        assert!(!check(&[("host", "evil.example")]));
        assert!(!check(&[host, ("origin", "https://evil.example")]));
        assert!(!check(&[host, ("origin", "null")]));
        assert!(!check(&[
            host,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "no-cors")
        ]));
    }

    #[test]
    fn bearer_keys() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEARER  abc "), Some("abc"));
        for bad in ["", "abc", "Basic abc", "Bearer", "Bearerabc"] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }
}
