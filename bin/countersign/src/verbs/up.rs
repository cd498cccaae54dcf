//! `countersign up`: an embedded site in the foreground.

use std::process::ExitCode;

use cs_names::SiteNames;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::{Output, UpArgs},
    failure::{Attempt, Failure, Kind},
    site::{
        data::{self, DataDirectory},
        databases,
        ready::Ready,
        start::{self, Options},
    },
};

pub async fn up(args: UpArgs) -> Result<ExitCode, Failure> {
    let names =
        SiteNames::under(&args.suffix).map_err(|e| Failure::new(Kind::Usage, format!("--suffix: {e}")))?;
    // Heard from here on, so that a signal during the start ends it cleanly too.
    let mut interrupt = signal(SignalKind::interrupt()).attempt("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).attempt("listening for signals")?;
    let data = DataDirectory::open(&data::path_of(args.data.data.as_deref())?)?;
    let options = Options {
        names,
        listen: if args.listen.is_empty() { start::loopback().to_vec() } else { args.listen },
        https_port: args.https_port,
        himds_port: args.himds_port,
        imds: args.imds,
        machine: !args.no_machine,
        machine_name: None,
        callers: args.callers,
        databases: databases::Options::read(&args.postgres, Vec::new())?,
        database: args.database,
        blobs: args.blobs,
        ready_file: args.ready_file,
        development_storage: args.development_storage,
        announce: true,
    };
    let site = start::start(data, options).await?;
    if let Some(endpoint) = &site.ready().development_storage {
        warn_of(endpoint);
    }
    if !args.quiet {
        tell(site.ready(), args.output);
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    site.stop().await;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
fn warn_of(endpoint: &str) {
    eprintln!(
        "countersign: warning: {endpoint} takes the published development key over plain HTTP: for tests only"
    );
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
fn tell(ready: &Ready, output: Output) {
    if output == Output::Json {
        println!("{}", ready.to_json());
        return;
    }
    let rows = [
        ("token authority", ready.authority.clone()),
        ("resource manager", ready.resource_manager.clone()),
        ("vaults", format!("https://NAME.{}", ready.vault_suffix)),
        ("blobs", format!("https://NAME.{}", ready.blob_suffix)),
        ("databases", ready.postgres.clone().unwrap_or_else(|| "none".to_owned())),
        ("tenant", ready.tenant_id.clone()),
        ("subscription", ready.subscription_id.clone()),
        ("resource group", ready.resource_group.clone()),
        ("operator", ready.operator.client_id.clone()),
        ("operator's secret", ready.operator.client_secret_file.display().to_string()),
        ("certificate authority", ready.ca_file.display().to_string()),
        ("HIMDS", ready.himds.clone()),
        ("IMDS", ready.imds.clone()),
        ("machine", ready.machine.as_ref().map_or_else(|| "none".to_owned(), |m| m.name.clone())),
    ];
    for (what, value) in rows {
        println!("{what:<22} {value}");
    }
    let data = ready.ca_file.parent().map(|d| d.display().to_string()).unwrap_or_default();
    println!("\nPoint clients at it:   eval \"$(countersign env --data '{data}')\"");
    println!("Or run one inside:     countersign run --data '{data}' -- az login --identity");
}
