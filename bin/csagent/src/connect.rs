//! `csagent connect`: makes a key on this machine, hands its public half to the site, keeps the registration.
//!
//! It may stop anywhere: what the site already knows is never forgotten here. The key is kept from before the site
//! hears of it until the site has clearly refused it, and the machine's id is made from the key, so that the same
//! command run again is the same request, and finishes it.

use aws_lc_rs::digest;
use cs_agent::words;
use cs_ids::MachineName;
use cs_jose::MachineKey;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    cli::ConnectArgs,
    config, credential, entra, existing,
    failure::{Attempt, Failure, Kind, program},
    host, join,
    site::{self, API_VERSION, Cloud},
    state::{Place, State},
};

/// Where azcmagent's scripts mean to go; they name no site.
const PUBLIC_SITE: &str = "https://management.azure.com";

pub async fn connect(args: ConnectArgs) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    if let Some(known) = place.load()? {
        return Err(already(&known));
    }
    let name = machine_name(args.resource_name.as_deref())?;
    let tags = tags(args.tags.as_deref())?;
    let address = address(&args)?;
    let ca = site::ca_file(args.ca_file.as_deref())?;
    // Before the site is asked: without root nothing could be kept of what it says.
    let _lock = place.lock()?;
    if let Some(known) = place.load()? {
        return Err(already(&known));
    }
    if entra::is_authority(&address) {
        return entra::connect(&args, &place, &address, ca).await;
    }
    if args.form.is_none() && args.join_token.is_none() && args.resource_group.is_none() {
        let failure = Failure::new(Kind::Usage, "no resource group is named").code("AZCM0016");
        return Err(failure.hint("give -g NAME, or a join token, which knows its own"));
    }
    let client = site::client(ca.as_deref(), &config::load(&place)?)?;
    let cloud = site::discover(&client, &address).await?;
    if args.form.is_some() {
        let made = existing::resource(&args, &place, &client, &cloud, ca.as_deref()).await?;
        return connected(&place, &registration(&args, cloud, ca, &made)?);
    }
    let admission = admission(&args, &client, &cloud).await?;
    let is_new = place.unfinished_key().is_none();
    let key = place.key_to_connect_with()?;
    let body = machine(&args, &key, &tags)?;
    let made = admission.machine(&args, &client, &cloud, &name, body).await.map_err(|failure| {
        // Refused: the site does not know a key that it hears of for the first time. All else may have been done.
        if is_new && failure.kind != Kind::Unreachable {
            drop(place.forget_key());
        }
        explained(failure)
    })?;
    connected(&place, &registration(&args, cloud, ca, &made)?)
}

fn connected(place: &Place, state: &State) -> Result<(), Failure> {
    place.save(state)?;
    tell(&format!("Connected machine {} as {}", state.resource_name, state.resource_id));
    Ok(())
}

/// Why the site lets this machine in.
enum Admission {
    /// Somebody's token for the resource manager, and the group it makes the machine in.
    Token { token: String, subscription: String, group: String },
    /// A one-time token, which knows its group.
    Join(String),
}

async fn admission(
    args: &ConnectArgs,
    client: &reqwest::Client,
    cloud: &Cloud,
) -> Result<Admission, Failure> {
    if let Some(given) = &args.join_token {
        return join::token(given).map(Admission::Join);
    }
    let tenant = args.tenant_id.clone().unwrap_or_else(|| "adfs".to_owned());
    let token = credential::token(&args.credential, client, cloud, &tenant).await?;
    let subscription = subscription(args.subscription_id.as_deref(), client, cloud, &token).await?;
    Ok(Admission::Token { token, subscription, group: args.resource_group.clone().unwrap_or_default() })
}

