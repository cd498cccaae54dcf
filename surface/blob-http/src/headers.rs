//! Headers in and out: versions, names, metadata, properties, conditions, ranges.

use std::ops::Range;

use cs_blob::{BlobError, BlobProperties, BlobRow, Conditions};
use cs_ids::ContainerName;
use cs_serve::{Query, Response, Spelling, single};
use cs_time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    failure::{Code, Failure},
    leases,
};

/// All metadata of a blob or container together (blob.md 6).
const METADATA_MAX_BYTES: usize = 8 * 1024;
const BLOB_NAME_MAX_CHARS: usize = 1024;
const BLOB_NAME_MAX_SEGMENTS: usize = 254;

/// `YYYY-MM-DD`, any: clients move every month.
pub(crate) fn is_version(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// Names of containers and blobs. Blob names are opaque: dots and slashes in them mean nothing here (F08).
pub(crate) fn check_names(container: &str, blob: &str) -> Result<(), Failure> {
    if !container.is_empty() && container.parse::<ContainerName>().is_err() {
        let fits = (3..=63).contains(&container.len());
        return Err(if fits { Code::INVALID_RESOURCE_NAME } else { Code::OUT_OF_RANGE_INPUT }.into());
    }
    if blob.chars().count() > BLOB_NAME_MAX_CHARS || blob.split('/').count() > BLOB_NAME_MAX_SEGMENTS {
        return Err(Code::OUT_OF_RANGE_INPUT.into());
    }
    if blob.contains('\0') {
        return Err(Code::INVALID_RESOURCE_NAME.into());
    }
    Ok(())
}

/// A header that stands at most once.
pub(crate) fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Failure> {
    single(headers, name).map_err(|()| Failure::header(name, "given twice or not text"))
}

pub(crate) const METADATA: &str = "x-ms-meta-";

/// `x-ms-meta-*`, with their names as they were written. Names are C# identifiers, kept in the given case and compared without.
pub(crate) fn metadata(headers: &HeaderMap, written: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut size = 0;
    for (name, value) in headers {
        let as_written = written.iter().find(|written| written.eq_ignore_ascii_case(name.as_str()));
        let name = as_written.map_or(name.as_str(), String::as_str);
        let Some(name) =
            name.get(METADATA.len()..).filter(|_| name[..METADATA.len()].eq_ignore_ascii_case(METADATA))
        else {
            continue;
        };
        let value = value.to_str().map_err(|_| Code::INVALID_METADATA)?;
        let identifier = name
            .bytes()
            .enumerate()
            .all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || i > 0 && b.is_ascii_digit());
        if name.is_empty() || !identifier || all.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
            return Err(Code::INVALID_METADATA.into());
        }
        size += name.len() + value.len();
        if size > METADATA_MAX_BYTES {
            return Err(Code::METADATA_TOO_LARGE.into());
        }
        all.push((name.to_owned(), value.to_owned()));
    }
    all.sort();
    Ok(all)
}

/// `x-ms-blob-*`, and where `plain` says so the standard headers behind them (Put Blob).
pub(crate) fn properties(headers: &HeaderMap, plain: bool) -> Result<BlobProperties, Failure> {
    let get = |special: &'static str, standard: &'static str| -> Result<Option<String>, Failure> {
        let found = match one(headers, special)? {
            Some(value) => Some(value),
            None if plain => one(headers, standard)?,
            None => None,
        };
        Ok(found.filter(|v| !v.is_empty()).map(str::to_owned))
    };
    Ok(BlobProperties {
        content_type: get("x-ms-blob-content-type", "content-type")?,
        content_encoding: get("x-ms-blob-content-encoding", "content-encoding")?,
        content_language: get("x-ms-blob-content-language", "content-language")?,
        content_disposition: one(headers, "x-ms-blob-content-disposition")?.map(str::to_owned),
        cache_control: get("x-ms-blob-cache-control", "cache-control")?,
        content_md5: md5(headers, "x-ms-blob-content-md5")?,
        access_tier: None,
        tags: Vec::new(),
    })
}

/// A base64 MD5.
pub(crate) fn md5(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Failure> {
    use base64::Engine;
    let Some(text) = one(headers, name)?.filter(|t| !t.is_empty()) else { return Ok(None) };
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == 16 => Ok(Some(text.to_owned())),
        _ => Err(Code::INVALID_MD5.into()),
    }
}

/// `x-ms-content-crc64`: eight bytes in base64.
pub(crate) fn crc64(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    use base64::Engine;
    const NAME: &str = "x-ms-content-crc64";
    let Some(text) = one(headers, NAME)?.filter(|t| !t.is_empty()) else { return Ok(None) };
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == 8 => Ok(Some(text.to_owned())),
        _ => Err(Failure::header(NAME, text)),
    }
}

/// A header that says `true` or `false`.
pub(crate) fn flag(headers: &HeaderMap, name: &'static str) -> Result<bool, Failure> {
    match one(headers, name)? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(text) => Err(Failure::header(name, text)),
    }
}

