//! Writing the demo's actions as upstream's response pages, oddities of its types included.

use super::calendar::{Calendar, DAY};
use super::life::Stage;
use super::order::{Line, Order};
use super::random::mix;
use std::fmt::Write as _;

/// Begins a page.
pub(super) fn open(out: &mut String) {
    out.push_str("{\"results\":[");
}

/// Ends a page of so many actions.
pub(super) fn close(out: &mut String, count: usize, offset: u64) {
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "],\"_meta\":{{\"count\":{count},\"limit\":500,\"offset\":{offset}}}}}"
    );
}

/// Writes an action as it stands at a stage.
pub(super) fn push_action(out: &mut String, calendar: &Calendar, order: &Order<'_>, stage: &Stage) {
    let id = order.number;
    // Old responses have no `id`.
    if order.days_ago > 700 {
        let _ = write!(out, "{{\"banner_id\":0,\"action_id\":{id}");
    } else {
        let _ = write!(out, "{{\"id\":{id},\"action_id\":{id}");
    }
    let _ = write!(
        out,
        ",\"order_id\":\"{}\",\"tariff_id\":{}",
        3_019_000_000_000_000 + id * 7,
        order.program.tariff
    );
    let _ = write!(
        out,
        ",\"advcampaign_id\":{}",
        order.program.id.unwrap_or("null")
    );
    push(out, "advcampaign_name", Some(order.program.name));
    if let Some((id, _)) = order.space.id.filter(|(_, days)| order.days_ago < *days) {
        let _ = write!(out, ",\"website_id\":{id}");
    }
    push(out, "website_name", Some(order.space.name));
    push_click(out, order);
    let (name, kind) = if order.is_lead {
        ("Registration", "lead")
    } else {
        ("Paid order", "sale")
    };
    let _ = write!(
        out,
        ",\"conversion_time\":{},\"action\":\"{name}\",\"action_type\":\"{kind}\",\"cart\":",
        order.ordered - order.clicked
    );
    if order.is_lead {
        out.push_str("null");
    } else {
        push_amount(out, order.cart);
    }
    let _ = write!(
        out,
        ",\"status\":\"{}\",\"processed\":{}",
        stage.status,
        u8::from(stage.is_processed)
    );
    push_subids(out, order);
    out.push_str(",\"payment\":");
    push_amount(out, order.reward);
    let _ = write!(out, ",\"currency\":\"{}\"", order.program.currency);
    push(out, "comment", stage.comment);
    out.push_str(",\"positions\":[");
    let shown: &[Line<'_>] = if order.hides_cart { &[] } else { &order.lines };
    for (at, line) in shown.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_line(out, calendar, order, (at, line));
    }
    let _ = write!(
        out,
        "],\"paid\":{},\"click_date\":\"",
        u8::from(stage.is_paid)
    );
    calendar.push_time(out, order.clicked);
    out.push_str("\",\"action_date\":\"");
    calendar.push_time(out, order.ordered);
    out.push_str("\",\"closing_date\":\"");
    match stage.updated {
        Some(updated) if stage.is_processed => calendar.push_date(out, updated + DAY),
        _ if order.whim.is_multiple_of(16) => {}
        _ => calendar.push_date(out, order.ordered + 30 * DAY),
    }
    out.push_str("\",\"status_updated\":\"");
    if let Some(updated) = stage.updated {
        calendar.push_time(out, updated);
    }
    out.push_str("\"}");
}

/// What upstream tells of the click; the address and the referer are there to be dropped.
fn push_click(out: &mut String, order: &Order<'_>) {
    let whim = mix(order.whim ^ 1);
    if whim.is_multiple_of(3) {
        let _ = write!(out, ",\"click_user_ip\":\"203.0.113.{}\"", whim >> 8 & 0xff);
    } else {
        out.push_str(",\"click_user_ip\":null");
    }
    let _ = write!(
        out,
        ",\"click_user_referer\":\"https://{}.example/post-{}\"",
        order.space.channel,
        whim % 900
    );
    push(out, "click_country_code", order.country);
}

