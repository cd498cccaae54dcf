//! Microsoft Graph v1.0, as little of it as az CLI asks on the way to a role assignment or a vault (arm.md 5).
//!
//! Any principal of a tenant may read its directory; nothing is written here yet.

mod doors;
mod failure;
mod filter;
mod objects;

use std::sync::Arc;

use async_trait::async_trait;
use cs_authority::{KnownResource, TokenCheck};
use cs_directory::{Find, PrincipalKind, Principals};
use cs_ids::ObjectId;
use cs_rbac::Caller;
use cs_serve::{
    Bearer, Context, Doors, Found, Paths, Query, Request, Response, Surface, bearer, json, read_body,
};
use cs_time::Clock;
use cs_wire_arm::graph::{GetByIds, GraphList};
use http::StatusCode;
use serde::Serialize;

use self::{
    doors::{DOORS, Op},
    failure::Failure,
};

pub use self::doors::doors;

/// The surface at `graph.` + suffix.
pub struct Graph {
    principals: Arc<Principals>,
    tokens: Arc<dyn TokenCheck>,
    clock: Arc<dyn Clock>,
    doors: Doors<Op>,
}

/// Objects one answer holds at most.
const LIST_MAX: usize = 100;
/// Ids one getByIds may name (arm.md 5.1).
const IDS_MAX: usize = 1000;
const BODY_MAX_BYTES: usize = 64 * 1024;
const SERVICE_PRINCIPALS: [PrincipalKind; 3] =
    [PrincipalKind::Application, PrincipalKind::MachineIdentity, PrincipalKind::UserAssignedIdentity];

impl Graph {
    pub fn new(principals: Arc<Principals>, tokens: Arc<dyn TokenCheck>, clock: Arc<dyn Clock>) -> Self {
        Self { principals, tokens, clock, doors: Doors::new(DOORS, Paths::Lenient) }
    }
}

#[async_trait]
impl Surface for Graph {
    async fn serve(&self, request: Request, context: Context) -> Response {
        let outcome = self.answer(request, &context).await;
        outcome.unwrap_or_else(|failure| failure.answer(&context, self.clock.now()))
    }
}

impl Graph {
    async fn answer(&self, request: Request, context: &Context) -> Result<Response, Failure> {
        let caller = self.caller(&request, context)?;
        let query = Query::parse(request.uri().query())
            .map_err(|_| Failure::bad("The query string cannot be read."))?;
        let method = request.method().as_str().to_owned();
        let (op, params) = match self.doors.find(&method, request.uri().path(), &query) {
            Found::Door(door, params) => (door.op, params),
            Found::OtherMethods(_) => return Err(Failure::NotServed),
            Found::Nowhere => return Err(Failure::NotServed),
        };
        let kinds = match op {
            Op::ServicePrincipals | Op::ServicePrincipal => &SERVICE_PRINCIPALS[..],
            Op::Applications | Op::Application => &[PrincipalKind::Application],
            Op::Users => &[PrincipalKind::User],
            Op::Groups => &[PrincipalKind::Group],
            Op::Me => {
                return Err(Failure::bad("/me request is only valid with delegated authentication flow."));
            }
            Op::GetByIds => return self.by_ids(&caller, request, context).await,
        };
        match op {
            Op::ServicePrincipal | Op::Application => {
                let id = params.get("id");
                let object: ObjectId = id.parse().map_err(|_| Failure::NoObject(failure::shown(id)))?;
                let found = self.principals.by_object(caller.tenant, object).await?;
                let found = found
                    .filter(|p| kinds.contains(&p.kind))
                    .ok_or_else(|| Failure::NoObject(failure::shown(id)))?;
                Ok(match op {
                    Op::Application => json(StatusCode::OK, &objects::application(&found, Some(context))),
                    _ => json(StatusCode::OK, &objects::service_principal(&found, Some(context), false)),
                })
            }
            _ => {
                let what = filter::read(query.get("$filter"))?;
                let found = match what {
                    Some(what) => self.principals.find(caller.tenant, kinds, &what, LIST_MAX).await?,
                    None => self.principals.find(caller.tenant, kinds, &Find::All, LIST_MAX).await?,
                };
                Ok(match op {
                    Op::Applications => list(
                        context,
                        "applications",
                        found.iter().map(|p| objects::application(p, None)).collect(),
                    ),
                    _ => {
                        let all = found.iter().map(|p| objects::service_principal(p, None, false)).collect();
                        list(context, op.collection(), all)
                    }
                })
            }
        }
    }

    fn caller(&self, request: &Request, context: &Context) -> Result<Caller, Failure> {
        let Bearer::Token(token) = bearer(request.headers()) else { return Err(Failure::Unauthorized(None)) };
        let audiences = KnownResource::Graph.audiences(&context.address);
        self.tokens.check(token, &audiences).map_err(|refusal| Failure::Unauthorized(Some(refusal)))
    }

    async fn by_ids(
        &self,
        caller: &Caller,
        request: Request,
        context: &Context,
    ) -> Result<Response, Failure> {
        let body = read_body(request.into_body(), BODY_MAX_BYTES).await;
        let body = body.map_err(|_| Failure::bad("The request body is too large or broke off."))?;
        let asked: GetByIds =
            serde_json::from_slice(&body).map_err(|_| Failure::bad("The request body cannot be read."))?;
        if asked.ids.len() > IDS_MAX {
            return Err(Failure::bad("Too many ids: at most 1000 may be named."));
        }
        // Ids that are none, or of nobody, are left out.
        let ids: Vec<ObjectId> = asked.ids.iter().filter_map(|id| id.parse().ok()).collect();
        let found = self.principals.by_objects(caller.tenant, &ids).await?;
        let all = found.iter().map(|p| objects::service_principal(p, None, true)).collect();
        Ok(list(context, "directoryObjects", all))
    }
}

fn list<T: Serialize>(context: &Context, of: &str, value: Vec<T>) -> Response {
    let context = format!("{}/v1.0/$metadata#{of}", context.address.graph());
    json(StatusCode::OK, &GraphList { context, value })
}
