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
        Shell::Zsh => zsh(&all),
        Shell::Fish => fish(&all),
    }
}

/// One verb, or a verb of a verb: what may follow it.
struct Follows {
    /// `config set`; nothing for the program itself.
    path: String,
    /// Verbs, and words that stand for themselves: name and what it is for.
    words: Vec<(String, String)>,
    flags: Vec<Flag>,
}

struct Flag {
    long: String,
    short: Option<char>,
    about: String,
    /// Something follows it: a file, as far as a shell knows.
    takes_value: bool,
}

fn collect(command: &Command, path: String, all: &mut Vec<Follows>) {
    let about = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let verbs: Vec<&Command> =
        command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help").collect();
    let shown = || command.get_arguments().filter(|a| !a.is_hide_set());
    let values = shown().filter(|a| a.is_positional()).flat_map(|argument| {
        let about = about(argument.get_help());
        argument.get_possible_values().into_iter().map(move |v| (v.get_name().to_owned(), about.clone()))
    });
    let flags = shown().filter_map(|a| {
        Some(Flag {
            long: a.get_long()?.to_owned(),
            short: a.get_short(),
            about: about(a.get_help()),
            takes_value: a.get_action().takes_values(),
        })
    });
    all.push(Follows {
        words: verbs.iter().map(|c| (c.get_name().to_owned(), about(c.get_about()))).chain(values).collect(),
        flags: flags.collect(),
        path: path.clone(),
    });
    for verb in verbs {
        collect(verb, format!("{path} {}", verb.get_name()).trim_start().to_owned(), all);
    }
}

impl Follows {
    /// The words of the flags that something follows, `--data` and `-g`.
    fn with_values(&self) -> impl Iterator<Item = String> {
        let named = |f: &Flag| [Some(format!("--{}", f.long)), f.short.map(|s| format!("-{s}"))];
        self.flags.iter().filter(|f| f.takes_value).flat_map(named).flatten()
    }

    /// The path before its last word, and that.
    fn split(&self) -> (&str, &str) {
        self.path.rsplit_once(' ').unwrap_or(("", &self.path))
    }
}

