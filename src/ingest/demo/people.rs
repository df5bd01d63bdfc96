//! The users of the demo: they come over time, some buy often, many once, some go away.

use super::random::{Random, mix};

/// One user.
#[derive(Clone, Copy)]
pub(super) struct Person {
    /// The number in the SubID.
    pub(super) number: u64,
    /// The number of the country in the publisher's list.
    pub(super) country: usize,
    /// Where the user usually comes from.
    pub(super) ad_space: usize,
    /// Day, from the beginning, after which nothing is bought any more.
    leaves: i64,
}

/// All users that have come so far.
pub(super) struct People {
    known: Vec<Person>,
    most: usize,
    days: i64,
}

impl People {
    /// Nobody yet; at most `most` over `days`.
    pub(super) fn new(most: usize, days: i64) -> Self {
        Self {
            known: Vec::with_capacity(most),
            most,
            days,
        }
    }

    /// Who buys on a day (from the beginning); a new user if it is time for one.
    pub(super) fn draw(
        &mut self,
        random: &mut Random,
        day: i64,
        newcomer: impl FnOnce(&mut Random) -> (usize, usize),
    ) -> Person {
        // An eighth is there from the first days; the others come evenly.
        let due = self.most as i64 * (self.days + 8 * day) / (9 * self.days);
        if (self.known.len() as i64) < due || self.known.is_empty() {
            return self.add(random, day, newcomer);
        }
        let mut person = self.pick(random);
        for _ in 0..4 {
            if day <= person.leaves {
                break;
            }
            person = self.pick(random);
        }
        person
    }

    fn add(
        &mut self,
        random: &mut Random,
        day: i64,
        newcomer: impl FnOnce(&mut Random) -> (usize, usize),
    ) -> Person {
        let (country, ad_space) = newcomer(random);
        let stays = match random.below(10) {
            0..4 => random.between(1, 60),
            4..7 => random.between(60, 300),
            _ => self.days,
        };
        let number = 10_001 + self.known.len() as u64;
        let person = Person {
            number,
            country,
            ad_space,
            leaves: day + stays,
        };
        self.known.push(person);
        person
    }

    /// Someone who is known: mostly one of the few who buy often.
    fn pick(&self, random: &mut Random) -> Person {
        let count = self.known.len() as u64;
        // The cube of an even chance crowds at 0; spreading makes the crowd independent of when they came.
        let [a, b, c] = [0; 3].map(|_: u64| random.below(count));
        let rank = a * b / count.max(1) * c / count.max(1);
        let at = if random.permille(600) {
            mix(rank) % count
        } else {
            a
        };
        let at = usize::try_from(at).unwrap_or(0);
        self.known.get(at).copied().unwrap_or(Person {
            number: 10_001,
            country: 0,
            ad_space: 0,
            leaves: 0,
        })
    }
}
