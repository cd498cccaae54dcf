//! `countersign env`: how to point clients at the running site.

use std::{path::PathBuf, process::ExitCode};

use cs_sandbox::{
    AppService, CHALLENGE_DIRECTORY, ClientEnvironment, Kept, Metadata, MetadataSource, Reach, SiteFacts,
};

use super::run::PROXIED;
use crate::{
    cli::{EnvArgs, EnvOutput, Source},
    failure::{Attempt, Failure, Kind},
    site::{data, ready, ready::Ready},
};

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn env(args: &EnvArgs) -> Result<ExitCode, Failure> {
    let ready = running(args)?;
    match args.output {
        EnvOutput::Json => println!("{}", ready.to_json()),
        EnvOutput::Shell => {
            let reach = match proxied() {
                Some(url) => Reach::Proxy { url },
                None => Reach::Direct { no_proxy: std::env::var("NO_PROXY").ok() },
            };
            print!("{}", environment(&ready, &reach, args.source)?.shell());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The proxy of the `countersign run` this is inside of, where that has no private machine.
fn proxied() -> Option<String> {
    let inside = std::env::var("COUNTERSIGN_INSIDE_RUN").is_ok_and(|how| how == PROXIED);
    inside.then(|| std::env::var("HTTPS_PROXY").ok()).flatten()
}

/// The ready document of the running site: inside `countersign run` the one it names, else the data directory's.
fn running(args: &EnvArgs) -> Result<Ready, Failure> {
    let directory = data::path_of(args.data.data.as_deref())?;
    let inside = std::env::var_os("COUNTERSIGN_INSIDE_RUN").and(std::env::var_os("COUNTERSIGN_READY_FILE"));
    let path = inside.map_or_else(|| directory.join(ready::FILE_NAME), PathBuf::from);
    let text = std::fs::read(&path).map_err(|_| {
        Failure::new(Kind::WrongState, format!("no site is running on {}", directory.display()))
            .hint("start one with `countersign up`, or name its directory with --data DIR")
    })?;
    serde_json::from_slice(&text).attempt(format_args!("reading {}", path.display()))
}

/// The variables for clients of a running site.
pub fn environment(ready: &Ready, reach: &Reach, source: Source) -> Result<ClientEnvironment, Failure> {
    let source = match source {
        Source::Auto => MetadataSource::Auto,
        Source::Arc => MetadataSource::Arc,
        Source::Imds => MetadataSource::Imds,
        Source::Appservice => MetadataSource::AppService,
    };
    let arc_possible = ready.challenge_directory.as_os_str() == CHALLENGE_DIRECTORY;
    let service = ready.app_service.clone().map(|s| AppService { endpoint: s.endpoint, header: s.header });
    let metadata: Metadata = source.choose(arc_possible, service).ok_or_else(|| {
        Failure::new(Kind::WrongState, "the site serves no App Service source (started with --no-machine?)")
    })?;
    let az_config = ready.ca_file.parent().unwrap_or(&ready.ca_file).join("azure");
    let facts = SiteFacts {
        authority: ready.authority.clone(),
        resource_manager: ready.resource_manager.clone(),
        suffix: ready.suffix.clone(),
        himds: ready.himds.clone(),
        imds: ready.imds.clone(),
        ca_file: ready.ca_file.clone(),
        ca_bundle: ready.ca_bundle_file.clone(),
        java_trust_store: ready.java_trust_store_file.clone(),
        az_config,
        public_names: ready.suffix == "azure",
    };
    let kept = Kept { java_options: std::env::var("JAVA_TOOL_OPTIONS").ok() };
    Ok(ClientEnvironment::new(&facts, reach, &metadata, &kept))
}
