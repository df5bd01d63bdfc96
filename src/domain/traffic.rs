//! Where traffic goes: which template serves a product, a country and an ad space, and the link that it makes.
//!
//! The program is chosen by the country of those who will click: the one whose rule names the country, else one that
//! pays for it in full, else one that pays less. One that does not pay is never chosen unasked. Pure; the rules are the
//! shipped catalogue's, how a link is written is [`deeplink`](super::deeplink)'s.

mod configured;
mod page;
pub mod target;

pub use configured::{ConfiguredDeeplink, LinkSettings, Unmatched, named_ad_space, named_program};

use super::action::words;
use super::catalog::{Catalog, Eligibility};
use super::deeplink::{Affiliate, Hosts, Subids, Target, Template};
use super::feed::ProductOffer;
use super::records::{AdSpace, Product, Program};
use super::time::{Day, Instant};
use uuid::Uuid;

/// How many templates of the configuration that belong to nothing an explanation names.
const MOST_UNMATCHED: usize = 3;

/// The program that pays the hot rate for any deeplink, and whose shop is on another host.
const RU_AND_CIS: &str = "aliexpress-ru-cis-new";

words! {
    /// Who gave a template. The order is the precedence: of several for one ad space and program the first is used.
    DeeplinkSource {
        /// The publisher, by mutation.
        ByHand = "BY_HAND",
        /// The configuration file of the server.
        Configuration = "CONFIGURATION",
        /// The network, as it shows the link for the ad space.
        Upstream = "UPSTREAM",
    }
}

/// A template of an ad space and a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deeplink {
    /// The ad space.
    pub ad_space_id: Uuid,
    /// The program.
    pub program_id: Uuid,
    /// Who gave it.
    pub source: DeeplinkSource,
    /// The template.
    pub template: Template,
    /// When it was stored; none for one of the configuration.
    pub changed_at: Option<Instant>,
}

/// All templates of a publisher, in the order of precedence, with what they belong to.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    /// The hosts of the network's links.
    pub hosts: Hosts,
    /// The templates; of one ad space and program those that are overruled too.
    pub all: Vec<Deeplink>,
    /// The publisher's programs.
    pub programs: Vec<Program>,
    /// The publisher's ad spaces.
    pub ad_spaces: Vec<AdSpace>,
    /// What templates of the configuration name in vain; nothing where not all that the publisher has is seen.
    pub unmatched: Vec<Unmatched>,
}

words! {
    /// What kind of link it is.
    LinkKind {
        /// The ad space's template, leading to the product's page.
        Deeplink = "DEEPLINK",
        /// The special link of a feed of hot products, with the SubIDs.
        Hot = "HOT",
        /// The product's own link, which is an affiliate link that does not say where it leads, with the SubIDs.
        Existing = "EXISTING",
    }
}

words! {
    /// Why there is a link of this program, or none.
    LinkReason {
        /// The caller named the program.
        ProgramGiven = "PROGRAM_GIVEN",
        /// The program pays for the country.
        CountryPaid = "COUNTRY_PAID",
        /// It is the only program with a template here.
        OnlyTemplate = "ONLY_TEMPLATE",
        /// No country was given, so it is the first program of the catalogue with a template here.
        CountryUnknown = "COUNTRY_UNKNOWN",
        /// No link: there is no template.
        NoTemplate = "NO_TEMPLATE",
        /// No link: no program with a template pays for the country.
        NoProgramPays = "NO_PROGRAM_PAYS",
        /// No link: several ad spaces have a template, and none was named.
        AdSpaceNeeded = "AD_SPACE_NEEDED",
        /// No link: the ad space or program that was named does not exist.
        Unknown = "UNKNOWN",
        /// No link: nothing says where the product's page is.
        NoTarget = "NO_TARGET",
    }
}

words! {
    /// Something to know before a link is used.
    LinkWarning {
        /// Several programs have templates and no country was given.
        CountryNotGiven = "COUNTRY_NOT_GIVEN",
        /// The program pays less for the country.
        ReducedRate = "REDUCED_RATE",
        /// The program does not pay for the country.
        NotPaid = "NOT_PAID",
        /// Whether the program pays for the country is not known.
        EligibilityUnknown = "ELIGIBILITY_UNKNOWN",
        /// The hot rate needs a special link, and no feed of hot products has one.
        HotLinkMissing = "HOT_LINK_MISSING",
        /// The link that is there is another ad space's or program's.
        LinkOfAnother = "LINK_OF_ANOTHER",
        /// The network overwrites SubID3 where a personal promo code is used.
        Subid3Overwritten = "SUBID3_OVERWRITTEN",
    }
}

