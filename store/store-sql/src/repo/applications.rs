//! Applications.

use std::sync::Arc;

use cs_ids::{ClientId, ObjectId, TenantId};
use cs_store::{Application, AuditRecord, LinkKind, NameIs, StoreError};
use serde_json::Value as Json;

use super::{audit, directory, links, objects::range, revision};
use crate::{Conn, Row, SqlStore, values};

macro_rules! select_applications {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, object, client, display_name, uris, details, created FROM applications ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<Application, StoreError> {
    let uris = row.json(4)?;
    let text = |u: &Json| u.as_str().map(str::to_owned);
    Ok(Application {
        tenant: row.id(0)?,
        object: row.id(1)?,
        client: row.id(2)?,
        display_name: row.string(3)?,
        uris: uris.as_array().map(|all| all.iter().filter_map(text).collect()).unwrap_or_default(),
        details: row.json(5)?,
        created: row.time(6)?,
    })
}

pub(super) async fn by_object(
    store: &SqlStore,
    tenant: TenantId,
    object: ObjectId,
) -> Result<Option<Application>, StoreError> {
    store
        .read("reading an application", move |mut c| {
            Box::pin(async move {
                let sql = select_applications!("WHERE tenant = $1 AND object = $2");
                c.row(sql, &values![tenant, object]).await?.as_ref().map(read).transpose()
            })
        })
        .await
}

pub(super) async fn by_client(
    store: &SqlStore,
    tenant: TenantId,
    client: ClientId,
) -> Result<Option<Application>, StoreError> {
    store
        .read("reading an application", move |mut c| {
            Box::pin(async move {
                let sql = select_applications!("WHERE tenant = $1 AND client = $2");
                c.row(sql, &values![tenant, client]).await?.as_ref().map(read).transpose()
            })
        })
        .await
}

pub(super) async fn by_uri(
    store: &SqlStore,
    tenant: TenantId,
    uri: String,
) -> Result<Option<Application>, StoreError> {
    store
        .read("reading an application", move |mut c| {
            let uri = uri.clone();
            Box::pin(async move {
                let sql = select_applications!(
                    "WHERE tenant = $1 AND object =
                       (SELECT u.object FROM application_uris u WHERE u.tenant = $1 AND u.uri = $2)"
                );
                c.row(sql, &values![tenant, uri]).await?.as_ref().map(read).transpose()
            })
        })
        .await
}

pub(super) async fn list(
    store: &SqlStore,
    tenant: TenantId,
    name: NameIs,
    after: Option<ObjectId>,
    limit: u32,
) -> Result<Vec<Application>, StoreError> {
    store
        .read("listing applications", move |mut c| {
            let (from, to) = range(&name);
            Box::pin(async move {
                let sql = select_applications!(
                    "WHERE tenant = $1 AND name_key >= $2 AND name_key <= $3 AND object > $4
                     ORDER BY object LIMIT $5"
                );
                let after = after.map(|o| o.to_string()).unwrap_or_default();
                c.rows(sql, &values![tenant, from, to, after, limit]).await?.iter().map(read).collect()
            })
        })
        .await
}

pub(super) async fn add(
    store: &SqlStore,
    application: Application,
    owner: Option<ObjectId>,
    record: AuditRecord,
) -> Result<(), StoreError> {
    let all = Arc::new((application, record));
    store
        .write("creating an application", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let a = &all.0;
                insert(&mut c, a).await?;
                if let Some(owner) = owner {
                    links::add(&mut c, a.tenant, a.object, LinkKind::Owner, owner).await?;
                }
                audit::append(&mut c, &all.1).await
            })
        })
        .await
}

/// Inserts an application in the running transaction.
pub(super) async fn insert(c: &mut Conn<'_>, a: &Application) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO applications (tenant, object, client, display_name, name_key, uris, details, created)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &values![
            a.tenant,
            a.object,
            a.client,
            &a.display_name,
            a.display_name.to_lowercase(),
            Json::from(a.uris.clone()).to_string(),
            a.details.to_string(),
            a.created
        ],
    )
    .await?;
    add_uris(c, a).await
}

async fn add_uris(c: &mut Conn<'_>, a: &Application) -> Result<(), StoreError> {
    for uri in &a.uris {
        let sql = "INSERT INTO application_uris (tenant, uri, object) VALUES ($1, $2, $3)";
        c.run(sql, &values![a.tenant, uri, a.object]).await?;
    }
    Ok(())
}

pub(super) async fn change(
    store: &SqlStore,
    (known, application): (Application, Application),
    record: AuditRecord,
) -> Result<(), StoreError> {
    let all = Arc::new((application, record, known));
    store
        .write("changing an application", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let a = &all.0;
                let sql = select_applications!("WHERE tenant = $1 AND object = $2");
                let found = c.row(sql, &values![a.tenant, a.object]).await?.as_ref().map(read).transpose()?;
                match found {
                    None => return Err(StoreError::Missing("application".to_owned())),
                    Some(found) if found != all.2 => {
                        return Err(StoreError::Conflict("the application".to_owned()));
                    }
                    Some(_) => {}
                }
                c.run(
                    "UPDATE applications SET display_name = $3, name_key = $4, uris = $5, details = $6
                     WHERE tenant = $1 AND object = $2",
                    &values![
                        a.tenant,
                        a.object,
                        &a.display_name,
                        a.display_name.to_lowercase(),
                        Json::from(a.uris.clone()).to_string(),
                        a.details.to_string()
                    ],
                )
                .await?;
                let sql = "DELETE FROM application_uris WHERE tenant = $1 AND object = $2";
                c.run(sql, &values![a.tenant, a.object]).await?;
                add_uris(&mut c, a).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
}

/// What goes with an application, by its object and by its client.
const OF_OBJECT: &[&str] = &[
    "DELETE FROM application_uris WHERE tenant = $1 AND object = $2",
    "DELETE FROM applications WHERE tenant = $1 AND object = $2",
];
const OF_CLIENT: &[&str] = &[
    "DELETE FROM credentials WHERE tenant = $1 AND client = $2",
    "DELETE FROM federated_credentials WHERE tenant = $1 AND client = $2",
];

pub(super) async fn remove(
    store: &SqlStore,
    tenant: TenantId,
    object: ObjectId,
    record: AuditRecord,
) -> Result<bool, StoreError> {
    let record = Arc::new(record);
    store
        .write("removing an application", move |mut c| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                let sql = select_applications!("WHERE tenant = $1 AND object = $2");
                let Some(found) = c.row(sql, &values![tenant, object]).await? else { return Ok(false) };
                let found = read(&found)?;
                for statement in OF_OBJECT {
                    c.run(statement, &values![tenant, object]).await?;
                }
                for statement in OF_CLIENT {
                    c.run(statement, &values![tenant, found.client]).await?;
                }
                let raised = revision::raise(&mut c, tenant).await?;
                let owners = "UPDATE links SET deleted = 1, revision = $3 WHERE tenant = $1 AND holder = $2";
                c.run(owners, &values![tenant, object, raised]).await?;
                let sql = "SELECT object FROM principals WHERE tenant = $1 AND client = $2 AND deleted = 0";
                if let Some(acting) = c.row(sql, &values![tenant, found.client]).await? {
                    directory::bury(&mut c, tenant, acting.id(0)?).await?;
                }
                audit::append(&mut c, &record).await?;
                Ok(true)
            })
        })
        .await
}
