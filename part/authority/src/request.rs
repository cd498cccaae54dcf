//! From proof and resource to a token.

use aws_lc_rs::{constant_time, digest};
use cs_ids::{ClientId, CorrelationId, TenantId};
use cs_names::Address;
use cs_store::{AuditOutcome, AuditRecord, CredentialKind, Principal, PrincipalKind};

use crate::{
    Authority, AuthorityError, KnownResource,
    claims::{Claims, spelled_for_claims},
    issuers,
};

/// Applications' tokens live this long, in seconds (`expires_in` 3599).
const APPLICATION_SECONDS: i64 = 3599;
/// Managed identities' tokens live a day after their issue, in seconds.
const IDENTITY_SECONDS: i64 = 86_400;
/// Tokens are dated back by this much, in seconds: the clocks of verifiers differ.
const BACKDATE_SECONDS: i64 = 300;

/// A tenant as a client wrote it in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantName {
    pub id: TenantId,
    /// Lower case.
    pub written: String,
    /// `adfs`, `common` or `organizations`.
    pub by_word: bool,
}

/// How a client proves who it is.
#[derive(Clone, Copy)]
pub enum Proof<'r> {
    Secret(&'r str),
    /// A signed assertion (private_key_jwt).
    Assertion(&'r str),
}

/// A client-credentials request.
pub struct TokenRequest<'r> {
    pub tenant: &'r TenantName,
    /// As sent; an assertion names it too.
    pub client: Option<&'r str>,
    pub proof: Proof<'r>,
    /// For a machine: the attached identity it asks for instead of its own, by client id, object id or resource id.
    pub identity: Option<&'r str>,
    /// The resource, byte for byte: `/.default` already taken off.
    pub audience: &'r str,
    /// The names the caller used.
    pub address: &'r Address,
    pub correlation: CorrelationId,
}

/// A token and what is said about it.
#[derive(Clone)]
pub struct IssuedToken {
    pub access_token: String,
    pub audience: String,
    /// Seconds from now.
    pub expires_in: i64,
    /// Seconds since 1970.
    pub expires_on: i64,
    pub not_before: i64,
    pub client: ClientId,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedToken(for {}, until {})", self.audience, self.expires_on)
    }
}

impl Authority {
    /// Answers a client-credentials request.
    ///
    /// # Errors
    /// [`AuthorityError`]; who the caller is is settled before what it asks for.
    pub async fn token(&self, request: &TokenRequest<'_>) -> Result<IssuedToken, AuthorityError> {
        let (principal, strength) = match request.proof {
            Proof::Secret(secret) => (self.by_secret(request, secret).await?, "1"),
            Proof::Assertion(assertion) => (self.by_assertion(request, assertion).await?, "2"),
        };
        let (audience, address, correlation) = (request.audience, request.address, request.correlation);
        if let Some(named) = request.identity {
            let identity = self.attached(&principal, named).await?;
            let at = principal.resource.as_deref();
            return self.issue_on_record((&identity, at), strength, audience, address, correlation).await;
        }
        self.issue_on_record((&principal, None), strength, audience, address, correlation).await
    }

    /// `at` is the machine an attached identity acts on.
    pub(crate) async fn issue_on_record(
        &self,
        (principal, at): (&Principal, Option<&str>),
        strength: &'static str,
        audience: &str,
        address: &Address,
        correlation: CorrelationId,
    ) -> Result<IssuedToken, AuthorityError> {
        let issued = self.issue((principal, at), strength, audience, address).await;
        let outcome = if issued.is_ok() { AuditOutcome::Done } else { AuditOutcome::Failed };
        let because = issued
            .as_ref()
            .map_or_else(ToString::to_string, |(_, uti)| format!("token {uti} for {audience}"));
        self.record(principal, correlation, outcome, because);
        issued.map(|(token, _)| token)
    }

