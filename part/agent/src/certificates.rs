//! The settings document, in the forms that the extension's versions took. What it does not know it leaves alone, because
//! documents are taken over as they are; what it knows it reads strictly.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;

/// Where the extension keeps certificates unless told otherwise.
const STORE: &str = "/var/lib/waagent/Microsoft.Azure.KeyVault.Store";
const HIMDS: &str = "http://localhost:40342/metadata/identity/oauth2/token";
/// An hour, as in every example of the document.
const EVERY_SECONDS: u64 = 3600;
/// A vault is not asked more often than this, in seconds, whatever a document says.
const EVERY_AT_LEAST_SECONDS: u64 = 1;

/// What a document means.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    pub every: Duration,
    /// The service counts as started only when every certificate is there.
    pub waits_for_the_first: bool,
    pub acls: bool,
    pub observed: Vec<Observed>,
    /// Run after a change, where a certificate has no command of its own.
    pub command: Option<Vec<String>>,
    /// The whole address of the token path.
    pub endpoint: String,
    pub client_id: Option<String>,
}

/// One certificate.
#[derive(Debug, PartialEq, Eq)]
pub struct Observed {
    pub url: String,
    /// `https://v1.vault.azure.net`
    pub vault: String,
    pub name: String,
    /// Only this one, where the address names it.
    pub version: Option<String>,
    pub store: PathBuf,
    pub link: Option<String>,
    pub acls: Vec<Grant>,
    /// Words that are run after a change.
    pub command: Option<Vec<String>>,
    /// `user` or `user:group`, and an octal mode: ours, beside the access lists.
    pub owner: Option<String>,
    pub mode: u32,
}

/// Who else may read a certificate's file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Grant {
    pub user: Option<String>,
    pub group: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    secrets_management_settings: Management,
    #[serde(default)]
    authentication_settings: Authentication,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Management {
    polling_interval_in_s: Option<Value>,
    #[serde(default)]
    require_initial_sync: Value,
    #[serde(default)]
    acl_enabled: Value,
    certificate_store_location: Option<PathBuf>,
    observed_certificates: Vec<Value>,
    command: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    msi_endpoint: Option<String>,
    msi_client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    url: String,
    certificate_store_location: Option<PathBuf>,
    custom_symbolic_link_name: Option<String>,
    #[serde(default)]
    acls: Vec<Grant>,
    command: Option<Vec<String>>,
    owner: Option<String>,
    mode: Option<String>,
}

/// Reads a document.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read(text: &str) -> Result<Settings, String> {
    let whole: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    // People paste the extension's resource, whose `properties.settings` it is, or the settings alone.
    let found = ["/properties/settings", "/settings"].into_iter().find_map(|at| whole.pointer(at));
    let document: Document =
        serde_json::from_value(found.unwrap_or(&whole).clone()).map_err(|e| e.to_string())?;
    let (management, authentication) =
        (document.secrets_management_settings, document.authentication_settings);
    let store = management.certificate_store_location.unwrap_or_else(|| STORE.into());
    let observed: Result<Vec<_>, _> =
        management.observed_certificates.into_iter().map(|v| observed(v, &store)).collect();
    let observed = observed?;
    let links = |o: &Observed| (o.store.clone(), o.link_name());
    if let Some(twice) =
        (1..observed.len()).find(|&i| observed[..i].iter().any(|o| links(o) == links(&observed[i])))
    {
        return Err(format!("{}: another certificate has the same link", observed[twice].url));
    }
    Ok(Settings {
        every: Duration::from_secs(seconds(management.polling_interval_in_s.as_ref())?),
        waits_for_the_first: is_on(&management.require_initial_sync),
        acls: is_on(&management.acl_enabled),
        observed,
        command: not_empty(management.command)?,
        endpoint: endpoint(authentication.msi_endpoint.as_deref())?,
        client_id: authentication.msi_client_id.filter(|id| !id.is_empty()),
    })
}

/// A string in every example, a number in what people write.
fn seconds(value: Option<&Value>) -> Result<u64, String> {
    let read = match value {
        None | Some(Value::Null) => Some(EVERY_SECONDS),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_u64(),
    };
    let fits = read.filter(|seconds| (EVERY_AT_LEAST_SECONDS..=7 * 86_400).contains(seconds));
    fits.ok_or_else(|| "pollingIntervalInS is no number of seconds up to a week".to_owned())
}

