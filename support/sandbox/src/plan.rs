//! What the private machine shall look like.

use std::path::PathBuf;

/// The one directory from which Azure's clients accept a challenge file
/// (MSAL, "Azure Arc managed identity": the path in the challenge must lie in it).
pub const CHALLENGE_DIRECTORY: &str = "/var/opt/azcmagent/tokens";

/// What [`crate::Sandbox::enter`] shows to the process and its children.
#[derive(Debug, Clone)]
pub struct Plan {
    /// An existing directory for this run alone: the hosts file and the `sudo` of the private machine are written here.
    /// Whoever made it removes it afterwards.
    pub directory: PathBuf,
    /// PEM file with the system's roots and ours, shown in place of the system's bundle.
    pub ca_bundle: PathBuf,
    /// Existing directory shown as [`CHALLENGE_DIRECTORY`]; the agent writes its challenge files into it.
    pub tokens: PathBuf,
    /// Names for the hosts file, for clients that do not ask our DNS answerer. May be empty.
    pub names: Vec<String>,
    /// Also show `/opt/azcmagent/bin/himds`, by which MSAL recognises a connected machine when the environment was
    /// cleared. Left out silently where `/opt` cannot be rearranged; [`crate::Sandbox::shows_agent_file`] tells.
    pub agent_file: bool,
}
