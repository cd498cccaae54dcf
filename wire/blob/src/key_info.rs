//! Keys by which users sign for others.

use quick_xml::{Reader, events::Event};

use crate::{DECLARATION, element};

/// The body that asks for a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyInfo {
    pub start: Option<String>,
    pub expiry: String,
}

impl KeyInfo {
    /// `None` when it is no such document; elements beside the two are not read.
    pub fn parse(xml: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(xml).ok()?.trim_start_matches('\u{feff}'));
        let (mut info, mut path) = (Self::default(), Vec::new());
        let mut closed = false;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    path.push(tag.local_name().as_ref().to_owned());
                    if path.first().is_some_and(|root| root != "KeyInfo") || path.len() > 2 || closed {
                        return None;
                    }
                }
                Event::End(_) => {
                    path.pop()?;
                    closed = path.is_empty();
                }
                Event::Text(text) => {
                    let text: &str = &text;
                    match path.last().map(String::as_str) {
                        Some("Start") => info.start = Some(text.trim().to_owned()),
                        Some("Expiry") => text.trim().clone_into(&mut info.expiry),
                        _ => {}
                    }
                }
                Event::Eof => return (closed && !info.expiry.is_empty()).then_some(info),
                Event::Decl(_) | Event::Comment(_) | Event::Empty(_) => {}
                _ => return None,
            }
        }
    }
}

/// The answer, member for member.
#[derive(Debug)]
pub struct UserDelegationKey<'k> {
    pub object: &'k str,
    pub tenant: &'k str,
    pub start: &'k str,
    pub expiry: &'k str,
    pub service: &'k str,
    pub version: &'k str,
    pub value: &'k str,
}

impl UserDelegationKey<'_> {
    pub fn to_xml(&self) -> String {
        let mut xml = format!("{DECLARATION}<UserDelegationKey>");
        for (name, value) in [
            ("SignedOid", self.object),
            ("SignedTid", self.tenant),
            ("SignedStart", self.start),
            ("SignedExpiry", self.expiry),
            ("SignedService", self.service),
            ("SignedVersion", self.version),
            ("Value", self.value),
        ] {
            element(&mut xml, name, value);
        }
        xml.push_str("</UserDelegationKey>");
        xml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_and_node_ask() {
        let python = b"<?xml version='1.0' encoding='utf-8'?>\n<KeyInfo><Start>2026-01-01T00:00:00Z</Start><Expiry>2026-01-02T00:00:00Z</Expiry></KeyInfo>";
        let read = KeyInfo::parse(python).unwrap();
        assert_eq!(
            (read.start.as_deref(), read.expiry.as_str()),
            (Some("2026-01-01T00:00:00Z"), "2026-01-02T00:00:00Z")
        );
        for bad in [
            &b""[..],
            b"<KeyInfo/>",
            b"<KeyInfo><Start>2026</Start></KeyInfo>",
            b"<Other><Expiry>2026</Expiry></Other>",
            b"<KeyInfo><Expiry>2026",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><KeyInfo><Expiry>&b;</Expiry></KeyInfo>",
        ] {
            assert_eq!(KeyInfo::parse(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
