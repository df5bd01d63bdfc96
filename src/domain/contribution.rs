//! What an action contributes to the totals, and the differences that a batch of changes makes.
//!
//! [`Contribution`] is everything of an action that any total looks at. A change takes the old contribution out and
//! puts the new one in ([`Deltas::replace`]); what remains of a batch after equal cells were folded is written by
//! `store::apply`. `store::totals` says the same once more in SQL, over all facts; a property test holds both together.

use super::action::Status;
use super::money::Currency;
use super::time::Instant;
use super::totals::{Grain, Tier, Total};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What of an action the totals look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The order.
    pub ordered_at: Instant,
    /// Status.
    pub status: Status,
    /// Currency.
    pub currency: Currency,
    /// Program.
    pub program_id: Uuid,
    /// Ad space.
    pub ad_space_id: Option<Uuid>,
    /// Click country.
    pub country: Option<String>,
    /// Device class.
    pub device: Option<String>,
    /// Type, as it is stored.
    pub action_type: &'static str,
    /// User.
    pub user_id: Option<Uuid>,
    /// Whether the reward is released.
    pub paid: bool,
    /// Reward, 1/10 000.
    pub reward_e4: i64,
    /// Order amount, 1/10 000.
    pub order_amount_e4: Option<i64>,
    /// The cart.
    pub items: Vec<ItemContribution>,
}

/// What of a cart item the totals look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemContribution {
    /// Product.
    pub product_id: Option<Uuid>,
    /// Own category.
    pub category_id: Option<Uuid>,
    /// Units.
    pub units: i64,
    /// Line amount, 1/10 000.
    pub amount_e4: i64,
    /// Line reward, 1/10 000.
    pub reward_e4: i64,
}

/// The categories of levels 1 and 2 that categories lie in, by their ids.
pub type Levels = HashMap<Uuid, (Uuid, Uuid)>;

/// Sums of actions, in the order of [`Total::sums`] for totals of actions.
pub type ActionSums = [i64; 9];
/// Sums of cart items, in the order of [`Total::sums`] for totals of items.
pub type ItemSums = [i64; 4];

/// A cell of time: grain and number.
pub type Cell = (Grain, i64);
/// Key of [`Total::Time`].
pub type TimeKey = (Cell, Status, Currency);
/// Key of [`Total::Channel`]: program, and ad space or the nil id.
pub type ChannelKey = (TimeKey, Uuid, Uuid);
/// Key of [`Total::Audience`]: country, device and type, `""` for none.
pub type AudienceKey = (ChannelKey, String, String, &'static str);
/// Key of [`Total::Category`]: the category or the nil id.
pub type CategoryKey = (Tier, TimeKey, Uuid);
/// Key of [`Total::Product`]: the product or the nil id.
pub type ProductKey = (TimeKey, Uuid);

/// What a batch changes of a lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// Counted actions that came and went.
    pub actions: i64,
    /// Units that came and went.
    pub units: i64,
    /// The first order of those that came.
    pub first_came: Option<Instant>,
    /// The first order of those that went: if it was the first of all, another one is now.
    pub first_went: Option<Instant>,
}

/// The differences that a batch makes, folded by key.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    /// Of [`Total::Time`].
    pub time: BTreeMap<TimeKey, ActionSums>,
    /// Of [`Total::Channel`].
    pub channel: BTreeMap<ChannelKey, ActionSums>,
    /// Of [`Total::Audience`].
    pub audience: BTreeMap<AudienceKey, ActionSums>,
    /// Of [`Total::Category`].
    pub category: BTreeMap<CategoryKey, ItemSums>,
    /// Of [`Total::Product`].
    pub product: BTreeMap<ProductKey, ItemSums>,
    /// Of the lifetimes of products.
    pub products: BTreeMap<Uuid, Lifetime>,
    /// Of the lifetimes of users.
    pub users: BTreeMap<Uuid, Lifetime>,
}

impl Deltas {
    /// An action changed: what it contributed leaves, what it contributes now enters.
    pub fn replace(
        &mut self,
        before: Option<&Contribution>,
        after: Option<&Contribution>,
        levels: &Levels,
    ) {
        if before == after {
            return;
        }
        let lives = |of: Option<&Contribution>| of.and_then(Contribution::lives);
        let same_life = lives(before) == lives(after);
        for (contribution, sign) in [(before, -1), (after, 1)] {
            if let Some(contribution) = contribution {
                self.add(contribution, sign, levels);
                if !same_life {
                    self.live(contribution, sign);
                }
            }
        }
    }

