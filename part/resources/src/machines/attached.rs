//! Which user-assigned identities a machine may act as: the `identity` member of its resource.

use cs_ids::ResourceId;
use cs_rbac::Operation;
use serde_json::{Map, Value, json};

use crate::{IDENTITIES, Manager, ResourceError};

/// More than anybody attaches to one machine.
const ATTACHED_MAX: usize = 100;
const MAP: &str = "userAssignedIdentities";

/// What a write says about the identities of a machine.
#[derive(Debug, Clone, Default)]
pub struct Attachments {
    /// `None` leaves them as they are.
    change: Option<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    /// These and no others.
    All(Vec<ResourceId>),
    /// These more (`true`), these less.
    Some(Vec<(ResourceId, bool)>),
}

impl Attachments {
    /// Reads the `identity` member of a PUT (`whole`) or PATCH.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`].
    pub fn read(identity: Option<&Value>, whole: bool) -> Result<Self, ResourceError> {
        let bad = |why: &str| ResourceError::invalid("identity", why.to_owned());
        let Some(identity) = identity.filter(|i| !i.is_null()) else { return Ok(Self::default()) };
        let members = identity.as_object().ok_or_else(|| bad("must be an object"))?;
        let kind = match members.get("type") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(kind)) => kind.to_lowercase().replace(' ', ""),
            Some(_) => return Err(bad("must have a 'type' that is text")),
        };
        let with_users = match kind.as_str() {
            "" => members.contains_key(MAP),
            "systemassigned" => false,
            "userassigned" | "systemassigned,userassigned" => true,
            _ => return Err(bad("must be of type SystemAssigned or 'SystemAssigned, UserAssigned'")),
        };
        if !with_users {
            return Ok(Self { change: (!kind.is_empty()).then(|| Change::All(Vec::new())) });
        }
        let none = Map::new();
        let map = match members.get(MAP) {
            None | Some(Value::Null) => &none,
            Some(Value::Object(map)) => map,
            Some(_) => return Err(bad("must have 'userAssignedIdentities' that are an object")),
        };
        if map.len() > ATTACHED_MAX {
            return Err(bad("may name at most 100 user-assigned identities"));
        }
        let mut named = Vec::new();
        for (id, value) in map {
            let id = ResourceId::parse(id).ok().filter(|id| id.kind().is_some_and(|k| k.is(IDENTITIES)));
            let id = id.ok_or_else(|| bad("names something that is no user-assigned identity"))?;
            named.push((id, !value.is_null()));
        }
        let change = if whole {
            Change::All(named.into_iter().filter(|(_, keep)| *keep).map(|(id, _)| id).collect())
        } else {
            Change::Some(named)
        };
        Ok(Self { change: Some(change) })
    }

    /// All that a write wants to be attached.
    pub fn wanted(&self) -> Vec<&ResourceId> {
        match &self.change {
            None => Vec::new(),
            Some(Change::All(all)) => all.iter().collect(),
            Some(Change::Some(some)) => some.iter().filter(|(_, keep)| *keep).map(|(id, _)| id).collect(),
        }
    }

    /// The ids that are attached afterwards, as they were written first.
    fn after(&self, before: Vec<ResourceId>) -> Vec<ResourceId> {
        let mut all = match &self.change {
            None => return before,
            Some(Change::All(all)) => return all.clone(),
            Some(Change::Some(_)) => before,
        };
        if let Some(Change::Some(some)) = &self.change {
            for (id, keep) in some {
                let there = all.iter().position(|known| known == id);
                match (keep, there) {
                    (true, None) => all.push(id.clone()),
                    (false, Some(at)) => drop(all.remove(at)),
                    _ => {}
                }
            }
        }
        all
    }
}

/// What is attached, from the stored `identity`.
pub(crate) fn attached(identity: &Value) -> Vec<ResourceId> {
    let map = identity.get(MAP).and_then(Value::as_object);
    map.map(|map| map.keys().filter_map(|id| ResourceId::parse(id).ok()).collect()).unwrap_or_default()
}

impl Manager {
    /// The stored `identity` of a machine after a write. `may_assign` answers for those that are new to the machine.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`] for an identity that is not there, [`ResourceError::MayNotAssign`].
    pub(crate) async fn attach(
        &self,
        op: &Operation,
        own: &Value,
        change: &Attachments,
        may_assign: &[ResourceId],
    ) -> Result<Value, ResourceError> {
        let before = attached(own);
        let after = change.after(before.clone());
        let mut map = Map::new();
        for id in &after {
            let known = before.contains(id);
            if !known && !may_assign.contains(id) {
                return Err(ResourceError::MayNotAssign(Box::new(id.clone())));
            }
            match self.existing(op, id).await {
                Ok(identity) => {
                    let of = |name: &str| identity.properties.get(name).cloned().unwrap_or_default();
                    let ids = json!({"principalId": of("principalId"), "clientId": of("clientId")});
                    map.insert(identity.id.to_string(), ids);
                }
                // One that has gone since is left out; asking for it anew is an error.
                Err(ResourceError::NoResource(_) | ResourceError::NoGroup(_)) if known => {}
                Err(other) => return Err(other),
            }
        }
        let mut identity = own.as_object().cloned().unwrap_or_default();
        identity.shift_remove(MAP);
        let kind = if map.is_empty() { "SystemAssigned" } else { "SystemAssigned, UserAssigned" };
        identity.insert("type".to_owned(), json!(kind));
        if !map.is_empty() {
            identity.insert(MAP.to_owned(), Value::Object(map));
        }
        Ok(Value::Object(identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> String {
        format!(
            "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/lab/providers/{IDENTITIES}/{name}"
        )
    }

    fn read(identity: Value, whole: bool) -> Result<Attachments, ResourceError> {
        Attachments::read(Some(&identity), whole)
    }

    fn names(ids: Vec<ResourceId>) -> Vec<String> {
        ids.iter().map(|id| id.name().to_owned()).collect()
    }

    #[test]
    fn a_put_says_all_and_a_patch_says_what_changes() {
        let before = || vec![ResourceId::parse(&id("a")).unwrap()];
        let both = json!({"type": "SystemAssigned, UserAssigned", MAP: {id("b"): {}}});
        assert_eq!(names(read(both.clone(), true).unwrap().after(before())), ["b"]);
        assert_eq!(names(read(both, false).unwrap().after(before())), ["a", "b"]);
        let less = json!({MAP: {id("A"): null}});
        assert!(names(read(less, false).unwrap().after(before())).is_empty());
        let own = json!({"type": "SystemAssigned"});
        assert!(names(read(own, false).unwrap().after(before())).is_empty());
        assert_eq!(names(Attachments::read(None, true).unwrap().after(before())), ["a"]);
    }

    #[test]
    fn odd_identities_are_refused() {
        for bad in [
            json!("SystemAssigned"),
            json!({"type": 1}),
            json!({"type": "None"}),
            json!({"type": "UserAssigned", MAP: []}),
            json!({"type": "UserAssigned", MAP: {"x": {}}}),
            json!({"type": "UserAssigned", MAP: {id("a").replace("userAssignedIdentities", "others"): {}}}),
        ] {
            assert!(read(bad.clone(), true).is_err(), "{bad}");
        }
        let many: Map<String, Value> = (0..101).map(|n| (id(&format!("i{n}")), json!({}))).collect();
        assert!(read(json!({"type": "UserAssigned", MAP: many}), true).is_err());
    }
}
