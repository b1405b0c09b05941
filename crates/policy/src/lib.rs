//! Policies: parse, check, render and evaluate documents, and decide over all that bear on a request.
//!
//! [`Document::parse`] turns text into a compiled [`Document`] or says what is [`Malformed`];
//! [`Document::evaluate`] answers, for the [`Facts`] of one request, which of its statements deny, allow
//! and delegate. [`decide`](decide()) combines what all documents say that bear on a request: those of the caller's
//! [`Standing`], the key policy, and the grants on the key, which come through the trait [`Grants`].
//!
//! Pure: no clock, no storage, no waiting, no logging. All facts arrive with the call; what an absent one
//! means is each operator's documented rule, never a guess. Evaluation allocates nothing.
//!
//! Invariants: an explicit deny is always reported, whatever else matches; text that parses renders to an
//! equal document; no text makes parsing panic or run longer than in proportion to its length.

mod arn;
mod condition;
mod decide;
mod decision;
mod document;
mod facts;
mod grants;
mod json;
mod lint;
mod malformed;
mod managed;
mod operator;
mod pattern;
mod principal;
mod render;
mod standing;
mod statement;
#[cfg(test)]
mod tests;
mod value;

pub use decide::explain::{Explanation, Near, Voice, explain};
pub use decide::{KeyTarget, Request, Target, decide};
pub use decision::{Allowance, By, Clause, Decision, Denial, Reason, Source, Told};
pub use document::{DOCUMENT_BYTES_MAX, Document, Evaluation, Kind};
pub use facts::{Caller, CallerKind, ConditionKeys, Facts, ValueList, Values};
pub use grants::{Grant, Grantee, Grants, NoGrants};
pub use lint::{Finding, KnownAction, Surroundings};
pub use malformed::{Malformed, Place, Problem};
pub use managed::managed_policy;
pub use principal::{Directory, Named, PrincipalError};
pub use render::{default_key_policy, managed_key_policy};
pub use standing::{Attached, ResourceControl, Standing};
pub use statement::Miss;
pub use value::Network;
