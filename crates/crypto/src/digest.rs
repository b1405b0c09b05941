//! SHA-256, for what is looked up by its hash.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 of the parts, one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let hash = match parts {
        [only] => digest(&SHA256, only),
        _ => digest(&SHA256, &parts.concat()),
    };
    hash.as_ref().try_into().unwrap_or([0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_vector_of_fips_180() {
        let start = [0xba, 0x78, 0x16, 0xbf];
        assert_eq!(sha256(&[b"abc"])[..4], start);
        assert_eq!(sha256(&[b"a", b"b", b"c"])[..4], start);
    }
}
