//! One file per kind of thing; each trait method is one transaction.

mod assignments;
mod audit;
mod blobs;
mod cascade;
mod directory;
mod planting;
mod resources;
mod revision;
mod secrets;
mod site;
mod tags;
