//! The parameters of a GraphQL request, from a JSON body or from an address. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::access::documents::plain;
use crate::graphql::GraphqlRequest;

/// What is wrong with the parameters, in a sentence.
pub type Problem = Cow<'static, str>;

/// Names that are none of ours are left alone; a name given twice is an error.
#[derive(Deserialize)]
struct Given {
    query: Option<Value>,
    #[serde(rename = "operationName")]
    operation_name: Option<Value>,
    variables: Option<Value>,
    extensions: Option<Value>,
    #[serde(rename = "documentId")]
    document_id: Option<Value>,
}

/// Values that a request holds beside those of its variables: itself, its parameters, and what clients put into `extensions`.
pub const OWN_VALUES: usize = 100;

/// How many values a JSON text holds at most, by what stands between them.
#[must_use]
pub fn values(text: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

/// Reads the body of a POST request.
///
/// # Errors
/// What is wrong with it.
pub fn from_body(body: &[u8]) -> Result<Sent, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        format!(
            "The body is not UTF-8: byte {} is wrong.",
            error.valid_up_to()
        )
    })?;
    match text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .chars()
        .next()
    {
        Some('{') => {}
        Some('[') => {
            return Err("Batches are not accepted: send one operation per request, or several fields in one operation.".into());
        }
        None => return Err("The body is empty: send a JSON object with `query`.".into()),
        Some(_) => return Err("The body must be a JSON object with `query`.".into()),
    }
    let given: Given = serde_json::from_str(text)
        .map_err(|error| format!("The body is not the JSON of a GraphQL request: {error}."))?;
    check(given)
}

/// Reads the query part of a GET request's address.
///
/// # Errors
/// What is wrong with it.
pub fn from_address(query: &str) -> Result<Sent, Problem> {
    let mut given = Given {
        query: None,
        operation_name: None,
        variables: None,
        extensions: None,
        document_id: None,
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        let (slot, is_json) = match name.as_str() {
            "query" => (&mut given.query, false),
            "operationName" => (&mut given.operation_name, false),
            "documentId" => (&mut given.document_id, false),
            "variables" => (&mut given.variables, true),
            "extensions" => (&mut given.extensions, true),
            _ => continue,
        };
        if slot.is_some() {
            return Err(format!("The parameter `{name}` is given twice.").into());
        }
        let text = decode(value)?;
        *slot = match (is_json, text.is_empty()) {
            // An address cannot say null: nothing is how it is spelled.
            (_, true) => None,
            (false, false) => Some(Value::String(text)),
            (true, false) => Some(
                serde_json::from_str(&text)
                    .map_err(|error| format!("The parameter `{name}` is not JSON: {error}."))?,
            ),
        };
    }
    check(given)
}

/// What a client sends: the parameters, and the id of its document if it sends one.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The parameters; the document is empty where only its id was sent.
    pub request: GraphqlRequest,
    /// `documentId`, or the hash in `extensions.persistedQuery`.
    pub document_id: Option<String>,
}

fn check(given: Given) -> Result<Sent, Problem> {
    let extensions = object("extensions", given.extensions)?;
    let document_id = document_id(given.document_id.as_ref(), &extensions)?;
    let query = match given.query {
        Some(Value::String(query)) => query,
        None | Some(Value::Null) if document_id.is_some() => String::new(),
        Some(Value::Null) | None => return Err("`query` is missing.".into()),
        Some(_) => return Err("`query` must be a string.".into()),
    };
    let operation_name = match given.operation_name {
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        None | Some(Value::Null) => None,
        Some(_) => return Err("`operationName` must be a string.".into()),
    };
    let variables = object("variables", given.variables)?;
    Ok(Sent {
        request: GraphqlRequest {
            query,
            operation_name,
            variables,
        },
        document_id,
    })
}

/// The id of a document, in either place where clients put it. Other extensions are none of ours.
fn document_id(
    given: Option<&Value>,
    extensions: &Map<String, Value>,
) -> Result<Option<String>, Problem> {
    let persisted = extensions
        .get("persistedQuery")
        .and_then(|persisted| persisted.get("sha256Hash"));
    let id = given.filter(|id| !id.is_null()).or(persisted);
    match id {
        None => Ok(None),
        Some(Value::String(id)) if plain(id).is_some() => Ok(Some(id.clone())),
        Some(_) => Err(
            "The id of a document is the SHA-256 of its text: 64 hexadecimal digits in lower case, also behind `sha256:`."
                .into(),
        ),
    }
}

fn object(name: &str, value: Option<Value>) -> Result<Map<String, Value>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(format!("`{name}` must be an object.").into()),
    }
}

