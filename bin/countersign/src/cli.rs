//! What can be asked for, as clap reads it.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(
    name = "countersign",
    version,
    about = "Managed identity for any machine: a token authority, resource manager, key vault and blob store of your own.",
    before_help = "Example:\n  countersign run -- az login --identity",
    subcommand_required = true,
    arg_required_else_help = false
)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Start an embedded site in the foreground
    #[command(before_help = "Example:\n  countersign up --data ./site --https-port 8443")]
    Up(UpArgs),
    /// Print how to point clients at the running site
    #[command(before_help = "Example:\n  eval \"$(countersign env)\"")]
    Env(EnvArgs),
    /// Run a command as if on a connected machine
    #[command(
        before_help = "Example:\n  countersign run -- curl -s -H Metadata:true \"http://localhost:40342/metadata/instance?api-version=2020-06-01\""
    )]
    Run(RunArgs),
    /// Prepare database servers, and say who may log in as which role
    Database(crate::verbs::database::DatabaseArgs),
    /// Print what one call caused, from the machine's token to the last resource
    #[command(
        before_help = "Example:\n  countersign audit --correlation-id 0af76519-16cd-43dd-8448-eb211c80319c"
    )]
    Audit(AuditArgs),
    /// Serve one database server's gateway in a process of its own, next to the database
    #[command(
        before_help = "Example:\n  countersign gateway --site https://management.example.com --server /subscriptions/…/flexibleServers/lab --tenant-id TENANT --client-id APP --client-secret-file secret --postgres-socket /run/postgresql"
    )]
    Gateway(crate::verbs::gateway::GatewayArgs),
    /// Let machines in, and back in
    Machine(crate::verbs::machine::MachineArgs),
    /// Make this host trust a site's authority and know its names, or not any more
    #[command(before_help = "Example:\n  sudo countersign trust install --data ./site")]
    Trust(crate::verbs::trust::TrustArgs),
    /// Copy a site, running or not, into one file
    #[command(before_help = "Example:\n  countersign backup --data ./site site-2026-11-25.backup")]
    Backup(BackupArgs),
    /// Put a copy back into an empty data directory
    #[command(
        before_help = "Example:\n  countersign restore --data ./site --root-key-file root.key site-2026-11-25.backup"
    )]
    Restore(RestoreArgs),
    /// Check every record and blob of a site, running or not
    #[command(before_help = "Example:\n  countersign verify --data ./site")]
    Verify(VerifyArgs),
    /// Start as the twin of a subscription: read what `az … list -o json` printed
    #[command(
        before_help = "Example:\n  az group list -o json >groups.json\n  countersign import groups.json"
    )]
    Import(ImportArgs),
    /// Write what `az … list -o json` would print of this site, one file a list
    #[command(before_help = "Example:\n  countersign export ./exported")]
    Export(ExportArgs),
    /// Play the managed-identity lab on a fresh site
    #[command(before_help = "Example:\n  countersign lab")]
    Lab(LabArgs),
}

