//! `csagent connect --join-token`: connected by a one-time token instead of somebody's credential.

use std::path::Path;

use cs_agent::words;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    credential,
    failure::{Attempt, Failure, Kind},
    site::{self, Cloud},
};

const API_VERSION: &str = "2026-11-01";

/// The token that was given: itself, the name of a file that holds it, or `-` for standard input.
pub fn token(given: &str) -> Result<String, Failure> {
    let text = match given {
        "-" => credential::standard_input("the join token")?,
        text if text.starts_with(words::JOIN_TOKEN) => text.to_owned(),
        file => {
            std::fs::read_to_string(Path::new(file)).attempt(format_args!("reading --join-token {file}"))?
        }
    };
    if let Some(token) = words::join_token(&text) {
        return Ok(token.to_owned());
    }
    Err(Failure::new(Kind::Usage, "--join-token is no join token").code("AZCM0012").hint(
        "`countersign machine join-token create` prints one; give it in a file, or by standard input with -",
    ))
}

/// Spends the token for this machine. The same request again, with the same key, is told the same.
pub async fn join(
    client: &reqwest::Client,
    cloud: &Cloud,
    token: &str,
    (name, group, subscription): (&str, Option<&str>, Option<&str>),
    mut machine: Value,
) -> Result<Value, Failure> {
    if let Some(all) = machine.as_object_mut() {
        all.insert("joinToken".to_owned(), json!(token));
        all.insert("name".to_owned(), json!(name));
        all.insert("resourceGroup".to_owned(), json!(group));
        all.insert("subscriptionId".to_owned(), json!(subscription));
    }
    let url = format!("{}/providers/Countersign.Enrolment/join?api-version={API_VERSION}", cloud.site);
    site::call(client, "joining the site", Method::POST, &url, None, Some(&machine)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_itself_or_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "csj1_abc-_9\n").unwrap();
        assert_eq!(token(file.to_str().unwrap()).unwrap(), "csj1_abc-_9");
        assert_eq!(token("csj1_abc").unwrap(), "csj1_abc");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----").unwrap();
        for bad in [file.to_str().unwrap(), "csj1_a b", "csj1_é"] {
            let failure = token(bad).unwrap_err();
            assert_eq!(failure.kind, Kind::Usage, "{bad}");
            assert!(!failure.message.contains("csj1_"), "an error repeats no token: {}", failure.message);
        }
        assert_eq!(token("/nowhere/at/all").unwrap_err().kind, Kind::Failed);
    }
}
