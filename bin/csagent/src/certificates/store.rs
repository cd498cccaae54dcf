//! The folder of certificates: a file for each version, old ones stay; a link to the newest, moved in one step.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;

use super::{
    acl::{self, Who},
    settings::{Grant, Observed, Settings},
};
use crate::{
    failure::{Attempt, Failure, Kind},
    whole::{self, Access},
};

/// Writes a version and points the link at it; answers the link's path.
pub fn put(observed: &Observed, settings: &Settings, version: &str, pem: &str) -> Result<PathBuf, Failure> {
    let readers = if settings.acls { readers(&observed.acls)? } else { Vec::new() };
    folder(&observed.store, &readers)?;
    let name = format!("{}.{version}", observed.base_name());
    let file = observed.store.join(&name);
    let access = access(observed)?;
    if !is_there(&file, pem, access) {
        whole::write(&file, pem.as_bytes(), access).attempt(format_args!("writing {}", file.display()))?;
    }
    if !readers.is_empty() {
        acl::may_read(&file, access.mode, &readers)
            .attempt(format_args!("giving access to {}", file.display()))?;
    }
    let link = observed.store.join(observed.link_name());
    if fs::read_link(&link).ok().as_deref() != Some(Path::new(&name)) {
        whole::link(&link, Path::new(&name)).attempt(format_args!("moving the link {}", link.display()))?;
    }
    Ok(link)
}