/// Undoes the escapes of a form field.
fn decode(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = (rest.next().and_then(digit), rest.next().and_then(digit));
                let (Some(high), Some(low)) = digits else {
                    return Err(
                        "The address has a `%` that is not followed by two hexadecimal digits."
                            .into(),
                    );
                };
                high * 16 + low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| "A parameter in the address is not UTF-8.".into())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_error(body: &[u8]) -> String {
        match from_body(body) {
            Ok(_) => panic!("{} was accepted", String::from_utf8_lossy(body)),
            Err(problem) => problem.into_owned(),
        }
    }

    #[test]
    fn a_whole_body() {
        let request = from_body(
            br#" {"query":"{a}","operationName":"A","variables":{"x":1},"extensions":{},"other":[1]}"#,
        )
        .unwrap()
        .request;
        assert_eq!(request.query, "{a}");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        assert_eq!(request.variables["x"], 1);
    }

    #[test]
    fn values_are_counted_before_they_are_made() {
        for (text, count) in [
            ("{}", 2),
            ("{\"a\":1,\"b\":[1,2,3]}", 6),
            ("{\"a\":\"[{,,\\\",{\",\"b\":0}", 3),
            ("[{\"\":0},{\"\":0}]", 5),
        ] {
            assert_eq!(values(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let request = from_body(
            br#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#,
        )
        .unwrap()
        .request;
        assert_eq!(request.operation_name, None);
        assert!(request.variables.is_empty());
    }

    #[test]
    fn each_fault_is_named() {
        for (body, part) in [
            (&b""[..], "empty"),
            (b" \n", "empty"),
            (b"[{\"query\":\"{a}\"}]", "Batches"),
            (b"\"{a}\"", "JSON object"),
            (b"\xef\xbb\xbf{}", "JSON object"),
            (b"{\"query\":\"\xff\"}", "UTF-8"),
            (b"{ \"not a JSON", "not the JSON"),
            (b"{\"query\":\"{a}\"} x", "not the JSON"),
            (
                b"{\"query\":\"{a}\",\"query\":\"{b}\"}",
                "duplicate field `query`",
            ),
            (
                b"{\"variables\":{},\"query\":\"{a}\",\"variables\":{}}",
                "duplicate field `variables`",
            ),
            (b"{}", "`query` is missing"),
            (b"{\"query\":null}", "`query` is missing"),
            (b"{\"query\":1}", "`query` must be a string"),
            (b"{\"documentId\":\"sha256:ab\"}", "64 hexadecimal digits"),
            (b"{\"documentId\":1}", "64 hexadecimal digits"),
            (
                b"{\"query\":\"{a}\",\"variables\":[]}",
                "`variables` must be an object",
            ),
            (
                b"{\"query\":\"{a}\",\"variables\":\"{}\"}",
                "`variables` must be an object",
            ),
            (
                b"{\"query\":\"{a}\",\"extensions\":0}",
                "`extensions` must be an object",
            ),
            (
                b"{\"query\":\"{a}\",\"operationName\":false}",
                "`operationName` must be a string",
            ),
        ] {
            let problem = body_error(body);
            assert!(problem.contains(part), "{part} in {problem}");
        }
        let deep = format!(
            "{{\"query\":\"{{a}}\",\"variables\":{{\"x\":{}}}}}",
            "[".repeat(100_000)
        );
        assert!(body_error(deep.as_bytes()).contains("recursion"));
    }

    #[test]
    fn the_id_of_a_document_comes_in_two_ways() {
        let hash = "0123456789abcdef".repeat(4);
        let id = |body: String| from_body(body.as_bytes()).unwrap();
        let by_id = id(format!("{{\"documentId\":\"sha256:{hash}\"}}"));
        assert_eq!(by_id.document_id, Some(format!("sha256:{hash}")));
        assert_eq!(by_id.request.query, "");
        let persisted = id(format!(
            "{{\"query\":\"{{a}}\",\"extensions\":{{\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"{hash}\"}}}}}}"
        ));
        assert_eq!(persisted.document_id.as_deref(), Some(hash.as_str()));
        assert_eq!(persisted.request.query, "{a}");
        let got = from_address(&format!("documentId={hash}")).unwrap();
        assert_eq!(got.document_id.as_deref(), Some(hash.as_str()));
    }

    #[test]
    fn an_address() {
        let request = from_address(
            "query=query+A(%24x%3AInt)%7Ba%7D&operationName=A&variables=%7B%22x%22%3A1%7D&extensions=&utm=1",
        )
        .unwrap()
        .request;
        assert_eq!(request.query, "query A($x:Int){a}");
        assert_eq!(request.operation_name.as_deref(), Some("A"));
        assert_eq!(request.variables["x"], 1);
        assert_eq!(
            from_address("query=%7Ba%7D&operationName=")
                .unwrap()
                .request
                .operation_name,
            None
        );
        for (query, part) in [
            ("", "`query` is missing"),
            ("query=a&query=b", "twice"),
            ("query=%ff", "UTF-8"),
            ("query=%4", "two hexadecimal"),
            ("query=a&variables=x", "not JSON"),
            ("query=a&variables=%5B%5D", "must be an object"),
            ("query=a&extensions=1", "must be an object"),
        ] {
            match from_address(query) {
                Ok(_) => panic!("{query} was accepted"),
                Err(problem) => assert!(problem.contains(part), "{part} in {problem}"),
            }
        }
    }
}
