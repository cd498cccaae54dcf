//! The packets that begin a connection: they have no type byte, only a length and a code.

use bytes::{BufMut, Bytes, BytesMut};

/// `SSLRequest`, whole.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// `GSSENCRequest`, whole.
pub const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

const SSL_CODE: u32 = 80_877_103;
const GSS_CODE: u32 = 80_877_104;
const CANCEL_CODE: u32 = 80_877_102;

/// PostgreSQL's own bound (`MAX_STARTUP_PACKET_LENGTH`), in bytes.
const FIRST_MAX_BYTES: usize = 10_000;
/// Length and code.
const FIRST_MIN_BYTES: usize = 8;
/// Cancel keys of protocol 3.2, in bytes; 3.0 has exactly four.
const CANCEL_KEY_BYTES: std::ops::RangeInclusive<usize> = 4..=256;

/// Not what the protocol allows. Before authentication nobody is told more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A protocol version, `3.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
}

impl Version {
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// The newest we serve (PostgreSQL 18): cancel keys may be longer than four bytes.
    pub const V3_2: Self = Self { major: 3, minor: 2 };

    pub const fn code(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }

    const fn of(code: u32) -> Self {
        Self { major: (code >> 16) as u16, minor: code as u16 }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What proves that a cancel request comes from the session's owner. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CancelKey(pub Bytes);

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CancelKey({} bytes)", self.0.len())
    }
}

/// A connection's first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    Ssl,
    Gss,
    Cancel { pid: i32, key: CancelKey },
    Startup(Startup),
}

/// `StartupMessage`. Names and values are whatever bytes the client's encoding makes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    pub version: Version,
    pub parameters: Vec<(Bytes, Bytes)>,
}

impl Startup {
    /// The value of a parameter; `None` where it is missing, an error where it comes twice (two readers could take
    /// two different ones).
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn single(&self, name: &str) -> Result<Option<&Bytes>, Malformed> {
        let mut values = self.parameters.iter().filter(|(n, _)| n == name.as_bytes()).map(|(_, v)| v);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Malformed("a startup parameter comes twice")),
        }
    }

    /// Names of protocol options (`_pq_.…`) that the client asks for; we know none.
    pub fn protocol_options(&self) -> Vec<&Bytes> {
        self.parameters.iter().filter(|(n, _)| is_protocol_option(n)).map(|(n, _)| n).collect()
    }

    /// What goes on to a server: everything but protocol options and the named ones.
    pub fn passed_on<'s>(&'s self, but: &'s [&str]) -> impl Iterator<Item = (&'s Bytes, &'s Bytes)> {
        self.parameters
            .iter()
            .filter(move |(n, _)| !is_protocol_option(n) && !but.iter().any(|b| n == b.as_bytes()))
            .map(|(n, v)| (n, v))
    }
}

fn is_protocol_option(name: &[u8]) -> bool {
    name.starts_with(b"_pq_.")
}

/// The length of a first packet, without the four bytes that say it.
///
/// # Errors
/// [`Malformed`] when it is outside what PostgreSQL takes: then the connection is closed without a word, since it
/// may be anything (HTTP, a port scan).
pub fn first_length(head: [u8; 4]) -> Result<usize, Malformed> {
    let length = u32::from_be_bytes(head) as usize;
    if (FIRST_MIN_BYTES..=FIRST_MAX_BYTES).contains(&length) {
        Ok(length - 4)
    } else {
        Err(Malformed("the first packet's length is out of range"))
    }
}

/// Reads a first packet, without its length.
///
/// # Errors
/// [`Malformed`].
pub fn read_first(packet: &Bytes) -> Result<First, Malformed> {
    let (code, rest) = packet.split_first_chunk::<4>().ok_or(Malformed("the first packet has no code"))?;
    match u32::from_be_bytes(*code) {
        SSL_CODE if rest.is_empty() => Ok(First::Ssl),
        GSS_CODE if rest.is_empty() => Ok(First::Gss),
        SSL_CODE | GSS_CODE => Err(Malformed("a request for encryption with something behind it")),
        CANCEL_CODE => {
            let (pid, key) =
                rest.split_first_chunk::<4>().ok_or(Malformed("a cancel request without a process"))?;
            if !CANCEL_KEY_BYTES.contains(&key.len()) {
                return Err(Malformed("a cancel request with a key of impossible length"));
            }
            let pid = i32::from_be_bytes(*pid);
            Ok(First::Cancel { pid, key: CancelKey(packet.slice_ref(key)) })
        }
        code => {
            let version = Version::of(code);
            let parameters = if version.major == 3 { parameters(packet.slice(4..))? } else { Vec::new() };
            Ok(First::Startup(Startup { version, parameters }))
        }
    }
}

/// `name\0value\0`, as often as there are, and one `\0` that ends the packet.
fn parameters(mut rest: Bytes) -> Result<Vec<(Bytes, Bytes)>, Malformed> {
    let mut all = Vec::new();
    loop {
        let name = text(&mut rest)?;
        if name.is_empty() {
            return if rest.is_empty() {
                Ok(all)
            } else {
                Err(Malformed("the startup packet goes on after its end"))
            };
        }
        all.push((name, text(&mut rest)?));
    }
}

