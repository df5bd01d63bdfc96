//! Cells as people and spreadsheets write them become the text that upstream's API would have sent: amounts, times,
//! lengths of time, status words. What cannot be read is passed on as it is, for `normalize` to refuse by name; what could
//! be read two ways is refused here.

use crate::domain::column::ColumnKind;
use crate::domain::text::fold;
use std::borrow::Cow;

/// The day of 1970-01-01 in a spreadsheet's count.
const EPOCH: i64 = 25_569;
/// The last day of 9999 in it.
const LAST: i64 = 2_958_465;

/// What a spreadsheet keeps of a number that is typed in or opened: so many digits.
const KEPT_DIGITS: usize = 15;
/// The largest whole number up to which every one has a form of its own in a spreadsheet's file.
const EXACT: u64 = 1 << 53;

/// How a cell is written, beside its text and the kind of its column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// Amounts of the file have decimal commas.
    pub(super) has_decimal_commas: bool,
    /// It is a spreadsheet's number, and no text.
    pub(super) is_number: bool,
    /// Numbers of its workbook have more digits than spreadsheets keep of what they are given, so none was lost.
    pub(super) is_exact: bool,
}

/// A cell that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    /// It says nothing.
    Nothing,
    /// It says this.
    Text(Cow<'a, str>),
    /// It is an amount, and names its currency.
    Amount { amount: String, currency: String },
    /// It is a status that also says that the reward is released.
    Released,
    /// It could mean two things: a sentence about it, without the column's name.
    Unclear(String),
}

fn plain(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

/// What a cell of a column says.
pub(super) fn read(kind: ColumnKind, cell: &str, manner: Manner) -> Cell<'_> {
    let text = cell.trim_matches(is_blank);
    if matches!(text, "" | "-" | "–" | "—") {
        return Cell::Nothing;
    }
    match kind {
        ColumnKind::Verbatim => plain(cell),
        ColumnKind::Text | ColumnKind::Currency => plain(text),
        ColumnKind::Id => id(text, manner),
        ColumnKind::Money => money(text, manner),
        ColumnKind::Time => Cell::Text(time(text)),
        ColumnKind::Day => Cell::Text(day(text)),
        ColumnKind::Seconds => Cell::Text(seconds(text)),
        ColumnKind::Status => status(text),
        ColumnKind::ActionType => plain(match fold(text).as_str() {
            "sale" | "продажа" | "заказ" => "sale",
            "lead" | "лид" => "lead",
            _ => text,
        }),
        ColumnKind::Flag => plain(match fold(text).as_str() {
            "yes" | "true" | "да" => "1",
            "no" | "false" | "нет" => "0",
            _ => text,
        }),
    }
}

fn is_blank(symbol: char) -> bool {
    symbol.is_whitespace() || matches!(symbol, '\u{feff}' | '\u{200b}')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An id; one whose digits a spreadsheet has thrown away names nothing any more.
fn id(text: &str, manner: Manner) -> Cell<'_> {
    let has = if is_shortened(text) {
        "has"
    } else if manner.is_number && !has_all_digits(text, manner) {
        "may have"
    } else {
        return plain(text);
    };
    Cell::Unclear(format!(
        "is `{text}`: a spreadsheet {has} thrown its last digits away; give the column the format \"text\" and export again"
    ))
}

/// Whether it is `3.019E+15` or `3E+15`, as spreadsheets show long numbers. A word such as `12e5` may be an id.
fn is_shortened(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    match mantissa.split_once(['.', ',']) {
        Some((whole, rest)) => {
            is_digits(whole) && is_digits(rest) && is_digits(exponent.trim_start_matches('+'))
        }
        None => is_digits(mantissa) && exponent.strip_prefix('+').is_some_and(is_digits),
    }
}

