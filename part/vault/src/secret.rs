//! Secrets: what a vault does with them.

use cs_rbac::{Allowed, Operation};
use cs_seal::Aad;
use cs_store::{AuditRecord, NextValue, SecretChange, SecretRow, StoreError};
use cs_time::Timestamp;
use zeroize::Zeroizing;

use crate::{OpenVault, VaultError, Vaults};

/// A value holds at most this many bytes of UTF-8 (keyvault.md 4).
pub const VALUE_MAX_BYTES: usize = 25_600;
const CONTENT_TYPE_MAX_CHARS: usize = 255;
const TAGS_MAX: usize = 15;
const TAG_NAME_MAX_CHARS: usize = 256;
const TAG_VALUE_MAX_CHARS: usize = 256;
const TIMES_OUT_OF_ORDER: &str = "The attribute exp must be later than nbf.";

/// A secret to be set.
pub struct NewSecret {
    pub name: String,
    pub value: Zeroizing<String>,
    pub content_type: Option<String>,
    pub tags: Vec<(String, String)>,
    pub enabled: bool,
    pub not_before: Option<i64>,
    pub expires: Option<i64>,
}

/// A version of a secret, with its value where that was asked for.
#[derive(Debug)]
pub struct Secret {
    pub row: SecretRow,
    pub value: Option<Zeroizing<String>>,
}

pub(crate) fn place_of(vault: &OpenVault, name: &str, version: &str) -> Aad {
    Aad::of_secret(vault.tenant, &vault.sealed_as, name, version)
}

impl Vaults {
    /// Sets a secret: a new version, which becomes the newest.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn set(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        new: NewSecret,
    ) -> Result<Secret, VaultError> {
        let mut row = self.version_of(vault, &new)?;
        let audit = AuditRecord::done(op, allowed);
        let stored = self.parts.secrets.set_secret(allowed, vault.place.clone(), row.clone(), audit).await;
        row.name = stored.map_err(|error| match error {
            StoreError::Conflict(_) => VaultError::Deleted(row.name.clone()),
            other => other.into(),
        })?;
        row.sealed.clear();
        Ok(Secret { row, value: Some(new.value) })
    }

    /// The same, where no secret of the name is there.
    ///
    /// # Errors
    /// [`VaultError::Exists`] where one is, and those of [`Vaults::set`].
    pub async fn create(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        new: NewSecret,
    ) -> Result<Secret, VaultError> {
        let mut row = self.version_of(vault, &new)?;
        let audit = AuditRecord::done(op, allowed);
        let only = vec![row.clone()];
        self.parts.secrets.restore_secret(allowed, vault.place.clone(), only, audit).await.map_err(
            |error| match error {
                StoreError::Exists(_) => VaultError::Exists(row.name.clone()),
                StoreError::Conflict(_) => VaultError::Deleted(row.name.clone()),
                other => other.into(),
            },
        )?;
        row.sealed.clear();
        Ok(Secret { row, value: Some(new.value) })
    }

    /// Another value of a secret that is there: a new version, which keeps of the newest what `change` does not name.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn replace_value(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        (name, value): (&str, &str),
        change: SecretChange,
    ) -> Result<SecretRow, VaultError> {
        let tags = change.tags.as_deref().unwrap_or_default();
        check(value.len(), change.content_type.as_deref(), tags, change.not_before, change.expires)?;
        let now = whole_seconds(self.parts.clock.now());
        let (version, sealed) = self.seal_value(vault, name, value);
        let next = NextValue { name: name.to_owned(), version, sealed };
        let audit = AuditRecord::done(op, allowed);
        let place = vault.place.clone();
        let made = self.parts.secrets.replace_value(allowed, place, next, change, now, audit).await;
        made.map_err(out_of_order)?.ok_or_else(|| VaultError::NoSuchSecret(name.to_owned()))
    }

    /// The id of a new version, and its value as it is stored.
    fn seal_value(&self, vault: &OpenVault, name: &str, value: &str) -> (String, Vec<u8>) {
        let version = self.parts.chance.uuid().simple().to_string();
        let sealed = vault.key.seal(&place_of(vault, name, &version), value.as_bytes(), &*self.parts.chance);
        (version, sealed)
    }

    /// A new version of what was given, sealed.
    fn version_of(&self, vault: &OpenVault, new: &NewSecret) -> Result<SecretRow, VaultError> {
        check(new.value.len(), new.content_type.as_deref(), &new.tags, new.not_before, new.expires)?;
        let (version, sealed) = self.seal_value(vault, &new.name, &new.value);
        let now = whole_seconds(self.parts.clock.now());
        Ok(SecretRow {
            name: new.name.clone(),
            version,
            sealed,
            content_type: new.content_type.clone(),
            tags: new.tags.clone(),
            enabled: new.enabled,
            not_before: new.not_before,
            expires: new.expires,
            created: now,
            updated: now,
        })
    }

    /// Reads a secret's value; answered only after its audit record is durable.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn get(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
        version: Option<&str>,
    ) -> Result<Secret, VaultError> {
        let version = version.map(str::to_ascii_lowercase);
        let found =
            self.parts.secrets.secret(allowed, vault.place.clone(), name.to_owned(), version.clone()).await?;
        let shown = || version.as_ref().map_or_else(|| name.to_owned(), |v| format!("{name}/{v}"));
        let outcome = match found {
            None => Err(VaultError::NoSuchSecret(shown())),
            Some(row) if !row.enabled => Err(VaultError::Disabled(row.name)),
            Some(row) => Ok(row),
        };
        let record = match &outcome {
            Ok(_) => AuditRecord::done(op, allowed),
            Err(error) => AuditRecord::failed(op, allowed, &error.to_string()),
        };
        self.parts.audit.append(vec![record]).await?;
        let mut row = outcome?;
        let plain = vault
            .key
            .open(&place_of(vault, &row.name, &row.version), &row.sealed)
            .map_err(|_| VaultError::Sealed)?;
        let value = String::from_utf8(plain.to_vec()).map(Zeroizing::new).map_err(|_| VaultError::Sealed)?;
        row.sealed.clear();
        Ok(Secret { row, value: Some(value) })
    }

    /// # Errors
    /// [`VaultError`].
    pub async fn update(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
        version: Option<&str>,
        change: SecretChange,
    ) -> Result<Secret, VaultError> {
        let tags = change.tags.as_deref().unwrap_or_default();
        check(0, change.content_type.as_deref(), tags, change.not_before, change.expires)?;
        let now = whole_seconds(self.parts.clock.now());
        let version = version.map(str::to_ascii_lowercase);
        let audit = AuditRecord::done(op, allowed);
        let updated = self
            .parts
            .secrets
            .update_secret(allowed, vault.place.clone(), name.to_owned(), version.clone(), change, now, audit)
            .await
            .map_err(out_of_order)?;
        let shown = || version.as_ref().map_or_else(|| name.to_owned(), |v| format!("{name}/{v}"));
        updated.map(|row| Secret { row, value: None }).ok_or_else(|| VaultError::NoSuchSecret(shown()))
    }

    /// The newest versions after a folded name, without values; one more than `limit` tells that there are more.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn list(
        &self,
        allowed: &Allowed,
        vault: &OpenVault,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SecretRow>, VaultError> {
        Ok(self.parts.secrets.secrets(allowed, vault.place.clone(), after.to_owned(), limit).await?)
    }

    /// The newest version of a secret without its value, disabled or not.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn newest(
        &self,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
    ) -> Result<Option<SecretRow>, VaultError> {
        let found = self.parts.secrets.secret(allowed, vault.place.clone(), name.to_owned(), None).await?;
        Ok(found.map(|row| SecretRow { sealed: Vec::new(), ..row }))
    }

    /// Versions of a secret after one of them; empty for a secret that is not there.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn versions(
        &self,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SecretRow>, VaultError> {
        let place = vault.place.clone();
        Ok(self
            .parts
            .secrets
            .secret_versions(allowed, place, name.to_owned(), after.to_owned(), limit)
            .await?)
    }

    /// Records that somebody was refused; durable on return.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn record(&self, record: AuditRecord) -> Result<(), VaultError> {
        Ok(self.parts.audit.append(vec![record]).await?)
    }
}

