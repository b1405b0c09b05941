//! Hostile clients against the running binary: whatever one of them does, others are answered, and memory stays within
//! bounds.
//!
//! What a single connection does to itself is tested in `crates/server/tests`; here there are many of them, there is
//! somebody else who wants to be served, and the process that serves is looked at from outside.

mod crowd;
mod http1;
mod http2;
mod tls;
mod victim;
