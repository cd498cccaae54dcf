//! The cases, one module a repository.

pub mod assignments;
pub mod blobs;
pub mod directory;
pub mod enrolment;
pub mod objects;
pub mod resources;
pub mod rules;
pub mod secrets;
pub mod site;
