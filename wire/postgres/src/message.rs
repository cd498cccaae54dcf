//! Messages with a type byte: those of authentication, and what both sides say when a session begins.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{CancelKey, Malformed, Version};

/// Tokens of principals in many groups grow long; beyond this a password is refused (G07), in bytes.
pub const PASSWORD_MAX_BYTES: usize = 64 * 1024;
/// `Terminate`, whole.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
/// Messages a server sends before it is ready are small; more is no PostgreSQL, in bytes.
const SETUP_MAX_BYTES: usize = 64 * 1024;

/// Process and key of a session, as `BackendKeyData` tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendKey {
    pub pid: i32,
    pub key: CancelKey,
}

/// Writes a message.
pub fn message(kind: u8, body: &[u8]) -> BytesMut {
    let mut all = BytesMut::with_capacity(5 + body.len());
    all.put_u8(kind);
    all.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    all.put_slice(body);
    all
}

/// `AuthenticationCleartextPassword`.
pub fn authentication_cleartext() -> BytesMut {
    message(b'R', &3u32.to_be_bytes())
}

pub fn authentication_ok() -> BytesMut {
    message(b'R', &0u32.to_be_bytes())
}

/// `NegotiateProtocolVersion`: the version that will be spoken, and the options that are not known. The number is the
/// whole version; older documentation says "minor", servers always sent this.
pub fn negotiate_protocol(version: Version, unknown: &[&Bytes]) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u32(version.code());
    body.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
    for name in unknown {
        body.put_slice(name);
        body.put_u8(0);
    }
    message(b'v', &body)
}

pub fn backend_key_data(key: &BackendKey) -> BytesMut {
    let mut body = BytesMut::with_capacity(4 + key.key.0.len());
    body.put_i32(key.pid);
    body.put_slice(&key.key.0);
    message(b'K', &body)
}

/// Reads the body of `BackendKeyData`.
///
/// # Errors
/// [`Malformed`].
pub fn read_backend_key(mut body: Bytes) -> Result<BackendKey, Malformed> {
    if !(8..=260).contains(&body.len()) {
        return Err(Malformed("backend key data of impossible length"));
    }
    let pid = body.get_i32();
    Ok(BackendKey { pid, key: CancelKey(body) })
}

/// `ReadyForQuery`; `status` is `I`, `T` or `E`.
pub fn ready_for_query(status: u8) -> BytesMut {
    message(b'Z', &[status])
}

/// `PasswordMessage`.
pub fn password(text: &[u8]) -> BytesMut {
    message(b'p', &[text, b"\0"].concat())
}

/// A simple `Query`.
pub fn query(sql: &str) -> BytesMut {
    message(b'Q', &[sql.as_bytes(), b"\0"].concat())
}

/// The length of the body that follows a message's five first bytes, if it is at most `at_most`.
///
/// # Errors
/// [`Malformed`].
pub fn message_length(head: [u8; 4], at_most: usize) -> Result<usize, Malformed> {
    match (u32::from_be_bytes(head) as usize).checked_sub(4) {
        Some(length) if length <= at_most => Ok(length),
        Some(_) => Err(Malformed("a message is longer than it may be")),
        None => Err(Malformed("a message has an impossible length")),
    }
}

/// The text of a `PasswordMessage`'s body: up to its first NUL, which must be its end.
///
/// # Errors
/// [`Malformed`].
pub fn read_password(body: &[u8]) -> Result<&[u8], Malformed> {
    match body.split_last() {
        Some((0, text)) if !text.contains(&0) => Ok(text),
        _ => Err(Malformed("the password message does not end where its text does")),
    }
}

/// Takes one message from the front of what a server sent; `None` until it is there whole.
///
/// # Errors
/// [`Malformed`].
pub fn parse(buffer: &mut BytesMut) -> Result<Option<(u8, Bytes)>, Malformed> {
    let Some(&[kind, a, b, c, d]) = buffer.first_chunk::<5>() else { return Ok(None) };
    let length = message_length([a, b, c, d], SETUP_MAX_BYTES)?;
    if buffer.len() < 5 + length {
        return Ok(None);
    }
    buffer.advance(5);
    Ok(Some((kind, buffer.split_to(length).freeze())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn g07_a_password_with_something_after_its_nul_is_refused() {
        assert_eq!(read_password(b"token\0"), Ok(&b"token"[..]));
        assert_eq!(read_password(b"\0"), Ok(&b""[..]));
        for bad in [&b""[..], b"token", b"tok\0en\0", b"token\0\0"] {
            assert!(read_password(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn g03_message_lengths_are_bounded() {
        for bad in [0, 3, 0x7fff_ffff, 0x8000_0000, u32::MAX, 15] {
            assert!(message_length(bad.to_be_bytes(), 10).is_err(), "{bad}");
        }
        assert_eq!(message_length(14u32.to_be_bytes(), 10), Ok(10));
        assert!(parse(&mut BytesMut::from(&b"S\x7f\xff\xff\xff"[..])).is_err());
    }

    #[test]
    fn written_and_read() {
        let key = BackendKey { pid: 7, key: CancelKey(Bytes::from_static(b"abcd")) };
        let mut stream = authentication_ok();
        stream.extend_from_slice(&backend_key_data(&key));
        stream.extend_from_slice(&ready_for_query(b'I'));
        stream.extend_from_slice(b"Z\0\0");
        assert_eq!(parse(&mut stream).unwrap().unwrap().0, b'R');
        let (kind, body) = parse(&mut stream).unwrap().unwrap();
        assert_eq!((kind, read_backend_key(body)), (b'K', Ok(key)));
        assert_eq!(parse(&mut stream).unwrap().unwrap(), (b'Z', Bytes::from_static(b"I")));
        assert_eq!(parse(&mut stream), Ok(None));
        assert!(read_backend_key(Bytes::from_static(b"1234567")).is_err());
    }

    #[test]
    fn negotiation_names_the_whole_version() {
        let option = Bytes::from_static(b"_pq_.x");
        let told = negotiate_protocol(Version::V3_2, &[&option]);
        assert_eq!(&told[..], b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
    }

    proptest! {
        #[test]
        fn no_stream_ends_the_process(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = parse(&mut buffer) {}
            let _ = read_password(&bytes);
            let _ = read_backend_key(Bytes::from(bytes));
        }
    }
}
