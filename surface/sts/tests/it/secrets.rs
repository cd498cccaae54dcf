//! Tokens by secret: replies, claims word for word, and every way to be refused.

use cs_store::AuditOutcome;
use http::header::AUTHORIZATION;
use serde_json::json;

use crate::world::{
    APP, APP_OBJECT, ARM, Answer, LOGIN, MACHINE_CLIENT, MACHINE_OBJECT, NOW, SECRET, T1, T2, VAULT, World,
    claims_of, encoded, form, secret_form, token_path,
};

const SCOPE: &str = "https://vault.azure.net/.default";

#[tokio::test]
async fn the_v2_reply_holds_numbers() {
    let world = World::new().await;
    let answer = world.by_secret(SECRET, SCOPE).await;
    let mut body = answer.json();
    assert!(answer.token().len() < 4096);
    body.as_object_mut().unwrap().shift_remove("access_token");
    assert_eq!(body, json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599}));
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "no-store, no-cache");
    assert_eq!(answer.headers["pragma"], "no-cache");
}

#[tokio::test]
async fn the_v1_reply_holds_strings_only() {
    let world = World::new().await;
    let client = APP.to_string().to_uppercase();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &client),
        ("client_secret", SECRET),
        ("resource", "https://vault.azure.net/"),
    ];
    let answer = world.post(&format!("/{T1}/oauth2/token"), &fields).await;
    let mut body = answer.json();
    assert_eq!(claims_of(&answer.token())["aud"], "https://vault.azure.net/");
    body.as_object_mut().unwrap().shift_remove("access_token");
    let (until, from) = ((NOW + 3599).to_string(), (NOW - 300).to_string());
    assert_eq!(
        body,
        json!({"token_type": "Bearer", "expires_in": "3599", "ext_expires_in": "3599", "expires_on": until,
            "not_before": from, "resource": "https://vault.azure.net/"})
    );
}

#[tokio::test]
async fn adfs_takes_scope_on_either_path_and_answers_with_numbers() {
    let world = World::new().await;
    for path in ["/adfs/oauth2/token", "/adfs/oauth2/v2.0/token"] {
        let answer = world.post(path, &secret_form(SECRET, SCOPE)).await;
        assert_eq!(answer.json()["expires_in"], 3599, "{path}");
        assert_eq!(claims_of(&answer.token())["tid"], T1.to_string());
    }
}

#[tokio::test]
async fn claims_of_an_application_word_for_word() {
    let world = World::new().await;
    let mut claims = claims_of(&world.by_secret(SECRET, SCOPE).await.token());
    assert_eq!(claims.shift_remove("uti").unwrap().as_str().unwrap().len(), 32);
    let issuer = format!("{LOGIN}/{T1}/");
    assert_eq!(
        serde_json::Value::Object(claims),
        json!({"aud": VAULT, "iss": issuer, "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 3599,
            "appid": APP, "appidacr": "1", "idp": issuer, "idtyp": "app", "oid": APP_OBJECT, "sub": APP_OBJECT,
            "tid": T1, "ver": "1.0"})
    );
}

#[tokio::test]
async fn claims_of_a_machine_last_a_day_and_name_it() {
    let world = World::new().await;
    let claims = claims_of(&world.machine_token().await);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_700);
    assert_eq!((&claims["oid"], &claims["appidacr"]), (&json!(MACHINE_OBJECT), &json!("2")));
    assert_eq!(claims["appid"], json!(MACHINE_CLIENT));
    let id = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourcegroups/Lab/providers/Microsoft.HybridCompute/machines/m1";
    assert_eq!((&claims["xms_mirid"], &claims["xms_az_rid"]), (&json!(id), &json!(id)));
}

#[tokio::test]
async fn audiences_stay_byte_for_byte() {
    let world = World::new().await;
    for (scope, aud) in [
        ("https://management.core.windows.net//.default", "https://management.core.windows.net/"),
        ("https://vault.countersign.localhost:8443/.default", "https://vault.countersign.localhost:8443"),
        ("openid https://MANAGEMENT.azure.com/.default offline_access", "https://MANAGEMENT.azure.com"),
        ("e406a681-f3d4-42a8-90b6-c2b029497af1/.default", "e406a681-f3d4-42a8-90b6-c2b029497af1"),
    ] {
        assert_eq!(claims_of(&world.by_secret(SECRET, scope).await.token())["aud"], aud);
    }
}

#[tokio::test]
async fn a_secret_in_the_header_is_decoded_once() {
    let world = World::new().await;
    let code = |text: &str| encoded(&[(text, "")]).trim_end_matches('=').to_owned();
    let basic = |secret: &str| {
        format!("Basic {}", cs_jose::encode_std(format!("{}:{}", code(&APP.to_string()), code(secret))))
    };
    let send = async |body: &[(&str, &str)], value: String| -> Answer {
        let mut request = form(&token_path(T1), &encoded(body));
        request.headers_mut().insert(AUTHORIZATION, value.parse().unwrap());
        world.send(request).await
    };
    let body = [("grant_type", "client_credentials"), ("scope", SCOPE)];
    assert_eq!(send(&body, basic(SECRET)).await.status, 200);
    assert_eq!(send(&body, basic("wrong")).await.code(), 7_000_215);
    assert_eq!(send(&secret_form(SECRET, SCOPE), basic(SECRET)).await.code(), 9_002_313);
    assert_eq!(send(&body, "Bearer x".to_owned()).await.code(), 9_002_313);
}

