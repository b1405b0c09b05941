//! The commands of the admin socket that `trent dev` alone knows, and the answers to them.

use serde::{Deserialize, Serialize};
use trent_service::JobReport;

use super::{FaultLine, FaultOrder, Moment, Span};

/// A command. Those without members have braces, since serde lets unit variants have unknown ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum DevCommand {
    /// What time it is.
    ShowClock {},
    /// Moves the clock on.
    AdvanceClock { by: Span },
    /// Moves the clock on to a time.
    SetClock { to: Moment },
    /// Makes something go wrong from now on.
    AddFault { fault: FaultOrder },
    /// What goes wrong.
    ListFaults {},
    /// Ends a fault.
    RemoveFault { id: u64 },
    /// Ends all faults.
    ClearFaults {},
}

/// The answer to a command that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum DevReply {
    /// The clock, and what its move has made happen.
    Clock {
        /// The time now.
        now: Moment,
        /// The same, in milliseconds since 1970.
        milliseconds: i64,
        /// How far it is ahead of the system's clock.
        ahead: Span,
        /// Nothing while it was only looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        happened: Option<Happened>,
    },
    /// A new fault.
    Fault {
        /// Its number.
        id: u64,
    },
    /// The faults that are in force.
    Faults {
        /// In the order in which they strike.
        faults: Vec<FaultLine>,
    },
    /// Done; there is nothing to tell.
    Done,
}

/// What became due while the clock was moved, and was done: numbers of keys.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Happened {
    /// Deleted at the end of their waiting period.
    pub(crate) deleted: usize,
    /// Given new material; a key that was due more than once counts as often.
    pub(crate) rotated: usize,
    /// Robbed of imported material at the end of its validity.
    pub(crate) expired: usize,
    /// No longer being created or updated.
    pub(crate) settled: usize,
}

impl Happened {
    /// Adds what the jobs did; says whether they did anything.
    pub(crate) fn add(&mut self, report: JobReport) -> bool {
        let JobReport { deleted, rotated, expired, settled, .. } = report;
        self.deleted += deleted;
        self.rotated += rotated;
        self.expired += expired;
        self.settled += settled;
        deleted + rotated + expired + settled > 0
    }
}

impl DevCommand {
    /// Whether a line of the socket is one of these commands, well-formed or not.
    pub(crate) fn is_meant_by(line: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Head {
            command: String,
        }
        serde_json::from_slice::<Head>(line).is_ok_and(|head| {
            ["-clock", "-fault", "-faults"].iter().any(|object| head.command.ends_with(object))
        })
    }
}
