//! `csagent completion`: what a shell needs to complete verbs and flags, made of the same table that reads them.

use clap::{Args, Command, CommandFactory, ValueEnum};

use crate::cli::Cli;

#[derive(Args, Clone)]
pub struct CompletionArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The names we are called by.
const PROGRAMS: [&str; 2] = ["csagent", "azcmagent"];

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn completion(args: &CompletionArgs) {
    print!("{}", script(args.shell));
}

fn script(shell: Shell) -> String {
    let mut command = Cli::command();
    command.build();
    let mut all = Vec::new();
    collect(&command, String::new(), &mut all);
    match shell {
        Shell::Bash => bash(&all),
        Shell::Zsh => format!("autoload -U +X bashcompinit && bashcompinit\n{}", bash(&all)),
        Shell::Fish => fish(&all),
    }
}

/// One verb, or a verb of a verb: what may follow it.
struct Follows {
    /// `config set`; nothing for the program itself.
    path: String,
    verbs: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

fn collect(command: &Command, path: String, all: &mut Vec<Follows>) {
    let about = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let verbs: Vec<&Command> =
        command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").collect();
    let flags = command.get_arguments().filter(|a| !a.is_hide_set());
    all.push(Follows {
        verbs: verbs.iter().map(|c| (c.get_name().to_owned(), about(c.get_about()))).collect(),
        flags: flags.filter_map(|a| Some((a.get_long()?.to_owned(), about(a.get_help())))).collect(),
        path: path.clone(),
    });
    for verb in verbs {
        collect(verb, format!("{path} {}", verb.get_name()).trim_start().to_owned(), all);
    }
}

/// Follows the verbs that are there already, then offers what may come next; files where nothing fits.
fn bash(all: &[Follows]) -> String {
    let mut lines = vec![
        "_csagent() {".to_owned(),
        "    local at='' word".to_owned(),
        "    COMPREPLY=()".to_owned(),
        r#"    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do"#.to_owned(),
        r#"        case "$at $word" in"#.to_owned(),
    ];
    for one in all.iter().filter(|f| !f.path.is_empty()) {
        let (before, last) = one.path.rsplit_once(' ').unwrap_or(("", &one.path));
        lines.push(format!("        '{before} {last}') at='{}' ;;", one.path));
    }
    lines.extend(["        esac", "    done", r#"    case "$at" in"#].map(str::to_owned));
    for one in all {
        let verbs = one.verbs.iter().map(|(name, _)| name.clone());
        let words: Vec<_> = verbs.chain(one.flags.iter().map(|(name, _)| format!("--{name}"))).collect();
        lines.push(format!("    '{}') word='{}' ;;", one.path, words.join(" ")));
    }
    lines.push("    esac".to_owned());
    // No `mapfile`: zsh has none. The words are ours and hold neither blanks nor patterns.
    lines.push(r#"    COMPREPLY=($(compgen -W "$word" -- "${COMP_WORDS[COMP_CWORD]}"))"#.to_owned());
    lines.push("}".to_owned());
    lines.push(format!("complete -o default -F _csagent {}\n", PROGRAMS.join(" ")));
    lines.join("\n")
}

fn fish(all: &[Follows]) -> String {
    let mut lines = Vec::new();
    for (program, one) in PROGRAMS.into_iter().flat_map(|program| all.iter().map(move |one| (program, one))) {
        let seen = one.path.split(' ').map(|word| format!("__fish_seen_subcommand_from {word}"));
        let when = if one.path.is_empty() {
            "__fish_use_subcommand".to_owned()
        } else {
            seen.collect::<Vec<_>>().join("; and ")
        };
        for (name, about) in &one.verbs {
            lines.push(format!("complete -c {program} -f -n '{when}' -a {name} -d '{}'\n", quoted(about)));
        }
        for (name, about) in &one.flags {
            lines.push(format!("complete -c {program} -n '{when}' -l {name} -d '{}'\n", quoted(about)));
        }
    }
    lines.concat()
}

/// What stands between single quotes of fish.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;

    /// What bash offers for a line, the last word being the one that is written.
    fn offered(words: &[&str]) -> Vec<String> {
        let line: Vec<String> = words.iter().map(|w| format!("'{w}'")).collect();
        let text = format!(
            "{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_csagent\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script(Shell::Bash),
            line.join(" "),
            words.len() - 1
        );
        let told = Process::new("bash").arg("-c").arg(text).output().unwrap();
        assert!(told.status.success() && told.stderr.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_verbs_and_flags_where_they_fit() {
        assert_eq!(offered(&["csagent", "disc"]), ["disconnect"]);
        assert!(offered(&["csagent", "connect", "--resource-"]).contains(&"--resource-group".to_owned()));
        assert_eq!(offered(&["azcmagent", "config", "s"]), ["set"]);
        assert_eq!(offered(&["csagent", "-v", "database", "cert"]), ["certificate"]);
        let hidden = offered(&["csagent", "connect", "--private"]);
        assert!(
            hidden.iter().all(String::is_empty),
            "what is there for scripts alone is not offered: {hidden:?}"
        );
    }

    #[test]
    fn every_shell_gets_every_verb() {
        let command = Cli::command();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = script(shell);
            for verb in command.get_subcommands().map(Command::get_name) {
                assert!(text.contains(verb), "{verb}");
            }
        }
    }
}
