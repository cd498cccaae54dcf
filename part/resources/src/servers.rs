//! Database servers and who may be which role there: the resources. What happens by them is the gateway's.

use cs_database::{
    ADMINISTRATORS, Backend, CLIENT_AUTHORITY, RoleName, Rule, RuleKind, SERVERS as KIND, ServerSettings,
};
use cs_ids::{ObjectId, ResourceId};
use cs_rbac::{Allowed, Operation};
use cs_store::{HostKind, Resource};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Map, Value, json};

use crate::{
    Input, Manager, Patch, ResourceError, input,
    kinds::{Members, Rules},
    write::{Companions, Shape},
};

/// The type of database servers.
pub const SERVERS: &str = KIND;
/// Said by the product, or a password that nobody here would use: not stored when sent.
const NOT_KEPT: &[&str] = &[
    "state",
    "fullyQualifiedDomainName",
    "minorVersion",
    "authConfig",
    "administratorLoginPassword",
    "replicaCapacity",
    "privateEndpointConnections",
    CLIENT_AUTHORITY,
];
/// Rules of a server; each login reads them.
const RULES_MAX: u32 = 500;

struct ServerRules {
    /// The certificate of a new server's own client authority.
    authority: Option<String>,
}

impl Rules for ServerRules {
    const KIND: &'static str = SERVERS;

    fn members(&self, known: Option<&Resource>, _: &str, given: Members) -> Result<Members, ResourceError> {
        let old = known.and_then(|k| k.properties.as_object());
        let properties = server_properties(old, given.properties, self.authority.as_deref())?;
        Ok(Members { properties, ..given })
    }
}

impl Manager {
    /// Creates or replaces a server.
    ///
    /// # Errors
    /// [`ResourceError::ServerNameTaken`], [`ResourceError::Invalid`], [`ResourceError::BadName`].
    pub async fn put_server(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
    ) -> Result<(Resource, bool), ResourceError> {
        // Whatever the case in the path, the server has one name, as its host has.
        let name: cs_ids::ServerName = id.name().to_ascii_lowercase().parse()?;
        let id = self.id_in_group(op, id, SERVERS, name.as_str()).await?;
        let taken = || ResourceError::ServerNameTaken(name.as_str().to_owned());
        let companions = if self.is_there(op, &id).await? {
            Companions::default()
        } else if self.at.resources.host_taken(HostKind::Server, name.key()).await? {
            return Err(taken());
        } else {
            self.new_host(op, HostKind::Server, name.key()).await?
        };
        let key = companions.host.as_ref().map(|(_, _, key)| key);
        let authority = key
            .and_then(|key| self.at.keys.client_authority(op.caller.tenant, key, &name, self.at.clock.now()));
        let rules = ServerRules { authority };
        self.put(op, allowed, &id, new, companions, &rules).await.map_err(|e| e.or_taken(taken))
    }

    /// Changes members of a server; `backend` and `sessions` are replaced when present.
    ///
    /// # Errors
    /// As [`Manager::put_server`].
    pub async fn patch_server(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
    ) -> Result<Resource, ResourceError> {
        self.patch(op, allowed, id, patch, &ServerRules { authority: None }).await
    }

    /// Gives a principal a role on a server, or changes which.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`], [`ResourceError::NoPrincipal`], [`ResourceError::OtherPrincipalType`],
    /// [`ResourceError::Invalid`].
    pub async fn put_administrator(
        &self,
        op: &Operation,
        allowed: &Allowed,
        server: &ResourceId,
        object: &str,
        new: Input,
    ) -> Result<(Resource, bool), ResourceError> {
        let server = self.existing(op, server).await?;
        let rule = self.rule(op, object, &new.properties).await?;
        let id = child(&server.id, rule.object);
        if !self.is_there(op, &id).await?
            && self.administrators(op, &server.id).await?.len() >= RULES_MAX as usize
        {
            return Err(ResourceError::invalid("administrators", "are as many as a server may have"));
        }
        let properties = json!({
            "objectId": rule.object.to_string(), "principalName": rule.role.as_str(),
            "principalType": rule.kind.as_str(), "tenantId": op.caller.tenant.to_string()
        });
        self.write(op, allowed, (&id, ADMINISTRATORS), Companions::none(new.when), |_| {
            Ok(Shape {
                location: server.location.clone(),
                tags: Vec::new(),
                extra: Map::new(),
                properties: properties.as_object().cloned().unwrap_or_default(),
            })
        })
        .await
    }

    /// All rules of a server.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`].
    pub async fn administrators(
        &self,
        op: &Operation,
        server: &ResourceId,
    ) -> Result<Vec<Resource>, ResourceError> {
        let server = self.existing(op, server).await?;
        self.children(op, &server.id, ADMINISTRATORS, RULES_MAX).await
    }

