//! UUID newtypes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The text is not a UUID in its hyphenated form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID of the form 8-4-4-4-12")]
pub struct BadUuid;

macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID drawn elsewhere (`cs_time::Chance::uuid`).
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = BadUuid;

            /// Reads the hyphenated form in any case. The braced, URN and plain-hex spellings that the `uuid`
            /// crate also knows are refused: two spellings of one id would be two cache keys.
            fn from_str(text: &str) -> Result<Self, BadUuid> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Self).ok_or(BadUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(&self.0.as_hyphenated())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

uuid_type!(
    /// A directory: its principals, subscriptions and keys.
    TenantId
);
uuid_type!(
    /// A subscription: the scope between tenant and resource group.
    SubscriptionId
);
uuid_type!(
    /// A principal's object id: what assignments and access policies name, `oid` in tokens.
    ObjectId
);
uuid_type!(
    /// An application's or identity's client id: `client_id` at the token endpoint, `appid` in tokens.
    ClientId
);
uuid_type!(
    /// Follows one call through token, resource and audit (`x-ms-correlation-request-id`).
    CorrelationId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_case_and_prints_lower_case() {
        let id: TenantId = "AAAAAAAA-BBBB-cccc-dddd-EEEEEEEEEEEE".parse().unwrap();
        assert_eq!(id.to_string(), "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    }

    #[test]
    fn refuses_other_spellings() {
        for bad in ["", "x", "{aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee}", "aaaaaaaabbbbccccddddeeeeeeeeeeee"] {
            assert_eq!(bad.parse::<ObjectId>(), Err(BadUuid), "{bad}");
        }
    }
}
