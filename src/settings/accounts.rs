//! Accounts of the network whose data are fetched: `[[accounts]]` in the configuration file, and one by environment.
//!
//! A secret is given by the environment or by a file of its own, which is read here; it has no place in a message.

use std::collections::{BTreeMap, BTreeSet};

use super::values::is_private;
use super::{Raw, shown};
use crate::domain::id::check_slug;
use crate::domain::secret::Secret;
use crate::domain::time::{Day, parse_offset};

/// The name that the list has in the configuration file.
pub(super) const TABLE: &str = "accounts";
/// How the variables of the environment begin that give one account.
const VARIABLES: &str = "ACTIONGRAPH_ADMITAD_";
/// Where the network answers unless said otherwise.
const BASE_URL: &str = "https://api.admitad.com/";

/// What an account may say, what it is unless said otherwise, and what it means.
const FIELDS: &[(&str, &str, &str)] = &[
    (
        "publisher",
        "my-blog",
        "whose data they are; created when new",
    ),
    (
        "name",
        "admitad",
        "tells several accounts of one publisher apart",
    ),
    (
        "client_id",
        "...",
        "from the network's page of API credentials",
    ),
    ("client_secret", "...", "or rather client_secret_file"),
    (
        "client_secret_file",
        "/run/secrets/admitad",
        "a file that holds nothing but the secret",
    ),
    ("base_url", BASE_URL, "where the network answers"),
    ("utc_offset", "+03:00", "the offset of the network's times"),
    (
        "since",
        "2024-01-01",
        "how far the first back-fill goes; two years unless said otherwise",
    ),
];

/// An account of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// Whose data they are.
    pub publisher: String,
    /// What tells several accounts of one publisher apart.
    pub name: String,
    /// The public half of its credentials.
    pub client_id: String,
    /// The other half.
    pub client_secret: Secret,
    /// Where the network answers, with a slash at its end.
    pub base_url: String,
    /// Offset of the network's times, in minutes east of UTC.
    pub offset_minutes: i32,
    /// How far the first back-fill goes; none for two years.
    pub since: Option<Day>,
}

/// What was given of accounts, before it is looked at.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The tables of the file, with their places.
    tables: Vec<(String, toml::Value)>,
    /// What the environment gives, by field.
    environment: BTreeMap<&'static str, (String, toml::Value)>,
}

/// Fields of one account with their places.
type Fields = BTreeMap<String, (String, toml::Value)>;

impl Given {
    /// The list in a configuration file.
    pub(super) fn add_file(&mut self, place: &str, value: toml::Value) {
        match value {
            toml::Value::Array(tables) => {
                for (index, table) in tables.into_iter().enumerate() {
                    self.tables.push((format!("{place}[{index}]"), table));
                }
            }
            other => self.tables.push((place.to_owned(), other)),
        }
    }

    /// A variable of the environment; whether it is one of an account.
    pub(super) fn add_variable(&mut self, variable: &str, value: &str) -> bool {
        let field = variable.strip_prefix(VARIABLES).and_then(|name| {
            FIELDS
                .iter()
                .find(|(field, _, _)| field.eq_ignore_ascii_case(name))
        });
        if let Some((field, _, _)) = field {
            let value = toml::Value::String(value.to_owned());
            self.environment.insert(field, (variable.to_owned(), value));
        }
        field.is_some()
    }
}

/// The accounts, their problems among those of the other settings.
pub(super) fn resolve(raw: &mut Raw) -> Vec<AccountSettings> {
    let given = std::mem::take(&mut raw.accounts);
    let mut all = Vec::new();
    for (place, value) in given.tables {
        let toml::Value::Table(table) = value else {
            // What stands there is not repeated: it may be a secret.
            raw.problem(&place, "must be a table, headed [[accounts]]".to_owned());
            continue;
        };
        let mut fields = Fields::new();
        for (name, value) in table {
            let place = format!("{place}.{name}");
            if FIELDS.iter().any(|(field, _, _)| *field == name) {
                fields.insert(name, (place, value));
            } else {
                let known: Vec<&str> = FIELDS.iter().map(|(field, _, _)| *field).collect();
                let message = format!(
                    "an account has no such setting; it has {}",
                    known.join(", ")
                );
                raw.problem(&place, message);
            }
        }
        all.extend(account(raw, &place, fields).map(|account| (place, account)));
    }
    if !given.environment.is_empty() {
        let fields: Fields = given
            .environment
            .into_iter()
            .map(|(field, given)| (field.to_owned(), given))
            .collect();
        let place = format!("{VARIABLES}*");
        all.extend(account(raw, &place, fields).map(|account| (place, account)));
    }
    let (mut names, mut keys) = (BTreeSet::new(), BTreeMap::new());
    for (place, account) in &all {
        // By its credentials an account is known that gets another name: two with the same are one.
        let key = (&account.publisher, &account.client_id);
        if let Some(first) = keys.insert(key, &account.name)
            && *first != account.name
        {
            let message = format!(
                "has the client_id of the account {first} of the same publisher, which would be read twice; leave one of \
                 the two out"
            );
            raw.problem(place, message);
        }
        if !names.insert((&account.publisher, &account.name)) {
            let message = format!(
                "publisher {} has an account called {} already; give this one another name",
                account.publisher, account.name
            );
            raw.problem(place, message);
        }
    }
    all.into_iter().map(|(_, account)| account).collect()
}

