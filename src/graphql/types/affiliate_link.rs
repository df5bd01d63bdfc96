//! Affiliate links and the templates that they are made from.

use std::sync::Arc;

use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};

use super::ad_space::AdSpace;
use super::program::Program;
use crate::domain::deeplink::Subids;
use crate::domain::feed::ProductOffer;
use crate::domain::records;
use crate::domain::time::day_of;
use crate::domain::traffic;
use crate::domain::traffic::{Link, LinkQuestion};
use crate::graphql::context::RequestContext;
use crate::graphql::error::{Failure, Result};
use crate::graphql::id::Kind;
use crate::graphql::links::Links;
use crate::graphql::scalar::{CountryCode, DateTime, Url};
use uuid::Uuid;

/// Who gave a template of links. Of several for one ad space and program, the first in this order is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "traffic::DeeplinkSource")]
pub enum DeeplinkSource {
    /// The publisher, by `setDeeplink`.
    ByHand,
    /// The configuration file of the server.
    Configuration,
    /// Admitad, which shows the link for the ad space (`gotolink`).
    Upstream,
}

/// What kind of link it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "traffic::LinkKind")]
pub enum AffiliateLinkKind {
    /// The ad space's template, leading to the product's page.
    Deeplink,
    /// The special link of a feed of hot products, with the SubIDs.
    Hot,
    /// The product's own link, which is an affiliate link that does not say where it leads, with the SubIDs.
    Existing,
}

/// Why a link belongs to this program, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "traffic::LinkReason")]
pub enum AffiliateLinkReason {
    /// The caller named the program.
    ProgramGiven,
    /// The program pays for clicks from the country.
    CountryPaid,
    /// It is the only program with a template here.
    OnlyTemplate,
    /// No country was given, so it is the first program of the catalogue with a template here.
    CountryUnknown,
    /// No link: there is no template.
    NoTemplate,
    /// No link: no program with a template pays for clicks from the country.
    NoProgramPays,
    /// No link: several ad spaces have a template, and none was named.
    AdSpaceNeeded,
    /// No link: the ad space or program that was named does not exist.
    Unknown,
    /// No link: nothing says where the product's page is.
    NoTarget,
}

/// Something to know before a link is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "traffic::LinkWarning")]
pub enum AffiliateLinkWarningCode {
    /// Several programs have templates, and no country was given.
    CountryNotGiven,
    /// The program pays a reduced rate for the country.
    ReducedRate,
    /// The program does not pay for the country.
    NotPaid,
    /// Whether the program pays for the country is not known.
    EligibilityUnknown,
    /// The hot rate needs a special link, and no feed of hot products has one.
    HotLinkMissing,
    /// The link that is there is another ad space's or program's.
    LinkOfAnother,
    /// Admitad overwrites SubID3 where a personal promo code is used.
    Subid3Overwritten,
}

/// A warning with its sentence.
#[derive(Clone, Debug, SimpleObject)]
pub struct AffiliateLinkWarning {
    /// What it is about.
    code: AffiliateLinkWarningCode,
    /// The same in a sentence.
    message: String,
}

/// SubIDs that a link tells, and that come back with every action. Letters are Latin or Cyrillic, signs and blanks any;
/// control characters are refused.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SubidsInput {
    /// `subid`, at most 50 characters.
    subid: Option<String>,
    /// `subid1`, at most 50 characters; it names the user unless the ad space says otherwise.
    subid1: Option<String>,
    /// `subid2`, at most 50 characters.
    subid2: Option<String>,
    /// `subid3`, at most 50 characters; overwritten by Admitad where a personal promo code is used.
    subid3: Option<String>,
    /// `subid4`, at most 120 characters.
    subid4: Option<String>,
}

impl SubidsInput {
    /// The SubIDs, checked.
    ///
    /// # Errors
    /// With the name of the one at fault, its limit and the remedy.
    pub fn read(self) -> Result<Subids> {
        let values = [
            self.subid,
            self.subid1,
            self.subid2,
            self.subid3,
            self.subid4,
        ];
        Subids::new(values).map_err(Failure::from)
    }
}

/// Where traffic goes: what a link is asked for.
#[derive(Clone, Debug, Default)]
pub struct Destination {
    /// The ad space; what is no id of one is nobody's.
    pub ad_space: Option<Uuid>,
    /// The program.
    pub program: Option<Uuid>,
    /// The country of those who will click.
    pub country: Option<String>,
}

impl Destination {
    /// Where the arguments of a field say.
    pub fn new(ad_space: Option<&ID>, program: Option<&ID>, country: Option<CountryCode>) -> Self {
        let key = |kind: Kind, id: Option<&ID>| id.map(|id| kind.key(id).unwrap_or(Uuid::nil()));
        Self {
            ad_space: key(Kind::AdSpace, ad_space),
            program: key(Kind::Program, program),
            country: country.map(|code| code.0),
        }
    }

