//! Keys, aliases, identities and their rules, free of input and output.
//!
//! What is here can be read and tested alone: identifiers and how requests name keys, the life cycle of a
//! key, rotation, tags, limits, and the table of what each operation is allowed on. Storage, time and
//! randomness belong to others and come in as arguments.
//!
//! Invariant: a value of a type of this crate is valid; everything that comes from a request passes one of
//! the parsing constructors first.

pub mod algorithms;
pub mod alias;
pub mod encryption_context;
pub mod grant;
mod hex;
pub mod identifier;
pub mod identity;
pub mod import;
pub mod key;
pub mod key_store;
pub mod lifecycle;
pub mod limits;
pub mod multi_region;
pub mod operations;
pub mod quota;
pub mod rotation;
pub mod secret;
pub mod state;
pub mod tags;
pub mod time;
pub mod usage;
