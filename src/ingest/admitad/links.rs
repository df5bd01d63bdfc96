//! The affiliate links that the network shows for each ad space: templates, from which links to products are made.

use super::holdings::complete;
use super::plan::DAILY;
use super::tick::{Outcome, Sync, worked};
use super::{Fault, Page, PageAt};
use crate::domain::deeplink::Template;
use crate::domain::draft::ProgramRef;
use crate::domain::error::Result;
use crate::domain::sync::{AccountState, Condition, Feed, FeedState};
use crate::domain::time::Instant;
use crate::store::apply::deeplinks::{Shown, write_shown};
use crate::store::{ReadTx, ad_spaces, sync};
use uuid::Uuid;

/// Where a read stands: the number of the ad space at the network, and how many rows of it were read.
type Place = (u64, u32);

impl Sync {
    /// Reads a page of the links of the next ad space.
    pub(super) async fn links(&mut self, state: &AccountState, now: Instant) -> Result<Outcome> {
        let of = state.feed(Feed::Links);
        let place = of.cursor.as_deref().and_then(parse);
        let Some((id, number, offset)) = self.next_space(place).await? else {
            let step = self.moved(Feed::Links, complete(&of, DAILY, now));
            sync::step(&self.store, self.scope, &step).await?;
            self.end(Feed::Links, now, None).await?;
            return Ok(worked(Feed::Links, Feed::Links.words().to_owned(), (0, 0)));
        };
        let at = PageAt {
            offset,
            ..PageAt::FIRST
        };
        let (page, is_answered) = match self.client.links(now, number, at).await {
            Ok(page) => (page, true),
            // An ad space that the network does not tell of keeps nothing from the others, and what is known of it.
            Err(Fault::Refused { .. }) => {
                let nothing = Page {
                    items: Vec::new(),
                    rejects: Vec::new(),
                    rows: 0,
                    total: 0,
                };
                (nothing, false)
            }
            Err(fault) => return self.fault(state, Feed::Links, &fault, now).await,
        };
        self.answered(state, now).await?;
        let next = page.next(at);
        let rejects = page.rejects;
        let read = page.items.len() + rejects.len();
        let links = page.items.into_iter().filter(|row| row.is_active);
        // A link of another form, or on a host that nobody listed, is no template.
        let templates: Vec<(ProgramRef, Template)> = links
            .filter_map(|row| {
                let template = Template::of_link(row.link?.expose(), &self.hosts).ok()?;
                let program = ProgramRef {
                    external_id: Some(row.external_id),
                    name: None,
                };
                Some((program, template))
            })
            .collect();
        let behind = match next {
            Some(next) => (number, next.offset),
            None => (number.saturating_add(1), 0),
        };
        let open = self.run_of_list(Feed::Links, now).await?;
        let records = open.took(read, &rejects);
        let moved = FeedState {
            condition: Condition::Reading,
            run_id: Some(records.run_id),
            cursor: Some(format!("{}:{}", behind.0, behind.1)),
            last_attempt: Some(now),
            next_run: Some(now),
            failures: 0,
            last_error: None,
            ..of
        };
        let shown = Shown {
            ad_space: id,
            templates: &templates,
            // What a refused record was about is not gone.
            is_whole: is_answered && offset == 0 && next.is_none() && rejects.is_empty(),
            records,
            sync: &self.moved(Feed::Links, moved),
            now,
        };
        write_shown(&self.store, self.scope, shown).await?;
        Ok(worked(
            Feed::Links,
            format!("{} of ad space {number}", Feed::Links.words()),
            (read, rejects.len()),
        ))
    }

    /// The ad space that a read goes on with, its number, and from which row on; none behind the last.
    async fn next_space(&self, place: Option<Place>) -> Result<Option<(Uuid, u64, u32)>> {
        let all = ad_spaces::all(&ReadTx::new(&self.store), self.scope.read()).await?;
        let others = self.others_spaces().await?;
        let (from, offset) = place.unwrap_or((0, 0));
        let numbered = all.iter().filter_map(|space| {
            let id = space.external_id.as_deref()?;
            let number: u64 = id.parse().ok().filter(|_| !others.contains(id))?;
            (number >= from).then_some((number, space.id))
        });
        let next = numbered.min();
        Ok(next.map(|(number, id)| {
            let offset = if number == from { offset } else { 0 };
            (id, number, offset)
        }))
    }
}

fn parse(cursor: &str) -> Option<Place> {
    let (number, offset) = cursor.split_once(':')?;
    Some((number.parse().ok()?, offset.parse().ok()?))
}
