//! What can be asked for, as clap reads it; flags as azcmagent has them (metadata.md 7.1).

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{
    absent::{ExtensionArgs, UpgradeArgs},
    completion::CompletionArgs,
    database::DatabaseArgs,
};

#[derive(Parser)]
#[command(
    name = "csagent",
    version,
    about = "Gives this machine an identity: connects it to a Countersign site and serves its metadata and tokens.",
    before_help = "Example:\n  csagent connect --site https://management.example.com --ca-file ca.pem -g lab -i APP -p SECRET\n  csagent run"
)]
pub struct Cli {
    #[command(flatten)]
    pub common: CommonArgs,
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
    /// Make this machine's key and print its public half, so that somebody else makes the machine at the site
    #[command(
        before_help = "Example:\n  csagent genkey\n  csagent connect existing --site https://management.example.com --ca-file ca.pem --client-id ID"
    )]
    Genkey(GenkeyArgs),
    /// Take this machine off its site
    #[command(before_help = "Example:\n  csagent disconnect -i APP -p SECRET")]
    Disconnect(DisconnectArgs),
    /// Serve tokens and metadata to this machine's programs (the daemon)
    #[command(before_help = "Example:\n  csagent run --data /var/opt/azcmagent")]
    Run(RunArgs),
    /// In a container or namespace, listen where clients look and pass everything to a source's socket
    #[command(
        before_help = "Example:\n  ip netns exec web csagent forward --listen 169.254.169.254:80 --to /run/csagent/web.sock"
    )]
    Forward(ForwardArgs),
    /// Keep certificates of a vault as files, the newest behind a link
    #[command(
        before_help = "Example:\n  csagent certificates sync --settings /etc/csagent/certificates.json"
    )]
    Certificates(crate::certificates::CertificatesArgs),
    /// Show what this machine is connected as
    #[command(before_help = "Example:\n  csagent show -j")]
    Show(ShowArgs),
    /// Test the way to the site, the clock, the port and the challenge directory
    #[command(
        before_help = "Example:\n  csagent check\n  csagent check --site https://management.example.com --ca-file ca.pem -j"
    )]
    Check(CheckArgs),
    /// Show or change this machine's settings
    #[command(before_help = "Example:\n  csagent config set proxy.url http://proxy.example.com:3128")]
    Config(ConfigArgs),
    /// Client certificates for database servers
    #[command(
        before_help = "Example:\n  csagent database certificate lab-machine --server lab --owner app --keep"
    )]
    Database(DatabaseArgs),
    /// Put logs and settings, without secrets, into one archive
    #[command(before_help = "Example:\n  csagent logs -o logs.zip")]
    Logs(LogsArgs),
    /// Extensions on this machine, of which there are none
    #[command(before_help = "Example:\n  csagent extension list")]
    Extension(ExtensionArgs),
    /// Print the licence
    #[command(before_help = "Example:\n  csagent license")]
    License,
    /// Says what upgrades this agent: the package manager
    #[command(before_help = "Example:\n  apt install ./csagent_VERSION_ARCH.deb")]
    Upgrade(UpgradeArgs),
    /// Print what a shell needs to complete verbs and flags
    #[command(before_help = "Example:\n  csagent completion bash >/etc/bash_completion.d/csagent")]
    Completion(CompletionArgs),
    /// Print the version
    #[command(before_help = "Example:\n  csagent version")]
    Version,
}

/// What azcmagent takes with every command.
#[derive(Args, Clone)]
pub struct CommonArgs {
    /// Flags from a file, JSON or YAML; the command line wins
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Say more on standard error
    #[arg(short = 'v', long, global = true)]
    pub verbose: bool,
    /// Answer in JSON, where there is an answer
    #[arg(short = 'j', long, global = true)]
    pub json: bool,
    #[arg(long, global = true, hide = true)]
    pub log_stderr: bool,
    #[arg(long, global = true, hide = true)]
    pub no_color: bool,
}

