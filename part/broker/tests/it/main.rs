//! The broker and the desk, with a clock that moves when told to.

mod broker;
mod desk;
