//! A stand-in for S3: moto's server on loopback, with one empty bucket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::exec::Log;
use crate::ground::Ground;
use crate::service::{Service, free_port, local};
use crate::tools::Clients;

/// The bucket that tests may fill.
const BUCKET: &str = "countersign-test";

pub struct S3 {
    _server: Service,
    port: u16,
}

impl S3 {
    pub fn start(ground: &Ground, log: &mut Log) -> Result<Self> {
        let clients = Clients::S3.install(ground, log)?;
        let port = free_port()?;
        let mut moto = Command::new(clients.join("bin/moto_server"));
        moto.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let started = Self { _server: Service::start(&mut moto, port, "-TERM", log)?, port };
        started.make_bucket()?;
        Ok(started)
    }

    /// What the store's suite reads, and the usual variables that S3 clients read beside it.
    pub fn environment(&self) -> [(&'static str, String); 6] {
        [
            ("COUNTERSIGN_TEST_S3", format!("http://127.0.0.1:{}", self.port)),
            ("COUNTERSIGN_TEST_S3_BUCKET", BUCKET.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// The bucket, as `--blobs` names it.
    pub fn address(&self) -> String {
        format!("s3://{BUCKET}")
    }

    /// Where it is, for a site.
    pub fn endpoint(&self) -> [(&'static str, String); 2] {
        [("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)), ("AWS_ALLOW_HTTP", "true".to_owned())]
    }

    /// `PUT /bucket`, by hand: moto asks for no signature and this tool carries no HTTP client.
    fn make_bucket(&self) -> Result<()> {
        let mut stream = TcpStream::connect(local(self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let host = format!("127.0.0.1:{}", self.port);
        write!(
            stream,
            "PUT /{BUCKET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "moto made no bucket: {answer}");
        Ok(())
    }
}
