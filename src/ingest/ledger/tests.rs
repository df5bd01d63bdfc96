//! What lines of a ledger mean.

use super::*;
use crate::ingest::corpus::corpus;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Write as _;

fn read_text(text: &[u8]) -> Result<LedgerInput, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    read(file.path(), 180)
}

fn only(text: &str) -> AdjustmentDraft {
    let mut input = read_text(text.as_bytes()).unwrap();
    assert_eq!(
        (input.adjustments.len(), input.rejected),
        (1, 0),
        "{text}: {:?}",
        input.rejects
    );
    input.adjustments.remove(0)
}

/// Why the one line under these headings is refused: the reason and the field.
fn refused(headings: &str, line: &str) -> (&'static str, String) {
    let input = read_text(format!("{headings}\n{line}\n").as_bytes()).unwrap();
    assert_eq!((input.adjustments.len(), input.rejected), (0, 1), "{line}");
    let reject = &input.rejects[0];
    assert_eq!(reject.place.line, 2);
    (
        reject.reason.as_str(),
        reject.field.clone().unwrap_or_default(),
    )
}

#[test]
fn admitad_s_balance_history_is_read_and_the_rewards_of_actions_are_passed_over() {
    let text = "\
Date;Amount;Currency;Operation type;Reason;Comment
05.03.2024 14:30;12,50;USD;Withdrawal;Balance transaction;AliExpress WW affiliate program. Antispam deduction
06.03.2024;1 250.00;USD;Withdrawal;Payment request;
07.03.2024;1.89;USD;Credit;Payment for action ID 900000001;
08.03.2024;3;USD;Withdrawal;Fine for fraudulent actions;
09.03.2024;7;USD;Credit;Referral payment;
10.03.2024;20;USD;Withdrawal;Transfer between publishers;
11.03.2024;4;USD;Credit;Balance transaction;
12.03.2024;1;USD;Credit;Fine for fraudulent actions;returned
";
    let input = read_text(text.as_bytes()).unwrap();
    assert_eq!(input.rejects, []);
    assert_eq!(input.passed_over, 1);
    let read: Vec<(AdjustmentKind, i64, String)> = input
        .adjustments
        .iter()
        .map(|draft| (draft.kind, draft.amount_e4, draft.day.to_string()))
        .collect();
    let day = |day: &str| format!("2024-03-{day}");
    assert_eq!(
        read,
        [
            (AdjustmentKind::Deduction, -125_000, day("05")),
            (AdjustmentKind::Payout, -12_500_000, day("06")),
            (AdjustmentKind::Fine, -30_000, day("08")),
            (AdjustmentKind::Bonus, 70_000, day("09")),
            (AdjustmentKind::Transfer, -200_000, day("10")),
            (AdjustmentKind::Correction, 40_000, day("11")),
            (AdjustmentKind::Fine, 10_000, day("12")),
        ]
    );
    let times: Vec<Option<String>> = input
        .adjustments
        .iter()
        .map(|draft| draft.at.map(|at| at.to_string()))
        .collect();
    assert_eq!(times[0].as_deref(), Some("2024-03-05T11:30:00Z"));
    assert!(times[1..].iter().all(Option::is_none), "{times:?}");
}

#[test]
fn a_russian_table_in_windows_1251_says_the_same() {
    let text = "\u{41e}тчёт\n\nДата;Сумма;Валюта;Тип операции;Причина;Комментарий;Номер;Программа;ID площадки\n\
                05.03.2024;-12,50;rub;Списание;Антиспам-удержание;за март;А-17;AliExpress RU&CIS NEW;42\n";
    let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(text);
    let mut input = read_text(&bytes).unwrap();
    assert_eq!(input.rejects, []);
    let draft = input.adjustments.remove(0);
    assert_eq!(
        (draft.kind, draft.amount_e4, draft.currency.as_str()),
        (AdjustmentKind::Deduction, -125_000, "RUB")
    );
    assert_eq!(draft.reference.as_deref(), Some("А-17"));
    assert_eq!(draft.comment.as_deref(), Some("за март"));
    let program = draft.program.unwrap();
    assert_eq!(program.name.as_deref(), Some("AliExpress RU&CIS NEW"));
    let space = draft.ad_space.unwrap();
    assert_eq!(
        (space.external_id.as_deref(), space.name),
        (Some("42"), None)
    );
}

