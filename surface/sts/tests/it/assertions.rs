//! Signed assertions: as every client sends them, and as nobody may.

use aws_lc_rs::hmac;
use cs_jose::{encode_std, encode_url};
use serde_json::{Value, json};

use crate::{
    signed::{
        Algorithm, app, app_claims, by_rsa, machine, machine_claims, sha1, sha256, spellings, with,
        with_header, with_header_text,
    },
    world::{LOGIN, NOW, SIGNED_APP, T1, T2, World, certificate, claims_of, rsa, token_path},
};

#[tokio::test]
async fn both_algorithms_and_all_spellings_of_both_thumbprints_pass() {
    let world = World::new().await;
    let claims = encode_url(app_claims().to_string());
    for (alg, algorithm) in [("RS256", Algorithm::Rs256), ("PS256", Algorithm::Ps256)] {
        for (name, print) in [("x5t#S256", sha256()), ("x5t", sha1())] {
            for spelling in spellings(&print) {
                let header = json!({"alg": alg, "typ": "JWT", name: spelling});
                let token = by_rsa(2, algorithm, &encode_url(header.to_string()), &claims);
                let answer = world.by_assertion(&token).await;
                assert_eq!(claims_of(&answer.token())["appidacr"], "2", "{alg} {name} {spelling}");
            }
        }
    }
}

#[tokio::test]
async fn padded_parts_and_fractional_times_pass() {
    let world = World::new().await;
    // Three bytes make four characters: a claim is stretched until the part needs padding.
    let claims = with(
        app_claims(),
        json!({"exp": NOW as f64 + 599.172_508_5, "iat": NOW as f64 + 0.25, "jti": "padded"}),
    );
    let pad = |text: String| {
        let part = encode_url(&text);
        let missing = (4 - part.len() % 4) % 4;
        (format!("{part}{}", "=".repeat(missing)), missing)
    };
    let header = json!({"alg": "PS256", "x5t#S256": encode_url(sha256())}).to_string();
    let stretched =
        (0..3).map(|n| pad(format!("{claims}{}", " ".repeat(n)))).find(|(_, missing)| *missing == 2);
    let token = by_rsa(2, Algorithm::Ps256, &pad(header).0, &stretched.unwrap().0);
    assert!(token.contains("==."));
    world.by_assertion(&format!("{token}==")).await.token();
    // The signature is over the bytes as they came: the same parts without their padding are other bytes.
    assert_eq!(world.by_assertion(&token.replace("==.", ".")).await.code(), 700_027);
}

#[tokio::test]
async fn times_are_optional_where_clients_leave_them_out() {
    let world = World::new().await;
    for change in [
        json!({"iat": null}),
        json!({"iat": null, "nbf": NOW}),
        json!({"nbf": NOW + 299}),
        json!({"jti": null}),
    ] {
        world.by_assertion(&app(&with(app_claims(), change))).await.token();
    }
}

#[tokio::test]
async fn b01_alg_none_is_refused() {
    let world = World::new().await;
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = encode_url(json!({"alg": alg, "x5t#S256": encode_url(sha256())}).to_string());
        let claims = encode_url(app_claims().to_string());
        let answer = world.by_assertion(&format!("{header}.{claims}.")).await;
        assert_eq!(answer.json()["error"], "invalid_client", "{alg}");
        let signed = by_rsa(2, Algorithm::Rs256, &header, &claims);
        assert_eq!(world.by_assertion(&signed).await.code(), 700_027, "{alg}");
    }
}

