//! Who asks, and what follows the call through every part.

use cs_ids::{ClientId, CorrelationId, ObjectId, TenantId};
use cs_time::Timestamp;
use uuid::Uuid;

/// The principal that a verified token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `tid`.
    pub tenant: TenantId,
    /// `oid`: what assignments and access policies name.
    pub object: ObjectId,
    /// `appid`: the application, or for a machine its client id. Never what an assignment names.
    pub client: ClientId,
    /// `iss`, as the vault prints it when it refuses.
    pub issuer: String,
}

impl Caller {
    /// Nobody in particular: a request signed with a storage account's key says which account, not who.
    pub fn unnamed(tenant: TenantId) -> Self {
        let nil = Uuid::nil();
        Self { tenant, object: ObjectId::new(nil), client: ClientId::new(nil), issuer: String::new() }
    }

    pub fn is_named(&self) -> bool {
        !self.object.uuid().is_nil()
    }

    /// An invented caller, for tests: the client id equals the object id.
    pub fn invented(tenant: TenantId, object: ObjectId) -> Self {
        let client = ClientId::new(object.uuid());
        Self { issuer: format!("https://sts.invented.test/{tenant}/"), tenant, object, client }
    }
}

/// One call: first argument of everything a part does, also of background work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub caller: Caller,
    /// Names this call in every log, audit record and answer.
    pub correlation: CorrelationId,
    /// What the client named the call (`x-ms-client-request-id`), echoed and recorded; untrusted text.
    pub client_request_id: Option<String>,
    /// When the call arrived; conditions see it as `UtcNow`.
    pub started: Timestamp,
}

impl Operation {
    pub fn new(caller: Caller, correlation: CorrelationId, started: Timestamp) -> Self {
        Self { caller, correlation, client_request_id: None, started }
    }

    /// An invented operation, for tests: nil correlation id, the epoch as its time.
    pub fn invented(tenant: TenantId, object: ObjectId) -> Self {
        Self::new(Caller::invented(tenant, object), CorrelationId::new(Uuid::nil()), Timestamp::default())
    }
}
