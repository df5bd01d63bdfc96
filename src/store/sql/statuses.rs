//! What the status of a row says of it, as conditions: the same as [`Status`] says, whose words they are made of.

use crate::domain::action::Status;

/// A condition on the column `status` of a row, by the row's name in the statement.
pub(in crate::store) type StatusCondition = fn(&str) -> String;

/// It counts as approved in rates.
pub(in crate::store) fn is_approved(row: &str) -> String {
    one_of(row, Status::counts_as_approved)
}

/// The advertiser has decided.
pub(in crate::store) fn is_processed(row: &str) -> String {
    one_of(row, Status::is_processed)
}

/// It is on hold, or of a status that is not known.
pub(in crate::store) fn is_pending(row: &str) -> String {
    one_of(row, |status| !status.is_processed())
}

/// It was declined.
pub(in crate::store) fn is_declined(row: &str) -> String {
    format!("{row}.status = '{}'", Status::Declined.as_str())
}

/// It counts: it was not declined.
pub(in crate::store) fn is_counted(row: &str) -> String {
    format!("{row}.status <> '{}'", Status::Declined.as_str())
}

fn one_of(row: &str, holds: fn(Status) -> bool) -> String {
    let found = Status::ALL.iter().copied().filter(|status| holds(*status));
    let words: Vec<String> = found
        .map(|status| format!("'{}'", status.as_str()))
        .collect();
    format!("{row}.status IN ({})", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a row of a status satisfies a condition.
    fn holds(condition: &str, status: Status) -> bool {
        let words = condition.strip_prefix("a.status ").unwrap();
        let is_named = words.contains(&format!("'{}'", status.as_str()));
        is_named != words.starts_with("<>")
    }

    #[test]
    fn conditions_are_the_texts_that_plans_and_indexes_know() {
        for (condition, text) in [
            (
                is_approved("a"),
                "a.status IN ('APPROVED', 'APPROVED_BUT_STALLED')",
            ),
            (
                is_processed("a"),
                "a.status IN ('APPROVED', 'APPROVED_BUT_STALLED', 'DECLINED')",
            ),
            (is_pending("a"), "a.status IN ('PENDING', 'UNKNOWN')"),
            (is_declined("a"), "a.status = 'DECLINED'"),
            (is_counted("a"), "a.status <> 'DECLINED'"),
        ] {
            assert_eq!(condition, text);
        }
    }

    #[test]
    fn conditions_hold_for_the_statuses_that_the_domain_says() {
        for status in Status::ALL.iter().copied() {
            let is = |condition: StatusCondition| holds(&condition("a"), status);
            assert_eq!(is(is_approved), status.counts_as_approved(), "{status:?}");
            assert_eq!(is(is_processed), status.is_processed(), "{status:?}");
            assert_eq!(is(is_pending), !status.is_processed(), "{status:?}");
            assert_eq!(is(is_declined), status == Status::Declined, "{status:?}");
            assert_eq!(is(is_counted), status != Status::Declined, "{status:?}");
        }
    }
}
