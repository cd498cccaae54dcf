//! Names of attributes and suboperations, spelled once (rbac.md 7.3, 7.4).

/// `@Resource`, all blob requests.
pub const ACCOUNT_NAME: &str = "Microsoft.Storage/storageAccounts:name";
/// `@Resource`, wherever a container is named.
pub const CONTAINER_NAME: &str = "Microsoft.Storage/storageAccounts/blobServices/containers:name";
/// `@Resource`, one blob: no container name, no leading slash, not URL-encoded.
pub const BLOB_PATH: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path";
/// `@Resource`, one blob, boolean.
pub const BLOB_IS_CURRENT_VERSION: &str =
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:isCurrentVersion";
/// `@Request`, list of blobs; left out when the list has no prefix.
pub const BLOB_PREFIX: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix";
/// `@Request`, date-time.
pub const BLOB_SNAPSHOT: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:snapshot";
/// `@Request`, date-time.
pub const BLOB_VERSION: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:versionId";
/// `@Resource` of an existing blob, `@Request` of tags being set: list of keys.
pub const BLOB_TAG_KEYS: &str =
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags&$keys$&";

/// One tag, `@Resource` or `@Request` as [`BLOB_TAG_KEYS`]; the key keeps its case.
pub fn blob_tag(key: &str) -> String {
    format!(
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags:{key}<$key_case_sensitive$>"
    )
}

/// `@Request` of `roleAssignments/write`, `@Resource` of `roleAssignments/delete`: GUID.
pub const ROLE_DEFINITION_ID: &str = "Microsoft.Authorization/roleAssignments:RoleDefinitionId";
/// As [`ROLE_DEFINITION_ID`].
pub const PRINCIPAL_ID: &str = "Microsoft.Authorization/roleAssignments:PrincipalId";
/// As [`ROLE_DEFINITION_ID`]; text.
pub const PRINCIPAL_TYPE: &str = "Microsoft.Authorization/roleAssignments:PrincipalType";

/// Suboperation of `blobs/read`.
pub const BLOB_LIST: &str = "Blob.List";
/// Suboperation of `blobs/write`.
pub const BLOB_WRITE_TIER: &str = "Blob.Write.Tier";
/// Suboperation of `blobs/write` and `blobs/add/action`, when `x-ms-tags` is sent.
pub const BLOB_WRITE_WITH_TAGS: &str = "Blob.Write.WithTagHeaders";
