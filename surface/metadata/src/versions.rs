//! api-versions.

use cs_serve::{Query, Response};

use crate::{Service, failure};

/// Of the original IMDS (metadata.md 3.2), ascending; newer ones may be asked for too.
pub(crate) const KNOWN: &[&str] = &[
    "2017-03-01",
    "2017-04-02",
    "2017-08-01",
    "2017-10-01",
    "2017-12-01",
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
    "2023-11-15",
    "2025-04-07",
];

/// What an IMDS error names, newest first.
pub(crate) const NEWEST: [&str; 3] = ["2021-12-13", "2021-11-15", "2021-11-01"];

/// HIMDS began here.
const HIMDS_FIRST: &str = "2019-03-11";

/// Whether a version is served: HIMDS takes every date from its first on, IMDS its list and every date after it.
pub(crate) fn served(service: Service, version: &str) -> bool {
    if !is_date(version) {
        return false;
    }
    match service {
        Service::Himds => version >= HIMDS_FIRST,
        Service::Imds | Service::AppService | Service::CloudShell => {
            KNOWN.contains(&version) || KNOWN.last().is_some_and(|newest| version > *newest)
        }
    }
}

/// Whether the token path takes it: every date (metadata.md 1.1, 3.4).
pub(crate) fn is_date(version: &str) -> bool {
    let date = version.get(..10).unwrap_or_default().as_bytes();
    let digits = |range: std::ops::Range<usize>| date[range].iter().all(u8::is_ascii_digit);
    date.len() == 10
        && digits(0..4)
        && date[4] == b'-'
        && digits(5..7)
        && date[7] == b'-'
        && digits(8..10)
        && matches!(&version[10..], "" | "-preview")
}

/// What IMDS says to a request without a version that it serves.
pub(crate) fn missing(query: &Query) -> Response {
    failure::version(match query.get("api-version") {
        None => {
            "Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds"
        }
        Some(_) => "Bad request. api-version is invalid or was not specified in the request.",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,16}", date in "[0-9]{4}-[0-9]{2}-[0-9]{2}") {
            let _ = served(Service::Imds, &text);
            prop_assert!(is_date(&date));
            prop_assert!(!is_date(&text) || text.is_ascii());
        }
    }

    #[test]
    fn dates() {
        assert!(served(Service::Himds, "2019-11-01") && served(Service::Himds, "2030-01-01"));
        assert!(served(Service::Imds, "2018-02-01") && !served(Service::Imds, "2018-02-02"));
        for bad in ["", "2019-11", "latest", "2019-11-01x", "20191101", "2018-01-01é"] {
            assert!(!served(Service::Himds, bad), "{bad}");
        }
    }
}
