//! Every route of the token service.

use cs_serve::{Door, Needs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    ConfigurationV2,
    ConfigurationV1,
    Instance,
    KeysV2,
    KeysV1,
    TokenV2,
    TokenV1,
    /// Ours: a machine's sign of life, signed by its key.
    Heartbeat,
    /// Ours: the key that a machine will use next.
    NextKey,
    /// Ours: who a machine is, signed for it.
    Attested,
    /// Device code, browser sign-in, sign-out: answered with a clear AADSTS error.
    Interactive,
}

const PUBLIC: Needs = Needs::Nothing("discovery documents and public keys are for everybody");
const REFUSED: Needs = Needs::Nothing("always refused");

const fn get(path: &'static str, needs: Needs, op: Op) -> Door<Op> {
    Door { method: "GET", path, query: "", needs, op }
}

const fn post(path: &'static str, needs: Needs, op: Op) -> Door<Op> {
    Door { method: "POST", path, query: "", needs, op }
}

pub(crate) const DOORS: &[Door<Op>] = &[
    get("/common/discovery/instance", PUBLIC, Op::Instance),
    get("/{tenant}/v2.0/.well-known/openid-configuration", PUBLIC, Op::ConfigurationV2),
    get("/{tenant}/.well-known/openid-configuration", PUBLIC, Op::ConfigurationV1),
    get("/{tenant}/discovery/v2.0/keys", PUBLIC, Op::KeysV2),
    get("/{tenant}/discovery/keys", PUBLIC, Op::KeysV1),
    post("/{tenant}/oauth2/v2.0/token", Needs::Credentials, Op::TokenV2),
    post("/{tenant}/oauth2/token", Needs::Credentials, Op::TokenV1),
    post("/{tenant}/machine/heartbeat", Needs::Credentials, Op::Heartbeat),
    post("/{tenant}/machine/key", Needs::Credentials, Op::NextKey),
    post("/{tenant}/machine/attested", Needs::Credentials, Op::Attested),
    post("/{tenant}/oauth2/v2.0/devicecode", REFUSED, Op::Interactive),
    post("/{tenant}/oauth2/devicecode", REFUSED, Op::Interactive),
    get("/{tenant}/oauth2/v2.0/authorize", REFUSED, Op::Interactive),
    post("/{tenant}/oauth2/v2.0/authorize", REFUSED, Op::Interactive),
    get("/{tenant}/oauth2/authorize", REFUSED, Op::Interactive),
    post("/{tenant}/oauth2/authorize", REFUSED, Op::Interactive),
    get("/{tenant}/oauth2/v2.0/logout", REFUSED, Op::Interactive),
    get("/{tenant}/oauth2/logout", REFUSED, Op::Interactive),
];

/// The table, for the tests that knock on every door.
pub fn doors() -> &'static [Door<Op>] {
    DOORS
}
