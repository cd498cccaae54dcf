//! The keys of machines: beats, rotation, quarantine.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, ResourceId, TenantId};
use cs_store::{
    AuditRecord, Beat, Beaten, Credential, CredentialKind, MachineKeyRing, MachineKeys, ReplacedKey,
    StoreError,
};
use cs_time::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{audit, directory, resources, revision};
use crate::{Changed, Conn, Row, SqlStore, values};

const FORKED: &str = "two agents use one machine key";

fn read(row: &Row) -> Result<MachineKeys, StoreError> {
    let replaced = row.json(7)?;
    let one = |k: &Json| {
        Some(ReplacedKey {
            thumbprint: k["kid"].as_str()?.to_owned(),
            material: k["key"].as_str()?.as_bytes().to_vec(),
            at: Timestamp::from_micros(k["at"].as_i64()?),
        })
    };
    let quarantined = row.optional(8, |row, at| Ok((row.time(at)?, row.string(9)?)))?;
    Ok(MachineKeys {
        tenant: row.id(0)?,
        client: row.id(1)?,
        generation: row.int(2)?,
        counter: row.optional(3, Row::int)?,
        nonce: row.string(4)?,
        beat: row.optional(5, Row::time)?,
        offered: row.optional(6, Row::string)?,
        replaced: replaced.as_array().map(|all| all.iter().filter_map(one).collect()).unwrap_or_default(),
        quarantined,
    })
}

async fn find(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
) -> Result<Option<MachineKeys>, StoreError> {
    let sql = "SELECT tenant, client, generation, counter, nonce, beat, offered, replaced, quarantined, why
               FROM machine_keys WHERE tenant = $1 AND client = $2";
    c.row(sql, &values![tenant, client]).await?.as_ref().map(read).transpose()
}

async fn find_or_new(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
) -> Result<MachineKeys, StoreError> {
    Ok(find(c, tenant, client).await?.unwrap_or_else(|| MachineKeys::new(tenant, client)))
}

async fn store(c: &mut Conn<'_>, k: &MachineKeys) -> Result<(), StoreError> {
    let one = |r: &ReplacedKey| json!({"kid": r.thumbprint, "key": String::from_utf8_lossy(&r.material), "at": r.at.micros()});
    let replaced = Json::from(k.replaced.iter().map(one).collect::<Vec<_>>()).to_string();
    let why = k.quarantined.as_ref().map(|(_, why)| why.clone()).unwrap_or_default();
    c.run(
        "INSERT INTO machine_keys (tenant, client, generation, counter, nonce, beat, offered, replaced, quarantined, why)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant, client) DO UPDATE SET generation = excluded.generation, counter = excluded.counter,
           nonce = excluded.nonce, beat = excluded.beat, offered = excluded.offered, replaced = excluded.replaced,
           quarantined = excluded.quarantined, why = excluded.why",
        &values![
            k.tenant,
            k.client,
            k.generation,
            k.counter,
            &k.nonce,
            k.beat,
            k.offered.clone(),
            replaced,
            k.quarantined.as_ref().map(|(at, _)| *at),
            why
        ],
    )
    .await
    .map(drop)
}

async fn keys_of(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
) -> Result<Vec<(String, String, Vec<u8>)>, StoreError> {
    let sql = "SELECT id, lookup, material FROM credentials WHERE tenant = $1 AND client = $2 AND kind = $3 ORDER BY id";
    let rows = c.rows(sql, &values![tenant, client, CredentialKind::Key.as_str()]).await?;
    rows.iter().map(|row| Ok((row.string(0)?, row.string(1)?, row.bytes(2)?.to_vec()))).collect()
}

async fn drop_credential(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
    id: &str,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM credentials WHERE tenant = $1 AND client = $2 AND id = $3";
    c.run(sql, &values![tenant, client, id]).await.map(drop)
}

