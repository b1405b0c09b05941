//! The life of a key: which states it can be in, what each state holds, and how one leads to another.
//!
//! Transitions consume the state that they leave, so that a state cannot be kept and used after it has ended.

use serde::{Deserialize, Serialize};
use trent_protocol::KeyState;

use crate::limits::{DELETION_WINDOW_DAYS_DEFAULT, DELETION_WINDOW_DAYS_MAX, DELETION_WINDOW_DAYS_MIN};
use crate::time::Timestamp;

/// Where a key is in its life. Each variant holds what only that state has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    /// Usable.
    Enabled,
    /// Kept, but not usable until it is enabled.
    Disabled,
    /// Waiting to be deleted.
    PendingDeletion {
        /// When the key goes for good.
        delete_at: Timestamp,
        /// The waiting period that was asked for, in days.
        window_days: u32,
    },
    /// Made for imported material, some of which is missing.
    PendingImport,
}

/// The waiting period of ScheduleKeyDeletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingWindow {
    days: u32,
}

/// A waiting period outside 7 to 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("PendingWindowInDays must be between {DELETION_WINDOW_DAYS_MIN} and {DELETION_WINDOW_DAYS_MAX}")]
pub struct WindowOutOfRange;

impl PendingWindow {
    /// The period that a request asks for, or the default of 30 days.
    pub fn parse(asked: Option<i32>) -> Result<Self, WindowOutOfRange> {
        let Some(asked) = asked else { return Ok(Self { days: DELETION_WINDOW_DAYS_DEFAULT }) };
        let days = u32::try_from(asked).map_err(|_| WindowOutOfRange)?;
        let allowed = DELETION_WINDOW_DAYS_MIN..=DELETION_WINDOW_DAYS_MAX;
        if allowed.contains(&days) { Ok(Self { days }) } else { Err(WindowOutOfRange) }
    }

    /// Its length in days.
    pub const fn days(self) -> u32 {
        self.days
    }
}

/// A transition that the present state does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key's state does not allow this change")]
pub struct TransitionError;

impl Lifecycle {
    /// The state as the API names it.
    pub const fn state(&self) -> KeyState {
        match self {
            Self::Enabled => KeyState::Enabled,
            Self::Disabled => KeyState::Disabled,
            Self::PendingDeletion { .. } => KeyState::PendingDeletion,
            Self::PendingImport => KeyState::PendingImport,
        }
    }

    /// EnableKey: silently nothing on a key that is enabled.
    pub fn enable(self) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled => Ok(Self::Enabled),
            Self::PendingDeletion { .. } | Self::PendingImport => Err(TransitionError),
        }
    }

    /// DisableKey: silently nothing on a key that is disabled.
    pub fn disable(self) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled => Ok(Self::Disabled),
            Self::PendingDeletion { .. } | Self::PendingImport => Err(TransitionError),
        }
    }

    /// ScheduleKeyDeletion.
    pub fn schedule_deletion(self, now: Timestamp, window: PendingWindow) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled | Self::PendingImport => {
                let window_days = window.days();
                Ok(Self::PendingDeletion { delete_at: now.plus_days(window_days), window_days })
            }
            Self::PendingDeletion { .. } => Err(TransitionError),
        }
    }

    /// CancelKeyDeletion leaves the key disabled, never enabled; one without material waits for it again.
    pub fn cancel_deletion(self, has_material: bool) -> Result<Self, TransitionError> {
        match self {
            Self::PendingDeletion { .. } if has_material => Ok(Self::Disabled),
            Self::PendingDeletion { .. } => Ok(Self::PendingImport),
            Self::Enabled | Self::Disabled | Self::PendingImport => Err(TransitionError),
        }
    }

    /// All material is there: a key that waited for it can be used, others stay as they are.
    #[must_use]
    pub fn complete(self) -> Self {
        match self {
            Self::PendingImport => Self::Enabled,
            Self::Enabled | Self::Disabled | Self::PendingDeletion { .. } => self,
        }
    }

    /// Material has gone: the key waits for it, unless it is to be deleted anyway.
    #[must_use]
    pub fn lose_material(self) -> Self {
        match self {
            Self::Enabled | Self::Disabled | Self::PendingImport => Self::PendingImport,
            Self::PendingDeletion { .. } => self,
        }
    }

    /// When the key is to be deleted, if it is.
    pub const fn delete_at(&self) -> Option<Timestamp> {
        match self {
            Self::PendingDeletion { delete_at, .. } => Some(*delete_at),
            Self::Enabled | Self::Disabled | Self::PendingImport => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn pending() -> Lifecycle {
        Lifecycle::Enabled.schedule_deletion(NOW, PendingWindow::parse(Some(7)).unwrap()).unwrap()
    }

    #[test]
    fn a_cancelled_deletion_leaves_the_key_disabled() {
        assert_eq!(pending().cancel_deletion(true), Ok(Lifecycle::Disabled));
        assert_eq!(pending().cancel_deletion(false), Ok(Lifecycle::PendingImport));
        assert_eq!(Lifecycle::Enabled.cancel_deletion(true), Err(TransitionError));
    }

    #[test]
    fn a_key_pending_deletion_can_neither_be_enabled_nor_disabled_nor_scheduled_again() {
        assert_eq!(pending().enable(), Err(TransitionError));
        assert_eq!(pending().disable(), Err(TransitionError));
        assert_eq!(pending().schedule_deletion(NOW, PendingWindow { days: 7 }), Err(TransitionError));
    }

    #[test]
    fn the_waiting_period_is_7_to_30_days_and_30_by_default() {
        assert_eq!(PendingWindow::parse(None).unwrap().days(), 30);
        for bad in [6, 31, 0, -1] {
            let error = PendingWindow::parse(Some(bad)).unwrap_err();
            assert_eq!(error.to_string(), "PendingWindowInDays must be between 7 and 30");
        }
        assert_eq!(pending().delete_at(), Some(NOW.plus_days(7)));
    }
}
