//! How connections to others are encrypted, and why one did not come about.

use crate::domain::error::{Code, Error, Result};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error as StdError;
use std::sync::Arc;

/// How connections are encrypted: by ring, with the certificates that this machine trusts, or, on one that has none (a
/// bare container), with Mozilla's list. Nothing is installed for the whole process.
///
/// # Errors
/// When there is no way to encrypt at all.
pub(super) fn encryption() -> Result<ClientConfig> {
    let fault = |error: rustls::Error| {
        Error::new(
            Code::Internal,
            "Encryption for requests to others cannot be set up.",
        )
        .because(error)
    };
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(fault)
    };
    let trusting = match builder()?.with_platform_verifier() {
        Ok(config) => config.with_no_client_auth(),
        Err(_) => {
            let roots = RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            };
            builder()?
                .with_root_certificates(roots)
                .with_no_client_auth()
        }
    };
    Ok(trusting)
}

/// The innermost reason of a failure.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error.source();
    let mut said = error.to_string();
    while let Some(error) = cause {
        said = error.to_string();
        cause = error.source();
    }
    said
}
