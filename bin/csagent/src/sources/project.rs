//! Workload identity: a token of this machine in a file, kept fresh, which clients show to the authority in exchange for
//! a token of whoever trusts it (metadata.md 5).

use std::{collections::HashMap, path::Path};

use cs_agent::sources::{Entry, What};
use cs_broker::{Identity, IssueError, MachineFacts as _};
use cs_metadata::{Metadata, Pinned};

use super::{
    environment,
    file::{access, pinned},
};
use crate::{
    facts::Live,
    state::{Place, State},
    whole::{self, Access},
};

/// The token files, and what stands in them.
pub struct Projector {
    entries: Vec<Entry>,
    /// By name of the source: what was written last.
    written: HashMap<String, String>,
}

impl Projector {
    pub fn new(entries: &[Entry]) -> Self {
        let tokens = |entry: &&Entry| matches!(entry.what, What::Token { .. });
        Self { entries: entries.iter().filter(tokens).cloned().collect(), written: HashMap::new() }
    }

    /// Writes what is due: to be called every minute or so. The broker renews tokens well before their end, so that a
    /// client that keeps what it read for ten minutes never holds one that has run out.
    pub async fn refresh(&mut self, place: &Place, live: &Live, parts: &Metadata) {
        for at in 0..self.entries.len() {
            let entry = self.entries[at].clone();
            let What::Token { client, audience, file } = &entry.what else { continue };
            match token(&entry, audience, live, parts).await {
                Ok(token) => self.write(&entry, file, client, &token, place),
                Err(IssueError::Unreachable(why)) => {
                    tracing::warn!(source = entry.name, why, "the token file could not be renewed yet");
                }
                // Whoever is not this machine's identity any more leaves no token lying about.
                Err(IssueError::Refused { text, .. } | IssueError::Revoked(text)) => {
                    tracing::warn!(source = entry.name, why = text, "there is no token for this source");
                    drop(std::fs::remove_file(file));
                    self.written.remove(&entry.name);
                }
            }
        }
    }

    fn write(&mut self, entry: &Entry, file: &Path, client: &str, token: &str, place: &Place) {
        if self.written.get(&entry.name).is_some_and(|known| known == token) && file.exists() {
            return;
        }
        let outcome = whole::write(file, token.as_bytes(), access(entry)).and_then(|()| {
            match (&entry.environment_file, place.load()) {
                (Some(at), Ok(Some(state))) => write_environment(at, file, client, &state, access(entry)),
                _ => Ok(()),
            }
        });
        match outcome {
            Ok(()) => drop(self.written.insert(entry.name.clone(), token.to_owned())),
            Err(error) => {
                tracing::error!(source = entry.name, file = %file.display(), %error, "the token file could not be written");
            }
        }
    }
}

fn write_environment(
    at: &Path,
    file: &Path,
    client: &str,
    state: &State,
    access: Access,
) -> std::io::Result<()> {
    let lines = environment(&[
        ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
        ("AZURE_CLIENT_ID", client.to_owned()),
        ("AZURE_TENANT_ID", state.tenant_id.clone()),
        ("AZURE_AUTHORITY_HOST", format!("{}/", state.authority.trim_end_matches('/'))),
    ]);
    whole::write(at, lines.as_bytes(), access)
}

async fn token(entry: &Entry, audience: &str, live: &Live, parts: &Metadata) -> Result<String, IssueError> {
    let identities = live.identities().await;
    let only = pinned(entry).unwrap_or(Pinned::System);
    let missing = || IssueError::Refused {
        code: "identity_not_found".to_owned(),
        text: "this identity is not attached to the machine".to_owned(),
    };
    let identity: &Identity = identities.iter().find(|i| only.is(i)).ok_or_else(missing)?;
    parts
        .broker
        .token(identity, audience, parts.chance.uuid().into())
        .await
        .map(|token| token.access_token.clone())
}
