//! Who asks, and whether they may: roles for tokens, everything for keys, what they say for signatures.

use cs_access::{Refusal, Standing};
use cs_authority::{KnownResource, TokenRefusal};
use cs_blob::Account;
use cs_ids::{ObjectId, Scope};
use cs_rbac::{Allowed, Attributes, Caller, Operation, Source, condition::names};
use cs_serve::{Bearer, Context, Door, Needs, Query, bearer, correlation, single};

use crate::{
    BlobHttp, Style,
    auth::{self, Asked, Asker, Granted, Proof, Sas},
    doors::{BLOB_ADD, Op, TAGS_WRITE},
    failure::{Code, Failure},
    headers,
};

/// Versions without this are not spoken with tokens (blob.md 3).
const BEARER_SINCE: &str = "2017-11-09";

impl BlobHttp {
    pub(crate) fn asker(
        &self,
        asked: &Asked<'_>,
        context: &Context,
        style: &Style,
    ) -> Result<Asker, Failure> {
        // F15: whoever sends a token over plain HTTP has told it to everybody on the way.
        if !asked.peer.tls && matches!(style, Style::Host) {
            return Err(Code::HTTPS_REQUIRED.into());
        }
        match single(asked.headers, "x-ms-version") {
            Ok(Some(version)) if !headers::is_version(version) => {
                return Err(Failure::header("x-ms-version", version));
            }
            Ok(_) => {}
            Err(()) => return Err(Failure::header("x-ms-version", "given twice")),
        }
        let started = self.clock.now();
        let asker = |caller, proof| {
            let correlation = correlation(asked.headers).unwrap_or_else(|| context.request_id.into());
            let mut op = Operation::new(caller, correlation, started);
            op.client_request_id =
                single(asked.headers, "x-ms-client-request-id").ok().flatten().map(str::to_owned);
            Asker { op, proof }
        };
        let tenant = asked.account.tenant;
        match bearer(asked.headers) {
            Bearer::Token(token) => Ok(asker(self.token(token, asked, context)?, Proof::Token)),
            Bearer::Absent if asked.query.get("sig").is_some() => {
                let sas = Sas::verify(asked)?;
                let mut caller = Caller::unnamed(tenant);
                if let Some(user) = sas.user() {
                    caller.object = user;
                }
                Ok(asker(caller, Proof::Signature(Box::new(sas))))
            }
            Bearer::Absent => Err(Failure::unauthorized(context, asked.account, None)),
            Bearer::Other(scheme, parameter) => {
                let key = auth::shared_key(asked, scheme, parameter)?;
                Ok(asker(Caller::unnamed(tenant), Proof::Key(key)))
            }
            Bearer::Malformed => Err(Code::AUTHENTICATION_FORMAT.into()),
        }
    }

    pub(crate) fn token(&self, token: &str, asked: &Asked<'_>, context: &Context) -> Result<Caller, Failure> {
        if !asked.peer.tls {
            return Err(Code::HTTPS_REQUIRED.into());
        }
        let account = asked.account;
        let challenged = |refusal| Failure::unauthorized(context, account, refusal);
        let audiences =
            KnownResource::Storage.audiences(&context.address).with(context.address.blob(account.id.name()));
        let caller = self.tokens.check(token, &audiences).map_err(|refusal| challenged(Some(refusal)))?;
        if caller.tenant != account.tenant {
            let found = caller.issuer;
            return Err(challenged(Some(TokenRefusal::Issuer { found })));
        }
        match single(asked.headers, "x-ms-version").ok().flatten().or(asked.envelope_version) {
            Some(version) if version >= BEARER_SINCE => Ok(caller),
            _ => Err(Failure::authentication(
                "Authentication scheme Bearer is not supported in this version. Send the header x-ms-version with \
                 2017-11-09 or later."
                    .to_owned(),
            )),
        }
    }

    /// What a proof allows: roles for tokens, everything for keys, what they say for signatures.
    pub(crate) async fn require(
        &self,
        asker: &Asker,
        asked: &Asked<'_>,
        door: &'static Door<Op>,
    ) -> Result<Allowed, Failure> {
        let account = asked.account;
        let scope = if asked.container.is_empty() || door.op == Op::AccountInfo {
            account.scope().clone()
        } else {
            account.container_scope(asked.container)
        };
        let (Needs::Action(action) | Needs::Data { action, .. }) = door.needs else {
            // Every row of the table is of one of these kinds; one that is not opens nothing.
            return Err(Code::PERMISSION_MISMATCH.into());
        };
        match &asker.proof {
            Proof::Token => self.require_role(&asker.op, asked, door, &scope).await,
            Proof::Key(_) if door.op == Op::UserDelegationKey => Err(Failure::authentication(
                "Only the authentication scheme Bearer is supported here.".to_owned(),
            )),
            Proof::Key(key) => Ok(Allowed::by_account_key(scope, action, (key, "shared key"))),
            Proof::Signature(sas) => {
                let granted = sas.permits(door.op)?;
                let by = (sas.key, sas.by());
                if let Some(user) = sas.user() {
                    self.stands(account, user)?;
                    // No more than the user may do now, whatever the signature says (F05).
                    let allowed = self.require_role(&asker.op, asked, door, &scope).await?;
                    if granted == Granted::Whole {
                        return Ok(allowed);
                    }
                }
                let action = if granted == Granted::OnlyNew { BLOB_ADD } else { action };
                let allowed = Allowed::by_account_key(scope, action, by);
                match granted {
                    Granted::OnlyNew
                        if !self.blobs.is_new(&allowed, account, asked.container, asked.blob).await? =>
                    {
                        Err(Code::PERMISSION_MISMATCH.into())
                    }
                    Granted::OnlyNew | Granted::Whole => Ok(allowed),
                }
            }
        }
    }

