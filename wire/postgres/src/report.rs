//! `ErrorResponse`, as PostgreSQL shapes it.

use bytes::{BufMut, Bytes, BytesMut};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The connection ends with it.
    Fatal,
    Error,
}

/// What a client is told. No field ever holds token text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub severity: Severity,
    /// SQLSTATE, five characters.
    pub code: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Report {
    pub fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, code, message: message.into(), detail: None, hint: None }
    }

    #[must_use]
    pub fn detail(self, text: impl Into<String>) -> Self {
        Self { detail: Some(text.into()), ..self }
    }

    #[must_use]
    pub fn hint(self, text: impl Into<String>) -> Self {
        Self { hint: Some(text.into()), ..self }
    }

    pub fn encode(&self) -> BytesMut {
        let severity = match self.severity {
            Severity::Fatal => "FATAL",
            Severity::Error => "ERROR",
        };
        let mut body = BytesMut::with_capacity(128);
        let mut field = |letter: u8, text: &str| {
            body.put_u8(letter);
            // A NUL would end the field, and with it let a name forge the next one.
            body.extend(text.bytes().filter(|b| *b != 0));
            body.put_u8(0);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', self.code);
        field(b'M', &self.message);
        if let Some(detail) = &self.detail {
            field(b'D', detail);
        }
        if let Some(hint) = &self.hint {
            field(b'H', hint);
        }
        body.put_u8(0);
        crate::message(b'E', &body)
    }
}

/// The fields of an error that a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFields(Bytes);

impl ErrorFields {
    /// `body` is that of an `ErrorResponse` or `NoticeResponse`.
    pub fn of(body: Bytes) -> Self {
        Self(body)
    }

    /// A field's text, lossily decoded; empty where it is missing.
    pub fn get(&self, letter: u8) -> String {
        let field = self.0.split(|b| *b == 0).find(|f| f.first() == Some(&letter));
        field.map(|f| String::from_utf8_lossy(&f[1..]).into_owned()).unwrap_or_default()
    }

    pub fn code(&self) -> String {
        self.get(b'C')
    }

    pub fn message(&self) -> String {
        self.get(b'M')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_postgresql_order() {
        let report = Report::fatal("28P01", "no").detail("d").hint("h");
        assert_eq!(&report.encode()[..], b"E\0\0\0\x24SFATAL\0VFATAL\0C28P01\0Mno\0Dd\0Hh\0\0");
        let fields = ErrorFields::of(Bytes::copy_from_slice(&report.encode()[5..]));
        assert_eq!(
            (fields.code(), fields.message(), fields.get(b'P')),
            ("28P01".into(), "no".into(), String::new())
        );
    }

    #[test]
    fn a_name_cannot_forge_a_field() {
        let report = Report::fatal("28P01", "user \"x\0C00000\0\"");
        let fields = ErrorFields::of(Bytes::copy_from_slice(&report.encode()[5..]));
        assert_eq!(fields.code(), "28P01");
        assert_eq!(fields.message(), "user \"xC00000\"");
    }
}
