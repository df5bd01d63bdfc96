//! Affiliate links: templates of ad spaces, the five SubIDs, and how a target and SubIDs become a link and come back.
//!
//! ```text
//! https://ad.admitad.com/g/<code>/?erid=…&ulp=<target, fully encoded>&subid=…&subid1=…
//! └────────────── base ──────────┘ └extra┘ └target parameter┘ └─────── SubIDs ──────┘
//! ```
//!
//! Pure: any text can be given to any function here, and nothing is ever fetched. Which template serves a product and
//! a country is [`traffic`](super::traffic)'s.

mod subids;
mod target;
mod text;

pub use subids::{LONGEST_SUBIDS, Subids};
pub use target::Target;

use super::error::{Error, Result};
use std::collections::HashSet;
use text::{encode_into, shown};
use url::Url;

/// The hosts that links of the network are on, as shipped. They change: a setting replaces the list.
pub const SHIPPED_HOSTS: &[&str] = &[
    "ad.admitad.com",
    "alitems.com",
    "alitems.site",
    "aflink.ru",
    "allgrad.site",
    "bednari.com",
    "dhwnh.com",
    "fas.st",
    "iytlj.com",
    "kjuzv.com",
    "lenkmio.com",
    "modato.ru",
    "pafutos.com",
    "rzekl.com",
    "tjzuh.com",
    "xpuvo.com",
];

/// The parameter that carries the target, unless a template says otherwise.
pub const TARGET_PARAMETER: &str = "ulp";

/// How deep links may be wrapped into each other before nobody looks further.
const DEEPEST: usize = 5;
/// How many further parameters a template may have.
const MOST_EXTRA: usize = 16;
/// The longest name or value of a parameter, in characters.
const LONGEST_PARAMETER: usize = 200;
/// The longest base, in characters.
const LONGEST_BASE: usize = 500;

/// The hosts that links of the network are on: bare names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Default for Hosts {
    fn default() -> Self {
        Self(
            SHIPPED_HOSTS
                .iter()
                .map(|host| (*host).to_owned())
                .collect(),
        )
    }
}

impl Hosts {
    /// Hosts by their names.
    ///
    /// # Errors
    /// For a text that is no plain name of a host, such as one with a scheme, a port or a path.
    pub fn new(names: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut hosts = Vec::new();
        for name in names {
            let plain = name.trim().to_ascii_lowercase();
            if !target::is_public_name(&plain) {
                let message = format!(
                    "{:?} is not the name of a host, such as ad.admitad.com (no https://, no port, no path)",
                    shown(&name)
                );
                return Err(Error::bad_input("deeplink_hosts", message));
            }
            if !hosts.contains(&plain) {
                hosts.push(plain);
            }
        }
        Ok(Self(hosts))
    }

    /// The names, in their order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    fn have(&self, url: &Url) -> bool {
        let name = url.host_str().map(str::to_ascii_lowercase);
        name.is_some_and(|name| self.0.contains(&name))
    }
}

/// How links of one ad space and one program are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The address without parameters, such as `https://ad.admitad.com/g/<code>/`.
    base: String,
    /// The parameter that carries the target.
    target_parameter: String,
    /// Further parameters with their values, in their order.
    extra: Vec<(String, String)>,
}

impl Template {
    /// A template, checked. Parameters that the base carries become further parameters before `extra`.
    ///
    /// # Errors
    /// When the base is no `https` address of one of the hosts with a code in its path, or a parameter is not one or
    /// clashes with another; the error's field is `base`, `targetParameter` or `parameters`.
    pub fn new(
        base: &str,
        target_parameter: Option<&str>,
        extra: &[(String, String)],
        hosts: &Hosts,
    ) -> Result<Self> {
        let checked = Self::checked(base, target_parameter, extra, hosts);
        checked.map_err(|problems| {
            let first = problems.into_iter().next();
            first.unwrap_or_else(|| Error::internal("a template is refused for nothing"))
        })
    }

