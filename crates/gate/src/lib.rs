//! The one door to keys: finds the key that a request names, decides whether the caller may, checks that the
//! key's state and usage allow it, and hands out a permit, [`Authorized<A>`].
//!
//! A permit is the only way to key material and to changes of key records, and only this crate makes one.
//! What each permit lets its holder do stands in `uses.rs`, on one screen.
//!
//! Invariants: nothing is answered from a cached record once a change to it has been answered; state is
//! looked at only after permission; a change is judged again on the row inside its transaction.

mod account;
mod actions;
mod authorize;
mod aws_managed;
mod cache;
mod change;
mod decision;
mod facts;
mod marker;
mod opening;
mod refusal;
mod secrets;
mod system;
mod usage_log;
mod uses;

pub use account::{AuthorizedAccount, NewKeyMaterial};
pub use actions::*;
pub use authorize::Authorized;
pub use cache::CacheBounds;
pub use change::ChangeError;
pub use facts::Facts;
pub use marker::{InvalidMarker, MarkerScope};
pub use opening::{Gate, OpenError, Parts};
pub use refusal::{DenialResource, Refusal};
pub use system::{DeleteExpiredKey, RotateDueKey, SystemPermit};
pub use uses::{Decrypted, Encrypted, MayDecrypt, MayEncrypt, MayGenerateDataKey, MayMakeMaterial, UseError};
