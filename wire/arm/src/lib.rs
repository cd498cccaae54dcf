//! Wire types of Azure Resource Manager and Microsoft Graph, as `protocol/arm.md` and `rbac.md` describe them.
//! <https://learn.microsoft.com/rest/api/resources/>, <https://learn.microsoft.com/graph/api/overview>

mod authorization;
mod cloud;
mod described;
mod error;
mod filter;
pub mod graph;
pub mod headers;
mod inventory;
pub mod kql;
mod list;
mod provider;
mod resource;
mod server;
mod subscription;
mod tags;
mod vault;

pub use authorization::{
    RoleAssignment, RoleAssignmentBody, RoleAssignmentProperties, RoleDefinition, RoleDefinitionBody,
    RoleDefinitionProperties, RolePermission,
};
pub use cloud::{Authentication, Cloud, OldAuthentication, OldCloud, Suffixes};
pub use described::check as check_described;
pub use error::{ErrorBody, ErrorEnvelope};
pub use filter::{BadFilter, Filter};
pub use inventory::{GraphOptions, GraphQuestion};
pub use list::{Count, List};
pub use provider::{
    CatalogueOperation, CatalogueProvider, CatalogueType, Provider, ProviderOperation,
    ProviderOperationDisplay, ProviderType,
};
pub use resource::{BadBody, ExportQuestion, ExportReply, MoveBody, ResourceBody, SystemData, tag_map};
pub use server::{
    CertificateBackend, CertificateQuestion, CertificateReply, GatewayKey, GatewayPrincipal, GatewayQuestion,
    GatewayRecord, GatewayRecords, GatewayReply, GatewayRule,
};
pub use subscription::{Location, LocationMetadata, SubscriptionPolicies, SubscriptionReply, TenantReply};
pub use tags::{TagNameReply, TagValueReply, TagsBody, TagsProperties, TagsReply};
pub use vault::{
    AccountKeyReply, AccountKeys, AccountSas, AccountSasQuestion, DeletedVault, DeletedVaultProperties,
    KeyQuestion, NameAvailability, NameQuestion, SasBounds, ServiceSas, ServiceSasQuestion,
};
