//! Principals as Graph shows them (arm.md 5.2).

use cs_directory::{Principal, PrincipalKind};
use cs_serve::Context;
use cs_wire_arm::graph::{Application, ServicePrincipal};

pub(crate) fn service_principal(p: &Principal, whole: Option<&Context>, typed: bool) -> ServicePrincipal {
    let app_id = p.client.map(|c| c.to_string()).unwrap_or_default();
    let managed = !matches!(p.kind, PrincipalKind::Application);
    let explicit = matches!(p.kind, PrincipalKind::UserAssignedIdentity);
    let names = p.resource.as_ref().map(|r| {
        let explicit = if explicit { "True" } else { "False" };
        vec![format!("isExplicit={explicit}"), r.clone()]
    });
    ServicePrincipal {
        context: whole.map(|c| format!("{}/v1.0/$metadata#servicePrincipals/$entity", c.address.graph())),
        odata_type: typed.then_some(match p.kind {
            PrincipalKind::User => "#microsoft.graph.user",
            PrincipalKind::Group => "#microsoft.graph.group",
            _ => "#microsoft.graph.servicePrincipal",
        }),
        id: p.object.to_string(),
        service_principal_names: vec![app_id.clone()],
        app_id,
        display_name: p.display_name.clone(),
        service_principal_type: if managed { "ManagedIdentity" } else { "Application" },
        account_enabled: p.enabled,
        app_owner_organization_id: p.tenant.to_string(),
        alternative_names: names.unwrap_or_default(),
        password_credentials: [],
        key_credentials: [],
        tags: [],
        app_roles: [],
        oauth2_permission_scopes: [],
        created_date_time: p.created.rfc3339(),
    }
}

/// An application and its service principal are one row here, with one object id.
pub(crate) fn application(p: &Principal, whole: Option<&Context>) -> Application {
    Application {
        context: whole.map(|c| format!("{}/v1.0/$metadata#applications/$entity", c.address.graph())),
        id: p.object.to_string(),
        app_id: p.client.map(|c| c.to_string()).unwrap_or_default(),
        display_name: p.display_name.clone(),
        identifier_uris: [],
        sign_in_audience: "AzureADMyOrg",
        password_credentials: [],
        key_credentials: [],
        required_resource_access: [],
        created_date_time: p.created.rfc3339(),
    }
}
