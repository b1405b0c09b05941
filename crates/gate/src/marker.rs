//! Markers of paged answers: sealed, so that a marker that was altered, or belongs to another list, is told.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use trent_crypto::Purpose;
use trent_crypto::envelope::label;
use trent_domain::identifier::{AccountId, Region};
use trent_keystore::{RingName, StoreError};
use trent_protocol::Operation;

use crate::opening::Gate;

/// The list that a marker belongs to.
#[derive(Debug, Clone, Copy)]
pub struct MarkerScope<'a> {
    /// The operation that lists.
    pub operation: Operation,
    /// The account of the caller.
    pub account: AccountId,
    /// The Region of the request.
    pub region: Region,
    /// What else the request says about the list, such as a key id.
    pub filter: &'a str,
}

/// A marker that trent did not make, or made for another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the marker is not one of this list")]
pub struct InvalidMarker;

impl Gate {
    /// The marker that makes the next page begin after `position`.
    pub fn seal_marker(&self, scope: &MarkerScope<'_>, position: &str) -> Result<String, StoreError> {
        let scope = scope.to_string();
        let sealed = self.keyring.seal(
            RingName::Markers,
            &purpose(&[("list", scope.as_bytes())]),
            position.as_bytes(),
        )?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The position in a marker of this list.
    pub fn open_marker(&self, scope: &MarkerScope<'_>, marker: &str) -> Result<String, InvalidMarker> {
        let sealed = URL_SAFE_NO_PAD.decode(marker).map_err(|_| InvalidMarker)?;
        let scope = scope.to_string();
        let opened = self.keyring.open(RingName::Markers, &purpose(&[("list", scope.as_bytes())]), &sealed);
        let opened = opened.map_err(|_| InvalidMarker)?;
        String::from_utf8(opened.expose().clone()).map_err(|_| InvalidMarker)
    }
}

fn purpose<'a>(owner: &'a [(&'a str, &'a [u8])]) -> Purpose<'a> {
    Purpose::new(label::MARKER, owner)
}

impl fmt::Display for MarkerScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, account, region, filter } = self;
        write!(f, "{operation}/{account}/{region}/{filter}")
    }
}