fn push_subids(out: &mut String, order: &Order<'_>) {
    let whim = mix(order.whim ^ 2);
    let promo = whim.is_multiple_of(45);
    push(out, "subid", Some(order.space.channel));
    match order.user {
        Some(user) => {
            let _ = write!(out, ",\"subid1\":\"u-{user}\"");
        }
        None => push(out, "subid1", (whim.is_multiple_of(2)).then_some("")),
    }
    let _ = write!(out, ",\"subid2\":\"post-{}\"", whim >> 16 & 0x1ff);
    // A personal promo code overwrites the third.
    push(out, "subid3", promo.then_some("NOTES10"));
    let _ = write!(out, ",\"subid4\":\"clk-{:010x}\"", whim >> 24);
    push(
        out,
        "keyword",
        (whim.is_multiple_of(120)).then_some("usb c cable"),
    );
    push(out, "promocode", promo.then_some("NOTES10"));
}

fn push_line(
    out: &mut String,
    calendar: &Calendar,
    order: &Order<'_>,
    (at, line): (usize, &Line<'_>),
) {
    let id = 2_000_000_000 + order.number * 8 + at as u64;
    let _ = write!(
        out,
        "{{\"id\":{id},\"tariff_id\":{},\"datetime\":\"",
        order.program.tariff
    );
    calendar.push_time(out, order.ordered);
    out.push_str("\",\"amount\":\"");
    push_amount(out, line.amount);
    out.push_str("\",\"payment\":\"");
    push_amount(out, line.reward);
    out.push_str("\",\"rate\":\"");
    push_amount(out, line.rate);
    let rate_id = 70_000
        + u64::from(order.program.tariff) * 100
        + line.product.map_or(0, |product| product.shelf.weight);
    let _ = write!(
        out,
        "\",\"rate_id\":{rate_id},\"percentage\":{}",
        line.is_percentage
    );
    let Some(product) = line.product else {
        for field in [
            "product_url",
            "product_id",
            "product_image",
            "product_name",
            "product_category_id",
            "product_category_name",
        ] {
            push(out, field, Some(""));
        }
        out.push('}');
        return;
    };
    let number = product.id;
    let host = if order.program.currency == "RUB" {
        "aliexpress.ru"
    } else {
        "www.aliexpress.com"
    };
    let _ = write!(
        out,
        ",\"product_url\":\"https://{host}/item/{number}.html\",\"product_id\":\"{number}\""
    );
    let _ = write!(
        out,
        ",\"product_image\":\"https://ae01.alicdn.com/kf/S{:016x}.jpg\"",
        mix(number)
    );
    push(out, "product_name", Some(&product.name));
    let (category, name) = match product.oddity {
        1 => ("", ""),
        2 => ("299001234", "Trial shelf"),
        _ => (product.shelf.category, product.shelf.name),
    };
    push(out, "product_category_id", Some(category));
    push(out, "product_category_name", Some(name));
    out.push('}');
}

/// Writes a field: a text, or null.
fn push(out: &mut String, name: &str, value: Option<&str>) {
    out.push_str(",\"");
    out.push_str(name);
    let Some(value) = value else {
        out.push_str("\":null");
        return;
    };
    out.push_str("\":\"");
    for part in value.split_inclusive(['"', '\\']) {
        match part.as_bytes().last() {
            Some(last @ (b'"' | b'\\')) => {
                out.push_str(part.get(..part.len() - 1).unwrap_or_default());
                out.push('\\');
                out.push(char::from(*last));
            }
            _ => out.push_str(part),
        }
    }
    out.push('"');
}

/// Writes an amount of 1/100.
fn push_amount(out: &mut String, amount: i64) {
    let _ = write!(out, "{}.{:02}", amount / 100, amount % 100);
}
