//! Which source gives which identity to which client; ../matrix/ask.py says what is asked and answered.

use std::{error::Error, sync::Arc};

use azure_core::{base64, credentials::TokenCredential};
use azure_identity::{
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
};
use object_store::azure::{AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};

use crate::Site;

type Asked = Result<String, Box<dyn Error>>;

/// Prints both clients' rows for a source.
pub async fn rows(site: &Site, source: &str) {
    // It has no chain that looks for a source: DeveloperToolsCredential asks the command-line tools alone.
    let mut cells = vec![String::from("-"); 6];
    if source == "workload" {
        cells[0] = judged("workload identity", false, workload().await);
    } else {
        for (number, id) in ids(site).into_iter().enumerate() {
            cells[number] = judged(&format!("azure_identity {id:?}"), id.is_some(), managed(id).await);
        }
    }
    println!("Rust: azure_identity\t{source}\t{}", cells.join("\t"));

    let mut cells = vec![String::from("-"); 6];
    match source {
        // It looks neither for that variable nor for that file, and would ask IMDS.
        "cloud-shell" | "arc-file" => {}
        "workload" => {
            cells[0] = judged("object_store", false, stored(site, Some("workload_identity"), None).await);
            cells[4] = judged("object_store by itself", false, stored(site, None, None).await);
        }
        _ => {
            let keys = [
                None,
                Some((AzureConfigKey::ClientId, &site["identity_client_id"])),
                Some((AzureConfigKey::ObjectId, &site["identity_object_id"])),
                Some((AzureConfigKey::MsiResourceId, &site["identity_resource_id"])),
            ];
            for (number, key) in keys.into_iter().enumerate() {
                let asked = stored(site, Some("managed_identity"), key).await;
                cells[number] = judged(&format!("object_store {key:?}"), key.is_some(), asked);
            }
            cells[4] = judged("object_store by itself", false, stored(site, None, None).await);
            // What `from_env` makes of AZURE_CLIENT_ID.
            let variable = Some((AzureConfigKey::ClientId, &site["identity_client_id"]));
            cells[5] = judged("object_store by AZURE_CLIENT_ID", true, stored(site, None, variable).await);
        }
    }
    println!("Rust: object_store\t{source}\t{}", cells.join("\t"));
}

fn ids(site: &Site) -> [Option<UserAssignedId>; 4] {
    [
        None,
        Some(UserAssignedId::ClientId(site["identity_client_id"].clone())),
        Some(UserAssignedId::ObjectId(site["identity_object_id"].clone())),
        Some(UserAssignedId::ResourceId(site["identity_resource_id"].clone())),
    ]
}

async fn workload() -> Asked {
    token(WorkloadIdentityCredential::new(None)?).await
}

async fn managed(id: Option<UserAssignedId>) -> Asked {
    let options = ManagedIdentityCredentialOptions { user_assigned_id: id, ..Default::default() };
    token(ManagedIdentityCredential::new(Some(options))?).await
}

async fn token(credential: Arc<dyn TokenCredential>) -> Asked {
    let token = credential.get_token(&["https://vault.azure.net/.default"], None).await?;
    Ok(token.token.secret().to_owned())
}

/// What a store would sign its requests with, of the kind named or of the kind it finds by itself.
async fn stored(site: &Site, kind: Option<&str>, id: Option<(AzureConfigKey, &String)>) -> Asked {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_account(&site["account_name"])
        .with_endpoint(site["account"].clone())
        .with_container_name("shared");
    if let Some(kind) = kind {
        builder = builder.with_credential_type(kind);
    }
    if let Some((key, value)) = id {
        builder = builder.with_config(key, value);
    }
    match &*builder.build()?.credentials().get_credential().await? {
        AzureCredential::BearerToken(token) => Ok(token.clone()),
        _ => Err("it signs with something else than a token".into()),
    }
}

/// yes for a token of whom it was due for, no where the client has none; anybody else's ends the program.
fn judged(what: &str, assigned: bool, asked: Asked) -> String {
    let token = match asked {
        Ok(token) => token,
        Err(error) => {
            eprintln!("{what}: {error}: {:?}", error.source().map(ToString::to_string));
            return "no".to_owned();
        }
    };
    let expected =
        std::env::var(if assigned { "EXPECT_IDENTITY" } else { "EXPECT_OWN" }).expect("whose it is due");
    let claims = base64::decode_url_safe(token.split('.').nth(1).expect("a JWT")).expect("base64");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("an object of claims");
    assert_eq!(claims["oid"], expected, "{what}: somebody else's token");
    "yes".to_owned()
}
