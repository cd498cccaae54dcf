//! How patient the clients are; ../matrix/patience.py says what is asked and printed.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use azure_core::credentials::TokenCredential;
use azure_identity::ManagedIdentityCredential;
use object_store::azure::MicrosoftAzureBuilder;

use crate::Site;

const SCOPE: &str = "https://vault.azure.net/.default";

/// Who has not said it by then goes on for long.
const PATIENCE: Duration = Duration::from_secs(5);

type Asked = Result<(), Box<dyn Error>>;

/// `again`, `nothing` or `away`, for the client named.
pub async fn print(site: &Site, what: &str, client: &str) {
    let found = match (what, client) {
        ("again", "azure_identity") => {
            let credential = ManagedIdentityCredential::new(None).expect("a managed identity");
            again(async || Ok(drop(credential.get_token(&[SCOPE], None).await?))).await
        }
        ("again", "object_store") => {
            let store = store(site);
            again(async || Ok(drop(store.credentials().get_credential().await?))).await
        }
        ("nothing" | "away", "azure_identity") => {
            nothing(async || {
                let credential = ManagedIdentityCredential::new(None)?;
                Ok(drop(credential.get_token(&[SCOPE], None).await?))
            })
            .await
        }
        ("nothing" | "away", "object_store") => {
            nothing(async || Ok(drop(store(site).credentials().get_credential().await?))).await
        }
        _ => panic!("again, nothing or away, azure_identity or object_store"),
    };
    println!("Rust: {client}\t{what}\t{found}");
}

fn store(site: &Site) -> object_store::azure::MicrosoftAzure {
    MicrosoftAzureBuilder::from_env()
        .with_account(&site["account_name"])
        .with_endpoint(site["account"].clone())
        .with_container_name("shared")
        .build()
        .expect("a store")
}

async fn again(ask: impl AsyncFn() -> Asked) -> String {
    let mut found = Vec::new();
    for hour in variable("HOURS").split(' ') {
        std::fs::write(variable("CLOCK"), format!("+{hour}h")).expect("the clock's file");
        let before = count();
        ask().await.expect("a token");
        found.push((count() - before).to_string());
    }
    found.join(" ")
}

async fn nothing(ask: impl AsyncFn() -> Asked) -> String {
    let mut best = f32::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let asked = tokio::time::timeout(PATIENCE, ask()).await;
        assert!(!matches!(asked, Ok(Ok(()))), "a token, where nothing listens");
        best = best.min(began.elapsed().as_secs_f32());
        if !(1.0..2.0).contains(&best) || asked.is_err() {
            break;
        }
    }
    format!("{best:.2}")
}

fn count() -> u32 {
    std::fs::read_to_string(variable("COUNT")).expect("the counter").parse().expect("a number")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set by matrix/run.sh"))
}
