//! Settings: what was given (file, environment, flags) and what it means.
//!
//! One table ([`keys`]) names every setting; its default, its words and its nearest spelling come from there. Every
//! problem is reported at once. Nothing is opened, bound or created here but files that hold a secret ([`accounts`]):
//! `app` and `cli` act on the values.

mod accounts;
mod aliases;
mod columns;
mod database;
mod deeplinks;
mod jwt;
mod limits;
mod plain;
mod spelling;
mod values;

pub use accounts::AccountSettings;
pub use aliases::Alias;
pub use columns::ColumnsSettings;
pub use database::DatabaseSettings;
pub use jwt::{JwtSettings, KeysAt};
pub use limits::LimitSettings;
use spelling::{hint, shown};
pub use values::defaults;

use crate::domain::policy::{IntrospectionPolicy, MetricsPolicy, TrustMode};
use crate::domain::traffic::LinkSettings;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The environment variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "ACTIONGRAPH_CONFIG";

/// What a setting's text has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Switch,
    Whole { least: u64, most: u64 },
    List,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its name in the file; in the environment it is `ACTIONGRAPH_` and the name in upper case.
    pub name: &'static str,
    /// Its default as the file spells it; empty where there is none to write down.
    pub default: &'static str,
    /// What it means.
    pub help: &'static str,
    kind: Kind,
    /// Why there is no more of it, where that is not plain; else empty.
    why: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key {
        name,
        default,
        help,
        kind,
        why: "",
    }
}

/// Every setting there is.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    plain::KEYS
        .iter()
        .chain(limits::KEYS)
        .chain(database::KEYS)
        .chain(jwt::KEYS)
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// The files of the certificate for https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What the settings mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The database, in the form that the store opens; none where nothing was given.
    pub database_url: Option<String>,
    /// Origins of web pages that may call the API from a browser, exactly as browsers send them.
    pub cors_origins: Vec<String>,
    /// Whether every GET request needs a header that pages of other sites cannot send.
    pub csrf_always: bool,
    /// Who may read the schema.
    pub introspection: IntrospectionPolicy,
    /// Who may read what the server counts.
    pub metrics: MetricsPolicy,
    /// The file of trusted documents.
    pub trusted_documents: Option<PathBuf>,
    /// What becomes of other documents.
    pub trusted_documents_mode: TrustMode,
    /// The certificate for https.
    pub tls: Option<TlsFiles>,
    /// The limits on requests.
    pub limits: LimitSettings,
    /// The connections to the database, and how long they are waited for.
    pub database: DatabaseSettings,
    /// Whether partial answers of the new media type have the status 294.
    pub partial_status_294: bool,
    /// How long a request's whole body may take to arrive.
    pub body_deadline: Duration,
    /// How long an operation may take.
    pub request_deadline: Duration,
    /// How long requests may take to finish after the server was told to stop.
    pub shutdown: Duration,
    /// The pause between two slices of totals that are verified in the background; none for never.
    pub verify_every: Option<Duration>,
    /// How long rejected records are kept after their run has ended; none for ever.
    pub rejects_kept: Option<Duration>,
    /// The pause between two reads of what is new in the accounts of the network; none for never.
    pub sync_every: Option<Duration>,
    /// The accounts of the network that are fetched.
    pub accounts: Vec<AccountSettings>,
    /// Templates of affiliate links, and the hosts that they may be on.
    pub links: LinkSettings,
    /// How many bytes an upload may have.
    pub import_max_bytes: u64,
    /// How many uploads of a publisher may wait.
    pub import_max_waiting: u64,
    /// How many bytes they may have together.
    pub import_max_waiting_bytes: u64,
    /// Where uploads lie until they are in; none for the default.
    pub import_directory: Option<PathBuf>,
    /// Columns of facts in memory.
    pub columns: ColumnsSettings,
    /// What is expected of JSON Web Tokens; none where none are taken.
    pub jwt: Option<JwtSettings>,
    /// Threads that answer requests; none for one per processor.
    pub workers: Option<usize>,
    /// The filter of log lines.
    pub log: String,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// What a user's own headings of tables mean: the table `[aliases]` of the file.
    pub aliases: Vec<Alias>,
}

