//! The goods of the demo: about 6,000 products, how much each is bought, and how that changes with time.

use super::random::{Random, mix};
use super::words::{MAKERS, SHELVES, Shelf, VARIANTS};

/// How many products there are.
const COUNT: usize = 6_000;
/// For how many spans of [`SPAN_DAYS`] back from the end the demand is known.
const SPANS: usize = 25;
/// Days of a span.
const SPAN_DAYS: i64 = 30;

/// A product.
pub(super) struct Product {
    pub(super) id: u64,
    pub(super) name: String,
    /// In US cents.
    pub(super) price: i64,
    pub(super) shelf: &'static Shelf,
    /// Most of its orders are declined.
    pub(super) is_risky: bool,
    /// Upstream gives no category for it (1), or one that nobody knows (2).
    pub(super) oddity: u8,
    fate: Fate,
}

/// What becomes of the demand in the last month.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Steady,
    Rising,
    Falling,
    New,
    Dormant,
}

/// All products, and tables to draw one that is bought in a span.
pub(super) struct Products {
    all: Vec<Product>,
    /// Per span, from the last: sums of the demand of all products up to each.
    sums: Vec<Vec<u64>>,
}

impl Products {
    /// The goods of a seed as a publisher's users buy them. `months` are the calendar months of the spans, from the last.
    pub(super) fn new(seed: u64, publisher: u64, months: &[u32]) -> Self {
        let all: Vec<Product> = (0..COUNT)
            .map(|number| Product::new(seed, number))
            .collect();
        // Every publisher has best sellers of its own: ranks are drawn anew.
        let mut ranks: Vec<(u64, usize)> = (0..COUNT)
            .map(|at| (mix(seed ^ mix(publisher << 32 | at as u64)), at))
            .collect();
        ranks.sort_unstable();
        let mut demand = vec![0_u64; COUNT];
        for (rank, (_, at)) in ranks.iter().enumerate() {
            if let (Some(demand), Some(product)) = (demand.get_mut(*at), all.get(*at)) {
                *demand = 40_000_000 * product.shelf.weight / (rank as u64 + 12);
            }
        }
        let sums = (0..SPANS)
            .map(|span| sums(&all, &demand, span, months.get(span).copied().unwrap_or(1)))
            .collect();
        Self { all, sums }
    }

    /// A product that is bought so many days before the end.
    pub(super) fn draw(&self, random: &mut Random, days_ago: i64) -> Option<&Product> {
        let span = usize::try_from(days_ago / SPAN_DAYS)
            .unwrap_or(0)
            .min(SPANS - 1);
        let sums = self.sums.get(span)?;
        let point = random.below(sums.last().copied()?);
        self.all.get(sums.partition_point(|sum| *sum <= point))
    }
}

fn sums(all: &[Product], demand: &[u64], span: usize, month: u32) -> Vec<u64> {
    let mut sum = 0;
    let add = |(product, demand): (&Product, &u64)| {
        let season = if product.shelf.months.contains(&month) {
            3
        } else {
            1
        };
        sum += demand * season * product.fate.permille(span) / 1_000;
        sum
    };
    all.iter().zip(demand).map(add).collect()
}

impl Fate {
    /// The share of its usual demand in a span, 0 being the last month.
    fn permille(self, span: usize) -> u64 {
        match (self, span) {
            (Self::Rising, 0) => 4_000,
            (Self::Falling, 0) => 250,
            (Self::New, 0) => 2_500,
            (Self::New, _) | (Self::Dormant, 0) => 0,
            _ => 1_000,
        }
    }
}

impl Product {
    fn new(seed: u64, number: usize) -> Self {
        let mut random = Random::new(seed ^ 0x70_726f_6475_6374, number as u64);
        // Every shelf has some goods; the rest stand where much is bought.
        let shelf = SHELVES.get(number % SHELVES.len()).unwrap_or(&SHELVES[0]);
        let goods = shelf
            .goods
            .get(random.index(shelf.goods.len()))
            .copied()
            .unwrap_or(shelf.name);
        let maker = MAKERS
            .get(random.index(MAKERS.len()))
            .copied()
            .unwrap_or_default();
        let variant = VARIANTS
            .get(random.index(VARIANTS.len()))
            .copied()
            .unwrap_or_default();
        let name = match random.below(4) {
            0 => format!("{goods} {variant}"),
            1 => format!("{maker} {goods}"),
            _ => format!("{maker} {goods} {variant}"),
        };
        let fates = [
            (800, Fate::Steady),
            (55, Fate::Rising),
            (55, Fate::Falling),
            (40, Fate::New),
            (50, Fate::Dormant),
        ];
        Self {
            id: 1_005_000_000_000_000 + number as u64 * 1_013_904_223 % 9_999_999_967 + 1,
            name,
            price: (shelf.price * random.factor(1) / 1_000).max(39),
            shelf,
            is_risky: random.permille(15),
            oddity: random.weighted(&[(980, 0), (15, 1), (5, 2)], 0),
            fate: random.weighted(&fates, Fate::Steady),
        }
    }
}
