//! Forms that are not what they should be.

use proptest::prelude::*;

use crate::world::{SECRET, T1, VAULT, World, encoded, form, secret_form, token_path};

#[tokio::test]
async fn doubled_fields_are_refused() {
    let world = World::new().await;
    let good = encoded(&secret_form(SECRET, &format!("{VAULT}/.default")));
    for more in ["scope=x", "client_secret=x", "SCOPE=x", "unknown=1&unknown=1", "client%5Fid=x"] {
        let answer = world.send(form(&token_path(T1), &format!("{good}&{more}"))).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, 9_002_313), "{more}");
    }
    let answer = world.send(form(&token_path(T1), &format!("{good}&x-client-SKU=msal.js&empty="))).await;
    assert_eq!(answer.status, 200, "unknown fields are ignored");
}

#[tokio::test]
async fn bodies_of_another_kind_or_size_are_refused() {
    let world = World::new().await;
    let good = encoded(&secret_form(SECRET, &format!("{VAULT}/.default")));
    for kind in ["application/json", "multipart/form-data", "text/plain", ""] {
        let request = http::Request::post(token_path(T1)).header("content-type", kind).body(good.clone());
        assert_eq!(world.send(request.unwrap()).await.code(), 9_002_313, "{kind}");
    }
    let request = http::Request::post(token_path(T1))
        .header("content-type", "Application/X-www-form-urlencoded; charset=UTF-8")
        .body(good.clone());
    assert_eq!(world.send(request.unwrap()).await.status, 200);
    let padded = |total: usize| format!("{good}&pad={}", "x".repeat(total - good.len() - 5));
    assert_eq!(world.send(form(&token_path(T1), &padded(64 * 1024))).await.status, 200);
    assert_eq!(world.send(form(&token_path(T1), &padded(64 * 1024 + 1))).await.code(), 9_002_313);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever stands in the body, the answer is a well-formed refusal: `code` checks what every error promises.
    #[test]
    fn no_body_breaks_the_token_endpoint(body in prop_oneof![
        any::<String>(),
        "[a-z_=&%+0-9]{0,200}",
        ("\\PC{0,40}", "\\PC{0,80}").prop_map(|(client, scope)| encoded(&[
            ("grant_type", "client_credentials"), ("client_id", &client), ("client_secret", &scope), ("scope", &scope)])),
        "\\PC{0,120}".prop_map(|assertion| encoded(&[("grant_type", "client_credentials"), ("scope", "x/.default"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", &assertion)])),
    ]) {
        thread_local! {
            static WORLD: (tokio::runtime::Runtime, World) = {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let world = runtime.block_on(World::new());
                (runtime, world)
            };
        }
        WORLD.with(|(runtime, world)| {
            let answer = runtime.block_on(world.send(form(&token_path(T1), &body)));
            assert_ne!(answer.code(), 0);
        });
    }
}
