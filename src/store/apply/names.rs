//! A name that an administrator says belongs to an ad space: what imports would have told of it, had they told the name
//! with the id.

use super::super::audit;
use super::super::connect::Store;
use super::dimensions::{AdSpaces, Moves};
use super::{lock, raise_version};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::draft::AdSpaceRef;
use crate::domain::error::Result;
use crate::domain::scope::WriteScope;
use uuid::Uuid;

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// No ad space has the id.
    NoAdSpace,
    /// It has the name already, or had it.
    Same,
    /// It is another one of its names now.
    Added {
        /// How many actions moved to it.
        moved: usize,
        /// Whether the name leads to it; otherwise to an ad space that is called so now, or to an older one that was.
        leads_here: bool,
    },
}

/// Adds a name to those that an ad space, by its id at the network, ever had. What is known by the name only becomes this
/// one's, unless the name leads to another one.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn name(
    store: &Store,
    scope: WriteScope,
    (external_id, name): (&str, &str),
    note: &Note,
) -> Result<Named> {
    let (publisher, now) = (scope.publisher(), note.now);
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            let mut spaces = AdSpaces::load(tx, publisher).await?;
            // No run brings it: the change log names none.
            let mut moves = Moves::new(publisher, sequence, (Uuid::nil(), now));
            let named = spaces.name(tx, (external_id, name), &mut moves).await?;
            let Some((row, is_news)) = named else {
                return Ok(Named::NoAdSpace);
            };
            if spaces.is_changed {
                raise_version(tx, publisher, moves.sequence, now).await?;
            }
            if !is_news {
                return Ok(Named::Same);
            }
            let detail = format!("{:?}: also {name:?}", row.name);
            let deed = Deed::to_row(Act::AdSpaceNamed, row.id, detail);
            audit::write(tx, publisher, note, &deed).await?;
            let by_name = AdSpaceRef {
                external_id: None,
                name: Some(name.to_owned()),
            };
            Ok(Named::Added {
                moved: moves.count,
                leads_here: spaces.id_of(&by_name) == row.id,
            })
        })
        .await
}
