//! `azure_security_keyvault_secrets` with its default settings, so that it verifies our challenge.

use std::{collections::HashSet, sync::Arc};

use azure_core::{credentials::TokenCredential, http::StatusCode};
use azure_security_keyvault_secrets::{ResourceExt, SecretClient, models::SetSecretParameters};
use futures::TryStreamExt;

use crate::{Outcome, Site, demand};

type Who = Arc<dyn TokenCredential>;

pub async fn reads(site: &Site, who: Who) -> Outcome {
    let secret = vault(site, "vault", who)?.get_secret("scenario", None).await?.into_model()?;
    demand(secret.value.as_deref() == Some("the cake is in the kitchen"), format!("{:?}", secret.value))
}

pub async fn may_not_write(site: &Site, who: Who) -> Outcome {
    let vault = vault(site, "vault", who)?;
    refused(set(&vault, "from-machine", "x").await.err(), StatusCode::Forbidden)
}

pub async fn stays_closed(site: &Site, who: Who) -> Outcome {
    let answer = vault(site, "closed_vault", who)?.get_secret("hidden", None).await;
    refused(answer.err(), StatusCode::Forbidden)
}

pub async fn keep_every_byte(site: &Site, who: Who) -> Outcome {
    let vault = vault(site, "vault", who)?;
    let value = "zwölf Boxkämpfer 🐹 \"quoted\" \\ \n second line";
    set(&vault, "rust-text", value).await?;
    let found = vault.get_secret("rust-text", None).await?.into_model()?;
    demand(found.value.as_deref() == Some(value), format!("{:?}", found.value))?;
    demand(found.resource_id()?.version.is_some(), "the id names its version")
}

pub async fn list_over_pages(site: &Site, who: Who) -> Outcome {
    let vault = vault(site, "vault", who)?;
    let mut wanted: HashSet<String> = (0..60).map(|number| format!("rust-page-{number}")).collect();
    for name in &wanted {
        set(&vault, name, "x").await?;
    }
    let mut listed = vault.list_secret_properties(None)?;
    while let Some(secret) = listed.try_next().await? {
        wanted.remove(&secret.resource_id()?.name);
    }
    demand(wanted.is_empty(), format!("not listed: {wanted:?}"))
}

pub async fn deleted_and_recovered(site: &Site, who: Who) -> Outcome {
    let vault = vault(site, "vault", who)?;
    set(&vault, "rust-doomed", "x").await?;
    vault.delete_secret("rust-doomed", None).await?;
    refused(vault.get_secret("rust-doomed", None).await.err(), StatusCode::NotFound)?;
    vault.recover_deleted_secret("rust-doomed", None).await?;
    let back = vault.get_secret("rust-doomed", None).await?.into_model()?;
    demand(back.value.as_deref() == Some("x"), format!("{:?}", back.value))
}

fn vault(site: &Site, which: &str, who: Who) -> azure_core::Result<SecretClient> {
    SecretClient::new(&site[which], who, None)
}

async fn set(vault: &SecretClient, name: &str, value: &str) -> azure_core::Result<()> {
    let what = SetSecretParameters { value: Some(value.to_owned()), ..Default::default() };
    vault.set_secret(name, what.try_into()?, None).await.map(drop)
}

fn refused(error: Option<azure_core::Error>, status: StatusCode) -> Outcome {
    match error {
        None => Err("was allowed".into()),
        Some(error) => demand(error.http_status() == Some(status), format!("{status} was due: {error:?}")),
    }
}
