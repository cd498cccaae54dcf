//! Shared access signatures of accounts, services and users in the layouts of all their versions.

use cs_seal::MacKey;
use cs_serve::full;

use crate::{
    keys::signed,
    world::{Reply, World, decoded, encoded, object, tenant},
};

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");
const VERSION: &str = "2021-12-02";

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// `name=value&…`, signed over `text`.
fn with_signature(key: &MacKey, fields: &[(&str, &str)], text: &str) -> String {
    let query: Vec<String> =
        fields.iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| format!("{n}={}", escaped(v))).collect();
    format!("{}&sig={}", query.join("&"), escaped(&encoded(&key.sign(text.as_bytes()))))
}

const START: &str = "2027-01-01T00:00:00Z";
const END: &str = "2027-02-01T00:00:00Z";

fn account_sas(
    key: &MacKey,
    sv: &str,
    (ss, srt, sp): (&str, &str, &str),
    (st, se, sip, spr): (&str, &str, &str, &str),
) -> String {
    let ses = if sv >= "2020-12-06" { "\n" } else { "" };
    let text = format!("acct\n{sp}\n{ss}\n{srt}\n{st}\n{se}\n{sip}\n{spr}\n{sv}\n{ses}");
    let fields = [
        ("sv", sv),
        ("ss", ss),
        ("srt", srt),
        ("sp", sp),
        ("st", st),
        ("se", se),
        ("sip", sip),
        ("spr", spr),
    ];
    with_signature(key, &fields, &text)
}

fn service_sas(key: &MacKey, sv: &str, (sr, resource, sp): (&str, &str, &str), rscd: &str) -> String {
    let time = if sv >= "2018-11-09" { format!("\n{sr}\n") } else { String::new() };
    let ses = if sv >= "2020-12-06" { "\n" } else { "" };
    let text =
        format!("{sp}\n{START}\n{END}\n/blob/acct/{resource}\n\n\nhttps\n{sv}{time}{ses}\n\n{rscd}\n\n\n");
    let fields =
        [("sv", sv), ("sr", sr), ("sp", sp), ("st", START), ("se", END), ("spr", "https"), ("rscd", rscd)];
    with_signature(key, &fields, &text)
}

async fn ask(
    world: &World,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let reply = world.send("", method, target, headers, body).await;
    (reply.status, reply.code().to_owned())
}

#[tokio::test]
async fn signatures_of_accounts_allow_what_they_say() {
    let world = World::new().await;
    let key = world.shared_key("key2", None);
    world.upload("a", "x").await;
    for sv in ["2018-11-09", "2020-12-06", "2026-04-06"] {
        let sas = account_sas(&key, sv, ("b", "co", "rl"), (START, END, "", "https"));
        assert_eq!(ask(&world, "GET", &format!("/box/a?{sas}"), &[], "").await.0, 200, "{sv}");
        assert_eq!(
            ask(&world, "GET", &format!("/box?restype=container&comp=list&{sas}"), &[], "").await.0,
            200
        );
        assert_eq!(
            ask(&world, "GET", &format!("/?comp=list&{sas}"), &[], "").await.1,
            "AuthorizationResourceTypeMismatch"
        );
        assert_eq!(
            ask(&world, "DELETE", &format!("/box/a?{sas}"), &[], "").await.1,
            "AuthorizationPermissionMismatch"
        );
    }
    let files = account_sas(&key, VERSION, ("f", "sco", "rwl"), ("", END, "", ""));
    assert_eq!(
        ask(&world, "GET", &format!("/box/a?{files}"), &[], "").await.1,
        "AuthorizationServiceMismatch"
    );
    let create = account_sas(&key, VERSION, ("b", "o", "c"), ("", END, "", ""));
    assert_eq!(ask(&world, "PUT", &format!("/box/new?{create}"), &[BLOCK_BLOB], "1").await.0, 201);
    assert_eq!(
        ask(&world, "PUT", &format!("/box/new?{create}"), &[BLOCK_BLOB], "2").await.1,
        "AuthorizationPermissionMismatch"
    );
    assert_eq!(world.get("/box/new", &[]).await.text(), "1");
}

