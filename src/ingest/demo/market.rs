//! Who the demo's publishers are: their ad spaces, where their users live, and the programs that sell to them.

use super::random::Random;

/// A publisher's business.
pub(super) struct Market {
    /// Target actions in all.
    pub(super) actions: u64,
    /// Users at the end.
    pub(super) users: usize,
    /// The first action id.
    pub(super) first_id: u64,
    /// Ad spaces.
    pub(super) spaces: &'static [Space],
    /// Countries with how many of the users live there.
    pub(super) countries: &'static [(u64, &'static str)],
}

/// An ad space.
pub(super) struct Space {
    /// Its id, and for how many days before the end upstream has been giving it.
    pub(super) id: Option<(&'static str, i64)>,
    pub(super) name: &'static str,
    pub(super) channel: &'static str,
    /// How people come; none where upstream counts no clicks.
    pub(super) traffic: Option<Traffic>,
    weight: u64,
}

/// What becomes of those who see an ad space's links, in 1/1,000.
#[derive(Clone, Copy)]
pub(super) struct Traffic {
    /// Orders of clicks.
    pub(super) conversion: i64,
    /// Clicks of views.
    pub(super) click_through: i64,
}

/// A program as upstream names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) id: Option<&'static str>,
    pub(super) name: &'static str,
    pub(super) currency: &'static str,
    pub(super) tariff: u32,
}

const WW: Program = Program {
    id: Some("6115"),
    name: "AliExpress WW",
    currency: "USD",
    tariff: 11,
};
const RU: Program = Program {
    id: Some("25179"),
    name: "AliExpress RU&CIS NEW",
    currency: "RUB",
    tariff: 23,
};
const TR: Program = Program {
    id: Some("14289"),
    name: "AliExpress TR",
    currency: "USD",
    tariff: 31,
};
const IN: Program = Program {
    id: None,
    name: "AliExpress IN",
    currency: "USD",
    tariff: 41,
};

/// All programs.
pub(super) const PROGRAMS: [&Program; 4] = [&WW, &RU, &TR, &IN];

/// The countries of RU&CIS NEW.
const ELEVEN: &[&str] = &[
    "RU", "AM", "AZ", "BY", "GE", "KZ", "KG", "MD", "TJ", "TM", "UZ",
];

