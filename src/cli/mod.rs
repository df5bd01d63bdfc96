//! The command line: one file per command, and what they share.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an
//! import or a sync that refused some records.

mod accounts;
mod ad_space;
mod adjustments;
mod audit;
mod demo;
mod demo_data;
mod documents;
mod feed;
mod import;
mod key;
mod migrate;
mod output;
mod postback;
mod progress;
mod rates;
mod read_sheet;
mod schema;
mod serve;
mod spool;
mod sync;
mod totals;
mod traffic;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::clock::Clock;
use crate::domain::error::{Code, Error};
use crate::domain::scope::Publisher;
use crate::domain::time::Instant;
use crate::settings::{self, CONFIG_VARIABLE, Raw, Settings};
use crate::store::{Store, StoreOptions, publishers};
use output::Output;

/// What a command answers: its exit code, or why it failed.
type Outcome = Result<ExitCode, Failure>;

#[derive(Parser)]
#[command(
    name = "actiongraph",
    version,
    about,
    arg_required_else_help = true,
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve demo data on this machine, with nothing to set up.
    Demo(demo::DemoArgs),
    /// Serve the API.
    Serve(serve::ServeArgs),
    /// Import exports of actions: Admitad's JSON and XML, CSV, XLSX, XLS, also gzipped; - for standard input.
    Import(import::ImportArgs),
    /// Read what is new in the configured accounts at Admitad; `serve` does so by itself.
    Sync(sync::SyncArgs),
    /// Bring the database's tables up to this version.
    Migrate(migrate::MigrateArgs),
    /// Compare the totals with the facts that they are made of.
    Verify(totals::VerifyArgs),
    /// Make the totals anew from the facts, while servers go on.
    Rebuild(totals::RebuildArgs),
    /// Print the GraphQL schema.
    Schema(schema::SchemaArgs),
    /// Check documents against the schema, and write the file of those that a server trusts.
    Documents(documents::DocumentsArgs),
    /// Make, limit, rotate, list and revoke API keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Show the trail of what was done to keys, addresses for postbacks, segments and settings.
    Audit(audit::AuditArgs),
    /// Store what moved the balance and was no action: deductions, fines, payouts.
    #[command(subcommand)]
    Adjustments(adjustments::AdjustmentsCommand),
    /// Store what product feeds say of products and categories.
    #[command(subcommand)]
    Feed(feed::FeedCommand),
    /// Say what an ad space was called, where neither the list of ad spaces nor a postback does.
    #[command(subcommand)]
    AdSpace(ad_space::AdSpaceCommand),
    /// Make, list and revoke the addresses that Admitad sends postbacks to.
    #[command(subcommand)]
    Postback(postback::PostbackCommand),
    /// Store exchange rates, for reports that convert.
    #[command(subcommand)]
    Rates(rates::RatesCommand),
    /// Products worth sending traffic to, with their links: a table, or a CSV file.
    TrafficTargets(Box<traffic::TrafficArgs>),
    /// Read a workbook within limits; an import starts this.
    #[command(hide = true)]
    ReadSheet(read_sheet::ReadSheetArgs),
}

/// Which database, for every command that needs one.
#[derive(Args)]
struct Database {
    /// sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME [env: ACTIONGRAPH_DATABASE_URL]
    /// [default: actiongraph.db in the platform's data directory]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Configuration file (TOML); `actiongraph serve --print-defaults` prints one [env: ACTIONGRAPH_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a command failed, for people.
struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// It could not be done.
    fn new(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
            hint: None,
        }
    }

    /// It was asked for wrongly.
    fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            ..Self::new(message)
        }
    }

    /// The same with what to do next.
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // Who runs the command owns the machine: the cause is no secret here.
        let message = match error.cause() {
            Some(cause) => format!("{error} ({cause})"),
            None => error.to_string(),
        };
        match error.code() {
            Code::StorageFull => {
                Self::new(message).hint("Make room on the disk and run the command again.")
            }
            _ => Self::new(message),
        }
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new();
    let outcome = match cli.command {
        Command::Demo(args) => demo::run(args, &output),
        Command::Serve(args) => serve::run(&args, &output),
        Command::Import(args) => import::run(&args, &output),
        Command::Sync(args) => sync::run(&args, &output),
        Command::Migrate(args) => migrate::run(&args, &output),
        Command::Verify(args) => totals::verify(&args, &output),
        Command::Rebuild(args) => totals::rebuild(&args, &output),
        Command::Schema(args) => schema::run(&args, &output),
        Command::Documents(args) => documents::run(&args, &output),
        Command::Key(command) => key::run(&command, &output),
        Command::Audit(args) => audit::run(&args, &output),
        Command::AdSpace(command) => ad_space::run(&command, &output),
        Command::Adjustments(command) => adjustments::run(&command, &output),
        Command::Feed(command) => feed::run(&command, &output),
        Command::Postback(command) => postback::run(&command, &output),
        Command::Rates(command) => rates::run(&command, &output),
        Command::TrafficTargets(args) => traffic::run(&args, &output),
        Command::ReadSheet(args) => read_sheet::run(&args),
    };
    outcome.unwrap_or_else(|failure| {
        output.note(&format!("error: {}", failure.message));
        if let Some(hint) = failure.hint {
            output.note(&hint);
        }
        ExitCode::from(failure.code)
    })
}

