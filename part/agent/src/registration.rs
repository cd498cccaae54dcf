//! What the agent kept of itself: the registration of its machine, and what it last heard and met.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What this version writes.
pub const VERSION: u32 = 1;

/// The registration of this machine. What later versions add has a default, so that older files stay good.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct State {
    pub version: u32,
    /// The resource manager's address, no slash at the end.
    pub site: String,
    /// PEM text of the CA to trust beside the system's roots.
    pub ca: Option<String>,
    /// `https://login…/`
    pub authority: String,
    /// What the resource manager's tokens are for.
    pub audience: String,
    /// The name the site gives its cloud.
    #[serde(default)]
    pub cloud: String,
    pub tenant_id: String,
    pub subscription_id: String,
    pub resource_group: String,
    pub resource_name: String,
    pub resource_id: String,
    pub location: String,
    pub vm_id: String,
    pub principal_id: String,
    pub client_id: String,
    /// As they were when it was connected; see [`Status::tags`].
    pub tags: Vec<(String, String)>,
    #[serde(default)]
    pub correlation_id: String,
    /// What it proves itself with where it is an application of a directory and no machine of a site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
}

/// What the daemon last heard and met; lost without harm.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Status {
    pub last_heartbeat: Option<String>,
    /// As last heard from the site.
    pub tags: Option<Vec<(String, String)>>,
    pub error_code: String,
    pub error_details: String,
    pub error_timestamp: String,
    /// Where the daemon listens.
    pub himds: Option<String>,
}

/// What an application proves itself with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// In a file beside the registration.
    Certificate,
    /// A signed token of another issuer in a file that is kept fresh: read for each request.
    FederatedToken(PathBuf),
}

impl State {
    /// Reads a registration, also of an older version.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if state.version > VERSION {
            return Err("it was written by a newer agent".to_owned());
        }
        Ok(state)
    }
}
