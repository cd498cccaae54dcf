//! One request on its way to a handler.

use std::{future::Future, ops::Deref, pin::Pin, sync::Arc};

use bytes::Bytes;
use cs_audit::AuditRecord;
use cs_ids::{ResourceId, Scope, SubscriptionId};
use cs_names::Address;
use cs_rbac::{Allowed, Denied, Operation};
use cs_resources::{Input, Manager, Patch, When};
use cs_serve::Response;
use cs_wire_arm::ResourceBody;
use serde::de::DeserializeOwned;

use crate::{
    Parts,
    asked::Asked,
    doors::Body,
    failure::{Failure, shown},
};

pub(crate) type Answer = Result<Response, Failure>;

/// What runs behind a door.
pub(crate) type Handler = for<'c> fn(&'c Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'c>>;

pub(crate) struct Call {
    pub parts: Arc<Parts>,
    pub op: Operation,
    pub asked: Arc<Asked>,
    pub body: Bytes,
    /// What `If-Match` and `If-None-Match` ask.
    pub when: When,
    pub address: Address,
    /// The proof, for doors that name an action.
    pub allowed: Option<Allowed>,
}

/// A call reads as what was asked.
impl Deref for Call {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.asked
    }
}

impl Call {
    pub fn manager(&self) -> &Manager {
        &self.parts.manager
    }

    /// The proof that the door's action is allowed.
    pub fn allowed(&self) -> Result<&Allowed, Failure> {
        self.allowed.as_ref().ok_or_else(|| Failure::internal("a door without an action asks for a proof"))
    }

    /// The subscription, group or resource the path names.
    pub fn id(&self) -> Result<ResourceId, Failure> {
        self.id_here().cloned()
    }

    /// The same, to look at.
    pub fn id_here(&self) -> Result<&ResourceId, Failure> {
        self.resource.as_ref().ok_or_else(Failure::bad_uri)
    }

    /// The path of the list this call asked for, as it is written in `nextLink`.
    pub fn list_path(&self) -> &str {
        &self.path
    }

    pub fn subscription(&self) -> Result<SubscriptionId, Failure> {
        Ok(self.id_here()?.subscription())
    }

    /// The body of a row that reads a document of its own.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut text = serde_json::Deserializer::from_slice(self.document()?);
        serde_path_to_error::deserialize(&mut text).map_err(|e| {
            // The member first: what a person looks for in what they sent.
            let member = e.path().to_string();
            let at = if member == "." { String::new() } else { format!("'{}': ", shown(&member)) };
            Failure::bad_body(format!("The request content was invalid: {at}{}.", e.into_inner()))
        })
    }

    /// The bytes of such a body, for documents that read themselves.
    pub fn document(&self) -> Result<&[u8], Failure> {
        self.check_column(matches!(self.door.op.body, Body::Json(_)))?;
        Ok(&self.body)
    }

    /// The body of a row that reads a resource.
    pub fn input(&self) -> Result<Input, Failure> {
        self.check_column(self.door.op.body == Body::Resource)?;
        let body = ResourceBody::parse(self.kind.name, &self.body)?;
        Ok(Input {
            when: self.when,
            tags: body.tags()?,
            location: body.location,
            extra: body.rest,
            properties: body.properties.unwrap_or_default(),
        })
    }

    /// What a table says of its bodies is what its handlers read, or the test that opens every door fails.
    fn check_column(&self, is_so: bool) -> Result<(), Failure> {
        if is_so { Ok(()) } else { Err(Failure::internal("a handler reads what its row does not name")) }
    }

    pub fn patch(&self) -> Result<Patch, Failure> {
        let Input { tags, extra, properties, .. } = self.input()?;
        Ok(Patch { when: self.when, tags, extra, properties })
    }

    /// What a subscription in the path must be: one of the caller's tenant.
    pub async fn check_subscription(&self) -> Result<(), Failure> {
        let mut segments = self.scope.as_str().split('/').skip(1);
        if !segments.next().is_some_and(|s| s.eq_ignore_ascii_case("subscriptions")) {
            return Ok(());
        }
        let text = segments.next().unwrap_or_default();
        let id: SubscriptionId = text.parse().map_err(|_| Failure::bad_subscription(text))?;
        match self.manager().tenant_of(id).await? {
            None => Err(Failure::no_subscription(id)),
            Some(tenant) if tenant != self.op.caller.tenant => {
                Err(Failure::other_tenant(&self.op.caller.issuer, tenant))
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether the caller may do something else as well.
    pub fn may(&self, action: &str, scope: &Scope) -> Result<Option<Allowed>, Failure> {
        match self.parts.access.require_action(&self.op, action, scope) {
            Ok(allowed) => Ok(Some(allowed)),
            Err(cs_access::Refusal::Denied(_)) => Ok(None),
            Err(cs_access::Refusal::Unconfirmed) => Err(Failure::busy()),
        }
    }

    /// What a handler asks for beside its row. A refusal is on record before it is told.
    pub async fn demand(&self, action: &'static str, scope: &Scope) -> Result<(), Failure> {
        match self.parts.access.require_action(&self.op, action, scope) {
            Ok(_) => Ok(()),
            Err(cs_access::Refusal::Unconfirmed) => Err(Failure::busy()),
            Err(cs_access::Refusal::Denied(denied)) => Err(self.refuse(&denied, action, scope).await?),
        }
    }

    /// Records a refusal; answers what to say.
    pub async fn refuse(&self, denied: &Denied, action: &str, scope: &Scope) -> Result<Failure, Failure> {
        // Others' records share the commit.
        let record = AuditRecord::denied(&self.op, denied);
        self.parts.audit.record(record).await.map_err(|_| Failure::busy())?;
        Ok(Failure::denied(&self.op.caller, action, scope))
    }

    pub fn is_visible(&self, scope: &Scope) -> Result<bool, Failure> {
        self.parts.access.is_visible(&self.op, scope).map_err(|_| Failure::busy())
    }

    /// After a write that changes principals or assignments: nobody is answered from what was true before.
    pub async fn refresh(&self) -> Result<(), Failure> {
        Ok(self
            .parts
            .access
            .refresh(self.op.caller.tenant)
            .await
            .map_err(cs_resources::ResourceError::from)?)
    }

    /// What hands out secrets answers only once its record is durable.
    pub async fn record(&self) -> Result<(), Failure> {
        let record = AuditRecord::done(&self.op, self.allowed()?);
        self.parts.audit.record(record).await.map_err(|_| Failure::busy())
    }

    /// Plain reads go to the audit log in groups.
    pub fn record_read(&self) -> Result<(), Failure> {
        match &self.allowed {
            Some(allowed) => {
                self.parts.audit.soon(AuditRecord::done(&self.op, allowed)).map_err(|_| Failure::busy())
            }
            None => Ok(()),
        }
    }
}
