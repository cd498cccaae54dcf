//! Whole requests to the resource manager, over a real store, with a clock that moves when told to.

mod attacks;
mod doors;
mod lab;
mod roles;
mod shapes;
mod world;
