//! Settings whose text has a form of its own, and the file of all defaults.

use std::net::SocketAddr;

use super::{Raw, TlsFiles, accounts, deeplinks, is_sqlite, keys, variable_of};

pub(super) fn listen(raw: &mut Raw) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let Some((place, text)) = raw.text("listen") else {
        return default;
    };
    let plain = match text.trim().strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.trim().to_owned(),
    };
    plain.parse().unwrap_or_else(|_| {
        let message = format!(
            "{text:?} is not an address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"
        );
        raw.problem(&place, message);
        default
    })
}

pub(super) fn database_url(raw: &mut Raw) -> Option<String> {
    let (place, text) = raw.text("database_url")?;
    let url = text.trim();
    let known = ["sqlite:", "postgres:", "postgresql:"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        // The value is not repeated: it may hold a password.
        raw.problem(
            &place,
            "must begin with sqlite:// or postgres://".to_owned(),
        );
        return None;
    }
    let says_mode = url
        .split_once('?')
        .is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("mode=")));
    if !is_sqlite(url) || says_mode || url.contains(":memory:") {
        return Some(url.to_owned());
    }
    // A file that is not there yet is made.
    let mark = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{mark}mode=rwc"))
}

pub(super) fn cors_origins(raw: &mut Raw) -> Vec<String> {
    let Some((place, origins)) = raw.list("cors_origins") else {
        return Vec::new();
    };
    for origin in &origins {
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let plain = host.is_some_and(|host| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"/?#@*\"<>".contains(&byte))
                && !host.bytes().any(|byte| byte.is_ascii_uppercase())
        });
        if !plain {
            let message = format!(
                "{origin:?} is not an origin as browsers send it, such as https://shop.example (lower case, no path, no *)"
            );
            raw.problem(&place, message);
        }
    }
    origins
}

pub(super) fn tls(raw: &mut Raw) -> Option<TlsFiles> {
    match (raw.path("tls_certificate"), raw.path("tls_key")) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        _ => {
            let message = "https needs both tls_certificate and tls_key".to_owned();
            raw.problem("tls_certificate", message);
            None
        }
    }
}

/// Whether nobody on the way can read or change what is sent to an address: `https`, or `http` on this machine. An
/// address that holds a user or password is none of these.
pub(super) fn is_private(address: &url::Url) -> bool {
    let is_here = match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_plain = address.username().is_empty() && address.password().is_none();
    is_plain && (address.scheme() == "https" || address.scheme() == "http" && is_here)
}

/// A configuration file with every setting, its meaning and its default, for people to start from.
#[must_use]
pub fn defaults() -> String {
    let mut text = String::from(
        "# Settings of Actiongraph, each with its default. A flag overrules the environment, which\n\
         # overrules this file.\n",
    );
    for key in keys() {
        text.push_str(&format!(
            "\n# {}\n# In the environment: {}\n# {} = {}\n",
            key.help,
            variable_of(key),
            key.name,
            if key.default.is_empty() {
                "\"\""
            } else {
                key.default
            }
        ));
    }
    text.push_str(
        "\n# What the headings of your own tables (CSV, XML, sheets) mean, beside those that are known already. This stands\n\
         # behind all other settings.\n# [aliases]\n# \"My heading\" = \"product_name\"\n",
    );
    text.push_str(&accounts::defaults());
    text.push_str(&deeplinks::defaults());
    text
}
