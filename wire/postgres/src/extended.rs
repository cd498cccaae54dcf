//! One statement with parameters (the extended protocol), as text: parameters travel beside the statement, never in it.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{Malformed, message};

/// `Parse`, `Bind`, `Describe`-less `Execute` and `Sync` of one statement; the server infers the parameters' types.
pub fn statement(sql: &str, parameters: &[&str]) -> BytesMut {
    let mut parse = BytesMut::new();
    parse.put_u8(0);
    parse.put_slice(sql.as_bytes());
    parse.put_slice(&[0, 0, 0]);
    let mut bind = BytesMut::new();
    // Unnamed portal and statement; no format codes: everything is text.
    bind.put_slice(&[0, 0, 0, 0]);
    bind.put_u16(u16::try_from(parameters.len()).unwrap_or(u16::MAX));
    for parameter in parameters {
        bind.put_u32(u32::try_from(parameter.len()).unwrap_or(u32::MAX));
        bind.put_slice(parameter.as_bytes());
    }
    bind.put_u16(0);
    let mut all = message(b'P', &parse);
    all.extend_from_slice(&message(b'B', &bind));
    all.extend_from_slice(&message(b'E', &[0, 0, 0, 0, 0]));
    all.extend_from_slice(&message(b'S', &[]));
    all
}

/// The values of a `DataRow`; `None` is NULL.
///
/// # Errors
/// [`Malformed`].
pub fn read_row(mut body: Bytes) -> Result<Vec<Option<String>>, Malformed> {
    const SHORT: Malformed = Malformed("a row ends before its values do");
    let count = body.try_get_u16().map_err(|_| SHORT)?;
    let mut row = Vec::new();
    for _ in 0..count {
        let length = body.try_get_i32().map_err(|_| SHORT)?;
        let Ok(length) = usize::try_from(length) else {
            row.push(None);
            continue;
        };
        if length > body.len() {
            return Err(SHORT);
        }
        row.push(Some(String::from_utf8_lossy(&body.split_to(length)).into_owned()));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse;

    #[test]
    fn parameters_stand_beside_the_statement() {
        let mut stream = statement("SELECT f($1)", &["x'; DROP ROLE y; --"]);
        let (kind, body) = parse(&mut stream).unwrap().unwrap();
        assert_eq!((kind, &body[..]), (b'P', &b"\0SELECT f($1)\0\0\0"[..]));
        let (kind, body) = parse(&mut stream).unwrap().unwrap();
        assert_eq!(kind, b'B');
        assert_eq!(&body[..], b"\0\0\0\0\0\x01\0\0\0\x13x'; DROP ROLE y; --\0\0");
        assert_eq!(parse(&mut stream).unwrap().unwrap().0, b'E');
        assert_eq!(parse(&mut stream).unwrap().unwrap().0, b'S');
        assert!(stream.is_empty());
    }

    #[test]
    fn rows() {
        let row = Bytes::from_static(b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff");
        assert_eq!(read_row(row).unwrap(), [Some("ab".to_owned()), None]);
        assert!(read_row(Bytes::from_static(b"\0\x01\0\0\0\x09ab")).is_err());
    }

    proptest! {
        #[test]
        fn g03_no_row_ends_the_process(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read_row(Bytes::from(bytes));
        }
    }
}
