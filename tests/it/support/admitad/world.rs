//! The state behind the fake Admitad, and what it answers: tokens, rights, the limit of requests, filters, pages.

use super::http::{Reply, Request};
use super::rows::{AD_SPACES, Action, Clicks, Sums, ad_space_rows, link_rows, program_rows};
use super::story::Story;
use actiongraph::clock::Clock;
use base64::Engine as _;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The account's id.
pub(crate) const CLIENT_ID: &str = "app-5af1";
/// The account's secret.
pub(crate) const CLIENT_SECRET: &str = "s3cr3t-of-the-account";
/// All scopes that the product may ask for.
const SCOPES: [&str; 7] = [
    "statistics",
    "advcampaigns",
    "websites",
    "public_data",
    "private_data_balance",
    "aliexpress_commission",
    "advcampaigns_for_website",
];
/// What lists can be ordered by.
const ORDERS: [&str; 8] = [
    "action",
    "campaign",
    "cart",
    "click_date",
    "conv_time",
    "datetime",
    "payment",
    "status",
];

/// How the next request to a path goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// This status and body instead of an answer; with `Retry-After`.
    Status(u16, &'static str, Option<u64>),
    /// These bytes instead of an answer, as what they are said to be; headers may follow the content type.
    Answer {
        status: u16,
        kind: &'static str,
        body: Vec<u8>,
    },
    /// A page of HTML of that status, which repeats the request's head.
    Html(u16),
    /// Half the bytes, then the connection ends.
    Cut,
    /// Half the text, properly sent.
    Half,
    /// The connection ends before an answer.
    HangUp,
    /// The answer waits until [`super::FakeAdmitad::release`].
    Hold,
    /// The answer is done, and gets lost on its way back.
    Lost,
    /// The first row stands on the page once more at its end.
    Repeat,
    /// Another page than the one that was asked for.
    WrongPage,
    /// No row, although there are some.
    EmptyPage,
    /// The rows without a word of how many there are.
    NoMeta,
    /// Sent on to another address.
    SendOn(String),
    /// So many megabytes of blanks before the answer.
    Endless(usize),
}

/// A token that was given out.
#[derive(Clone, Debug)]
struct Token {
    access: String,
    refresh: Option<String>,
    scopes: Vec<String>,
    ends_at: DateTime<Utc>,
}

type Hook = Box<dyn FnMut(&Request, &mut World) + Send>;

/// What is behind the server. A test changes it between requests, or by [`World::before_each`] while pages are read.
pub(crate) struct World {
    /// Admitad's clock; [`World::skew`] is added.
    pub clock: Clock,
    /// How far Admitad's clock is ahead of `clock`.
    pub skew: TimeDelta,
    pub actions: BTreeMap<i64, Action>,
    pub clicks: Vec<Clicks>,
    /// The account's ad spaces: id and name.
    pub ad_spaces: Vec<(i64, &'static str)>,
    /// The id of the account's key.
    pub client_id: &'static str,
    /// The scopes that it has.
    pub scopes: Vec<&'static str>,
    /// Whether the refusal of a scope names it.
    pub names_refused_scopes: bool,
    /// How long tokens live.
    pub token_life: TimeDelta,
    /// Whether tokens come with one for renewing them.
    pub gives_refresh: bool,
    /// Requests in 60 seconds.
    pub rate_limit: usize,
    /// What is said when there are too many.
    pub retry_after: Option<u64>,
    /// Whether answers are packed for whoever takes that.
    pub gzip: bool,
    tokens: Vec<Token>,
    issued: usize,
    taken: VecDeque<DateTime<Utc>>,
    troubles: VecDeque<(String, Trouble)>,
    hook: Option<Hook>,
    story: Option<Story>,
    now: DateTime<Utc>,
}

impl World {
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock.now();
        Self {
            clock,
            skew: TimeDelta::zero(),
            actions: BTreeMap::new(),
            clicks: Vec::new(),
            ad_spaces: AD_SPACES.to_vec(),
            client_id: CLIENT_ID,
            scopes: SCOPES.to_vec(),
            names_refused_scopes: true,
            token_life: TimeDelta::days(7),
            gives_refresh: true,
            rate_limit: 600,
            retry_after: None,
            gzip: true,
            tokens: Vec::new(),
            issued: 0,
            taken: VecDeque::new(),
            troubles: VecDeque::new(),
            hook: None,
            story: None,
            now,
        }
    }

