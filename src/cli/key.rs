//! `actiongraph key`: makes, lists, changes, rotates and revokes API keys.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::output::{Output, table};
use super::{Database, Failure, Outcome, block_on, now, open, publisher};
use crate::access::key;
use crate::access::keys::{Administrator, LONGEST_OVERLAP};
use crate::clock::Clock;
use crate::domain::key::{ApiKey, KeyBudget, KeyTerms};
use crate::domain::limits::{Limits, SubidLimit};
use crate::domain::scope::{KeyScope, Publisher, WriteScope};
use crate::domain::time::{Day, Instant, start_of_day};
use crate::store::keys::{self, Changed, StoredKey};
use crate::store::{ReadTx, Store, publishers};

/// What can be done with keys.
#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key for a publisher; it is shown once
    Create(CreateArgs),
    /// List keys, without their secrets
    List(ListArgs),
    /// Show all that is known of a key, without its secret
    Show(OneArgs),
    /// Limit what a key sees: the limits given take the place of those before; none given lifts them all
    Limit(LimitArgs),
    /// Give a key another secret, shown once; the old one is taken for a while yet
    Rotate(RotateArgs),
    /// Revoke a key; running servers stop taking it within five seconds
    Revoke(OneArgs),
}

/// Flags of `key create`.
#[derive(Args)]
pub(super) struct CreateArgs {
    /// Whose data the key is for
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// What the key is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// What it may do: read, import, segments, admin; several times for several
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope, default_value = "read")]
    scopes: Vec<KeyScope>,
    /// When it ends by itself: a day (2027-01-31, its last one), or so long from now (12h, 90d)
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// What it may spend: points in the bucket, and points that come back in a second (20000/200)
    #[arg(long, value_name = "POINTS/SECOND", value_parser = budget)]
    budget: Option<KeyBudget>,
    /// Whether it may ask for the schema: true or false; as the server's settings say unless given
    #[arg(long, value_name = "BOOL")]
    introspection: Option<bool>,
    #[command(flatten)]
    limits: LimitFlags,
    #[command(flatten)]
    database: Database,
}

/// What a key sees.
#[derive(Args)]
pub(super) struct LimitFlags {
    /// Only actions of this program, by its id at Admitad; several times for several
    #[arg(long = "program", value_name = "ID")]
    programs: Vec<String>,
    /// Only actions of this ad space, by its id at Admitad (its name, where it has none); several times for several
    #[arg(long = "ad-space", value_name = "ID")]
    ad_spaces: Vec<String>,
    /// Only actions whose SubID of a slot (0 to 4) has this value, or begins so where a star ends it: 2=p7 or 2=p7-*;
    /// several times for several
    #[arg(long = "subid", value_name = "SLOT=VALUE", value_parser = subid)]
    subids: Vec<(u8, String)>,
    /// Only orders of this day or later, in the publisher's time zone
    #[arg(long, value_name = "DAY", value_parser = day)]
    not_before: Option<Day>,
    /// Only orders of the last so many days, today included
    #[arg(long, value_name = "DAYS")]
    last_days: Option<u32>,
    /// Hide SubIDs and the values that users are known by
    #[arg(long)]
    hide_user_keys: bool,
    /// Hide rewards and rates, and what is computed from them
    #[arg(long)]
    hide_reward: bool,
}

impl LimitFlags {
    fn limits(&self) -> Limits {
        let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        let mut subids: Vec<SubidLimit> = Vec::new();
        for (slot, value) in &self.subids {
            let place = subids.iter().position(|limit| limit.slot == *slot);
            let place = place.unwrap_or_else(|| {
                subids.push(SubidLimit {
                    slot: *slot,
                    ..SubidLimit::default()
                });
                subids.len() - 1
            });
            let Some(limit) = subids.get_mut(place) else {
                continue;
            };
            match value.strip_suffix('*') {
                Some(prefix) => limit.prefixes.push(prefix.to_owned()),
                None => limit.values.push(value.clone()),
            }
        }
        Limits {
            programs: some(&self.programs),
            ad_spaces: some(&self.ad_spaces),
            subids,
            not_before: self.not_before.map(Day::days),
            last_days: self.last_days,
            hide_user_keys: self.hide_user_keys,
            hide_reward: self.hide_reward,
        }
    }
}

