//! Signatures of tokens: `jsonwebtoken` takes tokens apart, `ring` checks.
//!
//! The crate's own providers of cryptography are left out: one brings in an implementation of RSA with a known weakness
//! (RUSTSEC-2023-0071), the other a second library beside the one that TLS uses. So here is one that only checks: this
//! server makes no tokens, and takes none with a shared secret.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::signature::{Error as Wrong, Verifier};
use jsonwebtoken::{
    Algorithm as Alg, DecodingKey, DecodingKeyKind, EncodingKey, Validation, decode,
};
use ring::signature as by;

use super::key_set::Key;
use crate::domain::token::{Algorithm, Claims, Flaw};

static CHECKING_ONLY: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

fn no_signer(_: &Alg, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(unsupported())
}

fn verifier(algorithm: &Alg, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if algorithm_of(*algorithm).is_none() || key.family() != family_of(*algorithm)? {
        return Err(unsupported());
    }
    Ok(Box::new(Checker {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

fn family_of(algorithm: Alg) -> Result<jsonwebtoken::AlgorithmFamily> {
    use jsonwebtoken::AlgorithmFamily::{Ec, Ed, Rsa};
    match algorithm {
        Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => Ok(Rsa),
        Alg::ES256 | Alg::ES384 => Ok(Ec),
        Alg::EdDSA => Ok(Ed),
        _ => Err(unsupported()),
    }
}

/// Checks signatures of one kind by one key.
struct Checker {
    algorithm: Alg,
    key: DecodingKey,
}

impl JwtVerifier for Checker {
    fn algorithm(&self) -> Alg {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Checker {
    fn verify(&self, signed: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Wrong> {
        let rsa = |parameters: &'static by::RsaParameters| match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => by::RsaPublicKeyComponents { n, e }
                .verify(parameters, signed, signature)
                .map_err(|_| Wrong::new()),
            DecodingKeyKind::SecretOrDer(_) => Err(Wrong::new()),
        };
        let point = |algorithm: &'static dyn by::VerificationAlgorithm| {
            let bytes = self.key.try_get_as_bytes().map_err(|_| Wrong::new())?;
            by::UnparsedPublicKey::new(algorithm, bytes)
                .verify(signed, signature)
                .map_err(|_| Wrong::new())
        };
        match self.algorithm {
            Alg::RS256 => rsa(&by::RSA_PKCS1_2048_8192_SHA256),
            Alg::RS384 => rsa(&by::RSA_PKCS1_2048_8192_SHA384),
            Alg::RS512 => rsa(&by::RSA_PKCS1_2048_8192_SHA512),
            Alg::PS256 => rsa(&by::RSA_PSS_2048_8192_SHA256),
            Alg::PS384 => rsa(&by::RSA_PSS_2048_8192_SHA384),
            Alg::PS512 => rsa(&by::RSA_PSS_2048_8192_SHA512),
            Alg::ES256 => point(&by::ECDSA_P256_SHA256_FIXED),
            Alg::ES384 => point(&by::ECDSA_P384_SHA384_FIXED),
            Alg::EdDSA => point(&by::ED25519),
            _ => Err(Wrong::new()),
        }
    }
}

/// The algorithm that a token names, if it is one of ours.
pub(super) fn algorithm_of(named: Alg) -> Option<Algorithm> {
    let is_it = |algorithm: &Algorithm| alg_of(*algorithm) == named;
    Algorithm::ALL.iter().copied().find(is_it)
}

fn alg_of(algorithm: Algorithm) -> Alg {
    match algorithm {
        Algorithm::Rs256 => Alg::RS256,
        Algorithm::Rs384 => Alg::RS384,
        Algorithm::Rs512 => Alg::RS512,
        Algorithm::Ps256 => Alg::PS256,
        Algorithm::Ps384 => Alg::PS384,
        Algorithm::Ps512 => Alg::PS512,
        Algorithm::Es256 => Alg::ES256,
        Algorithm::Es384 => Alg::ES384,
        Algorithm::EdDsa => Alg::EdDSA,
    }
}

/// The claims of a token that was signed by a key, with an algorithm that the key is good for. What they mean, and
/// whether their time has come, is not looked at: the crate would ask a clock of its own.
///
/// # Errors
/// When the form or the signature is wrong.
pub(super) fn claims(
    token: &str,
    key: &Key,
    algorithm: Algorithm,
) -> std::result::Result<Claims, Flaw> {
    // Refused from the second time on, when it is there already.
    let _ = CHECKING_ONLY.install_default();
    let mut only = Validation::new(alg_of(algorithm));
    only.required_spec_claims.clear();
    only.validate_exp = false;
    only.validate_nbf = false;
    only.validate_aud = false;
    let read = decode::<Claims>(token, &key.public, &only);
    read.map(|read| read.claims)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => Flaw::Signature,
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Flaw::Algorithm,
            _ => Flaw::Malformed,
        })
}
