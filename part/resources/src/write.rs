//! Writing a resource: read, apply the change, write if nobody was faster.

use cs_ids::ResourceId;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Expect, HostKind, NewPrincipal, Resource, ResourceWrite, StoreError};
use serde_json::{Map, Value};

use crate::{Manager, ResourceError, When};

/// How often a write starts over before it gives up: with this many losses in a row others are at it in earnest.
const ATTEMPTS: usize = 8;

/// What a new resource brings along.
#[derive(Clone, Default)]
pub(crate) struct Companions {
    pub host: Option<(HostKind, String, Vec<u8>)>,
    pub principal: Option<NewPrincipal>,
    pub when: When,
}

impl Companions {
    /// Brings nothing along.
    pub(crate) fn none(when: When) -> Self {
        Self { when, ..Self::default() }
    }
}

/// The parts of a resource that its kind decides.
pub(crate) struct Shape {
    pub location: String,
    pub tags: Vec<(String, String)>,
    pub extra: Map<String, Value>,
    pub properties: Map<String, Value>,
}

impl Shape {
    /// What is stored of a resource, to be changed.
    pub(crate) fn of(r: &Resource) -> Self {
        let object = |v: &Value| v.as_object().cloned().unwrap_or_default();
        Self {
            location: r.location.clone(),
            tags: r.tags.clone(),
            extra: object(&r.extra),
            properties: object(&r.properties),
        }
    }
}

impl Manager {
    /// Creates or changes `id`. `shape` sees what is there (nothing, when it is to be created) and says what shall
    /// be; it may be asked more than once. Answers the stored resource and whether it is new.
    pub(crate) async fn write(
        &self,
        op: &Operation,
        allowed: &Allowed,
        (id, kind): (&ResourceId, &str),
        companions: Companions,
        mut shape: impl FnMut(Option<&Resource>) -> Result<Shape, ResourceError> + Send,
    ) -> Result<(Resource, bool), ResourceError> {
        for _ in 0..ATTEMPTS {
            let known = self.at.resources.resource(op.caller.tenant, id.clone()).await?;
            companions.when.check(known.is_some())?;
            let resource = self.resource(op, (id, kind), known.as_ref(), shape(known.as_ref())?);
            let (expect, with) = match &known {
                None => (Expect::Absent, companions.clone()),
                Some(known) => (Expect::Generation(known.generation), Companions::default()),
            };
            let write = ResourceWrite { resource, expect, host: with.host, principal: with.principal };
            match self.at.resources.put_resource(write, AuditRecord::done(op, allowed)).await {
                Ok(stored) => return Ok((stored, known.is_none())),
                Err(StoreError::Exists(_)) if known.is_none() && self.is_taken(op, id).await? => {}
                Err(StoreError::Conflict(_)) => {}
                // It went between the look and the write: the next look finds nothing and creates it.
                Err(StoreError::Missing(_)) if known.is_some() => {}
                Err(StoreError::Missing(_)) => match self.lacks(op, id).await? {
                    // What it lies in has come meanwhile.
                    ResourceError::NoResource(_) => {}
                    lacks => return Err(lacks),
                },
                Err(other) => return Err(other.into()),
            }
        }
        Err(ResourceError::Busy(Box::new(id.clone())))
    }

    /// Whether somebody created it meanwhile; else the "exists" was about a name it claims.
    async fn is_taken(&self, op: &Operation, id: &ResourceId) -> Result<bool, ResourceError> {
        Ok(self.at.resources.resource(op.caller.tenant, id.clone()).await?.is_some())
    }

    pub(crate) fn resource(
        &self,
        op: &Operation,
        (id, kind): (&ResourceId, &str),
        known: Option<&Resource>,
        shape: Shape,
    ) -> Resource {
        let now = self.at.clock.now();
        let caller = op.caller.object.to_string();
        Resource {
            tenant: op.caller.tenant,
            id: known.map_or_else(|| id.clone(), |k| k.id.clone()),
            kind: kind.to_owned(),
            location: shape.location,
            tags: shape.tags,
            extra: Value::Object(shape.extra),
            properties: Value::Object(shape.properties),
            created: known.map_or(now, |k| k.created),
            updated: now,
            created_by: known.map_or_else(|| caller.clone(), |k| k.created_by.clone()),
            updated_by: caller,
            deleted: None,
            generation: 0,
        }
    }

    /// The resource, or the error that it is not there.
    pub async fn existing(&self, op: &Operation, id: &ResourceId) -> Result<Resource, ResourceError> {
        let found = self.at.resources.resource(op.caller.tenant, id.clone()).await?;
        match found {
            Some(found) => Ok(found),
            None if id.kind().is_none() => {
                Err(ResourceError::NoGroup(id.group().unwrap_or_default().to_owned()))
            }
            None => Err(self.lacks(op, id).await?),
        }
    }

    /// Why a resource is not there or cannot be made: for want of its group, of the resource it is a child of, or
    /// simply so.
    async fn lacks(&self, op: &Operation, id: &ResourceId) -> Result<ResourceError, ResourceError> {
        if let Err(no_group @ ResourceError::NoGroup(_)) = self.group_of(op, id).await {
            return Ok(no_group);
        }
        Ok(match id.parent() {
            Some(parent) if !self.is_there(op, &parent).await? => ResourceError::NoParent(Box::new(parent)),
            _ => ResourceError::NoResource(Box::new(id.clone())),
        })
    }

    /// The group a resource lies in; its location stands in where a resource names none.
    pub(crate) async fn group_of(&self, op: &Operation, id: &ResourceId) -> Result<Resource, ResourceError> {
        let name = id.group().unwrap_or_default();
        let group = ResourceId::of_group(id.subscription(), name);
        let found = self.at.resources.resource(op.caller.tenant, group).await?;
        found.ok_or_else(|| ResourceError::NoGroup(name.to_owned()))
    }

    /// Whether it is there.
    pub async fn is_there(&self, op: &Operation, id: &ResourceId) -> Result<bool, ResourceError> {
        Ok(self.at.resources.resource(op.caller.tenant, id.clone()).await?.is_some())
    }
}

/// The location of a write: fixed once there.
pub(crate) fn location_of(
    id: &ResourceId,
    known: Option<&Resource>,
    wanted: Option<&str>,
) -> Result<String, ResourceError> {
    match (known, wanted) {
        (Some(known), Some(wanted)) if known.location != wanted => Err(ResourceError::LocationFixed {
            id: Box::new(id.clone()),
            existing: known.location.clone(),
            wanted: wanted.to_owned(),
        }),
        (Some(known), _) => Ok(known.location.clone()),
        (None, Some(wanted)) => Ok(wanted.to_owned()),
        (None, None) => Err(ResourceError::LocationRequired),
    }
}
