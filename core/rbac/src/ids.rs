//! Names of assignments and role definitions: GUIDs that clients choose.

use std::{fmt, str::FromStr};

use cs_ids::BadUuid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = BadUuid;

            /// Reads the hyphenated form in any case, and nothing else.
            fn from_str(text: &str) -> Result<Self, BadUuid> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Self).ok_or(BadUuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// A role assignment or deny assignment, by the GUID at the end of its id.
    AssignmentId
);
name_type!(
    /// A role definition, by the GUID at the end of its id; only this part of a `roleDefinitionId` counts.
    RoleId
);
