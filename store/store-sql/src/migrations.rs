//! The schema: numbered texts, forward only. Never change one that has been released; add the next.

pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_site.sql"),
    include_str!("../migrations/0002_secrets.sql"),
    include_str!("../migrations/0003_blobs.sql"),
    include_str!("../migrations/0004_block_checksums.sql"),
    include_str!("../migrations/0005_directory.sql"),
    include_str!("../migrations/0006_rules.sql"),
    include_str!("../migrations/0007_leases.sql"),
    include_str!("../migrations/0008_credential_holders.sql"),
    include_str!("../migrations/0009_sealed_as.sql"),
    include_str!("../migrations/0010_enrolment.sql"),
    include_str!("../migrations/0011_listings.sql"),
    include_str!("../migrations/0012_walks.sql"),
    include_str!("../migrations/0013_deleted.sql"),
    include_str!("../migrations/0014_machine_ids.sql"),
];

#[cfg(test)]
mod tests {
    use crate::engine::{Dialect, migration_texts};

    #[test]
    fn machines_made_before_are_found_by_their_ids() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        for (number, text) in migration_texts(Dialect::Sqlite) {
            if text.contains("ADD COLUMN vm_key") {
                for (id, kind, properties) in [
                    ("a", "microsoft.hybridcompute/machines", r#"{"vmId": "AbC"}"#),
                    ("b", "microsoft.hybridcompute/machines", "{}"),
                    ("c", "microsoft.keyvault/vaults", r#"{"vmId": "AbC"}"#),
                ] {
                    let sql = "INSERT INTO resources (tenant, id_key, id, subscription, group_key, kind_key, kind,
                                 name_key, location, tags, extra, properties, created, updated, created_by, updated_by, generation)
                               VALUES ('t', ?1, ?1, 's', 'g', ?2, ?2, ?1, 'local', '{}', '{}', ?3, 0, 0, '', '', 1)";
                    database.execute(sql, [id, kind, properties]).unwrap();
                }
            }
            database.execute_batch(&text).unwrap_or_else(|e| panic!("{number}: {e}"));
        }
        let found: Vec<String> = database
            .prepare("SELECT id || vm_key FROM resources ORDER BY id")
            .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
            .unwrap();
        assert_eq!(found, ["aabc", "b", "c"]);
    }
}
