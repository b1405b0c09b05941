//! The one door to keys: finds the key that a request names, decides whether the caller may, checks that the
//! key's state and usage allow it, and hands out a permit, [`Authorized<A>`].
//!
//! A permit is the only way to key material and to changes of key records, and only this crate makes one.
//! What each permit lets its holder do stands in `uses.rs`, on one screen.
//!
//! The compiler keeps the door shut. A permit to encrypt encrypts:
//!
//! ```
//! use trent_domain::encryption_context::EncryptionContext;
//! use trent_gate::{Authorized, Behalf, Encrypt};
//! use trent_protocol::EncryptionAlgorithm::SymmetricDefault;
//!
//! async fn encrypts(permit: Authorized<'_, Encrypt>, behalf: Behalf<'_>) {
//!     let _ = permit.encrypt(b"text", SymmetricDefault, &EncryptionContext::default(), behalf).await;
//! }
//! ```
//!
//! and does nothing else:
//!
//! ```compile_fail
//! use trent_domain::encryption_context::EncryptionContext;
//! use trent_gate::{Authorized, Behalf, Encrypt};
//! use trent_protocol::EncryptionAlgorithm::SymmetricDefault;
//!
//! async fn encrypts(permit: Authorized<'_, Encrypt>, behalf: Behalf<'_>) {
//!     let _ = permit.decrypt(b"blob", SymmetricDefault, &EncryptionContext::default(), behalf).await;
//! }
//! ```
//!
//! A permit for one action cannot be made into one for another, nor be forged, nor be copied:
//!
//! ```compile_fail
//! use trent_gate::{Authorized, Decrypt, Encrypt};
//!
//! fn forges<'gate>(permit: Authorized<'gate, Encrypt>) -> Authorized<'gate, Decrypt> {
//!     permit
//! }
//! ```
//!
//! ```compile_fail
//! use trent_gate::{Authorized, Decrypt, Encrypt};
//!
//! fn forges<'gate>(permit: Authorized<'gate, Encrypt>) -> Authorized<'gate, Decrypt> {
//!     Authorized { gate: permit.gate, entry: permit.entry, made_by: None, store: None, action: std::marker::PhantomData }
//! }
//! ```
//!
//! ```compile_fail
//! use trent_gate::{Authorized, Encrypt};
//!
//! fn copies<'gate>(permit: &Authorized<'gate, Encrypt>) -> Authorized<'gate, Encrypt> {
//!     permit.clone()
//! }
//! ```
//!
//! The store behind the gate is out of reach:
//!
//! ```compile_fail
//! fn reaches_past(gate: &trent_gate::Gate) {
//!     let _ = &gate.store;
//! }
//! ```
//!
//! A permit of an operation that changes nothing changes nothing:
//!
//! ```compile_fail
//! use trent_gate::{Authorized, ChangeError, DescribeKey};
//!
//! async fn changes(permit: Authorized<'_, DescribeKey>) -> Result<(), ChangeError> {
//!     permit.change("rename", |key, _| { key.description.clear(); Ok(()) }).await
//! }
//! ```
//!
//! A permit for ReplicateKey takes material to a Region that has none of it:
//!
//! ```
//! use trent_domain::identifier::Region;
//! use trent_domain::key::Key;
//! use trent_gate::{Authorized, Refusal, ReplicateKey};
//!
//! async fn copies(permit: Authorized<'_, ReplicateKey>, region: Region) -> Result<Key, Refusal> {
//!     permit.replicate(region, |primary, _| Ok(primary.clone())).await
//! }
//! ```
//!
//! and no other permit does:
//!
//! ```compile_fail
//! use trent_domain::identifier::Region;
//! use trent_domain::key::Key;
//! use trent_gate::{Authorized, EnableKey, Refusal};
//!
//! async fn copies(permit: Authorized<'_, EnableKey>, region: Region) -> Result<Key, Refusal> {
//!     permit.replicate(region, |primary, _| Ok(primary.clone())).await
//! }
//! ```
//!
//! A gate that is shared, as that of a server is, hands no keys over:
//!
//! ```compile_fail
//! use std::sync::Arc;
//! use trent_crypto::transfer::RecipientKey;
//! use trent_gate::{Gate, Selection};
//!
//! async fn leaks(gate: Arc<Gate>, to: &RecipientKey) {
//!     let _ = gate.export(Selection::All, to).await;
//! }
//! ```
//!
//! Invariants: nothing is answered from a cached record once a change to it has been answered; state is
//! looked at only after permission; a change is judged again on the row inside its transaction.

mod account;
mod actions;
mod aliases;
mod attested;
mod authorize;
mod aws_managed;
mod cache;
mod change;
mod clusters;
mod condition_keys;
mod decision;
mod explain;
mod external_keys;
mod facts;
mod find;
mod generations;
mod grant_token;
mod grants;
mod hsm_keys;
mod key_policies;
mod key_stores;
mod marker;
mod opening;
mod orphans;
mod put_policy;
mod refusal;
mod replicas;
mod secrets;
mod session_keys;
mod system;
mod transfer;
mod usage_log;
mod uses;

pub use account::{AuthorizedAccount, NewKeyMaterial};
pub use actions::*;
pub use authorize::Authorized;
pub use cache::CacheBounds;
pub use change::{ChangeError, MayChange};
pub use decision::policy_caller;
pub use explain::{Answer, Question, Subject, Unanswered};
pub use facts::{Attestation, Connection, Endpoint, Facts, Parameters};
pub use grants::{GrantError, GrantName, ScopeKeys};
pub use hsm_keys::{FormerHsmKey, HsmKeyDestruction, NewHsmKey};
pub use key_policies::unput_text;
pub use key_stores::{KeyStoreCredential, Registry};
pub use marker::{InvalidMarker, MarkerScope};
pub use opening::{CheckpointSigner, Gate, OpenError, Parts};
pub use orphans::{HsmReview, LackingHsmKey, OrphanedHsmKey};
pub use refusal::{AccessDenied, DeniedOn, Refusal, Statement};
pub use replicas::ReplicaTags;
pub use secrets::{OpenedSession, SealedSession};
pub use system::{
    DeleteExpiredKey, Deleted, ExpireImportedMaterial, RotateDueKey, Rotated, SeedKey, SettleKey,
    SystemPermit,
};
pub use transfer::{Exported, Imported, MoveError, Selection};
pub use trent_keystore::{
    Behalf, ClusterAnswer, ClusterTarget, Clusters, ExternalCiphertext, ExternalProxies, FromHsm, HAS_SM2,
    HsmAnswer, HsmCiphertext, HsmOutcomes, KeyInHsm, NoClusters, NoProxies, ProxyAnswer, ProxyTarget,
    Settled, StoreError, TokenTarget,
};
pub use trent_policy::{Network, Standing};
pub use uses::*;