/// Something that is wrong with what was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was given, such as `--listen` or `ACTIONGRAPH_LISTEN`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)
    }
}

/// What was given, and where: later sources overrule earlier ones.
#[derive(Debug, Default)]
pub struct Raw {
    given: BTreeMap<&'static str, (String, toml::Value)>,
    accounts: accounts::Given,
    deeplinks: deeplinks::Given,
    aliases: Vec<Alias>,
    problems: Vec<Problem>,
}

impl Raw {
    /// What a configuration file gives; `place` is its name in problems.
    pub fn add_file(&mut self, place: &str, text: &str) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let message = format!("is not TOML: {}", error.to_string().trim_end());
                return self.problem(place, message);
            }
        };
        for (name, value) in table {
            if name == "aliases" {
                self.add_aliases(place, &value);
                continue;
            }
            let place = format!("{place}: {name}");
            match keys().find(|key| key.name == name) {
                Some(key) => {
                    self.given.insert(key.name, (place, value));
                }
                None if name == accounts::TABLE => self.accounts.add_file(&place, value),
                None if name == deeplinks::TABLE => self.deeplinks.add_file(&place, value),
                None => self.problem(&place, format!("there is no such setting; {}", hint(&name))),
            }
        }
    }

    fn add_aliases(&mut self, file: &str, value: &toml::Value) {
        let (aliases, problems) = aliases::read(value);
        self.aliases.extend(aliases);
        for (place, message) in problems {
            self.problem(&format!("{file}: {place}"), message);
        }
    }

    /// What the environment gives: `variables` are its names and values; other programs' names are left alone.
    pub fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (variable, value) in variables {
            if !value.is_empty() && self.accounts.add_variable(&variable, &value) {
                continue;
            }
            let known = keys().find(|key| variable == variable_of(key));
            // An empty variable is how people unset one for a single command.
            if let (Some(key), false) = (known, value.is_empty()) {
                self.add_text(key, variable, value);
            }
        }
    }

    /// What a flag of the command line gives, such as `listen`; a name outside [`keys`] is ignored.
    pub fn add_flag(&mut self, name: &str, value: Option<&str>) {
        let known = keys().find(|key| key.name == name);
        if let (Some(key), Some(value)) = (known, value) {
            let flag = format!("--{}", name.replace('_', "-"));
            self.add_text(key, flag, value.to_owned());
        }
    }

    /// A source that could not be read.
    pub fn problem(&mut self, place: &str, message: String) {
        self.problems.push(Problem {
            place: place.to_owned(),
            message,
        });
    }

    fn add_text(&mut self, key: &Key, place: String, text: String) {
        let value = match key.kind {
            Kind::Text => toml::Value::String(text),
            Kind::Switch => match text.trim() {
                "true" | "1" | "yes" | "on" => toml::Value::Boolean(true),
                "false" | "0" | "no" | "off" => toml::Value::Boolean(false),
                _ => toml::Value::String(text),
            },
            Kind::Whole { .. } => text
                .trim()
                .parse()
                .map_or(toml::Value::String(text), toml::Value::Integer),
            Kind::List => toml::Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(|part| toml::Value::String(part.to_owned()))
                    .collect(),
            ),
        };
        self.given.insert(key.name, (place, value));
    }

    fn text(&mut self, name: &'static str) -> Option<(String, String)> {
        let (place, value) = self.given.remove(name)?;
        match value {
            toml::Value::String(text) => Some((place, text)),
            other => {
                self.problem(&place, format!("must be a text, not {}", shown(&other)));
                None
            }
        }
    }

    /// One of a few words, the first of them unless given.
    fn word<T: Copy, const N: usize>(&mut self, name: &'static str, words: &[(&str, T); N]) -> T {
        let first = words[0].1;
        let Some((place, text)) = self.text(name) else {
            return first;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.problem(&place, format!("{text:?} is none of {}", words.join(", ")));
        first
    }

    /// The path of a file or folder; none where nothing is given.
    fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.text(name)
            .map(|(_, text)| PathBuf::from(text.trim()))
            .filter(|path| !path.as_os_str().is_empty())
    }

    fn switch(&mut self, name: &'static str) -> Option<bool> {
        let (place, value) = self.given.remove(name)?;
        if value.as_bool().is_none() {
            self.problem(
                &place,
                format!("must be true or false, not {}", shown(&value)),
            );
        }
        value.as_bool()
    }

    fn whole(&mut self, name: &'static str) -> Option<u64> {
        let (place, value) = self.given.remove(name)?;
        let Some(Kind::Whole { least, most }) = kind_of(name) else {
            return None;
        };
        let number = value
            .as_integer()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let beyond = value
                .as_integer()
                .and_then(|number| u64::try_from(number).ok())
                .is_some_and(|number| number > most);
            let why = key_of(name).map(|key| key.why).filter(|_| beyond);
            let why = why.filter(|why| !why.is_empty());
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let message = format!(
                "must be a whole number from {least} to {most}, not {}{why}",
                shown(&value)
            );
            self.problem(&place, message);
        }
        number
    }

    fn list(&mut self, name: &'static str) -> Option<(String, Vec<String>)> {
        let (place, value) = self.given.remove(name)?;
        let texts = value.as_array().and_then(|parts| {
            let texts = parts.iter().map(|part| part.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        if texts.is_none() {
            self.problem(
                &place,
                format!("must be a list of texts, not {}", shown(&value)),
            );
        }
        Some((place, texts?))
    }
}

impl Settings {
    /// What was given, with the defaults for the rest.
    ///
    /// # Errors
    /// Every problem there is, not just the first.
    pub fn resolve(mut raw: Raw) -> Result<Self, Vec<Problem>> {
        let settings = Self {
            listen: values::listen(&mut raw),
            database_url: values::database_url(&mut raw),
            cors_origins: values::cors_origins(&mut raw),
            csrf_always: raw.word("csrf", &[("browsers", false), ("always", true)]),
            introspection: raw.word(
                "introspection",
                &[
                    ("everyone", IntrospectionPolicy::Everyone),
                    ("keys", IntrospectionPolicy::Keys),
                    ("off", IntrospectionPolicy::Off),
                ],
            ),
            metrics: raw.word(
                "metrics",
                &[
                    ("admin", MetricsPolicy::Admin),
                    ("local", MetricsPolicy::Local),
                    ("open", MetricsPolicy::Open),
                    ("off", MetricsPolicy::Off),
                ],
            ),
            trusted_documents: raw.path("trusted_documents"),
            trusted_documents_mode: raw.word(
                "trusted_documents_mode",
                &[
                    ("off", TrustMode::Off),
                    ("log", TrustMode::Log),
                    ("enforce", TrustMode::Enforce),
                ],
            ),
            tls: values::tls(&mut raw),
            limits: limits::resolve(&mut raw),
            database: database::resolve(&mut raw),
            partial_status_294: raw.switch("partial_status_294").unwrap_or(false),
            body_deadline: Duration::from_millis(raw.whole("body_deadline_ms").unwrap_or(10_000)),
            request_deadline: Duration::from_millis(
                raw.whole("request_deadline_ms").unwrap_or(10_000),
            ),
            shutdown: Duration::from_secs(raw.whole("shutdown_seconds").unwrap_or(15)),
            verify_every: Some(raw.whole("verify_seconds").unwrap_or(600))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            rejects_kept: Some(raw.whole("rejects_days").unwrap_or(90))
                .filter(|days| *days > 0)
                .map(|days| Duration::from_secs(days * 86_400)),
            sync_every: Some(raw.whole("sync_seconds").unwrap_or(150))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            accounts: accounts::resolve(&mut raw),
            links: deeplinks::resolve(&mut raw),
            import_max_bytes: raw.whole("import_max_bytes").unwrap_or(1 << 30),
            import_max_waiting: raw.whole("import_max_waiting").unwrap_or(100),
            import_max_waiting_bytes: raw.whole("import_max_waiting_bytes").unwrap_or(10 << 30),
            import_directory: raw.path("import_directory"),
            columns: columns::resolve(&mut raw),
            jwt: jwt::resolve(&mut raw),
            workers: raw
                .whole("workers")
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| *number > 0),
            log: raw
                .text("log")
                .map_or_else(|| "info".to_owned(), |(_, text)| text),
            log_format: raw.word(
                "log_format",
                &[
                    ("auto", LogFormat::Auto),
                    ("human", LogFormat::Human),
                    ("json", LogFormat::Json),
                ],
            ),
            aliases: std::mem::take(&mut raw.aliases),
        };
        if raw.problems.is_empty() {
            Ok(settings)
        } else {
            Err(raw.problems)
        }
    }
}

/// Reads the process's environment.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    // A variable that is not Unicode is none of ours.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The folder for our files on this platform, such as `~/.local/share/actiongraph`; none without a home.
#[must_use]
pub fn data_directory() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "actiongraph")
        .map(|folders| folders.data_dir().to_owned())
}