    /// Tags that come with a blob need the right to write tags beside the right to write the blob.
    pub(crate) async fn may_tag(&self, asker: &Asker, asked: &Asked<'_>) -> Result<(), Failure> {
        if let Proof::Signature(sas) = &asker.proof {
            sas.permits(Op::SetTags)?;
        }
        if !asker.op.caller.is_named() {
            return Ok(());
        }
        let scope = asked.account.container_scope(asked.container);
        let attributes = attributes(asked.account, Op::SetTags, asked.container, asked.blob, asked.query)
            .at(asker.op.started);
        match self.access.require_data(&asker.op, TAGS_WRITE, &scope, &attributes) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.refused(&asker.op, refusal).await),
        }
    }

    /// A disabled or deleted user signs nothing any more. Tokens are checked for this by the authority.
    pub(crate) fn stands(&self, account: &Account, user: ObjectId) -> Result<(), Failure> {
        match self.access.standing(account.tenant, user) {
            Standing::Good => Ok(()),
            Standing::Gone => Err(Code::PERMISSION_MISMATCH.into()),
            Standing::Unconfirmed => Err(Code::SERVER_BUSY.into()),
        }
    }

    pub(crate) async fn require_role(
        &self,
        op: &Operation,
        asked: &Asked<'_>,
        door: &'static Door<Op>,
        scope: &Scope,
    ) -> Result<Allowed, Failure> {
        let attributes =
            attributes(asked.account, door.op, asked.container, asked.blob, asked.query).at(op.started);
        let decided = match &door.needs {
            Needs::Action(action) => self.access.require_action_with(op, action, scope, &attributes),
            Needs::Data { action, .. } => self.access.require_data(op, action, scope, &attributes),
            _ => return Err(Code::PERMISSION_MISMATCH.into()),
        };
        match decided {
            Ok(allowed) => Ok(allowed),
            Err(refusal) if door.op.makes_blobs() => {
                let place = (asked.container, asked.blob);
                self.require_add(op, asked.account, place, scope, &attributes, refusal).await
            }
            Err(refusal) => Err(self.refused(op, refusal).await),
        }
    }

    /// A refusal is recorded before it is answered.
    async fn refused(&self, op: &Operation, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Unconfirmed => Code::SERVER_BUSY.into(),
            Refusal::Denied(denied) => match self.blobs.record_denied(op, &denied).await {
                Ok(()) => Code::PERMISSION_MISMATCH.into(),
                Err(error) => error.into(),
            },
        }
    }

    /// A new blob may be added with less than the right to write (blob.md 4.4).
    async fn require_add(
        &self,
        op: &Operation,
        account: &Account,
        (container, blob): (&str, &str),
        scope: &Scope,
        attributes: &Attributes,
        refusal: Refusal,
    ) -> Result<Allowed, Failure> {
        let Ok(add) = self.access.require_data(op, BLOB_ADD, scope, attributes) else {
            return Err(self.refused(op, refusal).await);
        };
        match self.blobs.is_new(&add, account, container, blob).await? {
            true => Ok(add),
            false => Err(self.refused(op, refusal).await),
        }
    }
}

/// What conditions of assignments may ask about (rbac.md 7.3).
fn attributes(account: &Account, op: Op, container: &str, blob: &str, query: &Query) -> Attributes {
    let named = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let all = Attributes::new().with(Source::Resource, names::ACCOUNT_NAME, account.id.name()).with_some(
        Source::Resource,
        names::CONTAINER_NAME,
        named(container),
    );
    match op {
        Op::ListBlobs => {
            let prefix = query.get("prefix").filter(|p| !p.is_empty());
            all.with_some(Source::Request, names::BLOB_PREFIX, prefix).sub_operation(names::BLOB_LIST)
        }
        _ => all.with_some(Source::Resource, names::BLOB_PATH, named(blob)),
    }
}
