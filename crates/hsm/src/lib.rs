//! HSMs behind a vendor's PKCS#11 module, used from a process that the module cannot take along.
//!
//! A module may hang, crash, or have read its configuration for good. So each runs in a process of its own, the worker,
//! which is this binary started again. What a caller asks goes there over a private socket; a call that takes
//! too long ends with the worker killed, and the next call starts another one.
//!
//! Invariant: whatever a module does, a call is answered within the limits for a start and a call, and no other worker
//! notices.
//!
//! Not here: what a cluster is in the API, what a caller of trent is told.

mod backoff;
mod child;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod line;
mod message;
mod observer;
mod pending;
mod pin;
mod replication;
mod supervisor;
mod wire;
mod worker;

pub use child::serve;
pub use observer::{Called, Observer, Operation};
pub use pin::Pin;
pub use replication::Replication;
pub use supervisor::{Limits, Program};
pub use trent_pkcs11::{
    Attributes, Error as TokenError, IvMode, KEY_ID_BYTES, KeyId, KeyName, Sealed, TAG_BYTES, TokenFacts,
    mechanism,
};
pub use worker::{Error, Worker};
