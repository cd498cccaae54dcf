//! Copies within an account (blob.md 5, Copy and From URL): the source is read here and written anew. Nothing is ever
//! fetched from another address (F11).

use cs_blob::{BlobProperties, BlobRow, Checks, Incoming, Verdict};
use cs_rbac::Allowed;
use cs_serve::{Context, Query, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use crate::{
    BlobHttp, Call, Style,
    auth::{Asked, Asker, Proof, Sas},
    blobs::{self, created},
    blocks,
    doors::{BLOB_READ, Op},
    failure::{Code, Failure},
    headers, names_of, without_account,
};

/// What a copy reads from, with the proof that its caller may.
pub(crate) struct Source {
    container: String,
    blob: String,
    allowed: Allowed,
}

impl BlobHttp {
    /// The source a request names, `None` where it names none.
    pub(crate) async fn source(
        &self,
        asker: &Asker,
        asked: &Asked<'_>,
        (context, style): (&Context, &Style),
    ) -> Result<Option<Source>, Failure> {
        let Some(text) = headers::one(asked.headers, "x-ms-copy-source")?.filter(|t| !t.is_empty()) else {
            return Ok(None);
        };
        let uri: Uri = text.parse().map_err(|_| Failure::header("x-ms-copy-source", text))?;
        let path = own_path(&uri, asked, (context, style)).ok_or(Code::CANNOT_VERIFY_SOURCE)?;
        let (container, blob) = names_of(path);
        if container.is_empty() || blob.is_empty() {
            return Err(Failure::header("x-ms-copy-source", text));
        }
        headers::check_names(&container, &blob)?;
        let query = Query::parse(uri.query()).map_err(|_| Code::INVALID_QUERY)?;
        if query.get("snapshot").is_some() || query.get("versionid").is_some() {
            return Err(Code::BLOB_NOT_FOUND.into());
        }
        let no_headers = HeaderMap::new();
        let source = Asked {
            method: "GET",
            path: uri.path(),
            raw_query: uri.query(),
            query: &query,
            headers: &no_headers,
            envelope_version: None,
            peer: asked.peer,
            now: asked.now,
            account: asked.account,
            container: &container,
            blob: &blob,
        };
        let allowed = self.may_read(asker, asked, &source, context).await?;
        Ok(Some(Source { container, blob, allowed }))
    }

    /// By a signature in the source's address, by a token given for it, or by what the whole request is allowed with.
    async fn may_read(
        &self,
        asker: &Asker,
        asked: &Asked<'_>,
        source: &Asked<'_>,
        context: &Context,
    ) -> Result<Allowed, Failure> {
        let scope = source.account.container_scope(source.container);
        let given = headers::one(asked.headers, "x-ms-copy-source-authorization")?;
        let token =
            given.and_then(|text| text.split_once(' ')).filter(|(s, _)| s.eq_ignore_ascii_case("bearer"));
        if let Some((_, token)) = token {
            let mut op = asker.op.clone();
            op.caller = self.token(token.trim(), asked, context)?;
            return self.require_role(&op, source, reading(), &scope).await;
        }
        if source.query.get("sig").is_some() {
            let sas = Sas::verify(source)?;
            sas.permits(Op::GetBlob)?;
            if let Some(user) = sas.user() {
                self.stands(source.account, user)?;
                let mut op = asker.op.clone();
                op.caller.object = user;
                return self.require_role(&op, source, reading(), &scope).await;
            }
            return Ok(Allowed::by_account_key(scope, BLOB_READ, (sas.key, sas.by())));
        }
        match &asker.proof {
            Proof::Token => self.require_role(&asker.op, source, reading(), &scope).await,
            Proof::Key(key) => Ok(Allowed::by_account_key(scope, BLOB_READ, (key, "shared key"))),
            // A signature speaks of the address it stands in, not of another.
            Proof::Signature(_) => Err(Code::CANNOT_VERIFY_SOURCE.into()),
        }
    }
}

fn reading() -> &'static cs_serve::Door<Op> {
    const READING: cs_serve::Door<Op> = cs_serve::Door {
        method: "GET",
        path: "the source of a copy",
        query: "",
        needs: cs_serve::Needs::Data { action: BLOB_READ, policy: None },
        op: Op::GetBlob,
    };
    &READING
}

