//! Steps 1 to 9: what an administrator prepares, as az CLI does it on the wire.

use reqwest::Method;
use serde_json::json;

use super::{Lab, SECRET, call::Call};
use crate::failure::{Attempt, Failure};

/// Reader, over the subscription.
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
/// Storage Blob Data Contributor, over the account.
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const GROUP: &str = "arc-lab";

impl Lab {
    pub(super) async fn prepare(&mut self) -> Result<(), Failure> {
        self.say("\n--- An administrator prepares (az CLI sends the same requests)");
        let secret = std::fs::read_to_string(&self.ready.operator.client_secret_file)
            .attempt("reading the operator's secret")?;
        self.operator =
            self.operator_token(secret.trim(), &format!("{}.default", self.ready.resource_manager)).await?;
        self.group_and_account().await?;
        self.vault_and_secret(secret.trim()).await?;
        self.machine_and_rights().await
    }

    async fn operator_token(&mut self, secret: &str, scope: &str) -> Result<String, Failure> {
        let url = format!("{}{}/oauth2/v2.0/token", self.ready.authority, self.ready.tenant_id);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}&scope={}",
            self.ready.operator.client_id,
            scope.replace(':', "%3A").replace('/', "%2F")
        );
        let call = Call::new(Method::POST, url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form)
            .hide(secret, "$OPERATOR_SECRET");
        let answer = self.step("The operator signs in with its secret", call, 200).await?;
        self.text(&answer.json(), "/access_token")
    }

    fn manage(&self, method: Method, path: &str, version: &str) -> Call {
        let url =
            format!("{}{path}?api-version={version}", self.ready.resource_manager.trim_end_matches('/'));
        Call::new(method, url).bearer(&self.operator, "$OPERATOR_TOKEN")
    }

    fn group_path(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{GROUP}", self.ready.subscription_id)
    }

    pub(super) fn account_path(&self) -> String {
        format!("{}/providers/Microsoft.Storage/storageAccounts/{}", self.group_path(), self.account)
    }

    fn vault_path(&self) -> String {
        format!("{}/providers/Microsoft.KeyVault/vaults/{}", self.group_path(), self.vault)
    }

    async fn group_and_account(&mut self) -> Result<(), Failure> {
        let call =
            self.manage(Method::PUT, &self.group_path(), "2024-11-01").json(&json!({"location": "local"}));
        self.step("az group create", call, 201).await?;
        let call = self.manage(Method::PUT, &self.account_path(), "2025-08-01").json(&json!({
            "location": "local", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}
        }));
        self.step("az storage account create", call, 200).await?;
        Ok(())
    }

    async fn vault_and_secret(&mut self, secret: &str) -> Result<(), Failure> {
        let all = json!({"secrets": ["all"], "keys": [], "certificates": []});
        let body = self.vault_body(&json!([{
            "tenantId": self.ready.tenant_id, "objectId": self.ready.operator.object_id, "permissions": all
        }]));
        let call = self.manage(Method::PUT, &self.vault_path(), "2026-02-01").json(&body);
        let answer = self.step("az keyvault create", call, 200).await?;
        let vault = self.text(&answer.json(), "/properties/vaultUri")?;
        let scope = format!("https://{}/.default", self.ready.vault_suffix);
        let token = self.operator_token(secret, &scope).await?;
        let call = Call::new(Method::PUT, format!("{vault}secrets/scenario?api-version=7.4"))
            .bearer(&token, "$VAULT_TOKEN")
            .json(&json!({"value": SECRET}));
        let answer = self.step("az keyvault secret set", call, 200).await?;
        self.expect(answer.json()["value"] == SECRET, "the secret did not come back as set")
    }

    fn vault_body(&self, policies: &serde_json::Value) -> serde_json::Value {
        json!({"location": "local", "properties": {
            "tenantId": self.ready.tenant_id, "sku": {"name": "standard", "family": "A"}, "softDeleteRetentionInDays": 7,
            "enableRbacAuthorization": false, "accessPolicies": policies
        }})
    }

    async fn machine_and_rights(&mut self) -> Result<(), Failure> {
        let machine = self.ready.machine.clone().ok_or_else(|| Failure::failed("the site has no machine"))?;
        let call = self.manage(Method::GET, &machine.resource_id, "2024-07-31-preview");
        let answer = self.step("az connectedmachine show --query identity.principalId", call, 200).await?;
        self.principal = self.text(&answer.json(), "/identity/principalId")?;
        let subscription = format!("/subscriptions/{}", self.ready.subscription_id);
        self.assign("az role assignment create --role Reader", &subscription, READER).await?;
        let policies = json!([
            {"tenantId": self.ready.tenant_id, "objectId": self.ready.operator.object_id, "permissions": {"secrets": ["all"]}},
            {"tenantId": self.ready.tenant_id, "objectId": self.principal, "permissions": {"secrets": ["get", "list"]}}
        ]);
        let body = self.vault_body(&policies);
        let call = self.manage(Method::PUT, &self.vault_path(), "2026-02-01").json(&body);
        self.step("az keyvault set-policy --secret-permissions get list", call, 200).await?;
        let account = self.account_path();
        self.assign(
            "az role assignment create --role \"Storage Blob Data Contributor\"",
            &account,
            BLOB_CONTRIBUTOR,
        )
        .await?;
        let path = format!("{}/providers/Microsoft.Resources/tags/default", machine.resource_id);
        let call = self
            .manage(Method::PATCH, &path, "2024-11-01")
            .json(&json!({"operation": "Merge", "properties": {"tags": {"scenario": "Managed Identity"}}}));
        self.step("az tag update --operation Merge --tags \"scenario=Managed Identity\"", call, 200).await?;
        Ok(())
    }

    async fn assign(&mut self, what: &str, scope: &str, role: &str) -> Result<(), Failure> {
        // A GUID of its own for each assignment, drawn from what it says.
        let name = cs_ids::ObjectId::new(name_of(scope, role));
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        let definition = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            self.ready.subscription_id
        );
        let call = self.manage(Method::PUT, &path, "2022-04-01").json(&json!({"properties": {
            "roleDefinitionId": definition, "principalId": self.principal, "principalType": "ServicePrincipal"
        }}));
        self.step(what, call, 201).await.map(drop)
    }
}

fn name_of(scope: &str, role: &str) -> uuid::Uuid {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{scope}|{role}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
