//! A site on a fresh directory, driven from outside, with what the lines ask for made in it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use http::{Method, Request, StatusCode, header, request};
use serde_json::{Value, json};

use crate::{
    load::{Target, block_on, trusting},
    process::{Process, built},
};

pub const VAULT: &str = "benchvault";
pub const ACCOUNT: &str = "benchaccount";
pub const MANAGEMENT: &str = "https://management.azure.com/.default";
pub const VAULTS: &str = "https://vault.azure.net/.default";
pub const STORAGE: &str = "https://storage.azure.com/.default";
/// Built in, the same in every tenant.
const BLOB_DATA_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// A tmpfs on every Linux.
const MEMORY: &str = "/dev/shm";
/// `sh -c` with the folder and the program as its arguments.
const MOUNTED: &str =
    "mkdir -p /var/opt/azcmagent/tokens && mount --bind \"$0\" /var/opt/azcmagent/tokens && exec \"$@\"";

/// A running site.
pub struct Site {
    pub process: Process,
    pub ready: Value,
    tls: Arc<rustls::ClientConfig>,
    secret: String,
    folder: tempfile::TempDir,
}

/// Starts the released program on this directory and waits for its ready file.
pub fn launch(program: &Path, folder: &Path) -> Result<(Process, Value)> {
    launch_with(program, folder, &[])
}

/// The same with more flags.
fn launch_with(program: &Path, folder: &Path, flags: &[&str]) -> Result<(Process, Value)> {
    launch_as(Command::new(program), folder, flags)
}

fn launch_as(mut command: Command, folder: &Path, flags: &[&str]) -> Result<(Process, Value)> {
    let ready = folder.join("ready-for-bench.json");
    let _ = std::fs::remove_file(&ready);
    command.arg("up").arg("--data").arg(folder.join("site")).arg("--ready-file").arg(&ready);
    command.args(["--https-port", "0", "--himds-port", "0", "--imds", "127.0.0.1:0", "--quiet"]).args(flags);
    let mut process = Process::new(command.stdout(Stdio::null()).spawn()?);
    let text = process.wait_for(&ready, Duration::from_secs(15))?;
    Ok((process, serde_json::from_str(&text)?))
}

impl Site {
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    pub fn start_with(flags: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (process, ready) = launch_with(&built("countersign")?, folder.path(), flags)?;
        Self::over(folder, process, ready)
    }

    fn over(folder: tempfile::TempDir, process: Process, ready: Value) -> Result<Self> {
        let tls = trusting(Path::new(text(&ready, "/ca_file")?))?;
        let secret = std::fs::read_to_string(text(&ready, "/operator/client_secret_file")?)?;
        Ok(Self { process, ready, tls, secret: secret.trim().to_owned(), folder })
    }

    /// A site whose challenges are in memory, as the packages mount a tmpfs for them; and where to read them here. Root's
    /// site writes to the official place, so it gets a mount of its own there, which nobody else sees.
    pub fn with_challenges_in_memory() -> Result<(Self, PathBuf)> {
        let folder = tempfile::tempdir_in(MEMORY).with_context(|| format!("making a folder in {MEMORY}"))?;
        let (challenges, program) = (folder.path().join("challenges"), built("countersign")?);
        let command = if nix::unistd::geteuid().is_root() {
            std::fs::create_dir(&challenges)?;
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", MOUNTED]).arg(&challenges).arg(program);
            command
        } else {
            Command::new(program)
        };
        let (process, ready) = launch_as(command, folder.path(), &[])?;
        let site = Self::over(folder, process, ready)?;
        let seen = if challenges.exists() { challenges } else { site.challenges()? };
        Ok((site, seen))
    }

    /// Where its challenges are.
    pub fn challenges(&self) -> Result<PathBuf> {
        Ok(self.text("/challenge_directory")?.into())
    }

    /// Stops the site, lets something be done with its database file, and starts it again.
    pub fn while_stopped(&mut self, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.process.stop()?;
        work(&self.data().join("site.db"))?;
        (self.process, self.ready) = launch_with(&built("countersign")?, self.folder.path(), &[])?;
        Ok(())
    }

