//! What goes where, the same for both kinds of package but for where units lie.

/// Folders that are ours alone: they go with the package.
pub const FOLDERS: [&str; 3] = ["/opt/azcmagent", "/opt/azcmagent/bin", "/usr/share/doc/csagent"];

/// One entry.
pub struct Entry {
    pub path: String,
    pub what: What,
}

pub enum What {
    Program,
    Text(&'static str),
    Link(&'static str),
}

impl Entry {
    pub fn mode(&self) -> u32 {
        match self.what {
            What::Program => 0o755,
            What::Text(_) => 0o644,
            What::Link(_) => 0o777,
        }
    }
}

/// `units` is the folder of systemd's own files: `/lib/systemd` in Debian, `/usr/lib/systemd` elsewhere.
pub fn all(units: &str) -> Vec<Entry> {
    let entry = |path: &str, what| Entry { path: path.to_owned(), what };
    let unit = |name: &str, text| Entry { path: format!("{units}/system/{name}"), what: What::Text(text) };
    vec![
        // Clients look for this very file to tell whether the machine is connected.
        entry("/opt/azcmagent/bin/himds", What::Program),
        entry("/opt/azcmagent/bin/azcmagent", What::Link("himds")),
        entry("/usr/bin/azcmagent", What::Link("/opt/azcmagent/bin/azcmagent")),
        entry("/usr/bin/csagent", What::Link("/opt/azcmagent/bin/himds")),
        unit("himdsd.service", include_str!("../files/himdsd.service")),
        unit("himdsd.socket", include_str!("../files/himdsd.socket")),
        // Its name is its place, as systemd wants it.
        unit("var-opt-azcmagent-tokens.mount", include_str!("../files/var-opt-azcmagent-tokens.mount")),
        unit("csagent-certificates.service", include_str!("../files/csagent-certificates.service")),
        entry(
            &format!("{units}/system.conf.d/azcmagent.conf"),
            What::Text(include_str!("../files/azcmagent.conf")),
        ),
        entry("/usr/lib/sysusers.d/csagent.conf", What::Text(include_str!("../files/sysusers.conf"))),
        entry("/usr/lib/tmpfiles.d/csagent.conf", What::Text(include_str!("../files/tmpfiles.conf"))),
        entry("/usr/share/doc/csagent/copyright", What::Text(include_str!("../files/copyright"))),
        entry("/usr/share/doc/csagent/machine.md", What::Text(include_str!("../../docs/machine.md"))),
    ]
}
