//! Reading JSON strictly: an object whose member names come once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

struct Strict(Map<String, Value>);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member comes twice"));
                    }
                }
                Ok(Strict(map))
            }
        }
        d.deserialize_map(Object)
    }
}

/// Reads a JSON object; a member that comes twice is refused, since two readers could each see another one.
pub fn strict_object(bytes: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<Strict>(bytes).ok().map(|s| s.0)
}

/// A time in a token (RFC 7519 2): seconds since 1970, fractions allowed and dropped (MSAL Python sends them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate(pub i64);

impl NumericDate {
    /// `None` for strings, negative and non-finite numbers, and times beyond the year 9999.
    pub fn read(value: &Value) -> Option<Self> {
        const YEAR_10000: f64 = 253_402_300_800.0;
        let number = value.as_number()?.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the range")]
        (0.0..YEAR_10000).contains(&number).then_some(Self(number as i64))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn b08_odd_times_are_refused() {
        assert_eq!(NumericDate::read(&json!(1_795_476_913.172_508_5)), Some(NumericDate(1_795_476_913)));
        for bad in [json!("1795476913"), json!(-1), json!(null), json!([1]), json!(1e18), json!(true)] {
            assert_eq!(NumericDate::read(&bad), None, "{bad}");
        }
        assert!(strict_object(br#"{"exp":1e400}"#).is_none_or(|o| NumericDate::read(&o["exp"]).is_none()));
    }

    #[test]
    fn members_come_once() {
        assert!(strict_object(br#"{"a":1,"b":2}"#).is_some());
        for bad in [&br#"{"a":1,"a":2}"#[..], b"[]", b"{", b"\xff", b"{} x"] {
            assert!(strict_object(bad).is_none());
        }
    }
}
