//! `countersign export`: the lists that `az … list -o json` prints of this site, which `countersign import` reads.
//!
//! az lays the members of `properties` flat for some types; so do these files, so that what is written for az's lists
//! (`jq`, scripts) works on them.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::Path,
    process::ExitCode,
};

use cs_ids::{ObjectId, ResourceId, Scope, TenantId};
use cs_rbac::builtin_roles;
use cs_resources::{GROUPS, IDENTITIES, MACHINES};
use cs_store::{
    AccessRules, Assignment, AssignmentFilter, Assignments, Directory, Part, Resource, ResourceFilter,
    Resources, RoleRow, Subscription,
};
use cs_store_sql::SqlStore;
use serde_json::{Map, Value, json};

use crate::{
    cli::ExportArgs,
    failure::{Attempt, Failure, Kind},
    site::{
        data::{self, write_whole},
        open, seed,
    },
};

/// Rows read at once.
const PAGE: u32 = 1000;

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub async fn export(args: ExportArgs) -> Result<ExitCode, Failure> {
    let directory = data::path_of(args.store.data.data.as_deref())?;
    let store = open::reader(&directory, args.store.database.as_deref()).await?;
    let seed = seed::known(&store).await?.ok_or_else(|| {
        Failure::new(Kind::WrongState, format!("the first start on {} is not over", directory.display()))
    })?;
    std::fs::create_dir_all(&args.folder).attempt(format_args!("making {}", args.folder.display()))?;
    let exporter = Exporter { store: &store, tenant: seed.tenant };
    let subscriptions = store.subscriptions(seed.tenant).await.attempt("reading the subscriptions")?;
    let resources = exporter.resources(&subscriptions).await?;
    let of = |kind: &str, shape: fn(&Resource) -> Value| -> Vec<Value> {
        resources.iter().filter(|r| r.kind.eq_ignore_ascii_case(kind)).map(shape).collect()
    };
    let all = [
        ("accounts", subscriptions.iter().map(account).collect()),
        ("groups", of(GROUPS, group)),
        ("identities", of(IDENTITIES, identity)),
        ("machines", of(MACHINES, machine)),
        ("resources", resources.iter().filter(|r| r.kind != GROUPS).map(resource).collect()),
        ("definitions", exporter.definitions().await?),
        ("assignments", exporter.assignments().await?),
    ];
    for (name, list) in all {
        let file = args.folder.join(format!("{name}.json"));
        write(&file, &list)?;
        println!("{:>6}  {}", list.len(), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, list: &[Value]) -> Result<(), Failure> {
    let mut text = format!("{:#}", json!(list));
    text.push('\n');
    // It names principals and roles: nobody else's business.
    write_whole(file, text.as_bytes(), 0o600)
}

struct Exporter<'s> {
    store: &'s SqlStore,
    tenant: TenantId,
}

impl Exporter<'_> {
    async fn resources(&self, subscriptions: &[Subscription]) -> Result<Vec<Resource>, Failure> {
        let mut all = Vec::new();
        for subscription in subscriptions {
            let mut filter = ResourceFilter {
                subscription: Some(subscription.id),
                limit: PAGE,
                ..ResourceFilter::default()
            };
            loop {
                let page =
                    self.store.resources(self.tenant, filter.clone()).await.attempt("reading resources")?;
                let last = page.len() < PAGE as usize;
                filter.after = page.last().map(|r| r.id.key().to_owned());
                all.extend(page);
                if last {
                    break;
                }
            }
        }
        Ok(all)
    }

    async fn roles(&self) -> Result<Vec<RoleRow>, Failure> {
        self.store.roles(self.tenant).await.attempt("reading the roles")
    }

    /// As `az role definition list --custom-role-only`.
    async fn definitions(&self) -> Result<Vec<Value>, Failure> {
        Ok(self.roles().await?.iter().map(definition).collect())
    }

    /// As `az role assignment list --all`.
    async fn assignments(&self) -> Result<Vec<Value>, Failure> {
        let mut roles: HashMap<String, String> =
            builtin_roles().map(|r| (r.id.to_string(), r.name.to_string())).collect();
        roles.extend(self.roles().await?.into_iter().map(|r| (r.id, r.name)));
        let everywhere =
            AssignmentFilter { scope: Scope::root(), below: true, principals: None, part: Part::WHOLE };
        let rows =
            self.store.assignments(self.tenant, everywhere).await.attempt("reading role assignments")?;
        let mut names: HashMap<ObjectId, String> = HashMap::new();
        for row in &rows {
            if let Entry::Vacant(unknown) = names.entry(row.principal) {
                unknown.insert(self.name_of(row.principal).await?);
            }
        }
        Ok(rows.iter().map(|row| assignment(row, &roles, &names)).collect())
    }

    /// What az prints as `principalName`: of a service principal its client id.
    async fn name_of(&self, principal: ObjectId) -> Result<String, Failure> {
        let found = self.store.principal(self.tenant, principal).await.attempt("reading the directory")?;
        Ok(found.map(|p| p.client.map_or(p.display_name, |c| c.to_string())).unwrap_or_default())
    }
}