/// What is asked of a link.
#[derive(Clone, Debug)]
pub struct LinkQuestion<'a> {
    /// The ad space; the only one with a template unless given.
    pub ad_space: Option<Uuid>,
    /// The program; chosen by the country unless given.
    pub program: Option<Uuid>,
    /// The country of those who will click, in upper case.
    pub country: Option<&'a str>,
    /// What the link tells.
    pub subids: &'a Subids,
    /// The day whose rules hold.
    pub on: Day,
}

/// A link, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The link.
    pub url: Option<String>,
    /// Where it leads; none where it does not say.
    pub target: Option<String>,
    /// What kind of link it is.
    pub kind: Option<LinkKind>,
    /// Whether orders through it get the hot rate, as far as is known.
    pub is_hot: bool,
    /// The ad space that it belongs to.
    pub ad_space_id: Option<Uuid>,
    /// The program that it belongs to.
    pub program_id: Option<Uuid>,
    /// Why this program, or why none.
    pub reason: LinkReason,
    /// The same in a sentence, with what to do.
    pub explanation: String,
    /// What to know before it is used.
    pub warnings: Vec<(LinkWarning, String)>,
}

impl Link {
    fn none(reason: LinkReason, explanation: String) -> Self {
        Self {
            url: None,
            target: None,
            kind: None,
            is_hot: false,
            ad_space_id: None,
            program_id: None,
            reason,
            explanation,
            warnings: Vec::new(),
        }
    }
}

/// An address, where it leads, its kind, and whether it gets the hot rate.
type Made = (String, Option<String>, LinkKind, bool);

/// A template's link to a target.
fn led(template: &Template, target: &Target, subids: &Subids, is_hot: bool) -> Made {
    let url = template.link(target, subids);
    let target = target.as_str().to_owned();
    (url, Some(target), LinkKind::Deeplink, is_hot)
}

/// A template that was chosen, why, and what to know of it.
type Chosen<'a> = (&'a Deeplink, LinkReason, String, Vec<(LinkWarning, String)>);

impl Templates {
    /// The templates that are used: of each ad space and program the one that goes before the others.
    pub fn used(&self) -> impl Iterator<Item = &Deeplink> {
        self.all.iter().filter(|one| self.is_used(one))
    }

    /// Whether no other template of its ad space and program goes before it.
    #[must_use]
    pub fn is_used(&self, one: &Deeplink) -> bool {
        let overrules = |other: &Deeplink| {
            (other.ad_space_id, other.program_id) == (one.ad_space_id, one.program_id)
                && other.source < one.source
        };
        !self.all.iter().any(overrules)
    }

    /// A program of the publisher.
    #[must_use]
    pub fn program(&self, id: Uuid) -> Option<&Program> {
        self.programs.iter().find(|program| program.id == id)
    }

    fn program_name(&self, id: Uuid) -> &str {
        self.program(id).map_or("", |program| &program.name)
    }

    fn ad_space_name(&self, id: Uuid) -> &str {
        let found = self.ad_spaces.iter().find(|space| space.id == id);
        found.map_or("", |space| &space.name)
    }

    fn catalog_key(&self, id: Uuid) -> &str {
        let key = self
            .program(id)
            .and_then(|program| program.catalog_key.as_deref());
        key.unwrap_or_default()
    }

    /// The program that traffic to a country goes through: the one that is named, else of those with a template, at this ad
    /// space if one is named. A link may need more, such as which ad space it is of; the program does not.
    #[must_use]
    pub fn program_for(&self, question: &LinkQuestion<'_>) -> Option<&Program> {
        if let Some(named) = question.program {
            return self.program(named);
        }
        let here = self.here(question).ok()?;
        let (program, _) = self.ranked(&here, question).first().copied()?;
        self.program(program)
    }