#[tokio::test]
async fn f04_signatures_that_are_not_as_signed_or_out_of_bounds() {
    let world = World::new().await;
    let key = world.shared_key("key1", None);
    world.upload("a", "x").await;
    let whole = ("b", "sco", "rwdlac");
    let failed = (403, "AuthenticationFailed".to_owned());
    let read = |query: String| {
        let world = &world;
        async move { ask(world, "GET", &format!("/box/a?{query}"), &[], "").await }
    };
    let good = account_sas(&key, VERSION, whole, (START, END, "", "https"));
    assert_eq!(read(good.clone()).await.0, 200);
    for (from, to) in [
        ("sp=rwdlac", "sp=rwdlacx"),
        ("sp=rwdlac", "sp=cr"),
        ("se=2027-02", "se=2027-03"),
        ("spr=https", "spr=https%2Chttp"),
        ("sv=2021", "sv=2022"),
    ] {
        assert_eq!(read(good.replace(from, to)).await, failed, "{to}");
    }
    assert_eq!(read(format!("{good}&sig=AAAA")).await, failed, "sig twice");
    assert_eq!(read(format!("{good}&sp=r")).await, failed, "sp twice");
    for (st, se) in [("", "2027-01-15T08:00:00Z"), ("2027-01-16", END), ("", "whenever"), ("", "")] {
        assert_eq!(read(account_sas(&key, VERSION, whole, (st, se, "", ""))).await, failed, "{st} to {se}");
    }
    assert_eq!(
        read(account_sas(&key, VERSION, ("b", "sco", "rq"), ("", END, "", ""))).await,
        failed,
        "an unknown letter"
    );
    for sip in ["10.0.0.1", "10.0.0.1-10.0.0.9", "::1", "fe80::1-fe80::9"] {
        let sas = account_sas(&key, VERSION, whole, ("", END, sip, ""));
        assert_eq!(read(sas).await.1, "AuthorizationSourceIPMismatch", "{sip}");
    }
    assert_eq!(read(account_sas(&key, VERSION, whole, ("", END, "here", ""))).await, failed);
    assert_eq!(read(account_sas(&key, VERSION, whole, ("", END, "", "http"))).await, failed);
    let over_http = world.send_body("", "GET", &format!("/box/a?{good}"), &[], full(""), false).await;
    assert_eq!(over_http.code(), "AccountRequiresHttps");
}

#[tokio::test]
async fn f04_a_service_signature_is_of_its_container_or_blob() {
    let world = World::new().await;
    let key = world.shared_key("key1", None);
    world.upload("d/a%20b", "x").await;
    world.upload("other", "y").await;
    for sv in ["2015-04-05", "2018-11-09", "2020-12-06", "2026-04-06"] {
        let sas = service_sas(&key, sv, ("b", "box/d/a b", "r"), "attachment; filename=\"x\"");
        let got = world.send("", "GET", &format!("/box/d/a%20b?{sas}"), &[], "").await;
        assert_eq!(
            (got.status, got.header("content-disposition")),
            (200, "attachment; filename=\"x\""),
            "{sv}: {}",
            got.text()
        );
        assert_eq!(
            ask(&world, "GET", &format!("/box/other?{sas}"), &[], "").await.1,
            "AuthenticationFailed",
            "{sv}"
        );
        let list = service_sas(&key, sv, ("c", "box", "rl"), "");
        assert_eq!(ask(&world, "GET", &format!("/box/other?{list}"), &[], "").await.0, 200, "{sv}");
        assert_eq!(
            ask(&world, "GET", &format!("/box?restype=container&comp=list&{list}"), &[], "").await.0,
            200
        );
        assert_eq!(
            ask(&world, "GET", &format!("/box?restype=container&{list}"), &[], "").await.1,
            "AuthorizationResourceTypeMismatch"
        );
    }
    world.send("writer", "PUT", "/second?restype=container", &[], "").await;
    let list = service_sas(&key, VERSION, ("c", "box", "rl"), "");
    assert_eq!(
        ask(&world, "GET", &format!("/second?restype=container&comp=list&{list}"), &[], "").await.1,
        "AuthenticationFailed"
    );
    let named = format!("{}&si=policy", service_sas(&key, VERSION, ("c", "box", "rl"), ""));
    assert_eq!(ask(&world, "GET", &format!("/box/other?{named}"), &[], "").await.1, "AuthenticationFailed");
}

