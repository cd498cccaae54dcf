//! Blobs of 4 KiB and of 64 MiB: written beside a file written and synced, read beside the same stack serving a file, and
//! both beside Azurite, the emulator people use today.

use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, request};

use crate::{
    azurite::Azurite,
    floor,
    line::{Aim, Figure, Line, Outcome, in_turns},
    load::{Target, block_on, hammer},
    site::{Site, blob},
};

pub struct Blob {
    name: &'static str,
    about: &'static str,
    bytes: usize,
    put: bool,
    beside: Beside,
    aim: Aim,
}

/// What is measured beside ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Files written and synced by as many threads; read: the same HTTP stack serving a file.
    Floor,
    Azurite,
}

const TURN: Duration = Duration::from_millis(1500);
const SMALL: usize = 4 << 10;
const LARGE: usize = 64 << 20;

pub static ALL: [Blob; 8] = [
    Blob {
        name: "blob-4k-put",
        about: "4 KiB blobs put by 8 writers, beside files written and synced by 8 threads",
        bytes: SMALL,
        put: true,
        beside: Beside::Floor,
        aim: Aim::None,
    },
    Blob {
        name: "blob-4k-get",
        about: "4 KiB blobs got by 8 readers, beside the same stack serving a file",
        bytes: SMALL,
        put: false,
        beside: Beside::Floor,
        aim: Aim::None,
    },
    Blob {
        name: "blob-64m-put",
        about: "64 MiB blobs put one after the other, beside a file written and synced",
        bytes: LARGE,
        put: true,
        beside: Beside::Floor,
        aim: Aim::None,
    },
    Blob {
        name: "blob-64m-get",
        about: "64 MiB blobs got one after the other, beside the same stack serving a file",
        bytes: LARGE,
        put: false,
        beside: Beside::Floor,
        aim: Aim::RatioAtLeast(0.8),
    },
    Blob {
        name: "azurite-4k-put",
        about: "4 KiB blobs put by 8 writers, beside Azurite (without TLS, not synced)",
        bytes: SMALL,
        put: true,
        beside: Beside::Azurite,
        aim: Aim::RatioAtLeast(1.0),
    },
    Blob {
        name: "azurite-4k-get",
        about: "4 KiB blobs got by 8 readers, beside Azurite (without TLS)",
        bytes: SMALL,
        put: false,
        beside: Beside::Azurite,
        aim: Aim::RatioAtLeast(1.0),
    },
    Blob {
        name: "azurite-64m-put",
        about: "64 MiB blobs put one after the other, beside Azurite (without TLS, not synced)",
        bytes: LARGE,
        put: true,
        beside: Beside::Azurite,
        aim: Aim::RatioAtLeast(1.0),
    },
    Blob {
        name: "azurite-64m-get",
        about: "64 MiB blobs got one after the other, beside Azurite (without TLS)",
        bytes: LARGE,
        put: false,
        beside: Beside::Azurite,
        aim: Aim::RatioAtLeast(1.0),
    },
];

impl Line for Blob {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn measure(&self) -> Result<Outcome> {
        let content = Bytes::from(vec![0x5a; self.bytes]);
        let azurite = match self.beside {
            Beside::Floor => None,
            Beside::Azurite => match Azurite::start()? {
                Ok(azurite) => Some(azurite),
                Err(absent) => return Ok(Outcome::Absent(absent)),
            },
        };
        let site = Site::start()?;
        let (bearer, account) = (site.make_account()?, site.account()?);
        let ours = |method, name: &str| blob(method, &format!("/bench/{name}"), &bearer);
        let floor: Box<dyn Fn() -> Result<f64>> = match azurite {
            Some(azurite) => self.of_azurite(azurite, content.clone())?,
            None if self.put => Box::new(|| self.files(&content)),
            None => {
                let floor = floor::start(true, &content)?;
                // All of it goes with the closure, not the address alone: the process ends with its owner.
                Box::new(move || {
                    let floor = &floor;
                    self.gets(&floor.target, || Request::get("/file"))
                })
            }
        };
        let rounds = if self.put {
            in_turns(floor, || self.puts(&account, &content, ours))?
        } else {
            put_one(&account, put(ours(Method::PUT, "b")), &content)?;
            in_turns(floor, || self.gets(&account, || ours(Method::GET, "b")))?
        };
        let unit = if self.bytes == LARGE { "MiB/s" } else { "/s" };
        Ok(Outcome::Measured(Figure::beside(&rounds, unit, self.aim)))
    }
}

impl Blob {
    fn workers(&self) -> usize {
        if self.bytes == LARGE { 1 } else { 8 }
    }

    /// What one operation counts for in the line's unit.
    fn each(&self) -> f64 {
        if self.bytes == LARGE { 64.0 } else { 1.0 }
    }

    fn puts(
        &self,
        target: &Target,
        content: &Bytes,
        request: impl Fn(Method, &str) -> request::Builder,
    ) -> Result<f64> {
        let run = hammer(target, self.workers(), TURN, async |connection, worker, turn| {
            let request = put(request(Method::PUT, &format!("w{worker}-{}", turn % 64)));
            connection.expect(request, content.clone(), StatusCode::CREATED).await.map(drop)
        })?;
        Ok(run.per_second() * self.each())
    }

    fn gets(&self, target: &Target, request: impl Fn() -> request::Builder) -> Result<f64> {
        let run = hammer(target, self.workers(), TURN, async |connection, _, _| {
            let length = connection.drain(request()).await?;
            ensure!(length == self.bytes as u64, "{length} bytes came");
            Ok(())
        })?;
        Ok(run.per_second() * self.each())
    }

    fn of_azurite<'b>(
        &'b self,
        azurite: Azurite,
        content: Bytes,
    ) -> Result<Box<dyn Fn() -> Result<f64> + 'b>> {
        if self.put {
            return Ok(Box::new(move || {
                let azurite = &azurite;
                self.puts(&azurite.target, &content, |method, name| azurite.request(method, name))
            }));
        }
        put_one(&azurite.target, put(azurite.request(Method::PUT, "b")), &content)?;
        Ok(Box::new(move || {
            let azurite = &azurite;
            self.gets(&azurite.target, || azurite.request(Method::GET, "b"))
        }))
    }

    /// Files a second, each created, written and synced.
    fn files(&self, content: &[u8]) -> Result<f64> {
        let folder = tempfile::tempdir()?;
        let started = Instant::now();
        let written = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers())
                .map(|worker| {
                    let folder = folder.path();
                    scope.spawn(move || write_files(folder, worker, content, started))
                })
                .collect();
            workers
                .into_iter()
                .map(|w| w.join().unwrap_or_else(|_| anyhow::bail!("a writer panicked")))
                .sum::<Result<u32>>()
        })?;
        Ok(f64::from(written) / started.elapsed().as_secs_f64() * self.each())
    }
}

fn put(request: request::Builder) -> request::Builder {
    request.header("x-ms-blob-type", "BlockBlob")
}

fn put_one(target: &Target, request: request::Builder, content: &Bytes) -> Result<()> {
    block_on(async {
        target.connect().await?.expect(request, content.clone(), StatusCode::CREATED).await.map(drop)
    })
}

fn write_files(folder: &Path, worker: usize, content: &[u8], started: Instant) -> Result<u32> {
    let mut count = 0;
    while started.elapsed() < TURN {
        let mut file = std::fs::File::create(folder.join(format!("{worker}-{}", count % 64)))?;
        file.write_all(content)?;
        file.sync_all()?;
        count += 1;
    }
    Ok(count)
}
