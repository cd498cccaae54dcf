//! Error codes of blob storage: one table, and one `match` from the part's errors (blob.md 3 to 6).

use cs_authority::TokenRefusal;
use cs_blob::{Account, BlobError, LeaseFault, LeaseRefusal};
use cs_serve::{Context, Response, empty, full};
use cs_time::Timestamp;
use http::{HeaderValue, StatusCode, header};

/// A code with its status and sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    status: u16,
    code: &'static str,
    message: &'static str,
}

macro_rules! codes {
    ($($name:ident = $status:literal, $code:literal, $message:expr;)*) => {
        impl Code {
            $(pub(crate) const $name: Self = Self { status: $status, code: $code, message: $message };)*
        }
    };
}

const AUTHENTICATE: &str = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";

codes! {
    RESOURCE_NOT_FOUND = 404, "ResourceNotFound", "The specified resource does not exist.";
    CONTAINER_NOT_FOUND = 404, "ContainerNotFound", "The specified container does not exist.";
    BLOB_NOT_FOUND = 404, "BlobNotFound", "The specified blob does not exist.";
    CONTAINER_EXISTS = 409, "ContainerAlreadyExists", "The specified container already exists.";
    BLOB_EXISTS = 409, "BlobAlreadyExists", "The specified blob already exists.";
    CONDITION_NOT_MET = 412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.";
    NOT_MODIFIED = 304, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.";
    MULTIPLE_CONDITIONS = 400, "MultipleConditionHeadersNotSupported", "Multiple condition headers are not supported.";
    INVALID_RANGE = 416, "InvalidRange", "The range specified is invalid for the current size of the resource.";
    INVALID_RESOURCE_NAME = 400, "InvalidResourceName", "The specified resource name contains invalid characters.";
    OUT_OF_RANGE_INPUT = 400, "OutOfRangeInput", "One of the request inputs is out of range.";
    INVALID_URI = 400, "InvalidUri", "The requested URI does not represent any resource on the server.";
    INVALID_QUERY = 400, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid.";
    OUT_OF_RANGE_QUERY = 400, "OutOfRangeQueryParameterValue", "One of the query parameters specified in the request URI is outside the permissible range.";
    MISSING_QUERY = 400, "MissingRequiredQueryParameter", "A query parameter that's mandatory for this request is not specified.";
    MISSING_HEADER = 400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified.";
    INVALID_HEADER = 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.";
    UNSUPPORTED_HEADER = 400, "UnsupportedHeader", "One of the HTTP headers specified in the request is not supported.";
    INVALID_METADATA = 400, "InvalidMetadata", "The metadata specified is invalid. It has characters that are not permitted.";
    METADATA_TOO_LARGE = 400, "MetadataTooLarge", "The size of the specified metadata exceeds the maximum size permitted.";
    MD5_MISMATCH = 400, "Md5Mismatch", "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
    CRC64_MISMATCH = 400, "Crc64Mismatch", "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.";
    BOTH_CHECKSUMS = 400, "BothCrc64AndMd5HeaderPresent", "Both x-ms-content-crc64 and Content-MD5 are given: send one of them.";
    INVALID_MD5 = 400, "InvalidMd5", "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64-encoded.";
    INVALID_BLOCK_ID = 400, "InvalidQueryParameterValue", "The block id is not base64 of at most 64 bytes.";
    INVALID_BLOB_OR_BLOCK = 400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.";
    INVALID_BLOCK_LIST = 400, "InvalidBlockList", "The specified block list is invalid.";
    BLOCK_LIST_TOO_LONG = 400, "BlockListTooLong", "The block list may not contain more than 50,000 blocks.";
    TOO_MANY_UNCOMMITTED = 409, "BlockCountExceedsLimit", "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.";
    LEASE_ID_MISSING = 412, "LeaseIdMissing", "There is currently a lease on the resource and no lease ID was specified in the request.";
    LEASE_LOST = 412, "LeaseLost", "A lease ID was specified, but the lease has expired.";
    LEASE_NOT_PRESENT_BLOB = 412, "LeaseNotPresentWithBlobOperation", "There is currently no lease on the blob.";
    LEASE_NOT_PRESENT_CONTAINER = 412, "LeaseNotPresentWithContainerOperation", "There is currently no lease on the container.";
    LEASE_MISMATCH_BLOB = 412, "LeaseIdMismatchWithBlobOperation", "The lease ID specified did not match the lease ID for the blob.";
    LEASE_MISMATCH_CONTAINER = 412, "LeaseIdMismatchWithContainerOperation", "The lease ID specified did not match the lease ID for the container.";
    LEASE_TAKEN = 409, "LeaseAlreadyPresent", "There is already a lease present.";
    LEASE_OTHER_ID = 409, "LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID for the resource.";
    LEASE_NONE = 409, "LeaseNotPresentWithLeaseOperation", "There is currently no lease on the resource.";
    LEASE_BREAKING_ACQUIRED = 409, "LeaseIsBreakingAndCannotBeAcquired", "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken.";
    LEASE_BREAKING_CHANGED = 409, "LeaseIsBreakingAndCannotBeChanged", "The lease ID matched, but the lease is currently in breaking state and cannot be changed.";
    LEASE_BROKEN_RENEWED = 409, "LeaseIsBrokenAndCannotBeRenewed", "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.";
    CUSTOMER_KEYS = 409, "UnsupportedHeader", "Keys and encryption scopes of the customer are not supported.";
    PUBLIC_ACCESS = 409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.";
    INVALID_XML = 400, "InvalidXmlDocument", "XML specified is not syntactically valid.";
    INCOMPLETE_BODY = 400, "InvalidInput", "The request body is not of the length that was announced.";
    BODY_TOO_LARGE = 413, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit.";
    NO_AUTHENTICATION = 401, "NoAuthenticationInformation", AUTHENTICATE;
    INVALID_AUTHENTICATION = 401, "InvalidAuthenticationInfo", AUTHENTICATE;
    AUTHENTICATION_FORMAT = 400, "InvalidAuthenticationInfo", "Authentication information is not given in the correct format. Check the value of Authorization header.";
    AUTHENTICATION_FAILED = 403, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";
    RESOURCE_TYPE_MISMATCH = 403, "AuthorizationResourceTypeMismatch", "This request is not authorized to perform this operation using this resource type.";
    SERVICE_MISMATCH = 403, "AuthorizationServiceMismatch", "This request is not authorized to perform this operation using this service.";
    PROTOCOL_MISMATCH = 403, "AuthorizationProtocolMismatch", "This request is not authorized to perform this operation using this protocol.";
    SOURCE_IP_MISMATCH = 403, "AuthorizationSourceIPMismatch", "This request is not authorized to perform this operation using this source IP.";
    CANNOT_VERIFY_SOURCE = 403, "CannotVerifyCopySource", "The source of a copy must be a blob of this account that the caller may read; nothing is fetched from other addresses.";
    SOURCE_CONDITION_NOT_MET = 412, "SourceConditionNotMet", "The source condition specified using HTTP conditional header(s) is not met.";
    NO_PENDING_COPY = 409, "NoPendingCopyOperation", "There is currently no pending copy operation.";
    INVALID_BATCH = 400, "InvalidInput", "The batch is not one of at most 256 deletions of blobs.";
    INVALID_TAG = 400, "InvalidTag", "A blob has at most 10 tags; keys have 1 to 128 characters, values up to 256, of letters, digits, blank and +-./:=_.";
    INVALID_XML_VALUE = 400, "InvalidXmlNodeValue", "The value for one of the XML nodes is not in the correct format.";
    HTTPS_REQUIRED = 400, "AccountRequiresHttps", "The account being accessed does not support http.";
    KEYS_OFF = 403, "KeyBasedAuthenticationNotPermitted", "Key based authentication is not permitted on this storage account.";
    PERMISSION_MISMATCH = 403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.";
    WRITE_TO_SECONDARY = 403, "WriteOperationNotSupportedOnSecondary", "Write operations are not allowed at the secondary endpoint.";
    UNSUPPORTED_VERB = 405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.";
    NOT_IMPLEMENTED = 501, "NotImplemented", "The requested operation is not implemented on the specified resource.";
    SERVER_BUSY = 503, "ServerBusy", "The server is currently unable to receive requests. Please retry your request.";
    INTERNAL = 500, "InternalError", "The server encountered an internal error. Please retry the request.";
    FULL = 507, "InsufficientStorage", "The server has no space left.";
}

