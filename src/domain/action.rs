//! The target action, its cart items and its states, and how an arriving state meets what is known.
//!
//! [`merge`] is the one place that decides what a newer, older or repeated state changes. Every field is a register:
//! it holds the value of the newest state that had one, so any order of arrival ends in one content (ADR 0016).

use super::id::{Kind, PublisherId, derive};
use super::money::Currency;
use super::notice::Notice;
use super::time::Instant;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use uuid::{Builder, Uuid, Version};

/// The network, the same for every entrance.
pub const SOURCE: &str = "admitad";

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// All values, in the order of their meaning.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it is stored and shown.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads what [`Self::as_str`] wrote.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

pub(crate) use words;

words! {
    /// Where an action stands in its life cycle.
    Status {
        /// On hold: registered, or back to hold, not processed.
        Pending = "PENDING",
        /// Confirmed.
        Approved = "APPROVED",
        /// Confirmed while the program's balance is empty.
        ApprovedButStalled = "APPROVED_BUT_STALLED",
        /// Declined.
        Declined = "DECLINED",
        /// A word of upstream's that we do not know; it is kept as `rawStatus`.
        Unknown = "UNKNOWN",
    }
}

impl Status {
    /// Reads upstream's word.
    #[must_use]
    pub fn from_upstream(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "pending" | "new" => Self::Pending,
            "approved" => Self::Approved,
            "approved_but_stalled" => Self::ApprovedButStalled,
            "declined" => Self::Declined,
            _ => Self::Unknown,
        }
    }

    /// Whether the advertiser has decided.
    #[must_use]
    pub fn is_processed(self) -> bool {
        matches!(
            self,
            Self::Approved | Self::ApprovedButStalled | Self::Declined
        )
    }

    /// Whether it counts as approved in rates.
    #[must_use]
    pub fn counts_as_approved(self) -> bool {
        matches!(self, Self::Approved | Self::ApprovedButStalled)
    }
}

words! {
    /// What the user did.
    ActionType {
        /// An order.
        Sale = "SALE",
        /// Any other event, such as a registration.
        Lead = "LEAD",
        /// Upstream did not say.
        Unknown = "UNKNOWN",
    }
}

/// How new a state is: first by when the status changed (else by the order), then by when it was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The status change, else the order.
    pub changed_at: Instant,
    /// When the state was observed: the request of the page, the receipt of the postback, a file's `--as-of`.
    pub observed_at: Instant,
}

impl Stamp {
    /// Older than every state: the stamp of what none has said yet.
    pub const NEVER: Self = Self {
        changed_at: Instant::MIN,
        observed_at: Instant::MIN,
    };
}

/// What a state says of the action's standing. A state may leave status, payment and type unsaid ([`Slot::STANDING`]);
/// what stands here for them then means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// Status.
    pub status: Status,
    /// Status in upstream's word.
    pub raw_status: String,
    /// Reward released.
    pub paid: bool,
    /// Processed by the advertiser.
    pub processed: bool,
    /// Reward, 1/10 000.
    pub reward_e4: i64,
    /// Currency of reward and order amount.
    pub currency: Currency,
    /// Sale or lead.
    pub action_type: ActionType,
    /// Order.
    pub ordered_at: Instant,
    /// Last status change, if upstream gave one.
    pub status_updated_at: Option<Instant>,
}

words! {
    /// The fields of an action that are registers of their own.
    Slot {
        /// Order number.
        OrderId = "orderId",
        /// Tariff.
        TariffId = "tariffId",
        /// Name of the rate.
        ActionName = "actionName",
        /// Order amount.
        OrderAmount = "orderAmount",
        /// Click.
        ClickedAt = "clickedAt",
        /// Closing day.
        ClosingDay = "closingDay",
        /// Seconds from click to order.
        ConversionSeconds = "conversionSeconds",
        /// Click country.
        Country = "country",
        /// `subid`.
        Subid0 = "subid0",
        /// `subid1`.
        Subid1 = "subid1",
        /// `subid2`.
        Subid2 = "subid2",
        /// `subid3`.
        Subid3 = "subid3",
        /// `subid4`.
        Subid4 = "subid4",
        /// Keyword.
        Keyword = "keyword",
        /// Comment.
        Comment = "comment",
        /// Promo code.
        PromoCode = "promoCode",
        /// Device class.
        Device = "device",
        /// Program; every state names one.
        Program = "program",
        /// Ad space.
        AdSpace = "adSpace",
        /// The cart.
        Items = "items",
        /// Status, its word and whether it is processed; its value lies in the [`Standing`].
        Status = "status",
        /// Whether the reward is released; likewise.
        Paid = "paid",
        /// Sale or lead; likewise.
        ActionType = "actionType",
    }
}

