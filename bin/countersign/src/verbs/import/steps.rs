//! What is done with each kind of element.

use std::collections::BTreeSet;

use cs_ids::{ObjectId, ResourceId, Scope, SubscriptionId};
use cs_rbac::{Allowed, Caller, Operation, PermissionText, RoleId};
use cs_resources::{
    ACCOUNTS, AssignmentInput, Existing, IDENTITIES, Input, KnownIds, MACHINES, Manager, PrincipalKind,
    ResourceError, RoleInput, SERVERS, VAULTS, VaultOptions, known_object, role_guid,
};
use cs_store::StoreError;
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use serde_json::{Value, json};

use super::{
    Line, Outcome,
    element::{Element, Phase},
};
use crate::{
    failure::{Attempt, Failure},
    site::{compose::Site, seed::Seed},
};

const REASON: &str = "import";

pub struct Importer<'s> {
    manager: &'s Manager,
    op: Operation,
    subscriptions: BTreeSet<SubscriptionId>,
    lines: Vec<Line>,
}

/// What came of one, with what did not come along.
type Came = (Outcome, Option<&'static str>);

impl<'s> Importer<'s> {
    pub fn new(site: &'s Site, seed: &Seed) -> Self {
        let caller = Caller {
            tenant: seed.tenant,
            object: seed.operator_object,
            client: seed.operator_client,
            issuer: String::new(),
        };
        let op = Operation::new(caller, MachineChance.uuid().into(), MachineClock.now());
        Self { manager: site.manager(), op, subscriptions: BTreeSet::new(), lines: Vec::new() }
    }

    pub fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    /// Takes one over, or says why not. Only a store that fails ends it.
    pub async fn take(&mut self, element: &Element) -> Result<(), Failure> {
        if let Some(why) = element.wrong() {
            let outcome = Outcome::Skipped(why);
            self.lines.push(Line { what: "resource", id: element.shown(), outcome, note: None });
            return Ok(());
        }
        if let Some(id) = element.id().filter(|_| element.phase() != Phase::Subscription) {
            self.subscription(id.subscription(), None).await?;
        }
        let came = match element.phase() {
            Phase::Subscription => return self.account(element).await,
            Phase::Group => ("group", self.group(element).await),
            Phase::Identity => ("identity", self.identity(element).await),
            Phase::Machine => ("machine", self.machine(element).await),
            Phase::Resource => ("resource", self.resource(element).await),
            Phase::Definition => ("role", self.definition(element).await),
            Phase::Assignment => ("assignment", self.assignment(element).await),
        };
        let (what, came) = came;
        let (outcome, note) = or_skipped(came)?;
        self.lines.push(Line { what, id: element.shown(), outcome, note });
        Ok(())
    }

    async fn account(&mut self, element: &Element) -> Result<(), Failure> {
        let id = element.text("subscriptionId").or_else(|| element.text("id")).unwrap_or_default();
        match id.rsplit('/').next().unwrap_or_default().parse() {
            Ok(id) => {
                self.subscription(id, element.text("displayName").or_else(|| element.text("name"))).await
            }
            Err(_) => {
                let outcome = Outcome::Skipped("its id is no subscription's".to_owned());
                self.lines.push(Line { what: "subscription", id: element.shown(), outcome, note: None });
                Ok(())
            }
        }
    }

    /// The subscription that something lies in: taken over at its first mention.
    async fn subscription(&mut self, id: SubscriptionId, name: Option<&str>) -> Result<(), Failure> {
        if !self.subscriptions.insert(id) {
            return Ok(());
        }
        let scope = ResourceId::of_subscription(id);
        let name = name.map_or_else(|| id.to_string(), str::to_owned);
        let made = self.manager.adopt_subscription(&self.op, &by_us(scope.scope()), id, &name).await;
        let came = made.map(|new| if new { Outcome::Made } else { Outcome::There });
        let (outcome, note) = or_skipped(came.map(|o| (o, None)))?;
        self.lines.push(Line { what: "subscription", id: scope.to_string(), outcome, note });
        Ok(())
    }

    async fn group(&self, element: &Element) -> Result<Came, ResourceError> {
        let Some(id) = element.id().filter(|id| id.kind().is_none()) else { return Ok(no_id()) };
        if self.manager.is_there(&self.op, &id).await? {
            return Ok((Outcome::There, None));
        }
        self.manager.put_group(&self.op, &by_us(id.scope()), &id, input(element)).await?;
        Ok((Outcome::Made, None))
    }

    async fn identity(&self, element: &Element) -> Result<Came, ResourceError> {
        let Some(id) = element.id().filter(|id| id.kind().is_some_and(|k| k.is(IDENTITIES))) else {
            return Ok(no_id());
        };
        let (object, client) = (element.text("principalId"), element.text("clientId"));
        let (Some(object), Some(client)) =
            (object.and_then(|o| o.parse().ok()), client.and_then(|c| c.parse().ok()))
        else {
            return Ok(skipped("the list does not say its principal: az identity list does"));
        };
        if let Some(there) = self.there(&id, object).await? {
            return Ok((there, None));
        }
        let known = KnownIds { object, client: Some(client) };
        self.manager.adopt_identity(&self.op, &by_us(id.scope()), &id, input(element), known).await?;
        Ok((Outcome::Made, Some("its federated credentials are in no such list")))
    }

    async fn machine(&self, element: &Element) -> Result<Came, ResourceError> {
        let Some(id) = element.id().filter(|id| id.kind().is_some_and(|k| k.is(MACHINES))) else {
            return Ok(no_id());
        };
        let object = element.object("identity").and_then(|i| i.get("principalId")).and_then(Value::as_str);
        let Some(object) = object.and_then(|o| o.parse().ok()) else {
            return Ok(skipped("the list does not say its principal, or it has none"));
        };
        if let Some(there) = self.there(&id, object).await? {
            return Ok((there, None));
        }
        let known = KnownIds { object, client: None };
        let new = Input { properties: element.properties(), ..input(element) };
        self.manager.adopt_machine(&self.op, &by_us(id.scope()), &id, new, known).await?;
        Ok((Outcome::Made, Some("without a key: to connect it, delete it first")))
    }

    /// What stands at the id, if anything does: the same, or somebody else.
    async fn there(&self, id: &ResourceId, object: ObjectId) -> Result<Option<Outcome>, ResourceError> {
        if !self.manager.is_there(&self.op, id).await? {
            return Ok(None);
        }
        let found = known_object(&self.manager.existing(&self.op, id).await?);
        Ok(Some(if found == Some(object) {
            Outcome::There
        } else {
            Outcome::Skipped("one of this name is there, with another principal".to_owned())
        }))
    }

    async fn resource(&self, element: &Element) -> Result<Came, ResourceError> {
        let Some(id) = element.id().filter(|id| id.kind().is_some()) else { return Ok(no_id()) };
        let is = |kind: &str| id.kind().is_some_and(|k| k.is(kind));
        if ![VAULTS, ACCOUNTS, SERVERS].iter().any(|kind| is(kind)) {
            return Ok(skipped("this site has no such type, or the list says too little of it"));
        }
        if self.manager.is_there(&self.op, &id).await? {
            return Ok((Outcome::There, None));
        }
        let (op, allowed) = (&self.op, &by_us(id.scope()));
        let mut new = Input { properties: element.properties(), extra: element.extra(), ..input(element) };
        // Lists say neither what is inside nor the settings: what is not said gets what new ones get.
        new.properties.retain(|name, _| name != "provisioningState");
        if is(VAULTS) {
            new.properties.insert("tenantId".to_owned(), json!(self.op.caller.tenant.to_string()));
            let options = VaultOptions { roles_by_default: true, may_assign_roles: Some(by_us(id.scope())) };
            self.manager.put_vault(op, allowed, &id, new, options).await?;
        } else if is(ACCOUNTS) {
            self.manager.put_account(op, allowed, &id, new).await?;
        } else {
            self.manager.put_server(op, allowed, &id, new).await?;
        }
        Ok((Outcome::Made, Some("empty: lists hold no content")))
    }

    async fn definition(&self, element: &Element) -> Result<Came, ResourceError> {
        let name = element.text("name").unwrap_or_default();
        let Ok(id) = name.parse::<RoleId>() else { return Ok(no_id()) };
        let kind = element.text("roleType").unwrap_or("CustomRole");
        if self.manager.role(&self.op, &id).await?.is_some() {
            return Ok((Outcome::There, None));
        }
        if !kind.eq_ignore_ascii_case("CustomRole") {
            return Ok(skipped("a built-in role that this site does not have"));
        }
        let list = |name: &str| element.get(name).cloned().unwrap_or_else(|| json!([]));
        let Ok(permissions) = serde_json::from_value::<Vec<PermissionText>>(bare(list("permissions"))) else {
            return Ok(skipped("its permissions cannot be read"));
        };
        let assignable: Vec<String> = serde_json::from_value(list("assignableScopes")).unwrap_or_default();
        self.manager.assignable_scopes(&self.op, &assignable).await?;
        let new = RoleInput {
            name: element.text("roleName").unwrap_or_default().to_owned(),
            description: element.text("description").unwrap_or_default().to_owned(),
            permissions,
            assignable,
        };
        self.manager.put_role(&self.op, &by_us(&Scope::root()), &id, new).await?;
        Ok((Outcome::Made, None))
    }

    async fn assignment(&self, element: &Element) -> Result<Came, ResourceError> {
        let (Some(name), Some(scope), Some(role)) =
            (element.text("name"), element.text("scope"), element.text("roleDefinitionId"))
        else {
            return Ok(no_id());
        };
        let principal = element.text("principalId").and_then(|p| p.parse::<ObjectId>().ok());
        let (Some(principal), Ok(scope)) = (principal, Scope::parse(scope)) else { return Ok(no_id()) };
        if role_guid(role).is_none() {
            return Ok(skipped("its role has no id"));
        }
        let kind = match element.text("principalType") {
            Some("User") => Some(PrincipalKind::User),
            Some("Group") => Some(PrincipalKind::Group),
            Some("ServicePrincipal") => Some(PrincipalKind::Application),
            _ => None,
        };
        self.manager.scope_exists(&self.op, &scope).await?;
        let called = element.text("principalName").map_or_else(|| principal.to_string(), str::to_owned);
        let mut stranger = false;
        if let Some(kind) = kind {
            let allowed = by_us(&Scope::root());
            stranger = self.manager.adopt_principal(&self.op, &allowed, kind, (principal, &called)).await?;
        }
        let new = AssignmentInput {
            role: role.to_owned(),
            principal,
            principal_type: None,
            condition: element.text("condition").map(str::to_owned),
            condition_version: element.text("conditionVersion").map(str::to_owned),
            description: element.text("description").map(str::to_owned),
        };
        let put = self.manager.put_assignment(&self.op, &by_us(&scope), &scope, name, new).await;
        let note = stranger.then_some("its principal is known by name only, and has nothing to sign in with");
        match put {
            Ok((_, Existing::New)) => Ok((Outcome::Made, note)),
            Ok((_, Existing::Updated)) => Ok((Outcome::There, None)),
            Err(ResourceError::AssignmentExists(_)) => {
                Ok(skipped("the same grant is there under another name"))
            }
            Err(other) => Err(other),
        }
    }
}

fn by_us(scope: &Scope) -> Allowed {
    Allowed::by_the_site(REASON, scope.clone())
}

fn input(element: &Element) -> Input {
    Input { location: element.text("location").map(str::to_owned), tags: element.tags(), ..Input::default() }
}

/// az prints nulls for what is not said.
fn bare(mut permissions: Value) -> Value {
    for block in permissions.as_array_mut().into_iter().flatten() {
        if let Some(members) = block.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
    }
    permissions
}

fn no_id() -> Came {
    skipped("it has no id of its kind")
}

fn skipped(why: &str) -> Came {
    (Outcome::Skipped(why.to_owned()), None)
}

/// A refusal is what becomes of one element; a store that fails is the end.
fn or_skipped(came: Result<Came, ResourceError>) -> Result<Came, Failure> {
    match came {
        Err(ResourceError::Store(store @ (StoreError::Unavailable { .. } | StoreError::Full { .. }))) => {
            Err(store).attempt("importing")
        }
        Err(refused) => Ok((Outcome::Skipped(refused.to_string()), None)),
        Ok(came) => Ok(came),
    }
}