/// A failure on its way to the wire.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    challenge: Option<String>,
    more: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self { code, challenge: None, more: Vec::new(), headers: Vec::new() }
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}

impl Failure {
    /// Names the header and its value: Python turns exactly this into help about versions.
    pub(crate) fn header(name: &'static str, value: &str) -> Self {
        let more = vec![("HeaderName", name.to_owned()), ("HeaderValue", shown(value))];
        Self { more, ..Code::INVALID_HEADER.into() }
    }

    /// A signature, key or scheme that proves nothing, with what is wrong about it.
    pub(crate) fn authentication(detail: String) -> Self {
        Self { more: vec![("AuthenticationErrorDetail", detail)], ..Code::AUTHENTICATION_FAILED.into() }
    }

    pub(crate) fn missing_header(name: &'static str) -> Self {
        Self { more: vec![("HeaderName", name.to_owned())], ..Code::MISSING_HEADER.into() }
    }

    pub(crate) fn query(code: Code, name: &'static str, value: &str) -> Self {
        let more = vec![("QueryParameterName", name.to_owned()), ("QueryParameterValue", shown(value))];
        Self { more, ..code.into() }
    }

    /// The challenge has blanks and no quotes, unlike Key Vault's: Node does not strip them (blob.md 1.1).
    pub(crate) fn unauthorized(context: &Context, account: &Account, refusal: Option<TokenRefusal>) -> Self {
        let detail = match &refusal {
            None => None,
            Some(TokenRefusal::Unconfirmed) => return Code::SERVER_BUSY.into(),
            Some(TokenRefusal::Expired(_)) => Some("Lifetime validation failed. The token is expired."),
            Some(TokenRefusal::NotYetValid) => {
                Some("Lifetime validation failed. The token is not yet valid.")
            }
            Some(TokenRefusal::Audience { .. }) => {
                Some("Audience validation failed. Audience did not match.")
            }
            Some(TokenRefusal::Issuer { .. }) => Some("Issuer validation failed. Issuer did not match."),
            Some(TokenRefusal::Principal) => Some("The principal of the token is disabled or gone."),
            Some(TokenRefusal::Malformed | TokenRefusal::Signature) => Some("Signature validation failed."),
        };
        let login = context.address.login();
        let challenge = format!(
            "Bearer authorization_uri={login}/{}/oauth2/authorize resource_id=https://storage.azure.com",
            account.tenant
        );
        let code = if refusal.is_none() { Code::NO_AUTHENTICATION } else { Code::INVALID_AUTHENTICATION };
        let more = detail.map(|d| ("AuthenticationErrorDetail", d.to_owned())).into_iter().collect();
        Self { challenge: Some(challenge), more, ..code.into() }
    }

