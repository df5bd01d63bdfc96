//! https: the certificate from two files, read again when they change, so that a renewed one needs no restart.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use actix_tls::accept::rustls_0_23::Acceptor;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::clock::Clock;
use crate::domain::error::{Code, Error, Result};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Gives every handshake the certificate of the day.
#[derive(Debug)]
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    clock: Clock,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    certified: Arc<CertifiedKey>,
    written: Option<SystemTime>,
    looked: Duration,
}

/// What makes connections secret, with the certificate in these files; greetings take at most so long.
///
/// # Errors
/// What is wrong with the files.
pub fn acceptor(
    chain: PathBuf,
    key: PathBuf,
    clock: Clock,
    greeting: Duration,
) -> Result<Acceptor> {
    let resolver = Certificate {
        held: Mutex::new(Held {
            certified: Arc::new(read(&chain, &key)?),
            written: written(&chain, &key),
            looked: clock.elapsed(),
        }),
        chain,
        key,
        clock,
    };
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut acceptor = Acceptor::new(config);
    acceptor.set_handshake_timeout(greeting);
    Ok(acceptor)
}

/// When either file was last written.
fn written(chain: &PathBuf, key: &PathBuf) -> Option<SystemTime> {
    let of = |path: &PathBuf| std::fs::metadata(path).ok()?.modified().ok();
    of(chain).max(of(key))
}

fn read(chain: &PathBuf, key: &PathBuf) -> Result<CertifiedKey> {
    let wrong = |path: &PathBuf, what: &str| {
        let words = format!("{}: {what}", path.display());
        Error::new(Code::BadUserInput, words)
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(chain, &format!("is no certificate in PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong(chain, "holds no certificate"));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| wrong(key, &format!("is no private key in PEM: {error}")))?;
    CertifiedKey::from_der(certificates, secret, &ring::default_provider()).map_err(|error| {
        wrong(
            key,
            &format!("is not the key of {}: {error}", chain.display()),
        )
    })
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        if now.saturating_sub(held.looked) >= LOOK_EVERY {
            held.looked = now;
            let written = written(&self.chain, &self.key);
            if written != held.written {
                match read(&self.chain, &self.key) {
                    Ok(certified) => {
                        held.certified = Arc::new(certified);
                        held.written = written;
                        tracing::info!("the certificate was read again");
                    }
                    // A file that is half written, or of another key, is read at the next look.
                    Err(error) => tracing::warn!(%error, "the new certificate is not usable"),
                }
            }
        }
        Some(Arc::clone(&held.certified))
    }
}
