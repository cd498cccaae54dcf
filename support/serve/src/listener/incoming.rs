//! Bodies of requests while they arrive: bounded in time, and read on when the answer came before their end.
//!
//! A client that writes its whole request before it reads an answer would see its connection break where we hang up in
//! the middle of its body, and never hear what was wrong. So what a handler leaves unread is read and thrown away,
//! within bounds, and the connection goes on. Whoever asked first (`Expect: 100-continue`) sends nothing then.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep},
};

use crate::{Body, BoxError, empty};

/// A body of which nothing comes for so long has ended.
const SILENCE: Duration = Duration::from_secs(60);
/// After this time a body must have come at this pace on average: a byte a minute holds a connection for ever.
const GRACE: Duration = Duration::from_secs(120);
const PACE_BYTES_PER_SECOND: u64 = 512;
/// So much is read of what nobody wants: no client sends more in one request without asking first.
const LEFT_OVER_MAX_BYTES: usize = 256 << 20;
const LEFT_OVER_AT_MOST: Duration = Duration::from_secs(60);

/// The body as handlers see it, and where the rest of it comes back when they leave some.
pub(super) fn arriving<B>(body: B) -> (Body, oneshot::Receiver<B>)
where
    B: HttpBody<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (back, left_over) = oneshot::channel();
    if body.is_end_stream() {
        return (empty(), left_over);
    }
    let arriving =
        Arriving { body: Some(body), back: Some(back), silence: None, began: Instant::now(), came: 0 };
    (arriving.boxed_unsync(), left_over)
}

/// Whether the client sends its body whatever the answer is: then it must be read, or the connection closed.
pub(super) fn comes_anyway(version: Version, headers: &HeaderMap) -> bool {
    version < Version::HTTP_2 && !headers.contains_key(header::EXPECT)
}

/// Reads what is left, to nowhere.
pub(super) async fn read_on<B>(mut body: B)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let reading = async {
        let mut left = LEFT_OVER_MAX_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    drop(tokio::time::timeout(LEFT_OVER_AT_MOST, reading).await);
}

struct Arriving<B: HttpBody> {
    body: Option<B>,
    back: Option<oneshot::Sender<B>>,
    silence: Option<Pin<Box<Sleep>>>,
    began: Instant,
    came: u64,
}

impl<B> Arriving<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    fn is_too_slow(&self) -> bool {
        let took = self.began.elapsed();
        took > GRACE && self.came < took.as_secs() * PACE_BYTES_PER_SECOND
    }

    /// Ends it: nobody waits for the rest.
    fn end(&mut self, why: &str) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.body = None;
        Poll::Ready(Some(Err(why.into())))
    }
}

impl<B> HttpBody for Arriving<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence = None;
                this.came += frame.data_ref().map_or(0, |data| data.len() as u64);
                if this.is_too_slow() {
                    return this.end("the body came too slowly");
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let silence = this.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(SILENCE)));
                ready!(silence.as_mut().poll(context));
                this.end("nothing of the body came any more")
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl<B: HttpBody> Drop for Arriving<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            if !body.is_end_stream() {
                // Nobody takes it where the connection has gone.
                drop(back.send(body));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    type Pieces = Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send>>;

    /// Pieces that come after these many seconds each, and then none any more.
    fn slow(seconds: Vec<u64>) -> StreamBody<Pieces> {
        let pieces = stream::unfold(seconds.into_iter(), |mut left| async move {
            match left.next() {
                Some(pause) => tokio::time::sleep(Duration::from_secs(pause)).await,
                None => std::future::pending().await,
            }
            Some((Ok(Frame::data(Bytes::from_static(b"piece"))), left))
        });
        StreamBody::new(Box::pin(pieces))
    }

    async fn outcome(seconds: Vec<u64>) -> String {
        let (mut body, _left_over) = arriving(slow(seconds));
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.to_string(),
                None => return "whole".to_owned(),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a24_bodies_that_stop_or_crawl_are_ended() {
        assert_eq!(outcome(vec![50, 5]).await, "nothing of the body came any more");
        assert_eq!(outcome(vec![50; 10]).await, "the body came too slowly");
    }

    #[tokio::test]
    async fn what_a_handler_leaves_comes_back() {
        let whole = |text: &'static str| http_body_util::Full::new(Bytes::from_static(text.as_bytes()));
        let (body, mut left_over) = arriving(whole("unread"));
        assert!(left_over.try_recv().is_err());
        drop(body);
        let rest = left_over.try_recv().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(rest, "unread");
        let (mut body, mut left_over) = arriving(whole("read"));
        while body.frame().await.is_some() {}
        drop(body);
        assert!(left_over.try_recv().is_err());
    }
}
