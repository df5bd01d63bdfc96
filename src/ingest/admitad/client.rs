//! The client of one account: what can be asked of Admitad, one function for each.
//!
//! It keeps its token in memory, waits for nothing but answers, and neither paces nor repeats by itself, apart from one
//! new token: when to ask again is the caller's business.

use super::answer::{Objection, excerpt};
use super::fault::Fault;
use super::page::{self, Page, PageAt};
use super::query::{self, ActionsQuery, ClicksQuery, Parameters};
use super::token::{Credentials, Tokens};
use super::transport::Transport;
use super::wire::{
    self, AdSpaceRow, BalanceRow, ClickRow, CommissionRow, LinkRow, ProgramRow, RateRow,
};
use crate::domain::error::Result;
use crate::domain::money::Currency;
use crate::domain::secret::Secret;
use crate::domain::time::{Day, Instant};
use crate::ingest::raw::RawRecord;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use url::Url;

/// How long a request may take in all, unless the caller knows better.
pub const TIMEOUT: Duration = Duration::from_mins(1);
/// Admitad's address.
pub const BASE_URL: &str = "https://api.admitad.com/";
/// How much of an unreadable answer is looked at for showing its beginning, in characters.
const LOOKED_AT: usize = 1 << 16;

/// The client of one account at Admitad.
pub struct Client {
    transport: Transport,
    tokens: Tokens,
}

/// Something that can be asked for, and the scope it needs.
#[derive(Clone, Copy)]
struct Endpoint {
    path: &'static str,
    scope: &'static str,
}

impl Endpoint {
    const fn new(path: &'static str, scope: &'static str) -> Self {
        Self { path, scope }
    }
}

const ACTIONS: Endpoint = Endpoint::new("statistics/actions/", "statistics");
const CLICKS_BY_DAY: Endpoint = Endpoint::new("statistics/dates/", "statistics");
const CLICKS_BY_SUBID: Endpoint = Endpoint::new("statistics/sub_ids/", "statistics");
const PROGRAMS: Endpoint = Endpoint::new("advcampaigns/", "advcampaigns");
const AD_SPACES: Endpoint = Endpoint::new("websites/", "websites");
const RATE: Endpoint = Endpoint::new("currencies/rate/", "public_data");
const BALANCE: Endpoint = Endpoint::new("me/balance/extended/", "private_data_balance");
const LINKS: Endpoint = Endpoint::new("advcampaigns/website/", "advcampaigns_for_website");
const COMMISSION: Endpoint = Endpoint::new("aliexpress/commission_rates/", "aliexpress_commission");

impl Client {
    /// A client for the account of a key. Nothing is asked yet.
    ///
    /// # Errors
    /// When `base` is not `https` (or `http` on this very machine), or encryption cannot be set up.
    pub fn new(base: Url, credentials: Credentials, timeout: Duration) -> Result<Self> {
        Ok(Self {
            transport: Transport::new(base, timeout)?,
            tokens: Tokens::new(credentials),
        })
    }

