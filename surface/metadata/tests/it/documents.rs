//! Documents and replies as clients read them.

use cs_broker::{AttestError, IssueError};
use cs_metadata::Service::{Himds, Imds};

use crate::world::{Reply, TOKEN, World, system, user_assigned};

#[tokio::test]
async fn the_token_reply_is_all_strings_in_order() {
    let world = World::new();
    let reply = world.token(TOKEN).await;
    assert_eq!(reply.status, 200);
    let (client, token) =
        (system().client, format!("token of {} for https://vault.azure.net, number 1", system().client));
    assert_eq!(
        reply.text,
        format!(
            "{{\"access_token\":\"{token}\",\"client_id\":\"{client}\",\"expires_in\":\"86400\",\"expires_on\":\"1800086400\",\
             \"ext_expires_in\":\"86400\",\"not_before\":\"1799999700\",\"resource\":\"https://vault.azure.net\",\"token_type\":\"Bearer\"}}"
        )
    );
    assert_eq!(reply.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn the_first_step_is_a_challenge_always_and_a_cached_token_costs_no_request() {
    let world = World::new();
    world.token(TOKEN).await;
    world.token(TOKEN).await;
    assert_eq!(world.issuer.asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(world.get(Himds, TOKEN).await.status, 401);
}

/// Clients refuse a challenge file outside the official directory, so a caller who sees ours there is told that name.
#[tokio::test]
async fn a_challenge_names_the_directory_as_its_caller_sees_it() {
    let world = World::new();
    let elsewhere = world.parts.himds_seen_at("/var/opt/azcmagent/tokens".into());
    let ask = |answer: Option<String>| {
        let request = http::Request::get(TOKEN).header("Host", "localhost:40342").header("Metadata", "true");
        let request = answer.into_iter().fold(request, |r, answer| r.header("Authorization", answer));
        World::ask(&elsewhere, request.body(cs_serve::empty()).unwrap())
    };
    let told = ask(None).await.challenge();
    let name = told.strip_prefix("/var/opt/azcmagent/tokens/").unwrap();
    let key = std::fs::read_to_string(world.dir.path().join(name)).unwrap();
    assert_eq!(ask(Some(format!("Basic {key}"))).await.status, 200);
}

#[tokio::test]
async fn imds_answers_in_one_step_and_echoes_the_selector() {
    let world = World::new();
    let base =
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/";
    assert_eq!(world.get(Imds, base).await.json()["resource"], "https://management.azure.com/");
    let u = user_assigned();
    for (selector, member, value) in [
        (format!("client_id={}", u.client), "client_id", u.client.to_string()),
        (format!("object_id={}", u.object), "object_id", u.object.to_string()),
        (format!("msi_res_id={}", u.resource), "msi_res_id", u.resource.clone()),
        (format!("mi_res_id={}", u.resource.to_uppercase()), "msi_res_id", u.resource.to_uppercase()),
        (format!("resource_id={}", u.resource), "msi_res_id", u.resource.clone()),
        (format!("msi-res-id={}", u.resource), "msi_res_id", u.resource.clone()),
        (format!("MSI%2Dres%2Did={}", u.resource), "msi_res_id", u.resource.clone()),
    ] {
        let reply = world.get(Imds, &format!("{base}&{selector}")).await;
        assert_eq!(reply.json()[member], value, "{}", reply.text);
        assert_eq!(reply.json()["client_id"], u.client.to_string());
    }
}

#[tokio::test]
async fn the_instance_document_of_each_service() {
    let world = World::new();
    let himds = world.get(Himds, "/metadata/instance?api-version=2020-06-01").await;
    assert!(
        himds
            .text
            .starts_with(r#"{"compute":{"azEnvironment":"AzurePublicCloud","isHostCompatibilityLayerVm":"""#)
    );
    assert!(himds.text.contains(&format!(r#""resourceId":"{}""#, system().resource)));
    assert!(
        himds.text.contains(r#""osType":"linux""#)
            && himds.text.contains(r#""tags":"scenario:Managed Identity;a:b""#)
    );
    assert!(himds.text.ends_with(r#""network":{}}"#));
    let imds = world.get(Imds, "/metadata/instance?api-version=2021-02-01").await.json();
    assert_eq!(
        (&imds["compute"]["osType"], &imds["network"]["interface"]),
        (&"Linux".into(), &serde_json::json!([]))
    );
}

const COMPUTE_LISTED: &str = "azEnvironment\nisHostCompatibilityLayerVm\nlocation\nname\noffer\nosType\nplacementGroupId\nplan/\n\
    platformFaultDomain\nplatformUpdateDomain\nprovider\npublicKeys/\npublisher\nresourceGroupName\ncustomData\nresourceId\n\
    securityProfile/\nsku\nstorageProfile/\nsubscriptionId\ntags\ntagsList/\nversion\nvmId\nvmScaleSetName\nvmSize\nzone\n\
    additionalCapabilities/\nevictionPolicy\nextendedLocation/\nhost/\nhostGroup/\nlicenseType\nosProfile/\n\
    platformSubFaultDomain\npriority\nuserData\nvirtualMachineScaleSet/";

#[tokio::test]
async fn parts_of_the_document() {
    let world = World::new();
    let at = |path: &str, format: &str| format!("/metadata/instance/{path}?api-version=2021-02-01{format}");
    for (path, format, status, text) in [
        ("compute/osType", "&format=text", 200, "Linux"),
        ("COMPUTE/ostype/", "&format=text", 200, "Linux"),
        ("compute/tagsList/1/name", "&format=text", 200, "a"),
        ("", "&format=text", 200, "compute/\nnetwork/"),
        ("compute/tagsList", "&format=text", 200, "0/\n1/"),
        ("compute/offer", "&format=text", 200, ""),
        ("compute/osType", "", 400, r#"{"error":"Bad request. Use format=text for a leaf node"}"#),
        ("compute/nothing", "", 404, r#"{"error":"Not found"}"#),
        ("compute/tagsList/9", "", 404, r#"{"error":"Not found"}"#),
        ("compute/", "&format=TEXT", 200, COMPUTE_LISTED),
        (
            "compute/osType",
            "&format=json",
            400,
            r#"{"error":"Bad request. Use format=text for a leaf node"}"#,
        ),
        ("compute/tagsList/0/", "&format=json", 200, r#"{"name":"scenario","value":"Managed Identity"}"#),
        ("compute%2FosType", "&format=text", 404, r#"{"error":"Not found"}"#),
        ("compute/os%54ype", "&format=text", 200, "Linux"),
        ("compute//osType", "&format=text", 404, r#"{"error":"Not found"}"#),
        ("/compute/osType", "&format=text", 404, r#"{"error":"Not found"}"#),
        ("compute/osType//", "&format=text", 404, r#"{"error":"Not found"}"#),
        ("compute/tagsList/01/name", "&format=text", 404, r#"{"error":"Not found"}"#),
        ("compute/osType/x", "&format=text", 404, r#"{"error":"Not found"}"#),
        ("compute", "&format=xml", 400, r#"{"error":"Bad request. The format must be json or text"}"#),
        ("compute/plan", "", 200, r#"{"name":"","product":"","publisher":""}"#),
    ] {
        let reply = world.get(Imds, &at(path, format)).await;
        assert_eq!((reply.status, reply.text.as_str()), (status, text), "{path}{format}");
    }
}

#[tokio::test]
async fn imds_siblings_and_what_is_not_there() {
    let world = World::new();
    assert!(world.get(Imds, "/metadata/versions").await.json()["apiVersions"].as_array().unwrap().len() > 20);
    assert_eq!(
        world.get(Imds, "/metadata/identity/info?api-version=2018-02-01").await.text,
        r#"{"tenantId":"tenant-1"}"#
    );
    let events = world.get(Imds, "/metadata/scheduledevents?api-version=2020-07-01").await;
    assert_eq!(events.text, r#"{"DocumentIncarnation":1,"Events":[]}"#);
    for path in [
        "/metadata/loadbalancer?api-version=2020-10-01",
        "/metadata/identity/getplatformmetadata?cred-api-version=2.0",
        "/metadata/identity/issuecredential",
        "/metadata/identity/credential",
        "/",
        "/metadata",
    ] {
        assert_eq!(world.get(Imds, path).await.status, 404, "{path}");
        assert_eq!(world.send(Imds, "GET", "/metadata/identity/getplatformmetadata", &[]).await.status, 404);
    }
}

#[tokio::test]
async fn versions_that_are_missing_or_unknown() {
    let world = World::new();
    let reply = world.get(Imds, "/metadata/instance").await;
    assert_eq!((reply.status, reply.json()["newest-versions"][0].as_str()), (400, Some("2021-12-13")));
    assert_eq!(world.get(Imds, "/metadata/instance?api-version=2018-02-02").await.status, 400);
    // The whole of IMDS answers so, tokens too (metadata.md 3.1); HIMDS in its own words.
    for missing in ["", "&api-version=", "&api-version=latest"] {
        let target = format!("/metadata/identity/oauth2/token?resource=https://vault.azure.net{missing}");
        let reply = world.get(Imds, &target).await;
        assert_eq!(
            (reply.status, reply.json()["newest-versions"][0].as_str()),
            (400, Some("2021-12-13")),
            "{missing}"
        );
        let himds = world.get(Himds, &target).await;
        assert_eq!((himds.status, himds.json()["error"].as_str()), (400, Some("bad_request")), "{missing}");
    }
    let himds = world.get(Himds, "/metadata/instance?api-version=1").await;
    assert!(
        himds.json()["error_description"].as_str().unwrap().contains("Supported are 2019-11-01 2020-06-01")
    );
    assert_eq!(world.get(Himds, &TOKEN.replace("2019-11-01", "2031-01-01")).await.status, 401);
}

#[tokio::test]
async fn what_the_site_says_reaches_the_program() {
    let world = World::new();
    *world.issuer.fails.lock().unwrap() =
        Some(IssueError::Refused { code: "500011".into(), text: "AADSTS500011: no".into() });
    let refused = world.token(TOKEN).await;
    assert_eq!(
        (refused.status, refused.json()["error_description"].as_str()),
        (400, Some("AADSTS500011: no"))
    );
    *world.issuer.fails.lock().unwrap() = Some(IssueError::Unreachable("down".into()));
    let away = world.token(TOKEN).await;
    assert_eq!((away.status, away.headers["retry-after"].to_str().unwrap()), (503, "5"));
}

#[tokio::test]
async fn the_app_service_source_wants_its_header() {
    let world = World::new();
    let target = "/appservice/token?api-version=2019-08-01&resource=https://vault.azure.net";
    let good = world.send(Himds, "GET", target, &[("X-IDENTITY-HEADER", "the-header")]).await;
    assert_eq!((good.status, good.json()["expires_on"].as_str()), (200, Some("1800086400")));
    for headers in [&[][..], &[("X-IDENTITY-HEADER", "other")], &[("Metadata", "true")]] {
        assert_eq!(world.send(Himds, "GET", target, headers).await.status, 401);
    }
}

#[tokio::test]
async fn probes_get_their_400() {
    let world = World::new();
    for target in ["/metadata/identity/oauth2/token", TOKEN, "/metadata/identity/oauth2/token/"] {
        let reply = world.send(Imds, "GET", target, &[]).await;
        assert_eq!(reply.status, 400);
        assert!(!reply.text.contains("Identity not found") && !reply.text.contains("unreachable"));
    }
}

#[tokio::test]
async fn the_attested_document_is_signed_over_the_nonce() {
    let world = World::new();
    let at = |query: &str| format!("/metadata/attested/document?api-version=2020-09-01{query}");
    for (service, nonce, signed) in [
        (Imds, "&nonce=1234567890", "signed:1234567890"),
        (Himds, "&nonce=ab%2Fc", "signed:ab/c"),
        (Imds, "", "signed:the time"),
    ] {
        let reply = world.get(service, &at(nonce)).await;
        assert_eq!((reply.status, reply.json()["encoding"].as_str()), (200, Some("pkcs7")));
        let read = cs_jose::decode_any(reply.json()["signature"].as_str().unwrap()).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), signed);
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
    for bad in ["&nonce=123456789012345678901234567890123", "&nonce=a%0Ab", "&nonce=%C3%A9"] {
        for service in [Imds, Himds] {
            assert_eq!(world.get(service, &at(bad)).await.status, 400, "{bad}");
        }
    }
    world.clock.advance(10);
    for service in [Imds, Himds] {
        assert_eq!(world.send(service, "GET", &at("&nonce=1"), &[]).await.status, 400, "no header");
        assert_eq!(world.get(service, "/metadata/attested/document?nonce=1").await.status, 400, "no version");
        let forwarded = [("Metadata", "true"), ("X-Forwarded-For", "10.0.0.1")];
        assert!(matches!(world.send(service, "GET", &at(""), &forwarded).await.status, 400 | 403));
    }
}

#[tokio::test]
async fn why_there_is_no_attested_document() {
    let world = World::new();
    let target = "/metadata/attested/document?api-version=2020-09-01";
    for (error, status, wait) in [
        (AttestError::Nobody, 404, None),
        (AttestError::Refused("AADSTS700016: gone".into()), 400, None),
        (AttestError::Busy, 429, Some("1")),
        (AttestError::Unreachable("down".into()), 503, Some("5")),
        (AttestError::Failed("broken".into()), 500, None),
    ] {
        *world.attester.fails.lock().unwrap() = Some(error);
        let reply = world.get(Imds, target).await;
        let waits = reply.headers.get("retry-after").map(|v| v.to_str().unwrap());
        assert_eq!((reply.status, waits), (status, wait), "{}", reply.text);
        assert!(reply.json()["error"].is_string());
    }
}

/// Each costs the site a signature and an entry of its audit log, so there is a slower pace for them, whoever is asked.
#[tokio::test]
async fn attested_documents_have_one_pace_on_all_listeners() {
    let world = World::new();
    let target = "/metadata/attested/document?api-version=2020-09-01";
    let given = async || {
        let mut given = 0;
        for _ in 0..20 {
            for service in [Himds, Imds] {
                given += usize::from(world.get(service, target).await.status == 200);
            }
        }
        given
    };
    assert_eq!(given().await, 10);
    let refused = world.get(Himds, target).await;
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(world.get(Himds, TOKEN).await.status, 401, "tokens go on");
    world.clock.advance(1);
    assert_eq!(given().await, 1);
}

#[tokio::test]
async fn imds_asks_those_in_a_hurry_to_wait() {
    let world = World::new();
    let instance = "/metadata/instance?api-version=2021-02-01";
    while world.get(Imds, instance).await.status == 200 {}
    let refused = world.get(Imds, instance).await;
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (429, "1"));
    let refused = world.get(Imds, TOKEN).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (429, Some("too_many_requests")));
    assert_eq!(world.get(Himds, instance).await.status, 200, "HIMDS has bounds of its own");
    world.clock.advance(1);
    assert_eq!(world.get(Imds, instance).await.status, 200);
}

/// Each path in its own shape, whatever it is refused for (metadata.md 1.4, 3.1, 5).
#[tokio::test]
async fn errors_of_the_query_have_the_shape_of_their_path() {
    let world = World::new();
    for (service, target, member) in [
        (Imds, "/metadata/instance?api-version=2021-02-01&a=1&a=2", "error"),
        (Imds, "/metadata/instance?api-version=2021-02-01&a=%zz", "error"),
        (Himds, "/metadata/instance?api-version=2021-02-01&a=1&A=2", "error"),
        (
            Imds,
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=a&resource=b",
            "error_description",
        ),
        (
            Himds,
            "/metadata/identity/oauth2/token?api-version=2019-11-01&resource=a&resource=b",
            "error_description",
        ),
        (Himds, "/appservice/token?api-version=2019-08-01&resource=a&resource=b", "correlationId"),
    ] {
        let reply = world.get(service, target).await;
        assert_eq!(reply.status, 400, "{target}");
        assert!(reply.json()[member].is_string(), "{target}: {}", reply.text);
        let plain = target.contains("instance");
        assert_eq!(plain, reply.text.starts_with(r#"{"error":"Bad request. "#), "{target}: {}", reply.text);
    }
    let stranger = [("X-IDENTITY-HEADER", "the-header"), ("Host", "attacker.example")];
    let target = "/appservice/token?api-version=2019-08-01&resource=https://vault.azure.net";
    let refused = world.send(Himds, "GET", target, &stranger).await;
    assert_eq!((refused.status, refused.json()["statusCode"].as_u64()), (403, Some(403)), "{}", refused.text);
}

#[tokio::test]
async fn the_challenge_has_the_members_of_the_original() {
    let world = World::new();
    let reply = world.get(Himds, TOKEN).await;
    let members: Vec<_> = reply.json().as_object().unwrap().keys().cloned().collect();
    let wanted = ["error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"];
    assert_eq!((reply.status, members), (401, wanted.map(str::to_owned).to_vec()));
    assert_eq!(
        (reply.json()["error_codes"][0].as_i64(), reply.json()["trace_id"].as_str()),
        (Some(401), Some(""))
    );
}

/// `bypass_cache=true` is for programs whose token was refused; it does not let them ask the site as often as they like.
#[tokio::test]
async fn a_cache_that_is_bypassed_asks_the_site_within_reason() {
    let world = World::new();
    let asked = || world.issuer.asked.load(std::sync::atomic::Ordering::SeqCst);
    let plain = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";
    let anew = format!("{plain}&bypass_cache=True");
    assert_eq!(world.get(Imds, plain).await.status, 200);
    for _ in 0..3 {
        assert_eq!(world.get(Imds, &anew).await.status, 200);
    }
    assert_eq!(asked(), 1, "it is seconds old");
    world.clock.advance(10);
    for _ in 0..3 {
        assert_eq!(world.get(Imds, &anew).await.status, 200);
        assert_eq!(world.get(Imds, &format!("{plain}&bypass_cache=false")).await.status, 200);
    }
    assert_eq!(asked(), 2);
    world.clock.advance(10);
    world.issuer.fail(Some(IssueError::Unreachable("down".into())));
    assert_eq!(world.get(Imds, &anew).await.status, 200, "while the site is away, what is good still serves");
    assert_eq!(asked(), 3);
}

/// A resource has refused the token, and the client says which it was: the same is not handed out again.
#[tokio::test]
async fn the_app_service_source_gives_no_token_that_was_refused() {
    let world = World::new();
    let asked = || world.issuer.asked.load(std::sync::atomic::Ordering::SeqCst);
    let base = "/appservice/token?api-version=2025-03-30&xms_cc=cp1&resource=https://vault.azure.net";
    let ask = async |more: &str| {
        world.send(Himds, "GET", &format!("{base}{more}"), &[("X-IDENTITY-HEADER", "the-header")]).await
    };
    let token = |reply: Reply| {
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["access_token"].as_str().unwrap().to_owned()
    };
    let other_than = |token: &str| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let hash: String = hash.as_ref().iter().map(|b| format!("{b:02X}")).collect();
        format!("&token_sha256_to_refresh={hash}")
    };
    let waits = |reply: &Reply| (reply.status, reply.headers.get("retry-after").cloned());
    let later = (503, Some(http::HeaderValue::from(10)));
    let first = token(ask("").await);
    assert_eq!(waits(&ask(&other_than(&first)).await), later, "it is seconds old");
    assert_eq!(asked(), 1);
    world.clock.advance(60);
    assert_eq!(token(ask("&token_sha256_to_refresh=00").await), first);
    assert_eq!(asked(), 1, "it was another one");
    let second = token(ask(&other_than(&first)).await);
    assert_ne!(second, first);
    assert_eq!(token(ask(&other_than(&first)).await), second);
    assert_eq!(asked(), 2);
    world.clock.advance(60);
    world.issuer.fail(Some(IssueError::Unreachable("down".into())));
    assert_eq!(waits(&ask(&other_than(&second)).await), later, "the site is away");
    assert_eq!(token(ask("").await), second, "for everybody else it serves");
}

#[tokio::test]
async fn no_event_can_be_started() {
    let world = World::new();
    let imds = world.parts.router(Imds);
    let start = async |body: &str| {
        let request = http::Request::post("/metadata/scheduledevents?api-version=2020-07-01");
        let request = request.header("Host", "169.254.169.254").header("Metadata", "true");
        World::ask(&imds, request.body(cs_serve::full(body.to_owned())).unwrap()).await
    };
    let nothing = start(r#"{"StartRequests":[]}"#).await;
    assert_eq!((nothing.status, nothing.text.as_str()), (200, ""));
    let long = format!(r#"{{"StartRequests":[],"a":"{}"}}"#, "x".repeat(20_000));
    for bad in ["", "{}", r#"{"StartRequests":{}}"#, r#"{"StartRequests":[{"EventId":"x"}]}"#, &long] {
        let refused = start(bad).await;
        assert!(refused.status == 400 && refused.json()["error"].is_string(), "{bad}: {}", refused.text);
    }
    let bare = world.send(Imds, "POST", "/metadata/scheduledevents", &[("Metadata", "true")]).await;
    assert_eq!(bare.json()["newest-versions"][0], "2021-12-13", "{}", bare.text);
}

#[tokio::test]
async fn the_perimeters_id_may_come_more_than_once() {
    let world = World::new();
    let target = format!("{TOKEN}&xms_az_nwperimid=a&xms_az_nwperimid=b");
    assert_eq!(world.get(Imds, &target).await.status, 200);
}
