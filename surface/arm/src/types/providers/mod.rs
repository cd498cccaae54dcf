//! Resource providers: all registered from the start (arm.md 4.4).

use cs_serve::{Door, json};
use cs_wire_arm::{List, Provider, ProviderType};
use http::StatusCode;

use super::subscriptions::place_names;
use crate::{
    call::{Answer, Call},
    doors::{Op, door, open_door},
    failure::Failure,
};

const READ: &str = "Microsoft.Resources/subscriptions/providers/read";
const SAME_FOR_ALL: &str = "the same for everybody";

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door("GET", "/providers", SAME_FOR_ALL, |c| Box::pin(list(c))),
    open_door("GET", "/providers/{namespace}", SAME_FOR_ALL, |c| Box::pin(show(c))),
    door("GET", s!("/providers"), READ, |c| Box::pin(list(c))),
    door("GET", s!("/providers/{namespace}"), READ, |c| Box::pin(show(c))),
    // Changes nothing, so that reading is enough: az registers before its first use of a provider.
    door("POST", s!("/providers/{namespace}/register"), READ, |c| Box::pin(show(c))),
    door("POST", s!("/providers/{namespace}/unregister"), READ, |c| Box::pin(show(c))),
];

const VERSIONS: &[&str] = &["2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"];

const IDENTITY_VERSIONS: &[&str] = &["2024-11-30", "2023-01-31", "2018-11-30", "2025-01-31-preview"];

/// Namespace, and types with their versions, newest first.
type Row = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const PROVIDERS: &[Row] = &[
    (
        "Microsoft.Authorization",
        &[
            ("roleAssignments", &["2022-04-01", "2020-04-01-preview", "2018-01-01-preview", "2015-07-01"]),
            ("denyAssignments", &["2022-04-01", "2024-07-01-preview"]),
            ("locks", &["2020-05-01", "2016-09-01"]),
            ("permissions", &["2022-04-01", "2015-07-01"]),
            ("roleDefinitions", &["2022-04-01", "2022-05-01-preview", "2018-01-01-preview", "2015-07-01"]),
        ],
    ),
    (
        "Microsoft.DBforPostgreSQL",
        &[
            ("flexibleServers", &["2025-08-01", "2024-08-01", "2022-12-01"]),
            ("flexibleServers/administrators", &["2025-08-01", "2024-08-01", "2022-12-01"]),
        ],
    ),
    (
        "Microsoft.HybridCompute",
        &[(
            "machines",
            &["2025-01-13", "2024-07-10", "2024-07-31-preview", "2024-03-31-preview", "2022-12-27"],
        )],
    ),
    (
        "Microsoft.KeyVault",
        &[("vaults", &["2024-11-01", "2023-07-01", "2022-07-01", "2021-10-01", "2019-09-01"])],
    ),
    ("Microsoft.Insights", &[("eventtypes", &["2015-04-01"])]),
    ("Microsoft.Management", &[("managementGroups", &["2023-04-01", "2021-04-01", "2020-05-01"])]),
    (
        "Microsoft.ManagedIdentity",
        &[
            ("userAssignedIdentities", IDENTITY_VERSIONS),
            ("userAssignedIdentities/federatedIdentityCredentials", IDENTITY_VERSIONS),
            ("identities", IDENTITY_VERSIONS),
        ],
    ),
    (
        "Microsoft.Resources",
        &[
            ("subscriptions", &["2022-12-01", "2021-01-01", "2020-01-01"]),
            ("resourceGroups", VERSIONS),
            ("resources", VERSIONS),
            ("tags", VERSIONS),
        ],
    ),
    (
        "Microsoft.Storage",
        &[("storageAccounts", &["2025-08-01", "2024-01-01", "2023-05-01", "2022-09-01", "2021-09-01"])],
    ),
];

async fn list(call: &Call) -> Answer {
    let all: Vec<Provider> = PROVIDERS.iter().map(|row| provider(call, row)).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

async fn show(call: &Call) -> Answer {
    let wanted = call.params.get("namespace");
    match PROVIDERS.iter().find(|(namespace, _)| namespace.eq_ignore_ascii_case(wanted)) {
        Some(row) => Ok(json(StatusCode::OK, &provider(call, row))),
        None => {
            let message = format!("The resource namespace '{}' is invalid.", crate::failure::shown(wanted));
            Err(Failure::new(StatusCode::NOT_FOUND, "InvalidResourceNamespace", message))
        }
    }
}

fn provider(call: &Call, (namespace, types): &Row) -> Provider {
    let at = if call.scope.key() == "/" { String::new() } else { call.scope.to_string() };
    Provider {
        id: format!("{at}/providers/{namespace}"),
        namespace,
        registration_state: "Registered",
        registration_policy: "RegistrationRequired",
        resource_types: types
            .iter()
            .map(|(kind, versions)| ProviderType {
                resource_type: kind,
                locations: place_names(),
                api_versions: versions,
                capabilities: "SupportsTags, SupportsLocation",
            })
            .collect(),
    }
}