fn is_on(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
}

fn not_empty(command: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
    match command {
        Some(words) if words.first().is_none_or(|program| !program.starts_with('/')) => {
            Err("a command starts with the whole path of its program".to_owned())
        }
        other => Ok(other),
    }
}

/// The path of tokens is in some documents and missing in others.
fn endpoint(written: Option<&str>) -> Result<String, String> {
    let Some(written) = written.map(str::trim).filter(|w| !w.is_empty()) else {
        return Ok(HIMDS.to_owned());
    };
    let mut url = url::Url::parse(written).map_err(|e| format!("msiEndpoint: {e}"))?;
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]" | "169.254.169.254"));
    if url.scheme() != "http" || !here {
        return Err("msiEndpoint is not on this machine".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&if path.ends_with("/oauth2/token") { path } else { format!("{path}/oauth2/token") });
    url.set_query(None);
    url.set_fragment(None);
    Ok(url.into())
}

fn observed(value: Value, store: &Path) -> Result<Observed, String> {
    let written: Written = match value {
        Value::String(url) => serde_json::from_value(serde_json::json!({"url": url})),
        other => serde_json::from_value(other),
    }
    .map_err(|e| format!("observedCertificates: {e}"))?;
    let bad = |why: &str| Err(format!("{}: {why}", written.url));
    let Some(url) = url::Url::parse(&written.url).ok().filter(|u| u.scheme() == "https" && u.has_host())
    else {
        return bad("a vault is reached over https");
    };
    let parts: Vec<&str> = url.path().split('/').filter(|p| !p.is_empty()).collect();
    // The certificate's own address means the secret with its key.
    let (name, version) = match parts[..] {
        ["secrets" | "certificates", name] => (name, None),
        ["secrets" | "certificates", name, version] => (name, Some(version.to_owned())),
        _ => return bad("the address of a secret ends in /secrets/NAME"),
    };
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plain(name) || !version.as_deref().is_none_or(plain) || !url.username().is_empty() {
        return bad("names of secrets hold letters, digits and dashes");
    }
    let store = written.certificate_store_location.unwrap_or_else(|| store.to_owned());
    if !store.is_absolute() || store.components().any(|c| matches!(c, std::path::Component::ParentDir)) {
        return bad("certificateStoreLocation is no absolute path");
    }
    let is_file_name = |n: &String| !n.is_empty() && !n.contains('/') && n != "." && n != "..";
    if written.custom_symbolic_link_name.as_ref().is_some_and(|n| !is_file_name(n)) {
        return bad("customSymbolicLinkName is no name of a file");
    }
    let mode = match written.mode.as_deref().map(|m| u32::from_str_radix(m, 8)) {
        None => 0o600,
        Some(Ok(mode @ (0o600 | 0o640 | 0o400 | 0o440))) => mode,
        Some(_) => {
            return bad("mode is one of 0600, 0640, 0400, 0440: nobody but owner and group reads a key");
        }
    };
    let origin = url.origin().ascii_serialization();
    Ok(Observed {
        vault: origin,
        name: name.to_owned(),
        version,
        store,
        link: written.custom_symbolic_link_name.clone(),
        acls: written.acls.clone(),
        command: not_empty(written.command.clone())?,
        owner: written.owner.clone(),
        mode,
        url: written.url,
    })
}

impl Observed {
    /// `VAULT.NAME`, the first word of the vault's host.
    pub fn base_name(&self) -> String {
        let host = self.vault.trim_start_matches("https://");
        let vault = host.split(['.', ':']).next().unwrap_or(host);
        format!("{vault}.{}", self.name)
    }

