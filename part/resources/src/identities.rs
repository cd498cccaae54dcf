//! User-assigned identities: a resource and its principal, made and removed together, and attached to machines.

use cs_ids::{ClientId, ObjectId, ResourceId};
use cs_jose::Federation;
use cs_rbac::{Allowed, Operation};
use cs_store::{
    AuditRecord, FederatedCredential, NewPrincipal, Principal, PrincipalKind, Resource, StoreError,
};
use serde_json::{Map, Value, json};

use crate::{
    Input, Manager, Patch, ResourceError, input,
    kinds::{Members, Rules},
    write::Companions,
};

/// The type of user-assigned identities.
pub const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// One identity has at most so many federated credentials (rbac.md 10).
const FEDERATED_MAX: u32 = 20;
/// Said by the product.
const IDS: &[&str] = &["tenantId", "principalId", "clientId"];
const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=128;

/// The ids of an identity's principal never change.
pub(crate) struct IdentityRules {
    of_new: Map<String, Value>,
}

impl IdentityRules {
    pub(crate) fn of_new(principal: &Principal) -> Self {
        Self { of_new: ids_of(principal) }
    }
}

impl Rules for IdentityRules {
    const KIND: &'static str = IDENTITIES;

    fn members(&self, known: Option<&Resource>, _: &str, given: Members) -> Result<Members, ResourceError> {
        let ids = known.and_then(|k| k.properties.as_object()).unwrap_or(&self.of_new);
        let mut properties = input::without_read_only(given.properties, IDS);
        properties.retain(|_, value| !value.is_null());
        properties.entry("isolationScope").or_insert(json!("None"));
        properties.extend(IDS.iter().filter_map(|name| Some(((*name).to_owned(), ids.get(*name)?.clone()))));
        Ok(Members { properties, ..given })
    }
}

impl Manager {
    /// Creates an identity with its principal, or updates one: its ids never change.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`] for the name, [`ResourceError::LocationFixed`], [`ResourceError::BadTags`].
    pub async fn put_identity(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
    ) -> Result<(Resource, bool), ResourceError> {
        check_name(id.name())?;
        let id = self.id_in_group(op, id, IDENTITIES, id.name()).await?;
        let principal = self.identity_principal(op, &id);
        let rules = IdentityRules::of_new(&principal);
        let principal = Some(NewPrincipal { principal, credentials: Vec::new() });
        let companions = Companions { principal, ..Companions::default() };
        self.put(op, allowed, &id, new, companions, &rules).await
    }

    /// Replaces an identity's tags, where given.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`], [`ResourceError::BadTags`].
    pub async fn patch_identity(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
    ) -> Result<Resource, ResourceError> {
        self.patch(op, allowed, id, patch, &IdentityRules { of_new: Map::new() }).await
    }

    /// The federated credentials of an identity, by name.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`].
    pub async fn federated(
        &self,
        op: &Operation,
        identity: &ResourceId,
    ) -> Result<Vec<FederatedCredential>, ResourceError> {
        let client = self.client_of(op, identity).await?;
        Ok(self.at.federated.federated(op.caller.tenant, client).await?)
    }

    /// Creates or changes one; answers it and whether it is new.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`], [`ResourceError::FederatedExists`], [`ResourceError::TooManyFederated`].
    pub async fn put_federated(
        &self,
        op: &Operation,
        allowed: &Allowed,
        identity: &ResourceId,
        (name, trust): (&str, Federation),
    ) -> Result<(FederatedCredential, bool), ResourceError> {
        Federation::check_name(name).map_err(|e| ResourceError::invalid(e.member, e.why))?;
        let client = self.client_of(op, identity).await?;
        let (issuer, subject, audiences) = trust.into_parts();
        let row = FederatedCredential {
            tenant: op.caller.tenant,
            client,
            id: self.at.chance.uuid().to_string(),
            name: name.to_owned(),
            issuer,
            subject,
            audiences,
            description: None,
            created: op.started,
        };
        let record = AuditRecord::done(op, allowed);
        match self.at.federated.put_federated(row, FEDERATED_MAX, record).await {
            Ok(outcome) => Ok(outcome),
            Err(StoreError::Exists(_)) => Err(ResourceError::FederatedExists),
            Err(StoreError::Conflict(_)) => Err(ResourceError::TooManyFederated),
            Err(other) => Err(other.into()),
        }
    }

    /// Takes one away. `false` when it was not there.
    pub async fn remove_federated(
        &self,
        op: &Operation,
        allowed: &Allowed,
        identity: &ResourceId,
        name: &str,
    ) -> Result<bool, ResourceError> {
        let client = self.client_of(op, identity).await?;
        let record = AuditRecord::done(op, allowed);
        Ok(self.at.federated.remove_federated(op.caller.tenant, client, name.to_owned(), record).await?)
    }

    async fn client_of(&self, op: &Operation, identity: &ResourceId) -> Result<ClientId, ResourceError> {
        let found = self.existing(op, identity).await?;
        let client = found.properties.get("clientId").and_then(Value::as_str).and_then(|c| c.parse().ok());
        client.ok_or_else(|| ResourceError::NoResource(Box::new(identity.clone())))
    }

    fn identity_principal(&self, op: &Operation, id: &ResourceId) -> Principal {
        Principal {
            tenant: op.caller.tenant,
            object: ObjectId::new(self.at.chance.uuid()),
            kind: PrincipalKind::UserAssignedIdentity,
            client: Some(ClientId::new(self.at.chance.uuid())),
            display_name: id.name().to_owned(),
            enabled: true,
            resource: Some(id.to_string()),
            directory_admin: false,
            created: op.started,
            deleted: false,
            revision: 0,
        }
    }
}

fn ids_of(p: &Principal) -> Map<String, Value> {
    let client = p.client.map(|c| c.to_string()).unwrap_or_default();
    let values = [p.tenant.to_string(), p.object.to_string(), client];
    IDS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

pub(crate) fn check_name(name: &str) -> Result<(), ResourceError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if begins && NAME_CHARS.contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    let why = "must have 3 to 128 letters, digits, '-' or '_', and begin with a letter or digit";
    Err(ResourceError::invalid("name", why))
}
