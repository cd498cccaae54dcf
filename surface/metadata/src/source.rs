//! A source on a listener of its own, for a container, a network namespace or a job: it may give one identity only.

use std::sync::Arc;

use async_trait::async_trait;
use cs_broker::{Facts, Identity, MachineFacts};

use crate::Service;

/// What a listener serves, and to whom.
#[derive(Debug, Clone)]
pub struct Source {
    pub service: Service,
    /// What callers of the App Service source must send.
    pub header: Option<Secret>,
    /// The one identity there is on this listener; `None`: all of the machine's.
    pub only: Option<Pinned>,
    /// Names that callers know this machine by, beside loopback's.
    pub hosts: Vec<String>,
}

/// The value of a secret header.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl Secret {
    pub(crate) fn is(&self, sent: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), sent.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// One of a machine's identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinned {
    /// The machine's own.
    System,
    /// A user-assigned one, by client id, object id or resource id; it need not be attached yet.
    Named(String),
}

impl Pinned {
    pub fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::System => identity.system_assigned,
            Self::Named(id) => identity.is_called(id),
        }
    }
}

/// The machine, as a listener sees it that gives one identity.
pub(crate) struct Narrowed {
    pub all: Arc<dyn MachineFacts>,
    pub only: Pinned,
}

#[async_trait]
impl MachineFacts for Narrowed {
    async fn facts(&self) -> Option<Arc<Facts>> {
        self.all.facts().await
    }

    async fn identities(&self) -> Arc<[Identity]> {
        self.all.identities().await.iter().filter(|identity| self.only.is(identity)).cloned().collect()
    }
}
