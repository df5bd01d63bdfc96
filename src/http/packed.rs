//! Files that everybody may have, compressed: once for each way, by whoever asks first.
//!
//! What anybody may ask for, without a key and as often as they like, must not keep a processor busy each time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use actix_http::encoding::Encoder;
use actix_web::body::to_bytes;
use actix_web::http::header::{AcceptEncoding, ContentEncoding, Encoding};
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, rt};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::sync::Mutex as Turn;

/// The ways that the framework knows for everything else.
const WAYS: &[Encoding] = &[
    Encoding::identity(),
    Encoding::brotli(),
    Encoding::gzip(),
    Encoding::deflate(),
    Encoding::zstd(),
];

/// A file that is being compressed, or is; none where that failed.
type Made = Shared<BoxFuture<'static, Option<Bytes>>>;

/// The compressed files, which are as many as there are files and ways.
#[derive(Default)]
pub struct Packed {
    made: Mutex<HashMap<(String, ContentEncoding), Made>>,
    /// One is compressed at a time.
    turn: Arc<Turn<()>>,
}

impl Packed {
    /// A file, known by the tag of its content, in the way that a caller likes best; none where that is as it is.
    pub async fn liked(
        &self,
        request: &HttpRequest,
        tag: &str,
        file: &Bytes,
    ) -> Option<(ContentEncoding, Bytes)> {
        let accepted = request.get_header::<AcceptEncoding>()?;
        let way = match accepted.negotiate(WAYS.iter())? {
            Encoding::Known(ContentEncoding::Identity) | Encoding::Unknown(_) => return None,
            Encoding::Known(way) => way,
        };
        let packed = self.made(tag, file, way).await?;
        Some((way, packed))
    }

    fn made(&self, tag: &str, file: &Bytes, way: ContentEncoding) -> Made {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.entry((tag.to_owned(), way)) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => {
                let made = pack(Arc::clone(&self.turn), file.clone(), way);
                new.insert(made).clone()
            }
        }
    }
}

/// Compresses a file. Who asked for it may go away: it is finished all the same, or the next would begin anew.
fn pack(turn: Arc<Turn<()>>, file: Bytes, way: ContentEncoding) -> Made {
    #[expect(
        clippy::disallowed_methods,
        reason = "its end is awaited by all who ask for the file; it takes one file"
    )]
    let packing = rt::spawn(async move {
        let _turn = turn.lock().await;
        let answer = HttpResponse::Ok().body(file);
        let answer = answer.map_body(|head, body| Encoder::response(way, head, body));
        to_bytes(answer.into_body()).await.ok()
    });
    async move { packing.await.ok().flatten() }.boxed().shared()
}
