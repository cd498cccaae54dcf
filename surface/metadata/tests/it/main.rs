//! Whole requests to both services, with a clock that moves when told to. Attacks bear their ids.

mod attacks;
mod documents;
mod world;
