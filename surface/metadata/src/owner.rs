//! Who is at the other end of a loopback connection: the kernel's table of sockets says which user owns it.

use std::net::{IpAddr, SocketAddr};

/// The user id that owns the socket at this end, where the kernel tells. Reads `/proc`, so it is asked only where the
/// answer matters.
pub(crate) fn of(peer: Option<SocketAddr>) -> Option<u32> {
    let peer = peer?;
    let table = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let wanted = format!("{}:{:04X}", in_table(peer.ip()), peer.port());
    let text = std::fs::read_to_string(table).ok()?;
    text.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        (fields.nth(1)? == wanted).then(|| fields.nth(5)?.parse().ok())?
    })
}

/// Addresses stand in the table as 32-bit words in the machine's byte order.
fn in_table(ip: IpAddr) -> String {
    let words = |octets: &[u8]| -> String {
        octets.chunks(4).map(|w| format!("{:08X}", u32::from_ne_bytes([w[0], w[1], w[2], w[3]]))).collect()
    };
    match ip {
        IpAddr::V4(ip) => words(&ip.octets()),
        IpAddr::V6(ip) => words(&ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_our_own_sockets() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let owner = of(Some(client.local_addr().unwrap()));
        assert_eq!(owner, Some(nix::unistd::getuid().as_raw()));
    }
}
