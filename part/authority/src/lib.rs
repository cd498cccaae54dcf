//! The token authority: signing keys, token requests, verification.

mod check;

pub use check::{Audiences, TokenCheck, TokenRefusal};
