//! Connections that speak HTTP/2.

use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Limits, crowd::Place};
use crate::{Peer, Router, Shutdown};

pub(super) async fn talk<S>(
    stream: S,
    peer: Peer,
    router: Arc<dyn Router>,
    limits: Limits,
    place: Place,
    until: Shutdown,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let place = Arc::new(place);
    let counted = Arc::clone(&place);
    // HTTP/2 runs each stream as a task of its own, so what the service holds must be owned.
    let service = hyper::service::service_fn(move |request| {
        let (router, place) = (Arc::clone(&router), Arc::clone(&counted));
        async move { super::answer(request, peer, &router, &place).await }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(limits.head))
        // Uploads of tens of MiB over one stream need more room in flight than the default 64 KiB.
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .serve_connection(TokioIo::new(stream), service);
    super::see_out(connection, |connection| connection.graceful_shutdown(), peer, &place, &until).await;
}
