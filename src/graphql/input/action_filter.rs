//! The filter on actions and the one on their cart items: the same for lists, top sellers and segments.

use async_graphql::InputObject;

use super::deep::Deep;
use super::filters::{
    AdSpaceFilter, CategoryFilter, ProductFilter, ProgramFilter, UserFilter, filter_input,
};
use super::operators::{
    ActionTypeFilter, BooleanFilter, CountryFilter, CurrencyFilter, DateFilter, DateTimeFilter,
    EligibilityFilter, IdFilter, IntFilter, MoneyFilter, StatusFilter, StringFilter,
};
use super::reader::{Conditions, Operators, Reader};
use crate::domain::action::Status;
use crate::domain::filter::{
    ActionField, ActionTest, Filter, ItemField, ItemTest, Op, Quantifier, Value,
};
use crate::domain::money::Currency;
use crate::graphql::error::Result;
use crate::graphql::id::{IdOf, Kind};

/// Conditions on the cart of an action; all that are given must hold.
#[derive(Debug, InputObject)]
pub struct ActionItemsFilter {
    /// At least one item satisfies this.
    some: Option<Deep<ActionItemFilter>>,
    /// All items satisfy this; so does an empty cart.
    every: Option<Deep<ActionItemFilter>>,
    /// No item satisfies this.
    none: Option<Deep<ActionItemFilter>>,
}

fn items(given: &ActionItemsFilter, reader: &mut Reader) -> Result<Filter<ActionTest>> {
    let parts = [
        ("some", Quantifier::Some, &given.some),
        ("every", Quantifier::Every, &given.every),
        ("none", Quantifier::None, &given.none),
    ];
    let mut tests = Vec::new();
    for (name, quantifier, filter) in parts {
        let Some(filter) = filter else { continue };
        let inner = reader.field(name, |reader| {
            let inner = reader.nested(None, |reader| filter.read(reader))?;
            reader.test()?;
            Ok(inner)
        });
        let inner = reader.keep(inner)?;
        tests.extend(inner.map(|inner| Filter::Test(ActionTest::Items(quantifier, inner))));
    }
    Ok(Filter::All(tests))
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "what is given is handed on by reference"
)]
fn overdue(wanted: &bool, reader: &mut Reader) -> Result<Filter<ActionTest>> {
    reader.test()?;
    let test = |field, op| Filter::Test(ActionTest::Field(field, op));
    let overdue = Filter::All(vec![
        test(ActionField::Status, Op::Eq(Status::Pending.as_str().into())),
        test(
            ActionField::HoldEndedBy,
            Op::Lt(reader.now().micros().into()),
        ),
    ]);
    Ok(if *wanted {
        overdue
    } else {
        Filter::Not(Box::new(overdue))
    })
}

fn of(field: ActionField) -> impl Fn(Op) -> ActionTest {
    move |op| ActionTest::Field(field, op)
}

fn of_item(field: ItemField) -> impl Fn(Op) -> ItemTest {
    move |op| ItemTest::Field(field, op)
}

