//! This host as a machine of the site: its resource, its identity, and the metadata services for it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cs_authority::{Authority, AuthorityError};
use cs_broker::{
    Broker, ChallengeDesk, ChallengeDirectory, Identity, IssueError, PolicyFile, Token, TokenIssuer, host,
};
use cs_ids::{ClientId, CorrelationId, MachineName, ObjectId, ResourceId, TenantId};
use cs_metadata::{Callers, ProxyHeaders, Service};
use cs_names::Address;
use cs_sandbox::CHALLENGE_DIRECTORY;
use cs_serve::Router;
use cs_store::{
    AuditOutcome, AuditRecord, Directory, Expect, NewPrincipal, Principal, PrincipalKind, Resource,
    ResourceWrite, Resources,
};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{compose::Site, live::Live, notary::Attesting, seed, seed::Seed};
use crate::failure::{Attempt, Failure, Kind};

/// Where the App Service source is, on the HIMDS listener.
pub const APP_SERVICE_PATH: &str = "/appservice/token";
/// Unanswered challenges are swept this often.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Tokens that are due are renewed this often.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// The metadata services of this host.
pub struct Metadata {
    name: String,
    resource: String,
    principal: ObjectId,
    parts: Arc<cs_metadata::Metadata>,
}

/// Connects this host: finds its machine resource, or makes it with an identity.
pub async fn connect(
    site: &Site,
    seed: &Seed,
    address: &Address,
    challenges: &Path,
    (name, callers): (Option<&str>, Option<&Path>),
) -> Result<Metadata, Failure> {
    let name = machine_name(name)?;
    let policy = callers.map(PolicyFile::open).transpose();
    let policy = policy.map_err(|why| Failure::new(Kind::Usage, format!("--callers: {why}")))?;
    let id = ResourceId::of_resource(
        seed.subscription,
        seed::GROUP,
        "Microsoft.HybridCompute",
        "machines",
        name.as_str(),
    );
    let (resource, identity) = find_or_make(site, seed.tenant, &id).await?;
    let directory = ChallengeDirectory::open(challenges).attempt("preparing challenges")?;
    let desk = ChallengeDesk::new(directory, Arc::clone(&site.clock), Arc::clone(&site.chance));
    let issuer = InProcess {
        authority: Arc::clone(&site.authority),
        tenant: seed.tenant,
        machine: identity.client,
        address: address.clone(),
    };
    let broker = Broker::new(Arc::new(issuer), Arc::clone(&site.clock), Arc::clone(&site.chance));
    let mut header = [0; 32];
    site.chance.fill(&mut header);
    let facts = Arc::new(Live {
        resources: Arc::clone(&site.store) as _,
        clock: Arc::clone(&site.clock),
        tenant: seed.tenant,
        id: id.clone(),
        identity: identity.clone(),
        known: Mutex::default(),
    });
    let attester = Attesting {
        resources: Arc::clone(&site.store) as _,
        tenant: seed.tenant,
        id: id.clone(),
        notary: Arc::clone(&site.notary),
        clock: Arc::clone(&site.clock),
    };
    let parts = cs_metadata::Metadata {
        broker: Arc::new(broker),
        desk: Arc::new(desk),
        facts,
        clock: Arc::clone(&site.clock),
        chance: Arc::clone(&site.chance),
        app_service_header: Some(cs_jose::encode_url(header)),
        callers: Arc::new(Callers::new(policy)),
        proxy_headers: ProxyHeaders::Refused,
        attester: Some(Arc::new(attester)),
    };
    let resource = resource.id.to_string();
    Ok(Metadata {
        name: name.as_str().to_owned(),
        resource,
        principal: identity.object,
        parts: Arc::new(parts),
    })
}

impl Metadata {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn resource_id(&self) -> &str {
        &self.resource
    }

    pub fn principal(&self) -> ObjectId {
        self.principal
    }

    pub fn app_service_header(&self) -> &str {
        self.parts.app_service_header.as_deref().unwrap_or_default()
    }

    pub fn himds(&self) -> Arc<dyn Router> {
        self.parts.router(Service::Himds)
    }

    /// For `countersign run`, which shows the challenge files where clients look for them.
    pub fn himds_inside(&self) -> Arc<dyn Router> {
        self.parts.himds_seen_at(CHALLENGE_DIRECTORY.into())
    }

    pub fn imds(&self) -> Arc<dyn Router> {
        self.parts.router(Service::Imds)
    }

    pub fn background(&self) -> Vec<JoinHandle<()>> {
        let (parts, broker) = (Arc::clone(&self.parts), Arc::clone(&self.parts.broker));
        vec![
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SWEEP_EVERY).await;
                    parts.desk.sweep();
                    parts.callers.flush(parts.clock.now());
                }
            }),
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(RENEW_EVERY).await;
                    broker.renew_due().await;
                }
            }),
        ]
    }
}

