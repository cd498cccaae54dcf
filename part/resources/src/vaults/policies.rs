//! Access policies of a vault, as its resource holds them.

use cs_ids::TenantId;
use cs_rbac::{ObjectKind, known_permissions};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::ResourceError;

/// Entries of one vault at most.
const POLICIES_MAX: usize = 1024;

const NAME: &str = "accessPolicies";

const KINDS: [ObjectKind; 4] =
    [ObjectKind::Keys, ObjectKind::Secrets, ObjectKind::Certificates, ObjectKind::Storage];

/// How `…/accessPolicies/{kind}` changes the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyChange {
    /// Adds permissions to the entries of the same holders.
    Add,
    /// The entries of the same holders become these.
    Replace,
    /// Takes permissions away; an entry without any goes.
    Remove,
}

impl PolicyChange {
    /// Without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        [("add", Self::Add), ("replace", Self::Replace), ("remove", Self::Remove)]
            .into_iter()
            .find_map(|(name, change)| name.eq_ignore_ascii_case(text).then_some(change))
    }
}

/// One entry: who, and the permissions of each collection.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    tenant: String,
    object: String,
    application: Option<String>,
    permissions: [Option<Vec<String>>; 4],
}

impl Entry {
    fn same_holder(&self, other: &Self) -> bool {
        self.object == other.object && self.application == other.application
    }

    fn is_empty(&self) -> bool {
        self.permissions.iter().flatten().all(Vec::is_empty)
    }

    fn json(&self) -> Value {
        let mut permissions = Map::new();
        for (kind, list) in KINDS.iter().zip(&self.permissions) {
            if let Some(list) = list {
                permissions.insert(kind.as_str().to_owned(), json!(list));
            }
        }
        let mut entry = Map::new();
        entry.insert("tenantId".to_owned(), json!(self.tenant));
        entry.insert("objectId".to_owned(), json!(self.object));
        if let Some(application) = &self.application {
            entry.insert("applicationId".to_owned(), json!(application));
        }
        entry.insert("permissions".to_owned(), Value::Object(permissions));
        Value::Object(entry)
    }
}

/// Reads and tidies a list: ids in lower case, one entry a holder (the last wins), known permissions only.
pub(crate) fn tidy(list: &Value, tenant: TenantId) -> Result<Value, ResourceError> {
    let mut all: Vec<Entry> = Vec::new();
    for entry in read(list, tenant)? {
        match all.iter_mut().find(|e| e.same_holder(&entry)) {
            Some(known) => *known = entry,
            None => all.push(entry),
        }
    }
    write(all)
}

/// Applies a change to a stored list.
pub(crate) fn changed(
    old: &Value,
    change: PolicyChange,
    given: &Value,
    tenant: TenantId,
) -> Result<Value, ResourceError> {
    let mut all = read(old, tenant)?;
    for entry in read(given, tenant)? {
        let known = all.iter().position(|e| e.same_holder(&entry));
        match (change, known) {
            (PolicyChange::Add | PolicyChange::Replace, None) => all.push(entry),
            (PolicyChange::Replace, Some(at)) => all[at] = entry,
            (PolicyChange::Add, Some(at)) => {
                for (have, more) in all[at].permissions.iter_mut().zip(entry.permissions) {
                    let have = have.get_or_insert_default();
                    have.extend(without(more.unwrap_or_default(), have));
                }
            }
            (PolicyChange::Remove, Some(at)) => {
                for (have, less) in all[at].permissions.iter_mut().zip(entry.permissions) {
                    let less = less.unwrap_or_default();
                    *have = have.take().map(|have| without(have, &less));
                }
                if all[at].is_empty() {
                    all.remove(at);
                }
            }
            (PolicyChange::Remove, None) => {}
        }
    }
    write(all)
}

fn without(list: Vec<String>, less: &[String]) -> Vec<String> {
    list.into_iter().filter(|p| !less.iter().any(|l| l.eq_ignore_ascii_case(p))).collect()
}

fn write(all: Vec<Entry>) -> Result<Value, ResourceError> {
    if all.len() > POLICIES_MAX {
        return Err(ResourceError::invalid(NAME, format!("may have at most {POLICIES_MAX} entries")));
    }
    Ok(all.iter().map(Entry::json).collect())
}

