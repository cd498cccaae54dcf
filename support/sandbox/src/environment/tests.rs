use super::*;

fn site() -> SiteFacts {
    SiteFacts {
        authority: "https://login.countersign.localhost:8443/".into(),
        resource_manager: "https://management.countersign.localhost:8443/".into(),
        suffix: "countersign.localhost".into(),
        himds: "http://127.0.0.1:40342".into(),
        imds: "http://127.0.0.1:4280".into(),
        ca_file: "/data/ca.pem".into(),
        ca_bundle: "/data/bundle.pem".into(),
        java_trust_store: "/data/bundle.jks".into(),
        az_config: "/data/az".into(),
        public_names: false,
    }
}

fn service() -> AppService {
    AppService { endpoint: "http://127.0.0.1:4281/msi/token".into(), header: "s3cret".into() }
}

/// `Some(None)`: explicitly taken out. `None`: left as it is.
fn value(environment: &ClientEnvironment, name: &str) -> Option<Option<String>> {
    environment.settings().iter().find(|setting| setting.name == name).map(|setting| setting.value.clone())
}

#[test]
fn arc_sets_its_pair_and_takes_out_what_means_app_service() {
    let environment = ClientEnvironment::new(&site(), &Reach::Inside, &Metadata::Arc, &Kept::default());
    let endpoint = "http://localhost:40342/metadata/identity/oauth2/token".to_owned();
    assert_eq!(value(&environment, "IDENTITY_ENDPOINT"), Some(Some(endpoint)));
    assert_eq!(value(&environment, "IMDS_ENDPOINT"), Some(Some("http://localhost:40342".to_owned())));
    assert_eq!(value(&environment, "IDENTITY_HEADER"), Some(None));
}

#[test]
fn imds_moves_the_host_only_where_it_is_not_at_its_address() {
    let moved = ClientEnvironment::new(&site(), &Reach::Inside, &Metadata::Imds, &Kept::default());
    let host = Some(Some("http://127.0.0.1:4280".to_owned()));
    assert_eq!(value(&moved, "AZURE_POD_IDENTITY_AUTHORITY_HOST"), host);
    let usual = SiteFacts { imds: "http://169.254.169.254:80".into(), ..site() };
    let environment = ClientEnvironment::new(&usual, &Reach::Inside, &Metadata::Imds, &Kept::default());
    for name in ["AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IMDS_ENDPOINT"] {
        assert_eq!(value(&environment, name), Some(None), "{name}");
    }
}

#[test]
fn auto_prefers_arc_then_app_service_then_imds() {
    assert_eq!(MetadataSource::Auto.choose(true, Some(service())), Some(Metadata::Arc));
    assert_eq!(MetadataSource::Auto.choose(false, Some(service())), Some(Metadata::AppService(service())));
    assert_eq!(MetadataSource::Auto.choose(false, None), Some(Metadata::Imds));
    assert_eq!(MetadataSource::AppService.choose(true, None), None);
    assert_eq!("appservice".parse(), Ok(MetadataSource::AppService));
    assert_eq!("arcs".parse::<MetadataSource>(), Err(UnknownSource));
}

#[test]
fn az_is_pointed_at_the_list_of_clouds_unless_the_names_are_azures_own() {
    let ours = ClientEnvironment::new(&site(), &Reach::Inside, &Metadata::Arc, &Kept::default());
    let clouds =
        "https://management.countersign.localhost:8443/metadata/endpoints?api-version=2019-05-01".to_owned();
    assert_eq!(value(&ours, "ARM_CLOUD_METADATA_URL"), Some(Some(clouds)));
    let public = SiteFacts { public_names: true, ..site() };
    let azure = ClientEnvironment::new(&public, &Reach::Inside, &Metadata::Arc, &Kept::default());
    assert_eq!(value(&azure, "ARM_CLOUD_METADATA_URL"), Some(None));
}

#[test]
fn proxies_are_removed_inside_kept_outside_and_replaced_in_between() {
    let inside = ClientEnvironment::new(&site(), &Reach::Inside, &Metadata::Arc, &Kept::default());
    assert_eq!(value(&inside, "HTTPS_PROXY"), Some(None));
    let no_proxy = Some("corp.example, localhost".to_owned());
    let direct =
        ClientEnvironment::new(&site(), &Reach::Direct { no_proxy }, &Metadata::Arc, &Kept::default());
    assert_eq!(value(&direct, "HTTPS_PROXY"), None);
    let all =
        "corp.example,localhost,countersign.localhost,.countersign.localhost,127.0.0.1,::1,169.254.169.254";
    assert_eq!(value(&direct, "no_proxy"), Some(Some(all.to_owned())));
    let url = "http://127.0.0.1:3128".to_owned();
    let proxied =
        ClientEnvironment::new(&site(), &Reach::Proxy { url: url.clone() }, &Metadata::Arc, &Kept::default());
    assert_eq!(value(&proxied, "https_proxy"), Some(Some(url)));
    assert_eq!(value(&proxied, "NO_PROXY"), Some(None));
}

#[test]
fn shell_lines_survive_quotes_and_secrets_stay_out_of_debug() {
    let odd = Setting::set("AZURE_CONFIG_DIR", "/home/o'brien/az");
    assert_eq!(odd.to_string(), r"export AZURE_CONFIG_DIR='/home/o'\''brien/az'");
    assert_eq!(Setting::unset("NO_PROXY").to_string(), "unset NO_PROXY");
    assert!(!format!("{:?}", Metadata::AppService(service())).contains("s3cret"));
}

#[test]
fn java_keeps_the_callers_options_and_ours_are_there_once() {
    let options = |kept: &str| {
        let kept = Kept { java_options: Some(kept.to_owned()) };
        let environment = ClientEnvironment::new(&site(), &Reach::Inside, &Metadata::Arc, &kept);
        value(&environment, "JAVA_TOOL_OPTIONS").flatten().unwrap()
    };
    let ours = r#"-Djavax.net.ssl.trustStore="/data/bundle.jks""#;
    assert_eq!(options(""), ours);
    assert_eq!(options("-Xmx1g"), format!("-Xmx1g {ours}"));
    assert_eq!(options(&options("-Xmx1g")), format!("-Xmx1g {ours}"));
}
