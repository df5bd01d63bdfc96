//! `actiongraph serve`: the API for everybody who has a key.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::output::Output;
use super::{
    Database, Failure, Outcome, accounts, block_on, load, migrate, open_to_serve, told_to_stop,
};
use crate::app::{App, Parts, listen};
use crate::clock::Clock;
use crate::settings::{self, LogFormat, Settings};
use crate::store::{Store, publishers, totals};
use crate::telemetry::{self, Metrics};

/// Flags of `serve`.
#[derive(Args)]
pub(super) struct ServeArgs {
    /// Address and port [env: ACTIONGRAPH_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    database: Database,
    /// Bring the tables up to this version first (SQLite always does)
    #[arg(long)]
    migrate: bool,
    /// Print a configuration file with every setting and its default, and stop
    #[arg(long)]
    print_defaults: bool,
}

pub(super) fn run(args: &ServeArgs, output: &Output) -> Outcome {
    if args.print_defaults {
        output.print(&settings::defaults())?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = load(
        args.database.config.as_deref(),
        &[
            ("listen", args.listen.as_deref()),
            ("database_url", args.database.database_url.as_deref()),
        ],
    )?;
    start_log(&settings)?;
    block_on(async {
        // The port first: what is missing there is known at once.
        let listener = listen(settings.listen)?;
        let store = open_to_serve(&settings).await?;
        let is_sqlite = settings
            .database_url
            .as_deref()
            .is_none_or(settings::is_sqlite);
        // A file has one server. A database of many servers is changed when its owner says so.
        if is_sqlite || args.migrate {
            migrate(&store, output).await?;
        }
        store.is_ready().await?;
        check_totals(&store).await?;
        let clock = Clock::system();
        // No caller waits for what is fetched.
        let fetching = store.patient(Duration::ZERO);
        let syncs = accounts::syncs(&fetching, &settings, &clock, None, &|words| {
            tracing::info!("{words}");
        })
        .await?;
        mention_first_steps(&store).await?;
        let parts = Parts {
            store: store.clone(),
            clock,
            metrics: Arc::new(Metrics::new()),
            syncs,
            demo: None,
        };
        let app = App::new(&settings, listener, parts)?;
        let database = store.describe();
        tracing::info!(database, "listening on http://{}", app.address());
        app.run_until(told_to_stop).await?;
        store.close().await;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Sends log lines where the settings say.
pub(super) fn start_log(settings: &Settings) -> Result<(), Failure> {
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !terminal,
    };
    telemetry::start(&settings.log, json, terminal).map_err(Failure::usage)
}

/// Answers are read from totals: they have to be those of this version.
async fn check_totals(store: &Store) -> Result<(), Failure> {
    match totals::behind(store).await?.first() {
        None => Ok(()),
        Some((_, slug)) => Err(Failure::new(format!(
            "the totals of publisher {slug} are not all those of this version"
        ))
        .hint("`actiongraph migrate` makes them, or start with --migrate.")),
    }
}

async fn mention_first_steps(store: &Store) -> Result<(), Failure> {
    if publishers::list(store).await?.is_empty() {
        tracing::warn!(
            "the database is empty: `actiongraph import FILE --publisher NAME` fills it, `actiongraph key create --publisher NAME` makes a key to read it"
        );
    }
    Ok(())
}