/// Follows the verbs that are there already, then offers what may come next; files where nothing fits.
fn bash(all: &[Follows]) -> String {
    let mut lines = vec![
        "_csagent() {".to_owned(),
        "    local at='' word values".to_owned(),
        "    COMPREPLY=()".to_owned(),
        r#"    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do"#.to_owned(),
        r#"        case "$at $word" in"#.to_owned(),
    ];
    for one in all.iter().filter(|f| !f.path.is_empty()) {
        let (before, last) = one.split();
        lines.push(format!("        '{before} {last}') at='{}' ;;", one.path));
    }
    lines.extend(["        esac", "    done", r#"    case "$at" in"#].map(str::to_owned));
    for one in all {
        let words = one.words.iter().map(|(name, _)| name.clone());
        let words: Vec<_> = words.chain(one.flags.iter().map(|f| format!("--{}", f.long))).collect();
        let values: Vec<_> = one.with_values().collect();
        lines.push(format!(
            "    '{}') word='{}' values=' {} ' ;;",
            one.path,
            words.join(" "),
            values.join(" ")
        ));
    }
    lines.push("    esac".to_owned());
    // Behind a flag with a value come files, which bash offers by itself where we offer nothing.
    lines.push(r#"    case "$values" in *" ${COMP_WORDS[COMP_CWORD-1]} "*) return ;; esac"#.to_owned());
    // No `mapfile`: bash 3.2 has none. The words are ours and hold neither blanks nor patterns.
    lines.push(r#"    COMPREPLY=($(compgen -W "$word" -- "${COMP_WORDS[COMP_CWORD]}"))"#.to_owned());
    lines.push("}".to_owned());
    lines.push(format!("complete -o default -F _csagent {}\n", PROGRAMS.join(" ")));
    lines.join("\n")
}

/// The same in zsh's own way, with what each word is for; to be sourced, or to lie in a folder of `$fpath` as `_csagent`.
fn zsh(all: &[Follows]) -> String {
    let mut lines = vec![
        format!("#compdef {}", PROGRAMS.join(" ")),
        "_csagent() {".to_owned(),
        "    local at='' word values".to_owned(),
        "    local -a words_here flags_here".to_owned(),
        r#"    for word in "${(@)words[2,CURRENT-1]}"; do"#.to_owned(),
        r#"        case "$at $word" in"#.to_owned(),
    ];
    for one in all.iter().filter(|f| !f.path.is_empty()) {
        let (before, last) = one.split();
        lines.push(format!("        '{before} {last}') at='{}' ;;", one.path));
    }
    lines.extend(["        esac", "    done", r#"    case "$at" in"#].map(str::to_owned));
    let described =
        |name: &str, about: &str| format!("'{}'", format!("{name}:{about}").replace('\'', r"'\''"));
    for one in all {
        let words: Vec<_> = one.words.iter().map(|(name, about)| described(name, about)).collect();
        let flags: Vec<_> = one.flags.iter().map(|f| described(&format!("--{}", f.long), &f.about)).collect();
        let values: Vec<_> = one.with_values().collect();
        lines.push(format!("    '{}')", one.path));
        lines.push(format!("        values=' {} '", values.join(" ")));
        lines.push(format!("        words_here=({})", words.join(" ")));
        lines.push(format!("        flags_here=({})", flags.join(" ")));
        lines.push("        ;;".to_owned());
    }
    lines.extend(
        [
            "    esac",
            r#"    if [[ "$values" == *" ${words[CURRENT-1]} "* ]]; then"#,
            "        _files",
            r#"    elif [[ "$PREFIX" == -* ]]; then"#,
            "        _describe -o flag flags_here",
            "    elif (( ${#words_here} )); then",
            "        _describe verb words_here",
            "    else",
            "        _files",
            "    fi",
            "}",
            // Called as the completion itself where it was found in $fpath, else made known.
            r#"if [[ "${funcstack[1]}" == _csagent ]]; then"#,
            r#"    _csagent "$@""#,
            "else",
            "    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }",
        ]
        .map(str::to_owned),
    );
    lines.push(format!("    compdef _csagent {}\nfi\n", PROGRAMS.join(" ")));
    lines.join("\n")
}

fn fish(all: &[Follows]) -> String {
    let mut lines = vec![
        "function __csagent_at".to_owned(),
        "    set -l at ''".to_owned(),
        "    for word in (commandline -opc)[2..-1]".to_owned(),
        r#"        switch "$at $word""#.to_owned(),
    ];
    for one in all.iter().filter(|f| !f.path.is_empty()) {
        let (before, last) = one.split();
        lines.push(format!("            case '{before} {last}'\n                set at '{}'", one.path));
    }
    lines.extend(["        end", "    end", "    echo $at", "end"].map(str::to_owned));
    for (program, one) in PROGRAMS.into_iter().flat_map(|program| all.iter().map(move |one| (program, one))) {
        let when = format!("complete -c {program} -n \"test (__csagent_at) = '{}'\"", one.path);
        for (name, about) in &one.words {
            lines.push(format!("{when} -f -a {name} -d '{}'", quoted(about)));
        }
        for flag in &one.flags {
            let short = flag.short.map(|s| format!(" -s {s}")).unwrap_or_default();
            let value = if flag.takes_value { " -r" } else { "" };
            lines.push(format!("{when} -l {}{short}{value} -d '{}'", flag.long, quoted(&flag.about)));
        }
    }
    lines.join("\n") + "\n"
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
        assert_eq!(offered(&["csagent", "completion", "z"]), ["zsh"]);
        let value = offered(&["csagent", "connect", "--ca-file", ""]);
        assert!(value.iter().all(String::is_empty), "a file comes here: {value:?}");
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
