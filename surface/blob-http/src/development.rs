//! The emulator's address (blob.md 8): plain HTTP on loopback, the account in the path, its published key.
//!
//! Programs written against the well-known emulator (`UseDevelopmentStorage=true`) find here what they expect, in the same
//! store as everything else. Tokens are not taken: over plain HTTP everybody on the way would have them (F15).

use std::sync::Arc;

use async_trait::async_trait;
use cs_blob::DEVELOPMENT_ACCOUNT;
use cs_names::{Address, SiteNames, Surface as Place};
use cs_serve::{Context, Peer, Request, Response, Router};
use cs_time::{Chance, Clock};

use crate::{BlobHttp, Style};

/// Answers at `http://127.0.0.1:10000/devstoreaccount1`.
pub struct Development {
    pub blobs: Arc<BlobHttp>,
    pub names: SiteNames,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

#[async_trait]
impl Router for Development {
    async fn answer(&self, request: Request, peer: Peer) -> Response {
        let label = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        let (label, secondary) = label
            .strip_suffix("-secondary")
            .map_or((label.to_owned(), false), |primary| (primary.to_owned(), true));
        let account = if label == DEVELOPMENT_ACCOUNT { label } else { String::new() };
        let host = peer.local.map(|local| local.to_string()).unwrap_or_default();
        let style = Style::Path { endpoint: format!("http://{host}/{DEVELOPMENT_ACCOUNT}/") };
        let context = Context {
            peer,
            request_id: self.chance.uuid(),
            started: self.clock.now(),
            address: Address::new(self.names.clone(), 443),
            place: Place::Blob { account, secondary },
        };
        self.blobs.serve_styled(request, context, style).await
    }
}
