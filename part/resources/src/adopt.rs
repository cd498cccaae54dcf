//! Taking over what was made elsewhere, with its ids: how a site starts as the twin of a subscription. What is there
//! already stays as it is.

use cs_ids::{ClientId, MachineName, ObjectId, ResourceId, SubscriptionId};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, NewPrincipal, Principal, PrincipalKind, Resource, StoreError, Subscription};
use serde_json::{Value, json};

use crate::{
    IDENTITIES, Input, MACHINES, Manager, ResourceError,
    identities::{IdentityRules, check_name},
    machines::MachineRules,
    write::Companions,
};

/// Whose ids a resource shall have.
#[derive(Debug, Clone, Copy)]
pub struct KnownIds {
    pub object: ObjectId,
    /// Of a user-assigned identity; lists do not say a machine's.
    pub client: Option<ClientId>,
}

impl Manager {
    /// Takes a subscription over. `false` when it is there.
    ///
    /// # Errors
    /// [`ResourceError::NoSubscription`] when it is another tenant's.
    pub async fn adopt_subscription(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: SubscriptionId,
        display_name: &str,
    ) -> Result<bool, ResourceError> {
        match self.at.resources.subscription(id).await? {
            Some(known) if known.tenant == op.caller.tenant => return Ok(false),
            Some(_) => return Err(ResourceError::NoSubscription(id)),
            None => {}
        }
        let subscription = Subscription {
            tenant: op.caller.tenant,
            id,
            display_name: display_name.chars().filter(|c| !c.is_control()).take(128).collect(),
            tags: Vec::new(),
            created: self.at.clock.now(),
        };
        self.at.resources.add_subscription(subscription, AuditRecord::done(op, allowed)).await?;
        Ok(true)
    }

    /// Takes a user-assigned identity over, which is not there yet.
    ///
    /// # Errors
    /// As [`Manager::put_identity`], and [`ResourceError::PrincipalTaken`].
    pub async fn adopt_identity(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
        known: KnownIds,
    ) -> Result<Resource, ResourceError> {
        check_name(id.name())?;
        let id = self.id_in_group(op, id, IDENTITIES, id.name()).await?;
        let principal = self.known_principal(op, &id, PrincipalKind::UserAssignedIdentity, known);
        let rules = IdentityRules::of_new(&principal);
        let companions = Companions { principal: Some(alone(principal)), ..Companions::default() };
        let written = self.put(op, allowed, &id, new, companions, &rules).await;
        Ok(written.map_err(|e| e.or_taken(|| ResourceError::PrincipalTaken(known.object)))?.0)
    }

    /// Takes a machine over, which is not there yet. It has no key: only its resource and its principal come.
    ///
    /// # Errors
    /// As [`Manager::put_machine`], and [`ResourceError::PrincipalTaken`].
    pub async fn adopt_machine(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        mut new: Input,
        known: KnownIds,
    ) -> Result<Resource, ResourceError> {
        id.name().parse::<MachineName>()?;
        let id = self.id_in_group(op, id, MACHINES, id.name()).await?;
        // Nobody here holds the private half, and a machine without a key is given none later (C04).
        new.properties.shift_remove("clientPublicKey");
        let principal = self.known_principal(op, &id, PrincipalKind::MachineIdentity, known);
        let rules = MachineRules::of_new(op.started, &id, &principal);
        let companions = Companions { principal: Some(alone(principal.clone())), ..Companions::default() };
        let written = self.put(op, allowed, &id, new, companions, &rules).await;
        Ok(written.map_err(|e| e.or_taken(|| ResourceError::PrincipalTaken(known.object)))?.0)
    }

    /// Makes somebody known whom assignments name: with an id and a name, and nothing to sign in with. `false` when
    /// somebody of this id is there.
    pub async fn adopt_principal(
        &self,
        op: &Operation,
        allowed: &Allowed,
        kind: PrincipalKind,
        (object, name): (ObjectId, &str),
    ) -> Result<bool, ResourceError> {
        let tenant = op.caller.tenant;
        if self.at.directory.principal(tenant, object).await?.is_some() {
            return Ok(false);
        }
        let mut principal = self.known_row(op, kind, KnownIds { object, client: None });
        // Lists name a service principal by its client id.
        principal.client = name.parse().ok().filter(|_| kind == PrincipalKind::Application);
        principal.display_name = name.chars().filter(|c| !c.is_control()).take(256).collect();
        match self.at.directory.add_principal(principal, Vec::new(), AuditRecord::done(op, allowed)).await {
            Ok(()) => Ok(true),
            Err(StoreError::Exists(_)) => Err(ResourceError::PrincipalTaken(object)),
            Err(other) => Err(other.into()),
        }
    }

    fn known_principal(
        &self,
        op: &Operation,
        id: &ResourceId,
        kind: PrincipalKind,
        known: KnownIds,
    ) -> Principal {
        let client = known.client.unwrap_or_else(|| ClientId::new(self.at.chance.uuid()));
        Principal {
            client: Some(client),
            display_name: id.name().to_owned(),
            resource: Some(id.to_string()),
            ..self.known_row(op, kind, known)
        }
    }

    fn known_row(&self, op: &Operation, kind: PrincipalKind, known: KnownIds) -> Principal {
        Principal {
            tenant: op.caller.tenant,
            object: known.object,
            kind,
            client: known.client,
            display_name: String::new(),
            enabled: true,
            resource: None,
            directory_admin: false,
            created: op.started,
            deleted: false,
            revision: 0,
        }
    }
}

fn alone(principal: Principal) -> NewPrincipal {
    NewPrincipal { principal, credentials: Vec::new() }
}

/// What a stored identity or machine says of its principal.
pub fn known_object(resource: &Resource) -> Option<ObjectId> {
    let of = |members: &Value| members.get("principalId").and_then(Value::as_str).map(str::to_owned);
    let found = of(&resource.properties).or_else(|| of(resource.extra.get("identity").unwrap_or(&json!({}))));
    found?.parse().ok()
}
