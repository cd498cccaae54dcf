//! Finding principals.

use cs_ids::{ClientId, ObjectId, TenantId};
use cs_store::{Principal, PrincipalKind};

use crate::{DirectoryError, Principals};

/// Rows read at a time when a listing goes through a directory.
const PAGE: u32 = 1000;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    All,
    /// One of the `servicePrincipalNames`: for us that is the client id (never the object id, arm.md 5.1).
    Name(String),
    Object(ObjectId),
    Client(ClientId),
    /// Without regard to case.
    DisplayName(String),
    DisplayNameStartsWith(String),
}

impl Principals {
    pub async fn by_object(
        &self,
        tenant: TenantId,
        object: ObjectId,
    ) -> Result<Option<Principal>, DirectoryError> {
        Ok(self.rows.principal(tenant, object).await?)
    }

    pub async fn by_client(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<Principal>, DirectoryError> {
        Ok(self.rows.principal_of_client(tenant, client).await?)
    }

    /// Those of the ids that exist, in their order.
    pub async fn by_objects(
        &self,
        tenant: TenantId,
        objects: &[ObjectId],
    ) -> Result<Vec<Principal>, DirectoryError> {
        let mut found = Vec::new();
        for object in objects {
            found.extend(self.by_object(tenant, *object).await?);
        }
        Ok(found)
    }

    /// Principals of some kinds that fit, at most `limit`. Ids are looked up; names are read through, which costs as
    /// much as the directory is large and is asked by people only.
    pub async fn find(
        &self,
        tenant: TenantId,
        kinds: &[PrincipalKind],
        what: &Find,
        limit: usize,
    ) -> Result<Vec<Principal>, DirectoryError> {
        let one = match what {
            Find::Object(object) => self.by_object(tenant, *object).await?,
            Find::Client(client) => self.by_client(tenant, *client).await?,
            Find::Name(name) => match name.parse() {
                Ok(client) => self.by_client(tenant, client).await?,
                Err(_) => None,
            },
            Find::All => return self.read_through(tenant, kinds, limit, |_| true).await,
            Find::DisplayName(name) => {
                let name = name.to_lowercase();
                let same = |p: &Principal| p.display_name.to_lowercase() == name;
                return self.read_through(tenant, kinds, limit, same).await;
            }
            Find::DisplayNameStartsWith(start) => {
                let start = start.to_lowercase();
                let starts = |p: &Principal| p.display_name.to_lowercase().starts_with(&start);
                return self.read_through(tenant, kinds, limit, starts).await;
            }
        };
        Ok(one.into_iter().filter(|p| kinds.contains(&p.kind)).collect())
    }

    async fn read_through(
        &self,
        tenant: TenantId,
        kinds: &[PrincipalKind],
        limit: usize,
        fits: impl Fn(&Principal) -> bool + Send + Sync,
    ) -> Result<Vec<Principal>, DirectoryError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.rows.principals(tenant, after, PAGE).await?;
            let Some(last) = page.last().map(|p| p.object) else { return Ok(found) };
            after = Some(last);
            for principal in page.into_iter().filter(|p| kinds.contains(&p.kind) && fits(p)) {
                if found.len() == limit {
                    return Ok(found);
                }
                found.push(principal);
            }
        }
    }
}
