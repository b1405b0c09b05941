//! The operations, by family; each file is one operation and says only what is special about it.

mod aliases;
mod cryptographic;
mod custom_key_stores;
mod grants;
mod import;
mod keys;
pub(crate) mod policies;
mod replicas;
mod rotation;
mod tags;

pub(crate) use custom_key_stores::is_trust_anchor;
