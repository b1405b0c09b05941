//! Grant tokens: which grant of which key, sealed, so that nobody makes one but trent.
//!
//! A token gives its bearer nothing: what counts is the grant as it is in the database. Its content:
//!
//! ```text
//! offset  bytes
//!      0      1  kind of key: 73 (`s`) single-Region, 6d (`m`) multi-Region
//!      1     16  key id
//!     17     32  grant id
//! ```
//!
//! The Region is bound to the envelope: a token of another Region does not open. Sealing draws randomness, so that each
//! token is another, of the same grant too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trent_crypto::Purpose;
use trent_crypto::envelope::label;
use trent_domain::identifier::{GrantId, KeyId, Region};
use trent_keystore::{RingName, StoreError};

use crate::opening::Gate;
use crate::refusal::Refusal;

const SINGLE_REGION: u8 = b's';
const MULTI_REGION: u8 = b'm';

impl Gate {
    /// A new token of a grant.
    pub fn seal_grant_token(&self, region: Region, key: KeyId, grant: GrantId) -> Result<String, StoreError> {
        let kind = if key.is_multi_region() { MULTI_REGION } else { SINGLE_REGION };
        let content = [&[kind], key.uuid().as_slice(), grant.0.as_slice()].concat();
        let sealed = self.keyring.seal(
            RingName::GrantTokens,
            &purpose(&[("region", region.as_str().as_bytes())]),
            &content,
        )?;
        Ok(STANDARD.encode(sealed))
    }

    /// The grant that a token of this Region names. It may be gone.
    pub fn open_grant_token(&self, region: Region, token: &str) -> Result<(KeyId, GrantId), Refusal> {
        let sealed = STANDARD.decode(token).map_err(|_| Refusal::GrantToken)?;
        let opened = self.keyring.open(
            RingName::GrantTokens,
            &purpose(&[("region", region.as_str().as_bytes())]),
            &sealed,
        );
        let opened = opened.map_err(|_| Refusal::GrantToken)?;
        read(opened.expose()).ok_or(Refusal::GrantToken)
    }
}

fn read(content: &[u8]) -> Option<(KeyId, GrantId)> {
    let (kind, rest) = content.split_first()?;
    let (uuid, grant) = rest.split_first_chunk()?;
    let multi_region = match *kind {
        SINGLE_REGION => false,
        MULTI_REGION => true,
        _ => return None,
    };
    Some((KeyId::from_parts(*uuid, multi_region), GrantId(grant.try_into().ok()?)))
}

fn purpose<'a>(owner: &'a [(&'a str, &'a [u8])]) -> Purpose<'a> {
    Purpose::new(label::GRANT_TOKEN, owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_read_to_the_last_byte_and_no_further() {
        let content = [&b"m"[..], &[1; 16], &[2; 32]].concat();
        assert_eq!(read(&content), Some((KeyId::from_parts([1; 16], true), GrantId([2; 32]))));
        assert_eq!(read(&content[..48]), None);
        assert_eq!(read(&[&content[..], &[0]].concat()), None);
        assert_eq!(read(&[&b"x"[..], &content[1..]].concat()), None);
    }
}
