//! Which media type an answer has: the `Accept` header against the two types of GraphQL over HTTP.

/// The media types of GraphQL answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`: what everybody understands; errors in requests are told by a status of 200.
    Json,
    /// `application/graphql-response+json`: the status tells whether there is data.
    GraphqlResponse,
}

impl MediaType {
    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    fn subtype(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::GraphqlResponse => "graphql-response+json",
        }
    }
}

/// How well a type is wanted: quality in thousandths, then how precisely it was named.
type Wish = (u16, u8);

/// The type for an answer, or none of the two is acceptable. `accept` holds all `Accept` headers, joined by commas;
/// without any, or with `*/*` alone, it is `application/json`.
#[must_use]
pub fn negotiate(accept: &str) -> Option<MediaType> {
    let ranges: Vec<Range<'_>> = split_outside_quotes(accept, ',')
        .filter_map(|part| Range::parse(part.trim()))
        .collect();
    if accept.trim().is_empty() {
        return Some(MediaType::Json);
    }
    let json = wish(&ranges, MediaType::Json);
    let new = wish(&ranges, MediaType::GraphqlResponse);
    match (json, new) {
        (None, None) => None,
        (Some(_), None) => Some(MediaType::Json),
        (None, Some(_)) => Some(MediaType::GraphqlResponse),
        // Named as precisely and wanted as much: the newer one. Both only by a wildcard: the older one.
        (Some(json), Some(new)) if new > json || (new == json && new.1 == 2) => {
            Some(MediaType::GraphqlResponse)
        }
        (Some(_), Some(_)) => Some(MediaType::Json),
    }
}

/// The most precise range that covers the type decides; a quality of 0 refuses it.
fn wish(ranges: &[Range<'_>], media: MediaType) -> Option<Wish> {
    ranges
        .iter()
        .filter_map(|range| Some((range.precision(media)?, range.quality)))
        .max()
        .filter(|(_, quality)| *quality > 0)
        .map(|(precision, quality)| (quality, precision))
}

struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split_outside_quotes(text, ';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                quality = thousandths(value)?;
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                // Answers are UTF-8 and nothing else.
                return None;
            }
        }
        Some(Self {
            main: main.trim(),
            sub: sub.trim(),
            quality,
        })
    }

    fn precision(&self, media: MediaType) -> Option<u8> {
        if self.main == "*" && self.sub == "*" {
            Some(0)
        } else if !self.main.eq_ignore_ascii_case("application") {
            None
        } else if self.sub == "*" {
            Some(1)
        } else {
            self.sub.eq_ignore_ascii_case(media.subtype()).then_some(2)
        }
    }
}

/// Whether a charset is UTF-8, as it is usually misspelled too.
pub(super) fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// A quality of the form `0`, `1`, `0.25`, `1.000`, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let fits = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" if fits => Some(fraction),
        "1" if fits && fraction == 0 => Some(1000),
        _ => None,
    }
}

pub(super) fn split_outside_quotes(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |letter| {
        if escaped {
            escaped = false;
            return false;
        }
        match letter {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        letter == mark && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_gets_the_type_it_asks_for() {
        let json = Some(MediaType::Json);
        let new = Some(MediaType::GraphqlResponse);
        for (accept, expected) in [
            ("", json),
            ("*/*", json),
            ("application/*", json),
            ("application/json", json),
            ("APPLICATION/JSON", json),
            ("application/json; charset=utf-8", json),
            ("application/json; charset=\"UTF-8\"", json),
            ("application/json; charset=latin1", None),
            ("application/graphql-response+json", new),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                new,
            ),
            ("application/json, application/graphql-response+json", new),
            (
                "application/json, application/graphql-response+json;q=0.9",
                json,
            ),
            (
                "application/json;q=0.9, application/graphql-response+json",
                new,
            ),
            (
                "application/json;q=0.1, application/graphql-response+json;q=0.01",
                json,
            ),
            ("application/graphql-response+json, */*", new),
            ("application/graphql-response+json, */*;q=0.1", new),
            ("application/json, */*", json),
            (
                "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
                json,
            ),
            ("application/json;q=0, */*", new),
            ("application/json;q=0, application/*;q=0, */*", None),
            ("application/graphql-response+json;q=0", None),
            ("*/*;q=0", None),
            ("text/html", None),
            ("text/event-stream", None),
            ("multipart/mixed;deferSpec=20220824, application/json", json),
            ("application/json;q=2", None),
            ("application/json;q=-1, text/plain", None),
            ("garbage", None),
            ("text/plain;x=\"a,application/json\"", None),
            ("application/json;q=0.001", json),
        ] {
            assert_eq!(negotiate(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn qualities() {
        for (text, value) in [
            ("1", Some(1000)),
            ("1.", Some(1000)),
            ("1.000", Some(1000)),
            ("0.5", Some(500)),
            ("0.123", Some(123)),
            ("0", Some(0)),
            ("1.001", None),
            ("0.1234", None),
            ("0.+5", None),
            ("", None),
            (".5", None),
        ] {
            assert_eq!(thousandths(text), value, "{text:?}");
        }
    }
}