fn account(raw: &mut Raw, place: &str, mut fields: Fields) -> Option<AccountSettings> {
    let problems = raw.problems.len();
    let publisher = needed(raw, place, &mut fields, "publisher");
    let name = text(raw, &mut fields, "name");
    let client_id = needed(raw, place, &mut fields, "client_id");
    let client_secret = secret(raw, place, &mut fields);
    let base_url = base_url(raw, &mut fields);
    let offset = text(raw, &mut fields, "utc_offset");
    let since = text(raw, &mut fields, "since");
    for (place, slug) in publisher.iter().chain(&name) {
        if let Err(message) = check_slug(slug) {
            raw.problem(place, message.to_string());
        }
    }
    let offset_minutes = offset
        .map(|(place, text)| parse_offset(&text).map_err(|message| raw.problem(&place, message)));
    let since = since.map(|(place, text)| {
        Day::parse(&text).map_err(|error| raw.problem(&place, error.to_string()))
    });
    if raw.problems.len() > problems {
        return None;
    }
    Some(AccountSettings {
        publisher: publisher?.1,
        name: name.map_or_else(|| "admitad".to_owned(), |(_, name)| name),
        client_id: client_id?.1,
        client_secret: client_secret?,
        base_url,
        offset_minutes: offset_minutes.and_then(Result::ok).unwrap_or(180),
        since: since.and_then(Result::ok),
    })
}

fn text(raw: &mut Raw, fields: &mut Fields, name: &str) -> Option<(String, String)> {
    let (place, value) = fields.remove(name)?;
    match value {
        toml::Value::String(text) if !text.trim().is_empty() => {
            Some((place, text.trim().to_owned()))
        }
        // A day need not be quoted.
        toml::Value::Datetime(day) => Some((place, day.to_string())),
        toml::Value::String(_) => {
            raw.problem(&place, "is empty".to_owned());
            None
        }
        other => {
            let message = if name == "client_secret" {
                "must be a text in quotation marks".to_owned()
            } else {
                format!("must be a text, not {}", shown(&other))
            };
            raw.problem(&place, message);
            None
        }
    }
}

fn needed(raw: &mut Raw, place: &str, fields: &mut Fields, name: &str) -> Option<(String, String)> {
    if !fields.contains_key(name) {
        raw.problem(place, format!("has no {name}, which every account needs"));
    }
    text(raw, fields, name)
}

fn secret(raw: &mut Raw, place: &str, fields: &mut Fields) -> Option<Secret> {
    let given = text(raw, fields, "client_secret");
    let file = text(raw, fields, "client_secret_file");
    match (given, file) {
        (Some((_, secret)), None) => Some(Secret::new(secret)),
        (None, Some((place, path))) => match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Some(Secret::new(text.trim())),
            Ok(_) => {
                raw.problem(&place, format!("{path} is empty"));
                None
            }
            Err(error) => {
                raw.problem(&place, format!("{path} cannot be read: {error}"));
                None
            }
        },
        (Some(_), Some((place, _))) => {
            raw.problem(
                &place,
                "client_secret is given as well; give one of the two".to_owned(),
            );
            None
        }
        (None, None) => {
            let message =
                "has no client_secret; give it, or client_secret_file for a file that holds it";
            raw.problem(place, message.to_owned());
            None
        }
    }
}

fn base_url(raw: &mut Raw, fields: &mut Fields) -> String {
    let Some((place, mut url)) = text(raw, fields, "base_url") else {
        return BASE_URL.to_owned();
    };
    if !url.ends_with('/') {
        url.push('/');
    }
    let parsed = url::Url::parse(&url).ok().filter(|parsed| {
        is_private(parsed) && parsed.query().is_none() && parsed.fragment().is_none()
    });
    if parsed.is_none() {
        // Not repeated: it may hold a password.
        raw.problem(
            &place,
            "must be an address such as https://api.admitad.com/ (http:// on this machine only, for tests)".to_owned(),
        );
    }
    url
}