impl Admission {
    async fn machine(
        &self,
        args: &ConnectArgs,
        client: &reqwest::Client,
        cloud: &Cloud,
        name: &MachineName,
        body: Value,
    ) -> Result<Value, Failure> {
        match self {
            Self::Token { token, subscription, group } => {
                let id = format!(
                    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.HybridCompute/machines/{name}"
                );
                let url = format!("{}{id}?api-version={API_VERSION}", cloud.site);
                let what = "connecting the machine";
                site::call(client, what, Method::PUT, &url, Some(token), Some(&body)).await
            }
            Self::Join(token) => {
                let place = (name.as_str(), args.resource_group.as_deref(), args.subscription_id.as_deref());
                join::join(client, cloud, token, place, body).await
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
pub fn tell(text: &str) {
    eprintln!("{text}");
}

fn already(known: &State) -> Failure {
    Failure::new(Kind::WrongState, format!("this machine is connected already, as {}", known.resource_id))
        .code("AZCM0067")
        .hint("run `csagent disconnect` first, or look with `csagent show`")
}

fn explained(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Unreachable => failure.code("AZCM0042").hint(
            "the site may have stored the machine: its key is kept here, and the same command run again finishes",
        ),
        Kind::Failed => failure.code("AZCM0042"),
        _ => failure,
    }
}

fn address(args: &ConnectArgs) -> Result<String, Failure> {
    match args.site.as_deref() {
        Some(site) => site::checked_address(site),
        // azcmagent knows one site by itself.
        None if program() == "azcmagent" || args.cloud.is_some() => Ok(PUBLIC_SITE.to_owned()),
        None => Err(Failure::new(Kind::Usage, "no site is named")
            .code("AZCM0016")
            .hint("give --site URL, the address of its resource manager")),
    }
}

fn machine_name(given: Option<&str>) -> Result<MachineName, Failure> {
    let name = given.map_or_else(host::name, str::to_owned);
    let bad = |e| Failure::new(Kind::Usage, format!("--resource-name {name}: {e}")).code("AZCM0102");
    name.parse().map_err(bad)
}

/// An id, or a name to look up; without either the only one the credential sees.
async fn subscription(
    given: Option<&str>,
    client: &reqwest::Client,
    cloud: &Cloud,
    token: &str,
) -> Result<String, Failure> {
    if let Some(id) = given.filter(|g| uuid::Uuid::try_parse(g).is_ok()) {
        return Ok(id.to_owned());
    }
    let url = format!("{}/subscriptions?api-version=2022-12-01", cloud.site);
    let listed = site::call(client, "listing subscriptions", Method::GET, &url, Some(token), None).await?;
    let all = listed["value"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named: Vec<&Value> = all
        .iter()
        .filter(|s| {
            given.is_none_or(|g| s["displayName"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(g)))
        })
        .collect();
    let bad = |text: String| Failure::new(Kind::Usage, text).code("AZCM0068").hint("name one with -s ID");
    match (named.as_slice(), given) {
        ([only], _) => Ok(only["subscriptionId"].as_str().unwrap_or_default().to_owned()),
        (_, Some(name)) => Err(bad(format!("{} subscriptions are called {name}", named.len()))),
        (_, None) => Err(bad(format!("the credential sees {} subscriptions", named.len()))),
    }
}

fn machine(args: &ConnectArgs, key: &MachineKey, tags: &Map<String, Value>) -> Result<Value, Failure> {
    let (os_name, os_version) = host::operating_system();
    let public = serde_json::to_string(&key.public()).attempt("writing the public key")?;
    Ok(json!({
        "location": args.location, "tags": tags, "identity": {"type": "SystemAssigned"},
        "properties": {
            "vmId": vm_id(key), "clientPublicKey": public, "osType": "linux", "osName": os_name,
            "osVersion": os_version, "agentVersion": env!("CARGO_PKG_VERSION"), "displayName": host::name(),
            "machineFqdn": host::name(), "osProfile": {"computerName": host::name()}
        }
    }))
}

/// The machine's own id, the same for every attempt with one key: a UUID (version 8) of the key's thumbprint.
fn vm_id(key: &MachineKey) -> String {
    let hash = digest::digest(&digest::SHA256, key.public().thumbprint().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn tags(text: Option<&str>) -> Result<Map<String, Value>, Failure> {
    words::tags(text.unwrap_or_default())
        .map_err(|why| Failure::new(Kind::Usage, format!("--tags: {why}")).code("AZCM0023"))
}

fn registration(
    args: &ConnectArgs,
    cloud: Cloud,
    ca: Option<String>,
    made: &Value,
) -> Result<State, Failure> {
    let text = |pointer: &str| {
        let found = made.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| Failure::failed(format!("the site's answer lacks {pointer}")))
    };
    let resource_id = text("/id")?;
    let segment = |at: usize| resource_id.split('/').nth(at).unwrap_or_default().to_owned();
    Ok(State {
        version: 1,
        site: cloud.site,
        ca,
        authority: cloud.authority,
        audience: cloud.audience,
        cloud: cloud.name,
        tenant_id: text("/identity/tenantId")?,
        subscription_id: segment(2),
        resource_group: segment(4),
        resource_name: text("/name")?,
        resource_id,
        location: text("/location")?,
        vm_id: text("/properties/vmId")?,
        principal_id: text("/identity/principalId")?,
        client_id: text("/identity/clientId")?,
        tags: crate::facts::tags_of(made),
        correlation_id: args.correlation_id.clone().unwrap_or_default(),
        upstream: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_has_one_machine_id() {
        let (a, b) = (MachineKey::generate().unwrap(), MachineKey::generate().unwrap());
        assert_eq!(vm_id(&a), vm_id(&a));
        assert_ne!(vm_id(&a), vm_id(&b));
        assert_eq!(uuid::Uuid::try_parse(&vm_id(&a)).unwrap().get_version_num(), 8);
    }

    #[test]
    fn names_that_no_machine_may_have() {
        for bad in ["", "a/b", "a b", "é", &"x".repeat(55)] {
            assert_eq!(machine_name(Some(bad)).unwrap_err().kind, Kind::Usage, "{bad}");
        }
        assert!(machine_name(None).is_ok());
    }
}
