//! Whole requests to an account, over a real store and real files, with a clock that moves when told to.

mod attacks;
mod blobs;
mod world;
