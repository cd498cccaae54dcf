//! `csagent disconnect`.

use reqwest::Method;

use crate::{
    cli::DisconnectArgs,
    connect::{credential, tell},
    failure::{Failure, Kind},
    site,
    state::Place,
};

pub async fn disconnect(args: DisconnectArgs) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    let state = place.connected()?;
    if !args.force_local_only {
        let client = site::client(state.ca.as_deref())?;
        let cloud = site::discover(&client, &state.site).await?;
        let token = credential(&args.credential, &client, &cloud, &state.tenant_id).await?;
        let url = format!("{}{}?api-version=2024-07-31-preview", state.site, state.resource_id);
        let gone =
            site::call(&client, "removing the machine", Method::DELETE, &url, Some(&token), None).await;
        gone.map_err(|failure| match failure.kind {
            Kind::Unreachable => failure.hint("forget the connection here alone with --force-local-only"),
            _ => failure,
        })?;
    }
    place.forget()?;
    tell(&format!("Disconnected machine {}", state.resource_name));
    Ok(())
}
