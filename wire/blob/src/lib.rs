//! XML of Blob storage (blob.md 3 and 5), written by hand in the documented order, read with a real XML reader.

mod block_list;
mod key_info;
mod list;
pub mod sas;
mod tags;

use std::fmt::Write;

pub use block_list::{BlockEntry, parse_block_list, write_block_list};
pub use key_info::{KeyInfo, UserDelegationKey};
pub use list::{BlobItem, BlobListing, ContainerItem, ContainerListing};
pub use tags::{parse_tags, write_tags};

pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// Every error: code, message with request id and time, and what a code has beside.
pub fn error(code: &str, message: &str, request_id: &str, time: &str, more: &[(&str, &str)]) -> String {
    let mut xml = format!(
        "{DECLARATION}<Error><Code>{code}</Code><Message>{}\nRequestId:{request_id}\nTime:{time}</Message>",
        escape(message)
    );
    for (name, value) in more {
        let _ = write!(xml, "<{name}>{}</{name}>", escape(value));
    }
    xml.push_str("</Error>");
    xml
}

/// Get Blob Service Properties of an account where nothing was set.
pub const SERVICE_PROPERTIES: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><StorageServiceProperties>",
    "<Logging><Version>1.0</Version><Read>false</Read><Write>false</Write><Delete>false</Delete>",
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>",
    "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled>",
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></HourMetrics>",
    "<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled>",
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></MinuteMetrics>",
    "<Cors /><DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>",
    "<StaticWebsite><Enabled>false</Enabled></StaticWebsite></StorageServiceProperties>"
);

/// Get Container ACL of a container without stored policies.
pub const NO_SIGNED_IDENTIFIERS: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SignedIdentifiers />";

/// Text as XML holds it.
pub(crate) fn escape(text: &str) -> String {
    let legal = |c: char| if fits(c) { c } else { char::REPLACEMENT_CHARACTER };
    quick_xml::escape::escape(text.chars().map(legal).collect::<String>()).into_owned()
}

/// Whether XML 1.0 can hold a text at all.
pub(crate) fn fits_xml(text: &str) -> bool {
    text.chars().all(fits)
}

/// XML 1.0, production 2; a carriage return would be read back as a line feed.
fn fits(c: char) -> bool {
    matches!(c, '\t' | '\n') || c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

pub(crate) fn element(xml: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        let _ = write!(xml, "<{name} />");
    } else {
        let _ = write!(xml, "<{name}>{}</{name}>", escape(value));
    }
}
