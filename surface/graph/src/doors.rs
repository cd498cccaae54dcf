//! Every route of the directory.

use cs_serve::{Door, Needs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Me,
    ServicePrincipals,
    ServicePrincipal,
    Applications,
    Application,
    Users,
    Groups,
    GetByIds,
}

impl Op {
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Applications | Self::Application => "applications",
            Self::GetByIds | Self::Me => "directoryObjects",
            Self::ServicePrincipals | Self::ServicePrincipal => "servicePrincipals",
        }
    }
}

const READ: Needs = Needs::Token("any principal of a tenant may read its directory (arm.md 5.3)");

const fn get(path: &'static str, op: Op) -> Door<Op> {
    Door { method: "GET", path, query: "", needs: READ, op }
}

pub(crate) const DOORS: &[Door<Op>] = &[
    get("/v1.0/me", Op::Me),
    get("/v1.0/servicePrincipals", Op::ServicePrincipals),
    get("/v1.0/servicePrincipals/{id}", Op::ServicePrincipal),
    get("/v1.0/applications", Op::Applications),
    get("/v1.0/applications/{id}", Op::Application),
    get("/v1.0/users", Op::Users),
    get("/v1.0/groups", Op::Groups),
    Door {
        method: "POST",
        path: "/v1.0/directoryObjects/getByIds",
        query: "",
        needs: READ,
        op: Op::GetByIds,
    },
];

/// The table, for the tests that knock on every door.
pub fn doors() -> &'static [Door<Op>] {
    DOORS
}
