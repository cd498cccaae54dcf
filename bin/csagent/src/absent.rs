//! Verbs of azcmagent that have little to do here (metadata.md 7.1): the agent runs no extensions, and the package manager
//! upgrades it. Scripts that call them get a true answer where there is one, else one line that says what to use instead.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    cli::DataArgs,
    connect::tell,
    failure::{Failure, Kind},
    state::Place,
};

#[derive(Args, Clone)]
pub struct ExtensionArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(subcommand)]
    verb: ExtensionVerb,
}

#[derive(Subcommand, Clone)]
enum ExtensionVerb {
    /// List those on this machine: none
    #[command(before_help = "Example:\n  csagent extension list -j")]
    List,
    /// Remove those on this machine, of which there are none
    #[command(before_help = "Example:\n  csagent extension remove --all")]
    Remove {
        /// This one
        #[arg(
            short = 'n',
            long,
            value_name = "NAME",
            required_unless_present = "all",
            conflicts_with = "all"
        )]
        name: Option<String>,
        /// All
        #[arg(short = 'a', long)]
        all: bool,
    },
}

#[derive(Args, Clone)]
pub struct UpgradeArgs {
    /// Whatever the original takes
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    given: Vec<String>,
}

/// Says that there are none, which is what scripts want to know before they disconnect a machine; who names one is told where
/// it can be.
#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn extension(args: &ExtensionArgs, as_json: bool) -> Result<(), Failure> {
    match &args.verb {
        ExtensionVerb::List if as_json => println!("{}", json!([])),
        ExtensionVerb::List | ExtensionVerb::Remove { name: None, .. } => {
            tell("No extensions: this agent runs none");
        }
        ExtensionVerb::Remove { name: Some(name), .. } => {
            let failure = Failure::new(
                Kind::Failed,
                format!("there is no extension {name} here: this agent runs none"),
            );
            let state = Place::new(&args.data.data).load().ok().flatten();
            let of = state.map_or_else(
                || "--machine-name NAME -g GROUP".to_owned(),
                |s| format!("--machine-name {} -g {}", s.resource_name, s.resource_group),
            );
            return Err(failure.code("AZCM0023").hint(format!(
                "the site keeps their resources: `az connectedmachine extension delete {of} --name {name}`"
            )));
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn license(as_json: bool) {
    let (name, url) = (env!("CARGO_PKG_LICENSE"), "https://www.apache.org/licenses/LICENSE-2.0");
    if as_json {
        println!("{}", json!({"license": name, "url": url}));
    } else {
        println!("{name}: {url}");
    }
}

pub fn upgrade(_: &UpgradeArgs) -> Result<(), Failure> {
    Err(Failure::new(Kind::Failed, "this agent does not upgrade itself: its package manager does").hint(
        "`apt install ./csagent_VERSION_ARCH.deb` or `dnf install ./csagent-VERSION-1.ARCH.rpm`; the machine keeps its identity",
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn said(line: &str) -> Result<(), Failure> {
        let parsed = Cli::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        match parsed.verb {
            Verb::Extension(args) => extension(&args, parsed.common.json),
            Verb::Upgrade(args) => upgrade(&args),
            _ => panic!("{line} is another verb"),
        }
    }

    #[test]
    fn scripts_of_the_original_are_answered_and_never_misunderstood() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().display();
        for line in ["extension list", "extension list -j", "extension remove --all", "extension remove -a"] {
            said(&format!("azcmagent {line} --data {data}")).unwrap();
        }
        for (line, helps) in [
            (
                format!("azcmagent extension remove --name MDE --data {data}"),
                "connectedmachine extension delete",
            ),
            ("azcmagent upgrade".to_owned(), "apt install"),
            ("azcmagent upgrade --desired-version 1.50 -y".to_owned(), "apt install"),
        ] {
            let failure = said(&line).unwrap_err();
            assert_eq!(failure.kind, Kind::Failed, "{line}");
            assert!(failure.hint.is_some_and(|hint| hint.contains(helps)), "{line}");
        }
        assert!(Cli::try_parse_from(["azcmagent", "extension", "remove"]).is_err(), "which one?");
    }
}