    /// How many requests it has sent so far, those for tokens and repetitions included: for [`super::RateBudget::charge`].
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.transport.sent()
    }

    /// The scopes that the account's key is known to lack.
    pub async fn missing_scopes(&self) -> BTreeSet<String> {
        self.tokens.missing().await
    }

    /// A page of actions, each record with its text as it came. An action may stand twice on a page, and on two pages.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn actions(
        &self,
        now: Instant,
        query: &ActionsQuery,
        at: PageAt,
    ) -> Result<Page<RawRecord>, Fault> {
        self.actions_within(now, query, at, None).await
    }

    /// Likewise, where an answer that takes longer than `patience` is of no use.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn actions_within(
        &self,
        now: Instant,
        query: &ActionsQuery,
        at: PageAt,
        patience: Option<Duration>,
    ) -> Result<Page<RawRecord>, Fault> {
        let at = at.allowed();
        let parameters = query.parameters(at);
        let request = || {
            self.transport
                .get_within(ACTIONS.path, &parameters, patience)
        };
        let (body, token) = self.ask(now, ACTIONS, request).await?;
        page::records(&body, at).map_err(|fault| self.without_secrets(fault, &body, &token))
    }

    /// A page of clicks and views of each day of a range. Rows of several currencies are folded; those that a page's end
    /// tore apart are the caller's to fold ([`wire::fold_clicks`]).
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn clicks_by_day(
        &self,
        now: Instant,
        query: &ClicksQuery,
        at: PageAt,
    ) -> Result<Page<ClickRow>, Fault> {
        let at = at.allowed();
        let mut page = self
            .read(now, CLICKS_BY_DAY, query.parameters(at), |body| {
                page::records(body, at)
            })
            .await?
            .map(wire::clicks_of_day);
        page.items = wire::fold_clicks(page.items);
        Ok(page)
    }

    /// A page of clicks by SubID over the days of a query, which should be one: rows name no day, they get the first. Rows
    /// of several currencies are folded; those that a page's end tore apart are the caller's to fold
    /// ([`wire::fold_clicks`]).
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn clicks_by_subid(
        &self,
        now: Instant,
        query: &ClicksQuery,
        at: PageAt,
    ) -> Result<Page<ClickRow>, Fault> {
        let at = at.allowed();
        let mut parameters = query.parameters(at);
        parameters.push(("group_subids", query.slot_name().to_owned()));
        let page = self
            .read(now, CLICKS_BY_SUBID, parameters, |body| {
                page::records(body, at)
            })
            .await?;
        let mut page = page.map(|row| wire::clicks_of_subid(row, query.from, query.slot_name()));
        page.items = wire::fold_clicks(page.items);
        Ok(page)
    }

    /// A page of programs.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn programs(&self, now: Instant, at: PageAt) -> Result<Page<ProgramRow>, Fault> {
        let page = self.paged(now, PROGRAMS, at).await?;
        Ok(page.map(wire::program))
    }

    /// A page of the programs of an ad space with the links that lead to them; the ad space by its number.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::MissingScope`] where the key may not see them.
    pub async fn links(
        &self,
        now: Instant,
        ad_space: u64,
        at: PageAt,
    ) -> Result<Page<LinkRow>, Fault> {
        let at = at.allowed();
        let mut parameters = Vec::new();
        at.write(&mut parameters);
        let path = format!("{}{ad_space}/", LINKS.path);
        let (body, token) = self
            .ask(now, LINKS, || self.transport.get(&path, &parameters))
            .await?;
        let page =
            page::records(&body, at).map_err(|fault| self.without_secrets(fault, &body, &token))?;
        Ok(page.map(wire::link))
    }

    /// A page of the account's ad spaces.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn ad_spaces(&self, now: Instant, at: PageAt) -> Result<Page<AdSpaceRow>, Fault> {
        let page = self.paged(now, AD_SPACES, at).await?;
        Ok(page.map(wire::ad_space))
    }

    /// What one unit of `base` is worth in `target` on a day; none where Admitad has no such rate.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn rate(
        &self,
        now: Instant,
        base: Currency,
        target: Currency,
        day: Day,
    ) -> Result<Option<RateRow>, Fault> {
        let parameters = vec![
            ("base", base.to_string()),
            ("target", target.to_string()),
            ("date", query::day(day)),
        ];
        let pair = (base, target);
        let read = |body: &str| wire::rate(body, pair, day);
        match self.read(now, RATE, parameters, read).await {
            Err(Fault::Refused {
                status: 404,
                in_json: true,
                ..
            }) => Ok(None),
            answer => answer,
        }
    }

    /// The account's balance, one row for each currency.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::MissingScope`] where the key may not see it.
    pub async fn balance(&self, now: Instant) -> Result<Page<BalanceRow>, Fault> {
        let page = self.read(now, BALANCE, Vec::new(), page::list).await?;
        Ok(page.map(wire::balance))
    }

    /// The commission rates of AliExpress products, by the addresses of their pages.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::MissingScope`] where the key may not see them.
    pub async fn commission_rates(
        &self,
        now: Instant,
        urls: &[String],
    ) -> Result<Page<CommissionRow>, Fault> {
        let body = serde_json::json!({ "urls": urls });
        let (answer, token) = self
            .ask(now, COMMISSION, || {
                self.transport.post(COMMISSION.path).json(&body)
            })
            .await?;
        let page = page::named(&answer, "commission_rates")
            .map_err(|fault| self.without_secrets(fault, &answer, &token))?;
        Ok(page.map(wire::commission))
    }

    async fn paged(
        &self,
        now: Instant,
        endpoint: Endpoint,
        at: PageAt,
    ) -> Result<Page<RawRecord>, Fault> {
        let at = at.allowed();
        let mut parameters = Vec::new();
        at.write(&mut parameters);
        self.read(now, endpoint, parameters, |body| page::records(body, at))
            .await
    }

    /// Asks for something and understands the answer.
    async fn read<T>(
        &self,
        now: Instant,
        endpoint: Endpoint,
        parameters: Parameters,
        understand: impl Fn(&str) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (body, token) = self
            .ask(now, endpoint, || {
                self.transport.get(endpoint.path, &parameters)
            })
            .await?;
        understand(&body).map_err(|fault| self.without_secrets(fault, &body, &token))
    }

    /// Asks with a token, and once more with a new one if that is not accepted.
    async fn ask(
        &self,
        now: Instant,
        endpoint: Endpoint,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<(String, Secret), Fault> {
        let mut refused: Option<Secret> = None;
        loop {
            let token = self
                .tokens
                .get(&self.transport, now, endpoint.scope, refused.as_ref())
                .await?;
            let request = request().bearer_auth(token.expose());
            let answer = self.transport.send(request).await?;
            match answer.judge(&|words| self.tokens.hide(Some(&token), words)) {
                Ok(()) => return Ok((answer.body, token)),
                Err(Objection::Token { .. }) if refused.is_none() => refused = Some(token),
                Err(Objection::Token { said }) => {
                    self.tokens.forget(&token).await;
                    return Err(Fault::Unauthorized { said });
                }
                Err(Objection::Scope { .. }) => {
                    self.tokens.note_missing(&token, endpoint.scope).await;
                    return Err(Fault::MissingScope {
                        scope: endpoint.scope.to_owned(),
                    });
                }
                Err(Objection::Other(fault)) => return Err(fault),
            }
        }
    }

    /// A fault whose words quote an answer, with the secrets in them hidden.
    fn without_secrets(&self, fault: Fault, body: &str, token: &Secret) -> Fault {
        match fault {
            Fault::Unreadable {
                cause,
                excerpt: said,
            } => Fault::Unreadable {
                cause: self.tokens.hide(Some(token), &cause),
                excerpt: if said.is_empty() {
                    said
                } else {
                    let start: String = body.chars().take(LOOKED_AT).collect();
                    excerpt(&self.tokens.hide(Some(token), &start))
                },
            },
            other => other,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client")
            .field("base", &self.transport.base().as_str())
            .finish_non_exhaustive()
    }
}
