//! Replies of the token endpoint. v1 writes numbers as strings, v2 as numbers: two shapes, not one.

use serde::Serialize;

/// `POST …/oauth2/v2.0/token`.
#[derive(Debug, Serialize)]
pub struct TokenReplyV2 {
    pub token_type: &'static str,
    /// Seconds, a number: a string is an error for the Rust SDK.
    pub expires_in: i64,
    pub ext_expires_in: i64,
    pub access_token: String,
}

/// `POST …/oauth2/token` with `resource`.
#[derive(Debug, Serialize)]
pub struct TokenReplyV1 {
    pub token_type: &'static str,
    pub expires_in: String,
    pub ext_expires_in: String,
    /// Seconds since 1970.
    pub expires_on: String,
    pub not_before: String,
    pub resource: String,
    pub access_token: String,
}

/// Every failure. `error_description` holds nothing that JSON escapes: the Rust SDK borrows it as text.
#[derive(Debug, Serialize)]
pub struct ErrorReply {
    pub error: &'static str,
    pub error_description: String,
    pub error_codes: [i32; 1],
    /// `YYYY-MM-DD HH:MM:SSZ`, a blank and no `T`.
    pub timestamp: String,
    pub trace_id: String,
    pub correlation_id: String,
    pub error_uri: String,
}
