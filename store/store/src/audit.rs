//! The audit log: who did what, where, and why it was allowed or not.

use async_trait::async_trait;
use cs_ids::{ClientId, CorrelationId, ObjectId, TenantId};
use cs_rbac::{Allowed, Denied, Operation};
use cs_time::Timestamp;

use crate::StoreError;

/// How the audited operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    Done,
    Denied,
    Failed,
}

impl AuditOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Done, Self::Denied, Self::Failed].into_iter().find(|o| o.as_str() == text)
    }
}

/// One line of the audit log. Holds names and ids, never a secret's value or a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    pub tenant: TenantId,
    pub time: Timestamp,
    pub correlation: CorrelationId,
    /// Object id of the caller, where one was proven.
    pub caller: Option<ObjectId>,
    pub client: Option<ClientId>,
    /// The operation, as role definitions name it: `Microsoft.KeyVault/vaults/secrets/getSecret/action`.
    pub action: String,
    /// Resource id the operation was about.
    pub scope: String,
    pub outcome: AuditOutcome,
    /// Why: the assignment, policy or error code behind the outcome.
    pub because: String,
}

impl AuditRecord {
    /// What a proof allowed, done: the record a write commits with.
    pub fn done(op: &Operation, allowed: &Allowed) -> Self {
        let what = (allowed.action(), allowed.scope().as_str());
        Self::of(op, what, AuditOutcome::Done, allowed.because().to_string())
    }

    /// What was refused, and why.
    pub fn denied(op: &Operation, denied: &Denied) -> Self {
        let what = (denied.action.as_str(), denied.scope.as_str());
        Self::of(op, what, AuditOutcome::Denied, denied.why.to_string())
    }

    /// Allowed, but it came to nothing for this reason (an error code).
    pub fn failed(op: &Operation, allowed: &Allowed, why: &str) -> Self {
        let what = (allowed.action(), allowed.scope().as_str());
        Self::of(op, what, AuditOutcome::Failed, why.to_owned())
    }

    fn of(op: &Operation, (action, scope): (&str, &str), outcome: AuditOutcome, because: String) -> Self {
        Self {
            tenant: op.caller.tenant,
            time: op.started,
            correlation: op.correlation,
            caller: op.caller.is_named().then_some(op.caller.object),
            client: op.caller.is_named().then_some(op.caller.client),
            action: action.to_owned(),
            scope: scope.to_owned(),
            outcome,
            because,
        }
    }
}

/// Which records to read, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    pub correlation: Option<CorrelationId>,
    pub caller: Option<ObjectId>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Whose scope, folded, begins with this text; the store may answer some more, so whoever asks looks again.
    pub below: Option<String>,
    /// Only what is no plain read.
    pub changes: bool,
    /// Only older ones than the record with this number.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
}

#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Appends records in one transaction; durable on return.
    async fn append(&self, records: Vec<AuditRecord>) -> Result<(), StoreError>;

    /// Records with their numbers, which grow with each one that is appended.
    async fn numbered(
        &self,
        tenant: TenantId,
        query: AuditQuery,
    ) -> Result<Vec<(i64, AuditRecord)>, StoreError>;

    async fn records(&self, tenant: TenantId, query: AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(self.numbered(tenant, query).await?.into_iter().map(|(_, record)| record).collect())
    }
}
