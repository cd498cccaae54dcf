//! Passwords and certificates of applications.

use aws_lc_rs::digest;
use cs_ids::ClientId;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Credential, CredentialHolder, CredentialKind, StoreError};
use cs_time::Timestamp;

use crate::{
    DirectoryError, Label, NewSecret, Principals,
    label::NAME_MAX_CHARS,
    proof::public_key,
    secret::{self, SECRET_DAYS_MAX},
};

/// Passwords and certificates on one ring at most.
const CREDENTIALS_MAX: usize = 100;
const CERTIFICATE_MAX_BYTES: usize = 16 * 1024;
/// A certificate counts until its own end, and at most so long, in days.
const CERTIFICATE_DAYS_MAX: i64 = 3650;
const DAY_SECONDS: i64 = 86_400;

/// One of the two bunches of credentials a client has. Each proves the client; they are shown and changed apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRing {
    pub client: ClientId,
    pub holder: CredentialHolder,
}

impl KeyRing {
    /// What the registered application holds.
    pub fn of_application(client: ClientId) -> Self {
        Self { client, holder: CredentialHolder::Application }
    }

    /// What its service principal holds, and goes with it.
    pub fn of_principal(client: ClientId) -> Self {
        Self { client, holder: CredentialHolder::Principal }
    }
}

/// What a caller says of a new password.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub name: String,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// A certificate to prove oneself with.
#[derive(Debug, Clone)]
pub struct NewCertificate {
    pub der: Vec<u8>,
    pub given: Given,
    /// `keyId`, where the caller chose one.
    pub id: Option<String>,
}

impl Principals {
    /// All on a ring, without the secrets themselves: those are stored as digests only.
    pub async fn credentials(
        &self,
        op: &Operation,
        ring: KeyRing,
    ) -> Result<Vec<Credential>, DirectoryError> {
        let mut all = self.rows.credentials(op.caller.tenant, ring.client).await?;
        all.retain(|c| c.holder == ring.holder);
        Ok(all)
    }

    /// Draws a password. It is answered here and never again.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] for a password that lives too long or never.
    pub async fn add_password(
        &self,
        op: &Operation,
        allowed: &Allowed,
        ring: KeyRing,
        given: Given,
    ) -> Result<NewSecret, DirectoryError> {
        let (from, until) = (given.from.unwrap_or(op.started), given.until);
        let latest = from.max(op.started).plus_seconds(i64::from(SECRET_DAYS_MAX) * DAY_SECONDS);
        let until = until.unwrap_or_else(|| from.plus_seconds(365 * DAY_SECONDS));
        if until <= from || until <= op.started || until > latest {
            return Err(DirectoryError::invalid(
                "'endDateTime' must be after the start, in the future and at most ten years ahead",
            ));
        }
        self.has_room(op, ring).await?;
        let (secret, row) =
            secret::issue(&*self.chance, (op.caller.tenant, ring), (from, until), &label(&given.name)?);
        self.rows.add_credential(row, AuditRecord::done(op, allowed)).await?;
        Ok(secret)
    }

    /// Registers a certificate.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] when it cannot be read, its key is of a kind or size that is not taken (B13), or it
    /// has run out.
    pub async fn add_certificate(
        &self,
        op: &Operation,
        allowed: &Allowed,
        ring: KeyRing,
        new: NewCertificate,
    ) -> Result<Credential, DirectoryError> {
        let row = self.certificate(op, ring, new)?;
        self.has_room(op, ring).await?;
        match self.rows.add_credential(row.clone(), AuditRecord::done(op, allowed)).await {
            Err(StoreError::Exists(_)) => Err(DirectoryError::Taken("keyId")),
            other => Ok(other.map(|()| row)?),
        }
    }

