//! `/metadata/endpoints`: the one door that asks nobody for a token, since clients learn here where to get one.

use cs_names::Address;
use cs_serve::{Query, Response, json};
use cs_wire_arm::{Authentication, Cloud, OldAuthentication, OldCloud, Suffixes};
use http::{Method, StatusCode};

/// Whether a request is for it; a doubled slash comes from az, which appends to what a person typed (arm.md 4.1).
pub(crate) fn is_metadata(method: &Method, path: &str) -> bool {
    let mut segments = path.split('/').filter(|s| !s.is_empty());
    let mut is = |word: &str| segments.next().is_some_and(|s| s.eq_ignore_ascii_case(word));
    method == Method::GET && is("metadata") && is("endpoints") && segments.next().is_none()
}

pub(crate) fn endpoints(query: &Query, address: &Address) -> Response {
    match query.get("api-version") {
        Some("2015-01-01") => json(StatusCode::OK, &old(address)),
        // Newer than the newest we know counts as that.
        Some(version) if version >= "2022-09-01" => json(StatusCode::OK, &cloud(address)),
        _ => json(StatusCode::OK, &[cloud(address)]),
    }
}

fn cloud(a: &Address) -> Cloud {
    let public = a.names().is_cloud();
    let suffix = if public { "azure.com" } else { a.names().suffix() };
    Cloud {
        name: if public { "AzureCloud" } else { "Countersign" }.to_owned(),
        portal: a.console(),
        resource_manager: a.management(),
        authentication: Authentication {
            login_endpoint: a.login(),
            audiences: audiences(a),
            tenant: "common".to_owned(),
            identity_provider: "AAD",
        },
        graph: a.graph(),
        graph_audience: a.graph(),
        microsoft_graph_resource_id: a.graph(),
        media: String::new(),
        batch: String::new(),
        gallery: String::new(),
        sql_management: String::new(),
        vm_image_alias_doc: String::new(),
        active_directory_data_lake: String::new(),
        log_analytics_resource_id: String::new(),
        ossrdbms_resource_id: "https://ossrdbms-aad.database.windows.net".to_owned(),
        suffixes: Suffixes {
            key_vault_dns: a.key_vault_dns(),
            storage: a.storage_suffix(),
            acr_login_server: format!("acr.{suffix}"),
            sql_server_hostname: format!("database.{suffix}"),
            postgresql_server_endpoint: format!("postgres.{suffix}"),
            mhsm_dns: format!("managedhsm.{suffix}"),
            azure_data_lake_store_file_system: String::new(),
            azure_data_lake_analytics_catalog_and_job: String::new(),
            storage_sync_endpoint_suffix: String::new(),
        },
    }
}

fn audiences(a: &Address) -> Vec<String> {
    if a.names().is_cloud() {
        return vec!["https://management.core.windows.net/".to_owned(), a.management()];
    }
    vec![a.management()]
}

fn old(a: &Address) -> OldCloud {
    OldCloud {
        gallery_endpoint: String::new(),
        graph_endpoint: a.graph(),
        portal_endpoint: a.console(),
        authentication: OldAuthentication { login_endpoint: a.login(), audiences: audiences(a) },
    }
}
