//! POSIX access lists, as the kernel keeps them in an extended attribute: a version, then entries of tag, permissions and
//! id, in a fixed order (`linux/posix_acl_xattr.h`).

use std::{fs::File, io, path::Path};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

const ATTRIBUTE: &str = "system.posix_acl_access";
const VERSION: u32 = 2;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OF_FILE: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
const NO_ID: u32 = u32::MAX;
const READ: u16 = 4;
const PASS: u16 = 1;
/// Lists are short; a longer one is not ours to rewrite.
const LIST_MAX_BYTES: usize = 4096;

/// Somebody a list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    User(u32),
    Group(u32),
}

/// Lets these read a file, beside what its mode says.
pub fn may_read(file: &Path, mode: u32, readers: &[Who]) -> io::Result<()> {
    let named = readers.iter().map(|who| (*who, READ)).collect();
    write(file, mode, named)
}

/// Lets these pass through a folder to names they know; whoever could already, still can.
pub fn may_pass(folder: &Path, mode: u32, readers: &[Who]) -> io::Result<()> {
    let mut named = read(folder)?;
    for who in readers {
        match named.iter_mut().find(|(known, _)| known == who) {
            Some((_, permissions)) => *permissions |= PASS,
            None => named.push((*who, PASS)),
        }
    }
    write(folder, mode, named)
}

/// Whom a list names.
pub fn read(path: &Path) -> io::Result<Vec<(Who, u16)>> {
    let mut bytes = [0; LIST_MAX_BYTES];
    let length = match fgetxattr(File::open(path)?, ATTRIBUTE, &mut bytes[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::NODATA) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let entries = bytes.get(4..length).unwrap_or_default().chunks_exact(8);
    Ok(entries
        .filter_map(|e| {
            let (tag, permissions) = (u16::from_le_bytes([e[0], e[1]]), u16::from_le_bytes([e[2], e[3]]));
            let id = u32::from_le_bytes([e[4], e[5], e[6], e[7]]);
            match tag {
                USER => Some((Who::User(id), permissions)),
                GROUP => Some((Who::Group(id), permissions)),
                _ => None,
            }
        })
        .collect())
}

fn write(path: &Path, mode: u32, mut named: Vec<(Who, u16)>) -> io::Result<()> {
    named.sort_unstable();
    named.dedup_by_key(|(who, _)| *who);
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
