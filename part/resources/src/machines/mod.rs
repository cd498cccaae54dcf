//! Connected machines and the identity each comes with.
//!
//! A machine is created by whoever onboards it, with the public half of a key made on the machine. In the same
//! transaction it gets a principal of its own; from then on the machine signs assertions with its key and needs
//! nobody's password. The key is fixed: a second connect under the same name with another key is refused, because
//! whoever may onboard machines must not be able to take over one that is connected. Delete the machine first.

mod attached;
mod extensions;
mod joining;

use cs_ids::{ClientId, MachineName, ObjectId, ResourceId};
use cs_jose::Jwk;
use cs_rbac::{Allowed, Operation};
use cs_store::{
    AuditRecord, Credential, CredentialHolder, CredentialKind, NewPrincipal, Principal, PrincipalKind,
    Resource,
};
use cs_time::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Input, Manager, Patch, ResourceError, input,
    kinds::{Members, Rules},
    write::Companions,
};

pub use attached::Attachments;
pub use extensions::EXTENSIONS;
pub use joining::JoinText;

/// The type of machines.
pub const MACHINES: &str = "Microsoft.HybridCompute/machines";

/// `properties` that the product says itself, ignored when sent back.
const READ_ONLY: &[&str] = &["provisioningState", "status", "lastStatusChange", "errorDetails", "vmUuid"];

/// Members fixed once they are there.
const CREATE_ONLY: &[&str] = &["vmId"];

/// A public P-256 key as JSON is about 180 bytes.
const PUBLIC_KEY_MAX_BYTES: usize = 2048;

/// A key does not run out by itself: it is replaced by rotation, or goes with its machine.
const NEVER: Timestamp = Timestamp::from_seconds(253_402_300_799);

pub(crate) struct MachineRules<'r> {
    now: Timestamp,
    id: &'r ResourceId,
    principal: Option<&'r Principal>,
    key: Option<&'r Jwk>,
    /// The stored `identity` that `after` was worked out from.
    before: Option<Value>,
    after: Value,
}

impl<'r> MachineRules<'r> {
    /// Of a machine that comes with this principal and without a key.
    pub(crate) fn of_new(now: Timestamp, id: &'r ResourceId, principal: &'r Principal) -> Self {
        let after = identity_of(principal);
        Self { now, id, principal: Some(principal), key: None, before: None, after }
    }
}

impl Rules for MachineRules<'_> {
    const KIND: &'static str = MACHINES;
    const KEEPS_TAGS: bool = true;

    fn members(
        &self,
        known: Option<&Resource>,
        _: &str,
        mut given: Members,
    ) -> Result<Members, ResourceError> {
        if known.and_then(|k| k.extra.get("identity")) != self.before.as_ref() {
            return Err(ResourceError::Busy(Box::new(self.id.clone())));
        }
        given.extra.insert("identity".to_owned(), self.after.clone());
        let asked = input::without_read_only(given.properties, READ_ONLY);
        let properties = match (known.and_then(|k| k.properties.as_object()), self.principal) {
            (Some(old), _) => updated(old, &asked, self.key)?,
            (None, Some(principal)) => connected(&asked, self.now, principal),
            (None, None) => return Err(ResourceError::NoResource(Box::new(self.id.clone()))),
        };
        Ok(Members { properties, ..given })
    }
}

impl Manager {
    /// Connects a machine, or updates one.
    ///
    /// # Errors
    /// [`ResourceError::OtherMachineKey`] when it is there with another key; [`ResourceError::Invalid`] for a key
    /// that is no public P-256 JWK.
    pub async fn put_machine(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
        (identities, may_assign): (&Attachments, &[ResourceId]),
    ) -> Result<(Resource, bool), ResourceError> {
        id.name().parse::<MachineName>()?;
        let key = public_key(&new.properties)?;
        let id = &self.id_in_group(op, id, MACHINES, id.name()).await?;
        let identity = self.identity(op, id, key.as_ref());
        let known = self.at.resources.resource(op.caller.tenant, id.clone()).await?;
        let before = known.and_then(|k| k.extra.get("identity").cloned());
        let own = before.clone().unwrap_or_else(|| identity_of(&identity.principal));
        let after = self.attach(op, &own, identities, may_assign).await?;
        let (principal, key) = (Some(&identity.principal), key.as_ref());
        let rules = MachineRules { now: op.started, id, principal, key, before, after };
        let companions = Companions { principal: Some(identity.clone()), ..Companions::default() };
        self.put(op, allowed, id, new, companions, &rules).await
    }

