//! An issuer of tokens on loopback: keys that sign, and a little web server that publishes them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Who the issuer is in its tokens.
pub(crate) const ISSUER: &str = "https://login.example/";

/// A key pair that signs tokens.
pub(crate) enum Signer {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair, &'static str),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    /// A key of Ed25519, told apart by a number.
    pub(crate) fn ed25519(number: u8) -> Self {
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap())
    }

    /// A new key of ECDSA on P-256 or P-384.
    pub(crate) fn ecdsa(curve: &'static str) -> Self {
        let kind: &'static EcdsaSigningAlgorithm = match curve {
            "P-256" => &ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::Ecdsa(
            EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap(),
            curve,
        )
    }

    /// The key of RSA in `tests/fixtures`, which opens nothing but tests.
    pub(crate) fn rsa() -> Self {
        let text = include_str!("../../fixtures/jwt/rsa.pem");
        let inner: String = text
            .lines()
            .filter(|line| !line.starts_with("--"))
            .collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(inner).unwrap()).unwrap();
        Self::Rsa(Box::new(pair))
    }

    /// The public half, as it is published.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(pair.public_key().as_ref()) })
            }
            Self::Ecdsa(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "kid": kid, "use": "sig", "x": text(x), "y": text(y) })
            }
            Self::Rsa(pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": text(&public.n), "e": text(&public.e) })
            }
        }
    }

    fn sign(&self, algorithm: &str, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
            Self::Ecdsa(pair, _) => pair.sign(&random, text).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, text, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of these claims, signed under a `kid`.
    pub(crate) fn token(&self, algorithm: &str, kid: &str, claims: &Value) -> String {
        self.token_of_kind(&json!("JWT"), (algorithm, kid), claims)
    }

    /// Likewise, of a kind that its header names; `null` for none.
    pub(crate) fn token_of_kind(
        &self,
        kind: &Value,
        (algorithm, kid): (&str, &str),
        claims: &Value,
    ) -> String {
        let mut header = json!({ "alg": algorithm, "kid": kid });
        if !kind.is_null() {
            header["typ"] = kind.clone();
        }
        let text = unsigned(&header, claims);
        let signature = URL_SAFE_NO_PAD.encode(self.sign(algorithm, text.as_bytes()));
        format!("{text}.{signature}")
    }
}

/// The first two parts of a token.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// What the web server answers.
struct Says {
    status: u16,
    body: String,
}

/// A web server that publishes keys; it stops when it is dropped.
pub(crate) struct Publisher {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
    reads: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It waits for a caller, and sees then that it is to stop.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Publisher {
    /// One that publishes these keys.
    pub(crate) fn of(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let says = Arc::new(Mutex::new(Says {
            status: 200,
            body: json!({ "keys": keys }).to_string(),
        }));
        let (reads, stop) = (Arc::default(), Arc::<AtomicBool>::default());
        let (its_says, its_reads, its_stop) =
            (Arc::clone(&says), Arc::clone(&reads), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                if its_stop.load(Ordering::Relaxed) {
                    return;
                }
                // Who hangs up is none of our trouble.
                let _ = socket.and_then(|socket| answer(socket, &its_says, &its_reads));
            }
        });
        Self {
            address,
            says,
            reads,
            stop,
            thread: Some(thread),
        }
    }

    /// Settings of a server that takes the issuer's tokens, with more of them behind.
    pub(crate) fn settings(&self, more: &str) -> String {
        let address = self.address;
        format!(
            "jwt_issuer = \"{ISSUER}\"\njwt_audiences = [\"actiongraph\"]\njwt_keys_url = \"http://{address}/keys\"\n\
             jwt_refresh_seconds = 1\njwt_unknown_key_seconds = 30\n\
             jwt_algorithms = [\"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \"PS512\", \"ES256\", \"ES384\", \"EdDSA\"]\n{more}"
        )
    }

    /// Publishes other keys.
    pub(crate) fn publish(&self, keys: &[Value]) {
        self.say(200, &json!({ "keys": keys }).to_string());
    }

    /// Answers anything.
    pub(crate) fn say(&self, status: u16, body: &str) {
        *self.says.lock().unwrap() = Says {
            status,
            body: body.to_owned(),
        };
    }

    /// How often it was asked.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Waits until it was asked, after now, and the answer was put to use: when it is asked once more.
    pub(crate) async fn read_again(&self) {
        let before = self.reads();
        while self.reads() < before + 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn answer(mut socket: TcpStream, says: &Mutex<Says>, reads: &AtomicUsize) -> std::io::Result<()> {
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = {
        let says = says.lock().unwrap();
        (says.status, says.body.clone())
    };
    reads.fetch_add(1, Ordering::Relaxed);
    let length = body.len();
    write!(
        socket,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