/// The URL by which the store opens (and creates) the SQLite file at `path`.
#[must_use]
pub fn sqlite_url(path: &Path) -> String {
    // What has a meaning of its own in a URL is escaped; the driver undoes it.
    let mut text = String::new();
    for symbol in path.to_string_lossy().chars() {
        match symbol {
            '%' => text.push_str("%25"),
            '?' => text.push_str("%3F"),
            '#' => text.push_str("%23"),
            other => text.push(other),
        }
    }
    format!("sqlite://{text}?mode=rwc")
}

/// Whether a database URL names an SQLite file.
#[must_use]
pub fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

fn key_of(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.name == name)
}

fn kind_of(name: &str) -> Option<Kind> {
    key_of(name).map(|key| key.kind)
}

fn variable_of(key: &Key) -> String {
    format!("ACTIONGRAPH_{}", key.name.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Raw {
        let mut raw = Raw::default();
        raw.add_file("actiongraph.toml", text);
        raw
    }

    fn problems(raw: Raw) -> Vec<String> {
        let problems = Settings::resolve(raw).expect_err("there are problems");
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_given_is_the_printed_defaults() {
        let plain = Settings::resolve(Raw::default()).unwrap();
        assert_eq!(plain.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(plain.database_url, None);
        // What is printed says the same, once it is uncommented.
        let text: String = defaults()
            .lines()
            .take_while(|line| !line.contains("[[accounts]]"))
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.contains(" = ") && !line.starts_with("database_url"))
            .filter(|line| !line.starts_with('"'))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(text.lines().count(), keys().count() - 1);
        assert_eq!(Settings::resolve(file(&text)).unwrap(), plain);
    }

    #[test]
    fn flags_overrule_the_environment_which_overrules_the_file() {
        let mut raw = file("listen = \"127.0.0.1:1\"\nworkers = 3\nlog = \"warn\"");
        raw.add_environment([
            ("ACTIONGRAPH_LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
            ("ACTIONGRAPH_WORKERS".to_owned(), "4".to_owned()),
            ("ACTIONGRAPH_BIN".to_owned(), "elsewhere".to_owned()),
            (
                "ACTIONGRAPH_CORS_ORIGINS".to_owned(),
                "https://a.example, http://b.example:81".to_owned(),
            ),
            ("ACTIONGRAPH_LOG".to_owned(), String::new()),
        ]);
        raw.add_flag("listen", Some("localhost:3"));
        let settings = Settings::resolve(raw).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:3");
        assert_eq!(settings.workers, Some(4));
        assert_eq!(settings.log, "warn");
        assert_eq!(
            settings.cors_origins,
            ["https://a.example", "http://b.example:81"]
        );
    }

    #[test]
    fn every_problem_is_listed_at_once() {
        let mut raw = file(
            "lisen = \"x\"\nbody_deadline_ms = 5\ncors_origins = [\"*\"]\nlog_format = \"xml\"\npartial_status_294 = 1",
        );
        raw.add_environment([(
            "ACTIONGRAPH_DATABASE_URL".to_owned(),
            "mysql://root:secret@db/x".to_owned(),
        )]);
        raw.add_flag("listen", Some("eighty"));
        let problems = problems(raw);
        for part in [
            "actiongraph.toml: lisen: there is no such setting; did you mean listen?",
            "actiongraph.toml: body_deadline_ms: must be a whole number from 10 to 600000, not 5",
            "actiongraph.toml: cors_origins: \"*\" is not an origin",
            "actiongraph.toml: log_format: \"xml\" is none of",
            "actiongraph.toml: partial_status_294: must be true or false, not 1",
            "ACTIONGRAPH_DATABASE_URL: must begin with sqlite:// or postgres://",
            "--listen: \"eighty\" is not an address",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(part)),
                "{part} in {problems:#?}"
            );
        }
        assert_eq!(problems.len(), 7);
        assert!(!problems.concat().contains("secret"));
    }

    #[test]
    fn own_headings_are_taken_and_wrong_names_are_listed_with_the_right_ones() {
        let settings = Settings::resolve(file("[aliases]\n\"Мой доход\" = \"payment\""));
        assert_eq!(
            settings.unwrap().aliases,
            [("Мой доход".to_owned(), "payment")]
        );
        let problems = problems(file(
            "[aliases]\nmine = \"income\"\n\"?\" = \"payment\"\nother = 5\n",
        ));
        for part in [
            "actiongraph.toml: aliases: mine: there is no column \"income\"; there are action_id, ",
            "actiongraph.toml: aliases: ?: is no heading",
            "actiongraph.toml: aliases: other: must be the name of a column",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(part)),
                "{part} in {problems:#?}"
            );
        }
        assert!(problems.concat().contains("payment, cart"), "{problems:#?}");
    }

    #[test]
    fn what_is_beyond_a_bound_that_is_not_plain_says_why() {
        let problems = problems(file(
            "max_filter_depth = 25\nmax_nodes = 0\nsqlite_readers = 257\nmax_report_conditions = 1001",
        ));
        for part in [
            "actiongraph.toml: max_filter_depth: must be a whole number from 1 to 24, not 25: a rule",
            "actiongraph.toml: sqlite_readers: must be a whole number from 1 to 256, not 257: each keeps",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(part)),
                "{part} in {problems:#?}"
            );
        }
        for whole in [
            "actiongraph.toml: max_nodes: must be a whole number from 1 to 10000, not 0",
            "actiongraph.toml: max_report_conditions: must be a whole number from 1 to 1000, not 1001",
        ] {
            assert!(problems.contains(&whole.to_owned()), "{problems:#?}");
        }
    }

    #[test]
    fn connections_to_the_database_are_settings() {
        let mut raw = file("database_connections = 25\ndatabase_lock_ms = 900");
        raw.add_environment([("ACTIONGRAPH_SQLITE_READERS".to_owned(), "7".to_owned())]);
        let database = Settings::resolve(raw).unwrap().database;
        assert_eq!((database.connections, database.sqlite_readers), (25, 7));
        assert_eq!(database.lock, Duration::from_millis(900));
        assert_eq!(database.write, Duration::from_secs(7));
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        let problems = problems(file("listen = \n"));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("line 1"), "{problems:?}");
    }

    #[test]
    fn an_unknown_name_far_from_all_lists_what_there_is() {
        let problems = problems(file("zzzzzzzzzz = 1"));
        assert!(problems[0].contains("there are listen, database_url"));
    }

    #[test]
    fn sqlite_files_are_made_when_missing() {
        let url = |text: &str| {
            let mut raw = Raw::default();
            raw.add_flag("database_url", Some(text));
            Settings::resolve(raw).unwrap().database_url.unwrap()
        };
        assert_eq!(url("sqlite:///a/b.db"), "sqlite:///a/b.db?mode=rwc");
        assert_eq!(
            url("sqlite://b.db?cache=shared"),
            "sqlite://b.db?cache=shared&mode=rwc"
        );
        assert_eq!(url("sqlite://b.db?mode=ro"), "sqlite://b.db?mode=ro");
        assert_eq!(url("postgres://h/d"), "postgres://h/d");
        assert_eq!(
            sqlite_url(Path::new("/a b/50%?#.db")),
            "sqlite:///a b/50%25%3F%23.db?mode=rwc"
        );
    }
}
