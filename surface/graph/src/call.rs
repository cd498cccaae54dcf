//! One request on its way to a handler.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use cs_directory::{DirectoryError, Principals};
use cs_ids::ObjectId;
use cs_names::Address;
use cs_rbac::{Allowed, Operation};
use cs_serve::{Params, Query, Response};

use crate::{Parts, body::Body, failure::Failure};

pub(crate) type Answer = Result<Response, Failure>;

/// What runs behind a door.
pub(crate) type Handler = for<'c> fn(&'c Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'c>>;

pub(crate) struct Call {
    pub parts: Arc<Parts>,
    pub op: Operation,
    pub params: Params,
    pub query: Query,
    pub body: Bytes,
    /// As received.
    pub path: String,
    pub address: Address,
}

impl Call {
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
        format!("{}/v1.0/$metadata#{of}", self.address.graph())
    }
}