    /// Changes tags (replaced wholly) and some properties of a machine.
    ///
    /// # Errors
    /// As [`Manager::put_machine`].
    pub async fn patch_machine(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
        (identities, may_assign): (&Attachments, &[ResourceId]),
    ) -> Result<Resource, ResourceError> {
        let before = self.existing(op, id).await?.extra.get("identity").cloned();
        let own = before.clone().unwrap_or_default();
        let after = self.attach(op, &own, identities, may_assign).await?;
        let key = public_key(&patch.properties)?;
        let rules = MachineRules { now: op.started, id, principal: None, key: key.as_ref(), before, after };
        self.patch(op, allowed, id, patch, &rules).await
    }

    /// Removes a resource, with its identity and role assignments. `false` when it was not there.
    pub async fn delete(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
    ) -> Result<bool, ResourceError> {
        Ok(self
            .at
            .resources
            .remove_resource(op.caller.tenant, id.clone(), AuditRecord::done(op, allowed))
            .await?)
    }

    /// Ends a machine's quarantine (C04). `false` when it is in none.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`].
    pub async fn release_machine(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
    ) -> Result<bool, ResourceError> {
        let machine = self.existing(op, id).await?;
        let none = || ResourceError::NoResource(Box::new(id.clone()));
        let object = principal_of(&machine).ok_or_else(none)?;
        let principal = self.at.directory.principal(op.caller.tenant, object).await?;
        let client = principal.and_then(|p| p.client).ok_or_else(none)?;
        let record = AuditRecord::done(op, allowed);
        Ok(self.at.machine_keys.release(op.caller.tenant, client, record).await?)
    }

    fn identity(&self, op: &Operation, id: &ResourceId, key: Option<&Jwk>) -> NewPrincipal {
        // Ids that grow with time: a fleet that comes at once fills the ends of the indexes, not all of their pages.
        let new = || self.at.chance.uuid_at(op.started);
        let client = ClientId::new(new());
        let tenant = op.caller.tenant;
        let principal = Principal {
            tenant,
            object: ObjectId::new(new()),
            kind: PrincipalKind::MachineIdentity,
            client: Some(client),
            display_name: id.name().to_owned(),
            enabled: true,
            resource: Some(id.to_string()),
            directory_admin: false,
            created: op.started,
            deleted: false,
            revision: 0,
        };
        let credentials = key.map(|key| Credential {
            tenant,
            client,
            holder: CredentialHolder::Principal,
            id: new().to_string(),
            kind: CredentialKind::Key,
            lookup: key.thumbprint(),
            material: text_of(key).into_bytes(),
            not_before: op.started,
            expires: NEVER,
        });
        NewPrincipal { principal, credentials: credentials.into_iter().collect() }
    }
}

/// The object id of a machine's identity, from its stored row.
pub fn principal_of(machine: &Resource) -> Option<ObjectId> {
    machine.extra.get("identity")?.get("principalId")?.as_str()?.parse().ok()
}

/// `clientId` is ours: the agent signs its assertions in this name. Clients of the original ignore it.
fn identity_of(p: &Principal) -> Value {
    json!({
        "principalId": p.object.to_string(), "tenantId": p.tenant.to_string(), "type": "SystemAssigned",
        "clientId": p.client.map(|c| c.to_string()).unwrap_or_default()
    })
}

