//! The environment by which unmodified Azure clients find a site, for `countersign run` and `countersign env`.
//!
//! A pure table: facts of the running site, how it is reached and which metadata source is wanted go in; variables to
//! set and to unset come out. Each line has its reason; what was tried with which client is in the documentation.

use std::{fmt, path::PathBuf, str::FromStr};

/// What the ready file says, as far as clients care.
#[derive(Debug, Clone)]
pub struct SiteFacts {
    /// `https://login.S[:port]/`
    pub authority: String,
    /// `https://management.S[:port]/`
    pub resource_manager: String,
    /// Without a dot in front.
    pub suffix: String,
    /// `http://127.0.0.1:40342`
    pub himds: String,
    /// `http://169.254.169.254`, or where else it listens.
    pub imds: String,
    /// Our CA alone, PEM.
    pub ca_file: PathBuf,
    /// The system's roots and ours, PEM.
    pub ca_bundle: PathBuf,
    /// The same roots as a Java key store.
    pub java_trust_store: PathBuf,
    /// A folder for az alone: with a cloud of ours active, az would rewrite the settings in `~/.azure`.
    pub az_config: PathBuf,
    /// The site answers under the public cloud's own names: az needs no cloud of ours.
    pub public_names: bool,
}

/// How the clients reach the site.
#[derive(Debug, Clone)]
pub enum Reach {
    /// In a private machine: names resolve and there is nothing to proxy.
    Inside,
    /// On the machine as it is. `no_proxy` is the variable's present value, which is kept and extended.
    Direct { no_proxy: Option<String> },
    /// Through the site's CONNECT proxy, where there are no namespaces.
    Proxy { url: String },
}

/// What the caller's environment says of settings that must be kept beside ours.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// `JAVA_TOOL_OPTIONS`.
    pub java_options: Option<String>,
}

/// The metadata source a person asks for: `--source auto|arc|imds|appservice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataSource {
    #[default]
    Auto,
    Arc,
    Imds,
    AppService,
}

/// The App Service source: an address and the header value that proves to it who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct AppService {
    pub endpoint: String,
    pub header: String,
}

/// The metadata source that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metadata {
    Arc,
    Imds,
    AppService(AppService),
}

/// One variable; no value means: take it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub value: Option<String>,
}

/// The variables, in the order in which they are worth reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEnvironment {
    settings: Vec<Setting>,
}

impl ClientEnvironment {
    pub fn new(site: &SiteFacts, reach: &Reach, metadata: &Metadata, kept: &Kept) -> Self {
        let settings =
            [cloud(site), trust(site, kept), source(site, metadata), network(site, reach)].concat();
        Self { settings }
    }

    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Lines for a POSIX shell's `eval`.
    pub fn shell(&self) -> String {
        self.settings.iter().map(|setting| format!("{setting}\n")).collect()
    }
}

impl MetadataSource {
    /// `arc_possible`: whether challenge files can be in [`crate::CHALLENGE_DIRECTORY`], as clients insist.
    pub fn choose(self, arc_possible: bool, app_service: Option<AppService>) -> Option<Metadata> {
        match (self, app_service) {
            (Self::Arc, _) => Some(Metadata::Arc),
            (Self::Imds, _) => Some(Metadata::Imds),
            (Self::AppService, service) => service.map(Metadata::AppService),
            (Self::Auto, _) if arc_possible => Some(Metadata::Arc),
            (Self::Auto, Some(service)) => Some(Metadata::AppService(service)),
            (Self::Auto, None) => Some(Metadata::Imds),
        }
    }
}

fn cloud(site: &SiteFacts) -> Vec<Setting> {
    let management = site.resource_manager.trim_end_matches('/');
    let clouds = format!("{management}/metadata/endpoints?api-version=2019-05-01");
    vec![
        Setting::set("AZURE_AUTHORITY_HOST", site.authority.trim_end_matches('/')),
        // MSAL puts a region before the authority's name and loses its port; a region left in the shell breaks it.
        Setting::unset("AZURE_REGIONAL_AUTHORITY_NAME"),
        Setting::unset("MSAL_FORCE_REGION"),
        Setting { name: "ARM_CLOUD_METADATA_URL", value: (!site.public_names).then_some(clouds) },
        Setting::set("AZURE_CONFIG_DIR", &site.az_config.to_string_lossy()),
        Setting::set("AZURE_CORE_INSTANCE_DISCOVERY", "false"),
        Setting::set("AZURE_CORE_COLLECT_TELEMETRY", "0"),
    ]
}

/// Synchronous Python reads the first two, asynchronous Python, Go and Rust the third; then Node and Java.
fn trust(site: &SiteFacts, kept: &Kept) -> Vec<Setting> {
    let bundle = site.ca_bundle.to_string_lossy();
    vec![
        Setting::set("REQUESTS_CA_BUNDLE", &bundle),
        Setting::set("CURL_CA_BUNDLE", &bundle),
        Setting::set("SSL_CERT_FILE", &bundle),
        Setting::unset("SSL_CERT_DIR"),
        Setting::set("NODE_EXTRA_CA_CERTS", &site.ca_file.to_string_lossy()),
        Setting::set("JAVA_TOOL_OPTIONS", &java_options(site, kept.java_options.as_deref())),
    ]
}

