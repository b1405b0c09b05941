//! The fuzzer's bytes as a source of numbers and pieces. At its end it gives zeros and nothing.

/// Takes bytes off the front.
pub struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    /// A source of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number of two bytes, big-endian.
    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// As many bytes as the next byte says, or what is left.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    /// A piece as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.piece()).into_owned()
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// A copy of `bytes` with up to four changes: a byte altered, removed or put in, or the end cut off.
    #[must_use]
    pub fn altered(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.byte() % 4 {
            let (kind, value) = (self.byte() % 4, self.byte());
            let at = self.number() % (bytes.len() + 1);
            match kind {
                0 if at < bytes.len() => bytes[at] ^= value,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at, value),
                3 => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    }
}