#[tokio::test]
async fn b02_hmac_with_the_public_key_is_refused() {
    let world = World::new().await;
    let jwk = serde_json::to_string(&rsa(2).public()).unwrap();
    let pem =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", encode_std(certificate()));
    for secret in [certificate(), pem.into_bytes(), jwk.into_bytes()] {
        let header = json!({"alg": "HS256", "x5t#S256": encode_url(sha256())});
        let signed = format!("{}.{}", encode_url(header.to_string()), encode_url(app_claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        let answer = world.by_assertion(&format!("{signed}.{}", encode_url(tag))).await;
        assert_eq!(answer.code(), 700_027);
    }
}

#[tokio::test]
async fn b03_keys_brought_along_are_not_used() {
    let world = World::new().await;
    let own = serde_json::to_value(rsa(3).public()).unwrap();
    let header = json!({"alg": "RS256", "x5t#S256": encode_url(sha256()), "jwk": own, "x5u": "http://127.0.0.1:1/",
        "jku": "http://127.0.0.1:1/", "x5c": [encode_std(certificate())]});
    let forged =
        by_rsa(3, Algorithm::Rs256, &encode_url(header.to_string()), &encode_url(app_claims().to_string()));
    assert_eq!(world.by_assertion(&forged).await.code(), 700_027);
    world.by_assertion(&with_header(&header)).await.token();
}

#[tokio::test]
async fn b04_odd_key_names_match_nothing() {
    let world = World::new().await;
    for kid in ["../../etc/passwd", "' OR '1'='1", "", "%", &encode_url(sha256())] {
        let answer = world.by_assertion(&with_header(&json!({"alg": "RS256", "kid": kid}))).await;
        assert_eq!(answer.code(), 700_027, "{kid}");
    }
    let long = json!({"alg": "RS256", "kid": "k".repeat(20_000)});
    assert_eq!(world.by_assertion(&with_header(&long)).await.code(), 50_012);
    let print = encode_url(sha256());
    let doubled = format!(r#"{{"alg":"RS256","x5t#S256":"AA","x5t#S256":"{print}"}}"#);
    assert_eq!(world.by_assertion(&with_header_text(&doubled)).await.code(), 50_012);
}

#[tokio::test]
async fn b05_b06_extensions_and_other_forms_are_refused() {
    let world = World::new().await;
    let print = encode_url(sha256());
    for extra in [json!({"crit": ["exp"]}), json!({"crit": []}), json!({"b64": false}), json!({"typ": "JWE"})]
    {
        let header = with(json!({"alg": "RS256", "x5t#S256": print}), extra.clone());
        assert_eq!(world.by_assertion(&with_header(&header)).await.code(), 50_012, "{extra}");
    }
    let good = app(&app_claims());
    let nested = by_rsa(2, Algorithm::Rs256, good.split('.').next().unwrap(), &encode_url(&good));
    for other in [format!("{good}.a.b"), format!("{good}."), format!("\"{good}\""), "..".into(), nested] {
        assert_eq!(world.by_assertion(&other).await.code(), 50_012, "{other}");
    }
}

#[tokio::test]
async fn b08_times_that_are_none_or_too_far_are_refused() {
    let world = World::new().await;
    for change in [
        json!({"exp": (NOW + 600).to_string()}),
        json!({"exp": -1}),
        json!({"exp": null}),
        json!({"exp": true}),
        json!({"exp": NOW}),
        json!({"exp": NOW + 86_401}),
        json!({"exp": 1e18}),
        json!({"nbf": NOW + 301}),
        json!({"nbf": "now"}),
        json!({"iat": NOW + 301}),
    ] {
        let answer = world.by_assertion(&app(&with(app_claims(), change.clone()))).await;
        assert_eq!(answer.code(), 700_024, "{change}");
    }
    let endless = app_claims().to_string().replace(&(NOW + 600).to_string(), "1e400");
    let header = encode_url(json!({"alg": "RS256", "x5t#S256": encode_url(sha256())}).to_string());
    let token = by_rsa(2, Algorithm::Rs256, &header, &encode_url(&endless));
    assert_eq!(world.by_assertion(&token).await.status, 401);
    world.by_assertion(&app(&with(app_claims(), json!({"exp": NOW + 86_400})))).await.token();
}

#[tokio::test]
async fn b09_only_our_own_token_endpoint_is_an_audience() {
    let world = World::new().await;
    let try_at = async |path: &str, aud: Value| {
        world.assert_at(path, &app(&with(app_claims(), json!({"aud": aud})))).await
    };
    let path = token_path(T1);
    for good in [
        format!("{LOGIN}/{T1}/oauth2/v2.0/token"),
        format!("{LOGIN}/{T1}/oauth2/token"),
        format!("{LOGIN}/{T1}/v2.0"),
        format!("{LOGIN}/first.example/oauth2/v2.0/token"),
        format!("https://LOGIN.Countersign.localhost:8443/{}/oauth2/token", T1.to_string().to_uppercase()),
    ] {
        try_at(&path, json!(good)).await.token();
    }
    let ours = format!("{LOGIN}/{T1}/oauth2/v2.0/token");
    for bad in [
        json!(format!("{LOGIN}/{T2}/oauth2/v2.0/token")),
        json!(format!("{LOGIN}/second.example/oauth2/token")),
        json!(format!("{LOGIN}/first.example/v2.0")),
        json!(format!("{LOGIN}/adfs/oauth2/token")),
        json!(format!("{LOGIN}/common/oauth2/token")),
        json!(format!("https://login.countersign.localhost/{T1}/oauth2/v2.0/token")),
        json!(format!("https://login.countersign.localhost:9/{T1}/oauth2/v2.0/token")),
        json!(format!("http://login.countersign.localhost:8443/{T1}/oauth2/v2.0/token")),
        json!(format!("https://login.evil.example:8443/{T1}/oauth2/v2.0/token")),
        json!(format!("{ours}/")),
        json!(format!("{ours}?x=1")),
        json!("api://AzureADTokenExchange"),
        json!(""),
        json!([ours]),
        json!([ours, "https://other.example"]),
        Value::Null,
    ] {
        assert_eq!(try_at(&path, bad.clone()).await.code(), 700_023, "{bad}");
    }
    try_at("/adfs/oauth2/token", json!(format!("{LOGIN}/adfs/oauth2/token"))).await.token();
}

#[tokio::test]
async fn b10_issuer_subject_and_client_are_one() {
    let world = World::new().await;
    let other = "00000000-0000-0000-0000-0000000000a1";
    let code = async |change: Value| world.by_assertion(&app(&with(app_claims(), change))).await.code();
    assert_eq!(code(json!({"sub": other})).await, 50_048);
    assert_eq!(code(json!({"sub": null})).await, 50_012);
    // Another issuer stands for whoever the request names, and it names nobody.
    assert_eq!(code(json!({"iss": "https://token.actions.example", "sub": "repo:x"})).await, 900_144);
    // Signed by one application's key in another's name.
    assert_eq!(code(json!({"iss": other, "sub": other})).await, 700_027);
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", other),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &app(&app_claims())),
        ("scope", "https://vault.azure.net/.default"),
    ];
    assert_eq!(world.post(&token_path(T1), &fields).await.code(), 700_021);
}

#[tokio::test]
async fn b11_applications_may_reuse_an_assertion_until_it_ends() {
    let world = World::new().await;
    let assertion = app(&app_claims());
    for _ in 0..3 {
        world.by_assertion(&assertion).await.token();
        world.clock.advance(199);
    }
    world.clock.advance(3);
    assert_eq!(world.by_assertion(&assertion).await.code(), 700_024);
}

#[tokio::test]
async fn b11_a_machines_assertion_counts_once_and_is_short() {
    let world = World::new().await;
    let assertion = machine(&world, &machine_claims("one"));
    let claims = claims_of(&world.by_assertion(&assertion).await.token());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86_700);
    let again = world.by_assertion(&assertion).await;
    assert_eq!((again.code(), again.status.as_u16()), (50_012, 401));
    world.by_assertion(&machine(&world, &machine_claims("two"))).await.token();
    for change in [json!({"exp": NOW + 301}), json!({"iat": null, "exp": NOW + 301})] {
        let long = machine(&world, &with(machine_claims("three"), change.clone()));
        assert_eq!(world.by_assertion(&long).await.code(), 700_024, "{change}");
    }
    for jti in [json!(null), json!(""), json!(7), json!("j".repeat(65))] {
        let odd = machine(&world, &with(machine_claims("four"), json!({"jti": jti})));
        assert_eq!(world.by_assertion(&odd).await.code(), 50_012, "{jti}");
    }
    // A machine whose clock is ahead is served, and still only once.
    let ahead = json!({"iat": NOW + 290, "exp": NOW + 590});
    let ahead = machine(&world, &with(machine_claims("five"), ahead));
    world.by_assertion(&ahead).await.token();
    assert_eq!(world.by_assertion(&ahead).await.code(), 50_012);
}

#[tokio::test]
async fn b11_two_at_once_with_one_assertion_get_one_token() {
    let world = World::new().await;
    let assertion = machine(&world, &machine_claims("raced"));
    let (a, b) = tokio::join!(world.by_assertion(&assertion), world.by_assertion(&assertion));
    assert_eq!([a, b].iter().filter(|answer| answer.status == 200).count(), 1);
}

#[tokio::test]
async fn b25_an_assertion_is_of_one_tenant() {
    let world = World::new().await;
    let there = with(app_claims(), json!({"aud": format!("{LOGIN}/{T2}/oauth2/v2.0/token")}));
    assert_eq!(world.assert_at(&token_path(T2), &app(&there)).await.code(), 700_016);
}

#[tokio::test]
async fn a_secret_and_an_assertion_together_are_refused() {
    let world = World::new().await;
    let assertion = app(&app_claims());
    let id = SIGNED_APP.to_string();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &*id),
        ("client_secret", "x"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
        ("scope", "https://vault.azure.net/.default"),
    ];
    assert_eq!(world.post(&token_path(T1), &fields).await.code(), 9_002_313);
}
