//! Every route of blob storage, told apart by method, path and the words of its query (blob.md 5).

use cs_serve::{Door, Needs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    AccountInfo,
    ListContainers,
    CreateContainer,
    GetContainer,
    SetContainerMetadata,
    DeleteContainer,
    ListBlobs,
    PutBlob,
    GetBlob,
    HeadBlob,
    DeleteBlob,
    PutBlock,
    PutBlockList,
    GetBlockList,
    SetMetadata,
    GetMetadata,
    SetProperties,
    UserDelegationKey,
    Batch,
    AbortCopy,
    GetServiceProperties,
    GetContainerAcl,
    SetTier,
    GetTags,
    SetTags,
    LeaseContainer,
    LeaseBlob,
    /// There, but not built yet: 501.
    NotYet,
}

/// What an operation is about, as signatures tell it (`srt`, blob.md 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Service,
    Container,
    Object,
    /// Whoever holds any signature may ask.
    Any,
}

impl Level {
    pub(crate) fn letter(self) -> Option<char> {
        match self {
            Self::Service => Some('s'),
            Self::Container => Some('c'),
            Self::Object => Some('o'),
            Self::Any => None,
        }
    }
}

impl Op {
    /// Level, and the letters of which a signature needs one (blob.md 4.3).
    pub(crate) fn signed_rights(self) -> (Level, &'static str) {
        match self {
            Self::AccountInfo => (Level::Any, ""),
            Self::ListContainers => (Level::Service, "l"),
            Self::CreateContainer => (Level::Container, "cw"),
            Self::GetContainer => (Level::Container, "r"),
            Self::SetContainerMetadata => (Level::Container, "w"),
            // Whoever may delete may also break what keeps them from it.
            Self::LeaseContainer => (Level::Container, "wd"),
            Self::LeaseBlob => (Level::Object, "wd"),
            Self::DeleteContainer => (Level::Container, "d"),
            Self::ListBlobs => (Level::Container, "l"),
            Self::GetBlob | Self::HeadBlob | Self::GetMetadata | Self::GetBlockList => (Level::Object, "r"),
            Self::DeleteBlob => (Level::Object, "d"),
            Self::PutBlob | Self::PutBlock | Self::PutBlockList | Self::SetMetadata | Self::SetProperties => {
                (Level::Object, "w")
            }
            Self::GetServiceProperties => (Level::Service, "r"),
            // A signature cannot make more of itself, see who else may, nor do what is not there.
            Self::UserDelegationKey | Self::GetContainerAcl | Self::NotYet => (Level::Service, ""),
            Self::AbortCopy | Self::SetTier => (Level::Object, "w"),
            Self::GetTags | Self::SetTags => (Level::Object, "t"),
            // The envelope allows nothing by itself.
            Self::Batch => (Level::Any, ""),
        }
    }

    /// Whether a new blob may be made of it with less than the right to write.
    pub(crate) fn makes_blobs(self) -> bool {
        matches!(self, Self::PutBlob | Self::PutBlock | Self::PutBlockList)
    }
}

macro_rules! actions {
    ($($name:ident = $text:literal;)*) => {
        $(pub(crate) const $name: &str = concat!("Microsoft.Storage/storageAccounts/blobServices/", $text);)*
    };
}

actions! {
    SERVICE_READ = "read";
    CONTAINER_READ = "containers/read";
    CONTAINER_ACL = "containers/getAcl/action";
    CONTAINER_WRITE = "containers/write";
    CONTAINER_DELETE = "containers/delete";
    BLOB_READ = "containers/blobs/read";
    BLOB_WRITE = "containers/blobs/write";
    BLOB_ADD = "containers/blobs/add/action";
    BLOB_DELETE = "containers/blobs/delete";
    TAGS_READ = "containers/blobs/tags/read";
    TAGS_WRITE = "containers/blobs/tags/write";
    GET_INFO = "getInfo/action";
    USER_KEY = "generateUserDelegationKey/action";
}

const fn action(
    method: &'static str,
    path: &'static str,
    query: &'static str,
    action: &'static str,
    op: Op,
) -> Door<Op> {
    Door { method, path, query, needs: Needs::Action(action), op }
}

const fn data(
    method: &'static str,
    path: &'static str,
    query: &'static str,
    action: &'static str,
    op: Op,
) -> Door<Op> {
    Door { method, path, query, needs: Needs::Data { action, policy: None }, op }
}

const fn batch(path: &'static str, query: &'static str) -> Door<Op> {
    let needs = Needs::Token("each request in it brings its own proof and is decided on its own");
    Door { method: "POST", path, query, needs, op: Op::Batch }
}

const CONTAINER: &str = "restype=container&!comp";
const BLOB: &str = "/{container}/{blob**}";

