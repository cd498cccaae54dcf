//! `countersign lab`: the managed-identity lab on a fresh site, through its public addresses.
//!
//! Every step is a request as a person would type it; its answer is checked, and the first one that differs ends the
//! lab with exit code 1.

pub mod call;
pub mod client;
mod machine;
mod preparation;

use std::{path::PathBuf, process::ExitCode};

use cs_names::SiteNames;
use serde_json::Value;

use self::{call::Call, client::Client};
use crate::{
    cli::LabArgs,
    failure::{Attempt, Failure},
    site::{
        data::DataDirectory,
        ready::Ready,
        start::{self, Options},
    },
};

/// What the lab's secret holds.
const SECRET: &str = "the password nobody typed";
/// What the lab uploads.
const UPLOAD: &str = "written by a machine without a password\n";

/// The lab as it goes on: what earlier steps learnt.
pub struct Lab {
    client: Client,
    ready: Ready,
    quiet: bool,
    step: u32,
    /// Names drawn for this lab, so that nothing is hard-coded.
    vault: String,
    account: String,
    operator: String,
    principal: String,
}

pub async fn lab(args: LabArgs) -> Result<ExitCode, Failure> {
    let directory = Directory::make()?;
    let suffix = SiteNames::under("countersign.localhost").attempt("using the default suffix")?;
    let options = Options { announce: true, ..Options::on_free_ports(suffix) };
    let site = start::start(DataDirectory::open(&directory.path)?, options).await?;
    let mut lab = Lab::new(site.ready().clone(), args.quiet)?;
    let outcome = lab.play().await;
    site.stop().await;
    match outcome {
        Ok(()) => {
            lab.say(&format!("\nThe lab is done: {} steps, all as expected.", lab.step));
            directory.finish(args.keep);
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            directory.finish(args.keep);
            Err(failure)
        }
    }
}

impl Lab {
    fn new(ready: Ready, quiet: bool) -> Result<Self, Failure> {
        let client = Client::new(&ready)?;
        let unique: String = ready.subscription_id.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        Ok(Self {
            client,
            quiet,
            step: 0,
            vault: format!("lab-kv-{unique}"),
            account: format!("labsa{unique}"),
            operator: String::new(),
            principal: String::new(),
            ready,
        })
    }

    async fn play(&mut self) -> Result<(), Failure> {
        self.say("The managed-identity lab: a machine with no stored password, on a fresh site.");
        self.prepare().await?;
        self.be_the_machine().await
    }

    /// Tells what comes next, sends it, and checks the status.
    async fn step(&mut self, what: &str, call: Call, expected: u16) -> Result<call::Answer, Failure> {
        self.step += 1;
        self.say(&format!("\n{:>2}. {what}\n    $ {}", self.step, call.as_typed()));
        let answer = self.client.send(call).await?;
        self.say(&format!("    {}", answer.told()));
        if answer.status != expected {
            let (step, told) = (self.step, answer.told());
            return Err(Failure::failed(format!("step {step}, {what}: expected {expected}, got {told}")));
        }
        Ok(answer)
    }

    /// Checks something about an answer.
    fn expect(&self, holds: bool, what: &str) -> Result<(), Failure> {
        if holds {
            return Ok(());
        }
        Err(Failure::failed(format!("step {}: {what}", self.step)))
    }

    /// A text in a JSON answer, by pointer.
    fn text(&self, answer: &Value, pointer: &str) -> Result<String, Failure> {
        let found = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| {
            Failure::failed(format!("step {}: the answer has no text at {pointer}", self.step))
        })
    }

    #[expect(clippy::print_stdout, reason = "the narration is the answer of the verb")]
    fn say(&self, text: &str) {
        if !self.quiet {
            println!("{text}");
        }
    }
}

/// The lab's data directory: fresh, and gone afterwards unless kept.
struct Directory {
    path: PathBuf,
}

impl Directory {
    fn make() -> Result<Self, Failure> {
        let base = std::env::temp_dir();
        let made = nix::unistd::mkdtemp(&base.join("countersign-lab-XXXXXX"));
        Ok(Self { path: made.attempt(format_args!("making a directory below {}", base.display()))? })
    }

    #[expect(clippy::print_stdout, reason = "where the kept site is")]
    fn finish(self, keep: bool) {
        if keep {
            println!("The lab's site is kept in {}", self.path.display());
        } else {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}
