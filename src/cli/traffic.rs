//! `actiongraph traffic-targets`: products worth sending traffic to, as a table or a file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::output::{Output, table};
use super::{Database, Failure, Outcome, block_on, now, open, publisher};
use crate::clock::Clock;
use crate::domain::scope::{Credential, Publisher, ReadScope, Viewer};
use crate::domain::traffic::{named_ad_space, named_program};
use crate::export::csv::Cell;
use crate::export::traffic::{Asked, DOCUMENT, Pages, column, lines};
use crate::graphql::id::Kind;
use crate::graphql::{Call, Engine, EngineOptions, GraphqlRequest, Introspection, Method};
use crate::store::{ReadTx, Store, ad_spaces, programs};

/// How many rows the table has unless said otherwise.
const SHOWN: u32 = 20;

/// Flags of `traffic-targets`.
#[derive(Args)]
pub(super) struct TrafficArgs {
    /// Whose products
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// Whose orders are looked at: the last so many hours, days, weeks, months, quarters or years, such as 12w
    #[arg(long, value_name = "LENGTH", default_value = "30d", conflicts_with_all = ["from", "to", "preset"])]
    last: String,
    /// The first day
    #[arg(long, value_name = "DAY", requires = "to")]
    from: Option<String>,
    /// The last day, which is inside
    #[arg(long, value_name = "DAY", requires = "from")]
    to: Option<String>,
    /// A range by name, such as THIS_MONTH
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    preset: Option<String>,
    /// The country that the traffic comes from; it chooses the program
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// The ad space that the traffic goes through: its id at Admitad or its name
    #[arg(long, value_name = "ID")]
    ad_space: Option<String>,
    /// The program that the traffic goes through: its id at Admitad or its name
    #[arg(long, value_name = "ID")]
    program: Option<String>,
    /// The currency that is ranked in
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Which actions: the API's ActionFilter as JSON, such as '{"country":{"eq":"PL"}}'
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,
    /// Which products: the API's ProductFilter as JSON, such as '{"isPriority":{"eq":true}}'
    #[arg(long, value_name = "JSON")]
    products: Option<String>,
    /// How many orders a product has at least [default: 5]
    #[arg(long, value_name = "COUNT")]
    min_orders: Option<String>,
    /// Also products that no feed offers any more
    #[arg(long)]
    also_unavailable: bool,
    /// What links tell as subid
    #[arg(long, value_name = "TEXT")]
    subid: Option<String>,
    /// What links tell as subid1
    #[arg(long, value_name = "TEXT")]
    subid1: Option<String>,
    /// What links tell as subid2
    #[arg(long, value_name = "TEXT")]
    subid2: Option<String>,
    /// What links tell as subid3
    #[arg(long, value_name = "TEXT")]
    subid3: Option<String>,
    /// What links tell as subid4
    #[arg(long, value_name = "TEXT")]
    subid4: Option<String>,
    /// How many products [default: 20 in a table, 10000 in a file]
    #[arg(long, value_name = "COUNT")]
    first: Option<String>,
    /// Write a CSV file instead of a table; - for standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Begin the file with a mark that old spreadsheets need to see that it is UTF-8
    #[arg(long, requires = "csv")]
    bom: bool,
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(args: &TrafficArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let publisher = publisher(&store, &args.publisher).await?;
        let asked = args.asked(&store, &publisher).await?;
        let engine = Engine::with(
            store.clone(),
            EngineOptions {
                links: Arc::new(settings.links.clone()),
                ..EngineOptions::default()
            },
        )?;
        let source = Source {
            engine,
            publisher,
            pages: Pages::new(asked),
        };
        match &args.csv {
            None => args.table(&source, output).await?,
            Some(path) if path == Path::new("-") => source.print(output).await?,
            Some(path) => source.write(path, output).await?,
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

impl TrafficArgs {
    async fn asked(&self, store: &Store, publisher: &Publisher) -> Result<Asked, Failure> {
        let scope = crate::domain::scope::WriteScope::for_entrance(publisher.id).read();
        let ad_space = match &self.ad_space {
            Some(named) => Some(ad_space(store, scope, named).await?),
            None => None,
        };
        let program = match &self.program {
            Some(named) => Some(program(store, scope, named).await?),
            None => None,
        };
        let other_range = self.from.is_some() || self.preset.is_some();
        let first = match (&self.first, &self.csv) {
            (None, None) => Some(SHOWN.to_string()),
            (first, _) => first.clone(),
        };
        let only = self.also_unavailable.then(|| "false".to_owned());
        let mark = self.bom.then(|| "true".to_owned());
        let given = [
            ("last", (!other_range).then(|| self.last.clone())),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("preset", self.preset.clone()),
            ("country", self.country.clone()),
            ("adSpace", ad_space),
            ("program", program),
            ("currency", self.currency.clone()),
            ("filter", self.filter.clone()),
            ("products", self.products.clone()),
            ("minOrders", self.min_orders.clone()),
            ("onlyAvailable", only),
            ("subid", self.subid.clone()),
            ("subid1", self.subid1.clone()),
            ("subid2", self.subid2.clone()),
            ("subid3", self.subid3.clone()),
            ("subid4", self.subid4.clone()),
            ("first", first),
            ("bom", mark),
        ];
        let given = given.iter();
        let given = given.filter_map(|(name, text)| Some((*name, text.as_deref()?)));
        Asked::read(given).map_err(Failure::usage)
    }

    /// The first products as people read them; what a table has no room for is in the file.
    async fn table(&self, source: &Source, output: &Output) -> Result<(), Failure> {
        let shown = [
            ("rank", "#"),
            ("product_id", "product"),
            ("product_name", "name"),
            ("expected_reward_per_order", "per order"),
            ("currency", ""),
            ("orders", "orders"),
            ("approval_rate", "approved"),
            ("units_change", "trend"),
            ("affiliate_link", "link"),
        ];
        let mut rows = Vec::new();
        let mut none: Option<String> = None;
        source
            .each(&mut |page| {
                for row in page {
                    let at = |name: &str| {
                        let cell = column(name).and_then(|place| row.get(place));
                        cell.map_or_else(String::new, plain)
                    };
                    let line = shown.iter().map(|(name, _)| match *name {
                        "product_name" => at(name).chars().take(40).collect(),
                        _ => at(name),
                    });
                    rows.push(line.collect::<Vec<String>>());
                    if at("affiliate_link").is_empty() {
                        none.get_or_insert_with(|| at("link_explanation"));
                    }
                }
                Ok(())
            })
            .await?;
        if rows.is_empty() {
            output.note("No product has so many orders in this range; `--min-orders 1` shows all that have any.");
            return Ok(());
        }
        let head = shown.map(|(_, title)| title);
        output.print(&table(&head, &rows))?;
        if let Some(why) = none {
            output.note(&format!("Not every product has a link: {why}."));
        }
        Ok(())
    }
}

fn plain(cell: &Cell) -> String {
    match cell {
        // A name must not steer the terminal.
        Cell::Text(text) | Cell::Number(text) => {
            text.chars().filter(|letter| !letter.is_control()).collect()
        }
        Cell::Empty => String::new(),
    }
}

async fn ad_space(store: &Store, scope: ReadScope, named: &str) -> Result<String, Failure> {
    let all = ad_spaces::all(&ReadTx::new(store), scope).await?;
    let found = named_ad_space(&all, named);
    let names: Vec<&str> = all.iter().map(|space| space.name.as_str()).collect();
    let found = found.ok_or_else(|| missing("ad space", named, &names))?;
    Ok(Kind::AdSpace.id(found.id).to_string())
}

async fn program(store: &Store, scope: ReadScope, named: &str) -> Result<String, Failure> {
    let all = programs::all(&ReadTx::new(store), scope).await?;
    let found = named_program(&all, named);
    let names: Vec<&str> = all.iter().map(|program| program.name.as_str()).collect();
    let found = found.ok_or_else(|| missing("program", named, &names))?;
    Ok(Kind::Program.id(found.id).to_string())
}

fn missing(what: &str, named: &str, known: &[&str]) -> Failure {
    Failure::usage(format!(
        "no such {what}: {named} (known: {})",
        known.join(", ")
    ))
}

/// Where the pages come from.
struct Source {
    engine: Engine,
    publisher: Publisher,
    pages: Pages,
}

impl Source {
    async fn each(
        &self,
        take: &mut (dyn FnMut(Vec<Vec<Cell>>) -> Result<(), Failure> + Send),
    ) -> Result<(), Failure> {
        // Ranks follow from the present: it is one for all pages.
        let now = now(&Clock::system());
        let mut pages = self.pages.clone();
        while let Some(variables) = pages.next() {
            let request = GraphqlRequest {
                query: DOCUMENT.to_owned(),
                operation_name: None,
                variables,
            };
            let call = Call {
                viewer: Viewer {
                    publisher: self.publisher.clone(),
                    // Who runs the command owns the machine.
                    credential: Credential::LoopbackDemo,
                    limits: Arc::default(),
                },
                address: None,
                now,
                method: Method::Get,
                reference: "traffic-targets".to_owned(),
                introspection: Introspection::Refused,
            };
            let reply = self.engine.execute(request, call).await;
            let answer: Value = serde_json::from_slice(&reply.body)
                .map_err(|error| Failure::new(format!("the answer is no JSON: {error}")))?;
            if let Some(error) = answer["errors"].get(0) {
                let message = error["message"].as_str().unwrap_or("the question failed");
                return Err(Failure::usage(message));
            }
            take(pages.take(&answer["data"]))?;
        }
        Ok(())
    }

    async fn print(&self, output: &Output) -> Result<(), Failure> {
        output.print(&self.pages.head())?;
        self.each(&mut |rows| output.print(&lines(&rows))).await
    }

    async fn write(&self, path: &Path, output: &Output) -> Result<(), Failure> {
        let place = path.display().to_string();
        let failed = |error: std::io::Error| Failure::new(format!("cannot write {place}: {error}"));
        // The file appears whole or not at all.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        let mut file = BufWriter::new(File::create(&beside).map_err(failed)?);
        file.write_all(self.pages.head().as_bytes())
            .map_err(failed)?;
        let mut count = 0;
        let written = self
            .each(&mut |rows| {
                count += rows.len();
                file.write_all(lines(&rows).as_bytes()).map_err(failed)
            })
            .await;
        let written = written
            .and_then(|()| file.flush().map_err(failed))
            .and_then(|()| std::fs::rename(&beside, path).map_err(failed));
        if written.is_err() {
            // What is left is of no use, and may be gone.
            let _ = std::fs::remove_file(&beside);
        }
        written?;
        output.line(&format!("{count} products are in {place}."))
    }
}
