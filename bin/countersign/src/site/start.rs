//! Starting and stopping an embedded site: open what is there, build the parts, listen, say that it is ready.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cs_broker::ChallengeDirectory;
use cs_names::{Address, SiteNames};
use cs_pki::Leaves;
use cs_sandbox::CHALLENGE_DIRECTORY;
use cs_serve::{Limits, Listener, Protocol, Shutdown};
use cs_time::{MachineChance, MachineClock};

use super::{
    compose::{self, Site},
    data::{self, DataDirectory},
    databases, keys, lent,
    listen::{self, Bound},
    machine::{self, Metadata},
    open::{self, Opened},
    ready::{self, AppService, Machine, Operator, Ready},
    seed::{self, Seed},
    trust,
};
use crate::failure::{Attempt, Failure};

/// How a site shall be started.
pub struct Options {
    pub names: SiteNames,
    pub listen: Vec<IpAddr>,
    pub https_port: u16,
    pub himds_port: u16,
    /// `None`: where contract.md says.
    pub imds: Option<SocketAddr>,
    pub machine: bool,
    /// `None`: this host's name.
    pub machine_name: Option<String>,
    /// Who on this host may have which tokens; `None`: whoever asks.
    pub callers: Option<PathBuf>,
    pub databases: databases::Options,
    pub database: Option<String>,
    pub blobs: Option<String>,
    pub ready_file: Option<PathBuf>,
    /// The port of the storage emulator's address, where that is served.
    pub development_storage: Option<u16>,
    /// Whether `countersign env` shall find the site by its data directory (not inside a private machine).
    pub announce: bool,
}

impl Options {
    /// A machine and nothing else, on free ports of loopback: what a command's own site begins from.
    pub fn on_free_ports(names: SiteNames) -> Self {
        Self {
            names,
            listen: loopback().to_vec(),
            https_port: 0,
            himds_port: 0,
            imds: Some((Ipv4Addr::LOCALHOST, 0).into()),
            machine: true,
            machine_name: None,
            databases: databases::Options::default(),
            database: None,
            blobs: None,
            ready_file: None,
            development_storage: None,
            callers: None,
            announce: false,
        }
    }
}

/// A site that answers.
pub struct Running {
    ready: Ready,
    shutdown: Shutdown,
    site: Site,
    background: Vec<tokio::task::JoinHandle<()>>,
    /// Files to take away at the end.
    announced: Vec<PathBuf>,
    _data: DataDirectory,
}

/// Requests under way are given this long when the site stops.
const DRAIN: Duration = Duration::from_secs(10);

pub fn loopback() -> [IpAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
}

pub async fn start(data: DataDirectory, options: Options) -> Result<Running, Failure> {
    // Ports first: a port in use is found before anything is made.
    let bound = Bound::bind(&options).await?;
    let (clock, chance) = (Arc::new(MachineClock), Arc::new(MachineChance));
    let known_root = keys::root(data.path())?;
    let store = open::store(&data, options.database.as_deref()).await?;
    let bytes = open::bytes(&data, options.blobs.as_deref()).await?;
    let Opened { store, root, seed } = Opened::of(&data, store, known_root).await?;
    let trust = trust::open(&data, &options.names)?;
    let bundles = trust::write_bundles(&data, &trust.ca)?;
    let leaves =
        Leaves::new(trust.ca, options.names.clone(), clock.clone()).attempt("preparing certificates")?;
    let leaves = Arc::new(leaves);
    let tls = cs_pki::server_config(Arc::clone(&leaves)).attempt("preparing TLS")?;
    let (site, mut background) = compose::site(compose::Ground {
        store,
        bytes,
        root,
        clock,
        chance,
        development: options.development_storage.is_some(),
    })
    .await?;

    site.gateways.sign_with(&leaves);
    site.notary.sign_with(&leaves);
    if options.development_storage.is_some() {
        site.make_development_account(seed.tenant, seed.subscription).await?;
    }
    let https_port = bound.https_port();
    let address = Address::new(options.names.clone(), https_port);
    let shutdown = Shutdown::new();
    let mut metadata = None;
    if options.machine {
        let challenges = challenge_directory(&data)?;
        let made = machine::connect(
            &site,
            &seed,
            &address,
            &challenges,
            (options.machine_name.as_deref(), options.callers.as_deref()),
        )
        .await?;
        background.extend(made.background());
        metadata = Some((made, challenges));
    }
    let ready =
        describe(&data, &options, &seed, &address, &bound, metadata.as_ref(), trust.ca_file, bundles)?;
    let mut lent = lent::Sockets::make(&data, &ready)?;
    background.extend(lent.lend(&bound));
    let mut announced = lent.files();

    databases::serve(
        &site,
        &options.names,
        &leaves,
        (bound.postgres, options.databases.sockets.clone()),
        &shutdown,
    )?;
    let router = site.router(&options.names);
    for listener in bound.https {
        let https = Protocol::Https(Arc::clone(&tls));
        Listener::Tcp(listener).serve(https, Arc::clone(&router), Limits::default(), &shutdown);
    }
    for listener in bound.development {
        let router = site.development(&options.names);
        Listener::Tcp(listener).serve(Protocol::Plain, router, Limits::default(), &shutdown);
    }
    if let Some((made, _)) = metadata {
        if let Some(socket) = lent.himds() {
            let seen = made.himds_inside();
            Listener::Unix(socket).serve(Protocol::PlainTitleCase, seen, Limits::metadata(), &shutdown);
        }
        for listener in bound.himds {
            Listener::Tcp(listener).serve(
                Protocol::PlainTitleCase,
                made.himds(),
                Limits::metadata(),
                &shutdown,
            );
        }
        for listener in bound.imds {
            Listener::Tcp(listener).serve(
                Protocol::PlainTitleCase,
                made.imds(),
                Limits::metadata(),
                &shutdown,
            );
        }
    }
    if options.announce {
        announced.push(data.write(ready::FILE_NAME, ready.to_json().as_bytes(), 0o600)?);
    }
    if let Some(file) = &options.ready_file {
        data::write_whole(file, ready.to_json().as_bytes(), 0o644)?;
        announced.push(file.clone());
    }
    Ok(Running { ready, shutdown, site, background, announced, _data: data })
}

