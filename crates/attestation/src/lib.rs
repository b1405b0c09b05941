//! Attestation documents of Nitro Enclaves and NitroTPM: read, and verified up to a root that the operator trusts.
//!
//! [`Roots::read`], which is quick, and [`Unverified::verify`], which is not, are the only way from bytes to an
//! [`Attested`] caller: what it measured, and the key that whatever it asks for is sealed to ([`Attested::seal`]). A document is COSE_Sign1 (RFC 9052 section 4.2) over CBOR, signed with
//! ES384 by the last certificate of a chain of P-384 keys.
//!
//! Not here: who may do what ([`Attested::condition_keys`] are for policies to ask), and lists of revoked certificates,
//! which AWS does not use either. Pure: no clock, no input or output, no logging, no waiting.
//!
//! Invariants: nothing of a document is reachable before all of it has been verified; no bytes make reading panic or
//! take more than a few kilobytes besides the document itself.

mod attested;
mod cbor;
mod chain;
mod document;
mod roots;
mod statement;

pub use attested::{Attested, Kind};
pub use cbor::CborError;
pub use chain::ChainError;
pub use document::{DocumentError, Freshness, Unverified};
pub use roots::{RootError, Roots};