/// Whether nothing can be missing of a number.
fn has_all_digits(text: &str, manner: Manner) -> bool {
    let is_exact = || text.parse::<u64>().is_ok_and(|number| number <= EXACT);
    !is_digits(text) || text.len() <= KEPT_DIGITS || manner.is_exact && is_exact()
}

/// Whether a number has more digits than a spreadsheet would have left of it: then it was never typed in or opened as a
/// text, and the others beside it were not either.
pub(super) fn shows_all_digits(text: &str) -> bool {
    let more = text.get(KEPT_DIGITS..).unwrap_or_default();
    is_digits(text)
        && more.bytes().any(|byte| byte != b'0')
        && text.parse::<u64>().is_ok_and(|number| number <= EXACT)
}

/// Signs that stand for one currency alone.
const SIGNS: &[(&str, &str)] = &[
    ("₽", "RUB"),
    ("руб.", "RUB"),
    ("руб", "RUB"),
    ("р.", "RUB"),
    ("$", "USD"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("₺", "TRY"),
    ("₹", "INR"),
    ("₸", "KZT"),
    ("₴", "UAH"),
];

/// An amount: decimal comma or point, thousands divided by blanks, apostrophes, points or commas, with or without its
/// currency before or behind it.
fn money(text: &str, manner: Manner) -> Cell<'_> {
    let (digits, currency) = bare(text);
    let unsigned = digits.trim_start_matches(['-', '+']);
    let amount = match divided(unsigned) {
        Divided::Point
            if manner.has_decimal_commas && !manner.is_number && is_group(unsigned, '.') =>
        {
            let whole = unsigned.replace('.', "");
            let decimals = unsigned.replace('.', ",");
            return Cell::Unclear(format!(
                "is `{text}`: other amounts of the file have decimal commas, so its point may divide thousands; write it as \
                 {whole} or {decimals}0"
            ));
        }
        Divided::Point => digits,
        Divided::Comma if is_group(unsigned, ',') => {
            let (whole, rest) = unsigned.split_once(',').unwrap_or_default();
            return Cell::Unclear(format!(
                "is `{text}`: its comma may divide thousands or decimals; write it as {whole}{rest} or {whole}.{rest}"
            ));
        }
        Divided::Comma => digits.replace(',', "."),
        Divided::PointsThenComma => digits.replace('.', "").replace(',', "."),
        Divided::CommasThenPoint => digits.replace(',', ""),
        // Nothing that we know: it is refused as it stands.
        Divided::Else => return plain(text),
    };
    match currency {
        Some(currency) => Cell::Amount { amount, currency },
        None => Cell::Text(Cow::Owned(amount)),
    }
}

/// How an amount without its sign and currency is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Divided {
    /// By one point at most.
    Point,
    /// By one comma.
    Comma,
    /// Thousands by points, decimals by a comma.
    PointsThenComma,
    /// Thousands by commas, decimals by a point.
    CommasThenPoint,
    /// As no amount is.
    Else,
}

fn divided(unsigned: &str) -> Divided {
    let (points, commas) = (unsigned.matches('.').count(), unsigned.matches(',').count());
    match (points, commas) {
        (0 | 1, 0) => Divided::Point,
        (0, 1) => Divided::Comma,
        _ if is_grouped(unsigned, '.', ',') => Divided::PointsThenComma,
        _ if is_grouped(unsigned, ',', '.') => Divided::CommasThenPoint,
        _ => Divided::Else,
    }
}

/// Whether a symbol stands where it may divide one group of thousands: `1,234`.
fn is_group(unsigned: &str, symbol: char) -> bool {
    unsigned.split_once(symbol).is_some_and(|(whole, rest)| {
        rest.len() == 3 && (1..=3).contains(&whole.len()) && whole != "0"
    })
}