const fn space(
    id: Option<(&'static str, i64)>,
    name: &'static str,
    channel: &'static str,
    weight: u64,
) -> Space {
    let traffic = match channel.as_bytes() {
        b"blog" => Some((24, 31)),
        b"tg" => Some((36, 110)),
        b"yt" => Some((19, 22)),
        b"coupon" => Some((61, 90)),
        b"cashback" => Some((88, 150)),
        b"ext" => Some((47, 60)),
        b"vk" => Some((15, 26)),
        _ => None,
    };
    Space {
        id,
        name,
        channel,
        traffic: match traffic {
            Some((conversion, click_through)) => Some(Traffic {
                conversion,
                click_through,
            }),
            None => None,
        },
        weight,
    }
}

/// The markets of the demo's publishers, in their order.
pub(super) const MARKETS: [Market; 2] = [
    Market {
        actions: 200_000,
        users: 22_000,
        first_id: 700_000_001,
        spaces: &[
            space(
                Some(("2101001", i64::MAX)),
                "Bargain Notes blog",
                "blog",
                24,
            ),
            space(
                Some(("2101002", i64::MAX)),
                "Finds of the Day (Telegram)",
                "tg",
                22,
            ),
            space(Some(("2101003", i64::MAX)), "Unboxed (YouTube)", "yt", 14),
            space(Some(("2101004", 200)), "Coupon Corner", "coupon", 12),
            space(Some(("2101005", i64::MAX)), "Cashback Club", "cashback", 16),
            space(
                Some(("2101006", i64::MAX)),
                "Price tracker extension",
                "ext",
                8,
            ),
            space(None, "Pinterest boards", "pin", 4),
        ],
        countries: &[
            (180, "RU"),
            (40, "KZ"),
            (35, "BY"),
            (25, "UZ"),
            (8, "GE"),
            (6, "AM"),
            (6, "MD"),
            (50, "UA"),
            (120, "PL"),
            (70, "DE"),
            (70, "ES"),
            (55, "FR"),
            (60, "US"),
            (50, "BR"),
            (35, "IT"),
            (30, "IL"),
            (20, "NL"),
            (25, "CZ"),
            (15, "KR"),
            (25, "GB"),
            (12, "CL"),
            (18, "MX"),
            (70, "TR"),
            (60, "IN"),
        ],
    },
    Market {
        actions: 60_000,
        users: 8_000,
        first_id: 810_000_001,
        spaces: &[
            space(Some(("3300501", i64::MAX)), "Кешбэк-сервис", "cashback", 40),
            space(
                Some(("3300502", i64::MAX)),
                "Скидки дня (Telegram)",
                "tg",
                25,
            ),
            space(Some(("3300503", i64::MAX)), "Группа ВК «Посылка»", "vk", 15),
            space(Some(("3300504", i64::MAX)), "Промокоды", "coupon", 12),
            space(None, "Mobile app", "app", 8),
        ],
        countries: &[
            (420, "RU"),
            (160, "KZ"),
            (110, "BY"),
            (70, "UZ"),
            (30, "KG"),
            (20, "AM"),
            (20, "GE"),
            (20, "AZ"),
            (12, "MD"),
            (8, "TJ"),
            (5, "TM"),
            (15, "UA"),
            (30, "TR"),
            (10, "IL"),
            (15, "DE"),
            (8, "PL"),
            (5, "IN"),
        ],
    },
];

impl Market {
    /// A country, by its number.
    pub(super) fn draw_country(&self, random: &mut Random) -> usize {
        draw(random, self.countries.iter().map(|(weight, _)| *weight))
    }

    /// An ad space, by its number.
    pub(super) fn draw_space(&self, random: &mut Random) -> usize {
        draw(random, self.spaces.iter().map(|space| space.weight))
    }

    /// The share of the orders that comes from an ad space, in 1/1,000.
    pub(super) fn space_share(&self, space: &Space) -> i64 {
        let all: u64 = self.spaces.iter().map(|space| space.weight).sum();
        permille(space.weight, all)
    }

    /// The code of a country.
    pub(super) fn country(&self, number: usize) -> &'static str {
        self.countries.get(number).map_or("US", |(_, code)| code)
    }
}

fn draw(random: &mut Random, weights: impl Iterator<Item = u64> + Clone) -> usize {
    let mut point = random.below(weights.clone().sum());
    for (at, weight) in weights.enumerate() {
        if point < weight {
            return at;
        }
        point -= weight;
    }
    0
}

fn permille(part: u64, all: u64) -> i64 {
    i64::try_from(part * 1_000 / all.max(1)).unwrap_or(0)
}

/// The programs that orders from a country go to, mostly to the right one, each with its weight.
fn choices(country: &str) -> &'static [(u64, &'static Program)] {
    match country {
        country if ELEVEN.contains(&country) => &[(925, &RU), (75, &WW)],
        "TR" => &[(850, &TR), (130, &WW), (20, &RU)],
        "IN" => &[(840, &IN), (160, &WW)],
        _ => &[(930, &WW), (60, &RU), (10, &TR)],
    }
}

/// The program that an order from a country goes to.
pub(super) fn draw_program(random: &mut Random, country: &str) -> &'static Program {
    random.weighted(choices(country), &WW)
}

/// The share of a publisher's orders that goes to a program, in 1/1,000.
pub(super) fn program_share(market: &Market, program: &Program) -> i64 {
    let (mut part, mut all) = (0, 0);
    for (people, country) in market.countries {
        for (weight, choice) in choices(country) {
            all += people * weight;
            part += if *choice == program {
                people * weight
            } else {
                0
            };
        }
    }
    permille(part, all)
}

/// The share of the full reward that the program pays for orders from the country, in 1/1,000.
pub(super) fn paid_permille(program: &Program, country: &str) -> i64 {
    match (program.tariff, ELEVEN.contains(&country)) {
        (11, true) => 0,
        (23, false) => 400,
        (31, _) if country != "TR" => 0,
        _ => 1_000,
    }
}
