"""What a person at a keyboard is offered: csagent's completions in interactive bash, zsh and fish, each on a terminal of
its own. Run with the program's path."""
import os, pty, select, subprocess, sys, tempfile, time

PROGRAM = os.path.abspath(sys.argv[1])
PATIENCE_SECONDS = 30


class Terminal:
    """A shell that thinks a person writes."""

    def __init__(self, words, home):
        self.pid, self.at = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execvpe(words[0], words, {"PATH": f"{home}/bin:{os.environ['PATH']}", "HOME": home, "TERM": "dumb", "LC_ALL": "C.UTF-8"})
        self.seen = ""

    def type(self, text):
        self.seen = ""
        os.write(self.at, text.encode())

    def until(self, *wanted):
        """Reads on until all of it was seen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not all(one in self.seen for one in wanted):
            assert time.monotonic() < end, f"{wanted} did not come, but {self.seen!r}"
            if select.select([self.at], [], [], 1)[0]:
                self.seen += os.read(self.at, 65536).decode(errors="replace")
        return self.seen

    def end(self):
        os.kill(self.pid, 9)
        os.close(self.at)
        os.waitpid(self.pid, 0)


def at_a_terminal(name, words, ready, home):
    shell = Terminal(words, home)
    # Printed in two pieces, so that the echo of what was typed is not taken for it.
    shell.type(ready + "; printf 'rea%s\\n' dy\n")
    shell.until("ready\r\n")
    for typed, wanted in [
        ("csagent disc\t", ["csagent disconnect "]),
        ("azcmagent config s\t", ["azcmagent config set "]),
        ("csagent connect --resource-g\t", ["connect --resource-group "]),
        ("csagent -v database cert\t", ["database certificate "]),
        ("csagent completion z\t", ["completion zsh "]),
        ("csagent connect --ca-file aut\t", ["--ca-file authority.pem "]),
        ("csagent certificates \t\t", ["run", "sync"]),
    ]:
        shell.type(typed)
        shell.until(*wanted)
        # The line is taken back, and the shell is where it was.
        shell.type("\x15")
        shell.type("printf 'nex%s\\n' t\n")
        shell.until("next\r\n")
    shell.end()
    print(f"ok      {name} completes verbs, flags, values and files")


def fish(home, script):
    def offered(line):
        told = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], cwd=home, text=True,
                              capture_output=True, env={"PATH": f"{home}/bin:{os.environ['PATH']}", "HOME": home})
        assert told.returncode == 0 and not told.stderr, told.stderr
        return {one.split("\t")[0] for one in told.stdout.splitlines()}

    assert offered("csagent disc") == {"disconnect"}, offered("csagent disc")
    assert offered("azcmagent config s") == {"set"}
    assert offered("csagent certificates ") == {"sync", "run"}, offered("csagent certificates ")
    assert "list" not in offered("csagent config set ")
    assert offered("csagent connect --resource-g") == {"--resource-group"}
    assert "--himds-port" not in offered("csagent certificates run --") and "--himds-port" in offered("csagent run --")
    assert offered("csagent connect --ca-file aut") == {"authority.pem"}
    assert offered("csagent completion z") == {"zsh"}
    print("ok      fish completes verbs, flags, values and files")


with tempfile.TemporaryDirectory() as home:
    os.mkdir(f"{home}/bin")
    open(f"{home}/authority.pem", "w").close()
    for name in ("csagent", "azcmagent"):
        os.symlink(PROGRAM, f"{home}/bin/{name}")
    scripts = {}
    for shell in ("bash", "zsh", "fish"):
        scripts[shell] = f"{home}/{shell}.completion"
        with open(scripts[shell], "w") as to:
            subprocess.run([PROGRAM, "completion", shell], stdout=to, check=True)
    os.mkdir(f"{home}/functions")
    os.symlink(scripts["zsh"], f"{home}/functions/_csagent")
    at_a_terminal("bash", ["bash", "--norc", "--noprofile", "-i"], f"source {scripts['bash']}", home)
    at_a_terminal("zsh, sourced,", ["zsh", "-f", "-i"], f"source {scripts['zsh']}", home)
    at_a_terminal("zsh, by its folder of functions,", ["zsh", "-f", "-i"], f"fpath=({home}/functions $fpath); autoload -Uz compinit; compinit -u -D", home)
    fish(home, scripts["fish"])
print("completion: every step as expected")
