//! What tests need: a clock set by hand, randomness from a seed, the whole service in this process, on a database that can
//! be made to fail; and the binary as a process, with a client that signs.
//!
//! Used by tests alone; nothing that ships depends on it.

pub mod attestation;
mod client;
mod clock;
mod clusters;
mod dice;
mod faults;
pub mod frames;
mod hsm_cluster;
mod import;
mod key_stores;
mod kms;
mod process;
mod proxies;
mod random;
mod requests;

pub use client::{Client, HttpAnswer, Signer, connect, receive};
pub use clock::TestClock;
pub use clusters::TestClusters;
pub use dice::Dice;
pub use faults::FaultyDatabase;
pub use hsm_cluster::{CLUSTER, HSM_PASSWORD, HsmWorld, SERIALS, trust_anchor};
pub use import::{ImportParameters, fresh_material};
pub use kms::{ACCOUNT, Answer, REGION, TestKms, attached, base64, bytes, told};
pub use process::{
    FIRST_ACCESS_KEY, FIRST_SECRET, PATIENCE, Server, Starting, built_binary, command, finish, serve,
    serve_at_random,
};
pub use proxies::{Asked, TestProxies};
pub use random::SeededRandom;
pub use requests::{Subject, file_name, request};
