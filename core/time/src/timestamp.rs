//! One point in time and the spellings Azure mixes.

use jiff::{
    civil,
    fmt::strtime,
    tz::{Offset, TimeZone},
};

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
        let mut text = self.digits(["-", "T", ":", "."], "%Y-%m-%dT%H:%M:%S.");
        push_digits(&mut text, self.0.rem_euclid(1_000_000) * 10, 7);
        text.push('Z');
        text
    }

    /// `2026-01-01T00:00:00Z` (RFC 3339, whole seconds).
    pub fn rfc3339(self) -> String {
        self.digits(["-", "T", ":", "Z"], "%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-01-01 00:00:00Z` (the token endpoint's errors).
    pub fn sts(self) -> String {
        self.format("%Y-%m-%d %H:%M:%SZ")
    }

    /// `20260101T000000Z` (the resource manager's routing ids).
    pub fn basic(self) -> String {
        self.digits(["", "T", "", "Z"], "%Y%m%dT%H%M%SZ")
    }

    /// The digits of date and time, with what stands between those of the date, of both, of the time, and behind them. Every
    /// answer bears some, and reading a pattern each time costs ten times as much; the pattern is for years that have not
    /// four digits.
    fn digits(self, [date, between, time, end]: [&str; 4], pattern: &str) -> String {
        let at = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = Offset::UTC.to_datetime(at);
        if at.year() < 0 {
            return self.format(pattern);
        }
        let mut text = String::with_capacity("2026-01-01T00:00:00.0000000Z".len());
        let parts = [
            (i64::from(at.year()), 4, date),
            (at.month().into(), 2, date),
            (at.day().into(), 2, between),
            (at.hour().into(), 2, time),
            (at.minute().into(), 2, time),
            (at.second().into(), 2, end),
        ];
        for (value, width, after) in parts {
            push_digits(&mut text, value, width);
            text.push_str(after);
        }
        text
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

/// The last `width` decimal digits of a number that is not negative.
fn push_digits(text: &mut String, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10_i64.pow(place) % 10;
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
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
    fn digits_are_those_of_the_pattern() {
        let far = [i64::MIN, -62_167_219_200_000_001, -62_167_219_200_000_000, -1, 0, 951_782_399_999_999];
        let far = far.into_iter().chain([951_782_400_000_000, 253_402_207_200_999_999, i64::MAX]);
        for micros in far.chain((0..4000).map(|n| n * 86_399_999_983)) {
            let at = Timestamp::from_micros(micros);
            assert_eq!(at.rfc3339(), at.format("%Y-%m-%dT%H:%M:%SZ"), "{micros}");
            assert_eq!(at.basic(), at.format("%Y%m%dT%H%M%SZ"), "{micros}");
            let tail = format!("{:07}Z", micros.rem_euclid(1_000_000) * 10);
            assert_eq!(at.iso7(), format!("{}.{tail}", at.format("%Y-%m-%dT%H:%M:%S")), "{micros}");
        }
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
