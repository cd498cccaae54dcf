//! How an administrator proves that this machine may be connected: a token, a secret, or a certificate.

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use aws_lc_rs::digest;
use cs_jose::{RsaKey, Signer, encode_url};
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};

use crate::{
    cli::CredentialArgs,
    failure::{Attempt, Failure, Kind},
    site::{self, Cloud},
};

const WHAT: &str = "signing in with the service principal";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_SECONDS: i64 = 600;
/// Longer is no secret but a wrong file.
const SECRET_MAX_BYTES: u64 = 64 * 1024;

impl CredentialArgs {
    /// Whether any was given.
    pub fn is_given(&self) -> bool {
        self.access_token.is_some()
            || self.use_azcli
            || self.use_device_code
            || self.service_principal_cert_thumbprint.is_some()
            || self.service_principal_id.is_some()
            || self.service_principal_secret.is_some()
            || self.service_principal_secret_file.is_some()
            || self.service_principal_cert.is_some()
    }
}

/// A token for the resource manager, by whatever credential was given.
pub async fn token(
    args: &CredentialArgs,
    client: &reqwest::Client,
    cloud: &Cloud,
    tenant: &str,
) -> Result<String, Failure> {
    if args.use_device_code {
        let failure = Failure::new(Kind::Usage, "--use-device-code: a site signs nobody in by device code")
            .code("AZCM0023");
        return Err(failure.hint(
            "give -i ID with -p SECRET, --use-azcli, --access-token TOKEN or --join-token TOKEN; or see `csagent genkey`",
        ));
    }
    if args.service_principal_cert_thumbprint.is_some() {
        let failure = Failure::new(
            Kind::Usage,
            "--service-principal-cert-thumbprint names a certificate in a store of Windows, and this machine has none",
        );
        return Err(failure
            .code("AZCM0023")
            .hint("give --service-principal-cert FILE: PEM, or PFX without a password"));
    }
    if args.use_azcli {
        return azcli(&cloud.audience);
    }
    if let Some(token) = &args.access_token {
        let token = if token == "-" { standard_input("the access token")? } else { token.trim().to_owned() };
        let looks_like_one = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        return if looks_like_one {
            Ok(token)
        } else {
            Err(Failure::new(Kind::Usage, "--access-token is not a token").code("AZCM0012"))
        };
    }
    let usage = |text: &str| {
        Failure::new(Kind::Usage, text).code("AZCM0016").hint(
            "give -i ID with -p SECRET or --service-principal-cert FILE, --use-azcli or --access-token TOKEN",
        )
    };
    let id = args.service_principal_id.as_deref().ok_or_else(|| usage("no credential is given"))?;
    let url = format!("{}/{tenant}/oauth2/v2.0/token", cloud.authority);
    let scope = format!("{}/.default", cloud.audience);
    let mut form =
        vec![("grant_type", "client_credentials".to_owned()), ("client_id", id.to_owned()), ("scope", scope)];
    if let Some(file) = &args.service_principal_cert {
        form.push(("client_assertion_type", JWT_BEARER.to_owned()));
        form.push(("client_assertion", assertion(file, id, &url)?));
    } else {
        let secret = secret(args)?.ok_or_else(|| usage("the service principal's secret is missing"))?;
        form.push(("client_secret", secret));
    }
    let response = client.post(&url).form(&form).send().await.map_err(|e| site::unreachable(WHAT, &e))?;
    let (status, reply) = site::read(WHAT, response).await?;
    if let Some(token) = reply.get("access_token").and_then(Value::as_str) {
        return Ok(token.to_owned());
    }
    let said = reply.get("error_description").and_then(Value::as_str);
    let said = said.and_then(|s| s.lines().next()).unwrap_or("the site gave no token");
    let kind = if status.is_server_error() { Kind::Unreachable } else { Kind::Refused };
    Err(Failure::new(kind, format!("{WHAT}: {said}")).code("AZCM0041"))
}

/// The token of whoever is signed in there. It comes on az's standard output, never on a command line.
fn azcli(audience: &str) -> Result<String, Failure> {
    let asked =
        ["account", "get-access-token", "--resource", audience, "--query", "accessToken", "--output", "tsv"];
    let told = Command::new("az").args(asked).stdin(Stdio::null()).output().map_err(|error| {
        Failure::new(Kind::Usage, format!("--use-azcli: running az: {error}")).code("AZCM0023")
    })?;
    let token = String::from_utf8(told.stdout).unwrap_or_default().trim().to_owned();
    if told.status.success() && !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(token);
    }
    let said = String::from_utf8_lossy(&told.stderr);
    let said = said.lines().find(|l| !l.trim().is_empty()).unwrap_or("it gave no token");
    let failure = Failure::new(Kind::Refused, format!("--use-azcli: {}", cs_telemetry::one_line(said)));
    Err(failure.code("AZCM0041").hint("sign in with `az login` as somebody who may connect machines"))
}