    /// Likewise, or all that is wrong with it.
    ///
    /// # Errors
    /// What is wrong; of a further parameter with its number, as in `parameters.0.name`.
    pub fn checked(
        base: &str,
        target_parameter: Option<&str>,
        extra: &[(String, String)],
        hosts: &Hosts,
    ) -> Result<Self, Vec<Error>> {
        let mut problems = Vec::new();
        let url = check_base(base, hosts).map_err(|problem| problems.push(problem));
        let target_parameter = target_parameter.unwrap_or(TARGET_PARAMETER).trim();
        problems.extend(check_target(target_parameter).err());
        let carried = url.iter().flat_map(|url| url.query_pairs().into_owned());
        let carried: Vec<(String, String)> = carried.collect();
        problems.extend(unfit_parameters(&carried, extra, target_parameter));
        match url {
            Ok(url) if problems.is_empty() => Ok(Self {
                base: bare(&url),
                target_parameter: target_parameter.to_owned(),
                extra: carried.into_iter().chain(extra.iter().cloned()).collect(),
            }),
            _ => Err(problems),
        }
    }

    /// The template in a link that the network shows for an ad space (`gotolink`): what it carries of a target or of
    /// SubIDs is left out.
    ///
    /// # Errors
    /// When it is no link of a template.
    pub fn of_link(link: &str, hosts: &Hosts) -> Result<Self> {
        let url = check_base(link, hosts)?;
        let kept = |name: &str| name != TARGET_PARAMETER && !Subids::NAMES.contains(&name);
        let extra: Vec<(String, String)> = url
            .query_pairs()
            .into_owned()
            .filter(|(name, _)| kept(name))
            .collect();
        Self::new(&bare(&url), None, &extra, hosts)
    }

    /// A template that was checked when it was stored.
    #[must_use]
    pub fn stored(base: String, target_parameter: String, extra: Vec<(String, String)>) -> Self {
        Self {
            base,
            target_parameter,
            extra,
        }
    }

    /// The address without parameters.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The parameter that carries the target.
    #[must_use]
    pub fn target_parameter(&self) -> &str {
        &self.target_parameter
    }

    /// Further parameters with their values, in their order.
    #[must_use]
    pub fn extra(&self) -> &[(String, String)] {
        &self.extra
    }

    /// The code of the ad space and program in the path; empty where there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.base
            .trim_end_matches('/')
            .rsplit_once('/')
            .map_or("", |(_, code)| code)
    }

    /// The link to a target that tells the SubIDs.
    #[must_use]
    pub fn link(&self, target: &Target, subids: &Subids) -> String {
        let mut link = self.base.clone();
        let extra = self.extra.iter();
        let extra = extra.map(|(name, value)| (name.as_str(), value.as_str()));
        let goal = (self.target_parameter.as_str(), target.as_str());
        write_parameters(&mut link, extra.chain([goal]).chain(subids.parameters()));
        link
    }
}

/// A link of the network that was given: what it leads to, and what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affiliate {
    base: String,
    others: Vec<(String, String)>,
    /// What it leads to; none where it does not say, or what it says is no address.
    pub target: Option<Target>,
    /// The SubIDs that it tells, by their slots.
    pub subids: [Option<String>; 5],
}