    /// A token for an identity that this process vouches for itself: the host's own machine under `countersign up`.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub async fn token_for(
        &self,
        (tenant, client): (TenantId, ClientId),
        (audience, address, correlation): (&str, &Address, CorrelationId),
    ) -> Result<IssuedToken, AuthorityError> {
        let principal = self.principal(tenant, client).await?;
        self.issue_on_record((&principal, None), "2", audience, address, correlation).await
    }

    async fn by_secret(&self, request: &TokenRequest<'_>, secret: &str) -> Result<Principal, AuthorityError> {
        let written = request.client.unwrap_or_default();
        let client: ClientId = written.parse().map_err(|_| AuthorityError::MalformedClient)?;
        let tenant = request.tenant.id;
        let given = digest::digest(&digest::SHA256, secret.as_bytes());
        let principal = self.parts.directory.principal_of_client(tenant, client).await?;
        // An unknown client costs the same look at credentials and the same comparison as a wrong secret (B31).
        let credentials = self.parts.directory.credentials(tenant, client).await?;
        let same = |material: &[u8]| constant_time::verify_slices_are_equal(material, given.as_ref()).is_ok();
        let dummy = same(&[0; 32]);
        let matching =
            credentials.iter().filter(|c| c.kind == CredentialKind::Secret).find(|c| same(&c.material));
        let principal = principal.ok_or_else(|| AuthorityError::UnknownClient(client.to_string()))?;
        let Some(matching) = matching.filter(|_| !dummy) else {
            self.record(&principal, request.correlation, AuditOutcome::Denied, "wrong secret".to_owned());
            return Err(AuthorityError::WrongSecret(client.to_string()));
        };
        let now = self.parts.clock.now();
        if now >= matching.expires || now < matching.not_before {
            return Err(AuthorityError::ExpiredSecret(client.to_string()));
        }
        enabled(principal)
    }

    pub(crate) async fn principal(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Principal, AuthorityError> {
        let found = self.parts.directory.principal_of_client(tenant, client).await?;
        enabled(found.ok_or_else(|| AuthorityError::UnknownClient(client.to_string()))?)
    }

    async fn issue(
        &self,
        (principal, at): (&Principal, Option<&str>),
        strength: &'static str,
        audience: &str,
        address: &Address,
    ) -> Result<(IssuedToken, String), AuthorityError> {
        if audience.is_empty() {
            return Err(AuthorityError::ScopeMissing);
        }
        let known = KnownResource::named(audience, address).filter(|_| audience.len() <= 512);
        let unknown = || AuthorityError::UnknownResource(audience.chars().take(256).collect());
        let v2 = known.ok_or_else(unknown)? == KnownResource::TokenExchange;
        let now = self.parts.clock.now();
        let base = issuers::base(address);
        self.issuers.remember(&base, &*self.parts.site).await?;
        if v2 {
            self.issuers.remember(&address.login(), &*self.parts.site).await?;
        }
        // Where it runs is known of a machine's own identity, and of one that is attached to the machine that asks.
        let on_itself = matches!(principal.kind, PrincipalKind::MachineIdentity);
        let client = principal.client.ok_or(AuthorityError::MalformedClient)?;
        let managed = !matches!(principal.kind, PrincipalKind::Application);
        let expires_in = if managed { IDENTITY_SECONDS } else { APPLICATION_SECONDS };
        let resource = principal.resource.as_deref().map(spelled_for_claims);
        let at = at.map(spelled_for_claims);
        let (tid, oid, appid) =
            (principal.tenant.to_string(), principal.object.to_string(), client.to_string());
        let iss = if v2 { issuers::v2(address, &tid) } else { format!("{base}/{tid}/") };
        let uti = self.parts.chance.uuid().simple().to_string();
        let not_before = now.seconds() - BACKDATE_SECONDS;
        let claims = Claims {
            aud: audience,
            iss: &iss,
            iat: not_before,
            nbf: not_before,
            exp: now.seconds() + expires_in,
            appid: (!v2).then_some(&appid),
            appidacr: (!v2).then_some(strength),
            azp: v2.then_some(&appid),
            azpacr: v2.then_some(strength),
            idp: &iss,
            idtyp: "app",
            oid: &oid,
            sub: &oid,
            tid: &tid,
            uti: &uti,
            ver: if v2 { "2.0" } else { "1.0" },
            xms_az_rid: at.as_deref().or(resource.as_deref().filter(|_| on_itself)),
            xms_mirid: resource.as_deref(),
        };
        let signer = self.keyring.signer(principal.tenant, now).ok_or(AuthorityError::Signing)?;
        let access_token = signer.sign(&claims).map_err(|_| AuthorityError::Signing)?;
        let token = IssuedToken {
            access_token,
            audience: audience.to_owned(),
            expires_in,
            expires_on: now.seconds() + expires_in,
            not_before,
            client,
        };
        Ok((token, uti))
    }

    pub(crate) fn record(
        &self,
        who: &Principal,
        correlation: CorrelationId,
        outcome: AuditOutcome,
        because: String,
    ) {
        self.parts.sign_ins.record(AuditRecord {
            tenant: who.tenant,
            time: self.parts.clock.now(),
            correlation,
            caller: Some(who.object),
            client: who.client,
            action: "signIn".to_owned(),
            scope: who.resource.clone().unwrap_or_else(|| "/".to_owned()),
            outcome,
            because,
        });
    }
}

fn enabled(principal: Principal) -> Result<Principal, AuthorityError> {
    if principal.enabled {
        return Ok(principal);
    }
    Err(AuthorityError::Disabled(principal.client.map(|c| c.to_string()).unwrap_or_default()))
}
