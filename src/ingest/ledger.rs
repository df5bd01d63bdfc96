//! A ledger as CSV: what moved the balance and was no action, from Admitad's balance history or a table of one's own.
//!
//! The rewards of actions stand in a balance history too. They are actions here, so their lines are passed over.

use super::format::headed::{Heading, Table, TableRow};
use super::refusal::Refusal;
use crate::domain::column::ColumnKind;
use crate::domain::draft::{AdSpaceRef, ProgramRef, RejectReason};
use crate::domain::ledger::{AdjustmentDraft, AdjustmentKind, LedgerInput};
use crate::domain::money::{Currency, Excess, parse_e4};
use crate::domain::text::fold;
use crate::domain::time::{Day, parse_upstream};
use std::path::Path;

/// How many adjustments one input may have: they are written in one transaction.
const MOST: usize = 100_000;
/// How many refused lines are kept.
const KEPT: usize = 10_000;
/// The longest id, in characters.
const ID_LIMIT: usize = 200;
/// The longest text, in characters.
const TEXT_LIMIT: usize = 4_000;

/// The columns.
const HEADINGS: &[Heading] = &[
    Heading {
        name: "date",
        also: &[
            "Operation date",
            "Date and time",
            "Time",
            "Day",
            "Дата",
            "Дата операции",
            "Время",
        ],
    },
    Heading {
        name: "amount",
        also: &["Sum", "Value", "Сумма", "Сумма операции"],
    },
    Heading {
        name: "currency",
        also: &["Валюта"],
    },
    Heading {
        name: "operation",
        also: &["Operation type", "Тип операции", "Операция"],
    },
    Heading {
        name: "kind",
        also: &[
            "Reason",
            "Type",
            "Adjustment",
            "Причина",
            "Основание",
            "Вид",
            "Тип",
        ],
    },
    Heading {
        name: "comment",
        also: &[
            "Description",
            "Note",
            "Комментарий",
            "Описание",
            "Примечание",
        ],
    },
    Heading {
        name: "reference",
        also: &[
            "ID",
            "Transaction ID",
            "Operation ID",
            "Number",
            "Номер",
            "ID операции",
            "Номер операции",
        ],
    },
    Heading {
        name: "program",
        also: &[
            "Program name",
            "advcampaign_name",
            "Программа",
            "Название программы",
        ],
    },
    Heading {
        name: "program_id",
        also: &["advcampaign_id", "ID программы"],
    },
    Heading {
        name: "ad_space",
        also: &[
            "Ad space name",
            "Website",
            "website_name",
            "Площадка",
            "Рекламная площадка",
        ],
    },
    Heading {
        name: "ad_space_id",
        also: &["website_id", "ID площадки"],
    },
];

/// Of each group one column is needed.
const NEEDED: &[&[&str]] = &[&["date"], &["amount"], &["kind", "comment"]];

/// Reads the ledger at `path`; `offset_minutes` is that of times without one.
///
/// # Errors
/// A sentence for people, where it cannot be read to its end or holds more than one transaction takes. Lines that cannot
/// be understood are no error.
pub fn read(path: &Path, offset_minutes: i32) -> Result<LedgerInput, String> {
    let table = Table::open(path, HEADINGS, NEEDED)?;
    let mut input = LedgerInput::default();
    table.read(&mut |row| {
        match line(&row, offset_minutes) {
            Ok(Line::Adjustment(draft, rounded)) => {
                input.rounded += u64::from(rounded);
                input.adjustments.push(draft);
            }
            Ok(Line::Reward) => input.passed_over += 1,
            Err(refusal) => {
                input.rejected += 1;
                if input.rejects.len() < KEPT {
                    input
                        .rejects
                        .push(refusal.at(row.place, row.raw().as_bytes()));
                }
            }
        }
        input.adjustments.len() <= MOST
    })?;
    if input.adjustments.len() > MOST {
        return Err(format!(
            "it holds more than {MOST} adjustments, which is the most for one file: split it"
        ));
    }
    Ok(input)
}

/// What a line is.
enum Line {
    /// An adjustment, and whether its amount was rounded.
    Adjustment(AdjustmentDraft, bool),
    /// The reward of an action.
    Reward,
}