/// Whether an amount has a decimal comma beyond doubt.
pub(super) fn has_decimal_comma(cell: &str) -> bool {
    if !cell.contains(',') {
        return false;
    }
    let (digits, _) = bare(cell.trim_matches(is_blank));
    let unsigned = digits.trim_start_matches(['-', '+']);
    let is_number = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    is_number
        && match divided(unsigned) {
            Divided::Comma => !is_group(unsigned, ','),
            // Without a comma all points divide thousands.
            Divided::PointsThenComma => unsigned.contains(','),
            Divided::Point | Divided::CommasThenPoint | Divided::Else => false,
        }
}

/// An amount without blanks, apostrophes and its currency, and that currency.
fn bare(text: &str) -> (String, Option<String>) {
    let (number, currency) = without_currency(text);
    let digits = number
        .chars()
        .filter(|symbol| !is_blank(*symbol) && !matches!(symbol, '\'' | '’' | '\u{202f}'))
        .map(|symbol| if symbol == '\u{2212}' { '-' } else { symbol });
    (digits.collect(), currency)
}

/// Whether thousands are divided by one symbol in groups of three, and decimals by the other.
fn is_grouped(text: &str, thousands: char, decimal: char) -> bool {
    let (whole, rest) = text.split_once(decimal).unwrap_or((text, ""));
    let mut groups = whole.split(thousands);
    let first = groups.next().unwrap_or_default();
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len())
        && digits(first)
        && digits(rest)
        && groups.all(|group| group.len() == 3 && digits(group))
}

/// An amount without the code or sign of its currency, and that currency.
fn without_currency(text: &str) -> (&str, Option<String>) {
    for (sign, code) in SIGNS {
        let found = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign));
        if let Some(rest) = found {
            return (rest.trim_matches(is_blank), Some((*code).to_owned()));
        }
    }
    let is_code =
        |part: &str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    if text.bytes().filter(u8::is_ascii_alphabetic).count() != 3 {
        return (text, None);
    }
    if let Some((head, tail)) = text.split_at_checked(3)
        && is_code(head)
    {
        return (tail.trim_matches(is_blank), Some(head.to_ascii_uppercase()));
    }
    if let Some(at) = text.len().checked_sub(3)
        && let Some((head, tail)) = text.split_at_checked(at)
        && is_code(tail)
    {
        return (head.trim_matches(is_blank), Some(tail.to_ascii_uppercase()));
    }
    (text, None)
}

/// A time as upstream writes it: `2024-03-05 13:30:00`.
fn time(text: &str) -> Cow<'_, str> {
    if let Some((days, seconds)) = serial(text) {
        return Cow::Owned(format!("{} {}", civil(days), clock(seconds)));
    }
    let (date, rest) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let rest = rest.trim_matches(is_blank);
    let date = date.trim_end_matches(',');
    let iso = iso_date(date);
    if rest.is_empty() {
        return match iso {
            Some(iso) => Cow::Owned(format!("{iso} 00:00:00")),
            None => Cow::Borrowed(text),
        };
    }
    match (iso, full_clock(rest)) {
        (Some(iso), Some(clock)) => Cow::Owned(format!("{iso} {clock}")),
        _ => Cow::Borrowed(text),
    }
}

/// `9:05` and `9:05:07` with two digits each; anything behind the seconds stays.
fn full_clock(text: &str) -> Option<String> {
    let (hour, rest) = text.split_once(':')?;
    let two = |part: &str| {
        !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !two(hour) {
        return None;
    }
    match rest.split_once(':') {
        None if two(rest) => Some(format!("{hour:0>2}:{rest:0>2}:00")),
        Some((minute, seconds)) if two(minute) => {
            Some(format!("{hour:0>2}:{minute:0>2}:{seconds}"))
        }
        _ => None,
    }
}

/// `2024-03-05`, also from `05.03.2024`; none for anything else.
fn iso_date(text: &str) -> Option<String> {
    let digits = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = text.split('.');
    if let (Some(day), Some(month), Some(year), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        let fits =
            digits(year, 4) && (1..=2).contains(&day.len()) && (1..=2).contains(&month.len());
        return (fits && digits(day, day.len()) && digits(month, month.len()))
            .then(|| format!("{year}-{month:0>2}-{day:0>2}"));
    }
    let mut parts = text.split('-');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day), None)
            if digits(year, 4) && digits(month, 2) && digits(day, 2) =>
        {
            Some(text.to_owned())
        }
        _ => None,
    }
}

