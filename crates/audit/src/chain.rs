//! The chain: every line says its number and the SHA-256 of the line before it; some lines are signed.
//!
//! A line is a JSON object that ends with its link,
//!
//! ```text
//! ,"trent":{"format":1,"node":"<uuid>","sequence":<number>,"previous":"<64 hex digits>"}}
//! ```
//!
//! and where it is signed, the last brace follows after `,"signature":"<base64>"`. The hash is that of all bytes of a
//! line without its line feed; the signature is Ed25519 over [`SIGNED_PREFIX`] and the bytes before `,"signature"`.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// The version of the link's format.
pub const FORMAT: u32 = 1;
/// What every signed text begins with, so that no signature means anything else.
pub const SIGNED_PREFIX: &[u8] = b"trent-audit-checkpoint-1\n";

const LINK_START: &[u8] = b",\"trent\":{\"format\":1,\"node\":\"";
const SEQUENCE: &[u8] = b"\",\"sequence\":";
const PREVIOUS: &[u8] = b",\"previous\":\"";
const SIGNATURE: &[u8] = b",\"signature\":\"";
const SIGNATURE_CHARACTERS: usize = 88;
const HASH_CHARACTERS: usize = 64;

/// A SHA-256.
pub type Hash = [u8; 32];

/// Signs checkpoints, with a key that never leaves whoever has it.
pub trait Signer: Send + Sync {
    /// The Ed25519 public key.
    fn public_key(&self) -> [u8; 32];

    /// The signature of a text; none if the key cannot be reached.
    fn sign(&self, text: &[u8]) -> Option<[u8; 64]>;
}

/// Where a chain stands: what its next line links to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose chain it is.
    pub node: Uuid,
    /// The number of the next line.
    pub sequence: u64,
    /// The hash of the line before; zeros before the first.
    pub previous: Hash,
}

impl Head {
    /// A chain without lines.
    pub fn new(node: Uuid) -> Self {
        Self { node, sequence: 0, previous: [0; 32] }
    }

    /// Closes the record that begins at `start` and ends with `out`: appends its link, and a line feed.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>, start: usize) {
        self.link(out);
        out.push(b'}');
        self.end_line(out, start);
    }

    /// The same for a record that is signed.
    pub(crate) fn close_signed(&mut self, out: &mut Vec<u8>, start: usize, signer: &dyn Signer) {
        self.link(out);
        let signature = signer.sign(&signed_text(out.get(start..).unwrap_or_default()));
        if let Some(signature) = signature {
            out.extend_from_slice(SIGNATURE);
            out.extend_from_slice(STANDARD.encode(signature).as_bytes());
            out.push(b'"');
        }
        out.push(b'}');
        self.end_line(out, start);
    }

    fn link(&self, out: &mut Vec<u8>) {
        let mut buffer = Uuid::encode_buffer();
        out.extend_from_slice(LINK_START);
        out.extend_from_slice(self.node.as_hyphenated().encode_lower(&mut buffer).as_bytes());
        out.extend_from_slice(SEQUENCE);
        out.extend_from_slice(self.sequence.to_string().as_bytes());
        out.extend_from_slice(PREVIOUS);
        push_hex(&self.previous, out);
        out.extend_from_slice(b"\"}");
    }

    fn end_line(&mut self, out: &mut Vec<u8>, start: usize) {
        self.previous = hash(out.get(start..).unwrap_or_default());
        self.sequence += 1;
        out.push(b'\n');
    }
}

/// The place of a line in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<'l> {
    /// Whose chain it is.
    pub node: Uuid,
    /// The number of the line.
    pub sequence: u64,
    /// What it says the hash of the line before is.
    pub previous: Hash,
    /// The text that was signed, without prefix, and its signature.
    pub signature: Option<(&'l [u8], [u8; 64])>,
}

impl<'l> Link<'l> {
    /// Reads the link of a line, which has no line feed. Every byte of it must be as trent writes it.
    pub fn read(line: &'l [u8]) -> Option<Self> {
        let (linked, signature) = split_signature(line)?;
        let inner = linked.strip_suffix(b"\"}")?;
        let start = find_last(inner, LINK_START)?;
        let rest = inner.get(start + LINK_START.len()..)?;
        let (node, rest) = rest.split_at_checked(36)?;
        let (sequence, previous) = split_once(rest.strip_prefix(SEQUENCE)?, PREVIOUS)
            .filter(|(_, hash)| hash.len() == HASH_CHARACTERS)?;
        let sequence = std::str::from_utf8(sequence).ok()?;
        let link = Self {
            node: Uuid::try_parse_ascii(node).ok()?,
            sequence: sequence.parse().ok()?,
            previous: from_hex(previous)?,
            signature,
        };
        // Capital digits, a leading zero: another text for the same link is no line of trent's.
        let exact =
            link.node.as_hyphenated().to_string().as_bytes() == node && link.sequence.to_string() == sequence;
        exact.then_some(link)
    }

