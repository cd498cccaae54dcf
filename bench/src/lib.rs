//! Our figures beside their floors: `cargo xtask bench [LINE…]`.
//!
//! A figure alone says little about a program and much about the machine. So every line measures two things in one run,
//! ours and a floor (the bare signature, a hello-world on the same HTTP stack, a plain insert, a peer), and the ratio of
//! the two is what has an aim. Add a line: a type that implements [`line::Line`], and its row in [`lines::ALL`].
//!
//! What is measured is the released program from outside: [`site`] starts `countersign up`, [`load`] asks it, [`process`]
//! reads what the kernel says of it. Floors that serve HTTP are processes of their own too ([`floor`]), so that both
//! sides share the machine with the same client.

pub mod agent;
pub mod azurite;
pub mod floor;
pub mod line;
pub mod lines;
pub mod load;
pub mod pgbouncer;
pub mod postgres;
pub mod process;
pub mod site;
