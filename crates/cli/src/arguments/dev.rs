//! The words of `trent admin` that `trent dev` alone understands.

use clap::Subcommand;

use crate::dev::{DevCommand, Moment, Span};

#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Show the time of the server, and how far it is ahead.
    Show,
    /// Move the clock on, and do what becomes due before this ends.
    Advance {
        /// How far, such as 8d or 1h30m: w d h m s ms.
        by: Span,
    },
    /// Move the clock on to a time, and do what becomes due before this ends.
    Set {
        /// A time not before the server's, such as 2027-01-01T00:00:00Z, or seconds since 1970.
        to: Moment,
    },
}

impl From<ClockCommand> for DevCommand {
    fn from(command: ClockCommand) -> Self {
        match command {
            ClockCommand::Show => Self::ShowClock {},
            ClockCommand::Advance { by } => Self::AdvanceClock { by },
            ClockCommand::Set { to } => Self::SetClock { to },
        }
    }
}
