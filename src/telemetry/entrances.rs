//! What is measured of entrances that are not fetched: files, uploads, postbacks, feeds, ledgers. It is read from the runs
//! when somebody asks, so that what a command line or another server brought in is there, too.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::name;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entrance {
    publisher: String,
    entrance: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EntranceRuns {
    publisher: String,
    entrance: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EntranceRecords {
    publisher: String,
    entrance: String,
    outcome: &'static str,
}

/// How an entrance of a publisher stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntranceGauges {
    /// When a run last ended well, in Unix seconds; 0 for never.
    pub last_success: i64,
    /// Seconds since the newest state that a run brought was observed; none where there is none.
    pub lag: Option<i64>,
    /// Seconds that the oldest run waits for its turn; 0 where none waits.
    pub waiting: i64,
    /// Runs by every state that there is.
    pub runs: Vec<(&'static str, i64)>,
    /// Records by everything that can become of them.
    pub records: Vec<(&'static str, i64)>,
}

/// The gauges of all entrances.
#[derive(Debug, Default)]
pub(super) struct Entrances {
    success: Family<Entrance, Gauge>,
    lag: Family<Entrance, Gauge>,
    waiting: Family<Entrance, Gauge>,
    runs: Family<EntranceRuns, Gauge>,
    records: Family<EntranceRecords, Gauge>,
}

impl Entrances {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "When a run of an entrance last ended well, in Unix seconds";
        registry.register(name::ENTRANCE_SUCCESS, help, self.success.clone());
        let help = "Seconds since the newest state that an entrance brought was observed";
        registry.register(name::ENTRANCE_LAG, help, self.lag.clone());
        let help = "Seconds that the oldest run of an entrance waits for its turn";
        registry.register(name::ENTRANCE_WAITING, help, self.waiting.clone());
        let help = "Runs of an entrance that are kept, by state";
        registry.register(name::ENTRANCE_RUNS, help, self.runs.clone());
        let help = "Records of these runs, by what became of them";
        registry.register(name::ENTRANCE_RECORDS, help, self.records.clone());
    }

    pub(super) fn stand(&self, (publisher, entrance): (&str, &str), gauges: &EntranceGauges) {
        let labels = Entrance {
            publisher: publisher.to_owned(),
            entrance: entrance.to_owned(),
        };
        self.success.get_or_create(&labels).set(gauges.last_success);
        self.waiting.get_or_create(&labels).set(gauges.waiting);
        // Nothing known is no lag of nothing.
        match gauges.lag {
            Some(lag) => {
                self.lag.get_or_create(&labels).set(lag);
            }
            None => {
                self.lag.remove(&labels);
            }
        }
        for (state, runs) in &gauges.runs {
            let labels = EntranceRuns {
                publisher: publisher.to_owned(),
                entrance: entrance.to_owned(),
                state,
            };
            self.runs.get_or_create(&labels).set(*runs);
        }
        for (outcome, records) in &gauges.records {
            let labels = EntranceRecords {
                publisher: publisher.to_owned(),
                entrance: entrance.to_owned(),
                outcome,
            };
            self.records.get_or_create(&labels).set(*records);
        }
    }
}