fn account(s: &Subscription) -> Value {
    json!({
        "cloudName": "Countersign", "homeTenantId": s.tenant.to_string(), "id": s.id.to_string(), "isDefault": false,
        "managedByTenants": [], "name": s.display_name, "state": "Enabled", "tenantId": s.tenant.to_string(),
    })
}

fn group(r: &Resource) -> Value {
    json!({
        "id": r.id.as_str(), "location": r.location, "managedBy": extra(r, "managedBy"), "name": r.id.name(),
        "properties": {"provisioningState": "Succeeded"}, "tags": tags(r), "type": r.kind,
    })
}

fn identity(r: &Resource) -> Value {
    let mut all = envelope(r);
    all.extend(r.properties.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

fn machine(r: &Resource) -> Value {
    let mut all = envelope(r);
    all.extend(r.properties.as_object().cloned().unwrap_or_default());
    all.insert("identity".to_owned(), extra(r, "identity"));
    all.insert("kind".to_owned(), extra(r, "kind"));
    Value::Object(all)
}

fn resource(r: &Resource) -> Value {
    let mut all = envelope(r);
    for name in ["identity", "kind", "sku", "plan", "managedBy", "extendedLocation"] {
        all.insert(name.to_owned(), extra(r, name));
    }
    all.insert("properties".to_owned(), Value::Null);
    all.insert("provisioningState".to_owned(), json!("Succeeded"));
    all.insert("createdTime".to_owned(), json!(r.created.rfc3339()));
    all.insert("changedTime".to_owned(), json!(r.updated.rfc3339()));
    Value::Object(all)
}

fn envelope(r: &Resource) -> Map<String, Value> {
    let all = json!({
        "id": r.id.as_str(), "name": r.id.name(), "type": r.kind, "location": r.location, "tags": tags(r),
        "resourceGroup": r.id.group(),
    });
    all.as_object().cloned().unwrap_or_default()
}

fn extra(r: &Resource, name: &str) -> Value {
    r.extra.get(name).cloned().unwrap_or_default()
}

fn tags(r: &Resource) -> Value {
    Value::Object(r.tags.iter().map(|(n, v)| (n.clone(), json!(v))).collect())
}

fn definition(r: &RoleRow) -> Value {
    let scope = r.assignable.first().map_or("", |s| s.trim_end_matches('/'));
    json!({
        "assignableScopes": r.assignable, "createdBy": r.created_by.map(|o| o.to_string()), "createdOn": r.created.iso7(),
        "description": r.description, "id": format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{}", r.id),
        "name": r.id, "permissions": r.permissions, "roleName": r.name, "roleType": "CustomRole",
        "type": "Microsoft.Authorization/roleDefinitions", "updatedBy": r.updated_by.map(|o| o.to_string()),
        "updatedOn": r.updated.iso7(),
    })
}

fn assignment(a: &Assignment, roles: &HashMap<String, String>, names: &HashMap<ObjectId, String>) -> Value {
    let base = if a.scope.key() == "/" { "" } else { a.scope.as_str() };
    let id = ResourceId::parse(a.scope.as_str()).ok();
    let subscription =
        id.as_ref().map(|id| format!("/subscriptions/{}", id.subscription())).unwrap_or_default();
    json!({
        "condition": a.condition, "conditionVersion": a.condition_version,
        "createdBy": a.created_by.map(|o| o.to_string()), "createdOn": a.created.iso7(),
        "delegatedManagedIdentityResourceId": null, "description": a.description,
        "id": format!("{base}/providers/Microsoft.Authorization/roleAssignments/{}", a.name), "name": a.name,
        "principalId": a.principal.to_string(), "principalName": names.get(&a.principal),
        "principalType": a.principal_type, "resourceGroup": id.as_ref().and_then(|id| id.group()),
        "roleDefinitionId": format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}", a.role),
        "roleDefinitionName": roles.get(&a.role), "scope": a.scope.as_str(),
        "type": "Microsoft.Authorization/roleAssignments", "updatedBy": a.updated_by.map(|o| o.to_string()),
        "updatedOn": a.updated.iso7(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{DataArgs, ImportArgs, Output, StoreArgs},
        verbs::import::import,
    };

    const NAMES: &[&str] =
        &["accounts", "groups", "identities", "machines", "resources", "definitions", "assignments"];
    const SUBSCRIPTION: &str = "0b1f6471-1bf0-4dda-aec3-cb9272f09590";

    fn site(path: &Path) -> StoreArgs {
        StoreArgs { data: DataArgs { data: Some(path.to_owned()) }, database: None }
    }

    async fn imported(path: &Path, from: &Path) {
        let files = NAMES.iter().map(|n| from.join(format!("{n}.json"))).collect();
        import(ImportArgs { store: site(path), files, dry_run: false, output: Output::Json }).await.unwrap();
    }

    /// What a list holds of the imported subscription.
    fn of(folder: &Path, name: &str) -> Vec<Value> {
        let text = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let all: Vec<Value> = serde_json::from_slice(&text).unwrap();
        all.into_iter().filter(|v| v.to_string().contains(SUBSCRIPTION)).collect()
    }

    #[tokio::test]
    async fn what_was_imported_is_exported_and_makes_the_same_site_again() {
        let dir = tempfile::tempdir().unwrap();
        let azure = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verbs/import/azure");
        let (one, two, a, b) =
            (dir.path().join("1"), dir.path().join("2"), dir.path().join("a"), dir.path().join("b"));
        imported(&one, &azure).await;
        export(ExportArgs { store: site(&one), folder: a.clone() }).await.unwrap();
        imported(&two, &a).await;
        export(ExportArgs { store: site(&two), folder: b.clone() }).await.unwrap();
        for name in NAMES {
            let members = ["id", "principalId", "clientId", "tags", "roleDefinitionId", "location"];
            let seen = |folder| -> Vec<Vec<Value>> {
                of(folder, name).iter().map(|v| members.map(|m| v[m].clone()).to_vec()).collect()
            };
            assert!(!seen(&a).is_empty() && seen(&a) == seen(&b), "{name}: {:?} {:?}", seen(&a), seen(&b));
        }
        let machine = &of(&b, "machines")[0];
        assert_eq!(machine["detectedProperties"]["coreCount"], json!("4"), "what we do not know came along");
        assert_eq!(machine["identity"]["principalId"], json!("d5e1b3f6-6c51-4d2c-8a40-7e6b0f1d5e33"));
    }
}
