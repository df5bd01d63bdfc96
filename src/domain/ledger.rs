//! The ledger: what moved an account's balance and was no action, and what the balance was.
//!
//! An adjustment is never an action and never counts as one. A fall of the balance that no adjustment explains stays
//! unexplained: nothing here is guessed.

use super::action::words;
use super::draft::{AdSpaceRef, ProgramRef, Reject};
use super::id::{Kind, PublisherId, derive};
use super::money::{Currency, Money};
use super::time::{Day, Instant};
use std::collections::BTreeMap;
use uuid::Uuid;

words! {
    /// What an adjustment is.
    AdjustmentKind {
        /// What the network took back for orders that it had confirmed, such as an antispam deduction.
        Deduction = "DEDUCTION",
        /// A fine, such as one for fraudulent actions.
        Fine = "FINE",
        /// Money that was earned and left for the publisher's own account.
        Payout = "PAYOUT",
        /// Money that went to another publisher, or came from one.
        Transfer = "TRANSFER",
        /// Money on top of rewards, such as a referral payment.
        Bonus = "BONUS",
        /// Any other correction of the balance.
        Correction = "CORRECTION",
    }
}

impl AdjustmentKind {
    /// Whether it makes rewards less: what was earned is worth that much less. A payout only moves it.
    #[must_use]
    pub fn is_deducted(self) -> bool {
        matches!(self, Self::Deduction | Self::Fine)
    }

    /// Whether an amount of this kind that is written without a sign lowers the balance.
    #[must_use]
    pub fn lowers(self) -> bool {
        matches!(self, Self::Deduction | Self::Fine | Self::Payout)
    }
}

/// An adjustment as an entrance read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentDraft {
    /// What it is.
    pub kind: AdjustmentKind,
    /// The day in the account's calendar.
    pub day: Day,
    /// The instant, where the source had one.
    pub at: Option<Instant>,
    /// What it did to the balance, 1/10 000: below 0 where it was lowered.
    pub amount_e4: i64,
    /// Its currency.
    pub currency: Currency,
    /// The program, where one is named.
    pub program: Option<ProgramRef>,
    /// The ad space, where one is named.
    pub ad_space: Option<AdSpaceRef>,
    /// What the source says of it.
    pub comment: Option<String>,
    /// The source's own reference.
    pub reference: Option<String>,
}

impl AdjustmentDraft {
    /// What tells it from others of its account. With a reference that is the reference, so that a corrected line
    /// replaces the wrong one; without, all that it says.
    #[must_use]
    pub fn natural_key(&self) -> String {
        let (kind, currency) = (self.kind.as_str(), self.currency.as_str());
        match &self.reference {
            Some(reference) => format!("reference\0{kind}\0{currency}\0{reference}"),
            None => format!(
                "line\0{kind}\0{currency}\0{}\0{}\0{}",
                self.day.days(),
                self.amount_e4,
                self.comment.as_deref().unwrap_or_default()
            ),
        }
    }
}

/// Gives adjustments their ids: equal lines of one input without a reference are told apart by their number, so that
/// two equal fines stay two, and the same input again is the same. Of lines with one reference the last counts.
#[must_use]
pub fn identified(
    publisher: PublisherId,
    account: &str,
    drafts: Vec<AdjustmentDraft>,
) -> BTreeMap<Uuid, AdjustmentDraft> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for draft in drafts {
        let key = draft.natural_key();
        let number = if draft.reference.is_some() {
            0
        } else {
            let next = seen.entry(key.clone()).or_default();
            *next += 1;
            *next
        };
        let key = format!("{account}\0{number}\0{key}");
        all.insert(derive(publisher, Kind::Adjustment, &key), draft);
    }
    all
}

/// Adjustments of an account as one input brings them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerInput {
    /// What can be written, in the input's order.
    pub adjustments: Vec<AdjustmentDraft>,
    /// Lines that say nothing of adjustments: the rewards of actions, which are actions here.
    pub passed_over: u64,
    /// Lines that could not be understood; the first of them.
    pub rejects: Vec<Reject>,
    /// How many there were.
    pub rejected: u64,
    /// Amounts rounded half-even to four decimals.
    pub rounded: u64,
}

/// An adjustment as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Derived id.
    pub id: Uuid,
    /// The account at the network.
    pub account: String,
    /// What it is.
    pub kind: AdjustmentKind,
    /// The day in the account's calendar.
    pub day: Day,
    /// The instant, where the source had one.
    pub at: Option<Instant>,
    /// What it did to the balance.
    pub amount: Money,
    /// The program, where one is named.
    pub program_id: Option<Uuid>,
    /// The ad space, where one is named.
    pub ad_space_id: Option<Uuid>,
    /// What the source says of it.
    pub comment: Option<String>,
    /// The source's own reference.
    pub reference: Option<String>,
    /// The run that brought it.
    pub run_id: Uuid,
}