#[derive(Args, Clone)]
pub struct DataArgs {
    /// Where the agent keeps its state
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        env = "CSAGENT_DATA",
        default_value = "/var/opt/azcmagent"
    )]
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
    /// A certificate with its RSA key instead: PEM, or PFX without a password
    #[arg(long, value_name = "FILE")]
    pub service_principal_cert: Option<PathBuf>,
    /// A token for the resource manager instead; "-" reads it from standard input
    #[arg(long, value_name = "TOKEN")]
    pub access_token: Option<String>,
    /// The token of whoever is signed in with az on this machine instead
    #[arg(long)]
    pub use_azcli: bool,
    /// Taken so that it can be refused with a reason: it names a store of Windows
    #[arg(long, value_name = "THUMBPRINT", hide = true)]
    pub service_principal_cert_thumbprint: Option<String>,
    /// Taken so that it can be refused with a reason: a site signs nobody in by device code
    #[arg(long, hide = true)]
    pub use_device_code: bool,
}

#[derive(Args, Clone)]
pub struct GenkeyArgs {
    #[command(flatten)]
    pub data: DataArgs,
}

#[derive(Args, Clone)]
pub struct ConnectArgs {
    /// `existing`: become the machine that was made at the site with the public key of `csagent genkey`; takes no credential
    #[arg(value_name = "existing", value_parser = ["existing"], requires = "client_id", conflicts_with_all = ["join_token",
        "service_principal_id", "service_principal_secret", "service_principal_secret_file", "service_principal_cert",
        "access_token", "use_azcli", "tags"])]
    pub form: Option<String>,
    /// With `existing`: the client id of the machine's identity, as the site answered when the machine was made
    #[arg(long, value_name = "ID", requires = "form")]
    pub client_id: Option<String>,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub credential: CredentialArgs,
    /// The site's resource manager, or the authority of a directory that stays Entra [with --cloud, or as azcmagent: the public cloud's]
    #[arg(long, value_name = "URL", env = "CSAGENT_SITE")]
    pub site: Option<String>,
    /// Whom to trust beside the system's roots
    #[arg(long, value_name = "FILE", env = "CSAGENT_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Id or name [default: the only one the credential sees]
    #[arg(short = 's', long, value_name = "ID")]
    pub subscription_id: Option<String>,
    /// The group the machine lies in; a join token knows its own
    #[arg(short = 'g', long, value_name = "NAME", required_unless_present_any = ["join_token", "federated_token_file", "site", "form"])]
    pub resource_group: Option<String>,
    /// A token of another issuer, kept fresh by others, that the application of an authority proves itself with
    #[arg(long, value_name = "FILE")]
    pub federated_token_file: Option<PathBuf>,
    /// A one-time token instead of a credential: itself, a file that holds it, or "-" for standard input
    #[arg(
        long,
        value_name = "TOKEN",
        env = "CSAGENT_JOIN_TOKEN",
        hide_env_values = true,
        conflicts_with_all = ["service_principal_id", "service_principal_secret", "service_principal_secret_file",
            "service_principal_cert", "access_token"]
    )]
    pub join_token: Option<String>,
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
    #[arg(long, value_name = "ID")]
    pub correlation_id: Option<String>,
    #[command(flatten)]
    pub accepted: AcceptedArgs,
}

/// Taken so that scripts of azcmagent run; nothing here depends on them.
#[derive(Args, Clone)]
pub struct AcceptedArgs {
    #[arg(long, hide = true)]
    pub private_link_scope: Option<String>,
    #[arg(long, hide = true)]
    pub gateway_id: Option<String>,
    #[arg(long, hide = true)]
    pub ignore_network_check: bool,
    #[arg(long, hide = true)]
    pub automanage_profile: Option<String>,
    #[arg(long, hide = true)]
    pub enable_automatic_upgrade: bool,
}

