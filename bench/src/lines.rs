//! The registry of lines.

use crate::line::Line;

/// Every line, in the order in which all of them run. One file a subject beside this one.
pub const ALL: &[&dyn Line] = &[];
