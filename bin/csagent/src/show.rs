//! `csagent show`: two columns, or JSON with the names scripts read (metadata.md 7.2).

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use cs_agent::redact;
use serde_json::{Map, Value, json};

use crate::{
    cli::ShowArgs,
    config::{self, Settings},
    failure::{Failure, Kind, program},
    host,
    state::{Place, State, Status},
};

/// A daemon on this machine takes a connection in no time.
const PATIENCE: Duration = Duration::from_millis(300);

/// Label, JSON key and value.
type Row = (&'static str, &'static str, String);

/// In azcmagent's order.
fn rows(state: Option<&State>, status: &Status, settings: &Settings, generation: i64) -> Vec<Row> {
    let generation = if state.is_some() { generation.to_string() } else { String::new() };
    let of = |get: fn(&State) -> &String| state.map(|s| get(s).clone()).unwrap_or_default();
    let namespace = if state.is_some_and(|s| s.upstream.is_none()) { "Microsoft.HybridCompute" } else { "" };
    let (vendor, model) = host::hardware();
    vec![
        ("Resource Name", "resourceName", of(|s| &s.resource_name)),
        ("Resource Group Name", "resourceGroup", of(|s| &s.resource_group)),
        ("Resource Namespace", "resourceNamespace", namespace.to_owned()),
        ("Resource Id", "resourceId", of(|s| &s.resource_id)),
        ("Subscription ID", "subscriptionId", of(|s| &s.subscription_id)),
        ("Tenant ID", "tenantId", of(|s| &s.tenant_id)),
        ("VM ID", "vmId", of(|s| &s.vm_id)),
        ("Correlation ID", "correlationId", of(|s| &s.correlation_id)),
        ("VM UUID", "vmUuid", host::hardware_uuid()),
        ("Location", "location", of(|s| &s.location)),
        ("Cloud", "cloud", of(|s| &s.cloud)),
        ("Identity Key Store", "identityKeyStore", "File".to_owned()),
        ("Key Generation", "keyGeneration", generation),
        ("Agent Version", "agentVersion", env!("CARGO_PKG_VERSION").to_owned()),
        ("Agent Logfile", "agentLogfile", "journal".to_owned()),
        ("Agent Status", "status", if state.is_some() { "Connected" } else { "Disconnected" }.to_owned()),
        ("Agent Last Heartbeat", "lastHeartbeat", status.last_heartbeat.clone().unwrap_or_default()),
        ("Agent Error Code", "agentErrorCode", status.error_code.clone()),
        ("Agent Error Details", "agentErrorDetails", cs_telemetry::one_line(&status.error_details)),
        ("Agent Error Timestamp", "agentErrorTimestamp", status.error_timestamp.clone()),
        ("Using HTTPS Proxy", "httpsProxy", settings.proxy().map(redact::address).unwrap_or_default()),
        ("Proxy Bypass List", "proxyBypass", settings.proxy_bypass().join(",")),
        ("Upstream Proxy", "upstreamProxy", String::new()),
        ("Gateway URL", "gatewayUrl", String::new()),
        ("Private Link Scope", "privateLinkScope", String::new()),
        ("Cloud Provider", "cloudProvider", "N/A".to_owned()),
        ("Manufacturer", "manufacturer", vendor),
        ("Model", "model", model),
        ("MSSQL Server Detected", "mssqlDiscovered", "false".to_owned()),
        ("MySQL Server Detected", "mysqlDiscovered", "false".to_owned()),
        ("PGSQL Server Detected", "pgsqlDiscovered", "false".to_owned()),
        ("Site", "site", of(|s| &s.site)),
    ]
}

fn os_rows() -> Vec<Row> {
    let (name, version) = host::operating_system();
    vec![
        ("OS Name", "osName", name),
        ("OS Version", "osVersion", version),
        ("OS Type", "osType", "linux".to_owned()),
        ("Host Name", "hostName", host::name()),
    ]
}

/// Label, JSON key, whether it runs. Only the first is ours; scripts look for all of them.
fn services(status: &Status) -> Vec<Row> {
    let word = |runs: bool| if runs { "running" } else { "stopped" }.to_owned();
    vec![
        ("Agent Service (himdsd)", "himdsd", word(is_running(status))),
        ("Azure Arc Proxy (arcproxyd)", "arcproxyd", word(false)),
        ("Extension Service (extd)", "extd", word(false)),
        ("GC Service (gcad)", "gcad", word(false)),
    ]
}

fn is_running(status: &Status) -> bool {
    let address = status.himds.as_deref().and_then(|url| url.strip_prefix("http://"));
    let address: Option<SocketAddr> = address.and_then(|a| a.parse().ok());
    address.is_some_and(|a| TcpStream::connect_timeout(&a, PATIENCE).is_ok())
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn show(args: &ShowArgs, as_json: bool) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    let state = place.load()?;
    // Settings may hold a proxy's password and are root's to read; the rest is shown to everybody.
    let settings = config::load(&place).unwrap_or_default();
    let status = place.status();
    let generation = place.beats().unwrap_or_default().generation;
    let rows = if args.os { os_rows() } else { rows(state.as_ref(), &status, &settings, generation) };
    let services = if args.os { Vec::new() } else { services(&status) };
    for wanted in &args.properties {
        let known =
            |(label, key, _): &Row| wanted.eq_ignore_ascii_case(label) || wanted.eq_ignore_ascii_case(key);
        if !rows.iter().chain(&services).any(known) && !wanted.eq_ignore_ascii_case("services") {
            return Err(Failure::new(Kind::Usage, format!("there is no property {wanted}"))
                .code("AZCM0023")
                .hint("`csagent show -j` names them all"));
        }
    }
    let shown = |name: &str| args.properties.iter().any(|p| p.eq_ignore_ascii_case(name));
    let wanted = |(label, key, _): &&Row| args.properties.is_empty() || shown(label) || shown(key);
    if as_json {
        let mut all: Map<String, Value> =
            rows.iter().filter(wanted).map(|(_, key, value)| ((*key).to_owned(), json!(value))).collect();
        let each: Map<String, Value> = services
            .iter()
            .filter(|row| shown("services") || wanted(row))
            .map(|(_, key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        if !each.is_empty() {
            all.insert("services".to_owned(), Value::Object(each));
        }
        println!("{}", Value::Object(all));
        return Ok(());
    }
    for (label, _, value) in rows.iter().filter(wanted) {
        println!("{label:<40} : {value}");
    }
    let services: Vec<&Row> = services.iter().filter(|row| shown("services") || wanted(row)).collect();
    if !services.is_empty() {
        println!("Dependent Service Status");
        for (label, _, value) in services {
            println!("  {label:<38} : {value}");
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn version(as_json: bool) {
    if as_json {
        println!("{}", json!({"version": env!("CARGO_PKG_VERSION")}));
        return;
    }
    println!("{} version {}", program(), env!("CARGO_PKG_VERSION"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_scripts_read_are_there() {
        let rows = rows(None, &Status::default(), &Settings::default(), 1);
        for key in [
            "status",
            "resourceName",
            "resourceGroup",
            "subscriptionId",
            "tenantId",
            "location",
            "lastHeartbeat",
            "cloud",
            "privateLinkScope",
        ] {
            assert_eq!(rows.iter().filter(|(_, k, _)| *k == key).count(), 1, "{key}");
        }
    }
}