/// Runs the asynchronous part of a command to its end.
fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start threads: {error}")))?;
    let outcome = runtime.block_on(work);
    // Whatever still hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// The settings from flags, environment and file; all problems at once.
fn load(config: Option<&Path>, flags: &[(&str, Option<&str>)]) -> Result<Settings, Failure> {
    load_over(Raw::default(), config, flags)
}

/// The settings likewise, over what is there already.
fn load_over(
    mut raw: Raw,
    config: Option<&Path>,
    flags: &[(&str, Option<&str>)],
) -> Result<Settings, Failure> {
    let environment = settings::environment();
    let named = environment
        .iter()
        .find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty())
        .map(|(_, value)| PathBuf::from(value));
    if let Some(path) = config.map(Path::to_owned).or(named) {
        let place = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => raw.add_file(&place, &text),
            Err(error) => raw.problem(&place, format!("cannot be read: {error}")),
        }
    }
    raw.add_environment(environment);
    for (name, value) in flags {
        raw.add_flag(name, *value);
    }
    Settings::resolve(raw).map_err(|problems| {
        let list: Vec<String> = problems
            .iter()
            .map(|problem| format!("\n  {problem}"))
            .collect();
        Failure::usage(format!("the settings are not right:{}", list.concat()))
    })
}

impl Database {
    fn settings(&self) -> Result<Settings, Failure> {
        load(
            self.config.as_deref(),
            &[("database_url", self.database_url.as_deref())],
        )
    }
}

/// The database URL of the settings, or that of our own file called `name`, whose folder is made.
fn database_url(given: Option<&str>, name: &str) -> Result<String, Failure> {
    if let Some(url) = given {
        return Ok(url.to_owned());
    }
    let folder = settings::data_directory().ok_or_else(|| {
        Failure::new("this user has no home directory to keep a database in")
            .hint("Name one: --database-url sqlite://PATH")
    })?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        Failure::new(format!(
            "cannot make the folder {}: {error}",
            folder.display()
        ))
        .hint("Name another place: --database-url sqlite://PATH")
    })?;
    Ok(settings::sqlite_url(&folder.join(name)))
}

/// Opens the database of the settings for a command: its statements may take longer than those that callers wait for.
async fn open(settings: &Settings) -> Result<Store, Failure> {
    Ok(open_to_serve(settings).await?.patient(Duration::ZERO))
}

/// How the database is used by the settings, where a statement of a read may take so long.
fn store_options(settings: &Settings, read_timeout: Duration) -> StoreOptions {
    let database = &settings.database;
    StoreOptions {
        acquire_timeout: database.connection,
        turn_timeout: database.turn,
        lock_timeout: database.lock,
        read_timeout,
        write_timeout: database.write,
        patient_write_timeout: database.patient_write,
        connections: database.connections,
        sqlite_readers: database.sqlite_readers,
        ..StoreOptions::default()
    }
}

/// Opens the database of the settings for a server.
async fn open_to_serve(settings: &Settings) -> Result<Store, Failure> {
    let url = database_url(settings.database_url.as_deref(), "actiongraph.db")?;
    let read_time = Duration::from_millis(settings.limits.statement_deadline_ms);
    let options = store_options(settings, read_time);
    Ok(Store::open_with(&url, options).await?)
}

/// Likewise for work that may take as long as it takes: a server's limit on questions does not hold for it.
async fn open_for_long(settings: &Settings) -> Result<Store, Failure> {
    let url = database_url(settings.database_url.as_deref(), "actiongraph.db")?;
    let options = store_options(settings, Duration::from_secs(3_600));
    Ok(Store::open_with(&url, options).await?)
}

/// Brings a database to the tables and totals of this version.
async fn migrate(store: &Store, output: &Output) -> Result<(), Failure> {
    store.migrate().await?;
    let mut steps = progress::Steps::new(output, "totals");
    let now = now(&Clock::system());
    crate::store::totals::bring_up(store, now, |slug, rebuilt| {
        steps.named(&format!("{slug}: totals"));
        steps.advanced(rebuilt.done, rebuilt.of);
    })
    .await?;
    Ok(())
}

/// The publisher called `slug`.
async fn publisher(store: &Store, slug: &str) -> Result<Publisher, Failure> {
    if let Some(publisher) = publishers::find(store, slug).await? {
        return Ok(publisher);
    }
    let known: Vec<String> = publishers::list(store)
        .await?
        .into_iter()
        .map(|known| known.slug)
        .collect();
    let known = if known.is_empty() {
        "none yet".to_owned()
    } else {
        known.join(", ")
    };
    Err(
        Failure::new(format!("no such publisher: {slug} (known: {known})")).hint(format!(
            "`actiongraph import FILE --publisher {slug}` creates it."
        )),
    )
}

/// The point in time that a clock shows.
fn now(clock: &Clock) -> Instant {
    // A machine that believes to live before 1970 or after 9999 is taken for 1970.
    Instant::from_utc(clock.now()).unwrap_or(Instant::MIN)
}

/// Ends when the process is told to stop.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
