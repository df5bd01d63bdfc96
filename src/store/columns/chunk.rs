//! Rows of actions with their carts as columns. A chunk is made once and never changed: who changes a row makes its
//! chunk anew, so that everybody who holds the old one goes on reading what was.

use crate::domain::action::{ActionType, Status};
use uuid::Uuid;

/// How many actions a chunk holds at most: few enough to be made anew within milliseconds.
pub(super) const ROWS: usize = 16_384;

/// A place in a list of names, from 1; 0 for none.
pub(super) type Place = u32;

/// An action on its way into a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActionRow {
    pub id: Uuid,
    /// The order, µs.
    pub at: i64,
    pub status: Status,
    pub kind: ActionType,
    pub currency: u8,
    pub program: u16,
    pub space: u16,
    pub user: Place,
    pub country: u16,
    pub device: u16,
    pub paid: bool,
    /// Reward, 1/10 000.
    pub reward: i64,
    /// Order amount, likewise.
    pub amount: Option<i64>,
    pub items: Vec<ItemRow>,
}

/// A cart item on its way into a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ItemRow {
    pub product: Place,
    pub category: Place,
    pub units: i32,
    /// Line amount, 1/10 000.
    pub amount: i64,
    /// Line reward, likewise.
    pub reward: i64,
}

/// Whole numbers in half the room, where they lie near each other: instants of whole seconds, amounts of whole cents.
#[derive(Debug)]
pub(super) enum Packed {
    /// The first plus so many steps.
    Narrow {
        base: i64,
        step: i64,
        steps: Vec<u32>,
    },
    /// As they are.
    Wide(Vec<i64>),
}

impl Packed {
    fn of(values: Vec<i64>) -> Self {
        let (Some(base), Some(top)) = (values.iter().min().copied(), values.iter().max().copied())
        else {
            return Self::Wide(values);
        };
        let Some(width) = top.checked_sub(base) else {
            return Self::Wide(values);
        };
        let fits = |step: &i64| {
            width / step <= i64::from(u32::MAX)
                && values.iter().all(|value| (value - base) % step == 0)
        };
        let Some(step) = [1_000_000, 100, 1].into_iter().find(fits) else {
            return Self::Wide(values);
        };
        let steps = values
            .iter()
            .map(|value| u32::try_from((value - base) / step).unwrap_or(u32::MAX))
            .collect();
        Self::Narrow { base, step, steps }
    }

    /// The value at a place; 0 beyond the last.
    pub(super) fn get(&self, place: usize) -> i64 {
        match self {
            Self::Narrow { base, step, steps } => steps
                .get(place)
                .map_or(0, |steps| base + step * i64::from(*steps)),
            Self::Wide(values) => values.get(place).copied().unwrap_or(0),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Narrow { steps, .. } => steps.capacity() * 4,
            Self::Wide(values) => values.capacity() * 8,
        }
    }
}

const PAID: u8 = 1;
const AMOUNTED: u8 = 2;
const CARTED: u8 = 4;

/// Up to [`ROWS`] actions with their carts.
#[derive(Debug)]
pub(super) struct Chunk {
    ids: Vec<Uuid>,
    at: Packed,
    status: Vec<u8>,
    kind: Vec<u8>,
    flags: Vec<u8>,
    currency: Vec<u8>,
    program: Vec<u16>,
    space: Vec<u16>,
    country: Vec<u16>,
    device: Vec<u16>,
    user: Vec<Place>,
    reward: Packed,
    amount: Packed,
    units: Packed,
    /// Where each action's items end.
    ends: Vec<u32>,
    product: Vec<Place>,
    category: Vec<Place>,
    item_units: Vec<i32>,
    item_amount: Packed,
    item_reward: Packed,
    /// The earliest and the latest order, µs.
    span: (i64, i64),
}

fn at<T: Copy + Default>(column: &[T], place: usize) -> T {
    column.get(place).copied().unwrap_or_default()
}

