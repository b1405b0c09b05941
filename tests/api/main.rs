//! Each operation by its behaviour: the folders are the families of `crates/service/src/operations`, with one
//! file for each operation; beside them what all operations have in common.
//!
//! Codes and texts are those that AWS KMS gives, as far as they are recorded or documented; which are trent's
//! own choice is said where they stand.

mod aliases;
mod cryptographic;
mod custom_key_stores;
mod grants;
mod import;
mod keys;
mod policies;
mod replicas;
mod rotation;
mod tags;

mod attestation;
mod audit;
mod aws_managed_keys;
mod denials;
mod dry_runs;
mod every_operation;
mod identifiers;
mod identities;
mod isolation;
mod kinds;
mod mfa;
mod paging;
mod permissions;
mod quotas;
mod sm2;
mod wire;
