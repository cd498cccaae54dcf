//! A whole command of az CLI: how much of the time a person waits is ours.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    line::{Aim, Figure, Line, Outcome, in_turns},
    process::built,
    site::{Site, text},
};

/// The site's processor time while az runs, beside the time az takes altogether.
pub struct GroupShow;

/// Where `cargo xtask bench` has installed az.
const PLACE: &str = "COUNTERSIGN_BENCH_AZ";
/// Names of the site resolve by a hosts file of the command's own; the network is everybody's.
const INSIDE: &str = r#"mount --bind "$BENCH_HOSTS" /etc/hosts && eval "$("$BENCH_COUNTERSIGN" env --data "$BENCH_DATA")" && exec "$@""#;

impl Line for GroupShow {
    fn name(&self) -> &'static str {
        "az-group-show"
    }

    fn about(&self) -> &'static str {
        "the site's processor time during a whole `az group show`, beside the time it takes"
    }

    fn measure(&self) -> Result<Outcome> {
        let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else {
            return Ok(Outcome::Absent("az CLI is not installed: it needs Python".to_owned()));
        };
        let site = Site::start()?;
        let az = Az { program: place.join("bin/az"), site: &site };
        let secret = std::fs::read_to_string(site.text("/operator/client_secret_file")?)?;
        let (app, tenant) = (site.text("/operator/client_id")?, site.text("/tenant_id")?);
        az.run(&["login", "--service-principal", "-u", app, "-p", secret.trim(), "--tenant", tenant])?;
        let group = text(&site.ready, "/resource_group")?;
        let mut whole = Vec::new();
        let mut ours = Vec::new();
        in_turns(
            || {
                let (from, before) = (Instant::now(), site.process.processor_time()?);
                az.run(&["group", "show", "-n", group])?;
                whole.push(from.elapsed().as_secs_f64() * 1000.0);
                ours.push((site.process.processor_time()? - before).as_secs_f64() * 1000.0);
                Ok(0.0)
            },
            || Ok(0.0),
        )?;
        // Both are of the same run: the first, which warms caches, is not counted.
        let rounds: Vec<_> = whole.into_iter().zip(ours).skip(1).collect();
        Ok(Outcome::Measured(Figure::beside(&rounds, "ms", Aim::RatioAtMost(0.05))))
    }
}

struct Az<'s> {
    program: PathBuf,
    site: &'s Site,
}

impl Az<'_> {
    fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", INSIDE, "sh"]).arg(&self.program).args(arguments);
        command.env("BENCH_HOSTS", self.site.text("/hosts_file")?);
        command.env("BENCH_COUNTERSIGN", built("countersign")?).env("BENCH_DATA", self.site.data());
        command.env("AZURE_CORE_COLLECT_TELEMETRY", "0").stdin(Stdio::null());
        let done = command.output().context("starting unshare")?;
        if !done.status.success() {
            let name = Path::new(&self.program).display();
            bail!("{name} {}: {}", arguments.first().unwrap_or(&""), String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }
}
