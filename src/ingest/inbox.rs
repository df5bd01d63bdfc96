//! Postbacks on their way into the database: those of all requests wait in one queue, and a single writer commits them
//! in groups. Whoever sent one learns what became of it after the commit, and not before.
//!
//! Not here: what a postback says ([`super::postback`]), who may send one (`access`), and the loop (`worker`).

use crate::domain::draft::{ActionDraft, Reject};
use crate::domain::error::{Code, Error, Result};
use crate::domain::scope::WriteScope;
use crate::domain::time::Instant;
use crate::store::Store;
use crate::store::apply::apply_notices;
use futures::StreamExt as _;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How many postbacks a group has at most.
pub const GROUP: usize = 500;
/// How many make a group that need not wait for others, where more are divided into two groups.
const FEW: usize = 50;
/// How long the first of a group waits for others at most.
pub const PATIENCE: Duration = Duration::from_millis(5);
/// How many postbacks may wait for the writer: some seconds' worth. Beyond them senders are told to come again.
pub const WAITING: usize = 10_000;
/// How long a sender waits for the commit of its postback. The groups before its own may have to wait for a database that
/// hangs, each as long as a write is waited for.
const ANSWER: Duration = Duration::from_millis(7_500);
/// How many publishers' groups are written side by side, where the database can.
const SIDE_BY_SIDE: usize = 4;

/// Where postbacks are handed in; clones hand into the same queue.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<Letter>);

/// The other end of the queue: the one writer of a server.
#[derive(Debug)]
pub struct Writer {
    letters: mpsc::Receiver<Letter>,
    /// How many the last group had: as many are expected again.
    last: usize,
}

/// A postback with its sender's address.
#[derive(Debug)]
struct Letter {
    scope: WriteScope,
    content: Result<Box<ActionDraft>, Box<Reject>>,
    answer: oneshot::Sender<Result<()>>,
}

/// A queue for so many postbacks, and its writer.
#[must_use]
pub fn inbox(waiting: usize) -> (Inbox, Writer) {
    let (sender, letters) = mpsc::channel(waiting);
    (Inbox(sender), Writer { letters, last: 0 })
}

impl Inbox {
    /// Hands a postback in and waits until it is committed; a refused one is kept as a rejected record.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when the queue is full or the server ends, otherwise what the database failed with. Then
    /// nothing of it is stored, and it may be sent again. `SERVICE_UNAVAILABLE` also when it was not committed in time: it may
    /// be later, and does no harm when it is sent again.
    pub async fn hand_in(
        &self,
        scope: WriteScope,
        content: Result<Box<ActionDraft>, Box<Reject>>,
    ) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let letter = Letter {
            scope,
            content,
            answer,
        };
        self.0.try_send(letter).map_err(|_| busy())?;
        match timeout(ANSWER, answered).await {
            Ok(answer) => answer.map_err(|_| busy())?,
            Err(_) => Err(late()),
        }
    }
}

fn busy() -> Error {
    Error::new(
        Code::ServiceUnavailable,
        "Too many postbacks are waiting to be written; send it again in a moment.",
    )
}

fn late() -> Error {
    Error::new(
        Code::ServiceUnavailable,
        "The postback could not be written in time; send it again in a moment.",
    )
}

impl Writer {
    /// Waits for postbacks and writes the next group, whose present `now` tells; gives how many it had. None when there
    /// will be no more.
    pub async fn next(&mut self, store: &Store, now: impl FnOnce() -> Instant) -> Option<usize> {
        // Beside a database that works by itself, half of the senders can send again while the group of the others is
        // being written. One in this process is quickest with all of them at once.
        let (room, enough) = if store.is_apart() {
            ((self.letters.len() / 2).clamp(FEW, GROUP), FEW)
        } else {
            (GROUP, GROUP)
        };
        let mut group = Vec::with_capacity(room);
        if self.letters.recv_many(&mut group, room).await == 0 {
            return None;
        }
        // Where several came at once the last time, they are on their way again; a single one has nobody to wait for.
        let expected = self.last.min(enough);
        if group.len() < expected {
            let more = async {
                while group.len() < expected {
                    let room = enough - group.len();
                    if self.letters.recv_many(&mut group, room).await == 0 {
                        break;
                    }
                }
            };
            // Whether they came or not, what is here is written.
            let _ = timeout(PATIENCE, more).await;
        }
        self.last = group.len();
        let count = group.len();
        write(store, group, now()).await;
        Some(count)
    }
}

