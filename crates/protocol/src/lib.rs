//! The API on the wire: operations, requests, responses, enumerations, error codes.
//!
//! Shapes and constraints are generated from `model/kms.json` (`cargo xtask codegen`) into `generated/`; the
//! code that reads and writes JSON is beside it, by hand. Requests come out of [`Request::decode`] valid or not
//! at all: required members are plain, enumerations are enums, lengths and patterns hold. Rules that need more
//! than one member, or a key, belong to the operations and are not here.
//!
//! Not here either: HTTP, signatures, authorization. This crate knows nothing of the others.
//!
//! Invariant: sensitive members exist only as [`SecretBlob`] and [`SecretString`], from the moment they leave the
//! JSON text; no `Debug`, message or violation shows them.

mod encode;
mod error_body;
mod generated;
mod raw;
mod request;
mod rules;
mod secret;
mod timestamp;
mod validate;
mod wire_enum;

pub use encode::{Encode, NoOutput, Object, Response, Sink};
pub use error_body::error_body;
pub use generated::enumerations::*;
pub use generated::error_code::ErrorCode;
pub use generated::operation::Operation;
pub use generated::operations::*;
pub use generated::structures::*;
pub use request::{DecodeError, Request};
pub use secret::{SecretBlob, SecretString};
pub use timestamp::{EpochMillis, EpochSeconds};
pub use wire_enum::Offer;