    /// Forgets the differences that came to nothing, and folds the small cells into the larger ones.
    #[must_use]
    pub fn folded(mut self) -> Self {
        self.time = widened(self.time, Total::Time, |key, cell| (cell, key.1, key.2));
        self.channel = widened(self.channel, Total::Channel, |key, cell| {
            ((cell, key.0.1, key.0.2), key.1, key.2)
        });
        self.audience = widened(self.audience, Total::Audience, |key, cell| {
            let (time, program, space) = key.0;
            (
                ((cell, time.1, time.2), program, space),
                key.1.clone(),
                key.2.clone(),
                key.3,
            )
        });
        self.category = widened(self.category, Total::Category, |key, cell| {
            (key.0, (cell, key.1.1, key.1.2), key.2)
        });
        self.product = widened(self.product, Total::Product, |key, cell| {
            ((cell, key.0.1, key.0.2), key.1)
        });
        for lifetimes in [&mut self.products, &mut self.users] {
            lifetimes.retain(|_, lifetime| *lifetime != Lifetime::default());
        }
        self
    }

    /// Adds a contribution to the smallest cells, `sign` times.
    fn add(&mut self, from: &Contribution, sign: i64, levels: &Levels) {
        let key = |total: Total| {
            let grain = total.grains().first().copied().unwrap_or(Grain::Day);
            let cell = (grain, grain.cell(from.ordered_at));
            (cell, from.status, from.currency)
        };
        let sums = from.sums().map(|sum| sum * sign);
        plus(self.time.entry(key(Total::Time)).or_default(), sums);
        let space = from.ad_space_id.unwrap_or_default();
        let channel = (key(Total::Channel), from.program_id, space);
        plus(self.channel.entry(channel).or_default(), sums);
        let audience = (
            (key(Total::Audience), from.program_id, space),
            from.country.clone().unwrap_or_default(),
            from.device.clone().unwrap_or_default(),
            from.action_type,
        );
        plus(self.audience.entry(audience).or_default(), sums);
        for ((tier, category), sums) in from.by_category(levels) {
            let entry = self.category.entry((tier, key(Total::Category), category));
            plus(entry.or_default(), sums.map(|sum| sum * sign));
        }
        for (product, sums) in from.by_item(|item| Some(item.product_id.unwrap_or_default())) {
            let entry = self.product.entry((key(Total::Product), product));
            plus(entry.or_default(), sums.map(|sum| sum * sign));
        }
    }

    /// Adds a contribution to the lifetimes, `sign` times.
    fn live(&mut self, from: &Contribution, sign: i64) {
        let Some((at, user, products)) = from.lives() else {
            return;
        };
        for (product, units) in products {
            let lifetime = self.products.entry(product).or_default();
            lifetime.see(units, sign, at);
        }
        if let Some(user) = user {
            self.users.entry(user).or_default().see(0, sign, at);
        }
    }
}

impl Lifetime {
    fn see(&mut self, units: i64, sign: i64, ordered_at: Instant) {
        self.actions += sign;
        self.units += units * sign;
        let first = if sign > 0 {
            &mut self.first_came
        } else {
            &mut self.first_went
        };
        *first = Some(first.map_or(ordered_at, |held| held.min(ordered_at)));
    }
}

impl Contribution {
    /// Its sums in totals of actions.
    fn sums(&self) -> ActionSums {
        let over = |of: fn(&ItemContribution) -> i64| self.items.iter().map(of).sum::<i64>();
        let carted = self.items.iter().any(|item| item.product_id.is_some());
        [
            1,
            over(|item| item.units),
            self.order_amount_e4.unwrap_or(0),
            i64::from(self.order_amount_e4.is_some()),
            self.reward_e4,
            if self.paid { self.reward_e4 } else { 0 },
            over(|item| item.amount_e4),
            over(|item| item.reward_e4),
            i64::from(carted),
        ]
    }

    /// What lifetimes see of it: when, who, and the units of each product. Declined actions do not count.
    fn lives(&self) -> Option<(Instant, Option<Uuid>, BTreeMap<Uuid, i64>)> {
        let mut products: BTreeMap<Uuid, i64> = BTreeMap::new();
        for item in &self.items {
            if let Some(product) = item.product_id {
                *products.entry(product).or_default() += item.units;
            }
        }
        (self.status != Status::Declined).then_some((self.ordered_at, self.user_id, products))
    }

    /// Its items by a key; the action counts once in each. Items without a key are left out.
    fn by_item(&self, key: impl Fn(&ItemContribution) -> Option<Uuid>) -> BTreeMap<Uuid, ItemSums> {
        let mut sums: BTreeMap<Uuid, ItemSums> = BTreeMap::new();
        for item in &self.items {
            if let Some(key) = key(item) {
                let sums = sums.entry(key).or_insert([1, 0, 0, 0]);
                plus(sums, [0, item.units, item.amount_e4, item.reward_e4]);
            }
        }
        sums
    }

