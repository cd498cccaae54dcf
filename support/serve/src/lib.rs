//! Serving HTTP: listeners with TLS and limits, routing by `Host`, and the table of doors.
//!
//! A request's way: a [`Listener`] accepts, bounds and (but for the loopback metadata services) decrypts; the
//! [`HostRouter`] finds the surface by `Host`, never by SNI; the surface looks the request up in its table of
//! [`Door`]s. A route that is not in the table does not exist, and a row without [`Needs`] does not compile.

mod body;
mod doors;
mod headers;
mod listener;
mod query;
mod router;
mod shutdown;
mod trace;

pub use body::{
    Body, BodyError, BoxError, Request, Response, empty, full, json, json_bytes, read_body, stream, text,
    without_mark,
};
pub use doors::{Door, Doors, Found, Needs, Params, Paths};
pub use headers::{Bearer, bearer, single};
pub use listener::{Limits, Listener, Protocol, Spelling, spelled};
pub use query::{BadQuery, Query, json_has_nul, percent_decode, percent_encode};
pub use router::{Context, Dates, HostRouter, Peer, Router, Surface};
pub use shutdown::Shutdown;
pub use trace::{CORRELATION, TRACEPARENT, correlation, traceparent};
