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
];