/// The given name, or this host's with what no machine name has taken out.
fn machine_name(given: Option<&str>) -> Result<MachineName, Failure> {
    if let Some(given) = given {
        return given.parse().map_err(|e| Failure::new(Kind::Usage, format!("--machine: {e}")));
    }
    host::name().parse().attempt("naming this machine")
}

async fn find_or_make(
    site: &Site,
    tenant: TenantId,
    id: &ResourceId,
) -> Result<(Resource, Identity), Failure> {
    const WHAT: &str = "connecting this host as a machine";
    let known = site.store.resource(tenant, id.clone()).await.attempt(WHAT)?;
    let resource = match known {
        Some(resource) => resource,
        None => {
            let resource = make(site, tenant, id).await?;
            site.access.refresh(tenant).await.attempt(WHAT)?;
            resource
        }
    };
    let object =
        resource.extra.pointer("/identity/principalId").and_then(|v| v.as_str()?.parse::<ObjectId>().ok());
    let object =
        object.ok_or_else(|| Failure::failed(format!("{WHAT}: its resource {id} has no identity")))?;
    let principal = site.store.principal(tenant, object).await.attempt(WHAT)?;
    let client = principal.and_then(|p| p.client).ok_or_else(|| {
        Failure::failed(format!("{WHAT}: the identity of {id} is gone from the directory"))
            .hint("delete the machine resource, then start again")
    })?;
    let identity = Identity { client, object, resource: resource.id.to_string(), system_assigned: true };
    Ok((resource, identity))
}

async fn make(site: &Site, tenant: TenantId, id: &ResourceId) -> Result<Resource, Failure> {
    let (object, client): (ObjectId, ClientId) = (site.chance.uuid().into(), site.chance.uuid().into());
    let now = site.clock.now();
    let (os_name, os_version) = host::operating_system();
    let resource = Resource {
        tenant,
        id: id.clone(),
        kind: "Microsoft.HybridCompute/machines".to_owned(),
        location: seed::LOCATION.to_owned(),
        tags: Vec::new(),
        extra: json!({"identity": {"type": "SystemAssigned", "principalId": object, "tenantId": tenant, "clientId": client}}),
        properties: json!({
            "provisioningState": "Succeeded", "status": "Connected", "lastStatusChange": now.iso7(),
            "vmId": site.chance.uuid().to_string(), "displayName": id.name(), "machineFqdn": id.name(),
            "osType": "linux", "osName": os_name, "osVersion": os_version, "agentVersion": env!("CARGO_PKG_VERSION")
        }),
        created: now,
        updated: now,
        created_by: String::new(),
        updated_by: String::new(),
        deleted: None,
        generation: 0,
    };
    let principal = Principal {
        tenant,
        object,
        kind: PrincipalKind::MachineIdentity,
        client: Some(client),
        display_name: id.name().to_owned(),
        enabled: true,
        resource: Some(id.to_string()),
        directory_admin: false,
        created: now,
        deleted: false,
        revision: 0,
    };
    let audit = AuditRecord {
        tenant,
        time: now,
        correlation: site.chance.uuid().into(),
        caller: None,
        client: None,
        action: "Microsoft.HybridCompute/machines/write".to_owned(),
        scope: id.to_string(),
        outcome: AuditOutcome::Done,
        because: "the site connected its own host".to_owned(),
    };
    let principal = Some(NewPrincipal { principal, credentials: Vec::new() });
    let write = ResourceWrite { resource, expect: Expect::Absent, host: None, principal };
    site.store.put_resource(write, audit).await.attempt("connecting this host as a machine")
}

/// The authority of this very process as the issuer.
struct InProcess {
    authority: Arc<Authority>,
    tenant: TenantId,
    /// The machine's own identity.
    machine: ClientId,
    address: Address,
}

#[async_trait]
impl TokenIssuer for InProcess {
    async fn issue(
        &self,
        identity: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Token, IssueError> {
        let what = (resource, &self.address, correlation);
        let issued = if identity.system_assigned {
            self.authority.token_for((self.tenant, identity.client), what).await
        } else {
            let machine = (self.tenant, self.machine);
            self.authority.token_for_attached(machine, &identity.resource, what).await
        };
        let token = issued.map_err(|error| match &error {
            AuthorityError::UnknownResource(name) => IssueError::Refused {
                code: "invalid_resource".to_owned(),
                text: format!(
                    "AADSTS500011: The resource principal named {name} was not found in the tenant named {}.",
                    self.tenant
                ),
            },
            // The machine itself is still good.
            AuthorityError::NotAttached(_) => IssueError::Refused {
                code: "invalid_request".to_owned(),
                text: "Identity not found".to_owned(),
            },
            AuthorityError::UnknownClient(_) | AuthorityError::Disabled(_) => {
                IssueError::Revoked(error.to_string())
            }
            _ => IssueError::Unreachable(error.to_string()),
        })?;
        Ok(Token {
            access_token: token.access_token,
            expires_on: token.expires_on,
            not_before: token.not_before,
            client: token.client,
        })
    }
}