    /// Whether the signature, if there is one, is that of this key.
    pub fn is_signed_by(&self, public_key: &[u8; 32]) -> bool {
        self.signature.is_some_and(|(text, signature)| {
            UnparsedPublicKey::new(&ED25519, public_key).verify(&signed_text(text), &signature).is_ok()
        })
    }
}

/// A line that is known to have been written: its number and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain it is.
    pub node: Uuid,
    /// The number of the line.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Checkpoint {
    /// `<node> <sequence> <hash>`.
    pub fn to_text(self) -> String {
        format!("{} {} {}", self.node, self.sequence, hex(&self.hash))
    }

    /// Reads what [`Checkpoint::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (node, sequence, hash) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            node: node.parse().ok()?,
            sequence: sequence.parse().ok()?,
            hash: from_hex(hash.as_bytes())?,
        })
    }
}

/// The hash of a line, without its line feed.
pub fn hash(line: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, line).as_ref());
    hash
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn signed_text(text: &[u8]) -> Vec<u8> {
    [SIGNED_PREFIX, text].concat()
}

/// The line up to and without its last brace or signature, and the signature.
#[expect(clippy::type_complexity, reason = "a text and its signature, once")]
fn split_signature(line: &[u8]) -> Option<(&[u8], Option<(&[u8], [u8; 64])>)> {
    let body = line.strip_suffix(b"}")?;
    let at = body.len().checked_sub(SIGNATURE.len() + SIGNATURE_CHARACTERS + 1);
    let found = at.and_then(|at| {
        let (text, rest) = body.split_at_checked(at)?;
        let encoded = rest.strip_prefix(SIGNATURE)?.strip_suffix(b"\"")?;
        let signature = <[u8; 64]>::try_from(STANDARD.decode(encoded).ok()?).ok()?;
        Some((text, signature))
    });
    Some(found.map_or((body, None), |(text, signature)| (text, Some((text, signature)))))
}

fn find_last(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).rposition(|window| window == part)
}

fn split_once<'b>(bytes: &'b [u8], part: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(part.len()).position(|window| window == part)?;
    Some((bytes.get(..at)?, bytes.get(at + part.len()..)?))
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or_default();
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    for (pair, byte) in out.get_mut(start..).unwrap_or_default().chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
}

/// A SHA-256, or a public key, of as many hexadecimal digits.
pub fn from_hex(text: &[u8]) -> Option<Hash> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; 32];
    if text.len() != HASH_CHARACTERS {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = *<&[u8; 2]>::try_from(pair).ok()?;
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(hash)
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    pub(crate) struct TestSigner(Ed25519KeyPair);

    impl TestSigner {
        pub(crate) fn new() -> Self {
            Self(Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap())
        }
    }

    impl Signer for TestSigner {
        fn public_key(&self) -> [u8; 32] {
            self.0.public_key().as_ref().try_into().unwrap()
        }

        fn sign(&self, text: &[u8]) -> Option<[u8; 64]> {
            self.0.sign(text).as_ref().try_into().ok()
        }
    }

    fn lines() -> Vec<Vec<u8>> {
        let mut head = Head::new(Uuid::from_u128(7));
        let mut out = b"{\"a\":\"one\"".to_vec();
        head.close(&mut out, 0);
        let start = out.len();
        out.extend_from_slice(b"{\"a\":\"two\"");
        head.close_signed(&mut out, start, &TestSigner::new());
        out.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn links_are_read_as_they_were_written() {
        let lines = lines();
        let first = Link::read(&lines[0]).unwrap();
        assert_eq!((first.sequence, first.previous, first.signature), (0, [0; 32], None));
        let second = Link::read(&lines[1]).unwrap();
        assert_eq!((second.sequence, second.previous), (1, hash(&lines[0])));
        assert!(second.is_signed_by(&TestSigner::new().public_key()));
        assert!(!second.is_signed_by(&[1; 32]));
    }

    #[test]
    fn no_byte_of_a_signed_line_can_be_changed() {
        let (line, key) = (lines().pop().unwrap(), TestSigner::new().public_key());
        for at in 0..line.len() {
            for change in [1, 0x20, 0x80] {
                let mut other = line.clone();
                other[at] ^= change;
                assert!(!Link::read(&other).is_some_and(|link| link.is_signed_by(&key)), "byte {at}");
            }
        }
    }

    #[test]
    fn checkpoints_are_read_back() {
        let checkpoint = Checkpoint { node: Uuid::from_u128(7), sequence: 12, hash: hash(b"line") };
        assert_eq!(Checkpoint::parse(&checkpoint.to_text()), Some(checkpoint));
        assert_eq!(Checkpoint::parse("x"), None);
    }
}
