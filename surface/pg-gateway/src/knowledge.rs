//! What the gateway knows of its site: in the site's own process by its parts, in a process next to the database by
//! what the site tells it.

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::{Access, Standing};
use cs_database::RoleName;
use cs_databases::{Databases, Server};
use cs_ids::{ObjectId, TenantId};
use cs_pki::{ClientAuthority, ClientKey, serial_number};
use cs_time::{Chance, Clock};
use rustls::sign::CertifiedKey;

/// A cancel request that names no server is tried with this many servers' secrets.
const LABELS_AT_MOST: u32 = 64;

/// The site cannot say, and why; for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unknown(pub String);

impl Unknown {
    fn of(error: &dyn std::error::Error) -> Self {
        Self(crate::backend::chain(error))
    }
}

#[async_trait]
pub trait Knowledge: Send + Sync {
    /// The server whose host begins with this folded label, as it is now.
    async fn server(&self, label: &str) -> Result<Option<Arc<Server>>, Unknown>;

    /// What a server is by now, where what was answered before may be a moment old: asked before somebody with a good
    /// token is refused, who may just have been let in.
    async fn server_by_now(&self, known: &Arc<Server>) -> Result<Arc<Server>, Unknown> {
        Ok(Arc::clone(known))
    }

    /// The label of the only server there is, for clients that name none.
    async fn only_label(&self) -> Result<Option<String>, Unknown>;

    /// The labels of all servers, where there are few.
    async fn labels(&self) -> Result<Vec<String>, Unknown> {
        Ok(self.only_label().await?.into_iter().collect())
    }

    /// Makes sure that what is asked below of a principal is known as it is now.
    async fn meet(&self, tenant: TenantId, who: ObjectId) -> Result<(), Unknown>;

    /// The groups somebody is in, of those that rules name.
    fn groups_of(&self, tenant: TenantId, who: ObjectId) -> Result<Vec<ObjectId>, Unknown>;

    fn standing(&self, tenant: TenantId, who: ObjectId) -> Standing;

    /// A certificate of this key by which the server lets us in as the role, good for [`cs_pki::CLIENT_SECONDS`].
    async fn certify(
        &self,
        server: &Server,
        role: &RoleName,
        key: &ClientKey,
    ) -> Result<Arc<CertifiedKey>, Unknown>;
}

/// In the site's own process.
pub struct OwnSite {
    pub databases: Arc<Databases>,
    pub access: Arc<Access>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

#[async_trait]
impl Knowledge for OwnSite {
    async fn server(&self, label: &str) -> Result<Option<Arc<Server>>, Unknown> {
        let found = self.databases.server(label).await.map_err(|e| Unknown::of(&e))?;
        Ok(found.map(Arc::new))
    }

    async fn only_label(&self) -> Result<Option<String>, Unknown> {
        self.databases.only_label().await.map_err(|e| Unknown::of(&e))
    }

    async fn labels(&self) -> Result<Vec<String>, Unknown> {
        self.databases.labels(LABELS_AT_MOST).await.map_err(|e| Unknown::of(&e))
    }

    async fn meet(&self, _: TenantId, _: ObjectId) -> Result<(), Unknown> {
        Ok(())
    }

    fn groups_of(&self, tenant: TenantId, who: ObjectId) -> Result<Vec<ObjectId>, Unknown> {
        self.access.groups_of(tenant, who).map_err(|e| Unknown::of(&e))
    }

    fn standing(&self, tenant: TenantId, who: ObjectId) -> Standing {
        self.access.standing(tenant, who)
    }

    async fn certify(
        &self,
        server: &Server,
        role: &RoleName,
        key: &ClientKey,
    ) -> Result<Arc<CertifiedKey>, Unknown> {
        let seed = server.key.as_ref().ok_or_else(|| Unknown("the server's key is not here".to_owned()))?;
        let authority = ClientAuthority::open(seed.expose(), &server.client_authority);
        let authority = authority.map_err(|e| Unknown::of(&e))?;
        let serial = serial_number(&*self.chance);
        key.certified(&authority, role.as_str(), &serial, self.clock.now()).map_err(|e| Unknown::of(&e))
    }
}
