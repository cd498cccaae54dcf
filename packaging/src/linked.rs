//! Which C library a program needs: the newest version its symbols name.

/// `(2, 34)` for a program that needs glibc 2.34; `None` for one that needs none.
pub fn glibc(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let found = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    found.filter_map(|(at, _)| version(&program[at + MARK.len()..])).max()
}

/// `2.34` up to the zero that ends every name in a string table; `2.2.5` counts as 2.2.
fn version(text: &[u8]) -> Option<(u32, u32)> {
    let text = &text[..text.iter().take(16).position(|byte| *byte == 0)?];
    let mut numbers = std::str::from_utf8(text).ok()?.split('.').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts() {
        assert_eq!(glibc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0"), Some((2, 34)));
        assert_eq!(glibc(b"GLIBC_2.39 and no end of it for many bytes"), None);
        assert_eq!(glibc(b""), None);
    }
}