    /// Adds or replaces actions.
    pub(crate) fn put(&mut self, actions: impl IntoIterator<Item = Action>) {
        self.actions
            .extend(actions.into_iter().map(|action| (action.id, action)));
    }

    /// Lets the next request to a path go wrong; several for one path one after the other.
    pub(crate) fn trouble(&mut self, path: &str, trouble: Trouble) {
        self.troubles.push_back((path.to_owned(), trouble));
    }

    /// Does something before each request is answered.
    pub(crate) fn before_each(&mut self, hook: impl FnMut(&Request, &mut Self) + Send + 'static) {
        self.hook = Some(Box::new(hook));
    }

    /// From now on, what happens in the story happens here, as the clock reaches it.
    pub(crate) fn follow(&mut self, story: Story) {
        self.story = Some(story);
        self.catch_up();
    }

    /// What a complete import would contain at this moment: every action's record, by id.
    pub(crate) fn truth(&mut self) -> Vec<String> {
        self.catch_up();
        self.actions.values().map(Action::record).collect()
    }

    /// Forgets all tokens: the next request with one gets 401.
    pub(crate) fn revoke_tokens(&mut self) {
        for token in &mut self.tokens {
            token.access.clear();
        }
    }

    /// Forgets what tokens could be renewed by.
    pub(crate) fn revoke_refresh(&mut self) {
        for token in &mut self.tokens {
            token.refresh = None;
        }
    }

    /// The tokens that were given out and not revoked.
    pub(crate) fn live_tokens(&self) -> Vec<String> {
        let live = self.tokens.iter().filter(|token| !token.access.is_empty());
        live.map(|token| token.access.clone()).collect()
    }

    fn catch_up(&mut self) {
        self.now = self.clock.now() + self.skew;
        let until = self.local_now();
        if let Some(mut story) = self.story.take() {
            story.tell(until, self);
            self.story = Some(story);
        }
    }

    fn local_now(&self) -> NaiveDateTime {
        self.now.naive_utc() + TimeDelta::hours(3)
    }

    /// What goes wrong with this request, and its answer.
    pub(super) fn answer(&mut self, request: &Request) -> (Option<Trouble>, Reply) {
        self.catch_up();
        if let Some(mut hook) = self.hook.take() {
            hook(request, self);
            self.hook.get_or_insert(hook);
        }
        let path = request.path.trim_matches('/');
        let place = self
            .troubles
            .iter()
            .position(|(at, _)| at.trim_matches('/') == path);
        let trouble = place.and_then(|place| self.troubles.remove(place));
        let trouble = trouble.map(|(_, trouble)| trouble);
        // What does not reach Admitad changes nothing there.
        let reply = match &trouble {
            Some(Trouble::Status(status, body, retry_after)) => {
                Reply::json(*status, (*body).to_owned()).retry_after(*retry_after)
            }
            Some(
                Trouble::Html(_) | Trouble::Answer { .. } | Trouble::HangUp | Trouble::SendOn(_),
            ) => Reply::html(502, ""),
            _ => {
                let answer = self.routed(request, trouble.as_ref());
                answer.unwrap_or_else(|refusal| refusal)
            }
        };
        (trouble, reply)
    }

