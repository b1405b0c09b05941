//! The words of `trent admin` that `trent dev` alone understands.

use clap::{Args, Subcommand};

use crate::dev::{DevCommand, FaultOrder, Kind, Latency, Moment, Span};

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

#[derive(Debug, Subcommand)]
pub(crate) enum FaultCommand {
    /// Make something go wrong from now on, and print the number of this fault.
    Add(AddFault),
    /// Show all faults, and how many requests each has struck.
    List,
    /// End a fault.
    Remove {
        /// Its number.
        id: u64,
    },
    /// End all faults.
    Clear,
}

#[derive(Debug, Args)]
pub(crate) struct AddFault {
    /// What goes wrong.
    kind: Kind,
    /// The operation that it strikes; may be given more than once [default: all].
    #[arg(long, value_name = "NAME")]
    operation: Vec<String>,
    /// Strike only requests that name this key, by whatever name: a key id or key ARN.
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// The share of these requests that it strikes, from 0 to 1 [default: 1].
    #[arg(long, value_name = "SHARE")]
    rate: Option<f64>,
    /// Strike as many requests, and no more.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Which requests a rate strikes; the same seed strikes the same ones.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How late answers come, such as 200ms; 100ms-2s draws.
    #[arg(long, value_name = "TIME")]
    delay: Option<Latency>,
}

impl From<FaultCommand> for DevCommand {
    fn from(command: FaultCommand) -> Self {
        match command {
            FaultCommand::Add(AddFault { kind, operation, key, rate, count, seed, delay }) => {
                Self::AddFault {
                    fault: FaultOrder { kind, operations: operation, key, rate, count, seed, delay },
                }
            }
            FaultCommand::List => Self::ListFaults {},
            FaultCommand::Remove { id } => Self::RemoveFault { id },
            FaultCommand::Clear => Self::ClearFaults {},
        }
    }
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
