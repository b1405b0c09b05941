//! The audit trail: who did what, with which key, and whether it was allowed; in the form of CloudTrail, in files that
//! nobody changes unseen.
//!
//! What is recorded of which operation stands in `recorded/`, how a record looks in `record.rs`, how records are
//! chained and signed in `chain.rs`. A record goes from a lane of its core to the one writer, which appends it to the
//! journal and syncs once for all that wait. `docs/book/audit.md` tells the format to those who verify it.
//!
//! Invariants: what is not named in `recorded/` is not recorded; in strict mode a record is durable before its request is
//! answered; while the journal cannot be written nothing is answered; no line that was written is written again.

mod admin;
mod ahead;
mod chain;
mod dates;
mod event;
mod files;
mod find;
mod follow;
mod identity;
mod internal;
mod json;
mod lane;
mod notification;
mod record;
mod recorded;
mod recovery;
mod shared;
mod sts;
mod trail;
mod verify;
mod writer;

pub use admin::command;
pub use chain::{Checkpoint, FORMAT, Hash, Head, Link, SIGNED_PREFIX, Signer, from_hex, hash, hex};
pub use event::Event;
pub use files::{BeforeWrite, JournalFile, list};
pub use find::{Query, find};
pub use follow::{Follower, Lines, Place};
pub use internal::{HsmKeyPlace, Internal, Rotation, backing_key, backing_keys};
pub use json::{Camel, Members, object};
pub use lane::{Unwritten, Written};
pub use notification::notifications;
pub use record::{AdminRecord, CallRecord, Client, Refused, Tls};
pub use recorded::Recorded;
pub use recovery::{OpenError, reaches};
pub use shared::Stats;
pub use sts::{StsIdentity, StsRecord};
pub use trail::{Recorder, Settings, Trail};
pub use verify::{Fault, Known, Problem, Report, verify};
