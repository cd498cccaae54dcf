//! Every route of the two services.

use cs_serve::{Door, Needs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Versions,
    Instance,
    Token,
    IdentityInfo,
    Attested,
    ScheduledEvents,
    StartEvents,
    LoadBalancer,
    /// The App Service source: a secret header instead of the challenge.
    AppService,
}

const fn get(path: &'static str, op: Op) -> Door<Op> {
    Door { method: "GET", path, query: "", needs: Needs::MetadataHeader, op }
}

/// A trailing slash comes from Node with `AZURE_POD_IDENTITY_AUTHORITY_HOST` (clients.md 7).
const TOKEN: Door<Op> = get("/metadata/identity/oauth2/token", Op::Token);
const TOKEN_SLASH: Door<Op> = get("/metadata/identity/oauth2/token/", Op::Token);
const INSTANCE: Door<Op> = get("/metadata/instance", Op::Instance);
const INSTANCE_PART: Door<Op> = get("/metadata/instance/{part**}", Op::Instance);

pub(crate) const HIMDS: &[Door<Op>] = &[
    TOKEN,
    TOKEN_SLASH,
    INSTANCE,
    INSTANCE_PART,
    Door {
        method: "GET",
        path: "/appservice/token",
        query: "",
        needs: Needs::Credentials,
        op: Op::AppService,
    },
];

pub(crate) const IMDS: &[Door<Op>] = &[
    TOKEN,
    TOKEN_SLASH,
    INSTANCE,
    INSTANCE_PART,
    get("/metadata/versions", Op::Versions),
    get("/metadata/identity/info", Op::IdentityInfo),
    get("/metadata/attested/document", Op::Attested),
    get("/metadata/scheduledevents", Op::ScheduledEvents),
    Door {
        method: "POST",
        path: "/metadata/scheduledevents",
        query: "",
        needs: Needs::MetadataHeader,
        op: Op::StartEvents,
    },
    get("/metadata/loadbalancer", Op::LoadBalancer),
];

/// The tables, for the tests that knock on every door.
pub fn himds_doors() -> &'static [Door<Op>] {
    HIMDS
}

pub fn imds_doors() -> &'static [Door<Op>] {
    IMDS
}
