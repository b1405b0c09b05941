//! Tokens behind a PKCS#11 module: found by their serial number, logged in to, and made to keep and use AES-256 keys.
//!
//! A module is a vendor's library and runs in this process: what it does wrong is done here. So it is loaded only by
//! a process that may be killed; this crate knows nothing of that. Calls wait for the device, and nothing here is
//! `async`.
//!
//! Modules differ in what they answer. What callers get is one of the few [`Error`]s.
//!
//! Not here: which tokens make up a cluster, when a password is changed, what a caller of trent is told.

mod error;
mod gcm;
mod key;
mod module;
mod session;
mod token;
mod transfer;

pub use error::Error;
pub use gcm::{IV_BYTES, IvMode, Sealed, TAG_BYTES};
pub use key::{Attributes, KEY_ID_BYTES, KeyId, KeyName};
pub use module::{Module, TokenFacts, mechanism};
pub use token::Token;
