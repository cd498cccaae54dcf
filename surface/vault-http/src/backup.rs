//! Backup and restore: the sealed backup as base64url.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use cs_serve::{Request, Response, json};
use cs_vault::BACKUP_MAX_BYTES;
use cs_wire_vault::Backup;
use http::StatusCode;

use crate::{
    Call, Failure,
    secrets::{bundle, document},
};

/// Base64 needs four bytes for three; the rest is room for the document around it.
const RESTORE_BODY_MAX_BYTES: usize = BACKUP_MAX_BYTES / 3 * 4 + 4096;

/// Written without padding, read with and without: clients differ.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) async fn backup(call: &Call<'_>) -> Result<Response, Failure> {
    let sealed = call.vaults.backup(call.op, &call.allowed, call.vault, call.params.get("name")).await?;
    Ok(json(StatusCode::OK, &Backup { value: BASE64URL.encode(sealed) }))
}

pub(crate) async fn restore(call: &Call<'_>, request: Request) -> Result<Response, Failure> {
    let body: Backup = document(request, RESTORE_BODY_MAX_BYTES).await?;
    let sealed = BASE64URL.decode(body.value).map_err(|_| Failure::bad("The value is not base64url."))?;
    let secret = call.vaults.restore(call.op, &call.allowed, call.vault, &sealed).await?;
    Ok(json(StatusCode::OK, &bundle(call, secret)))
}
