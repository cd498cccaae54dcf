//! The PostgreSQL protocol as far as a gateway needs it: what comes before and during authentication, the shape of
//! errors, and where messages begin and end afterwards.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>. All integers are big-endian; a length
//! counts itself. Nothing here trusts a length before it was compared with a bound (G03).

mod extended;
mod first;
mod framing;
mod message;
mod report;

pub use extended::{read_row, statement};
pub use first::{
    CancelKey, First, GSS_REQUEST, Malformed, SSL_REQUEST, Startup, Version, cancel_request, first_length,
    read_first, startup,
};
pub use framing::Framing;
pub use message::{
    BackendKey, PASSWORD_MAX_BYTES, TERMINATE, authentication_cleartext, authentication_ok, backend_key_data,
    message, message_length, negotiate_protocol, parse, password, query, read_backend_key, read_password,
    ready_for_query,
};
pub use report::{ErrorFields, Report, Severity};
