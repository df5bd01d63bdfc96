//! GraphiQL and its files, embedded when the binary is built, and the schema as text.
//!
//! The files are made from `web/` by `make web`. A binary that was built without them says so on the page.

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use rust_embed::Embed;
use sha2::{Digest, Sha256};

use super::error::Refusal;
use super::graphql::introspection;
use super::no_such_route;
use super::packed::Packed;
use super::state::HttpState;
use super::viewer::viewer;
use crate::domain::error::Code;
use crate::domain::policy::IntrospectionPolicy;
use crate::graphql::Introspection;

/// What the page may do: load what this server serves, and nothing else. The editor writes its own `style` elements and
/// keeps small pictures in its style sheet, hence the two exceptions. Workers carry the policy of their own file, so
/// every file has it.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Actiongraph: GraphiQL is not in this binary</title>
<h1>GraphiQL is not in this binary</h1>
<p>Its files are made from <code>web/</code> with Node. Build them, then the binary again:</p>
<pre>make web
cargo build</pre>
<p>or let <code>make demo</code> do everything. The API itself is at <code>/graphql</code>, its schema at
<a href=\"/schema.graphql\">/schema.graphql</a>.</p>
</html>
";

#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/web/dist"]
#[allow_missing = true]
struct Files;

/// `/` leads to GraphiQL.
pub async fn home() -> HttpResponse {
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, "/graphiql"))
        .finish()
}

/// The page, or how to build it.
pub async fn graphiql(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    match Files::get("index.html") {
        Some(file) => {
            let page = Page {
                digest: &file.metadata.sha256_hash(),
                data: bytes(file.data),
                media_type: "text/html; charset=utf-8",
                caching: "no-cache",
            };
            page.answer(&request, &state.packed).await
        }
        None => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
            .content_type("text/html; charset=utf-8")
            .body(NOT_BUILT),
    }
}

/// A file of the page.
pub async fn file(
    request: HttpRequest,
    path: web::Path<String>,
    state: web::Data<HttpState>,
) -> HttpResponse {
    let name = format!("assets/{path}");
    let Some(file) = Files::get(&name) else {
        let message = "There is no such file.";
        return Refusal::new(
            actix_web::http::StatusCode::NOT_FOUND,
            Code::NotFound,
            message,
        )
        .error_response();
    };
    let caching = if is_named_by_content(&name) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let page = Page {
        digest: &file.metadata.sha256_hash(),
        data: bytes(file.data),
        media_type: &media_type(&name),
        caching,
    };
    page.answer(&request, &state.packed).await
}

/// The schema in GraphQL's own language.
pub async fn schema(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    let policy = state.options.introspection;
    if policy != IntrospectionPolicy::Everyone {
        match viewer(&request, &state).await {
            Ok(viewer) if introspection(policy, &viewer) == Introspection::Allowed => {}
            Err(refusal) if policy == IntrospectionPolicy::Keys => {
                return refusal.error_response();
            }
            Ok(_) | Err(_) => return no_such_route().await,
        }
    }
    let page = Page {
        digest: &Sha256::digest(&state.schema),
        data: state.schema.clone(),
        media_type: "text/plain; charset=utf-8",
        caching: "no-cache",
    };
    page.answer(&request, &state.packed).await
}

/// A file as it is answered.
struct Page<'a> {
    data: Bytes,
    digest: &'a [u8],
    media_type: &'a str,
    caching: &'a str,
}

impl Page<'_> {
    async fn answer(self, request: &HttpRequest, packed: &Packed) -> HttpResponse {
        let digest = self.digest.iter().take(16);
        let digest: String = digest.map(|byte| format!("{byte:02x}")).collect();
        // Weak, because the same file also travels compressed.
        let tag = format!("W/\"{digest}\"");
        let is_known = has(request.headers(), &tag);
        let mut answer = if is_known {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        answer
            .insert_header((header::ETAG, tag.as_str()))
            .insert_header((header::CACHE_CONTROL, self.caching))
            .insert_header((header::VARY, "Accept-Encoding"))
            .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY));
        if is_known {
            return answer.finish();
        }
        answer.content_type(self.media_type);
        match packed.liked(request, &digest, &self.data).await {
            // The framework compresses nothing that says how it is compressed.
            Some((way, packed)) => answer.insert_header(way).body(packed),
            None => answer.body(self.data),
        }
    }
}

/// Whether the caller has this version already.
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',')).map(str::trim);
    let plain = |tag: &str| tag.trim_start_matches("W/").to_owned();
    tags.any(|known| known == "*" || plain(known) == plain(tag))
}

/// Whether the build put a hash of the content into the name: `index-Bgp1cQOx.js`.
fn is_named_by_content(name: &str) -> bool {
    let Some((stem, _)) = name.rsplit_once('.') else {
        return false;
    };
    let count = stem.chars().count();
    let mut tail = stem.chars().skip(count.saturating_sub(9));
    count > 9
        && tail.next() == Some('-')
        && tail.all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
}

fn media_type(name: &str) -> String {
    let guess = mime_guess::from_path(name).first_or_octet_stream();
    let is_text = guess.type_() == "text"
        || matches!(guess.subtype().as_str(), "javascript" | "json" | "svg");
    if is_text {
        format!("{guess}; charset=utf-8")
    } else {
        guess.to_string()
    }
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for good in [
            "assets/index-Bgp1cQOx.js",
            "assets/monaco-editor-Dy9EaPhY.js",
            "assets/json.worker-ky6CAS4V.js",
            "assets/roboto-latin-500-normal-7RbcRiD8.woff2",
            "assets/a-_b-D_fg1.css",
        ] {
            assert!(is_named_by_content(good), "{good}");
        }
        for bad in [
            "assets/LICENSES.md",
            "index.html",
            "assets/favicon.svg",
            "a-b.js",
            "x",
        ] {
            assert!(!is_named_by_content(bad), "{bad}");
        }
    }

    #[test]
    fn text_says_its_encoding() {
        assert_eq!(media_type("a.js"), "text/javascript; charset=utf-8");
        assert_eq!(media_type("a.css"), "text/css; charset=utf-8");
        assert_eq!(media_type("a.woff2"), "font/woff2");
        assert_eq!(media_type("a.svg"), "image/svg+xml; charset=utf-8");
        assert_eq!(media_type("a.unheard-of"), "application/octet-stream");
    }

    #[test]
    fn the_policy_names_no_other_host_and_no_inline_script() {
        assert!(!PAGE_POLICY.contains("http"));
        assert!(PAGE_POLICY.contains("script-src 'self';"));
        assert!(PAGE_POLICY.contains("frame-ancestors 'none'"));
    }
}
