//! Decisions as a caller of the crate sees them.

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
