//! The root key and the tenants' keys below it. The root key is never in the database.

use std::{collections::HashMap, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use cs_ids::TenantId;
use cs_seal::{Aad, Key};
use cs_store::Tenant;
use cs_time::Chance;

use super::data::{self, DataDirectory};
use crate::failure::{Attempt, Failure};

/// Takes the root key from the environment instead of the file: 64 hexadecimal digits.
const VARIABLE: &str = "COUNTERSIGN_ROOT_KEY";
const FILE: &str = "root.key";

/// The root key of a site: from the environment, or from the file in the data directory. `None` where there is none yet.
pub fn root(folder: &Path) -> Result<Option<Key>, Failure> {
    if let Ok(text) = std::env::var(VARIABLE) {
        return from_hex(text.trim())
            .map(Some)
            .ok_or_else(|| Failure::failed(format!("{VARIABLE} is not 64 hexadecimal digits")));
    }
    let path = folder.join(FILE);
    let Some(text) = data::read(&path)? else { return Ok(None) };
    let mode =
        std::fs::metadata(&path).attempt(format_args!("reading {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure::failed(format!("{} may be read by others than its owner", path.display()))
            .hint(format!("chmod 600 {} and consider its secrets known", path.display())));
    }
    std::str::from_utf8(&text)
        .ok()
        .and_then(|t| from_hex(t.trim()))
        .map(Some)
        .ok_or_else(|| Failure::failed(format!("{} is damaged: not 64 hexadecimal digits", path.display())))
}

/// The root key of a database that holds these tenants. It is made at the first start, and never again: another key
/// opens nothing.
pub fn root_for(
    known: Option<Key>,
    tenants: &[Tenant],
    data: &DataDirectory,
    chance: &dyn Chance,
) -> Result<Key, Failure> {
    if let Some(key) = known {
        return Ok(key);
    }
    if !tenants.is_empty() {
        return Err(Failure::failed(format!(
            "{} is missing, and without it the site's secrets cannot be read",
            data.file(FILE).display()
        ))
        .hint(format!("put the root key of this site back, or give it as {VARIABLE}")));
    }
    let key = Key::draw(chance);
    keep(&key, data)?;
    Ok(key)
}

/// Writes a root key into a data directory that has none.
pub fn keep(key: &Key, data: &DataDirectory) -> Result<(), Failure> {
    let text: String = key.expose().iter().map(|b| format!("{b:02x}")).collect();
    data.write(FILE, text.as_bytes(), 0o600).map(drop)
}

/// A root key somebody kept in a file of their own.
pub fn from_file(path: &Path) -> Result<Key, Failure> {
    let text = std::fs::read_to_string(path).attempt(format_args!("reading {}", path.display()))?;
    from_hex(text.trim())
        .ok_or_else(|| Failure::failed(format!("{} holds no 64 hexadecimal digits", path.display())))
}

fn from_hex(text: &str) -> Option<Key> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Key::from_bytes(bytes))
}

fn place(tenant: TenantId) -> Aad {
    Aad::of_tenant_key(tenant)
}

/// Makes a tenant's key, wrapped under the root key.
pub fn new_tenant_key(root: &Key, tenant: TenantId, chance: &dyn Chance) -> Vec<u8> {
    root.wrap(&place(tenant), &Key::draw(chance), chance)
}

/// The opened keys of all tenants.
pub fn of_tenants(root: &Key, tenants: &[Tenant]) -> Result<HashMap<TenantId, Arc<Key>>, Failure> {
    tenants
        .iter()
        .map(|t| {
            let key = root.unwrap(&place(t.id), &t.wrapped_key).map_err(|_| {
                Failure::failed("the root key does not open this site's keys")
                    .hint("it belongs to another site's database")
            })?;
            Ok((t.id, Arc::new(key)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use cs_time::SeededChance;

    use super::*;

    #[test]
    fn h08_a_root_key_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(dir.path()).unwrap();
        let chance = SeededChance::new(1);
        assert!(root(dir.path()).unwrap().is_none());
        let made = root_for(None, &[], &data, &chance).unwrap();
        assert_eq!(root(dir.path()).unwrap().unwrap().expose(), made.expose());
        std::fs::set_permissions(data.file(FILE), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(root(dir.path()).is_err());
    }

    #[test]
    fn a_lost_root_key_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(dir.path()).unwrap();
        let tenant = Tenant {
            id: uuid::Uuid::from_u128(1).into(),
            display_name: String::new(),
            domain: String::new(),
            wrapped_key: Vec::new(),
            created: cs_time::Timestamp::default(),
        };
        assert!(root_for(None, &[tenant], &data, &SeededChance::new(1)).is_err());
        assert!(!data.file(FILE).exists());
    }
}