fn read(list: &Value, tenant: TenantId) -> Result<Vec<Entry>, ResourceError> {
    let bad = |why: &str| ResourceError::invalid(NAME, why);
    let entries = list.as_array().ok_or_else(|| bad("must be a list"))?;
    if entries.len() > 4 * POLICIES_MAX {
        return Err(bad("has too many entries"));
    }
    entries.iter().map(|entry| read_entry(entry, tenant)).collect()
}

fn read_entry(entry: &Value, tenant: TenantId) -> Result<Entry, ResourceError> {
    let bad = |why: String| ResourceError::invalid(NAME, why);
    let id = |name: &str| match entry.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() == 36 => {
            let uuid =
                Uuid::try_parse(text).map_err(|_| bad(format!("has an entry whose {name} is no GUID")))?;
            Ok(Some(uuid.to_string()))
        }
        Some(_) => Err(bad(format!("has an entry whose {name} is no GUID"))),
    };
    if id("tenantId")?.is_some_and(|t| t != tenant.to_string()) {
        return Err(bad("has an entry of another tenant".to_owned()));
    }
    let object = id("objectId")?.ok_or_else(|| bad("has an entry without objectId".to_owned()))?;
    let mut permissions = [const { None }; 4];
    for (kind, slot) in KINDS.iter().zip(&mut permissions) {
        *slot = match entry.get("permissions").and_then(|p| p.get(kind.as_str())) {
            None | Some(Value::Null) => None,
            Some(list) => Some(read_permissions(*kind, list)?),
        };
    }
    Ok(Entry { tenant: tenant.to_string(), object, application: id("applicationId")?, permissions })
}

fn read_permissions(kind: ObjectKind, list: &Value) -> Result<Vec<String>, ResourceError> {
    let bad = |why: String| ResourceError::invalid(NAME, why);
    let list = list.as_array().ok_or_else(|| bad(format!("has {kind} permissions that are no list")))?;
    let mut all: Vec<String> = Vec::new();
    for permission in list {
        let text = permission.as_str().unwrap_or_default();
        let known = known_permissions(kind).iter().any(|k| k.eq_ignore_ascii_case(text));
        if !known {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(bad(format!("has the unknown {kind} permission '{shown}'")));
        }
        if !all.iter().any(|p| p.eq_ignore_ascii_case(text)) {
            all.push(text.to_owned());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> TenantId {
        "11111111-2222-3333-4444-555555555555".parse().unwrap()
    }

    const A: &str = "AAAAAAAA-0000-0000-0000-000000000001";

    fn entry(object: &str, secrets: &[&str]) -> Value {
        json!({"tenantId": tenant().to_string(), "objectId": object, "permissions": {"secrets": secrets}})
    }

    #[test]
    fn the_last_entry_of_a_holder_wins() {
        let all = tidy(&json!([entry(A, &["get"]), entry(&A.to_lowercase(), &["List", "list"])]), tenant())
            .unwrap();
        assert_eq!(all, json!([entry(&A.to_lowercase(), &["List"])]));
    }

    #[test]
    fn add_replace_remove() {
        let old = json!([entry(A, &["get"])]);
        let apply =
            |change, secrets: &[&str]| changed(&old, change, &json!([entry(A, secrets)]), tenant()).unwrap();
        let of = |list: &Value| list[0]["permissions"]["secrets"].clone();
        assert_eq!(of(&apply(PolicyChange::Add, &["list", "GET"])), json!(["get", "list"]));
        assert_eq!(of(&apply(PolicyChange::Replace, &["set"])), json!(["set"]));
        assert_eq!(apply(PolicyChange::Remove, &["Get"]), json!([]));
        assert_eq!(of(&apply(PolicyChange::Remove, &["set"])), json!(["get"]));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in [
            json!({}),
            json!([{}]),
            json!([entry("x", &[])]),
            json!([entry(A, &["fly"])]),
            json!([{"objectId": A, "tenantId": "11111111-2222-3333-4444-555555555556", "permissions": {}}]),
            json!([{"objectId": A, "permissions": {"keys": "all"}}]),
        ] {
            assert!(tidy(&bad, tenant()).is_err(), "{bad}");
        }
        let many: Vec<Value> =
            (0..1025).map(|n| entry(&format!("aaaaaaaa-0000-0000-0000-{n:012}"), &["get"])).collect();
        assert!(tidy(&json!(many), tenant()).is_err());
        assert!(tidy(&json!(many[..1024]), tenant()).is_ok());
    }
}