impl Affiliate {
    /// Reads a link of one of the hosts; nothing for any other text. A link inside the link is followed to its target, and
    /// is the target itself where it does not say one; a target that was encoded more than once is decoded as often.
    #[must_use]
    pub fn read(text: &str, hosts: &Hosts, target_parameter: &str) -> Option<Self> {
        let url = target::parse(text).ok().filter(|url| hosts.have(url))?;
        let mut read = Self {
            base: bare(&url),
            others: Vec::new(),
            target: None,
            subids: Default::default(),
        };
        let mut inner = None;
        for (name, value) in url.query_pairs().into_owned() {
            if let Some(slot) = Subids::NAMES.iter().position(|known| *known == name) {
                if let Some(held) = read.subids.get_mut(slot).filter(|_| !value.is_empty()) {
                    held.get_or_insert(value);
                }
            } else if name == target_parameter {
                inner.get_or_insert(value);
            } else {
                read.others.push((name, value));
            }
        }
        read.target = inner.and_then(|inner| {
            let is_link = |url: &Url| hosts.have(url);
            innermost(&inner, target_parameter, is_link, |address| {
                Target::read(address).ok()
            })
        });
        Some(read)
    }

    /// The same by the parameter of a template, or else by the one that the network uses.
    #[must_use]
    pub fn read_by_either(text: &str, hosts: &Hosts, target_parameter: &str) -> Option<Self> {
        Self::read(text, hosts, target_parameter)
            .filter(|read| read.target.is_some())
            .or_else(|| Self::read(text, hosts, TARGET_PARAMETER))
    }

    /// The code of the ad space and program in the path; empty where there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.base
            .trim_end_matches('/')
            .rsplit_once('/')
            .map_or("", |(_, code)| code)
    }

    /// The same link, always by `https`, with these SubIDs in place of those that it had, and likewise with these further
    /// parameters, those of its template.
    #[must_use]
    pub fn with_subids(
        &self,
        subids: &Subids,
        target_parameter: &str,
        extra: &[(String, String)],
    ) -> String {
        let mut link = self.base.clone();
        let is_said = |name: &str| extra.iter().any(|(said, _)| said == name);
        let others = self.others.iter().filter(|(name, _)| !is_said(name));
        let others = others.chain(extra);
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        let goal = self.target.iter();
        let goal = goal.map(|target| (target_parameter, target.as_str()));
        write_parameters(&mut link, others.chain(goal).chain(subids.parameters()));
        link
    }
}

/// What a link says of its target, as it is written there.
pub(super) fn target_in(url: &Url, target_parameter: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let (_, said) = pairs.find(|(name, _)| name == target_parameter)?;
    Some(said.into_owned())
}

/// Where a link leads that says `said` of its target: through the links inside each other, of which `is_link` tells what is
/// one, to the innermost address that `page` takes. A link that leads no further is the end of the way itself, and what
/// was encoded more than once is decoded as often.
pub(super) fn innermost<T>(
    said: &str,
    target_parameter: &str,
    is_link: impl Fn(&Url) -> bool,
    page: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let mut address = text::decoded(said);
    let mut found = page(&address);
    for _ in 1..DEEPEST {
        let link = target::parse(&address).ok().filter(&is_link);
        let Some(inner) = link.and_then(|link| target_in(&link, target_parameter)) else {
            break;
        };
        address = text::decoded(&inner);
        found = page(&address).or(found);
    }
    found
}

/// Whether an address is a link of the network as far as its looks tell: on a shipped host, or with the path of a deeplink.
/// What products are known by follows from it, so that it goes by no setting.
pub(super) fn looks_like_link(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    SHIPPED_HOSTS.contains(&host) || has_path_of_deeplink(url)
}

fn has_path_of_deeplink(url: &Url) -> bool {
    let path = url.path();
    path.starts_with("/g/") || path.starts_with("/goto/")
}

fn write_parameters<'a>(link: &mut String, parameters: impl Iterator<Item = (&'a str, &'a str)>) {
    for (place, (name, value)) in parameters.enumerate() {
        link.push(if place == 0 { '?' } else { '&' });
        encode_into(link, name);
        link.push('=');
        encode_into(link, value);
    }
}

/// An address without parameters and fragment, by `https`; the path of a deeplink ended by a slash, that of a short link as
/// it is.
fn bare(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let path = url.path();
    let slash = if path.ends_with('/') || !has_path_of_deeplink(url) {
        ""
    } else {
        "/"
    };
    format!("https://{host}{path}{slash}")
}

