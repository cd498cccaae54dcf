//! Secrets from a vault, with the machine's identity: the vault says whom it trusts, HIMDS (or IMDS) gives the token.

use std::{collections::HashMap, fs, io::Read, path::Path};

use cs_agent::{
    certificates::{Observed, Settings},
    words,
};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{
    config,
    failure::{Attempt, Failure, Kind},
    run::CHALLENGES,
    site,
    state::Place,
};

const API_VERSION: &str = "7.4";
/// Clients refuse longer challenge files (metadata.md 1.2).
const CHALLENGE_MAX_BYTES: u64 = 4096;

/// A certificate with its key, as the vault keeps it.
pub struct Secret {
    pub value: String,
    pub version: String,
}

/// The vaults and the identity, for one round.
pub struct Source {
    vaults: reqwest::Client,
    here: reqwest::Client,
    endpoint: String,
    client_id: Option<String>,
    /// Where challenges may lie.
    challenges: [std::path::PathBuf; 2],
    /// By resource.
    tokens: HashMap<String, String>,
}

impl Source {
    /// `given`: whom to trust instead of the CA this machine was connected with.
    pub fn new(settings: &Settings, place: &Place, given: Option<&str>) -> Result<Self, Failure> {
        let connected = place.load()?.and_then(|state| state.ca);
        let ca = given.or(connected.as_deref());
        let here = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(30));
        Ok(Self {
            vaults: site::client(ca, &config::load(place)?)?,
            here: here.build().attempt("preparing the connection to the agent")?,
            endpoint: settings.endpoint.clone(),
            client_id: settings.client_id.clone(),
            challenges: [CHALLENGES.into(), place.at("tokens")],
            tokens: HashMap::new(),
        })
    }

    pub async fn secret(&mut self, observed: &Observed) -> Result<Secret, Failure> {
        const WHAT: &str = "reading the secret";
        let version = observed.version.as_ref().map(|v| format!("/{v}")).unwrap_or_default();
        let url = format!("{}/secrets/{}{version}?api-version={API_VERSION}", observed.vault, observed.name);
        let resource = self.resource(&url).await?;
        let token = match self.tokens.get(&resource) {
            Some(token) => token.clone(),
            None => self.token(&resource).await?,
        };
        self.tokens.insert(resource, token.clone());
        let found = site::call(&self.vaults, WHAT, Method::GET, &url, Some(&token), None).await?;
        let text = |name: &str| found.get(name).and_then(Value::as_str);
        let id = text("id").and_then(|id| id.rsplit('/').next()).unwrap_or_default();
        let fits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        match text("value") {
            Some(value) if fits => Ok(Secret { value: value.to_owned(), version: id.to_owned() }),
            _ => Err(Failure::failed(format!("{WHAT}: the vault's answer cannot be read"))),
        }
    }

    /// What the vault wants a token for: it says so to whoever brings none. A vault may name its own domain only, or a
    /// stranger's address could collect tokens for other vaults.
    async fn resource(&self, url: &str) -> Result<String, Failure> {
        const WHAT: &str = "asking the vault what it wants a token for";
        let answer = self.vaults.get(url).send().await.map_err(|e| site::unreachable(WHAT, &e))?;
        let challenge =
            answer.headers().get("www-authenticate").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let named = words::vault_resource(challenge).ok_or_else(|| {
            Failure::failed(format!("{WHAT}: it answers {} and names none", answer.status()))
        })?;
        let host = answer.url().host_str().unwrap_or_default().to_ascii_lowercase();
        let of = reqwest::Url::parse(&named).ok().and_then(|u| u.host_str().map(str::to_ascii_lowercase));
        if of.is_some_and(|domain| host.ends_with(&format!(".{domain}"))) {
            return Ok(named);
        }
        Err(Failure::new(Kind::Refused, format!("{WHAT}: it names {named}, which is not its own domain")))
    }

    async fn token(&self, resource: &str) -> Result<String, Failure> {
        const WHAT: &str = "asking the agent for a token";
        let mut query = vec![("api-version", "2020-06-01"), ("resource", resource)];
        query.extend(self.client_id.as_deref().map(|id| ("client_id", id)));
        let ask = || self.here.get(&self.endpoint).query(&query).header("Metadata", "true");
        let first = ask().send().await.map_err(|e| not_there(WHAT, &e))?;
        let answer = if first.status() == StatusCode::UNAUTHORIZED {
            let realm = first.headers().get("www-authenticate").and_then(|v| v.to_str().ok());
            let file = realm.and_then(|r| r.strip_prefix("Basic realm=")).unwrap_or_default();
            let key = challenge(Path::new(file), &self.challenges)?;
            let again = ask().header("Authorization", format!("Basic {key}"));
            again.send().await.map_err(|e| not_there(WHAT, &e))?
        } else {
            first
        };
        let (status, reply) = site::read(WHAT, answer).await?;
        let text = |name: &str| reply.get(name).and_then(Value::as_str);
        match text("access_token") {
            Some(token) if status.is_success() => Ok(token.to_owned()),
            _ => {
                let said = text("error_description").or_else(|| text("message")).unwrap_or("no token");
                let kind = if status.is_server_error() { Kind::Unreachable } else { Kind::Refused };
                Err(Failure::new(kind, format!("{WHAT}: {said}")))
            }
        }
    }
}

fn not_there(what: &str, error: &reqwest::Error) -> Failure {
    Failure::new(Kind::Unreachable, format!("{what}: {}", crate::failure::chain(error)))
        .hint("is it running? `systemctl status himdsd`, or `csagent run`")
}

/// The content of a challenge's file, which must lie where the agent puts them: whoever has the port could else have any
/// file read and sent to them (A27).
fn challenge(file: &Path, directories: &[std::path::PathBuf; 2]) -> Result<String, Failure> {
    let what = format!("reading the challenge {}", file.display());
    let ours = file.parent().is_some_and(|parent| directories.iter().any(|d| d == parent));
    if !ours || file.extension().is_none_or(|e| e != "key") {
        return Err(Failure::new(Kind::Refused, format!("{what}: the agent puts none there")));
    }
    let found = fs::symlink_metadata(file).attempt(&what)?;
    if !found.is_file() || found.len() > CHALLENGE_MAX_BYTES {
        return Err(Failure::new(Kind::Refused, format!("{what}: it is no challenge")));
    }
    let mut text = String::new();
    fs::File::open(file)
        .and_then(|f| f.take(CHALLENGE_MAX_BYTES).read_to_string(&mut text))
        .attempt(&what)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a27_no_file_is_read_but_a_challenge() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, elsewhere) = (dir.path().join("tokens"), dir.path().join("other"));
        fs::create_dir(&tokens).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let allowed = [tokens.clone(), "/var/opt/azcmagent/tokens".into()];
        fs::write(tokens.join("a.key"), "secret").unwrap();
        assert_eq!(challenge(&tokens.join("a.key"), &allowed).unwrap(), "secret");
        fs::write(elsewhere.join("b.key"), "other").unwrap();
        fs::write(tokens.join("c.txt"), "other").unwrap();
        fs::write(tokens.join("long.key"), "x".repeat(5000)).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("b.key"), tokens.join("link.key")).unwrap();
        for bad in ["../other/b.key", "c.txt", "long.key", "link.key", "missing.key"] {
            assert!(challenge(&tokens.join(bad), &allowed).is_err(), "{bad}");
        }
        assert!(challenge(&elsewhere.join("b.key"), &allowed).is_err());
    }
}
