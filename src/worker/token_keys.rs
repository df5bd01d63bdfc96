//! Keeps the keys of the issuer of tokens current: a loop around [`Issuer::refresh`].

use std::sync::Arc;

use super::lasting;
use crate::access::token::{Issuer, Refreshed};
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// Reads the keys at once, then again and again: in the issuer's pace, when a token has a key that is not known, and
/// sooner after a failure. Goes on for as long as it is asked to.
pub async fn run(issuer: Option<&Arc<Issuer>>, clock: &Clock, metrics: &Metrics) {
    let Some(issuer) = issuer else {
        return std::future::pending().await;
    };
    lasting("the keys of the issuer of tokens are kept", async || {
        keep(issuer, clock, metrics).await;
    })
    .await;
}

async fn keep(issuer: &Issuer, clock: &Clock, metrics: &Metrics) {
    let pace = issuer.pace();
    let mut before = None;
    loop {
        let told = issuer.refresh(clock.elapsed()).await;
        let pause = match &told {
            Ok(_) => pace.refresh,
            Err(_) => pace.refresh.min(pace.unknown_key),
        };
        // What stays as it is does not fill the log.
        let is_news = before.as_ref() != Some(&told);
        note(&told, is_news, clock, metrics);
        before = Some(told);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = issuer.wanted() => {}
        }
    }
}

fn note(told: &Result<Refreshed, String>, is_news: bool, clock: &Clock, metrics: &Metrics) {
    match told {
        Ok(Refreshed { keys, warnings }) => {
            metrics.token_keys_read(*keys, clock.now().timestamp());
            if !is_news {
                return;
            }
            tracing::info!(keys, "the keys of the issuer of tokens were read");
            for warning in warnings {
                tracing::warn!("of the keys of the issuer of tokens, {warning}");
            }
            if *keys == 0 {
                tracing::warn!(
                    "the issuer of tokens has no key that can be used: its tokens are refused"
                );
            }
        }
        Err(cause) => {
            metrics.token_keys_failed();
            if is_news {
                tracing::warn!(
                    cause,
                    "the keys of the issuer of tokens could not be read; those before are trusted as long as jwt_stale_seconds says"
                );
            }
        }
    }
}
