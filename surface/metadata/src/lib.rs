//! The metadata services of a machine: HIMDS (with its challenge), IMDS, and the App Service source.
//!
//! Both are plain HTTP on loopback, where browsers, proxies and DNS rebinding are the dangers; `rules.rs` holds the
//! checks in the order the documents give them, `instance.rs` the instance document, `token.rs` the token path.

mod attested;
mod doors;
mod failure;
mod instance;
mod owner;
mod pace;
mod rules;
mod service;
mod token;
mod versions;

pub use doors::{Op, himds_doors, imds_doors};
pub use service::{Metadata, Service};