#[test]
fn signs_come_from_the_amount_else_from_the_operation_else_from_the_kind() {
    let line = |kind: &str, operation: &str, amount: &str| {
        only(&format!(
            "date,kind,operation,amount,currency\n2024-03-05,{kind},{operation},{amount},USD\n"
        ))
        .amount_e4
    };
    for (kind, operation, amount, expected) in [
        ("FINE", "", "5", -50_000),
        ("FINE", "", "-5", -50_000),
        ("FINE", "", "+5", 50_000),
        ("FINE", "Credit", "5", 50_000),
        ("PAYOUT", "", "5", -50_000),
        ("BONUS", "", "5", 50_000),
        ("BONUS", "Withdrawal", "5", -50_000),
        ("CORRECTION", "", "5", 50_000),
        ("CORRECTION", "", "\u{2212}5", -50_000),
        ("DEDUCTION", "Withdrawal", "-5", -50_000),
        ("DEDUCTION", "Withdrawal", "0", 0),
    ] {
        assert_eq!(
            line(kind, operation, amount),
            expected,
            "{kind} {operation} {amount}"
        );
    }
}

#[test]
fn what_is_not_understood_is_refused_by_its_field_and_the_rest_goes_on() {
    let headings = "date,kind,operation,amount,currency";
    for (line, expected) in [
        ("yesterday,FINE,,5,USD", ("BAD_VALUE", "date")),
        (",FINE,,5,USD", ("MISSING_FIELD", "date")),
        ("2024-03-05,Weather,,5,USD", ("BAD_VALUE", "kind")),
        ("2024-03-05,refinement,,5,USD", ("BAD_VALUE", "kind")),
        ("2024-03-05,,,5,USD", ("MISSING_FIELD", "kind")),
        ("2024-03-05,FINE,sideways,5,USD", ("BAD_VALUE", "operation")),
        ("2024-03-05,FINE,Credit,-5,USD", ("BAD_VALUE", "operation")),
        ("2024-03-05,FINE,,five,USD", ("BAD_VALUE", "amount")),
        ("2024-03-05,FINE,,,USD", ("MISSING_FIELD", "amount")),
        ("2024-03-05,FINE,,5,dollars", ("BAD_VALUE", "currency")),
        ("2024-03-05,FINE,,5,", ("MISSING_FIELD", "currency")),
        ("2024-03-05,FINE,,€5,USD", ("BAD_VALUE", "currency")),
        ("2024-03-05,FINE,,5", ("MALFORMED", "")),
    ] {
        let (reason, field) = refused(headings, line);
        assert_eq!((reason, field.as_str()), expected, "{line}");
    }
    let input = read_text(b"date,kind,amount\n2024-03-05,FINE,5\n2024-03-06,FINE,$5\n").unwrap();
    assert_eq!((input.adjustments.len(), input.rejected), (1, 1));
    assert!(
        input.rejects[0].raw.contains("2024-03-05"),
        "{}",
        input.rejects[0].raw
    );
}

#[test]
fn a_table_without_what_is_needed_says_what() {
    let error = read_text(b"date,kind\n2024-03-05,FINE\n").unwrap_err();
    assert!(error.contains("`amount`"), "{error}");
    let error = read_text(b"one,two\n1,2\n").unwrap_err();
    assert!(error.contains("no row of headings"), "{error}");
    let error = read_text(b"Date,amount,Sum,kind\n2024-03-05,1,2,FINE\n").unwrap_err();
    assert!(error.contains("column 2 and column 3"), "{error}");
}

/// The folder of sound, damaged and foreign ledgers.
const CORPUS: &str = "ledger";

#[test]
fn every_ledger_of_the_corpus_is_read_or_refused_as_it_should_be() {
    let expected: BTreeMap<&str, Result<(usize, u64), &str>> = BTreeMap::from([
        ("balance-history.csv", Ok((7, 0))),
        ("cut-off.csv.gz", Err("cannot be read")),
        ("headings-twice.csv", Err("column 2 and column 3")),
        ("no-amount.csv", Err("`amount`")),
        ("no-headings.csv", Err("no row of headings")),
        ("nothing.csv", Err("no row of headings")),
        ("open-quote.csv", Ok((1, 1))),
        ("refused-lines.csv", Ok((0, 13))),
        ("russian.csv", Ok((1, 0))),
        ("russian.csv.gz", Ok((1, 0))),
        ("sign-in.html", Err("no row of headings")),
        ("utf-16.csv", Ok((1, 0))),
    ]);
    let files = corpus(CORPUS);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
    for (name, bytes) in &files {
        match (read_text(bytes), expected[name.as_str()]) {
            (Ok(input), Ok(counts)) => {
                assert_eq!((input.adjustments.len(), input.rejected), counts, "{name}");
            }
            (Err(said), Err(words)) => assert!(said.contains(words), "{name}: {said}"),
            (found, expected) => panic!("{name}: {found:?}, expected {expected:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_lines_or_a_sentence(bytes in proptest::collection::vec(any::<u8>(), 0..400), file in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(), cut in 0usize..60) {
        let files = corpus(CORPUS);
        let mut text = file.get(&files.into_values().collect::<Vec<_>>()).clone();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, bytes.iter().copied());
        for input in [&text, &bytes] {
            if let Err(said) = read_text(input) {
                prop_assert!(!said.is_empty() && said.len() < 4_000, "{said}");
            }
        }
    }
}