/// Writes a group, the postbacks of each publisher in a transaction of their own, and answers their senders.
async fn write(store: &Store, group: Vec<Letter>, now: Instant) {
    let mut by_publisher: HashMap<WriteScope, Vec<Letter>> = HashMap::new();
    for letter in group {
        by_publisher.entry(letter.scope).or_default().push(letter);
    }
    futures::stream::iter(by_publisher)
        .for_each_concurrent(SIDE_BY_SIDE, |(scope, letters)| async move {
            write_one(store, scope, letters, now).await;
        })
        .await;
}

async fn write_one(store: &Store, scope: WriteScope, letters: Vec<Letter>, now: Instant) {
    let (mut drafts, mut rejects, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    // Drafts first, so that the senders stand in the order of what they sent.
    let (sound, refused): (Vec<Letter>, Vec<Letter>) = letters
        .into_iter()
        .partition(|letter| letter.content.is_ok());
    for letter in sound.into_iter().chain(refused) {
        match letter.content {
            Ok(draft) => drafts.push(*draft),
            Err(reject) => rejects.push(*reject),
        }
        senders.push(letter.answer);
    }
    let written = apply_notices(store, scope, &drafts, &rejects, now).await;
    match written {
        Ok(_) => answer(senders, None),
        // One that the database cannot take must not be in the way of the others.
        Err(error) if error.code() == Code::Internal && senders.len() > 1 => {
            tell(scope, &error, senders.len());
            let mut senders = senders.into_iter();
            for draft in &drafts {
                let written = apply_notices(store, scope, std::slice::from_ref(draft), &[], now);
                let error = written.await.err();
                answer(senders.next(), error.as_ref());
            }
            for reject in &rejects {
                let written = apply_notices(store, scope, &[], std::slice::from_ref(reject), now);
                let error = written.await.err();
                answer(senders.next(), error.as_ref());
            }
        }
        Err(error) => {
            tell(scope, &error, senders.len());
            answer(senders, Some(&error));
        }
    }
}

/// Notes that a group was not written.
fn tell(scope: WriteScope, error: &Error, postbacks: usize) {
    let cause = error.cause().map(ToString::to_string);
    tracing::error!(
        publisher = scope.publisher().0,
        postbacks,
        cause,
        "a group of postbacks could not be written: {error}"
    );
}

fn answer(senders: impl IntoIterator<Item = oneshot::Sender<Result<()>>>, error: Option<&Error>) {
    for sender in senders {
        let answer = match error {
            None => Ok(()),
            Some(error) => Err(Error::new(error.code(), error.message().to_owned())),
        };
        // A sender that hung up has its postback stored all the same.
        let _ = sender.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::draft::{Place, RejectReason};
    use crate::domain::id::PublisherId;

    fn reject() -> Box<Reject> {
        Box::new(Reject {
            place: Place::default(),
            reason: RejectReason::Malformed,
            field: None,
            message: String::new(),
            raw: String::new(),
        })
    }

    /// The one writer may be held up by a database that hangs; no sender is for longer than it is promised.
    #[tokio::test]
    async fn a_postback_that_is_not_written_in_time_is_told() {
        let (inbox, writer) = inbox(1);
        let scope = WriteScope::for_entrance(PublisherId(1));
        let handed_in = timeout(Duration::from_secs(30), inbox.hand_in(scope, Err(reject())));
        let error = handed_in.await.unwrap().expect_err("nobody writes it");
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(ANSWER < Duration::from_secs(8));
        drop(writer);
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once() {
        let (inbox, mut writer) = inbox(1);
        let scope = WriteScope::for_entrance(PublisherId(1));
        let first = inbox.hand_in(scope, Err(reject()));
        let mut first = std::pin::pin!(first);
        assert!(
            futures::poll!(&mut first).is_pending(),
            "it waits for its commit"
        );
        let second = inbox.hand_in(scope, Err(reject())).await;
        assert_eq!(
            second.expect_err("there is no room").code(),
            Code::ServiceUnavailable
        );
        // A server that ends leaves nobody waiting.
        writer.letters.close();
        drop(writer);
        assert!(first.await.is_err());
    }
}
