//! What a site remembers: models, and one repository trait per kind of thing.
//!
//! Each method of a trait is **one transaction**: when it returns `Ok`, the change, its audit record and the raised
//! revision are durable together; when it returns an error, nothing of it is there. Absence is `None`.
//! Methods that hand out secret values or blob bytes take the proof of a decision
//! (`cs_rbac::Allowed`), so that a forgotten check does not compile.
//!
//! `store-sql` implements every trait for SQLite and PostgreSQL from one SQL source.

mod assignments;
mod audit;
mod blob_rows;
mod blobs;
mod directory;
mod error;
mod fresh;
mod join_tokens;
mod leases;
mod machine_keys;
mod objects;
mod part;
mod resources;
mod rules;
mod secrets;
mod site;
mod survey;

pub use assignments::{Assignment, AssignmentFilter, Assignments};
pub use audit::{AuditLog, AuditOutcome, AuditQuery, AuditRecord};
pub use blob_rows::{
    AccountPlace, BlobExpect, BlobNote, BlobProperties, BlobRow, BlockRow, ContainerRow, Expected,
    LeaseChange, Segment,
};
pub use blobs::{Blobs, UNCOMMITTED_MAX, after_prefix};
pub use directory::{Credential, CredentialHolder, CredentialKind, Directory, Principal, PrincipalKind};
pub use error::StoreError;
pub use fresh::{Changes, Fresh};
pub use join_tokens::{JoinToken, JoinTokens, JoinUse};
pub use leases::{Lease, LeaseKey, LeaseRefusal, LeaseState};
pub use machine_keys::{Beat, Beaten, MachineKeyRing, MachineKeys, ReplacedKey};
pub use objects::{
    Application, Details, DirectoryObjects, FederatedCredential, FederatedCredentials, LinkKind, Membership,
    NameIs, PrincipalChange,
};
pub use part::{Part, Place};
pub use resources::{
    AttachedIdentity, DeletedFilter, Expect, HostKind, HostOwner, NewPrincipal, Resource, ResourceFilter,
    ResourceWrite, Resources, Subscription, TagUse, attached_identities,
};
pub use rules::{AccessRules, DenyRow, Lock, LockLevel, Locks, RoleRow, RuleChanges};
pub use secrets::{DeletedSecret, NextValue, SecretChange, SecretRow, Secrets, VaultPlace};
pub use site::{Planting, SigningKeyRow, Site, Tenant};
pub use survey::{Mark, SealedSecret, Survey, WrappedKey};

/// A position in a tenant's stream of changes to principals and assignments. Raised in the changing transaction.
pub type Revision = i64;
