//! Where messages begin and end in a stream that is passed on untouched.
//!
//! A session that is ended from our side must get its last word between two messages, never inside one, and a drain
//! must know who is idle. That is all that is looked at: five bytes of a message, and the state `ReadyForQuery` tells.

/// Follows one direction of a stream.
#[derive(Debug, Clone, Default)]
pub struct Framing {
    /// Bytes of the current message's body still to come.
    left: usize,
    /// A header that came in pieces.
    head: [u8; 5],
    have: u8,
    kind: u8,
    /// The last byte of the last message that came whole.
    last: u8,
    broken: bool,
}

const READY_FOR_QUERY: u8 = b'Z';

impl Framing {
    /// Looks at bytes that pass.
    pub fn follow(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() && !self.broken {
            if self.left > 0 {
                let took = self.left.min(chunk.len());
                self.last = chunk[took - 1];
                self.left -= took;
                chunk = &chunk[took..];
                continue;
            }
            if self.have == 0 {
                if let Some((head, rest)) = chunk.split_first_chunk::<5>() {
                    self.begin(*head);
                    chunk = rest;
                    continue;
                }
            }
            self.head[usize::from(self.have)] = chunk[0];
            self.have += 1;
            chunk = &chunk[1..];
            if self.have == 5 {
                self.have = 0;
                self.begin(self.head);
            }
        }
    }

    fn begin(&mut self, [kind, a, b, c, d]: [u8; 5]) {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        self.kind = kind;
        match length.checked_sub(4) {
            Some(left) => self.left = left,
            None => self.broken = true,
        }
    }

    /// Whether the next byte begins a message.
    pub fn at_boundary(&self) -> bool {
        self.left == 0 && self.have == 0 && !self.broken
    }

    /// Bytes that certainly belong to the message under way; 0 between two messages. Of a header that came in pieces
    /// it is the rest of the header.
    pub fn to_boundary(&self) -> usize {
        if self.have > 0 { 5 - usize::from(self.have) } else { self.left }
    }

    /// Whether the last thing said was `ReadyForQuery` outside a transaction.
    pub fn is_idle(&self) -> bool {
        self.at_boundary() && self.kind == READY_FOR_QUERY && self.last == b'I'
    }

    /// Whether the last thing said was `ReadyForQuery`, in a transaction or not: nothing is being worked on.
    pub fn is_ready(&self) -> bool {
        self.at_boundary() && self.kind == READY_FOR_QUERY
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const READY: &[u8] = b"Z\0\0\0\x05I";
    const IN_TRANSACTION: &[u8] = b"Z\0\0\0\x05T";

    #[test]
    fn g12_boundaries_and_idleness() {
        let mut framing = Framing::default();
        assert!(framing.at_boundary() && !framing.is_idle());
        framing.follow(READY);
        assert!(framing.is_idle());
        framing.follow(b"D\0\0\0\x08ab");
        assert!(!framing.at_boundary() && !framing.is_idle());
        assert_eq!(framing.to_boundary(), 2);
        framing.follow(b"cd");
        assert!(framing.at_boundary() && !framing.is_idle());
        framing.follow(IN_TRANSACTION);
        assert!(framing.is_ready() && !framing.is_idle());
        framing.follow(b"Z");
        assert!(!framing.is_ready());
        assert_eq!(framing.to_boundary(), 4);
    }

    #[test]
    fn g03_an_impossible_length_is_no_boundary_ever_after() {
        let mut framing = Framing::default();
        framing.follow(b"D\0\0\0\x03");
        framing.follow(READY);
        assert!(!framing.at_boundary() && !framing.is_ready());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 1..12),
            cuts in prop::collection::vec(1..9usize, 1..200),
        ) {
            let mut stream = Vec::new();
            for (kind, body) in &messages {
                stream.push(*kind);
                stream.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
                stream.extend_from_slice(body);
            }
            let mut whole = Framing::default();
            whole.follow(&stream);
            let mut pieces = Framing::default();
            let (mut rest, mut cuts) = (&stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let cut = (*cuts.next().unwrap()).min(rest.len());
                pieces.follow(&rest[..cut]);
                rest = &rest[cut..];
            }
            prop_assert!(whole.at_boundary() && pieces.at_boundary());
            prop_assert_eq!(whole.is_idle(), pieces.is_idle());
        }

        #[test]
        fn no_stream_ends_the_process(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..10)) {
            let mut framing = Framing::default();
            for chunk in &chunks {
                framing.follow(chunk);
            }
        }
    }
}
