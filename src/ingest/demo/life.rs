//! How the demo's actions fare: on hold, confirmed or declined after a while, paid, now and then taken back.

use super::calendar::DAY;
use super::random::Random;
use super::words::COMMENTS;

/// What upstream says of an action at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) status: &'static str,
    pub(super) is_processed: bool,
    pub(super) is_paid: bool,
    /// Seconds of the last change.
    pub(super) updated: Option<i64>,
    pub(super) comment: Option<&'static str>,
}

/// How it stands now, and how it stood when it was delivered before, if it was.
pub(super) struct Life {
    pub(super) now: Stage,
    pub(super) before: Option<Stage>,
}

const ON_HOLD: Stage = Stage {
    status: "pending",
    is_processed: false,
    is_paid: false,
    updated: None,
    comment: None,
};

/// Draws the life of an action that was ordered at a second; `approved` of 1,000 such are confirmed in the end.
pub(super) fn draw(random: &mut Random, ordered: i64, end: i64, approved: u64) -> Life {
    let lag = match random.below(100) {
        0..88 => (random.between(2, 34) + random.between(4, 34)) / 2,
        88..96 => random.between(34, 60),
        _ => random.between(60, 95),
    };
    let decided = ordered + lag * DAY + random.between(-DAY / 2, DAY / 2);
    let was_seen = random.permille(125);
    let fate = random.below(1_000);
    let is_approved = random.permille(approved);
    let (comment, is_told) = (random.index(COMMENTS.len()), random.permille(600));
    if random.below(5_000) == 0 {
        return Life {
            now: Stage {
                status: "on_verification",
                ..ON_HOLD
            },
            before: None,
        };
    }
    if decided > end {
        return Life {
            now: ON_HOLD,
            before: None,
        };
    }
    let waited = end - decided;
    let decision = Stage {
        status: match (is_approved, waited < 45 * DAY && fate < 40) {
            (true, true) => "approved_but_stalled",
            (true, false) => "approved",
            (false, _) => "declined",
        },
        is_processed: true,
        is_paid: false,
        updated: Some(decided),
        comment: (!is_approved && is_told)
            .then(|| COMMENTS.get(comment).copied())
            .flatten(),
    };
    if fate >= 992 && waited > 3 * DAY {
        // Back to hold for another check, and still there.
        let back = decided + (waited / 2).min(20 * DAY);
        return Life {
            now: Stage {
                updated: Some(back),
                ..ON_HOLD
            },
            before: Some(decision),
        };
    }
    let is_paid = decision.status == "approved" && waited > 2 * DAY && fate >= 70;
    Life {
        now: Stage {
            is_paid,
            ..decision
        },
        before: was_seen.then_some(ON_HOLD),
    }
}