    fn routed(&mut self, request: &Request, trouble: Option<&Trouble>) -> Result<Reply, Reply> {
        self.count_request()?;
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/token/") => self.token(request),
            ("GET", "/statistics/actions/") => {
                self.allowed(request, "statistics")?;
                let rows = self.chosen_actions(request)?;
                let rows = rows.iter().map(|action| action.record()).collect();
                page(request, rows, trouble)
            }
            ("GET", "/statistics/dates/") => {
                self.allowed(request, "statistics")?;
                page(request, self.by_day(request)?, trouble)
            }
            ("GET", "/statistics/sub_ids/") => {
                self.allowed(request, "statistics")?;
                page(request, self.by_subid(request)?, trouble)
            }
            ("GET", "/advcampaigns/") => {
                self.allowed(request, "advcampaigns")?;
                page(request, program_rows(), trouble)
            }
            ("GET", path) if path.starts_with("/advcampaigns/website/") => {
                self.allowed(request, "advcampaigns_for_website")?;
                let space = path.trim_start_matches("/advcampaigns/website/");
                page(request, link_rows(space.trim_end_matches('/')), trouble)
            }
            ("GET", "/websites/") => {
                self.allowed(request, "websites")?;
                page(request, ad_space_rows(&self.ad_spaces), trouble)
            }
            ("GET", "/currencies/rate/") => {
                self.allowed(request, "public_data")?;
                rate(request)
            }
            ("GET", "/me/balance/extended/") => {
                self.allowed(request, "private_data_balance")?;
                Ok(Reply::json(200, self.balance()))
            }
            ("POST", "/aliexpress/commission_rates/") => {
                self.allowed(request, "aliexpress_commission")?;
                commission(request)
            }
            // The slash at the end is needed.
            _ => Err(Reply::html(404, "<h1>Not Found</h1>")),
        }
    }

    /// 600 requests in any 60 seconds of Admitad's clock.
    fn count_request(&mut self) -> Result<(), Reply> {
        let since = self.now - TimeDelta::seconds(60);
        while self.taken.front().is_some_and(|at| *at <= since) {
            self.taken.pop_front();
        }
        if self.taken.len() >= self.rate_limit {
            let body = error("rate_limit", "Rate limit exceeded", 4);
            return Err(Reply::json(503, body).retry_after(self.retry_after));
        }
        self.taken.push_back(self.now);
        Ok(())
    }

    fn token(&mut self, request: &Request) -> Result<Reply, Reply> {
        let form: BTreeMap<String, String> = request.form().into_iter().collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let pair = format!("{}:{CLIENT_SECRET}", self.client_id);
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        let is_known = request.header("authorization") == format!("Basic {basic}");
        let scopes: Vec<String> = match field("grant_type") {
            _ if !is_known || field("client_id") != self.client_id => {
                let head = request.header("authorization");
                let said = format!("Client not found: {head}");
                return Err(Reply::json(401, error("invalid_client", &said, 1)));
            }
            "client_credentials" => {
                let asked: Vec<String> = field("scope").split(' ').map(str::to_owned).collect();
                if let Some(foreign) = asked
                    .iter()
                    .find(|scope| !self.scopes.contains(&scope.as_str()))
                {
                    let named = if self.names_refused_scopes {
                        foreign.as_str()
                    } else {
                        "some"
                    };
                    let said = format!("Scope {named} is not allowed");
                    return Err(Reply::json(400, error("invalid_scope", &said, 2)));
                }
                asked
            }
            "refresh_token" => {
                let refresh = field("refresh_token");
                let known = self
                    .tokens
                    .iter_mut()
                    .find(|token| token.refresh.as_deref() == Some(refresh));
                let is_right = field("client_secret") == CLIENT_SECRET;
                let Some(known) = known.filter(|_| is_right) else {
                    let said = format!("Refresh token {refresh} does not exist");
                    return Err(Reply::json(400, error("invalid_request", &said, 5)));
                };
                // The old pair dies.
                known.refresh = None;
                known.access.clear();
                known.scopes.clone()
            }
            _ => return Err(Reply::json(400, error("unsupported_grant_type", "", 3))),
        };
        self.issued += 1;
        let serial = self.issued;
        let token = Token {
            access: format!("access-{serial}-7f3a"),
            refresh: self.gives_refresh.then(|| format!("refresh-{serial}-91bc")),
            scopes,
            ends_at: self.now + self.token_life,
        };
        let body = json!({
            "access_token": token.access, "refresh_token": token.refresh, "token_type": "bearer",
            "expires_in": self.token_life.num_seconds(), "scope": token.scopes.join(" "),
            "username": "webmaster1", "first_name": "Ann", "last_name": "Other", "language": "en", "id": 77,
            "group": "webmaster",
        });
        self.tokens.push(token);
        Ok(Reply::json(200, body.to_string()))
    }

    /// Whether the request's token is good for a scope.
    fn allowed(&self, request: &Request, scope: &str) -> Result<(), Reply> {
        let head = request.header("authorization");
        let given = head.strip_prefix("Bearer ").unwrap_or_default();
        let known = self
            .tokens
            .iter()
            .find(|token| token.access == given && !given.is_empty());
        let Some(token) = known else {
            let said = format!("Token {given} is unknown");
            return Err(Reply::json(401, error("invalid_token", &said, 1)));
        };
        if self.now >= token.ends_at {
            return Err(Reply::json(
                401,
                error("invalid_token", "The access token expired", 0),
            ));
        }
        if !token.scopes.iter().any(|known| known == scope) || !self.scopes.contains(&scope) {
            let said = "The request requires higher privileges than provided by the access token";
            return Err(Reply::json(403, error("insufficient_scope", said, 2)));
        }
        Ok(())
    }

    fn chosen_actions(&self, request: &Request) -> Result<Vec<&Action>, Reply> {
        let ordered = days(request, "date_start", "date_end")?;
        let closing = days(request, "closing_date_start", "closing_date_end")?;
        let updated = self.times(request)?;
        let (programs, spaces) = (request.numbers("campaign"), request.numbers("website"));
        let ids = request.numbers("action_id");
        let mut rows: Vec<&Action> = self
            .actions
            .values()
            .filter(|action| {
                let is_one_of = |list: &[i64], id: i64| list.is_empty() || list.contains(&id);
                within(ordered, Some(action.ordered.date()))
                    && within(closing, action.closing)
                    && within(updated, action.status_updated)
                    && is_one_of(&programs, action.program)
                    && is_one_of(&spaces, action.ad_space)
                    && is_one_of(&ids, action.id)
            })
            .collect();
        rows.sort_by_key(|action| (action.ordered, action.id));
        for order in request.all("order_by") {
            if !ORDERS.contains(&order.trim_start_matches('-')) {
                return Err(Reply::json(400, error("invalid_request", "order_by", 3)));
            }
            if order == "-datetime" {
                rows.reverse();
            }
        }
        Ok(rows)
    }

    /// The range of status changes: from and to are both included, and none may be in the future.
    fn times(&self, request: &Request) -> Result<Bounds<NaiveDateTime>, Reply> {
        let read = |name| {
            let text = request.one(name);
            let time = text.map(|text| NaiveDateTime::parse_from_str(text, "%d.%m.%Y %H:%M:%S"));
            let wrong = |_| Reply::json(400, error("invalid_request", name, 3));
            time.transpose().map_err(wrong)
        };
        let (from, to) = (read("status_updated_start")?, read("status_updated_end")?);
        if to.is_some_and(|to| to > self.local_now()) {
            let said = "status_updated_end is in the future";
            return Err(Reply::json(400, error("invalid_request", said, 3)));
        }
        Ok((from, to))
    }

    fn by_day(&self, request: &Request) -> Result<Vec<String>, Reply> {
        let groups = self.grouped(request, |day, _| day.to_string())?;
        let rows = groups
            .iter()
            .flat_map(|(day, sums)| sums.rows("date", day, true));
        Ok(rows.collect())
    }

    fn by_subid(&self, request: &Request) -> Result<Vec<String>, Reply> {
        let name = request.one("group_subids").unwrap_or("subid");
        let slots = ["subid", "subid1", "subid2", "subid3", "subid4"];
        let Some(slot) = slots.iter().position(|slot| *slot == name) else {
            return Err(Reply::json(
                400,
                error("invalid_request", "group_subids", 3),
            ));
        };
        let groups = self.grouped(request, |_, subids| {
            subids[slot].clone().unwrap_or_default()
        })?;
        let rows = groups
            .iter()
            .flat_map(|(subid, sums)| sums.rows(name, subid, false));
        Ok(rows.collect())
    }

    /// Clicks and actions of the request's days, program and ad space, by a key.
    fn grouped(
        &self,
        request: &Request,
        key: impl Fn(NaiveDate, &[Option<String>; 5]) -> String,
    ) -> Result<BTreeMap<String, Sums>, Reply> {
        let range = days(request, "date_start", "date_end")?;
        let (programs, spaces) = (request.numbers("campaign"), request.numbers("website"));
        let is_asked = |day: NaiveDate, program: i64, space: i64| {
            within(range, Some(day))
                && (programs.is_empty() || programs.contains(&program))
                && (spaces.is_empty() || spaces.contains(&space))
        };
        let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
        for clicks in &self.clicks {
            if is_asked(clicks.day, clicks.program, clicks.ad_space) {
                groups
                    .entry(key(clicks.day, &clicks.subids))
                    .or_default()
                    .click(clicks);
            }
        }
        for action in self.actions.values() {
            let day = action.ordered.date();
            if is_asked(day, action.program, action.ad_space) {
                groups
                    .entry(key(day, &action.subids))
                    .or_default()
                    .add(action);
            }
        }
        Ok(groups)
    }

    /// One row for each currency, from the actions.
    fn balance(&self) -> String {
        let mut sums: BTreeMap<&str, [i64; 3]> = BTreeMap::new();
        for action in self.actions.values() {
            let sums = sums.entry(action.currency).or_default();
            match (action.status, action.paid) {
                ("declined", _) => {}
                (_, true) => sums[0] += action.payment,
                ("approved_but_stalled", _) => sums[2] += action.payment,
                _ => sums[1] += action.payment,
            }
        }
        let row = |(currency, [balance, processing, stalled]): (&&str, &[i64; 3])| {
            json!({
                "currency": currency, "balance": super::rows::decimal(*balance),
                "processing": super::rows::decimal(*processing), "today": "0.00",
                "stalled": super::rows::decimal(*stalled),
            })
        };
        Value::Array(sums.iter().map(row).collect()).to_string()
    }
}