/// The key `new` is the machine's only one from now on, and its resource says so.
async fn move_on(c: &mut Conn<'_>, keys: &mut MachineKeys, new: &Beat) -> Result<(), StoreError> {
    let (tenant, client) = (keys.tenant, keys.client);
    let (mut before, mut public) = (Vec::new(), None);
    for (id, thumbprint, material) in keys_of(c, tenant, client).await? {
        if thumbprint == new.key {
            public = Some(material);
            continue;
        }
        drop_credential(c, tenant, client, &id).await?;
        before.push(ReplacedKey { thumbprint, material, at: new.at });
    }
    keys.move_on(before);
    let public = public.map(|p| String::from_utf8_lossy(&p).into_owned());
    change_resource(c, tenant, client, new.at, |properties| {
        if let Some(public) = &public {
            properties.insert("clientPublicKey".to_owned(), json!(public));
        }
    })
    .await
}

/// Changes what the machine's resource says of itself.
async fn change_resource(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
    at: Timestamp,
    change: impl FnOnce(&mut Map<String, Json>),
) -> Result<(), StoreError> {
    let sql = "SELECT resource FROM principals WHERE tenant = $1 AND client = $2 AND deleted = 0";
    let Some(row) = c.row(sql, &values![tenant, client]).await? else { return Ok(()) };
    let Some(id) = row.optional(0, Row::resource_id)? else { return Ok(()) };
    let Some(found) = resource(c, tenant, &id).await? else { return Ok(()) };
    let mut properties = found.as_object().cloned().unwrap_or_default();
    change(&mut properties);
    let sql = "UPDATE resources SET properties = $3, updated = $4, generation = generation + 1
               WHERE tenant = $1 AND id_key = $2";
    c.run(sql, &values![tenant, id.key(), Json::Object(properties).to_string(), at]).await.map(drop)
}

async fn resource(c: &mut Conn<'_>, tenant: TenantId, id: &ResourceId) -> Result<Option<Json>, StoreError> {
    Ok(resources::find(c, tenant, id).await?.map(|r| r.properties))
}

async fn enable(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
    enabled: bool,
) -> Result<(), StoreError> {
    let sql = "SELECT object FROM principals WHERE tenant = $1 AND client = $2 AND deleted = 0";
    let Some(row) = c.row(sql, &values![tenant, client]).await? else { return Ok(()) };
    let object: ObjectId = row.id(0)?;
    let revision = revision::raise(c, tenant).await?;
    c.run(
        "UPDATE principals SET enabled = $3, revision = $4 WHERE tenant = $1 AND object = $2",
        &values![tenant, object, enabled, revision],
    )
    .await
    .map(drop)
}

async fn close(c: &mut Conn<'_>, keys: &mut MachineKeys, at: Timestamp, why: &str) -> Result<(), StoreError> {
    keys.quarantined = Some((at, why.to_owned()));
    store(c, keys).await?;
    enable(c, keys.tenant, keys.client, false).await?;
    change_resource(c, keys.tenant, keys.client, at, |properties| {
        properties.insert("status".to_owned(), json!("Error"));
        properties.insert("lastStatusChange".to_owned(), json!(at.iso7()));
        let details = json!([{"code": "MachineQuarantined", "message": why}]);
        properties.insert("errorDetails".to_owned(), details);
    })
    .await
}

async fn beat(
    c: &mut Conn<'_>,
    (tenant, client): (TenantId, ClientId),
    beat: &Beat,
    (rotated, forked): (&AuditRecord, &AuditRecord),
    changed: &Changed,
) -> Result<Beaten, StoreError> {
    let mut keys = find_or_new(c, tenant, client).await?;
    if let Some((_, why)) = keys.quarantined {
        return Ok(Beaten::Quarantined { why });
    }
    if !keys.takes(beat) {
        changed.set();
        close(c, &mut keys, beat.at, FORKED).await?;
        audit::append(c, forked).await?;
        return Ok(Beaten::Forked { generation: keys.generation });
    }
    if keys.offered.as_deref() == Some(beat.key.as_str()) {
        changed.set();
        move_on(c, &mut keys, beat).await?;
        audit::append(c, rotated).await?;
    }
    keys.counter = Some(beat.counter);
    keys.nonce.clone_from(&beat.nonce);
    keys.beat = Some(beat.at);
    store(c, &keys).await?;
    Ok(Beaten::Accepted { generation: keys.generation })
}

