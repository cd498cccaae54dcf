//! The suites that are a script each below `conformance/`, and the steps that play them with more than the script.

use anyhow::Result;

use super::{Outcome, passed};
use crate::exec::Log;
use crate::ground::Ground;
use crate::suites::{self, Suite};
use crate::tools::{self, Clients};

pub const LAB_SHELL: Suite =
    Suite { name: "lab-shell", script: "lab/lab.sh", clients: &[], public_names: false };
pub const LAB_AZURE: Suite =
    Suite { name: "lab-azure", script: "lab/lab.sh", clients: &[], public_names: true };
pub const AGENT: Suite = Suite { name: "agent", script: "agent/agent.sh", clients: &[], public_names: false };
pub const CERTIFICATES: Suite =
    Suite { name: "certificates", script: "certificates/run.sh", clients: &[], public_names: false };
pub const MATRIX: Suite = Suite {
    name: "matrix",
    script: "matrix/run.sh",
    clients: &[Clients::Python, Clients::Node, Clients::Azcli, Clients::Rust],
    public_names: false,
};
pub const SOURCES: Suite =
    Suite { name: "sources", script: "sources/run.sh", clients: &[Clients::Python], public_names: false };
pub const ENROL: Suite = Suite { name: "enrol", script: "agent/enrol.sh", clients: &[], public_names: false };
pub const AGENT_PROXY: Suite =
    Suite { name: "agent-proxy", script: "agent/proxy.sh", clients: &[], public_names: false };
pub const ENTRA: Suite = Suite { name: "entra", script: "agent/entra.sh", clients: &[], public_names: true };
pub const PYTHON: Suite =
    Suite { name: "python", script: "python/run.sh", clients: &[Clients::Python], public_names: false };
pub const NODE: Suite =
    Suite { name: "node", script: "node/run.sh", clients: &[Clients::Node], public_names: false };
pub const GO: Suite = Suite { name: "go", script: "go/run.sh", clients: &[Clients::Go], public_names: false };
pub const JAVA: Suite =
    Suite { name: "java", script: "java/run.sh", clients: &[Clients::Java], public_names: false };
pub const RUST: Suite =
    Suite { name: "rust-sdk", script: "rust/run.sh", clients: &[Clients::Rust], public_names: false };
/// The sets of SDKs, as they are named in [`Clients::name`].
pub const SDKS: [&Suite; 5] = [&PYTHON, &NODE, &GO, &JAVA, &RUST];
pub const AZ: Suite =
    Suite { name: "az", script: "azcli/run.sh", clients: &[Clients::Azcli], public_names: false };
pub const AZ_AZURE: Suite =
    Suite { name: "az-azure", script: "azcli/run.sh", clients: &[Clients::Azcli], public_names: true };

pub const TOOLS: Suite = Suite { name: "tools", script: "tools/run.sh", clients: &[], public_names: true };
pub const SCHEMATHESIS: Suite = Suite {
    name: "schemathesis",
    script: "schemathesis/run.sh",
    clients: &[Clients::Schemathesis],
    public_names: false,
};
pub const HOSTILE: Suite =
    Suite { name: "hostile", script: "hostile/run.sh", clients: &[], public_names: false };

/// Python, Node, az and Rust, and whatever else this machine can compile: rows of others stay as they are.
pub fn matrix(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(&[("faketime", "faketime")], log)?;
    for clients in [Clients::Go, Clients::Java] {
        if clients.lacks().is_none() {
            clients.install(ground, log)?;
        }
    }
    suite(&MATRIX, ground, log)
}

pub fn tools_step(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(&[("rclone", "rclone")], log)?;
    suite(&TOOLS, ground, log)
}

pub fn suite(suite: &Suite, ground: &Ground, log: &mut Log) -> Result<Outcome> {
    if let Some(lacking) = suite.clients.iter().find_map(|clients| clients.lacks()) {
        return Ok(Outcome::Skipped(lacking));
    }
    passed(suite.run(ground, log))
}

pub fn az(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    passed(suites::with_issuer(&AZ, ground, log))
}

/// The sets of SDKs that this machine can run.
pub fn sdks() -> impl Iterator<Item = &'static Suite> {
    SDKS.into_iter().filter(|suite| suite.clients.iter().all(|clients| clients.lacks().is_none()))
}

pub fn sdk_azure(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    for suite in sdks() {
        Suite { name: "sdk-azure", public_names: true, ..*suite }.run(ground, log)?;
    }
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_its_script() {
        let ground = Ground::find().unwrap();
        for suite in [
            LAB_SHELL,
            LAB_AZURE,
            AGENT,
            AGENT_PROXY,
            CERTIFICATES,
            SOURCES,
            PYTHON,
            NODE,
            GO,
            JAVA,
            RUST,
            AZ,
            AZ_AZURE,
            HOSTILE,
        ] {
            assert!(ground.root.join("conformance").join(suite.script).is_file(), "{}", suite.script);
        }
    }
}