/// Made for root alone; what is there already must be nobody else's to write in, or they could put their key there.
fn folder(store: &Path, readers: &[Who]) -> Result<(), Failure> {
    let what = format!("preparing {}", store.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(store).attempt(&what)?;
    let found = fs::metadata(store).attempt(&what)?;
    let ours = found.uid() == 0 || found.uid() == geteuid().as_raw();
    if !ours || found.mode() & 0o022 != 0 {
        return Err(Failure::failed(format!("{what}: others may write there"))
            .hint("it holds private keys: make it root's alone, or name another certificateStoreLocation"));
    }
    if !readers.is_empty() {
        acl::may_pass(store, found.mode() & 0o777, readers).attempt(&what)?;
    }
    Ok(())
}

fn is_there(file: &Path, pem: &str, access: Access) -> bool {
    let same = |found: fs::Metadata| {
        // With an access list the middle digit is its mask.
        found.is_file()
            && found.mode() & 0o707 == access.mode & 0o707
            && access.user.is_none_or(|user| user.as_raw() == found.uid())
            && access.group.is_none_or(|group| group.as_raw() == found.gid())
    };
    fs::symlink_metadata(file).is_ok_and(same) && fs::read(file).is_ok_and(|text| text == pem.as_bytes())
}

fn access(observed: &Observed) -> Result<Access, Failure> {
    let unknown = |name: &str| Failure::new(Kind::Usage, format!("there is no user or group {name:?}"));
    let (user, group) = match observed.owner.as_deref() {
        None => (None, None),
        Some(owner) => {
            let (user, group) = owner.split_once(':').map_or((owner, None), |(u, g)| (u, Some(g)));
            let uid = whole::user(user).ok_or_else(|| unknown(user))?;
            let gid = group.map(|name| whole::group(name).ok_or_else(|| unknown(name))).transpose()?;
            (Some(uid), gid)
        }
    };
    Ok(Access { mode: observed.mode, user, group })
}

fn readers(grants: &[Grant]) -> Result<Vec<Who>, Failure> {
    let mut all = Vec::new();
    for grant in grants {
        let unknown =
            |name: &str| Failure::new(Kind::Usage, format!("acls: there is no {name:?} on this machine"));
        if let Some(name) = grant.user.as_deref().filter(|n| !n.is_empty()) {
            all.push(Who::User(whole::user(name).ok_or_else(|| unknown(name))?.as_raw()));
        }
        if let Some(name) = grant.group.as_deref().filter(|n| !n.is_empty()) {
            all.push(Who::Group(whole::group(name).ok_or_else(|| unknown(name))?.as_raw()));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::certificates::settings;

    fn settings_at(store: &Path, more: &str) -> Settings {
        settings::read(&format!(
            r#"{{"secretsManagementSettings":{{"aclEnabled":true,"certificateStoreLocation":"{}","observedCertificates":[
            {{"url":"https://v1.vault.azure.net/secrets/web"{more}}}]}}}}"#,
            store.display()
        ))
        .unwrap()
    }

    fn store() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        (dir, store)
    }

    #[test]
    fn versions_stay_and_the_link_names_the_newest() {
        let (_dir, store) = store();
        let settings = settings_at(&store, "");
        for (version, pem) in [("1", "one"), ("2", "two"), ("2", "two")] {
            let link = put(&settings.observed[0], &settings, version, pem).unwrap();
            assert_eq!(fs::read_to_string(&link).unwrap(), pem);
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(&format!("v1.web.{version}")));
        }
        let mut names: Vec<_> = fs::read_dir(&store).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["v1.web", "v1.web.1", "v1.web.2"]);
        let mode = |name: &str| fs::metadata(store.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("v1.web.2"), mode(".")), (0o600, 0o700));
    }

    #[test]
    fn an_own_name_owner_and_mode() {
        let (_dir, store) = store();
        let me = (nix::unistd::getuid(), nix::unistd::getgid());
        let more = format!(r#","customSymbolicLinkName":"site","owner":"{}:{}","mode":"0640""#, me.0, me.1);
        let settings = settings_at(&store, &more);
        let link = put(&settings.observed[0], &settings, "1", "one").unwrap();
        assert_eq!(link, store.join("site"));
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o640);
        let nobody = settings_at(&store, r#","owner":"nobody knows them""#);
        assert_eq!(put(&nobody.observed[0], &nobody, "1", "x").unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn a19_planted_things_are_replaced_or_refused_and_never_followed() {
        let (dir, store) = store();
        let settings = settings_at(&store, "");
        let put_one = |version: &str| put(&settings.observed[0], &settings, version, "pem");
        put_one("1").unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, store.join("v1.web.2")).unwrap();
        put_one("2").unwrap();
        assert!(!fs::symlink_metadata(store.join("v1.web.2")).unwrap().is_symlink());
        fs::remove_file(store.join("v1.web")).unwrap();
        fs::write(store.join("v1.web"), "a file of somebody's").unwrap();
        assert!(put_one("3").is_err(), "what is no link is not replaced");
        fs::set_permissions(&store, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(put_one("3").unwrap_err().message.contains("others may write there"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    }

    #[test]
    fn a_machine_that_stopped_in_between_goes_on() {
        let (_dir, store) = store();
        let settings = settings_at(&store, "");
        put(&settings.observed[0], &settings, "1", "one").unwrap();
        // The second version's file was durable, the link not yet moved; of a third only a piece had been written.
        fs::write(store.join("v1.web.2"), "two").unwrap();
        fs::set_permissions(store.join("v1.web.2"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(store.join(format!(".v1.web.3.{}", std::process::id())), "th").unwrap();
        let link = put(&settings.observed[0], &settings, "2", "two").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "two");
        put(&settings.observed[0], &settings, "3", "three").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "three");
    }

    #[test]
    fn acls_let_the_named_read_and_nobody_else() {
        let (_dir, store) = store();
        let settings = settings_at(&store, r#","acls":[{"user":"65534"},{"group":"65533"}]"#);
        let link = put(&settings.observed[0], &settings, "1", "one").unwrap();
        let listed = acl::read(&link).unwrap();
        assert_eq!(listed, [(Who::User(65534), 4), (Who::Group(65533), 4)]);
        assert_eq!(acl::read(&store).unwrap(), [(Who::User(65534), 1), (Who::Group(65533), 1)]);
        // Once more changes nothing, and a list that was there already is kept.
        put(&settings.observed[0], &settings, "1", "one").unwrap();
        assert_eq!(acl::read(&link).unwrap(), listed);
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o007, 0);
        let stranger = settings_at(&store, r#","acls":[{"user":"nobody knows them"}]"#);
        assert_eq!(put(&stranger.observed[0], &stranger, "1", "x").unwrap_err().kind, Kind::Usage);
    }
}