async fn offer(c: &mut Conn<'_>, key: &Credential, record: &AuditRecord) -> Result<(), StoreError> {
    let mut keys = find_or_new(c, key.tenant, key.client).await?;
    if keys.quarantined.is_some() {
        return Err(StoreError::Conflict("the machine is quarantined, and its key".to_owned()));
    }
    let there = keys_of(c, key.tenant, key.client).await?;
    if there.iter().any(|(_, thumbprint, _)| *thumbprint == key.lookup) {
        return Ok(());
    }
    if let Some((id, ..)) = there.iter().find(|(_, t, _)| keys.offered.as_ref() == Some(t)) {
        drop_credential(c, key.tenant, key.client, id).await?;
    }
    directory::insert_credential(c, key).await?;
    keys.offered = Some(key.lookup.clone());
    store(c, &keys).await?;
    audit::append(c, record).await
}

#[async_trait]
impl MachineKeyRing for SqlStore {
    async fn machine_keys(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<MachineKeys>, StoreError> {
        self.read("reading a machine's keys", move |mut c| {
            Box::pin(async move { find(&mut c, tenant, client).await })
        })
        .await
    }

    async fn beat(
        &self,
        tenant: TenantId,
        client: ClientId,
        sent: Beat,
        rotated: AuditRecord,
        forked: AuditRecord,
    ) -> Result<Beaten, StoreError> {
        let all = Arc::new((sent, rotated, forked));
        // Most beats change nothing but the counter, and a fleet's must not empty what others keep in memory.
        let changed = Changed::default();
        let telling = changed.clone();
        self.write_telling("taking a machine's beat", &changed, move |mut c| {
            let (all, telling) = (Arc::clone(&all), telling.clone());
            Box::pin(async move { beat(&mut c, (tenant, client), &all.0, (&all.1, &all.2), &telling).await })
        })
        .await
    }

    async fn offer_key(&self, key: Credential, record: AuditRecord) -> Result<(), StoreError> {
        let all = Arc::new((key, record));
        self.write_content("adding a machine's key", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move { offer(&mut c, &all.0, &all.1).await })
        })
        .await
    }

    async fn quarantine(
        &self,
        tenant: TenantId,
        client: ClientId,
        why: String,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((why, record));
        self.write("quarantining a machine", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let mut keys = find_or_new(&mut c, tenant, client).await?;
                if keys.quarantined.is_some() {
                    return Ok(false);
                }
                close(&mut c, &mut keys, all.1.time, &all.0).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn release(
        &self,
        tenant: TenantId,
        client: ClientId,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let record = Arc::new(record);
        self.write("releasing a machine", move |mut c| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                let Some(mut keys) = find(&mut c, tenant, client).await?.filter(|k| k.quarantined.is_some())
                else {
                    return Ok(false);
                };
                (keys.quarantined, keys.counter) = (None, None);
                // Somebody has looked: from now on the old keys are refused like any other.
                keys.replaced.clear();
                store(&mut c, &keys).await?;
                enable(&mut c, tenant, client, true).await?;
                change_resource(&mut c, tenant, client, record.time, |properties| {
                    properties.insert("status".to_owned(), json!("Connected"));
                    properties.insert("lastStatusChange".to_owned(), json!(record.time.iso7()));
                    properties.shift_remove("errorDetails");
                })
                .await?;
                audit::append(&mut c, &record).await?;
                Ok(true)
            })
        })
        .await
    }
}