/// Flags of `key list`.
#[derive(Args)]
pub(super) struct ListArgs {
    /// Only this publisher's keys
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// Flags of commands on one key.
#[derive(Args)]
pub(super) struct OneArgs {
    /// The key's public part, as `key list` shows it (or the whole key)
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    database: Database,
}

/// Flags of `key limit`.
#[derive(Args)]
pub(super) struct LimitArgs {
    #[command(flatten)]
    limits: LimitFlags,
    #[command(flatten)]
    one: OneArgs,
}

/// Flags of `key rotate`.
#[derive(Args)]
pub(super) struct RotateArgs {
    /// For how long the old secret is taken beside the new one, such as 0h, 24h or 7d; at most 30d
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    keep: Duration,
    #[command(flatten)]
    one: OneArgs,
}

fn scope(text: &str) -> Result<KeyScope, String> {
    KeyScope::parse(text).ok_or_else(|| {
        let words: Vec<&str> = KeyScope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!("there is no scope {text:?}; there are {}", words.join(", "))
    })
}

fn budget(text: &str) -> Result<KeyBudget, String> {
    let read = || {
        let (capacity, refill) = text.split_once('/')?;
        Some(KeyBudget {
            capacity: capacity.trim().parse().ok()?,
            refill: refill.trim().parse().ok()?,
        })
    };
    read().ok_or_else(|| "a budget is two whole numbers, such as 20000/200".to_owned())
}

fn subid(text: &str) -> Result<(u8, String), String> {
    let read = || {
        let (slot, value) = text.split_once('=')?;
        Some((slot.trim().parse().ok()?, value.to_owned()))
    };
    read().ok_or_else(|| "a SubID is its slot and a value, such as 2=p7 or 2=p7-*".to_owned())
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = || {
        let (number, seconds) = match text.strip_suffix('d') {
            Some(days) => (days, 86_400),
            None => (text.strip_suffix('h')?, 3_600),
        };
        number.parse::<u64>().ok()?.checked_mul(seconds)
    };
    read()
        .map(Duration::from_secs)
        .ok_or_else(|| "a time is so many hours or days, such as 12h or 90d".to_owned())
}

/// When a key ends: behind a day in the publisher's zone, or so long from now.
fn end(text: &str, publisher: &Publisher, now: Instant) -> Result<Instant, Failure> {
    if let Ok(day) = Day::parse(text) {
        let next = day.plus(1).unwrap_or(Day::MAX);
        return Ok(start_of_day(next, publisher.zone));
    }
    let wrong = |_| {
        Failure::usage(format!(
            "--expires {text}: a day such as 2027-01-31, or 12h, 90d"
        ))
    };
    let length = duration(text).map_err(wrong)?;
    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Ok(Instant::from_micros(now.micros().saturating_add(micros)).unwrap_or(Instant::MAX))
}

pub(super) fn run(command: &KeyCommand, output: &Output) -> Outcome {
    match command {
        KeyCommand::Create(args) => create(args, output),
        KeyCommand::List(args) => list(args, output),
        KeyCommand::Show(args) => show(args, output),
        KeyCommand::Limit(args) => limit(args, output),
        KeyCommand::Rotate(args) => rotate(args, output),
        KeyCommand::Revoke(args) => revoke(args, output),
    }
}

fn create(args: &CreateArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let publisher = publisher(&store, &args.publisher).await?;
        let now = now(&Clock::system());
        let expires_at = args.expires.as_deref();
        let terms = KeyTerms {
            label: args.label.clone(),
            scopes: args.scopes.clone(),
            expires_at: expires_at
                .map(|text| end(text, &publisher, now))
                .transpose()?,
            limits: args.limits.limits(),
            budget: args.budget,
            introspection: args.introspection,
        };
        check(&terms, now)?;
        let secret = make(&store, &publisher, terms.clone(), now).await?;
        output.note(&format!(
            "A key for {}: {}.\nIt is shown this once: keep it like a password, and send it as `Authorization: Bearer KEY`.",
            publisher.slug,
            terms.words()
        ));
        output.line(&secret)?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn check(terms: &KeyTerms, now: Instant) -> Result<(), Failure> {
    let words = |(field, message)| Failure::usage(format!("{field}: {message}"));
    terms.check(now).map_err(words)
}

/// Makes and stores a key; answers its secret.
pub(super) async fn make(
    store: &Store,
    publisher: &Publisher,
    terms: KeyTerms,
    now: Instant,
) -> Result<String, Failure> {
    let who = Administrator::command_line(publisher.id, now);
    Ok(who.create(store, terms).await?.secret)
}

fn list(args: &ListArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let listed = match &args.publisher {
            Some(slug) => vec![publisher(&store, slug).await?],
            None => publishers::list(&store).await?,
        };
        let present = now(&Clock::system());
        let mut rows = Vec::new();
        for publisher in listed {
            let scope = WriteScope::for_entrance(publisher.id).read();
            for StoredKey { key, .. } in keys::list(&ReadTx::new(&store), scope).await? {
                rows.push(vec![
                    key.prefix.clone(),
                    publisher.slug.clone(),
                    standing(&key, present),
                    key.created_at.to_rfc3339(),
                    shown(key.last_used_at),
                    KeyScope::print(&key.terms.scopes),
                    if key.terms.limits.is_none() {
                        "all"
                    } else {
                        "limited"
                    }
                    .to_owned(),
                    key.terms.label,
                ]);
            }
        }
        if rows.is_empty() {
            output.note("No keys. `actiongraph key create --publisher NAME` makes one.");
        } else {
            output.print(&table(
                &[
                    "KEY",
                    "PUBLISHER",
                    "STATE",
                    "CREATED",
                    "LAST USED",
                    "SCOPES",
                    "SEES",
                    "LABEL",
                ],
                &rows,
            ))?;
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn shown(moment: Option<Instant>) -> String {
    moment.map_or_else(|| "-".to_owned(), Instant::to_rfc3339)
}

/// Whether a key opens anything, in a word.
fn standing(key: &ApiKey, now: Instant) -> String {
    match (key.revoked_at, key.terms.expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(end)) if end <= now => "expired".to_owned(),
        (None, Some(end)) => format!("until {}", end.to_rfc3339()),
        (None, None) => "active".to_owned(),
    }
}

/// The key of a command, with its publisher, and who runs it.
struct Found {
    key: ApiKey,
    publisher: Publisher,
    who: Administrator,
}

async fn find(store: &Store, given: &str) -> Result<Found, Failure> {
    // A whole key may be given too; only its public part is used.
    let text = given.trim();
    let prefix = key::prefix_of(text).unwrap_or_else(|| text.strip_prefix("ag_").unwrap_or(text));
    let mut found = keys::by_prefix(store, prefix).await?;
    let Some(StoredKey { key, publisher, .. }) = found.pop() else {
        return Err(Failure::new(format!("no such key: {prefix}"))
            .hint("`actiongraph key list` shows all keys by their public part."));
    };
    if !found.is_empty() {
        let message = format!("several keys have the public part {prefix}");
        return Err(Failure::new(message)
            .hint("Make new ones in their place; that is one chance in a trillion."));
    }
    let who = Administrator::command_line(publisher.id, now(&Clock::system()));
    Ok(Found {
        key,
        publisher,
        who,
    })
}

fn show(args: &OneArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let Found {
            key,
            publisher,
            who,
        } = find(&store, &args.key).await?;
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let mut rows = vec![
            row("publisher", publisher.slug),
            row("label", key.terms.label.clone()),
            row("state", standing(&key, who.now)),
            row("scopes", KeyScope::print(&key.terms.scopes)),
            row("created", key.created_at.to_rfc3339()),
            row("last used", shown(key.last_used_at)),
            row("expires", shown(key.terms.expires_at)),
            row("revoked", shown(key.revoked_at)),
        ];
        if let Some(until) = key.previous_until.filter(|until| who.now < *until) {
            rows.push(row("old secret until", until.to_rfc3339()));
        }
        if let Some(budget) = key.terms.budget {
            let words = format!("{} points, {} a second", budget.capacity, budget.refill);
            rows.push(row("budget", words));
        }
        if let Some(may) = key.terms.introspection {
            rows.push(row("introspection", may.to_string()));
        }
        let words = key.terms.limits.words();
        if words.is_empty() {
            rows.push(row("sees", "everything".to_owned()));
        }
        rows.extend(words.into_iter().map(|words| row("limited to", words)));
        output.print(&table(&["KEY", &key.prefix], &rows))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn limit(args: &LimitArgs, output: &Output) -> Outcome {
    let settings = args.one.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let found = find(&store, &args.one.key).await?;
        let terms = KeyTerms {
            limits: args.limits.limits(),
            ..found.key.terms.clone()
        };
        if let Err((field, message)) = terms.check(Instant::MIN) {
            return Err(Failure::usage(format!("{field}: {message}")));
        }
        let changed = found.who.update(&store, &found.key, &terms, true).await?;
        told(changed, &found.key.prefix)?;
        let words = terms.limits.words();
        let prefix = &found.key.prefix;
        if words.is_empty() {
            output.line(&format!("{prefix} sees everything."))?;
        } else {
            output.line(&format!("{prefix} is limited to\n  {}", words.join("\n  ")))?;
        }
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What became of a change that should be done.
fn told(changed: Changed, prefix: &str) -> Result<(), Failure> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Already => Err(Failure::new(format!("{prefix} was revoked before."))
            .hint("A revoked key stays so; `actiongraph key create` makes another.")),
        Changed::Missing | Changed::Meanwhile | Changed::LastAdmin => Err(Failure::new(format!(
            "{prefix} was changed meanwhile; look again."
        ))),
    }
}

fn rotate(args: &RotateArgs, output: &Output) -> Outcome {
    if args.keep > LONGEST_OVERLAP {
        return Err(Failure::usage("--keep is at most 30d"));
    }
    let settings = args.one.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let Found { key, who, .. } = find(&store, &args.one.key).await?;
        let Some(made) = who.rotate(&store, &key, args.keep).await? else {
            return told(Changed::Already, &key.prefix).map(|()| ExitCode::SUCCESS);
        };
        output.note(&format!(
            "A new secret of {}, shown this once. The old one is taken until {}.",
            key.prefix,
            shown(made.key.previous_until)
        ));
        output.line(&made.secret)?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn revoke(args: &OneArgs, output: &Output) -> Outcome {
    let settings = args.database.settings()?;
    block_on(async {
        let store = open(&settings).await?;
        store.is_ready().await?;
        let Found { key, who, .. } = find(&store, &args.key).await?;
        let prefix = &key.prefix;
        let mut changed = who.revoke(&store, &key, false).await?;
        if changed == Changed::LastAdmin {
            output.note(
                "That was the last key that administers: from now on only this command line makes keys for the publisher.",
            );
            changed = who.revoke(&store, &key, true).await?;
        }
        let words = match changed {
            Changed::Done => "is revoked",
            _ => "was revoked before",
        };
        output.line(&format!("{prefix} {words}."))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for bad in ["", "7", "d", "1w", "99999999999999999999d", "-1h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(subid("2=p7-*"), Ok((2, "p7-*".to_owned())));
        assert!(subid("p7").is_err() && subid("x=1").is_err());
        let points = KeyBudget {
            capacity: 20_000,
            refill: 200,
        };
        assert_eq!(budget("20000/200"), Ok(points));
        assert!(budget("20000").is_err());
    }

    #[test]
    fn values_of_a_slot_come_together_and_a_star_is_a_beginning() {
        let flags = LimitFlags {
            programs: vec![],
            ad_spaces: vec![],
            subids: ["2=a", "1=b", "2=p*"]
                .map(|text| subid(text).unwrap())
                .to_vec(),
            not_before: None,
            last_days: None,
            hide_user_keys: false,
            hide_reward: false,
        };
        let subids = flags.limits().subids;
        assert_eq!(subids.len(), 2);
        assert_eq!(subids[0].values, ["a"]);
        assert_eq!(subids[0].prefixes, ["p"]);
        assert_eq!(subids[1].values, ["b"]);
    }
}
