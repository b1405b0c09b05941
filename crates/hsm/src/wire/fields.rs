//! Fields of a message: bytes and texts with their length before them, numbers and flags.

use zeroize::Zeroizing;

/// A message that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message that cannot be read")]
pub(crate) struct Malformed;

/// Puts fields behind each other.
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// A message of this kind. It is written into room that it does not outgrow: moving would leave secrets behind.
    pub(crate) fn new(kind: u8, fields: &[&[u8]]) -> Self {
        let room: usize = fields.iter().map(|field| 4 + field.len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + room));
        bytes.push(kind);
        let mut writer = Self(bytes);
        for field in fields {
            writer.bytes(field);
        }
        writer
    }

    pub(crate) fn bytes(&mut self, field: &[u8]) {
        // Longer ones fit into no message, which is noticed when it is sent.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub(crate) fn done(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

/// Takes fields off a message.
pub(crate) struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    /// A message, and its kind.
    pub(crate) fn new(message: &'m [u8]) -> Result<(u8, Self), Malformed> {
        let (kind, rest) = message.split_first().ok_or(Malformed)?;
        Ok((*kind, Self(rest)))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'m [u8], Malformed> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        let (field, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    pub(crate) fn text(&mut self) -> Result<&'m str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// A field of a length that is known.
    pub(crate) fn exactly<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes()?.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// Whether there is nothing more.
    pub(crate) const fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }
}