fn line(row: &TableRow<'_>, offset_minutes: i32) -> Result<Line, Refusal> {
    row.check()?;
    let comment = row.text("comment", TEXT_LIMIT)?;
    let Some(kind) = kind(row, comment.as_deref())? else {
        return Ok(Line::Reward);
    };
    let (day, at) = when(row, offset_minutes)?;
    let program = reference(row, "program_id", "program")?
        .map(|(external_id, name)| ProgramRef { external_id, name });
    let ad_space = reference(row, "ad_space_id", "ad_space")?
        .map(|(external_id, name)| AdSpaceRef { external_id, name });
    let Some((amount, named)) = row.cell("amount", ColumnKind::Money, ID_LIMIT)? else {
        return Err(missing("amount", "say what it did to the balance"));
    };
    let (size, rounded) = parse_e4(&amount, Excess::RoundHalfEven)
        .map_err(|error| bad("amount", &error.to_string()))?;
    let amount_e4 = signed(row, kind, &amount, size)?;
    Ok(Line::Adjustment(
        AdjustmentDraft {
            kind,
            day,
            at,
            amount_e4,
            currency: currency(row, named)?,
            program,
            ad_space,
            comment,
            reference: row
                .cell("reference", ColumnKind::Id, ID_LIMIT)?
                .map(|(text, _)| text),
        },
        rounded,
    ))
}

/// Beginnings of words by which a kind is known, within a folded text: the first that is found decides.
const WORDS: &[(&str, Option<AdjustmentKind>)] = &[
    ("antispam", Some(AdjustmentKind::Deduction)),
    ("антиспам", Some(AdjustmentKind::Deduction)),
    ("deduction", Some(AdjustmentKind::Deduction)),
    ("удержание", Some(AdjustmentKind::Deduction)),
    ("вычет", Some(AdjustmentKind::Deduction)),
    ("fine", Some(AdjustmentKind::Fine)),
    ("штраф", Some(AdjustmentKind::Fine)),
    // Before "payment" of any other kind.
    ("payment for action", None),
    ("оплата за действи", None),
    ("начисление за действи", None),
    ("вознаграждение за действи", None),
    ("referral", Some(AdjustmentKind::Bonus)),
    ("реферал", Some(AdjustmentKind::Bonus)),
    ("bonus", Some(AdjustmentKind::Bonus)),
    ("бонус", Some(AdjustmentKind::Bonus)),
    ("премия", Some(AdjustmentKind::Bonus)),
    ("payout", Some(AdjustmentKind::Payout)),
    ("payment request", Some(AdjustmentKind::Payout)),
    ("withdrawal", Some(AdjustmentKind::Payout)),
    ("выплат", Some(AdjustmentKind::Payout)),
    ("вывод средств", Some(AdjustmentKind::Payout)),
    ("transfer", Some(AdjustmentKind::Transfer)),
    ("перевод", Some(AdjustmentKind::Transfer)),
    ("correction", Some(AdjustmentKind::Correction)),
    ("adjustment", Some(AdjustmentKind::Correction)),
    ("balance transaction", Some(AdjustmentKind::Correction)),
    ("корректировк", Some(AdjustmentKind::Correction)),
    ("операция по балансу", Some(AdjustmentKind::Correction)),
    ("балансовая операция", Some(AdjustmentKind::Correction)),
];

fn known(text: &str) -> Option<Option<AdjustmentKind>> {
    let text = fold(text);
    let says = |word: &str| {
        let mut places = text.match_indices(word);
        places.any(|(place, _)| {
            let before = text.get(..place).and_then(|head| head.chars().next_back());
            !before.is_some_and(char::is_alphanumeric)
        })
    };
    let found = WORDS.iter().find(|(word, _)| says(word));
    found.map(|(_, kind)| *kind)
}

/// What kind of adjustment a line is; none where it is the reward of an action. The reason decides, but where it only
/// says that the balance was corrected, the comment may know better.
fn kind(row: &TableRow<'_>, comment: Option<&str>) -> Result<Option<AdjustmentKind>, Refusal> {
    let reason = row.text("kind", TEXT_LIMIT)?;
    let of_comment = comment.and_then(known);
    let Some(reason) = reason else {
        return of_comment.ok_or_else(|| {
            missing("kind", "and the comment does not tell it: say what it is, such as DEDUCTION, FINE or PAYOUT")
        });
    };
    match (known(&reason), of_comment) {
        (Some(Some(AdjustmentKind::Correction)) | None, Some(Some(kind))) => Ok(Some(kind)),
        (Some(kind), _) => Ok(kind),
        (None, _) => {
            let kinds: Vec<&str> = AdjustmentKind::ALL
                .iter()
                .map(|kind| kind.as_str())
                .collect();
            Err(bad(
                "kind",
                &format!(
                    "`{reason}` is no kind of adjustment that is known; write {}",
                    kinds.join(", ")
                ),
            ))
        }
    }
}

