//! Random drafts that hold what goes wrong: nulls, ties, currencies, wildcards in texts, folded letters, unknown
//! categories and programs, ad spaces by name only, repeated states, and instants around changes of clocks.

use super::dice::Dice;
use actiongraph::domain::action::{ActionType, Slot, SlotValue, Stamp, Standing, Status};
use actiongraph::domain::draft::{
    ActionDraft, AdSpaceRef, CategoryRef, DraftItem, Place, ProductRef, ProgramRef, Reject,
    RejectReason,
};
use actiongraph::domain::money::Currency;
use actiongraph::domain::time::{Day, Instant, Zone, start_of_day};
use std::collections::{BTreeMap, BTreeSet};

/// Texts that a search could trip over.
pub(crate) const TEXTS: &[&str] = &[
    "a",
    "A",
    "ab",
    "100%",
    "100 %",
    "a_b",
    "aXb",
    "a\\b",
    "Ёлка",
    "ёлка",
    "ЁЛКА и огни",
    "Straße",
    "STRASSE",
    "ﬁne",
    "🎄 x",
    "' OR 1=1 --",
    "$1 ? :a",
    " a",
    "Z",
    "z",
];
/// Click countries: of the programs' rules, outside them, and no country's code.
pub(crate) const COUNTRIES: &[&str] = &["RU", "KZ", "US", "DE", "TR", "IN", "ZZ", "BR"];
/// Category ids: shipped ones of each level, one of an older generation, and ones that nobody knows.
pub(crate) const CATEGORIES: &[&str] = &[
    "3",
    "6",
    "7",
    "100000041",
    "200001086",
    "152401",
    "unknown",
    "990001",
    "990002",
];
/// Zones with half and quarter hours, with both changes of clocks, one of half an hour, and a day that was left out.
pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/Santiago",
];
pub(crate) const CURRENCIES: &[&str] = &["USD", "RUB", "EUR"];
pub(crate) const USERS: &[&str] = &[
    "u1", "u2", "u3", "u4", "u5", "u6", "u7", "U1", "100%", "a_b", "Ёж",
];
const AMOUNTS: &[i64] = &[
    0, 1, 10_000, 10_000, 25_000, 99_999, 123_400, 1_000_000, 1_000_000, -5_000, 70_000_000,
];
const WORDS: &[&str] = &[
    "pending",
    "pending",
    "approved",
    "approved",
    "approved_but_stalled",
    "declined",
    "declined",
    "mystery",
];

pub(crate) fn instant(micros: i64) -> Instant {
    Instant::from_micros(micros).unwrap()
}

pub(crate) fn at(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

/// A plain action of AliExpress WW, on hold: ordered, changed and observed at one time, without a cart; the rest is for a
/// test to change.
pub(crate) fn sale(external_id: &str, when: Instant) -> ActionDraft {
    ActionDraft {
        external_id: external_id.to_owned(),
        program: ProgramRef {
            external_id: Some("6115".to_owned()),
            name: None,
        },
        ad_space: None,
        standing: Standing {
            status: Status::Pending,
            raw_status: "pending".to_owned(),
            paid: false,
            processed: false,
            reward_e4: 5_000,
            currency: Currency::USD,
            action_type: ActionType::Sale,
            ordered_at: when,
            status_updated_at: None,
        },
        unsaid: BTreeSet::new(),
        stamp: Stamp {
            changed_at: when,
            observed_at: when,
        },
        slots: BTreeMap::new(),
        items: Vec::new(),
        rounded: 0,
        receipt: None,
    }
}

/// A plain cart item: one unit of a product that has nothing but its id.
pub(crate) fn item(product: &str) -> DraftItem {
    DraftItem {
        external_id: None,
        product: Some(ProductRef {
            external_id: Some(product.to_owned()),
            name: None,
            url: None,
            image_url: None,
            country: None,
        }),
        category: None,
        amount_e4: 50_000,
        reward_e4: 5_000,
        rate_e4: None,
        is_percentage: None,
        tariff_id: None,
        rate_id: None,
        units: 1,
        ordered_at: None,
    }
}

/// Likewise, of a product with a name.
pub(crate) fn item_called(product: &str, name: &str) -> DraftItem {
    let mut item = item(product);
    if let Some(product) = &mut item.product {
        product.name = Some(name.to_owned());
    }
    item
}

/// Records of a page that were refused, by their numbers.
pub(crate) fn rejects(from: u32, count: u32) -> Vec<Reject> {
    let reject = |number| Reject {
        place: Place {
            page: number / 10,
            index: number % 10,
            byte: u64::from(number) * 100,
            line: u64::from(number),
        },
        reason: RejectReason::BadValue,
        field: Some("payment".to_owned()),
        message: format!("record {number}"),
        raw: "{}".to_owned(),
    };
    (from..from + count).map(reject).collect()
}

/// The first day of the data's four months.
pub(crate) fn first_day() -> Day {
    Day::from_ymd(2026, 2, 1).unwrap()
}

/// Instants at which a clock changes or a local day begins, a microsecond before and behind each.
pub(crate) fn moments() -> Vec<Instant> {
    let mut moments = Vec::new();
    let mut add = |moment: Instant| {
        moments.extend([-1, 0, 1].map(|step| instant(moment.micros() + step)));
    };
    for text in [
        "2026-03-08T07:00:00Z",        // New York, forward
        "2026-03-29T01:00:00Z",        // Berlin, forward
        "2026-04-04T15:00:00Z",        // Lord Howe, back by half an hour
        "2026-04-05T03:00:00Z",        // Santiago, back into yesterday
        "2025-11-02T06:00:00Z",        // New York, back
        "2025-10-26T01:00:00Z",        // Berlin, back
        "2011-12-30T10:00:00Z",        // Apia leaves a day out
        "1970-01-01T00:00:00.000002Z", // 0 stands for a state of unknown beginning
        "9999-12-31T23:59:59.999Z",
    ] {
        add(at(text));
    }
    for name in ZONES {
        for day in [57, 58, 62, 63] {
            let day = first_day().plus(day).unwrap();
            add(start_of_day(day, Zone::parse(name).unwrap()));
        }
    }
    moments.sort_unstable();
    moments
}

/// How the drafts of a world are to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many drafts.
    pub drafts: usize,
    /// Among how many actions they are divided.
    pub actions: usize,
    /// Whether two states of an action may have one stamp and even differ in their order's instant and their currency.
    pub wild: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            drafts: 240,
            actions: 200,
            wild: true,
        }
    }
}