    /// The link to a product.
    #[must_use]
    pub fn link(
        &self,
        product: &Product,
        offers: &[ProductOffer],
        question: &LinkQuestion<'_>,
    ) -> Link {
        let (one, reason, explanation, mut warnings) = match self.choose(question) {
            Ok(chosen) => chosen,
            Err(none) => return *none,
        };
        let key = self.catalog_key(one.program_id);
        let made = self.made(product, offers, (one, key), question.subids, &mut warnings);
        if question.subids.values().get(3).is_some_and(Option::is_some) {
            let words = "subid3 is overwritten by the network where a personal promo code is used: keep what must arrive in another one";
            warnings.push((LinkWarning::Subid3Overwritten, words.to_owned()));
        }
        let ids = (Some(one.ad_space_id), Some(one.program_id));
        let Some((url, target, kind, is_hot)) = made else {
            let words = "nothing says where the product's page is: it has neither a link that can be used nor a product id; a feed or an \
                         export with either brings it";
            let none = Link::none(LinkReason::NoTarget, words.to_owned());
            return Link {
                ad_space_id: ids.0,
                program_id: ids.1,
                ..none
            };
        };
        Link {
            url: Some(url),
            target,
            kind: Some(kind),
            is_hot,
            ad_space_id: ids.0,
            program_id: ids.1,
            reason,
            explanation,
            warnings,
        }
    }

    /// The address, where it leads, its kind, and whether it gets the hot rate.
    fn made(
        &self,
        product: &Product,
        offers: &[ProductOffer],
        (one, key): (&Deeplink, &str),
        subids: &Subids,
        warnings: &mut Vec<(LinkWarning, String)>,
    ) -> Option<Made> {
        let template = &one.template;
        let parameter = template.target_parameter();
        let any_is_hot = key == RU_AND_CIS;
        if product.is_hot
            && !any_is_hot
            && let Some(hot) = self.hot(offers, (one, key), subids, warnings)
        {
            return Some(hot);
        }
        let read = |text: &str| Affiliate::read_by_either(text, &self.hosts, parameter);
        let given = product.url.as_deref().and_then(read);
        let said = match (&given, product.url.as_deref()) {
            (Some(link), _) => link.target.clone(),
            (None, Some(url)) => Target::read(url).ok(),
            (None, None) => None,
        };
        let page = said.as_ref().and_then(|target| self.page(target, one, key));
        let numbered = || Target::of_product(product.external_id.as_deref()?, any_is_hot);
        let is_hot = product.is_hot && any_is_hot;
        if let Some(target) = page.or_else(numbered) {
            return Some(led(template, &target, subids, is_hot));
        }
        // A link that does not say where it leads is gone through where nothing else is known.
        let last = match &said {
            Some(target) => read(target.as_str()),
            None => Some(given.clone()?),
        };
        let is_own = last.is_some_and(|link| link.code() == template.code());
        if !is_own {
            let words = "the product is known by a link alone, which is neither its page nor this ad space's link: the reward may go \
                         where that link belongs";
            warnings.push((LinkWarning::LinkOfAnother, words.to_owned()));
        }
        if let Some(target) = said {
            return Some(led(template, &target, subids, is_hot));
        }
        // What the template's owner has to say says nothing of another's traffic.
        let extra = if is_own { template.extra() } else { &[] };
        let url = given?.with_subids(subids, parameter, extra);
        Some((url, None, LinkKind::Existing, false))
    }

    /// The product's page that an address is, in the shop of the template's program; none for a link of the network.
    fn page(&self, address: &Target, one: &Deeplink, key: &str) -> Option<Target> {
        let parameter = one.template.target_parameter();
        let link = Affiliate::read_by_either(address.as_str(), &self.hosts, parameter);
        page::of(address, key).filter(|_| link.is_none())
    }