    pub(crate) fn answer(self, head: bool, request_id: &str, now: Timestamp) -> Response {
        let status = StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let bodyless = head || status == StatusCode::NOT_MODIFIED;
        let more: Vec<(&str, &str)> = self.more.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut response = match bodyless {
            true => http::Response::new(empty()),
            false => {
                let xml =
                    cs_wire_blob::error(self.code.code, self.code.message, request_id, &now.iso7(), &more);
                let length = xml.len();
                let mut response = http::Response::new(full(xml));
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
                response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                response
            }
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("x-ms-error-code", HeaderValue::from_static(self.code.code));
        if let Some(Ok(challenge)) = self.challenge.map(|c| HeaderValue::from_str(&c)) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The same refusal has a code of its own where it is about a container.
impl Failure {
    pub(crate) fn of_container(mut self) -> Self {
        for (of_blob, of_container) in [
            (Code::LEASE_MISMATCH_BLOB, Code::LEASE_MISMATCH_CONTAINER),
            (Code::LEASE_NOT_PRESENT_BLOB, Code::LEASE_NOT_PRESENT_CONTAINER),
        ] {
            if self.code == of_blob {
                self.code = of_container;
            }
        }
        self
    }
}

fn of_lease(fault: LeaseFault) -> Code {
    match fault {
        LeaseFault::Taken => Code::LEASE_TAKEN,
        LeaseFault::BreakingAcquired => Code::LEASE_BREAKING_ACQUIRED,
        LeaseFault::BreakingChanged => Code::LEASE_BREAKING_CHANGED,
        LeaseFault::BrokenRenewed => Code::LEASE_BROKEN_RENEWED,
        LeaseFault::OtherId => Code::LEASE_OTHER_ID,
        LeaseFault::None => Code::LEASE_NONE,
    }
}

pub(crate) fn of_part(error: BlobError) -> Failure {
    match error {
        BlobError::ContainerExists => Code::CONTAINER_EXISTS.into(),
        BlobError::NoSuchContainer => Code::CONTAINER_NOT_FOUND.into(),
        BlobError::NoSuchBlob => Code::BLOB_NOT_FOUND.into(),
        BlobError::BlobExists => Code::BLOB_EXISTS.into(),
        BlobError::ConditionNotMet => Code::CONDITION_NOT_MET.into(),
        BlobError::InvalidRange { length } => Failure {
            headers: vec![("content-range", format!("bytes */{length}"))],
            ..Code::INVALID_RANGE.into()
        },
        BlobError::Md5Mismatch { given, computed } => Failure {
            more: vec![("UserSpecifiedMd5", given), ("ServerCalculatedMd5", computed)],
            ..Code::MD5_MISMATCH.into()
        },
        BlobError::Crc64Mismatch { given, computed } => Failure {
            more: vec![("UserSpecifiedCrc64", given), ("ServerCalculatedCrc64", computed)],
            ..Code::CRC64_MISMATCH.into()
        },
        BlobError::OnlyNew => Code::PERMISSION_MISMATCH.into(),
        BlobError::TooManyUncommitted => Code::TOO_MANY_UNCOMMITTED.into(),
        BlobError::InvalidBlockList => Code::INVALID_BLOCK_LIST.into(),
        BlobError::BlockIdLength => Code::INVALID_BLOB_OR_BLOCK.into(),
        BlobError::TooManyBlocks => Code::BLOCK_LIST_TOO_LONG.into(),
        BlobError::TooLarge(_) => Code::BODY_TOO_LARGE.into(),
        BlobError::BrokenOff => Code::INCOMPLETE_BODY.into(),
        BlobError::Leased(LeaseRefusal::Missing) => Code::LEASE_ID_MISSING.into(),
        BlobError::Leased(LeaseRefusal::Lost) => Code::LEASE_LOST.into(),
        BlobError::Leased(LeaseRefusal::Mismatch) => Code::LEASE_MISMATCH_BLOB.into(),
        BlobError::Leased(LeaseRefusal::NotPresent) => Code::LEASE_NOT_PRESENT_BLOB.into(),
        BlobError::Lease(fault) => of_lease(fault).into(),
        BlobError::Store(store) if store.is_unstorable() => Code::OUT_OF_RANGE_INPUT.into(),
        BlobError::Bytes(_) | BlobError::Store(_) => {
            let mut cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            if let BlobError::Store(store) = &error {
                cause = store.to_string();
            }
            tracing::error!(%error, cause, "a blob request could not be carried out");
            if error.is_full() {
                Code::FULL.into()
            } else if error.is_away() {
                Code::SERVER_BUSY.into()
            } else {
                Code::INTERNAL.into()
            }
        }
    }
}
