//! `csagent disconnect`.

use reqwest::Method;

use crate::{
    cli::DisconnectArgs,
    config::{self, Settings},
    connect::tell,
    credential,
    failure::{Failure, Kind},
    issuer::{self, SiteIssuer},
    site::{self, API_VERSION},
    state::{Place, State},
};

pub async fn disconnect(args: DisconnectArgs) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    if args.force_local_only {
        let known = place.load().ok().flatten();
        let _lock = place.lock()?;
        place.forget()?;
        tell(&match known {
            Some(state) => format!("Forgot machine {}; the site still has it", state.resource_name),
            None => "Forgot what was kept here".to_owned(),
        });
        return Ok(());
    }
    place.connected()?;
    // Before the site is asked: without root nothing could be forgotten here.
    let _lock = place.lock()?;
    let state = place.connected()?;
    if state.upstream.is_some() {
        // The application is the directory's; only what lies here is ours.
        place.forget()?;
        tell(&format!(
            "Disconnected machine {}; the application stays in its directory",
            state.resource_name
        ));
        return Ok(());
    }
    remove(&args, &place, &state).await?;
    place.forget()?;
    tell(&format!("Disconnected machine {}", state.resource_name));
    Ok(())
}

async fn remove(args: &DisconnectArgs, place: &Place, state: &State) -> Result<(), Failure> {
    let settings = config::load(place)?;
    let client = site::client(state.ca.as_deref(), &settings)?;
    let token = if args.credential.is_given() {
        let cloud = site::discover(&client, &state.site).await.map_err(local_only)?;
        let tenant = args.tenant_id.as_deref().unwrap_or(&state.tenant_id);
        credential::token(&args.credential, &client, &cloud, tenant).await.map_err(local_only)?
    } else {
        own_token(place, state, &settings).await?
    };
    let url = format!("{}{}?api-version={API_VERSION}", state.site, state.resource_id);
    let gone = site::call(&client, "removing the machine", Method::DELETE, &url, Some(&token), None).await;
    gone.map(drop).map_err(|failure| match failure.kind {
        Kind::Refused => failure.code("AZCM0043").hint(
            "a machine removes itself only where a role allows it: give -i ID and -p SECRET of who may delete it",
        ),
        _ => local_only(failure.code("AZCM0043")),
    })
}

/// Without a credential the machine speaks for itself; whether it may is the site's to say.
async fn own_token(place: &Place, state: &State, settings: &Settings) -> Result<String, Failure> {
    let issuer = SiteIssuer::of(state, place, settings)?;
    let token = issuer.token(&state.audience).await.map_err(|error| {
        issuer::failure("signing in as this machine", &error)
            .code("AZCM0063")
            .hint("give -i ID and -p SECRET, or forget the connection here alone with --force-local-only")
    })?;
    Ok(token.access_token)
}

fn local_only(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Unreachable => failure.hint("forget the connection here alone with --force-local-only"),
        _ => failure,
    }
}
