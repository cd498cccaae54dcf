//! Client secrets.

use std::fmt;

use aws_lc_rs::digest;
use cs_ids::TenantId;
use cs_store::{Credential, CredentialKind};
use cs_time::{Chance, Timestamp};

use crate::{KeyRing, Label};

/// Entropy of a secret. At 256 bits one fast hash is as good as a slow one.
const SECRET_BYTES: usize = 32;

/// The longest a secret may live, in days: ten years and their leap days, for scripts that say `--years N`.
pub const SECRET_DAYS_MAX: u32 = 3653;

/// A secret as its holder keeps it. Shown once, never stored, never printed.
#[derive(Clone)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Draws one: 64 characters of hexadecimal, which every shell, form and configuration file takes as it is.
    pub fn draw(chance: &dyn Chance) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        chance.fill(&mut bytes);
        Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it: SHA-256.
    pub fn digest(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref().to_vec()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(redacted)")
    }
}

/// A secret just made.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// `keyId`: names the secret without telling it.
    pub id: String,
    pub secret: ClientSecret,
    /// Its first characters, by which people tell their secrets apart.
    pub hint: String,
    pub name: String,
    pub begins: Timestamp,
    pub expires: Timestamp,
}

/// Characters of a secret that are shown again. Of 256 bits these are twelve.
const HINT_CHARS: usize = 3;

/// A new secret of a client and the row that remembers it.
pub(crate) fn issue(
    chance: &dyn Chance,
    (tenant, ring): (TenantId, KeyRing),
    (begins, expires): (Timestamp, Timestamp),
    name: &str,
) -> (NewSecret, Credential) {
    let secret = ClientSecret::draw(chance);
    let id = chance.uuid().to_string();
    let hint: String = secret.expose().chars().take(HINT_CHARS).collect();
    let row = Credential {
        tenant,
        client: ring.client,
        holder: ring.holder,
        id: id.clone(),
        kind: CredentialKind::Secret,
        lookup: Label::text(&hint, name),
        material: secret.digest(),
        not_before: begins,
        expires,
    };
    (NewSecret { id, secret, hint, name: name.to_owned(), begins, expires }, row)
}

#[cfg(test)]
mod tests {
    use cs_time::SeededChance;

    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secret = ClientSecret::draw(&SeededChance::new(7));
        assert_eq!(secret.expose().len(), 64);
        assert!(!format!("{secret:?}").contains(secret.expose()));
        assert_eq!(secret.digest().len(), 32);
    }
}
