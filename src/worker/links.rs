//! Says once, at the start, which templates of links in the configuration belong to nothing: nobody who asks for a link
//! would look for them there.

use super::lasting;
use crate::domain::error::Result;
use crate::domain::scope::WriteScope;
use crate::domain::traffic::LinkSettings;
use crate::store::{ReadTx, Store, ad_spaces, programs, publishers};
use std::collections::BTreeSet;

/// Logs what the configuration names in vain.
pub async fn run(store: &Store, links: &LinkSettings) {
    lasting("templates of links are looked through", async || {
        look_through(store, links).await;
    })
    .await;
}

async fn look_through(store: &Store, links: &LinkSettings) {
    match named_in_vain(store, links).await {
        Ok(told) => {
            for words in told {
                tracing::warn!("{words}");
            }
        }
        Err(error) => {
            let cause = error.cause().map(ToString::to_string);
            tracing::warn!(
                cause,
                "templates of links could not be looked through: {error}"
            );
        }
    }
}

/// What the configuration names in vain, a sentence each. A publisher without any ad space waits for its first data, and
/// so do its templates.
///
/// # Errors
/// When the database fails.
pub async fn named_in_vain(store: &Store, links: &LinkSettings) -> Result<Vec<String>> {
    let slugs: BTreeSet<&str> = links
        .deeplinks
        .iter()
        .map(|one| one.publisher.as_str())
        .collect();
    if slugs.is_empty() {
        return Ok(Vec::new());
    }
    let known = publishers::list(store).await?;
    let mut told = Vec::new();
    for slug in slugs {
        let Some(publisher) = known.iter().find(|publisher| publisher.slug == slug) else {
            told.push(format!(
                "[[deeplinks]]: there is no publisher {slug:?}, so its templates of links are not used"
            ));
            continue;
        };
        let (tx, scope) = (
            ReadTx::new(store),
            WriteScope::for_entrance(publisher.id).read(),
        );
        let ad_spaces = ad_spaces::all(&tx, scope).await?;
        if ad_spaces.is_empty() {
            continue;
        }
        let programs = programs::all(&tx, scope).await?;
        let unmatched = links.of(slug);
        let unmatched = unmatched.filter_map(|one| one.place(&ad_spaces, &programs).err());
        told.extend(unmatched.map(|unmatched| {
            format!("[[deeplinks]]: a template of links is for {unmatched}, which the publisher {slug:?} does not have")
        }));
    }
    Ok(told)
}
