//! What clients send, in each protocol.

use bytes::{Bytes, BytesMut};
use cs_wire_arm::{Filter, MoveBody, ResourceBody, TagsBody, kql};
use cs_wire_blob::{KeyInfo, parse_block_list, parse_tags, write_tags};
use cs_wire_postgres::{
    ErrorFields, First, Framing, PASSWORD_MAX_BYTES, first_length, message_length, read_backend_key,
    read_first, read_password, read_row,
};
use cs_wire_vault::SecretParameters;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "filter",
        run: |bytes| text(bytes, |text| drop(Filter::parse(text))),
        seeds: &[
            b"tagName eq 'env' and tagValue eq 'prod''s'",
            b"(resourceType eq 'a/b' or startswith(tagName, 'x')) and atScope()",
            b"servicePrincipalNames/any(c:c eq 'x')",
            b"eventTimestamp ge '2026-01-01T00:00:00Z'",
        ],
    },
    Target {
        name: "kql",
        run: |bytes| text(bytes, |text| drop(kql::Query::parse(text))),
        seeds: &[
            b"Resources | where type =~ 'microsoft.hybridcompute/machines' and tags.env has 'x' | project name, os = properties.osName | order by name desc | take 5",
            b"resourcecontainers | summarize count() by type | limit 1000",
            b"Resources | extend a = tolower(tostring(tags['b c'])) | where not(isempty(a)) | distinct a | project-away id",
        ],
    },
    Target {
        name: "resource_body",
        run: resource_body,
        seeds: &[
            b"{\"location\":\"local\",\"tags\":{\"a\":\"b\"},\"properties\":{\"x\":1},\"identity\":{\"type\":\"SystemAssigned\"}}",
            b"{\"operation\":\"Merge\",\"properties\":{\"tags\":{\"a\":\"b\"}}}",
            b"{\"resources\":[\"/subscriptions/x\"],\"targetResourceGroup\":\"/y\"}",
        ],
    },
    Target {
        name: "block_list",
        run: block_list,
        seeds: &[
            b"<?xml version=\"1.0\"?><BlockList><Latest>AAAA</Latest><Committed>BBBB</Committed><Uncommitted>&amp;</Uncommitted></BlockList>",
            b"<BlockList/>",
            b"<!DOCTYPE x [<!ENTITY a \"b\">]><BlockList><Latest>&a;</Latest></BlockList>",
        ],
    },
    Target {
        name: "blob_tags",
        run: blob_tags,
        seeds: &[b"<Tags><TagSet><Tag><Key>a</Key><Value>b &lt; c</Value></Tag></TagSet></Tags>", b"<Tags><TagSet/></Tags>",
            // Read once, and written as what it is not.
            b"<Tags><TagSet><Tag><Key>a</Key><Value>\0\0</Value></Tag></TagSet></Tags>",
        ],
    },
    Target {
        name: "key_info",
        run: |bytes| drop(KeyInfo::parse(bytes)),
        seeds: &[b"<KeyInfo><Start>2026-01-01T00:00:00Z</Start><Expiry>2026-01-02T00:00:00Z</Expiry></KeyInfo>"],
    },
    Target {
        name: "secret_body",
        run: |bytes| drop(serde_json::from_slice::<SecretParameters>(bytes)),
        seeds: &[b"{\"value\":\"x\",\"contentType\":\"t\",\"tags\":{\"a\":\"b\"},\"attributes\":{\"enabled\":true,\"exp\":1}}"],
    },
    Target {
        name: "postgres_first",
        run: postgres_first,
        seeds: &[
            b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
            b"\x00\x00\x00\x21\x00\x03\x00\x00user\x00a\x00database\x00b\x00_pq_.x\x00y\x00\x00",
            b"\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x07abcd",
        ],
    },
    Target {
        name: "postgres_messages",
        run: postgres_messages,
        seeds: &[
            b"R\x00\x00\x00\x08\x00\x00\x00\x00K\x00\x00\x00\x0c\x00\x00\x00\x07abcdZ\x00\x00\x00\x05I",
            b"E\x00\x00\x00\x0eSFATAL\x00C1\x00\x00",
            b"p\x00\x00\x00\x0atoken\x00",
            b"D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x01a",
        ],
    },
    Target {
        name: "postgres_framing",
        run: postgres_framing,
        seeds: &[b"\x03Z\x00\x00\x00\x05IQ\x00\x00\x00\x06a\x00", b"\x01d\x00\x00\x00\x04"],
    },
];

fn resource_body(bytes: &[u8]) {
    if let Ok(body) = ResourceBody::parse("Microsoft.KeyVault/vaults", bytes) {
        drop(body.tags());
    }
    if let Ok(body) = TagsBody::parse(bytes) {
        drop(body.tags());
    }
    drop(serde_json::from_slice::<MoveBody>(bytes));
}

/// No entity is ever followed: what was read is not longer than what was sent.
fn block_list(bytes: &[u8]) {
    if let Some(list) = parse_block_list(bytes) {
        assert!(list.iter().map(|entry| entry.id.len()).sum::<usize>() <= bytes.len());
    }
}

fn blob_tags(bytes: &[u8]) {
    if let Some(tags) = parse_tags(bytes) {
        assert_eq!(parse_tags(write_tags(&tags).as_bytes()), Some(tags));
    }
}

fn postgres_first(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return };
    let Ok(length) = first_length(*head) else { return };
    let packet = Bytes::copy_from_slice(&rest[..length.min(rest.len())]);
    if let Ok(First::Startup(startup)) = read_first(&packet) {
        drop((startup.single("user"), startup.protocol_options()));
        // What is passed on is itself a good first packet.
        let passed = startup.passed_on(&["user"]).map(|(name, value)| (&name[..], &value[..]));
        let again = cs_wire_postgres::startup(startup.version, passed).freeze();
        if startup.version.major == 3 {
            assert!(read_first(&again.slice(4..)).is_ok());
        }
    }
}

fn postgres_messages(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some((kind, body))) = cs_wire_postgres::parse(&mut buffer) {
        let fields = ErrorFields::of(body.clone());
        drop((fields.code(), fields.message(), fields.get(kind)));
        drop((read_backend_key(body.clone()), read_row(body.clone())));
        let _ = read_password(&body);
    }
    if let Some(Ok(length)) = bytes.first_chunk::<4>().map(|head| message_length(*head, PASSWORD_MAX_BYTES)) {
        assert!(length <= PASSWORD_MAX_BYTES);
    }
}

/// However a stream is cut, its boundaries lie where they lie when it comes at once.
fn postgres_framing(bytes: &[u8]) {
    let Some((step, stream)) = bytes.split_first() else { return };
    let mut whole = Framing::default();
    whole.follow(stream);
    let mut cut = Framing::default();
    stream.chunks(usize::from(*step).max(1)).for_each(|chunk| cut.follow(chunk));
    assert_eq!(
        (whole.at_boundary(), whole.to_boundary(), whole.is_idle(), whole.is_ready()),
        (cut.at_boundary(), cut.to_boundary(), cut.is_idle(), cut.is_ready())
    );
}
