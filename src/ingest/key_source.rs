//! Where an issuer of tokens keeps its public keys: an address or a file, read with a limit on bytes and time.
//!
//! What is in them is not looked at here (`access`).

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::encryption::{encryption, root_cause};
use crate::domain::error::{Error, Result};

/// How long a read may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest set of keys.
const LIMIT: usize = 512 * 1024;

/// A place that keys are read from.
pub struct KeySource(Place);

enum Place {
    Address { client: Client, address: Url },
    File(PathBuf),
}

impl KeySource {
    /// Keys at an address, which the settings have checked.
    ///
    /// # Errors
    /// If no encryption can be set up.
    pub fn address(address: Url) -> Result<Self> {
        let mut builder = Client::builder()
            .user_agent(concat!("actiongraph/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            // Whoever the address leads to could make tokens: it is the one that was set, and no other.
            .redirect(Policy::none())
            .referer(false)
            .tls_backend_preconfigured(encryption()?);
        if address.scheme() == "http" {
            // On this machine: no proxy is between.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(Error::internal)?;
        Ok(Self(Place::Address { client, address }))
    }

    /// Keys in a file.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self(Place::File(path))
    }

    /// The keys as they stand now.
    ///
    /// # Errors
    /// A sentence, without the address.
    pub async fn read(&self) -> Result<Vec<u8>, String> {
        match &self.0 {
            Place::Address { client, address } => fetched(client, address).await,
            Place::File(path) => {
                let open = tokio::fs::File::open(path).await;
                let file = open.map_err(|error| format!("{}: {error}", path.display()))?;
                let mut text = Vec::new();
                let most = u64::try_from(LIMIT + 1).unwrap_or(u64::MAX);
                let read = file.take(most).read_to_end(&mut text).await;
                read.map_err(|error| format!("{}: {error}", path.display()))?;
                bounded(text)
            }
        }
    }
}

async fn fetched(client: &Client, address: &Url) -> Result<Vec<u8>, String> {
    let failed = |error: reqwest::Error| {
        let error = error.without_url();
        if error.is_timeout() {
            format!("no whole answer within {} seconds", TIMEOUT.as_secs())
        } else {
            root_cause(&error)
        }
    };
    let mut response = client.get(address.clone()).send().await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(format!(
            "the answer has the status {}",
            response.status().as_u16()
        ));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        text.extend_from_slice(&chunk);
        if text.len() > LIMIT {
            break;
        }
    }
    bounded(text)
}

fn bounded(text: Vec<u8>) -> Result<Vec<u8>, String> {
    if text.len() > LIMIT {
        return Err(format!("they are longer than {} KB", LIMIT >> 10));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_anew_each_time_and_not_beyond_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let source = KeySource::file(path.clone());
        assert!(source.read().await.unwrap_err().contains("keys.json"));
        for text in ["{}", "{\"keys\":[]}"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(source.read().await.unwrap(), text.as_bytes());
        }
        std::fs::write(&path, vec![b' '; LIMIT]).unwrap();
        assert_eq!(source.read().await.unwrap().len(), LIMIT);
        std::fs::write(&path, vec![b' '; LIMIT + 1]).unwrap();
        assert!(source.read().await.unwrap_err().contains("512 KB"));
    }
}