    /// What `--data` names.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    pub fn text(&self, pointer: &str) -> Result<&str> {
        text(&self.ready, pointer)
    }

    fn https(&self, host: &str) -> Result<Target> {
        // The suffixes of the ready file carry the port when it is not 443.
        let host = host.split_once(':').map_or(host, |(name, _)| name);
        let port = self.ready["https_port"].as_u64().context("the ready file has no https_port")?;
        let address = ([127, 0, 0, 1], u16::try_from(port)?).into();
        Ok(Target { address, host: format!("{host}:{port}"), tls: Some(Arc::clone(&self.tls)) })
    }

    pub fn login(&self) -> Result<Target> {
        self.https(&format!("login.{}", self.text("/suffix")?))
    }

    pub fn management(&self) -> Result<Target> {
        self.https(&format!("management.{}", self.text("/suffix")?))
    }

    pub fn vault(&self) -> Result<Target> {
        self.https(&format!("{VAULT}.{}", self.text("/vault_suffix")?))
    }

    pub fn account(&self) -> Result<Target> {
        self.https(&format!("{ACCOUNT}.{}", self.text("/blob_suffix")?))
    }

    pub fn himds(&self) -> Result<Target> {
        let host = self.text("/himds")?.trim_start_matches("http://").to_owned();
        Ok(Target { address: host.parse()?, host, tls: None })
    }

    /// A request for a token of the operator.
    pub fn token_request(&self, scope: &str) -> Result<(request::Builder, String)> {
        let path = format!("/{}/oauth2/v2.0/token", self.text("/tenant_id")?);
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            self.text("/operator/client_id")?,
            self.secret,
            scope.replace(':', "%3A").replace('/', "%2F")
        );
        Ok((request, form))
    }

    /// `Bearer …` of the operator.
    pub fn bearer(&self, scope: &str) -> Result<String> {
        let (request, form) = self.token_request(scope)?;
        let answer =
            block_on(async { self.login()?.connect().await?.expect(request, form, StatusCode::OK).await })?;
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(format!("Bearer {}", text(&answer, "/access_token")?))
    }

    pub fn group(&self) -> Result<String> {
        let subscription = self.text("/subscription_id")?;
        Ok(format!("/subscriptions/{subscription}/resourceGroups/{}", self.text("/resource_group")?))
    }

    fn manage(&self, path: &str, version: &str, body: &Value) -> Result<()> {
        let request = Request::put(format!("{path}?api-version={version}"))
            .header(header::AUTHORIZATION, self.bearer(MANAGEMENT)?)
            .header(header::CONTENT_TYPE, "application/json");
        block_on(async {
            let mut connection = self.management()?.connect().await?;
            let (parts, answer) = connection.send(request, body.to_string()).await?;
            let told = || format!("PUT {path}: {} {}", parts.status, String::from_utf8_lossy(&answer));
            parts.status.is_success().then_some(()).with_context(told)
        })
    }

    /// A database server on a socket, where the operator may be this role.
    pub fn make_database(&self, name: &str, role: &str) -> Result<()> {
        let group = self.group()?;
        let path = format!("{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
        self.manage(&path, "2024-08-01", &json!({"location": "local", "properties": {}}))?;
        let rule = format!("{path}/administrators/{}", self.text("/operator/object_id")?);
        let body = json!({"properties": {"principalName": role, "principalType": "ServicePrincipal"}});
        self.manage(&rule, "2024-08-01", &body)
    }

    /// A vault whose secrets the operator may handle; `Bearer …` for it.
    pub fn make_vault(&self) -> Result<String> {
        let (tenant, operator) = (self.text("/tenant_id")?, self.text("/operator/object_id")?);
        let path = format!("{}/providers/Microsoft.KeyVault/vaults/{VAULT}", self.group()?);
        let policies =
            json!([{"tenantId": tenant, "objectId": operator, "permissions": {"secrets": ["all"]}}]);
        let body = json!({"location": "local", "properties": {
            "tenantId": tenant, "sku": {"name": "standard", "family": "A"},
            "enableRbacAuthorization": false, "accessPolicies": policies
        }});
        self.manage(&path, "2022-07-01", &body)?;
        self.bearer(VAULTS)
    }

    /// An account with the container `bench`; `Bearer …` for it.
    pub fn make_account(&self) -> Result<String> {
        let path = format!("{}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}", self.group()?);
        let body = json!({"location": "local", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}});
        self.manage(&path, "2023-01-01", &body)?;
        let subscription = self.text("/subscription_id")?;
        let role = format!(
            "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_DATA_CONTRIBUTOR}"
        );
        let body = json!({"properties": {
            "roleDefinitionId": role, "principalId": self.text("/operator/object_id")?, "principalType": "ServicePrincipal"
        }});
        let assignment = "b0b0b0b0-0000-4000-8000-000000000001";
        let at = format!("{path}/providers/Microsoft.Authorization/roleAssignments/{assignment}");
        self.manage(&at, "2022-04-01", &body)?;
        let bearer = self.bearer(STORAGE)?;
        let request = blob(Method::PUT, "/bench?restype=container", &bearer);
        block_on(async { self.account()?.connect().await?.expect(request, "", StatusCode::CREATED).await })?;
        Ok(bearer)
    }
}

/// A request to blob storage.
pub fn blob(method: Method, path: &str, bearer: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("x-ms-version", "2021-08-06")
        .header(header::AUTHORIZATION, bearer)
}

pub fn text<'a>(document: &'a Value, pointer: &str) -> Result<&'a str> {
    document.pointer(pointer).and_then(Value::as_str).with_context(|| format!("the answer has no {pointer}"))
}