/// The one variable every JVM reads, whoever starts it. An option of the same name on a command line wins over ours, and
/// of two in the variable the last.
fn java_options(site: &SiteFacts, kept: Option<&str>) -> String {
    // JVMs split the variable at spaces and take what stands in double quotes together.
    let ours = format!("-Djavax.net.ssl.trustStore=\"{}\"", site.java_trust_store.display());
    let others = kept.unwrap_or_default().replace(&ours, "");
    format!("{} {ours}", others.trim()).trim_start().to_owned()
}

/// Clients tell the sources apart by which variables exist, so the others' are taken out: `IDENTITY_HEADER` beside
/// `IDENTITY_ENDPOINT` means App Service to every one of them.
fn source(site: &SiteFacts, metadata: &Metadata) -> Vec<Setting> {
    let himds = site.himds.trim_end_matches('/').replace("//127.0.0.1", "//localhost");
    let imds = site.imds.trim_end_matches('/');
    let (endpoint, imds_endpoint, header, imds_host) = match metadata {
        Metadata::Arc => (Some(format!("{himds}/metadata/identity/oauth2/token")), Some(himds), None, None),
        Metadata::Imds => (None, None, None, (!is_usual_imds(imds)).then(|| imds.to_owned())),
        Metadata::AppService(service) => {
            (Some(service.endpoint.clone()), None, Some(service.header.clone()), None)
        }
    };
    vec![
        Setting { name: "IDENTITY_ENDPOINT", value: endpoint },
        Setting { name: "IMDS_ENDPOINT", value: imds_endpoint },
        Setting { name: "IDENTITY_HEADER", value: header },
        Setting { name: "AZURE_POD_IDENTITY_AUTHORITY_HOST", value: imds_host },
        Setting::unset("IDENTITY_SERVER_THUMBPRINT"),
        Setting::unset("MSI_ENDPOINT"),
        Setting::unset("MSI_SECRET"),
    ]
}

fn is_usual_imds(imds: &str) -> bool {
    ["http://169.254.169.254", "http://169.254.169.254:80"].contains(&imds)
}

fn network(site: &SiteFacts, reach: &Reach) -> Vec<Setting> {
    let (proxy, no_proxy) = match reach {
        Reach::Inside => (None, None),
        Reach::Direct { no_proxy } => {
            return both("NO_PROXY", "no_proxy", Some(extended(no_proxy.as_deref(), &site.suffix)));
        }
        // No NO_PROXY: with `localhost` in it, curl and Python would bypass the proxy for all names below localhost.
        Reach::Proxy { url } => (Some(url.clone()), None),
    };
    // Plain http is metadata only, which is on this machine.
    [
        both("HTTPS_PROXY", "https_proxy", proxy),
        both("HTTP_PROXY", "http_proxy", None),
        both("ALL_PROXY", "all_proxy", None),
        both("NO_PROXY", "no_proxy", no_proxy),
    ]
    .concat()
}

fn both(upper: &'static str, lower: &'static str, value: Option<String>) -> Vec<Setting> {
    vec![Setting { name: upper, value: value.clone() }, Setting { name: lower, value }]
}

/// The suffix with and without a dot: Go and curl take either, older Python wants the dot for names below it.
fn extended(no_proxy: Option<&str>, suffix: &str) -> String {
    let kept = no_proxy.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let dotted = format!(".{suffix}");
    let mut entries = kept.collect::<Vec<_>>();
    for ours in [suffix, &dotted, "localhost", "127.0.0.1", "::1", "169.254.169.254"] {
        if !entries.contains(&ours) {
            entries.push(ours);
        }
    }
    entries.join(",")
}

impl Setting {
    pub fn set(name: &'static str, value: &str) -> Self {
        Self { name, value: Some(value.to_owned()) }
    }

    pub fn unset(name: &'static str) -> Self {
        Self { name, value: None }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "export {}='{}'", self.name, value.replace('\'', r"'\''")),
            None => write!(f, "unset {}", self.name),
        }
    }
}

impl fmt::Debug for AppService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppService {{ endpoint: {:?}, header: redacted }}", self.endpoint)
    }
}

impl FromStr for MetadataSource {
    type Err = UnknownSource;

    fn from_str(name: &str) -> Result<Self, UnknownSource> {
        match name {
            "auto" => Ok(Self::Auto),
            "arc" => Ok(Self::Arc),
            "imds" => Ok(Self::Imds),
            "appservice" => Ok(Self::AppService),
            _ => Err(UnknownSource),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source is one of auto, arc, imds, appservice")]
pub struct UnknownSource;

#[cfg(test)]
mod tests;
