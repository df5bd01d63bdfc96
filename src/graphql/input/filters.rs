//! One filter for each list but actions (`action_filter`), and the macro that makes them.

use async_graphql::{ID, InputObject};

use super::built_in::{BuiltInProductSegment, BuiltInUserSegment, of_products, of_users};
use super::deep::{Deep, DeepList};
use super::operators::{
    AdjustmentKindFilter, BooleanFilter, CurrencyFilter, DateFilter, DateTimeFilter, IdFilter,
    ImportStateFilter, IntFilter, MoneyFilter, SegmentFilter, StringFilter, ids,
};
use super::reader::{Conditions, Operators, Reader};
use crate::domain::filter::{
    AdSpaceField, AdSpaceTest, AdjustmentField, AdjustmentTest, BalanceField, BalanceTest,
    CategoryField, CategoryTest, Filter, ImportField, ImportTest, ProductField, ProductTest,
    ProgramField, ProgramTest, UserField, UserTest,
};
use crate::domain::rule::Subject;
use crate::graphql::error::Result;
use crate::graphql::id::{IdOf, Kind};

/// Makes a filter input. `fields` compare one field each with their operators; `related` ask for a condition on another
/// type; `special` read themselves into a filter.
macro_rules! filter_input {
    (
        $(#[$($doc:tt)*])*
        $name:ident of $test:ty, ids of $kind:expr;
        fields { $($(#[$($fdoc:tt)*])* $field:ident: $ops:ty = $text:literal => $make:expr,)* }
        related { $($(#[$($rdoc:tt)*])* $related:ident: $inner:ty = $rtext:literal => $wrap:expr,)* }
        special { $($(#[$($sdoc:tt)*])* $special:ident: $given:ty = $stext:literal => $read:expr,)* }
    ) => {
        $(#[$($doc)*])*
        #[derive(Debug, InputObject)]
        pub struct $name {
            /// All of these must hold; an empty list always does.
            and: Option<$crate::graphql::input::deep::DeepList<$name>>,
            /// One of these must hold; an empty list never does.
            or: Option<$crate::graphql::input::deep::DeepList<$name>>,
            /// This must not hold.
            not: Option<$crate::graphql::input::deep::Deep<$name>>,
            $($(#[$($fdoc)*])* #[graphql(name = $text)] $field: Option<$ops>,)*
            $($(#[$($rdoc)*])* #[graphql(name = $rtext)] $related: Option<$crate::graphql::input::deep::Deep<$inner>>,)*
            $($(#[$($sdoc)*])* #[graphql(name = $stext)] $special: Option<$given>,)*
        }

        impl $crate::graphql::input::reader::Conditions<$test> for $name {
            const KIND: Option<$crate::graphql::id::IdOf> = $kind;

            fn read(&self, reader: &mut Reader) -> Result<Filter<$test>> {
                let mut parts: Vec<Filter<$test>> = Vec::new();
                $(if let Some(given) = &self.$field {
                    let ops = reader.field($text, |reader| given.read(reader));
                    let ops = reader.keep(ops)?.unwrap_or_default();
                    parts.extend(ops.into_iter().map(|op| Filter::Test($make(op))));
                })*
                $(if let Some(given) = &self.$related {
                    let kind = <$inner as Conditions<_>>::KIND;
                    let inner = reader.field($rtext, |reader| {
                        let inner = reader.nested(kind, |reader| given.read(reader))?;
                        reader.test()?;
                        Ok(inner)
                    });
                    parts.extend(reader.keep(inner)?.map(|inner| Filter::Test($wrap(inner))));
                })*
                $(if let Some(given) = &self.$special {
                    let read = reader.field($stext, |reader| $read(given, reader));
                    parts.extend(reader.keep(read)?);
                })*
                $crate::graphql::input::filters::combine(reader, parts, (&self.and, &self.or, &self.not))
            }
        }
    };
}

pub(in crate::graphql) use filter_input;

/// A filter's `and`, `or` and `not`.
type Combined<'a, F> = (
    &'a Option<DeepList<F>>,
    &'a Option<DeepList<F>>,
    &'a Option<Deep<F>>,
);

/// All parts of a filter together with its `and`, `or` and `not`.
pub fn combine<T, F: Conditions<T>>(
    reader: &mut Reader,
    mut parts: Vec<Filter<T>>,
    (and, or, not): Combined<'_, F>,
) -> Result<Filter<T>> {
    let list = |reader: &mut Reader, filters: &[Deep<F>]| -> Result<Vec<Filter<T>>> {
        let mut read = Vec::with_capacity(filters.len());
        for (number, filter) in filters.iter().enumerate() {
            let inner = reader.item(number, |reader| {
                reader.nested(F::KIND, |reader| filter.read(reader))
            });
            read.extend(reader.keep(inner)?);
        }
        Ok(read)
    };
    if let Some(filters) = and {
        parts.extend(reader.field("and", |reader| list(reader, filters))?);
    }
    if let Some(filters) = or {
        let any = reader.field("or", |reader| {
            reader.test()?;
            list(reader, filters)
        });
        parts.extend(reader.keep(any)?.map(Filter::Any));
    }
    if let Some(filter) = not {
        let inner = reader.field("not", |reader| {
            reader.nested(F::KIND, |reader| filter.read(reader))
        });
        parts.extend(
            reader
                .keep(inner)?
                .map(|inner| Filter::Not(Box::new(inner))),
        );
    }
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    Ok(Filter::All(parts))
}

filter_input! {
    /// Conditions on a product; all that are given must hold.
    ProductFilter of ProductTest, ids of Some(IdOf::Row(Kind::Product));
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| ProductTest::Field(ProductField::Id, op),
        /// Its AliExpress product id.
        external_id: StringFilter = "externalId" => |op| ProductTest::Field(ProductField::ExternalId, op),
        /// Its latest name, compared without regard to case in any script.
        product_name: StringFilter = "name" => |op| ProductTest::Field(ProductField::Name, op),
        /// Its latest link.
        url: StringFilter = "url" => |op| ProductTest::Field(ProductField::Url, op),
        /// Its country code, as the source wrote it.
        country: StringFilter = "country" => |op| ProductTest::Field(ProductField::Country, op),
        /// Whether it is a hot product.
        is_hot: BooleanFilter = "isHot" => |op| ProductTest::Field(ProductField::IsHot, op),
        /// Whether it is on the publisher's priority list.
        is_priority: BooleanFilter = "isPriority" => |op| ProductTest::Field(ProductField::IsPriority, op),
        /// The earliest order that carried it, or the earliest product feed.
        first_seen_at: DateTimeFilter = "firstSeenAt" => |op| ProductTest::Field(ProductField::FirstSeen, op),
    }
    related {
        /// Its latest category; fails for a product without one.
        category: CategoryFilter = "category" => ProductTest::Category,
    }
    special {
        /// Which segments of products it is in.
        segment: SegmentFilter = "segment" => product_segments,
        /// Which built-in segment of products it is in.
        built_in: BuiltInProductSegment = "builtInSegment" => of_products,
    }
}

fn product_segments(given: &SegmentFilter, reader: &mut Reader) -> Result<Filter<ProductTest>> {
    let named = given.read(Subject::Products, reader)?.into_iter();
    Ok(Filter::All(
        named
            .map(|named| Filter::Test(ProductTest::Segment(named)))
            .collect(),
    ))
}

fn user_segments(given: &SegmentFilter, reader: &mut Reader) -> Result<Filter<UserTest>> {
    let named = given.read(Subject::Users, reader)?.into_iter();
    Ok(Filter::All(
        named
            .map(|named| Filter::Test(UserTest::Segment(named)))
            .collect(),
    ))
}

fn within(given: &Vec<ID>, reader: &mut Reader) -> Result<Filter<CategoryTest>> {
    Ok(Filter::Test(CategoryTest(
        CategoryField::Within,
        ids(given, reader)?,
    )))
}

filter_input! {
    /// Conditions on a category; all that are given must hold.
    CategoryFilter of CategoryTest, ids of Some(IdOf::Row(Kind::Category));
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| CategoryTest(CategoryField::Id, op),
        /// Its AliExpress category id.
        external_id: StringFilter = "externalId" => |op| CategoryTest(CategoryField::ExternalId, op),
        /// Its name, compared without regard to case in any script.
        category_name: StringFilter = "name" => |op| CategoryTest(CategoryField::Name, op),
        /// Its level in the tree, 1 at the top.
        level: IntFilter = "level" => |op| CategoryTest(CategoryField::Level, op),
        /// Whether the shipped category tree has it.
        is_known: BooleanFilter = "isKnown" => |op| CategoryTest(CategoryField::IsKnown, op),
    }
    related {}
    special {
        /// It is one of these categories or below one of them; of an empty list, none is.
        within: Vec<ID> = "within" => within,
    }
}

filter_input! {
    /// Conditions on a program; all that are given must hold.
    ProgramFilter of ProgramTest, ids of Some(IdOf::Row(Kind::Program));
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| ProgramTest(ProgramField::Id, op),
        /// Its id at Admitad, such as "6115".
        external_id: StringFilter = "externalId" => |op| ProgramTest(ProgramField::ExternalId, op),
        /// Its name, compared without regard to case in any script.
        program_name: StringFilter = "name" => |op| ProgramTest(ProgramField::Name, op),
        /// The currency that it pays in.
        currency: CurrencyFilter = "currency" => |op| ProgramTest(ProgramField::Currency, op),
    }
    related {}
    special {}
}

filter_input! {
    /// Conditions on an ad space; all that are given must hold.
    AdSpaceFilter of AdSpaceTest, ids of Some(IdOf::Row(Kind::AdSpace));
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| AdSpaceTest(AdSpaceField::Id, op),
        /// Its id at Admitad.
        external_id: StringFilter = "externalId" => |op| AdSpaceTest(AdSpaceField::ExternalId, op),
        /// Its name, compared without regard to case in any script.
        ad_space_name: StringFilter = "name" => |op| AdSpaceTest(AdSpaceField::Name, op),
    }
    related {}
    special {}
}

filter_input! {
    /// Conditions on a user; all that are given must hold.
    UserFilter of UserTest, ids of Some(IdOf::User);
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| UserTest::Field(UserField::Id, op),
        /// The value of the SubID that names the user.
        subid: StringFilter = "value" => |op| UserTest::Field(UserField::Value, op),
        /// The user space: ad spaces of one space share their users.
        user_space: StringFilter = "userSpace" => |op| UserTest::Field(UserField::UserSpace, op),
        /// The earliest order, of any status.
        first_seen_at: DateTimeFilter = "firstSeenAt" => |op| UserTest::Field(UserField::FirstSeen, op),
    }
    related {}
    special {
        /// Which segments of users it is in.
        segment: SegmentFilter = "segment" => user_segments,
        /// Which built-in segment of users it is in.
        built_in: BuiltInUserSegment = "builtInSegment" => of_users,
    }
}

filter_input! {
    /// Conditions on an import run; all that are given must hold.
    ImportFilter of ImportTest, ids of Some(IdOf::Row(Kind::ImportRun));
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| ImportTest(ImportField::Id, op),
        /// Its state.
        state: ImportStateFilter = "state" => |op| ImportTest(ImportField::State, op),
        /// The entrance, such as "FILE".
        entrance: StringFilter = "entrance" => |op| ImportTest(ImportField::Entrance, op),
        /// The name of the file.
        file_name: StringFilter = "name" => |op| ImportTest(ImportField::Name, op),
        /// When it started.
        started_at: DateTimeFilter = "startedAt" => |op| ImportTest(ImportField::StartedAt, op),
    }
    related {}
    special {}
}

filter_input! {
    /// Conditions on an adjustment; all that are given must hold.
    AdjustmentFilter of AdjustmentTest, ids of Some(IdOf::Row(Kind::Adjustment));
    fields {
        /// Its id.
        id: IdFilter = "id" => |op| AdjustmentTest::Field(AdjustmentField::Id, op),
        /// The account at Admitad.
        account: StringFilter = "account" => |op| AdjustmentTest::Field(AdjustmentField::Account, op),
        /// What it is.
        kind: AdjustmentKindFilter = "kind" => |op| AdjustmentTest::Field(AdjustmentField::Kind, op),
        /// Its day in the account's calendar.
        date: DateFilter = "date" => |op| AdjustmentTest::Field(AdjustmentField::Day, op),
        /// What it did to the balance: below 0 where it was lowered.
        amount: MoneyFilter = "amount" => |op| AdjustmentTest::Field(AdjustmentField::Amount, op),
        /// Its currency.
        currency: CurrencyFilter = "currency" => |op| AdjustmentTest::Field(AdjustmentField::Currency, op),
        /// What the source says of it, compared without regard to case in any script.
        comment: StringFilter = "comment" => |op| AdjustmentTest::Field(AdjustmentField::Comment, op),
        /// The source's own reference.
        reference: StringFilter = "reference" => |op| AdjustmentTest::Field(AdjustmentField::Reference, op),
    }
    related {
        /// Its program; fails for an adjustment without one.
        program: ProgramFilter = "program" => AdjustmentTest::Program,
        /// Its ad space; fails for an adjustment without one.
        ad_space: AdSpaceFilter = "adSpace" => AdjustmentTest::AdSpace,
    }
    special {}
}

filter_input! {
    /// Conditions on a balance; all that are given must hold.
    BalanceFilter of BalanceTest, ids of None;
    fields {
        /// The account at Admitad.
        account: StringFilter = "account" => |op| BalanceTest(BalanceField::Account, op),
        /// Its currency.
        currency: CurrencyFilter = "currency" => |op| BalanceTest(BalanceField::Currency, op),
    }
    related {}
    special {}
}
