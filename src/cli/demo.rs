//! `actiongraph demo`: everything to look at, nothing to set up. For callers on this machine only.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{Failure, Outcome, block_on, database_url, demo_data, load, load_over, told_to_stop};
use crate::app::{App, Parts, listen};
use crate::clock::Clock;
use crate::settings::{Raw, Settings};
use crate::telemetry::Metrics;

/// Flags of `demo`.
#[derive(Args)]
pub(super) struct DemoArgs {
    /// A loopback address and a port, 0 for any free port [env: ACTIONGRAPH_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// A database for the demo alone [default: demo.db in the platform's data directory]; the environment's
    /// ACTIONGRAPH_DATABASE_URL is not used here
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Throw the demo's data away and make them anew
    #[arg(long)]
    fresh: bool,
    /// Write the address and the keys to this file, as JSON, once the server answers
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(super) fn run(args: DemoArgs, output: &Output) -> Outcome {
    let mut own = Raw::default();
    // Whoever reads the demo without a key may read what it counts.
    own.add_file("the demo", "metrics = \"local\"");
    let mut settings = load_over(own, None, &[("listen", args.listen.as_deref())])?;
    settings.database_url = match args.database_url {
        // Through the settings, for their checks.
        Some(url) => load(None, &[("database_url", Some(&url))])?.database_url,
        None => None,
    };
    check_loopback(settings.listen)?;
    if settings.log == "info" {
        // A line per request would bury what is printed here.
        "warn".clone_into(&mut settings.log);
    }
    super::serve::start_log(&settings)?;
    block_on(serve(settings, args.fresh, args.ready_file, output))
}

fn check_loopback(address: SocketAddr) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let hint = format!(
        "Use --listen 127.0.0.1:{}, or `actiongraph serve` for a server that asks for keys.",
        address.port()
    );
    Err(Failure::usage(format!(
        "the demo lets callers read without a key, so it listens on this machine only, not on {address}"
    ))
    .hint(hint))
}

async fn serve(
    settings: Settings,
    fresh: bool,
    ready_file: Option<PathBuf>,
    output: &Output,
) -> Outcome {
    // The port first: half a minute of work for a port that is taken would be a pity.
    let listener = listen(settings.listen)?;
    let home = demo_data::Home {
        url: database_url(settings.database_url.as_deref(), "demo.db")?,
        is_own: settings.database_url.is_none(),
    };
    let clock = Clock::system();
    let metrics = Arc::new(Metrics::new());
    let data = demo_data::prepare(&home, fresh, &clock, &metrics, output).await?;
    let store = data.store.clone();
    let parts = Parts {
        store: data.store.clone(),
        clock,
        metrics,
        syncs: Vec::new(),
        demo: Some(data.first.clone()),
    };
    let app = App::new(&settings, listener, parts)?;
    let address = format!("http://{}", app.address());
    if let Some(path) = &ready_file {
        write_ready(path, &address, &data)?;
    }
    output.print(&invitation(&address, &data))?;
    app.run_until(told_to_stop).await?;
    if let Some(path) = &ready_file {
        // Nothing is ready any more.
        let _ = std::fs::remove_file(path);
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The file appears whole or not at all. The port is held by now, so whoever reads it gets an answer.
fn write_ready(path: &Path, address: &str, data: &demo_data::DemoData) -> Result<(), Failure> {
    let text = json!({
        "url": address,
        "publisher": data.first.slug,
        "publisher2": data.second.slug,
        "key2": data.key,
        "pid": std::process::id(),
    });
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| writeln!(file, "{text}"))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

fn invitation(address: &str, data: &demo_data::DemoData) -> String {
    let (first, second, key) = (&data.first.slug, &data.second.slug, &data.key);
    let query = "{ topSellingCategories(range: {last: {count: 30, unit: DAY}}, by: UNITS, first: 5) { nodes { rank units share category { name } } } }";
    format!(
        "
  Actiongraph is ready ({database}).

  Open       {address}/graphiql
  Publisher  {first}: no key needed on this machine
             {second}: {key}

  Or paste:
    curl -s {address}/graphql -H 'Content-Type: application/json' \\
      -d '{{\"query\": \"{query}\"}}'

  Ctrl-C stops it. The data stay; `--fresh` makes new ones.

",
        database = data.store.describe()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine() {
        for good in ["127.0.0.1:8080", "127.0.0.2:0", "[::1]:8080"] {
            assert!(check_loopback(good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:8080", "[::]:8080", "192.168.1.2:80"] {
            let failure = check_loopback(bad.parse().unwrap()).expect_err("not this machine");
            assert_eq!(failure.code, 2);
        }
    }
}
