//! What a group of a report has in common: a field for each dimension. What a key names is read for the whole page at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Context, Object};
use uuid::Uuid;

use super::Member;
use super::ad_space::AdSpace;
use super::built_in_segment::BuiltInSegment;
use super::category::Category;
use super::product::Product;
use super::program::Program;
use super::report::Grouped;
use super::report_words::{UserAge, UserFrequency};
use super::segment::Segment;
use super::words::{ActionStatus, ActionType, CategoryLevel};
use crate::domain::action;
use crate::domain::money::Currency;
use crate::domain::records;
use crate::domain::report;
use crate::domain::report::Dimension;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::Result;
use crate::graphql::scalar::{CountryCode, CurrencyCode};
use crate::graphql::siblings::{Group, by_key};
use crate::graphql::written::{Plain, Slot, Slow, Written};

/// The dimensions that are levels of the category tree.
const LEVELS: &[(CategoryLevel, Dimension)] = &[
    (CategoryLevel::One, Dimension::CategoryLevel1),
    (CategoryLevel::Two, Dimension::CategoryLevel2),
    (CategoryLevel::Own, Dimension::CategoryOwn),
];

/// The categories of a row's key.
fn of_key(row: &Grouped) -> Vec<Uuid> {
    let ids = LEVELS.iter().map(|(_, dimension)| row.id(*dimension));
    ids.flatten().collect()
}

/// Categories by their ids.
pub(super) type Categories = HashMap<Uuid, Member<records::Category>>;

/// The categories of all rows of the page, of all levels.
///
/// # Errors
/// When the store fails.
pub(super) async fn categories(
    row: &Member<Grouped>,
    request: &Arc<RequestContext>,
) -> Result<Arc<Categories>> {
    let load = |group: Arc<Group<Grouped>>| async move {
        let keys: BTreeSet<Uuid> = group.all().flat_map(of_key).collect();
        Ok(by_key(request.loaders.many(keys).await?))
    };
    row.batch("categories", &(), load).await
}

/// What the actions of a group have in common.
#[derive(Clone)]
pub struct ReportKey(pub Member<Grouped>);

/// Writes the words of a key as those of the API.
fn word<W: EnumType + From<D>, D>(field: Slot<'_, '_>, word: Result<Option<D>>) -> Written {
    let word = word.map_err(|_| Slow)?;
    field.maybe(word, |field, word| field.word(W::from(word)))
}

impl Plain for ReportKey {
    fn write(&self, field: Slot<'_, '_>) -> Written {
        let row = &self.0;
        let dimension = match field.name() {
            "status" => {
                return word::<ActionStatus, _>(
                    field,
                    row.word(Dimension::Status, action::Status::parse),
                );
            }
            "actionType" => {
                let parse = action::ActionType::parse;
                return word::<ActionType, _>(field, row.word(Dimension::ActionType, parse));
            }
            "userAge" => {
                return word::<UserAge, _>(
                    field,
                    row.word(Dimension::UserAge, report::UserAge::parse),
                );
            }
            "userFrequency" => {
                let parse = report::UserFrequency::parse;
                return word::<UserFrequency, _>(field, row.word(Dimension::UserFrequency, parse));
            }
            "currency" => {
                let parse = |text: &str| Currency::parse(text).ok();
                let code = row.word(Dimension::Currency, parse).map_err(|_| Slow)?;
                return field.maybe(code, |field, code| field.text(code.as_str()));
            }
            "country" => Dimension::Country,
            "device" => Dimension::Device,
            "subid0" => Dimension::Subid0,
            "subid1" => Dimension::Subid1,
            "subid2" => Dimension::Subid2,
            "subid3" => Dimension::Subid3,
            "subid4" => Dimension::Subid4,
            "tariff" => Dimension::Tariff,
            "promoCode" => Dimension::PromoCode,
            "declineReason" => Dimension::DeclineReason,
            _ => return Err(Slow),
        };
        field.maybe(row.text(dimension), Slot::text)
    }
}

/// What the actions of a group have in common, a field for each dimension: null where the report is not grouped by it,
/// and for the group of those that lack it.
#[Object]
impl ReportKey {
    /// The program.
    async fn program(&self, ctx: &Context<'_>) -> Option<Result<Program>> {
        let key = |row: &Grouped| row.id(Dimension::Program);
        let found = async { self.0.related(request(ctx)?, "program", key).await };
        found.await.transpose()
    }

    /// The ad space; null for actions without one.
    async fn ad_space(&self, ctx: &Context<'_>) -> Option<Result<AdSpace>> {
        let key = |row: &Grouped| row.id(Dimension::AdSpace);
        let found = async { self.0.related(request(ctx)?, "adSpace", key).await };
        found.await.transpose()
    }

    /// The country of the click; null for actions without one.
    async fn country(&self) -> Option<CountryCode> {
        let code = self.0.text(Dimension::Country)?;
        Some(CountryCode(code.to_owned()))
    }

