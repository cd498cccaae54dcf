//! The private certificate authority of a site, and the leaves it signs on the fly.
//!
//! The CA is made at first start and name-constrained to the site's own names and loopback, so that trusting it
//! gives nobody power over other names. A leaf is made when a client first names a host (SNI): a new vault or
//! account is reachable at once. Leaves live for days and are renewed without a restart.

mod authority;
mod clients;
mod java;
mod leaves;
mod requests;
mod signed;

pub use authority::{CertificateAuthority, PkiError};
pub use clients::{CLIENT_SECONDS, ClientAuthority, ClientKey, serial_number};
pub use java::java_trust_store;
pub use leaves::{Leaves, database_server_config, server_config};
pub use requests::{BadRequest, ClientRequest};
