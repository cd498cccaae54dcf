//! The machine's metadata service beside hello-world on the same HTTP stack.
//!
//! Both sides are counted in operations a second of *server* processor time: on a small machine the client would
//! otherwise be most of what is measured, and flatter us.

use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, StatusCode, header, request};

use crate::{
    floor::{self, Floor},
    line::{Aim, Figure, Line},
    load::{Connection, Target, hammer},
    process::Process,
    site::Site,
};

/// Two requests, as every client makes them: the challenge, then the token with the file's content.
pub struct Challenge;
pub struct Instance;

const CONNECTIONS: usize = 8;
const TIME: Duration = Duration::from_secs(3);
const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2019-11-01&resource=https%3A%2F%2Fmanagement.azure.com";
const INSTANCE: &str = "/metadata/instance?api-version=2020-06-01";
pub(super) const UNIT: &str = "/cpu-s";

impl Line for Challenge {
    fn name(&self) -> &'static str {
        "himds-token"
    }

    fn about(&self) -> &'static str {
        "HIMDS challenge and cached token (two requests), beside one hello-world"
    }

    fn measure(&self) -> Result<Figure> {
        let floor = hello(false)?;
        let site = Site::start()?;
        let ours = rate(&site.process, &site.himds()?, async |c, _, _| challenge(c).await)?;
        Ok(Figure { ours, floor: Some(floor), unit: UNIT, aim: Aim::RatioAtLeast(0.25) })
    }
}

impl Line for Instance {
    fn name(&self) -> &'static str {
        "instance"
    }

    fn about(&self) -> &'static str {
        "metadata instance document, beside hello-world"
    }

    fn measure(&self) -> Result<Figure> {
        let floor = hello(false)?;
        let site = Site::start()?;
        let ours = rate(&site.process, &site.himds()?, async |c, _, _| {
            c.expect(metadata(INSTANCE), "", StatusCode::OK).await.map(drop)
        })?;
        Ok(Figure { ours, floor: Some(floor), unit: UNIT, aim: Aim::RatioAtLeast(0.8) })
    }
}

fn metadata(path: &str) -> request::Builder {
    Request::get(path).header("Metadata", "true")
}

async fn challenge(connection: &mut Connection) -> Result<()> {
    let (parts, _) = connection.send(metadata(TOKEN), "").await?;
    let challenge = parts.headers.get(header::WWW_AUTHENTICATE).context("no challenge came")?.to_str()?;
    let file = challenge.strip_prefix("Basic realm=").context("the challenge names no file")?;
    let key = std::fs::read_to_string(file).context("reading the challenge")?;
    let request = metadata(TOKEN).header(header::AUTHORIZATION, format!("Basic {key}"));
    connection.expect(request, "", StatusCode::OK).await.map(drop)
}

/// Hello-worlds a second of server processor time.
pub(super) fn hello(tls: bool) -> Result<f64> {
    let Floor { process, target, .. } = &floor::start(tls, b"")?;
    rate(process, target, async |c, _, _| c.expect(Request::get("/"), "", StatusCode::OK).await.map(drop))
}

/// Operations a second of server processor time.
pub(super) fn rate(
    server: &Process,
    target: &Target,
    work: impl AsyncFn(&mut Connection, usize, u64) -> Result<()>,
) -> Result<f64> {
    let before = server.processor_time()?;
    let run = hammer(target, CONNECTIONS, TIME, work)?;
    let spent = server.processor_time()? - before;
    Ok(run.operations as f64 / spent.as_secs_f64())
}
