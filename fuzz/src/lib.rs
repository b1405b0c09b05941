//! What the fuzz targets share: cutting up the fuzzer's bytes, and a second opinion on canonical requests.
//!
//! A target panics on whatever must not happen. Beside "never panics" each one checks what its crate promises,
//! mostly by doing the same thing in two ways.

pub mod canonical;
mod cut;
mod http;
mod world;

pub use cut::Cut;
pub use http::RawRequest;
pub use world::{WORLD, World, element};
