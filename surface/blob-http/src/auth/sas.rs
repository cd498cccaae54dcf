//! Shared access signatures (blob.md 4.3): what they say, whether it is true, and what it allows.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use cs_blob::DelegationKey;
use cs_ids::{ObjectId, TenantId};
use cs_seal::MacKey;
use cs_time::Timestamp;

use super::{
    Asked,
    sas_text::{field, of_account, of_service, of_user},
};
use crate::{
    doors::{Level, Op},
    failure::{Code, Failure},
};

/// Letters of `sp` there are; any other is refused (F04).
const LETTERS: &str = "racwdxyltfmeopiu";
/// Every name that a signature may use: none of them may come twice.
const NAMES: [&str; 32] = [
    "sv", "sig", "st", "se", "sp", "sip", "spr", "ss", "srt", "sr", "si", "ses", "rscc", "rscd", "rsce",
    "rscl", "rsct", "skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid", "sduoid",
    "skdutid", "srh", "srq", "sdd", "snapshot",
];

/// A signature that has been verified.
#[derive(Debug, Clone)]
pub(crate) struct Sas {
    kind: Kind,
    letters: String,
    /// The key it was made with.
    pub key: &'static str,
    /// Headers of the answer that it sets.
    pub overrides: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone)]
enum Kind {
    Account {
        services: String,
        types: String,
    },
    /// For a container with its blobs, or for one blob.
    Service {
        container: bool,
    },
    User {
        container: bool,
        object: ObjectId,
    },
}

/// How much of an operation a signature allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    Whole,
    /// Only where nothing is written over.
    OnlyNew,
}

impl Sas {
    /// Reads and verifies the signature of a request.
    pub(crate) fn verify(asked: &Asked<'_>) -> Result<Self, Failure> {
        let query = asked.query;
        let twice =
            NAMES.iter().any(|name| query.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).count() > 1);
        let letters = field(query, "sp").to_owned();
        if twice
            || !crate::headers::is_version(field(query, "sv"))
            || letters.chars().any(|c| !LETTERS.contains(c))
        {
            return Err(malformed("a parameter of the signature is missing, not known, or given twice"));
        }
        let (kind, key) = Self::signed_by(asked)?;
        in_time(asked)?;
        from_where(asked)?;
        Ok(Self { kind, letters, key, overrides: overrides(asked)? })
    }

    fn signed_by(asked: &Asked<'_>) -> Result<(Kind, &'static str), Failure> {
        let query = asked.query;
        let mac = STANDARD.decode(field(query, "sig")).map_err(|_| malformed("sig is not base64"))?;
        if query.get("ss").is_some() || query.get("srt").is_some() {
            let key = by_account_key(asked, &of_account(asked), &mac)?;
            let (services, types) = (field(query, "ss").to_owned(), field(query, "srt").to_owned());
            return Ok((Kind::Account { services, types }, key));
        }
        let container = match field(query, "sr") {
            "c" => true,
            "b" | "bs" | "bv" => false,
            // Directories are of hierarchical accounts, which there are none of.
            _ => return Err(malformed("sr is none of b, c, bs and bv")),
        };
        if query.get("skoid").is_none() {
            // Stored policies belong to a container's access list; without one, there is nothing to refer to.
            if query.get("si").is_some() {
                return Err(malformed("si names a policy that is not there"));
            }
            let key = by_account_key(asked, &of_service(asked), &mac)?;
            return Ok((Kind::Service { container }, key));
        }
        let object = by_user_key(asked, &mac)?;
        Ok((Kind::User { container, object }, "user delegation key"))
    }

    /// The user whose rights bound it.
    pub(crate) fn user(&self) -> Option<ObjectId> {
        match self.kind {
            Kind::User { object, .. } => Some(object),
            Kind::Account { .. } | Kind::Service { .. } => None,
        }
    }

    /// What kind it is, for the audit record.
    pub(crate) fn by(&self) -> &'static str {
        match self.kind {
            Kind::Account { .. } => "account signature",
            Kind::Service { .. } => "service signature",
            Kind::User { .. } => "user delegation signature",
        }
    }

    /// Whether it allows an operation.
    pub(crate) fn permits(&self, op: Op) -> Result<Granted, Failure> {
        let (level, any_of) = op.signed_rights();
        match &self.kind {
            Kind::Account { services, types } => {
                if !services.contains('b') {
                    return Err(Code::SERVICE_MISMATCH.into());
                }
                if level.letter().is_some_and(|letter| !types.contains(letter)) {
                    return Err(Code::RESOURCE_TYPE_MISMATCH.into());
                }
            }
            Kind::Service { container } | Kind::User { container, .. } => {
                let fits = match level {
                    Level::Object | Level::Any => true,
                    // Of a container's own operations, its signature reaches to the listing only.
                    Level::Container => *container && op == Op::ListBlobs,
                    Level::Service => false,
                };
                if !fits {
                    return Err(Code::RESOURCE_TYPE_MISMATCH.into());
                }
            }
        }
        if level == Level::Any || self.letters.chars().any(|c| any_of.contains(c)) {
            return Ok(Granted::Whole);
        }
        if op.makes_blobs() && self.letters.contains('c') {
            return Ok(Granted::OnlyNew);
        }
        Err(Code::PERMISSION_MISMATCH.into())
    }
}

fn malformed(detail: &str) -> Failure {
    Failure::authentication(format!("Signature fields not well formed: {detail}."))
}

fn did_not_match(text: &str) -> Failure {
    let shown = text.replace('\n', "\\n");
    Failure::authentication(format!("Signature did not match. String to sign used was {shown}"))
}

