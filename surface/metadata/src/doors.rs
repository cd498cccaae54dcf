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
    /// The Cloud Shell source: a form, posted.
    CloudShell,
}

const fn get(path: &'static str, op: Op) -> Door<Op> {
    Door { method: "GET", path, query: "", needs: Needs::MetadataHeader, op }
}

/// A trailing slash comes from Node with `AZURE_POD_IDENTITY_AUTHORITY_HOST` (clients.md 7).
const TOKEN: Door<Op> = get("/metadata/identity/oauth2/token", Op::Token);
const TOKEN_SLASH: Door<Op> = get("/metadata/identity/oauth2/token/", Op::Token);
const INSTANCE: Door<Op> = get("/metadata/instance", Op::Instance);
const INSTANCE_PART: Door<Op> = get("/metadata/instance/{part**}", Op::Instance);

const ATTESTED: Door<Op> = get("/metadata/attested/document", Op::Attested);

pub(crate) const HIMDS: &[Door<Op>] = &[
    TOKEN,
    TOKEN_SLASH,
    INSTANCE,
    INSTANCE_PART,
    // As the instance document, to everybody on this machine: IMDS is off where HIMDS is enough.
    ATTESTED,
    // The site's own host serves it here; csagent on a listener of its own.
    app_service("/appservice/token"),
];

const fn app_service(path: &'static str) -> Door<Op> {
    Door { method: "GET", path, query: "", needs: Needs::Credentials, op: Op::AppService }
}

pub(crate) const APP_SERVICE: &[Door<Op>] = &[app_service("/msi/token"), app_service("/msi/token/")];

pub(crate) const CLOUD_SHELL: &[Door<Op>] = &[
    Door {
        method: "POST",
        path: "/oauth2/token",
        query: "",
        needs: Needs::MetadataHeader,
        op: Op::CloudShell,
    },
    // msal4j asks so, as the virtual machines' extension was asked that this source comes from.
    get("/oauth2/token", Op::CloudShell),
];

pub(crate) const IMDS: &[Door<Op>] = &[
    TOKEN,
    TOKEN_SLASH,
    INSTANCE,
    INSTANCE_PART,
    get("/metadata/versions", Op::Versions),
    get("/metadata/identity/info", Op::IdentityInfo),
    ATTESTED,
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

pub fn app_service_doors() -> &'static [Door<Op>] {
    APP_SERVICE
}

pub fn cloud_shell_doors() -> &'static [Door<Op>] {
    CLOUD_SHELL
}

pub fn imds_doors() -> &'static [Door<Op>] {
    IMDS
}