impl Chunk {
    /// The columns of some rows, up to [`ROWS`], in their order.
    pub(super) fn of(rows: &[ActionRow]) -> Self {
        let items: Vec<&ItemRow> = rows.iter().flat_map(|row| &row.items).collect();
        // Counted beforehand, so that no column has room to spare.
        let items = || items.iter();
        let mut end = 0u32;
        let ends = rows.iter().map(|row| {
            end = end.saturating_add(u32::try_from(row.items.len()).unwrap_or(u32::MAX));
            end
        });
        let ends = ends.collect();
        let flags = rows.iter().map(|row| {
            let carted = row.items.iter().any(|item| item.product > 0);
            let mut flags = 0;
            for (is, flag) in [
                (row.paid, PAID),
                (row.amount.is_some(), AMOUNTED),
                (carted, CARTED),
            ] {
                flags |= if is { flag } else { 0 };
            }
            flags
        });
        let units = |row: &ActionRow| row.items.iter().map(|item| i64::from(item.units)).sum();
        let times = || rows.iter().map(|row| row.at);
        Self {
            ids: rows.iter().map(|row| row.id).collect(),
            status: rows.iter().map(|row| row.status as u8).collect(),
            kind: rows.iter().map(|row| row.kind as u8).collect(),
            flags: flags.collect(),
            currency: rows.iter().map(|row| row.currency).collect(),
            program: rows.iter().map(|row| row.program).collect(),
            space: rows.iter().map(|row| row.space).collect(),
            country: rows.iter().map(|row| row.country).collect(),
            device: rows.iter().map(|row| row.device).collect(),
            user: rows.iter().map(|row| row.user).collect(),
            reward: Packed::of(rows.iter().map(|row| row.reward).collect()),
            amount: Packed::of(rows.iter().map(|row| row.amount.unwrap_or(0)).collect()),
            units: Packed::of(rows.iter().map(units).collect()),
            ends,
            product: items().map(|item| item.product).collect(),
            category: items().map(|item| item.category).collect(),
            item_units: items().map(|item| item.units).collect(),
            item_amount: Packed::of(items().map(|item| item.amount).collect()),
            item_reward: Packed::of(items().map(|item| item.reward).collect()),
            span: (
                times().min().unwrap_or(i64::MAX),
                times().max().unwrap_or(i64::MIN),
            ),
            at: Packed::of(times().collect()),
        }
    }

    /// How many actions it holds.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many bytes its columns take.
    pub(super) fn bytes(&self) -> usize {
        let packed = [
            &self.at,
            &self.reward,
            &self.amount,
            &self.units,
            &self.item_amount,
            &self.item_reward,
        ];
        let packed: usize = packed.iter().map(|column| column.bytes()).sum();
        // Ids; four columns of a byte, four of two, two of four; and three of four for each item.
        packed
            + self.ids.capacity() * (16 + 4 + 8 + 8)
            + self.product.capacity() * 12
            + size_of::<Self>()
    }

    /// The earliest and the latest order, µs.
    pub(super) fn span(&self) -> (i64, i64) {
        self.span
    }

    /// The ids, in the order of the rows.
    pub(super) fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    pub(super) fn id(&self, place: usize) -> Uuid {
        at(&self.ids, place)
    }

    /// The order, µs.
    pub(super) fn at(&self, place: usize) -> i64 {
        self.at.get(place)
    }

    /// The status, by its place in [`Status::ALL`].
    pub(super) fn status(&self, place: usize) -> usize {
        at(&self.status, place).into()
    }

    /// The type, by its place in [`ActionType::ALL`].
    pub(super) fn kind(&self, place: usize) -> usize {
        at(&self.kind, place).into()
    }

    pub(super) fn currency(&self, place: usize) -> usize {
        at(&self.currency, place).into()
    }

    pub(super) fn program(&self, place: usize) -> usize {
        at(&self.program, place).into()
    }

    pub(super) fn space(&self, place: usize) -> usize {
        at(&self.space, place).into()
    }

    pub(super) fn country(&self, place: usize) -> usize {
        at(&self.country, place).into()
    }

    pub(super) fn device(&self, place: usize) -> usize {
        at(&self.device, place).into()
    }

    pub(super) fn user(&self, place: usize) -> usize {
        index(at(&self.user, place))
    }

    pub(super) fn is_paid(&self, place: usize) -> bool {
        at(&self.flags, place) & PAID != 0
    }

    /// Whether it has an order amount.
    pub(super) fn is_amounted(&self, place: usize) -> bool {
        at(&self.flags, place) & AMOUNTED != 0
    }

    /// Whether its cart names a product.
    pub(super) fn is_carted(&self, place: usize) -> bool {
        at(&self.flags, place) & CARTED != 0
    }

