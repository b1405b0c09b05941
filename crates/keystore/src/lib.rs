//! Key material: where it lives, how it is sealed at rest, and the only code that computes with it.
//!
//! Nothing outside this crate and [`trent_crypto`] sees the bytes of key material. The gate alone calls this
//! crate, and only on behalf of a permit; `service` has no edge to it.
//!
//! The hierarchy: the root key seals the keys of the ring ([`Keyring`]); the domain key of an account and
//! Region, one of them, seals the material of its keys; each message is encrypted under a key derived from
//! the material for it alone.

/// Whether this build has keys of spec SM2.
pub const HAS_SM2: bool = cfg!(feature = "sm");

mod clusters;
mod external;
mod keyring;
mod pool;
mod software;
mod store;

pub use clusters::{
    ClusterAnswer, ClusterTarget, Clusters, FromHsm, HsmAnswer, HsmCiphertext, HsmOutcomes, KeyInHsm,
    NoClusters, Settled, TokenTarget,
};
pub use external::{Behalf, ExternalCiphertext, ExternalProxies, NoProxies, ProxyAnswer, ProxyTarget};
pub use keyring::{Keyring, NewRingKey, RingName};
pub use software::SoftwareStore;
pub use store::{
    AgreementKey, Answer, DecryptionKey, Encapsulated, EncapsulationKey, ImportParameters, InnerKey,
    KeyStore, MacKey, Message, NewMaterial, OpenedKey, Owner, Pair, SigningKey, StoreError, SymmetricKey,
    Wrapped, Wrapping,
};