#[tokio::test]
async fn f06_no_header_is_split_by_an_override() {
    let world = World::new().await;
    let key = world.shared_key("key1", None);
    world.upload("a", "x").await;
    let sas = service_sas(&key, VERSION, ("b", "box/a", "r"), "attachment\r\nx-planted: 1");
    let reply = world.send("", "GET", &format!("/box/a?{sas}"), &[], "").await;
    assert_eq!((reply.status, reply.code()), (400, "InvalidQueryParameterValue"));
    assert!(!reply.headers.contains_key("x-planted"));
}

async fn user_key(world: &World, who: &str, expiry: &str) -> Reply {
    let body = format!(
        "<?xml version='1.0' encoding='utf-8'?><KeyInfo><Start>{START}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
    );
    world.send(who, "POST", "/?restype=service&comp=userdelegationkey", &[], &body).await
}

fn element<'x>(xml: &'x str, name: &str) -> &'x str {
    xml.split(&format!("<{name}>")).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default()
}

const KEY_START: &str = "2027-01-14T00:00:00Z";
const KEY_END: &str = "2027-01-20T00:00:00Z";

fn user_sas(key: &MacKey, who: &str, sv: &str, (sp, key_end): (&str, &str)) -> String {
    let (oid, tid) = (object(who).to_string(), tenant(1).to_string());
    let more = if sv >= "2020-02-10" { "\n\n\n" } else { "" };
    let delegated = if sv >= "2025-07-05" { "\n\n" } else { "" };
    let ses = if sv >= "2020-12-06" { "\n" } else { "" };
    let asked = if sv >= "2026-04-06" { "\n\n" } else { "" };
    let text = format!(
        "{sp}\n\n{END}\n/blob/acct/box/a\n{oid}\n{tid}\n{KEY_START}\n{key_end}\nb\n2020-10-02{more}{delegated}\n\n\n{sv}\nb\n{ses}{asked}\n\n\n\n\n"
    );
    let fields = [
        ("sv", sv),
        ("sr", "b"),
        ("sp", sp),
        ("se", END),
        ("skoid", oid.as_str()),
        ("sktid", tid.as_str()),
        ("skt", KEY_START),
        ("ske", key_end),
        ("sks", "b"),
        ("skv", "2020-10-02"),
    ];
    with_signature(key, &fields, &text)
}

