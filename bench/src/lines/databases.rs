//! The database gateway, beside PostgreSQL without it and beside pgbouncer.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    line::{Aim, Figure, Line, Outcome},
    pgbouncer::Pgbouncer,
    postgres::{Postgres, ROLE},
    site::Site,
};

/// `pgbench -S` with 32 clients, beside direct TLS.
pub struct Select;
/// The same beside pgbouncer in session mode, which also ends TLS and goes on by the socket.
pub struct Pooler;
/// What a query takes longer, in the median, with one client.
pub struct Latency;
/// Logins a second beside direct TLS with SCRAM.
pub struct Logins;
/// A large `COPY` beside direct TLS.
pub struct Copy;

pub(super) const AUDIENCE: &str = "https://ossrdbms-aad.database.windows.net/.default";
const SERVER: &str = "bench";
const SECONDS: &str = "5";
/// Rounds of each side in turn: the machine's mood changes within seconds.
const ROUNDS: usize = 3;
/// A `COPY` of this many rows of 1,023 bytes and a line's end: one GiB.
const ROWS: u64 = 1 << 20;

/// A PostgreSQL, and the gateway of a site before it.
struct Ground {
    postgres: Postgres,
    site: Site,
    token: String,
}

impl Ground {
    fn start() -> Result<Self> {
        let postgres = Postgres::start()?;
        let socket = format!("{SERVER}={}:{}", postgres.folder().display(), postgres.port);
        let site = Site::start_with(&["--postgres", "127.0.0.1:0", "--postgres-socket", &socket])?;
        site.make_database(SERVER, ROLE)?;
        let bearer = site.bearer(AUDIENCE)?;
        let token = bearer.trim_start_matches("Bearer ").to_owned();
        Ok(Self { postgres, site, token })
    }

    /// Through the gateway.
    fn ours(&self, program: &str) -> Result<Command> {
        let address = self.site.text("/postgres")?;
        let (host, port) = address.rsplit_once(':').context("the gateway's address has no port")?;
        let mut command = self.postgres.program(program);
        command.env("PGHOST", format!("{SERVER}.{}", self.site.text("/postgres_suffix")?));
        command
            .env("PGHOSTADDR", host)
            .env("PGPORT", port)
            .env("PGUSER", ROLE)
            .env("PGPASSWORD", &self.token);
        command.env("PGDATABASE", "postgres").env("PGSSLMODE", "verify-full");
        command.env("PGSSLROOTCERT", self.site.text("/ca_file")?);
        Ok(command)
    }

    /// Some rounds of each, in turn: floor and ours.
    fn rounds(
        &self,
        mut ours: impl FnMut() -> Result<f64>,
        mut floor: impl FnMut() -> Result<f64>,
    ) -> Result<Vec<(f64, f64)>> {
        (0..ROUNDS).map(|_| Ok((floor()?, ours()?))).collect()
    }
}

impl Line for Select {
    fn name(&self) -> &'static str {
        "pg-select"
    }

    fn about(&self) -> &'static str {
        "pgbench -S of 32 clients through the gateway, beside direct TLS"
    }

    fn measure(&self) -> Result<Outcome> {
        let ground = Ground::start()?;
        let run = |command: Command| select(command, 32);
        let rounds =
            ground.rounds(|| run(ground.ours("pgbench")?), || run(ground.postgres.direct("pgbench")))?;
        Ok(Outcome::Measured(Figure::beside(&rounds, "tps", Aim::RatioAtLeast(0.9))))
    }
}

impl Line for Pooler {
    fn name(&self) -> &'static str {
        "pg-pooler"
    }

    fn about(&self) -> &'static str {
        "the same beside pgbouncer in session mode with TLS"
    }

    fn measure(&self) -> Result<Outcome> {
        let ground = Ground::start()?;
        let pooler = Pgbouncer::start(&ground.postgres)?;
        let run = |command: Command| select(command, 32);
        let rounds = ground.rounds(
            || run(ground.ours("pgbench")?),
            || run(pooler.command(ground.postgres.program("pgbench"))),
        )?;
        Ok(Outcome::Measured(Figure::beside(&rounds, "tps", Aim::RatioAtLeast(1.0))))
    }
}

