//! Database servers: finding one by the label of its host name, with its rules, as they are now.
//!
//! What a server is and who may be which role there are resources (`Microsoft.DBforPostgreSQL/flexibleServers` and
//! its `administrators`), written through the resource manager. Nothing is remembered here: a login reads what is
//! true now, and so does the watch over open sessions.

use std::sync::Arc;

use cs_database::{ADMINISTRATORS, CLIENT_AUTHORITY, RoleName, Rule, RuleKind, SERVERS, ServerSettings};
use cs_ids::{ResourceId, TenantId};
use cs_seal::{Aad, Key};
use cs_store::{HostKind, Resource, ResourceFilter, Resources, Site};
use serde_json::{Map, Value};

pub use cs_store::StoreError;

/// Opens data keys. The key they are wrapped under never comes here.
pub trait DataKeys: Send + Sync {
    /// `None` when the tenant's key does not open it.
    fn open(&self, tenant: TenantId, wrapped: &[u8]) -> Option<Key>;
}

/// What is known of a server now.
pub struct Server {
    pub tenant: TenantId,
    pub id: ResourceId,
    /// First label of its host name, folded.
    pub label: String,
    pub settings: ServerSettings,
    pub rules: Vec<Rule>,
    /// The certificate of the authority that signs the gateway's client certificates for this server, PEM.
    pub client_authority: String,
    /// What that authority's key is derived from; `None` in a process that does not have it.
    pub key: Option<Key>,
    /// What its gateways encipher cancel keys under.
    pub cancel_secret: [u8; 32],
    /// All members of its resource, for whoever passes them on.
    pub properties: Map<String, Value>,
    /// Raised by every change of the server (not of its rules).
    pub generation: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the server's key does not open")]
    Sealed,
    #[error("the server's resource cannot be read: {0}")]
    Damaged(String),
    #[error("the store")]
    Store(#[from] StoreError),
}

/// All database servers of a site.
pub struct Databases {
    resources: Arc<dyn Resources>,
    site: Arc<dyn Site>,
    keys: Arc<dyn DataKeys>,
}

/// Rules are read in pages of this many; most servers have fewer.
const PAGE: u32 = 64;

impl Databases {
    pub fn new(resources: Arc<dyn Resources>, site: Arc<dyn Site>, keys: Arc<dyn DataKeys>) -> Self {
        Self { resources, site, keys }
    }

    /// The server whose host begins with this folded label.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn server(&self, label: &str) -> Result<Option<Server>, DatabaseError> {
        let Some(owner) = self.resources.host_owner(HostKind::Server, label.to_owned()).await? else {
            return Ok(None);
        };
        let Some(resource) = self.resources.resource(owner.tenant, owner.id.clone()).await? else {
            return Ok(None);
        };
        let rules = self.rules(&resource).await?;
        let properties = resource.properties.as_object().cloned().unwrap_or_default();
        let settings =
            ServerSettings::read(&properties).map_err(|bad| DatabaseError::Damaged(bad.to_string()))?;
        let authority = properties.get(CLIENT_AUTHORITY).and_then(Value::as_str);
        let authority = authority
            .ok_or_else(|| DatabaseError::Damaged(format!("it has no {CLIENT_AUTHORITY}")))?
            .to_owned();
        let key = self.keys.open(owner.tenant, &owner.wrapped_key).ok_or(DatabaseError::Sealed)?;
        Ok(Some(Server {
            tenant: owner.tenant,
            label: label.to_owned(),
            settings,
            rules,
            client_authority: authority,
            cancel_secret: cancel_secret(&key),
            key: Some(key),
            properties,
            generation: resource.generation,
            id: resource.id,
        }))
    }

    /// How often resources have changed, where this process makes every change there is; else nobody can tell but by
    /// reading.
    pub fn changes(&self) -> Option<u64> {
        self.resources.is_alone().then(|| self.resources.changes())
    }

    /// The label of the site's only server; `None` when there is none or more than one. A client that names no host
    /// (it connected to an address) means this one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn only_label(&self) -> Result<Option<String>, StoreError> {
        let mut labels = self.labels(2).await?;
        Ok(labels.pop().filter(|_| labels.is_empty()))
    }

    /// The labels of the site's servers, `at_most` of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn labels(&self, at_most: u32) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for tenant in self.site.tenants().await? {
            for subscription in self.resources.subscriptions(tenant.id).await? {
                let filter = ResourceFilter {
                    subscription: Some(subscription.id),
                    kind: Some(SERVERS.to_ascii_lowercase()),
                    limit: at_most,
                    ..ResourceFilter::default()
                };
                for server in self.resources.resources(tenant.id, filter).await? {
                    if found.len() >= at_most as usize {
                        return Ok(found);
                    }
                    found.push(server.id.name().to_ascii_lowercase());
                }
            }
        }
        Ok(found)
    }

    async fn rules(&self, server: &Resource) -> Result<Vec<Rule>, StoreError> {
        let below = format!("{}/administrators", server.id.key());
        let mut filter = ResourceFilter {
            subscription: Some(server.id.subscription()),
            group: server.id.group().map(str::to_ascii_lowercase),
            kind: Some(ADMINISTRATORS.to_ascii_lowercase()),
            below: Some(below),
            limit: PAGE,
            ..ResourceFilter::default()
        };
        let mut rules = Vec::new();
        loop {
            let page = self.resources.resources(server.tenant, filter.clone()).await?;
            // A rule that cannot be read gives nobody anything.
            rules.extend(page.iter().filter_map(rule));
            if page.len() < PAGE as usize {
                return Ok(rules);
            }
            filter.after = page.last().map(|r| r.id.key().to_owned());
        }
    }
}

fn cancel_secret(key: &Key) -> [u8; 32] {
    let derived = key.derive(&Aad::of("database cancel keys"));
    let mut secret = [0; 32];
    secret.copy_from_slice(&derived[..32]);
    secret
}

fn rule(row: &Resource) -> Option<Rule> {
    let text = |name: &str| row.properties.get(name)?.as_str();
    Some(Rule {
        // The name, which the resource manager keeps unique, not the copy among the properties.
        object: row.id.name().parse().ok()?,
        kind: RuleKind::parse(text("principalType")?)?,
        role: RoleName::parse(text("principalName")?).ok()?,
    })
}
