//! Principals and credentials.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_store::{
    AuditRecord, Credential, CredentialHolder, CredentialKind, Directory, Principal, PrincipalKind, Revision,
    StoreError,
};

use super::{audit, revision};
use crate::{Conn, Row, SqlStore, values};

/// The columns [`read`] reads.
macro_rules! select_principals {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, object, kind, client, display_name, enabled, resource, directory_admin, created, deleted, ",
            "revision FROM principals ",
            $rest
        )
    };
}

pub(super) use select_principals;

pub(super) fn read(row: &Row) -> Result<Principal, StoreError> {
    Ok(Principal {
        tenant: row.id(0)?,
        object: row.id(1)?,
        kind: row.word(2, PrincipalKind::parse)?,
        client: row.optional(3, Row::id)?,
        display_name: row.string(4)?,
        enabled: row.flag(5)?,
        resource: row.optional(6, Row::string)?,
        directory_admin: row.flag(7)?,
        created: row.time(8)?,
        deleted: row.flag(9)?,
        revision: row.int(10)?,
    })
}

/// Inserts a principal with its credentials in the running transaction.
pub(super) async fn insert(
    c: &mut Conn<'_>,
    p: &Principal,
    credentials: &[Credential],
) -> Result<(), StoreError> {
    let revision = revision::raise(c, p.tenant).await?;
    c.run(
        "INSERT INTO principals (tenant, object, kind, client, display_name, enabled, resource, resource_key,
           directory_admin, created, deleted, revision, name_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12)",
        &values![
            p.tenant,
            p.object,
            p.kind.as_str(),
            p.client,
            &p.display_name,
            p.enabled,
            p.resource.clone(),
            p.resource.as_ref().map(|r| r.to_ascii_lowercase()),
            p.directory_admin,
            p.created,
            revision,
            p.display_name.to_lowercase()
        ],
    )
    .await?;
    for credential in credentials {
        insert_credential(c, credential).await?;
    }
    Ok(())
}

pub(super) async fn insert_credential(c: &mut Conn<'_>, k: &Credential) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO credentials (tenant, client, id, kind, lookup, material, not_before, expires, holder)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &values![
            k.tenant,
            k.client,
            &k.id,
            k.kind.as_str(),
            &k.lookup,
            &k.material,
            k.not_before,
            k.expires,
            k.holder.as_str()
        ],
    )
    .await
    .map(drop)
}

/// Buries a principal in the running transaction: tombstone, no assignments, no memberships, and no credentials but
/// those its application holds. One that is created again is another object and inherits nothing (D05).
pub(super) async fn bury(c: &mut Conn<'_>, tenant: TenantId, object: ObjectId) -> Result<bool, StoreError> {
    let found = c
        .row(
            "SELECT client FROM principals WHERE tenant = $1 AND object = $2 AND deleted = 0",
            &values![tenant, object],
        )
        .await?;
    let Some(found) = found else { return Ok(false) };
    let client: Option<ClientId> = found.optional(0, Row::id)?;
    let revision = revision::raise(c, tenant).await?;
    c.run(
        "UPDATE principals SET deleted = 1, enabled = 0, revision = $3 WHERE tenant = $1 AND object = $2",
        &values![tenant, object, revision],
    )
    .await?;
    c.run(
        "DELETE FROM credentials WHERE tenant = $1 AND client = $2 AND (holder = 'principal' OR NOT EXISTS
           (SELECT 1 FROM applications a WHERE a.tenant = $1 AND a.client = $2))",
        &values![tenant, client],
    )
    .await?;
    c.run(
        "DELETE FROM federated_credentials WHERE tenant = $1 AND client = $2 AND NOT EXISTS
           (SELECT 1 FROM applications a WHERE a.tenant = $1 AND a.client = $2)",
        &values![tenant, client],
    )
    .await?;
    c.run("DELETE FROM machine_keys WHERE tenant = $1 AND client = $2", &values![tenant, client]).await?;
    c.run("DELETE FROM principal_details WHERE tenant = $1 AND object = $2", &values![tenant, object])
        .await?;
    c.run(
        "UPDATE links SET deleted = 1, revision = $3 WHERE tenant = $1 AND deleted = 0 AND (holder = $2 OR who = $2)",
        &values![tenant, object, revision],
    )
    .await?;
    c.run(
        "UPDATE assignments SET deleted = 1, revision = $3 WHERE tenant = $1 AND principal = $2 AND deleted = 0",
        &values![tenant, object, revision],
    )
    .await?;
    Ok(true)
}

