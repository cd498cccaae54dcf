//! Requests signed with the account's keys as clients sign them, and every way in which they are not.

use cs_seal::MacKey;
use cs_serve::full;

use crate::world::{Reply, World, encoded};

const BLOCK_BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");
const DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
const VERSION: &str = "2021-12-02";

/// A request signed as clients sign it; `headers` are sent beside date and version.
pub(crate) async fn signed(
    world: &World,
    key: &MacKey,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut own: Vec<(String, String)> =
        vec![("x-ms-date".into(), DATE.into()), ("x-ms-version".into(), VERSION.into())];
    own.extend(
        headers.iter().filter(|(n, _)| n.starts_with("x-ms-")).map(|(n, v)| ((*n).into(), (*v).into())),
    );
    own.sort();
    let standard = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v).unwrap_or_default();
    let length = if body.is_empty() { String::new() } else { body.len().to_string() };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut pairs: Vec<&str> = query.split('&').filter(|p| !p.is_empty()).collect();
    pairs.sort_unstable();
    let resource =
        pairs.iter().fold(format!("/acct{path}"), |r, p| format!("{r}\n{}", p.replacen('=', ":", 1)));
    let own_text: String = own.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
    let text =
        format!("{method}\n\n\n{length}\n\n{}\n\n\n\n\n\n\n{own_text}{resource}", standard("content-type"));
    let authorization = format!("SharedKey acct:{}", encoded(&key.sign(text.as_bytes())));
    let length = body.len().to_string();
    let mut all: Vec<(&str, &str)> = own.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    all.extend(headers.iter().filter(|(n, _)| !n.starts_with("x-ms-")));
    all.extend([("authorization", authorization.as_str()), ("content-length", length.as_str())]);
    world.send_body("", method, target, &all, full(body.to_owned()), true).await
}

#[tokio::test]
async fn both_keys_open_everything_and_a_new_one_ends_the_old() {
    let world = World::new().await;
    for name in ["key1", "key2"] {
        let key = world.shared_key(name, None);
        let put =
            signed(&world, &key, "PUT", "/box/a%20b", &[BLOCK_BLOB, ("content-type", "text/plain")], "hello")
                .await;
        assert_eq!(put.status, 201, "{}", put.text());
        let got = signed(&world, &key, "GET", "/box/a%20b", &[], "").await;
        assert_eq!((got.status, got.text().as_str()), (200, "hello"));
        let list = signed(&world, &key, "GET", "/box?comp=list&restype=container&prefix=a", &[], "").await;
        assert!(list.status == 200 && list.text().contains("<Name>a b</Name>"), "{}", list.text());
        assert_eq!(signed(&world, &key, "GET", "/?comp=list", &[], "").await.status, 200);
    }
    let old = world.shared_key("key1", None);
    world
        .set_account(
            serde_json::json!({"keyCreationTime": {"key1": "2027-01-01T00:00:00.0000000Z", "key2": null}}),
        )
        .await;
    assert_eq!(signed(&world, &old, "GET", "/box/a%20b", &[], "").await.code(), "AuthenticationFailed");
    let new = world.shared_key("key1", Some("2027-01-01T00:00:00.0000000Z"));
    assert_eq!(signed(&world, &new, "GET", "/box/a%20b", &[], "").await.status, 200);
    world.set_account(serde_json::json!({"allowSharedKeyAccess": false})).await;
    let off = signed(&world, &new, "GET", "/box/a%20b", &[], "").await;
    assert_eq!((off.status, off.code()), (403, "KeyBasedAuthenticationNotPermitted"));
}

#[tokio::test]
async fn f01_f03_only_the_request_that_was_signed_is_answered() {
    let world = World::new().await;
    let key = world.shared_key("key1", None);
    world.upload("a", "x").await;
    let text = format!("GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{DATE}\nx-ms-version:{VERSION}\n/acct/box/a");
    let good = format!("SharedKey acct:{}", encoded(&key.sign(text.as_bytes())));
    let send = |headers: Vec<(&'static str, String)>| {
        let world = &world;
        async move {
            let all: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let reply = world.send_body("", "GET", "/box/a", &all, full(""), true).await;
            (reply.status, reply.code().to_owned())
        }
    };
    let base = |authorization: &str| {
        vec![
            ("x-ms-date", DATE.to_owned()),
            ("x-ms-version", VERSION.to_owned()),
            ("authorization", authorization.to_owned()),
        ]
    };
    assert_eq!(send(base(&good)).await.0, 200);
    let failed = (403, "AuthenticationFailed".to_owned());
    for more in [
        ("x-ms-meta-a", "b"),
        ("x-ms-version", VERSION),
        ("content-type", "text/plain"),
        ("x-ms-client-request-id", "\u{e9}"),
    ] {
        let mut headers = base(&good);
        headers.push((more.0, more.1.to_owned()));
        let reply = send(headers).await;
        assert!(reply == failed || reply.0 == 400, "f01: {more:?}: {reply:?}");
    }
    for late in ["Fri, 15 Jan 2027 08:16:00 GMT", "Fri, 15 Jan 2027 07:44:00 GMT", "yesterday", ""] {
        let text = text.replace(DATE, late);
        let mut headers = base(&format!("SharedKey acct:{}", encoded(&key.sign(text.as_bytes()))));
        headers[0].1 = late.to_owned();
        assert_eq!(send(headers).await, failed, "f03: {late}");
    }
    for bad in [
        format!("SharedKey other:{}", encoded(&key.sign(text.as_bytes()))),
        format!("SharedKey acct:{}", encoded(&key.sign(b"something else"))),
        format!("SharedKey acct:{}", encoded(&[0; 32])),
        "SharedKey acct:".to_owned(),
    ] {
        assert_eq!(send(base(&bad)).await, failed, "{bad}");
    }
    for odd in ["SharedKey acct", "SharedKey", "Digest acct:AAAA", "SharedKey acct:!"] {
        assert_eq!(send(base(odd)).await.0, 400, "{odd}");
    }
}

#[tokio::test]
async fn either_order_of_headers_is_a_signature() {
    let world = World::new().await;
    let key = world.shared_key("key1", None);
    for order in [["x-ms-meta-a1:2", "x-ms-meta-a_:1"], ["x-ms-meta-a_:1", "x-ms-meta-a1:2"]] {
        let text = format!(
            "PUT\n\n\n1\n\n\n\n\n\n\n\n\nx-ms-blob-type:BlockBlob\nx-ms-date:{DATE}\n{}\n{}\nx-ms-version:{VERSION}\n/acct/box/a",
            order[0], order[1]
        );
        let authorization = format!("SharedKey acct:{}", encoded(&key.sign(text.as_bytes())));
        let headers = [
            ("x-ms-date", DATE),
            ("x-ms-version", VERSION),
            BLOCK_BLOB,
            ("x-ms-meta-a_", "1"),
            ("x-ms-meta-a1", "2"),
            ("authorization", authorization.as_str()),
            ("content-length", "1"),
        ];
        assert_eq!(
            world.send_body("", "PUT", "/box/a", &headers, full("x"), true).await.status,
            201,
            "{order:?}"
        );
    }
}
