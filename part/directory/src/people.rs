//! Users and groups.

use cs_ids::ObjectId;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Details, Principal, PrincipalChange, PrincipalKind, StoreError};
use serde_json::{Map, Value, json};

use crate::{
    DirectoryError, Principals,
    applications::{Turns, bounded, laid_over, name},
};

const HANDLE_MAX_CHARS: usize = 113;
const NICKNAME_MAX_CHARS: usize = 64;

/// A user. Nobody signs in with a password here, so none is kept.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub display_name: String,
    pub principal_name: String,
    pub enabled: bool,
    pub details: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub struct NewGroup {
    pub display_name: String,
    pub nickname: String,
    pub details: Map<String, Value>,
}

/// What to change of a user or group; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct PersonChange {
    pub display_name: Option<String>,
    pub principal_name: Option<String>,
    pub nickname: Option<String>,
    pub enabled: Option<bool>,
    /// Laid over what is kept.
    pub details: Map<String, Value>,
}

/// Where what the product itself reads is kept among the details.
const HANDLE: &str = "userPrincipalName";
const NICKNAME: &str = "mailNickname";

impl Principals {
    /// # Errors
    /// [`DirectoryError::Invalid`], [`DirectoryError::Taken`] for a principal name somebody has.
    pub async fn create_user(
        &self,
        op: &Operation,
        allowed: &Allowed,
        new: NewUser,
    ) -> Result<Principal, DirectoryError> {
        let handle = handle(&new.principal_name)?;
        let mut details = bounded(new.details)?;
        details.insert(HANDLE.to_owned(), json!(new.principal_name.trim()));
        let principal = self.person(op, PrincipalKind::User, &new.display_name, new.enabled)?;
        let details = Details { handle: Some(handle), value: Value::Object(details) };
        self.add(op, allowed, principal, details, None).await
    }

    /// Its creator becomes the owner.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`].
    pub async fn create_group(
        &self,
        op: &Operation,
        allowed: &Allowed,
        new: NewGroup,
    ) -> Result<Principal, DirectoryError> {
        let mut details = bounded(new.details)?;
        details.insert(NICKNAME.to_owned(), json!(nickname(&new.nickname)?));
        let principal = self.person(op, PrincipalKind::Group, &new.display_name, true)?;
        let details = Details { handle: None, value: Value::Object(details) };
        self.add(op, allowed, principal, details, Some(op.caller.object)).await
    }

    /// # Errors
    /// [`DirectoryError::NoObject`] and as for creating.
    pub async fn change_person(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        change: PersonChange,
    ) -> Result<(), DirectoryError> {
        let mut turns = Turns::default();
        loop {
            let outcome = self.lay_over_person(op, allowed, object, &change).await;
            if !turns.again(&outcome) {
                return outcome;
            }
        }
    }

    async fn lay_over_person(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        change: &PersonChange,
    ) -> Result<(), DirectoryError> {
        let known = self.kept(op, object).await?;
        let mut kept = laid_over(known.clone(), change.details.clone());
        if let Some(new) = &change.principal_name {
            handle(new)?;
            kept.insert(HANDLE.to_owned(), json!(new.trim()));
        }
        if let Some(new) = &change.nickname {
            kept.insert(NICKNAME.to_owned(), json!(nickname(new)?));
        }
        let handle = kept.get(HANDLE).and_then(Value::as_str).map(str::to_lowercase);
        let change = PrincipalChange {
            display_name: change.display_name.as_deref().map(name).transpose()?,
            enabled: change.enabled,
            details: Some(Details { handle, value: Value::Object(bounded(kept)?) }),
            known,
        };
        let record = AuditRecord::done(op, allowed);
        let changed = self.objects.change_principal(op.caller.tenant, object, change, record).await;
        changed.map_err(|e| taken(e, object))
    }

    /// Removes a user or group with its memberships and what was assigned to it.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`].
    pub async fn remove_person(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
    ) -> Result<(), DirectoryError> {
        let record = AuditRecord::done(op, allowed);
        match self.rows.remove_principal(op.caller.tenant, object, record).await? {
            true => Ok(()),
            false => Err(DirectoryError::NoObject(object.to_string())),
        }
    }

    /// A user by its principal name, in any case.
    pub async fn user_named(&self, op: &Operation, name: &str) -> Result<Option<Principal>, DirectoryError> {
        let found = self.objects.principal_of_handle(op.caller.tenant, name.to_lowercase()).await?;
        Ok(found.filter(|p| p.kind == PrincipalKind::User))
    }

    fn person(
        &self,
        op: &Operation,
        kind: PrincipalKind,
        display_name: &str,
        enabled: bool,
    ) -> Result<Principal, DirectoryError> {
        Ok(Principal {
            tenant: op.caller.tenant,
            object: ObjectId::new(self.chance.uuid()),
            kind,
            client: None,
            display_name: name(display_name)?,
            enabled,
            resource: None,
            directory_admin: false,
            created: op.started,
            deleted: false,
            revision: 0,
        })
    }

    async fn add(
        &self,
        op: &Operation,
        allowed: &Allowed,
        principal: Principal,
        details: Details,
        owner: Option<ObjectId>,
    ) -> Result<Principal, DirectoryError> {
        let record = AuditRecord::done(op, allowed);
        let added = self.objects.add_described(principal.clone(), details, owner, record).await;
        added.map_err(|e| taken(e, principal.object))?;
        Ok(principal)
    }
}

/// `name@domain`, folded.
fn handle(text: &str) -> Result<String, DirectoryError> {
    let text = text.trim();
    let odd = |c: char| c.is_control() || c.is_whitespace() || "'\"/\\()<>,;:".contains(c);
    let fits = text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !domain.contains('@') && !domain.starts_with('.')
    });
    if !fits || text.chars().count() > HANDLE_MAX_CHARS || text.chars().any(odd) {
        return Err(DirectoryError::invalid("'userPrincipalName' must be a name and a domain joined by '@'"));
    }
    Ok(text.to_lowercase())
}

fn nickname(text: &str) -> Result<String, DirectoryError> {
    let odd = |c: char| !c.is_ascii() || c.is_ascii_control() || "@()\\[]\";:<>, ".contains(c);
    if text.is_empty() || text.chars().count() > NICKNAME_MAX_CHARS || text.chars().any(odd) {
        return Err(DirectoryError::invalid(
            "'mailNickname' must have 1 to 64 characters without blanks or @",
        ));
    }
    Ok(text.to_owned())
}

fn taken(error: StoreError, object: ObjectId) -> DirectoryError {
    match error {
        StoreError::Exists(_) => DirectoryError::Taken("userPrincipalName"),
        StoreError::Missing(_) => DirectoryError::NoObject(object.to_string()),
        other => DirectoryError::Store(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_names_are_folded_and_have_one_at() {
        assert_eq!(handle(" Ada@Lab.Example ").unwrap(), "ada@lab.example");
        for bad in ["", "ada", "@lab.example", "ada@lab", "a b@lab.example", "a@b@c.d", "a'b@c.d", "a\n@c.d"]
        {
            assert!(handle(bad).is_err(), "{bad:?}");
        }
        assert!(nickname("my-group").is_ok());
        for bad in ["", "a b", "a@b", "käse", &"n".repeat(65)] {
            assert!(nickname(bad).is_err(), "{bad:?}");
        }
    }
}
