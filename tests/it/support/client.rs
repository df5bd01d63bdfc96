//! The HTTP client of the tests.

/// A builder of clients that go to the server under test and nowhere else.
pub(crate) fn client() -> reqwest::ClientBuilder {
    // Builders want a provider of cryptography even where nothing is encrypted; a second one in a process is refused,
    // which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}