filter_input! {
    /// Conditions on an action; all that are given must hold. A missing value fails every operator but `isNull`.
    ActionFilter of ActionTest, ids of Some(IdOf::Row(Kind::Action));
    fields {
        /// Its id.
        id: IdFilter = "id" => of(ActionField::Id),
        /// Its id at Admitad.
        external_id: StringFilter = "externalId" => of(ActionField::ExternalId),
        /// The advertiser's order number.
        order_id: StringFilter = "orderId" => of(ActionField::OrderId),
        /// The tariff.
        tariff_id: StringFilter = "tariffId" => of(ActionField::TariffId),
        /// The name of the rate.
        action_name: StringFilter = "actionName" => of(ActionField::ActionName),
        /// What the user did.
        action_type: ActionTypeFilter = "actionType" => of(ActionField::ActionType),
        /// Where it stands. Where nothing else is said, top sellers and segments count everything but DECLINED.
        status: StatusFilter = "status" => of(ActionField::Status),
        /// The status in Admitad's word.
        raw_status: StringFilter = "rawStatus" => of(ActionField::RawStatus),
        /// Whether the reward was released.
        paid: BooleanFilter = "paid" => of(ActionField::Paid),
        /// Whether the advertiser has processed it.
        processed: BooleanFilter = "processed" => of(ActionField::Processed),
        /// Whether it went back on hold after it had been decided.
        returned_to_hold: BooleanFilter = "returnedToHold" => of(ActionField::ReturnedToHold),
        /// The eligibility that is expected by program, click country and UTC day of the order.
        eligibility: EligibilityFilter = "eligibility" => of(ActionField::Eligibility),
        /// The end of its hold: the order and its program's hold time; missing where that is not known.
        hold_ends_at: DateTimeFilter = "holdEndsAt" => of(ActionField::HoldEndsAt),
        /// The reward, in the action's currency.
        reward: MoneyFilter = "reward" => of(ActionField::Reward),
        /// The order amount, in the action's currency.
        order_amount: MoneyFilter = "orderAmount" => of(ActionField::OrderAmount),
        /// The currency of reward and order amount.
        currency: CurrencyFilter = "currency" => of(ActionField::Currency),
        /// The click.
        clicked_at: DateTimeFilter = "clickedAt" => of(ActionField::ClickedAt),
        /// The order.
        ordered_at: DateTimeFilter = "orderedAt" => of(ActionField::OrderedAt),
        /// The last change of status.
        status_updated_at: DateTimeFilter = "statusUpdatedAt" => of(ActionField::StatusUpdatedAt),
        /// The closing day.
        closing_date: DateFilter = "closingDate" => of(ActionField::ClosingDay),
        /// Seconds from the click to the order.
        conversion_seconds: IntFilter = "conversionSeconds" => of(ActionField::ConversionSeconds),
        /// The country of the click.
        country: CountryFilter = "country" => of(ActionField::Country),
        /// The SubID `subid`.
        subid: StringFilter = "subid" => of(ActionField::Subid0),
        /// The SubID `subid1`.
        subid1: StringFilter = "subid1" => of(ActionField::Subid1),
        /// The SubID `subid2`.
        subid2: StringFilter = "subid2" => of(ActionField::Subid2),
        /// The SubID `subid3`.
        subid3: StringFilter = "subid3" => of(ActionField::Subid3),
        /// The SubID `subid4`.
        subid4: StringFilter = "subid4" => of(ActionField::Subid4),
        /// The keyword of contextual advertising.
        keyword: StringFilter = "keyword" => of(ActionField::Keyword),
        /// The comment, such as the reason of a decline, compared without regard to case in any script.
        comment: StringFilter = "comment" => of(ActionField::Comment),
        /// The promo code.
        promo_code: StringFilter = "promoCode" => of(ActionField::PromoCode),
        /// The class of the device, where it is known.
        device: StringFilter = "device" => of(ActionField::Device),
        /// The number of cart items.
        items_count: IntFilter = "itemsCount" => of(ActionField::ItemsCount),
    }
    related {
        /// Its program.
        program: ProgramFilter = "program" => ActionTest::Program,
        /// Its ad space; fails for an action without one.
        ad_space: AdSpaceFilter = "adSpace" => ActionTest::AdSpace,
        /// Its user; fails for an unattributed action.
        user: UserFilter = "user" => ActionTest::User,
    }
    special {
        /// Its cart.
        items: ActionItemsFilter = "items" => items,
        /// Whether it is on hold past its program's hold time: as of now; in a segment, as of when the segment is asked for.
        overdue: bool = "overdue" => overdue,
    }
}

filter_input! {
    /// Conditions on a cart item; all that are given must hold.
    ActionItemFilter of ItemTest, ids of None;
    fields {
        /// The line amount, in the action's currency.
        amount: MoneyFilter = "amount" => of_item(ItemField::Amount),
        /// The line reward, in the action's currency.
        reward: MoneyFilter = "reward" => of_item(ItemField::Reward),
        /// Units sold.
        units: IntFilter = "units" => of_item(ItemField::Units),
        /// The tariff.
        tariff_id: StringFilter = "tariffId" => of_item(ItemField::TariffId),
        /// The product's country code, as the source wrote it.
        product_country: StringFilter = "productCountry" => of_item(ItemField::ProductCountry),
    }
    related {
        /// Its product; fails for an item without one.
        product: ProductFilter = "product" => ItemTest::Product,
        /// Its own category; fails for an item without one.
        category: CategoryFilter = "category" => ItemTest::Category,
    }
    special {}
}

/// The one currency that a filter lets through, if it is certain.
pub fn only_currency(filter: &Filter<ActionTest>) -> Option<Currency> {
    only_currency_by(filter, &|test| match test {
        ActionTest::Field(ActionField::Currency, op) => Some(op),
        _ => None,
    })
}

/// Likewise for rows of any kind, of whose tests `by_currency` gives what the currency is compared with.
pub fn only_currency_by<T>(
    filter: &Filter<T>,
    by_currency: &impl Fn(&T) -> Option<&Op>,
) -> Option<Currency> {
    let of_value = |value: &Value| match value {
        Value::Text(code) => Currency::parse(code).ok(),
        _ => None,
    };
    match filter {
        Filter::Test(test) => match by_currency(test)? {
            Op::Eq(value) => of_value(value),
            Op::In(values) => match values.as_slice() {
                [value] => of_value(value),
                _ => None,
            },
            _ => None,
        },
        Filter::All(parts) => parts
            .iter()
            .find_map(|part| only_currency_by(part, by_currency)),
        Filter::Any(parts) => match parts.as_slice() {
            [part] => only_currency_by(part, by_currency),
            _ => None,
        },
        Filter::Not(_) => None,
    }
}