    /// The id of the rule for a principal.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`], [`ResourceError::Invalid`].
    pub async fn administrator_id(
        &self,
        op: &Operation,
        server: &ResourceId,
        object: &str,
    ) -> Result<ResourceId, ResourceError> {
        let server = self.existing(op, server).await?;
        Ok(child(&server.id, object_id(object)?))
    }

    async fn rule(
        &self,
        op: &Operation,
        object: &str,
        given: &Map<String, Value>,
    ) -> Result<Rule, ResourceError> {
        let object = object_id(object)?;
        let principal = self.at.directory.principal(op.caller.tenant, object).await?;
        let principal = principal.ok_or(ResourceError::NoPrincipal { object, tenant: op.caller.tenant })?;
        let found = principal.kind.principal_type();
        let kind =
            RuleKind::parse(found).ok_or_else(|| ResourceError::invalid("principalType", "is unknown"))?;
        let given_kind = input::text(given, "principalType")?.unwrap_or(found);
        if !given_kind.eq_ignore_ascii_case(found) && !given_kind.eq_ignore_ascii_case("Unknown") {
            let given = given_kind.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(ResourceError::OtherPrincipalType { principal: object, found, given });
        }
        let tenant = input::text(given, "tenantId")?;
        if tenant.is_some_and(|t| !t.eq_ignore_ascii_case(&op.caller.tenant.to_string())) {
            return Err(ResourceError::invalid("tenantId", "must be this tenant"));
        }
        let name = input::text(given, "principalName")?
            .ok_or_else(|| ResourceError::invalid("principalName", "is required: the name of the role"))?;
        let role = RoleName::parse(name)
            .map_err(|bad| ResourceError::invalid("principalName", format!("is no role: {bad}")))?;
        Ok(Rule { object, kind, role })
    }
}

fn object_id(text: &str) -> Result<ObjectId, ResourceError> {
    text.parse().map_err(|_| ResourceError::invalid("objectId", "must be the object id of a principal"))
}

fn child(server: &ResourceId, object: ObjectId) -> ResourceId {
    server.child("administrators", &object.to_string())
}

/// `properties` of a server. Only tokens log in here, whatever `authConfig` asks for.
fn server_properties(
    old: Option<&Map<String, Value>>,
    given: Map<String, Value>,
    new_authority: Option<&str>,
) -> Result<Map<String, Value>, ResourceError> {
    let mut all = input::without_read_only(given, NOT_KEPT);
    all.retain(|_, value| !value.is_null());
    if let Some(network) = all.get("network").and_then(Value::as_object) {
        input::refuse_firewall(network)?;
    }
    let settings = ServerSettings::read(&all).map_err(|bad| ResourceError::invalid(bad.member, bad.why))?;
    // What was taken before this was looked at stays, so that a PATCH of something else is no refusal.
    let is_new = old.and_then(|o| o.get("backend")) != all.get("backend");
    settings.backend.as_ref().filter(|_| is_new).map_or(Ok(()), usable)?;
    all.insert("state".to_owned(), json!("Ready"));
    all.insert(
        "authConfig".to_owned(),
        json!({"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled"}),
    );
    let kept = old.and_then(|o| o.get(CLIENT_AUTHORITY)).cloned();
    if let Some(authority) = kept.or_else(|| new_authority.map(|a| json!(a))) {
        all.insert(CLIENT_AUTHORITY.to_owned(), authority);
    }
    Ok(all)
}

/// Whether a gateway could speak TLS with it: what it reads at a login is read here first, while somebody is there to be told.
fn usable(backend: &Backend) -> Result<(), ResourceError> {
    let bad = |why: &str| ResourceError::invalid("certificateAuthority", why);
    let mut found = 0;
    for der in CertificateDer::pem_slice_iter(backend.certificate_authority.as_bytes()) {
        let der = der.map_err(|_| bad("must be certificates in PEM"))?;
        webpki::anchor_from_trusted_cert(&der)
            .map_err(|_| bad("holds something in PEM that is no certificate to trust"))?;
        found += 1;
    }
    if found == 0 {
        return Err(bad("holds no whole certificate"));
    }
    let name = ServerName::try_from(backend.server_name.as_str());
    name.map(drop).map_err(|_| ResourceError::invalid("serverName", "must be a host name or an address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e10_a_servers_password_is_not_stored_and_its_authority_is_the_products() {
        let given = json!({"administratorLogin": "me", "administratorLoginPassword": "p", CLIENT_AUTHORITY: "forged"});
        let made = server_properties(None, input::object(&given), Some("ours")).unwrap();
        assert_eq!(made.get("administratorLoginPassword"), None);
        assert_eq!(made.get(CLIENT_AUTHORITY), Some(&json!("ours")));
        let again = server_properties(Some(&made), input::object(&given), Some("other")).unwrap();
        assert_eq!(again.get(CLIENT_AUTHORITY), Some(&json!("ours")));
        let closed = json!({"network": {"publicNetworkAccess": "Disabled"}});
        assert!(server_properties(None, input::object(&closed), None).is_err());
    }
}
