//! JSON Web Tokens of identity providers: read ([`Token::read`]), verified ([`Token::verify`]) with the keys of a
//! provider ([`KeySet`]), and their times checked ([`Claims::check_times`]).
//!
//! Algorithms: `RS256`, `PS256`, `ES256` and `EdDSA` (Ed25519). Not here: `none` and HMAC, which are refused before
//! anything else is looked at, encrypted tokens, fetching of keys, and whether a token's issuer and audience are the
//! right ones. Pure: no clock, no input or output, no logging, no waiting.
//!
//! Invariants: claims of a token are reachable only through a token that was read, and are not to be believed before
//! it was verified; a key of one kind never verifies an algorithm of another; no text makes reading panic.

mod claims;
mod keys;
mod tags;
mod token;

pub use claims::{Claims, TimeError};
pub use keys::{KeySet, KeySetError};
pub use tags::SessionTags;
pub use token::{TOKEN_BYTES_MAX, Token, TokenError};