/// The real one's text, character by character: clients and scripts search it.
#[tokio::test]
async fn a_wrong_secret_is_refused_word_for_word() {
    let world = World::new().await;
    let mut request = form(&token_path(T1), &encoded(&secret_form("wrong", SCOPE)));
    let id = "4a2f1f9e-1111-4b22-9c3d-2f1f1f1f1f1f";
    request.headers_mut().insert("client-request-id", id.parse().unwrap());
    request.headers_mut().insert("return-client-request-id", "true".parse().unwrap());
    let answer = world.send(request).await;
    let trace = answer.headers["x-ms-request-id"].to_str().unwrap().to_owned();
    assert_eq!((answer.status.as_u16(), answer.code()), (401, 7_000_215));
    assert_eq!(answer.headers["client-request-id"], id);
    assert_eq!(
        answer.json(),
        json!({"error": "invalid_client",
            "error_description": format!("AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{APP}'. Trace ID: {trace} Correlation ID: {id} Timestamp: 2027-01-15 08:00:00Z"),
            "error_codes": [7_000_215], "timestamp": "2027-01-15 08:00:00Z", "trace_id": trace,
            "correlation_id": id, "error_uri": format!("{LOGIN}/error?code=7000215")})
    );
}

#[tokio::test]
async fn every_refusal_has_its_code_and_status() {
    let world = World::new().await;
    let mut all = Vec::new();
    for (scope, code) in [
        ("https://vault.azure.net", 1_002_012),
        ("https://vault.azure.net/.default https://management.azure.com/.default", 28_000),
        ("https://unknown.example/.default", 500_011),
        ("https://vault.azure.net\"\\\n/.default", 500_011),
        ("/.default", 900_144),
        ("", 900_144),
    ] {
        all.push((world.by_secret(SECRET, scope).await, 400, code));
    }
    let id = APP.to_string();
    let grant = ("grant_type", "client_credentials");
    let scope = ("scope", SCOPE);
    for (fields, status, code) in [
        (vec![], 400, 900_144),
        (vec![grant, ("client_id", &*id), scope], 401, 7_000_218),
        (vec![grant, ("client_secret", SECRET), scope], 400, 900_144),
        (vec![("grant_type", "password"), scope], 400, 70_003),
        (vec![grant, ("client_id", "not-a-guid"), ("client_secret", "x"), scope], 400, 700_016),
    ] {
        all.push((world.post(&token_path(T1), &fields).await, status, code));
    }
    all.push((world.post("/common/oauth2/v2.0/token", &secret_form(SECRET, SCOPE)).await, 400, 700_016));
    for (answer, status, code) in all {
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.text);
    }
}

#[tokio::test]
async fn disabled_and_expired_are_told_apart_and_recorded() {
    use cs_store::Directory;
    let world = World::new().await;
    world.store.set_enabled(T1, APP_OBJECT, false, world.audit()).await.unwrap();
    assert_eq!(world.by_secret(SECRET, SCOPE).await.code(), 7_000_112);
    world.store.set_enabled(T1, APP_OBJECT, true, world.audit()).await.unwrap();
    world.by_secret("wrong", SCOPE).await;
    world.by_secret(SECRET, SCOPE).await.token();
    let outcomes: Vec<_> = world.sign_ins.0.lock().unwrap().iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [AuditOutcome::Denied, AuditOutcome::Done]);
    world.clock.advance(31 * 86_400);
    assert_eq!(world.by_secret(SECRET, SCOPE).await.code(), 7_000_222);
}

#[tokio::test]
async fn b25_a_secret_of_one_tenant_is_unknown_in_another() {
    let world = World::new().await;
    let answer = world.post(&token_path(T2), &secret_form(SECRET, SCOPE)).await;
    assert_eq!(answer.code(), 700_016);
}

#[tokio::test]
async fn b28_odd_secrets_are_wrong_and_long_ones_are_not_read() {
    let world = World::new().await;
    let cut = &SECRET[..SECRET.len() - 1];
    let longer = format!("{SECRET}\0");
    for secret in ["\u{e9}\u{1f511}", "\0", " ", cut, &longer, &"s".repeat(16_000), &SECRET.to_lowercase()] {
        assert_eq!(world.by_secret(secret, SCOPE).await.code(), 7_000_215);
    }
    assert_eq!(world.by_secret(&"s".repeat(100_000), SCOPE).await.code(), 9_002_313);
}

#[tokio::test]
async fn b30_credentials_in_the_query_are_refused_even_when_right() {
    let world = World::new().await;
    for query in [
        "client_secret=x",
        "grant_type=client_credentials",
        "CLIENT%5Fsecret=x",
        "client_assertion=x",
        "code=1",
    ] {
        let request = form(&format!("{}?{query}", token_path(T1)), &encoded(&secret_form(SECRET, SCOPE)));
        let answer = world.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, 90_013), "{query}");
    }
    let request =
        form(&format!("{}?client-request-id=1", token_path(T1)), &encoded(&secret_form(SECRET, SCOPE)));
    assert_eq!(world.send(request).await.status, 200);
}

/// The same questions to the directory for both; the comparison itself is of constant time.
#[tokio::test]
async fn b31_an_unknown_client_costs_what_a_wrong_secret_costs() {
    let world = World::new().await;
    world.directory.taken();
    assert_eq!(world.by_secret("wrong", SCOPE).await.code(), 7_000_215);
    let wrong = world.directory.taken();
    let mut fields = secret_form("wrong", SCOPE);
    fields[1].1 = "00000000-0000-0000-0000-00000000dead";
    assert_eq!(world.post(&token_path(T1), &fields).await.code(), 700_016);
    assert_eq!((world.directory.taken(), wrong.len()), (wrong, 2));
}

#[tokio::test]
async fn no_token_writes_to_the_directory() {
    let world = World::new().await;
    world.directory.taken();
    world.by_secret(SECRET, &format!("{ARM}/.default")).await.token();
    assert!(!world.directory.taken().contains(&"write"));
}
