//! Joints between the parts of a site: what one part asks for, answered by another.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use cs_access::Access;
use cs_audit::Audit;
use cs_authority::{Documents, LiveDirectory, SignIns, Standing};
use cs_ids::{ObjectId, ServerName, TenantId};
use cs_outbound::Outbound;
use cs_resources::DataKeys;
use cs_seal::{Aad, Key};
use cs_serve::{Context, Request, Response, Surface, text};
use cs_store::{AuditRecord, StoreError};
use cs_time::{Chance, Timestamp};
use cs_vault::data_key_place;
use http::StatusCode;

use crate::failure::{Attempt, Failure};

/// The authority's view of the access part.
pub(super) struct Live(pub(super) Arc<Access>);

impl LiveDirectory for Live {
    fn standing(&self, tenant: TenantId, object: ObjectId) -> Standing {
        match self.0.standing(tenant, object) {
            cs_access::Standing::Good => Standing::Good,
            cs_access::Standing::Gone => Standing::Gone,
            cs_access::Standing::Unconfirmed => Standing::Unconfirmed,
        }
    }
}

/// Sign-ins go to the audit log in groups.
pub(super) struct Queued(pub(super) Arc<Audit>);

impl SignIns for Queued {
    fn record(&self, record: AuditRecord) {
        if let Err(error) = self.0.soon(record) {
            tracing::error!(%error, "a sign-in could not be recorded");
        }
    }
}

/// Hosts of issuers that may be inside a network, separated by commas; others are reached on the internet only.
const PRIVATE_ISSUERS: &str = "COUNTERSIGN_PRIVATE_ISSUERS";

/// Other issuers' documents come from their addresses.
pub(super) struct Fetched(Outbound);

impl Fetched {
    /// # Errors
    /// TLS roots that cannot be read.
    pub(super) fn new() -> Result<Self, Failure> {
        let named = std::env::var(PRIVATE_ISSUERS).unwrap_or_default();
        let hosts = named.split(',').map(str::trim).filter(|h| !h.is_empty()).map(str::to_owned);
        let settings =
            cs_outbound::Settings { private_hosts: hosts.collect(), ..cs_outbound::Settings::default() };
        Outbound::new(settings).map(Self).attempt("preparing to fetch other issuers' keys")
    }
}

#[async_trait]
impl Documents for Fetched {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        self.0.get(url).await.map_err(|e| e.to_string())
    }
}

/// New data keys for vaults, accounts and database servers.
pub(super) struct Wrapping {
    pub(super) tenant_keys: HashMap<TenantId, Arc<Key>>,
    pub(super) chance: Arc<dyn Chance>,
}

#[async_trait]
impl DataKeys for Wrapping {
    async fn new_wrapped_key(&self, tenant: TenantId) -> Result<Vec<u8>, StoreError> {
        let missing =
            || StoreError::Damaged { what: "tenant key", cause: format!("tenant {tenant} has none") };
        let key = self.tenant_keys.get(&tenant).ok_or_else(missing)?;
        Ok(key.wrap(&data_key_place(tenant), &Key::draw(&*self.chance), &*self.chance))
    }

    fn account_key(
        &self,
        tenant: TenantId,
        wrapped: &[u8],
        account: &str,
        which: (&str, &str),
    ) -> Result<String, StoreError> {
        let damaged = || StoreError::Damaged { what: "data key", cause: "it cannot be opened".to_owned() };
        let key = self.tenant_keys.get(&tenant).ok_or_else(damaged)?;
        let data_key = key.unwrap(&data_key_place(tenant), wrapped).map_err(|_| damaged())?;
        let place = Aad::of_shared_key(tenant, account, which);
        Ok(cs_jose::encode_std(&*data_key.derive(&place)))
    }

    fn client_authority(
        &self,
        tenant: TenantId,
        wrapped: &[u8],
        server: &ServerName,
        now: Timestamp,
    ) -> Option<String> {
        self.authority_of(tenant, wrapped, server, now)
    }
}

/// The console's place, until there is one.
pub(super) struct NoConsole;

#[async_trait]
impl Surface for NoConsole {
    async fn serve(&self, _: Request, _: Context) -> Response {
        text(StatusCode::NOT_IMPLEMENTED, "This site has no console yet: use az, the SDKs or curl.")
    }
}
