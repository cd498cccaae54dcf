//! Who listens on a port of this machine: from the kernel's tables and what `/proc` says of processes (A27).

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::failure::Failure;

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub name: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

/// The process that listens where a connection to this address would go. `None` when nobody does, or when it belongs to
/// another user and we are not root.
pub fn holder(address: SocketAddr) -> Option<Holder> {
    let inodes = listening(address);
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if links.is_empty() {
        return None;
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find_map(|pid| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let has = descriptors.flatten().any(|fd| {
            std::fs::read_link(fd.path())
                .is_ok_and(|to| links.iter().any(|link| to.as_os_str() == link.as_str()))
        });
        has.then(|| Holder { pid, name: name_of(pid) })
    })
}

/// Why nobody listens on an address; A27: who has the port is named where we may know it. `other` says how another address is
/// chosen.
pub fn taken(address: SocketAddr, other: &str, error: &std::io::Error) -> Failure {
    let failure = Failure::failed(format!("listening on {address}: {error}"));
    match error.kind() {
        ErrorKind::AddrInUse => match holder(address) {
            Some(holder) => failure.hint(format!(
                "{holder} has this port; unless you know it, it may be an impostor that collects challenges: end it"
            )),
            None => failure
                .hint("another process has this port; it may be an impostor: find it as root with `ss -ltnp`"),
        },
        ErrorKind::PermissionDenied => failure.hint(format!("ports below 1024 need root: {other}")),
        ErrorKind::AddrNotAvailable => failure.hint(format!(
            "the address has to be on an interface of this namespace, as after `ip addr add {}/32 dev lo`: add it, or {other}",
            address.ip()
        )),
        _ => failure,
    }
}

fn name_of(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    cs_telemetry::one_line(name.trim())
}

/// The inodes of sockets that listen on an address or on all addresses.
fn listening(address: SocketAddr) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let tables = [("/proc/net/tcp", false), ("/proc/net/tcp6", true)];
    let mut found = Vec::new();
    for (table, is_v6) in tables {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(&LISTEN), Some(inode)) = (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            let Some((ip, port)) = read_address(local, is_v6) else { continue };
            let meant = ip == address.ip() || ip.is_unspecified();
            if port == address.port() && meant {
                found.extend(inode.parse::<u64>().ok());
            }
        }
    }
    found
}

/// `0100007F:9D96`: words of 32 bits in the machine's byte order.
fn read_address(text: &str, is_v6: bool) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Option<Vec<[u8; 4]>> = (0..ip.len() / 8)
        .map(|i| Some(u32::from_str_radix(ip.get(i * 8..i * 8 + 8)?, 16).ok()?.to_ne_bytes()))
        .collect();
    let octets = words?.concat();
    if is_v6 {
        let octets: [u8; 16] = octets.try_into().ok()?;
        return Some((Ipv6Addr::from(octets).to_canonical(), port));
    }
    let octets: [u8; 4] = octets.try_into().ok()?;
    Some((Ipv4Addr::from(octets).into(), port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a27_the_holder_of_a_port_is_named() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut at = listener.local_addr().unwrap();
            if at.ip().is_unspecified() {
                at.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            assert_eq!(holder(at).map(|h| h.pid), Some(std::process::id()), "{address}");
            drop(listener);
            assert_eq!(holder(at), None, "{address}");
        }
    }
}
