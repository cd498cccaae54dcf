//! The root key and the tenants' keys below it. The root key is never in the database.

use std::{collections::HashMap, os::unix::fs::PermissionsExt, sync::Arc};

use cs_ids::TenantId;
use cs_seal::{Aad, Key};
use cs_store::Tenant;
use cs_time::Chance;

use super::data::DataDirectory;
use crate::failure::{Attempt, Failure};

/// Takes the root key from the environment instead of the file: 64 hexadecimal digits.
const VARIABLE: &str = "COUNTERSIGN_ROOT_KEY";
const FILE: &str = "root.key";

/// The root key of a site: from the environment, or from the file in the data directory, made at first start.
pub fn root(data: &DataDirectory, chance: &dyn Chance) -> Result<Key, Failure> {
    if let Ok(text) = std::env::var(VARIABLE) {
        return from_hex(text.trim())
            .ok_or_else(|| Failure::failed(format!("{VARIABLE} is not 64 hexadecimal digits")));
    }
    let path = data.file(FILE);
    if let Some(text) = data.read(FILE)? {
        let mode = std::fs::metadata(&path)
            .attempt(format_args!("reading {}", path.display()))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Failure::failed(format!("{} may be read by others than its owner", path.display()))
                .hint(format!("chmod 600 {} and consider its secrets known", path.display())));
        }
        return std::str::from_utf8(&text).ok().and_then(|t| from_hex(t.trim())).ok_or_else(|| {
            Failure::failed(format!("{} is damaged: not 64 hexadecimal digits", path.display()))
        });
    }
    if data.file("site.db").exists() {
        return Err(Failure::failed(format!(
            "{} is missing, and without it the site's secrets cannot be read",
            path.display()
        ))
        .hint(format!("put the root key of this site back, or give it as {VARIABLE}")));
    }
    let key = Key::draw(chance);
    let text: String = key.expose().iter().map(|b| format!("{b:02x}")).collect();
    data.write(FILE, text.as_bytes(), 0o600)?;
    Ok(key)
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
    Aad::of("tenant key").field(tenant)
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
        let made = root(&data, &chance).unwrap();
        assert_eq!(root(&data, &chance).unwrap().expose(), made.expose());
        std::fs::set_permissions(data.file(FILE), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(root(&data, &chance).is_err());
    }

    #[test]
    fn a_lost_root_key_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(dir.path()).unwrap();
        std::fs::write(data.file("site.db"), b"").unwrap();
        assert!(root(&data, &SeededChance::new(1)).is_err());
        assert!(!data.file(FILE).exists());
    }
}