fn day(text: &str) -> Cow<'_, str> {
    if let Some((days, _)) = serial(text) {
        return Cow::Owned(civil(days));
    }
    let date = text.split([' ', 'T']).next().unwrap_or(text);
    iso_date(date).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A spreadsheet's count of days, such as `45356.5625`: days since 1970 and seconds of the day, rounded to a second.
fn serial(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !(5..=7).contains(&whole.len()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let days: i64 = whole.parse().ok()?;
    if !(EPOCH..=LAST).contains(&days) {
        return None;
    }
    // Twelve digits of a day are less than a microsecond.
    let kept = fraction.get(..fraction.len().min(12))?;
    let scale = 10_i64.checked_pow(u32::try_from(kept.len()).ok()?)?;
    let part: i64 = if kept.is_empty() {
        0
    } else {
        kept.parse().ok()?
    };
    let seconds = (i128::from(part) * 86_400 * 2 + i128::from(scale)) / (i128::from(scale) * 2);
    let seconds = i64::try_from(seconds).ok()?;
    Some((days - EPOCH + seconds / 86_400, seconds % 86_400))
}

/// The day so many days after 1970-01-01.
fn civil(days: i64) -> String {
    chrono::DateTime::from_timestamp(days * 86_400, 0)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}

fn clock(seconds: i64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Seconds, also from `1:30:00`, with or without days before it (`2 d 1:30:00`, `2 дн. 1:30:00`).
fn seconds(text: &str) -> Cow<'_, str> {
    let (days, clock) = match text.rsplit_once(' ') {
        Some((days, clock)) if clock.contains(':') => {
            let number = days.trim_end_matches(|symbol: char| !symbol.is_ascii_digit());
            match number.parse::<i64>() {
                Ok(days) if (0..=100_000).contains(&days) => (days, clock),
                _ => return Cow::Borrowed(text),
            }
        }
        _ => (0, text),
    };
    let parts: Option<Vec<i64>> = clock
        .split(':')
        .map(|part| {
            let plain = !part.is_empty()
                && part.len() <= 6
                && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten()
        })
        .collect();
    match parts.as_deref() {
        Some([hours, minutes, seconds]) if *minutes < 60 && *seconds < 60 => {
            Cow::Owned((((days * 24 + hours) * 60 + minutes) * 60 + seconds).to_string())
        }
        _ => Cow::Borrowed(text),
    }
}

/// Upstream's word for the account's.
fn status(text: &str) -> Cell<'_> {
    let folded = fold(text).replace('ё', "е");
    plain(match folded.as_str() {
        "on hold" | "ожидает" | "в ожидании" | "pending" | "new" => "pending",
        "confirmed" | "подтвержден" | "подтверждено" | "approved" => {
            "approved"
        }
        "confirmed, awaiting advertiser payment"
        | "подтвержден, ожидает оплаты рекламодателем"
        | "approved_but_stalled" => "approved_but_stalled",
        "declined" | "отклонен" | "отклонено" => "declined",
        "ready for withdrawal" | "готовы к снятию" | "готов к снятию" | "готово к снятию" =>
        {
            return Cell::Released;
        }
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(kind: ColumnKind, cell: &str) -> String {
        text_in(Manner::default(), kind, cell)
    }

    fn text_in(manner: Manner, kind: ColumnKind, cell: &str) -> String {
        match read(kind, cell, manner) {
            Cell::Text(text) => text.into_owned(),
            Cell::Nothing => "(nothing)".to_owned(),
            Cell::Amount { amount, currency } => format!("{amount} in {currency}"),
            Cell::Released => "(released)".to_owned(),
            Cell::Unclear(why) => format!("(unclear: {why})"),
        }
    }

    #[test]
    fn amounts() {
        for (cell, read) in [
            ("1.89", "1.89"),
            ("1,89", "1.89"),
            ("1 234,50", "1234.50"),
            ("1\u{a0}234\u{202f}567,5", "1234567.5"),
            ("1,234.50", "1234.50"),
            ("1.234,50", "1234.50"),
            ("1,234,567", "1234567"),
            ("1'234.50", "1234.50"),
            ("0,125", "0.125"),
            ("-5,5", "-5.5"),
            ("\u{2212}5,5", "-5.5"),
            ("$1.89", "1.89 in USD"),
            ("1 234,50 ₽", "1234.50 in RUB"),
            ("15,5 руб.", "15.5 in RUB"),
            ("USD 1.89", "1.89 in USD"),
            ("1.89 usd", "1.89 in USD"),
            ("1e2", "1e2"),
            ("1,2,3", "1,2,3"),
            ("twelve", "twelve"),
            ("-", "(nothing)"),
            (" — ", "(nothing)"),
        ] {
            assert_eq!(text(ColumnKind::Money, cell), read, "{cell}");
        }
        assert!(text(ColumnKind::Money, "1,234").starts_with("(unclear: is `1,234`"));
    }

    #[test]
    fn a_point_among_decimal_commas_may_divide_thousands() {
        let commas = Manner {
            has_decimal_commas: true,
            ..Manner::default()
        };
        for cell in ["1.234", "-12.345", "123.456 ₽"] {
            assert!(
                text_in(commas, ColumnKind::Money, cell).contains("may divide thousands"),
                "{cell}"
            );
        }
        for (cell, read) in [
            ("1.23", "1.23"),
            ("0.125", "0.125"),
            ("1234.567", "1234.567"),
            ("1.234,50", "1234.50"),
            ("1.234.567", "1234567"),
            ("15", "15"),
        ] {
            assert_eq!(text_in(commas, ColumnKind::Money, cell), read, "{cell}");
        }
        // Numbers of spreadsheets always have points.
        let number = Manner {
            is_number: true,
            ..commas
        };
        assert_eq!(text_in(number, ColumnKind::Money, "1.234"), "1.234");
        for (cell, is_decimal) in [
            ("1,89", true),
            ("1 234,5 ₽", true),
            ("1.234,50", true),
            ("0,125", true),
            ("1234,567", true),
            ("1,234", false),
            ("1,234.50", false),
            ("1,234,567", false),
            ("1.89", false),
            ("a,b", false),
            ("-", false),
        ] {
            assert_eq!(has_decimal_comma(cell), is_decimal, "{cell}");
        }
    }

    #[test]
    fn numbers_that_lost_digits_are_no_ids() {
        let number = |is_exact| Manner {
            is_number: true,
            is_exact,
            ..Manner::default()
        };
        let id = |manner, cell| text_in(manner, ColumnKind::Id, cell);
        assert_eq!(id(number(false), "900000001"), "900000001");
        assert_eq!(id(number(false), "100500000000001"), "100500000000001");
        assert!(id(number(false), "1005000000000000").starts_with("(unclear"));
        assert_eq!(id(number(true), "1005000000000000"), "1005000000000000");
        // Beyond that numbers have no form of their own.
        assert!(id(number(true), "9900000000000000").starts_with("(unclear"));
        for cell in ["1E+15", "3.019E+15", "3,019e15"] {
            assert!(text(ColumnKind::Id, cell).starts_with("(unclear"), "{cell}");
        }
        for cell in ["1e15", "c-145e12", "E+15", "30190000000000000001"] {
            assert_eq!(text(ColumnKind::Id, cell), cell);
        }
        assert!(shows_all_digits("1005000000000001"));
        for cell in [
            "1005000000000000",
            "100500000000001",
            "9900000000000001",
            "x",
        ] {
            assert!(!shows_all_digits(cell), "{cell}");
        }
    }

    #[test]
    fn times_and_days() {
        for (cell, read) in [
            ("2024-03-05 13:30:00", "2024-03-05 13:30:00"),
            ("2024-03-05T13:30:00Z", "2024-03-05 13:30:00Z"),
            ("05.03.2024 13:30", "2024-03-05 13:30:00"),
            ("5.3.2024 9:05:07", "2024-03-05 09:05:07"),
            ("05.03.2024, 13:30:00", "2024-03-05 13:30:00"),
            ("2024-03-05", "2024-03-05 00:00:00"),
            ("45356.5625", "2024-03-05 13:30:00"),
            ("45356.999999999", "2024-03-06 00:00:00"),
            ("03/05/2024 13:30", "03/05/2024 13:30"),
            ("soon", "soon"),
            ("-", "(nothing)"),
        ] {
            assert_eq!(text(ColumnKind::Time, cell), read, "{cell}");
        }
        for (cell, read) in [
            ("04.04.2024", "2024-04-04"),
            ("2024-04-04 00:00:00", "2024-04-04"),
            ("45386", "2024-04-04"),
            ("-", "(nothing)"),
        ] {
            assert_eq!(text(ColumnKind::Day, cell), read, "{cell}");
        }
    }

    #[test]
    fn lengths_of_time_statuses_and_flags() {
        for (kind, cell, read) in [
            (ColumnKind::Seconds, "1:30:00", "5400"),
            (ColumnKind::Seconds, "26:05:01", "93901"),
            (ColumnKind::Seconds, "2 d 00:00:01", "172801"),
            (ColumnKind::Seconds, "2 дн. 00:00:01", "172801"),
            (ColumnKind::Seconds, "5400", "5400"),
            (ColumnKind::Seconds, "1:75:00", "1:75:00"),
            (ColumnKind::Status, "On hold", "pending"),
            (ColumnKind::Status, "Ожидает", "pending"),
            (ColumnKind::Status, "Подтверждён", "approved"),
            (
                ColumnKind::Status,
                "Подтвержден, ожидает оплаты рекламодателем",
                "approved_but_stalled",
            ),
            (ColumnKind::Status, "Отклонен", "declined"),
            (ColumnKind::Status, "Готовы к снятию", "(released)"),
            (ColumnKind::Status, "Ready for withdrawal", "(released)"),
            (ColumnKind::Status, "Frozen", "Frozen"),
            (ColumnKind::Flag, "Да", "1"),
            (ColumnKind::Flag, "no", "0"),
            (ColumnKind::ActionType, "Продажа", "sale"),
            (ColumnKind::Verbatim, " u-1 ", " u-1 "),
            (ColumnKind::Id, "3019000000000001", "3019000000000001"),
        ] {
            assert_eq!(text(kind, cell), read, "{cell}");
        }
        assert!(text(ColumnKind::Id, "3,019E+15").starts_with("(unclear"));
        assert_eq!(text(ColumnKind::Id, "c-145e12"), "c-145e12");
    }

    proptest! {
        #[test]
        fn any_cell_is_read_or_passed_on(cell in "[0-9.,:eE+$₽ \u{a0}USDруб-]{0,24}|.{0,24}") {
            for kind in [
                ColumnKind::Id, ColumnKind::Money, ColumnKind::Time, ColumnKind::Day, ColumnKind::Seconds, ColumnKind::Status,
            ] {
                for is_number in [false, true] {
                    let manner = Manner { has_decimal_commas: true, is_number, is_exact: false };
                    let _ = read(kind, &cell, manner);
                }
                let _ = (has_decimal_comma(&cell), shows_all_digits(&cell));
            }
        }
    }
}
