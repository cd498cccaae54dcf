//! Decisions as a caller of the crate sees them.

#[cfg(test)]
mod cases;
