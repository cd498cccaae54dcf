//! Extensions of machines: kept as they are described. The agent runs none, and each says so.

use cs_ids::ResourceId;
use cs_rbac::{Allowed, Operation};
use cs_store::Resource;
use cs_time::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    Input, Manager, Patch, ResourceError, input,
    kinds::{Members, Rules},
    write::Companions,
};

/// The type of extensions.
pub const EXTENSIONS: &str = "Microsoft.HybridCompute/machines/extensions";

/// Said by the product; protected settings are for an extension that runs, so here they are for nobody.
const NOT_KEPT: &[&str] = &["provisioningState", "instanceView", "protectedSettings"];
/// Of one machine.
const EXTENSIONS_MAX: u32 = 100;
const NAME_MAX_CHARS: usize = 64;

struct ExtensionRules<'n> {
    name: &'n str,
    now: Timestamp,
}

impl Rules for ExtensionRules<'_> {
    const KIND: &'static str = EXTENSIONS;

    fn members(&self, _: Option<&Resource>, _: &str, given: Members) -> Result<Members, ResourceError> {
        let mut all = input::without_read_only(given.properties, NOT_KEPT);
        all.retain(|_, value| !value.is_null());
        for required in ["publisher", "type"] {
            if input::text(&all, required)?.is_none_or(str::is_empty) {
                return Err(ResourceError::invalid(required, "is required"));
            }
        }
        input::text(&all, "typeHandlerVersion")?;
        input::text(&all, "forceUpdateTag")?;
        for flag in ["autoUpgradeMinorVersion", "enableAutomaticUpgrade"] {
            input::flag(&all, flag)?;
        }
        if all.get("settings").is_some_and(|s| !s.is_object()) {
            return Err(ResourceError::invalid("settings", "must be an object"));
        }
        let view = self.view(&all);
        all.insert("provisioningState".to_owned(), json!("Succeeded"));
        all.insert("instanceView".to_owned(), view);
        Ok(Members { properties: all, ..given })
    }
}

impl ExtensionRules<'_> {
    fn view(&self, all: &Map<String, Value>) -> Value {
        json!({
            "name": self.name,
            "type": all.get("type"),
            "typeHandlerVersion": all.get("typeHandlerVersion"),
            "status": {
                "code": "0",
                "level": "Information",
                "displayStatus": "Recorded",
                "message": "Recorded and not run: the agents of this site run no extensions.",
                "time": self.now.iso7(),
            },
        })
    }
}

impl Manager {
    /// Describes an extension of a machine.
    ///
    /// # Errors
    /// [`ResourceError::NoParent`], [`ResourceError::Invalid`].
    pub async fn put_extension(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        mut new: Input,
    ) -> Result<(Resource, bool), ResourceError> {
        let machine = self.machine_of(op, id).await?;
        check_name(id.name())?;
        let id = machine.id.child("extensions", id.name());
        if !self.is_there(op, &id).await?
            && self.children(op, &machine.id, EXTENSIONS, EXTENSIONS_MAX).await?.len()
                >= EXTENSIONS_MAX as usize
        {
            return Err(ResourceError::invalid("extensions", "are as many as a machine may have"));
        }
        // What says no place lies where its machine does.
        new.location.get_or_insert(machine.location);
        let rules = ExtensionRules { name: id.name(), now: self.at.clock.now() };
        self.put(op, allowed, &id, new, Companions::default(), &rules).await
    }

    /// Changes what is given of one.
    ///
    /// # Errors
    /// As [`Manager::put_extension`].
    pub async fn patch_extension(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
    ) -> Result<Resource, ResourceError> {
        let rules = ExtensionRules { name: id.name(), now: self.at.clock.now() };
        self.patch(op, allowed, id, patch, &rules).await
    }

    /// The extensions of a machine, by name.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`].
    pub async fn extensions(
        &self,
        op: &Operation,
        machine: &ResourceId,
    ) -> Result<Vec<Resource>, ResourceError> {
        let machine = self.existing(op, machine).await?;
        self.children(op, &machine.id, EXTENSIONS, EXTENSIONS_MAX).await
    }

    async fn machine_of(&self, op: &Operation, id: &ResourceId) -> Result<Resource, ResourceError> {
        let parent = id.parent().ok_or_else(|| ResourceError::NoResource(Box::new(id.clone())))?;
        match self.existing(op, &parent).await {
            Err(ResourceError::NoResource(machine)) => Err(ResourceError::NoParent(machine)),
            other => other,
        }
    }
}

fn check_name(name: &str) -> Result<(), ResourceError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= NAME_MAX_CHARS && name.chars().all(fits) {
        return Ok(());
    }
    Err(ResourceError::invalid("extensionName", "must have 1 to 64 letters, digits, '-', '_' or '.'"))
}
