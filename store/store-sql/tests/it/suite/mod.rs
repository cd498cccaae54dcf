//! The cases, one module a repository.

pub mod assignments;
pub mod blobs;
pub mod directory;
pub mod resources;
pub mod secrets;
pub mod site;