impl Line for Latency {
    fn name(&self) -> &'static str {
        "pg-latency"
    }

    fn about(&self) -> &'static str {
        "what the gateway adds to a query's median time, one client"
    }

    fn measure(&self) -> Result<Outcome> {
        let ground = Ground::start()?;
        let mut added = Vec::new();
        for _ in 0..ROUNDS {
            let floor = median(ground.postgres.direct("pgbench"))?;
            added.push(median(ground.ours("pgbench")?)? - floor);
        }
        added.sort_by(f64::total_cmp);
        let middle = added.get(added.len() / 2).copied().unwrap_or_default();
        Ok(Outcome::Measured(Figure::alone(middle.max(0.0), "us", Aim::AtMost(40.0))))
    }
}

impl Line for Logins {
    fn name(&self) -> &'static str {
        "pg-logins"
    }

    fn about(&self) -> &'static str {
        "logins by token, a second, beside direct TLS with SCRAM"
    }

    fn measure(&self) -> Result<Outcome> {
        let ground = Ground::start()?;
        let run = |mut command: Command| {
            command.args(["-n", "-S", "-C", "-c", "4", "-j", "2", "-T", SECONDS]);
            rate(command)
        };
        let rounds =
            ground.rounds(|| run(ground.ours("pgbench")?), || run(ground.postgres.direct("pgbench")))?;
        Ok(Outcome::Measured(Figure::beside(&rounds, "/s", Aim::RatioAtLeast(0.9))))
    }
}

impl Line for Copy {
    fn name(&self) -> &'static str {
        "pg-copy"
    }

    fn about(&self) -> &'static str {
        "COPY of one GiB to the client, beside direct TLS"
    }

    fn measure(&self) -> Result<Outcome> {
        let ground = Ground::start()?;
        let rounds = ground.rounds(|| copy(ground.ours("psql")?), || copy(ground.postgres.direct("psql")))?;
        Ok(Outcome::Measured(Figure::beside(&rounds, "MiB/s", Aim::RatioAtLeast(0.85))))
    }
}

fn select(mut command: Command, clients: u32) -> Result<f64> {
    command.args(["-n", "-S", "-j", "2", "-T", SECONDS, "-c", &clients.to_string()]);
    rate(command)
}

/// What pgbench says of itself.
fn rate(mut command: Command) -> Result<f64> {
    let output = command.stderr(Stdio::piped()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let told = told.with_context(|| format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(told.split(' ').next().unwrap_or_default().parse()?)
}

/// The median time of a query, from pgbench's log of each.
fn median(mut command: Command) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    command.current_dir(folder.path()).args(["-n", "-S", "-M", "prepared", "-c", "1", "-T", "3", "-l"]);
    rate(command)?;
    let mut times = Vec::new();
    for file in std::fs::read_dir(folder.path())? {
        let text = std::fs::read_to_string(file?.path())?;
        // client, transaction, time in microseconds, …
        times.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()));
    }
    times.sort_unstable();
    let middle = times.get(times.len() / 2).context("pgbench logged no query")?;
    Ok(f64::from(*middle))
}

fn copy(mut command: Command) -> Result<f64> {
    let sql = format!("COPY (SELECT repeat('x', 1023) FROM generate_series(1, {ROWS})) TO STDOUT");
    let started = Instant::now();
    let done = command.args(["-X", "-q", "-c", &sql]).stdout(Stdio::null()).status()?;
    anyhow::ensure!(done.success(), "psql ended with {done}");
    let taken: Duration = started.elapsed();
    Ok(ROWS as f64 / 1024.0 / taken.as_secs_f64())
}
