//! POSIX access lists, as the kernel keeps them in an extended attribute: a version, then entries of tag, permissions and
//! id, in a fixed order (`linux/posix_acl_xattr.h`).

use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};

const ATTRIBUTE: &str = "system.posix_acl_access";
const VERSION: u32 = 2;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OF_FILE: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
const NO_ID: u32 = u32::MAX;
/// Permissions of an entry.
pub const READ: u16 = 4;
pub const WRITE: u16 = 2;
pub const PASS: u16 = 1;
/// Lists are short; a longer one is not ours to rewrite.
const LIST_MAX_BYTES: usize = 4096;

/// Somebody a list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    User(u32),
    Group(u32),
}

/// Who may do what with a file or folder: its mode, whose middle digit is its group's own and not the list's mask, and
/// whom its list names beside, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    pub mode: u32,
    pub named: Vec<(Who, u16)>,
}

pub fn of(path: &Path) -> io::Result<Rights> {
    let file = File::open(path)?;
    let mut mode = file.metadata()?.mode() & 0o777;
    let mut bytes = [0; LIST_MAX_BYTES];
    let length = match fgetxattr(&file, ATTRIBUTE, &mut bytes[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut named = Vec::new();
    for entry in bytes.get(4..length).unwrap_or_default().chunks_exact(8) {
        let (tag, permissions) =
            (u16::from_le_bytes([entry[0], entry[1]]), u16::from_le_bytes([entry[2], entry[3]]));
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        match tag {
            USER => named.push((Who::User(id), permissions)),
            GROUP => named.push((Who::Group(id), permissions)),
            GROUP_OF_FILE => mode = mode & 0o707 | u32::from(permissions & 7) << 3,
            _ => {}
        }
    }
    named.sort_unstable();
    Ok(Rights { mode, named })
}

/// Sets both, unless they are so already.
pub fn set(path: &Path, wanted: Rights) -> io::Result<()> {
    let Rights { mode, mut named } = wanted;
    named.sort_unstable();
    named.dedup_by_key(|(who, _)| *who);
    if of(path)? == (Rights { mode, named: named.clone() }) {
        return Ok(());
    }
    if !named.is_empty() {
        return write(path, mode, &named);
    }
    let file = File::open(path)?;
    // Without a list the mask would become the group's rights, for a moment.
    file.set_permissions(Permissions::from_mode(mode & 0o707))?;
    match fremovexattr(&file, ATTRIBUTE) {
        Err(error) if !matches!(error, rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => {
            return Err(error.into());
        }
        _ => {}
    }
    file.set_permissions(Permissions::from_mode(mode))
}

fn write(path: &Path, mode: u32, named: &[(Who, u16)]) -> io::Result<()> {
    let digit = |shift: u32| u16::try_from(mode >> shift & 7).unwrap_or_default();
    let mask = named.iter().fold(digit(3), |all, (_, permissions)| all | permissions);
    let users = named
        .iter()
        .filter_map(|(who, p)| if let Who::User(id) = who { Some((USER, *p, *id)) } else { None });
    let groups = named
        .iter()
        .filter_map(|(who, p)| if let Who::Group(id) = who { Some((GROUP, *p, *id)) } else { None });
    // In this order, or the kernel refuses the list.
    let entries = std::iter::once((OWNER, digit(6), NO_ID))
        .chain(users)
        .chain([(GROUP_OF_FILE, digit(3), NO_ID)])
        .chain(groups)
        .chain([(MASK, mask, NO_ID), (OTHERS, digit(0), NO_ID)]);
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    Ok(fsetxattr(File::open(path)?, ATTRIBUTE, &bytes, XattrFlags::empty())?)
}
