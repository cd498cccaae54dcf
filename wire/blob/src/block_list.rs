//! Block lists.

use quick_xml::{Reader, events::Event};

use crate::{DECLARATION, element};

/// One entry of a list to be committed: which kind and which id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEntry {
    /// `Committed`, `Uncommitted` or `Latest`.
    pub kind: String,
    pub id: String,
}

/// Longest list taken, so that a small body cannot ask for much work: one more than a blob holds, for its own error.
const ENTRIES_MAX: usize = 50_001;

/// Reads the body of Put Block List; `None` when it is not such a document (also with a document type declaration).
pub fn parse_block_list(xml: &[u8]) -> Option<Vec<BlockEntry>> {
    let mut reader = Reader::from_str(std::str::from_utf8(xml).ok()?);
    let (mut entries, mut depth, mut open) = (Vec::new(), 0u8, None::<BlockEntry>);
    let mut closed = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                depth += 1;
                let name = tag.local_name().as_ref().to_owned();
                match depth {
                    1 if name == "BlockList" && !closed => {}
                    2 if matches!(name.as_str(), "Committed" | "Uncommitted" | "Latest")
                        && entries.len() < ENTRIES_MAX =>
                    {
                        open = Some(BlockEntry { kind: name, id: String::new() });
                    }
                    _ => return None,
                }
            }
            Event::Empty(tag) => {
                if depth != 0 || tag.local_name().as_ref() != "BlockList" {
                    return None;
                }
                closed = true;
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                entries.extend(open.take());
                closed = closed || depth == 0;
            }
            Event::Text(text) => {
                let text: &str = &text;
                match &mut open {
                    Some(entry) => entry.id.push_str(text.trim()),
                    None if text.trim().is_empty() => {}
                    None => return None,
                }
            }
            Event::Eof => return (closed && depth == 0).then_some(entries),
            Event::Decl(_) | Event::Comment(_) => {}
            _ => return None,
        }
    }
}

/// The answer of Get Block List.
pub fn write_block_list(
    committed: Option<&[(String, u64)]>,
    uncommitted: Option<&[(String, u64)]>,
) -> String {
    let mut xml = format!("{DECLARATION}<BlockList>");
    for (name, blocks) in [("CommittedBlocks", committed), ("UncommittedBlocks", uncommitted)] {
        let Some(blocks) = blocks else { continue };
        xml.push_str(&format!("<{name}>"));
        for (id, length) in blocks {
            xml.push_str("<Block>");
            element(&mut xml, "Name", id);
            element(&mut xml, "Size", &length.to_string());
            xml.push_str("</Block>");
        }
        xml.push_str(&format!("</{name}>"));
    }
    xml.push_str("</BlockList>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_python_and_node() {
        let python = b"<?xml version='1.0' encoding='utf-8'?>\n<BlockList><Latest>QQ==</Latest><Committed>Qg==</Committed></BlockList>";
        let read = parse_block_list(python).unwrap();
        assert_eq!(
            (read[0].kind.as_str(), read[0].id.as_str(), read[1].kind.as_str()),
            ("Latest", "QQ==", "Committed")
        );
        assert_eq!(parse_block_list(b"<BlockList/>"), Some(vec![]));
        for bad in [
            &b""[..],
            b"<BlockList>",
            b"<Other/>",
            b"<BlockList><Latest>a</Latest>",
            b"<BlockList><Latest><Latest>a</Latest></Latest></BlockList>",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><BlockList/>",
            b"<BlockList><Latest>&b;</Latest></BlockList>",
            b"text",
        ] {
            assert_eq!(parse_block_list(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