impl Slot {
    /// The five SubID slots in order.
    pub const SUBIDS: [Self; 5] = [
        Self::Subid0,
        Self::Subid1,
        Self::Subid2,
        Self::Subid3,
        Self::Subid4,
    ];

    /// The parts of a [`Standing`] that are registers of their own, for not every input has them.
    pub const STANDING: [Self; 3] = [Self::Status, Self::Paid, Self::ActionType];
}

impl Standing {
    /// How a part of the standing compares with another's; only serves to settle two states of the same stamp.
    fn compare(&self, other: &Self, part: Slot) -> Ordering {
        match part {
            Slot::Status => self.said_status().cmp(&other.said_status()),
            Slot::Paid => self.paid.cmp(&other.paid),
            Slot::ActionType => self.action_type.cmp(&other.action_type),
            _ => Ordering::Equal,
        }
    }

    fn said_status(&self) -> (Status, &str, bool) {
        (self.status, &self.raw_status, self.processed)
    }

    /// Takes a part over from another standing.
    fn take(&mut self, other: &Self, part: Slot) {
        match part {
            Slot::Status => {
                self.status = other.status;
                self.raw_status.clone_from(&other.raw_status);
                self.processed = other.processed;
            }
            Slot::Paid => self.paid = other.paid,
            Slot::ActionType => self.action_type = other.action_type,
            _ => {}
        }
    }
}

/// The value of a slot. The order only serves to settle two states of the same stamp alike everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotValue {
    /// A number: money in 1/10 000, µs, days or seconds.
    Number(i64),
    /// A text.
    Text(String),
    /// What is known by a name only: what the name stands for by itself, and the row that it leads to now. The first never
    /// changes; the second may, and then stored actions follow it.
    Name {
        /// Of the name alone.
        told: Uuid,
        /// Of the row.
        home: Uuid,
    },
    /// An id.
    Id(Uuid),
    /// The cart.
    Items(Vec<Item>),
}

impl SlotValue {
    /// The row that a name or an id leads to.
    #[must_use]
    pub fn row(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) | Self::Name { home: id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether it is more than a name: what an id says stands over every name, for two rows may have one name.
    fn is_certain(&self) -> bool {
        !matches!(self, Self::Name { .. })
    }
}

/// A cart item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Upstream's position id.
    pub external_id: Option<String>,
    /// The product.
    pub product_id: Option<Uuid>,
    /// The item's own category.
    pub category_id: Option<Uuid>,
    /// Line amount, 1/10 000.
    pub amount_e4: i64,
    /// Line reward, 1/10 000.
    pub reward_e4: i64,
    /// Percent or fixed sum, 1/10 000.
    pub rate_e4: Option<i64>,
    /// Whether the rate is a percentage.
    pub is_percentage: Option<bool>,
    /// Tariff.
    pub tariff_id: Option<String>,
    /// Rate.
    pub rate_id: Option<String>,
    /// Units sold.
    pub units: i32,
    /// The position's own instant.
    pub ordered_at: Option<Instant>,
    /// Product country code, verbatim.
    pub product_country: Option<String>,
}

/// An action as it is stored: the newest standing, the slots, and the stamps of those that are older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Standing of the newest state, or of the notice over it.
    pub standing: Standing,
    /// Stamp of the newest state.
    pub stamp: Stamp,
    /// The newest notice: a state without the time of its change.
    pub notice: Option<Notice>,
    /// Standing of the newest state where the notice stands over it.
    pub beneath: Option<Standing>,
    /// Filled slots.
    pub slots: BTreeMap<Slot, SlotValue>,
    /// Stamps of the slots, and of the [parts of the standing](Slot::STANDING), that do not come from the newest state;
    /// [`Stamp::NEVER`] for a part that no state has said.
    pub inherited: BTreeMap<Slot, Stamp>,
}

