//! Header names (arm.md 1.1, 1.2), spelled once.

pub const REQUEST_ID: &str = "x-ms-request-id";
pub const CORRELATION_ID: &str = "x-ms-correlation-request-id";
pub const ROUTING_ID: &str = "x-ms-routing-request-id";
pub const CLIENT_REQUEST_ID: &str = "x-ms-client-request-id";

/// What is left of the caller's bucket, and of the whole subscription's.
pub const SUBSCRIPTION_READS: &[&str] =
    &["x-ms-ratelimit-remaining-subscription-reads", "x-ms-ratelimit-remaining-subscription-global-reads"];
pub const SUBSCRIPTION_WRITES: &[&str] =
    &["x-ms-ratelimit-remaining-subscription-writes", "x-ms-ratelimit-remaining-subscription-global-writes"];
pub const SUBSCRIPTION_DELETES: &[&str] = &[
    "x-ms-ratelimit-remaining-subscription-deletes",
    "x-ms-ratelimit-remaining-subscription-global-deletes",
];
/// Outside a subscription.
pub const TENANT_READS: &[&str] = &["x-ms-ratelimit-remaining-tenant-reads"];
pub const TENANT_WRITES: &[&str] = &["x-ms-ratelimit-remaining-tenant-writes"];
/// Graph's names (no `x-ms-`).
pub const GRAPH_REQUEST_ID: &str = "request-id";
pub const GRAPH_CLIENT_REQUEST_ID: &str = "client-request-id";
