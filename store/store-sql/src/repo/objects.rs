//! Names and details of principals; the trait's other methods are in `applications` and `links`.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_store::{
    Application, AuditRecord, Details, DirectoryObjects, LinkKind, Membership, NameIs, Principal,
    PrincipalChange, PrincipalKind, Revision, StoreError,
};
use serde_json::Value as Json;

use super::{
    applications, audit,
    directory::{self, read, select_principals},
    links, revision,
};
use crate::{Conn, SqlStore, values};

/// The folded names a question is about, as a range of both ends; the last character of Unicode ends all that start so.
pub(super) fn range(name: &NameIs) -> (String, String) {
    match name {
        NameIs::Anything => (String::new(), char::MAX.to_string()),
        NameIs::Equal(name) => (name.clone(), name.clone()),
        NameIs::StartsWith(start) => (start.clone(), format!("{start}{}", char::MAX)),
    }
}

async fn named(
    c: &mut Conn<'_>,
    tenant: TenantId,
    kinds: &[PrincipalKind],
    name: &NameIs,
    after: Option<ObjectId>,
    limit: u32,
) -> Result<Vec<Principal>, StoreError> {
    let after = after.map(|o| o.to_string()).unwrap_or_default();
    // A list of a fixed length in SQL: the last kind fills it up.
    let kind = |at: usize| kinds.get(at).or(kinds.last()).map(|k| k.as_str()).unwrap_or_default();
    let rows = match (name, kinds) {
        (NameIs::Anything, [one]) => {
            let sql = select_principals!(
                "WHERE tenant = $1 AND kind = $2 AND object > $3 AND deleted = 0 ORDER BY object LIMIT $4"
            );
            c.rows(sql, &values![tenant, one.as_str(), after, limit]).await?
        }
        (NameIs::Anything, _) => {
            let sql = select_principals!(
                "WHERE tenant = $1 AND object > $2 AND kind IN ($3, $4, $5) AND deleted = 0
                 ORDER BY object LIMIT $6"
            );
            c.rows(sql, &values![tenant, after, kind(0), kind(1), kind(2), limit]).await?
        }
        (NameIs::Equal(_) | NameIs::StartsWith(_), _) => {
            let (from, to) = range(name);
            let sql = select_principals!(
                "WHERE tenant = $1 AND name_key >= $2 AND name_key <= $3 AND object > $4 AND kind IN ($5, $6, $7)
                   AND deleted = 0 ORDER BY object LIMIT $8"
            );
            c.rows(sql, &values![tenant, from, to, after, kind(0), kind(1), kind(2), limit]).await?
        }
    };
    rows.iter().map(read).collect()
}

async fn write_details(
    c: &mut Conn<'_>,
    tenant: TenantId,
    object: ObjectId,
    details: &Details,
) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO principal_details (tenant, object, handle_key, details) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, object) DO UPDATE SET handle_key = excluded.handle_key, details = excluded.details",
        &values![tenant, object, details.handle.clone(), details.value.to_string()],
    )
    .await
    .map(drop)
}

async fn change(
    c: &mut Conn<'_>,
    tenant: TenantId,
    object: ObjectId,
    change: &PrincipalChange,
) -> Result<(), StoreError> {
    let live =
        "SELECT display_name, enabled FROM principals WHERE tenant = $1 AND object = $2 AND deleted = 0";
    let Some(row) = c.row(live, &values![tenant, object]).await? else {
        return Err(StoreError::Missing("principal".to_owned()));
    };
    if change.details.is_some() {
        let sql = "SELECT details FROM principal_details WHERE tenant = $1 AND object = $2";
        let found = c.row(sql, &values![tenant, object]).await?.map(|row| row.json(0)).transpose()?;
        if found.as_ref().and_then(Json::as_object).cloned().unwrap_or_default() != change.known {
            return Err(StoreError::Conflict("what is kept of the principal".to_owned()));
        }
    }
    let name = change.display_name.clone().map_or_else(|| row.string(0), Ok)?;
    let enabled = change.enabled.map_or_else(|| row.flag(1), Ok)?;
    let revision = revision::raise(c, tenant).await?;
    let key = name.to_lowercase();
    c.run(
        "UPDATE principals SET display_name = $3, name_key = $4, enabled = $5, revision = $6
         WHERE tenant = $1 AND object = $2",
        &values![tenant, object, name, key, enabled, revision],
    )
    .await?;
    match &change.details {
        Some(details) => write_details(c, tenant, object, details).await,
        None => Ok(()),
    }
}

