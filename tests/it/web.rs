//! How a request may come in: from pages of other sites, over https, by the hash of its document, and who may read the schema.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::client::client;
use crate::support::server::{Running, key_of, running};
use actiongraph::access::keys::Administrator;
use actiongraph::domain::key::KeyTerms;
use actiongraph::domain::scope::KeyScope;

const QUERY: &str = "{ viewer { publisher { slug } } }";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

fn get(server: &Running, pairs: &[(&str, &str)]) -> RequestBuilder {
    let request = server.client.get(server.at("/graphql")).query(pairs);
    request.bearer_auth(&server.keys[0])
}

async fn told(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn post(server: &Running, body: &Value) -> (u16, Value) {
    let request = server
        .client
        .post(server.at("/graphql"))
        .bearer_auth(&server.keys[0]);
    told(request.json(body).send().await.unwrap()).await
}

#[tokio::test]
async fn pages_of_other_sites_cannot_make_a_browser_ask() {
    let server = running("").await;
    let ask = || get(&server, &[("query", QUERY)]);
    assert_eq!(ask().send().await.unwrap().status(), 200, "no browser");
    let cross = || ask().header("sec-fetch-site", "cross-site");
    let (status, body) = told(cross().send().await.unwrap()).await;
    assert_eq!(
        (status, &body["errors"][0]["extensions"]["code"]),
        (403, &json!("FORBIDDEN"))
    );
    for header in [
        "x-apollo-operation-name",
        "apollo-require-preflight",
        "x-actiongraph-preflight",
    ] {
        assert_eq!(
            cross().header(header, "x").send().await.unwrap().status(),
            200,
            "{header}"
        );
    }
    let foreign = ask().header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let strict = running("csrf = \"always\"").await;
    let ask = || get(&strict, &[("query", QUERY)]);
    assert_eq!(ask().send().await.unwrap().status(), 403);
    assert_eq!(
        ask()
            .header("apollo-require-preflight", "1")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        post(&strict, &json!({ "query": QUERY })).await.0,
        200,
        "POST asks by its type"
    );
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_in_bounds() {
    let server = running("").await;
    let secret = format!("/postback/{}", server.secrets[0]);
    for (path, status) in [
        ("/graphql", 401),
        ("/graphiql", 200),
        ("/assets/nothing.js", 404),
        ("/schema.graphql", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/metrics", 401),
        ("/nothing", 404),
        ("/import", 405),
        ("/traffic-targets.csv", 401),
        // What it is asked for is not even read.
        ("/traffic-targets.csv?filter={", 401),
        ("/postback/wrong", 404),
        (secret.as_str(), 200),
    ] {
        let answer = server.client.get(server.at(path)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let headers = answer.headers();
        if status >= 400 {
            assert_eq!(headers["cache-control"], "no-store", "{path}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(
                headers.get(name).map(|value| value.to_str().unwrap()),
                Some(value),
                "{path} {name}"
            );
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(headers["x-request-id"].len(), 32, "{path}");
        assert!(
            !headers.contains_key("strict-transport-security"),
            "not over http"
        );
    }
}

#[tokio::test]
async fn counters_are_told_to_those_whom_the_setting_names() {
    let forwarded = Some(("x-forwarded-for", "203.0.113.7"));
    let renamed = Some(("host", "shop.example"));
    for (setting, header, [without, reader, admin]) in [
        // A proxy on this machine need not say for whom it asks.
        ("", None, [401, 403, 200]),
        ("metrics = \"local\"", None, [200, 200, 200]),
        // One that does passes callers on that are elsewhere.
        ("metrics = \"local\"", forwarded, [401, 403, 200]),
        ("metrics = \"local\"", renamed, [401, 403, 200]),
        ("metrics = \"open\"", forwarded, [200, 200, 200]),
        ("metrics = \"admin\"", None, [401, 403, 200]),
        ("metrics = \"off\"", None, [404, 404, 404]),
    ] {
        let server = running(setting).await;
        let (store, one) = (&server.store, &server.publishers[0]);
        let reads = key_of(store, one, &[KeyScope::Read], server.now()).await;
        let administers = key_of(store, one, &[KeyScope::Admin], server.now()).await;
        for (key, expected) in [
            (None, without),
            (Some(reads), reader),
            (Some(administers), admin),
        ] {
            let mut request = server.client.get(server.at("/metrics"));
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            if let Some(key) = &key {
                request = request.bearer_auth(key);
            }
            let answer = request.send().await.unwrap();
            let is_keyed = key.is_some();
            assert_eq!(answer.status(), expected, "{setting} {header:?} {is_keyed}");
            let text = answer.text().await.unwrap();
            assert_eq!(
                text.ends_with("# EOF\n"),
                expected == 200,
                "{setting}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn the_schema_is_told_to_those_whom_the_setting_names() {
    let asked = "{ __schema { queryType { name } } }";
    for (setting, with_key, text, text_with_key) in [
        ("introspection = \"everyone\"", true, 200, 200),
        ("introspection = \"keys\"", true, 401, 200),
        ("introspection = \"off\"", false, 404, 404),
    ] {
        let server = running(setting).await;
        let (_, body) = post(&server, &json!({ "query": asked })).await;
        assert_eq!(body.get("errors").is_none(), with_key, "{setting}: {body}");
        if !with_key {
            assert_eq!(
                body["errors"][0]["extensions"]["code"], "FORBIDDEN",
                "{body}"
            );
            // Hidden in a fragment, or beside other fields, it is the same.
            let hidden = "query { ...F viewer { scopes } } fragment F on Query { a: __type(name: \"Query\") { name } }";
            let (_, body) = post(&server, &json!({ "query": hidden })).await;
            assert_eq!(
                body["errors"][0]["extensions"]["code"], "FORBIDDEN",
                "{body}"
            );
        }
        let (_, body) = post(&server, &json!({ "query": "{ __typename }" })).await;
        assert_eq!(body["data"]["__typename"], "Query", "{setting}");
        let schema = || server.client.get(server.at("/schema.graphql"));
        assert_eq!(schema().send().await.unwrap().status(), text, "{setting}");
        let keyed = schema().bearer_auth(&server.keys[0]).send().await.unwrap();
        assert_eq!(keyed.status(), text_with_key, "{setting}");
    }
}

/// A key of the first publisher's that says itself whether it may ask for the schema.
async fn key_that_may(server: &Running, introspection: bool) -> String {
    let terms = KeyTerms {
        introspection: Some(introspection),
        ..KeyTerms::default()
    };
    let who = Administrator::command_line(server.publishers[0].id, server.now());
    who.create(&server.store, terms).await.unwrap().secret
}

#[tokio::test]
async fn what_a_key_says_of_the_schema_goes_before_the_setting() {
    let asked = "{ __schema { queryType { name } } }";
    for (setting, may, text) in [
        // As text it is everybody's there, and so this key's, too.
        ("introspection = \"everyone\"", false, 200),
        ("introspection = \"keys\"", false, 404),
        ("introspection = \"off\"", true, 200),
        ("introspection = \"off\"", false, 404),
    ] {
        let server = running(setting).await;
        let key = key_that_may(&server, may).await;
        let body = server.ask(&key, asked).await;
        if may {
            let name = &body["data"]["__schema"]["queryType"]["name"];
            assert_eq!(name, "Query", "{setting}: {body}");
        } else {
            let code = &body["errors"][0]["extensions"]["code"];
            assert_eq!(code, "FORBIDDEN", "{setting}: {body}");
            assert!(body["data"].is_null(), "{setting}: {body}");
        }
        let schema = server.client.get(server.at("/schema.graphql"));
        let told = schema.bearer_auth(&key).send().await.unwrap();
        assert_eq!(told.status(), text, "{setting} {may}");
        let body = server.ask(&key, "{ __typename }").await;
        assert_eq!(body["data"]["__typename"], "Query", "{setting}: {body}");
    }
}

/// A file of the documents that a server trusts, and the hash of its one document.
fn manifest() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let hash = actiongraph::access::documents::sha256(QUERY);
    let path = folder.path().join("documents.json");
    std::fs::write(&path, json!({ hash.clone(): QUERY }).to_string()).unwrap();
    let setting = format!("trusted_documents = {:?}", path.display().to_string());
    (folder, hash, setting)
}

#[tokio::test]
async fn a_document_can_be_asked_for_by_its_hash() {
    let (_folder, hash, setting) = manifest();
    let server = running(&setting).await;
    let slug = json!({"data": {"viewer": {"publisher": {"slug": "one"}}}})["data"].clone();
    for body in [
        json!({ "documentId": hash }),
        json!({ "documentId": format!("sha256:{hash}") }),
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } }),
        json!({ "query": QUERY, "documentId": hash }),
        json!({ "query": QUERY }),
        json!({ "query": "{ limits { nodes } viewer { publisher { slug } } }" }),
    ] {
        let (status, answer) = post(&server, &body).await;
        assert_eq!(
            (status, &answer["data"]["viewer"]),
            (200, &slug["viewer"]),
            "{body}: {answer}"
        );
    }
    let unknown = "0".repeat(64);
    let (status, answer) = post(&server, &json!({ "documentId": unknown })).await;
    // In Apollo's words, so that its clients send the document itself.
    assert_eq!(
        (status, &answer["errors"][0]["message"]),
        (404, &json!("PersistedQueryNotFound"))
    );
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND");
    let (status, answer) = post(&server, &json!({ "query": QUERY, "documentId": unknown })).await;
    assert_eq!(status, 200, "{answer}");
    let (status, _) = post(
        &server,
        &json!({ "query": "{ __typename }", "documentId": hash }),
    )
    .await;
    assert_eq!(status, 400, "another document than its id stands for");
    let (status, _) = post(&server, &json!({ "documentId": "zz" })).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_trusted_document_can_be_kept_and_asked_about() {
    let (_folder, hash, setting) = manifest();
    let server = running(&setting).await;
    let by_hash = || get(&server, &[("documentId", &hash)]);
    let first = by_hash().send().await.unwrap();
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["cache-control"], "private, no-cache");
    let vary = first.headers()["vary"].to_str().unwrap().to_lowercase();
    assert!(vary.contains("authorization"), "{vary}");
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = by_hash()
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.text().await.unwrap(), "");
    // Another caller has other data, and so another tag.
    let other = server
        .client
        .get(server.at("/graphql"))
        .query(&[("documentId", &hash)]);
    let other = other
        .bearer_auth(&server.keys[1])
        .header("if-none-match", &tag);
    assert_eq!(other.send().await.unwrap().status(), 200);
    let plain = get(&server, &[("query", "{ __typename }")])
        .send()
        .await
        .unwrap();
    assert_eq!(plain.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn only_trusted_documents_run_where_the_setting_says_so() {
    let (_folder, hash, setting) = manifest();
    let server = running(&format!("{setting}\ntrusted_documents_mode = \"enforce\"")).await;
    for body in [json!({ "documentId": hash }), json!({ "query": QUERY })] {
        assert_eq!(post(&server, &body).await.0, 200, "{body}");
    }
    for query in [
        "{ __typename }",
        "{ viewer { publisher { slug } } } ",
        "{ nonsense",
    ] {
        let (status, answer) = post(&server, &json!({ "query": query })).await;
        assert_eq!(status, 403, "{query}: {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
    let server = running(&format!("{setting}\ntrusted_documents_mode = \"log\"")).await;
    assert_eq!(
        post(&server, &json!({ "query": "{ __typename }" })).await.0,
        200
    );
}

/// `actiongraph documents` with these arguments.
fn documents_command(arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_actiongraph"));
    command.arg("documents").args(arguments).output().unwrap()
}

#[tokio::test]
async fn the_file_that_the_command_makes_is_what_an_enforcing_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let queries = folder.path().join("queries");
    std::fs::create_dir(&queries).unwrap();
    let listed = [
        (
            "who.graphql",
            "query Who { viewer { publisher { slug } } }\n",
        ),
        ("kind.graphql", "{ __typename }"),
    ];
    for (name, text) in listed {
        std::fs::write(queries.join(name), text).unwrap();
    }
    std::fs::write(queries.join("notes.txt"), "{ limits { nodes } }").unwrap();
    let file = folder.path().join("trusted.json");
    let made = documents_command(&[&queries, Path::new("-o"), &file]);
    assert!(made.status.success() && made.stdout.is_empty(), "{made:?}");
    let printed = documents_command(&[&queries]);
    assert_eq!(printed.stdout, std::fs::read(&file).unwrap());

    let path = file.display().to_string();
    let settings = format!("trusted_documents = {path:?}\ntrusted_documents_mode = \"enforce\"");
    let server = running(&settings).await;
    for (name, text) in listed {
        let hash = actiongraph::access::documents::sha256(text);
        for body in [json!({ "documentId": hash }), json!({ "query": text })] {
            let (status, answer) = post(&server, &body).await;
            assert_eq!(status, 200, "{name}: {answer}");
            assert_eq!(answer.get("errors"), None, "{name}: {answer}");
        }
    }
    for text in [
        "{ limits { nodes } }",
        "query Who { viewer { publisher { slug } } }",
    ] {
        let (status, answer) = post(&server, &json!({ "query": text })).await;
        assert_eq!(status, 403, "not as it was written: {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }

    // What the schema does not have makes no file.
    let (bad, none) = (queries.join("bad.graphql"), folder.path().join("none.json"));
    std::fs::write(&bad, "{ colourOfMoney }").unwrap();
    let refused = documents_command(&[&queries, Path::new("-o"), &none]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("bad.graphql") && said.contains("colourOfMoney"),
        "{said}"
    );
    assert!(!none.exists());
}

/// Whether a client that trusts this certificate alone reaches the server.
async fn reaches(server: &Running, certificate: &str) -> Option<Response> {
    let pem = std::fs::read(fixture(certificate)).unwrap();
    let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
    let client = client()
        .tls_certs_only([trusted])
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let url = format!("https://127.0.0.1:{}/livez", server.address.port());
    client.get(url).send().await.ok()
}

#[tokio::test]
async fn https_is_spoken_and_a_renewed_certificate_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let put = |certificate: &str, secret: &str| {
        std::fs::copy(fixture(certificate), &chain).unwrap();
        std::fs::copy(fixture(secret), &key).unwrap();
        // Whatever the file system's clock says, this is later than before.
        let later = std::fs::metadata(&key).unwrap().modified().unwrap() + Duration::from_secs(100);
        let file = std::fs::File::options().write(true).open(&key).unwrap();
        file.set_modified(later).unwrap();
    };
    put("certificate.pem", "key.pem");
    let settings = format!(
        "tls_certificate = {:?}\ntls_key = {:?}",
        chain.display().to_string(),
        key.display().to_string()
    );
    let server = running(&settings).await;
    let answer = reaches(&server, "certificate.pem").await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["strict-transport-security"],
        "max-age=31536000"
    );
    assert!(reaches(&server, "other-certificate.pem").await.is_none());
    put("other-certificate.pem", "other-key.pem");
    server.clock.advance(Duration::from_secs(61));
    assert!(
        reaches(&server, "other-certificate.pem").await.is_some(),
        "read again"
    );
    // A key of another certificate is not taken: the server goes on with what it has.
    put("certificate.pem", "other-key.pem");
    server.clock.advance(Duration::from_secs(61));
    assert!(reaches(&server, "other-certificate.pem").await.is_some());
}
