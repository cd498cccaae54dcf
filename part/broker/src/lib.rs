//! The machine's side: the token cache and the challenge desk.
//!
//! A program asks the agent for a token. The [`ChallengeDesk`] makes sure that it may: it hands out the path of a
//! one-time file that only root and the group `himds` can read, and takes the file's content once. The [`Broker`]
//! then answers from its cache, or asks the site through a [`TokenIssuer`]: many askers, one request.

mod broker;
mod desk;
mod files;
pub mod host;
mod issuer;
mod machine;
mod policy;
mod policy_file;

pub use broker::Broker;
pub use desk::{ChallengeDesk, Claim, DeskError, Opened};
pub use files::{ChallengeDirectory, DirectoryError};
pub use issuer::{Identity, IssueError, Token, TokenIssuer};
pub use machine::{AttestError, Attester, Facts, Interface, MachineFacts};
pub use policy::{Caller, Executable, Forbidden, Policy, Process, Wish};
pub use policy_file::PolicyFile;
