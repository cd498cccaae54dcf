//! Whole requests to a vault, over a real store, with a clock that moves when told to.

mod attacks;
mod secrets;
mod world;
