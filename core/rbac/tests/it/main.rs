//! Decisions as a caller of the crate sees them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod deltas;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod world;