    /// The special link of a hot product, or the template's to the page of another's; none where there is neither.
    fn hot(
        &self,
        offers: &[ProductOffer],
        (one, key): (&Deeplink, &str),
        subids: &Subids,
        warnings: &mut Vec<(LinkWarning, String)>,
    ) -> Option<Made> {
        let template = &one.template;
        let parameter = template.target_parameter();
        let read = |text: &str| Affiliate::read_by_either(text, &self.hosts, parameter);
        let hot = offers.iter().filter(|offer| offer.is_hot);
        let mut links = hot.filter_map(|offer| read(offer.affiliate_url.as_deref()?));
        let own = links.clone().find(|link| link.code() == template.code());
        if let Some(own) = own {
            let target = own.target.as_ref().map(|target| target.as_str().to_owned());
            let url = own.with_subids(subids, parameter, template.extra());
            return Some((url, target, LinkKind::Hot, true));
        }
        let words = "the hot rate needs the special link of a feed of hot products; ";
        if let Some(target) = links.find_map(|link| self.page(&link.target?, one, key)) {
            let words = format!(
                "{words}the feed's link is another ad space's or program's, so this one leads to the same page and may \
                 pay the plain rate"
            );
            warnings.push((LinkWarning::LinkOfAnother, words));
            return Some(led(template, &target, subids, false));
        }
        let words = format!("{words}none has one, so this link pays the plain rate");
        warnings.push((LinkWarning::HotLinkMissing, words));
        None
    }