    pub(super) fn reward(&self, place: usize) -> i64 {
        self.reward.get(place)
    }

    /// The order amount; 0 without one.
    pub(super) fn amount(&self, place: usize) -> i64 {
        self.amount.get(place)
    }

    pub(super) fn units(&self, place: usize) -> i64 {
        self.units.get(place)
    }

    /// The places of an action's items.
    pub(super) fn items(&self, place: usize) -> std::ops::Range<usize> {
        let start = place
            .checked_sub(1)
            .map_or(0, |before| at(&self.ends, before));
        index(start)..index(at(&self.ends, place))
    }

    pub(super) fn product(&self, item: usize) -> usize {
        index(at(&self.product, item))
    }

    pub(super) fn category(&self, item: usize) -> usize {
        index(at(&self.category, item))
    }

    pub(super) fn item_units(&self, item: usize) -> i64 {
        at(&self.item_units, item).into()
    }

    pub(super) fn item_amount(&self, item: usize) -> i64 {
        self.item_amount.get(item)
    }

    pub(super) fn item_reward(&self, item: usize) -> i64 {
        self.item_reward.get(item)
    }

    /// A row as it came in.
    pub(super) fn row(&self, place: usize) -> ActionRow {
        let items = self.items(place).map(|item| ItemRow {
            product: at(&self.product, item),
            category: at(&self.category, item),
            units: at(&self.item_units, item),
            amount: self.item_amount(item),
            reward: self.item_reward(item),
        });
        let status = Status::ALL.get(self.status(place)).copied();
        let kind = ActionType::ALL.get(self.kind(place)).copied();
        ActionRow {
            id: self.id(place),
            at: self.at(place),
            status: status.unwrap_or(Status::Unknown),
            kind: kind.unwrap_or(ActionType::Unknown),
            currency: at(&self.currency, place),
            program: at(&self.program, place),
            space: at(&self.space, place),
            user: at(&self.user, place),
            country: at(&self.country, place),
            device: at(&self.device, place),
            paid: self.is_paid(place),
            reward: self.reward(place),
            amount: self.is_amounted(place).then(|| self.amount(place)),
            items: items.collect(),
        }
    }
}

/// A place as an index.
pub(super) fn index(place: Place) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_row() -> impl Strategy<Value = ActionRow> {
        let item = (
            0u32..5,
            0u32..5,
            any::<i32>(),
            -9_000i64..9_000,
            any::<i32>(),
        )
            .prop_map(|(product, category, units, amount, reward)| ItemRow {
                product,
                category,
                units,
                amount: amount * 100,
                reward: reward.into(),
            });
        let names = (
            any::<u128>(),
            0u8..3,
            0u16..9,
            0u16..9,
            0u32..9,
            0u16..9,
            0u16..3,
        );
        let sums = (
            prop_oneof![
                any::<i64>(),
                (0i64..1_000).prop_map(|second| second * 1_000_000)
            ],
            any::<bool>(),
            any::<i64>(),
            proptest::option::of(any::<i32>()),
            0usize..5,
            0usize..3,
        );
        (names, sums, proptest::collection::vec(item, 0..4)).prop_map(
            |((id, currency, program, space, user, country, device), sums, items)| {
                let (at, paid, reward, amount, status, kind) = sums;
                ActionRow {
                    id: Uuid::from_u128(id),
                    at,
                    status: Status::ALL[status],
                    kind: ActionType::ALL[kind],
                    currency,
                    program,
                    space,
                    user,
                    country,
                    device,
                    paid,
                    reward,
                    amount: amount.map(i64::from),
                    items,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_goes_into_a_chunk_comes_out(rows in proptest::collection::vec(any_row(), 0..30)) {
            let chunk = Chunk::of(&rows);
            let back: Vec<ActionRow> = (0..chunk.len()).map(|place| chunk.row(place)).collect();
            prop_assert_eq!(&back, &rows);
            for (place, row) in rows.iter().enumerate() {
                prop_assert!(chunk.span().0 <= row.at && row.at <= chunk.span().1);
                let units: i64 = row.items.iter().map(|item| i64::from(item.units)).sum();
                prop_assert_eq!(chunk.units(place), units);
                prop_assert_eq!(chunk.is_carted(place), row.items.iter().any(|item| item.product > 0));
            }
        }
    }
}
