//! `POST …/token`.

use cs_authority::{AuthorityError, IssuedToken, Proof, TokenRequest};
use cs_serve::{Request, Response, json};
use cs_wire_sts::{TokenReplyV1, TokenReplyV2};
use http::StatusCode;

use crate::{Aadsts, Call, Failure, form::Form};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Beside the one resource, users' clients ask for these.
const IDENTITY_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

pub(crate) async fn token(
    call: &Call<'_>,
    tenant: &str,
    request: Request,
    v2: bool,
) -> Result<Response, Failure> {
    let tenant = call.authority.tenant(tenant)?;
    let form = Form::read(call, request).await?;
    let grant = form.field("grant_type").ok_or_else(|| Failure::missing("grant_type"))?;
    if grant != "client_credentials" {
        return Err(Failure::of(
            Aadsts::UNSUPPORTED_GRANT,
            format!(
                "The app requested an unsupported grant type '{}'.",
                grant.chars().take(64).collect::<String>()
            ),
        ));
    }
    if matches!(tenant.written.as_str(), "common" | "organizations") {
        return Err(Failure::of(
            Aadsts::UNKNOWN_CLIENT,
            "Client credentials are asked for at the tenant itself, not at 'common' or 'organizations'.",
        ));
    }
    let proof = proof(&form)?;
    // A v1 client names a resource; with `scope` the reply is v2's on either path (sts.md 7.2).
    let (audience, v2) = match (form.field("scope"), form.field("resource")) {
        (Some(scope), _) => (audience_of(scope)?, true),
        (None, Some(resource)) if !v2 => (resource.to_owned(), false),
        _ => return Err(Failure::missing(if v2 { "scope" } else { "resource" })),
    };
    let request = TokenRequest {
        tenant: &tenant,
        client: form.client(),
        proof,
        identity: form.field("managed_identity"),
        audience: &audience,
        address: &call.context.address,
        correlation: call.correlation,
    };
    let issued = call.authority.token(&request).await?;
    Ok(if v2 { reply_v2(issued) } else { reply_v1(issued) })
}

fn proof(form: &Form) -> Result<Proof<'_>, Failure> {
    if let Some(assertion) = form.field("client_assertion") {
        if form.secret().is_some() {
            return Err(Failure::of(
                Aadsts::MALFORMED,
                "Invalid request. A secret and an assertion are given.",
            ));
        }
        return match form.field("client_assertion_type") {
            Some(JWT_BEARER) => Ok(Proof::Assertion(assertion)),
            _ => Err(Failure::missing("client_assertion_type")),
        };
    }
    if form.client().is_none() {
        return Err(Failure::missing("client_id"));
    }
    form.secret().map(Proof::Secret).ok_or_else(|| {
        Failure::of(
            Aadsts::NO_CREDENTIAL,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    })
}

/// Exactly one `/.default` comes off the end; what is left is the audience, byte for byte (sts.md 3.5).
fn audience_of(scope: &str) -> Result<String, AuthorityError> {
    let mut resources = scope.split(' ').filter(|s| !s.is_empty() && !IDENTITY_SCOPES.contains(s));
    let one = resources.next().ok_or(AuthorityError::ScopeMissing)?;
    if resources.next().is_some() {
        return Err(AuthorityError::SeveralResources);
    }
    let shown = || one.chars().take(128).collect::<String>();
    one.strip_suffix("/.default").map(str::to_owned).ok_or_else(|| AuthorityError::ScopeNotDefault(shown()))
}

fn reply_v2(token: IssuedToken) -> Response {
    json(
        StatusCode::OK,
        &TokenReplyV2 {
            token_type: "Bearer",
            expires_in: token.expires_in,
            ext_expires_in: token.expires_in,
            access_token: token.access_token,
        },
    )
}

fn reply_v1(token: IssuedToken) -> Response {
    json(
        StatusCode::OK,
        &TokenReplyV1 {
            token_type: "Bearer",
            expires_in: token.expires_in.to_string(),
            ext_expires_in: token.expires_in.to_string(),
            expires_on: token.expires_on.to_string(),
            not_before: token.not_before.to_string(),
            resource: token.audience,
            access_token: token.access_token,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_byte_for_byte() {
        let of = |s: &str| audience_of(s).unwrap();
        assert_eq!(
            of("https://management.core.windows.net//.default"),
            "https://management.core.windows.net/"
        );
        assert_eq!(of("openid https://vault.azure.net/.default offline_access"), "https://vault.azure.net");
        assert_eq!(audience_of("a/.default b/.default"), Err(AuthorityError::SeveralResources));
        assert_eq!(
            audience_of("https://vault.azure.net"),
            Err(AuthorityError::ScopeNotDefault("https://vault.azure.net".into()))
        );
        assert_eq!(audience_of("openid"), Err(AuthorityError::ScopeMissing));
    }
}
