//! The files of one certificate, as libpq takes them: `client.crt`, `client.key`, `root.crt`, and a service file that
//! names them.
//!
//! The daemon may run as root and the files belong to somebody else, so nobody but root and us may be able to put
//! something in the folder's place while we write (A21): neither it nor what it lies in may be others' to change.
//! Each file is replaced whole. The key stays the same while the certificate changes, so that whoever reads both in
//! between reads a pair.

use std::{
    fs,
    io::ErrorKind,
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Uid, User, geteuid};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PKCS_ECDSA_P256_SHA256};

use super::{Backend, Given, Wanted};
use crate::{
    failure::{Attempt, Failure, Kind},
    whole::{self, Access},
};

pub(super) const CERTIFICATE: &str = "client.crt";
pub(super) const KEY: &str = "client.key";
pub(super) const ROOT: &str = "root.crt";
pub(super) const SERVICE: &str = "service.conf";

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// User and group, where they are not our own.
    owner: Option<(Uid, Gid)>,
}

/// A request for a certificate of this key that says the role, and nothing else.
pub(super) fn request(key: &KeyPair, role: &str) -> Result<String, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(role.to_owned()));
    let request = params.serialize_request(key).attempt("making the certificate request")?;
    request.pem().attempt("making the certificate request")
}

impl Folder {
    /// Makes the folder where it is missing.
    pub fn open(path: &Path, owner: Option<&str>) -> Result<Self, Failure> {
        let owner = owner.map(ids_of).transpose()?;
        fs::create_dir_all(path).map_err(|error| not_writable(path, &error))?;
        let path = path.canonicalize().attempt(format_args!("opening {}", path.display()))?;
        let other = whole::changeable_by_others(&path).attempt(format_args!("opening {}", path.display()))?;
        if let Some(other) = other {
            return Err(others(&other));
        }
        Ok(Self { path, owner })
    }

    /// The private key of this folder, made now where there is none that can be used.
    pub fn key(&self) -> Result<KeyPair, Failure> {
        let known = fs::read_to_string(self.path.join(KEY)).ok().and_then(|pem| KeyPair::from_pem(&pem).ok());
        if let Some(key) = known {
            return Ok(key);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).attempt("making a private key")?;
        // A certificate of another key would be no pair with it.
        self.remove_certificate();
        self.write(KEY, &key.serialize_pem())?;
        Ok(key)
    }

    pub fn put(&self, given: &Given, wanted: &Wanted) -> Result<(), Failure> {
        if let Some(backend) = &given.backend {
            self.write(ROOT, &backend.authority)?;
            self.write(SERVICE, &service(&self.path, backend, wanted))?;
        }
        self.write(CERTIFICATE, &given.certificate)
    }

    pub fn remove_certificate(&self) {
        drop(fs::remove_file(self.path.join(CERTIFICATE)));
    }

    /// All of it, and the folder where nothing else is in it.
    pub fn remove(&self) {
        for name in [CERTIFICATE, KEY, ROOT, SERVICE] {
            drop(fs::remove_file(self.path.join(name)));
        }
        drop(fs::remove_dir(&self.path));
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        let access = Access { mode: 0o600, user: self.owner.map(|o| o.0), group: self.owner.map(|o| o.1) };
        whole::write(&path, text.as_bytes(), access).map_err(|error| not_writable(&path, &error))
    }
}

/// Root is told whose folder it is: writing there as root would let that user lead root's hand elsewhere.
fn others(folder: &Path) -> Failure {
    let failure = Failure::failed(format!("{} is another user's to change", folder.display()));
    let owner =
        fs::metadata(folder).ok().map(|m| m.uid()).filter(|uid| *uid != geteuid().as_raw() && *uid != 0);
    let owner = owner.and_then(|uid| User::from_uid(uid.into()).ok().flatten());
    match owner.filter(|_| geteuid().is_root()) {
        Some(user) => failure.hint(format!(
            "run it as that user (`sudo -u {} csagent database …`), or name a folder of root's with --directory",
            user.name
        )),
        None => failure.hint("the files' folder and all above it must be root's or our own"),
    }
}

fn ids_of(user: &str) -> Result<(Uid, Gid), Failure> {
    let found = User::from_name(user).attempt(format_args!("looking for the user {user}"))?;
    let found =
        found.ok_or_else(|| Failure::new(Kind::Usage, format!("--owner: there is no user {user}")))?;
    Ok((found.uid, found.gid))
}

