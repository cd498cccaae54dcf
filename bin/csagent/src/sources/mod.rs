//! Sources beside HIMDS, one for each container, namespace or job that needs an identity of its own.
//!
//! They are named in `sources.json` in the agent's data directory (or `--sources FILE`):
//!
//! ```json
//! {"sources": [
//!   {"name": "web", "kind": "app-service", "listen": "127.0.0.1:41001", "identity": "IDENTITY'S CLIENT ID",
//!    "environment_file": "/run/csagent/web.env", "group": "web"},
//!   {"name": "pod", "kind": "imds", "socket": "/run/csagent/pod.sock", "identity": "system"},
//!   {"name": "job", "kind": "workload-identity", "client_id": "APPLICATION", "token_file": "/run/csagent/job.token"}
//! ]}
//! ```
//!
//! Clients are told the same way on the public cloud: by variables, which the agent writes into the environment file.

mod file;
mod listen;
mod project;

pub use file::{FILE, load};
pub use listen::bind;
pub use project::Projector;

/// Lines for a service's `EnvironmentFile=` and a container's `--env-file`: no quotes, so no line may need any.
fn environment(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}
