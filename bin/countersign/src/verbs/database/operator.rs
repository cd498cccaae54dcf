//! The operator's rules for one server.

use std::path::Path;

use cs_database::RoleName;
use cs_ids::ServerName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{failure::Failure, verbs::operator};

const VERSION: &str = "2024-08-01";
const AUTHORIZATION_VERSION: &str = "2022-04-01";
/// The name of the role that gateways have.
const GATEWAY_ROLE: &str = "3f6b0a5e-2d0c-4d3a-9a63-4c6f0c1f8b27";
/// A data action; no built-in role has it.
const GATEWAY_ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/gateway/action";
pub const DATABASES: &str = "https://ossrdbms-aad.database.windows.net/.default";

pub struct Operator {
    pub site: operator::Operator,
    /// The server's resource id.
    pub server: String,
    pub label: String,
}

impl Operator {
    pub async fn of_running_site(directory: Option<&Path>, server: ServerName) -> Result<Self, Failure> {
        let site = operator::Operator::of_running_site(directory).await?;
        let mut operator = Self { site, server: String::new(), label: server.key() };
        operator.server = operator.find(&server).await?;
        Ok(operator)
    }

    pub fn object_id(&self) -> String {
        self.site.ready.operator.object_id.clone()
    }

    async fn find(&self, name: &ServerName) -> Result<String, Failure> {
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.DBforPostgreSQL/flexibleServers",
            self.site.ready.subscription_id
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
        let subscription = format!("/subscriptions/{}", self.site.ready.subscription_id);
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
        self.site.arm(AUTHORIZATION_VERSION, method, path, Some(body)).await.map(drop)
    }

    pub async fn delete_rule(&self, object: &str) -> Result<(), Failure> {
        self.arm(Method::DELETE, &format!("{}/administrators/{object}", self.server), None).await.map(drop)
    }

    /// What the directory knows under a name: object id and type, of every principal that is called so.
    pub async fn named(&self, name: &str) -> Result<Vec<(String, &'static str)>, Failure> {
        let mut found = Vec::new();
        for (list, field, kind) in [
            ("users", "userPrincipalName", "user"),
            ("groups", "displayName", "group"),
            ("servicePrincipals", "displayName", "service"),
        ] {
            let filter = cs_serve::percent_encode(&format!("{field} eq '{}'", name.replace('\'', "''")));
            let query = format!("v1.0/{list}?$filter={filter}&$select=id");
            let answer = self.site.graph(&query, &format!("asking the directory for '{name}'")).await?;
            let rows = answer["value"].as_array().cloned().unwrap_or_default();
            found.extend(rows.iter().filter_map(|row| Some((row["id"].as_str()?.to_owned(), kind))));
        }
        Ok(found)
    }

    async fn arm(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.site.arm(VERSION, method, path, body).await
    }
}
