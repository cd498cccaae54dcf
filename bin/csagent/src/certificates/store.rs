//! The folder of certificates: a file for each version, old ones stay; a link to the newest, moved in one step.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use cs_agent::certificates::{Grant, Observed, Settings};
use nix::unistd::{fchown, getegid, geteuid};

use super::acl::{self, Rights, Who};
use crate::{
    failure::{Attempt, Failure, Kind},
    whole::{self, Access},
};

/// Writes a version and points the link at it; answers the link's path. Who may read follows the settings, for every
/// version of the certificate: whoever is named no longer, or no owner any more, loses the older ones too.
pub fn put(observed: &Observed, settings: &Settings, version: &str, pem: &str) -> Result<PathBuf, Failure> {
    let readers = if settings.acls { readers(&observed.acls)? } else { Vec::new() };
    folder(&observed.store, settings)?;
    let name = format!("{}.{version}", observed.base_name());
    let file = observed.store.join(&name);
    let access = access(observed)?;
    if !is_there(&file, pem, access) {
        whole::write(&file, pem.as_bytes(), access).attempt(format_args!("writing {}", file.display()))?;
    }
    let named: Vec<_> = readers.iter().map(|who| (*who, acl::READ)).collect();
    for file in versions(observed)? {
        own(&file, access).attempt(format_args!("taking over {}", file.display()))?;
        let rights = Rights { mode: access.mode, named: named.clone() };
        acl::set(&file, rights).attempt(format_args!("giving access to {}", file.display()))?;
    }
    let link = observed.store.join(observed.link_name());
    if fs::read_link(&link).ok().as_deref() != Some(Path::new(&name)) {
        whole::link(&link, Path::new(&name)).attempt(format_args!("moving the link {}", link.display()))?;
    }
    Ok(link)
}

/// The files of a certificate: no link, and nothing that another name only begins like.
fn versions(observed: &Observed) -> Result<Vec<PathBuf>, Failure> {
    let what = format!("looking into {}", observed.store.display());
    let begin = format!("{}.", observed.base_name());
    let mut all = Vec::new();
    for entry in fs::read_dir(&observed.store).attempt(&what)? {
        let entry = entry.attempt(&what)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name();
        let version = name.to_str().and_then(|n| n.strip_prefix(&begin));
        if is_file && version.is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_alphanumeric())) {
            all.push(entry.path());
        }
    }
    Ok(all)
}