/// The first row that fits wins: what has words in its query stands before what has none.
pub(crate) const DOORS: &[Door<Op>] = &[
    action("GET", "/", "comp=list", CONTAINER_READ, Op::ListContainers),
    action("POST", "/", "restype=service&comp=userdelegationkey", USER_KEY, Op::UserDelegationKey),
    action("GET", "/", "restype=service&comp=properties", SERVICE_READ, Op::GetServiceProperties),
    action("GET", "/{container}", "restype=container&comp=acl", CONTAINER_ACL, Op::GetContainerAcl),
    action("HEAD", "/{container}", "restype=container&comp=acl", CONTAINER_ACL, Op::GetContainerAcl),
    batch("/", "comp=batch"),
    batch("/{container}", "restype=container&comp=batch"),
    action("GET", "/", "restype=account&comp=properties", GET_INFO, Op::AccountInfo),
    action("HEAD", "/", "restype=account&comp=properties", GET_INFO, Op::AccountInfo),
    action("GET", "/{container}", "restype=account&comp=properties", GET_INFO, Op::AccountInfo),
    action("HEAD", "/{container}", "restype=account&comp=properties", GET_INFO, Op::AccountInfo),
    data("GET", "/{container}", "restype=container&comp=list", BLOB_READ, Op::ListBlobs),
    action("PUT", "/{container}", CONTAINER, CONTAINER_WRITE, Op::CreateContainer),
    action("GET", "/{container}", CONTAINER, CONTAINER_READ, Op::GetContainer),
    action("HEAD", "/{container}", CONTAINER, CONTAINER_READ, Op::GetContainer),
    action("GET", "/{container}", "restype=container&comp=metadata", CONTAINER_READ, Op::GetContainer),
    action("HEAD", "/{container}", "restype=container&comp=metadata", CONTAINER_READ, Op::GetContainer),
    action(
        "PUT",
        "/{container}",
        "restype=container&comp=metadata",
        CONTAINER_WRITE,
        Op::SetContainerMetadata,
    ),
    action("DELETE", "/{container}", CONTAINER, CONTAINER_DELETE, Op::DeleteContainer),
    action("PUT", "/{container}", "restype=container&comp=lease", CONTAINER_WRITE, Op::LeaseContainer),
    data("PUT", BLOB, "comp=lease", BLOB_WRITE, Op::LeaseBlob),
    data("PUT", BLOB, "comp=block", BLOB_WRITE, Op::PutBlock),
    data("PUT", BLOB, "comp=blocklist", BLOB_WRITE, Op::PutBlockList),
    data("GET", BLOB, "comp=blocklist", BLOB_READ, Op::GetBlockList),
    data("PUT", BLOB, "comp=copy", BLOB_WRITE, Op::AbortCopy),
    data("PUT", BLOB, "comp=tier", BLOB_WRITE, Op::SetTier),
    data("GET", BLOB, "comp=tags", TAGS_READ, Op::GetTags),
    data("PUT", BLOB, "comp=tags", TAGS_WRITE, Op::SetTags),
    data("PUT", BLOB, "comp=metadata", BLOB_WRITE, Op::SetMetadata),
    data("GET", BLOB, "comp=metadata", BLOB_READ, Op::GetMetadata),
    data("HEAD", BLOB, "comp=metadata", BLOB_READ, Op::GetMetadata),
    data("PUT", BLOB, "comp=properties", BLOB_WRITE, Op::SetProperties),
    action("GET", BLOB, "restype=account&comp=properties", GET_INFO, Op::AccountInfo),
    action("HEAD", BLOB, "restype=account&comp=properties", GET_INFO, Op::AccountInfo),
    data("PUT", BLOB, "comp", BLOB_WRITE, Op::NotYet),
    data("GET", BLOB, "comp", BLOB_READ, Op::NotYet),
    data("HEAD", BLOB, "comp", BLOB_READ, Op::NotYet),
    data("POST", BLOB, "comp", BLOB_READ, Op::NotYet),
    data("DELETE", BLOB, "comp", BLOB_DELETE, Op::NotYet),
    data("PUT", BLOB, "", BLOB_WRITE, Op::PutBlob),
    data("GET", BLOB, "", BLOB_READ, Op::GetBlob),
    data("HEAD", BLOB, "", BLOB_READ, Op::HeadBlob),
    data("DELETE", BLOB, "", BLOB_DELETE, Op::DeleteBlob),
    action("GET", "/", "comp", GET_INFO, Op::NotYet),
    action("PUT", "/", "comp", GET_INFO, Op::NotYet),
    action("POST", "/", "comp", GET_INFO, Op::NotYet),
    action("GET", "/{container}", "comp", CONTAINER_READ, Op::NotYet),
    action("PUT", "/{container}", "comp", CONTAINER_WRITE, Op::NotYet),
    action("POST", "/{container}", "comp", CONTAINER_WRITE, Op::NotYet),
    action("DELETE", "/{container}", "comp", CONTAINER_DELETE, Op::NotYet),
];

/// The table, for the tests that knock on every door.
pub fn doors() -> &'static [Door<Op>] {
    DOORS
}