/// The same where absent means something.
pub(crate) fn flag_or(headers: &HeaderMap, name: &'static str, absent: bool) -> Result<bool, Failure> {
    if headers.contains_key(name) { flag(headers, name) } else { Ok(absent) }
}

/// What is not built must not be taken for done: keys of the customer, conditions on tags, earlier states of a blob.
pub(crate) fn only_what_is_built(headers: &HeaderMap, query: &Query, blob: &str) -> Result<(), Failure> {
    // `x-ms-encryption-algorithm: AES256` alone names no key: @azure/storage-blob before 12.9 writes it into every request.
    let of_a_key = |name: &str| name.starts_with("x-ms-encryption-") && name != "x-ms-encryption-algorithm";
    if headers.keys().any(|name| of_a_key(name.as_str())) {
        return Err(Code::CUSTOMER_KEYS.into());
    }
    if let Some(other) = one(headers, "x-ms-encryption-algorithm")?.filter(|sent| *sent != "AES256") {
        return Err(Failure::header("x-ms-encryption-algorithm", other));
    }
    let sent = |name: &str| headers.get_all(name).iter().any(|value| !value.is_empty());
    if ["x-ms-if-tags", "x-ms-source-if-tags"].into_iter().any(sent) {
        return Err(Code::NOT_IMPLEMENTED.into());
    }
    // There never was a snapshot or version, so none can be found: least of all the blob itself in its stead.
    if !blob.is_empty() && (query.get("snapshot").is_some() || query.get("versionid").is_some()) {
        return Err(Code::BLOB_NOT_FOUND.into());
    }
    Ok(())
}

/// `If-*` headers, and the lease that is shown.
pub(crate) fn conditions(headers: &HeaderMap) -> Result<Conditions, Failure> {
    const NAMES: [&str; 4] = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];
    Ok(Conditions { lease: leases::id(headers, "x-ms-lease-id")?, ..conditions_named(headers, NAMES)? })
}

/// What a copy demands of its source.
pub(crate) fn source_conditions(headers: &HeaderMap) -> Result<Conditions, Failure> {
    const NAMES: [&str; 4] = [
        "x-ms-source-if-match",
        "x-ms-source-if-none-match",
        "x-ms-source-if-modified-since",
        "x-ms-source-if-unmodified-since",
    ];
    conditions_named(headers, NAMES)
}

fn conditions_named(headers: &HeaderMap, names: [&'static str; 4]) -> Result<Conditions, Failure> {
    let etag = |name| -> Result<Option<String>, Failure> {
        Ok(one(headers, name)?.map(|v| v.trim().trim_matches('"').to_owned()))
    };
    let date = |name: &'static str| -> Result<Option<Timestamp>, Failure> {
        let Some(text) = one(headers, name)? else { return Ok(None) };
        Timestamp::parse_rfc1123(text).map(Some).ok_or_else(|| Failure::header(name, text))
    };
    let all = Conditions {
        if_match: etag(names[0])?,
        if_none_match: etag(names[1])?,
        if_modified_since: date(names[2])?,
        if_unmodified_since: date(names[3])?,
        lease: None,
    };
    if all.if_match.is_some() && all.if_none_match.is_some() {
        return Err(Code::MULTIPLE_CONDITIONS.into());
    }
    Ok(all)
}

/// What of a blob is asked for: `x-ms-range` before `Range`; a range that is not understood is no range (RFC 9110).
pub(crate) fn range(headers: &HeaderMap, length: u64) -> Result<Option<Range<u64>>, BlobError> {
    let text = ["x-ms-range", "range"].into_iter().find_map(|name| single(headers, name).ok().flatten());
    picked(text, length)
}

/// What of its source a copy takes.
pub(crate) fn source_range(headers: &HeaderMap, length: u64) -> Result<Option<Range<u64>>, BlobError> {
    picked(single(headers, "x-ms-source-range").ok().flatten(), length)
}

fn picked(text: Option<&str>, length: u64) -> Result<Option<Range<u64>>, BlobError> {
    let Some(spec) = text.and_then(|t| t.trim().strip_prefix("bytes=")) else { return Ok(None) };
    let Some((from, to)) = spec.split_once('-') else { return Ok(None) };
    let number = |text: &str| -> Option<u64> {
        // A number beyond 64 bits is beyond every blob.
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX))
    };
    let invalid = || BlobError::InvalidRange { length };
    let picked = match (from.trim(), to.trim()) {
        ("", "") => return Ok(None),
        ("", last) => {
            let Some(last) = number(last) else { return Ok(None) };
            length.saturating_sub(last)..length
        }
        (first, last) => {
            let Some(first) = number(first) else { return Ok(None) };
            let last = match last {
                "" => u64::MAX,
                last => match number(last) {
                    Some(last) if last >= first => last,
                    Some(_) => return Err(invalid()),
                    None => return Ok(None),
                },
            };
            first..last.saturating_add(1).min(length)
        }
    };
    if picked.start >= length || picked.start >= picked.end {
        return Err(invalid());
    }
    Ok(Some(picked))
}