fn secret(args: &CredentialArgs) -> Result<Option<String>, Failure> {
    let text = match (&args.service_principal_secret_file, args.service_principal_secret.as_deref()) {
        (Some(file), _) if file.as_os_str() == "-" => standard_input("the secret")?,
        (Some(file), _) => std::fs::read_to_string(file)
            .attempt(format_args!("reading --service-principal-secret-file {}", file.display()))?,
        (None, Some("-")) => standard_input("the secret")?,
        (None, Some(secret)) => secret.to_owned(),
        (None, None) => return Ok(None),
    };
    Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty()))
}

pub fn standard_input(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let input = std::io::stdin().lock().take(SECRET_MAX_BYTES).read_to_string(&mut text);
    input.attempt(format_args!("reading {what} from standard input"))?;
    Ok(text.trim().to_owned())
}

/// Signed by the certificate's key, for the token endpoint it goes to.
fn assertion(file: &Path, id: &str, endpoint: &str) -> Result<String, Failure> {
    let what = format!("reading --service-principal-cert {}", file.display());
    let bytes = std::fs::read(file).attempt(&what)?;
    let bad = |why: &str| Failure::new(Kind::Usage, format!("{what}: {why}")).code("AZCM0023");
    let signer = signer(&bytes)
        .ok_or_else(|| bad("it holds no certificate with an RSA key (PEM, or PFX without a password)"))?;
    let now = MachineClock.now().seconds();
    let claims = json!({
        "aud": endpoint, "iss": id, "sub": id, "jti": MachineChance.uuid().to_string(),
        "nbf": now - 60, "iat": now, "exp": now + ASSERTION_SECONDS
    });
    signer.sign(&claims).attempt("signing with the certificate's key")
}

/// Signs as the certificate of a file; `None` where there is none with its RSA key.
pub fn signer(bytes: &[u8]) -> Option<Signer> {
    let (certificate, key) = if bytes.starts_with(b"0\x82") { pfx(bytes) } else { pem(bytes) }?;
    let hash = |algorithm| encode_url(digest::digest(algorithm, &certificate));
    Some(Signer::certificate(key, &hash(&digest::SHA1_FOR_LEGACY_USE_ONLY), &hash(&digest::SHA256)))
}

fn pem(bytes: &[u8]) -> Option<(Vec<u8>, RsaKey)> {
    let certificate = CertificateDer::from_pem_slice(bytes).ok()?;
    let key = match PrivateKeyDer::from_pem_slice(bytes).ok()? {
        PrivateKeyDer::Pkcs8(key) => RsaKey::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKey::from_pkcs1(key.secret_pkcs1_der()),
        _ => return None,
    };
    Some((certificate.to_vec(), key.ok()?))
}

fn pfx(bytes: &[u8]) -> Option<(Vec<u8>, RsaKey)> {
    use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
    let store = KeyStore::from_pkcs12(bytes, "", Pkcs12ImportPolicy::Relaxed).ok()?;
    let (_, chain) = store.private_key_chain()?;
    let certificate = chain.certs().first()?.as_der().to_vec();
    Some((certificate, RsaKey::from_pkcs8(chain.key().as_der()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openssl(arguments: &[&str], dir: &Path) {
        let done = Command::new("openssl").args(arguments).current_dir(dir).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// As people make them: one PEM with both, its older form of key, and a PFX without a password.
    #[test]
    fn certificates_as_people_have_them() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        openssl(
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a", "-keyout", "k", "-out", "c"],
            at,
        );
        openssl(&["rsa", "-in", "k", "-traditional", "-out", "k1"], at);
        let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
        std::fs::write(at.join("both.pem"), read("c") + &read("k")).unwrap();
        std::fs::write(at.join("old.pem"), read("k1") + &read("c")).unwrap();
        openssl(
            &["pkcs12", "-export", "-inkey", "k", "-in", "c", "-passout", "pass:", "-out", "new.pfx"],
            at,
        );
        let mut made = Vec::new();
        for name in ["both.pem", "old.pem", "new.pfx"] {
            let token = assertion(&at.join(name), "app", "https://login.s/t/oauth2/v2.0/token").unwrap();
            let jws = cs_jose::Jws::split(&token).unwrap();
            assert_eq!(
                (jws.header.alg.as_str(), jws.claims["iss"].as_str()),
                ("RS256", Some("app")),
                "{name}"
            );
            made.push(jws.header.x5t_s256.unwrap());
        }
        assert!(made.iter().all(|t| *t == made[0]));
        for (name, content) in [("empty", ""), ("half.pem", read("c").as_str())] {
            std::fs::write(at.join(name), content).unwrap();
            assert_eq!(
                assertion(&at.join(name), "app", "https://x").unwrap_err().kind,
                Kind::Usage,
                "{name}"
            );
        }
    }
}