    /// The template for a question, why, and what to know of it; else why there is none.
    fn choose(&self, question: &LinkQuestion<'_>) -> Result<Chosen<'_>, Box<Link>> {
        let here = self.here(question)?;
        let ranked = self.ranked(&here, question);
        let Some((program, eligibility)) = ranked.first().copied() else {
            let country = question.country.unwrap_or_default();
            let words = format!(
                "no program with a template pays for {country}: there are templates of {}; `setDeeplink` stores one of a \
                 program that pays, or name `program` to have a link all the same",
                self.program_names(&here)
            );
            return Err(Box::new(Link::none(LinkReason::NoProgramPays, words)));
        };
        let mut fitting = here.iter().filter(|one| one.program_id == program);
        let Some(one) = fitting.next().copied() else {
            return Err(Box::new(self.no_template(question)));
        };
        if fitting.next().is_some() {
            let spaces = here.iter().filter(|one| one.program_id == program);
            let names: Vec<&str> = spaces
                .map(|one| self.ad_space_name(one.ad_space_id))
                .collect();
            let words = format!(
                "several ad spaces have a template of {}: name `adSpace`, one of {}",
                self.program_name(program),
                names.join(", ")
            );
            return Err(Box::new(Link::none(LinkReason::AdSpaceNeeded, words)));
        }
        let (reason, words) = self.why(question, (program, eligibility), ranked.len());
        let warnings = self.warnings(question, (program, eligibility), ranked.len());
        Ok((one, reason, words, warnings))
    }

    /// The templates that a question leaves.
    fn here(&self, question: &LinkQuestion<'_>) -> Result<Vec<&Deeplink>, Box<Link>> {
        let known = |id: Uuid| self.ad_spaces.iter().any(|space| space.id == id);
        let unknown = match question {
            LinkQuestion {
                ad_space: Some(id), ..
            } if !known(*id) => Some("adSpace"),
            LinkQuestion {
                program: Some(id), ..
            } if self.program(*id).is_none() => Some("program"),
            _ => None,
        };
        if let Some(unknown) = unknown {
            let words = format!("there is no such {unknown}: `adSpaces` and `programs` list them");
            return Err(Box::new(Link::none(LinkReason::Unknown, words)));
        }
        let here: Vec<&Deeplink> = self
            .used()
            .filter(|one| question.ad_space.is_none_or(|id| one.ad_space_id == id))
            .filter(|one| question.program.is_none_or(|id| one.program_id == id))
            .collect();
        if here.is_empty() {
            return Err(Box::new(self.no_template(question)));
        }
        Ok(here)
    }

    fn no_template(&self, question: &LinkQuestion<'_>) -> Link {
        let space = question
            .ad_space
            .map_or("no ad space", |id| self.ad_space_name(id));
        let of = question
            .program
            .map_or_else(String::new, |id| format!(" of {}", self.program_name(id)));
        let words = format!(
            "{space} has {}deeplink template{of}: the mutation `setDeeplink` stores the address that the network shows for the ad \
             space and program, such as https://ad.admitad.com/g/<code>/, and so does [[deeplinks]] in the configuration file{}",
            if question.ad_space.is_some() {
                "no "
            } else {
                "a "
            },
            self.named_in_vain()
        );
        Link::none(LinkReason::NoTemplate, words)
    }

    /// What the configuration has that belongs to nothing, as the end of a sentence.
    fn named_in_vain(&self) -> String {
        let shown = self.unmatched.iter().take(MOST_UNMATCHED);
        let shown: Vec<String> = shown.map(ToString::to_string).collect();
        match self.unmatched.len().saturating_sub(shown.len()) {
            0 if shown.is_empty() => String::new(),
            0 => format!(
                "; the configuration has one for {}, which you do not have",
                shown.join(", one for ")
            ),
            more => format!(
                "; the configuration has one for {} and {more} more, which you do not have",
                shown.join(", one for ")
            ),
        }
    }

    /// The programs of templates, the one that traffic should go through first. One that was named stays whatever it pays.
    fn ranked(&self, here: &[&Deeplink], question: &LinkQuestion<'_>) -> Vec<(Uuid, Eligibility)> {
        let catalog = Catalog::shipped();
        let mut ranked: Vec<(u8, usize, Uuid, Eligibility)> = Vec::new();
        for one in here {
            if ranked.iter().any(|(_, _, id, _)| *id == one.program_id) {
                continue;
            }
            let key = self.catalog_key(one.program_id);
            let eligibility = self
                .program(one.program_id)
                .map_or(Eligibility::Unknown, |program| {
                    program.eligibility(question.country, question.on)
                });
            let place = match (eligibility, question.country) {
                (_, None) => 0,
                (Eligibility::Full, Some(country)) => {
                    u8::from(!catalog.names_country(key, country, question.on))
                }
                (Eligibility::Reduced, _) => 2,
                (Eligibility::Unknown, _) => 3,
                (Eligibility::NotPaid, _) if question.program.is_none() => continue,
                (Eligibility::NotPaid, _) => 4,
            };
            let shipped = catalog.programs().iter();
            let order = shipped.take_while(|program| program.key != key).count();
            ranked.push((place, order, one.program_id, eligibility));
        }
        ranked.sort_by_key(|(place, order, id, _)| (*place, *order, *id));
        ranked
            .into_iter()
            .map(|(_, _, id, eligibility)| (id, eligibility))
            .collect()
    }

    fn why(
        &self,
        question: &LinkQuestion<'_>,
        (program, eligibility): (Uuid, Eligibility),
        programs: usize,
    ) -> (LinkReason, String) {
        let name = self.program_name(program);
        if question.program.is_some() {
            return (LinkReason::ProgramGiven, format!("{name} was asked for"));
        }
        match (question.country, eligibility) {
            (Some(country), Eligibility::Full) => (
                LinkReason::CountryPaid,
                format!("{name} pays in full for clicks from {country}"),
            ),
            (Some(country), Eligibility::Reduced) => (
                LinkReason::CountryPaid,
                format!("{name} pays for clicks from {country}, at a reduced rate"),
            ),
            (None, _) if programs > 1 => (
                LinkReason::CountryUnknown,
                format!("no country was given, so it is {name}, the first with a template"),
            ),
            _ => (
                LinkReason::OnlyTemplate,
                format!("{name} is the program with a template here"),
            ),
        }
    }

    fn warnings(
        &self,
        question: &LinkQuestion<'_>,
        (program, eligibility): (Uuid, Eligibility),
        programs: usize,
    ) -> Vec<(LinkWarning, String)> {
        let name = self.program_name(program);
        let Some(country) = question.country else {
            let words = "which program pays depends on the country of the click: name `country`";
            let several = programs > 1 && question.program.is_none();
            return several
                .then(|| (LinkWarning::CountryNotGiven, words.to_owned()))
                .into_iter()
                .collect();
        };
        let (warning, words) = match eligibility {
            Eligibility::Full => return Vec::new(),
            Eligibility::Reduced => (
                LinkWarning::ReducedRate,
                format!("{name} pays a reduced rate for {country}"),
            ),
            Eligibility::NotPaid => (
                LinkWarning::NotPaid,
                format!("{name} does not pay for {country}: choose a program that does"),
            ),
            Eligibility::Unknown => (
                LinkWarning::EligibilityUnknown,
                format!("whether {name} pays for {country} is not known"),
            ),
        };
        vec![(warning, words)]
    }

    fn program_names(&self, here: &[&Deeplink]) -> String {
        let mut names: Vec<&str> = here
            .iter()
            .map(|one| self.program_name(one.program_id))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests;
