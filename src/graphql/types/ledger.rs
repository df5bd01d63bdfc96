//! The ledger: adjustments of the balance, what they come to, what is left of rewards, and balances.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use tokio::sync::OnceCell;

use super::Member;
use super::ad_space::AdSpace;
use super::import::ImportRun;
use super::info::AggregateInfo;
use super::program::Program;
use super::sales::{Money, amounts};
use super::words::AdjustmentKind;
use crate::analytics::top::{REMEDY, check_totals, totals_of_list};
use crate::domain::action::Status;
use crate::domain::filter::{ActionField, ActionTest, Filter, Op};
use crate::domain::ledger::{self, AdjustmentSum, net, summed};
use crate::domain::money;
use crate::domain::sales::AxisRange;
use crate::graphql::connection::connection;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::error::{Failure, Result};
use crate::graphql::id::Kind;
use crate::graphql::loaders::Entity;
use crate::graphql::scalar::{CurrencyCode, Date, DateTime, count};
use crate::store::adjustments::{AdjustmentList, sums};

/// An adjustment of the balance.
pub type Adjustment = Member<ledger::Adjustment>;

/// What moved the balance of an account and was no action: a deduction, a fine, a payout.
#[Object(name = "Adjustment")]
impl Adjustment {
    /// Global id.
    pub async fn id(&self) -> ID {
        Kind::Adjustment.id(self.key())
    }

    /// The account at Admitad.
    async fn account(&self) -> &str {
        &self.account
    }

    /// What it is.
    async fn kind(&self) -> AdjustmentKind {
        self.kind.into()
    }

    /// Its day in the account's calendar.
    async fn date(&self) -> Date {
        Date(self.day)
    }

    /// Its time; null where the source has days only.
    async fn occurred_at(&self) -> Option<DateTime> {
        self.at.map(DateTime)
    }

    /// What it did to the balance: below 0 where it was lowered.
    async fn amount(&self) -> Money {
        self.amount.into()
    }

    /// The program, where the source names one.
    async fn program(&self, ctx: &Context<'_>) -> Option<Result<Program>> {
        let found = async {
            self.related(request(ctx)?, "program", |row| row.program_id)
                .await
        };
        found.await.transpose()
    }

    /// The ad space, where the source names one.
    async fn ad_space(&self, ctx: &Context<'_>) -> Option<Result<AdSpace>> {
        let found = async {
            self.related(request(ctx)?, "adSpace", |row| row.ad_space_id)
                .await
        };
        found.await.transpose()
    }

    /// What the source says of it.
    async fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The source's own reference.
    async fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The run that brought what it says.
    async fn import_run(&self, ctx: &Context<'_>) -> Option<Result<ImportRun>> {
        let found = async {
            self.related(request(ctx)?, "importRun", |row| Some(row.run_id))
                .await
        };
        found.await.transpose()
    }
}

connection! {
    /// A page of adjustments with the totals of the whole list.
    AdjustmentConnection, AdjustmentEdge of Adjustment, with AdjustmentsAsked {
        /// Totals of exactly what the filter and the range let through, whatever the page.
        async fn totals(&self) -> Option<Result<AdjustmentTotals>> {
            Some(self.more.totals().await)
        }
    }
}

/// The list that a page of adjustments belongs to.
pub struct AdjustmentsAsked {
    request: Arc<RequestContext>,
    list: AdjustmentList,
    sums: OnceCell<Result<Vec<AdjustmentSum>>>,
}

impl AdjustmentsAsked {
    /// The list that is asked for.
    pub fn new(request: &Arc<RequestContext>, list: AdjustmentList) -> Self {
        Self {
            request: Arc::clone(request),
            list,
            sums: OnceCell::new(),
        }
    }

    async fn totals(&self) -> Result<AdjustmentTotals> {
        let read = || async {
            let found = sums(&self.request.tx, self.request.scope, &self.list).await;
            found.map_err(Failure::from)
        };
        AdjustmentTotals::new(&self.sums.get_or_init(read).await.clone()?)
    }
}

/// What adjustments come to.
#[derive(Clone, Debug, SimpleObject)]
pub struct AdjustmentTotals {
    /// Number of adjustments.
    count: i32,
    /// What they did to the balance, one per currency in the order of the codes: below 0 where it was lowered.
    amount: Vec<Money>,
    /// What deductions and fines took away, less what of them was given back, one per currency in the order of the
    /// codes: above 0 where something was taken.
    deductions: Vec<Money>,
    /// What was paid out, one per currency in the order of the codes: above 0. It was earned and is no deduction.
    payouts: Vec<Money>,
    /// The same by kind, in the order of the kinds; kinds without adjustments are left out.
    by_kind: Vec<AdjustmentKindTotals>,
}

/// What adjustments of one kind come to.
#[derive(Clone, Debug, SimpleObject)]
pub struct AdjustmentKindTotals {
    /// The kind.
    kind: AdjustmentKind,
    /// Number of adjustments.
    count: i32,
    /// What they did to the balance, one per currency in the order of the codes: below 0 where it was lowered.
    amount: Vec<Money>,
}

