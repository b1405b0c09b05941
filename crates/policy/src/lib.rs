//! Policy documents: parse, check, render and evaluate one at a time.
//!
//! [`Document::parse`] turns text into a compiled [`Document`] or says what is [`Malformed`];
//! [`Document::evaluate`] answers, for the [`Facts`] of one request, which of its statements deny, allow
//! and delegate. How several documents combine (key policy, identity policies, boundaries, grants) is
//! decided by whoever holds them all, not here.
//!
//! Pure: no clock, no storage, no waiting, no logging. All facts arrive with the call; what an absent one
//! means is each operator's documented rule, never a guess. Evaluation allocates nothing.
//!
//! Invariants: an explicit deny is always reported, whatever else matches; text that parses renders to an
//! equal document; no text makes parsing panic or run longer than in proportion to its length.

mod arn;
mod condition;
mod document;
mod facts;
mod json;
mod malformed;
mod operator;
mod pattern;
mod principal;
mod render;
mod statement;
#[cfg(test)]
mod tests;
mod value;

pub use document::{DOCUMENT_BYTES_MAX, Document, Evaluation, Kind};
pub use facts::{Caller, CallerKind, ConditionKeys, Facts, ValueList, Values};
pub use malformed::{Malformed, Place, Problem};
pub use principal::{Directory, Named, PrincipalError};
pub use render::default_key_policy;
