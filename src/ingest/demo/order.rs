//! One action of the demo: who buys what, where, and what it earns.

use super::calendar::{Calendar, roubles};
use super::life::{self, Life};
use super::market::{Market, Program, Space, draw_program, paid_permille};
use super::people::People;
use super::products::{Product, Products};
use super::random::{Random, mix};

/// A target action.
pub(super) struct Order<'a> {
    pub(super) number: u64,
    pub(super) days_ago: i64,
    pub(super) ordered: i64,
    pub(super) clicked: i64,
    pub(super) program: &'static Program,
    pub(super) space: &'static Space,
    pub(super) country: Option<&'static str>,
    pub(super) user: Option<u64>,
    pub(super) is_lead: bool,
    /// In 1/100 of the program's currency, like all amounts here.
    pub(super) cart: i64,
    pub(super) reward: i64,
    pub(super) lines: Vec<Line<'a>>,
    /// Upstream sends no cart although there is one.
    pub(super) hides_cart: bool,
    pub(super) life: Life,
    /// Chance for what hardly matters: SubIDs, click ids, referers.
    pub(super) whim: u64,
}

/// A cart item.
pub(super) struct Line<'a> {
    /// None where upstream leaves the product's fields empty.
    pub(super) product: Option<&'a Product>,
    pub(super) amount: i64,
    pub(super) reward: i64,
    /// In 1/100 % or in 1/100 of the currency.
    pub(super) rate: i64,
    pub(super) is_percentage: bool,
}

/// Draws the action that is ordered at a second of a day.
pub(super) fn draw<'a>(
    random: &mut Random,
    (market, calendar): (&'static Market, &Calendar),
    (people, products): (&mut People, &'a Products),
    (number, day, days_ago): (u64, i64, i64),
    ordered: i64,
) -> Order<'a> {
    let newcomer = |random: &mut Random| (market.draw_country(random), market.draw_space(random));
    let is_known = random.permille(855);
    let (user, home, space) = if is_known {
        let person = people.draw(random, day, newcomer);
        (Some(person.number), person.country, person.ad_space)
    } else {
        let (country, space) = newcomer(random);
        (None, country, space)
    };
    let country = market.country(if random.permille(960) {
        home
    } else {
        market.draw_country(random)
    });
    let space = if random.permille(850) {
        space
    } else {
        market.draw_space(random)
    };
    let program = draw_program(random, country);
    let paid = paid_permille(program, country);
    let is_lead = random.below(700) == 0;
    let count = random.weighted(&[(620, 1), (200, 2), (90, 3), (50, 4), (25, 5), (15, 6)], 1);
    let count = if is_lead { 0 } else { count };
    let lines: Vec<Line<'a>> = (0..count)
        .filter_map(|_| line(random, products, program, paid, days_ago))
        .collect();
    let is_risky = lines
        .first()
        .and_then(|line| line.product)
        .is_some_and(|product| product.is_risky);
    let approved = match (is_risky, paid) {
        (true, _) => 330,
        (false, 1_000) => 930,
        (false, _) => 820,
    };
    let mut cart: i64 = lines.iter().map(|line| line.amount).sum();
    let mut reward: i64 = lines.iter().map(|line| line.reward).sum();
    if random.permille(30) {
        // Something in the order that no item accounts for.
        cart += cart * random.between(5, 30) / 100;
        reward += reward / 10;
    }
    let minutes = random.between(1, 60) * random.between(1, 72);
    Order {
        number,
        days_ago,
        ordered,
        clicked: ordered - minutes * 60 - random.between(0, 59),
        program,
        space: market.spaces.get(space).unwrap_or(&market.spaces[0]),
        country: random.permille(985).then_some(country),
        user,
        is_lead,
        cart,
        reward: if is_lead { 50 * paid / 1_000 } else { reward },
        lines,
        hides_cart: random.permille(55),
        life: life::draw(random, ordered, calendar.end, approved),
        whim: random.next(),
    }
}

fn line<'a>(
    random: &mut Random,
    products: &'a Products,
    program: &Program,
    paid: i64,
    days_ago: i64,
) -> Option<Line<'a>> {
    let product = products.draw(random, days_ago)?;
    let dollars = product.price * random.between(88, 112) / 100;
    let amount = if program.currency == "RUB" {
        dollars * roubles(days_ago) / 100
    } else {
        dollars
    };
    // Some products are hot and pay several times as much, some pay nothing.
    let rate = match mix(product.id) % 100 {
        0..4 => product.shelf.rate * 4,
        4..7 if program.currency == "RUB" => 0,
        _ => product.shelf.rate,
    };
    let rate = rate * paid / 1_000;
    let reward = (amount * rate + 5_000) / 10_000;
    let is_percentage = !random.permille(15);
    Some(Line {
        product: (!random.permille(20)).then_some(product),
        amount,
        reward,
        rate: if is_percentage { rate } else { reward },
        is_percentage,
    })
}
