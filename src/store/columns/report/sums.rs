//! Sums over the rows of a group, and which group a row belongs to.

use super::super::chunk::Chunk;
use crate::domain::action::Status;
use crate::domain::report::metric::{Measure, Standing};
use std::collections::HashMap;

/// Up to how many groups are looked up by number, without a search.
const DENSE: usize = 1 << 21;
/// Up to how many pairs of a group and a user are noted as bits.
const BITS: usize = 1 << 27;

/// A sum over the rows of a group.
pub(super) enum Sum {
    /// Actions of the statuses marked.
    Actions([bool; 5]),
    Units,
    Amount([bool; 5]),
    Reward([bool; 5]),
    Paid,
    Amounted,
    Carted,
    /// Counted elsewhere.
    Nothing,
}

impl Sum {
    pub(super) fn of(measure: Measure) -> Self {
        let statuses = |standing: Standing| {
            let is = |status: Status| match standing {
                Standing::Any => true,
                Standing::Pending => matches!(status, Status::Pending | Status::Unknown),
                Standing::Approved => status.counts_as_approved(),
                Standing::Declined => status == Status::Declined,
            };
            let mut marked = [false; 5];
            for (mark, status) in marked.iter_mut().zip(Status::ALL) {
                *mark = is(*status);
            }
            marked
        };
        match measure {
            Measure::Actions(standing) => Self::Actions(statuses(standing)),
            Measure::Units => Self::Units,
            Measure::OrderAmount(standing) => Self::Amount(statuses(standing)),
            Measure::Reward(standing) => Self::Reward(statuses(standing)),
            Measure::PaidReward => Self::Paid,
            Measure::Amounted => Self::Amounted,
            Measure::Carted => Self::Carted,
            Measure::Users
            | Measure::ActionsInCurrency
            | Measure::ConversionLag
            | Measure::ValidationLag
            | Measure::Clicks
            | Measure::Views => Self::Nothing,
        }
    }

    /// What an action adds; with `of_items` its money as its items say.
    pub(super) fn of_action(&self, chunk: &Chunk, place: usize, of_items: bool) -> i64 {
        let is = |marked: &[bool; 5]| marked.get(chunk.status(place)).copied().unwrap_or(false);
        match self {
            Self::Actions(marked) => i64::from(is(marked)),
            Self::Units => chunk.units(place),
            Self::Amount(marked) | Self::Reward(marked) if !is(marked) => 0,
            Self::Amount(_) if of_items => {
                chunk.items(place).map(|item| chunk.item_amount(item)).sum()
            }
            Self::Amount(_) => chunk.amount(place),
            Self::Reward(_) if of_items => {
                chunk.items(place).map(|item| chunk.item_reward(item)).sum()
            }
            Self::Reward(_) => chunk.reward(place),
            Self::Paid if chunk.is_paid(place) => chunk.reward(place),
            Self::Amounted => i64::from(chunk.is_amounted(place)),
            Self::Carted => i64::from(chunk.is_carted(place)),
            Self::Paid | Self::Nothing => 0,
        }
    }

    /// What a cart item adds; its action counts where the group sees it first.
    pub(super) fn of_item(
        &self,
        chunk: &Chunk,
        (place, item): (usize, usize),
        is_first: bool,
    ) -> i64 {
        let is = |marked: &[bool; 5]| marked.get(chunk.status(place)).copied().unwrap_or(false);
        match self {
            Self::Actions(marked) => i64::from(is_first && is(marked)),
            Self::Units => chunk.item_units(item),
            Self::Amount(marked) if is(marked) => chunk.item_amount(item),
            Self::Reward(marked) if is(marked) => chunk.item_reward(item),
            _ => 0,
        }
    }
}

/// Groups by the number of their key.
enum Slots {
    /// A number for each key that there can be, from 1.
    Dense(Vec<u32>),
    Sparse(HashMap<u64, u32>),
}

impl Slots {
    fn new(keys: u64) -> Self {
        match usize::try_from(keys) {
            Ok(keys) if keys <= DENSE => Self::Dense(vec![0; keys]),
            _ => Self::Sparse(HashMap::new()),
        }
    }

