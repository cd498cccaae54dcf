//! Finding principals and applications.

use cs_ids::{ClientId, ObjectId, TenantId};
use cs_rbac::Operation;
use cs_store::{Application, NameIs, Principal, PrincipalKind};

use crate::{DirectoryError, Principals};

/// What to look for. Names are found without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    All,
    /// One of the `servicePrincipalNames`: the client id or a URI of the application (never the object id, arm.md 5.1).
    Name(String),
    Uri(String),
    Object(ObjectId),
    Client(ClientId),
    /// A user's principal name.
    Handle(String),
    DisplayName(String),
    DisplayNameStartsWith(String),
}

impl Find {
    fn name(&self) -> NameIs {
        match self {
            Self::DisplayName(name) => NameIs::Equal(name.to_lowercase()),
            Self::DisplayNameStartsWith(start) => NameIs::StartsWith(start.to_lowercase()),
            _ => NameIs::Anything,
        }
    }
}

/// Which part of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub after: Option<ObjectId>,
    pub limit: u32,
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

    /// A page of the principals of some kinds that fit. Everything but `All` is looked up.
    pub async fn find(
        &self,
        op: &Operation,
        kinds: &[PrincipalKind],
        what: &Find,
        page: Page,
    ) -> Result<Vec<Principal>, DirectoryError> {
        let tenant = op.caller.tenant;
        let one = match what {
            Find::Object(object) => self.by_object(tenant, *object).await?,
            Find::Client(client) => self.by_client(tenant, *client).await?,
            Find::Handle(name) => self.user_named(op, name).await?,
            Find::Name(name) | Find::Uri(name) => match name.parse() {
                Ok(client) => self.by_client(tenant, client).await?,
                Err(_) => match self.objects.application_of_uri(tenant, name.clone()).await? {
                    Some(application) => self.by_client(tenant, application.client).await?,
                    None => None,
                },
            },
            Find::All | Find::DisplayName(_) | Find::DisplayNameStartsWith(_) => {
                let (kinds, name) = (kinds.to_vec(), what.name());
                return Ok(self
                    .objects
                    .principals_named(tenant, kinds, name, page.after, page.limit)
                    .await?);
            }
        };
        Ok(one.into_iter().filter(|p| kinds.contains(&p.kind)).collect())
    }

    /// A page of the applications that fit.
    pub async fn find_applications(
        &self,
        op: &Operation,
        what: &Find,
        page: Page,
    ) -> Result<Vec<Application>, DirectoryError> {
        let tenant = op.caller.tenant;
        let one = match what {
            Find::Object(object) => self.objects.application(tenant, *object).await?,
            Find::Client(client) => self.objects.application_of_client(tenant, *client).await?,
            Find::Name(uri) | Find::Uri(uri) => self.objects.application_of_uri(tenant, uri.clone()).await?,
            Find::Handle(_) => None,
            Find::All | Find::DisplayName(_) | Find::DisplayNameStartsWith(_) => {
                return Ok(self.objects.applications(tenant, what.name(), page.after, page.limit).await?);
            }
        };
        Ok(one.into_iter().collect())
    }
}
