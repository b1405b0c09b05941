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
    /// A primary that is to be deleted once it has no replicas any more.
    PendingReplicaDeletion {
        /// The waiting period that then begins, in days.
        window_days: u32,
    },
    /// A replica that has just been made.
    Creating {
        /// When it is enabled, or waits for its material.
        until: Timestamp,
    },
    /// An enabled primary or replica while one takes the place of the other.
    Updating {
        /// When it is enabled again.
        until: Timestamp,
    },
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
            Self::PendingReplicaDeletion { .. } => KeyState::PendingReplicaDeletion,
            Self::Creating { .. } => KeyState::Creating,
            Self::Updating { .. } => KeyState::Updating,
        }
    }

    /// EnableKey: silently nothing on a key that is enabled.
    pub fn enable(self) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled => Ok(Self::Enabled),
            Self::PendingDeletion { .. }
            | Self::PendingImport
            | Self::PendingReplicaDeletion { .. }
            | Self::Creating { .. }
            | Self::Updating { .. } => Err(TransitionError),
        }
    }

    /// DisableKey: silently nothing on a key that is disabled.
    pub fn disable(self) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled => Ok(Self::Disabled),
            Self::PendingDeletion { .. }
            | Self::PendingImport
            | Self::PendingReplicaDeletion { .. }
            | Self::Creating { .. }
            | Self::Updating { .. } => Err(TransitionError),
        }
    }

    /// ScheduleKeyDeletion.
    pub fn schedule_deletion(self, now: Timestamp, window: PendingWindow) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled | Self::PendingImport | Self::Creating { .. } => {
                Ok(Self::deleted_after(now, window.days()))
            }
            Self::PendingDeletion { .. } | Self::PendingReplicaDeletion { .. } | Self::Updating { .. } => {
                Err(TransitionError)
            }
        }
    }

    /// ScheduleKeyDeletion of a primary that has replicas: the waiting period begins when the last of them is gone.
    pub fn schedule_deletion_after_replicas(self, window: PendingWindow) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Disabled | Self::PendingImport => {
                Ok(Self::PendingReplicaDeletion { window_days: window.days() })
            }
            Self::PendingDeletion { .. }
            | Self::PendingReplicaDeletion { .. }
            | Self::Creating { .. }
            | Self::Updating { .. } => Err(TransitionError),
        }
    }

    /// The last replica is gone: a primary that waited for that now waits out its own period.
    #[must_use]
    pub fn last_replica_deleted(self, now: Timestamp) -> Self {
        match self {
            Self::PendingReplicaDeletion { window_days } => Self::deleted_after(now, window_days),
            other => other,
        }
    }

    /// UpdatePrimaryRegion, of both keys.
    pub fn update_primary(self, until: Timestamp) -> Result<Self, TransitionError> {
        match self {
            Self::Enabled | Self::Updating { .. } => Ok(Self::Updating { until }),
            Self::Disabled
            | Self::PendingDeletion { .. }
            | Self::PendingImport
            | Self::PendingReplicaDeletion { .. }
            | Self::Creating { .. } => Err(TransitionError),
        }
    }

    /// What comes after a state that passes by itself, once its time is over. A replica of imported material waits for
    /// that to be imported in its Region.
    #[must_use]
    pub fn settle(self, now: Timestamp, has_material: bool) -> Self {
        match self {
            Self::Creating { until } | Self::Updating { until } if until > now => self,
            Self::Creating { .. } | Self::Updating { .. } if has_material => Self::Enabled,
            Self::Creating { .. } | Self::Updating { .. } => Self::PendingImport,
            other => other,
        }
    }

    fn deleted_after(now: Timestamp, window_days: u32) -> Self {
        Self::PendingDeletion { delete_at: now.plus_days(window_days), window_days }
    }

    /// CancelKeyDeletion leaves the key disabled, never enabled; one without material waits for it again.
    pub fn cancel_deletion(self, has_material: bool) -> Result<Self, TransitionError> {
        match self {
            Self::PendingDeletion { .. } | Self::PendingReplicaDeletion { .. } if has_material => {
                Ok(Self::Disabled)
            }
            Self::PendingDeletion { .. } | Self::PendingReplicaDeletion { .. } => Ok(Self::PendingImport),
            Self::Enabled
            | Self::Disabled
            | Self::PendingImport
            | Self::Creating { .. }
            | Self::Updating { .. } => Err(TransitionError),
        }
    }

    /// All material is there: a key that waited for it can be used, others stay as they are.
    #[must_use]
    pub fn complete(self) -> Self {
        match self {
            Self::PendingImport => Self::Enabled,
            Self::Enabled
            | Self::Disabled
            | Self::PendingDeletion { .. }
            | Self::PendingReplicaDeletion { .. }
            | Self::Creating { .. }
            | Self::Updating { .. } => self,
        }
    }

    /// Material has gone: the key waits for it, unless it is to be deleted anyway.
    #[must_use]
    pub fn lose_material(self) -> Self {
        match self {
            Self::Enabled
            | Self::Disabled
            | Self::PendingImport
            | Self::Creating { .. }
            | Self::Updating { .. } => Self::PendingImport,
            Self::PendingDeletion { .. } | Self::PendingReplicaDeletion { .. } => self,
        }
    }

    /// When the key is to be deleted, if it is.
    pub const fn delete_at(&self) -> Option<Timestamp> {
        match self {
            Self::PendingDeletion { delete_at, .. } => Some(*delete_at),
            Self::Enabled
            | Self::Disabled
            | Self::PendingImport
            | Self::PendingReplicaDeletion { .. }
            | Self::Creating { .. }
            | Self::Updating { .. } => None,
        }
    }

    /// The waiting period that begins once the replicas are gone, in days.
    pub const fn window_after_replicas(&self) -> Option<u32> {
        match self {
            Self::PendingReplicaDeletion { window_days } => Some(*window_days),
            _ => None,
        }
    }

    /// Whether the key is to be deleted, now or once its replicas are gone.
    pub const fn is_pending_deletion(&self) -> bool {
        matches!(self, Self::PendingDeletion { .. } | Self::PendingReplicaDeletion { .. })
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
    fn a_primary_with_replicas_waits_for_them_and_then_for_its_own_period() {
        let window = PendingWindow::parse(Some(7)).unwrap();
        let waiting = Lifecycle::Disabled.schedule_deletion_after_replicas(window).unwrap();
        assert_eq!((waiting.delete_at(), waiting.window_after_replicas()), (None, Some(7)));
        assert_eq!(waiting.clone().cancel_deletion(true), Ok(Lifecycle::Disabled));
        assert_eq!(waiting.clone().schedule_deletion(NOW, window), Err(TransitionError));
        assert_eq!(waiting.last_replica_deleted(NOW), pending());
        assert_eq!(Lifecycle::Enabled.last_replica_deleted(NOW), Lifecycle::Enabled);
    }

    #[test]
    fn what_passes_by_itself_ends_enabled_when_its_time_is_over() {
        let until = NOW.plus_minutes(1);
        let updating = Lifecycle::Enabled.update_primary(until).unwrap();
        for passing in [Lifecycle::Creating { until }, updating] {
            assert_eq!(passing.clone().settle(NOW, true), passing);
            assert_eq!(passing.clone().settle(until, true), Lifecycle::Enabled);
            assert_eq!(passing.clone().settle(until, false), Lifecycle::PendingImport);
            assert_eq!(passing.clone().disable(), Err(TransitionError));
            assert_eq!(passing.enable(), Err(TransitionError));
        }
        assert_eq!(Lifecycle::Disabled.update_primary(until), Err(TransitionError));
        assert_eq!(Lifecycle::Disabled.settle(until, true), Lifecycle::Disabled);
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
