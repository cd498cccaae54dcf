//! One point in time and the spellings Azure mixes.

use jiff::{civil, fmt::strtime, tz::TimeZone};

/// Microseconds since 1970-01-01T00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as tokens and Key Vault count.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// `Thu, 01 Jan 2026 00:00:00 GMT` (RFC 1123, HTTP dates and Blob listings).
    pub fn rfc1123(self) -> String {
        self.format("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// `2026-01-01T00:00:00.0000000Z` (seven digits, as the resource manager and Blob print).
    pub fn iso7(self) -> String {
        format!("{}.{:07}Z", self.format("%Y-%m-%dT%H:%M:%S"), self.0.rem_euclid(1_000_000) * 10)
    }

    /// `2026-01-01T00:00:00Z` (RFC 3339, whole seconds).
    pub fn rfc3339(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-01-01 00:00:00Z` (the token endpoint's errors).
    pub fn sts(self) -> String {
        self.format("%Y-%m-%d %H:%M:%SZ")
    }

    /// Formats in UTC by `strftime` conversions.
    pub fn format(self, pattern: &str) -> String {
        let zoned = jiff::Timestamp::from_microsecond(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned_datetime(TimeZone::UTC);
        strtime::format(pattern, &zoned).unwrap_or_default()
    }

    /// Reads `Thu, 01 Jan 2026 00:00:00 GMT`; `None` for anything else.
    pub fn parse_rfc1123(text: &str) -> Option<Self> {
        let civil: civil::DateTime =
            strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text.trim()).ok()?.to_datetime().ok()?;
        Some(Self(civil.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp().as_microsecond()))
    }

    /// Reads RFC 3339 with any number of fraction digits, also without seconds; `None` for anything else, such as years
    /// that could not be written again.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let year = text.as_bytes().first_chunk::<5>()?;
        if !(year[..4].iter().all(u8::is_ascii_digit) && year[4] == b'-') || text.contains('[') {
            return None;
        }
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339, whole seconds.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timestamp = Timestamp::from_micros(1_767_225_600_123_456);

    #[test]
    fn spellings() {
        assert_eq!(T.rfc1123(), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(T.iso7(), "2026-01-01T00:00:00.1234560Z");
        assert_eq!(T.rfc3339(), "2026-01-01T00:00:00Z");
        assert_eq!(T.sts(), "2026-01-01 00:00:00Z");
        assert_eq!(T.seconds(), 1_767_225_600);
    }

    #[test]
    fn reads_back() {
        assert_eq!(
            Timestamp::parse_rfc1123("Thu, 01 Jan 2026 00:00:00 GMT"),
            Some(Timestamp::from_seconds(1_767_225_600))
        );
        assert_eq!(Timestamp::parse_rfc3339("2026-01-01T00:00:00.1234567Z"), Some(T));
        assert_eq!(Timestamp::parse_rfc1123("yesterday"), None);
        assert!(Timestamp::parse_rfc3339("2026-01-01T00:00Z").is_some(), "as signatures may write it");
        for odd in
            ["-000026-01-01T06:02Z", "+012026-01-01T00:00:00Z", "20260101T000000Z", "2026-01-01T00:00Z[UTC]"]
        {
            assert_eq!(Timestamp::parse_rfc3339(odd), None, "{odd}");
        }
    }
}
