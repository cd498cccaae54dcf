//! The operations of the services beside the resource manager, for the catalogue that roles are written from.
//!
//! The resource manager's own are in its tables. Each service has a test that its doors ask for nothing that is not here.

/// An operation and whether it is one over data: then roles name it in `dataActions`.
pub const SERVED_OPERATIONS: &[(&str, bool)] = &[
    ("Microsoft.KeyVault/vaults/secrets/backup/action", true),
    ("Microsoft.KeyVault/vaults/secrets/delete", true),
    ("Microsoft.KeyVault/vaults/secrets/getSecret/action", true),
    ("Microsoft.KeyVault/vaults/secrets/purge/action", true),
    ("Microsoft.KeyVault/vaults/secrets/readMetadata/action", true),
    ("Microsoft.KeyVault/vaults/secrets/recover/action", true),
    ("Microsoft.KeyVault/vaults/secrets/restore/action", true),
    ("Microsoft.KeyVault/vaults/secrets/setSecret/action", true),
    ("Microsoft.KeyVault/vaults/secrets/update/action", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/read", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/write", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", true),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/delete", false),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/getAcl/action", false),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/read", false),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/write", false),
    ("Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action", false),
    ("Microsoft.Storage/storageAccounts/blobServices/getInfo/action", false),
    ("Microsoft.Storage/storageAccounts/blobServices/read", false),
];
