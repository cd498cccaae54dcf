//! First start: a tenant, a subscription, a resource group and the operator. Later starts find them.

use cs_ids::{ClientId, CorrelationId, ObjectId, ResourceId, Scope, SubscriptionId, TenantId};
use cs_seal::Key;
use cs_store::{
    Application, Assignment, AuditOutcome, AuditRecord, Credential, CredentialHolder, CredentialKind,
    Planting, Principal, PrincipalKind, Resource, Site, StoreError, Subscription, Tenant,
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

/// What an earlier start made, if one came to its end.
pub async fn known(store: &SqlStore) -> Result<Option<Seed>, Failure> {
    let text = store.setting(SETTING.to_owned()).await.attempt("reading the site's settings")?;
    text.map(|text| serde_json::from_str(&text).attempt("reading the site's settings")).transpose()
}

/// Makes it, in one transaction. The operator's secret is on disk before anybody has it as a credential, so that a crash
/// at any point leaves a directory that starts.
pub async fn plant(
    store: &SqlStore,
    root: &Key,
    data: &DataDirectory,
    clock: &dyn Clock,
    chance: &dyn Chance,
) -> Result<Seed, Failure> {
    let seed = Seed {
        tenant: chance.uuid().into(),
        subscription: chance.uuid().into(),
        operator_client: chance.uuid().into(),
        operator_object: chance.uuid().into(),
    };
    let secret = draw_secret(chance);
    data.write(SECRET_FILE, secret.as_bytes(), 0o600)?;
    let planter = Planter { seed: &seed, now: clock.now(), correlation: chance.uuid().into(), chance };
    let planting = planter.planting(keys::new_tenant_key(root, seed.tenant, chance), &secret)?;
    match store.plant(planting).await {
        Ok(()) => Ok(seed),
        // Another replica on this database was faster; the secret drawn here opens nothing.
        Err(StoreError::Exists(_)) => {
            drop(std::fs::remove_file(secret_file(data)));
            known(store)
                .await?
                .ok_or_else(|| Failure::failed("the first start of another replica is not over"))
        }
        Err(error) => Err(error).attempt("making what the site begins with"),
    }
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
    seed: &'s Seed,
    now: Timestamp,
    correlation: CorrelationId,
    chance: &'s dyn Chance,
}

impl Planter<'_> {
    fn planting(&self, wrapped_key: Vec<u8>, secret: &str) -> Result<Planting, Failure> {
        let Seed { tenant, subscription, .. } = *self.seed;
        let (group, root) = (ResourceId::of_group(subscription, GROUP), Scope::root());
        let audit = vec![
            self.audit(
                "Microsoft.Subscription/subscriptions/write",
                ResourceId::of_subscription(subscription).as_str(),
            ),
            self.audit("Microsoft.Resources/subscriptions/resourceGroups/write", group.as_str()),
            self.audit("microsoft.directory/servicePrincipals/create", "/"),
            self.audit("Microsoft.Authorization/roleAssignments/write", root.as_str()),
        ];
        Ok(Planting {
            tenant: Tenant {
                id: tenant,
                display_name: "Countersign".to_owned(),
                domain: format!("{tenant}.countersign.invalid"),
                wrapped_key,
                created: self.now,
            },
            subscription: Subscription {
                tenant,
                id: subscription,
                display_name: "Countersign".to_owned(),
                tags: Vec::new(),
                created: self.now,
            },
            group: self.group(group),
            operator: self.operator(),
            registration: self.registration(),
            credential: self.credential(secret),
            assignment: self.assignment(root, OWNER),
            done: (
                SETTING.to_owned(),
                serde_json::to_string(self.seed).attempt("writing the site's settings")?,
            ),
            audit,
        })
    }

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

    fn group(&self, id: ResourceId) -> Resource {
        Resource {
            tenant: self.seed.tenant,
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
        }
    }

    fn operator(&self) -> Principal {
        Principal {
            tenant: self.seed.tenant,
            object: self.seed.operator_object,
            kind: PrincipalKind::Application,
            client: Some(self.seed.operator_client),
            display_name: "Countersign operator".to_owned(),
            enabled: true,
            resource: None,
            directory_admin: true,
            created: self.now,
            deleted: false,
            revision: 0,
        }
    }

    fn registration(&self) -> Application {
        Application {
            tenant: self.seed.tenant,
            object: self.chance.uuid().into(),
            client: self.seed.operator_client,
            display_name: "Countersign operator".to_owned(),
            uris: Vec::new(),
            details: serde_json::json!({}),
            created: self.now,
        }
    }

    fn credential(&self, secret: &str) -> Credential {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
        Credential {
            tenant: self.seed.tenant,
            client: self.seed.operator_client,
            holder: CredentialHolder::Application,
            id: self.chance.uuid().to_string(),
            kind: CredentialKind::Secret,
            lookup: secret.chars().take(3).collect(),
            material: digest.as_ref().to_vec(),
            not_before: self.now,
            expires: self.now.plus_seconds(SECRET_DAYS * 86_400),
        }
    }

    fn assignment(&self, scope: Scope, role: &str) -> Assignment {
        Assignment {
            tenant: self.seed.tenant,
            name: self.chance.uuid().to_string(),
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
        }
    }
}
