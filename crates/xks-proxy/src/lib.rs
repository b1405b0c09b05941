//! An external key store proxy: what `trent xks-proxy` answers, and what its operator may do.
//!
//! A request takes this way: `answer` (path, method, signature, quota, body, key, rules, sizes, state, cryptography)
//! → `state` (stores and keys, all in memory) → `manager` (the trait of whatever keeps the keys) → `stored` (the
//! one that keeps them in trent's database, or knows them in a token). What the operator does is in `admin`.
//!
//! Not here: how tokens are reached (`cli`), HTTP and TLS (`server`), the shapes of messages (`xks`), the command line (`cli`).
//!
//! Invariants: nothing of a request is looked at before its signature but path and method; a store knows nothing of
//! the keys and credentials of another; a ciphertext whose integrity value was asked for has been decrypted again
//! before it is given away; neither plaintexts nor secrets are logged; every call is logged with its outcome.

mod admin;
mod answer;
mod audit;
mod manager;
mod open;
mod record;
mod rules;
mod state;
mod stored;
#[cfg(test)]
mod tests;
mod tokens;

pub use admin::{Command, CredentialLine, KeyLine, Reply, StoreLine};
pub use answer::{Answer, Request};
pub use manager::{Answering, ExternalKey, Facts, KeyManager, ManagerError};
pub use open::{OpenError, Parts, Proxy};
pub use rules::Rules;
pub use tokens::{NoTokens, TokenKey, TokenKeyFacts, TokenSealed, Tokens};
pub use trent_xks::{Api, ErrorName};