pub(crate) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// ETag (in quotes) and Last-Modified.
pub(crate) fn stamp(headers: &mut HeaderMap, etag: &str, modified: Timestamp) {
    put(headers, "etag", &format!("\"{etag}\""));
    put(headers, "last-modified", &modified.rfc1123());
}

pub(crate) fn put_metadata(response: &mut Response, metadata: &[(String, String)]) {
    let mut spelled = Vec::new();
    for (name, value) in metadata {
        let full = format!("{METADATA}{name}");
        if let (Ok(header), Ok(value)) =
            (HeaderName::from_bytes(full.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().insert(header, value);
        }
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            spelled.push(full);
        }
    }
    if !spelled.is_empty() {
        response.extensions_mut().insert(Spelling(spelled));
    }
}

/// What GET and HEAD of a blob say about it; `ranged` moves the MD5 of the whole aside.
pub(crate) fn describe(response: &mut Response, blob: &BlobRow, ranged: bool, now: Timestamp) {
    put_metadata(response, &blob.metadata);
    let headers = response.headers_mut();
    stamp(headers, &blob.etag, blob.modified);
    let p = &blob.properties;
    put(headers, "content-type", p.content_type.as_deref().unwrap_or("application/octet-stream"));
    let md5 = if ranged { "x-ms-blob-content-md5" } else { "content-md5" };
    for (name, value) in [
        ("content-encoding", &p.content_encoding),
        ("content-language", &p.content_language),
        ("content-disposition", &p.content_disposition),
        ("cache-control", &p.cache_control),
        (md5, &p.content_md5),
    ] {
        if let Some(value) = value {
            put(headers, name, value);
        }
    }
    put(headers, "x-ms-creation-time", &blob.created.rfc1123());
    for (name, value) in
        [("accept-ranges", "bytes"), ("x-ms-blob-type", "BlockBlob"), ("x-ms-server-encrypted", "true")]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    leases::describe(headers, blob.lease.as_ref(), now);
    put(headers, "x-ms-access-tier", p.access_tier.as_deref().unwrap_or("Hot"));
    if p.access_tier.is_none() {
        put(headers, "x-ms-access-tier-inferred", "true");
    }
    if !p.tags.is_empty() {
        put(headers, "x-ms-tag-count", &p.tags.len().to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &str, length: u64) -> Result<Option<Range<u64>>, ()> {
        let mut headers = HeaderMap::new();
        headers.insert("range", HeaderValue::from_str(spec).unwrap());
        range(&headers, length).map_err(|_| ())
    }

    #[test]
    fn ranges() {
        assert_eq!(of("bytes=0-3", 10), Ok(Some(0..4)));
        assert_eq!(of("bytes=4-", 10), Ok(Some(4..10)));
        assert_eq!(of("bytes=-3", 10), Ok(Some(7..10)));
        assert_eq!(of("bytes=0-33554431", 3), Ok(Some(0..3)));
        assert_eq!(of("lines=0-3", 10), Ok(None));
    }

    proptest::proptest! {
        /// Whatever is asked for lies within the blob, begins where it was asked to and is as long as it can be.
        #[test]
        fn any_range_lies_within(first: u64, last: u64, length: u64) {
            let picked = of(&format!("bytes={first}-{last}"), length);
            if first <= last && first < length {
                let end = u64::min(last, length - 1) + 1;
                proptest::prop_assert_eq!(picked, Ok(Some(first..end)));
            } else {
                proptest::prop_assert_eq!(picked, Err(()));
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in "bytes=[0-9, -]{0,40}", length in 0..100u64) {
            if let Ok(Some(range)) = of(&text, length) {
                proptest::prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }

    #[test]
    fn f10_ranges_beyond_everything() {
        assert_eq!(of("bytes=0-18446744073709551615", 10), Ok(Some(0..10)));
        assert_eq!(of("bytes=0-99999999999999999999999", 10), Ok(Some(0..10)));
        assert_eq!(of("bytes=99999999999999999999999-", 10), Err(()));
        assert_eq!(of("bytes=10-", 10), Err(()));
        assert_eq!(of("bytes=3-2", 10), Err(()));
        assert_eq!(of("bytes=0-", 0), Err(()), "an empty blob has no range");
        assert_eq!(of("bytes=0-1,4-5", 10), Ok(None), "several ranges are not served as several");
    }

    #[test]
    fn f08_names_are_opaque_and_bounded() {
        for good in ["..", "a/../b", "%2e", "dir//x", ".", "a b+ü.txt"] {
            assert!(check_names("box", good).is_ok(), "{good}");
        }
        for bad in ["a\0b", &"x".repeat(1025), &"a/".repeat(254)] {
            assert!(check_names("box", bad).is_err());
        }
        assert!(check_names("Box", "a").is_err() && check_names("..", "a").is_err());
    }
}
