//! One file per kind of thing; each trait method is one transaction.

mod applications;
mod assignments;
mod audit;
mod blobs;
mod cascade;
mod directory;
mod federated;
mod join_tokens;
mod links;
mod listing;
mod locks;
mod machine_keys;
mod moving;
mod objects;
#[cfg(test)]
mod planned;
mod planting;
mod resources;
mod revision;
mod rules;
mod secrets;
mod site;
mod survey;
mod tags;
mod walk;
