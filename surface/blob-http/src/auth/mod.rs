//! Who asks, and how it is proven: a token, the account's key, or a signature made with one (blob.md 4).

mod sas;
mod sas_text;
mod shared_key;
mod word_order;

use cs_blob::Account;
use cs_rbac::Operation;
use cs_serve::{Peer, Query};
use cs_time::Timestamp;
use http::HeaderMap;

pub(crate) use sas::{Granted, Sas};
pub(crate) use shared_key::verify as shared_key;

/// A caller with its proof.
pub(crate) struct Asker {
    pub op: Operation,
    pub proof: Proof,
}

pub(crate) enum Proof {
    /// A token: roles decide.
    Token,
    /// A request signed with this key of the account: everything is allowed.
    Key(&'static str),
    /// A shared access signature: what it says, and for a user's no more than the user may now.
    Signature(Box<Sas>),
}

/// What a signature may speak of.
pub(crate) struct Asked<'r> {
    pub method: &'r str,
    /// As received, with the account where the path names it: that is what was signed.
    pub path: &'r str,
    pub raw_query: Option<&'r str>,
    pub query: &'r Query,
    pub headers: &'r HeaderMap,
    /// Of the batch it came in, spoken where it has no `x-ms-version` of its own.
    pub envelope_version: Option<&'r str>,
    pub peer: Peer,
    pub now: Timestamp,
    pub account: &'r Account,
    /// Decoded; empty where the path names none.
    pub container: &'r str,
    pub blob: &'r str,
}
