//! The part of the write path that the parameters of the built-in segments take.

use super::super::definitions::{to_definitions, write_live};
use super::super::segment_settings::write;
use super::super::sql::insert::{Conflict, insert};
use super::super::{apart, audit};
use super::{lock, raise_version};
use crate::domain::audit::{Act, Deed, Note};
use crate::domain::error::Result;
use crate::domain::id::PublisherId;
use crate::domain::money::Currency;
use crate::domain::rule::Unfit;
use crate::domain::scope::WriteScope;
use crate::domain::segment::SegmentSettings;
use crate::store::Store;
use crate::store::segment_settings::StoredSettings;
use crate::store::tx::WriteTx;
use entity::segment_settings;
use sea_orm::DbErr;

/// New settings in the place of others.
#[derive(Clone, Copy, Debug)]
pub struct SettingsChange {
    /// What they were made from.
    pub before: StoredSettings,
    /// What they are to be.
    pub after: SegmentSettings,
    /// The publisher's main currency.
    pub main: Currency,
}

/// Why settings are not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsRefused {
    /// They have another version by now.
    Moved,
    /// Segments could not be evaluated any more.
    Unfit(Vec<Unfit>),
}

/// What became of a change.
pub type SettingsWritten = std::result::Result<(), SettingsRefused>;

/// Puts settings in the place of those of a version (0 for none), and raises the version of the data, since answers
/// change. Under the publisher's lock, so that no segment comes in beside it that they do not go with. The trail says which
/// parts were `changed`. It goes on a thread of its own, and once begun it is finished, whether or not its caller waits.
///
/// # Errors
/// When the database fails; then nothing is stored.
pub async fn set_segment_settings(
    store: &Store,
    scope: WriteScope,
    change: SettingsChange,
    (changed, note): (&[&str], &Note),
) -> Result<SettingsWritten> {
    let row = segment_settings::Model {
        publisher_id: scope.publisher().0,
        version: change.before.version.saturating_add(1),
        parameters: write(&change.after)?,
        changed_at_us: note.now.micros(),
    };
    let deed = Deed {
        act: Act::SegmentSettingsUpdated,
        subject: "segmentSettings".to_owned(),
        detail: format!("version {}: {}", row.version, changed.join(", ")),
    };
    let (store, note) = (store.clone(), note.clone());
    apart(async move || set(&store, &row, &change, (&note, &deed)).await).await
}

async fn set(
    store: &Store,
    row: &segment_settings::Model,
    change: &SettingsChange,
    (note, deed): (&Note, &Deed),
) -> Result<SettingsWritten> {
    let publisher = PublisherId(row.publisher_id);
    let SettingsChange {
        before,
        after,
        main,
    } = change;
    store
        .write(async |tx| {
            let sequence = lock(tx, publisher).await?;
            if version(tx, publisher).await? != before.version {
                return Ok(Err(SettingsRefused::Moved));
            }
            let mut sql = tx.sql();
            write_live(publisher, &mut sql);
            let live = to_definitions(&tx.rows(sql).await?);
            let live = live.map_err(|error| DbErr::Custom(error.to_string()))?;
            let unfit = live.unfit_settings((&before.settings.users, &after.users), *main);
            if !unfit.is_empty() {
                return Ok(Err(SettingsRefused::Unfit(unfit)));
            }
            insert(tx, std::slice::from_ref(row), Conflict::Replace).await?;
            audit::write(tx, publisher, note, deed).await?;
            raise_version(tx, publisher, sequence, note.now).await?;
            Ok(Ok(()))
        })
        .await
}

/// The version of what is set; 0 where nothing is.
async fn version(tx: &WriteTx, publisher: PublisherId) -> Result<i32, DbErr> {
    let mut sql = tx.sql();
    sql.push("SELECT t.version FROM segment_settings t WHERE t.publisher_id = ")
        .bind(publisher.0);
    let rows = tx.rows(sql).await?;
    rows.first().map_or(Ok(0), |row| row.try_get("", "version"))
}