#[derive(Args, Clone)]
pub struct DisconnectArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub credential: CredentialArgs,
    #[arg(short = 't', long, value_name = "ID")]
    pub tenant_id: Option<String>,
    #[arg(long, hide = true)]
    pub cloud: Option<String>,
    #[arg(long, hide = true)]
    pub correlation_id: Option<String>,
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
    /// Sources for containers, namespaces and jobs [default: sources.json in the data directory, where there is one]
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// Serve before there is a connection too: programs are told that there is none
    #[arg(long)]
    pub unconnected: bool,
    /// As root: be this user once everything is bound
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Who on this machine may have which tokens [default: callers.json in --data, where there is one]
    #[arg(long, value_name = "FILE")]
    pub callers: Option<PathBuf>,
    /// Written once every listener answers, removed at exit
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub struct ForwardArgs {
    /// Where clients look; may be repeated
    #[arg(long, value_name = "ADDR:PORT", required = true)]
    pub listen: Vec<SocketAddr>,
    /// The socket of a source that `csagent run` serves
    #[arg(long, value_name = "SOCKET")]
    pub to: PathBuf,
    /// Written once every listener answers, removed at exit
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub struct ShowArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Only what is known of the operating system
    #[arg(long)]
    pub os: bool,
    /// Only these properties, by label or JSON key
    pub properties: Vec<String>,
}

#[derive(Args, Clone)]
pub struct CheckArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The site's resource manager [default: the one this machine is connected to]
    #[arg(long, value_name = "URL", env = "CSAGENT_SITE")]
    pub site: Option<String>,
    #[arg(long, value_name = "FILE", env = "CSAGENT_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Where programs look for HIMDS
    #[arg(long, value_name = "N", default_value_t = 40342)]
    pub himds_port: u16,
    #[arg(short = 'l', long, hide = true)]
    pub location: Option<String>,
    #[arg(long, hide = true)]
    pub cloud: Option<String>,
    #[arg(short = 'p', long, visible_alias = "use-private-link", hide = true)]
    pub enable_pls_check: bool,
    #[arg(short = 'e', long, hide = true)]
    pub extensions: Option<String>,
}

#[derive(Args, Clone)]
pub struct ConfigArgs {
    #[command(flatten)]
    pub data: DataArgs,
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

#[derive(Subcommand, Clone)]
pub enum ConfigVerb {
    /// Show every setting
    #[command(before_help = "Example:\n  csagent config list -j")]
    List,
    /// Show one setting
    #[command(before_help = "Example:\n  csagent config get proxy.bypass")]
    Get { property: String },
    /// Say what settings are for
    #[command(before_help = "Example:\n  csagent config info key.rotation")]
    Info { property: Option<String> },
    /// Change one setting
    #[command(
        before_help = "Example:\n  csagent config set key.rotation 30d\n  csagent config set proxy.url - <proxy.txt\n  csagent config set proxy.bypass management.example.com --add"
    )]
    Set {
        property: String,
        /// "-" reads it from standard input, which other users cannot see: a proxy's address may hold a password
        value: String,
        /// To a list, add the value
        #[arg(short = 'a', long, conflicts_with = "remove")]
        add: bool,
        /// From a list, take the value
        #[arg(short = 'r', long)]
        remove: bool,
    },
    /// Set one back to what it is by default
    #[command(before_help = "Example:\n  csagent config clear proxy.url")]
    Clear { property: String },
}

#[derive(Args, Clone)]
pub struct LogsArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The archive [default: csagent-logs-TIME.zip here]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Whole logs instead of their last megabyte each
    #[arg(short = 'f', long)]
    pub full: bool,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;

    fn without_example(command: &Command, path: &str, found: &mut Vec<String>) {
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let path = format!("{path} {}", verb.get_name());
            if !verb.get_before_help().is_some_and(|text| text.to_string().starts_with("Example:\n  ")) {
                found.push(path.clone());
            }
            without_example(verb, &path, found);
        }
    }

    #[test]
    fn the_help_of_every_verb_opens_with_an_example() {
        let mut found = Vec::new();
        without_example(&Cli::command(), "csagent", &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