/// What a change of a version is refused for by the store, which alone knows the version.
fn out_of_order(error: StoreError) -> VaultError {
    match error {
        StoreError::Conflict(_) => VaultError::Invalid(TIMES_OUT_OF_ORDER.to_owned()),
        other => other.into(),
    }
}

/// Times on the wire are whole seconds; what is stored is what is answered.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_seconds(time.seconds())
}

fn check(
    value: usize,
    content_type: Option<&str>,
    tags: &[(String, String)],
    not_before: Option<i64>,
    expires: Option<i64>,
) -> Result<(), VaultError> {
    let invalid = |text: String| Err(VaultError::Invalid(text));
    if value > VALUE_MAX_BYTES {
        return invalid(format!("The value of the secret is larger than {VALUE_MAX_BYTES} bytes."));
    }
    if content_type.is_some_and(|t| t.chars().count() > CONTENT_TYPE_MAX_CHARS) {
        return invalid(format!("The contentType is longer than {CONTENT_TYPE_MAX_CHARS} characters."));
    }
    if content_type.is_some_and(|t| t.contains('\0')) {
        return invalid("The contentType holds the character NUL.".to_owned());
    }
    if tags.len() > TAGS_MAX {
        return invalid(format!("More than {TAGS_MAX} tags are given."));
    }
    let long = |(name, value): &(String, String)| {
        name.is_empty()
            || name.chars().count() > TAG_NAME_MAX_CHARS
            || value.chars().count() > TAG_VALUE_MAX_CHARS
    };
    if tags.iter().any(long) {
        return invalid(format!(
            "A tag's name or value is empty or longer than {TAG_VALUE_MAX_CHARS} characters."
        ));
    }
    if let (Some(from), Some(until)) = (not_before, expires) {
        if until <= from {
            return invalid(TIMES_OUT_OF_ORDER.to_owned());
        }
    }
    Ok(())
}
