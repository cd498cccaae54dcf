//! Who is at the other end of a loopback connection: the kernel knows which user owns its socket.
//!
//! The kernel is asked for that one socket (`sock_diag`), which costs the same however many there are. Where it does
//! not answer, as in some containers, its table of all sockets is read, but not more of it than `TABLE_MAX_BYTES`.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// About 3,500 sockets, ten times as many as a crowded host has on loopback.
const TABLE_MAX_BYTES: u64 = 512 * 1024;

/// Who connects from where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    pub peer: SocketAddr,
    pub local: SocketAddr,
}

/// Whose the socket at the peer's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub user: u32,
    /// The kernel's number of the socket.
    pub inode: u64,
}

/// The owner of the socket at the peer's end, where the kernel tells. A socket that its process has closed belongs to
/// nobody: the kernel then says user 0, which is not root asking.
pub(crate) fn of(ends: Ends) -> Option<Owner> {
    let told = KERNEL.lock().unwrap_or_else(PoisonError::into_inner).tell(ends);
    let found = match told {
        Told::Is(owner) => Some(owner),
        Told::Nobody => None,
        Told::Nothing => look_up(ends.peer),
    };
    found.filter(|owner| owner.inode != 0)
}

/// Asked through one socket, a question at a time: making the socket costs more than the answer.
static KERNEL: Mutex<Kernel> = Mutex::new(Kernel { socket: None, asked: 0, tells: false });

struct Kernel {
    socket: Option<OwnedFd>,
    /// Number of the last question, so that no answer is taken for another's.
    asked: u32,
    /// Whether it has told of a socket before. Only then "there is none" is an answer: it says the same where it can tell nothing.
    tells: bool,
}

enum Told {
    Is(Owner),
    Nobody,
    Nothing,
}

impl Kernel {
    fn tell(&mut self, ends: Ends) -> Told {
        match self.ask(ends) {
            Some(Told::Is(owner)) => {
                self.tells = true;
                Told::Is(owner)
            }
            Some(Told::Nobody) if self.tells => Told::Nobody,
            Some(_) => Told::Nothing,
            None => {
                // Whatever is left in it must not be the next one's answer.
                self.socket = None;
                Told::Nothing
            }
        }
    }

    fn ask(&mut self, ends: Ends) -> Option<Told> {
        self.asked = self.asked.wrapping_add(1);
        let protocol = SockProtocol::NetlinkSockDiag;
        let kernel = match self.socket.take() {
            Some(open) => open,
            None => socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).ok()?,
        };
        send(kernel.as_raw_fd(), &question(ends, self.asked), MsgFlags::empty()).ok()?;
        let mut answer = [0; 512];
        // The kernel has answered by the time `send` returns: there is nothing to wait for.
        let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).ok()?;
        self.socket = Some(kernel);
        read(answer.get(..length)?, self.asked)
    }
}

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const ENOENT: u32 = 2;
const NLM_F_REQUEST: u16 = 1;
const HEADER_BYTES: usize = 16;
const SEQUENCE_AT: usize = 8;
const REQUEST_BYTES: usize = HEADER_BYTES + 56;
/// Where `idiag_uid` stands: behind family, state, timer and retransmits (4 bytes), the socket's ids (48), and the
/// expiry and both queues (12).
const UID_AT: usize = HEADER_BYTES + 4 + 48 + 12;
/// `idiag_inode` follows it.
const INODE_AT: usize = UID_AT + 4;
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// `inet_diag_req_v2` for one TCP socket: seen from the peer, whose source is our destination.
fn question(ends: Ends, number: u32) -> [u8; REQUEST_BYTES] {
    let family = if ends.peer.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let length = u32::try_from(REQUEST_BYTES).unwrap_or_default();
    let mut all = Vec::with_capacity(REQUEST_BYTES);
    all.extend(length.to_ne_bytes());
    all.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    all.extend(NLM_F_REQUEST.to_ne_bytes());
    all.extend(number.to_ne_bytes());
    all.extend([0; 4]);
    all.extend([u8::try_from(family as i32).unwrap_or_default(), 6, 0, 0]);
    all.extend(u32::MAX.to_ne_bytes());
    all.extend(ends.peer.port().to_be_bytes());
    all.extend(ends.local.port().to_be_bytes());
    all.extend(sixteen(ends.peer.ip()));
    all.extend(sixteen(ends.local.ip()));
    all.extend([0; 4]);
    all.extend(NO_COOKIE);
    let mut out = [0; REQUEST_BYTES];
    out.copy_from_slice(&all);
    out
}

fn sixteen(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(ip) => {
            let mut all = [0; 16];
            all[..4].copy_from_slice(&ip.octets());
            all
        }
    }
}

fn read(answer: &[u8], asked: u32) -> Option<Told> {
    let number = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    if number(SEQUENCE_AT)? != asked {
        return None;
    }
    match u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?) {
        SOCK_DIAG_BY_FAMILY => {
            Some(Told::Is(Owner { user: number(UID_AT)?, inode: number(INODE_AT)?.into() }))
        }
        NLMSG_ERROR if number(HEADER_BYTES)? == ENOENT.wrapping_neg() => Some(Told::Nobody),
        _ => None,
    }
}

fn look_up(peer: SocketAddr) -> Option<Owner> {
    let table = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let wanted = format!("{}:{:04X}", in_table(peer.ip()), peer.port());
    let mut text = String::new();
    std::fs::File::open(table).ok()?.take(TABLE_MAX_BYTES).read_to_string(&mut text).ok()?;
    text.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        if fields.nth(1)? != wanted {
            return None;
        }
        let user = fields.nth(5)?.parse().ok()?;
        Some(Owner { user, inode: fields.nth(1)?.parse().ok()? })
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
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_knows_our_own_sockets() {
        let me = nix::unistd::getuid().as_raw();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (peer, local) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            let found = of(Ends { peer, local }).unwrap();
            assert_eq!((found.user, found.inode > 0), (me, true));
            assert_eq!(look_up(peer), Some(found));
            let other = SocketAddr::new(peer.ip(), 1);
            assert_eq!(of(Ends { peer: other, local }), None);
            // The other end is open still, so the kernel knows the connection, and says user 0 of its owner.
            let (open, _) = listener.accept().unwrap();
            drop(client);
            assert_eq!(of(Ends { peer, local }), None, "a30: who has gone is nobody, not root");
            drop(open);
        }
    }
}