/// What [`merge`] made of an arriving state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// A newer state: the row changes.
    Updated,
    /// An older state that filled an empty or older slot: the row changes, its standing does not.
    Filled,
    /// The same as what is stored, seen later: only the observation moves, nothing that an answer shows.
    Observed,
    /// The same as what is stored.
    Same,
    /// Older than what is stored and without anything new.
    Stale,
}

/// Brings an arriving state into what is known.
///
/// The standing is the newest state's. Each slot, and each of the [parts of the standing](Slot::STANDING) that a state may
/// leave unsaid, holds the value of the newest state that had one: an empty value never overwrites, an older state may
/// fill what newer ones left empty. Two different states of one stamp are settled by their values, so that the order of
/// arrival does not matter. What is known by its id does not become what a newer state only names.
pub fn merge(known: &mut Record, arriving: &Record) -> Merged {
    let before = known.clone();
    known.uncover();
    let newer = arriving.rank() > known.rank();
    let held = known.slots.keys().copied().chain(Slot::STANDING);
    let stamps: BTreeMap<Slot, Stamp> = held.map(|slot| (slot, known.stamp_of(slot))).collect();
    if newer {
        let held = std::mem::replace(&mut known.standing, arriving.standing.clone());
        for part in Slot::STANDING {
            known.standing.take(&held, part);
        }
        known.stamp = arriving.stamp;
        known.inherited = stamps
            .into_iter()
            .filter(|(_, stamp)| *stamp != arriving.stamp)
            .collect();
    }
    for (slot, value) in &arriving.slots {
        known.offer(*slot, value, arriving.stamp_of(*slot));
    }
    for part in Slot::STANDING {
        known.offer_part(part, arriving);
    }
    if arriving.notice > known.notice {
        known.notice.clone_from(&arriving.notice);
    }
    known.cover();
    if *known == before {
        let seen = arriving.stamp == known.stamp || arriving.standing == known.standing;
        return if seen { Merged::Same } else { Merged::Stale };
    }
    if same_to_a_reader(&before, known) {
        Merged::Observed
    } else if newer || before.standing != known.standing {
        Merged::Updated
    } else {
        Merged::Filled
    }
}

/// Whether two records differ in nothing but when they were observed.
fn same_to_a_reader(before: &Record, after: &Record) -> bool {
    before.standing == after.standing
        && same_values(&before.slots, &after.slots)
        && before.stamp.changed_at == after.stamp.changed_at
}

/// Whether two sets of slots show the same: an id and a name that lead to one row do.
fn same_values(before: &BTreeMap<Slot, SlotValue>, after: &BTreeMap<Slot, SlotValue>) -> bool {
    let same = |a: &SlotValue, b: &SlotValue| a == b || a.row().is_some() && a.row() == b.row();
    before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .all(|((slot, a), (other, b))| slot == other && same(a, b))
}

impl Record {
    /// The stamp of the state that the value of a slot or of a part of the standing comes from.
    #[must_use]
    pub fn stamp_of(&self, slot: Slot) -> Stamp {
        self.inherited.get(&slot).copied().unwrap_or(self.stamp)
    }

    /// How new the state is: what decides whose standing stands, but for its parts that are registers of their own.
    ///
    /// Of two states of one stamp the one with the greater status is taken as a whole. That is the status of the newest
    /// state itself, or none where it says none: the record keeps as much, so a rank is the same whatever came in between.
    fn rank(&self) -> impl Ord {
        let standing = &self.standing;
        let says_status = self.stamp_of(Slot::Status) == self.stamp;
        (
            self.stamp,
            says_status.then(|| standing.said_status()),
            (standing.reward_e4, standing.currency),
            (standing.ordered_at, standing.status_updated_at),
        )
    }

    /// Lets the notice stand over the newest state, if it says something newer.
    fn cover(&mut self) {
        let shown = self
            .notice
            .as_ref()
            .and_then(|notice| notice.over(&self.standing, self.stamp_of(Slot::Status)));
        if let Some(shown) = shown {
            self.beneath = Some(std::mem::replace(&mut self.standing, shown));
        }
    }

    /// Shows the newest state's own standing.
    fn uncover(&mut self) {
        if let Some(dated) = self.beneath.take() {
            self.standing = dated;
        }
    }

    /// How new the standing is that is shown: a notice over the newest state is as new as its receipt.
    #[must_use]
    pub fn shown_stamp(&self) -> Stamp {
        match (&self.beneath, &self.notice) {
            (Some(_), Some(notice)) => Stamp {
                changed_at: notice.received_at,
                observed_at: notice.received_at,
            },
            _ => self.stamp,
        }
    }

