//! `csagent connect`: makes a key on this machine, hands its public half to the site, keeps the registration.

use cs_jose::MachineKey;
use cs_time::{Chance, MachineChance};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    cli::{ConnectArgs, CredentialArgs},
    failure::{Attempt, Failure, Kind},
    host, site,
    state::{Place, State},
};

const API_VERSION: &str = "2024-07-31-preview";

pub async fn connect(args: ConnectArgs) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    if let Some(known) = place.load()? {
        return Err(Failure::new(
            Kind::WrongState,
            format!("this machine is connected already, as {}", known.resource_id),
        )
        .hint("run `csagent disconnect` first, or look with `csagent show`"));
    }
    let ca = args.ca_file.as_ref().map(std::fs::read_to_string).transpose().attempt("reading --ca-file")?;
    let client = site::client(ca.as_deref())?;
    let cloud = site::discover(&client, &site::checked_address(&args.site)?).await?;
    let tenant = args.tenant_id.clone().unwrap_or_else(|| "adfs".to_owned());
    let token = credential(&args.credential, &client, &cloud, &tenant).await?;
    let subscription = match &args.subscription_id {
        Some(id) => id.clone(),
        None => only_subscription(&client, &cloud, &token).await?,
    };
    let name = args.resource_name.clone().unwrap_or_else(host::name);
    let id = format!(
        "/subscriptions/{subscription}/resourceGroups/{}/providers/Microsoft.HybridCompute/machines/{name}",
        args.resource_group
    );
    let key = MachineKey::generate().attempt("making the machine's key")?;
    // Before the site knows the public half: a crash in between costs a key nobody has heard of.
    place.save_key(&key)?;
    let url = format!("{}{id}?api-version={API_VERSION}", cloud.site);
    let body = machine(&args, &key)?;
    let made =
        site::call(&client, "connecting the machine", Method::PUT, &url, Some(&token), Some(&body)).await;
    let made = made.inspect_err(|_| drop(place.forget()))?;
    let state = registration(&args, cloud, ca, &subscription, &made)?;
    place.save(&state)?;
    tell(&format!("Connected machine {} as {}", state.resource_name, state.resource_id));
    Ok(())
}

#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
pub fn tell(text: &str) {
    eprintln!("{text}");
}

/// A token for the resource manager, by whatever credential was given.
pub async fn credential(
    args: &CredentialArgs,
    client: &reqwest::Client,
    cloud: &site::Cloud,
    tenant: &str,
) -> Result<String, Failure> {
    if let Some(token) = &args.access_token {
        return Ok(token.clone());
    }
    let usage = |text: &str| {
        Failure::new(Kind::Usage, text).hint("give -i ID and -p SECRET, or --access-token TOKEN")
    };
    let id = args.service_principal_id.as_deref().ok_or_else(|| usage("no credential is given"))?;
    let secret = match (&args.service_principal_secret_file, args.service_principal_secret.as_deref()) {
        (Some(file), _) => {
            std::fs::read_to_string(file).attempt("reading --service-principal-secret-file")?
        }
        (None, Some("-")) => {
            std::io::read_to_string(std::io::stdin()).attempt("reading the secret from standard input")?
        }
        (None, Some(secret)) => secret.to_owned(),
        (None, None) => return Err(usage("the service principal's secret is missing")),
    };
    site::sign_in(client, cloud, tenant, id, secret.trim()).await
}

async fn only_subscription(
    client: &reqwest::Client,
    cloud: &site::Cloud,
    token: &str,
) -> Result<String, Failure> {
    let url = format!("{}/subscriptions?api-version=2022-12-01", cloud.site);
    let listed = site::call(client, "listing subscriptions", Method::GET, &url, Some(token), None).await?;
    let all = listed["value"].as_array().map(Vec::as_slice).unwrap_or_default();
    match all {
        [only] => Ok(only["subscriptionId"].as_str().unwrap_or_default().to_owned()),
        _ => Err(Failure::new(Kind::Usage, format!("the credential sees {} subscriptions", all.len()))
            .hint("name one with -s ID")),
    }
}

fn machine(args: &ConnectArgs, key: &MachineKey) -> Result<Value, Failure> {
    let (os_name, os_version) = host::operating_system();
    let public = serde_json::to_string(&key.public()).attempt("writing the public key")?;
    Ok(json!({
        "location": args.location, "tags": tags(args.tags.as_deref())?, "identity": {"type": "SystemAssigned"},
        "properties": {
            "vmId": MachineChance.uuid().to_string(), "clientPublicKey": public, "osType": "linux", "osName": os_name,
            "osVersion": os_version, "agentVersion": env!("CARGO_PKG_VERSION"), "displayName": host::name(),
            "machineFqdn": host::name(), "osProfile": {"computerName": host::name()}
        }
    }))
}

/// `A=1,B='x y'`
fn tags(text: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let mut all = Map::new();
    for pair in text.unwrap_or_default().split(',').filter(|p| !p.trim().is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::new(Kind::Usage, format!("--tags: '{pair}' is not NAME=VALUE")))?;
        all.insert(name.trim().to_owned(), Value::from(value.trim().trim_matches(['\'', '"'])));
    }
    Ok(all)
}

fn registration(
    args: &ConnectArgs,
    cloud: site::Cloud,
    ca: Option<String>,
    subscription: &str,
    made: &Value,
) -> Result<State, Failure> {
    let text = |pointer: &str| {
        let found = made.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| Failure::failed(format!("the site's answer lacks {pointer}")))
    };
    Ok(State {
        version: 1,
        site: cloud.site,
        ca,
        authority: cloud.authority,
        audience: cloud.audience,
        tenant_id: text("/identity/tenantId")?,
        subscription_id: subscription.to_owned(),
        resource_group: args.resource_group.clone(),
        resource_name: text("/name")?,
        resource_id: text("/id")?,
        location: text("/location")?,
        vm_id: text("/properties/vmId")?,
        principal_id: text("/identity/principalId")?,
        client_id: text("/identity/clientId")?,
        tags: crate::facts::tags_of(made),
        last_heartbeat: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_as_azcmagent_takes_them() {
        let read = tags(Some("A=1, B='x y'")).unwrap();
        assert_eq!((read["A"].as_str(), read["B"].as_str()), (Some("1"), Some("x y")));
        assert!(tags(Some("A")).is_err());
        assert!(tags(None).unwrap().is_empty());
    }
}
