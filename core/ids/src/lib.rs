//! Identifiers of a site, each a type of its own.
//!
//! A `TenantId` and an `ObjectId` are both UUIDs and never interchangeable: parsing happens once, at the edge,
//! and from then on the type is the evidence. UUIDs print in lower case, because clients compare them as text
//! (arm.md trap 6). Resource ids compare without regard to case and print as they were created.

mod names;
mod resource_id;
mod scope;
mod uuids;

pub use names::{
    AccountName, BadName, ContainerName, GroupName, MachineName, SecretName, ServerName, VaultName,
};
pub use resource_id::{BadResourceId, ResourceId, ResourceType};
pub use scope::{BadScope, Scope};
pub use uuids::{BadUuid, ClientId, CorrelationId, ObjectId, SubscriptionId, TenantId};
