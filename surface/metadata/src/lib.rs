//! The metadata services of a machine: HIMDS (with its challenge), IMDS, and their siblings App Service and Cloud Shell.
//!
//! All are plain HTTP on loopback, where browsers, proxies and DNS rebinding are the dangers; `rules.rs` holds the
//! checks in the order the documents give them, `instance.rs` the instance document, `token.rs` the token path,
//! `siblings.rs` the other two, `source.rs` listeners that serve one identity of several.

mod attested;
mod callers;
mod doors;
mod events;
mod failure;
mod instance;
mod looks;
mod owner;
mod pace;
mod processes;
mod rules;
mod said;
mod service;
mod siblings;
mod source;
mod targets;
mod token;
mod versions;

pub use callers::Callers;
pub use doors::{Op, app_service_doors, cloud_shell_doors, himds_doors, imds_doors};
pub use rules::ProxyHeaders;
pub use service::{Metadata, Service};
pub use source::{Pinned, Secret, Source};