    /// Its items by tier and category.
    fn by_category(&self, levels: &Levels) -> BTreeMap<(Tier, Uuid), ItemSums> {
        let level = |item: &ItemContribution, of: fn(&(Uuid, Uuid)) -> Uuid| {
            let own = item.category_id.unwrap_or_default();
            Some(levels.get(&own).map_or(own, of))
        };
        let own = self.by_item(|item| Some(item.category_id.unwrap_or_default()));
        let level2 = self.by_item(|item| level(item, |levels| levels.1));
        let mut found: BTreeMap<(Tier, Uuid), ItemSums> = BTreeMap::new();
        if level2 != own {
            let keys: BTreeSet<Uuid> = own.keys().chain(level2.keys()).copied().collect();
            for key in keys {
                let mut beyond = level2.get(&key).copied().unwrap_or_default();
                plus(
                    &mut beyond,
                    own.get(&key).copied().unwrap_or_default().map(|sum| -sum),
                );
                found.insert((Tier::Level2Beyond, key), beyond);
            }
        }
        for (key, sums) in self.by_item(|item| level(item, |levels| levels.0)) {
            found.insert((Tier::Level1, key), sums);
        }
        for (key, sums) in own {
            found.insert((Tier::Own, key), sums);
        }
        found
    }
}

fn plus<const N: usize>(sums: &mut [i64; N], more: [i64; N]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// The differences of a total's smallest cells and those of its larger ones, without those that came to nothing.
fn widened<K: Ord + CellKey, const N: usize>(
    smallest: BTreeMap<K, [i64; N]>,
    total: Total,
    in_cell: impl Fn(&K, Cell) -> K,
) -> BTreeMap<K, [i64; N]> {
    let mut all: BTreeMap<K, [i64; N]> = BTreeMap::new();
    for grain in total.grains().iter().skip(1) {
        for (key, sums) in &smallest {
            let (of, cell) = key.cell();
            let wider = (*grain, grain.cell_of(of, cell));
            plus(all.entry(in_cell(key, wider)).or_insert([0; N]), *sums);
        }
    }
    all.extend(smallest);
    all.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
    all
}

/// A key that has a cell of time in it.
trait CellKey {
    fn cell(&self) -> Cell;
}

impl CellKey for TimeKey {
    fn cell(&self) -> Cell {
        self.0
    }
}
impl CellKey for ChannelKey {
    fn cell(&self) -> Cell {
        self.0.0
    }
}
impl CellKey for AudienceKey {
    fn cell(&self) -> Cell {
        self.0.0.0
    }
}
impl CellKey for CategoryKey {
    fn cell(&self) -> Cell {
        self.1.0
    }
}
impl CellKey for ProductKey {
    fn cell(&self) -> Cell {
        self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn item(product: u128, category: u128, amount_e4: i64) -> ItemContribution {
        ItemContribution {
            product_id: Some(id(product)),
            category_id: Some(id(category)),
            units: 1,
            amount_e4,
            reward_e4: 1,
        }
    }

    fn action(status: Status, items: Vec<ItemContribution>) -> Contribution {
        Contribution {
            ordered_at: Instant::parse_rfc3339("2026-05-03T10:20:00Z").unwrap(),
            status,
            currency: Currency::USD,
            program_id: id(1),
            ad_space_id: None,
            country: None,
            device: None,
            action_type: "SALE",
            user_id: Some(id(7)),
            paid: false,
            reward_e4: 10,
            order_amount_e4: Some(100),
            items,
        }
    }

    #[test]
    fn a_change_back_leaves_nothing() {
        let before = action(Status::Pending, vec![item(1, 11, 5)]);
        let after = action(Status::Approved, vec![item(2, 12, 7)]);
        let levels = Levels::new();
        let mut deltas = Deltas::default();
        deltas.replace(Some(&before), Some(&after), &levels);
        deltas.replace(Some(&after), Some(&before), &levels);
        let deltas = deltas.folded();
        assert!(deltas.time.is_empty() && deltas.channel.is_empty() && deltas.audience.is_empty());
        assert!(deltas.category.is_empty() && deltas.product.is_empty());
    }

    #[test]
    fn an_action_counts_once_at_each_level() {
        // Categories 21 and 22 lie in 20 of level 2, all of them in 10.
        let levels = Levels::from([(id(21), (id(10), id(20))), (id(22), (id(10), id(20)))]);
        let mut deltas = Deltas::default();
        let cart = vec![item(1, 21, 5), item(2, 22, 7)];
        deltas.replace(None, Some(&action(Status::Approved, cart)), &levels);
        let deltas = deltas.folded();
        let of = |tier: Tier, category: u128| {
            let found = deltas.category.iter().find(|((held, time, key), _)| {
                *held == tier && time.0.0 == Grain::Day && *key == id(category)
            });
            found.map(|(_, sums)| *sums)
        };
        assert_eq!(of(Tier::Own, 21), Some([1, 1, 5, 1]));
        assert_eq!(of(Tier::Level1, 10), Some([1, 2, 12, 2]));
        assert_eq!(of(Tier::Level2Beyond, 20), Some([1, 2, 12, 2]));
        assert_eq!(of(Tier::Level2Beyond, 21), Some([-1, -1, -5, -1]));
        let grains: BTreeSet<Grain> = deltas.time.keys().map(|key| key.0.0).collect();
        assert_eq!(grains.into_iter().collect::<Vec<_>>(), Total::Time.grains());
    }
}
