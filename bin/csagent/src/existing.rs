//! `csagent genkey` and `csagent connect existing`: a machine that somebody else makes at the site, by its public key.
//! Nobody's credential comes to the machine: the key is made on it, its public half goes out, and its client id comes in.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cli::{ConnectArgs, GenkeyArgs},
    config,
    failure::{Attempt, Failure, Kind},
    issuer::{self, SiteIssuer},
    site::{self, API_VERSION, Cloud},
    state::{Place, State},
};

/// Prints the public key of this machine as the site takes it, in `properties.clientPublicKey`. One that was made before and is
/// not used yet is the one that is shown: it may have been handed over.
#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn genkey(args: &GenkeyArgs) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    let _lock = place.lock()?;
    if let Some(known) = place.load()? {
        let failure = Failure::new(Kind::WrongState, "this machine is connected already").code("AZCM0067");
        return Err(
            failure.hint(format!("it has its key as {}: `csagent disconnect` first", known.resource_id))
        );
    }
    let key = place.key_to_connect_with()?;
    println!("{}", serde_json::to_string(&key.public()).attempt("writing the public key")?);
    Ok(())
}

/// Proves the key that is kept here, and answers the resource that the site has for it.
pub async fn resource(
    args: &ConnectArgs,
    place: &Place,
    client: &reqwest::Client,
    cloud: &Cloud,
    ca: Option<&str>,
) -> Result<Value, Failure> {
    let usage = |text: &str| Failure::new(Kind::Usage, text).code("AZCM0016");
    let id = args.client_id.as_deref().filter(|id| uuid::Uuid::try_parse(id).is_ok());
    let id = id.ok_or_else(|| {
        usage("`connect existing` needs --client-id, the client id of the machine's identity")
    })?;
    if place.unfinished_key().is_none() {
        let failure =
            Failure::new(Kind::WrongState, "there is no key here that a machine could have been made with");
        return Err(failure.code("AZCM0103").hint("`csagent genkey` makes one and prints its public half"));
    }
    let issuer = SiteIssuer::of(&draft(args, cloud, ca, id)?, place, &config::load(place)?)?;
    let token = issuer.token(&cloud.audience).await;
    let token = token.map_err(|error| issuer::failure("signing in as the machine", &error))?.access_token;
    let claims = issuer::claims_of(&token);
    let machine = claims.as_ref().and_then(|c| c["xms_mirid"].as_str()).filter(|id| id.starts_with('/'));
    let machine =
        machine.ok_or_else(|| Failure::failed("the site's token does not say which machine it is of"))?;
    let url = format!("{}{machine}?api-version={API_VERSION}", cloud.site);
    let found = site::call(client, "reading the machine", Method::GET, &url, Some(&token), None).await?;
    let wanted = [
        ("name", &args.resource_name, 8),
        ("resource group", &args.resource_group, 4),
        ("subscription", &args.subscription_id, 2),
    ];
    for (what, given, at) in wanted {
        let there = found["id"].as_str().unwrap_or_default().split('/').nth(at).unwrap_or_default();
        if given.as_deref().is_some_and(|given| !given.eq_ignore_ascii_case(there)) {
            return Err(Failure::failed(format!("the site has this key for another {what}: {there}"))
                .code("AZCM0044"));
        }
    }
    Ok(found)
}

/// As much of a registration as signing in takes.
fn draft(args: &ConnectArgs, cloud: &Cloud, ca: Option<&str>, client: &str) -> Result<State, Failure> {
    let tenant = args.tenant_id.as_deref().unwrap_or("adfs");
    let text = json!({
        "version": 1, "site": cloud.site, "ca": ca, "authority": cloud.authority, "audience": cloud.audience,
        "tenant_id": tenant, "subscription_id": "", "resource_group": "", "resource_name": "", "resource_id": "",
        "location": "", "vm_id": "", "principal_id": "", "client_id": client, "tags": []
    });
    serde_json::from_value(text).attempt("preparing to sign in")
}