    /// The status.
    async fn status(&self) -> Result<Option<ActionStatus>> {
        let word = self.0.word(Dimension::Status, action::Status::parse)?;
        Ok(word.map(Into::into))
    }

    /// Sale or lead.
    async fn action_type(&self) -> Result<Option<ActionType>> {
        let word = self
            .0
            .word(Dimension::ActionType, action::ActionType::parse)?;
        Ok(word.map(Into::into))
    }

    /// The currency.
    async fn currency(&self) -> Result<Option<CurrencyCode>> {
        let parse = |text: &str| Currency::parse(text).ok();
        let code = self.0.word(Dimension::Currency, parse)?;
        Ok(code.map(CurrencyCode))
    }

    /// The class of the device; null for actions without one.
    async fn device(&self) -> Option<&str> {
        self.0.text(Dimension::Device)
    }

    /// The SubID `subid`; null for actions without one.
    async fn subid0(&self) -> Option<&str> {
        self.0.text(Dimension::Subid0)
    }

    /// The SubID `subid1`; null for actions without one.
    async fn subid1(&self) -> Option<&str> {
        self.0.text(Dimension::Subid1)
    }

    /// The SubID `subid2`; null for actions without one.
    async fn subid2(&self) -> Option<&str> {
        self.0.text(Dimension::Subid2)
    }

    /// The SubID `subid3`; null for actions without one.
    async fn subid3(&self) -> Option<&str> {
        self.0.text(Dimension::Subid3)
    }

    /// The SubID `subid4`; null for actions without one.
    async fn subid4(&self) -> Option<&str> {
        self.0.text(Dimension::Subid4)
    }

    /// The product; null for items without one.
    async fn product(&self, ctx: &Context<'_>) -> Option<Result<Product>> {
        let key = |row: &Grouped| row.id(Dimension::Product);
        let found = async { self.0.related(request(ctx)?, "product", key).await };
        found.await.transpose()
    }

    /// The category, at the level that the report is grouped by; null for items without one.
    async fn category(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Which, where the report is grouped by several levels; the lowest of them unless given."
        )]
        level: Option<CategoryLevel>,
    ) -> Option<Result<Category>> {
        let grouped = LEVELS.iter().rev().find(|(one, dimension)| {
            level.is_none_or(|level| level == *one) && self.0.part(*dimension).is_some()
        });
        let id = self.0.id(grouped?.1)?;
        let found = async {
            let all = categories(&self.0, request(ctx)?).await?;
            Ok(all.get(&id).cloned())
        };
        found.await.transpose()
    }

    /// The tariff; null for actions without one.
    async fn tariff(&self) -> Option<&str> {
        self.0.text(Dimension::Tariff)
    }

    /// The promo code; null for actions without one.
    async fn promo_code(&self) -> Option<&str> {
        self.0.text(Dimension::PromoCode)
    }

    /// The reason of the decline, as one of its actions writes it; empty where none is stated, null for actions that are not
    /// declined.
    async fn decline_reason(&self) -> Option<&str> {
        self.0.text(Dimension::DeclineReason)
    }

    /// Whether the users are new in the range of the report, or in the stretch of time of the row.
    async fn user_age(&self) -> Result<Option<UserAge>> {
        let word = self.0.word(Dimension::UserAge, report::UserAge::parse)?;
        Ok(word.map(Into::into))
    }

    /// The segment that the users are in, of `segments`; null for users in none of the report's segments, and for the group
    /// of a built-in one.
    async fn user_segment(&self, ctx: &Context<'_>) -> Option<Result<Segment>> {
        let key = |row: &Grouped| row.defined(Dimension::UserSegment);
        let found = async { self.0.related(request(ctx)?, "userSegment", key).await };
        found.await.transpose()
    }

    /// The segment that the products are in, of `segments`; null for products in none of the report's segments, and for the
    /// group of a built-in one.
    async fn product_segment(&self, ctx: &Context<'_>) -> Option<Result<Segment>> {
        let key = |row: &Grouped| row.defined(Dimension::ProductSegment);
        let found = async { self.0.related(request(ctx)?, "productSegment", key).await };
        found.await.transpose()
    }

    /// The built-in segment that the users are in, of `builtInSegments`; null for all other groups.
    async fn built_in_user_segment(&self) -> Option<BuiltInSegment> {
        self.0.built_in(Dimension::UserSegment)
    }

    /// The built-in segment that the products are in, of `builtInSegments`; null for all other groups.
    async fn built_in_product_segment(&self) -> Option<BuiltInSegment> {
        self.0.built_in(Dimension::ProductSegment)
    }

    /// How many of the report's actions the users have in the range.
    async fn user_frequency(&self) -> Result<Option<UserFrequency>> {
        let word = self
            .0
            .word(Dimension::UserFrequency, report::UserFrequency::parse)?;
        Ok(word.map(Into::into))
    }
}
