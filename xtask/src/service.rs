//! A server that a step starts for itself on loopback and ends, by its process id, when the step is over.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::exec::Log;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Service {
    child: Child,
    /// How this kind of server likes to be told to stop.
    signal: &'static str,
}

impl Service {
    /// Starts `command` and waits until it accepts connections on `port`.
    pub fn start(command: &mut Command, port: u16, signal: &'static str, log: &Log) -> Result<Self> {
        let mut service = Self { child: log.spawn(command)?, signal };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&local(port), Duration::from_secs(1)).is_err() {
            if let Some(status) = service.child.try_wait()? {
                bail!("{} ended with {status} before it answered", command.get_program().to_string_lossy());
            }
            if Instant::now() > until {
                bail!("{} does not answer on port {port}", command.get_program().to_string_lossy());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args([self.signal, &pid]).status();
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port nobody listens on now. Another program may take it before we do; then the step fails and says so.
pub fn free_port() -> Result<u16> {
    let probe = TcpListener::bind(local(0)).context("looking for a free port")?;
    Ok(probe.local_addr()?.port())
}
