//! The operator of a running site, at its resource manager.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::Value;

use crate::{
    failure::{Attempt, Failure, Kind},
    site::{data, ready, ready::Ready},
    verbs::lab::{call::Call, client::Client},
};

const GRAPH: &str = "https://graph.microsoft.com/.default";
const MANAGEMENT: &str = "https://management.azure.com/.default";

pub struct Operator {
    pub ready: Ready,
    client: Client,
    secret: String,
    management_token: String,
}

impl Operator {
    pub async fn of_running_site(directory: Option<&Path>) -> Result<Self, Failure> {
        let ready = running(directory)?;
        let secret = std::fs::read_to_string(&ready.operator.client_secret_file)
            .attempt("reading the operator's secret")?;
        let mut operator = Self {
            client: Client::new(&ready)?,
            secret: secret.trim().to_owned(),
            management_token: String::new(),
            ready,
        };
        operator.management_token = operator.token(MANAGEMENT).await?;
        Ok(operator)
    }

    pub async fn token(&self, scope: &str) -> Result<String, Failure> {
        let url = format!("{}{}/oauth2/v2.0/token", self.ready.authority, self.ready.tenant_id);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.ready.operator.client_id),
            ("client_secret", &self.secret),
            ("scope", scope),
        ];
        let body: Vec<String> =
            form.iter().map(|(n, v)| format!("{n}={}", cs_serve::percent_encode(v))).collect();
        let call = Call::new(Method::POST, url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        let answer = self.client.send(call).await?;
        answer.json()["access_token"].as_str().map(str::to_owned).ok_or_else(|| {
            Failure::new(Kind::Refused, format!("asking for the operator's token: {}", answer.told()))
        })
    }

    /// What the directory answers; `what` is what is attempted.
    pub async fn graph(&self, path: &str, what: &str) -> Result<Value, Failure> {
        let token = self.token(GRAPH).await?;
        let call = Call::new(Method::GET, format!("{}{path}", self.ready.graph));
        let answer = self.client.send(call.bearer(&token, "$TOKEN")).await?;
        match answer.status {
            200..=299 => Ok(answer.json()),
            _ => Err(Failure::failed(format!("{what}: {}", answer.told()))),
        }
    }

    /// A request to the resource manager, in a version of the type it is about.
    pub async fn arm(
        &self,
        version: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let base = self.ready.resource_manager.trim_end_matches('/');
        let mut call = Call::new(method.clone(), format!("{base}{path}?api-version={version}"))
            .bearer(&self.management_token, "$TOKEN");
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = self.client.send(call).await?;
        match answer.status {
            200..=299 => Ok(answer.json()),
            401 | 403 => Err(Failure::new(Kind::Refused, format!("{method} {path}: {}", answer.told()))),
            _ => Err(Failure::failed(format!("{method} {path}: {}", answer.told()))),
        }
    }
}

/// The ready document of the running site: inside `countersign run` the one it names, else the data directory's.
fn running(directory: Option<&Path>) -> Result<Ready, Failure> {
    let directory = data::path_of(directory)?;
    let inside = std::env::var_os("COUNTERSIGN_INSIDE_RUN").and(std::env::var_os("COUNTERSIGN_READY_FILE"));
    let path = inside.map_or_else(|| directory.join(ready::FILE_NAME), PathBuf::from);
    let text = std::fs::read(&path).map_err(|_| {
        Failure::new(Kind::WrongState, format!("no site is running on {}", directory.display()))
            .hint("start one with `countersign up`, or name its directory with --data DIR")
    })?;
    serde_json::from_slice(&text).attempt(format_args!("reading {}", path.display()))
}