    /// Makes these the certificates on a ring, and no others. One that is named by the id of one that is there stays
    /// as it is.
    ///
    /// # Errors
    /// As [`Principals::add_certificate`].
    pub async fn set_certificates(
        &self,
        op: &Operation,
        allowed: &Allowed,
        ring: KeyRing,
        wanted: Vec<(Option<String>, Option<NewCertificate>)>,
    ) -> Result<(), DirectoryError> {
        let have = self.credentials(op, ring).await?;
        let have: Vec<_> = have.iter().filter(|c| c.kind == CredentialKind::Certificate).collect();
        let stays = |id: &Option<String>| id.as_ref().is_some_and(|id| have.iter().any(|c| c.id == *id));
        let mut new = Vec::new();
        for (id, certificate) in &wanted {
            match certificate {
                _ if stays(id) => {}
                Some(certificate) => new.push(self.certificate(op, ring, certificate.clone())?),
                None => return Err(DirectoryError::invalid("a new key credential needs its 'key'")),
            }
        }
        if wanted.len() > CREDENTIALS_MAX {
            return Err(DirectoryError::TooMany("credentials"));
        }
        for old in have.iter().filter(|c| !wanted.iter().any(|(id, _)| id.as_ref() == Some(&c.id))) {
            let (id, record) = (old.id.clone(), AuditRecord::done(op, allowed));
            self.rows.remove_credential(op.caller.tenant, ring.client, id, record).await?;
        }
        for row in new {
            match self.rows.add_credential(row, AuditRecord::done(op, allowed)).await {
                Err(StoreError::Exists(_)) => return Err(DirectoryError::Taken("keyId")),
                other => other?,
            }
        }
        Ok(())
    }

    /// Takes a password or certificate away.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`].
    pub async fn remove_credential(
        &self,
        op: &Operation,
        allowed: &Allowed,
        ring: KeyRing,
        (kind, id): (CredentialKind, &str),
    ) -> Result<(), DirectoryError> {
        let all = self.credentials(op, ring).await?;
        let known = all.iter().find(|c| c.kind == kind && c.id.eq_ignore_ascii_case(id));
        let known = known.ok_or_else(|| DirectoryError::NoObject(id.chars().take(64).collect()))?;
        let record = AuditRecord::done(op, allowed);
        self.rows.remove_credential(op.caller.tenant, ring.client, known.id.clone(), record).await?;
        Ok(())
    }

    async fn has_room(&self, op: &Operation, ring: KeyRing) -> Result<(), DirectoryError> {
        let there = self.credentials(op, ring).await?.len();
        if there < CREDENTIALS_MAX { Ok(()) } else { Err(DirectoryError::TooMany("credentials")) }
    }

    fn certificate(
        &self,
        op: &Operation,
        ring: KeyRing,
        new: NewCertificate,
    ) -> Result<Credential, DirectoryError> {
        let bad = |why: &str| DirectoryError::invalid(format!("the certificate cannot be used: {why}"));
        if new.der.len() > CERTIFICATE_MAX_BYTES {
            return Err(bad("it is too large"));
        }
        let (rest, read) = x509_parser::parse_x509_certificate(&new.der)
            .map_err(|_| bad("it is no X.509 certificate in DER"))?;
        if !rest.is_empty() {
            return Err(bad("something follows it"));
        }
        public_key(&new.der)
            .ok_or_else(|| bad("its key must be RSA of 2048 to 8192 bits with an exponent from 65537"))?;
        let validity = read.validity();
        let (begins, ends) = (
            Timestamp::from_seconds(validity.not_before.timestamp()),
            Timestamp::from_seconds(validity.not_after.timestamp()),
        );
        let latest = op.started.plus_seconds(CERTIFICATE_DAYS_MAX * DAY_SECONDS);
        let until = new.given.until.unwrap_or(ends).min(ends).min(latest);
        if until <= op.started {
            return Err(bad("it has run out"));
        }
        let print = digest::digest(&digest::SHA256, &new.der);
        let print: String = print.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let named = |id: String| id.parse::<uuid::Uuid>().ok().map(|id| id.to_string());
        Ok(Credential {
            tenant: op.caller.tenant,
            client: ring.client,
            holder: ring.holder,
            id: new.id.and_then(named).unwrap_or_else(|| self.chance.uuid().to_string()),
            kind: CredentialKind::Certificate,
            lookup: Label::text(&print, &label(&new.given.name)?),
            material: new.der.clone(),
            not_before: new.given.from.unwrap_or(begins).max(begins),
            expires: until,
        })
    }
}

/// The old thumbprint of a certificate, by which directories still name it; proves nothing here.
pub fn sha1(der: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec()
}

fn label(name: &str) -> Result<String, DirectoryError> {
    if name.chars().count() > NAME_MAX_CHARS || name.chars().any(char::is_control) {
        return Err(DirectoryError::invalid("the name of a credential has at most 120 characters"));
    }
    Ok(name.trim().to_owned())
}
