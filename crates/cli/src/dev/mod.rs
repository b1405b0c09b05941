//! What `trent dev` alone has: a clock that can be moved, faults on request, keys from a file.
//!
//! `trent serve` makes none of this, so that nothing of it can be reached there: its admin socket refuses the
//! commands, and its server has neither another clock nor faults.

mod clock;
mod commands;
mod desk;
mod faults;
pub(crate) mod seed;
mod span;

pub(crate) use clock::MovableClock;
pub(crate) use commands::{DevCommand, DevReply, Happened};
pub(crate) use desk::Desk;
pub(crate) use faults::{FaultLine, FaultOrder, Kind, Latency};
pub(crate) use span::{Moment, Span};
