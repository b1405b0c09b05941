//! Tokens for tests: SoftHSM's, and a module before it that fails on order. `cargo xtask setup` installs what it needs.
//!
//! What is wrong here is wrong with the test, and ends it.

#![expect(clippy::panic, clippy::expect_used, reason = "only tests use this")]

mod shim;
mod tokens;

pub use shim::Shim;
pub use tokens::{MODULE, SO_PIN, Tokens, on_tokens};