/// What the balance of an account was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Derived id.
    pub id: Uuid,
    /// The account at the network.
    pub account: String,
    /// When it was asked for.
    pub observed_at: Instant,
    /// Its currency.
    pub currency: Currency,
    /// Ready for withdrawal, 1/10 000.
    pub balance_e4: i64,
    /// On hold, 1/10 000.
    pub processing_e4: i64,
    /// Estimated for the running day, 1/10 000.
    pub today_e4: i64,
    /// Confirmed while the program's balance is empty, 1/10 000.
    pub stalled_e4: i64,
}

/// The id of what an account's balance was.
#[must_use]
pub fn balance_id(
    publisher: PublisherId,
    account: &str,
    currency: Currency,
    observed_at: Instant,
) -> Uuid {
    let key = format!("{account}\0{}\0{}", currency.as_str(), observed_at.micros());
    derive(publisher, Kind::Balance, &key)
}

/// What adjustments of one kind in one currency come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjustmentSum {
    /// The kind.
    pub kind: AdjustmentKind,
    /// How many.
    pub count: i64,
    /// What they did to the balance.
    pub amount: Money,
}

/// Sums of adjustments, per currency in code order; below 0 where the balance was lowered.
#[must_use]
pub fn summed(sums: &[AdjustmentSum], of: impl Fn(AdjustmentKind) -> bool) -> Vec<Money> {
    let mut money: BTreeMap<Currency, i64> = BTreeMap::new();
    for sum in sums.iter().filter(|sum| of(sum.kind)) {
        *money.entry(sum.amount.currency).or_default() += sum.amount.e4;
    }
    as_money(money)
}

/// What is left of rewards after deductions and fines, per currency in code order. `taken` is what they did to the
/// balance, so below 0 where they lowered it.
#[must_use]
pub fn net(rewards: &[Money], taken: &[Money]) -> Vec<Money> {
    let mut money: BTreeMap<Currency, i64> = BTreeMap::new();
    for amount in rewards.iter().chain(taken) {
        *money.entry(amount.currency).or_default() += amount.e4;
    }
    as_money(money)
}

fn as_money(money: BTreeMap<Currency, i64>) -> Vec<Money> {
    money
        .into_iter()
        .map(|(currency, e4)| Money { e4, currency })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine(amount_e4: i64, reference: Option<&str>) -> AdjustmentDraft {
        AdjustmentDraft {
            kind: AdjustmentKind::Fine,
            day: Day::from_days(20_000).unwrap(),
            at: None,
            amount_e4,
            currency: Currency::USD,
            program: None,
            ad_space: None,
            comment: Some("Fine for fraudulent actions".to_owned()),
            reference: reference.map(str::to_owned),
        }
    }

    fn ids(account: &str, drafts: Vec<AdjustmentDraft>) -> Vec<Uuid> {
        identified(PublisherId(1), account, drafts)
            .into_keys()
            .collect()
    }

    #[test]
    fn equal_lines_stay_two_and_the_same_input_again_is_the_same() {
        let twice = ids("main", vec![fine(-10, None), fine(-10, None)]);
        assert_eq!(twice.len(), 2);
        assert_eq!(ids("main", vec![fine(-10, None), fine(-10, None)]), twice);
        let once = ids("main", vec![fine(-10, None)]);
        assert!(twice.contains(&once[0]), "the first of two is the only one");
        assert!(ids("second", vec![fine(-10, None)]) != once);
    }

    #[test]
    fn a_line_with_a_reference_is_that_reference_s_whatever_its_amount() {
        let all = identified(
            PublisherId(1),
            "main",
            vec![
                fine(-10, Some("F-1")),
                fine(-12, Some("F-1")),
                fine(-12, Some("F-2")),
            ],
        );
        let amounts: Vec<i64> = all.values().map(|draft| draft.amount_e4).collect();
        assert_eq!(amounts, [-12, -12], "the last of F-1, and F-2");
        assert_eq!(
            ids("main", vec![fine(-10, Some("F-1"))]),
            ids("main", vec![fine(-99, Some("F-1"))])
        );
    }

    #[test]
    fn net_takes_what_was_deducted_and_keeps_currencies_apart() {
        let money = |e4, currency| Money { e4, currency };
        let rub = Currency::parse("RUB").unwrap();
        let sum = |kind, e4, currency| AdjustmentSum {
            kind,
            count: 1,
            amount: money(e4, currency),
        };
        let sums = [
            sum(AdjustmentKind::Deduction, -15, Currency::USD),
            sum(AdjustmentKind::Fine, -5, Currency::USD),
            sum(AdjustmentKind::Payout, -70, Currency::USD),
            sum(AdjustmentKind::Fine, -1, rub),
        ];
        let taken = summed(&sums, AdjustmentKind::is_deducted);
        assert_eq!(taken, [money(-1, rub), money(-20, Currency::USD)]);
        assert_eq!(
            net(&[money(100, Currency::USD)], &taken),
            [money(-1, rub), money(80, Currency::USD)]
        );
    }
}
