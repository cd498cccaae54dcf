//! Azurite as a peer: Microsoft's emulator of blob storage, from npm, on a port and folder of its own.
//!
//! It is asked without TLS, and with a shared access signature: its own way to let somebody in, at its cheapest.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, StatusCode, request};

use crate::{
    load::{Target, block_on},
    process::Process,
};

/// Where `cargo xtask bench` has installed it.
const PLACE: &str = "COUNTERSIGN_BENCH_AZURITE";
/// The account every emulator has; its key is printed in the emulator's documentation.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const VERSION: &str = "2019-12-12";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

pub struct Azurite {
    pub target: Target,
    signature: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// Starts it and makes the container `bench`; the inner error says why there is none to start.
    pub fn start() -> Result<Result<Self, String>> {
        let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else {
            return Ok(Err("Azurite is not installed: it needs Node.js and npm".to_owned()));
        };
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new("node");
        command.arg(place.join("node_modules/azurite/dist/src/blob/main.js"));
        command.args(["--silent", "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort"]);
        command.arg(port.to_string()).arg("--location").arg(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::new(command.spawn().context("starting node")?);
        let host = format!("127.0.0.1:{port}");
        let target = Target { address: host.parse()?, host, tls: None };
        let azurite = Self { target, signature: signature()?, _process: process, _folder: folder };
        azurite.make_container()?;
        Ok(Ok(azurite))
    }

    /// A request to a blob of the container.
    pub fn request(&self, method: Method, blob: &str) -> request::Builder {
        request::Request::builder()
            .method(method)
            .uri(format!("/{ACCOUNT}/bench/{blob}?{}", self.signature))
            .header("x-ms-version", VERSION)
    }

    /// Asks until it is there.
    fn make_container(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let request =
                request::Request::put(format!("/{ACCOUNT}/bench?restype=container&{}", self.signature))
                    .header("x-ms-version", VERSION);
            let made = block_on(async {
                self.target.connect().await?.expect(request, "", StatusCode::CREATED).await.map(drop)
            });
            match made {
                Ok(()) => return Ok(()),
                Err(error) if started.elapsed() > STARTS_WITHIN => {
                    bail!("Azurite did not make a container: {error:#}")
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// An account's shared access signature: read, write, delete, list, add and create, for as long as anybody measures.
fn signature() -> Result<String> {
    const EXPIRY: &str = "2099-01-01T00:00:00Z";
    let signed = format!("{ACCOUNT}\nrwdlac\nb\nsco\n\n{EXPIRY}\n\n\n{VERSION}\n");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(KEY)?);
    let tag = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    let escaped = tag.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    Ok(format!("sv={VERSION}&ss=b&srt=sco&sp=rwdlac&se={}&sig={escaped}", EXPIRY.replace(':', "%3A")))
}
