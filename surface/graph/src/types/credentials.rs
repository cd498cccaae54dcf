//! Passwords and certificates. Applications and service principals each have their own, by the same words.

use cs_directory::{CredentialKind, Given, KeyRing, NewCertificate};
use cs_ids::ObjectId;
use cs_rbac::Allowed;
use cs_serve::json;
use http::StatusCode;

use crate::{
    answer::nothing,
    body::{Body, wrong},
    call::{Answer, Call},
    failure::Failure,
    objects,
};

/// The key credentials of a body: `keyId` and, for new ones, the certificate.
pub(crate) type Keys = Vec<(Option<String>, Option<NewCertificate>)>;

pub(crate) fn certificates(body: &mut Body) -> Result<Option<Keys>, Failure> {
    const NAME: &str = "keyCredentials";
    let Some(all) = body.list(NAME)? else { return Ok(None) };
    all.into_iter()
        .map(|value| certificate(Body::of(value).ok_or_else(|| wrong(NAME))?))
        .collect::<Result<Keys, Failure>>()
        .map(Some)
}

fn certificate(mut key: Body) -> Result<(Option<String>, Option<NewCertificate>), Failure> {
    let id = key.text("keyId")?;
    let given = Given {
        name: key.text("displayName")?.unwrap_or_default(),
        from: key.time("startDateTime")?,
        until: key.time("endDateTime")?,
    };
    let Some(text) = key.text("key")? else { return Ok((id, None)) };
    // az leaves the line breaks of the PEM file in.
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = cs_jose::decode_any(&text).ok_or_else(|| wrong("key"))?;
    Ok((id.clone(), Some(NewCertificate { der, given, id })))
}

/// What `addKey` and `removeKey` bring beside their proof.
async fn proven(call: &Call, ring: KeyRing, object: ObjectId) -> Result<Body, Failure> {
    let mut body = call.body()?;
    let proof = body.needed("proof")?;
    call.directory().prove(&call.op, ring, object, &proof).await?;
    Ok(body)
}

/// A certificate added by whoever holds the key of another one.
pub(crate) async fn add_key(call: &Call, allowed: &Allowed, ring: KeyRing, object: ObjectId) -> Answer {
    let mut body = proven(call, ring, object).await?;
    let key = body.object("keyCredential")?.ok_or_else(|| wrong("keyCredential"))?;
    let (_, new) = certificate(key)?;
    let new = new.ok_or_else(|| wrong("keyCredential"))?;
    let made = call.directory().add_certificate(&call.op, allowed, ring, new).await?;
    Ok(json(StatusCode::OK, &objects::new_key(call, &made)))
}

pub(crate) async fn remove_key(call: &Call, allowed: &Allowed, ring: KeyRing, object: ObjectId) -> Answer {
    let id = proven(call, ring, object).await?.needed("keyId")?;
    let which = (CredentialKind::Certificate, id.as_str());
    call.directory().remove_credential(&call.op, allowed, ring, which).await?;
    Ok(nothing())
}

pub(crate) async fn set(call: &Call, allowed: &Allowed, ring: KeyRing, keys: Keys) -> Result<(), Failure> {
    Ok(call.directory().set_certificates(&call.op, allowed, ring, keys).await?)
}

/// The one answer that holds the secret; what made it is on record with it.
pub(crate) async fn add_password(call: &Call, allowed: &Allowed, ring: KeyRing) -> Answer {
    let mut given = Given::default();
    if !call.body.is_empty()
        && let Some(mut asked) = call.body()?.object("passwordCredential")?
    {
        given = Given {
            name: asked.text("displayName")?.unwrap_or_default(),
            from: asked.time("startDateTime")?,
            until: asked.time("endDateTime")?,
        };
    }
    let made = call.directory().add_password(&call.op, allowed, ring, given).await?;
    Ok(json(StatusCode::OK, &objects::new_password(call, &made)))
}

pub(crate) async fn remove_password(call: &Call, allowed: &Allowed, ring: KeyRing) -> Answer {
    let id = call.body()?.needed("keyId")?;
    let which = (CredentialKind::Secret, id.as_str());
    call.directory().remove_credential(&call.op, allowed, ring, which).await?;
    Ok(nothing())
}
