//! First start: a tenant, a subscription, a resource group and the operator. Later starts find them.

use cs_ids::{ClientId, CorrelationId, ObjectId, ResourceId, Scope, SubscriptionId, TenantId};
use cs_seal::Key;
use cs_store::{
    Assignment, Assignments, AuditOutcome, AuditRecord, Credential, CredentialKind, Directory, Expect,
    Principal, PrincipalKind, Resource, ResourceWrite, Resources, Site, Subscription, Tenant,
};
use cs_store_sql::SqlStore;
use cs_time::{Chance, Clock, Timestamp};
use serde::{Deserialize, Serialize};

use super::{data::DataDirectory, keys};
use crate::failure::{Attempt, Failure};

/// Owner: all management actions and, as in the original, no data actions (rbac.md 11): the operator gives itself
/// a data role where it wants one.
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
/// The operator's secret does not run out before this many days.
const SECRET_DAYS: i64 = 3650;
const SETTING: &str = "embedded";
const SECRET_FILE: &str = "operator.secret";
pub const GROUP: &str = "countersign";
pub const LOCATION: &str = "local";

/// What first start made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seed {
    pub tenant: TenantId,
    pub subscription: SubscriptionId,
    pub operator_client: ClientId,
    pub operator_object: ObjectId,
}

/// Opens what is there, or makes it.
pub async fn plant(
    store: &SqlStore,
    root: &Key,
    data: &DataDirectory,
    clock: &dyn Clock,
    chance: &dyn Chance,
) -> Result<Seed, Failure> {
    if let Some(known) = store.setting(SETTING.to_owned()).await.attempt("reading the site's settings")? {
        return serde_json::from_str(&known).attempt("reading the site's settings");
    }
    let seed = Seed {
        tenant: chance.uuid().into(),
        subscription: chance.uuid().into(),
        operator_client: chance.uuid().into(),
        operator_object: chance.uuid().into(),
    };
    let planter = Planter { store, seed: &seed, now: clock.now(), correlation: chance.uuid().into() };
    planter.tenant(keys::new_tenant_key(root, seed.tenant, chance)).await?;
    planter.subscription().await?;
    let secret = draw_secret(chance);
    data.write(SECRET_FILE, secret.as_bytes(), 0o600)?;
    planter.operator(&secret, chance).await?;
    // Last: until this is there, the next start begins again with new ids.
    let text = serde_json::to_string(&seed).attempt("writing the site's settings")?;
    store.set_setting(SETTING.to_owned(), text).await.attempt("writing the site's settings")?;
    Ok(seed)
}

/// Where the operator's secret is.
pub fn secret_file(data: &DataDirectory) -> std::path::PathBuf {
    data.file(SECRET_FILE)
}

/// 256 bits, base64url.
fn draw_secret(chance: &dyn Chance) -> String {
    let mut bytes = [0; 32];
    chance.fill(&mut bytes);
    cs_jose::encode_url(bytes)
}

struct Planter<'s> {
    store: &'s SqlStore,
    seed: &'s Seed,
    now: Timestamp,
    correlation: CorrelationId,
}

impl Planter<'_> {
    fn audit(&self, action: &str, scope: &str) -> AuditRecord {
        AuditRecord {
            tenant: self.seed.tenant,
            time: self.now,
            correlation: self.correlation,
            caller: None,
            client: None,
            action: action.to_owned(),
            scope: scope.to_owned(),
            outcome: AuditOutcome::Done,
            because: "first start of the site".to_owned(),
        }
    }

    async fn tenant(&self, wrapped_key: Vec<u8>) -> Result<(), Failure> {
        let id = self.seed.tenant;
        let tenant = Tenant {
            id,
            display_name: "Countersign".to_owned(),
            domain: format!("{id}.countersign.invalid"),
            wrapped_key,
            created: self.now,
        };
        self.store.add_tenant(tenant).await.attempt("creating the tenant")
    }

    async fn subscription(&self) -> Result<(), Failure> {
        let Seed { tenant, subscription, .. } = *self.seed;
        let row = Subscription {
            tenant,
            id: subscription,
            display_name: "Countersign".to_owned(),
            tags: Vec::new(),
            created: self.now,
        };
        let scope = ResourceId::of_subscription(subscription);
        let record = self.audit("Microsoft.Subscription/subscriptions/write", scope.as_str());
        self.store.add_subscription(row, record).await.attempt("creating the subscription")?;
        let id = ResourceId::of_group(subscription, GROUP);
        let record = self.audit("Microsoft.Resources/subscriptions/resourceGroups/write", id.as_str());
        let group = Resource {
            tenant,
            id,
            kind: "Microsoft.Resources/resourceGroups".to_owned(),
            location: LOCATION.to_owned(),
            tags: Vec::new(),
            extra: serde_json::json!({}),
            properties: serde_json::json!({}),
            created: self.now,
            updated: self.now,
            created_by: String::new(),
            updated_by: String::new(),
            deleted: None,
            generation: 0,
        };
        let write = ResourceWrite { resource: group, expect: Expect::Absent, host: None, principal: None };
        self.store.put_resource(write, record).await.attempt("creating the resource group").map(drop)
    }

    async fn operator(&self, secret: &str, chance: &dyn Chance) -> Result<(), Failure> {
        let Seed { tenant, operator_client, operator_object, .. } = *self.seed;
        let principal = Principal {
            tenant,
            object: operator_object,
            kind: PrincipalKind::Application,
            client: Some(operator_client),
            display_name: "Countersign operator".to_owned(),
            enabled: true,
            resource: None,
            directory_admin: true,
            created: self.now,
            deleted: false,
            revision: 0,
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
        let credential = Credential {
            tenant,
            client: operator_client,
            id: chance.uuid().to_string(),
            kind: CredentialKind::Secret,
            lookup: secret.chars().take(3).collect(),
            material: digest.as_ref().to_vec(),
            not_before: self.now,
            expires: self.now.plus_seconds(SECRET_DAYS * 86_400),
        };
        let record = self.audit("microsoft.directory/servicePrincipals/create", "/");
        self.store
            .add_principal(principal, vec![credential], record)
            .await
            .attempt("creating the operator")?;
        self.assign(Scope::root(), OWNER, chance).await
    }

    async fn assign(&self, scope: Scope, role: &str, chance: &dyn Chance) -> Result<(), Failure> {
        let record = self.audit("Microsoft.Authorization/roleAssignments/write", scope.as_str());
        let assignment = Assignment {
            tenant: self.seed.tenant,
            name: chance.uuid().to_string(),
            scope,
            role: role.to_owned(),
            principal: self.seed.operator_object,
            principal_type: "ServicePrincipal".to_owned(),
            condition: None,
            condition_version: None,
            description: Some("made at the first start of the site".to_owned()),
            created: self.now,
            updated: self.now,
            created_by: None,
            updated_by: None,
            deleted: false,
            revision: 0,
        };
        self.store.put_assignment(assignment, record).await.attempt("giving the operator its roles").map(drop)
    }
}
