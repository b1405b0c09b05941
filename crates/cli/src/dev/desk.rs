//! Does what the commands of `trent dev` ask for.

use std::sync::Arc;

use tokio::sync::Mutex;
use trent_domain::time::{Clock, Timestamp};
use trent_server::Faults;
use trent_service::Service;

use super::faults::refused;
use super::{DevCommand, DevReply, FaultLine, Happened, Moment, MovableClock, Span};

/// As many different due times are met one by one; what is due beyond them happens at the end of a move.
const STOPS_MAX: usize = 10_000;

/// What the commands work on.
pub(crate) struct Desk {
    clock: Arc<MovableClock>,
    faults: Arc<Faults>,
    service: Arc<Service>,
    /// One move at a time, so that each tells what it has made happen.
    moving: Mutex<()>,
}

impl Desk {
    pub(crate) fn new(clock: Arc<MovableClock>, faults: Arc<Faults>, service: Arc<Service>) -> Self {
        Self { clock, faults, service, moving: Mutex::new(()) }
    }

    /// The answer; otherwise why not, and what to do.
    pub(crate) async fn answer(&self, command: DevCommand) -> Result<DevReply, String> {
        match command {
            DevCommand::ShowClock {} => Ok(self.clock(None)),
            DevCommand::AdvanceClock { by } => {
                let by = i64::try_from(by.duration().as_millis()).unwrap_or(i64::MAX);
                self.advance(self.clock.ahead().saturating_add(by)).await
            }
            DevCommand::SetClock { to: Moment(to) } => {
                self.check(to)?;
                self.advance(self.clock.ahead_at(to)).await
            }
            DevCommand::AddFault { fault } => {
                let id = self.faults.add(fault.try_into()?).map_err(|why| refused(&why))?;
                Ok(DevReply::Fault { id })
            }
            DevCommand::ListFaults {} => {
                let faults = self.faults.list().into_iter().map(FaultLine::from).collect();
                Ok(DevReply::Faults { faults })
            }
            DevCommand::RemoveFault { id } if self.faults.remove(id) => Ok(DevReply::Done),
            DevCommand::RemoveFault { id } => {
                Err(format!("there is no fault {id}; `trent admin fault list` shows those there are"))
            }
            DevCommand::ClearFaults {} => {
                self.faults.clear();
                Ok(DevReply::Done)
            }
        }
    }

    fn clock(&self, happened: Option<Happened>) -> DevReply {
        let now = self.clock.now();
        let ahead = u64::try_from(self.clock.ahead()).unwrap_or_default();
        DevReply::Clock {
            now: Moment(now),
            milliseconds: now.millis(),
            ahead: Span::from_millis(ahead),
            happened,
        }
    }

    /// Moves the clock on, with a stop wherever something is due: so it happens in the order and at the times at
    /// which it would have happened, and what follows from it too.
    async fn advance(&self, ahead: i64) -> Result<DevReply, String> {
        let _alone = self.moving.lock().await;
        let by = ahead.saturating_sub(self.clock.ahead());
        let to = Timestamp::from_millis(self.clock.now().millis().saturating_add(by));
        self.check(to)?;
        self.clock.announce(ahead).await?;
        let mut happened = Happened::default();
        let mut before = None;
        for _ in 0..STOPS_MAX {
            let due = self.service.next_due(to).await.map_err(|error| failed(&error))?;
            // What nobody does must not keep the clock from going on.
            if due.is_none() || due == before {
                break;
            }
            due.into_iter().for_each(|due| self.clock.be_ahead(self.clock.ahead_at(due)));
            before = if self.run_jobs(&mut happened).await? { None } else { due };
        }
        self.clock.be_ahead(ahead);
        while self.run_jobs(&mut happened).await? {}
        tracing::info!(now = %Moment(self.clock.now()), ?happened, "the clock was moved");
        Ok(self.clock(Some(happened)))
    }

    fn check(&self, to: Timestamp) -> Result<(), String> {
        let now = self.clock.now();
        if to < now {
            let now = Moment(now);
            return Err(format!("the clock never goes back, and it is {now} already; name a later time"));
        }
        if to > Moment::LAST {
            return Err(format!("the clock ends at {}; name an earlier time", Moment(Moment::LAST)));
        }
        Ok(())
    }

    async fn run_jobs(&self, happened: &mut Happened) -> Result<bool, String> {
        let report = self.service.run_jobs().await.map_err(|error| failed(&error))?;
        Ok(happened.add(report))
    }
}

fn failed(error: &trent_service::KmsError) -> String {
    format!("the clock was moved, but what is due could not be done: {error}; the log says more")
}
