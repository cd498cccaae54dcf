//! The shape all kinds of resources share when they are written; a kind brings only its rules.

use cs_ids::ResourceId;
use cs_rbac::{Allowed, Operation};
use cs_store::{HostKind, Resource};
use serde_json::{Map, Value};

use crate::{
    Input, Manager, Patch, ResourceError, When, input, tags,
    write::{Companions, Shape, location_of},
};

/// What a kind decides for itself.
pub(crate) trait Rules: Sync {
    /// The type.
    const KIND: &'static str;
    /// Longest name of a tag.
    const TAG_NAME_MAX_CHARS: usize = tags::NAME_MAX_CHARS;
    /// A PUT that says nothing of tags leaves them.
    const KEEPS_TAGS: bool = false;

    /// What is stored, of what is there and what shall be. After a PATCH `given` is what is there with the change laid
    /// over it, so that one rule serves both.
    fn members(
        &self,
        known: Option<&Resource>,
        location: &str,
        given: Members,
    ) -> Result<Members, ResourceError>;
}

/// The members of a resource that are its kind's own.
#[derive(Clone, Default)]
pub(crate) struct Members {
    /// Beside `properties`: `sku`, `kind`, `identity`, …
    pub extra: Map<String, Value>,
    pub properties: Map<String, Value>,
}

impl Manager {
    /// Creates a resource, or replaces what it says. Answers it and whether it is new.
    pub(crate) async fn put<R: Rules>(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
        companions: Companions,
        rules: &R,
    ) -> Result<(Resource, bool), ResourceError> {
        let wanted = input::location(new.location.as_deref())?;
        if let Some(tags) = &new.tags {
            tags::check(tags, R::TAG_NAME_MAX_CHARS)?;
        }
        let given = Members { extra: input::extra(new.extra), properties: new.properties };
        let companions = Companions { when: new.when, ..companions };
        self.write(op, allowed, (id, R::KIND), companions, |known| {
            let location = location_of(id, known, wanted.as_deref())?;
            let Members { extra, properties } = rules.members(known, &location, given.clone())?;
            let kept = known.filter(|_| R::KEEPS_TAGS).map(|k| k.tags.clone());
            let tags = new.tags.clone().or(kept).unwrap_or_default();
            Ok(Shape { location, tags, extra, properties })
        })
        .await
    }

    /// Changes what is given of a resource that is there. Tags are replaced wholly.
    pub(crate) async fn patch<R: Rules>(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
        rules: &R,
    ) -> Result<Resource, ResourceError> {
        self.existing(op, id).await?;
        if let Some(tags) = &patch.tags {
            tags::check(tags, R::TAG_NAME_MAX_CHARS)?;
        }
        let changed = Members { extra: input::extra(patch.extra), properties: patch.properties };
        let written = self.write(op, allowed, (id, R::KIND), Companions::none(patch.when), |known| {
            // It went since the look above.
            let known = known.ok_or_else(|| ResourceError::gone(id))?;
            let old = Shape::of(known);
            let given = Members {
                extra: input::merged(&old.extra, &changed.extra),
                properties: input::merged(&old.properties, &changed.properties),
            };
            let Members { extra, properties } = rules.members(Some(known), &old.location, given)?;
            let tags = patch.tags.clone().unwrap_or(old.tags);
            Ok(Shape { location: old.location, tags, extra, properties })
        });
        Ok(written.await?.0)
    }

    /// The id of a resource of this kind with the group's name as its creator wrote it, and its own name as given, so
    /// that one resource prints one id.
    pub(crate) async fn id_in_group(
        &self,
        op: &Operation,
        id: &ResourceId,
        kind: &str,
        name: &str,
    ) -> Result<ResourceId, ResourceError> {
        let group = self.group_of(op, id).await?;
        let (namespace, kind) = kind.split_once('/').unwrap_or_default();
        Ok(ResourceId::of_resource(id.subscription(), group.id.name(), namespace, kind, name))
    }

    /// The host name of a new resource, with the data key of what will be inside.
    pub(crate) async fn new_host(
        &self,
        op: &Operation,
        kind: HostKind,
        label: String,
    ) -> Result<Companions, ResourceError> {
        let key = self.at.keys.new_wrapped_key(op.caller.tenant).await?;
        Ok(Companions { host: Some((kind, label, key)), principal: None, when: When::Always })
    }
}