/// Made for root alone; what is there already must be nobody else's to write in, nor what it lies in, or they could put
/// their key there. Its list lets through whoever may read a certificate in it now; what somebody else has put on the
/// list stays.
fn folder(store: &Path, settings: &Settings) -> Result<(), Failure> {
    let what = format!("preparing {}", store.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(store).attempt(&what)?;
    let found = acl::of(store).attempt(&what)?;
    let other = whole::changeable_by_others(store).attempt(&what)?;
    if other.is_some() || found.named.iter().any(|(_, permissions)| permissions & acl::WRITE != 0) {
        let other = other.unwrap_or_else(|| store.to_owned());
        return Err(Failure::failed(format!("{what}: others may write there, in {}", other.display()))
            .hint("it holds private keys: make it and all above it root's alone, or name another certificateStoreLocation"));
    }
    let here = settings.observed.iter().filter(|o| settings.acls && o.store == *store);
    // A name that nobody has is told where its certificate is put.
    let passing: Vec<Who> = here.filter_map(|o| readers(&o.acls).ok()).flatten().collect();
    let stays = |(who, permissions): &(Who, u16)| *permissions != acl::PASS || passing.contains(who);
    let mut named: Vec<(Who, u16)> = found.named.into_iter().filter(stays).collect();
    for who in passing {
        match named.iter_mut().find(|(known, _)| *known == who) {
            Some((_, permissions)) => *permissions |= acl::PASS,
            None => named.push((who, acl::PASS)),
        }
    }
    acl::set(store, Rights { mode: found.mode, named }).attempt(&what)
}

fn is_there(file: &Path, pem: &str, access: Access) -> bool {
    let same = |found: fs::Metadata| found.is_file() && is_owned(&found, access);
    fs::symlink_metadata(file).is_ok_and(same) && fs::read(file).is_ok_and(|text| text == pem.as_bytes())
}

fn is_owned(found: &fs::Metadata, access: Access) -> bool {
    access.user.is_none_or(|user| user.as_raw() == found.uid())
        && access.group.is_none_or(|group| group.as_raw() == found.gid())
}

/// Gives a file its owner. Nobody reads it meanwhile: neither who had it before nor whom its list names.
fn own(file: &Path, access: Access) -> io::Result<()> {
    let opened = File::open(file)?;
    let found = opened.metadata()?;
    if is_owned(&found, access) {
        return Ok(());
    }
    let stays = access.user.is_none_or(|user| user.as_raw() == found.uid());
    let mode = if stays { access.mode & 0o700 } else { 0 };
    acl::set(file, Rights { mode, named: Vec::new() })?;
    Ok(fchown(&opened, access.user, access.group)?)
}

/// Without an owner in the settings it is this process: one that was named before is not any more.
fn access(observed: &Observed) -> Result<Access, Failure> {
    let unknown = |name: &str| Failure::new(Kind::Usage, format!("there is no user or group {name:?}"));
    let (user, group) = match observed.owner.as_deref() {
        None => (geteuid(), getegid()),
        Some(owner) => {
            let (user, group) = owner.split_once(':').map_or((owner, None), |(u, g)| (u, Some(g)));
            let uid = whole::user(user).ok_or_else(|| unknown(user))?;
            let gid = group.map(|name| whole::group(name).ok_or_else(|| unknown(name))).transpose()?;
            (uid, gid.unwrap_or_else(getegid))
        }
    };
    Ok(Access { mode: observed.mode, user: Some(user), group: Some(group) })
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
    use cs_agent::certificates as settings;

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
        let listed = acl::of(&link).unwrap();
        assert_eq!(listed.named, [(Who::User(65534), 4), (Who::Group(65533), 4)]);
        assert_eq!(listed.mode, 0o600, "the group of the file gains nothing");
        let folder = acl::of(&store).unwrap();
        assert_eq!(folder.named, [(Who::User(65534), 1), (Who::Group(65533), 1)]);
        // Once more changes nothing, and so the folder's own group never gets what the mask holds.
        put(&settings.observed[0], &settings, "1", "one").unwrap();
        assert_eq!((acl::of(&link).unwrap(), acl::of(&store).unwrap()), (listed, folder));
        assert_eq!(acl::of(&store).unwrap().mode, 0o700);
        let stranger = settings_at(&store, r#","acls":[{"user":"nobody knows them"}]"#);
        assert_eq!(put(&stranger.observed[0], &stranger, "1", "x").unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn what_the_settings_take_back_is_taken_back() {
        let (_dir, store) = store();
        let me = (geteuid(), getegid());
        // Root alone may give a file away.
        let (user, group) = if me.0.is_root() { (65_532, 65_531) } else { (me.0.as_raw(), me.1.as_raw()) };
        let more = format!(
            r#","owner":"{user}:{group}","mode":"0640","acls":[{{"user":"65534"}},{{"group":"65533"}}]"#
        );
        let generous = settings_at(&store, &more);
        for version in ["1", "2"] {
            put(&generous.observed[0], &generous, version, "pem").unwrap();
        }
        let owner = |name: &str| fs::metadata(store.join(name)).map(|m| (m.uid(), m.gid())).unwrap();
        assert_eq!(owner("v1.web.1"), (user, group));
        // Somebody's own entry, which is more than passing.
        let mut rights = acl::of(&store).unwrap();
        rights.named.push((Who::User(65000), acl::READ | acl::PASS));
        acl::set(&store, rights).unwrap();
        let fewer = settings_at(&store, r#","mode":"0640","acls":[{"group":"65533"}]"#);
        put(&fewer.observed[0], &fewer, "2", "pem").unwrap();
        let named = |name: &str| acl::of(&store.join(name)).unwrap().named;
        assert_eq!(named("v1.web.1"), [(Who::Group(65533), 4)], "the older version too");
        for version in ["v1.web.1", "v1.web.2"] {
            assert_eq!(owner(version), (me.0.as_raw(), me.1.as_raw()), "{version}");
        }
        assert_eq!(named("."), [(Who::User(65000), 5), (Who::Group(65533), 1)]);
        let none = settings_at(&store, "");
        put(&none.observed[0], &none, "2", "pem").unwrap();
        assert_eq!(named("."), [(Who::User(65000), 5)]);
        for version in ["v1.web.1", "v1.web.2"] {
            let rights = acl::of(&store.join(version)).unwrap();
            assert_eq!(rights, Rights { mode: 0o600, named: vec![] }, "{version}");
            assert_eq!(fs::metadata(store.join(version)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a19_a_store_below_a_folder_of_others_is_refused() {
        let (dir, store) = store();
        let settings = settings_at(&store, "");
        put(&settings.observed[0], &settings, "1", "pem").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let refused = put(&settings.observed[0], &settings, "2", "pem").unwrap_err();
        assert!(refused.message.contains("others may write there"), "{}", refused.message);
        assert!(!store.join("v1.web.2").exists());
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut rights = acl::of(&store).unwrap();
        rights.named.push((Who::User(65000), acl::READ | acl::WRITE | acl::PASS));
        acl::set(&store, rights).unwrap();
        assert!(put(&settings.observed[0], &settings, "2", "pem").is_err(), "a list may let write too");
    }
}
