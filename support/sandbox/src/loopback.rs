//! The loopback interface of a new network namespace: up, and with the metadata address.
//!
//! Two messages to the kernel by rtnetlink(7), written out here, so that no program `ip` is needed.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// Where clouds, and so Azure's clients, have the instance metadata service (RFC 3927 link-local).
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// In a new network namespace the loopback interface is the first.
const LOOPBACK_INDEX: u32 = 1;

// linux/rtnetlink.h and linux/netlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
// linux/if.h, linux/if_addr.h
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const AF_INET: u8 = 2;
const SCOPE_UNIVERSE: u8 = 0;
const HEADER_BYTES: usize = 16;

/// Turns the interface on, which also gives it 127.0.0.1 and ::1, and adds [`METADATA_ADDRESS`].
pub fn furnish() -> io::Result<()> {
    let kernel =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    ask(&kernel, RTM_NEWLINK, 0, &interface_up())?;
    ask(&kernel, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address(METADATA_ADDRESS))
}

/// `struct ifinfomsg`: family, padding, type, index, flags, which flags to change.
fn interface_up() -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(LOOPBACK_INDEX.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    body
}

/// `struct ifaddrmsg` (family, prefix length, flags, scope, index) and the address twice, as local and as peer.
fn address(address: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![AF_INET, 32, 0, SCOPE_UNIVERSE];
    body.extend(LOOPBACK_INDEX.to_ne_bytes());
    for kind in [IFA_LOCAL, IFA_ADDRESS] {
        body.extend(8_u16.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(address.octets());
    }
    body
}

fn ask(kernel: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(HEADER_BYTES + body.len()).map_err(io::Error::other)?;
    let mut message = Vec::from(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    message.extend([0; 8]); // sequence and sender: one question at a time
    message.extend(body);
    sendto(kernel.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut reply = [0; 4096];
    let length = recv(kernel.as_raw_fd(), &mut reply, MsgFlags::empty())?;
    verdict(&reply[..length])
}

/// `NLMSG_ERROR` carries a negated error number; 0 is the acknowledgement.
fn verdict(reply: &[u8]) -> io::Result<()> {
    let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
    let kind =
        reply.get(4..6).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes).ok_or_else(unreadable)?;
    let number =
        reply.get(16..20).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes).ok_or_else(unreadable)?;
    match (kind, number) {
        (NLMSG_ERROR, 0) => Ok(()),
        (NLMSG_ERROR, number) => Err(io::Error::from_raw_os_error(number.saturating_neg())),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_refusal_is_read_from_its_reply() {
        let reply = |kind: u16, number: i32| {
            let mut bytes = vec![0; 20];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[16..].copy_from_slice(&number.to_ne_bytes());
            bytes
        };
        assert!(verdict(&reply(NLMSG_ERROR, 0)).is_ok());
        assert_eq!(verdict(&reply(NLMSG_ERROR, -1)).unwrap_err().raw_os_error(), Some(1));
        assert!(verdict(&reply(3, 0)).is_err() && verdict(&[]).is_err());
    }
}