/// The day in the account's calendar and, where the line has a time, the instant.
fn when(
    row: &TableRow<'_>,
    offset_minutes: i32,
) -> Result<(Day, Option<crate::domain::time::Instant>), Refusal> {
    let Some((day, _)) = row.cell("date", ColumnKind::Day, ID_LIMIT)? else {
        return Err(missing("date", "say when it was"));
    };
    let day = Day::parse(&day).map_err(|error| bad("date", &error.to_string()))?;
    let Some((time, _)) = row.cell("date", ColumnKind::Time, ID_LIMIT)? else {
        return Ok((day, None));
    };
    let has_clock = row
        .text("date", ID_LIMIT)?
        .is_some_and(|text| text.contains(':'));
    if !has_clock {
        return Ok((day, None));
    }
    let at =
        parse_upstream(&time, offset_minutes).map_err(|error| bad("date", &error.to_string()))?;
    Ok((day, Some(at)))
}

/// An id and a name, one of which is given.
type Named = (Option<String>, Option<String>);

/// What stands under the headings of an id and a name; none where both are empty.
fn reference(row: &TableRow<'_>, id: &str, name: &str) -> Result<Option<Named>, Refusal> {
    let id = row.cell(id, ColumnKind::Id, ID_LIMIT)?.map(|(id, _)| id);
    let name = row.text(name, TEXT_LIMIT)?;
    Ok((id.is_some() || name.is_some()).then_some((id, name)))
}

fn currency(row: &TableRow<'_>, named: Option<String>) -> Result<Currency, Refusal> {
    let own = row.text("currency", ID_LIMIT)?;
    let read =
        |code: &str| Currency::parse(code).map_err(|error| bad("currency", &error.to_string()));
    match (own, named) {
        (None, None) => Err(missing(
            "currency",
            "say it in its own column, or beside the amount",
        )),
        (Some(code), None) | (None, Some(code)) => read(&code),
        (Some(code), Some(named)) => {
            let (code, named) = (read(&code)?, read(&named)?);
            if code == named {
                return Ok(code);
            }
            let message = format!(
                "is {}, and the amount is in {}",
                code.as_str(),
                named.as_str()
            );
            Err(bad("currency", &message))
        }
    }
}

/// What an amount did to the balance: by the sign that it has, else by the operation (a credit or a withdrawal), else by
/// its kind.
fn signed(
    row: &TableRow<'_>,
    kind: AdjustmentKind,
    amount: &str,
    size: i64,
) -> Result<i64, Refusal> {
    let lowers = match row.text("operation", ID_LIMIT)? {
        None => None,
        Some(operation) => Some(lowers(&operation)?),
    };
    match (amount.starts_with(['-', '+']), lowers) {
        (true, Some(lowers)) if size != 0 && lowers != (size < 0) => Err(bad(
            "operation",
            "and the sign of the amount say the opposite of each other",
        )),
        (true, _) => Ok(size),
        (false, Some(lowers)) => Ok(if lowers { -size } else { size }),
        (false, None) => Ok(if kind.lowers() { -size } else { size }),
    }
}

fn lowers(operation: &str) -> Result<bool, Refusal> {
    let folded = fold(operation);
    let says = |words: &[&str]| words.iter().any(|word| folded.contains(word));
    if says(&["withdraw", "debit", "списание", "снятие", "расход", "вывод"])
    {
        return Ok(true);
    }
    if says(&[
        "credit",
        "deposit",
        "зачисление",
        "начисление",
        "пополнение",
        "приход",
    ]) {
        return Ok(false);
    }
    let message = format!("`{operation}` is neither a credit nor a withdrawal");
    Err(bad("operation", &message))
}

fn missing(field: &str, remedy: &str) -> Refusal {
    let message = format!("`{field}` is missing: {remedy}");
    Refusal::new(RejectReason::MissingField, Some(field), message)
}

fn bad(field: &str, what: &str) -> Refusal {
    Refusal::new(
        RejectReason::BadValue,
        Some(field),
        format!("`{field}` {what}"),
    )
}

#[cfg(test)]
mod tests;
