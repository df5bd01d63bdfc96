//! Reads in the columns of facts that questions ask for, one publisher after the other.

use super::lasting;
use crate::domain::error::Result;
use crate::store::{Store, publishers};

/// Goes on for as long as it is asked to; with `warm_up` it begins with all publishers.
pub async fn run(store: &Store, warm_up: bool) {
    lasting("columns are read in", async || keep(store, warm_up).await).await;
}

async fn keep(store: &Store, warm_up: bool) {
    let Some(columns) = store.columns() else {
        return std::future::pending().await;
    };
    if warm_up {
        match publishers::list(store).await {
            Ok(all) => all.iter().for_each(|publisher| columns.want(publisher.id)),
            Err(error) => say(&error),
        }
    }
    loop {
        while let Some(more) = said(tick(store).await) {
            if !more {
                break;
            }
        }
        columns.wanted().await;
    }
}

/// Reads in the columns of one publisher that were asked for; whether there was one.
///
/// # Errors
/// When the database fails; the next question asks again.
pub async fn tick(store: &Store) -> Result<bool> {
    match store.columns() {
        Some(columns) => columns.build_next(store).await,
        None => Ok(false),
    }
}

fn said(ticked: Result<bool>) -> Option<bool> {
    ticked.map_err(|error| say(&error)).ok()
}

fn say(error: &crate::domain::error::Error) {
    let cause = error.cause().map(ToString::to_string);
    tracing::warn!(cause, "columns could not be read in: {error}");
}
