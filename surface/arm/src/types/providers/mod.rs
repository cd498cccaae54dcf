//! Resource providers: all registered from the start (arm.md 4.4).

pub(crate) mod features;
pub(crate) mod operations;

use cs_serve::json;
use cs_wire_arm::{List, Provider, ProviderType};
use http::StatusCode;

use super::subscriptions::place_names;
use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door, open_door},
    failure::Failure,
};

const READ: &str = "Microsoft.Resources/subscriptions/providers/read";
const SAME_FOR_ALL: &str = "the same for everybody";

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Resources/providers",
    about: "Resource providers: all are registered from the start.",
    versions: &["2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"],
    rows: &[
        open_door("GET", "/providers", Body::Nothing, SAME_FOR_ALL, |c| Box::pin(list(c))),
        open_door("GET", "/providers/{namespace}", Body::Nothing, SAME_FOR_ALL, |c| Box::pin(show(c))),
        open_door("GET", "/providers/{namespace}/operations", Body::Nothing, SAME_FOR_ALL, |c| {
            Box::pin(operations::of_provider(c))
        }),
        door("GET", s!("/providers"), Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", s!("/providers/{namespace}"), Body::Nothing, READ, |c| Box::pin(show(c))),
        // Changes nothing, so that reading is enough: az registers before its first use of a provider.
        door("POST", s!("/providers/{namespace}/register"), Body::Nothing, READ, |c| Box::pin(show(c))),
        door("POST", s!("/providers/{namespace}/unregister"), Body::Nothing, READ, |c| Box::pin(show(c))),
    ],
};

async fn list(call: &Call) -> Answer {
    let all: Vec<Provider> = namespaces().into_iter().map(|namespace| provider(call, namespace)).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

async fn show(call: &Call) -> Answer {
    Ok(json(StatusCode::OK, &provider(call, namespace_of(call)?)))
}

/// The namespace in the path, as the tables write it.
fn namespace_of(call: &Call) -> Result<&'static str, Failure> {
    let wanted = call.params.get("namespace");
    namespaces().into_iter().find(|namespace| namespace.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
        let message = format!("The resource namespace '{}' is invalid.", crate::failure::shown(wanted));
        Failure::new(StatusCode::NOT_FOUND, "InvalidResourceNamespace", message)
    })
}

/// Each namespace once, in the order of the tables.
fn namespaces() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for (namespace, _) in types() {
        if !names.contains(&namespace) {
            names.push(namespace);
        }
    }
    names
}

/// The types with their namespaces, as the tables name them.
fn types() -> impl Iterator<Item = (&'static str, &'static Type)> {
    super::ALL.iter().filter_map(|kind| Some((kind.name.split_once('/')?.0, *kind)))
}

fn provider(call: &Call, namespace: &'static str) -> Provider {
    let at = if call.scope.key() == "/" { String::new() } else { call.scope.to_string() };
    let described = |resource_type, kind: &Type| ProviderType {
        resource_type,
        locations: place_names(),
        api_versions: kind.versions,
        capabilities: "SupportsTags, SupportsLocation",
    };
    let own = || types().filter(|(of, _)| *of == namespace);
    let named =
        own().map(|(_, kind)| described(kind.name.split_once('/').map_or(kind.name, |(_, name)| name), kind));
    // `az resource show --ids …/locations/local/deletedVaults/kv` looks for the versions of `locations`.
    let of_places = own().find(|(_, kind)| kind.rows.iter().any(|row| row.path.contains("/locations/{")));
    let places = of_places.map(|(_, kind)| described("locations", kind));
    Provider {
        id: format!("{at}/providers/{namespace}"),
        namespace,
        registration_state: "Registered",
        registration_policy: "RegistrationRequired",
        resource_types: named.chain(places).collect(),
    }
}