    fn offer(&mut self, slot: Slot, value: &SlotValue, stamp: Stamp) {
        if let Some(held) = self.slots.get(&slot)
            && (held.is_certain(), self.stamp_of(slot), held) >= (value.is_certain(), stamp, value)
        {
            return;
        }
        self.slots.insert(slot, value.clone());
        if stamp == self.stamp {
            self.inherited.remove(&slot);
        } else {
            self.inherited.insert(slot, stamp);
        }
    }

    fn offer_part(&mut self, part: Slot, arriving: &Self) {
        let stamp = arriving.stamp_of(part);
        let compared = stamp.cmp(&self.stamp_of(part));
        if compared.then_with(|| arriving.standing.compare(&self.standing, part))
            == Ordering::Greater
        {
            self.standing.take(&arriving.standing, part);
            if stamp == self.stamp {
                self.inherited.remove(&part);
            } else {
                self.inherited.insert(part, stamp);
            }
        }
    }

    /// A text slot.
    #[must_use]
    pub fn text(&self, slot: Slot) -> Option<&str> {
        match self.slots.get(&slot) {
            Some(SlotValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A number slot.
    #[must_use]
    pub fn number(&self, slot: Slot) -> Option<i64> {
        match self.slots.get(&slot) {
            Some(SlotValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The program.
    #[must_use]
    pub fn program_id(&self) -> Uuid {
        self.id(Slot::Program).unwrap_or_default()
    }

    /// The row that a slot names.
    #[must_use]
    pub fn id(&self, slot: Slot) -> Option<Uuid> {
        self.slots.get(&slot)?.row()
    }

    /// What a slot's name stands for by itself; none where it is empty or was told by an id.
    #[must_use]
    pub fn told_name(&self, slot: Slot) -> Option<Uuid> {
        match self.slots.get(&slot) {
            Some(SlotValue::Name { told, .. }) => Some(*told),
            _ => None,
        }
    }

    /// The cart.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match self.slots.get(&Slot::Items) {
            Some(SlotValue::Items(items)) => items,
            _ => &[],
        }
    }
}

/// A state in an action's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Status.
    pub status: Status,
    /// Status in upstream's word.
    pub raw_status: String,
    /// Reward released.
    pub paid: bool,
    /// Whether it says so; otherwise `paid` is false and means nothing.
    pub says_paid: bool,
    /// Reward, 1/10 000.
    pub reward_e4: i64,
    /// Order amount, 1/10 000.
    pub order_amount_e4: Option<i64>,
    /// Currency.
    pub currency: Currency,
    /// When it began and when it was first observed.
    pub stamp: Stamp,
    /// Whether its beginning is known; of a state that only a postback told of it is not, and means nothing.
    pub is_dated: bool,
}

impl State {
    /// The id of the state: of what it says, so that seeing it again adds nothing.
    #[must_use]
    pub fn id(&self, publisher: PublisherId, action: Uuid) -> Uuid {
        let amount = self
            .order_amount_e4
            .map_or_else(String::new, |amount| amount.to_string());
        let began = if self.is_dated {
            self.stamp.changed_at.micros().to_string()
        } else {
            "undated".to_owned()
        };
        let key = format!(
            "{action}\0{}\0{}\0{began}\0{}\0{amount}\0{}",
            self.raw_status, self.paid, self.reward_e4, self.currency,
        );
        let id = derive(publisher, Kind::State, &key);
        if self.says_paid {
            return id;
        }
        // Another one than of the state that says it, and known by that: nothing else of a stored state tells it.
        let unsaid = Builder::from_bytes(*id.as_bytes()).with_version(Version::Custom);
        unsaid.into_uuid()
    }

    /// Whether the state with an id says something of payment.
    #[must_use]
    pub fn id_says_paid(id: Uuid) -> bool {
        id.get_version() != Some(Version::Custom)
    }
}

/// Whether the newest of these states is on hold after an older one had been decided.
#[must_use]
pub fn returned_to_hold<'a>(
    current: &Standing,
    stamp: Stamp,
    states: impl IntoIterator<Item = &'a State>,
) -> bool {
    current.status == Status::Pending
        && states
            .into_iter()
            .any(|state| state.status.is_processed() && state.stamp < stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(changed: i64, observed: i64, status: Status, slots: &[(Slot, &str)]) -> Record {
        Record {
            standing: Standing {
                status,
                raw_status: status.as_str().to_ascii_lowercase(),
                paid: false,
                processed: status.is_processed(),
                reward_e4: 1,
                currency: Currency::USD,
                action_type: ActionType::Sale,
                ordered_at: Instant::from_micros(0).unwrap(),
                status_updated_at: None,
            },
            stamp: Stamp {
                changed_at: Instant::from_micros(changed).unwrap(),
                observed_at: Instant::from_micros(observed).unwrap(),
            },
            slots: slots
                .iter()
                .map(|(slot, text)| (*slot, SlotValue::Text((*text).to_owned())))
                .collect(),
            inherited: BTreeMap::new(),
            notice: None,
            beneath: None,
        }
    }

    #[test]
    fn an_empty_value_never_overwrites() {
        let mut known = record(1, 1, Status::Pending, &[(Slot::Comment, "hello")]);
        assert_eq!(
            merge(&mut known, &record(2, 2, Status::Approved, &[])),
            Merged::Updated
        );
        assert_eq!(known.text(Slot::Comment), Some("hello"));
        assert_eq!(known.standing.status, Status::Approved);
    }

    #[test]
    fn an_older_state_fills_but_never_changes_the_standing() {
        let mut known = record(5, 5, Status::Approved, &[]);
        assert_eq!(
            merge(
                &mut known,
                &record(1, 9, Status::Pending, &[(Slot::Keyword, "a")])
            ),
            Merged::Filled
        );
        assert_eq!(known.standing.status, Status::Approved);
        assert_eq!(known.text(Slot::Keyword), Some("a"));
        assert_eq!(
            merge(
                &mut known,
                &record(1, 9, Status::Pending, &[(Slot::Keyword, "a")])
            ),
            Merged::Stale
        );
    }

    #[test]
    fn seeing_a_state_again_later_changes_nothing_a_reader_sees() {
        let mut known = record(5, 5, Status::Approved, &[(Slot::Keyword, "a")]);
        let before = shown(&known);
        assert_eq!(
            merge(
                &mut known,
                &record(5, 9, Status::Approved, &[(Slot::Keyword, "a")])
            ),
            Merged::Observed
        );
        assert_eq!(shown(&known), before);
        assert_eq!(
            merge(
                &mut known,
                &record(5, 9, Status::Approved, &[(Slot::Keyword, "a")])
            ),
            Merged::Same
        );
    }

    #[test]
    fn a_newer_name_moves_nothing_that_is_known_by_its_id() {
        let with = |changed, value: &SlotValue| {
            let mut record = record(changed, changed, Status::Pending, &[]);
            record.slots.insert(Slot::AdSpace, value.clone());
            record
        };
        let name = SlotValue::Name {
            told: Uuid::from_u128(7),
            home: Uuid::from_u128(5),
        };
        let id = SlotValue::Id(Uuid::from_u128(9));
        for order in [[(1, &id), (2, &name)], [(2, &name), (1, &id)]] {
            let [first, second] = order.map(|(changed, value)| with(changed, value));
            let mut known = first;
            merge(&mut known, &second);
            assert_eq!(known.id(Slot::AdSpace), Some(Uuid::from_u128(9)));
            assert_eq!(known.stamp_of(Slot::AdSpace), with(1, &id).stamp);
            assert_eq!(known.stamp, with(2, &name).stamp);
        }
        // A reader sees nothing of how it is known.
        let mut known = with(1, &name);
        let same = SlotValue::Id(Uuid::from_u128(5));
        assert_eq!(merge(&mut known, &with(1, &same)), Merged::Observed);
        assert_eq!(known.told_name(Slot::AdSpace), None);
    }

    /// The same, without some parts of the standing.
    fn unsaid(mut record: Record, parts: &[Slot]) -> Record {
        for part in parts {
            match part {
                Slot::Status => {
                    record.standing.status = Status::Unknown;
                    record.standing.raw_status = String::new();
                    record.standing.processed = false;
                }
                Slot::Paid => record.standing.paid = false,
                _ => record.standing.action_type = ActionType::Unknown,
            }
            record.inherited.insert(*part, Stamp::NEVER);
        }
        record
    }

    #[test]
    fn a_table_without_payment_type_or_status_leaves_them_as_they_are() {
        let mut api = record(5, 6, Status::Approved, &[]);
        api.standing.paid = true;
        let table = record(5, 9, Status::Approved, &[(Slot::Keyword, "a")]);
        let table = unsaid(table, &[Slot::Paid, Slot::ActionType]);
        let bare = unsaid(record(7, 8, Status::Pending, &[]), &Slot::STANDING);
        for order in [[&api, &table, &bare], [&bare, &table, &api]] {
            let mut known = order[0].clone();
            merge(&mut known, order[1]);
            merge(&mut known, order[2]);
            assert_eq!(known.standing.status, Status::Approved);
            assert!(known.standing.paid && known.standing.processed);
            assert_eq!(known.standing.action_type, ActionType::Sale);
            assert_eq!(known.stamp, bare.stamp);
            assert_eq!(known.stamp_of(Slot::Paid), api.stamp);
            assert_eq!(known.stamp_of(Slot::Status), table.stamp);
            assert_eq!(merge(&mut known, &bare), Merged::Same);
        }
        // What is said overwrites.
        let mut known = table.clone();
        merge(&mut known, &api);
        merge(&mut known, &record(8, 9, Status::Declined, &[]));
        assert_eq!(known.standing.status, Status::Declined);
        assert!(!known.standing.paid && known.inherited.len() == 1);
    }

    /// One of two rows, by its id or by one of two names that lead to the first.
    fn named_row() -> impl Strategy<Value = SlotValue> {
        let id = (0u128..2).prop_map(|id| SlotValue::Id(Uuid::from_u128(id)));
        let name = (7u128..9).prop_map(|told| SlotValue::Name {
            told: Uuid::from_u128(told),
            home: Uuid::from_u128(0),
        });
        prop_oneof![id, name]
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let slot = prop_oneof![Just(Slot::Comment), Just(Slot::Subid1), Just(Slot::Keyword)];
        let status = prop_oneof![
            Just(Status::Pending),
            Just(Status::Approved),
            Just(Status::Declined)
        ];
        (
            1i64..5,
            0i64..4,
            status,
            proptest::collection::btree_map(slot, "[ab]", 0..3),
            named_row(),
            (
                any::<bool>(),
                1i64..3,
                0usize..3,
                proptest::option::of(named_row()),
            ),
            proptest::sample::subsequence(Slot::STANDING.to_vec(), 0..=3),
        )
            .prop_map(|(changed, observed, status, slots, program, more, parts)| {
                let slots: Vec<(Slot, &str)> = slots
                    .iter()
                    .map(|(slot, text)| (*slot, text.as_str()))
                    .collect();
                let mut record = record(changed, observed, status, &slots);
                let (paid, reward, action_type, ad_space) = more;
                let ad_space = ad_space.map(|value| (Slot::AdSpace, value));
                record.slots.extend(ad_space);
                record.slots.insert(Slot::Program, program);
                record.standing.paid = paid;
                record.standing.reward_e4 = reward;
                record.standing.action_type = ActionType::ALL[action_type];
                unsaid(record, &parts)
            })
    }

    /// What an answer can show of a record: all but the observation times.
    fn shown(record: &Record) -> (Standing, Instant, BTreeMap<Slot, SlotValue>) {
        (
            record.standing.clone(),
            record.stamp.changed_at,
            record.slots.clone(),
        )
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_ends_in_one_content(
            records in proptest::collection::vec(any_record(), 1..7), seed in any::<u64>(),
        ) {
            let fold = |records: &[Record]| {
                let mut all = records.iter();
                let mut known = all.next().expect("at least one").clone();
                all.for_each(|record| { merge(&mut known, record); });
                known
            };
            let mut shuffled = records.clone();
            let len = shuffled.len();
            for place in 0..len {
                let other = usize::try_from(seed.rotate_left(u32::try_from(place * 7).unwrap())).unwrap() % len;
                shuffled.swap(place, other);
            }
            let content = fold(&records);
            prop_assert_eq!(&content, &fold(&shuffled));
            // And whatever was known before of some of them: content meets content as states do.
            let (left, right) = records.split_at(len / 2);
            if !left.is_empty() && !right.is_empty() {
                let mut both = fold(left);
                merge(&mut both, &fold(right));
                prop_assert_eq!(&content, &both);
            }
        }
    }
}
