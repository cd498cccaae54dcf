//! JSON Web Signatures, as little of them as a token authority needs.
//!
//! Ours rather than a library's because the hot path signs with a header encoded once, because clients send
//! assertions no strict reader takes (padded base64, thumbprints in four alphabets, fractional times; sts.md 3.3),
//! and because everything that must be refused (`none`, `crit`, keys in headers) is refused by not being there:
//! the algorithm is the key's, never the header's.

mod base64s;
mod federation;
mod json;
mod jwk;
mod jws;
mod private;
mod public;

pub use base64s::{decode_any, decode_url, encode_std, encode_url};
pub use federation::{BadFederation, Federation};
pub use json::{NumericDate, strict_object};
pub use jwk::Jwk;
pub use jws::{BadJws, Jws, JwsHeader, Signer};
pub use private::{BadKey, MachineKey, RsaKey};
pub use public::PublicKey;
