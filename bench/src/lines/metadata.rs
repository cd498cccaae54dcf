//! The machine's metadata service beside hello-world on the same HTTP stack.
//!
//! Both sides are counted in operations a second of *server* processor time: on a small machine the client would
//! otherwise be most of what is measured, and flatter us.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use http::{Request, StatusCode, header, request};

use crate::{
    floor,
    line::{Aim, Figure, Line, Outcome, in_turns},
    load::{Connection, Target, hammer},
    process::Process,
    site::Site,
};

/// Two requests, as every client makes them: the challenge, then the token with the file's content.
pub struct Challenge {
    name: &'static str,
    about: &'static str,
    connections: usize,
    aim: Aim,
    kept: Kept,
}

/// Where challenges are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// As in a packaged agent.
    InMemory,
    /// As where nobody has mounted anything.
    OnDisk,
}

pub static CHALLENGES: [Challenge; 5] = [
    Challenge::at(
        "himds-token",
        "HIMDS challenge and cached token (two requests), beside one hello-world",
        8,
        0.25,
    ),
    Challenge::at("himds-token-1", "the same over one connection", 1, 0.25),
    Challenge::at("himds-token-64", "the same over 64 connections", 64, 0.3),
    Challenge::at("himds-token-512", "the same over 512 connections", 512, 0.3),
    Challenge {
        name: "himds-token-disk",
        about: "the same over 8 connections with challenges on this disk, not in memory",
        connections: 8,
        aim: Aim::None,
        kept: Kept::OnDisk,
    },
];

/// How long the slowest hundredth waits for both requests when 512 ask at once.
pub struct Slowest;
pub struct Instance;

const CROWD: usize = 512;
const SLOWEST_MILLISECONDS: f64 = 20.0;
const CONNECTIONS: usize = 8;
const TURN: Duration = Duration::from_millis(700);
const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2019-11-01&resource=https%3A%2F%2Fmanagement.azure.com";
const INSTANCE: &str = "/metadata/instance?api-version=2020-06-01";
const UNIT: &str = "/cpu-s";

impl Challenge {
    const fn at(name: &'static str, about: &'static str, connections: usize, aim: f64) -> Self {
        Self { name, about, connections, aim: Aim::RatioAtLeast(aim), kept: Kept::InMemory }
    }
}

impl Kept {
    /// A site, and where its challenges are read.
    fn site(self) -> Result<(Site, PathBuf)> {
        if self == Self::InMemory {
            return Site::with_challenges_in_memory();
        }
        let site = Site::start()?;
        let challenges = site.challenges()?;
        Ok((site, challenges))
    }
}

impl Line for Challenge {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn measure(&self) -> Result<Outcome> {
        let (site, challenges) = self.kept.site()?;
        let himds = site.himds()?;
        beside_hello(false, self.connections, self.aim, || {
            rate(&site.process, &himds, self.connections, async |c, _, _| challenge(c, &challenges).await)
        })
    }
}

impl Line for Slowest {
    fn name(&self) -> &'static str {
        "himds-p99-512"
    }

    fn about(&self) -> &'static str {
        "99 of 100 challenges and tokens over 512 connections end within"
    }

    fn measure(&self) -> Result<Outcome> {
        let (site, challenges) = Kept::InMemory.site()?;
        let himds = site.himds()?;
        let took = Mutex::new(Vec::new());
        hammer(&himds, CROWD, TURN, async |c, _, _| {
            let from = Instant::now();
            challenge(c, &challenges).await?;
            took.lock().unwrap_or_else(PoisonError::into_inner).push(from.elapsed().as_secs_f64() * 1000.0);
            Ok(())
        })?;
        let mut took = took.into_inner().unwrap_or_else(PoisonError::into_inner);
        took.sort_by(f64::total_cmp);
        let p99 = took.get(took.len() * 99 / 100).copied().context("nobody got a token")?;
        Ok(Outcome::Measured(Figure::alone(p99, "ms", Aim::AtMost(SLOWEST_MILLISECONDS))))
    }
}

impl Line for Instance {
    fn name(&self) -> &'static str {
        "instance"
    }

    fn about(&self) -> &'static str {
        "metadata instance document, beside hello-world"
    }

    fn measure(&self) -> Result<Outcome> {
        let site = Site::start()?;
        let himds = site.himds()?;
        beside_hello(false, CONNECTIONS, Aim::RatioAtLeast(0.8), || {
            rate(&site.process, &himds, CONNECTIONS, async |c, _, _| {
                c.expect(metadata(INSTANCE), "", StatusCode::OK).await.map(drop)
            })
        })
    }
}

fn metadata(path: &str) -> request::Builder {
    Request::get(path).header("Metadata", "true")
}

async fn challenge(connection: &mut Connection, challenges: &Path) -> Result<()> {
    let (parts, _) = connection.send(metadata(TOKEN), "").await?;
    let challenge = parts.headers.get(header::WWW_AUTHENTICATE).context("no challenge came")?.to_str()?;
    let file = challenge.strip_prefix("Basic realm=").context("the challenge names no file")?;
    let name = Path::new(file).file_name().context("the challenge names no file")?;
    let key = std::fs::read_to_string(challenges.join(name)).context("reading the challenge")?;
    let request = metadata(TOKEN).header(header::AUTHORIZATION, format!("Basic {key}"));
    connection.expect(request, "", StatusCode::OK).await.map(drop)
}

/// Ours and hello-world in turns, in operations a second of server processor time.
pub(super) fn beside_hello(
    tls: bool,
    connections: usize,
    aim: Aim,
    ours: impl FnMut() -> Result<f64>,
) -> Result<Outcome> {
    let floor = floor::start(tls, b"")?;
    let hello = || {
        rate(&floor.process, &floor.target, connections, async |c, _, _| {
            c.expect(Request::get("/"), "", StatusCode::OK).await.map(drop)
        })
    };
    Ok(Outcome::Measured(Figure::beside(&in_turns(hello, ours)?, UNIT, aim)))
}

/// Operations a second of server processor time.
pub(super) fn rate(
    server: &Process,
    target: &Target,
    connections: usize,
    work: impl AsyncFn(&mut Connection, usize, u64) -> Result<()>,
) -> Result<f64> {
    let before = server.processor_time()?;
    let run = hammer(target, connections, TURN, work)?;
    let spent = server.processor_time()? - before;
    Ok(run.operations as f64 / spent.as_secs_f64())
}