    /// The slot of a key, which is `next` if it had none.
    fn of(&mut self, key: u64, next: usize) -> usize {
        let fresh = u32::try_from(next + 1).unwrap_or(u32::MAX);
        let slot = match self {
            Self::Dense(slots) => {
                let found = usize::try_from(key).ok().and_then(|key| slots.get_mut(key));
                match found {
                    Some(slot) if *slot > 0 => *slot,
                    Some(slot) => {
                        *slot = fresh;
                        fresh
                    }
                    None => fresh,
                }
            }
            Self::Sparse(slots) => *slots.entry(key).or_insert(fresh),
        };
        usize::try_from(slot - 1).unwrap_or(usize::MAX)
    }
}

/// Groups by the numbers of their keys, as many as there may be.
pub(super) struct Groups<T> {
    slots: Slots,
    all: Vec<T>,
    most: usize,
}

impl<T> Groups<T> {
    /// None yet, of so many keys that there can be.
    pub(super) fn new(keys: u64, most: usize) -> Self {
        Self {
            slots: Slots::new(keys),
            all: Vec::new(),
            most,
        }
    }

    /// The group of a key and its slot, made where it is the first of it; nothing where it would be one too many.
    pub(super) fn of(&mut self, key: u64, make: impl FnOnce() -> T) -> Option<(usize, &mut T)> {
        let next = self.all.len();
        let slot = self.slots.of(key, next);
        if slot == next && next < self.most {
            self.all.push(make());
        }
        Some((slot, self.all.get_mut(slot)?))
    }

    /// All of them.
    pub(super) fn into_all(self) -> Vec<T> {
        self.all
    }
}

/// The users of each group, each once.
pub(super) enum Seen {
    /// A bit for each pair, `users` for each group.
    Bits {
        bits: Vec<u64>,
        users: usize,
    },
    Pairs(Vec<(u32, u32)>),
}

impl Seen {
    /// Nobody, for so many keys and users.
    pub(super) fn new(keys: u64, users: usize) -> Self {
        let pairs = usize::try_from(keys).ok();
        match pairs.and_then(|keys| keys.checked_mul(users)) {
            Some(pairs) if pairs <= BITS => Self::Bits {
                bits: vec![0; pairs / 64 + 1],
                users,
            },
            _ => Self::Pairs(Vec::new()),
        }
    }

    /// Notes a user in a group: 1 where that is known to be new.
    pub(super) fn see(&mut self, slot: usize, user: usize) -> i64 {
        match self {
            Self::Bits { bits, users } => {
                let bit = slot * *users + user;
                let Some(word) = bits.get_mut(bit / 64) else {
                    return 0;
                };
                let mask = 1u64 << (bit % 64);
                let is_new = *word & mask == 0;
                *word |= mask;
                i64::from(is_new)
            }
            Self::Pairs(pairs) => {
                let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
                pairs.push((number(slot), number(user)));
                0
            }
        }
    }

    /// Counts what was not counted at once.
    pub(super) fn settle(self, groups: &mut [(u64, i64, i64)]) {
        let Self::Pairs(mut pairs) = self else { return };
        pairs.sort_unstable();
        pairs.dedup();
        for (slot, _) in pairs {
            let slot = usize::try_from(slot).unwrap_or(usize::MAX);
            if let Some((.., count)) = groups.get_mut(slot) {
                *count += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_is_made_beyond_the_most_that_there_may_be() {
        // Few keys are looked up by their number, many in a table.
        for keys in [50, u64::MAX] {
            let mut groups = Groups::new(keys, 3);
            let mut made = 0;
            let found: Vec<Option<usize>> = [7, 0, 7, 49, 0, 12, 49, 13, 12]
                .into_iter()
                .map(|key| {
                    let group = groups.of(key, || {
                        made += 1;
                        key
                    });
                    group.map(|(slot, held)| {
                        assert_eq!(*held, key);
                        slot
                    })
                })
                .collect();
            let [a, b, c] = [Some(0), Some(1), Some(2)];
            assert_eq!(found, [a, b, a, c, b, None, c, None, None]);
            assert_eq!((made, groups.into_all()), (3, vec![7, 0, 49]));
        }
    }
}