async fn key_of(world: &World, who: &str) -> MacKey {
    let body = format!("<KeyInfo><Start>{KEY_START}</Start><Expiry>{KEY_END}</Expiry></KeyInfo>");
    let reply = world.send(who, "POST", "/?restype=service&comp=userdelegationkey", &[], &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let xml = reply.text();
    assert_eq!(
        (element(&xml, "SignedOid"), element(&xml, "SignedExpiry")),
        (object(who).to_string().as_str(), KEY_END)
    );
    MacKey::new(&decoded(element(&xml, "Value")))
}

#[tokio::test]
async fn a_users_signature_allows_what_the_user_may() {
    let world = World::new().await;
    world.upload("a", "x").await;
    let key = key_of(&world, "reader").await;
    for sv in ["2018-11-09", "2020-02-10", "2020-12-06", "2025-07-05", "2026-04-06"] {
        let sas = user_sas(&key, "reader", sv, ("r", KEY_END));
        assert_eq!(ask(&world, "GET", &format!("/box/a?{sas}"), &[], "").await.0, 200, "{sv}");
    }
    let write = user_sas(&key, "reader", "2020-12-06", ("rw", KEY_END));
    assert_eq!(
        ask(&world, "PUT", &format!("/box/a?{write}"), &[BLOCK_BLOB], "y").await.1,
        "AuthorizationPermissionMismatch"
    );
    let other = user_sas(&key, "writer", "2020-12-06", ("r", KEY_END));
    assert_eq!(
        ask(&world, "GET", &format!("/box/a?{other}"), &[], "").await.1,
        "AuthenticationFailed",
        "somebody else's name"
    );
    assert_eq!(world.get("/box/a", &[]).await.text(), "x");
}

#[tokio::test]
async fn f05_a_key_ends_with_its_time_and_with_its_users_role() {
    let world = World::new().await;
    world.upload("a", "x").await;
    let key = key_of(&world, "reader").await;
    let longer = user_sas(&key, "reader", "2020-12-06", ("r", "2027-01-31T00:00:00Z"));
    assert_eq!(
        ask(&world, "GET", &format!("/box/a?{longer}"), &[], "").await.1,
        "AuthenticationFailed",
        "a key stretched"
    );
    let sas = user_sas(&key, "reader", "2020-12-06", ("r", KEY_END));
    let target = format!("/box/a?{sas}");
    assert_eq!(ask(&world, "GET", &target, &[], "").await.0, 200);
    world.take_roles_of("reader").await;
    assert_eq!(ask(&world, "GET", &target, &[], "").await.1, "AuthorizationPermissionMismatch");
    let writers = key_of(&world, "writer").await;
    let target = format!("/box/a?{}", user_sas(&writers, "writer", "2020-12-06", ("r", KEY_END)));
    assert_eq!(ask(&world, "GET", &target, &[], "").await.0, 200);
    world.pass(6 * 24 * 3600).await;
    assert_eq!(
        ask(&world, "GET", &target, &[], "").await.1,
        "AuthenticationFailed",
        "the key's time is over"
    );
}

#[tokio::test]
async fn f05_revoked_keys_open_nothing_and_new_ones_do() {
    let world = World::new().await;
    world.upload("a", "x").await;
    let of = |key: &MacKey| format!("/box/a?{}", user_sas(key, "reader", "2020-12-06", ("r", KEY_END)));
    let old = of(&key_of(&world, "reader").await);
    assert_eq!(ask(&world, "GET", &old, &[], "").await.0, 200);
    for time in ["2027-01-15T08:00:00.0000000Z", "2027-01-15T08:00:00.0000010Z"] {
        world.set_account(serde_json::json!({"userDelegationKeysRevokedTime": time})).await;
        assert_eq!(ask(&world, "GET", &old, &[], "").await.1, "AuthenticationFailed", "{time}");
        let new = of(&key_of(&world, "reader").await);
        assert_ne!(new, old);
        assert_eq!(ask(&world, "GET", &new, &[], "").await.0, 200, "{time}");
    }
}

#[tokio::test]
async fn f05_a_disabled_users_signature_opens_nothing() {
    let world = World::new().await;
    world.upload("a", "x").await;
    let key = key_of(&world, "reader").await;
    let target = format!("/box/a?{}", user_sas(&key, "reader", "2020-12-06", ("r", KEY_END)));
    assert_eq!(ask(&world, "GET", &target, &[], "").await.0, 200);
    let source = format!("https://acct.blob.core.s.example{target}");
    let copy = async || world.send("writer", "PUT", "/box/b", &[("x-ms-copy-source", &source)], "").await;
    assert_eq!(copy().await.status, 202);
    world.disable("reader").await;
    assert_eq!(ask(&world, "GET", &target, &[], "").await.1, "AuthorizationPermissionMismatch");
    assert_eq!(copy().await.code(), "AuthorizationPermissionMismatch");
}

#[tokio::test]
async fn keys_of_users_are_for_users_and_for_a_week() {
    let world = World::new().await;
    assert_eq!(
        user_key(&world, "nobody", "2027-01-16T00:00:00Z").await.code(),
        "AuthorizationPermissionMismatch"
    );
    for expiry in ["2027-01-15T07:00:00Z", "2027-01-23T00:00:00Z", "tomorrow"] {
        assert_eq!(user_key(&world, "reader", expiry).await.code(), "InvalidXmlNodeValue", "{expiry}");
    }
    let broken =
        world.send("reader", "POST", "/?restype=service&comp=userdelegationkey", &[], "<KeyInfo>").await;
    assert_eq!(broken.code(), "InvalidXmlDocument");
    let key = world.shared_key("key1", None);
    let body = format!("<KeyInfo><Expiry>{KEY_END}</Expiry></KeyInfo>");
    let by_key = signed(&world, &key, "POST", "/?comp=userdelegationkey&restype=service", &[], &body).await;
    assert_eq!(by_key.code(), "AuthenticationFailed", "a key makes no key");
}
