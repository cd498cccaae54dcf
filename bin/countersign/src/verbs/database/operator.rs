//! The operator of a running site, and its rules for one server.

use std::path::{Path, PathBuf};

use cs_database::RoleName;
use cs_ids::ServerName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    failure::{Attempt, Failure, Kind},
    site::{data, ready, ready::Ready},
    verbs::lab::{call::Call, client::Client},
};

const VERSION: &str = "2024-08-01";
const AUTHORIZATION_VERSION: &str = "2022-04-01";
/// The name of the role that gateways have.
const GATEWAY_ROLE: &str = "3f6b0a5e-2d0c-4d3a-9a63-4c6f0c1f8b27";
/// A data action; no built-in role has it.
const GATEWAY_ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/gateway/action";
const MANAGEMENT: &str = "https://management.azure.com/.default";
const GRAPH: &str = "https://graph.microsoft.com/.default";
pub const DATABASES: &str = "https://ossrdbms-aad.database.windows.net/.default";

pub struct Operator {
    pub ready: Ready,
    client: Client,
    secret: String,
    management_token: String,
    /// The server's resource id.
    pub server: String,
    pub label: String,
}

impl Operator {
    pub async fn of_running_site(directory: Option<&Path>, server: ServerName) -> Result<Self, Failure> {
        let ready = running(directory)?;
        let secret = std::fs::read_to_string(&ready.operator.client_secret_file)
            .attempt("reading the operator's secret")?;
        let mut operator = Self {
            client: Client::new(&ready)?,
            secret: secret.trim().to_owned(),
            management_token: String::new(),
            server: String::new(),
            label: server.key(),
            ready,
        };
        operator.management_token = operator.token(MANAGEMENT).await?;
        operator.server = operator.find(&server).await?;
        Ok(operator)
    }

    pub fn object_id(&self) -> String {
        self.ready.operator.object_id.clone()
    }

    pub async fn token(&self, scope: &str) -> Result<String, Failure> {
        let url = format!("{}{}/oauth2/v2.0/token", self.ready.authority, self.ready.tenant_id);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.ready.operator.client_id),
            ("client_secret", &self.secret),
            ("scope", scope),
        ];
        let body: Vec<String> = form.iter().map(|(n, v)| format!("{n}={}", encoded(v))).collect();
        let call = Call::new(Method::POST, url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        let answer = self.client.send(call).await?;
        answer.json()["access_token"].as_str().map(str::to_owned).ok_or_else(|| {
            Failure::new(Kind::Refused, format!("asking for the operator's token: {}", answer.told()))
        })
    }

    async fn find(&self, name: &ServerName) -> Result<String, Failure> {
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.DBforPostgreSQL/flexibleServers",
            self.ready.subscription_id
        );
        let all = self.arm(Method::GET, &path, None).await?;
        let found = all["value"].as_array().and_then(|servers| {
            servers.iter().find(|s| s["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name.as_str())))
        });
        found.and_then(|s| s["id"].as_str()).map(str::to_owned).ok_or_else(|| {
            Failure::failed(format!("the site has no database server '{name}'"))
                .hint("docs/postgres.md shows how to make one")
        })
    }

    pub async fn rules(&self) -> Result<Vec<Value>, Failure> {
        let answer = self.arm(Method::GET, &format!("{}/administrators", self.server), None).await?;
        Ok(answer["value"].as_array().cloned().unwrap_or_default())
    }

    pub async fn put_rule(&self, object: &str, role: &RoleName, kind: &str) -> Result<(), Failure> {
        let body = json!({"properties": {"principalName": role.as_str(), "principalType": kind}});
        let path = format!("{}/administrators/{object}", self.server);
        self.arm(Method::PUT, &path, Some(&body)).await.map(drop)
    }

    /// The role that gateways need, made in the subscription where it is missing, for this server.
    pub async fn allow_gateway(&self, object: &str) -> Result<(), Failure> {
        let subscription = format!("/subscriptions/{}", self.ready.subscription_id);
        let role = format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{GATEWAY_ROLE}");
        let body = json!({"properties": {"roleName": "Database gateway", "type": "CustomRole",
            "description": "Be the gateway of a database server: log its principals in as their roles.",
            "permissions": [{"actions": [], "notActions": [], "dataActions": [GATEWAY_ACTION], "notDataActions": []}],
            "assignableScopes": [subscription]}});
        self.authorization(Method::PUT, &role, &body).await?;
        // The same name each time, so that doing it again does no harm.
        let hash = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            format!("{}{object}", self.server).as_bytes(),
        );
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_ref()[..16]);
        let name = uuid::Uuid::from_bytes(bytes);
        let assignment = format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", self.server);
        let body = json!({"properties": {"roleDefinitionId": role, "principalId": object}});
        self.authorization(Method::PUT, &assignment, &body).await
    }

    async fn authorization(&self, method: Method, path: &str, body: &Value) -> Result<(), Failure> {
        self.arm_at(AUTHORIZATION_VERSION, method, path, Some(body)).await.map(drop)
    }

    pub async fn delete_rule(&self, object: &str) -> Result<(), Failure> {
        self.arm(Method::DELETE, &format!("{}/administrators/{object}", self.server), None).await.map(drop)
    }

    /// What the directory knows under a name: object id and type, of every principal that is called so.
    pub async fn named(&self, name: &str) -> Result<Vec<(String, &'static str)>, Failure> {
        let token = self.token(GRAPH).await?;
        let mut found = Vec::new();
        for (list, field, kind) in [
            ("users", "userPrincipalName", "user"),
            ("groups", "displayName", "group"),
            ("servicePrincipals", "displayName", "service"),
        ] {
            let filter = encoded(&format!("{field} eq '{}'", name.replace('\'', "''")));
            let url = format!("{}v1.0/{list}?$filter={filter}&$select=id", self.ready.graph);
            let answer = self.client.send(Call::new(Method::GET, url).bearer(&token, "$TOKEN")).await?;
            if !(200..300).contains(&answer.status) {
                return Err(Failure::failed(format!("asking the directory for '{name}': {}", answer.told())));
            }
            let rows = answer.json()["value"].as_array().cloned().unwrap_or_default();
            found.extend(rows.iter().filter_map(|row| Some((row["id"].as_str()?.to_owned(), kind))));
        }
        Ok(found)
    }

    async fn arm(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.arm_at(VERSION, method, path, body).await
    }

    async fn arm_at(
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

/// A form's value.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
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