/// Reads `properties.clientPublicKey`. The key is written anew from its coordinates, so that one key has one
/// spelling and one thumbprint.
fn public_key(properties: &Map<String, Value>) -> Result<Option<Jwk>, ResourceError> {
    const NAME: &str = "clientPublicKey";
    let Some(text) = input::text(properties, NAME)?.filter(|t| !t.is_empty()) else { return Ok(None) };
    let bad = || ResourceError::invalid(NAME, "must be a public P-256 key as a JSON Web Key");
    if text.len() > PUBLIC_KEY_MAX_BYTES {
        return Err(bad());
    }
    let jwk: Jwk = serde_json::from_str(text).map_err(|_| bad())?;
    if jwk.kty != "EC" || jwk.public_key().is_none() {
        return Err(bad());
    }
    let part = |p: &Option<String>| p.as_deref().and_then(cs_jose::decode_url).ok_or_else(bad);
    Ok(Some(Jwk::p256(&part(&jwk.x)?, &part(&jwk.y)?)))
}

fn text_of(key: &Jwk) -> String {
    serde_json::to_string(key).unwrap_or_default()
}

/// The properties of a machine that has just been connected.
fn connected(given: &Map<String, Value>, now: Timestamp, identity: &Principal) -> Map<String, Value> {
    let mut all = input::merged(&Map::new(), given);
    let client = identity.client.map(|c| c.to_string()).unwrap_or_default();
    all.insert("provisioningState".to_owned(), json!("Succeeded"));
    all.insert("status".to_owned(), json!("Connected"));
    all.insert("lastStatusChange".to_owned(), json!(now.iso7()));
    all.entry("vmId").or_insert_with(|| json!(client));
    if let Ok(Some(key)) = public_key(given) {
        all.insert("clientPublicKey".to_owned(), json!(text_of(&key)));
    }
    all
}

/// What is there, with what is given laid over it; fixed members must be as they are.
fn updated(
    old: &Map<String, Value>,
    given: &Map<String, Value>,
    key: Option<&Jwk>,
) -> Result<Map<String, Value>, ResourceError> {
    if let Some(key) = key {
        let known = public_key(old)?.map(|k| k.thumbprint());
        if known.as_deref() != Some(key.thumbprint().as_str()) {
            return Err(ResourceError::OtherMachineKey);
        }
    }
    for name in CREATE_ONLY {
        let differs =
            given.get(*name).is_some_and(|v| !v.is_null() && old.get(*name).is_some_and(|o| o != v));
        if differs {
            return Err(ResourceError::invalid(name, "is fixed when the machine is created"));
        }
    }
    let mut given = given.clone();
    given.retain(|name, _| name != "clientPublicKey" && !CREATE_ONLY.contains(&name.as_str()));
    Ok(input::merged(old, &given))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(text: &str) -> Map<String, Value> {
        input::object(&json!({"clientPublicKey": text}))
    }

    #[test]
    fn only_public_p256_keys() {
        for bad in [
            "x",
            "{}",
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        ] {
            assert!(public_key(&with_key(bad)).is_err(), "{bad}");
        }
        assert!(public_key(&Map::new()).unwrap().is_none());
        let good = cs_jose::MachineKey::generate().unwrap().public();
        let read = public_key(&with_key(&text_of(&good))).unwrap().unwrap();
        assert_eq!(read.thumbprint(), good.thumbprint());
    }

    #[test]
    fn c04_another_key_takes_no_machine_over() {
        let key = |k: &cs_jose::MachineKey| k.public();
        let (a, b) = (cs_jose::MachineKey::generate().unwrap(), cs_jose::MachineKey::generate().unwrap());
        let old = with_key(&text_of(&key(&a)));
        assert!(updated(&old, &Map::new(), Some(&key(&a))).is_ok());
        let refused = updated(&old, &Map::new(), Some(&key(&b)));
        assert!(matches!(refused, Err(ResourceError::OtherMachineKey)));
        // A machine that was made without a key gets none by a second write either.
        assert!(updated(&Map::new(), &Map::new(), Some(&key(&b))).is_err());
    }
}
