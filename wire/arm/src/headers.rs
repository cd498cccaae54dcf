//! Header names (arm.md 1.1, 1.2), spelled once.

pub const REQUEST_ID: &str = "x-ms-request-id";
pub const CORRELATION_ID: &str = "x-ms-correlation-request-id";
pub const ROUTING_ID: &str = "x-ms-routing-request-id";
pub const CLIENT_REQUEST_ID: &str = "x-ms-client-request-id";
pub const REMAINING_PREFIX: &str = "x-ms-ratelimit-remaining";
/// Graph's names (no `x-ms-`).
pub const GRAPH_REQUEST_ID: &str = "request-id";
pub const GRAPH_CLIENT_REQUEST_ID: &str = "client-request-id";
