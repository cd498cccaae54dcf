//! One request on its way to a handler.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use cs_audit::AuditRecord;
use cs_directory::{DirectoryError, Principals};
use cs_ids::ObjectId;
use cs_rbac::{Allowed, Operation};
use cs_serve::{Context, Params, Query, Response, json_has_nul};

use crate::{Parts, body::Body, doors::Tables, failure::Failure, path};

pub(crate) type Answer = Result<Response, Failure>;

/// What runs behind a door.
pub(crate) type Handler = for<'c> fn(&'c Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'c>>;

pub(crate) struct Call {
    pub parts: Arc<Parts>,
    pub op: Operation,
    pub params: Params,
    pub query: Query,
    pub body: Bytes,
    /// As received, but for keys in parentheses.
    pub path: String,
    pub context: Context,
    doors: Arc<Tables>,
}

impl Call {
    /// Finds the door of a request whose token is good; its body may still be on its way.
    pub async fn arrive(
        (parts, doors): (Arc<Parts>, Arc<Tables>),
        op: Operation,
        context: Context,
        (method, target): (&str, &http::Uri),
    ) -> Result<(Handler, Self), Failure> {
        let query =
            Query::storable(target.query()).map_err(|_| Failure::bad("The query string cannot be read."))?;
        if query.has_duplicates() {
            return Err(Failure::bad("A query parameter is given more than once."));
        }
        if target.path().contains("%00") {
            return Err(Failure::bad("The path cannot be read."));
        }
        let path = path::plain(&parts, &op, target.path()).await?;
        let (run, params) = doors.find(method, &path, &query)?;
        Ok((run, Self { parts, op, params, query, body: Bytes::new(), path, context, doors }))
    }

    /// A request of the same caller within this one.
    pub async fn within(
        &self,
        method: &str,
        target: &http::Uri,
        body: Bytes,
    ) -> Result<(Handler, Self), Failure> {
        let site = (Arc::clone(&self.parts), Arc::clone(&self.doors));
        let (run, call) = Self::arrive(site, self.op.clone(), self.context.clone(), (method, target)).await?;
        Ok((run, Self { body, ..call }))
    }

    /// Runs what is behind the door. A refusal is on record before it is answered.
    pub async fn attend(&self, run: Handler) -> Answer {
        // A batch is looked at step by step: one that cannot be stored does not take the others along.
        if !self.path.ends_with("$batch") && json_has_nul(&self.body) {
            return Err(Failure::bad("Unable to read JSON request payload. A text holds the character NUL."));
        }
        let outcome = run(self).await;
        if let Err(Failure::Directory(DirectoryError::Denied(denied))) = &outcome {
            let record = AuditRecord::denied(&self.op, denied);
            self.parts.audit.record(record).await.map_err(|_| Failure::Busy)?;
        }
        outcome
    }

    pub fn refusal(&self, failure: Failure) -> Response {
        failure.answer(&self.context, self.op.client_request_id.as_deref(), self.parts.clock.now())
    }

    pub fn directory(&self) -> &Principals {
        &self.parts.principals
    }

    /// The object id at a place of the path; what is none is nobody's.
    pub fn object(&self, place: &str) -> Result<ObjectId, Failure> {
        let text = self.params.get(place);
        text.parse().map_err(|_| DirectoryError::NoObject(text.chars().take(128).collect()).into())
    }

    /// The body as an object.
    pub fn body(&self) -> Result<Body, Failure> {
        Body::read(&self.body)
    }

    /// Whether a change is allowed that touches no object with owners.
    pub async fn permit_new(
        &self,
        action: &'static str,
        collection: &'static str,
    ) -> Result<Allowed, Failure> {
        let target = cs_directory::Target { collection, objects: &[] };
        Ok(self.directory().permit(&self.op, action, target).await?)
    }

    /// After a write that decisions look at: nobody is answered from what was true before.
    pub async fn refresh(&self) -> Result<(), Failure> {
        self.parts.access.refresh(self.op.caller.tenant).await.map_err(|_| Failure::Busy)
    }

    /// `…/v1.0/$metadata#of`.
    pub fn context(&self, of: &str) -> String {
        format!("{}/v1.0/$metadata#{of}", self.context.address.graph())
    }
}
