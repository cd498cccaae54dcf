//! Steps 10 to 17: on the connected machine, with nothing but curl.

use reqwest::Method;
use serde_json::Value;

use super::{Lab, SECRET, UPLOAD, call::Call};
use crate::failure::{Attempt, Failure};

impl Lab {
    pub(super) async fn be_the_machine(&mut self) -> Result<(), Failure> {
        self.say("\n--- On the machine: no password, no configuration");
        self.instance().await?;
        let token = self.token("https://management.azure.com").await?;
        self.tags(&token).await?;
        let token = self.token("https://vault.azure.net").await?;
        self.secret(&token).await?;
        let token = self.token("https://storage.azure.com").await?;
        self.blob(&token).await?;
        self.closed().await
    }

    async fn instance(&mut self) -> Result<(), Failure> {
        let url = format!("{}/metadata/instance?api-version=2020-06-01", self.ready.himds);
        let answer =
            self.step("The machine asks who it is", Call::get(url).header("Metadata", "true"), 200).await?;
        let document = answer.json();
        let id = self.text(&document, "/compute/resourceId")?;
        let machine = self.ready.machine.as_ref().map(|m| m.resource_id.clone()).unwrap_or_default();
        self.expect(id.eq_ignore_ascii_case(&machine), "the instance document names another machine")?;
        let tag = document
            .pointer("/compute/tagsList")
            .and_then(Value::as_array)
            .and_then(|tags| tags.iter().find(|t| t["name"] == "scenario").map(|t| t["value"].clone()));
        self.expect(
            tag == Some(Value::from("Managed Identity")),
            "the instance document does not have the tag",
        )
    }

    /// The challenge and the token for one resource.
    async fn token(&mut self, resource: &str) -> Result<String, Failure> {
        let encoded = resource.replace(':', "%3A").replace('/', "%2F");
        let url = format!(
            "{}/metadata/identity/oauth2/token?api-version=2019-11-01&resource={encoded}",
            self.ready.himds
        );
        let call = Call::get(&url).header("Metadata", "true");
        let answer = self.step(&format!("A token for {resource}: first a challenge"), call, 401).await?;
        let challenge = answer
            .headers
            .get("www-authenticate")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        self.say(&format!("    Www-Authenticate: {challenge}"));
        let Some(path) = challenge.strip_prefix("Basic realm=") else {
            return Err(Failure::failed(format!("step {}: the challenge names no file", self.step)));
        };
        self.say(&format!("    $ CHALLENGE=$(sudo cat {path})"));
        let key = std::fs::read_to_string(path)
            .attempt(format_args!("step {}: reading the challenge file", self.step))?;
        let call = Call::get(&url)
            .header("Metadata", "true")
            .header("Authorization", format!("Basic {key}"))
            .hide(&key, "$CHALLENGE");
        let answer = self.step("… then the answer to it", call, 200).await?;
        let reply = answer.json();
        self.expect(
            reply["resource"] == resource && reply["expires_on"].is_string(),
            "the token reply is not as clients read it",
        )?;
        self.expect(!std::path::Path::new(path).exists(), "the challenge file is still there")?;
        self.text(&reply, "/access_token")
    }

    async fn tags(&mut self, token: &str) -> Result<(), Failure> {
        let management = self.ready.resource_manager.trim_end_matches('/');
        let url = format!(
            "{management}/subscriptions/{}/tagNames?api-version=2021-04-01",
            self.ready.subscription_id
        );
        let answer = self
            .step(
                "The machine lists the tags at the resource manager",
                Call::get(url).bearer(token, "$TOKEN"),
                200,
            )
            .await?;
        let names = answer.json();
        let found =
            names["value"].as_array().is_some_and(|all| all.iter().any(|t| t["tagName"] == "scenario"));
        self.expect(found, "the tag is not listed")
    }

    async fn secret(&mut self, token: &str) -> Result<(), Failure> {
        let url =
            format!("https://{}.{}/secrets/scenario/?api-version=7.2", self.vault, self.ready.vault_suffix);
        let answer =
            self.step("The machine reads the secret", Call::get(url).bearer(token, "$TOKEN"), 200).await?;
        self.expect(answer.json()["value"] == SECRET, "the secret is another")
    }

    async fn blob(&mut self, token: &str) -> Result<(), Failure> {
        let base = format!("https://{}.{}", self.account, self.ready.blob_suffix);
        let put = |url: String| {
            Call::new(Method::PUT, url).header("x-ms-version", "2020-10-02").bearer(token, "$TOKEN")
        };
        let call = put(format!("{base}/uploads?restype=container"));
        self.step("The machine creates a container", call, 201).await?;
        let call =
            put(format!("{base}/uploads/hello.txt")).header("x-ms-blob-type", "BlockBlob").body(UPLOAD);
        self.step("… uploads a file", call, 201).await?;
        let call = Call::get(format!("{base}/uploads/hello.txt"))
            .header("x-ms-version", "2020-10-02")
            .bearer(token, "$TOKEN");
        let answer = self.step("… and reads it back", call, 200).await?;
        self.expect(answer.body == UPLOAD.as_bytes(), "the blob holds something else")
    }

    /// What must not work.
    async fn closed(&mut self) -> Result<(), Failure> {
        self.say("\n--- And what must not work");
        let management = self.ready.resource_manager.trim_end_matches('/');
        let url = format!(
            "{management}/subscriptions/{}/tagNames?api-version=2021-04-01",
            self.ready.subscription_id
        );
        self.step("No token at the resource manager", Call::get(url), 401).await?;
        let url =
            format!("https://{}.{}/secrets/scenario?api-version=7.4", self.vault, self.ready.vault_suffix);
        self.step("No token at the vault", Call::get(url), 401).await?;
        let url =
            format!("{}/metadata/identity/oauth2/token?api-version=2019-11-01&resource=x", self.ready.himds);
        self.step("A token without the Metadata header", Call::get(url), 400).await.map(drop)
    }
}