    /// The question that a link answers.
    pub fn question<'a>(
        &'a self,
        subids: &'a Subids,
        request: &RequestContext,
    ) -> LinkQuestion<'a> {
        LinkQuestion {
            ad_space: self.ad_space,
            program: self.program,
            country: self.country.as_deref(),
            subids,
            on: day_of(request.now, request.viewer.publisher.zone),
        }
    }

    /// The link to a product.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn link(
        &self,
        product: &records::Product,
        offers: &[ProductOffer],
        subids: &Subids,
        request: &RequestContext,
    ) -> Result<AffiliateLink> {
        let links = request.links().await?;
        let link = links.link(product, offers, &self.question(subids, request));
        Ok(AffiliateLink { link, links })
    }
}

/// An affiliate link to a product, or why there is none.
pub struct AffiliateLink {
    link: Link,
    links: Arc<Links>,
}

/// An affiliate link to a product, or why there is none and what to do about it.
#[Object]
impl AffiliateLink {
    /// The link; null where there is none, which `reason` and `explanation` are about.
    async fn url(&self) -> Option<Url> {
        self.link.url.clone().map(Url)
    }

    /// The page that it leads to; null where there is no link, or the link does not say.
    async fn target(&self) -> Option<Url> {
        self.link.target.clone().map(Url)
    }

    /// What kind of link it is; null where there is none.
    async fn kind(&self) -> Option<AffiliateLinkKind> {
        self.link.kind.map(Into::into)
    }

    /// Whether orders through it get the rate of hot products, as far as is known.
    async fn is_hot(&self) -> bool {
        self.link.is_hot
    }

    /// The program that pays; null where none was chosen.
    async fn program(&self) -> Option<Program> {
        self.links.program(self.link.program_id?)
    }

    /// The ad space that it belongs to; null where none was chosen.
    async fn ad_space(&self) -> Option<AdSpace> {
        self.links.ad_space(self.link.ad_space_id?)
    }

    /// Why this program, or why there is no link.
    async fn reason(&self) -> AffiliateLinkReason {
        self.link.reason.into()
    }

    /// The same in a sentence; where there is no link, with what to configure.
    async fn explanation(&self) -> &str {
        &self.link.explanation
    }

    /// What to know before it is used.
    async fn warnings(&self) -> Vec<AffiliateLinkWarning> {
        let warnings = self.link.warnings.iter();
        warnings
            .map(|(code, message)| AffiliateLinkWarning {
                code: (*code).into(),
                message: message.clone(),
            })
            .collect()
    }
}

/// A parameter of a template.
#[derive(Clone, Debug, SimpleObject)]
pub struct DeeplinkParameter {
    /// Its name.
    name: String,
    /// Its value, not encoded.
    value: String,
}

/// A template of affiliate links of an ad space and a program.
#[derive(Clone)]
pub struct Deeplink {
    /// The template.
    pub deeplink: traffic::Deeplink,
    /// All of them.
    pub links: Arc<Links>,
}

/// A template of affiliate links of an ad space and a program.
#[Object]
impl Deeplink {
    /// The ad space; null only where it went away meanwhile.
    async fn ad_space(&self) -> Option<AdSpace> {
        self.links.ad_space(self.deeplink.ad_space_id)
    }

    /// The program; null only where it went away meanwhile.
    async fn program(&self) -> Option<Program> {
        self.links.program(self.deeplink.program_id)
    }

    /// The address without parameters.
    async fn base(&self) -> Url {
        Url(self.deeplink.template.base().to_owned())
    }

    /// The parameter that carries the target.
    async fn target_parameter(&self) -> &str {
        self.deeplink.template.target_parameter()
    }

    /// Further parameters of every link, in their order.
    async fn parameters(&self) -> Vec<DeeplinkParameter> {
        let extra = self.deeplink.template.extra().iter();
        extra
            .map(|(name, value)| DeeplinkParameter {
                name: name.clone(),
                value: value.clone(),
            })
            .collect()
    }

    /// Who gave it.
    async fn source(&self) -> DeeplinkSource {
        self.deeplink.source.into()
    }

    /// Whether links are made from it: no other of its ad space and program goes before it.
    async fn is_used(&self) -> bool {
        self.links.is_used(&self.deeplink)
    }

    /// When it was stored; null for one of the configuration file.
    async fn changed_at(&self) -> Option<DateTime> {
        self.deeplink.changed_at.map(DateTime)
    }
}

/// The templates of an ad space.
pub fn deeplinks_of(links: &Arc<Links>, ad_space: Uuid) -> Vec<Deeplink> {
    let own = links.all.iter().filter(|one| one.ad_space_id == ad_space);
    own.map(|deeplink| Deeplink {
        deeplink: deeplink.clone(),
        links: Arc::clone(links),
    })
    .collect()
}