type Bounds<T> = (Option<T>, Option<T>);

/// Both ends are included; what is empty is outside of every range.
fn within<T: PartialOrd>((from, to): Bounds<T>, value: Option<T>) -> bool {
    match value {
        None => from.is_none() && to.is_none(),
        Some(value) => from.is_none_or(|from| value >= from) && to.is_none_or(|to| value <= to),
    }
}

fn days(request: &Request, start: &str, end: &str) -> Result<Bounds<NaiveDate>, Reply> {
    let read = |name: &str| {
        let text = request.one(name);
        let day = text.map(|text| NaiveDate::parse_from_str(text, "%d.%m.%Y"));
        let wrong = |_| Reply::json(400, error("invalid_request", name, 3));
        day.transpose().map_err(wrong)
    };
    Ok((read(start)?, read(end)?))
}

/// The asked part of all rows.
fn page(request: &Request, rows: Vec<String>, trouble: Option<&Trouble>) -> Result<Reply, Reply> {
    let number = |name, default: usize| {
        let wrong = |_| Reply::json(400, error("invalid_request", name, 3));
        request
            .one(name)
            .map_or(Ok(default), |text| text.parse().map_err(wrong))
    };
    let (limit, mut offset) = (number("limit", 20)?, number("offset", 0)?);
    if limit > 500 {
        return Err(Reply::json(400, error("invalid_request", "limit", 3)));
    }
    let count = rows.len();
    if matches!(trouble, Some(Trouble::WrongPage)) {
        offset += 1;
    }
    let mut rows: Vec<String> = rows.into_iter().skip(offset).take(limit).collect();
    if let (Some(Trouble::Repeat), Some(first)) = (trouble, rows.first().cloned()) {
        rows.push(first);
    }
    if matches!(trouble, Some(Trouble::EmptyPage)) {
        rows.clear();
    }
    let results = rows.join(",\n");
    let meta = match trouble {
        Some(Trouble::NoMeta) => String::new(),
        _ => format!(",\"_meta\":{{\"count\":{count},\"limit\":{limit},\"offset\":{offset}}}"),
    };
    Ok(Reply::json(
        200,
        format!("{{\"results\":[{results}]{meta}}}"),
    ))
}