/// A generator of drafts.
pub(crate) struct Maker {
    dice: Dice,
    shape: Shape,
    moments: Vec<Instant>,
}

impl Maker {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        Self {
            dice: Dice::new(seed),
            shape,
            moments: moments(),
        }
    }

    pub(crate) fn drafts(mut self) -> Vec<ActionDraft> {
        (0..self.shape.drafts).map(|_| self.draft()).collect()
    }

    /// Mostly one of thirty days, so that many are equal; else one near a change.
    fn moment(&mut self) -> Instant {
        if self.dice.percent(40) {
            return *self.dice.pick(&self.moments);
        }
        let hours = i64::try_from(self.dice.below(30)).unwrap() * 96 + 9;
        instant(start_of_day(first_day(), Zone::UTC).micros() + hours * 3_600_000_000)
    }

    fn text(&mut self, chance: usize) -> Option<String> {
        self.dice.maybe(chance, TEXTS).map(str::to_owned)
    }

    fn draft(&mut self) -> ActionDraft {
        let number = self.dice.below(self.shape.actions);
        // An action's order does not move, unless the shape is wild.
        let own = Dice::new(u64::try_from(number).unwrap()).next();
        let wild = self.shape.wild && self.dice.percent(15);
        let ordered_at = if wild {
            self.moment()
        } else {
            self.moments[usize::try_from(own >> 33).unwrap() % self.moments.len()]
        };
        let ordered_at = if own.is_multiple_of(5) || wild {
            ordered_at
        } else {
            let hours = i64::try_from((own >> 8) % 30).unwrap() * 96 + 9;
            instant(start_of_day(first_day(), Zone::UTC).micros() + hours * 3_600_000_000)
        };
        let raw_status = (*self.dice.pick(WORDS)).to_owned();
        let status = Status::from_upstream(&raw_status);
        let status_updated_at = self.dice.percent(70).then(|| self.moment());
        let observed = i64::try_from(self.dice.below(if self.shape.wild { 3 } else { 1_000 }));
        let standing = Standing {
            status,
            raw_status,
            paid: self.dice.percent(30),
            processed: status.is_processed(),
            reward_e4: *self.dice.pick(AMOUNTS),
            currency: self.currency(own),
            action_type: *self.dice.pick(ActionType::ALL),
            ordered_at,
            status_updated_at,
        };
        let stamp = Stamp {
            changed_at: status_updated_at.unwrap_or(ordered_at),
            observed_at: instant(at("2026-06-30T00:00:00Z").micros() + observed.unwrap()),
        };
        let count = self.dice.below(6);
        ActionDraft {
            external_id: format!(
                "{}{number}",
                if number.is_multiple_of(7) { "x-" } else { "" }
            ),
            program: self.program(),
            ad_space: self.ad_space(),
            standing,
            unsaid: BTreeSet::new(),
            stamp,
            slots: self.slots(ordered_at),
            items: (0..count).map(|_| self.item()).collect(),
            rounded: u32::try_from(self.dice.below(2)).unwrap(),
            receipt: None,
        }
    }

    /// An action keeps its currency, unless the shape is wild. What is drawn behind it is the same in any case.
    fn currency(&self, own: u64) -> Currency {
        let mut dice = Dice::new(self.dice.clone().next());
        if self.shape.wild && dice.percent(10) {
            let drawn: &&str = dice.pick(CURRENCIES);
            return currency(drawn);
        }
        currency(CURRENCIES[usize::try_from(own % 3).unwrap()])
    }

    fn program(&mut self) -> ProgramRef {
        let programs: &[(Option<&str>, Option<&str>)] = &[
            (Some("6115"), Some("AliExpress WW")),
            (Some("6115"), None),
            (None, Some("AliExpress Worldwide")),
            (Some("25179"), Some("AliExpress RU&CIS NEW")),
            (None, Some("AliExpress TR")),
            (None, Some("AliExpress IN")),
            (Some("777"), Some("Другая Программа")),
            (Some("777"), Some("Другая 100%")),
            (Some("777"), None),
            (Some("778"), None),
            (None, Some("Только имя")),
        ];
        let (id, name) = *self.dice.pick(programs);
        ProgramRef {
            external_id: id.map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }

    fn ad_space(&mut self) -> Option<AdSpaceRef> {
        let spaces: &[(Option<&str>, Option<&str>)] = &[
            (Some("501"), Some("My Blog")),
            (Some("501"), Some("MY BLOG")),
            (None, Some("my blog")),
            (Some("502"), Some("Канал Ёлка")),
            (Some("503"), None),
            (None, Some("ТОЛЬКО имя")),
            (None, Some("только Имя")),
        ];
        let (id, name) = self.dice.maybe(85, spaces)?;
        Some(AdSpaceRef {
            external_id: id.map(str::to_owned),
            name: name.map(str::to_owned),
        })
    }

    fn slots(&mut self, ordered_at: Instant) -> BTreeMap<Slot, SlotValue> {
        let mut slots = BTreeMap::new();
        for slot in [
            Slot::OrderId,
            Slot::TariffId,
            Slot::ActionName,
            Slot::Subid0,
            Slot::Subid2,
            Slot::Subid3,
            Slot::Subid4,
            Slot::Keyword,
            Slot::Comment,
            Slot::PromoCode,
            Slot::Device,
        ] {
            if let Some(text) = self.text(45) {
                slots.insert(slot, SlotValue::Text(text));
            }
        }
        if let Some(user) = self.dice.maybe(75, USERS) {
            slots.insert(Slot::Subid1, SlotValue::Text(user.to_owned()));
        }
        if let Some(country) = self.dice.maybe(80, COUNTRIES) {
            slots.insert(Slot::Country, SlotValue::Text(country.to_owned()));
        }
        if let Some(amount) = self.dice.maybe(80, AMOUNTS) {
            slots.insert(Slot::OrderAmount, SlotValue::Number(amount));
        }
        if self.dice.percent(70) {
            let clicked = self.moment();
            slots.insert(Slot::ClickedAt, SlotValue::Number(clicked.micros()));
            let seconds = (ordered_at.micros() - clicked.micros()) / 1_000_000;
            slots.insert(Slot::ConversionSeconds, SlotValue::Number(seconds));
        }
        if self.dice.percent(60) {
            let day = if self.dice.percent(5) {
                self.dice.below(2) * 2_932_896
            } else {
                usize::try_from(first_day().days()).unwrap() + 50 + self.dice.below(25)
            };
            slots.insert(
                Slot::ClosingDay,
                SlotValue::Number(i64::try_from(day).unwrap()),
            );
        }
        slots
    }

    fn item(&mut self) -> DraftItem {
        let category = self
            .dice
            .maybe(75, CATEGORIES)
            .map(|id| CategoryRef::with_id(id.to_owned(), self.text(50)));
        let product = self.dice.percent(85).then(|| self.product());
        DraftItem {
            external_id: self.text(20),
            product,
            category,
            amount_e4: *self.dice.pick(AMOUNTS),
            reward_e4: *self.dice.pick(AMOUNTS),
            rate_e4: self.dice.maybe(50, AMOUNTS),
            is_percentage: self.dice.maybe(50, &[false, true]),
            tariff_id: self.text(40),
            rate_id: self.text(40),
            units: i32::try_from(*self.dice.pick(&[1usize, 1, 1, 2, 3, 10, 0])).unwrap(),
            ordered_at: self.dice.percent(30).then(|| self.moment()),
        }
    }

    fn product(&mut self) -> ProductRef {
        let number = self.dice.below(14);
        let id = format!("10050{number}");
        let url = format!("https://www.aliexpress.com/item/{id}.html");
        let name = self.text(60);
        let (external_id, url, name) = match self.dice.below(6) {
            0 => (None, Some(url), name),
            1 => (Some(id), Some(url), name),
            2 => (
                None,
                Some(format!("https://s.example/{number}?a=%41_b")),
                name,
            ),
            3 => (
                None,
                None,
                Some(self.dice.pick(TEXTS).to_owned().to_owned()),
            ),
            _ => (Some(id), None, name),
        };
        ProductRef {
            external_id,
            name,
            url,
            image_url: self.text(20),
            country: self.dice.maybe(40, &["CN", "RU", "ru"]).map(str::to_owned),
        }
    }
}
