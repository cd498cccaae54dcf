//! What can be asked for, as clap reads it; flags as azcmagent has them (metadata.md 7.1).

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "csagent",
    version,
    about = "Gives this machine an identity: connects it to a Countersign site and serves its metadata and tokens.",
    before_help = "Example:\n  csagent connect --site https://management.example.com --ca-file ca.pem -g lab -i APP -p SECRET\n  csagent run"
)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Connect this machine to a site
    #[command(
        before_help = "Example:\n  csagent connect --site https://management.example.com --ca-file ca.pem -g lab -i APP --service-principal-secret-file secret"
    )]
    Connect(ConnectArgs),
    /// Take this machine off its site
    #[command(before_help = "Example:\n  csagent disconnect -i APP -p SECRET")]
    Disconnect(DisconnectArgs),
    /// Serve tokens and metadata to this machine's programs (the daemon)
    #[command(before_help = "Example:\n  csagent run --data /var/opt/azcmagent")]
    Run(RunArgs),
    /// Show what this machine is connected as
    #[command(before_help = "Example:\n  csagent show -j")]
    Show(ShowArgs),
    /// Print the version
    Version,
}

#[derive(Args, Clone)]
pub struct DataArgs {
    /// Where the agent keeps its state
    #[arg(long, value_name = "DIR", env = "CSAGENT_DATA", default_value = "/var/opt/azcmagent")]
    pub data: PathBuf,
}

/// How an administrator proves that this machine may be connected.
#[derive(Args, Clone)]
pub struct CredentialArgs {
    #[arg(short = 'i', long, value_name = "ID")]
    pub service_principal_id: Option<String>,
    /// The secret; better a file or standard input ("-"), which other users cannot see
    #[arg(short = 'p', long, value_name = "SECRET")]
    pub service_principal_secret: Option<String>,
    #[arg(long, value_name = "FILE")]
    pub service_principal_secret_file: Option<PathBuf>,
    /// A token for the resource manager instead
    #[arg(long, value_name = "TOKEN")]
    pub access_token: Option<String>,
}

#[derive(Args, Clone)]
pub struct ConnectArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub credential: CredentialArgs,
    /// The site's resource manager
    #[arg(long, value_name = "URL", env = "CSAGENT_SITE")]
    pub site: String,
    /// Whom to trust beside the system's roots
    #[arg(long, value_name = "FILE", env = "CSAGENT_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    #[arg(short = 's', long, value_name = "ID")]
    pub subscription_id: Option<String>,
    #[arg(short = 'g', long, value_name = "NAME")]
    pub resource_group: String,
    #[arg(short = 't', long, value_name = "ID")]
    pub tenant_id: Option<String>,
    #[arg(short = 'l', long, value_name = "PLACE", default_value = "local")]
    pub location: String,
    /// Name of the machine resource [default: this host's name]
    #[arg(short = 'n', long, value_name = "NAME")]
    pub resource_name: Option<String>,
    /// "A=1,B='x y'"
    #[arg(long, value_name = "TAGS")]
    pub tags: Option<String>,
    /// Accepted for scripts; the cloud is the site's
    #[arg(long, hide = true)]
    pub cloud: Option<String>,
    #[arg(long, hide = true)]
    pub correlation_id: Option<String>,
}

#[derive(Args, Clone)]
pub struct DisconnectArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub credential: CredentialArgs,
    /// Forget the connection without telling the site
    #[arg(short = 'f', long)]
    pub force_local_only: bool,
}

#[derive(Args, Clone)]
pub struct RunArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// HIMDS on 127.0.0.1 and ::1; 0 picks a free port
    #[arg(long, value_name = "N", default_value_t = 40342)]
    pub himds_port: u16,
    /// Serve IMDS too; it has no challenge, so everybody on this machine gets tokens from it
    #[arg(long, value_name = "ADDR:PORT")]
    pub imds: Option<SocketAddr>,
    /// Written once every listener answers, removed at exit
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub struct ShowArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[arg(short = 'j', long)]
    pub json: bool,
    /// Only these properties, by label or JSON key
    pub properties: Vec<String>,
}
