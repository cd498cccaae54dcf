//! `csagent connect --site https://login.microsoftonline.com`: a machine whose directory stays Entra.
//!
//! Such a machine has no resource: it is an application of the directory, and proves that with a certificate whose key
//! lies here, or with a token that somebody else keeps fresh in a file (a federated credential). Programs get its tokens
//! in the ways they know; none of them holds the certificate.

use std::path::Path;

use reqwest::Method;

use crate::{
    cli::ConnectArgs,
    config::{self, Settings},
    connect::tell,
    credential,
    failure::{Attempt, Failure, Kind},
    host,
    issuer::{self, SiteIssuer},
    site::{self, Cloud},
    state::{Place, State, Upstream},
};

/// The certificate with its key, as it was given; for its owner alone.
pub const CREDENTIAL: &str = "application.pem";
/// What such a machine asks a token for to see that its credential is good.
const AUDIENCE: &str = "https://management.azure.com";
/// A federated token is a few kilobytes.
const FEDERATED_MAX_BYTES: u64 = 16 * 1024;

/// Whether an address is a directory's authority rather than a resource manager.
pub fn is_authority(address: &str) -> bool {
    let host = address.strip_prefix("https://").unwrap_or_default();
    host.starts_with("login.")
}

/// Reads a federated token.
///
/// # Errors
/// What is wrong with the file.
pub fn federated_token(file: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|f| f.take(FEDERATED_MAX_BYTES).read_to_string(&mut text));
    read.map_err(|e| format!("reading the federated token {}: {e}", file.display()))?;
    let token = text.trim();
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(token.to_owned()) } else { Err(format!("{} holds no token", file.display())) }
}

/// Connects this machine as an application of a directory.
pub async fn connect(
    args: &ConnectArgs,
    place: &Place,
    address: &str,
    ca: Option<String>,
) -> Result<(), Failure> {
    let usage = |text: &str| Failure::new(Kind::Usage, text).code("AZCM0016");
    let tenant = args.tenant_id.as_deref().ok_or_else(|| usage("an authority needs --tenant-id"))?;
    let application = args
        .credential
        .service_principal_id
        .as_deref()
        .filter(|id| uuid::Uuid::try_parse(id).is_ok())
        .ok_or_else(|| usage("an authority needs --service-principal-id, the application's client id"))?;
    let settings = config::load(place)?;
    let client = site::client(ca.as_deref(), &settings)?;
    let cloud = discover(&client, address, tenant).await?;
    // The key last: what fails before leaves none behind.
    let upstream = upstream(args, place)?;
    let state = State {
        version: 1,
        site: address.to_owned(),
        ca,
        authority: cloud.authority,
        audience: cloud.audience,
        cloud: cloud.name,
        tenant_id: tenant.to_owned(),
        subscription_id: args.subscription_id.clone().unwrap_or_default(),
        resource_group: args.resource_group.clone().unwrap_or_default(),
        resource_name: args.resource_name.clone().unwrap_or_else(host::name),
        resource_id: String::new(),
        location: args.location.clone(),
        vm_id: host::hardware_uuid(),
        principal_id: uuid::Uuid::nil().to_string(),
        client_id: application.to_owned(),
        tags: Vec::new(),
        correlation_id: args.correlation_id.clone().unwrap_or_default(),
        upstream: Some(upstream),
    };
    let state = proven(place, state, &settings).await.inspect_err(|_| drop(place.remove(CREDENTIAL)))?;
    place.save(&state)?;
    tell(&format!("Connected machine {} as application {application}", state.resource_name));
    Ok(())
}

/// The certificate is kept here, a token's file is only named; a secret is what managed identities are there to avoid.
fn upstream(args: &ConnectArgs, place: &Place) -> Result<Upstream, Failure> {
    let of = &args.credential;
    match (&of.service_principal_cert, &args.federated_token_file) {
        (Some(file), None) => {
            let what = format!("reading --service-principal-cert {}", file.display());
            let bytes = std::fs::read(file).attempt(&what)?;
            credential::signer(&bytes).ok_or_else(|| {
                Failure::new(Kind::Usage, format!("{what}: it holds no certificate with an RSA key"))
                    .code("AZCM0023")
            })?;
            place.write(CREDENTIAL, &bytes, 0o600)?;
            Ok(Upstream::Certificate)
        }
        (None, Some(file)) => {
            let file = std::path::absolute(file).attempt("reading --federated-token-file")?;
            federated_token(&file).map_err(|why| Failure::new(Kind::Usage, why).code("AZCM0023"))?;
            Ok(Upstream::FederatedToken(file))
        }
        _ => Err(Failure::new(Kind::Usage, "an authority needs a certificate or a federated token")
            .code("AZCM0016")
            .hint(
                "give --service-principal-cert FILE or --federated-token-file FILE; a secret is not taken",
            )),
    }
}

/// What the authority says of itself; C08: over TLS, and on its own host.
async fn discover(client: &reqwest::Client, address: &str, tenant: &str) -> Result<Cloud, Failure> {
    let url = format!("{address}/{tenant}/v2.0/.well-known/openid-configuration");
    let what = "asking the authority for its endpoints";
    let found = site::call(client, what, Method::GET, &url, None, None).await?;
    let endpoint = found["token_endpoint"].as_str().unwrap_or_default();
    if !endpoint.starts_with(&format!("{address}/")) {
        return Err(Failure::failed(format!(
            "{address} is no authority that can be used: its token endpoint is elsewhere"
        )));
    }
    Ok(Cloud {
        name: found["cloud_instance_name"].as_str().unwrap_or("AzureCloud").to_owned(),
        authority: address.to_owned(),
        audience: AUDIENCE.to_owned(),
        site: address.to_owned(),
    })
}

/// Asks for a token, so that a credential that is not good is said now, and learns whose it is.
async fn proven(place: &Place, state: State, settings: &Settings) -> Result<State, Failure> {
    let issuer = SiteIssuer::of(&state, place, settings)?;
    let token = issuer.token(&state.audience).await;
    let token = token.map_err(|error| issuer::failure("signing in as the application", &error))?;
    let claims = issuer::claims_of(&token.access_token);
    let object = claims.as_ref().and_then(|c| c["oid"].as_str()).unwrap_or_default();
    let missing = || Failure::failed("the authority's token does not say whose it is");
    uuid::Uuid::try_parse(object).map_err(|_| missing())?;
    Ok(State { principal_id: object.to_owned(), ..state })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_and_resource_managers_are_told_apart() {
        for yes in ["https://login.microsoftonline.com", "https://login.s.example:8443"] {
            assert!(is_authority(yes), "{yes}");
        }
        for no in ["https://management.azure.com", "http://login.x", "https://x/login.", ""] {
            assert!(!is_authority(no), "{no}");
        }
    }

    #[test]
    fn files_without_a_token_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t");
        assert!(federated_token(&file).is_err());
        for bad in ["", " \n", "a b", "é"] {
            std::fs::write(&file, bad).unwrap();
            assert!(federated_token(&file).is_err(), "{bad:?}");
        }
        std::fs::write(&file, "eyJ.e30.x\n").unwrap();
        assert_eq!(federated_token(&file).unwrap(), "eyJ.e30.x");
    }
}