/// The part of the file that [`super::defaults`] prints.
pub(super) fn defaults() -> String {
    let mut text = String::from(
        "\n# Accounts of the network that are fetched, one table each, behind all other settings.\n\
         # In the environment, for one account: ",
    );
    text.push_str(VARIABLES);
    text.push_str("PUBLISHER and so on.\n# [[accounts]]\n");
    for (field, example, help) in FIELDS {
        text.push_str(&format!("# {field} = {example:?}  # {help}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn file(text: &str) -> Raw {
        let mut raw = Raw::default();
        raw.add_file("actiongraph.toml", text);
        raw
    }

    fn environment(raw: &mut Raw, variables: &[(&str, &str)]) {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        raw.add_environment(owned);
    }

    #[test]
    fn accounts_come_from_the_file_and_one_from_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "hush-2\n").unwrap();
        let mut raw = file(&format!(
            "workers = 2\n[[accounts]]\npublisher = \"my-blog\"\nclient_id = \"id-1\"\nclient_secret = \"hush-1\"\n\
             since = 2024-05-01\n[[accounts]]\npublisher = \"my-blog\"\nname = \"second\"\nclient_id = \"id-2\"\n\
             client_secret_file = {secret:?}\nutc_offset = \"Z\"\nbase_url = \"http://127.0.0.1:9\"\n"
        ));
        environment(
            &mut raw,
            &[
                ("ACTIONGRAPH_ADMITAD_PUBLISHER", "other"),
                ("ACTIONGRAPH_ADMITAD_CLIENT_ID", "id-3"),
                ("ACTIONGRAPH_ADMITAD_CLIENT_SECRET", "hush-3"),
            ],
        );
        let accounts = Settings::resolve(raw).unwrap().accounts;
        let told: Vec<_> = accounts
            .iter()
            .map(|account| {
                (
                    account.publisher.as_str(),
                    account.name.as_str(),
                    account.client_secret.expose(),
                    account.base_url.as_str(),
                    account.offset_minutes,
                    account.since.map(|day| day.to_string()),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "my-blog",
                    "admitad",
                    "hush-1",
                    BASE_URL,
                    180,
                    Some("2024-05-01".to_owned())
                ),
                (
                    "my-blog",
                    "second",
                    "hush-2",
                    "http://127.0.0.1:9/",
                    0,
                    None
                ),
                ("other", "admitad", "hush-3", BASE_URL, 180, None),
            ]
        );
        assert!(!format!("{accounts:?}").contains("hush"));
    }

    #[test]
    fn every_problem_of_every_account_is_listed_and_no_secret_is() {
        let raw = file(
            "listen = \"nowhere\"\n[[accounts]]\npublisher = \"My Blog\"\nclient_id = \"x\"\nclient_secret = 4711\n\
             base_url = \"http://user:hush@api.example/\"\nutc_offset = \"3\"\nsince = \"last year\"\nsecret = \"hush\"\n\
             [[accounts]]\nclient_secret = \"hush\"\nclient_secret_file = \"/nowhere/hush-file\"\n\
             [[accounts]]\npublisher = \"a\"\nclient_id = \"1\"\nclient_secret = \"hush\"\n\
             [[accounts]]\npublisher = \"a\"\nclient_id = \"2\"\nclient_secret = \"hush\"\n\
             [[accounts]]\npublisher = \"a\"\nname = \"again\"\nclient_id = \"1\"\nclient_secret = \"hush\"\n",
        );
        let problems: Vec<String> = Settings::resolve(raw)
            .expect_err("there are problems")
            .iter()
            .map(ToString::to_string)
            .collect();
        for part in [
            "listen: \"nowhere\" is not an address",
            "accounts[0].publisher: ",
            "accounts[0].client_secret: must be a text",
            "accounts[0].base_url: must be an address",
            "accounts[0].utc_offset: \"3\" is not an offset",
            "accounts[0].since: ",
            "accounts[0].secret: an account has no such setting",
            "accounts[1]: has no publisher",
            "accounts[1]: has no client_id",
            "accounts[1].client_secret_file: client_secret is given as well",
            "accounts[3]: publisher a has an account called admitad already",
            "accounts[4]: has the client_id of the account admitad of the same publisher",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(part)),
                "{part} in {problems:#?}"
            );
        }
        let told = problems.concat();
        assert!(!told.contains("hush") && !told.contains("4711"), "{told}");
    }

    #[test]
    fn the_printed_example_is_an_account() {
        let text: String = defaults()
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = ") || line.starts_with("[["))
            .filter(|line| !line.starts_with("client_secret_file"))
            .map(|line| format!("{line}\n"))
            .collect();
        let accounts = Settings::resolve(file(&text)).unwrap().accounts;
        assert_eq!(accounts.len(), 1, "{text}");
        assert_eq!(accounts[0].base_url, BASE_URL);
    }
}