/// The path of an address of this very account; `None` for any other address.
fn own_path<'u>(uri: &'u Uri, asked: &Asked<'_>, (context, style): (&Context, &Style)) -> Option<&'u str> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
    match style {
        Style::Host => {
            let own = context.address.blob(asked.account.id.name());
            let host = own.strip_prefix("https://")?;
            let explicit = format!("{host}:443");
            let same = authority.eq_ignore_ascii_case(host) || authority.eq_ignore_ascii_case(&explicit);
            (scheme == "https" && same).then(|| uri.path())
        }
        Style::Path { endpoint } => {
            let own = endpoint.strip_prefix("http://")?.trim_end_matches('/');
            let (host, account) = own.split_once('/')?;
            let local = port_of(host) == port_of(authority) && is_loopback(authority);
            let path = uri.path();
            let inside = path.trim_start_matches('/').split('/').next() == Some(account);
            (scheme == "http" && local && inside).then(|| without_account(path, account))
        }
    }
}

fn port_of(authority: &str) -> &str {
    authority.rsplit_once(':').map_or("80", |(_, port)| port)
}

/// The emulator's address goes by several names.
fn is_loopback(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1"
}

/// Copy Blob (no type is named: 202) and Put Blob From URL (201).
pub(crate) async fn copy(call: &Call<'_>, source: &Source) -> Result<Response, Failure> {
    let kind = headers::one(call.headers, "x-ms-blob-type")?;
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("BlockBlob")) {
        return Err(Code::NOT_IMPLEMENTED.into());
    }
    let from_url = kind.is_some();
    let (found, incoming) = read(call, source, false).await?;
    let mut new = blobs::new_blob(call, false)?;
    let keep_properties =
        !from_url || headers::flag_or(call.headers, "x-ms-copy-source-blob-properties", true)?;
    if keep_properties {
        let given = std::mem::take(&mut new.properties);
        // Tier and tags are of the place, not of the content: those of the source stay where they are.
        let (access_tier, tags) = (given.access_tier.clone(), given.tags.clone());
        new.properties = BlobProperties { access_tier, tags, ..found.properties.clone() };
        if from_url {
            new.properties.overlay(given);
        }
    }
    if new.metadata.is_empty() {
        new.metadata.clone_from(&found.metadata);
    }
    let (blob, checks) = call.blobs.put(call.op, &call.allowed, call.account, new, incoming).await?;
    if from_url {
        return Ok(created(&blob, Some(&checks)));
    }
    let mut response = crate::account::plain(StatusCode::ACCEPTED);
    let out = response.headers_mut();
    headers::stamp(out, &blob.etag, blob.modified);
    // Names this copy for whoever asks how far it is: it is done.
    headers::put(out, "x-ms-copy-id", &call.op.correlation.to_string());
    out.insert("x-ms-copy-status", HeaderValue::from_static("success"));
    Ok(response)
}

/// Put Block From URL.
pub(crate) async fn block(call: &Call<'_>, source: &Source) -> Result<Checks, Failure> {
    let new = blocks::new_block(call)?;
    let (_, incoming) = read(call, source, true).await?;
    Ok(call.blobs.put_block(call.op, &call.allowed, call.account, new, incoming).await?)
}

type Chunks = futures_util::stream::BoxStream<'static, Result<bytes::Bytes, cs_blob::BytesError>>;

/// The source's row and its content as something to be put.
async fn read(
    call: &Call<'_>,
    source: &Source,
    ranged: bool,
) -> Result<(BlobRow, Incoming<Chunks>), Failure> {
    let conditions = headers::source_conditions(call.headers)?;
    let mut unmet = false;
    let opened = call.blobs.open(&source.allowed, call.account, &source.container, &source.blob, |blob| {
        unmet = conditions.on_read(&blob.etag, blob.modified) != Verdict::Go;
        let range = if ranged { headers::source_range(call.headers, blob.length)? } else { None };
        Ok(range.unwrap_or(0..blob.length))
    });
    let content = opened.await?;
    if unmet {
        return Err(Code::SOURCE_CONDITION_NOT_MET.into());
    }
    let incoming = Incoming {
        length: Some(content.range.end - content.range.start),
        chunks: content.chunks,
        md5: headers::md5(call.headers, "x-ms-source-content-md5")?,
        crc64: None,
    };
    Ok((content.blob, incoming))
}
