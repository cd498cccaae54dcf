//! Blobs of 4 KiB and of 64 MiB: written beside a file written and synced, read beside the same stack serving a file.

use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode};

use crate::{
    floor,
    line::{Aim, Figure, Line},
    load::{Target, hammer},
    site::{Site, blob},
};

pub struct Blob {
    name: &'static str,
    about: &'static str,
    bytes: usize,
    put: bool,
    aim: Aim,
}

const TIME: Duration = Duration::from_secs(4);
const SMALL: usize = 4 << 10;
const LARGE: usize = 64 << 20;

pub const PUT_SMALL: Blob = Blob {
    name: "blob-4k-put",
    about: "4 KiB blobs put by 8 writers, beside files written and synced by 8 threads",
    bytes: SMALL,
    put: true,
    aim: Aim::None,
};
pub const GET_SMALL: Blob = Blob {
    name: "blob-4k-get",
    about: "4 KiB blobs got by 8 readers, beside the same stack serving a file",
    bytes: SMALL,
    put: false,
    aim: Aim::None,
};
pub const PUT_LARGE: Blob = Blob {
    name: "blob-64m-put",
    about: "64 MiB blobs put one after the other, beside a file written and synced",
    bytes: LARGE,
    put: true,
    aim: Aim::None,
};
pub const GET_LARGE: Blob = Blob {
    name: "blob-64m-get",
    about: "64 MiB blobs got one after the other, beside the same stack serving a file",
    bytes: LARGE,
    put: false,
    aim: Aim::RatioAtLeast(0.8),
};

impl Line for Blob {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn measure(&self) -> Result<Figure> {
        let content = Bytes::from(vec![0x5a; self.bytes]);
        let floor = if self.put { self.files(&content)? } else { self.served(&content)? };
        let site = Site::start()?;
        let bearer = site.make_account()?;
        let account = site.account()?;
        let ours = if self.put {
            self.puts(&account, &bearer, &content)?
        } else {
            crate::load::block_on(async {
                let request = put("/bench/b", &bearer);
                account.connect().await?.expect(request, content, StatusCode::CREATED).await
            })?;
            self.gets(&account, || blob(Method::GET, "/bench/b", &bearer))?
        };
        let (each, unit) = if self.bytes == LARGE { (64.0, "MiB/s") } else { (1.0, "/s") };
        Ok(Figure { ours: ours * each, floor: Some(floor * each), unit, aim: self.aim })
    }
}

impl Blob {
    fn workers(&self) -> usize {
        if self.bytes == LARGE { 1 } else { 8 }
    }

    fn puts(&self, account: &Target, bearer: &str, content: &Bytes) -> Result<f64> {
        let run = hammer(account, self.workers(), TIME, async |connection, worker, turn| {
            let request = put(&format!("/bench/w{worker}-{}", turn % 64), bearer);
            connection.expect(request, content.clone(), StatusCode::CREATED).await.map(drop)
        })?;
        Ok(run.per_second())
    }

    fn gets(&self, target: &Target, request: impl Fn() -> http::request::Builder) -> Result<f64> {
        let run = hammer(target, self.workers(), TIME, async |connection, _, _| {
            let length = connection.drain(request()).await?;
            ensure!(length == self.bytes as u64, "{length} bytes came");
            Ok(())
        })?;
        Ok(run.per_second())
    }

    fn served(&self, content: &[u8]) -> Result<f64> {
        let floor = floor::start(true, content)?;
        self.gets(&floor.target, || Request::get("/file"))
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
        Ok(f64::from(written) / started.elapsed().as_secs_f64())
    }
}

fn put(path: &str, bearer: &str) -> http::request::Builder {
    blob(Method::PUT, path, bearer).header("x-ms-blob-type", "BlockBlob")
}

fn write_files(folder: &Path, worker: usize, content: &[u8], started: Instant) -> Result<u32> {
    let mut count = 0;
    while started.elapsed() < TIME {
        let mut file = std::fs::File::create(folder.join(format!("{worker}-{}", count % 64)))?;
        file.write_all(content)?;
        file.sync_all()?;
        count += 1;
    }
    Ok(count)
}
