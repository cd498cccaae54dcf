//! Registered applications.

use cs_ids::{ClientId, ObjectId};
use cs_rbac::{Allowed, Operation};
use cs_store::{Application, AuditRecord, StoreError};
use serde_json::{Map, Value};

use crate::{DirectoryError, Principals, Target};

/// Longer names are refused, as Azure does.
const NAME_MAX_CHARS: usize = 120;
const URI_MAX_CHARS: usize = 255;
const URIS_MAX: usize = 50;
/// What of an object means nothing here is kept up to this size, in bytes.
pub(crate) const DETAILS_MAX_BYTES: usize = 32 * 1024;

/// Of so many who change one object at once, each has its turn.
const TURNS_MAX: u8 = 64;

/// An application to register.
#[derive(Debug, Clone, Default)]
pub struct NewApplication {
    pub display_name: String,
    pub uris: Vec<String>,
    /// Members kept as they are.
    pub details: Map<String, Value>,
}

/// What to change of one; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ApplicationChange {
    pub display_name: Option<String>,
    pub uris: Option<Vec<String>>,
    /// Laid over what is kept, member by member; `null` takes one away.
    pub details: Map<String, Value>,
}

impl Principals {
    /// Registers an application; its creator becomes its owner. Nothing acts for it until it has a service principal.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`], [`DirectoryError::Taken`] for a URI of another application.
    pub async fn create_application(
        &self,
        op: &Operation,
        allowed: &Allowed,
        new: NewApplication,
    ) -> Result<Application, DirectoryError> {
        let application = Application {
            tenant: op.caller.tenant,
            object: ObjectId::new(self.chance.uuid()),
            client: ClientId::new(self.chance.uuid()),
            display_name: name(&new.display_name)?,
            uris: uris(new.uris)?,
            details: Value::Object(bounded(new.details)?),
            created: op.started,
        };
        let (owner, record) = (Some(op.caller.object), AuditRecord::done(op, allowed));
        self.objects.add_application(application.clone(), owner, record).await.map_err(taken)?;
        Ok(application)
    }

    /// One by its own object id.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`].
    pub async fn application(&self, op: &Operation, object: ObjectId) -> Result<Application, DirectoryError> {
        let found = self.objects.application(op.caller.tenant, object).await?;
        found.ok_or_else(|| DirectoryError::NoObject(object.to_string()))
    }

    pub async fn application_of_client(
        &self,
        op: &Operation,
        client: ClientId,
    ) -> Result<Option<Application>, DirectoryError> {
        Ok(self.objects.application_of_client(op.caller.tenant, client).await?)
    }

    /// Whose owners may change an application and what acts for it: its own and its service principal's.
    pub async fn owned_through(
        &self,
        op: &Operation,
        client: Option<ClientId>,
        object: ObjectId,
    ) -> Result<Vec<ObjectId>, DirectoryError> {
        let mut all = vec![object];
        if let Some(client) = client {
            let application = self.application_of_client(op, client).await?;
            let acting = self.by_client(op.caller.tenant, client).await?;
            all.extend(application.map(|a| a.object).into_iter().chain(acting.map(|p| p.object)));
        }
        all.dedup();
        Ok(all)
    }

    /// # Errors
    /// As [`Principals::create_application`], and [`DirectoryError::NoObject`].
    pub async fn change_application(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        change: ApplicationChange,
    ) -> Result<(), DirectoryError> {
        let mut turns = Turns::default();
        loop {
            let outcome = self.lay_over_application(op, allowed, object, &change).await;
            if !turns.again(&outcome) {
                return outcome;
            }
        }
    }

    async fn lay_over_application(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        change: &ApplicationChange,
    ) -> Result<(), DirectoryError> {
        let known = self.application(op, object).await?;
        let mut application = known.clone();
        if let Some(new) = &change.display_name {
            application.display_name = name(new)?;
        }
        if let Some(new) = &change.uris {
            application.uris = uris(new.clone())?;
        }
        let old = known.details.as_object().cloned().unwrap_or_default();
        application.details = Value::Object(bounded(laid_over(old, change.details.clone()))?);
        let record = AuditRecord::done(op, allowed);
        self.objects.change_application(known, application, record).await.map_err(taken)
    }

    /// Removes an application and all that acts for it. `false` when it was not there.
    pub async fn remove_application(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
    ) -> Result<bool, DirectoryError> {
        let record = AuditRecord::done(op, allowed);
        Ok(self.objects.remove_application(op.caller.tenant, object, record).await?)
    }

    /// Where a permission to change an application is asked for.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`], [`DirectoryError::Denied`].
    pub async fn permit_application(
        &self,
        op: &Operation,
        action: &'static str,
        object: ObjectId,
    ) -> Result<(Application, Allowed), DirectoryError> {
        let application = self.application(op, object).await?;
        let objects = self.owned_through(op, Some(application.client), object).await?;
        let target = Target { collection: "applications", objects: &objects };
        Ok((application, self.permit(op, action, target).await?))
    }
}

/// A display name without blanks around it.
pub(crate) fn name(text: &str) -> Result<String, DirectoryError> {
    let text = text.trim();
    let fits = (1..=NAME_MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits {
        return Ok(text.to_owned());
    }
    Err(DirectoryError::invalid(
        "'displayName' must have 1 to 120 characters, none of them a control character",
    ))
}

fn uris(all: Vec<String>) -> Result<Vec<String>, DirectoryError> {
    let fits = |u: &String| {
        (1..=URI_MAX_CHARS).contains(&u.chars().count())
            && u.contains(':')
            && !u.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if all.len() > URIS_MAX || !all.iter().all(fits) {
        return Err(DirectoryError::invalid(
            "'identifierUris' must be URIs of up to 255 characters, at most 50",
        ));
    }
    Ok(all)
}

/// Turns of a change that is laid over what is there: where somebody else changed it meanwhile, the store takes nothing, and
/// the next turn begins with what they left. Neither change is lost.
#[derive(Default)]
pub(crate) struct Turns(u8);

impl Turns {
    /// Whether somebody was faster, and there are turns left.
    pub fn again(&mut self, outcome: &Result<(), DirectoryError>) -> bool {
        self.0 += 1;
        self.0 < TURNS_MAX && matches!(outcome, Err(DirectoryError::Store(StoreError::Conflict(_))))
    }
}

/// Members that are kept without being understood.
pub(crate) fn bounded(details: Map<String, Value>) -> Result<Map<String, Value>, DirectoryError> {
    let length = serde_json::to_vec(&details).map_or(usize::MAX, |text| text.len());
    if length > DETAILS_MAX_BYTES {
        return Err(DirectoryError::invalid("the object is too large"));
    }
    Ok(details)
}

pub(crate) fn laid_over(mut under: Map<String, Value>, over: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in over {
        if value.is_null() {
            under.shift_remove(&name);
        } else {
            under.insert(name, value);
        }
    }
    under
}

fn taken(error: StoreError) -> DirectoryError {
    match error {
        StoreError::Exists(_) => DirectoryError::Taken("identifierUris"),
        StoreError::Missing(what) => DirectoryError::NoObject(what),
        other => DirectoryError::Store(other),
    }
}
