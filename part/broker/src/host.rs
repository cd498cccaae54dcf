//! What this host says of itself.

use std::net::Ipv4Addr;

use crate::Interface;

/// This host's name with what no machine name has taken out.
pub fn name() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|h| h.into_string().ok()).unwrap_or_default();
    let fit: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(54).collect();
    if fit.is_empty() { "machine".to_owned() } else { fit }
}

/// Name and version of the system, for people: what `os-release` says, and the kernel.
pub fn operating_system() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|l| l.strip_prefix("PRETTY_NAME="))
        .unwrap_or("Linux")
        .trim_matches('"')
        .to_owned();
    let version = nix::sys::utsname::uname().ok().and_then(|u| u.release().to_str().map(str::to_owned));
    (name, version.unwrap_or_default())
}

/// The interfaces but loopback.
pub fn interfaces() -> Vec<Interface> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let mut found: Vec<(String, Interface)> = Vec::new();
    for entry in all.filter(|e| !e.flags.contains(nix::net::if_::InterfaceFlags::IFF_LOOPBACK)) {
        let at = found.iter().position(|(n, _)| *n == entry.interface_name).unwrap_or_else(|| {
            found.push((entry.interface_name.clone(), Interface::default()));
            found.len() - 1
        });
        let Some(address) = entry.address else { continue };
        let interface = &mut found[at].1;
        if let Some(v4) = address.as_sockaddr_in() {
            interface.ipv4.push(v4.ip().to_string());
            let subnet = entry.netmask.and_then(|m| m.as_sockaddr_in().map(|m| subnet(v4.ip(), m.ip())));
            interface.subnets.extend(subnet.filter(|s| !interface.subnets.contains(s)));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            interface.ipv6.push(v6.ip().to_string());
        } else if let Some(mac) = address.as_link_addr().and_then(nix::sys::socket::LinkAddr::addr) {
            interface.mac = mac.iter().map(|b| format!("{b:02X}")).collect();
        }
    }
    found.into_iter().map(|(_, interface)| interface).collect()
}

fn subnet(address: Ipv4Addr, mask: Ipv4Addr) -> (String, u32) {
    (Ipv4Addr::from(u32::from(address) & u32::from(mask)).to_string(), u32::from(mask).count_ones())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_are_their_network_and_its_bits() {
        let of = |address: [u8; 4], mask: [u8; 4]| subnet(address.into(), mask.into());
        assert_eq!(of([10, 1, 2, 3], [255, 255, 240, 0]), ("10.1.0.0".to_owned(), 20));
        assert_eq!(of([10, 1, 2, 3], [255; 4]), ("10.1.2.3".to_owned(), 32));
    }

    #[test]
    fn every_host_has_a_name_and_a_system() {
        let (name, version) = operating_system();
        assert!(!super::name().is_empty() && !name.is_empty() && !version.is_empty());
    }
}