#[async_trait]
impl DirectoryObjects for SqlStore {
    async fn principals_named(
        &self,
        tenant: TenantId,
        kinds: Vec<PrincipalKind>,
        name: NameIs,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Principal>, StoreError> {
        self.read("looking up principals", move |mut c| {
            let (kinds, name) = (kinds.clone(), name.clone());
            Box::pin(async move { named(&mut c, tenant, &kinds, &name, after, limit).await })
        })
        .await
    }

    async fn principal_of_handle(
        &self,
        tenant: TenantId,
        handle: String,
    ) -> Result<Option<Principal>, StoreError> {
        self.read("looking up a user", move |mut c| {
            let handle = handle.clone();
            Box::pin(async move {
                let sql = select_principals!(
                    "WHERE tenant = $1 AND deleted = 0 AND object =
                       (SELECT object FROM principal_details d WHERE d.tenant = $1 AND d.handle_key = $2)"
                );
                c.row(sql, &values![tenant, handle]).await?.as_ref().map(read).transpose()
            })
        })
        .await
    }

    async fn details(
        &self,
        tenant: TenantId,
        objects: Vec<ObjectId>,
    ) -> Result<Vec<(ObjectId, Json)>, StoreError> {
        self.read("reading details of principals", move |mut c| {
            let objects = objects.clone();
            Box::pin(async move {
                let mut found = Vec::new();
                for object in objects {
                    let sql = "SELECT details FROM principal_details WHERE tenant = $1 AND object = $2";
                    if let Some(row) = c.row(sql, &values![tenant, object]).await? {
                        found.push((object, row.json(0)?));
                    }
                }
                Ok(found)
            })
        })
        .await
    }

    async fn add_described(
        &self,
        principal: Principal,
        details: Details,
        owner: Option<ObjectId>,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((principal, details, record));
        self.write("creating a principal", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let (tenant, object) = (all.0.tenant, all.0.object);
                directory::insert(&mut c, &all.0, &[]).await?;
                write_details(&mut c, tenant, object, &all.1).await?;
                if let Some(owner) = owner {
                    links::add(&mut c, tenant, object, LinkKind::Owner, owner).await?;
                }
                audit::append(&mut c, &all.2).await
            })
        })
        .await
    }

    async fn change_principal(
        &self,
        tenant: TenantId,
        object: ObjectId,
        new: PrincipalChange,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((new, record));
        self.write("changing a principal", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                change(&mut c, tenant, object, &all.0).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
    }

    async fn application(
        &self,
        tenant: TenantId,
        object: ObjectId,
    ) -> Result<Option<Application>, StoreError> {
        applications::by_object(self, tenant, object).await
    }

    async fn application_of_client(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<Application>, StoreError> {
        applications::by_client(self, tenant, client).await
    }

    async fn application_of_uri(
        &self,
        tenant: TenantId,
        uri: String,
    ) -> Result<Option<Application>, StoreError> {
        applications::by_uri(self, tenant, uri).await
    }

    async fn applications(
        &self,
        tenant: TenantId,
        name: NameIs,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Application>, StoreError> {
        applications::list(self, tenant, name, after, limit).await
    }

    async fn add_application(
        &self,
        application: Application,
        owner: Option<ObjectId>,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        applications::add(self, application, owner, record).await
    }

    async fn change_application(
        &self,
        known: Application,
        application: Application,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        applications::change(self, (known, application), record).await
    }

    async fn remove_application(
        &self,
        tenant: TenantId,
        object: ObjectId,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        applications::remove(self, tenant, object, record).await
    }

    async fn linked(
        &self,
        tenant: TenantId,
        holder: ObjectId,
        kind: LinkKind,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<ObjectId>, StoreError> {
        links::linked(self, tenant, holder, kind, after, limit).await
    }

    async fn holders(
        &self,
        tenant: TenantId,
        who: ObjectId,
        kind: LinkKind,
    ) -> Result<Vec<ObjectId>, StoreError> {
        links::holders(self, tenant, who, kind).await
    }

    async fn link(
        &self,
        tenant: TenantId,
        holder: ObjectId,
        kind: LinkKind,
        who: ObjectId,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        links::link(self, tenant, holder, kind, who, record).await
    }

    async fn unlink(
        &self,
        tenant: TenantId,
        holder: ObjectId,
        kind: LinkKind,
        who: ObjectId,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        links::unlink(self, tenant, holder, kind, who, record).await
    }

    async fn memberships_since(
        &self,
        tenant: TenantId,
        since: Revision,
    ) -> Result<(Vec<Membership>, Revision), StoreError> {
        links::since(self, tenant, since).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_should() {
        let holds = |name: &NameIs, text: &str| {
            let (from, to) = range(name);
            from.as_str() <= text && text <= to.as_str()
        };
        assert!(holds(&NameIs::Anything, "") && holds(&NameIs::Anything, "\u{10fffe}x"));
        let start = NameIs::StartsWith("lab".to_owned());
        assert!(holds(&start, "lab") && holds(&start, "lab \u{1f600}") && !holds(&start, "la"));
        assert!(!holds(&NameIs::Equal("lab".to_owned()), "lab1"));
    }
}