fn rate(request: &Request) -> Result<Reply, Reply> {
    let (day, _) = days(request, "date", "date")?;
    let pair = (request.one("base"), request.one("target"));
    let rate = match pair {
        (Some("USD"), Some("RUB")) => "91.59450000000001",
        (Some("RUB"), Some("USD")) => "0.0109176860729",
        (Some("EUR"), Some("USD")) => "1.0827",
        _ => return Err(Reply::json(404, error("not_found", "No such rate", 3))),
    };
    let day = day.map(|day| day.to_string());
    let body = json!({"date": day, "base": pair.0, "target": pair.1, "rate": rate});
    Ok(Reply::json(200, body.to_string()))
}

fn commission(request: &Request) -> Result<Reply, Reply> {
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Reply::json(400, error("invalid_request", "no JSON", 3)))?;
    let urls = body["urls"].as_array().cloned().unwrap_or_default();
    let row = |(place, url): (usize, &Value)| {
        // The documentation says texts or null, its example shows numbers.
        if place % 2 == 0 {
            json!({"product_name": "Cable", "commission_rate": "7.00", "hot_commission_rate": null, "is_hot": false, "url": url})
        } else {
            json!({"product_name": "Lamp", "commission_rate": 3.5, "hot_commission_rate": 69, "is_hot": true, "url": url})
        }
    };
    let rows: Vec<Value> = urls.iter().enumerate().map(row).collect();
    Ok(Reply::json(
        200,
        json!({"commission_rates": rows}).to_string(),
    ))
}

fn error(error: &str, description: &str, code: i64) -> String {
    json!({"error": error, "error_description": description, "error_code": code}).to_string()
}
