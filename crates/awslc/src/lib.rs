//! The few AWS-LC calls that aws-lc-rs lacks: Ed25519ph, ML-DSA over an external μ, ML-KEM keys from a seed.
//!
//! Keys go in and come out as bytes, never as pointers: what AWS-LC allocates is freed before a function returns, so
//! nothing here has a lifetime to get wrong. Lengths are in the types or checked before the call.
//!
//! Not here: formats, rules of the API, randomness. AWS-LC takes what it needs of the latter from its own generator.
//!
//! One of the two crates that may be `unsafe`. Each block says why it is sound.

#![expect(unsafe_code, reason = "this crate is where AWS-LC is called directly")]

mod ed25519ph;
mod ml_dsa;
mod ml_kem;
mod owned;

pub use ed25519ph::{ed25519ph_sign, ed25519ph_verify};
pub use ml_dsa::{MlDsa, ml_dsa_sign_mu, ml_dsa_verify_mu};
pub use ml_kem::{MlKem, MlKemKeys, ml_kem_from_seed};
