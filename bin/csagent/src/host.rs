//! What this host says of itself.

use cs_broker::Interface;

/// This host's name with what no machine name has taken out.
pub fn name() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|h| h.into_string().ok()).unwrap_or_default();
    let fit: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(54).collect();
    if fit.is_empty() { "machine".to_owned() } else { fit }
}

/// Name and version of the system: what `os-release` says, and the kernel.
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
        } else if let Some(v6) = address.as_sockaddr_in6() {
            interface.ipv6.push(v6.ip().to_string());
        } else if let Some(mac) = address.as_link_addr().and_then(nix::sys::socket::LinkAddr::addr) {
            interface.mac = mac.iter().map(|b| format!("{b:02X}")).collect();
        }
    }
    found.into_iter().map(|(_, interface)| interface).collect()
}

/// Manufacturer and model, as the firmware says.
pub fn hardware() -> (String, String) {
    (firmware("sys_vendor"), firmware("product_name"))
}

/// Only root may read it.
pub fn hardware_uuid() -> String {
    firmware("product_uuid")
}

fn firmware(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    cs_telemetry::one_line(text.trim())
}