fn by_account_key(asked: &Asked<'_>, text: &str, mac: &[u8]) -> Result<&'static str, Failure> {
    if asked.account.keys.is_empty() {
        return Err(Code::KEYS_OFF.into());
    }
    let key = asked.account.keys.iter().find(|(_, key)| key.verifies(text.as_bytes(), mac));
    key.map(|(name, _)| *name).ok_or_else(|| did_not_match(text))
}

/// The key follows from what the signature says of it; if any of that is not as it was handed out, nothing matches.
fn by_user_key(asked: &Asked<'_>, mac: &[u8]) -> Result<ObjectId, Failure> {
    let query = asked.query;
    let time = |name| moment(field(query, name)).ok_or_else(|| malformed("skt or ske is no time"));
    let (start, expiry) = (time("skt")?, time("ske")?);
    let key = DelegationKey {
        object: field(query, "skoid").to_owned(),
        tenant: field(query, "sktid").to_owned(),
        start: start.seconds(),
        expiry: expiry.seconds(),
        service: field(query, "sks").to_owned(),
        version: field(query, "skv").to_owned(),
    };
    let object = key.object.parse().map_err(|_| malformed("skoid is no object id"))?;
    let tenant: TenantId = key.tenant.parse().map_err(|_| malformed("sktid is no tenant id"))?;
    // Whoever may act for another user is told apart by rights on files, which there are none of; and a signature bound
    // to a user would need that user's token beside it.
    if [field(query, "suoid"), field(query, "sduoid")].iter().any(|id| !id.is_empty()) {
        return Err(malformed("suoid and sduoid are not supported"));
    }
    let text = of_user(asked);
    let value = asked.account.delegation(&key).ok_or_else(|| did_not_match(&text))?;
    if tenant != asked.account.tenant
        || key.service != "b"
        || !MacKey::new(&value).verifies(text.as_bytes(), mac)
    {
        return Err(did_not_match(&text));
    }
    // F05: the key itself has run out.
    if asked.now < start || asked.now >= expiry {
        return Err(out_of_time(asked.now, "skt", "ske", asked));
    }
    Ok(object)
}

fn out_of_time(now: Timestamp, start: &str, expiry: &str, asked: &Asked<'_>) -> Failure {
    Failure::authentication(format!(
        "Signature not valid in the specified time frame: Start [{}] - Expiry [{}] - Current [{}]",
        field(asked.query, start),
        field(asked.query, expiry),
        now.rfc1123()
    ))
}

fn in_time(asked: &Asked<'_>) -> Result<(), Failure> {
    let expiry = moment(field(asked.query, "se")).ok_or_else(|| malformed("se is missing or no time"))?;
    let start = match field(asked.query, "st") {
        "" => None,
        text => Some(moment(text).ok_or_else(|| malformed("st is no time"))?),
    };
    if asked.now >= expiry || start.is_some_and(|start| asked.now < start) {
        return Err(out_of_time(asked.now, "st", "se", asked));
    }
    Ok(())
}

/// `2026-01-01`, `2026-01-01T00:00Z`, `2026-01-01T00:00:00Z`, with fractions or without.
fn moment(text: &str) -> Option<Timestamp> {
    match text.len() {
        10 => Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")),
        17 => Timestamp::parse_rfc3339(&format!("{}:00Z", text.strip_suffix('Z')?)),
        _ => Timestamp::parse_rfc3339(text),
    }
}

fn from_where(asked: &Asked<'_>) -> Result<(), Failure> {
    match field(asked.query, "spr") {
        "" | "https,http" => {}
        "https" if asked.peer.tls => {}
        "https" => return Err(Code::PROTOCOL_MISMATCH.into()),
        _ => return Err(malformed("spr is neither https nor https,http")),
    }
    let allowed = field(asked.query, "sip");
    if allowed.is_empty() {
        return Ok(());
    }
    let (first, last) = allowed.split_once('-').unwrap_or((allowed, allowed));
    let bounds = first.parse::<IpAddr>().ok().zip(last.parse::<IpAddr>().ok());
    let (first, last) = bounds.ok_or_else(|| malformed("sip is no address"))?;
    let peer = asked.peer.address.map(|a| a.ip().to_canonical());
    // Addresses of one kind compare by their numbers; of two kinds, neither lies between the other's.
    let inside = peer.is_some_and(|peer| {
        peer.is_ipv4() == first.is_ipv4() && peer.is_ipv4() == last.is_ipv4() && first <= peer && peer <= last
    });
    if inside { Ok(()) } else { Err(Code::SOURCE_IP_MISMATCH.into()) }
}

/// Headers of the answer; what would end a header's line is refused (F06).
fn overrides(asked: &Asked<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut all = Vec::new();
    for (name, header) in [
        ("rscc", "cache-control"),
        ("rscd", "content-disposition"),
        ("rsce", "content-encoding"),
        ("rscl", "content-language"),
        ("rsct", "content-type"),
    ] {
        let value = field(asked.query, name);
        if value.chars().any(char::is_control) {
            return Err(Failure::query(Code::INVALID_QUERY, name, value));
        }
        if !value.is_empty() {
            all.push((header, value.to_owned()));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_three_lengths() {
        let at = Some(Timestamp::from_seconds(1_767_225_600));
        for text in
            ["2026-01-01", "2026-01-01T00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0000000Z"]
        {
            assert_eq!(moment(text), at, "{text}");
        }
        for bad in ["", "2026", "2026-13-01", "2026-01-01T25:00Z", "now", "2026-01-01T00:00:00"] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