impl AdjustmentTotals {
    fn new(sums: &[AdjustmentSum]) -> Result<Self> {
        let number = |of: Option<ledger::AdjustmentKind>| {
            let counted = sums
                .iter()
                .filter(|sum| of.is_none_or(|kind| kind == sum.kind));
            count(counted.map(|sum| sum.count).sum())
        };
        let mut by_kind = Vec::new();
        for kind in ledger::AdjustmentKind::ALL {
            if sums.iter().any(|sum| sum.kind == *kind) {
                by_kind.push(AdjustmentKindTotals {
                    kind: (*kind).into(),
                    count: number(Some(*kind))?,
                    amount: amounts(summed(sums, |other| other == *kind)),
                });
            }
        }
        Ok(Self {
            count: number(None)?,
            amount: amounts(summed(sums, |_| true)),
            deductions: taken(&summed(sums, ledger::AdjustmentKind::is_deducted)),
            payouts: taken(&summed(sums, |kind| kind == ledger::AdjustmentKind::Payout)),
            by_kind,
        })
    }
}

/// What was taken from the balance, of what happened to it.
fn taken(amounts: &[money::Money]) -> Vec<Money> {
    let turned = |amount: &money::Money| money::Money {
        e4: -amount.e4,
        ..*amount
    };
    amounts.iter().map(|amount| turned(amount).into()).collect()
}

/// What was earned in a range, and what is left of it.
pub struct Earnings {
    rewards: Vec<money::Money>,
    sums: Vec<AdjustmentSum>,
    info: AggregateInfo,
}

impl Earnings {
    /// The earnings of a range: two statements.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(request: &Arc<RequestContext>, range: AxisRange) -> Result<Self> {
        let approved = [Status::Approved, Status::ApprovedButStalled];
        let approved = approved.map(|status| status.as_str().into()).to_vec();
        let filter = Filter::Test(ActionTest::Field(ActionField::Status, Op::In(approved)));
        let (tx, scope) = (&request.tx, request.scope);
        let (asked, limits) = ((Some(&range), &filter), request.limits.reports);
        check_totals(tx, scope, asked, limits, ("earnings", REMEDY)).await?;
        let totals = totals_of_list(tx, scope, Some(&range), &filter).await?;
        let list = AdjustmentList {
            range: Some(range),
            filter: Filter::default(),
        };
        Ok(Self {
            rewards: totals.facts.rewards(),
            sums: sums(tx, scope, &list).await?,
            info: AggregateInfo::of_list(request, Some(range), filter),
        })
    }
}

/// What was earned in a range, and what is left of it after deductions and fines. All amounts are one per currency in
/// the order of the codes.
#[Object]
impl Earnings {
    /// The rewards of the actions in the range that are confirmed, those that wait for the advertiser's payment included.
    async fn approved_reward(&self) -> Vec<Money> {
        amounts(self.rewards.clone())
    }

    /// What deductions and fines of the days in the range took away, less what of them was given back: above 0 where
    /// something was taken. Actions are not what they were taken for: these are not known.
    async fn deductions(&self) -> Vec<Money> {
        taken(&summed(&self.sums, ledger::AdjustmentKind::is_deducted))
    }

    /// approvedReward less deductions. Payouts are no part of it: they move what was earned; nor are bonuses,
    /// corrections and transfers, which are no rewards.
    async fn net_reward(&self) -> Vec<Money> {
        let taken = summed(&self.sums, ledger::AdjustmentKind::is_deducted);
        amounts(net(&self.rewards, &taken))
    }

    /// What was paid out on the days in the range: above 0.
    async fn payouts(&self) -> Vec<Money> {
        taken(&summed(&self.sums, |kind| {
            kind == ledger::AdjustmentKind::Payout
        }))
    }

    /// Bonuses of the days in the range.
    async fn bonuses(&self) -> Vec<Money> {
        amounts(summed(&self.sums, |kind| {
            kind == ledger::AdjustmentKind::Bonus
        }))
    }

    /// How fresh and how complete the rewards are.
    async fn info(&self) -> AggregateInfo {
        self.info.clone()
    }
}

/// What the balance of an account was.
pub type Balance = Member<ledger::Balance>;

/// What the balance of an account at Admitad was at one time, in one currency. A fall that no adjustment explains stays
/// unexplained.
#[Object(name = "Balance")]
impl Balance {
    /// The account at Admitad.
    async fn account(&self) -> &str {
        &self.account
    }

    /// The currency of its amounts.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.currency)
    }

    /// When it was asked for.
    async fn observed_at(&self) -> DateTime {
        DateTime(self.observed_at)
    }

    /// Ready for withdrawal.
    async fn balance(&self) -> Money {
        self.money(self.balance_e4)
    }

    /// On hold.
    async fn processing(&self) -> Money {
        self.money(self.processing_e4)
    }

    /// Estimated for the account's running day.
    async fn today(&self) -> Money {
        self.money(self.today_e4)
    }

    /// Confirmed, waiting for the advertiser's payment.
    async fn stalled(&self) -> Money {
        self.money(self.stalled_e4)
    }
}

impl Balance {
    fn money(&self, e4: i64) -> Money {
        let currency = self.currency;
        money::Money { e4, currency }.into()
    }
}

connection! {
    /// A page of balances.
    BalanceConnection, BalanceEdge of Balance
}