impl Running {
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Stops listening, finishes what is under way, writes what waits to be written.
    pub async fn stop(self) {
        for file in &self.announced {
            drop(std::fs::remove_file(file));
        }
        self.shutdown.begin();
        if !self.shutdown.drained(DRAIN).await {
            tracing::warn!(
                "some requests were cut off: they took longer than {} s to finish",
                DRAIN.as_secs()
            );
        }
        self.site.flush().await;
        for task in self.background {
            task.abort();
        }
    }
}

/// Where challenge files go: the one place clients accept where it can be written, else below the data directory.
fn challenge_directory(data: &DataDirectory) -> Result<PathBuf, Failure> {
    let official = Path::new(CHALLENGE_DIRECTORY);
    match ChallengeDirectory::make(official) {
        Ok(()) if nix::unistd::access(official, nix::unistd::AccessFlags::W_OK).is_ok() => {
            Ok(official.to_owned())
        }
        _ => data.folder("tokens"),
    }
}

/// Sets a directory's mode so that only its owner and group may look into it.
pub fn make_private(path: &Path) -> Result<(), Failure> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o750))
        .attempt(format_args!("setting the mode of {}", path.display()))
}

fn describe(
    data: &DataDirectory,
    options: &Options,
    seed: &Seed,
    address: &Address,
    bound: &Bound,
    metadata: Option<&(Metadata, PathBuf)>,
    ca_file: PathBuf,
    bundles: trust::Bundles,
) -> Result<Ready, Failure> {
    let hosts: String =
        loopback().iter().map(|ip| format!("{ip} {}\n", options.names.fixed_hosts().join(" "))).collect();
    let hosts_file = data.write("hosts", hosts.as_bytes(), 0o644)?;
    let himds = bound.himds_address();
    let imds = bound.imds_address();
    Ok(Ready {
        tenant_id: seed.tenant.to_string(),
        subscription_id: seed.subscription.to_string(),
        resource_group: seed::GROUP.to_owned(),
        location: seed::LOCATION.to_owned(),
        https_port: bound.https_port(),
        suffix: options.names.suffix().to_owned(),
        authority: format!("{}/", address.login()),
        resource_manager: format!("{}/", address.management()),
        graph: format!("{}/", address.graph()),
        console: format!("{}/", address.console()),
        vault_suffix: address.key_vault_dns(),
        blob_suffix: format!("blob.{}", address.storage_suffix()),
        ca_file,
        ca_bundle_file: bundles.pem,
        java_trust_store_file: bundles.java,
        hosts_file,
        postgres: bound.postgres_address().map(|a| a.to_string()),
        postgres_suffix: bound.postgres_address().map(|_| options.names.postgres().to_owned()),
        operator: Operator {
            client_id: seed.operator_client.to_string(),
            client_secret_file: seed::secret_file(data),
            object_id: seed.operator_object.to_string(),
        },
        himds: listen::url(himds),
        imds: listen::url(imds),
        app_service: metadata.map(|(m, _)| AppService {
            endpoint: format!("{}{}", listen::url(himds), machine::APP_SERVICE_PATH),
            header: m.app_service_header().to_owned(),
        }),
        development_storage: bound
            .development_address()
            .map(|a| format!("http://{a}/{}", cs_blob::DEVELOPMENT_ACCOUNT)),
        challenge_directory: metadata
            .map_or_else(|| PathBuf::from(CHALLENGE_DIRECTORY), |(_, dir)| dir.clone()),
        machine: metadata.map(|(m, _)| Machine {
            name: m.name().to_owned(),
            resource_id: m.resource_id().to_owned(),
            principal_id: m.principal().to_string(),
        }),
        process_id: std::process::id(),
    })
}
