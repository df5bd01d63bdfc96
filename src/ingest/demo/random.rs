//! Chance that is the same on every machine: whole numbers only, from a seed.

/// A stream of chance (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of a seed and a number; different numbers give unrelated streams.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed ^ mix(number.wrapping_add(0x632b_e59b_d9b4_e019))))
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `limit`; 0 for a limit of 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(limit)) >> 64).unwrap_or(0)
    }

    /// A place below `length`.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low + 1).unwrap_or(1);
        low + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// Whether something happens that does so in so many of 1,000 cases.
    pub(super) fn permille(&mut self, cases: u64) -> bool {
        self.below(1_000) < cases
    }

    /// One of the choices, each with its weight.
    pub(super) fn weighted<T: Copy>(&mut self, choices: &[(u64, T)], otherwise: T) -> T {
        let mut point = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            if point < *weight {
                return *choice;
            }
            point -= weight;
        }
        otherwise
    }

    /// A factor in 1/1,000: 1,000 in the middle, at most `spread` times two doublings up or down, bell-shaped in between.
    pub(super) fn factor(&mut self, spread: i64) -> i64 {
        // The sum of four even chances is bell-shaped enough: from -2 to 2 in 1/1,000, a deviation of about 0.58.
        let sum: i64 = (0..4).map(|_| self.between(-500, 500)).sum();
        doublings(sum * spread)
    }
}

/// 2 to the power of `power` / 1,000, in 1/1,000, by halves of the steps of a table.
fn doublings(power: i64) -> i64 {
    const TENTHS: [i64; 11] = [
        1_000, 1_072, 1_149, 1_231, 1_320, 1_414, 1_516, 1_625, 1_741, 1_866, 2_000,
    ];
    let whole = power.div_euclid(1_000);
    let rest = power.rem_euclid(1_000);
    let step = usize::try_from(rest / 100).unwrap_or(0);
    let low = TENTHS.get(step).copied().unwrap_or(1_000);
    let high = TENTHS.get(step + 1).copied().unwrap_or(2_000);
    let value = low + (high - low) * (rest % 100) / 100;
    match u32::try_from(whole) {
        Ok(up) => value << up.min(20),
        Err(_) => (value >> u32::try_from(-whole).unwrap_or(0).min(20)).max(1),
    }
}

/// Spreads the bits of a number over all of it.
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_fair_enough_and_always_the_same() {
        let mut random = Random::new(1, 2);
        let mut again = Random::new(1, 2);
        let hits = (0..10_000).filter(|_| random.permille(250)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert_eq!(hits, (0..10_000).filter(|_| again.permille(250)).count());
        let factors: Vec<i64> = (0..10_000).map(|_| random.factor(2)).collect();
        let below = factors.iter().filter(|factor| **factor < 1_000).count();
        assert!((4_500..5_500).contains(&below), "{below}");
        assert!(factors.iter().all(|factor| *factor > 0));
    }
}