/// A section of `pg_service.conf`. What stands behind `=` is taken as it is to the end of the line.
fn service(folder: &Path, backend: &Backend, wanted: &Wanted) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    // The certificate is for `serverName`, which need not be a name that leads there.
    let address = match backend.host.parse::<IpAddr>() {
        Ok(address) => format!("host={}\nhostaddr={address}\nsslmode=verify-full\n", backend.server_name),
        Err(_) if backend.host == backend.server_name => {
            format!("host={}\nsslmode=verify-full\n", backend.host)
        }
        Err(_) => format!("host={}\nsslmode=verify-ca\n", backend.host),
    };
    format!(
        "[{}]\n{address}port={}\nuser={}\nsslcert={}\nsslkey={}\nsslrootcert={}\n",
        super::name_of(&wanted.server),
        backend.port,
        wanted.role,
        file(CERTIFICATE),
        file(KEY),
        file(ROOT),
    )
}

fn not_writable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::failed(format!("writing {}: {error}", path.display()));
    match error.kind() {
        ErrorKind::PermissionDenied => {
            failure.hint("run it as root, or name a folder of your own with --directory")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn wanted(directory: &Path) -> Wanted {
        let server = "/subscriptions/s/resourceGroups/g/providers/x/y/lab".to_owned();
        Wanted {
            server,
            role: "r".into(),
            directory: directory.into(),
            owner: None,
            identity: None,
            life_seconds: None,
        }
    }

    fn given(certificate: &str) -> Given {
        let backend = Backend {
            host: "10.0.0.7".into(),
            port: 5432,
            server_name: "db1.lan".into(),
            authority: "ROOT".into(),
        };
        Given {
            certificate: certificate.into(),
            life_seconds: 60,
            not_after: String::new(),
            backend: Some(backend),
        }
    }

    #[test]
    fn a21_keys_are_their_owners_alone_and_stay_while_certificates_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let folder = Folder::open(&path, None).unwrap();
        let key = folder.key().unwrap().serialize_pem();
        for certificate in ["one", "two"] {
            folder.put(&given(certificate), &wanted(&path)).unwrap();
            assert_eq!(fs::read_to_string(path.join(CERTIFICATE)).unwrap(), certificate);
        }
        for name in [CERTIFICATE, KEY, ROOT, SERVICE] {
            assert_eq!(fs::metadata(path.join(name)).unwrap().mode() & 0o777, 0o600, "{name}");
        }
        assert_eq!(folder.key().unwrap().serialize_pem(), key);
        let service = fs::read_to_string(path.join(SERVICE)).unwrap();
        assert!(
            service.starts_with("[lab]\nhost=db1.lan\nhostaddr=10.0.0.7\nsslmode=verify-full\n"),
            "{service}"
        );
        // A damaged key is replaced, and the certificate of the old one goes.
        fs::write(path.join(KEY), "x").unwrap();
        assert_ne!(folder.key().unwrap().serialize_pem(), key);
        assert!(!path.join(CERTIFICATE).exists());
        folder.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a21_a_folder_that_others_may_change_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        for path in [open.clone(), open.join("below")] {
            assert!(
                Folder::open(&path, None).unwrap_err().message.contains("another user's"),
                "{}",
                path.display()
            );
        }
        if geteuid().is_root() {
            // As the packaged agent's folder is to root.
            let theirs = dir.path().join("theirs");
            fs::create_dir(&theirs).unwrap();
            std::os::unix::fs::chown(&theirs, Some(1), None).unwrap();
            let refused = Folder::open(&theirs.join("below"), None).unwrap_err();
            let name = User::from_uid(1.into()).unwrap().unwrap().name;
            assert!(refused.hint.unwrap_or_default().contains(&format!("sudo -u {name} ")));
        }
        // A link leads where it leads.
        std::os::unix::fs::symlink(&open, dir.path().join("link")).unwrap();
        assert!(Folder::open(&dir.path().join("link"), None).is_err());
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert!(Folder::open(&open, None).is_ok());
        assert_eq!(Folder::open(&open, Some("no such user")).unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn a_request_says_the_role_and_nothing_else() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = request(&key, "\"; DROP ROLE ü; --").unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    }
}
