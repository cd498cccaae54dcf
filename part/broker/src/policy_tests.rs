//! Decisions.

use cs_ids::{ClientId, ObjectId};
use uuid::Uuid;

use super::*;

fn identity(system: bool) -> Identity {
    Identity {
        client: ClientId::new(Uuid::from_u128(1)),
        object: ObjectId::new(Uuid::from_u128(2)),
        resource: "/subscriptions/s/x".into(),
        system_assigned: system,
    }
}

fn process(user: u32, executable: &str) -> Process {
    Process {
        pid: Some(7),
        user: Some(user),
        groups: Some(vec![user, 900]),
        executable: Some(Executable::Is(executable.into())),
        unit: Some("backup.service".into()),
    }
}

fn caller(processes: Vec<Process>) -> Caller {
    Caller { socket_user: processes.first().and_then(|p| p.user), processes }
}

fn rule(text: &str) -> Policy {
    let text = format!(r#"{{"default":"deny","rules":[{{"name":"r","effect":"allow",{text}}}]}}"#);
    Policy::read(&text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn allowed(policy: &Policy, caller: &Caller) -> bool {
    let identity = identity(true);
    policy
        .decide(caller, &Wish { source: "himds", identity: &identity, resource: "https://vault.azure.net" })
        .is_ok()
}

#[test]
fn rules_look_at_everything_they_name() {
    let one = caller(vec![process(1000, "/usr/bin/restic")]);
    for (fits, text) in [
        (true, r#""users":["1000"]"#),
        (false, r#""users":["1001"]"#),
        (true, r#""users":["root","1000"]"#),
        (true, r#""groups":["900"]"#),
        (false, r#""groups":["root"]"#),
        (true, r#""executables":["/usr/bin/restic"]"#),
        (true, r#""executables":["/usr/*"]"#),
        (false, r#""executables":["/usr/bin/restic/*"]"#),
        (false, r#""executables":["/usr/bin/res"]"#),
        (true, r#""units":["backup.service"]"#),
        (false, r#""units":["other.service"]"#),
        (true, r#""identities":["system"]"#),
        (true, r#""identities":["00000000-0000-0000-0000-000000000002"]"#),
        (true, r#""identities":["/SUBSCRIPTIONS/s/x"]"#),
        (false, r#""identities":["00000000-0000-0000-0000-000000000009"]"#),
        (true, r#""audiences":["https://Vault.azure.net/"]"#),
        (false, r#""audiences":["https://vault.azure.net.evil.example"]"#),
        (true, r#""sources":["imds","himds"]"#),
        (false, r#""sources":["imds"]"#),
        (
            true,
            r#""users":["1000"],"executables":["/usr/bin/restic"],"audiences":["https://vault.azure.net"]"#,
        ),
        (false, r#""users":["1000"],"executables":["/usr/bin/curl"]"#),
    ] {
        assert_eq!(allowed(&rule(text), &one), fits, "{text}");
    }
}

#[test]
fn a30_what_is_not_known_is_allowed_nothing_and_denied_everything() {
    let deny = |text: &str| {
        Policy::read(&format!(r#"{{"default":"allow","rules":[{{"name":"r","effect":"deny",{text}}}]}}"#))
            .unwrap()
    };
    let hidden = [
        Caller::default(),
        Caller { socket_user: Some(1000), processes: vec![] },
        caller(vec![Process { user: Some(1000), ..Process::default() }]),
        caller(vec![Process {
            executable: Some(Executable::WasAt("/usr/bin/restic".into())),
            unit: None,
            ..process(1000, "")
        }]),
    ];
    for one in &hidden {
        for text in [r#""executables":["/usr/bin/restic"]"#, r#""units":["backup.service"]"#] {
            assert!(!allowed(&rule(text), one), "{one:?} {text}");
            assert!(!allowed(&deny(text), one), "{one:?} {text}");
        }
    }
    assert!(!allowed(&rule(r#""users":["1000"]"#), &Caller::default()));
    assert!(allowed(&rule(r#""users":["1000"]"#), &hidden[1]), "the kernel says the socket's user");
    // A process of another user than the socket's: it was handed over.
    let handed = Caller { socket_user: Some(0), processes: vec![process(1000, "/usr/bin/restic")] };
    for user in ["0", "1000"] {
        assert!(!allowed(&rule(&format!(r#""users":["{user}"]"#)), &handed), "{user}");
        assert!(!allowed(&deny(&format!(r#""users":["{user}"]"#)), &handed), "{user}");
    }
}

#[test]
fn a31_whoever_shares_a_connection_must_be_allowed_too() {
    let policy = rule(r#""executables":["/usr/bin/restic"]"#);
    let both = caller(vec![process(1000, "/usr/bin/restic"), process(1000, "/tmp/evil")]);
    assert!(!allowed(&policy, &both));
    let identity = identity(false);
    let wish = Wish { source: "imds", identity: &identity, resource: "x" };
    let refused = policy.decide(&both, &wish).unwrap_err();
    assert_eq!(
        (refused.rule.as_str(), refused.who.as_str()),
        ("default", "uid 1000, pid 7, /tmp/evil, unit backup.service")
    );
}

#[test]
fn the_first_rule_that_fits_decides() {
    let policy = Policy::read(
        r#"{"default":"allow","rules":[
            {"name":"backups","effect":"allow","users":["1000"],"audiences":["https://vault.azure.net"]},
            {"name":"no vault","effect":"deny","audiences":["https://vault.azure.net"]}]}"#,
    )
    .unwrap();
    assert!(!policy.needs_processes());
    assert!(allowed(&policy, &caller(vec![process(1000, "/x")])));
    let other = caller(vec![process(1001, "/x")]);
    let identity = identity(true);
    let wish = Wish { source: "himds", identity: &identity, resource: "https://vault.azure.net" };
    assert_eq!(policy.decide(&other, &wish).unwrap_err().rule, "no vault");
    assert!(policy.decide(&other, &Wish { resource: "https://management.azure.com", ..wish }).is_ok());
}

#[test]
fn what_is_misspelt_is_refused() {
    for bad in [
        "",
        "{}",
        r#"{"default":"maybe"}"#,
        r#"{"default":"allow","rule":[]}"#,
        r#"{"default":"allow","rules":[{"effect":"deny"}]}"#,
        r#"{"default":"allow","rules":[{"name":"","effect":"deny"}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","user":["root"]}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","users":["no such user"]}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","users":[]}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","executables":["curl"]}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","executables":["/usr/*/curl"]}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","executables":["/usr/../bin/sh"]}]}"#,
        r#"{"default":"allow","rules":[{"name":"a","effect":"deny","sources":["arc"]}]}"#,
    ] {
        assert!(Policy::read(bad).is_err(), "{bad}");
    }
}
