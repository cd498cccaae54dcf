//! One id for all that a call causes, on every surface.

use cs_ids::CorrelationId;
use http::HeaderMap;
use uuid::Uuid;

use crate::single;

/// Says it outright.
pub const CORRELATION: &str = "x-ms-correlation-request-id";
/// W3C Trace Context: its trace id is as long as a UUID, and is one to us.
pub const TRACEPARENT: &str = "traceparent";

/// The id a caller sends, by name or within its trace. What is malformed or sent twice is none.
pub fn correlation(headers: &HeaderMap) -> Option<CorrelationId> {
    let one = |name| single(headers, name).ok().flatten();
    let named = one(CORRELATION).and_then(|id| id.parse().ok());
    named.or_else(|| one(TRACEPARENT).and_then(trace_id).map(CorrelationId::from))
}

/// What a caller sends to have it carried on.
pub fn traceparent(id: CorrelationId, span: u64) -> String {
    format!("00-{}-{:016x}-01", id.uuid().as_simple(), span.max(1))
}

/// `00-<trace id>-<parent id>-<flags>`; of later versions the beginning (Trace Context, 3.2).
fn trace_id(text: &str) -> Option<Uuid> {
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    let trace = Uuid::try_parse(trace).ok().filter(|id| !id.is_nil())?;
    (whole && known && parent.bytes().any(|b| b != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        correlation(&headers).map(|id| id.to_string())
    }

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const AS_ID: &str = "0af76519-16cd-43dd-8448-eb211c80319c";
    const NAMED: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn the_name_goes_before_the_trace() {
        assert_eq!(of(&[(TRACEPARENT, TRACE)]).unwrap(), AS_ID);
        assert_eq!(of(&[(CORRELATION, NAMED), (TRACEPARENT, TRACE)]).unwrap(), NAMED);
        assert_eq!(of(&[(CORRELATION, "x"), (TRACEPARENT, TRACE)]).unwrap(), AS_ID);
        assert_eq!(of(&[]), None);
        let id: CorrelationId = NAMED.parse().unwrap();
        assert_eq!(of(&[(TRACEPARENT, &traceparent(id, 7))]).unwrap(), NAMED);
    }

    #[test]
    fn h06_what_is_no_trace_is_none() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af76519-16cd-43dd-8448-eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(of(&[(TRACEPARENT, bad)]), None, "{bad}");
        }
        assert_eq!(of(&[(CORRELATION, NAMED), (CORRELATION, NAMED)]), None, "twice is none");
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert_eq!(of(&[(TRACEPARENT, later)]).unwrap(), AS_ID);
    }
}
