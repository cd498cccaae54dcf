//! Tags of a blob.

use quick_xml::{Reader, events::Event};

use crate::{DECLARATION, element, fits_xml};

/// Longest list taken: more than a blob may have, so that the rule of ten has its own error.
const READ_MAX: usize = 50;

/// Reads `<Tags><TagSet><Tag><Key/><Value/></Tag>…`; `None` when it is not such a document.
pub fn parse_tags(xml: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(xml).ok()?.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if !fits_xml(&text) {
        return None;
    }
    let mut reader = Reader::from_str(&text);
    let (mut tags, mut path) = (Vec::new(), Vec::<String>::new());
    let (mut key, mut value, mut closed) = (None::<String>, None::<String>, false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                path.push(tag.local_name().as_ref().to_owned());
                if closed || !fits(&path) {
                    return None;
                }
            }
            Event::Empty(tag) => {
                path.push(tag.local_name().as_ref().to_owned());
                if closed || !fits(&path) {
                    return None;
                }
                match path.pop().as_deref() {
                    Some("Value") => value = Some(String::new()),
                    Some("Tags") => closed = true,
                    _ => {}
                }
            }
            Event::Text(text) => {
                let text: &str = &text;
                match path.last().map(String::as_str) {
                    Some("Key") => key.get_or_insert_default().push_str(text),
                    Some("Value") => value.get_or_insert_default().push_str(text),
                    _ if text.trim().is_empty() => {}
                    _ => return None,
                }
            }
            Event::End(_) => {
                if path.pop()? == "Tag" {
                    tags.push((key.take()?, value.take().unwrap_or_default()));
                    if tags.len() > READ_MAX {
                        return None;
                    }
                }
                closed = closed || path.is_empty();
            }
            Event::Eof => return (closed && path.is_empty()).then_some(tags),
            Event::Decl(_) | Event::Comment(_) => {}
            _ => return None,
        }
    }
}

fn fits(path: &[String]) -> bool {
    const SHAPE: [&str; 4] = ["Tags", "TagSet", "Tag", ""];
    path.len() <= 4
        && path.iter().zip(SHAPE).all(|(name, wanted)| match wanted {
            "" => name == "Key" || name == "Value",
            wanted => name == wanted,
        })
}

/// The elements within a listing, and of the answer.
pub(crate) fn tag_set(xml: &mut String, tags: &[(String, String)]) {
    xml.push_str("<Tags><TagSet>");
    for (key, value) in tags {
        xml.push_str("<Tag>");
        element(xml, "Key", key);
        element(xml, "Value", value);
        xml.push_str("</Tag>");
    }
    xml.push_str("</TagSet></Tags>");
}

/// The answer of Get Blob Tags.
pub fn write_tags(tags: &[(String, String)]) -> String {
    let mut xml = DECLARATION.to_owned();
    tag_set(&mut xml, tags);
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_there_and_back() {
        let python = b"<?xml version='1.0' encoding='utf-8'?>\n<Tags><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag><Tag><Key>d</Key><Value /></Tag></TagSet></Tags>";
        let read = parse_tags(python).unwrap();
        assert_eq!(read, [("a".to_owned(), "b c".to_owned()), ("d".to_owned(), String::new())]);
        assert_eq!(parse_tags(write_tags(&read).as_bytes()), Some(read));
        assert_eq!(parse_tags(b"<Tags><TagSet/></Tags>"), Some(vec![]));
        for bad in [
            &b""[..],
            b"<Tags>",
            b"<Other/>",
            b"<Tags><TagSet><Tag><Value>b</Value></Tag></TagSet></Tags>",
            b"<Tags><TagSet><Tag><Key>a",
            b"<Tags><TagSet><Tag><Key>a</Key><Value>\0</Value></Tag></TagSet></Tags>",
            b"<Tags><Tag><Key>a</Key></Tag></Tags>",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><Tags><TagSet/></Tags>",
        ] {
            assert_eq!(parse_tags(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
