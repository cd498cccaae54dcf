//! Everything `countersign run` needs from the operating system: a private machine for one command.
//!
//! Azure's clients look for fixed things in fixed places: metadata at 169.254.169.254 and port 40342, challenge files in
//! `/var/opt/azcmagent/tokens`, names that resolve, a trusted CA, port 443. [`Sandbox::enter`] moves the calling process
//! into user, mount and network namespaces where all of that is ours, and the machine outside stays as it was. It must
//! be called while the process has one thread, so before any async runtime. Afterwards the process has its own user id
//! again and may bind every port:
//!
//! ```ignore
//! let sandbox = Sandbox::enter(&plan)?;                    // fn main, before the runtime
//! runtime.block_on(async {
//!     dns::Answerer::bind(zone).await?.start();            // wildcard names
//!     start_the_site_on_127_0_0_1_443_80_and_40342().await?;
//!     Errand::new("curl", args).with(environment.settings()).finding_first(sandbox.programs()).run().await
//! });
//! ```
//!
//! Where the kernel refuses, the error says so, says what to do, and nothing has changed ([`SandboxError::untouched`]):
//! the caller may go on with a proxy and the same [`ClientEnvironment`] and [`Errand`].

pub mod bridge;
pub mod dns;
pub mod environment;
#[cfg(unix)]
mod errand;
mod error;
#[cfg(unix)]
mod forked;
#[cfg(target_os = "linux")]
mod loopback;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod outfit;
mod plan;
#[cfg(unix)]
pub mod proxy;
mod sandbox;
#[cfg(target_os = "linux")]
mod spaces;
mod zone;

pub use environment::{
    AppService, ClientEnvironment, Kept, Metadata, MetadataSource, Reach, Setting, SiteFacts,
};
#[cfg(unix)]
pub use errand::{Errand, ErrandError, Outcome};
pub use error::{Knob, SandboxError};
pub use plan::{CHALLENGE_DIRECTORY, Plan};
pub use sandbox::Sandbox;
pub use zone::Zone;
