//! Listings of containers and blobs.

use std::fmt::Write;

use crate::{DECLARATION, element, escape, fits_xml, tags::tag_set};

/// A container in a listing; times and ETag as they are written.
pub struct ContainerItem {
    pub name: String,
    pub modified: String,
    /// Without quotes.
    pub etag: String,
    /// Status, state, kind of duration.
    pub lease: (&'static str, &'static str, Option<&'static str>),
    pub metadata: Option<Vec<(String, String)>>,
}

/// `GET /?comp=list`.
pub struct ContainerListing<'l> {
    pub endpoint: &'l str,
    pub prefix: Option<&'l str>,
    pub marker: Option<&'l str>,
    pub max_results: Option<u32>,
    pub items: Vec<ContainerItem>,
    pub next_marker: Option<String>,
}

/// A line of a blob listing.
pub enum BlobItem {
    Prefix(String),
    Blob {
        name: String,
        /// Elements below `Properties`, in order.
        properties: Vec<(&'static str, String)>,
        metadata: Option<Vec<(String, String)>>,
        /// Where they were asked for and there are some.
        tags: Vec<(String, String)>,
    },
}

/// `GET /c?restype=container&comp=list`.
pub struct BlobListing<'l> {
    pub endpoint: &'l str,
    pub container: &'l str,
    pub prefix: Option<&'l str>,
    pub marker: Option<&'l str>,
    pub max_results: Option<u32>,
    pub delimiter: Option<&'l str>,
    pub items: Vec<BlobItem>,
    pub next_marker: Option<String>,
}

/// Elements that repeat a parameter are written only when it was sent.
fn echo(xml: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        element(xml, name, value);
    }
}

fn metadata(xml: &mut String, pairs: Option<&Vec<(String, String)>>) {
    let Some(pairs) = pairs else { return };
    if pairs.is_empty() {
        xml.push_str("<Metadata />");
        return;
    }
    xml.push_str("<Metadata>");
    for (name, value) in pairs {
        element(xml, name, value);
    }
    xml.push_str("</Metadata>");
}

/// A name XML cannot hold is percent-encoded and says so (from 2021-02-12).
fn name_element(xml: &mut String, name: &str) {
    if fits_xml(name) {
        let _ = write!(xml, "<Name>{}</Name>", escape(name));
        return;
    }
    let encoded: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-_.~/".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let _ = write!(xml, "<Name Encoded=\"true\">{encoded}</Name>");
}

impl ContainerListing<'_> {
    pub fn to_xml(&self) -> String {
        let mut xml =
            format!("{DECLARATION}<EnumerationResults ServiceEndpoint=\"{}\">", escape(self.endpoint));
        echo(&mut xml, "Prefix", self.prefix);
        echo(&mut xml, "Marker", self.marker);
        echo(&mut xml, "MaxResults", self.max_results.map(|n| n.to_string()).as_deref());
        xml.push_str("<Containers>");
        for item in &self.items {
            let (status, state, duration) = item.lease;
            let duration = duration.map(|kind| format!("<LeaseDuration>{kind}</LeaseDuration>"));
            let duration = duration.unwrap_or_default();
            let _ = write!(
                xml,
                "<Container><Name>{}</Name><Properties><Last-Modified>{}</Last-Modified><Etag>\"{}\"</Etag>\
                 <LeaseStatus>{status}</LeaseStatus><LeaseState>{state}</LeaseState>{duration}\
                 <DefaultEncryptionScope>$account-encryption-key</DefaultEncryptionScope>\
                 <DenyEncryptionScopeOverride>false</DenyEncryptionScopeOverride>\
                 <HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold></Properties>",
                escape(&item.name),
                item.modified,
                item.etag
            );
            metadata(&mut xml, item.metadata.as_ref());
            xml.push_str("</Container>");
        }
        xml.push_str("</Containers>");
        element(&mut xml, "NextMarker", self.next_marker.as_deref().unwrap_or_default());
        xml.push_str("</EnumerationResults>");
        xml
    }
}

impl BlobListing<'_> {
    pub fn to_xml(&self) -> String {
        let mut xml = format!(
            "{DECLARATION}<EnumerationResults ServiceEndpoint=\"{}\" ContainerName=\"{}\">",
            escape(self.endpoint),
            escape(self.container)
        );
        echo(&mut xml, "Prefix", self.prefix);
        echo(&mut xml, "Marker", self.marker);
        echo(&mut xml, "MaxResults", self.max_results.map(|n| n.to_string()).as_deref());
        echo(&mut xml, "Delimiter", self.delimiter);
        xml.push_str("<Blobs>");
        for item in &self.items {
            match item {
                BlobItem::Prefix(name) => {
                    xml.push_str("<BlobPrefix>");
                    name_element(&mut xml, name);
                    xml.push_str("</BlobPrefix>");
                }
                BlobItem::Blob { name, properties, metadata: pairs, tags } => {
                    xml.push_str("<Blob>");
                    name_element(&mut xml, name);
                    xml.push_str("<Properties>");
                    for (name, value) in properties {
                        element(&mut xml, name, value);
                    }
                    xml.push_str("</Properties>");
                    metadata(&mut xml, pairs.as_ref());
                    if !tags.is_empty() {
                        tag_set(&mut xml, tags);
                    }
                    xml.push_str("<OrMetadata /></Blob>");
                }
            }
        }
        xml.push_str("</Blobs>");
        element(&mut xml, "NextMarker", self.next_marker.as_deref().unwrap_or_default());
        xml.push_str("</EnumerationResults>");
        xml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_encoded_and_empty_lists_are_whole() {
        let listing = BlobListing {
            endpoint: "https://a.blob.core.s/",
            container: "c",
            prefix: Some(""),
            marker: None,
            max_results: None,
            delimiter: None,
            items: vec![BlobItem::Prefix("a&b/".into()), BlobItem::Prefix("x\u{1}y".into())],
            next_marker: None,
        };
        let xml = listing.to_xml();
        assert!(xml.contains("<Prefix /><Blobs><BlobPrefix><Name>a&amp;b/</Name>"), "{xml}");
        assert!(
            xml.contains("<Name Encoded=\"true\">x%01y</Name>")
                && xml.ends_with("<NextMarker /></EnumerationResults>")
        );
    }
}
