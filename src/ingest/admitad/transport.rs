//! Bytes to Admitad and back: encryption, time-outs, limits. What they mean is not known here.

use super::answer::Answer;
use super::fault::Fault;
use crate::domain::error::{Error, Result};
use crate::ingest::encryption::{encryption, root_cause};
use chrono::NaiveDateTime;
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use url::{Host, Url};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How often one request may be sent on within its host.
const REDIRECTS: usize = 3;
/// The largest answer, unpacked.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The way to one base address.
pub(super) struct Transport {
    client: reqwest::Client,
    base: Url,
    timeout: Duration,
    sent: AtomicU64,
}

impl Transport {
    /// A way to an address.
    ///
    /// # Errors
    /// If it is not `https`, nor `http` on this machine, or if no encryption can be set up.
    pub(super) fn new(base: Url, timeout: Duration) -> Result<Self> {
        let base = checked(base)?;
        let fault = |error: reqwest::Error| Error::internal(error);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("actiongraph/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(timeout)
            .connect_timeout(CONNECT.min(timeout))
            .redirect(within_host())
            .referer(false)
            .tls_backend_preconfigured(encryption()?);
        if base.scheme() == "http" {
            // On this machine: no proxy is between.
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build().map_err(fault)?,
            base,
            timeout,
            sent: AtomicU64::new(0),
        })
    }

    /// The base address.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// How many requests were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// A request that reads.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.at(path);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        self.client.get(url)
    }

    /// A request that reads, and may take less time than others.
    pub(super) fn get_within(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        patience: Option<Duration>,
    ) -> RequestBuilder {
        let request = self.get(path, parameters);
        match patience {
            Some(patience) => request.timeout(patience.min(self.timeout)),
            None => request,
        }
    }

    /// A request with a body.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.at(path))
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] if there is none, [`Fault::Unreadable`] if it is too large.
    pub(super) async fn send(&self, request: RequestBuilder) -> std::result::Result<Answer, Fault> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let request = request
            .build()
            .map_err(|error| self.failed(error, self.timeout))?;
        let timeout = request.timeout().copied().unwrap_or(self.timeout);
        let failed = |error| self.failed(error, timeout);
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let retry_after = retry_after(&response);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Fault::Unreadable {
                    cause: format!("it is longer than {} MB", BODY_LIMIT >> 20),
                    excerpt: String::new(),
                });
            }
            body.extend_from_slice(&chunk);
        }
        let body = String::from_utf8(body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let body = match body.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => body,
        };
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    /// A failure on the way, in words; never with an address, which may be a proxy's with a password.
    fn failed(&self, error: reqwest::Error, timeout: Duration) -> Fault {
        let error = error.without_url();
        let host = self.base.host_str().unwrap_or_default();
        let cause = if error.is_timeout() {
            let seconds = timeout.as_secs_f64();
            format!("{host} has not answered in full within {seconds} seconds")
        } else if error.is_connect() {
            format!("no connection to {host} ({})", root_cause(&error))
        } else {
            format!(
                "the connection to {host} broke off ({})",
                root_cause(&error)
            )
        };
        Fault::Unavailable {
            cause,
            retry_after: None,
        }
    }
}

/// How long `Retry-After` asks to wait.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = |name| response.headers().get(name)?.to_str().ok();
    wait_of(text(RETRY_AFTER)?, text(DATE))
}

/// The wait that a `Retry-After` asks for: a number of seconds, or a moment. A moment is counted from the answer's own
/// `Date`, so that nobody's clock has to be right; without one it says nothing. Nor does one that is over already, or zero
/// seconds: whoever is to wait rests as long as usual.
fn wait_of(asked: &str, date: Option<&str>) -> Option<Duration> {
    let asked = asked.trim();
    let wait = if asked.starts_with(|first: char| first.is_ascii_digit()) {
        asked.parse().ok().map(Duration::from_secs)
    } else {
        (moment(asked)? - moment(date?)?).to_std().ok()
    };
    wait.filter(|wait| !wait.is_zero())
}

/// A moment in one of the three notations of HTTP: RFC 1123's, RFC 850's and that of C.
fn moment(text: &str) -> Option<NaiveDateTime> {
    [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ]
    .iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok())
}

/// Sends on only to the very same host, way and port: elsewhere the key would be shown to somebody else.
fn within_host() -> Policy {
    Policy::custom(|attempt| {
        let same = attempt
            .previous()
            .first()
            .is_some_and(|first| first.origin() == attempt.url().origin());
        if same && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

fn checked(mut base: Url) -> Result<Url> {
    let wrong = |message: &str| Err(Error::bad_input("base_url", message));
    match base.scheme() {
        "https" => {}
        "http" if is_loopback(&base) => {}
        _ => {
            return wrong(
                "must begin with https:// (http:// only for this very machine), so that the key is not sent in clear",
            );
        }
    }
    if base.host().is_none() {
        return wrong("names no host; Admitad's is https://api.admitad.com/");
    }
    if !base.username().is_empty() || base.password().is_some() {
        return wrong("must not hold a user or password; the key has its own settings");
    }
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_to_come_again_is_counted_from_the_answers_own_date() {
        let date = Some("Sun, 29 Nov 2026 12:00:00 GMT");
        for (asked, date, seconds) in [
            ("120", None, Some(120)),
            (" 7 ", date, Some(7)),
            ("Sun, 29 Nov 2026 12:00:40 GMT", date, Some(40)),
            ("Sunday, 29-Nov-26 12:01:00 GMT", date, Some(60)),
            ("Sun Nov 29 12:00:05 2026", date, Some(5)),
            ("Sun, 29 Nov 2026 11:59:00 GMT", date, None),
            ("Sun, 29 Nov 2026 12:00:00 GMT", date, None),
            ("0", None, None),
            ("Sun, 29 Nov 2026 12:00:40 GMT", None, None),
            ("Sun, 29 Nov 2026 12:00:40 GMT", Some("today"), None),
            ("in a while", date, None),
            ("-5", date, None),
            ("1.5", date, None),
        ] {
            let wait = wait_of(asked, date).map(|wait| wait.as_secs());
            assert_eq!(wait, seconds, "{asked}, {date:?}");
        }
    }

    #[test]
    fn a_key_goes_over_no_open_wire() {
        let new = |base: &str| Transport::new(base.parse().unwrap(), CONNECT);
        for base in [
            "http://api.admitad.com/",
            "ftp://api.admitad.com/",
            "http://10.0.0.1/",
            "http://localhost.example/",
            "https://me:secret@api.admitad.com/",
            "data:text/plain,x",
        ] {
            let error = new(base).err().unwrap();
            assert_eq!(error.field(), Some("base_url"), "{base}");
            assert!(!error.message().contains("secret"), "{error}");
        }
        for (base, at) in [
            ("https://api.admitad.com", "https://api.admitad.com/token/"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x/token/"),
            ("http://localhost:1/?a=1#b", "http://localhost:1/token/"),
            ("http://[::1]:1/", "http://[::1]:1/token/"),
        ] {
            assert_eq!(new(base).unwrap().at("token/").as_str(), at);
        }
    }
}
