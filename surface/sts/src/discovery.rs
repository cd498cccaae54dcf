//! Discovery documents and keys.

use cs_serve::{Response, json};
use cs_wire_sts::{Configuration, Instance, InstanceMetadata, Key, Keys};
use http::StatusCode;

use crate::{Aadsts, Call, Failure, kept};

/// Documents are kept this long by clients, in seconds: shorter than the original's day, so that a new key is seen.
const KEPT_SECONDS: u32 = 3600;

/// As the original lists them (sts.md 2.1).
const CLAIMS: &[&str] = &[
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
    "email",
];

pub(crate) fn configuration(call: &Call<'_>, tenant: &str, v2: bool) -> Result<Response, Failure> {
    let name = call.authority.tenant(tenant)?;
    let address = &call.context.address;
    let login = address.login();
    // The endpoints repeat the client's word for the tenant, but `adfs` is this tenant's alias throughout.
    let written = if name.by_word { name.written.clone() } else { name.id.to_string() };
    let base = format!("{login}/{written}");
    let anybody = matches!(name.written.as_str(), "common" | "organizations");
    let issuer = match (v2, anybody) {
        (true, true) => format!("{login}/{{tenantid}}/v2.0"),
        (true, false) => format!("{login}/{}/v2.0", name.id),
        (false, true) => format!("{}/{{tenantid}}/", call.authority.issuer_base(address)),
        (false, false) => format!("{}/{}/", call.authority.issuer_base(address), name.id),
    };
    let path = if v2 { "oauth2/v2.0" } else { "oauth2" };
    let document = Configuration {
        token_endpoint: format!("{base}/{path}/token"),
        token_endpoint_auth_methods_supported: &[
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        jwks_uri: format!("{base}/{}", if v2 { "discovery/v2.0/keys" } else { "discovery/keys" }),
        response_modes_supported: &["query", "fragment", "form_post"],
        subject_types_supported: &["pairwise"],
        id_token_signing_alg_values_supported: &["RS256"],
        response_types_supported: &["code", "id_token", "code id_token", "id_token token"],
        scopes_supported: &["openid", "profile", "email", "offline_access"],
        issuer,
        request_uri_parameter_supported: false,
        userinfo_endpoint: format!("{}/oidc/userinfo", address.graph()),
        authorization_endpoint: format!("{base}/{path}/authorize"),
        device_authorization_endpoint: format!("{base}/{path}/devicecode"),
        http_logout_supported: true,
        frontchannel_logout_supported: true,
        end_session_endpoint: format!("{base}/{path}/logout"),
        claims_supported: CLAIMS,
        tenant_region_scope: "WW",
        cloud_instance_name: address.login_host(),
        cloud_graph_host_name: address.graph_host(),
        msgraph_host: address.graph_host(),
        rbac_url: address.management(),
        microsoft_multi_refresh_token: (!v2).then_some(true),
    };
    Ok(kept(json(StatusCode::OK, &document), KEPT_SECONDS))
}

pub(crate) fn keys(call: &Call<'_>, tenant: &str, v2: bool) -> Result<Response, Failure> {
    let name = call.authority.tenant(tenant)?;
    let issuer = v2.then(|| format!("{}/{}/v2.0", call.context.address.login(), name.id));
    let keys = call.authority.published_keys(name.id).into_iter().map(|key| Key {
        kty: key.jwk.kty,
        usage: "sig",
        x5t: key.kid.clone(),
        kid: key.kid,
        n: key.jwk.n.unwrap_or_default(),
        e: key.jwk.e.unwrap_or_default(),
        alg: "RS256",
        issuer: issuer.clone(),
    });
    Ok(kept(json(StatusCode::OK, &Keys { keys: keys.collect() }), KEPT_SECONDS))
}

/// Whether an authority is known: asked by clients about every host they do not know by heart (sts.md 2.3).
pub(crate) fn instance(call: &Call<'_>) -> Result<Response, Failure> {
    let unknown = || Failure::of(Aadsts::INVALID_INSTANCE, "Unknown or invalid instance.");
    let asked = call.query.get("authorization_endpoint").ok_or_else(unknown)?;
    let uri: http::Uri = asked.parse().map_err(|_| unknown())?;
    let address = &call.context.address;
    let ours = uri.host().is_some_and(|h| address.names().route(h) == Some(cs_names::Surface::Login));
    let mut path = uri.path().split('/').filter(|s| !s.is_empty());
    let tenant = path.next().ok_or_else(unknown)?;
    if !ours || uri.scheme_str() != Some("https") {
        return Err(unknown());
    }
    let name = call.authority.tenant(tenant)?;
    let host = address.login_host();
    let document = Instance {
        tenant_discovery_endpoint: format!(
            "{}/{}/v2.0/.well-known/openid-configuration",
            address.login(),
            name.written
        ),
        api_version: call.query.get("api-version").unwrap_or("1.1").chars().take(16).collect(),
        metadata: vec![InstanceMetadata {
            preferred_network: host.clone(),
            preferred_cache: host.clone(),
            aliases: vec![host],
        }],
    };
    Ok(kept(json(StatusCode::OK, &document), KEPT_SECONDS))
}
