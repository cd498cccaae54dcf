//! Directory objects as Graph shows them (arm.md 5.2).

use cs_directory::{
    Application, Credential, CredentialKind, KeyRing, Label, NewSecret, Principal, PrincipalKind,
};
use cs_jose::encode_std;
use cs_wire_arm::graph::{self, KeyCredential, PasswordCredential, Person, ServicePrincipal};
use serde_json::{Map, Value, json};

use crate::{call::Call, failure::Failure};

/// A principal of any kind with all that belongs to it; `typed` in lists of more than one kind.
pub(crate) async fn principal(call: &Call, p: &Principal, typed: bool) -> Result<Value, Failure> {
    let kept = call.directory().kept(&call.op, p.object).await?;
    let (mut shown, kind) = match p.kind {
        PrincipalKind::User => (user(p, kept), "user"),
        PrincipalKind::Group => (group(p, kept), "group"),
        PrincipalKind::Application | PrincipalKind::MachineIdentity | PrincipalKind::UserAssignedIdentity => {
            (service_principal(call, p, kept).await?, "servicePrincipal")
        }
    };
    if let Some(all) = shown.as_object_mut().filter(|_| typed) {
        all.shift_insert(0, "@odata.type".to_owned(), json!(format!("#microsoft.graph.{kind}")));
    }
    Ok(shown)
}

async fn service_principal(call: &Call, p: &Principal, kept: Map<String, Value>) -> Result<Value, Failure> {
    let (mut credentials, mut uris) = (Vec::new(), Vec::new());
    if let (PrincipalKind::Application, Some(client)) = (p.kind, p.client) {
        credentials = call.directory().credentials(&call.op, KeyRing::of_principal(client)).await?;
        uris = call
            .directory()
            .application_of_client(&call.op, client)
            .await?
            .map(|a| a.uris)
            .unwrap_or_default();
    }
    let app_id = p.client.map(|c| c.to_string()).unwrap_or_default();
    let explicit = if p.kind == PrincipalKind::UserAssignedIdentity { "True" } else { "False" };
    let resource = p.resource.as_ref().map(|r| vec![format!("isExplicit={explicit}"), r.clone()]);
    let more = with_defaults(
        kept,
        &[("tags", json!([])), ("appRoles", json!([])), ("oauth2PermissionScopes", json!([]))],
    );
    let shown = ServicePrincipal {
        id: p.object.to_string(),
        service_principal_names: std::iter::once(app_id.clone()).chain(uris).collect(),
        app_id,
        display_name: p.display_name.clone(),
        service_principal_type: if p.kind == PrincipalKind::Application {
            "Application"
        } else {
            "ManagedIdentity"
        },
        account_enabled: p.enabled,
        app_owner_organization_id: p.tenant.to_string(),
        alternative_names: resource.unwrap_or_default(),
        password_credentials: passwords(&credentials),
        key_credentials: keys(call, &credentials),
        created_date_time: p.created.rfc3339(),
        more,
    };
    Ok(serde_json::to_value(shown).unwrap_or_default())
}

pub(crate) async fn application(call: &Call, a: &Application) -> Result<Value, Failure> {
    let credentials = call.directory().credentials(&call.op, KeyRing::of_application(a.client)).await?;
    let kept = a.details.as_object().cloned().unwrap_or_default();
    let more = with_defaults(
        kept,
        &[
            ("signInAudience", json!("AzureADMyOrg")),
            ("requiredResourceAccess", json!([])),
            ("appRoles", json!([])),
            ("tags", json!([])),
            ("web", json!({"redirectUris": []})),
        ],
    );
    let shown = graph::Application {
        id: a.object.to_string(),
        app_id: a.client.to_string(),
        display_name: a.display_name.clone(),
        identifier_uris: a.uris.clone(),
        password_credentials: passwords(&credentials),
        key_credentials: keys(call, &credentials),
        created_date_time: a.created.rfc3339(),
        more,
    };
    Ok(serde_json::to_value(shown).unwrap_or_default())
}

fn user(p: &Principal, kept: Map<String, Value>) -> Value {
    let none = Value::Null;
    let mut more = with_defaults(
        kept,
        &[
            ("userPrincipalName", none.clone()),
            ("mail", none.clone()),
            ("givenName", none.clone()),
            ("surname", none),
        ],
    );
    more.insert("accountEnabled".to_owned(), json!(p.enabled));
    person(p, more)
}

fn group(p: &Principal, kept: Map<String, Value>) -> Value {
    let defaults = [
        ("description", Value::Null),
        ("mailEnabled", json!(false)),
        ("securityEnabled", json!(true)),
        ("groupTypes", json!([])),
    ];
    person(p, with_defaults(kept, &defaults))
}

fn person(p: &Principal, more: Map<String, Value>) -> Value {
    let shown = Person {
        id: p.object.to_string(),
        display_name: p.display_name.clone(),
        created_date_time: p.created.rfc3339(),
        more,
    };
    serde_json::to_value(shown).unwrap_or_default()
}

/// What is kept, with what clients expect to be there.
fn with_defaults(mut kept: Map<String, Value>, defaults: &[(&str, Value)]) -> Map<String, Value> {
    for (name, value) in defaults {
        kept.entry(*name).or_insert_with(|| value.clone());
    }
    kept
}

fn passwords(all: &[Credential]) -> Vec<PasswordCredential> {
    let of_kind = all.iter().filter(|c| c.kind == CredentialKind::Secret);
    of_kind
        .map(|c| {
            let label = Label::of(c);
            PasswordCredential {
                context: None,
                custom_key_identifier: None,
                display_name: some(label.name),
                end_date_time: c.expires.rfc3339(),
                hint: label.mark.to_owned(),
                key_id: c.id.clone(),
                secret_text: None,
                start_date_time: c.not_before.rfc3339(),
            }
        })
        .collect()
}

/// A password just made: the one answer that holds it.
pub(crate) fn new_password(call: &Call, secret: &NewSecret) -> PasswordCredential {
    PasswordCredential {
        context: Some(call.context("microsoft.graph.passwordCredential")),
        custom_key_identifier: None,
        display_name: some(&secret.name),
        end_date_time: secret.expires.rfc3339(),
        hint: secret.hint.clone(),
        key_id: secret.id.clone(),
        secret_text: Some(secret.secret.expose().to_owned()),
        start_date_time: secret.begins.rfc3339(),
    }
}

fn keys(call: &Call, all: &[Credential]) -> Vec<KeyCredential> {
    let with_key = call.query.get("$select").is_some_and(|s| s.to_lowercase().contains("keycredentials"));
    let of_kind = all.iter().filter(|c| c.kind == CredentialKind::Certificate);
    of_kind.map(|c| key(c, with_key)).collect()
}

fn key(c: &Credential, whole: bool) -> KeyCredential {
    KeyCredential {
        custom_key_identifier: encode_std(cs_directory::sha1(&c.material)),
        display_name: some(Label::of(c).name),
        end_date_time: c.expires.rfc3339(),
        key: whole.then(|| encode_std(&c.material)),
        key_id: c.id.clone(),
        start_date_time: c.not_before.rfc3339(),
        kind: "AsymmetricX509Cert",
        usage: "Verify",
    }
}

/// A certificate just added.
pub(crate) fn new_key(call: &Call, made: &Credential) -> Map<String, Value> {
    let context = call.context("microsoft.graph.keyCredential");
    let shown = serde_json::to_value(key(made, false)).unwrap_or_default();
    let members = shown.as_object().cloned().unwrap_or_default();
    std::iter::once(("@odata.context".to_owned(), Value::String(context))).chain(members).collect()
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
