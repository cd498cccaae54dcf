//! Unmodified Rust clients against the site that `countersign run` gives us: `conformance arc|imds|application`, and
//! `conformance matrix SOURCE` or `conformance patience WHAT CLIENT` for the step `matrix`.
//!
//! What they learn about their surroundings comes from the environment, which run.sh arranges; no client has a setting.

mod blobs;
mod matrix;
mod patience;
mod secrets;

use std::{collections::HashMap, process::ExitCode, sync::Arc};

use azure_core::credentials::{Secret, TokenCredential};
use azure_identity::{ClientSecretCredential, ManagedIdentityCredential};

pub type Outcome = Result<(), Box<dyn std::error::Error>>;
pub type Site = HashMap<String, String>;

#[tokio::main]
async fn main() -> ExitCode {
    let source = std::env::args().nth(1).unwrap_or_default();
    let prepared =
        std::env::var("COUNTERSIGN_PREPARED").expect("COUNTERSIGN_PREPARED names what prepare.py wrote");
    let text = std::fs::read(prepared).expect("what prepare.py wrote");
    let site: Site = serde_json::from_slice(&text).expect("an object of texts");
    let more: Vec<String> = std::env::args().skip(2).collect();
    match (source.as_str(), more.as_slice()) {
        ("matrix", [source]) => {
            matrix::rows(&site, source).await;
            return ExitCode::SUCCESS;
        }
        ("patience", [what, client]) => {
            patience::print(&site, what, client).await;
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let mut tally = Tally { source: source.clone(), passed: 0, failed: 0 };
    match source.as_str() {
        "arc" => arc(&site, &mut tally).await,
        "imds" => imds(&site, &mut tally).await,
        "application" => application(&site, &mut tally).await,
        _ => panic!("one of arc, imds, application"),
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 && tally.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The two variables of Azure Arc are set.
async fn arc(site: &Site, tally: &mut Tally) {
    let machine = ManagedIdentityCredential::new(None).expect("a managed identity");
    tally.case(
        "managed identity answers the challenge",
        token(machine.clone(), "https://management.azure.com/.default").await,
    );
    tally.case("the machine reads a secret", secrets::reads(site, machine.clone()).await);
    tally.case("the machine may not write", secrets::may_not_write(site, machine.clone()).await);
    tally.case("a closed vault stays closed", secrets::stays_closed(site, machine).await);
}

/// No variable is set: IMDS at its address.
async fn imds(site: &Site, tally: &mut Tally) {
    let machine = ManagedIdentityCredential::new(None).expect("a managed identity");
    tally.case("IMDS gives a token", token(machine.clone(), "https://vault.azure.net/.default").await);
    tally.case("the machine reads a secret", secrets::reads(site, machine).await);
    blobs::all(site, tally).await;
}

/// AZURE_CLIENT_ID and its companions are set, and the authority's address.
async fn application(site: &Site, tally: &mut Tally) {
    let operator = operator(site, &site["operator_client_secret"]);
    tally.case(
        "a secret at the authority",
        token(operator.clone(), "https://storage.azure.com/.default").await,
    );
    tally.case("a wrong secret is refused in Entra's words", refused_by_entra(site).await);
    tally.case("set and get keep every byte", secrets::keep_every_byte(site, operator.clone()).await);
    tally.case("lists go on over pages", secrets::list_over_pages(site, operator.clone()).await);
    tally.case("a deleted secret is recovered", secrets::deleted_and_recovered(site, operator).await);
    blobs::all(site, tally).await;
}

fn operator(site: &Site, secret: &str) -> Arc<ClientSecretCredential> {
    let (tenant, client) = (&site["tenant_id"], site["operator_client_id"].clone());
    ClientSecretCredential::new(tenant, client, Secret::new(secret.to_owned()), None).expect("a credential")
}

async fn token(credential: Arc<dyn TokenCredential>, scope: &str) -> Outcome {
    let token = credential.get_token(&[scope], None).await?;
    demand(token.token.secret().matches('.').count() == 2, "a JWT was due")
}

async fn refused_by_entra(site: &Site) -> Outcome {
    match operator(site, "not the secret").get_token(&["https://vault.azure.net/.default"], None).await {
        Ok(_) => Err("a wrong secret was accepted".into()),
        Err(error) => {
            demand(format!("{error:?} {error}").contains("AADSTS7000215"), format!("other words: {error:?}"))
        }
    }
}

pub fn demand(holds: bool, otherwise: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise.into().into()) }
}

/// What passed and what failed.
pub struct Tally {
    source: String,
    passed: u32,
    failed: u32,
}

impl Tally {
    pub fn case(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {}: {name}", self.source);
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {}: {name}: {error}\n{error:?}", self.source);
            }
        }
    }
}