#[async_trait]
impl Directory for SqlStore {
    async fn principal(&self, tenant: TenantId, object: ObjectId) -> Result<Option<Principal>, StoreError> {
        self.read("reading a principal", move |mut c| {
            Box::pin(async move {
                let sql = select_principals!("WHERE tenant = $1 AND object = $2 AND deleted = 0");
                c.row(sql, &values![tenant, object]).await?.as_ref().map(read).transpose()
            })
        })
        .await
    }

    async fn principal_of_client(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<Principal>, StoreError> {
        self.read("reading a principal", move |mut c| {
            Box::pin(async move {
                let sql = select_principals!("WHERE tenant = $1 AND client = $2 AND deleted = 0");
                c.row(sql, &values![tenant, client]).await?.as_ref().map(read).transpose()
            })
        })
        .await
    }

    async fn principals(
        &self,
        tenant: TenantId,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Principal>, StoreError> {
        self.read("listing principals", move |mut c| {
            Box::pin(async move {
                let after = after.map(|x| x.to_string()).unwrap_or_default();
                let sql = select_principals!(
                    "WHERE tenant = $1 AND object > $2 AND deleted = 0 ORDER BY object LIMIT $3"
                );
                c.rows(sql, &values![tenant, after, limit]).await?.iter().map(read).collect()
            })
        })
        .await
    }

    async fn principals_since(
        &self,
        tenant: TenantId,
        since: Revision,
    ) -> Result<(Vec<Principal>, Revision), StoreError> {
        self.read("reading changed principals", move |mut c| {
            Box::pin(async move {
                // The counter first: what commits in between is then seen twice, never missed.
                let upto = revision::current(&mut c, tenant).await?;
                let sql = select_principals!("WHERE tenant = $1 AND revision > $2 ORDER BY revision");
                let changed = c.rows(sql, &values![tenant, since]).await?;
                Ok((changed.iter().map(read).collect::<Result<_, _>>()?, upto))
            })
        })
        .await
    }

    async fn credentials(&self, tenant: TenantId, client: ClientId) -> Result<Vec<Credential>, StoreError> {
        self.read("reading credentials", move |mut c| {
            Box::pin(async move {
                c.rows(
                    "SELECT tenant, client, id, kind, lookup, material, not_before, expires, holder
                     FROM credentials WHERE tenant = $1 AND client = $2 ORDER BY id",
                    &values![tenant, client],
                )
                .await?
                .iter()
                .map(|row| {
                    Ok(Credential {
                        tenant: row.id(0)?,
                        client: row.id(1)?,
                        id: row.string(2)?,
                        kind: row.word(3, CredentialKind::parse)?,
                        lookup: row.string(4)?,
                        material: row.bytes(5)?.to_vec(),
                        not_before: row.time(6)?,
                        expires: row.time(7)?,
                        holder: row.word(8, CredentialHolder::parse)?,
                    })
                })
                .collect()
            })
        })
        .await
    }

    async fn add_principal(
        &self,
        principal: Principal,
        credentials: Vec<Credential>,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((principal, credentials, record));
        self.write("creating a principal", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                insert(&mut c, &all.0, &all.1).await?;
                audit::append(&mut c, &all.2).await
            })
        })
        .await
    }

    async fn set_enabled(
        &self,
        tenant: TenantId,
        object: ObjectId,
        enabled: bool,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let record = Arc::new(record);
        self.write("enabling or disabling a principal", move |mut c| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                let revision = revision::raise(&mut c, tenant).await?;
                let touched = c
                    .run(
                        "UPDATE principals SET enabled = $3, revision = $4
                         WHERE tenant = $1 AND object = $2 AND deleted = 0",
                        &values![tenant, object, enabled, revision],
                    )
                    .await?;
                if touched == 0 {
                    return Err(StoreError::Missing("principal".to_owned()));
                }
                audit::append(&mut c, &record).await
            })
        })
        .await
    }

    async fn remove_principal(
        &self,
        tenant: TenantId,
        object: ObjectId,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let record = Arc::new(record);
        self.write("removing a principal", move |mut c| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                let there = bury(&mut c, tenant, object).await?;
                audit::append(&mut c, &record).await?;
                Ok(there)
            })
        })
        .await
    }

    async fn add_credential(&self, credential: Credential, record: AuditRecord) -> Result<(), StoreError> {
        let all = Arc::new((credential, record));
        self.write("adding a credential", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                insert_credential(&mut c, &all.0).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
    }

    async fn remove_credential(
        &self,
        tenant: TenantId,
        client: ClientId,
        id: String,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((id, record));
        self.write("removing a credential", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let touched = c
                    .run(
                        "DELETE FROM credentials WHERE tenant = $1 AND client = $2 AND id = $3",
                        &values![tenant, client, &all.0],
                    )
                    .await?;
                audit::append(&mut c, &all.1).await?;
                Ok(touched > 0)
            })
        })
        .await
    }
}