fn text(rest: &mut Bytes) -> Result<Bytes, Malformed> {
    let end = rest.iter().position(|b| *b == 0).ok_or(Malformed("the startup packet does not end"))?;
    let text = rest.split_to(end);
    let _terminator = rest.split_to(1);
    Ok(text)
}

/// Writes a `StartupMessage`. No name or value may hold a NUL; what came out of [`read_first`] holds none.
pub fn startup<'p>(version: Version, parameters: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> BytesMut {
    let mut packet = BytesMut::with_capacity(256);
    packet.put_u32(0);
    packet.put_u32(version.code());
    for (name, value) in parameters {
        packet.put_slice(name);
        packet.put_u8(0);
        packet.put_slice(value);
        packet.put_u8(0);
    }
    packet.put_u8(0);
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    packet[..4].copy_from_slice(&length.to_be_bytes());
    packet
}

/// Writes a `CancelRequest`.
pub fn cancel_request(pid: i32, key: &CancelKey) -> BytesMut {
    let mut packet = BytesMut::with_capacity(12 + key.0.len());
    packet.put_u32(u32::try_from(12 + key.0.len()).unwrap_or(u32::MAX));
    packet.put_u32(CANCEL_CODE);
    packet.put_i32(pid);
    packet.put_slice(&key.0);
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(packet: &[u8]) -> Result<First, Malformed> {
        let (head, rest) = packet.split_first_chunk::<4>().ok_or(Malformed("short"))?;
        assert_eq!(first_length(*head)?, rest.len());
        read_first(&Bytes::copy_from_slice(rest))
    }

    #[test]
    fn psql_15_as_recorded() {
        assert_eq!(read(&SSL_REQUEST), Ok(First::Ssl));
        assert_eq!(read(&GSS_REQUEST), Ok(First::Gss));
        let packet = b"\0\0\0\x40\0\x03\0\0user\0me\0database\0lab\0application_name\0psql\0_pq_.x\0y\0\0";
        let mut sized = packet.to_vec();
        sized[3] = u8::try_from(packet.len()).unwrap();
        let Ok(First::Startup(startup)) = read(&sized) else { panic!("no startup") };
        assert_eq!(startup.version, Version::V3_0);
        assert_eq!(startup.single("user").unwrap().unwrap(), "me");
        assert_eq!(startup.single("options"), Ok(None));
        assert_eq!(startup.protocol_options(), ["_pq_.x"]);
        let on: Vec<_> = startup.passed_on(&["user"]).map(|(n, _)| n.clone()).collect();
        assert_eq!(on, ["database", "application_name"]);
    }

    #[test]
    fn g03_lengths_out_of_range_are_refused_before_anything_is_allocated() {
        for bad in [0, 3, 4, 7, 10_001, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::from_be_bytes(*b"GET ")] {
            assert!(first_length(bad.to_be_bytes()).is_err(), "{bad}");
        }
        assert_eq!(first_length(8u32.to_be_bytes()), Ok(4));
        assert_eq!(first_length(10_000u32.to_be_bytes()), Ok(9_996));
    }

    #[test]
    fn g03_a_parameter_twice_or_after_the_end_is_refused() {
        let startup = |text: &[u8]| read_first(&[&Version::V3_0.code().to_be_bytes(), text].concat().into());
        let Ok(First::Startup(twice)) = startup(b"user\0a\0user\0b\0\0") else { panic!("no startup") };
        assert!(twice.single("user").is_err());
        for bad in [&b""[..], b"user", b"user\0", b"user\0a", b"user\0a\0", b"user\0a\0\0x", b"\0\0"] {
            assert!(startup(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn g03_requests_with_a_tail_and_impossible_cancel_keys_are_refused() {
        let first = |code: u32, rest: &[u8]| read_first(&[&code.to_be_bytes(), rest].concat().into());
        assert!(first(SSL_CODE, b"x").is_err() && first(GSS_CODE, b"x").is_err());
        for key in [0, 1, 3, 257] {
            assert!(first(CANCEL_CODE, &vec![0; 4 + key]).is_err(), "{key}");
        }
        assert!(first(CANCEL_CODE, b"ab").is_err());
        let key = CancelKey(Bytes::from_static(b"0123456789"));
        let packet = cancel_request(-7, &key);
        assert_eq!(read(&packet), Ok(First::Cancel { pid: -7, key }));
    }

    proptest! {
        #[test]
        fn no_first_packet_ends_the_process(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_first(&Bytes::from(bytes));
        }

        #[test]
        fn what_is_written_is_read_back(
            pairs in prop::collection::vec(("[^\0]{1,12}", "[^\0]{0,12}"), 0..6),
            minor in 0..4u16,
        ) {
            let version = Version { major: 3, minor };
            let packet = startup(version, pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())));
            let Ok(First::Startup(back)) = read(&packet) else { panic!("no startup") };
            let back_pairs: Vec<_> = back
                .parameters
                .iter()
                .map(|(n, v)| {
                    (String::from_utf8(n.to_vec()).unwrap(), String::from_utf8(v.to_vec()).unwrap())
                })
                .collect();
            prop_assert_eq!(back.version, version);
            prop_assert_eq!(back_pairs, pairs);
        }
    }
}