/// Where a site keeps everything.
#[derive(Args, Clone)]
pub struct DataArgs {
    /// Everything the site keeps [default: $XDG_DATA_HOME/countersign]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA")]
    pub data: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub struct UpArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Address of the HTTPS listener; may be repeated [default: 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDR", env = "COUNTERSIGN_LISTEN", value_delimiter = ',')]
    pub listen: Vec<IpAddr>,
    /// The one HTTPS port, routed by host name; 0 picks a free one
    #[arg(long, value_name = "N", env = "COUNTERSIGN_HTTPS_PORT", default_value_t = 8443)]
    pub https_port: u16,
    /// Domain under which the site's names stand
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_SUFFIX", default_value = "countersign.localhost")]
    pub suffix: String,
    /// HIMDS on 127.0.0.1 and ::1; 0 picks a free port
    #[arg(long, value_name = "N", env = "COUNTERSIGN_HIMDS_PORT", default_value_t = 40342)]
    pub himds_port: u16,
    /// IMDS [default: 169.254.169.254:80 where that address is on this host, else 127.0.0.1:4280]
    #[arg(long, value_name = "ADDR:PORT", env = "COUNTERSIGN_IMDS")]
    pub imds: Option<SocketAddr>,
    /// Who on this host may have which tokens of its machine [default: whoever may ask]
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CALLERS")]
    pub callers: Option<PathBuf>,
    /// Do not connect this host as a machine
    #[arg(long, env = "COUNTERSIGN_NO_MACHINE")]
    pub no_machine: bool,
    /// postgres://… instead of the SQLite file in the data directory
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_DATABASE")]
    pub database: Option<String>,
    /// s3://bucket/prefix or file:///… instead of the folder in the data directory
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_BLOBS")]
    pub blobs: Option<String>,
    /// Serve also the storage emulator's address and account: plain HTTP on loopback, for tests; 0 picks a free port
    #[arg(
        long,
        value_name = "PORT",
        env = "COUNTERSIGN_DEVELOPMENT_STORAGE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10000"
    )]
    pub development_storage: Option<u16>,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// Written once every listener answers, removed at exit
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_READY_FILE")]
    pub ready_file: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Print the ready document instead of words
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// The database gateway.
#[derive(Args, Clone, Default)]
pub struct PostgresArgs {
    /// Address of the database gateway [default: none; inside `run` port 5432]
    #[arg(long, value_name = "ADDR:PORT", env = "COUNTERSIGN_POSTGRES")]
    pub postgres: Option<SocketAddr>,
    /// A database server on a socket of this host; may be repeated
    #[arg(
        long,
        value_name = "SERVER=DIR[:PORT]",
        env = "COUNTERSIGN_POSTGRES_SOCKET",
        value_delimiter = ','
    )]
    pub postgres_socket: Vec<String>,
}

/// Where rows and bytes are, when not in the data directory.
#[derive(Args, Clone)]
pub struct PlacesArgs {
    /// As it was given to `up`
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_DATABASE")]
    pub database: Option<String>,
    /// As it was given to `up`
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_BLOBS")]
    pub blobs: Option<String>,
}

#[derive(Args)]
pub struct BackupArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub store: PlacesArgs,
    /// A file that is not there yet
    pub file: PathBuf,
}

#[derive(Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The site's root key, as in its `root.key` [default: COUNTERSIGN_ROOT_KEY, or root.key in the data directory]
    #[arg(long, value_name = "FILE")]
    pub root_key_file: Option<PathBuf>,
    /// What `countersign backup` wrote
    pub file: PathBuf,
}

#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub store: PlacesArgs,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Args)]
pub struct EnvArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[arg(long, value_enum, default_value_t = EnvOutput::Shell)]
    pub output: EnvOutput,
    /// Which metadata source the variables name
    #[arg(long, value_enum, default_value_t = Source::Auto)]
    pub source: Source,
}

#[derive(Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Run as this machine of the site [default: this host's name]
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Serve under the public cloud's own names
    #[arg(long, value_enum)]
    pub cloud: Option<Cloud>,
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

/// The database of a site, read as it is.
#[derive(Args, Clone)]
pub struct StoreArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// postgres://… where the site keeps it there
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_DATABASE")]
    pub database: Option<String>,
}

#[derive(Args)]
pub struct AuditArgs {
    #[command(flatten)]
    pub store: StoreArgs,
    /// `x-ms-correlation-request-id` of an answer, or the trace id of a traceparent
    #[arg(long, value_name = "ID")]
    pub correlation_id: String,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Args)]
pub struct ImportArgs {
    #[command(flatten)]
    pub store: StoreArgs,
    /// Lists of accounts, groups, identities, machines, resources, role definitions and role assignments, in any order
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub store: StoreArgs,
    /// The folder for the files; made where it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[derive(Args)]
pub struct LabArgs {
    /// Keep the lab's site and print where it is
    #[arg(long)]
    pub keep: bool,
    /// Say only which step failed
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Json,
    Table,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvOutput {
    Shell,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    Auto,
    Arc,
    Imds,
    Appservice,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cloud {
    Azure,
}