    pub fn link_name(&self) -> String {
        self.link.clone().unwrap_or_else(|| self.base_name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_document_of_the_third_version_is_read_as_it_is() {
        let text = r#"{"secretsManagementSettings":{"pollingIntervalInS":"3600","linkOnRenewal":false,"requireInitialSync":true,
            "aclEnabled":true,"observedCertificates":[{"url":"https://v1.vault.azure.net/secrets/web",
            "certificateStoreLocation":"/var/lib/waagent/Microsoft.Azure.KeyVault.Store","customSymbolicLinkName":"web",
            "acls":[{"user":"nginx","group":"www"},{"user":"app"}]}]},
            "authenticationSettings":{"msiEndpoint":"http://localhost:40342/metadata/identity","msiClientId":"c-1"},
            "loggingSettings":{"logger":"fluentd","endpoint":"tcp://localhost:24224"}}"#;
        let settings = read(text).unwrap();
        assert_eq!(
            (settings.every.as_secs(), settings.waits_for_the_first, settings.acls),
            (3600, true, true)
        );
        assert_eq!((settings.endpoint.as_str(), settings.client_id.as_deref()), (HIMDS, Some("c-1")));
        let web = &settings.observed[0];
        assert_eq!(
            (web.base_name().as_str(), web.link_name().as_str(), web.acls.len()),
            ("v1.web", "web", 2)
        );
        let pasted = format!(r#"{{"properties": {{"type": "KeyVaultForLinux", "settings": {text}}}}}"#);
        assert_eq!(read(&pasted).unwrap(), settings);
    }

    #[test]
    fn the_first_versions_form_is_read_too() {
        let text = r#"{"secretsManagementSettings":{"pollingIntervalInS":60,"certificateStoreLocation":"/etc/keys",
            "observedCertificates":["https://v1.vault.s.example:8443/certificates/web","https://v1.vault.s.example:8443/secrets/api/0a1b"]},
            "authenticationSettings":{"msiEndpoint":"http://169.254.169.254/metadata/identity/oauth2/token"}}"#;
        let settings = read(text).unwrap();
        assert_eq!(settings.endpoint, "http://169.254.169.254/metadata/identity/oauth2/token");
        let [web, api] = &settings.observed[..] else { panic!("two") };
        assert_eq!(
            (web.vault.as_str(), web.store.as_path()),
            ("https://v1.vault.s.example:8443", Path::new("/etc/keys"))
        );
        assert_eq!((web.link_name().as_str(), api.version.as_deref()), ("v1.web", Some("0a1b")));
    }

    #[test]
    fn what_would_write_or_ask_elsewhere_is_refused() {
        let with = |certificate: &str, more: &str| {
            read(&format!(
                r#"{{"secretsManagementSettings":{{"observedCertificates":[{certificate}]{more}}}}}"#
            ))
        };
        for (certificate, why) in [
            (r#""http://v.vault.azure.net/secrets/a""#, "https"),
            (r#""https://v.vault.azure.net/keys/a""#, "/secrets/NAME"),
            (r#""https://v.vault.azure.net/secrets/a%2Fb""#, "letters, digits"),
            (r#"{"url":"https://v/secrets/a","customSymbolicLinkName":"../a"}"#, "name of a file"),
            (r#"{"url":"https://v/secrets/a","certificateStoreLocation":"/a/../etc"}"#, "absolute path"),
            (r#"{"url":"https://v/secrets/a","certificateStoreLocation":"a"}"#, "absolute path"),
            (r#"{"url":"https://v/secrets/a","mode":"0644"}"#, "nobody but owner"),
            (r#"{"url":"https://v/secrets/a","command":["nginx","-s"]}"#, "whole path"),
            (r#"{"url":"https://v/secrets/a","command":[]}"#, "whole path"),
            (r#""https://v/secrets/a","https://v/secrets/a""#, "same link"),
        ] {
            let said = with(certificate, "").unwrap_err();
            assert!(said.contains(why), "{certificate}: {said}");
        }
        assert!(with(r#""https://v/secrets/a""#, r#","pollingIntervalInS":"0""#).is_err());
        let elsewhere = r#"{"secretsManagementSettings":{"observedCertificates":[]},"authenticationSettings":{"msiEndpoint":"http://example.com/x"}}"#;
        assert!(read(elsewhere).unwrap_err().contains("not on this machine"));
    }

    proptest! {
        #[test]
        fn no_document_breaks_the_reader(text in ".{0,300}", url in "https?://[a-z./%:@-]{0,40}") {
            let _ = read(&text);
            let _ = read(&format!(r#"{{"secretsManagementSettings":{{"observedCertificates":["{url}"]}}}}"#));
        }
    }
}