fn check_base(base: &str, hosts: &Hosts) -> Result<Url> {
    let wrong = |message: String| Err(Error::bad_input("base", message));
    let like = "such as https://ad.admitad.com/g/<code>/";
    if base.chars().count() > LONGEST_BASE {
        return wrong(format!(
            "base is longer than {LONGEST_BASE} characters: give the address of the deeplink alone, {like}"
        ));
    }
    let url = match target::parse(base) {
        Ok(url) => url,
        Err(why) => return wrong(format!("base {why}: give an address {like}")),
    };
    if url.scheme() != "https" {
        return wrong(format!("base must begin with https://, {like}"));
    }
    if url.fragment().is_some() {
        return wrong("base has a part behind #, which no browser sends: leave it out".to_owned());
    }
    if !hosts.have(&url) {
        return wrong(format!(
            "base is on {}, which is none of the network's hosts ({}): a new host is added by the setting deeplink_hosts",
            url.host_str().unwrap_or_default(),
            hosts.names().join(", ")
        ));
    }
    let parts: Vec<&str> = url
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let is_code = |code: &str| {
        (8..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    match parts.as_slice() {
        ["g" | "goto", code] if is_code(code) => Ok(url),
        _ => wrong(format!(
            "base has the path {:?}: a deeplink has /g/<code>/ or /goto/<code>/, the code of 8 to 64 letters and digits \
             that the network shows for this ad space and program",
            shown(url.path())
        )),
    }
}

fn check_name(field: &str, name: &str) -> Result<()> {
    let good = !name.is_empty()
        && name.len() <= 40
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if good {
        return Ok(());
    }
    let message = format!(
        "{:?} is not the name of a parameter: 1 to 40 Latin letters, digits, _, - and .",
        shown(name)
    );
    Err(Error::bad_input(field, message))
}

fn check_target(name: &str) -> Result<()> {
    check_name("targetParameter", name)?;
    if !Subids::NAMES.contains(&name) {
        return Ok(());
    }
    let message = format!(
        "targetParameter is {name}, which carries a SubID: name the parameter of the target, usually ulp"
    );
    Err(Error::bad_input("targetParameter", message))
}

/// What is wrong with further parameters: those that the base carries, and those that are given beside it.
fn unfit_parameters(
    carried: &[(String, String)],
    given: &[(String, String)],
    target_parameter: &str,
) -> Vec<Error> {
    let count = carried.len() + given.len();
    if count > MOST_EXTRA {
        let message = format!(
            "{count} further parameters are too many, {MOST_EXTRA} the most: leave out what the link works without"
        );
        return vec![Error::bad_input("parameters", message)];
    }
    let of_base = carried
        .iter()
        .map(|parameter| (parameter, ["base", "base"].map(str::to_owned)));
    let beside = given.iter().enumerate().map(|(number, parameter)| {
        let place = |part: &str| format!("parameters.{number}.{part}");
        (parameter, ["name", "value"].map(place))
    });
    let mut known = HashSet::new();
    let mut problems = Vec::new();
    for ((name, value), [at_name, at_value]) in of_base.chain(beside) {
        let is_new = known.insert(name);
        if let Err(problem) = check_name(&at_name, name) {
            problems.push(problem);
        } else if name == target_parameter || Subids::NAMES.contains(&name.as_str()) {
            let message = format!("{name} is written for each link: leave it out of the template");
            problems.push(Error::bad_input(at_name, message));
        } else if !is_new {
            problems.push(Error::bad_input(at_name, format!("{name} is given twice")));
        }
        if value.chars().count() > LONGEST_PARAMETER || value.chars().any(char::is_control) {
            let message = format!(
                "the value of {name} is longer than {LONGEST_PARAMETER} characters or has control characters"
            );
            problems.push(Error::bad_input(at_value, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
