//! One element of a list that az printed. az lays `properties` flat for some types and not for others, and the resource
//! manager never does: a member is looked for in both places.

use std::path::Path;

use cs_ids::ResourceId;
use serde_json::{Map, Value};

use crate::failure::{Failure, Kind};

/// What it is, in the order in which things must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Subscription,
    Group,
    Identity,
    Machine,
    Resource,
    Definition,
    Assignment,
}

pub struct Element {
    phase: Phase,
    members: Map<String, Value>,
}

/// Of `az account list`, whose elements name no type.
const ACCOUNT: &str = "homeTenantId";

impl Element {
    pub fn of(value: Value, file: &Path) -> Result<Self, Failure> {
        let odd = |what: &str| {
            let text = format!("{} holds {what}", file.display());
            Failure::new(Kind::Failed, text)
                .hint("files are what az account, group, identity, connectedmachine, resource, role definition and role assignment print with `list -o json`")
        };
        let Value::Object(members) = value else { return Err(odd("something that is no resource")) };
        let kind = members.get("type").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let phase = match kind.as_str() {
            "" if members.contains_key(ACCOUNT) || members.contains_key("subscriptionId") => {
                Phase::Subscription
            }
            "" => return Err(odd("an element without a type")),
            "microsoft.resources/resourcegroups" | "microsoft.resources/subscriptions/resourcegroups" => {
                Phase::Group
            }
            "microsoft.managedidentity/userassignedidentities" => Phase::Identity,
            "microsoft.hybridcompute/machines" => Phase::Machine,
            "microsoft.authorization/roledefinitions" => Phase::Definition,
            "microsoft.authorization/roleassignments" => Phase::Assignment,
            _ => Phase::Resource,
        };
        Ok(Self { phase, members })
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why clients could not read it in a list, were it here; what the resource manager refuses comes in by no other door.
    pub fn wrong(&self) -> Option<String> {
        let kind = match self.phase {
            Phase::Group => "Microsoft.Resources/resourceGroups".to_owned(),
            Phase::Identity | Phase::Machine | Phase::Resource => self.id()?.kind()?.to_string(),
            Phase::Subscription | Phase::Definition | Phase::Assignment => return None,
        };
        let mut stored = self.extra();
        stored.extend(["location", "tags", "identity"].iter().filter_map(|name| {
            let value = self.members.get(*name)?.clone();
            Some(((*name).to_owned(), value))
        }));
        stored.insert("properties".to_owned(), Value::Object(self.properties()));
        cs_wire_arm::check_described(&kind, &stored).err().map(|bad| bad.0)
    }

    /// A member, of the element or of its `properties`; null is none.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = |all: &'_ Map<String, Value>| all.get(name).is_some_and(|v| !v.is_null());
        let nested = self.members.get("properties").and_then(Value::as_object);
        match nested {
            _ if found(&self.members) => self.members.get(name),
            Some(nested) if found(nested) => nested.get(name),
            _ => None,
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.get(name).and_then(Value::as_object)
    }

    /// Its id as written, or what there is of it.
    pub fn shown(&self) -> String {
        self.text("id").or_else(|| self.text("name")).unwrap_or("(without an id)").to_owned()
    }

    pub fn id(&self) -> Option<ResourceId> {
        ResourceId::parse(self.text("id")?).ok()
    }

    pub fn tags(&self) -> Option<Vec<(String, String)>> {
        let tags = self.object("tags")?;
        Some(tags.iter().map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())).collect())
    }

    /// Everything that is not the envelope: what the resource manager calls `properties`.
    pub fn properties(&self) -> Map<String, Value> {
        const ENVELOPE: &[&str] = &[
            "id",
            "name",
            "type",
            "location",
            "tags",
            "identity",
            "kind",
            "sku",
            "plan",
            "managedBy",
            "systemData",
            "resourceGroup",
            "extendedLocation",
            "zones",
            "createdTime",
            "changedTime",
            "properties",
            "resources",
        ];
        if let Some(nested) = self.members.get("properties").and_then(Value::as_object) {
            return nested.clone();
        }
        let own = self
            .members
            .iter()
            .filter(|(name, value)| !ENVELOPE.contains(&name.as_str()) && !value.is_null());
        own.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// `kind`, `sku` and the like.
    pub fn extra(&self) -> Map<String, Value> {
        let of = |name: &&str| Some(((*name).to_owned(), self.get(name)?.clone()));
        ["kind", "sku", "plan", "zones", "managedBy"].iter().filter_map(of).collect()
    }
}
